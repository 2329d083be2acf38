//! One best passage per place: overlapping passages of a file, and the same words in several files,
//! take one line.

use std::collections::HashMap;

use crate::document::Span;

/// What must be known of a passage to see whether it stands for a place already taken.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Which document, however the caller numbers or names them.
    pub document: (usize, &'a str),
    pub bytes: Span,
    pub text: &'a str,
}

/// What becomes of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Kept,
    /// The same words as the kept candidate at this index.
    CopyOf(usize),
    /// Mostly the same bytes of the same file as a kept candidate.
    Overlaps,
}

/// Decides for each candidate, best first, whether it is shown.
pub fn one_per_place(candidates: &[Candidate<'_>]) -> Vec<Verdict> {
    let mut by_text: HashMap<&str, usize> = HashMap::new();
    let mut by_document: HashMap<(usize, &str), Vec<Span>> = HashMap::new();
    let mut places = Vec::with_capacity(candidates.len());
    for (i, candidate) in candidates.iter().enumerate() {
        let taken = by_document.entry(candidate.document).or_default();
        // Neighbouring passages share a sentence by design; more than half is the same place twice.
        let same =
            |span: &Span| span.overlap(candidate.bytes) * 2 > span.len().min(candidate.bytes.len());
        let place = match by_text.get(candidate.text) {
            Some(kept) => Verdict::CopyOf(*kept),
            None if taken.iter().any(same) => Verdict::Overlaps,
            None => {
                by_text.insert(candidate.text, i);
                taken.push(candidate.bytes);
                Verdict::Kept
            }
        };
        places.push(place);
    }
    places
}
