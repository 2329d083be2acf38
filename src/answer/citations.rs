//! The `[n]` marks of an answer.
//!
//! Brackets inside code are code: `` `argv[1]` `` and fences hold no marks.

use crate::document::{Citation, Span};

/// Every mark of `text` with its number, in order.
#[must_use]
pub fn marks(text: &str) -> Vec<(Span, usize)> {
    let mut marks = Vec::new();
    let mut at = 0;
    while let Some(found) = text[at..].find(['`', '[', '~']) {
        let start = at + found;
        let rest = &text[start..];
        at = start
            + match rest.as_bytes()[0] {
                b'[' => match mark(rest) {
                    Some((len, n)) => {
                        marks.push((Span::new(start, start + len), n));
                        len
                    }
                    None => 1,
                },
                fence => code_len(rest, char::from(fence), text[..start].ends_with('\n') || start == 0),
            };
    }
    marks
}

/// `[n]` at the head of `rest`: its length and its number.
fn mark(rest: &str) -> Option<(usize, usize)> {
    let close = rest.find(']').filter(|&close| (2..=6).contains(&close))?;
    let digits = &rest[1..close];
    let n = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()?;
    (n > 0).then_some((close + 1, n))
}

/// Bytes of the code span or fence at the head of `rest`, or of its opening alone when it is never closed.
fn code_len(rest: &str, tick: char, begins_line: bool) -> usize {
    let opening = rest.len() - rest.trim_start_matches(tick).len();
    if tick == '~' && !(begins_line && opening >= 3) {
        return opening;
    }
    let fence = &rest[..opening];
    let is_block = begins_line && opening >= 3 && !rest[opening..].lines().next().unwrap_or("").contains(tick);
    let mut at = opening;
    while let Some(found) = rest[at..].find(fence) {
        let close = at + found;
        let run = rest[close..].len() - rest[close..].trim_start_matches(tick).len();
        let closes = if is_block { run >= opening && rest[..close].ends_with('\n') } else { run == opening };
        if closes {
            return close + run;
        }
        at = close + run;
    }
    if is_block { rest.len() } else { opening }
}

/// Why an answer's marks and its citations do not fit each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// The answer cites a source that it was not given.
    Unknown { n: usize },
    /// A source is listed that the answer does not cite.
    Unused { n: usize },
}

/// What is wrong between an answer's marks and its citations; empty when nothing is.
#[must_use]
pub fn check(text: &str, citations: &[Citation]) -> Vec<Mismatch> {
    let marks = marks(text);
    let unknown = marks
        .iter()
        .map(|&(_, n)| n)
        .filter(|n| citations.iter().all(|citation| citation.n != *n))
        .map(|n| Mismatch::Unknown { n });
    let unused = citations
        .iter()
        .map(|citation| citation.n)
        .filter(|n| marks.iter().all(|(_, used)| used != n))
        .map(|n| Mismatch::Unused { n });
    unknown.chain(unused).collect()
}
