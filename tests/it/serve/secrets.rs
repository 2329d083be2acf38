//! What must not come out: questions and keys in the metrics, secrets anywhere; and who may read
//! what is kept.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use serde_json::json;

use super::{QUESTION, query, with_llm, world};
use crate::support::Run;
use crate::support::llm::{LlmServer, Step};
use crate::support::server::Server;

#[test]
fn metrics_hold_no_text_and_do_not_grow_with_what_is_asked() {
    let Some(sandbox) = world() else { return };
    let token = "canary-token-0123456789";
    let bearer = format!("Bearer {token}");
    let server = Server::start(&sandbox, &[("RAG_SERVE_TOKEN", token)]);
    let send = |method: &str, path: &str, body: &str| {
        server.request(
            method,
            path,
            &[("authorization", &bearer), ("x-request-id", "canary-id")],
            body,
        )
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
fn secrets_appear_nowhere() {
    let Some(sandbox) = world() else { return };
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
    let mut said = String::new();
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
        said += &format!("{reply:?}");
    }
    said += &format!(
        "{:?}",
        server.request("GET", "/metrics", &[("authorization", &format!("{bearer}x"))], "")
    );
    let run = server.stop();
    said += &format!("{}{}", run.stdout, run.stderr);
    for secret in secrets {
        assert!(!said.contains(secret), "{secret}\n{said}");
    }
}

#[test]
fn what_is_kept_is_the_owners_alone_whatever_the_umask() {
    let Some(sandbox) = world() else { return };
    let plain = sandbox.command(["serve", "--port", "0", "--json"]);
    let mut shell = std::process::Command::new("sh");
    shell.args([
        "-c",
        "umask 000; \"$0\" ask --session mine \"$1\" >&2; exec \"$0\" serve --port 0 --json",
    ]);
    shell.arg(plain.get_program()).arg(QUESTION).current_dir(sandbox.path()).env_clear();
    shell.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
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
