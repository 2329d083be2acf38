//! Rows of tables as text.

use super::build::Build;
use crate::strings::StrExt as _;
use crate::strings::shorten;

/// The cells of a row as one line.
pub(super) fn shown_row(cells: &[String]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| cell.one_line()).collect();
    let end = cells.iter().rposition(|cell| !cell.is_empty()).map_or(0, |last| last + 1);
    let mut row = String::new();
    for (n, cell) in cells[..end].iter().enumerate() {
        if n > 0 {
            row.push_str(if row.is_empty() || row.ends_with(' ') { "| " } else { " | " });
        }
        row.push_str(cell);
    }
    row
}

/// Separates what follows, a cell or a row of a table in a cell, from what is in the cell so far.
pub(super) fn separate_nested(cell: &mut String, separator: &str) {
    shorten(cell, cell.trim_end().len());
    if !cell.is_empty() && !cell.ends_with([',', ';']) {
        cell.push_str(separator);
    }
}

/// The text of a merged cell for the rows and columns that it spans, unless it is long.
pub(super) fn repeated(text: &str) -> String {
    const MAX_BYTES: usize = 200;
    if text.len() > MAX_BYTES { String::new() } else { text.to_owned() }
}

/// Longer cells are text of the table rather than the name of a column.
const MAX_NAME_CHARS: usize = 60;

/// Whether a first row looks as if it names the columns: every cell has a short text that is no
/// value, and no two are the same. The corner above the names of the rows may be empty.
pub(super) fn names_columns(first: &[String], next: &[String]) -> bool {
    let width = |cells: &[String]| {
        cells.iter().rposition(|cell| !cell.trim().is_empty()).map_or(0, |last| last + 1)
    };
    let n = width(first);
    if n < 2 || width(next) > n || width(next) < 1 {
        return false;
    }
    let names: Vec<&str> = first[..n].iter().map(|cell| cell.trim()).collect();
    let is_name = |(n, name): (usize, &&str)| {
        let is_short = name.chars().nth(MAX_NAME_CHARS).is_none() && !name.ends_with(['.', ';']);
        let is_year = name.parse::<u16>().is_ok_and(|year| (1900..2100).contains(&year));
        let is_text = name.contains(char::is_alphabetic)
            && !name.starts_with(|c: char| c.is_ascii_digit() || c == '-');
        (n == 0 && name.is_empty()) || (is_short && (is_text || (n > 0 && is_year)))
    };
    names.iter().enumerate().all(is_name)
        && names.iter().enumerate().all(|(n, name)| !names[..n].contains(name))
}

/// A table that is read as a whole.
#[derive(Default)]
pub(super) struct Table {
    pub(super) rows: Vec<Vec<String>>,
    /// Rows that the document marks as header rows.
    pub(super) headers: usize,
}

impl Table {
    /// Writes the table. Without a mark the first row may look like a header row.
    pub(super) fn write(self, build: &mut Build) -> bool {
        let is_empty = |row: &Vec<String>| row.iter().all(|cell| cell.trim().is_empty());
        let marked = self.rows.iter().take(self.headers).filter(|row| !is_empty(row)).count();
        let rows: Vec<&Vec<String>> = self.rows.iter().filter(|row| !is_empty(row)).collect();
        let headers = match rows.as_slice() {
            [first, next, ..] if marked == 0 => usize::from(names_columns(first, next)),
            rows => {
                if marked < rows.len() {
                    marked
                } else {
                    0
                }
            }
        };
        for (n, row) in rows.iter().enumerate() {
            if !build.row(n == 0, &shown_row(row)) {
                return false;
            }
        }
        if !rows.is_empty() {
            build.headers(headers);
        }
        true
    }
}
