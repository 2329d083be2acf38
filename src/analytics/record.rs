//! What is recorded, as callers make it and as the file keeps it.

use serde::{Deserialize, Serialize};

use crate::strings::named;

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
        #[serde(default, skip_serializing_if = "Option::is_none")]
        load: Option<Load>,
    },
    Feedback(Box<Feedback>),
}

/// What a server had to do since the last sample.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Load {
    pub connections: Option<u64>,
    /// Share of hits in all look-ups of the caches since the start.
    pub hit_rate: Option<f64>,
    /// Of the default index.
    pub documents: Option<u64>,
    pub passages: Option<u64>,
    pub mean_query_ms: Option<f64>,
    pub queries_per_minute: Option<f64>,
}

/// A passage that was cited or found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Access {
    pub root: String,
    pub path: String,
    /// First and last line.
    pub lines: [usize; 2],
    pub score: f64,
}

/// What a user said about an answer. The page says that this keeps the question in words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feedback {
    pub question: String,
    pub index: String,
    pub helpful: bool,
    /// Why it was not helpful.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// In the user's words; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
    /// Whether there was an answer.
    pub supported: bool,
    /// The cited documents, as folder and path, each once.
    pub documents: Vec<(String, String)>,
    /// The name of the document that has the answer, if the user knows one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
}

named! {
    /// Why an answer was not helpful.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Reason {
        Wrong = "wrong",
        Incomplete = "incomplete",
        Outdated = "outdated",
        /// The documents have no answer, so there should have been none.
        Unanswerable = "unanswerable",
        Other = "other",
    }
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
    /// The cited or found passages by rank; only the database of several servers stores them, like
    /// the other fields below.
    #[serde(skip)]
    pub accesses: Vec<Access>,
    /// Of the client, where it is known.
    #[serde(skip)]
    pub client: Option<String>,
    /// The language model that wrote the answer, or the embedding model that found it.
    #[serde(skip)]
    pub model: String,
    #[serde(skip)]
    pub tokens: Option<u64>,
    #[serde(skip)]
    pub is_reranked: bool,
    /// Words of the query that were corrected or extended.
    #[serde(skip)]
    pub expansions: u64,
}
