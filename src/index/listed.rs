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
        let mut listing = Listing::new(wanted);
        scores.for_each(|(ordinal, score)| listing.add(ordinal, score));
        listing.end()
    }

    /// As [`Listed::best_of`], of the positive ones among the scores by ordinal. Most groups of
    /// ordinals have none that is good enough, which their best shows.
    pub fn best_positive(scores: &[f32], wanted: usize) -> Self {
        let mut listing = Listing::new(wanted);
        for (n, group) in scores.chunks(GROUP).enumerate() {
            let most = greatest(group);
            if most <= 0.0 {
                continue;
            }
            if most < listing.least {
                listing.is_complete = false;
                continue;
            }
            let ordinals = (n * GROUP) as u32..;
            for (ordinal, score) in ordinals.zip(group).filter(|(_, score)| **score > 0.0) {
                listing.add(ordinal, *score);
            }
        }
        listing.end()
    }

    /// The least score that is certainly listed wherever it occurs.
    pub fn least(&self) -> f32 {
        let last = self.best.last().map_or(f32::INFINITY, |(_, score)| *score);
        if self.is_complete { f32::NEG_INFINITY } else { last }
    }
}

/// Ordinals whose best is compared first.
const GROUP: usize = 64;

/// The greatest of `scores`, and at least 0. Written so that it is compiled to vector instructions,
/// unlike `f32::max`, which gives NaN a meaning.
pub fn greatest(scores: &[f32]) -> f32 {
    let (lanes, rest) = scores.as_chunks::<16>();
    let mut most = [0.0f32; 16];
    for lane in lanes {
        for (most, score) in most.iter_mut().zip(lane) {
            *most = if *score > *most { *score } else { *most };
        }
    }
    most.iter().chain(rest).copied().fold(0.0, f32::max)
}

/// A [`Listed`] in the making.
struct Listing {
    best: Vec<(u32, f32)>,
    is_complete: bool,
    /// Nothing below this is listed.
    least: f32,
    wanted: usize,
    /// Entries that make it worth raising `least`.
    limit: usize,
}

impl Listing {
    fn new(wanted: usize) -> Self {
        let limit = wanted.saturating_mul(4);
        Self { best: Vec::new(), is_complete: true, least: f32::NEG_INFINITY, wanted, limit }
    }

    fn add(&mut self, ordinal: u32, score: f32) {
        if score < self.least {
            self.is_complete = false;
            return;
        }
        self.best.push((ordinal, score));
        if self.best.len() > self.limit {
            self.is_complete &= !keep_best(&mut self.best, self.wanted);
            self.least = self.best.last().map_or(self.least, |(_, score)| *score);
            self.limit = self.wanted.saturating_mul(4).max(2 * self.best.len());
        }
    }

    fn end(mut self) -> Listed {
        self.is_complete &= !keep_best(&mut self.best, self.wanted);
        Listed { best: self.best, is_complete: self.is_complete }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Groups without good scores change nothing, wherever the best are and however many are equal.
    #[test]
    fn positive_scores_are_listed_as_one_by_one() {
        let mut random = fastrand::Rng::with_seed(1);
        for n in [0, 1, 15, 63, 64, 65, 1000, 5000] {
            for values in [2, 50, 100_000] {
                let draw = |_| if random.bool() { random.u32(..values) as f32 } else { 0.0 };
                let scores: Vec<f32> = (0..n).map(draw).collect();
                let positive = || (0..).zip(scores.iter().copied()).filter(|(_, s)| *s > 0.0);
                for wanted in [0, 1, 7, 200, usize::MAX] {
                    let expected = Listed::best_of(positive(), wanted);
                    assert_eq!(Listed::best_positive(&scores, wanted), expected, "{n}, {wanted}");
                }
                let most = scores.iter().copied().fold(0.0, f32::max);
                assert_eq!(greatest(&scores), most);
            }
        }
    }
}
