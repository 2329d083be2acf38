//! The extractive generator, and what its answers depend on beside their evidence.
//!
//! How rare a word is changes a little with every document. An answer sees rarity in coarse steps
//! only and remembers each that it asked for, so that a kept answer holds exactly as long as the
//! corpus of today gives the same steps.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::{Asked, CacheUse};
use crate::answer::{self, Evidence, Options, Tools};
use crate::config::Mode;
use crate::document::Answer;
use crate::engine::Engine;
use crate::error::{Fault, Result};
use crate::index::Snapshot;
use crate::search::Vectors;

/// Steps between a word that every passage has and one that none has. On `XQuAD` answers are as
/// good with 5 as with 1,000, and worse with 3.
const STEPS: f64 = 5.0;

/// A term that no text has: every term of a text has a letter or a digit in it.
const ABSENT: &str = "\u{1}";

/// Weights of terms in one index, for those who ask through a function, which has no way to tell of
/// a fault.
pub(super) struct Weights<'a> {
    snapshot: &'a Snapshot,
    /// The first one.
    fault: RefCell<Option<Fault>>,
}

impl<'a> Weights<'a> {
    pub fn new(snapshot: &'a Snapshot) -> Self {
        Self { snapshot, fault: RefCell::default() }
    }

    /// Inverse document frequency; 0 where the index reports a fault.
    pub fn of(&self, term: &str) -> f64 {
        self.snapshot.term_weight(term).unwrap_or_else(|fault| {
            self.fault.borrow_mut().get_or_insert(fault);
            0.0
        })
    }

    /// # Errors
    /// The first fault that the index reported.
    pub fn finish(self) -> Result<()> {
        self.fault.into_inner().map_or(Ok(()), Err)
    }
}

/// How rare terms are in one index, in steps.
pub(super) struct Rarity<'a> {
    weights: Weights<'a>,
    largest: f64,
    asked: RefCell<BTreeMap<String, u8>>,
}

impl<'a> Rarity<'a> {
    pub fn new(snapshot: &'a Snapshot) -> Self {
        let weights = Weights::new(snapshot);
        let largest = weights.of(ABSENT).max(f64::MIN_POSITIVE);
        Self { weights, largest, asked: RefCell::default() }
    }

    /// How rare a term is, from 0 to 1, in a corpus whose size is rounded up to a power of two: a
    /// passage more then seldom changes the rarity of words that it does not have. `weight` is
    /// ln((N + 1) / (n + ½)) for n of N passages.
    fn share(&self, weight: f64) -> f64 {
        let passages = (0.5 * self.largest.exp()).round();
        let size = passages.log2().ceil().exp2();
        let having = passages / weight.exp();
        ((size / having).ln() / (2.0 * size).ln()).clamp(0.0, 1.0)
    }

    /// From 0, a word of every passage, to 5, a word of none.
    fn step(&self, term: &str) -> u8 {
        let weight = self.weights.of(term);
        let share = self.share(weight);
        // What occurs somewhere is never taken for what occurs nowhere.
        let step = (share * STEPS).round();
        if weight < self.largest { step.min(STEPS - 1.0) as u8 } else { STEPS as u8 }
    }

    fn weight(&self, term: &str) -> f64 {
        let step = self.step(term);
        self.asked.borrow_mut().insert(term.to_owned(), step);
        f64::from(step) / STEPS
    }

    /// Whether each term is as rare as it was.
    pub fn is_still(&self, asked: &[(String, u8)]) -> bool {
        asked.iter().all(|(term, step)| self.step(term) == *step)
    }

    /// What was asked for.
    ///
    /// # Errors
    /// The first fault that the index reported.
    pub fn finish(self) -> Result<Vec<(String, u8)>> {
        self.weights.finish()?;
        Ok(self.asked.into_inner().into_iter().collect())
    }
}

/// Answers from sentences of the evidence.
pub(super) fn answer(
    engine: &Engine,
    (snapshot, vectors): (&Snapshot, &mut Vectors),
    rarity: Rarity<'_>,
    question: &Asked<'_>,
    evidence: &[Evidence],
    options: &Options,
    cache: &mut CacheUse,
) -> Result<(Answer, Vec<(String, u8)>)> {
    let languages = snapshot.meta().query_languages();
    let vectors = RefCell::new((vectors, cache));
    let similarity = |texts: &[String]| {
        let (vectors, cache) = &mut *vectors.borrow_mut();
        let (caching, stop) = (question.request.caching, &question.stop);
        let similar =
            vectors.similarities(engine, snapshot, &question.resolved, texts, caching, stop)?;
        cache.embed_hits += similar.hits;
        cache.embed_misses += similar.misses;
        Ok(similar.cosines)
    };
    let tools = Tools {
        weight: &|term| rarity.weight(term),
        languages: &languages,
        similarity: (engine.config.search_mode != Mode::Lexical).then_some(&similarity),
    };
    let answer = answer::answer(&question.resolved, evidence, &tools, options)?;
    Ok((answer, rarity.finish()?))
}
