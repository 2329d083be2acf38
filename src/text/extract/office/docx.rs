//! Word documents: paragraphs with their numbers, tables, notes, headers and footers as a reader
//! sees them. Headings are known by their styles; hidden and deleted text is left out.

use std::collections::{HashMap, HashSet};

use super::super::build::Build;
use super::super::doc::{BlockKind, Extracted, NoText};
use super::super::scripts::raised;
use super::super::symbol_font;
use super::super::table::{Table, repeated, separate_nested};
use super::super::xml::{self, Node};
use super::archive::Archive;
use super::drawing;
use super::numbering::{Mark, Numbering};
use crate::document::Format;
use crate::strings::StrExt as _;

pub(super) fn docx(bytes: &[u8]) -> Result<Extracted, NoText> {
    let mut archive = Archive::open(bytes)?;
    let properties = archive.core_properties()?;
    let styles = Styles::read(&archive.text("word/styles.xml")?.unwrap_or_default())?;
    let numbering = Numbering::read(&archive.text("word/numbering.xml")?.unwrap_or_default())?;
    let mut walker = Walker { styles, numbering, ..Walker::default() };
    for part in ["word/footnotes.xml", "word/endnotes.xml"] {
        walker.part(Part::Notes, &archive.text(part)?.unwrap_or_default())?;
    }
    let mut furniture: Vec<(String, String)> = archive
        .relations("word/document.xml")?
        .into_values()
        .filter(|(kind, _)| matches!(kind.as_str(), "header" | "footer"))
        .collect();
    furniture.sort();
    let (headers, footers): (Vec<_>, Vec<_>) =
        furniture.into_iter().partition(|(kind, _)| kind == "header");
    for (_, path) in &headers {
        walker.part(Part::Furniture, &archive.text(path)?.unwrap_or_default())?;
    }
    walker.part(Part::Body, &archive.required("word/document.xml")?)?;
    drawing::write(&mut archive, "word/document.xml", &mut walker.build)?;
    for (_, path) in &footers {
        walker.part(Part::Furniture, &archive.text(path)?.unwrap_or_default())?;
    }
    let mut build = walker.build;
    properties.write(&mut build);
    build.finish(Format::Docx, properties.title().or(walker.title.as_deref()))
}

/// A style of paragraphs or characters.
#[derive(Clone, Debug, Default)]
struct Style {
    based_on: Option<String>,
    /// Of a heading; 0 is the title.
    level: Option<u8>,
    list: Option<String>,
    list_level: Option<usize>,
    is_hidden: Option<bool>,
}

#[derive(Debug, Default)]
struct Styles(HashMap<String, Style>);

/// Maximum styles that a style is based on, one on another.
const MAX_BASES: usize = 16;

impl Styles {
    fn read(text: &str) -> Result<Self, NoText> {
        let mut styles = Self::default();
        let mut id = None::<String>;
        xml::walk(text, &mut |node| {
            let element = match node {
                Node::Open(element) => element,
                Node::Close("style") => {
                    id = None;
                    return true;
                }
                _ => return true,
            };
            if element.name == "style" {
                id = element.get("styleId").map(str::to_owned);
            }
            let Some(style) = id.as_ref().map(|id| styles.0.entry(id.clone()).or_default()) else {
                return true;
            };
            let value = element.get("val").unwrap_or_default();
            match element.name.as_str() {
                "name" => {
                    let name = value.to_lowercase();
                    let number = name.strip_prefix("heading ").and_then(|n| n.trim().parse().ok());
                    style.level = if name == "title" { Some(0) } else { number };
                }
                "basedOn" => style.based_on = Some(value.to_owned()),
                "outlineLvl" if style.level.is_none() => style.level = outline_level(value),
                "numId" => style.list = Some(value.to_owned()),
                "ilvl" => style.list_level = value.parse().ok(),
                "vanish" => style.is_hidden = Some(is_on(element)),
                _ => {}
            }
            true
        })?;
        Ok(styles)
    }

