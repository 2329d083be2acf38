//! Conversations in one SQLite file.
//!
//! Unlike a cache, a conversation cannot be computed again: a damaged file is never replaced
//! automatically. Rows that fail their checksum are reported and never shown. Sources are stored as
//! places (folder, path, lines), not as texts, so a document that leaves the index leaves the
//! conversations too, except for what answers quote.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use crate::config;
use crate::disk::{self, FileId, Lock};
use crate::error::{Fault, Kind, Result, locked};
use crate::sqlite::{self, Opened};
use crate::strings;

use super::rows;
use super::turn::{Cited, Summary, Turn};

/// File name; the schema version is inside.
const FILE: &str = "sessions.db";

/// From one version of the schema to the next. A newer file is not used.
const STEPS: &[&str] = &[rows::SCHEMA, rows::TITLES];

/// How long to wait for another process that is answering a question in the same session.
const WAIT: Duration = Duration::from_secs(10);

/// The file of all sessions.
pub struct Sessions {
    dir: PathBuf,
    path: PathBuf,
    /// Lifetime of a session after its last turn, in seconds.
    ttl_s: i64,
    wait: Duration,
    /// `None` when there is no file and none can be created.
    connection: Mutex<Option<Connection>>,
    writable: bool,
    /// The file that was opened.
    file: Option<FileId>,
}

/// One session, held by this process until it is dropped.
pub struct Session<'a> {
    sessions: &'a Sessions,
    id: String,
    turns: Vec<Turn>,
    lock: Option<Lock>,
}

impl Drop for Session<'_> {
    /// A session without a turn leaves no lock file.
    fn drop(&mut self) {
        if self.turns.is_empty()
            && let Some(lock) = self.lock.take()
        {
            lock.remove();
        }
    }
}

impl Sessions {
    /// Opens the sessions in `dir`, creating folder and file if they are missing and can be
    /// created. `ttl_s` is the lifetime of a session after its last turn, in seconds.
    ///
    /// # Errors
    /// [`Kind::Damaged`] for a file that is not a database, [`Kind::Failed`] for a newer version's,
    /// [`Kind::Busy`] when another process keeps it locked. The file is not changed. A folder that
    /// cannot be written to is a fault only when a turn is to be stored.
    pub fn open(dir: &Path, ttl_s: i64) -> Result<Self> {
        let path = dir.join(FILE);
        // A process that locked a session had opened the file, which is not empty since.
        if has_locks(dir) && path.metadata().is_ok_and(|file| file.len() == 0) {
            return Err(damaged(&path));
        }
        let made = dir.is_dir() || disk::create_dir(dir).is_ok();
        let (connection, writable) = if made { connect(&path)? } else { (None, false) };
        let file = disk::file_id(&path);
        let connection = Mutex::new(connection);
        Ok(Self { dir: dir.to_owned(), path, ttl_s, wait: WAIT, connection, writable, file })
    }

