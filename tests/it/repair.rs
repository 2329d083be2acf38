//! `rag index verify --repair`: damage of every kind is repaired, or the lost documents are named.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::fixtures::{BLUE_BOATS, copy_dir, harbour, set_age, write_old};
use crate::support::{Run, Sandbox, project_data};
use crate::sweep::{replace, use_tiny_model};
use crate::tools::{answer, copy_tree, current, files, generations, leftovers, thorough};

/// The first, explained, shows the scores of both retrievers.
const MODES: [&str; 3] = ["hybrid", "lexical", "dense"];

/// Two generations, the second with deletions, two segments and two vector files. A repair does not
/// depend on the model, so it is the tiny one.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    use_tiny_model(&sandbox);
    for n in 0..10 {
        write_old(&sandbox, &format!("docs/harbour-{n}.md"), harbour(n));
    }
    // French, so that the language of a passage matters.
    write_old(
        &sandbox,
        "docs/fr.md",
        "# Port\n\nLes bateaux bleus portent des marins à travers la baie du port.\n",
    );
    write_old(&sandbox, "docs/empty.txt", "");
    sandbox.ingest();
    write_old(&sandbox, "docs/harbour-3.md", harbour(33));
    set_age(&sandbox.path().join("docs/harbour-3.md"), 2000);
    write_old(&sandbox, "docs/notes.txt", "The ferryman rows at night.\n");
    sandbox.ingest();
    sandbox
}

fn answers(sandbox: &Sandbox) -> Vec<Value> {
    let args = ["search", BLUE_BOATS, "--json", "-k", "50", "--explain", "--no-cache", "--mode"];
    let search = |mode| sandbox.rag(args.into_iter().chain([mode]));
    let modes = if thorough() { &MODES[..] } else { &MODES[..1] };
    modes.iter().map(|mode| answer(search(mode).ok().json())).collect()
}

fn repair(sandbox: &Sandbox) -> Run {
    sandbox.rag(["index", "verify", "--repair", "--json"])
}

/// The passages of every document, with their positions.
fn passages(sandbox: &Sandbox) -> Value {
    let list = sandbox.rag(["documents", "list", "--json"]).ok().json();
    let documents = list.as_array().expect("documents");
    let show = |document: &Value| {
        let path = document["path"].as_str().expect("a path");
        sandbox.rag(["documents", "show", path, "--json"]).ok().json()
    };
    documents.iter().map(show).collect()
}

fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    replace(path, &bytes);
}

fn pointer(sandbox: &Sandbox) -> PathBuf {
    sandbox.data().join("indexes/names/default.json")
}

/// A sandbox to damage, and a copy to restore it from.
struct World {
    sandbox: Sandbox,
    good: Vec<Value>,
    show: Value,
}

impl World {
    fn new() -> Self {
        let sandbox = sandbox();
        let good = answers(&sandbox);
        let show = sandbox.rag(["index", "show", "--json"]).ok().json();
        copy_tree(&sandbox.data(), &sandbox.path().join("whole"));
        Self { sandbox, good, show }
    }

    fn reset(&self) {
        std::fs::remove_dir_all(self.sandbox.data()).expect("a removal");
        copy_tree(&self.sandbox.path().join("whole"), &self.sandbox.data());
    }

    /// Repairs the index and expects it as it was.
    #[track_caller]
    fn assert_repaired(&self, what: &str) -> Value {
        let run = repair(&self.sandbox);
        assert_eq!(run.code, Some(0), "{what}: {run}");
        let json = run.json();
        assert!(
            json["ok"] == true && json["damaged"].as_array().is_some_and(|d| !d.is_empty()),
            "{what}: {json}"
        );
        assert_eq!(
            (&json["corpus_id"], &json["documents"]),
            (&self.show["corpus_id"], &self.show["documents"]),
            "{what}"
        );
        self.sandbox.rag(["index", "verify"]).ok();
        assert_eq!(answers(&self.sandbox), self.good, "{what}");
        assert_eq!(leftovers(&self.sandbox.data()), [""; 0], "{what}");
        json
    }
}

