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
/// Creates or extends the tables in the PostgreSQL database that `ledger.url` names. Servers of the
/// version before go on meanwhile. Several calls at once wait for each other.
#[derive(Debug, Args)]
pub struct MigrateArgs {}

pub fn run(_: &MigrateArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let Some(postgres) = engine.ledger.postgres() else {
        return Err(Fault::usage("there is no database to migrate: `ledger.url` is not set")
            .hint("set it in ~/.config/rag/config.toml or as RAG_LEDGER_URL"));
    };
    let Migration { from, to } = postgres.migrate()?;
    match ui.json {
        true => ui.json(&json!({ "from": from, "to": to })),
        false if from == to => ui.line(format!("the schema has version {to} already")),
        false => ui.line(format!("migrated the schema from version {from} to {to}")),
    }
    Ok(Outcome::Done)
}
