//! What need not be computed twice. One SQLite file, one table per layer: embeddings, retrieval,
//! second looks, answers.
//!
//! A cache is never trusted: every row carries a checksum over key, scope and value, a row that
//! fails it is a miss that is counted and overwritten, and a file that SQLite cannot read is set
//! aside and begun anew. Nothing here can fail a command: at worst everything is a miss.
//!
//! Rows and counters are written behind: look-ups note what they used, and one transaction at the
//! end (or when much has gathered) writes rows, times of use and counters. A process that is killed
//! loses some of them and nothing else.
//!
//! Every question looks things up, so the lock of look-ups is held for one look-up at a time.
//! Whatever writes, counts all rows or empties tables has a connection of its own and holds that
//! lock only to hand rows over.

mod answers;
mod embeddings;
mod purge;
mod rerank;
mod retrieval;
mod rows;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::config::{Layer, Layers};
use crate::disk::{self, Blake};
use crate::error::{Context as _, Fault, Result};
use crate::sqlite::{self, Opened};
use crate::telemetry;
pub use answers::KeptAnswer;
use rows::{Batch, Rows};

/// File name; the schema's version is inside.
const FILE: &str = "cache.db";

/// From one version of the schema to the next. An older file is upgraded in place, a newer one is
/// left alone.
const STEPS: [&str; 2] = [
    "CREATE TABLE embeddings (
        key     BLOB PRIMARY KEY,   -- BLAKE2b over what the value depends on
        model   TEXT NOT NULL,      -- model fingerprint
        value   BLOB NOT NULL,
        crc     INTEGER NOT NULL,   -- CRC-32 of key, model and value
        created INTEGER NOT NULL    -- Unix seconds
    );",
    "ALTER TABLE embeddings RENAME COLUMN model TO scope;
     ALTER TABLE embeddings ADD COLUMN used INTEGER NOT NULL DEFAULT 0;  -- Unix seconds
     CREATE INDEX embeddings_used ON embeddings (used);
     CREATE TABLE retrieval (key BLOB PRIMARY KEY, scope TEXT NOT NULL, value BLOB NOT NULL, crc \
     INTEGER NOT NULL,
        created INTEGER NOT NULL, used INTEGER NOT NULL);
     CREATE INDEX retrieval_used ON retrieval (used);
     CREATE TABLE rerank (key BLOB PRIMARY KEY, scope TEXT NOT NULL, value BLOB NOT NULL, crc \
     INTEGER NOT NULL,
        created INTEGER NOT NULL, used INTEGER NOT NULL);
     CREATE INDEX rerank_used ON rerank (used);
     CREATE TABLE answers (key BLOB PRIMARY KEY, scope TEXT NOT NULL, value BLOB NOT NULL, crc \
     INTEGER NOT NULL,
        created INTEGER NOT NULL, used INTEGER NOT NULL);
     CREATE INDEX answers_used ON answers (used);
     CREATE TABLE counters (name TEXT PRIMARY KEY, hits INTEGER NOT NULL, misses INTEGER NOT NULL,
        damaged INTEGER NOT NULL, evicted INTEGER NOT NULL, bytes INTEGER NOT NULL);
     INSERT INTO counters SELECT 'embeddings', 0, 0, 0, 0, coalesce(sum(length(key) + \
     length(value)), 0) FROM embeddings;
     INSERT INTO counters VALUES ('retrieval', 0, 0, 0, 0, 0), ('rerank', 0, 0, 0, 0, 0), \
     ('answers', 0, 0, 0, 0, 0);",
];

/// Rows that wait in memory, by number and by bytes, before they are written.
const MAX_WAITING: usize = 256;
const MAX_WAITING_BYTES: usize = 1 << 20;

/// Where others write, so many times as many rows wait before whoever keeps another one waits too,
/// or it is not kept.
const MAX_WAITING_BATCHES: usize = 8;

/// After another process has held the file for longer than a statement waits, nothing is written
/// for so long.
const PAUSE: Duration = Duration::from_secs(30);

/// A write-ahead log above this size is folded into the file when the cache is closed. Folding
/// syncs, which takes longer than a cached answer; a small log costs the next process nothing.
const MAX_LOG_BYTES: u64 = 1 << 20;

/// The layers, by their public names, outermost last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Table {
    Embeddings,
    Retrieval,
    Rerank,
    Answers,
}

impl Table {
    pub const ALL: [Self; 4] = [Self::Embeddings, Self::Retrieval, Self::Rerank, Self::Answers];

