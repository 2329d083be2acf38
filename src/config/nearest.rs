//! The settings of the engine that proposes candidates to the dense retriever.

use std::path::PathBuf;
use std::time::Duration;

use super::setting::{Setting, Shape, personal, setting};
use super::{Database, Secret};
use crate::strings::named;

/// The schemes of `nearest.url`: those of PostgreSQL, and those of Qdrant.
const SCHEMES: Shape = Shape::Engine { schemes: &["http", "https", "postgres", "postgresql"] };

named! {
    /// The engine that proposes candidates.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub enum NearestEngine {
        /// None: the codes of every vector are compared.
        #[default]
        Scan = "scan",
        Pgvector = "pgvector",
        Qdrant = "qdrant",
    }
}

/// What a search does when the engine does not answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// It fails.
    #[default]
    Fail,
    /// A hybrid search ranks by words alone, and says so.
    Lexical,
    /// It compares every vector itself.
    Scan,
}

/// Which engine proposes candidates, and where it is.
#[derive(Clone, Debug, Default)]
pub struct NearestPlace {
    pub engine: NearestEngine,
    /// `None` for the default engine.
    pub url: Option<Secret>,
    /// The key of Qdrant.
    pub api_key: Option<Secret>,
    pub ca_file: Option<PathBuf>,
    /// Distinguishes the indexes of those who share an engine.
    pub prefix: String,
    /// Candidates that the graph keeps while it is searched.
    pub breadth: u64,
    pub on_failure: OnFailure,
    pub timeout: Duration,
    /// Of new collections of Qdrant.
    pub shards: u64,
    pub replicas: u64,
    /// Replicas that confirm a write.
    pub write_consistency: u64,
    /// The pool for pgvector.
    pub database: Option<Database>,
}

impl OnFailure {
    pub(super) fn parse(name: &str) -> Self {
        match name {
            "lexical" => Self::Lexical,
            "scan" => Self::Scan,
            _ => Self::Fail,
        }
    }
}

/// After those of [`super::cluster::ENGINES`] in the README's table.
pub(super) const NEAREST: &[Setting] = &[
    personal(
        "nearest.engine",
        "RAG_NEAREST_ENGINE",
        "scan",
        Shape::OneOf(&["scan", "pgvector", "qdrant"]),
        "what finds the nearest vectors: scan (every vector of the index), pgvector or qdrant",
    ),
    personal(
        "nearest.url",
        "RAG_NEAREST_URL",
        "",
        SCHEMES,
        "address of the engine: http(s)://host:6333 of Qdrant, or a PostgreSQL database \
         (default: `ledger.url`)",
    ),
    personal(
        "nearest.api_key",
        "RAG_NEAREST_API_KEY",
        "",
        Shape::Secret { min_chars: 1 },
        "key of Qdrant",
    ),
    personal(
        "nearest.ca_file",
        "RAG_NEAREST_CA_FILE",
        "",
        Shape::File,
        "certificates (PEM) that sign the engine's (default: those of the system)",
    ),
    personal(
        "nearest.prefix",
        "RAG_NEAREST_PREFIX",
        "rag",
        Shape::Name,
        "distinguishes the indexes of those who share an engine",
    ),
    setting(
        "nearest.breadth",
        "RAG_NEAREST_BREADTH",
        "256",
        Shape::Whole { least: 10, most: 1000 },
        "candidates that a search of the engine's graph keeps; more find more, and take longer",
    ),
    setting(
        "nearest.on_failure",
        "RAG_NEAREST_ON_FAILURE",
        "fail",
        Shape::OneOf(&["fail", "lexical", "scan"]),
        "what a search does without the engine: fail, lexical (words only) or scan",
    ),
    setting(
        "nearest.timeout_ms",
        "RAG_NEAREST_TIMEOUT_MS",
        "5000",
        Shape::Whole { least: 1, most: 60_000 },
        "milliseconds for one request to the engine",
    ),
    personal(
        "nearest.shards",
        "RAG_NEAREST_SHARDS",
        "1",
        Shape::Whole { least: 1, most: 1000 },
        "shards of a new collection of Qdrant",
    ),
    personal(
        "nearest.replicas",
        "RAG_NEAREST_REPLICAS",
        "1",
        Shape::Whole { least: 1, most: 100 },
        "copies of each shard",
    ),
    personal(
        "nearest.write_consistency",
        "RAG_NEAREST_WRITE_CONSISTENCY",
        "1",
        Shape::Whole { least: 1, most: 100 },
        "copies that must confirm a write",
    ),
];

/// The settings that the variables of Qdrant's clients give. Its address alone does not choose the
/// engine: other programs may have set it.
pub(super) fn aliases(env: &dyn Fn(&str) -> Option<String>) -> Vec<super::cluster::Alias> {
    let is_qdrant = env("RAG_NEAREST_ENGINE").is_none_or(|engine| engine == "qdrant");
    let names = [("nearest.url", "QDRANT_URL"), ("nearest.api_key", "QDRANT_API_KEY")];
    let set = names.into_iter().filter_map(|(key, name)| Some((key, env(name)?, name)));
    if is_qdrant { set.collect() } else { Vec::new() }
}
