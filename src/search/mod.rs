//! Query to ranked passages.
//!
//! `query ─┬ embed → dense ┐`
//! `       └ analyse → BM25 ┴ fuse → one hit per place → rerank, if asked for → hits`
//!
//! A [`Searcher`] has one generation open and serves any number of queries. Rankings depend on the
//! query, the corpus and the settings only, never on threads or the order of queries.

mod embed;
mod exemplars;
mod hits;
mod prefetch;
mod ranking_cache;
mod request;
mod rerank;
mod response;
mod retrieve;
mod suggest;
mod unknown;

use std::sync::Arc;
use std::time::Instant;

use crate::cache::Ranking;
use crate::document::Note;
use crate::engine::{Engine, QueryStage};
use crate::error::Result;
use crate::filter::Filter;
use crate::index::{Allowed, Comparison, Near, Snapshot};
use crate::model::{CrossEncoder, Embedder};
use crate::rank::{self, Candidates, Fused, Fusion};
use crate::telemetry;
pub use embed::{QueryContext, Similarities, Vectors};
pub use exemplars::{Exemplar, Exemplars};
use hits::hits;
use prefetch::Prefetched;
use ranking_cache::CachedRanking;
use request::listed;
pub use request::{Request, validate};
pub use rerank::Scoring;
use rerank::{CacheCounts, Rerank};
pub use response::{Pending, Response, Stale, Timings, milliseconds};
use retrieve::Retrieval;

/// An open generation, and its model once a query needed it.
pub struct Searcher {
    pub snapshot: Arc<Snapshot>,
    /// Threads that compare vectors, and networks that rerank in parallel; never changes a result.
    pub threads: usize,
    /// What queries are compared with. The cache of rankings does not distinguish it.
    pub comparison: Comparison,
    vectors: Vectors,
    /// The cross-encoder, once a query needed it.
    reranker: Option<CrossEncoder>,
    prefetched: Vec<Prefetched>,
    /// The last filter's key and the documents and chunks that it leaves.
    allowed: Option<(String, Allowed)>,
}

impl Searcher {
    /// Opens the configured index.
    pub fn open(engine: &Engine) -> Result<Self> {
        let snapshot = engine.store.open(&engine.config.index)?;
        Ok(Self::with_snapshot(Arc::new(snapshot), engine.config.threads))
    }

    /// Searches a generation that is open.
    pub fn with_snapshot(snapshot: Arc<Snapshot>, threads: usize) -> Self {
        Self {
            snapshot,
            threads,
            comparison: Comparison::default(),
            vectors: Vectors::default(),
            reranker: None,
            prefetched: Vec::new(),
            allowed: None,
        }
    }

    /// Switches to another generation, of this or another index. A model that fits stays loaded.
    pub fn switch_to(&mut self, snapshot: Arc<Snapshot>) {
        if Arc::ptr_eq(&self.snapshot, &snapshot) {
            return;
        }
        if self.snapshot.meta().model.fingerprint != snapshot.meta().model.fingerprint {
            self.vectors = Vectors::default();
        }
        self.prefetched.clear();
        (self.snapshot, self.allowed) = (snapshot, None);
    }

    /// Makes the searcher usable again after a panic.
    pub fn recover(&mut self) {
        self.vectors.recover();
        self.reranker.take_if(|reranker| !reranker.is_sound());
        self.prefetched.clear();
        self.allowed = None;
    }

    /// Loads the model, so that the first query need not wait for it.
    ///
    /// # Errors
    /// As [`Searcher::embedder`].
    pub fn warm(&mut self, engine: &Engine) -> Result<()> {
        self.embedder(engine).map(drop)
    }

    /// The model of the index, loaded if necessary.
    ///
    /// # Errors
    /// Whatever keeps the model or its library from being opened, and a model that differs from the
    /// one that the index was built with.
    pub fn embedder(&mut self, engine: &Engine) -> Result<&mut Embedder> {
        self.vectors.embedder(engine, &self.snapshot)
    }

    /// The open generation and the vectors of its texts.
    pub fn split(&mut self) -> (&Snapshot, &mut Vectors) {
        (&self.snapshot, &mut self.vectors)
    }

    /// Computes the dense scores of several queries in one pass. A later search for one of them
    /// uses these scores, as long as the generation is the same.
    pub fn prefetch(&mut self, engine: &Engine, requests: &[Request]) {
        let Self { snapshot, vectors, threads, comparison, .. } = self;
        let depth = requests.iter().map(Request::depth).max().unwrap_or_default();
        let near = Near { wanted: listed(depth), comparison: *comparison, threads: *threads };
        self.prefetched = prefetch::prefetch(engine, snapshot, vectors, near, requests);
    }

