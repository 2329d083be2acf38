//! One computation and everybody who waits for it.
//!
//! The worker writes a log; whoever listens reads it from the beginning at their own pace, so that
//! one who comes late misses nothing and one who reads slowly holds up nobody. A log is as large as
//! one answer.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::queue::QueueKey;
use super::{Outcome, Question, Update};
use crate::cache::Key;
use crate::engine::Deadline;
use crate::telemetry::Span;

/// A question that waits or is being worked on.
pub(super) struct Flight {
    pub id: u64,
    /// What makes another question the same one; `None` for one that is nobody else's.
    pub key: Option<Key>,
    pub question: Question,
    pub begun: Instant,
    /// When the last of its listeners gives up.
    pub deadline: Arc<Deadline>,
    /// When a worker took it.
    started: OnceLock<Instant>,
    /// The request that it belongs to, for the log.
    pub span: Span,
    /// Set when nobody listens any more; read by the worker.
    pub left: Arc<AtomicBool>,
    log: Mutex<Log>,
    /// Rings when the log has grown.
    bell: watch::Sender<()>,
}

#[derive(Default)]
struct Log {
    updates: Vec<Update>,
    outcome: Option<Outcome>,
}

/// What a lane knows of a flight; guarded by the lane's lock.
pub(super) struct Listed {
    pub flight: Arc<Flight>,
    pub listeners: usize,
    /// While it waits.
    pub place: Option<QueueKey>,
}

/// One listener's place in a log.
pub(super) struct Listener {
    flight: Arc<Flight>,
    read: usize,
    bell: watch::Receiver<()>,
}

impl Flight {
    /// `until` is when its first listener gives up.
    pub fn new(id: u64, key: Option<Key>, question: Question, until: Instant) -> Self {
        let left = Arc::default();
        Self {
            id,
            key,
            question,
            begun: Instant::now(),
            deadline: Arc::new(Deadline::new(until)),
            started: OnceLock::new(),
            span: Span::current(),
            left,
            log: Mutex::default(),
            bell: watch::Sender::new(()),
        }
    }

    /// A worker takes it.
    pub fn start(&self) {
        let _ = self.started.set(Instant::now());
    }

    /// How long it waited for a worker, once one has taken it.
    pub fn waited(&self) -> Option<Duration> {
        self.started.get().map(|started| started.duration_since(self.begun))
    }

    pub fn notify(&self, update: Update) {
        self.log().updates.push(update);
        self.bell.send_replace(());
    }

    /// Says how it ended; the first word counts.
    pub fn end(&self, outcome: Outcome) {
        self.log().outcome.get_or_insert(outcome);
        self.bell.send_replace(());
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener {
    pub fn new(flight: Arc<Flight>) -> Self {
        let bell = flight.bell.subscribe();
        Self { flight, read: 0, bell }
    }

    pub fn flight(&self) -> &Arc<Flight> {
        &self.flight
    }

    /// What is told next, or `None` when all was told and it has ended.
    pub async fn next(&mut self) -> Option<Update> {
        loop {
            {
                let log = self.flight.log();
                if let Some(update) = log.updates.get(self.read) {
                    self.read += 1;
                    return Some(update.clone());
                }
                if log.outcome.is_some() {
                    return None;
                }
            }
            self.rung().await;
        }
    }

    /// How it ended.
    pub async fn outcome(&mut self) -> Outcome {
        loop {
            if let Some(outcome) = &self.flight.log().outcome {
                return outcome.clone();
            }
            self.rung().await;
        }
    }

    async fn rung(&mut self) {
        // The bell lives as long as the flight, which this holds.
        let _ = self.bell.changed().await;
    }
}
