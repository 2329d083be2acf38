//! What a generator hands over, and how the cache stores it.
//!
//! The cache stores which piece of evidence each citation points to, not the passages. A cached
//! answer is rendered with the passages of the current evidence.

use std::collections::BTreeSet;

use super::response::Writing;
use crate::answer::Evidence;
use crate::cache::{CachedAnswer, Caching, Key, Origin};
use crate::document::{Answer, Citation};
use crate::engine::Engine;
use crate::naming;

/// An answer and how it was made.
pub(super) struct Draft {
    pub answer: Answer,
    /// The answer as the cache stores it, with the outcome of the checks.
    pub record: CachedAnswer,
    /// The answer came from the cache.
    pub is_cached: bool,
    /// The sources in the language model's prompt, now or when the answer was cached.
    pub sources: Vec<Evidence>,
    pub writing: Option<Writing>,
    /// Vectors found in the cache, and computed.
    pub embed_hits: u64,
    pub embed_misses: u64,
}

impl Draft {
    pub fn new(answer: Answer, record: CachedAnswer) -> Self {
        Self {
            answer,
            record,
            is_cached: false,
            sources: Vec::new(),
            writing: None,
            embed_hits: 0,
            embed_misses: 0,
        }
    }
}

/// The place of one answer in the cache.
pub(super) struct CacheEntry<'a> {
    pub engine: &'a Engine,
    pub key: Key,
    /// The generator, or its model.
    pub scope: &'a str,
    pub caching: Caching,
}

impl CacheEntry<'_> {
    /// The cached answer, when `is_valid` and when its citations fit the evidence.
    pub fn read(
        &self,
        evidence: &[Evidence],
        is_valid: impl Fn(&CachedAnswer) -> bool,
    ) -> Option<Draft> {
        if !self.caching.reads() {
            return None;
        }
        let mut answer = None;
        let cache = self.engine.cache();
        let record = cache.answer(&self.key, self.scope, self.engine.now_s(), |record| {
            answer = render(record, evidence);
            answer.is_some() && is_valid(record)
        })?;
        Some(Draft { is_cached: true, ..Draft::new(answer?, record) })
    }

    /// Stores an answer that was made from this evidence.
    pub fn write(self, record: &CachedAnswer, evidence: &[Evidence]) {
        if self.caching.writes() {
            let origin = origin(&self.engine.config.index, evidence);
            let record = CachedAnswer { origin: Some(origin), ..record.clone() };
            self.engine.cache().put_answer(self.key, self.scope, &record, self.engine.now_s());
        }
    }
}

fn origin(index: &str, evidence: &[Evidence]) -> Origin {
    let documents = evidence.iter().map(|piece| naming::name(&piece.hit.root, &piece.hit.path));
    let documents: BTreeSet<String> = documents.collect();
    Origin { index: index.to_owned(), documents: documents.into_iter().collect() }
}

/// The record of an answer; passages become indices of `evidence`.
pub(super) fn record(answer: &Answer, evidence: &[Evidence]) -> CachedAnswer {
    let index = |citation: &Citation| evidence.iter().position(|piece| piece.hit == citation.hit);
    let (sources, quoted) = answer
        .citations
        .iter()
        .filter_map(|citation| Some(((citation.n, index(citation)?), citation.quoted.clone())))
        .unzip();
    CachedAnswer {
        text: answer.text.clone(),
        supported: answer.supported,
        confidence: answer.confidence,
        sources,
        quoted,
        ..CachedAnswer::default()
    }
}

/// The answer of a record; `None` when it cites more than `evidence` has.
fn render(record: &CachedAnswer, evidence: &[Evidence]) -> Option<Answer> {
    let mut citations = Vec::with_capacity(record.sources.len());
    for (at, (n, index)) in record.sources.iter().enumerate() {
        let hit = evidence.get(*index)?.hit.clone();
        let quoted = record.quoted.get(at).cloned().unwrap_or_default();
        citations.push(Citation { n: *n, hit, quoted });
    }
    Some(Answer {
        text: record.text.clone(),
        supported: record.supported,
        confidence: record.confidence,
        citations,
    })
}
