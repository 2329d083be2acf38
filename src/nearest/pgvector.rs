//! Vectors in PostgreSQL with pgvector: a table for each space, with half-precision numbers and a
//! graph (HNSW).
//!
//! One machine at a time publishes into a space. It holds a lease on the generation that it writes,
//! and every write checks that the lease is still its own, in the transaction of the write. What a
//! machine left unfinished is finished by the next one, or undone.

use std::time::{Duration, Instant};

use super::publish::{Publication, bring_up_to_date};
use super::space::{Generation, Key, Proposed, Rows, Space, Status, key_of};
use super::watch::Watch;
use crate::config::{NearestEngine, NearestPlace, OnFailure};
use crate::disk::{self, Blake};
use crate::error::{Fault, Result};
use crate::ledger::{Migration, Param, Postgres, Transaction};
use crate::telemetry;

/// Seconds for which a lease lasts; each write renews it.
const LEASE: &str = "now() + interval '60 seconds'";
/// How long another machine's publication is waited for.
const PATIENCE: Duration = Duration::from_secs(600);
const PAUSE: Duration = Duration::from_millis(200);
/// For building a graph and counting rows: of some ten million vectors.
const LONG: Duration = Duration::from_secs(6 * 3600);
/// Keys that are read at a time.
const PAGE: i64 = 20_000;
/// The first version whose scans go on until they have enough rows that pass a filter.
const LEAST_VERSION: (u32, u32) = (0, 8);
/// Rows that one scan may visit. pgvector's 20,000 end the scan of a large table early where few
/// rows belong to the generation.
const MAX_VISITED: u32 = 1_000_000;

pub struct Pgvector {
    postgres: Postgres,
    watch: Watch,
    prefix: String,
    on_failure: OnFailure,
}

/// What a machine that wants to publish finds.
enum Claim {
    /// The engine has the generation.
    Whole,
    /// The number to write it under.
    Ours(i64),
    /// Another machine is writing.
    Busy,
}

impl Pgvector {
    /// # Errors
    /// As [`Postgres::open`].
    pub fn open(place: &NearestPlace) -> Result<Self> {
        let Some(database) = &place.database else {
            return Err(Fault::usage("`nearest.url` is not set"));
        };
        // A plan for any generation and any number of rows would not use the graph.
        let options = format!(
            "-c hnsw.iterative_scan=strict_order -c hnsw.ef_search={} \
             -c hnsw.max_scan_tuples={MAX_VISITED} -c plan_cache_mode=force_custom_plan",
            place.breadth
        );
        Ok(Self {
            postgres: Postgres::open_for_vectors(database, &options)?,
            watch: Watch::new(NearestEngine::Pgvector.name()),
            prefix: place.prefix.clone(),
            on_failure: place.on_failure,
        })
    }

    pub fn on_failure(&self) -> OnFailure {
        self.on_failure
    }

    pub fn number(&self, generation: &Generation) -> Result<Option<i64>> {
        let sql = "SELECT number FROM rag_generations \
                   WHERE space = $1 AND generation = $2 AND is_whole";
        let params = [Param::text(self.name(&generation.space)), Param::text(&generation.sha256)];
        let found = self.watch.ask(|| self.postgres.query(sql, &params))?;
        Ok(found.first().map(|row| row.int(0)))
    }

    pub fn propose(
        &self,
        Generation { space, .. }: &Generation,
        number: i64,
        query: &[f32],
        wanted: usize,
    ) -> Result<Vec<Proposed>> {
        let (name, dimension) = (self.name(space), space.dimension);
        // Nothing when the generation was retired, whose vectors may be deleted.
        let sql = format!(
            "SELECT key::text, -(v::halfvec({dimension}) <#> $1::text::halfvec({dimension})) \
             FROM rag_vectors WHERE space = $4 AND born <= $2 AND (died IS NULL OR died > $2) \
             AND EXISTS \
             (SELECT FROM rag_generations WHERE space = $4 AND number = $2 AND is_whole) \
             ORDER BY v::halfvec({dimension}) <#> $1::text::halfvec({dimension}) LIMIT $3"
        );
        let wanted = i64::try_from(wanted).unwrap_or(i64::MAX);
        let query = Param::Text(text_of(query));
        let params = [query, Param::Int(number), Param::Int(wanted), Param::Text(name)];
        let found = self.watch.ask(|| self.postgres.query(&sql, &params))?;
        let proposed = found.iter().map(|row| {
            let cosine = row.real(1) as f32;
            Some(Proposed { key: key_of(&row.text(0))?, cosine })
        });
        proposed
            .collect::<Option<_>>()
            .ok_or_else(|| Fault::outside("pgvector returned a key that is not one"))
    }

