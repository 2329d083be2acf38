//! `rag ingest --watch`: changes of every kind start a round, everything else does not.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::concurrency::stopped_holder;
use crate::fixtures::{copy_dir, search, write_old};
use crate::support::{Sandbox, project_data};
use crate::tools::{has_tool, leftovers, paths, signal, thorough, wait_for};

/// A running `rag ingest --watch --json`, killed when dropped.
struct Watch {
    child: Child,
    lines: Arc<Mutex<Vec<Value>>>,
    talk: Arc<Mutex<String>>,
    /// Number of lines already read.
    seen: usize,
}

impl Watch {
    /// Starts it and waits for the end of the first ingest, after which all folders are watched.
    fn start(sandbox: &Sandbox, args: &[&str]) -> Self {
        Self::of(sandbox.command([&["ingest", "--watch", "--json"], args].concat()))
    }

    fn of(mut command: Command) -> Self {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("rag starts");
        let (lines, talk) = (Arc::default(), Arc::default());
        let (out, err) =
            (child.stdout.take().expect("a pipe"), child.stderr.take().expect("a pipe"));
        let into: Arc<Mutex<Vec<Value>>> = Arc::clone(&lines);
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                into.lock()
                    .unwrap()
                    .push(serde_json::from_str(&line).unwrap_or(Value::String(line)));
            }
        });
        let into: Arc<Mutex<String>> = Arc::clone(&talk);
        std::thread::spawn(move || {
            for line in BufReader::new(err).lines().map_while(Result::ok) {
                into.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
        let mut watch = Self { child, lines, talk, seen: 0 };
        watch.next("the first ingest", |line| line["event"] == "ingested");
        watch
    }

    /// The next matching line; other lines are skipped.
    #[track_caller]
    fn next(&mut self, what: &str, matches: impl Fn(&Value) -> bool) -> Value {
        let last = self.lines.lock().unwrap().last().cloned();
        wait_for(&format!("{what}: {last:?}"), || {
            let found = self.find(&matches);
            if found.is_none()
                && let Some(status) = self.child.try_wait().expect("a child")
            {
                panic!("{what}: it ended with {status}: {}", self.talk.lock().unwrap());
            }
            found
        })
    }

    /// The first unread line that matches; it and the lines before it count as read.
    fn find(&mut self, matches: impl Fn(&Value) -> bool) -> Option<Value> {
        let lines = self.lines.lock().unwrap();
        let at = self.seen + lines[self.seen..].iter().position(matches)?;
        self.seen = at + 1;
        Some(lines[at].clone())
    }

    /// The round that read this file.
    #[track_caller]
    fn reads(&mut self, path: &str) -> Value {
        self.next(path, |line| has(&line["some_read"], path))
    }

    #[track_caller]
    fn removes(&mut self, path: &str) -> Value {
        self.next(path, |line| has(&line["some_removed"], path))
    }

    #[track_caller]
    fn says(&self, part: &str) {
        wait_for(part, || self.talk.lock().unwrap().contains(part).then_some(()));
    }

    fn rounds(&self) -> Vec<Value> {
        self.lines
            .lock()
            .unwrap()
            .iter()
            .filter(|line| line["event"] == "ingested")
            .cloned()
            .collect()
    }

    /// Sends a signal and returns the exit code.
    fn end(mut self, name: &str) -> Option<i32> {
        signal(self.child.id(), name);
        self.child.wait().expect("an end").code()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn has(list: &Value, path: &str) -> bool {
    list.as_array().is_some_and(|list| list.iter().any(|item| item == path))
}

fn found(sandbox: &Sandbox, word: &str) -> Vec<String> {
    paths(&search(sandbox, word, &["--mode", "lexical"]))
}

fn rename(sandbox: &Sandbox, from: &str, to: &str) {
    std::fs::rename(sandbox.path().join(from), sandbox.path().join(to)).expect("a rename");
}

fn jobs(sandbox: &Sandbox) -> usize {
    let jobs = sandbox.rag(["jobs", "list", "--json"]).ok().json();
    jobs["jobs"].as_array().expect("jobs").len()
}

fn small() -> Sandbox {
    let sandbox = Sandbox::new();
    write_old(&sandbox, "docs/boat.md", "# Boat\n\nThe blue boat carries nine sailors.\n");
    sandbox
}

#[test]
fn changes_are_indexed_soon() {
    let sandbox = small();
    let mut watch = Watch::start(&sandbox, &["--dir", "docs"]);
    assert_eq!(found(&sandbox, "sailors"), ["boat.md"]);

    sandbox.write("docs/heron.md", "# Heron\n\nThe heron waits.\n");
    let round = watch.reads("docs/heron.md");
    assert_eq!(
        (&round["documents"], &round["read"], &round["committed"]),
        (&2.into(), &1.into(), &true.into())
    );
    assert!(
        round["job_id"].as_str().is_some_and(|id| id.len() == 32) && round["ms"].is_u64(),
        "{round}"
    );
    assert_eq!(found(&sandbox, "heron"), ["heron.md"]);

    sandbox.write("docs/heron.md", "# Heron\n\nThe egret waits.\n");
    watch.reads("docs/heron.md");
    assert_eq!(found(&sandbox, "egret"), ["heron.md"]);

    // Folders below new folders, and files written there later.
    sandbox.write("docs/new/deep/er/owl.md", "# Owl\n\nThe owl sleeps.\n");
    watch.reads("docs/new/deep/er/owl.md");
    sandbox.write("docs/new/deep/er/later.md", "# Later\n\nThe falcon hunts.\n");
    watch.reads("docs/new/deep/er/later.md");
    assert_eq!(found(&sandbox, "falcon"), ["new/deep/er/later.md"]);
    check_moved_folder(&sandbox, &mut watch);
    check_editors(&sandbox, &mut watch);
    assert_eq!(watch.end("INT"), Some(130));
    // The index equals that of an ingest without watching.
    let twin = sandbox.rag(["ingest", "--dir", "docs", "--json", "--data-dir", "twin"]).ok().json();
    assert_eq!(
        sandbox.rag(["index", "show", "--json"]).ok().json()["corpus_id"],
        twin["corpus_id"]
    );
    sandbox.rag(["index", "verify"]).ok();
    assert_eq!(leftovers(&sandbox.data()), [""; 0]);
}

/// A folder moves within the watched one, out, and in again.
fn check_moved_folder(sandbox: &Sandbox, watch: &mut Watch) {
    rename(sandbox, "docs/new", "docs/old");
    let round = watch.removes("docs/new/deep/er/owl.md");
    assert!(has(&round["some_read"], "docs/old/deep/er/owl.md"), "{round}");
    sandbox.write("docs/old/deep/er/later.md", "# Later\n\nThe kestrel hunts.\n");
    watch.reads("docs/old/deep/er/later.md");
    rename(sandbox, "docs/old", "aside");
    watch.removes("docs/old/deep/er/owl.md");
    assert_eq!(found(sandbox, "kestrel"), [""; 0]);
    rename(sandbox, "aside", "docs/back");
    watch.reads("docs/back/deep/er/owl.md");
    std::fs::remove_dir_all(sandbox.path().join("docs/back")).expect("a removal");
    watch.removes("docs/back/deep/er/owl.md");
}

/// What editors do: rename a new file over the old one; or move the old one aside, write a new one,
/// remove the old one.
fn check_editors(sandbox: &Sandbox, watch: &mut Watch) {
    sandbox.write("docs/.boat.md.swp", "x");
    sandbox.write("docs/.boat.md.new", "# Boat\n\nThe blue boat carries ten cooks.\n");
    rename(sandbox, "docs/.boat.md.new", "docs/boat.md");
    watch.reads("docs/boat.md");
    assert_eq!(found(sandbox, "cooks"), ["boat.md"]);
    rename(sandbox, "docs/boat.md", "docs/boat.md~");
    sandbox.write("docs/boat.md", "# Boat\n\nThe blue boat carries ten pilots.\n");
    std::fs::remove_file(sandbox.path().join("docs/boat.md~")).expect("a removal");
    watch.reads("docs/boat.md");
    assert_eq!(
        (found(sandbox, "pilots"), found(sandbox, "cooks")),
        (vec!["boat.md".to_owned()], Vec::new())
    );
}

/// The passages are unchanged, so their vectors are reused, even without a cache.
#[test]
fn a_moved_file_is_not_embedded_again() {
    let sandbox = small();
    let mut watch = Watch::start(&sandbox, &["--dir", "docs", "--no-cache"]);
    let vectors = || sandbox.rag(["index", "show", "--json"]).ok().json()["vectors"].clone();
    assert_eq!(vectors(), 1);
    std::fs::create_dir(sandbox.path().join("docs/harbour")).expect("a folder");
    rename(&sandbox, "docs/boat.md", "docs/harbour/ship.md");
    let round = watch.reads("docs/harbour/ship.md");
    assert_eq!(
        (&round["removed"], &round["documents"], vectors()),
        (&1.into(), &1.into(), 1.into())
    );
    assert_eq!(round["cache"]["misses"], 0);
    assert_eq!(
        paths(&search(&sandbox, "who is on the ship", &["--mode", "dense"])),
        ["harbour/ship.md"]
    );
}

#[test]
fn a_burst_is_one_round() {
    const MANY: usize = 1500;
    let sandbox = small();
    let mut watch = Watch::start(&sandbox, &["--dir", "docs"]);
    let start = Instant::now();
    for n in 0..MANY {
        // One text, one vector: the test measures notifications and reading.
        sandbox.write(&format!("docs/many-{}/{n}.txt", n % 7), "The gulls cry.\n");
    }
    let took = start.elapsed();
    let mut documents = 1;
    while documents < MANY + 1 {
        let round = watch.next("the burst", |line| line["event"] == "ingested");
        documents = usize::try_from(round["documents"].as_u64().expect("a count")).expect("few");
    }
    sandbox.write("docs/last.md", "# Last\n\nThe last one.\n");
    watch.reads("docs/last.md");
    // The first ingest, the burst, the last file; and one for each pause of the burst that may
    // count as its end on a busy disk.
    let most = 3 + usize::try_from(took.as_millis() / 300).expect("milliseconds");
    let rounds = watch.rounds();
    assert!(rounds.len() <= most, "{} rounds in {took:?}: {rounds:#?}", rounds.len());
}

/// The data directory is inside the watched folder, and files change that no ingest would read.
#[test]
fn ignored_files_start_no_round() {
    let sandbox = small();
    sandbox.write(".gitignore", "build/\n*.log\n/docs/private/\n");
    sandbox.write("build/out.md", "made");
    sandbox.write("docs/private/diary.md", "# Diary\n\nSecret.\n");
    sandbox.write(".git/HEAD", "ref: x");
    let mut watch = Watch::start(&sandbox, &["--dir", "."]);
    let ignored =
        ["build/out.md", "build/new/x.md", "noise.log", ".git/index", ".hidden.md", "docs/.x.swp"];
    let disturb = |n: usize| {
        for path in ignored {
            sandbox.write(path, format!("{n}"));
        }
        sandbox.write("docs/private/diary.md", format!("# Diary\n\nSecret {n}.\n"));
    };
    // Searches write to the cache, which is not watched.
    for n in 0..3 {
        disturb(n);
        assert_eq!(found(&sandbox, "sailors"), ["docs/boat.md"]);
    }
    let before = jobs(&sandbox);
    sandbox.write("docs/seen.md", "# Seen\n\nThe heron waits.\n");
    watch.reads("docs/seen.md");
    disturb(4);
    sandbox.write("docs/seen.md", "# Seen\n\nThe egret waits.\n");
    watch.reads("docs/seen.md");
    assert_eq!((before, jobs(&sandbox)), (1, 3), "{:#?}", watch.rounds());

    // A change of an ignore file takes effect at once.
    sandbox.write(".gitignore", "build/\n*.log\n");
    watch.reads("docs/private/diary.md");
    sandbox.write("docs/.ragignore", "seen.md\n");
    watch.removes("docs/seen.md");
    // A file that is no longer ignored is watched.
    sandbox.write("docs/private/diary.md", "# Diary\n\nThe bittern booms.\n");
    watch.reads("docs/private/diary.md");
    assert_eq!(found(&sandbox, "bittern"), ["docs/private/diary.md"]);
}

#[test]
fn a_missing_folder_is_waited_for() {
    let sandbox = small();
    sandbox.write("more/tern.md", "# Tern\n\nThe tern dives.\n");
    let mut watch = Watch::start(&sandbox, &["--dir", "docs", "--dir", "more"]);
    std::fs::remove_dir_all(sandbox.path().join("docs")).expect("a removal");
    let gone = watch.next("its end", |line| line["event"] == "gone");
    assert_eq!(gone["dir"], "docs");
    // Meanwhile the index is unchanged.
    assert_eq!(
        (found(&sandbox, "sailors"), found(&sandbox, "tern")),
        (vec!["boat.md".into()], vec!["tern.md".into()])
    );
    sandbox.write("docs/heron.md", "# Heron\n\nThe heron waits.\n");
    watch.next("its return", |line| line["event"] == "back");
    let round = watch.reads("docs/heron.md");
    assert_eq!(
        (&round["documents"], has(&round["some_removed"], "docs/boat.md")),
        (&2.into(), true)
    );
    // Another folder at its path, by one rename, like a deployment with a link.
    sandbox.write("next/gull.md", "# Gull\n\nThe gull cries.\n");
    rename(&sandbox, "docs", "aside");
    rename(&sandbox, "next", "docs");
    watch.reads("docs/gull.md");
    sandbox.write("docs/gull.md", "# Gull\n\nThe gull laughs.\n");
    watch.reads("docs/gull.md");
    assert_eq!(found(&sandbox, "laughs"), ["gull.md"]);
}

#[test]
fn a_watch_waits_for_another_writer() {
    let sandbox = small();
    for n in 0..150 {
        sandbox.write(
            &format!("many/entry-{n}.md"),
            format!("# Entry {n}\n\nThe keeper counted {} gulls.\n", n * 3),
        );
    }
    let mut watch = Watch::start(&sandbox, &["--dir", "docs"]);
    let mut holder = stopped_holder(&sandbox);
    sandbox.write("docs/heron.md", "# Heron\n\nThe heron waits.\n");
    watch.says(&format!("process {}", holder.id()));
    assert_eq!(found(&sandbox, "heron"), [""; 0]);
    holder.kill().expect("a kill");
    holder.wait().expect("an end");
    watch.reads("docs/heron.md");
    // A waiting watch can be stopped.
    let mut holder = stopped_holder(&sandbox);
    sandbox.write("docs/egret.md", "# Egret\n\nThe egret waits.\n");
    watch.says(&format!("process {}", holder.id()));
    assert_eq!(watch.end("TERM"), Some(130));
    holder.kill().expect("a kill");
    holder.wait().expect("an end");
}

/// An interruption in the middle of a round ends at once and keeps the index.
#[test]
fn an_interruption_during_a_round_leaves_the_index() {
    let sandbox = small();
    let mut watch = Watch::start(&sandbox, &["--dir", "docs", "--threads", "1", "--no-cache"]);
    for n in 0..300 {
        sandbox.write(
            &format!("docs/entry-{n}.md"),
            format!("# Entry {n}\n\nThe keeper counted {} gulls.\n", n * 3),
        );
    }
    wait_for("embedding", || (crate::tools::bytes_embedded(&sandbox.data()) > 0).then_some(()));
    signal(watch.child.id(), "INT");
    assert_eq!(watch.child.wait().expect("an end").code(), Some(130));
    assert_eq!(leftovers(&sandbox.data()), [""; 0]);
    assert_eq!((found(&sandbox, "sailors").len(), found(&sandbox, "keeper").len()), (1, 0));
}

/// A failed round is reported and tried again without another change.
#[test]
fn a_failed_round_is_tried_again() {
    let sandbox = small();
    let model = sandbox.data().join("models/own");
    copy_dir(&project_data().join("models/all-MiniLM-L6-v2"), &model);
    let mut watch = Watch::start(&sandbox, &["--dir", "docs", "--model", "own"]);
    let aside: PathBuf = sandbox.path().join("aside");
    std::fs::rename(&model, &aside).expect("a rename");
    sandbox.write("docs/heron.md", "# Heron\n\nThe heron waits.\n");
    let failed = watch.next("a failure", |line| line["event"] == "failed");
    assert_eq!(
        (&failed["error"]["code"], &failed["again_in_s"]),
        (&2.into(), &1.into()),
        "{failed}"
    );
    assert!(
        failed["error"]["message"]
            .as_str()
            .is_some_and(|text| text.contains("no model named `own`")),
        "{failed}"
    );
    std::fs::rename(&aside, &model).expect("a rename");
    watch.reads("docs/heron.md");
    assert_eq!(found(&sandbox, "heron"), ["heron.md"]);
}

/// Expects a message about polling, and that changes are found.
fn assert_polls(sandbox: &Sandbox, mut watch: Watch, says: &str) {
    watch.says(says);
    for word in ["heron", "egret"] {
        sandbox.write("docs/a/new.md", format!("# New\n\nThe {word} waits.\n"));
        watch.reads("docs/a/new.md");
        assert_eq!(found(sandbox, word), ["a/new.md"]);
    }
    std::fs::remove_file(sandbox.path().join("docs/a/new.md")).expect("a removal");
    watch.removes("docs/a/new.md");
    assert_eq!(watch.end("INT"), Some(130));
}

/// Without watches of the system, or by request, the folders are polled.
#[test]
fn folders_that_cannot_be_watched_are_polled() {
    let sandbox = small();
    sandbox.write("docs/a/b/c/owl.md", "# Owl\n\nThe owl sleeps.\n");
    let check = |watch: Watch, says: &str| assert_polls(&sandbox, watch, says);
    check(Watch::start(&sandbox, &["--dir", "docs", "--poll", "1"]), "polling docs every second");
    for limit in ["max_inotify_watches", "max_inotify_instances"] {
        let n = if limit.ends_with("watches") { 2 } else { 0 };
        let script = format!("echo {n} > /proc/sys/user/{limit} && exec \"$0\" \"$@\"");
        if !has_tool("unshare", &["-Ur", "sh", "-c", &script, "true"]) {
            return;
        }
        let rag = ["ingest", "--watch", "--json", "--dir", "docs"];
        let command = sandbox.under("unshare", &["-Ur", "sh", "-c", &script], rag);
        check(Watch::of(command), "polling every second instead");
    }
}

/// One folder of an index is watched; the documents of the others stay.
#[test]
fn a_watch_keeps_the_other_folders() {
    let sandbox = Sandbox::new();
    write_old(&sandbox, "docs/bees.md", "# Bees\n\nHoney bees dance.\n");
    write_old(&sandbox, "notes/salmon.md", "# Salmon\n\nThe salmon leaps.\n");
    sandbox.rag(["ingest", "--dir", "notes", "--include", "*.md"]).ok();
    sandbox.rag(["ingest", "--dir", "docs", "--include", "*.md"]).ok();
    std::fs::remove_file(sandbox.path().join("notes/salmon.md")).unwrap();
    let mut watch = Watch::start(&sandbox, &["--dir", "docs"]);
    // The folder's patterns apply: the text file is not a change, and the next round skips it.
    sandbox.write("docs/plain.txt", "A plain text.\n");
    sandbox.write("docs/otter.md", "# Otters\n\nAn otter eats fish.\n");
    let round = watch.reads("docs/otter.md");
    assert_eq!((&round["documents"], &round["removed"]), (&3.into(), &0.into()), "{round}");
    std::fs::remove_file(sandbox.path().join("docs/bees.md")).unwrap();
    let round = watch.removes("docs/bees.md");
    assert_eq!(
        (&round["documents"], &round["removed_documents"]),
        (&2.into(), &serde_json::json!(["docs/bees.md"]))
    );
}

#[test]
fn a_round_is_reported_in_one_line() {
    let sandbox = small();
    sandbox.write("out", "");
    let out = |name: &str| std::fs::read_to_string(sandbox.path().join(name)).expect(name);
    let mut command = sandbox.command(["ingest", "--watch", "--dir", "docs"]);
    command.stdout(std::fs::File::create(sandbox.path().join("out")).expect("a file"));
    command.stderr(std::fs::File::create(sandbox.path().join("talk")).expect("a file"));
    let mut child = command.spawn().expect("a start");
    wait_for("the end of the first ingest", || {
        out("talk").contains("watching docs (1 folder)").then_some(())
    });
    assert!(out("out").contains("documents   1 (1 read, 0 removed)"), "{}", out("out"));
    for n in 0..5 {
        sandbox.write(&format!("docs/{n}.md"), format!("# {n}\n\nThe heron {n} waits.\n"));
    }
    std::fs::remove_file(sandbox.path().join("docs/boat.md")).expect("a removal");
    let line = wait_for("a line", || {
        let out = out("out");
        out.lines()
            .find(|line| line.starts_with("read ") && line.contains("removed docs/boat.md"))
            .map(str::to_owned)
    });
    assert!(line.starts_with(
        "read docs/0.md, docs/1.md, docs/2.md and 2 more; removed docs/boat.md: 5 documents, 5 "
    ));
    signal(child.id(), "INT");
    assert_eq!(child.wait().expect("an end").code(), Some(130));
    assert!(out("talk").ends_with("stopped: interrupted\n"), "{}", out("talk"));
}

#[test]
fn conflicting_flags_are_refused() {
    let sandbox = small();
    for args in [
        &["--watch", "--detach"][..],
        &["--watch", "--wait", "3"],
        &["--poll", "3"],
        &["--watch", "--poll", "0"],
    ] {
        sandbox.rag([&["ingest", "--dir", "docs"], args].concat()).exits(2);
    }
    sandbox
        .rag(["ingest", "--dir", "nowhere", "--watch"])
        .exits(2)
        .says("there is no folder nowhere");
    assert!(!Path::new(&sandbox.data()).exists());
}

/// A folder that changes all the time is ingested nevertheless.
#[test]
fn a_constantly_changing_folder_is_ingested() {
    if !thorough() {
        return;
    }
    let sandbox = small();
    let mut watch = Watch::start(&sandbox, &["--dir", "docs"]);
    let start = Instant::now();
    let mut n = 0;
    while watch.rounds().len() < 3 {
        n += 1;
        sandbox.write("docs/endless.md", format!("# Endless\n\nThe tide number {n} rises.\n"));
        assert!(start.elapsed() < crate::tools::HANG, "no round after {n} writes");
        std::thread::park_timeout(Duration::from_millis(20));
    }
    watch.reads("docs/endless.md");
    assert_eq!(found(&sandbox, "tide"), ["endless.md"]);
}
