//! Jobs of several machines, in PostgreSQL.
//!
//! A worker claims a job with `FOR UPDATE SKIP LOCKED`, a lease and a fencing number, and renews
//! the lease while it works. A job whose lease has ended, or whose process on this machine is gone,
//! is given to another try under a higher number; a worker that returns late with the lower one is
//! refused. Each change runs in one transaction, which may run again after a lost reply: it first
//! looks at what is there.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::job::{End, Event, Job, Progress, Spec, State, Table, apply};
use super::local::{self, Slot};
use super::note::Note;
use super::place;
use super::schedule::{self, Next, past};
use crate::disk::{self, Blake};
use crate::error::{Context as _, Fault, Kind, Result};
use crate::ledger::{Param, Postgres, Row, Transaction};

/// How long a job stays with a worker that says nothing.
const LEASE_S: f64 = 20.0;
/// How often a worker renews its lease, and looks whether the job is to end.
const HEARTBEAT: Duration = Duration::from_secs(4);
const LOOK: Duration = Duration::from_secs(1);
/// How often a running job records progress: each record is a transaction.
pub(super) const PROGRESS: Duration = Duration::from_secs(1);
/// A queue that was empty is looked at again after this time even when nothing seems to have
/// changed: the end of a lease is no event, and a transaction may commit after its number was seen.
const LOOK_ANYWAY: Duration = Duration::from_secs(3);

/// A queued job that may start here: its pause is over, its predecessors have succeeded, and its
/// files are here.
const NEXT: &str = "SELECT j.id FROM rag_jobs j WHERE j.state = 'queued' AND j.ready_ms <= $1 \
    AND coalesce(j.body->'spec'->>'place', $2) = $2 \
    AND NOT EXISTS (SELECT 1 FROM rag_jobs b WHERE b.id = ANY (j.after) \
    AND b.state <> 'succeeded') ORDER BY j.priority, j.ord LIMIT 1 FOR UPDATE OF j SKIP LOCKED";
/// Jobs whose worker is gone: its lease has ended.
const SILENT: &str = "SELECT id FROM rag_jobs WHERE state = 'running' AND lease_until < now()";
/// Jobs of workers of this machine.
const HERE: &str = "SELECT id, pid, fence FROM rag_jobs WHERE state = 'running' AND host = $1";
/// Queued jobs that wait for one that did not succeed, and that one.
const HOPELESS: &str = "SELECT j.id, b.id, b.state FROM rag_jobs j JOIN rag_jobs b \
    ON b.id = ANY (j.after) WHERE j.state = 'queued' AND b.state IN ('failed', 'cancelled')";

pub struct Jobs {
    pub(super) postgres: Arc<Postgres>,
    /// Slots of workers, and names of files being read, are of this machine.
    here: local::Jobs,
    dir: PathBuf,
    /// This machine, in the sense that process ids mean the same.
    host: String,
    place: OnceLock<String>,
    /// The number of events before the queue was last found empty, and when that was.
    empty: Mutex<Option<(u64, Instant)>>,
}

/// A job that this process runs, and the number of its claim.
pub struct Claimed<'a> {
    jobs: &'a Jobs,
    pub job: Job,
    fence: i64,
    seen: Mutex<Seen>,
}

/// When the lease was renewed and the job looked at last, and what was found.
struct Seen {
    renewed: Instant,
    looked: Instant,
    is_asked: bool,
}

