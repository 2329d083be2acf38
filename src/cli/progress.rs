//! The progress of an ingest: a bar with rate and time left on a terminal; otherwise a plain line
//! at the end of each stage and every [`PLAIN_INTERVAL`].

use std::time::{Duration, Instant};

use super::ui::{Bar, Ui, count, counted, duration};
use crate::index::{Estimator, IngestStage, Status, percent};
use crate::ingest::Event;

/// Keeps logs short while still showing that the ingest is alive.
const PLAIN_INTERVAL: Duration = Duration::from_secs(10);

pub struct ProgressReporter<'a> {
    ui: &'a Ui,
    bar: Bar,
    estimator: Estimator,
    status: Option<Status>,
    /// The file that holds up all others, and for how long.
    slow: Option<(String, Duration)>,
    is_plain: bool,
    last_plain: Instant,
    /// A plain line has reported the end of the stage.
    has_reported_end: bool,
}

impl<'a> ProgressReporter<'a> {
    pub fn new(ui: &'a Ui) -> Self {
        let bar = ui.progress();
        Self {
            ui,
            is_plain: !ui.quiet && !ui.json && !bar.is_on(),
            bar,
            estimator: Estimator::default(),
            status: None,
            slow: None,
            last_plain: Instant::now(),
            has_reported_end: false,
        }
    }

    /// Removes the bar.
    pub fn end(&self) {
        self.bar.end();
    }

    /// Passages embedded so far, and all of them; `None` before the first.
    pub fn embedded(&self) -> Option<(u64, u64)> {
        let status = self.status.filter(|status| status.stage == IngestStage::Vectors)?;
        Some((status.done, status.total))
    }

    pub fn report(&mut self, event: Event) {
        match event {
            Event::Note(text) => self.ui.note(text),
            Event::Progress { stage, done, total } => {
                let is_new_stage = self.status.is_none_or(|before| before.stage != stage);
                self.has_reported_end &= !is_new_stage;
                if is_new_stage || self.status.is_none_or(|before| before.done != done) {
                    self.slow = None;
                }
                self.status = Some(self.estimator.observe(stage, done, total, Instant::now()));
                self.show();
            }
            Event::Waiting { file, since } => {
                self.slow = Some((file, since));
                self.show();
            }
            Event::Entering(_) | Event::Reading(_) => {}
        }
    }

    fn show(&mut self) {
        let Some(status) = self.status else { return };
        let stage = status.stage.name();
        if !self.is_plain {
            return self.bar.show(stage, status.share, || message(&status, self.slow.as_ref()));
        }
        let is_end = status.total > 0 && status.done == status.total;
        if is_end && !self.has_reported_end || self.last_plain.elapsed() >= PLAIN_INTERVAL {
            (self.last_plain, self.has_reported_end) = (Instant::now(), is_end);
            let message = message(&status, self.slow.as_ref());
            self.ui.note(format!("{:>3} %  {stage:8} {message}", percent(status.share)));
        }
    }
}

/// `1,200 of 2,700 chunks, 98/s, 12s left`.
fn message(status: &Status, slow: Option<&(String, Duration)>) -> String {
    let Status { stage, done, total, rate, left, .. } = *status;
    let unit = match stage {
        IngestStage::Scan => return format!("{} found", counted(done, "file")),
        IngestStage::Save => return "writing".to_owned(),
        IngestStage::Bm25 => "files",
        IngestStage::Vectors => "chunks",
    };
    let mut message = format!("{} of {} {unit}", count(done), count(total));
    if let Some((file, since)) = slow {
        message.push_str(&format!(", reading {file} for {}", duration(*since)));
        return message;
    }
    if let Some(rate) = rate {
        let digits = usize::from(rate < 9.95);
        message.push_str(&format!(", {rate:.digits$}/s"));
    }
    if let Some(left) = left {
        message.push_str(&format!(", {} left", duration(left)));
        if stage == IngestStage::Bm25 {
            message.push_str(" to read");
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_file_is_named_instead_of_an_estimate() {
        let mut estimator = Estimator::default();
        let start = Instant::now();
        let see = |second: u64| {
            let now = start + Duration::from_secs(second);
            estimator.observe(IngestStage::Bm25, 1 + 10 * second, 200, now)
        };
        let status = (0..=8).map(see).last().unwrap();
        assert_eq!(message(&status, None), "81 of 200 files, 10/s, 12s left to read");
        let slow = ("docs/big.pdf".to_owned(), Duration::from_secs(12));
        assert_eq!(message(&status, Some(&slow)), "81 of 200 files, reading docs/big.pdf for 12s");
    }
}
