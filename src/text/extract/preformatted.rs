//! `<pre>` in Markdown: a page shows its lines as they are, so they become fenced code without
//! tags and entities.

use std::ops::Range;

use super::comments::Fences;
use super::html::entity;
use super::lines::lines;
use crate::strings::StrExt as _;

/// Tags that only change how preformatted text looks. Others, as in `cp <file>`, may be text.
const TAGS: [&str; 19] = [
    "a", "abbr", "b", "br", "code", "em", "font", "i", "kbd", "mark", "p", "pre", "s", "samp",
    "small", "span", "strong", "u", "var",
];

/// The parts of a Markdown text that differ when its `<pre>` are fenced, in order, and what
/// replaces them.
pub(super) fn preformatted(source: &str) -> Vec<(Range<usize>, String)> {
    let mut found = Vec::new();
    if find_tag(source, "<pre").is_none() {
        return found;
    }
    let mut fences = Fences::default();
    let mut before = "";
    let mut end = 0;
    for line in lines(source) {
        let text = line.of(source);
        // Indented code does not interrupt a paragraph.
        let is_indented = (text.starts_with("    ") || text.starts_with('\t')) && before.is_empty();
        before = text.trim();
        if line.start < end {
            continue;
        }
        if fences.have(text) || is_indented {
            continue;
        }
        let Some(at) = find_tag(text, "<pre") else { continue };
        let in_code = text.slice(..at).matches('`').count() % 2 == 1;
        let start = line.start + at;
        let Some(len) = find_tag(source.slice(start..), "</pre") else { break };
        if !in_code {
            end = fenced(source, start..start + len, text.slice(..at), &mut found);
        }
    }
    found
}

/// The offset of the first tag whose name is that of `begin`, in any case.
fn find_tag(text: &str, begin: &str) -> Option<usize> {
    let is_tag = |at: &usize| {
        let rest = text.slice(*at..);
        rest.get(..begin.len()).is_some_and(|name| name.eq_ignore_ascii_case(begin))
            && rest.slice(begin.len()..).starts_with(|c: char| c == '>' || c.is_whitespace())
    };
    text.match_indices('<').map(|(at, _)| at).find(is_tag)
}

/// Adds the changes that fence an element, which ends before its closing tag; returns the end of
/// that.
fn fenced(
    source: &str,
    element: Range<usize>,
    before: &str,
    found: &mut Vec<(Range<usize>, String)>,
) -> usize {
    let close = source.slice(element.end..);
    let end = element.end + close.find('>').map_or(close.len(), |at| at + 1);
    let fence = if source.slice(element.clone()).contains("```") { "~~~" } else { "```" };
    let indent = if before.trim().is_empty() { before } else { "" };
    let mut changes: Vec<(Range<usize>, String)> = Vec::new();
    let mut at = element.start;
    while at < element.end {
        let rest = source.slice(at..element.end);
        let Some(c) = rest.chars().next() else { break };
        let (len, shown) = match c {
            '<' => match tag(rest) {
                Some((len, "br")) => (len, "\n".to_owned()),
                Some((len, _)) => (len, String::new()),
                None => (0, String::new()),
            },
            '&' => {
                let (len, shown) = entity(rest);
                (len, shown.into_owned())
            }
            _ => (0, String::new()),
        };
        if len > 0 {
            changes.push((at..at + len, shown));
        }
        at += len.max(c.len_utf8());
    }
    // The tags at the start of the element, and a line break after them.
    let begins = changes.iter().take_while({
        let mut at = element.start;
        move |(range, shown)| {
            let continues = range.start == at && shown.is_empty();
            at = range.end;
            continues
        }
    });
    let n = begins.count();
    let Some(mut first) = n.checked_sub(1).map(|last| changes[last].0.end) else { return end };
    first += usize::from(source.slice(first..).starts_with('\r'));
    first += usize::from(source.slice(first..).starts_with('\n'));
    let opening = match before.trim().is_empty() {
        true => format!("{fence}\n"),
        false => format!("\n\n{fence}\n"),
    };
    changes.splice(..n, [(element.start..first, opening)]);
    found.append(&mut changes);
    let inside = source.slice(first.min(element.end)..element.end);
    let gap = if inside.ends_with('\n') || inside.is_empty() { "" } else { "\n" };
    // What follows the element is not in the line of the fence.
    let rest = lines(source.slice(end..)).next().map_or("", |line| line.of(source.slice(end..)));
    let after = if rest.trim().is_empty() { "" } else { "\n\n" };
    found.push((element.end..end, format!("{gap}{indent}{fence}{after}")));
    end
}

/// The length and the name of a tag at the start of a text.
fn tag(text: &str) -> Option<(usize, &'static str)> {
    const MAX_BYTES: usize = 1000;
    let inner = text.slice(1..);
    let name = inner.strip_prefix('/').unwrap_or(inner);
    let len = name.find(|c: char| !c.is_ascii_alphanumeric())?;
    let name = TAGS.into_iter().find(|tag| tag.eq_ignore_ascii_case(name.slice(..len)))?;
    let end = text.bytes().take(MAX_BYTES).position(|b| b == b'>')?;
    Some((end + 1, name))
}