impl Jobs {
    pub fn new(postgres: &Arc<Postgres>, dir: &Path) -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let boot = read("/proc/sys/kernel/random/boot_id");
        let space = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        let host = Blake::new(16).field(boot.as_bytes());
        let host = host.field(space.as_os_str().as_encoded_bytes()).finish::<16>();
        Self {
            postgres: Arc::clone(postgres),
            here: local::Jobs::new(dir),
            dir: dir.to_owned(),
            host: disk::hex(&host),
            place: OnceLock::new(),
            empty: Mutex::default(),
        }
    }

    pub fn submit(&self, spec: &Spec, now_ms: u64) -> Result<String> {
        let id = disk::random_id()?;
        self.postgres.transaction(|transaction| {
            let mut spec = spec.clone();
            for before in &mut spec.after {
                *before = find(transaction, before)?;
            }
            insert(transaction, &id, spec, now_ms)
        })?;
        Ok(id)
    }

    /// Stores a job of another place; false when there is one with its id.
    pub fn keep(&self, job: &Job) -> Result<bool> {
        self.postgres.transaction(|transaction| {
            let n = insert_job(transaction, job)?;
            count_event(transaction).map(|()| n > 0)
        })
    }

    pub fn begin(&self, spec: &Spec, now_ms: u64) -> Result<Claimed<'_>> {
        let (id, token) = (disk::random_id()?, disk::random_id()?);
        let (job, fence) = self.postgres.transaction(|transaction| {
            insert(transaction, &id, spec.clone(), now_ms)?;
            self.start(transaction, &id, &token, now_ms)
        })?;
        Ok(self.claimed(job, fence))
    }

    pub fn claim(&self, now_ms: u64, most: usize) -> Result<Next<Claimed<'_>>> {
        let (token, place) = (disk::random_id()?, self.place()?);
        self.settle(now_ms)?;
        let claimed = self.postgres.transaction(|transaction| {
            // A try whose reply was lost.
            let own = "SELECT id FROM rag_jobs WHERE worker = $1 AND state = 'running'";
            let own = transaction.query(own, &[Param::text(&*token)])?;
            let next = match own.into_iter().next() {
                Some(own) => Some(own),
                None if running_here(transaction, &self.host)? >= most => None,
                None => {
                    let now = Param::Int(now_ms as i64);
                    let found = transaction.query(NEXT, &[now, Param::text(&*place)])?;
                    found.into_iter().next()
                }
            };
            let start = |row: Row| self.start(transaction, &row.text(0), &token, now_ms);
            next.map(start).transpose()
        })?;
        match claimed {
            Some((job, fence)) => Ok(Next::Ready(self.claimed(job, fence))),
            None => Ok(match self.peek(now_ms, most)? {
                // Another worker took it between the two looks, or was taking it.
                Next::Ready(_) => Next::Later(None),
                Next::Later(ms) => Next::Later(ms),
                Next::Nothing => Next::Nothing,
            }),
        }
    }

    /// As [`Jobs::peek`] for a caller that looks all the time: while nothing changes, an empty
    /// queue costs one short statement instead of five.
    pub fn peek_again(&self, now_ms: u64, most: usize) -> Result<Next<String>> {
        let events = self.events()?;
        let known = *self.empty.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_some_and(|(then, at)| then == events && at.elapsed() < LOOK_ANYWAY) {
            return Ok(Next::Nothing);
        }
        let next = self.peek(now_ms, most)?;
        let empty = (next == Next::Nothing).then(|| (events, Instant::now()));
        *self.empty.lock().unwrap_or_else(PoisonError::into_inner) = empty;
        Ok(next)
    }

    pub fn peek(&self, now_ms: u64, most: usize) -> Result<Next<String>> {
        self.settle(now_ms)?;
        // Jobs of other machines neither fill this one nor return to it.
        let sql = "SELECT body, ord FROM rag_jobs WHERE (state = 'queued' \
                   AND coalesce(body->'spec'->>'place', $2) = $2) \
                   OR (state = 'running' AND host = $1) ORDER BY ord";
        let here = [Param::text(&*self.host), Param::Text(self.place()?)];
        let found = self.postgres.query(sql, &here)?;
        let mut table = Table::new();
        for row in &found {
            let job = job(row, 0, 1)?;
            table.insert(job.id.clone(), job);
        }
        // A predecessor on another machine is not in the table, which would mean that it succeeded.
        let sql = "SELECT DISTINCT b.id FROM rag_jobs j JOIN rag_jobs b ON b.id = ANY (j.after) \
                   WHERE j.state = 'queued' AND b.state = 'running'";
        let busy: Vec<String> =
            self.postgres.query(sql, &[])?.iter().map(|row| row.text(0)).collect();
        let n = table.len();
        table.retain(|_, job| !job.spec.after.iter().any(|id| busy.contains(id)));
        Ok(match schedule::next(&table, now_ms, most) {
            Next::Nothing if table.len() < n => Next::Later(None),
            next => next,
        })
    }

    pub fn cancel(&self, id: &str, now_ms: u64) -> Result<Job> {
        self.settle(now_ms)?;
        self.change_by_user(id, now_ms, &Event::CancelAsked, |job| {
            if !job.state.is_over() || job.state == State::Cancelled {
                return Ok(());
            }
            let why = format!("the job `{}` has already {}", job.id, past(job.state));
            Err(Fault::usage(why))
        })
    }

    pub fn retry(&self, id: &str, now_ms: u64) -> Result<Job> {
        self.settle(now_ms)?;
        self.change_by_user(id, now_ms, &Event::Retried, |job| {
            if matches!(job.state, State::Failed | State::Cancelled) {
                return Ok(());
            }
            Err(Fault::usage(format!("the job `{}` is {}", job.id, job.state.name()))
                .hint("only failed or cancelled jobs can be retried"))
        })
    }

    pub fn list(&self, now_ms: u64) -> Result<Vec<Job>> {
        self.settle(now_ms)?;
        let sql = "SELECT body, ord FROM rag_jobs ORDER BY ord";
        self.postgres.query(sql, &[])?.iter().map(|row| job(row, 0, 1)).collect()
    }

    pub fn get(&self, id: &str, now_ms: u64) -> Result<Job> {
        self.settle(now_ms)?;
        self.postgres.transaction(|transaction| {
            let id = find(transaction, id)?;
            let sql = "SELECT body, ord FROM rag_jobs WHERE id = $1";
            let found = transaction.query(sql, &[Param::text(&*id)])?;
            found.first().ok_or_else(|| unknown(&id)).and_then(|row| job(row, 0, 1))
        })
    }

    pub fn clean(&self, before_ms: u64, now_ms: u64) -> Result<u64> {
        self.settle(now_ms)?;
        let sql = "DELETE FROM rag_jobs o WHERE o.ended_ms < $1 AND NOT EXISTS (SELECT 1 \
                   FROM rag_jobs q WHERE q.state IN ('queued', 'running') \
                   AND o.id = ANY (q.after))";
        let before = i64::try_from(before_ms).unwrap_or(i64::MAX);
        self.postgres.execute(sql, &[Param::Int(before)])
    }

    pub fn forget(&self, ids: &[String], now_ms: u64) -> Result<()> {
        self.settle(now_ms)?;
        for id in ids {
            let sql = "DELETE FROM rag_jobs o WHERE o.id = $1 AND o.ended_ms IS NOT NULL \
                       AND NOT EXISTS (SELECT 1 FROM rag_jobs q \
                       WHERE q.state IN ('queued', 'running') AND o.id = ANY (q.after))";
            self.postgres.execute(sql, &[Param::text(&**id)])?;
        }
        Ok(())
    }

    pub fn tidy(&self, before_ms: u64, now_ms: u64) -> Result<()> {
        self.clean(before_ms, now_ms).map(drop)
    }

    pub fn enter(&self, most: usize) -> Result<Option<Slot>> {
        self.here.enter(most)
    }

    /// A process that submits a job starts a worker, which finds the slot taken until it is free,
    /// so the queue is looked at again after that.
    pub fn leave(&self, slot: Slot, now_ms: u64) -> Result<Option<Slot>> {
        if self.peek(now_ms, usize::MAX)? != Next::Nothing {
            return Ok(Some(slot));
        }
        slot.free();
        match self.peek(now_ms, usize::MAX)? {
            Next::Nothing => Ok(None),
            _ => self.here.enter(usize::MAX),
        }
    }

    pub fn events(&self) -> Result<u64> {
        // The first number does not change the last value, which is 1 before it too.
        let sql = "SELECT last_value + is_called::int FROM rag_job_events";
        let found = self.postgres.query(sql, &[])?;
        Ok(found.first().map_or(0, |row| row.int(0)).unsigned_abs())
    }

    fn claimed(&self, job: Job, fence: i64) -> Claimed<'_> {
        let now = Instant::now();
        let seen = Mutex::new(Seen { renewed: now, looked: now, is_asked: false });
        Claimed { jobs: self, job, fence, seen }
    }

    /// Gives a job to this process under the next number.
    fn start(
        &self,
        transaction: &mut Transaction,
        id: &str,
        token: &str,
        now_ms: u64,
    ) -> Result<(Job, i64)> {
        let sql = "SELECT body, ord, fence, worker = $2 FROM rag_jobs WHERE id = $1 FOR UPDATE";
        let found = transaction.query(sql, &[Param::text(id), Param::text(token)])?;
        let row = found.first().ok_or_else(|| unknown(id))?;
        let (before, fence) = (job(row, 0, 1)?, row.int(2));
        if row.flag(3) {
            return Ok((before, fence));
        }
        let job = changed(before, Event::Started { pid: std::process::id() }, now_ms)?;
        store(transaction, &job)?;
        let sql = "UPDATE rag_jobs SET fence = $2, worker = $3, host = $4, pid = $5, \
                   reading = NULL, lease_until = now() + make_interval(secs => $6) WHERE id = $1";
        let params = [
            Param::text(id),
            Param::Int(fence + 1),
            Param::text(token),
            Param::text(&*self.host),
            Param::Int(std::process::id().into()),
            Param::Real(LEASE_S),
        ];
        transaction.execute(sql, &params)?;
        Ok((job, fence + 1))
    }

    fn change_by_user(
        &self,
        id: &str,
        now_ms: u64,
        event: &Event,
        check: impl Fn(&Job) -> Result<()>,
    ) -> Result<Job> {
        self.postgres.transaction(|transaction| {
            let id = find(transaction, id)?;
            let sql = "SELECT body, ord FROM rag_jobs WHERE id = $1 FOR UPDATE";
            let found = transaction.query(sql, &[Param::text(&*id)])?;
            let before = job(found.first().ok_or_else(|| unknown(&id))?, 0, 1)?;
            check(&before)?;
            if before.state == State::Cancelled && *event == Event::CancelAsked {
                return Ok(before);
            }
            let job = changed(before, event.clone(), now_ms)?;
            store(transaction, &job)?;
            Ok(job)
        })
    }

    /// Records dead workers, and jobs that can never run because their predecessors did not
    /// succeed.
    fn settle(&self, now_ms: u64) -> Result<()> {
        let silent = self.postgres.query(SILENT, &[])?;
        let here = self.postgres.query(HERE, &[Param::text(&*self.host)])?;
        let is_gone = |row: &&Row| !Path::new("/proc").join(row.int(1).to_string()).exists();
        let dead = here.iter().filter(is_gone).map(|row| (row.text(0), Some(row.int(2))));
        let dead: Vec<_> = silent.iter().map(|row| (row.text(0), None)).chain(dead).collect();
        for (id, fence) in dead {
            let reading = std::fs::read_to_string(self.reading_path(&id)).ok();
            let file = reading.filter(|path| !path.is_empty());
            self.postgres.transaction(|transaction| {
                let sql = "SELECT body, ord, fence, lease_until < now() FROM rag_jobs \
                           WHERE id = $1 AND state = 'running' FOR UPDATE SKIP LOCKED";
                let found = transaction.query(sql, &[Param::text(&*id)])?;
                let Some(row) = found.first() else { return Ok(()) };
                // It may have been claimed again since.
                if fence.map_or(!row.flag(3), |fence| fence != row.int(2)) {
                    return Ok(());
                }
                let event = Event::Died { file: file.clone() };
                store(transaction, &changed(job(row, 0, 1)?, event, now_ms)?)
            })?;
        }
        self.end_hopeless(now_ms)
    }

    fn end_hopeless(&self, now_ms: u64) -> Result<()> {
        loop {
            let found = self.postgres.query(HOPELESS, &[])?;
            let Some(row) = found.first() else { return Ok(()) };
            let (id, before) = (row.text(0), row.text(1));
            let how = if row.text(2) == "cancelled" { "been cancelled" } else { "failed" };
            let why = format!("the job `{before}`, which it waits for, has {how}");
            let reason = super::job::Reason::new(Kind::Failed, why);
            self.postgres.transaction(|transaction| {
                let sql = "SELECT body, ord FROM rag_jobs WHERE id = $1 AND state = 'queued' \
                           FOR UPDATE";
                let found = transaction.query(sql, &[Param::text(&*id)])?;
                let Some(row) = found.first() else { return Ok(()) };
                let end = End::Failed { reason: reason.clone(), is_final: true };
                store(transaction, &changed(job(row, 0, 1)?, Event::Ended { end }, now_ms)?)
            })?;
        }
    }

    /// See [`place::place`].
    pub fn place(&self) -> Result<String> {
        if let Some(known) = self.place.get() {
            return Ok(known.clone());
        }
        let place = place::place(&self.dir)?;
        Ok(self.place.get_or_init(|| place).clone())
    }

    fn reading_path(&self, id: &str) -> PathBuf {
        self.dir.join(format!("{id}.reading"))
    }
}

