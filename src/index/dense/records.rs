//! Files of rows of one size, numbered across the files, read piece by piece on several threads.

use std::ops::Range;
use std::sync::Arc;

use crate::disk::Mapped;
use crate::error::{Fault, Result};

/// Mapped files in row order, each with its number of rows.
pub type Files = Vec<(Arc<Mapped>, usize)>;

/// The open files of one kind.
pub struct Records {
    files: Vec<File>,
    header_bytes: usize,
    row_bytes: usize,
}

struct File {
    map: Arc<Mapped>,
    first_row: usize,
    rows: usize,
}

/// Bytes that are checked and compared at a time: few enough to stay in a core's cache.
const PIECE_BYTES: usize = 512 << 10;

/// Pieces that make another thread worthwhile: one thread compares so many in about a millisecond.
const PIECES_OF_A_THREAD: usize = 32;

impl Records {
    /// Each file must begin with the `header` for its number of rows, and go on with these.
    ///
    /// # Errors
    /// [`Kind::Damaged`](crate::error::Kind::Damaged) when a file has another shape.
    pub fn open<const BYTES: usize>(
        maps: Files,
        header: impl Fn(usize) -> [u8; BYTES],
        row_bytes: usize,
    ) -> Result<Self> {
        let mut files = Vec::with_capacity(maps.len());
        let mut first_row = 0;
        for (map, rows) in maps {
            let head = map.read(0..BYTES.min(map.len())).map_err(damaged)?;
            // The shape may come from an untrusted bundle.
            let bytes = rows.checked_mul(row_bytes).and_then(|n| n.checked_add(BYTES));
            if head != header(rows) || bytes != Some(map.len()) || row_bytes == 0 {
                let why = format!("{map:?} has not {rows} rows of {row_bytes} bytes");
                return Err(Fault::damaged(why));
            }
            files.push(File { map, first_row, rows });
            first_row += rows;
        }
        Ok(Self { files, header_bytes: BYTES, row_bytes })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// The bytes of one row, after their checksums.
    pub fn row(&self, row: usize) -> Result<&[u8]> {
        let (file, row) = self.place(row)?;
        self.bytes(file, row..row + 1)
    }

    /// As [`Records::row`], copied.
    pub fn copy(&self, row: usize, into: &mut [u8]) -> Result<()> {
        let (file, row) = self.place(row)?;
        file.map.copy(self.header_bytes + row * self.row_bytes, into).map_err(damaged)
    }

    /// The file of a row, and its number in it.
    fn place(&self, row: usize) -> Result<(&File, usize)> {
        let after = self.files.partition_point(|file| file.first_row <= row);
        let file = after.checked_sub(1).and_then(|at| self.files.get(at));
        let file = file.filter(|file| row - file.first_row < file.rows);
        let file = file.ok_or_else(|| Fault::damaged(format!("there is no vector row {row}")))?;
        Ok((file, row - file.first_row))
    }

    /// Calls `compare` with the bytes of some rows and the slots for their results, one slice for
    /// each list in `results`, until every row of every list has its result. At most `threads`
    /// threads do so.
    ///
    /// # Errors
    /// [`Kind::Damaged`](crate::error::Kind::Damaged) when a block fails its checksum.
    pub fn compare<T: Send>(
        &self,
        results: &mut [Vec<T>],
        threads: usize,
        compare: impl Fn(&[u8], &mut [&mut [T]]) + Sync,
    ) -> Result<()> {
        let mut pieces = self.pieces(results);
        let threads = threads.min(pieces.len() / PIECES_OF_A_THREAD).max(1);
        let share = pieces.len().div_ceil(threads).max(1);
        let compare_pieces = |pieces: &mut [Piece<'_, T>]| -> Result<()> {
            for Piece { file, rows, results } in pieces {
                compare(self.bytes(file, rows.clone())?, results);
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let mut shares = pieces.chunks_mut(share);
            let own = shares.next();
            let others: Vec<_> =
                shares.map(|share| scope.spawn(|| compare_pieces(share))).collect();
            let compared = own.map_or(Ok(()), compare_pieces);
            others.into_iter().fold(compared, |compared, other| {
                compared.and(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            })
        })
    }

    /// All rows in pieces, each with the slots for its results.
    fn pieces<'a, T>(&'a self, results: &'a mut [Vec<T>]) -> Vec<Piece<'a, T>> {
        let most = (PIECE_BYTES / self.row_bytes).max(1);
        let mut left: Vec<&mut [T]> = results.iter_mut().map(Vec::as_mut_slice).collect();
        let mut pieces = Vec::new();
        for file in &self.files {
            for first in (0..file.rows).step_by(most) {
                let rows = first..(first + most).min(file.rows);
                let results =
                    left.iter_mut().filter_map(|left| left.split_off_mut(..rows.len())).collect();
                pieces.push(Piece { file, rows, results });
            }
        }
        pieces
    }

    /// Rows of a file, after their checksums.
    fn bytes<'a>(&self, file: &'a File, rows: Range<usize>) -> Result<&'a [u8]> {
        let at = |row: usize| self.header_bytes + row * self.row_bytes;
        file.map.read(at(rows.start)..at(rows.end)).map_err(damaged)
    }
}

