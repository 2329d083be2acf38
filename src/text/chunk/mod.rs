//! Divides a text into passages: each about one topic, none longer than the model's window,
//! together the whole text.
//!
//! A passage does not cross sections, except that sections of a line or two are merged with small
//! neighbours: alone they would be many passages with little content. The text of headings is in
//! the heading path, which is embedded with the passage; it is in the passage itself only where
//! that has several sections. Within a section, passages are of similar length rather than full
//! ones and a remnant, because a short remnant of rare words would rank first for every question
//! with one of them. Definitions in code are treated like sections of prose.
//!
//! Token counts of units are added instead of counting every candidate. Sums are exact for units
//! separated by white space, and close otherwise. A passage whose sum is near the limit is counted.

mod outline;
mod pack;
mod quotes;
mod sections;
mod units;

#[cfg(test)]
mod tests;

use std::ops::Range;

use quotes::Quotes;
use sections::{Section, sections};
use units::{Cut, Divider, Unit};

use super::extract::Extracted;
use crate::document::{Chunk, Location, Span, context_line, embedded_text};
use crate::strings::StrExt as _;

/// Limits of passages, in tokens of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of the whole embedded text: title, heading path and passage.
    pub max_tokens: usize,
    /// Of the whole sentences that a passage repeats from the end of the previous one of the same
    /// section.
    pub overlap_tokens: usize,
}

/// Divides a document into passages, in order.
///
/// `count` returns the number of tokens of a text, without special tokens. Every passage with its
/// title and heading path is within `limits.max_tokens`, unless the title alone takes more than two
/// thirds of it.
pub fn chunk(doc: &Extracted, limits: &Limits, count: &dyn Fn(&str) -> usize) -> Vec<Chunk> {
    let chunker = Chunker::new(doc, limits, count);
    let parts = match doc.outline.is_empty() {
        true => sections(doc).into_iter().map(|section| chunker.measure(section)).collect(),
        false => chunker.outlined(),
    };
    let groups = chunker.build(chunker.group(parts));
    let mut chunks = Vec::new();
    for group in &groups {
        chunker.emit_group(group, &mut chunks);
    }
    chunks
}

struct Chunker<'a> {
    doc: &'a Extracted,
    count: &'a dyn Fn(&str) -> usize,
    max: usize,
    overlap: usize,
    title_tokens: usize,
    quotes: Quotes<'a>,
}

/// A section with its units and their token counts.
struct Part {
    section: Section,
    units: Vec<Unit>,
    body_tokens: usize,
    heading_tokens: usize,
}

impl Part {
    fn tokens(&self) -> usize {
        self.body_tokens + self.heading_tokens
    }

    fn is_bare(&self) -> bool {
        self.units.is_empty()
    }
}

/// Sections that are divided together.
struct Group {
    path: Vec<String>,
    units: Vec<Unit>,
    /// Tokens left for the text under this path.
    budget: usize,
}

impl<'a> Chunker<'a> {
    fn new(doc: &'a Extracted, limits: &Limits, count: &'a dyn Fn(&str) -> usize) -> Self {
        let max = limits.max_tokens.max(1);
        let title_tokens = doc.title.as_deref().map_or(0, count);
        // A larger overlap would make passages mostly repetition.
        let overlap = limits.overlap_tokens.min(max / 3);
        Self { doc, count, max, overlap, title_tokens, quotes: Quotes::new(doc) }
    }

    fn measure(&self, section: Section) -> Part {
        let max = self.rest_budget(self.budget(&self.fitted(&section.path)));
        let divider = Divider { text: &self.doc.text, count: self.count, max };
        let mut units = Vec::new();
        let mut before = None;
        for block in &self.doc.blocks[section.body.clone()] {
            divider.push(block, before.replace(block), &mut units);
        }
        let heading_tokens = section.heading.map_or(0, |i| divider.weigh(self.doc.blocks[i].span));
        let body_tokens = units.iter().map(|unit| unit.tokens).sum();
        Part { section, units, body_tokens, heading_tokens }
    }

    /// Merges small sections: each group is a run of parts.
    fn group(&self, parts: Vec<Part>) -> Vec<Vec<Part>> {
        // A heading and a line or two.
        let tiny = (self.max / 5).min(48);
        let mut groups: Vec<Vec<Part>> = Vec::new();
        let mut tokens = 0;
        for part in parts {
            if let Some(group) = groups.last_mut() {
                let is_small = tokens <= tiny || part.tokens() <= tiny;
                let base = common_path(group, Some(&part));
                // At most half the budget: beside a long section, a line of another one would be
                // lost to the reader and to the model, which makes one vector of both.
                let fits = (tokens + part.tokens()) * 2 <= self.budget(&self.fitted(base));
                if is_small
                    && belongs(group, &part)
                    && fits
                    && self.have_one_place(&group[0], &part)
                {
                    tokens += part.tokens();
                    group.push(part);
                    continue;
                }
            }
            tokens = part.tokens();
            groups.push(vec![part]);
        }
        groups
    }

