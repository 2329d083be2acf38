//! Many rounds of ingests, removals and compactions, each killed at a random moment, compared with
//! a list of the acknowledged documents and with an undisturbed twin.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rag::engine::Engine;

use crate::fixtures::{files_below, set_age};
use crate::support::{Run, Sandbox, shared_data};
use crate::sweep::{
    CHANGING, Contents, Random, Sweep, TINY, cached_rows, calls_in, can_trace, inject, orphans,
    traced, use_tiny_model, was_killed,
};
use crate::tools::{engine_on, generations, rows_made, thorough};

const QUESTION: &str = "lighthouse keeper counted boats";

/// The files of the folder and the documents kept out of the index: name and text of each file.
#[derive(Clone, Debug, Default, PartialEq)]
struct Documents {
    files: BTreeMap<String, String>,
    removed: BTreeSet<String>,
}

impl Documents {
    fn indexed(&self) -> BTreeMap<&str, &str> {
        let is_in = |name: &&String| !self.removed.contains(*name);
        self.files
            .keys()
            .filter(is_in)
            .map(|name| (name.as_str(), self.files[name].as_str()))
            .collect()
    }
}

impl Documents {
    /// Whether these are the texts of the index, by path.
    fn equal(&self, texts: &BTreeMap<&str, &str>) -> bool {
        let indexed = self.indexed();
        // A chunk is shown with its heading, which its text does not repeat.
        let is_of = |(name, text): (&&str, &&str)| {
            indexed.get(name).is_some_and(|whole| whole.contains(body(text)))
        };
        indexed.len() == texts.len() && texts.iter().all(is_of)
    }
}

/// One command, and the documents after it.
struct Step {
    args: Vec<String>,
    after: Documents,
}

/// The folder as it is, the index as last acknowledged, and its twin.
struct Rounds {
    sandbox: Sandbox,
    random: Random,
    /// The documents of the index.
    acknowledged: Documents,
    /// The files of the folder.
    folder: BTreeMap<String, String>,
    /// Number of texts so far, so that no two are equal.
    texts: usize,
    /// How often the busiest thread of an ingest makes each call.
    calls: Vec<(&'static str, usize)>,
}

impl Rounds {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        use_tiny_model(&sandbox);
        let (random, acknowledged) = (Random::new(), Documents::default());
        let mut world = Self {
            sandbox,
            random,
            acknowledged,
            folder: BTreeMap::new(),
            texts: 0,
            calls: Vec::new(),
        };
        for _ in 0..12 {
            world.write_a_file();
        }
        world.acknowledged.files = world.folder.clone();
        world.sandbox.ingest();
        if can_trace() {
            world.write_a_file();
            let listed = format!("trace={}", CHANGING.join(","));
            traced(&world.sandbox, &["-e", &listed], &["ingest", "--dir", "docs"]).ok();
            world.acknowledged.files = world.folder.clone();
            let trace =
                std::fs::read_to_string(world.sandbox.path().join("trace")).expect("a trace");
            let mut most = BTreeMap::new();
            for (_, name, n, _) in calls_in(&trace, &CHANGING) {
                most.insert(name, most.get(name).copied().unwrap_or(0).max(n));
            }
            world.calls = most.into_iter().collect();
        }
        world
    }

    fn engine(&self, data: &str) -> Engine {
        engine_on(&self.sandbox, data, TINY)
    }

    fn write_a_file(&mut self) {
        self.texts += 1;
        let n = self.texts;
        let name = match self.folder.len() {
            all if all > 4 && self.random.below(2) == 0 => {
                let names: Vec<&String> = self.folder.keys().collect();
                (*self.random.pick(&names)).clone()
            }
            _ => format!("{}/entry-{n}.md", n % 3),
        };
        let text = format!(
            "# Entry {n}\n\nOn day {n} the lighthouse keeper counted {} gulls and {} boats.\n",
            n * 3,
            n + 7
        );
        write(&self.sandbox, &format!("docs/{name}"), &text);
        self.folder.insert(name, text);
    }

