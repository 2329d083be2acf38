//! Many who ask, few who work.
//!
//! A question waits in a bounded line, by urgency, until one of a few threads takes it; each of
//! these keeps index and model open and goes over to a new generation by itself. Who asks what is
//! being worked on already listens to that instead. Who stops listening is forgotten: what waits
//! for nobody is dropped, what runs for nobody ends at its next step.
//!
//! There are two lines, each with workers of its own. Vectors and passages keep a core busy, so one
//! worker a core is what helps; a language model elsewhere keeps a worker waiting, and nobody who
//! only searches should wait behind it.

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

/// Conversations that were given a name and not used yet; more push the oldest out.
const MAX_ISSUED: usize = 10_000;

/// Work whose deadline has passed ends by itself and says at which stage; its callers wait for that
/// a little longer.
const GRACE: Duration = Duration::from_secs(1);

/// What somebody wants to know.
#[derive(Clone, Debug)]
pub struct Question {
    pub text: String,
    pub wanted: RequestKind,
    /// The configured index unless it says otherwise.
    pub index: Option<String>,
    /// Passages; as configured unless it says otherwise.
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
        /// A conversation that it continues.
        session: Option<String>,
        /// What was said before, where nothing is kept of it here: oldest first.
        earlier: Vec<Turn>,
    },
    Passages {
        mode: Option<Mode>,
    },
    /// Of each of these texts, by the configured model.
    Vectors(Arc<[String]>),
}

impl Question {
    /// The conversation that it continues.
    fn session(&self) -> Option<&str> {
        match &self.wanted {
            RequestKind::Answer { session, .. } => session.as_deref(),
            RequestKind::Passages { .. } | RequestKind::Vectors(_) => None,
        }
    }
}

/// What is told while an answer is being made.
#[derive(Clone)]
pub enum Update {
    Found(Arc<RetrievedPassages>),
    /// A piece of the answer, as the language model writes it.
    Text(Arc<str>),
}

/// The passages from which an answer is made.
pub struct RetrievedPassages {
    pub hits: Vec<Hit>,
    pub timings: ask::Timings,
    pub cache: ask::CacheUse,
}

/// What came of a question.
#[derive(Clone)]
pub enum Reply {
    Answer(Arc<ask::Response>),
    Passages(Arc<search::Response>),
    Vectors(Arc<Vectors>),
}

/// Texts as a model sees them.
pub struct Vectors {
    /// In the order of the texts.
    pub vectors: Vec<Vector>,
    /// Tokens of all texts.
    pub tokens: u64,
}

/// Why nothing came of a question.
#[derive(Clone, Debug)]
pub enum Problem {
    Fault(Arc<Fault>),
    NoIndex(String),
    /// Nobody was given a conversation of that name, or it has expired.
    NoSession,
    /// Too many wait.
    Full {
        retry_after: Duration,
    },
    /// The service is ending.
    Closing,
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Self::Fault(Arc::new(fault))
    }
}

pub type Outcome = std::result::Result<Reply, Problem>;

/// How much there is to do, and what was done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    pub workers: usize,
    pub waiting: usize,
    pub running: usize,
    pub answered: u64,
    /// Questions that listened to the answer of another one.
    pub joined: u64,
    /// Refused because too many waited.
    pub refused: u64,
    /// Ended because nobody waited for them any more.
    pub left: u64,
}

/// The lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaneKind {
    /// What this machine does itself.
    Own,
    /// What a language model elsewhere writes.
    Written,
}

