//! `OpenDocument` texts, presentations and spreadsheets as a reader sees them.

use std::collections::HashSet;

use super::super::build::Build;
use super::super::doc::{BlockKind, Extracted, NoText};
use super::super::scripts::raised;
use super::super::table::{Table, repeated, separate_nested};
use super::super::xml::{self, Element, Node};
use super::archive::{Archive, Properties, resolved};
use super::odf_lists::Lists;
use super::xlsx::{MAX_COLUMNS, write_sheet};
use crate::document::{Format, Location};

pub(super) fn odf(format: Format, bytes: &[u8]) -> Result<Extracted, NoText> {
    let mut archive = Archive::open(bytes)?;
    if archive
        .text("META-INF/manifest.xml")?
        .is_some_and(|manifest| manifest.contains("encryption-data"))
    {
        return Err(NoText::Encrypted);
    }
    let properties = Properties::read(&archive.text("meta.xml")?.unwrap_or_default())?;
    let mut walker = Walker::new(format);
    walker.part(&archive.text("styles.xml")?.unwrap_or_default())?;
    let (headers, footers) =
        (std::mem::take(&mut walker.headers), std::mem::take(&mut walker.footers));
    for text in &headers {
        walker.build.block(BlockKind::Paragraph, text);
    }
    walker.part(&archive.required("content.xml")?)?;
    for (object, place) in std::mem::take(&mut walker.objects) {
        let content = archive.text(&format!("{object}/content.xml"))?.unwrap_or_default();
        // Formulas are objects, too.
        if content.contains("<chart:chart") {
            if let Some(place) = place {
                walker.build.place(place);
            }
            let mut chart = Walker { build: walker.build, ..Walker::new(Format::Odt) };
            chart.part(&content)?;
            walker.build = chart.build;
        }
    }
    for text in &footers {
        walker.build.block(BlockKind::Paragraph, text);
    }
    let mut build = walker.build;
    properties.write(&mut build);
    build.finish(format, properties.title().or(walker.title.as_deref()))
}

#[derive(Default)]
struct Paragraph {
    text: String,
    /// Of a heading.
    level: Option<u8>,
    is_title: bool,
    /// Its style hides it.
    is_hidden: bool,
}

/// A cell of the current row.
#[derive(Clone, Default)]
struct Cell {
    text: String,
    columns: usize,
    rows: usize,
}

struct Walker {
    format: Format,
    build: Build,
    title: Option<String>,
    /// Notes and text boxes are inside a paragraph and contain paragraphs.
    open: Vec<Paragraph>,
    /// Whether each of the open spans is hidden, by its style or the one around it.
    spans: Vec<bool>,
    in_body: bool,
    skipped: usize,
    /// The style that is being defined, and the names of those that hide what has them.
    style: String,
    hidden: HashSet<String>,
    /// Names of styles whose text is above the line, and whether it is in each open span.
    raised: HashSet<String>,
    raised_spans: Vec<bool>,
    /// The styles of titles.
    titles: HashSet<String>,
    lists: Lists,
    n_tables: usize,
    table: Table,
    sheet: String,
    sheet_rows: Vec<(usize, Vec<String>)>,
    row: usize,
    row_repeats: usize,
    row_is_hidden: bool,
    column: usize,
    hidden_columns: Vec<bool>,
    column_repeats: usize,
    cells: Vec<Cell>,
    /// Texts of cells that span rows, by column: text and rows to come.
    spanned: Vec<(String, usize)>,
    in_header_rows: bool,
    slide: usize,
    in_title: bool,
    /// Text boxes, notes and descriptions that follow the current paragraph.
    after: Vec<String>,
    /// The header or footer that is being read, and those that were.
    in_header: bool,
    in_footer: bool,
    headers: Vec<String>,
    footers: Vec<String>,
    /// Folders of embedded charts, and the slide or sheet that has them.
    objects: Vec<(String, Option<Location>)>,
    description: Option<String>,
}