/// Each file of the generation flipped, cut, emptied and missing: repaired to the same answers in
/// every mode, without running the model.
#[test]
fn every_damaged_file_is_repaired() {
    let world = World::new();
    let data = world.sandbox.data();
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    let all = files(&current(&data));
    assert!(all.len() > 15, "{all:?}");
    for (n, path) in all
        .iter()
        .enumerate()
        .filter(|(_, path)| !path.ends_with("meta.json") || path.ends_with("bm25/meta.json"))
    {
        let kind = path.extension().unwrap_or_default().to_string_lossy().into_owned();
        let seen = kinds.entry(kind).or_default();
        *seen += 1;
        if *seen > 1 && !thorough() {
            continue;
        }
        let damages: &[&str] = if thorough() {
            &["flip", "cut", "empty", "missing"]
        } else {
            &[["flip", "missing", "cut"][n % 3]]
        };
        for damage in damages {
            let bytes = std::fs::read(path).expect("a file");
            match *damage {
                "flip" => flip(path),
                "cut" => replace(path, &bytes[..bytes.len() / 2]),
                "empty" => replace(path, b""),
                _ => std::fs::remove_file(path).expect("a removal"),
            }
            let what = format!("{} {damage}", path.display());
            let json = world.assert_repaired(&what);
            let step = &json["steps"][0];
            assert_eq!(
                (&step["step"], &step["cache"]["misses"], &step["unmended"]),
                (&json!("rebuilt"), &json!(0), &json!([])),
                "{what}"
            );
            world.reset();
        }
    }
    assert!(kinds.len() >= 8, "{kinds:?}");
    check_words_and_vectors(&world, &all);
    // A whole index is left alone.
    let whole = repair(&world.sandbox).ok().json();
    assert_eq!(
        (&whole["ok"], &whole["damaged"], &whole["steps"]),
        (&json!(true), &json!([]), &json!([]))
    );
}

/// All stored words and all vectors are damaged.
fn check_words_and_vectors(world: &World, all: &[PathBuf]) {
    let flip_all = |endings: &[&str]| {
        let ends = |path: &&PathBuf| {
            path.extension().is_some_and(|e| endings.iter().any(|ending| e == *ending))
        };
        all.iter().filter(ends).for_each(|path| flip(path));
    };
    flip_all(&["store", "npy"]);
    let json = world.assert_repaired("words and vectors");
    assert_eq!(
        (&json["steps"][0]["documents_kept"], &json["steps"][0]["documents_read"]),
        (&json!(0), &json!(12))
    );
    // The document table equals that of a fresh ingest, so the next ingest finds nothing to do.
    let again = world.sandbox.ingest();
    assert_eq!((&again["corpus_id"], &again["documents"]), (&world.show["corpus_id"], &json!(12)));
    // Without words and document table the documents are unknown.
    world.reset();
    flip_all(&["store", "jsonl"]);
    let run = world.sandbox.rag(["index", "verify", "--repair"]).exits(5);
    run.says("nothing of the index can be repaired").says("run `rag ingest --dir docs`");
    assert_eq!(world.sandbox.ingest()["corpus_id"], world.show["corpus_id"]);
    assert_eq!(answers(&world.sandbox), world.good);
}

/// Without the cache, vectors are read from the index, and only lost ones are embedded again.
#[test]
fn only_lost_vectors_are_embedded_again() {
    let world = World::new();
    let data = world.sandbox.data();
    let all = files(&current(&data));
    let ending = |ending: &str| {
        all.iter().filter(|path| path.to_string_lossy().ends_with(ending)).collect::<Vec<_>>()
    };
    std::fs::remove_dir_all(data.join("cache")).expect("a removal");
    // Codes are computed from the vectors.
    for damaged in [".idx", ".codes"] {
        flip(ending(damaged)[0]);
        let step = world.assert_repaired(damaged)["steps"][0].clone();
        assert_eq!(
            (&step["cache"]["misses"], step["vectors_kept"].as_u64() > Some(10)),
            (&json!(0), true),
            "{step}"
        );
        world.reset();
        std::fs::remove_dir_all(data.join("cache")).expect("a removal");
    }
    ending(".npy").iter().for_each(|path| flip(path));
    let step = world.assert_repaired("vectors")["steps"][0].clone();
    assert_eq!(
        (&step["vectors_kept"], step["cache"]["misses"].as_u64() > Some(10)),
        (&json!(0), true),
        "{step}"
    );
}

