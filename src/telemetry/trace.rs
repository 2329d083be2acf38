//! Spans: when a request did what, for a collector of traces. Nothing is kept until somebody
//! collects.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use serde_json::Value;

/// Spans that wait to be sent; a server at its fastest makes as many in a second or two.
const MOST_WAITING: usize = 8192;

static SPANS: OnceLock<SyncSender<SpanData>> = OnceLock::new();
static DROPPED: AtomicU64 = AtomicU64::new(0);
static CHILDREN: AtomicU64 = AtomicU64::new(0);

/// A place in a trace, as W3C Trace Context has it: a span of a trace, and the span that it is part
/// of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    pub id: u128,
    pub span: u64,
    pub parent: Option<u64>,
    /// When the request began, in Unix nanoseconds: nothing below it began before.
    pub begun_ns: u128,
}

/// A span that is over. Attributes carry no text of a question or a document.
#[derive(Clone, Debug)]
pub struct SpanData {
    pub trace: Trace,
    pub name: String,
    /// It answers a request; else it is part of that.
    pub is_server: bool,
    /// Unix nanoseconds.
    pub begun_ns: u128,
    pub ended_ns: u128,
    pub attributes: Vec<(&'static str, Value)>,
    pub failed: bool,
}

impl Trace {
    /// The span of a request: in the trace that its `traceparent` names, or the first of one that
    /// `random` names. `None` when nobody collects, and when whoever sent it says that the trace is
    /// not kept.
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

/// Trace, span and whether it is kept, of a header `traceparent` (W3C Trace Context, level 1).
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
    // Later versions may say more after that; ff is none.
    let is_whole = version != "ff" && (version != "00" || parts.next().is_none());
    (is_whole && id != 0 && parent != 0).then_some((id, parent, flags & 1 == 1))
}

/// Spreads a number over all 64 bits, as Steele's `SplitMix64` does; never 0, which no span may be
/// called.
fn mixed(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (n ^ (n >> 31)).max(1)
}

/// Begins to keep spans, for whoever reads them from this queue; `None` when somebody else does
/// already.
pub fn collect_spans() -> Option<Receiver<SpanData>> {
    let (kept, read) = sync_channel(MOST_WAITING);
    SPANS.set(kept).is_ok().then_some(read)
}

/// Keeps a span, if there is room.
pub fn span(data: SpanData) {
    if let Some(spans) = SPANS.get()
        && spans.try_send(data).is_err()
    {
        DROPPED.fetch_add(1, Ordering::Relaxed);
    }
}

/// Spans for which there was no room, since this was asked last.
pub fn dropped_spans() -> u64 {
    DROPPED.swap(0, Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_request_joins_the_trace_that_it_names() {
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
    fn what_is_no_traceparent_begins_a_trace() {
        let later = GIVEN.replacen("00", "01", 1) + "-more";
        assert_eq!(Trace::new(Some(&later), 0, 7).unwrap().parent, Some(0x00f0_67aa_0ba9_02b7));
        let none = [
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
        for header in none.into_iter().chain(zeros) {
            assert_eq!(Trace::new(Some(header), 0, 7), Trace::new(None, 0, 7), "{header}");
        }
        assert_eq!(Trace::new(None, 0, 7).unwrap().id, 7);
    }
}
