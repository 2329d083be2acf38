//! Before a long ingest: how long it will take, and whether to begin.

use std::time::Duration;

use super::ui::{Ui, count, counted};
use crate::engine::Engine;
use crate::error::{Fault, Result};
use crate::ingest::{self, Preview, Request};
use crate::jobs::State;

/// Ingests that take less are not asked about.
const LONG: Duration = Duration::from_secs(180);

/// Passages that one core embeds in a second: `scripts/bench ingest`, without VNNI instructions.
const PASSAGES_PER_CORE: f64 = 20.0;

/// A job that embedded fewer passages says nothing about the speed of this machine.
const LEAST_EMBEDDED: u64 = 200;

/// How much longer than estimated an ingest may take.
const UNCERTAINTY: f64 = 2.0;

/// Asks whether to begin an ingest that takes minutes. Only at a terminal.
///
/// # Errors
/// An interrupt; a failure if the user declines.
pub fn confirm(engine: &Engine, request: &Request, ui: &Ui) -> Result<()> {
    // A folder that cannot be read is reported by the ingest.
    let Ok(preview) = ingest::preview(engine, request) else { return Ok(()) };
    let time = Duration::from_secs_f64(preview.passages() as f64 / rate(engine));
    if time < LONG {
        return Ok(());
    }
    ui.note(sentence(&preview, time));
    match ui.ask_yes_no("begin?", &|| engine.interrupted())? {
        Some(false) => Err(Fault::failed("cancelled: nothing was indexed").hint(
            "index a part first, or in the background with `--detach`; `--yes` does not ask",
        )),
        _ => Ok(()),
    }
}

/// `12,340 files to read, about 65,000 passages: 9 to 18 minutes`.
fn sentence(preview: &Preview, time: Duration) -> String {
    let minutes = (time.as_secs_f64() / 60.0).max(1.0);
    let most = minutes * UNCERTAINTY;
    let (least, most, unit) = match minutes {
        ..90.0 => (minutes, most, "minutes"),
        _ => (minutes / 60.0, most / 60.0, "hours"),
    };
    format!(
        "{} to read, about {} passages: {least:.0} to {most:.0} {unit}; words can be searched \
         before the end",
        counted(preview.files(), "file"),
        count(rounded(preview.passages())),
    )
}

/// Two significant digits: more would pretend.
fn rounded(n: u64) -> u64 {
    let digits = n.checked_ilog10().unwrap_or_default();
    let unit = 10_u64.pow(digits.saturating_sub(1));
    (n + unit / 2) / unit * unit
}

/// Passages a second: those of the last long ingest on this machine, if there is one.
fn rate(engine: &Engine) -> f64 {
    let jobs = engine.jobs.list(engine.now_ms()).unwrap_or_default();
    let measured = jobs.iter().rev().filter(|job| job.state == State::Succeeded).find_map(|job| {
        let result = job.result.as_ref()?;
        let embedded = result["embedded"].as_u64().filter(|n| *n >= LEAST_EMBEDDED)?;
        let seconds = result["seconds"].as_f64().filter(|seconds| *seconds > 0.0)?;
        Some(embedded as f64 / seconds)
    });
    measured.unwrap_or(PASSAGES_PER_CORE * engine.config.threads as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_is_rounded_and_a_range() {
        let preview = Preview { new: 12_000, changed: 340, gone: 0, text_bytes: 51_834_000 };
        assert_eq!(
            sentence(&preview, Duration::from_secs(550)),
            "12,340 files to read, about 65,000 passages: 9 to 18 minutes; words can be searched \
             before the end"
        );
        assert!(sentence(&preview, Duration::from_secs(4 * 3600)).contains("4 to 8 hours"));
        assert_eq!([0, 7, 99, 149, 64_792].map(rounded), [0, 7, 99, 150, 65_000]);
    }
}
