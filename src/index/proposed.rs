//! Candidates that an engine proposes, with their exact cosines.
//!
//! The engine names texts; their passages and cosines are those of the generation. What fusion
//! needs beyond the best, the mean and the spread of all cosines, comes from a sample of passages:
//! those with the smallest keys, which are digests, so that the sample depends neither on the
//! history of the index nor on the engine. Its mean is off by a hundredth of the spread or less
//! (one deviation, 1/√16,384). An index with fewer passages is its own sample.
//!
//! Whatever the engine cannot do is done by comparing the codes: for a filter that leaves few
//! passages, for a generation that it does not have, where it proposes too few or wrong texts.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use super::dense::{Files, KEY_BYTES, Near, Nearest, Passages, RARE, Scan};
use super::listed::Listed;
use crate::config::OnFailure;
use crate::error::{Fault, Kind, Result, locked};
use crate::nearest::{self, Generation, Key, Proposed, Rows};
use crate::telemetry;
use crate::vector::Spread;

/// Passages that the spread is computed from.
const SAMPLE: usize = 16_384;
/// The most texts that an engine is asked for.
const DEEPEST: usize = 16_384;
/// How much more an engine is asked for when it proposed too few.
const DEEPER: usize = 4;
/// Numbers in engines have at least 11 bits, so cosines differ by less than 0.001. A text whose
/// cosine differs by more has the vector of another.
const TOLERANCE: f32 = 0.01;
/// How long a generation that an engine does not have is not asked for again.
const ABSENT: Duration = Duration::from_secs(5);

/// An engine, and what is known of one generation in it.
pub struct Proposer {
    engine: nearest::Nearest,
    generation: Generation,
    /// The keys of the rows.
    keys: Files,
    texts: OnceLock<Texts>,
    number: Mutex<Known>,
    /// It was logged that the engine does not have the generation.
    is_logged: AtomicBool,
}

/// The number of the generation in the engine.
#[derive(Clone, Copy, Default)]
enum Known {
    #[default]
    Unknown,
    Absent(Instant),
    At(i64),
}

/// The texts of a generation.
struct Texts {
    /// Keys and ordinals of all live passages, sorted.
    passages: Vec<(Key, u32)>,
    /// Different keys.
    n: usize,
}

impl Proposer {
    pub fn new(engine: nearest::Nearest, generation: Generation, keys: Files) -> Self {
        Self {
            engine,
            generation,
            keys,
            texts: OnceLock::new(),
            number: Mutex::default(),
            is_logged: AtomicBool::new(false),
        }
    }

    pub fn generation(&self) -> &Generation {
        &self.generation
    }

    /// As [`Scan::nearest`], with the candidates of the engine.
    ///
    /// # Errors
    /// [`Kind::Outside`] when the engine does not answer, unless the settings want a scan then;
    /// [`Kind::Damaged`] when a block fails its checksum.
    pub fn nearest(
        &self,
        scan: &Scan,
        queries: &[&[f32]],
        passages: Passages<'_>,
        near: Near,
    ) -> Result<Vec<Nearest>> {
        queries.iter().map(|query| self.nearest_to(scan, query, passages, near)).collect()
    }

    fn nearest_to(
        &self,
        scan: &Scan,
        query: &[f32],
        passages: Passages<'_>,
        near: Near,
    ) -> Result<Nearest> {
        let outcome = match self.propose(scan, query, passages, near) {
            Ok(Ok(nearest)) => {
                telemetry::nearest(self.engine.name(), "ok");
                return Ok(nearest);
            }
            Ok(Err(reason)) => reason,
            Err(fault) => {
                telemetry::nearest(self.engine.name(), "failed");
                if fault.kind() != Kind::Outside || self.engine.on_failure() != OnFailure::Scan {
                    return Err(fault);
                }
                telemetry::debug!(fault = fault.to_string(), "vectors are compared here");
                return one(scan.nearest(&[query], passages, near)?);
            }
        };
        telemetry::nearest(self.engine.name(), outcome);
        one(scan.nearest(&[query], passages, near)?)
    }

