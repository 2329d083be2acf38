//! Bytes that are not what was written, in every file beside the indexes and the cache: models,
//! conversations, the log of jobs, the generation before. Whoever reads them gives the answer that
//! they gave before, or says which file is damaged.

use std::path::{Path, PathBuf};

use rag::cache::Caching;
use rag::config::Mode;
use rag::engine::{Engine, Stop};
use rag::error::{Fault, Kind};
use rag::jobs::Jobs;
use rag::search::{Request, Searcher};
use rag::sessions::Sessions;

use crate::fixtures::files_below;
use crate::support::Sandbox;
use crate::sweep::{Sweep, TINY, use_tiny_model};
use crate::tools::{current, engine_on, generations, thorough};

const QUESTION: &str = "which boats carry sailors";

/// An index of two generations, a conversation, a log of jobs, and a model of its own, all below
/// `data/`.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    use_tiny_model(&sandbox);
    for n in 0..5 {
        sandbox.write(
            &format!("docs/{n}.md"),
            format!("# Boat {n}\n\nThe blue boat {n} carries {} sailors.\n", n * 7),
        );
    }
    sandbox.rag(["model", "add", "tiny"]).ok();
    sandbox.ingest();
    sandbox.write("docs/more.md", "The ferryman rows at night.\n");
    sandbox.ingest();
    for question in ["Which boat carries seven sailors?", "Who rows at night?"] {
        assert!(matches!(sandbox.rag(["ask", "--session", "harbour", question]).code, Some(0 | 3)));
    }
    sandbox.rag(["ask", "--session", "quay", "Who rows?"]);
    sandbox
}

/// What somebody who reads a file gets to know, in a form that can be compared.
type Reading<'a> = &'a dyn Fn() -> Result<String, Fault>;

/// Every way to spoil a file: some bytes flipped (with `RAG_TEST_THOROUGH` each, up to 64 KiB),
/// cut, a page of zeros, longer, nothing but 0xFF, empty, another one's content. One after another:
/// all at once they would take more memory than there is.
fn ways<'a>(good: &'a [u8], other: &'a [u8]) -> impl Iterator<Item = (String, Vec<u8>)> + 'a {
    let dense = if thorough() { 64 << 10 } else { 30 };
    let stride = good.len().div_ceil(dense) | 1;
    let with = move |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bad = good.to_vec();
        change(&mut bad);
        bad
    };
    let flips = (0..good.len()).step_by(stride);
    let flips =
        flips.map(move |at| (format!("byte {at} flipped"), with(&|bad| bad[at] ^= 1 << (at % 8))));
    let page = if thorough() { 4096 } else { good.len().div_ceil(8).next_multiple_of(4096) };
    let cut = move |at: usize| (format!("cut to {at} bytes"), good[..at].to_vec());
    let pages = (0..good.len()).step_by(page).flat_map(move |start| {
        let zeros = with(&|bad| bad[start..(start + 4096).min(good.len())].fill(0));
        [cut(start), (format!("4 KiB of zeros at {start}"), zeros)]
    });
    let cuts = [1, good.len() / 2, good.len() - 1].into_iter().map(cut);
    let whole = [
        ("a page longer", [good, &[0; 4096]].concat()),
        ("nothing but 0xFF", vec![0xFF; good.len()]),
        ("another file", other.to_vec()),
    ];
    flips.chain(pages).chain(cuts).chain(whole.map(|(what, bad)| (what.to_owned(), bad)))
}

/// Under a new inode, so that nobody who still has the old one sees it change.
fn replace(path: &Path, bytes: &[u8]) {
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(
            path.with_file_name(format!("{}{suffix}", path.file_name().unwrap().display())),
        );
    }
    let temp = path.with_extension("bad");
    std::fs::write(&temp, bytes).unwrap();
    std::fs::rename(&temp, path).unwrap();
}

/// Tries every way on every file; the file is named by its path below the sandbox.
fn spoil(name: &str, files: &[PathBuf], read: Reading<'_>) {
    let good = read().unwrap();
    let mut sweep = Sweep::new(name);
    let (right, refused) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    for (n, path) in files.iter().enumerate() {
        let bytes = std::fs::read(path).unwrap();
        let other = std::fs::read(&files[(n + 1) % files.len()]).unwrap();
        let other = if other == bytes { b"{}".to_vec() } else { other };
        for (what, bad) in ways(&bytes, &other).filter(|(_, bad)| *bad != bytes) {
            replace(path, &bad);
            sweep.point(&format!("{}: {what}", path.display()), || match read() {
                Ok(found) => {
                    assert_eq!(found, good);
                    right.set(right.get() + 1);
                }
                Err(fault) => {
                    // A version is believed before anything that this version may not know.
                    let is_newer = fault.to_string().contains("newer version");
                    assert!(fault.kind() == Kind::Damaged || is_newer, "{fault}");
                    let named = fault.to_string();
                    // A manifest that is spoiled accuses the files that it names.
                    let is_manifest = path.ends_with("manifest.json");
                    let path = if is_manifest { path.parent().unwrap() } else { path };
                    assert!(
                        named.contains(path.to_str().unwrap()),
                        "another file is named: {named}"
                    );
                    refused.set(refused.get() + 1);
                }
            });
            replace(path, &bytes);
        }
    }
    assert_eq!(read().unwrap(), good);
    sweep.end(format!("{} right, {} refused", right.get(), refused.get()));
}

