//! What the caller provides to make an answer: measurements as functions, and how much to say.

use super::evidence::Limits;
use super::intent::Intent;
use crate::error::Result;

/// Cosines between the question and each of the texts, in their order.
pub type Similarity<'a> = dyn Fn(&[String]) -> Result<Vec<f64>> + 'a;

/// Measurements that this room cannot make itself.
#[derive(Clone, Copy)]
pub struct Tools<'a> {
    /// Inverse document frequency of an analysed term in the index. A term that occurs nowhere has
    /// the largest.
    pub weight: &'a dyn Fn(&str) -> f64,
    /// Languages of the index.
    pub languages: &'a [&'a str],
    /// Words of the question that the index lacks and that the search read as others.
    pub n_corrected: usize,
    /// Cosine of an unrelated passage, where the scale of cosines begins.
    pub zero: f64,
    /// `None` when the index has no vectors. Called once for a question and once for each part of a
    /// question with several, with at most [`Options::max_compared`] texts in all, rounded up for
    /// each part.
    pub similarity: Option<&'a Similarity<'a>>,
}

impl Tools<'_> {
    /// A cosine on the common scale of all models: 0 for an unrelated passage, 1 for the question
    /// itself.
    pub(super) fn scaled(&self, cosine: f64) -> f64 {
        if self.zero < 1.0 { (cosine - self.zero) / (1.0 - self.zero) } else { 0.0 }
    }
}

/// How much to say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// The kind of answer; `None` to detect it from the question.
    pub intent: Option<Intent>,
    /// A bound, not a target. A longer sentence is quoted whole.
    pub max_words: usize,
    /// Whether a second excerpt may follow the best one.
    pub has_second: bool,
    /// Passages cited when there is no answer.
    pub max_nearest: usize,
    /// Units handed to [`Tools::similarity`]; each costs a run of the model.
    pub max_compared: usize,
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            intent: None,
            max_words: 90,
            has_second: true,
            max_nearest: 3,
            max_compared: 12,
            limits: Limits::default(),
        }
    }
}
