//! Jobs of one machine: one log, which changes under one lock.
//!
//! A job runs while a live process holds the job's own lock. The kernel releases that lock with the
//! process, so the next reader of the log notices a dead worker, and no job runs twice at once.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::disk::{self, Lock};
use crate::error::{Context as _, Fault, Kind, Result};

use super::job::{End, Event, Job, Progress, Spec, State};
use super::log::{Durability, Log};
use super::note::Note;
use super::schedule::{self, Next, ended_before, hopeless, past};

/// How long to wait while another process writes the log, which takes milliseconds.
const WAIT: Duration = Duration::from_secs(10);

/// The folder of the job log.
pub struct Jobs {
    dir: PathBuf,
    log: Mutex<Log>,
}

/// A job that this process runs.
pub struct Claimed<'a> {
    jobs: &'a Jobs,
    /// Its state when it was claimed.
    pub job: Job,
    lock: Lock,
}

/// The right of a process to be one of the workers.
pub struct Slot(Lock);

impl Slot {
    pub(super) fn free(self) {
        self.0.remove();
    }
}

impl Jobs {
    /// The jobs in `dir`; nothing is read or created yet.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), log: Mutex::new(Log::new(dir.join("jobs.jsonl"))) }
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Queues a job, durably, and returns its id.
    ///
    /// # Errors
    /// [`Kind::Usage`] when it waits for a job that does not exist; [`Kind::Damaged`] naming the
    /// line of the log; [`Kind::Failed`] for a newer version's log, and when the log cannot be
    /// written.
    pub fn submit(&self, mut spec: Spec, now_ms: u64) -> Result<String> {
        let mut held = self.hold()?;
        for id in &mut spec.after {
            id.clone_from(&held.log.find(id)?.id);
        }
        held.submit(spec, now_ms, Durability::Synced)
    }

    /// Stores a job of another place as the last one; false when there is one with its id.
    pub fn keep(&self, mut job: Job, now_ms: u64) -> Result<bool> {
        let mut held = self.hold()?;
        if held.log.jobs.contains_key(&job.id) {
            return Ok(false);
        }
        job.order = held.log.jobs.values().map(|job| job.order + 1).max().unwrap_or_default();
        let id = job.id.clone();
        held.add(&id, Event::Kept { job: Box::new(job) }, now_ms, Durability::Synced)?;
        Ok(true)
    }

