//! Processes that end at a bad moment: acknowledged work is there afterwards, and the next run ends
//! as if nothing had happened.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rag::ingest;
use serde_json::Value;

use crate::support::{Run, Sandbox};
use crate::sweep::{
    CHANGING, Contents, Sweep, TINY, cached_rows, calls_in, can_trace, inject, orphans, traced,
    use_tiny_model, was_killed,
};
use crate::tools::{
    answer, bytes_embedded, copy_tree, engine_on, generations, has_tool, leftovers, listing, paths,
    rows_made, signals, thorough, wait_for, wait_for_lock,
};

const QUESTION: &str = "lighthouse keeper";

/// Enough distinct passages that embedding them takes much longer than noticing its start.
const MANY: usize = 400;

fn passage(n: usize) -> String {
    format!(
        "# Entry {n}\n\nOn day {n} the lighthouse keeper number {} counted {} gulls and {} \
         boats.\n",
        n * 7,
        n * 3,
        n + 11
    )
}

fn write_many(sandbox: &Sandbox) {
    for n in 0..MANY {
        sandbox.write(&format!("docs/entry-{n}.md"), passage(n));
    }
}

fn search_in(sandbox: &Sandbox, data: &str) -> Value {
    answer(sandbox.rag(["search", QUESTION, "--json", "--data-dir", data]).ok().json())
}

fn search(sandbox: &Sandbox) -> Value {
    search_in(sandbox, "data")
}

/// The corpus id and the answer of the same folder ingested without an interruption.
fn undisturbed(sandbox: &Sandbox) -> (String, Value) {
    let run = sandbox.rag(["ingest", "--dir", "docs", "--json", "--data-dir", "twin"]).ok();
    (run.json()["corpus_id"].as_str().expect("an id").to_owned(), search_in(sandbox, "twin"))
}

