//! Divides the embedding of one ingest among machines, through PostgreSQL.
//!
//! The ingest offers batches of texts beside those that it embeds. Idle workers with the same model
//! claim them, with a lease and a fencing number, and return vectors. What no worker claims, or
//! returns in time, the ingest takes back and embeds; a vector that comes later is refused. So the
//! index is the same, and the database may fail at any moment.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cache::Key;
use crate::disk;
use crate::engine::Engine;
use crate::error::{Fault, Result};
use crate::jobs::Next;
use crate::ledger::{Param, Postgres};
use crate::model::{Embedder, EmbeddingRole, ModelFiles};
use crate::telemetry;
use crate::vector::Vector;

/// Texts of a batch: about a second of work, so that little is done twice when a worker dies.
const BATCH: usize = 32;
/// A smaller ingest is over before a worker has loaded the model.
const MIN_TEXTS: u64 = 8 * BATCH as u64;
/// Batches that no worker has claimed yet; more would only be taken back.
const MAX_UNCLAIMED: usize = 8;
/// Longer than a batch takes.
const LEASE_S: f64 = 30.0;
/// How often returned batches are looked for.
const COLLECT: Duration = Duration::from_millis(250);
/// When only batches of other workers are left and none came back for so long, the ingest embeds
/// them too: that costs less than to wait for the end of a lease.
const PATIENCE: Duration = Duration::from_secs(2);
/// A worker that helps ends when nothing was offered for so many pauses.
const IDLE_PAUSES: u32 = 8;
const IDLE: Duration = Duration::from_millis(250);

const OFFER: &str = "INSERT INTO rag_batches (run, n, fingerprint, texts) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (run, n) DO NOTHING";
const LOOK: &str = "SELECT n, vectors, lease_until IS NULL FROM rag_batches WHERE run = $1";
/// Of batches that are not being worked on.
const FREE: &str = "vectors IS NULL AND (lease_until IS NULL OR lease_until < now())";

/// A text to embed: its row, its cache key, the text.
pub(super) type Item = (usize, Key, String);

/// What an ingest has offered.
pub(super) struct Offers<'a> {
    postgres: Option<&'a Postgres>,
    model: &'a ModelFiles,
    dimension: usize,
    run: String,
    /// Texts of the batches that are offered, by number.
    open: BTreeMap<i64, Vec<Item>>,
    next: i64,
    n_unclaimed: usize,
    gathered: Vec<Item>,
    collected: Instant,
    /// When a batch came back last.
    came_back: Instant,
}

/// What was collected.
#[derive(Default)]
pub(super) struct Collected {
    pub vectors: Vec<(Item, Vector)>,
    /// Texts that the ingest embeds itself.
    pub back: Vec<Item>,
}

impl<'a> Offers<'a> {
    /// Offers of an ingest with so many texts; without a database, or for few texts, nothing is
    /// offered.
    pub fn new(engine: &'a Engine, model: &'a ModelFiles, dimension: usize, total: u64) -> Self {
        let run = disk::random_id().ok().filter(|_| total >= MIN_TEXTS);
        let postgres = engine.ledger.postgres().filter(|_| run.is_some());
        Self {
            postgres: postgres.map(|postgres| &**postgres),
            model,
            dimension,
            run: run.unwrap_or_default(),
            open: BTreeMap::new(),
            next: 0,
            n_unclaimed: 0,
            gathered: Vec::new(),
            collected: Instant::now(),
            came_back: Instant::now(),
        }
    }

    /// Takes a text to offer it, or gives it back.
    pub fn take(&mut self, item: Item) -> Option<Item> {
        if self.postgres.is_none() || self.n_unclaimed >= MAX_UNCLAIMED {
            return Some(item);
        }
        self.gathered.push(item);
        if self.gathered.len() == BATCH {
            let texts: Vec<&str> = self.gathered.iter().map(|(_, _, text)| &**text).collect();
            let texts = Param::Json(json!(texts));
            let (n, fingerprint) = (Param::Int(self.next), Param::text(&*self.model.fingerprint));
            let offered = self.execute(OFFER, &[Param::text(&*self.run), n, fingerprint, texts]);
            self.open.insert(self.next, std::mem::take(&mut self.gathered));
            self.next += 1;
            self.n_unclaimed += 1;
            self.check(offered);
        }
        None
    }

