//! Reranks the top passages by a cross-encoder, through the cache.

use crate::cache::{Caching, Key};
use crate::document::{Contributions, Hit, context_line, embedded_text};
use crate::engine::{Engine, Stop};
use crate::error::Result;
use crate::model::CrossEncoder;
use crate::rank;

/// Scores found in the cache, and computed.
#[derive(Clone, Copy, Default)]
pub(super) struct CacheCounts {
    pub hits: u64,
    pub misses: u64,
}

/// How a query is scored with passages.
#[derive(Clone, Copy)]
pub struct Scoring<'a> {
    pub engine: &'a Engine,
    pub caching: Caching,
    pub stop: &'a Stop,
    /// Networks that may run in parallel; never changes a result.
    pub threads: usize,
}

/// A query whose top passages are reranked.
pub(super) struct Rerank<'a> {
    pub scoring: Scoring<'a>,
    pub query: &'a str,
}

impl Rerank<'_> {
    /// Blends the cross-encoder's scores into the scores of `hits` and sorts them again. Equal
    /// scores keep their order. `encoder` is loaded if necessary.
    ///
    /// # Errors
    /// Whatever keeps the model from being used, and the deadline of the query: a ranking has all
    /// scores or is none, so it does not depend on the clock.
    pub fn rerank(
        &self,
        encoder: &mut Option<CrossEncoder>,
        hits: &mut [Hit],
    ) -> Result<CacheCounts> {
        let texts: Vec<String> = hits.iter().map(passage_text).collect();
        let (scores, counts) = self.scoring.counted(encoder, self.query, &texts)?;
        let mut candidates: Vec<(f64, Contributions)> =
            hits.iter().map(|hit| (hit.score, hit.contributions)).collect();
        rank::blend(&mut candidates, &scores, self.scoring.engine.config.rerank_weight);
        for (hit, (score, contributions)) in hits.iter_mut().zip(candidates) {
            (hit.score, hit.contributions) = (score, contributions);
        }
        hits.sort_by(|a, b| b.score.total_cmp(&a.score));
        Ok(counts)
    }
}

impl Scoring<'_> {
    /// The score of each text for `query`. `encoder` is loaded if necessary.
    ///
    /// # Errors
    /// As `Rerank::rerank`.
    pub fn scores(
        &self,
        encoder: &mut Option<CrossEncoder>,
        query: &str,
        texts: &[String],
    ) -> Result<Vec<f64>> {
        Ok(self.counted(encoder, query, texts)?.0)
    }

    /// As [`Scoring::scores`]. The model is loaded only when the cache lacks a score.
    fn counted(
        &self,
        encoder: &mut Option<CrossEncoder>,
        query: &str,
        texts: &[String],
    ) -> Result<(Vec<f64>, CacheCounts)> {
        let Self { engine, caching, stop, threads } = *self;
        let model = &engine.reranker()?.fingerprint;
        let (cache, now_s) = (engine.cache(), engine.now_s());
        let keys: Vec<Key> = texts.iter().map(|text| Key::rerank(model, query, text)).collect();
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
            let encoder = match encoder {
                Some(encoder) => encoder,
                none => none.insert(engine.load_reranker()?),
            };
            let passages: Vec<&str> = missing.iter().map(|i| texts[*i].as_str()).collect();
            let check_stop = || engine.check_stop(stop);
            let computed = encoder.scores(query, &passages, threads, &check_stop)?;
            for (i, score) in missing.into_iter().zip(computed) {
                if caching.writes() {
                    cache.put_rerank_score(keys[i], model, score, now_s);
                }
                scores[i] = Some(score);
            }
        }
        Ok((scores.into_iter().flatten().collect(), counts))
    }
}

/// The text of a passage as the model reads it: with title and headings.
fn passage_text(hit: &Hit) -> String {
    embedded_text(&context_line(hit.title.as_deref(), &hit.chunk.heading), &hit.chunk.text)
}
