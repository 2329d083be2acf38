//! A circuit breaker: a store that fails, or replies slowly, several times in a row is not asked
//! for a while, and then by one caller at a time. Pure: the caller passes the time.

use std::time::Duration;

/// Bad replies in a row that open it. Each costs its caller up to the time-out.
const MAX_FAILURES: u32 = 3;
/// The first pause; it doubles with every failed probe, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub struct Breaker {
    failures: u32,
    /// While open: when a probe is admitted.
    until: Duration,
    pause: Duration,
}

impl Breaker {
    /// Whether a caller may ask at `now`. While open, the caller that is admitted is the probe, and
    /// the next one waits for a whole pause.
    pub fn admits(&mut self, now: Duration) -> bool {
        if self.is_closed() {
            return true;
        }
        if now < self.until {
            return false;
        }
        self.until = now + self.pause;
        true
    }

    pub fn is_closed(&self) -> bool {
        self.failures < MAX_FAILURES
    }

    pub fn record(&mut self, is_good: bool, now: Duration) {
        if is_good {
            *self = Self::default();
            return;
        }
        let was_open = !self.is_closed();
        self.failures = self.failures.saturating_add(1);
        if !self.is_closed() {
            self.pause = match was_open {
                true => (self.pause * 2).min(LONGEST_PAUSE),
                false => FIRST_PAUSE,
            };
            self.until = now + self.pause;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn failures_in_a_row_open_it_and_pauses_grow() {
        let mut breaker = Breaker::default();
        for _ in 0..10 {
            breaker.record(false, S);
            breaker.record(false, S);
            breaker.record(true, S);
        }
        assert!(breaker.admits(S));
        for _ in 0..3 {
            breaker.record(false, S);
        }
        assert!(!breaker.admits(S) && !breaker.is_closed());
        // One probe a pause.
        assert!(breaker.admits(2 * S) && !breaker.admits(2 * S));
        let (mut now, mut pauses) = (2 * S, Vec::new());
        for _ in 0..7 {
            breaker.record(false, now);
            let from = now;
            while !breaker.admits(now) {
                now += S;
            }
            pauses.push(now.saturating_sub(from).as_secs());
        }
        assert_eq!(pauses, [2, 4, 8, 16, 30, 30, 30]);
        breaker.record(true, now);
        assert!(breaker.is_closed() && breaker.admits(now));
    }
}
