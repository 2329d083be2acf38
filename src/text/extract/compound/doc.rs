//! Documents of Word as written from 1997 to 2007: headings, lists, tables, notes.
//!
//! The text is in pieces anywhere in the file. Properties of characters and paragraphs are in pages
//! of 512 bytes, by the place of the text in the file.

use std::collections::HashSet;
use std::ops::Range;

use super::streams::{Streams, latin, part, u16_at, u32_at, utf_16};
use super::summary;
use crate::document::Format;
use crate::strings::StrExt as _;
use crate::text::extract::build::Build;
use crate::text::extract::doc::{BlockKind, Extracted, NoText};
use crate::text::extract::table::Table;

/// Characters of one document: what Word itself accepts.
const MAX_CHARS: usize = 32 << 20;

pub(super) fn doc(streams: &mut Streams<'_>) -> Result<Extracted, NoText> {
    let main = streams.required("/WordDocument")?;
    let damaged = || NoText::Damaged("its text is not where it says".into());
    let flags = u16_at(&main, 0x0A).ok_or_else(damaged)?;
    if flags & 0x100 > 0 {
        return Err(NoText::Encrypted);
    }
    if u16_at(&main, 2).is_none_or(|version| version < 0xC1) {
        return Err(NoText::Unsupported("a Word file of before 1997".into()));
    }
    let table = if flags & 0x200 > 0 { "/1Table" } else { "/0Table" };
    let table = streams.required(table)?;
    let file = File { main: &main, table: &table };
    let mut build = Build::default();
    let mut reader = Reader {
        chars: file.chars().ok_or_else(damaged)?,
        paragraphs: file.runs(0x102, paragraph_style),
        hidden: file.runs(0xFA, is_hidden).into_iter().filter(|run| run.1).collect(),
        title: None,
        table: Table::default(),
        row: Vec::new(),
        cell: String::new(),
        is_in_table: false,
    };
    let mut at = 0_usize;
    // The lengths of the parts: main text, notes, headers, macros, comments, endnotes, text boxes.
    for field in [0x4C, 0x50, 0x54, 0x58, 0x5C, 0x60, 0x64] {
        let len = u32_at(&main, field).unwrap_or(0) as usize;
        let part = at..at.saturating_add(len).min(reader.chars.len());
        at = part.end;
        match field {
            0x54 => reader.furniture(part, &mut build),
            0x58 | 0x5C => {}
            _ => reader.part(part, &mut build),
        }
    }
    let title = summary::read(streams, &mut build).or(reader.title);
    build.finish(Format::Doc, title.as_deref())
}

struct File<'a> {
    main: &'a [u8],
    table: &'a [u8],
}

impl File<'_> {
    /// A part of the table stream, by the field with its offset and length.
    fn part(&self, field: usize) -> Option<&[u8]> {
        let (at, len) = (u32_at(self.main, field)?, u32_at(self.main, field + 4)?);
        part(self.table, at as usize, len as usize)
    }

    /// The characters with their places in the file.
    fn chars(&self) -> Option<Vec<(char, u32)>> {
        let mut pieces = self.part(0x1A2)?;
        // Changes of properties come first.
        while pieces.first() == Some(&1) {
            pieces = pieces.get(3 + usize::from(u16_at(pieces, 1)?)..)?;
        }
        let pieces = pieces.get(5..).filter(|_| pieces.first() == Some(&2))?;
        let n = pieces.len().saturating_sub(4) / 12;
        let mut chars = Vec::new();
        for nth in 0..n {
            let (from, to) = (u32_at(pieces, 4 * nth)?, u32_at(pieces, 4 * nth + 4)?);
            let place = u32_at(pieces, 4 * (n + 1) + 8 * nth + 2)?;
            let len = to.checked_sub(from)? as usize;
            if chars.len() + len > MAX_CHARS {
                return None;
            }
            let is_narrow = place & 0x4000_0000 > 0;
            let start = place & 0x3FFF_FFFF;
            if is_narrow {
                let text = part(self.main, start as usize / 2, len)?;
                let places = (start / 2..).step_by(1);
                // A byte is one character in this code page.
                chars.extend(latin(text).chars().zip(places));
            } else {
                let text = utf_16(part(self.main, start as usize, len.checked_mul(2)?)?);
                let mut place = start;
                for c in text.chars() {
                    // Positions count units of UTF-16.
                    for nth in 0..c.len_utf16() {
                        chars.push((if nth == 0 { c } else { '\u{1}' }, place));
                        place += 2;
                    }
                }
            }
        }
        Some(chars)
    }

    /// Properties by runs of places in the file, in order: those of characters or paragraphs.
    fn runs<T>(&self, field: usize, read: fn(&[u8], usize) -> T) -> Vec<(Range<u32>, T)> {
        let mut runs = Vec::new();
        let index = self.part(field).unwrap_or_default();
        let n = index.len().saturating_sub(4) / 8;
        for nth in 0..n {
            let page = u32_at(index, 4 * (n + 1) + 4 * nth).unwrap_or(0) as usize & 0x3F_FFFF;
            let Some(page) = part(self.main, page * 512, 512) else { continue };
            let count = usize::from(page[511]);
            for run in 0..count {
                let (from, to) = (u32_at(page, 4 * run), u32_at(page, 4 * run + 4));
                if let (Some(from), Some(to)) = (from, to) {
                    runs.push((from..to, read(page, run)));
                }
            }
        }
        runs.sort_by_key(|(places, _)| places.start);
        runs
    }
}

