//! A row in whole numbers of 8 bits, and how far an inner product with it can be off.
//!
//! A row x is stored as x' = scale · codes with the length of x − x'. A query q becomes q' in the
//! same way, of 16 bits. Their inner product is a sum of whole numbers, which no processor and no
//! order of additions changes. Since q·x − q'·x' = q·(x − x') + (q − q')·x', it differs from q·x by
//! at most |q| |x − x'| + |q − q'| |x'| (Cauchy and Schwarz): 0.007 for the default model, where
//! the cosines of a query with a corpus deviate by 0.1. Four bits would be 0.11 off, and hundreds
//! of times as many rows would have to be read to be sure of the best.
//!
//! Signs alone are no faster first step: of the 200 nearest of a million passages, 98.0 % are among
//! the best 2 % by their signs (a query of 4 bits), and 99.7 % among the best 4 %. Comparing the
//! signs took 11 ms and reading the codes of 2 % in scattered rows 27 ms, all codes in order 16 ms,
//! of which memory takes 13.
//!
//! Cells are not a first step either, though they would be faster: of a million passages in 4,096
//! cells around centres of a sample, the 256 cells nearest to a question (7 % of the passages) hold
//! all 200 nearest for 94 % of 200 questions, and 128 cells the ten nearest for 99 %. But the
//! centres depend on what was indexed first: an index that grew would rank differently from one
//! built afresh of the same documents.

use super::npy::{CODES_HEADER_BYTES, codes_header};
use super::records::{Files, Records};
use crate::error::{Fault, Result};

/// Bytes before the codes of a row: its scale, and the length of what the codes lose.
const PREFIX_BYTES: usize = 8;

/// The largest code of a row.
const MOST: f32 = 127.0;

/// Bytes of a row of `dimension` numbers.
pub fn row_bytes(dimension: usize) -> usize {
    dimension.saturating_add(PREFIX_BYTES)
}

/// The row of `values`, as it is stored.
pub fn encode(values: &[f32]) -> Vec<u8> {
    let scale = values.iter().fold(0.0f32, |most, x| most.max(x.abs())) / MOST;
    let code = |x: f32| if scale > 0.0 { (x / scale).round().clamp(-MOST, MOST) as i8 } else { 0 };
    let codes: Vec<i8> = values.iter().map(|x| code(*x)).collect();
    let lost = |(x, code): (&f32, &i8)| f64::from(*x) - f64::from(scale) * f64::from(*code);
    let error = up(length(values.iter().zip(&codes).map(lost)));
    let codes = codes.iter().map(|code| code.to_le_bytes()[0]);
    scale.to_le_bytes().into_iter().chain(error.to_le_bytes()).chain(codes).collect()
}

fn length(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|x| x * x).sum::<f64>().sqrt()
}

/// A number that is not less than `x`, whatever was rounded in computing `x`.
fn up(x: f64) -> f32 {
    (x * (1.0 + 1e-6)) as f32
}

/// What the codes of a row say of its inner product with a query.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    pub product: f32,
    /// The exact product, as `VectorReader` computes it, differs by at most this.
    pub error: f32,
}

impl Estimate {
    pub fn least(self) -> f32 {
        self.product - self.error
    }

    pub fn most(self) -> f32 {
        self.product + self.error
    }
}

/// A query in whole numbers.
pub struct Coded {
    codes: Vec<i16>,
    scale: f32,
    /// The length of the query.
    length: f32,
    /// The error of a product that does not come from the row's codes, in scales of the row.
    own_error: f32,
}

