//! Ordinals and scores to hits.

use std::sync::Arc;

use crate::document::Hit;
use crate::error::Result;
use crate::index::{Snapshot, Stored};
use crate::rank::{self, Candidate, Fused, Verdict};

/// The top `k` places of a ranking: passages are fetched, equal scores ordered by place, copies and
/// overlaps attributed to the passage that comes first.
pub(super) fn hits(snapshot: &Snapshot, ranking: &[Fused], k: usize) -> Result<Vec<Hit>> {
    let mut found: Vec<(Fused, Stored)> = ranking
        .iter()
        .map(|fused| Ok((*fused, snapshot.fetch(fused.ordinal)?)))
        .collect::<Result<_>>()?;
    // Ordinals depend on the history of the index; places do not.
    found.sort_by(|(a, x), (b, y)| {
        b.score.total_cmp(&a.score).then_with(|| place(x).cmp(&place(y)))
    });
    let candidates: Vec<Candidate<'_>> = found.iter().map(|(_, s)| candidate(s)).collect();
    let verdicts = rank::one_per_place(&candidates);
    let mut copies: Vec<Vec<(Arc<str>, usize)>> = vec![Vec::new(); found.len()];
    for (verdict, (_, stored)) in verdicts.iter().zip(&found) {
        if let Verdict::CopyOf(kept) = verdict {
            copies[*kept].push((stored.path.as_str().into(), stored.chunk.lines.first));
        }
    }
    let roots: Vec<Arc<str>> =
        snapshot.meta().roots.iter().map(|root| root.given.as_str().into()).collect();
    let mut hits = Vec::new();
    for (((fused, stored), verdict), also) in found.into_iter().zip(verdicts).zip(copies) {
        if hits.len() == k {
            break;
        }
        if verdict == Verdict::Kept {
            hits.push(Hit {
                rank: hits.len() + 1,
                score: fused.score,
                root: roots.get(stored.root).cloned().unwrap_or_else(|| "".into()),
                path: stored.path.into(),
                title: stored.title.map(Into::into),
                chunk: stored.chunk,
                also,
                contributions: fused.contributions,
            });
        }
    }
    Ok(hits)
}

fn place(stored: &Stored) -> (usize, &str, usize) {
    (stored.root, &stored.path, stored.chunk.bytes.start)
}

fn candidate(stored: &Stored) -> Candidate<'_> {
    Candidate {
        document: (stored.root, &stored.path),
        bytes: stored.chunk.bytes,
        text: &stored.chunk.text,
    }
}
