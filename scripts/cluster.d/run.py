"""Breaks the parts of a small cluster, and measures; scripts/cluster describes the sections."""

import argparse
import concurrent.futures
import contextlib
import os
import shutil
import signal
import statistics
import sys
import threading
import time
import urllib.request

import outage
from engines import Cluster, free_ports, request, until

QUESTION = "How do I empty the cache?"
IDLE_S = 20
COPIES = 4
TABLE = []


def row(what, seconds, note=""):
    TABLE.append((what, seconds, note))
    shown = f"{seconds:8.2f} s" if isinstance(seconds, float) else f"{seconds:>10}"
    print(f"{what:<58} {shown}  {note}", flush=True)


def job(port, job_id):
    return request(port, "GET", f"/ingest/status/{job_id}")[1]


def is_done(port, job_id):
    found = job(port, job_id)
    if found.get("state") in ("failed", "cancelled"):
        raise SystemExit(f"cluster: error: {found}")
    return found.get("state") == "succeeded"


def upload(port, path, text):
    status, reply = request(port, "POST", "/documents", {"path": path, "text": text})
    if status != 202:
        raise SystemExit(f"cluster: error: an upload has status {status}")
    until("an upload is ingested", lambda: is_done(port, reply["job_id"]))
    return reply["root"]


def finds(port, text, path, index=None):
    body = {"query": text, "mode": "lexical"}
    if index:
        body["index"] = index
    status, reply = request(port, "POST", "/search", body)
    return status == 200 and any(hit["path"].endswith(path) for hit in reply["hits"])


