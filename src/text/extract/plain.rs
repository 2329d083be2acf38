//! Text without markup: paragraphs between empty lines, and headings where they are unambiguous.
//!
//! A heading is an underlined line, a single line in capitals as in a manual page, a single
//! numbered line as in an RFC, or the first line of an entry in a change log. A false heading does
//! no harm: its words are still indexed.
//!
//! Logs, chats and lists of keys with values have records instead: a line, and the lines that go on
//! with it, such as a stack trace.

use std::collections::HashMap;

use super::doc::{Block, BlockKind};
use super::numbered::NumberedLines;
use super::stamps::{is_stamped, label};

pub(super) fn parse(text: &str) -> Vec<Block> {
    let lines = NumberedLines::new(text);
    let log = Log::of(&lines);
    let mut blocks = Vec::new();
    let mut i = 0;
    while i < lines.len() {
        if lines.is_blank(i) {
            i += 1;
            continue;
        }
        if log.begins(i) {
            let end = log.end(&lines, i);
            blocks.push(lines.block(i, end, BlockKind::Record));
            i = end;
            continue;
        }
        if let Some((level, n_lines)) = heading(&lines, i) {
            let text = lines.content(i).trim().to_owned();
            blocks.push(lines.block(i, i + n_lines, BlockKind::Heading { level, text }));
            i += n_lines;
            continue;
        }
        let first = i;
        while i < lines.len()
            && !lines.is_blank(i)
            && !log.begins(i)
            && (i == first || underlined(lines.content(i), lines.content(i + 1)).is_none())
        {
            i += 1;
        }
        match labelled(&lines, first, i) {
            Some(starts) => {
                let ends = starts.iter().skip(1).copied().chain([i]);
                let records = starts.iter().zip(ends);
                blocks.extend(
                    records.map(|(&start, end)| lines.block(start, end, BlockKind::Record)),
                );
            }
            None => blocks.push(lines.block(first, i, BlockKind::Paragraph)),
        }
    }
    blocks
}

/// The lines with a time at the start, if the text is a log or a chat.
struct Log {
    begins: Vec<bool>,
    /// Most lines begin a record, so lines after an empty one continue the record above it.
    is_mostly: bool,
}

impl Log {
    fn of(lines: &NumberedLines<'_>) -> Self {
        let mut begins: Vec<bool> =
            (0..lines.len()).map(|i| is_stamped(lines.content(i))).collect();
        let n = begins.iter().filter(|begins| **begins).count();
        let n_text = (0..lines.len()).filter(|i| !lines.is_blank(*i)).count();
        // One line may start with a time by chance, and so may the lines of a timetable in prose.
        if n < 2 || n * 20 < n_text {
            begins.clear();
        }
        Self { begins, is_mostly: n * 4 >= n_text }
    }

    fn begins(&self, i: usize) -> bool {
        self.begins.get(i).copied().unwrap_or(false)
    }

    /// The line after the record that begins at line `first`.
    fn end(&self, lines: &NumberedLines<'_>, first: usize) -> usize {
        /// A stack trace, or a long message. What follows is something else.
        const MAX_LINES: usize = 200;
        let mut end = first + 1;
        let mut i = end;
        while i < lines.len().min(first + MAX_LINES) && !self.begins(i) {
            if lines.is_blank(i) {
                if !self.is_mostly && !lines.is_indented(i + 1) {
                    break;
                }
            } else {
                end = i + 1;
            }
            i += 1;
        }
        end
    }
}

/// The first lines of the records in `first..end`, if that is a list of keys with values or a chat.
/// Indented lines continue the record above; in a chat, other lines do too.
fn labelled(lines: &NumberedLines<'_>, first: usize, end: usize) -> Option<Vec<usize>> {
    let starts: Vec<usize> = (first..end)
        .filter(|&i| !lines.is_indented(i) && label(lines.content(i)).is_some())
        .collect();
    if starts.len() < 2 || starts[0] != first {
        return None;
    }
    let n_at_margin = (first..end).filter(|&i| !lines.is_indented(i)).count();
    if n_at_margin == starts.len() {
        return Some(starts);
    }
    let mut n_by_label: HashMap<&str, usize> = HashMap::new();
    for &i in &starts {
        *n_by_label.entry(label(lines.content(i)).unwrap_or_default()).or_default() += 1;
    }
    let is_chat = starts.len() >= 4 && n_by_label.len() * 2 <= starts.len();
    (is_chat && starts.len() * 5 >= n_at_margin * 3).then_some(starts)
}

/// Whether each of several lines is a record: a message, an entry of a log, or a key, which may be
/// marked, with its value.
pub(super) fn are_records<'t>(lines: impl Iterator<Item = &'t str>) -> bool {
    let mut n = 0;
    let are = lines.into_iter().all(|line| {
        n += 1;
        let unmarked = line.trim_start_matches(['*', '_']);
        is_stamped(line) || label(&unmarked.replace("**", "")).is_some()
    });
    are && n > 1
}

/// Level and number of lines of a heading that starts at line `i`.
fn heading(lines: &NumberedLines<'_>, i: usize) -> Option<(u8, usize)> {
    let line = lines.content(i);
    if let Some(level) = underlined(line, lines.content(i + 1)) {
        return Some((level, 2));
    }
    let is_single = lines.is_blank(i + 1);
    let level = if !is_single && !lines.is_indented(i + 1) {
        None
    } else if is_capitals(line) || begins_log_entry(line) {
        Some(1)
    } else {
        numbered(line).filter(|_| is_single)
    };
    level.map(|level| (level, 1))
}

/// The level of a title that is underlined by about its own length.
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

/// A short line in capitals at the margin, such as `SEE ALSO`.
fn is_capitals(line: &str) -> bool {
    let line = line.trim_end();
    line.starts_with(char::is_alphabetic)
        && line.len() <= 60
        && line.chars().filter(|c| c.is_uppercase()).count() >= 4
        && line.chars().all(|c| c.is_uppercase() || c.is_ascii_digit() || " -/&,'()".contains(c))
}

/// `name (version) distribution; urgency=…` in a Debian change log, or `date  name  <address>` in a
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

/// The level of a section number as in RFCs: `1.  Introduction`, `3.2. Header Fields`.
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
