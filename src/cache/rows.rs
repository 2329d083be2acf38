//! Rows of any table: found, kept, counted, evicted.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use super::{
    Cache, Counters, Inner, Key, MAX_WAITING, MAX_WAITING_BATCHES, MAX_WAITING_BYTES, PAUSE, Table,
    TableStats,
};
use crate::config::{Layer, Layers};
use crate::sqlite;
use crate::telemetry;

/// How exactly the time of a row's last use is kept. Writing it down at every use would make every
/// look-up a write.
const USE_GRAIN_S: i64 = 60;

/// After an eviction a table is this share of its budget, so that the next row does not evict
/// again.
const LEFT_AFTER_EVICTION: f64 = 0.9;

/// A value that is to be kept.
#[derive(Clone)]
pub(super) struct Row {
    scope: String,
    value: Vec<u8>,
    created: i64,
}

pub(super) type Rows = HashMap<(Table, Key), Row>;

/// What is written in one transaction.
#[derive(Clone)]
pub(super) struct Batch {
    pub rows: Arc<Rows>,
    /// Rows that were used, and when.
    pub used: HashMap<(Table, Key), i64>,
    pub deltas: Vec<(Table, Counters)>,
    pub layers: Layers,
    pub now_s: Option<i64>,
    /// That of the file that it is meant for.
    pub generation: u64,
}

/// What a reader makes of a row's value.
pub(super) enum Reading<T> {
    Good(T),
    /// Rightly stored, but no longer what would be computed.
    Stale,
    Bad,
}

impl<T> Reading<T> {
    /// A value that could be read, or a bad one.
    pub fn of(value: Option<T>) -> Self {
        value.map_or(Self::Bad, Self::Good)
    }
}

/// What the file says of a key.
enum Lookup<T> {
    Nothing,
    /// Too old, or its reader says so.
    Stale,
    /// Wrong checksum, scope, type or content.
    Bad,
    Good {
        value: T,
        used: i64,
    },
}

impl<T> Lookup<T> {
    fn of(reading: Reading<T>, used: i64) -> Self {
        match reading {
            Reading::Good(value) => Self::Good { value, used },
            Reading::Stale => Self::Stale,
            Reading::Bad => Self::Bad,
        }
    }
}

impl Cache {
    /// The value kept under `key`, as `read` takes it; counts a hit or a miss. `scope` is what the
    /// row must be about, a model or a corpus. A row that is damaged, too old or stale is a miss.
    pub(super) fn find<T>(
        &self,
        table: Table,
        key: &Key,
        scope: &str,
        now_s: i64,
        read: impl FnOnce(&[u8]) -> Reading<T>,
    ) -> Option<T> {
        let mut inner = self.lock();
        let found = inner.find(table, key, scope, now_s, read);
        let counters = inner.counters.entry(table).or_default();
        match found {
            Ok(Lookup::Good { value, used }) => {
                counters.hits += 1;
                if now_s - used >= USE_GRAIN_S {
                    inner.used.insert((table, *key), now_s);
                }
                telemetry::cache_operation(table.name(), "hit");
                return Some(value);
            }
            Ok(Lookup::Nothing | Lookup::Stale) => {}
            Ok(Lookup::Bad) => {
                counters.damaged += 1;
                telemetry::cache_operation(table.name(), "damaged");
            }
            Err(e) => {
                counters.damaged += 1;
                telemetry::cache_operation(table.name(), "damaged");
                if sqlite::is_damage(&e) && inner.writable {
                    let generation = inner.generation;
                    inner.rebuild(generation);
                }
            }
        }
        inner.counters.entry(table).or_default().misses += 1;
        telemetry::cache_operation(table.name(), "miss");
        None
    }

    /// Whether [`Cache::find`] would find a value; counts nothing.
    pub(super) fn has(&self, table: Table, key: &Key, scope: &str, now_s: i64) -> bool {
        matches!(
            self.lock().find(table, key, scope, now_s, |_| Reading::Good(())),
            Ok(Lookup::Good { .. })
        )
    }

