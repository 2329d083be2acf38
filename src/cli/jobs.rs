//! `rag jobs`: what was asked for, what became of it, and the workers.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;

use super::exit::Outcome;
use super::ingest::duration;
use super::ui::{Ui, counted, time};
use crate::engine::Engine;
use crate::error::{Context as _, Fault, Result};
use crate::index;
use crate::jobs::{Job, Reason, State, Work};
use crate::wire;
use crate::work;

/// How often a followed job is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// List, follow, cancel, retry and run jobs
///
/// Every ingest is a job. `rag ingest --detach` leaves it to a worker in the background.
#[derive(Debug, Args)]
pub struct JobsArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the jobs in the order in which they were asked for
    List,
    /// Show a job
    Show {
        /// Its id, or the beginning of it
        id: String,
        /// Stay until it is over, and end as it ended
        #[arg(long)]
        follow: bool,
    },
    /// Take a job from the queue, or stop it
    Cancel {
        /// Its id, or the beginning of it
        id: String,
    },
    /// Queue a job again that failed or was cancelled
    Retry {
        /// Its id, or the beginning of it
        id: String,
    },
    /// Forget jobs that are over
    Clean {
        /// Only those that ended so long ago [default: the setting `jobs.keep_hours`]
        #[arg(long, value_name = "HOURS")]
        older_than: Option<u64>,
    },
    /// Run jobs until none is left
    Run {
        /// One job, in this process
        #[arg(long, hide = true)]
        one: bool,
        /// In a session of its own, so that the end of the terminal is not its end
        #[arg(long, hide = true)]
        detached: bool,
    },
}

pub fn run(args: &JobsArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let now = engine.now_ms();
    match &args.action {
        Action::List => list(engine, ui),
        Action::Show { id, follow: true } => follow(id, engine, ui),
        Action::Show { id, follow: false } => {
            show(&engine.jobs.get(id, now)?, ui);
            Ok(Outcome::Done)
        }
        Action::Cancel { id } => {
            let job = engine.jobs.cancel(id, now)?;
            let word = if job.state.is_over() { "cancelled" } else { "asked to stop" };
            changed(&job, word, ui)
        }
        Action::Retry { id } => {
            let job = engine.jobs.retry(id, now)?;
            work::start_worker(engine)?;
            changed(&job, "queued again", ui)
        }
        Action::Clean { older_than } => {
            let before = match older_than {
                // What ended in this very millisecond is over, too.
                Some(0) => u64::MAX,
                Some(hours) => now.saturating_sub(hours.saturating_mul(3_600_000)),
                None => work::keep_from(engine),
            };
            let n = engine.jobs.clean(before, now)?;
            match ui.json {
                true => ui.json(&json!({ "removed": n })),
                false => ui.note(format!("{} removed", counted(n, "job"))),
            }
            Ok(Outcome::Done)
        }
        Action::Run { one: true, .. } => {
            work::run_one(engine, &mut |text| ui.note(text))?;
            Ok(Outcome::Done)
        }
        Action::Run { detached, .. } => {
            if *detached {
                rustix::process::setsid().or_failed(|| "cannot leave the terminal".into())?;
            }
            work::run_all(engine)?;
            Ok(Outcome::Done)
        }
    }
}

fn list(engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let before = work::keep_from(engine);
    let is_kept = |job: &Job| job.ended_ms.is_none_or(|ended| ended >= before);
    let jobs: Vec<Job> = engine.jobs.list(engine.now_ms())?.into_iter().filter(is_kept).collect();
    if ui.json {
        ui.json(&json!({ "jobs": jobs.iter().map(wire::job).collect::<Vec<_>>() }));
        return Ok(Outcome::Done);
    }
    if jobs.is_empty() {
        ui.note("there are no jobs");
        return Ok(Outcome::Done);
    }
    let rows = jobs.iter().map(|job| {
        let Work::Ingest(spec) = &job.spec.work;
        let created = time(i64::try_from(job.created_ms / 1000).unwrap_or_default());
        let what = spec.shown_dirs().collect::<Vec<_>>().join(", ");
        let state = job.state.name().to_owned();
        vec![
            job.id.clone(),
            state,
            percent(job),
            job.spec.priority.name().to_owned(),
            created,
            spec.index.clone(),
            what,
        ]
    });
    ui.table(
        &["id", "state", "done", "priority", "created", "index", "folders"],
        &rows.collect::<Vec<_>>(),
    );
    Ok(Outcome::Done)
}

