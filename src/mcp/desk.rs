//! The thread that answers: it owns the open indexes, and takes one piece of work after another from a bounded queue.
//!
//! The protocol runs on an async runtime; searching and answering do not. What a client no longer waits for is not
//! begun, and what has begun is broken off at its next safe place.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::ask::Asker;
use crate::engine::Engine;
use crate::error::{Fault, Result};

/// Work that waits. One client sends a handful of calls at once; who is further behind is told so.
const MOST_WAITING: usize = 64;
/// Indexes that stay open. Each has its model loaded, some 70 MiB.
const MOST_OPEN: usize = 4;

type Work = Box<dyn FnOnce(&Engine, &mut Asker) + Send>;

struct Task {
    index: String,
    work: Work,
    /// Gets what kept the index from being opened.
    failed: Box<dyn FnOnce(Fault) + Send>,
    /// Written by whoever gave the work, read before it begins.
    is_dropped: Arc<AtomicBool>,
}

/// What runs now: whose it is, and the engine that can be stopped.
type Running = Arc<Mutex<Option<(Arc<AtomicBool>, Arc<Engine>)>>>;

/// Gives work to the thread. Clones share it; it ends with the last of them.
#[derive(Clone)]
pub struct Desk {
    tasks: SyncSender<Task>,
    running: Running,
}

/// An index as it stands open.
struct Open {
    engine: Arc<Engine>,
    asker: Asker,
    /// SHA-256 of the generation's `meta.json`.
    generation: String,
    /// When it was used last, counted in pieces of work.
    used: u64,
}

impl Desk {
    /// Starts the thread.
    pub fn new(engine: Arc<Engine>) -> Result<Self> {
        let (tasks, queue) = sync_channel(MOST_WAITING);
        let running = Running::default();
        let shared = Arc::clone(&running);
        std::thread::Builder::new()
            .name("mcp".into())
            .spawn(move || work(&engine, &queue, &shared))
            .map_err(|e| Fault::failed("cannot start a thread").because(e))?;
        Ok(Self { tasks, running })
    }

    /// Does `work` with the index called `index`.
    ///
    /// # Errors
    /// Those of the work; [`Kind::Busy`](crate::error::Kind::Busy) when too much waits; an interruption when
    /// `cancelled` comes first.
    pub async fn run<T: Send + 'static>(
        &self,
        index: &str,
        cancelled: &CancellationToken,
        work: impl FnOnce(&Engine, &mut Asker) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        // Either the work or its failure answers, and whoever is not there any more misses nothing.
        let answer = Arc::new(Mutex::new(Some(answer)));
        let tell = |answer: &Mutex<Option<oneshot::Sender<Result<T>>>>, result| {
            let _ = locked(answer).take().map(|answer| answer.send(result));
        };
        let is_dropped = Arc::new(AtomicBool::new(false));
        let failing = Arc::clone(&answer);
        let task = Task {
            index: index.to_owned(),
            work: Box::new(move |engine, asker| tell(&answer, work(engine, asker))),
            failed: Box::new(move |fault| tell(&failing, Err(fault))),
            is_dropped: Arc::clone(&is_dropped),
        };
        self.tasks.try_send(task).map_err(|e| match e {
            TrySendError::Full(_) => {
                Fault::busy(format!("{MOST_WAITING} calls wait already")).hint("wait for some of them")
            }
            TrySendError::Disconnected(_) => gone(),
        })?;
        tokio::select! {
            result = answered => result.unwrap_or_else(|_| Err(gone())),
            () = cancelled.cancelled() => {
                self.give_up(&is_dropped);
                Err(Fault::interrupted())
            }
        }
    }

    fn give_up(&self, is_dropped: &Arc<AtomicBool>) {
        is_dropped.store(true, Ordering::Relaxed);
        if let Some((owner, engine)) = &*locked(&self.running)
            && Arc::ptr_eq(owner, is_dropped)
        {
            engine.stop();
        }
    }
}

fn gone() -> Fault {
    Fault::failed("the thread that answers has ended")
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Until nobody gives work any more.
fn work(engine: &Engine, queue: &Receiver<Task>, running: &Running) {
    let mut open: BTreeMap<String, Open> = BTreeMap::new();
    for (n, task) in (0..).zip(queue) {
        if task.is_dropped.load(Ordering::Relaxed) {
            continue;
        }
        let found = match current(engine, &mut open, &task.index) {
            Ok(found) => found,
            Err(fault) => {
                (task.failed)(fault);
                continue;
            }
        };
        found.used = n;
        {
            let mut running = locked(running);
            // Dropped meanwhile: from here on whoever drops it stops the engine.
            if task.is_dropped.load(Ordering::Relaxed) {
                continue;
            }
            *running = Some((Arc::clone(&task.is_dropped), Arc::clone(&found.engine)));
        }
        (task.work)(&found.engine, &mut found.asker);
        found.engine.cache().flush();
        *locked(running) = None;
        if task.is_dropped.load(Ordering::Relaxed) {
            // It was told to stop, and will not work again.
            found.engine = Arc::new(engine.with(found.engine.config.clone()));
        }
    }
}

/// The index as it is now: a new generation is opened in the place of the one before.
fn current<'a>(engine: &Engine, open: &'a mut BTreeMap<String, Open>, name: &str) -> Result<&'a mut Open> {
    let pointer = engine.store.pointer(name)?;
    let generation = pointer.map(|pointer| pointer.current.meta_sha256).unwrap_or_default();
    let is_current = open.get(name).is_some_and(|open| open.generation == generation && !generation.is_empty());
    if !is_current {
        open.remove(name);
        while open.len() >= MOST_OPEN {
            let oldest = open.iter().min_by_key(|(_, open)| open.used).map(|(name, _)| name.clone());
            oldest.iter().for_each(|oldest| drop(open.remove(oldest)));
        }
        let mut config = engine.config.clone();
        name.clone_into(&mut config.index);
        let engine = Arc::new(engine.with(config));
        let asker = Asker::open(&engine)?;
        open.insert(name.to_owned(), Open { engine, asker, generation, used: 0 });
    }
    open.get_mut(name).ok_or_else(|| Fault::failed(format!("the index `{name}` cannot be opened")))
}