class Prober(threading.Thread):
    """Asks all the time; remembers the longest time without a success, and the failures."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.is_over = port, False
        self.n = self.failures = 0
        self.longest, self.wrong = 0.0, 0
        self.start()

    def run(self):
        good = time.monotonic()
        while not self.is_over:
            status, reply = request(self.port, "POST", "/search", {"query": QUESTION, "k": 3}, timeout=10)
            self.n += 1
            if status == 200:
                now = time.monotonic()
                self.longest = max(self.longest, now - good)
                good = now
                self.wrong += not any("cache" in hit["path"] for hit in reply["hits"])
            else:
                self.failures += 1
            time.sleep(0.02)

    def end(self):
        self.is_over = True
        self.join()
        return f"{self.n} requests meanwhile, {self.failures} failed, {self.wrong} wrong"


def begin(cluster, names=None):
    """The schema, and a folder with these pages of the corpus, or all."""
    cluster.rag("one", "migrate")
    docs = cluster.folder("docs")
    for name in names or os.listdir(cluster.args.corpus):
        shutil.copy(os.path.join(cluster.args.corpus, name), docs)
    return docs


def submit(cluster, machine, folder, index, **more):
    return cluster.rag(machine, "ingest", "--dir", folder, "--index", index, "--detach", "--json", **more)["job_id"]


def failover(cluster):
    # Few: what is measured is what else happens.
    docs = begin(cluster, ["caches.txt", "agents.md", "monitoring.md"])
    servers = [cluster.serve("one"), cluster.serve("two")]
    workers = [cluster.worker("three"), cluster.worker("four")]
    front = cluster.balance("http", [server.port for server in servers], "httpchk GET /health/ready", "200")
    until("HAProxy passes requests on", lambda: request(front, "GET", "/health/live")[0] == 200)
    start = time.monotonic()
    first = submit(cluster, "one", docs, "default")
    until("the ingest is done", lambda: is_done(front, first))
    row("ingest by a worker, from submission", time.monotonic() - start)
    before = request(front, "POST", "/ask", {"query": QUESTION})[1]["answer"]
    row("an answer through HAProxy, first time", until("an answer", lambda: request(front, "POST", "/ask", {"query": QUESTION})[0] == 200))

    # Conversations and jobs that are acknowledged: none may be missing at the end.
    sessions, jobs = [], [first]

    def work(n):
        status, reply = request(front, "POST", "/sessions")
        if status == 201:
            sessions.append(reply["id"])
            request(front, "POST", "/ask", {"query": QUESTION, "session": reply["id"]})
        jobs.append(submit(cluster, "one", docs, f"i{n}"))

    work(0)
    prober = Prober(front)
    servers[0].kill_alone()
    time.sleep(3)
    note = prober.end()
    row("a server killed: longest time without a reply", prober.longest, note)
    servers[0].start()
    until("it is back", lambda: request(servers[0].port, "GET", "/health/ready")[0] == 200)

    work(1)
    until("a worker runs it", lambda: job(front, jobs[-1]).get("state") in ("running", "succeeded"))
    start = time.monotonic()
    workers[0].kill()
    until("another worker ends it", lambda: is_done(front, jobs[-1]))
    row("a worker killed: until its job is done", time.monotonic() - start)
    workers[0].start()

    prober = Prober(front)
    start = time.monotonic()
    cluster.gateways[0].kill()
    work(2)
    until("an ingest through the other gateway", lambda: is_done(front, jobs[-1]))
    note = prober.end()
    row("a gateway killed: until an ingest is done", time.monotonic() - start, note)
    cluster.gateways[0].start()

    prober = Prober(front)
    cluster.postgres[0].kill()
    start = time.monotonic()
    cluster.promote()
    until("sessions again", lambda: request(front, "POST", "/sessions")[0] == 201)
    row("primary killed, standby promoted: until a session begins", time.monotonic() - start, prober.end())
    work(3)
    until("a job on the new primary", lambda: is_done(front, jobs[-1]))

    prober = Prober(front)
    start = time.monotonic()
    cluster.redis[0].kill()
    sentinel = cluster.sentinels[0]
    names = "sentinel get-master-addr-by-name mymaster"
    until("Sentinel names the replica", lambda: str(cluster.redis_ports[1]) in cluster.redis_says(sentinel, names))
    row("Redis master killed: until Sentinel names the replica", time.monotonic() - start)
    is_well = lambda: request(servers[0].port, "GET", "/health")[1]["parts"]["shared"]["status"] == "ok"
    until("the server uses it", lambda: request(front, "POST", "/search", {"query": f"{time.monotonic()}"})[0] == 200 and is_well())
    row("  and until a server uses it", time.monotonic() - start, prober.end())

    after = request(front, "POST", "/ask", {"query": QUESTION})[1]["answer"]
    missing = [s for s in sessions if len(request(front, "GET", f"/sessions/{s}")[1].get("turns", [])) != 1]
    until("all jobs end", lambda: all(is_done(front, j) for j in jobs))
    row("the same answer at the end", "yes" if after == before else "NO")
    row("acknowledged work that is missing", len(missing), f"of {len(sessions)} sessions and {len(jobs)} jobs")
    for process in servers + workers:
        process.kill(signal.SIGTERM)


def store(cluster):
    docs = begin(cluster, ["caches.txt", "agents.md", "monitoring.md"])
    servers = [cluster.serve(name, **outage.WORKERS) for name in ("one", "two")]
    workers = [cluster.worker(name, **outage.WORKERS) for name in ("three", "four")]
    front = cluster.balance("http", [server.port for server in servers], "httpchk GET /health/ready", "200")
    cluster.rag("one", "ingest", "--dir", docs, "--json")
    for server in servers:
        until("a server has a copy", lambda: request(server.port, "POST", "/search", {"query": QUESTION})[0] == 200)
    until("HAProxy passes requests on", lambda: request(front, "GET", "/health/live")[0] == 200)
    outage.kill_store(cluster, servers, front, row, lambda: Prober(front))
    for process in servers + workers:
        process.kill(signal.SIGTERM)


def follow(cluster):
    cluster.rag("one", "migrate")
    for name, more in [
        ("hints alone", {"RAG_DEPOT_POLL_S": "86400"}),
        ("both", {}),
        ("every hint lost", {"RAG_SHARED_URL": "", "RAG_SHARED_SENTINELS": ""}),
    ]:
        url = f"s3://rag/follow-{name.replace(' ', '-')}"
        servers = [cluster.serve(f"{name}-{n}".replace(" ", "-"), RAG_DEPOT_URL=url, **more) for n in range(2)]
        one, two = [server.port for server in servers]
        upload(one, "start.md", "# Start\n\nThe first page.\n")
        until("the index is there", lambda: finds(two, "first page", "start.md"))
        found, gone = [], []
        for n in range(10):
            root = upload(one, f"{n}.md", f"# Page {n}\n\nA word{n} about bees.\n")
            found.append(until("found", lambda: finds(two, f"word{n}", f"{n}.md")))
            status, _ = request(one, "DELETE", f"/documents?root={root}&path={n}.md")
            if status != 200:
                raise SystemExit(f"cluster: error: a removal has status {status}")
            gone.append(until("gone", lambda: not finds(two, f"word{n}", f"{n}.md")))
        for what, times in [("found", found), ("gone", gone)]:
            row(f"{name}: a document is {what} on the other server", max(times), f"median {statistics.median(times):.3f} s of {len(times)}")
        for server in servers:
            server.kill(signal.SIGTERM)


def caches(cluster):
    """Two servers, and four clients that ask each question at the same moment, two of each server. Two servers without
    Redis answer the same questions in turn with them, so that whatever else this machine does falls on both."""
    n_questions, each = 40, 2
    home = cluster.folder("base")
    cluster.rag("base", "ingest", "--dir", begin_locally(cluster), "--json", RAG_SHARED_URL="", **LOCAL)
    questions = [f"How do I change setting {i} of the cache, or how large is table {i}?" for i in range(n_questions)]
    port = cluster.redis_ports[0]
    is_over = threading.Event()

    def repeat(pause, work):
        def run():
            with contextlib.suppress(OSError):
                while not is_over.wait(pause):
                    work()

        return run

    spoil = (
        "for _, key in ipairs(redis.call('KEYS', 'rag:*')) do if redis.call('TYPE', key).ok == 'string' then "
        "redis.call('DEL', key) redis.call('LPUSH', key, 'x') end end return 1"
    )

    say = lambda *command: (lambda: cluster.redis_says_all(port, *command))
    slow = {delay: cluster.delayed(port, delay) for delay in (0.001, 0.005, 0.02, 0.08)}
    phases = [
        # Name, port of Redis, what is done before, all the time, and after.
        ("Redis", port, None, None, None),
        ("Redis, each reply 1 ms late", slow[0.001], None, None, None),
        ("Redis, each reply 5 ms late", slow[0.005], None, None, None),
        ("Redis, each reply 20 ms late", slow[0.02], None, None, None),
        ("Redis, each reply 80 ms late", slow[0.08], None, None, None),
        ("Redis emptied 20 times a second", port, None, repeat(0.05, say("FLUSHALL")), None),
        ("Redis full", port, say("CONFIG", "SET", "maxmemory", "1"), None, say("CONFIG", "SET", "maxmemory", "0")),
        ("Redis with values of a wrong type", port, None, repeat(0.02, say("EVAL", spoil, "0")), None),
        ("Redis that hangs", port, lambda: cluster.redis[0].child.send_signal(signal.SIGSTOP), None,
         lambda: cluster.redis[0].child.send_signal(signal.SIGCONT)),
        ("Redis lost", free_ports(1)[0], None, None, None),
    ]
    for n, (name, redis, before, meanwhile, after) in enumerate(phases):
        cluster.redis_says_all(port, "FLUSHALL")
        servers = []
        # As installed: a reply within 100 ms.
        for more in ({"RAG_SHARED_URL": ""}, {"RAG_SHARED_URL": f"redis://127.0.0.1:{redis}", "RAG_SHARED_TIMEOUT_MS": "100"}):
            for _ in range(2):
                machine = f"caches-{n}-{len(servers)}"
                shutil.copytree(os.path.join(home, "indexes"), os.path.join(cluster.folder(machine), "indexes"))
                servers.append(cluster.serve(machine, **LOCAL, **more))
        alone, sharing = servers[:2], servers[2:]
        for server in servers:
            until("it is warm", lambda: request(server.port, "POST", "/ask", {"query": QUESTION})[0] == 200)
        is_over.clear()
        if before:
            before()
        thread = threading.Thread(target=meanwhile, daemon=True) if meanwhile else None
        if thread:
            thread.start()
        runs = sum(texts_embedded(server.port) for server in sharing)
        search = ask_together((alone, sharing), each, "/search", questions)
        runs = sum(texts_embedded(server.port) for server in sharing) - runs
        ask = ask_together((alone, sharing), 1, "/ask", questions)
        is_over.set()
        if thread:
            thread.join()
        if after:
            after()
        for server in servers:
            server.kill(signal.SIGTERM)
        wrong = sum(a != b for kind in (search, ask) for a, b in zip(kind[0].results, kind[1].results))
        for what, (base, own) in (("search", search), ("answer", ask)):
            times = f"{1000 * base.p95:.1f} ms with local caches alone"
            if what == "search":
                times += f"; {runs} runs of the model for {n_questions} texts on two servers; {wrong} wrong"
            row(f"{name}: P95 of {'a search' if what == 'search' else 'an answer'}, times", f"{own.p95 / base.p95:.2f}",
                f"{1000 * own.p95:.1f} ms, {times}")


LOCAL = {name: "" for name in ("RAG_DEPOT_URL", "RAG_LEDGER_URL", "RAG_SHARED_SENTINELS")}


def begin_locally(cluster):
    docs = cluster.folder("docs")
    for name in os.listdir(cluster.args.corpus):
        shutil.copy(os.path.join(cluster.args.corpus, name), docs)
    return docs


def texts_embedded(port):
    """Runs of the model by a server so far."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as reply:
        lines = reply.read().decode().splitlines()
    return sum(int(float(line.rsplit(" ", 1)[1])) for line in lines if line.startswith("rag_model_texts_total"))