    /// Begins or continues the session called `id`, which no other process may use meanwhile, and
    /// removes expired sessions. A new session is stored with its first turn. `give_up` is checked
    /// while waiting.
    ///
    /// # Errors
    /// [`Kind::Usage`] for an invalid name, [`Kind::Busy`] naming the process that uses the
    /// session, [`Kind::Damaged`] naming a session that fails its checksums, [`Kind::Failed`] when
    /// turns cannot be stored.
    pub fn begin(&self, id: &str, now_s: i64, give_up: &dyn Fn() -> bool) -> Result<Session<'_>> {
        self.begin_within(id, now_s, self.wait, give_up)
    }

    /// As [`Sessions::begin`], without waiting for another holder.
    ///
    /// # Errors
    /// As [`Sessions::begin`].
    pub fn begin_now(&self, id: &str, now_s: i64) -> Result<Session<'_>> {
        self.begin_within(id, now_s, Duration::ZERO, &|| false)
    }

    fn begin_within(
        &self,
        id: &str,
        now_s: i64,
        wait: Duration,
        give_up: &dyn Fn() -> bool,
    ) -> Result<Session<'_>> {
        check_name(id)?;
        self.check_writable()?;
        self.remove_expired(now_s)?;
        let lock = self.hold(id, wait, give_up)?;
        let turns = self.read(|connection| rows::turns(connection, id))?.unwrap_or_default();
        Ok(Session { sessions: self, id: id.to_owned(), turns, lock: Some(lock) })
    }

    /// The most recently used session that has not expired.
    pub fn latest(&self, now_s: i64) -> Result<Option<String>> {
        Ok(self.list(now_s)?.into_iter().next().map(|summary| summary.id))
    }

    /// The sessions that have not expired, the most recently used first.
    pub fn list(&self, now_s: i64) -> Result<Vec<Summary>> {
        let mut summaries = self.read(rows::summaries)?;
        summaries.retain(|summary| !self.has_expired(summary.used, now_s));
        Ok(summaries)
    }

    /// As [`Sessions::list`], only those with every word of `words` in their title, questions or
    /// answers, in upper or lower case.
    pub fn search(&self, words: &str, now_s: i64) -> Result<Vec<Summary>> {
        let turns = |id: &str| self.show(id, now_s).unwrap_or_default();
        Ok(matching(self.list(now_s)?, words, &turns))
    }

    /// Gives a session a title; an empty one removes it.
    ///
    /// # Errors
    /// Those of [`Sessions::show`].
    pub fn rename(&self, id: &str, title: &str, now_s: i64) -> Result<()> {
        self.show(id, now_s)?;
        self.check_writable()?;
        let title = Some(title.trim()).filter(|title| !title.is_empty());
        self.write(|transaction| rows::rename(transaction, id, title))?;
        self.checkpoint()
    }

    /// Removes the last turn of a session, which must be the `n`-th. A session without turns is
    /// removed.
    ///
    /// # Errors
    /// [`Kind::Usage`] when it is not the last, or the session does not exist; [`Kind::Busy`] when
    /// the session is in use.
    pub fn remove_last(&self, id: &str, n: u64, now_s: i64) -> Result<()> {
        let _lock = self.try_hold(id)?;
        let turns = self.show(id, now_s)?;
        if turns.len() as u64 != n {
            return Err(Fault::usage(format!("the session has {} questions", turns.len()))
                .hint("only the last one can be removed"));
        }
        self.check_writable()?;
        let created = turns.first().map_or(now_s, |first| first.at);
        let before = turns.iter().rev().nth(1);
        self.write(|transaction| rows::remove_last(transaction, id, n, created, before))?;
        self.checkpoint()
    }

    /// The turns of a session, oldest first.
    ///
    /// # Errors
    /// [`Kind::Usage`] when there is no such session, or it has expired.
    pub fn show(&self, id: &str, now_s: i64) -> Result<Vec<Turn>> {
        let turns = self.read(|connection| rows::turns(connection, id))?;
        let is_live =
            |turns: &Vec<Turn>| turns.last().is_some_and(|last| !self.has_expired(last.at, now_s));
        turns.filter(is_live).ok_or_else(|| {
            let known = self.list(now_s).unwrap_or_default();
            match strings::similar(id, known.iter().map(|session| session.id.as_str())) {
                Some(meant) => unknown(id).hint(format!("did you mean `{meant}`?")),
                None => unknown(id),
            }
        })
    }

    /// Removes sessions, damaged ones too; returns how many.
    ///
    /// # Errors
    /// [`Kind::Usage`] when one does not exist; [`Kind::Busy`] when one is in use, after those
    /// before it are removed.
    pub fn remove(&self, ids: &[String]) -> Result<u64> {
        let known = self.read(rows::ids)?;
        if let Some(id) = ids.iter().find(|id| !known.contains(id)) {
            return Err(unknown(id));
        }
        if ids.is_empty() {
            return Ok(0);
        }
        self.check_writable()?;
        for id in ids {
            // A damaged row may have any id; an invalid name was never locked.
            let lock = config::is_name(id).then(|| self.try_hold(id)).transpose()?;
            self.write(|transaction| rows::remove(transaction, id))?;
            if let Some(lock) = lock {
                lock.remove();
            }
        }
        self.checkpoint()?;
        Ok(ids.len() as u64)
    }

    /// Removes every session; see [`Sessions::remove`].
    pub fn remove_all(&self) -> Result<u64> {
        let ids = self.read(rows::ids)?;
        self.remove(&ids)
    }

    /// Withdraws answers from documents that are gone: an answer over `index` that cites one is
    /// emptied, because it may quote it, and the citation is removed. Returns how many answers.
    /// Conversations in use keep what they have in memory.
    ///
    /// # Errors
    /// [`Kind::Damaged`] naming a session that fails its checksums and so may contain anything,
    /// after the others are done.
    pub fn withdraw(&self, index: &str, is_gone: &dyn Fn(&str, &str) -> bool) -> Result<u64> {
        let mut withdrawn = 0;
        let mut bad = None;
        for id in self.read(rows::ids)? {
            let turns = match self.read(|connection| rows::turns(connection, &id)) {
                Ok(turns) => turns.unwrap_or_default(),
                Err(fault) => {
                    bad.get_or_insert(fault);
                    continue;
                }
            };
            for (turn, n) in turns.into_iter().zip(1..) {
                let cites = |cited: &Cited| is_gone(&cited.root, &cited.path);
                if turn.index != index || !turn.citations.iter().any(cites) {
                    continue;
                }
                self.check_writable()?;
                let answer = String::new();
                let mut emptied = Turn { answer, supported: false, made: None, ..turn };
                emptied.citations.retain(|cited| !cites(cited));
                self.write(|transaction| rows::replace(transaction, &id, n, &emptied))?;
                withdrawn += 1;
            }
        }
        self.checkpoint()?;
        bad.map_or(Ok(withdrawn), Err)
    }

    /// Moves the write-ahead log into the file, so that removed text is gone from the disk.
    fn checkpoint(&self) -> Result<()> {
        self.with(|connection| connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)"))
            .map(drop)
    }

    fn has_expired(&self, used: i64, now_s: i64) -> bool {
        now_s.saturating_sub(used) >= self.ttl_s
    }

    /// Removes expired sessions that are not in use.
    fn remove_expired(&self, now_s: i64) -> Result<()> {
        for (id, used) in self.read(rows::ages)? {
            if !self.has_expired(used, now_s) || !config::is_name(&id) {
                continue;
            }
            match self.try_hold(&id) {
                Ok(lock) => {
                    self.write(|transaction| rows::remove(transaction, &id))?;
                    lock.remove();
                }
                Err(e) if e.kind() == Kind::Busy => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn try_hold(&self, id: &str) -> Result<Lock> {
        self.hold(id, Duration::ZERO, &|| false)
    }

    /// The lock of one session. The kernel releases it with its holder, so it is never stale.
    fn hold(&self, id: &str, wait: Duration, give_up: &dyn Fn() -> bool) -> Result<Lock> {
        let busy = |holder: &str| {
            Fault::busy(format!("{holder} is using the session `{id}`"))
                .hint("wait for it to finish, or use another name for `--session`")
        };
        Lock::take_or(&self.dir.join(format!("{id}.lock")), wait, give_up, &busy)
    }

    fn check_writable(&self) -> Result<()> {
        if self.writable && self.connection().is_some() {
            return Ok(());
        }
        Err(Fault::failed(format!(
            "{} cannot be written to, so conversations cannot be kept",
            self.dir.display()
        ))
        .hint("ask without `--session`, or use a folder of your own for `--data-dir`"))
    }

    fn connection(&self) -> MutexGuard<'_, Option<Connection>> {
        // A panic leaves at most a transaction, which its guard has rolled back.
        locked(&self.connection)
    }

    /// Reads in one transaction; the default value when there is no file.
    fn read<T: Default>(&self, read: impl FnOnce(&Connection) -> rows::Outcome<T>) -> Result<T> {
        let outcome = self.with(|connection| {
            let transaction = connection.transaction()?;
            read(&transaction)
        })?;
        outcome.unwrap_or_else(|| Ok(T::default())).map_err(|bad| bad.fault(&self.path))
    }

    fn write(&self, write: impl FnOnce(&Connection) -> rusqlite::Result<()>) -> Result<()> {
        if self.file.is_some() && disk::file_id(&self.path) != self.file {
            let why = format!("{} was removed or replaced meanwhile", self.path.display());
            return Err(Fault::failed(why).hint("end this conversation and start another"));
        }
        self.with(|connection| {
            // A transaction that starts with a read cannot wait for another writer later.
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            write(&transaction)?;
            transaction.commit()
        })
        .map(drop)
    }

    /// `None` when there is no file.
    fn with<T>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        self.connection().as_mut().map(work).transpose().map_err(|e| fault(&self.path, e))
    }
}