/// What is known of a paragraph.
#[derive(Clone, Copy, Default)]
struct Style {
    /// The number of its style; 1 to 9 are headings.
    number: u16,
    level: Option<u8>,
    is_item: bool,
    indent: usize,
    is_in_table: bool,
    ends_row: bool,
}

/// The style of the paragraphs of a run in a page of properties.
fn paragraph_style(page: &[u8], run: usize) -> Style {
    let count = usize::from(page[511]);
    let at = 2 * usize::from(page.get(4 * (count + 1) + 13 * run).copied().unwrap_or(0));
    let (len, start) = match (page.get(at), page.get(at + 1)) {
        _ if at == 0 => return Style::default(),
        (Some(0), Some(words)) => (2 * usize::from(*words), at + 2),
        (Some(words), _) => ((2 * usize::from(*words)).saturating_sub(1), at + 1),
        _ => return Style::default(),
    };
    let Some(properties) = part(page, start, len) else { return Style::default() };
    let mut style = Style { number: u16_at(properties, 0).unwrap_or(0), ..Style::default() };
    for (code, value) in changes(properties.get(2..).unwrap_or_default()) {
        let first = value.first().copied().unwrap_or(0);
        match code {
            0x2416 => style.is_in_table = first > 0,
            0x2417 => style.ends_row = first > 0,
            0x2640 => style.level = Some(first).filter(|level| *level < 9),
            0x260A => style.indent = usize::from(first.min(8)),
            0x460B => style.is_item = u16_at(value, 0).is_some_and(|list| list > 0),
            _ => {}
        }
    }
    style
}

/// Whether the characters of a run in a page of properties are hidden or deleted.
fn is_hidden(page: &[u8], run: usize) -> bool {
    let count = usize::from(page[511]);
    let at = 2 * usize::from(page.get(4 * (count + 1) + run).copied().unwrap_or(0));
    let len = usize::from(page.get(at).copied().unwrap_or(0));
    let properties = part(page, at + 1, len).filter(|_| at > 0).unwrap_or_default();
    changes(properties)
        .any(|(code, value)| matches!(code, 0x083C | 0x0800) && value.first() == Some(&1))
}

/// The codes of properties and their values.
fn changes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let code = u16_at(bytes, 0)?;
        let (skip, len) = match (code, code >> 13) {
            (0xD608, _) => (4, usize::from(u16_at(bytes, 2)?).saturating_sub(1)),
            (_, 0 | 1) => (2, 1),
            (_, 2 | 4 | 5) => (2, 2),
            (_, 3) => (2, 4),
            (_, 7) => (2, 3),
            _ => (3, usize::from(*bytes.get(2)?)),
        };
        let value = part(bytes, skip, len)?;
        bytes = &bytes[skip + len..];
        Some((code, value))
    })
}

