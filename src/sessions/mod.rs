//! Conversations: what was asked and answered, kept for a day or as long as the user says. One
//! SQLite file.
//!
//! Unlike a cache, a conversation cannot be made again: nothing here is set aside or begun anew on
//! its own. What fails its checksum is reported and never shown. Sources are kept as places
//! (folder, path, lines), not as texts, so that a document that leaves the index leaves the
//! conversations too, but for what was quoted of it.

mod rows;
#[cfg(test)]
mod tests;

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use serde::{Deserialize, Serialize};

use crate::config;
use crate::disk::{self, Lock};
use crate::error::{Fault, Kind, Result};
use crate::sqlite::{self, Opened};

/// File name; the schema's version is inside.
const FILE: &str = "sessions.db";

/// What makes the schema, version by version. A newer file is left alone.
const STEPS: &[&str] = &[rows::SCHEMA];

/// How long to wait for another process in the same session, which is answering a question.
const WAIT: Duration = Duration::from_secs(10);

/// One question and its answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Unix seconds.
    pub at: i64,
    /// Name of the index that was asked.
    pub index: String,
    /// As typed.
    pub question: String,
    /// As searched for: what the conversation makes of the question.
    pub resolved: String,
    /// With `[n]` marks; empty when nothing supported one.
    pub answer: String,
    pub supported: bool,
    pub intent: String,
    pub generator: String,
    pub citations: Vec<Cited>,
}

/// Where a passage stands that an answer cited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cited {
    /// The number that `[n]` refers to.
    pub n: usize,
    /// Folder as ingested.
    pub root: String,
    /// Path relative to `root`.
    pub path: String,
    /// 1-based lines, inclusive.
    pub first: usize,
    pub last: usize,
}

/// A session in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    pub id: String,
    pub turns: u64,
    pub first_question: String,
    /// Unix seconds.
    pub created: i64,
    pub used: i64,
}

/// The file of all sessions.
pub struct Sessions {
    dir: PathBuf,
    path: PathBuf,
    /// Seconds that a session lives after its last turn.
    ttl_s: i64,
    wait: Duration,
    /// `None` where nothing was ever kept and nothing can be.
    connection: Mutex<Option<Connection>>,
    writable: bool,
    /// Device and inode when it was opened.
    file: Option<(u64, u64)>,
}

/// One session, held by this process until it is dropped.
pub struct Session<'a> {
    sessions: &'a Sessions,
    id: String,
    turns: Vec<Turn>,
    lock: Option<Lock>,
}

impl Drop for Session<'_> {
    /// What was never kept leaves nothing behind.
    fn drop(&mut self) {
        if self.turns.is_empty()
            && let Some(lock) = self.lock.take()
        {
            lock.remove();
        }
    }
}

impl Sessions {
    /// Opens the sessions in `dir`, making folder and file when they are not there and can be made.
    /// `ttl_s` is how many seconds a session outlives its last turn.
    ///
    /// # Errors
    /// [`Kind::Damaged`] for what is no database, [`Kind::Failed`] for what a newer version wrote,
    /// [`Kind::Busy`] when another process does not let go. The file is left as it is. A folder
    /// that cannot be written to is no fault until something is to be kept.
    pub fn open(dir: &Path, ttl_s: i64) -> Result<Self> {
        let path = dir.join(FILE);
        // Whoever has locked a session has opened the file before, and it is not empty since.
        if has_locks(dir) && path.metadata().is_ok_and(|file| file.len() == 0) {
            return Err(damaged(&path));
        }
        let made = dir.is_dir() || disk::create_dir(dir).is_ok();
        let opened = if made { sqlite::open(&path, STEPS) } else { Ok(Opened::Absent) };
        let (connection, writable) = match opened {
            Ok(Opened::Writable(connection)) => {
                // Unlike a cache, a conversation should survive a power cut; what is removed should
                // be gone.
                let set = connection
                    .pragma_update(None, "synchronous", "FULL")
                    .and_then(|()| connection.pragma_update(None, "secure_delete", "ON"));
                set.map_err(|e| fault(&path, e))?;
                (Some(connection), true)
            }
            Ok(Opened::ReadOnly(connection)) => (Some(connection), false),
            Ok(Opened::Absent) => (None, false),
            Ok(Opened::Damaged) => return Err(damaged(&path)),
            Ok(Opened::Newer) => {
                return Err(Fault::failed(format!(
                    "{} was written by a newer version of rag",
                    path.display()
                ))
                .hint("use that version, or another `--data-dir`"));
            }
            Err(e) => return Err(fault(&path, e)),
        };
        let file = identity(&path);
        let connection = Mutex::new(connection);
        Ok(Self { dir: dir.to_owned(), path, ttl_s, wait: WAIT, connection, writable, file })
    }

