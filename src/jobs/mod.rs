//! Jobs: work that is submitted now and done later, by this process or by another.
//!
//! They are in the log of this machine, or in the database that servers share. Either way a job
//! changes by the same events (`job::apply`), no job runs twice at once, and a job whose process
//! died is tried again. Commands define what the work is.

mod deliveries;
mod in_postgres;
mod job;
mod local;
mod log;
mod note;
mod place;
mod schedule;

use std::path::Path;
use std::time::Duration;

pub use deliveries::{Delivery, Turn};
pub use job::{End, FILE_TRIES, IngestSpec, Job, Priority, Progress, Reason, Spec, State, Work};
pub use local::Slot;
pub use log::Durability;
pub use note::Note;
pub use place::place;
pub use schedule::Next;

use crate::error::Result;
use crate::ledger::Ledger;

/// All jobs.
pub enum Jobs {
    Local(local::Jobs),
    Postgres(in_postgres::Jobs),
}

/// A job that this process runs.
pub enum Claimed<'a> {
    Local(local::Claimed<'a>),
    Postgres(in_postgres::Claimed<'a>),
}

/// Calls a method of either side.
macro_rules! either {
    ($self:ident . $method:ident ( $($argument:expr),* )) => {
        match $self {
            Jobs::Local(jobs) => jobs.$method($($argument),*),
            Jobs::Postgres(jobs) => jobs.$method($($argument),*),
        }
    };
}

impl Jobs {
    /// The jobs of the log in `dir`; nothing is read or created yet.
    pub fn new(dir: &Path) -> Self {
        Self::Local(local::Jobs::new(dir))
    }

    /// The jobs of the database, or of the log in `dir`.
    pub fn of(ledger: &Ledger, dir: &Path) -> Self {
        match ledger {
            Ledger::Local => Self::new(dir),
            Ledger::Postgres(postgres) => Self::Postgres(in_postgres::Jobs::new(postgres, dir)),
        }
    }

    /// Queues a job, durably, and returns its id.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) when it waits for a job that does not exist;
    /// others when the place of the jobs cannot be used.
    pub fn submit(&self, spec: Spec, now_ms: u64) -> Result<String> {
        match self {
            Self::Local(jobs) => jobs.submit(spec, now_ms),
            Self::Postgres(jobs) => jobs.submit(&spec, now_ms),
        }
    }

    /// Queues a job and claims it at once, whatever else waits or runs.
    ///
    /// # Errors
    /// As [`Jobs::submit`].
    pub fn begin(&self, spec: Spec, now_ms: u64) -> Result<Claimed<'_>> {
        match self {
            Self::Local(jobs) => jobs.begin(spec, now_ms).map(Claimed::Local),
            Self::Postgres(jobs) => jobs.begin(&spec, now_ms).map(Claimed::Postgres),
        }
    }

    /// Claims the next job: the highest priority, then the oldest, of those whose predecessors have
    /// succeeded and whose pause is over, unless `most` jobs are running here.
    ///
    /// # Errors
    /// As [`Jobs::submit`].
    pub fn claim(&self, now_ms: u64, most: usize) -> Result<Next<Claimed<'_>>> {
        Ok(match self {
            Self::Local(jobs) => jobs.claim(now_ms, most)?.map(Claimed::Local),
            Self::Postgres(jobs) => jobs.claim(now_ms, most)?.map(Claimed::Postgres),
        })
    }

    /// What [`Jobs::claim`] would find.
    ///
    /// # Errors
    /// As [`Jobs::submit`].
    pub fn peek(&self, now_ms: u64, most: usize) -> Result<Next<String>> {
        either!(self.peek(now_ms, most))
    }

    /// As [`Jobs::peek`], for a worker that looks again and again: cheaper while nothing changes.
    ///
    /// # Errors
    /// As [`Jobs::submit`].
    pub fn peek_again(&self, now_ms: u64, most: usize) -> Result<Next<String>> {
        match self {
            Self::Local(jobs) => jobs.peek(now_ms, most),
            Self::Postgres(jobs) => jobs.peek_again(now_ms, most),
        }
    }

    /// Requests the end of a running job; cancels a queued job at once.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) when there is no such job, or it is over.
    pub fn cancel(&self, id: &str, now_ms: u64) -> Result<Job> {
        either!(self.cancel(id, now_ms))
    }

    /// Queues a failed or cancelled job again.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) when there is no such job, or it is in another
    /// state.
    pub fn retry(&self, id: &str, now_ms: u64) -> Result<Job> {
        either!(self.retry(id, now_ms))
    }

    /// All jobs, in the order of submission.
    pub fn list(&self, now_ms: u64) -> Result<Vec<Job>> {
        either!(self.list(now_ms))
    }

    /// One job, by its id or an unambiguous prefix of it.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) when there is none, or more than one.
    pub fn get(&self, id: &str, now_ms: u64) -> Result<Job> {
        either!(self.get(id, now_ms))
    }

    /// Deletes the jobs that ended before `before_ms`, unless another job waits for them; returns
    /// how many.
    pub fn clean(&self, before_ms: u64, now_ms: u64) -> Result<u64> {
        either!(self.clean(before_ms, now_ms))
    }

    /// Deletes those of these jobs that have ended and that no other job waits for.
    pub fn forget(&self, ids: &[String], now_ms: u64) -> Result<()> {
        either!(self.forget(ids, now_ms))
    }

    /// As [`Jobs::clean`], once there are enough jobs to make it worthwhile.
    pub fn tidy(&self, before_ms: u64, now_ms: u64) -> Result<()> {
        either!(self.tidy(before_ms, now_ms))
    }

    /// Makes this process one of `most` workers of this machine; `None` when there are already that
    /// many.
    pub fn enter(&self, most: usize) -> Result<Option<Slot>> {
        either!(self.enter(most))
    }

    /// Frees the slot when no job is left; otherwise returns it.
    pub fn leave(&self, slot: Slot, now_ms: u64) -> Result<Option<Slot>> {
        either!(self.leave(slot, now_ms))
    }

    /// Stores a job as another place has it; false when there is one with its id.
    ///
    /// # Errors
    /// As [`Jobs::submit`].
    pub fn keep(&self, job: &Job, now_ms: u64) -> Result<bool> {
        match self {
            Self::Local(jobs) => jobs.keep(job.clone(), now_ms),
            Self::Postgres(jobs) => jobs.keep(job),
        }
    }

    /// A name of this data directory for jobs whose files are in it; `None` where only its own
    /// workers see the jobs.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn place(&self) -> Result<Option<String>> {
        match self {
            Self::Local(_) => Ok(None),
            Self::Postgres(jobs) => jobs.place().map(Some),
        }
    }

    /// Whether this process is to post the end of a job to an address.
    ///
    /// # Errors
    /// When the place of the jobs cannot be used.
    pub fn claim_delivery(&self, delivery: &Delivery<'_>) -> Result<Turn> {
        match self {
            Self::Local(_) => Ok(Turn::Ours),
            Self::Postgres(jobs) => deliveries::claim(&jobs.postgres, delivery),
        }
    }

    /// Records that it has posted the end of a job, or has given up.
    ///
    /// # Errors
    /// When the place of the jobs cannot be used.
    pub fn end_delivery(&self, delivery: &Delivery<'_>) -> Result<()> {
        match self {
            Self::Local(_) => Ok(()),
            Self::Postgres(jobs) => deliveries::end(&jobs.postgres, delivery),
        }
    }

    /// Grows with every event.
    pub fn events(&self) -> Result<u64> {
        either!(self.events())
    }
}

