//! Two tokens with an index each: neither sees anything of the other, whatever it asks. Tokens are
//! revoked while connections are open, and an identity provider's are checked in every part.

use std::collections::BTreeMap;
use std::path::Path;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::QUESTION;
use crate::support::llm::{LlmServer, Step};
use crate::support::server::{Reply, Server};
use crate::support::socket::Socket;
use crate::support::{Sandbox, has_loopback};
use crate::tools::wait_for;

/// A tenant: its index, the document of that index, and what it has made.
struct Tenant {
    index: &'static str,
    /// In its document and in no other.
    word: &'static str,
    path: &'static str,
    /// The header of its requests.
    bearer: String,
    session: String,
    job: String,
    corpus_id: String,
}

impl Tenant {
    fn new(sandbox: &Sandbox, index: &'static str, word: &'static str, path: &'static str) -> Self {
        let text = format!("# The {word}\n\nThe {word} lives in the river and eats fish.\n");
        sandbox.write(&format!("{index}/gone-{path}"), &text);
        sandbox.write(&format!("{index}/{path}"), text);
        let ingested = sandbox.rag(["ingest", "--json", "--dir", index, "--index", index]).ok();
        let corpus_id = ingested.json()["corpus_id"].as_str().unwrap().to_owned();
        let added =
            sandbox.rag(["token", "add", index, "--scope", "admin", "--indexes", index]).ok();
        let bearer = format!("Bearer {}", added.stdout.trim());
        Self { index, word, path, bearer, session: String::new(), job: String::new(), corpus_id }
    }

    fn send(&self, server: &Server, method: &str, target: &str, body: &str) -> Reply {
        server.request(method, target, &[("authorization", &self.bearer)], body)
    }

    /// Asks in a session, uploads a document and removes one.
    fn settle(&mut self, server: &Server) {
        let begun = self.send(server, "POST", "/sessions", "{}").is(201).json();
        begun["id"].as_str().unwrap().clone_into(&mut self.session);
        let ask = json!({ "query": self.word, "session": self.session }).to_string();
        self.send(server, "POST", "/ask", &ask).ok();
        let text = format!("Also about the {}.", self.word);
        let upload = json!({ "path": format!("{}.txt", self.word), "text": text }).to_string();
        let begun = self.send(server, "POST", "/documents/text", &upload).is(202).json();
        begun["job_id"].as_str().unwrap().clone_into(&mut self.job);
        wait_for("the job", || {
            let target = format!("/ingest/status/{}", self.job);
            let job = self.send(server, "GET", &target, "").ok().json();
            (job["state"] == "succeeded").then_some(())
        });
        let target = format!("/documents?root={}&path=gone-{}", self.index, self.path);
        self.send(server, "DELETE", &target, "").ok();
    }

    /// What shows that something of this tenant was seen.
    fn secrets(&self) -> [&str; 4] {
        [self.word, self.path, &self.corpus_id, &self.job]
    }
}

/// Fields of a request that name something: of the own tenant or of another.
#[derive(Clone, Copy)]
struct Names<'a> {
    index: Option<&'a str>,
    of: &'a Tenant,
}

