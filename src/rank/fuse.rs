//! Fusing the two legs by normalised scores.
//!
//! Both legs score every chunk, so a chunk that only one leg would have listed still gets the
//! other's true score: there are no missing ranks to invent. BM25 is divided by its maximum, its
//! zero being a real zero ("no term occurs"). A cosine has no such zero; its is the mean over the
//! corpus, which is what an unrelated passage gets, and its unit is the spread around that mean. A
//! dense leg whose best passage hardly stands out from the rest (an English model on Chinese text)
//! is trusted less, down to not at all, whatever its configured weight.
//!
//! nDCG@10, measured: 0.738 on 809 claims over abstracts (0.693 lexical, 0.684 dense; min-max over
//! the best 100 of each leg 0.729, reciprocal ranks 0.72), 0.979 on English and 0.957 on Chinese
//! questions over paragraphs, where the same weights without trust give 0.88.

use crate::document::{Contribution, Contributions};

/// How much each leg counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fusion {
    /// Share of the dense leg in 0..=1 when both legs are equally sure.
    pub dense_weight: f64,
}

/// One chunk in a ranking.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fused {
    pub ordinal: u32,
    pub score: f64,
    pub contributions: Contributions,
}

/// The best `depth` chunks, best first, and every chunk that ties with the last of them.
///
/// `lexical[i]` is 0 where chunk `i` does not match; `dense[i]` is NaN where it is deleted or
/// filtered out. An absent leg does not take part. The caller breaks ties, which it can by path and
/// this room cannot.
pub fn fuse(
    lexical: Option<&[f32]>,
    dense: Option<&[f32]>,
    fusion: Fusion,
    depth: usize,
) -> Vec<Fused> {
    let lexical = lexical.map(Normalised::lexical);
    let dense = dense.map(Normalised::dense);
    let (lexical_weight, dense_weight) = match (&lexical, &dense) {
        (Some(lexical), Some(dense)) if lexical.span > 0.0 => {
            (1.0 - fusion.dense_weight, fusion.dense_weight * dense.trust)
        }
        (Some(_), None) => (1.0, 0.0),
        _ => (0.0, 1.0),
    };
    let ranking = match (&lexical, &dense) {
        (Some(lexical), Some(dense)) => {
            let pairs = lexical.raw.iter().zip(dense.raw);
            let (by_words, by_meaning) = (lexical.rough(lexical_weight), dense.rough(dense_weight));
            // A word's zero is zero.
            let most = by_words.error + by_meaning.error + by_meaning.offset;
            let lies_below = |(bm25, cosine): (&f32, &f32), least: f32| {
                bm25 * by_words.slope + cosine * by_meaning.slope + most < least
            };
            let score = |(bm25, cosine): (&f32, &f32)| {
                let score =
                    || lexical.share(*bm25, lexical_weight) + dense.share(*cosine, dense_weight);
                (!cosine.is_nan()).then(score)
            };
            best(pairs, lies_below, score, depth)
        }
        // A leg alone has all the weight.
        (Some(leg), None) | (None, Some(leg)) => {
            best(leg.raw.iter(), |_, _| false, |score| leg.scaled(*score), depth)
        }
        (None, None) => Vec::new(),
    };

    let legs_of = |leg: &Option<Normalised<'_>>, weight: f64| match leg {
        Some(leg) => leg.explained(&ranking, weight),
        None => vec![None; ranking.len()],
    };
    let legs = legs_of(&lexical, lexical_weight).into_iter().zip(legs_of(&dense, dense_weight));
    let legs: Vec<Contributions> =
        legs.map(|(lexical, dense)| Contributions { lexical, dense, rerank: None }).collect();
    let fused = ranking.into_iter().zip(legs);
    fused.map(|((ordinal, score), legs)| Fused { ordinal, score, contributions: legs }).collect()
}

