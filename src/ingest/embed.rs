//! Vectors for the texts that have none: from the cache, else from the model, one session a thread.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Event, IngestStage};
use crate::cache::{Cache, Counters, Key, Table};
use crate::engine::Engine;
use crate::error::{Fault, Result};
use crate::index::{Pending, Vectors};
use crate::model::{EmbeddingRole, Library, ModelFiles, Network, Runtime, Tokenizer};
use crate::vector::Vector;

/// Vectors made by all threads together between two transactions of the cache: what is made again
/// after a kill. At 100 texts a second this is a commit every second or two.
const KEEP_EVERY: usize = 256;

/// Texts waiting for each thread: enough that none ever waits for the feeder, few enough to be
/// nothing in memory.
const QUEUED_PER_THREAD: usize = 8;

/// How often the progress is told while the queue is full.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// What the stage works with.
pub struct Job<'a> {
    pub engine: &'a Engine,
    pub model: &'a ModelFiles,
    pub library: &'a Library,
    pub tokenizer: &'a Tokenizer,
    pub no_cache: bool,
    pub dimension: usize,
}

/// Fills in every pending row. `network` has been loading meanwhile. The networks come back: to
/// close one takes longer than to embed a text.
///
/// What is embedded before an interruption is in the cache, so that the next run goes on from
/// there.
pub fn embed(
    job: &Job<'_>,
    pending: Pending,
    vectors: &Vectors,
    network: JoinHandle<Result<Network>>,
    on_event: &mut dyn FnMut(Event),
) -> Result<(Counters, Vec<Network>)> {
    let disabled = Cache::disabled();
    let cache = if job.no_cache { &disabled } else { job.engine.cache() };
    let before = cache.counters(Table::Embeddings);
    let total = pending.len() as u64;
    let shared = Shared {
        job,
        vectors,
        cache,
        done: AtomicU64::new(0),
        stop: AtomicBool::new(false),
        intact: OnceLock::new(),
        fault: Mutex::new(None),
    };
    on_event(Event::Progress { stage: IngestStage::Vectors, done: 0, total });
    let (sender, receiver) =
        sync_channel::<(usize, Key, String)>(QUEUED_PER_THREAD * job.engine.config.threads);
    let receiver = &Mutex::new(receiver);
    let shared_ref = &shared;
    let networks = std::thread::scope(|scope| {
        // Moved in, so that the threads see the end of the texts however this ends.
        let sender = sender;
        let mut workers = Vec::new();
        let mut first = Some(network);
        let fed = (|| {
            for text in pending {
                let (n, text) = text?;
                let key =
                    Key::embedding(&job.model.fingerprint, EmbeddingRole::Passage.name(), &text);
                if let Some(vector) =
                    cache.embedding(&key, &job.model.fingerprint, job.dimension, job.engine.now_s())
                {
                    vectors.put(n, vector.as_slice())?;
                    shared.done.fetch_add(1, Ordering::Relaxed);
                } else {
                    // Threads start with the first text that needs one: a run that finds all in the
                    // cache has none.
                    if workers.is_empty() {
                        let wanted = job
                            .engine
                            .config
                            .threads
                            .min(usize::try_from(total).unwrap_or(usize::MAX))
                            .max(1);
                        for _ in 0..wanted {
                            let ready = first.take();
                            workers.push(scope.spawn(move || shared_ref.work(receiver, ready)));
                        }
                    }
                    let mut item = (n, key, text);
                    while let Err(std::sync::mpsc::TrySendError::Full(back)) = sender.try_send(item)
                    {
                        if shared.stopped() {
                            return Ok(());
                        }
                        item = back;
                        std::thread::park_timeout(Duration::from_millis(2));
                        report(&shared, total, on_event);
                    }
                }
                if shared.stopped() {
                    return Ok(());
                }
                report(&shared, total, on_event);
            }
            Ok(())
        })();
        if fed.is_err() {
            shared.stop.store(true, Ordering::Relaxed);
        }
        drop(sender);
        while workers.iter().any(|worker| !worker.is_finished()) {
            std::thread::park_timeout(TELL_EVERY.min(Duration::from_millis(2)));
            report(&shared, total, on_event);
        }
        let mut networks = Vec::new();
        for worker in workers {
            networks
                .extend(worker.join().map_err(|_| Fault::failed("an embedding thread has died"))?);
        }
        fed.map(|()| networks)
    })?;
    if let Some(fault) = shared.fault.lock().unwrap_or_else(PoisonError::into_inner).take() {
        return Err(fault);
    }
    if job.engine.interrupted() {
        return Err(Fault::interrupted());
    }
    on_event(Event::Progress { stage: IngestStage::Vectors, done: total, total });
    let after = cache.counters(Table::Embeddings);
    let counters = Counters {
        hits: after.hits - before.hits,
        misses: after.misses - before.misses,
        damaged: after.damaged - before.damaged,
        evicted: 0,
    };
    Ok((counters, networks))
}

