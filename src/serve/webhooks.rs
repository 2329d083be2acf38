//! Webhooks: the end of each job is posted to the configured addresses, signed and retried.
//!
//! Of several servers that share their jobs, one posts each end. One task follows the jobs. Each
//! address has a queue and a thread of its own, so one that does not answer delays no other. When
//! its queue is full, the oldest delivery is dropped.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::app::App;
use super::watcher::public_job;
use crate::config::{Config, Secret};
use crate::disk;
use crate::error::{Result, locked};
use crate::http::{Poster, Trouble};
use crate::jobs::{self, Turn};
use crate::strings::StrExt as _;
use crate::telemetry;

/// Deliveries that wait for one address.
const MAX_WAITING: usize = 256;

/// Attempts of one delivery, each after twice the wait of the one before.
const ATTEMPTS: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The longest time of one attempt.
const TIMEOUT: Duration = Duration::from_secs(10);

/// When to look again at a delivery that another server holds, or whose turn is unknown.
const LOOK: Duration = Duration::from_secs(30);

/// How often a thread looks whether the server stops.
const POLL: Duration = Duration::from_millis(100);

/// The addresses and their secret, checked.
///
/// # Errors
/// A usage fault for addresses without a secret, and for an invalid address.
pub fn check(config: &Config) -> Result<()> {
    if config.serve.webhooks.is_empty() {
        return Ok(());
    }
    if config.serve.webhook_secret.is_none() {
        return Err(config
            .refuse("serve.webhooks", "needs `serve.webhook_secret`")
            .hint("receivers check the signature with it"));
    }
    config.serve.webhooks.iter().try_for_each(|url| poster(url).map(drop))
}

fn poster(url: &str) -> Result<Poster> {
    Poster::new(url, None, TIMEOUT)
}

/// A message on its way.
#[derive(Clone, Debug)]
struct Delivery {
    /// The same on every server, so that a receiver knows a repetition.
    id: String,
    event: String,
    body: String,
    job: String,
    ended_ms: u64,
    /// Not to be sent before.
    not_before: Option<Instant>,
}

/// Deliveries of one address.
#[derive(Default)]
struct Queue {
    waiting: Mutex<VecDeque<Delivery>>,
    added: Condvar,
}

impl Queue {
    fn push(&self, delivery: Delivery) {
        let mut waiting = locked(&self.waiting);
        if waiting.len() >= MAX_WAITING {
            waiting.pop_front();
            telemetry::webhook("dropped");
        }
        waiting.push_back(delivery);
        self.added.notify_one();
    }

