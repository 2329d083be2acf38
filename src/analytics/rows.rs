//! The file: an SQLite table with one record a row, each with a checksum.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, TransactionBehavior, params};

use super::Record;
use crate::error::{Fault, Result};
use crate::sqlite::{self, Opened};
use crate::telemetry;

/// File name. The schema version is in the file.
pub(super) const FILE: &str = "analytics.db";

/// Schema migrations. A file of a newer version is not touched.
const STEPS: &[&str] = &["CREATE TABLE records (
        id   INTEGER PRIMARY KEY,
        at   INTEGER NOT NULL,      -- Unix seconds
        body TEXT NOT NULL,         -- the record as JSON
        crc  INTEGER NOT NULL       -- CRC-32 of both
    );
    CREATE INDEX records_at ON records (at);"];

/// The open file.
pub(super) struct File {
    path: PathBuf,
    connection: Connection,
}

impl File {
    /// Opens it for writing. A damaged file is renamed: only statistics are lost.
    pub(super) fn open(path: &Path) -> Result<Self> {
        for is_second in [false, true] {
            match sqlite::open(path, STEPS).map_err(|e| fault(path, e))? {
                Opened::Writable(connection) => {
                    // Deleted records must not be recoverable.
                    connection
                        .pragma_update(None, "secure_delete", "ON")
                        .map_err(|e| fault(path, e))?;
                    return Ok(Self { path: path.to_owned(), connection });
                }
                Opened::Damaged if !is_second => set_aside(path),
                Opened::Damaged => break,
                Opened::Newer => return Err(newer(path)),
                Opened::ReadOnly(_) | Opened::Absent => break,
            }
        }
        Err(Fault::failed(format!("{} cannot be written to", path.display())))
    }

    pub(super) fn add(&mut self, records: &[(i64, Record)]) -> Result<()> {
        let added = self.try_add(records);
        if let Err(e) = &added
            && sqlite::is_damage(e)
        {
            set_aside(&self.path);
        }
        added.map_err(|e| fault(&self.path, e))
    }

    fn try_add(&mut self, records: &[(i64, Record)]) -> rusqlite::Result<()> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut insert = transaction
                .prepare_cached("INSERT INTO records (at, body, crc) VALUES (?1, ?2, ?3)")?;
            for (at, record) in records {
                let body = body(record)?;
                insert.execute(params![at, body, checksum(*at, &body)])?;
            }
        }
        transaction.commit()
    }

    pub(super) fn drop_before(&mut self, at_s: i64) -> Result<()> {
        let dropped = self.connection.execute("DELETE FROM records WHERE at < ?1", [at_s]);
        dropped.map(drop).map_err(|e| fault(&self.path, e))
    }

    /// Removes every record and shrinks the file.
    pub(super) fn clear(&mut self) -> Result<u64> {
        let removed = self.connection.execute("DELETE FROM records", []).and_then(|n| {
            self.connection.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);")?;
            Ok(n as u64)
        });
        removed.map_err(|e| fault(&self.path, e))
    }

    /// Removes names of documents from records, and returns how many records had one.
    pub(super) fn forget(&mut self, is_gone: &dyn Fn(&str, &str) -> bool) -> Result<u64> {
        self.try_forget(is_gone).map_err(|e| fault(&self.path, e))
    }

    fn try_forget(&mut self, is_gone: &dyn Fn(&str, &str) -> bool) -> rusqlite::Result<u64> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut changed = Vec::new();
        for_each(&transaction, i64::MIN, &mut |id, at, record| {
            let Some(mut record) = record else { return };
            let documents = match &mut record {
                Record::Question(question) => &mut question.documents,
                Record::Feedback(feedback) => &mut feedback.documents,
                Record::Error { .. } | Record::System { .. } => return,
            };
            let before = documents.len();
            documents.retain(|(root, path)| !is_gone(root, path));
            if documents.len() < before {
                changed.push((id, at, record));
            }
        })?;
        for (id, at, record) in &changed {
            let body = body(record)?;
            let sql = "UPDATE records SET body = ?2, crc = ?3 WHERE id = ?1";
            transaction.execute(sql, params![id, body, checksum(*at, &body)])?;
        }
        transaction.commit()?;
        Ok(changed.len() as u64)
    }
}

/// Calls `visit` with every record since `since_s`, oldest first; a damaged one is `None`. Returns
/// false when there is no file. Writes nothing.
///
/// # Errors
/// [`Kind::Damaged`](crate::error::Kind::Damaged) for a file that is not a database.
pub(super) fn read(
    dir: &Path,
    since_s: i64,
    visit: &mut dyn FnMut(i64, Option<Record>),
) -> Result<bool> {
    let path = dir.join(FILE);
    if !path.is_file() {
        return Ok(false);
    }
    let connection = match sqlite::open(&path, STEPS).map_err(|e| fault(&path, e))? {
        Opened::Writable(connection) | Opened::ReadOnly(connection) => connection,
        Opened::Absent => return Ok(false),
        Opened::Damaged => return Err(damaged(&path)),
        Opened::Newer => return Err(newer(&path)),
    };
    for_each(&connection, since_s, &mut |_, at, record| visit(at, record))
        .map_err(|e| fault(&path, e))?;
    Ok(true)
}

fn for_each(
    connection: &Connection,
    since_s: i64,
    visit: &mut dyn FnMut(i64, i64, Option<Record>),
) -> rusqlite::Result<()> {
    let mut statement = connection
        .prepare("SELECT id, at, body, crc FROM records WHERE at >= ?1 ORDER BY at, id")?;
    let mut rows = statement.query([since_s])?;
    while let Some(row) = rows.next()? {
        // A damaged row may have any type in any column.
        let integer = |column: usize| row.get_ref(column).ok()?.as_i64().ok();
        let at = integer(1).unwrap_or_default();
        let record = (|| {
            let body = row.get_ref(2).ok()?.as_str().ok()?;
            (integer(3)? == checksum(at, body)).then(|| serde_json::from_str(body).ok()).flatten()
        })();
        visit(integer(0).unwrap_or_default(), at, record);
    }
    Ok(())
}

fn body(record: &Record) -> rusqlite::Result<String> {
    serde_json::to_string(record).map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))
}

fn checksum(at: i64, body: &str) -> i64 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&at.to_le_bytes());
    hasher.update(body.as_bytes());
    hasher.finalize().into()
}

fn set_aside(path: &Path) {
    telemetry::warn!("the analytics file is damaged: renamed, and replaced with a new one");
    let _ = std::fs::rename(path, path.with_extension("db.damaged"));
    for suffix in ["db-wal", "db-shm"] {
        let _ = std::fs::remove_file(path.with_extension(suffix));
    }
}

fn fault(path: &Path, error: rusqlite::Error) -> Fault {
    match sqlite::is_damage(&error) {
        true => damaged(path).because(error),
        false => Fault::failed(format!("cannot use {}", path.display())).because(error),
    }
}

fn damaged(path: &Path) -> Fault {
    Fault::damaged(format!("{} is damaged", path.display()))
        .hint("remove it: only statistics are lost")
}

fn newer(path: &Path) -> Fault {
    Fault::failed(format!("{} was written by a newer version of rag", path.display()))
        .hint("use that version, or another `--data-dir`")
}
