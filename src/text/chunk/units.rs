//! Units: the pieces that passages consist of, each counted once.
//!
//! A block that fits is one unit. A longer one is divided: prose at sentences, code at empty lines
//! and then at lines. What still does not fit is divided at words, then at characters.

use crate::analysis;
use crate::document::Span;
use crate::strings::StrExt as _;
use crate::text::extract::{Block, BlockKind, lines};

/// A piece of text that is not divided further.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Unit {
    pub(super) span: Span,
    pub(super) tokens: usize,
    /// Tokens of the text between the previous unit and this one, other than white space.
    pub(super) lead: usize,
    /// What a cut before this unit separates.
    pub(super) cut: Cut,
    pub(super) is_code: bool,
}

/// What a cut separates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// Two blocks.
    Block,
    /// A block and what it announces: the code or list after a colon, or the text after a single
    /// line.
    Announced,
    /// A section and the heading of the next: the unit is a heading.
    Heading,
    /// Two items of a list.
    Listed,
    /// Two items of code at the outermost indentation of a block.
    Item,
    /// Two paragraphs within an item of code.
    Stanza,
    /// Two lines of code or rows of a table.
    Line,
    Sentence,
    Word,
    Char,
}

pub(super) struct Divider<'a> {
    pub(super) text: &'a str,
    pub(super) count: &'a dyn Fn(&str) -> usize,
    /// Maximum tokens of a unit.
    pub(super) max: usize,
}

/// Tokens of readable text are shorter than this on average. It limits passages of other text: for
/// `WordPiece` any word of more than 100 characters is a single unknown token.
const MAX_BYTES_PER_TOKEN: usize = 12;

/// Length of pieces that text is divided into at words: some ten tokens.
const PIECE_BYTES: usize = 48;

impl Divider<'_> {
    /// The number of tokens of a piece of the text, at least one.
    pub(super) fn weigh(&self, span: Span) -> usize {
        let text = self.text.slice(span.range());
        let tokens = (self.count)(text).max(1);
        if text.len() <= tokens * MAX_BYTES_PER_TOKEN {
            return tokens;
        }
        let n_visible = text.bytes().filter(|b| !b.is_ascii_whitespace()).count();
        tokens.max(n_visible / MAX_BYTES_PER_TOKEN)
    }

    /// Appends the units of a block, which follows the block `before`; a block without a letter or
    /// digit has none.
    pub(super) fn push(&self, block: &Block, before: Option<&Block>, units: &mut Vec<Unit>) {
        if !self.text.slice(block.span.range()).contains(char::is_alphanumeric) {
            return;
        }
        let is_code = matches!(block.kind, BlockKind::Code | BlockKind::Table { .. });
        let announces = block.kind != BlockKind::Record
            && units
                .last()
                .is_some_and(|unit| !unit.is_code && announces(self.text.slice(unit.span.range())));
        let is_item = |block: &Block| block.kind == BlockKind::ListItem;
        let cut = match before {
            _ if announces => Cut::Announced,
            Some(before) if is_item(before) && is_item(block) => Cut::Listed,
            _ => Cut::Block,
        };
        let level = if is_code { SplitLevel::Stanzas } else { SplitLevel::Sentences };
        self.divide(block.span, cut, level, is_code, units);
    }

    /// Appends the units of a piece of code; `cut` is before the first.
    pub(super) fn push_code(&self, span: Span, cut: Cut, units: &mut Vec<Unit>) {
        if self.text.slice(span.range()).contains(char::is_alphanumeric) {
            self.divide(span, cut, SplitLevel::Stanzas, true, units);
        }
    }

    fn divide(
        &self,
        span: Span,
        cut: Cut,
        level: SplitLevel,
        is_code: bool,
        units: &mut Vec<Unit>,
    ) {
        let text = self.text.slice(span.range());
        if text.trim().is_empty() {
            return;
        }
        // Obviously too long: counting is skipped. If it fits after all, packing joins its pieces.
        if span.len() <= self.max.saturating_mul(8) {
            let tokens = self.weigh(span);
            if tokens <= self.max {
                units.push(Unit { span, tokens, lead: 0, cut, is_code });
                return;
            }
        }
        let (pieces, next) = match level {
            SplitLevel::Stanzas => (stanzas(text), SplitLevel::Lines),
            SplitLevel::Lines => (line_pieces(text), SplitLevel::Words),
            SplitLevel::Sentences => (sentences(text), SplitLevel::Words),
            SplitLevel::Words => (words(text), SplitLevel::Halves),
            SplitLevel::Halves => {
                let Some(pieces) = halves(text) else {
                    units.push(Unit { span, tokens: self.weigh(span), lead: 0, cut, is_code });
                    return;
                };
                (pieces, SplitLevel::Halves)
            }
        };
        let n_before = units.len();
        for (i, (start, end, inner)) in pieces.into_iter().enumerate() {
            let piece = Span::new(span.start + start, span.start + end);
            self.divide(piece, if i == 0 { cut } else { inner }, next, is_code, units);
            if units.len() > n_before + 1 {
                self.join_small(units);
            }
        }
    }

    /// Joins the last two units when both are very small: a text with one word per line would have
    /// too many ways to divide it.
    fn join_small(&self, units: &mut Vec<Unit>) {
        if let [.., before, last] = units.as_mut_slice()
            && before.tokens + last.tokens <= self.max / 24
        {
            before.span.end = last.span.end;
            before.tokens += last.tokens;
            units.pop();
        }
    }

    /// Divides a unit; a single character gives one piece or none.
    pub(super) fn halves(&self, unit: Unit) -> Vec<Unit> {
        let text = self.text.slice(unit.span.range());
        let at = |offset| unit.span.start + offset;
        let pieces = Some(words(text))
            .filter(|pieces| pieces.len() > 1)
            .or_else(|| halves(text))
            .unwrap_or_default();
        pieces
            .into_iter()
            .map(|(start, end, cut)| {
                let span = Span::new(at(start), at(end));
                Unit { span, tokens: self.weigh(span), cut, ..unit }
            })
            .collect()
    }

    /// The start of the last whole sentences of `span` that fit, of lines in code, or of words
    /// where a sentence is divided.
    pub(super) fn tail(&self, span: Span, cut: Cut, is_code: bool) -> Option<usize> {
        let window = (self.max + 1) * MAX_BYTES_PER_TOKEN;
        let mut from = span.start.max(span.end.saturating_sub(window));
        while !self.text.is_char_boundary(from) {
            from += 1;
        }
        let text = self.text.slice(from..span.end);
        let pieces = match cut {
            Cut::Word | Cut::Char => words(text),
            _ if is_code => line_pieces(text),
            _ => sentences(text),
        };
        // The first piece may have begun before the window.
        let n_whole = pieces.len() - usize::from(from > span.start && !pieces.is_empty());
        let mut room = self.max;
        let mut start = None;
        for &(piece_start, piece_end, _) in pieces.iter().rev().take(n_whole) {
            let piece = Span::new(from + piece_start, from + piece_end);
            if self.text.slice(piece.range()).trim().is_empty() {
                continue;
            }
            let tokens = self.weigh(piece);
            if tokens > room {
                break;
            }
            room -= tokens;
            start = Some(piece.start);
        }
        start
    }
}

