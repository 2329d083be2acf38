//! Workbooks of Excel as written from 1997 to 2007 (BIFF8): every visible sheet as a table with one
//! line per row, and values as displayed.

use std::collections::HashMap;

use super::streams::{Streams, latin, part, u16_at, u32_at, u64_at, utf_16};
use super::summary;
use crate::document::Format;
use crate::text::extract::build::Build;
use crate::text::extract::doc::{Extracted, NoText};
use crate::text::extract::office::number;
use crate::text::extract::office::xlsx::Sheet;

/// Columns of a sheet in these workbooks.
const MAX_COLUMNS: usize = 256;

const BOF: u16 = 0x809;
const END: u16 = 0x0A;
const CONTINUE: u16 = 0x3C;
const FILE_PASS: u16 = 0x2F;
const DATE_MODE: u16 = 0x22;
const SHEET: u16 = 0x85;
const STRINGS: u16 = 0xFC;
const FORMAT: u16 = 0x41E;
const CELL_STYLE: u16 = 0xE0;
const ROW: u16 = 0x208;
const COLUMNS: u16 = 0x7D;
const MERGED: u16 = 0xE5;
const SHARED_TEXT: u16 = 0xFD;
const TEXT: u16 = 0x204;
const NUMBER: u16 = 0x203;
const SHORT_NUMBER: u16 = 0x27E;
const SHORT_NUMBERS: u16 = 0xBD;
const FORMULA: u16 = 0x06;
const FORMULA_TEXT: u16 = 0x207;
const BOOL_OR_ERROR: u16 = 0x205;

pub(super) fn xls(streams: &mut Streams<'_>) -> Result<Extracted, NoText> {
    let stream = streams.required("/Workbook")?;
    let book = Book::read(&stream)?;
    let mut build = Build::default();
    for (name, at) in &book.sheets {
        book.sheet(stream.get(*at..).unwrap_or_default()).write(name, &mut build);
    }
    let title = summary::read(streams, &mut build);
    build.finish(Format::Xls, title.as_deref())
}

/// The records up to the end of the current part of the stream; a chart in a sheet is a part of its
/// own, which is left out.
fn records(stream: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let (mut at, mut depth) = (0, 0_usize);
    std::iter::from_fn(move || {
        loop {
            let kind = u16_at(stream, at)?;
            let len = usize::from(u16_at(stream, at + 2)?);
            let content = part(stream, at + 4, len)?;
            at += 4 + len;
            match kind {
                BOF => depth += 1,
                END if depth <= 1 => return None,
                END => depth -= 1,
                _ if depth == 1 => return Some((kind, content)),
                _ => {}
            }
        }
    })
}

#[derive(Default)]
struct Book {
    /// Visible sheets and their offsets.
    sheets: Vec<(String, usize)>,
    strings: Vec<String>,
    /// The format code of each cell style.
    formats: Vec<String>,
    begins_1904: bool,
}

impl Book {
    fn read(stream: &[u8]) -> Result<Self, NoText> {
        let mut book = Self::default();
        let mut own: HashMap<u16, String> = HashMap::new();
        let mut styles = Vec::new();
        let mut strings: Vec<&[u8]> = Vec::new();
        let mut in_strings = false;
        for (kind, content) in records(stream) {
            in_strings = kind == STRINGS || (in_strings && kind == CONTINUE);
            match kind {
                FILE_PASS => return Err(NoText::Encrypted),
                DATE_MODE => book.begins_1904 = u16_at(content, 0) == Some(1),
                SHEET => book.sheets.extend(sheet_entry(content)),
                FORMAT => {
                    let code = part(content, 2, content.len().saturating_sub(2));
                    let code = code.and_then(|code| text(code, 2));
                    own.extend(u16_at(content, 0).zip(code));
                }
                CELL_STYLE => styles.push(u16_at(content, 2).unwrap_or(0)),
                _ if in_strings => strings.push(content),
                _ => {}
            }
        }
        let format = |id: &u16| {
            let built_in = || number::built_in((*id).into()).to_owned();
            own.get(id).cloned().unwrap_or_else(built_in)
        };
        book.formats = styles.iter().map(format).collect();
        book.strings = shared_strings(&strings);
        Ok(book)
    }

