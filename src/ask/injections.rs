//! Passages that contain injections: sentences that give orders to a language model.

use crate::analysis::untrusted::{InjectionKind, injections};
use crate::answer::Evidence;
use crate::document::{Chunk, Citation, Hit, context_line};

/// A passage that contains injections.
#[derive(Clone, Debug, PartialEq)]
pub struct FlaggedPassage {
    /// Its number in the answer; `None` when the answer does not cite it.
    pub n: Option<usize>,
    pub hit: Hit,
    /// Each kind once.
    pub kinds: Vec<InjectionKind>,
}

/// The passages with injections among the cited and the `read` ones, cited ones first.
pub(super) fn flagged(citations: &[Citation], read: &[Evidence]) -> Vec<FlaggedPassage> {
    let is_cited = |hit: &Hit| citations.iter().any(|citation| citation.hit == *hit);
    let cited = citations.iter().map(|citation| (Some(citation.n), &citation.hit));
    let uncited = read.iter().map(|piece| (None, &piece.hit)).filter(|(_, hit)| !is_cited(hit));
    let mut flagged = Vec::new();
    for (n, hit) in cited.chain(uncited) {
        let kinds = injection_kinds(hit);
        if !kinds.is_empty() {
            flagged.push(FlaggedPassage { n, hit: hit.clone(), kinds });
        }
    }
    flagged
}

/// The kinds of injections in a passage, path, title and headings included: a prompt has them too.
pub fn injection_kinds(hit: &Hit) -> Vec<InjectionKind> {
    injection_kinds_in(&hit.path, hit.title.as_deref(), &hit.chunk)
}

/// As [`injection_kinds`], for a passage that is not a hit.
pub fn injection_kinds_in(path: &str, title: Option<&str>, chunk: &Chunk) -> Vec<InjectionKind> {
    let text = [path, &context_line(title, &chunk.heading), &chunk.text].join("\n");
    let mut kinds: Vec<InjectionKind> =
        injections(&text).into_iter().map(|injection| injection.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}
