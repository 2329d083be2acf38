//! What need not be computed twice. One SQLite file, one table per layer; today the embeddings.
//!
//! A cache is never trusted: every row carries a checksum over key, model and value, a row that fails it is a miss
//! that is counted and overwritten, and a file that SQLite cannot read is set aside and begun anew. Nothing here can
//! fail a command: at worst everything is a miss.

mod embeddings;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

pub use embeddings::Key;

use crate::disk;
use crate::error::{Context as _, Fault, Result};
use crate::sqlite::{self, Opened};

/// File name; the schema's version is inside.
const FILE: &str = "cache.db";

/// Version of [`SCHEMA`]. An older file is upgraded in place, a newer one is left alone.
const VERSION: i64 = 1;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS embeddings (
        key     BLOB PRIMARY KEY,   -- BLAKE2b of model fingerprint, role and text
        model   TEXT NOT NULL,      -- model fingerprint
        value   BLOB NOT NULL,      -- little-endian f32
        crc     INTEGER NOT NULL,   -- CRC-32 of key, model and value
        created INTEGER NOT NULL    -- Unix seconds
    );
";

/// The tables that can be purged and are counted, by their public names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    Embeddings,
}

impl Table {
    pub const ALL: [Self; 1] = [Self::Embeddings];

    pub fn name(self) -> &'static str {
        match self {
            Self::Embeddings => "embeddings",
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

/// One row of `rag cache stats`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableStats {
    pub table: Table,
    pub count: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
    /// Unix seconds of the oldest and newest row.
    pub oldest: Option<i64>,
    pub newest: Option<i64>,
}

/// What a purge did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purged {
    pub table: Table,
    pub count: u64,
    pub bytes: u64,
}

/// Counters of one process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub hits: u64,
    pub misses: u64,
    /// Rows whose checksum, size or numbers were wrong; each is also a miss.
    pub damaged: u64,
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
}

struct Inner {
    path: PathBuf,
    connection: Option<Connection>,
    writable: bool,
    counters: Counters,
}

impl Cache {
    /// Opens the cache in `dir`, making it when it is not there and can be made.
    pub fn open(dir: &Path) -> Self {
        let path = dir.join(FILE);
        let (connection, writable) = connect(dir, &path, true);
        Self { inner: Mutex::new(Inner { path, connection, writable, counters: Counters::default() }) }
    }

    /// A cache that knows nothing and keeps nothing.
    pub fn disabled() -> Self {
        let inner = Inner { path: PathBuf::new(), connection: None, writable: false, counters: Counters::default() };
        Self { inner: Mutex::new(inner) }
    }

    /// Look-ups so far in this process.
    pub fn counters(&self) -> Counters {
        self.lock().counters
    }

    /// True when rows can be kept.
    pub fn is_writable(&self) -> bool {
        self.lock().writable
    }

    /// Size and age of each table.
    ///
    /// # Errors
    /// [`Kind::Damaged`](crate::error::Kind::Damaged) when SQLite cannot read the file.
    pub fn stats(&self) -> Result<Vec<TableStats>> {
        let inner = self.lock();
        let Some(connection) = &inner.connection else {
            let none = |table| TableStats { table, count: 0, bytes: 0, oldest: None, newest: None };
            return Ok(Table::ALL.map(none).to_vec());
        };
        let stats = |table: Table| {
            let sql = format!(
                "SELECT count(*), coalesce(sum(length(key) + length(value)), 0), min(created), max(created) FROM {}",
                table.name()
            );
            connection.query_row(&sql, [], |row| {
                Ok(TableStats {
                    table,
                    count: row.get::<_, i64>(0)?.unsigned_abs(),
                    bytes: row.get::<_, i64>(1)?.unsigned_abs(),
                    oldest: row.get(2)?,
                    newest: row.get(3)?,
                })
            })
        };
        Table::ALL.into_iter().map(stats).collect::<rusqlite::Result<_>>().map_err(|e| read_fault(&inner.path, e))
    }

    /// Empties tables and gives their space back to the file system.
    pub fn purge(&self, tables: &[Table]) -> Result<Vec<Purged>> {
        let before = self.stats()?;
        let inner = self.lock();
        let chosen = before.into_iter().filter(|stats| tables.contains(&stats.table));
        let purged: Vec<Purged> = chosen.map(|s| Purged { table: s.table, count: s.count, bytes: s.bytes }).collect();
        let Some(connection) = &inner.connection else { return Ok(purged) };
        if !inner.writable {
            return Err(Fault::failed(format!("{} cannot be written to", inner.path.display())));
        }
        let script: String = tables.iter().map(|table| format!("DELETE FROM {};", table.name())).collect();
        connection
            .execute_batch(&format!("BEGIN IMMEDIATE; {script} COMMIT; VACUUM; PRAGMA wal_checkpoint(TRUNCATE);"))
            .map_err(|e| read_fault(&inner.path, e))?;
        Ok(purged)
    }

    /// Faults found by reading every row and SQLite's own check; empty when all is well. Changes nothing.
    pub fn verify(&self) -> Result<Vec<String>> {
        let inner = self.lock();
        let Some(connection) = &inner.connection else { return Ok(Vec::new()) };
        let own = embeddings::verify(connection);
        let check = connection.pragma_query_value(None, "quick_check", |row| row.get::<_, String>(0));
        Ok(match (own, check) {
            (Ok(0), Ok(word)) if word == "ok" => Vec::new(),
            (Ok(0), Ok(word)) => vec![word],
            (Ok(bad), _) => vec![format!("{bad} rows fail their checksum; they are misses and will be replaced")],
            (Err(e), _) => vec![e.to_string()],
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while holding the lock leaves at worst a counter behind.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Sets a damaged file aside and begins anew, once per damage.
    fn rebuild(&mut self) {
        self.connection = None;
        let dir = self.path.parent().unwrap_or(Path::new(".")).to_owned();
        set_aside(&self.path);
        (self.connection, self.writable) = connect(&dir, &self.path, false);
    }
}

fn connect(dir: &Path, path: &Path, may_rebuild: bool) -> (Option<Connection>, bool) {
    if !dir.is_dir() && disk::create_dir(dir).is_err() {
        return (None, false);
    }
    match sqlite::open(path, SCHEMA, VERSION) {
        Ok(Opened::Writable(connection)) => (Some(connection), true),
        Ok(Opened::ReadOnly(connection)) => (Some(connection), false),
        Ok(Opened::Damaged) if may_rebuild => {
            set_aside(path);
            connect(dir, path, false)
        }
        Ok(Opened::Absent | Opened::Newer | Opened::Damaged) | Err(_) => (None, false),
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
        Err(e) if sqlite::is_damage(&e) => Fault::damaged(format!("{} is damaged", path.display()))
            .because(e)
            .hint("the next ingest replaces it; nothing but time is lost"),
        other => other.or_failed(what).err().unwrap_or_else(|| Fault::failed(what())),
    }
}
