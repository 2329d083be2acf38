//! The part of a passage that matches a query, in lines that fit the terminal.
//!
//! Matches are found by the analysis of the index, so they are words and their inflections. Pure.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;

use super::layout::{columns, filled, prefix, safe, suffix};
use crate::analysis::{self, plain};
use crate::document::{Chunk, Note, UnitKind};
use crate::strings::{StrExt as _, lines};

/// Columns that text before a match takes when a long sentence or line does not begin with it.
const BEFORE: usize = 24;

/// The words of a query, as passages write them.
pub struct Matcher {
    terms: Vec<Term>,
    languages: Vec<String>,
    /// The terms that each word seen so far matches. An excerpt is the best of many that have the
    /// same words, and stemming them anew took half the time of a search.
    known: RefCell<HashMap<String, Vec<usize>>>,
}

/// A word of a query: its forms, and how much finding it counts.
struct Term {
    forms: Vec<String>,
    weight: f64,
}

/// A line of an excerpt, and the words in it that match.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    pub text: String,
    pub marks: Vec<Range<usize>>,
}

/// How much of a passage is shown.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    pub columns: usize,
    /// Lines of prose; code and tables get [`CODE_LINES`] times as many.
    pub lines: usize,
}

/// A line of code says less than a line of prose.
const CODE_LINES: usize = 2;

impl Matcher {
    /// `rarity` is the inverse document frequency of a term. Words that the search replaced are
    /// in `notes`.
    pub fn new(
        query: &str,
        notes: &[Note],
        languages: &[&str],
        rarity: &dyn Fn(&str) -> f64,
    ) -> Self {
        let mut texts = vec![query];
        texts.extend(notes.iter().filter_map(|note| match note {
            Note::Corrected { instead, .. } => Some(instead.as_str()),
            _ => None,
        }));
        let mut terms = Vec::new();
        for text in texts {
            let query = analysis::query_terms(text, languages);
            let phrased = query.phrases.into_iter().flat_map(|phrase| phrase.terms);
            let scored =
                query.terms.into_iter().map(|term| (term.variants, f64::from(term.weight)));
            for (forms, weight) in scored.chain(phrased.map(|term| (term.variants, 1.0))) {
                let rarest = forms.iter().map(|form| rarity(form)).fold(0.0, f64::max);
                terms.push(Term { weight: weight * rarest.max(0.1), forms });
            }
        }
        let languages = languages.iter().map(|&code| code.to_owned()).collect();
        Self { terms, languages, known: RefCell::default() }
    }

    /// The matching words of `text`, in order and without overlap, with the terms that they match.
    fn find(&self, text: &str) -> Vec<(Range<usize>, Vec<usize>)> {
        let mut found: Vec<(Range<usize>, usize)> = Vec::new();
        let mut known = self.known.borrow_mut();
        analysis::index_terms(text, None, &mut |term| {
            let range = term.start..term.end;
            let word = text.slice(range.clone());
            if !self.may_match(word) {
                return;
            }
            if !known.contains_key(word) {
                known.insert(word.to_owned(), self.matches(word));
            }
            found.extend(known[word].iter().map(|&n| (range.clone(), n)));
        });
        found.sort_by_key(|(range, n)| (range.start, range.end, *n));
        let mut merged: Vec<(Range<usize>, Vec<usize>)> = Vec::new();
        for (range, n) in found {
            match merged.last_mut() {
                Some((last, terms)) if range.start < last.end => {
                    last.end = last.end.max(range.end);
                    if !terms.contains(&n) {
                        terms.push(n);
                    }
                }
                _ => merged.push((range, vec![n])),
            }
        }
        merged
    }

    /// Whether a word can match: no stemmer changes a first letter without an accent.
    fn may_match(&self, word: &str) -> bool {
        let Some(first) = word.bytes().next().filter(u8::is_ascii_alphabetic) else { return true };
        let mut forms = self.terms.iter().flat_map(|term| &term.forms);
        forms.any(|form| form.bytes().next() == Some(first.to_ascii_lowercase()))
    }

    /// The terms that a whole word matches, in any language.
    fn matches(&self, word: &str) -> Vec<usize> {
        let mut matched = Vec::new();
        for language in self.languages.iter().map(|code| Some(code.as_str())).chain([None]) {
            analysis::index_terms(word, language, &mut |term| {
                let is_form = |asked: &Term| asked.forms.iter().any(|form| form == term.text);
                if (term.start, term.end) == (0, word.len()) {
                    matched.extend(self.terms.iter().position(is_form));
                }
            });
        }
        matched
    }