fn report(shared: &Shared<'_>, total: u64, on_event: &mut dyn FnMut(Event)) {
    on_event(Event::Progress {
        stage: IngestStage::Vectors,
        done: shared.done.load(Ordering::Relaxed),
        total,
    });
}

/// What the threads share. `stop` and `fault` are set by any, read by all.
struct Shared<'a> {
    job: &'a Job<'a>,
    vectors: &'a Vectors,
    cache: &'a Cache,
    done: AtomicU64,
    stop: AtomicBool,
    /// Whether the files of the model are what they should be, once that is known.
    intact: OnceLock<bool>,
    fault: Mutex<Option<Fault>>,
}

impl Shared<'_> {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.job.engine.interrupted()
    }

    fn work(
        &self,
        texts: &Mutex<Receiver<(usize, Key, String)>>,
        ready: Option<JoinHandle<Result<Network>>>,
    ) -> Option<Network> {
        let keep_every = (KEEP_EVERY / self.job.engine.config.threads.max(1)).max(1);
        let mut kept = Vec::with_capacity(keep_every);
        let worked = (|| {
            let mut network = match ready {
                Some(opening) => {
                    let opened = opening
                        .join()
                        .unwrap_or_else(|_| Err(Fault::failed("loading the model failed")));
                    let _ = self.intact.set(opened.is_ok());
                    opened?
                }
                None => {
                    let runtime = Runtime::load(self.job.library);
                    let loaded =
                        runtime.and_then(|runtime| Network::load(&runtime, self.job.model));
                    // The files are checked once, beside the first network: nothing is made with
                    // them before that has ended well, and if it has not, the first one tells why.
                    if !self.intact.wait() {
                        return Ok(None);
                    }
                    loaded?
                }
            };
            loop {
                let next = texts.lock().unwrap_or_else(PoisonError::into_inner).recv();
                let Ok((n, key, text)) = next else { return Ok(Some(network)) };
                if self.stopped() {
                    return Ok(Some(network));
                }
                let vector = network.embed(
                    self.job.tokenizer,
                    &self.job.model.spec,
                    EmbeddingRole::Passage,
                    &text,
                )?;
                if vector.dimension() != self.job.dimension {
                    return Err(Fault::failed(format!(
                        "the model gives vectors of {} numbers where its files say {}",
                        vector.dimension(),
                        self.job.dimension
                    )));
                }
                self.vectors.put(n, vector.as_slice())?;
                self.done.fetch_add(1, Ordering::Relaxed);
                kept.push((key, vector));
                if kept.len() >= keep_every {
                    self.keep(&mut kept);
                }
            }
        })();
        self.keep(&mut kept);
        worked
            .map_err(|fault| {
                self.stop.store(true, Ordering::Relaxed);
                self.fault.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(fault);
            })
            .ok()
            .flatten()
    }

    fn keep(&self, rows: &mut Vec<(Key, Vector)>) {
        self.cache.put_embeddings(&self.job.model.fingerprint, rows, self.job.engine.now_s());
        rows.clear();
    }
}
