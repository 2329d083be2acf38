//! Receives numbered results in any order and returns them in the order of their numbers.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// A wait for one result is reported each time it has lasted this much longer.
pub const SLOW: Duration = Duration::from_secs(1);

/// Numbered results from threads.
pub struct Turns<T> {
    results: Receiver<(usize, T)>,
    /// Received before their turn.
    early: BTreeMap<usize, T>,
    slow: Duration,
}

impl<T> Turns<T> {
    pub fn new(results: Receiver<(usize, T)>, slow: Duration) -> Self {
        Self { results, early: BTreeMap::new(), slow }
    }

    /// Waits for result number `n`; `None` when all senders are dropped. `on_slow` gets the
    /// duration of the wait so far, even while other results arrive.
    pub fn take(&mut self, n: usize, on_slow: &mut dyn FnMut(Duration)) -> Option<T> {
        let start = Instant::now();
        let mut report_at = start + self.slow;
        loop {
            if let Some(result) = self.early.remove(&n) {
                return Some(result);
            }
            if Instant::now() >= report_at {
                on_slow(start.elapsed());
                report_at = Instant::now() + self.slow;
            }
            match self.results.recv_timeout(report_at.saturating_duration_since(Instant::now())) {
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
    fn results_are_taken_in_the_order_of_their_numbers() {
        let (sender, results) = channel();
        [2, 0, 1].iter().for_each(|n| sender.send((*n, *n)).unwrap());
        drop(sender);
        let mut turns = Turns::new(results, SLOW);
        let taken: Vec<Option<usize>> =
            (0..4).map(|n| turns.take(n, &mut |_| panic!("nothing is slow"))).collect();
        assert_eq!(taken, [Some(0), Some(1), Some(2), None]);
    }

    #[test]
    fn a_slow_result_is_reported_while_others_arrive() {
        let (sender, results) = channel();
        let mut turns = Turns::new(results, Duration::from_millis(1));
        // Others arrive without a pause.
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
