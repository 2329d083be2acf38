//! Answers questions of many concurrent callers with a few workers.
//!
//! A question waits in a bounded queue, ordered by priority, until a worker takes it. Workers keep
//! indexes and models open, and switch to a new generation on their own. Identical in-flight
//! requests share one result. A question whose callers have all left is cancelled: it is removed
//! from the queue, or ends at its next step.
//!
//! There is a lane for local work, and one for each language model, each with its own queue and
//! workers. Local work keeps a core busy, so it has one worker per core. A remote language model
//! keeps a worker waiting, and neither searches nor another model must wait behind it.

mod flight;
mod lane;
mod question;
mod queue;
mod shared;
#[cfg(test)]
mod tests;
mod ticket;
mod trace;
mod worker;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use crate::cache::{Caching, Key};
use crate::disk;
use crate::engine::Engine;
use crate::error::{Context as _, Result, locked};
use crate::index::Snapshot;
pub use crate::jobs::Priority;
use crate::llm;
use crate::observe::{self, Exporter, Observer, Sampler};
use crate::search;
pub use lane::Load;
use lane::{Entered, Lane};
pub use question::{
    Candidates, Outcome, Problem, Question, Reply, RequestKind, RetrievedPassages, Scorer, Texts,
    Update, Vectors,
};
use shared::{Shared, Writer, key};
pub use ticket::Ticket;
pub use trace::within;

/// Ids of new sessions without a question yet. Beyond that, the oldest is dropped.
const MAX_ISSUED: usize = 10_000;

/// The lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaneKind {
    /// Work of this machine.
    Local,
    /// Answers of language models.
    Llm,
}

/// Answers questions from any number of callers.
pub struct Service {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// Keeps the service alive for the thread that samples it.
struct Host(Arc<Shared>);

impl AsRef<Engine> for Host {
    fn as_ref(&self) -> &Engine {
        &self.0.engine
    }
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
        // A language model has a time limit of its own, beside those of local stages.
        let writer = |llm: &llm::Endpoint| {
            let lane = Lane::new(serve.queue, parallel, query + llm.answer_timeout);
            (llm.name.clone(), Writer::new(lane))
        };
        let models = engine.config.llms.values().chain([&engine.config.llm]);
        let shared = Shared {
            local: Arc::new(Lane::new(serve.queue, serve.workers, query)),
            writers: models.map(writer).collect(),
            engine,
            open: Mutex::default(),
            observer,
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
        self.enter(shared.lane(&question)?, key, question)
    }

    /// Submits texts to embed.
    ///
    /// # Errors
    /// When the queue is full, or the service is shutting down.
    pub fn embed(&self, texts: Texts) -> std::result::Result<Ticket, Problem> {
        self.compute(RequestKind::Vectors(Arc::new(texts)))
    }

    /// Submits documents to score.
    ///
    /// # Errors
    /// When the queue is full, or the service is shutting down.
    pub fn score(&self, candidates: Candidates) -> std::result::Result<Ticket, Problem> {
        self.compute(RequestKind::Scores(Arc::new(candidates)))
    }

    /// Submits work that needs no index.
    fn compute(&self, kind: RequestKind) -> std::result::Result<Ticket, Problem> {
        let question = Question {
            text: String::new(),
            kind,
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
    /// When the system cannot provide random numbers, or sessions cannot be kept.
    pub fn new_session(&self) -> Result<String> {
        let id = disk::random_id()?;
        self.engine().sessions()?.issue(&id)?;
        let mut issued = locked(&self.shared.issued);
        if issued.len() >= MAX_ISSUED {
            issued.remove(0);
        }
        issued.push(id.clone());
        Ok(id)
    }

    /// Drops the id of a new session; false when it was not issued, or has a question.
    pub fn forget_session(&self, id: &str) -> bool {
        let was_known = self
            .engine()
            .sessions()
            .and_then(|sessions| sessions.forget_issued(id))
            .unwrap_or(false);
        let mut issued = locked(&self.shared.issued);
        let n = issued.len();
        issued.retain(|known| known != id);
        was_known || issued.len() < n
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

    /// The circuit breaker of a language model; `None` before its first use.
    pub fn language_model(&self, name: &str) -> Option<llm::State> {
        Some(self.shared.writers.get(name)?.client.get()?.state())
    }

    /// Answers of a language model since the start.
    pub fn answered(&self, name: &str) -> u64 {
        self.shared.writers.get(name).map_or(0, |writer| writer.lane.load().answered)
    }

    /// True once a worker is ready.
    pub fn is_ready(&self) -> bool {
        self.shared.is_warm.load(Ordering::Acquire)
    }

    pub fn load(&self, lane: LaneKind) -> Load {
        match lane {
            LaneKind::Local => self.shared.local.load(),
            LaneKind::Llm => self.shared.writers.values().map(|writer| writer.lane.load()).sum(),
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

impl Drop for Service {
    /// Ends the workers.
    fn drop(&mut self) {
        self.close();
        self.stop();
    }
}
