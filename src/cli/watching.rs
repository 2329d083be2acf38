//! `rag ingest --watch`: the summary of the first ingest, then a line for each round.

use std::time::Duration;

use serde_json::json;

use super::exit::{self, Outcome};
use super::ingest::{ProgressReporter, print_summary, summary};
use super::ui::{Ui, count, counted, safe_name};
use crate::engine::Engine;
use crate::error::{Fault, Result};
use crate::follow::{self, Happening};
use crate::ingest::{Event, Report};
use crate::jobs::IngestSpec;

/// Waits for other writers for as long as anybody will watch.
const FOR_EVER_S: u64 = 100 * 365 * 86_400;

pub fn run(
    spec: IngestSpec,
    look_every: Option<Duration>,
    engine: &Engine,
    ui: &Ui,
) -> Result<Outcome> {
    let spec = IngestSpec { wait_s: FOR_EVER_S, ..spec };
    let dirs = spec.shown_dirs().collect::<Vec<_>>().join(", ");
    // A bar for the first ingest only: the rounds after it are short.
    let mut first = Some(ProgressReporter::new(ui));
    let mut failed = Vec::new();
    let ended = follow::run(engine, spec, look_every, &mut |happening| match happening {
        Happening::Ingest(event) => match (&mut first, event) {
            (Some(teller), event) => teller.report(event),
            (None, Event::Note(text)) => ui.note(text),
            (None, _) => {}
        },
        Happening::Ingested { job_id, report, is_first } => {
            if let Some(teller) = first.take() {
                teller.end();
            }
            match (ui.json, is_first) {
                (true, _) if !is_first && !report.committed => {}
                (true, _) => ui.json_line(&round(&job_id, &report)),
                (false, true) => print_summary(ui, &report),
                (false, false) => print_round(ui, &report, &failed),
            }
            failed.clone_from(&report.failed);
        }
        Happening::Watching { folders } => {
            ui.note(format!(
                "watching {dirs}: {}; Ctrl-C ends it",
                counted(folders as u64, "folder")
            ));
        }
        Happening::Looking { why, every } => {
            let often = if every.as_secs() == 1 {
                "every second".into()
            } else {
                format!("every {} s", every.as_secs())
            };
            match why {
                Some(why) => ui.note(format!(
                    "{why}: looking at the folders {often} instead{}",
                    why.hint_text().map(|hint| format!(" ({hint})")).unwrap_or_default()
                )),
                None => ui.note(format!("looking at {dirs} {often}; Ctrl-C ends it")),
            }
        }
        Happening::Failed { fault, again_in } => print_failure(ui, &fault, again_in),
        Happening::Gone(dir) => {
            report(ui, "gone", &dir, "is gone; the index stays as it is until it is back")
        }
        Happening::Back(dir) => report(ui, "back", &dir, "is back"),
    });
    ended.map(|never| match never {})
}

/// As many removed documents as a round names.
const SOME_REMOVED: usize = 20;

/// A round as JSON: the summary, and which files it was about.
fn round(job_id: &str, report: &Report) -> serde_json::Value {
    let mut line = summary(job_id, report);
    line["event"] = "ingested".into();
    line["some_read"] = report.some_read.clone().into();
    line["some_removed"] =
        report.removed.iter().take(SOME_REMOVED).cloned().collect::<Vec<_>>().into();
    line["ms"] = millis(report).into();
    line
}

fn millis(report: &Report) -> u64 {
    u64::try_from(report.elapsed.as_millis()).unwrap_or(u64::MAX)
}

fn print_round(ui: &Ui, report: &Report, failed_before: &[(String, String)]) {
    let changed = [
        ("read", &report.some_read, report.read),
        ("removed", &report.removed, report.removed.len() as u64),
    ];
    let changed: Vec<String> = changed
        .into_iter()
        .filter(|(_, _, n)| *n > 0)
        .map(|(what, some, n)| files(what, some, n))
        .collect();
    let what = if changed.is_empty() {
        "the table of files changed".to_owned()
    } else {
        changed.join("; ")
    };
    let line = format!(
        "{what}: {}, {}, {} ms",
        counted(report.documents, "document"),
        counted(report.chunks, "chunk"),
        count(millis(report))
    );
    // A file that cannot be read is tried each time: whatever there is to say of it was said.
    for (path, reason) in report.failed.iter().filter(|failed| !failed_before.contains(failed)) {
        ui.complaint("failed", &format!("{path}: {reason}"));
    }
    match report.committed {
        true => ui.line(line),
        false => ui.detail(format!("nothing changed: {} ms", count(millis(report)))),
    }
}

/// `read a.md, b.md and 7 more`.
fn files(what: &str, some: &[String], n: u64) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<String> = some.iter().take(SHOWN).map(|path| safe_name(path)).collect();
    let more = match n.saturating_sub(shown.len() as u64) {
        0 => String::new(),
        more => format!(" and {} more", count(more)),
    };
    format!("{what} {}{more}", shown.join(", "))
}

fn print_failure(ui: &Ui, fault: &Fault, again_in: Option<Duration>) {
    let next = match again_in {
        Some(pause) => format!("trying again in {} s, or when something changes", pause.as_secs()),
        None => "waiting for the next change".to_owned(),
    };
    if ui.json {
        let error = json!({
            "code": exit::code_of_fault(fault), "message": fault.to_string(), "hint": fault.hint_text(),
        });
        ui.json_line(&json!({
            "event": "failed", "error": error, "again_in_s": again_in.map(|pause| pause.as_secs()),
        }));
    } else {
        ui.alarm("failed:", &format!("{fault}; {next}"));
    }
}

/// Something about one of the folders.
fn report(ui: &Ui, event: &str, dir: &str, what: &str) {
    match ui.json {
        true => ui.json_line(&json!({ "event": event, "dir": dir })),
        false => ui.warn(format!("{} {what}", safe_name(dir))),
    }
}
