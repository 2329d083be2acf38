//! Emptying tables in short transactions, between which other processes write.

use std::time::Duration;

use rusqlite::{Connection, Transaction, params};

use super::table::{Purged, Table};

/// Rows that one transaction removes.
const ROWS: i64 = 500;
/// Pages that one transaction returns to the file system.
const PAGES: i64 = 500;
/// Pause between two transactions. A writer that waits tries again every few milliseconds.
const PAUSE: Duration = Duration::from_millis(2);
/// The value of `PRAGMA auto_vacuum` in files that can shrink a few pages at a time.
const INCREMENTAL: i64 = 2;

/// Removes the rows that a table has now.
pub(super) fn empty(connection: &Connection, table: Table) -> rusqlite::Result<Purged> {
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
