//! Below and around the routes: compression, pages of other origins, TLS, webhooks.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use rag::disk;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::json;

use super::{QUESTION, indexed, query};
use crate::support::llm::{LlmServer, Step};
use crate::support::server::Server;
use crate::support::{Run, Sandbox};
use crate::tools::wait_for;

#[test]
fn long_replies_are_compressed_and_streams_are_not() {
    let Some(sandbox) = indexed() else { return };
    let server = Server::start(&sandbox, &[]);
    let plain = server.get("/openapi.json").ok();
    assert!(!plain.headers.contains_key("content-encoding"), "{:?}", plain.headers);
    for encoding in ["gzip", "zstd"] {
        let headers = [("accept-encoding", encoding)];
        let reply = server.request("GET", "/openapi.json", &headers, "").ok();
        assert_eq!(reply.headers["content-encoding"], encoding);
        assert!(reply.headers["vary"].contains("accept-encoding"), "{:?}", reply.headers);
        assert!(reply.body.len() < plain.body.len() / 2, "{encoding}");
        let short = server.request("GET", "/health/live", &headers, "").ok();
        assert!(!short.headers.contains_key("content-encoding"));
        let ask = json!({ "query": QUESTION, "stream": true }).to_string();
        let chat = json!({ "model": "rag", "prompt": QUESTION }).to_string();
        for (route, body) in [("/ask", ask), ("/api/generate", chat)] {
            let streamed = server.request("POST", route, &headers, &body).ok();
            assert!(!streamed.headers.contains_key("content-encoding"), "{streamed:?}");
        }
    }
    server.stop();
}

#[test]
fn pages_of_listed_origins_only_may_use_the_server() {
    let Some(sandbox) = indexed() else { return };
    let listed = "https://app.example, http://localhost:3000";
    let server = Server::start(&sandbox, &[("RAG_SERVE_CORS_ORIGINS", listed)]);
    let body = query(QUESTION).to_string();
    for origin in ["https://app.example", "http://localhost:3000"] {
        let reply = server.request("POST", "/ask", &[("origin", origin)], &body).ok();
        assert_eq!(reply.headers["access-control-allow-origin"], origin);
        assert!(!reply.headers.contains_key("access-control-allow-credentials"));
        let preflight = [("origin", origin), ("access-control-request-method", "POST")];
        let reply = server.request("OPTIONS", "/ask", &preflight, "").is(204);
        assert!(reply.headers["access-control-allow-headers"].contains("authorization"));
        assert_eq!(reply.headers["access-control-allow-origin"], origin);
    }
    for origin in
        ["https://app.example.evil", "http://app.example", "https://app.example:8443", "null"]
    {
        let reply = server.request("POST", "/ask", &[("origin", origin)], &body).is(403);
        assert!(!reply.headers.contains_key("access-control-allow-origin"), "{reply:?}");
        let preflight = [("origin", origin), ("access-control-request-method", "POST")];
        server.request("OPTIONS", "/ask", &preflight, "").is(403);
    }
    // An allowed origin needs a token as well, where there is one.
    server.stop();
    let tokens = [("RAG_SERVE_CORS_ORIGINS", listed), ("RAG_SERVE_TOKEN", "admin-token-00000000")];
    let server = Server::start(&sandbox, &tokens);
    let reply = server.request("POST", "/ask", &[("origin", "https://app.example")], &body).is(401);
    assert_eq!(reply.headers["access-control-allow-origin"], "https://app.example");
    server.stop();
    let wrong =
        Run::of(sandbox.command(["serve", "--port", "0"]).env("RAG_SERVE_CORS_ORIGINS", "*"));
    wrong.exits(2).says("serve.cors_origins");
}

/// Copies a certificate and its key into the sandbox.
fn install(sandbox: &Sandbox, name: &str) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/serve/tls");
    for (kind, target) in [("pem", "cert.pem"), ("key", "key.pem")] {
        let new = sandbox.path().join(format!("new-{target}"));
        std::fs::copy(from.join(format!("{name}.{kind}")), &new).unwrap();
        std::fs::rename(new, sandbox.path().join(target)).unwrap();
    }
}

/// The reply to a request over TLS, from a server with the certificate of this name.
fn get(server: &Server, name: &str) -> Result<String, std::io::Error> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/serve/tls/{name}.pem"));
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let host = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(config), host).unwrap();
    let mut stream = StreamOwned::new(connection, server.connect());
    stream.write_all(&server.bytes("GET", "/health/live", &[], ""))?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply)?;
    Ok(reply)
}

