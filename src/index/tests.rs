mod depot;
mod simulated;
mod world;

use super::*;
use crate::analysis::query_terms;
use crate::disk::{Existing, FileVersion};
use crate::document::{Chunk, Lines, Span};
use crate::error::Result;
use std::path::Path;

const DIMENSION: usize = 4;

fn model() -> ModelInfo {
    ModelInfo {
        name: "m".into(),
        fingerprint: "f".into(),
        dimension: DIMENSION,
        languages: Vec::new(),
    }
}

/// A vector that depends only on the text.
fn vector(text: &str) -> [f32; DIMENSION] {
    let n = text.bytes().fold(7u32, |n, b| n.wrapping_mul(31).wrapping_add(u32::from(b)));
    let raw = [n & 255, n >> 8 & 255, n >> 16 & 255, n >> 24].map(|x| x as f32 + 1.0);
    let length = raw.iter().map(|x| x * x).sum::<f32>().sqrt();
    raw.map(|x| x / length)
}

fn record(path: &str, text: &str) -> Record {
    Record {
        root: 0,
        path: path.into(),
        size: text.len() as u64,
        mtime_ns: 1,
        version: FileVersion::default(),
        hash: text.into(),
        state: State::Indexed,
        reason: None,
        advice: None,
        format: None,
        language: Some("en".into()),
        chunks: 0,
        terms: [0; 3],
        modified_s: 0,
        meta: std::collections::BTreeMap::new(),
        failure: None,
    }
}

/// Commits a generation in which `name` has exactly `files`, with one chunk each.
fn commit(store: &Store, name: &str, files: &[(&str, &str)]) -> Meta {
    try_commit(store, name, files).unwrap()
}

fn try_commit(store: &Store, name: &str, files: &[(&str, &str)]) -> Result<Meta> {
    let base = store.open(name).ok();
    let before = base.as_ref().map_or(Vec::new(), |base| base.documents().unwrap());
    let mut builder = Builder::begin(store, base.as_ref()).unwrap();
    for old in &before {
        if !files.iter().any(|(path, text)| *path == old.path && *text == old.hash) {
            builder.remove(0, &old.path).unwrap();
        }
    }
    let mut records = Vec::new();
    for (path, text) in files {
        if let Some(same) = before.iter().find(|old| old.path == *path && old.hash == *text) {
            records.push(same.clone());
            continue;
        }
        let chunk = Chunk {
            heading: vec![],
            text: (*text).into(),
            bytes: Span::new(0, text.len()),
            lines: Lines { first: 1, last: 1 },
            place: None,
            units: Vec::new(),
            table_header: String::new(),
        };
        let entry =
            ChunkEntry { root: 0, path, title: None, language: Some("en"), chunk: &chunk, row: 0 };
        let mut record = record(path, text);
        record.terms = builder.add(entry, text).unwrap();
        record.chunks = 1;
        records.push(record);
    }
    builder.seal(&records).unwrap();
    let vectors = builder.vectors(DIMENSION).unwrap();
    if let Some(vectors) = &vectors {
        for pending in builder.pending().unwrap() {
            let (n, text) = pending.unwrap();
            vectors.put(n, &vector(&text)).unwrap();
        }
    }
    let summary = Summary {
        name,
        model: model(),
        chunking: Chunking::new(10, 0, 1),
        roots: vec![Root::new("docs", "/docs")],
        records: &records,
        removed: Vec::new(),
        before: Before::Keep,
        corpus_id: None,
        created: 0,
    };
    builder.commit(vectors, &summary).map(|(_, meta)| meta)
}

/// Path, BM25 score and cosine of every chunk, sorted by path.
fn scores(store: &Store, name: &str, question: &str) -> Vec<(String, f32, f32)> {
    let snapshot = store.open(name).unwrap();
    let lexical = snapshot.lexical_scores(&query_terms(question, &["en"]), None).unwrap();
    let nearest = snapshot.nearest(&[&vector(question)], usize::MAX, None, 2).unwrap().remove(0);
    let fetch = |(n, cosine)| (snapshot.fetch(n).unwrap().path, lexical.of(n), cosine);
    let mut found: Vec<_> = nearest.listed.best.into_iter().map(fetch).collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

fn matching(store: &Store, question: &str) -> Vec<String> {
    scores(store, "a", question)
        .into_iter()
        .filter(|(_, bm25, _)| *bm25 > 0.0)
        .map(|(path, ..)| path)
        .collect()
}

fn temp_store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::new(dir.path());
    std::mem::drop(store.lock(std::time::Duration::ZERO, &|| false).unwrap());
    (dir, store)
}

