//! `rag worker`: runs the jobs of any machine.

use clap::Args;

use super::exit::Outcome;
use super::ui::Ui;
use crate::engine::Engine;
use crate::error::Result;
use crate::work::{self, Until};

/// Run jobs until interrupted
///
/// Takes jobs from the PostgreSQL database that `ledger.url` names, which servers and other
/// machines submit to, or else from the job log of the data directory. A job whose worker dies is
/// tried again by another one. `max_workers` limits the workers of one data directory.
#[derive(Debug, Args)]
pub struct WorkerArgs {}

pub fn run(_: &WorkerArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    match engine.ledger.postgres() {
        Some(postgres) => ui.note(format!("waiting for jobs: {}", postgres.check()?)),
        None => ui.note(format!("waiting for jobs in {}", engine.config.jobs_dir.display())),
    }
    work::run_all(engine, Until::Interrupted)?;
    Ok(Outcome::Done)
}
