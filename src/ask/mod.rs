//! A question in, an answer with its sources out.
//!
//! `question ─find→ hits ─choose→ evidence ─┬ answers kept for this question and this evidence ┬→ answer`
//! `                                        └ generate, keep                                    ┘`
//!
//! The answer is looked up after retrieval, by what it would be made of. A changed document changes the evidence; an
//! unrelated new one does not.

mod extract;

use std::time::Instant;

use crate::analysis;
use crate::answer::{self, Evidence, Intent, Options};
use crate::cache::{Caching, KeptAnswer, Key};
use crate::config::Generator;
use crate::disk::Blake;
use crate::document::{Answer, Citation, Hit};
use crate::engine::Engine;
use crate::error::Result;
use crate::search::{self, Searcher, milliseconds};
use extract::Rarity;

/// Version of what an extractive answer is made by; raise it when the same evidence may give another answer.
const EXTRACTIVE_VERSION: u32 = 1;

/// What is asked.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub question: String,
    /// What kind of answer; `None` to tell from the question.
    pub intent: Option<Intent>,
    pub caching: Caching,
}

/// Milliseconds by stage.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timings {
    pub embedding_ms: f64,
    pub search_ms: f64,
    pub generation_ms: f64,
    pub total_ms: f64,
}

/// What of an answer came out of the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheUse {
    pub answer_hit: bool,
    pub retrieval_hit: bool,
    pub embed_hits: u64,
    pub embed_misses: u64,
}

/// What is told while an answer is being made.
pub enum Event<'a> {
    /// A piece of the answer, as the language model writes it.
    Text(&'a str),
}

/// The answer and how it came about.
pub struct Response {
    pub question: String,
    /// What was searched for: the question, with what it takes over from the conversation.
    pub resolved: String,
    pub answer: Answer,
    pub intent: Intent,
    pub generator: Generator,
    pub model: String,
    pub index: String,
    pub corpus_id: String,
    pub timings: Timings,
    pub cache: CacheUse,
}

/// One open index that answers any number of questions.
pub struct Asker {
    searcher: Searcher,
}

/// What was found for a question.
struct Found {
    hits: Vec<Hit>,
    timings: Timings,
    cache: CacheUse,
}

impl Asker {
    /// Opens the configured index.
    ///
    /// # Errors
    /// Whatever keeps the index from being read.
    pub fn open(engine: &Engine) -> Result<Self> {
        Ok(Self { searcher: Searcher::open(engine)? })
    }

    /// Another asker of the same index, for another thread.
    ///
    /// # Errors
    /// As [`Asker::open`].
    pub fn another(&self, engine: &Engine) -> Result<Self> {
        Self::open(engine)
    }

