//! Question to answer with sources.
//!
//! `question ─resolve→ query ─retrieve→ hits ─choose→ evidence ─┬ cached answer       ┬→ answer`
//! `                                                            └ extract or generate ┘`
//!
//! The cache is consulted after retrieval, by what the answer would be made of: a changed document
//! changes the evidence, an unrelated new one does not.

mod draft;
mod extract;
mod generate;
mod heads;
mod injections;
mod question;
mod request;
mod response;

use std::sync::Arc;
use std::time::Instant;

use crate::analysis::untrusted::Risk;
use crate::answer::{self, Evidence, Exchange, Inspected, Intent};
use crate::config::{Endpoint, Generator};
use crate::document::{Hit, Note};
use crate::engine::Engine;
use crate::error::{Fault, Kind, Result, catch_panic};
use crate::index::Snapshot;
use crate::llm::Client;
use crate::search::{self, Pending, Searcher, Stale, milliseconds};
use crate::sessions::Turn;
use crate::telemetry;
use draft::Draft;
use extract::Weights;
pub use generate::{n_tokens, probe, warm};
pub use injections::{FlaggedPassage, chunk_risk, passage_risk};
use question::ResolvedQuestion;
pub use request::Request;
pub use response::{CacheUse, Checks, Event, Response, Timings, Writing};

/// Exchanges of a conversation that a language model's prompt contains.
const MAX_EARLIER: usize = 6;

/// One open index that answers any number of questions.
pub struct Asker {
    searcher: Searcher,
    /// The language model; `None` where answers are extractive.
    client: Option<Arc<Client>>,
}

/// The hits for a question and how they were found.
struct Retrieved {
    hits: Vec<Hit>,
    timings: Timings,
    cache: CacheUse,
    nothing_allowed: bool,
    pending: Option<Pending>,
    /// As [`Risk::nearness`], the largest of all parts.
    nearness: Option<f32>,
    /// Of all parts.
    notes: Vec<Note>,
}

/// A draft, and the generator that made it.
struct Generated {
    draft: Draft,
    generator: Generator,
    /// Why another generator failed before.
    fallback: Option<Fault>,
}

impl Asker {
    /// Opens the configured index.
    ///
    /// # Errors
    /// Whatever keeps the index from being read; invalid settings of the language model.
    pub fn open(engine: &Engine) -> Result<Self> {
        let client = match engine.config.generator {
            Generator::Extractive => None,
            Generator::Llm => Some(client(&engine.config.llm)?),
        };
        Ok(Self { searcher: Searcher::open(engine)?, client })
    }

    /// Answers from a generation that is open, with a language model that other askers may share.
    pub fn with_snapshot(
        snapshot: Arc<Snapshot>,
        threads: usize,
        client: Option<Arc<Client>>,
    ) -> Self {
        Self { searcher: Searcher::with_snapshot(snapshot, threads), client }
    }

    /// Switches to another generation, and to another language model or none.
    pub fn switch_to(&mut self, snapshot: Arc<Snapshot>, client: Option<Arc<Client>>) {
        self.searcher.switch_to(snapshot);
        self.client = client;
    }

    /// Makes the asker usable again after a panic.
    pub fn recover(&mut self) {
        self.searcher.recover();
    }

