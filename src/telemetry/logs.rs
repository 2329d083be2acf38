//! Logs: one event a line, as text or JSON, to a stream of the caller.
//!
//! Only events of this crate are written. At the finer levels those of other crates contain headers
//! and protocol messages, and so keys and questions.
//!
//! A thread writes the lines, so that a blocked stream blocks no request. When its queue is full,
//! lines are dropped, and the next line written says how many.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt, registry};

use crate::config::{LogFormat, LogLevel};

/// Lines that wait to be written, of some 300 bytes each.
const MAX_WAITING: usize = 4096;
/// How long the process waits for unwritten lines when it ends.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Set by the first [`logs()`], read by [`finish_logs`].
static LOG: OnceLock<Queue> = OnceLock::new();

enum LogItem {
    Text(Vec<u8>),
    /// Replies once all lines before it are written.
    Flush(SyncSender<()>),
}

/// Lines to be written.
#[derive(Clone)]
struct Queue {
    lines: SyncSender<LogItem>,
    dropped: Arc<AtomicU64>,
}

impl Queue {
    fn new() -> (Self, Receiver<LogItem>) {
        let (lines, written) = sync_channel(MAX_WAITING);
        (Self { lines, dropped: Arc::default() }, written)
    }
}

/// `tracing` writes each event in one call.
impl Write for Queue {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        if self.lines.try_send(LogItem::Text(line.to_vec())).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Queue {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

/// The filter of a level.
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

/// Starts logging, to a writer that `writer` makes for each event. Only the first call in a process
/// has an effect. A line of JSON is `{"timestamp", "level", "message", "target", …fields, "span":
/// {"name", "id"}}`.
pub fn logs<W: Write + 'static>(level: LogLevel, format: LogFormat, writer: fn() -> W) {
    if level == LogLevel::Off || LOG.get().is_some() {
        return;
    }
    let (queue, lines) = Queue::new();
    let dropped = Arc::clone(&queue.dropped);
    let thread = std::thread::Builder::new().name("log".into());
    if thread.spawn(move || write(&lines, &dropped, writer)).is_err() {
        return;
    }
    // Fails if another thread was first, which keeps its stream.
    let begun = match format {
        LogFormat::Text => registry().with(text(level, queue.clone())).try_init(),
        LogFormat::Json => registry().with(json(level, queue.clone())).try_init(),
    };
    if begun.is_ok() {
        LOG.get_or_init(|| queue);
    }
}

/// Waits a moment until all lines are written; false if the stream is blocked. Called when the
/// process ends.
pub fn finish_logs() -> bool {
    let Some(queue) = LOG.get() else { return true };
    let (done, written) = sync_channel(1);
    queue.lines.try_send(LogItem::Flush(done)).is_ok()
        && written.recv_timeout(FLUSH_TIMEOUT).is_ok()
}

/// The loop of the thread, until the process ends.
fn write<W: Write>(lines: &Receiver<LogItem>, dropped: &AtomicU64, writer: fn() -> W) {
    for line in lines {
        match line {
            LogItem::Text(text) => {
                // A closed stream is not an error of the program.
                let _ = writer().write_all(&text);
                let lost = dropped.swap(0, Ordering::Relaxed);
                if lost > 0 {
                    tracing::warn!(lines = lost, "log lines dropped: their reader is too slow");
                }
            }
            LogItem::Flush(done) => drop(done.try_send(())),
        }
    }
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
    let layer =
        fmt::layer().json().flatten_event(true).with_current_span(true).with_span_list(false);
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
    fn a_blocked_stream_drops_lines_and_blocks_no_caller() {
        let (queue, lines) = Queue::new();
        let subscriber = registry().with(text(LogLevel::Info, queue.clone()));
        tracing::subscriber::with_default(subscriber, || {
            (0..MAX_WAITING + 10).for_each(|n| tracing::info!(n, "x"));
        });
        assert_eq!(queue.dropped.load(Ordering::Relaxed), 10);
        drop(queue);
        assert_eq!(lines.iter().count(), MAX_WAITING);
    }

    #[test]
    fn lines_carry_the_request_id_and_come_from_this_crate_only() {
        let lines = Lines::default();
        tracing::subscriber::with_default(
            registry().with(text(LogLevel::Info, lines.clone())),
            events,
        );
        let shown = shown(&lines);
        assert_eq!(shown.lines().count(), 2, "{shown}");
        assert!(
            shown
                .lines()
                .next()
                .is_some_and(|line| line.contains("abc-1") && line.contains("status=200"))
        );
        assert!(!shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn json_is_one_object_a_line() {
        let lines = Lines::default();
        tracing::subscriber::with_default(
            registry().with(json(LogLevel::Trace, lines.clone())),
            events,
        );
        let shown = shown(&lines);
        let parsed: Vec<serde_json::Value> =
            shown.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(parsed.len(), 3, "{shown}");
        assert_eq!(
            (&parsed[0]["message"], &parsed[0]["status"]),
            (&"answered".into(), &200.into())
        );
        assert_eq!(
            (&parsed[0]["level"], &parsed[0]["span"]["id"]),
            (&"INFO".into(), &"abc-1".into())
        );
        assert_eq!(parsed[1]["level"], "DEBUG");
    }
}
