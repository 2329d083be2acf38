//! The table of tokens.

use rusqlite::{Connection, Result, Row, params};

use super::token::{Indexes, Scope, Token};

pub const SCHEMA: &str = "
CREATE TABLE tokens (
    n INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    sha256 TEXT NOT NULL UNIQUE,
    scope TEXT NOT NULL,
    -- Names separated by commas; empty for all.
    indexes TEXT NOT NULL,
    created_s INTEGER NOT NULL,
    expires_s INTEGER,
    rate_per_minute INTEGER,
    quota_per_day INTEGER,
    revoked_s INTEGER
) STRICT;
";

const COLUMNS: &str = "name, sha256, scope, indexes, created_s, expires_s, rate_per_minute, \
     quota_per_day, revoked_s";

pub fn insert(connection: &Connection, token: &Token) -> Result<()> {
    let names = match &token.indexes {
        Indexes::All => String::new(),
        Indexes::Only(names) => names.join(","),
    };
    let values = params![
        token.name,
        token.sha256,
        token.scope.name(),
        names,
        token.created_s,
        token.expires_s,
        token.rate_per_minute.map(u64::cast_signed),
        token.quota_per_day.map(u64::cast_signed),
        token.revoked_s,
    ];
    let sql = format!("INSERT INTO tokens ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
    connection.execute(&sql, values).map(drop)
}

pub fn all(connection: &Connection) -> Result<Vec<Token>> {
    let mut query = connection.prepare(&format!("SELECT {COLUMNS} FROM tokens ORDER BY n"))?;
    query.query_map([], token)?.collect()
}

fn token(row: &Row<'_>) -> Result<Token> {
    let (scope, names): (String, String) = (row.get(2)?, row.get(3)?);
    let number = |n: Option<i64>| n.and_then(|n| u64::try_from(n).ok());
    Ok(Token {
        name: row.get(0)?,
        sha256: row.get(1)?,
        // An unknown scope grants nothing.
        scope: Scope::from_name(&scope).unwrap_or(Scope::Open),
        indexes: Indexes::of(
            names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        ),
        created_s: row.get(4)?,
        expires_s: row.get(5)?,
        rate_per_minute: number(row.get(6)?),
        quota_per_day: number(row.get(7)?),
        revoked_s: row.get(8)?,
    })
}

/// Revokes the tokens of a name, and returns their number.
pub fn revoke(connection: &Connection, name: &str, now_s: i64) -> Result<usize> {
    let sql = "UPDATE tokens SET revoked_s = ?2 WHERE name = ?1 AND revoked_s IS NULL";
    connection.execute(sql, params![name, now_s])
}
