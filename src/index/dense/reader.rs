//! Cosines of a question with every row.

use std::sync::Arc;

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

/// Inner products of each query with each row of `rows`, which has `dimension` numbers a row.
fn inner_products(rows: &[f32], dimension: usize, queries: &[&[f32]], products: &mut [&mut [f32]]) {
    let (by_four, rest) = queries.as_chunks::<4>();
    let (products_by_four, products_of_rest) = products.as_chunks_mut::<4>();
    for (n, row) in rows.chunks_exact(dimension).enumerate() {
        for (queries, products) in by_four.iter().zip(&mut *products_by_four) {
            let found = inner_products_of(row, queries);
            products.iter_mut().zip(found).for_each(|(products, product)| products[n] = product);
        }
        for (query, products) in rest.iter().zip(&mut *products_of_rest) {
            [products[n]] = inner_products_of(row, &[*query]);
        }
    }
}

/// Inner products of one row, each added up in one order whatever the machine and whatever is beside it: eight sums of every
/// eighth product, then these in pairs, then what is left. Sums of four queries do not wait for each other, nor for the
/// memory: 10,000 rows of 384 take 0.7 ms for one query and 0.25 ms for each of four.
fn inner_products_of<const N: usize>(row: &[f32], queries: &[&[f32]; N]) -> [f32; N] {
    let (row, row_rest) = row.as_chunks::<8>();
    let queries = queries.map(|query| query.as_chunks::<8>());
    let whole = queries.map(|(query, _)| &query[..row.len()]);
    let mut sums = [f32x8::ZERO; N];
    for (i, x) in row.iter().enumerate() {
        let x = f32x8::new(*x);
        for (sum, query) in sums.iter_mut().zip(whole) {
            *sum += x * f32x8::new(query[i]);
        }
    }
    std::array::from_fn(|n| {
        let s = sums[n].to_array();
        let sum = (((s[0] + s[4]) + (s[1] + s[5])) + (s[2] + s[6])) + (s[3] + s[7]);
        row_rest.iter().zip(queries[n].1).fold(sum, |sum, (x, q)| sum + x * q)
    })
}

#[cfg(test)]
mod tests {
    use ndarray::ArrayView1;

    use super::inner_products;

    /// The order of additions is a promise: it is that of the first version. What is compared beside it changes no bit.
    #[test]
    fn the_order_of_additions_does_not_change() {
        let number = |i: usize| ((i * 7919 % 1009) as f32 - 504.0) / 700.0;
        for dimension in [1, 7, 8, 9, 31, 384, 389] {
            let rows: Vec<f32> = (0..67 * dimension).map(number).collect();
            let queries: Vec<Vec<f32>> = (0..7).map(|n| (0..dimension).map(|i| number(i + 17 * n)).collect()).collect();
            for beside in 1..=queries.len() {
                let queries: Vec<&[f32]> = queries[..beside].iter().map(Vec::as_slice).collect();
                let mut products = vec![vec![0.0; 67]; beside];
                let mut of_queries: Vec<&mut [f32]> = products.iter_mut().map(Vec::as_mut_slice).collect();
                inner_products(&rows, dimension, &queries, &mut of_queries);
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