#[test]
fn an_ingest_with_closed_output_pipes_still_commits() {
    let sandbox = Sandbox::new();
    sandbox.write("docs/a.md", passage(1));
    sandbox.ingest();
    assert_eq!(paths(&search(&sandbox)), ["a.md"]);

    // The output is not read, but the work is done.
    for (n, closed) in ["stdout", "stderr"].into_iter().enumerate() {
        let name = format!("{closed}.md");
        sandbox.write(&format!("docs/{name}"), passage(n + 2));
        let mut child = sandbox.spawn(["ingest", "--dir", "docs"]);
        match closed {
            "stdout" => drop(child.stdout.take()),
            _ => drop(child.stderr.take()),
        }
        let output = child.wait_with_output().expect("an end");
        assert_eq!(
            output.status.code(),
            Some(0),
            "{closed}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(paths(&search(&sandbox)).contains(&name), "after a closed {closed}");
    }
}

/// The summary is the acknowledgement: its index is there even if the process dies at the next
/// instruction.
#[test]
fn an_index_reported_by_the_summary_survives_a_kill_right_after_it() {
    let sandbox = Sandbox::new();
    sandbox.write("docs/a.md", passage(1));
    let mut child = sandbox.spawn(["ingest", "--dir", "docs", "--json"]);
    let mut first = [0; 1];
    child.stdout.take().expect("a pipe").read_exact(&mut first).expect("the summary");
    let _ = child.kill();
    child.wait().expect("an end");
    assert_eq!(paths(&search(&sandbox)), ["a.md"]);
}

/// SIGINT and SIGTERM in the middle of embedding: exit 130, no leftovers, the old generation
/// answers as before, and vectors already made are not made again.
#[test]
fn an_interrupted_ingest_keeps_the_old_index_and_caches_its_vectors() {
    let sandbox = Sandbox::new();
    sandbox.write("docs/a.md", passage(MANY + 1));
    sandbox.ingest();
    let before = search(&sandbox);
    write_many(&sandbox);
    let mut rows_before = 0;
    // The last pair counts as one interruption: `timeout` signals a process and its group.
    for names in [&["INT"][..], &["TERM"], &["TERM", "INT"]] {
        let indexes = listing(&sandbox.data().join("indexes"));
        let child = sandbox.spawn(["ingest", "--dir", "docs", "--threads", "1"]);
        // Cached vectors are put in at once; wait for those of this run.
        let enough = (rows_before as u64 + 20) * 384 * 4 + 4096;
        wait_for("twenty vectors", || (bytes_embedded(&sandbox.data()) >= enough).then_some(()));
        signals(child.id(), names);
        let output = child.wait_with_output().expect("an end");
        Run::from_output(&output, format!("ingest and {names:?}"))
            .exits(130)
            .says("stopped: interrupted");
        assert_eq!(leftovers(&sandbox.data()), [""; 0]);
        let mut after = listing(&sandbox.data().join("indexes"));
        after.insert(".lock".into(), indexes[".lock"].clone());
        assert_eq!(after, indexes, "the folder of indexes changed");
        assert_eq!(search(&sandbox), before);
        let stats = sandbox.rag(["cache", "stats", "--json"]).ok().json();
        let rows =
            usize::try_from(stats["tables"]["embeddings"]["count"].as_u64().expect("a count"))
                .expect("few");
        assert!(
            rows >= rows_before + 20,
            "{names:?}: {rows} vectors were kept after {rows_before}"
        );
        rows_before = rows;
    }
    let summary = sandbox.ingest();
    // The vectors of the question and of the first document are in the cache too.
    let hits = usize::try_from(summary["cache"]["hits"].as_u64().expect("hits")).expect("few");
    assert!(hits + 3 >= rows_before && hits >= 40, "{hits} hits of {rows_before} vectors");
    assert_eq!((summary["corpus_id"].as_str().map(str::to_owned), search(&sandbox)), {
        let (id, answer) = undisturbed(&sandbox);
        (Some(id), answer)
    });
}

/// Killed once it has the lock, once it builds, and twice while it embeds.
#[test]
fn the_ingest_after_a_killed_one_gives_the_undisturbed_index() {
    let sandbox = Sandbox::new();
    sandbox.write("docs/a.md", passage(MANY + 1));
    sandbox.ingest();
    let before = search(&sandbox);
    write_many(&sandbox);
    for moment in ["lock", "building", "first vectors", "more vectors"] {
        let mut child = sandbox.spawn(["ingest", "--dir", "docs", "--threads", "1"]);
        wait_for_lock(&sandbox.data(), child.id());
        let reached = || match moment {
            "lock" => true,
            "building" => {
                generations(&sandbox.data()).iter().any(|name| name.starts_with(".building-"))
            }
            "first vectors" => bytes_embedded(&sandbox.data()) > 5 * 384 * 4,
            _ => bytes_embedded(&sandbox.data()) > 150 * 384 * 4,
        };
        wait_for(moment, || reached().then_some(()));
        child.kill().expect("a kill");
        assert_eq!(
            child.wait().expect("an end").signal(),
            Some(9),
            "{moment}: it was over before the kill"
        );
        assert_eq!(search(&sandbox), before, "{moment}");
    }
    let summary = sandbox.ingest();
    assert_eq!(leftovers(&sandbox.data()), [""; 0]);
    let (id, answer) = undisturbed(&sandbox);
    assert_eq!(summary["corpus_id"], id.as_str());
    assert_eq!(search(&sandbox), answer);
}

/// An ingest that is killed, aborted or refused, again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A small change to an index of two generations, so that the commit has one to remove. All
    /// vectors are cached.
    Change,
    /// A change whose vectors take three transactions of the cache.
    ThreeBatches,
    /// A first ingest, so large that its text is published before its vectors.
    First,
}

/// Vectors that the cache stores in one transaction.
const BATCH: usize = 256;

/// `before/` holds the index, if there is one; `docs/` is its new content.
struct Scenario {
    kind: Kind,
    sandbox: Sandbox,
    before: Option<Contents>,
    after: Contents,
    /// Rows in a vector file of the next generation before any vector is made.
    rows_before: usize,
    /// Vectors in the cache before, and vectors to be made.
    cached_before: usize,
    wanted: usize,
    generations: usize,
}

