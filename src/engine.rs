//! The handles that a `Config` asks for, opened once, when first needed.
//!
//! The verbs are free functions over `&Engine`. Clock and interruption come in from outside, so that a test or a
//! server can hand in its own.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use crate::cache::Cache;
use crate::config::Config;
use crate::error::Result;
use crate::index::Store;
use crate::jobs::Jobs;
use crate::model::{ModelFiles, find_model, find_runtime};
use crate::sessions::Sessions;

/// What every verb works with.
pub struct Engine {
    pub config: Config,
    pub store: Store,
    pub jobs: Jobs,
    cache: OnceLock<Cache>,
    sessions: OnceLock<Sessions>,
    clock: fn() -> SystemTime,
    /// Set by a signal handler, read between units of work.
    interrupted: &'static AtomicBool,
    /// Set by [`Engine::stop`].
    stopped: AtomicBool,
}

impl Engine {
    pub fn new(config: Config, clock: fn() -> SystemTime, interrupted: &'static AtomicBool) -> Self {
        Self {
            store: Store::new(&config.data_dir),
            jobs: Jobs::new(&config.jobs_dir),
            config,
            cache: OnceLock::new(),
            sessions: OnceLock::new(),
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
        let ttl_s = i64::try_from(self.config.session_ttl_hours.saturating_mul(3600)).unwrap_or(i64::MAX);
        let opened = Sessions::open(&self.config.data_dir.join("sessions"), ttl_s)?;
        Ok(self.sessions.get_or_init(|| opened))
    }

    /// An engine with other settings, the same clock and the same interruption.
    #[must_use]
    pub fn with(&self, config: Config) -> Self {
        Self::new(config, self.clock, self.interrupted)
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
    pub fn model(&self, name: &str) -> Result<ModelFiles> {
        find_model(&self.config.asset_dirs, name)
    }

    /// Path of the ONNX Runtime library.
    pub fn runtime_library(&self) -> Result<PathBuf> {
        find_runtime(&self.config.asset_dirs, self.config.runtime_library.as_deref())
    }
}
