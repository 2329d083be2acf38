//! A worker: takes questions from its lane, and answers them with indexes and models that stay
//! open.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::flight::Flight;
use super::lane::{Lane, Next};
use super::question::{
    Candidates, Outcome, Problem, Question, Reply, RequestKind, RetrievedPassages, Scorer, Texts,
    Update, Vectors,
};
use super::shared::Shared;
use crate::ask::{Asker, Event, Request};
use crate::cache::{Caching, Key};
use crate::config::{Generator, Mode};
use crate::engine::{Engine, Stop};
use crate::error::{Fault, Result, catch_panic};
use crate::index::Snapshot;
use crate::model::{CrossEncoder, Embedder, EmbeddingRole, ModelFiles};
use crate::search::{self, Scoring};
use crate::telemetry;
use crate::vector::{Vector, dot};

/// Models that one worker keeps loaded. Each takes some 60 MiB.
const MAX_MODELS: usize = 2;

/// Searches that a worker takes from a queue at once. Comparing eight with the vectors of an index
/// takes as long as comparing two; more gain little, and delay urgent questions.
const MAX_GROUP: usize = 8;

/// Idle time after which a worker checks for new generations, so that the next question does not
/// wait for one to be opened, and the files of the old one do not stay on disk.
const IDLE: Duration = Duration::from_secs(5);

pub(super) struct Worker<'a> {
    shared: &'a Shared,
    /// How long callers wait.
    time_limit: Duration,
    /// Askers by the fingerprint of their model.
    askers: HashMap<String, Asker>,
    /// The configured model, loaded for texts to embed while no asker has it.
    own: Option<Embedder>,
    /// The cross-encoder, loaded for documents of clients.
    reranker: Option<CrossEncoder>,
}

/// Runs until the lane is closed and empty.
pub(super) fn run(shared: &Shared, lane: &Lane) {
    let mut worker = Worker {
        shared,
        time_limit: lane.time_limit,
        askers: HashMap::new(),
        own: None,
        reranker: None,
    };
    // Load the model before the first question. If this fails, that question gets the error.
    let _ = worker.caught("loading the model", Worker::warm);
    shared.is_warm.store(true, Ordering::Release);
    loop {
        let first = match lane.next(IDLE) {
            Next::Question(first) => first,
            Next::Idle => {
                let _ = worker.caught("opening the new generation", |worker| {
                    worker.refresh();
                    Ok(())
                });
                continue;
            }
            Next::End => return,
        };
        worker.process(lane, first);
    }
}

