//! `PowerPoint` presentations: the text of each slide under its title, and the speaker's notes.

use super::super::build::Build;
use super::super::doc::{BlockKind, Extracted, NoText};
use super::super::xml::{self, Node};
use super::archive::{Archive, shown_row};
use crate::document::{Format, Location};

/// No real presentation has more.
const MAX_SLIDES: usize = 10_000;

pub(super) fn pptx(bytes: &[u8]) -> Result<Extracted, NoText> {
    let mut archive = Archive::open(bytes)?;
    let (title, author) = archive.core_properties()?;
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
        build.place(Location::Slide(n + 1));
        if let Some(title) = &slide.title {
            first_title.get_or_insert_with(|| title.clone());
            build.heading(1, title);
        }
        slide.write(&mut build);
        let notes = archive.relations(path)?.into_values().find(|(kind, _)| kind == "notesSlide");
        if let Some((_, notes)) = notes
            && let Some(text) = archive.text(&notes)?
        {
            read(&text)?.write(&mut build);
        }
    }
    build.metadata("author", author.as_deref().unwrap_or_default());
    let title =
        title.filter(|title| !title.to_lowercase().starts_with("powerpoint")).or(first_title);
    build.finish(Format::Pptx, title.as_deref())
}

/// The content of a slide.
#[derive(Default)]
struct Slide {
    title: Option<String>,
    /// Paragraphs, and rows of tables.
    texts: Vec<(bool, String)>,
}

impl Slide {
    fn write(&self, build: &mut Build) {
        let mut was_row = false;
        for (is_row, text) in &self.texts {
            if *is_row {
                build.row(!was_row, text);
            } else {
                build.block(BlockKind::Paragraph, text);
            }
            was_row = *is_row;
        }
    }
}

fn read(text: &str) -> Result<Slide, NoText> {
    let mut slide = Slide::default();
    let mut kind = String::new();
    let mut paragraph = String::new();
    let mut cells: Vec<String> = Vec::new();
    let (mut in_text, mut in_table, mut skipped) = (false, false, 0_usize);
    xml::walk(text, &mut |node| {
        match node {
            Node::Open(element) => match element.name.as_str() {
                "Fallback" => skipped += 1,
                _ if skipped > 0 => {}
                "sp" => kind.clear(),
                "ph" => element.get("type").unwrap_or("body").clone_into(&mut kind),
                "p" => paragraph.clear(),
                "t" => in_text = true,
                "br" => paragraph.push('\n'),
                "tbl" => in_table = true,
                "tr" => cells.clear(),
                "tc" => cells.push(String::new()),
                _ => {}
            },
            Node::Close("Fallback") => skipped = skipped.saturating_sub(1),
            _ if skipped > 0 => {}
            Node::Text(text) => {
                if in_text {
                    paragraph.push_str(text);
                }
            }
            Node::Close(name) => match name {
                "t" => in_text = false,
                "tbl" => in_table = false,
                "tr" => slide.texts.push((true, shown_row(&cells))),
                "p" => match kind.as_str() {
                    _ if in_table => {
                        if let Some(cell) = cells.last_mut() {
                            cell.push(' ');
                            cell.push_str(&paragraph);
                        }
                    }
                    // Numbers, dates and footers of every slide.
                    "sldNum" | "dt" | "ftr" | "hdr" => {}
                    "title" | "ctrTitle" if !paragraph.trim().is_empty() => {
                        let title = slide.title.get_or_insert_default();
                        title.push(' ');
                        title.push_str(paragraph.trim());
                    }
                    _ => slide.texts.push((false, std::mem::take(&mut paragraph))),
                },
                _ => {}
            },
        }
        true
    })?;
    slide.title = slide.title.map(|title| title.trim().to_owned());
    Ok(slide)
}
