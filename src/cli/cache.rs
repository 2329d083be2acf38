//! `rag cache`: statistics, emptying and warming.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use super::args::{AnswerArgs, Flags};
use super::exit::Outcome;
use super::input;
use super::ui::{Ui, count, counted, size, time};
use crate::batch;
use crate::cache::{Counters, Purge, SharedCounters, SharedStats, Table};
use crate::engine::Engine;
use crate::error::{Fault, Result};
use crate::wire;

/// Show, empty and warm the cache
///
/// `rag cache --stats` and `rag cache --purge TABLES` are aliases of the subcommands.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true, args_conflicts_with_subcommands = true)]
pub struct CacheArgs {
    #[command(subcommand)]
    action: Option<Action>,
    /// Alias of `rag cache stats`
    #[arg(long, conflicts_with = "purge")]
    stats: bool,
    /// Alias of `rag cache purge`
    #[arg(long, value_name = "TABLES")]
    purge: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show rows, size and hit rate of every table
    Stats,
    /// Empty tables and free their disk space
    ///
    /// With `--tag` or `--domain`, only the answers and rankings that were made from an index, from
    /// documents or from web pages. They may be repeated; a row that fits one of them is removed.
    #[command(visible_alias = "clear")]
    Purge(PurgeArgs),
    /// Answer a file of questions in advance
    Warm {
        /// Questions, one per line, or a file for `rag eval`; `-` reads standard input
        file: PathBuf,
        #[command(flatten)]
        answer: AnswerArgs,
    },
}

#[derive(Debug, Args)]
struct PurgeArgs {
    /// Of `embeddings`, `retrieval`, `rerank` and `answers`, separated by commas, or `all`
    #[arg(required_unless_present_any = ["tag", "domain"])]
    tables: Option<String>,
    /// Only rows made from this index, document or folder of documents, as hits name it
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Only rows made from web pages of this host or of hosts below it
    #[arg(long, value_name = "HOST")]
    domain: Vec<String>,
}

impl CacheArgs {
    pub fn flags(&self) -> Flags {
        match &self.action {
            Some(Action::Warm { answer, .. }) => answer.flags(),
            _ => Flags::new(),
        }
    }
}

pub fn run(args: &CacheArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    match (&args.action, &args.purge) {
        (Some(Action::Purge(args)), _) => purge(args, engine, ui),
        (None, Some(tables)) => {
            let tables = Some(tables.clone());
            purge(&PurgeArgs { tables, tag: Vec::new(), domain: Vec::new() }, engine, ui)
        }
        (Some(Action::Warm { file, answer }), _) => warm(file, answer, engine, ui),
        (Some(Action::Stats), _) => stats(engine, ui),
        (None, None) if args.stats => stats(engine, ui),
        (None, None) => Err(Fault::usage("`rag cache` needs a subcommand")
            .hint("`rag cache stats`, `rag cache purge all` or `rag cache warm FILE`")),
    }
}

fn stats(engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let shared = engine.cache().shared_stats();
    let stats = engine.cache().stats()?;
    if ui.json {
        ui.json(&wire::cache_stats(&stats, engine.cache().file_bytes(), shared.as_ref()));
        return Ok(Outcome::Done);
    }
    let date = |at: Option<i64>| at.map_or_else(|| "-".to_owned(), time);
    let rate = |counters: &Counters| match counters.hits + counters.misses {
        0 => "-".to_owned(),
        _ => format!("{:.1} %", 100.0 * counters.hit_rate()),
    };
    let rows = stats.iter().map(|s| {
        vec![
            s.table.name().to_owned(),
            count(s.count),
            size(s.bytes),
            size(s.budget_bytes),
            count(s.counters.hits),
            count(s.counters.misses),
            rate(&s.counters),
            date(s.oldest),
            date(s.newest),
        ]
    });
    ui.table(
        &["table", "count", "size", "budget", "hits", "misses", "hit rate", "oldest", "newest"],
        &rows.collect::<Vec<_>>(),
    );
    match shared {
        Some(Ok(stats)) => print_shared(&stats, ui),
        Some(Err(why)) => ui.warn(format!("the shared cache gives no answer: Redis: {why}")),
        None => {}
    }
    Ok(Outcome::Done)
}

fn print_shared(stats: &SharedStats, ui: &Ui) {
    let rate = |c: &SharedCounters| match c.hits + c.misses {
        0 => "-".to_owned(),
        _ => format!("{:.1} %", 100.0 * c.hit_rate()),
    };
    let rows = stats.tables.iter().map(|(table, ttl_s, c)| {
        let numbers = [c.hits, c.misses].map(count).to_vec();
        let writes = [c.sets, c.errors, c.damaged, c.dropped].map(count).to_vec();
        let name = vec![table.name().to_owned(), format!("{ttl_s} s")];
        [name, numbers, vec![rate(c)], writes].concat()
    });
    ui.line(format!("\nshared by all servers, in Redis ({})", size(stats.memory_bytes)));
    ui.table(
        &[
            "table", "lifetime", "hits", "misses", "hit rate", "sets", "errors", "damaged",
            "dropped",
        ],
        &rows.collect::<Vec<_>>(),
    );
}

fn purge(args: &PurgeArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let tables = args.tables.as_deref().map(Table::parse_list).transpose()?;
    let purge = Purge::new(tables, &args.tag, &args.domain)?;
    let cache = engine.cache();
    let before = cache.file_bytes();
    let purged = cache.purge_rows(&purge)?;
    let freed = before.saturating_sub(cache.file_bytes());
    if ui.json {
        ui.json(&wire::purged(&purged, freed));
        return Ok(Outcome::Done);
    }
    let rows =
        purged.iter().map(|p| vec![p.table.name().to_owned(), count(p.count), size(p.bytes)]);
    ui.table(&["purged", "count", "size"], &rows.collect::<Vec<_>>());
    ui.note(format!("freed {}", size(freed)));
    let shared: Vec<u64> = purged.iter().filter_map(|purged| purged.shared).collect();
    if !shared.is_empty() {
        let rows = counted(shared.iter().sum::<u64>(), "row");
        ui.note(format!("removed {rows} from the shared cache"));
    }
    Ok(Outcome::Done)
}

fn warm(file: &Path, args: &AnswerArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let bar = ui.progress();
    let (mut asked, mut known, mut failed) = (0u64, 0u64, Vec::new());
    batch::run(engine, input::questions(file)?, &args.request()?, &mut |item| {
        asked += 1;
        match item.outcome {
            Ok(response) => known += u64::from(response.cache.answer_hit),
            Err(fault) => failed.push((item.line, fault)),
        }
        bar.show("warm", 0.0, || counted(asked, "question"));
    })?;
    bar.end();
    for (line, fault) in &failed {
        ui.note(format!("line {line}: {fault}"));
    }
    let n_failed = failed.len();
    if ui.json {
        ui.json(&json!({ "questions": asked, "known": known, "failed": n_failed }));
    } else {
        let questions = counted(asked, "question");
        ui.line(format!("{questions}: {known} already cached, {n_failed} failed"));
    }
    Ok(if failed.is_empty() { Outcome::Done } else { Outcome::SomeFailed })
}
