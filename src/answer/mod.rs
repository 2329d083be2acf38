//! Hits to an answer: which passages are evidence, which sentences answer, and whether the evidence
//! supports an answer at all.
//!
//! Pure: no model, no index, no clock. Measurements, such as how rare a word is, come in with
//! [`Tools`]. An extractive answer consists of the documents' own sentences, word for word as
//! [`plain`](crate::analysis::plain) shows them, so it says nothing that no document says. What a
//! language model writes is untrusted text until [`vet()`] has checked it.

mod citations;
mod diagram;
mod evidence;
mod extractive;
mod features;
mod followup;
mod grading;
mod inspect;
mod intent;
mod lexer;
mod metadata;
mod newest;
mod numbered;
mod options;
mod parts;
mod polarity;
mod prompt;
mod question;
mod render;
mod repetition;
mod rows;
mod score;
mod spec;
mod stream;
mod support;
#[cfg(test)]
mod tests;
mod trees;
mod vet;
mod window;

pub use citations::{Mismatch, check, marks, with_one_mark_a_paragraph};
pub use diagram::{diagram, steps_of};
pub use evidence::{Evidence, Limits, choose, in_order, nearest};
pub use extractive::{answer, evidence};
pub use followup::{Resolved, resolve};
pub use grading::{drafting, grading};
pub use inspect::{Inspected, inspect};
pub use intent::Intent;
pub use metadata::{asks_for_metadata, head};
pub use options::{Options, Similarity, Tools};
pub use parts::{merge, parts};
pub use prompt::{Exchange, NO_ANSWER, PROMPT_VERSION, Prompt, fit, prompt, rewriting};
pub use repetition::Repetition;
pub use stream::Stream;
pub use vet::{CHECKS_VERSION, Vetted, may_abstain, vet};
