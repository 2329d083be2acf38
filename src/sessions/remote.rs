//! Conversations that several servers share.
//!
//! A session in use has a lease with a token. A server that stopped for longer than the lease may
//! find that another one continued: a turn is stored only if no other server holds the session and
//! its number follows the stored ones, so nothing is lost, doubled or mixed. Storing a turn is also
//! safe to repeat after a reply was lost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::file::{check_name, matching, unknown};
use super::in_postgres::InPostgres;
use super::in_redis::InRedis;
use super::stored::{Appended, Listed, Row};
use super::turn::{Cited, Summary, Turn};
use crate::disk;
use crate::error::{Context as _, Fault, Kind, Result};
use crate::ledger::Postgres;
use crate::shared::Redis;

/// How long to wait for another server that is answering a question in the same session.
const WAIT: Duration = Duration::from_secs(10);
/// Pause between two tries to take a lease.
const PAUSE: Duration = Duration::from_millis(50);

/// The engine that keeps them.
pub enum Keeper {
    Redis(Arc<Redis>),
    Postgres(Arc<Postgres>),
}

/// Calls a method of the engine.
macro_rules! keeper {
    ($self:ident . $method:ident ( $($argument:expr),* )) => {
        match &$self.keeper {
            Keeper::Redis(redis) => InRedis(redis).$method($($argument),*),
            Keeper::Postgres(postgres) => InPostgres(postgres).$method($($argument),*),
        }
    };
}

pub struct Sessions {
    keeper: Keeper,
    ttl_s: i64,
}

pub struct Session<'a> {
    sessions: &'a Sessions,
    id: String,
    token: String,
    turns: Vec<Turn>,
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        // A lease that cannot be ended ends by itself.
        let _ = self.sessions.release(&self.id, &self.token);
    }
}

impl Sessions {
    pub fn new(keeper: Keeper, ttl_s: i64) -> Self {
        Self { keeper, ttl_s }
    }

