//! What is recorded, as callers make it and as the file keeps it.

use serde::{Deserialize, Serialize};

/// A record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Record {
    Question(Box<Question>),
    Error {
        code: String,
        /// The template of the route, or the name of the tool.
        route: String,
    },
    System {
        memory_bytes: u64,
        /// Cores in use.
        cpu: f64,
        queue: u64,
    },
}

/// A question or a search.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// The text; empty in the file, unless the settings keep it.
    pub text: String,
    /// The keyed hash of the text, set by the writer.
    #[serde(default)]
    pub hash: String,
    /// A search, which has neither intent nor generator.
    pub is_search: bool,
    pub index: String,
    pub intent: String,
    pub generator: String,
    pub mode: String,
    pub k: u64,
    pub supported: bool,
    pub hits: u64,
    pub answer_hit: bool,
    pub retrieval_hit: bool,
    pub queue_ms: Option<f64>,
    /// `None` when nothing was embedded.
    pub embedding_ms: Option<f64>,
    pub search_ms: f64,
    pub generation_ms: Option<f64>,
    pub total_ms: f64,
    /// The session id; a keyed hash in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The cited or found documents, as folder and path, each once.
    pub documents: Vec<(String, String)>,
}
