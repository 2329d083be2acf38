//! The two retrievers: BM25 and cosine scores of every chunk.

use std::time::Instant;

use super::embed::{Embedded, QueryContext, Vectors};
use super::prefetch::Prefetched;
use super::response::{Timings, milliseconds};
use crate::analysis;
use crate::config::Mode;
use crate::error::{Fault, Result};
use crate::model::EmbeddingRole;
use crate::rank::{self, Fusion};

/// Top passages that may explain an acronym of the query.
const EXPLAINING: usize = 5;

/// Score of a chunk that the lexical retriever does not match.
const NO_LEXICAL: f32 = 0.0;
/// Score of a chunk that the dense retriever leaves out.
const NO_DENSE: f32 = f32::NAN;

/// One query, ready for the retrievers.
pub(super) struct Retrieval<'a> {
    pub context: QueryContext<'a>,
    pub query: &'a str,
    pub mode: Mode,
    /// By ordinal: the chunks that the filter leaves; `None` without a filter.
    pub allowed: Option<&'a [bool]>,
    pub threads: usize,
}

/// Scores by ordinal; `None` for a retriever that did not run.
pub(super) struct Scores {
    /// BM25; 0 where a chunk does not match or the filter excludes it.
    pub lexical: Option<Vec<f32>>,
    /// Cosine; NaN where a chunk is deleted, excluded by the filter or lacks a quoted phrase.
    pub dense: Option<Vec<f32>>,
    /// The query's vector, when the dense retriever ran.
    pub embedded: Option<Embedded>,
    /// When the query's vector was there.
    scan: Instant,
    /// Share of a prefetch in comparing vectors; `None` without one.
    prefetch_scan_ms: Option<f64>,
}

impl Scores {
    /// Timings of a search that began at `start` and is done now.
    pub fn timings(&self, start: Instant) -> Timings {
        let total_ms = milliseconds(start);
        let Some(embedded) = &self.embedded else {
            return Timings { embedding_ms: 0.0, search_ms: total_ms, total_ms };
        };
        let prefetch_ms = self.prefetch_scan_ms.map_or(0.0, |scan| embedded.milliseconds + scan);
        Timings {
            embedding_ms: embedded.milliseconds,
            search_ms: milliseconds(self.scan) + self.prefetch_scan_ms.unwrap_or(0.0),
            total_ms: total_ms + prefetch_ms,
        }
    }
}