    /// Begins or continues the session called `id`, which no other process may use meanwhile, and
    /// drops what has expired. A session that does not exist is kept from its first turn on.
    /// `give_up` is asked while waiting.
    ///
    /// # Errors
    /// [`Kind::Usage`] for a name that is none, [`Kind::Busy`] naming the process that has the
    /// session, [`Kind::Damaged`] naming a session that fails its checksums, [`Kind::Failed`] where
    /// nothing can be kept.
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
        if !config::is_name(id) {
            return Err(Fault::usage(format!("`{id}` cannot be the name of a session")).hint(
                "a name has letters, digits, `.`, `_` and `-`, 100 at most, and begins with \
                     a letter or digit",
            ));
        }
        self.must_be_writable()?;
        self.drop_expired(now_s)?;
        let lock = self.hold(id, wait, give_up)?;
        let turns = self.read(|connection| rows::turns(connection, id))?.unwrap_or_default();
        Ok(Session { sessions: self, id: id.to_owned(), turns, lock: Some(lock) })
    }

    /// The session that was used last and has not expired.
    pub fn latest(&self, now_s: i64) -> Result<Option<String>> {
        Ok(self.list(now_s)?.into_iter().next().map(|summary| summary.id))
    }

    /// The sessions that have not expired, the last used first.
    pub fn list(&self, now_s: i64) -> Result<Vec<Summary>> {
        let mut summaries = self.read(rows::summaries)?;
        summaries.retain(|summary| !self.has_expired(summary.used, now_s));
        Ok(summaries)
    }

    /// The turns of a session, oldest first.
    ///
    /// # Errors
    /// [`Kind::Usage`] when there is no such session, or no longer.
    pub fn show(&self, id: &str, now_s: i64) -> Result<Vec<Turn>> {
        let turns = self.read(|connection| rows::turns(connection, id))?;
        let is_live =
            |turns: &Vec<Turn>| turns.last().is_some_and(|last| !self.has_expired(last.at, now_s));
        turns.filter(is_live).ok_or_else(|| unknown(id))
    }

    /// Removes sessions, and says how many. Damaged ones can be removed too.
    ///
    /// # Errors
    /// [`Kind::Usage`] when one does not exist, and [`Kind::Busy`] when one is in use; those before
    /// it are gone then.
    pub fn remove(&self, ids: &[String]) -> Result<u64> {
        let known = self.read(rows::ids)?;
        if let Some(id) = ids.iter().find(|id| !known.contains(id)) {
            return Err(unknown(id));
        }
        if !ids.is_empty() {
            self.must_be_writable()?;
        }
        for id in ids {
            // A damaged row may be called anything; what is no name was never locked.
            let lock = config::is_name(id)
                .then(|| self.hold(id, Duration::ZERO, &|| false))
                .transpose()?;
            self.write(|transaction| rows::remove(transaction, id))?;
            if let Some(lock) = lock {
                lock.remove();
            }
        }
        if !ids.is_empty() {
            self.with(|connection| connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)"))?;
        }
        Ok(ids.len() as u64)
    }

    /// Removes every session; see [`Sessions::remove`].
    pub fn remove_all(&self) -> Result<u64> {
        let ids = self.read(rows::ids)?;
        self.remove(&ids)
    }

    /// Takes back what was answered from documents that are gone: an answer over `index` that cites
    /// one is emptied, since it quotes it, and the place goes. Yields how many answers.
    /// Conversations in use keep what they have in memory.
    ///
    /// # Errors
    /// [`Kind::Damaged`] naming a session that fails its checksums and so may hold anything; the
    /// others are done then.
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
                self.must_be_writable()?;
                let citations =
                    turn.citations.iter().filter(|cited| !cites(cited)).cloned().collect();
                let emptied = Turn { answer: String::new(), supported: false, citations, ..turn };
                self.write(|transaction| rows::replace(transaction, &id, n, &emptied))?;
                withdrawn += 1;
            }
        }
        self.with(|connection| connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)"))?;
        bad.map_or(Ok(withdrawn), Err)
    }

    fn has_expired(&self, used: i64, now_s: i64) -> bool {
        now_s.saturating_sub(used) >= self.ttl_s
    }

    /// Sessions in use stay, however old they are.
    fn drop_expired(&self, now_s: i64) -> Result<()> {
        for (id, used) in self.read(rows::ages)? {
            if !self.has_expired(used, now_s) || !config::is_name(&id) {
                continue;
            }
            match self.hold(&id, Duration::ZERO, &|| false) {
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

    /// The lock of one session. The kernel drops it with its holder, so that it is never stale.
    fn hold(&self, id: &str, wait: Duration, give_up: &dyn Fn() -> bool) -> Result<Lock> {
        let busy = |holder: &str| {
            Fault::busy(format!("{holder} is using the session `{id}`"))
                .hint("wait for it to finish, or give `--session` another name")
        };
        Lock::take_or(&self.dir.join(format!("{id}.lock")), wait, give_up, &busy)
    }

    fn must_be_writable(&self) -> Result<()> {
        if self.writable && self.connection().is_some() {
            return Ok(());
        }
        Err(Fault::failed(format!(
            "{} cannot be written to, so no conversation can be kept",
            self.dir.display()
        ))
        .hint("ask without `--session`, or give `--data-dir` a folder of your own"))
    }

    fn connection(&self) -> MutexGuard<'_, Option<Connection>> {
        // A panic in between leaves at most a transaction behind, which its guard has rolled back.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads in one transaction; nothing where there is no file.
    fn read<T: Default>(&self, read: impl FnOnce(&Connection) -> rows::Outcome<T>) -> Result<T> {
        let outcome = self.with(|connection| {
            let transaction = connection.transaction()?;
            read(&transaction)
        })?;
        outcome.unwrap_or_else(|| Ok(T::default())).map_err(|bad| bad.fault(&self.path))
    }

    fn write(&self, write: impl FnOnce(&Connection) -> rusqlite::Result<()>) -> Result<()> {
        if self.file.is_some() && identity(&self.path) != self.file {
            return Err(Fault::failed(format!(
                "{} was removed or replaced meanwhile",
                self.path.display()
            ))
            .hint("end this conversation and begin another"));
        }
        self.with(|connection| {
            // A transaction that begins by reading cannot wait for another writer later.
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            write(&transaction)?;
            transaction.commit()
        })
        .map(drop)
    }

    /// `None` where there is no file.
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

    /// Keeps one more turn, on disk before this returns.
    pub fn add(&mut self, turn: Turn) -> Result<()> {
        let created = self.turns.first().map_or(turn.at, |first| first.at);
        let n = self.turns.len() as u64 + 1;
        self.sessions.write(|transaction| rows::add(transaction, &self.id, created, n, &turn))?;
        self.turns.push(turn);
        Ok(())
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    path.metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

fn has_locks(dir: &Path) -> bool {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .into_iter()
        .any(|entry| entry.path().extension().is_some_and(|extension| extension == "lock"))
}

fn unknown(id: &str) -> Fault {
    Fault::usage(format!("there is no session `{id}`"))
        .hint("`rag sessions list` shows what there is")
}

fn damaged(path: &Path) -> Fault {
    Fault::damaged(format!("{} is damaged", path.display()))
        .hint("move it elsewhere to begin anew; nothing but conversations is in it")
}

fn fault(path: &Path, error: rusqlite::Error) -> Fault {
    let is_busy = matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    );
    match () {
        () if sqlite::is_damage(&error) => damaged(path).because(error),
        () if is_busy => {
            Fault::busy(format!("another process does not let go of {}", path.display()))
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