/// Target and body of requests for a route; `None` for a route that this test does not know.
fn requests(method: &str, path: &str, names: Names<'_>) -> Option<Vec<(String, Value)>> {
    let Names { index, of } = names;
    let (session, job) = (of.session.as_str(), of.job.as_str());
    let chat = |model: String| {
        json!({ "model": model, "messages": [
        { "role": "user", "content": "What eats fish?" },
    ], "stream": false })
    };
    let model = index.map_or("rag".to_owned(), |index| format!("rag:{index}"));
    let plain = |body: Value| Some(vec![(path.to_owned(), body)]);
    let with_index = |mut body: Value| {
        if let Some(index) = index {
            body["index"] = index.into();
        }
        Some(vec![(path.to_owned(), body)])
    };
    let query = |rest: &str| {
        let index = index.map(|index| format!("index={index}&")).unwrap_or_default();
        Some(vec![(format!("{path}?{index}{rest}"), Value::Null)])
    };
    let filled = |name: &str| {
        let start = path.find('{').expect("a parameter");
        let end = path.find('}').expect("a parameter");
        format!("{}{name}{}", &path[..start], &path[end + 1..])
    };
    let get = |name: &str| Some(vec![(filled(name), Value::Null)]);
    match (method, path) {
        ("POST", "/ask") => Some(vec![
            (path.to_owned(), with_index(json!({ "query": "What eats fish?" }))?.remove(0).1),
            (path.to_owned(), json!({ "query": "Where?", "session": session })),
            (path.to_owned(), with_index(json!({ "query": "fish", "stream": true }))?.remove(0).1),
        ]),
        ("POST", "/ask/batch") => with_index(json!({ "questions": ["What eats fish?"] })),
        ("POST", "/search") => with_index(json!({ "query": "fish river", "use_cache": false })),
        ("POST", "/ingest/start") => with_index(json!({ "dir": of.index })),
        ("POST", "/documents/text") => with_index(json!({ "path": "x.txt", "text": "x" })),
        ("POST", "/documents") => query("path=y.txt"),
        ("GET", "/ingest/status/{id}" | "/ingest/events/{id}")
        | ("POST", "/ingest/cancel/{id}") => get(job),
        ("GET", "/documents") => query("limit=10"),
        ("GET", "/documents/removed") => query(""),
        ("POST", "/documents/restore") => {
            with_index(json!({ "root": of.index, "path": format!("gone-{}", of.path) }))
        }
        ("GET", "/documents/content" | "/documents/original") => {
            query(&format!("root={}&path={}", of.index, of.path))
        }
        ("DELETE", "/documents") => query("root=nobody&path=nothing.md"),
        ("GET" | "DELETE", "/sessions/{id}") | ("GET", "/sessions/{id}/export") => get(session),
        ("PUT", "/sessions/{id}") => Some(vec![(filled(session), json!({ "title": "Fish" }))]),
        ("GET", "/sessions") => Some(vec![(format!("{path}?words=river"), Value::Null)]),
        ("GET", "/indexes/{name}/suggestions")
        | ("POST", "/indexes/{name}/verify" | "/indexes/{name}/rollback") => get(of.index),
        ("DELETE", "/indexes/{name}/folders") => {
            Some(vec![(format!("{}?folder=nobody", filled(of.index)), Value::Null)])
        }
        ("POST", "/cache/purge") => plain(json!({ "tables": ["answers"] })),
        ("POST", "/v1/chat/completions" | "/api/chat") => Some(vec![
            (path.to_owned(), chat(model.clone())),
            (path.to_owned(), {
                let mut body = chat(model);
                body["session"] = session.into();
                body
            }),
        ]),
        ("POST", "/api/generate") => {
            plain(json!({ "model": model, "prompt": "What eats fish?", "stream": false }))
        }
        ("POST", "/v1/responses") => Some(vec![
            (path.to_owned(), json!({ "model": model, "input": "What eats fish?" })),
            (
                path.to_owned(),
                json!({ "model": "rag", "input": "Where?",
                    "previous_response_id": format!("resp_{session}_0") }),
            ),
        ]),
        ("GET", "/v1/models/{id}") => get(&model.replace(':', "%3A")),
        ("POST", "/api/show") => plain(json!({ "model": model })),
        ("POST", "/v1/embeddings" | "/api/embed") => {
            plain(json!({ "model": "all-MiniLM-L6-v2", "input": "fish" }))
        }
        ("POST", "/api/embeddings") => {
            plain(json!({ "model": "all-MiniLM-L6-v2", "prompt": "fish" }))
        }
        ("POST", "/v1/rerank") => {
            plain(json!({ "model": "all-MiniLM-L6-v2", "query": "fish", "documents": ["a", "b"] }))
        }
        ("POST", "/feedback") => with_index(json!({ "question": "q", "helpful": true })),
        ("GET", "/feedback/export") => query(""),
        ("POST", "/mcp") => Some(mcp(names)),
        ("GET", "/assets/{name}") => get("app.js"),
        (_, path) if path.contains('{') => None,
        ("POST", "/sessions") => plain(json!({})),
        ("GET", _) => plain(Value::Null),
        _ => None,
    }
}

