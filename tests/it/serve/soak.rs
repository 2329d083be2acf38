//! The same requests repeatedly: memory, files and threads of the server must not grow. Seconds, or
//! half an hour with `RAG_TEST_THOROUGH`.

use std::time::{Duration, Instant};

use serde_json::json;

use super::crowds::usage;
use super::{QUESTION, indexed, query, with_llm};
use crate::support::llm::{LlmServer, Step};
use crate::support::server::Server;
use crate::tools::{thorough, wait_for};

/// Good and bad requests of every kind.
fn round(server: &Server, n: usize) {
    let asked = format!("What do bees do on day {n}?");
    server.post("/ask", &json!({ "query": asked, "generator": "extractive" })).ok();
    server.post("/ask", &json!({ "query": QUESTION, "generator": "extractive" })).ok();
    server.post("/search", &json!({ "query": asked, "k": 3, "filter": "type:markdown" })).ok();
    server.post("/search", &json!({ "query": asked, "mode": "lexical", "use_cache": false })).ok();
    server.stream("/ask", &json!({ "query": asked, "stream": true })).until("done");
    // A client that leaves during the answer, one that never sends a request, one that sends
    // nonsense.
    server
        .stream(
            "/ask",
            &json!({ "query": format!("{asked} Why?"), "stream": true, "use_cache": false }),
        )
        .next();
    drop(server.connect());
    server.post("/ask", &json!({ "query": "" })).is(400);
    server.post("/ask", &json!({ "query": asked, "index": "none" })).is(404);
    server.request("GET", "/metrics", &[("host", "evil.example")], "").is(403);
    server.get("/metrics").ok();
    server.get("/health").ok();
}

#[test]
fn memory_files_and_threads_do_not_grow() {
    let Some(sandbox) = indexed() else { return };
    let llm = LlmServer::start([Step::tokens(&["Honey bees dance. [1]"])]);
    // Workers for a language model start on demand, up to this number, and each loads a model.
    let server = with_llm(&sandbox, &llm, &[("RAG_BATCH_PARALLEL", "1")]);
    let settle = || {
        wait_for("that all are closed", || {
            (server.count("rag_http_connections") == 1).then_some(())
        });
        usage(server.pid())
    };
    let (warm_up, least) =
        if thorough() { (200, Duration::from_secs(30 * 60)) } else { (10, Duration::ZERO) };
    (0..warm_up).for_each(|n| round(&server, n));
    // Repeated requests need no more memory.
    for _ in 0..4 {
        server.post("/ask", &query(QUESTION)).ok();
    }
    let (memory, files, threads) = settle();
    let start = Instant::now();
    let mut n = warm_up;
    while n < 3 * warm_up || start.elapsed() < least {
        round(&server, n);
        n += 1;
    }
    let (memory_after, files_after, threads_after) = settle();
    eprintln!(
        "{n} rounds: {memory} to {memory_after} KiB, {files} to {files_after} files, {threads} to \
         {threads_after} threads"
    );
    assert!(files_after <= files + 4, "from {files} to {files_after} open files after {n} rounds");
    assert!(
        threads_after <= threads + 2,
        "from {threads} to {threads_after} threads after {n} rounds"
    );
    assert!(
        memory_after <= memory + (48 << 10),
        "from {memory} to {memory_after} KiB after {n} rounds"
    );
    server.stop();
}
