//! Secrets: no question or key in the metrics, no secret anywhere; and the permissions of stored
//! files.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use serde_json::json;

use super::{QUESTION, indexed, query, with_llm};
use crate::support::Run;
use crate::support::llm::{LlmServer, Step};
use crate::support::server::Server;

#[test]
fn metrics_contain_no_text_and_a_fixed_number_of_series() {
    let Some(sandbox) = indexed() else { return };
    let token = "canary-token-0123456789";
    let bearer = format!("Bearer {token}");
    let server = Server::start(&sandbox, &[("RAG_SERVE_TOKEN", token)]);
    let send = |method: &str, path: &str, body: &str| {
        let headers = [("authorization", bearer.as_str()), ("x-request-id", "canary-id")];
        server.request(method, path, &headers, body)
    };
    let metrics = || send("GET", "/metrics", "").ok().body;
    send("POST", "/ask", &query(QUESTION).to_string()).ok();
    send("POST", "/search", &query(QUESTION).to_string()).ok();
    send("GET", "/nowhere", "").is(404);
    let series = |text: &str| text.lines().filter(|line| !line.starts_with('#')).count();
    metrics();
    let before = series(&metrics());
    for n in 0..40 {
        send("GET", &format!("/canary-path/{n}"), "").is(404);
        send("POST", "/search", &query(&format!("canary words {n}")).to_string()).ok();
        send(
            "POST",
            "/search",
            &json!({ "query": "q", "index": format!("canary-index-{n}") }).to_string(),
        )
        .is(404);
    }
    let after = metrics();
    assert_eq!(series(&after), before, "{after}");
    for secret in ["canary", "bees", "flowers", "docs", &sandbox.path().to_string_lossy()] {
        assert!(!after.contains(secret), "{secret}\n{after}");
    }
    server.stop();
}

#[test]
fn secrets_appear_in_no_reply_and_no_log() {
    let Some(sandbox) = indexed() else { return };
    let llm = LlmServer::start([Step::status(401), Step::tokens(&["Honey bees dance. [1]"])]);
    let secrets = ["canary-key-of-the-model", "canary-token-0123456789", "canary-hub-token"];
    let env = [
        ("RAG_LLM_API_KEY", secrets[0]),
        ("RAG_SERVE_TOKEN", secrets[1]),
        ("HF_TOKEN", secrets[2]),
        ("RAG_LOG", "trace"),
        ("RUST_LOG", "trace"),
    ];
    let server = with_llm(&sandbox, &llm, &env);
    let bearer = format!("Bearer {}", secrets[1]);
    let mut output = String::new();
    for (method, path, body) in [
        ("POST", "/ask", query(QUESTION).to_string()),
        ("POST", "/ask", query(QUESTION).to_string()),
        ("POST", "/ask", json!({ "query": QUESTION, "index": "none" }).to_string()),
        ("POST", "/ask", "{".to_owned()),
        ("GET", "/metrics", String::new()),
        ("GET", "/health", String::new()),
        ("GET", "/openapi.json", String::new()),
        ("GET", "/nowhere", String::new()),
    ] {
        let reply = server.request(method, path, &[("authorization", &bearer)], &body);
        assert!(!matches!(reply.status, 401 | 403), "{reply:?}");
        output += &format!("{reply:?}");
    }
    output += &format!(
        "{:?}",
        server.request("GET", "/metrics", &[("authorization", &format!("{bearer}x"))], "")
    );
    let run = server.stop();
    output += &format!("{}{}", run.stdout, run.stderr);
    for secret in secrets {
        assert!(!output.contains(secret), "{secret}\n{output}");
    }
}

#[test]
fn stored_files_are_private_under_any_umask() {
    let Some(sandbox) = indexed() else { return };
    let script =
        "umask 000; \"$0\" ask --session mine \"$1\" >&2; exec \"$0\" serve --port 0 --json";
    let mut shell = sandbox.under("sh", &["-c", script], [QUESTION]);
    std::fs::remove_dir_all(sandbox.data().join("cache")).unwrap();
    let child = shell.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let server = Server::of(child, format!("{shell:?}"));
    server.post("/ask", &query("Why does bread rise?")).ok();
    server.post("/search", &query("tides")).ok();
    let run: Run = server.stop();
    let mut seen = 0;
    for folder in ["cache", "sessions", "jobs"] {
        let mut todo = vec![sandbox.data().join(folder)];
        while let Some(path) = todo.pop() {
            let mode = path
                .metadata()
                .unwrap_or_else(|e| panic!("{}: {e}\n{run}", path.display()))
                .permissions()
                .mode();
            let wanted = if path.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(mode & 0o777, wanted, "{}", path.display());
            seen += 1;
            if path.is_dir() {
                todo.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
        }
    }
    assert!(seen >= 6, "{seen} files and folders");
}
