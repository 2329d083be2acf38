//! Logs: one event a line, as text or as JSON, to the stream that the caller hands in.
//!
//! Only our own events are written. Those of other crates would show heads of requests and messages of protocols at the
//! finer levels, and with them keys and questions.

use std::io::Write;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt, registry};

use crate::config::{LogFormat, LogLevel};

/// The events that a level lets through.
fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

/// Begins to log, to what `writer` makes for each event. Only the first call of a process does anything. A line of JSON is
/// `{"timestamp", "level", "message", "target", …fields, "span": {"name", "id"}}`.
pub fn logs<W: Write + 'static>(level: LogLevel, format: LogFormat, writer: fn() -> W) {
    if level == LogLevel::Off {
        return;
    }
    // Already begun: the first one keeps its stream.
    let _ = match format {
        LogFormat::Text => registry().with(text(level, writer)).try_init(),
        LogFormat::Json => registry().with(json(level, writer)).try_init(),
    };
}

fn own(level: LogLevel) -> Targets {
    Targets::new().with_target("rag", filter(level))
}

fn text<S, W>(level: LogLevel, writer: W) -> impl tracing_subscriber::Layer<S>
where
    S: tracing::Subscriber + for<'a> registry::LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    fmt::layer().with_ansi(false).with_writer(writer).with_filter(own(level))
}

fn json<S, W>(level: LogLevel, writer: W) -> impl tracing_subscriber::Layer<S>
where
    S: tracing::Subscriber + for<'a> registry::LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let layer = fmt::layer().json().flatten_event(true).with_current_span(true).with_span_list(false);
    layer.with_writer(writer).with_filter(own(level))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl<'w> MakeWriter<'w> for Lines {
        type Writer = Self;

        fn make_writer(&'w self) -> Self {
            self.clone()
        }
    }

    fn events() {
        let span = crate::telemetry::request_span("abc-1");
        span.in_scope(|| {
            tracing::info!(status = 200, "answered");
            tracing::debug!("detail");
        });
        tracing::warn!(target: "hyper::proto", "authorization: Bearer s3cret");
        tracing::error!("outside a request");
    }

    fn shown(lines: &Lines) -> String {
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn lines_carry_the_id_of_their_request_and_only_ours_are_there() {
        let lines = Lines::default();
        tracing::subscriber::with_default(registry().with(text(LogLevel::Info, lines.clone())), events);
        let shown = shown(&lines);
        assert_eq!(shown.lines().count(), 2, "{shown}");
        assert!(shown.lines().next().is_some_and(|line| line.contains("abc-1") && line.contains("status=200")));
        assert!(!shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn json_is_one_object_a_line() {
        let lines = Lines::default();
        tracing::subscriber::with_default(registry().with(json(LogLevel::Trace, lines.clone())), events);
        let shown = shown(&lines);
        let parsed: Vec<serde_json::Value> = shown.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(parsed.len(), 3, "{shown}");
        assert_eq!((&parsed[0]["message"], &parsed[0]["status"]), (&"answered".into(), &200.into()));
        assert_eq!((&parsed[0]["level"], &parsed[0]["span"]["id"]), (&"INFO".into(), &"abc-1".into()));
        assert_eq!(parsed[1]["level"], "DEBUG");
    }
}
