//! Processes that end at a bad moment: whatever was acknowledged is there afterwards, and the next run ends as if
//! nothing had happened.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{Run, Sandbox};
use crate::tools::{
    answer, bytes_embedded, copy_tree, generations, has_tool, leftovers, listing, paths, signal, thorough, wait_for,
    wait_for_lock,
};

const QUESTION: &str = "lighthouse keeper";

/// Enough distinct passages that embedding them takes much longer than noticing that it has begun.
const MANY: usize = 400;

fn passage(n: usize) -> String {
    format!(
        "# Entry {n}\n\nOn day {n} the lighthouse keeper number {} counted {} gulls and {} boats.\n",
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

/// The corpus id and the answer of the same folder ingested without any disturbance.
fn twin(sandbox: &Sandbox) -> (String, Value) {
    let run = sandbox.rag(["ingest", "--dir", "docs", "--json", "--data-dir", "twin"]).ok();
    (run.json()["corpus_id"].as_str().expect("an id").to_owned(), search_in(sandbox, "twin"))
}

#[test]
fn one_document_survives_a_plain_exit_and_closed_pipes() {
    let sandbox = Sandbox::new();
    sandbox.write("docs/a.md", passage(1));
    sandbox.ingest();
    assert_eq!(paths(&search(&sandbox)), ["a.md"]);

    // Nobody reads the summary, nobody reads the talk: the work is done all the same.
    for (n, closed) in ["stdout", "stderr"].into_iter().enumerate() {
        let name = format!("{closed}.md");
        sandbox.write(&format!("docs/{name}"), passage(n + 2));
        let mut child = sandbox.spawn(["ingest", "--dir", "docs"]);
        match closed {
            "stdout" => drop(child.stdout.take()),
            _ => drop(child.stderr.take()),
        }
        let output = child.wait_with_output().expect("an end");
        assert_eq!(output.status.code(), Some(0), "{closed}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(paths(&search(&sandbox)).contains(&name), "after a closed {closed}");
    }
}

/// The summary is the acknowledgement: what it reports is there though the process dies on the next instruction.
#[test]
fn what_the_summary_reports_survives_a_kill_after_it() {
    let sandbox = Sandbox::new();
    sandbox.write("docs/a.md", passage(1));
    let mut child = sandbox.spawn(["ingest", "--dir", "docs", "--json"]);
    let mut first = [0; 1];
    child.stdout.take().expect("a pipe").read_exact(&mut first).expect("the summary");
    let _ = child.kill();
    child.wait().expect("an end");
    assert_eq!(paths(&search(&sandbox)), ["a.md"]);
}

/// SIGINT and SIGTERM in the middle of embedding: exit 130, nothing left lying about, the old generation answers as
/// before, and what was embedded need not be embedded again.
#[test]
fn an_interrupted_ingest_leaves_the_old_index_and_keeps_the_vectors() {
    let sandbox = Sandbox::new();
    sandbox.write("docs/a.md", passage(MANY + 1));
    sandbox.ingest();
    let before = search(&sandbox);
    write_many(&sandbox);
    let mut rows_before = 0;
    for name in ["INT", "TERM"] {
        let indexes = listing(&sandbox.data().join("indexes"));
        let child = sandbox.spawn(["ingest", "--dir", "docs", "--threads", "1"]);
        // Vectors already in the cache are put in at once; wait for those of this run.
        let enough = (rows_before as u64 + 20) * 384 * 4 + 4096;
        wait_for("twenty vectors", || (bytes_embedded(&sandbox.data()) >= enough).then_some(()));
        signal(child.id(), name);
        let output = child.wait_with_output().expect("an end");
        Run::from_output(&output, format!("ingest and SIG{name}")).exits(130).says("stopped: interrupted");
        assert_eq!(leftovers(&sandbox.data()), [""; 0]);
        let mut after = listing(&sandbox.data().join("indexes"));
        after.insert(".lock".into(), indexes[".lock"].clone());
        assert_eq!(after, indexes, "the folder of indexes changed");
        assert_eq!(search(&sandbox), before);
        let stats = sandbox.rag(["cache", "stats", "--json"]).ok().json();
        let rows = usize::try_from(stats["tables"]["embeddings"]["count"].as_u64().expect("a count")).expect("few");
        assert!(rows >= rows_before + 20, "SIG{name}: {rows} vectors were kept after {rows_before}");
        rows_before = rows;
    }
    let summary = sandbox.ingest();
    // The question's vector and that of the first document are in the cache too.
    let hits = usize::try_from(summary["cache"]["hits"].as_u64().expect("hits")).expect("few");
    assert!(hits + 3 >= rows_before && hits >= 40, "{hits} hits of {rows_before} vectors");
    assert_eq!((summary["corpus_id"].as_str().map(str::to_owned), search(&sandbox)), {
        let (id, answer) = twin(&sandbox);
        (Some(id), answer)
    });
}

/// Killed as soon as it has the lock, as soon as it builds, and twice while it embeds.
#[test]
fn the_run_after_a_killed_one_ends_like_one_that_was_never_killed() {
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
            "building" => generations(&sandbox.data()).iter().any(|name| name.starts_with(".building-")),
            "first vectors" => bytes_embedded(&sandbox.data()) > 5 * 384 * 4,
            _ => bytes_embedded(&sandbox.data()) > 150 * 384 * 4,
        };
        wait_for(moment, || reached().then_some(()));
        child.kill().expect("a kill");
        assert_eq!(child.wait().expect("an end").signal(), Some(9), "{moment}: it was over before the kill");
        assert_eq!(search(&sandbox), before, "{moment}");
    }
    let summary = sandbox.ingest();
    assert_eq!(leftovers(&sandbox.data()), [""; 0]);
    let (id, answer) = twin(&sandbox);
    assert_eq!(summary["corpus_id"], id.as_str());
    assert_eq!(search(&sandbox), answer);
}

/// System calls that change something on disk.
const CHANGING: [&str; 12] = [
    "write",
    "pwrite64",
    "fsync",
    "fdatasync",
    "rename",
    "renameat",
    "linkat",
    "unlink",
    "unlinkat",
    "ftruncate",
    "mkdir",
    "flock",
];

/// A folder in two versions: `before/` holds the index of the first, `docs/` the second. All vectors are cached.
struct Prepared {
    sandbox: Sandbox,
    before: Value,
    after: Value,
    corpus_id: String,
    generations: usize,
}

fn prepared() -> Prepared {
    let sandbox = Sandbox::new();
    for n in 0..6 {
        sandbox.write(&format!("docs/entry-{n}.md"), passage(n));
    }
    let ingest = |data: &str| {
        let args = ["ingest", "--dir", "docs", "--json", "--threads", "1", "--data-dir", data];
        sandbox.rag(args).ok().json()
    };
    // Two generations, so that the next commit has one to remove.
    ingest("before");
    sandbox.write("docs/entry-4.md", passage(44));
    ingest("before");
    let before = search_in(&sandbox, "before");
    for n in [1, 3] {
        sandbox.write(&format!("docs/entry-{n}.md"), passage(n + 100));
    }
    std::fs::remove_file(sandbox.path().join("docs/entry-5.md")).expect("a removal");
    sandbox.write("docs/new.md", passage(200));
    copy_tree(&sandbox.path().join("before"), &sandbox.path().join("after"));
    let corpus_id = ingest("after")["corpus_id"].as_str().expect("an id").to_owned();
    let after = search_in(&sandbox, "after");
    assert_ne!(before, after);
    std::fs::remove_dir_all(sandbox.path().join("before/cache")).expect("a removal");
    copy_tree(&sandbox.path().join("after/cache"), &sandbox.path().join("before/cache"));
    let generations = generations(&sandbox.path().join("after")).len();
    Prepared { sandbox, before, after, corpus_id, generations }
}

impl Prepared {
    /// The second ingest on a fresh copy of the first index, under strace.
    fn traced(&self, data: &str, args: &[&str]) -> Run {
        let to = self.sandbox.path().join(data);
        let _ = std::fs::remove_dir_all(&to);
        copy_tree(&self.sandbox.path().join("before"), &to);
        let rag = self.sandbox.command(["ingest", "--dir", "docs", "--json", "--threads", "1", "--data-dir", data]);
        let mut command = Command::new("strace");
        command.args(["-f", "-o"]).arg(self.sandbox.path().join("trace")).args(args).arg(rag.get_program());
        command.args(rag.get_args()).current_dir(self.sandbox.path()).env_clear().stdin(Stdio::null());
        command.envs(rag.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Run::of(&mut command)
    }

    /// How often the busiest thread makes each call in an undisturbed run.
    fn calls(&self) -> BTreeMap<&'static str, usize> {
        self.traced("counted", &["-e", &format!("trace={}", CHANGING.join(","))]).ok();
        let trace = std::fs::read_to_string(self.sandbox.path().join("trace")).expect("a trace");
        let mut by_thread: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for line in trace.lines() {
            let (thread, rest) = line.split_once(' ').unwrap_or_default();
            let call = rest.trim_start().split('(').next().unwrap_or_default();
            if let Some(name) = CHANGING.iter().find(|name| **name == call) {
                *by_thread.entry((thread, name)).or_default() += 1;
            }
        }
        let mut calls = BTreeMap::new();
        for name in CHANGING {
            let most = by_thread.iter().filter(|((_, n), _)| *n == name).map(|(_, n)| *n).max();
            calls.extend(most.map(|most| (name, most)));
        }
        calls
    }

    /// About `wanted` pairs of call and number, spread over all calls; the renames all, as commits are made of them.
    fn points(&self, wanted: usize) -> Vec<(&'static str, usize)> {
        let calls = self.calls();
        let all: usize = calls.values().sum();
        assert!(all > 60, "{calls:?}");
        let stride = if thorough() { 1 } else { all.div_ceil(wanted) };
        let mut points = Vec::new();
        for (name, n) in calls {
            let stride = if name == "rename" { 1 } else { stride };
            // From the end as well as from the start: the last calls of a kind are those of the commit.
            points.extend((1..=n).rev().step_by(stride).map(|n| (name, n)));
        }
        points
    }

    /// The next run finishes, and ends as the undisturbed one did.
    #[track_caller]
    fn recovers(&self, data: &str, what: &str) {
        let run = self.sandbox.rag(["ingest", "--dir", "docs", "--json", "--data-dir", data]).ok();
        let summary = run.json();
        assert_eq!(summary["corpus_id"], self.corpus_id.as_str(), "{what}");
        assert_eq!(search_in(&self.sandbox, data), self.after, "{what}");
        let dir = self.sandbox.path().join(data);
        assert_eq!(leftovers(&dir), [""; 0], "{what}");
        assert!(generations(&dir).len() <= self.generations, "{what}: {:?}", generations(&dir));
        self.sandbox.rag(["index", "verify", "--data-dir", data]).ok();
    }
}

fn can_trace() -> bool {
    has_tool("strace", &["-f", "-o", "/dev/null", "true"])
}

/// kill -9 at a sample of all the calls that change the disk (all of them with `RAG_TEST_THOROUGH`).
#[test]
fn a_kill_at_any_call_leaves_one_whole_generation() {
    if !can_trace() {
        return;
    }
    let prepared = prepared();
    let (mut killed, mut committed) = (0, 0);
    let points = prepared.points(40);
    for (call, n) in &points {
        let what = format!("SIGKILL at {call} {n}");
        let inject = format!("inject={call}:signal=SIGKILL:when={n}");
        let run = prepared.traced("killed", &["-e", &format!("trace={call}"), "-e", &inject]);
        killed += usize::from(run.code.is_none() || run.code == Some(137));
        let answer = search_in(&prepared.sandbox, "killed");
        assert!(answer == prepared.before || answer == prepared.after, "{what}: {answer:#}");
        if run.code == Some(0) {
            assert_eq!(answer, prepared.after, "{what}: acknowledged and not there");
        }
        committed += usize::from(answer == prepared.after);
        prepared.recovers("killed", &what);
    }
    println!("{} points, {killed} kills, {committed} after the commit", points.len());
    assert!(killed * 10 >= points.len() * 8, "only {killed} of {} runs were killed", points.len());
}

/// From call N on, the disk is full; or one fsync fails.
#[test]
fn a_full_or_failing_disk_is_reported_and_harms_nothing() {
    if !can_trace() {
        return;
    }
    let prepared = prepared();
    let mut refused = 0;
    let mut points: Vec<(&str, usize, &str)> = Vec::new();
    for (call, n) in prepared.points(40) {
        match call {
            "write" | "pwrite64" | "ftruncate" | "mkdir" | "linkat" | "rename" => points.push((call, n, "ENOSPC")),
            "fsync" | "fdatasync" => points.push((call, n, "EIO")),
            _ => {}
        }
    }
    for (call, n, error) in &points {
        let what = format!("{error} at {call} {n}");
        // A disk that is full stays full; but `write` also carries the message about it, so there it fails once.
        let until = if *error == "ENOSPC" && *call != "write" { "+" } else { "" };
        let inject = format!("inject={call}:error={error}:when={n}{until}");
        let run = prepared.traced("full", &["-e", &format!("trace={call}"), "-e", &inject]);
        let answer = search_in(&prepared.sandbox, "full");
        match run.code {
            Some(0) => assert_eq!(answer, prepared.after, "{what}: a false success\n{run}"),
            Some(1) => {
                refused += 1;
                assert!(answer == prepared.before || answer == prepared.after, "{what}: {answer:#}");
                // The one write that failed may, in another thread, be that of the message.
                let is_lost = *call == "write" && run.stderr.is_empty();
                assert!(is_lost || run.stderr.contains("full/"), "{what}: the message names no path\n{run}");
            }
            other => panic!("{what}: exit {other:?}\n{run}"),
        }
        assert_eq!(leftovers(&prepared.sandbox.path().join("full")), [""; 0], "{what}");
        prepared.recovers("full", &what);
    }
    println!("{} faults, {refused} refused", points.len());
    assert!(refused * 2 >= points.len(), "only {refused} of {} faults were felt", points.len());
}

/// A disk of 2 MiB: a folder that does not fit is refused with the path named, the old index answers, and once there is
/// room the same command succeeds.
#[test]
fn a_disk_too_small_is_reported_and_works_once_it_is_larger() {
    if !has_tool("unshare", &["-m", "sh", "-c", "mount -t tmpfs -o size=64k none /mnt"]) {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.write("small/a.md", passage(1));
    write_many(&sandbox);
    std::fs::create_dir(sandbox.data()).expect("a folder");
    let script = r#"
        mount -t tmpfs -o size=600k none data || exit 99
        "$0" ingest -q --dir small --no-cache >/dev/null || exit 98
        "$0" search 'lighthouse keeper' --json --no-cache >before.json || exit 97
        "$0" ingest -q --dir docs --no-cache 2>message; echo $? >code
        "$0" search 'lighthouse keeper' --json --no-cache >after.json || exit 96
        ls -A data/indexes >left
        mount -o remount,size=64m data || exit 95
        "$0" ingest -q --dir docs --json --no-cache >summary.json || exit 94
    "#;
    sandbox.with_own_mounts(script).ok();
    let read = |name: &str| std::fs::read_to_string(sandbox.path().join(name)).expect(name);
    let json = |name: &str| serde_json::from_str::<Value>(&read(name)).expect(name);
    assert_eq!(read("code").trim(), "1", "{}", read("message"));
    assert!(read("message").contains("data/indexes") && read("message").contains("space"), "{}", read("message"));
    assert_eq!(answer(json("before.json")), answer(json("after.json")));
    assert!(!read("left").contains("building"), "{}", read("left"));
    assert_eq!(json("summary.json")["documents"], MANY);
}
