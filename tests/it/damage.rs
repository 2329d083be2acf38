//! Damaged bytes: every file of an index and of the cache flipped, cut, zeroed, swapped, emptied
//! and removed. A search then gives the answer it gave before, or a fault that names a damaged
//! file.
//!
//! Many thousands of searches run in this process, with a model that costs almost nothing; the
//! output of the binary is checked for each kind of file.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use rag::cache::Caching;
use rag::config::Mode;
use rag::engine::Engine;
use rag::error::{Fault, Kind};
use rag::search::Searcher;
use serde_json::Value;

use crate::fixtures::{BLUE_BOATS, harbour};
use crate::support::{Run, Sandbox};
use crate::sweep::{Ranking, Sweep, TINY, ranking, replace, replace_database, use_tiny_model};
use crate::tools::{answer, current, engine_on, files, listing, thorough};

/// Two generations of ten documents, with deletions, two segments and two vector files.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    use_tiny_model(&sandbox);
    for n in 0..10 {
        sandbox.write(&format!("docs/harbour-{n}.md"), harbour(n));
    }
    sandbox.ingest();
    sandbox.write("docs/harbour-3.md", harbour(33));
    sandbox.write("docs/notes.txt", "The ferryman rows at night.\n");
    sandbox.ingest();
    sandbox
}

struct Searches {
    engine: Engine,
    good: BTreeMap<&'static str, Ranking>,
    sweep: Sweep,
    right: usize,
    refused: usize,
}

impl Searches {
    fn new(sandbox: &Sandbox, name: &str) -> Self {
        let engine = engine_on(sandbox, "data", TINY);
        let sweep = Sweep::new(name);
        let mut searches = Self { engine, good: BTreeMap::new(), sweep, right: 0, refused: 0 };
        for mode in Mode::ALL {
            let good = search(&searches.engine, mode).expect("an undamaged index answers");
            assert!(good.len() >= 5, "{good:?}");
            searches.good.insert(mode.name(), good);
        }
        searches
    }

    /// In every mode: the right answer, or damage that names one of `files`.
    fn check(&mut self, what: &str, files: &[&Path]) {
        let Self { engine, good, sweep, right, refused } = self;
        sweep.point(what, || {
            for mode in Mode::ALL {
                match is_right(engine, mode, &good[mode.name()], files) {
                    true => *right += 1,
                    false => *refused += 1,
                }
            }
        });
    }

    /// Replaces a file for the duration of a check.
    fn with(&mut self, path: &Path, good: &[u8], bad: &[u8], what: &str) {
        replace(path, bad);
        self.check(&format!("{}: {what}", path.display()), &[path]);
        replace(path, good);
    }

    /// Ends the sweep; returns how many searches were refused.
    fn end(self) -> usize {
        self.sweep.end(format!("{} searches right, {} refused", self.right, self.refused));
        self.refused
    }
}

/// Whether a search gives the good answer; otherwise it must report damage of one of `files`.
fn is_right(engine: &Engine, mode: Mode, good: &Ranking, files: &[&Path]) -> bool {
    let Ok(found) = catch_unwind(AssertUnwindSafe(|| search(engine, mode))) else {
        panic!("{mode:?} panicked");
    };
    match found {
        Ok(answer) => {
            assert_eq!(answer, *good, "{mode:?} gave a wrong answer");
            true
        }
        Err(fault) => {
            let message = fault.to_string();
            assert_eq!(fault.kind(), Kind::Damaged, "{mode:?}: {message}");
            let is_named = files.iter().any(|file| message.contains(&*file.to_string_lossy()));
            assert!(is_named, "{mode:?} names another file: {message}");
            false
        }
    }
}

fn search(engine: &Engine, mode: Mode) -> Result<Ranking, Fault> {
    ranking(&mut Searcher::open(engine)?, engine, (BLUE_BOATS, mode, 50), Caching::Use)
}

