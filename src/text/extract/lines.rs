//! Lines, ended by `\n`, `\r\n` or a lone `\r`.

use crate::strings::StrExt as _;

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
    let bytes = text.as_bytes();
    let mut start = 0;
    std::iter::from_fn(move || {
        if start == bytes.len() {
            return None;
        }
        let end = bytes[start..]
            .iter()
            .position(|b| matches!(b, b'\n' | b'\r'))
            .map_or(bytes.len(), |n| start + n);
        let next = match bytes.get(end..) {
            Some([b'\r', b'\n', ..]) => end + 2,
            Some([_, ..]) => end + 1,
            _ => end,
        };
        let line = Line { start, end, next };
        start = next;
        Some(line)
    })
}
