//! A query as scored terms, quoted phrases and names of documents.
//!
//! The double quote is the only syntax. Queries are pasted questions, error messages and code, so a
//! minus sign or a colon is text.

use super::stems::Stemmer;
use super::stopwords::{is_question_bigram, is_stop_word};
use super::titles::{Titled, titles_in};
use super::words::{self, Token, TokenKind};
use crate::strings::StrExt as _;

/// A parsed query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// Scored, and not required.
    pub terms: Vec<QueryTerm>,
    pub phrases: Vec<Phrase>,
    /// The query is little more than its phrases, so a passage must have them. In a longer query
    /// they are preferred.
    pub is_quotation: bool,
    /// Names that a document may have: a number with the word before it, a file name.
    pub names: Vec<Vec<PhraseTerm>>,
    /// Titles that a document may have, longer ones first.
    pub titles: Vec<Titled>,
}

/// A quoted phrase.
#[derive(Clone, Debug, PartialEq)]
pub struct Phrase {
    /// As it was quoted.
    pub text: String,
    pub terms: Vec<PhraseTerm>,
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
const MAX_NAMES: usize = 16;

/// With more words than this beside its phrases, a query is more than a quotation.
const MAX_WORDS_BESIDE: usize = 2;

/// Parses a query. `languages` are those of the index (ISO 639 codes): each stems the words its own
/// way, and the stems are variants of one term.
#[must_use]
pub fn query_terms(text: &str, languages: &[&str]) -> Query {
    let forms = Forms::new(languages);
    let Quotes { text, beside, quoted } = quotes(text);
    let mut asked = Vec::new();
    let is_upper_case = !text.chars().any(char::is_lowercase);
    let mut before = None;
    words::scan(&text, &mut |token| {
        asked.extend(forms.run_together(&mut before, token).map(|term| (term, false)));
        asked.extend(forms.term(token, is_upper_case));
        asked.extend(year(token).map(|term| (term, false)));
    });
    if asked.iter().any(|(_, is_stop)| !is_stop) {
        asked.retain(|(_, is_stop)| !is_stop);
    }
    let phrases: Vec<Phrase> = quoted
        .into_iter()
        .map(|text| Phrase { terms: forms.phrase(&text), text })
        .filter(|phrase| !phrase.terms.is_empty())
        .take(MAX_PHRASES)
        .collect();
    Query {
        is_quotation: !phrases.is_empty() && forms.subject_words(&beside) <= MAX_WORDS_BESIDE,
        terms: merged(asked.into_iter().map(|(term, _)| term)),
        names: forms.names(&text),
        titles: titles_in(&text, |word| forms.is_stop(word)),
        phrases,
    }
}

/// A query taken apart at its quotation marks.
struct Quotes {
    /// All of it, without the marks.
    text: String,
    /// What is not quoted.
    beside: String,
    quoted: Vec<String>,
}

/// A mark opens at the start of a word and closes at the end of one; any other (5" pipe, a lone
/// mark) is a plain character.
fn quotes(text: &str) -> Quotes {
    let (mut quoted, mut beside) = (Vec::new(), String::new());
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
        for text in [&mut plain, &mut beside] {
            text.push_str(rest.slice(..open));
            text.push(' ');
        }
        rest = inside;
        if let (true, Some((close, mark))) = (begins, close) {
            quoted.push(inside.slice(..close).to_owned());
            plain.push_str(inside.slice(..close));
            plain.push(' ');
            rest = inside.slice(close + mark.len_utf8()..);
        }
    }
    plain.push_str(rest);
    beside.push_str(rest);
    Quotes { text: plain, beside, quoted }
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
        let is_stop_word = is_word && !is_name && self.is_stop(token.text);
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
            && !self.is_stop(token.text);
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

    /// Number of words that are not stop words.
    fn subject_words(&self, text: &str) -> usize {
        let mut n = 0;
        words::scan(text, &mut |token| {
            let term = self.term(token, false);
            n += usize::from(term.is_some_and(|(term, is_stop)| !term.is_part && !is_stop));
        });
        n
    }

