//! Slicing text by byte offsets without panics, line ends, white space, misspelt names, and enums
//! with names.
//!
//! Indexing a `str` panics when an offset is inside a character, which depends on the text of a
//! document. [`StrExt::slice`] does not panic. The lint `string_slice` forbids indexing.

use std::ops::{Bound, Range, RangeBounds};
use std::slice::SliceIndex;

/// Defines an enum whose variants have stable names, as in settings, JSON and metrics.
macro_rules! named {
    ($(#[$about:meta])* $public:vis enum $type:ident {
        $($(#[$meta:meta])* $variant:ident = $name:literal,)*
    }) => {
        $(#[$about])*
        $public enum $type {
            $($(#[$meta])* $variant,)*
        }

        impl $type {
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$variant),*];

            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            pub fn of_name(name: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|one| one.name() == name)
            }
        }
    };
}
pub(crate) use named;

/// The lines of a table in the program, without its comments, which begin with `#`.
pub fn table_lines(table: &str) -> impl Iterator<Item = &str> + Clone {
    table.lines().filter(|line| !line.starts_with('#'))
}

/// Slicing without panics, and text on one line.
pub trait StrExt {
    /// The text in `range`. An offset after the end counts as the end, an offset inside a character
    /// as the start of that character. Such offsets are bugs: builds with debug assertions, as for
    /// the tests and the fuzzer, panic.
    fn slice<R>(&self, range: R) -> &str
    where
        R: SliceIndex<str, Output = str> + RangeBounds<usize> + Clone;

    /// The text before and after `at`, by the rules of [`StrExt::slice`].
    fn parted(&self, at: usize) -> (&str, &str);

    /// The words with one space between them, and none around them.
    fn one_line(&self) -> String;
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
                debug_assert!(false, "{:?} is not between characters", bounds(&range));
                nearest(self, bounds(&range))
            }
        }
    }

    #[inline]
    fn parted(&self, at: usize) -> (&str, &str) {
        (self.slice(..at), self.slice(at..))
    }

    fn one_line(&self) -> String {
        self.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// A word with a capital.
pub fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}

/// Truncates `text` to its first `len` bytes, by the rules of [`StrExt::slice`].
pub fn shorten(text: &mut String, len: usize) {
    let kept = text.slice(..len).len();
    #[expect(clippy::disallowed_methods, reason = "a slice ends between characters")]
    text.truncate(kept);
}

/// Text in which `%` and two hexadecimal digits are replaced by the byte that they encode. Another
/// `%` is kept; bytes that are no text become replacement characters.
pub fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex =
            after.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        if let Some(byte) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            bytes.push(byte);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The least number of letters to replace, insert, delete or swap with their neighbour that turns a
/// word into another; `None` if it is more than `most`.
#[must_use]
pub fn mistakes(word: &str, other: &str, most: usize) -> Option<usize> {
    let (word, other): (Vec<char>, Vec<char>) = (word.chars().collect(), other.chars().collect());
    if word.len().abs_diff(other.len()) > most {
        return None;
    }
    // Rows of the distances between the beginnings of both: the one before the last, and the last.
    let (mut above, mut row): (Vec<usize>, Vec<usize>) = (Vec::new(), (0..=other.len()).collect());
    for (i, x) in word.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in other.iter().enumerate() {
            let replaced = row[j] + usize::from(x != y);
            let mut least = replaced.min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && *x == other[j - 1] && word[i - 1] == *y {
                least = least.min(above[j - 1] + 1);
            }
            next.push(least);
        }
        if next.iter().min().is_some_and(|least| *least > most) {
            return None;
        }
        above = std::mem::replace(&mut row, next);
    }
    row.last().copied().filter(|n| *n <= most)
}

/// The name that `word` is most probably written for; `None` if no name is like it.
pub fn similar<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let most = match word.chars().count() {
        0..=2 => 0,
        3..=5 => 1,
        6..=8 => 2,
        _ => 3,
    };
    let distance = |name: &str| {
        let name = name.to_lowercase();
        let begins = word.len() > 1 && name.starts_with(&word);
        mistakes(&word, &name, most).or(begins.then_some(most + 1))
    };
    let known = names.into_iter().filter_map(|name| Some((distance(name)?, name)));
    known.min().map(|(_, name)| name)
}

/// The first offset, and the one after the last; `None` when the range has no end.
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

/// Whether a character ends a line on any display: line feed, carriage return, vertical tab, form
/// feed, next line, line separator, paragraph separator. A carriage return followed by a line feed
/// is one line end.
pub fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// The ranges of the lines of `text`, line ends included.
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

/// The lines of `text` without their ends; like [`str::lines`], for all line ends.
pub fn lines(text: &str) -> impl Iterator<Item = &str> {
    line_ranges(text).map(|range| {
        let line = text.slice(range);
        line.strip_suffix("\r\n").or_else(|| line.strip_suffix(is_line_end)).unwrap_or(line)
    })
}

/// `text` with a line feed for every line end.
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
    fn a_misspelt_name_is_recognized() {
        let names = ["default", "notes", "handbook", "ai"];
        let check = |word: &str, expected: Option<&str>| {
            assert_eq!(similar(word, names), expected, "{word}");
        };
        check("defualt", Some("default"));
        check("Notes", Some("notes"));
        check("note", Some("notes"));
        check("hand", Some("handbook"));
        check("hndbok", Some("handbook"));
        for unlike in ["", "x", "io", "recipes", "no-such-index"] {
            check(unlike, None);
        }
    }

    #[test]
    fn offsets_between_characters_slice_a_text() {
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
    fn tests_panic_at_an_offset_inside_a_character() {
        let _ = "？".slice(1..);
    }

    #[test]
    fn every_line_end_becomes_one_line_feed() {
        assert_eq!(
            with_line_feeds("a\r\nb\rc\u{b}d\u{c}e\u{85}f\u{2028}g\u{2029}h\n\r\n"),
            "a\nb\nc\nd\ne\nf\ng\nh\n\n"
        );
        assert_eq!(with_line_feeds("\r\r\n"), "\n\n");
    }

    #[test]
    fn lines_end_at_every_line_end() {
        let found = |text: &'static str| lines(text).collect::<Vec<_>>();
        assert_eq!(found("a\r\nb\rc\u{c}é\u{2028}\n"), ["a", "b", "c", "é", ""]);
        assert_eq!(found("é\n\nf"), ["é", "", "f"]);
        assert_eq!(found("é\n\nf"), "é\n\nf".lines().collect::<Vec<_>>());
        assert_eq!(found(""), [""; 0]);
    }
}
