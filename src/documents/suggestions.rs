//! Questions that an index can answer, made from the headings of its documents.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::index::{Record, Snapshot, State};
use crate::naming;

/// Documents that are read. More would take time before a page shows anything.
const MAX_DOCUMENTS: usize = 16;
/// Words of a heading. A longer one is a sentence.
const MAX_WORDS: usize = 10;
const MAX_CHARS: usize = 80;
/// Formats whose headings are names of functions, keys and sheets.
const WITHOUT_HEADINGS: [&str; 7] = ["code", "csv", "json", "jsonl", "xml", "xlsx", "ods"];

/// A question that a document answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    pub question: String,
    /// The heading that it was made from.
    pub heading: String,
    pub root: String,
    pub path: String,
}

/// Up to `n` questions from headings of documents that are spread over the index: one of each
/// document, then another of each, those first that are questions themselves. The same for the same
/// index.
///
/// # Errors
/// Those of reading the index.
pub fn suggestions(snapshot: &Snapshot, n: usize) -> Result<Vec<Suggestion>> {
    let roots = &snapshot.meta().roots;
    let mut records = snapshot.documents()?;
    records.retain(has_headings);
    records.sort_by(|a, b| (a.root, &a.path).cmp(&(b.root, &b.path)));
    let step = records.len().div_ceil(MAX_DOCUMENTS).max(1);
    let mut found: Vec<(bool, usize, Suggestion)> = Vec::new();
    let mut known = BTreeSet::new();
    for record in records.iter().step_by(step) {
        let root = roots.get(record.root).map_or("", |root| &root.given);
        let is_english = record.language.as_deref() == Some("en");
        let mut round = 0;
        for stored in snapshot.chunks_of(record.root, &record.path)? {
            // The only heading of a short document is its title.
            let title = stored.title.as_ref().filter(|title| **title != record.path);
            let Some(heading) = stored.chunk.heading.last().or(title) else { continue };
            let heading = heading.trim();
            if !is_topic(heading) || !known.insert(heading.to_lowercase()) {
                continue;
            }
            let suggestion = Suggestion {
                question: question(heading, is_english),
                heading: heading.to_owned(),
                root: root.to_owned(),
                path: record.path.clone(),
            };
            found.push((!is_question(heading), round, suggestion));
            round += 1;
        }
    }
    found.sort_by_key(|(is_topic, round, _)| (*round, *is_topic));
    Ok(found.into_iter().take(n).map(|(.., suggestion)| suggestion).collect())
}

fn has_headings(record: &Record) -> bool {
    let format = record.format.as_deref().unwrap_or_default();
    record.state == State::Indexed && !WITHOUT_HEADINGS.contains(&format)
}

/// Whether a heading is a topic, and neither a number, a date nor a sentence.
fn is_topic(heading: &str) -> bool {
    let words = heading.split_whitespace().count();
    let letters = heading.chars().filter(|c| c.is_alphabetic()).count();
    words <= MAX_WORDS
        && heading.chars().count() <= MAX_CHARS
        && letters >= 4
        && letters * 2 > heading.chars().filter(|c| !c.is_whitespace()).count()
        && !naming::is_address(heading)
}

fn is_question(heading: &str) -> bool {
    heading.ends_with(['?', '？', '؟'])
}

/// The heading as a question. Other languages than English have it as it is: a search needs no
/// more.
fn question(heading: &str, is_english: bool) -> String {
    if is_question(heading) || !is_english {
        return heading.to_owned();
    }
    match heading.to_lowercase().starts_with("how to ") {
        true => format!("{heading}?"),
        false => format!("What about {heading}?"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_becomes_a_question() {
        for (heading, expected) in [
            ("How is a score made?", "How is a score made?"),
            ("How to move an index", "How to move an index?"),
            ("Health checks", "What about Health checks?"),
        ] {
            assert_eq!(question(heading, true), expected);
        }
        assert_eq!(question("Ansprüche", false), "Ansprüche");
        for heading in ["1.2", "2026-01-01", "v1", "###", "https://example.org/a"] {
            assert!(!is_topic(heading), "{heading}");
        }
    }
}