/// Every tool and every method that reads, as bodies of `/mcp`.
fn mcp(names: Names<'_>) -> Vec<(String, Value)> {
    let call = |name: &str, mut arguments: Value| {
        if let Some(index) = names.index
            && name != "list_indexes"
        {
            arguments["index"] = index.into();
        }
        json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": { "name": name, "arguments": arguments } })
    };
    let method = |name: &str, params: Value| {
        let mut body = json!({ "jsonrpc": "2.0", "id": 1, "method": name });
        body["params"] = params;
        body
    };
    let index = names.index.unwrap_or(names.of.index);
    let path = format!("{}/{}", names.of.index, names.of.path);
    let bodies = [
        call("search", json!({ "query": "fish river" })),
        call("ask", json!({ "question": "What eats fish?" })),
        call("get_passage", json!({ "path": path })),
        call("list_documents", json!({})),
        call("list_indexes", json!({})),
        method("resources/list", json!({})),
        method("resources/read", json!({ "uri": format!("rag://{index}/0/{}", names.of.path) })),
        method("resources/templates/list", json!({})),
        method("tools/list", json!({})),
    ];
    bodies.map(|body| ("/mcp".to_owned(), body)).into()
}

/// Events of a WebSocket that follow each message: of both kinds, with every name.
fn socket_replies(server: &Server, tenant: &Tenant, names: Names<'_>) -> String {
    let mut socket = Socket::connect(server, &[("authorization", &tenant.bearer)]).expect("open");
    let mut all = String::new();
    let asks = [
        json!({ "type": "ask", "id": "1", "query": "What eats fish?", "index": names.index }),
        json!({ "type": "ask", "id": "1", "query": "Where?", "session": names.of.session }),
    ];
    for ask in asks {
        socket.send(&ask);
        loop {
            let message = socket.next().expect("a message");
            all += &message.to_string();
            if message["type"] == "done" || message["type"] == "error" {
                break;
            }
        }
    }
    socket.send(&json!({ "type": "cancel", "id": "1" }));
    all + &socket.next().expect("a message").to_string()
}

#[test]
fn two_tokens_with_an_index_each_see_nothing_of_each_other() {
    if !has_loopback() {
        return;
    }
    let sandbox = Sandbox::new();
    let mut tenants = [
        Tenant::new(&sandbox, "quokka", "kingfisher", "birds.md"),
        Tenant::new(&sandbox, "numbat", "cormorant", "divers.md"),
    ];
    let server = Server::start(&sandbox, &[("RAG_SERVE_ROOTS", "quokka:numbat")]);
    tenants.iter_mut().for_each(|tenant| tenant.settle(&server));
    let (n, own) = check_matrix(&server, &tenants);
    assert!(n > 300, "{n} replies");
    // The check would notice: what the other may not see, a tenant sees in these replies.
    for route in [
        "/ask",
        "/search",
        "/documents",
        "/documents/original",
        "/documents/removed",
        "/indexes/{name}/suggestions",
        "/sessions/{id}/export",
        "/v1/models",
        "/api/tags",
        "/indexes",
        "/mcp",
        "/config",
        "/health",
        "/stats",
        "/ingest/list",
        "/v1/chat/completions",
        "/ws",
    ] {
        assert!(own.get(route).is_some_and(|n| *n > 0), "{route}: {own:?}");
    }
    server.stop();
}

