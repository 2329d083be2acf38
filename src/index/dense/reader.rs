//! Cosines of queries with every row.

use std::ops::Range;
use std::sync::Arc;

use bytemuck::Pod;
use ndarray::ArrayView2;
use wide::f32x8;

use super::npy::{HEADER_BYTES, header};
use crate::disk::Mapped;
use crate::error::{Fault, Result};

#[cfg(target_endian = "big")]
compile_error!("vectors are mapped as little-endian float32");

/// The open vector files of a generation.
pub struct VectorReader {
    files: Vec<File>,
    dimension: usize,
}

struct File {
    map: Arc<Mapped>,
    first_row: usize,
    rows: usize,
}

impl VectorReader {
    /// Takes `(map, rows)` in row order.
    ///
    /// # Errors
    /// [`Kind::Damaged`](crate::error::Kind::Damaged) when a file is not a matrix of this shape.
    pub fn open(maps: Vec<(Arc<Mapped>, usize)>, dimension: usize) -> Result<Self> {
        let mut files = Vec::with_capacity(maps.len());
        let mut first_row = 0;
        for (map, rows) in maps {
            let head = map
                .read(0..HEADER_BYTES.min(map.len()))
                .map_err(|e| Fault::damaged(e.to_string()))?;
            // The shape may come from an untrusted bundle.
            let bytes = rows
                .checked_mul(dimension)
                .and_then(|n| n.checked_mul(4)?.checked_add(HEADER_BYTES));
            if head != header(rows, dimension) || bytes != Some(map.len()) || dimension == 0 {
                let why = format!("{map:?} is not a matrix of {rows} × {dimension}");
                return Err(Fault::damaged(why));
            }
            files.push(File { map, first_row, rows });
            first_row += rows;
        }
        Ok(Self { files, dimension })
    }

    pub fn rows(&self) -> usize {
        self.files.iter().map(|file| file.rows).sum()
    }

    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// Inner products of each of `queries` with every row, which are cosines because all vectors
    /// have unit length. At most `threads` threads read the rows, once for all queries; their
    /// number changes no result.
    ///
    /// # Errors
    /// [`Kind::Damaged`](crate::error::Kind::Damaged) when a block fails its checksum.
    pub fn cosines(&self, queries: &[&[f32]], threads: usize) -> Result<Vec<Vec<f32>>> {
        let mut cosines = vec![vec![0.0; self.rows()]; queries.len()];
        let mut pieces = self.pieces(&mut cosines);
        let threads = threads.min(pieces.len() / PIECES_OF_A_THREAD).max(1);
        let share = pieces.len().div_ceil(threads).max(1);
        let compare = |pieces: &mut [Piece<'_>]| self.compare_pieces(pieces, queries);
        std::thread::scope(|scope| {
            let mut shares = pieces.chunks_mut(share);
            let own = shares.next();
            let others: Vec<_> = shares.map(|share| scope.spawn(|| compare(share))).collect();
            let compared = own.map_or(Ok(()), compare);
            others.into_iter().fold(compared, |compared, other| {
                compared.and(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            })
        })?;
        Ok(cosines)
    }

    fn compare_pieces(&self, pieces: &mut [Piece<'_>], queries: &[&[f32]]) -> Result<()> {
        for Piece { file, rows, products } in pieces {
            let matrix = self.matrix(file, rows.clone())?;
            let rows = matrix.as_slice().unwrap_or_default();
            inner_products(rows, self.dimension, queries, products);
        }
        Ok(())
    }

    /// One row.
    pub fn row(&self, row: usize) -> Result<Vec<f32>> {
        let has_row = |file: &&File| (file.first_row..file.first_row + file.rows).contains(&row);
        let file = self.files.iter().find(has_row);
        let file = file.ok_or_else(|| Fault::damaged(format!("there is no vector row {row}")))?;
        let row = row - file.first_row;
        Ok(self.matrix(file, row..row + 1)?.row(0).to_vec())
    }

    /// All rows in pieces, each with the slots for its products.
    fn pieces<'a>(&'a self, cosines: &'a mut [Vec<f32>]) -> Vec<Piece<'a>> {
        let most = (PIECE_BYTES / 4 / self.dimension).max(1);
        let mut left: Vec<&mut [f32]> = cosines.iter_mut().map(Vec::as_mut_slice).collect();
        let mut pieces = Vec::new();
        for file in &self.files {
            for first in (0..file.rows).step_by(most) {
                let rows = first..(first + most).min(file.rows);
                let products =
                    left.iter_mut().filter_map(|left| left.split_off_mut(..rows.len())).collect();
                pieces.push(Piece { file, rows, products });
            }
        }
        pieces
    }

    /// Rows of a file, after their checksums.
    fn matrix<'a>(&self, file: &'a File, rows: Range<usize>) -> Result<ArrayView2<'a, f32>> {
        let at = |row: usize| HEADER_BYTES + row * self.dimension * 4;
        let bytes = file
            .map
            .read(at(rows.start)..at(rows.end))
            .map_err(|e| Fault::damaged(e.to_string()))?;
        let misshapen = |_| Fault::damaged(format!("{:?} is not a matrix", file.map));
        let values = bytemuck::try_cast_slice(bytes)
            .map_err(|_| Fault::failed(format!("{:?} is not aligned", file.map)))?;
        ArrayView2::from_shape((rows.len(), self.dimension), values).map_err(misshapen)
    }
}

/// Rows of a file, and slots for the products of each query with them.
struct Piece<'a> {
    file: &'a File,
    rows: Range<usize>,
    products: Vec<&'a mut [f32]>,
}

