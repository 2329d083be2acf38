//! SQL over the rows of any table: look-up, storing, eviction, statistics, checksums.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use super::table::{Counters, Key, Table, TableStats};
use crate::config::{Layer, Layers};

/// After an eviction a table uses this share of its budget, so that the next row does not evict
/// again.
const LEFT_AFTER_EVICTION: f64 = 0.9;

/// A value to store.
#[derive(Clone)]
pub(super) struct Row {
    /// The model or the corpus that the value belongs to.
    pub scope: String,
    pub value: Vec<u8>,
    /// Unix seconds.
    pub created: i64,
}

pub(super) type Rows = HashMap<(Table, Key), Row>;

/// What one transaction writes.
#[derive(Clone)]
pub(super) struct Batch {
    pub rows: Arc<Rows>,
    /// Rows that were read, and when.
    pub used: HashMap<(Table, Key), i64>,
    pub deltas: Vec<(Table, Counters)>,
    pub layers: Layers,
    pub now_s: Option<i64>,
    /// Which file the batch belongs to: how often the file had been recreated.
    pub generation: u64,
}

/// The row that a look-up asks for.
#[derive(Clone, Copy)]
pub(super) struct Lookup<'a> {
    pub table: Table,
    pub key: &'a Key,
    /// The model or the corpus that the row must belong to.
    pub scope: &'a str,
    /// Unix seconds.
    pub now_s: i64,
}

/// What a look-up or the reader of a value found.
pub(super) enum Reading<T> {
    Good(T),
    /// Absent, expired, or correctly stored but no longer what would be computed.
    Miss,
    /// Wrong checksum, scope, type or content.
    Bad,
}

impl<T> Reading<T> {
    /// A parsed value, or a bad one.
    pub fn of(value: Option<T>) -> Self {
        value.map_or(Self::Bad, Self::Good)
    }

    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Reading<U> {
        match self {
            Self::Good(value) => Reading::Good(change(value)),
            Self::Miss => Reading::Miss,
            Self::Bad => Reading::Bad,
        }
    }
}

/// The value of a row, as `read` parses it, and the time of its last use.
pub(super) fn find<T>(
    connection: &Connection,
    lookup: Lookup<'_>,
    limits: Layer,
    read: impl FnOnce(&[u8]) -> Reading<T>,
) -> rusqlite::Result<Reading<(T, i64)>> {
    let name = lookup.table.name();
    let sql = format!("SELECT scope, value, crc, created, used FROM {name} WHERE key = ?1");
    let found = connection.prepare_cached(&sql)?.query_row([lookup.key.0], |row| {
        let Some((value, created, used)) = checked(row, lookup) else { return Ok(Reading::Bad) };
        if is_expired(limits, created, lookup.now_s) {
            return Ok(Reading::Miss);
        }
        Ok(read(value).map(|value| (value, used)))
    });
    Ok(found.optional()?.unwrap_or(Reading::Miss))
}

/// Value, creation and last use of a row with the right scope and checksum. A damaged row may hold
/// any type in any column.
fn checked<'r>(row: &'r rusqlite::Row<'_>, lookup: Lookup<'_>) -> Option<(&'r [u8], i64, i64)> {
    let number = |column| row.get_ref(column).ok()?.as_i64().ok();
    let scope = row.get_ref(0).ok()?.as_str().ok()?;
    let value = row.get_ref(1).ok()?.as_blob().ok()?;
    let is_good = scope == lookup.scope
        && number(2)? == i64::from(checksum(&lookup.key.0, lookup.scope, value));
    is_good.then_some((value, number(3)?, number(4)?))
}

pub(super) fn write(connection: &mut Connection, batch: &Batch) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for table in Table::ALL {
        touch(&transaction, table, batch)?;
        let added = insert(&transaction, table, batch)?;
        if added != 0 {
            add_bytes(&transaction, table, added)?;
            make_room(&transaction, table, table.limits(&batch.layers), batch.now_s)?;
        }
    }
    for (table, delta) in &batch.deltas {
        transaction.execute(
            "UPDATE counters SET hits = hits + ?2, misses = misses + ?3, damaged = damaged + ?4 \
             WHERE name = ?1",
            params![table.name(), delta.hits as i64, delta.misses as i64, delta.damaged as i64],
        )?;
    }
    transaction.commit()
}

/// Writes the times of use.
fn touch(transaction: &Transaction<'_>, table: Table, batch: &Batch) -> rusqlite::Result<()> {
    let sql = format!("UPDATE {} SET used = ?2 WHERE key = ?1", table.name());
    let mut update = transaction.prepare_cached(&sql)?;
    for ((_, key), at) in batch.used.iter().filter(|((other, _), _)| *other == table) {
        update.execute(params![key.0, at])?;
    }
    Ok(())
}

/// Writes the rows of a table; returns by how many bytes it grew.
fn insert(transaction: &Transaction<'_>, table: Table, batch: &Batch) -> rusqlite::Result<i64> {
    let name = table.name();
    let mut length = transaction.prepare_cached(&format!(
        "SELECT length(key) + length(value) FROM {name} WHERE key = ?1"
    ))?;
    let mut insert = transaction.prepare_cached(&format!(
        "INSERT OR REPLACE INTO {name} (key, scope, value, crc, created, used) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?5)"
    ))?;
    let mut added = 0;
    for ((_, key), row) in batch.rows.iter().filter(|((other, _), _)| *other == table) {
        let replaced: Option<i64> = length.query_row([key.0], |row| row.get(0)).optional()?;
        let crc = i64::from(checksum(&key.0, &row.scope, &row.value));
        insert.execute(params![key.0, row.scope, row.value, crc, row.created])?;
        added += (key.0.len() + row.value.len()) as i64 - replaced.unwrap_or(0);
    }
    Ok(added)
}