/// Missing or changed sources do not matter where the index has the passages; where it has not,
/// they are named.
#[test]
fn documents_that_cannot_be_repaired_are_named() {
    let world = World::new();
    let sandbox = &world.sandbox;
    let all = files(&current(&sandbox.data()));
    let ending = |ending: &str| {
        all.iter().filter(|path| path.to_string_lossy().ends_with(ending)).collect::<Vec<_>>()
    };
    let before = passages(sandbox);
    std::fs::remove_file(sandbox.path().join("docs/harbour-1.md")).expect("a removal");
    write_old(sandbox, "docs/harbour-2.md", "# Harbour 2\n\nThe green barge waits.\n");
    set_age(&sandbox.path().join("docs/harbour-2.md"), 3000);
    ending(".npy").iter().for_each(|path| flip(path));
    world.assert_repaired("vectors, with the files gone");
    assert_eq!(passages(sandbox), before);
    check_kept_passages(&world, &before, &ending(".store"));
    check_printed_repair(&world, &ending(".store"));
    check_lost_document_table(&world, ending("documents.jsonl")[0]);
    check_nothing_left(&world, &ending(".store"));
}

/// The passages of gone and changed files are lost; those of the others are kept.
fn check_kept_passages(world: &World, before: &Value, stores: &[&PathBuf]) {
    let sandbox = &world.sandbox;
    world.reset();
    stores.iter().for_each(|path| flip(path));
    let run = repair(sandbox).exits(4);
    let json = run.json();
    let unmended = json["steps"][0]["unmended"].as_array().expect("a list").clone();
    let reasons: Vec<(&str, &str)> = unmended
        .iter()
        .map(|u| (u["path"].as_str().expect("a path"), u["reason"].as_str().expect("why")))
        .collect();
    assert_eq!(
        reasons,
        [
            ("docs/harbour-1.md", "its file is gone"),
            ("docs/harbour-2.md", "its file has changed; the index has the new version")
        ]
    );
    assert_eq!((&json["ok"], &json["documents"]), (&json!(false), &json!(11)));
    sandbox.rag(["index", "verify"]).ok();
    // All other documents are unchanged.
    let named = |document: &Value| {
        !document["path"].as_str().is_some_and(|p| p.ends_with("-1.md") || p.ends_with("-2.md"))
    };
    let others = |all: &Value| -> Vec<Value> {
        all.as_array().expect("a list").iter().filter(|d| named(d)).cloned().collect()
    };
    assert_eq!(others(&passages(sandbox)), others(before));
    sandbox.rag(["search", "green barge", "--mode", "lexical"]).ok().prints("harbour-2.md");
}

/// The plain output; and the next ingest equals an undisturbed one.
fn check_printed_repair(world: &World, stores: &[&PathBuf]) {
    let sandbox = &world.sandbox;
    world.reset();
    stores.iter().for_each(|path| flip(path));
    let run = sandbox.rag(["index", "verify", "--repair"]).exits(4);
    run.prints("damaged")
        .prints("repaired  11 documents: 0 from the index")
        .prints("not repaired  docs/harbour-1.md: its file is gone");
    let ingested = sandbox.ingest();
    let twin = sandbox.rag(["ingest", "--dir", "docs", "--json", "--data-dir", "twin"]).ok().json();
    assert_eq!(ingested["corpus_id"], twin["corpus_id"]);
}

/// The document table and some of the files are lost: their passages are kept.
fn check_lost_document_table(world: &World, table: &Path) {
    let sandbox = &world.sandbox;
    world.reset();
    flip(table);
    let json = repair(sandbox).exits(4).json();
    let unmended = json["steps"][0]["unmended"].as_array().expect("a list").clone();
    let named: Vec<&str> = unmended.iter().filter_map(|u| u["path"].as_str()).collect();
    assert_eq!(named, ["docs/harbour-1.md", "docs/harbour-2.md"]);
    assert!(
        unmended[0]["reason"].as_str().is_some_and(|why| why.contains("its passages are kept")),
        "{unmended:?}"
    );
    assert_eq!(json["documents"], 12);
    sandbox.rag(["search", "harbour 1", "--mode", "lexical"]).ok().prints("harbour-1.md");
    sandbox.rag(["index", "verify"]).ok();
}

