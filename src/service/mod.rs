//! Answers questions of many concurrent callers with a few workers.
//!
//! A question waits in a bounded queue, ordered by priority, until a worker takes it. Workers keep
//! indexes and models open, and switch to a new generation on their own. Identical in-flight
//! requests share one result. A question whose callers have all left is cancelled: it is removed
//! from the queue, or ends at its next step.
//!
//! There are two lanes, each with its own queue and workers. Local work keeps a core busy, so it
//! has one worker per core. A remote language model keeps a worker waiting, and searches must not
//! wait behind it.

mod flight;
mod lane;
mod queue;
#[cfg(test)]
mod tests;
mod trace;
mod worker;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::answer::Intent;
use crate::ask;
use crate::cache::{Caching, Key};
use crate::config::{self, Generator, Mode};
use crate::disk;
use crate::document::Hit;
use crate::engine::Engine;
use crate::error::{Context as _, Fault, Result};
use crate::filter::Filter;
use crate::index::Snapshot;
pub use crate::jobs::Priority;
use crate::llm::{self, Client};
use crate::observe::{self, Exporter, How, Observer, Sampler};
use crate::search;
use crate::sessions::Turn;
use crate::telemetry::Trace;
use crate::vector::Vector;
use flight::Listener;
use lane::{Entered, Lane};
pub use trace::within;

/// Ids of new sessions without a question yet. Beyond that, the oldest is dropped.
const MAX_ISSUED: usize = 10_000;

/// Extra time for work past its deadline to end by itself, with an error that names the stage.
const GRACE: Duration = Duration::from_secs(1);

/// A request to the service.
#[derive(Clone, Debug)]
pub struct Question {
    pub text: String,
    pub kind: RequestKind,
    /// Index name; `None` for the configured one.
    pub index: Option<String>,
    /// Number of passages; `None` for the configured one.
    pub k: Option<usize>,
    pub caching: Caching,
    pub filter: Option<Filter>,
    pub priority: Priority,
}

#[derive(Clone, Debug)]
pub enum RequestKind {
    Answer {
        intent: Option<Intent>,
        generator: Option<Generator>,
        /// The session that the question continues.
        session: Option<String>,
        /// Earlier turns of a conversation that is not stored here, oldest first.
        earlier: Vec<Turn>,
    },
    Passages {
        mode: Option<Mode>,
    },
    /// The vector of each text, by the configured model.
    Vectors(Arc<[String]>),
}

impl Question {
    /// The session that the question continues.
    fn session(&self) -> Option<&str> {
        match &self.kind {
            RequestKind::Answer { session, .. } => session.as_deref(),
            RequestKind::Passages { .. } | RequestKind::Vectors(_) => None,
        }
    }
}

/// Progress of an answer.
#[derive(Clone)]
pub enum Update {
    Retrieved(Arc<RetrievedPassages>),
    /// A piece of the answer, while the language model generates it.
    Text(Arc<str>),
}

/// The passages that an answer is generated from.
pub struct RetrievedPassages {
    pub hits: Vec<Hit>,
    pub timings: ask::Timings,
    pub cache: ask::CacheUse,
}

/// The result of a question.
#[derive(Clone)]
pub enum Reply {
    Answer(Arc<ask::Response>),
    Passages(Arc<search::Response>),
    Vectors(Arc<Vectors>),
}

/// Vectors of texts.
pub struct Vectors {
    /// In the order of the texts.
    pub vectors: Vec<Vector>,
    /// Tokens of all texts.
    pub tokens: u64,
}

/// Why a question has no result.
#[derive(Clone, Debug)]
pub enum Problem {
    Fault(Arc<Fault>),
    NoIndex(String),
    /// The session does not exist, or has expired.
    NoSession,
    /// The queue is full.
    Full {
        retry_after: Duration,
    },
    /// The service is shutting down.
    Closing,
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Self::Fault(Arc::new(fault))
    }
}

pub type Outcome = std::result::Result<Reply, Problem>;

/// Load of a lane, and totals since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    pub workers: usize,
    pub waiting: usize,
    pub running: usize,
    pub answered: u64,
    /// Questions that shared the result of an identical one.
    pub joined: u64,
    /// Questions refused because the queue was full.
    pub refused: u64,
    /// Questions cancelled because all callers had left.
    pub left: u64,
}

/// The lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaneKind {
    /// Work of this machine.
    Local,
    /// Answers of a language model.
    Llm,
}

