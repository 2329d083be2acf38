//! Answers from what documents state about themselves: "Who wrote PEP 8?" is answered with the
//! record `Author: …` of the document that the question names, however alike a sentence elsewhere
//! may be.
//!
//! `metadata.tsv` has the questions and the keys of their records, by language. The rest of such a
//! question names the document.

use super::evidence::Evidence;
use super::options::Tools;
use super::parts;
use super::question::Question;
use super::render::Quote;
use crate::dates;
use crate::document::{Chunk, Hit, UnitKind};
use crate::strings::{StrExt as _, table_lines};

/// Least share of the weight of the words that name a document in its title, its path and its
/// records. All names and numbers must be there.
const NAMED: f64 = 0.75;

/// Least share of the weight of a title's words that a question has to have to give it.
const TITLE: f64 = 0.5;

/// Passages at the start of a document in which records count as its own.
const HEAD_PASSAGES: usize = 2;

/// What a question asks of a document.
struct Asked {
    /// The preferred key first.
    keys: Vec<&'static str>,
    must_state_day: bool,
    /// The words of the question that name the document.
    subject: String,
}

/// Whether a part of a question asks for what documents state about themselves. The evidence then
/// needs their [`head`]s.
#[must_use]
pub fn asks_for_metadata(question: &str) -> bool {
    parts::questions(question).iter().any(|part| Asked::by(part).is_some())
}

/// The passages of a document, given in order, in which it may state what a question asks for.
pub fn head<'c>(
    question: &str,
    chunks: impl Iterator<Item = &'c Chunk>,
) -> impl Iterator<Item = &'c Chunk> {
    let asked: Vec<Asked> =
        parts::questions(question).iter().filter_map(|part| Asked::by(part)).collect();
    chunks.take(HEAD_PASSAGES).filter(move |chunk| {
        asked.iter().any(|asked| records(chunk).any(|record| asked.place(&record).is_some()))
    })
}

/// The record that answers the question; `None` for a question about something else, and where no
/// document of the evidence has the name that it gives.
pub(super) fn quotes(
    question: &str,
    evidence: &[Evidence],
    tools: &Tools<'_>,
) -> Option<Vec<Quote>> {
    let asked = Asked::by(question)?;
    let subject = Question::new(&asked.subject, "", tools);
    let mut best: Option<(f64, usize, Record<'_>)> = None;
    for (source, piece) in evidence.iter().enumerate() {
        let answer = records(&piece.hit.chunk)
            .filter_map(|record| Some((asked.place(&record)?, record)))
            .min_by_key(|(place, record)| (*place, record.unit));
        let Some((_, record)) = answer else { continue };
        let fit = asked.fit(&piece.hit, record.key, &subject, evidence);
        let is_better = best.as_ref().is_none_or(|(other, ..)| fit > *other);
        if fit >= NAMED && is_better && asked.names(&piece.hit, &subject, tools) {
            best = Some((fit, source, record));
        }
    }
    let (_, source, record) = best?;
    Some(vec![Quote::of_record(source, record.unit, record.text)])
}

impl Asked {
    fn by(question: &str) -> Option<Self> {
        let words: Vec<(&str, String)> = question
            .split_whitespace()
            .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()))
            .filter(|word| !word.is_empty())
            .map(|word| (word, word.to_lowercase()))
            .collect();
        table().find_map(|(pattern, keys)| {
            let taken = matched(pattern, &words)?;
            let rest = words.iter().enumerate().filter(|(at, _)| !taken.contains(at));
            let rest: Vec<&str> = rest.map(|(_, (word, _))| *word).collect();
            let must_state_day = keys.starts_with('@');
            let keys = keys.trim_start_matches('@').split(',').collect();
            Some(Self { keys, must_state_day, subject: without_zeros(&rest.join(" ")) })
        })
    }

    /// The place of a record's key among those asked for, if it answers.
    fn place(&self, record: &Record<'_>) -> Option<usize> {
        let key = record.key.to_lowercase();
        let is_key = |wanted: &&str| match wanted.strip_prefix('-') {
            Some(_) => key.ends_with(*wanted),
            None => key == **wanted,
        };
        let place = self.keys.iter().position(is_key)?;
        let states_day = || dates::stated(record.value).is_some_and(|day| day.month > 0);
        (!self.must_state_day || states_day()).then_some(place)
    }

    /// Whether the question gives a name of the document, and not just a word of its title: most
    /// of the title, the name of its file, or a number, which [`Asked::fit`] has found there.
    fn names(&self, hit: &Hit, subject: &Question<'_>, tools: &Tools<'_>) -> bool {
        let title = Question::new(hit.title.as_deref().unwrap_or_default(), "", tools);
        let found = title.find(&self.subject);
        let file = hit.path.rsplit('/').next().unwrap_or_default();
        let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
        title.share(|term| found.has(term)) >= TITLE
            || has_digit(&self.subject)
            || subject.len() == 0
            || holds(&self.subject, &without_zeros(stem))
    }

    /// How well the words of the question fit the document that has a record with this key, from 0
    /// to 1.
    fn fit(&self, hit: &Hit, key: &str, subject: &Question<'_>, evidence: &[Evidence]) -> f64 {
        if subject.len() == 0 {
            let is_same = |other: &Evidence| other.hit.path == hit.path;
            return f64::from(u8::from(evidence.iter().all(is_same)));
        }
        let lower = self.subject.to_lowercase();
        let title = hit.title.as_deref().unwrap_or_default();
        let mut name = without_zeros(&format!("{title} {} {}", hit.path, key.replace('-', " ")));
        for record in records(&hit.chunk) {
            let key = record.key.to_lowercase();
            let is_named = lower.split_whitespace().any(|word| word == key);
            if is_named || matches!(key.as_str(), "subject" | "aliases" | "title") {
                name.extend([" ", &key, " ", record.value]);
            }
        }
        let found = subject.find(&name);
        let numbers = self.subject.split_whitespace().filter(|word| has_digit(word));
        let has_numbers = numbers.into_iter().all(|number| holds(&name, number));
        if !has_numbers || subject.missing_names(|term| found.has(term)) > 0.0 {
            return 0.0;
        }
        subject.share(|term| found.has(term))
    }
}

