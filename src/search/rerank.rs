//! The second look at the best passages of a ranking, through the cache.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::load;
use crate::cache::{Caching, Key};
use crate::document::{Contributions, Hit, context_line, embedded_text};
use crate::engine::{Engine, Stop};
use crate::error::Result;
use crate::index::Snapshot;
use crate::model::{Embedder, EmbeddingRole};
use crate::rank::{self, LATE_VERSION};

/// Fewer passages than this do not pay for loading another network.
const PASSAGES_PER_NETWORK: usize = 8;

/// Looks that were in the cache, and that were not.
#[derive(Clone, Copy, Default)]
pub(super) struct Looked {
    pub hits: u64,
    pub misses: u64,
}

/// What a second look works with.
pub(super) struct Look<'a> {
    pub engine: &'a Engine,
    pub snapshot: &'a Snapshot,
    pub question: &'a str,
    pub caching: Caching,
    pub stop: &'a Stop,
    /// Networks that may run side by side; never changes a result.
    pub threads: usize,
}

impl Look<'_> {
    /// Scores `hits` anew and puts them in their new order. Equals stay as they stood.
    pub fn rerank(&self, embedder: &mut Option<Embedder>, hits: &mut [Hit]) -> Result<Looked> {
        let passage = |hit: &Hit| {
            embedded_text(&context_line(hit.title.as_deref(), &hit.chunk.heading), &hit.chunk.text)
        };
        let texts: Vec<String> = hits.iter().map(passage).collect();
        let (looks, looked) = self.scores(embedder, &texts)?;
        let mut candidates: Vec<(f64, Contributions)> =
            hits.iter().map(|hit| (hit.score, hit.contributions)).collect();
        rank::blend(&mut candidates, &looks, self.engine.config.rerank_weight);
        for (hit, (score, legs)) in hits.iter_mut().zip(candidates) {
            (hit.score, hit.contributions) = (score, legs);
        }
        hits.sort_by(|a, b| b.score.total_cmp(&a.score));
        Ok(looked)
    }

    /// The score of each text, from the cache or by the model, which is not loaded when all were
    /// kept.
    fn scores(
        &self,
        embedder: &mut Option<Embedder>,
        texts: &[String],
    ) -> Result<(Vec<f64>, Looked)> {
        let model = &self.snapshot.meta().model.fingerprint;
        let (cache, now_s) = (self.engine.cache(), self.engine.now_s());
        let keys: Vec<Key> = texts
            .iter()
            .map(|text| Key::rerank(model, LATE_VERSION, self.question, text))
            .collect();
        let kept = |key: &Key| {
            self.caching.reads().then(|| cache.rerank_score(key, model, now_s)).flatten()
        };
        let mut scores: Vec<Option<f64>> = keys.iter().map(kept).collect();
        let missing: Vec<usize> = (0..texts.len()).filter(|i| scores[*i].is_none()).collect();
        let looked =
            Looked { hits: (texts.len() - missing.len()) as u64, misses: missing.len() as u64 };
        if !missing.is_empty() {
            let embedder = match embedder {
                Some(embedder) => embedder,
                none => none.insert(load(self.engine, self.snapshot)?),
            };
            for (i, score) in self.computed(embedder, texts, &missing)? {
                if self.caching.writes() {
                    cache.put_rerank_score(keys[i], model, score, now_s);
                }
                scores[i] = Some(score);
            }
        }
        Ok((scores.into_iter().flatten().collect(), looked))
    }

    /// The scores of the texts at `missing`, each with its index, in no order.
    fn computed(
        &self,
        embedder: &mut Embedder,
        texts: &[String],
        missing: &[usize],
    ) -> Result<Vec<(usize, f64)>> {
        let question = &embedder.token_vectors(EmbeddingRole::Query, self.question)?;
        let next = AtomicUsize::new(0);
        let threads = self.threads.min(missing.len().div_ceil(PASSAGES_PER_NETWORK));
        let shares = embedder.side_by_side(threads, |tokens| {
            let mut share = Vec::new();
            while let Some(i) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
                self.engine.check_stop(self.stop)?;
                share.push((
                    *i,
                    rank::late_interaction(question, &tokens(EmbeddingRole::Passage, &texts[*i])?),
                ));
            }
            Ok(share)
        })?;
        Ok(shares.concat())
    }
}
