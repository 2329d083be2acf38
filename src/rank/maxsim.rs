//! The second look: question and passage compared token by token, blended with the score that
//! fusion gave.
//!
//! nDCG@10, measured with the best 40 and a weight of 0.2: 0.785 becomes 0.790 on 161 claims over
//! abstracts, 0.987 becomes 0.990 on 297 English questions over paragraphs. A weight of 0.3 gains
//! nothing on the claims. Leaving special tokens out makes no difference that these questions could
//! show.

use crate::document::{Contribution, Contributions};
use crate::vector::{Rows, dot};

/// Version of [`late_interaction`]; raise it when the same tokens may get another score.
pub const LATE_VERSION: u32 = 1;

/// How well a passage covers a question, in -1..=1: the mean over the question's tokens of the best
/// cosine to a token of the passage (`MaxSim`; Khattab and Zaharia 2020). 0 when either has no
/// token. Both hold unit vectors.
pub fn late_interaction(question: &Rows, passage: &Rows) -> f64 {
    let best = |asked: &[f32]| {
        passage.each().map(|told| dot(asked, told)).fold(f32::NEG_INFINITY, f32::max)
    };
    let sum: f64 = question.each().map(|asked| f64::from(best(asked))).sum();
    let n = question.each().len();
    if n == 0 || passage.each().len() == 0 { 0.0 } else { sum / n as f64 }
}

/// Blends what a second look says into the fused scores of `candidates`.
///
/// The looks are stretched to the range of the fused scores, so that a blended score lies in that
/// range too and no passage that got no second look is overtaken by one that did. As before, a
/// score is the sum of its legs' normalised scores by their weights. Where all looks are the same
/// they say nothing, and nothing changes.
pub fn blend(candidates: &mut [(f64, Contributions)], looks: &[f64], weight: f64) {
    debug_assert_eq!(candidates.len(), looks.len(), "each candidate got its look");
    let range = |scores: &mut dyn Iterator<Item = f64>| {
        scores.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)))
    };
    let (low, high) = range(&mut candidates.iter().map(|(score, _)| *score));
    let (least, most) = range(&mut looks.iter().copied());
    let weight = if most > least { weight } else { 0.0 };
    for ((score, legs), look) in candidates.iter_mut().zip(looks) {
        let normalised = if most > least {
            low + (high - low) * (look - least) / (most - least)
        } else {
            *score
        };
        let rank = 1 + looks.iter().filter(|other| *other > look).count();
        *score = (1.0 - weight) * *score + weight * normalised;
        for leg in [&mut legs.lexical, &mut legs.dense].into_iter().flatten() {
            leg.weight *= 1.0 - weight;
        }
        legs.rerank = Some(Contribution { rank, score: *look, normalised, weight });
    }
}
