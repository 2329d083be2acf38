//! One question in flight, and its listeners.
//!
//! The worker appends updates to a log. Each listener reads the log from its start at its own pace,
//! so a late listener misses nothing, and a slow one delays no other. A log is as large as one
//! answer.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::question::{Outcome, Question, Update};
use super::queue::QueueKey;
use crate::cache::Key;
use crate::engine::Deadline;
use crate::error::locked;
use crate::telemetry::Span;

/// A question that is queued or running.
pub(super) struct Flight {
    pub id: u64,
    /// Equal for identical questions; `None` for a question that is not shared.
    pub key: Option<Key>,
    pub question: Question,
    pub begun: Instant,
    /// The latest deadline of its listeners.
    pub deadline: Arc<Deadline>,
    /// When a worker started it.
    started: OnceLock<Instant>,
    /// The request of the first listener, for the log.
    pub span: Span,
    /// Set when all listeners have left; read by the worker.
    pub left: Arc<AtomicBool>,
    log: Mutex<Log>,
    /// Notified when the log has grown.
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct Log {
    updates: Vec<Update>,
    outcome: Option<Outcome>,
}

/// The entry of a flight in its lane, guarded by the lane's lock.
pub(super) struct Listed {
    pub flight: Arc<Flight>,
    pub listeners: usize,
    /// Its key while it is queued.
    pub queue_key: Option<QueueKey>,
}

/// A reader of a log.
pub(super) struct Listener {
    flight: Arc<Flight>,
    /// Updates read so far.
    n_read: usize,
    changed: watch::Receiver<()>,
}

impl Flight {
    /// `until` is the deadline of the first listener.
    pub fn new(id: u64, key: Option<Key>, question: Question, until: Instant) -> Self {
        Self {
            id,
            key,
            question,
            begun: Instant::now(),
            deadline: Arc::new(Deadline::new(until)),
            started: OnceLock::new(),
            span: Span::current(),
            left: Arc::default(),
            log: Mutex::default(),
            changed: watch::Sender::new(()),
        }
    }

    /// Notes that a worker has started it.
    pub fn start(&self) {
        let _ = self.started.set(Instant::now());
    }

    /// The time in the queue, once a worker has started it.
    pub fn waited(&self) -> Option<Duration> {
        self.started.get().map(|started| started.duration_since(self.begun))
    }

    pub fn notify(&self, update: Update) {
        self.log().updates.push(update);
        self.changed.send_replace(());
    }

    /// Sets the outcome, unless there is one already.
    pub fn end(&self, outcome: Outcome) {
        self.log().outcome.get_or_insert(outcome);
        self.changed.send_replace(());
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        locked(&self.log)
    }
}

impl Listener {
    pub fn new(flight: Arc<Flight>) -> Self {
        let changed = flight.changed.subscribe();
        Self { flight, n_read: 0, changed }
    }

    pub fn flight(&self) -> &Arc<Flight> {
        &self.flight
    }

    /// The next update; `None` after the last one.
    pub async fn next(&mut self) -> Option<Update> {
        loop {
            {
                let log = self.flight.log();
                if let Some(update) = log.updates.get(self.n_read) {
                    self.n_read += 1;
                    return Some(update.clone());
                }
                if log.outcome.is_some() {
                    return None;
                }
            }
            self.wait().await;
        }
    }

    /// Waits for the outcome.
    pub async fn outcome(&mut self) -> Outcome {
        loop {
            if let Some(outcome) = &self.flight.log().outcome {
                return outcome.clone();
            }
            self.wait().await;
        }
    }

    /// Waits until the log has grown.
    async fn wait(&mut self) {
        // The sender lives as long as the flight, which `self` holds.
        let _ = self.changed.changed().await;
    }
}