class Asked:
    """The replies to several clients: how long 95 of 100 of them took at most, and what they were."""

    def __init__(self):
        self.times, self.results = [], []

    @property
    def p95(self):
        return sorted(self.times)[int(0.95 * len(self.times))]


def ask_together(groups, each, path, questions):
    """Asks each group of servers in turn each question, by `each` clients of each server at the same moment; then once
    more, when the result is cached. Returns what each group did."""
    asked = [Asked() for _ in groups]

    def one(server, question, own):
        start = time.monotonic()
        status, reply = request(server.port, "POST", path, {"query": question})
        own.times.append(time.monotonic() - start)
        if status != 200:
            return status
        return [hit["path"] for hit in reply["hits"]] if path == "/search" else reply["answer"]

    with concurrent.futures.ThreadPoolExecutor(each * max(map(len, groups))) as pool:
        for question in questions:
            for _ in range(2):
                for servers, own in zip(groups, asked):
                    clients = [server for server in servers for _ in range(each)]
                    own.results += pool.map(one, clients, [question] * len(clients), [own] * len(clients))
    bad = [result for own in asked for result in own.results if isinstance(result, int)]
    if bad:
        raise SystemExit(f"cluster: error: {len(bad)} requests of {path} have the status {bad[0]}")
    return asked


