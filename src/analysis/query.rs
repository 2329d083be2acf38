//! A question as terms to score by and phrases that must occur.
//!
//! The only syntax is the double quote. People paste questions, error messages and code; a minus
//! sign or a colon in them is text.

use super::stems::Stemmer;
use super::stopwords::{asks, is_stop_word};
use super::words::{self, Piece, TokenKind};
use crate::strings::StrExt as _;

/// What a question asks the index for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// Scored: more of them is better, none of them is required.
    pub terms: Vec<QueryTerm>,
    /// Required: each must occur.
    pub phrases: Vec<Vec<PhraseTerm>>,
}

/// One thing to score by: any of its variants counts, and counts once.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryTerm {
    /// The forms that one word has in the index: its stem in each language, and itself. Never
    /// empty.
    pub variants: Vec<String>,
    /// Factor on the term's score.
    pub weight: f32,
    /// Belongs to a compound that is asked for as a whole too.
    pub is_part: bool,
}

/// One place in a phrase: some variant stands `offset` positions after the phrase's beginning.
#[derive(Clone, Debug, PartialEq)]
pub struct PhraseTerm {
    pub variants: Vec<String>,
    pub offset: u32,
}

/// A pasted page is a question too; what it has beyond this many different terms no longer changes
/// a ranking, and every one costs a posting list.
const MAX_TERMS: usize = 256;
const MAX_PHRASES: usize = 16;
const MAX_PHRASE_TERMS: usize = 64;

/// Turns what was typed into terms and phrases. `languages` are those of the index (ISO 639 codes):
/// each stems the words in its own way, and the results are variants of one another.
#[must_use]
pub fn query_terms(text: &str, languages: &[&str]) -> Query {
    let forms = Forms::new(languages);
    let (text, quoted) = quotes(text);
    let mut asked = Vec::new();
    let shouts = !text.chars().any(char::is_lowercase);
    let mut before = None;
    words::scan(&text, &mut |piece| {
        asked.extend(forms.run_together(&mut before, piece).map(|term| (term, false)));
        asked.extend(forms.term(piece, shouts));
    });
    if asked.iter().any(|(_, is_stop)| !is_stop) {
        asked.retain(|(_, is_stop)| !is_stop);
    }
    let phrases = quoted
        .iter()
        .map(|phrase| forms.phrase(phrase))
        .filter(|phrase| !phrase.is_empty())
        .take(MAX_PHRASES)
        .collect();
    Query { terms: merged(asked.into_iter().map(|(term, _)| term)), phrases }
}

/// The text without its quotation marks, and what stood between them. A mark opens at the beginning
/// of a word and closes at an end; anything else (5" pipe, a lone mark) is a plain character.
fn quotes(text: &str) -> (String, Vec<String>) {
    let mut phrases = Vec::new();
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((open, mark)) =
        rest.char_indices().find(|&(_, c)| matches!(c, '"' | '\u{201c}' | '\u{201e}'))
    {
        let inside = rest.slice(open + mark.len_utf8()..);
        let begins = rest
            .slice(..open)
            .chars()
            .next_back()
            .or(plain.chars().next_back())
            .is_none_or(|c| !c.is_alphanumeric());
        let is_closing = |c: char| {
            c == '"' && mark == '"' || matches!(c, '\u{201d}' | '\u{201c}') && mark != '"'
        };
        let close = inside.char_indices().find(|&(at, c)| {
            is_closing(c) && !inside.slice(at + c.len_utf8()..).starts_with(char::is_alphanumeric)
        });
        plain.push_str(rest.slice(..open));
        plain.push(' ');
        rest = inside;
        if let (true, Some((close, mark))) = (begins, close) {
            phrases.push(inside.slice(..close).to_owned());
            plain.push_str(inside.slice(..close));
            plain.push(' ');
            rest = inside.slice(close + mark.len_utf8()..);
        }
    }
    plain.push_str(rest);
    (plain, phrases)
}

/// Turns pieces into variants.
struct Forms<'a> {
    languages: &'a [&'a str],
    stemmers: Vec<Stemmer>,
}