impl Worker<'_> {
    /// Answers a question, together with similar ones of the queue.
    fn process(&mut self, lane: &Lane, first: Arc<Flight>) {
        let started = Instant::now();
        // An answer or a rerank takes so long that sharing the comparison saves nothing, and others
        // should not wait behind it.
        let is_search = |question: &Question| matches!(question.kind, RequestKind::Passages { .. });
        let is_short = is_search(&first.question) && self.shared.engine.config.rerank == 0;
        let max = if is_short { MAX_GROUP - 1 } else { 0 };
        let flights: Vec<_> = std::iter::once(first).chain(lane.more(max, is_search)).collect();
        flights.iter().for_each(|flight| flight.start());
        if flights.len() > 1 {
            let _ = self.caught("searching", |worker| {
                worker.prefetch(&flights);
                Ok(())
            });
        }
        let shared_time = started.elapsed() / flights.len() as u32;
        for flight in flights {
            let start = Instant::now();
            let answered = self.caught("answering this question", |worker| {
                Ok(flight.span.in_scope(|| worker.answer(&flight)))
            });
            let outcome = answered.unwrap_or_else(|panic| Err(panic.into()));
            lane.finish(&flight, outcome, shared_time + start.elapsed());
        }
    }

    /// Runs `work`, and turns a panic into a fault. Models that were running when it panicked are
    /// dropped; others stay loaded.
    fn caught<T>(&mut self, what: &str, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let mut is_done = false;
        let outcome = catch_panic(what, || {
            let outcome = work(self);
            is_done = true;
            outcome
        });
        if !is_done {
            self.askers.values_mut().for_each(Asker::recover);
            self.own.take_if(|own| !own.is_sound());
            self.reranker.take_if(|reranker| !reranker.is_sound());
        }
        outcome
    }

    fn warm(&mut self) -> Result<()> {
        let engine = &self.shared.engine;
        let Some(snapshot) = self.shared.open(&engine.config.index)? else { return Ok(()) };
        if snapshot.meta().pending == 0 {
            self.asker(snapshot, None)?.searcher().warm(engine)?;
        }
        Ok(())
    }

    /// Switches askers to the current generations, and drops those without one.
    fn refresh(&mut self) {
        let open = self.shared.refresh();
        self.askers.retain(|model, asker| {
            if open.iter().any(|snapshot| Arc::ptr_eq(snapshot, &asker.searcher().snapshot)) {
                return true;
            }
            let fitting = open.iter().find(|snapshot| snapshot.meta().model.fingerprint == *model);
            fitting.map(|snapshot| asker.switch_to(Arc::clone(snapshot), None)).is_some()
        });
    }

    /// Computes the shared part of searches over the configured index. If this fails, each search
    /// fails again on its own, and its caller gets the error.
    fn prefetch(&mut self, flights: &[Arc<Flight>]) {
        let engine = &self.shared.engine;
        let search = |flight: &Arc<Flight>| {
            let (question, stop) = (&flight.question, self.stop(flight));
            let is_configured =
                question.index.as_ref().is_none_or(|index| *index == engine.config.index);
            let RequestKind::Passages { mode } = question.kind else { return None };
            let adjusted = adjusted(engine, question).ok()?;
            let request = passages(adjusted.as_ref().unwrap_or(engine), question, mode, stop);
            (is_configured && !engine.should_stop(&request.stop)).then_some(request)
        };
        let searches: Vec<_> = flights.iter().filter_map(search).collect();
        if searches.len() > 1
            && let Ok(Some(snapshot)) = self.shared.open(&engine.config.index)
            && let Ok(asker) = self.asker(snapshot, None)
        {
            asker.searcher().prefetch(engine, &searches);
        }
    }

    fn stop(&self, flight: &Flight) -> Stop {
        let mut timeouts = self.shared.engine.config.serve.timeouts;
        timeouts.query = self.time_limit;
        Stop::new(Arc::clone(&flight.left), Arc::clone(&flight.deadline), timeouts)
    }

    fn answer(&mut self, flight: &Flight) -> Outcome {
        let shared = self.shared;
        let question = &flight.question;
        let stop = self.stop(flight);
        // The deadline may have passed in the queue.
        shared.engine.check_stop(&stop)?;
        let adjusted = adjusted(&shared.engine, question)?;
        let engine = adjusted.as_ref().unwrap_or(&shared.engine);
        let open = || -> Result<_, Problem> {
            let index = &engine.config.index;
            shared.open(index)?.ok_or_else(|| Problem::NoIndex(index.clone()))
        };
        match &question.kind {
            RequestKind::Passages { mode } => {
                let snapshot = open()?;
                let mode = mode.unwrap_or(engine.config.search_mode);
                if mode == Mode::Dense && snapshot.meta().pending > 0 {
                    return Err(Fault::busy("this index has no vectors yet").into());
                }
                let request = passages(engine, question, Some(mode), stop);
                let found = self.asker(snapshot, None)?.searcher().find(engine, &request)?;
                Ok(Reply::Passages(Arc::new(found)))
            }
            RequestKind::Vectors(texts) => self.vectors(texts, &stop),
            RequestKind::Scores(candidates) => self.scores(candidates, &stop),
            RequestKind::Answer { intent, session, earlier, .. } => {
                let snapshot = open()?;
                let client = match engine.config.generator {
                    Generator::Extractive => None,
                    Generator::Llm => Some(shared.client(&engine.config)?),
                };
                let request = Request {
                    question: question.text.clone(),
                    intent: *intent,
                    caching: question.caching,
                    earlier: earlier.clone(),
                    filter: question.filter.clone(),
                    stop,
                };
                let asker = self.asker(snapshot, client)?;
                match session {
                    None => Ok(Reply::Answer(Arc::new(answer_streaming(
                        asker, engine, &request, flight,
                    )?))),
                    Some(id) => in_session(shared, asker, engine, request, flight, id),
                }
            }
        }
    }

    /// Embeds texts with the configured model; no index is needed.
    fn vectors(&mut self, texts: &Texts, stop: &Stop) -> Outcome {
        let engine = &self.shared.engine;
        let model = &engine.config.model;
        let embedder = self.embedder(engine.model(model)?)?;
        let max_tokens = embedder.files.spec.max_tokens;
        let mut found = Vectors { vectors: Vec::with_capacity(texts.texts.len()), tokens: 0 };
        for (text, n) in texts.texts.iter().zip(texts.first..) {
            engine.check_stop(stop)?;
            let tokens = embedder.tokenizer.count(text) + embedder.tokenizer.special();
            if tokens > max_tokens && !texts.is_cut {
                let what = format!(
                    "text {n} has {tokens} tokens; the limit of the model `{model}` is {max_tokens}"
                );
                return Err(Fault::usage(what)
                    .hint("split the text, or cut it with `\"truncate\": true`")
                    .into());
            }
            found.tokens += tokens.min(max_tokens) as u64;
            found.vectors.push(vector(engine, embedder, texts.role, text)?);
        }
        Ok(Reply::Vectors(Arc::new(found)))
    }

    /// Scores documents for a query; no index is needed.
    fn scores(&mut self, candidates: &Candidates, stop: &Stop) -> Outcome {
        let Candidates { query, documents, scorer } = candidates;
        let engine = &self.shared.engine;
        let scores: Vec<f64> = match scorer {
            Scorer::CrossEncoder => {
                let scoring = Scoring { engine, caching: Caching::Use, stop, threads: 1 };
                let scores = scoring.scores(&mut self.reranker, query, documents)?;
                // Cross-encoders give the logarithm of the odds.
                scores.into_iter().map(|score| 1.0 / (1.0 + (-score).exp())).collect()
            }
            Scorer::Cosine => {
                let embedder = self.embedder(engine.model(&engine.config.model)?)?;
                let query = vector(engine, embedder, EmbeddingRole::Query, query)?;
                let mut scores = Vec::with_capacity(documents.len());
                for document in documents {
                    engine.check_stop(stop)?;
                    let document = vector(engine, embedder, EmbeddingRole::Passage, document)?;
                    scores.push(f64::from(dot(query.as_slice(), document.as_slice())));
                }
                scores
            }
        };
        Ok(Reply::Scores(scores.into()))
    }

    /// The model, loaded: that of an asker, or a separate one.
    fn embedder(&mut self, files: ModelFiles) -> Result<&mut Embedder> {
        let engine = &self.shared.engine;
        if let Some(asker) = self.askers.get_mut(&files.fingerprint) {
            return asker.searcher().embedder(engine);
        }
        match &mut self.own {
            Some(own) if own.files.fingerprint == files.fingerprint => {}
            own => *own = Some(Embedder::load(files, &engine.runtime_library()?)?),
        }
        self.own.as_mut().ok_or_else(|| Fault::failed("the model is not loaded"))
    }

    /// An asker for this generation. Its model stays loaded from earlier questions.
    fn asker(
        &mut self,
        snapshot: Arc<Snapshot>,
        client: Option<Arc<crate::llm::Client>>,
    ) -> Result<&mut Asker> {
        let model = snapshot.meta().model.fingerprint.clone();
        if !self.askers.contains_key(&model) && self.askers.len() >= MAX_MODELS {
            self.askers.clear();
        }
        let asker = self
            .askers
            .entry(model)
            .or_insert_with(|| Asker::with_snapshot(Arc::clone(&snapshot), 1, None));
        asker.switch_to(snapshot, client);
        Ok(asker)
    }
}

