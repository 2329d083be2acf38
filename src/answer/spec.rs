//! What an answer has to look like.

use super::intent::{AnswerType, Intent, wants_code};
use super::options::Options;

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
}
