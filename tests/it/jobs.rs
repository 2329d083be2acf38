//! `rag jobs`, `rag ingest --detach` and the workers: killed, racing, cancelled, poisoned.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;

use rag::engine::Engine;
use rag::jobs::{IngestSpec, Spec, State, Work};
use serde_json::Value;

use crate::fixtures::{error_of, files_below};
use crate::support::{Run, Sandbox};
use crate::sweep::{
    CHANGING, Contents, Sweep, TINY, calls_in, can_trace, inject, orphans, use_tiny_model,
    was_killed,
};
use crate::tools::{
    bytes_embedded, copy_tree, engine, engine_on, generations, has_tool, leftovers, paths, signal,
    thorough, wait_for, wait_for_workers,
};

/// Enough to embed that a worker still runs when the test notices it.
const MANY: usize = 150;

fn write_many(sandbox: &Sandbox) {
    write_entries(sandbox, MANY);
}

fn write_entries(sandbox: &Sandbox, count: usize) {
    for n in 0..count {
        let text = format!(
            "# Entry {n}\n\nOn day {n} the keeper counted {} gulls and {} boats.\n",
            n * 3,
            n + 11
        );
        sandbox.write(&format!("docs/entry-{n}.md"), text);
    }
}

fn small() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("docs/boat.md", "# Boat\n\nThe blue boat carries nine sailors.\n");
    sandbox
}

/// Queues an ingest of `docs/` into `index` for any worker.
fn submit(sandbox: &Sandbox, engine: &Engine, index: &str, max_attempts: u32) -> String {
    let work = Work::Ingest(IngestSpec {
        index: index.to_owned(),
        model: engine.config.model.clone(),
        cwd: sandbox.path().to_str().unwrap().to_owned(),
        dirs: vec!["docs".to_owned()],
        threads: Some(1),
        ..IngestSpec::default()
    });
    rag::work::submit(engine, Spec { max_attempts, backoff_ms: 1, ..Spec::new(work) }).unwrap()
}

fn show(sandbox: &Sandbox, id: &str) -> Value {
    sandbox.rag(["jobs", "show", id, "--json"]).ok().json()
}

fn list(sandbox: &Sandbox) -> Vec<Value> {
    let jobs = sandbox.rag(["jobs", "list", "--json"]).ok().json();
    jobs["jobs"].as_array().unwrap().clone()
}

fn detach(sandbox: &Sandbox, args: &[&str]) -> String {
    let args = [&["ingest", "--dir", "docs", "--detach", "--threads", "1"], args].concat();
    sandbox.rag(args).ok().stdout.trim().to_owned()
}

#[test]
fn an_ingest_is_recorded_as_a_job() {
    let sandbox = small();
    assert_eq!(list(&sandbox), [Value::Null; 0]);
    sandbox.rag(["jobs", "list"]).ok().says("no jobs");
    // An invalid ingest creates no job.
    sandbox.rag(["ingest", "--dir", "nowhere"]).exits(2);
    sandbox
        .rag(["ingest", "--dir", "nowhere", "--detach"])
        .exits(2)
        .says("there is no folder nowhere");
    sandbox
        .rag(["ingest", "--dir", "docs", "--detach", "--after", "abc"])
        .exits(2)
        .says("there is no job `abc`");
    sandbox.rag(["ingest", "--dir", "docs", "--priority", "low"]).exits(2);
    assert_eq!(list(&sandbox), [Value::Null; 0]);

    let summary = sandbox.ingest();
    let id = summary["job_id"].as_str().unwrap();
    assert!(id.len() == 32 && id.chars().all(|c| c.is_ascii_hexdigit()));
    let job = show(&sandbox, id);
    assert_eq!(
        (&job["state"], &job["index"], &job["dirs"][0]),
        (&"succeeded".into(), &"default".into(), &"docs".into())
    );
    assert_eq!((&job["progress"]["share"], &job["attempts"]), (&1.0.into(), &1.into()));
    assert_eq!(job["result"]["corpus_id"], summary["corpus_id"]);
    sandbox.rag(["jobs", "list"]).ok().prints(id).prints("succeeded").prints("100 %");
    sandbox.rag(["jobs", "show", &id[..6]]).ok().prints("succeeded");
    sandbox.rag(["jobs", "show", id, "--follow"]).ok();
    for verb in ["cancel", "retry"] {
        sandbox.rag(["jobs", verb, id]).exits(2).says("succeeded");
    }
    sandbox.rag(["jobs", "show", "none"]).exits(2).says("there is no job `none`");

    // Old jobs are no longer shown, and then removed.
    assert_eq!(sandbox.rag(["jobs", "clean", "--json"]).ok().json()["removed"], 0);
    let mut command = sandbox.command(["jobs", "list", "--json"]);
    let shown = Run::of(command.env("RAG_JOBS_KEEP_HOURS", "0")).ok().json();
    assert_eq!(shown["jobs"], Value::Array(Vec::new()));
    assert_eq!(
        sandbox.rag(["jobs", "clean", "--older-than", "0", "--json"]).ok().json()["removed"],
        1
    );
    assert_eq!(list(&sandbox), [Value::Null; 0]);
}

