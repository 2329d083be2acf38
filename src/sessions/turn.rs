//! What a conversation consists of: questions, answers and the places of their sources.

use serde::{Deserialize, Serialize};

/// One question and its answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
    /// How the answer was made; `None` in turns of earlier versions, and once it is withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<Box<Made>>,
}

/// How an answer was made, so that a conversation shows all that it showed first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Made {
    /// The language model that wrote it, or the embedding model.
    pub model: String,
    /// Milliseconds by stage.
    pub embedding_ms: f64,
    pub search_ms: f64,
    pub generation_ms: f64,
    pub total_ms: f64,
    /// What the cache contributed.
    pub answer_hit: bool,
    pub retrieval_hit: bool,
    pub embed_hits: u64,
    pub embed_misses: u64,
    pub rerank_hits: u64,
    pub rerank_misses: u64,
    /// Sentences that no cited source supports.
    pub unsupported: Vec<String>,
    /// Why the text of the language model is incomplete, in a sentence that names nothing.
    pub error: Option<String>,
    /// The language model repeated itself and was cut off.
    pub repeated: bool,
    /// Why the answer quotes documents instead of being written by the language model.
    pub fallback: Option<String>,
    /// The level of the question's risk, and its reasons.
    pub risk: Flag,
    /// Sources with prompt injections: number or else path, and the risk.
    pub injections: Vec<(Option<usize>, String, Flag)>,
    /// Vectors that were computed and needed, while the index had none.
    pub pending: Option<(u64, u64)>,
}

/// A level of risk and its reasons.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flag {
    pub level: String,
    pub reasons: Vec<String>,
}

/// The place of a cited passage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The whole passage; `None` in turns of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passage: Option<Passage>,
    /// The page, slide or the like, as [`Location`](crate::document::Location) prints it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_location: Option<String>,
    /// What the answer quotes or rests on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quotes: Vec<String>,
}

/// The place of a passage: lines are inclusive, the end of the bytes is exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passage {
    pub lines: (usize, usize),
    pub bytes: (usize, usize),
}

/// A session in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    pub id: String,
    pub turns: u64,
    pub first_question: String,
    /// Given by the user.
    pub title: Option<String>,
    /// Unix seconds.
    pub created: i64,
    pub used: i64,
}
