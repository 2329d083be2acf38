//! Values for a filter that matches no document: those of the index most like the ones asked for.

use crate::analysis;
use crate::document::Note;
use crate::error::Result;
use crate::filter::{Filter, UnknownValue};
use crate::index::Snapshot;

/// Values that are named where none is similar.
const NAMED: usize = 5;

/// A note for each value of `filter` that no document has.
pub(super) fn values(snapshot: &Snapshot, filter: Option<&Filter>) -> Result<Vec<Note>> {
    let Some(filter) = filter else { return Ok(Vec::new()) };
    Ok(snapshot.unknown_values(filter)?.iter().filter_map(note).collect())
}

fn note(unknown: &UnknownValue) -> Option<Note> {
    let test = unknown.test(&unknown.value);
    if let Some(similar) = similar(unknown) {
        return Some(Note::NoValue { test, similar: unknown.test(similar) });
    }
    let mut values: Vec<(&String, &usize)> = unknown.values.iter().collect();
    values.sort_by(|(a, n), (b, m)| m.cmp(n).then(a.cmp(b)));
    let others: Vec<String> =
        values.iter().take(NAMED).map(|(value, _)| unknown.test(value)).collect();
    (!others.is_empty()).then(|| Note::OtherValues { test, others: others.join("`, `") })
}

/// The value with the fewest mistakes; without one, the shortest that has the wanted one in it, or
/// is in it.
fn similar(unknown: &UnknownValue) -> Option<&str> {
    let wanted = unknown.value.to_lowercase();
    let most = (wanted.chars().count() / 3).min(3);
    let with_mistakes = unknown.values.keys().filter_map(|value| {
        Some((analysis::mistakes(&wanted, &value.to_lowercase(), most)?, value))
    });
    if let Some((_, value)) = with_mistakes.min() {
        return Some(value);
    }
    let shares = |value: &&String| {
        let value = value.to_lowercase();
        value.chars().count() > 2 && (value.contains(&wanted) || wanted.contains(&value))
    };
    let within = unknown.values.keys().filter(shares);
    within.min_by_key(|value| (value.len(), value.as_str())).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::filter::DocumentFacts;

    fn check(filter: &str, expected: &[&str]) {
        let tags = |tags: &[&str]| {
            let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
            BTreeMap::from([("tags".to_owned(), tags)])
        };
        let documents = [
            ("guides/walk.rs", "rust", tags(&[])),
            ("guides/Install.md", "markdown", tags(&["spring notes"])),
            ("old/notes.md", "markdown", tags(&["drafts"])),
        ];
        let facts: Vec<DocumentFacts<'_>> = documents
            .iter()
            .map(|(path, format, meta)| DocumentFacts {
                root: "docs",
                real: "/docs",
                path,
                format: Some(format),
                language: Some("en"),
                modified_s: None,
                size_bytes: 1,
                meta,
            })
            .collect();
        let unknown = Filter::parse(filter).unwrap().unknown_values(&facts);
        let notes: Vec<String> =
            unknown.iter().filter_map(note).map(|note| note.to_string()).collect();
        assert_eq!(notes, expected, "{filter}");
    }

    #[test]
    fn similar_values_are_suggested() {
        check("type:markdwon", &["no document has `type:markdwon`; did you mean `type:markdown`?"]);
        check(
            "path:instal.md",
            &["no document has `path:instal.md`; did you mean `path:Install.md`?"],
        );
        check("domain:guide", &["no document has `domain:guide`; did you mean `domain:guides`?"]);
        check(
            "meta.tag:\"spring note\" and type:markdown",
            &[concat!(
                "no document has `meta.tag:\"spring note\"`; ",
                "did you mean `meta.tag:\"spring notes\"`?"
            )],
        );
    }

    #[test]
    fn without_a_similar_value_the_common_ones_are_named() {
        check("type:pdf", &["no document has `type:pdf`; there are `type:markdown`, `type:rust`"]);
        check("lang:fr or type:markdown", &["no document has `lang:fr`; there are `lang:en`"]);
        // What documents have, what they must not have, and keys that none has.
        check("type:md and not lang:fr", &[]);
        check("meta.author:Ada", &[]);
    }
}
