//! Questions to the service, their updates and their results.

use std::sync::Arc;
use std::time::Duration;

use crate::answer::Intent;
use crate::ask;
use crate::cache::Caching;
use crate::config::{Config, Generator, Mode};
use crate::document::Hit;
use crate::error::Fault;
use crate::filter::Filter;
use crate::jobs::Priority;
use crate::model::EmbeddingRole;
use crate::search;
use crate::sessions::Turn;
use crate::vector::Vector;

/// A request to the service.
#[derive(Clone, Debug)]
pub struct Question {
    pub text: String,
    pub kind: RequestKind,
    /// Index name; `None` for the configured one.
    pub index: Option<String>,
    /// Number of passages; `None` for the configured one.
    pub k: Option<usize>,
    pub caching: Caching,
    pub filter: Option<Filter>,
    pub priority: Priority,
}

#[derive(Clone, Debug)]
pub enum RequestKind {
    Answer {
        intent: Option<Intent>,
        generator: Option<Generator>,
        /// Name of the language model; `None` for the configured one.
        llm: Option<String>,
        /// The session that the question continues.
        session: Option<String>,
        /// Earlier turns of a conversation that is not stored here, oldest first.
        earlier: Vec<Turn>,
    },
    Passages {
        mode: Option<Mode>,
    },
    /// The vector of each text, by the configured model.
    Vectors(Arc<Texts>),
    /// How well each document answers a query.
    Scores(Arc<Candidates>),
}

/// Texts to embed.
#[derive(Debug)]
pub struct Texts {
    pub texts: Vec<String>,
    /// Number of the first text in its request, for messages.
    pub first: usize,
    pub role: EmbeddingRole,
    /// Texts beyond the window of the model are cut; otherwise they are refused.
    pub is_cut: bool,
}

/// Documents to score for a query. Those beyond the window of the model are cut.
#[derive(Debug)]
pub struct Candidates {
    pub query: String,
    pub documents: Vec<String>,
    pub scorer: Scorer,
}

/// What scores a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scorer {
    /// The configured cross-encoder: the probability that it gives, from 0 to 1.
    CrossEncoder,
    /// The configured embedding model: the cosine of the two vectors.
    Cosine,
}

impl Question {
    /// The name of the language model that answers, given the configuration; `None` without one.
    pub(super) fn language_model<'a>(&'a self, config: &'a Config) -> Option<&'a str> {
        match &self.kind {
            RequestKind::Answer { generator, llm, .. } => {
                let generator = generator.unwrap_or(match llm {
                    Some(_) => Generator::Llm,
                    None => config.generator,
                });
                (generator == Generator::Llm).then(|| llm.as_deref().unwrap_or(&config.llm.name))
            }
            _ => None,
        }
    }

    /// The session that the question continues.
    pub(super) fn session(&self) -> Option<&str> {
        match &self.kind {
            RequestKind::Answer { session, .. } => session.as_deref(),
            RequestKind::Passages { .. } | RequestKind::Vectors(_) | RequestKind::Scores(_) => None,
        }
    }
}

/// Progress of an answer.
#[derive(Clone)]
pub enum Update {
    Retrieved(Arc<RetrievedPassages>),
    /// A piece of the answer, while the language model generates it.
    Text(Arc<str>),
}

/// The passages that an answer is generated from.
pub struct RetrievedPassages {
    pub hits: Vec<Hit>,
    pub timings: ask::Timings,
    pub cache: ask::CacheUse,
}

/// The result of a question.
#[derive(Clone)]
pub enum Reply {
    Answer(Arc<ask::Response>),
    Passages(Arc<search::Response>),
    Vectors(Arc<Vectors>),
    /// In the order of the documents.
    Scores(Arc<[f64]>),
}

/// Vectors of texts.
pub struct Vectors {
    /// In the order of the texts.
    pub vectors: Vec<Vector>,
    /// Tokens of all texts.
    pub tokens: u64,
}

/// Why a question has no result.
#[derive(Clone, Debug)]
pub enum Problem {
    Fault(Arc<Fault>),
    NoIndex(String),
    /// The session does not exist, or has expired.
    NoSession,
    /// The queue is full.
    Full {
        retry_after: Duration,
    },
    /// The service is shutting down.
    Closing,
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Self::Fault(Arc::new(fault))
    }
}

pub type Outcome = std::result::Result<Reply, Problem>;