impl Claimed<'_> {
    pub fn id(&self) -> &str {
        &self.job().id
    }

    /// Its state when it was claimed.
    pub fn job(&self) -> &Job {
        match self {
            Self::Local(claimed) => &claimed.job,
            Self::Postgres(claimed) => &claimed.job,
        }
    }

    /// Records the progress.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn progress(&self, progress: Progress, now_ms: u64) -> Result<()> {
        match self {
            Self::Local(claimed) => claimed.progress(progress, now_ms),
            Self::Postgres(claimed) => claimed.progress(&progress, now_ms),
        }
    }

    /// The shortest time between two records of progress in one stage.
    pub fn progress_interval(&self) -> Duration {
        match self {
            Self::Local(_) => Duration::ZERO,
            Self::Postgres(_) => in_postgres::PROGRESS,
        }
    }

    /// True once its end is requested, or it is no longer this process's. Called regularly, it also
    /// keeps the job.
    ///
    /// # Errors
    /// When the place of the jobs cannot be used.
    pub fn cancel_asked(&self) -> Result<bool> {
        match self {
            Self::Local(claimed) => claimed.cancel_asked(),
            Self::Postgres(claimed) => claimed.cancel_asked(),
        }
    }

    /// The place to record which file is being read.
    pub fn note(&self) -> Note {
        match self {
            Self::Local(claimed) => claimed.note(),
            Self::Postgres(claimed) => claimed.note(),
        }
    }

    /// Records how it ended, and releases it.
    ///
    /// # Errors
    /// When that cannot be stored, and when the job is no longer this process's.
    pub fn finish(self, end: End, now_ms: u64, durability: Durability) -> Result<()> {
        match self {
            Self::Local(claimed) => claimed.finish(end, now_ms, durability),
            Self::Postgres(claimed) => claimed.finish(end, now_ms),
        }
    }
}
