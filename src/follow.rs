//! Keeps an index up to date: runs an ordinary ingest job whenever the folders have changed and
//! settled.
//!
//! Every folder is watched before the ingest lists it, so a change is either in the index or
//! reported afterwards. If the system cannot watch, the folders are polled.

use std::convert::Infallible;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::disk::Blake;
use crate::engine::Engine;
use crate::error::{Fault, Kind, Result};
use crate::index::Root;
use crate::ingest::{self, Report};
use crate::jobs::IngestSpec;
use crate::naming;
use crate::text::{self, Entry, WalkOptions};
use crate::watch::{Changes, Debounce, Watcher};
use crate::work;

/// Changes have settled after this long without another: an editor that saves by writing and
/// renaming a temporary file takes a few milliseconds.
const QUIET: Duration = Duration::from_millis(300);

/// Changes that never settle are ingested this often.
const MAX_DELAY: Duration = Duration::from_secs(5);

/// How often interrupts and missing folders are checked for.
const TICK: Duration = Duration::from_millis(200);

/// How often folders that cannot be watched are polled; less often if a walk takes long.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
const PAUSE_PER_WALK: u32 = 10;

/// The pause after a failed ingest; each following failure doubles it.
const MIN_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// Records of rounds that the job log keeps.
const MAX_RECORDS: usize = 20;

#[derive(Debug)]
pub enum Event {
    /// An event of a running ingest.
    Ingest(ingest::Event),
    /// An ingest succeeded: the first, or one after changes.
    Ingested { job_id: String, report: Box<Report>, is_first: bool },
    /// The first ingest is done and this many folders are watched.
    Watching { folders: usize },
    /// The folders are polled, because watching failed for `reason` or was not requested.
    Polling { reason: Option<Fault>, interval: Duration },
    /// An ingest failed. It is retried after the pause, if any, or the next change.
    Failed { fault: Fault, retry_in: Option<Duration> },
    /// This folder, as typed, does not exist any more. Its documents stay in the index.
    Gone(String),
    /// The folder exists again.
    Back(String),
}

/// Ingests, and again after every change. Waits for other writers. With `poll_interval`, polls
/// instead of watching.
///
/// # Errors
/// [`Kind::Interrupted`] after an interrupt; a failure of the first ingest. Later failures are
/// reported as events and retried.
pub fn run(
    engine: &Engine,
    spec: IngestSpec,
    poll_interval: Option<Duration>,
    on_event: &mut dyn FnMut(Event),
) -> Result<Infallible> {
    let mut spec = work::with_folders(engine, spec)?;
    // Sites report no changes, and asking after each change of a file would be impolite.
    spec.dirs.retain(|dir| !spec.names.get(dir).is_some_and(|name| naming::is_address(name)));
    if spec.dirs.is_empty() {
        return Err(Fault::usage("there is no folder to watch: web pages report no changes"));
    }
    let mut follower = Follower::new(engine, spec, poll_interval, on_event);
    follower.folders = follower.current_folders().unwrap_or_default();
    follower.ingest(on_event)?;
    if let Observer::Watcher(watcher) = &follower.observer {
        on_event(Event::Watching { folders: watcher.folders() });
    }
    loop {
        engine.check_interrupted()?;
        if !follower.check_folders(on_event) {
            follower.wait(TICK);
            continue;
        }
        match follower.time_left() {
            Some(left) => follower.wait(left.min(TICK)),
            None => follower.run_round(on_event)?,
        }
    }
}

/// How changes are noticed.
enum Observer {
    Watcher(Box<Watcher>),
    Poller {
        interval: Duration,
        next: Instant,
        /// Digest of the files at the last poll.
        seen: Option<[u8; 32]>,
    },
}

impl Observer {
    fn poller(interval: Duration) -> Self {
        Self::Poller { interval, next: Instant::now(), seen: None }
    }
}

struct Follower<'a> {
    engine: &'a Engine,
    spec: IngestSpec,
    request: ingest::Request,
    observer: Observer,
    settle: Debounce,
    folders: Vec<FolderId>,
    /// The folder that was missing at the last check.
    missing: Option<String>,
    /// When to retry after a failure, and the pause after the next failure.
    retry_at: Option<Instant>,
    pause: Duration,
    has_ingested: bool,
    /// Recorded jobs of earlier rounds.
    job_ids: Vec<String>,
}

/// Identifies the folder that a name refers to.
#[derive(PartialEq, Eq)]
struct FolderId {
    real: PathBuf,
    device: u64,
    inode: u64,
}