/// Answers questions from any number of callers.
pub struct Service {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Shared {
    engine: Engine,
    local: Arc<Lane>,
    llm: Arc<Lane>,
    /// Open generations by index name, each with the digest that the name pointed to.
    open: Mutex<HashMap<String, (String, Arc<Snapshot>)>>,
    /// Shared by all workers, and with it the circuit breaker.
    client: OnceLock<Arc<Client>>,
    /// Ids of new sessions without a question yet, oldest first.
    issued: Mutex<Vec<String>>,
    /// At least one worker is ready.
    is_warm: AtomicBool,
    /// Records the outcome of every question, once per caller.
    observer: Arc<Observer>,
}

/// Keeps the service alive for the thread that samples it.
struct Host(Arc<Shared>);

impl AsRef<Engine> for Host {
    fn as_ref(&self) -> &Engine {
        &self.0.engine
    }
}

/// A submitted question. Dropping the ticket means that the caller has left.
pub struct Ticket {
    listener: Listener,
    lane: Arc<Lane>,
    /// The deadline of the caller.
    until: Instant,
    /// Where the outcome is recorded; `None` once it is.
    unrecorded: Option<Arc<Shared>>,
    /// The caller follows the progress.
    is_streamed: bool,
    is_batch: bool,
    /// The trace of the caller's request.
    trace: Option<Trace>,
}

impl Service {
    /// Starts the workers.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(engine: Engine) -> Result<Self> {
        let (serve, parallel) = (&engine.config.serve, engine.config.batch_parallel);
        let query = serve.timeouts.query;
        let observer = Arc::new(Observer::new(&engine));
        let shared = Shared {
            local: Arc::new(Lane::new(serve.queue, serve.workers, query)),
            // The language model has a time limit of its own, beside those of local stages.
            llm: Arc::new(Lane::new(
                serve.queue,
                parallel,
                query + engine.config.llm.answer_timeout,
            )),
            engine,
            open: Mutex::default(),
            observer,
            client: OnceLock::new(),
            issued: Mutex::default(),
            is_warm: AtomicBool::new(false),
        };
        let service = Self { shared: Arc::new(shared), threads: Mutex::default() };
        for _ in 0..service.shared.local.max_workers {
            service.add_worker(&service.shared.local)?;
        }
        Ok(service)
    }

    pub fn engine(&self) -> &Engine {
        &self.shared.engine
    }

    pub fn observer(&self) -> &Observer {
        &self.shared.observer
    }

    /// Starts to send traces to the collector that the settings name, if any.
    ///
    /// # Errors
    /// A usage fault for an invalid address.
    pub fn export(&self) -> Result<Option<Exporter>> {
        observe::export(self.engine())
    }

    /// Samples this process for metrics and analytics until the sampler is dropped.
    pub fn sample(&self) -> Sampler {
        let waiting = |host: &Host| host.0.lanes().map(|lane| lane.load().waiting).sum::<usize>();
        self.shared.observer.sample(Host(Arc::clone(&self.shared)), waiting)
    }

    /// Submits a question.
    ///
    /// # Errors
    /// A usage fault for an invalid question; when the index does not exist, the queue is full, or
    /// the service is shutting down.
    pub async fn ask(&self, question: Question) -> std::result::Result<Ticket, Problem> {
        let shared = &self.shared;
        search::validate(&question.text)?;
        let index = question.index.as_ref().unwrap_or(&shared.engine.config.index);
        // This reads a file, and the threads that serve connections must not wait for a busy disk.
        let generation = tokio::task::spawn_blocking({
            let (shared, index) = (Arc::clone(shared), index.clone());
            move || shared.generation(&index)
        });
        let generation = generation.await.map_err(|_| Problem::Closing)??;
        let generation = generation.ok_or_else(|| Problem::NoIndex(index.clone()))?;
        let key = key(&question, index, &generation);
        let lane = match question.kind {
            RequestKind::Answer { generator, .. }
                if generator.unwrap_or(shared.engine.config.generator) == Generator::Llm =>
            {
                &shared.llm
            }
            _ => &shared.local,
        };
        self.enter(lane, key, question)
    }

    /// Submits texts to embed.
    ///
    /// # Errors
    /// When the queue is full, or the service is shutting down.
    pub fn embed(&self, texts: Arc<[String]>) -> std::result::Result<Ticket, Problem> {
        let question = Question {
            text: String::new(),
            kind: RequestKind::Vectors(texts),
            index: None,
            k: None,
            caching: Caching::Use,
            filter: None,
            priority: Priority::Normal,
        };
        self.enter(&self.shared.local, None, question)
    }

