//! Further evidence for questions about documents themselves: the passages in which the documents
//! of the hits state their author, date, status and the like. These seldom rank among the hits, as
//! they have few words of a question.

use std::collections::HashSet;

use crate::answer::{self, Evidence};
use crate::document::Hit;
use crate::error::Result;
use crate::index::Snapshot;

/// Documents whose heads are read, in the order of their best hits.
const MAX_DOCUMENTS: usize = 10;

/// Adds the heads of the hits' documents to the evidence, if the question asks for what they have.
pub(super) fn add(
    snapshot: &Snapshot,
    question: &str,
    hits: &[Hit],
    evidence: &mut Vec<Evidence>,
) -> Result<()> {
    if !answer::asks_for_metadata(question) {
        return Ok(());
    }
    let mut seen = HashSet::new();
    let documents = hits.iter().filter(|hit| seen.insert((hit.root.clone(), hit.path.clone())));
    for hit in documents.take(MAX_DOCUMENTS) {
        let mut roots = snapshot.meta().roots.iter();
        let Some(root) = roots.position(|root| *root.given == *hit.root) else { continue };
        let chunks = snapshot.chunks_of(root, &hit.path)?;
        for chunk in answer::head(question, chunks.iter().map(|stored| &stored.chunk)) {
            let is_there = evidence.iter().any(|piece| {
                let other = &piece.hit;
                (&other.root, &other.path) == (&hit.root, &hit.path)
                    && (other.chunk.bytes == chunk.bytes && other.chunk.text == chunk.text
                        || other.chunk.bytes.overlap(chunk.bytes) > 0)
            });
            if !is_there {
                let hit = Hit { chunk: chunk.clone(), also: Vec::new(), ..hit.clone() };
                evidence.push(Evidence { place: evidence.len(), hit });
            }
        }
    }
    Ok(())
}