    /// Keeps a value, replacing the row of the same key.
    pub fn keep(&self, table: Table, key: Key, scope: &str, value: Vec<u8>, now_s: i64) {
        let mut inner = self.lock();
        let is_paused = inner.is_paused();
        if !inner.writable || is_paused && inner.has_gathered(MAX_WAITING_BATCHES) {
            return;
        }
        telemetry::cache_operation(table.name(), "kept");
        inner.waiting_bytes += value.len();
        inner.waiting.insert((table, key), Row { scope: scope.to_owned(), value, created: now_s });
        let (is_due, is_urgent) = (inner.has_gathered(1), inner.has_gathered(MAX_WAITING_BATCHES));
        drop(inner);
        match (is_due && !is_paused, is_urgent) {
            (false, _) => {}
            (true, false) => self.flush_if_free(now_s),
            (true, true) => self.flush(),
        }
    }
}

impl Inner {
    fn find<T>(
        &self,
        table: Table,
        key: &Key,
        scope: &str,
        now_s: i64,
        read: impl FnOnce(&[u8]) -> Reading<T>,
    ) -> rusqlite::Result<Lookup<T>> {
        let leaving = || self.leaving.as_ref()?.get(&(table, *key));
        if let Some(row) = self.waiting.get(&(table, *key)).or_else(leaving) {
            return Ok(if row.scope == scope {
                Lookup::of(read(&row.value), now_s)
            } else {
                Lookup::Bad
            });
        }
        let (Some(connection), Some(layers)) = (&self.connection, &self.layers) else {
            return Ok(Lookup::Nothing);
        };
        let sql =
            format!("SELECT scope, value, crc, created, used FROM {} WHERE key = ?1", table.name());
        let row = connection.prepare_cached(&sql)?.query_row([key.0], |row| {
            // A damaged row may hold any type in any column.
            let good = (|| {
                let value = row.get_ref(1).ok()?.as_blob().ok()?;
                let crc = row.get_ref(2).ok()?.as_i64().ok()?;
                let (created, used) =
                    (row.get_ref(3).ok()?.as_i64().ok()?, row.get_ref(4).ok()?.as_i64().ok()?);
                let is_ours = row.get_ref(0).ok()?.as_str().ok()? == scope;
                (is_ours && crc == i64::from(checksum(&key.0, scope, value)))
                    .then_some((value, created, used))
            })();
            let Some((value, created, used)) = good else { return Ok(Lookup::Bad) };
            if is_expired(table.limits(layers), created, now_s) {
                return Ok(Lookup::Stale);
            }
            Ok(Lookup::of(read(value), used))
        });
        Ok(row.optional()?.unwrap_or(Lookup::Nothing))
    }

    pub(super) fn is_paused(&self) -> bool {
        self.pause_until.is_some_and(|until| Instant::now() < until)
    }

    /// Whether rows of so many batches wait.
    fn has_gathered(&self, n: usize) -> bool {
        self.waiting.len() >= n * MAX_WAITING || self.waiting_bytes >= n * MAX_WAITING_BYTES
    }

    /// Takes rows, times of use and counters that are to be written; they are found here until
    /// [`Inner::arrived`].
    pub(super) fn depart(&mut self, now_s: Option<i64>) -> Option<Batch> {
        let now_s = now_s.or_else(|| self.waiting.values().map(|row| row.created).max());
        let deltas: Vec<(Table, Counters)> = Table::ALL
            .into_iter()
            .filter_map(|table| {
                let (now, told) = (
                    self.counters.get(&table)?,
                    self.told.get(&table).copied().unwrap_or_default(),
                );
                let delta = Counters {
                    hits: now.hits - told.hits,
                    misses: now.misses - told.misses,
                    damaged: now.damaged - told.damaged,
                    evicted: 0,
                };
                (delta != Counters::default()).then_some((table, delta))
            })
            .collect();
        let nothing = self.waiting.is_empty() && self.used.is_empty() && deltas.is_empty();
        let (true, false, Some(layers)) = (self.writable, nothing, self.layers) else {
            return None;
        };
        let rows = Arc::new(std::mem::take(&mut self.waiting));
        self.leaving = Some(Arc::clone(&rows));
        self.waiting_bytes = 0;
        self.told = self.counters.clone();
        let used = std::mem::take(&mut self.used);
        Some(Batch { rows, used, deltas, layers, now_s, generation: self.generation })
    }