    /// As [`Searcher::search`], with the ranking from the cache where it is there.
    ///
    /// # Errors
    /// As [`Searcher::search`].
    pub fn find(&mut self, engine: &Engine, request: &Request) -> Result<Response> {
        let start = Instant::now();
        let query = validate(&request.query)?;
        engine.check_stop(&request.stop)?;
        let snapshot = Arc::clone(&self.snapshot);
        let cached = CachedRanking::new(engine, snapshot.meta(), query, request);
        if let Some(Ranking { hits, notes, nearness }) = cached.read() {
            let total_ms = milliseconds(start);
            telemetry::debug!(
                mode = request.mode.name(),
                hits = hits.len(),
                total_ms,
                "ranking found in the cache"
            );
            let mut response = Response {
                hits,
                notes,
                timings: Timings { embedding_ms: 0.0, search_ms: total_ms, total_ms },
                retrieval_hit: true,
                ..Response::empty(engine, snapshot.meta(), query, request)
            };
            response.risk.nearness = nearness;
            return Ok(response);
        }
        let response = self.search(engine, request)?;
        // Without vectors a ranking is not what the settings give.
        if !response.nothing_allowed && !response.notes.contains(&Note::WordsOnly) {
            cached.write(&response.hits, &response.notes, response.risk.nearness);
        }
        Ok(response)
    }

    /// Ranks the passages of the index.
    ///
    /// # Errors
    /// A usage fault for an invalid query; whatever keeps the index or the model from being read.
    pub fn search(&mut self, engine: &Engine, request: &Request) -> Result<Response> {
        let start = Instant::now();
        let query = validate(&request.query)?;
        let stop = &request.stop.stage(QueryStage::Retrieval);
        let snapshot = &*self.snapshot;
        let allowed = match &request.filter {
            None => None,
            Some(filter) => Some(apply_filter(snapshot, filter, &mut self.allowed)?),
        };
        if allowed.is_some_and(|allowed| allowed.documents == 0) {
            let timings = Timings { total_ms: milliseconds(start), ..Timings::default() };
            let notes = suggest::values(snapshot, request.filter.as_ref())?;
            let empty = Response::empty(engine, snapshot.meta(), query, request);
            return Ok(Response { timings, notes, nothing_allowed: true, ..empty });
        }
        let context = QueryContext { engine, snapshot, caching: request.caching, stop };
        let depth = request.depth();
        let retrieval = Retrieval {
            context,
            query,
            mode: request.mode,
            allowed: allowed.map(|allowed| allowed.chunks.as_slice()),
            depth,
            comparison: self.comparison,
            threads: self.threads,
        };
        let scores = retrieval.scores(&mut self.vectors, &mut self.prefetched)?;
        let candidates = retrieval.candidates(&scores)?;
        let ranking = fuse(&candidates, engine.config.dense_weight, depth);
        let mut hits = hits(snapshot, &ranking, request.wanted())?;
        let mut reranked = CacheCounts::default();
        if request.rerank > 0 {
            let top = request.rerank.min(hits.len());
            let QueryContext { caching, stop, .. } = context;
            let scoring = Scoring { engine, caching, stop, threads: self.threads };
            let rerank = Rerank { scoring, query };
            reranked = rerank.rerank(&mut self.reranker, &mut hits[..top])?;
        }
        hits.truncate(request.k);
        hits.iter_mut().zip(1..).for_each(|(hit, rank)| hit.rank = rank);

        let embedded = scores.dense.as_ref().map(|dense| &dense.embedded);
        let mut response = Response {
            hits,
            timings: scores.timings(start),
            embed_hits: embedded.map_or(0, |embedded| u64::from(embedded.is_cached)),
            embed_misses: embedded.map_or(0, |embedded| u64::from(!embedded.is_cached)),
            notes: scores.notes.clone(),
            rerank_hits: reranked.hits,
            rerank_misses: reranked.misses,
            ..Response::empty(engine, snapshot.meta(), query, request)
        };
        response.risk.nearness = Exemplars::of(&snapshot.meta().model.fingerprint)
            .zip(embedded)
            .map(|(exemplars, embedded)| exemplars.nearness(embedded.vector.as_slice()));
        log(&response, request.rerank);
        self.vectors.remember(query, scores.dense.map(|dense| dense.embedded.vector));
        Ok(response)
    }
}

fn fuse(candidates: &Candidates, dense_weight: f64, depth: usize) -> Vec<Fused> {
    let ranking = rank::fuse(candidates, Fusion { dense_weight }, depth);
    telemetry::trace!(
        lexical = candidates.lexical.is_some(),
        dense = candidates.dense.is_some(),
        candidates = candidates.ordinals.len(),
        dense_weight,
        "fused"
    );
    ranking
}

/// The documents and chunks that a filter leaves. The result for the last filter is kept in `last`.
fn apply_filter<'a>(
    snapshot: &Snapshot,
    filter: &Filter,
    last: &'a mut Option<(String, Allowed)>,
) -> Result<&'a Allowed> {
    let key = filter.key();
    let entry = match last.take_if(|(other, _)| *other == key) {
        Some(entry) => entry,
        None => (key, snapshot.allowed(filter)?),
    };
    Ok(&last.insert(entry).1)
}

fn log(response: &Response, rerank: usize) {
    telemetry::debug!(
        index = response.index.as_str(),
        mode = response.mode.name(),
        hits = response.hits.len(),
        rerank,
        risk = response.risk.level().name(),
        embedding_ms = response.timings.embedding_ms,
        search_ms = response.timings.search_ms,
        total_ms = response.timings.total_ms,
        "searched"
    );
}
