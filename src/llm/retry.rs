//! Waits between attempts, with the clock, sleep and random numbers that they need.

use std::time::{Duration, Instant};

/// Longest wait that a server may ask for.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);
/// Time between two checks of a wait for its end.
const POLL: Duration = Duration::from_millis(50);

/// A sleep that ends early when the function returns true.
pub type Wait = dyn Fn(Duration, &dyn Fn() -> bool) + Send + Sync;

/// Clock, sleep and random numbers, replaced in tests.
pub struct Timing {
    /// Time since any fixed moment.
    pub now: Box<dyn Fn() -> Duration + Send + Sync>,
    pub wait: Box<Wait>,
    /// Between 0 and 1.
    pub random: Box<dyn Fn() -> f64 + Send + Sync>,
}

impl Timing {
    /// Those of this machine.
    pub fn real() -> Self {
        let start = Instant::now();
        Self {
            now: Box::new(move || start.elapsed()),
            wait: Box::new(wait),
            random: Box::new(fastrand::f64),
        }
    }
}

fn wait(time: Duration, stop: &dyn Fn() -> bool) {
    let start = Instant::now();
    while !stop() {
        let left = time.saturating_sub(start.elapsed());
        if left.is_zero() {
            return;
        }
        std::thread::sleep(left.min(POLL));
    }
}

/// The wait after `n_tries` failed attempts: half of `first` or more, up to `first`, then twice as
/// long each time, up to `most`. It is spread evenly by `random`, so that clients that failed at
/// once do not retry at once.
pub fn back_off((first, most): (Duration, Duration), n_tries: u32, random: f64) -> Duration {
    let longest = first.saturating_mul(1 << n_tries.saturating_sub(1).min(10)).min(most);
    longest.mul_f64(0.5 + 0.5 * random.clamp(0.0, 1.0))
}

/// The wait that a server asked for, and up to a tenth more; `None` when it is longer than
/// [`MAX_RETRY_AFTER`].
pub fn requested(retry_after: Duration, random: f64) -> Option<Duration> {
    (retry_after <= MAX_RETRY_AFTER)
        .then(|| retry_after.mul_f64(1.0 + 0.1 * random.clamp(0.0, 1.0)))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const WAITS: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(10));

    #[test]
    fn waits_double_and_are_spread() {
        let check = |n_tries: u32, from_ms: u64, to_ms: u64| {
            let range = (back_off(WAITS, n_tries, 0.0), back_off(WAITS, n_tries, 1.0));
            assert_eq!(
                range,
                (Duration::from_millis(from_ms), Duration::from_millis(to_ms)),
                "after {n_tries}"
            );
            let between = back_off(WAITS, n_tries, 0.3);
            assert!(range.0 < between && between < range.1, "{between:?}");
        };
        check(1, 1000, 2000);
        check(2, 2000, 4000);
        check(3, 4000, 8000);
        check(4, 5000, 10_000);
        check(u32::MAX, 5000, 10_000);
    }

    #[test]
    fn a_requested_wait_has_a_limit() {
        let s = Duration::from_secs;
        assert_eq!(requested(s(0), 1.0), Some(s(0)));
        assert_eq!(requested(s(20), 0.0), Some(s(20)));
        assert_eq!(requested(s(30), 1.0), Some(s(33)));
        assert_eq!(requested(s(31), 0.0), None);
        assert_eq!(requested(Duration::MAX, 1.0), None);
    }

    #[test]
    fn a_wait_can_be_stopped() {
        let calls = AtomicU32::new(0);
        // Not stopped it would take an hour.
        (Timing::real().wait)(Duration::from_secs(3600), &|| {
            calls.fetch_add(1, Ordering::Relaxed) == 2
        });
        assert_eq!(calls.into_inner(), 3);
    }

    #[test]
    fn random_numbers_are_spread() {
        let timing = Timing::real();
        let rolls: Vec<f64> = (0..100).map(|_| (timing.random)()).collect();
        assert!(rolls.iter().all(|roll| (0.0..=1.0).contains(roll)));
        assert!(rolls.iter().any(|roll| *roll < 0.5) && rolls.iter().any(|roll| *roll > 0.5));
    }
}