    pub fn name(self) -> &'static str {
        match self {
            Self::Embeddings => "embeddings",
            Self::Retrieval => "retrieval",
            Self::Rerank => "rerank",
            Self::Answers => "answers",
        }
    }

    fn limits(self, layers: &Layers) -> Layer {
        match self {
            Self::Embeddings => layers.embeddings,
            Self::Retrieval => layers.retrieval,
            Self::Rerank => layers.rerank,
            Self::Answers => layers.answers,
        }
    }

    /// The tables in a comma-separated list, or all of them.
    ///
    /// # Errors
    /// A usage fault that names the unknown table.
    pub fn parse_list(text: &str) -> Result<Vec<Self>> {
        if text == "all" {
            return Ok(Self::ALL.to_vec());
        }
        let names = Self::ALL.map(Self::name).join(", ");
        text.split(',')
            .map(str::trim)
            .map(|name| {
                Self::ALL.into_iter().find(|table| table.name() == name).ok_or_else(|| {
                    Fault::usage(format!("there is no cache table `{name}`"))
                        .hint(format!("the tables are {names}; `all` means every one"))
                })
            })
            .collect()
    }
}

/// What a command does with the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Caching {
    #[default]
    Use,
    /// Computes anew and replaces what was kept.
    Refresh,
    /// Neither reads nor writes.
    Off,
}

impl Caching {
    pub fn reads(self) -> bool {
        self == Self::Use
    }

    pub fn writes(self) -> bool {
        self != Self::Off
    }
}

/// BLAKE2b-256 over everything that a value depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key([u8; 32]);

impl Key {
    /// `kind` says what is computed and in which version; `fields` from what.
    pub fn of<'a>(kind: &str, fields: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hash = Blake::new(32).field(kind.as_bytes());
        fields.into_iter().for_each(|field| hash.add(field));
        Self(hash.finish())
    }
}

/// One row of `rag cache stats`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableStats {
    pub table: Table,
    pub count: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
    /// Bytes that keys and values may have.
    pub budget_bytes: u64,
    /// Seconds that a row counts; 0 means for ever.
    pub ttl_s: u64,
    /// Unix seconds of the oldest and newest row.
    pub oldest: Option<i64>,
    pub newest: Option<i64>,
    /// Of all processes since the file was begun.
    pub counters: Counters,
}

/// What a purge did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purged {
    pub table: Table,
    pub count: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
}

/// How look-ups ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub hits: u64,
    pub misses: u64,
    /// Rows whose checksum, size or content was wrong; each is also a miss.
    pub damaged: u64,
    /// Rows that made room for others.
    pub evicted: u64,
}

impl Counters {
    /// Hits among all look-ups, in 0..=1; 0 when there were none.
    pub fn hit_rate(&self) -> f64 {
        let all = self.hits + self.misses;
        if all == 0 { 0.0 } else { self.hits as f64 / all as f64 }
    }
}

/// The open cache. Look-ups and stores may come from several threads; they take turns.
pub struct Cache {
    inner: Mutex<Inner>,
    /// What writes, held while it does. It is locked before `inner`, never after.
    writer: Mutex<Option<Writer>>,
}

struct Writer {
    connection: Connection,
    /// That of [`Inner`] when it was opened: a file that was set aside is not written to.
    generation: u64,
}

struct Inner {
    path: PathBuf,
    layers: Option<Layers>,
    connection: Option<Connection>,
    writable: bool,
    /// Of this process, by table.
    counters: HashMap<Table, Counters>,
    /// How much of `counters` the file knows already.
    told: HashMap<Table, Counters>,
    waiting: Rows,
    waiting_bytes: usize,
    /// Rows that are being written.
    leaving: Option<Arc<Rows>>,
    /// Nothing is written before then.
    pause_until: Option<Instant>,
    /// How often the file was begun anew.
    generation: u64,
    /// Rows that were used, and when.
    used: HashMap<(Table, Key), i64>,
}

impl Cache {
    /// Opens the cache in `dir`, making it when it is not there and can be made.
    pub fn open(dir: &Path, layers: Layers) -> Self {
        let path = dir.join(FILE);
        let (connection, writable) = connect(dir, &path, true);
        Self::new(Inner { path, layers: Some(layers), connection, writable, ..Inner::empty() })
    }

    /// A cache that knows nothing and keeps nothing.
    pub fn disabled() -> Self {
        Self::new(Inner::empty())
    }

    fn new(inner: Inner) -> Self {
        Self { inner: Mutex::new(inner), writer: Mutex::default() }
    }

    /// Look-ups so far in this process.
    pub fn counters(&self, table: Table) -> Counters {
        self.lock().counters.get(&table).copied().unwrap_or_default()
    }

    /// True when rows can be kept.
    pub fn is_writable(&self) -> bool {
        self.lock().writable
    }

