//! Sentence segmentation of text with markup.
//!
//! Two passes: lines into blocks (heading, list item, paragraph with its hard wraps, code fence),
//! then each paragraph into sentences, by [`stops`]. A code fence is one "sentence", so that it is
//! quoted whole.

use std::ops::Range;

use super::stops;
use crate::document::{Span, UnitKind};
use crate::strings::StrExt as _;
use crate::strings::line_ranges;

/// A sentence, or another span with its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passage {
    pub span: Span,
    pub kind: UnitKind,
}

/// The sentences of `text` in order, trimmed and not empty. Only white space and rules separate
/// them.
#[must_use]
pub fn sentences(text: &str) -> Vec<Span> {
    passages(text).into_iter().map(|passage| passage.span).collect()
}

/// The sentences of `text` with their kinds.
#[must_use]
pub fn passages(text: &str) -> Vec<Passage> {
    let mut passages = Vec::new();
    for Block { kind, range } in blocks(text) {
        match kind {
            UnitKind::Sentence | UnitKind::Item { .. } => {
                let mut kind = kind;
                for part in stops::sentences(text.slice(range.clone())) {
                    let found = range.start + part.start..range.start + part.end;
                    passages.extend(trimmed(text, found).map(|span| Passage { span, kind }));
                    if let UnitKind::Item { first } = &mut kind {
                        *first = false;
                    }
                }
            }
            _ => {
                passages.extend(trimmed(text, range).map(|span| Passage { span, kind }));
            }
        }
    }
    passages
}

struct Block {
    kind: UnitKind,
    range: Range<usize>,
}

fn blocks(text: &str) -> Vec<Block> {
    let lines: Vec<Range<usize>> = line_ranges(text).collect();
    let mut gathered = Gathered { text, lines: &lines, blocks: Vec::new(), open: None };
    let mut at = leading_code_lines(text, &lines);
    if at > 0 {
        gathered.whole(UnitKind::Code, 0..at);
    }
    while at < lines.len() {
        let line = unquoted(text.slice(lines[at].clone()));
        match kind_of(line) {
            LineKind::Blank | LineKind::Noise => gathered.close(),
            LineKind::Fence(mark) => {
                gathered.close();
                let last = (at + 1..lines.len())
                    .find(|&i| unquoted(text.slice(lines[i].clone())).starts_with(mark))
                    .unwrap_or(lines.len() - 1);
                gathered.whole(UnitKind::Code, at..last + 1);
                at = last;
            }
            LineKind::Rule => gathered.underline(),
            LineKind::Heading => gathered.whole(UnitKind::Heading, at..at + 1),
            LineKind::Row => gathered.whole(UnitKind::Row, at..at + 1),
            // "…between 0 and" ⏎ "255. If you…" is a wrapped sentence: in a paragraph only 1 begins
            // a list.
            LineKind::Item
                if gathered.open.as_ref().is_none_or(|(kind, _)| *kind != UnitKind::Sentence)
                    || !line.starts_with(|c: char| c.is_ascii_digit())
                    || line.starts_with("1.")
                    || line.starts_with("1)") =>
            {
                gathered.close();
                gathered.open = Some((UnitKind::Item { first: true }, at..at + 1));
            }
            LineKind::Text
                if gathered.open.is_none()
                    && is_indented_code(text, &lines, at, &gathered.blocks) =>
            {
                let last = (at..lines.len())
                    .take_while(|&i| is_indented(text.slice(lines[i].clone())))
                    .last()
                    .unwrap_or(at);
                gathered.whole(UnitKind::Code, at..last + 1);
                at = last;
            }
            LineKind::Text | LineKind::Item => match &mut gathered.open {
                Some((_, lines)) => lines.end = at + 1,
                None => gathered.open = Some((UnitKind::Sentence, at..at + 1)),
            },
        }
        at += 1;
    }
    gathered.close();
    gathered.blocks
}

/// The blocks so far, and the open paragraph or item as a range of lines.
struct Gathered<'a> {
    text: &'a str,
    lines: &'a [Range<usize>],
    blocks: Vec<Block>,
    open: Option<(UnitKind, Range<usize>)>,
}

impl Gathered<'_> {
    fn close(&mut self) {
        if let Some((kind, lines)) = self.open.take() {
            unwrapped(self.text, &self.lines[lines], kind, &mut self.blocks);
        }
    }

    fn whole(&mut self, kind: UnitKind, lines: Range<usize>) {
        self.close();
        self.blocks.push(Block {
            kind,
            range: self.lines[lines.start].start..self.lines[lines.end - 1].end,
        });
    }

    /// An underline makes the line above it a heading.
    fn underline(&mut self) {
        if let Some((UnitKind::Sentence, lines)) = &self.open
            && lines.len() == 1
        {
            let lines = lines.clone();
            self.open = None;
            self.whole(UnitKind::Heading, lines);
        } else {
            self.close();
        }
    }
}