    /// False for parts of two slides, sheets or messages: a citation names one place.
    fn have_one_place(&self, a: &Part, b: &Part) -> bool {
        let place = |part: &Part| {
            let block = part.section.heading.unwrap_or(part.section.body.start);
            self.doc.place_at(self.doc.blocks.get(block)?.span.start)
        };
        Location::continues(place(a), place(b))
    }

    /// Flattens each group into a list of units.
    fn build(&self, groups: Vec<Vec<Part>>) -> Vec<Group> {
        let mut built: Vec<Group> = Vec::new();
        let mut orphans: Vec<Unit> = Vec::new();
        for mut parts in groups {
            let n_parts = parts.len();
            if parts.iter().all(Part::is_bare) {
                // A heading without text goes to the previous passage, or else to the next. One
                // above deeper sections is in their paths.
                if parts.iter().all(|part| !part.section.is_leaf) {
                    continue;
                }
                let is_title = |part: &Part| part.section.path.is_empty() && n_parts > 1;
                let units = parts
                    .iter()
                    .filter(|part| !is_title(part))
                    .filter_map(|part| self.heading_unit(part));
                match built.last_mut() {
                    Some(group) => group.units.extend(units),
                    None => orphans.extend(units),
                }
                continue;
            }
            while parts[0].is_bare()
                && parts[1..].iter().all(|p| p.section.is_below(&parts[0].section.path))
            {
                parts.remove(0);
            }
            while parts.last().is_some_and(|part| part.is_bare() && !part.section.is_leaf) {
                parts.pop();
            }
            let path = common_path(&parts, None).to_vec();
            let with_first_heading = parts[0].section.path.len() > path.len();
            let mut units = std::mem::take(&mut orphans);
            for (i, part) in parts.into_iter().enumerate() {
                if i > 0 || with_first_heading {
                    units.extend(self.heading_unit(&part));
                }
                units.extend(part.units);
            }
            built.push(Group { path, units, budget: 0 });
        }
        if !orphans.is_empty() {
            built.push(Group { path: Vec::new(), units: orphans, budget: 0 });
        }
        for group in &mut built {
            group.path = self.fitted(&group.path);
            group.budget = self.budget(&group.path);
            self.measure_gaps(&mut group.units);
        }
        built
    }

    fn heading_unit(&self, part: &Part) -> Option<Unit> {
        let span = self.doc.blocks[part.section.heading?].span;
        Some(Unit { span, tokens: part.heading_tokens, lead: 0, cut: Cut::Heading, is_code: false })
    }

    /// Counts the text between units, other than white space: a passage with both units contains
    /// it.
    fn measure_gaps(&self, units: &mut [Unit]) {
        let divider = Divider { text: &self.doc.text, count: self.count, max: usize::MAX };
        for i in 1..units.len() {
            let (start, end) = (units[i - 1].span.end, units[i].span.start);
            if self.doc.text.slice(start..end).contains(|c: char| !c.is_whitespace()) {
                units[i].lead = divider.weigh(Span::new(start, end));
            }
        }
    }

    fn emit_group(&self, group: &Group, chunks: &mut Vec<Chunk>) {
        let rest = self.rest_budget(group.budget);
        let room =
            |i: usize| if i > 0 && self.may_repeat(&group.units, i) { rest } else { group.budget };
        let mut before: Option<Range<usize>> = None;
        for range in pack::pack(&group.units, room) {
            let start = before.and_then(|before| self.overlap_start(&group.units, before));
            let is_whole = self.emit(group, range.clone(), start, chunks);
            // The end of a run that was divided may be a passage already; it is not repeated.
            before = is_whole.then_some(range);
        }
    }

    /// Makes a passage of a run of units, or several when it is too long. Returns whether it is
    /// one.
    fn emit(
        &self,
        group: &Group,
        range: Range<usize>,
        overlap_start: Option<usize>,
        chunks: &mut Vec<Chunk>,
    ) -> bool {
        let units = &group.units[range.clone()];
        let start = overlap_start.unwrap_or(units[0].span.start);
        let span =
            self.trimmed(Span::new(start, units[units.len() - 1].span.end), units[0].is_code);
        let text = self.doc.text.slice(span.range());
        let sum: usize = units.iter().map(|unit| unit.tokens + unit.lead).sum();
        let context = context_line(self.doc.title.as_deref(), &group.path);
        let repeated = if overlap_start.is_some() { self.overlap } else { 0 };
        let is_near = (sum + repeated) * 10 >= group.budget * 9;
        if is_near && (self.count)(&embedded_text(&context, text)) > self.max {
            if overlap_start.is_some() {
                return self.emit(group, range, None, chunks);
            }
            if units.len() > 1 {
                let middle = range.start + units.len() / 2;
                self.emit(group, range.start..middle, None, chunks);
                self.emit(group, middle..range.end, None, chunks);
                return false;
            }
            let divider =
                Divider { text: &self.doc.text, count: self.count, max: units[0].tokens / 2 };
            let finer = Group {
                path: group.path.clone(),
                units: divider.halves(units[0]),
                budget: group.budget,
            };
            if finer.units.len() > 1 {
                for i in 0..finer.units.len() {
                    self.emit(&finer, i..i + 1, None, chunks);
                }
                return false;
            }
        }
        if text.contains(char::is_alphanumeric) {
            let (units, table_header) = self.quotes.of(span);
            chunks.push(Chunk {
                heading: group.path.clone(),
                text: text.to_owned(),
                bytes: self.doc.origin.bytes(span),
                lines: self.doc.origin.lines(span),
                place: self.doc.place_at(span.start).cloned(),
                units,
                table_header,
            });
        }
        true
    }