/// The step between flipped bytes: about 150 of a file (with `RAG_TEST_THOROUGH` each, up to 64
/// KiB). It is odd, so that each column of a row is reached.
fn stride(bytes: usize) -> usize {
    if thorough() { bytes.div_ceil(64 << 10) | 1 } else { (bytes / 150) | 1 }
}

/// Files that a search may read: those of the current generation, and the pointer.
fn files_of_index(data: &Path) -> Vec<PathBuf> {
    let mut found = files(&current(data));
    found.push(data.join("indexes/names/default.json"));
    found
}

#[test]
fn a_flipped_byte_of_an_index_is_never_served() {
    let sandbox = sandbox();
    let mut searches = Searches::new(&sandbox, "flipped bytes of an index");
    let files = files_of_index(&sandbox.data());
    assert!(files.len() > 15, "{files:?}");
    let mut flips = 0;
    for path in files {
        let good = std::fs::read(&path).expect("a file");
        let stride = stride(good.len());
        for at in (0..good.len()).step_by(stride) {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            searches.with(&path, &good, &bad, &format!("byte {at} flipped"));
            flips += 1;
        }
    }
    let refused = searches.end();
    assert!(flips > 2000 && refused > flips, "{refused} searches refused after {flips} flips");
}

#[test]
fn cut_zeroed_emptied_swapped_and_missing_files_are_never_served() {
    let sandbox = sandbox();
    let mut searches =
        Searches::new(&sandbox, "cut, zeroed, emptied, swapped and missing files of an index");
    let all = files_of_index(&sandbox.data());
    let pointer = sandbox.data().join("indexes/names/default.json");
    for path in &all {
        let good = std::fs::read(path).expect("a file");
        for cut in (0..good.len()).step_by(4096).chain([1, good.len() / 2, good.len() - 1]) {
            searches.with(path, &good, &good[..cut], &format!("cut to {cut} bytes"));
        }
        for page in
            good.chunks(4096).scan(0, |at, page| Some(std::mem::replace(at, *at + page.len())..*at))
        {
            let mut bad = good.clone();
            bad[page.clone()].fill(0);
            searches.with(path, &good, &bad, &format!("bytes {page:?} zeroed"));
        }
        let longer = [&good[..], &[0; 4096]].concat();
        searches.with(path, &good, &longer, "a page longer");
        searches.with(path, &good, &vec![0xFF; good.len()], "nothing but 0xFF");
        std::fs::remove_file(path).expect("a removal");
        if *path != pointer {
            searches.check(&format!("{} missing", path.display()), &[path]);
        }
        replace(path, &good);
    }
    // Neighbouring files swapped, of the same size or not.
    for pair in all.windows(2) {
        let [a, b] = pair else { continue };
        let (x, y) = (std::fs::read(a).expect("a file"), std::fs::read(b).expect("a file"));
        replace(a, &y);
        replace(b, &x);
        searches.check(&format!("{} and {} swapped", a.display(), b.display()), &[a, b]);
        replace(a, &x);
        replace(b, &y);
    }
    swap_in_older_generation(&sandbox, &mut searches);
    let refused = searches.end();
    assert!(refused > 200, "{refused}");
}

/// Replaces each file with the older generation's file of the same name.
fn swap_in_older_generation(sandbox: &Sandbox, searches: &mut Searches) {
    let now = current(&sandbox.data());
    let older: Vec<PathBuf> = files(&sandbox.data().join("indexes"));
    for old in older.iter().filter(|old| !old.starts_with(&now)) {
        let below: PathBuf = old
            .strip_prefix(sandbox.data().join("indexes"))
            .expect("below")
            .iter()
            .skip(1)
            .collect();
        let path = now.join(below);
        if path.is_file() {
            let good = std::fs::read(&path).expect("a file");
            searches.with(
                &path,
                &good,
                &std::fs::read(old).expect("a file"),
                "of the generation before",
            );
        }
    }
}