impl Claimed<'_> {
    pub fn progress(&self, progress: &Progress, now_ms: u64) -> Result<()> {
        // Losing it in a crash of the database harms nothing, so no disk is waited for. It is no
        // event that another worker waits for.
        self.jobs.postgres.brief_transaction(|transaction| {
            let event = Event::Progress { progress: progress.clone() };
            match self.changed_by(transaction, now_ms, &event)? {
                Some(job) => update(transaction, &job),
                None => Ok(()),
            }
        })
    }

    pub fn cancel_asked(&self) -> Result<bool> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.looked.elapsed() < LOOK {
            return Ok(seen.is_asked);
        }
        seen.looked = Instant::now();
        let own = [Param::text(&*self.job.id), Param::Int(self.fence)];
        if seen.renewed.elapsed() >= HEARTBEAT {
            let renew = "UPDATE rag_jobs SET lease_until = now() + make_interval(secs => $3) \
                         WHERE id = $1 AND fence = $2 AND state = 'running'";
            let [id, fence] = own.clone();
            self.jobs.postgres.execute(renew, &[id, fence, Param::Real(LEASE_S)])?;
            seen.renewed = Instant::now();
        }
        let look = "SELECT coalesce((body->>'cancel_asked')::boolean, false) FROM rag_jobs \
                    WHERE id = $1 AND fence = $2 AND state = 'running'";
        let found = self.jobs.postgres.query(look, &own)?;
        // Without a row the job belongs to another worker, or is gone.
        seen.is_asked = found.first().is_none_or(|row| row.flag(0));
        Ok(seen.is_asked)
    }

    pub fn note(&self) -> Note {
        Note::new(self.jobs.reading_path(&self.job.id))
    }

    pub fn finish(self, end: End, now_ms: u64) -> Result<()> {
        self.change(now_ms, &Event::Ended { end })?;
        if self.job.careful {
            let _ = std::fs::remove_file(self.jobs.reading_path(&self.job.id));
        }
        Ok(())
    }

    fn change(&self, now_ms: u64, event: &Event) -> Result<()> {
        self.jobs.postgres.transaction(|transaction| {
            match self.changed_by(transaction, now_ms, event)? {
                Some(job) => store(transaction, &job),
                None => Ok(()),
            }
        })
    }

    /// The job after an event; `None` when it has ended by this event already.
    fn changed_by(
        &self,
        transaction: &mut Transaction,
        now_ms: u64,
        event: &Event,
    ) -> Result<Option<Job>> {
        let sql = "SELECT body, ord, fence FROM rag_jobs WHERE id = $1 FOR UPDATE";
        let found = transaction.query(sql, &[Param::text(&*self.job.id)])?;
        let row = found.first().ok_or_else(|| unknown(&self.job.id))?;
        if row.int(2) != self.fence {
            let why = format!("another worker has taken over the job `{}`", self.job.id);
            return Err(Fault::busy(why));
        }
        let before = job(row, 0, 1)?;
        if before.state != State::Running {
            // The reply to an earlier try was lost, or the lease had ended.
            return match matches!(event, Event::Ended { .. }) && before.state.is_over() {
                true => Ok(None),
                false => Err(Fault::busy(format!("the job `{}` is not running", self.job.id))),
            };
        }
        changed(before, event.clone(), now_ms).map(Some)
    }
}

