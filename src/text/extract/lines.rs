//! Lines, ended by any line end of [`crate::strings`], such as a form feed or a next line.

use crate::strings::{StrExt as _, is_line_end, line_ranges};

/// The offsets of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::text) struct Line {
    pub(in crate::text) start: usize,
    /// Before the line ending.
    pub(in crate::text) end: usize,
    /// After the line ending.
    pub(in crate::text) next: usize,
}

impl Line {
    pub(in crate::text) fn of(self, text: &str) -> &str {
        text.slice(self.start..self.end)
    }
}

/// The lines of `text`. A final line ending is not followed by an empty line.
pub(in crate::text) fn lines(text: &str) -> impl Iterator<Item = Line> {
    line_ranges(text).map(|range| {
        let line = text.slice(range.clone());
        let content = line.strip_suffix("\r\n").or_else(|| line.strip_suffix(is_line_end));
        let end = range.start + content.unwrap_or(line).len();
        Line { start: range.start, end, next: range.end }
    })
}

/// The offset after each line end that editors count: `\n`, `\r\n` or a lone `\r`.
pub(in crate::text) fn counted_line_ends(text: &str) -> impl Iterator<Item = usize> {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().filter_map(move |(i, b)| {
        let is_end = *b == b'\n' || (*b == b'\r' && bytes.get(i + 1) != Some(&b'\n'));
        is_end.then_some(i + 1)
    })
}
