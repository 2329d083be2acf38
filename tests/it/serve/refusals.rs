//! Refusals: invalid requests, requests of other sites, requests without permission; and the
//! contents of an error reply.

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use super::{QUESTION, indexed, query, with_llm};
use crate::support::llm::{LlmServer, Step};
use crate::support::server::{Reply, Server};
use crate::tools;

const READ: &str = "read-token-000000000";
const WRITE: &str = "write-token-00000000";
const ADMIN: &str = "admin-token-00000000";
const EXPIRED: &str = "old-token-0000000000";

/// Every route of `/openapi.json`: method, path with its parameters filled in, scope.
fn routes(document: &Value) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("methods") {
            let scope = operation["x-scope"].as_str().expect("every route has a scope").to_owned();
            let path: Vec<&str> = path
                .split('/')
                .map(|part| if part.starts_with('{') { "nobody" } else { part })
                .collect();
            found.push((method.to_uppercase(), path.join("/"), scope));
        }
    }
    assert!(found.len() >= 10, "{found:?}");
    found
}

#[test]
fn invalid_requests_are_refused_before_any_work() {
    let Some(sandbox) = indexed() else { return };
    let server = Server::start(&sandbox, &[]);
    check_malformed_http(&server);
    check_invalid_fields(&server);
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    server.request("POST", "/ask", &[], &nested).is(400);
    server.request("POST", "/ask", &[], "{\"query\": \"q\"} more").is(400);
    server.post("/search", &json!({ "query": "q", "mode": "fuzzy" })).is(400);
    server.post("/ask", &query(QUESTION)).ok();
    server.stop();
}