#[test]
fn a_detached_ingest_returns_at_once_and_succeeds() {
    let sandbox = Sandbox::new();
    write_many(&sandbox);
    let first = detach(&sandbox, &[]);
    let job = show(&sandbox, &first);
    assert!(matches!(job["state"].as_str(), Some("queued" | "running")), "{job:#}");
    // The second waits for the first, whatever its priority.
    let second =
        detach(&sandbox, &["--after", &first, "--priority", "critical", "--index", "other"]);
    let followed = sandbox.rag(["jobs", "show", &second, "--follow", "--json"]).ok().json();
    assert_eq!(
        (&followed["state"], &followed["priority"]),
        (&"succeeded".into(), &"critical".into())
    );
    let job = show(&sandbox, &first);
    assert_eq!((&job["state"], &job["attempts"]), (&"succeeded".into(), &1.into()));
    assert!(job["ended"].as_f64() <= followed["started"].as_f64(), "{job:#}\n{followed:#}");
    assert_eq!(
        sandbox.rag(["search", "gulls and boats", "--json"]).ok().json()["hits"]
            .as_array()
            .unwrap()
            .len(),
        10
    );
    wait_for_workers(&sandbox);
    // Paths are shown as they were typed, wherever the worker ran.
    let hits = sandbox.rag(["search", "gulls", "--json"]).ok().json();
    assert_eq!(hits["hits"][0]["root"], "docs");
    // Progress passed through the stages and was recorded.
    let log = std::fs::read_to_string(sandbox.data().join("jobs/jobs.jsonl")).unwrap();
    assert!(log.contains("\"stage\":\"vectors\""), "{log}");
}

/// The pid of a job's attempt, once it has reached a moment.
fn pid_at(sandbox: &Sandbox, engine: &Engine, id: &str, attempt: u32, moment: &str) -> Option<u32> {
    let job = engine.jobs.get(id, engine.now_ms()).unwrap();
    assert!(!job.state.is_over(), "{moment}: {job:?}");
    let is_running = job.state == State::Running && job.attempts == attempt;
    let is_building =
        || generations(&sandbox.data()).iter().any(|name| name.starts_with(".building-"));
    let is_reached = match moment {
        "running" => true,
        "building" => is_building(),
        _ => bytes_embedded(&sandbox.data()) > 5 * 384 * 4,
    };
    job.pid.filter(|_| is_running && is_reached)
}

/// The worker is killed once it has the job, while it reads and while it embeds; once with its
/// parent.
#[test]
fn a_job_continues_after_its_worker_is_killed() {
    let sandbox = Sandbox::new();
    write_many(&sandbox);
    let engine = engine(&sandbox);
    let id = submit(&sandbox, &engine, "default", 9);
    let mut parent = sandbox.spawn(["jobs", "run"]);
    let moments = ["running", "building", "vectors"];
    for (n, moment) in moments.into_iter().enumerate() {
        let attempt = u32::try_from(n).unwrap() + 1;
        let pid = wait_for(moment, || pid_at(&sandbox, &engine, &id, attempt, moment));
        if moment == "building" {
            parent.kill().unwrap();
            assert_eq!(parent.wait().unwrap().signal(), Some(9));
        }
        signal(pid, "KILL");
        if moment == "building" {
            parent = sandbox.spawn(["jobs", "run"]);
        }
    }
    let output = parent.wait_with_output().unwrap();
    Run::from_output(&output, "jobs run".into()).ok();
    let job = show(&sandbox, &id);
    assert_eq!((&job["state"], &job["attempts"]), (&"succeeded".into(), &4.into()), "{job:#}");
    assert_eq!(job["result"]["n_failed"], 0);
    assert_eq!(leftovers(&sandbox.data()), [""; 0]);
    let twin = sandbox.rag(["ingest", "--dir", "docs", "--json", "--data-dir", "twin"]).ok().json();
    assert_eq!(job["result"]["corpus_id"], twin["corpus_id"]);
    let traces: Vec<String> =
        files_below(&sandbox.data().join("jobs")).into_iter().filter(|f| f.contains(&id)).collect();
    assert_eq!(traces, [""; 0]);
}

