//! Lines by number, for formats whose blocks are runs of lines.

use super::doc::{Block, BlockKind};
use super::lines::{Line, lines};
use crate::document::Span;

/// The lines of a text, by number. Beyond the end, lines are empty.
pub(super) struct NumberedLines<'a> {
    text: &'a str,
    lines: Vec<Line>,
}

impl<'a> NumberedLines<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, lines: lines(text).collect() }
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn content(&self, i: usize) -> &'a str {
        self.lines.get(i).map_or("", |line| line.of(self.text))
    }

    pub(super) fn is_blank(&self, i: usize) -> bool {
        self.content(i).trim().is_empty()
    }

    /// The first line from `i` on that is not blank.
    pub(super) fn skip_blank(&self, i: usize) -> usize {
        (i..self.len()).find(|i| !self.is_blank(*i)).unwrap_or(self.len())
    }

    pub(super) fn is_indented(&self, i: usize) -> bool {
        self.content(i).starts_with([' ', '\t'])
    }

    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    /// Where a line starts in the text.
    pub(super) fn start(&self, i: usize) -> usize {
        self.lines.get(i).map_or(self.text.len(), |line| line.start)
    }

    /// The lines `first..end`, without the last line end.
    pub(super) fn span(&self, first: usize, end: usize) -> Span {
        Span::new(self.lines[first].start, self.lines[end - 1].end)
    }

    /// The line after those from `first` on for which `goes_on` returns true; not before the next.
    pub(super) fn end_of(&self, first: usize, goes_on: impl Fn(&str) -> bool) -> usize {
        let mut end = first + 1;
        while end < self.len() && goes_on(self.content(end)) {
            end += 1;
        }
        end
    }

    /// The block of the lines `first..end`.
    pub(super) fn block(&self, first: usize, end: usize, kind: BlockKind) -> Block {
        Block { span: self.span(first, end), kind }
    }
}