impl Scenario {
    fn new(kind: Kind) -> Self {
        let sandbox = Sandbox::new();
        use_tiny_model(&sandbox);
        let write =
            |name: &str, n: usize| drop(sandbox.write(&format!("docs/{name}.md"), passage(n)));
        let ingest = |data: &str| {
            let args = ["ingest", "--dir", "docs", "--json", "--threads", "1", "--data-dir", data];
            sandbox.rag(args).ok().json()
        };
        std::fs::create_dir(sandbox.path().join("before")).expect("a folder");
        if kind != Kind::First {
            (0..6).for_each(|n| write(&format!("entry-{n}"), n));
            ingest("before");
            write("entry-4", 44);
            ingest("before");
            [1, 3].into_iter().for_each(|n| write(&format!("entry-{n}"), n + 100));
            std::fs::remove_file(sandbox.path().join("docs/entry-5.md")).expect("a removal");
        }
        let more = match kind {
            Kind::Change => 1,
            Kind::ThreeBatches => 2 * BATCH + 8,
            Kind::First => 1010,
        };
        (0..more).for_each(|n| write(&format!("new-{n}"), n + 200));
        let contents = |data: &str| Contents::of(&engine_on(&sandbox, data, TINY), QUESTION);
        let before = contents("before");
        let rows_before = before.as_ref().map_or(0, |_| {
            let engine = engine_on(&sandbox, "before", TINY);
            usize::try_from(engine.store.meta("default").expect("a meta").counts.rows).expect("few")
        });
        copy_tree(&sandbox.path().join("before"), &sandbox.path().join("after"));
        let summary = ingest("after");
        let after = contents("after").expect("an index");
        assert!(before.as_ref() != Some(&after));
        if kind == Kind::Change {
            let _ = std::fs::remove_dir_all(sandbox.path().join("before/cache"));
            copy_tree(&sandbox.path().join("after/cache"), &sandbox.path().join("before/cache"));
        }
        let cached_before = cached_rows(&sandbox.path().join("before"));
        let misses =
            usize::try_from(summary["cache"]["misses"].as_u64().expect("a number")).expect("few");
        let wanted = if kind == Kind::Change { 0 } else { misses };
        assert!(
            kind == Kind::Change
                || wanted > if kind == Kind::First { 3 * BATCH } else { 2 * BATCH },
            "{wanted}"
        );
        let generations = generations(&sandbox.path().join("after")).len();
        Self { kind, sandbox, before, after, rows_before, cached_before, wanted, generations }
    }

    /// The ingest on a fresh copy of `before/`, under strace.
    fn traced(&self, data: &str, strace: &[&str]) -> Run {
        let to = self.sandbox.path().join(data);
        let _ = std::fs::remove_dir_all(&to);
        copy_tree(&self.sandbox.path().join("before"), &to);
        let rag = ["ingest", "--dir", "docs", "--json", "--threads", "1", "--data-dir", data];
        traced(&self.sandbox, strace, &rag)
    }

    /// The ingest with a fault injected into the `n`-th such call of each thread.
    fn injected(&self, data: &str, call: &str, what: &str, n: impl std::fmt::Display) -> Run {
        self.traced(data, &inject(call, what, n).each_ref().map(String::as_str))
    }

    /// The log of an undisturbed run.
    fn trace(&self, calls: &[&str]) -> String {
        self.traced("counted", &["-e", &format!("trace={}", calls.join(","))]).ok();
        std::fs::read_to_string(self.sandbox.path().join("trace")).expect("a trace")
    }

    /// About `wanted` pairs of call and number, spread over all calls (all of them with
    /// `RAG_TEST_THOROUGH`); of a change every rename, because commits consist of them.
    fn points(&self, wanted: usize) -> Vec<(&'static str, usize)> {
        let mut calls: BTreeMap<&'static str, usize> = BTreeMap::new();
        for (_, name, n, _) in calls_in(&self.trace(&CHANGING), &CHANGING) {
            let most = calls.entry(name).or_default();
            *most = n.max(*most);
        }
        let all: usize = calls.values().sum();
        assert!(all > 60, "{calls:?}");
        let stride = if thorough() { 1 } else { all.div_ceil(wanted) };
        let mut points = Vec::new();
        for (name, n) in calls {
            let stride = if name == "rename" && self.kind == Kind::Change { 1 } else { stride };
            // Counted from the end: the last calls of a kind belong to the commit.
            points.extend((1..=n).rev().step_by(stride).map(|n| (name, n)));
        }
        points
    }

    fn contents(&self, data: &str) -> Option<Contents> {
        Contents::of(&engine_on(&self.sandbox, data, TINY), QUESTION)
    }