impl Session<'_> {
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Oldest first.
    pub fn turns(&self) -> &[Turn] {
        &self.turns
    }

    /// Stores one more turn, durably.
    pub fn add(&mut self, turn: Turn) -> Result<()> {
        let created = self.turns.first().map_or(turn.at, |first| first.at);
        let n = self.turns.len() as u64 + 1;
        self.sessions.write(|transaction| rows::add(transaction, &self.id, created, n, &turn))?;
        self.turns.push(turn);
        Ok(())
    }
}

/// The connection, if there is a file, and whether it can write.
fn connect(path: &Path) -> Result<(Option<Connection>, bool)> {
    match sqlite::open(path, STEPS).map_err(|e| fault(path, e))? {
        Opened::Writable(connection) => {
            // Unlike a cache, a conversation must survive a power cut, and removed text must be
            // gone.
            let set = connection
                .pragma_update(None, "synchronous", "FULL")
                .and_then(|()| connection.pragma_update(None, "secure_delete", "ON"));
            set.map_err(|e| fault(path, e))?;
            Ok((Some(connection), true))
        }
        Opened::ReadOnly(connection) => Ok((Some(connection), false)),
        Opened::Absent => Ok((None, false)),
        Opened::Damaged => Err(damaged(path)),
        Opened::Newer => {
            let why = format!("{} was written by a newer version of rag", path.display());
            Err(Fault::failed(why).hint("use that version, or another `--data-dir`"))
        }
    }
}

