//! Another model, or another chunking: the current index serves until the new one is whole, even if
//! its ingest is killed, and no answer mixes the two.

use std::process::Stdio;

use serde_json::Value;

use crate::support::{Run, Sandbox};
use crate::tools::{
    answer, bytes_embedded, generations, leftovers, thorough, wait_for, wait_for_lock,
};

const OLD: &str = "all-MiniLM-L6-v2";
const NEW: &str = "all-MiniLM-L6-v2-fp32";
const MODES: [&str; 3] = ["hybrid", "lexical", "dense"];

/// A setting that changes the index.
struct Change {
    what: &'static str,
    env: &'static [(&'static str, &'static str)],
}

const CHANGES: [Change; 2] = [
    Change { what: "model", env: &[("RAG_MODEL", NEW)] },
    Change {
        what: "chunking",
        env: &[("RAG_CHUNK_MAX_TOKENS", "48"), ("RAG_CHUNK_OVERLAP_TOKENS", "8")],
    },
];

impl Change {
    fn ingest(&self, sandbox: &Sandbox, args: &[&str]) -> std::process::Command {
        let mut command = sandbox
            .command([&["ingest", "--dir", "docs", "--threads", "1", "--json"], args].concat());
        command.envs(self.env.iter().copied());
        command
    }
}

/// Enough to embed that every moment can be observed.
fn sandbox(documents: usize) -> Sandbox {
    let sandbox = Sandbox::new();
    for n in 0..documents {
        let (gulls, day) = (n * 3, n * 7);
        let sentence = |k: usize| {
            let (day, boats) = (day + k, n + k);
            format!("On day {day} the lighthouse keeper counted {gulls} gulls and {boats} boats. ")
        };
        let text: String = (0..6).map(sentence).collect();
        sandbox.write(&format!("docs/entry-{n}.md"), format!("# Entry {n}\n\n{text}\n"));
    }
    sandbox
}

/// Answers with the old settings, and with the new ones, which must make no difference. An
/// explained hybrid ranking has the scores of both retrievers; `RAG_TEST_THOROUGH` asks every mode.
fn answers(sandbox: &Sandbox, data: &str, change: &Change) -> Vec<Value> {
    let args = ["search", "lighthouse keeper", "--json", "-k", "20", "--explain", "--no-cache"];
    let ask = |mode: &str, env: &[(&'static str, &'static str)]| {
        let mut command =
            sandbox.command([&args[..], &["--data-dir", data, "--mode", mode]].concat());
        answer(Run::of(command.envs(env.iter().copied())).ok().json())
    };
    let modes = if thorough() { &MODES[..] } else { &MODES[..1] };
    let answers: Vec<Value> = modes.iter().map(|mode| ask(mode, &[])).collect();
    let with_new: Vec<Value> = modes.iter().map(|mode| ask(mode, change.env)).collect();
    assert_eq!(answers, with_new, "{}: the settings of the index decide", change.what);
    answers
}