    /// Size, age and use of each table.
    ///
    /// # Errors
    /// [`Kind::Damaged`](crate::error::Kind::Damaged) when SQLite cannot read the file.
    pub fn stats(&self) -> Result<Vec<TableStats>> {
        self.flush();
        let (layers, path, is_open) = self.place();
        let none = |table: Table| {
            let limits = layers.map(|layers| table.limits(&layers));
            TableStats {
                table,
                count: 0,
                bytes: 0,
                budget_bytes: limits.map_or(0, |l| l.budget_bytes),
                ttl_s: limits.map_or(0, |l| l.ttl_s),
                oldest: None,
                newest: None,
                counters: Counters::default(),
            }
        };
        let another = if is_open { another(&path)? } else { None };
        let Some(connection) = another else { return Ok(Table::ALL.map(none).to_vec()) };
        let stats = Table::ALL.into_iter().map(|table| rows::stats(&connection, &none(table)));
        stats.collect::<rusqlite::Result<_>>().map_err(|e| read_fault(&path, e))
    }

    /// Empties tables and gives their space back to the file system, a little at a time, so that
    /// others get their turn.
    ///
    /// # Errors
    /// When the file cannot be read or written to.
    pub fn purge(&self, tables: &[Table]) -> Result<Vec<Purged>> {
        self.flush();
        let (_, path, is_open) = self.place();
        let nothing = |table: &Table| Purged { table: *table, count: 0, bytes: 0 };
        let another = if is_open { another(&path)? } else { None };
        let Some(connection) = another else { return Ok(tables.iter().map(nothing).collect()) };
        if !self.is_writable() {
            return Err(Fault::failed(format!("{} cannot be written to", path.display())));
        }
        let mut chosen = Table::ALL.to_vec();
        chosen.retain(|table| tables.contains(table));
        let purged = chosen.iter().map(|table| purge::empty(&connection, *table));
        let purged =
            purged.collect::<rusqlite::Result<Vec<_>>>().map_err(|e| read_fault(&path, e))?;
        purge::give_back(&connection).map_err(|e| read_fault(&path, e))?;
        Ok(purged)
    }

    /// Bytes of the files on disk.
    pub fn file_bytes(&self) -> u64 {
        let path = self.lock().path.clone();
        let length = |path: &Path| std::fs::metadata(path).map_or(0, |meta| meta.len());
        length(&path) + length(&path.with_extension("db-wal"))
    }

    /// Faults found by reading every row and SQLite's own check; empty when all is well. Changes
    /// nothing.
    pub fn verify(&self) -> Result<Vec<String>> {
        let (_, path, is_open) = self.place();
        let another = if is_open { another(&path)? } else { None };
        let Some(connection) = another else { return Ok(Vec::new()) };
        let own = Table::ALL
            .into_iter()
            .map(|table| rows::verify(&connection, table))
            .sum::<rusqlite::Result<u64>>();
        let check =
            connection.pragma_query_value(None, "quick_check", |row| row.get::<_, String>(0));
        Ok(match (own, check) {
            (Ok(0), Ok(word)) if word == "ok" => Vec::new(),
            (Ok(0), Ok(word)) => vec![word],
            (Ok(bad), _) => vec![format!(
                "{bad} rows fail their checksum; they are misses and will be replaced"
            )],
            (Err(e), _) => vec![e.to_string()],
        })
    }

    /// Writes what has gathered.
    pub fn flush(&self) {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        self.write_out(writer, None);
    }

    /// Writes what has gathered, unless somebody does so already.
    fn flush_if_free(&self, now_s: i64) {
        match self.writer.try_lock() {
            Ok(writer) => self.write_out(writer, Some(now_s)),
            Err(TryLockError::Poisoned(writer)) => self.write_out(writer.into_inner(), Some(now_s)),
            Err(TryLockError::WouldBlock) => {}
        }
    }

    /// `now_s` is known when rows are being added.
    fn write_out(&self, mut writer: MutexGuard<'_, Option<Writer>>, now_s: Option<i64>) {
        let batch = {
            let mut inner = self.lock();
            // One wait for another process is enough.
            if inner.is_paused() { None } else { inner.depart(now_s) }
        };
        let Some(batch) = batch else { return };
        let mut written = self.write(&mut writer, &batch);
        if written.as_ref().is_err_and(sqlite::is_damage) {
            self.lock().rebuild(batch.generation);
            let generation = self.lock().generation;
            written = self
                .write(&mut writer, &Batch { used: HashMap::new(), generation, ..batch.clone() });
        }
        self.lock().arrived(&batch, &written);
    }