    /// What became of a batch.
    pub(super) fn arrived(&mut self, batch: &Batch, written: &rusqlite::Result<()>) {
        self.leaving = None;
        match written {
            Ok(()) => self.pause_until = None,
            // Somebody holds the file for longer than is reasonable. It will be tried again.
            Err(e) if sqlite::is_busy(e) => {
                self.pause_until = Some(Instant::now() + PAUSE);
                for (key, row) in batch.rows.iter() {
                    self.waiting_bytes += row.value.len();
                    self.waiting.entry(*key).or_insert_with(|| row.clone());
                }
            }
            // The disk is full, or cannot be written to any more.
            Err(_) => self.writable = false,
        }
    }
}

pub(super) fn write(connection: &mut Connection, batch: &Batch) -> rusqlite::Result<()> {
    let Batch { rows, used, deltas, layers, now_s, .. } = batch;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for table in Table::ALL {
        let name = table.name();
        let mut touch =
            transaction.prepare_cached(&format!("UPDATE {name} SET used = ?2 WHERE key = ?1"))?;
        for ((_, key), at) in used.iter().filter(|((t, _), _)| *t == table) {
            touch.execute(params![key.0, at])?;
        }
        let mut added = 0;
        let mut length = transaction.prepare_cached(&format!(
            "SELECT length(key) + length(value) FROM {name} WHERE key = ?1"
        ))?;
        let mut insert = transaction.prepare_cached(&format!(
            "INSERT OR REPLACE INTO {name} (key, scope, value, crc, created, used) VALUES (?1, ?2, \
             ?3, ?4, ?5, ?5)"
        ))?;
        for ((_, key), row) in rows.iter().filter(|((t, _), _)| *t == table) {
            let before: Option<i64> = length.query_row([key.0], |row| row.get(0)).optional()?;
            let crc = i64::from(checksum(&key.0, &row.scope, &row.value));
            insert.execute(params![key.0, row.scope, row.value, crc, row.created])?;
            added += (key.0.len() + row.value.len()) as i64 - before.unwrap_or(0);
        }
        if added != 0 {
            transaction.execute(
                "UPDATE counters SET bytes = bytes + ?2 WHERE name = ?1",
                params![name, added],
            )?;
            make_room(&transaction, table, table.limits(layers), *now_s)?;
        }
    }
    for (table, delta) in deltas {
        transaction.execute(
            "UPDATE counters SET hits = hits + ?2, misses = misses + ?3, damaged = damaged + ?4 \
             WHERE name = ?1",
            params![table.name(), delta.hits as i64, delta.misses as i64, delta.damaged as i64],
        )?;
    }
    transaction.commit()
}

/// Removes what is too old; then, above the budget, what was used longest ago.
fn make_room(
    transaction: &Transaction<'_>,
    table: Table,
    limits: Layer,
    now_s: Option<i64>,
) -> rusqlite::Result<()> {
    let name = table.name();
    if let (Some(now_s), true) = (now_s, limits.ttl_s > 0) {
        // A row that was last used before then was made before then. The others are replaced when
        // they are asked for.
        remove_while(transaction, name, |_, used| is_expired(limits, used, now_s))?;
    }
    let known = "SELECT bytes FROM counters WHERE name = ?1";
    let bytes: i64 = transaction.query_row(known, [name], |row| row.get(0))?;
    if bytes.unsigned_abs() <= limits.budget_bytes {
        return Ok(());
    }
    // The sum is kept by adding and may have drifted where rows were damaged.
    let exact = format!("SELECT coalesce(sum(length(key) + length(value)), 0) FROM {name}");
    let mut bytes: i64 = transaction.query_row(&exact, [], |row| row.get(0))?;
    transaction.execute("UPDATE counters SET bytes = ?2 WHERE name = ?1", params![name, bytes])?;
    if bytes.unsigned_abs() > limits.budget_bytes {
        let target = (limits.budget_bytes as f64 * LEFT_AFTER_EVICTION) as i64;
        let evicted = remove_while(transaction, name, |length, _| {
            let goes = bytes > target;
            bytes -= length;
            goes
        })?;
        let count = "UPDATE counters SET evicted = evicted + ?2 WHERE name = ?1";
        transaction.execute(count, params![name, evicted])?;
    }
    Ok(())
}

