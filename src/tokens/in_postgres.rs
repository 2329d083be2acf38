//! The tokens of several servers, in PostgreSQL.
//!
//! Every change raises the number in `rag_versions` in the same transaction. Its row is locked
//! until the commit, so a reader of a number sees every change up to it.

use super::token::{Indexes, Scope, Token};
use crate::error::Result;
use crate::ledger::{Cell, Param, Postgres, Row, Transaction};

const COLUMNS: &str = "name, sha256, scope, indexes, created_s, expires_s, rate_per_minute, \
     quota_per_day, revoked_s";

pub fn insert(postgres: &Postgres, token: &Token) -> Result<()> {
    let names = match &token.indexes {
        Indexes::All => String::new(),
        Indexes::Only(names) => names.join(","),
    };
    let number = |n: Option<u64>| Param::of(n, |n| Param::Int(n.cast_signed()));
    let params = [
        Param::text(&*token.name),
        Param::text(&*token.sha256),
        Param::text(token.scope.name()),
        Param::Text(names),
        Param::Int(token.created_s),
        Param::of(token.expires_s, Param::Int),
        number(token.rate_per_minute),
        number(token.quota_per_day),
        Param::of(token.revoked_s, Param::Int),
    ];
    // An earlier try, whose reply was lost, may have inserted it.
    let sql = format!(
        "INSERT INTO rag_tokens ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
         ON CONFLICT (sha256) DO NOTHING"
    );
    postgres.transaction(|transaction| {
        raise_version(transaction)?;
        transaction.execute(&sql, &params).map(drop)
    })
}

pub fn all(postgres: &Postgres) -> Result<Vec<Token>> {
    let sql = format!("SELECT {COLUMNS} FROM rag_tokens ORDER BY n");
    Ok(postgres.query(&sql, &[])?.iter().map(token).collect())
}

fn token(row: &Row) -> Token {
    let number = |column: usize| match row.0.get(column) {
        Some(Cell::Int(n)) => Some(*n),
        _ => None,
    };
    let names = row.text(3);
    let names = names.split(',').filter(|name| !name.is_empty()).map(str::to_owned);
    Token {
        name: row.text(0),
        sha256: row.text(1),
        // An unknown scope grants nothing.
        scope: Scope::from_name(&row.text(2)).unwrap_or(Scope::Open),
        indexes: Indexes::of(names.collect()),
        created_s: row.int(4),
        expires_s: number(5),
        rate_per_minute: number(6).map(i64::unsigned_abs),
        quota_per_day: number(7).map(i64::unsigned_abs),
        revoked_s: number(8),
    }
}

/// Returns the number of tokens that are revoked at `now_s` because of this call or an earlier try
/// of it.
pub fn revoke(postgres: &Postgres, name: &str, now_s: i64) -> Result<u64> {
    postgres.transaction(|transaction| {
        raise_version(transaction)?;
        let sql = "UPDATE rag_tokens SET revoked_s = $2 \
                   WHERE name = $1 AND (revoked_s IS NULL OR revoked_s = $2)";
        transaction.execute(sql, &[Param::text(name), Param::Int(now_s)])
    })
}

pub fn version(postgres: &Postgres) -> Result<i64> {
    let sql = "SELECT n FROM rag_versions WHERE name = 'tokens'";
    Ok(postgres.query(sql, &[])?.first().map_or(0, |row| row.int(0)))
}

fn raise_version(transaction: &mut Transaction) -> Result<()> {
    let sql = "UPDATE rag_versions SET n = n + 1 WHERE name = 'tokens'";
    transaction.execute(sql, &[]).map(drop)
}
