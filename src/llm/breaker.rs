//! A circuit breaker: a server that failed repeatedly is not asked for a while. Pure: the caller
//! passes the time.

use std::time::Duration;

/// Failed calls in a row that open the breaker.
pub const MAX_FAILURES: u32 = 5;
/// How long it stays open.
pub const OPEN_FOR: Duration = Duration::from_secs(30);

/// What a breaker does with the next call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Admits it.
    Closed,
    /// Admits none for this time.
    Open(Duration),
    /// Probes the server with it, or with one that is running.
    HalfOpen,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open(_) => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// Closed until [`MAX_FAILURES`] calls in a row have failed. Then it admits no call for
/// [`OPEN_FOR`], and after that one at a time, until one succeeds. Times are since any fixed
/// moment.
#[derive(Debug)]
pub struct Breaker {
    /// Failed calls since the last one that succeeded.
    failures: u32,
    /// While open: when the next call is admitted.
    until: Duration,
    /// While open: whether a call is probing the server.
    probing: bool,
    /// How long a probe may take. One that reports no outcome by then is given up.
    patience: Duration,
}

impl Breaker {
    /// `patience` is longer than any call can take.
    pub fn new(patience: Duration) -> Self {
        Self { failures: 0, until: Duration::ZERO, probing: false, patience }
    }

    /// Admits a call.
    ///
    /// # Errors
    /// The time for which no call is admitted.
    pub fn admit(&mut self, now: Duration) -> Result<(), Duration> {
        if !self.is_open() {
            return Ok(());
        }
        if now < self.until {
            return Err(self.until.saturating_sub(now));
        }
        (self.until, self.probing) = (now + self.patience, true);
        Ok(())
    }

    /// True until a call succeeds.
    pub fn is_open(&self) -> bool {
        self.failures >= MAX_FAILURES
    }

    pub fn state(&self, now: Duration) -> State {
        match self.is_open() {
            false => State::Closed,
            true if self.probing || now >= self.until => State::HalfOpen,
            true => State::Open(self.until.saturating_sub(now)),
        }
    }

    pub fn succeeded(&mut self) {
        (self.failures, self.probing) = (0, false);
    }

    pub fn failed(&mut self, now: Duration) {
        self.failures = self.failures.saturating_add(1);
        (self.until, self.probing) = (now + OPEN_FOR, false);
    }

    /// The caller stopped the call, so another one may probe at once.
    pub fn aborted(&mut self, now: Duration) {
        if std::mem::take(&mut self.probing) {
            self.until = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn open_since(now: Duration) -> Breaker {
        let mut breaker = Breaker::new(100 * S);
        for _ in 0..MAX_FAILURES {
            assert_eq!(breaker.admit(now), Ok(()));
            breaker.failed(now);
        }
        breaker
    }

    #[test]
    fn only_failures_in_a_row_open_it() {
        let mut breaker = Breaker::new(100 * S);
        for _ in 0..20 {
            for _ in 1..MAX_FAILURES {
                breaker.failed(S);
                assert_eq!(breaker.admit(S), Ok(()));
            }
            breaker.succeeded();
        }
    }

    #[test]
    fn an_open_breaker_admits_one_call_after_a_while() {
        let mut breaker = open_since(10 * S);
        assert_eq!(
            (breaker.admit(10 * S), breaker.state(10 * S)),
            (Err(30 * S), State::Open(30 * S))
        );
        assert_eq!(breaker.admit(39 * S), Err(S));
        assert_eq!(breaker.state(40 * S), State::HalfOpen);
        assert_eq!(breaker.admit(40 * S), Ok(()));
        assert_eq!(breaker.state(41 * S), State::HalfOpen);
        assert_eq!(breaker.admit(40 * S), Err(100 * S), "one at a time");
        breaker.succeeded();
        assert_eq!(breaker.state(41 * S), State::Closed);
        assert_eq!((breaker.admit(41 * S), breaker.admit(41 * S)), (Ok(()), Ok(())));
    }

    #[test]
    fn a_probe_that_fails_opens_it_again_at_once() {
        let mut breaker = open_since(Duration::ZERO);
        assert_eq!(breaker.admit(30 * S), Ok(()));
        breaker.failed(32 * S);
        assert_eq!(breaker.admit(33 * S), Err(29 * S));
        assert_eq!(breaker.admit(62 * S), Ok(()));
    }

    #[test]
    fn a_probe_without_an_outcome_is_given_up() {
        let mut breaker = open_since(Duration::ZERO);
        assert_eq!(breaker.admit(30 * S), Ok(()));
        assert_eq!(breaker.admit(129 * S), Err(S));
        assert_eq!(breaker.admit(130 * S), Ok(()));
        breaker.aborted(131 * S);
        assert_eq!(breaker.admit(131 * S), Ok(()));
        assert_eq!(breaker.admit(131 * S), Err(100 * S));
        breaker.failed(140 * S);
        breaker.aborted(141 * S);
        assert_eq!(breaker.admit(141 * S), Err(29 * S), "it was not a probe");
    }
}
