//! Language models with a name: chosen by a request, each with its own address, key, limits and
//! circuit breaker, and kept warm.

use serde_json::{Value, json};

use super::{QUESTION, query};
use crate::fixtures::indexed_with_loopback as indexed;
use crate::support::Sandbox;
use crate::support::llm::{LlmServer, Step};
use crate::support::server::Server;
use crate::tools::wait_for;

/// Writes a user's file with the models `fast` and `large` at these servers.
fn configure(sandbox: &Sandbox, main: &LlmServer, fast: &LlmServer, large: &LlmServer) {
    let text = format!(
        "[llm]\nbase_url = \"{}\"\nmodel = \"main\"\napi_key = \"main-key\"\nattempts = 1\n\n\
         [llm.fast]\nbase_url = \"{}\"\nmodel = \"quick\"\nmax_tokens = 77\n\n\
         [llm.large]\nbase_url = \"{}\"\nmodel = \"big\"\napi_key = \"large-key\"\n",
        main.base_url(),
        fast.base_url(),
        large.base_url(),
    );
    sandbox.write("home/.config/rag/config.toml", text);
}

fn says(text: &str) -> LlmServer {
    LlmServer::start([Step::tokens(&[text])])
}

/// The model, the key and the limit that the requests of a server had.
fn asked(server: &LlmServer) -> Vec<(String, Option<String>, u64)> {
    let requests = server.requests();
    let one = |request: &crate::support::llm::Request| {
        let body: &Value = &request.body;
        let key = request.header("authorization").map(str::to_owned);
        let model = body["model"].as_str().unwrap().to_owned();
        (model, key, body["max_tokens"].as_u64().unwrap())
    };
    requests.iter().map(one).collect()
}

#[test]
fn a_request_chooses_a_language_model() {
    let Some(sandbox) = indexed() else { return };
    let (main, fast, large) =
        (says("Bees dance. [1]"), says("They dance. [1]"), says("A dance tells it. [1]"));
    configure(&sandbox, &main, &fast, &large);
    let server = Server::start(&sandbox, &[("RAG_CACHE_DIR", "other-cache")]);
    let ask = |more: Value| {
        let mut body = query(QUESTION);
        body.as_object_mut().unwrap().append(&mut more.as_object().unwrap().clone());
        server.post("/ask", &body)
    };
    assert_eq!(ask(json!({})).ok().json()["generator"], "extractive");
    for (more, expected) in [
        (json!({ "generator": "llm" }), "Bees dance. [1]"),
        (json!({ "llm": "fast" }), "They dance. [1]"),
        (json!({ "llm": "large" }), "A dance tells it. [1]"),
        (json!({ "llm": "fast" }), "They dance. [1]"),
    ] {
        assert_eq!(ask(more.clone()).ok().json()["answer"], expected, "{more}");
    }
    // An address of its own does not get the key of another; an answer is cached for its model.
    assert_eq!(asked(&main), [("main".into(), Some("Bearer main-key".into()), 1024)]);
    assert_eq!(asked(&fast), [("quick".into(), None, 77)]);
    assert_eq!(asked(&large), [("big".into(), Some("Bearer large-key".into()), 1024)]);

    let unknown = ask(json!({ "llm": "fats" })).is(400).json();
    assert_eq!(unknown["error"]["message"], "there is no language model `fats`");
    assert_eq!(unknown["error"]["hint"], "did you mean `fast`?");
    let body = json!({ "model": "rag", "messages": [{ "role": "user", "content": QUESTION }] });
    let chat = [("content-type", "application/json"), ("x-rag-llm", "fast")];
    let reply =
        server.request("POST", "/v1/chat/completions", &chat, &body.to_string()).ok().json();
    let content = reply["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(content.starts_with("They dance. [1]"), "{content}");
    let batch = json!({ "questions": [QUESTION], "llm": "large" });
    let answers = server.post("/ask/batch", &batch).ok().json();
    assert_eq!(answers["answers"][0]["answer"], "A dance tells it. [1]");
    assert_eq!(server.get("/config").ok().json()["features"]["llms"], json!(["fast", "large"]));
    let arguments = json!({ "question": QUESTION, "llm": "fast" });
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
                       "params": { "name": "ask", "arguments": arguments } });
    let headers =
        [("content-type", "application/json"), ("accept", "application/json, text/event-stream")];
    let called = server.request("POST", "/mcp", &headers, &call.to_string()).ok();
    assert!(called.body.contains("They dance. [1]"), "{}", called.body);
    server.stop();

    let by_command = sandbox.rag(["ask", "--json", "--llm", "fast", QUESTION]).ok().json();
    assert_eq!(by_command["answer"], "They dance. [1]");
    let wrong = sandbox.rag(["ask", "--llm", "fats", QUESTION]);
    wrong.exits(2).says("llm.name = fats (--llm)").says("did you mean `fast`?");
}

#[test]
fn a_language_model_that_fails_pauses_no_other() {
    let Some(sandbox) = indexed() else { return };
    let (main, fast) = (says("Bees dance. [1]"), LlmServer::start([Step::status(500)]));
    let large = says("A dance tells it. [1]");
    configure(&sandbox, &main, &fast, &large);
    let server = Server::start(&sandbox, &[]);
    let ask = |name: &str| {
        let body = json!({ "query": QUESTION, "llm": name, "use_cache": false });
        server.post("/ask", &body)
    };
    let paused = || {
        let health = server.get("/health").ok().json();
        (health["parts"]["language_models"].clone(), health["status"].clone())
    };
    let failures = std::iter::repeat_with(|| ask("fast").is(502)).take(5).count();
    assert_eq!(failures, 5);
    let refused = ask("fast").is(503).json();
    assert_eq!(refused["error"]["reason"], "paused", "{refused}");
    let (models, status) = paused();
    assert_eq!(
        (&models["fast"]["breaker"], &models["large"]["breaker"]),
        (&json!("open"), &json!("closed"))
    );
    assert_eq!(status, "degraded");
    assert_eq!(server.count("rag_breaker_open{service=\"llm\"}"), 1);
    assert_eq!(ask("large").ok().json()["answer"], "A dance tells it. [1]");
    let body = json!({ "query": QUESTION, "generator": "llm" });
    assert_eq!(server.post("/ask", &body).ok().json()["answer"], "Bees dance. [1]");
    server.stop();
}

#[test]
fn a_language_model_is_warm_before_the_first_question() {
    let Some(sandbox) = indexed() else { return };
    let (main, fast, large) = (says("Fine."), says("Fine."), says("Fine."));
    configure(&sandbox, &main, &fast, &large);
    let server = Server::start(&sandbox, &[("RAG_LLM_WARM_MINUTES", "60")]);
    for model in [&main, &fast, &large] {
        let request = wait_for("the call", || model.requests().first().cloned());
        // What a question sends first, so that it need not be computed again.
        assert!(request.message("system").starts_with("You answer a question from numbered"));
    }
    server.stop();
    assert_eq!([&main, &fast, &large].map(|model| model.requests().len()), [1, 1, 1]);
}
