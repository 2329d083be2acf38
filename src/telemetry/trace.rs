//! Spans of requests, for a collector of traces. None is kept until [`collect_spans`] is called.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use serde_json::Value;

/// Spans that wait to be sent: a second or two of a fully loaded server.
const MAX_WAITING: usize = 8192;

static SPANS: OnceLock<SyncSender<SpanData>> = OnceLock::new();
static DROPPED: AtomicU64 = AtomicU64::new(0);
static CHILDREN: AtomicU64 = AtomicU64::new(0);

/// The context of a span (W3C Trace Context): its trace, its id and its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    pub id: u128,
    pub span: u64,
    pub parent: Option<u64>,
    /// When the request began, in Unix nanoseconds. No child starts earlier.
    pub begun_ns: u128,
}

/// A finished span. Attributes carry no text of a question or a document.
#[derive(Clone, Debug)]
pub struct SpanData {
    pub trace: Trace,
    pub name: String,
    /// The span of a request, rather than of a stage of it.
    pub is_server: bool,
    /// Unix nanoseconds.
    pub begun_ns: u128,
    pub ended_ns: u128,
    pub attributes: Vec<(&'static str, Value)>,
    pub failed: bool,
}

impl Trace {
    /// The span of a request, in the trace of its `traceparent`, else in a new one with the id
    /// `random`. `None` when spans are not collected, and when the client's trace is not sampled.
    pub fn of_request(
        traceparent: Option<&str>,
        begun_ns: u128,
        random: impl FnOnce() -> Option<u128>,
    ) -> Option<Self> {
        SPANS.get()?;
        Self::new(traceparent, begun_ns, random()?)
    }

    fn new(traceparent: Option<&str>, begun_ns: u128, random: u128) -> Option<Self> {
        let span = mixed(random as u64);
        match traceparent.and_then(parsed) {
            Some((_, _, false)) => None,
            Some((id, parent, true)) => Some(Self { id, span, parent: Some(parent), begun_ns }),
            None => Some(Self { id: random.max(1), span, parent: None, begun_ns }),
        }
    }

    /// A new span below this one.
    #[must_use]
    pub fn child(self) -> Self {
        let n = CHILDREN.fetch_add(1, Ordering::Relaxed);
        Self { span: mixed(self.span ^ mixed(n)), parent: Some(self.span), ..self }
    }
}

/// Trace id, span id and sampled flag of a `traceparent` header (W3C Trace Context, level 1).
fn parsed(header: &str) -> Option<(u128, u64, bool)> {
    let mut parts = header.split('-');
    let mut part = |len: usize| {
        let is_hex = |part: &&str| {
            part.len() == len && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        parts.next().filter(is_hex)
    };
    let (version, trace, span, flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
    let (id, parent) = (u128::from_str_radix(trace, 16).ok()?, u64::from_str_radix(span, 16).ok()?);
    let flags = u8::from_str_radix(flags, 16).ok()?;
    // Later versions may append fields; ff is invalid.
    let is_valid = version != "ff" && (version != "00" || parts.next().is_none());
    (is_valid && id != 0 && parent != 0).then_some((id, parent, flags & 1 == 1))
}

/// The output function of Steele's `SplitMix64`, except for 0, which is an invalid span id.
fn mixed(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (n ^ (n >> 31)).max(1)
}

/// Starts to keep spans and returns their queue; `None` if they are collected already.
pub fn collect_spans() -> Option<Receiver<SpanData>> {
    let (kept, read) = sync_channel(MAX_WAITING);
    SPANS.set(kept).is_ok().then_some(read)
}

/// Queues a span, or counts it as dropped when the queue is full.
pub fn span(data: SpanData) {
    if let Some(spans) = SPANS.get()
        && spans.try_send(data).is_err()
    {
        DROPPED.fetch_add(1, Ordering::Relaxed);
    }
}

/// Takes the number of dropped spans.
pub fn dropped_spans() -> u64 {
    DROPPED.swap(0, Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_request_joins_the_trace_of_its_header() {
        let trace = Trace::new(Some(GIVEN), 0, 7).unwrap();
        assert_eq!(
            (trace.id, trace.parent),
            (0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736, Some(0x00f0_67aa_0ba9_02b7))
        );
        assert_eq!(Trace::new(Some(&format!("{}00", &GIVEN[..GIVEN.len() - 2])), 0, 7), None);
        let (one, other) = (trace.child(), trace.child());
        assert_eq!((one.id, one.parent), (trace.id, Some(trace.span)));
        assert_ne!(one.span, other.span);
    }

    #[test]
    fn an_invalid_traceparent_starts_a_new_trace() {
        let later = GIVEN.replacen("00", "01", 1) + "-more";
        assert_eq!(Trace::new(Some(&later), 0, 7).unwrap().parent, Some(0x00f0_67aa_0ba9_02b7));
        let malformed = [
            "",
            "x",
            &GIVEN[1..],
            &GIVEN.to_uppercase(),
            &format!("{GIVEN}-more"),
            &GIVEN.replacen("00", "ff", 1),
        ];
        let zeros = [
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        ];
        for header in malformed.into_iter().chain(zeros) {
            assert_eq!(Trace::new(Some(header), 0, 7), Trace::new(None, 0, 7), "{header}");
        }
        assert_eq!(Trace::new(None, 0, 7).unwrap().id, 7);
    }
}