impl Retrieval<'_> {
    /// Whether the dense retriever runs: the mode wants it and the index has its vectors.
    ///
    /// # Errors
    /// When the mode is dense alone and the index has no vectors yet.
    fn is_dense(&self) -> Result<bool> {
        let has_vectors = self.context.snapshot.meta().pending == 0;
        if self.mode == Mode::Dense && !has_vectors {
            let index = &self.context.engine.config.index;
            return Err(Fault::failed(format!("the index `{index}` has no vectors yet"))
                .hint("use `--mode lexical` or `--mode hybrid` until it has them"));
        }
        Ok(self.mode != Mode::Lexical && has_vectors)
    }

    /// Runs the retrievers. Dense scores come from `prefetched` if that has the query.
    pub fn scores(
        &self,
        vectors: &mut Vectors,
        prefetched: &mut Vec<Prefetched>,
    ) -> Result<Scores> {
        let is_dense = self.is_dense()?;
        let at = prefetched.iter().position(|other| is_dense && other.query == self.query);
        let prefetched = at.map(|at| prefetched.swap_remove(at));
        let QueryContext { engine, snapshot, stop, .. } = self.context;
        let languages = snapshot.meta().query_languages();
        let terms =
            (self.mode != Mode::Dense).then(|| analysis::query_terms(self.query, &languages));
        let needs_vector = is_dense && prefetched.is_none();
        let (lexical, embedded) =
            self.lexical_and_vector(terms.as_ref(), &languages, needs_vector, vectors)?;
        engine.check_stop(stop)?;
        let scan = Instant::now();
        let mut scores = Scores { lexical, dense: None, embedded, scan, prefetch_scan_ms: None };
        if let Some(prefetched) = prefetched {
            scores.dense = Some(prefetched.cosines);
            scores.embedded = Some(prefetched.embedded);
            scores.prefetch_scan_ms = Some(prefetched.scan_ms);
        } else if let Some(embedded) = &scores.embedded {
            let query_vector = embedded.vector.as_slice();
            scores.dense = snapshot.dense_scores(&[query_vector], self.threads)?.pop();
        }
        if let Some(dense) = &mut scores.dense {
            if let Some(allowed) = self.allowed {
                mask(dense, allowed, NO_DENSE);
            }
            // A quoted phrase must occur, however close the vectors are.
            if terms.is_some_and(|terms| !terms.phrases.is_empty())
                && let Some(lexical) = &scores.lexical
            {
                let matches: Vec<bool> = lexical.iter().map(|score| *score > 0.0).collect();
                mask(dense, &matches, NO_DENSE);
            }
        }
        engine.check_stop(stop)?;
        Ok(scores)
    }

    /// Lexical scores, and the query's vector if it `needs_vector`. Loading the model takes longer
    /// than anything else, so both run at once, unless the model is loaded and other queries use
    /// the other cores.
    fn lexical_and_vector(
        &self,
        terms: Option<&analysis::Query>,
        languages: &[&str],
        needs_vector: bool,
        vectors: &mut Vectors,
    ) -> Result<(Option<Vec<f32>>, Option<Embedded>)> {
        let lexical = || terms.map(|terms| self.lexical(terms, languages)).transpose();
        let is_parallel = needs_vector && (self.threads > 1 || !vectors.is_loaded());
        let mut embed = || vectors.embed(self.context, EmbeddingRole::Query, self.query);
        if !is_parallel {
            let lexical = lexical()?;
            return Ok((lexical, needs_vector.then(embed).transpose()?));
        }
        std::thread::scope(|scope| {
            let embedding = scope.spawn(&mut embed);
            let lexical = lexical();
            let embedded = embedding
                .join()
                .unwrap_or_else(|_| Err(Fault::failed("embedding the question failed")));
            Ok((lexical?, Some(embedded?)))
        })
    }

    /// BM25 scores. A short query is extended by the long forms of its acronyms, as the top
    /// passages explain them.
    fn lexical(&self, terms: &analysis::Query, languages: &[&str]) -> Result<Vec<f32>> {
        let scores = self.bm25(terms)?;
        if !analysis::may_expand(terms) {
            return Ok(scores);
        }
        let top = rank::fuse(Some(&scores), None, Fusion { dense_weight: 0.0 }, EXPLAINING);
        // Ties are never cut, so many equal scores give many passages, and none stands out.
        if top.len() > 2 * EXPLAINING {
            return Ok(scores);
        }
        let mut texts: Vec<String> = top
            .iter()
            .map(|fused| Ok(self.context.snapshot.fetch(fused.ordinal)?.chunk.text))
            .collect::<Result<_>>()?;
        // Ordinals depend on the history of the index; texts do not.
        texts.sort_unstable();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let mut expanded = terms.clone();
        if analysis::expand(&mut expanded, self.query, &texts, languages) {
            self.bm25(&expanded)
        } else {
            Ok(scores)
        }
    }

    fn bm25(&self, terms: &analysis::Query) -> Result<Vec<f32>> {
        let mut scores = self.context.snapshot.lexical_scores(terms)?;
        if let Some(allowed) = self.allowed {
            mask(&mut scores, allowed, NO_LEXICAL);
        }
        Ok(scores)
    }
}

/// Sets every score that is not allowed to `none`.
fn mask(scores: &mut [f32], allowed: &[bool], none: f32) {
    for (score, is_allowed) in scores.iter_mut().zip(allowed) {
        if !is_allowed {
            *score = none;
        }
    }
}
