//! The handles that a `Config` describes, each opened once, when first needed.
//!
//! Commands are free functions over `&Engine`. The caller provides clock and interruption flag, so
//! tests and servers have their own. A [`Stop`] ends one piece of work among many.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use crate::analytics;
use crate::cache::Cache;
use crate::config::{Config, Timeouts};
use crate::error::{Fault, Kind, Result};
use crate::index::Store;
use crate::jobs::Jobs;
use crate::ledger::Ledger;
use crate::model::{Assets, CrossEncoder, Library, ModelFiles};
use crate::nearest::Nearest;
use crate::sessions::Sessions;
use crate::shared::{Shared, Use};
use crate::state::State;
use crate::strings::named;

/// The handles of every command.
pub struct Engine {
    pub config: Config,
    pub store: Store,
    pub jobs: Jobs,
    /// The library and the models that may be opened.
    pub assets: Assets,
    /// What servers share; [`Shared::Local`] until [`Engine::connected`].
    pub shared: Shared,
    /// Where servers keep jobs, sessions and analytics together; [`Ledger::Local`] until then.
    pub ledger: Ledger,
    cache: Arc<OnceLock<Cache>>,
    /// The files of `rerank.model`.
    reranker: Arc<OnceLock<ModelFiles>>,
    sessions: Arc<OnceLock<Sessions>>,
    clock: fn() -> SystemTime,
    /// Set by a signal handler, read between units of work.
    interrupted: &'static AtomicBool,
    /// Set by [`Engine::stop`].
    stopped: AtomicBool,
}

impl Engine {
    pub fn new(
        config: Config,
        clock: fn() -> SystemTime,
        interrupted: &'static AtomicBool,
    ) -> Self {
        let state = State::new(config.state_dir.clone(), clock);
        Self {
            store: Store::new(&config.data_dir)
                .with_state(state.clone())
                .with_depot(&config.depot, interrupted),
            assets: Assets::new(&config, state),
            jobs: Jobs::new(&config.jobs_dir),
            config,
            shared: Shared::Local,
            ledger: Ledger::Local,
            cache: Arc::default(),
            reranker: Arc::default(),
            sessions: Arc::default(),
            clock,
            interrupted,
            stopped: AtomicBool::new(false),
        }
    }

    /// With the engines outside this machine that the settings name. Nothing is sent yet.
    ///
    /// # Errors
    /// A usage fault for a setting that cannot be used.
    pub fn connected(mut self) -> Result<Self> {
        self.shared = Shared::open(&self.config.shared, Use::Cache)?;
        self.ledger = Ledger::open(&self.config.ledger)?;
        self.jobs = Jobs::of(&self.ledger, &self.config.jobs_dir);
        let nearest = Nearest::open(&self.config.nearest)?;
        self.store = self.store.with_nearest(nearest, self.interrupted);
        self.store.announce_through(&self.shared);
        Ok(self)
    }

    /// The user's state outside of the data directory.
    pub fn state(&self) -> State {
        State::new(self.config.state_dir.clone(), self.clock)
    }

    /// The cache, opened when first needed.
    pub fn cache(&self) -> &Cache {
        self.cache.get_or_init(|| {
            let cache = Cache::open(&self.config.cache_dir, self.config.cache);
            cache.with_shared(&self.shared, &self.config.shared)
        })
    }

    /// The conversations, opened when first needed.
    pub fn sessions(&self) -> Result<&Sessions> {
        if let Some(sessions) = self.sessions.get() {
            return Ok(sessions);
        }
        let ttl_s = i64::try_from(self.config.session_ttl_s).unwrap_or(i64::MAX);
        let opened = match (&self.ledger, &self.shared) {
            (Ledger::Postgres(postgres), _) => Sessions::in_postgres(Arc::clone(postgres), ttl_s),
            (Ledger::Local, Shared::Redis(_)) => {
                match Shared::open(&self.config.shared, Use::Sessions)? {
                    Shared::Redis(redis) => Sessions::in_redis(redis, ttl_s),
                    Shared::Local => Sessions::open(&self.config.data_dir.join("sessions"), ttl_s)?,
                }
            }
            (Ledger::Local, Shared::Local) => {
                Sessions::open(&self.config.data_dir.join("sessions"), ttl_s)?
            }
        };
        Ok(self.sessions.get_or_init(|| opened))
    }

    /// As [`Engine::with`], with another index.
    #[must_use]
    pub fn of_index(&self, index: &str) -> Self {
        let mut config = self.config.clone();
        index.clone_into(&mut config.index);
        self.with(config)
    }