/// The vector of a text, through the cache.
fn vector(
    engine: &Engine,
    embedder: &mut Embedder,
    role: EmbeddingRole,
    text: &str,
) -> Result<Vector> {
    let fingerprint = embedder.files.fingerprint.clone();
    let key = Key::embedding(&fingerprint, role.name(), text);
    let dimension = embedder.files.spec.dimension.unwrap_or_default();
    let (cache, now_s) = (engine.cache(), engine.now_s());
    if let Some(vector) = cache.embedding(&key, &fingerprint, dimension, now_s) {
        return Ok(vector);
    }
    let vector = embedder.embed(role, text)?;
    cache.put_embeddings(&fingerprint, &[(key, vector.clone())], now_s);
    Ok(vector)
}

/// The request of a search.
fn passages(
    engine: &Engine,
    question: &Question,
    mode: Option<Mode>,
    stop: Stop,
) -> search::Request {
    search::Request {
        query: question.text.clone(),
        mode: mode.unwrap_or(engine.config.search_mode),
        k: engine.config.search_k,
        rerank: engine.config.rerank,
        caching: question.caching,
        filter: question.filter.clone(),
        stop,
    }
}

/// The engine with the settings of the question; `None` when they equal the configured ones.
fn adjusted(engine: &Engine, question: &Question) -> Result<Option<Engine>> {
    let config = &engine.config;
    let writer = question.language_model(config);
    let generator = match (writer, &question.kind) {
        (Some(_), _) => Generator::Llm,
        (None, RequestKind::Answer { .. }) => Generator::Extractive,
        (None, _) => config.generator,
    };
    let llm = config.language_model(writer.unwrap_or(&config.llm.name))?;
    let index = question.index.as_ref().unwrap_or(&config.index);
    let k = question.k.unwrap_or(config.search_k);
    if generator == config.generator
        && llm.name == config.llm.name
        && *index == config.index
        && k == config.search_k
    {
        return Ok(None);
    }
    let mut adjusted = config.clone();
    (adjusted.generator, adjusted.search_k) = (generator, k);
    adjusted.index.clone_from(index);
    adjusted.llm.clone_from(llm);
    Ok(Some(engine.with(adjusted)))
}

