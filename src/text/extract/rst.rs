//! reStructuredText: section titles by their adornment. Levels are the order in which the styles
//! first appear.
//!
//! The text stays as written, except that the rows of tables become lines of cells. Directives are
//! text, because their content is for readers; comments and link targets are not. Fields are
//! records, and those at the top are metadata.

use super::doc::{Block, BlockKind};
use super::lines::lines;
use super::markdown;
use super::numbered::NumberedLines;
use super::records;
use super::rendered::{Inline, Rendered};
use crate::strings::StrExt as _;

pub(super) fn parse(text: &str) -> Rendered {
    let lines = NumberedLines::new(text);
    let mut out = Rendered::default();
    let first = headers(&lines, &mut out);
    let mut is_top = true;
    for block in blocks(&lines, first) {
        let content = text.slice(block.span.range());
        match block.kind {
            BlockKind::Table { .. } => {
                if is_table_directive(content) {
                    directive(content, block.span.start, &mut out);
                } else {
                    let (headers, rows) = table(content, block.span.start);
                    out.table(headers, rows);
                }
                continue;
            }
            BlockKind::Record if is_top => {
                if let Some((name, value)) = field(content) {
                    state(name, value, &mut out);
                }
            }
            BlockKind::Record | BlockKind::Heading { .. } => {}
            _ => is_top = false,
        }
        let mut copied = Inline::default();
        copied.copy(content, block.span.start);
        out.block(block.kind, copied);
    }
    out
}

/// Headers as those of mail at the top of a text, such as `PEP: 8`; returns the line after them.
fn headers(lines: &NumberedLines<'_>, out: &mut Rendered) -> usize {
    let mut entries: Vec<(usize, usize)> = Vec::new();
    let mut i = 0;
    while i < lines.len() && !lines.is_blank(i) {
        if lines.is_indented(i)
            && let Some((_, end)) = entries.last_mut()
        {
            *end = i + 1;
        } else if header(lines.content(i)).is_some() {
            entries.push((i, i + 1));
        } else {
            return 0;
        }
        i += 1;
    }
    if entries.len() < 3 {
        return 0;
    }
    for (first, end) in entries {
        let span = lines.span(first, end);
        let content = lines.text().slice(span.range());
        if let Some((name, value)) = header(content) {
            if name.eq_ignore_ascii_case("title") {
                out.title = Some(value.one_line());
            }
            out.metadata(name, value);
            if value.trim().is_empty() {
                continue;
            }
        }
        let mut record = Inline::default();
        record.copy(content, span.start);
        out.prose(BlockKind::Record, &record);
    }
    i
}

/// `Name: value`.
fn header(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let is_name = name.starts_with(char::is_alphabetic)
        && name.len() <= 30
        && name.chars().all(|c| c.is_alphanumeric() || c == '-' || c == ' ')
        && name.split(' ').count() <= 2;
    (is_name && !value.starts_with(':')).then_some((name, value))
}

/// The name and the value of `:name: value`, unless it is a role.
fn field(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.trim_start().strip_prefix(':')?.split_once(':')?;
    let is_name =
        name.starts_with(char::is_alphanumeric) && name.len() <= 60 && !name.contains('`');
    (is_name && (value.is_empty() || value.starts_with([' ', '\n', '\r']))).then_some((name, value))
}

/// Keeps a field at the top as metadata.
fn state(name: &str, value: &str, out: &mut Rendered) {
    const KEYS: [&str; 14] = [
        "title",
        "author",
        "authors",
        "date",
        "status",
        "version",
        "revision",
        "created",
        "keywords",
        "tags",
        "description",
        "organization",
        "contact",
        "copyright",
    ];
    let name = name.to_lowercase();
    if KEYS.contains(&name.as_str()) {
        let key = if name == "authors" { "author" } else { &name };
        out.metadata(key, value);
    }
}

fn is_table_start(line: &str, next: &str) -> bool {
    (line.trim_start().starts_with("+-")
        && line.trim_end().ends_with('+')
        && next.trim_start().starts_with('|'))
        || (is_simple_table_rule(line) && !next.trim().is_empty())
}