    /// What was returned since the last look, at most one look in [`COLLECT`]; and what is to be
    /// embedded here after all.
    pub fn collect_if_due(&mut self) -> Collected {
        if self.open.is_empty() || self.postgres.is_some() && self.collected.elapsed() < COLLECT {
            return Collected::default();
        }
        self.collected = Instant::now();
        self.collect()
    }

    /// The texts that are offered or gathered, when there are no others any more: takes back a
    /// batch that no worker has. `None` when all are done.
    pub fn finish(&mut self) -> Option<Collected> {
        if !self.gathered.is_empty() {
            return Some(Collected {
                back: std::mem::take(&mut self.gathered),
                vectors: Vec::new(),
            });
        }
        if self.open.is_empty() {
            return None;
        }
        // Whatever is no longer in the table is embedded here, so a lost reply does no harm.
        let which = if self.came_back.elapsed() < PATIENCE { FREE } else { "vectors IS NULL" };
        let sql = format!(
            "DELETE FROM rag_batches WHERE run = $1 AND n = (SELECT n FROM rag_batches \
             WHERE run = $1 AND {which} ORDER BY n LIMIT 1 FOR UPDATE SKIP LOCKED)"
        );
        let taken = self.execute(&sql, &[Param::text(&*self.run)]);
        self.check(taken);
        Some(self.collect())
    }

    fn collect(&mut self) -> Collected {
        let Some(postgres) = self.postgres else {
            let back = std::mem::take(&mut self.open).into_values().flatten().collect();
            return Collected { back, vectors: Vec::new() };
        };
        let rows = match postgres.query(LOOK, &[Param::text(&*self.run)]) {
            Ok(rows) => rows,
            Err(fault) => {
                self.check(Err(fault));
                return self.collect();
            }
        };
        let (mut collected, mut found) = (Collected::default(), BTreeMap::new());
        self.n_unclaimed = 0;
        for row in rows {
            let vectors = row.json(1);
            self.n_unclaimed += usize::from(vectors.is_null() && row.flag(2));
            found.insert(row.int(0), vectors);
        }
        let is_over = |n: &i64| found.get(n).is_none_or(|vectors| !vectors.is_null());
        let over: Vec<i64> = self.open.keys().copied().filter(is_over).collect();
        for n in over {
            self.came_back = Instant::now();
            let items = self.open.remove(&n).unwrap_or_default();
            let vectors = found.get(&n).and_then(|text| parse(text, items.len(), self.dimension));
            match vectors {
                Some(vectors) => collected.vectors.extend(items.into_iter().zip(vectors)),
                None => collected.back.extend(items),
            }
            let delete = "DELETE FROM rag_batches WHERE run = $1 AND n = $2";
            let deleted = self.execute(delete, &[Param::text(&*self.run), Param::Int(n)]);
            self.check(deleted);
        }
        collected
    }

    fn execute(&self, sql: &str, params: &[Param]) -> Result<u64> {
        self.postgres.map_or(Ok(0), |postgres| postgres.execute(sql, params))
    }

    /// Without the database, the ingest embeds everything itself.
    fn check(&mut self, outcome: Result<u64>) {
        if let Err(fault) = outcome {
            telemetry::warn!("no text is given to other machines any more: {fault}");
            self.postgres = None;
        }
    }
}

impl Drop for Offers<'_> {
    /// Removes what this ingest, and others that died an hour ago, have left.
    fn drop(&mut self) {
        if self.next > 0 {
            let sql = "DELETE FROM rag_batches WHERE run = $1 \
                       OR offered < now() - interval '1 hour'";
            let _ = self.execute(sql, &[Param::text(&*self.run)]);
        }
    }
}

/// As many vectors as a batch has texts; `None` for anything else.
fn parse(vectors: &Value, n: usize, dimension: usize) -> Option<Vec<Vector>> {
    let one = |bits: &Value| {
        let bits: Vec<u32> = serde_json::from_value(bits.clone()).ok()?;
        let numbers: Vec<f32> = bits.into_iter().map(f32::from_bits).collect();
        Vector::new(numbers).ok().filter(|vector| vector.dimension() == dimension)
    };
    let vectors: Vec<Vector> = vectors.as_array()?.iter().map(one).collect::<Option<_>>()?;
    (vectors.len() == n).then_some(vectors)
}

