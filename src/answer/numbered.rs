//! Questions about a part of a document by its number: "What does clause 3.1 of the agreement say?"
//! is answered with that clause, however alike another may be.
//!
//! `numbered.tsv` has the nouns and the verbs of such questions, by language. The other words of
//! the question name the document.

use std::ops::Range;

use super::evidence::Evidence;
use super::score::Candidate;
use crate::analysis;
use crate::document::{Hit, UnitKind};
use crate::strings::table_lines;

/// A language, nouns of numbered parts, words that ask for their text.
type Row = (&'static str, Vec<&'static str>, Vec<&'static str>);

/// The units of the part that the question asks for; `None` for a question about something else,
/// and where no document that it names has the part.
pub(super) fn part(
    question: &str,
    candidates: &[Candidate],
    evidence: &[Evidence],
    max_words: usize,
) -> Option<Range<usize>> {
    let (label, subject) = asked(question)?;
    let is_named = |source: usize| {
        let names = names(source, candidates, &evidence[source].hit);
        subject.iter().all(|word| names.contains(word.as_str()))
    };
    let begins = |unit: &Candidate| begins_with(&unit.text, &label) && is_named(unit.source);
    if let Some(at) = candidates.iter().position(begins) {
        let is_heading = candidates[at].kind == UnitKind::Heading;
        return until_next(candidates, at + usize::from(is_heading), max_words);
    }
    // The number of the section that a passage is of.
    let is_section = |piece: &Evidence| {
        piece.hit.chunk.heading.last().is_some_and(|heading| begins_with(heading, &label))
    };
    let at = candidates
        .iter()
        .position(|unit| is_section(&evidence[unit.source]) && is_named(unit.source))?;
    until_next(candidates, at, max_words)
}

/// The number and the words that name the document.
fn asked(question: &str) -> Option<(String, Vec<String>)> {
    let words: Vec<String> = question
        .split_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric() && c != '§').to_lowercase())
        .map(|word| word.rsplit_once(['\'', '’']).map_or(word.clone(), |(_, word)| word.to_owned()))
        .filter(|word| !word.is_empty())
        .collect();
    let by_language = rows().filter_map(|(language, nouns, verbs)| {
        let is_noun = |word: &str| word == "§" || nouns.contains(&word);
        let at = words.windows(2).position(|pair| is_noun(&pair[0]) && is_label(&pair[1]))?;
        let others = words.iter().enumerate().filter(|(n, word)| {
            *n != at
                && *n != at + 1
                && !verbs.contains(&word.as_str())
                && !analysis::is_stop_word(word, language)
        });
        Some((words[at + 1].clone(), others.map(|(_, word)| word.clone()).collect::<Vec<_>>()))
    });
    // A noun may be of several languages; the question is of the one that knows most of its words.
    by_language.min_by_key(|(_, subject)| subject.len())
}

fn rows() -> impl Iterator<Item = Row> {
    table_lines(include_str!("numbered.tsv")).filter_map(|line| {
        let mut columns = line.split('\t');
        let language = columns.next()?;
        let mut words = || columns.next().map(|words| words.split(' ').collect());
        Some((language, words()?, words()?))
    })
}

/// Whether a word is a number such as `3`, `3.1` or `12a`.
fn is_label(word: &str) -> bool {
    let bare = word.strip_suffix(|c: char| c.is_ascii_lowercase()).unwrap_or(word);
    bare.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether a text begins with a number, and not with a longer one.
fn begins_with(text: &str, label: &str) -> bool {
    let text = text.trim_start_matches(|c: char| "§([ ".contains(c));
    text.strip_prefix(label).is_some_and(|rest| {
        let mut rest = rest.chars();
        match rest.next() {
            Some('.') => !rest.next().is_some_and(char::is_alphanumeric),
            Some(c) => !c.is_alphanumeric(),
            None => false,
        }
    })
}

/// The names of a document, its headings and those of one of its passages, and the first line of
/// the passage.
fn names(source: usize, candidates: &[Candidate], hit: &Hit) -> String {
    let headings = hit.chunk.heading.iter().map(String::as_str);
    let of_passage = candidates.iter().filter(|unit| unit.source == source);
    let own = of_passage.enumerate().filter(|(n, unit)| *n == 0 || unit.is_title());
    let names = headings.chain(hit.title.as_deref()).chain([&*hit.path]);
    let names: Vec<&str> = names.chain(own.map(|(_, unit)| unit.text.as_str())).collect();
    names.join(" ").to_lowercase()
}

/// The units from `at` to the next numbered part or heading of the passage, as many as there is
/// room for.
fn until_next(candidates: &[Candidate], at: usize, max_words: usize) -> Option<Range<usize>> {
    let first = candidates.get(at)?;
    let is_numbered = |unit: &Candidate| {
        unit.text.split(' ').next().is_some_and(|word| {
            let label = word.trim_matches(|c: char| "§().[]".contains(c));
            word.contains('.') && is_label(label)
        })
    };
    let mut n_words = first.n_words;
    let more = candidates.get(at + 1..)?.iter().take_while(|unit| {
        n_words += unit.n_words;
        unit.source == first.source
            && unit.kind != UnitKind::Heading
            && !is_numbered(unit)
            && n_words <= max_words
    });
    Some(at..at + 1 + more.count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_names_a_number_and_a_document() {
        let asked = |question| asked(question).map(|(label, words)| (label, words.join(" ")));
        let some = |label: &str, words: &str| Some((label.to_owned(), words.to_owned()));
        assert_eq!(
            asked("What does clause 3.1 of the supply agreement say?"),
            some("3.1", "supply agreement")
        );
        assert_eq!(asked("Was steht in § 12a?"), some("12a", ""));
        assert_eq!(asked("Que dit l'article 7 ?"), some("7", ""));
        assert_eq!(asked("What changed in version 3.1?"), None);
    }

    #[test]
    fn a_part_begins_with_its_number() {
        for text in ["3.1 Either party", "3.1. Either party", "(3.1) Either", "§ 3.1: Either"] {
            assert!(begins_with(text, "3.1"), "{text}");
        }
        for text in ["3.10 Notices", "3.1.2 Notices", "13.1 Notices", "3.1a Notices"] {
            assert!(!begins_with(text, "3.1"), "{text}");
        }
    }
}