/// A killed command is not continued in the background, but can be retried.
#[test]
fn a_killed_command_is_a_failed_job_that_can_be_retried() {
    let sandbox = Sandbox::new();
    write_many(&sandbox);
    let mut child = sandbox.spawn(["ingest", "--dir", "docs", "--threads", "1"]);
    wait_for("vectors", || (bytes_embedded(&sandbox.data()) > 0).then_some(()));
    child.kill().unwrap();
    child.wait().unwrap();
    sandbox.rag(["jobs", "run"]).ok();
    let job = &list(&sandbox)[0];
    assert_eq!(
        (&job["state"], &job["reason"]),
        (&"failed".into(), &"the process ended without an error message".into())
    );
    let id = job["id"].as_str().unwrap();
    sandbox.rag(["jobs", "show", id, "--follow"]).exits(1).says("ended without an error message");
    sandbox.rag(["jobs", "retry", id]).ok();
    sandbox.rag(["jobs", "show", id, "--follow"]).ok();
    wait_for_workers(&sandbox);
    assert_eq!(sandbox.ingest()["committed"], false);
}

#[test]
fn a_running_job_can_be_cancelled_and_retried() {
    let sandbox = Sandbox::new();
    // Enough that it still runs when a busy machine has started the command that cancels it.
    write_entries(&sandbox, 4 * MANY);
    let id = detach(&sandbox, &[]);
    let waiting = detach(&sandbox, &["--after", &id]);
    wait_for("vectors", || (bytes_embedded(&sandbox.data()) > 0).then_some(()));
    sandbox.rag(["jobs", "cancel", &id]).ok().says("stopping");
    sandbox.rag(["jobs", "show", &id, "--follow"]).exits(130).prints("cancelled");
    sandbox.rag(["jobs", "show", &waiting, "--follow"]).exits(1).says(&id);
    wait_for_workers(&sandbox);
    assert_eq!((generations(&sandbox.data()).len(), leftovers(&sandbox.data()).len()), (0, 0));
    sandbox.rag(["jobs", "retry", &id]).ok();
    sandbox.rag(["jobs", "show", &id, "--follow"]).ok();
    wait_for_workers(&sandbox);
    assert_eq!(sandbox.ingest()["committed"], false);
}

#[test]
fn racing_workers_run_no_job_twice() {
    let sandbox = small();
    let engine = engine(&sandbox);
    let ids: Vec<String> =
        (0..5).map(|n| submit(&sandbox, &engine, &format!("index-{n}"), 3)).collect();
    let workers: Vec<_> = (0..3).map(|_| sandbox.spawn(["jobs", "run"])).collect();
    for worker in workers {
        Run::from_output(&worker.wait_with_output().unwrap(), "jobs run".into()).ok();
    }
    for id in &ids {
        let job = show(&sandbox, id);
        assert_eq!((&job["state"], &job["attempts"]), (&"succeeded".into(), &1.into()), "{job:#}");
    }
    // The number of jobs running at any time is limited.
    let log = std::fs::read_to_string(sandbox.data().join("jobs/jobs.jsonl")).unwrap();
    let (mut running, mut most) = (0, 0);
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        match line["event"]["is"].as_str().unwrap() {
            "started" => running += 1,
            "ended" => running -= 1,
            _ => {}
        }
        most = most.max(running);
    }
    assert!((1..=2).contains(&most) && running == 0, "{most} ran at once");
}