/// Everything is lost: nothing is committed, and the message names the command to run.
fn check_nothing_left(world: &World, stores: &[&PathBuf]) {
    let sandbox = &world.sandbox;
    world.reset();
    std::fs::rename(sandbox.path().join("docs"), sandbox.path().join("elsewhere"))
        .expect("a rename");
    stores.iter().for_each(|path| flip(path));
    let before = std::fs::read(pointer(sandbox)).expect("a pointer");
    let run = sandbox.rag(["index", "verify", "--repair"]).exits(5);
    run.says("nothing of the index can be repaired").says("run `rag ingest --dir docs`");
    assert_eq!(std::fs::read(pointer(sandbox)).expect("a pointer"), before);
    assert_eq!(leftovers(&sandbox.data()), [""; 0]);
}

/// `meta.json` has the checksums of everything else: without it, only the previous generation can
/// be trusted.
#[test]
fn an_index_without_its_meta_json_falls_back_a_generation() {
    let world = World::new();
    let sandbox = &world.sandbox;
    let meta = current(&sandbox.data()).join("meta.json");
    flip(&meta);
    let json = repair(sandbox).exits(4).json();
    assert_eq!((&json["steps"][0]["step"], &json["documents"]), (&json!("fell_back"), &json!(11)));
    sandbox.rag(["index", "verify"]).ok();
    let ingested = sandbox.ingest();
    assert_eq!(
        (&ingested["corpus_id"], &ingested["cache"]["misses"]),
        (&world.show["corpus_id"], &json!(0))
    );
    assert_eq!(answers(sandbox), world.good);

    world.reset();
    std::fs::remove_file(&meta).expect("a removal");
    sandbox
        .rag(["index", "verify", "--repair"])
        .exits(4)
        .prints("rolled back to the generation of")
        .says("rag ingest docs");

    // No previous generation, or a damaged one: the message names the command to run, with the
    // folders of the job log.
    world.reset();
    sandbox.rag(["index", "compact"]).ok();
    // The list of folders is in this file.
    replace(&current(&sandbox.data()).join("meta.json"), b"{");
    let run = sandbox.rag(["index", "verify", "--repair"]).exits(5);
    run.says("meta.json").says(&format!(
        "run `rag ingest --only --dir docs` in {}",
        sandbox.path().canonicalize().unwrap().display()
    ));
    sandbox.rag(["ingest", "--only", "--dir", "docs"]).ok();
    assert_eq!(answers(sandbox), world.good);
}

/// The generation of a name when the pointer is damaged.
#[test]
fn a_damaged_pointer_is_rewritten() {
    let world = World::new();
    let sandbox = &world.sandbox;
    let good = std::fs::read(pointer(sandbox)).expect("a pointer");
    let (mut restored, mut guessed) = (0, 0);
    let stride = if thorough() { 1 } else { 61 };
    for at in (0..good.len()).step_by(stride) {
        let mut bad = good.clone();
        bad[at] ^= 0x04;
        std::fs::write(pointer(sandbox), &bad).expect("a pointer");
        let run = repair(sandbox);
        // A flip in white space is not damage.
        let json = run.json();
        if json["damaged"] == json!([]) {
            continue;
        }
        assert_eq!(
            (run.code, &json["steps"][0]["step"], &json["corpus_id"]),
            (Some(0), &json!("pointer"), &world.show["corpus_id"]),
            "{at}: {run}"
        );
        match std::fs::read(pointer(sandbox)).expect("a pointer") == good {
            true => restored += 1,
            false => guessed += 1,
        }
        assert_eq!(generations(&sandbox.data()).len(), 2, "{at}");
    }
    println!("{restored} pointers restored, {guessed} without the previous generation");
    assert!(restored > 0 && restored + guessed > 3, "{restored} {guessed}");
    assert_eq!(answers(sandbox), world.good);
    for text in ["", "{", "null"] {
        std::fs::write(pointer(sandbox), text).expect("a pointer");
        world.assert_repaired(text);
    }
    // Rollback still works in both directions.
    sandbox.rag(["index", "rollback"]).ok().prints("11 documents");
    sandbox.rag(["index", "rollback"]).ok().prints("12 documents");
    check_pointer_and_vectors(&world);
    check_two_pointers(&world);
}

