//! A question in, an answer with its sources out.
//!
//! `question ─find→ hits ─choose→ evidence ─┬ answers kept for this question and this evidence ┬→ answer`
//! `                                        └ generate, keep                                    ┘`
//!
//! The answer is looked up after retrieval, by what it would be made of. A changed document changes the evidence; an
//! unrelated new one does not.

use std::cell::RefCell;
use std::time::Instant;

use crate::answer::{self, Intent, Options, Tools};
use crate::cache::Caching;
use crate::config::Generator;
use crate::document::Answer;
use crate::engine::Engine;
use crate::error::{Fault, Result};
use crate::search::{Request as SearchRequest, Searcher, milliseconds};

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
        let searcher = &mut self.searcher;
        let search = SearchRequest {
            query: request.question.clone(),
            mode: engine.config.search_mode,
            k: engine.config.search_k,
            caching: request.caching,
        };
        let found = searcher.find(engine, &search)?;
        let generation = Instant::now();
        let mut cache = CacheUse {
            answer_hit: false,
            retrieval_hit: found.retrieval_hit,
            embed_hits: found.embed_hits,
            embed_misses: found.embed_misses,
        };

        let languages: Vec<String> =
            searcher.snapshot.meta().query_languages().iter().map(|l| (*l).to_owned()).collect();
        let languages: Vec<&str> = languages.iter().map(String::as_str).collect();
        // The generator is pure and asks through functions; a fault of theirs is kept here and reported afterwards.
        let fault: RefCell<Option<Fault>> = RefCell::new(None);
        let shared = RefCell::new((&mut *searcher, &mut cache));
        let weight = |term: &str| match shared.borrow().0.snapshot.term_weight(term) {
            Ok(weight) => weight,
            Err(e) => {
                fault.borrow_mut().get_or_insert(e);
                0.0
            }
        };
        let similarity = |texts: &[String]| {
            let (searcher, cache) = &mut *shared.borrow_mut();
            let similar = searcher.similarities(engine, &found.query, texts, request.caching)?;
            cache.embed_hits += similar.hits;
            cache.embed_misses += similar.misses;
            Ok(similar.cosines)
        };
        let tools = Tools {
            weight: &weight,
            languages: &languages,
            similarity: (found.mode != crate::config::Mode::Lexical).then_some(&similarity),
        };
        let options = Options { intent: request.intent, max_words: engine.config.ask_max_words, ..Options::default() };
        let answer = answer::answer(&found.query, &found.hits, &tools, &options)?;
        if let Some(fault) = fault.take() {
            return Err(fault);
        }
        Ok(Response {
            intent: request.intent.unwrap_or_else(|| Intent::of(&found.query)),
            question: request.question.clone(),
            resolved: found.query,
            answer,
            generator: engine.config.generator,
            model: searcher.snapshot.meta().model.name.clone(),
            index: found.index,
            corpus_id: found.corpus_id,
            timings: Timings {
                embedding_ms: found.timings.embedding_ms,
                search_ms: found.timings.search_ms,
                generation_ms: milliseconds(generation),
                total_ms: milliseconds(start),
            },
            cache,
        })
    }
}
