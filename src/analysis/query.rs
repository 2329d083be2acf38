//! A query as scored terms and required phrases.
//!
//! The double quote is the only syntax. Queries are pasted questions, error messages and code, so a
//! minus sign or a colon is text.

use super::stems::Stemmer;
use super::stopwords::{is_question_bigram, is_stop_word};
use super::words::{self, Token, TokenKind};
use crate::strings::StrExt as _;

/// A parsed query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// Scored, and not required.
    pub terms: Vec<QueryTerm>,
    /// Required: each must occur.
    pub phrases: Vec<Vec<PhraseTerm>>,
}

/// A scored term. A passage matches it once, by any of its variants.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryTerm {
    /// The forms of a word in the index: its stem in each language, and the word. Never empty.
    pub variants: Vec<String>,
    /// Factor on the term's score.
    pub weight: f32,
    /// Part of a compound that is a term too.
    pub is_part: bool,
}

/// A term of a phrase: some variant occurs `offset` positions after the start of the phrase.
#[derive(Clone, Debug, PartialEq)]
pub struct PhraseTerm {
    pub variants: Vec<String>,
    pub offset: u32,
}

/// A query may be a pasted page. Further distinct terms do not change a ranking, and each costs a
/// posting list.
const MAX_TERMS: usize = 256;
const MAX_PHRASES: usize = 16;
const MAX_PHRASE_TERMS: usize = 64;

/// Parses a query. `languages` are those of the index (ISO 639 codes): each stems the words its own
/// way, and the stems are variants of one term.
#[must_use]
pub fn query_terms(text: &str, languages: &[&str]) -> Query {
    let forms = Forms::new(languages);
    let (text, quoted) = quotes(text);
    let mut asked = Vec::new();
    let is_upper_case = !text.chars().any(char::is_lowercase);
    let mut before = None;
    words::scan(&text, &mut |token| {
        asked.extend(forms.run_together(&mut before, token).map(|term| (term, false)));
        asked.extend(forms.term(token, is_upper_case));
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

/// The text without its quotation marks, and the quoted phrases. A mark opens at the start of a
/// word and closes at the end of one; any other (5" pipe, a lone mark) is a plain character.
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

/// Turns pieces into query terms.
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

    /// The scored term, and whether it is a stop word; `None` for a form that only the index needs.
    fn term(&self, token: Token<'_>, is_upper_case: bool) -> Option<(QueryTerm, bool)> {
        // nDCG@10 on SciFact's training claims at k1 0.9, b 0.4: every form at full weight 0.688,
        // these weights 0.697, parts alone 0.696. A whole compound is rare, so half its weight
        // still ranks the exact identifier first.
        let (weight, is_part) = match token.kind {
            TokenKind::Word | TokenKind::Bigram | TokenKind::Unigram { alone: true } => {
                (1.0, false)
            }
            TokenKind::Unigram { alone: false } => return None,
            TokenKind::Whole => (if words::n_parts(token.text) == 1 { 1.0 } else { 0.5 }, false),
            TokenKind::Segment | TokenKind::Joined | TokenKind::Part { sole: true } => (0.3, true),
            TokenKind::Part { sole: false } | TokenKind::Hump => (0.6, true),
        };
        let is_word =
            matches!(token.kind, TokenKind::Word | TokenKind::Part { .. } | TokenKind::Hump);
        // WHO, IT and US are names unless the whole query is in capitals.
        let is_name =
            !is_upper_case && token.raw.len() > 1 && token.raw.chars().all(char::is_uppercase);
        let is_stop_word = is_word
            && !is_name
            && self.languages.iter().any(|language| is_stop_word(token.text, language));
        let is_stop =
            is_stop_word || token.kind == TokenKind::Bigram && is_question_bigram(token.text);
        Some((QueryTerm { variants: self.variants(token), weight, is_part }, is_stop))
    }

    /// The token and the word before it as one word: *file name* also matches *filename*. `before`
    /// is the last word and its position.
    fn run_together(
        &self,
        before: &mut Option<(String, u32)>,
        token: Token<'_>,
    ) -> Option<QueryTerm> {
        // On SciFact's training claims 0.1 to 0.15 adds 0.0005 nDCG@10; 0.2 subtracts as much.
        const WEIGHT: f32 = 0.15;
        let is_plain = token.kind == TokenKind::Word
            && token.text.len() > 2
            && token.text.bytes().all(|b| b.is_ascii_alphabetic())
            && !self.languages.iter().any(|language| is_stop_word(token.text, language));
        let last = before.take();
        if !is_plain {
            return None;
        }
        *before = Some((token.text.to_owned(), token.position));
        let (last, _) = last.filter(|(last, at)| at + 1 == token.position && last != token.text)?;
        let both = last + token.text;
        let token = Token { text: &both, accented: &both, kind: TokenKind::Joined, ..token };
        Some(QueryTerm { variants: self.variants(token), weight: WEIGHT, is_part: true })
    }

    fn phrase(&self, text: &str) -> Vec<PhraseTerm> {
        let mut phrase: Vec<PhraseTerm> = Vec::new();
        words::scan(text, &mut |token| {
            let is_required = match token.kind {
                TokenKind::Word
                | TokenKind::Bigram
                | TokenKind::Unigram { alone: true }
                | TokenKind::Part { sole: false } => true,
                // With one part, only the whole compound separates C++ from C; with more, its marks
                // do not matter and `foo_bar` matches `foo-bar`.
                TokenKind::Whole => words::n_parts(token.text) == 1,
                TokenKind::Unigram { alone: false }
                | TokenKind::Part { sole: true }
                | TokenKind::Segment
                | TokenKind::Joined
                | TokenKind::Hump => false,
            };
            if is_required && phrase.len() < MAX_PHRASE_TERMS {
                phrase.push(PhraseTerm { variants: self.variants(token), offset: token.position });
            }
        });
        let first = phrase.first().map_or(0, |term| term.offset);
        phrase.iter_mut().for_each(|term| term.offset -= first);
        phrase
    }

    fn variants(&self, token: Token<'_>) -> Vec<String> {
        let mut variants: Vec<String> = Vec::with_capacity(2);
        let mut add = |form: &str| {
            if !form.is_empty() && !variants.iter().any(|known| known == form) {
                variants.push(form.to_owned());
            }
        };
        if token.kind.is_stemmed() {
            self.stemmers
                .iter()
                .for_each(|stemmer| stemmer.forms(token.text, token.accented, &mut add));
        }
        // Documents of unknown language are indexed without stemming.
        add(token.text);
        if token.kind.is_stemmed()
            && let Some(other) = respelled(token.text)
        {
            self.stemmers.iter().for_each(|stemmer| stemmer.forms(&other, &other, &mut add));
            add(&other);
        }
        variants
    }
}

/// One term for each set of variants, in order of first use. A repeated word weighs more, up to a
/// limit.
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

/// The other of the British and American spellings: *serialise* and *serialize*, *colour* and
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