/// A batch that this worker embeds.
struct Claimed {
    run: String,
    n: i64,
    fence: i64,
    texts: Vec<String>,
}

/// Whether an ingest of another process offers texts for the configured model.
///
/// # Errors
/// When the database gives no answer.
pub fn is_help_wanted(engine: &Engine) -> Result<bool> {
    let (Some(postgres), Ok(model)) =
        (engine.ledger.postgres(), engine.model(&engine.config.model))
    else {
        return Ok(false);
    };
    let sql = format!("SELECT 1 FROM rag_batches WHERE fingerprint = $1 AND {FREE} LIMIT 1");
    Ok(!postgres.query(&sql, &[Param::Text(model.fingerprint)])?.is_empty())
}

/// Embeds texts that ingests of other processes offer, until none is offered or a job waits;
/// returns how many.
///
/// # Errors
/// When the model cannot be used, or the database gives no answer.
pub fn help(engine: &Engine) -> Result<u64> {
    let Some(postgres) = engine.ledger.postgres() else { return Ok(0) };
    let model = engine.model(&engine.config.model)?;
    let (n_texts, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let work = || {
        let mut embedder = Embedder::load(model.clone(), &engine.runtime_library()?)?;
        let mut pauses = 0;
        while !is_over.load(Ordering::Relaxed) && !engine.interrupted() {
            let Some(batch) = claim(postgres, &model.fingerprint)? else {
                pauses += 1;
                if pauses >= IDLE_PAUSES {
                    break;
                }
                std::thread::park_timeout(IDLE);
                continue;
            };
            pauses = 0;
            let embed = |text: &String| embedder.embed(EmbeddingRole::Passage, text);
            let vectors: Vec<Vector> = batch.texts.iter().map(embed).collect::<Result<_>>()?;
            give(postgres, &batch, &vectors)?;
            n_texts.fetch_add(vectors.len() as u64, Ordering::Relaxed);
            // A job goes first.
            let next = engine.jobs.peek_again(engine.now_ms(), engine.config.max_workers)?;
            is_over.fetch_or(matches!(next, Next::Ready(_)), Ordering::Relaxed);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..engine.config.threads).map(|_| scope.spawn(work)).collect();
        let died = || Fault::failed("an embedding thread has died");
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| died())?)
    })?;
    Ok(n_texts.into_inner())
}

fn claim(postgres: &Postgres, fingerprint: &str) -> Result<Option<Claimed>> {
    let sql = format!(
        "UPDATE rag_batches SET fence = fence + 1, \
         lease_until = now() + make_interval(secs => $2) WHERE (run, n) = (SELECT run, n \
         FROM rag_batches WHERE fingerprint = $1 AND {FREE} ORDER BY offered LIMIT 1 \
         FOR UPDATE SKIP LOCKED) RETURNING run, n, fence, texts"
    );
    let found = postgres.query(&sql, &[Param::text(fingerprint), Param::Real(LEASE_S)])?;
    Ok(found.first().map(|row| Claimed {
        run: row.text(0),
        n: row.int(1),
        fence: row.int(2),
        texts: serde_json::from_value(row.json(3)).unwrap_or_default(),
    }))
}

/// Returns the vectors of a batch, unless its lease was given to another.
fn give(postgres: &Postgres, batch: &Claimed, vectors: &[Vector]) -> Result<bool> {
    let bits = |vector: &Vector| vector.as_slice().iter().map(|x| x.to_bits()).collect();
    let bits: Vec<Vec<u32>> = vectors.iter().map(bits).collect();
    let sql = "UPDATE rag_batches SET vectors = $4 \
               WHERE run = $1 AND n = $2 AND fence = $3 AND vectors IS NULL";
    let own = [Param::text(&*batch.run), Param::Int(batch.n), Param::Int(batch.fence)];
    let [run, n, fence] = own;
    Ok(postgres.execute(sql, &[run, n, fence, Param::Json(json!(bits))])? > 0)
}