/// Deleted text, comments, numbers of notes and pages, and templates.
fn is_skipped(name: &str) -> bool {
    matches!(
        name,
        "tracked-changes"
            | "annotation"
            | "note-citation"
            | "page-number"
            | "page-count"
            | "hidden-text"
            | "binary-data"
            | "ruby-text"
            | "forms"
            | "shapes"
            | "date-time-decl"
            | "footer-decl"
            | "header-decl"
    )
}

/// Elements that a property or a style may hide.
fn is_container(name: &str) -> bool {
    matches!(name, "section" | "page" | "table" | "hidden-paragraph")
}

/// Maximum repetitions of a cell or row with text; more are filling.
const MAX_REPEATS: usize = 64;

/// Maximum embedded charts.
const MAX_OBJECTS: usize = 1000;

impl Walker {
    fn new(format: Format) -> Self {
        Self {
            format,
            build: Build::default(),
            title: None,
            open: Vec::new(),
            spans: Vec::new(),
            in_body: false,
            skipped: 0,
            style: String::new(),
            hidden: HashSet::new(),
            raised: HashSet::new(),
            raised_spans: Vec::new(),
            titles: HashSet::from(["Title".to_owned()]),
            lists: Lists::default(),
            n_tables: 0,
            table: Table::default(),
            sheet: String::new(),
            sheet_rows: Vec::new(),
            row: 0,
            row_repeats: 1,
            row_is_hidden: false,
            column: 0,
            hidden_columns: Vec::new(),
            column_repeats: 1,
            cells: Vec::new(),
            spanned: Vec::new(),
            in_header_rows: false,
            slide: 0,
            in_title: false,
            after: Vec::new(),
            in_header: false,
            in_footer: false,
            headers: Vec::new(),
            footers: Vec::new(),
            objects: Vec::new(),
            description: None,
        }
    }

    fn part(&mut self, text: &str) -> Result<(), NoText> {
        (self.in_body, self.skipped) = (false, 0);
        xml::walk(text, &mut |node| match node {
            Node::Open(element) => {
                self.begin(element);
                true
            }
            Node::Close(name) => self.end(name),
            Node::Text(text) => {
                self.text(text);
                true
            }
        })
    }

    fn is_hidden(&self, element: &Element, attribute: &str) -> bool {
        element.get(attribute).is_some_and(|name| self.hidden.contains(name))
    }

    /// Whether an element and all that it contains is hidden.
    fn hides(&self, element: &Element) -> bool {
        match element.name.as_str() {
            "section" => matches!(element.get("text:display"), Some("none")),
            "page" => self.is_hidden(element, "draw:style-name"),
            "table" => self.n_tables == 0 && self.is_hidden(element, "table:style-name"),
            "hidden-paragraph" => element.get("text:is-hidden") == Some("true"),
            _ => false,
        }
    }

