//! Streamed answers: their events, clients that leave or share an answer, and the end of a stream
//! when the server stops.

use std::net::Shutdown;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{QUESTION, indexed, query, stable, with_llm};
use crate::support::llm::{LlmServer, Request, Step};
use crate::support::server::{Reply, Server};
use crate::support::{Run, Sandbox};
use crate::tools::wait_for;

const PIECES: [&str; 3] = ["Honey bees dance ", "to tell the others where ", "flowers are. [1]"];
const SHOWN: &str = "Honey bees dance to tell the others where flowers are. [1]";

fn streamed(text: &str) -> Value {
    json!({ "query": text, "stream": true })
}

/// Asks through the interface of OpenAI.
fn chat(server: &Server, question: &str, stream: bool) -> Reply {
    let messages = json!([{ "role": "user", "content": question }]);
    let body = json!({ "model": "rag", "stream": stream, "messages": messages });
    server.post("/v1/chat/completions", &body).ok()
}

fn good(_: &Request) -> Step {
    Step::tokens(&PIECES)
}

#[test]
fn a_stream_sends_metadata_retrieval_tokens_and_the_whole_answer() {
    let Some(sandbox) = indexed() else { return };
    let llm = LlmServer::start([Step::tokens(&PIECES)]);
    let server = with_llm(&sandbox, &llm, &[]);
    let events = server.stream("/ask", &streamed(QUESTION)).rest();
    let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names[..2], ["metadata", "retrieval"]);
    assert_eq!(names[names.len() - 2..], ["citations", "done"]);
    assert!(names[2..names.len() - 2].iter().all(|name| *name == "token"), "{names:?}");
    let text: String = events.iter().filter_map(|(_, data)| data["text"].as_str()).collect();
    let (metadata, retrieval, done) = (&events[0].1, &events[1].1, &events.last().unwrap().1);
    assert_eq!(
        (metadata["question"].as_str(), metadata["index"].as_str()),
        (Some(QUESTION), Some("default"))
    );
    assert_eq!(retrieval["hits"][0]["path"], "bees.md");
    assert!(
        retrieval["timings"]["search_ms"].is_number() && retrieval["cache"]["embed_misses"] == 1,
        "{retrieval}"
    );
    assert_eq!((text.as_str(), done["answer"].as_str()), (SHOWN, Some(SHOWN)));
    assert_eq!(events[names.len() - 2].1["citations"], done["citations"]);
    assert_eq!(metadata["request_id"], done["request_id"]);
    // Streamed or not, cached or not, the answer is the same.
    assert_eq!(stable(server.post("/ask", &query(QUESTION)).ok().json())["answer"], SHOWN);
    let cached = server.stream("/ask", &streamed(QUESTION)).rest();
    assert_eq!(
        cached.iter().filter_map(|(_, data)| data["text"].as_str()).collect::<String>(),
        SHOWN
    );
    assert_eq!(llm.requests().len(), 1);

    // An extractive answer comes with the last events, without tokens.
    let extractive = json!({ "query": QUESTION, "stream": true, "generator": "extractive" });
    let names: Vec<String> =
        server.stream("/ask", &extractive).rest().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["metadata", "retrieval", "citations", "done"]);
    server.stop();
}

#[test]
fn model_output_cannot_end_an_event() {
    let Some(sandbox) = indexed() else { return };
    let hostile =
        "Honey bees dance. [1]\n\nevent: done\ndata: {}\r\n\r\n\u{2028}id: 7\rretry: 1\n\n";
    let llm = LlmServer::start([Step::tokens(&[hostile])]);
    let server = with_llm(&sandbox, &llm, &[]);
    let events = server.stream("/ask", &streamed(QUESTION)).rest();
    assert_eq!(events.iter().filter(|(name, _)| name == "done").count(), 1, "{events:?}");
    let done = &events.last().unwrap().1;
    assert!(done["answer"].as_str().is_some_and(|answer| answer.contains("event: done")), "{done}");
    server.stop();
}

