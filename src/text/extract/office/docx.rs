//! Word documents: paragraphs, tables, notes and comments. Headings are known by their styles.

use std::collections::HashMap;

use super::super::build::Build;
use super::super::doc::{BlockKind, Extracted, NoText};
use super::super::xml::{self, Node};
use super::archive::{Archive, shown_row};
use crate::document::Format;

pub(super) fn docx(bytes: &[u8]) -> Result<Extracted, NoText> {
    let mut archive = Archive::open(bytes)?;
    let (title, author) = archive.core_properties()?;
    let levels = match archive.text("word/styles.xml")? {
        Some(text) => heading_levels(&text)?,
        None => HashMap::new(),
    };
    let mut walker = Walker { levels, ..Walker::default() };
    walker.part(&archive.required("word/document.xml")?)?;
    for part in ["word/footnotes.xml", "word/endnotes.xml", "word/comments.xml"] {
        if let Some(text) = archive.text(part)? {
            walker.part(&text)?;
        }
    }
    let mut build = walker.build;
    build.metadata("author", author.as_deref().unwrap_or_default());
    build.finish(Format::Docx, title.as_deref().or(walker.title.as_deref()))
}

/// Levels of heading styles by identifier; 0 is the title.
fn heading_levels(text: &str) -> Result<HashMap<String, u8>, NoText> {
    let mut levels: HashMap<String, u8> = HashMap::new();
    let mut based: Vec<(String, String)> = Vec::new();
    let mut style = String::new();
    xml::walk(text, &mut |node| {
        let Node::Open(element) = node else { return true };
        let value = element.get("val").unwrap_or_default();
        match element.name.as_str() {
            "style" => element.get("styleId").unwrap_or_default().clone_into(&mut style),
            "name" => {
                let name = value.to_lowercase();
                if name == "title" {
                    levels.insert(style.clone(), 0);
                } else if let Some(level) =
                    name.strip_prefix("heading ").and_then(|n| n.trim().parse().ok())
                {
                    levels.insert(style.clone(), level);
                }
            }
            "basedOn" => based.push((style.clone(), value.to_owned())),
            "outlineLvl" => {
                if let Some(level) = value.parse::<u8>().ok().filter(|level| *level < 9) {
                    levels.entry(style.clone()).or_insert(level + 1);
                }
            }
            _ => {}
        }
        true
    })?;
    // Styles usually follow the one that they are based on; chains are short.
    for _ in 0..4 {
        for (style, base) in &based {
            if let (Some(level), false) = (levels.get(base).copied(), levels.contains_key(style)) {
                levels.insert(style.clone(), level);
            }
        }
    }
    Ok(levels)
}

#[derive(Default)]
struct Paragraph {
    text: String,
    level: Option<u8>,
    is_item: bool,
}

#[derive(Default)]
struct Walker {
    levels: HashMap<String, u8>,
    build: Build,
    title: Option<String>,
    /// A text box is inside a paragraph and contains paragraphs.
    open: Vec<Paragraph>,
    n_tables: usize,
    cells: Vec<String>,
    begins_table: bool,
    in_text: bool,
    in_properties: usize,
    /// Depth inside of text that is duplicated or was deleted.
    skipped: usize,
}

impl Walker {
    fn part(&mut self, text: &str) -> Result<(), NoText> {
        xml::walk(text, &mut |node| match node {
            Node::Open(element) => {
                self.begin(element);
                true
            }
            Node::Close(name) => self.end(name),
            Node::Text(text) => {
                if self.in_text && self.skipped == 0 {
                    self.push(text);
                }
                true
            }
        })
    }

    fn push(&mut self, text: &str) {
        if let Some(paragraph) = self.open.last_mut() {
            paragraph.text.push_str(text);
        }
    }

    fn begin(&mut self, element: &xml::Element) {
        let is_skipped = matches!(element.name.as_str(), "Fallback" | "moveFrom" | "del");
        if self.skipped > 0 || is_skipped {
            self.skipped += usize::from(is_skipped);
            return;
        }
        match element.name.as_str() {
            "p" => self.open.push(Paragraph::default()),
            "pPr" => self.in_properties += 1,
            "pStyle" => {
                let level = element.get("val").and_then(|style| self.levels.get(style)).copied();
                if let Some(paragraph) = self.open.last_mut() {
                    paragraph.level = level;
                }
            }
            "outlineLvl" => {
                let level =
                    element.get("val").and_then(|n| n.parse::<u8>().ok()).filter(|n| *n < 9);
                if let (Some(paragraph), Some(level)) = (self.open.last_mut(), level) {
                    paragraph.level = Some(level + 1);
                }
            }
            "numPr" => {
                if let Some(paragraph) = self.open.last_mut() {
                    paragraph.is_item = true;
                }
            }
            "t" => self.in_text = true,
            "tab" if self.in_properties == 0 => self.push("\t"),
            "br" | "cr" => self.push("\n"),
            "noBreakHyphen" => self.push("-"),
            "tbl" => {
                self.n_tables += 1;
                self.begins_table |= self.n_tables == 1;
            }
            "tr" if self.n_tables == 1 => self.cells.clear(),
            "tc" if self.n_tables == 1 => self.cells.push(String::new()),
            _ => {}
        }
    }

    fn end(&mut self, name: &str) -> bool {
        if matches!(name, "Fallback" | "moveFrom" | "del") {
            self.skipped = self.skipped.saturating_sub(1);
            return true;
        }
        if self.skipped > 0 {
            return true;
        }
        match name {
            "t" => self.in_text = false,
            "pPr" => self.in_properties = self.in_properties.saturating_sub(1),
            "tbl" => self.n_tables = self.n_tables.saturating_sub(1),
            "tr" if self.n_tables == 1 => {
                let begins = std::mem::take(&mut self.begins_table);
                return self.build.row(begins, &shown_row(&std::mem::take(&mut self.cells)));
            }
            "p" => return self.end_paragraph(),
            _ => {}
        }
        true
    }

    fn end_paragraph(&mut self) -> bool {
        let Some(paragraph) = self.open.pop() else { return true };
        if self.n_tables > 0
            && let Some(cell) = self.cells.last_mut()
        {
            cell.push(' ');
            cell.push_str(&paragraph.text);
            return true;
        }
        match paragraph.level {
            Some(level) => {
                if level == 0 && !paragraph.text.trim().is_empty() {
                    self.title.get_or_insert_with(|| paragraph.text.clone());
                }
                self.build.heading(level.max(1), &paragraph.text);
                true
            }
            None if paragraph.is_item && !paragraph.text.trim().is_empty() => {
                self.build.block(BlockKind::ListItem, &format!("- {}", paragraph.text.trim()))
            }
            None => self.build.block(BlockKind::Paragraph, &paragraph.text),
        }
    }
}