impl Coded {
    pub fn of(query: &[f32]) -> Self {
        // So large that no sum of products with codes of a row leaves the 32 bits.
        let most = (i32::MAX / 127) as usize / query.len().max(1);
        let most = most.min(i16::MAX as usize) as f32;
        let scale = query.iter().fold(0.0f32, |largest, x| largest.max(x.abs())) / most;
        let code = |x: &f32| if scale > 0.0 { (x / scale).round().clamp(-most, most) } else { 0.0 };
        let codes: Vec<i16> = query.iter().map(|x| code(x) as i16).collect();
        let lost = |(x, code): (&f32, &i16)| f64::from(*x) - f64::from(scale) * f64::from(*code);
        let lost = length(query.iter().zip(&codes).map(lost));
        let length = length(query.iter().map(|x| f64::from(*x)));
        // Neither a row nor its codes are longer than this, in scales of the row.
        let longest = f64::from(MOST) * (query.len() as f64).sqrt();
        // A sum of n products of float32 is off by less than n · 2⁻²⁴ of the product of the
        // lengths; what is computed from whole numbers is rounded a few times. Twice that is enough
        // for the roundings of the bound itself.
        let rounding = (query.len() + 16) as f64 * f64::from(f32::EPSILON) * length;
        let own_error = up(longest * (lost + rounding));
        Self { codes, scale, length: up(length), own_error }
    }

    /// What `row` says of the product, whose codes have the product `sum`.
    #[expect(clippy::inline_always, reason = "as `compare`")]
    #[inline(always)]
    fn estimate(&self, row: Row<'_>, sum: i32) -> Estimate {
        Estimate {
            product: sum as f32 * (self.scale * row.scale),
            error: self.length * row.error + self.own_error * row.scale,
        }
    }
}

/// A stored row.
#[derive(Clone, Copy)]
struct Row<'a> {
    scale: f32,
    error: f32,
    codes: &'a [i8],
}

impl<'a> Row<'a> {
    #[expect(clippy::inline_always, reason = "as `compare`")]
    #[inline(always)]
    fn of(bytes: &'a [u8]) -> Self {
        let (prefix, codes) = bytes.split_at(PREFIX_BYTES);
        let number = |at: usize| {
            f32::from_le_bytes([prefix[at], prefix[at + 1], prefix[at + 2], prefix[at + 3]])
        };
        Self { scale: number(0), error: number(4), codes: bytemuck::cast_slice(codes) }
    }
}

/// The open files of codes of a generation.
pub struct CodeReader {
    records: Records,
    dimension: usize,
}

impl CodeReader {
    /// # Errors
    /// [`Kind::Damaged`](crate::error::Kind::Damaged) when a file is not an array of this shape.
    pub fn open(files: Files, dimension: usize) -> Result<Self> {
        let header = |rows| codes_header(rows, dimension);
        let records = Records::open::<CODES_HEADER_BYTES>(files, header, row_bytes(dimension))?;
        Ok(Self { records, dimension })
    }

    pub fn rows(&self) -> usize {
        self.records.rows()
    }

    /// The stored bytes of one row.
    pub fn row(&self, row: usize) -> Result<&[u8]> {
        self.records.row(row)
    }

    /// Estimates of the inner product of each of `queries` with every row. At most `threads`
    /// threads read the codes, once for all queries.
    ///
    /// # Errors
    /// [`Kind::Damaged`](crate::error::Kind::Damaged) when a block fails its checksum.
    pub fn estimates(&self, queries: &[Coded], threads: usize) -> Result<Vec<Vec<Estimate>>> {
        let mut estimates = vec![vec![Estimate::default(); self.rows()]; queries.len()];
        self.records.compare(&mut estimates, threads, |rows, estimates| {
            compare_rows(rows, self.dimension, queries, estimates);
        })?;
        Ok(estimates)
    }

    /// As [`CodeReader::estimates`], for one query and one row.
    pub fn estimate(&self, query: &Coded, row: usize) -> Result<Estimate> {
        let bytes = self.records.row(row)?;
        if query.codes.len() != self.dimension {
            return Err(Fault::failed("the query has another dimension than the rows"));
        }
        let mut found = [Estimate::default()];
        compare_rows(bytes, self.dimension, std::slice::from_ref(query), &mut [&mut found[..]]);
        Ok(found[0])
    }
}

/// Estimates for each query and each of `rows`. 10,000 rows of 384 numbers take 0.11 ms for one
/// query, and a million 13 ms, which is what memory gives to one thread; without AVX2 0.35 and 35.
fn compare_rows(
    rows: &[u8],
    dimension: usize,
    queries: &[Coded],
    estimates: &mut [&mut [Estimate]],
) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        #[expect(
            unsafe_code,
            reason = "only a processor with AVX2 may run it, which was just checked"
        )]
        return unsafe { compare_rows_avx2(rows, dimension, queries, estimates) };
    }
    compare(rows, dimension, queries, estimates);
}