fn percent(job: &Job) -> String {
    format!("{} %", index::percent(job.progress.share))
}

fn show(job: &Job, ui: &Ui) {
    if ui.json {
        return ui.json(&wire::job(job));
    }
    let Work::Ingest(spec) = &job.spec.work;
    let row = |name: &str, value: String| {
        if !value.is_empty() {
            ui.row(name, 11, &value);
        }
    };
    let at = |ms: Option<u64>| {
        ms.map_or_else(String::new, |ms| time(i64::try_from(ms / 1000).unwrap_or_default()))
    };
    row("id", job.id.clone());
    row("state", job.state.name().to_owned());
    row(
        "done",
        [percent(job), job.progress.stage.clone(), job.progress.message.clone()]
            .join("  ")
            .trim()
            .to_owned(),
    );
    row(
        "time left",
        job.progress.eta_s.map_or_else(String::new, |s| {
            format!("{} in this stage", duration(Duration::from_secs(s)))
        }),
    );
    row("reason", job.reason.as_ref().map_or_else(String::new, |reason| reason.message.clone()));
    row("left out", job.set_aside().collect::<Vec<_>>().join(", "));
    row("folders", spec.shown_dirs().collect::<Vec<_>>().join(", "));
    row("index", spec.index.clone());
    row("model", spec.model.clone());
    row("priority", job.spec.priority.name().to_owned());
    row("after", job.spec.after.join(", "));
    row("attempts", format!("{} ({} of {} count)", job.attempts, job.tries, job.spec.max_attempts));
    row("created", at(Some(job.created_ms)));
    row("started", at(job.started_ms));
    row("ended", at(job.ended_ms));
}

fn changed(job: &Job, word: &str, ui: &Ui) -> Result<Outcome> {
    match ui.json {
        true => ui.json(&wire::job(job)),
        false => ui.note(format!("{} {word}", job.id)),
    }
    Ok(Outcome::Done)
}

/// Shows the progress until the job is over.
fn follow(id: &str, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let bar = ui.progress();
    let plain = !ui.quiet && !ui.json && !bar.is_on();
    let mut told = None;
    let job = loop {
        let job = engine.jobs.get(id, engine.now_ms())?;
        if job.state.is_over() {
            break job;
        }
        let p = &job.progress;
        let stage = if job.state == State::Queued { "queued" } else { p.stage.as_str() };
        bar.show(stage, p.share, || {
            let left = p.eta_s.map_or_else(String::new, |s| {
                format!(", {} left", duration(Duration::from_secs(s)))
            });
            format!("{}{left}", p.message)
        });
        if plain && told.as_deref() != Some(stage) {
            ui.note(format!("{:>5}  {stage:8} {}", percent(&job), p.message));
            told = Some(stage.to_owned());
        }
        if engine.interrupted() {
            bar.end();
            return Err(Fault::interrupted());
        }
        std::thread::park_timeout(LOOK);
    };
    bar.end();
    show(&job, ui);
    match (job.state, job.reason) {
        (State::Succeeded, _) => {
            let n_failed = job
                .result
                .as_ref()
                .and_then(|result| result["n_failed"].as_u64())
                .unwrap_or_default();
            Ok(if n_failed == 0 { Outcome::Done } else { Outcome::SomeFailed })
        }
        (State::Cancelled, _) => Err(Fault::interrupted()),
        (_, reason) => Err(fault_of(reason)),
    }
}

/// The fault that ended a job.
fn fault_of(reason: Option<Reason>) -> Fault {
    let Some(reason) = reason else { return Fault::failed("the job failed") };
    let fault = Fault::new(reason.kind(), &reason.message);
    match &reason.hint {
        Some(hint) => fault.hint(hint),
        None => fault,
    }
}
