//! `rag show`: a passage of a document and what is around it.

use std::ops::Range;

use clap::Args;

use super::exit::Outcome;
use super::layout::filled;
use super::place::{self, Place};
use super::sources;
use super::ui::{Tone, Ui, columns, one_line, safe, safe_name};
use crate::document::Chunk;
use crate::documents::{self, Document, Part};
use crate::engine::Engine;
use crate::error::{Fault, Result};
use crate::index::Stored;
use crate::strings::lines;
use crate::wire;

/// Show a passage and what is around it
///
/// Prints the text as it was indexed, with line numbers. Without a line, prints the whole document.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Document as hits show it, PATH or PATH:LINE; or the number of a source of the last answer
    /// or search in this terminal
    #[arg(value_name = "PATH[:LINE]|N")]
    place: String,
    /// Passages to show before and after it
    #[arg(short = 'C', long, value_name = "N", default_value_t = 1)]
    context: usize,
}

pub fn run(args: &ShowArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let place = match args.place.parse() {
        Ok(n) => numbered(engine, n)?,
        Err(_) => place::find(engine, &args.place)?,
    };
    let Document { roots, record, chunks } = &place.document;
    let cited = match place.line {
        Some(line) => at_line(line, chunks).ok_or_else(|| {
            let last = chunks.last().map_or(0, |stored| stored.chunk.lines.last);
            Fault::usage(format!("`{}` has no text at line {line}", args.place))
                .hint(format!("its passages end at line {last}"))
        })?,
        None => 0..0,
    };
    let shown = match cited.is_empty() {
        true => 0..chunks.len(),
        false => {
            cited.start.saturating_sub(args.context)..(cited.end + args.context).min(chunks.len())
        }
    };
    if ui.json {
        let mut object = wire::document(roots, record);
        let marked = cited.start - shown.start..cited.end - shown.start;
        let marked = (!cited.is_empty()).then_some(&marked);
        object["passages"] = wire::passages(&chunks[shown.clone()], marked);
        ui.json(&object);
        return Ok(Outcome::Done);
    }
    let name = documents::names_from_here(roots).shown(record.root, &record.path);
    ui.paged(|| {
        ui.line(ui.paint(Tone::Location, &safe_name(&name)));
        let mut heading: &[String] = &[];
        for n in shown.clone() {
            let chunk = &chunks[n].chunk;
            if chunk.heading != heading {
                heading = &chunk.heading;
                let heading = one_line(&heading.join(" > "));
                ui.line(format!("\n{}", ui.paint(Tone::Strong, &heading)));
            }
            ui.line("");
            print_passage(chunk, cited.contains(&n), !cited.is_empty(), ui);
        }
    });
    Ok(Outcome::Done)
}

/// The source `n` of the last search or answer, in its document.
fn numbered(engine: &Engine, n: usize) -> Result<Place> {
    let (shown, source) = sources::last(engine, n)?;
    let mut config = engine.config.clone();
    config.data_dir.clone_from(&shown.data_dir);
    config.index.clone_from(&shown.index);
    let snapshot = engine.with(config).store.open(&shown.index)?;
    let document = documents::find(&snapshot, Some(&source.root), &source.path)?;
    Ok(Place { document, line: Some(source.line) })
}

/// The passage at a line, or the next one.
fn at_line(line: usize, chunks: &[Stored]) -> Option<Range<usize>> {
    let found = documents::passages_of(Part::Lines(line, line), chunks);
    if !found.is_empty() {
        return Some(found);
    }
    let next = chunks.iter().position(|stored| stored.chunk.lines.first > line)?;
    Some(next..next + 1)
}

/// Prints the lines of a passage with their numbers, where the document has lines; a mark is before
/// those of the passage that was asked for.
fn print_passage(chunk: &Chunk, is_cited: bool, has_marks: bool, ui: &Ui) {
    let text: Vec<String> = lines(chunk.text.trim_end_matches('\n'))
        .map(|line| safe(line).replace('\t', "    ").trim_end().to_owned())
        .collect();
    let mark = match (has_marks, is_cited) {
        (false, _) => "",
        (_, true) => "> ",
        (_, false) => "  ",
    };
    let mark = ui.paint(Tone::Good, mark);
    let is_numbered = chunk.place.is_none()
        && text.len() == chunk.lines.last.saturating_sub(chunk.lines.first) + 1;
    if let Some(place) = chunk.extent().within() {
        ui.line(format!("{mark}{}", ui.paint(Tone::Faint, &format!("({})", safe_name(&place)))));
    }
    for (line, n) in text.iter().zip(chunk.lines.first..) {
        let number = if is_numbered { format!("{n:>5}  ") } else { String::new() };
        let room = ui.width().saturating_sub(number.len() + 2);
        let is_long = ui.is_terminal() && columns(line) > room && !line.starts_with(' ');
        let parts = if is_long { filled(line, room) } else { vec![line.clone()] };
        for (part, n) in parts.iter().zip(0..) {
            // Only the first part has a number.
            let margin = if n == 0 { number.clone() } else { " ".repeat(number.len()) };
            ui.line(format!("{mark}{}{part}", ui.paint(Tone::Faint, &margin)).trim_end());
        }
    }
}
