//! The two tables. Every row carries a CRC-32 over its content, and a session its number of turns,
//! so that a changed, truncated or missing row is noticed.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::turn::{Summary, Turn};
use crate::error::Fault;

pub(super) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS sessions (
        id      TEXT PRIMARY KEY,
        created INTEGER NOT NULL,   -- Unix seconds
        used    INTEGER NOT NULL,   -- Unix seconds of the last turn
        turns   INTEGER NOT NULL,   -- how many
        crc     INTEGER NOT NULL
    );
    CREATE TABLE IF NOT EXISTS turns (
        rowid   INTEGER PRIMARY KEY AUTOINCREMENT,
        session TEXT NOT NULL,
        n       INTEGER NOT NULL,   -- from 1
        body    TEXT NOT NULL,      -- the turn as JSON
        crc     INTEGER NOT NULL,
        UNIQUE (session, n)
    );
";

/// Titles that users gave to sessions. A damaged one is as if there were none.
pub(super) const TITLES: &str = "
    CREATE TABLE IF NOT EXISTS titles (
        session TEXT PRIMARY KEY,
        title   TEXT NOT NULL,
        crc     INTEGER NOT NULL
    );
";

/// A session whose rows are not what was written.
pub(super) struct Bad {
    id: String,
}

impl Bad {
    pub(super) fn fault(&self, path: &Path) -> Fault {
        Fault::damaged(format!("the session `{}` in {} is damaged", self.id, path.display()))
            .hint(format!("`rag sessions remove {}` removes it and no other", self.id))
    }
}

/// The result of SQLite, and then of the checksums.
pub(super) type Outcome<T> = rusqlite::Result<Result<T, Bad>>;

/// Every session, the most recently used first.
pub(super) fn summaries(connection: &Connection) -> Outcome<Vec<Summary>> {
    let sql = "SELECT id, created, used, turns, crc FROM sessions
               ORDER BY used DESC, (SELECT max(rowid) FROM turns WHERE session = id) DESC";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let Some(mut summary) = summary(row) else { return Ok(Err(Bad { id: id(row) })) };
        let first =
            checked_turns(connection, &summary.id, 1)?.unwrap_or_default().into_iter().next();
        let Some(first) = first else { return Ok(Err(Bad { id: summary.id })) };
        summary.first_question = first.question;
        summary.title = title(connection, &summary.id)?;
        found.push(summary);
    }
    Ok(Ok(found))
}

/// The title of a session, if it has one.
fn title(connection: &Connection, session: &str) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT title, crc FROM titles WHERE session = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_row([session], |row| {
        let title = row.get_ref(0).ok().and_then(|title| title.as_str().ok().map(str::to_owned));
        let crc = row.get_ref(1).ok().and_then(|crc| crc.as_i64().ok());
        Ok(title.filter(|title| crc == Some(title_checksum(session, title))))
    });
    Ok(found.optional()?.flatten())
}

/// Gives a session a title; none without one.
pub(super) fn rename(
    connection: &Connection,
    session: &str,
    title: Option<&str>,
) -> rusqlite::Result<()> {
    match title {
        Some(title) => {
            let sql = "INSERT OR REPLACE INTO titles (session, title, crc) VALUES (?1, ?2, ?3)";
            let crc = title_checksum(session, title);
            connection.execute(sql, params![session, title, crc]).map(drop)
        }
        None => connection.execute("DELETE FROM titles WHERE session = ?1", [session]).map(drop),
    }
}

/// The turns of one session, `None` when there is no such session.
pub(super) fn turns(connection: &Connection, session: &str) -> Outcome<Option<Vec<Turn>>> {
    // A damaged SQLite index could hide an existing session.
    let sql = "SELECT id, created, used, turns, crc FROM sessions NOT INDEXED WHERE id = ?1";
    let mut statement = connection.prepare(sql)?;
    let found = statement.query_row([session], |row| Ok(summary(row))).optional()?;
    let Some(row) = found else { return Ok(Ok(None)) };
    let bad = || Bad { id: session.to_owned() };
    let Some(summary) = row else { return Ok(Err(bad())) };
    let turns = checked_turns(connection, session, u64::MAX)?;
    Ok(turns.filter(|turns| turns.len() as u64 == summary.turns).map(Some).ok_or_else(bad))
}

/// Ids of all sessions, damaged ones too, in the order of creation.
pub(super) fn ids(connection: &Connection) -> Outcome<Vec<String>> {
    let mut statement = connection.prepare("SELECT id FROM sessions ORDER BY rowid")?;
    let ids = statement.query_map([], |row| Ok(id(row)))?.collect::<rusqlite::Result<_>>()?;
    Ok(Ok(ids))
}

/// When each session was used last. Damaged ones never expire: the user must see them.
pub(super) fn ages(connection: &Connection) -> Outcome<Vec<(String, i64)>> {
    let mut statement = connection.prepare("SELECT id, created, used, turns, crc FROM sessions")?;
    let rows =
        statement.query_map([], |row| Ok(summary(row)))?.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(Ok(rows.into_iter().flatten().map(|summary| (summary.id, summary.used)).collect()))
}

