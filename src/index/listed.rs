//! The beginning of a retriever's ranking.

use std::cmp::Ordering;

/// The best passages of one retriever, best first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listed {
    /// Ordinals and scores. No tie is cut, because ordinals depend on the history of the index.
    pub best: Vec<(u32, f32)>,
    /// No other passage matches.
    pub is_complete: bool,
}

impl Listed {
    /// The best `wanted` of `scores`, and all with the score of the last of them.
    pub fn best_of(scores: impl Iterator<Item = (u32, f32)>, wanted: usize) -> Self {
        let room = wanted.saturating_mul(4);
        let (mut best, mut least, mut is_complete) = (Vec::new(), f32::NEG_INFINITY, true);
        let mut limit = room;
        for (ordinal, score) in scores {
            if score < least {
                is_complete = false;
                continue;
            }
            best.push((ordinal, score));
            if best.len() > limit {
                is_complete &= !keep_best(&mut best, wanted);
                least = best.last().map_or(least, |(_, score)| *score);
                limit = room.max(2 * best.len());
            }
        }
        is_complete &= !keep_best(&mut best, wanted);
        Self { best, is_complete }
    }

    /// The least score that is certainly listed wherever it occurs.
    pub fn least(&self) -> f32 {
        let last = self.best.last().map_or(f32::INFINITY, |(_, score)| *score);
        if self.is_complete { f32::NEG_INFINITY } else { last }
    }
}

/// Sorts by descending score and cuts after `wanted`, but never between equal scores. Returns
/// whether it cut anything.
fn keep_best(best: &mut Vec<(u32, f32)>, wanted: usize) -> bool {
    let order =
        |a: &(u32, f32), b: &(u32, f32)| -> Ordering { b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)) };
    let n = best.len();
    if wanted == 0 {
        best.clear();
    } else if n > wanted {
        let (_, last, _) = best.select_nth_unstable_by(wanted - 1, order);
        let least = last.1;
        best.retain(|(_, score)| *score >= least);
    }
    best.sort_unstable_by(order);
    best.len() < n
}
