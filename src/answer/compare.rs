//! A comparison: a row for each thing compared, after a sentence that contrasts them, if there is
//! one.

use super::evidence::Evidence;
use super::intent::{AnswerType, Intent};
use super::options::{Options, Tools};
use super::parts;
use super::question::Question;
use super::render::{Quote, Section};
use super::score::{self, Candidate};
use super::spec::AnswerSpec;
use super::support::Strength;
use crate::document::UnitKind;

/// Least share of a thing's name in a sentence about it. Set by hand.
const MIN_COVERAGE: f64 = 0.6;

/// Words that contrast.
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

/// The rows and the contrast before them; `None` when the question names no things to compare, or
/// when the evidence does not support an answer about one of them.
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
    let by_thing =
        things.iter().map(|thing| about(thing, evidence, tools)).collect::<Option<_>>()?;
    let comparison = Comparison { by_thing };
    let mut chosen: Vec<usize> = Vec::new();
    let mut rows = Vec::new();
    for (thing, name) in things.iter().enumerate() {
        let best = comparison.row(thing, &chosen)?;
        chosen.push(best);
        let quotes = vec![Quote::of(&comparison.by_thing[thing], best)];
        rows.push(Section { label: Some(name.clone()), quotes });
    }
    let contrast = comparison.contrast(&chosen, options.max_words);
    let contrast = contrast
        .map(|at| Section { label: None, quotes: vec![Quote::of(&comparison.by_thing[0], at)] });
    Some(contrast.into_iter().chain(rows).collect())
}

/// For every thing the same sentences in the same order, scored as an answer to what the thing is.
struct Comparison {
    by_thing: Vec<Vec<Candidate>>,
}

impl Comparison {
    /// The sentence that says most about one thing and least about the others.
    fn row(&self, thing: usize, chosen: &[usize]) -> Option<usize> {
        let sentences = 0..self.by_thing[thing].len();
        sentences
            .filter(|&at| self.is_quotable(at) && self.is_about(thing, at) && !chosen.contains(&at))
            .max_by(|&a, &b| {
                self.own_score(thing, a).total_cmp(&self.own_score(thing, b)).then(b.cmp(&a))
            })
    }

    /// The best sentence about all things that contrasts them and leaves room for the rows.
    fn contrast(&self, rows: &[usize], max_words: usize) -> Option<usize> {
        let sentences = &self.by_thing[0];
        let n_words: usize = rows.iter().map(|&at| sentences[at].n_words).sum();
        let is_contrast = |at: usize| {
            let candidate = &sentences[at];
            let lower = candidate.text.to_lowercase();
            self.is_quotable(at)
                && !rows.contains(&at)
                && !score::is_dependent(&candidate.text)
                && candidate.n_words + n_words <= max_words
                && (0..self.by_thing.len()).all(|thing| self.is_about(thing, at))
                && CONTRASTS.iter().any(|word| lower.contains(word))
        };
        let score =
            |at: usize| self.by_thing.iter().map(|candidates| candidates[at].score).sum::<f64>();
        (0..sentences.len())
            .filter(|&at| is_contrast(at))
            .max_by(|&a, &b| score(a).total_cmp(&score(b)).then(b.cmp(&a)))
    }

    fn is_about(&self, thing: usize, at: usize) -> bool {
        self.by_thing[thing][at].features.coverage >= MIN_COVERAGE
    }

    fn is_quotable(&self, at: usize) -> bool {
        let candidate = &self.by_thing[0][at];
        candidate.features.oddness == 0.0
            && matches!(
                candidate.kind,
                UnitKind::Sentence | UnitKind::Item { .. } | UnitKind::Row | UnitKind::Record
            )
    }

    /// The score of a sentence for one thing, less what it says about another.
    fn own_score(&self, thing: usize, at: usize) -> f64 {
        let others = (0..self.by_thing.len()).filter(|&other| other != thing);
        let shared =
            others.map(|other| self.by_thing[other][at].features.coverage).fold(0.0, f64::max);
        self.by_thing[thing][at].score - shared
    }
}

/// Every sentence of the evidence, scored as an answer to what the thing is; `None` when the
/// evidence does not support one.
fn about(thing: &str, evidence: &[Evidence], tools: &Tools<'_>) -> Option<Vec<Candidate>> {
    let question = Question::new(thing, "", tools);
    let spec = AnswerSpec {
        intent: Intent::Definition,
        answer_type: AnswerType::Anything,
        wants_code: false,
    };
    let mut candidates = score::candidates(&question, &spec, evidence);
    for candidate in &mut candidates {
        candidate.score = candidate.features.score(spec.intent);
    }
    let strength = Strength::of(thing, spec.answer_type, &question, &candidates, evidence.iter());
    (strength.margin() > 0.0).then_some(candidates)
}