impl<'a> Forms<'a> {
    fn new(languages: &'a [&'a str]) -> Self {
        Self {
            languages,
            stemmers: languages.iter().filter_map(|language| Stemmer::of(language)).collect(),
        }
    }

    /// The term to score by, and whether it is a stop word; `None` for what the index has but a
    /// question need not ask.
    fn term(&self, piece: Piece<'_>, shouts: bool) -> Option<(QueryTerm, bool)> {
        // Measured on SciFact's training claims, nDCG@10 at k1 0.9, b 0.4: every form at full
        // weight 0.688, these 0.697, parts alone 0.696. The whole is rare, so half its weight still
        // puts the exact identifier first.
        let (weight, is_part) = match piece.role {
            TokenKind::Word | TokenKind::Bigram | TokenKind::Unigram { alone: true } => {
                (1.0, false)
            }
            TokenKind::Unigram { alone: false } => return None,
            TokenKind::Whole => (if words::n_parts(piece.text) == 1 { 1.0 } else { 0.5 }, false),
            TokenKind::Segment | TokenKind::Joined | TokenKind::Part { sole: true } => (0.3, true),
            TokenKind::Part { sole: false } | TokenKind::Hump => (0.6, true),
        };
        let is_word =
            matches!(piece.role, TokenKind::Word | TokenKind::Part { .. } | TokenKind::Hump);
        // WHO, IT and US are names when the rest of the question is not in capitals.
        let is_name = !shouts && piece.raw.len() > 1 && piece.raw.chars().all(char::is_uppercase);
        let is_stop_word = is_word
            && !is_name
            && self.languages.iter().any(|language| is_stop_word(piece.text, language));
        let is_stop = is_stop_word || piece.role == TokenKind::Bigram && asks(piece.text);
        Some((QueryTerm { variants: self.variants(piece), weight, is_part }, is_stop))
    }

    /// The piece and the word before it as one word: who asks for a *file name* may mean what
    /// others write *filename*. `before` is the last word and where it stood.
    fn run_together(
        &self,
        before: &mut Option<(String, u32)>,
        piece: Piece<'_>,
    ) -> Option<QueryTerm> {
        // On SciFact's training claims 0.1 to 0.15 adds 0.0005 nDCG@10; 0.2 takes as much away.
        const WEIGHT: f32 = 0.15;
        let is_plain = piece.role == TokenKind::Word
            && piece.text.len() > 2
            && piece.text.bytes().all(|b| b.is_ascii_alphabetic())
            && !self.languages.iter().any(|language| is_stop_word(piece.text, language));
        let last = before.take();
        if !is_plain {
            return None;
        }
        *before = Some((piece.text.to_owned(), piece.position));
        let (last, _) = last.filter(|(last, at)| at + 1 == piece.position && last != piece.text)?;
        let both = last + piece.text;
        let piece = Piece { text: &both, accented: &both, role: TokenKind::Joined, ..piece };
        Some(QueryTerm { variants: self.variants(piece), weight: WEIGHT, is_part: true })
    }

    fn phrase(&self, text: &str) -> Vec<PhraseTerm> {
        let mut phrase: Vec<PhraseTerm> = Vec::new();
        words::scan(text, &mut |piece| {
            let is_asked = match piece.role {
                TokenKind::Word
                | TokenKind::Bigram
                | TokenKind::Unigram { alone: true }
                | TokenKind::Part { sole: false } => true,
                // Where a compound has one part, only the whole tells C++ from C; where it has
                // more, its marks do not matter and `foo_bar` is found as `foo-bar`.
                TokenKind::Whole => words::n_parts(piece.text) == 1,
                TokenKind::Unigram { alone: false }
                | TokenKind::Part { sole: true }
                | TokenKind::Segment
                | TokenKind::Joined
                | TokenKind::Hump => false,
            };
            if is_asked && phrase.len() < MAX_PHRASE_TERMS {
                phrase.push(PhraseTerm { variants: self.variants(piece), offset: piece.position });
            }
        });
        let first = phrase.first().map_or(0, |term| term.offset);
        phrase.iter_mut().for_each(|term| term.offset -= first);
        phrase
    }

    fn variants(&self, piece: Piece<'_>) -> Vec<String> {
        let mut variants: Vec<String> = Vec::with_capacity(2);
        let mut add = |form: &str| {
            if !form.is_empty() && !variants.iter().any(|known| known == form) {
                variants.push(form.to_owned());
            }
        };
        if piece.role.is_stemmed() {
            self.stemmers
                .iter()
                .for_each(|stemmer| stemmer.forms(piece.text, piece.accented, &mut add));
        }
        // Documents of unknown language hold the word as it is.
        add(piece.text);
        if piece.role.is_stemmed()
            && let Some(other) = respelled(piece.text)
        {
            self.stemmers.iter().for_each(|stemmer| stemmer.forms(&other, &other, &mut add));
            add(&other);
        }
        variants
    }
}

/// One term for each set of variants, in order of first use. A word that is said again weighs more,
/// within reason.
fn merged(terms: impl Iterator<Item = QueryTerm>) -> Vec<QueryTerm> {
    const MAX_WEIGHT: f32 = 1.5;
    let mut merged: Vec<QueryTerm> = Vec::new();
    for term in terms {
        match merged.iter().position(|known| known.variants == term.variants) {
            Some(at) => {
                let known = &mut merged[at];
                known.weight = (known.weight + term.weight).min(MAX_WEIGHT);
                known.is_part &= term.is_part;
            }
            None if merged.len() < MAX_TERMS => merged.push(term),
            None => {}
        }
    }
    merged
}

/// The word as the other side of the Atlantic spells it: *serialise* and *serialize*, *colour* and
/// *color*.
fn respelled(word: &str) -> Option<String> {
    const ENDINGS: &[(&str, &str)] = &[
        ("ise", "ize"),
        ("ises", "izes"),
        ("ised", "ized"),
        ("ising", "izing"),
        ("iser", "izer"),
        ("isers", "izers"),
        ("isation", "ization"),
        ("isations", "izations"),
        ("yse", "yze"),
        ("ysed", "yzed"),
        ("yses", "yzes"),
        ("ysing", "yzing"),
        ("our", "or"),
        ("ours", "ors"),
        ("oured", "ored"),
        ("ouring", "oring"),
    ];
    let swapped = |from: &str, to: &str| {
        Some(format!("{}{to}", word.strip_suffix(from).filter(|stem| stem.len() > 2)?))
    };
    ENDINGS.iter().find_map(|(british, american)| {
        swapped(british, american).or_else(|| swapped(american, british))
    })
}