    /// Changes the folder and ingests it.
    fn change(&mut self) -> Step {
        for _ in 0..=self.random.below(6) {
            self.write_a_file();
        }
        for _ in 0..self.random.below(3) {
            let names: Vec<String> = self.folder.keys().cloned().collect();
            if names.len() > 8 {
                let name = self.random.pick(&names);
                std::fs::remove_file(self.sandbox.path().join("docs").join(name))
                    .expect("a removal");
                self.folder.remove(name);
            }
        }
        self.ingest()
    }

    fn ingest(&self) -> Step {
        let after = Documents { files: self.folder.clone(), ..self.acknowledged.clone() };
        Step { args: ["ingest", "--dir", "docs", "-q"].map(str::to_owned).to_vec(), after }
    }

    fn step(&mut self) -> Step {
        let mut after = self.acknowledged.clone();
        match self.random.below(10) {
            0 | 1 => Step { args: ["index", "compact"].map(str::to_owned).to_vec(), after },
            2 | 3 => {
                let names: Vec<String> = after.indexed().into_keys().map(str::to_owned).collect();
                if names.len() < 6 {
                    return self.change();
                }
                let name = self.random.pick(&names).clone();
                let args = ["documents".to_owned(), "remove".to_owned(), name.clone()].to_vec();
                after.removed.insert(name);
                Step { args, after }
            }
            4 if !after.removed.is_empty() => {
                // The next ingest reads it again; until then the document table lacks it.
                let names: Vec<String> = after.removed.iter().cloned().collect();
                let name = self.random.pick(&names).clone();
                self.sandbox.rag(["documents", "restore", &name]).ok();
                self.acknowledged.removed.remove(&name);
                self.acknowledged.files.remove(&name);
                self.change()
            }
            _ => self.change(),
        }
    }

    /// Runs a command and kills it, at a call that changes the disk or after a random time. Returns
    /// whether it finished.
    fn killed(&mut self, args: &[String]) -> bool {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        if !self.calls.is_empty() && self.random.below(2) == 0 {
            let calls = self.calls.clone();
            let (call, most) = *self.random.pick(&calls);
            let n = 1 + self.random.below(most);
            let run = traced(
                &self.sandbox,
                &inject(call, "signal=SIGKILL", n).each_ref().map(String::as_str),
                &args,
            );
            assert!(was_killed(&run) || run.code == Some(0), "{run}");
            return run.code == Some(0);
        }
        let moment = Duration::from_micros(self.random.below(600_000) as u64);
        let mut child = self.sandbox.spawn(&args);
        kill_after(&mut child, moment);
        let output = child.wait_with_output().expect("an end");
        let run = Run::from_output(&output, format!("{args:?}"));
        assert!(matches!(run.code, None | Some(0)), "{run}");
        run.code == Some(0)
    }

    /// Kills a random command. Returns whether it finished.
    fn kill_a_step(&mut self) -> bool {
        let step = self.step();
        let is_done = self.killed(&step.args);
        self.check(&step, is_done);
        // Every second time the same command is run to its end; otherwise the next one follows the
        // kill.
        if self.random.below(2) == 0 {
            self.sandbox.rag(&step.args).ok();
            self.check(&step, true);
        }
        is_done
    }

    /// Changes the folder and ingests it; half of the ingests are killed.
    fn ingest_or_kill(&mut self) {
        let step = self.change();
        if self.random.below(2) == 0 {
            let is_done = self.killed(&step.args);
            self.check(&step, is_done);
        } else {
            self.sandbox.rag(&step.args).ok();
            self.acknowledged = step.after;
        }
    }

    /// The index holds the acknowledged documents, or those after the step; a twin is equal in
    /// everything.
    #[track_caller]
    fn check(&mut self, step: &Step, is_done: bool) {
        let found = Contents::of(&self.engine("data"), QUESTION).expect("an index");
        let texts: BTreeMap<&str, &str> = found
            .chunks
            .iter()
            .map(|((path, _), (text, _))| (path.as_str(), text.as_str()))
            .collect();
        assert_eq!(texts.len(), found.chunks.len(), "a file has one chunk here");
        let holds = |known: &Documents| known.equal(&texts);
        let is_new = holds(&step.after);
        assert!(is_new || !is_done, "{:?} was acknowledged: {found:?}", step.args);
        assert!(
            is_new || holds(&self.acknowledged),
            "{:?} left something else: {found:?}",
            step.args
        );
        if is_new {
            self.acknowledged = step.after.clone();
        }
        self.compare_with_twin(&found);
    }

