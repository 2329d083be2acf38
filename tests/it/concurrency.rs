//! Several processes on one data directory: one writes, other writers get its pid, readers see
//! whole generations.

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::support::{Run, Sandbox};
use crate::tools::{
    SetOnDrop, bytes_embedded, generations, has_lock_open, leftovers, paths, signal, thorough,
    wait_for, wait_for_lock,
};

/// Enough to embed that the lock holder still embeds when it is stopped.
fn write_many(sandbox: &Sandbox) {
    for n in 0..600 {
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
    wait_for("the lock file being open", || has_lock_open(waiting.id()).then_some(()));
    signal(waiting.id(), "INT");
    let output = waiting.wait_with_output().expect("an end");
    Run::from_output(&output, "the waiting one".into()).exits(130);
    holder.kill().expect("a kill");
    holder.wait().expect("an end");
}

/// Documents in each generation of [`every_answer_beside_a_writer_belongs_to_one_generation`].
const DOCUMENTS: usize = 6;

/// Writes documents that carry the number of their generation. Two contents alternate beside it, so
/// that generation names and vectors recur.
fn write_generation(sandbox: &Sandbox, generation: usize) {
    let colour = ["blue", "red"][generation % 2];
    for n in 0..DOCUMENTS {
        let text =
            format!("# Boat {n}\n\nThe {colour} boat {n} is of generation{generation}x today.\n");
        sandbox.write(&format!("docs/boat-{n}.md"), text);
    }
}

/// The number of the generation in a passage.
fn generation_of(text: &str) -> usize {
    let rest = text.split("generation").nth(1);
    let number = rest.and_then(|rest| rest.split('x').next()?.parse().ok());
    number.unwrap_or_else(|| panic!("no number in {text:?}"))
}

/// Searches once, and expects all documents of one generation, not older than `last`.
fn search_whole_generation(sandbox: &Sandbox, mode: &str, last: usize) -> usize {
    let args = ["search", "which boat today", "-k", "50", "--json", "--mode", mode];
    let response = sandbox.rag(args).ok().json();
    let hits = response["hits"].as_array().expect("hits");
    let number = |hit: &Value| generation_of(hit["text"].as_str().expect("a text"));
    let found: Vec<usize> = hits.iter().map(number).collect();
    assert_eq!(found.len(), DOCUMENTS, "{response:#}");
    assert!(found.iter().all(|number| *number == found[0]), "{mode}: {found:?}");
    assert!(found[0] >= last, "{mode}: back from {last} to {}", found[0]);
    found[0]
}

/// Reads in every mode until `over`. Returns the number of searches and the last generation seen.
fn read_until(sandbox: &Sandbox, over: &AtomicBool, first_round: usize) -> (usize, usize) {
    let (mut searches, mut last) = (0, 0);
    for round in first_round.. {
        if over.load(Ordering::Relaxed) {
            break;
        }
        match round % 5 {
            3 => drop(sandbox.rag(["index", "verify"]).ok()),
            4 => drop(sandbox.rag(["index", "list"]).ok()),
            mode => {
                let mode = ["lexical", "hybrid", "dense"][mode];
                last = search_whole_generation(sandbox, mode, last);
                searches += 1;
            }
        }
    }
    (searches, last)
}

/// One writer re-ingests a small folder whose documents all carry the number of their generation,
/// while readers search in every mode. Every answer is whole: one number, all documents of it, and
/// never a fault.
#[test]
fn every_answer_beside_a_writer_belongs_to_one_generation() {
    let n_generations = if thorough() { 60 } else { 12 };
    let sandbox = Sandbox::new();
    write_generation(&sandbox, 0);
    sandbox.ingest();
    let over = AtomicBool::new(false);
    let (searches, last) = std::thread::scope(|scope| {
        let (sandbox, over) = (&sandbox, &over);
        let readers: Vec<_> =
            (0..8).map(|n| scope.spawn(move || read_until(sandbox, over, n))).collect();
        let ends_readers = SetOnDrop(over);
        for generation in 1..=n_generations {
            write_generation(sandbox, generation);
            let args = ["ingest", "--dir", "docs", "--json", "--threads", "1"];
            assert_eq!(sandbox.rag(args).ok().json()["documents"], DOCUMENTS);
        }
        drop(ends_readers);
        let ended = readers.into_iter().map(|reader| reader.join().expect("a reader"));
        ended.fold((0, 0), |(n, last), (searches, seen)| (n + searches, last.max(seen)))
    });
    println!("{n_generations} generations, {searches} answers, the last of generation {last}");
    assert!(searches >= 8);
    // The current generation and the previous one.
    assert_eq!(generations(&sandbox.data()).len(), 2);
    let run = sandbox.rag(["search", "boat", "--json"]).ok().json();
    assert_eq!(generation_of(run["hits"][0]["text"].as_str().expect("a text")), n_generations);
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
        scope.spawn(|| write_until(&sandbox, &over));
        let _ends_writer = SetOnDrop(&over);
        let other = Sandbox::new();
        for n in 0..20 {
            let file = sandbox.path().join(format!("saved-{n}.tar.zst"));
            let file = file.to_str().expect("UTF-8");
            sandbox.rag(["index", "save", file]).ok();
            other.rag(["index", "load", file, "--replace"]).ok();
            other.rag(["index", "verify"]).ok();
        }
    });
}

/// Changes and re-ingests a document until `over`.
fn write_until(sandbox: &Sandbox, over: &AtomicBool) {
    for n in 1.. {
        if over.load(Ordering::Relaxed) {
            break;
        }
        sandbox.write("docs/a.md", format!("# A\n\nThe boat number {n}.\n"));
        let args = ["ingest", "--dir", "docs", "-q", "--threads", "1", "--wait", "100"];
        let mut writer = sandbox.command(args);
        let ended = writer.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("an end");
        assert!(ended.success(), "{ended}");
    }
}

/// Two first ingests at the same moment, repeatedly: one makes the index, the other is refused, or
/// adds its folder if it began after the first had ended. Each folder is indexed whole or not at
/// all.
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
        let n_done = codes.iter().filter(|code| **code == Some(0)).count();
        assert_eq!(hits.len(), 5 * n_done, "{codes:?} {response:#}");
        for hit in hits {
            let of_folder = hits.iter().filter(|other| other["root"] == hit["root"]).count();
            assert_eq!(of_folder, 5, "{response:#}");
        }
    }
}
