//! `rag stats`: what is recorded, what is not, and its report.

use serde_json::{Value, json};

use crate::fixtures::{files_below, indexed};
use crate::support::{Run, Sandbox};

fn recorded(sandbox: &Sandbox, env: &[(&str, &str)], args: &[&str]) -> Run {
    let mut command = sandbox.command(args);
    Run::of(command.env("RAG_ANALYTICS_RECORD", "all").envs(env.iter().copied()))
}

fn ask_some(sandbox: &Sandbox, env: &[(&str, &str)]) {
    for _ in 0..3 {
        recorded(sandbox, env, &["ask", "What pulls the sea?"]).ok();
    }
    recorded(sandbox, env, &["ask", "Who won the chess championship in 1972?", "--session", "s1"])
        .exits(3);
    recorded(sandbox, env, &["search", "wax combs", "--mode", "lexical"]).ok();
}

#[test]
fn commands_are_recorded_only_on_request() {
    let sandbox = indexed();
    sandbox.rag(["ask", "What pulls the sea?"]).ok();
    assert!(!sandbox.data().join("analytics").exists());
    let run = sandbox.rag(["stats"]).exits(3).says("rag serve").says("analytics.record");
    assert_eq!(run.stdout, "");
    let empty = sandbox.rag(["stats", "--json"]).exits(3).json();
    assert_eq!((&empty["questions"], &empty["top"]), (&json!(0), &json!([])));
    assert!(!sandbox.data().join("analytics").exists(), "a report creates nothing");
}

#[test]
fn questions_are_counted_without_their_text() {
    let sandbox = indexed();
    ask_some(&sandbox, &[]);
    let stats = sandbox.rag(["stats", "--json"]).ok().json();
    for (key, value) in [
        ("questions", json!(4)),
        ("searches", json!(1)),
        ("supported", json!(3)),
        ("supported_rate", json!(0.75)),
        ("answer_hit_rate", json!(0.5)),
        ("damaged", json!(0)),
    ] {
        assert_eq!(stats[key], value, "{key}: {stats}");
    }
    assert_eq!((&stats["top"][0]["count"], &stats["top"][0]["text"]), (&json!(3), &Value::Null));
    assert_eq!(stats["unanswered"].as_array().unwrap().len(), 1);
    assert_eq!(
        stats["documents"][0],
        json!({ "index": "default", "path": "docs/tides.md", "count": 3 })
    );
    let total = &stats["latency_ms"]["total"];
    assert!(
        total["p50"].as_f64().unwrap() > 0.0 && total["p50"].as_f64() <= total["p99"].as_f64(),
        "{stats}"
    );
    let shown = sandbox
        .rag(["stats"])
        .ok()
        .prints("answered")
        .prints("75.0 %")
        .prints("docs/tides.md")
        .prints("P95");
    assert!(!shown.stdout.contains("pulls the sea"), "{shown}");
    sandbox.rag(["stats", "--since", "1h"]).ok();
    sandbox.rag(["stats", "--since", "soon"]).exits(2).says("7d");
    for file in files_below(&sandbox.data().join("analytics")) {
        let bytes = std::fs::read(sandbox.data().join("analytics").join(file)).unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(
            !text.contains("pulls the sea") && !text.contains("chess") && !text.contains("\"s1\""),
            "{text}"
        );
    }
}

#[test]
fn question_text_is_stored_only_on_request() {
    let sandbox = indexed();
    ask_some(&sandbox, &[("RAG_ANALYTICS_TEXT", "true")]);
    let stats = sandbox.rag(["stats", "--json"]).ok().json();
    assert_eq!(stats["top"][0]["text"], "What pulls the sea?");
    sandbox.rag(["stats"]).ok().prints("What pulls the sea?").prints("Who won the chess");
}

/// Unwritable statistics fail no answer; a damaged file is named when it is read.
#[test]
fn a_broken_file_fails_only_stats() {
    let sandbox = indexed();
    sandbox.write("data/analytics", "no folder");
    recorded(&sandbox, &[], &["ask", "-v", "What pulls the sea?"]).ok().says("not recorded");
    std::fs::remove_file(sandbox.data().join("analytics")).unwrap();
    sandbox.write("data/analytics/analytics.db", "x".repeat(5000));
    sandbox.rag(["stats"]).exits(5).says("analytics.db").says("remove it");
    recorded(&sandbox, &[], &["ask", "What pulls the sea?"]).ok();
    assert_eq!(sandbox.rag(["stats", "--json"]).ok().json()["questions"], 1);
}

#[test]
fn a_purge_leaves_nothing() {
    let sandbox = indexed();
    assert_eq!(sandbox.rag(["stats", "--purge", "--json"]).ok().json(), json!({ "purged": 0 }));
    ask_some(&sandbox, &[("RAG_ANALYTICS_TEXT", "true")]);
    let key = std::fs::read(sandbox.data().join("analytics/key")).unwrap();
    sandbox.rag(["stats", "--purge"]).exits(2).says("nothing was removed").says("pass `--yes`");
    sandbox.rag(["stats", "--purge", "--yes"]).ok().says("removed 5 records");
    sandbox.rag(["stats"]).exits(3);
    for file in files_below(&sandbox.data().join("analytics")) {
        let bytes = std::fs::read(sandbox.data().join("analytics").join(&file)).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("chess"), "{file}");
    }
    ask_some(&sandbox, &[]);
    assert_ne!(std::fs::read(sandbox.data().join("analytics/key")).unwrap(), key);
    assert_eq!(sandbox.rag(["stats", "--json"]).ok().json()["questions"], 4);
}

#[test]
fn removed_documents_leave_the_statistics() {
    let sandbox = indexed();
    ask_some(&sandbox, &[]);
    sandbox.rag(["documents", "remove", "docs/tides.md"]).ok();
    let stats = sandbox.rag(["stats", "--json"]).ok().json();
    assert!(!stats.to_string().contains("tides"), "{stats}");
    assert_eq!(stats["questions"], 4);
}