fn check_malformed_http(server: &Server) {
    let head = format!(
        "POST /ask HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n",
        server.address
    );
    let long = "x".repeat(64 << 10);
    let body = |query: &str| {
        let body = json!({ "query": query }).to_string();
        format!("{head}connection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    };
    let cases: [(&str, String, &[u16]); 20] = [
        (
            "a declared length that is too large",
            format!("{head}content-length: 99999999999\r\n\r\n"),
            &[413],
        ),
        (
            "a length larger than any number type",
            format!("{head}content-length: 99999999999999999999999\r\n\r\n"),
            &[400],
        ),
        ("an invalid chunk", format!("{head}transfer-encoding: chunked\r\n\r\nxyz\r\n"), &[400]),
        (
            "chunks of too large a total",
            format!(
                "{head}transfer-encoding: chunked\r\n\r\n{}",
                format!("10000\r\n{}\r\n", "x".repeat(1 << 16)).repeat(17)
            ),
            &[413],
        ),
        ("a head of 64 KiB", format!("{head}x-long: {long}\r\n\r\n"), &[431]),
        (
            "a path of 64 KiB",
            format!("GET /{long} HTTP/1.1\r\nhost: localhost\r\n\r\n"),
            &[414, 431],
        ),
        ("a thousand headers", format!("{head}{}\r\n", "x: y\r\n".repeat(1000)), &[431]),
        ("a question of 1 MB", body(&"why ".repeat(250_000)), &[400]),
        ("a blank question", body("  "), &[400]),
        (
            "a compressed body",
            format!("{head}content-encoding: gzip\r\ncontent-length: 10\r\n\r\n0123456789"),
            &[415],
        ),
        (
            "two lengths",
            format!("{head}content-length: 5\r\ncontent-length: 6\r\n\r\n{{}}"),
            &[400],
        ),
        (
            "a length and chunks",
            format!(
                "{head}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET / \
                 HTTP/1.1\r\n\r\n"
            ),
            &[400],
        ),
        (
            "chunks and a length",
            format!(
                "{head}transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\nGET / \
                 HTTP/1.1\r\n\r\n"
            ),
            &[400],
        ),
        (
            "an unknown transfer encoding",
            format!("{head}transfer-encoding: xchunked\r\ncontent-length: 3\r\n\r\nabc"),
            &[400],
        ),
        ("a folded header line", format!("{head}transfer-encoding:\r\n chunked\r\n\r\n"), &[400]),
        ("a space before the colon", format!("{head}content-length : 5\r\n\r\nabcde"), &[400]),
        ("two hosts", format!("{head}host: other\r\ncontent-length: 2\r\n\r\n{{}}"), &[400]),
        ("no host", "GET /health/live HTTP/1.1\r\n\r\n".to_owned(), &[400]),
        ("not HTTP", "\x16\x03\x01\x02\x00\x01\x00\x01\u{fc}\x03\x03\r\n\r\n".to_owned(), &[400]),
        (
            "an unsupported method",
            format!("PUT /ask HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", server.address),
            &[405],
        ),
    ];
    for (what, bytes, expected) in cases {
        let reply = server.raw(bytes.as_bytes());
        assert!(expected.contains(&reply.status), "{what}: {reply:?}");
        // Bytes after a body with an ambiguous end are not taken for a request.
        assert!(!reply.body.contains("HTTP/1.1 "), "{what}: {reply:?}");
    }
}

fn check_invalid_fields(server: &Server) {
    let deep = format!("{}path:a{}", "(".repeat(10_000), ")".repeat(10_000));
    for (what, body, part) in [
        (
            "an unknown field",
            json!({ "query": "q", "llm.base_url": "http://evil.example" }),
            "unknown field",
        ),
        ("a wrong type", json!({ "query": 7 }), "`query` must be a string, not 7"),
        (
            "k of a billion",
            json!({ "query": "q", "k": 1_000_000_000_u64 }),
            "k must be from 1 to 1000",
        ),
        ("k of zero", json!({ "query": "q", "k": 0 }), "k must be from 1 to 1000"),
        (
            "a negative k",
            json!({ "query": "q", "k": -1 }),
            "`k` must be a whole number, 0 or more, not -1",
        ),
        ("a filter 10,000 deep", json!({ "query": "q", "filter": deep }), ""),
        ("an invalid filter", json!({ "query": "q", "filter": "'; DROP TABLE x --" }), ""),
        ("an unknown intent", json!({ "query": "q", "intent": "poem" }), "intent"),
        ("an unknown generator", json!({ "query": "q", "generator": "oracle" }), "generator"),
        ("an unknown priority", json!({ "query": "q", "priority": "now" }), "priority"),
        ("not an object", json!([1, 2]), ""),
    ] {
        let reply = server.post("/ask", &body).is(400);
        assert_eq!(reply.code(), "usage", "{what}");
        assert!(reply.body.contains(part), "{what}: {reply:?}");
    }
}

#[test]
fn names_of_indexes_and_sessions_are_never_paths() {
    let Some(sandbox) = indexed() else { return };
    let server = Server::start(&sandbox, &[]);
    for name in [
        "..",
        "../../etc/passwd",
        "/etc/passwd",
        "%2e%2e",
        "%252e",
        "..\\x",
        "a\0b",
        "/proc/self/environ",
        ".",
        "",
    ] {
        for field in ["index", "session"] {
            let reply = server.post("/ask", &json!({ "query": QUESTION, field: name }));
            assert!(matches!(reply.status, 400 | 404), "{field} {name:?}: {reply:?}");
            assert!(
                !reply.body.contains("/etc/passwd") || !reply.body.contains("root:"),
                "{reply:?}"
            );
        }
    }
    // A well-formed session id that was never issued.
    server
        .post("/ask", &json!({ "query": QUESTION, "session": "0123456789abcdef0123456789abcdef" }))
        .is(404);
    let left = tools::files(&sandbox.data().join("sessions"));
    assert!(!left.iter().any(|path| path.extension().is_some_and(|e| e == "lock")), "{left:?}");
    server.stop();
}

#[test]
fn every_route_refuses_other_hosts_and_origins() {
    let Some(sandbox) = indexed() else { return };
    let server = Server::start(&sandbox, &[]);
    check_hosts_and_origins(&server);
    check_content_types(&server);
    server.stop();

    let server =
        Server::start(&sandbox, &[("RAG_SERVE_ALLOWED_HOSTS", "rag.example, other.example")]);
    for (host, status) in
        [("rag.example", 200), ("Other.Example:443", 200), ("example", 403), ("localhost", 200)]
    {
        server.request("GET", "/health/live", &[("host", host)], "").is(status);
    }
    server.stop();
}

fn check_hosts_and_origins(server: &Server) {
    let own = format!("http://{}", server.address);
    for (method, path, _) in routes(&server.get("/openapi.json").ok().json()) {
        let ask = |headers: &[(&str, &str)]| {
            server.request(&method, &path, headers, if method == "GET" { "" } else { "{}" })
        };
        for host in [
            "evil.example",
            "evil.example:8000",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "10.0.0.1",
        ] {
            let reply = ask(&[("host", host)]).is(403);
            assert!(!reply.headers.contains_key("access-control-allow-origin"), "{method} {path}");
        }
        for origin in
            ["http://evil.example", "null", "http://127.0.0.1:1", "https://localhost", "file://"]
        {
            ask(&[("origin", origin)]).is(403);
        }
        for fine in [("host", "localhost:1"), ("host", "[::1]:80"), ("origin", own.as_str())] {
            assert_ne!(ask(&[fine]).status, 403, "{method} {path} {fine:?}");
        }
        let preflight = server.request("OPTIONS", &path, &[("origin", "http://evil.example")], "");
        assert_eq!(preflight.status, 403, "{method} {path}");
    }
}

fn check_content_types(server: &Server) {
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/jsonp",
        "",
    ] {
        server
            .request("POST", "/ask", &[("content-type", kind)], &query(QUESTION).to_string())
            .is(415);
        server
            .request("POST", "/search", &[("content-type", kind)], &query(QUESTION).to_string())
            .is(415);
    }
    server
        .request(
            "POST",
            "/ask",
            &[("content-type", "Application/JSON; charset=utf-8")],
            &query(QUESTION).to_string(),
        )
        .ok();
}

fn tokens(sandbox: &crate::support::Sandbox) {
    let file = sandbox.write(
        "tokens",
        format!(
            "# ours\nread {READ}\nwrite {WRITE} rate 100000\nadmin {ADMIN} expires \
             2999-12-31\nadmin {EXPIRED} expires 2020-01-01\n"
        ),
    );
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn every_route_requires_a_token_of_its_scope() {
    let Some(sandbox) = indexed() else { return };
    tokens(&sandbox);
    let server = Server::start(&sandbox, &[("RAG_SERVE_TOKEN_FILE", "tokens")]);
    let bearer = |token: &str| format!("Bearer {token}");
    let with = |method: &str, path: &str, token: Option<&str>| {
        let header = token.map(bearer).unwrap_or_default();
        let headers: &[(&str, &str)] =
            if token.is_some() { &[("authorization", &header)] } else { &[] };
        server.request(method, path, headers, "")
    };
    let document = with("GET", "/openapi.json", Some(READ)).ok().json();
    let (mut n, ranks) = (0, ["open", "read", "write", "admin"]);
    let rank = |scope: &str| ranks.iter().position(|known| *known == scope).expect("a scope");
    for (method, path, scope) in routes(&document) {
        let what = format!("{method} {path}");
        for bad in [
            None,
            Some("wrong-token-00000000"),
            Some(EXPIRED),
            Some(""),
            Some(&READ[..READ.len() - 1]),
        ] {
            let reply = with(&method, &path, bad);
            assert_eq!(reply.status == 401, scope != "open", "{what} {bad:?}: {reply:?}");
            if reply.status == 401 {
                assert_eq!(reply.headers["www-authenticate"], "Bearer");
                assert_eq!(reply.code(), "unauthorized");
            }
            n += 1;
        }
        for (token, has) in [(READ, "read"), (WRITE, "write"), (ADMIN, "admin")] {
            let reply = with(&method, &path, Some(token));
            assert_eq!(
                reply.status == 403,
                rank(has) < rank(&scope),
                "{what} with {has}: {reply:?}"
            );
            assert_ne!(reply.status, 401, "{what} with {has}");
            n += 1;
        }
    }
    assert!(n >= 80, "{n}");
    for header in ["Basic abc", "Bearer", READ, "bearer  x y"] {
        server.request("GET", "/metrics", &[("authorization", header)], "").is(401);
    }
    server.request("GET", "/metrics", &[("authorization", &format!("bearer {READ}"))], "").ok();

    // The reply comes before the body, which would be 1 MB.
    let head = format!(
        "POST /ask HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n",
        server.address
    );
    let mut stream = server.connect();
    stream.write_all(format!("{head}content-length: 1000000\r\n\r\n").as_bytes()).unwrap();
    Reply::read(&mut stream).is(401);
    server.stop();
}

/// A valid body of a route, with this priority.
fn body_with_priority(path: &str, priority: &str) -> Value {
    match path {
        "/ask/batch" => json!({ "questions": [QUESTION], "priority": priority }),
        "/ingest/start" => json!({ "dir": "docs", "priority": priority }),
        _ => json!({ "query": QUESTION, "priority": priority }),
    }
}

#[test]
fn high_priorities_require_the_admin_scope() {
    let Some(sandbox) = indexed() else { return };
    tokens(&sandbox);
    let server = Server::start(&sandbox, &[("RAG_SERVE_TOKEN_FILE", "tokens")]);
    let send = |path: &str, token: &str, priority: &str| {
        let bearer = format!("Bearer {token}");
        let body = body_with_priority(path, priority).to_string();
        server.request("POST", path, &[("authorization", &bearer)], &body)
    };
    for path in ["/ask", "/search", "/ask/batch"] {
        for (token, priority, status) in [
            (READ, "critical", 403),
            (READ, "high", 403),
            (WRITE, "critical", 403),
            (READ, "normal", 200),
            (READ, "background", 200),
            (ADMIN, "critical", 200),
        ] {
            send(path, token, priority).is(status);
        }
    }
    let refused = send("/ingest/start", WRITE, "high").is(403);
    assert_eq!(refused.code(), "forbidden");
    assert!(
        refused.body.contains("scope admin") && refused.body.contains("priority"),
        "{refused:?}"
    );
    let header = format!("Bearer {WRITE}");
    server
        .request(
            "POST",
            "/documents?path=a.txt&priority=high",
            &[("authorization", &header)],
            "text",
        )
        .is(403);
    server.stop();
}

#[test]
fn rate_limited_clients_get_429_with_retry_after() {
    let Some(sandbox) = indexed() else { return };
    tokens(&sandbox);
    let limits = [
        ("RAG_SERVE_TOKEN_FILE", "tokens"),
        ("RAG_SERVE_RATE_PER_MINUTE", "3"),
        ("RAG_SERVE_QUOTA_PER_DAY", "9"),
    ];
    let server = Server::start(&sandbox, &limits);
    let get = |path: &str, token: &str| {
        server.request("GET", path, &[("authorization", &format!("Bearer {token}"))], "")
    };
    let statuses: Vec<u16> = (0..5).map(|_| get("/metrics", READ).status).collect();
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    let refused = get("/metrics", READ);
    let wait: u64 = refused.headers["retry-after"].parse().expect("seconds");
    assert!((1..=20).contains(&wait) && refused.code() == "too_many", "{refused:?}");
    // Each token has its own rate, and a line of the file may set another; the daily quota holds
    // for all.
    let statuses: Vec<u16> = (0..10).map(|_| get("/metrics", WRITE).status).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 200, 200, 200, 429]);
    assert!(get("/metrics", WRITE).headers["retry-after"].parse::<u64>().is_ok_and(|s| s > 0));
    for _ in 0..20 {
        server.get("/health/live").ok();
    }
    // A client that guesses tokens is soon limited.
    let statuses: Vec<u16> =
        (0..5).map(|n| get("/metrics", &format!("a-guess-000000000000{n}")).status).collect();
    assert_eq!(statuses, [401, 401, 401, 429, 429]);
    server.stop();
}

