//! A place in a document as the user names it: `docs/guide.md`, or as a citation prints it,
//! `docs/guide.md:12`, `docs/report.pdf (page 3)`.
//!
//! A number after a colon is a page, slide, message or cell where the document has these, and else
//! a line.

use std::ops::Range;

use super::links::Target;
use crate::document::{Location, places_within};
use crate::documents::{self, CitedPlace, Document, Part};
use crate::engine::Engine;
use crate::error::{Fault, Result};
use crate::index::Stored;

/// A document, and a place in it if one is named.
pub struct Place {
    pub document: Document,
    pub at: Option<At>,
}

/// A place in a document.
pub enum At {
    /// A line of its text.
    Line(usize),
    /// Its passages there, and where they begin.
    Passages(Range<usize>, Location),
}

impl Place {
    /// Where the place leads.
    ///
    /// # Errors
    /// A failure if the document's folder is not known.
    pub fn target(&self) -> Result<Target> {
        let Document { roots, record, chunks } = &self.document;
        let root = roots.get(record.root);
        let path = root.map(|root| match root.is_site() {
            true => crate::naming::name(&root.given, &record.path),
            false => root.absolute(&record.path),
        });
        let path = path.ok_or_else(|| Fault::failed("the folder of the document is not known"))?;
        let has_lines = chunks.iter().all(|stored| stored.chunk.place.is_none());
        let (line, page) = match &self.at {
            Some(At::Line(line)) if has_lines => (Some(*line), None),
            Some(At::Passages(_, location)) => (None, location.page()),
            _ => (None, None),
        };
        Ok(Target { path, line, page })
    }

    /// The passages at the place; none without a place.
    ///
    /// # Errors
    /// A usage fault for a line after the last one. `text` is what the user typed.
    pub fn passages(&self, text: &str) -> Result<Range<usize>> {
        let chunks = &self.document.chunks;
        match &self.at {
            None => Ok(0..0),
            Some(At::Passages(range, _)) => Ok(range.clone()),
            Some(At::Line(line)) => at_line(*line, chunks).ok_or_else(|| {
                let last = chunks.last().map_or(0, |stored| stored.chunk.lines.last);
                Fault::usage(format!("`{text}` has no text at line {line}"))
                    .hint(format!("its passages end at line {last}"))
            }),
        }
    }
}

/// The place that `text` names.
///
/// # Errors
/// Those of [`documents::show`], and a usage fault for a place without text.
pub fn find(engine: &Engine, text: &str) -> Result<Place> {
    let document = documents::show(engine, text)?;
    let at = match documents::place_of(text, &document) {
        None => None,
        Some(CitedPlace::Number(n)) => Some(numbered(text, n, &document.chunks)?),
        Some(CitedPlace::Within(place)) => {
            let readings = places_within(&place).into_iter();
            let mut found = readings.map(|(first, last)| {
                At::Passages(documents::passages_within(&first, &last, &document.chunks), first)
            });
            let is_there = |at: &At| matches!(at, At::Passages(range, _) if !range.is_empty());
            Some(found.find(is_there).ok_or_else(|| {
                Fault::usage(format!("`{text}` has no text at {place}"))
                    .hint("without a place, `rag show` prints the whole document")
            })?)
        }
    };
    Ok(Place { document, at })
}

/// The page, slide, message or cell with a number; a line in a document without them.
fn numbered(text: &str, n: usize, chunks: &[Stored]) -> Result<At> {
    let places = || {
        let units = chunks.iter().flat_map(|stored| {
            let units = stored.chunk.units.iter().flat_map(|unit| [&unit.location, &unit.end]);
            units.chain([&stored.chunk.place])
        });
        units.flatten()
    };
    let Some(what) = places().find_map(Location::counted) else { return Ok(At::Line(n)) };
    let there: Vec<&Location> = places().filter(|place| place.number() == Some(n)).collect();
    if let [first, .., last] | [first @ last] = there[..] {
        let range = documents::passages_within(first, last, chunks);
        return Ok(At::Passages(range, (*first).clone()));
    }
    let last = places().filter_map(Location::number).max().unwrap_or(0);
    Err(Fault::usage(format!("`{text}` has no text at {what} {n}"))
        .hint(format!("its last {what} with text is {last}")))
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