    /// The same documents in another folder, ingested into another data directory by runs that
    /// always finish.
    #[track_caller]
    fn compare_with_twin(&self, found: &Contents) {
        let folder = self.sandbox.path().join("twin-docs");
        let indexed = self.acknowledged.indexed();
        if folder.is_dir() {
            for name in files_below(&folder) {
                if indexed.get(name.as_str()).copied()
                    != std::fs::read_to_string(folder.join(&name)).ok().as_deref()
                {
                    std::fs::remove_file(folder.join(&name)).expect("a removal");
                }
            }
        }
        for (name, text) in indexed {
            if !folder.join(name).exists() {
                write(&self.sandbox, &format!("twin-docs/{name}"), text);
            }
        }
        self.sandbox.rag(["ingest", "--dir", "twin-docs", "-q", "--data-dir", "twin"]).ok();
        let twin = Contents::of(&self.engine("twin"), QUESTION).expect("a twin");
        found.must_be(&twin, "compared with its twin");
    }

    /// There are no orphans, and the index is at most twice as large as that of the twin.
    #[track_caller]
    fn has_no_orphans(&self) {
        self.sandbox.rag(["jobs", "list"]).ok();
        assert_eq!(orphans(&self.sandbox.data()), [""; 0]);
        assert_eq!(generations(&self.sandbox.data()).len(), 1);
        let bytes = |data: &str| -> u64 {
            let dir = self.sandbox.path().join(data).join("indexes");
            files_below(&dir)
                .iter()
                .map(|name| dir.join(name).metadata().expect("a file").len())
                .sum()
        };
        self.sandbox.rag(["index", "compact", "--data-dir", "twin"]).ok();
        let (ours, live) = (bytes("data"), bytes("twin"));
        assert!(ours <= 2 * live, "{ours} bytes, of which {live} are live");
    }
}

/// Writes a file with an old modification time that differs for another text.
fn write(sandbox: &Sandbox, path: &str, text: &str) {
    let age = text.bytes().fold(0, |age, byte| (age * 31 + u64::from(byte)) % 1_000_003);
    set_age(&sandbox.write(path, text), age);
}

/// The words of a chunk as [`Contents`] shows it, after its heading.
fn body(shown: &str) -> &str {
    shown.split_once("] ").map_or(shown, |(_, text)| text).trim()
}

/// Kills a process after a time, unless it ends before.
fn kill_after(child: &mut Child, moment: Duration) {
    let start = Instant::now();
    while start.elapsed() < moment && child.try_wait().expect("a child").is_none() {
        std::thread::park_timeout(Duration::from_micros(200));
    }
    let _ = child.kill();
}

/// Ingests, removals, re-ingests and compactions, most of them killed.
#[test]
fn random_kills_of_any_command_lose_and_double_no_document() {
    let mut world = Rounds::new();
    let rounds = if thorough() { 200 } else { 8 };
    let mut sweep = Sweep::new(&format!("random kills, seed {}", world.random.seed));
    let finished = Cell::new(0);
    for round in 0..rounds {
        sweep.point(&format!("round {round}"), || {
            let is_done = world.kill_a_step();
            finished.set(finished.get() + usize::from(is_done));
        });
    }
    let step = world.ingest();
    world.sandbox.rag(&step.args).ok();
    world.check(&step, true);
    world.sandbox.rag(["index", "compact"]).ok();
    world.has_no_orphans();
    sweep.end(format!("{} commands had ended before", finished.get()));
}

/// The leftovers of many killed ingests are removed in the end.
#[test]
fn many_killed_ingests_leave_no_orphaned_files() {
    let mut world = Rounds::new();
    let rounds = if thorough() { 100 } else { 4 };
    let mut sweep = Sweep::new(&format!(
        "re-ingests with random kills and a compaction, seed {}",
        world.random.seed
    ));
    for round in 0..rounds {
        sweep.point(&format!("round {round}"), || world.ingest_or_kill());
    }
    let step = world.ingest();
    world.sandbox.rag(&step.args).ok();
    world.sandbox.rag(["index", "compact"]).ok();
    world.check(&step, true);
    world.has_no_orphans();
    sweep.end("");
}

