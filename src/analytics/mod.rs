//! Records of questions, errors and load, which `rag stats` summarizes.
//!
//! Questions and session ids are stored as keyed hashes, unless the settings keep the text. The key
//! is a separate file, so that the records alone reveal no question. Feedback on an answer keeps
//! its question in words: the user who gives it is told so. Callers queue records without waiting,
//! and one thread writes them in batches, to a file of the data directory or to the database that
//! servers share. Records are dropped and counted when the queue is full or they cannot be written:
//! nothing here slows or fails a request.

mod copy;
mod feedback;
mod in_postgres;
mod place;
mod record;
mod report;
mod rows;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use crate::config::Records;
use crate::disk::{self, Blake};
use crate::error::{Context as _, Fault, Result};
use crate::ledger::Postgres;
use crate::telemetry;

pub use copy::{Copied, copy};
pub use feedback::{Rated, feedback, questions};
pub use place::Place;
pub use record::{Access, Feedback, Load, Question, Reason, Record};
pub use report::{DocumentCount, ErrorCount, Latency, QuestionCount, Report, report, report_of};
use rows::File;

/// Length of the queue. A server answers a few hundred questions a second; the thread writes
/// thousands.
const MAX_WAITING: usize = 4096;
/// The most records of a transaction.
const MAX_BATCH: usize = 512;
/// How long a record waits for others to share its transaction.
const BATCH_TIME: Duration = Duration::from_millis(50);
/// How long the writer pauses after a failure.
const RETRY_DELAY: Duration = Duration::from_secs(5);
/// File name of the key.
const KEY: &str = "key";
/// How often old records are deleted.
const CLEANUP_INTERVAL: Duration = Duration::from_secs(3600);

/// The queue and its thread. Dropping it writes what is queued and ends the thread.
pub struct Analytics {
    queue: Option<SyncSender<(i64, Record)>>,
    thread: Option<JoinHandle<()>>,
}

impl Analytics {
    /// Starts the thread that writes.
    pub fn start(place: impl Into<Place>, records: Records, clock: fn() -> SystemTime) -> Self {
        let (queue, records_to_write) = sync_channel(MAX_WAITING);
        let writer = Writer::new(place.into(), records);
        let thread = std::thread::Builder::new()
            .name("analytics".into())
            .spawn(move || writer.run(&records_to_write, clock));
        Self { queue: thread.is_ok().then_some(queue), thread: thread.ok() }
    }

    /// Queues a record. Never waits and never fails.
    pub fn record(&self, at_s: i64, record: Record) {
        let is_queued =
            self.queue.as_ref().is_some_and(|queue| queue.try_send((at_s, record)).is_ok());
        if !is_queued {
            telemetry::analytics("dropped", 1);
        }
    }
}

impl Drop for Analytics {
    fn drop(&mut self) {
        self.queue = None;
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Writes records at once, for a command that is about to end.
///
/// # Errors
/// When they cannot be written.
pub fn record_now(
    place: impl Into<Place>,
    records: Records,
    now_s: i64,
    batch: Vec<Record>,
) -> Result<()> {
    let mut writer = Writer::new(place.into(), records);
    writer.write(batch.into_iter().map(|record| (now_s, record)).collect())
}

/// Removes every record and returns their number. Removes the key too, so that later records cannot
/// be linked to earlier ones.
///
/// # Errors
/// When the file cannot be written.
pub fn purge(place: impl Into<Place>) -> Result<u64> {
    let dir = match place.into() {
        Place::Folder(dir) => dir,
        Place::Postgres(postgres) => return in_postgres::clear(&postgres),
    };
    let path = dir.join(rows::FILE);
    if !path.is_file() {
        return Ok(0);
    }
    let removed = File::open(&path)?.clear()?;
    let key = dir.join(KEY);
    match std::fs::remove_file(&key) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e).or_cannot("remove", &key),
        _ => Ok(removed),
    }
}

/// Removes the names of documents from all records, and returns how many records had one.
///
/// # Errors
/// When the file cannot be written.
pub fn forget(place: impl Into<Place>, is_gone: &dyn Fn(&str, &str) -> bool) -> Result<u64> {
    let dir = match place.into() {
        Place::Folder(dir) => dir,
        Place::Postgres(postgres) => return in_postgres::forget(&postgres, is_gone),
    };
    let path = dir.join(rows::FILE);
    if !path.is_file() {
        return Ok(0);
    }
    File::open(&path)?.forget(is_gone)
}

/// What a writer writes to.
enum Sink {
    File(File),
    Postgres(Arc<Postgres>),
}

impl Sink {
    fn open(place: &Place) -> Result<(Self, Hasher)> {
        Ok(match place {
            Place::Folder(dir) => {
                disk::create_dir(dir)?;
                let hasher = Hasher::open(&dir.join(KEY))?;
                (Self::File(File::open(&dir.join(rows::FILE))?), hasher)
            }
            Place::Postgres(postgres) => {
                let hasher = Hasher { key: in_postgres::key(postgres)? };
                (Self::Postgres(Arc::clone(postgres)), hasher)
            }
        })
    }