#[test]
fn a_new_certificate_is_used_without_a_restart() {
    let Some(sandbox) = indexed() else { return };
    install(&sandbox, "one");
    let files = [("RAG_SERVE_TLS_CERTIFICATE", "cert.pem"), ("RAG_SERVE_TLS_KEY", "key.pem")];
    let server = Server::start(&sandbox, &files);
    assert!(get(&server, "one").unwrap().starts_with("HTTP/1.1 200 "));
    assert!(get(&server, "two").is_err());
    // Plain HTTP gets no answer.
    let mut stream = server.connect();
    stream.write_all(&server.bytes("GET", "/health/live", &[], "")).unwrap();
    let mut reply = Vec::new();
    let _ = stream.read_to_end(&mut reply);
    assert!(!reply.starts_with(b"HTTP/"), "{reply:?}");
    // A key that does not fit leaves the old certificate in use.
    let key = sandbox.path().join("key.pem");
    let own = std::fs::read(&key).unwrap();
    std::fs::write(&key, "no key").unwrap();
    assert!(get(&server, "one").is_ok());
    std::fs::write(&key, own).unwrap();
    install(&sandbox, "two");
    wait_for("the new certificate", || get(&server, "two").ok());
    assert!(get(&server, "one").is_err());
    server.stop();

    let start = |env: &[(&str, &str)]| {
        Run::of(sandbox.command(["serve", "--port", "0"]).envs(env.iter().copied())).exits(2)
    };
    start(&files[..1]).says("serve.tls_certificate").says("serve.tls_key");
    start(&files[1..]).says("serve.tls_key").says("serve.tls_certificate");
    std::fs::write(&key, "no key").unwrap();
    start(&files).says("key.pem");
}

#[test]
fn the_end_of_a_job_is_posted_signed_and_retried() {
    let Some(sandbox) = indexed() else { return };
    let receiver = LlmServer::start([Step::status(500), Step::status(204)]);
    let (url, secret) = (format!("{}/hook", receiver.base_url()), "a-secret-of-webhooks");
    let server = Server::start(
        &sandbox,
        &[
            ("RAG_SERVE_WEBHOOKS", url.as_str()),
            ("RAG_SERVE_WEBHOOK_SECRET", secret),
            ("RAG_SERVE_ROOTS", "docs"),
        ],
    );
    let begun = server.post("/ingest/start", &json!({ "dir": "docs" })).is(202).json();
    let requests = wait_for("the second attempt", || {
        let requests = receiver.requests();
        (requests.len() == 2).then_some(requests)
    });
    for request in &requests {
        assert!(request.target.ends_with("/hook"), "{}", request.target);
        assert_eq!(request.header("x-rag-event"), Some("job.succeeded"));
        assert_eq!(request.body["event"], "job.succeeded");
        assert_eq!(request.body["job"]["id"], begun["job_id"]);
        assert_eq!(request.body["id"].as_str(), request.header("x-rag-delivery"));
        assert!(!request.body.to_string().contains(&*sandbox.path().to_string_lossy()));
        let timestamp = request.header("x-rag-timestamp").unwrap();
        let signed = format!("{timestamp}.{}", request.body);
        let mac = disk::hmac_sha256_hex(secret.as_bytes(), signed.as_bytes());
        assert_eq!(request.header("x-rag-signature"), Some(&*format!("sha256={mac}")));
    }
    assert_eq!(requests[0].body, requests[1].body);
    wait_for("the count", || {
        (server.count("rag_webhooks_total{outcome=\"delivered\"}") == 1).then_some(())
    });
    server.stop();
    let mut command = sandbox.command(["serve", "--port", "0"]);
    Run::of(command.env("RAG_SERVE_WEBHOOKS", url)).exits(2).says("serve.webhook_secret");
}

#[test]
fn every_route_has_a_versioned_address() {
    let Some(sandbox) = indexed() else { return };
    let server = Server::start(&sandbox, &[]);
    let body = query(QUESTION).to_string();
    let own = server.request("POST", "/ask", &[], &body).ok().json();
    let versioned = server.request("POST", "/api/v1/ask", &[], &body).ok().json();
    assert_eq!(super::stable(own), super::stable(versioned));
    server.get("/api/v1/documents?limit=1").ok();
    server.get("/api/v1/api/tags").ok();
    server.get("/api/v1").is(404);
    // It is the same route, for metrics and for tokens.
    assert_eq!(
        server.count("rag_http_requests_total{route=\"/ask\",method=\"POST\",status=\"2xx\"}"),
        2
    );
    server.stop();
    let server = Server::start(&sandbox, &[("RAG_SERVE_TOKEN", "admin-token-00000000")]);
    server.request("POST", "/api/v1/ask", &[], &body).is(401);
    server.stop();
}

#[test]
fn metrics_are_summed_up_for_people_and_requests_logged_on_demand() {
    let Some(sandbox) = indexed() else { return };
    for (is_logged, expected) in [("true", true), ("false", false)] {
        let env = [("LOG_REQUESTS", is_logged), ("RAG_LOG_LEVEL", "info")];
        let server = Server::start(&sandbox, &env);
        for _ in 0..3 {
            server.post("/ask", &query(QUESTION)).ok();
        }
        let summary = server.get("/metrics/summary").ok().json();
        assert_eq!(summary["questions"]["answered"], 3, "{summary}");
        assert!(summary["questions"]["p95_ms"].as_f64().unwrap() > 0.0, "{summary}");
        assert!(summary["process"]["memory_bytes"].as_u64().unwrap() > 1 << 20, "{summary}");
        let health = server.get("/metrics/health").ok().json();
        assert_eq!(
            (&health["status"], health["checks"].as_array().map(Vec::len)),
            (&json!("ok"), Some(5))
        );
        let log = server.stop().stderr;
        assert_eq!(log.contains("route=\"/ask\"") || log.contains("route=/ask"), expected, "{log}");
    }
}
