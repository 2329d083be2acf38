//! What a conversation consists of: questions, answers and the places of their sources.

use serde::{Deserialize, Serialize};

/// One question and its answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Unix seconds.
    pub at: i64,
    /// Name of the index that was asked.
    pub index: String,
    /// As typed.
    pub question: String,
    /// As searched for: the question completed from the conversation.
    pub resolved: String,
    /// With `[n]` marks; empty when nothing supported an answer.
    pub answer: String,
    pub supported: bool,
    pub intent: String,
    pub generator: String,
    pub citations: Vec<Cited>,
}

/// The place of a cited passage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cited {
    /// The number that `[n]` refers to.
    pub n: usize,
    /// Folder as ingested.
    pub root: String,
    /// Path relative to `root`.
    pub path: String,
    /// 1-based lines, inclusive.
    pub first: usize,
    pub last: usize,
}

/// A session in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    pub id: String,
    pub turns: u64,
    pub first_question: String,
    /// Unix seconds.
    pub created: i64,
    pub used: i64,
}
