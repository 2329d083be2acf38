//! The passages nearest to a query: estimates for all from their codes, exact cosines for those
//! that may be among the best.
//!
//! Let L be the `wanted`-th largest of the least cosines that the estimates allow. At least so many
//! passages have a cosine of L or more, and so has each of the best, ties with the last included.
//! A passage whose largest possible cosine is below L is none of them; all others are read: for 200
//! wanted of 10,700 abstracts 265 (median of 200 questions), and 339 at most.

use super::super::lexical::NO_ROW;
use super::super::listed::Listed;
use super::code::{CodeReader, Coded, Estimate, encode};
use super::reader::VectorReader;
use super::records::Files;
use crate::error::{Fault, Result};
use crate::vector::{Moments, Spread};

/// What the dense retriever finds for a query.
#[derive(Clone, Debug, PartialEq)]
pub struct Nearest {
    /// The best passages with their exact cosines.
    pub listed: Listed,
    /// Of the cosines of all passages that are allowed.
    pub spread: Spread,
}

/// How to search.
#[derive(Clone, Copy, Debug)]
pub struct Near {
    /// Passages to list.
    pub wanted: usize,
    pub comparison: Comparison,
    /// Threads that read rows at most; their number changes no result.
    pub threads: usize,
}

/// What a query is compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Comparison {
    /// The codes of every row, and the rows that may be the nearest. The spread is that of the
    /// estimates.
    #[default]
    Codes,
    /// Every row: the reference of tests and measurements.
    Rows,
}

/// The passages of a generation, by ordinal.
#[derive(Clone, Copy)]
pub struct Passages<'a> {
    /// The row of each passage; [`NO_ROW`] for a deleted one.
    pub rows: &'a [u64],
    /// `None` allows all.
    pub allowed: Option<&'a [bool]>,
}

impl Passages<'_> {
    /// The row of a passage that is neither deleted nor excluded.
    pub fn row(&self, ordinal: usize) -> Option<usize> {
        let row = self.rows.get(ordinal).filter(|row| **row != NO_ROW)?;
        let is_allowed =
            self.allowed.is_none_or(|allowed| allowed.get(ordinal).copied().unwrap_or_default());
        is_allowed.then_some(*row as usize)
    }

    /// Ordinals and rows within a range of ordinals.
    fn within(&self, ordinals: std::ops::Range<usize>) -> impl Iterator<Item = (u32, usize)> {
        ordinals.filter_map(|ordinal| Some((ordinal as u32, self.row(ordinal)?)))
    }

    fn all(&self) -> impl Iterator<Item = (u32, usize)> {
        self.within(0..self.rows.len())
    }
}

/// The open rows and codes of a generation.
pub struct Scan {
    vectors: VectorReader,
    codes: CodeReader,
}

/// Where fewer than one in this many passages are allowed, the others' codes are not read. Reading
/// scattered rows takes longer than reading as many in order.
pub const RARE: usize = 8;

/// Passages that make another thread worthwhile.
const PASSAGES_OF_A_THREAD: usize = 100_000;

impl Scan {
    /// # Errors
    /// [`Kind::Damaged`](crate::error::Kind::Damaged) when a file has another shape.
    pub fn open(vectors: Files, codes: Files, dimension: usize) -> Result<Self> {
        let vectors = VectorReader::open(vectors, dimension)?;
        Ok(Self { vectors, codes: CodeReader::open(codes, dimension)? })
    }

    pub fn rows(&self) -> usize {
        self.vectors.rows()
    }

    pub fn dimension(&self) -> usize {
        self.vectors.dimension()
    }

    /// One row.
    pub fn row(&self, row: usize) -> Result<Vec<f32>> {
        self.vectors.row(row)
    }

    /// The exact cosine of one row.
    pub fn cosine(&self, query: &[f32], row: usize) -> Result<f32> {
        self.vectors.cosine(query, row)
    }

    /// The spread of the cosines of `n` passages, from the codes of a `sample` of their rows.
    pub fn spread(
        &self,
        query: &[f32],
        sample: impl Iterator<Item = usize>,
        n: u64,
    ) -> Result<Spread> {
        let coded = Coded::of(query);
        let mut moments = Moments::default();
        for row in sample {
            moments.add(self.codes.estimate(&coded, row)?.product);
        }
        Ok(Spread { n, ..moments.spread() })
    }

    /// The number of rows whose codes are not those of their vector.
    pub fn wrong_codes(&self) -> Result<usize> {
        let mut wrong = 0;
        for row in 0..self.rows() {
            wrong += usize::from(encode(&self.row(row)?) != self.codes.row(row)?);
        }
        Ok(wrong)
    }