#[test]
fn phrases_identifiers_and_stems_match() {
    let (_dir, store) = temp_store();
    commit(
        &store,
        "a",
        &[
            ("call", "use std::fs::write to write files"),
            ("order", "bar foo and also quick foxes"),
            ("snake", "the function foo_bar is quick"),
            ("version", "fixed in v1.2.3 of the tool"),
        ],
    );
    assert_eq!(matching(&store, "\"foo bar\""), ["snake"]);
    assert_eq!(matching(&store, "\"quick fox\""), ["order"]);
    assert_eq!(matching(&store, "1.2.3"), ["version"]);
    assert_eq!(matching(&store, "writing"), ["call"]);
    assert_eq!(matching(&store, "absent"), [""; 0]);
    let best = |question: &str| {
        let found = scores(&store, "a", question);
        found.into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).map(|(path, ..)| path).unwrap()
    };
    assert_eq!(best("foo_bar"), "snake");
    assert_eq!(best("std::fs::write"), "call");
}

/// An index that grew and shrank ranks exactly like one that was built at once.
#[test]
fn history_leaves_no_trace_in_the_scores() {
    let (_dir, store) = temp_store();
    let (alpha, beta, gamma) =
        (("a", "red apples"), ("b", "green apples and pears"), ("c", "red cars"));
    commit(&store, "a", &[alpha]);
    commit(&store, "a", &[alpha, beta, ("x", "red red red apples apples")]);
    commit(&store, "a", &[("a", "other words altogether"), beta, gamma]);
    let grown = commit(&store, "a", &[alpha, beta, gamma]);
    let fresh = commit(&store, "fresh", &[alpha, beta, gamma]);
    assert_eq!(grown.corpus_id, fresh.corpus_id);
    for question in ["red apples", "pears", "cars or pears", "\"green apples\""] {
        assert_eq!(scores(&store, "a", question), scores(&store, "fresh", question), "{question}");
    }
    assert!(verify(&store, "a").unwrap().is_empty());
}

#[test]
fn equal_texts_share_a_row_and_old_rows_are_reused() {
    let (_dir, store) = temp_store();
    assert_eq!(commit(&store, "a", &[("a", "same"), ("b", "same"), ("c", "other")]).counts.rows, 2);
    assert_eq!(commit(&store, "a", &[("c", "other")]).counts.rows, 2);
    assert_eq!(commit(&store, "a", &[("c", "other"), ("d", "same")]).counts.rows, 2);
    let best = scores(&store, "a", "same").into_iter().max_by(|a, b| a.2.total_cmp(&b.2)).unwrap();
    assert!(best.0 == "d" && (best.2 - 1.0).abs() < 1e-6, "{best:?}");
}

/// After many ingests there are few vector files, and every row is the right one.
#[test]
fn vector_files_are_merged_as_they_grow() {
    let (_dir, store) = temp_store();
    let texts: Vec<String> = (0..40).map(|i| format!("text number {i}")).collect();
    let mut most = 0;
    for n in 1..=texts.len() {
        let files: Vec<(&str, &str)> =
            texts[..n].iter().map(|text| (text.as_str(), text.as_str())).collect();
        most = most.max(commit(&store, "a", &files).vectors.len());
    }
    assert!(most <= 5, "{most} vector files");
    for text in &texts {
        let own = scores(&store, "a", text).into_iter().find(|(path, ..)| path == text).unwrap();
        assert!((own.2 - 1.0).abs() < 1e-6, "{text}: {}", own.2);
    }
}

#[test]
fn only_the_current_and_the_previous_generation_stay() {
    let (dir, store) = temp_store();
    for text in ["one", "two", "three", "four"] {
        commit(&store, "a", &[("a", text)]);
    }
    let generations = std::fs::read_dir(dir.path().join("indexes")).unwrap().flatten();
    assert_eq!(generations.filter(|entry| entry.path().join("meta.json").exists()).count(), 2);
    store.remove("a").unwrap();
    let left: Vec<_> = std::fs::read_dir(dir.path().join("indexes"))
        .unwrap()
        .flatten()
        .map(|e| e.file_name())
        .collect();
    assert!(left.iter().all(|name| name == "names" || name == ".lock"), "{left:?}");
}

#[test]
fn a_bundle_comes_back_the_same() {
    let (dir, store) = temp_store();
    commit(&store, "a", &[("a", "red apples"), ("b", "green pears")]);
    let bundle = dir.path().join("a.tar.zst");
    save(&store, "a", &bundle, Existing::Refuse, &|| false).unwrap();
    let (_other_dir, other) = temp_store();
    let (pointer, _) = load(&other, &bundle, None, false, 0).unwrap();
    assert_eq!(pointer.name, "a");
    assert_eq!(scores(&other, "a", "red pears"), scores(&store, "a", "red pears"));
    assert!(load(&other, &bundle, None, false, 0).is_err(), "a name is not taken over silently");
    assert!(load(&other, Path::new("/nonexistent"), None, false, 0).is_err());
}
