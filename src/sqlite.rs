//! Opening SQLite files: WAL, a bounded wait for other processes, a checked schema version.
//!
//! `rusqlite` bundles SQLite, because a corruption bug of WAL mode is fixed only since 3.51.3.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

/// How long a statement waits for another process's write. Writes take milliseconds; a process that
/// locks the file for longer has stopped.
const BUSY_WAIT: Duration = Duration::from_secs(5);

/// Smallest page of a database. SQLite would treat a smaller file as empty.
const SMALLEST_BYTES: u64 = 512;

/// The result of opening a file.
pub enum Opened {
    Writable(Connection),
    /// The file or its folder is not writable. No file is created beside it.
    ReadOnly(Connection),
    /// Absent, and it cannot be created.
    Absent,
    /// Not a database, or damaged beyond opening.
    Damaged,
    /// Written by a newer version of the program.
    Newer,
}

/// Opens `path`. `steps` are the scripts from one version of the schema to the next, starting with
/// an empty file; their number is the version that the file gets.
///
/// # Errors
/// SQLite's errors other than the cases of [`Opened`].
pub fn open(path: &Path, steps: &[&str]) -> rusqlite::Result<Opened> {
    open_as(path, steps, Space::Kept)
}

/// As [`open`], for files that return space to the file system a few pages at a time (`PRAGMA
/// incremental_vacuum`) and overwrite deleted content (`PRAGMA secure_delete`).
///
/// # Errors
/// As [`open`].
pub fn open_shrinkable(path: &Path, steps: &[&str]) -> rusqlite::Result<Opened> {
    open_as(path, steps, Space::Returned)
}

/// What a file does with the space of deleted rows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Space {
    Kept,
    Returned,
}

fn open_as(path: &Path, steps: &[&str], space: Space) -> rusqlite::Result<Opened> {
    if path.metadata().is_ok_and(|file| (1..SMALLEST_BYTES).contains(&file.len())) {
        return Ok(Opened::Damaged);
    }
    match open_writable(path, steps, space) {
        Err(e) if is_damage(&e) => Ok(Opened::Damaged),
        Err(e) if is_unwritable(&e) => {
            Ok(open_read_only(path, steps.len() as i64).unwrap_or(Opened::Absent))
        }
        opened => opened,
    }
}

fn open_writable(path: &Path, steps: &[&str], space: Space) -> rusqlite::Result<Opened> {
    make_private(path);
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_WAIT)?;
    let newest = steps.len() as i64;
    let mut found = version(&connection)?;
    if found < newest {
        if found == 0 && space == Space::Returned {
            // Effective only before the first page is written.
            connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        }
        connection.pragma_update(None, "journal_mode", "WAL")?;
        let upgrade = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have upgraded it meanwhile.
        found = version(&upgrade)?;
        for (step, next) in steps.iter().zip(1i64..).skip(usize::try_from(found).unwrap_or(0)) {
            upgrade.execute_batch(step)?;
            upgrade.pragma_update(None, "user_version", next)?;
        }
        upgrade.commit()?;
    }
    if found > newest {
        return Ok(Opened::Newer);
    }
    if space == Space::Returned {
        // The file is never rewritten as a whole, so deleted content must be overwritten at once.
        connection.pragma_update(None, "secure_delete", "ON")?;
    }
    // Commits without fsync: a power cut may lose the last commits, but does not damage the file.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(Opened::Writable(connection))
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Creates a missing file readable by the user only; SQLite would make it readable by all. `-wal`
/// and `-shm` files inherit its mode. When it cannot be created, SQLite reports why.
fn make_private(path: &Path) {
    let _ = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
}

/// With `immutable`, SQLite needs no `-wal` and `-shm` files, which it could not create here.
fn open_read_only(path: &Path, newest: i64) -> Option<Opened> {
    let escaped = path.to_str()?.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection =
        Connection::open_with_flags(format!("file:{escaped}?immutable=1"), flags).ok()?;
    let found = version(&connection).ok()?;
    Some(if found == newest { Opened::ReadOnly(connection) } else { Opened::Newer })
}

/// True when another connection wrote for longer than a statement waits.
pub fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(code(error), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// True when SQLite reports a corrupt file. All statements are constant, so an unknown table or
/// column (for which SQLite has no specific code) means a damaged schema.
pub fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(
        code(error),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown)
    )
}

fn is_unwritable(error: &rusqlite::Error) -> bool {
    let codes = [ErrorCode::CannotOpen, ErrorCode::ReadOnly, ErrorCode::PermissionDenied];
    code(error).is_some_and(|code| codes.contains(&code))
}

fn code(error: &rusqlite::Error) -> Option<ErrorCode> {
    match error {
        // Errors with a position in the statement have a separate variant.
        rusqlite::Error::SqlInputError { error, .. } => Some(error.code),
        error => error.sqlite_error_code(),
    }
}