/// One flip in each file, through the binary: `verify` names exactly that file, a search is right
/// or exits 5 with the name, and the next ingest restores the undamaged index from the sources and
/// the cache.
#[test]
fn verify_names_exactly_the_damaged_file_and_an_ingest_repairs_it() {
    let sandbox = sandbox();
    let good: Vec<Value> =
        Mode::ALL.map(|mode| answer(search_in(&sandbox, mode).ok().json())).to_vec();
    verify(&sandbox).ok();
    check_verify_names_the_damaged_file(&sandbox, &good);
    verify(&sandbox).ok();
    check_ingest_repairs(&sandbox, &good);
}

fn search_in(sandbox: &Sandbox, mode: Mode) -> Run {
    sandbox.rag(["search", BLUE_BOATS, "--json", "--mode", mode.name()])
}

fn verify(sandbox: &Sandbox) -> Run {
    sandbox.rag(["index", "verify", "--json"])
}

/// The paths that `verify` reports.
fn damaged_paths(report: &Value) -> Vec<String> {
    let damaged = report["damaged"].as_array().expect("a list");
    damaged.iter().map(|d| d["path"].as_str().expect("a path").to_owned()).collect()
}

fn check_verify_names_the_damaged_file(sandbox: &Sandbox, good: &[Value]) {
    let names =
        |path: &Path| path.strip_prefix(sandbox.path()).expect("below").display().to_string();
    let mut kinds = BTreeSet::new();
    for path in files_of_index(&sandbox.data()) {
        let bytes = std::fs::read(&path).expect("a file");
        for damage in ["flip", "missing"] {
            let mut bad = bytes.clone();
            bad[bytes.len() / 2] ^= 0x10;
            match damage {
                "flip" => replace(&path, &bad),
                _ => std::fs::remove_file(&path).expect("a removal"),
            }
            if damage == "missing" && path.ends_with("default.json") {
                // Without the pointer there is no index of that name.
                verify(sandbox).exits(1).says("no index named");
                replace(&path, &bytes);
                continue;
            }
            let run = verify(sandbox).exits(5).json();
            assert_eq!(damaged_paths(&run), [names(&path)], "{damage}");
            for (mode, good) in Mode::ALL.iter().zip(good) {
                let run = search_in(sandbox, *mode);
                match run.code {
                    Some(0) => assert_eq!(
                        &answer(run.json()),
                        good,
                        "{damage} {}: {mode:?}",
                        path.display()
                    ),
                    _ => drop(run.exits(5).says(&names(&path))),
                }
            }
            replace(&path, &bytes);
        }
        kinds.insert(path.extension().unwrap_or_default().to_owned());
    }
    assert!(kinds.len() >= 9, "{kinds:?}");
}

/// Damage, then ingest; the vectors are in the cache.
fn check_ingest_repairs(sandbox: &Sandbox, good: &[Value]) {
    let id = sandbox.rag(["index", "show", "--json"]).ok().json()["corpus_id"].clone();
    let kinds_to_repair: BTreeMap<_, _> = files_of_index(&sandbox.data())
        .into_iter()
        .map(|path| (path.extension().unwrap_or_default().to_owned(), path))
        .collect();
    for (extension, _) in kinds_to_repair {
        let files = files_of_index(&sandbox.data());
        // A rebuilt index has no file of deletions.
        let Some(path) =
            files.iter().find(|path| path.extension().unwrap_or_default() == extension)
        else {
            continue;
        };
        let mut bytes = std::fs::read(path).expect("a file");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
        replace(path, &bytes);
        let run = sandbox.rag(["ingest", "--dir", "docs", "--json"]).ok().says("damaged");
        let summary = run.json();
        assert_eq!(summary["corpus_id"], id, "{}", path.display());
        assert_eq!(summary["cache"]["misses"], 0, "{}", path.display());
        verify(sandbox).ok();
        for (mode, good) in Mode::ALL.iter().zip(good) {
            assert_eq!(
                &answer(search_in(sandbox, *mode).ok().json()),
                good,
                "{} repaired: {mode:?}",
                path.display()
            );
        }
    }
}