    fn begin(&mut self, element: &Element) {
        let name = element.name.as_str();
        if self.skipped > 0 {
            // Elements of the same kind may be nested.
            self.skipped += usize::from(is_skipped(name) || is_container(name));
            return;
        }
        if is_skipped(name) || self.hides(element) {
            if name == "page" {
                self.slide += 1;
            }
            self.skipped = 1;
            return;
        }
        if !self.in_body {
            self.begin_style(element);
        }
        let number = |name: &str| element.get(name).and_then(|n| n.parse::<usize>().ok());
        match name {
            "body" => self.in_body = true,
            "header" | "header-left" | "header-first" => self.in_header = true,
            "footer" | "footer-left" | "footer-first" => self.in_footer = true,
            "h" => {
                let level =
                    number("text:outline-level").and_then(|n| u8::try_from(n).ok()).unwrap_or(1);
                let is_hidden = self.is_hidden(element, "text:style-name");
                let level = Some(level.max(1));
                self.open.push(Paragraph { level, is_hidden, ..Paragraph::default() });
            }
            "p" => {
                let is_title = self.in_title
                    || element
                        .get("text:style-name")
                        .is_some_and(|style| self.titles.contains(style));
                let is_hidden = self.is_hidden(element, "text:style-name");
                let level = is_title.then_some(1);
                self.open.push(Paragraph { level, is_title, is_hidden, ..Paragraph::default() });
            }
            "span" => {
                let is_hidden =
                    self.spans.last() == Some(&true) || self.is_hidden(element, "text:style-name");
                self.spans.push(is_hidden);
                let style = element.get("text:style-name");
                self.raised_spans.push(style.is_some_and(|style| self.raised.contains(style)));
            }
            "s" => {
                let n = number("text:c").unwrap_or(1).min(200);
                self.text(&" ".repeat(n));
            }
            "tab" => self.text("\t"),
            "line-break" => self.text("\n"),
            "list" => self.lists.begin(element),
            "list-item" => self.lists.begin_item(number("text:start-value")),
            "page" if self.format == Format::Odp => {
                self.slide += 1;
                self.build.place(Location::Slide(self.slide));
            }
            "frame" => self.in_title = element.get("presentation:class") == Some("title"),
            "title" | "desc" if self.in_body => self.description = Some(String::new()),
            "object" => {
                let folder = element.get("xlink:href").map(|href| resolved("", href));
                let place = match self.format {
                    Format::Odp => Some(Location::Slide(self.slide)),
                    Format::Ods => Some(Location::Sheet(self.sheet.clone(), "A1".to_owned())),
                    _ => None,
                };
                if self.objects.len() < MAX_OBJECTS {
                    self.objects.extend(folder.map(|folder| (folder, place)));
                }
            }
            _ => self.begin_in_table(element),
        }
    }

    /// Notes which styles hide what has them, and how lists are numbered.
    fn begin_style(&mut self, element: &Element) {
        match element.name.as_str() {
            "style" => {
                element.get("style:name").unwrap_or_default().clone_into(&mut self.style);
                if element.get("style:parent-style-name") == Some("Title") {
                    self.titles.insert(self.style.clone());
                }
            }
            "text-properties" => {
                if element.get("text:display") == Some("none") {
                    self.hidden.insert(self.style.clone());
                }
                let position = element.get("style:text-position").unwrap_or_default();
                if position.starts_with("super") || position.starts_with("33%") {
                    self.raised.insert(self.style.clone());
                }
            }
            "table-properties" if element.get("table:display") == Some("false") => {
                self.hidden.insert(self.style.clone());
            }
            "drawing-page-properties"
                if element.get("presentation:visibility") == Some("hidden") =>
            {
                self.hidden.insert(self.style.clone());
            }
            _ => self.lists.define(element),
        }
    }

    fn begin_in_table(&mut self, element: &Element) {
        let number = |name: &str| element.get(name).and_then(|n| n.parse::<usize>().ok());
        let is_hidden = matches!(element.get("table:visibility"), Some("collapse" | "filter"));
        match element.name.as_str() {
            "table" => {
                self.n_tables += 1;
                if self.n_tables == 1 {
                    (self.row, self.in_header_rows) = (0, false);
                    self.hidden_columns.clear();
                    self.spanned.clear();
                    if self.format == Format::Ods {
                        element.get("table:name").unwrap_or_default().clone_into(&mut self.sheet);
                    }
                }
            }
            "table-header-rows" if self.n_tables == 1 => self.in_header_rows = true,
            "table-column" if self.n_tables == 1 => {
                let n = number("table:number-columns-repeated").unwrap_or(1);
                let n = n.min(MAX_COLUMNS.saturating_sub(self.hidden_columns.len()));
                self.hidden_columns.extend(std::iter::repeat_n(is_hidden, n));
            }
            "table-row" if self.n_tables == 1 => {
                self.cells.clear();
                (self.column, self.row_is_hidden) = (0, is_hidden);
                self.row_repeats = number("table:number-rows-repeated").unwrap_or(1);
            }
            "table-row" => self.nested("; "),
            "table-cell" | "covered-table-cell" if self.n_tables == 1 => {
                self.column_repeats = number("table:number-columns-repeated").unwrap_or(1);
                let columns = number("table:number-columns-spanned").unwrap_or(1);
                let rows = number("table:number-rows-spanned").unwrap_or(1);
                self.cells.push(Cell { text: String::new(), columns, rows });
            }
            "table-cell" => self.nested(", "),
            _ => {}
        }
    }

