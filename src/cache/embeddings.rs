//! Vectors by text. The key is content-addressed, so a row cannot go stale; it can only be damaged.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::Cache;
use crate::disk::Blake;
use crate::sqlite;
use crate::vector::Vector;

/// BLAKE2b-256 of model fingerprint, role and text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key([u8; 32]);

impl Key {
    pub fn new(model: &str, role: &str, text: &str) -> Self {
        let hash = Blake::new(32).field(b"embedding v1").field(model.as_bytes());
        Self(hash.field(role.as_bytes()).field(text.as_bytes()).finish())
    }
}

impl Cache {
    /// The vector kept under `key`; counts a hit or a miss. A bad row is a miss.
    pub fn embedding(&self, key: &Key, model: &str, dimension: usize) -> Option<Vector> {
        let mut inner = self.lock();
        let found = match &inner.connection {
            Some(connection) => read(connection, key, model, dimension),
            None => Ok(None),
        };
        match found {
            Ok(Some(Some(vector))) => {
                inner.counters.hits += 1;
                return Some(vector);
            }
            Ok(Some(None)) => inner.counters.damaged += 1,
            Ok(None) => {}
            Err(e) => {
                inner.counters.damaged += 1;
                if sqlite::is_damage(&e) && inner.writable {
                    inner.rebuild();
                }
            }
        }
        inner.counters.misses += 1;
        None
    }

    /// Keeps vectors, replacing rows of the same keys. What cannot be kept is forgotten: a cache may lose rows.
    pub fn keep_embeddings(&self, model: &str, rows: &[(Key, Vector)], now_s: i64) {
        let mut inner = self.lock();
        if !inner.writable || rows.is_empty() {
            return;
        }
        let Some(connection) = &mut inner.connection else { return };
        let written = write(connection, model, rows, now_s);
        if written.is_err_and(|e| sqlite::is_damage(&e)) {
            inner.rebuild();
            if let Some(connection) = &mut inner.connection {
                let _ = write(connection, model, rows, now_s);
            }
        }
    }
}

/// `None`: no such row. `Some(None)`: a bad row.
#[expect(clippy::option_option, reason = "two kinds of nothing, told apart in one place")]
fn read(connection: &Connection, key: &Key, model: &str, dimension: usize) -> rusqlite::Result<Option<Option<Vector>>> {
    let mut statement = connection.prepare_cached("SELECT model, value, crc FROM embeddings WHERE key = ?1")?;
    let row = statement
        .query_row([key.0], |row| {
            let model_cell = row.get_ref(0)?;
            let value = row.get_ref(1)?;
            let crc = row.get_ref(2)?;
            // A damaged row may hold any type in any column.
            let same_model = model_cell.as_str().is_ok_and(|m| m == model);
            let Ok(bytes) = value.as_blob() else { return Ok(None) };
            let same_sum = crc.as_i64().is_ok_and(|c| c == i64::from(checksum(key, model, bytes)));
            Ok((same_model && same_sum).then(|| Vector::from_bytes(bytes, dimension)).flatten())
        })
        .optional()?;
    Ok(row)
}

fn write(connection: &mut Connection, model: &str, rows: &[(Key, Vector)], now_s: i64) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    {
        let mut statement = transaction.prepare_cached(
            "INSERT OR REPLACE INTO embeddings (key, model, value, crc, created) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        for (key, vector) in rows {
            let bytes = vector.to_bytes();
            let crc = i64::from(checksum(key, model, &bytes));
            statement.execute(params![key.0, model, bytes, crc, now_s])?;
        }
    }
    transaction.commit()
}

/// Number of rows that fail their checksum.
pub(super) fn verify(connection: &Connection) -> rusqlite::Result<u64> {
    let mut statement = connection.prepare("SELECT key, model, value, crc FROM embeddings")?;
    let mut rows = statement.query([])?;
    let mut bad = 0;
    while let Some(row) = rows.next()? {
        let good = (|| {
            let key = Key(row.get_ref(0).ok()?.as_blob().ok()?.try_into().ok()?);
            let crc = row.get_ref(3).ok()?.as_i64().ok()?;
            let model = row.get_ref(1).ok()?.as_str().ok()?;
            Some(crc == i64::from(checksum(&key, model, row.get_ref(2).ok()?.as_blob().ok()?)))
        })();
        bad += u64::from(good != Some(true));
    }
    Ok(bad)
}

fn checksum(key: &Key, model: &str, value: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for part in [&key.0, model.as_bytes(), value] {
        hasher.update(part);
    }
    hasher.finalize()
}
