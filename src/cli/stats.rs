//! `rag stats`: what was asked, how it went and what was read.

use clap::Args;
use serde_json::json;

use super::confirm::Removal;
use super::exit::Outcome;
use super::ui::{Tone, Ui, count, counted, one_line, size, time};
use crate::analytics::{self, QuestionCount, Report};
use crate::engine::Engine;
use crate::error::Result;
use crate::wire;

/// Tell what was asked, how long it took and what was read
///
/// Servers record what they answer (`rag serve`, `rag mcp`); with the setting `analytics.record =
/// all`, `rag ask` and `rag search` do so too. Questions are kept as keyed hashes unless
/// `analytics.text` is set.
#[derive(Debug, Args)]
pub struct StatsArgs {
    /// How far back: 30m, 12h, 7d, 4w [default: all there is]
    #[arg(long, value_name = "TIME", value_parser = analytics::seconds)]
    since: Option<i64>,
    /// Remove every record
    ///
    /// Asks first at a terminal; elsewhere `--yes` is needed.
    #[arg(long, conflicts_with = "since")]
    purge: bool,
    /// Do not ask
    #[arg(short, long, requires = "purge")]
    yes: bool,
}

pub fn run(args: &StatsArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    if args.purge {
        confirm_purge(args.yes, engine, ui)?;
        let removed = analytics::purge(&analytics::dir(&engine.config.data_dir))?;
        match ui.json {
            true => ui.json(&json!({ "purged": removed })),
            false => ui.note(format!("removed {}", counted(removed, "record"))),
        }
        return Ok(Outcome::Done);
    }
    let since_s = args.since.map_or(0, |seconds| engine.now_s().saturating_sub(seconds));
    let report = analytics::report(&analytics::dir(&engine.config.data_dir), since_s)?;
    let is_empty = report.as_ref().is_none_or(|report| report.span.is_none());
    if ui.json {
        ui.json(&wire::stats(&report.unwrap_or(Report { since_s, ..Report::default() })));
    } else if let Some(report) = report.filter(|_| !is_empty) {
        show(&report, ui);
    } else {
        ui.note(match args.since {
            Some(_) => "nothing was recorded in that time",
            None => {
                "nothing is recorded yet: `rag serve` and `rag mcp` record what they answer; \
                 with the setting `analytics.record = all`, `rag ask` and `rag search` do too"
            }
        });
    }
    Ok(if is_empty { Outcome::NothingFound } else { Outcome::Done })
}

/// Asks before the records go, which nothing can bring back.
fn confirm_purge(yes: bool, engine: &Engine, ui: &Ui) -> Result<()> {
    // What cannot be read may be much.
    let is_empty = analytics::report(&analytics::dir(&engine.config.data_dir), 0)
        .is_ok_and(|report| report.is_none_or(|report| report.span.is_none()));
    let what = "remove every record of what was asked for good";
    if is_empty { Ok(()) } else { Removal { yes, is_much: true, what }.confirm(engine, ui) }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn show(report: &Report, ui: &Ui) {
    let title = |text: &str| ui.line(format!("\n{}", ui.paint(Tone::Strong, text)));
    if let Some((first, last)) = report.span {
        ui.line(ui.paint(Tone::Faint, &format!("{} to {}", time(first), time(last))));
    }
    let percent = |part, whole| match whole {
        0 => "—".to_owned(),
        _ => format!("{:.1} %", 100.0 * share(part, whole)),
    };
    let asked = report.questions + report.searches;
    ui.table(
        &["what", "count", "share"],
        &[
            vec!["questions".into(), count(report.questions), String::new()],
            vec![
                "  with an answer".into(),
                count(report.supported),
                percent(report.supported, report.questions),
            ],
            vec![
                "  answered from the cache".into(),
                count(report.answer_hits),
                percent(report.answer_hits, report.questions),
            ],
            vec!["searches".into(), count(report.searches), String::new()],
            vec![
                "rankings from the cache".into(),
                count(report.retrieval_hits),
                percent(report.retrieval_hits, asked),
            ],
            vec!["sessions".into(), count(report.sessions), String::new()],
        ],
    );
    if !report.latencies.is_empty() {
        title("Milliseconds by stage");
        let ms = |ms: f64| if ms < 10.0 { format!("{ms:.1}") } else { format!("{ms:.0}") };
        let rows = report.latencies.iter().map(|l| {
            vec![
                l.stage.to_owned(),
                count(l.n),
                ms(l.p50),
                ms(l.p90),
                ms(l.p95),
                ms(l.p99),
                ms(l.max),
            ]
        });
        ui.table(
            &["stage", "count", "p50", "p90", "p95", "p99", "longest"],
            &rows.collect::<Vec<_>>(),
        );
    }
    let questions = |asked: &[QuestionCount]| {
        asked
            .iter()
            .map(|asked| {
                let words = asked.text.as_deref().map(one_line);
                let kind = if asked.is_search { "search" } else { "question" };
                vec![
                    words.unwrap_or_else(|| format!("#{}", asked.hash)),
                    kind.to_owned(),
                    count(asked.n),
                    time(asked.last),
                ]
            })
            .collect::<Vec<_>>()
    };
    for (heading, asked) in
        [("Asked most often", &report.top), ("Without an answer", &report.unanswered)]
    {
        if !asked.is_empty() {
            title(heading);
            ui.table(&["asked", "as", "count", "last"], &questions(asked));
        }
    }
    if report.top.iter().any(|asked| asked.text.is_none()) {
        ui.note(
            "questions are kept as keyed hashes (#…); the setting `analytics.text = true` \
             keeps the words",
        );
    }
    if !report.documents.is_empty() {
        title("Read most often");
        let rows =
            report.documents.iter().map(|d| vec![d.path.clone(), count(d.n), d.index.clone()]);
        ui.table(&["document", "count", "index"], &rows.collect::<Vec<_>>());
    }
    if !report.errors.is_empty() {
        title("Errors");
        let rows = report.errors.iter().map(|e| vec![e.code.clone(), count(e.n), e.route.clone()]);
        ui.table(&["code", "count", "where"], &rows.collect::<Vec<_>>());
    }
    if let Some((memory, cpu, queue)) = report.system {
        title("The server");
        ui.line(format!(
            "at most {} of memory, {cpu:.2} cores on average, at most {queue} waiting",
            size(memory)
        ));
    }
    if report.damaged > 0 {
        ui.warn(format!(
            "{} fail their checksum and are left out",
            counted(report.damaged, "record")
        ));
    }
}
