//! Results that come in any order, taken in the order in which they were asked for.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// A result that is waited for longer than this is reported, and again whenever as much time has
/// passed.
pub const SLOW: Duration = Duration::from_secs(1);

/// Numbered results from threads.
pub struct Turns<T> {
    coming: Receiver<(usize, T)>,
    /// Those whose turn has not come.
    early: BTreeMap<usize, T>,
    slow: Duration,
}

impl<T> Turns<T> {
    pub fn new(coming: Receiver<(usize, T)>, slow: Duration) -> Self {
        Self { coming, early: BTreeMap::new(), slow }
    }

    /// Waits for the result number `n`; `None` when every sender has gone. `on_slow` is called with
    /// how long the wait has been, however many other results come meanwhile.
    pub fn take(&mut self, n: usize, on_slow: &mut dyn FnMut(Duration)) -> Option<T> {
        let begun = Instant::now();
        let mut report_at = begun + self.slow;
        loop {
            if let Some(result) = self.early.remove(&n) {
                return Some(result);
            }
            if Instant::now() >= report_at {
                on_slow(begun.elapsed());
                report_at = Instant::now() + self.slow;
            }
            match self.coming.recv_timeout(report_at.saturating_duration_since(Instant::now())) {
                Ok((m, result)) => drop(self.early.insert(m, result)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn results_are_taken_in_their_order() {
        let (sender, coming) = channel();
        [2, 0, 1].iter().for_each(|n| sender.send((*n, *n)).unwrap());
        drop(sender);
        let mut turns = Turns::new(coming, SLOW);
        let taken: Vec<Option<usize>> =
            (0..4).map(|n| turns.take(n, &mut |_| panic!("nothing is slow"))).collect();
        assert_eq!(taken, [Some(0), Some(1), Some(2), None]);
    }

    #[test]
    fn a_slow_one_is_reported_while_others_come() {
        let (sender, coming) = channel();
        let mut turns = Turns::new(coming, Duration::from_millis(1));
        // Others come one after the other, without a pause.
        let (stop, stopped) = channel::<()>();
        let others = sender.clone();
        let busy = std::thread::spawn(move || {
            for n in 1.. {
                if others.send((n, "other")).is_err() || stopped.try_recv().is_ok() {
                    return;
                }
                std::thread::yield_now();
            }
        });
        let mut reports = 0;
        let taken = turns.take(0, &mut |_| {
            reports += 1;
            if reports == 3 {
                sender.send((0, "slow")).unwrap();
            }
        });
        assert!(taken == Some("slow") && reports >= 3, "{taken:?} after {reports}");
        let _ = stop.send(());
        drop(turns);
        busy.join().unwrap();
    }
}
