//! A question in, an answer with its sources out.

use std::cell::RefCell;
use std::time::Instant;

use crate::answer::{self, Intent, Options, Tools};
use crate::document::Answer;
use crate::engine::Engine;
use crate::error::{Fault, Result};
use crate::search::{Request as SearchRequest, Searcher, milliseconds};

/// What is asked.
#[derive(Clone, Debug)]
pub struct Request {
    pub question: String,
    /// Neither read the cache nor write to it.
    pub no_cache: bool,
}

/// Milliseconds by stage.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timings {
    pub embedding_ms: f64,
    pub search_ms: f64,
    pub generation_ms: f64,
    pub total_ms: f64,
}

/// The answer and how it came about.
pub struct Response {
    pub question: String,
    pub answer: Answer,
    pub intent: Intent,
    pub model: String,
    pub index: String,
    pub corpus_id: String,
    pub timings: Timings,
    pub embed_hits: u64,
    pub embed_misses: u64,
    /// Kept so that the caller decides when the model is freed.
    pub searcher: Searcher,
}

/// Answers from the configured index.
///
/// # Errors
/// Whatever keeps the index or the model from being read. That nothing supports an answer is no fault: the answer
/// says so.
pub fn run(engine: &Engine, request: &Request) -> Result<Response> {
    let start = Instant::now();
    let mut searcher = Searcher::open(engine)?;
    let search = SearchRequest {
        query: request.question.clone(),
        mode: engine.config.search_mode,
        k: engine.config.search_k,
        no_cache: request.no_cache,
    };
    let found = searcher.search(engine, &search)?;
    let generation = Instant::now();
    let mut counted = (found.embed_hits, found.embed_misses);

    let languages: Vec<String> = searcher.snapshot.meta().query_languages().iter().map(|l| (*l).to_owned()).collect();
    let languages: Vec<&str> = languages.iter().map(String::as_str).collect();
    // The generator is pure and asks through functions; a fault of theirs is kept here and reported afterwards.
    let fault: RefCell<Option<Fault>> = RefCell::new(None);
    let shared = RefCell::new((&mut searcher, &mut counted));
    let weight = |term: &str| match shared.borrow().0.snapshot.term_weight(term) {
        Ok(weight) => weight,
        Err(e) => {
            fault.borrow_mut().get_or_insert(e);
            0.0
        }
    };
    let similarity = |texts: &[String]| {
        let (searcher, (hits, misses)) = &mut *shared.borrow_mut();
        let Some(vector) = &found.vector else { return Ok(vec![0.0; texts.len()]) };
        let similar = searcher.similarities(engine, vector, texts, request.no_cache)?;
        *hits += similar.hits;
        *misses += similar.misses;
        Ok(similar.cosines)
    };
    let tools = Tools {
        weight: &weight,
        languages: &languages,
        similarity: if found.vector.is_some() { Some(&similarity) } else { None },
    };
    let options = Options { max_words: engine.config.ask_max_words, ..Options::default() };
    let answer = answer::answer(&found.query, &found.hits, &tools, &options)?;
    if let Some(fault) = fault.take() {
        return Err(fault);
    }
    Ok(Response {
        intent: Intent::of(&found.query),
        question: found.query,
        answer,
        model: searcher.snapshot.meta().model.name.clone(),
        index: found.index,
        corpus_id: found.corpus_id,
        timings: Timings {
            embedding_ms: found.timings.embedding_ms,
            search_ms: found.timings.search_ms,
            generation_ms: milliseconds(generation),
            total_ms: milliseconds(start),
        },
        embed_hits: counted.0,
        embed_misses: counted.1,
        searcher,
    })
}