    pub fn publish(&self, generation: &Generation, rows: &Rows<'_>) -> Result<()> {
        let holder = disk::random_id()?;
        let number = match self.wait_for_claim(generation, rows, &holder)? {
            Some(number) => number,
            None => return Ok(()),
        };
        let name = self.name(&generation.space);
        let mut writing = Writing { engine: self, table: table(&name), name, number, holder };
        let written = bring_up_to_date(&mut writing, rows)
            .and_then(|changes| writing.finish(generation, rows.keys.len()).map(|()| changes));
        match &written {
            Ok((added, ended)) => telemetry::info!(added, ended, "wrote vectors to pgvector"),
            Err(_) => writing.release(),
        }
        written.map(drop)
    }

    /// The number to publish a generation under; `None` when it is there.
    fn wait_for_claim(
        &self,
        generation: &Generation,
        rows: &Rows<'_>,
        holder: &str,
    ) -> Result<Option<i64>> {
        let start = Instant::now();
        loop {
            match self.watch.write(|| self.claim(generation, rows.keys.len(), holder))? {
                Claim::Whole => return Ok(None),
                Claim::Ours(number) => return Ok(Some(number)),
                Claim::Busy if (rows.stop)() => return Err(Fault::interrupted()),
                Claim::Busy if start.elapsed() > PATIENCE => {
                    let index = &generation.space.index;
                    let what = format!("another machine is writing vectors of `{index}`");
                    return Err(Fault::busy(what));
                }
                Claim::Busy => std::thread::park_timeout(PAUSE),
            }
        }
    }

    fn claim(&self, generation: &Generation, rows: usize, holder: &str) -> Result<Claim> {
        let name = self.name(&generation.space);
        let (space, sha256) = (Param::text(&name), Param::text(&generation.sha256));
        let own = Param::text(holder);
        self.postgres.transaction(|transaction| {
            let lock = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";
            transaction.query(lock, &[space.clone()])?;
            // Of an earlier try that was lost after its commit, the holder is this one.
            let sql = "SELECT number, is_whole, generation = $2, \
                       coalesce(lease_until > now() AND holder <> $3, false) \
                       FROM rag_generations WHERE space = $1 AND (NOT is_whole OR generation = $2)";
            let found = transaction.query(sql, &[space.clone(), sha256.clone(), own.clone()])?;
            if found.iter().any(|row| row.flag(1) && row.flag(2)) {
                return Ok(Claim::Whole);
            }
            if let Some(unfinished) = found.first() {
                let (number, is_ours) = (unfinished.int(0), unfinished.flag(2));
                if unfinished.flag(3) {
                    return Ok(Claim::Busy);
                }
                if is_ours {
                    let sql = format!(
                        "UPDATE rag_generations SET holder = $3, lease_until = {LEASE} \
                         WHERE space = $1 AND number = $2"
                    );
                    let params = [space.clone(), Param::Int(number), own.clone()];
                    transaction.execute(&sql, &params)?;
                    return Ok(Claim::Ours(number));
                }
                undo(transaction, &name, number)?;
            }
            make_table(transaction, &name)?;
            let sql = format!(
                "INSERT INTO rag_generations \
                 (space, number, generation, rows, holder, lease_until) \
                 SELECT $1, coalesce(max(number), 0) + 1, $2, $3, $4, {LEASE} \
                 FROM rag_generations WHERE space = $1 RETURNING number"
            );
            let rows = Param::Int(rows as i64);
            let params = [space.clone(), sha256.clone(), rows, own.clone()];
            let number = transaction.query(&sql, &params)?.first().map(|row| row.int(0));
            number.map(Claim::Ours).ok_or_else(|| Fault::outside("PostgreSQL gave no number"))
        })
    }

    pub fn retire(&self, index: &str, kept: &[Generation]) -> Result<()> {
        let spaces: Vec<String> =
            kept.iter().map(|generation| self.name(&generation.space)).collect();
        // Another machine that is writing deletes them when it has finished.
        let sql = "SELECT space FROM rag_generations WHERE starts_with(space, $1) GROUP BY space \
                   HAVING bool_and(is_whole OR NOT coalesce(lease_until > now(), false))";
        let all = Param::Text(format!("{}/{index}/", self.prefix));
        for row in self.watch.write(|| self.postgres.query(sql, &[all]))? {
            let name = row.text(0);
            let of_space = kept.iter().filter(|generation| self.name(&generation.space) == name);
            let of_space: Vec<&str> = of_space.map(|kept| kept.sha256.as_str()).collect();
            let is_current = spaces.first() == Some(&name);
            self.watch.write(|| self.retire_in(&name, &of_space, is_current))?;
        }
        Ok(())
    }