/// Sends every request of both tenants. Returns the number of replies, and how many showed a tenant
/// its own things, by route.
fn check_matrix(server: &Server, tenants: &[Tenant; 2]) -> (usize, BTreeMap<String, usize>) {
    let document = tenants[0].send(server, "GET", "/openapi.json", "").ok().json();
    let (mut n, mut own) = (0, BTreeMap::new());
    for (tenant, other) in [(&tenants[0], &tenants[1]), (&tenants[1], &tenants[0])] {
        let all_names = [
            Names { index: None, of: tenant },
            Names { index: Some(tenant.index), of: tenant },
            Names { index: None, of: other },
            Names { index: Some(other.index), of: other },
        ];
        let mut check = |what: &str, route: &str, shown: &str| {
            let sent = |secret: &&str| !secret.is_empty() && !what.contains(*secret);
            for secret in other.secrets().iter().filter(|secret| sent(secret)) {
                assert!(
                    !shown.contains(*secret),
                    "{}: {what} shows {secret}\n{shown}",
                    tenant.index
                );
            }
            if !what.contains(other.index) {
                assert!(!shown.contains(other.index), "{}: {what}\n{shown}", tenant.index);
            }
            let is_own = [tenant.word, tenant.index].iter().any(|word| shown.contains(word));
            *own.entry(route.to_owned()).or_insert(0) += usize::from(is_own);
            n += 1;
        };
        for names in all_names {
            for (path, item) in document["paths"].as_object().unwrap() {
                for method in item.as_object().unwrap().keys().map(|name| name.to_uppercase()) {
                    // Removing and rolling back is for the last round, after what they would hide.
                    if method == "DELETE" || path.ends_with("/rollback") || path == "/ws" {
                        continue;
                    }
                    let found = requests(&method, path, names);
                    let found = found.unwrap_or_else(|| panic!("no requests for {method} {path}"));
                    for (target, body) in found {
                        let text = if body.is_null() { String::new() } else { body.to_string() };
                        let reply = tenant.send(server, &method, &target, &text);
                        let shown = format!("{:?}{}", reply.headers, reply.body);
                        check(&format!("{method} {target} {text}"), path, &shown);
                    }
                }
            }
            let shown = socket_replies(server, tenant, names);
            let what = format!("/ws {:?} {}", names.index, names.of.session);
            check(&what, "/ws", &shown);
        }
    }
    for (tenant, other) in [(&tenants[0], &tenants[1]), (&tenants[1], &tenants[0])] {
        let (session, index) = (&other.session, other.index);
        let title = json!({ "title": "Taken" }).to_string();
        let path = other.path;
        let gone = json!({ "index": index, "root": index, "path": format!("gone-{path}") });
        let document = format!("index={index}&root={index}&path={path}");
        for (method, target, body) in [
            ("DELETE", format!("/sessions/{session}"), ""),
            ("DELETE", format!("/sessions/{session}/turns/1"), ""),
            ("PUT", format!("/sessions/{session}"), &title),
            ("GET", format!("/sessions/{session}/export?format=markdown"), ""),
            ("DELETE", format!("/documents?{document}"), ""),
            ("GET", format!("/documents/original?{document}"), ""),
            ("GET", format!("/documents/removed?index={index}"), ""),
            ("POST", "/documents/restore".to_owned(), &gone.to_string()),
            ("GET", format!("/indexes/{index}/suggestions"), ""),
            ("DELETE", format!("/indexes/{index}/folders?folder={index}"), ""),
            ("POST", format!("/indexes/{index}/rollback"), ""),
        ] {
            tenant.send(server, method, &target, body).is(404);
            n += 1;
        }
        // The list has the sessions of everybody.
        tenant.send(server, "GET", "/sessions?words=fish", "").is(403);
        let kept = other.send(server, "GET", &format!("/sessions/{session}"), "").ok();
        assert!(!kept.json()["turns"].as_array().unwrap().is_empty(), "nothing was removed");
        let found = other.send(server, "POST", "/search", &json!({ "query": "fish" }).to_string());
        assert!(found.ok().body.contains(other.path), "nothing was removed");
    }
    (n, own)
}

#[test]
fn a_revoked_token_ends_requests_sockets_and_streams() {
    if !has_loopback() {
        return;
    }
    let sandbox = crate::fixtures::indexed();
    let server = Server::start(&sandbox, &[]);
    // Without a token, everybody may ask.
    let ask = json!({ "query": QUESTION }).to_string();
    server.request("POST", "/ask", &[], &ask).ok();
    let mut stranger = Socket::connect(&server, &[]).expect("open");
    let add = |name: &str| sandbox.rag(["token", "add", name]).ok().stdout.trim().to_owned();
    let (ada, eve) = (add("ada"), add("eve"));
    let with = |token: &str| {
        let bearer = format!("Bearer {token}");
        server.request("POST", "/ask", &[("authorization", &bearer)], &ask).status
    };
    wait_for("the first token", || {
        (server.request("POST", "/ask", &[], &ask).status == 401).then_some(())
    });
    assert_eq!(stranger.next(), Err(1008));
    wait_for("both tokens", || ((with(&ada), with(&eve)) == (200, 200)).then_some(()));
    let bearer = format!("Bearer {eve}");
    let mut socket = Socket::connect(&server, &[("authorization", &bearer)]).expect("open");
    socket.send(&json!({ "type": "ask", "id": "1", "query": QUESTION }));
    socket.until("done", "1");
    sandbox.rag(["token", "revoke", "eve"]).ok();
    wait_for("the revocation", || (with(&eve) == 401).then_some(()));
    assert_eq!((socket.next(), with(&ada)), (Err(1008), 200));
    // A read token may not upload, and the last revocation opens the server to nobody.
    sandbox.rag(["token", "revoke", "ada"]).ok();
    wait_for("the last revocation", || (with(&ada) == 401).then_some(()));
    server.request("POST", "/ask", &[], &ask).is(401);
    sandbox.rag(["token", "list"]).ok().prints("ada").prints("revoked");
    sandbox.rag(["token", "revoke", "ada"]).exits(2).says("rag token list");
    sandbox.rag(["token", "add", "../x"]).exits(2).says("invalid token name");
    sandbox.rag(["token", "add", "x", "--indexes", "../y"]).exits(2).says("invalid index name");
    server.stop();
}

