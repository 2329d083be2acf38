//! What was asked, how it went and what was read, for whoever looks after an index: `rag stats`
//! reads it.
//!
//! Questions and names of sessions are kept as keyed hashes unless the user wants the words; the
//! key lies beside the file, so that the file alone tells nobody what was asked. Records are handed
//! over without waiting and written by one thread, some at a time. When they come faster than that,
//! or the file cannot be written, they are dropped and counted: nothing here can slow a request
//! down or fail it.

mod report;
mod rows;
#[cfg(test)]
mod tests;

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};

use crate::config::Records;
use crate::disk::{self, Blake};
use crate::error::{Context as _, Fault, Result};
use crate::telemetry;

pub use report::{Asked, Latency, Opened, Report, Wrong, report};
use rows::File;

/// Records that wait for the thread. A server answers some hundred questions a second at most; the
/// thread writes thousands.
const MOST_WAITING: usize = 4096;
/// The most records of one transaction.
const MOST_AT_ONCE: usize = 512;
/// How long a record waits for others to be written with it.
const GATHER: Duration = Duration::from_millis(50);
/// After a failure the file is left alone for so long.
const PAUSE: Duration = Duration::from_secs(5);
/// File name of the key.
const KEY: &str = "key";
/// How often old records are looked for.
const TIDY: Duration = Duration::from_secs(3600);

/// The folder of the records below a data directory.
pub fn dir(data_dir: &Path) -> PathBuf {
    data_dir.join("analytics")
}

/// One thing worth remembering.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Record {
    Question(Box<Question>),
    Error {
        code: String,
        /// The template of the route, or the name of the tool.
        route: String,
    },
    System {
        memory_bytes: u64,
        /// Cores in use.
        cpu: f64,
        queue: u64,
    },
}

/// A question or a search.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// In words until it is handed over; in the file a keyed hash, and the words where they are
    /// wanted.
    pub text: String,
    #[serde(default)]
    pub hash: String,
    /// A search has neither intent nor generator.
    pub is_search: bool,
    pub index: String,
    pub intent: String,
    pub generator: String,
    pub mode: String,
    pub k: u64,
    pub supported: bool,
    pub hits: u64,
    pub answer_hit: bool,
    pub retrieval_hit: bool,
    pub queue_ms: Option<f64>,
    /// `None` when nothing had to be embedded.
    pub embedding_ms: Option<f64>,
    pub search_ms: f64,
    pub generation_ms: Option<f64>,
    pub total_ms: f64,
    /// As the text: a hash in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The documents that were cited or found, folder and path, each once.
    pub documents: Vec<(String, String)>,
}

/// Takes records. The thread ends, and what waits is written, when it is dropped.
pub struct Analytics {
    to: Option<SyncSender<(i64, Record)>>,
    thread: Option<JoinHandle<()>>,
}

impl Analytics {
    /// Starts the thread that writes into `dir`.
    pub fn start(dir: &Path, records: Records, clock: fn() -> SystemTime) -> Self {
        let (to, queue) = sync_channel(MOST_WAITING);
        let writer = Writer::new(dir, records);
        let thread = std::thread::Builder::new()
            .name("analytics".into())
            .spawn(move || writer.run(&queue, clock));
        Self { to: thread.is_ok().then_some(to), thread: thread.ok() }
    }

    /// Hands a record over. It never waits and never fails.
    pub fn record(&self, at_s: i64, record: Record) {
        let is_taken = self.to.as_ref().is_some_and(|to| to.try_send((at_s, record)).is_ok());
        if !is_taken {
            telemetry::analytics("dropped", 1);
        }
    }
}

impl Drop for Analytics {
    fn drop(&mut self) {
        self.to = None;
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Writes records here and now, for a command that ends with them.
///
/// # Errors
/// Whatever keeps the file from being written.
pub fn record_now(dir: &Path, records: Records, now_s: i64, batch: Vec<Record>) -> Result<()> {
    let mut writer = Writer::new(dir, records);
    writer.write(batch.into_iter().map(|record| (now_s, record)).collect())
}

/// Removes every record, and says how many there were. The key goes, too: what is recorded later
/// cannot be compared with what was seen before.
///
/// # Errors
/// Whatever keeps the file from being written.
pub fn purge(dir: &Path) -> Result<u64> {
    let path = dir.join(rows::FILE);
    if !path.is_file() {
        return Ok(0);
    }
    let removed = File::open(&path)?.clear()?;
    let key = dir.join(KEY);
    match std::fs::remove_file(&key) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(e).or_failed(|| format!("cannot remove {}", key.display()))
        }
        _ => Ok(removed),
    }
}

