//! The extractive generator and the rarity of words, the one thing beside the evidence that its
//! answers depend on.
//!
//! The rarity of a word changes a little with every document. An answer sees it in coarse steps
//! only and lists each step that it read, so a cached answer is valid as long as today's corpus
//! gives the same steps.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use super::draft::{CacheEntry, Draft, record};
use super::question::ResolvedQuestion;
use crate::analysis;
use crate::answer::{self, Evidence, Inspected, Options, Tools};
use crate::cache::CachedAnswer;
use crate::config::{Generator, Mode};
use crate::engine::{Engine, QueryStage};
use crate::error::{Fault, Result};
use crate::index::Snapshot;
use crate::rank;
use crate::search::{QueryContext, Searcher};

/// Version of extractive answers. Raise it when the same evidence may give another answer.
const EXTRACTIVE_VERSION: u32 = 15;

/// Steps between a word that every passage has and a word that none has. On `XQuAD`, as
/// `answer/tests/measure.rs` counts right answers, 5 steps do as well as 1,000, and 3 do worse.
/// The cosine of an unrelated passage is seen in as many steps from 0 to 1.
const STEPS: f64 = 5.0;

/// A term that no text has: every term of a text has a letter or a digit in it.
const ABSENT: &str = "\u{1}";

/// Term weights of one index, for callers that cannot return a fault.
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

/// Rarity of terms in one index, in steps.
struct Rarity<'a> {
    weights: Weights<'a>,
    largest: f64,
    /// The steps read so far.
    read: RefCell<BTreeMap<String, u8>>,
}

impl<'a> Rarity<'a> {
    fn new(snapshot: &'a Snapshot) -> Self {
        let weights = Weights::new(snapshot);
        let largest = weights.of(ABSENT).max(f64::MIN_POSITIVE);
        Self { weights, largest, read: RefCell::default() }
    }

    /// Rarity from 0 to 1 of a term with this weight, in a corpus whose size is rounded up to a
    /// power of two: one more passage then seldom changes the rarity of words that it lacks.
    /// `weight` is ln((N + 1) / (n + ½)) for n of N passages.
    fn share(&self, weight: f64) -> f64 {
        let passages = (0.5 * self.largest.exp()).round();
        let size = passages.log2().ceil().exp2();
        let having = passages / weight.exp();
        ((size / having).ln() / (2.0 * size).ln()).clamp(0.0, 1.0)
    }

    /// From 0, a word of every passage, to 5, a word of none.
    fn step(&self, term: &str) -> u8 {
        let weight = self.weights.of(term);
        let step = (self.share(weight) * STEPS).round();
        // A word that occurs somewhere never counts as absent.
        if weight < self.largest { step.min(STEPS - 1.0) as u8 } else { STEPS as u8 }
    }

    fn weight(&self, term: &str) -> f64 {
        let step = self.step(term);
        self.read.borrow_mut().insert(term.to_owned(), step);
        f64::from(step) / STEPS
    }

    /// Whether each term still has the step that it had.
    fn is_unchanged(&self, steps: &[(String, u8)]) -> bool {
        steps.iter().all(|(term, step)| self.step(term) == *step)
    }

    /// The steps that were read.
    ///
    /// # Errors
    /// The first fault that the index reported.
    fn finish(self) -> Result<Vec<(String, u8)>> {
        self.weights.finish()?;
        Ok(self.read.into_inner().into_iter().collect())
    }
}

/// Answers with sentences of the evidence, from the cache where possible.
pub(super) fn answer(
    engine: &Engine,
    searcher: &mut Searcher,
    question: &ResolvedQuestion<'_>,
    evidence: &[Evidence],
) -> Result<Draft> {
    let request = question.request;
    let (snapshot, _) = searcher.split();
    let meta = snapshot.meta();
    let languages = meta.query_languages();
    let key = question.key(
        evidence,
        &languages,
        &[
            Generator::Extractive.name().as_bytes(),
            &EXTRACTIVE_VERSION.to_le_bytes(),
            &analysis::VERSION.to_le_bytes(),
            meta.model.fingerprint.as_bytes(),
            engine.config.search_mode.name().as_bytes(),
            &(engine.config.ask_max_words as u64).to_le_bytes(),
            &zero(evidence).to_le_bytes(),
        ],
    );
    let scope = Generator::Extractive.name();
    let entry = CacheEntry { engine, key, scope, caching: request.caching };
    let rarity = Rarity::new(snapshot);
    if let Some(draft) = entry.read(evidence, |record| rarity.is_unchanged(&record.rarity)) {
        rarity.finish()?;
        return Ok(draft);
    }
    rarity.finish()?;

    let options = question.options(engine);
    let text = question.corrected();
    let made = with_tools(engine, searcher, question, evidence, |tools| {
        answer::answer(&text, evidence, tools, &options)
    })?;
    let Made { result: answer, rarity, embed_hits, embed_misses } = made;
    let record = CachedAnswer { rarity, ..record(&answer, evidence) };
    entry.write(&record, evidence);
    Ok(Draft { embed_hits, embed_misses, ..Draft::new(answer, record) })
}

/// What the learned choice sees of a question.
///
/// # Errors
/// Whatever keeps the index or the model from being read.
pub(super) fn inspect(
    engine: &Engine,
    searcher: &mut Searcher,
    question: &ResolvedQuestion<'_>,
    evidence: &[Evidence],
    max_compared: usize,
) -> Result<Vec<Inspected>> {
    let options = Options { max_compared, ..question.options(engine) };
    let text = question.corrected();
    let made = with_tools(engine, searcher, question, evidence, |tools| {
        answer::inspect(&text, evidence, tools, &options)
    })?;
    Ok(made.result)
}

/// What was made with the tools, and what it depends on and cost.
struct Made<T> {
    result: T,
    rarity: Vec<(String, u8)>,
    embed_hits: u64,
    embed_misses: u64,
}

/// Hands the measurements of an open index to `make`.
fn with_tools<T>(
    engine: &Engine,
    searcher: &mut Searcher,
    question: &ResolvedQuestion<'_>,
    evidence: &[Evidence],
    make: impl FnOnce(&Tools<'_>) -> Result<T>,
) -> Result<Made<T>> {
    let request = question.request;
    let stop = &request.stop.stage(QueryStage::Generation);
    let (snapshot, vectors) = searcher.split();
    let languages = snapshot.meta().query_languages();
    let rarity = Rarity::new(snapshot);
    let context = QueryContext { engine, snapshot, caching: request.caching, stop };
    let vectors = RefCell::new(vectors);
    let embeds = Cell::new((0, 0));
    let similarity = |texts: &[String]| {
        let found = vectors.borrow_mut().similarities(context, &question.resolved, texts)?;
        let (hits, misses) = embeds.get();
        embeds.set((hits + found.hits, misses + found.misses));
        Ok(found.cosines)
    };
    let tools = Tools {
        weight: &|term| rarity.weight(term),
        languages: &languages,
        n_corrected: question.corrections.len(),
        zero: zero(evidence),
        similarity: (engine.config.search_mode != Mode::Lexical).then_some(&similarity),
    };
    let result = make(&tools)?;
    let (embed_hits, embed_misses) = embeds.get();
    Ok(Made { result, rarity: rarity.finish()?, embed_hits, embed_misses })
}

/// The cosine of an unrelated passage, in steps: a new document seldom moves it by one.
fn zero(evidence: &[Evidence]) -> f64 {
    let dense = evidence.iter().find_map(|piece| piece.hit.contributions.dense.as_ref());
    dense.map_or(0.0, |dense| (rank::zero(dense) * STEPS).round() / STEPS)
}
