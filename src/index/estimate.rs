//! The rate and the remaining time of an ingest's stage. Every display of progress uses this
//! estimator.
//!
//! The rate is that of the last seconds, smoothed, and measured from the first unit done: opening a
//! model is not a slow start of embedding. There is no estimate before enough was observed.

use std::time::{Duration, Instant};

use super::progress::IngestStage;

/// An observation loses half of its weight in this time.
const HALF_LIFE: Duration = Duration::from_secs(15);
/// Observations closer together than this say nothing about the rate.
const STEP: Duration = Duration::from_millis(250);
/// What must be observed before there is an estimate.
const LEAST_TIME: Duration = Duration::from_secs(5);
const LEAST_UNITS: u64 = 20;
/// Or this share of the units of the stage, whichever is less.
const LEAST_SHARE: f64 = 0.05;

/// The progress of an ingest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Status {
    pub stage: IngestStage,
    pub done: u64,
    /// 0 while unknown.
    pub total: u64,
    /// Of the whole ingest, from 0 to 1.
    pub share: f64,
    /// Units per second, once there is an estimate.
    pub rate: Option<f64>,
    /// Time left in this stage, once there is an estimate.
    pub left: Option<Duration>,
}

/// Observes the progress of one ingest.
#[derive(Debug, Default)]
pub struct Estimator {
    stage: Option<IngestStage>,
    /// When the first unit of the stage was observed done, and how many were done then.
    first: Option<(Instant, u64)>,
    last: Option<(Instant, u64)>,
    /// Units and seconds, exponentially weighted.
    units: f64,
    seconds: f64,
}

impl Estimator {
    /// Records that `done` of `total` units of a stage are done at `now`.
    pub fn observe(&mut self, stage: IngestStage, done: u64, total: u64, now: Instant) -> Status {
        if self.stage != Some(stage) {
            *self = Self { stage: Some(stage), ..Self::default() };
        }
        if done > 0 {
            self.first.get_or_insert((now, done));
            let (then, before) = *self.last.get_or_insert((now, done));
            let elapsed = now.saturating_duration_since(then);
            if elapsed >= STEP {
                let kept = 0.5f64.powf(elapsed.as_secs_f64() / HALF_LIFE.as_secs_f64());
                self.units = self.units * kept + done.saturating_sub(before) as f64;
                self.seconds = self.seconds * kept + elapsed.as_secs_f64();
                self.last = Some((now, done));
            }
        }
        let rate = self.rate(done, total, now);
        let left = rate.filter(|_| done < total).map(|rate| (total - done) as f64 / rate);
        // A stalled stage has no useful estimate.
        let left = left.filter(|seconds| *seconds < 30.0 * 86_400.0).map(Duration::from_secs_f64);
        Status { stage, done, total, share: stage.share(done, total), rate, left }
    }

    fn rate(&self, done: u64, total: u64, now: Instant) -> Option<f64> {
        let (begun, before) = self.first?;
        let units = done.saturating_sub(before);
        let has_units = units >= LEAST_UNITS || units as f64 >= LEAST_SHARE * total as f64;
        let has_time = now.saturating_duration_since(begun) >= LEAST_TIME;
        let is_known = has_time && has_units && units > 0 && self.seconds > 0.0 && self.units > 0.0;
        is_known.then(|| self.units / self.seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Observes `rate` units per second from `from` on, ten times a second, for `seconds`.
    fn run(
        estimator: &mut Estimator,
        start: Instant,
        from: u64,
        rate: u64,
        seconds: u64,
    ) -> Vec<Status> {
        let at = |tick: u64| start + Duration::from_millis(tick * 100);
        (0..=seconds * 10)
            .map(|tick| {
                estimator.observe(IngestStage::Vectors, from + tick * rate / 10, 75_733, at(tick))
            })
            .collect()
    }

    #[test]
    fn there_is_no_estimate_before_enough_was_observed() {
        let (mut estimator, start) = (Estimator::default(), Instant::now());
        // The model is being opened: nothing is done for 40 seconds.
        for second in 0..40 {
            let status = estimator.observe(
                IngestStage::Vectors,
                0,
                75_733,
                start + Duration::from_secs(second),
            );
            assert_eq!((status.rate, status.left), (None, None));
        }
        let seen = run(&mut estimator, start + Duration::from_secs(40), 1, 100, 60);
        let early = seen.iter().find(|status| status.done >= 65).unwrap();
        assert_eq!((early.left, early.share < 0.11), (None, true), "{early:?}");
        let shown: Vec<f64> =
            seen.iter().filter_map(|status| Some(status.left?.as_secs_f64())).collect();
        // Every estimate is near the truth.
        assert!(
            shown.len() > 400 && shown.iter().all(|left| (690.0..800.0).contains(left)),
            "{shown:?}"
        );
    }

    #[test]
    fn an_estimate_follows_without_jumping() {
        let (mut estimator, start) = (Estimator::default(), Instant::now());
        let before = run(&mut estimator, start, 1, 100, 30);
        let after = run(&mut estimator, start + Duration::from_secs(30), 3001, 50, 60);
        let left: Vec<f64> = before
            .iter()
            .chain(&after)
            .filter_map(|status| Some(status.left?.as_secs_f64()))
            .collect();
        assert!(left.windows(2).all(|pair| (pair[1] - pair[0]).abs() < 0.05 * pair[0]), "{left:?}");
        let truth = (75_733.0 - 6001.0) / 50.0;
        assert!(
            (left[left.len() - 1] / truth - 1.0).abs() < 0.1,
            "{:?} instead of {truth}",
            left.last()
        );
    }

    #[test]
    fn each_stage_has_its_own_estimate_and_a_small_one_has_one_too() {
        let (mut estimator, start) = (Estimator::default(), Instant::now());
        run(&mut estimator, start, 1, 100, 20);
        let at = |s: u64| start + Duration::from_secs(20 + s);
        assert_eq!(estimator.observe(IngestStage::Save, 0, 1, at(0)).left, None);
        for second in 0..6 {
            assert_eq!(
                estimator.observe(IngestStage::Bm25, second, 20, at(second)).left,
                None,
                "{second}"
            );
        }
        assert_eq!(
            estimator.observe(IngestStage::Bm25, 6, 20, at(6)).left,
            Some(Duration::from_secs(14))
        );
        // Done: nothing is left.
        assert_eq!(estimator.observe(IngestStage::Bm25, 20, 20, at(20)).left, None);
    }
}