const ISSUER: &str = "https://login.example";
const AUDIENCE: &str = "rag";

/// Public keys of the certificates in `tls/`.
const KEYS: [(&str, &str, &str); 2] = [
    (
        "one",
        "BnW34qpcJFvhuOBdnD6PVGu5UVFy84Y5s9tAw-OFNrM",
        "5i79gAfaipNgH1Z6BehLJIjxh1V26RiOAoabZgSIm9M",
    ),
    (
        "two",
        "JL7xXkwL942fBoZanW0NG89EuNv01UJAEIsXY4Azecc",
        "GwimMCmE5acs_k7PdWbK9kadD4AtxJtuqGO4F6e0pPA",
    ),
];

fn key_set(names: &[&str]) -> String {
    let key = |(name, x, y): &(&str, &str, &str)| {
        json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": name,
            "x": x, "y": y })
    };
    let keys = KEYS.iter().filter(|(name, ..)| names.contains(name)).map(key);
    json!({ "keys": keys.collect::<Vec<_>>() }).to_string()
}

fn claims() -> Value {
    json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "exp": 4_000_000_000_u64,
        "scope": "openid rag:read", "rag_indexes": ["default"] })
}

/// A token that is signed with the key of this name.
fn signed(key: &str, more: &Value) -> String {
    let mut claims = claims();
    claims.as_object_mut().unwrap().append(&mut more.as_object().unwrap().clone());
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/serve/tls/{key}.key"));
    let private = EncodingKey::from_ec_pem(&std::fs::read(file).unwrap()).unwrap();
    let header = Header { kid: Some(key.to_owned()), ..Header::new(Algorithm::ES256) };
    jsonwebtoken::encode(&header, &claims, &private).unwrap()
}

