//! Fusion of two retrievers by normalised scores.
//!
//! Fusion compares the passages that either retriever lists among its best, each with its true
//! score from both, so no rank is missing. BM25 is divided by its maximum; its zero is a real zero
//! ("no term occurs"). A cosine has no such zero, so it is measured from the mean over the corpus,
//! which is the score of an unrelated passage, in units of the distance from there to 1, which is
//! the score of the question itself. This scale is the same for models whose cosines begin at 0.7.
//!
//! Each retriever can be blind. A model that does not know the script of a question reads nothing
//! of it, and the dense retriever gets no weight. One that does not know its language gives the
//! passages that share its words cosines like any other; then the dense retriever gets less weight,
//! down to none. An index that knows few of the question's words (a question in another language)
//! gives the lexical retriever less.
//!
//! The constants are chosen by `scripts/bench fusion`, which prints every collection with each rule
//! switched off, and what is chosen when a collection is left out.

use crate::document::{Contribution, Contributions, Rank};
use crate::vector::Spread;

/// The passages that a retriever lists among its best, with the scores of both retrievers. `None`
/// is a retriever that did not run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Candidates {
    pub ordinals: Vec<u32>,
    pub lexical: Option<Lexical>,
    pub dense: Option<Dense>,
}

/// What fusion knows of the lexical retriever.
#[derive(Clone, Debug, PartialEq)]
pub struct Lexical {
    /// BM25 by candidate, 0 where none of the query's terms occurs. The best passages of the corpus
    /// are candidates.
    pub scores: Vec<f32>,
    pub head: Head,
    /// The best score in the corpus, without the gain of a name.
    pub best: f32,
    /// Share of the query's terms that occur in the corpus, by their weight and rarity.
    pub known: f32,
}

/// What fusion knows of the dense retriever.
#[derive(Clone, Debug, PartialEq)]
pub struct Dense {
    /// By candidate. The nearest passage of the corpus is a candidate.
    pub cosines: Vec<f32>,
    pub head: Head,
    /// Of the cosines of the corpus.
    pub spread: Spread,
    /// Share of the query's letters in scripts that the model knows.
    pub known: f32,
}

/// The part of a retriever's ranking that the candidates include completely.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Head {
    /// Passages in it, at least.
    pub n: usize,
    /// Every passage with at least this score is in it; negative infinity when all are.
    pub least: f32,
}

/// How much each retriever counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fusion {
    /// Share of the dense retriever in 0..=1 when both are equally sure.
    pub dense_weight: f64,
}

/// One chunk in a ranking.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fused {
    pub ordinal: u32,
    pub score: f64,
    pub contributions: Contributions,
}

/// The cosine of an unrelated passage, from what the dense retriever contributed to any passage.
#[must_use]
pub fn zero(dense: &Contribution) -> f64 {
    // The inverse of `Normalised::scaled`.
    let share = SURE * dense.normalised;
    if share < 1.0 { (dense.score - share) / (1.0 - share) } else { 0.0 }
}

/// The best `depth` candidates, best first, and every one with the score of the last of them. The
/// caller breaks ties by path, which this room does not know.
pub fn fuse(candidates: &Candidates, fusion: Fusion, depth: usize) -> Vec<Fused> {
    let dense = candidates.dense.as_ref().map(Normalised::dense);
    let lexical = candidates.lexical.as_ref().map(Normalised::lexical);
    let (lexical_weight, dense_weight) = weights(candidates, fusion);
    let lexical = lexical.map(|retriever| Weighted { retriever, weight: lexical_weight });
    let dense = dense.map(|retriever| Weighted { retriever, weight: dense_weight });
    let mut ranking: Vec<Fused> = Vec::new();
    for (i, ordinal) in candidates.ordinals.iter().enumerate() {
        let contributions = Contributions {
            lexical: lexical.as_ref().and_then(|lexical| lexical.contribution(i)),
            dense: dense.as_ref().and_then(|dense| dense.contribution(i)),
            rerank: None,
        };
        let parts = [contributions.lexical, contributions.dense];
        if parts == [None; 2] {
            continue;
        }
        let score = parts.iter().flatten().map(|part| part.normalised * part.weight).sum();
        ranking.push(Fused { ordinal: *ordinal, score, contributions });
    }
    keep_best(&mut ranking, depth);
    ranking
}

