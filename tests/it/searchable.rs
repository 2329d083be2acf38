//! The first ingest of a large folder: searched by words while its vectors are made, killed, and
//! finished.

use std::process::Child;

use serde_json::Value;

use crate::fixtures::{search, write_old};
use crate::support::Sandbox;
use crate::tools::{answer, generations, listing, signal, wait_for};

const DOCUMENTS: usize = 1100;

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    for n in 0..DOCUMENTS {
        let text = format!(
            "# Buoy {n}\n\nBuoy number {n} lies {} miles off the coast of Arvik.\n",
            n * 7 % 1000
        );
        write_old(&sandbox, &format!("docs/{}/{n}.md", n % 10), text);
    }
    sandbox
}

/// An ingest that is stopped after its text is published and before its vectors are made.
fn stopped_ingest(sandbox: &Sandbox) -> Child {
    let ingest = sandbox.spawn(["ingest", "--dir", "docs", "--json", "--no-cache"]);
    let pointer = sandbox.data().join("indexes/names/default.json");
    wait_for("the text", || pointer.is_file().then_some(()));
    signal(ingest.id(), "STOP");
    ingest
}

fn hits(sandbox: &Sandbox, mode: &str) -> Value {
    let found = search(sandbox, "buoy number 77 off Arvik", &["--mode", mode, "-k", "3"]);
    answer(found)["hits"].clone()
}

#[test]
fn an_unfinished_first_ingest_is_searched_by_words_and_finishes_like_an_undisturbed_one() {
    let (sandbox, twin) = (sandbox(), sandbox());
    let mut ingest = stopped_ingest(&sandbox);
    let found = search(&sandbox, "buoy number 77 off Arvik", &["-k", "3"]);
    let pending = &found["vectors_pending"];
    assert_eq!(pending["total"].as_u64(), Some(DOCUMENTS as u64), "{found}");
    assert!(pending["done"].as_u64() < Some(DOCUMENTS as u64), "{found}");
    assert_eq!(found["hits"][0]["path"], "7/77.md", "{found}");
    assert_eq!(hits(&sandbox, "lexical")[0]["path"], "7/77.md");
    assert_eq!(pending["being_made"], true, "{found}");
    sandbox
        .rag(["search", "--mode", "dense", "buoy"])
        .exits(1)
        .says("has no vectors yet")
        .says("lexical");
    sandbox.rag(["search", "buoy"]).ok().says("still being made");
    let asked =
        sandbox.rag(["ask", "--json", "How far off the coast does buoy number 77 lie?"]).json();
    assert!(asked["vectors_pending"].is_object(), "{asked}");
    sandbox.rag(["index", "verify"]).ok();
    let doctor = sandbox.rag(["doctor"]).ok();
    assert!(doctor.stdout.contains("the vectors are still being made (10 %)"), "{doctor}");

    signal(ingest.id(), "KILL");
    ingest.wait().expect("it ended");
    check_stopped(&sandbox);
    check_finished(&sandbox, &twin);
}

/// The vectors are not continued by themselves.
fn check_stopped(sandbox: &Sandbox) {
    let found = search(sandbox, "buoy number 77 off Arvik", &["-k", "3"]);
    assert_eq!(found["vectors_pending"]["being_made"], false, "{found}");
    sandbox.rag(["search", "buoy"]).ok().says("run `rag ingest` again").says("stopped before");
    sandbox
        .rag(["doctor"])
        .exits(1)
        .prints("BAD  index")
        .prints("keyword search only")
        .prints("run `rag ingest` again");
    // An index without vectors cannot be changed or saved.
    for args in [
        &["documents", "remove", "7/77.md"][..],
        &["index", "compact"],
        &["index", "save", "half.tar.zst"],
    ] {
        sandbox.rag(args).exits(1).says("not finished").says("rag ingest");
    }
    assert!(!sandbox.path().join("half.tar.zst").exists());
}

fn check_finished(sandbox: &Sandbox, twin: &Sandbox) {
    let report = sandbox.ingest();
    let undisturbed = twin.ingest();
    assert_eq!(report["corpus_id"], undisturbed["corpus_id"]);
    assert_eq!(generations(&sandbox.data()).len(), 1, "{:?}", generations(&sandbox.data()));
    for mode in ["hybrid", "lexical", "dense"] {
        assert_eq!(hits(sandbox, mode), hits(twin, mode), "{mode}");
    }
    let found = search(sandbox, "buoy number 77 off Arvik", &["-k", "3"]);
    assert!(
        found["vectors_pending"].is_null() && found["cache"]["retrieval_hit"] == true,
        "{found}"
    );
    sandbox.rag(["index", "verify"]).ok();
    let names = listing(&sandbox.data().join("indexes"));
    assert!(
        !names.keys().any(|name| name.starts_with(".progress") || name.starts_with(".building")),
        "{names:?}"
    );
}

/// A change to an index with vectors is not published before the new vectors.
#[test]
fn an_index_with_vectors_serves_until_the_next_generation_has_them() {
    let sandbox = Sandbox::new();
    write_old(&sandbox, "docs/old.md", "# Old\n\nThe old lighthouse stands on a rock.\n");
    sandbox.ingest();
    for n in 0..DOCUMENTS {
        write_old(
            &sandbox,
            &format!("docs/new/{n}.md"),
            format!("Buoy number {n} lies off the coast.\n"),
        );
    }
    let mut ingest = sandbox.spawn(["ingest", "--dir", "docs", "--no-cache", "--json"]);
    while ingest.try_wait().expect("a child").is_none() {
        let found = search(&sandbox, "lighthouse", &["--mode", "dense", "-k", "1"]);
        assert_eq!(found["hits"][0]["path"], "old.md", "{found}");
        assert!(found["vectors_pending"].is_null());
    }
}
