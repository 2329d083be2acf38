//! `rag eval`: a table of retrieval measures.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, json};

use super::args::FilterArgs;
use super::exit::Outcome;
use super::input;
use super::ui::{Ui, counted};
use crate::engine::Engine;
use crate::error::Result;
use crate::evaluate;

/// Measure retrieval quality on questions with known answers
///
/// FILE (`-` for standard input) has one JSON object per line: {"query": "…", "relevant": {"PATH":
/// GRADE, …}}, with paths relative to the indexed folder.
#[derive(Debug, Args)]
pub struct EvalArgs {
    /// File of questions and their relevant documents
    file: PathBuf,
    #[command(flatten)]
    filter: FilterArgs,
}

pub fn run(args: &EvalArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let filter = args.filter.parse()?;
    let questions = input::questions(&args.file)?;
    let report = evaluate::run(engine, questions, &args.file, filter.as_ref())?;
    if ui.json {
        let (mut modes, mut latency) = (Map::new(), Map::new());
        for m in &report.modes {
            let measures =
                json!({ "ndcg@10": m.ndcg_10, "recall@100": m.recall_100, "mrr@10": m.mrr_10 });
            modes.insert(m.mode.to_owned(), measures);
            latency.insert(m.mode.to_owned(), json!({ "p50": m.p50_ms, "p95": m.p95_ms }));
        }
        let filter = filter.as_ref().map(ToString::to_string);
        ui.json(&json!({
            "queries": report.queries, "filter": filter, "modes": modes, "latency_ms": latency,
        }));
        return Ok(Outcome::Done);
    }
    let rows = report.modes.iter().map(|m| {
        let mut row = vec![m.mode.to_owned()];
        row.extend([m.ndcg_10, m.recall_100, m.mrr_10].map(|measure| format!("{measure:.4}")));
        row.extend([m.p50_ms, m.p95_ms].map(|ms| format!("{ms:.1}")));
        row
    });
    ui.table(
        &["mode", "ndcg@10", "recall@100", "mrr@10", "p50 ms", "p95 ms"],
        &rows.collect::<Vec<_>>(),
    );
    ui.note(counted(report.queries as u64, "question"));
    Ok(Outcome::Done)
}