    /// Queues a job and claims it at once, whatever else waits or runs. It is not synced: only this
    /// process needs it.
    pub fn begin(&self, spec: Spec, now_ms: u64) -> Result<Claimed<'_>> {
        let mut held = self.hold()?;
        self.settle(&mut held, now_ms)?;
        let id = held.submit(spec, now_ms, Durability::Buffered)?;
        self.start(&mut held, &id, now_ms, Durability::Buffered)
    }

    /// Claims the next job: the highest priority, then the oldest, of those whose predecessors have
    /// succeeded and whose pause is over, unless `most` jobs are running.
    pub fn claim(&self, now_ms: u64, most: usize) -> Result<Next<Claimed<'_>>> {
        let mut held = self.hold()?;
        self.settle(&mut held, now_ms)?;
        Ok(match schedule::next(&held.log.jobs, now_ms, most) {
            Next::Ready(id) => {
                Next::Ready(self.start(&mut held, &id, now_ms, Durability::Synced)?)
            }
            Next::Later(ms) => Next::Later(ms),
            Next::Nothing => Next::Nothing,
        })
    }

    /// What [`Jobs::claim`] would find.
    pub fn peek(&self, now_ms: u64, most: usize) -> Result<Next<String>> {
        let mut held = self.hold()?;
        self.settle(&mut held, now_ms)?;
        Ok(schedule::next(&held.log.jobs, now_ms, most))
    }

    /// Requests the end of a running job; cancels a queued job at once.
    ///
    /// # Errors
    /// [`Kind::Usage`] when there is no such job, or it is over.
    pub fn cancel(&self, id: &str, now_ms: u64) -> Result<Job> {
        let mut held = self.hold()?;
        self.settle(&mut held, now_ms)?;
        let job = held.log.find(id)?;
        if job.state.is_over() {
            let why = format!("the job `{}` has already {}", job.id, past(job.state));
            return Err(Fault::usage(why));
        }
        let id = job.id.clone();
        held.add(&id, Event::CancelAsked, now_ms, Durability::Synced)?;
        held.log.find(&id).cloned()
    }

    /// Queues a failed or cancelled job again.
    ///
    /// # Errors
    /// [`Kind::Usage`] when there is no such job, or it is in another state.
    pub fn retry(&self, id: &str, now_ms: u64) -> Result<Job> {
        let mut held = self.hold()?;
        self.settle(&mut held, now_ms)?;
        let job = held.log.find(id)?;
        if !matches!(job.state, State::Failed | State::Cancelled) {
            return Err(Fault::usage(format!("the job `{}` is {}", job.id, job.state.name()))
                .hint("only failed or cancelled jobs can be retried"));
        }
        let id = job.id.clone();
        held.add(&id, Event::Retried, now_ms, Durability::Synced)?;
        held.log.find(&id).cloned()
    }

    /// All jobs, in the order of submission.
    pub fn list(&self, now_ms: u64) -> Result<Vec<Job>> {
        Ok(self.settled(now_ms)?.sorted())
    }

    /// One job, by its id or an unambiguous prefix of it.
    ///
    /// # Errors
    /// [`Kind::Usage`] when there is none, or more than one.
    pub fn get(&self, id: &str, now_ms: u64) -> Result<Job> {
        self.settled(now_ms)?.find(id).cloned()
    }

    /// Deletes the jobs that ended before `before_ms`, unless another job waits for them; returns
    /// how many.
    pub fn clean(&self, before_ms: u64, now_ms: u64) -> Result<u64> {
        if !self.dir.is_dir() {
            return Ok(0);
        }
        let mut held = self.hold()?;
        self.settle(&mut held, now_ms)?;
        let old = ended_before(&held.log.jobs, before_ms);
        held.log.jobs.retain(|id, _| !old.contains(id));
        if !old.is_empty() {
            held.log.rewrite(now_ms)?;
        }
        Ok(old.len() as u64)
    }

    /// Deletes those of these jobs that have ended and that no other job waits for.
    pub fn forget(&self, ids: &[String], now_ms: u64) -> Result<()> {
        let mut held = self.hold()?;
        self.settle(&mut held, now_ms)?;
        let ended = ended_before(&held.log.jobs, u64::MAX);
        held.log.jobs.retain(|id, _| !(ids.contains(id) && ended.contains(id)));
        held.log.rewrite(now_ms)
    }

    /// As [`Jobs::clean`], once there are enough jobs to make rewriting the log worthwhile.
    pub fn tidy(&self, before_ms: u64, now_ms: u64) -> Result<()> {
        /// Rewriting syncs twice; reading some hundred jobs takes a millisecond.
        const LEAST: usize = 64;
        let n = ended_before(&self.view()?.jobs, before_ms).len();
        if n >= LEAST { self.clean(before_ms, now_ms).map(drop) } else { Ok(()) }
    }

    /// Makes this process one of `most` workers; `None` when there are already that many.
    pub fn enter(&self, most: usize) -> Result<Option<Slot>> {
        let _held = self.hold()?;
        for n in 0..most {
            match Lock::take(&self.dir.join(format!("worker-{n}.lock")), Duration::ZERO, &|| false)
            {
                Ok(lock) => return Ok(Some(Slot(lock))),
                Err(e) if e.kind() == Kind::Busy => {}
                Err(e) => return Err(e),
            }
        }
        Ok(None)
    }

    /// Frees the slot when no job is left; otherwise returns it. It holds the lock of the log, so a
    /// process that submits a job finds either a worker that will see the job, or a free slot.
    pub fn leave(&self, slot: Slot, now_ms: u64) -> Result<Option<Slot>> {
        let mut held = self.hold()?;
        self.settle(&mut held, now_ms)?;
        if schedule::next(&held.log.jobs, now_ms, usize::MAX) == Next::Nothing {
            slot.0.remove();
            return Ok(None);
        }
        Ok(Some(slot))
    }

    /// Lines of the log so far: more lines mean new events.
    pub fn events(&self) -> Result<u64> {
        Ok(self.view()?.lines())
    }

    fn start(
        &self,
        held: &mut Held<'_>,
        id: &str,
        now_ms: u64,
        durability: Durability,
    ) -> Result<Claimed<'_>> {
        let busy = |holder: &str| Fault::busy(format!("{holder} runs the job `{id}`"));
        let lock = Lock::take_or(&self.lock_path(id), Duration::ZERO, &|| false, &busy)?;
        held.add(id, Event::Started { pid: std::process::id() }, now_ms, durability)?;
        Ok(Claimed { jobs: self, job: held.log.find(id)?.clone(), lock })
    }

    /// Takes the lock of the log and reads what is new.
    fn hold(&self) -> Result<Held<'_>> {
        let mut log = self.log();
        // Creates neither folder nor lock beside a log of a newer version.
        log.refresh().or_else(|e| if e.kind() == Kind::Damaged { Ok(()) } else { Err(e) })?;
        if !self.dir.is_dir() {
            disk::create_dir(&self.dir)?;
        }
        let busy =
            |holder: &str| Fault::busy(format!("{holder} is writing to {}", self.dir.display()));
        let lock = Lock::take_or(&self.dir.join(".lock"), WAIT, &|| false, &busy)?;
        log.refresh()?;
        Ok(Held { log, _lock: lock })
    }

    /// The current log, read without the lock.
    fn view(&self) -> Result<MutexGuard<'_, Log>> {
        let mut log = self.log();
        match log.refresh() {
            // A writer may be replacing what a dead one left; it is done when it releases the lock.
            Err(e) if e.kind() == Kind::Damaged => {
                drop(log);
                self.hold().map(|held| held.log)
            }
            refreshed => refreshed.map(|()| log),
        }
    }

    /// As [`Jobs::view`], after recording dead workers, if the log can be written.
    fn settled(&self, now_ms: u64) -> Result<MutexGuard<'_, Log>> {
        let log = self.view()?;
        if log.jobs.values().any(|job| job.state == State::Running) {
            drop(log);
            match self.hold().and_then(|mut held| self.settle(&mut held, now_ms)) {
                Err(e) if e.kind() == Kind::Damaged => return Err(e),
                _ => return self.view(),
            }
        }
        Ok(log)
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        // After a panic, the log knows at most less than the file.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records dead workers, and jobs that can never run because their predecessors did not
    /// succeed.
    fn settle(&self, held: &mut Held<'_>, now_ms: u64) -> Result<()> {
        let running = held.log.jobs.values().filter(|job| job.state == State::Running);
        let mut dead = Vec::new();
        for job in running {
            if !self.is_held(&job.id)? {
                dead.push((job.id.clone(), Event::Died { file: self.last_read(&job.id) }));
            }
        }
        held.log.append(now_ms, dead, Durability::Synced)?;
        self.remove_leftovers(held);
        loop {
            let failed = |reason| Event::Ended { end: End::Failed { reason, is_final: true } };
            let events: Vec<_> = hopeless(&held.log.jobs)
                .into_iter()
                .map(|(id, reason)| (id, failed(reason)))
                .collect();
            if events.is_empty() {
                return Ok(());
            }
            held.log.append(now_ms, events, Durability::Synced)?;
        }
    }

    fn is_held(&self, id: &str) -> Result<bool> {
        let path = self.lock_path(id);
        let file = disk::if_exists(File::open(&path))
            .or_failed(|| format!("cannot read {}", path.display()))?;
        let Some(file) = file else { return Ok(false) };
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(e)) => {
                Err(e).or_failed(|| format!("cannot lock {}", path.display()))
            }
        }
    }

    fn lock_path(&self, id: &str) -> PathBuf {
        self.dir.join(format!("{id}.lock"))
    }

    fn reading_path(&self, id: &str) -> PathBuf {
        self.dir.join(format!("{id}.reading"))
    }

    /// The file that a dead worker was reading.
    fn last_read(&self, id: &str) -> Option<String> {
        std::fs::read_to_string(self.reading_path(id)).ok().filter(|path| !path.is_empty())
    }

    /// Removes files that belong to no running job: of workers that died now, or between recording
    /// the end of a job and removing its files.
    fn remove_leftovers(&self, held: &Held<'_>) {
        let is_running =
            |id: &str| held.log.jobs.get(id).is_some_and(|job| job.state == State::Running);
        for entry in std::fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let id = name.strip_suffix(".lock").or_else(|| name.strip_suffix(".reading"));
            let is_ended = id.is_some_and(|id| is_id(id) && !is_running(id));
            if is_ended || disk::is_temporary(&name) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}