    fn enter(
        &self,
        lane: &Arc<Lane>,
        key: Option<Key>,
        question: Question,
    ) -> std::result::Result<Ticket, Problem> {
        let Entered { listener, until, needs_worker } = lane.enter(key, question)?;
        if needs_worker {
            self.add_worker(lane)?;
        }
        Ok(Ticket {
            listener,
            lane: Arc::clone(lane),
            until,
            unrecorded: Some(Arc::clone(&self.shared)),
            is_streamed: false,
            is_batch: false,
            trace: trace::current(),
        })
    }

    /// The id of a new session, which cannot be guessed.
    ///
    /// # Errors
    /// When the system cannot provide random numbers.
    pub fn new_session(&self) -> Result<String> {
        let id = disk::random_id()?;
        let mut issued = locked(&self.shared.issued);
        if issued.len() >= MAX_ISSUED {
            issued.remove(0);
        }
        issued.push(id.clone());
        Ok(id)
    }

    /// Drops the id of a new session; false when it was not issued, or has a question.
    pub fn forget_session(&self, id: &str) -> bool {
        let mut issued = locked(&self.shared.issued);
        let n = issued.len();
        issued.retain(|known| known != id);
        issued.len() < n
    }

    /// True for the id of a new session without a question.
    pub fn is_new_session(&self, id: &str) -> bool {
        self.shared.is_issued(id)
    }

    /// The current generation of an index, open; `None` when the index does not exist.
    ///
    /// # Errors
    /// When the generation cannot be opened.
    pub fn snapshot(&self, index: &str) -> Result<Option<Arc<Snapshot>>> {
        self.shared.open(index)
    }

    /// The circuit breaker of the language model; `None` before its first use.
    pub fn language_model(&self) -> Option<llm::State> {
        self.shared.client.get().map(|client| client.state())
    }

    /// True once a worker is ready.
    pub fn is_ready(&self) -> bool {
        self.shared.is_warm.load(Ordering::Acquire)
    }

    pub fn load(&self, lane: LaneKind) -> Load {
        match lane {
            LaneKind::Local => self.shared.local.load(),
            LaneKind::Llm => self.shared.llm.load(),
        }
    }

    /// Accepts no more questions. Those in the queue are answered.
    pub fn close(&self) {
        self.shared.lanes().for_each(|lane| lane.close());
    }

    /// Cancels all questions.
    pub fn stop(&self) {
        self.shared.lanes().for_each(|lane| lane.stop());
    }

    /// Waits until every worker has ended, after [`Service::close`], and flushes the cache.
    pub fn join(&self) {
        let threads: Vec<_> = std::mem::take(&mut *locked(&self.threads));
        threads.into_iter().for_each(|thread| drop(thread.join()));
        self.shared.engine.cache().flush();
    }

    /// Starts a worker, unless the lane has all of its workers.
    fn add_worker(&self, lane: &Arc<Lane>) -> Result<()> {
        if !lane.reserve_worker() {
            return Ok(());
        }
        let (shared, own) = (Arc::clone(&self.shared), Arc::clone(lane));
        let thread = std::thread::Builder::new().name("asker".to_owned());
        match thread.spawn(move || worker::run(&shared, &own)) {
            Ok(thread) => {
                locked(&self.threads).push(thread);
                Ok(())
            }
            Err(_) if lane.load().workers > 1 => {
                lane.release_worker();
                Ok(())
            }
            Err(e) => {
                lane.release_worker();
                Err(e).or_failed(|| "cannot start a thread".into())
            }
        }
    }
}

impl Ticket {
    /// The next progress update; `None` once the question has ended.
    ///
    /// # Errors
    /// When the deadline has passed.
    pub async fn next(&mut self) -> std::result::Result<Option<Update>, Problem> {
        self.is_streamed = true;
        let until = (self.until + GRACE).into();
        tokio::time::timeout_at(until, self.listener.next()).await.map_err(|_| self.late())
    }

    /// Waits for the outcome.
    ///
    /// # Errors
    /// Why the question has no result; when the deadline has passed.
    pub async fn outcome(&mut self) -> Outcome {
        let until = (self.until + GRACE).into();
        let outcome = tokio::time::timeout_at(until, self.listener.outcome())
            .await
            .map_err(|_| self.late())?;
        if let Ok(reply) = &outcome
            && let Some(shared) = self.unrecorded.take()
        {
            self.record(&shared, reply);
        }
        outcome
    }

    fn late(&self) -> Problem {
        let s = self.lane.time_limit.as_secs();
        Fault::late(format!("the question took longer than {s} s"))
            .hint("ask again later, or raise `serve.query_timeout_s`")
            .into()
    }

    /// Marks the question as part of a batch.
    #[must_use]
    pub fn of_batch(mut self) -> Self {
        self.is_batch = true;
        self
    }

