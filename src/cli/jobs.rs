//! `rag jobs`: records of ingests, and the workers that run them.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;

use super::exit::Outcome;
use super::ui::{Ui, count, counted, duration, time};
use crate::engine::Engine;
use crate::error::{Context as _, Fault, Result};
use crate::index;
use crate::ingest;
use crate::jobs::{Job, Priority, Progress, Reason, State, Work};
use crate::wire;
use crate::work;

/// How often a followed job is read.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// List, follow, cancel, retry and run jobs
///
/// Every ingest is a job. `rag ingest --detach` queues one for a background worker.
#[derive(Debug, Args)]
pub struct JobsArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List jobs, oldest first
    List,
    /// Show a job
    Show {
        /// Job id, or a unique prefix of it
        id: String,
        /// Wait for the job to finish, and exit as it did
        #[arg(long)]
        follow: bool,
    },
    /// Cancel a queued or running job
    Cancel {
        /// Job id, or a unique prefix of it
        id: String,
    },
    /// Queue a failed or cancelled job again
    Retry {
        /// Job id, or a unique prefix of it
        id: String,
    },
    /// Delete records of finished jobs
    Clean {
        /// Only jobs that ended more than HOURS ago [default: setting `jobs.keep_hours`]
        #[arg(long, value_name = "HOURS")]
        older_than: Option<u64>,
    },
    /// Run queued jobs until none is left
    Run {
        /// Run one job in this process
        #[arg(long, hide = true)]
        one: bool,
        /// Embed texts of ingests on other machines
        #[arg(long, hide = true)]
        embed: bool,
        /// Start a new session, to survive the end of the terminal
        #[arg(long, hide = true)]
        detached: bool,
    },
}

pub fn run(args: &JobsArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let now = engine.now_ms();
    match &args.action {
        Action::List => list(engine, ui)?,
        Action::Show { id, follow: true } => return follow(id, engine, ui),
        Action::Show { id, follow: false } => show(&engine.jobs.get(id, now)?, ui),
        Action::Cancel { id } => {
            let job = engine.jobs.cancel(id, now)?;
            let state = if job.state.is_over() { "cancelled" } else { "stopping" };
            print_changed(&job, state, ui);
        }
        Action::Retry { id } => {
            let job = engine.jobs.retry(id, now)?;
            work::start_worker(engine)?;
            print_changed(&job, "queued again", ui);
        }
        Action::Clean { older_than } => {
            let before = match older_than {
                // Includes jobs that end in this millisecond.
                Some(0) => u64::MAX,
                Some(hours) => now.saturating_sub(hours.saturating_mul(3_600_000)),
                None => work::keep_from(engine),
            };
            let n = engine.jobs.clean(before, now)?;
            match ui.json {
                true => ui.json(&json!({ "removed": n })),
                false => ui.note(format!("removed {}", counted(n, "job"))),
            }
        }
        Action::Run { one: true, .. } => work::run_one(engine, &mut |text| ui.note(text))?,
        Action::Run { embed: true, .. } => drop(ingest::help(engine)?),
        Action::Run { detached, .. } => {
            if *detached {
                rustix::process::setsid().or_failed(|| "cannot start a new session".into())?;
            }
            work::run_all(engine, work::Until::Empty)?;
        }
    }
    Ok(Outcome::Done)
}

fn list(engine: &Engine, ui: &Ui) -> Result<()> {
    let before = work::keep_from(engine);
    let is_kept = |job: &Job| job.ended_ms.is_none_or(|ended| ended >= before);
    let jobs: Vec<Job> = engine.jobs.list(engine.now_ms())?.into_iter().filter(is_kept).collect();
    if ui.json {
        ui.json(&json!({ "jobs": jobs.iter().map(wire::job).collect::<Vec<_>>() }));
    } else if jobs.is_empty() {
        ui.note("no jobs");
    } else {
        print_jobs(&jobs, ui);
    }
    Ok(())
}

fn print_jobs(jobs: &[Job], ui: &Ui) {
    // At a terminal the table should fit: commands take the beginning of an id.
    let is_short = ui.is_terminal() && has_distinct_beginnings(jobs);
    let has_priority = !is_short || jobs.iter().any(|job| job.spec.priority != Priority::Normal);
    let rows = jobs.iter().map(|job| {
        let Work::Ingest(spec) = &job.spec.work;
        let id = if is_short { beginning(&job.id) } else { &job.id };
        let mut row = vec![id.to_owned(), job.state.name().to_owned(), percent(job)];
        row.extend(has_priority.then(|| job.spec.priority.name().to_owned()));
        row.extend([time_ms(job.created_ms), spec.index.clone()]);
        row.push(spec.shown_dirs().collect::<Vec<_>>().join(", "));
        row
    });
    let mut header = vec!["id", "state", "done", "priority", "created", "index", "folders"];
    header.retain(|name| has_priority || *name != "priority");
    ui.table(&header, &rows.collect::<Vec<_>>());
}

