//! Several processes on one data directory: one writes, other writers get its pid, readers see
//! whole generations.

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::Value;

use crate::support::{Run, Sandbox};
use crate::tools::{
    bytes_embedded, generations, leftovers, paths, signal, thorough, wait_for, wait_for_lock,
};

/// Enough to embed that the lock holder still embeds when it is stopped.
fn write_many(sandbox: &Sandbox) {
    for n in 0..150 {
        sandbox.write(
            &format!("many/entry-{n}.md"),
            format!("# Entry {n}\n\nThe keeper counted {} gulls.\n", n * 3),
        );
    }
}

/// An ingest that holds the lock and is stopped.
pub fn stopped_holder(sandbox: &Sandbox) -> Child {
    let child = sandbox.spawn([
        "ingest",
        "--dir",
        "many",
        "--no-cache",
        "--threads",
        "1",
        "--index",
        "many",
    ]);
    wait_for_lock(&sandbox.data(), child.id());
    wait_for("embedding", || (bytes_embedded(&sandbox.data()) > 0).then_some(()));
    signal(child.id(), "STOP");
    child
}

#[test]
fn a_second_writer_names_the_pid_of_the_first_or_waits() {
    let sandbox = Sandbox::new();
    write_many(&sandbox);
    sandbox.write("docs/a.md", "# A\n\nThe blue boat.\n");
    sandbox.ingest();
    let holder = stopped_holder(&sandbox);
    let pid = holder.id().to_string();
    sandbox.rag(["ingest", "--dir", "docs"]).exits(6).says(&pid).says("--wait");
    let refused = sandbox.rag(["ingest", "--dir", "docs", "--json"]).exits(6);
    let error: Value = serde_json::from_str(&refused.stderr).expect("JSON");
    assert_eq!(error["error"]["code"], 6);
    sandbox.rag(["index", "remove", "--yes"]).exits(6).says(&pid);
    sandbox.rag(["ingest", "--dir", "docs", "--wait", "1"]).exits(6).says(&pid);
    // Readers need no lock.
    assert_eq!(paths(&sandbox.rag(["search", "boat", "--json"]).ok().json()), ["a.md"]);
    sandbox.rag(["index", "verify"]).ok();
    sandbox.rag(["index", "save", "a.tar.zst"]).ok();

    sandbox.write("docs/b.md", "# B\n\nThe red boat.\n");
    let waiting = sandbox.spawn(["ingest", "--dir", "docs", "--wait", "100", "--json"]);
    signal(holder.id(), "CONT");
    let output = holder.wait_with_output().expect("an end");
    Run::from_output(&output, "the holder".into()).ok();
    let output = waiting.wait_with_output().expect("an end");
    assert_eq!(Run::from_output(&output, "the waiting one".into()).ok().json()["documents"], 2);
    assert_eq!(leftovers(&sandbox.data()), [""; 0]);
}

/// The kernel releases the lock with its holder; the pid in the file then means nothing.
#[test]
fn a_killed_holder_releases_the_lock() {
    let sandbox = Sandbox::new();
    write_many(&sandbox);
    sandbox.write("docs/a.md", "# A\n\nThe blue boat.\n");
    let mut holder = stopped_holder(&sandbox);
    let waiting = sandbox.spawn(["ingest", "--dir", "docs", "--wait", "100", "--json"]);
    holder.kill().expect("a kill");
    holder.wait().expect("an end");
    let output = waiting.wait_with_output().expect("an end");
    assert_eq!(Run::from_output(&output, "the waiting one".into()).ok().json()["documents"], 1);
    sandbox.ingest();
    assert_eq!(leftovers(&sandbox.data()), [""; 0]);
    assert_eq!(generations(&sandbox.data()).len(), 1);
}