    pub fn begin(&self, id: &str, now_s: i64, give_up: &dyn Fn() -> bool) -> Result<Session<'_>> {
        self.begin_within(id, now_s, WAIT, give_up)
    }

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
        self.remove_expired(now_s)?;
        let (token, start) = (disk::random_id()?, Instant::now());
        while !self.lease(id, &token)? {
            if give_up() {
                return Err(Fault::interrupted());
            }
            if start.elapsed() >= wait {
                return Err(in_use(id));
            }
            std::thread::park_timeout(PAUSE);
        }
        // From here on, a fault ends the lease.
        let mut session = Session { sessions: self, id: id.to_owned(), token, turns: Vec::new() };
        session.turns = self.turns(id)?;
        Ok(session)
    }

    pub fn list(&self, now_s: i64) -> Result<Vec<Summary>> {
        let listed = keeper!(self.all())?;
        let mut summaries = Vec::new();
        for Listed { id, turns, first, title, used } in listed {
            if now_s.saturating_sub(used) >= self.ttl_s {
                continue;
            }
            let first = first.and_then(|row| parse(&row, 1)).ok_or_else(|| self.damaged(&id))?;
            let (first_question, created) = (first.question, first.at);
            summaries.push(Summary { id, turns, first_question, title, created, used });
        }
        Ok(summaries)
    }

    pub fn search(&self, words: &str, now_s: i64) -> Result<Vec<Summary>> {
        let turns = |id: &str| self.show(id, now_s).unwrap_or_default();
        Ok(matching(self.list(now_s)?, words, &turns))
    }

    pub fn rename(&self, id: &str, title: &str, now_s: i64) -> Result<()> {
        self.show(id, now_s)?;
        let title = Some(title.trim()).filter(|title| !title.is_empty());
        keeper!(self.rename(id, title))
    }

    pub fn remove_last(&self, id: &str, n: u64, now_s: i64) -> Result<()> {
        let session = self.begin_now(id, now_s)?;
        if session.turns.is_empty() {
            return Err(unknown(id));
        }
        if session.turns.len() as u64 != n {
            let what = format!("the session has {} questions", session.turns.len());
            return Err(Fault::usage(what).hint("only the last one can be removed"));
        }
        // The lease keeps others from adding a turn meanwhile.
        let before = session.turns.iter().rev().nth(1).map(|turn| turn.at);
        keeper!(self.remove_last(id, n, before))
    }

    pub fn show(&self, id: &str, now_s: i64) -> Result<Vec<Turn>> {
        let turns = self.turns(id)?;
        let is_live = turns.last().is_some_and(|last| now_s.saturating_sub(last.at) < self.ttl_s);
        if is_live { Ok(turns) } else { Err(unknown(id)) }
    }

    pub fn remove(&self, ids: &[String]) -> Result<u64> {
        let known = self.ids()?;
        if let Some(id) = ids.iter().find(|id| !known.contains(id)) {
            return Err(unknown(id));
        }
        for id in ids {
            let token = disk::random_id()?;
            if !self.lease(id, &token)? {
                return Err(in_use(id));
            }
            keeper!(self.remove(id))?;
        }
        Ok(ids.len() as u64)
    }

    pub fn remove_all(&self) -> Result<u64> {
        self.remove(&self.ids()?)
    }

    pub fn withdraw(&self, index: &str, is_gone: &dyn Fn(&str, &str) -> bool) -> Result<u64> {
        let (mut withdrawn, mut bad) = (0, None);
        for id in self.ids()? {
            let turns = match self.turns(&id) {
                Ok(turns) => turns,
                Err(fault) if fault.kind() == Kind::Damaged => {
                    bad.get_or_insert(fault);
                    continue;
                }
                Err(fault) => return Err(fault),
            };
            for (turn, n) in turns.into_iter().zip(1..) {
                let cites = |cited: &Cited| is_gone(&cited.root, &cited.path);
                if turn.index != index || !turn.citations.iter().any(cites) {
                    continue;
                }
                let answer = String::new();
                let mut emptied = Turn { answer, supported: false, made: None, ..turn };
                emptied.citations.retain(|cited| !cites(cited));
                let row = row(n, &emptied)?;
                keeper!(self.replace(&id, &row))?;
                withdrawn += 1;
            }
        }
        bad.map_or(Ok(withdrawn), Err)
    }

    pub fn issue(&self, id: &str) -> Result<()> {
        keeper!(self.issue(id, self.ttl_s))
    }

    pub fn is_issued(&self, id: &str) -> Result<bool> {
        keeper!(self.is_issued(id))
    }

    pub fn forget_issued(&self, id: &str) -> Result<bool> {
        keeper!(self.forget_issued(id))
    }

    fn ids(&self) -> Result<Vec<String>> {
        keeper!(self.ids())
    }

    /// Takes the lease of a session; false when another server has it.
    fn lease(&self, id: &str, token: &str) -> Result<bool> {
        keeper!(self.lease(id, token))
    }

    fn release(&self, id: &str, token: &str) -> Result<()> {
        keeper!(self.release(id, token))
    }

    /// The turns of a session; none when there is no such session.
    fn turns(&self, id: &str) -> Result<Vec<Turn>> {
        let rows = keeper!(self.rows(id))?;
        let rows = rows.ok_or_else(|| self.damaged(id))?;
        let turns = rows.iter().zip(1..).map(|(row, n)| parse(row, n));
        turns.collect::<Option<_>>().ok_or_else(|| self.damaged(id))
    }

    fn remove_expired(&self, now_s: i64) -> Result<()> {
        match &self.keeper {
            // Redis removes them by itself.
            Keeper::Redis(_) => Ok(()),
            Keeper::Postgres(postgres) => {
                InPostgres(postgres).remove_expired(now_s.saturating_sub(self.ttl_s))
            }
        }
    }

    fn damaged(&self, id: &str) -> Fault {
        let place = match &self.keeper {
            Keeper::Redis(_) => "Redis",
            Keeper::Postgres(_) => "PostgreSQL",
        };
        Fault::damaged(format!("the session `{id}` in {place} is damaged"))
            .hint(format!("`rag sessions remove {id}` removes it and no other"))
    }
}

impl Session<'_> {
    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn turns(&self) -> &[Turn] {
        &self.turns
    }

    pub fn add(&mut self, turn: Turn) -> Result<()> {
        let row = row(self.turns.len() as u64 + 1, &turn)?;
        let Sessions { keeper, ttl_s } = self.sessions;
        let appended = match keeper {
            Keeper::Redis(redis) => InRedis(redis).append(&self.id, &self.token, &row, *ttl_s)?,
            Keeper::Postgres(postgres) => {
                InPostgres(postgres).append(&self.id, &self.token, &row)?
            }
        };
        match appended {
            Appended::Stored => {
                self.turns.push(turn);
                Ok(())
            }
            Appended::InUse => Err(in_use(&self.id)),
            Appended::Changed => {
                let what = format!("the session `{}` was continued elsewhere meanwhile", self.id);
                Err(Fault::busy(what).hint("ask again: the question is then seen in its context"))
            }
        }
    }
}

fn in_use(id: &str) -> Fault {
    Fault::busy(format!("another server or command is using the session `{id}`"))
        .hint("wait for it to finish, or use another name for `--session`")
}

fn row(n: u64, turn: &Turn) -> Result<Row> {
    let body = serde_json::to_string(turn).or_failed(|| "cannot write a turn".into())?;
    Ok(Row { n, at: turn.at, body })
}

/// The `n`-th turn, if this is it.
fn parse(row: &Row, n: u64) -> Option<Turn> {
    let turn: Turn = serde_json::from_str(&row.body).ok()?;
    (row.n == n && turn.at == row.at).then_some(turn)
}
