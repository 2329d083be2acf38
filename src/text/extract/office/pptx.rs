//! `PowerPoint` presentations: the text of each slide under its title, and the speaker's notes.

use super::super::build::Build;
use super::super::doc::{BlockKind, Extracted, NoText};
use super::super::table::{Table, repeated};
use super::super::xml::{self, Node};
use super::archive::Archive;
use super::drawing;
use crate::document::{Format, Location};

/// No real presentation has more.
const MAX_SLIDES: usize = 10_000;

pub(super) fn pptx(bytes: &[u8]) -> Result<Extracted, NoText> {
    let mut archive = Archive::open(bytes)?;
    let properties = archive.core_properties()?;
    let relations = archive.relations("ppt/presentation.xml")?;
    let mut slides = Vec::new();
    xml::walk(&archive.required("ppt/presentation.xml")?, &mut |node| {
        if let Node::Open(element) = node
            && element.name == "sldId"
        {
            let relation = element.get("r:id").and_then(|id| relations.get(id));
            slides.extend(relation.map(|(_, path)| path.clone()));
        }
        slides.len() <= MAX_SLIDES
    })?;
    if slides.len() > MAX_SLIDES {
        return Err(NoText::TooMuch(format!("more than {MAX_SLIDES} slides").into()));
    }
    let mut build = Build::default();
    let mut first_title = None;
    for (n, path) in slides.iter().enumerate() {
        let Some(text) = archive.text(path)? else { continue };
        let slide = read(&text)?;
        if slide.is_hidden {
            continue;
        }
        build.place(Location::Slide(n + 1));
        if let Some(title) = &slide.title {
            first_title.get_or_insert_with(|| title.clone());
            build.heading(1, title);
        }
        slide.write(&mut build);
        drawing::write(&mut archive, path, &mut build)?;
        let notes = archive.relations(path)?.into_values().find(|(kind, _)| kind == "notesSlide");
        if let Some((_, notes)) = notes
            && let Some(text) = archive.text(&notes)?
        {
            read(&text)?.write(&mut build);
        }
    }
    properties.write(&mut build);
    // PowerPoint names presentations so that have no title.
    let stated = properties.title().filter(|title| !title.to_lowercase().starts_with("powerpoint"));
    build.finish(Format::Pptx, stated.or(first_title.as_deref()))
}

/// The content of a slide.
#[derive(Default)]
struct Slide {
    title: Option<String>,
    texts: Vec<Text>,
    is_hidden: bool,
}

enum Text {
    Paragraph(String),
    Table(Table),
}

impl Slide {
    fn write(self, build: &mut Build) {
        for text in self.texts {
            match text {
                Text::Paragraph(text) => drop(build.block(BlockKind::Paragraph, &text)),
                Text::Table(table) => drop(table.write(build)),
            }
        }
    }
}

/// A cell of a table.
#[derive(Default)]
struct Cell {
    text: String,
    /// Continues the cell to its left, or the one above.
    is_right: bool,
    is_below: bool,
}

/// Adds a row; a merged cell is repeated beside each row that it spans.
fn add_row(table: &mut Table, cells: &[Cell]) {
    let is_alone = cells.iter().filter(|cell| !cell.text.trim().is_empty()).count() < 2;
    let mut row: Vec<String> = Vec::new();
    for (n, cell) in cells.iter().enumerate() {
        let above = table.rows.last().and_then(|above| above.get(n));
        let text = match above {
            Some(above) if cell.is_below => repeated(above),
            _ if cell.is_right && !is_alone => {
                row.last().map(|left| repeated(left)).unwrap_or_default()
            }
            _ => cell.text.clone(),
        };
        row.push(text);
    }
    table.rows.push(row);
}

fn read(text: &str) -> Result<Slide, NoText> {
    let mut slide = Slide::default();
    let mut kind = String::new();
    let mut paragraph = String::new();
    let mut cells: Vec<Cell> = Vec::new();
    let mut table = None::<Table>;
    let mut is_hidden_shape = false;
    let (mut in_text, mut skipped) = (false, 0_usize);
    xml::walk(text, &mut |node| {
        match node {
            Node::Open(element) => match element.name.as_str() {
                "Fallback" => skipped += 1,
                _ if skipped > 0 => {}
                "sld" => slide.is_hidden = matches!(element.get("show"), Some("0" | "false")),
                "sp" | "pic" | "graphicFrame" | "cxnSp" => {
                    kind.clear();
                    is_hidden_shape = false;
                }
                "cNvPr" => {
                    is_hidden_shape = drawing::is_hidden(element);
                    if let Some(text) = drawing::description(element)
                        && !is_hidden_shape
                    {
                        slide.texts.push(Text::Paragraph(text.to_owned()));
                    }
                }
                "ph" => element.get("type").unwrap_or("body").clone_into(&mut kind),
                "p" => paragraph.clear(),
                "t" => in_text = true,
                "br" => paragraph.push('\n'),
                "tbl" => table = Some(Table::default()),
                "tr" => cells.clear(),
                "tc" => {
                    let is_on = |name| matches!(element.get(name), Some("1" | "true"));
                    let (is_right, is_below) = (is_on("hMerge"), is_on("vMerge"));
                    cells.push(Cell { is_right, is_below, ..Cell::default() });
                }
                _ => {}
            },
            Node::Close("Fallback") => skipped = skipped.saturating_sub(1),
            _ if skipped > 0 => {}
            Node::Text(text) => {
                if in_text && !is_hidden_shape {
                    paragraph.push_str(text);
                }
            }
            Node::Close(name) => match name {
                "t" => in_text = false,
                "tbl" => slide.texts.extend(table.take().map(Text::Table)),
                "tr" => {
                    if let Some(table) = &mut table {
                        add_row(table, &cells);
                    }
                }
                "p" => match kind.as_str() {
                    _ if table.is_some() => {
                        if let Some(cell) = cells.last_mut() {
                            cell.text.push(' ');
                            cell.text.push_str(&paragraph);
                        }
                    }
                    // Numbers, dates and footers of every slide.
                    "sldNum" | "dt" | "ftr" | "hdr" => {}
                    "title" | "ctrTitle" if !paragraph.trim().is_empty() => {
                        let title = slide.title.get_or_insert_default();
                        title.push(' ');
                        title.push_str(paragraph.trim());
                    }
                    _ => slide.texts.push(Text::Paragraph(std::mem::take(&mut paragraph))),
                },
                _ => {}
            },
        }
        true
    })?;
    slide.title = slide.title.map(|title| title.trim().to_owned());
    Ok(slide)
}
