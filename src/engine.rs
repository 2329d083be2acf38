//! The handles that a `Config` asks for, opened once, when first needed.
//!
//! The verbs are free functions over `&Engine`. Clock and interruption come in from outside, so
//! that a test or a server can hand in its own. [`Stop`] is how one piece of work among many is
//! ended.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use crate::cache::Cache;
use crate::config::{Config, Timeouts};
use crate::error::{Fault, Kind, Result};
use crate::index::Store;
use crate::jobs::Jobs;
use crate::model::{Assets, Library, ModelFiles};
use crate::sessions::Sessions;
use crate::state::State;

/// What every verb works with.
pub struct Engine {
    pub config: Config,
    pub store: Store,
    pub jobs: Jobs,
    /// Library and models, as far as they may be opened.
    pub assets: Assets,
    cache: Arc<OnceLock<Cache>>,
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
            store: Store::new(&config.data_dir).knowing(state.clone()),
            assets: Assets::new(&config, state),
            jobs: Jobs::new(&config.jobs_dir),
            config,
            cache: Arc::default(),
            sessions: Arc::default(),
            clock,
            interrupted,
            stopped: AtomicBool::new(false),
        }
    }

    /// The cache, opened when first asked for.
    pub fn cache(&self) -> &Cache {
        self.cache.get_or_init(|| Cache::open(&self.config.cache_dir, self.config.cache))
    }

    /// The conversations, opened when first asked for.
    pub fn sessions(&self) -> Result<&Sessions> {
        if let Some(sessions) = self.sessions.get() {
            return Ok(sessions);
        }
        let ttl_s =
            i64::try_from(self.config.session_ttl_hours.saturating_mul(3600)).unwrap_or(i64::MAX);
        let opened = Sessions::open(&self.config.data_dir.join("sessions"), ttl_s)?;
        Ok(self.sessions.get_or_init(|| opened))
    }

    /// An engine with other settings, but for those of the cache and the sessions, which are
    /// shared; the same clock and the same interruption.
    #[must_use]
    pub fn with(&self, config: Config) -> Self {
        let (cache, sessions) = (Arc::clone(&self.cache), Arc::clone(&self.sessions));
        Self {
            cache,
            sessions,
            assets: self.assets.clone(),
            ..Self::new(config, self.clock, self.interrupted)
        }
    }

    /// True once the process was asked to stop, or the work of this engine was.
    pub fn interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed) || self.stopped.load(Ordering::Relaxed)
    }

    /// Ends the work of this engine as an interruption would.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// The one clock of the process.
    pub fn clock(&self) -> fn() -> SystemTime {
        self.clock
    }

    /// True once the process was asked to stop, or `stop` says that this work should end.
    pub fn should_stop(&self, stop: &Stop) -> bool {
        self.interrupted() || stop.is_now()
    }

    /// Whether to go on.
    ///
    /// # Errors
    /// An interruption; a fault of [`Kind::Late`] that names the stage.
    pub fn check_stop(&self, stop: &Stop) -> Result<()> {
        if self.interrupted() { Err(Fault::interrupted()) } else { stop.check() }
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
    /// As [`Engine::model`]; a usage fault that says where the name came from when somebody gave
    /// it.
    pub fn configured_model(&self) -> Result<ModelFiles> {
        let name = &self.config.model;
        self.model(name).map_err(|fault| match fault.kind() {
            Kind::Failed if self.config.is_given("model") => self.refused("model", &fault),
            _ => fault,
        })
    }

    /// The ONNX Runtime library.
    ///
    /// # Errors
    /// As [`Assets::library`]; a usage fault when somebody named one that does not exist.
    pub fn runtime_library(&self) -> Result<Library> {
        let named = self.config.runtime_library.as_deref();
        self.assets.library().map_err(|fault| match named {
            Some(path) if !path.is_file() => self.refused("runtime_library", &fault),
            _ => fault,
        })
    }

    /// The same fault as one of the setting `key`, with its hint.
    fn refused(&self, key: &str, fault: &Fault) -> Fault {
        let refused = self.config.refuse(key, &fault.to_string());
        match fault.hint_text() {
            Some(hint) => refused.hint(hint),
            None => refused,
        }
    }
}