    fn add(&mut self, records: &[(i64, Record)]) -> Result<()> {
        match self {
            Self::File(file) => file.add(records),
            Self::Postgres(postgres) => in_postgres::add(postgres, records),
        }
    }

    fn drop_before(&mut self, at_s: i64) -> Result<()> {
        match self {
            Self::File(file) => file.drop_before(at_s),
            Self::Postgres(postgres) => postgres.drop_days_before(at_s).map(drop),
        }
    }
}

/// Owns the place. Runs on its own thread, or in a command.
struct Writer {
    place: Place,
    records: Records,
    open: Option<(Sink, Hasher)>,
    /// After a failure: the time of the next try.
    not_before: Option<Instant>,
}

impl Writer {
    fn new(place: Place, records: Records) -> Self {
        Self { place, records, open: None, not_before: None }
    }

    fn run(mut self, queue: &Receiver<(i64, Record)>, clock: fn() -> SystemTime) {
        let mut cleaned_up = None::<Instant>;
        while let Ok(first) = queue.recv() {
            let batch = batch_from(first, queue);
            let n = batch.len() as u64;
            if self.not_before.is_some_and(|at| Instant::now() < at) {
                telemetry::analytics("failed", n);
                continue;
            }
            match self.write(batch) {
                Ok(()) => telemetry::analytics("written", n),
                Err(fault) => {
                    telemetry::analytics("failed", n);
                    telemetry::warn!("analytics are not written: {fault}");
                    (self.open, self.not_before) = (None, Some(Instant::now() + RETRY_DELAY));
                    continue;
                }
            }
            if cleaned_up.is_none_or(|at| at.elapsed() >= CLEANUP_INTERVAL) {
                cleaned_up = Some(Instant::now());
                self.drop_old(clock());
            }
        }
    }

    fn drop_old(&mut self, now: SystemTime) {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let keep_s = self.records.keep_days.saturating_mul(86_400);
        let before_s = i64::try_from(now.as_secs().saturating_sub(keep_s)).unwrap_or(i64::MAX);
        // A failure is repaired by the next cleanup.
        let _ = self.open.as_mut().map(|(sink, _)| sink.drop_before(before_s));
    }

    fn write(&mut self, batch: Vec<(i64, Record)>) -> Result<()> {
        let (sink, hasher) = match &mut self.open {
            Some(open) => open,
            none => none.insert(Sink::open(&self.place)?),
        };
        let keeps_text = self.records.text;
        let kept = batch.into_iter().map(|(at, record)| (at, hasher.hide(record, keeps_text)));
        sink.add(&kept.collect::<Vec<_>>())
    }
}

/// The next records to write together, up to [`MAX_BATCH`].
fn batch_from(first: (i64, Record), queue: &Receiver<(i64, Record)>) -> Vec<(i64, Record)> {
    let (mut batch, end) = (vec![first], Instant::now() + BATCH_TIME);
    while batch.len() < MAX_BATCH {
        match queue.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(record) => batch.push(record),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
    }
    batch
}

/// Computes keyed hashes.
struct Hasher {
    key: Vec<u8>,
}

impl Hasher {
    /// Reads the key, or makes one with permissions for the user only. Of several writers that
    /// make one at once, all use the first.
    fn open(path: &Path) -> Result<Self> {
        if !path.exists() {
            let made =
                disk::write_file(path, disk::random_id()?.as_bytes(), disk::Existing::Refuse);
            if !path.exists() {
                made?;
            }
        }
        let key = std::fs::read(path).or_cannot("use", path)?;
        match key.len() {
            32 => Ok(Self { key }),
            n => Err(Fault::failed(format!("{} has {n} bytes instead of 32", path.display()))
                .hint("remove it: rag makes a new key, and hashes differ from then on")),
        }
    }

    fn hash(&self, what: &str, text: &str) -> String {
        let hash = Blake::new(16).field(&self.key).field(what.as_bytes()).field(text.as_bytes());
        disk::hex(&hash.finish::<16>())
    }

    /// The record as it is stored.
    fn hide(&self, record: Record, keeps_text: bool) -> Record {
        let Record::Question(mut question) = record else { return record };
        question.hash = self.hash("question", question.text.trim());
        question.session = question.session.take().map(|id| self.hash("session", &id));
        if !keeps_text {
            question.text.clear();
        }
        Record::Question(question)
    }
}

/// Parses `30m`, `12h`, `7d` or `4w` to seconds.
///
/// # Errors
/// The expected syntax.
pub fn seconds(text: &str) -> std::result::Result<i64, String> {
    let units = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400), ('w', 604_800)];
    let unit =
        units.iter().find_map(|(letter, seconds)| Some((text.strip_suffix(*letter)?, seconds)));
    unit.and_then(|(number, seconds)| number.parse::<u32>().ok().map(|n| i64::from(n) * seconds))
        .ok_or_else(|| "expected a number and a unit, such as 30m, 12h, 7d or 4w".to_owned())
}