fn has_locks(dir: &Path) -> bool {
    let mut entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.any(|entry| entry.path().extension().is_some_and(|extension| extension == "lock"))
}

pub(super) fn unknown(id: &str) -> Fault {
    Fault::usage(format!("there is no session `{id}`"))
        .hint("`rag sessions list` shows all sessions")
}

fn damaged(path: &Path) -> Fault {
    Fault::damaged(format!("{} is damaged", path.display()))
        .hint("move it elsewhere to start a new file; it contains only conversations")
}

fn fault(path: &Path, error: rusqlite::Error) -> Fault {
    match () {
        () if sqlite::is_damage(&error) => damaged(path).because(error),
        () if sqlite::is_busy(&error) => {
            Fault::busy(format!("another process keeps {} locked", path.display()))
                .because(error)
                .hint("try again when it is done")
        }
        () if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => {
            let full = std::io::Error::new(std::io::ErrorKind::StorageFull, error);
            Fault::failed(format!("cannot write to {}", path.display())).because(full)
        }
        () => Fault::failed(format!("cannot use {}", path.display())).because(error),
    }
}

/// The sessions that have every word in their title, questions or answers, in upper or lower case.
pub(super) fn matching(
    mut all: Vec<Summary>,
    words: &str,
    turns: &dyn Fn(&str) -> Vec<Turn>,
) -> Vec<Summary> {
    let words: Vec<String> = words.split_whitespace().map(str::to_lowercase).collect();
    if words.is_empty() {
        return all;
    }
    all.retain(|summary| {
        let mut text = summary.title.clone().unwrap_or_default();
        for turn in turns(&summary.id) {
            text = format!("{text}\n{}\n{}", turn.question, turn.answer);
        }
        let text = text.to_lowercase();
        words.iter().all(|word| text.contains(word))
    });
    all
}

/// # Errors
/// A usage fault for a name that no session can have.
pub(super) fn check_name(id: &str) -> Result<()> {
    if config::is_name(id) {
        return Ok(());
    }
    Err(Fault::usage(format!("invalid session name `{id}`")).hint(
        "a name has letters, digits, `.`, `_` and `-`, 100 at most, and begins with a letter or \
         digit",
    ))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