/// A flip in any byte of the cache: the same answer, and never a fault.
#[test]
fn a_damaged_cache_changes_no_answer() {
    let sandbox = sandbox();
    let mut searches = Searches::new(&sandbox, "flipped and cut bytes of the cache");
    let path = sandbox.data().join("cache/cache.db");
    // `Searches::new` embedded the question; a purge checkpoints the write-ahead log, so that the
    // file is the whole cache.
    searches.engine = engine_on(&sandbox, "data", TINY);
    sandbox.rag(["cache", "purge", "retrieval"]).ok();
    let log = sandbox.data().join("cache/cache.db-wal");
    assert!(std::fs::metadata(log).map_or(0, |log| log.len()) == 0);
    let good = std::fs::read(&path).expect("the cache");
    let stride = stride(good.len());
    let flips: Vec<usize> = (0..good.len()).step_by(stride).chain(0..100).collect();
    for at in &flips {
        let mut bad = good.clone();
        bad[*at] ^= 0x55;
        replace_database(&path, &bad);
        // A new engine reopens the cache; the intact index answers whatever the cache holds.
        searches.engine = engine_on(&sandbox, "data", TINY);
        searches.check(&format!("byte {at} of the cache"), &[]);
    }
    for cut in (0..good.len()).step_by(4096) {
        replace_database(&path, &good[..cut]);
        searches.engine = engine_on(&sandbox, "data", TINY);
        searches.check(&format!("the cache cut to {cut}"), &[]);
    }
    assert_eq!(searches.end(), 0);
}

/// Bad rows through the binary: a miss that the summary counts, and a good row afterwards.
#[test]
fn bad_cache_rows_are_counted_and_replaced() {
    let sandbox = sandbox();
    sandbox.write("docs/extra.md", harbour(99));
    let path = sandbox.data().join("cache/cache.db");
    let connection = rusqlite::Connection::open(&path).expect("the cache");
    let rows: i64 = connection
        .query_row("SELECT count(*) FROM embeddings", [], |row| row.get(0))
        .expect("a count");
    let good = sandbox.rag(["search", BLUE_BOATS, "--json"]).ok();
    let good = answer(good.json());
    for damage in [
        "crc = crc + 1",
        "value = zeroblob(8)",
        "value = zeroblob(length(value))",
        "model = 'another'",
        "value = 'text'",
        "crc = NULL",
        "value = substr(value, 1, 4) || x'0000c07f' || substr(value, 9)",
    ] {
        if connection.execute(&format!("UPDATE embeddings SET {damage}"), []).is_err() {
            // NOT NULL: such a row cannot be written.
            continue;
        }
        // A new index under another name looks up every text.
        let args = ["ingest", "--dir", "docs", "--json", "--index", "other"];
        let _ = sandbox.rag(["index", "remove", "--yes", "--index", "other"]);
        let summary = sandbox.rag(args).ok().json();
        let cache = &summary["cache"];
        assert_eq!(cache["hits"], 0, "{damage}: {cache}");
        assert!(cache["damaged"].as_i64() >= Some(rows - 3), "{damage}: {cache} of {rows} rows");
        let _ = sandbox.rag(["index", "remove", "--yes", "--index", "other"]).ok();
        let summary = sandbox.rag(args).ok().json();
        assert_eq!(
            (&summary["cache"]["misses"], &summary["cache"]["damaged"]),
            (&0.into(), &0.into()),
            "{damage}"
        );
        assert_eq!(
            answer(sandbox.rag(["search", BLUE_BOATS, "--json"]).ok().json()),
            good,
            "{damage}"
        );
    }
}

/// Foreign files beside an index are neither read nor removed.
#[test]
fn foreign_files_in_the_folder_of_indexes_are_left_alone() {
    let sandbox = sandbox();
    sandbox.write("data/indexes/notes.txt", "mine");
    sandbox.write("data/indexes/backup/notes.txt", "mine too");
    let before = listing(&sandbox.data().join("indexes/backup"));
    sandbox.write("docs/more.md", harbour(50));
    sandbox.ingest();
    assert_eq!(listing(&sandbox.data().join("indexes/backup")), before);
    assert!(sandbox.data().join("indexes/notes.txt").exists());
    sandbox.rag(["index", "verify"]).ok();
}