impl<'a> Follower<'a> {
    fn new(
        engine: &'a Engine,
        spec: IngestSpec,
        poll_interval: Option<Duration>,
        on_event: &mut dyn FnMut(Event),
    ) -> Self {
        let observer = match (poll_interval, Watcher::new()) {
            (None, Ok(watcher)) => Observer::Watcher(Box::new(watcher)),
            (None, Err(fault)) => {
                on_event(Event::Polling { reason: Some(fault), interval: POLL_INTERVAL });
                Observer::poller(POLL_INTERVAL)
            }
            (Some(interval), _) => {
                on_event(Event::Polling { reason: None, interval });
                Observer::poller(interval)
            }
        };
        Self {
            engine,
            request: work::request_of(&spec),
            spec,
            observer,
            settle: Debounce::new(QUIET, MAX_DELAY),
            folders: Vec::new(),
            missing: None,
            retry_at: None,
            pause: MIN_PAUSE,
            has_ingested: false,
            job_ids: Vec::new(),
        }
    }

    /// Whether all folders exist. Notes a folder that was replaced as a change.
    fn check_folders(&mut self, on_event: &mut dyn FnMut(Event)) -> bool {
        match self.current_folders() {
            Err(name) => {
                if self.missing.as_ref() != Some(&name) {
                    on_event(Event::Gone(name.clone()));
                    self.missing = Some(name);
                }
                // Whatever replaces it is another folder.
                self.folders.clear();
                self.settle.clear();
                false
            }
            Ok(folders) => {
                if let Some(name) = self.missing.take() {
                    on_event(Event::Back(name));
                }
                if folders != self.folders {
                    self.folders = folders;
                    self.settle.change(Instant::now());
                }
                true
            }
        }
    }

    /// The time until the next ingest; `None` if it is due.
    fn time_left(&self) -> Option<Duration> {
        let now = Instant::now();
        if self.settle.is_due(now) || self.retry_at.is_some_and(|retry_at| retry_at <= now) {
            return None;
        }
        let left = [self.settle.left(now), self.retry_at.map(|retry_at| retry_at - now)];
        left.into_iter().flatten().min().or(Some(TICK))
    }

    /// Ingests after changes; schedules a retry if that fails.
    ///
    /// # Errors
    /// An interrupt of the process.
    fn run_round(&mut self, on_event: &mut dyn FnMut(Event)) -> Result<()> {
        self.settle.clear();
        self.retry_at = None;
        match self.ingest(on_event) {
            Ok(()) => self.pause = MIN_PAUSE,
            Err(fault) if self.engine.interrupted() => return Err(fault),
            // The next check reports the missing folder.
            Err(_) if self.current_folders().is_err() => {}
            // The job was cancelled.
            Err(fault) if fault.kind() == Kind::Interrupted => {
                on_event(Event::Failed { fault, retry_in: None });
            }
            Err(fault) => {
                on_event(Event::Failed { fault, retry_in: Some(self.pause) });
                self.retry_at = Some(Instant::now() + self.pause);
                self.pause = (self.pause * 2).min(MAX_PAUSE);
            }
        }
        Ok(())
    }

    fn ingest(&mut self, on_event: &mut dyn FnMut(Event)) -> Result<()> {
        match &mut self.observer {
            Observer::Watcher(watcher) => watcher.begin(),
            // Before the ingest reads, so that the next poll sees later changes.
            Observer::Poller { .. } => {
                self.poll();
                self.settle.clear();
            }
        }
        // A new engine, so that cancelling this job stops no other and the caches are flushed.
        let engine = self.engine.with(self.engine.config.clone());
        let mut watch_fault = None;
        let (observer, folders) = (&mut self.observer, &self.folders);
        let ingested = work::ingest_here(&engine, self.spec.clone(), &mut |event| {
            // An ingest that rebuilds the index also lists its other folders.
            if let (ingest::Event::Entering(dir), Observer::Watcher(watcher)) =
                (&event, &mut *observer)
                && watch_fault.is_none()
                && folders.iter().any(|folder| dir.starts_with(&folder.real))
            {
                watch_fault = watcher.enter(dir).err();
            }
            on_event(Event::Ingest(event));
        });
        if let (Ok(_), Observer::Watcher(watcher)) = (&ingested, &mut self.observer) {
            watcher.end();
        }
        if let Some(fault) = watch_fault {
            self.observer = Observer::poller(POLL_INTERVAL);
            on_event(Event::Polling { reason: Some(fault), interval: POLL_INTERVAL });
        }
        let (job_id, report) = ingested?;
        self.limit_records(&job_id);
        let is_first = !std::mem::replace(&mut self.has_ingested, true);
        on_event(Event::Ingested { job_id, report: Box::new(report), is_first });
        Ok(())
    }