    /// The weight of the distinct terms that occur in some lines.
    fn score(&self, lines: &[String]) -> f64 {
        let found = lines.iter().flat_map(|line| self.find(line)).flat_map(|(_, terms)| terms);
        self.weight(found)
    }

    /// The weight of the distinct terms.
    fn weight(&self, terms: impl Iterator<Item = usize>) -> f64 {
        let mut terms: Vec<usize> = terms.collect();
        terms.sort_unstable();
        terms.dedup();
        terms.into_iter().map(|n| self.terms[n].weight).sum()
    }

    /// A line with its matches.
    fn marked(&self, text: String) -> Line {
        let marks = self.find(&text).into_iter().map(|(range, _)| range).collect();
        Line { text, marks }
    }
}

/// A part of a passage that begins an excerpt or does not.
struct Piece {
    kind: Kind,
    text: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A sentence that follows another on the same line.
    Continued,
    /// A sentence that begins a line: the first of a paragraph or a list item.
    Begins,
    /// A line of code, a table row or a record: never joined with another.
    Alone,
}

/// The lines of `chunk` that match best: its beginning if nothing matches better.
pub fn excerpt(chunk: &Chunk, matcher: &Matcher, room: Room) -> Vec<Line> {
    let lines = best(&pieces(chunk), matcher, room);
    lines.into_iter().map(|line| matcher.marked(line)).collect()
}

/// The excerpt on one line, for output that is not a terminal.
pub fn one_line(chunk: &Chunk, matcher: &Matcher, columns: usize) -> Line {
    let mut pieces = pieces(chunk);
    for piece in &mut pieces {
        *piece = Piece { kind: Kind::Continued, text: piece.text.one_line() };
    }
    let lines = best(&pieces, matcher, Room { columns, lines: 1 });
    matcher.marked(lines.into_iter().next().unwrap_or_default())
}

/// The lines from the piece on that has the most terms in as many lines, the first of equals.
fn best(pieces: &[Piece], matcher: &Matcher, room: Room) -> Vec<String> {
    let found: Vec<Vec<usize>> = pieces
        .iter()
        .map(|piece| matcher.find(&piece.text).into_iter().flat_map(|(_, terms)| terms).collect())
        .collect();
    let mut best = lay_out(pieces, 0, matcher, room);
    let mut most = matcher.score(&best);
    for start in 1..pieces.len() {
        // Most starts can have no more terms, which is seen without laying them out.
        let within = || found[start..reach(pieces, start, room)].iter().flatten().copied();
        if found[start].is_empty() || matcher.weight(within()) <= most {
            continue;
        }
        let lines = lay_out(pieces, start, matcher, room);
        let score = matcher.score(&lines);
        if score > most {
            (best, most) = (lines, score);
        }
    }
    best
}

/// The end of the pieces that the lines from the piece `start` on can show something of.
fn reach(pieces: &[Piece], start: usize, room: Room) -> usize {
    let most = room.lines * CODE_LINES;
    let (mut lines, mut prose) = (0, 0);
    for (n, piece) in pieces.iter().enumerate().skip(start) {
        if lines + prose / room.columns.max(1) > most {
            return n;
        }
        match piece.kind {
            Kind::Alone => lines += 1,
            Kind::Begins | Kind::Continued => prose += columns(&piece.text),
        }
    }
    pieces.len()
}

/// The first line of an excerpt, cut nowhere, and its number in the document. For formats that
/// tools parse.
pub fn best_line(chunk: &Chunk, matcher: &Matcher) -> (usize, String) {
    let text = with_lines(&chunk.text);
    let mut best = (0, first_text(&text), 0.0);
    for (n, line) in text.iter().enumerate() {
        let score = matcher.score(std::slice::from_ref(line));
        if score > best.2 {
            best = (n, line.clone(), score);
        }
    }
    // In formats without lines, only the first line is known.
    let spanned = chunk.lines.last.saturating_sub(chunk.lines.first) + 1;
    let at = if text.len() <= spanned { chunk.lines.first + best.0 } else { chunk.lines.first };
    (at, best.1)
}

fn with_lines(text: &str) -> Vec<String> {
    lines(text).map(|line| safe(line).replace('\t', "    ").trim_end().to_owned()).collect()
}

fn first_text(lines: &[String]) -> String {
    lines.iter().find(|line| !line.trim().is_empty()).cloned().unwrap_or_default()
}

