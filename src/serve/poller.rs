//! The thread that compares this server's copies of indexes with the depot, once a second.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use crate::service::Service;

/// How often.
const EVERY: Duration = Duration::from_secs(1);

/// Ends the thread when it is dropped, after the comparison that it may be in.
pub struct Poller {
    _stop: Sender<()>,
}

impl Poller {
    /// Starts the thread, if there is a depot.
    pub fn start(service: &Arc<Service>) -> Option<Self> {
        if !service.engine().store.is_shared() {
            return None;
        }
        let (stop, stopped) = channel();
        let service = Arc::clone(service);
        let poll = move || until(&stopped, &service);
        // A server that cannot start the thread compares when it is asked.
        std::thread::Builder::new().name("depot".into()).spawn(poll).ok()?;
        Some(Self { _stop: stop })
    }
}

fn until(stopped: &Receiver<()>, service: &Service) {
    loop {
        service.engine().store.poll();
        match stopped.recv_timeout(EVERY) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