/// The number of jobs that this machine runs.
fn running_here(transaction: &mut Transaction, host: &str) -> Result<usize> {
    let sql = "SELECT count(*) FROM rag_jobs WHERE state = 'running' AND host = $1";
    let found = transaction.query(sql, &[Param::text(host)])?;
    Ok(found.first().map_or(0, |row| row.int(0)).unsigned_abs() as usize)
}

/// The id of the job with this id, or of the only one whose id begins with it.
fn find(transaction: &mut Transaction, id: &str) -> Result<String> {
    let sql = "SELECT id FROM rag_jobs WHERE id = $1 OR ($1 <> '' AND starts_with(id, $1)) \
               ORDER BY id <> $1 LIMIT 2";
    let found = transaction.query(sql, &[Param::text(id)])?;
    match found.as_slice() {
        [one] => Ok(one.text(0)),
        [one, _] if one.text(0) == id => Ok(one.text(0)),
        [] => Err(unknown(id)),
        _ => Err(Fault::usage(format!("more than one job begins with `{id}`"))),
    }
}

fn unknown(id: &str) -> Fault {
    Fault::usage(format!("there is no job `{id}`")).hint("`rag jobs list` shows all jobs")
}

/// The job of a row; its order is that of the table.
fn job(row: &Row, body: usize, ord: usize) -> Result<Job> {
    let job: Job = serde_json::from_value(row.json(body))
        .map_err(|e| Fault::damaged("a job in PostgreSQL cannot be read").because(e))?;
    Ok(Job { order: row.int(ord).unsigned_abs(), ..job })
}

