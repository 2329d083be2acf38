//! Acronyms that a text explains, and what a question gains by them.
//!
//! Who asks for *WAL* wants the passages on the *write-ahead log* too. No list of acronyms is kept:
//! the passages that a question finds explain their own.

use super::query::{Query, QueryTerm, query_terms};
use crate::strings::StrExt as _;

/// A question of more terms than this says enough without: on `SciFact`'s training claims acronyms
/// in questions of up to five terms take 0.0014 nDCG@10 away, in questions of any length up to
/// 0.004, and in those of two terms nothing.
const MAX_ASKED: usize = 2;

/// Factor on a term that the question does not have itself.
const ADDED_WEIGHT: f32 = 0.4;

/// Whether a question is short enough to gain by [`expand`].
#[must_use]
pub fn may_expand(query: &Query) -> bool {
    query.terms.iter().filter(|term| !term.is_part).count() <= MAX_ASKED
}

/// An acronym and what it stands for, as a text has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Acronym {
    pub short: String,
    pub long: String,
}

/// The acronyms that `text` explains, as in "write-ahead log (WAL)" or "WAL (write-ahead log)".
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
            // In "write-ahead log" three words count.
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

/// The end of `window` that has the letters of `short` in order, its first letter at the beginning
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

/// Adds to `query`, made of `question`, the other form of every acronym in it that `passages`
/// explain; says whether it added anything.
pub fn expand(query: &mut Query, question: &str, passages: &[&str], languages: &[&str]) -> bool {
    if !may_expand(query) {
        return false;
    }
    let n_asked = query.terms.len();
    let normal = |text: &str| {
        format!(
            " {} ",
            text.split(|c: char| !c.is_alphanumeric())
                .filter(|w| !w.is_empty())
                .collect::<Vec<_>>()
                .join(" ")
                .to_lowercase()
        )
    };
    let asked = normal(question);
    for Acronym { short, long } in passages.iter().flat_map(|passage| acronyms(passage)) {
        let (has_short, has_long) =
            (asked.contains(&normal(&short)), asked.contains(&normal(&long)));
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
    query.terms.len() > n_asked
}
