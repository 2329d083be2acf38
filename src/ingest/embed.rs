//! Makes vectors for new texts: from the cache, else from the model, with one session per thread.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::divide::{Collected, Item, Offers};
use super::request::Event;
use crate::cache::{Cache, Counters, Key, Table};
use crate::engine::Engine;
use crate::error::{Fault, Result};
use crate::index::{IngestStage, Pending, Vectors};
use crate::model::{EmbeddingRole, Library, ModelFiles, Network, Runtime, Tokenizer};
use crate::vector::Vector;

/// Vectors that all threads make between two transactions of the cache; a kill loses at most these.
/// At 100 texts a second this is a transaction every second or two.
const CACHE_EVERY: usize = 256;

/// Queued texts per thread: enough that no thread waits for the next, few enough to need little
/// memory.
const QUEUED_PER_THREAD: usize = 8;

/// How often progress is reported while the queue is full or the threads finish.
const REPORT_EVERY: Duration = Duration::from_millis(2);

/// Pause between two looks at the last batches of other machines.
const LAST_BATCHES: Duration = Duration::from_millis(50);

/// What embedding needs.
pub struct Job<'a> {
    pub engine: &'a Engine,
    pub model: &'a ModelFiles,
    pub library: &'a Library,
    pub tokenizer: &'a Tokenizer,
    pub no_cache: bool,
    pub dimension: usize,
}

/// Fills in every pending row. `network` is being loaded in the background. Returns the networks,
/// because closing one takes longer than embedding a text.
///
/// Vectors made before an interruption are in the cache, so the next run continues from there.
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
    let shared = &Shared {
        job,
        vectors,
        cache,
        total,
        done: AtomicU64::new(0),
        stop: AtomicBool::new(false),
        intact: OnceLock::new(),
        fault: Mutex::new(None),
    };
    shared.report(on_event);
    let threads = job.engine.config.threads;
    let (sender, receiver) = sync_channel(QUEUED_PER_THREAD * threads);
    let receiver = &Mutex::new(receiver);
    let networks = std::thread::scope(|scope| {
        // Moved in, so that the threads end however this function returns.
        let sender = sender;
        let mut workers = Vec::new();
        let mut first = Some(network);
        // Threads start with the first text that is not in the cache.
        let mut start_workers = || {
            let needed = threads.min(usize::try_from(total).unwrap_or(usize::MAX)).max(1);
            for _ in workers.len()..needed {
                let ready = first.take();
                workers.push(scope.spawn(move || shared.work(receiver, ready)));
            }
        };
        let fed = shared.feed(pending, &sender, &mut start_workers, on_event);
        if fed.is_err() {
            shared.stop.store(true, Ordering::Relaxed);
        }
        drop(sender);
        while workers.iter().any(|worker| !worker.is_finished()) {
            std::thread::park_timeout(REPORT_EVERY);
            shared.report(on_event);
        }
        let networks = workers
            .into_iter()
            .map(|worker| worker.join().map_err(|_| Fault::failed("an embedding thread has died")));
        let networks: Vec<Option<Network>> = networks.collect::<Result<_>>()?;
        fed.map(|()| networks.into_iter().flatten().collect())
    })?;
    if let Some(fault) = shared.fault.lock().unwrap_or_else(PoisonError::into_inner).take() {
        return Err(fault);
    }
    if job.engine.interrupted() {
        return Err(Fault::interrupted());
    }
    on_event(Event::Progress { stage: IngestStage::Vectors, done: total, total });
    Ok((difference(cache.counters(Table::Embeddings), before), networks))
}

fn difference(after: Counters, before: Counters) -> Counters {
    Counters {
        hits: after.hits - before.hits,
        misses: after.misses - before.misses,
        damaged: after.damaged - before.damaged,
        evicted: 0,
    }
}

/// What the threads share. Any thread may set `stop` and `fault`.
struct Shared<'a> {
    job: &'a Job<'a>,
    vectors: &'a Vectors,
    cache: &'a Cache,
    total: u64,
    done: AtomicU64,
    stop: AtomicBool,
    /// Whether the model's files are undamaged, once the first network is loaded.
    intact: OnceLock<bool>,
    fault: Mutex<Option<Fault>>,
}

