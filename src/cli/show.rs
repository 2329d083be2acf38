//! `rag show`: a passage of a document and what is around it.

use std::ops::Range;

use clap::Args;

use super::exit::Outcome;
use super::layout::filled;
use super::place::{self, At, Place};
use super::sources;
use super::ui::{Tone, Ui, columns, one_line, safe, safe_name};
use crate::document::Chunk;
use crate::documents::{self, Document};
use crate::engine::Engine;
use crate::error::Result;
use crate::strings::{StrExt as _, lines};
use crate::wire;

/// Show a passage and what is around it
///
/// Prints the text as it was indexed, with line numbers. Without a place, prints the whole
/// document. A number after a colon is a line, or a page, slide, message or cell where the document
/// has these: `report.pdf:3` is page 3.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Document or citation as hits show it, such as `guide.md:12` or `report.pdf (page 3)`; or the
    /// number of a source of the last answer or search in this terminal
    #[arg(value_name = "PATH|CITATION|N")]
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
    let cited = place.passages(&args.place)?;
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
            let last = n.checked_sub(1).filter(|last| shown.contains(last));
            let next = Some(n + 1).filter(|next| shown.contains(next));
            let of = |n: usize| Neighbour { chunk: &chunks[n].chunk, is_cited: cited.contains(&n) };
            let text = without_overlap(&of(n), last.map(of).as_ref(), next.map(of).as_ref());
            if text.is_empty() {
                continue;
            }
            ui.line("");
            print_passage(chunk, text, cited.contains(&n), !cited.is_empty(), ui);
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
    Ok(Place { document, at: Some(At::Line(source.line)) })
}

struct Neighbour<'a> {
    chunk: &'a Chunk,
    is_cited: bool,
}

/// The part of a passage to print. The end of a passage is repeated at the start of the next one;
/// it is printed with the one that was asked for, or else with the first.
fn without_overlap(
    passage: &Neighbour<'_>,
    last: Option<&Neighbour<'_>>,
    next: Option<&Neighbour<'_>>,
) -> Range<usize> {
    let chunk = passage.chunk;
    // Where the text that starts at an offset of the file, or after it, starts in the passage.
    let at = |offset: usize| {
        let unit = chunk.units.iter().find(|unit| unit.bytes.start >= offset);
        unit.map_or(chunk.text.len(), |unit| unit.span.start)
    };
    let gives_way = |to: &Neighbour<'_>| to.is_cited && !passage.is_cited;
    let start = last
        .filter(|last| last.is_cited || !passage.is_cited)
        .filter(|last| last.chunk.bytes.end > chunk.bytes.start)
        .map_or(0, |last| at(last.chunk.bytes.end));
    let end = next
        .filter(|next| gives_way(next) && next.chunk.bytes.start < chunk.bytes.end)
        .map_or(chunk.text.len(), |next| at(next.chunk.bytes.start));
    start..end.max(start)
}

/// Prints lines of a passage with their numbers, where the document has lines; a mark is before
/// those of the passage that was asked for.
fn print_passage(chunk: &Chunk, part: Range<usize>, is_cited: bool, has_marks: bool, ui: &Ui) {
    let is_numbered = chunk.place.is_none()
        && lines(chunk.text.trim_end_matches('\n')).count()
            == chunk.lines.last.saturating_sub(chunk.lines.first) + 1;
    let first = chunk.lines.first
        + lines(chunk.text.slice(..part.start)).count().saturating_sub(usize::from(
            !chunk.text.slice(..part.start).ends_with('\n') && part.start > 0,
        ));
    let text: Vec<String> = lines(chunk.text.slice(part).trim_end_matches('\n'))
        .map(|line| safe(line).replace('\t', "    ").trim_end().to_owned())
        .collect();
    let mark = match (has_marks, is_cited) {
        (false, _) => "",
        (_, true) => "> ",
        (_, false) => "  ",
    };
    let mark = ui.paint(Tone::Good, mark);
    if let Some(place) = chunk.extent().within() {
        ui.line(format!("{mark}{}", ui.paint(Tone::Faint, &format!("({})", safe_name(&place)))));
    }
    for (line, n) in text.iter().zip(first..) {
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