def cost(cluster):
    docs = begin(cluster)
    n = cluster.args.requests
    engines = [p for p in cluster.all if not p.name.startswith("haproxy-http")]
    questions = [f"How do I change setting number {i} of the cache or the index?" for i in range(2 * n)]

    def measured(processes, work):
        """CPU seconds of processes, of the engines, and what the engines take in the same time without the work."""

        def spent(work):
            before = [sum(p.cpu() for p in group) for group in (processes, engines)]
            start = time.monotonic()
            work()
            after = [sum(p.cpu() for p in group) for group in (processes, engines)]
            return [b - a for a, b in zip(before, after)], time.monotonic() - start

        idle, seconds = spent(lambda: time.sleep(IDLE_S))
        (own, shared), busy = spent(work)
        for process in processes:
            process.kill(signal.SIGTERM)
        rest = [cpu / seconds * busy for cpu in idle]
        return max(own - rest[0], 0), shared, min(rest[1], shared)

    def report(name, unit, factor, result):
        own, shared, rest = (factor * cpu for cpu in result)
        row(f"{name}: CPU {unit}", f"{own:.2f}", f"engines {shared:.2f}, {rest:.2f} of it without work too; "
            f"{100 * (shared - rest) / (own + shared - rest):.0f} % of what the work costs")

    def ask(count, first):
        servers = [cluster.serve(f"cost-{count}-{i}") for i in range(count)]
        for server in servers:
            until("it is warm", lambda: request(server.port, "POST", "/ask", {"query": QUESTION})[0] == 200)

        def work():
            for i, question in enumerate(questions[first : first + n]):
                status, _ = request(servers[i % count].port, "POST", "/ask", {"query": question})
                if status != 200:
                    raise SystemExit(f"cluster: error: a question has status {status}")

        return measured(servers, work)

    def embed(count):
        """Two jobs with half of the pages each, in words that no run had before: nothing is cached."""
        folders = []
        for half in range(2):
            folder = cluster.folder(f"text-{count}-{half}")
            for name in sorted(os.listdir(docs))[half::2]:
                with open(os.path.join(docs, name)) as file:
                    text = file.read()
                # Several times: the start of a worker, and of its model, counts once.
                for copy in range(COPIES):
                    with open(os.path.join(folder, f"{copy}-{name}"), "w") as out:
                        out.write(text.replace(" the ", f" the{'abcdefgh'[2 * count + half]}{copy} "))
            folders.append(folder)
        workers = [cluster.worker(f"embed-{count}-{i}", RAG_THREADS="1", RAG_MAX_WORKERS="2") for i in range(count)]

        def work():
            # With one slot, which the worker of that machine has, the command starts no other.
            names = [f"e{count}{half}" for half in range(2)]
            jobs = [
                submit(cluster, f"embed-{count}-0", folder, name, RAG_MAX_WORKERS="1")
                for folder, name in zip(folders, names)
            ]
            states = "SELECT DISTINCT state FROM rag_jobs WHERE id IN ('" + "','".join(jobs) + "')"
            until("both are ingested", lambda: cluster.sql(0, states) == "succeeded", 1200)

        return measured(workers, work)

    cluster.rag("one", "ingest", "--dir", docs, "--json")
    one, two = ask(1, 0), ask(2, n)
    report("one server", "milliseconds of a question", 1000 / n, one)
    report("two servers", "milliseconds of a question", 1000 / n, two)
    row("two servers against one, CPU of a question", f"{two[0] / one[0]:.2f}")
    one, two = embed(1), embed(2)
    report("one worker", "seconds of two ingests", 1, one)
    report("two workers", "seconds of two ingests", 1, two)
    row("two workers against one, CPU of two ingests", f"{two[0] / one[0]:.2f}")


SECTIONS = {"failover": failover, "store": store, "follow": follow, "caches": caches, "cost": cost}


def main():
    parser = argparse.ArgumentParser()
    for flag in ("rag", "postgres", "weed", "data", "corpus"):
        parser.add_argument(f"--{flag}", required=True)
    parser.add_argument("--requests", type=int, required=True)
    parser.add_argument("sections", nargs="+")
    args = parser.parse_args()
    # So that nothing is left running.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    for section in args.sections:
        cluster = Cluster(args)
        try:
            start = time.monotonic()
            cluster.start_engines()
            row(f"[{section}] all engines start", time.monotonic() - start)
            SECTIONS[section](cluster)
        finally:
            cluster.close()


main()
