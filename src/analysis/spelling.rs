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

/// The least number of letters to replace, insert, delete or swap with their neighbour that turns a
/// word into another; `None` if it is more than `most`.
#[must_use]
pub fn mistakes(word: &str, other: &str, most: usize) -> Option<usize> {
    let (word, other): (Vec<char>, Vec<char>) = (word.chars().collect(), other.chars().collect());
    if word.len().abs_diff(other.len()) > most {
        return None;
    }
    // Rows of the distances between the beginnings of both: the one before the last, and the last.
    let (mut above, mut row): (Vec<usize>, Vec<usize>) = (Vec::new(), (0..=other.len()).collect());
    for (i, x) in word.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in other.iter().enumerate() {
            let replaced = row[j] + usize::from(x != y);
            let mut least = replaced.min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && *x == other[j - 1] && word[i - 1] == *y {
                least = least.min(above[j - 1] + 1);
            }
            next.push(least);
        }
        if next.iter().min().is_some_and(|least| *least > most) {
            return None;
        }
        above = std::mem::replace(&mut row, next);
    }
    row.last().copied().filter(|n| *n <= most)
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