/// Rows of a file, and slots for the results of each query.
struct Piece<'a, T> {
    file: &'a File,
    rows: Range<usize>,
    results: Vec<&'a mut [T]>,
}

#[expect(clippy::needless_pass_by_value, reason = "`map_err` passes a value")]
fn damaged(e: std::io::Error) -> Fault {
    Fault::damaged(e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Damage, file_sum};

    /// Several files, pieces that end with them, pieces for more than one thread.
    #[test]
    fn threads_share_the_rows_and_change_nothing() {
        const ROW_BYTES: usize = 1500;
        let folder = tempfile::tempdir().unwrap();
        let header = |rows: usize| (rows as u64).to_le_bytes();
        let map = |rows: usize| {
            let path = folder.path().join(rows.to_string());
            let values: Vec<u8> = (0..rows * ROW_BYTES).map(|i| ((i + rows) % 251) as u8).collect();
            std::fs::write(&path, [&header(rows)[..], &values].concat()).unwrap();
            let sum = file_sum(&path).unwrap();
            let sums = sum.block_sums().unwrap();
            Mapped::open(&path, "rows", sum.bytes, sums, Damage::default()).unwrap()
        };
        let maps: Files = [0, 5, 24_000, 1, 700].map(|rows| (Arc::new(map(rows)), rows)).into();
        let records = Records::open(maps.clone(), header, ROW_BYTES).unwrap();
        assert!(Records::open(maps, header, ROW_BYTES + 1).is_err());
        let first_and_last = |row: &[u8]| (row[0], row[ROW_BYTES - 1]);
        let compare = |rows: &[u8], results: &mut [&mut [(u8, u8)]]| {
            for results in results {
                let rows = rows.chunks_exact(ROW_BYTES);
                results
                    .iter_mut()
                    .zip(rows)
                    .for_each(|(result, row)| *result = first_and_last(row));
            }
        };
        let compared = |threads: usize| {
            let mut results = vec![vec![(0, 0); records.rows()]; 2];
            records.compare(&mut results, threads, compare).unwrap();
            results
        };
        let alone = compared(1);
        assert!(records.pieces(&mut alone.clone()).len() > 2 * PIECES_OF_A_THREAD);
        for threads in [0, 2, 3, 64] {
            assert_eq!(compared(threads), alone, "{threads}");
        }
        for row in [0, 4, 5, 12_345, 24_004, 24_005, 24_006, 24_705] {
            let found = first_and_last(records.row(row).unwrap());
            let mut copied = [0; ROW_BYTES];
            records.copy(row, &mut copied).unwrap();
            assert_eq!(copied, records.row(row).unwrap());
            assert!(alone.iter().all(|results| results[row] == found), "{row}");
        }
        assert!(records.row(24_706).is_err());
        assert!(records.copy(24_706, &mut [0; ROW_BYTES]).is_err());
    }
}
