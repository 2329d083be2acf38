//! A bug costs one question: a panic is reported for the question that caused it, and everything
//! else continues.
//!
//! The engine's clock is a parameter, so a test can make it panic on the thread that answers.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use rag::ask::Request;
use rag::batch;
use rag::error::Kind;
use rag::serve::{self, App};
use serde_json::{Value, json};

use crate::support::Sandbox;
use crate::support::server::Client;
use crate::sweep::{TINY, use_tiny_model};
use crate::tools::{engine_with, wait_for};

/// An index of two documents, made with the tiny model.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    use_tiny_model(&sandbox);
    sandbox.write(
        "docs/valve.md",
        "# Valves\n\nThe valve was replaced in April. It was made of brass.\n",
    );
    sandbox.write("docs/pump.md", "# Pumps\n\nThe pump was painted green in May.\n");
    sandbox.ingest();
    sandbox
}

#[test]
fn a_panic_in_a_batch_fails_one_question() {
    static PANICS: AtomicBool = AtomicBool::new(true);
    fn clock() -> SystemTime {
        assert!(!PANICS.swap(false, Ordering::SeqCst), "injected");
        SystemTime::UNIX_EPOCH
    }
    let sandbox = sandbox();
    let engine = engine_with(&sandbox, "data", TINY, &[], clock);
    let questions = "When was the valve replaced?\nWhat was painted green?\n{\"id\": 3, \
         \"question\": \"What is brass?\"}\n";
    let mut items = Vec::new();
    batch::run(&engine, questions.as_bytes(), &Request::default(), &mut |item| items.push(item))
        .expect("the batch continues");
    assert_eq!(items.iter().map(|item| item.line).collect::<Vec<_>>(), [1, 2, 3]);
    let failed: Vec<_> = items.iter().filter_map(|item| item.outcome.as_ref().err()).collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].kind(), Kind::Failed);
    assert!(failed[0].to_string().contains("a bug in rag"), "{}", failed[0]);
}

#[test]
fn a_panic_in_a_server_fails_one_request_and_keeps_the_model() {
    static PANICS: AtomicBool = AtomicBool::new(false);
    static ENDS: AtomicBool = AtomicBool::new(false);
    fn clock() -> SystemTime {
        let answers = std::thread::current().name() == Some("asker");
        assert!(!(answers && PANICS.swap(false, Ordering::SeqCst)), "injected");
        SystemTime::now()
    }
    let sandbox = sandbox();
    let engine = engine_with(&sandbox, "data", TINY, &[("RAG_SERVE_WORKERS", "1")], clock);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let app = Arc::new(App::new(engine, address).expect("a server"));
    std::thread::scope(|scope| {
        let served = scope.spawn(|| serve::until(&ENDS, listener, &app));
        let client = Client { address };
        let ask = |question: &str| client.post("/ask", &json!({ "query": question }));
        wait_for("a worker", || app.service.is_ready().then_some(()));
        ask("When was the valve replaced?").ok();
        // Loading the model again would fail now.
        let model = sandbox.path().join("share/rag/models").join(TINY);
        std::fs::rename(&model, model.with_extension("away")).expect("a rename");

        PANICS.store(true, Ordering::SeqCst);
        let refused = ask("What was painted green?").is(500);
        let error: Value = refused.json()["error"].clone();
        assert_eq!(
            (error["code"].as_str(), error["request_id"].is_string()),
            (Some("internal"), true),
            "{error}"
        );
        assert!(!refused.body.contains("src/"), "{}", refused.body);

        let answered = ask("What was painted green?").ok().json();
        assert_eq!(answered["supported"], true, "{answered}");

        PANICS.store(true, Ordering::SeqCst);
        let batch = json!({ "questions": ["What colour is the pump?", "What is made of brass?"] });
        let answers = client.post("/ask/batch", &batch).ok().json()["answers"].clone();
        assert_eq!(answers[0]["error"]["code"], "internal", "{answers}");
        assert!(answers[1]["answer"].is_string(), "{answers}");
        ENDS.store(true, Ordering::SeqCst);
        served.join().expect("no panic").expect("it ends well");
    });
    // One worker of the settings answered everything.
    assert_eq!(app.settings().workers, 1);
}