    /// One whole generation is there, the old or the new one, and no more vectors are lost than one
    /// transaction of the cache holds. Returns whether it is the new one.
    #[track_caller]
    fn holds(&self, data: &str, what: &str) -> bool {
        let dir = self.sandbox.path().join(data);
        let (made, cached) = (rows_made(&dir), cached_rows(&dir) - self.cached_before);
        assert!(
            made <= self.rows_before + cached + BATCH,
            "{what}: {made} vectors were made, {cached} were cached"
        );
        let found = self.contents(data);
        if found == self.before
            || self.kind == Kind::First && found.as_ref() == Some(&self.after.without_vectors())
        {
            return false;
        }
        found.unwrap_or_else(|| panic!("{what}: the index is gone")).must_be(&self.after, what);
        true
    }

    /// The next run finishes with the result of the undisturbed one; it makes exactly the vectors
    /// that were not cached.
    #[track_caller]
    fn recovers(&self, data: &str, what: &str) {
        let dir = self.sandbox.path().join(data);
        let cached = cached_rows(&dir) - self.cached_before;
        let is_there = self.contents(data).as_ref() == Some(&self.after);
        let summary =
            self.sandbox.rag(["ingest", "--dir", "docs", "--json", "--data-dir", data]).ok().json();
        let found = self.contents(data).unwrap_or_else(|| panic!("{what}: there is no index"));
        found.must_be(&self.after, what);
        if !is_there {
            assert_eq!(
                summary["cache"]["misses"],
                self.wanted.saturating_sub(cached),
                "{what}: {summary:#}"
            );
        }
        self.sandbox.rag(["jobs", "list", "--data-dir", data]).ok();
        assert_eq!(orphans(&dir), [""; 0], "{what}");
        assert!(
            generations(&dir).len() <= self.generations.max(2),
            "{what}: {:?}",
            generations(&dir)
        );
    }
}

type Count = Cell<usize>;

fn count(counter: &Count, is_one: bool) {
    counter.set(counter.get() + usize::from(is_one));
}

/// One point of each sweep; the counts are those of its report.
impl Scenario {
    fn kill_at(&self, (call, n): (&str, usize), what: &str, (killed, committed): (&Count, &Count)) {
        let run = self.injected("killed", call, "signal=SIGKILL", n);
        count(killed, was_killed(&run));
        let is_new = self.holds("killed", what);
        count(committed, is_new);
        assert!(
            was_killed(&run) || run.code == Some(0) && is_new,
            "{what}: acknowledged and not there\n{run}"
        );
        self.recovers("killed", what);
    }

    fn fail_at(
        &self,
        (call, n): (&str, usize),
        kind: &str,
        what: &str,
        (refused, killed): (&Count, &Count),
    ) {
        let run = self.injected("failed", call, kind, n);
        let is_new = self.holds("failed", what);
        match run.code {
            Some(0) => assert!(is_new, "{what}: a false success\n{run}"),
            Some(1) => {
                count(refused, true);
                let names_path = run.stderr.contains("failed/") || call == "write";
                assert!(names_path, "{what}: no path is named\n{run}");
            }
            _ => {
                count(killed, true);
                assert!(was_killed(&run), "{what}\n{run}");
            }
        }
        self.recovers("failed", what);
    }

    /// Panics at the `n`-th progress event; `is_over` is set where the ingest ends before it.
    fn panic_at(&self, n: usize, is_over: &Cell<bool>) {
        let what = format!("a panic at event {n}");
        let to = self.sandbox.path().join("panicked");
        let _ = std::fs::remove_dir_all(&to);
        copy_tree(&self.sandbox.path().join("before"), &to);
        let engine = engine_on(&self.sandbox, "panicked", TINY);
        let dirs = vec![self.sandbox.path().join("docs")];
        let request = ingest::Request { dirs, ..ingest::Request::default() };
        let mut left = n;
        let mut on_event = |_: ingest::Event| {
            assert!(left > 0, "one event too many");
            left -= 1;
        };
        let ended =
            catch_unwind(AssertUnwindSafe(|| ingest::run(&engine, &request, &mut on_event)));
        is_over.set(ended.is_ok());
        if let Ok(ended) = ended {
            ended.expect("an ingest without a panic");
        }
        assert_eq!(leftovers(&to), [""; 0], "{what}");
        let is_new = self.holds("panicked", &what);
        assert!(is_new || !is_over.get(), "{what}");
        drop(engine);
        self.recovers("panicked", &what);
    }

