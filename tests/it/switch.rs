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
        let sentence = |k: usize| {
            format!(
                "On day {} the lighthouse keeper counted {} gulls and {} boats. ",
                n * 7 + k,
                n * 3,
                n + k
            )
        };
        let text: String = (0..6).map(sentence).collect();
        sandbox.write(&format!("docs/entry-{n}.md"), format!("# Entry {n}\n\n{text}\n"));
    }
    sandbox
}

/// Answers in all modes, with the old settings and with the new ones, which must make no
/// difference.
fn answers(sandbox: &Sandbox, data: &str, change: &Change) -> Vec<Value> {
    let ask = |mode: &str, env: &[(&'static str, &'static str)]| {
        let args = [
            "search",
            "lighthouse keeper",
            "--json",
            "-k",
            "20",
            "--data-dir",
            data,
            "--no-cache",
            "--mode",
            mode,
        ];
        let mut command = sandbox.command(args);
        answer(Run::of(command.envs(env.iter().copied())).ok().json())
    };
    let answers: Vec<Value> = MODES.iter().map(|mode| ask(mode, &[])).collect();
    let n_with_new = if thorough() { MODES.len() } else { 1 };
    let with_new: Vec<Value> =
        MODES[..n_with_new].iter().map(|mode| ask(mode, change.env)).collect();
    assert_eq!(
        answers[..n_with_new],
        with_new,
        "{}: the settings of the index decide",
        change.what
    );
    answers
}

#[test]
fn the_old_index_serves_until_the_new_one_is_complete() {
    for change in &CHANGES {
        let sandbox = sandbox(if thorough() { 300 } else { 40 });
        sandbox.ingest();
        let old = answers(&sandbox, "data", change);
        let show =
            |data: &str| sandbox.rag(["index", "show", "--json", "--data-dir", data]).ok().json();
        let old_id = show("data")["corpus_id"].clone();
        // Killed once it has the lock, once it builds, and with some vectors made, twice.
        let moments = ["lock", "building", "first vectors", "more vectors"];
        for moment in if thorough() { &moments[..] } else { &moments[2..] } {
            let mut command = change.ingest(&sandbox, &[]);
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
                assert_eq!(
                    answers(&sandbox, "data", change),
                    old,
                    "{}: during {moment}",
                    change.what
                );
            }
            let _ = child.kill();
            child.wait().expect("an end");
            // It may have finished before the kill; then the new index is whole.
            if show("data")["corpus_id"] != old_id {
                println!("{}: over before {moment}", change.what);
                break;
            }
            assert_eq!(answers(&sandbox, "data", change), old, "{}: after {moment}", change.what);
            sandbox.rag(["index", "verify"]).ok();
        }
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
        let (a, b) = (show("data"), show("twin"));
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

/// An index without vectors, then another model: lexical search continues to work.
#[test]
fn a_text_index_serves_by_words_until_another_model_is_done() {
    if !thorough() {
        return;
    }
    let sandbox = sandbox(1100);
    let kill_at = |env: &[(&str, &str)], rows: u64| {
        let args = ["ingest", "--dir", "docs", "--threads", "1", "--json", "--no-cache"];
        let mut command = sandbox.command(args);
        command.envs(env.iter().copied()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("a start");
        wait_for("vectors", || (bytes_embedded(&sandbox.data()) > rows * 384 * 4).then_some(()));
        child.kill().expect("a kill");
        child.wait().expect("an end");
    };
    kill_at(&[("RAG_MODEL", OLD)], 10);
    let by_words = || {
        let found =
            sandbox.rag(["search", "lighthouse keeper", "--json", "--no-cache"]).ok().json();
        assert!(found["vectors_pending"].is_object(), "{found}");
        answer(found)["hits"].clone()
    };
    let before = by_words();
    kill_at(&[("RAG_MODEL", NEW)], 10);
    assert_eq!(by_words(), before);
}
