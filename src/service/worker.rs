//! One worker: takes the question whose turn it is, and answers it with an index and a model that
//! stay open.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::flight::Flight;
use super::lane::{Lane, Next};
use super::{
    Outcome, Problem, Question, Reply, RequestKind, RetrievedPassages, Shared, Update, Vectors,
};
use crate::ask::{Asker, Event, Request};
use crate::cache::Key;
use crate::config::{Generator, Mode};
use crate::engine::{Engine, Stop};
use crate::error::{Fault, Result, caught};
use crate::index::Snapshot;
use crate::model::{Embedder, EmbeddingRole, ModelFiles};
use crate::search;
use crate::telemetry;

/// Models that one worker keeps loaded; each takes some 60 MiB.
const MAX_MODELS: usize = 2;

/// Searches that a worker takes at once where many wait. Eight are compared with the vectors of an
/// index in the time of two; of more, the gain is small and the wait of an urgent question long.
const MAX_ABREAST: usize = 8;

/// After so long without a question a worker looks whether its indexes have changed: the next
/// question should not wait for the new generation to be opened, and the files of the old one
/// should not stay on the disk for as long as nobody asks.
const IDLE: Duration = Duration::from_secs(5);

pub(super) struct Worker<'a> {
    shared: &'a Shared,
    /// How long callers wait.
    patience: Duration,
    /// Askers by the fingerprint of the model that they have loaded.
    askers: HashMap<String, Asker>,
    /// The configured model, when texts were to be embedded and no index needs it.
    own: Option<Embedder>,
}

/// Works until the lane is closed and nobody waits.
pub(super) fn run(shared: &Shared, lane: &Lane) {
    let mut worker = Worker { shared, patience: lane.patience, askers: HashMap::new(), own: None };
    // The first question should not wait for what can be done before it comes. What fails now fails
    // again then, and is told of to whoever asks.
    let _ = worker.caught("loading the model", Worker::warm);
    shared.is_warm.store(true, Ordering::Release);
    loop {
        let first = match lane.next(IDLE) {
            Next::Question(first) => first,
            Next::Nothing => {
                let _ = worker.caught("opening the new generation", |worker| {
                    worker.catch_up();
                    Ok(())
                });
                continue;
            }
            Next::End => return,
        };
        let begun = Instant::now();
        // An answer or a second look takes so long that comparing is nothing beside it, and nobody
        // should wait behind one.
        let is_short =
            |question: &Question| matches!(question.wanted, RequestKind::Passages { .. });
        let may_take_more = is_short(&first.question) && shared.engine.config.rerank == 0;
        let most = if may_take_more { MAX_ABREAST - 1 } else { 0 };
        let flights: Vec<_> = std::iter::once(first).chain(lane.more(most, is_short)).collect();
        flights.iter().for_each(|flight| flight.start());
        if flights.len() > 1 {
            let _ = worker.caught("searching", |worker| {
                worker.prefetch(&flights);
                Ok(())
            });
        }
        let together = begun.elapsed() / flights.len() as u32;
        for flight in flights {
            let start = Instant::now();
            let answered = worker.caught("answering this question", |worker| {
                Ok(flight.span.in_scope(|| worker.answer(&flight)))
            });
            let outcome = answered.unwrap_or_else(|panic| Err(panic.into()));
            lane.done(&flight, outcome, together + start.elapsed());
        }
    }
}

