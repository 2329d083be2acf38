//! The two retrievers, BM25 and cosine, and the passages that fusion compares: the best of each,
//! with the scores of both.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::embed::{Embedded, QueryContext, Vectors};
use super::prefetch::Prefetched;
use super::request::listed;
use super::response::{Timings, milliseconds};
use super::unknown::Unknown;
use crate::analysis::{self, Query};
use crate::config::{Mode, OnFailure};
use crate::document::Note;
use crate::error::{Fault, Kind, Result};
use crate::index::{Comparison, LexicalScores, Listed, Near, Nearest};
use crate::model::{EmbeddingRole, Tokenizer};
use crate::rank::{self, Candidates, Head, Lexical};
use crate::telemetry;

/// Top passages that may explain an acronym of the query.
const EXPLAINING: usize = 5;

/// One query, ready for the retrievers.
pub(super) struct Retrieval<'a> {
    pub context: QueryContext<'a>,
    pub query: &'a str,
    pub mode: Mode,
    /// By ordinal: the chunks that the filter leaves; `None` without a filter.
    pub allowed: Option<&'a [bool]>,
    /// Passages of the ranking wanted.
    pub depth: usize,
    pub comparison: Comparison,
    pub threads: usize,
}

/// Scores, and what of the query the index does not have.
type Noted = (LexicalScores, Vec<Note>);

/// What the retrievers found; `None` for one that did not run.
pub(super) struct Scores {
    pub lexical: Option<LexicalScores>,
    pub dense: Option<Dense>,
    pub notes: Vec<Note>,
    /// When the query's vector was there.
    scan: Instant,
    /// Share of a prefetch in comparing vectors; `None` without one.
    prefetch_scan_ms: Option<f64>,
}

/// What the dense retriever found.
pub(super) struct Dense {
    pub embedded: Embedded,
    pub nearest: Nearest,
}