/// [`compare`], compiled for registers of 32 bytes, which not every processor has.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn compare_rows_avx2(
    rows: &[u8],
    dimension: usize,
    queries: &[Coded],
    estimates: &mut [&mut [Estimate]],
) {
    compare(rows, dimension, queries, estimates);
}

#[expect(clippy::inline_always, reason = "otherwise it is compiled without the caller's registers")]
#[inline(always)]
fn compare(rows: &[u8], dimension: usize, queries: &[Coded], estimates: &mut [&mut [Estimate]]) {
    for (n, row) in rows.chunks_exact(row_bytes(dimension)).enumerate() {
        let row = Row::of(row);
        for (query, estimates) in queries.iter().zip(&mut *estimates) {
            let products = row.codes.iter().zip(&query.codes);
            let sum = products.map(|(x, y)| i32::from(*x) * i32::from(*y)).sum();
            estimates[n] = query.estimate(row, sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::reader::inner_product;
    use super::*;

    fn estimate(query: &[f32], row: &[f32]) -> Estimate {
        let mut found = [Estimate::default()];
        compare_rows(&encode(row), row.len(), &[Coded::of(query)], &mut [&mut found[..]]);
        found[0]
    }

    fn pairs() -> impl Strategy<Value = Vec<(f32, f32)>> {
        // Numbers of one size, of very different sizes, and lists of any length.
        let number = prop_oneof![-1f32..1.0, -1e-6f32..1e-6, Just(0.0f32), -1e3f32..1e3];
        proptest::collection::vec((number.clone(), number), 1..500)
    }

    proptest! {
        #[test]
        fn no_product_is_outside_its_bounds(pairs in pairs()) {
            let (query, row): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
            let (found, exact) = (estimate(&query, &row), inner_product(&row, &query));
            prop_assert!(found.least() <= exact && exact <= found.most(), "{found:?} {exact}");
            // The query itself, whose error is largest where all signs agree.
            let (found, exact) = (estimate(&row, &row), inner_product(&row, &row));
            prop_assert!(found.least() <= exact && exact <= found.most(), "{found:?} {exact}");
        }
    }

    /// The bound is useful, too: unit vectors of the default model's dimension.
    #[test]
    fn products_of_unit_vectors_are_close() {
        let unit = |seed: usize| {
            let raw: Vec<f32> =
                (0..384).map(|i| ((i * 7919 + seed * 104_729) % 1009) as f32 - 504.0).collect();
            let length = inner_product(&raw, &raw).sqrt();
            raw.iter().map(|x| x / length).collect::<Vec<f32>>()
        };
        for seed in 1..50 {
            let (query, row) = (unit(0), unit(seed));
            let (found, exact) = (estimate(&query, &row), inner_product(&row, &query));
            assert!((found.product - exact).abs() < 0.001, "{found:?} {exact}");
            assert!(found.error < 0.006, "{found:?}");
        }
    }

    /// A processor with wide registers and one without find the same.
    #[test]
    fn the_processor_changes_nothing() {
        let number = |i: usize| ((i * 7919 % 1009) as f32 - 504.0) / 700.0;
        for (dimension, n) in [(1, 67), (7, 64), (31, 8), (384, 67), (389, 67), (65_536, 2)] {
            let values: Vec<f32> = (0..n * dimension).map(number).collect();
            let rows: Vec<u8> = values.chunks_exact(dimension).flat_map(encode).collect();
            let queries: Vec<Coded> = (0..3)
                .map(|n| Coded::of(&(0..dimension).map(|i| number(i + 17 * n)).collect::<Vec<_>>()))
                .collect();
            type Compare = dyn Fn(&[u8], usize, &[Coded], &mut [&mut [Estimate]]);
            let by = |compare: &Compare| {
                let mut found = vec![vec![Estimate::default(); n]; queries.len()];
                let mut slots: Vec<&mut [Estimate]> =
                    found.iter_mut().map(Vec::as_mut_slice).collect();
                compare(&rows, dimension, &queries, &mut slots);
                found
            };
            assert_eq!(by(&compare_rows), by(&compare), "{dimension}");
        }
    }
}
