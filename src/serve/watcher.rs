//! One poll of the job log for all clients that follow jobs. It stops when no client follows.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch::{self, Receiver, Sender};

use super::error::public;
use crate::error::locked;
use crate::service::Service;
use crate::wire;

/// Time between two reads of the log.
const INTERVAL: Duration = Duration::from_millis(200);

/// Every job by its id, as JSON; `None` before the first read.
pub type Jobs = Option<Arc<HashMap<String, Value>>>;

/// A job as clients see it: without paths of this machine.
pub fn public_job(mut job: Value) -> Value {
    if let Some(reason) = job["reason"].as_str() {
        job["reason"] = public(reason).into();
    }
    if let Some(dir) = job["result"]["index_dir"].as_str() {
        let generation = dir.rsplit('/').next().unwrap_or_default();
        job["result"]["index_dir"] = format!("indexes/{generation}").into();
    }
    job
}

/// Reads the log while at least one client follows.
#[derive(Clone)]
pub struct JobWatcher {
    service: Arc<Service>,
    /// `None` while no task reads the log.
    sender: Arc<Mutex<Option<Arc<Sender<Jobs>>>>>,
}

impl JobWatcher {
    pub fn new(service: Arc<Service>) -> Self {
        Self { service, sender: Arc::default() }
    }

    /// The jobs, updated whenever the log changes.
    pub fn follow(&self) -> Receiver<Jobs> {
        let mut current = self.lock();
        if let Some(sender) = &*current {
            return sender.subscribe();
        }
        let (sender, receiver) = watch::channel(None);
        let sender = Arc::new(sender);
        *current = Some(Arc::clone(&sender));
        tokio::spawn(self.clone().poll(sender));
        receiver
    }

    async fn poll(self, sender: Arc<Sender<Jobs>>) {
        while !self.stop_if_unused(&sender) {
            let service = Arc::clone(&self.service);
            let jobs = tokio::task::spawn_blocking(move || {
                let engine = service.engine();
                engine.jobs.list(engine.now_ms())
            });
            // A log that cannot be read now may be readable at the next poll.
            if let Ok(Ok(jobs)) = jobs.await {
                let jobs = jobs.iter().map(|job| (job.id.clone(), wire::job(job))).collect();
                sender.send_if_modified(|known| {
                    let is_new = known.as_deref() != Some(&jobs);
                    if is_new {
                        *known = Some(Arc::new(jobs));
                    }
                    is_new
                });
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// Whether polling ends because no client follows; a later client starts it again.
    fn stop_if_unused(&self, sender: &Sender<Jobs>) -> bool {
        let mut current = self.lock();
        let is_unused = sender.receiver_count() == 0;
        if is_unused {
            *current = None;
        }
        is_unused
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Sender<Jobs>>>> {
        locked(&self.sender)
    }
}