/// The weights of the lexical and the dense retriever. A retriever alone has all the weight, and so
/// has the dense one where no term occurs.
fn weights(candidates: &Candidates, Fusion { dense_weight }: Fusion) -> (f64, f64) {
    match (&candidates.lexical, &candidates.dense) {
        (Some(lexical), Some(dense)) if lexical.best > 0.0 => {
            let known = (f64::from(lexical.known) / ENOUGH_KNOWN).min(1.0).powi(2);
            // Where the index knows few of the words, its best passages prove nothing.
            let trust = 1.0 - known * (1.0 - trust(lexical, dense));
            ((1.0 - dense_weight) * known, dense_weight * trust * f64::from(dense.known))
        }
        (Some(_), None) => (1.0, 0.0),
        _ => (0.0, 1.0),
    }
}

/// How far the dense retriever sees what the lexical one found, in 0..=1: the mean cosine of the
/// best lexical passages, in deviations above that of the corpus.
fn trust(lexical: &Lexical, dense: &Dense) -> f64 {
    let Background { zero, deviation } = Background::of(dense.spread);
    let agreement = (best_cosine(&lexical.scores, &dense.cosines) - zero) / deviation;
    let trust = (agreement / SURE_AGREEMENT).clamp(0.0, 1.0);
    // The deviations of few passages prove nothing, and the retriever gets half of its weight.
    let n = dense.spread.n as f64;
    (trust * n + 0.5 * 2.0 * PRIOR_CHUNKS) / (n + 2.0 * PRIOR_CHUNKS)
}

/// Mean cosine of the passages with the best lexical scores. Those that share the last place share
/// what room there is, so that the order of the passages does not matter.
fn best_cosine(scores: &[f32], cosines: &[f32]) -> f64 {
    let mut found: Vec<(f32, f32)> = scores.iter().copied().zip(cosines.iter().copied()).collect();
    found.retain(|(score, cosine)| *score > 0.0 && !cosine.is_nan());
    found.sort_unstable_by(|(a, x), (b, y)| b.total_cmp(a).then(y.total_cmp(x)));
    let Some((least, _)) = found.get(AGREEING.min(found.len()).saturating_sub(1)).copied() else {
        return 0.0;
    };
    let n_above = found.partition_point(|(score, _)| *score > least);
    let n_level = found.partition_point(|(score, _)| *score >= least) - n_above;
    let sum = |part: &[(f32, f32)]| part.iter().map(|(_, cosine)| f64::from(*cosine)).sum::<f64>();
    let (above, rest) = found.split_at(n_above);
    let level = rest.split_at(n_level).0;
    let n = AGREEING.min(found.len());
    (sum(above) + sum(level) / n_level as f64 * (n - n_above) as f64) / n as f64
}

/// Sorts by descending score and cuts after `depth`, but never between equal scores.
fn keep_best(ranking: &mut Vec<Fused>, depth: usize) {
    let order = |a: &Fused, b: &Fused| b.score.total_cmp(&a.score).then(a.ordinal.cmp(&b.ordinal));
    ranking.sort_unstable_by(order);
    let least = depth.checked_sub(1).and_then(|last| ranking.get(last)).map(|last| last.score);
    let keeps = |fused: &Fused| least.is_none_or(|least| fused.score >= least);
    let n = if depth == 0 { 0 } else { ranking.partition_point(keeps) };
    ranking.truncate(n);
}

/// The scores of one retriever with their scale.
struct Normalised<'a> {
    raw: &'a [f32],
    /// In ascending order.
    sorted: Vec<f32>,
    head: Head,
    zero: f64,
    span: f64,
    is_lexical: bool,
}

/// A retriever with its weight.
struct Weighted<'a> {
    retriever: Normalised<'a>,
    weight: f64,
}

/// A cosine this far from the mean towards 1 counts as much as the best BM25 score. The best
/// passages of `XQuAD`'s English questions are at 0.58 (median). With it, 0.6 of the weight and the
/// next constants, nDCG@10 is 0.7415 on `SciFact`'s 809 training claims (lexical 0.695, dense
/// 0.681; 0.739 with cosines in deviations). The mean of seven collections, also with each left
/// out, is 0.002 higher at 0.6, and Chinese `XQuAD` 0.007 lower.
const SURE: f64 = 0.7;