    /// Deletes records of old rounds, which would otherwise fill the job log.
    fn limit_records(&mut self, job_id: &str) {
        self.job_ids.push(job_id.to_owned());
        if self.job_ids.len() >= 2 * MAX_RECORDS {
            let old: Vec<String> = self.job_ids.drain(..MAX_RECORDS).collect();
            // What is not deleted here is deleted by age.
            let _ = self.engine.jobs.forget(&old, self.engine.now_ms());
        }
    }

    /// The folders as they are now, or the name of one that does not exist.
    fn current_folders(&self) -> Result<Vec<FolderId>, String> {
        let id = |dir: &PathBuf| {
            let real = self.request.cwd.join(dir).canonicalize().ok()?;
            let metadata = real.metadata().ok().filter(std::fs::Metadata::is_dir)?;
            Some(FolderId { real, device: metadata.dev(), inode: metadata.ino() })
        };
        let name = |dir: &PathBuf| {
            let typed = dir.display().to_string();
            self.request.names.get(&typed).cloned().unwrap_or(typed)
        };
        self.request.dirs.iter().map(|dir| id(dir).ok_or_else(|| name(dir))).collect()
    }

    /// Waits for changes for at most `max`, and notes those that matter.
    fn wait(&mut self, max: Duration) {
        match &self.observer {
            Observer::Watcher(watcher) => {
                let changes = watcher.wait(max);
                if self.affect_index(&changes) {
                    self.settle.change(Instant::now());
                }
            }
            Observer::Poller { next, .. } => {
                let left = next.saturating_duration_since(Instant::now());
                std::thread::park_timeout(max.min(left));
                if left <= max {
                    self.poll();
                }
            }
        }
    }

    /// Whether an ingest would read any of the changed files.
    fn affect_index(&self, changes: &Changes) -> bool {
        if changes.everything || changes.paths.is_empty() {
            return changes.everything;
        }
        let walks = self.walks();
        changes.paths.iter().any(|path| {
            let mut above = walks.iter().filter(|(real, _)| path.starts_with(real)).peekable();
            above.peek().is_none()
                || above.any(|(real, options)| text::is_relevant(real, options, path))
        })
    }

    /// Each followed folder, and how an ingest walks it.
    fn walks(&self) -> Vec<(&Path, WalkOptions)> {
        // Before the first ingest, the index may not know them.
        let known = ingest::known_roots(self.engine).unwrap_or_default();
        let root = |folder: &FolderId| {
            let real = folder.real.to_string_lossy();
            let (include, exclude) = (self.request.include.clone(), self.request.exclude.clone());
            let known = known.iter().find(|root| root.real == real).cloned();
            known.unwrap_or(Root { include, exclude, ..Root::new("", real) })
        };
        self.folders
            .iter()
            .map(|folder| (&*folder.real, ingest::walk_options(self.engine, &root(folder))))
            .collect()
    }

    /// Compares the folders with their state at the last poll.
    fn poll(&mut self) {
        let start = Instant::now();
        let digest = self.digest();
        let Observer::Poller { interval, next, seen } = &mut self.observer else { return };
        *next = Instant::now() + (*interval).max(start.elapsed() * PAUSE_PER_WALK);
        if digest.is_none() || digest != *seen {
            *seen = digest;
            self.settle.change(Instant::now());
        }
    }

    /// A digest of the names, sizes, times and inodes of all files; `None` if a walk fails.
    fn digest(&self) -> Option<[u8; 32]> {
        let mut hash = Blake::new(32);
        for (real, options) in self.walks() {
            let walked = text::walk(real, &options, &mut |entry| {
                match entry {
                    Entry::File(found) => {
                        hash.add(found.path.as_bytes());
                        hash.add(&found.size.to_le_bytes());
                        hash.add(&found.mtime_ns.to_le_bytes());
                        hash.add(&found.inode.to_le_bytes());
                        hash.add(&found.ctime_ns.to_le_bytes());
                    }
                    Entry::Skipped { path, .. } | Entry::Failed { path, .. } => {
                        hash.add(path.as_bytes());
                    }
                    Entry::Folder(_) => {}
                }
                self.engine.check_interrupted()
            });
            walked.ok()?;
        }
        Some(hash.finish::<32>())
    }
}
