//! Cosines of a question with every row.

use std::sync::Arc;

use ndarray::{ArrayView1, ArrayView2};

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

    /// Inner product of `query` with every row; all vectors are unit vectors, so these are cosines.
    ///
    /// # Errors
    /// [`Kind::Damaged`](crate::error::Kind::Damaged) when a block fails its checksum.
    pub fn cosines(&self, query: &[f32]) -> Result<Vec<f32>> {
        let query = ArrayView1::from(query);
        let mut cosines = Vec::with_capacity(self.rows());
        for file in &self.files {
            // Row by row through views: one fixed order of additions, whatever the machine.
            cosines.extend(self.matrix(file)?.outer_iter().map(|row| row.dot(&query)));
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
