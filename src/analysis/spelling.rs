//! Words that the index does not have: the words they may be written for.

use crate::strings::StrExt as _;

/// Shorter words have too many neighbours.
const MIN_LETTERS: usize = 4;
/// From this length on, a word may have two mistakes.
const LONG_WORD: usize = 9;
/// Shortest part of a word that is two words written together.
const MIN_PART: usize = 3;

/// The number of mistakes that a word of a query may have; `None` for one that is not corrected.
#[must_use]
pub fn mistakes_allowed(word: &str) -> Option<usize> {
    let n = word.chars().count();
    let is_word = n >= MIN_LETTERS && word.chars().all(char::is_alphabetic);
    is_word.then_some(if n < LONG_WORD { 1 } else { 2 })
}

/// The pairs of words that a word may consist of, the most even pair first.
#[must_use]
pub fn halves(word: &str) -> Vec<(&str, &str)> {
    let long_enough = |part: &str| part.chars().count() >= MIN_PART;
    let cuts = word.char_indices().map(|(at, _)| word.parted(at));
    let mut halves: Vec<_> = cuts.filter(|(a, b)| long_enough(a) && long_enough(b)).collect();
    halves.sort_by_key(|(a, b)| a.len().abs_diff(b.len()));
    halves
}

/// The word of `text` that is indexed as `term`.
#[must_use]
pub fn written<'a>(text: &'a str, term: &str, languages: &[&str]) -> Option<&'a str> {
    languages.iter().map(Some).chain([None]).find_map(|language| {
        let mut place = None;
        super::index_terms(text, language.copied(), &mut |found| {
            if place.is_none() && found.text == term {
                place = Some(found.start..found.end);
            }
        });
        text.get(place?)
    })
}