/// The value of the run that a place is in.
fn at_place<T: Copy + Default>(runs: &[(Range<u32>, T)], place: u32) -> T {
    let n = runs.partition_point(|(places, _)| places.start <= place);
    let run = runs[..n].last().filter(|(places, _)| places.contains(&place));
    run.map(|(_, value)| *value).unwrap_or_default()
}

struct Reader {
    chars: Vec<(char, u32)>,
    paragraphs: Vec<(Range<u32>, Style)>,
    hidden: Vec<(Range<u32>, bool)>,
    title: Option<String>,
    table: Table,
    row: Vec<String>,
    cell: String,
    is_in_table: bool,
}

impl Reader {
    /// The visible text of each paragraph, with the mark at its end and its style.
    fn paragraphs(&self, part: Range<usize>) -> Vec<(String, char, Style)> {
        let mut found = Vec::new();
        let mut text = String::new();
        // For each open field, whether its result follows.
        let mut fields: Vec<bool> = Vec::new();
        for &(c, place) in self.chars.get(part).unwrap_or_default() {
            let is_shown = fields.iter().all(|has_result| *has_result);
            match c {
                '\u{13}' => fields.push(false),
                '\u{14}' => {
                    if let Some(field) = fields.last_mut() {
                        *field = true;
                    }
                }
                '\u{15}' => drop(fields.pop()),
                '\r' | '\u{7}' | '\u{c}' => {
                    let style = at_place(&self.paragraphs, place);
                    found.push((std::mem::take(&mut text), c, style));
                }
                _ if !is_shown || at_place(&self.hidden, place) => {}
                '\u{b}' => text.push('\n'),
                '\u{1e}' => text.push('-'),
                // Marks of notes, pictures and comments, and optional hyphens.
                '\u{1}'..='\u{8}' | '\u{e}'..='\u{1f}' => {}
                c => text.push(c),
            }
        }
        if !text.trim().is_empty() {
            found.push((text, '\r', Style::default()));
        }
        found
    }

    fn part(&mut self, part: Range<usize>, build: &mut Build) {
        for (text, mark, style) in self.paragraphs(part) {
            if mark == '\u{7}' || style.is_in_table {
                self.is_in_table = true;
                self.in_table(&text, mark, style);
                continue;
            }
            self.end_table(build);
            let level = match style.number {
                1..=9 => u8::try_from(style.number).ok(),
                _ => style.level.map(|level| level + 1),
            };
            let text = text.trim();
            match level {
                _ if text.is_empty() => {}
                Some(level) => build.heading(level, text),
                // The style of titles.
                None if style.number == 62 && self.title.is_none() => {
                    self.title = Some(text.to_owned());
                    build.heading(1, text);
                }
                None if style.is_item => {
                    let indent = "  ".repeat(style.indent);
                    build.block(BlockKind::ListItem, &format!("{indent}- {text}"));
                }
                None => drop(build.block(BlockKind::Paragraph, text)),
            }
        }
        self.end_table(build);
    }

    /// A paragraph of a cell; the last of a row is the mark of its end.
    fn in_table(&mut self, text: &str, mark: char, style: Style) {
        if style.ends_row {
            let row = std::mem::take(&mut self.row);
            self.table.rows.push(row);
            return;
        }
        if !self.cell.is_empty() {
            self.cell.push(' ');
        }
        self.cell.push_str(text.trim());
        if mark == '\u{7}' {
            self.row.push(std::mem::take(&mut self.cell));
        }
    }

    fn end_table(&mut self, build: &mut Build) {
        if std::mem::take(&mut self.is_in_table) {
            if !self.row.is_empty() {
                self.table.rows.push(std::mem::take(&mut self.row));
            }
            std::mem::take(&mut self.table).write(build);
        }
    }

    /// Headers and footers, each once; a number alone is that of the page.
    fn furniture(&mut self, part: Range<usize>, build: &mut Build) {
        let mut seen = HashSet::new();
        for (text, ..) in self.paragraphs(part) {
            let text = text.one_line();
            if text.contains(char::is_alphabetic) && seen.insert(text.clone()) {
                build.block(BlockKind::Paragraph, &text);
            }
        }
    }
}
