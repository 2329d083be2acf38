//! Cosines of a question with every row.

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
pub struct Reader {
    files: Vec<File>,
    dimension: usize,
}

struct File {
    map: Arc<Mapped>,
    first_row: usize,
    rows: usize,
}

impl Reader {
    /// Takes `(map, rows)` in row order.
    ///
    /// # Errors
    /// [`Kind::Damaged`](crate::error::Kind::Damaged) when a file is not a matrix of this shape.
    pub fn open(maps: Vec<(Arc<Mapped>, usize)>, dimension: usize) -> Result<Self> {
        let mut files = Vec::with_capacity(maps.len());
        let mut first_row = 0;
        for (map, rows) in maps {
            let head = map.read(0..HEADER_BYTES.min(map.len())).map_err(|e| Fault::damaged(e.to_string()))?;
            // The shape may come from a stranger's bundle.
            let bytes = rows.checked_mul(dimension).and_then(|n| n.checked_mul(4)?.checked_add(HEADER_BYTES));
            if head != header(rows, dimension) || bytes != Some(map.len()) || dimension == 0 {
                return Err(Fault::damaged(format!("{map:?} is not a matrix of {rows} × {dimension}")));
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

    /// Inner products of each of `queries` with every row; all vectors are unit vectors, so these are cosines. The rows are
    /// read once for all queries.
    ///
    /// # Errors
    /// [`Kind::Damaged`](crate::error::Kind::Damaged) when a block fails its checksum.
    pub fn cosines(&self, queries: &[&[f32]]) -> Result<Vec<Vec<f32>>> {
        let mut cosines = vec![vec![0.0; self.rows()]; queries.len()];
        for file in &self.files {
            let matrix = self.matrix(file)?;
            let rows = matrix.as_slice().unwrap_or_default();
            let mut of_file: Vec<&mut [f32]> =
                cosines.iter_mut().map(|all| &mut all[file.first_row..][..file.rows]).collect();
            inner_products(rows, self.dimension, queries, &mut of_file);
        }
        Ok(cosines)
    }

    /// One row.
    pub fn row(&self, row: usize) -> Result<Vec<f32>> {
        let after = self.files.partition_point(|file| file.first_row <= row);
        let file = after.checked_sub(1).map(|i| &self.files[i]).filter(|file| row < file.first_row + file.rows);
        let file = file.ok_or_else(|| Fault::damaged(format!("there is no vector row {row}")))?;
        Ok(self.matrix(file)?.row(row - file.first_row).to_vec())
    }

    fn matrix<'a>(&self, file: &'a File) -> Result<ArrayView2<'a, f32>> {
        let bytes = file.map.read(0..file.map.len()).map_err(|e| Fault::damaged(e.to_string()))?;
        let misshapen = |_| Fault::damaged(format!("{:?} is not a matrix", file.map));
        let values = bytemuck::try_cast_slice(&bytes[HEADER_BYTES..])
            .map_err(|_| Fault::failed(format!("{:?} is not aligned", file.map)))?;
        ArrayView2::from_shape((file.rows, self.dimension), values).map_err(misshapen)
    }
}

/// Rows that are compared side by side, each from another eighth of a file: their sums do not wait for each other, and the
/// memory, which is what one question waits for, is read in as many places at once.
const SIDE_BY_SIDE: usize = 8;

/// Inner products of each query with each row of `rows`, which has `dimension` numbers a row. Each is added up in one order
/// whatever the machine and whatever is beside it: eight sums of every eighth product, then these in pairs, then what is
/// left. 10,000 rows of 384 take 1.0 ms for one query and 0.23 ms for each of eight; without AVX 1.1 and 0.33.
fn inner_products(rows: &[f32], dimension: usize, queries: &[&[f32]], products: &mut [&mut [f32]]) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx") {
        #[expect(unsafe_code, reason = "only a processor with AVX may run it, which has just been asked")]
        return unsafe { inner_products_avx(rows, dimension, queries, products) };
    }
    compare(rows, dimension, queries, products, f32x8::ZERO, |sum, x, y| sum + x * y);
}

/// [`compare`] with registers of eight numbers, which the program must not take for granted.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx")]
fn inner_products_avx(rows: &[f32], dimension: usize, queries: &[&[f32]], products: &mut [&mut [f32]]) {
    use std::arch::x86_64::{__m256, _mm256_add_ps, _mm256_mul_ps, _mm256_setzero_ps};
    // Two roundings, as everywhere else: no fused multiplication.
    let plus_product = |sum: __m256, x: __m256, y: __m256| _mm256_add_ps(sum, _mm256_mul_ps(x, y));
    compare(rows, dimension, queries, products, _mm256_setzero_ps(), plus_product);
}

/// The inner products, with `Eight` numbers at a time; `plus_product` adds to each of its sums the product of two others.
#[expect(clippy::inline_always, reason = "else it is compiled without the registers of who calls it")]
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

    type Compare = fn(&[f32], usize, &[&[f32]], &mut [&mut [f32]]);

    /// The order of additions is a promise: it is that of the first version. Neither what is compared beside it nor the
    /// processor changes a bit.
    #[test]
    fn the_order_of_additions_does_not_change() {
        let everywhere: Compare = |rows, dimension, queries, products| {
            compare(rows, dimension, queries, products, f32x8::ZERO, |sum, x, y| sum + x * y);
        };
        let number = |i: usize| ((i * 7919 % 1009) as f32 - 504.0) / 700.0;
        for (dimension, n) in [(1, 67), (7, 64), (8, 3), (9, 67), (31, 8), (384, 67), (389, 67), (384, 0)] {
            let rows: Vec<f32> = (0..n * dimension).map(number).collect();
            let queries: Vec<Vec<f32>> = (0..7).map(|n| (0..dimension).map(|i| number(i + 17 * n)).collect()).collect();
            for (beside, by) in (1..=queries.len()).flat_map(|n| [(n, everywhere), (n, inner_products as Compare)]) {
                let queries: Vec<&[f32]> = queries[..beside].iter().map(Vec::as_slice).collect();
                let mut products = vec![vec![0.0; n]; beside];
                let mut of_queries: Vec<&mut [f32]> = products.iter_mut().map(Vec::as_mut_slice).collect();
                by(&rows, dimension, &queries, &mut of_queries);
                for (query, products) in queries.iter().zip(&products) {
                    let query = ArrayView1::from(*query);
                    let expected: Vec<f32> =
                        rows.chunks_exact(dimension).map(|row| ArrayView1::from(row).dot(&query)).collect();
                    assert_eq!(*products, expected, "{dimension}, {beside} queries");
                }
            }
        }
    }
}
