//! Text without markup: paragraphs between empty lines, and headings where they cannot be mistaken.
//!
//! A heading is an underlined line, a line in capitals that stands alone as in a manual page, a
//! numbered line that stands alone as in an RFC, or the first line of an entry in a change log.
//! What looks like a heading and is none does no harm: its words stay findable.

use super::lines::{Line, lines};
use super::{Block, BlockKind};
use crate::document::Span;

pub(super) fn parse(text: &str) -> Vec<Block> {
    let lines: Vec<Line> = lines(text).collect();
    let content = |i: usize| lines.get(i).map_or("", |line| line.of(text));
    let is_blank = |i: usize| content(i).trim().is_empty();
    let mut blocks = Vec::new();
    let mut i = 0;
    while i < lines.len() {
        if is_blank(i) {
            i += 1;
            continue;
        }
        if let Some(level) = underlined(content(i), content(i + 1)) {
            blocks.push(heading(lines[i].start, lines[i + 1].end, level, content(i)));
            i += 2;
            continue;
        }
        let stands_alone = is_blank(i + 1);
        if stands_alone || content(i + 1).starts_with([' ', '\t']) {
            let level = if is_capitals(content(i)) || begins_log_entry(content(i)) {
                Some(1)
            } else {
                numbered(content(i)).filter(|_| stands_alone)
            };
            if let Some(level) = level {
                blocks.push(heading(lines[i].start, lines[i].end, level, content(i)));
                i += 1;
                continue;
            }
        }
        let first = i;
        while i < lines.len()
            && !is_blank(i)
            && (i == first || underlined(content(i), content(i + 1)).is_none())
        {
            i += 1;
        }
        blocks.push(Block {
            span: Span::new(lines[first].start, lines[i - 1].end),
            kind: BlockKind::Paragraph,
        });
    }
    blocks
}

fn heading(start: usize, end: usize, level: u8, text: &str) -> Block {
    let text = text.trim().to_owned();
    Block { span: Span::new(start, end), kind: BlockKind::Heading { level, text } }
}

/// The level of a title that is underlined over its full length.
fn underlined(title: &str, line: &str) -> Option<u8> {
    let line = line.trim_end();
    let mark = line.chars().next().filter(|c| "=-~*^".contains(*c))?;
    let n = line.chars().count();
    let n_title = title.trim().chars().count();
    let fits = n >= 3
        && line.chars().all(|c| c == mark)
        && (3..=80).contains(&n_title)
        && n.abs_diff(n_title) <= 2;
    let is_title = !title.starts_with([' ', '\t']) && title.chars().any(char::is_alphabetic);
    (fits && is_title).then_some(match mark {
        '=' | '*' => 1,
        '-' => 2,
        _ => 3,
    })
}

/// `SEE ALSO`: a short line at the margin, in capitals only.
fn is_capitals(line: &str) -> bool {
    let line = line.trim_end();
    line.starts_with(char::is_alphabetic)
        && line.len() <= 60
        && line.chars().filter(|c| c.is_uppercase()).count() >= 4
        && line.chars().all(|c| c.is_uppercase() || c.is_ascii_digit() || " -/&,'()".contains(c))
}

/// `name (version) distribution; urgency=…` of a Debian change log, `date  name  <address>` of a
/// GNU one.
fn begins_log_entry(line: &str) -> bool {
    let is_debian = line.contains(" (") && line.contains("; urgency=");
    let is_date =
        |word: &str| word.len() == 10 && word.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let is_gnu = line
        .split_once("  ")
        .is_some_and(|(date, name)| is_date(date) && name.contains('<') && name.contains('@'));
    !line.starts_with([' ', '\t']) && (is_debian || is_gnu)
}

/// The level of `1.  Introduction` or `3.2. Header Fields`, as RFCs number their sections.
fn numbered(line: &str) -> Option<u8> {
    let line = line.trim_end();
    let (number, title) = line.split_once(' ')?;
    let parts: Vec<&str> = number.trim_end_matches('.').split('.').collect();
    let is_number = parts
        .iter()
        .all(|part| (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()));
    let is_section = parts.len() > 1 || (number.ends_with('.') && title.starts_with(' '));
    let title = title.trim_start();
    let is_title = title.starts_with(|c: char| c.is_uppercase())
        && title.len() <= 70
        && !title.ends_with(['.', ',', ';', ':'])
        && !title.contains(". .")
        && !title.contains("..");
    (is_number && is_section && is_title).then(|| u8::try_from(parts.len()).unwrap_or(u8::MAX))
}