/// Expects an error with this status and code, the request's id and a message.
#[track_caller]
fn assert_is_error(reply: &Reply, status: u16, code: &str) {
    assert_eq!((reply.status, reply.code().as_str()), (status, code), "{reply:?}");
    let error = reply.json()["error"].clone();
    let id = reply.headers.get("x-request-id").map(String::as_str);
    assert_eq!(error["request_id"].as_str(), id, "{reply:?}");
    assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{reply:?}");
}

#[test]
fn an_error_reply_reveals_no_internals() {
    let Some(sandbox) = indexed() else { return };
    let refusing = LlmServer::refusing();
    let server = with_llm(&sandbox, &refusing, &[("RAG_LLM_API_KEY", "sk-very-secret")]);
    let mut seen = String::new();
    let mut check = |reply: Reply, status: u16, code: &str| {
        assert_is_error(&reply, status, code);
        writeln!(seen, "{}", reply.body).unwrap();
    };
    check(server.post("/ask", &query(QUESTION)), 502, "outside");
    check(server.post("/ask", &json!({ "query": QUESTION, "index": "nobody" })), 404, "not_found");
    check(server.get("/no/such/route"), 404, "not_found");
    check(server.request("DELETE", "/ask", &[], ""), 405, "method");
    check(server.post("/ask", &json!({ "query": QUESTION, "filter": "path:(((" })), 400, "usage");
    let generation = tools::current(&sandbox.data());
    for file in tools::files(&generation.join("bm25")) {
        let mut bytes = std::fs::read(&file).unwrap();
        bytes.iter_mut().for_each(|byte| *byte = !*byte);
        std::fs::write(&file, bytes).unwrap();
    }
    let ask = json!({ "query": "what is wax?", "use_cache": false, "generator": "extractive" });
    check(server.post("/ask", &ask), 500, "damaged");
    std::fs::remove_dir_all(sandbox.data().join("indexes")).unwrap();
    std::fs::write(sandbox.data().join("indexes"), "").unwrap();
    check(server.post("/ask", &ask), 500, "internal");
    let inside = [
        sandbox.path().to_string_lossy().into_owned(),
        refusing.base_url(),
        "sk-very-secret".to_owned(),
        "bm25".to_owned(),
        "indexes/".to_owned(),
        "src/".to_owned(),
        "SELECT".to_owned(),
        "os error".to_owned(),
    ];
    for word in inside {
        assert!(!seen.contains(&word), "{word}\n{seen}");
    }
    server.stop();
}

#[test]
fn a_request_cannot_choose_the_language_model_or_its_key() {
    let Some(sandbox) = indexed() else { return };
    let llm = LlmServer::start([Step::tokens(&["Honey bees dance. [1]"])]);
    let server = with_llm(&sandbox, &llm, &[("RAG_LLM_API_KEY", "sk-of-the-server")]);
    let elsewhere = LlmServer::start([Step::tokens(&["No."])]);
    for field in ["llm", "base_url", "llm.base_url", "api_key", "model", "url"] {
        let body = json!({ "query": QUESTION, field: elsewhere.base_url() });
        server.post("/ask", &body).is(400);
    }
    let headers = [
        ("authorization", "Bearer of-the-client"),
        ("x-forwarded-host", "evil.example"),
        ("openai-api-key", "k"),
    ];
    server.request("POST", "/ask", &headers, &query(QUESTION).to_string()).ok();
    let asked = llm.requests();
    assert_eq!((asked.len(), elsewhere.requests().len()), (1, 0));
    assert_eq!(asked[0].header("authorization"), Some("Bearer sk-of-the-server"));
    assert!(!format!("{asked:?}").contains("of-the-client"));
    server.stop();
}