    /// The start of a passage that repeats the end of the previous one; `None` when it repeats
    /// nothing.
    fn overlap_start(&self, units: &[Unit], before: Range<usize>) -> Option<usize> {
        let i = before.end;
        if i == units.len() || !self.may_repeat(units, i) {
            return None;
        }
        let cut = units[i].cut;
        let before = &units[before];
        let last = before[before.len() - 1];
        // Only the text after the last listing, table or heading is repeated.
        let is_break = |unit: &&Unit| unit.cut == Cut::Heading || unit.is_code;
        let from = match before.iter().rfind(is_break) {
            Some(unit) if !last.is_code => unit.span.end,
            _ if last.is_code => last.span.start,
            _ => before[0].span.start,
        };
        let total: usize = before.iter().map(|unit| unit.tokens).sum();
        let room = self.overlap.min(total / 2);
        let divider = Divider { text: &self.doc.text, count: self.count, max: room };
        let start = divider.tail(Span::new(from, last.span.end), cut, last.is_code);
        start.filter(|&start| start > before[0].span.start)
    }

    /// Whether a passage that begins at a unit may repeat the text before it.
    fn may_repeat(&self, units: &[Unit], i: usize) -> bool {
        let (last, next) = (units[i - 1], units[i]);
        // Whole items of code need no context, and a comment between them would be repeated too.
        let is_whole_code = last.is_code
            && matches!(next.cut, Cut::Block | Cut::Announced | Cut::Heading | Cut::Item);
        self.overlap > 0 && next.lead == 0 && !is_whole_code && last.cut != Cut::Heading
    }

    /// The span without surrounding white space; code keeps the indentation of its first line.
    fn trimmed(&self, span: Span, is_code: bool) -> Span {
        let text = self.doc.text.slice(span.range());
        let end = span.start + text.trim_end().len();
        let indented = text.trim_start();
        let mut start = span.start + (text.len() - indented.len());
        if is_code {
            start = self
                .doc
                .text
                .slice(span.start..start)
                .rfind(['\n', '\r'])
                .map_or(span.start, |at| span.start + at + 1);
        }
        Span::new(start.min(end), end)
    }

    /// Tokens left for the text under a heading path.
    fn budget(&self, path: &[String]) -> usize {
        let context = (self.count)(&context_line(self.doc.title.as_deref(), path));
        self.max.saturating_sub(context).max(self.max / 3).max(1)
    }

    /// Tokens left for new text in a passage with overlap.
    fn rest_budget(&self, budget: usize) -> usize {
        (budget - self.overlap.min(budget / 2)).max(1)
    }

    /// The heading path, shortened so that it and the title take at most a third of the window:
    /// outer headings are dropped first, then the end of the innermost.
    fn fitted(&self, path: &[String]) -> Vec<String> {
        let room = (self.max / 3).saturating_sub(self.title_tokens);
        let fits = |path: &[String]| (self.count)(&context_line(None, path)) <= room;
        if path.is_empty() || fits(path) {
            return path.to_vec();
        }
        if let Some(inner) = (1..path.len()).map(|i| &path[i..]).find(|inner| fits(inner)) {
            return inner.to_vec();
        }
        let words: Vec<&str> = path[path.len() - 1].split_whitespace().collect();
        let mut cut = (1..words.len()).rev().map(|n| vec![format!("{}…", words[..n].join(" "))]);
        cut.find(|path| fits(path)).unwrap_or_default()
    }
}

/// Whether a section may join a group: it is below the group's first section, beside it, or below
/// one beside it.
fn belongs(group: &[Part], part: &Part) -> bool {
    let first = &group[0].section.path;
    let Some((_, parent)) = first.split_last() else { return true };
    // Code continues after a definition in it.
    let continues = part.section.heading.is_none();
    part.section.path.starts_with(parent) && (continues || part.section.path.len() > parent.len())
}

fn common_path<'p>(group: &'p [Part], next: Option<&Part>) -> &'p [String] {
    let first = &group[0].section.path;
    let n = group[1..].iter().chain(next).fold(first.len(), |n, part| {
        first.iter().zip(&part.section.path).take(n).take_while(|(a, b)| a == b).count()
    });
    &first[..n]
}
