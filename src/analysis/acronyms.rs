//! Query expansion by acronyms: *WAL* also matches *write-ahead log*.
//!
//! There is no list of acronyms: the passages that a query finds define their own.

use super::query::{Query, QueryTerm, query_terms};
use crate::strings::StrExt as _;

/// Longer queries lose by expansion: on `SciFact`'s training claims queries of up to two terms lose
/// nothing, of up to five terms 0.0014 nDCG@10, and of any length up to 0.004.
const MAX_QUERY_TERMS: usize = 2;

/// Factor on the weight of an added term.
const ADDED_WEIGHT: f32 = 0.4;

/// Whether a query is short enough to gain by [`expand`].
#[must_use]
pub fn may_expand(query: &Query) -> bool {
    query.terms.iter().filter(|term| !term.is_part).count() <= MAX_QUERY_TERMS
}

/// An acronym and its expansion, as a text spells them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Acronym {
    pub short: String,
    pub long: String,
}

/// The acronyms that `text` defines, as in "write-ahead log (WAL)" or "WAL (write-ahead log)".
///
/// After Schwartz and Hearst, "A simple algorithm for identifying abbreviation definitions in
/// biomedical text" (2003).
pub(super) fn acronyms(text: &str) -> Vec<Acronym> {
    let mut found = Vec::new();
    for (open, _) in text.match_indices('(') {
        let before = text.slice(..open).trim_end();
        let Some(len) =
            text.slice(open + 1..).find([')', '(', '\n']).filter(|&len| len < MAX_LONG_BYTES)
        else {
            continue;
        };
        let inside = text.slice(open + 1..open + 1 + len).trim();
        if is_short(inside) {
            // "write-ahead log" counts as three words.
            let n_words = (inside.chars().count() + 5).min(inside.chars().count() * 2);
            let sentence = before
                .rfind(['.', ';', ':', '(', ')', '\n'])
                .map_or(before, |at| before.slice(at + 1..));
            let start =
                sentence.rmatch_indices(|c: char| c.is_whitespace() || c == '-').nth(n_words - 1);
            let window = start.map_or(sentence, |(at, gap)| sentence.slice(at + gap.len()..));
            found.extend(
                long_form(inside, window)
                    .map(|long| Acronym { short: inside.to_owned(), long: long.to_owned() }),
            );
        } else {
            let short = before.rsplit(char::is_whitespace).next().unwrap_or("");
            let long = if is_short(short) { long_form(short, inside) } else { None };
            found.extend(
                long.filter(|long| *long == inside)
                    .map(|long| Acronym { short: short.to_owned(), long: long.to_owned() }),
            );
        }
    }
    found
}

const MAX_LONG_BYTES: usize = 80;

/// Two to eight letters and digits, most of the letters capitals.
fn is_short(word: &str) -> bool {
    let capitals = word.chars().filter(|c| c.is_uppercase()).count();
    (2..=8).contains(&word.chars().count())
        && capitals >= 2
        && capitals * 2 > word.chars().count()
        && word.chars().all(|c| c.is_alphanumeric() || c == '-')
        && word.starts_with(char::is_alphabetic)
}

/// The tail of `window` that contains the letters of `short` in order, the first one at the start
/// of a word.
fn long_form<'a>(short: &str, window: &'a str) -> Option<&'a str> {
    let letters = short.char_indices().rev().filter(|(_, c)| c.is_alphanumeric());
    let mut start = None;
    let mut ahead = window.char_indices().rev().peekable();
    for (at, letter) in letters {
        let is_same = |c: char| c.to_lowercase().eq(letter.to_lowercase());
        let place = loop {
            let (place, c) = ahead.next()?;
            let begins = ahead.peek().is_none_or(|(_, before)| !before.is_alphanumeric());
            if is_same(c) && (at > 0 || begins) {
                break place;
            }
        };
        start = Some(place);
    }
    let long = window.slice(start?..).trim();
    (long.contains([' ', '-']) && long.len() > short.len() + 2).then_some(long)
}

/// Adds to `query`, parsed from `question`, the other form of every acronym in it that `passages`
/// define. Returns whether it added a term.
pub fn expand(query: &mut Query, question: &str, passages: &[&str], languages: &[&str]) -> bool {
    if !may_expand(query) {
        return false;
    }
    let n_terms = query.terms.len();
    let question = words_between_spaces(question);
    for Acronym { short, long } in passages.iter().flat_map(|passage| acronyms(passage)) {
        let [has_short, has_long] =
            [&short, &long].map(|form| question.contains(&words_between_spaces(form)));
        let other = match (has_short, has_long) {
            (true, false) => &long,
            (false, true) => &short,
            _ => continue,
        };
        for term in query_terms(other, languages).terms {
            let is_known = query.terms.iter().any(|known| known.variants == term.variants);
            if !is_known {
                query.terms.push(QueryTerm { weight: term.weight * ADDED_WEIGHT, ..term });
            }
        }
    }
    query.terms.len() > n_terms
}

/// The words of `text` in lower case, with one space around each.
fn words_between_spaces(text: &str) -> String {
    let mut words = " ".to_owned();
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        words.push_str(word);
        words.push(' ');
    }
    words.to_lowercase()
}
