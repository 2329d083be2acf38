//! Phrases: chunks in which given words occur at given distances.

use std::collections::HashMap;

use tantivy::postings::Postings as _;
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocId, DocSet as _, SegmentReader, TERMINATED, Term};

use crate::analysis::PhraseTerm;

/// Live chunks of a segment in which the phrase occurs, in order.
pub fn matches(
    reader: &SegmentReader,
    field: Field,
    phrase: &[PhraseTerm],
) -> tantivy::Result<Vec<DocId>> {
    // Positions where the phrase can begin, by chunk; each word keeps those that it agrees with.
    let mut begins: Option<HashMap<DocId, Vec<u32>>> = None;
    for word in phrase {
        let here = beginnings(reader, field, word, begins.as_ref())?;
        begins = Some(match begins {
            None => here,
            Some(before) => intersection(here, &before),
        });
    }
    let mut docs: Vec<DocId> = begins.unwrap_or_default().into_keys().collect();
    docs.sort_unstable();
    Ok(docs)
}

/// The beginnings that both have, by chunk.
fn intersection(
    mut begins: HashMap<DocId, Vec<u32>>,
    others: &HashMap<DocId, Vec<u32>>,
) -> HashMap<DocId, Vec<u32>> {
    begins.retain(|doc, starts| {
        let others = others.get(doc).map(Vec::as_slice).unwrap_or_default();
        starts.retain(|start| others.contains(start));
        !starts.is_empty()
    });
    begins
}

/// The beginnings of a phrase that has `word` at its offset, in live chunks that are in `only`.
fn beginnings(
    reader: &SegmentReader,
    field: Field,
    word: &PhraseTerm,
    only: Option<&HashMap<DocId, Vec<u32>>>,
) -> tantivy::Result<HashMap<DocId, Vec<u32>>> {
    let inverted = reader.inverted_index(field)?;
    let mut found: HashMap<DocId, Vec<u32>> = HashMap::new();
    let mut positions = Vec::new();
    for variant in &word.variants {
        let term = Term::from_field_text(field, variant);
        let Some(mut postings) =
            inverted.read_postings(&term, IndexRecordOption::WithFreqsAndPositions)?
        else {
            continue;
        };
        let mut doc = postings.doc();
        while doc != TERMINATED {
            if !reader.is_deleted(doc) && only.is_none_or(|only| only.contains_key(&doc)) {
                postings.positions(&mut positions);
                let starts = positions.iter().filter_map(|p| p.checked_sub(word.offset));
                found.entry(doc).or_default().extend(starts);
            }
            doc = postings.advance();
        }
    }
    Ok(found)
}