/// The number of leading lines inside a fence that was opened before the text, as in a passage from
/// the middle of a file: the lines up to the first fence, or all, if they look like code and the
/// fences are unbalanced. 0 without such a fence.
fn leading_code_lines(text: &str, lines: &[Range<usize>]) -> usize {
    let line = |n: usize| unquoted(text.slice(lines[n].clone()));
    let mut fences = (0..lines.len()).filter(|&n| super::plain::is_fence(line(n)));
    let first = fences.next();
    let is_closed = first.is_none_or(|n| line(n).trim_start_matches(['`', '~']).is_empty());
    if !is_closed || first.is_some() && fences.count() % 2 == 1 {
        return 0;
    }
    let inside: Vec<&str> =
        (0..first.unwrap_or(lines.len())).map(line).filter(|line| !line.is_empty()).collect();
    let n_code = inside.iter().filter(|line| line.ends_with([';', '{', '}', '(', '['])).count();
    let is_code = n_code > 1 && n_code * 2 >= inside.len();
    if is_code { first.map_or(lines.len(), |n| n + 1) } else { 0 }
}

/// A line without surrounding white space and block quote marks.
fn unquoted(line: &str) -> &str {
    line.trim().trim_start_matches('>').trim()
}

fn is_indented(line: &str) -> bool {
    line.trim().is_empty() || line.starts_with("    ") || line.starts_with('\t')
}

/// Whether a line opens unfenced code: indented, after a blank line, and either introduced with a
/// colon or full of punctuation. Prose is indented too, under list items and at the head of a
/// paragraph.
fn is_indented_code(text: &str, lines: &[Range<usize>], at: usize, before: &[Block]) -> bool {
    let line = text.slice(lines[at].clone());
    if line.trim().is_empty() || !is_indented(line) {
        return false;
    }
    let is_announced = before
        .last()
        .is_some_and(|block| text.slice(block.range.clone()).trim_end().ends_with(':'));
    let is_under_item =
        before.last().is_some_and(|block| matches!(block.kind, UnitKind::Item { .. }));
    let marks = line.chars().filter(|c| "(){}[];=<>$#|/\\".contains(*c)).count();
    is_announced && marks > 0 || marks > 2 && !is_under_item
}

/// A paragraph as one block, or as several where a line ends far short of the margin without
/// punctuation that continues it, as titles, addresses and `key: value` lines do.
fn unwrapped(text: &str, lines: &[Range<usize>], kind: UnitKind, blocks: &mut Vec<Block>) {
    let width = |line: &Range<usize>| text.slice(line.clone()).trim().chars().count();
    let margin = lines.iter().map(width).max().unwrap_or(0);
    let mut start = lines.first().map_or(0, |line| line.start);
    for pair in lines.windows(2) {
        let line = text.slice(pair[0].clone()).trim();
        let next = text.slice(pair[1].clone()).trim_start();
        let stops_short =
            width(&pair[0]) * 10 < margin * 6 && !line.ends_with([',', ';', '-', '(', '\\']);
        // A link with its target may be one long word.
        let word = next.split_whitespace().next().unwrap_or_default();
        let had_room = width(&pair[0]) + 1 + word.chars().count() <= margin;
        let begins = next.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit());
        let count = |mark: char| line.matches(mark).count();
        let is_open = count('[') > count(']') || count('(') > count(')');
        if stops_short && had_room && begins && !is_open {
            blocks.push(Block { kind, range: start..pair[0].end });
            start = pair[1].start;
        }
    }
    if let Some(last) = lines.last() {
        blocks.push(Block { kind, range: start..last.end });
    }
}

enum LineKind<'a> {
    Blank,
    /// Markup without text: comments, directives, a lone tag.
    Noise,
    Fence(&'a str),
    Rule,
    Heading,
    Row,
    Item,
    Text,
}

fn kind_of(line: &str) -> LineKind<'_> {
    let Some(first) = line.chars().next() else { return LineKind::Blank };
    match first {
        '`' | '~' if super::plain::is_fence(line) => {
            LineKind::Fence(line.slice(..line.len() - line.trim_start_matches(first).len()))
        }
        '#' if super::plain::heading(line).is_some() => LineKind::Heading,
        '|' if line.chars().all(|c| "|-: +=".contains(c)) => LineKind::Noise,
        '|' if line.len() > 1 => LineKind::Row,
        '<' if is_lone_tag(line) => LineKind::Noise,
        '{' if line.starts_with("{{") && line.ends_with("}}") => LineKind::Noise,
        '.' if line.starts_with(".. ") => LineKind::Noise,
        '[' if !line.starts_with("[^")
            && line
                .split_once("]: ")
                .is_some_and(|(label, target)| !label.contains(' ') && !target.contains(' ')) =>
        {
            LineKind::Noise
        }
        '=' | '-' | '~' | '*' | '_' | '^' | '+'
            if line.len() > 2 && line.chars().all(|c| c == first || c == ' ') =>
        {
            LineKind::Rule
        }
        _ if super::plain::item(line).is_some() => LineKind::Item,
        _ => LineKind::Text,
    }
}

fn is_lone_tag(line: &str) -> bool {
    line.starts_with("<!--") && line.ends_with("-->")
        || line.ends_with('>')
            && line.matches('<').count() == 1
            && line.slice(1..).starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
}

fn trimmed(text: &str, range: Range<usize>) -> Option<Span> {
    let inside = text.slice(range.clone());
    let start = range.start + (inside.len() - inside.trim_start().len());
    let end = start + inside.trim().len();
    (start < end).then(|| Span::new(start, end))
}
