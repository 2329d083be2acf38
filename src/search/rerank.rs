//! Late-interaction rerank of the top passages, through the cache.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::embed::{QueryContext, Vectors};
use crate::cache::Key;
use crate::document::{Contributions, Hit, context_line, embedded_text};
use crate::error::Result;
use crate::model::{Embedder, EmbeddingRole};
use crate::rank::{self, LATE_VERSION};

/// Passages that pay for loading another copy of the network.
const PASSAGES_PER_NETWORK: usize = 8;

/// Scores found in the cache, and computed.
#[derive(Clone, Copy, Default)]
pub(super) struct CacheCounts {
    pub hits: u64,
    pub misses: u64,
}

/// A query whose top passages are reranked.
pub(super) struct Rerank<'a> {
    pub context: QueryContext<'a>,
    pub query: &'a str,
    /// Networks that may run in parallel; never changes a result.
    pub threads: usize,
}

impl Rerank<'_> {
    /// Blends late-interaction scores into the scores of `hits` and sorts them again. Equal scores
    /// keep their order.
    pub fn rerank(&self, vectors: &mut Vectors, hits: &mut [Hit]) -> Result<CacheCounts> {
        let texts: Vec<String> = hits.iter().map(passage_text).collect();
        let (scores, counts) = self.scores(vectors, &texts)?;
        let mut candidates: Vec<(f64, Contributions)> =
            hits.iter().map(|hit| (hit.score, hit.contributions)).collect();
        rank::blend(&mut candidates, &scores, self.context.engine.config.rerank_weight);
        for (hit, (score, contributions)) in hits.iter_mut().zip(candidates) {
            (hit.score, hit.contributions) = (score, contributions);
        }
        hits.sort_by(|a, b| b.score.total_cmp(&a.score));
        Ok(counts)
    }

    /// The score of each text. The model is loaded only when the cache lacks a score.
    fn scores(&self, vectors: &mut Vectors, texts: &[String]) -> Result<(Vec<f64>, CacheCounts)> {
        let QueryContext { engine, snapshot, caching, .. } = self.context;
        let model = &snapshot.meta().model.fingerprint;
        let (cache, now_s) = (engine.cache(), engine.now_s());
        let keys: Vec<Key> =
            texts.iter().map(|text| Key::rerank(model, LATE_VERSION, self.query, text)).collect();
        let mut scores: Vec<Option<f64>> = vec![None; texts.len()];
        if caching.reads() {
            scores = keys.iter().map(|key| cache.rerank_score(key, model, now_s)).collect();
        }
        let missing: Vec<usize> = (0..texts.len()).filter(|i| scores[*i].is_none()).collect();
        let counts = CacheCounts {
            hits: (texts.len() - missing.len()) as u64,
            misses: missing.len() as u64,
        };
        if !missing.is_empty() {
            let embedder = vectors.embedder(engine, snapshot)?;
            for (i, score) in self.compute(embedder, texts, &missing)? {
                if caching.writes() {
                    cache.put_rerank_score(keys[i], model, score, now_s);
                }
                scores[i] = Some(score);
            }
        }
        Ok((scores.into_iter().flatten().collect(), counts))
    }

    /// The scores of the texts at `missing`, each with its index, in no order.
    fn compute(
        &self,
        embedder: &mut Embedder,
        texts: &[String],
        missing: &[usize],
    ) -> Result<Vec<(usize, f64)>> {
        let query = &embedder.token_vectors(EmbeddingRole::Query, self.query)?;
        let next = AtomicUsize::new(0);
        let threads = self.threads.min(missing.len().div_ceil(PASSAGES_PER_NETWORK));
        let shares = embedder.run_parallel(threads, |tokens| {
            let mut share = Vec::new();
            while let Some(i) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
                self.context.engine.check_stop(self.context.stop)?;
                let passage = tokens(EmbeddingRole::Passage, &texts[*i])?;
                share.push((*i, rank::late_interaction(query, &passage)));
            }
            Ok(share)
        })?;
        Ok(shares.concat())
    }
}

/// The text of a passage as the model reads it: with title and headings.
fn passage_text(hit: &Hit) -> String {
    embedded_text(&context_line(hit.title.as_deref(), &hit.chunk.heading), &hit.chunk.text)
}
