//! Requests to an engine: timed, counted, and not sent for a while after several have failed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Fault, Kind, Reason, Result};
use crate::shared::Breaker;
use crate::telemetry;

/// What an engine did lately.
pub struct Watch {
    engine: &'static str,
    breaker: Mutex<Breaker>,
    start: Instant,
    latency_us: AtomicU64,
}

impl Watch {
    pub fn new(engine: &'static str) -> Self {
        let (breaker, latency_us) = (Mutex::default(), AtomicU64::new(0));
        Self { engine, breaker, start: Instant::now(), latency_us }
    }

    /// A request of a search.
    ///
    /// # Errors
    /// Those of the request; [`Kind::Outside`] while the engine is not asked.
    pub fn ask<T>(&self, request: impl FnOnce() -> Result<T>) -> Result<T> {
        if !self.breaker().admits(self.start.elapsed()) {
            let what = format!("{} failed several times; it is asked again soon", self.engine);
            return Err(Fault::outside(what)
                .reason(Reason::Engine)
                .hint("`rag doctor` shows why; `nearest.on_failure` says what a search does"));
        }
        self.timed("propose", request)
    }

    /// A request of a writer, whatever the breaker says.
    ///
    /// # Errors
    /// Those of the request.
    pub fn write<T>(&self, request: impl FnOnce() -> Result<T>) -> Result<T> {
        self.timed("write", request)
    }

    pub fn is_well(&self) -> bool {
        self.breaker().is_closed()
    }

    pub fn latency(&self) -> Option<Duration> {
        let us = self.latency_us.load(Ordering::Relaxed);
        (us > 0).then(|| Duration::from_micros(us))
    }

    fn timed<T>(&self, operation: &str, request: impl FnOnce() -> Result<T>) -> Result<T> {
        let start = Instant::now();
        let outcome = request();
        let elapsed = start.elapsed();
        telemetry::nearest_time(self.engine, operation, elapsed);
        let is_good = !matches!(&outcome, Err(fault) if fault.kind() == Kind::Outside);
        let is_open = {
            let mut breaker = self.breaker();
            breaker.record(is_good, self.start.elapsed());
            !breaker.is_closed()
        };
        telemetry::breaker(self.engine, is_open);
        if is_good {
            let us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX).max(1);
            self.latency_us.store(us, Ordering::Relaxed);
        }
        // Clients of a server, and jobs, learn which kind of part is missing.
        outcome.map_err(|fault| match fault.kind() {
            Kind::Outside => fault.reason(Reason::Engine),
            _ => fault,
        })
    }

    /// Every update is a single operation, so poisoning means nothing.
    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