    /// An engine with other settings that shares this one's cache, sessions, clock and interruption
    /// flag.
    #[must_use]
    pub fn with(&self, config: Config) -> Self {
        let (cache, sessions) = (Arc::clone(&self.cache), Arc::clone(&self.sessions));
        let reranker = match config.rerank_model == self.config.rerank_model {
            true => Arc::clone(&self.reranker),
            false => Arc::default(),
        };
        let is_same_place =
            config.data_dir == self.config.data_dir && config.depot.url == self.config.depot.url;
        let jobs = Jobs::of(&self.ledger, &config.jobs_dir);
        let other = Self::new(config, self.clock, self.interrupted);
        other.store.announce_through(&self.shared);
        Self {
            jobs,
            // With it, what this process knows of the depot.
            store: match is_same_place {
                true => self.store.clone(),
                false => {
                    let nearest = self.store.nearest().clone();
                    other.store.clone().with_nearest(nearest, self.interrupted)
                }
            },
            shared: self.shared.clone(),
            ledger: self.ledger.clone(),
            cache,
            reranker,
            sessions,
            assets: self.assets.clone(),
            ..other
        }
    }

    /// Whether the process or this engine was asked to stop.
    pub fn interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed) || self.stopped.load(Ordering::Relaxed)
    }

    /// Stops the work of this engine, as an interruption does.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// The one clock of the process.
    pub fn clock(&self) -> fn() -> SystemTime {
        self.clock
    }

    /// # Errors
    /// An interruption.
    pub fn check_interrupted(&self) -> Result<()> {
        if self.interrupted() { Err(Fault::interrupted()) } else { Ok(()) }
    }

    /// Whether the process was asked to stop, or the work of `stop` should end.
    pub fn should_stop(&self, stop: &Stop) -> bool {
        self.interrupted() || stop.is_now()
    }

    /// Where analytics records questions.
    pub fn records(&self) -> analytics::Place {
        analytics::Place::new(&self.ledger, &self.config.data_dir)
    }

    /// As [`Engine::should_stop`], with the cause.
    ///
    /// # Errors
    /// An interruption; a fault of [`Kind::Late`] that names the stage.
    pub fn check_stop(&self, stop: &Stop) -> Result<()> {
        self.check_interrupted()?;
        stop.check()
    }

    /// Time since 1970.
    pub fn now(&self) -> Duration {
        (self.clock)().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }

    /// Unix milliseconds.
    pub fn now_ms(&self) -> u64 {
        u64::try_from(self.now().as_millis()).unwrap_or(u64::MAX)
    }

    /// Unix seconds.
    pub fn now_s(&self) -> i64 {
        i64::try_from(self.now().as_secs()).unwrap_or(i64::MAX)
    }

    /// The files of a model by name.
    ///
    /// # Errors
    /// As [`Assets::model`].
    pub fn model(&self, name: &str) -> Result<ModelFiles> {
        self.assets.model(name)
    }

    /// The files of the model that the configuration names.
    ///
    /// # Errors
    /// As [`Engine::model`]; a usage fault that says where the name was set, if it was.
    pub fn configured_model(&self) -> Result<ModelFiles> {
        let name = &self.config.model;
        self.model(name).map_err(|fault| match fault.kind() {
            Kind::Failed if self.config.is_set("model") => self.refused("model", &fault),
            _ => fault,
        })
    }

    /// The files of the cross-encoder that the configuration names.
    ///
    /// # Errors
    /// As [`Engine::model`]; a usage fault that says where the name was set.
    pub fn reranker(&self) -> Result<&ModelFiles> {
        if let Some(files) = self.reranker.get() {
            return Ok(files);
        }
        let name = &self.config.rerank_model;
        let opened = self.model(name).map_err(|fault| match fault.kind() {
            Kind::Failed => self.refused("rerank.model", &fault),
            _ => fault,
        })?;
        Ok(self.reranker.get_or_init(|| opened))
    }

    /// Loads the cross-encoder that the configuration names.
    ///
    /// # Errors
    /// As [`Engine::reranker`]; a usage fault for a model that is not one.
    pub fn load_reranker(&self) -> Result<CrossEncoder> {
        let loaded = CrossEncoder::load(self.reranker()?.clone(), &self.runtime_library()?);
        loaded.map_err(|fault| match fault.kind() {
            Kind::Usage => self.refused("rerank.model", &fault),
            _ => fault,
        })
    }

    /// The ONNX Runtime library.
    ///
    /// # Errors
    /// As [`Assets::library`]; a usage fault when the setting names a file that does not exist.
    pub fn runtime_library(&self) -> Result<Library> {
        let named = self.config.runtime_library.as_deref();
        self.assets.library().map_err(|fault| match named {
            Some(path) if !path.is_file() => self.refused("runtime_library", &fault),
            _ => fault,
        })
    }

    /// `fault` as a usage fault of the setting `key`, with the same hint.
    fn refused(&self, key: &str, fault: &Fault) -> Fault {
        let refused = self.config.refuse(key, &fault.to_string());
        match fault.hint_text() {
            Some(hint) => refused.hint(hint),
            None => refused,
        }
    }
}

