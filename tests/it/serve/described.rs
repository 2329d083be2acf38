//! What `/openapi.json` forbids is refused, and what it allows is accepted.

use regex::Regex;
use serde_json::{Value, json};

use super::routes::Api;
use super::{QUESTION, indexed, with_llm};
use crate::support::llm::LlmServer;
use crate::support::server::Server;

/// Follows the references of a schema.
fn resolved<'a>(document: &'a Value, mut schema: &'a Value) -> &'a Value {
    while let Some(name) = schema["$ref"].as_str() {
        schema = document.pointer(name.trim_start_matches('#')).expect("a schema");
    }
    schema
}

/// Values that a schema forbids.
fn forbidden(schema: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    if let Some(pattern) = schema["pattern"].as_str() {
        let pattern = Regex::new(pattern).expect("a pattern");
        let texts = ["", " ", "no such value", "../x", "\u{1}"];
        let wrong: Vec<Value> =
            texts.iter().filter(|text| !pattern.is_match(text)).map(|&text| text.into()).collect();
        assert!(!wrong.is_empty(), "add a text that {pattern} does not match");
        found.extend(wrong);
    }
    if let Some(most) = schema["maxLength"].as_u64() {
        found.push("x".repeat(most as usize + 1).into());
    }
    if schema["enum"].is_array() {
        found.push("no such value".into());
    }
    if let Some(least) = schema["minimum"].as_i64() {
        found.push((least - 1).into());
    }
    if let Some(most) = schema["maximum"].as_i64() {
        found.push((most + 1).into());
    }
    let item = &schema["items"];
    if let Some(most) = schema["maxItems"].as_u64() {
        found.push(vec![json!("x"); most as usize + 1].into());
    }
    if schema["minItems"].as_u64() == Some(1) {
        found.push(json!([]));
    }
    if item.is_object() {
        found.extend(forbidden(item).into_iter().map(|wrong| json!([wrong])));
    }
    found
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[test]
fn a_forbidden_parameter_of_an_address_is_refused() {
    let Some(sandbox) = indexed() else { return };
    let api = Api::start(&sandbox, &[]);
    let mut n = 0;
    for (path, item) in api.document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            for parameter in parameters.filter(|one| one["in"] == "query") {
                let name = parameter["name"].as_str().unwrap();
                for wrong in forbidden(resolved(&api.document, &parameter["schema"])) {
                    let text = wrong.as_str().map_or_else(|| wrong.to_string(), str::to_owned);
                    let target = format!("{path}?{name}={}", encoded(&text));
                    let reply = api.call(&method.to_uppercase(), &target, &[], "");
                    assert!((400..500).contains(&reply.status), "{target}\n{reply:?}");
                    n += 1;
                }
            }
        }
    }
    assert!(n > 20, "{n} values");
    api.server.stop();
}

/// A valid request of each route with a JSON body.
fn requests() -> Vec<(&'static str, Value)> {
    let messages = json!([{ "role": "user", "content": QUESTION }]);
    vec![
        ("/ask", json!({ "query": QUESTION })),
        ("/search", json!({ "query": QUESTION })),
        ("/ask/batch", json!({ "questions": [QUESTION] })),
        ("/feedback", json!({ "question": QUESTION, "helpful": true })),
        ("/cache/purge", json!({ "tables": ["answers"] })),
        ("/ingest/start", json!({ "dir": "topics" })),
        ("/v1/chat/completions", json!({ "model": "rag", "messages": messages })),
        ("/v1/responses", json!({ "model": "rag", "input": QUESTION })),
        ("/v1/embeddings", json!({ "model": "all-MiniLM-L6-v2", "input": "bees" })),
        (
            "/v1/rerank",
            json!({ "model": "all-MiniLM-L6-v2", "query": "bees", "documents": ["bees"] }),
        ),
        ("/api/chat", json!({ "model": "rag", "messages": messages, "stream": false })),
        ("/api/generate", json!({ "model": "rag", "prompt": QUESTION, "stream": false })),
        ("/api/embed", json!({ "model": "all-MiniLM-L6-v2", "input": "bees" })),
        ("/api/show", json!({ "model": "rag" })),
    ]
}

#[test]
fn a_forbidden_field_of_a_body_is_refused() {
    let Some(sandbox) = indexed() else { return };
    let api = Api::start(&sandbox, &[]);
    let mut n = 0;
    for (path, body) in requests() {
        let content = &api.document["paths"][path]["post"]["requestBody"]["content"];
        let schema = resolved(&api.document, &content["application/json"]["schema"]);
        for (name, field) in schema["properties"].as_object().unwrap() {
            for wrong in forbidden(resolved(&api.document, field)) {
                let mut body = body.clone();
                body[name] = wrong;
                let reply = api.post(path, &body);
                assert!((400..500).contains(&reply.status), "{path} {body}\n{reply:?}");
                n += 1;
            }
        }
    }
    assert!(n > 60, "{n} values");
    api.server.stop();
}