    /// The visible cells of a sheet.
    fn sheet(&self, stream: &[u8]) -> Sheet {
        let mut sheet = Sheet::default();
        let mut cells: HashMap<(usize, usize), String> = HashMap::new();
        let mut hidden_rows = std::collections::HashSet::new();
        // The cell of a formula whose text follows, and its style.
        let mut open = None;
        for (kind, content) in records(stream) {
            let field = |at| usize::from(u16_at(content, at).unwrap_or(u16::MAX));
            let at = (field(0), field(2));
            let style = field(4);
            match kind {
                ROW if u16_at(content, 12).is_some_and(|flags| flags & 0x20 > 0) => {
                    hidden_rows.insert(field(0));
                }
                COLUMNS if u16_at(content, 8).is_some_and(|flags| flags & 1 > 0) => {
                    sheet.hidden_columns.push(field(0)..field(2) + 1);
                }
                MERGED => sheet.merged.extend(areas(content)),
                SHARED_TEXT => {
                    let n = u32_at(content, 6).map_or(usize::MAX, |n| n as usize);
                    let text = self.strings.get(n).map_or("", String::as_str);
                    cells.insert(at, number::shown_text(text, self.format(style)));
                }
                TEXT => {
                    let text = content.get(6..).and_then(|rest| text(rest, 2));
                    cells.extend(text.map(|text| (at, text)));
                }
                NUMBER => {
                    let number = u64_at(content, 6).map(f64::from_bits);
                    cells.extend(number.map(|number| (at, self.shown(number, style))));
                }
                SHORT_NUMBER => {
                    let number = u32_at(content, 6).map(short_number);
                    cells.extend(number.map(|number| (at, self.shown(number, style))));
                }
                SHORT_NUMBERS => {
                    let pairs = content.get(4..).unwrap_or_default().chunks_exact(6);
                    for (nth, pair) in pairs.enumerate() {
                        let style = usize::from(u16_at(pair, 0).unwrap_or(0));
                        let number = u32_at(pair, 2).map_or(0.0, short_number);
                        cells.insert((at.0, at.1 + nth), self.shown(number, style));
                    }
                }
                BOOL_OR_ERROR => {
                    let value = (content.get(6).copied(), content.get(7) == Some(&1));
                    cells.insert(at, bool_or_error(value.0.unwrap_or(0), value.1));
                }
                FORMULA => {
                    open = Some((at, style));
                    if let Some(shown) = self.result(content, style) {
                        cells.insert(at, shown);
                    }
                }
                FORMULA_TEXT => {
                    if let (Some((at, style)), Some(text)) = (open.take(), text(content, 2)) {
                        cells.insert(at, number::shown_text(&text, self.format(style)));
                    }
                }
                _ => {}
            }
        }
        let mut found: Vec<((usize, usize), String)> = cells
            .into_iter()
            .filter(|((row, column), text)| {
                !hidden_rows.contains(row) && *column < MAX_COLUMNS && !text.trim().is_empty()
            })
            .collect();
        found.sort_unstable();
        for ((row, column), text) in found {
            if sheet.rows.last().is_none_or(|(last, _)| *last != row) {
                sheet.rows.push((row, Vec::new()));
            }
            if let Some((_, cells)) = sheet.rows.last_mut() {
                cells.resize(column, String::new());
                cells.push(text);
            }
        }
        sheet.rows.extend(hidden_rows.into_iter().map(|row| (row, Vec::new())));
        sheet.rows.sort_unstable_by_key(|(row, _)| *row);
        sheet
    }

    fn format(&self, style: usize) -> &str {
        self.formats.get(style).map_or("General", String::as_str)
    }

    fn shown(&self, number: f64, style: usize) -> String {
        number::shown(number, self.format(style), self.begins_1904)
    }

    /// The cached result of a formula, unless it is a text, which follows.
    fn result(&self, content: &[u8], style: usize) -> Option<String> {
        let value = part(content, 6, 8)?;
        if value[6..] != [0xFF, 0xFF] {
            return Some(self.shown(f64::from_bits(u64_at(value, 0)?), style));
        }
        match value[0] {
            1 => Some(bool_or_error(value[2], false)),
            2 => Some(bool_or_error(value[2], true)),
            _ => None,
        }
    }
}

