//! Damaged bytes in every file beside the indexes and the cache: models, sessions, the job log, the
//! previous generation. A reader gives the answer it gave before, or names the damaged file.

use std::path::{Path, PathBuf};

use rag::cache::Caching;
use rag::config::Mode;
use rag::engine::Engine;
use rag::error::{Fault, Kind};
use rag::jobs::Jobs;
use rag::search::Searcher;
use rag::sessions::Sessions;

use crate::fixtures::files_below;
use crate::support::Sandbox;
use crate::sweep::{Sweep, TINY, ranking, replace_database, use_tiny_model};
use crate::tools::{current, engine_on, generations, thorough};

const QUESTION: &str = "which boats carry sailors";

/// An index of two generations, a session, a job log, and a model, all below `data/`.
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

/// Reads a file in a form that can be compared.
type Reader<'a> = &'a dyn Fn() -> Result<String, Fault>;

/// Every damage of a file: some bytes flipped (with `RAG_TEST_THOROUGH` each, up to 64 KiB), cut, a
/// page of zeros, longer, nothing but 0xFF, empty, the content of another file. An iterator,
/// because all at once would not fit into memory.
fn damages<'a>(good: &'a [u8], other: &'a [u8]) -> impl Iterator<Item = (String, Vec<u8>)> + 'a {
    // Each point of a large file loads a model again.
    let is_large = good.len() > 1 << 20;
    let dense = if thorough() {
        64 << 10
    } else if is_large {
        16
    } else {
        30
    };
    let stride = good.len().div_ceil(dense) | 1;
    let with = move |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bad = good.to_vec();
        change(&mut bad);
        bad
    };
    let flips = (0..good.len()).step_by(stride);
    let flips =
        flips.map(move |at| (format!("byte {at} flipped"), with(&|bad| bad[at] ^= 1 << (at % 8))));
    let pages = if is_large { 4 } else { 8 };
    let page = if thorough() { 4096 } else { good.len().div_ceil(pages).next_multiple_of(4096) };
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

/// Expects a fault that names a damaged file.
#[track_caller]
fn assert_names(fault: &Fault, path: &Path) {
    let message = fault.to_string();
    // A newer version number is reported before anything that this version may not know.
    let is_newer = message.contains("newer version");
    assert!(fault.kind() == Kind::Damaged || is_newer, "{message}");
    // A damaged manifest makes the files that it names look damaged.
    let is_manifest = path.ends_with("manifest.json");
    let path = if is_manifest { path.parent().unwrap() } else { path };
    assert!(message.contains(path.to_str().unwrap()), "another file is named: {message}");
}

/// Tries every damage on every file. A fault must name the file by its path below the sandbox.
fn damage_each(name: &str, files: &[PathBuf], read: Reader<'_>) {
    let good = read().unwrap();
    let mut sweep = Sweep::new(name);
    let (right, refused) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    for (n, path) in files.iter().enumerate() {
        let bytes = std::fs::read(path).unwrap();
        let other = std::fs::read(&files[(n + 1) % files.len()]).unwrap();
        let other = if other == bytes { b"{}".to_vec() } else { other };
        for (what, bad) in damages(&bytes, &other).filter(|(_, bad)| *bad != bytes) {
            replace_database(path, &bad);
            sweep.point(&format!("{}: {what}", path.display()), || match read() {
                Ok(found) => {
                    assert_eq!(found, good);
                    right.set(right.get() + 1);
                }
                Err(fault) => {
                    assert_names(&fault, path);
                    refused.set(refused.get() + 1);
                }
            });
            replace_database(path, &bytes);
        }
    }
    assert_eq!(read().unwrap(), good);
    sweep.end(format!("{} right, {} refused", right.get(), refused.get()));
}

fn search(engine: &Engine) -> Result<String, Fault> {
    let mut searcher = Searcher::open(engine)?;
    let query = (QUESTION, Mode::Hybrid, 9);
    ranking(&mut searcher, engine, query, Caching::Off).map(|found| format!("{found:?}"))
}

#[test]
fn a_damaged_model_is_named_and_gives_no_wrong_vector() {
    let sandbox = sandbox();
    let dir = sandbox.data().join("models").join(TINY);
    let files: Vec<PathBuf> = files_below(&dir).into_iter().map(|name| dir.join(name)).collect();
    assert!(files.len() >= 5, "{files:?}");
    damage_each("damaged files of a model", &files, &|| search(&engine_on(&sandbox, "data", TINY)));
}

#[test]
fn a_damaged_job_log_is_named() {
    let sandbox = sandbox();
    let dir = sandbox.data().join("jobs");
    let read = || Jobs::new(&dir).list(1 << 50).map(|jobs| format!("{jobs:?}"));
    // A loss at the end of the log cannot be known: whole lines that are cut off were never there.
    let path = dir.join("jobs.jsonl");
    let good = std::fs::read(&path).unwrap();
    let mut sweep = Sweep::new("damaged job log");
    let all = read().unwrap();
    for (what, bad) in damages(&good, b"{}\n").filter(|(_, bad)| *bad != good) {
        replace_database(&path, &bad);
        sweep.point(&what, || match read() {
            Ok(found) => {
                // Cut, or zeros where nothing was written yet: the leftovers of a killed process.
                let end = bad.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
                assert!(found == all || good.starts_with(&bad[..end]), "{found}");
            }
            Err(fault) => {
                assert!(matches!(fault.kind(), Kind::Damaged | Kind::Failed), "{fault}");
                assert!(fault.to_string().contains("jobs.jsonl"), "{fault}");
            }
        });
        replace_database(&path, &good);
    }
    sweep.end("");
}

/// The list of sessions and one session, which is the same when shown and when continued.
fn read_session(dir: &Path, id: &str) -> Result<String, Fault> {
    let sessions = Sessions::open(dir, i64::MAX)?;
    let list = sessions.list(0)?;
    let shown = sessions.show(id, 0)?;
    let begun = sessions.begin(id, 0, &|| false)?.turns().to_vec();
    assert_eq!(shown, begun, "the session shown is the session continued");
    Ok(format!("{list:?} {shown:?}"))
}

#[test]
fn damaged_sessions_are_named_and_never_shown_wrong() {
    let sandbox = sandbox();
    let dir = sandbox.data().join("sessions");
    let path = dir.join("sessions.db");
    assert!(!dir.join("sessions.db-wal").exists());
    damage_each("damaged sessions", &[path], &|| read_session(&dir, "harbour"));
}

#[test]
fn a_damaged_generation_is_not_rolled_back_to() {
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
    // Files shared by both generations belong to the current one too, which other tests damage.
    let is_own =
        |path: &PathBuf| std::os::unix::fs::MetadataExt::nlink(&path.metadata().unwrap()) == 1;
    let files: Vec<PathBuf> =
        files_below(&before).into_iter().map(|name| before.join(name)).filter(is_own).collect();
    assert!(files.len() >= 3, "{files:?}");
    let engine = engine_on(&sandbox, "data", TINY);
    damage_each("damaged files of the previous generation", &files, &|| {
        let rolled_back = engine.store.rollback("default").and_then(|_| search(&engine));
        replace_database(&pointer, &pointed);
        rolled_back
    });
}

/// One flip in each kind of file, through the binary: exit code 5, the file named, and no panic.
#[test]
fn damage_outside_the_indexes_exits_5_and_names_the_file() {
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
        replace_database(&path, &bad);
        sandbox.rag(args).exits(5).says(path.file_name().unwrap().to_str().unwrap());
        replace_database(&path, &good);
        assert!(matches!(sandbox.rag(args).code, Some(0)), "{file}");
    }
}
