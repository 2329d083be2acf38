//! Which of several servers posts the end of a job.
//!
//! Each of them sees it. The first that claims it has a lease; when that ends without a result, its
//! holder is gone, and another server takes over. So an end is posted once, and again only if a
//! server dies between the reply and its record.

use crate::error::Result;
use crate::ledger::{Param, Postgres};

/// How long a holder may take: more than all its attempts do.
pub(super) const LEASE_S: f64 = 120.0;

/// The end of a job for one address.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    pub job: &'a str,
    /// When the job ended: a job that is tried again ends again.
    pub ended_ms: u64,
    pub address: &'a str,
    /// This server.
    pub holder: &'a str,
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Ours,
    /// Another server holds the lease.
    Theirs,
    /// It is done, or the job is gone.
    Over,
}

pub(super) fn claim(postgres: &Postgres, delivery: &Delivery<'_>) -> Result<Turn> {
    let take = "INSERT INTO rag_deliveries AS d (job, ended_ms, address, holder, until) \
                SELECT id, $2, $3, $4, now() + make_interval(secs => $5) FROM rag_jobs \
                WHERE id = $1 ON CONFLICT (job, ended_ms, address) DO UPDATE \
                SET holder = excluded.holder, until = excluded.until \
                WHERE NOT d.is_done AND (d.holder = excluded.holder OR d.until < now())";
    let mut params = named(delivery).to_vec();
    params.extend([Param::text(delivery.holder), Param::Real(LEASE_S)]);
    if postgres.execute(take, &params)? == 1 {
        return Ok(Turn::Ours);
    }
    let look = "SELECT is_done FROM rag_deliveries \
                WHERE job = $1 AND ended_ms = $2 AND address = $3";
    let found = postgres.query(look, &named(delivery))?;
    Ok(match found.first() {
        Some(row) if !row.flag(0) => Turn::Theirs,
        _ => Turn::Over,
    })
}

pub(super) fn end(postgres: &Postgres, delivery: &Delivery<'_>) -> Result<()> {
    let sql = "UPDATE rag_deliveries SET is_done = true \
               WHERE job = $1 AND ended_ms = $2 AND address = $3";
    postgres.execute(sql, &named(delivery)).map(drop)
}

fn named(delivery: &Delivery<'_>) -> [Param; 3] {
    let ended = i64::try_from(delivery.ended_ms).unwrap_or(i64::MAX);
    [Param::text(delivery.job), Param::Int(ended), Param::text(delivery.address)]
}