/// A waiting writer can be interrupted.
#[test]
fn a_waiting_writer_can_be_interrupted() {
    let sandbox = Sandbox::new();
    write_many(&sandbox);
    sandbox.write("docs/a.md", "# A\n\nThe blue boat.\n");
    let mut holder = stopped_holder(&sandbox);
    let waiting = sandbox.spawn(["ingest", "--dir", "docs", "--wait", "100"]);
    // A waiting writer has the lock file open.
    wait_for("the lock file being open", || {
        let open = std::fs::read_dir(format!("/proc/{}/fd", waiting.id())).ok()?;
        let is_lock = |link: std::path::PathBuf| link.ends_with("indexes/.lock");
        open.flatten()
            .filter_map(|fd| std::fs::read_link(fd.path()).ok())
            .any(is_lock)
            .then_some(())
    });
    signal(waiting.id(), "INT");
    let output = waiting.wait_with_output().expect("an end");
    Run::from_output(&output, "the waiting one".into()).exits(130);
    holder.kill().expect("a kill");
    holder.wait().expect("an end");
}

/// One writer re-ingests a small folder whose documents all carry the number of their generation,
/// while readers search in every mode. Every answer is whole: one number, all documents of it, and
/// never a fault.
#[test]
fn every_answer_beside_a_writer_belongs_to_one_generation() {
    const DOCUMENTS: usize = 6;
    let generations_to_make = if thorough() { 60 } else { 12 };
    let sandbox = Sandbox::new();
    let write = |generation: usize| {
        for n in 0..DOCUMENTS {
            // Two alternating contents beside the number, so that generation names and vectors
            // recur.
            let colour = ["blue", "red"][generation % 2];
            let text = format!(
                "# Boat {n}\n\nThe {colour} boat {n} is of generation{generation}x today.\n"
            );
            sandbox.write(&format!("docs/boat-{n}.md"), text);
        }
    };
    let mark = |text: &str| -> usize {
        let rest = text.split("generation").nth(1).unwrap_or_else(|| panic!("no mark in {text:?}"));
        rest.split('x')
            .next()
            .and_then(|n| n.parse().ok())
            .unwrap_or_else(|| panic!("no mark in {text:?}"))
    };
    write(0);
    sandbox.ingest();
    let (over, answers, seen_last) =
        (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        // The readers end however the writer ends.
        struct Over<'a>(&'a AtomicBool);
        impl Drop for Over<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        for reader in 0..8 {
            let (sandbox, over, answers, seen_last) = (&sandbox, &over, &answers, &seen_last);
            scope.spawn(move || {
                let mut last = 0;
                for round in reader.. {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    match round % 5 {
                        3 => drop(sandbox.rag(["index", "verify"]).ok()),
                        4 => drop(sandbox.rag(["index", "list"]).ok()),
                        mode => {
                            let mode = ["lexical", "hybrid", "dense"][mode];
                            let run = sandbox.rag([
                                "search",
                                "which boat today",
                                "-k",
                                "50",
                                "--json",
                                "--mode",
                                mode,
                            ]);
                            let response = run.ok().json();
                            let hits = response["hits"].as_array().expect("hits");
                            let marks: Vec<usize> = hits
                                .iter()
                                .map(|hit| mark(hit["text"].as_str().expect("a text")))
                                .collect();
                            assert_eq!(marks.len(), DOCUMENTS, "{response:#}");
                            assert!(
                                marks.iter().all(|mark| *mark == marks[0]),
                                "{mode}: {marks:?}"
                            );
                            assert!(marks[0] >= last, "{mode}: back from {last} to {}", marks[0]);
                            last = marks[0];
                            seen_last.fetch_max(last, Ordering::Relaxed);
                            answers.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
        let over = Over(&over);
        for generation in 1..=generations_to_make {
            write(generation);
            let summary =
                sandbox.rag(["ingest", "--dir", "docs", "--json", "--threads", "1"]).ok().json();
            assert_eq!(summary["documents"], DOCUMENTS);
        }
        drop(over);
    });
    println!(
        "{generations_to_make} generations, {answers:?} answers, the last of generation \
         {seen_last:?}"
    );
    assert!(answers.into_inner() >= 8);
    // The current generation and the previous one.
    assert_eq!(generations(&sandbox.data()).len(), 2);
    let run = sandbox.rag(["search", "boat", "--json"]).ok().json();
    assert_eq!(mark(run["hits"][0]["text"].as_str().expect("a text")), generations_to_make);
}

/// A reader holds its generation open: two commits later the files are removed, and its searches
/// still succeed. In this process, where the reader can pause between opening and searching.
#[test]
fn a_slow_reader_keeps_the_generation_it_opened() {
    use rag::cache::Caching;
    use rag::config::Mode;
    use rag::search::Searcher;

    use crate::tools::search_request;

    let sandbox = Sandbox::new();
    sandbox.write("docs/a.md", "# A\n\nThe blue boat.\n");
    sandbox.ingest();
    let engine = crate::tools::engine(&sandbox);
    let open = || Searcher::open(&engine).expect("an index");
    let (mut slow, other) = (open(), open());
    for n in 0..3 {
        sandbox.write("docs/a.md", format!("# A\n\nThe red boat number {n}.\n"));
        sandbox.ingest();
    }
    assert!(!other.snapshot.dir().exists());
    for mode in Mode::ALL {
        let request = search_request("boat", mode, 5, Caching::Use);
        let found = slow.search(&engine, &request).expect("an answer");
        assert!(found.hits[0].chunk.text.contains("blue"), "{mode:?}");
    }
}

/// Saving takes time on a large index; the bundle is one generation even when another is committed
/// meanwhile.
#[test]
fn a_bundle_saved_beside_a_writer_is_one_generation() {
    let sandbox = Sandbox::new();
    let over = AtomicBool::new(false);
    sandbox.write("docs/a.md", "# A\n\nThe boat number 0.\n");
    sandbox.ingest();
    std::thread::scope(|scope| {
        let (sandbox, over) = (&sandbox, &over);
        scope.spawn(move || {
            let mut n = 0;
            while !over.load(Ordering::Relaxed) {
                n += 1;
                sandbox.write("docs/a.md", format!("# A\n\nThe boat number {n}.\n"));
                let args = ["ingest", "--dir", "docs", "-q", "--threads", "1", "--wait", "100"];
                let mut writer = sandbox.command(args);
                let ended =
                    writer.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("an end");
                assert!(ended.success(), "{ended}");
            }
        });
        let other = Sandbox::new();
        for n in 0..20 {
            let file = sandbox.path().join(format!("saved-{n}.tar.zst"));
            let file = file.to_str().expect("UTF-8");
            let saved = std::panic::catch_unwind(|| {
                sandbox.rag(["index", "save", file]).ok();
                other.rag(["index", "load", file, "--replace"]).ok();
                other.rag(["index", "verify"]).ok();
            });
            if let Err(panic) = saved {
                over.store(true, Ordering::Relaxed);
                std::panic::resume_unwind(panic);
            }
        }
        over.store(true, Ordering::Relaxed);
    });
}

/// Two first ingests at the same moment, repeatedly: one makes the index, the other waits or is
/// refused; never a mixture.
#[test]
fn two_simultaneous_first_ingests_do_not_mix() {
    let sandbox = Sandbox::new();
    for folder in ["one", "two"] {
        for n in 0..5 {
            sandbox.write(
                &format!("{folder}/{n}.md"),
                format!("# {folder} {n}\n\nThe boat {n} of folder {folder}.\n"),
            );
        }
    }
    for _ in 0..4 {
        let _ = std::fs::remove_dir_all(sandbox.data().join("indexes"));
        let start = |folder: &str| -> Child {
            let mut command: Command = sandbox.command(["ingest", "--dir", folder, "-q"]);
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("a start")
        };
        let (a, b) = (start("one"), start("two"));
        let codes = [a, b].map(|child| child.wait_with_output().expect("an end").status.code());
        assert!(
            codes.iter().all(|code| matches!(code, Some(0 | 6))) && codes.contains(&Some(0)),
            "{codes:?}"
        );
        let response = sandbox.rag(["search", "boat", "--json", "-k", "20"]).ok().json();
        let hits = response["hits"].as_array().expect("hits");
        assert_eq!(hits.len(), 5);
        assert!(hits.iter().all(|hit| hit["root"] == hits[0]["root"]), "{response:#}");
    }
}