#[test]
fn the_old_index_serves_until_the_new_one_is_complete() {
    for change in &CHANGES {
        let sandbox = sandbox(if thorough() { 300 } else { 40 });
        sandbox.ingest();
        let old = answers(&sandbox, "data", change);
        let old_id = show(&sandbox, "data")["corpus_id"].clone();
        check_killed_switch(&sandbox, change, &old);
        let done = Run::of(&mut change.ingest(&sandbox, &[])).ok().json();
        let twin = Run::of(&mut change.ingest(&sandbox, &["--data-dir", "twin"])).ok().json();
        assert_eq!(
            (&done["corpus_id"], &done["chunks"]),
            (&twin["corpus_id"], &twin["chunks"]),
            "{}",
            change.what
        );
        assert_ne!(done["corpus_id"], old_id, "{}", change.what);
        let new = answers(&sandbox, "data", change);
        assert_eq!(new, answers(&sandbox, "twin", change), "{}", change.what);
        assert_ne!(new, old, "{}", change.what);
        let (a, b) = (show(&sandbox, "data"), show(&sandbox, "twin"));
        for field in ["model", "chunking", "vectors", "chunks", "documents", "dimension"] {
            assert_eq!(a[field], b[field], "{}: {field}", change.what);
        }
        assert_eq!(leftovers(&sandbox.data()), [""; 0], "{}", change.what);
        // The previous generation can be restored whole.
        sandbox.rag(["index", "rollback"]).ok();
        assert_eq!(answers(&sandbox, "data", change), old, "{}", change.what);
        sandbox.rag(["index", "rollback"]).ok();
        assert_eq!(answers(&sandbox, "data", change), new, "{}", change.what);
        let bundle = |data: &str| {
            sandbox.rag(["index", "save", &format!("{data}.tar.zst"), "--data-dir", data]).ok();
            std::fs::read(sandbox.path().join(format!("{data}.tar.zst"))).expect("a bundle")
        };
        assert!(bundle("data") == bundle("twin"), "{}: not the same to the last byte", change.what);
    }
}

fn show(sandbox: &Sandbox, data: &str) -> Value {
    sandbox.rag(["index", "show", "--json", "--data-dir", data]).ok().json()
}

/// Kills the switch once it has the lock, once it builds, and with some vectors made, twice: the
/// old index is left.
fn check_killed_switch(sandbox: &Sandbox, change: &Change, old: &[Value]) {
    let old_id = show(sandbox, "data")["corpus_id"].clone();
    let moments = ["lock", "building", "first vectors", "more vectors"];
    for moment in if thorough() { &moments[..] } else { &moments[2..] } {
        let mut command = change.ingest(sandbox, &[]);
        let mut child =
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a start");
        wait_for_lock(&sandbox.data(), child.id());
        let reached = || match *moment {
            "lock" => true,
            "building" => {
                generations(&sandbox.data()).iter().any(|name| name.starts_with(".building-"))
            }
            "first vectors" => bytes_embedded(&sandbox.data()) > 2 * 384 * 4,
            _ => bytes_embedded(&sandbox.data()) > 20 * 384 * 4,
        };
        wait_for(moment, || reached().then_some(()));
        // Also while it runs.
        if *moment == "first vectors" {
            assert_eq!(answers(sandbox, "data", change), old, "{}: during {moment}", change.what);
        }
        let _ = child.kill();
        child.wait().expect("an end");
        // It may have finished before the kill; then the new index is whole.
        if show(sandbox, "data")["corpus_id"] != old_id {
            println!("{}: over before {moment}", change.what);
            break;
        }
        assert_eq!(answers(sandbox, "data", change), old, "{}: after {moment}", change.what);
        sandbox.rag(["index", "verify"]).ok();
    }
}

/// Kills an ingest with a model once ten vectors are made.
fn kill_at_ten_vectors(sandbox: &Sandbox, model: &str) {
    let args = ["ingest", "--dir", "docs", "--threads", "1", "--json", "--no-cache"];
    let mut command = sandbox.command(args);
    command.env("RAG_MODEL", model).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("a start");
    wait_for("vectors", || (bytes_embedded(&sandbox.data()) > 10 * 384 * 4).then_some(()));
    child.kill().expect("a kill");
    child.wait().expect("an end");
}

/// An index without vectors, then another model: lexical search continues to work.
#[test]
fn a_text_index_serves_by_words_until_another_model_is_done() {
    if !thorough() {
        return;
    }
    let sandbox = sandbox(1100);
    kill_at_ten_vectors(&sandbox, OLD);
    let by_words = || {
        let found =
            sandbox.rag(["search", "lighthouse keeper", "--json", "--no-cache"]).ok().json();
        assert!(found["vectors_pending"].is_object(), "{found}");
        answer(found)["hits"].clone()
    };
    let before = by_words();
    kill_at_ten_vectors(&sandbox, NEW);
    assert_eq!(by_words(), before);
}
