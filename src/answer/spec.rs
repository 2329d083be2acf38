//! What an answer has to look like.

use super::intent::{AnswerType, Intent, wants_code};
use super::options::Options;

// Set by hand, on the scale of `Features::score`. `tests/measure.rs` and `scripts/bench answers`
// show their effect on XQuAD.

/// How far below the best sentence a further one may score.
const REACH: f64 = 1.0;
/// The same for a summary, which draws on more passages.
const SUMMARY_REACH: f64 = 2.5;

/// The form of an answer to one question.
pub(super) struct AnswerSpec {
    pub intent: Intent,
    pub answer_type: AnswerType,
    pub wants_code: bool,
}

impl AnswerSpec {
    pub fn of(question: &str, options: &Options) -> Self {
        Self {
            intent: options.intent.unwrap_or_else(|| Intent::of(question)),
            answer_type: AnswerType::of(question),
            wants_code: wants_code(question),
        }
    }

    /// How far below the best sentence a further one may score.
    pub fn reach(&self) -> f64 {
        match self.intent {
            Intent::Summary => SUMMARY_REACH,
            _ => REACH,
        }
    }

    pub fn wants_list(&self) -> bool {
        matches!(self.intent, Intent::HowTo | Intent::List)
    }
}