/// The line after a table that starts at line `first`.
fn table_end(lines: &NumberedLines<'_>, first: usize) -> usize {
    let mut end = first + 1;
    if !is_simple_table_rule(lines.content(first)) {
        while end < lines.len() && lines.content(end).trim_start().starts_with(['|', '+']) {
            end += 1;
        }
        return end;
    }
    // A simple table ends with a rule above an empty line.
    let mut i = end;
    while i < lines.len() {
        if is_simple_table_rule(lines.content(i)) {
            end = i + 1;
            if lines.is_blank(i + 1) {
                return end;
            }
        } else if lines.is_blank(i) && lines.is_blank(i + 1) {
            break;
        }
        i += 1;
    }
    end
}

/// The number of header rows and the rows of a grid or a simple table.
fn table(text: &str, at: usize) -> (usize, Vec<Vec<Inline>>) {
    let is_grid = text.trim_start().starts_with('+');
    let mut columns: Vec<(usize, usize)> = Vec::new();
    let mut rows: Vec<Vec<Inline>> = Vec::new();
    let (mut headers, mut n_rules, mut begins) = (0, 0, true);
    for line in lines(text) {
        let (content, start) = (line.of(text), at + line.start);
        let is_rule = if is_grid {
            content.trim_start().starts_with('+') && !content.contains(char::is_alphanumeric)
        } else {
            is_simple_table_rule(content)
        };
        if is_rule {
            if columns.is_empty() {
                columns = column_ranges(content, if is_grid { '-' } else { '=' });
            }
            n_rules += 1;
            let heads = if is_grid { content.contains('=') } else { n_rules == 2 };
            if heads && headers == 0 {
                headers = rows.len();
            }
            begins = true;
            continue;
        }
        if content.trim().is_empty() || columns.is_empty() {
            continue;
        }
        // A row of a simple table without its first cell continues the row above.
        if !is_grid && !content.starts_with([' ', '\t']) {
            begins = true;
        }
        if begins || rows.is_empty() {
            rows.push(vec![Inline::default(); columns.len()]);
            begins = false;
        }
        let Some(row) = rows.last_mut() else { continue };
        let bounds: Vec<usize> =
            content.char_indices().map(|(at, _)| at).chain([content.len()]).collect();
        for (nth, &(from, to)) in columns.iter().enumerate() {
            // The last column of a simple table has no end.
            let to = if !is_grid && nth + 1 == columns.len() { usize::MAX } else { to };
            let last = bounds.len() - 1;
            let (from, to) = (bounds[from.min(last)], bounds[to.min(last)]);
            if from < to {
                row[nth].put(' ', start + from, 0);
                row[nth].copy(content.slice(from..to).trim_matches('|'), start + from);
            }
        }
    }
    // The rule at the end heads nothing.
    if headers >= rows.len() {
        headers = 0;
    }
    (headers, rows)
}

/// Whether a line begins a table that is written as CSV or as a list of lists.
fn is_table_directive(line: &str) -> bool {
    let name = line.trim_start().strip_prefix(".. ").unwrap_or_default();
    name.starts_with("csv-table::") || name.starts_with("list-table::")
}

/// Writes the table of a directive below its title.
fn directive(text: &str, at: usize, out: &mut Rendered) {
    let lines = NumberedLines::new(text);
    let is_csv = lines.content(0).contains("csv-table::");
    let title = lines.content(0).find("::").map_or(0, |colons| colons + 2);
    let mut content = Inline::default();
    content.copy(lines.content(0).slice(title..), at + title);
    out.prose(BlockKind::Paragraph, &content);

    let mut rows = Vec::new();
    let (mut headers, mut separator, mut first) = (0, ',', 1);
    while let Some((name, value)) = field(lines.content(first)) {
        let start = at + lines.start(first) + lines.content(first).len() - value.len();
        match name {
            "header" if is_csv => rows = records::rows(value, start, separator),
            "header-rows" => headers = value.trim().parse().unwrap_or(0),
            "delim" => {
                separator = match value.trim() {
                    "tab" => '\t',
                    "space" => ' ',
                    mark => mark.chars().next().unwrap_or(','),
                }
            }
            _ => {}
        }
        first += 1;
    }
    headers += rows.len();
    if is_csv && first < lines.len() {
        let start = lines.start(first);
        rows.extend(records::rows(text.slice(start..), at + start, separator));
    } else if !is_csv {
        rows = listed_rows(&lines, first, at);
    }
    let headers = if headers < rows.len() { headers } else { 0 };
    out.table(headers, rows);
}

