//! Emptying tables in short transactions, between which other processes write.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::selection::Selection;
use super::table::{Purged, Table};

/// Rows that one transaction removes.
const ROWS: i64 = 500;
/// Pages that one transaction returns to the file system.
const PAGES: i64 = 500;
/// Pause between two transactions. A writer that waits tries again every few milliseconds.
const PAUSE: Duration = Duration::from_millis(2);
/// The value of `PRAGMA auto_vacuum` in files that can shrink a few pages at a time.
const INCREMENTAL: i64 = 2;

/// Removes the rows that a table has now, or the selected ones of them.
pub(super) fn remove(
    connection: &Connection,
    table: Table,
    selection: Option<&Selection>,
) -> rusqlite::Result<Purged> {
    match selection {
        None => empty(connection, table),
        Some(selection) => remove_selected(connection, table, selection),
    }
}

fn empty(connection: &Connection, table: Table) -> rusqlite::Result<Purged> {
    let mut purged = Purged { table, count: 0, bytes: 0, shared: None };
    // Rows that are added meanwhile have larger ids.
    let sql = format!("SELECT max(rowid) FROM {}", table.name());
    let last: Option<i64> = connection.query_row(&sql, [], |row| row.get(0))?;
    let Some(last) = last else { return Ok(purged) };
    loop {
        let transaction =
            Transaction::new_unchecked(connection, rusqlite::TransactionBehavior::Immediate)?;
        let (count, bytes) = remove_first(&transaction, table.name(), last)?;
        transaction.commit()?;
        purged.count += count.unsigned_abs();
        purged.bytes += bytes.unsigned_abs();
        if count < ROWS {
            return Ok(purged);
        }
        std::thread::sleep(PAUSE);
    }
}

fn remove_selected(
    connection: &Connection,
    table: Table,
    selection: &Selection,
) -> rusqlite::Result<Purged> {
    let mut purged = Purged { table, count: 0, bytes: 0, shared: None };
    let mut after = i64::MIN;
    loop {
        let (read, selected) = select(connection, table, selection, after)?;
        let transaction =
            Transaction::new_unchecked(connection, rusqlite::TransactionBehavior::Immediate)?;
        for id in selected {
            let (count, bytes) = remove_row(&transaction, table.name(), id)?;
            purged.count += count;
            purged.bytes += bytes.unsigned_abs();
        }
        transaction.commit()?;
        match read {
            Some(last) => after = last,
            None => return Ok(purged),
        }
        std::thread::sleep(PAUSE);
    }
}

/// The selected ones of the next rows after an id; and the last id, unless there are no more.
fn select(
    connection: &Connection,
    table: Table,
    selection: &Selection,
    after: i64,
) -> rusqlite::Result<(Option<i64>, Vec<i64>)> {
    let name = table.name();
    let sql =
        format!("SELECT rowid, value FROM {name} WHERE rowid > ?1 ORDER BY rowid LIMIT {ROWS}");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([after])?;
    let (mut n, mut last, mut selected) = (0, after, Vec::new());
    while let Some(row) = rows.next()? {
        (n, last) = (n + 1, row.get(0)?);
        // A damaged row may hold any type.
        let value = row.get_ref(1)?.as_blob().unwrap_or_default();
        if selection.has(table, value) {
            selected.push(last);
        }
    }
    Ok(((n == ROWS).then_some(last), selected))
}

/// Removes a row that may be gone; returns how many rows, and their bytes.
fn remove_row(transaction: &Transaction<'_>, name: &str, id: i64) -> rusqlite::Result<(u64, i64)> {
    let sql = format!("DELETE FROM {name} WHERE rowid = ?1 RETURNING length(key) + length(value)");
    let bytes = transaction.prepare_cached(&sql)?.query_row([id], |row| row.get(0)).optional()?;
    let Some(bytes) = bytes else { return Ok((0, 0)) };
    let subtract = "UPDATE counters SET bytes = max(bytes - ?2, 0) WHERE name = ?1";
    transaction.prepare_cached(subtract)?.execute(params![name, bytes])?;
    Ok((1, bytes))
}

/// Removes the first rows up to the id `last`; returns how many, and their bytes.
fn remove_first(
    transaction: &Transaction<'_>,
    name: &str,
    last: i64,
) -> rusqlite::Result<(i64, i64)> {
    let first = format!("SELECT rowid FROM {name} WHERE rowid <= ?1 ORDER BY rowid LIMIT {ROWS}");
    let sizes = format!(
        "SELECT count(*), coalesce(sum(length(key) + length(value)), 0) FROM {name} \
         WHERE rowid IN ({first})"
    );
    let (count, bytes) =
        transaction.query_row(&sizes, [last], |row| Ok((row.get(0)?, row.get(1)?)))?;
    transaction.execute(&format!("DELETE FROM {name} WHERE rowid IN ({first})"), [last])?;
    let subtract = "UPDATE counters SET bytes = max(bytes - ?2, 0) WHERE name = ?1";
    transaction.execute(subtract, params![name, bytes])?;
    Ok((count, bytes))
}

/// Returns free pages to the file system.
pub(super) fn shrink(connection: &Connection) -> rusqlite::Result<()> {
    let number =
        |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    if number("auto_vacuum")? == INCREMENTAL {
        let mut free = number("freelist_count")?;
        while free > 0 {
            vacuum_pages(connection)?;
            let left = number("freelist_count")?;
            if left >= free {
                break;
            }
            free = left;
            std::thread::sleep(PAUSE);
        }
    } else {
        // A file of an older version: its free pages may hold text of rows that were removed
        // without being overwritten.
        connection.execute_batch("PRAGMA auto_vacuum = INCREMENTAL; VACUUM;")?;
    }
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
}

fn vacuum_pages(connection: &Connection) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
    let mut rows = statement.query([])?;
    // Each row is a page that was returned.
    while rows.next()?.is_some() {}
    Ok(())
}