    /// The names of documents that a text may contain: `walk.rs`; `PEP 572`, which is also spelt
    /// `pep-0572` and `pep572`.
    fn names(&self, text: &str) -> Vec<Vec<PhraseTerm>> {
        let term = |variants, offset| PhraseTerm { variants, offset };
        let mut names: Vec<Vec<PhraseTerm>> = Vec::new();
        let mut numbered = |word: Vec<String>, number: &str| {
            let numbers = padded(number);
            let glue = |word: &String| numbers.iter().map(|n| format!("{word}{n}")).collect();
            let glued: Vec<Vec<String>> = word.iter().map(glue).collect();
            names.push(vec![term(glued.concat(), 0)]);
            names.push(vec![term(word, 0), term(numbers, 1)]);
        };
        let (mut before, mut files): (Option<(Vec<String>, u32)>, _) = (None, Vec::new());
        words::scan(text, &mut |token| match token.kind {
            TokenKind::Whole | TokenKind::Segment if is_file_name(token.text) => {
                files.push(vec![term(vec![token.text.to_owned()], 0)]);
            }
            TokenKind::Word | TokenKind::Part { .. } => {
                let word = before.take().filter(|(_, at)| at + 1 == token.position);
                let letters = token.text.trim_end_matches(|c: char| c.is_ascii_digit());
                let number = token.text.slice(letters.len()..);
                let is_number = (1..=MAX_DIGITS).contains(&number.len());
                let is_name = letters.len() > 1 && letters.chars().all(char::is_alphabetic);
                match (word, letters.is_empty()) {
                    (Some((word, _)), true) if is_number => numbered(word, number),
                    (_, false) if is_number && is_name => {
                        numbered(vec![letters.to_owned()], number);
                    }
                    (_, false) if is_name && number.is_empty() && !self.is_stop(token.text) => {
                        before = Some((self.variants(token), token.position));
                    }
                    _ => {}
                }
            }
            _ => {}
        });
        names.extend(files);
        names.truncate(MAX_NAMES);
        names
    }

    fn is_stop(&self, word: &str) -> bool {
        self.languages.iter().any(|language| is_stop_word(word, language))
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
        if let Some(other) = self.transliterated(token) {
            self.stemmers.iter().for_each(|stemmer| stemmer.forms(&other, &other, &mut add));
            add(&other);
        }
        variants
    }

    /// German umlauts as two letters: *Behörde* also matches *Behoerde*, and the other way round.
    fn transliterated(&self, token: Token<'_>) -> Option<String> {
        const UMLAUTS: [(char, &str, &str); 3] =
            [('ä', "ae", "a"), ('ö', "oe", "o"), ('ü', "ue", "u")];
        let is_german = self.languages.iter().any(|language| language.starts_with("de"));
        if !is_german || !token.kind.is_stemmed() {
            return None;
        }
        let mut spelt = token.accented.to_owned();
        if token.accented.is_ascii() {
            UMLAUTS.iter().for_each(|(_, two, bare)| spelt = spelt.replace(two, bare));
        } else {
            UMLAUTS.iter().for_each(|(umlaut, two, _)| spelt = spelt.replace(*umlaut, two));
        }
        (spelt != token.accented && spelt.is_ascii()).then_some(spelt)
    }
}

/// The 2018 of FY2018.
fn year(token: Token<'_>) -> Option<QueryTerm> {
    let year = token.text.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let is_year = year.len() == 4
        && (year.starts_with("19") || year.starts_with("20"))
        && year.bytes().all(|b| b.is_ascii_digit())
        && (1..=3).contains(&(token.text.len() - year.len()));
    let is_word = matches!(token.kind, TokenKind::Word | TokenKind::Part { .. });
    let term = || QueryTerm { variants: vec![year.to_owned()], weight: 0.6, is_part: true };
    (is_word && is_year).then(term)
}

/// Longest number in the name of a document: RFC 9110, PEP 572.
const MAX_DIGITS: usize = 5;

/// A number with as many leading zeros as a file name may have.
fn padded(number: &str) -> Vec<String> {
    let bare = number.trim_start_matches('0');
    let bare = if bare.is_empty() { "0" } else { bare };
    (bare.len()..=MAX_DIGITS).map(|width| format!("{bare:0>width$}")).collect()
}

/// Whether a compound looks like a file name: a dot, and a short word with a letter after it.
fn is_file_name(compound: &str) -> bool {
    let Some((stem, extension)) = compound.rsplit_once('.') else { return false };
    !stem.is_empty()
        && (1..=5).contains(&extension.len())
        && extension.bytes().all(|b| b.is_ascii_alphanumeric())
        && extension.bytes().any(|b| b.is_ascii_alphabetic())
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
