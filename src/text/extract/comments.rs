//! Comments inside the lines of Markdown, which a reader of the page does not see: `<!-- … -->`,
//! and `%% … %%` of notes. Those that are whole lines are no blocks.

use std::ops::Range;

use super::lines::lines;
use crate::strings::StrExt as _;

/// Longer comments of notes are percent signs by chance.
const MAX_BYTES: usize = 10_000;

/// The comments of a Markdown text, in order.
pub(super) fn comments(source: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    if !source.contains("<!--") && !source.contains("%%") {
        return found;
    }
    let mut fence: Option<&str> = None;
    let mut is_hidden_to = 0;
    for line in lines(source) {
        let text = line.of(source);
        let trimmed = text.trim_start();
        if line.start < is_hidden_to {
            continue;
        }
        let mark = ["```", "~~~"].into_iter().find(|mark| trimmed.starts_with(mark));
        match (fence, mark) {
            (Some(open), Some(mark)) if open == mark => fence = None,
            (None, Some(mark)) => fence = Some(mark),
            _ => {}
        }
        if fence.is_some() || mark.is_some() || text.starts_with("    ") {
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
    let mut open: Option<(&str, usize)> = None;
    for line in lines(source) {
        let trimmed = line.of(source).trim_start();
        let mark = ["```", "~~~"].into_iter().find(|mark| trimmed.starts_with(mark));
        match (open, mark) {
            (Some((opened, start)), Some(mark)) if opened == mark => {
                found.push(start..line.end);
                open = None;
            }
            (None, Some(mark)) => open = Some((mark, line.start)),
            _ => {}
        }
    }
    found.extend(open.map(|(_, start)| start..source.len()));
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
