//! A circuit breaker: a server that failed again and again is left alone for a while. Pure: time
//! comes in.

use std::time::Duration;

/// So many failed calls in a row open it.
pub const MOST_FAILURES: u32 = 5;
/// So long it stays open.
pub const OPEN_FOR: Duration = Duration::from_secs(30);

/// What a breaker does with the next caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Callers pass.
    Closed,
    /// Nobody passes for so long.
    Open(Duration),
    /// The next caller, or one who is under way, tries whether the server is well again.
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

/// Closed until [`MOST_FAILURES`] calls in a row have failed. Then nobody passes for [`OPEN_FOR`],
/// and after that one caller at a time, until one succeeds. Times are since any fixed moment.
#[derive(Debug)]
pub struct Breaker {
    /// Failed calls since the last one that succeeded.
    failures: u32,
    /// While open: when the next caller may try.
    until: Duration,
    /// While open: true when somebody tries.
    probing: bool,
    /// How long a caller who tries is waited for. Who tells nothing by then is forgotten.
    patience: Duration,
}

impl Breaker {
    /// `patience` is longer than any call can take.
    pub fn new(patience: Duration) -> Self {
        Self { failures: 0, until: Duration::ZERO, probing: false, patience }
    }

    /// Lets a caller pass, or says how long nobody will.
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

    /// True until a caller succeeds again.
    pub fn is_open(&self) -> bool {
        self.failures >= MOST_FAILURES
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

    /// The call was broken off by its caller, so that another may try at once.
    pub fn learnt_nothing(&mut self, now: Duration) {
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
        for _ in 0..MOST_FAILURES {
            assert_eq!(breaker.admit(now), Ok(()));
            breaker.failed(now);
        }
        breaker
    }

    #[test]
    fn only_failures_in_a_row_open_it() {
        let mut breaker = Breaker::new(100 * S);
        for _ in 0..20 {
            for _ in 1..MOST_FAILURES {
                breaker.failed(S);
                assert_eq!(breaker.admit(S), Ok(()));
            }
            breaker.succeeded();
        }
    }

    #[test]
    fn it_refuses_for_a_while_then_lets_one_through() {
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
    fn a_probe_that_tells_nothing_is_not_waited_for_for_ever() {
        let mut breaker = open_since(Duration::ZERO);
        assert_eq!(breaker.admit(30 * S), Ok(()));
        assert_eq!(breaker.admit(129 * S), Err(S));
        assert_eq!(breaker.admit(130 * S), Ok(()));
        breaker.learnt_nothing(131 * S);
        assert_eq!(breaker.admit(131 * S), Ok(()));
        assert_eq!(breaker.admit(131 * S), Err(100 * S));
        breaker.failed(140 * S);
        breaker.learnt_nothing(141 * S);
        assert_eq!(breaker.admit(141 * S), Err(29 * S), "it was no probe");
    }
}