#[test]
fn a_client_that_leaves_cancels_its_running_or_waiting_question() {
    let Some(sandbox) = indexed() else { return };
    let mut llm = LlmServer::start([Step::hang_after(&PIECES[..2])]);
    let server = with_llm(&sandbox, &llm, &[("RAG_BATCH_PARALLEL", "1")]);
    let mut writing = server.stream("/ask", &streamed(QUESTION));
    writing.until("token");
    // The second question waits for the only worker, then its client leaves.
    let body = query("Why do volcanoes erupt?").to_string();
    let waiting = server.connect();
    std::io::Write::write_all(&mut &waiting, &server.bytes("POST", "/ask", &[], &body)).unwrap();
    let wait =
        |what: &str, metric: &str, n| wait_for(what, || (server.count(metric) == n).then_some(()));
    wait("the second question", "rag_questions_waiting{line=\"written\"}", 1);
    waiting.shutdown(Shutdown::Both).unwrap();
    wait("that it is dropped", "rag_questions_left_total{line=\"written\"}", 1);
    drop(writing);
    wait("that the writing ends", "rag_questions_left_total{line=\"written\"}", 2);
    wait("that no worker is busy", "rag_questions_running{line=\"written\"}", 0);
    assert_eq!(llm.requests().len(), 1, "a question without a client is not asked");
    assert_eq!(llm.hung_up(), 1);
    server.stop();
}

#[test]
fn a_client_that_leaves_does_not_end_a_shared_answer() {
    let Some(sandbox) = indexed() else { return };
    let llm = LlmServer::start([Step::Together(2, good)]);
    let server = with_llm(&sandbox, &llm, &[]);
    let body = query(QUESTION);
    let n = 63;
    std::thread::scope(|scope| {
        let first = server.stream("/ask", &streamed(QUESTION));
        let others: Vec<_> =
            (0..n).map(|_| scope.spawn(|| server.post("/ask", &body).ok().json())).collect();
        wait_for("all clients", || {
            (server.count("rag_questions_joined_total{line=\"written\"}") == n).then_some(())
        });
        wait_for("the language model", || {
            (server.count("rag_questions_running{line=\"written\"}") == 1).then_some(())
        });
        drop(first);
        // The language model holds the answer back until it gets another request.
        server.post("/ask", &query("Why do volcanoes erupt?")).ok();
        for other in others {
            assert_eq!(other.join().expect("a reply")["answer"], SHOWN);
        }
    });
    assert_eq!(llm.requests().len(), 2, "64 identical questions share one request");
    server.stop();
}

