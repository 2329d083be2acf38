//! Hits → answer: which passages count as evidence, which sentences answer, whether anything
//! answers at all.
//!
//! Pure: no model, no index, no clock. What must be measured (how rare a word is, how near a
//! sentence) comes in with [`Tools`]. The surprising rule: an extractive answer is made of the
//! documents' own sentences, word for word as [`plain`](crate::analysis::plain) shows them, so it
//! cannot say what no document says; and what a language model writes is text of a stranger, like
//! the documents, until [`vet()`] has looked at it.

mod citations;
mod compare;
mod evidence;
mod extractive;
mod followup;
mod intent;
mod lexer;
mod parts;
mod prompt;
mod question;
mod render;
mod repetition;
mod score;
mod stream;
mod support;
mod vet;

pub use citations::{Mismatch, check, marks};
pub use evidence::{Evidence, Limits, choose, in_order, nearest};
pub use extractive::{answer, evidence};
pub use followup::{Resolved, resolve};
pub use intent::Intent;
pub use parts::{merge, parts};
pub use prompt::{Exchange, NO_ANSWER, PROMPT_VERSION, Prompt, fit, prompt, rewriting};
pub use repetition::Repetition;
pub use stream::Stream;
pub use vet::{CHECKS_VERSION, Vetted, may_abstain, vet};

use crate::error::Result;

/// Cosines between the question and each of the texts, in their order.
pub type Similarity<'a> = dyn Fn(&[String]) -> Result<Vec<f64>> + 'a;

/// What an answer needs to know from the outside.
#[derive(Clone, Copy)]
pub struct Tools<'a> {
    /// Inverse document frequency of an analysed term in the index. A term that occurs nowhere has
    /// the largest.
    pub weight: &'a dyn Fn(&str) -> f64,
    /// Languages of the index.
    pub languages: &'a [&'a str],
    /// Cosines between the question and each text; absent when the index has no vectors. Called
    /// once for a question and once for each part of several, with at most
    /// [`Options::max_compared`] texts in all, give or take one for each part.
    pub similarity: Option<&'a Similarity<'a>>,
}

/// How much to say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// What kind of answer; `None` to tell from the question.
    pub intent: Option<Intent>,
    pub max_sentences: usize,
    pub max_words: usize,
    /// Passages named when there is no answer.
    pub max_nearest: usize,
    /// Sentences handed to [`Tools::similarity`]; each costs a run of the model.
    pub max_compared: usize,
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            intent: None,
            max_sentences: 3,
            max_words: 60,
            max_nearest: 3,
            max_compared: 12,
            limits: Limits::default(),
        }
    }
}

#[cfg(test)]
mod tests;