/// Passages whose cosines show whether the dense retriever sees what the lexical one found. Of 3, 5
/// and 10, 5 is best over all collections.
const AGREEING: usize = 5;

/// The dense retriever gets all of its weight where these passages are so many deviations above the
/// mean. Chinese `XQuAD` questions under an English model are at 1.1 (median), English ones at 2.8,
/// those of CISI, CACM and two books at 2.0 to 4.6.
///
/// nDCG@10 with and without this rule, and with the lead of the best cosine as the measure: CISI
/// 0.460, 0.460, 0.424; CACM 0.578, 0.572, 0.571; Chinese `XQuAD` 0.957, 0.915, 0.958.
const SURE_AGREEMENT: f64 = 2.0;

/// The lexical retriever gets all of its weight where the index knows this share of the words, and
/// less with the square of the share below it. What a question shares with texts in another
/// language is numbers and names, which occur in passages about something else, too.
///
/// nDCG@10 of English questions over Chinese paragraphs (`XQuAD`, multilingual-e5-small; dense
/// alone 0.846, lexical 0.134) by the power of the share: 1 0.738, 2 0.830, 3 0.841. The second
/// changes no collection by more than 0.0004. Without a limit (weight by the share alone) it is
/// 0.821, and CACM's 0.576 becomes 0.572.
const ENOUGH_KNOWN: f64 = 0.5;

/// Weight, in chunks, of the assumption that an unrelated passage has the cosine 0 ± 0.1. It only
/// matters for an index of a few dozen chunks, whose mean and deviation say little.
const PRIOR_CHUNKS: f64 = 20.0;
const PRIOR_VARIANCE: f64 = 0.01;

/// The cosines of unrelated passages.
struct Background {
    zero: f64,
    deviation: f64,
}

impl Background {
    fn of(Spread { n, mean, variance }: Spread) -> Self {
        let n = n as f64;
        let deviation =
            ((n * variance + PRIOR_CHUNKS * PRIOR_VARIANCE) / (n + PRIOR_CHUNKS)).sqrt();
        Self { zero: n * mean / (n + PRIOR_CHUNKS), deviation }
    }
}

impl<'a> Normalised<'a> {
    fn lexical(lexical: &'a Lexical) -> Self {
        let raw = lexical.scores.as_slice();
        let (sorted, span) = (sorted(raw), f64::from(lexical.best));
        Self { raw, sorted, head: lexical.head, zero: 0.0, span, is_lexical: true }
    }

    fn dense(dense: &'a Dense) -> Self {
        let raw = dense.cosines.as_slice();
        let zero = Background::of(dense.spread).zero;
        let span = SURE * (1.0 - zero);
        Self { raw, sorted: sorted(raw), head: dense.head, zero, span, is_lexical: false }
    }

    fn is_match(&self, score: f32) -> bool {
        if self.is_lexical { score > 0.0 } else { !score.is_nan() }
    }

    /// A score on the common scale: about 1 for a passage that answers, 0 for the background;
    /// `None` for a chunk that does not match.
    fn scaled(&self, score: f32) -> Option<f64> {
        if !self.is_match(score) {
            return None;
        }
        Some(if self.span > 0.0 { (f64::from(score) - self.zero) / self.span } else { 0.0 })
    }

    /// Equal scores share the better rank.
    fn rank(&self, score: f32) -> Rank {
        if score < self.head.least {
            return Rank::Beyond(self.head.n);
        }
        let above = self.sorted.len() - self.sorted.partition_point(|other| *other <= score);
        Rank::At(1 + above)
    }
}

impl Weighted<'_> {
    /// The contribution to the `i`-th candidate.
    fn contribution(&self, i: usize) -> Option<Contribution> {
        let (retriever, score) = (&self.retriever, *self.retriever.raw.get(i)?);
        let normalised = retriever.scaled(score)?;
        let rank = retriever.rank(score);
        Some(Contribution { rank, score: f64::from(score), normalised, weight: self.weight })
    }
}

/// The scores that are not NaN, in ascending order.
fn sorted(scores: &[f32]) -> Vec<f32> {
    let mut sorted: Vec<f32> = scores.iter().copied().filter(|score| !score.is_nan()).collect();
    sorted.sort_unstable_by(f32::total_cmp);
    sorted
}