    /// Separates the cells of a table in a cell.
    fn nested(&mut self, separator: &str) {
        if let Some(cell) = self.cells.last_mut() {
            separate_nested(&mut cell.text, separator);
        }
    }

    fn text(&mut self, text: &str) {
        if self.skipped > 0 || !(self.in_body || self.in_header || self.in_footer) {
            return;
        }
        if let Some(description) = &mut self.description {
            description.push_str(text);
        } else if let Some(paragraph) = self.open.last_mut()
            && !paragraph.is_hidden
            && self.spans.last() != Some(&true)
        {
            let is_raised = self.raised_spans.last() == Some(&true);
            let raised = is_raised.then(|| raised(&paragraph.text, text)).flatten();
            paragraph.text.push_str(raised.as_deref().unwrap_or(text));
        }
    }

    fn end(&mut self, name: &str) -> bool {
        if self.skipped > 0 {
            self.skipped -= usize::from(is_skipped(name) || is_container(name));
            return true;
        }
        match name {
            "p" | "h" => return self.end_paragraph(),
            "span" => {
                self.spans.pop();
                self.raised_spans.pop();
            }
            "list" => self.lists.end(),
            "list-item" => self.lists.end_item(),
            "list-style" | "outline-style" => self.lists.end_style(),
            "header" | "header-left" | "header-first" => self.in_header = false,
            "footer" | "footer-left" | "footer-first" => self.in_footer = false,
            "frame" => self.in_title = false,
            "title" | "desc" => self.end_description(),
            "page" => return self.write_after(),
            "table-header-rows" => self.in_header_rows = false,
            "table" => {
                self.n_tables = self.n_tables.saturating_sub(1);
                if self.n_tables == 0 {
                    return self.end_table();
                }
            }
            "table-cell" | "covered-table-cell" if self.n_tables == 1 => self.end_cell(name),
            "table-row" if self.n_tables == 1 => self.end_row(),
            _ => {}
        }
        true
    }

    /// The description of a picture.
    fn end_description(&mut self) {
        let text = self.description.take().unwrap_or_default();
        let is_file_name = !text.trim().contains(char::is_whitespace) && text.contains('.');
        if !text.trim().is_empty() && !is_file_name {
            self.after.push(text);
        }
    }

    fn end_cell(&mut self, name: &str) {
        let repeats = std::mem::replace(&mut self.column_repeats, 1);
        let Some(cell) = self.cells.last().cloned() else { return };
        // Sheets are filled with thousands of empty cells.
        let is_empty = cell.text.trim().is_empty();
        let n = repeats.clamp(1, if is_empty { MAX_REPEATS * 16 } else { MAX_REPEATS });
        self.cells.extend(std::iter::repeat_n(cell.clone(), n - 1));
        if self.spanned.len() < MAX_COLUMNS {
            self.spanned.resize((self.column + n).max(self.spanned.len()), <_>::default());
        }
        for column in self.column..self.column + n {
            let Some((text, rows)) = self.spanned.get_mut(column) else { break };
            if name == "covered-table-cell" && *rows > 0 {
                *rows -= 1;
                if let Some(cell) = self.cells.get_mut(column) {
                    cell.text.clone_from(text);
                }
            } else if cell.rows > 1 && !is_empty {
                *text = repeated(&cell.text);
                *rows = cell.rows - 1;
            }
        }
        self.column += n;
    }

