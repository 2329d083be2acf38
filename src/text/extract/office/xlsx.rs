//! Excel workbooks: every sheet as a table with one line per row, and values as displayed.

use std::collections::HashMap;
use std::ops::Range;

use super::super::build::Build;
use super::super::doc::{BlockKind, Extracted, NoText};
use super::super::table::{names_columns, repeated, shown_row};
use super::super::xml::{self, Node};
use super::archive::{Archive, cell_name};
use super::{drawing, number};
use crate::document::{Format, Location};

/// Maximum columns of a sheet.
pub(crate) const MAX_COLUMNS: usize = 16_384;

pub(super) fn xlsx(bytes: &[u8]) -> Result<Extracted, NoText> {
    let mut archive = Archive::open(bytes)?;
    let properties = archive.core_properties()?;
    let relations = archive.relations("xl/workbook.xml")?;
    let mut sheets = Vec::new();
    let mut begins_1904 = false;
    xml::walk(&archive.required("xl/workbook.xml")?, &mut |node| {
        if let Node::Open(element) = node {
            match element.name.as_str() {
                "sheet" if element.get("state").is_none_or(|state| state == "visible") => {
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
    let formats = match archive.text("xl/styles.xml")? {
        Some(text) => number_formats(&text)?,
        None => Vec::new(),
    };
    let mut build = Build::default();
    let book = Book { strings, formats, begins_1904 };
    for (name, path) in &sheets {
        if let Some(text) = archive.text(path)?
            && book.sheet(&text)?.write(name, &mut build)
        {
            drawing::write(&mut archive, path, &mut build)?;
        }
    }
    properties.write(&mut build);
    build.finish(Format::Xlsx, properties.title())
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

/// The format code of each cell style.
fn number_formats(text: &str) -> Result<Vec<String>, NoText> {
    let mut own: HashMap<String, String> = HashMap::new();
    let mut formats = Vec::new();
    let mut in_cells = false;
    xml::walk(text, &mut |node| {
        match node {
            Node::Open(element) => match element.name.as_str() {
                "numFmt" => {
                    if let (Some(id), Some(code)) =
                        (element.get("numFmtId"), element.get("formatCode"))
                    {
                        own.insert(id.to_owned(), code.to_owned());
                    }
                }
                "cellXfs" => in_cells = true,
                "xf" if in_cells => {
                    let id = element.get("numFmtId").unwrap_or("0");
                    let built_in = || number::built_in(id.parse().unwrap_or(0)).to_owned();
                    formats.push(own.get(id).cloned().unwrap_or_else(built_in));
                }
                _ => {}
            },
            Node::Close("cellXfs") => in_cells = false,
            _ => {}
        }
        true
    })?;
    Ok(formats)
}

struct Book {
    strings: Vec<String>,
    formats: Vec<String>,
    begins_1904: bool,
}

/// The current cell.
#[derive(Default)]
struct Cell {
    column: usize,
    kind: String,
    style: usize,
    /// The cached value, if there is one.
    value: Option<String>,
    formula: String,
}

/// Where the text of an element belongs.
#[derive(Clone, Copy, PartialEq)]
enum Target {
    None,
    Value,
    Formula,
    Margin,
}

impl Book {
    /// The visible rows of a sheet.
    fn sheet(&self, text: &str) -> Result<Sheet, NoText> {
        let mut sheet = Sheet::default();
        let mut cells: Vec<String> = Vec::new();
        let mut cell = Cell::default();
        let (mut row, mut next_row) = (0, 0);
        let (mut target, mut in_reading, mut is_hidden) = (Target::None, false, false);
        xml::walk(text, &mut |node| {
            match node {
                Node::Open(element) => match element.name.as_str() {
                    "col" if is_true(element.get("hidden")) => {
                        let number = |name| element.get(name).and_then(|n| n.parse::<usize>().ok());
                        if let (Some(first @ 1..), Some(last)) = (number("min"), number("max")) {
                            sheet.hidden_columns.push(first - 1..last);
                        }
                    }
                    "row" => {
                        row = element
                            .get("r")
                            .and_then(|r| r.parse::<usize>().ok())
                            .map_or(next_row, |r| r.max(1) - 1);
                        next_row = row + 1;
                        cells.clear();
                        cell.column = usize::MAX;
                        is_hidden = is_true(element.get("hidden"));
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
                            ..Cell::default()
                        };
                    }
                    "v" | "t" if !in_reading => {
                        target = Target::Value;
                        cell.value.get_or_insert_default();
                    }
                    // The pronunciation of the text before it.
                    "rPh" => in_reading = true,
                    "f" => target = Target::Formula,
                    "oddHeader" | "oddFooter" | "evenHeader" | "evenFooter" | "firstHeader"
                    | "firstFooter" => {
                        target = Target::Margin;
                        sheet.margins.push(String::new());
                    }
                    "mergeCell" => sheet.merged.extend(element.get("ref").and_then(area)),
                    _ => {}
                },
                Node::Text(text) => match target {
                    Target::None => {}
                    Target::Value => cell.value.get_or_insert_default().push_str(text),
                    Target::Formula => cell.formula.push_str(text),
                    Target::Margin => {
                        if let Some(margin) = sheet.margins.last_mut() {
                            margin.push_str(text);
                        }
                    }
                },
                Node::Close(closed) => match closed {
                    "v" | "t" | "f" => target = Target::None,
                    _ if target == Target::Margin => target = Target::None,
                    "rPh" => in_reading = false,
                    "c" if cell.column < MAX_COLUMNS && !is_hidden => {
                        let shown = self.shown(&cell);
                        if !shown.trim().is_empty() {
                            if cells.len() <= cell.column {
                                cells.resize(cell.column + 1, String::new());
                            }
                            cells[cell.column] = shown;
                        }
                    }
                    "row" if is_hidden => sheet.rows.push((row, Vec::new())),
                    "row" if !cells.is_empty() => {
                        sheet.rows.push((row, std::mem::take(&mut cells)));
                    }
                    _ => {}
                },
            }
            true
        })?;
        Ok(sheet)
    }

    fn shown(&self, cell: &Cell) -> String {
        let value = cell.value.as_deref().unwrap_or_default();
        if value.is_empty() {
            // A program wrote the formula without calculating it, or it gives an empty text.
            let formula = cell.formula.trim();
            let is_calculated = formula.is_empty() || cell.kind == "str";
            return if is_calculated { String::new() } else { format!("={formula}") };
        }
        let format = self.formats.get(cell.style).map_or("General", String::as_str);
        match cell.kind.as_str() {
            "s" => {
                let n = value.trim().parse::<usize>().ok();
                let text = n.and_then(|n| self.strings.get(n)).map_or("", String::as_str);
                number::shown_text(text, format)
            }
            "b" => if matches!(value.trim(), "1" | "true") { "TRUE" } else { "FALSE" }.to_owned(),
            "n" => match value.trim().parse::<f64>() {
                Ok(number) => number::shown(number, format, self.begins_1904),
                Err(_) => value.to_owned(),
            },
            "str" | "inlineStr" => number::shown_text(value, format),
            // Errors, and dates in ISO 8601.
            _ => value.to_owned(),
        }
    }
}

fn is_true(value: Option<&str>) -> bool {
    matches!(value, Some("1" | "true"))
}

/// The visible part of a sheet.
#[derive(Default)]
pub(crate) struct Sheet {
    /// In order, by their number. A hidden row has no cells.
    pub(crate) rows: Vec<(usize, Vec<String>)>,
    pub(crate) hidden_columns: Vec<Range<usize>>,
    /// The codes of headers and footers of printed pages.
    margins: Vec<String>,
    /// Rows and columns.
    pub(crate) merged: Vec<(Range<usize>, Range<usize>)>,
}

/// Maximum cells that are looked at to fill merged cells.
const MAX_MERGED: usize = 1 << 22;

impl Sheet {
    /// Repeats the text of a merged cell beside each row that it spans, and above each column that
    /// it spans unless it is a title of the whole table.
    fn fill_merged(&mut self) {
        let mut n_filled = 0;
        for (rows, columns) in std::mem::take(&mut self.merged) {
            let at = self.rows.partition_point(|(row, _)| *row < rows.start);
            let Some((row, cells)) = self.rows.get(at) else { continue };
            let text = repeated(cells.get(columns.start).map_or("", String::as_str));
            if *row != rows.start || text.trim().is_empty() {
                continue;
            }
            let is_beside = |cells: &[String]| {
                let outside =
                    |(n, cell): (usize, &String)| !columns.contains(&n) && !cell.trim().is_empty();
                cells.iter().enumerate().any(outside)
            };
            for (row, cells) in &mut self.rows[at..] {
                n_filled += cells.len() + 1;
                if !rows.contains(row) || n_filled > MAX_MERGED {
                    break;
                }
                if !is_beside(cells) {
                    continue;
                }
                let last = columns.end.min(MAX_COLUMNS);
                if cells.len() < last {
                    cells.resize(last, String::new());
                }
                for cell in &mut cells[columns.start.min(last)..last] {
                    cell.clone_from(&text);
                }
            }
        }
    }

    fn hide_columns(&mut self) {
        self.hidden_columns.truncate(MAX_COLUMNS);
        let mut is_hidden = vec![false; MAX_COLUMNS];
        for columns in &self.hidden_columns {
            let end = columns.end.min(MAX_COLUMNS);
            is_hidden[columns.start.min(end)..end].fill(true);
        }
        for (_, cells) in &mut self.rows {
            let hidden = is_hidden.iter().zip(cells.iter_mut()).filter(|(hidden, _)| **hidden);
            hidden.for_each(|(_, cell)| cell.clear());
        }
    }

    pub(crate) fn write(mut self, name: &str, build: &mut Build) -> bool {
        self.fill_merged();
        if !self.hidden_columns.is_empty() {
            self.hide_columns();
        }
        let is_empty = |cells: &[String]| cells.iter().all(|cell| cell.trim().is_empty());
        self.rows.retain(|(_, cells)| cells.is_empty() || !is_empty(cells));
        let mut margins: Vec<String> =
            self.margins.iter().flat_map(|code| margin_texts(code)).collect();
        margins.dedup();
        write_sheet(name, &self.rows, build)
            && (self.rows.is_empty()
                || margins.iter().all(|text| build.block(BlockKind::Paragraph, text)))
    }
}

/// Writes a sheet: each run of rows without an empty row between them is a table. Rows without
/// cells are hidden: the rows around them are of one table.
pub(super) fn write_sheet(name: &str, rows: &[(usize, Vec<String>)], build: &mut Build) -> bool {
    if let Some((row, cells)) = rows.iter().find(|(_, cells)| !cells.is_empty()) {
        let first = cells.iter().position(|cell| !cell.trim().is_empty()).unwrap_or(0);
        build.place(Location::Sheet(name.to_owned(), cell_name(first, *row)));
        build.heading(1, name);
    }
    rows.chunk_by(|(row, _), (next, _)| row + 1 >= *next).all(|rows| {
        let rows: Vec<_> = rows.iter().filter(|(_, cells)| !cells.is_empty()).collect();
        write_rows(name, &rows, build)
    })
}

/// Writes adjacent rows. Empty columns before the table are left out.
fn write_rows(name: &str, rows: &[&(usize, Vec<String>)], build: &mut Build) -> bool {
    let start = |cells: &[String]| cells.iter().position(|cell| !cell.trim().is_empty());
    let n_cells = |cells: &[String]| cells.iter().filter(|cell| !cell.trim().is_empty()).count();
    let is_wide = rows.iter().any(|(_, cells)| n_cells(cells) > 1);
    // Lines above the table, such as its title.
    let n_lines =
        if is_wide { rows.iter().take_while(|(_, cells)| n_cells(cells) == 1).count() } else { 0 };
    let (lines, rows) = rows.split_at(n_lines);
    for (row, cells) in lines {
        let first = start(cells).unwrap_or(0);
        build.place(Location::Sheet(name.to_owned(), cell_name(first, *row)));
        if !build.block(BlockKind::Paragraph, &shown_row(&cells[first..])) {
            return false;
        }
    }
    let left = rows.iter().filter_map(|(_, cells)| start(cells)).min().unwrap_or(0);
    let next = rows.get(1).map_or(&[][..], |(_, cells)| &cells[left.min(cells.len())..]);
    let has_header = rows.first().is_some_and(|(_, cells)| names_columns(&cells[left..], next));
    for (n, (row, cells)) in rows.iter().enumerate() {
        let first = start(cells).unwrap_or(0);
        build.place(Location::Sheet(name.to_owned(), cell_name(first, *row)));
        if !build.row(n == 0, &shown_row(&cells[left..])) {
            return false;
        }
    }
    build.headers(usize::from(has_header));
    true
}

/// The texts of a header or a footer, which has a left, a middle and a right part. Codes such as
/// `&B` and `&"Arial"` set the type; a part with the number of the page is left out.
fn margin_texts(code: &str) -> Vec<String> {
    let (mut parts, mut has_number) = (vec![String::new()], vec![false]);
    let mut chars = code.chars().peekable();
    while let Some(c) = chars.next() {
        let last = parts.len() - 1;
        match if c == '&' { chars.next() } else { None } {
            None => parts[last].push(c),
            Some('&') => parts[last].push('&'),
            Some('L' | 'C' | 'R') => {
                parts.push(String::new());
                has_number.push(false);
            }
            Some('P' | 'N') => has_number[last] = true,
            Some('"') => while chars.next().is_some_and(|c| c != '"') {},
            Some('K') => chars.by_ref().take(6).for_each(drop),
            Some(digit) if digit.is_ascii_digit() => {
                while chars.next_if(char::is_ascii_digit).is_some() {}
            }
            Some(_) => {}
        }
    }
    let parts = parts.into_iter().zip(has_number);
    parts
        .filter(|(text, has_number)| !has_number && text.contains(char::is_alphanumeric))
        .map(|(text, _)| text.trim().to_owned())
        .collect()
}

/// The area of a reference such as `A1:B4`: rows and columns.
fn area(reference: &str) -> Option<(Range<usize>, Range<usize>)> {
    let (first, last) = reference.split_once(':')?;
    let row = |cell: &str| {
        cell.trim_start_matches(|c: char| c.is_ascii_alphabetic()).parse::<usize>().ok()
    };
    let rows = row(first)?.checked_sub(1)?..row(last)?;
    let columns = column_of(first)..column_of(last).checked_add(1)?;
    (columns.start < MAX_COLUMNS && !rows.is_empty() && !columns.is_empty())
        .then_some((rows, columns))
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
    fn headers_of_printed_pages_have_no_codes() {
        let code = "&L&\"Arial,Bold\"&12Ward && Sons&CRev. 7 of &D&RPage &P of &N";
        assert_eq!(margin_texts(code), ["Ward & Sons", "Rev. 7 of"]);
    }

    #[test]
    fn references_have_columns() {
        assert_eq!(["A1", "Z9", "AA1", "XFD1048576"].map(column_of), [0, 25, 26, 16_383]);
        assert!(column_of("7") >= MAX_COLUMNS);
    }
}
