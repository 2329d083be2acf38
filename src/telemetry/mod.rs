//! What the program tells of itself while it runs: logs, metrics and traces.
//!
//! The surprising rule: until [`install`] is called, as only a server does, counting is one load of
//! a flag and leaves nothing; until [`logs()`] is called, so is logging. Neither ever fails what it
//! tells of. Labels and log lines carry no question, no text of a document, no key and no token.
//!
//! Rooms count through the functions of this one ([`embedded`], [`cache_operation`] and so on) and
//! log through its macros: `telemetry::warn!("…")`. Texts of strangers go into neither.

mod logs;
mod record;
#[cfg_attr(not(feature = "telemetry"), path = "no_recorder.rs")]
mod recorder;
mod table;
#[cfg(test)]
mod tests;
mod trace;

pub use logs::{finish_logs, logs};
pub use record::*;
pub use recorder::{install, is_on, process, render, upkeep};
pub use table::{KNOWN_METHODS, Kind, METRICS, Metric, Values};
pub use trace::{SpanData, Trace, collect_spans, dropped_spans, span};
pub use tracing::{Instrument, Span, debug, error, info, trace, warn};

/// The span of one request: every line that is logged inside it carries its id. A worker that takes
/// over the request enters it too (`span.in_scope(…)`, or `.instrument(span)` for what is async).
pub fn request_span(id: &str) -> Span {
    tracing::error_span!("request", id)
}
