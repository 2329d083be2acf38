//! Opening SQLite files: WAL, a bounded wait for other processes, and a schema version that is
//! checked.
//!
//! `rusqlite` is always the bundled one: a corruption bug of WAL mode is fixed only from SQLite
//! 3.51.3 on.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

/// How long a statement waits for another process's write before it gives up. Writes here take
/// milliseconds; a process that holds the file longer than this has stopped.
const BUSY_WAIT: Duration = Duration::from_secs(5);

/// The least that a page of a database has. SQLite takes a file that is smaller for one that is yet
/// to be made.
const SMALLEST_BYTES: u64 = 512;

/// What became of an attempt to open a file.
pub enum Opened {
    Writable(Connection),
    /// The file or its folder cannot be written to. Nothing is created beside it.
    ReadOnly(Connection),
    /// Absent and not creatable.
    Absent,
    /// Not a database, or damaged beyond opening.
    Damaged,
    /// Written by a newer version of this program.
    Newer,
}

/// Opens `path`. `steps` are the scripts that lead from one version of the schema to the next,
/// beginning with an empty file; their number is the version that is stamped.
///
/// # Errors
/// Whatever SQLite says that is none of [`Opened`].
pub fn open(path: &Path, steps: &[&str]) -> rusqlite::Result<Opened> {
    open_as(path, steps, false)
}

/// As [`open`]; a file that is made now can give space back a few pages at a time (`PRAGMA
/// incremental_vacuum`), and what is deleted is overwritten (`PRAGMA secure_delete`).
///
/// # Errors
/// As [`open`].
pub fn open_shrinkable(path: &Path, steps: &[&str]) -> rusqlite::Result<Opened> {
    open_as(path, steps, true)
}

fn open_as(path: &Path, steps: &[&str], shrinkable: bool) -> rusqlite::Result<Opened> {
    let version = steps.len() as i64;
    if path.metadata().is_ok_and(|file| (1..SMALLEST_BYTES).contains(&file.len())) {
        return Ok(Opened::Damaged);
    }
    match open_writable(path, steps, shrinkable) {
        Ok(opened) => Ok(opened),
        Err(e) if is_damage(&e) => Ok(Opened::Damaged),
        Err(e)
            if matches!(
                code(&e),
                Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied)
            ) =>
        {
            Ok(open_read_only(path, version).unwrap_or(Opened::Absent))
        }
        Err(e) => Err(e),
    }
}

fn open_writable(path: &Path, steps: &[&str], shrinkable: bool) -> rusqlite::Result<Opened> {
    make_private(path);
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_WAIT)?;
    let version = |connection: &Connection| {
        connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))
    };
    let newest = steps.len() as i64;
    let mut found = version(&connection)?;
    if found < newest {
        if found == 0 && shrinkable {
            // Counts only before the first page is written.
            connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        }
        connection.pragma_update(None, "journal_mode", "WAL")?;
        let upgrade = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have been quicker.
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
    if shrinkable {
        // Such a file is never rewritten as a whole, so that what is deleted has to be overwritten
        // at once.
        connection.pragma_update(None, "secure_delete", "ON")?;
    }
    // A commit then costs no fsync; a power cut may lose the last commits but never damages the
    // file.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(Opened::Writable(connection))
}

/// Makes an absent file readable to the user alone, where SQLite would make it readable to all;
/// `-wal` and `-shm` take over what they find. When it cannot be made, SQLite says why.
fn make_private(path: &Path) {
    let _ = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
}

/// `immutable` keeps SQLite from wanting `-wal` and `-shm` files, which it could not create here.
fn open_read_only(path: &Path, version: i64) -> Option<Opened> {
    let escaped: String = path.to_str()?.chars().fold(String::new(), |mut text, c| {
        match c {
            '%' | '?' | '#' => text.push_str(&format!("%{:02x}", c as u32)),
            c => text.push(c),
        }
        text
    });
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection =
        Connection::open_with_flags(format!("file:{escaped}?immutable=1"), flags).ok()?;
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).ok()?;
    Some(if found == version { Opened::ReadOnly(connection) } else { Opened::Newer })
}

/// True when another connection writes for longer than a statement waits.
pub fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(code(error), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// True when SQLite says that the file's bytes are wrong. All statements here are fixed, so that a
/// table or column that one does not find, which SQLite gives no number of its own, is a schema
/// that is not what was written.
pub fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(
        code(error),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown)
    )
}

fn code(error: &rusqlite::Error) -> Option<ErrorCode> {
    match error {
        // What is wrong in a statement has a place there, and so a variant of its own.
        rusqlite::Error::SqlInputError { error, .. } => Some(error.code),
        error => error.sqlite_error_code(),
    }
}
