//! Metrics and traces for a collector of OpenTelemetry, as OTLP over HTTP in JSON.
//!
//! Each is sent by a thread of its own, so that nobody waits for the collector. Metrics are what `/metrics` says at that
//! moment; spans wait in a queue, which drops what it has no room for.

mod exposed;
mod spans;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::engine::Engine;
use crate::error::Result;
use crate::http::Poster;
use crate::telemetry::{self, SpanData};

/// How often metrics are sent.
const METRICS_EVERY: Duration = Duration::from_secs(30);
/// How long a span waits for others to be sent with, and how many are sent at once. One takes some 700 bytes.
const SPANS_EVERY: Duration = Duration::from_secs(5);
const MOST_SPANS: usize = 1024;
/// How often the thread of spans looks whether it should end.
const LOOK: Duration = Duration::from_millis(100);
/// How long the collector may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it may take while the server ends.
const LAST_PATIENCE: Duration = Duration::from_secs(1);

/// The threads that send; dropping it sends once more and ends them.
pub struct Exporter {
    stop: Option<Sender<()>>,
    is_ending: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// Begins to send, where the settings name a collector.
///
/// # Errors
/// A usage fault for an address that is none.
pub fn export<H: AsRef<Engine> + Send + 'static>(host: H) -> Result<Option<Exporter>> {
    let endpoint = host.as_ref().config.otlp_endpoint.clone();
    if endpoint.is_empty() {
        return Ok(None);
    }
    let of_metrics = Collector::new(&endpoint, "metrics")?;
    let of_traces = Collector::new(&endpoint, "traces")?;
    let (stop, stopped) = channel::<()>();
    let is_ending = Arc::<AtomicBool>::default();
    let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
    let mut threads = Vec::new();
    threads.extend(thread("otlp-metrics").spawn(move || send_metrics(&host, of_metrics, &stopped)));
    if let Some(spans) = telemetry::collect_spans() {
        let is_ending = Arc::clone(&is_ending);
        threads.extend(thread("otlp-traces").spawn(move || send_traces(&spans, of_traces, &is_ending)));
    }
    Ok(Some(Exporter { stop: Some(stop), is_ending, threads }))
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.stop = None;
        self.is_ending.store(true, Ordering::Relaxed);
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

/// Who takes messages of one kind.
struct Collector {
    poster: Poster,
    what: &'static str,
    /// It took the last one.
    is_well: bool,
}

impl Collector {
    fn new(endpoint: &str, what: &'static str) -> Result<Self> {
        let poster = Poster::new(&format!("{endpoint}/v1/{what}"), None, PATIENCE)
            .map_err(|fault| fault.hint("see telemetry.otlp_endpoint, such as http://localhost:4318"))?;
        Ok(Self { poster, what, is_well: true })
    }

    /// Sends a message, and tells the log once when that begins to fail.
    fn send(&mut self, message: &Value, patience: Duration, is_gone: &dyn Fn() -> bool) {
        let sent = self.poster.post(message.to_string().into_bytes(), patience, is_gone);
        let is_taken = sent.is_ok_and(|exchange| (200..300).contains(&exchange.head().status));
        if self.is_well && !is_taken {
            telemetry::warn!(what = self.what, "the collector of telemetry does not take what is sent");
        }
        self.is_well = is_taken;
    }
}

fn send_metrics<H: AsRef<Engine>>(host: &H, mut collector: Collector, stopped: &Receiver<()>) {
    let start_ns = host.as_ref().now().as_nanos();
    loop {
        let is_last = !matches!(stopped.recv_timeout(METRICS_EVERY), Err(RecvTimeoutError::Timeout));
        let now_ns = host.as_ref().now().as_nanos();
        let message = exposed::metrics(&telemetry::render(), start_ns, now_ns);
        let patience = if is_last { LAST_PATIENCE } else { PATIENCE };
        collector.send(&message, patience, &|| !is_last && stopped.try_recv() == Err(TryRecvError::Disconnected));
        if is_last {
            return;
        }
    }
}

fn send_traces(spans: &Receiver<SpanData>, mut collector: Collector, is_ending: &AtomicBool) {
    loop {
        let (mut batch, deadline) = (Vec::new(), Instant::now() + SPANS_EVERY);
        let is_last = loop {
            let is_ending = is_ending.load(Ordering::Relaxed);
            if batch.len() >= MOST_SPANS || !is_ending && Instant::now() >= deadline {
                break false;
            }
            match spans.recv_timeout(if is_ending { Duration::ZERO } else { LOOK }) {
                Ok(span) => batch.push(span),
                Err(_) if is_ending => break true,
                Err(_) => {}
            }
        };
        let was_ending = is_ending.load(Ordering::Relaxed);
        if !batch.is_empty() {
            let patience = if was_ending { LAST_PATIENCE } else { PATIENCE };
            collector.send(&spans::traces(&batch), patience, &|| !was_ending && is_ending.load(Ordering::Relaxed));
        }
        let dropped = telemetry::dropped_spans();
        if dropped > 0 {
            telemetry::warn!(spans = dropped, "spans were dropped, because the collector does not take them in time");
        }
        if is_last || was_ending && !collector.is_well {
            return;
        }
    }
}

/// A message of one scope of this program.
fn message(of_resource: &str, of_scope: &str, what: &str, all: &[Value]) -> Value {
    let version = env!("CARGO_PKG_VERSION");
    let about = [attribute("service.name", &"rag".into()), attribute("service.version", &version.into())];
    json!({ of_resource: [{
        "resource": { "attributes": about },
        of_scope: [{ "scope": { "name": "rag", "version": version }, what: all }],
    }] })
}

/// A key and its value; whole numbers are texts in JSON of OTLP.
fn attribute(key: &str, value: &Value) -> Value {
    let value = match value {
        Value::Bool(value) => json!({ "boolValue": value }),
        Value::Number(value) if value.is_f64() => json!({ "doubleValue": value }),
        Value::Number(value) => json!({ "intValue": value.to_string() }),
        Value::String(value) => json!({ "stringValue": value }),
        other => json!({ "stringValue": other.to_string() }),
    };
    json!({ "key": key, "value": value })
}
