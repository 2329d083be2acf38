//! `rag stats`: what servers were asked, how long answers took, and what was cited.

use clap::Args;
use serde_json::json;

use super::confirm::Removal;
use super::exit::Outcome;
use super::ui::{Tone, Ui, count, counted, one_line, size, time};
use crate::analytics::{self, QuestionCount, Report};
use crate::engine::Engine;
use crate::error::Result;
use crate::wire;

/// Show usage statistics
///
/// `rag serve` and `rag mcp` record the requests they answer; with the setting `analytics.record =
/// all`, so do `rag ask` and `rag search`. Questions are stored as keyed hashes, unless
/// `analytics.text` is set; feedback on an answer keeps its question in words.
#[derive(Debug, Args)]
pub struct StatsArgs {
    /// Only records of the last TIME, such as 30m, 12h, 7d or 4w [default: all]
    #[arg(long, value_name = "TIME", value_parser = analytics::seconds)]
    since: Option<i64>,
    /// Delete all records
    ///
    /// Asks for confirmation at a terminal; elsewhere `--yes` is required.
    #[arg(long, conflicts_with = "since")]
    purge: bool,
    /// Do not ask for confirmation
    #[arg(short, long, requires = "purge")]
    yes: bool,
}

pub fn run(args: &StatsArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let dir = engine.records();
    if args.purge {
        confirm_purge(args.yes, engine, ui)?;
        let removed = analytics::purge(&dir)?;
        match ui.json {
            true => ui.json(&json!({ "purged": removed })),
            false => ui.note(format!("removed {}", counted(removed, "record"))),
        }
        return Ok(Outcome::Done);
    }
    let since_s = args.since.map_or(0, |seconds| engine.now_s().saturating_sub(seconds));
    let report = analytics::report(&dir, since_s)?;
    let is_empty = report.as_ref().is_none_or(|report| report.span.is_none());
    if ui.json {
        ui.json(&wire::stats(&report.unwrap_or(Report { since_s, ..Report::default() })));
    } else if let Some(report) = report.filter(|_| !is_empty) {
        print(&report, ui);
    } else {
        ui.note(match args.since {
            Some(_) => "no records in that time",
            None => {
                "no records: `rag serve` and `rag mcp` record the requests they answer; with the \
                 setting `analytics.record = all`, so do `rag ask` and `rag search`"
            }
        });
    }
    Ok(if is_empty { Outcome::NothingFound } else { Outcome::Done })
}

/// Asks for confirmation if there is anything to lose.
fn confirm_purge(yes: bool, engine: &Engine, ui: &Ui) -> Result<()> {
    // Unreadable records may be many.
    let is_empty = analytics::report(engine.records(), 0)
        .is_ok_and(|report| report.is_none_or(|report| report.span.is_none()));
    let action = "permanently remove all usage records";
    if is_empty { Ok(()) } else { Removal { yes, needs_yes: true, action }.confirm(engine, ui) }
}

fn print(report: &Report, ui: &Ui) {
    if let Some((first, last)) = report.span {
        ui.line(ui.paint(Tone::Faint, &format!("{} to {}", time(first), time(last))));
    }
    print_counts(report, ui);
    print_latencies(report, ui);
    print_questions(report, ui);
    if !report.documents.is_empty() {
        let rows =
            report.documents.iter().map(|d| vec![d.path.clone(), count(d.n), d.index.clone()]);
        titled_table("Most cited documents", &["document", "count", "index"], rows, ui);
    }
    if !report.errors.is_empty() {
        let rows = report.errors.iter().map(|e| vec![e.code.clone(), count(e.n), e.route.clone()]);
        titled_table("Errors", &["code", "count", "where"], rows, ui);
    }
    if let Some((memory, cpu, queue)) = report.system {
        title("Server", ui);
        let memory = size(memory);
        ui.line(format!("peak memory {memory}, average CPU {cpu:.2} cores, peak queue {queue}"));
    }
    if report.damaged > 0 {
        let records = counted(report.damaged, "damaged record");
        ui.warn(format!("left out {records}"));
    }
}

fn title(text: &str, ui: &Ui) {
    ui.line(format!("\n{}", ui.paint(Tone::Strong, text)));
}

fn titled_table(text: &str, header: &[&str], rows: impl Iterator<Item = Vec<String>>, ui: &Ui) {
    title(text, ui);
    ui.table(header, &rows.collect::<Vec<_>>());
}

fn print_counts(report: &Report, ui: &Ui) {
    let percent = |part: u64, whole: u64| match whole {
        0 => "—".to_owned(),
        _ => format!("{:.1} %", 100.0 * part as f64 / whole as f64),
    };
    let row = |name: &str, n: u64, whole: Option<u64>| {
        vec![name.to_owned(), count(n), whole.map_or_else(String::new, |whole| percent(n, whole))]
    };
    let questions = report.questions;
    ui.table(
        &["what", "count", "share"],
        &[
            row("questions", questions, None),
            row("  answered", report.supported, Some(questions)),
            row("  answer cached", report.answer_hits, Some(questions)),
            row("searches", report.searches, None),
            row("cached rankings", report.retrieval_hits, Some(questions + report.searches)),
            row("sessions", report.sessions, None),
        ],
    );
    let rated = report.helpful + report.unhelpful;
    if rated > 0 {
        let helpful = percent(report.helpful, rated);
        ui.line(format!("{} rated, {helpful} helpful", counted(rated, "answer")));
    }
}

fn print_latencies(report: &Report, ui: &Ui) {
    if report.latencies.is_empty() {
        return;
    }
    let ms = |ms: f64| if ms < 10.0 { format!("{ms:.1}") } else { format!("{ms:.0}") };
    let rows = report.latencies.iter().map(|l| {
        let times = [l.p50, l.p90, l.p95, l.p99, l.max].map(ms);
        [vec![l.stage.to_owned(), count(l.n)], times.to_vec()].concat()
    });
    let header = ["stage", "count", "p50", "p90", "p95", "p99", "longest"];
    titled_table("Latency in milliseconds", &header, rows, ui);
}

fn print_questions(report: &Report, ui: &Ui) {
    let row = |asked: &QuestionCount| {
        let text = asked.text.as_deref().map_or_else(|| format!("#{}", asked.hash), one_line);
        let kind = if asked.is_search { "search" } else { "question" };
        vec![text, kind.to_owned(), count(asked.n), time(asked.last)]
    };
    let lists = [("Most frequent", &report.top), ("Unanswered", &report.unanswered)];
    for (text, asked) in lists.into_iter().filter(|(_, asked)| !asked.is_empty()) {
        titled_table(text, &["asked", "as", "count", "last"], asked.iter().map(row), ui);
    }
    if report.top.iter().any(|asked| asked.text.is_none()) {
        ui.note(
            "questions are stored as keyed hashes (#…); set `analytics.text = true` to store their \
             text",
        );
    }
}
