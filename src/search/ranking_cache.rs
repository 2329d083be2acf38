//! Rankings in the cache, keyed by everything that they depend on.

use super::request::Request;
use crate::analysis;
use crate::cache::{Key, Ranking};
use crate::disk::Blake;
use crate::document::{Hit, Note};
use crate::engine::Engine;
use crate::index::Meta;

/// Version of the ranking. Raise it when the same query, corpus and settings may rank differently
/// than before, when hits have other fields, or when exemplars of risks change.
const RANKING_VERSION: u32 = 12;

/// The place of one request's ranking in the cache.
pub(super) struct CachedRanking<'a> {
    engine: &'a Engine,
    request: &'a Request,
    /// Identifies the content of the index, whatever the index is called.
    corpus: &'a str,
    key: Key,
}

impl<'a> CachedRanking<'a> {
    /// `query` is the trimmed query of `request`.
    pub fn new(engine: &'a Engine, meta: &'a Meta, query: &str, request: &'a Request) -> Self {
        let corpus = meta.content_id.as_ref().unwrap_or(&meta.corpus_id);
        let key = key(engine, meta, corpus, query, request);
        Self { engine, request, corpus, key }
    }

    /// Whether [`CachedRanking::read`] would find a ranking.
    pub fn exists(&self) -> bool {
        self.request.caching.reads()
            && self.engine.cache().has_ranking(&self.key, self.corpus, self.engine.now_s())
    }

    pub fn read(&self) -> Option<Ranking> {
        if !self.request.caching.reads() {
            return None;
        }
        self.engine.cache().ranking(&self.key, self.corpus, self.engine.now_s())
    }

    /// Stores the parts of a [`Ranking`].
    pub fn write(self, hits: &[Hit], notes: &[Note], nearness: Option<f32>) {
        if self.request.caching.writes() {
            let (cache, now_s) = (self.engine.cache(), self.engine.now_s());
            let place = (&*self.engine.config.index, self.corpus);
            cache.put_ranking(self.key, place, (hits, notes, nearness), now_s);
        }
    }
}

/// Digest of everything that a ranking depends on.
fn key(engine: &Engine, meta: &Meta, corpus: &str, query: &str, request: &Request) -> Key {
    // A filter reads the document table, which holds modification times. The corpus id does not
    // depend on those.
    let (filter, table) = match &request.filter {
        None => (String::new(), ""),
        Some(filter) => (filter.key(), meta.table_sha256()),
    };
    let mut roots = Blake::new(32);
    meta.roots.iter().for_each(|root| roots.add(root.given.as_bytes()));
    // When the model cannot be opened, the search fails and stores nothing.
    let (rerank_weight, reranker) = match request.rerank {
        0 => (0.0, ""),
        _ => (
            engine.config.rerank_weight,
            engine.reranker().map_or("", |files| files.fingerprint.as_str()),
        ),
    };
    Key::of(
        "retrieval v1",
        [
            &RANKING_VERSION.to_le_bytes()[..],
            &analysis::VERSION.to_le_bytes(),
            query.as_bytes(),
            corpus.as_bytes(),
            &roots.finish::<32>(),
            meta.model.fingerprint.as_bytes(),
            request.mode.name().as_bytes(),
            &(request.k as u64).to_le_bytes(),
            &engine.config.dense_weight.to_bits().to_le_bytes(),
            filter.as_bytes(),
            table.as_bytes(),
            &[u8::from(meta.pending > 0)],
            &(request.rerank as u64).to_le_bytes(),
            &rerank_weight.to_bits().to_le_bytes(),
            reranker.as_bytes(),
            // Engines may propose other candidates.
            engine.store.nearest().name().as_bytes(),
        ],
    )
}
