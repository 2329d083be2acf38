//! `OpenDocument` texts, presentations and spreadsheets.

use super::super::build::Build;
use super::super::doc::{BlockKind, Extracted, NoText};
use super::super::xml::{self, Element, Node};
use super::archive::{Archive, cell_name, element_text, shown_row};
use crate::document::{Format, Location};

pub(super) fn odf(format: Format, bytes: &[u8]) -> Result<Extracted, NoText> {
    let mut archive = Archive::open(bytes)?;
    if archive
        .text("META-INF/manifest.xml")?
        .is_some_and(|manifest| manifest.contains("encryption-data"))
    {
        return Err(NoText::Encrypted);
    }
    let meta = archive.text("meta.xml")?.unwrap_or_default();
    let (title, author) = (element_text(&meta, "title")?, element_text(&meta, "initial-creator")?);
    let content = archive.required("content.xml")?;
    let mut walker = Walker { format, build: Build::default(), ..Walker::default() };
    xml::walk(&content, &mut |node| match node {
        Node::Open(element) => {
            walker.begin(element);
            true
        }
        Node::Close(name) => walker.end(name),
        Node::Text(text) => {
            walker.text(text);
            true
        }
    })?;
    let mut build = walker.build;
    build.metadata("author", author.as_deref().unwrap_or_default());
    build.finish(format, title.as_deref().or(walker.title.as_deref()))
}

struct Walker {
    format: Format,
    build: Build,
    title: Option<String>,
    /// Notes and text boxes are inside a paragraph and contain paragraphs.
    open: Vec<(Option<u8>, String)>,
    in_body: bool,
    skipped: usize,
    n_lists: usize,
    begins_item: bool,
    n_tables: usize,
    sheet: String,
    row: usize,
    row_repeats: usize,
    column_repeats: usize,
    cells: Vec<String>,
    begins_table: bool,
    slide: usize,
    in_title: bool,
}

impl Default for Walker {
    fn default() -> Self {
        Self {
            format: Format::Odt,
            build: Build::default(),
            title: None,
            open: Vec::new(),
            in_body: false,
            skipped: 0,
            n_lists: 0,
            begins_item: false,
            n_tables: 0,
            sheet: String::new(),
            row: 0,
            row_repeats: 1,
            column_repeats: 1,
            cells: Vec::new(),
            begins_table: false,
            slide: 0,
            in_title: false,
        }
    }
}

/// Deleted text, numbers of notes and pages, and templates.
fn is_skipped(name: &str) -> bool {
    matches!(
        name,
        "tracked-changes"
            | "note-citation"
            | "page-number"
            | "master-styles"
            | "automatic-styles"
            | "binary-data"
    )
}

/// Maximum repetitions of a cell or row with text; more are filling.
const MAX_REPEATS: usize = 64;

impl Walker {
    fn begin(&mut self, element: &Element) {
        let name = element.name.as_str();
        if self.skipped > 0 || is_skipped(name) {
            self.skipped += usize::from(is_skipped(name));
            return;
        }
        let number = |name: &str| element.get(name).and_then(|n| n.parse::<usize>().ok());
        match name {
            "body" => self.in_body = true,
            "h" => {
                let level =
                    number("text:outline-level").and_then(|n| u8::try_from(n).ok()).unwrap_or(1);
                self.open.push((Some(level.max(1)), String::new()));
            }
            "p" => {
                let is_title = self.in_title || element.get("text:style-name") == Some("Title");
                self.open.push((is_title.then_some(1), String::new()));
            }
            "s" => {
                let n = number("text:c").unwrap_or(1).min(200);
                self.text(&" ".repeat(n));
            }
            "tab" => self.text("\t"),
            "line-break" => self.text("\n"),
            "list" => self.n_lists += 1,
            "list-item" => self.begins_item = true,
            "table" => {
                self.n_tables += 1;
                if self.n_tables == 1 {
                    (self.row, self.begins_table) = (0, true);
                    if self.format == Format::Ods {
                        element.get("table:name").unwrap_or_default().clone_into(&mut self.sheet);
                    }
                }
            }
            "table-row" if self.n_tables == 1 => {
                self.cells.clear();
                self.row_repeats = number("table:number-rows-repeated").unwrap_or(1);
            }
            "table-cell" | "covered-table-cell" if self.n_tables == 1 => {
                self.cells.push(String::new());
                self.column_repeats = number("table:number-columns-repeated").unwrap_or(1);
            }
            "page" if self.format == Format::Odp => {
                self.slide += 1;
                self.build.place(Location::Slide(self.slide));
            }
            "frame" => self.in_title = element.get("presentation:class") == Some("title"),
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if self.skipped == 0
            && self.in_body
            && let Some((_, paragraph)) = self.open.last_mut()
        {
            paragraph.push_str(text);
        }
    }

    fn end(&mut self, name: &str) -> bool {
        if is_skipped(name) {
            self.skipped = self.skipped.saturating_sub(1);
            return true;
        }
        if self.skipped > 0 {
            return true;
        }
        match name {
            "p" | "h" => return self.end_paragraph(),
            "list" => self.n_lists = self.n_lists.saturating_sub(1),
            "frame" => self.in_title = false,
            "table" => self.n_tables = self.n_tables.saturating_sub(1),
            "table-cell" | "covered-table-cell" if self.n_tables == 1 => {
                let repeats = std::mem::replace(&mut self.column_repeats, 1);
                if let Some(cell) = self.cells.last().cloned() {
                    // Sheets are filled with thousands of empty cells.
                    let n = if cell.trim().is_empty() {
                        repeats.min(MAX_REPEATS * 16)
                    } else {
                        repeats.min(MAX_REPEATS)
                    };
                    self.cells.extend(std::iter::repeat_n(cell, n - n.min(1)));
                }
            }
            "table-row" if self.n_tables == 1 => return self.end_row(),
            _ => {}
        }
        true
    }

    fn end_row(&mut self) -> bool {
        let repeats = std::mem::replace(&mut self.row_repeats, 1);
        let first_row = self.row;
        self.row += repeats;
        let Some(first) = self.cells.iter().position(|cell| !cell.trim().is_empty()) else {
            self.begins_table = true;
            return true;
        };
        let shown = shown_row(&self.cells[first..]);
        for row in first_row..first_row + repeats.min(MAX_REPEATS) {
            if self.format == Format::Ods {
                let place = Location::Sheet(self.sheet.clone(), cell_name(first, row));
                if !self.sheet.is_empty() && self.begins_table && row == first_row {
                    self.build.place(place.clone());
                    self.build.heading(1, &self.sheet.clone());
                }
                self.build.place(place);
            }
            let begins = std::mem::take(&mut self.begins_table);
            if !self.build.row(begins, &shown) {
                return false;
            }
        }
        true
    }

    fn end_paragraph(&mut self) -> bool {
        let Some((level, text)) = self.open.pop() else { return true };
        if self.n_tables > 0
            && let Some(cell) = self.cells.last_mut()
        {
            cell.push(' ');
            cell.push_str(&text);
            return true;
        }
        if text.trim().is_empty() {
            return true;
        }
        if let Some(level) = level {
            if level == 1 {
                self.title.get_or_insert_with(|| text.trim().to_owned());
            }
            self.build.heading(level, &text);
            return true;
        }
        if self.n_lists > 0 {
            let begins = std::mem::take(&mut self.begins_item);
            let mark = if begins { "- " } else { "  " };
            return self.build.block(BlockKind::ListItem, &format!("{mark}{}", text.trim()));
        }
        self.build.block(BlockKind::Paragraph, &text)
    }
}