fn search(engine: &Engine) -> Result<String, Fault> {
    let caching = Caching::Off;
    let (query, mode) = (QUESTION.to_owned(), Mode::Hybrid);
    let request =
        Request { query, mode, k: 9, rerank: 0, caching, filter: None, stop: Stop::default() };
    let found = Searcher::open(engine)?.search(engine, &request)?;
    Ok(found
        .hits
        .iter()
        .map(|hit| format!("{} {:x} {}\n", hit.path, hit.score.to_bits(), hit.chunk.text))
        .collect())
}

#[test]
fn a_spoiled_model_is_named_and_gives_no_wrong_vector() {
    let sandbox = sandbox();
    let dir = sandbox.data().join("models").join(TINY);
    let files: Vec<PathBuf> = files_below(&dir).into_iter().map(|name| dir.join(name)).collect();
    assert!(files.len() >= 5, "{files:?}");
    spoil("spoiled files of a model", &files, &|| search(&engine_on(&sandbox, "data", TINY)));
}

#[test]
fn a_spoiled_log_of_jobs_is_named() {
    let sandbox = sandbox();
    let dir = sandbox.data().join("jobs");
    let read = || Jobs::new(&dir).list(1 << 50).map(|jobs| format!("{jobs:?}"));
    // What the end of the log lost cannot be known: lines that are cut off whole were never there.
    let path = dir.join("jobs.jsonl");
    let good = std::fs::read(&path).unwrap();
    let mut sweep = Sweep::new("spoiled log of jobs");
    let all = read().unwrap();
    for (what, bad) in ways(&good, b"{}\n").filter(|(_, bad)| *bad != good) {
        replace(&path, &bad);
        sweep.point(&what, || match read() {
            Ok(found) => {
                // Cut, or zeros where it was not written yet: what a dying process leaves.
                let end = bad.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
                assert!(found == all || good.starts_with(&bad[..end]), "{found}");
            }
            Err(fault) => {
                assert!(matches!(fault.kind(), Kind::Damaged | Kind::Failed), "{fault}");
                assert!(fault.to_string().contains("jobs.jsonl"), "{fault}");
            }
        });
        replace(&path, &good);
    }
    sweep.end("");
}

#[test]
fn spoiled_conversations_are_named_and_never_told_wrong() {
    let sandbox = sandbox();
    let dir = sandbox.data().join("sessions");
    let read = |id: &str| -> Result<String, Fault> {
        let sessions = Sessions::open(&dir, i64::MAX)?;
        let list = sessions.list(0)?;
        let shown = sessions.show(id, 0)?;
        let begun = sessions.begin(id, 0, &|| false)?.turns().to_vec();
        assert_eq!(shown, begun, "what is shown is what is gone on with");
        Ok(format!("{list:?} {shown:?}"))
    };
    let path = dir.join("sessions.db");
    assert!(!dir.join("sessions.db-wal").exists());
    spoil("spoiled conversations", &[path], &|| read("harbour"));
}

#[test]
fn a_spoiled_generation_is_not_gone_back_to() {
    let sandbox = sandbox();
    let now = current(&sandbox.data());
    let names = generations(&sandbox.data());
    let before = names
        .iter()
        .map(|name| sandbox.data().join("indexes").join(name))
        .find(|dir| *dir != now)
        .unwrap();
    let pointer = sandbox.data().join("indexes/names/default.json");
    let pointed = std::fs::read(&pointer).unwrap();
    // Files that both generations have are those of the present one too, which other tests spoil.
    let is_own =
        |path: &PathBuf| std::os::unix::fs::MetadataExt::nlink(&path.metadata().unwrap()) == 1;
    let files: Vec<PathBuf> =
        files_below(&before).into_iter().map(|name| before.join(name)).filter(is_own).collect();
    assert!(files.len() >= 3, "{files:?}");
    let engine = engine_on(&sandbox, "data", TINY);
    spoil("spoiled files of the generation before", &files, &|| {
        let gone_back = engine.store.rollback("default").and_then(|_| search(&engine));
        replace(&pointer, &pointed);
        gone_back
    });
}

/// One flip in each kind of file, as a user meets it: exit code 5, the file named, and no panic.
#[test]
fn what_is_spoiled_is_told_with_its_exit_code() {
    let sandbox = sandbox();
    for (file, args) in [
        ("models/tiny/model.onnx", &["search", "--no-cache", QUESTION][..]),
        ("models/tiny/tokenizer.json", &["search", "--no-cache", QUESTION]),
        ("models/tiny/1_Pooling/config.json", &["search", "--no-cache", QUESTION]),
        ("models/tiny/manifest.json", &["search", "--no-cache", QUESTION]),
        ("sessions/sessions.db", &["sessions", "show", "harbour"]),
        ("jobs/jobs.jsonl", &["jobs", "list"]),
        ("indexes/names/default.json", &["search", QUESTION]),
    ] {
        let path = sandbox.data().join(file);
        let good = std::fs::read(&path).unwrap();
        let mut bad = good.clone();
        match file {
            "sessions/sessions.db" => bad[20..60].fill(0xA5),
            _ => bad[good.len() / 3] ^= 0x10,
        }
        replace(&path, &bad);
        sandbox.rag(args).exits(5).says(path.file_name().unwrap().to_str().unwrap());
        replace(&path, &good);
        assert!(matches!(sandbox.rag(args).code, Some(0)), "{file}");
    }
}