/// A job that can never succeed fails at once with its reason and exit code.
#[test]
fn a_job_that_cannot_succeed_is_not_retried() {
    let sandbox = small();
    let engine = engine(&sandbox);
    let id = submit(&sandbox, &engine, "default", 3);
    std::fs::rename(sandbox.path().join("docs"), sandbox.path().join("gone")).unwrap();
    sandbox.rag(["jobs", "run"]).ok().says("there is no folder docs");
    let run = sandbox.rag(["jobs", "show", &id, "--follow", "--json"]).exits(2);
    assert_eq!(error_of(&run)["message"], "there is no folder docs");
    let job = show(&sandbox, &id);
    assert_eq!((&job["state"], &job["attempts"]), (&"failed".into(), &1.into()));
}

/// A file that kills its process three times is left out; all others are indexed.
#[test]
fn a_file_that_kills_its_reader_is_left_out_and_the_job_succeeds() {
    if !has_tool("strace", &["-f", "-o", "/dev/null", "true"]) {
        return;
    }
    let sandbox = small();
    let poison = sandbox
        .write("docs/poison.md", "# Poison\n\nWhoever reads this ends.\n")
        .canonicalize()
        .unwrap();
    sandbox.write("docs/tea.md", "# Tea\n\nGreen tea wants water below the boil.\n");
    let engine = engine(&sandbox);
    let id = submit(&sandbox, &engine, "default", 3);
    let opening = ["-e", "trace=open,openat", "-e", "inject=open,openat:signal=SIGKILL"];
    let only = ["-f", "-o", "trace", "-P", poison.to_str().unwrap()];
    Run::of(&mut sandbox.under("strace", &[&only[..], &opening].concat(), ["jobs", "run"])).ok();
    let job = show(&sandbox, &id);
    assert_eq!((&job["state"], &job["attempts"]), (&"succeeded".into(), &5.into()), "{job:#}");
    assert_eq!(job["files_set_aside"][0], poison.to_str().unwrap());
    let failed = &job["result"]["failed"][0];
    assert_eq!(failed["path"], "docs/poison.md");
    assert_eq!(failed["reason"], "reading it ended the process 3 times");
    sandbox.rag(["jobs", "show", &id, "--follow"]).exits(4);
    let mut found = paths(&sandbox.rag(["search", "boat tea", "--json"]).ok().json());
    found.sort();
    assert_eq!(found, ["boat.md", "tea.md"]);
}