/// A pointer and vectors are damaged.
fn check_pointer_and_vectors(world: &World) {
    let sandbox = &world.sandbox;
    std::fs::write(pointer(sandbox), "{").expect("a pointer");
    flip(
        files(&current_of(sandbox, world))
            .iter()
            .find(|path| path.extension().is_some_and(|e| e == "npy"))
            .expect("vectors"),
    );
    let run = repair(sandbox);
    // The generation is damaged too, so the previous one is the newest whole one.
    assert!(run.code == Some(0) || run.code == Some(4), "{run}");
    sandbox.rag(["index", "verify"]).ok();
}

/// Two names have lost their generations.
fn check_two_pointers(world: &World) {
    let sandbox = &world.sandbox;
    world.reset();
    sandbox.rag(["ingest", "--dir", "docs", "--index", "other", "--exclude", "notes.txt"]).ok();
    std::fs::write(pointer(sandbox), "{").expect("a pointer");
    let path = pointer(sandbox).with_file_name("other.json");
    let other = std::fs::read(&path).expect("a pointer");
    std::fs::write(&path, "{").expect("a pointer");
    sandbox
        .rag(["index", "verify", "--repair"])
        .exits(5)
        .says("`default`")
        .says("`other`")
        .says("rag ingest --only --dir docs");
    // With the other name known again, the remaining generation is this one's.
    std::fs::write(&path, other).expect("a pointer");
    world.assert_repaired("the other pointer is whole");
}

/// The folder of the original current generation.
fn current_of(sandbox: &Sandbox, world: &World) -> PathBuf {
    let id = world.show["corpus_id"].as_str().expect("an id");
    sandbox.data().join("indexes").join(id)
}

/// An index with a removed document, compacted and rolled back, is repaired like any other; the
/// removed document stays out.
#[test]
fn removed_documents_stay_out_of_a_repaired_index() {
    let world = World::new();
    let sandbox = &world.sandbox;
    sandbox.rag(["documents", "remove", "notes.txt"]).ok();
    let without = answers(sandbox);
    for ending in [".store", "documents.jsonl", ".npy", ".codes"] {
        let all = files(&current(&sandbox.data()));
        all.iter()
            .filter(|path| path.to_string_lossy().ends_with(ending))
            .for_each(|path| flip(path));
        let json = repair(sandbox).ok().json();
        assert_eq!(
            (&json["documents"], answers(sandbox)),
            (&json!(11), without.clone()),
            "{ending}"
        );
        sandbox.rag(["search", "ferryman", "--mode", "lexical"]).exits(3);
        // No generation with the document is left.
        sandbox.rag(["index", "rollback"]).exits(1).says("has no previous generation");
    }
    sandbox.rag(["index", "compact"]).ok();
    assert_eq!(answers(sandbox), without);
    assert_eq!(sandbox.ingest()["documents"], 11);
    sandbox.rag(["documents", "restore", "notes.txt"]).ok();
    assert_eq!(sandbox.ingest()["corpus_id"], world.show["corpus_id"]);
    assert_eq!(answers(sandbox), world.good);
}

#[test]
fn a_repair_needs_the_same_version_of_the_model() {
    let sandbox = Sandbox::new();
    write_old(&sandbox, "docs/a.md", harbour(1));
    let model = sandbox.data().join("models/own");
    copy_dir(&project_data().join("models/all-MiniLM-L6-v2"), &model);
    sandbox.rag(["ingest", "--dir", "docs", "--model", "own"]).ok();
    std::fs::remove_dir_all(&model).expect("a removal");
    let all = files(&current(&sandbox.data()));
    flip(all.iter().find(|path| path.extension().is_some_and(|e| e == "store")).expect("a store"));
    sandbox.rag(["index", "verify", "--repair"]).exits(1).says("no model named `own`");
    copy_dir(&project_data().join("models/all-MiniLM-L6-v2-fp32"), &model);
    sandbox
        .rag(["index", "verify", "--repair"])
        .exits(1)
        .says("another version of the model `own`");
}
