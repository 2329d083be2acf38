//! Excel workbooks: every sheet as a table with one line per row, and values as displayed.

use std::collections::HashMap;

use jiff::{ToSpan as _, civil};

use super::super::build::Build;
use super::super::doc::{Extracted, NoText};
use super::super::xml::{self, Node};
use super::archive::{Archive, cell_name, shown_row};
use crate::document::{Format, Location};

/// Maximum columns of a sheet.
const MAX_COLUMNS: usize = 16_384;

pub(super) fn xlsx(bytes: &[u8]) -> Result<Extracted, NoText> {
    let mut archive = Archive::open(bytes)?;
    let (title, author) = archive.core_properties()?;
    let relations = archive.relations("xl/workbook.xml")?;
    let mut sheets = Vec::new();
    let mut begins_1904 = false;
    xml::walk(&archive.required("xl/workbook.xml")?, &mut |node| {
        if let Node::Open(element) = node {
            match element.name.as_str() {
                "sheet" => {
                    let path = element
                        .get("r:id")
                        .and_then(|id| relations.get(id))
                        .map(|(_, path)| path.clone());
                    sheets.extend(
                        path.map(|path| (element.get("name").unwrap_or_default().to_owned(), path)),
                    );
                }
                "workbookPr" => begins_1904 = matches!(element.get("date1904"), Some("1" | "true")),
                _ => {}
            }
        }
        true
    })?;
    let strings = match archive.text("xl/sharedStrings.xml")? {
        Some(text) => shared_strings(&text)?,
        None => Vec::new(),
    };
    let kinds = match archive.text("xl/styles.xml")? {
        Some(text) => number_kinds(&text)?,
        None => Vec::new(),
    };
    let mut build = Build::default();
    for (name, path) in &sheets {
        if let Some(text) = archive.text(path)? {
            let book = Book { strings: &strings, kinds: &kinds, begins_1904 };
            book.sheet(name, &text, &mut build)?;
        }
    }
    build.metadata("author", author.as_deref().unwrap_or_default());
    build.finish(Format::Xlsx, title.as_deref())
}

fn shared_strings(text: &str) -> Result<Vec<String>, NoText> {
    let mut strings: Vec<String> = Vec::new();
    let (mut in_text, mut in_reading) = (false, false);
    xml::walk(text, &mut |node| {
        match node {
            Node::Open(element) => match element.name.as_str() {
                "si" => strings.push(String::new()),
                // The pronunciation of the text before it.
                "rPh" => in_reading = true,
                "t" => in_text = !in_reading,
                _ => {}
            },
            Node::Close("t") => in_text = false,
            Node::Close("rPh") => in_reading = false,
            Node::Text(text) if in_text => {
                if let Some(string) = strings.last_mut() {
                    string.push_str(text);
                }
            }
            _ => {}
        }
        true
    })?;
    Ok(strings)
}

/// How a number is displayed.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Number,
    Percent,
    Date,
    Time,
    DateTime,
}

/// The kind of each cell style.
fn number_kinds(text: &str) -> Result<Vec<Kind>, NoText> {
    let mut own: HashMap<String, Kind> = HashMap::new();
    let mut kinds = Vec::new();
    let mut in_cells = false;
    xml::walk(text, &mut |node| {
        match node {
            Node::Open(element) => match element.name.as_str() {
                "numFmt" => {
                    if let (Some(id), Some(code)) =
                        (element.get("numFmtId"), element.get("formatCode"))
                    {
                        own.insert(id.to_owned(), kind_of(code));
                    }
                }
                "cellXfs" => in_cells = true,
                "xf" if in_cells => {
                    let id = element.get("numFmtId").unwrap_or("0");
                    let known = match id.parse::<u32>() {
                        Ok(9 | 10) => Kind::Percent,
                        Ok(14..=17 | 27..=31 | 36 | 50..=58) => Kind::Date,
                        Ok(18..=21 | 32..=35 | 45..=47) => Kind::Time,
                        Ok(22) => Kind::DateTime,
                        _ => Kind::Number,
                    };
                    kinds.push(own.get(id).copied().unwrap_or(known));
                }
                _ => {}
            },
            Node::Close("cellXfs") => in_cells = false,
            _ => {}
        }
        true
    })?;
    Ok(kinds)
}

/// The kind of a format code.
fn kind_of(code: &str) -> Kind {
    let (mut has_date, mut has_time, mut has_percent) = (false, false, false);
    let (mut in_quotes, mut in_brackets, mut is_escaped) = (false, false, false);
    for c in code.split(';').next().unwrap_or_default().chars() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' | '_' | '*' => is_escaped = true,
            '"' => in_quotes = !in_quotes,
            _ if in_quotes => {}
            '[' => in_brackets = true,
            ']' => in_brackets = false,
            'h' | 's' | 'H' | 'S' => has_time = true,
            _ if in_brackets => {}
            'y' | 'd' | 'Y' | 'D' => has_date = true,
            '%' => has_percent = true,
            _ => {}
        }
    }
    match (has_date, has_time) {
        (true, true) => Kind::DateTime,
        (true, false) => Kind::Date,
        (false, true) => Kind::Time,
        (false, false) if has_percent => Kind::Percent,
        (false, false) => Kind::Number,
    }
}

struct Book<'a> {
    strings: &'a [String],
    kinds: &'a [Kind],
    begins_1904: bool,
}

/// The current cell.
#[derive(Default)]
struct Cell {
    column: usize,
    kind: String,
    style: usize,
    value: String,
}

