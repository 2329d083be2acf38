//! Conversations: questions and answers, kept for a day or as long as the user sets.
//!
//! They are in one SQLite file, or where several servers share them: in PostgreSQL, else in Redis.

mod file;
mod in_postgres;
mod in_redis;
mod remote;
mod rows;
mod stored;
mod turn;

use std::path::Path;
use std::sync::Arc;

use crate::error::Result;
use crate::ledger::Postgres;
use crate::shared::Redis;
pub use turn::{Cited, Flag, Made, Passage, Summary, Turn};

/// All sessions.
pub enum Sessions {
    File(file::Sessions),
    Remote(remote::Sessions),
}

/// One session, held by this process until it is dropped.
pub enum Session<'a> {
    File(file::Session<'a>),
    Remote(remote::Session<'a>),
}

/// Calls a method of either side.
macro_rules! either {
    ($type:ident, $self:ident . $method:ident ( $($argument:expr),* )) => {
        match $self {
            $type::File(file) => file.$method($($argument),*),
            $type::Remote(remote) => remote.$method($($argument),*),
        }
    };
}

impl Sessions {
    /// Opens the sessions in `dir`, creating folder and file if they are missing and can be
    /// created. `ttl_s` is the lifetime of a session after its last turn, in seconds.
    ///
    /// # Errors
    /// Those of `file::Sessions::open`.
    pub fn open(dir: &Path, ttl_s: i64) -> Result<Self> {
        file::Sessions::open(dir, ttl_s).map(Self::File)
    }

    /// Sessions in Redis, which forgets them by itself.
    pub fn in_redis(redis: Arc<Redis>, ttl_s: i64) -> Self {
        Self::Remote(remote::Sessions::new(remote::Keeper::Redis(redis), ttl_s))
    }

    pub fn in_postgres(postgres: Arc<Postgres>, ttl_s: i64) -> Self {
        Self::Remote(remote::Sessions::new(remote::Keeper::Postgres(postgres), ttl_s))
    }

    /// Begins or continues the session called `id`, which no other caller may use meanwhile. A new
    /// session is stored with its first turn. `give_up` is checked while waiting.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) for an invalid name,
    /// [`Kind::Busy`](crate::error::Kind::Busy) when another caller uses the session,
    /// [`Kind::Damaged`](crate::error::Kind::Damaged) for one that fails its checksums, others when
    /// the place of all sessions cannot be used.
    pub fn begin(&self, id: &str, now_s: i64, give_up: &dyn Fn() -> bool) -> Result<Session<'_>> {
        match self {
            Self::File(file) => file.begin(id, now_s, give_up).map(Session::File),
            Self::Remote(remote) => remote.begin(id, now_s, give_up).map(Session::Remote),
        }
    }

    /// As [`Sessions::begin`], without waiting for another holder.
    ///
    /// # Errors
    /// As [`Sessions::begin`].
    pub fn begin_now(&self, id: &str, now_s: i64) -> Result<Session<'_>> {
        match self {
            Self::File(file) => file.begin_now(id, now_s).map(Session::File),
            Self::Remote(remote) => remote.begin_now(id, now_s).map(Session::Remote),
        }
    }

    /// The most recently used session that has not expired.
    pub fn latest(&self, now_s: i64) -> Result<Option<String>> {
        match self {
            Self::File(file) => file.latest(now_s),
            Self::Remote(remote) => {
                Ok(remote.list(now_s)?.into_iter().next().map(|summary| summary.id))
            }
        }
    }

    /// The sessions that have not expired, the most recently used first.
    pub fn list(&self, now_s: i64) -> Result<Vec<Summary>> {
        either!(Sessions, self.list(now_s))
    }

    /// As [`Sessions::list`], only those with every word of `words` in their title, questions or
    /// answers, in upper or lower case.
    pub fn search(&self, words: &str, now_s: i64) -> Result<Vec<Summary>> {
        either!(Sessions, self.search(words, now_s))
    }

    /// Gives a session a title; an empty one removes it.
    ///
    /// # Errors
    /// Those of [`Sessions::show`].
    pub fn rename(&self, id: &str, title: &str, now_s: i64) -> Result<()> {
        either!(Sessions, self.rename(id, title, now_s))
    }

    /// Removes the last turn of a session, which must be the `n`-th. A session without turns is
    /// removed.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) when it is not the last, or the session does not
    /// exist; [`Kind::Busy`](crate::error::Kind::Busy) when the session is in use.
    pub fn remove_last(&self, id: &str, n: u64, now_s: i64) -> Result<()> {
        either!(Sessions, self.remove_last(id, n, now_s))
    }

    /// The turns of a session, oldest first.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) when there is no such session, or it has expired.
    pub fn show(&self, id: &str, now_s: i64) -> Result<Vec<Turn>> {
        either!(Sessions, self.show(id, now_s))
    }

    /// Removes sessions, damaged ones too; returns how many.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) when one does not exist;
    /// [`Kind::Busy`](crate::error::Kind::Busy) when one is in use, after those before it are
    /// removed.
    pub fn remove(&self, ids: &[String]) -> Result<u64> {
        either!(Sessions, self.remove(ids))
    }

    /// Removes every session; see [`Sessions::remove`].
    pub fn remove_all(&self) -> Result<u64> {
        either!(Sessions, self.remove_all())
    }

    /// Withdraws answers from documents that are gone: an answer over `index` that cites one is
    /// emptied, because it may quote it, and the citation is removed. Returns how many answers.
    /// Conversations in use keep what they have in memory.
    ///
    /// # Errors
    /// [`Kind::Damaged`](crate::error::Kind::Damaged) naming a session that fails its checksums and
    /// so may contain anything, after the others are done.
    pub fn withdraw(&self, index: &str, is_gone: &dyn Fn(&str, &str) -> bool) -> Result<u64> {
        either!(Sessions, self.withdraw(index, is_gone))
    }

    /// Copies the sessions that have not expired to another place; returns how many, and how many
    /// it left alone because another conversation has the id there. It may be called again.
    ///
    /// # Errors
    /// [`Kind::Busy`](crate::error::Kind::Busy) when a session is in use there; others when one
    /// of the places cannot be used.
    pub fn copy_to(&self, to: &Self, now_s: i64) -> Result<(u64, u64)> {
        let (mut copied, mut skipped) = (0, 0);
        for summary in self.list(now_s)? {
            let turns = self.show(&summary.id, now_s)?;
            let mut session = to.begin_now(&summary.id, now_s)?;
            let n = session.turns().len();
            if turns.get(..n) != Some(session.turns()) {
                skipped += 1;
                continue;
            }
            for turn in turns.into_iter().skip(n) {
                session.add(turn)?;
            }
            drop(session);
            if let Some(title) = &summary.title {
                to.rename(&summary.id, title, now_s)?;
            }
            copied += 1;
        }
        Ok((copied, skipped))
    }

    /// Remembers the id of a session without a turn, so that every server accepts its first one.
    /// Sessions in a file have one server, which remembers by itself.
    ///
    /// # Errors
    /// When the place of all sessions cannot be used.
    pub fn issue(&self, id: &str) -> Result<()> {
        match self {
            Self::File(_) => Ok(()),
            Self::Remote(remote) => remote.issue(id),
        }
    }

    /// Whether some server issued this id.
    ///
    /// # Errors
    /// As [`Sessions::issue`].
    pub fn is_issued(&self, id: &str) -> Result<bool> {
        match self {
            Self::File(_) => Ok(false),
            Self::Remote(remote) => remote.is_issued(id),
        }
    }

    /// Forgets an issued id; false when it was not issued.
    ///
    /// # Errors
    /// As [`Sessions::issue`].
    pub fn forget_issued(&self, id: &str) -> Result<bool> {
        match self {
            Self::File(_) => Ok(false),
            Self::Remote(remote) => remote.forget_issued(id),
        }
    }
}

impl Session<'_> {
    pub fn id(&self) -> &str {
        either!(Session, self.id())
    }

    /// Oldest first.
    pub fn turns(&self) -> &[Turn] {
        either!(Session, self.turns())
    }

    /// Stores one more turn, as durably as the place of all sessions is.
    ///
    /// # Errors
    /// When it cannot be stored; [`Kind::Busy`](crate::error::Kind::Busy) when another caller
    /// continued the session after this process had stopped for too long.
    pub fn add(&mut self, turn: Turn) -> Result<()> {
        either!(Session, self.add(turn))
    }
}
