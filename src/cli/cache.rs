//! `rag cache`: counting and emptying.

use clap::{Args, Subcommand};
use serde_json::json;

use super::exit::Outcome;
use super::ui::{Ui, count, size, time};
use crate::cache::Table;
use crate::engine::Engine;
use crate::error::{Fault, Result};

/// Show or empty the caches
///
/// `rag cache --stats` and `rag cache --purge TABLES` are other spellings of the subcommands.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true, args_conflicts_with_subcommands = true)]
pub struct CacheArgs {
    #[command(subcommand)]
    action: Option<Action>,
    /// Same as `rag cache stats`
    #[arg(long, conflicts_with = "purge")]
    stats: bool,
    /// Same as `rag cache purge`
    #[arg(long, value_name = "TABLES")]
    purge: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Count rows and bytes by table
    Stats,
    /// Empty tables and give their space back
    Purge {
        /// Tables, separated by commas, or `all`
        tables: String,
    },
}

pub fn run(args: &CacheArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    match (&args.action, &args.purge) {
        (Some(Action::Purge { tables }), _) | (None, Some(tables)) => purge(tables, engine, ui),
        (Some(Action::Stats), _) => stats(engine, ui),
        (None, None) if args.stats => stats(engine, ui),
        (None, None) => {
            Err(Fault::usage("say what to do with the cache").hint("`rag cache stats` or `rag cache purge all`"))
        }
    }
}

fn stats(engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let stats = engine.cache().stats()?;
    if ui.json {
        let tables: serde_json::Map<_, _> = stats
            .iter()
            .map(|s| {
                let value = json!({ "count": s.count, "bytes": s.bytes, "oldest": s.oldest, "newest": s.newest });
                (s.table.name().to_owned(), value)
            })
            .collect();
        ui.json(&json!({ "tables": tables }));
        return Ok(Outcome::Done);
    }
    let date = |at: Option<i64>| at.map_or_else(|| "-".to_owned(), time);
    let rows = stats
        .iter()
        .map(|s| vec![s.table.name().to_owned(), count(s.count), size(s.bytes), date(s.oldest), date(s.newest)])
        .collect();
    ui.table(&["table", "count", "size", "oldest", "newest"], rows);
    Ok(Outcome::Done)
}

fn purge(tables: &str, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let tables = Table::parse_list(tables)?;
    let purged = engine.cache().purge(&tables)?;
    if ui.json {
        let tables: serde_json::Map<_, _> =
            purged.iter().map(|p| (p.table.name().to_owned(), json!({ "count": p.count, "bytes": p.bytes }))).collect();
        ui.json(&json!({ "purged": tables }));
        return Ok(Outcome::Done);
    }
    let rows = purged.iter().map(|p| vec![p.table.name().to_owned(), count(p.count), size(p.bytes)]).collect();
    ui.table(&["purged", "count", "size"], rows);
    Ok(Outcome::Done)
}
