//! Records: rows of CSV and TSV, lines of JSON Lines.

use super::doc::{Block, BlockKind};
use super::lines::lines;
use super::rendered::{Inline, Rendered};
use crate::document::Span;

/// Rows become lines of cells. The first row is the header of the table unless it has numbers.
/// Quoted line ends do not end a row.
pub(super) fn csv(text: &str) -> Rendered {
    let mut rows = rows(text, 0, separator(text));
    // A line for spreadsheets that names the separator.
    let names_separator = |row: &Vec<Inline>| row[0].text.trim().eq_ignore_ascii_case("sep=");
    if rows.first().is_some_and(names_separator) {
        rows.remove(0);
    }
    let mut rendered = Rendered::default();
    let is_name = |cell: &Inline| {
        let text = cell.text.trim();
        text.is_empty() || text.parse::<f64>().is_err()
    };
    let has_header = rows.len() > 1 && rows[0].iter().all(is_name);
    rendered.table(usize::from(has_header), rows);
    rendered
}

/// The rows of a text that starts at `start` of its source. Blank ones are left out.
pub(super) fn rows(text: &str, start: usize, separator: char) -> Vec<Vec<Inline>> {
    let mut rows: Vec<Vec<Inline>> = Vec::new();
    let mut row: Vec<Inline> = Vec::new();
    let mut cell = Inline::default();
    let (mut in_quotes, mut is_start) = (false, true);
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let at = start + at;
        match c {
            '"' if in_quotes && chars.peek().is_some_and(|(_, next)| *next == '"') => {
                chars.next();
                cell.put('"', at, 2);
            }
            '"' if in_quotes => in_quotes = false,
            '"' if is_start => in_quotes = true,
            c if in_quotes => cell.put(c, at, c.len_utf8()),
            c if c == separator => {
                row.push(std::mem::take(&mut cell));
                is_start = true;
                continue;
            }
            '\n' | '\r' => {
                row.push(std::mem::take(&mut cell));
                push_row(&mut rows, &mut row);
                is_start = true;
                continue;
            }
            ' ' if is_start => continue,
            c => cell.put(c, at, c.len_utf8()),
        }
        is_start = false;
    }
    row.push(cell);
    push_row(&mut rows, &mut row);
    rows
}

fn push_row(rows: &mut Vec<Vec<Inline>>, row: &mut Vec<Inline>) {
    let row = std::mem::take(row);
    if row.iter().any(|cell| !cell.is_blank()) {
        rows.push(row);
    }
}

/// The character that most often parts the cells of the first lines.
fn separator(text: &str) -> char {
    let head = lines(text).take(5).map(|line| line.of(text));
    let mut n = [0_usize; 4];
    const SEPARATORS: [char; 4] = ['\t', ';', '|', ','];
    for line in head {
        let mut in_quotes = false;
        for c in line.chars() {
            in_quotes ^= c == '"';
            if !in_quotes && let Some(at) = SEPARATORS.iter().position(|other| *other == c) {
                n[at] += 1;
            }
        }
    }
    let most = (0..SEPARATORS.len()).rev().max_by_key(|at| n[*at]).unwrap_or(3);
    SEPARATORS[most]
}

/// Each line is a record.
pub(super) fn json_lines(text: &str) -> Vec<Block> {
    lines(text)
        .filter(|line| !line.of(text).trim().is_empty())
        .map(|line| Block { span: Span::new(line.start, line.end), kind: BlockKind::Record })
        .collect()
}

/// The elements of a list of objects are records, such as the messages of a chat. The list is the
/// whole file or, in a file that is one object, the longest list in it. `None` without a list.
pub(super) fn json(text: &str) -> Option<Vec<Block>> {
    /// Longer elements are documents of their own.
    const MAX_BYTES: usize = 4000;
    let lists = lists(text)?;
    let records = lists.into_iter().max_by_key(Vec::len).filter(|list| list.len() > 1)?;
    let n_long = records.iter().filter(|record| record.end - record.start > MAX_BYTES).count();
    if n_long * 10 > records.len() {
        return None;
    }
    let mut blocks = Vec::new();
    let mut start = 0;
    let ends = [Span::new(text.len(), text.len())];
    for record in records.iter().chain(&ends) {
        // What is around the list is code.
        let between = text.get(start..record.start).unwrap_or_default();
        let code = between.trim_matches(|c: char| c.is_whitespace() || c == ',');
        if code.contains(char::is_alphanumeric) {
            let at = start + between.find(code).unwrap_or(0);
            blocks.push(Block { span: Span::new(at, at + code.len()), kind: BlockKind::Code });
        }
        if !record.is_empty() {
            blocks.push(Block { span: *record, kind: BlockKind::Record });
        }
        start = record.end;
    }
    Some(blocks)
}

/// The objects in each list that is not inside another value than the object of the file. `None`
/// for a text whose brackets do not match.
fn lists(text: &str) -> Option<Vec<Vec<Span>>> {
    let mut lists: Vec<Vec<Span>> = Vec::new();
    let mut open: Vec<(u8, usize)> = Vec::new();
    let (mut in_string, mut is_escaped) = (false, false);
    for (at, b) in text.bytes().enumerate() {
        if in_string {
            in_string = is_escaped || b != b'"';
            is_escaped = b == b'\\' && !is_escaped;
            continue;
        }
        match b {
            b'"' => in_string = true,
            b'[' | b'{' => {
                let is_outer = open.is_empty() || (open.len() == 1 && open[0].0 == b'{');
                if b == b'[' && is_outer {
                    lists.push(Vec::new());
                }
                open.push((b, at));
            }
            b']' | b'}' => {
                let (opened, start) = open.pop()?;
                if (opened == b'[') != (b == b']') {
                    return None;
                }
                let in_list = matches!(open.as_slice(), [(b'[', _)] | [(b'{', _), (b'[', _)]);
                if b == b'}' && in_list {
                    lists.last_mut()?.push(Span::new(start, at + 1));
                }
            }
            _ => {}
        }
    }
    open.is_empty().then_some(lists)
}
