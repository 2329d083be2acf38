//! Logs, metrics and traces.
//!
//! Metrics cost one load of a flag until [`install`] is called, as only servers do; so does logging
//! until [`logs()`] is called. Neither can fail its caller. Labels and log lines carry no question,
//! no text of a document, no key and no token.
//!
//! Rooms count through the functions of this one ([`embedded`], [`cache_operation`] and so on) and
//! log through its macros: `telemetry::warn!("…")`. Untrusted text goes into neither.

mod logs;
mod record;
#[cfg_attr(not(feature = "telemetry"), path = "no_recorder.rs")]
mod recorder;
mod table;
#[cfg(all(test, feature = "telemetry"))]
mod tests;
mod trace;

pub use logs::{finish_logs, logs};
pub use record::*;
pub use recorder::{install, is_on, process, render, upkeep};
pub use table::{KNOWN_METHODS, Kind, METRICS, Metric, Values};
pub use trace::{SpanData, Trace, collect_spans, dropped_spans, span};
pub use tracing::{Instrument, Span, debug, error, info, trace, warn};

/// The span of a request: log lines inside it carry its id. A worker that takes over the request
/// enters it too (`span.in_scope(…)`, or `.instrument(span)` in async code).
pub fn request_span(id: &str) -> Span {
    tracing::error_span!("request", id)
}
