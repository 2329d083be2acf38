//! The summary of an ingest: rows for people, JSON for scripts.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::ui::{Ui, count, counted, safe_name};
use crate::ingest::Report;

/// Files of each kind that are listed. More would scroll the summary away; `--json` lists all.
const MAX_LISTED: usize = 10;

/// Prints the first [`MAX_LISTED`] items, and how many more there are.
pub fn print_list<T>(items: &[T], ui: &Ui, print: impl Fn(&T)) {
    items.iter().take(MAX_LISTED).for_each(print);
    if let Some(more @ 1..) = items.len().checked_sub(MAX_LISTED) {
        ui.note(format!("… and {} more; `--json` lists all", count(more as u64)));
    }
}

pub fn print(report: &Report, ui: &Ui) {
    print_rows(report, ui);
    print_list(&report.removed, ui, |path| ui.note(format!("removed {}", safe_name(path))));
    print_list(&report.failed, ui, |(path, reason)| {
        ui.problem("failed", &format!("{path}: {reason}"));
    });
    print_list(&report.no_text, ui, |(path, reason, advice)| {
        ui.problem("no text", &format!("{path}: {reason}; {advice}"));
    });
}

fn print_rows(report: &Report, ui: &Ui) {
    let row = |name: &str, value: &str| ui.row(name, 11, value);
    let documents = count(report.documents);
    let (read, removed) = (count(report.read), count(report.removed.len() as u64));
    row("corpus id", &report.corpus_id);
    row(
        "documents",
        &match report.committed {
            false => format!("{documents} (unchanged)"),
            true => format!("{documents} ({read} read, {removed} removed)"),
        },
    );
    row("chunks", &count(report.chunks));
    row("dimension", &report.dimension.to_string());
    row("index", &report.index_dir.display().to_string());
    let misses = match report.cache.misses {
        1 => "1 miss".to_owned(),
        n => format!("{} misses", count(n)),
    };
    let hit_rate = report.cache.hit_rate() * 100.0;
    row(
        "cache",
        &format!("{}, {misses}, hit rate {hit_rate:.0} %", counted(report.cache.hits, "hit")),
    );
    let reasons: Vec<String> =
        report.skip_reasons.iter().map(|(why, n)| format!("{} {why}", count(*n))).collect();
    row(
        "skipped",
        &match reasons.is_empty() {
            true => "0".to_owned(),
            false => format!("{} ({})", count(report.skipped), reasons.join(", ")),
        },
    );
    row("failed", &count(report.failed.len() as u64));
    row("time", &format!("{:.1} s", report.elapsed.as_secs_f64()));
}

pub fn json(job_id: &str, report: &Report) -> Value {
    let failed = report.failed.iter();
    let failed = failed.map(|(path, reason)| json!({ "path": path, "reason": reason }));
    let no_text = report
        .no_text
        .iter()
        .map(|(path, reason, advice)| json!({ "path": path, "reason": reason, "advice": advice }));
    json!({
        "job_id": job_id,
        "corpus_id": report.corpus_id,
        "index_dir": report.index_dir,
        "documents": report.documents,
        "chunks": report.chunks,
        "dimension": report.dimension,
        "cache": {
            "hits": report.cache.hits,
            "misses": report.cache.misses,
            "hit_rate": report.cache.hit_rate(),
            "damaged": report.cache.damaged,
        },
        "read": report.read,
        "removed": report.removed.len(),
        "removed_documents": report.removed,
        "committed": report.committed,
        "skipped": report.skipped,
        "skip_reasons": report.skip_reasons.iter().cloned().collect::<BTreeMap<_, _>>(),
        "failed": failed.collect::<Vec<_>>(),
        "no_text": no_text.collect::<Vec<_>>(),
        "seconds": report.elapsed.as_secs_f64(),
    })
}