/// The job after an event.
fn changed(job: Job, event: Event, now_ms: u64) -> Result<Job> {
    let id = job.id.clone();
    let mut table = Table::from([(id.clone(), job)]);
    let is_valid = apply(&mut table, &id, now_ms, event);
    let job = table.remove(&id).filter(|_| is_valid);
    job.ok_or_else(|| Fault::failed(format!("the job `{id}` cannot change in that way")))
}

/// Adds a job, unless an earlier try has.
fn insert(transaction: &mut Transaction, id: &str, spec: Spec, now_ms: u64) -> Result<()> {
    let mut table = Table::new();
    apply(&mut table, id, now_ms, Event::Submitted { spec: Box::new(spec) });
    let Some(job) = table.remove(id) else { return Ok(()) };
    insert_job(transaction, &job)?;
    count_event(transaction)
}

/// Adds a job unless it is there; returns the number of new rows.
fn insert_job(transaction: &mut Transaction, job: &Job) -> Result<u64> {
    let sql = "INSERT INTO rag_jobs (id, state, priority, ready_ms, ended_ms, after, body) \
               SELECT $1, $2, $3, $4, $5, \
               ARRAY(SELECT jsonb_array_elements_text($6::jsonb->'spec'->'after')), $6 \
               ON CONFLICT (id) DO NOTHING";
    let params = [
        Param::text(&*job.id),
        Param::text(job.state.name()),
        Param::Int(job.spec.priority as i64),
        Param::Int(job.ready_ms as i64),
        Param::of(job.ended_ms, |at| Param::Int(at as i64)),
        Param::Json(body(job)?),
    ];
    transaction.execute(sql, &params)
}

/// Writes a changed job, and counts the event.
fn store(transaction: &mut Transaction, job: &Job) -> Result<()> {
    update(transaction, job)?;
    count_event(transaction)
}

/// Writes a changed job. A job that no longer runs has no lease.
fn update(transaction: &mut Transaction, job: &Job) -> Result<()> {
    let sql = "UPDATE rag_jobs SET state = $2, ready_ms = $3, ended_ms = $4, body = $5, \
               lease_until = CASE WHEN $2 = 'running' THEN lease_until END WHERE id = $1";
    let params = [
        Param::text(&*job.id),
        Param::text(job.state.name()),
        Param::Int(job.ready_ms as i64),
        Param::of(job.ended_ms, |at| Param::Int(at as i64)),
        Param::Json(body(job)?),
    ];
    transaction.execute(sql, &params).map(drop)
}

fn body(job: &Job) -> Result<serde_json::Value> {
    serde_json::to_value(job).or_failed(|| "cannot write a job".into())
}

fn count_event(transaction: &mut Transaction) -> Result<()> {
    transaction.query("SELECT nextval('rag_job_events')", &[]).map(drop)
}
