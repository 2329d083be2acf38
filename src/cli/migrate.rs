//! `rag migrate`: brings the schema of PostgreSQL up to date.

use clap::Args;
use serde_json::json;

use super::exit::Outcome;
use super::ui::Ui;
use crate::engine::Engine;
use crate::error::{Fault, Result};
use crate::ledger::Migration;

/// Bring the database schema up to date
///
/// Creates or extends the tables in the PostgreSQL database that `ledger.url` names, and those of
/// vectors where `nearest.engine` is pgvector. Servers of the version before go on meanwhile.
/// Several calls at once wait for each other.
#[derive(Debug, Args)]
pub struct MigrateArgs {}

pub fn run(_: &MigrateArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let ledger = engine.ledger.postgres().map(|postgres| postgres.migrate()).transpose()?;
    let vectors = engine.store.nearest().migrate()?;
    if ledger.is_none() && vectors.is_none() {
        return Err(Fault::usage("there is no database to migrate: `ledger.url` is not set")
            .hint("set it in ~/.config/rag/config.toml or as RAG_LEDGER_URL"));
    }
    if ui.json {
        let versions = |done: Migration| json!({ "from": done.from, "to": done.to });
        let mut report = ledger.map_or_else(|| json!({}), versions);
        if let Some(vectors) = vectors {
            report["vectors"] = versions(vectors);
        }
        ui.json(&report);
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
    Ok(Outcome::Done)
}
