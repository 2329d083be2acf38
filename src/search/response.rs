//! What a search returns.

use std::time::Instant;

use super::request::Request;
use crate::analysis::untrusted::Risk;
use crate::config::Mode;
use crate::document::{Hit, Note};
use crate::engine::Engine;
use crate::index::Meta;

/// Milliseconds by stage. Stages overlap, so their sum may exceed the total.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Timings {
    pub embedding_ms: f64,
    pub search_ms: f64,
    pub total_ms: f64,
}

/// The hits of a search and how they were found.
pub struct Response {
    pub query: String,
    pub mode: Mode,
    pub index: String,
    pub corpus_id: String,
    pub hits: Vec<Hit>,
    /// The risk of the query; it changes no ranking.
    pub risk: Risk,
    pub timings: Timings,
    /// Lookups of the query's vector in the cache: one hit, one miss, or neither where no vector
    /// was needed.
    pub embed_hits: u64,
    pub embed_misses: u64,
    /// Rerank scores found in the cache, and computed.
    pub rerank_hits: u64,
    pub rerank_misses: u64,
    /// The ranking came from the cache.
    pub retrieval_hit: bool,
    /// The filter excludes every document.
    pub nothing_allowed: bool,
    /// The index has no passages.
    pub index_empty: bool,
    /// The index has no vectors yet.
    pub pending: Option<Pending>,
    /// How the search differs from what was asked.
    pub notes: Vec<Note>,
    /// The index is a copy that cannot be compared with that of the depot.
    pub stale: Option<Stale>,
}

impl Response {
    /// A response without hits.
    pub(super) fn empty(engine: &Engine, meta: &Meta, query: &str, request: &Request) -> Self {
        let index = &engine.config.index;
        Self {
            query: query.to_owned(),
            mode: request.mode,
            index: index.clone(),
            corpus_id: meta.corpus_id.clone(),
            hits: Vec::new(),
            risk: Risk::new(query, None),
            timings: Timings::default(),
            embed_hits: 0,
            embed_misses: 0,
            rerank_hits: 0,
            rerank_misses: 0,
            retrieval_hit: false,
            nothing_allowed: false,
            index_empty: meta.counts.chunks == 0,
            pending: Pending::of(engine, index, meta),
            notes: Vec::new(),
            stale: Stale::of(engine),
        }
    }
}

/// A copy of an index whose depot cannot be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    /// The address of the depot.
    pub url: String,
    /// Seconds since the copy was last compared with the depot; `None` when that is unknown.
    pub age_s: Option<u64>,
}

impl Stale {
    /// `None` when the depot can be reached, or there is none.
    pub fn of(engine: &Engine) -> Option<Self> {
        let status = engine.store.depot_status()?;
        status.failure?;
        let age_s = status.compared_s.map(|time| engine.now_s().saturating_sub(time));
        Some(Self { url: status.url, age_s: age_s.and_then(|age| u64::try_from(age).ok()) })
    }
}

/// Vectors that an index still lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Vectors computed so far, 0 where that is unknown.
    pub done: u64,
    pub total: u64,
    /// An ingest is computing them. Otherwise it was stopped, and the next ingest of the same
    /// folders continues it.
    pub in_progress: bool,
}

impl Pending {
    /// The vectors that the index called `index` lacks; `None` when it has all.
    pub fn of(engine: &Engine, index: &str, meta: &Meta) -> Option<Self> {
        if meta.pending == 0 {
            return None;
        }
        let progress = engine.store.progress(index);
        let (done, total) = progress.unwrap_or((0, meta.pending));
        Some(Self { done, total, in_progress: progress.is_some() })
    }
}

/// Milliseconds since `start`.
pub fn milliseconds(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}