    fn fill_disk_at(&self, (call, n): (&str, usize), error: &str, what: &str, refused: &Count) {
        // A full disk stays full; but `write` also carries the message about it, so `write` fails
        // once.
        let until = if error == "ENOSPC" && call != "write" { "+" } else { "" };
        let run = self.injected("full", call, &format!("error={error}"), format!("{n}{until}"));
        let is_new = self.holds("full", what);
        match run.code {
            Some(0) => assert!(is_new, "{what}: a false success\n{run}"),
            Some(1) => {
                count(refused, true);
                // The failed write may, in another thread, be that of the message.
                let is_lost = call == "write" && run.stderr.is_empty();
                let names_path = is_lost || run.stderr.contains("full/");
                assert!(names_path, "{what}: the message names no path\n{run}");
                let is_ours = error == "ENOSPC" && run.stderr.contains("full/indexes");
                let names_size = !is_ours || run.stderr.contains(" bytes in ");
                assert!(names_size, "{what}: how much is needed?\n{run}");
            }
            other => panic!("{what}: exit {other:?}\n{run}"),
        }
        assert_eq!(leftovers(&self.sandbox.path().join("full")), [""; 0], "{what}");
        self.recovers("full", what);
    }
}

/// SIGKILL at the calls of an ingest that change the disk.
fn kill_at_every_call(kind: Kind, name: &str, wanted: usize) {
    if !can_trace() {
        return;
    }
    let scenario = Scenario::new(kind);
    let (mut sweep, killed, committed) = (Sweep::new(name), Cell::new(0), Cell::new(0));
    let points = scenario.points(wanted);
    for (call, n) in &points {
        let what = format!("SIGKILL at {call} {n}");
        sweep.point(&what, || scenario.kill_at((call, *n), &what, (&killed, &committed)));
    }
    let (killed, committed) = (killed.get(), committed.get());
    sweep.end(format!("{killed} were killed, {committed} of all after the commit"));
    assert!(killed * 2 >= points.len(), "only {killed} of {} runs were killed", points.len());
}

#[test]
fn a_kill_at_any_call_of_a_small_change_leaves_one_whole_generation() {
    kill_at_every_call(Kind::Change, "kill -9 at the calls of a small change", 16);
}

#[test]
fn a_kill_at_any_call_of_three_cache_batches_loses_at_most_one() {
    kill_at_every_call(Kind::ThreeBatches, "kill -9 at the calls of an ingest of three batches", 5);
}

#[test]
fn a_kill_at_any_call_of_a_first_ingest_leaves_no_index_its_text_or_all_of_it() {
    kill_at_every_call(Kind::First, "kill -9 at the calls of a first ingest", 4);
}

/// The steps of the commit, each failing, killed before it is done and aborted after it is done.
/// `strace` delivers SIGKILL in place of a call, while SIGABRT lets the call happen.
#[test]
fn a_failure_at_any_step_of_a_commit_leaves_one_whole_generation() {
    if !can_trace() {
        return;
    }
    let scenario = Scenario::new(Kind::Change);
    let listed: Vec<&'static str> = CHANGING.into_iter().chain(["openat"]).collect();
    let trace = scenario.trace(&listed);
    let calls = calls_in(&trace, &listed).into_iter();
    // The commit begins when the file of pending texts is removed.
    let commit =
        calls.skip_while(|(.., line)| !(line.contains("unlink") && line.contains("/pending\"")));
    let changing =
        commit.filter(|(_, call, _, line)| *call != "openat" || line.contains("O_CREAT"));
    let steps: BTreeSet<(&str, usize)> = changing.map(|(_, call, n, _)| (call, n)).collect();
    assert!(steps.len() > 15, "{steps:?}");
    let mut sweep = Sweep::new("each step of a commit failing, killed before, aborted after");
    let (refused, killed) = (Cell::new(0), Cell::new(0));
    let kinds = ["error=EIO", "signal=SIGKILL", "signal=SIGABRT"];
    let points: Vec<_> = steps.iter().flat_map(|step| kinds.map(|kind| (*step, kind))).collect();
    // Not a multiple of three, so that each kind is tried.
    let stride = if thorough() { 1 } else { points.len() / 24 * 3 + 1 };
    for ((call, n), kind) in points.into_iter().step_by(stride) {
        let what = format!("{kind} at {call} {n}");
        sweep.point(&what, || scenario.fail_at((call, n), kind, &what, (&refused, &killed)));
    }
    let (refused, killed) = (refused.get(), killed.get());
    sweep.end(format!("{refused} were refused, {killed} killed"));
    assert!(refused > 0 && killed > 0);
}