/// Answers questions from any number of callers.
pub struct Service {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Shared {
    engine: Engine,
    own: Arc<Lane>,
    written: Arc<Lane>,
    /// Open generations by the name of the index, each with what the name stood for then.
    open: Mutex<HashMap<String, (String, Arc<Snapshot>)>>,
    /// One for all workers, so that all leave a failing server alone.
    client: OnceLock<Arc<Client>>,
    /// Names of conversations that were given out, oldest first.
    issued: Mutex<Vec<String>>,
    /// Somebody is ready to work.
    is_warm: AtomicBool,
    /// Hears how every question ended, once for each who asked.
    observer: Arc<Observer>,
}

/// Keeps the inside of a service for the thread that samples it.
struct Host(Arc<Shared>);

impl AsRef<Engine> for Host {
    fn as_ref(&self) -> &Engine {
        &self.0.engine
    }
}

/// A question that was taken. Whoever drops it is no longer interested.
pub struct Ticket {
    reader: Listener,
    lane: Arc<Lane>,
    /// When its caller gives up.
    until: Instant,
    /// Whose observer is to hear how it ended; `None` once it has.
    told: Option<Arc<Shared>>,
    /// Somebody follows the answer while it is being made.
    is_streamed: bool,
    is_batch: bool,
    /// The request that it came with.
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
            own: Arc::new(Lane::new(serve.queue, serve.workers, query)),
            // A language model takes its own time; what the machine does itself is bounded by
            // stages.
            written: Arc::new(Lane::new(
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
        for _ in 0..service.shared.own.most_workers {
            service.hire(&service.shared.own)?;
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

    /// Takes a question.
    ///
    /// # Errors
    /// A usage fault for what is no question; when there is no such index, too many wait, or the
    /// service is ending.
    pub async fn ask(&self, question: Question) -> std::result::Result<Ticket, Problem> {
        let shared = &self.shared;
        search::validate(&question.text)?;
        let index = question.index.as_ref().unwrap_or(&shared.engine.config.index);
        // A file is read, which may take long on a busy disk; the threads that pass bytes on must
        // not wait for it.
        let generation = tokio::task::spawn_blocking({
            let (shared, index) = (Arc::clone(shared), index.clone());
            move || shared.generation(&index)
        });
        let generation = generation.await.map_err(|_| Problem::Closing)??;
        let generation = generation.ok_or_else(|| Problem::NoIndex(index.clone()))?;
        let key = key(&question, index, &generation);
        let lane = match question.wanted {
            RequestKind::Answer { generator, .. }
                if generator.unwrap_or(shared.engine.config.generator) == Generator::Llm =>
            {
                &shared.written
            }
            _ => &shared.own,
        };
        self.enter(lane, key, question)
    }

    /// Takes texts of which the vectors are wanted.
    ///
    /// # Errors
    /// When too many wait, or the service is ending.
    pub fn embed(&self, texts: Arc<[String]>) -> std::result::Result<Ticket, Problem> {
        let question = Question {
            text: String::new(),
            wanted: RequestKind::Vectors(texts),
            index: None,
            k: None,
            caching: Caching::Use,
            filter: None,
            priority: Priority::Normal,
        };
        self.enter(&self.shared.own, None, question)
    }

    fn enter(
        &self,
        lane: &Arc<Lane>,
        key: Option<Key>,
        question: Question,
    ) -> std::result::Result<Ticket, Problem> {
        let Entered { reader, until, wants_worker } = lane.enter(key, question)?;
        if wants_worker {
            self.hire(lane)?;
        }
        let told = Some(Arc::clone(&self.shared));
        let lane = Arc::clone(lane);
        Ok(Ticket {
            reader,
            lane,
            until,
            told,
            is_streamed: false,
            is_batch: false,
            trace: trace::current(),
        })
    }

    /// A name for a new conversation, which nobody can guess.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn new_session(&self) -> Result<String> {
        let id = disk::random_id()?;
        let mut issued = locked(&self.shared.issued);
        if issued.len() >= MAX_ISSUED {
            issued.remove(0);
        }
        issued.push(id.clone());
        Ok(id)
    }

    /// Takes a name back that was given out; false when it was not, or something was asked under
    /// it.
    pub fn forget_session(&self, id: &str) -> bool {
        let mut issued = locked(&self.shared.issued);
        let n = issued.len();
        issued.retain(|known| known != id);
        issued.len() < n
    }

    /// True when this name was given out for a conversation in which nothing was asked yet.
    pub fn is_new_session(&self, id: &str) -> bool {
        self.shared.is_issued(id)
    }

    /// The generation that an index stands for now, open; `None` when there is no such index.
    ///
    /// # Errors
    /// Whatever keeps it from being opened.
    pub fn snapshot(&self, index: &str) -> Result<Option<Arc<Snapshot>>> {
        self.shared.open(index)
    }

    /// Whether the language model is asked, or left alone after it failed; `None` while nobody has
    /// asked it.
    pub fn language_model(&self) -> Option<llm::State> {
        self.shared.client.get().map(|client| client.state())
    }

    /// True once a worker is ready for questions.
    pub fn is_ready(&self) -> bool {
        self.shared.is_warm.load(Ordering::Acquire)
    }

    pub fn load(&self, line: LaneKind) -> Load {
        match line {
            LaneKind::Own => self.shared.own.load(),
            LaneKind::Written => self.shared.written.load(),
        }
    }

    /// Takes no more questions. Those that were taken are answered.
    pub fn close(&self) {
        self.shared.lanes().for_each(|lane| lane.close());
    }

    /// Ends what waits and what runs.
    pub fn stop(&self) {
        self.shared.lanes().for_each(|lane| lane.stop());
    }

    /// Waits until every worker has ended, after [`Service::close`], and writes down what the cache
    /// has gathered.
    pub fn join(&self) {
        let threads: Vec<_> = std::mem::take(&mut *locked(&self.threads));
        threads.into_iter().for_each(|thread| drop(thread.join()));
        self.shared.engine.cache().flush();
    }

    fn hire(&self, lane: &Arc<Lane>) -> Result<()> {
        if !lane.hire() {
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
                lane.dismiss();
                Ok(())
            }
            Err(e) => {
                lane.dismiss();
                Err(e).or_failed(|| "cannot start a thread".into())
            }
        }
    }
}

impl Ticket {
    /// What is told next; `None` once it has ended.
    ///
    /// # Errors
    /// When it takes longer than its caller waits.
    pub async fn next(&mut self) -> std::result::Result<Option<Update>, Problem> {
        self.is_streamed = true;
        let until = (self.until + GRACE).into();
        tokio::time::timeout_at(until, self.reader.next()).await.map_err(|_| self.late())
    }