    /// Records the outcome for metrics and analytics.
    fn record(&self, shared: &Shared, reply: &Reply) {
        let Shared { engine, observer, .. } = shared;
        let flight = self.listener.flight();
        let question = &flight.question;
        let mut how = How {
            text: &question.text,
            k: question.k.unwrap_or(engine.config.search_k),
            caching: question.caching,
            has_filter: question.filter.is_some(),
            is_streamed: self.is_streamed,
            is_batch: self.is_batch,
            traced: self.trace.map(|trace| (trace, flight.begun.elapsed())),
            queue_ms: flight.waited().map(|waited| waited.as_secs_f64() * 1e3),
            ..How::plain(engine, &question.text)
        };
        match (reply, &question.kind) {
            (Reply::Answer(response), RequestKind::Answer { intent, session, .. }) => {
                (how.has_intent, how.session) = (intent.is_some(), session.as_deref());
                observer.asked(engine, response, &how);
            }
            (Reply::Answer(response), RequestKind::Passages { .. }) => {
                observer.asked(engine, response, &how)
            }
            (Reply::Passages(response), _) => observer.searched(engine, response, &how),
            (Reply::Vectors(_), _) | (_, RequestKind::Vectors(_)) => {}
        }
    }
}

impl Drop for Service {
    /// Ends the workers.
    fn drop(&mut self) {
        self.close();
        self.stop();
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.lane.leave(self.listener.flight());
    }
}

impl Shared {
    fn lanes(&self) -> impl Iterator<Item = &Arc<Lane>> {
        [&self.local, &self.llm].into_iter()
    }

    /// The digest of the current generation. This reads one small file.
    fn generation(&self, index: &str) -> Result<Option<String>> {
        if !config::is_name(index) {
            return Ok(None);
        }
        Ok(self.engine.store.pointer(index)?.map(|pointer| pointer.current.meta_sha256))
    }

    fn open(&self, index: &str) -> Result<Option<Arc<Snapshot>>> {
        let Some(generation) = self.generation(index)? else {
            locked(&self.open).remove(index);
            return Ok(None);
        };
        let mut open = locked(&self.open);
        if let Some((_, snapshot)) = open.get(index).filter(|(known, _)| *known == generation) {
            return Ok(Some(Arc::clone(snapshot)));
        }
        let snapshot = Arc::new(self.engine.store.open(index)?);
        open.insert(index.to_owned(), (generation, Arc::clone(&snapshot)));
        Ok(Some(snapshot))
    }

    /// Replaces open generations that are no longer current, and returns the current ones. An index
    /// that cannot be opened is dropped; the next question about it gets the error.
    fn refresh(&self) -> Vec<Arc<Snapshot>> {
        let names: Vec<String> = locked(&self.open).keys().cloned().collect();
        let mut snapshots = Vec::new();
        for name in names {
            match self.open(&name) {
                Ok(snapshot) => snapshots.extend(snapshot),
                Err(_) => drop(locked(&self.open).remove(&name)),
            }
        }
        snapshots
    }

    fn client(&self) -> Result<Arc<Client>> {
        if let Some(client) = self.client.get() {
            return Ok(Arc::clone(client));
        }
        let client = ask::client(&self.engine)?;
        Ok(Arc::clone(self.client.get_or_init(|| client)))
    }

    fn is_issued(&self, id: &str) -> bool {
        locked(&self.issued).iter().any(|issued| issued == id)
    }
}

/// The key under which identical questions share one result. Questions of a conversation have none.
fn key(question: &Question, index: &str, generation: &str) -> Option<Key> {
    let (kind, variety) = match &question.kind {
        RequestKind::Answer { session: Some(_), .. } | RequestKind::Vectors(_) => return None,
        RequestKind::Answer { earlier, .. } if !earlier.is_empty() => return None,
        RequestKind::Answer { intent, generator, .. } => {
            (intent.map_or("", Intent::name), generator.map_or("", Generator::name))
        }
        RequestKind::Passages { mode } => ("passages", mode.map_or("", Mode::name)),
    };
    let filter = question.filter.as_ref().map(ToString::to_string).unwrap_or_default();
    let fields: [&[u8]; 9] = [
        kind.as_bytes(),
        variety.as_bytes(),
        index.as_bytes(),
        generation.as_bytes(),
        question.text.trim().as_bytes(),
        &question.k.map_or(0, |k| k as u64).to_le_bytes(),
        filter.as_bytes(),
        &[u8::from(question.filter.is_some()), u8::from(question.caching.reads())],
        &[u8::from(question.caching.writes())],
    ];
    Some(Key::of("in flight", fields))
}

/// Ignores poisoning: every update of these tables is a single operation.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