    fn end_row(&mut self) {
        let repeats = std::mem::replace(&mut self.row_repeats, 1);
        let first_row = self.row;
        self.row += repeats;
        let cells = std::mem::take(&mut self.cells);
        let is_alone = cells.iter().filter(|cell| !cell.text.trim().is_empty()).count() < 2;
        let mut row: Vec<String> = cells.iter().map(|cell| cell.text.clone()).collect();
        for (n, cell) in cells.iter().enumerate() {
            // A cell above several columns names each of them, unless it is a title.
            if cell.columns > 1 && !is_alone {
                let end = (n + cell.columns.min(MAX_REPEATS)).min(row.len());
                row[n + 1..end.max(n + 1)].fill(repeated(&cell.text));
            }
        }
        for (cell, _) in row.iter_mut().zip(&self.hidden_columns).filter(|(_, hidden)| **hidden) {
            cell.clear();
        }
        if self.row_is_hidden && self.format == Format::Ods {
            let rows = first_row..first_row + repeats.min(MAX_REPEATS);
            self.sheet_rows.extend(rows.map(|n| (n, Vec::new())));
        }
        if self.row_is_hidden || row.iter().all(|cell| cell.trim().is_empty()) {
            return;
        }
        if self.format == Format::Ods {
            let end = row.iter().rposition(|cell| !cell.trim().is_empty()).map_or(0, |n| n + 1);
            row.truncate(end);
            let rows = first_row..first_row + repeats.min(MAX_REPEATS);
            self.sheet_rows.extend(rows.map(|n| (n, row.clone())));
            return;
        }
        if self.in_header_rows && self.table.headers == self.table.rows.len() {
            self.table.headers += 1;
        }
        let n = repeats.clamp(1, MAX_REPEATS);
        self.table.rows.extend(std::iter::repeat_n(row, n));
    }

    fn end_table(&mut self) -> bool {
        if self.format != Format::Ods {
            let table = std::mem::take(&mut self.table);
            return table.write(&mut self.build) && self.write_after();
        }
        let rows = std::mem::take(&mut self.sheet_rows);
        write_sheet(&self.sheet, &rows, &mut self.build) && self.write_after()
    }

    /// Writes the notes and the like of the paragraph that was written.
    fn write_after(&mut self) -> bool {
        let after = std::mem::take(&mut self.after);
        after.iter().all(|text| self.build.block(BlockKind::Paragraph, text))
    }

    fn end_paragraph(&mut self) -> bool {
        let Some(paragraph) = self.open.pop() else { return true };
        let text = paragraph.text.trim();
        if self.in_header || self.in_footer {
            let words = text.split_whitespace().count();
            let list = if self.in_header { &mut self.headers } else { &mut self.footers };
            let is_new = !list.iter().any(|other| other == text);
            if words > 0 && is_new && self.format == Format::Odt && list.len() < 1000 {
                list.push(text.to_owned());
            }
            return true;
        }
        if !self.in_body {
            return true;
        }
        let mark = if text.is_empty() {
            None
        } else {
            let outline = paragraph.level.filter(|_| self.format == Format::Odt);
            self.lists.mark(outline.map(usize::from))
        };
        if self.n_tables > 0
            && let Some(cell) = self.cells.last_mut()
        {
            cell.text.push(' ');
            if let Some(number) = mark.as_deref().filter(|mark| *mark != "-") {
                cell.text.push_str(number);
                cell.text.push(' ');
            }
            cell.text.push_str(text);
            return true;
        }
        if text.is_empty() {
            return !self.open.is_empty() || self.write_after();
        }
        if !self.open.is_empty() {
            self.after.push(text.to_owned());
            return true;
        }
        let numbered = match &mark {
            Some(mark) if mark != "-" => format!("{mark} {text}"),
            _ => text.to_owned(),
        };
        let continues = if let Some(level) = paragraph.level {
            if paragraph.is_title {
                self.title.get_or_insert_with(|| text.to_owned());
            }
            self.build.heading(level, &numbered);
            true
        } else if let Some(depth) = self.lists.depth() {
            let indent = "  ".repeat(depth.min(8));
            let bullet = match mark.as_deref() {
                Some("-") => "- ",
                Some(_) => "",
                None => "  ",
            };
            self.build.block(BlockKind::ListItem, &format!("{indent}{bullet}{numbered}"))
        } else {
            self.build.block(BlockKind::Paragraph, text)
        };
        continues && self.write_after()
    }
}