    /// The next delivery, after at most [`POLL`].
    fn pop(&self) -> Option<Delivery> {
        let mut waiting = locked(&self.waiting);
        let is_due =
            |delivery: &Delivery| delivery.not_before.is_none_or(|at| Instant::now() >= at);
        if !waiting.iter().any(is_due) {
            let waited = self.added.wait_timeout(waiting, POLL);
            waiting = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let next = waiting.iter().position(is_due)?;
        waiting.remove(next)
    }
}

/// Starts to deliver, when addresses are configured.
pub fn start(app: &Arc<App>) {
    let config = &app.engine().config;
    let Some(secret) = &config.serve.webhook_secret else { return };
    let mut queues = Vec::new();
    for url in &config.serve.webhooks {
        let Ok(poster) = poster(url) else { continue };
        let queue = Arc::new(Queue::default());
        let address = Address {
            app: Arc::clone(app),
            url: url.clone(),
            poster,
            secret: secret.clone(),
            holder: disk::random_id().unwrap_or_default(),
        };
        let own = Arc::clone(&queue);
        let thread = std::thread::Builder::new().name("webhook".to_owned());
        if thread.spawn(move || address.deliver_all(&own)).is_ok() {
            queues.push(queue);
        }
    }
    if !queues.is_empty() {
        tokio::spawn(follow(Arc::clone(app), queues));
    }
}

/// Queues a delivery for every job that ends while the server runs.
async fn follow(app: Arc<App>, queues: Vec<Arc<Queue>>) {
    let mut jobs = app.watcher.follow();
    // Whether each job had ended when it was last seen; `None` before the first read.
    let mut known: Option<HashMap<String, bool>> = None;
    loop {
        if let Some(now) = jobs.borrow_and_update().clone() {
            let ended = |job: &Value| job["ended"].is_number();
            if let Some(known) = &known {
                for (id, job) in now.iter() {
                    // A job that starts and ends between two reads has not been seen before.
                    if ended(job) && !known.get(id).copied().unwrap_or(false) {
                        let delivery = delivery(&public_job(job.clone()));
                        queues.iter().for_each(|queue| queue.push(delivery.clone()));
                    }
                }
            }
            known = Some(now.iter().map(|(id, job)| (id.clone(), ended(job))).collect());
        }
        tokio::select! {
            changed = jobs.changed() => if changed.is_err() { return },
            () = app.stopping.cancelled() => return,
        }
    }
}

fn delivery(job: &Value) -> Delivery {
    let event = format!("job.{}", job["state"].as_str().unwrap_or_default());
    let name = job["id"].as_str().unwrap_or_default().to_owned();
    let ended_ms = job["ended"].as_f64().map_or(0, |s| (s * 1000.0).round() as u64);
    let hash = disk::sha256_hex(format!("delivery {name} {ended_ms}").as_bytes());
    let id = hash.slice(..32).to_owned();
    let body = json!({ "id": id, "event": event, "job": job }).to_string();
    Delivery { id, event, body, job: name, ended_ms, not_before: None }
}

/// What the thread of an address needs.
struct Address {
    app: Arc<App>,
    url: String,
    poster: Poster,
    secret: Secret,
    /// This thread, among those of all servers.
    holder: String,
}

impl Address {
    /// Delivers until the server stops.
    fn deliver_all(&self, queue: &Queue) {
        while !self.app.stopping.is_cancelled() {
            let Some(mut delivery) = queue.pop() else { continue };
            let claim = jobs::Delivery {
                job: &delivery.job,
                ended_ms: delivery.ended_ms,
                address: &self.url,
                holder: &self.holder,
            };
            match self.app.engine().jobs.claim_delivery(&claim) {
                Ok(Turn::Over) => {}
                Ok(Turn::Ours) => {
                    if !self.deliver(&delivery) {
                        return;
                    }
                    // Without the record another server posts it once more.
                    let _ = self.app.engine().jobs.end_delivery(&claim);
                }
                // Its holder may die, or the database comes back.
                Ok(Turn::Theirs) | Err(_) => {
                    delivery.not_before = Some(Instant::now() + LOOK);
                    queue.push(delivery);
                }
            }
        }
    }

    /// All attempts of one delivery; false when the server stops meanwhile.
    fn deliver(&self, delivery: &Delivery) -> bool {
        let stop = || self.app.stopping.is_cancelled();
        let mut wait = FIRST_WAIT;
        for attempt in 1..=ATTEMPTS {
            let now_s = self.app.engine().now_s();
            match attempt_once(&self.poster, &self.secret, delivery, now_s, &stop) {
                Ok(()) => {
                    telemetry::webhook("delivered");
                    return true;
                }
                Err(_) if stop() => return false,
                Err(why) if attempt == ATTEMPTS => {
                    telemetry::webhook("failed");
                    telemetry::warn!(event = delivery.event, why, "a webhook was not delivered");
                }
                Err(_) => {
                    pause(wait, &stop);
                    wait *= 2;
                }
            }
        }
        true
    }
}

fn pause(time: Duration, stop: &dyn Fn() -> bool) {
    let mut left = time;
    while !left.is_zero() && !stop() {
        let step = left.min(POLL);
        std::thread::sleep(step);
        left -= step;
    }
}

/// One attempt. A status of 2xx is a success.
fn attempt_once(
    poster: &Poster,
    secret: &Secret,
    delivery: &Delivery,
    now_s: i64,
    stop: &dyn Fn() -> bool,
) -> Result<(), String> {
    let timestamp = now_s.to_string();
    let signed = format!("{timestamp}.{}", delivery.body);
    let mac = disk::hmac_sha256_hex(secret.expose().as_bytes(), signed.as_bytes());
    let signature = format!("sha256={mac}");
    let headers = [
        ("x-rag-event", delivery.event.as_str()),
        ("x-rag-delivery", delivery.id.as_str()),
        ("x-rag-timestamp", timestamp.as_str()),
        ("x-rag-signature", signature.as_str()),
    ];
    let body = delivery.body.clone().into_bytes();
    match poster.post_with(body, &headers, TIMEOUT, stop) {
        Ok(reply) if (200..300).contains(&reply.head().status) => Ok(()),
        Ok(reply) => Err(format!("status {}", reply.head().status)),
        Err(Trouble::Stopped) => Err("stopped".to_owned()),
        Err(Trouble::Silent | Trouble::Late) => Err("no reply in time".to_owned()),
        Err(Trouble::Refused(e) | Trouble::Unreachable(e) | Trouble::Cut(e)) => Err(e.to_string()),
    }
}
