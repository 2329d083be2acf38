//! Maps offsets of an extracted text to bytes and lines of the file.
//!
//! Two maps are chained: rendering leads from the text to the decoded file, decoding from there to
//! the file's bytes. Lines are counted in the decoded file; `\n`, `\r\n` and a lone `\r` end a
//! line.

use crate::document::{Lines, Span};

/// Maps spans of an extracted text to the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    /// `None` when the text is the decoded file.
    rendering: Option<OffsetMap>,
    decoding: OffsetMap,
    /// Offsets in the decoded file at which lines start.
    line_starts: Vec<usize>,
}

impl Origin {
    pub(super) fn new(decoded: &str, decoding: OffsetMap, rendering: Option<OffsetMap>) -> Self {
        let mut line_starts = vec![0];
        line_starts
            .extend(super::lines::counted_line_ends(decoded).filter(|&next| next < decoded.len()));
        Self { rendering, decoding, line_starts }
    }

    /// For a text that is its own origin.
    pub(super) fn of_itself(text: &str) -> Self {
        let mut decoding = OffsetMap::default();
        decoding.copy(text.len());
        Self::new(text, decoding, None)
    }

    /// The bytes of the original file that a span of the text came from.
    pub fn bytes(&self, span: Span) -> Span {
        self.decoding.source(self.decoded(span))
    }

    /// The lines of the original file that a span of the text touches.
    pub fn lines(&self, span: Span) -> Lines {
        let span = self.decoded(span);
        let line_of = |offset| self.line_starts.partition_point(|&start| start <= offset).max(1);
        let first = line_of(span.start);
        let last = if span.is_empty() { first } else { line_of(span.end - 1) };
        Lines { first, last }
    }

    fn decoded(&self, span: Span) -> Span {
        self.rendering.as_ref().map_or(span, |map| map.source(span))
    }
}

/// A piecewise linear map from offsets in a text to offsets in its source.
///
/// Built front to back. The cursor in the source moves forwards, except by [`OffsetMap::jump`].
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct OffsetMap {
    runs: Vec<Run>,
    text: usize,
    source: usize,
}

/// Consecutive equal units: each has `text_unit` bytes of the text and `source_unit` of the source.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Run {
    text: usize,
    source: usize,
    text_unit: u32,
    source_unit: u32,
}

impl OffsetMap {
    /// Advances in the source to `offset`, past bytes that are not in the text.
    pub(super) fn seek(&mut self, offset: usize) {
        self.source = self.source.max(offset);
    }

    /// Continues at `offset` in the source, which may be before the last: a note is moved below its
    /// paragraph.
    pub(super) fn jump(&mut self, offset: usize) {
        self.source = offset;
    }

    /// Adds `n` bytes that are the same on both sides.
    pub(super) fn copy(&mut self, n: usize) {
        self.units(n, 1, 1);
    }

    /// Adds one unit of `text` bytes for `source` bytes.
    pub(super) fn unit(&mut self, text: usize, source: usize) {
        self.units(1, text, source);
    }

    fn units(&mut self, n: usize, text_unit: usize, source_unit: usize) {
        if n == 0 {
            return;
        }
        let run = Run {
            text: self.text,
            source: self.source,
            text_unit: clamp(text_unit),
            source_unit: clamp(source_unit),
        };
        if !self.runs.last().is_some_and(|last| last.continues_with(run)) {
            self.runs.push(run);
        }
        self.text += n * text_unit;
        self.source += n * source_unit;
    }

    /// Truncates the map to `len` bytes of text, which must be the end of a unit.
    pub(super) fn truncate(&mut self, len: usize) {
        if len < self.text {
            self.source = self.source(Span::new(len.saturating_sub(1), len)).end;
            self.text = len;
            self.runs.truncate(self.runs.partition_point(|run| run.text < len));
        }
    }

    /// The source of a span of the text: all units that it touches.
    fn source(&self, span: Span) -> Span {
        let start = self.run_at(span.start).map_or(span.start, |run| run.unit_at(span.start).start);
        if span.is_empty() {
            return Span::new(start, start);
        }
        let end = self.run_at(span.end - 1).map_or(span.end, |run| run.unit_at(span.end - 1).end);
        Span::new(start, end.max(start))
    }

    fn run_at(&self, offset: usize) -> Option<&Run> {
        self.runs[..self.runs.partition_point(|run| run.text <= offset)].last()
    }
}

impl Run {
    fn continues_with(self, next: Self) -> bool {
        let units = (next.text - self.text) / self.text_unit as usize;
        (self.text_unit, self.source_unit) == (next.text_unit, next.source_unit)
            && self.source + units * self.source_unit as usize == next.source
    }

    /// The source span of the unit at `offset`.
    fn unit_at(self, offset: usize) -> Span {
        let nth = (offset - self.text) / self.text_unit as usize;
        let start = self.source + nth * self.source_unit as usize;
        Span::new(start, start + self.source_unit as usize)
    }
}

/// A unit is a character, an entity or a run of white space; none has 4 GiB.
fn clamp(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