/// Takes documents out that are not to be remembered: their names, not the questions about them.
///
/// # Errors
/// Whatever keeps the file from being written.
pub fn forget(dir: &Path, is_gone: &dyn Fn(&str, &str) -> bool) -> Result<u64> {
    let path = dir.join(rows::FILE);
    if !path.is_file() {
        return Ok(0);
    }
    File::open(&path)?.forget(is_gone)
}

/// Owns the file.
struct Writer {
    dir: PathBuf,
    records: Records,
    open: Option<(File, Hasher)>,
    /// After a failure: when it may be tried again.
    not_before: Option<Instant>,
}

impl Writer {
    fn new(dir: &Path, records: Records) -> Self {
        Self { dir: dir.to_owned(), records, open: None, not_before: None }
    }

    fn run(mut self, queue: &Receiver<(i64, Record)>, clock: fn() -> SystemTime) {
        let mut tidied = None::<Instant>;
        while let Ok(first) = queue.recv() {
            let (mut batch, end) = (vec![first], Instant::now() + GATHER);
            while batch.len() < MOST_AT_ONCE {
                match queue.recv_timeout(end.saturating_duration_since(Instant::now())) {
                    Ok(record) => batch.push(record),
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
                }
            }
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
                    (self.open, self.not_before) = (None, Some(Instant::now() + PAUSE));
                    continue;
                }
            }
            if tidied.is_none_or(|at| at.elapsed() >= TIDY) {
                tidied = Some(Instant::now());
                let now = clock().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                let keep_s = self.records.keep_days.saturating_mul(86_400);
                let before_s =
                    i64::try_from(now.as_secs().saturating_sub(keep_s)).unwrap_or(i64::MAX);
                // What is not dropped now is dropped an hour later.
                let _ = self.open.as_mut().map(|(file, _)| file.drop_before(before_s));
            }
        }
    }

    fn write(&mut self, batch: Vec<(i64, Record)>) -> Result<()> {
        let (file, hasher) = match &mut self.open {
            Some(open) => open,
            none => {
                disk::create_dir(&self.dir)?;
                let hasher = Hasher::open(&self.dir.join(KEY))?;
                none.insert((File::open(&self.dir.join(rows::FILE))?, hasher))
            }
        };
        let keeps_text = self.records.text;
        let kept = batch.into_iter().map(|(at, record)| (at, hasher.hide(record, keeps_text)));
        file.add(&kept.collect::<Vec<_>>())
    }
}

/// Words to names that only who has the key can tell.
struct Hasher {
    key: Vec<u8>,
}

impl Hasher {
    /// Reads the key, or makes one that only the user can read.
    fn open(path: &Path) -> Result<Self> {
        let what = || format!("cannot use {}", path.display());
        let mut options = std::fs::OpenOptions::new();
        match options.write(true).create_new(true).mode(0o600).open(path) {
            Ok(mut file) => file.write_all(disk::random_id()?.as_bytes()).or_failed(what)?,
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e).or_failed(what),
        }
        let key = std::fs::read(path).or_failed(what)?;
        match key.len() {
            32 => Ok(Self { key }),
            // Another process is just making it, or it was cut.
            n => Err(Fault::failed(format!("{} has {n} bytes instead of 32", path.display()))
                .hint("remove it: a new one is made, and hashes begin anew")),
        }
    }

    fn hash(&self, what: &str, text: &str) -> String {
        let hash = Blake::new(16).field(&self.key).field(what.as_bytes()).field(text.as_bytes());
        disk::hex(&hash.finish::<16>())
    }

    /// What may be kept of a record.
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

/// Seconds of `30m`, `12h`, `7d`, `4w`.
///
/// # Errors
/// What it should have been.
pub fn seconds(text: &str) -> std::result::Result<i64, String> {
    let units = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400), ('w', 604_800)];
    let unit =
        units.iter().find_map(|(letter, seconds)| Some((text.strip_suffix(*letter)?, seconds)));
    unit.and_then(|(number, seconds)| number.parse::<u32>().ok().map(|n| i64::from(n) * seconds))
        .ok_or_else(|| "it is a number and a unit, such as 30m, 12h, 7d or 4w".to_owned())
}
