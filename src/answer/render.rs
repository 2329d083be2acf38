//! Chosen sentences to the text of an answer, with marks and citations.

use std::borrow::Cow;

use super::citations;
use super::evidence::Evidence;
use super::score::{Candidate, record};
use crate::analysis::untrusted::neutralise;
use crate::document::{Answer, Citation, UnitKind};
use crate::strings::lines;

const MAX_CODE_LINES: usize = 14;

/// One sentence, row or block of code of a passage.
pub(super) struct Quote {
    /// Index of its evidence.
    source: usize,
    /// Index of its candidate.
    at: usize,
    /// Index of its unit.
    unit: Option<usize>,
    kind: UnitKind,
    /// Of an item, in its document.
    number: Option<u32>,
    text: String,
}

impl Quote {
    pub(super) fn of(candidates: &[Candidate], at: usize) -> Self {
        let Candidate { source, unit, kind, number, text, .. } = &candidates[at];
        Self {
            source: *source,
            at,
            unit: *unit,
            kind: *kind,
            number: *number,
            text: neutralise(text).into_owned(),
        }
    }

    /// A record that is not among the candidates.
    pub(super) fn of_record(source: usize, unit: usize, text: &str) -> Self {
        Self {
            source,
            at: usize::MAX - unit,
            unit: Some(unit),
            kind: UnitKind::Record,
            number: None,
            text: neutralise(&record(text)).into_owned(),
        }
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.source == other.source && self.at == other.at
    }
}

/// The answer to one part of a question.
pub(super) struct Section {
    /// Best first.
    pub quotes: Vec<Quote>,
}

/// The quotes as one text.
pub(super) fn text(quotes: &[Quote]) -> String {
    quotes.iter().map(|quote| quote.text.as_str()).collect::<Vec<_>>().join(" ")
}

/// Whether an answer would show anything of a candidate.
pub(super) fn has_text(candidate: &Candidate) -> bool {
    candidate.kind != UnitKind::Code || !code_lines(&candidate.text).is_empty()
}

/// Renders a paragraph for each section; within a section the best source first, within a source
/// in its order. What two sections quote of one source has two citations, each with its own place.
pub(super) fn render(sections: Vec<Section>, evidence: &[Evidence]) -> Answer {
    let mut text = String::new();
    let mut citations: Vec<Citation> = Vec::new();
    for Section { mut quotes } in sections {
        let mut sources: Vec<usize> = Vec::new();
        for quote in &quotes {
            if !sources.contains(&quote.source) {
                sources.push(quote.source);
            }
        }
        let rank =
            |source: usize| sources.iter().position(|&known| known == source).unwrap_or_default();
        quotes.sort_by_key(|quote| (rank(quote.source), quote.at));
        quotes.dedup_by(|a, b| a.is_same(b));
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        let n_before = citations.len();
        text.push_str(&paragraph(&quotes, &|source| n_before + rank(source) + 1));
        citations.extend(sources.iter().map(|&source| {
            let units = quotes.iter().filter(|quote| quote.source == source);
            let mut quoted: Vec<usize> = units.filter_map(|quote| quote.unit).collect();
            quoted.sort_unstable();
            quoted.dedup();
            Citation { n: n_before + rank(source) + 1, hit: evidence[source].hit.clone(), quoted }
        }));
    }
    Answer { text, supported: true, confidence: None, citations }
}

fn paragraph(quotes: &[Quote], number: &dyn Fn(usize) -> usize) -> String {
    let is_alone = |kind: UnitKind| matches!(kind, UnitKind::Row | UnitKind::Record);
    let is_listed =
        |quote: &&Quote| is_alone(quote.kind) || matches!(quote.kind, UnitKind::Item { .. });
    let is_list = quotes.iter().filter(is_listed).count() > 1;
    let mut text = String::new();
    let (mut step, mut last) = (0, None);
    // Whether the last piece is alone on its line.
    let mut on_line = false;
    for Quote { source, kind, number: in_document, text: sentence, .. } in quotes {
        let continues_item = on_line && *kind == UnitKind::Item { first: false };
        let begins_item = is_list && (is_alone(*kind) || *kind == UnitKind::Item { first: true });
        let begins_line = *kind == UnitKind::Code || is_alone(*kind) || begins_item;
        if !text.is_empty() {
            text.push(if begins_line || on_line && !continues_item { '\n' } else { ' ' });
        }
        on_line = begins_line || continues_item;
        let mark = format!("[{}]", number(*source));
        if *kind == UnitKind::Code {
            let code = code_lines(sentence).join("\n");
            text.extend(["```", fence_language(sentence), "\n", &code, "\n```\n", &mark]);
            continue;
        }
        if begins_item {
            // Clauses show their own numbers: 3.1.
            let has_number = sentence.starts_with(|c: char| c.is_ascii_digit());
            let bullet = match in_document.filter(|_| !has_number) {
                Some(found) => {
                    // Markdown lists may have the same number at all items.
                    step = if last == Some(found) || found == 0 { step + 1 } else { found };
                    last = Some(found);
                    format!("{step}. ")
                }
                None => "- ".to_owned(),
            };
            text.push_str(&bullet);
        }
        text.extend([&*unambiguous(sentence), " ", &mark]);
    }
    text
}

/// The sentence without brackets and ticks that would read as our marks, or hide them.
fn unambiguous(sentence: &str) -> Cow<'_, str> {
    let is_clear = |sentence: &str| citations::marks(&format!("{sentence} [1]")).len() == 1;
    if is_clear(sentence) && !sentence.starts_with("~~~") {
        return Cow::Borrowed(sentence);
    }
    Cow::Owned(sentence.replace(['`', '~'], "").replace('[', "(").replace(']', ")"))
}

fn fence_language(code: &str) -> &str {
    let first = lines(code).next().unwrap_or("");
    let info = first.trim_start_matches(['`', '~']);
    let is_language = |c: char| c.is_alphanumeric() || "+-#_.".contains(c);
    if info.len() == first.len() {
        ""
    } else {
        info.trim().split(|c| !is_language(c)).next().unwrap_or("")
    }
}

/// The lines of a block of code without its fence and its margin, at most [`MAX_CODE_LINES`]; none
/// when it only has includes for a documentation tool.
pub(super) fn code_lines(code: &str) -> Vec<&str> {
    let is_fence = |line: &str| line.starts_with("```") || line.starts_with("~~~");
    let is_include = |line: &str| line.trim_start().starts_with("{{#");
    let lines: Vec<&str> = lines(code).filter(|line| !is_fence(line.trim_start())).collect();
    if !lines.iter().any(|line| !line.trim().is_empty() && !is_include(line)) {
        return Vec::new();
    }
    // The first line of an indented block has lost its margin to trimming.
    let margin = lines
        .iter()
        .skip(1)
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.len() - line.trim_start().len())
        .min()
        .unwrap_or(0);
    let keeps_margin = is_fence(code) || margin < 4;
    let without_margin = |line| match keeps_margin {
        true => line,
        false => unindent(line, margin),
    };
    let code = lines.into_iter().filter(|line| !is_include(line)).map(without_margin);
    code.take(MAX_CODE_LINES).collect()
}

/// An indented line without its first `margin` bytes.
fn unindent(line: &str, margin: usize) -> &str {
    line.get(margin..).filter(|_| line.starts_with(' ')).unwrap_or(line)
}