    /// The nearest passages for each of `queries`. Every row must be one of this scan, and every
    /// query must have its dimension.
    ///
    /// # Errors
    /// [`Kind::Damaged`](crate::error::Kind::Damaged) when a block fails its checksum.
    pub fn nearest(
        &self,
        queries: &[&[f32]],
        passages: Passages<'_>,
        near: Near,
    ) -> Result<Vec<Nearest>> {
        if near.comparison == Comparison::Rows {
            return self.nearest_of_rows(queries, passages, near);
        }
        let coded: Vec<Coded> = queries.iter().map(|query| Coded::of(query)).collect();
        let n_allowed = passages.allowed.map(|_| passages.all().count());
        if n_allowed.is_some_and(|n| n * RARE < self.rows()) {
            let listed: Vec<(u32, usize)> = passages.all().collect();
            let one = |(query, coded): (&&[f32], &Coded)| {
                let mut selection = Selection::new(near.wanted);
                for (ordinal, row) in &listed {
                    selection.add(*ordinal, *row, self.codes.estimate(coded, *row)?);
                }
                self.exact(query, selection)
            };
            return queries.iter().zip(&coded).map(one).collect();
        }
        let estimates = self.codes.estimates(&coded, near.threads)?;
        let one = |(query, estimates): (&&[f32], &Vec<Estimate>)| {
            self.exact(query, select(passages, estimates, near)?)
        };
        queries.iter().zip(&estimates).map(one).collect()
    }

    fn nearest_of_rows(
        &self,
        queries: &[&[f32]],
        passages: Passages<'_>,
        near: Near,
    ) -> Result<Vec<Nearest>> {
        let nearest = |cosines: Vec<f32>| {
            let cosine = |(ordinal, row): (u32, usize)| Some((ordinal, *cosines.get(row)?));
            let found = || passages.all().filter_map(cosine);
            Nearest {
                listed: Listed::best_of(found(), near.wanted),
                spread: Spread::of(found().map(|(_, cosine)| cosine)),
            }
        };
        Ok(self.vectors.cosines(queries, near.threads)?.into_iter().map(nearest).collect())
    }

    /// Reads the rows of what may be the nearest.
    fn exact(&self, query: &[f32], mut selection: Selection) -> Result<Nearest> {
        selection.prune();
        let spread = selection.moments.spread();
        let cosine = |found: &Candidate| Ok((found.ordinal, self.cosine(query, found.row)?));
        let cosines: Vec<(u32, f32)> =
            selection.candidates.iter().map(cosine).collect::<Result<_>>()?;
        let is_all = cosines.len() as u64 == spread.n;
        let mut listed = Listed::best_of(cosines.into_iter(), selection.wanted);
        listed.is_complete &= is_all;
        Ok(Nearest { listed, spread })
    }
}

/// Selects among all passages; several threads share the ordinals.
fn select(passages: Passages<'_>, estimates: &[Estimate], near: Near) -> Result<Selection> {
    let n = passages.rows.len();
    let threads = near.threads.min(n / PASSAGES_OF_A_THREAD).max(1);
    let share = n.div_ceil(threads).max(1);
    let select = |first: usize| {
        let mut selection = Selection::new(near.wanted);
        for (ordinal, row) in passages.within(first..(first + share).min(n)) {
            if let Some(estimate) = estimates.get(row) {
                selection.add(ordinal, row, *estimate);
            }
        }
        selection
    };
    std::thread::scope(|scope| {
        let others: Vec<_> =
            (share..n).step_by(share).map(|first| scope.spawn(move || select(first))).collect();
        let mut selection = select(0);
        for other in others {
            let died = |_| Fault::failed("a thread that selects passages has died");
            selection.merge(other.join().map_err(died)?);
        }
        Ok(selection)
    })
}

/// A passage that may be among the nearest.
struct Candidate {
    ordinal: u32,
    row: usize,
    estimate: Estimate,
}

/// The passages that may be among the nearest so far.
struct Selection {
    wanted: usize,
    candidates: Vec<Candidate>,
    /// So many passages have at least this cosine.
    least: f32,
    /// Candidates that make it worth raising `least`.
    limit: usize,
    moments: Moments,
}

impl Selection {
    fn new(wanted: usize) -> Self {
        Self {
            wanted,
            candidates: Vec::new(),
            least: f32::NEG_INFINITY,
            limit: wanted.saturating_mul(4),
            moments: Moments::default(),
        }
    }

    fn add(&mut self, ordinal: u32, row: usize, estimate: Estimate) {
        self.moments.add(estimate.product);
        if estimate.most() < self.least {
            return;
        }
        self.candidates.push(Candidate { ordinal, row, estimate });
        if self.candidates.len() > self.limit {
            self.prune();
            self.limit = self.wanted.saturating_mul(4).max(2 * self.candidates.len());
        }
    }

    /// Drops what cannot be among the best.
    fn prune(&mut self) {
        let Some(last) = self.wanted.checked_sub(1) else {
            self.candidates.clear();
            return;
        };
        if last >= self.candidates.len() {
            return;
        }
        let mut least: Vec<f32> = self.candidates.iter().map(|c| c.estimate.least()).collect();
        let (_, last, _) = least.select_nth_unstable_by(last, |a, b| b.total_cmp(a));
        self.least = self.least.max(*last);
        self.candidates.retain(|candidate| candidate.estimate.most() >= self.least);
    }

