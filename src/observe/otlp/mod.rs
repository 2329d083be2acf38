//! Metrics and traces for a collector of OpenTelemetry, as OTLP over HTTP in JSON.
//!
//! Each is sent by a thread of its own, so that nobody waits for the collector. Metrics are what
//! `/metrics` says at that moment; spans wait in a queue, which drops what it has no room for.

mod exposed;
mod spans;

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::engine::Engine;
use crate::error::Result;
use crate::http::Poster;
use crate::telemetry::{self, SpanData};

/// How often metrics are sent.
const METRICS_EVERY: Duration = Duration::from_secs(30);
/// How long a span waits for others to be sent with, and how many are sent at once. One takes some
/// 700 bytes.
const SPANS_EVERY: Duration = Duration::from_secs(5);
const MOST_SPANS: usize = 1024;
/// How often the thread of spans looks whether it should end.
const LOOK: Duration = Duration::from_millis(100);
/// How long the collector may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long all that is left may take while the server ends.
const LAST_PATIENCE: Duration = Duration::from_secs(1);

/// The threads that send; dropping it sends once more and ends them.
pub struct Exporter {
    stop: Option<Sender<()>>,
    ending: Ending,
    threads: Vec<JoinHandle<()>>,
}

/// Since when the server ends.
#[derive(Clone, Default)]
struct Ending(Arc<OnceLock<Instant>>);

impl Ending {
    fn has_begun(&self) -> bool {
        self.0.get().is_some()
    }

    /// Nobody waits any longer.
    fn is_over(&self) -> bool {
        self.0.get().is_some_and(|since| since.elapsed() >= LAST_PATIENCE)
    }
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
    let ending = Ending::default();
    let of_metrics = Collector::new(&endpoint, "metrics", &ending)?;
    let of_traces = Collector::new(&endpoint, "traces", &ending)?;
    let (stop, stopped) = channel::<()>();
    let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
    let mut threads = Vec::new();
    threads.extend(thread("otlp-metrics").spawn(move || send_metrics(&host, of_metrics, &stopped)));
    if let Some(spans) = telemetry::collect_spans() {
        threads.extend(thread("otlp-traces").spawn(move || send_traces(&spans, of_traces)));
    }
    Ok(Some(Exporter { stop: Some(stop), ending, threads }))
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.ending.0.get_or_init(Instant::now);
        self.stop = None;
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

/// Who takes messages of one kind.
struct Collector {
    poster: Poster,
    what: &'static str,
    ending: Ending,
    /// It took the last one.
    is_well: bool,
}

impl Collector {
    fn new(endpoint: &str, what: &'static str, ending: &Ending) -> Result<Self> {
        let poster =
            Poster::new(&format!("{endpoint}/v1/{what}"), None, PATIENCE).map_err(|fault| {
                fault.hint("see telemetry.otlp_endpoint, such as http://localhost:4318")
            })?;
        Ok(Self { poster, what, ending: ending.clone(), is_well: true })
    }

    /// Sends a message, and tells the log once when that begins to fail.
    fn send(&mut self, message: &Value) {
        let sent =
            self.poster.post(message.to_string().into_bytes(), PATIENCE, &|| self.ending.is_over());
        let is_taken = sent.is_ok_and(|exchange| (200..300).contains(&exchange.head().status));
        if self.is_well && !is_taken {
            telemetry::warn!(
                what = self.what,
                "the collector of telemetry does not take what is sent"
            );
        }
        self.is_well = is_taken;
    }
}

fn send_metrics<H: AsRef<Engine>>(host: &H, mut collector: Collector, stopped: &Receiver<()>) {
    let start_ns = host.as_ref().now().as_nanos();
    loop {
        let is_last =
            !matches!(stopped.recv_timeout(METRICS_EVERY), Err(RecvTimeoutError::Timeout));
        let now_ns = host.as_ref().now().as_nanos();
        collector.send(&exposed::metrics(&telemetry::render(), start_ns, now_ns));
        if is_last {
            return;
        }
    }
}

fn send_traces(spans: &Receiver<SpanData>, mut collector: Collector) {
    loop {
        let (mut batch, deadline) = (Vec::new(), Instant::now() + SPANS_EVERY);
        let is_last = loop {
            let is_ending = collector.ending.has_begun();
            if batch.len() >= MOST_SPANS || !is_ending && Instant::now() >= deadline {
                break false;
            }
            match spans.recv_timeout(if is_ending { Duration::ZERO } else { LOOK }) {
                Ok(span) => batch.push(span),
                Err(_) if is_ending => break true,
                Err(_) => {}
            }
        };
        if !batch.is_empty() {
            collector.send(&spans::traces(&batch));
        }
        let dropped = telemetry::dropped_spans();
        if dropped > 0 {
            telemetry::warn!(
                spans = dropped,
                "spans were dropped, because the collector does not take them in time"
            );
        }
        if is_last || collector.ending.is_over() {
            return;
        }
    }
}

/// A message of one scope of this program.
fn message(of_resource: &str, of_scope: &str, what: &str, all: &[Value]) -> Value {
    let version = env!("CARGO_PKG_VERSION");
    let about =
        [attribute("service.name", &"rag".into()), attribute("service.version", &version.into())];
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