/// Adds to the counted size of a table.
fn add_bytes(connection: &Connection, table: Table, bytes: i64) -> rusqlite::Result<()> {
    let sql = "UPDATE counters SET bytes = bytes + ?2 WHERE name = ?1";
    connection.execute(sql, params![table.name(), bytes]).map(drop)
}

/// Removes expired rows; then, above the budget, the least recently used ones.
fn make_room(
    transaction: &Transaction<'_>,
    table: Table,
    limits: Layer,
    now_s: Option<i64>,
) -> rusqlite::Result<()> {
    let name = table.name();
    if let (Some(now_s), true) = (now_s, limits.ttl_s > 0) {
        // A row whose last use has expired was created before that. Other expired rows are replaced
        // at their next look-up.
        remove_while(transaction, table, |_, used| is_expired(limits, used, now_s))?;
    }
    let counted = "SELECT bytes FROM counters WHERE name = ?1";
    let bytes: i64 = transaction.query_row(counted, [name], |row| row.get(0))?;
    if bytes.unsigned_abs() <= limits.budget_bytes {
        return Ok(());
    }
    // The counted size is a running sum and may have drifted where rows were damaged.
    let exact = format!("SELECT coalesce(sum(length(key) + length(value)), 0) FROM {name}");
    let mut bytes: i64 = transaction.query_row(&exact, [], |row| row.get(0))?;
    transaction.execute("UPDATE counters SET bytes = ?2 WHERE name = ?1", params![name, bytes])?;
    if bytes.unsigned_abs() > limits.budget_bytes {
        let target = (limits.budget_bytes as f64 * LEFT_AFTER_EVICTION) as i64;
        let evicted = remove_while(transaction, table, |length, _| {
            let is_above = bytes > target;
            bytes -= length;
            is_above
        })?;
        let count = "UPDATE counters SET evicted = evicted + ?2 WHERE name = ?1";
        transaction.execute(count, params![name, evicted])?;
    }
    Ok(())
}

/// Removes rows, least recently used first, while `is_removed(bytes, used)`; returns how many.
fn remove_while(
    transaction: &Transaction<'_>,
    table: Table,
    mut is_removed: impl FnMut(i64, i64) -> bool,
) -> rusqlite::Result<i64> {
    let name = table.name();
    let mut select = transaction.prepare_cached(&format!(
        "SELECT rowid, length(key) + length(value), used FROM {name} ORDER BY used, rowid"
    ))?;
    let mut rows = select.query([])?;
    let (mut ids, mut removed): (Vec<i64>, i64) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let length = row.get(1)?;
        if !is_removed(length, row.get(2)?) {
            break;
        }
        ids.push(row.get(0)?);
        removed += length;
    }
    drop(rows);
    let mut delete = transaction.prepare_cached(&format!("DELETE FROM {name} WHERE rowid = ?1"))?;
    for id in &ids {
        delete.execute([id])?;
    }
    if removed > 0 {
        add_bytes(transaction, table, -removed)?;
    }
    Ok(ids.len() as i64)
}

/// True once a row that was created or used at `since` is too old.
pub(super) fn is_expired(limits: Layer, since: i64, now_s: i64) -> bool {
    limits.ttl_s > 0 && now_s.saturating_sub(since) >= limits.ttl_s as i64
}

/// Size, age and counters of a table, which its limits complete.
pub(super) fn stats(
    connection: &Connection,
    table: Table,
    limits: Layer,
) -> rusqlite::Result<TableStats> {
    let name = table.name();
    let sql = format!(
        "SELECT count(*), coalesce(sum(length(key) + length(value)), 0), min(created), \
         max(created) FROM {name}"
    );
    let counters = counters(connection, name)?;
    connection.query_row(&sql, [], |row| {
        Ok(TableStats {
            table,
            count: unsigned(row, 0)?,
            bytes: unsigned(row, 1)?,
            budget_bytes: limits.budget_bytes,
            ttl_s: limits.ttl_s,
            oldest: row.get(2)?,
            newest: row.get(3)?,
            counters,
        })
    })
}

fn counters(connection: &Connection, name: &str) -> rusqlite::Result<Counters> {
    let sql = "SELECT hits, misses, damaged, evicted FROM counters WHERE name = ?1";
    let found = connection.query_row(sql, [name], |row| {
        Ok(Counters {
            hits: unsigned(row, 0)?,
            misses: unsigned(row, 1)?,
            damaged: unsigned(row, 2)?,
            evicted: unsigned(row, 3)?,
        })
    });
    Ok(found.optional()?.unwrap_or_default())
}

fn unsigned(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::unsigned_abs)
}

/// Number of rows that fail their checksum.
pub(super) fn verify(connection: &Connection, table: Table) -> rusqlite::Result<u64> {
    let mut statement =
        connection.prepare(&format!("SELECT key, scope, value, crc FROM {}", table.name()))?;
    let mut rows = statement.query([])?;
    let mut bad = 0;
    while let Some(row) = rows.next()? {
        bad += u64::from(has_checksum(row) != Some(true));
    }
    Ok(bad)
}

fn has_checksum(row: &rusqlite::Row<'_>) -> Option<bool> {
    let key = row.get_ref(0).ok()?.as_blob().ok()?;
    let scope = row.get_ref(1).ok()?.as_str().ok()?;
    let value = row.get_ref(2).ok()?.as_blob().ok()?;
    Some(row.get_ref(3).ok()?.as_i64().ok()? == i64::from(checksum(key, scope, value)))
}

fn checksum(key: &[u8], scope: &str, value: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for part in [key, scope.as_bytes(), value] {
        hasher.update(part);
    }
    hasher.finalize()
}
