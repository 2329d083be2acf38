"""Serves Qdrant's engine, the wheel qdrant-edge-py, by the part of Qdrant's REST interface that the program uses.

For tests only: one shard, no persistence, no cluster. Prints its port; ends with its standard input.
"""

import json
import shutil
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import qdrant_edge as edge

KEY = sys.argv[1] if len(sys.argv) > 1 else None
# Kilobytes of vectors from which a segment gets a graph; small, so that tests search one.
INDEXED_KB = 1000


class Refused(Exception):
    def __init__(self, status, why):
        super().__init__(why)
        self.status = status


class Collection:
    def __init__(self, config):
        self.vectors = config["vectors"]
        assert self.vectors["distance"] == "Dot"
        quantization = config["quantization_config"]["scalar"]
        assert quantization["type"] == "int8"
        self.folder = tempfile.mkdtemp()
        self.shard = edge.EdgeShard.create(self.folder, edge.EdgeConfig(
            vectors=edge.EdgeVectorParams(size=self.vectors["size"], distance=edge.Distance.Dot),
            quantization_config=edge.ScalarQuantizationConfig(
                edge.ScalarType.Int8, quantile=quantization["quantile"], always_ram=True),
            optimizers=edge.EdgeOptimizersConfig(indexing_threshold=INDEXED_KB)))
        self.is_changed = False

    def drop(self):
        self.shard.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def update(self, operation):
        self.shard.update(operation)
        self.is_changed = True

    def settled(self):
        """The shard after what a server does in the background."""
        if self.is_changed:
            self.shard.optimize()
            self.is_changed = False
        return self.shard


def condition(given):
    if "has_id" in given:
        return edge.HasIdCondition(set(given["has_id"]))
    if "range" in given:
        return edge.FieldCondition(given["key"], range=edge.RangeFloat(**given["range"]))
    if "match" in given:
        return edge.FieldCondition(given["key"], match=edge.MatchValue(given["match"]["value"]))
    return filter_of(given)


def filter_of(given):
    unknown = set(given) - {"must", "must_not"}
    assert not unknown, unknown
    parts = {name: [condition(one) for one in given.get(name, [])] for name in ("must", "must_not")}
    return edge.Filter(**{name: part for name, part in parts.items() if part})


def params(given):
    quantization = given["quantization"]
    return edge.SearchParams(hnsw_ef=given["hnsw_ef"], quantization=edge.QuantizationSearchParams(
        rescore=quantization["rescore"], oversampling=quantization["oversampling"]))


def query(given):
    return edge.QueryRequest(
        limit=given["limit"],
        query=edge.Query.Nearest(given["query"]) if "query" in given else None,
        filter=filter_of(given["filter"]),
        with_payload=given["with_payload"],
        params=params(given["params"]) if "params" in given else None)


def point(found):
    shown = {"id": str(found.id), "payload": found.payload or {}}
    if hasattr(found, "score"):
        shown["score"] = found.score
    return shown


class Engine:
    def __init__(self):
        self.collections, self.aliases, self.lock = {}, {}, threading.Lock()

    def answer(self, method, path, body):
        parts = path.strip("/").split("/")
        match (method, *parts):
            case ("GET", ""):
                return {"title": "qdrant-edge", "version": "edge"}
            case ("GET", "collections"):
                return {"collections": [{"name": name} for name in self.collections]}
            case ("GET", "aliases"):
                return {"aliases": [{"alias_name": alias, "collection_name": name}
                                    for alias, name in self.aliases.items()]}
            case ("POST", "collections", "aliases"):
                for action in body["actions"]:
                    for kind, fields in action.items():
                        self.alias(kind, fields)
                return True
            case ("PUT", "collections", name):
                if name in self.collections:
                    raise Refused(409, f"Collection `{name}` already exists!")
                self.collections[name] = Collection(body)
                return True
            case ("DELETE", "collections", name):
                self.aliases = {alias: to for alias, to in self.aliases.items() if to != name}
                self.found(name).drop()
                del self.collections[name]
                return True
            case (_, "collections", name, *rest):
                return self.inside(method, self.found(name), rest, body)
        raise Refused(404, "Not found")

    def found(self, name):
        if name not in self.collections:
            raise Refused(404, f"Not found: Collection `{name}` doesn't exist!")
        return self.collections[name]

    def alias(self, kind, fields):
        match kind:
            case "create_alias":
                self.found(fields["collection_name"])
                self.aliases[fields["alias_name"]] = fields["collection_name"]
            case "delete_alias":
                del self.aliases[fields["alias_name"]]

    def inside(self, method, collection, rest, body):
        update = edge.UpdateOperation
        match (method, *rest):
            case ("GET",):
                return {"status": "green", "config": {"params": {"vectors": collection.vectors}}}
            case ("PUT", "index"):
                kind = {"integer": "Integer", "keyword": "Keyword"}[body["field_schema"]]
                return collection.update(
                    update.create_field_index(body["field_name"], getattr(edge.PayloadSchemaType, kind)))
            case ("PUT", "points"):
                return collection.update(update.upsert_points(
                    [edge.Point(p["id"], p["vector"], p["payload"]) for p in body["points"]]))
            case ("GET", "points", one):
                found = collection.shard.retrieve([one], with_payload=True, with_vector=False)
                if not found:
                    raise Refused(404, f"Not found: Point with id {one} does not exists!")
                return point(found[0])
            case ("POST", "points", "payload"):
                return collection.update(update.set_payload(body["points"], body["payload"]))
            case ("POST", "points", "payload", "delete"):
                return collection.update(update.delete_payload_by_filter(filter_of(body["filter"]), body["keys"]))
            case ("POST", "points", "delete"):
                if "points" in body:
                    return collection.update(update.delete_points(body["points"]))
                return collection.update(update.delete_points_by_filter(filter_of(body["filter"])))
            case ("POST", "points", "count"):
                count = edge.CountRequest(exact=body["exact"], filter=filter_of(body["filter"]))
                return {"count": collection.shard.count(count)}
            case ("POST", "points", "scroll"):
                found, after = collection.shard.scroll(edge.ScrollRequest(
                    offset=body.get("offset"), limit=body["limit"], filter=filter_of(body["filter"]),
                    with_payload=body["with_payload"]))
                return {"points": [point(one) for one in found],
                        "next_page_offset": None if after is None else str(after)}
            case ("POST", "points", "query", "batch"):
                shard = collection.settled()
                return [{"points": [point(one) for one in shard.query(query(search))]}
                        for search in body["searches"]]
        raise Refused(404, "Not found")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def serve(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        url = urlsplit(self.path)
        # As a server with a key.
        if KEY and self.headers.get("api-key") != KEY and url.path != "/":
            return self.reply(401, {"status": {"error": "Must provide an API key"}})
        if self.command in ("PUT", "DELETE") and "points" in url.path and "ordering=strong" not in url.query:
            return self.reply(400, {"status": {"error": "this test wants strong ordering"}})
        try:
            with ENGINE.lock:
                result = ENGINE.answer(self.command, url.path, json.loads(body) if body else None)
            if url.path == "/":
                return self.reply(200, result)
            return self.reply(200, {"result": result, "status": "ok"})
        except Refused as refused:
            return self.reply(refused.status, {"status": {"error": str(refused)}})
        except Exception as fault:
            return self.reply(500, {"status": {"error": repr(fault)}})

    do_GET = do_POST = do_PUT = do_DELETE = serve

    def reply(self, status, body):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


ENGINE = Engine()
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], flush=True)
sys.stdin.read()