/// The name and the offset of a visible worksheet.
fn sheet_entry(content: &[u8]) -> Option<(String, usize)> {
    let is_visible_sheet = u16_at(content, 4)? == 0;
    let name = text(content.get(6..)?, 1)?;
    is_visible_sheet.then_some((name, u32_at(content, 0)? as usize))
}

/// The areas of merged cells: rows and columns.
fn areas(content: &[u8]) -> impl Iterator<Item = (std::ops::Range<usize>, std::ops::Range<usize>)> {
    let field = |area: &[u8], at| usize::from(u16_at(area, at).unwrap_or(0));
    content
        .get(2..)
        .unwrap_or_default()
        .chunks_exact(8)
        .map(move |area| (field(area, 0)..field(area, 2) + 1, field(area, 4)..field(area, 6) + 1))
}

/// A number of 30 bits: an integer or the upper half of a float, perhaps in hundredths.
fn short_number(bits: u32) -> f64 {
    let number = if bits & 2 > 0 {
        f64::from(bits.cast_signed() >> 2)
    } else {
        f64::from_bits(u64::from(bits & !3) << 32)
    };
    if bits & 1 > 0 { number / 100.0 } else { number }
}

fn bool_or_error(value: u8, is_error: bool) -> String {
    let text = match (is_error, value) {
        (false, 0) => "FALSE",
        (false, _) => "TRUE",
        (true, 0x00) => "#NULL!",
        (true, 0x07) => "#DIV/0!",
        (true, 0x0F) => "#VALUE!",
        (true, 0x17) => "#REF!",
        (true, 0x1D) => "#NAME?",
        (true, 0x24) => "#NUM!",
        (true, _) => "#N/A",
    };
    text.to_owned()
}

/// A text with its count of characters in `n` bytes.
fn text(content: &[u8], n: usize) -> Option<String> {
    let count = if n == 1 { content.first().copied().map(u16::from) } else { u16_at(content, 0) };
    let count = usize::from(count?);
    let is_wide = content.get(n)? & 1 > 0;
    let chars = content.get(n + 1..)?;
    let len = if is_wide { count * 2 } else { count };
    let chars = &chars[..len.min(chars.len())];
    Some(if is_wide { utf_16(chars) } else { latin(chars) })
}

/// The table of strings, which continues in further records. A string may be divided between two
/// records; its second part then states again whether it is wide.
fn shared_strings(parts: &[&[u8]]) -> Vec<String> {
    let mut strings = Vec::new();
    let mut reader = Parts { parts, at: 8 };
    while let Some(string) = reader.string() {
        strings.push(string);
    }
    strings
}

struct Parts<'a> {
    parts: &'a [&'a [u8]],
    /// Offset in the first part.
    at: usize,
}

impl Parts<'_> {
    fn string(&mut self) -> Option<String> {
        self.open()?;
        let head = self.parts.first()?.get(self.at..)?;
        let (mut count, flags) = (usize::from(u16_at(head, 0)?), *head.get(2)?);
        self.at += 3;
        let mut n_after = 0;
        if flags & 8 > 0 {
            n_after += 4 * usize::from(u16_at(self.parts.first()?, self.at)?);
            self.at += 2;
        }
        if flags & 4 > 0 {
            n_after += u32_at(self.parts.first()?, self.at)? as usize;
            self.at += 4;
        }
        let mut is_wide = flags & 1 > 0;
        let mut text = String::new();
        while count > 0 {
            let rest = self.parts.first()?.get(self.at..).unwrap_or_default();
            let width = if is_wide { 2 } else { 1 };
            let n = count.min(rest.len() / width);
            let chars = &rest[..n * width];
            text.push_str(&if is_wide { utf_16(chars) } else { latin(chars) });
            (self.at, count) = (self.at + n * width, count - n);
            if count > 0 {
                self.parts = self.parts.get(1..)?;
                is_wide = self.parts.first()?.first()? & 1 > 0;
                self.at = 1;
            }
        }
        // Formats and pronunciation, which may go on in the next record.
        while n_after > 0 {
            self.open()?;
            let n = n_after.min(self.parts.first()?.len() - self.at);
            (self.at, n_after) = (self.at + n, n_after - n);
        }
        Some(text)
    }

    /// Continues with the next part at the end of one.
    fn open(&mut self) -> Option<()> {
        while self.parts.first()?.len() <= self.at {
            self.parts = self.parts.get(1..)?;
            self.at = 0;
        }
        Some(())
    }
}