impl Book<'_> {
    fn sheet(&self, name: &str, text: &str, build: &mut Build) -> Result<(), NoText> {
        let mut cells: Vec<String> = Vec::new();
        let mut cell = Cell::default();
        let (mut row, mut next_row, mut in_value) = (0, 0, false);
        let mut last_row = None;
        let mut is_named = false;
        xml::walk(text, &mut |node| {
            match node {
                Node::Open(element) => match element.name.as_str() {
                    "row" => {
                        row = element
                            .get("r")
                            .and_then(|r| r.parse::<usize>().ok())
                            .map_or(next_row, |r| r.max(1) - 1);
                        next_row = row + 1;
                        cells.clear();
                        cell.column = usize::MAX;
                    }
                    "c" => {
                        let column = element.get("r").map(column_of);
                        cell = Cell {
                            column: column.unwrap_or_else(|| cell.column.wrapping_add(1)),
                            kind: element.get("t").unwrap_or("n").to_owned(),
                            style: element
                                .get("s")
                                .and_then(|s| s.parse().ok())
                                .unwrap_or(usize::MAX),
                            value: String::new(),
                        };
                    }
                    "v" | "t" => in_value = true,
                    _ => {}
                },
                Node::Text(text) => {
                    if in_value {
                        cell.value.push_str(text);
                    }
                }
                Node::Close(closed) => match closed {
                    "v" | "t" => in_value = false,
                    "c" if cell.column < MAX_COLUMNS => {
                        if cells.len() <= cell.column {
                            cells.resize(cell.column + 1, String::new());
                        }
                        cells[cell.column] = self.shown(&cell);
                    }
                    "row" => {
                        let Some(first) = cells.iter().position(|cell| !cell.trim().is_empty())
                        else {
                            return true;
                        };
                        if !is_named {
                            build.place(Location::Sheet(name.to_owned(), cell_name(first, row)));
                            build.heading(1, name);
                            is_named = true;
                        }
                        // Empty columns before the table are left out.
                        let begins = last_row.is_none_or(|last: usize| last + 1 < row);
                        last_row = Some(row);
                        build.place(Location::Sheet(name.to_owned(), cell_name(first, row)));
                        return build.row(begins, &shown_row(&cells[first..]));
                    }
                    _ => {}
                },
            }
            true
        })
    }

    fn shown(&self, cell: &Cell) -> String {
        match cell.kind.as_str() {
            "s" => cell
                .value
                .trim()
                .parse::<usize>()
                .ok()
                .and_then(|n| self.strings.get(n))
                .cloned()
                .unwrap_or_default(),
            "b" => if cell.value.trim() == "1" { "TRUE" } else { "FALSE" }.to_owned(),
            "n" => match (cell.value.trim().parse::<f64>(), self.kinds.get(cell.style)) {
                (Ok(number), Some(kind)) => self.number(number, *kind),
                (Ok(number), None) => self.number(number, Kind::Number),
                (Err(_), _) => cell.value.clone(),
            },
            _ => cell.value.clone(),
        }
    }

    fn number(&self, number: f64, kind: Kind) -> String {
        let rounded = |n: f64| {
            // Spreadsheets have fifteen digits.
            let exact: f64 = format!("{n:.14e}").parse().unwrap_or(n);
            exact.to_string()
        };
        let is_day = (0.0..2_958_466.0).contains(&number);
        match kind {
            Kind::Percent => format!("{}%", rounded(number * 100.0)),
            Kind::Date | Kind::DateTime | Kind::Time if is_day => {
                let seconds = (number.fract() * 86_400.0).round() as u64;
                let time =
                    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
                let date = date(number as i64 + if self.begins_1904 { 1462 } else { 0 });
                match kind {
                    Kind::Date => date,
                    Kind::DateTime => format!("{date} {time}"),
                    _ => time,
                }
            }
            _ => rounded(number),
        }
    }
}

/// The ISO 8601 date of a day, which spreadsheets count from the end of 1899.
fn date(serial: i64) -> String {
    // Spreadsheets treat 1900 as a leap year, so days before March 1900 are off by one.
    let days = serial + i64::from(serial < 60);
    civil::date(1899, 12, 30).saturating_add(days.days()).to_string()
}

/// The column of a reference such as `B4`, from 0; beyond all columns when it is invalid.
fn column_of(reference: &str) -> usize {
    let letters = reference.bytes().take_while(u8::is_ascii_alphabetic).take(4);
    letters
        .fold(0, |n, letter| n * 26 + usize::from(letter.to_ascii_uppercase() - b'A') + 1)
        .wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_days_are_dates() {
        let dates =
            [(1, "1900-01-01"), (61, "1900-03-01"), (25_569, "1970-01-01"), (45_351, "2024-02-29")];
        for (serial, expected) in dates {
            assert_eq!(date(serial), expected);
        }
    }

    #[test]
    fn format_codes_have_kinds() {
        assert!(kind_of("yyyy-mm-dd") == Kind::Date && kind_of("[h]:mm") == Kind::Time);
        assert!(kind_of("0.00%") == Kind::Percent && kind_of("#,##0 \"days\"") == Kind::Number);
        assert!(
            kind_of("[Red]0.00") == Kind::Number && kind_of("dd/mm/yy hh:mm") == Kind::DateTime
        );
    }

    #[test]
    fn references_have_columns() {
        assert_eq!(["A1", "Z9", "AA1", "XFD1048576"].map(column_of), [0, 25, 26, 16_383]);
        assert!(column_of("7") >= MAX_COLUMNS);
    }
}