/// A passage without markup, in sentences and lines.
fn pieces(chunk: &Chunk) -> Vec<Piece> {
    if chunk.units.is_empty() {
        return code(&chunk.text).collect();
    }
    let mut pieces: Vec<Piece> = Vec::new();
    let mut end = 0;
    for unit in &chunk.units {
        let Some(text) = chunk.text.get(unit.span.range()) else { continue };
        let gap = chunk.text.get(end..unit.span.start).unwrap_or_default();
        end = unit.span.end;
        let begins = pieces.is_empty() || lines(gap).count() > 2;
        match unit.kind {
            UnitKind::Code => pieces.extend(code(text)),
            UnitKind::Heading if is_repeated(&plain(text), chunk) => {}
            UnitKind::Heading => pieces.push(Piece { kind: Kind::Alone, text: cleaned(text) }),
            UnitKind::Header | UnitKind::Row => {
                pieces.push(Piece { kind: Kind::Alone, text: cleaned(text) });
            }
            UnitKind::Record => pieces.extend(code(text)),
            UnitKind::Item { first: true } => {
                let text = format!("- {}", cleaned(text));
                pieces.push(Piece { kind: Kind::Begins, text });
            }
            UnitKind::Item { first: false } | UnitKind::Sentence => {
                let after_line = pieces.last().is_some_and(|last| last.kind == Kind::Alone);
                let kind = if begins || after_line { Kind::Begins } else { Kind::Continued };
                pieces.push(Piece { kind, text: cleaned(text) });
            }
        }
    }
    pieces.retain(|piece| piece.kind == Kind::Alone || !piece.text.trim().is_empty());
    pieces
}

/// Whether a heading in the text is the one that the hit's first line shows.
fn is_repeated(heading: &str, chunk: &Chunk) -> bool {
    chunk.heading.iter().any(|shown| shown == heading)
}

fn cleaned(text: &str) -> String {
    safe(&plain(text)).one_line()
}

/// The lines of a listing without its fence and its margin.
fn code(text: &str) -> impl Iterator<Item = Piece> {
    let is_fence = |line: &&str| {
        let line = line.trim_start();
        line.starts_with("```") || line.starts_with("~~~")
    };
    let kept: Vec<String> = lines(text)
        .filter(|line| !is_fence(line))
        .map(|line| safe(line).replace('\t', "    ").trim_end().to_owned())
        .collect();
    let indent = |line: &String| line.len() - line.trim_start_matches(' ').len();
    // The first of several lines has lost its margin to trimming.
    let rest = kept.iter().skip(usize::from(kept.len() > 1));
    let margin = rest.filter(|line| !line.is_empty()).map(indent).min().unwrap_or(0);
    kept.into_iter().filter(|line| !line.is_empty()).map(move |line| {
        let cut = indent(&line).min(margin);
        Piece { kind: Kind::Alone, text: line.slice(cut..).to_owned() }
    })
}

/// At most `room.lines` lines from the piece `start` on. The last ends with an ellipsis if the
/// passage continues.
fn lay_out(pieces: &[Piece], start: usize, matcher: &Matcher, room: Room) -> Vec<String> {
    let is_code = pieces.get(start).is_some_and(|piece| piece.kind == Kind::Alone);
    let most = if is_code { room.lines * CODE_LINES } else { room.lines };
    let (mut laid, mut paragraph) = (Vec::new(), String::new());
    for (n, piece) in pieces.iter().enumerate().skip(start) {
        if laid.len() > most {
            break;
        }
        if piece.kind != Kind::Continued {
            laid.extend(broken(&paragraph, room.columns));
            paragraph.clear();
        }
        match piece.kind {
            Kind::Alone => laid.push(around_match(&piece.text, matcher, room.columns)),
            _ if n == start => {
                paragraph = from_match(&piece.text, matcher, most * room.columns);
                let follows = start > 0 && piece.kind == Kind::Continued;
                if follows && !paragraph.starts_with('…') {
                    paragraph = format!("… {paragraph}");
                }
            }
            _ => {
                if !paragraph.is_empty() {
                    paragraph.push(' ');
                }
                paragraph.push_str(&piece.text);
                if columns(&paragraph) > (most + 1) * room.columns {
                    break;
                }
            }
        }
    }
    laid.extend(broken(&paragraph, room.columns));
    let is_cut = laid.len() > most;
    laid.truncate(most);
    if let Some(last) = laid.last_mut()
        && is_cut
    {
        *last = with_dots(last, room.columns);
    }
    laid
}

fn broken(paragraph: &str, room: usize) -> Vec<String> {
    if paragraph.is_empty() { Vec::new() } else { filled(paragraph, room) }
}

/// A line, or if it is too long the part of it around its first match.
fn around_match(line: &str, matcher: &Matcher, room: usize) -> String {
    if columns(line) <= room {
        return line.to_owned();
    }
    let shifted = from_match(line, matcher, room);
    if columns(&shifted) <= room { shifted } else { with_dots(&shifted, room) }
}

