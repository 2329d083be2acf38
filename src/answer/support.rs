//! Whether the evidence supports an answer at all, and how sure that is.

use super::features::{SupportFeatures, WindowFeatures, flag};
use super::intent::{AnswerType, asks_for_maker};
use super::options::Tools;
use super::question::Question;
use super::score::Candidate;
use super::spec::AnswerSpec;
use super::trees::{LEARNED, probability};
use super::window::{Measured, heaviest};
use crate::document::UnitKind;

/// Least share of the best unit's support in a unit that counts as near the best.
const NEAR: f64 = 0.7;

/// The chosen window among all.
pub(super) struct Choice<'a> {
    pub source: usize,
    pub features: &'a WindowFeatures,
    /// Log-odds.
    pub score: f64,
    /// Log-odds of the best window of another passage; NaN without another passage.
    pub runner_up: f64,
}

/// What the verdict depends on.
pub(super) fn features(
    text: &str,
    question: &Question<'_>,
    spec: &AnswerSpec,
    candidates: &[Candidate],
    measured: &Measured<'_>,
    tools: &Tools<'_>,
    choice: &Choice<'_>,
) -> SupportFeatures {
    let largest =
        |value: &dyn Fn(&Candidate) -> f64| candidates.iter().map(value).fold(0.0, f64::max);
    let sentence = largest(&support);
    let is_foreign = text.chars().filter(|c| c.is_alphabetic()).any(|c| c > '\u{24f}');
    let expects_type = !is_foreign
        && matches!(
            spec.answer_type,
            AnswerType::Person | AnswerType::Place | AnswerType::Time | AnswerType::Number
        );
    let has_type = |candidate: &Candidate| {
        candidate.kind != UnitKind::Code
            && candidate.features.has_type > 0.0
            && support(candidate) >= NEAR * sentence
    };
    let n = measured.n_passages();
    let is_anywhere = |term: usize| (0..n).any(|source| measured.passage_has(source, term));
    let lacks = |term: usize| !measured.passage_has(choice.source, term);
    let cosines = candidates.iter().filter_map(|candidate| candidate.cosine);
    SupportFeatures {
        choice: choice.score,
        ahead: choice.score - choice.runner_up,
        sentence,
        unknown: question.unknown_share(),
        missing_names: question.missing_names(is_anywhere),
        missing_anywhere: heaviest(question, |term| !is_anywhere(term)),
        missing_numbers: question.share(|term| question.has_digit(term) && lacks(term)),
        other_numbers: measured.other_numbers(text, choice.source) as f64,
        lacks_type: flag(expects_type && !candidates.iter().any(has_type)),
        asks_for_maker: flag(asks_for_maker(text)),
        best_passage_cosine: measured.best_passage_cosine(),
        best_unit_cosine: cosines.fold(f64::NAN, f64::max),
        is_foreign: flag(is_foreign),
        n_corrected: tools.n_corrected as f64,
    }
}

/// The probability that the evidence supports an answer.
pub(super) fn confidence(support: &SupportFeatures, window: &WindowFeatures) -> f64 {
    let values: Vec<f64> = support.values().into_iter().chain(window.values()).collect();
    let confidence = probability(LEARNED.support.sum(&values));
    // Over all collections 25 questions met a passage with other years or versions than theirs; it
    // answered one of them. Of 45 questions that ask for a name, date or number that no unit has,
    // and have more of their weight in words that the index lacks than in others, none had an
    // answer.
    let is_elsewhere = support.lacks_type > 0.0 && support.unknown > 0.5;
    if support.other_numbers > 0.0 || is_elsewhere && window.coverage_titled < 0.5 {
        return confidence.min(LEARNED.least_confidence / 2.0);
    }
    confidence
}

/// Share of the question in a unit, with part of the share in its context.
fn support(candidate: &Candidate) -> f64 {
    let features = &candidate.features;
    features.coverage + 0.5 * features.in_neighbours + 0.3 * features.in_context
}
