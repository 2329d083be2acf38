//! The `[n]` marks of an answer.
//!
//! Brackets in code are not marks: `` `argv[1]` ``, fences. A code span ends on the line on which
//! it begins; a fence begins a line.

use crate::document::{Citation, Span};
use crate::strings::StrExt as _;

/// Every mark of `text` with its number, in order.
#[must_use]
pub fn marks(text: &str) -> Vec<(Span, usize)> {
    let mut marks = Vec::new();
    let mut at = 0;
    while let Some(found) = text.slice(at..).find(['`', '[', '~']) {
        let start = at + found;
        let rest = text.slice(start..);
        at = start
            + match rest.as_bytes()[0] {
                b'[' => match mark(rest) {
                    Some((len, n)) => {
                        marks.push((Span::new(start, start + len), n));
                        len
                    }
                    None => 1,
                },
                _ => match code(rest, indentation(text.slice(..start)), true) {
                    Some(Code::Block(fence)) => {
                        fence.opening + fence.rest_len(rest.slice(fence.opening..))
                    }
                    Some(Code::Span(len) | Code::Ticks(len)) => len,
                    None => 1,
                },
            };
    }
    marks
}

/// `text` for readers: where one paragraph, list or block of code after another is from one source,
/// only the last of them has its mark.
#[must_use]
pub fn with_one_mark_a_paragraph(text: &str) -> String {
    let groups = groups(text);
    let mut shown = String::with_capacity(text.len());
    let mut at = 0;
    for ((span, numbers), (next, next_numbers)) in groups.iter().zip(groups.iter().skip(1)) {
        let between = text.slice(span.end..next.start);
        if numbers != next_numbers || between.contains("\n\n") {
            continue;
        }
        let before = text.slice(at..span.start);
        let is_on_a_line = before.ends_with('\n');
        shown.push_str(if is_on_a_line { before } else { before.trim_end() });
        // The line of a mark goes with it.
        at = span.end + usize::from(is_on_a_line && between.starts_with('\n'));
    }
    shown.push_str(text.slice(at..));
    shown
}

/// The marks of each sentence: where they are, and their numbers.
fn groups(text: &str) -> Vec<(Span, Vec<usize>)> {
    let mut groups: Vec<(Span, Vec<usize>)> = Vec::new();
    for (span, n) in marks(text) {
        match groups.last_mut() {
            Some((last, numbers)) if text.slice(last.end..span.start).trim().is_empty() => {
                last.end = span.end;
                numbers.push(n);
            }
            _ => groups.push((span, vec![n])),
        }
    }
    groups
}

/// The length and the number of a `[n]` that `rest` begins with.
fn mark(rest: &str) -> Option<(usize, usize)> {
    let close = rest.find(']').filter(|&close| (2..=6).contains(&close))?;
    let digits = rest.slice(1..close);
    let n = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()?;
    (n > 0).then_some((close + 1, n))
}

/// Length of the last line in `before` when it has white space only.
pub(super) fn indentation(before: &str) -> Option<usize> {
    let line = before.rsplit('\n').next().unwrap_or(before);
    line.bytes().all(|b| matches!(b, b' ' | b'\t')).then_some(line.len())
}

/// The meaning of a run of ticks or tildes at the beginning of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    /// The opening line of a fence.
    Block(Fence),
    /// Code with its ticks: length in bytes.
    Span(usize),
    /// Ticks that open nothing: length in bytes.
    Ticks(usize),
}

/// An open fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fence {
    tick: char,
    n: usize,
    indent: usize,
    /// Length of the opening line with its line end.
    pub opening: usize,
}

impl Fence {
    /// The length of the closing ticks of `line` with their indentation, which must not be deeper
    /// than the opening one's; `None` for another line.
    pub fn closes(self, line: &str) -> Option<usize> {
        let ticks = line.trim_start_matches([' ', '\t']);
        let n = ticks.len() - ticks.trim_start_matches(self.tick).len();
        let indent = line.len() - ticks.len();
        (n >= self.n && indent <= self.indent).then_some(indent + n)
    }

    /// Length of `text` up to the end of the fence.
    fn rest_len(self, text: &str) -> usize {
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            if let Some(close) = self.closes(line) {
                return at + close;
            }
            at += line.len();
        }
        at
    }
}

/// Classifies the ticks or tildes that `rest` begins with. `indent` is their indentation when they
/// begin a line. `None` while more text is needed to decide.
pub(super) fn code(rest: &str, indent: Option<usize>, is_end: bool) -> Option<Code> {
    let tick = if rest.starts_with('~') { '~' } else { '`' };
    let n = rest.len() - rest.trim_start_matches(tick).len();
    if n == rest.len() && !is_end {
        return None;
    }
    let line_end = rest.find('\n');
    let line = rest.slice(..line_end.unwrap_or(rest.len()));
    let indent = indent.filter(|_| n >= 3);
    if tick == '~' && indent.is_none() {
        return Some(Code::Ticks(n));
    }
    if let Some(indent) = indent
        && !line.slice(n..).contains(tick)
    {
        return match line_end {
            Some(end) => Some(Code::Block(Fence { tick, n, indent, opening: end + 1 })),
            None if is_end => Some(Code::Block(Fence { tick, n, indent, opening: rest.len() })),
            None => None,
        };
    }
    if tick == '~' {
        return Some(Code::Ticks(n));
    }
    let mut at = n;
    while let Some(found) = line.slice(at..).find(tick) {
        let close = at + found;
        let run = line.slice(close..).len() - line.slice(close..).trim_start_matches(tick).len();
        if run == n && (close + run < rest.len() || is_end) {
            return Some(Code::Span(close + run));
        }
        at = close + run;
    }
    (line_end.is_some() || is_end).then_some(Code::Ticks(n))
}

/// A difference between an answer's marks and its citations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// A mark without a citation.
    Unknown { n: usize },
    /// A citation without a mark.
    Unused { n: usize },
}

/// The differences between an answer's marks and its citations.
#[must_use]
pub fn check(text: &str, citations: &[Citation]) -> Vec<Mismatch> {
    let marks = marks(text);
    let marked = || marks.iter().map(|(_, n)| *n);
    let cited = || citations.iter().map(|citation| citation.n);
    let unknown = marked().filter(|n| !cited().any(|other| other == *n));
    let unused = cited().filter(|n| !marked().any(|other| other == *n));
    let unknown = unknown.map(|n| Mismatch::Unknown { n });
    unknown.chain(unused.map(|n| Mismatch::Unused { n })).collect()
}
