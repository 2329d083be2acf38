//! reStructuredText: section titles by their adornment. Levels are the order in which the styles
//! first appear.
//!
//! Directives are text, because their content is for readers. Comments and link targets are not
//! blocks.

use super::doc::{Block, BlockKind};
use super::markdown;
use super::numbered::NumberedLines;

pub(super) fn parse(text: &str) -> Vec<Block> {
    let lines = NumberedLines::new(text);
    let content = |i: usize| lines.content(i);
    let mut styles: Vec<(char, bool)> = Vec::new();
    let mut blocks = Vec::new();
    let mut literal_follows = false;
    let mut i = 0;
    while i < lines.len() {
        if lines.is_blank(i) {
            i += 1;
            continue;
        }
        if let Some((style, n_lines)) = title(content(i), content(i + 1), content(i + 2)) {
            let known = styles.iter().position(|&s| s == style);
            let level = known.unwrap_or(styles.len()) + 1;
            if known.is_none() {
                styles.push(style);
            }
            let line = if style.1 { i + 1 } else { i };
            let kind = BlockKind::Heading {
                level: u8::try_from(level).unwrap_or(u8::MAX),
                text: markdown::without_markup(content(line).trim()),
            };
            blocks.push(lines.block(i, i + n_lines, kind));
            i += n_lines;
            literal_follows = false;
            continue;
        }
        let first = i;
        if lines.is_indented(i) && literal_follows {
            while i < lines.len() && (lines.is_blank(i) || lines.is_indented(i)) {
                i += 1;
            }
            let last = (first..i).rev().find(|&j| !lines.is_blank(j)).unwrap_or(first);
            blocks.push(lines.block(first, last + 1, BlockKind::Code));
            literal_follows = false;
            continue;
        }
        i += 1;
        if is_comment(content(first)) {
            while i < lines.len()
                && (lines.is_indented(i) || (lines.is_blank(i) && lines.is_indented(i + 1)))
            {
                i += 1;
            }
            continue;
        }
        while i < lines.len() && !lines.is_blank(i) && !is_list_marker(content(i)) {
            i += 1;
        }
        literal_follows =
            content(i - 1).trim_end().ends_with("::") || is_code_directive(content(first));
        blocks.push(lines.block(first, i, kind_of(content(first))));
    }
    blocks
}

/// The kind of a block by its first line.
fn kind_of(line: &str) -> BlockKind {
    if is_list_marker(line) {
        BlockKind::ListItem
    } else if line.trim_start().starts_with("+-") || is_simple_table_rule(line) {
        BlockKind::Table { headers: 0 }
    } else {
        BlockKind::Paragraph
    }
}

/// The style of a section title and its number of lines.
fn title(first: &str, second: &str, third: &str) -> Option<((char, bool), usize)> {
    if let Some(mark) = adornment(first) {
        let fits = !second.trim().is_empty()
            && adornment(third) == Some(mark)
            && adornment(second).is_none();
        return (fits && width(first) >= width(second.trim())).then_some(((mark, true), 3));
    }
    let mark = adornment(second)?;
    let fits =
        !first.starts_with([' ', '\t']) && (width(second) >= width(first) || width(second) >= 4);
    fits.then_some(((mark, false), 2))
}

/// The punctuation character that a whole line consists of.
fn adornment(line: &str) -> Option<char> {
    let line = line.trim_end();
    let mark = line.chars().next().filter(char::is_ascii_punctuation)?;
    (line.len() >= 2 && line.chars().all(|c| c == mark))
        .then_some(mark)
        .filter(|_| line != "::" && line != "..")
}

fn width(line: &str) -> usize {
    line.trim_end().chars().count()
}

/// `.. words`, `.. _target:` or a single `..`, but not a directive, footnote or substitution.
fn is_comment(line: &str) -> bool {
    let Some(rest) = line.trim_start().strip_prefix("..") else { return false };
    let rest = match rest.strip_prefix(' ') {
        Some(rest) => rest.trim_start(),
        None => return rest.is_empty(),
    };
    rest.starts_with('_') || !(rest.contains("::") || rest.starts_with(['[', '|']))
}

fn is_code_directive(line: &str) -> bool {
    let Some(rest) = line.trim_start().strip_prefix(".. ") else { return false };
    [
        "code-block::",
        "code::",
        "sourcecode::",
        "highlight::",
        "parsed-literal::",
        "literalinclude::",
    ]
    .iter()
    .any(|name| rest.starts_with(name))
}

fn is_simple_table_rule(line: &str) -> bool {
    let line = line.trim();
    line.starts_with("==") && line.contains(' ') && line.chars().all(|c| matches!(c, '=' | ' '))
}

fn is_list_marker(line: &str) -> bool {
    let line = line.trim_start();
    let rest = line.strip_prefix(['-', '*', '+', '•']).or_else(|| {
        let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
        let rest = if rest.len() == line.len() { line.strip_prefix('#')? } else { rest };
        rest.strip_prefix(['.', ')'])
    });
    rest.is_some_and(|rest| rest.starts_with(' '))
}
