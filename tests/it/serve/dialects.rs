//! Requests of clients that were written for other servers: Ollama's API, OpenAI's Responses,
//! reranks, many embeddings, and the extra fields and headers of all of them.

use serde_json::{Value, json};

use super::routes::{Api, strings, user};
use super::{QUESTION, indexed, with_llm};
use crate::support::llm::{LlmServer, Step};
use crate::support::server::Reply;

const MODEL: &str = "all-MiniLM-L6-v2";

/// The objects of a reply, one a line.
fn lines(reply: &Reply) -> Vec<Value> {
    assert_eq!(reply.headers["content-type"], "application/x-ndjson", "{reply:?}");
    // Chunks of the transfer encoding are between the lines.
    let lines = reply.body.lines().filter(|line| line.starts_with('{'));
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn front_ends_of_ollama_list_models_and_chat_with_them() {
    let Some(sandbox) = indexed() else { return };
    let api = Api::start(&sandbox, &[]);
    let tags = api.get("/api/tags").ok().json()["models"].clone();
    assert_eq!(strings(&tags, "name"), ["rag:latest", "rag:default", "all-MiniLM-L6-v2:latest"]);
    assert!(tags[0]["size"].as_u64().unwrap() > 0, "{tags}");
    assert_eq!(tags[0]["digest"].as_str().map(str::len), Some(64));
    assert_eq!(strings(&api.get("/api/ps").ok().json()["models"], "name").len(), 3);
    assert!(api.get("/api/version").ok().json()["version"].is_string());
    let show = |model: &str| api.post("/api/show", &json!({ "model": model }));
    assert_eq!(show("rag:default").ok().json()["capabilities"], json!(["completion"]));
    assert_eq!(show(MODEL).ok().json()["model_info"]["bert.embedding_length"], 384);
    assert_eq!(show("rag:nobody").is(404).json()["error"], "model 'rag:nobody' not found");

    let ask = |more: Value| {
        let mut body = json!({ "model": "rag:latest", "messages": [user(QUESTION)] });
        body.as_object_mut().unwrap().append(&mut more.as_object().unwrap().clone());
        api.post("/api/chat", &body)
    };
    let whole = ask(json!({ "stream": false })).ok().json();
    let content = whole["message"]["content"].as_str().unwrap();
    assert!(content.ends_with("\n\nSources:\n[1] docs/bees.md:3"), "{content}");
    assert_eq!((&whole["done"], &whole["done_reason"]), (&json!(true), &json!("stop")));
    assert!(whole["eval_count"].as_u64().unwrap() > 0 && whole["eval_duration"].is_u64());
    assert_eq!(whole["citations"][0]["path"], "bees.md");

    let streamed = lines(&ask(json!({ "options": { "temperature": 0.1 }, "keep_alive": "5m" })));
    let text: String =
        streamed.iter().map(|line| line["message"]["content"].as_str().unwrap()).collect();
    assert_eq!(text, content);
    let done: Vec<bool> = streamed.iter().map(|line| line["done"] == true).collect();
    assert!(done.split_last().is_some_and(|(last, rest)| *last && !rest.contains(&true)));

    let body = json!({ "model": "rag", "prompt": QUESTION, "stream": false });
    let generated = api.post("/api/generate", &body).ok().json();
    assert_eq!((&generated["response"], &generated["context"]), (&json!(content), &json!([])));
    // Some clients state no type of the body, which other routes require.
    let untyped = |route: &str| {
        let text = json!({ "model": "rag", "prompt": QUESTION, "stream": false }).to_string();
        let (host, n) = (api.server.address, text.len());
        let head = format!("POST {route} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
        api.server.raw(format!("{head}content-length: {n}\r\n\r\n{text}").as_bytes())
    };
    assert_eq!(untyped("/api/generate").ok().json()["response"], content);
    untyped("/ask").is(415);
    // A client loads a model with an empty request.
    let loaded = ask(json!({ "messages": [] })).ok().json();
    assert_eq!((&loaded["done_reason"], &loaded["done"]), (&json!("load"), &json!(true)));
    let loaded = api.post("/api/generate", &json!({ "model": "rag" })).ok().json();
    assert_eq!(loaded["response"], "");
    api.server.stop();
}

#[test]
fn errors_of_ollamas_api_are_strings_and_name_the_field() {
    let Some(sandbox) = indexed() else { return };
    let api = Api::start(&sandbox, &[]);
    let refused = |route: &str, body: Value, status: u16, says: &str| {
        let reply = api.post(route, &body).is(status);
        let error = reply.json()["error"].as_str().map(str::to_owned);
        let error = error.unwrap_or_else(|| panic!("{reply:?}"));
        assert!(error.contains(says), "{body}: {error}");
        assert_eq!(reply.json()["request_id"].as_str(), Some(&*reply.headers["x-request-id"]));
    };
    let chat = |messages: Value| json!({ "model": "rag", "messages": messages });
    refused("/api/chat", json!({ "model": "llama3" }), 404, "model 'llama3' not found");
    refused("/api/chat", chat(json!([{ "content": "x" }])), 400, "`messages[0].role` is missing");
    refused("/api/chat", chat(json!([user(" ")])), 400, "`messages[0].content` is empty");
    let system = json!([{ "role": "system", "content": "x" }]);
    refused("/api/chat", chat(system), 400, "`messages` has no message with the role user");
    let picture = json!([{ "role": "user", "content": "x", "images": ["AAAA"] }]);
    refused("/api/chat", chat(picture), 400, "`messages[0].images` must be empty");
    let formatted = json!({ "model": "rag", "messages": [user("x")], "format": "json" });
    refused("/api/chat", formatted, 400, "`format` must be absent");
    let between = json!({ "model": "rag", "prompt": "a", "suffix": "b" });
    refused("/api/generate", between, 400, "`suffix` must be absent");
    refused("/api/embed", json!({ "model": "rag", "input": "x" }), 404, "not found");
    refused("/api/embed", json!({ "model": MODEL, "input": [7] }), 400, "input[0]");
    refused("/api/show", json!({}), 400, "`model` is missing");
    api.server.stop();

    let llm = LlmServer::refusing();
    let api = Api::of(with_llm(&sandbox, &llm, &[]), &[]);
    let failed = api.post("/api/chat", &chat(json!([user(QUESTION)]))).ok();
    let last = lines(&failed).pop().unwrap();
    assert!(last["error"].is_string() && last["reason"].is_string(), "{last}");
    api.server.stop();
}

#[test]
fn a_language_model_is_streamed_in_every_dialect() {
    let Some(sandbox) = indexed() else { return };
    let steps = || Step::tokens(&["Bees dance", " to tell where", " flowers are [1]."]);
    let llm = LlmServer::start([steps(), steps()]);
    let api = Api::of(with_llm(&sandbox, &llm, &[("RAG_CACHE_ANSWERS_TTL_HOURS", "1")]), &[]);
    let expected = "Bees dance to tell where flowers are [1].\n\nSources:\n[1] docs/bees.md:3";
    let chat = json!({ "model": "rag", "messages": [
        user("What do honey bees do?"),
        { "role": "assistant", "content": "They dance [1]." },
        user(QUESTION),
    ]});
    let pieces = lines(&api.post("/api/chat", &chat).ok());
    let pieces: Vec<&str> =
        pieces.iter().filter_map(|line| line["message"]["content"].as_str()).collect();
    assert!(pieces.len() >= 3, "{pieces:?}");
    assert_eq!(pieces.concat(), expected);
    let body = json!({ "model": "rag", "input": QUESTION, "stream": true, "store": false });
    let events = api.post("/v1/responses", &body).ok();
    let deltas = deltas(&events.body);
    assert_eq!(deltas.concat(), expected);
    assert!(deltas.len() >= 3, "{deltas:?}");
    api.server.stop();
}

/// Data of server-sent events.
fn data(body: &str) -> Vec<Value> {
    let lines = body.lines().filter_map(|line| line.strip_prefix("data: "));
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn deltas(body: &str) -> Vec<String> {
    let events = data(body).into_iter();
    events.filter_map(|event| event["delta"].as_str().map(str::to_owned)).collect()
}

#[test]
fn a_response_is_streamed_and_continued_by_its_id() {
    let Some(sandbox) = indexed() else { return };
    let api = Api::start(&sandbox, &[]);
    let respond = |body: Value| api.post("/v1/responses", &body);
    let first = respond(json!({ "model": "rag", "input": "What do honey bees do?" })).ok().json();
    assert_eq!((&first["object"], &first["status"]), (&json!("response"), &json!("completed")));
    let item = &first["output"][0];
    assert_eq!((&item["type"], &item["role"]), (&json!("message"), &json!("assistant")));
    let text = item["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("dance") && text.contains("Sources:"), "{text}");
    let usage = |name: &str| first["usage"][name].as_u64().unwrap();
    assert_eq!(usage("total_tokens"), usage("input_tokens") + usage("output_tokens"));

    let id = first["id"].as_str().unwrap();
    let next = json!({ "model": "rag", "input": "And in the dark?", "previous_response_id": id });
    let next = respond(next).ok().json();
    assert_eq!(next["previous_response_id"], id);
    assert_ne!(next["id"], id);
    let session = id.split('_').nth(1).unwrap();
    let turns = api.get(&format!("/sessions/{session}")).ok().json()["turns"].clone();
    assert_eq!(turns.as_array().map(Vec::len), Some(2), "{turns}");
    // A response that is not stored cannot be continued, nor can an unknown one.
    let unstored = json!({ "model": "rag", "input": QUESTION, "store": false });
    let unstored = respond(unstored).ok().json()["id"].as_str().unwrap().to_owned();
    for id in [unstored.as_str(), "resp_", "resp_0123456789abcdef0123456789abcdef_0"] {
        let body = json!({ "model": "rag", "input": "Why?", "previous_response_id": id });
        let error = respond(body).is(404).json()["error"].clone();
        assert_eq!(error["param"], "previous_response_id", "{error}");
    }

    let conversation = json!([
        { "role": "developer", "content": "Be kind." },
        { "role": "user", "content": [{ "type": "input_text", "text": QUESTION }] },
    ]);
    let body = json!({ "model": "rag:default", "input": conversation, "stream": true });
    let events = data(&respond(body).ok().body);
    let kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed",
        ]
    );
    let numbers: Vec<u64> =
        events.iter().map(|event| event["sequence_number"].as_u64().unwrap()).collect();
    assert!(numbers.iter().copied().eq(0..events.len() as u64), "{numbers:?}");
    for (body, param) in [
        (json!({ "model": "rag", "input": [] }), "input"),
        (json!({ "model": "rag", "input": "x", "background": true }), "background"),
        (json!({ "model": "rag", "input": "x", "tool_choice": "required" }), "tool_choice"),
        (json!({ "model": "rag", "input": "x", "text": { "format": { "type": "json" } } }), "text"),
    ] {
        assert_eq!(respond(body).is(400).json()["error"]["param"], param);
    }
    assert_eq!(
        respond(json!({ "model": "gpt-5", "input": "x" })).is(404).json()["error"]["code"],
        "model_not_found"
    );
    api.server.stop();
}

#[test]
fn filter_number_and_session_come_by_fields_and_by_headers() {
    let Some(sandbox) = indexed() else { return };
    let api = Api::start(&sandbox, &[]);
    let html = "type:html";
    let cited = |reply: Value, place: &str| -> Vec<String> {
        let citations = reply.pointer(place).unwrap_or_else(|| panic!("{reply}")).clone();
        strings(&citations, "path")
    };
    let chat = json!({ "model": "rag", "messages": [user(QUESTION)] });
    let place = "/choices/0/message/citations";
    assert_eq!(cited(api.chat(json!({})).ok().json(), place), ["bees.md"]);
    assert!(
        !cited(api.chat(json!({ "filter": html, "k": 1 })).ok().json(), place)
            .contains(&"bees.md".to_owned())
    );
    let by_header = |route: &str, name: &str, value: &str, body: &Value| {
        api.call("POST", route, &[(name, value)], &body.to_string())
    };
    let route = "/v1/chat/completions";
    let filtered = by_header(route, "X-Rag-Filter", html, &chat).ok().json();
    assert!(!cited(filtered, place).contains(&"bees.md".to_owned()));
    let error = by_header(route, "x-rag-k", "many", &chat).is(400).json()["error"].clone();
    assert!(error["message"].as_str().unwrap().contains("`k`"), "{error}");
    by_header(route, "x-rag-session", "0123456789abcdef0123456789abcdef", &chat).is(404);

    let ollama = json!({ "model": "rag", "messages": [user(QUESTION)], "stream": false,
        "options": { "filter": html } });
    let filtered = api.post("/api/chat", &ollama).ok().json();
    assert!(!cited(filtered, "/citations").contains(&"bees.md".to_owned()));
    let body = json!({ "model": "rag", "input": QUESTION, "filter": html });
    let filtered = api.post("/v1/responses", &body).ok().json();
    assert!(!cited(filtered, "/output/0/citations").contains(&"bees.md".to_owned()));

    // A session keeps the conversation on the server.
    let id = api.post("/sessions", &json!({})).is(201).json()["id"].as_str().unwrap().to_owned();
    by_header(route, "X-Rag-Session", &id, &chat).ok();
    api.chat(json!({ "session": id })).ok();
    let turns = api.get(&format!("/sessions/{id}")).ok().json()["turns"].clone();
    assert_eq!(turns.as_array().map(Vec::len), Some(2), "{turns}");
    api.server.stop();
}

#[test]
fn two_thousand_texts_are_embedded_and_long_ones_cut_on_request() {
    let Some(sandbox) = indexed() else { return };
    let api = Api::start(&sandbox, &[]);
    let many = |n: usize| api.embed(json!({ "input": vec!["bees"; n] }));
    let reply = many(2048).ok().json();
    let data = reply["data"].as_array().unwrap();
    assert_eq!((data.len(), &data[2047]["index"]), (2048, &json!(2047)));
    assert_eq!(data[2047]["embedding"], data[0]["embedding"]);
    assert_eq!(many(2049).is(400).json()["error"]["param"], "input");

    let long = "word ".repeat(400);
    let refused = api.embed(json!({ "input": ["bees", long] })).is(400).json();
    assert!(refused["error"]["message"].as_str().unwrap().starts_with("text 1 has"), "{refused}");
    for truncate in [json!(true), json!("END")] {
        let cut = api.embed(json!({ "input": long, "truncate": truncate })).ok().json();
        assert_eq!(cut["usage"]["prompt_tokens"], 256, "{}", cut["usage"]);
    }
    api.embed(json!({ "truncate": "START" })).is(400);

    // Ollama's API cuts unless it is told not to.
    let embed = |more: Value| {
        let mut body = json!({ "model": MODEL, "input": [long] });
        body.as_object_mut().unwrap().append(&mut more.as_object().unwrap().clone());
        api.post("/api/embed", &body)
    };
    let cut = embed(json!({})).ok().json();
    assert_eq!(cut["embeddings"][0].as_array().map(Vec::len), Some(384));
    assert_eq!(cut["prompt_eval_count"], 256);
    embed(json!({ "truncate": false })).is(400);
    embed(json!({ "dimensions": 7 })).is(400);
    let old = json!({ "model": "all-MiniLM-L6-v2:latest", "prompt": "bees" });
    let old = api.post("/api/embeddings", &old).ok().json();
    assert_eq!(old["embedding"], data[0]["embedding"]);
    api.server.stop();
}

#[test]
fn documents_of_a_client_are_reranked() {
    let Some(sandbox) = indexed() else { return };
    let api = Api::start(&sandbox, &[]);
    let rerank = |more: Value| {
        let documents = json!(["The tide rises twice a day.", { "text": "Honey bees dance." }]);
        let mut body = json!({ "model": MODEL, "query": QUESTION, "documents": documents });
        body.as_object_mut().unwrap().append(&mut more.as_object().unwrap().clone());
        api.post("/v1/rerank", &body)
    };
    let reply = rerank(json!({})).ok().json();
    let order: Vec<u64> = reply["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| result["index"].as_u64().unwrap())
        .collect();
    assert_eq!(order, [1, 0], "{reply}");
    let score = |n: usize| reply["results"][n]["relevance_score"].as_f64().unwrap();
    assert!(score(0) > score(1) && score(0) <= 1.0, "{reply}");
    let best = rerank(json!({ "top_n": 1, "return_documents": true })).ok().json();
    assert_eq!(best["results"][0]["document"], json!({ "text": "Honey bees dance." }));
    assert_eq!(best["results"].as_array().map(Vec::len), Some(1));
    let many = vec!["Honey bees dance."; 100];
    let all = rerank(json!({ "documents": many })).ok().json();
    assert!(all["results"].as_array().unwrap().iter().zip(0..).all(|(r, n)| r["index"] == n));
    for (more, param) in [
        (json!({ "documents": [] }), "documents"),
        (json!({ "documents": [7] }), "documents[0]"),
        (json!({ "query": " " }), "query"),
        (json!({ "top_n": 0 }), "top_n"),
    ] {
        assert_eq!(rerank(more).is(400).json()["error"]["param"], param);
    }
    assert_eq!(rerank(json!({ "model": "rerank-v3.5" })).is(404).json()["error"]["param"], "model");
    // Cohere's second version has its own path.
    let body = json!({ "model": MODEL, "query": "bees", "documents": ["bees"] }).to_string();
    api.server.request("POST", "/v2/rerank", &[], &body).ok();
    api.server.stop();
}