/// Patterns and keys of the table.
fn table() -> impl Iterator<Item = (&'static str, &'static str)> {
    table_lines(include_str!("metadata.tsv")).filter_map(|row| {
        let mut columns = row.split('\t').skip(1);
        Some((columns.next()?, columns.next()?))
    })
}

/// The places of the words that a pattern matches.
fn matched(pattern: &str, words: &[(&str, String)]) -> Option<Vec<usize>> {
    let (pattern, is_free) = match pattern.strip_prefix("* ") {
        Some(pattern) => (pattern, true),
        None => (pattern, false),
    };
    let mut taken: Vec<usize> = Vec::new();
    for alternatives in pattern.split(' ') {
        let from = taken.last().map_or(0, |last| last + 1);
        let is_one = |at: &usize| alternatives.split('|').any(|word| word == words[*at].1);
        let at = (from..words.len()).find(is_one)?;
        if taken.is_empty() && !is_free && at > 0 {
            return None;
        }
        taken.push(at);
    }
    Some(taken)
}

/// A record of the form `Key: value`.
struct Record<'a> {
    /// Index of its unit.
    unit: usize,
    text: &'a str,
    key: &'a str,
    value: &'a str,
}

fn records(chunk: &Chunk) -> impl Iterator<Item = Record<'_>> {
    let units = chunk.units.iter().enumerate();
    units.filter(|(_, unit)| unit.kind == UnitKind::Record).filter_map(|(n, unit)| {
        let text = chunk.text.slice(unit.span.range()).trim();
        let (key, value) = text.strip_prefix(':').unwrap_or(text).split_once(':')?;
        let value = value.trim();
        (!value.is_empty()).then_some(Record { unit: n, text, key: key.trim(), value })
    })
}

fn has_digit(word: &str) -> bool {
    word.contains(|c: char| c.is_ascii_digit())
}

/// Whether a text has a word that is this one, or ends a longer one as `572` does `pep-572`.
fn holds(text: &str, word: &str) -> bool {
    let (text, word) = (text.to_lowercase(), word.to_lowercase());
    let is_edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    text.match_indices(&word).any(|(at, _)| {
        let before = text.slice(..at).chars().next_back();
        is_edge(before) && is_edge(text.slice(at + word.len()..).chars().next())
    })
}

/// A text without the zeros before its numbers: `pep-0572` is the same as `PEP 572`.
fn without_zeros(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(c) = letters.next() {
        let in_number = shown.ends_with(|c: char| c.is_alphanumeric() || c == '.');
        let is_leading = c == '0' && !in_number && letters.peek().is_some_and(char::is_ascii_digit);
        if !is_leading {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_about_documents_are_told_from_others() {
        let check = |question: &str, expected: Option<(&str, &str)>| {
            let asked = Asked::by(question);
            let found = asked.as_ref().map(|asked| (asked.keys[0], asked.subject.as_str()));
            assert_eq!(found, expected, "{question}");
        };
        check("Who wrote PEP 572?", Some(("author", "PEP 572")));
        check("What is the status of pep-0008?", Some(("status", "is the of pep-8")));
        check("When was PEP 634 accepted?", Some(("accepted", "PEP 634")));
        check("Which PEP superseded PEP 622?", Some(("superseded-by", "PEP PEP 622")));
        check("Which PEP does PEP 634 replace?", Some(("replaces", "PEP PEP 634")));
        check("Wer hat den Bericht geschrieben?", Some(("author", "den Bericht")));
        check("Why was PEP 3150 deferred?", None);
        check("How do I set the author?", None);
        check("When does the cache expire?", None);
    }

    #[test]
    fn numbers_are_compared_without_zeros_before_them() {
        assert_eq!(without_zeros("pep-0572.rst 10 007 0 1.05"), "pep-572.rst 10 7 0 1.05");
        assert!(holds("peps/pep-572.rst", "572") && !holds("pep-1572.rst", "572"));
    }
}