impl Worker<'_> {
    /// Runs `work`, which only fails here by a panic or by its own fault. What a panic left half
    /// done is not used again; models that were not running stay loaded.
    fn caught<T>(&mut self, what: &str, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let mut is_done = false;
        let outcome = caught(what, || {
            let outcome = work(self);
            is_done = true;
            outcome
        });
        if !is_done {
            self.askers.values_mut().for_each(Asker::recover);
            self.own.take_if(|own| !own.is_sound());
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

    /// Goes over to what the names of the open indexes stand for now, and lets go of what they no
    /// longer do.
    fn catch_up(&mut self) {
        let open = self.shared.catch_up();
        self.askers.retain(|model, asker| {
            if open.iter().any(|snapshot| Arc::ptr_eq(snapshot, &asker.searcher().snapshot)) {
                return true;
            }
            let fitting = open.iter().find(|snapshot| snapshot.meta().model.fingerprint == *model);
            fitting.map(|snapshot| asker.switch_to(Arc::clone(snapshot), None)).is_some()
        });
    }

    /// Begins the searches over the configured index. What goes wrong is told to whoever asked,
    /// when it goes wrong again.
    fn prefetch(&mut self, flights: &[Arc<Flight>]) {
        let engine = &self.shared.engine;
        let search = |flight: &Arc<Flight>| {
            let (question, stop) = (&flight.question, self.stop(flight));
            let is_of_it =
                question.index.as_ref().is_none_or(|index| *index == engine.config.index);
            let RequestKind::Passages { mode } = question.wanted else { return None };
            let varied = varied(engine, question);
            let wanted = passages(varied.as_ref().unwrap_or(engine), question, mode, stop);
            (is_of_it && !engine.should_stop(&wanted.stop)).then_some(wanted)
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
        timeouts.query = self.patience;
        Stop::new(Arc::clone(&flight.left), Arc::clone(&flight.deadline), timeouts)
    }

    fn answer(&mut self, flight: &Flight) -> Outcome {
        let shared = self.shared;
        let question = &flight.question;
        let stop = self.stop(flight);
        // It may have waited for too long already.
        shared.engine.check_stop(&stop)?;
        let varied = varied(&shared.engine, question);
        let engine = varied.as_ref().unwrap_or(&shared.engine);
        let open = || -> std::result::Result<_, Problem> {
            let index = &engine.config.index;
            shared.open(index)?.ok_or_else(|| Problem::NoIndex(index.clone()))
        };
        match &question.wanted {
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
            RequestKind::Answer { intent, session, earlier, .. } => {
                let snapshot = open()?;
                let client = match engine.config.generator {
                    Generator::Extractive => None,
                    Generator::Llm => Some(shared.client()?),
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

    /// Vectors of texts, by the configured model; an index is not needed.
    fn vectors(&mut self, texts: &[String], stop: &Stop) -> Outcome {
        let engine = &self.shared.engine;
        let files = engine.model(&engine.config.model)?;
        let (embedder, model) = (self.embedder(files)?, &engine.config.model);
        let (fingerprint, most) =
            (embedder.files.fingerprint.clone(), embedder.files.spec.max_tokens);
        let mut found = Vectors { vectors: Vec::with_capacity(texts.len()), tokens: 0 };
        for (n, text) in texts.iter().enumerate() {
            engine.check_stop(stop)?;
            let tokens = embedder.tokenizer.count(text) + embedder.tokenizer.special();
            if tokens > most {
                let what =
                    format!("text {n} has {tokens} tokens; the model `{model}` reads {most}");
                return Err(Fault::usage(what).hint("send shorter pieces").into());
            }
            found.tokens += tokens as u64;
            let key = Key::embedding(&fingerprint, EmbeddingRole::Passage.name(), text);
            let dimension = embedder.files.spec.dimension.unwrap_or_default();
            let kept = engine.cache().embedding(&key, &fingerprint, dimension, engine.now_s());
            found.vectors.push(match kept {
                Some(vector) => vector,
                None => {
                    let vector = embedder.embed(EmbeddingRole::Passage, text)?;
                    engine.cache().put_embeddings(
                        &fingerprint,
                        &[(key, vector.clone())],
                        engine.now_s(),
                    );
                    vector
                }
            });
        }
        Ok(Reply::Vectors(Arc::new(found)))
    }

    /// The model, loaded: that of an asker, or one that is nobody's.
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

    /// An asker over this generation, whose model is loaded if one with it was used before.
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

/// The search that is asked for.
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

/// The engine with what the question wants otherwise.
fn varied(engine: &Engine, question: &Question) -> Option<Engine> {
    let config = &engine.config;
    let generator = match question.wanted {
        RequestKind::Answer { generator, .. } => generator.unwrap_or(config.generator),
        RequestKind::Passages { .. } | RequestKind::Vectors(_) => config.generator,
    };
    let index = question.index.as_ref().unwrap_or(&config.index);
    let k = question.k.unwrap_or(config.search_k);
    if generator == config.generator && *index == config.index && k == config.search_k {
        return None;
    }
    let mut config = config.clone();
    (config.generator, config.search_k) = (generator, k);
    config.index.clone_from(index);
    Some(engine.with(config))
}

/// Asks, and tells those who listen what is found and written. Trouble that does not keep an answer
/// from being given is told to the log.
fn answer_streaming(
    asker: &mut Asker,
    engine: &Engine,
    request: &Request,
    flight: &Flight,
) -> Result<crate::ask::Response> {
    let response = asker.ask(engine, request, &mut |event| {
        flight.notify(match event {
            Event::Found { hits, timings, cache } => {
                Update::Found(Arc::new(RetrievedPassages { hits: hits.to_vec(), timings, cache }))
            }
            Event::Text(text) => Update::Text(text.into()),
        });
    })?;
    if let Some(fault) = &response.fallback {
        telemetry::warn!(
            cause = fault.to_string(),
            "the language model failed, and passages are quoted instead"
        );
    }
    if let Some(fault) = response.writing.as_ref().and_then(|writing| writing.trouble.as_ref()) {
        telemetry::warn!(cause = fault.to_string(), "the language model broke off");
    }
    Ok(response)
}

/// Asks within a conversation, and keeps the answer there.
fn in_session(
    shared: &Shared,
    asker: &mut Asker,
    engine: &Engine,
    request: Request,
    flight: &Flight,
    id: &str,
) -> Outcome {
    // The lane runs one question of a session at a time. When a command uses the session, the
    // caller is asked to come back rather than a worker kept waiting.
    let mut session = engine.sessions()?.begin_now(id, engine.now_s())?;
    // Whoever may name a conversation freely could meet somebody else's.
    if session.turns().is_empty() && !shared.is_issued(id) {
        return Err(Problem::NoSession);
    }
    let request = Request { earlier: session.turns().to_vec(), ..request };
    let response = answer_streaming(asker, engine, &request, flight)?;
    engine.check_stop(&request.stop)?;
    session.add(response.turn(engine.now_s()))?;
    Ok(Reply::Answer(Arc::new(response)))
}
