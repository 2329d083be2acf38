//! The thread that compares this server's copies of indexes with the depot, every `depot.poll_s`
//! seconds and whenever another machine sends a hint, and the one that listens for hints.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use crate::service::Service;
use crate::shared::{Hint, Redis};

/// Ends the threads when it is dropped, after the comparison that one may be in.
pub struct Poller {
    is_over: Arc<AtomicBool>,
    /// Ends the wait for the next comparison.
    wake: SyncSender<Wake>,
}

/// Why copies are compared before their time.
struct Wake;

impl Poller {
    /// Starts the threads: the first if there is a depot, the second if there is a store that
    /// passes hints on. `on_tokens` follows those of access tokens.
    pub fn start(service: &Arc<Service>, on_tokens: impl Fn() + Send + 'static) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        // One wait is enough: a comparison that begins later sees what several hints meant.
        let (wake, woken) = sync_channel(1);
        let engine = service.engine();
        if engine.store.is_shared() {
            let (service, is_over) = (Arc::clone(service), Arc::clone(&is_over));
            let poll = move || until(&woken, &service, &is_over);
            // A server that cannot start the thread compares when it is asked.
            let _ = std::thread::Builder::new().name("depot".into()).spawn(poll);
        }
        if let Some(redis) = engine.shared.redis() {
            let listener = Listener {
                redis: Arc::clone(redis),
                service: Arc::clone(service),
                is_over: Arc::clone(&is_over),
                wake: wake.clone(),
            };
            let hear = move || listener.run(&on_tokens);
            let _ = std::thread::Builder::new().name("hints".into()).spawn(hear);
        }
        Self { is_over, wake: wake }
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let _ = self.wake.try_send(Wake);
    }
}

fn until(woken: &Receiver<Wake>, service: &Service, is_over: &AtomicBool) {
    let engine = service.engine();
    let every = engine.config.depot.poll.max(Duration::from_secs(1));
    while !is_over.load(Ordering::Relaxed) {
        engine.store.poll();
        match woken.recv_timeout(every) {
            Ok(Wake) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Hears hints and passes them on.
struct Listener {
    redis: Arc<Redis>,
    service: Arc<Service>,
    is_over: Arc<AtomicBool>,
    wake: SyncSender<Wake>,
}

impl Listener {
    fn run(self, on_tokens: &dyn Fn()) {
        let mut on_hint = |hint| match hint {
            // A full channel has a wake already.
            Hint::Depot => drop(self.wake.try_send(Wake)),
            Hint::Cache => self.service.engine().cache().follow_purges(),
            Hint::Tokens => on_tokens(),
        };
        self.redis.hear(&mut on_hint, &|| self.is_over.load(Ordering::Relaxed));
    }
}
