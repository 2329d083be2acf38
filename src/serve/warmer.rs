//! The threads that keep language models warm: one for each model with `llm.warm_minutes`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};

use crate::ask;
use crate::llm::Endpoint;
use crate::service::Service;
use crate::telemetry;

/// Ends the threads when it is dropped; a call in progress ends within a moment.
pub struct Warmer {
    stopping: Arc<AtomicBool>,
    _stops: Vec<Sender<()>>,
}

impl Warmer {
    /// Starts the threads.
    pub fn start(service: &Arc<Service>) -> Self {
        let config = &service.engine().config;
        let named = config.llms.values().filter(|other| other.name != config.llm.name);
        let wanted = std::iter::once(&config.llm).chain(named);
        let wanted = wanted.filter(|llm| !llm.warm.is_zero() && !llm.base_url.is_empty());
        let stopping = Arc::new(AtomicBool::new(false));
        let stops = wanted.filter_map(|llm| {
            let (stop, stopped) = channel();
            let (service, llm) = (Arc::clone(service), llm.clone());
            let stopping = Arc::clone(&stopping);
            let warm = move || keep_warm(&service, &llm, &stopped, &stopping);
            // A server that cannot start the thread has a slow first answer.
            std::thread::Builder::new().name("warmer".into()).spawn(warm).ok()?;
            Some(stop)
        });
        Self { _stops: stops.collect(), stopping }
    }
}

impl Drop for Warmer {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
    }
}

/// Calls the model at once, and again whenever it has had no request for the configured time.
fn keep_warm(service: &Service, llm: &Endpoint, stopped: &Receiver<()>, stopping: &AtomicBool) {
    let mut answered = None;
    loop {
        let now = service.answered(&llm.name);
        if answered.replace(now).is_none_or(|before| before == now)
            && let Err(fault) = ask::warm(llm, &|| stopping.load(Ordering::Relaxed))
        {
            telemetry::debug!(cause = fault.to_string(), "the language model cannot be warmed");
        }
        match stopped.recv_timeout(llm.warm) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