/// The rows of a list of lists: `* -` begins a row, `-` a cell.
fn listed_rows(lines: &NumberedLines<'_>, first: usize, at: usize) -> Vec<Vec<Inline>> {
    let mut rows: Vec<Vec<Inline>> = Vec::new();
    let mut depth = 0;
    for i in first..lines.len() {
        let line = lines.content(i);
        let text = line.trim_start();
        let row = text.strip_prefix("* ").map(str::trim_start).filter(|text| text.starts_with('-'));
        let begins = row.is_some() || (text.starts_with('-') && line.len() - text.len() == depth);
        let text = row.unwrap_or(text);
        if row.is_some() {
            depth = line.len() - text.len();
            rows.push(Vec::new());
        }
        let Some(cells) = rows.last_mut() else { continue };
        let text = if begins { text.slice(1..) } else { text };
        if begins {
            cells.push(Inline::default());
        }
        let start = at + lines.start(i) + line.len() - text.len();
        if let Some(cell) = cells.last_mut() {
            cell.put(' ', start, 0);
            cell.copy(text, start);
        }
    }
    rows
}

/// The columns of a table by the runs of `mark` in a rule, in characters.
fn column_ranges(rule: &str, mark: char) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut start = None;
    for (i, c) in rule.chars().chain([' ']).enumerate() {
        match (c == mark, start) {
            (true, None) => start = Some(i),
            (false, Some(from)) => {
                found.push((from, i));
                start = None;
            }
            _ => {}
        }
    }
    found
}

fn blocks(lines: &NumberedLines<'_>, first: usize) -> Vec<Block> {
    let content = |i: usize| lines.content(i);
    let mut styles: Vec<(char, bool)> = Vec::new();
    let mut blocks = Vec::new();
    let mut literal_follows = false;
    let mut i = first;
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
        if field(content(first)).is_some() {
            while i < lines.len()
                && (lines.is_indented(i) || (lines.is_blank(i) && lines.is_indented(i + 1)))
            {
                i += 1;
            }
            blocks.push(lines.block(first, i, BlockKind::Record));
            continue;
        }
        if is_table_start(content(first), content(first + 1)) {
            i = table_end(lines, first);
            blocks.push(lines.block(first, i, BlockKind::Table { headers: 0 }));
            continue;
        }
        if is_table_directive(content(first)) {
            while i < lines.len()
                && (lines.is_indented(i) || (lines.is_blank(i) && lines.is_indented(i + 1)))
            {
                i += 1;
            }
            blocks.push(lines.block(first, i, BlockKind::Table { headers: 0 }));
            continue;
        }
        // An empty comment ends the block above; what follows is not part of it.
        if content(first).trim() == ".." && lines.is_blank(i) {
            continue;
        }
        if is_comment(content(first)) {
            while i < lines.len()
                && (lines.is_indented(i) || (lines.is_blank(i) && lines.is_indented(i + 1)))
            {
                i += 1;
            }
            continue;
        }
        while i < lines.len()
            && !lines.is_blank(i)
            && !is_list_marker(content(i))
            && field(content(i)).is_none()
        {
            i += 1;
        }
        literal_follows =
            content(i - 1).trim_end().ends_with("::") || is_code_directive(content(first));
        // It only announces what follows.
        if content(first).trim() == "::" && i == first + 1 {
            continue;
        }
        blocks.push(lines.block(first, i, kind_of(content(first))));
    }
    blocks
}

/// The kind of a block by its first line.
fn kind_of(line: &str) -> BlockKind {
    if is_list_marker(line) { BlockKind::ListItem } else { BlockKind::Paragraph }
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
