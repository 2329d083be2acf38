//! `rag migrate`: brings the schema of PostgreSQL up to date, and copies what a machine kept in
//! files into it or back.

use clap::Args;
use serde_json::{Value, json};

use super::exit::Outcome;
use super::ui::{Ui, count};
use crate::analytics::{self, Copied, Place};
use crate::engine::Engine;
use crate::error::{Fault, Result};
use crate::jobs::{Jobs, State};
use crate::ledger::{Ledger, Migration};
use crate::sessions::Sessions;
use crate::tokens::{self, Tokens};

/// Bring the database schema up to date
///
/// Creates or extends the tables in the PostgreSQL database that `ledger.url` names, and those of
/// vectors where `nearest.engine` is pgvector. Servers of the version before keep working
/// meanwhile. Several calls at once wait for each other.
///
/// With `--import` or `--export` it also copies jobs, conversations, access tokens and records of
/// questions between the files of the data directory and the database. What is there already is
/// kept, so the command may be run again. Jobs that wait move; their workers must be stopped.
#[derive(Debug, Args)]
pub struct MigrateArgs {
    /// Copy from the files of the data directory to the database
    #[arg(long, conflicts_with = "export")]
    import: bool,
    /// Copy from the database to the files of the data directory
    #[arg(long)]
    export: bool,
}

/// The places of one side.
struct Side {
    sessions: Sessions,
    jobs: Jobs,
    tokens: Option<Tokens>,
    records: Place,
}

/// What was copied, by name.
type Report = [(&'static str, Copied); 4];

pub fn run(args: &MigrateArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let ledger = engine.ledger.postgres().map(|postgres| postgres.migrate()).transpose()?;
    let vectors = engine.store.nearest().migrate()?;
    let copies = args.import || args.export;
    if ledger.is_none() && (vectors.is_none() || copies) {
        return Err(Fault::usage("there is no database to migrate: `ledger.url` is not set")
            .hint("set it in ~/.config/rag/config.toml or as RAG_LEDGER_URL"));
    }
    let report = match copies {
        true => Some(transfer(engine, args.import)?),
        false => None,
    };
    if ui.json {
        let versions = |done: Migration| json!({ "from": done.from, "to": done.to });
        let mut json = ledger.map_or_else(|| json!({}), versions);
        if let Some(vectors) = vectors {
            json["vectors"] = versions(vectors);
        }
        if let Some(report) = &report {
            let name = if args.import { "imported" } else { "exported" };
            json[name] =
                report.iter().map(|(name, copied)| ((*name).to_owned(), row(copied))).collect();
        }
        ui.json(&json);
        return Ok(Outcome::Done);
    }
    for (what, done) in [("the schema", ledger), ("the schema of vectors", vectors)] {
        match done {
            None => {}
            Some(Migration { from, to }) if from == to => {
                ui.line(format!("{what} has version {to} already"));
            }
            Some(Migration { from, to }) => {
                ui.line(format!("migrated {what} from version {from} to {to}"));
            }
        }
    }
    for (name, Copied { copied, skipped }) in report.into_iter().flatten() {
        ui.line(format!("{name}: {} copied, {} skipped", count(copied), count(skipped)));
    }
    Ok(Outcome::Done)
}

fn row(copied: &Copied) -> Value {
    json!({ "copied": copied.copied, "skipped": copied.skipped })
}

fn transfer(engine: &Engine, is_import: bool) -> Result<Report> {
    let ttl_s = i64::try_from(engine.config.session_ttl_s).unwrap_or(i64::MAX);
    let dir = tokens::dir(&engine.config.data_dir);
    let files = Side {
        sessions: Sessions::open(&engine.config.data_dir.join("sessions"), ttl_s)?,
        jobs: Jobs::new(&engine.config.jobs_dir),
        tokens: match is_import {
            true => Tokens::find(&Ledger::Local, &dir)?,
            false => Some(Tokens::open(&Ledger::Local, &dir)?),
        },
        records: Place::new(&Ledger::Local, &engine.config.data_dir),
    };
    let database = Side {
        sessions: match engine.ledger.postgres() {
            Some(postgres) => Sessions::in_postgres(postgres.clone(), ttl_s),
            None => return Err(Fault::usage("`ledger.url` is not set")),
        },
        jobs: Jobs::of(&engine.ledger, &engine.config.jobs_dir),
        tokens: Tokens::find(&engine.ledger, &dir)?,
        records: engine.records(),
    };
    let (from, to) = if is_import { (files, database) } else { (database, files) };
    let (copied, skipped) = from.sessions.copy_to(&to.sessions, engine.now_s())?;
    Ok([
        ("jobs", copy_jobs(&from.jobs, &to.jobs, engine.now_ms())?),
        ("sessions", Copied { copied, skipped }),
        ("tokens", copy_tokens(from.tokens.as_ref(), to.tokens.as_ref())?),
        ("records", analytics::copy(&from.records, &to.records)?),
    ])
}

/// A job that waits is cancelled where it was, or it would run twice.
fn copy_jobs(from: &Jobs, to: &Jobs, now_ms: u64) -> Result<Copied> {
    let all = from.list(now_ms)?;
    if let Some(job) = all.iter().find(|job| job.state == State::Running) {
        return Err(Fault::busy(format!("the job `{}` is running", job.id))
            .hint("wait for its end, or stop its worker; then run this again"));
    }
    let (mut copied, place) = (Copied::default(), to.place()?);
    for mut job in all {
        let is_waiting = job.state == State::Queued;
        // Its files are where it was submitted.
        job.spec.place.clone_from(&place);
        match to.keep(&job, now_ms)? {
            true => copied.copied += 1,
            false => copied.skipped += 1,
        }
        if is_waiting {
            from.cancel(&job.id, now_ms)?;
        }
    }
    Ok(copied)
}

fn copy_tokens(from: Option<&Tokens>, to: Option<&Tokens>) -> Result<Copied> {
    let mut copied = Copied::default();
    let (Some(from), Some(to)) = (from, to) else { return Ok(copied) };
    let known = to.list()?;
    for token in from.list()? {
        match known.iter().any(|known| known.sha256 == token.sha256) {
            true => copied.skipped += 1,
            false => {
                to.insert(&token)?;
                copied.copied += 1;
            }
        }
    }
    Ok(copied)
}
