//! What a search is asked for.

use crate::cache::Caching;
use crate::config::Mode;
use crate::engine::Stop;
use crate::error::{Fault, Result};
use crate::filter::Filter;

/// Longest query in bytes. A longer one is a document, and the model reads its first page at most.
const MAX_QUERY_BYTES: usize = 32 * 1024;

/// A search.
#[derive(Clone, Debug)]
pub struct Request {
    pub query: String,
    pub mode: Mode,
    /// Hits to return.
    pub k: usize,
    /// Top passages to rerank; 0 turns reranking off.
    pub rerank: usize,
    pub caching: Caching,
    /// Restricts the documents. What it excludes takes no part in the ranking.
    pub filter: Option<Filter>,
    pub stop: Stop,
}

impl Request {
    /// Hits that the ranking must give.
    pub(super) fn wanted(&self) -> usize {
        self.k.max(self.rerank)
    }

    /// Passages of the ranking. Copies and overlaps give no hit, so there are more than hits.
    pub(super) fn depth(&self) -> usize {
        self.wanted().saturating_mul(2).saturating_add(20)
    }
}

/// The query without surrounding white space.
///
/// # Errors
/// A usage fault for an empty query, and for one that is too long.
pub fn validate(query: &str) -> Result<&str> {
    let query = query.trim();
    if query.is_empty() {
        return Err(Fault::usage("the question is empty"));
    }
    if query.len() > MAX_QUERY_BYTES {
        return Err(Fault::usage(format!(
            "the question has {} bytes, more than the limit of {MAX_QUERY_BYTES}",
            query.len()
        )));
    }
    Ok(query)
}

/// Passages that each retriever lists for each passage of the ranking wanted.
const LISTED_PER_RANK: usize = 5;

/// Passages that each retriever lists for a ranking of `depth` passages.
pub(super) fn listed(depth: usize) -> usize {
    depth.saturating_mul(LISTED_PER_RANK)
}
