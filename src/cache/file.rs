//! The SQLite file of the cache: its schema, connections to it, and faults about it.

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::disk;
use crate::error::{Fault, Result};
use crate::sqlite::{self, Opened};

/// File name; the schema version is inside.
pub(super) const FILE: &str = "cache.db";

/// From one version of the schema to the next. An older file is upgraded in place, a newer one is
/// not used.
pub(super) const STEPS: [&str; 2] = [
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
     CREATE TABLE retrieval (key BLOB PRIMARY KEY, scope TEXT NOT NULL, value BLOB NOT NULL,
        crc INTEGER NOT NULL, created INTEGER NOT NULL, used INTEGER NOT NULL);
     CREATE INDEX retrieval_used ON retrieval (used);
     CREATE TABLE rerank (key BLOB PRIMARY KEY, scope TEXT NOT NULL, value BLOB NOT NULL,
        crc INTEGER NOT NULL, created INTEGER NOT NULL, used INTEGER NOT NULL);
     CREATE INDEX rerank_used ON rerank (used);
     CREATE TABLE answers (key BLOB PRIMARY KEY, scope TEXT NOT NULL, value BLOB NOT NULL,
        crc INTEGER NOT NULL, created INTEGER NOT NULL, used INTEGER NOT NULL);
     CREATE INDEX answers_used ON answers (used);
     CREATE TABLE counters (name TEXT PRIMARY KEY, hits INTEGER NOT NULL, misses INTEGER NOT NULL,
        damaged INTEGER NOT NULL, evicted INTEGER NOT NULL, bytes INTEGER NOT NULL);
     INSERT INTO counters SELECT 'embeddings', 0, 0, 0, 0,
        coalesce(sum(length(key) + length(value)), 0) FROM embeddings;
     INSERT INTO counters VALUES ('retrieval', 0, 0, 0, 0, 0), ('rerank', 0, 0, 0, 0, 0),
        ('answers', 0, 0, 0, 0, 0);",
];

/// What to do with a file that SQLite cannot read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum IfDamaged {
    SetAside,
    GiveUp,
}

/// A connection that look-ups use, and whether it can write. The file is created when it is absent
/// and its folder is writable.
pub(super) fn connect(path: &Path, if_damaged: IfDamaged) -> (Option<Connection>, bool) {
    let dir = path.parent().unwrap_or(Path::new("."));
    if !dir.is_dir() && disk::create_dir(dir).is_err() {
        return (None, false);
    }
    match open(path) {
        Ok(Opened::Writable(connection)) => (Some(connection), true),
        Ok(Opened::ReadOnly(connection)) => (Some(connection), false),
        Ok(Opened::Damaged) if if_damaged == IfDamaged::SetAside => {
            set_aside(path);
            connect(path, IfDamaged::GiveUp)
        }
        Ok(Opened::Absent | Opened::Newer | Opened::Damaged) | Err(_) => (None, false),
    }
}

/// A second connection to an open file, for work that takes long; `None` when the file is gone.
pub(super) fn reconnect(path: &Path) -> Result<Option<Connection>> {
    match open(path).map_err(|e| fault(path, e))? {
        Opened::Writable(connection) | Opened::ReadOnly(connection) => Ok(Some(connection)),
        Opened::Damaged => Err(damaged(path)),
        Opened::Absent | Opened::Newer => Ok(None),
    }
}

pub(super) fn open(path: &Path) -> rusqlite::Result<Opened> {
    let opened = sqlite::open_shrinkable(path, &STEPS)?;
    if let Opened::Writable(connection) = &opened {
        // Closing keeps the write-ahead log. Where that cannot be set, closing is a little slower.
        let _ = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    }
    Ok(opened)
}

/// The write-ahead log beside the file.
pub(super) fn log_path(path: &Path) -> PathBuf {
    path.with_extension("db-wal")
}

/// Renames a damaged file, so that it can still be examined.
pub(super) fn set_aside(path: &Path) {
    let _ = std::fs::rename(path, path.with_extension("db.damaged"));
    let _ = std::fs::remove_file(log_path(path));
    let _ = std::fs::remove_file(path.with_extension("db-shm"));
}

pub(super) fn fault(path: &Path, error: rusqlite::Error) -> Fault {
    let fault = match () {
        () if sqlite::is_damage(&error) => damaged(path),
        () if sqlite::is_busy(&error) => {
            Fault::busy(format!("another process keeps {} locked", path.display()))
                .hint("try again when it is done")
        }
        () => Fault::failed(format!("cannot use {}", path.display())),
    };
    fault.because(error)
}

fn damaged(path: &Path) -> Fault {
    Fault::damaged(format!("{} is damaged", path.display()))
        .hint("the next ingest replaces it; only time is lost")
}