/// The log with its lock.
struct Held<'a> {
    log: MutexGuard<'a, Log>,
    _lock: Lock,
}

impl Held<'_> {
    fn add(&mut self, id: &str, event: Event, now_ms: u64, durability: Durability) -> Result<()> {
        self.log.append(now_ms, vec![(id.to_owned(), event)], durability)
    }

    fn submit(&mut self, spec: Spec, now_ms: u64, durability: Durability) -> Result<String> {
        let id = disk::random_id()?;
        self.add(&id, Event::Submitted { spec: Box::new(spec) }, now_ms, durability)?;
        Ok(id)
    }
}

/// Whether this is the form of a job's id.
fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl Claimed<'_> {
    pub fn id(&self) -> &str {
        &self.job.id
    }

    /// Records the progress.
    pub fn progress(&self, progress: Progress, now_ms: u64) -> Result<()> {
        let event = Event::Progress { progress };
        self.jobs.hold()?.add(&self.job.id, event, now_ms, Durability::Buffered)
    }

    /// True once its end is requested.
    pub fn cancel_asked(&self) -> Result<bool> {
        Ok(self.jobs.view()?.jobs.get(&self.job.id).is_none_or(|job| job.cancel_asked))
    }

    /// The place to record which file is being read.
    pub fn note(&self) -> Note {
        Note::new(self.jobs.reading_path(&self.job.id))
    }

    /// Records how it ended, and releases it.
    pub fn finish(self, end: End, now_ms: u64, durability: Durability) -> Result<()> {
        let mut held = self.jobs.hold()?;
        held.add(&self.job.id, Event::Ended { end }, now_ms, durability)?;
        if self.job.careful {
            let _ = std::fs::remove_file(self.jobs.reading_path(&self.job.id));
        }
        self.lock.remove();
        Ok(())
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