/// `text`, or if its first match is not among its first `room` columns, the text from a little
/// before that match.
fn from_match(text: &str, matcher: &Matcher, room: usize) -> String {
    let found = matcher.find(text);
    let Some((first, _)) = found.first() else { return text.to_owned() };
    if columns(text.slice(..first.end)) < room {
        return text.to_owned();
    }
    let before = suffix(text.slice(..first.start), BEFORE);
    let word = before.find(' ').map_or(before, |space| before.slice(space + 1..));
    format!("… {word}{}", text.slice(first.start..))
}

/// `line` with an ellipsis after it, in `room` columns.
fn with_dots(line: &str, room: usize) -> String {
    if columns(line) + 2 <= room {
        return format!("{line} …");
    }
    let cut = prefix(line, room.saturating_sub(2));
    let near = cut.rfind(' ').filter(|space| space * 10 > cut.len() * 6);
    format!("{} …", near.map_or(cut, |space| cut.slice(..space)).trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Lines, Span, Unit};

    /// A passage of sentences; a line that begins with four spaces is a listing, one with a dash
    /// an item.
    fn chunk(text: &str) -> Chunk {
        let mut units = Vec::new();
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            let kind = match line {
                line if line.starts_with("    ") => UnitKind::Code,
                line if line.starts_with("- ") => UnitKind::Item { first: true },
                _ => UnitKind::Sentence,
            };
            let span = Span::new(at, at + line.trim_end().len());
            let lines = Lines { first: 1, last: 1 };
            if !span.is_empty() {
                units.push(Unit { span, kind, bytes: span, lines, location: None, end: None });
            }
            at += line.len();
        }
        passage(text, units)
    }

    fn passage(text: &str, units: Vec<Unit>) -> Chunk {
        Chunk {
            heading: Vec::new(),
            text: text.to_owned(),
            bytes: Span::new(0, text.len()),
            lines: Lines { first: 11, last: 10 + text.lines().count() },
            place: None,
            units,
            table_header: String::new(),
        }
    }

    fn matcher(query: &str) -> Matcher {
        Matcher::new(query, &[], &["en"], &|_| 1.0)
    }

    /// The excerpt with matches in brackets.
    fn shown(chunk: &Chunk, query: &str, columns: usize) -> Vec<String> {
        let marked = |line: Line| {
            let (mut out, mut at) = (String::new(), 0);
            for mark in line.marks {
                out += &format!("{}<{}>", &line.text[at..mark.start], &line.text[mark.clone()]);
                at = mark.end;
            }
            out + &line.text[at..]
        };
        let room = Room { columns, lines: 2 };
        let lines = excerpt(chunk, &matcher(query), room);
        assert!(lines.iter().all(|line| super::columns(&line.text) <= columns), "{lines:?}");
        lines.into_iter().map(marked).collect()
    }

    #[test]
    fn an_excerpt_begins_at_the_sentence_with_most_words() {
        let text = "The reader opens a file.\nIt waits.\nVectors are **stored** in rows.\nEnd.\n";
        assert_eq!(
            shown(&chunk(text), "storing a vector", 24),
            ["… <Vectors> are <stored> in", "rows. End.",]
        );
        // Nothing matches: the beginning.
        assert_eq!(shown(&chunk(text), "elephants", 26)[0], "The reader opens a file.");
    }

    #[test]
    fn lines_of_code_and_items_stay_lines() {
        let text = "Run it:\n    rag ingest docs --include '*.md'\n    rag ask\n- One item.\n";
        assert_eq!(
            shown(&chunk(text), "include", 60),
            ["Run it:", "rag ingest docs --<include> '*.md' …",]
        );
        let code = passage("fn main() {\n\tlet reader = open(path);\n}\n", Vec::new());
        assert_eq!(
            shown(&code, "reader", 60),
            ["fn main() {", "    let <reader> = open(path);", "}",]
        );
        assert_eq!(best_line(&code, &matcher("reader")).0, 12);
        let long = passage(&format!("{}needle{}", "x ".repeat(90), " y".repeat(90)), Vec::new());
        let line = &shown(&long, "needle", 60)[0];
        assert!(line.starts_with("… x ") && line.contains("<needle>"), "{line}");
    }

    #[test]
    fn a_pipe_gets_one_line_and_no_character_that_controls_a_terminal() {
        let text = "One.\nTwo \u{1b}[31m red\u{7} words.\n- Three.\n";
        let line = one_line(&chunk(text), &matcher("red"), 200);
        assert_eq!(line.text, "One. Two \u{fffd}[31m red\u{fffd} words. - Three.");
        assert_eq!(&line.text[line.marks[0].clone()], "red");
        let cut = one_line(&chunk(text), &matcher("three"), 12);
        assert_eq!(cut.text, "… - Three.");
    }
}