#[test]
fn tokens_of_an_identity_provider_are_checked_in_every_part() {
    if !has_loopback() {
        return;
    }
    let sandbox = crate::fixtures::indexed();
    sandbox.write("keys.json", key_set(&["one"]));
    let settings = [
        ("RAG_SERVE_JWT_ISSUER", ISSUER),
        ("RAG_SERVE_JWT_AUDIENCE", AUDIENCE),
        ("RAG_SERVE_JWT_KEYS", "keys.json"),
    ];
    let server = Server::start(&sandbox, &settings);
    let ask = json!({ "query": QUESTION }).to_string();
    let with = |token: &str| {
        let bearer = format!("Bearer {token}");
        server.request("POST", "/ask", &[("authorization", &bearer)], &ask).status
    };
    let one = |more: Value| with(&signed("one", &more));
    assert_eq!(one(json!({})), 200);
    assert_eq!(one(json!({ "aud": ["other", AUDIENCE], "scope": ["admin"] })), 200);
    for (wrong, status) in [
        (json!({ "iss": "https://evil.example" }), 401),
        (json!({ "iss": null }), 401),
        (json!({ "aud": "other" }), 401),
        (json!({ "aud": null }), 401),
        (json!({ "exp": 1_000_000_000 }), 401),
        (json!({ "exp": null }), 401),
        (json!({ "nbf": 4_000_000_000_u64 }), 401),
        (json!({ "sub": null }), 401),
        (json!({ "scope": "openid" }), 401),
        (json!({ "scope": null }), 401),
        (json!({ "rag_indexes": null }), 401),
        (json!({ "rag_indexes": [] }), 401),
        (json!({ "rag_indexes": "../default" }), 401),
        (json!({ "rag_indexes": "other" }), 404),
        (json!({ "rag_indexes": "*" }), 200),
    ] {
        assert_eq!(one(wrong.clone()), status, "{wrong}");
    }
    // A read token may not change the index.
    let bearer = format!("Bearer {}", signed("one", &json!({})));
    let upload = json!({ "path": "x.txt", "text": "x" }).to_string();
    server.request("POST", "/documents/text", &[("authorization", &bearer)], &upload).is(403);

    // Another algorithm, none at all, another key under the same name, a changed claim.
    let public = key_set(&["one"]);
    let header = Header { kid: Some("one".to_owned()), ..Header::new(Algorithm::HS256) };
    for secret in [public.as_bytes(), KEYS[0].1.as_bytes(), b""] {
        let key = EncodingKey::from_secret(secret);
        assert_eq!(with(&jsonwebtoken::encode(&header, &claims(), &key).unwrap()), 401);
    }
    let good = signed("one", &json!({}));
    let parts: Vec<&str> = good.split('.').collect();
    // `{"alg":"none","kid":"one"}`.
    let none = "eyJhbGciOiJub25lIiwia2lkIjoib25lIn0";
    assert_eq!(with(&format!("{none}.{}.", parts[1])), 401);
    let two = signed("two", &json!({}));
    assert_eq!(with(&two), 401, "its key is not known");
    let foreign: Vec<&str> = two.split('.').collect();
    assert_eq!(with(&format!("{}.{}.{}", parts[0], parts[1], foreign[2])), 401);
    assert_eq!(with(&format!("{}.{}.{}", parts[0], foreign[1], parts[2])), 200, "the same claims");
    let changed = signed("one", &json!({ "scope": "admin" }));
    let changed: Vec<&str> = changed.split('.').collect();
    assert_eq!(with(&format!("{}.{}.{}", parts[0], changed[1], parts[2])), 401);

    // The provider rotates its keys: the new one is used, and then the old one ends.
    sandbox.write("keys.json", key_set(&["one", "two"]));
    wait_for("the new key", || (with(&two) == 200).then_some(()));
    assert_eq!(with(&good), 200);
    sandbox.write("keys.json", key_set(&["two"]));
    wait_for("the end of the old key", || (with(&good) == 401).then_some(()));
    assert_eq!(with(&two), 200);
    // Keys that cannot be read leave the known ones.
    sandbox.write("keys.json", "no keys at all");
    assert_eq!(with(&two), 200);
    server.stop();
    let mut command = sandbox.command(["serve", "--port", "0"]);
    let run = crate::support::Run::of(command.envs(settings.iter().copied()));
    run.exits(2).says("serve.jwt_keys");
    let mut command = sandbox.command(["serve", "--port", "0"]);
    let run = crate::support::Run::of(command.envs(settings[..2].iter().copied()));
    run.exits(2).says("needs `serve.jwt_keys`");
}

#[test]
fn keys_of_an_identity_provider_come_from_its_address() {
    if !has_loopback() {
        return;
    }
    let sandbox = crate::fixtures::indexed();
    let keys = LlmServer::start([Step::typed("application/json", &key_set(&["one"]))]);
    let address = format!("{}/keys", keys.base_url());
    let server = Server::start(
        &sandbox,
        &[
            ("RAG_SERVE_JWT_ISSUER", ISSUER),
            ("RAG_SERVE_JWT_AUDIENCE", AUDIENCE),
            ("RAG_SERVE_JWT_KEYS", &address),
        ],
    );
    let bearer = format!("Bearer {}", signed("one", &json!({})));
    let ask = json!({ "query": QUESTION }).to_string();
    server.request("POST", "/ask", &[("authorization", &bearer)], &ask).ok();
    assert!(keys.requests().iter().all(|request| request.header("authorization").is_none()));
    let left = std::fs::read_dir(sandbox.data().join("access")).unwrap();
    assert_eq!(left.count(), 0, "no download is left");
    server.stop();
}
