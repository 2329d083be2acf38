//! Jobs: work that is asked for now and done when its turn comes, by this process or by another
//! one.
//!
//! One log says all: what was asked for, what became of it. Its state changes under one lock. A job
//! that runs is one whose lock a living process holds; the kernel drops that lock with the process,
//! so that a job whose worker died is noticed by whoever looks next, and no job ever runs twice at
//! once. What the work is, only the verbs know.

mod job;
mod log;
#[cfg(test)]
mod tests;

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::disk::{self, Lock};
use crate::error::{Context as _, Fault, Kind, Result};

pub use job::{End, FILE_TRIES, IngestSpec, Job, Priority, Progress, Reason, Spec, State, Work};

use job::Event;
use log::Log;

/// How long to wait for another process in the log. Writes there take milliseconds.
const WAIT: Duration = Duration::from_secs(10);

/// The folder of the log.
pub struct Jobs {
    dir: PathBuf,
    log: Mutex<Log>,
}

/// What a worker finds.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<T> {
    Ready(T),
    /// Jobs are waiting: for a time that is so many milliseconds away, or for others to end. Or one
    /// that runs may come back.
    Later(Option<u64>),
    /// No job is left, nor will one that runs be tried again.
    Nothing,
}

/// A job that this process runs.
pub struct Claimed<'a> {
    jobs: &'a Jobs,
    /// As it was claimed.
    pub job: Job,
    lock: Lock,
}

/// The right to be one of the workers.
pub struct Slot(Lock);

impl Jobs {
    /// The jobs in `dir`; nothing is read or made yet.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), log: Mutex::new(Log::new(dir.join("jobs.jsonl"))) }
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Queues a job, on disk before this returns, and yields its id.
    ///
    /// # Errors
    /// [`Kind::Usage`] when it shall wait for a job that does not exist; [`Kind::Damaged`] naming
    /// the line of the log; [`Kind::Failed`] for a newer version's log, and where nothing can be
    /// written.
    pub fn submit(&self, mut spec: Spec, now_ms: u64) -> Result<String> {
        let mut held = self.hold()?;
        spec.after =
            spec.after.iter().map(|id| Ok(held.log.find(id)?.id.clone())).collect::<Result<_>>()?;
        let id = disk::random_id()?;
        held.log.append(
            now_ms,
            vec![(id.clone(), Event::Submitted { spec: Box::new(spec) })],
            true,
        )?;
        Ok(id)
    }

