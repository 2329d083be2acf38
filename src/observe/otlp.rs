//! Traces for a collector of OpenTelemetry: OTLP over HTTP, encoded as JSON.
//!
//! One thread sends, so that no request waits for the collector. Spans wait in a bounded queue,
//! which drops those that it has no room for. Metrics are not pushed: collectors scrape `/metrics`.

use std::sync::mpsc::Receiver;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::engine::Engine;
use crate::error::{Context as _, Result};
use crate::http::Poster;
use crate::telemetry::{self, SpanData};

/// How long a span waits for others to share its message, and how many share one. A span takes some
/// 700 bytes.
const BATCH_TIME: Duration = Duration::from_secs(5);
const MAX_BATCH: usize = 1024;
/// How often the thread checks whether the server is shutting down.
const POLL: Duration = Duration::from_millis(100);
/// How long the collector may take for a message.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long all that is left may take while the server shuts down.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// Values of `SpanKind` and `StatusCode` in OTLP.
const SPAN_KIND_INTERNAL: u8 = 1;
const SPAN_KIND_SERVER: u8 = 2;
const STATUS_CODE_ERROR: u8 = 2;

/// The sending thread. Dropping this sends the remaining spans and ends the thread.
pub struct Exporter {
    shutdown: Shutdown,
    thread: Option<JoinHandle<()>>,
}

/// When the server began to shut down, if it has.
#[derive(Clone, Default)]
struct Shutdown(Arc<OnceLock<Instant>>);

impl Shutdown {
    fn has_begun(&self) -> bool {
        self.0.get().is_some()
    }

    fn is_over(&self) -> bool {
        self.0.get().is_some_and(|since| since.elapsed() >= SHUTDOWN_TIMEOUT)
    }
}

/// Starts to send spans, where the settings name a collector.
///
/// # Errors
/// A usage fault for an invalid address.
pub fn export(engine: &Engine) -> Result<Option<Exporter>> {
    let endpoint = &engine.config.otlp_endpoint;
    if endpoint.is_empty() {
        return Ok(None);
    }
    let poster = Poster::new(&format!("{endpoint}/v1/traces"), None, TIMEOUT).map_err(|fault| {
        fault.hint("see telemetry.otlp_endpoint, such as http://localhost:4318")
    })?;
    let Some(spans) = telemetry::collect_spans() else { return Ok(None) };
    let shutdown = Shutdown::default();
    let mut collector = Collector { poster, shutdown: shutdown.clone(), is_reachable: true };
    let thread = std::thread::Builder::new()
        .name("otlp-traces".to_owned())
        .spawn(move || collector.run(&spans))
        .or_failed(|| "cannot start the thread that sends traces".to_owned())?;
    Ok(Some(Exporter { shutdown, thread: Some(thread) }))
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.shutdown.0.get_or_init(Instant::now);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

struct Collector {
    poster: Poster,
    shutdown: Shutdown,
    /// Whether the last message arrived.
    is_reachable: bool,
}

impl Collector {
    fn run(&mut self, spans: &Receiver<SpanData>) {
        loop {
            let (batch, is_last) = self.next_batch(spans);
            if !batch.is_empty() {
                self.send(&message(&batch));
            }
            let dropped = telemetry::dropped_spans();
            if dropped > 0 {
                telemetry::warn!(spans = dropped, "spans dropped: the collector is too slow");
            }
            if is_last || self.shutdown.is_over() {
                return;
            }
        }
    }

    /// The spans of the next message, and whether the server shuts down and no more are left.
    fn next_batch(&self, spans: &Receiver<SpanData>) -> (Vec<SpanData>, bool) {
        let (mut batch, deadline) = (Vec::new(), Instant::now() + BATCH_TIME);
        loop {
            let is_ending = self.shutdown.has_begun();
            if batch.len() >= MAX_BATCH || !is_ending && Instant::now() >= deadline {
                return (batch, false);
            }
            match spans.recv_timeout(if is_ending { Duration::ZERO } else { POLL }) {
                Ok(span) => batch.push(span),
                Err(_) if is_ending => return (batch, true),
                Err(_) => {}
            }
        }
    }

    /// Posts a message. The log gets one line when posting begins to fail.
    fn send(&mut self, message: &Value) {
        let body = message.to_string().into_bytes();
        let reply = self.poster.post(body, TIMEOUT, &|| self.shutdown.is_over());
        let has_arrived = reply.is_ok_and(|reply| (200..300).contains(&reply.head().status));
        if self.is_reachable && !has_arrived {
            telemetry::warn!("the collector of telemetry.otlp_endpoint does not accept spans");
        }
        self.is_reachable = has_arrived;
    }
}

/// An `ExportTraceServiceRequest`.
fn message(spans: &[SpanData]) -> Value {
    let version = env!("CARGO_PKG_VERSION");
    let resource =
        [attribute("service.name", &"rag".into()), attribute("service.version", &version.into())];
    let spans: Vec<Value> = spans.iter().map(span).collect();
    json!({ "resourceSpans": [{
        "resource": { "attributes": resource },
        "scopeSpans": [{ "scope": { "name": "rag", "version": version }, "spans": spans }],
    }] })
}

fn span(data: &SpanData) -> Value {
    let SpanData { trace, name, is_server, begun_ns, ended_ns, attributes, failed } = data;
    let attributes: Vec<Value> =
        attributes.iter().map(|(key, value)| attribute(key, value)).collect();
    json!({
        "traceId": format!("{:032x}", trace.id),
        "spanId": format!("{:016x}", trace.span),
        "parentSpanId": trace.parent.map(|parent| format!("{parent:016x}")).unwrap_or_default(),
        "name": name,
        "kind": if *is_server { SPAN_KIND_SERVER } else { SPAN_KIND_INTERNAL },
        "startTimeUnixNano": begun_ns.to_string(),
        "endTimeUnixNano": ended_ns.to_string(),
        "attributes": attributes,
        "status": if *failed { json!({ "code": STATUS_CODE_ERROR }) } else { json!({}) },
    })
}

/// A `KeyValue`. OTLP writes 64-bit integers as JSON strings.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Trace;

    #[test]
    fn a_span_keeps_its_ids_times_and_attributes() {
        let attributes = vec![
            ("rag.mode", json!("hybrid")),
            ("rag.hits", json!(10)),
            ("rag.supported", json!(true)),
        ];
        let sent = message(&[SpanData {
            trace: Trace { id: 0xabc, span: 1, parent: Some(0xfeed), begun_ns: 5 },
            name: "search".into(),
            is_server: false,
            begun_ns: 5,
            ended_ns: 7,
            attributes,
            failed: true,
        }]);
        let resource = &sent["resourceSpans"][0];
        assert_eq!(
            resource["resource"]["attributes"][0],
            json!({ "key": "service.name", "value": { "stringValue": "rag" } })
        );
        assert_eq!(
            resource["scopeSpans"][0]["spans"][0],
            json!({
                "traceId": "00000000000000000000000000000abc",
                "spanId": "0000000000000001",
                "parentSpanId": "000000000000feed",
                "name": "search",
                "kind": 1,
                "startTimeUnixNano": "5",
                "endTimeUnixNano": "7",
                "attributes": [
                    { "key": "rag.mode", "value": { "stringValue": "hybrid" } },
                    { "key": "rag.hits", "value": { "intValue": "10" } },
                    { "key": "rag.supported", "value": { "boolValue": true } },
                ],
                "status": { "code": 2 },
            })
        );
    }
}