impl Shared<'_> {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.job.engine.interrupted()
    }

    fn report(&self, on_event: &mut dyn FnMut(Event)) {
        let done = self.done.load(Ordering::Relaxed);
        on_event(Event::Progress { stage: IngestStage::Vectors, done, total: self.total });
    }

    /// Takes vectors from the cache, and sends the other texts to the workers.
    fn feed(
        &self,
        pending: Pending,
        sender: &SyncSender<Item>,
        start_workers: &mut dyn FnMut(),
        on_event: &mut dyn FnMut(Event),
    ) -> Result<()> {
        let Job { engine, model, dimension, .. } = self.job;
        let fingerprint = &model.fingerprint;
        let mut offers = Offers::new(engine, model, *dimension, self.total);
        for pending in pending {
            let (n, text) = pending?;
            let key = Key::embedding(fingerprint, EmbeddingRole::Passage.name(), &text);
            let cached = self.cache.embedding(&key, fingerprint, *dimension, engine.now_s());
            if let Some(vector) = cached {
                self.put(n, &vector)?;
            } else {
                start_workers();
                let mut item = (n, key, text);
                while let Err(TrySendError::Full(back)) = sender.try_send(item) {
                    if self.stopped() {
                        return Ok(());
                    }
                    let collected = offers.collect_if_due();
                    self.keep(collected, sender, on_event)?;
                    let Some(back) = offers.take(back) else { break };
                    item = back;
                    std::thread::park_timeout(REPORT_EVERY);
                    self.report(on_event);
                }
            }
            if self.stopped() {
                return Ok(());
            }
            self.report(on_event);
        }
        while let Some(collected) = offers.finish() {
            if collected.back.is_empty() {
                std::thread::park_timeout(LAST_BATCHES);
            }
            self.keep(collected, sender, on_event)?;
            if self.stopped() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Writes vectors that other machines made, and sends texts that they did not embed to the
    /// workers.
    fn keep(
        &self,
        collected: Collected,
        sender: &SyncSender<Item>,
        on_event: &mut dyn FnMut(Event),
    ) -> Result<()> {
        let mut rows = Vec::with_capacity(collected.vectors.len());
        for ((n, key, _), vector) in collected.vectors {
            self.put(n, &vector)?;
            rows.push((key, vector));
        }
        if !rows.is_empty() {
            self.store(&mut rows);
        }
        for mut item in collected.back {
            while let Err(TrySendError::Full(back)) = sender.try_send(item) {
                if self.stopped() {
                    return Ok(());
                }
                item = back;
                std::thread::park_timeout(REPORT_EVERY);
                self.report(on_event);
            }
        }
        self.report(on_event);
        Ok(())
    }

    fn put(&self, n: usize, vector: &Vector) -> Result<()> {
        self.vectors.put(n, vector.as_slice())?;
        self.done.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Embeds texts until there are no more. A fault stops all workers.
    fn work(
        &self,
        texts: &Mutex<Receiver<Item>>,
        ready: Option<JoinHandle<Result<Network>>>,
    ) -> Option<Network> {
        let mut uncached = Vec::new();
        let worked = self.network(ready).and_then(|network| {
            network.map(|network| self.embed_all(network, texts, &mut uncached)).transpose()
        });
        self.store(&mut uncached);
        worked.unwrap_or_else(|fault| {
            self.stop.store(true, Ordering::Relaxed);
            self.fault.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(fault);
            None
        })
    }

    /// The network of a worker. The model's files are verified once, while the first network is
    /// loaded. The others wait for that: if the files are damaged, they have no network, and the
    /// first worker reports the fault.
    fn network(&self, ready: Option<JoinHandle<Result<Network>>>) -> Result<Option<Network>> {
        if let Some(opening) = ready {
            let opened =
                opening.join().unwrap_or_else(|_| Err(Fault::failed("loading the model failed")));
            let _ = self.intact.set(opened.is_ok());
            return opened.map(Some);
        }
        let loaded = Runtime::load(self.job.library)
            .and_then(|runtime| Network::load(&runtime, self.job.model));
        if *self.intact.wait() { loaded.map(Some) } else { Ok(None) }
    }

    fn embed_all(
        &self,
        mut network: Network,
        texts: &Mutex<Receiver<Item>>,
        uncached: &mut Vec<(Key, Vector)>,
    ) -> Result<Network> {
        let Job { engine, tokenizer, model, dimension, .. } = self.job;
        let store_every = (CACHE_EVERY / engine.config.threads.max(1)).max(1);
        loop {
            let next = texts.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok((n, key, text)) = next else { return Ok(network) };
            if self.stopped() {
                return Ok(network);
            }
            let vector = network.embed(tokenizer, &model.spec, EmbeddingRole::Passage, &text)?;
            if vector.dimension() != *dimension {
                return Err(Fault::failed(format!(
                    "the model makes vectors of {} numbers, but its files state {dimension}",
                    vector.dimension()
                )));
            }
            self.put(n, &vector)?;
            uncached.push((key, vector));
            if uncached.len() >= store_every {
                self.store(uncached);
            }
        }
    }

    fn store(&self, rows: &mut Vec<(Key, Vector)>) {
        self.cache.put_embeddings(&self.job.model.fingerprint, rows, self.job.engine.now_s());
        rows.clear();
    }
}