#[test]
fn messages_without_text_are_a_part_of_a_conversation() {
    let Some(sandbox) = indexed() else { return };
    let api = Api::start(&sandbox, &[]);
    let chat = |messages: Value| {
        let body = json!({ "model": "rag", "messages": messages, "stream": false });
        api.post("/api/chat", &body)
    };
    let user = json!({ "role": "user", "content": QUESTION });
    // A call of a tool has no text, as programs for OpenAI's API and for Ollama's write it.
    for empty in [json!({ "content": null }), json!({ "content": "" }), json!({})] {
        let mut call = json!({ "role": "assistant", "tool_calls": [] });
        if let Some(content) = empty.get("content") {
            call["content"] = content.clone();
        }
        chat(json!([user, call, user])).ok();
    }
    chat(json!([])).ok();
    // Nothing is loaded where there is no index.
    let unknown = json!({ "model": "rag:elsewhere" });
    api.post("/api/generate", &unknown).is(404);
    api.post("/api/chat", &unknown).is(404);
    // A question needs words.
    for content in [json!(null), json!(""), json!(" \n")] {
        let reply = chat(json!([{ "role": "user", "content": content }])).is(400);
        assert!(reply.body.contains("the last user message is the question"), "{reply:?}");
    }
    api.server.stop();
}

#[test]
fn the_language_models_of_a_server_are_described() {
    let Some(sandbox) = indexed() else { return };
    let described = |server: &Server| {
        let document = server.get("/openapi.json").ok().json();
        let ask = &document["components"]["schemas"]["AskBody"]["properties"];
        (ask["generator"]["pattern"].clone(), ask["llm"]["enum"].clone())
    };
    let ask = |server: &Server, more: Value| {
        let mut body = json!({ "query": QUESTION });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        server.post("/ask", &body)
    };
    let without = Server::start(&sandbox, &[]);
    assert_eq!(described(&without), (json!("^(extractive)$"), json!([null])));
    ask(&without, json!({ "generator": "llm" })).is(400);
    // A name is never ignored, even where it has no effect.
    ask(&without, json!({ "generator": "extractive", "llm": "fast" })).is(400);
    ask(&without, json!({ "llm": null, "generator": "extractive" })).ok();
    without.stop();
    let llm = LlmServer::refusing();
    let with = with_llm(&sandbox, &llm, &[]);
    assert_eq!(described(&with), (json!("^(extractive|llm)$"), json!(["", null])));
    ask(&with, json!({ "generator": "extractive", "llm": "" })).ok();
    let refused = ask(&with, json!({ "llm": "fast" })).is(400);
    assert!(refused.body.contains("no language model `fast`"), "{refused:?}");
    with.stop();
}

#[test]
fn a_purge_names_what_it_removes() {
    let Some(sandbox) = indexed() else { return };
    let api = Api::start(&sandbox, &[]);
    for body in [
        json!({ "tags": ["default"] }),
        json!({ "domains": ["docs.example.org"], "tables": null }),
        json!({ "tags": ["docs/a.md"], "tables": ["all"] }),
        json!({ "tables": ["retrieval", "answers"], "domains": ["localhost:8080"] }),
    ] {
        api.post("/cache/purge", &body).ok();
    }
    for body in [
        json!({}),
        json!({ "tags": [], "domains": [] }),
        json!({ "tags": [""] }),
        json!({ "tags": ["./."] }),
        json!({ "tags": ["x"], "tables": ["embeddings"] }),
        json!({ "domains": ["https://example.org"] }),
        json!({ "domains": ["bücher.example"] }),
        json!({ "domains": ["."] }),
    ] {
        assert_eq!(api.post("/cache/purge", &body).status, 400, "{body}");
    }
    api.server.stop();
}

#[test]
fn addresses_that_the_description_allows_are_accepted() {
    let Some(sandbox) = indexed() else { return };
    let api = Api::start(&sandbox, &[]);
    let schema = &api.document["components"]["schemas"]["IngestBody"]["properties"]["urls"];
    let pattern = Regex::new(schema["items"]["pattern"].as_str().unwrap()).unwrap();
    for (url, is_fine) in [
        ("https://docs.example.org/a/b.html?x=1&y=2", true),
        ("http://a-b.example:8080", true),
        ("https://example.org", true),
        ("https://example.org/a*b/(c) d?e=[f]#g", true),
        ("https://example.org*", false),
        ("example.org", false),
        ("ftp://example.org/", false),
        ("https://", false),
        ("https://user:word@example.org/", false),
    ] {
        assert_eq!(pattern.is_match(url), is_fine, "{url}");
        assert_eq!(rag::sites::address(url).is_ok(), is_fine, "{url}");
    }
    let refused = api.post("/ingest/start", &json!({ "urls": ["example.org"] })).is(400);
    assert!(refused.body.contains("URL"), "{refused:?}");
    api.server.stop();
}