pub(super) fn remove(connection: &Connection, session: &str) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM turns WHERE session = ?1", [session])?;
    connection.execute("DELETE FROM titles WHERE session = ?1", [session])?;
    // A damaged id may have another type.
    connection.execute("DELETE FROM sessions WHERE CAST(id AS TEXT) = ?1", [session]).map(drop)
}

pub(super) fn add(
    connection: &Connection,
    session: &str,
    created: i64,
    n: u64,
    turn: &Turn,
) -> rusqlite::Result<()> {
    let n = n as i64;
    let body = to_json(turn)?;
    let sql = "INSERT INTO turns (session, n, body, crc) VALUES (?1, ?2, ?3, ?4)";
    connection.execute(sql, params![session, n, body, turn_checksum(session, n, &body)])?;
    let sql = "INSERT OR REPLACE INTO sessions (id, created, used, turns, crc) \
               VALUES (?1, ?2, ?3, ?4, ?5)";
    let crc = summary_checksum(session, created, turn.at, n);
    connection.execute(sql, params![session, created, turn.at, n, crc]).map(drop)
}

/// Removes the last of `n` turns, and the session with its only turn. `before` is the turn before.
pub(super) fn remove_last(
    connection: &Connection,
    session: &str,
    n: u64,
    created: i64,
    before: Option<&Turn>,
) -> rusqlite::Result<()> {
    let Some(before) = before else { return remove(connection, session) };
    let n = n as i64;
    connection.execute("DELETE FROM turns WHERE session = ?1 AND n = ?2", params![session, n])?;
    let sql = "UPDATE sessions SET used = ?2, turns = ?3, crc = ?4 WHERE id = ?1";
    let crc = summary_checksum(session, created, before.at, n - 1);
    connection.execute(sql, params![session, before.at, n - 1, crc]).map(drop)
}

/// Replaces the `n`-th turn.
pub(super) fn replace(
    connection: &Connection,
    session: &str,
    n: i64,
    turn: &Turn,
) -> rusqlite::Result<()> {
    let body = to_json(turn)?;
    let crc = turn_checksum(session, n, &body);
    let sql = "UPDATE turns SET body = ?3, crc = ?4 WHERE session = ?1 AND n = ?2";
    connection.execute(sql, params![session, n, body, crc]).map(drop)
}

fn to_json(turn: &Turn) -> rusqlite::Result<String> {
    let unwritable = |e| rusqlite::Error::ToSqlConversionFailure(Box::new(e));
    serde_json::to_string(turn).map_err(unwritable)
}

/// The first `most` turns; `None` when one of them is bad or missing.
fn checked_turns(
    connection: &Connection,
    session: &str,
    most: u64,
) -> rusqlite::Result<Option<Vec<Turn>>> {
    let sql = "SELECT n, body, crc FROM turns WHERE session = ?1 ORDER BY n LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![session, most], |row| Ok(turn(row, session)))?;
    let mut turns = Vec::new();
    for (row, expected) in rows.zip(1..) {
        match row? {
            Some((n, turn)) if n == expected => turns.push(turn),
            _ => return Ok(None),
        }
    }
    Ok(Some(turns))
}

/// A damaged row may hold any type in any column.
fn turn(row: &Row<'_>, session: &str) -> Option<(i64, Turn)> {
    let n = row.get_ref(0).ok()?.as_i64().ok()?;
    let body = row.get_ref(1).ok()?.as_str().ok()?;
    let crc = row.get_ref(2).ok()?.as_i64().ok()?;
    let is_whole = crc == i64::from(turn_checksum(session, n, body));
    is_whole.then(|| Some((n, serde_json::from_str(body).ok()?)))?
}

fn summary(row: &Row<'_>) -> Option<Summary> {
    let whole = |at: usize| row.get_ref(at).ok()?.as_i64().ok();
    let id = row.get_ref(0).ok()?.as_str().ok()?.to_owned();
    let (created, used, turns) = (whole(1)?, whole(2)?, whole(3)?);
    let is_whole = whole(4)? == i64::from(summary_checksum(&id, created, used, turns));
    let (turns, first_question, title) = (turns.unsigned_abs(), String::new(), None);
    is_whole.then_some(Summary { id, turns, first_question, title, created, used })
}

/// The id of a session, even a damaged one.
fn id(row: &Row<'_>) -> String {
    let bytes = row.get_ref(0).ok().and_then(|id| id.as_bytes().ok());
    String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned()
}

fn title_checksum(session: &str, title: &str) -> i64 {
    checksum(&[session.as_bytes(), title.as_bytes()]).into()
}

pub(super) fn turn_checksum(session: &str, n: i64, body: &str) -> u32 {
    checksum(&[session.as_bytes(), &n.to_le_bytes(), body.as_bytes()])
}

fn summary_checksum(id: &str, created: i64, used: i64, turns: i64) -> u32 {
    checksum(&[id.as_bytes(), &created.to_le_bytes(), &used.to_le_bytes(), &turns.to_le_bytes()])
}

fn checksum(parts: &[&[u8]]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for part in parts {
        // Lengths keep neighbours apart.
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize()
}