/// Bytes that are checked and compared at a time: few enough to stay in a core's cache.
const PIECE_BYTES: usize = 512 << 10;

/// Pieces that make another thread worthwhile: 10,000 rows of 384 numbers are one thread's share,
/// which takes a millisecond.
const PIECES_OF_A_THREAD: usize = 32;

/// Rows compared at once, each from another eighth of a piece: their sums are independent, and
/// memory, which limits a single query, is read in eight places at once.
const SIDE_BY_SIDE: usize = 8;

/// Inner products of each query with each row of `rows`, which has `dimension` numbers per row. The
/// order of additions is fixed, whatever the machine and the number of queries: eight sums of every
/// eighth product, then these in pairs, then the rest. 10,000 rows of 384 numbers take 1.0 ms for
/// one query and 0.23 ms for each of eight; without AVX 1.1 and 0.33.
fn inner_products(rows: &[f32], dimension: usize, queries: &[&[f32]], products: &mut [&mut [f32]]) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx") {
        #[expect(
            unsafe_code,
            reason = "only a processor with AVX may run it, which was just checked"
        )]
        return unsafe { inner_products_avx(rows, dimension, queries, products) };
    }
    compare(rows, dimension, queries, products, f32x8::ZERO, |sum, x, y| sum + x * y);
}

/// [`compare`] with registers of eight numbers, which not every processor has.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx")]
fn inner_products_avx(
    rows: &[f32],
    dimension: usize,
    queries: &[&[f32]],
    products: &mut [&mut [f32]],
) {
    use std::arch::x86_64::{__m256, _mm256_add_ps, _mm256_mul_ps, _mm256_setzero_ps};
    // Two roundings, as in the portable version: no fused multiply-add.
    let plus_product = |sum: __m256, x: __m256, y: __m256| _mm256_add_ps(sum, _mm256_mul_ps(x, y));
    compare(rows, dimension, queries, products, _mm256_setzero_ps(), plus_product);
}

/// The inner products, with `Eight` numbers at a time. `plus_product` adds the products of its last
/// two arguments to the sums in the first.
#[expect(clippy::inline_always, reason = "otherwise it is compiled without the caller's registers")]
#[inline(always)]
fn compare<Eight: Pod>(
    rows: &[f32],
    dimension: usize,
    queries: &[&[f32]],
    products: &mut [&mut [f32]],
    zero: Eight,
    plus_product: impl Fn(Eight, Eight, Eight) -> Eight + Copy,
) {
    let n = rows.len() / dimension;
    let each = n / SIDE_BY_SIDE;
    let row = |n: usize| &rows[n * dimension..][..dimension];
    for first in 0..each {
        let places: [usize; SIDE_BY_SIDE] = std::array::from_fn(|place| place * each + first);
        let rows = places.map(row);
        for (query, products) in queries.iter().zip(&mut *products) {
            let found = products_of(rows, query, zero, plus_product);
            places.iter().zip(found).for_each(|(place, product)| products[*place] = product);
        }
    }
    for n in each * SIDE_BY_SIDE..n {
        for (query, products) in queries.iter().zip(&mut *products) {
            [products[n]] = products_of([row(n)], query, zero, plus_product);
        }
    }
}