/// When one piece of work among many should end before it is done: when nobody waits for it any
/// more, or when it takes too long. The default never says so.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    left: Option<Arc<AtomicBool>>,
    /// For all of it.
    deadline: Option<Arc<Deadline>>,
    /// For the stage that it is in.
    until: Option<(Instant, QueryStage)>,
    timeouts: Option<Timeouts>,
}

/// When work that several callers wait for must end: when the last of them gives up. A caller who
/// joins later may move it back, from any thread; it never moves forward.
#[derive(Debug)]
pub struct Deadline {
    first: Instant,
    /// Microseconds after `first`.
    more_us: AtomicU64,
}

impl Deadline {
    pub fn new(moment: Instant) -> Self {
        Self { first: moment, more_us: AtomicU64::new(0) }
    }

    /// Lets the work go on until `moment` at least.
    pub fn extend_to(&self, moment: Instant) {
        let more = moment.saturating_duration_since(self.first);
        self.more_us
            .fetch_max(u64::try_from(more.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub fn moment(&self) -> Instant {
        self.first + Duration::from_micros(self.more_us.load(Ordering::Relaxed))
    }
}

/// A part of answering a question that may take so long and no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryStage {
    /// All of them, with the wait before the first.
    Query,
    Embedding,
    Retrieval,
    Generation,
}

impl QueryStage {
    pub fn name(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Embedding => "embedding",
            Self::Retrieval => "retrieval",
            Self::Generation => "generation",
        }
    }

    fn of(self, timeouts: &Timeouts) -> Duration {
        match self {
            Self::Query => timeouts.query,
            Self::Embedding => timeouts.embedding,
            Self::Retrieval => timeouts.retrieval,
            Self::Generation => timeouts.generation,
        }
    }
}

impl Stop {
    /// Ends what was asked for when `left` is set, when `deadline` has passed, or when one of its
    /// stages takes longer than it may.
    pub fn new(left: Arc<AtomicBool>, deadline: Arc<Deadline>, timeouts: Timeouts) -> Self {
        Self { left: Some(left), deadline: Some(deadline), until: None, timeouts: Some(timeouts) }
    }

    /// The same for a stage that begins now.
    #[must_use]
    pub fn stage(&self, stage: QueryStage) -> Self {
        let own =
            self.timeouts.as_ref().map(|timeouts| (Instant::now() + stage.of(timeouts), stage));
        let until = self.until.into_iter().chain(own).min_by_key(|(moment, _)| *moment);
        Self { until, ..self.clone() }
    }

    pub fn is_now(&self) -> bool {
        self.has_left() || self.is_late()
    }

    fn has_left(&self) -> bool {
        self.left.as_ref().is_some_and(|left| left.load(Ordering::Relaxed))
    }

    fn is_late(&self) -> bool {
        self.late_stage().is_some()
    }

    /// What has taken too long.
    fn late_stage(&self) -> Option<QueryStage> {
        let now = Instant::now();
        let stage = self.until.filter(|(moment, _)| now >= *moment).map(|(_, stage)| stage);
        let query = || {
            self.deadline
                .as_ref()
                .filter(|deadline| now >= deadline.moment())
                .map(|_| QueryStage::Query)
        };
        stage.or_else(query)
    }

    /// # Errors
    /// As [`Engine::check_stop`].
    fn check(&self) -> Result<()> {
        match self.late_stage() {
            _ if self.has_left() => Err(Fault::interrupted()),
            Some(stage) => {
                let s = self.timeouts.as_ref().map_or(0, |timeouts| stage.of(timeouts).as_secs());
                let what = match stage {
                    QueryStage::Query => "the question",
                    QueryStage::Embedding => "the vector of the question",
                    QueryStage::Retrieval => "finding passages",
                    QueryStage::Generation => "writing the answer",
                };
                Err(Fault::late(format!("{what} took longer than {s} s")).hint(format!(
                    "ask again later; `serve.{}_timeout_s` is how long it may take",
                    stage.name()
                )))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_goes_on_until_the_last_caller_gives_up() {
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
        assert_eq!(deadline.moment(), now + 3600 * second, "it never moves forward");
        let late = stop.stage(QueryStage::Generation).check().unwrap_err();
        assert!(late.to_string().contains("writing the answer"), "{late}");
    }
}
