//! A comparison: a row for each thing compared, and before them a sentence that sets the things
//! against each other, where there is one.

use crate::analysis::Kind;

use super::evidence::Evidence;
use super::extractive::Wish;
use super::intent::{AnswerType, Intent};
use super::question::Question;
use super::render::{Quote, Section};
use super::score::{self, Candidate};
use super::support::Strength;
use super::{Options, Tools, parts};

/// Share of a thing's name that a sentence about it has.
const ABOUT: f64 = 0.6;

/// What sets things against each other.
const CONTRASTS: &[&str] = &[
    "while",
    "whereas",
    "unlike",
    "differ",
    "instead",
    "in contrast",
    "rather than",
    "on the other hand",
    "compared",
    "than",
    "but",
    "während",
    "anders als",
    "tandis que",
    "mientras",
    "而",
    "不同",
    "一方",
];

/// The rows, and what stands before them; `None` when the question names no things or one of them
/// is not told of.
pub(super) fn sections(
    question: &str,
    evidence: &[Evidence],
    tools: &Tools<'_>,
    options: &Options,
) -> Option<Vec<Section>> {
    let things = parts::things(question);
    if things.is_empty() {
        return None;
    }
    let told: Vec<Vec<Candidate>> =
        things.iter().map(|thing| about(thing, evidence, tools)).collect::<Option<_>>()?;
    let n_sentences = told[0].len();
    // The candidates of every thing are the same sentences in the same order.
    let has = |thing: usize, at: usize| told[thing][at].features.coverage >= ABOUT;
    let can_stand = |at: usize| {
        let candidate = &told[0][at];
        candidate.features.is_odd == 0.0
            && matches!(candidate.kind, Kind::Sentence | Kind::Item { .. } | Kind::Row)
    };
    let mut chosen: Vec<usize> = Vec::new();
    let mut rows = Vec::new();
    for thing in 0..things.len() {
        let own_share = |at: usize| {
            let others = (0..things.len()).filter(|&other| other != thing);
            let shared = others.map(|other| told[other][at].features.coverage).fold(0.0, f64::max);
            told[thing][at].score - shared
        };
        let best = (0..n_sentences)
            .filter(|&at| can_stand(at) && has(thing, at) && !chosen.contains(&at))
            .max_by(|&a, &b| own_share(a).total_cmp(&own_share(b)).then(b.cmp(&a)))?;
        chosen.push(best);
        rows.push(Section {
            label: Some(things[thing].clone()),
            quotes: vec![Quote::of(&told[thing], best)],
        });
    }
    let n_words: usize = chosen.iter().map(|&at| told[0][at].n_words).sum();
    let contrast = (0..n_sentences)
        .filter(|&at| {
            let candidate = &told[0][at];
            let lower = candidate.text.to_lowercase();
            can_stand(at)
                && !chosen.contains(&at)
                && !score::leans(&candidate.text)
                && candidate.n_words + n_words <= options.max_words
                && (0..things.len()).all(|thing| has(thing, at))
                && CONTRASTS.iter().any(|word| lower.contains(word))
        })
        .max_by(|&a, &b| {
            let score = |at: usize| told.iter().map(|candidates| candidates[at].score).sum::<f64>();
            score(a).total_cmp(&score(b)).then(b.cmp(&a))
        });
    let before = contrast.map(|at| Section { label: None, quotes: vec![Quote::of(&told[0], at)] });
    Some(before.into_iter().chain(rows).collect())
}

/// Every sentence of the evidence, scored as an answer to what the thing is; `None` when the
/// evidence does not support one.
fn about(thing: &str, evidence: &[Evidence], tools: &Tools<'_>) -> Option<Vec<Candidate>> {
    let asked = Question::new(thing, "", tools);
    let wish = Wish { intent: Intent::Definition, wanted: AnswerType::Anything, wants_code: false };
    let mut candidates = score::candidates(&asked, &wish, evidence);
    candidates
        .iter_mut()
        .for_each(|candidate| candidate.score = candidate.features.score(wish.intent));
    (Strength::of(thing, wish.wanted, &asked, &candidates, evidence.iter()).margin() > 0.0)
        .then_some(candidates)
}