/// Answers a question, and passes its progress to the listeners. Logs failures of the language
/// model that still leave an answer.
fn answer_streaming(
    asker: &mut Asker,
    engine: &Engine,
    request: &Request,
    flight: &Flight,
) -> Result<crate::ask::Response> {
    let response = asker.ask(engine, request, &mut |event| {
        flight.notify(match event {
            Event::Found { hits, timings, cache } => {
                telemetry::retrieved(hits.len(), hits.first().map(|hit| hit.score));
                let hits = hits.to_vec();
                Update::Retrieved(Arc::new(RetrievedPassages { hits, timings, cache }))
            }
            Event::Text(text) => Update::Text(text.into()),
        });
    })?;
    if let Some(fault) = &response.fallback {
        telemetry::warn!(
            cause = fault.to_string(),
            "the language model failed; quoting passages instead"
        );
    }
    if let Some(fault) = response.writing.as_ref().and_then(|writing| writing.trouble.as_ref()) {
        telemetry::warn!(cause = fault.to_string(), "the language model broke off");
    }
    Ok(response)
}

/// Answers a question of a session, and stores the answer in it.
fn in_session(
    shared: &Shared,
    asker: &mut Asker,
    engine: &Engine,
    request: Request,
    flight: &Flight,
    id: &str,
) -> Outcome {
    // The lane runs one question of a session at a time. A session in use by another process is
    // reported as busy, so that no worker waits for it.
    let mut session = engine.sessions()?.begin_now(id, engine.now_s())?;
    // Only issued ids may start a session; a chosen one could belong to another client.
    if session.turns().is_empty() && !shared.is_issued(id) {
        return Err(Problem::NoSession);
    }
    let request = Request { earlier: session.turns().to_vec(), ..request };
    let response = answer_streaming(asker, engine, &request, flight)?;
    engine.check_stop(&request.stop)?;
    session.add(response.turn(engine.now_s()))?;
    Ok(Reply::Answer(Arc::new(response)))
}