#[expect(clippy::inline_always, reason = "as `compare`")]
#[inline(always)]
fn products_of<const N: usize, Eight: Pod>(
    rows: [&[f32]; N],
    query: &[f32],
    zero: Eight,
    plus_product: impl Fn(Eight, Eight, Eight) -> Eight,
) -> [f32; N] {
    let (query, query_rest) = query.as_chunks::<8>();
    let rows = rows.map(|row| row.as_chunks::<8>());
    let whole = rows.map(|(row, _)| &row[..query.len()]);
    let mut sums = [zero; N];
    for (i, x) in query.iter().enumerate() {
        let x = bytemuck::cast(*x);
        for (sum, row) in sums.iter_mut().zip(whole) {
            *sum = plus_product(*sum, bytemuck::cast(row[i]), x);
        }
    }
    std::array::from_fn(|n| {
        let s: [f32; 8] = bytemuck::cast(sums[n]);
        let sum = (((s[0] + s[4]) + (s[1] + s[5])) + (s[2] + s[6])) + (s[3] + s[7]);
        rows[n].1.iter().zip(query_rest).fold(sum, |sum, (x, y)| sum + x * y)
    })
}

#[cfg(test)]
mod tests {
    use ndarray::ArrayView1;

    use super::*;
    use crate::disk::{Damage, file_sum};

    type Compare = fn(&[f32], usize, &[&[f32]], &mut [&mut [f32]]);

    /// The order of additions is that of the first version. Neither the other queries nor the
    /// processor changes a bit.
    #[test]
    fn the_order_of_additions_does_not_change() {
        let everywhere: Compare = |rows, dimension, queries, products| {
            compare(rows, dimension, queries, products, f32x8::ZERO, |sum, x, y| sum + x * y);
        };
        let number = |i: usize| ((i * 7919 % 1009) as f32 - 504.0) / 700.0;
        for (dimension, n) in
            [(1, 67), (7, 64), (8, 3), (9, 67), (31, 8), (384, 67), (389, 67), (384, 0)]
        {
            let rows: Vec<f32> = (0..n * dimension).map(number).collect();
            let queries: Vec<Vec<f32>> =
                (0..7).map(|n| (0..dimension).map(|i| number(i + 17 * n)).collect()).collect();
            for (beside, by) in
                (1..=queries.len()).flat_map(|n| [(n, everywhere), (n, inner_products as Compare)])
            {
                let queries: Vec<&[f32]> = queries[..beside].iter().map(Vec::as_slice).collect();
                let mut products = vec![vec![0.0; n]; beside];
                let mut of_queries: Vec<&mut [f32]> =
                    products.iter_mut().map(Vec::as_mut_slice).collect();
                by(&rows, dimension, &queries, &mut of_queries);
                for (query, products) in queries.iter().zip(&products) {
                    let query = ArrayView1::from(*query);
                    let expected: Vec<f32> = rows
                        .chunks_exact(dimension)
                        .map(|row| ArrayView1::from(row).dot(&query))
                        .collect();
                    assert_eq!(*products, expected, "{dimension}, {beside} queries");
                }
            }
        }
    }

    /// Several files, pieces that end with them, pieces for more than one thread.
    #[test]
    fn threads_share_the_rows_and_change_nothing() {
        const DIMENSION: usize = 384;
        let folder = tempfile::tempdir().unwrap();
        let number = |i: usize| ((i * 7919 % 1009) as f32 - 504.0) / 700.0;
        let map = |rows: usize| {
            let path = folder.path().join(rows.to_string());
            let values: Vec<f32> = (0..rows * DIMENSION).map(|i| number(i + rows)).collect();
            let header = header(rows, DIMENSION);
            std::fs::write(&path, [&header[..], bytemuck::cast_slice(&values)].concat()).unwrap();
            let sum = file_sum(&path).unwrap();
            let sums = sum.block_sums().unwrap();
            Mapped::open(&path, "rows", sum.bytes, sums, Damage::default()).unwrap()
        };
        let maps = [0, 5, 24_000, 1, 700].map(|rows| (Arc::new(map(rows)), rows));
        let reader = VectorReader::open(maps.into(), DIMENSION).unwrap();
        let queries: Vec<Vec<f32>> =
            (0..3).map(|n| (0..DIMENSION).map(|i| number(i + 17 * n)).collect()).collect();
        let queries: Vec<&[f32]> = queries.iter().map(Vec::as_slice).collect();
        let alone = reader.cosines(&queries, 1).unwrap();
        assert!(reader.pieces(&mut alone.clone()).len() > 2 * PIECES_OF_A_THREAD);
        for threads in [0, 2, 3, 64] {
            assert_eq!(reader.cosines(&queries, threads).unwrap(), alone, "{threads}");
        }
        for row in [0, 4, 5, 12_345, 24_004, 24_005, 24_006, 24_705] {
            let of_row = reader.row(row).unwrap();
            for (query, cosines) in queries.iter().zip(&alone) {
                assert_eq!(
                    cosines[row],
                    ArrayView1::from(&of_row).dot(&ArrayView1::from(*query)),
                    "{row}"
                );
            }
        }
        assert!(reader.row(24_706).is_err());
    }
}