/// Vectors that one transaction of the cache stores.
const BATCH: usize = 256;

/// Kills an ingest after a time. It loses no more vectors than one transaction of the cache holds.
/// Returns how many are cached.
fn kill_ingest(
    mut command: Command,
    data: &Path,
    moment: Duration,
    lost: &mut Vec<usize>,
) -> usize {
    let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = quiet.spawn().expect("rag starts");
    kill_after(&mut child, moment);
    child.wait().expect("an end");
    // The vectors made so far are in the unfinished vector file.
    let (made, cached) = (rows_made(data), cached_rows(data));
    lost.push(made.saturating_sub(cached));
    assert!(made <= cached + BATCH, "{made} vectors were made, {cached} were cached");
    cached
}

/// Two real books with the real model, killed at a random moment and continued, ten times: each
/// time the result is that of an undisturbed run, and the kill loses no more vectors than one
/// transaction of the cache holds.
#[test]
fn a_killed_ingest_of_real_books_continues_from_its_cached_vectors() {
    if !thorough() {
        return;
    }
    const KILLS: usize = 10;
    let (Some(en), Some(zh)) = (shared_data("rustbook_en"), shared_data("rustbook_zh")) else {
        return;
    };
    let sandbox = Sandbox::new();
    let dirs = [en.to_str().expect("UTF-8"), zh.to_str().expect("UTF-8")];
    let dirs = ["ingest", "--dir", dirs[0], "--dir", dirs[1], "--json", "--data-dir"];
    let command = |data: &str| sandbox.command(dirs.into_iter().chain([data]));
    let contents = |data: &str| {
        let engine = engine_on(&sandbox, data, "all-MiniLM-L6-v2");
        Contents::of(&engine, "How does the borrow checker work?").expect("an index")
    };
    let start = Instant::now();
    let undisturbed = Run::of(&mut command("twin")).ok().json();
    let whole = start.elapsed();
    let twin = contents("twin");
    let texts =
        usize::try_from(undisturbed["cache"]["misses"].as_u64().expect("a number")).expect("few");
    let mut random = Random::new();
    let mut sweep = Sweep::new(&format!(
        "two books of {texts} passages killed and continued, seed {}",
        random.seed
    ));
    let (data, mut again) = (sandbox.data(), Vec::new());
    for n in 0..KILLS {
        let _ = std::fs::remove_dir_all(&data);
        // One kill in each tenth of the duration, so that no part of an ingest is left out.
        let moment = whole.mul_f64((n as f64 + random.below(1000) as f64 / 1000.0) / KILLS as f64);
        let what =
            format!("killed after {:.1} s of {:.1}", moment.as_secs_f64(), whole.as_secs_f64());
        sweep.point(&what, || {
            let cached = kill_ingest(command("data"), &data, moment, &mut again);
            let summary = Run::of(&mut command("data")).ok().json();
            assert_eq!(summary["corpus_id"], undisturbed["corpus_id"]);
            assert_eq!(summary["cache"]["misses"], texts - cached, "cached vectors were not used");
            contents("data").must_be(&twin, "after a kill");
            same_files(&data, &sandbox.path().join("twin"));
        });
    }
    sweep.end(format!(
        "embedded more than once: {again:?} texts; undisturbed it takes {:.0} s",
        whole.as_secs_f64()
    ));
}

/// Vectors, their keys and the document table are equal byte for byte.
#[track_caller]
fn same_files(a: &Path, b: &Path) {
    let names = |dir: &Path| -> Vec<String> {
        let mut names = files_below(dir);
        names.retain(|name| name.starts_with("vectors-") || name == "documents.jsonl");
        names
    };
    let (a, b) = (crate::tools::current(a), crate::tools::current(b));
    assert_eq!(names(&a), names(&b));
    for name in names(&a) {
        assert!(
            std::fs::read(a.join(&name)).ok() == std::fs::read(b.join(&name)).ok(),
            "{name} differs"
        );
    }
}
