//! `rag serve`: its replies, its refusals, and its behaviour with many, slow or hostile clients.

mod crowds;
mod described;
mod dialects;
mod examples;
mod refusals;
mod routes;
mod schema;
mod secrets;
mod soak;
mod sockets;
mod streams;
mod tenants;
mod transport;
mod writers;

use serde_json::{Value, json};

use crate::fixtures::indexed_with_loopback as indexed;
use crate::support::llm::LlmServer;
use crate::support::server::Server;
use crate::support::{Run, Sandbox, has_loopback};
use crate::tools::wait_for;

const QUESTION: &str = "How do honey bees tell the others where flowers are?";

/// A server with a scripted language model.
fn with_llm(sandbox: &Sandbox, llm: &LlmServer, env: &[(&str, &str)]) -> Server {
    let url = llm.base_url();
    let own = [
        ("RAG_LLM_BASE_URL", url.as_str()),
        ("RAG_LLM_MODEL", "small"),
        ("RAG_LLM_ATTEMPTS", "1"),
        ("RAG_GENERATOR", "llm"),
    ];
    Server::start(sandbox, &[&own[..], env].concat())
}

fn query(text: &str) -> Value {
    json!({ "query": text })
}

/// A reply without the fields that differ between two requests.
fn stable(mut reply: Value) -> Value {
    for field in ["timings", "cache", "request_id", "diagram"] {
        reply.as_object_mut().expect("an object").remove(field);
    }
    reply
}

#[test]
fn answers_and_passages_equal_those_of_the_commands() {
    let Some(sandbox) = indexed() else { return };
    let server = Server::start(&sandbox, &[]);
    let asked = server.post("/ask", &query(QUESTION)).ok();
    let id = asked.headers["x-request-id"].clone();
    assert_eq!((asked.json()["request_id"].as_str(), id.len()), (Some(&*id), 32));
    assert_eq!(stable(asked.json()), stable(sandbox.rag(["ask", "--json", QUESTION]).ok().json()));
    let found =
        server.post("/search", &json!({ "query": QUESTION, "k": 3, "mode": "lexical" })).ok();
    let by_command =
        sandbox.rag(["search", "--json", "-k", "3", "--mode", "lexical", QUESTION]).ok();
    assert_eq!(stable(found.json()), stable(by_command.json()));
    let filtered =
        server.post("/search", &json!({ "query": QUESTION, "filter": "type:html" })).ok().json();
    assert_eq!(filtered["hits"].as_array().map(Vec::len), Some(1), "{filtered}");

    // An unsupported question is answered with 200.
    let nothing = server.post("/ask", &query("Who won the chess tournament of 1886?")).ok().json();
    assert_eq!(nothing["supported"], false);
    let named = server.request("GET", "/health/live", &[("x-request-id", "mine-1")], "").ok();
    assert_eq!(named.headers["x-request-id"], "mine-1");
    let unsafe_name = server.request("GET", "/health/live", &[("x-request-id", "a b<c>")], "").ok();
    assert_eq!(unsafe_name.headers["x-request-id"].len(), 32);
    server.stop();
}

#[test]
fn a_cached_answer_is_reused_unless_the_request_declines_it() {
    let Some(sandbox) = indexed() else { return };
    let server = Server::start(&sandbox, &[]);
    let ask = |more: Value| {
        let mut body = query(QUESTION);
        more.as_object().into_iter().flatten().for_each(|(name, value)| body[name] = value.clone());
        server.post("/ask", &body).ok().json()["cache"].clone()
    };
    assert_eq!(ask(json!({}))["answer_hit"], false);
    let again = ask(json!({}));
    assert_eq!((&again["answer_hit"], &again["retrieval_hit"]), (&json!(true), &json!(true)));
    assert_eq!(ask(json!({ "refresh": true }))["answer_hit"], false);
    assert_eq!(ask(json!({ "use_cache": false }))["answer_hit"], false);
    // The cache is flushed when the server ends.
    server.stop();
    let cached = sandbox.rag(["ask", "--json", QUESTION]).ok().json();
    assert_eq!(cached["cache"]["answer_hit"], true);
}

#[test]
fn a_new_generation_is_served_and_a_missing_index_is_404() {
    let Some(sandbox) = indexed() else { return };
    let server = Server::start(&sandbox, &[]);
    let ask = |text| server.post("/ask", &query(text)).ok().json();
    assert_eq!(ask("What does an otter eat?")["supported"], false);
    let before = ask(QUESTION);
    crate::fixtures::write_old(
        &sandbox,
        "docs/otter.md",
        "# Otters\n\nAn otter eats fish and crabs.\n",
    );
    sandbox.ingest();
    let after = ask("What does an otter eat?");
    assert_eq!(
        (&after["supported"], &after["citations"][0]["path"]),
        (&json!(true), &json!("otter.md"))
    );
    assert_ne!(before["corpus_id"], after["corpus_id"]);

    let other = |index: &str| server.post("/ask", &json!({ "query": QUESTION, "index": index }));
    other("other").is(404);
    sandbox.rag(["ingest", "--dir", "docs", "--index", "other"]).ok();
    assert_eq!(other("other").ok().json()["index"], "other");
    sandbox.rag(["index", "remove", "--yes", "other", "--index", "other"]);
    server.stop();
}