    fn retire_in(&self, name: &str, kept: &[&str], is_current: bool) -> Result<()> {
        let (space, table) = (Param::text(name), table(name));
        self.postgres.long_transaction(LONG, |transaction| {
            let lock = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";
            transaction.query(lock, &[space.clone()])?;
            if kept.is_empty() {
                transaction.script(&format!("DROP TABLE IF EXISTS {table}"))?;
                let sql = "DELETE FROM rag_generations WHERE space = $1";
                return transaction.execute(sql, &[space.clone()]).map(drop);
            }
            // Later generations are those of other machines, which are about to be current.
            let sql = "DELETE FROM rag_generations WHERE space = $1 AND is_whole \
                       AND generation <> ALL (string_to_array($2, ',')) \
                       AND (NOT $4 OR number < (SELECT number FROM rag_generations \
                                                WHERE space = $1 AND generation = $3))";
            let current = Param::text(kept.first().copied().unwrap_or_default());
            let is_current = Param::Flag(is_current);
            let params = [space.clone(), Param::Text(kept.join(",")), current, is_current];
            transaction.execute(sql, &params)?;
            let sql = format!(
                "DELETE FROM {table} v WHERE died IS NOT NULL AND NOT EXISTS \
                 (SELECT FROM rag_generations g WHERE g.space = $1 \
                  AND v.born <= g.number AND v.died > g.number)"
            );
            transaction.execute(&sql, &[space.clone()]).map(drop)
        })
    }

    pub fn check(&self) -> Result<String> {
        let found = self.postgres.check()?;
        let sql = "SELECT extversion FROM pg_extension WHERE extname = 'vector'";
        let version = self.postgres.query(sql, &[])?.first().map(|row| row.text(0));
        let version = version.unwrap_or_default();
        let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or_default());
        let number = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        if number < LEAST_VERSION {
            let (major, minor) = LEAST_VERSION;
            let what = format!("pgvector {version} is older than {major}.{minor}");
            return Err(
                Fault::outside(what).hint("update it, then `ALTER EXTENSION vector UPDATE`")
            );
        }
        Ok(format!("pgvector {version}: {found}"))
    }

    pub fn migrate(&self) -> Result<Migration> {
        self.postgres.migrate()
    }

    pub fn status(&self) -> Status {
        let pool = self.postgres.status();
        Status {
            engine: NearestEngine::Pgvector.name(),
            is_well: self.watch.is_well(),
            latency: self.watch.latency(),
            open: pool.open,
            used: pool.used,
            most: pool.most,
        }
    }

    /// The name of a space: letters, digits and `._-/`.
    fn name(&self, space: &Space) -> String {
        format!("{}/{}/{}", self.prefix, space.index, space.model)
    }
}

/// A publication under way.
struct Writing<'a> {
    engine: &'a Pgvector,
    table: String,
    name: String,
    number: i64,
    holder: String,
}

impl Writing<'_> {
    /// Runs a statement, if the lease is still ours. Its first parameter is the number.
    fn change(&self, sql: &str, params: &[Param]) -> Result<()> {
        let renew = format!(
            "UPDATE rag_generations SET lease_until = {LEASE} \
             WHERE space = $1 AND number = $2 AND holder = $3 AND NOT is_whole"
        );
        let (space, number) = (Param::text(&self.name), Param::Int(self.number));
        let lease = [space, number.clone(), Param::text(&self.holder)];
        let params: Vec<Param> = std::iter::once(number).chain(params.iter().cloned()).collect();
        let Pgvector { watch, postgres, .. } = self.engine;
        watch.write(|| {
            postgres.transaction(|transaction| {
                if transaction.execute(&renew, &lease)? == 0 {
                    return Err(Fault::busy("another machine has taken over writing the vectors"));
                }
                transaction.execute(sql, &params).map(drop)
            })
        })
    }

    /// Makes the graph, counts the vectors and marks the generation as whole.
    fn finish(&self, generation: &Generation, rows: usize) -> Result<()> {
        let Self { engine, table, name, number, holder } = self;
        let dimension = generation.space.dimension;
        let (space, number) = (Param::text(name), Param::Int(*number));
        engine.postgres.long_transaction(LONG, |transaction| {
            let sql = "UPDATE rag_generations SET lease_until = now() + interval '1 day' \
                       WHERE space = $1 AND number = $2 AND holder = $3";
            let ours = [space.clone(), number.clone(), Param::text(holder)];
            if transaction.execute(sql, &ours)? == 0 {
                return Err(Fault::busy("another machine has taken over writing the vectors"));
            }
            transaction.script(&format!(
                "CREATE INDEX IF NOT EXISTS {table}_graph ON {table} \
                 USING hnsw ((v::halfvec({dimension})) halfvec_ip_ops); ANALYZE {table}"
            ))?;
            let sql = format!(
                "SELECT count(*) FROM {table} WHERE born <= $1 AND (died IS NULL OR died > $1)"
            );
            let found = transaction.query(&sql, &[number.clone()])?;
            let found = found.first().map_or(0, |row| row.int(0));
            if found != rows as i64 {
                let what = format!("pgvector has {found} of the {rows} vectors of a generation");
                return Err(Fault::outside(what));
            }
            let sql = "UPDATE rag_generations SET is_whole = true, holder = NULL, \
                       lease_until = NULL WHERE space = $1 AND number = $2";
            transaction.execute(sql, &[space.clone(), number.clone()]).map(drop)
        })
    }

    /// Lets another machine go on at once. What fails here ends with the lease.
    fn release(&self) {
        let sql = "UPDATE rag_generations SET lease_until = NULL \
                   WHERE space = $1 AND number = $2 AND holder = $3 AND NOT is_whole";
        let params = [Param::text(&self.name), Param::Int(self.number), Param::text(&self.holder)];
        let _ = self.engine.postgres.execute(sql, &params);
    }
}