    /// What the engine finds, or why it is not used: the outcome of the metric.
    fn propose(
        &self,
        scan: &Scan,
        query: &[f32],
        passages: Passages<'_>,
        near: Near,
    ) -> Result<Result<Nearest, &'static str>> {
        let texts = self.texts(passages.rows)?;
        let n_allowed = match passages.allowed {
            None => texts.passages.len(),
            Some(_) => texts.allowed(passages).count(),
        };
        let is_few = passages.allowed.is_some() && n_allowed * RARE < texts.passages.len();
        let wanted = near.wanted.min(n_allowed);
        if is_few || wanted == 0 {
            return Ok(Err("exact"));
        }
        // As many as leave enough where the allowed passages are as near as the others.
        let mut asked = (wanted * texts.passages.len()).div_ceil(n_allowed).min(texts.n);
        loop {
            if asked > DEEPEST {
                return Ok(Err("exact"));
            }
            let Some(number) = self.number()? else { return Ok(Err("absent")) };
            let proposed = self.engine.propose(&self.generation, number, query, asked)?;
            if proposed.len() < asked {
                // Perhaps another machine has retired the generation.
                self.forget_number();
                return Ok(Err("short"));
            }
            let Some(cosines) = texts.cosines(scan, query, passages, &proposed)? else {
                telemetry::warn!("the engine has vectors of other texts; they are compared here");
                return Ok(Err("wrong"));
            };
            if cosines.len() < wanted && asked < texts.n {
                asked = (asked * DEEPER).min(texts.n);
                continue;
            }
            let is_all = cosines.len() == n_allowed;
            let mut listed = Listed::best_of(cosines.into_iter(), near.wanted);
            listed.is_complete &= is_all;
            let spread = texts.spread(scan, query, passages, n_allowed)?;
            return Ok(Ok(Nearest { listed, spread }));
        }
    }

    /// Writes what the engine lacks. `rows` has the row of each ordinal.
    ///
    /// # Errors
    /// As [`nearest::Nearest::publish`].
    pub fn publish(&self, scan: &Scan, rows: &[u64], stop: &dyn Fn() -> bool) -> Result<()> {
        if self.has_vectors()? {
            return Ok(());
        }
        let texts = self.texts(rows)?;
        let mut distinct = texts.passages.clone();
        distinct.dedup_by_key(|(key, _)| *key);
        let keys: Vec<Key> = distinct.iter().map(|(key, _)| *key).collect();
        let vector = |n: usize| {
            let row = distinct.get(n).and_then(|(_, ordinal)| rows.get(*ordinal as usize));
            let row = row.ok_or_else(|| Fault::failed("a text has no vector"))?;
            scan.row(*row as usize)
        };
        self.engine.publish(&self.generation, &Rows { keys: &keys, vector: &vector, stop })
    }

    /// Whether the engine has all vectors.
    ///
    /// # Errors
    /// [`Kind::Outside`] when the engine does not answer.
    pub fn has_vectors(&self) -> Result<bool> {
        self.engine.number(&self.generation).map(|number| number.is_some())
    }

    /// The number of the generation in the engine; `None` when it is not there.
    fn number(&self) -> Result<Option<i64>> {
        let known = *locked(&self.number);
        match known {
            Known::At(number) => return Ok(Some(number)),
            Known::Absent(since) if since.elapsed() < ABSENT => return Ok(None),
            Known::Absent(_) | Known::Unknown => {}
        }
        let number = self.engine.number(&self.generation)?;
        let known = number.map_or_else(|| Known::Absent(Instant::now()), Known::At);
        *locked(&self.number) = known;
        if number.is_none() && !self.is_logged.swap(true, Ordering::Relaxed) {
            telemetry::warn!(
                engine = self.engine.name(),
                index = self.generation.space.index.as_str(),
                "the engine does not have this generation; every vector is compared"
            );
        }
        Ok(number)
    }

    fn forget_number(&self) {
        *locked(&self.number) = Known::Unknown;
    }

    fn texts(&self, rows: &[u64]) -> Result<&Texts> {
        if let Some(texts) = self.texts.get() {
            return Ok(texts);
        }
        let read = Texts::read(&self.keys, rows)?;
        Ok(self.texts.get_or_init(|| read))
    }
}

impl Texts {
    fn read(files: &Files, rows: &[u64]) -> Result<Self> {
        let mut keys: Vec<Key> = Vec::new();
        for (file, n) in files {
            let bytes = file.read(0..file.len()).map_err(|e| Fault::damaged(e.to_string()))?;
            let (of_file, rest) = bytes.as_chunks::<KEY_BYTES>();
            if !rest.is_empty() || of_file.len() != *n {
                return Err(Fault::damaged(format!("{file:?} has not {n} keys")));
            }
            keys.extend(of_file);
        }
        // A deleted passage has a row beyond all.
        let key = |row: &u64| keys.get(usize::try_from(*row).unwrap_or(usize::MAX)).copied();
        let ordinals = rows.iter().zip(0u32..);
        let mut passages: Vec<(Key, u32)> =
            ordinals.filter_map(|(row, ordinal)| Some((key(row)?, ordinal))).collect();
        passages.sort_unstable();
        let same = passages.windows(2).filter(|pair| pair[0].0 == pair[1].0).count();
        Ok(Self { n: passages.len() - same, passages })
    }

    /// The rows of the passages that are allowed, in the order of their keys.
    fn allowed<'a>(&'a self, passages: Passages<'a>) -> impl Iterator<Item = usize> + 'a {
        self.passages.iter().filter_map(move |(_, ordinal)| passages.row(*ordinal as usize))
    }

    /// Ordinals and exact cosines of the allowed passages with a proposed text; `None` when one of
    /// them has another cosine in the engine. A text that the generation does not have is skipped.
    fn cosines(
        &self,
        scan: &Scan,
        query: &[f32],
        passages: Passages<'_>,
        proposed: &[Proposed],
    ) -> Result<Option<Vec<(u32, f32)>>> {
        let mut cosines = Vec::with_capacity(proposed.len());
        for Proposed { key, cosine } in proposed {
            let first = self.passages.partition_point(|(other, _)| other < key);
            let with_key = self.passages.iter().skip(first).take_while(|(other, _)| other == key);
            for (_, ordinal) in with_key {
                let Some(row) = passages.row(*ordinal as usize) else { continue };
                let exact = scan.cosine(query, row)?;
                if (exact - cosine).abs() > TOLERANCE {
                    return Ok(None);
                }
                cosines.push((*ordinal, exact));
            }
        }
        Ok(Some(cosines))
    }

    fn spread(
        &self,
        scan: &Scan,
        query: &[f32],
        passages: Passages<'_>,
        n_allowed: usize,
    ) -> Result<Spread> {
        scan.spread(query, self.allowed(passages).take(SAMPLE), n_allowed as u64)
    }
}

/// The result for the only query.
fn one(mut found: Vec<Nearest>) -> Result<Nearest> {
    found.pop().ok_or_else(|| Fault::failed("a comparison of vectors has no result"))
}