/// The files of an unneeded generation take space on disk for as long as a process maps them.
#[test]
fn an_idle_server_opens_the_new_generation_and_unmaps_old_ones() {
    let Some(sandbox) = indexed() else { return };
    let server = Server::start(&sandbox, &[]);
    // Which generations' files the server has mapped.
    let mapped = |generations: &[String]| -> Vec<bool> {
        let maps =
            std::fs::read_to_string(format!("/proc/{}/maps", server.pid())).expect("it runs");
        generations.iter().map(|generation| maps.contains(&format!("/{generation}/"))).collect()
    };
    let of = |name: &str| {
        server.post("/search", &json!({ "query": "bees", "index": name })).ok().json()["corpus_id"]
            .clone()
    };
    let id = |name: &str| of(name).as_str().unwrap().to_owned();
    sandbox.rag(["ingest", "--dir", "docs", "--index", "other", "--include", "*.md"]).ok();
    let (old, other) = (id("default"), id("other"));
    assert_ne!(old, other);
    crate::fixtures::write_old(
        &sandbox,
        "docs/otter.md",
        "# Otters\n\nAn otter eats fish and crabs.\n",
    );
    let new = sandbox.ingest()["corpus_id"].as_str().unwrap().to_owned();
    sandbox.rag(["index", "remove", "--yes", "--index", "other"]).ok();
    let all = [old, other, new];
    wait_for("the server to catch up", || (mapped(&all) == [false, false, true]).then_some(()));
    server.stop();
}

#[test]
fn health_lists_the_parts_and_openapi_describes_the_interface() {
    let Some(sandbox) = indexed() else { return };
    let server = Server::start(&sandbox, &[]);
    // After an answer a worker is ready.
    server.post("/ask", &query(QUESTION)).ok();
    server.get("/health/ready").ok();
    let health = server.get("/health").ok().json();
    assert_eq!(health["status"], "ok", "{health}");
    assert_eq!(health["parts"]["index"]["documents"], 6);
    assert_eq!(health["parts"]["language_model"]["status"], "off");
    let document = server.get("/openapi.json").ok().json();
    assert!(
        document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")),
        "{document}"
    );
    assert!(document["paths"]["/ask"]["post"]["security"][0]["token"].is_array(), "{document}");
    assert!(
        document["components"]["schemas"]["AskBody"]["properties"]["query"].is_object(),
        "{document}"
    );
    // Responses are typed, except those of foreign protocols.
    for (path, item) in document["paths"].as_object().unwrap() {
        let is_ours = !["/v1/", "/api/"].iter().any(|prefix| path.starts_with(prefix))
            && !["/mcp", "/openapi.json"].contains(&path.as_str());
        for (status, response) in
            item.as_object().unwrap().values().flat_map(|o| o["responses"].as_object().unwrap())
        {
            let schema = &response["content"]["application/json"]["schema"];
            let is_typed = schema["$ref"].is_string() || schema["items"]["$ref"].is_string();
            assert!(
                !is_ours || !status.starts_with('2') || schema.is_null() || is_typed,
                "{path}: {response}"
            );
        }
    }
    let page = server.get("/").ok();
    assert!(page.headers["content-type"].starts_with("text/html"));
    assert!(page.headers["content-security-policy"].starts_with("default-src 'none'"), "{page:?}");
    let script = server.get("/assets/app.js").ok();
    assert_eq!(script.headers["x-content-type-options"], "nosniff");
    server.stop();
}

#[test]
fn a_server_without_an_index_answers_404_and_reports_it_absent() {
    if !has_loopback() {
        return;
    }
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    let reply = server.post("/ask", &query(QUESTION)).is(404);
    assert_eq!(reply.code(), "not_found");
    assert_eq!(server.get("/health").ok().json()["parts"]["index"]["status"], "absent");
    server.stop();
}

#[test]
fn a_taken_port_and_an_unprotected_address_are_refused_at_the_start() {
    let Some(sandbox) = indexed() else { return };
    let server = Server::start(&sandbox, &[]);
    let port = server.address.port().to_string();
    sandbox.rag(["serve", "--port", &port]).exits(1).says("cannot listen").says("--port 0");
    sandbox
        .rag(["serve", "--port", "0", "--host", "0.0.0.0"])
        .exits(2)
        .says("token")
        .says("RAG_SERVE_TOKEN");
    sandbox
        .rag(["serve", "--port", "0", "--host", "no.such.host.invalid"])
        .exits(2)
        .says("serve.host = no.such.host.invalid (--host)");
    let short = |token: &str| {
        Run::of(sandbox.command(["serve", "--port", "0"]).env("RAG_SERVE_TOKEN", token))
    };
    short("secret")
        .exits(2)
        .says("serve.token (environment RAG_SERVE_TOKEN): has fewer than 16 characters");
    sandbox.write("tokens", "read aaaaaaaaaaaaaaaaaaaa\n");
    let mut command = sandbox.command(["serve", "--port", "0"]);
    Run::of(command.env("RAG_SERVE_TOKEN_FILE", "tokens"))
        .exits(2)
        .says("is readable by other users")
        .says("chmod 600");
    server.stop();
}
