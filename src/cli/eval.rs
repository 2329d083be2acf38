//! `rag eval`: a table of measures.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::ask::questions;
use super::exit::Outcome;
use super::search::parsed;
use super::ui::Ui;
use crate::engine::Engine;
use crate::error::Result;
use crate::evaluate;

/// Measure retrieval on questions with known answers
///
/// FILE, or the standard input for `-`, has one JSON object a line: {"query": "…", "relevant":
/// {"PATH": GRADE, …}}, paths relative to the folder.
#[derive(Debug, Args)]
pub struct EvalArgs {
    /// Questions with their relevant files
    file: PathBuf,
    /// Only documents that match, as in `type:markdown and not path:drafts/**`
    ///
    /// Fields: path (a pattern as in .gitignore), domain (first folder or tag), type, lang, date,
    /// size and meta.KEY; joined by and, or, not and brackets. Compared by `:`, and date, size and
    /// meta.KEY also by <, <=, > and >=.
    #[arg(long, value_name = "EXPR")]
    filter: Option<String>,
}

pub fn run(args: &EvalArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let filter = parsed(args.filter.as_deref())?;
    let report = evaluate::run(engine, questions(&args.file)?, &args.file, filter.as_ref())?;
    if ui.json {
        let modes: serde_json::Map<_, _> = report
            .modes
            .iter()
            .map(|m| {
                let value =
                    json!({ "ndcg@10": m.ndcg_10, "recall@100": m.recall_100, "mrr@10": m.mrr_10 });
                (m.mode.to_owned(), value)
            })
            .collect();
        let latency: serde_json::Map<_, _> = report
            .modes
            .iter()
            .map(|m| (m.mode.to_owned(), json!({ "p50": m.p50_ms, "p95": m.p95_ms })))
            .collect();
        ui.json(&json!({ "queries": report.queries, "filter": filter.as_ref().map(ToString::to_string), "modes": modes, "latency_ms": latency }));
        return Ok(Outcome::Done);
    }
    let rows = report.modes.iter().map(|m| {
        let mut row = vec![m.mode.to_owned()];
        row.extend([m.ndcg_10, m.recall_100, m.mrr_10].map(|x| format!("{x:.4}")));
        row.extend([m.p50_ms, m.p95_ms].map(|x| format!("{x:.1}")));
        row
    });
    ui.table(
        &["mode", "ndcg@10", "recall@100", "mrr@10", "p50 ms", "p95 ms"],
        &rows.collect::<Vec<_>>(),
    );
    ui.note(super::ui::counted(report.queries as u64, "question"));
    Ok(Outcome::Done)
}
