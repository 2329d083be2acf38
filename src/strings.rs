//! Pieces of text by byte offsets, and the ends of lines.
//!
//! Indexing a `str` panics when an offset lies inside a character, and which offsets do is decided
//! by whoever wrote the text. [`StrExt::slice`] does not panic. The lint `string_slice` keeps
//! indexing out of the crate.

use std::ops::{Bound, Range, RangeBounds};
use std::slice::SliceIndex;

/// What `str` lacks.
pub trait StrExt {
    /// The text in `range`. An offset behind the end counts as the end, one inside a character as
    /// the start of that character. Such offsets are mistakes all the same: builds with debug
    /// assertions, which run the tests and the fuzzer, panic.
    fn slice<R>(&self, range: R) -> &str
    where
        R: SliceIndex<str, Output = str> + RangeBounds<usize> + Clone;

    /// The text before `at` and the text from there on, by the rules of [`StrExt::slice`].
    fn parted(&self, at: usize) -> (&str, &str);
}

impl StrExt for str {
    #[inline]
    fn slice<R>(&self, range: R) -> &str
    where
        R: SliceIndex<str, Output = str> + RangeBounds<usize> + Clone,
    {
        match self.get(range.clone()) {
            Some(text) => text,
            None => {
                debug_assert!(false, "{:?} does not lie between characters", bounds(&range));
                nearest(self, bounds(&range))
            }
        }
    }

    #[inline]
    fn parted(&self, at: usize) -> (&str, &str) {
        (self.slice(..at), self.slice(at..))
    }
}

/// Cuts `text` to its first `len` bytes, by the rules of [`StrExt::slice`].
pub fn shorten(text: &mut String, len: usize) {
    let kept = text.slice(..len).len();
    #[expect(clippy::disallowed_methods, reason = "a slice ends between characters")]
    text.truncate(kept);
}

/// The first offset, and the one behind the last; `None` where the range has no end.
fn bounds(range: &impl RangeBounds<usize>) -> (usize, Option<usize>) {
    let start = match range.start_bound() {
        Bound::Included(at) => *at,
        Bound::Excluded(at) => at.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(at) => Some(at.saturating_add(1)),
        Bound::Excluded(at) => Some(*at),
        Bound::Unbounded => None,
    };
    (start, end)
}

#[cold]
fn nearest(text: &str, (start, end): (usize, Option<usize>)) -> &str {
    let floor = |at: usize| {
        (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
    };
    let end = end.map_or(text.len(), floor);
    text.get(floor(start).min(end)..end).unwrap_or_default()
}

/// Whether a character ends a line wherever text is shown: line feed, carriage return, vertical
/// tab, form feed, next line, and the separators of lines and of paragraphs. A carriage return with
/// a line feed behind it is one end.
pub fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// The lines of `text` with their ends, none empty.
pub fn line_ranges(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = text.get(start..).filter(|rest| !rest.is_empty())?;
        let len = match rest.find(is_line_end) {
            Some(at) if rest.slice(at..).starts_with("\r\n") => at + 2,
            Some(at) => at + rest.slice(at..).chars().next().map_or(0, char::len_utf8),
            None => rest.len(),
        };
        start += len;
        Some(start - len..start)
    })
}

/// The lines of `text` without their ends, as [`str::lines`] yields them for line feeds.
pub fn lines(text: &str) -> impl Iterator<Item = &str> {
    line_ranges(text).map(|range| {
        let line = text.slice(range);
        line.strip_suffix("\r\n").or_else(|| line.strip_suffix(is_line_end)).unwrap_or(line)
    })
}

/// `text` with a line feed for every end of a line.
pub fn with_line_feeds(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\r' && chars.peek() == Some(&'\n') {
            continue;
        }
        out.push(if is_line_end(c) { '\n' } else { c });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_between_characters_part_a_text() {
        let text = "aä？b";
        assert_eq!(
            (text.slice(..3), text.slice(3..6), text.slice(6..), text.slice(..)),
            ("aä", "？", "b", "aä？b")
        );
        assert_eq!((text.slice(1..=2), text.parted(3)), ("ä", ("aä", "？b")));
        let mut text = text.to_owned();
        shorten(&mut text, 6);
        assert_eq!(text, "aä？");
    }

    #[test]
    fn other_offsets_move_to_the_start_of_their_character() {
        let near = |range: (usize, Option<usize>)| nearest("aä？b", range);
        assert_eq!(near((2, Some(5))), "ä");
        assert_eq!(near((4, None)), "？b");
        assert_eq!(near((0, Some(99))), "aä？b");
        assert_eq!(near((5, Some(2))), "");
        assert_eq!(near((99, None)), "");
        assert_eq!(bounds(&(..=usize::MAX)), (0, Some(usize::MAX)));
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "between characters")]
    fn a_mistaken_offset_is_found_by_tests() {
        let _ = "？".slice(1..);
    }

    #[test]
    fn every_end_of_a_line_is_one_line_feed() {
        assert_eq!(
            with_line_feeds("a\r\nb\rc\u{b}d\u{c}e\u{85}f\u{2028}g\u{2029}h\n\r\n"),
            "a\nb\nc\nd\ne\nf\ng\nh\n\n"
        );
        assert_eq!(with_line_feeds("\r\r\n"), "\n\n");
    }

    #[test]
    fn lines_end_at_every_end_of_a_line() {
        let found = |text: &'static str| lines(text).collect::<Vec<_>>();
        assert_eq!(found("a\r\nb\rc\u{c}é\u{2028}\n"), ["a", "b", "c", "é", ""]);
        assert_eq!(found("é\n\nf"), ["é", "", "f"]);
        assert_eq!(found("é\n\nf"), "é\n\nf".lines().collect::<Vec<_>>());
        assert_eq!(found(""), [""; 0]);
    }
}