impl Scores {
    /// Timings of a search that began at `start` and is done now.
    pub fn timings(&self, start: Instant) -> Timings {
        let total_ms = milliseconds(start);
        let Some(Dense { embedded, .. }) = &self.dense else {
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
        let (found, embedded) =
            self.lexical_and_vector(terms, &languages, needs_vector, vectors)?;
        let (lexical, notes) = found.unzip();
        let mut notes = notes.unwrap_or_default();
        engine.check_stop(stop)?;
        let scan = Instant::now();
        // A required phrase must occur, however close the vectors are.
        let quoting = lexical.as_ref().filter(|lexical| lexical.is_quotation);
        let quoting = quoting.map(LexicalScores::matching);
        let allowed = quoting.as_deref().or(self.allowed);
        let prefetch_scan_ms = prefetched.as_ref().map(|prefetched| prefetched.scan_ms);
        let listed = self.listed();
        let (embedded, nearest) = match prefetched {
            Some(found) => {
                let is_enough = allowed.is_none() && found.listed >= listed;
                (Some(found.embedded), is_enough.then_some(found.nearest))
            }
            None => (embedded, None),
        };
        let dense = match (embedded, nearest) {
            (Some(embedded), Some(nearest)) => Some(Dense { embedded, nearest }),
            (Some(embedded), None) => {
                let query = embedded.vector.as_slice();
                match snapshot.nearest_by(&[query], allowed, self.near(listed)) {
                    Ok(mut found) => found.pop().map(|nearest| Dense { embedded, nearest }),
                    Err(fault) if self.does_without_vectors(&fault) => {
                        telemetry::warn!(fault = fault.to_string(), "searching for words only");
                        notes.push(Note::WordsOnly);
                        None
                    }
                    Err(fault) => return Err(fault),
                }
            }
            (None, _) => None,
        };
        engine.check_stop(stop)?;
        Ok(Scores { lexical, dense, notes, scan, prefetch_scan_ms })
    }

    /// Whether words are enough where the engine with the vectors does not answer.
    fn does_without_vectors(&self, fault: &Fault) -> bool {
        let on_failure = self.context.engine.store.nearest().on_failure();
        fault.kind() == Kind::Outside
            && on_failure == OnFailure::Lexical
            && self.mode == Mode::Hybrid
    }

    /// Passages that each retriever lists.
    fn listed(&self) -> usize {
        listed(self.depth)
    }

    fn near(&self, wanted: usize) -> Near {
        Near { wanted, comparison: self.comparison, threads: self.threads }
    }

    /// What either retriever lists, with the scores of both.
    pub fn candidates(&self, scores: &Scores) -> Result<Candidates> {
        let wanted = self.listed();
        let in_words = scores.lexical.as_ref().map(|lexical| lexical.listed(wanted));
        let nearest = scores.dense.as_ref().map(|dense| &dense.nearest);
        let lists = [in_words.as_ref(), nearest.map(|nearest| &nearest.listed)];
        let listed = lists.into_iter().flatten().flat_map(|list| &list.best);
        let mut ordinals: Vec<u32> = listed.map(|(ordinal, _)| *ordinal).collect();
        ordinals.sort_unstable();
        ordinals.dedup();
        let head = |listed: &Listed| Head { n: wanted, least: listed.least() };
        let lexical = scores.lexical.as_ref().zip(in_words).map(|(lexical, listed)| Lexical {
            scores: ordinals.iter().map(|ordinal| lexical.of(*ordinal)).collect(),
            head: head(&listed),
            best: lexical.best(),
            known: lexical.known(),
        });
        let dense = match &scores.dense {
            None => None,
            Some(Dense { embedded, nearest }) => Some(rank::Dense {
                cosines: self.cosines(embedded.vector.as_slice(), &nearest.listed, &ordinals)?,
                head: head(&nearest.listed),
                spread: nearest.spread,
                known: {
                    let model = &self.context.snapshot.meta().model;
                    analysis::known_letters(self.query, &model.languages)
                },
            }),
        };
        Ok(Candidates { ordinals, lexical, dense })
    }

    /// The cosine of each of `ordinals`, of which some are `listed`.
    fn cosines(&self, query: &[f32], listed: &Listed, ordinals: &[u32]) -> Result<Vec<f32>> {
        let known: HashMap<u32, f32> = listed.best.iter().copied().collect();
        let unknown = ordinals.iter().filter(|ordinal| !known.contains_key(ordinal));
        let unknown: Vec<u32> = unknown.copied().collect();
        let mut others = self.context.snapshot.cosines(query, &unknown)?.into_iter();
        let cosine = |n: &u32| known.get(n).copied().or_else(|| others.next()).unwrap_or(f32::NAN);
        Ok(ordinals.iter().map(cosine).collect())
    }

    /// Lexical scores, and the query's vector if it `needs_vector`. Loading the model takes longer
    /// than anything else, so both run at once, unless the model is loaded and other queries use
    /// the other cores.
    fn lexical_and_vector(
        &self,
        terms: Option<Query>,
        languages: &[&str],
        needs_vector: bool,
        vectors: &mut Vectors,
    ) -> Result<(Option<Noted>, Option<Embedded>)> {
        let tokenizer = vectors.tokenizer();
        let lexical = || terms.map(|terms| self.lexical(terms, languages, tokenizer)).transpose();
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

    /// BM25 scores. Words that the index does not have are replaced. A short query is extended by
    /// the long forms of its acronyms, as the top passages explain them.
    fn lexical(
        &self,
        mut terms: Query,
        languages: &[&str],
        tokenizer: Option<Arc<Tokenizer>>,
    ) -> Result<Noted> {
        let mut scores = self.bm25(&terms)?;
        let mut notes: Vec<Note> = scores.missing.iter().cloned().map(Note::NoPhrase).collect();
        let unknown = Unknown {
            engine: self.context.engine,
            snapshot: self.context.snapshot,
            query: self.query,
            languages,
            corrects: self.mode != Mode::Lexical,
            tokenizer,
        };
        if unknown.replace(&mut terms, &scores.occurs, &mut notes)? {
            telemetry::expanded("replacement");
            scores = self.bm25(&terms)?;
        }
        Ok((self.with_acronyms(&terms, scores, languages)?, notes))
    }

    fn with_acronyms(
        &self,
        terms: &Query,
        scores: LexicalScores,
        languages: &[&str],
    ) -> Result<LexicalScores> {
        if !analysis::may_expand(terms) {
            return Ok(scores);
        }
        let top = scores.listed(EXPLAINING).best;
        // Ties are never cut, so many equal scores give many passages, and none stands out.
        if top.len() > 2 * EXPLAINING {
            return Ok(scores);
        }
        let mut texts: Vec<String> = top
            .iter()
            .map(|(ordinal, _)| Ok(self.context.snapshot.fetch(*ordinal)?.chunk.text))
            .collect::<Result<_>>()?;
        // Ordinals depend on the history of the index; texts do not.
        texts.sort_unstable();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let mut expanded = terms.clone();
        if analysis::expand(&mut expanded, self.query, &texts, languages) {
            telemetry::expanded("acronym");
            self.bm25(&expanded)
        } else {
            Ok(scores)
        }
    }

    fn bm25(&self, terms: &Query) -> Result<LexicalScores> {
        self.context.snapshot.lexical_scores(terms, self.allowed)
    }
}