#[test]
fn a_damaged_or_newer_log_is_refused_and_left_alone() {
    let sandbox = small();
    sandbox.ingest();
    sandbox.rag(["ingest", "--dir", "docs"]).ok();
    let path = sandbox.data().join("jobs/jobs.jsonl");
    let whole = std::fs::read_to_string(&path).unwrap();
    let second = whole.lines().next().unwrap().len() + 1;
    let damaged = [&whole[..second + 30], "~", &whole[second + 31..]].concat();
    let newer = whole.replacen("{\"v\":1", "{\"v\":9", 1);
    for (text, code, says) in [(damaged, 5, "jobs.jsonl:2"), (newer, 1, "newer version")] {
        std::fs::write(&path, &text).unwrap();
        for args in [
            &["jobs", "list"][..],
            &["jobs", "run"],
            &["jobs", "clean"],
            &["ingest", "--dir", "docs"],
            &["ingest", "--dir", "docs", "--detach"],
        ] {
            sandbox.rag(args).exits(code).says(says).says("hint");
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        // Only jobs depend on the log.
        sandbox.rag(["search", "boat"]).ok();
    }
    // A power cut can leave a torn last line.
    std::fs::write(&path, format!("{whole}{{\"v\":1,\"seq\":")).unwrap();
    assert_eq!(list(&sandbox).len(), 2);
    sandbox.ingest();
    assert_eq!(list(&sandbox).len(), 3);
}

#[test]
fn job_files_are_private() {
    let sandbox = small();
    let script = "umask 000; \"$0\" ingest --dir docs -q && \
         id=$(\"$0\" ingest --dir docs --detach) && \
         \"$0\" jobs show $id --follow && exec \"$0\" jobs clean --older-than 1";
    Run::of(&mut sandbox.under("sh", &["-c", script], [""; 0])).ok();
    wait_for_workers(&sandbox);
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    let jobs = sandbox.data().join("jobs");
    assert_eq!(mode(&jobs), 0o700);
    let files = files_below(&jobs);
    for name in ["jobs.jsonl", "worker.log"] {
        assert!(files.iter().any(|file| file == name), "{files:?}");
    }
    for file in files {
        assert_eq!(mode(&jobs.join(&file)), 0o600, "{file}");
    }
}

/// SIGKILL at the calls of a worker that change the disk: of the process that runs the job, and of
/// its parent. The next worker ends the job, which starts twice at most, so no file is embedded
/// more than twice.
#[test]
fn a_worker_killed_at_any_call_runs_no_job_twice() {
    if !can_trace() {
        return;
    }
    let sandbox = Sandbox::new();
    use_tiny_model(&sandbox);
    for n in 0..12 {
        sandbox.write(
            &format!("docs/{n}.md"),
            format!("# Boat {n}\n\nThe boat {n} carries {} sailors.\n", n * 7),
        );
    }
    sandbox.rag(["ingest", "--dir", "docs", "--data-dir", "twin"]).ok();
    let contents = |data: &str| Contents::of(&engine_on(&sandbox, data, TINY), "boat sailors");
    let twin = contents("twin").unwrap();
    std::fs::create_dir(sandbox.data()).unwrap();
    let id = submit(&sandbox, &engine_on(&sandbox, "data", TINY), "default", 3);
    copy_tree(&sandbox.data(), &sandbox.path().join("queued"));
    // Without `-f` strace follows only the process itself, not its child.
    for (name, run, strace) in [
        ("the worker's process with the job", &["jobs", "run", "--one"][..], &["-f"][..]),
        ("the worker", &["jobs", "run"], &[]),
    ] {
        let traced = |more: &[&str]| {
            let _ = std::fs::remove_dir_all(sandbox.data());
            copy_tree(&sandbox.path().join("queued"), &sandbox.data());
            Run::of(&mut sandbox.under("strace", &[strace, &["-o", "trace"], more].concat(), run))
        };
        traced(&["-e", &format!("trace={}", CHANGING.join(","))]).ok();
        let mut trace = std::fs::read_to_string(sandbox.path().join("trace")).unwrap();
        if strace.is_empty() {
            trace = trace.lines().map(|line| format!("1 {line}\n")).collect();
        }
        let points: BTreeSet<_> =
            calls_in(&trace, &CHANGING).into_iter().map(|(_, call, n, _)| (call, n)).collect();
        let stride = if thorough() { 1 } else { points.len() / 4 + 1 };
        let mut sweep = Sweep::new(&format!("kill -9 at the calls of {name}"));
        for (call, n) in points.iter().step_by(stride) {
            sweep.point(&format!("SIGKILL at {call} {n}"), || {
                let run = traced(&inject(call, "signal=SIGKILL", n).each_ref().map(String::as_str));
                assert!(was_killed(&run) || run.code == Some(0), "{run}");
                assert_finishes(&sandbox, &id);
                contents("data").unwrap().must_be(&twin, "the index");
            });
        }
        sweep.end("");
    }
}

/// Expects that the next worker ends the job, which started twice at most and never in parallel.
fn assert_finishes(sandbox: &Sandbox, id: &str) {
    sandbox.rag(["jobs", "run"]).ok();
    wait_for_workers(sandbox);
    let job = show(sandbox, id);
    assert_eq!(job["state"], "succeeded", "{job:#}");
    assert!(job["attempts"].as_u64() <= Some(2), "{job:#}");
    let log = std::fs::read_to_string(sandbox.data().join("jobs/jobs.jsonl")).unwrap();
    runs_are_apart(&log);
    assert_eq!(orphans(&sandbox.data()), [""; 0]);
}

/// Between two starts of a job there is an end, and no start follows its success.
fn runs_are_apart(log: &str) {
    let (mut is_running, mut has_succeeded) = (false, false);
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        match line["event"]["is"].as_str().unwrap() {
            "started" => {
                assert!(!is_running && !has_succeeded, "{log}");
                is_running = true;
            }
            "died" | "ended" => {
                assert!(is_running, "{log}");
                (is_running, has_succeeded) = (false, line["event"]["end"]["as"] == "succeeded");
            }
            _ => {}
        }
    }
    assert!(has_succeeded, "{log}");
}
