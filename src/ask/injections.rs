//! Passages that contain injections: sentences that give orders to a language model.

use crate::analysis::untrusted::Risk;
use crate::answer::Evidence;
use crate::document::{Chunk, Citation, Hit, context_line};

/// A passage that contains injections.
#[derive(Clone, Debug, PartialEq)]
pub struct FlaggedPassage {
    /// Its number in the answer; `None` when the answer does not cite it.
    pub n: Option<usize>,
    pub hit: Hit,
    pub risk: Risk,
}

/// The passages with injections among the cited and the `read` ones, cited ones first.
pub(super) fn flagged(citations: &[Citation], read: &[Evidence]) -> Vec<FlaggedPassage> {
    let is_cited = |hit: &Hit| citations.iter().any(|citation| citation.hit == *hit);
    let cited = citations.iter().map(|citation| (Some(citation.n), &citation.hit));
    let uncited = read.iter().map(|piece| (None, &piece.hit)).filter(|(_, hit)| !is_cited(hit));
    let mut flagged = Vec::new();
    for (n, hit) in cited.chain(uncited) {
        let risk = passage_risk(hit);
        if !risk.kinds.is_empty() {
            flagged.push(FlaggedPassage { n, hit: hit.clone(), risk });
        }
    }
    flagged
}

/// The risk of a passage, path, title and headings included: a prompt has them too.
pub fn passage_risk(hit: &Hit) -> Risk {
    chunk_risk(&hit.path, hit.title.as_deref(), &hit.chunk)
}

/// As [`passage_risk`], for a passage that is not a hit.
pub fn chunk_risk(path: &str, title: Option<&str>, chunk: &Chunk) -> Risk {
    Risk::new(&[path, &context_line(title, &chunk.heading), &chunk.text].join("\n"), None)
}
