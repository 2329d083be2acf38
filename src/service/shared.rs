//! The state that workers and tickets share: the engine, the lanes and open generations.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock};

use super::lane::Lane;
use super::question::{Question, RequestKind};
use crate::answer::Intent;
use crate::ask;
use crate::cache::Key;
use crate::config::{self, Config, Generator, Mode};
use crate::engine::Engine;
use crate::error::{Result, locked};
use crate::index::Snapshot;
use crate::llm::Client;
use crate::observe::Observer;

/// What the service, its workers and its tickets share.
pub(super) struct Shared {
    pub engine: Engine,
    pub local: Arc<Lane>,
    /// Language models by name.
    pub writers: BTreeMap<String, Writer>,
    /// Open generations by index name, each with the digest that the name pointed to.
    pub open: Mutex<HashMap<String, (String, Arc<Snapshot>)>>,
    /// Ids of new sessions without a question yet, oldest first.
    pub issued: Mutex<Vec<String>>,
    /// At least one worker is ready.
    pub is_warm: AtomicBool,
    /// Records the outcome of every question, once per caller.
    pub observer: Arc<Observer>,
}

/// A language model. A slow one keeps no question of another waiting, and one that fails pauses no
/// other.
pub(super) struct Writer {
    pub lane: Arc<Lane>,
    /// Shared by all workers, and with it the circuit breaker.
    pub client: OnceLock<Arc<Client>>,
}

impl Writer {
    pub fn new(lane: Lane) -> Self {
        Self { lane: Arc::new(lane), client: OnceLock::new() }
    }
}

impl Shared {
    pub fn lanes(&self) -> impl Iterator<Item = &Arc<Lane>> {
        std::iter::once(&self.local).chain(self.writers.values().map(|writer| &writer.lane))
    }

    /// The lane of a question.
    pub fn lane(&self, question: &Question) -> Result<&Arc<Lane>> {
        let config = &self.engine.config;
        let Some(name) = question.language_model(config) else { return Ok(&self.local) };
        config.language_model(name)?;
        Ok(self.writers.get(name).map_or(&self.local, |writer| &writer.lane))
    }

    /// The digest of the current generation. This reads one small file.
    pub fn generation(&self, index: &str) -> Result<Option<String>> {
        if !config::is_name(index) {
            return Ok(None);
        }
        Ok(self.engine.store.pointer(index)?.map(|pointer| pointer.current.meta_sha256))
    }

    pub fn open(&self, index: &str) -> Result<Option<Arc<Snapshot>>> {
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
    pub fn refresh(&self) -> Vec<Arc<Snapshot>> {
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

    /// A client for the language model of the configuration.
    pub fn client(&self, config: &Config) -> Result<Arc<Client>> {
        let writer = self.writers.get(&config.llm.name);
        if let Some(client) = writer.and_then(|writer| writer.client.get()) {
            return Ok(Arc::clone(client));
        }
        let client = ask::client(&config.llm)?;
        Ok(match writer {
            Some(writer) => Arc::clone(writer.client.get_or_init(|| client)),
            None => client,
        })
    }

    /// Whether this server or another one issued an id.
    pub fn is_issued(&self, id: &str) -> bool {
        locked(&self.issued).iter().any(|issued| issued == id)
            || self.engine.sessions().and_then(|sessions| sessions.is_issued(id)).unwrap_or(false)
    }
}

/// The key under which identical questions share one result. Questions of a conversation have none.
pub(super) fn key(question: &Question, index: &str, generation: &str) -> Option<Key> {
    let (kind, variety) = match &question.kind {
        RequestKind::Answer { session: Some(_), .. }
        | RequestKind::Vectors(_)
        | RequestKind::Scores(_) => return None,
        RequestKind::Answer { earlier, .. } if !earlier.is_empty() => return None,
        RequestKind::Answer { intent, generator, .. } => {
            (intent.map_or("", Intent::name), generator.map_or("", Generator::name))
        }
        RequestKind::Passages { mode } => ("passages", mode.map_or("", Mode::name)),
    };
    let writer = match &question.kind {
        RequestKind::Answer { llm, .. } => llm.as_deref().unwrap_or_default(),
        _ => "",
    };
    let filter = question.filter.as_ref().map(ToString::to_string).unwrap_or_default();
    let fields: [&[u8]; 10] = [
        kind.as_bytes(),
        variety.as_bytes(),
        writer.as_bytes(),
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
