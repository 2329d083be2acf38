//! `rag ingest --watch`: a summary of the first ingest, then one line per round.

use std::time::Duration;

use serde_json::json;

use super::exit::{self, Outcome};
use super::progress::ProgressReporter;
use super::summary;
use super::ui::{Ui, count, counted, safe_name};
use crate::engine::Engine;
use crate::error::{Fault, Result};
use crate::follow::{self, Event};
use crate::ingest::{self, Report};
use crate::jobs::IngestSpec;

/// Waits for other writers without limit.
const FOREVER_S: u64 = 100 * 365 * 86_400;

/// Removed documents that the JSON of a round names.
const MAX_REMOVED: usize = 20;

pub fn run(
    spec: IngestSpec,
    poll_interval: Option<Duration>,
    engine: &Engine,
    ui: &Ui,
) -> Result<Outcome> {
    let spec = IngestSpec { wait_s: FOREVER_S, ..spec };
    let dirs = spec.shown_dirs().collect::<Vec<_>>().join(", ");
    let progress = Some(ProgressReporter::new(ui));
    let mut reporter = Reporter { ui, dirs, progress, failed: Vec::new() };
    let ended = follow::run(engine, spec, poll_interval, &mut |event| reporter.report(event));
    ended.map(|never| match never {})
}

struct Reporter<'a> {
    ui: &'a Ui,
    dirs: String,
    /// For the first ingest only: later rounds are short.
    progress: Option<ProgressReporter<'a>>,
    /// Files that failed in the round before.
    failed: Vec<(String, String)>,
}

impl Reporter<'_> {
    fn report(&mut self, event: Event) {
        let (ui, dirs) = (self.ui, &self.dirs);
        match event {
            Event::Ingest(event) => match (&mut self.progress, event) {
                (Some(progress), event) => progress.report(event),
                (None, ingest::Event::Note(text)) => ui.note(text),
                (None, _) => {}
            },
            Event::Ingested { job_id, report, is_first } => {
                if let Some(progress) = self.progress.take() {
                    progress.end();
                }
                match (ui.json, is_first) {
                    (true, false) if !report.committed => {}
                    (true, _) => ui.json_line(&round_json(&job_id, &report)),
                    (false, true) => summary::print(&report, ui),
                    (false, false) => print_round(&report, &self.failed, ui),
                }
                self.failed.clone_from(&report.failed);
            }
            Event::Watching { folders } => {
                let folders = counted(folders as u64, "folder");
                ui.note(format!("watching {dirs} ({folders}); press Ctrl-C to stop"));
            }
            Event::Polling { reason, interval } => {
                let interval = match interval.as_secs() {
                    1 => "every second".to_owned(),
                    seconds => format!("every {seconds} s"),
                };
                let Some(reason) = reason else {
                    return ui.note(format!("polling {dirs} {interval}; press Ctrl-C to stop"));
                };
                let hint = reason.hint_text().map(|hint| format!(" ({hint})")).unwrap_or_default();
                ui.note(format!("{reason}: polling {interval} instead{hint}"));
            }
            Event::Failed { fault, retry_in } => print_failure(&fault, retry_in, ui),
            Event::Gone(dir) => {
                print_folder("gone", &dir, "is gone; its documents stay in the index", ui);
            }
            Event::Back(dir) => print_folder("back", &dir, "is back", ui),
        }
    }
}

/// The summary of a round, and the files that it is about.
fn round_json(job_id: &str, report: &Report) -> serde_json::Value {
    let mut line = summary::json(job_id, report);
    line["event"] = "ingested".into();
    line["some_read"] = json!(report.some_read);
    line["some_removed"] = json!(report.removed.iter().take(MAX_REMOVED).collect::<Vec<_>>());
    line["ms"] = millis(report).into();
    line
}

fn millis(report: &Report) -> u64 {
    u64::try_from(report.elapsed.as_millis()).unwrap_or(u64::MAX)
}

fn print_round(report: &Report, failed_before: &[(String, String)], ui: &Ui) {
    // Failed files are retried in every round, but reported once.
    for (path, reason) in report.failed.iter().filter(|failed| !failed_before.contains(failed)) {
        ui.problem("failed", &format!("{path}: {reason}"));
    }
    let ms = count(millis(report));
    if !report.committed {
        return ui.detail(format!("nothing changed: {ms} ms"));
    }
    let changed = [
        ("read", &report.some_read, report.read),
        ("removed", &report.removed, report.removed.len() as u64),
    ];
    let changed: Vec<String> = changed
        .into_iter()
        .filter(|(_, _, n)| *n > 0)
        .map(|(verb, some, n)| files(verb, some, n))
        .collect();
    let changed = match changed.is_empty() {
        true => "updated the table of files".to_owned(),
        false => changed.join("; "),
    };
    let (documents, chunks) =
        (counted(report.documents, "document"), counted(report.chunks, "chunk"));
    ui.line(format!("{changed}: {documents}, {chunks}, {ms} ms"));
}

/// `read a.md, b.md and 7 more`.
fn files(verb: &str, some: &[String], n: u64) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<String> = some.iter().take(SHOWN).map(|path| safe_name(path)).collect();
    let more = match n.saturating_sub(shown.len() as u64) {
        0 => String::new(),
        more => format!(" and {} more", count(more)),
    };
    format!("{verb} {}{more}", shown.join(", "))
}

fn print_failure(fault: &Fault, retry_in: Option<Duration>, ui: &Ui) {
    let again_in_s = retry_in.map(|pause| pause.as_secs());
    if ui.json {
        let error = exit::fault_json(fault);
        return ui.json_line(&json!({
            "event": "failed", "error": error, "again_in_s": again_in_s,
        }));
    }
    let next = match again_in_s {
        Some(seconds) => format!("retrying in {seconds} s or after the next change"),
        None => "waiting for the next change".to_owned(),
    };
    ui.failure("failed:", &format!("{fault}; {next}"));
}

fn print_folder(event: &str, dir: &str, text: &str, ui: &Ui) {
    match ui.json {
        true => ui.json_line(&json!({ "event": event, "dir": dir })),
        false => ui.warn(format!("{} {text}", safe_name(dir))),
    }
}