    /// As [`Asker::ask`], with a panic turned into a fault. The asker stays usable.
    ///
    /// # Errors
    /// Those of [`Asker::ask`], and a panic.
    pub fn ask_catching_panics(
        &mut self,
        engine: &Engine,
        request: &Request,
        on: &mut dyn FnMut(Event<'_>),
    ) -> Result<Response> {
        let mut has_returned = false;
        let response = catch_panic("answering this question", || {
            let response = self.ask(engine, request, on);
            has_returned = true;
            response
        });
        if !has_returned {
            self.recover();
        }
        response
    }

    pub fn searcher(&mut self) -> &mut Searcher {
        &mut self.searcher
    }

    /// Another asker of the same index and the same language model, for another thread.
    ///
    /// # Errors
    /// As [`Asker::open`].
    pub fn fork(&self, engine: &Engine) -> Result<Self> {
        let mut searcher = Searcher::open(engine)?;
        searcher.threads = self.searcher.threads;
        Ok(Self { searcher, client: self.client.clone() })
    }

    /// Takes an equal share of the threads, as one of `n` askers that run in parallel.
    #[must_use]
    pub fn share_threads(mut self, n: usize) -> Self {
        self.searcher.threads = (self.searcher.threads / n.max(1)).max(1);
        self
    }

    /// Answers a question.
    ///
    /// # Errors
    /// Whatever keeps the index or the model from being read; a language model that fails and has
    /// no fallback. An unsupported question is not a fault: the answer says so.
    pub fn ask(
        &mut self,
        engine: &Engine,
        request: &Request,
        on: &mut dyn FnMut(Event<'_>),
    ) -> Result<Response> {
        let start = Instant::now();
        let earlier = exchanges(&request.earlier);
        let resolved = self.resolve(engine, request, &earlier)?;
        let intent = request.intent.unwrap_or_else(|| Intent::of(&resolved));
        let mut question =
            ResolvedQuestion { request, resolved, intent, corrections: Vec::new(), earlier };
        let Retrieved { hits, mut timings, mut cache, nothing_allowed, pending, nearness, notes } =
            self.retrieve(engine, &question)?;
        question.corrections = corrections(&notes);
        on(Event::Found { hits: &hits, timings, cache });

        let generation = Instant::now();
        engine.check_stop(&request.stop)?;
        let mut evidence = answer::evidence(&question.resolved, &hits, &question.options(engine));
        heads::add(&self.searcher.snapshot, &question.resolved, &hits, &mut evidence)?;
        let Generated { draft, generator, fallback } =
            self.generate(engine, &question, &evidence, on)?;
        let Draft { answer, record, is_cached, sources, writing, embed_hits, embed_misses } = draft;
        cache.answer_hit = is_cached;
        cache.embed_hits += embed_hits;
        cache.embed_misses += embed_misses;
        timings.generation_ms = milliseconds(generation);
        timings.total_ms = milliseconds(start);
        let meta = self.searcher.snapshot.meta();
        let is_llm = !record.writer.is_empty();
        let response = Response {
            question: request.question.clone(),
            resolved: question.resolved,
            risk: Risk::new(&request.question, nearness),
            flagged: injections::flagged(&answer.citations, &sources),
            answer,
            intent,
            generator,
            model: if is_llm { record.writer } else { meta.model.name.clone() },
            index: engine.config.index.clone(),
            corpus_id: meta.corpus_id.clone(),
            filter: request.filter.clone(),
            nothing_allowed,
            index_empty: meta.counts.chunks == 0,
            timings,
            cache,
            writing,
            checks: Checks {
                removed: record.removed,
                unsupported: record.unsupported,
                addresses: record.addresses,
            },
            fallback,
            pending,
            stale: Stale::of(engine),
            notes,
        };
        log(&response, evidence.len());
        Ok(response)
    }

    /// What the learned choice of answers sees of a question, `max_compared` units being compared
    /// with it by vector. For `scripts/train`.
    ///
    /// # Errors
    /// As [`Asker::ask`].
    pub fn inspect(
        &mut self,
        engine: &Engine,
        request: &Request,
        max_compared: usize,
    ) -> Result<Vec<Inspected>> {
        let resolved = request.question.trim().to_owned();
        let intent = request.intent.unwrap_or_else(|| Intent::of(&resolved));
        let (none, earlier) = (Vec::new(), Vec::new());
        let mut question =
            ResolvedQuestion { request, resolved, intent, corrections: none, earlier };
        let Retrieved { hits, notes, .. } = self.retrieve(engine, &question)?;
        question.corrections = corrections(&notes);
        let mut evidence = answer::evidence(&question.resolved, &hits, &question.options(engine));
        heads::add(&self.searcher.snapshot, &question.resolved, &hits, &mut evidence)?;
        extract::inspect(engine, &mut self.searcher, &question, &evidence, max_compared)
    }

    /// The question as it would be asked without the conversation.
    fn resolve(&self, engine: &Engine, request: &Request, earlier: &[Exchange]) -> Result<String> {
        let question = request.question.trim();
        if request.earlier.is_empty() {
            return Ok(question.to_owned());
        }
        let snapshot = &self.searcher.snapshot;
        let weights = Weights::new(snapshot);
        let languages = snapshot.meta().query_languages();
        let resolve = |question: &str, before: &[String]| {
            let before: Vec<&str> = before.iter().map(String::as_str).collect();
            answer::resolve(question, &before, &languages, &|term| weights.of(term))
        };
        let mut before: Vec<String> = Vec::new();
        for turn in &request.earlier {
            before.push(if turn.resolved.is_empty() {
                resolve(&turn.question, &before).query
            } else {
                turn.resolved.clone()
            });
        }
        let resolved = resolve(question, &before);
        weights.finish()?;
        if resolved.is_follow_up
            && let Some(client) = self.writer(engine)
        {
            // A model that fails here fails again when it is to answer, and its fault is reported
            // then.
            let should_stop = || engine.should_stop(&request.stop);
            let rewritten = generate::rewrite(&client, question, earlier, &should_stop);
            return Ok(rewritten.ok().flatten().unwrap_or(resolved.query));
        }
        Ok(resolved.query)
    }

    /// The language model, where this configuration has it write.
    fn writer(&self, engine: &Engine) -> Option<Arc<Client>> {
        self.client.clone().filter(|_| engine.config.generator == Generator::Llm)
    }

    /// Searches for every part of the question and merges the rankings.
    fn retrieve(&mut self, engine: &Engine, question: &ResolvedQuestion<'_>) -> Result<Retrieved> {
        let request = question.request;
        let k = question.intent.k(engine.config.search_k);
        let mut timings = Timings::default();
        let mut cache = CacheUse { retrieval_hit: true, ..CacheUse::default() };
        let (mut rankings, mut pending, mut nearness) = (Vec::new(), None, None::<f32>);
        let (mut nothing_allowed, mut notes) = (false, Vec::new());
        for query in answer::parts(&question.resolved) {
            let search = search::Request {
                query,
                mode: engine.config.search_mode,
                k,
                rerank: engine.config.rerank,
                caching: request.caching,
                filter: request.filter.clone(),
                stop: request.stop.clone(),
            };
            let found = self.searcher.find(engine, &search)?;
            timings.embedding_ms += found.timings.embedding_ms;
            timings.search_ms += found.timings.search_ms;
            nothing_allowed |= found.nothing_allowed;
            cache.retrieval_hit &= found.retrieval_hit;
            cache.embed_hits += found.embed_hits;
            cache.embed_misses += found.embed_misses;
            cache.rerank_hits += found.rerank_hits;
            cache.rerank_misses += found.rerank_misses;
            pending = found.pending;
            for note in found.notes {
                if !notes.contains(&note) {
                    notes.push(note);
                }
            }
            nearness = nearness.into_iter().chain(found.risk.nearness).reduce(f32::max);
            rankings.push((search.query, found.hits));
        }
        let hits =
            if rankings.len() == 1 { rankings.remove(0).1 } else { answer::merge(&rankings) };
        Ok(Retrieved { hits, timings, cache, nothing_allowed, pending, nearness, notes })
    }

    /// Has the language model answer, or the extractive generator: where the configuration says so,
    /// where there is no evidence, and where the language model fails and a fallback is configured.
    fn generate(
        &mut self,
        engine: &Engine,
        question: &ResolvedQuestion<'_>,
        evidence: &[Evidence],
        on: &mut dyn FnMut(Event<'_>),
    ) -> Result<Generated> {
        let configured = engine.config.generator;
        let mut fallback = None;
        if let Some(client) = self.writer(engine)
            && !evidence.is_empty()
        {
            let languages = self.searcher.snapshot.meta().query_languages();
            match generate::answer(engine, &client, &languages, question, evidence, on) {
                Ok(draft) => return Ok(Generated { draft, generator: configured, fallback }),
                Err(fault)
                    if matches!(fault.kind(), Kind::Outside | Kind::Late)
                        && engine.config.has_fallback =>
                {
                    fallback = Some(fault);
                }
                Err(fault) => return Err(fault),
            }
        }
        let generator = if fallback.is_some() { Generator::Extractive } else { configured };
        let draft = extract::answer(engine, &mut self.searcher, question, evidence)?;
        Ok(Generated { draft, generator, fallback })
    }
}

/// A client for a language model, for any number of askers.
///
/// # Errors
/// A usage fault that names the setting that is missing or wrong.
pub fn client(llm: &Endpoint) -> Result<Arc<Client>> {
    Ok(Arc::new(generate::client(llm)?))
}

/// The words that the search replaced, each with what it searched instead.
fn corrections(notes: &[Note]) -> Vec<(String, String)> {
    let corrected = notes.iter().filter_map(|note| match note {
        Note::Corrected { word, instead } => Some((word.clone(), instead.clone())),
        _ => None,
    });
    corrected.collect()
}

/// The end of a conversation, for a prompt.
fn exchanges(turns: &[Turn]) -> Vec<Exchange> {
    let last = &turns[turns.len().saturating_sub(MAX_EARLIER)..];
    last.iter()
        .map(|turn| Exchange { question: turn.question.clone(), answer: turn.answer.clone() })
        .collect()
}

fn log(response: &Response, n_evidence: usize) {
    telemetry::debug!(
        intent = response.intent.name(),
        generator = response.generator.name(),
        supported = response.answer.supported,
        citations = response.answer.citations.len(),
        evidence = n_evidence,
        risk = response.risk.level().name(),
        flagged = response.flagged.len(),
        fell_back = response.fallback.is_some(),
        generation_ms = response.timings.generation_ms,
        total_ms = response.timings.total_ms,
        "answered"
    );
}