/// Ends one piece of work among many early: when no client waits for it any more, or when it takes
/// too long. The default never does.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    /// Set when the last client left.
    left: Option<Arc<AtomicBool>>,
    /// Of the whole work.
    deadline: Option<Arc<Deadline>>,
    /// End of the current stage.
    until: Option<(Instant, QueryStage)>,
    timeouts: Option<Timeouts>,
}

/// The deadline of work that several clients share: that of the last of them. A client that joins
/// later may extend it, from any thread; it never becomes shorter.
#[derive(Debug)]
pub struct Deadline {
    first: Instant,
    /// Microseconds after `first`.
    extension_us: AtomicU64,
}

impl Deadline {
    pub fn new(moment: Instant) -> Self {
        Self { first: moment, extension_us: AtomicU64::new(0) }
    }

    /// Extends the deadline to `moment`, if that is later.
    pub fn extend_to(&self, moment: Instant) {
        let extension = moment.saturating_duration_since(self.first).as_micros();
        let extension_us = u64::try_from(extension).unwrap_or(u64::MAX);
        self.extension_us.fetch_max(extension_us, Ordering::Relaxed);
    }

    pub fn moment(&self) -> Instant {
        self.first + Duration::from_micros(self.extension_us.load(Ordering::Relaxed))
    }
}

named! {
    /// A part of a query's work that has its own time limit.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum QueryStage {
        /// All of them, and the wait before the first.
        Query = "query",
        Embedding = "embedding",
        Retrieval = "retrieval",
        Generation = "generation",
    }
}

impl QueryStage {
    fn timeout(self, timeouts: &Timeouts) -> Duration {
        match self {
            Self::Query => timeouts.query,
            Self::Embedding => timeouts.embedding,
            Self::Retrieval => timeouts.retrieval,
            Self::Generation => timeouts.generation,
        }
    }
}

impl Stop {
    /// Ends the work when `left` is set, when `deadline` has passed, or when one of its stages
    /// exceeds its timeout.
    pub fn new(left: Arc<AtomicBool>, deadline: Arc<Deadline>, timeouts: Timeouts) -> Self {
        Self { left: Some(left), deadline: Some(deadline), until: None, timeouts: Some(timeouts) }
    }

    /// A copy that also ends when a stage that begins now exceeds its timeout.
    #[must_use]
    pub fn stage(&self, stage: QueryStage) -> Self {
        let stage_end = self
            .timeouts
            .as_ref()
            .map(|timeouts| (Instant::now() + stage.timeout(timeouts), stage));
        let until = self.until.into_iter().chain(stage_end).min_by_key(|(moment, _)| *moment);
        Self { until, ..self.clone() }
    }

    pub fn is_now(&self) -> bool {
        self.has_left() || self.late_stage().is_some()
    }

    fn has_left(&self) -> bool {
        self.left.as_ref().is_some_and(|left| left.load(Ordering::Relaxed))
    }

    /// The stage that exceeded its timeout.
    fn late_stage(&self) -> Option<QueryStage> {
        let now = Instant::now();
        if let Some((moment, stage)) = self.until
            && now >= moment
        {
            return Some(stage);
        }
        let deadline = self.deadline.as_ref()?;
        (now >= deadline.moment()).then_some(QueryStage::Query)
    }

    /// # Errors
    /// As [`Engine::check_stop`].
    fn check(&self) -> Result<()> {
        if self.has_left() {
            return Err(Fault::interrupted());
        }
        let Some(stage) = self.late_stage() else { return Ok(()) };
        let s = self.timeouts.as_ref().map_or(0, |timeouts| stage.timeout(timeouts).as_secs());
        let work = match stage {
            QueryStage::Query => "the question",
            QueryStage::Embedding => "the vector of the question",
            QueryStage::Retrieval => "finding passages",
            QueryStage::Generation => "writing the answer",
        };
        Err(Fault::late(format!("{work} took longer than {s} s"))
            .hint(format!("ask again later, or raise `serve.{}_timeout_s`", stage.name())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_work_ends_at_the_last_deadline() {
        let (second, now) = (Duration::from_secs(1), Instant::now());
        let timeouts = Timeouts {
            query: second,
            embedding: second,
            retrieval: second,
            generation: Duration::ZERO,
        };
        let deadline = Arc::new(Deadline::new(now));
        let stop = Stop::new(Arc::default(), Arc::clone(&deadline), timeouts);
        assert!(stop.is_now());
        deadline.extend_to(now + 3600 * second);
        assert!(!stop.is_now());
        deadline.extend_to(now + second);
        assert_eq!(deadline.moment(), now + 3600 * second, "it never becomes shorter");
        let late = stop.stage(QueryStage::Generation).check().unwrap_err();
        assert!(late.to_string().contains("writing the answer"), "{late}");
    }
}
