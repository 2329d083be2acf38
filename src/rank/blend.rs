//! Blends the scores of a cross-encoder with those of fusion.

use crate::document::{Contribution, Contributions, Rank};

/// Blends `rerank_scores` into the fused scores of `candidates`.
///
/// The rerank scores are stretched to the range of the fused ones. So a blended score stays in that
/// range, and no passage that was not reranked is overtaken by one that was. A score remains the
/// sum of its contributions' normalised scores by their weights. Equal rerank scores change
/// nothing.
pub fn blend(candidates: &mut [(f64, Contributions)], rerank_scores: &[f64], weight: f64) {
    debug_assert_eq!(candidates.len(), rerank_scores.len(), "each candidate has its score");
    let fused = range(candidates.iter().map(|(score, _)| *score));
    let reranked = range(rerank_scores.iter().copied());
    let is_flat = reranked.max <= reranked.min;
    let weight = if is_flat { 0.0 } else { weight };
    for ((score, contributions), rerank_score) in candidates.iter_mut().zip(rerank_scores) {
        let normalised = if is_flat {
            *score
        } else {
            fused.min
                + (fused.max - fused.min) * (rerank_score - reranked.min)
                    / (reranked.max - reranked.min)
        };
        let above = rerank_scores.iter().filter(|other| *other > rerank_score).count();
        let rank = Rank::At(1 + above);
        *score = (1.0 - weight) * *score + weight * normalised;
        let Contributions { lexical, dense, rerank } = contributions;
        for contribution in [lexical, dense].into_iter().flatten() {
            contribution.weight *= 1.0 - weight;
        }
        *rerank = Some(Contribution { rank, score: *rerank_score, normalised, weight });
    }
}

struct Range {
    min: f64,
    max: f64,
}

fn range(scores: impl Iterator<Item = f64>) -> Range {
    let empty = Range { min: f64::INFINITY, max: f64::NEG_INFINITY };
    scores
        .fold(empty, |range, score| Range { min: range.min.min(score), max: range.max.max(score) })
}