/// Removes rows, those used longest ago first, as long as `goes(bytes, used)` says so.
fn remove_while(
    transaction: &Transaction<'_>,
    name: &str,
    mut goes: impl FnMut(i64, i64) -> bool,
) -> rusqlite::Result<i64> {
    let (mut rows, mut removed) = (Vec::new(), 0);
    {
        let sql = format!(
            "SELECT rowid, length(key) + length(value), used FROM {name} ORDER BY used, rowid"
        );
        let mut statement = transaction.prepare_cached(&sql)?;
        let mut oldest = statement.query([])?;
        while let Some(row) = oldest.next()? {
            let (id, length, used): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            if !goes(length, used) {
                break;
            }
            rows.push(id);
            removed += length;
        }
    }
    let mut delete = transaction.prepare_cached(&format!("DELETE FROM {name} WHERE rowid = ?1"))?;
    for id in &rows {
        delete.execute([id])?;
    }
    if removed > 0 {
        transaction.execute(
            "UPDATE counters SET bytes = bytes - ?2 WHERE name = ?1",
            params![name, removed],
        )?;
    }
    Ok(rows.len() as i64)
}

fn is_expired(limits: Layer, since: i64, now_s: i64) -> bool {
    limits.ttl_s > 0 && now_s.saturating_sub(since) >= limits.ttl_s as i64
}

/// Fills in what the file says of a table.
pub(super) fn stats(connection: &Connection, stats: &TableStats) -> rusqlite::Result<TableStats> {
    let name = stats.table.name();
    let sql = format!(
        "SELECT count(*), coalesce(sum(length(key) + length(value)), 0), min(created), \
         max(created) FROM {name}"
    );
    let unsigned =
        |row: &rusqlite::Row<'_>, at: usize| row.get::<_, i64>(at).map(i64::unsigned_abs);
    let counters = connection
        .query_row(
            "SELECT hits, misses, damaged, evicted FROM counters WHERE name = ?1",
            [name],
            |row| {
                Ok(Counters {
                    hits: unsigned(row, 0)?,
                    misses: unsigned(row, 1)?,
                    damaged: unsigned(row, 2)?,
                    evicted: unsigned(row, 3)?,
                })
            },
        )
        .optional()?
        .unwrap_or_default();
    connection.query_row(&sql, [], |row| {
        Ok(TableStats {
            count: unsigned(row, 0)?,
            bytes: unsigned(row, 1)?,
            oldest: row.get(2)?,
            newest: row.get(3)?,
            counters,
            ..*stats
        })
    })
}

/// Number of rows that fail their checksum.
pub(super) fn verify(connection: &Connection, table: Table) -> rusqlite::Result<u64> {
    let mut statement =
        connection.prepare(&format!("SELECT key, scope, value, crc FROM {}", table.name()))?;
    let mut rows = statement.query([])?;
    let mut bad = 0;
    while let Some(row) = rows.next()? {
        let good = (|| {
            let key = row.get_ref(0).ok()?.as_blob().ok()?;
            let scope = row.get_ref(1).ok()?.as_str().ok()?;
            let value = row.get_ref(2).ok()?.as_blob().ok()?;
            Some(row.get_ref(3).ok()?.as_i64().ok()? == i64::from(checksum(key, scope, value)))
        })();
        bad += u64::from(good != Some(true));
    }
    Ok(bad)
}

fn checksum(key: &[u8], scope: &str, value: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for part in [key, scope.as_bytes(), value] {
        hasher.update(part);
    }
    hasher.finalize()
}