/// The best `depth` and all that tie with the last of them, best first; `score` is `None` for what
/// is no match, and not asked where an item `lies_below` the least of the best so far, as nearly
/// all do.
fn best<T: Copy>(
    items: impl Iterator<Item = T>,
    lies_below: impl Fn(T, f32) -> bool,
    score: impl Fn(T) -> Option<f64>,
    depth: usize,
) -> Vec<(u32, f64)> {
    let (mut found, mut least, mut room) = (Vec::new(), f64::NEG_INFINITY, depth.saturating_mul(4));
    for (ordinal, item) in (0..).zip(items) {
        if lies_below(item, least as f32) {
            continue;
        }
        let Some(score) = score(item).filter(|score| *score >= least) else { continue };
        found.push((ordinal, score));
        if found.len() > room {
            keep_best(&mut found, depth);
            least = found.last().map_or(least, |(_, score)| *score);
            room = room.max(2 * found.len());
        }
    }
    keep_best(&mut found, depth);
    found
}

/// Sorts by falling score and cuts after `depth`, but never between equals.
fn keep_best(ranking: &mut Vec<(u32, f64)>, depth: usize) {
    let order = |a: &(u32, f64), b: &(u32, f64)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    if depth == 0 || ranking.is_empty() {
        return ranking.clear();
    }
    if ranking.len() > depth {
        let (_, last, _) = ranking.select_nth_unstable_by(depth - 1, order);
        let least = last.1;
        ranking.retain(|(_, score)| *score >= least);
    }
    ranking.sort_unstable_by(order);
}

/// One leg with its scale.
struct Normalised<'a> {
    raw: &'a [f32],
    zero: f64,
    span: f64,
    /// The largest magnitude of a score.
    largest: f64,
    /// How much of its weight the leg deserves, in 0..=1.
    trust: f64,
    is_lexical: bool,
}

/// The straight line that [`Normalised::share`] is, in less than its precision and without its
/// division.
struct Rough {
    slope: f32,
    offset: f32,
    /// It is nearer than this.
    error: f32,
}

/// A cosine this many standard deviations above the mean counts as much as the best BM25 score. It
/// is where the best passage of a question lies that the model understands (median over 809 claims
/// 5.2, over 1,190 questions 5.7).
const SURE_DEVIATIONS: f64 = 5.0;

/// A best passage no further above the mean than this says nothing. Chinese questions under an
/// English model lie at 3.1 (median; 2.4 at the 5th percentile), answerable English ones above 3.5
/// (5th percentile).
const BLIND_DEVIATIONS: f64 = 2.0;

/// Weight, in chunks, of the assumption that an unrelated passage has the cosine 0 ± 0.1. It only
/// matters for an index of a few dozen chunks, whose mean and deviation say little.
const PRIOR_CHUNKS: f64 = 20.0;
const PRIOR_VARIANCE: f64 = 0.01;

impl<'a> Normalised<'a> {
    fn lexical(raw: &'a [f32]) -> Self {
        let max = raw.iter().copied().fold(0.0f32, f32::max);
        Self {
            raw,
            zero: 0.0,
            span: f64::from(max),
            largest: f64::from(max),
            trust: 1.0,
            is_lexical: true,
        }
    }