/// Whether a block announces the next one: it ends in a colon, or is a single line that is not a
/// sentence, such as a term or a heading without markup.
fn announces(text: &str) -> bool {
    let text = text.trim();
    text.ends_with([':', '：'])
        || (text.len() <= 80 && !text.contains('\n') && text.ends_with(char::is_alphanumeric))
}

/// Start, end, and the cut before it.
type Piece = (usize, usize, Cut);

#[derive(Clone, Copy)]
enum SplitLevel {
    Stanzas,
    Lines,
    Sentences,
    Words,
    Halves,
}

fn line_pieces(text: &str) -> Vec<Piece> {
    lines(text).map(|line| (line.start, line.end, Cut::Line)).collect()
}

/// Code between empty lines. Those with the smallest indentation are items, such as the methods of
/// a class.
fn stanzas(text: &str) -> Vec<Piece> {
    let mut found: Vec<(usize, usize, usize)> = Vec::new();
    let mut after_gap = true;
    for line in lines(text) {
        let content = line.of(text);
        let is_blank = content.trim().is_empty();
        if !is_blank {
            match found.last_mut() {
                Some((_, end, _)) if !after_gap => *end = line.end,
                _ => found.push((line.start, line.end, content.len() - content.trim_start().len())),
            }
        }
        after_gap = is_blank;
    }
    let least = found.iter().skip(1).map(|&(_, _, indent)| indent).min().unwrap_or(0);
    let cut = |indent| if indent == least { Cut::Item } else { Cut::Stanza };
    found.into_iter().map(|(start, end, indent)| (start, end, cut(indent))).collect()
}

fn sentences(text: &str) -> Vec<Piece> {
    let mut starts: Vec<usize> =
        analysis::sentences(text).iter().skip(1).map(|span| span.start).collect();
    starts.push(text.len());
    let mut start = 0;
    let piece = |next: usize| {
        let from = std::mem::replace(&mut start, next);
        (from, from + text.slice(from..next).trim_end().len(), Cut::Sentence)
    };
    starts.into_iter().map(piece).collect()
}

/// Runs of words of about [`PIECE_BYTES`]. A longer word is divided at characters.
fn words(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut cut = Cut::Word;
    while start < text.len() {
        let (end, next_cut) = piece_end(text, start);
        pieces.push((start, end, cut));
        (start, cut) = (end, next_cut);
    }
    pieces
}

fn piece_end(text: &str, start: usize) -> (usize, Cut) {
    let mut at_word = None;
    let mut end = start;
    let mut joins = true;
    for (offset, c) in text.slice(start..).char_indices() {
        let here = start + offset;
        if offset >= PIECE_BYTES {
            if let Some(end) = at_word {
                return (end, Cut::Word);
            }
            // A grapheme is not divided, unless it is implausibly long.
            if !(joins || is_mark(c)) || offset >= 2 * PIECE_BYTES {
                return (here, Cut::Char);
            }
        }
        joins = c == '\u{200D}';
        end = here + c.len_utf8();
        if c.is_whitespace() || "、，；：。！？".contains(c) {
            at_word = Some(end);
        }
    }
    (end, Cut::Word)
}

/// Characters that modify the previous one: accents, variation selectors, skin tones, joiners.
fn is_mark(c: char) -> bool {
    matches!(
        c,
        '\u{300}'..='\u{36F}'
            | '\u{200D}'
            | '\u{20D0}'..='\u{20FF}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{1F3FB}'..='\u{1F3FF}'
    )
}

/// The two halves of a text of more than one character.
fn halves(text: &str) -> Option<Vec<Piece>> {
    let first = text.chars().next()?.len_utf8();
    let mut middle = (text.len() / 2).max(first);
    while !text.is_char_boundary(middle) {
        middle += 1;
    }
    (middle < text.len()).then(|| vec![(0, middle, Cut::Char), (middle, text.len(), Cut::Char)])
}
