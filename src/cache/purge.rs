//! Emptying tables a little at a time: each step is a short transaction, and between two of them
//! others write.

use std::time::Duration;

use rusqlite::{Connection, params};

use super::{Purged, Table};

/// Rows that one transaction removes.
const ROWS: i64 = 500;
/// Pages that one transaction gives back.
const PAGES: i64 = 500;
/// Between two transactions. A writer that waits looks for its turn every few milliseconds.
const BREATH: Duration = Duration::from_millis(2);

/// Removes the rows that a table has now.
pub(super) fn empty(connection: &Connection, table: Table) -> rusqlite::Result<Purged> {
    let name = table.name();
    let mut purged = Purged { table, count: 0, bytes: 0 };
    // Rows that are added meanwhile come behind it.
    let last: Option<i64> =
        connection.query_row(&format!("SELECT max(rowid) FROM {name}"), [], |row| row.get(0))?;
    let Some(last) = last else { return Ok(purged) };
    let first = format!("SELECT rowid FROM {name} WHERE rowid <= ?1 ORDER BY rowid LIMIT {ROWS}");
    let sizes = format!(
        "SELECT count(*), coalesce(sum(length(key) + length(value)), 0) FROM {name} WHERE rowid IN \
         ({first})"
    );
    let delete = format!("DELETE FROM {name} WHERE rowid IN ({first})");
    loop {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let step = || -> rusqlite::Result<(i64, i64)> {
            let (count, bytes): (i64, i64) =
                connection.query_row(&sizes, [last], |row| Ok((row.get(0)?, row.get(1)?)))?;
            connection.execute(&delete, [last])?;
            let less = "UPDATE counters SET bytes = max(bytes - ?2, 0) WHERE name = ?1";
            connection.execute(less, params![name, bytes])?;
            connection.execute_batch("COMMIT")?;
            Ok((count, bytes))
        };
        let (count, bytes) = step().inspect_err(|_| {
            let _ = connection.execute_batch("ROLLBACK");
        })?;
        purged.count += count.unsigned_abs();
        purged.bytes += bytes.unsigned_abs();
        if count < ROWS {
            return Ok(purged);
        }
        std::thread::sleep(BREATH);
    }
}

/// Gives free pages back to the file system.
pub(super) fn give_back(connection: &Connection) -> rusqlite::Result<()> {
    let number =
        |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    const INCREMENTAL: i64 = 2;
    if number("auto_vacuum")? == INCREMENTAL {
        let mut free = number("freelist_count")?;
        while free > 0 {
            {
                // Each row is a page that was given back.
                let mut statement =
                    connection.prepare(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
                let mut rows = statement.query([])?;
                while rows.next()?.is_some() {}
            }
            let left = number("freelist_count")?;
            if left >= free {
                break;
            }
            free = left;
            std::thread::sleep(BREATH);
        }
    } else {
        // A file of an older version: its free pages may hold text of rows that were removed
        // without being overwritten.
        connection.execute_batch("PRAGMA auto_vacuum = INCREMENTAL; VACUUM;")?;
    }
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
}