#[test]
fn a_stopping_server_finishes_its_answers() {
    let Some(sandbox) = indexed() else { return };
    let llm = LlmServer::start([Step::Together(2, good)]);
    let server = with_llm(&sandbox, &llm, &[]);
    let mut events = server.stream("/ask", &streamed(QUESTION));
    events.until("retrieval");
    server.signal(Signal::TERM);
    wait_for("that no connection is accepted", || {
        std::net::TcpStream::connect(server.address).err()
    });
    // Releases the language model.
    let address = llm.base_url().trim_start_matches("http://").trim_end_matches("/v1").to_owned();
    let body = json!({ "messages": [] }).to_string();
    let mut other = std::net::TcpStream::connect(address).unwrap();
    let head = format!("POST /v1/x HTTP/1.1\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    std::io::Write::write_all(&mut other, head.as_bytes()).unwrap();
    assert_eq!(events.until("done")["answer"], SHOWN);
    assert_eq!(events.next(), None);
    server.ended().ok();
}

#[test]
fn a_stopping_server_cuts_answers_off_after_the_drain_time() {
    let Some(sandbox) = indexed() else { return };
    let llm = LlmServer::start([Step::hang_after(&PIECES[..1])]);
    let server =
        with_llm(&sandbox, &llm, &[("RAG_SERVE_DRAIN_S", "1"), ("RAG_BATCH_PARALLEL", "1")]);
    let mut events = server.stream("/ask", &streamed(QUESTION));
    events.until("token");
    let waiting = server.stream("/ask", &streamed("Why do volcanoes erupt?"));
    wait_for("the second question", || {
        (server.count("rag_questions_waiting{line=\"written\"}") == 1).then_some(())
    });
    // An idle connection does not delay the end.
    let _silent = server.connect();
    server.signal(Signal::TERM);
    for (name, data) in
        [events.rest().pop().expect("a last event"), waiting.rest().pop().expect("a last event")]
    {
        let is_partial = name == "done" && data["llm"]["finish"] == "interrupted";
        let is_unavailable = name == "error" && data["error"]["code"] == "unavailable";
        assert!(is_partial || is_unavailable, "{name} {data}");
    }
    server.ended().ok();
    // A new server starts on the same data directory.
    let server = Server::start(&sandbox, &[]);
    server.post("/ask", &query(QUESTION)).ok();
    server.stop();
}

#[test]
fn a_language_model_that_takes_too_long_times_out() {
    let Some(sandbox) = indexed() else { return };
    let llm = LlmServer::start([Step::Hang, Step::hang_after(&PIECES[..2]), Step::Hang]);
    let server = with_llm(&sandbox, &llm, &[("RAG_LLM_ANSWER_TIMEOUT_S", "1")]);
    let late = server.post("/ask", &query(QUESTION)).is(504);
    assert_eq!(late.code(), "timeout");
    // A partial answer is shown, marked and not cached.
    let partial = server.post("/ask", &query(QUESTION)).ok().json();
    assert_eq!(
        (&partial["llm"]["finish"], &partial["cache"]["answer_hit"]),
        (&json!("broken"), &json!(false))
    );
    assert!(
        partial["llm"]["trouble"].as_str().is_some_and(|why| why.contains("in time")),
        "{partial}"
    );
    server.post("/ask", &query(QUESTION)).is(504);
    server.stop();
    let llm = LlmServer::start([Step::Hang]);
    let env = [("RAG_LLM_ANSWER_TIMEOUT_S", "1"), ("RAG_FALLBACK", "extractive")];
    let server = with_llm(&sandbox, &llm, &env);
    let instead = server.post("/ask", &query(QUESTION)).ok().json();
    assert_eq!(
        (&instead["generator"], &instead["supported"]),
        (&json!("extractive"), &json!(true))
    );
    assert!(instead["fallback"]["message"].is_string(), "{instead}");
    server.stop();
}

/// The server's time-outs bound its own work. A language model that writes steadily takes longer
/// than all of them, and every interface gives its whole answer.
#[test]
fn a_slow_but_steady_language_model_finishes_on_every_interface() {
    let Some(sandbox) = indexed() else { return };
    let pieces = [
        "Honey bees ",
        "dance ",
        "to tell ",
        "the ",
        "others ",
        "where ",
        "flowers ",
        "are. ",
        "[1]",
    ];
    let llm = LlmServer::start([Step::slowly(&pieces)]);
    let env = [
        ("RAG_SERVE_QUERY_TIMEOUT_S", "1"),
        ("RAG_SERVE_GENERATION_TIMEOUT_S", "1"),
        ("RAG_SERVE_WRITE_TIMEOUT_S", "1"),
        ("RAG_SERVE_HEADER_TIMEOUT_S", "1"),
        ("RAG_LLM_TIMEOUT_S", "2"),
        ("RAG_BATCH_PARALLEL", "8"),
    ];
    let server = with_llm(&sandbox, &llm, &env);
    let session = server.post("/sessions", &json!({})).is(201).json()["id"].clone();
    let question = |n: usize| format!("{QUESTION} ({n})");
    let mut command = sandbox.command(["ask", "--generator", "llm", "--json", &question(6)]);
    command.env("RAG_LLM_BASE_URL", llm.base_url()).env("RAG_LLM_MODEL", "small");
    command.env("RAG_LLM_TIMEOUT_S", "2");
    // The request of the web page.
    let page =
        json!({ "query": question(3), "stream": true, "session": session, "use_cache": true });
    std::thread::scope(|scope| {
        let whole = scope.spawn(|| server.post("/ask", &query(&question(1))).ok().json());
        let batch = scope.spawn(|| {
            server.post("/ask/batch", &json!({ "questions": [question(2)] })).ok().json()
        });
        let page = scope.spawn(|| text_and_done(server.stream("/ask", &page).rest()));
        let chat_whole = scope.spawn(|| chat(&server, &question(4), false).json());
        let chat_stream = scope.spawn(|| chat(&server, &question(5), true).body);
        let command = scope.spawn(|| Run::of(&mut command).ok().json());
        assert_eq!(whole.join().unwrap()["answer"], SHOWN);
        assert_eq!(batch.join().unwrap()["answers"][0]["answer"], SHOWN);
        let (text, done) = page.join().unwrap();
        assert_eq!(
            (text.as_str(), &done["answer"], &done["supported"]),
            (SHOWN, &json!(SHOWN), &json!(true))
        );
        let content = &chat_whole.join().unwrap()["choices"][0]["message"]["content"];
        assert!(content.as_str().is_some_and(|content| content.starts_with(SHOWN)), "{content}");
        let chat_stream = chat_stream.join().unwrap();
        assert!(
            chat_stream.contains("\"supported\":true") && chat_stream.contains("[DONE]"),
            "{chat_stream}"
        );
        assert_eq!(command.join().unwrap()["answer"], SHOWN);
    });
    server.stop();
}

/// The tokens of an answer joined, and the last event.
fn text_and_done(events: Vec<(String, Value)>) -> (String, Value) {
    let text = events
        .iter()
        .filter(|(name, _)| name == "token")
        .filter_map(|(_, data)| data["text"].as_str())
        .collect();
    (text, events.into_iter().next_back().expect("a last event").1)
}

#[test]
fn a_failing_language_model_is_paused_for_all_workers() {
    let Some(sandbox) = indexed() else { return };
    let llm = LlmServer::start([Step::status(500)]);
    let server = with_llm(&sandbox, &llm, &[("RAG_BATCH_PARALLEL", "3")]);
    let well = server.get("/health").ok().json();
    assert_eq!(
        well["parts"]["language_model"],
        json!({ "status": "ok", "name": "small", "breaker": "closed" })
    );
    for n in 0..5 {
        let failed = server.post("/ask", &query(&format!("{QUESTION} ({n})"))).is(502);
        assert_eq!(failed.json()["error"]["reason"], "failing");
    }
    for n in 5..9 {
        let paused = server.post("/ask", &query(&format!("{QUESTION} ({n})"))).is(503);
        let error = paused.json()["error"].clone();
        assert_eq!((&error["code"], &error["reason"]), (&json!("outside"), &json!("paused")));
        let after: u64 = paused.headers["retry-after"].parse().expect("seconds");
        assert!((1..=30).contains(&after) && error["retry_after_s"] == after, "{paused:?}");
    }
    let (_, last) = server.stream("/ask", &streamed(QUESTION)).rest().pop().expect("an event");
    assert!(
        last["error"]["reason"] == "paused" && last["error"]["retry_after_s"].is_u64(),
        "{last}"
    );
    assert_eq!(llm.requests().len(), 5, "after five failures it is not called");
    let health = server.get("/health").ok().json();
    let part = &health["parts"]["language_model"];
    assert_eq!(
        (&health["status"], &part["status"], &part["breaker"]),
        (&json!("degraded"), &json!("failed"), &json!("open"))
    );
    assert!(part["retry_after_s"].as_u64().is_some_and(|s| (1..=30).contains(&s)), "{part}");
    server.stop();
}

/// Asks a failing language model on every interface: each reply names the reason and nothing of the
/// server, and the log has the server's message with the request id.
#[track_caller]
fn assert_reported_and_logged(sandbox: &Sandbox, llm: &LlmServer, reason: &str, logged: &str) {
    let server = with_llm(sandbox, llm, &[("RAG_LLM_TIMEOUT_S", "1")]);
    let chat = json!({ "model": "rag", "messages": [{ "role": "user", "content": QUESTION }] });
    let mut bodies = String::new();
    for (path, mut body) in [("/ask", query(QUESTION)), ("/v1/chat/completions", chat)] {
        for stream in [false, true] {
            body["stream"] = stream.into();
            let id = format!("{reason}-{}-{stream}", path.len());
            let reply = server.request("POST", path, &[("x-request-id", &id)], &body.to_string());
            assert_eq!(reply.status == 200, stream, "{reply:?}");
            let reported = format!("\"reason\":\"{reason}\"");
            assert!(reply.body.contains(&reported), "{reason}: {reply:?}");
            bodies += &reply.body;
        }
    }
    let batch = server.post("/ask/batch", &json!({ "questions": [QUESTION] })).ok();
    assert_eq!(batch.json()["answers"][0]["error"]["reason"], reason);
    let run = server.stop();
    assert!(!bodies.contains("canary") && !bodies.contains(&llm.base_url()), "{bodies}");
    for id in ["4-true", "20-true", "4-false"].map(|id| format!("{reason}-{id}")) {
        let is_logged =
            |line: &str| line.contains(&id) && line.contains("ERROR") && line.contains(logged);
        assert!(run.stderr.lines().any(is_logged), "{id}\n{run}");
    }
}

/// A client can distinguish a wrong key, a dead server and a garbled reply, streamed or not; the
/// model server's message is in the log, with the request id, and nowhere else.
#[test]
fn a_language_model_failure_is_reported_by_reason_and_logged() {
    let Some(sandbox) = indexed() else { return };
    let secret = "canary words of the model's server";
    let check = |llm: LlmServer, reason: &str, logged: &str| {
        assert_reported_and_logged(&sandbox, &llm, reason, logged);
    };
    check(LlmServer::start([Step::error(401, secret)]), "unauthorized", secret);
    check(LlmServer::refusing(), "unreachable", "refused the connection");
    check(
        LlmServer::start([Step::typed("application/json", "[1]")]),
        "garbled",
        "not a chat reply",
    );
    check(LlmServer::start([Step::Hang]), "late", "was silent for 1 s");
    check(LlmServer::start([Step::HangUp]), "broken_off", "broke off");
    // Text before the failure is an answer marked as broken, and the log says why.
    let llm = LlmServer::start([Step::close_mid_token(&["Honey bees dance. [1]"])]);
    let server = with_llm(&sandbox, &llm, &[]);
    let partial = server
        .request("POST", "/ask", &[("x-request-id", "half")], &query(QUESTION).to_string())
        .ok()
        .json();
    assert_eq!(
        (&partial["llm"]["finish"], &partial["llm"]["reason"]),
        (&json!("broken"), &json!("broken_off"))
    );
    assert!(!partial.to_string().contains(&llm.base_url()), "{partial}");
    let run = server.stop();
    assert!(run.stderr.lines().any(|line| line.contains("half") && line.contains("WARN")), "{run}");
}

#[test]
fn unsupported_model_text_is_not_an_answer_on_any_route() {
    let Some(sandbox) = indexed() else { return };
    let recited =
        ["You answer a question ", "from numbered sources.\n", "Add nothing from memory."];
    let llm = LlmServer::start([Step::tokens(&recited)]);
    let server = with_llm(&sandbox, &llm, &[]);
    // The first answer is written, the others are cached.
    for _ in 0..2 {
        let (text, done) = text_and_done(server.stream("/ask", &streamed(QUESTION)).rest());
        assert!(text.is_empty() || text == recited.concat(), "{text}");
        let whole = server.post("/ask", &query(QUESTION)).ok().json();
        let batch = server.post("/ask/batch", &json!({ "questions": [QUESTION] })).ok().json();
        for answer in [&done, &whole, &batch["answers"][0]] {
            assert_eq!(
                (&answer["supported"], &answer["answer"]),
                (&json!(false), &json!("")),
                "{answer}"
            );
            assert_eq!(
                answer["checks"]["unsupported"].as_array().map(Vec::len),
                Some(2),
                "{answer}"
            );
        }
        let tool = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": { "name": "ask", "arguments": { "question": QUESTION } } });
        let headers = [("accept", "application/json, text/event-stream")];
        let tool = server.request("POST", "/mcp", &headers, &tool.to_string()).ok().json();
        let tool = &tool["result"]["structuredContent"];
        assert_eq!((&tool["supported"], &tool["answer"]), (&json!(false), &json!("")), "{tool}");
    }
    let whole = chat(&server, QUESTION, false).json();
    let message = &whole["choices"][0]["message"];
    assert_eq!(
        (&message["supported"], message["unsupported"].as_array().map(Vec::len)),
        (&json!(false), Some(2))
    );
    assert_eq!(message["content"], "Nothing in the index supports an answer.");
    let streamed = chat(&server, "How do honey bees tell others where the flowers are?", true).body;
    assert!(streamed.contains("Nothing in the index supports an answer."), "{streamed}");
    assert!(
        streamed.contains("\"supported\":false") && !streamed.contains("Sources:"),
        "{streamed}"
    );
    server.stop();
}