/// A panic in the progress callback, between any two steps of an ingest.
#[test]
fn a_panic_at_any_progress_event_leaves_one_whole_generation() {
    let scenario = Scenario::new(Kind::Change);
    let mut sweep = Sweep::new("panic at each event of an ingest");
    let is_over = Cell::new(false);
    for n in (0..).step_by(if thorough() { 1 } else { 4 }) {
        if is_over.get() {
            break;
        }
        sweep.point(&format!("event {n}"), || scenario.panic_at(n, &is_over));
    }
    sweep.end("");
}

/// From call N on the disk is full, or one fsync fails.
#[test]
fn a_full_or_failing_disk_is_reported_and_damages_nothing() {
    if !can_trace() {
        return;
    }
    let scenario = Scenario::new(Kind::Change);
    let mut points: Vec<(&str, usize, &str)> = Vec::new();
    for (call, n) in scenario.points(24) {
        match call {
            "write" | "pwrite64" | "ftruncate" | "fallocate" | "mkdir" | "linkat" | "rename" => {
                points.push((call, n, "ENOSPC"));
            }
            "fsync" | "fdatasync" => points.push((call, n, "EIO")),
            _ => {}
        }
    }
    let (mut sweep, refused) =
        (Sweep::new("full disk from a call on, or failing sync"), Cell::new(0));
    for (call, n, error) in &points {
        let what = format!("{error} at {call} {n}");
        sweep.point(&what, || scenario.fill_disk_at((call, *n), error, &what, &refused));
    }
    let refused = refused.get();
    sweep.end(format!("{refused} were refused"));
    assert!(refused * 2 >= points.len(), "only {refused} of {} faults were felt", points.len());
}

/// Small disks: a folder that does not fit is refused with the path and the space it needs, the old
/// index answers, and with that much more room the same command succeeds.
#[test]
fn an_ingest_on_a_full_disk_names_the_space_needed_and_succeeds_with_it() {
    if !has_tool("unshare", &["-m", "sh", "-c", "mount -t tmpfs -o size=64k none /mnt"]) {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.write("small/a.md", passage(1));
    write_many(&sandbox);
    std::fs::create_dir(sandbox.data()).expect("a folder");
    let sizes: &[u32] =
        if thorough() { &[300, 350, 400, 450, 500, 550, 600, 650, 700, 750, 800] } else { &[500] };
    let mut sweep = Sweep::new("disks of a size");
    for size in sizes {
        sweep.point(&format!("{size} KiB"), || fill_disk_of(&sandbox, *size));
    }
    sweep.end("");
}

/// Ingests into a file system of this many KiB, then again with the space that the fault names.
fn fill_disk_of(sandbox: &Sandbox, size: u32) {
    let script = format!(
        r#"
        mount -t tmpfs -o size={size}k none data || exit 99
        "$0" ingest -q --dir small --no-cache >/dev/null || exit 98
        "$0" search 'lighthouse keeper' --json --no-cache >before.json || exit 97
        "$0" ingest -q --dir docs --no-cache 2>message; echo $? >code
        "$0" search 'lighthouse keeper' --json --no-cache >after.json || exit 96
        ls -A data/indexes >left
        takes=$(sed -n 's/.*takes about \([0-9]*\) bytes.*/\1/p' message)
        free=$(sed -n 's/.*, \([0-9]*\) are free.*/\1/p' message)
        mount -o remount,size=$(({size} * 1024 + takes - free)) data || exit 95
        "$0" ingest -q --dir docs --json --no-cache >summary.json || exit 94
        "#
    );
    sandbox.with_private_mounts(&script).ok();
    let read = |name: &str| std::fs::read_to_string(sandbox.path().join(name)).expect(name);
    let json = |name: &str| serde_json::from_str::<Value>(&read(name)).expect(name);
    assert_eq!(read("code").trim(), "1", "{}", read("message"));
    assert!(
        read("message").contains("data/indexes") && read("message").contains("space"),
        "{}",
        read("message")
    );
    assert_eq!(answer(json("before.json")), answer(json("after.json")));
    assert!(!read("left").contains("building"), "{}", read("left"));
    assert_eq!(json("summary.json")["documents"], MANY + 1, "the small folder stays");
}