    /// What a style states, or else the first style that it is based on.
    fn find<T>(&self, id: &str, property: impl Fn(&str, &Style) -> Option<T>) -> Option<T> {
        let mut id = id;
        for _ in 0..MAX_BASES {
            let style = self.0.get(id)?;
            if let Some(found) = property(id, style) {
                return Some(found);
            }
            id = style.based_on.as_deref()?;
        }
        None
    }
}

fn outline_level(value: &str) -> Option<u8> {
    value.parse::<u8>().ok().filter(|level| *level < 9).map(|level| level + 1)
}

/// The value of a property such as bold, which is on when it is not stated.
fn is_on(element: &xml::Element) -> bool {
    !matches!(element.get("val"), Some("0" | "false" | "off"))
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Part {
    #[default]
    Body,
    /// Headers and footers: each text is read once.
    Furniture,
    Notes,
}

#[derive(Default)]
struct Paragraph {
    text: String,
    style: Option<String>,
    level: Option<u8>,
    list: Option<String>,
    list_level: Option<usize>,
    is_hidden: bool,
    /// Its mark is hidden or deleted, so the next paragraph continues it.
    continues: bool,
    has_page_number: bool,
}

/// A cell of a table.
#[derive(Default)]
struct Cell {
    text: String,
    span: usize,
    /// It continues the cell above.
    is_merged: bool,
}

#[derive(Default)]
struct Walker {
    styles: Styles,
    numbering: Numbering,
    build: Build,
    title: Option<String>,
    part: Part,
    /// A text box is inside a paragraph and contains paragraphs.
    open: Vec<Paragraph>,
    /// Whether each of the open runs is hidden.
    runs: Vec<bool>,
    /// The text of the run is above the line.
    is_raised: bool,
    /// The text of a paragraph that the next one continues.
    continued: String,
    n_tables: usize,
    table: Table,
    cells: Vec<Cell>,
    /// The row is hidden.
    skips_row: bool,
    is_header: bool,
    in_text: bool,
    in_properties: usize,
    /// Depth inside of text that is duplicated or was deleted, or of former properties.
    skipped: usize,
    /// The instructions of the open fields, and whether their results follow.
    fields: Vec<(String, bool)>,
    in_instruction: bool,
    /// Notes by identifier; those of the end differ by a prefix.
    notes: HashMap<String, String>,
    note: Option<String>,
    /// Notes, text boxes and descriptions of pictures, which follow the paragraph.
    after: Vec<String>,
    furniture: HashSet<String>,
}

/// Maximum columns that a cell spans.
const MAX_SPAN: usize = 64;

fn is_skipped(name: &str) -> bool {
    matches!(
        name,
        "Fallback" | "moveFrom" | "rPrChange" | "pPrChange" | "trPrChange" | "tcPrChange" | "rt"
    )
}

fn is_page_number(instruction: &str) -> bool {
    let word = instruction.split_whitespace().next().unwrap_or_default();
    ["PAGE", "NUMPAGES", "SECTIONPAGES"].iter().any(|name| word.eq_ignore_ascii_case(name))
}

impl Walker {
    fn part(&mut self, part: Part, text: &str) -> Result<(), NoText> {
        self.part = part;
        (self.skipped, self.in_properties, self.n_tables) = (0, 0, 0);
        self.open.clear();
        self.runs.clear();
        self.fields.clear();
        xml::walk(text, &mut |node| match node {
            Node::Open(element) => {
                self.begin(element);
                true
            }
            Node::Close(name) => self.end(name),
            Node::Text(text) => {
                if self.in_instruction
                    && let Some((instruction, false)) = self.fields.last_mut()
                {
                    instruction.push_str(text);
                } else if self.in_text {
                    self.push(text);
                }
                true
            }
        })
    }

    /// Adds visible text.
    fn push(&mut self, text: &str) {
        let is_hidden = self.skipped > 0 || self.runs.last() == Some(&true);
        let in_page_number =
            self.fields.iter().rev().take(4).any(|(instruction, _)| is_page_number(instruction));
        let Some(paragraph) = self.open.last_mut() else { return };
        if in_page_number {
            paragraph.has_page_number = true;
        } else if !is_hidden && !paragraph.is_hidden {
            let raised = self.is_raised.then(|| raised(&paragraph.text, text)).flatten();
            paragraph.text.push_str(raised.as_deref().unwrap_or(text));
        }
    }

    fn begin(&mut self, element: &xml::Element) {
        let name = element.name.as_str();
        if self.in_properties > 0 && name == "del" && self.skipped == 0 {
            // The mark of the paragraph is deleted; what is deleted is elsewhere.
            if let Some(paragraph) = self.open.last_mut() {
                paragraph.continues = true;
            }
        }
        let is_skipped = is_skipped(name) || name == "del";
        if self.skipped > 0 || is_skipped {
            self.skipped += usize::from(is_skipped);
            return;
        }
        let value = element.get("val").unwrap_or_default();
        match name {
            "p" => {
                let text = std::mem::take(&mut self.continued);
                self.open.push(Paragraph { text, ..Paragraph::default() });
            }
            "pPr" => self.in_properties += 1,
            "r" => {
                self.runs.push(false);
                self.is_raised = false;
            }
            "vertAlign" if self.in_properties == 0 => self.is_raised = value == "superscript",
            "sym" => {
                let code = u32::from_str_radix(element.get("char").unwrap_or_default(), 16);
                let font = element.get("font").unwrap_or_default();
                if let Some(c) = code.ok().and_then(|code| symbol_font::character(font, code)) {
                    self.push(&c.to_string());
                }
            }
            "vanish" if self.in_properties == 0 => {
                if let Some(is_hidden) = self.runs.last_mut() {
                    *is_hidden = is_on(element);
                }
            }
            "vanish" | "specVanish" if is_on(element) => {
                if let Some(paragraph) = self.open.last_mut() {
                    paragraph.continues = true;
                }
            }
            "rStyle" if self.in_properties == 0 => {
                let is_hidden = self.styles.find(value, |_, style| style.is_hidden);
                if let (Some(run), Some(is_hidden)) = (self.runs.last_mut(), is_hidden) {
                    *run = is_hidden;
                }
            }
            "pStyle" => self.style(value),
            "outlineLvl" => {
                if let (Some(paragraph), Some(level)) = (self.open.last_mut(), outline_level(value))
                {
                    paragraph.level = Some(level);
                }
            }
            "numId" => {
                if let Some(paragraph) = self.open.last_mut() {
                    paragraph.list = Some(value.to_owned());
                }
            }
            "ilvl" => {
                if let Some(paragraph) = self.open.last_mut() {
                    paragraph.list_level = value.parse().ok();
                }
            }
            "t" => self.in_text = true,
            "tab" | "ptab" if self.in_properties == 0 => self.push("\t"),
            "br" | "cr" => self.push("\n"),
            "noBreakHyphen" => self.push("-"),
            "fldSimple" => {
                self.fields.push((element.get("instr").unwrap_or_default().to_owned(), true));
            }
            "fldChar" => match element.get("fldCharType") {
                Some("begin") => self.fields.push((String::new(), false)),
                Some("separate") => {
                    if let Some((_, has_result)) = self.fields.last_mut() {
                        *has_result = true;
                    }
                }
                _ => drop(self.fields.pop()),
            },
            "instrText" => self.in_instruction = true,
            "docPr" if !drawing::is_hidden(element) => {
                self.after.extend(drawing::description(element).map(str::to_owned));
            }
            "footnote" | "endnote" if self.part == Part::Notes => {
                let is_text = element.get("type").is_none_or(|kind| kind == "normal");
                let id = element.get("id").filter(|_| is_text);
                self.note = id.map(|id| format!("{name} {id}"));
            }
            "footnoteReference" | "endnoteReference" => {
                let kind = name.trim_end_matches("Reference");
                let id = format!("{kind} {}", element.get("id").unwrap_or_default());
                let is_hidden = self.runs.last() == Some(&true);
                self.after.extend(self.notes.remove(&id).filter(|_| !is_hidden));
            }
            _ => self.begin_in_table(element),
        }
    }

    fn begin_in_table(&mut self, element: &xml::Element) {
        let value = element.get("val").unwrap_or_default();
        match element.name.as_str() {
            "tbl" => self.n_tables += 1,
            "tr" if self.n_tables == 1 => {
                self.cells.clear();
                (self.skips_row, self.is_header) = (false, false);
            }
            "tc" if self.n_tables == 1 => self.cells.push(Cell { span: 1, ..Cell::default() }),
            // The cells of a table in a cell.
            "tr" => self.nested("; "),
            "tc" => self.nested(", "),
            _ if self.n_tables != 1 => {}
            "hidden" => self.skips_row = is_on(element),
            "tblHeader" => self.is_header = is_on(element),
            "gridBefore" => {
                let n = value.parse::<usize>().unwrap_or(0).min(MAX_SPAN);
                self.cells.extend((0..n).map(|_| Cell { span: 1, ..Cell::default() }));
            }
            "gridSpan" => {
                if let Some(cell) = self.cells.last_mut() {
                    cell.span = value.parse().unwrap_or(1).clamp(1, MAX_SPAN);
                }
            }
            "vMerge" if value != "restart" => {
                if let Some(cell) = self.cells.last_mut() {
                    cell.is_merged = true;
                }
            }
            _ => {}
        }
    }

    /// Sets the style of the current paragraph.
    fn style(&mut self, id: &str) {
        let Some(paragraph) = self.open.last_mut() else { return };
        paragraph.style = Some(id.to_owned());
        paragraph.level = self.styles.find(id, |_, style| style.level);
        paragraph.is_hidden = self.styles.find(id, |_, style| style.is_hidden).unwrap_or(false);
        if let Some(list) = self.styles.find(id, |_, style| style.list.clone()) {
            let level = self.styles.find(id, |id, style| {
                self.numbering.level_of_style(&list, id).or(style.list_level)
            });
            paragraph.list = Some(list);
            paragraph.list_level = level;
        }
    }

    /// Separates the cells of a table in a cell.
    fn nested(&mut self, separator: &str) {
        if let Some(cell) = self.cells.last_mut() {
            separate_nested(&mut cell.text, separator);
        }
    }

    fn end(&mut self, name: &str) -> bool {
        if is_skipped(name) || name == "del" {
            self.skipped = self.skipped.saturating_sub(1);
            return true;
        }
        if self.skipped > 0 {
            return true;
        }
        match name {
            "t" => self.in_text = false,
            "instrText" => self.in_instruction = false,
            "fldSimple" => drop(self.fields.pop()),
            "pPr" => self.in_properties = self.in_properties.saturating_sub(1),
            "r" => drop(self.runs.pop()),
            "tbl" => {
                self.n_tables = self.n_tables.saturating_sub(1);
                if self.n_tables == 0 {
                    return self.end_table();
                }
            }
            "tr" if self.n_tables == 1 => self.end_row(),
            "p" => return self.end_paragraph(),
            "footnote" | "endnote" => self.note = None,
            _ => {}
        }
        true
    }

    fn end_row(&mut self) {
        let cells = std::mem::take(&mut self.cells);
        if self.skips_row {
            return;
        }
        let is_alone = cells.iter().filter(|cell| !cell.text.trim().is_empty()).count() < 2;
        let above = self.table.rows.last();
        let mut row: Vec<String> = Vec::new();
        for cell in cells {
            let merged = above.filter(|_| cell.is_merged).and_then(|above| above.get(row.len()));
            let text = merged.map_or(cell.text, |above| repeated(above));
            // A cell above several columns names each of them, unless it is a title.
            let rest = if is_alone { String::new() } else { repeated(&text) };
            row.push(text);
            row.extend(std::iter::repeat_n(rest, cell.span - 1));
        }
        if self.is_header && self.table.headers == self.table.rows.len() {
            self.table.headers += 1;
        }
        self.table.rows.push(row);
    }

    fn end_table(&mut self) -> bool {
        let table = std::mem::take(&mut self.table);
        if self.part == Part::Furniture {
            let text = table.rows.concat().join(" ");
            return !self.is_new(&text) || table.write(&mut self.build);
        }
        table.write(&mut self.build) && self.write_after()
    }

    /// Whether no other header or footer has this text.
    fn is_new(&mut self, text: &str) -> bool {
        let text = text.one_line();
        !text.is_empty() && self.furniture.insert(text)
    }

    /// Writes the notes and the like of the paragraph that was written.
    fn write_after(&mut self) -> bool {
        let after = std::mem::take(&mut self.after);
        after.iter().all(|text| self.build.block(BlockKind::Paragraph, text))
    }

    fn end_paragraph(&mut self) -> bool {
        let Some(mut paragraph) = self.open.pop() else { return true };
        if paragraph.continues && self.open.is_empty() {
            self.continued = paragraph.text;
            return true;
        }
        let is_empty = paragraph.text.trim().is_empty();
        let mark = self.mark(&paragraph).filter(|_| !is_empty);
        if let Some(Mark::Number(number)) = &mark {
            paragraph.text = format!("{number} {}", paragraph.text.trim_start());
        }
        if let Some(note) = &self.note {
            let text = self.notes.entry(note.clone()).or_default();
            text.push_str(if text.is_empty() { "" } else { "\n" });
            text.push_str(paragraph.text.trim());
            return true;
        }
        if self.n_tables > 0
            && let Some(cell) = self.cells.last_mut()
        {
            cell.text.push(' ');
            cell.text.push_str(&paragraph.text);
            return true;
        }
        if !self.open.is_empty() {
            // A text box.
            self.after.push(paragraph.text);
            return true;
        }
        if self.part == Part::Furniture {
            // `Page 3 of 7` says nothing without its numbers.
            let n_words = paragraph.text.split_whitespace().count();
            let is_number = paragraph.has_page_number && n_words < 4;
            if is_number || !self.is_new(&paragraph.text) {
                return self.write_after();
            }
            return self.build.block(BlockKind::Paragraph, &paragraph.text) && self.write_after();
        }
        let indent = "  ".repeat(paragraph.list_level.unwrap_or(0).min(8));
        let text = paragraph.text.trim();
        let continues = match (paragraph.level, &mark) {
            _ if is_empty => true,
            (Some(level), _) => {
                if level == 0 {
                    self.title.get_or_insert_with(|| text.to_owned());
                }
                self.build.heading(level.max(1), text);
                true
            }
            (None, Some(Mark::Bullet)) => {
                self.build.block(BlockKind::ListItem, &format!("{indent}- {text}"))
            }
            (None, Some(Mark::Number(_))) => {
                self.build.block(BlockKind::ListItem, &format!("{indent}{text}"))
            }
            (None, _) => self.build.block(BlockKind::Paragraph, text),
        };
        continues && self.write_after()
    }

    /// The bullet or number of a paragraph. Word counts empty paragraphs, too.
    fn mark(&mut self, paragraph: &Paragraph) -> Option<Mark> {
        let list = paragraph.list.as_deref().filter(|list| *list != "0")?;
        let level = paragraph.list_level.unwrap_or(0);
        // A list without a definition.
        Some(self.numbering.next(list, level).unwrap_or(Mark::Bullet))
    }
}