    /// How it ended.
    ///
    /// # Errors
    /// Why nothing came of it; when it takes longer than its caller waits.
    pub async fn outcome(&mut self) -> Outcome {
        let until = (self.until + GRACE).into();
        let outcome =
            tokio::time::timeout_at(until, self.reader.outcome()).await.map_err(|_| self.late())?;
        if let Ok(reply) = &outcome
            && let Some(shared) = self.told.take()
        {
            self.notify(&shared, reply);
        }
        outcome
    }

    fn late(&self) -> Problem {
        let s = self.lane.patience.as_secs();
        Fault::late(format!("the question took longer than {s} s"))
            .hint("ask again later; `serve.query_timeout_s` is how long it may take")
            .into()
    }

    /// The question is one of many that were asked at once.
    #[must_use]
    pub fn of_batch(mut self) -> Self {
        self.is_batch = true;
        self
    }

    fn notify(&self, shared: &Shared, reply: &Reply) {
        let Shared { engine, observer, .. } = shared;
        let flight = self.reader.flight();
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
        match (reply, &question.wanted) {
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
    /// No worker outlives it for long.
    fn drop(&mut self) {
        self.close();
        self.stop();
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.lane.leave(self.reader.flight());
    }
}

impl Shared {
    fn lanes(&self) -> impl Iterator<Item = &Arc<Lane>> {
        [&self.own, &self.written].into_iter()
    }

    /// What a name stands for now. One small file is read; that is how a new generation is noticed.
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

    /// The generations that are open, each the one that its index stands for now. One that cannot
    /// be opened is forgotten: whoever asks for it is told why.
    fn catch_up(&self) -> Vec<Arc<Snapshot>> {
        let names: Vec<String> = locked(&self.open).keys().cloned().collect();
        let open = |name: &String| {
            let opened = self.open(name);
            if opened.is_err() {
                locked(&self.open).remove(name);
            }
            opened.ok().flatten()
        };
        names.iter().filter_map(open).collect()
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

/// Everything by which two questions are the same one. Within a conversation no two are.
fn key(question: &Question, index: &str, generation: &str) -> Option<Key> {
    let (kind, variety) = match &question.wanted {
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

/// A panic elsewhere leaves a table that is still right.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