/// The beginning of an id that names a job in messages.
pub(super) fn beginning(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

fn has_distinct_beginnings(jobs: &[Job]) -> bool {
    let mut ids: Vec<&str> = jobs.iter().map(|job| beginning(&job.id)).collect();
    ids.sort_unstable();
    ids.windows(2).all(|pair| pair[0] != pair[1])
}

fn percent(job: &Job) -> String {
    format!("{} %", index::percent(job.progress.share))
}

fn time_ms(ms: u64) -> String {
    time(i64::try_from(ms / 1000).unwrap_or_default())
}

/// The estimated time left; empty if there is none.
fn time_left(progress: &Progress, format: impl FnOnce(String) -> String) -> String {
    progress.eta_s.map(|s| format(duration(Duration::from_secs(s)))).unwrap_or_default()
}

fn show(job: &Job, ui: &Ui) {
    if ui.json {
        return ui.json(&wire::job(job));
    }
    let Work::Ingest(spec) = &job.spec.work;
    let progress = &job.progress;
    let row = |name: &str, value: &str| {
        if !value.is_empty() {
            ui.row(name, 11, value);
        }
    };
    let at = |ms: Option<u64>| ms.map(time_ms).unwrap_or_default();
    let done = format!("{}  {}  {}", percent(job), progress.stage, progress.message);
    let attempts = format!("{} ({} of {} count)", job.attempts, job.tries, job.spec.max_attempts);
    row("id", &job.id);
    row("state", job.state.name());
    row("done", done.trim());
    row("time left", &time_left(progress, |left| format!("{left} in this stage")));
    row("reason", job.reason.as_ref().map_or("", |reason| &reason.message));
    row("left out", &job.set_aside().collect::<Vec<_>>().join(", "));
    row("folders", &spec.shown_dirs().collect::<Vec<_>>().join(", "));
    row("index", &spec.index);
    row("model", &spec.model);
    row("priority", job.spec.priority.name());
    row("after", &job.spec.after.join(", "));
    row("attempts", &attempts);
    row("created", &time_ms(job.created_ms));
    row("started", &at(job.started_ms));
    row("ended", &at(job.ended_ms));
    row("result", &result(job));
}

/// `22 documents, 282 chunks; 3 read, 1 removed, 2 failed, in 12.7 s`; empty without a result.
fn result(job: &Job) -> String {
    let Some(result) = &job.result else { return String::new() };
    let number = |key: &str| result[key].as_u64();
    let (Some(documents), Some(chunks)) = (number("documents"), number("chunks")) else {
        return String::new();
    };
    let mut done: Vec<String> = [("read", "read"), ("removed", "removed"), ("n_failed", "failed")]
        .into_iter()
        .filter_map(|(key, verb)| Some((number(key).filter(|n| *n > 0)?, verb)))
        .map(|(n, verb)| format!("{} {verb}", count(n)))
        .collect();
    if result["committed"].as_bool() == Some(false) {
        done.insert(0, "nothing changed".to_owned());
    }
    done.extend(result["seconds"].as_f64().map(|seconds| format!("in {seconds:.1} s")));
    format!("{}, {}; {}", counted(documents, "document"), counted(chunks, "chunk"), done.join(", "))
}

fn print_changed(job: &Job, state: &str, ui: &Ui) {
    match ui.json {
        true => ui.json(&wire::job(job)),
        false => ui.note(format!("{} {state}", job.id)),
    }
}

/// Shows progress until the job has ended.
fn follow(id: &str, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let bar = ui.progress();
    let is_plain = !ui.quiet && !ui.json && !bar.is_on();
    let mut reported = String::new();
    let job = loop {
        let job = engine.jobs.get(id, engine.now_ms())?;
        if job.state.is_over() {
            break job;
        }
        let progress = &job.progress;
        let stage = if job.state == State::Queued { "queued" } else { progress.stage.as_str() };
        bar.show(stage, progress.share, || {
            progress.message.clone() + &time_left(progress, |left| format!(", {left} left"))
        });
        if is_plain && reported != stage {
            ui.note(format!("{:>5}  {stage:8} {}", percent(&job), progress.message));
            stage.clone_into(&mut reported);
        }
        engine.check_interrupted()?;
        std::thread::park_timeout(POLL_INTERVAL);
    };
    bar.end();
    show(&job, ui);
    outcome(job)
}

/// The outcome of the job as that of the command.
fn outcome(job: Job) -> Result<Outcome> {
    match job.state {
        State::Succeeded => {
            let n_failed = job.result.as_ref().and_then(|result| result["n_failed"].as_u64());
            Ok(if n_failed.unwrap_or_default() == 0 { Outcome::Done } else { Outcome::SomeFailed })
        }
        State::Cancelled => Err(Fault::interrupted()),
        _ => Err(fault(job.reason)),
    }
}

/// The fault that ended a job.
fn fault(reason: Option<Reason>) -> Fault {
    let Some(reason) = reason else { return Fault::failed("the job failed") };
    let fault = Fault::new(reason.kind(), &reason.message);
    match &reason.hint {
        Some(hint) => fault.hint(hint),
        None => fault,
    }
}
