//! One hit per place: of overlapping passages of a file, and of the same text in several files, the
//! best is kept.

use std::collections::HashMap;

use crate::document::Span;

/// A passage of a ranking.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Identifies the document.
    pub document: (usize, &'a str),
    pub bytes: Span,
    pub text: &'a str,
}

/// Whether a candidate becomes a hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Kept,
    /// The same text as the kept candidate at this index.
    CopyOf(usize),
    /// Mostly the same bytes of the same file as a kept candidate.
    Overlaps,
}

/// Judges each candidate, best first.
pub fn one_per_place(candidates: &[Candidate<'_>]) -> Vec<Verdict> {
    let mut by_text: HashMap<&str, usize> = HashMap::new();
    let mut by_document: HashMap<(usize, &str), Vec<Span>> = HashMap::new();
    let mut verdicts = Vec::with_capacity(candidates.len());
    for (i, candidate) in candidates.iter().enumerate() {
        let kept_spans = by_document.entry(candidate.document).or_default();
        // Neighbouring passages share a sentence by design. More than half is the same place.
        let overlaps =
            |span: &Span| span.overlap(candidate.bytes) * 2 > span.len().min(candidate.bytes.len());
        let verdict = match by_text.get(candidate.text) {
            Some(kept) => Verdict::CopyOf(*kept),
            None if kept_spans.iter().any(overlaps) => Verdict::Overlaps,
            None => {
                by_text.insert(candidate.text, i);
                kept_spans.push(candidate.bytes);
                Verdict::Kept
            }
        };
        verdicts.push(verdict);
    }
    verdicts
}
