//! Fusing the two legs by normalised scores.
//!
//! Both legs score every chunk, so a chunk that only one leg would have listed still gets the other's true score:
//! there are no missing ranks to invent. BM25 is divided by its maximum, its zero being a real zero ("no term
//! occurs"). A cosine has no such zero; its is the mean over the corpus, which is what an unrelated passage gets.

use crate::document::{Leg, Legs};

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
    pub legs: Legs,
}

/// The best `depth` chunks, best first, and every chunk that ties with the last of them.
///
/// `lexical[i]` is 0 where chunk `i` does not match; `dense[i]` is NaN where it is deleted or filtered out. An absent
/// leg does not take part. The caller breaks ties, which it can by path and this room cannot.
pub fn fuse(lexical: Option<&[f32]>, dense: Option<&[f32]>, fusion: Fusion, depth: usize) -> Vec<Fused> {
    let lexical = lexical.map(|scores| Normalised::lexical(scores));
    let dense = dense.map(|scores| Normalised::dense(scores));
    let n = lexical.as_ref().or(dense.as_ref()).map_or(0, |leg| leg.raw.len());
    let (lexical_weight, dense_weight) = match (&lexical, &dense) {
        (Some(lexical), Some(dense)) => weights(lexical, dense, fusion),
        (lexical, _) => if lexical.is_some() { (1.0, 0.0) } else { (0.0, 1.0) },
    };
    let term = |leg: &Option<Normalised<'_>>, i: usize, weight: f64| {
        leg.as_ref().and_then(|leg| leg.at(i)).map_or(0.0, |x| x * weight)
    };
    let mut ranking: Vec<(u32, f64)> = (0..n)
        .filter(|i| match (&lexical, &dense) {
            (_, Some(dense)) => !dense.raw[*i].is_nan(),
            (Some(lexical), None) => lexical.raw[*i] > 0.0,
            (None, None) => false,
        })
        .map(|i| (i as u32, term(&lexical, i, lexical_weight) + term(&dense, i, dense_weight)))
        .collect();
    keep_best(&mut ranking, depth);

    let leg = |leg: &Option<Normalised<'_>>, i: usize, weight: f64| {
        let leg = leg.as_ref()?;
        let normalised = leg.at(i)?;
        Some(Leg { rank: leg.rank(i), score: f64::from(leg.raw[i]), normalised, weight })
    };
    ranking
        .into_iter()
        .map(|(ordinal, score)| {
            let i = ordinal as usize;
            let legs = Legs { lexical: leg(&lexical, i, lexical_weight), dense: leg(&dense, i, dense_weight) };
            Fused { ordinal, score, legs }
        })
        .collect()
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
    /// Largest score in standard deviations above the mean, over the scores that say something.
    sureness: f64,
    is_match: fn(f32) -> bool,
}

impl<'a> Normalised<'a> {
    fn lexical(raw: &'a [f32]) -> Self {
        let is_match: fn(f32) -> bool = |score| score > 0.0;
        let max = raw.iter().copied().fold(0.0f32, f32::max);
        Self { raw, zero: 0.0, span: f64::from(max), sureness: f64::INFINITY, is_match }
    }

    fn dense(raw: &'a [f32]) -> Self {
        let is_match: fn(f32) -> bool = |score| !score.is_nan();
        let (mut n, mut sum, mut squares, mut max) = (0.0f64, 0.0f64, 0.0f64, f64::NEG_INFINITY);
        for score in raw.iter().filter(|score| !score.is_nan()).map(|score| f64::from(*score)) {
            n += 1.0;
            sum += score;
            squares += score * score;
            max = max.max(score);
        }
        let mean = sum / f64::max(n, 1.0);
        let deviation = (squares / f64::max(n, 1.0) - mean * mean).max(0.0).sqrt();
        let sureness = if deviation > 0.0 { (max - mean) / deviation } else { f64::INFINITY };
        // A handful of chunks has no background to speak of: the scale then begins at "orthogonal".
        let zero = if n >= 20.0 { mean } else { 0.0f64.min(mean) };
        Self { raw, zero, span: max - zero, sureness, is_match }
    }

    /// Score on the leg's scale: 1 for its best chunk, 0 for no match or for the background.
    fn at(&self, i: usize) -> Option<f64> {
        let score = self.raw[i];
        if !(self.is_match)(score) {
            return None;
        }
        Some(if self.span > 0.0 { (f64::from(score) - self.zero) / self.span } else { 0.0 })
    }

    /// 1-based rank within the leg; equals share the better rank.
    fn rank(&self, i: usize) -> usize {
        1 + self.raw.iter().filter(|score| **score > self.raw[i]).count()
    }
}

/// The legs' weights, adding up to 1.
fn weights(lexical: &Normalised<'_>, dense: &Normalised<'_>, fusion: Fusion) -> (f64, f64) {
    let dense_weight = if lexical.span <= 0.0 { 1.0 } else { fusion.dense_weight * trust(dense.sureness) };
    (1.0 - dense_weight, dense_weight)
}

/// How far a dense leg is to be trusted, from how far its best score stands out from the rest.
fn trust(_sureness: f64) -> f64 {
    1.0
}
