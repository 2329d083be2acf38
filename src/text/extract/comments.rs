//! Comments inside the lines of Markdown, which a reader of the page does not see: `<!-- … -->`,
//! and `%% … %%` of notes. Those that are whole lines are no blocks.

use std::ops::Range;

use super::lines::lines;
use crate::strings::StrExt as _;

/// Longer comments of notes are percent signs by chance.
const MAX_BYTES: usize = 10_000;

/// The fences of code in the lines of a Markdown text.
#[derive(Default)]
pub(super) struct Fences {
    /// The mark of the one that is open.
    open: Option<&'static str>,
}

impl Fences {
    /// Whether the next line is code between fences, or a fence.
    pub(super) fn have(&mut self, line: &str) -> bool {
        let line = line.trim_start();
        let mark = ["```", "~~~"].into_iter().find(|mark| line.starts_with(mark));
        let was_open = self.open;
        match (was_open, mark) {
            (Some(open), Some(mark)) if open == mark => self.open = None,
            (None, Some(_)) => self.open = mark,
            _ => {}
        }
        was_open.is_some() || mark.is_some()
    }
}

/// The comments of a Markdown text, in order.
pub(super) fn comments(source: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    if !source.contains("<!--") && !source.contains("%%") {
        return found;
    }
    let mut fences = Fences::default();
    let mut is_hidden_to = 0;
    for line in lines(source) {
        let text = line.of(source);
        let trimmed = text.trim_start();
        if line.start < is_hidden_to {
            continue;
        }
        if fences.have(text) || text.starts_with("    ") {
            continue;
        }
        if trimmed.trim_end() == "%%"
            && let Some(len) = source.slice(line.end..).find("\n%%").filter(|n| *n < MAX_BYTES)
        {
            is_hidden_to = line.end + len + 3;
            found.push(line.start..is_hidden_to);
            continue;
        }
        inline(source, line.start, text, &mut found);
        is_hidden_to = found.last().map_or(0, |last| last.end);
    }
    found
}

/// The fenced code of a Markdown text, with its fences, in order.
pub(super) fn code(source: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let (mut fences, mut start) = (Fences::default(), None);
    for line in lines(source) {
        if !fences.have(line.of(source)) {
            continue;
        }
        start = start.or(Some(line.start));
        if fences.open.is_none() {
            found.extend(start.take().map(|start| start..line.end));
        }
    }
    found.extend(start.map(|start| start..source.len()));
    found
}

/// Adds the comments that begin in a line.
fn inline(source: &str, start: usize, line: &str, found: &mut Vec<Range<usize>>) {
    let mut at = 0;
    // A comment may end on a later line.
    while at < line.len() {
        let rest = line.slice(at..);
        let Some(c) = rest.chars().next() else { break };
        if c == '`' {
            let n = rest.len() - rest.trim_start_matches('`').len();
            let close = rest.slice(n..).find(rest.slice(..n));
            at += close.map_or(n, |len| len + 2 * n);
        } else if rest.starts_with("<!--")
            && !line.slice(..at).trim().is_empty()
            && let Some(len) = source.slice(start + at..).find("-->")
        {
            found.push(start + at..start + at + len + 3);
            at += len + 3;
        } else if rest.starts_with("%%")
            && !line.slice(..at).ends_with(|c: char| c.is_alphanumeric())
            && let Some(len) = rest.slice(2..).find("%%").filter(|len| *len > 0)
        {
            found.push(start + at..start + at + len + 4);
            at += len + 4;
        } else {
            at += c.len_utf8();
        }
    }
}