impl Publication for Writing<'_> {
    fn alive(&mut self, last: Option<Key>) -> Result<Vec<Key>> {
        let sql = format!(
            "SELECT t.key::text FROM {} t WHERE space = $4 \
             AND born < $1 AND (died IS NULL OR died >= $1) \
             AND ($2::text IS NULL OR key > $2::text::uuid) ORDER BY t.key LIMIT $3",
            self.table
        );
        let last = Param::of(last, |key| Param::Text(disk::hex(&key)));
        let space = Param::text(&self.name);
        let params = [Param::Int(self.number), last, Param::Int(PAGE), space];
        let Pgvector { watch, postgres, .. } = self.engine;
        let found = watch.write(|| postgres.query(&sql, &params))?;
        let keys = found.iter().map(|row| key_of(&row.text(0)));
        keys.collect::<Option<_>>()
            .ok_or_else(|| Fault::outside("pgvector returned a key that is not one"))
    }

    fn add(&mut self, rows: &[(Key, Vec<f32>)]) -> Result<()> {
        let keys: Vec<String> = rows.iter().map(|(key, _)| disk::hex(key)).collect();
        let vectors: Vec<String> = rows.iter().map(|(_, vector)| text_of(vector)).collect();
        let sql = format!(
            "INSERT INTO {} (space, key, born, v) SELECT $4, k::uuid, $1, v::halfvec \
             FROM unnest(string_to_array($2, ','), string_to_array($3, ';')) AS t (k, v) \
             ON CONFLICT DO NOTHING",
            self.table
        );
        let (keys, vectors) = (Param::Text(keys.join(",")), Param::Text(vectors.join(";")));
        self.change(&sql, &[keys, vectors, Param::text(&self.name)])
    }

    fn end(&mut self, keys: &[Key]) -> Result<()> {
        let keys: Vec<String> = keys.iter().map(|key| disk::hex(key)).collect();
        let sql = format!(
            "UPDATE {} SET died = $1 WHERE key = ANY (string_to_array($2, ',')::uuid[]) \
             AND born < $1 AND died IS NULL",
            self.table
        );
        self.change(&sql, &[Param::Text(keys.join(","))])
    }
}

/// Takes back what a machine that died has written under a number.
fn undo(transaction: &mut Transaction<'_>, name: &str, number: i64) -> Result<()> {
    let (table, number) = (table(name), Param::Int(number));
    transaction.execute(&format!("DELETE FROM {table} WHERE born = $1"), &[number.clone()])?;
    let sql = format!("UPDATE {table} SET died = NULL WHERE died = $1");
    transaction.execute(&sql, &[number.clone()])?;
    let sql = "DELETE FROM rag_generations WHERE space = $1 AND number = $2";
    transaction.execute(sql, &[Param::text(name), number]).map(drop)
}

/// The table of a space. Statements that define tables take no parameters; the name has letters,
/// digits and `._-/` only.
fn make_table(transaction: &mut Transaction<'_>, name: &str) -> Result<()> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    if !name.chars().all(is_plain) {
        return Err(Fault::failed("a space has a name that is not plain"));
    }
    let table = table(name);
    transaction.script(&format!(
        "CREATE TABLE IF NOT EXISTS {table} PARTITION OF rag_vectors FOR VALUES IN ('{name}') \
         WITH (fillfactor = 90); \
         CREATE INDEX IF NOT EXISTS {table}_died ON {table} (died) WHERE died IS NOT NULL"
    ))
}

fn table(name: &str) -> String {
    let digest = Blake::new(8).field(name.as_bytes()).finish::<8>();
    format!("rag_vectors_{}", disk::hex(&digest))
}

/// As pgvector reads it.
fn text_of(vector: &[f32]) -> String {
    let numbers: Vec<String> = vector.iter().map(ToString::to_string).collect();
    format!("[{}]", numbers.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numbers_are_readable() {
        assert_eq!(text_of(&[0.5, -1e-9, 1.0]), "[0.5,-0.000000001,1]");
    }
}