    fn merge(&mut self, other: Self) {
        self.candidates.extend(other.candidates);
        self.least = self.least.max(other.least);
        self.moments.merge(other.moments);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::disk::{Damage, Mapped, file_sum};
    use crate::index::dense::writer::{RowKey, Writer};

    const DIMENSION: usize = 48;
    const ROWS: usize = 6000;

    /// Unit vectors around a few centres, as the vectors of texts are.
    fn vector(seed: u64) -> Vec<f32> {
        let draw = |seed: u64| {
            let mut random = fastrand::Rng::with_seed(seed);
            move || (0..6).map(|_| random.f32()).sum::<f32>() - 3.0
        };
        let (mut centre, mut own) = (draw(seed % 7 + 1_000_000), draw(seed));
        let raw: Vec<f32> = (0..DIMENSION).map(|_| centre() + own()).collect();
        let length = raw.iter().map(|x| x * x).sum::<f32>().sqrt();
        raw.iter().map(|x| x / length).collect()
    }

    fn open(folder: &Path) -> Scan {
        let (mut vectors, mut codes): (Files, Files) = (Vec::new(), Vec::new());
        for (first, rows) in [(0, 1), (1, 4000), (4001, ROWS - 4001)] {
            let path = folder.join(format!("{first}.npy"));
            let keys = vec![RowKey::of(""); rows];
            let writer = Writer::create(&path, &keys, DIMENSION).unwrap();
            // In another order than that of the rows.
            for row in (0..rows).rev() {
                writer.put(row, &vector((first + row) as u64)).unwrap();
            }
            for (files, path) in
                [(&mut vectors, path.clone()), (&mut codes, path.with_extension("codes"))]
            {
                let sum = file_sum(&path).unwrap();
                let sums = sum.block_sums().unwrap();
                let map = Mapped::open(&path, "rows", sum.bytes, sums, Damage::default()).unwrap();
                files.push((Arc::new(map), rows));
            }
        }
        Scan::open(vectors, codes, DIMENSION).unwrap()
    }

    /// The codes lead to what a comparison with every row finds, whatever is allowed and deleted.
    #[test]
    fn the_nearest_are_those_of_a_comparison_with_every_row() {
        let folder = tempfile::tempdir().unwrap();
        let scan = open(folder.path());
        assert_eq!(scan.wrong_codes().unwrap(), 0);
        // Every seventh passage is deleted, and every fifth shares its row with another.
        let row = |ordinal: usize| match ordinal {
            n if n % 7 == 0 => NO_ROW,
            n if n % 5 == 0 => (n / 2) as u64,
            n => n as u64,
        };
        let rows: Vec<u64> = (0..ROWS).map(row).collect();
        let allows = |n: usize| (0..ROWS).map(|ordinal| ordinal % n == 1).collect::<Vec<bool>>();
        let queries: Vec<Vec<f32>> = (0..5).map(|n| vector(9_000_000 + n)).collect();
        let queries: Vec<&[f32]> = queries.iter().map(Vec::as_slice).collect();
        for allowed in [None, Some(allows(3)), Some(allows(50)), Some(allows(ROWS + 1))] {
            let passages = Passages { rows: &rows, allowed: allowed.as_deref() };
            for wanted in [0, 1, 10, 200, usize::MAX] {
                let near = Near { wanted, comparison: Comparison::Codes, threads: 1 };
                let found = scan.nearest(&queries, passages, near).unwrap();
                let several = Near { threads: 3, ..near };
                assert_eq!(scan.nearest(&queries, passages, several).unwrap(), found);
                let alone = scan.nearest(&queries[3..4], passages, near).unwrap();
                assert_eq!(alone[0], found[3], "other queries change nothing");
                let reference = Near { comparison: Comparison::Rows, ..near };
                for (found, expected) in
                    found.iter().zip(scan.nearest(&queries, passages, reference).unwrap())
                {
                    assert_eq!(found.listed, expected.listed, "{wanted}");
                    let (a, b) = (found.spread, expected.spread);
                    assert_eq!(a.n, b.n);
                    // Errors of several passages have both signs.
                    let most = 0.01 / (a.n.max(1) as f64).sqrt();
                    assert!((a.mean - b.mean).abs() < most, "{a:?} {b:?}");
                    assert!((a.variance - b.variance).abs() < most, "{a:?} {b:?}");
                }
            }
        }
    }

    /// Few passages are read.
    #[test]
    fn the_bounds_leave_few_candidates() {
        let folder = tempfile::tempdir().unwrap();
        let scan = open(folder.path());
        let rows: Vec<u64> = (0..ROWS as u64).collect();
        let passages = Passages { rows: &rows, allowed: None };
        let query = vector(9_000_000);
        let near = Near { wanted: 100, comparison: Comparison::Codes, threads: 1 };
        let estimates = scan.codes.estimates(&[Coded::of(&query)], 1).unwrap();
        let mut selection = select(passages, &estimates[0], near).unwrap();
        selection.prune();
        let n = selection.candidates.len();
        assert!((100..200).contains(&n), "{n}");
    }
}
