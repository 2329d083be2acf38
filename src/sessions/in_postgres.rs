//! Sessions in PostgreSQL: `rag_sessions`, a row for each with its lease, and `rag_turns`.

use super::rows::turn_checksum;
use super::stored::{Appended, LEASE_S, Listed, Row};
use crate::error::Result;
use crate::ledger::{Param, Postgres};

pub(super) struct InPostgres<'a>(pub &'a Postgres);

impl InPostgres<'_> {
    pub fn lease(&self, id: &str, token: &str) -> Result<bool> {
        // The row of a session without a turn is only its lease.
        let sql = "INSERT INTO rag_sessions AS s (id, created, used, turns, token, lease_until) \
                   VALUES ($1, 0, 0, 0, $2, now() + make_interval(secs => $3)) \
                   ON CONFLICT (id) DO UPDATE SET token = excluded.token, \
                   lease_until = excluded.lease_until \
                   WHERE s.token IS NULL OR s.token = $2 OR s.lease_until < now()";
        let params = [Param::text(id), Param::text(token), Param::Real(LEASE_S as f64)];
        Ok(self.0.execute(sql, &params)? == 1)
    }

    pub fn release(&self, id: &str, token: &str) -> Result<()> {
        let params = [Param::text(id), Param::text(token)];
        let sql = "DELETE FROM rag_sessions WHERE id = $1 AND token = $2 AND turns = 0";
        self.0.execute(sql, &params)?;
        let sql = "UPDATE rag_sessions SET token = NULL WHERE id = $1 AND token = $2";
        self.0.execute(sql, &params).map(drop)
    }

    /// `None` when a row is damaged or missing.
    pub fn rows(&self, id: &str) -> Result<Option<Vec<Row>>> {
        let sql = "SELECT t.n, t.at, t.body, t.crc, s.turns FROM rag_sessions s \
                   JOIN rag_turns t ON t.session = s.id WHERE s.id = $1 ORDER BY t.n";
        let found = self.0.query(sql, &[Param::text(id)])?;
        let expected = found.first().map_or(0, |row| row.int(4));
        let rows: Option<Vec<Row>> = found
            .iter()
            .map(|row| checked(id, row.int(0), row.int(1), row.text(2), row.int(3)))
            .collect();
        Ok(rows.filter(|rows| rows.len() as i64 == expected))
    }

    pub fn append(&self, id: &str, token: &str, row: &Row) -> Result<Appended> {
        let n = row.n as i64;
        let crc = i64::from(turn_checksum(id, n, &row.body));
        self.0.transaction(|transaction| {
            let sql = "SELECT turns, token = $2 OR token IS NULL OR lease_until < now() \
                       FROM rag_sessions WHERE id = $1 FOR UPDATE";
            let found = transaction.query(sql, &[Param::text(id), Param::text(token)])?;
            let (turns, is_free) = found.first().map_or((0, true), |row| (row.int(0), row.flag(1)));
            if !is_free {
                return Ok(Appended::InUse);
            }
            if turns == n {
                let sql = "SELECT body FROM rag_turns WHERE session = $1 AND n = $2";
                let last = transaction.query(sql, &[Param::text(id), Param::Int(n)])?;
                // The reply to an earlier try was lost.
                let is_same = last.first().is_some_and(|last| last.text(0) == row.body);
                return Ok(if is_same { Appended::Stored } else { Appended::Changed });
            }
            if turns != n - 1 {
                return Ok(Appended::Changed);
            }
            let sql = "INSERT INTO rag_sessions AS s (id, created, used, turns) \
                       VALUES ($1, $2, $2, $3) ON CONFLICT (id) DO UPDATE SET \
                       created = CASE WHEN s.turns = 0 THEN excluded.created ELSE s.created END, \
                       used = excluded.used, turns = excluded.turns";
            transaction.execute(sql, &[Param::text(id), Param::Int(row.at), Param::Int(n)])?;
            let sql = "INSERT INTO rag_turns (session, n, at, body, crc) \
                       VALUES ($1, $2, $3, $4, $5)";
            let body = Param::text(&row.body);
            let turn = [Param::text(id), Param::Int(n), Param::Int(row.at), body, Param::Int(crc)];
            transaction.execute(sql, &turn)?;
            Ok(Appended::Stored)
        })
    }

    /// Removes the `n`-th turn, the last one. `before` is the time of the turn before.
    pub fn remove_last(&self, id: &str, n: u64, before: Option<i64>) -> Result<()> {
        let Some(at) = before else { return self.remove(id) };
        self.0.transaction(|transaction| {
            let turn = [Param::text(id), Param::Int(n as i64)];
            let sql = "DELETE FROM rag_turns WHERE session = $1 AND n = $2";
            transaction.execute(sql, &turn)?;
            let sql = "UPDATE rag_sessions SET turns = $2, used = $3 WHERE id = $1";
            let params = [Param::text(id), Param::Int(n as i64 - 1), Param::Int(at)];
            transaction.execute(sql, &params).map(drop)
        })
    }

    pub fn rename(&self, id: &str, title: Option<&str>) -> Result<()> {
        let params = [Param::text(id), Param::of(title, Param::text)];
        self.0.execute("UPDATE rag_sessions SET title = $2 WHERE id = $1", &params).map(drop)
    }

    /// The most recently used first.
    pub fn all(&self) -> Result<Vec<Listed>> {
        let sql = "SELECT s.id, s.turns, s.used, t.n, t.at, t.body, t.crc, s.title \
                   FROM rag_sessions s \
                   LEFT JOIN rag_turns t ON t.session = s.id AND t.n = 1 WHERE s.turns > 0 \
                   ORDER BY s.used DESC, s.id";
        let listed = self.0.query(sql, &[])?.into_iter().map(|row| {
            let id = row.text(0);
            let first = checked(&id, row.int(3), row.int(4), row.text(5), row.int(6));
            let title = Some(row.text(7)).filter(|title| !title.is_empty());
            Listed { turns: row.int(1).unsigned_abs(), first, title, used: row.int(2), id }
        });
        Ok(listed.collect())
    }

    pub fn ids(&self) -> Result<Vec<String>> {
        let sql = "SELECT id FROM rag_sessions WHERE turns > 0 ORDER BY created, id";
        Ok(self.0.query(sql, &[])?.iter().map(|row| row.text(0)).collect())
    }

    /// Removes a session with its turns and its lease.
    pub fn remove(&self, id: &str) -> Result<()> {
        self.0.execute("DELETE FROM rag_sessions WHERE id = $1", &[Param::text(id)]).map(drop)
    }

    pub fn replace(&self, id: &str, row: &Row) -> Result<()> {
        let crc = i64::from(turn_checksum(id, row.n as i64, &row.body));
        let sql = "UPDATE rag_turns SET body = $3, crc = $4 WHERE session = $1 AND n = $2";
        let (n, body) = (Param::Int(row.n as i64), Param::text(&row.body));
        self.0.execute(sql, &[Param::text(id), n, body, Param::Int(crc)]).map(drop)
    }

    /// Removes the sessions that were used last at `before_s` or earlier, unless they are in use.
    pub fn remove_expired(&self, before_s: i64) -> Result<()> {
        let sql = "DELETE FROM rag_sessions WHERE used <= $1 \
                   AND (token IS NULL OR lease_until < now())";
        self.0.execute(sql, &[Param::Int(before_s)])?;
        self.0.execute("DELETE FROM rag_issued WHERE until < now()", &[]).map(drop)
    }

    pub fn issue(&self, id: &str, ttl_s: i64) -> Result<()> {
        let sql = "INSERT INTO rag_issued (id, until) \
                   VALUES ($1, now() + make_interval(secs => $2)) ON CONFLICT DO NOTHING";
        self.0.execute(sql, &[Param::text(id), Param::Real(ttl_s as f64)]).map(drop)
    }

    pub fn is_issued(&self, id: &str) -> Result<bool> {
        let sql = "SELECT 1 FROM rag_issued WHERE id = $1 AND until >= now()";
        Ok(!self.0.query(sql, &[Param::text(id)])?.is_empty())
    }

    pub fn forget_issued(&self, id: &str) -> Result<bool> {
        let sql = "DELETE FROM rag_issued WHERE id = $1";
        Ok(self.0.execute(sql, &[Param::text(id)])? == 1)
    }
}

fn checked(id: &str, n: i64, at: i64, body: String, crc: i64) -> Option<Row> {
    let is_whole = crc == i64::from(turn_checksum(id, n, &body));
    is_whole.then_some(Row { n: n.unsigned_abs(), at, body })
}