    fn dense(raw: &'a [f32]) -> Self {
        /// Sums are of whole multiples of 2⁻⁴⁰, so that they do not depend on the order of the
        /// chunks, which is the order of an index's history.
        const ONE: f64 = (1u64 << 40) as f64;
        const LARGEST: f64 = 1024.0;
        let (mut n, mut sum, mut squares) = (0.0f64, 0i128, 0i128);
        let (mut max, mut min) = (f64::NEG_INFINITY, f64::INFINITY);
        for score in raw.iter().filter(|score| !score.is_nan()).map(|score| f64::from(*score)) {
            // Fewer than 2⁵¹.
            let steps = score.clamp(-LARGEST, LARGEST) * ONE;
            // Rounded: a cast cuts off, and `f64::round` is a call into the C library.
            let steps = (steps + 0.5f64.copysign(steps)) as i64;
            n += 1.0;
            sum += i128::from(steps);
            squares += i128::from(steps) * i128::from(steps);
            (max, min) =
                (if score > max { score } else { max }, if score < min { score } else { min });
        }
        let mean = sum as f64 / ONE / n.max(1.0);
        let variance = (squares as f64 / ONE / ONE / n.max(1.0) - mean * mean).max(0.0);
        let zero = n * mean / (n + PRIOR_CHUNKS);
        let deviation =
            ((n * variance + PRIOR_CHUNKS * PRIOR_VARIANCE) / (n + PRIOR_CHUNKS)).sqrt();
        let stands_out = (max - zero) / deviation;
        let seen = ((stands_out - BLIND_DEVIATIONS) / (SURE_DEVIATIONS - BLIND_DEVIATIONS))
            .clamp(0.0, 1.0);
        // No maximum of n numbers lies more than √(n-1) deviations above their mean, so few chunks
        // prove nothing either way, and the leg gets half of its weight.
        let trust = (seen * n + 0.5 * 2.0 * PRIOR_CHUNKS) / (n + 2.0 * PRIOR_CHUNKS);
        let largest = max.abs().max(min.abs());
        Self { raw, zero, span: SURE_DEVIATIONS * deviation, largest, trust, is_lexical: false }
    }

    fn is_match(&self, score: f32) -> bool {
        if self.is_lexical { score > 0.0 } else { !score.is_nan() }
    }

    /// A score on the leg's scale: about 1 for a passage that answers, 0 for the background; `None`
    /// for no match.
    fn scaled(&self, score: f32) -> Option<f64> {
        let scaled =
            || if self.span > 0.0 { (f64::from(score) - self.zero) / self.span } else { 0.0 };
        self.is_match(score).then(scaled)
    }

    /// What a score adds to that of its chunk.
    fn share(&self, score: f32, weight: f64) -> f64 {
        self.scaled(score).map_or(0.0, |scaled| scaled * weight)
    }

    /// Its shares, nearly.
    fn rough(&self, weight: f64) -> Rough {
        let slope = if self.span > 0.0 { weight / self.span } else { 0.0 };
        let offset = -self.zero * slope;
        // A hundred times what a few roundings to 24 bits come to.
        let error = 1e-5 * (slope * self.largest + offset.abs());
        Rough { slope: slope as f32, offset: offset as f32, error: error as f32 }
    }

    /// The leg's word on each ranked chunk. Ranks are 1-based and over the whole leg; equals share
    /// the better one.
    fn explained(&self, ranking: &[(u32, f64)], weight: f64) -> Vec<Option<Contribution>> {
        let mut wanted: Vec<f32> = ranking.iter().map(|(i, _)| self.raw[*i as usize]).collect();
        wanted.retain(|score| self.is_match(*score));
        wanted.sort_unstable_by(f32::total_cmp);
        wanted.dedup();
        // One pass for all: `above[j]` counts the scores that lie above `wanted[j]` and not above
        // `wanted[j + 1]`.
        let mut above = vec![0; wanted.len()];
        let least = wanted.first().copied().unwrap_or(f32::INFINITY);
        // Most lie below all of them. No comparison with NaN is true.
        for score in self.raw.iter().filter(|score| **score > least) {
            above[wanted.partition_point(|w| w < score) - 1] += 1;
        }
        for j in (1..above.len()).rev() {
            above[j - 1] += above[j];
        }
        let leg = |i: usize| {
            let score = self.raw[i];
            let rank = 1 + above.get(wanted.partition_point(|w| *w < score)).copied().unwrap_or(0);
            Some(Contribution {
                rank,
                score: f64::from(score),
                normalised: self.scaled(score)?,
                weight,
            })
        };
        ranking.iter().map(|(i, _)| leg(*i as usize)).collect()
    }
}