    /// Queues a job and claims it at once, whatever else waits or runs. Not waited for on disk: who
    /// asked for it is this process.
    pub fn begin(&self, spec: Spec, now_ms: u64) -> Result<Claimed<'_>> {
        let mut held = self.hold()?;
        self.settle(&mut held, now_ms)?;
        let id = disk::random_id()?;
        held.log.append(
            now_ms,
            vec![(id.clone(), Event::Submitted { spec: Box::new(spec) })],
            false,
        )?;
        self.start(&mut held, &id, now_ms, false)
    }

    /// Claims the job whose turn it is: the highest priority, then the oldest, of those whose
    /// predecessors have succeeded and whose pause is over, unless `most` jobs are running.
    pub fn claim(&self, now_ms: u64, most: usize) -> Result<Next<Claimed<'_>>> {
        let mut held = self.hold()?;
        self.settle(&mut held, now_ms)?;
        Ok(match turn(&held.log, now_ms, most) {
            Next::Ready(id) => Next::Ready(self.start(&mut held, &id, now_ms, true)?),
            Next::Later(ms) => Next::Later(ms),
            Next::Nothing => Next::Nothing,
        })
    }

    /// What [`Jobs::claim`] would find.
    pub fn peek(&self, now_ms: u64, most: usize) -> Result<Next<String>> {
        let mut held = self.hold()?;
        self.settle(&mut held, now_ms)?;
        Ok(turn(&held.log, now_ms, most))
    }

    /// Asks that a job end; one that waits is cancelled at once.
    ///
    /// # Errors
    /// [`Kind::Usage`] when there is no such job, or it is over.
    pub fn cancel(&self, id: &str, now_ms: u64) -> Result<Job> {
        let mut held = self.hold()?;
        self.settle(&mut held, now_ms)?;
        let job = held.log.find(id)?;
        if job.state.is_over() {
            return Err(Fault::usage(format!(
                "the job `{}` has {} already",
                job.id,
                past(job.state)
            )));
        }
        let id = job.id.clone();
        held.log.append(now_ms, vec![(id.clone(), Event::CancelAsked)], true)?;
        held.log.find(&id).cloned()
    }

    /// Queues a job again that failed or was cancelled.
    ///
    /// # Errors
    /// [`Kind::Usage`] when there is no such job, or it is in another state.
    pub fn retry(&self, id: &str, now_ms: u64) -> Result<Job> {
        let mut held = self.hold()?;
        self.settle(&mut held, now_ms)?;
        let job = held.log.find(id)?;
        if !matches!(job.state, State::Failed | State::Cancelled) {
            return Err(Fault::usage(format!("the job `{}` is {}", job.id, job.state.name()))
                .hint("only what failed or was cancelled can be tried again"));
        }
        let id = job.id.clone();
        held.log.append(now_ms, vec![(id.clone(), Event::Retried)], true)?;
        held.log.find(&id).cloned()
    }

    /// All jobs, in the order in which they were submitted.
    pub fn list(&self, now_ms: u64) -> Result<Vec<Job>> {
        let log = self.look(now_ms)?;
        let mut jobs: Vec<Job> = log.jobs.values().cloned().collect();
        jobs.sort_by_key(|job| job.order);
        Ok(jobs)
    }

    /// One job, by its id or the beginning of it.
    ///
    /// # Errors
    /// [`Kind::Usage`] when there is none, or more than one.
    pub fn get(&self, id: &str, now_ms: u64) -> Result<Job> {
        self.look(now_ms)?.find(id).cloned()
    }

    /// Forgets the jobs that ended before `before_ms`, unless one that waits is waiting for them,
    /// and says how many.
    pub fn clean(&self, before_ms: u64, now_ms: u64) -> Result<u64> {
        if !self.dir.is_dir() {
            return Ok(0);
        }
        let mut held = self.hold()?;
        self.settle(&mut held, now_ms)?;
        let old = old(&held.log, before_ms);
        held.log.jobs.retain(|id, _| !old.contains(id));
        if !old.is_empty() {
            held.log.rewrite(now_ms)?;
        }
        Ok(old.len() as u64)
    }

    /// Forgets these jobs, as far as they are over and nobody waits for them.
    pub fn forget(&self, ids: &[String], now_ms: u64) -> Result<()> {
        let mut held = self.hold()?;
        self.settle(&mut held, now_ms)?;
        let over = old(&held.log, u64::MAX);
        held.log.jobs.retain(|id, _| !(ids.contains(id) && over.contains(id)));
        held.log.rewrite(now_ms)
    }

    /// As [`Jobs::clean`], once there is enough to be worth rewriting the log.
    pub fn tidy(&self, before_ms: u64, now_ms: u64) -> Result<()> {
        /// Rewriting waits for the disk twice; some hundred jobs are read in a millisecond.
        const WORTH: usize = 64;
        let n = old(&*self.view()?, before_ms).len();
        if n >= WORTH { self.clean(before_ms, now_ms).map(drop) } else { Ok(()) }
    }

    /// Makes this process one of `most` workers; `None` when there are as many already.
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

    /// Gives the slot back when no job is left. Under the lock of the log, so that whoever submits
    /// a job finds either a worker that will see it or a free slot.
    pub fn leave(&self, slot: Slot, now_ms: u64) -> Result<Option<Slot>> {
        let mut held = self.hold()?;
        self.settle(&mut held, now_ms)?;
        if turn(&held.log, now_ms, usize::MAX) == Next::Nothing {
            slot.0.remove();
            return Ok(None);
        }
        Ok(Some(slot))
    }

    /// Lines of the log so far, to tell whether anything happened.
    pub fn events(&self) -> Result<u64> {
        Ok(self.view()?.lines())
    }

    fn start(
        &self,
        held: &mut Held<'_>,
        id: &str,
        now_ms: u64,
        durable: bool,
    ) -> Result<Claimed<'_>> {
        let busy = |holder: &str| Fault::busy(format!("{holder} runs the job `{id}`"));
        let lock = Lock::take_or(&self.lock_path(id), Duration::ZERO, &|| false, &busy)?;
        held.log.append(
            now_ms,
            vec![(id.to_owned(), Event::Started { pid: std::process::id() })],
            durable,
        )?;
        Ok(Claimed { jobs: self, job: held.log.find(id)?.clone(), lock })
    }

    /// Takes the lock of the log and reads what is new.
    fn hold(&self) -> Result<Held<'_>> {
        let mut log = self.log();
        // Neither folder nor lock are made beside a log that must be left alone.
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

    /// What the log says now, read without the lock.
    fn view(&self) -> Result<MutexGuard<'_, Log>> {
        let mut log = self.log();
        match log.refresh() {
            // A writer was just replacing what a dying one had left; it is done when it lets go of
            // the lock.
            Err(e) if e.kind() == Kind::Damaged => {
                drop(log);
                self.hold().map(|held| held.log)
            }
            refreshed => refreshed.map(|()| log),
        }
    }

    /// As [`Jobs::view`], once those who died are counted out where that can be written down.
    fn look(&self, now_ms: u64) -> Result<MutexGuard<'_, Log>> {
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
        // A panic in between leaves at most less known than there is.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down who died, and which jobs can never run because those before them did not
    /// succeed.
    fn settle(&self, held: &mut Held<'_>, now_ms: u64) -> Result<()> {
        let running = held.log.jobs.values().filter(|job| job.state == State::Running);
        let mut dead = Vec::new();
        for job in running {
            if !self.is_held(&job.id)? {
                dead.push((job.id.clone(), Event::Died { file: self.last_read(&job.id) }));
            }
        }
        held.log.append(now_ms, dead, true)?;
        self.remove_traces(held);
        loop {
            let hopeless: Vec<_> = held
                .log
                .jobs
                .values()
                .filter(|job| job.state == State::Queued)
                .filter_map(|job| {
                    let before = job.spec.after.iter().filter_map(|id| held.log.jobs.get(id));
                    let bad = before
                        .into_iter()
                        .find(|b| b.state.is_over() && b.state != State::Succeeded)?;
                    let reason = format!(
                        "the job `{}`, which it waits for, has {}",
                        bad.id,
                        past(bad.state)
                    );
                    let end =
                        End::Failed { reason: Reason::new(Kind::Failed, reason), is_final: true };
                    Some((job.id.clone(), Event::Ended { end }))
                })
                .collect();
            if hopeless.is_empty() {
                return Ok(());
            }
            held.log.append(now_ms, hopeless, true)?;
        }
    }

    fn is_held(&self, id: &str) -> Result<bool> {
        let path = self.lock_path(id);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(e) => return Err(e).or_failed(|| format!("cannot read {}", path.display())),
        };
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

    /// The file that a dead worker said it would read.
    fn last_read(&self, id: &str) -> Option<String> {
        std::fs::read_to_string(self.reading_path(id)).ok().filter(|path| !path.is_empty())
    }

    /// Removes what belongs to no running job: of those who died now, and of those who died between
    /// writing down the end of a job and clearing up after it.
    fn remove_traces(&self, held: &Held<'_>) {
        let is_running =
            |id: &str| held.log.jobs.get(id).is_some_and(|job| job.state == State::Running);
        for entry in std::fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let id = name.strip_suffix(".lock").or_else(|| name.strip_suffix(".reading"));
            let is_id =
                |id: &&str| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
            if id.filter(is_id).is_some_and(|id| !is_running(id)) || disk::is_temporary(&name) {
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

impl Log {
    /// The job of this id, or the only one whose id begins so.
    fn find(&self, id: &str) -> Result<&Job> {
        if let Some(job) = self.jobs.get(id) {
            return Ok(job);
        }
        let mut found = self.jobs.values().filter(|job| !id.is_empty() && job.id.starts_with(id));
        match (found.next(), found.next()) {
            (Some(job), None) => Ok(job),
            (Some(_), Some(_)) => {
                Err(Fault::usage(format!("more than one job begins with `{id}`")))
            }
            _ => Err(Fault::usage(format!("there is no job `{id}`"))
                .hint("`rag jobs list` shows what there is")),
        }
    }
}

/// Whose turn it is.
fn turn(log: &Log, now_ms: u64, most: usize) -> Next<String> {
    let mut queued: Vec<&Job> =
        log.jobs.values().filter(|job| job.state == State::Queued).collect();
    if queued.is_empty() {
        // A worker that is being killed holds its job for some milliseconds more; then it is there
        // for others.
        let may_return =
            log.jobs.values().any(|job| job.state == State::Running && job.may_return());
        return if may_return { Next::Later(None) } else { Next::Nothing };
    }
    if log.jobs.values().filter(|job| job.state == State::Running).count() >= most {
        return Next::Later(None);
    }
    let succeeded = |id: &String| log.jobs.get(id).is_none_or(|job| job.state == State::Succeeded);
    queued.retain(|job| job.spec.after.iter().all(succeeded));
    queued.sort_by_key(|job| (job.spec.priority, job.order));
    match queued.iter().find(|job| job.ready_ms <= now_ms) {
        Some(job) => Next::Ready(job.id.clone()),
        None => Next::Later(queued.iter().map(|job| job.ready_ms - now_ms).min()),
    }
}

/// Jobs that ended before, and for which nobody waits.
fn old(log: &Log, before_ms: u64) -> Vec<String> {
    let waiting = log.jobs.values().filter(|job| !job.state.is_over());
    let needed: Vec<&String> = waiting.flat_map(|job| &job.spec.after).collect();
    let is_old =
        |job: &&Job| job.state.is_over() && job.ended_ms.is_some_and(|ended| ended < before_ms);
    log.jobs
        .values()
        .filter(is_old)
        .filter(|job| !needed.contains(&&job.id))
        .map(|job| job.id.clone())
        .collect()
}

impl Claimed<'_> {
    pub fn id(&self) -> &str {
        &self.job.id
    }

    /// Writes down how far it is.
    pub fn progress(&self, progress: Progress, now_ms: u64) -> Result<()> {
        self.jobs.hold()?.log.append(
            now_ms,
            vec![(self.job.id.clone(), Event::Progress { progress })],
            false,
        )
    }

    /// True once somebody wants it to end.
    pub fn cancel_asked(&self) -> Result<bool> {
        Ok(self.jobs.view()?.jobs.get(&self.job.id).is_none_or(|job| job.cancel_asked))
    }

    /// Where to say which file is being read.
    pub fn note(&self) -> Note {
        Note { path: self.jobs.reading_path(&self.job.id), file: None }
    }

    /// Writes down how it ended, and lets go of it. `durable` waits for the disk.
    pub fn finish(self, end: End, now_ms: u64, durable: bool) -> Result<()> {
        let mut held = self.jobs.hold()?;
        held.log.append(now_ms, vec![(self.job.id.clone(), Event::Ended { end })], durable)?;
        if self.job.careful {
            let _ = std::fs::remove_file(self.jobs.reading_path(&self.job.id));
        }
        self.lock.remove();
        Ok(())
    }
}

/// Says which file is read next, for the case that reading it kills the process.
pub struct Note {
    path: PathBuf,
    file: Option<File>,
}

impl Note {
    /// `None` when no file is being read. What is written survives the process and need not survive
    /// the machine, so nothing is waited for.
    pub fn write(&mut self, reading: Option<&str>) -> Result<()> {
        let what = || format!("cannot write {}", self.path.display());
        if self.file.is_none() {
            let mut options = OpenOptions::new();
            // Each write goes to the end, which is the beginning after `set_len`.
            options.append(true).create(true).mode(0o600);
            self.file = Some(options.open(&self.path).or_failed(what)?);
        }
        let Some(mut file) = self.file.as_ref() else { return Ok(()) };
        file.set_len(0)
            .and_then(|()| file.write_all(reading.unwrap_or_default().as_bytes()))
            .or_failed(what)
    }
}

/// `has failed`, `has been cancelled`.
fn past(state: State) -> &'static str {
    match state {
        State::Cancelled => "been cancelled",
        other => other.name(),
    }
}
