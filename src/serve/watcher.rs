//! One look at the log of jobs for all who follow one. Nobody looks while nobody follows.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch::{self, Receiver, Sender};

use super::App;
use crate::wire;

/// How often the log is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// Every job by its id, as clients are told of it; `None` before the first look.
pub type Jobs = Option<Arc<HashMap<String, Value>>>;

/// Looks, as long as somebody follows.
#[derive(Default)]
pub struct Watcher(Mutex<Option<Arc<Sender<Jobs>>>>);

impl Watcher {
    /// What the log says, from now on.
    pub fn follow(&self, app: &Arc<App>) -> Receiver<Jobs> {
        let mut looking = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = &*looking {
            return sender.subscribe();
        }
        let (sender, receiver) = watch::channel(None);
        let sender = Arc::new(sender);
        *looking = Some(Arc::clone(&sender));
        tokio::spawn(look(Arc::clone(app), sender));
        receiver
    }

    /// Ends the looking when nobody follows any more; whoever comes later begins it anew.
    fn may_end(&self, sender: &Sender<Jobs>) -> bool {
        let mut looking = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ends = sender.receiver_count() == 0;
        if ends {
            *looking = None;
        }
        ends
    }
}

async fn look(app: Arc<App>, sender: Arc<Sender<Jobs>>) {
    while !app.watcher.may_end(&sender) {
        let looking = Arc::clone(&app);
        let jobs = tokio::task::spawn_blocking(move || {
            let engine = looking.engine();
            engine.jobs.list(engine.now_ms())
        });
        // A log that cannot be read now may be readable at the next look.
        if let Ok(Ok(jobs)) = jobs.await {
            let jobs: HashMap<_, _> =
                jobs.iter().map(|job| (job.id.clone(), wire::job(job))).collect();
            sender.send_if_modified(|known| {
                let is_new = known.as_deref() != Some(&jobs);
                if is_new {
                    *known = Some(Arc::new(jobs));
                }
                is_new
            });
        }
        tokio::time::sleep(LOOK).await;
    }
}