    /// Answers a question.
    ///
    /// # Errors
    /// Whatever keeps the index or the model from being read. That nothing supports an answer is no fault: the answer
    /// says so.
    pub fn ask(&mut self, engine: &Engine, request: &Request, _on: &mut dyn FnMut(Event<'_>)) -> Result<Response> {
        let start = Instant::now();
        let resolved = request.question.trim().to_owned();
        let intent = request.intent.unwrap_or_else(|| Intent::of(&resolved));
        let Found { hits, mut timings, mut cache } = self.find(engine, request, &resolved, intent)?;

        let generation = Instant::now();
        let options = Options { intent: Some(intent), max_words: engine.config.ask_max_words, ..Options::default() };
        let evidence = answer::evidence(&resolved, &hits, &options);
        let key = self.answer_key(engine, request, &resolved, intent, &evidence);
        let scope = engine.config.generator.name();
        let rarity = Rarity::new(&self.searcher.snapshot)?;
        let kept = request
            .caching
            .reads()
            .then(|| engine.cache().answer(&key, scope, engine.now_s(), |kept| rarity.is_still(&kept.rarity)))
            .flatten()
            .and_then(|kept| told(kept, &evidence));
        rarity.finish()?;
        cache.answer_hit = kept.is_some();
        let answer = match kept {
            Some(answer) => answer,
            None => {
                let (answer, rarity) =
                    extract::answer(engine, &mut self.searcher, request, &resolved, &evidence, &options, &mut cache)?;
                if request.caching.writes()
                    && let Some(sources) = sources(&answer, &evidence)
                {
                    let kept = KeptAnswer {
                        text: answer.text.clone(),
                        supported: answer.supported,
                        sources,
                        rarity,
                        ..KeptAnswer::default()
                    };
                    engine.cache().keep_answer(key, scope, &kept, engine.now_s());
                }
                answer
            }
        };
        timings.generation_ms = milliseconds(generation);
        timings.total_ms = milliseconds(start);
        let meta = self.searcher.snapshot.meta();
        Ok(Response {
            question: request.question.clone(),
            resolved,
            answer,
            intent,
            generator: engine.config.generator,
            model: meta.model.name.clone(),
            index: engine.config.index.clone(),
            corpus_id: meta.corpus_id.clone(),
            timings,
            cache,
        })
    }

    /// Ranks passages for every part of the question.
    fn find(&mut self, engine: &Engine, request: &Request, resolved: &str, intent: Intent) -> Result<Found> {
        let k = intent.k(engine.config.search_k);
        let mut timings = Timings::default();
        let mut cache = CacheUse { retrieval_hit: true, ..CacheUse::default() };
        let mut parts = Vec::new();
        for query in answer::parts(resolved) {
            let search = search::Request { query, mode: engine.config.search_mode, k, caching: request.caching };
            let found = self.searcher.find(engine, &search)?;
            timings.embedding_ms += found.timings.embedding_ms;
            timings.search_ms += found.timings.search_ms;
            cache.retrieval_hit &= found.retrieval_hit;
            cache.embed_hits += found.embed_hits;
            cache.embed_misses += found.embed_misses;
            parts.push((search.query, found.hits));
        }
        let hits = if parts.len() == 1 { parts.remove(0).1 } else { answer::merge(&parts) };
        Ok(Found { hits, timings, cache })
    }

    /// Everything that an answer depends on, but for the rarity of words, which the kept answer lists itself.
    fn answer_key(
        &self,
        engine: &Engine,
        request: &Request,
        resolved: &str,
        intent: Intent,
        evidence: &[Evidence],
    ) -> Key {
        let config = &engine.config;
        let meta = self.searcher.snapshot.meta();
        let mut context = Blake::new(32);
        meta.query_languages().iter().for_each(|language| context.add(language.as_bytes()));
        Key::of(
            "answer v1",
            [
                request.question.trim().as_bytes(),
                resolved.as_bytes(),
                intent.name().as_bytes(),
                &context.finish::<32>(),
                &digest(evidence),
                config.generator.name().as_bytes(),
                meta.model.fingerprint.as_bytes(),
                config.search_mode.name().as_bytes(),
                &(config.ask_max_words as u64).to_le_bytes(),
                &EXTRACTIVE_VERSION.to_le_bytes(),
                &analysis::VERSION.to_le_bytes(),
            ],
        )
    }
}

/// BLAKE2b over the evidence, in order: where each piece stands, what it says, and how near its vector is.
fn digest(evidence: &[Evidence]) -> [u8; 32] {
    let mut hash = Blake::new(32);
    for Evidence { hit, place } in evidence {
        let chunk = &hit.chunk;
        hash.add(&(*place as u64).to_le_bytes());
        for text in [&*hit.root, &*hit.path, hit.title.as_deref().unwrap_or_default(), &chunk.text] {
            hash.add(text.as_bytes());
        }
        hash.add(&(chunk.heading.len() as u64).to_le_bytes());
        chunk.heading.iter().for_each(|heading| hash.add(heading.as_bytes()));
        let places = [chunk.bytes.start, chunk.bytes.end, chunk.lines.first, chunk.lines.last, chunk.page.unwrap_or(0)];
        places.iter().for_each(|n| hash.add(&(*n as u64).to_le_bytes()));
        hash.add(&hit.legs.dense.map_or(0, |leg| leg.score.to_bits()).to_le_bytes());
    }
    hash.finish()
}

/// Which pieces of the evidence an answer cites; `None` when one is none of them.
fn sources(answer: &Answer, evidence: &[Evidence]) -> Option<Vec<(usize, usize)>> {
    let at = |citation: &Citation| evidence.iter().position(|piece| piece.hit == citation.hit);
    answer.citations.iter().map(|citation| Some((citation.n, at(citation)?))).collect()
}

/// A kept answer with the passages of today; `None` when it does not fit them.
fn told(kept: KeptAnswer, evidence: &[Evidence]) -> Option<Answer> {
    let cite = |(n, at): &(usize, usize)| Some(Citation { n: *n, hit: evidence.get(*at)?.hit.clone() });
    let citations = kept.sources.iter().map(cite).collect::<Option<_>>()?;
    Some(Answer { text: kept.text, supported: kept.supported, citations })
}
