//! Dense scores of several queries in one pass over the vectors, which takes little longer than the
//! pass for one of them.

use std::time::Instant;

use super::embed::{Embedded, QueryContext, Vectors};
use super::ranking_cache::CachedRanking;
use super::request::{Request, validate};
use super::response::milliseconds;
use crate::config::Mode;
use crate::engine::{Engine, QueryStage};
use crate::index::{Near, Nearest, Snapshot};
use crate::model::EmbeddingRole;

/// The dense scores of a query whose search has not begun.
pub(super) struct Prefetched {
    pub query: String,
    pub embedded: Embedded,
    /// Among all passages.
    pub nearest: Nearest,
    /// Passages that were to be listed.
    pub listed: usize,
    /// This query's share of the time that the pass took.
    pub scan_ms: f64,
}

/// Scores the queries whose rankings are not in the cache. A query that fails here is left out: its
/// search fails again, and reports the fault.
pub(super) fn prefetch(
    engine: &Engine,
    snapshot: &Snapshot,
    vectors: &mut Vectors,
    near: Near,
    requests: &[Request],
) -> Vec<Prefetched> {
    if snapshot.meta().pending > 0 {
        return Vec::new();
    }
    let queries = embed_all(engine, snapshot, vectors, requests);
    if queries.is_empty() {
        return Vec::new();
    }
    let scan = Instant::now();
    let query_vectors: Vec<&[f32]> =
        queries.iter().map(|(_, embedded)| embedded.vector.as_slice()).collect();
    let Ok(nearest) = snapshot.nearest_by(&query_vectors, None, near) else {
        return Vec::new();
    };
    let scan_ms = milliseconds(scan) / queries.len() as f64;
    queries
        .into_iter()
        .zip(nearest)
        .map(|((query, embedded), nearest)| Prefetched {
            query,
            embedded,
            nearest,
            listed: near.wanted,
            scan_ms,
        })
        .collect()
}

/// The distinct queries that need dense scores, with their vectors.
fn embed_all(
    engine: &Engine,
    snapshot: &Snapshot,
    vectors: &mut Vectors,
    requests: &[Request],
) -> Vec<(String, Embedded)> {
    let mut queries: Vec<(String, Embedded)> = Vec::new();
    for request in requests.iter().filter(|request| request.mode != Mode::Lexical) {
        let Ok(query) = validate(&request.query) else { continue };
        if queries.iter().any(|(other, _)| other == query)
            || CachedRanking::new(engine, snapshot.meta(), query, request).exists()
        {
            continue;
        }
        let stop = &request.stop.stage(QueryStage::Retrieval);
        let context = QueryContext { engine, snapshot, caching: request.caching, stop };
        if let Ok(embedded) = vectors.embed(context, EmbeddingRole::Query, query) {
            queries.push((query.to_owned(), embedded));
        }
    }
    queries
}
