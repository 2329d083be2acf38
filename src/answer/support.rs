//! Whether the evidence supports an answer at all.
//!
//! A linear score over a handful of numbers, so that a wrong verdict can be traced to the number
//! that caused it. Fitted by hand near a logistic regression over `XQuAD` (1,190 questions) and
//! Chroma's chunking evaluation (472 questions). Each set was asked over its own corpus, over the
//! corpus of the other set and over the Rust book. `tests/measure.rs` and `scripts/bench answers`
//! repeat the `XQuAD` part.

use super::evidence::Evidence;
use super::intent::{AnswerType, asks_for_maker};
use super::question::Question;
use super::score::Candidate;
use crate::document::UnitKind;

/// Least share of the best sentence's support in a sentence that counts as near the best. Set by
/// hand like the weights.
const NEAR: f64 = 0.7;

/// Cost when no sentence near the best has what is asked for. On the English `XQuAD` 1.5 refuses
/// 0.2 % more of its own questions and 0.5 % more of those asked of the Rust book. In scripts
/// without capitals, which mark names, it costs more than it gains.
const LACKS_TYPE_COST: f64 = 1.5;

/// The same cost for a question after who made something. "Who wrote the compiler?", asked of a
/// book about the compiler, has every word in its favour, so the cost is nearly a veto.
const LACKS_MAKER_COST: f64 = 12.0;

/// What the verdict depends on; shares are between 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Strength {
    /// Largest share of the question in one sentence, with part of the share in its context.
    pub sentence: f64,
    /// Largest share of the question in one passage.
    pub passage: f64,
    /// Largest share of the question's neighbouring terms that are neighbours in one sentence.
    pub adjacency: f64,
    /// Share of the question in names that no passage has. An atlas without Zorbland does not
    /// answer a question about it, however much it says about capitals.
    pub missing_names: f64,
    /// Share of the question in terms that the whole index lacks.
    pub unknown: f64,
    /// The question asks who, where, when or how many, and no sentence near the best has a name,
    /// date or number that the question lacks.
    pub lacks_expected_type: bool,
    /// The question asks who made something, so an answer needs a name.
    pub asks_for_maker: bool,
    /// Best cosine of a passage with the question; `None` without vectors.
    pub cosine: Option<f64>,
    /// The question is not in the Latin script. The default model reads English: in other scripts
    /// its cosines may help but must not veto.
    pub is_foreign: bool,
}

impl Strength {
    pub(super) fn of<'a>(
        text: &str,
        answer_type: AnswerType,
        question: &Question<'_>,
        candidates: &[Candidate],
        evidence: impl Iterator<Item = &'a Evidence>,
    ) -> Self {
        let largest =
            |value: &dyn Fn(&Candidate) -> f64| candidates.iter().map(value).fold(0.0, f64::max);
        let cosines = evidence
            .filter_map(|piece| Some(piece.hit.contributions.dense?.score))
            .filter(|cosine| cosine.is_finite());
        let sentence = largest(&support);
        let is_foreign = text.chars().filter(|c| c.is_alphabetic()).any(|c| c > '\u{24f}');
        let expects_type = !is_foreign
            && matches!(
                answer_type,
                AnswerType::Person | AnswerType::Place | AnswerType::Time | AnswerType::Number
            );
        let has_type = |candidate: &Candidate| {
            candidate.kind != UnitKind::Code
                && candidate.features.has_type > 0.0
                && support(candidate) >= NEAR * sentence
        };
        let has_term = |term| candidates.iter().any(|candidate| candidate.found.has(term));
        Self {
            sentence,
            passage: largest(&|candidate| candidate.features.passage),
            adjacency: largest(&|candidate| candidate.features.adjacency),
            missing_names: question.missing_names(has_term),
            unknown: question.unknown_share(),
            lacks_expected_type: expects_type && !candidates.iter().any(has_type),
            asks_for_maker: asks_for_maker(text),
            cosine: cosines.reduce(f64::max),
            is_foreign,
        }
    }

    /// Above zero the evidence supports an answer.
    ///
    /// Wrong and right refusals, the `XQuAD` questions asked of their own paragraphs and of the
    /// Rust book: 3 % and 99 % with vectors, 4 % and 97 % without, 4 % and 85 % in Chinese without.
    pub(super) fn margin(&self) -> f64 {
        let type_cost = match (self.lacks_expected_type, self.asks_for_maker) {
            (false, _) => 0.0,
            (true, false) => LACKS_TYPE_COST,
            (true, true) => LACKS_MAKER_COST,
        };
        let against = 3.0 * self.missing_names + 2.0 * self.unknown + type_cost;
        let without_cosine = 9.0 * self.sentence + 6.0 * self.adjacency - against - 3.5;
        let Some(cosine) = self.cosine else { return without_cosine };
        let with_cosine =
            5.0 * self.sentence + 3.0 * self.passage + 4.0 * self.adjacency + 11.0 * cosine
                - against
                - 7.6;
        if self.is_foreign { without_cosine.max(with_cosine) } else { with_cosine }
    }
}

/// Share of the question in a sentence, with part of the share in its context.
fn support(candidate: &Candidate) -> f64 {
    let features = &candidate.features;
    features.coverage + 0.5 * features.in_neighbours + 0.3 * features.in_context
}