    fn write(&self, writer: &mut Option<Writer>, batch: &Batch) -> rusqlite::Result<()> {
        if writer.as_ref().is_none_or(|writer| writer.generation != batch.generation) {
            let path = self.lock().path.clone();
            let Opened::Writable(connection) = sqlite::open_shrinkable(&path, &STEPS)? else {
                return Ok(());
            };
            keep_log(&connection);
            *writer = Some(Writer { connection, generation: batch.generation });
        }
        match writer {
            Some(writer) => rows::write(&mut writer.connection, batch),
            None => Ok(()),
        }
    }

    /// Limits, file, and whether there is one.
    fn place(&self) -> (Option<Layers>, PathBuf, bool) {
        let inner = self.lock();
        (inner.layers, inner.path.clone(), inner.connection.is_some())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while holding the lock leaves at worst a counter behind.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        {
            // Nobody looks anything up any more, so that the connection can write: to open another
            // one takes time.
            let writer = self.writer.get_mut().unwrap_or_else(PoisonError::into_inner);
            let inner = self.inner.get_mut().unwrap_or_else(PoisonError::into_inner);
            if writer.as_ref().is_none_or(|writer| writer.generation != inner.generation) {
                let generation = inner.generation;
                *writer =
                    inner.connection.take().map(|connection| Writer { connection, generation });
            }
        }
        self.flush();
        let path = self.lock().path.clone();
        let log = std::fs::metadata(path.with_extension("db-wal")).map_or(0, |meta| meta.len());
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(writer), true) = (&*writer, log > MAX_LOG_BYTES) {
            let _ = writer.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE);");
        }
    }
}

impl Inner {
    fn empty() -> Self {
        Self {
            path: PathBuf::new(),
            layers: None,
            connection: None,
            writable: false,
            counters: HashMap::new(),
            told: HashMap::new(),
            waiting: HashMap::new(),
            waiting_bytes: 0,
            leaving: None,
            pause_until: None,
            generation: 0,
            used: HashMap::new(),
        }
    }

    /// Sets a damaged file aside and begins anew, unless that was done since `generation`.
    fn rebuild(&mut self, generation: u64) {
        if self.generation != generation {
            return;
        }
        self.generation += 1;
        self.connection = None;
        telemetry::warn!("the cache was damaged: it is set aside and begun anew");
        let dir = self.path.parent().unwrap_or(Path::new(".")).to_owned();
        set_aside(&self.path);
        (self.connection, self.writable) = connect(&dir, &self.path, false);
    }
}

fn connect(dir: &Path, path: &Path, may_rebuild: bool) -> (Option<Connection>, bool) {
    if !dir.is_dir() && disk::create_dir(dir).is_err() {
        return (None, false);
    }
    match sqlite::open_shrinkable(path, &STEPS) {
        Ok(Opened::Writable(connection)) => {
            keep_log(&connection);
            (Some(connection), true)
        }
        Ok(Opened::ReadOnly(connection)) => (Some(connection), false),
        Ok(Opened::Damaged) if may_rebuild => {
            set_aside(path);
            connect(dir, path, false)
        }
        Ok(Opened::Absent | Opened::Newer | Opened::Damaged) | Err(_) => (None, false),
    }
}

/// The log stays as it is when the connection is closed. Where that cannot be set, closing is a
/// little slower.
fn keep_log(connection: &Connection) {
    let _ = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
}

/// Another connection to a file that is open, for work that takes long; `None` when the file is
/// gone.
fn another(path: &Path) -> Result<Option<Connection>> {
    match sqlite::open_shrinkable(path, &STEPS).map_err(|e| read_fault(path, e))? {
        Opened::Writable(connection) => {
            keep_log(&connection);
            Ok(Some(connection))
        }
        Opened::ReadOnly(connection) => Ok(Some(connection)),
        Opened::Damaged => Err(damaged(path)),
        Opened::Absent | Opened::Newer => Ok(None),
    }
}

/// Keeps what a damaged file held, under another name, in case somebody wants to look.
fn set_aside(path: &Path) {
    let _ = std::fs::rename(path, path.with_extension("db.damaged"));
    for suffix in ["db-wal", "db-shm"] {
        let _ = std::fs::remove_file(path.with_extension(suffix));
    }
}

fn read_fault(path: &Path, error: rusqlite::Error) -> Fault {
    let what = || format!("cannot use {}", path.display());
    let result: std::result::Result<(), rusqlite::Error> = Err(error);
    match result {
        Err(e) if sqlite::is_damage(&e) => damaged(path).because(e),
        Err(e) if sqlite::is_busy(&e) => {
            Fault::busy(format!("another process does not let go of {}", path.display()))
                .because(e)
                .hint("try again when it is done")
        }
        other => other.or_failed(what).err().unwrap_or_else(|| Fault::failed(what())),
    }
}

fn damaged(path: &Path) -> Fault {
    Fault::damaged(format!("{} is damaged", path.display()))
        .hint("the next ingest replaces it; nothing but time is lost")
}
