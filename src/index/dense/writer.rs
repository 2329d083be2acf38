//! Writing one vector file, its rows in any order, and beside it their codes and the keys of the
//! embedded texts.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::code::{encode, row_bytes};
use super::npy::{CODES_HEADER_BYTES, MATRIX_HEADER_BYTES, codes_header, matrix_header};
use crate::disk::{self, Blake};
use crate::error::{Context as _, Result};

/// Size of a [`RowKey`]. 16 bytes of BLAKE2b: the chance that two of 10^9 texts share a key is
/// 10^-21.
pub const KEY_BYTES: usize = 16;

/// Identifies the text of a row, so that a new generation reuses the rows of the previous one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RowKey(pub [u8; KEY_BYTES]);

impl RowKey {
    pub fn of(embedded_text: &str) -> Self {
        Self(Blake::new(KEY_BYTES).field(b"row v1").field(embedded_text.as_bytes()).finish())
    }
}

/// Name of the key file of a vector file.
pub fn keys_name(vectors: &str) -> String {
    vectors.replace(".npy", ".keys")
}

/// Name of the file with the codes of a vector file.
pub fn codes_name(vectors: &str) -> String {
    vectors.replace(".npy", ".codes")
}

/// The keys in a file, in row order; `None` when its size is not a whole number of keys.
pub fn read_keys(path: &Path) -> Result<Option<Vec<RowKey>>> {
    let bytes = std::fs::read(path).or_cannot("read", path)?;
    let (keys, rest) = bytes.as_chunks::<KEY_BYTES>();
    Ok(rest.is_empty().then(|| keys.iter().map(|key| RowKey(*key)).collect()))
}

/// A vector file under construction.
pub struct Writer {
    file: File,
    codes: File,
    path: PathBuf,
    dimension: usize,
}

impl Writer {
    /// Creates `path` with one row for each key, and the files beside it.
    pub fn create(path: &Path, keys: &[RowKey], dimension: usize) -> Result<Self> {
        let what = || format!("cannot write {}", path.display());
        let keys_path = path.with_extension("keys");
        let bytes: Vec<u8> = keys.iter().flat_map(|key| key.0).collect();
        disk::create_file(&keys_path)?.write_all_at(&bytes, 0).or_failed(what)?;
        let (file, codes) = (disk::create_file(path)?, path.with_extension("codes"));
        let codes = disk::create_file(&codes)?;
        file.write_all_at(&matrix_header(keys.len(), dimension), 0).or_failed(what)?;
        codes.write_all_at(&codes_header(keys.len(), dimension), 0).or_failed(what)?;
        // Computing the vectors may take hours: a disk that is too small must be found before.
        let bytes = MATRIX_HEADER_BYTES + keys.len() * dimension * 4;
        disk::reserve(&file, bytes as u64).or_failed(what)?;
        let bytes = CODES_HEADER_BYTES + keys.len() * row_bytes(dimension);
        disk::reserve(&codes, bytes as u64).or_failed(what)?;
        Ok(Self { file, codes, path: path.to_owned(), dimension })
    }

    /// Writes row `row` of this file and its codes.
    pub fn put(&self, row: usize, values: &[f32]) -> Result<()> {
        debug_assert_eq!(values.len(), self.dimension, "a row has the dimension of the model");
        let offset = MATRIX_HEADER_BYTES + row * self.dimension * 4;
        self.file
            .write_all_at(bytemuck::cast_slice(values), offset as u64)
            .or_cannot("write", &self.path)?;
        let offset = CODES_HEADER_BYTES + row * row_bytes(self.dimension);
        self.codes.write_all_at(&encode(values), offset as u64).or_cannot("write", &self.path)
    }
}
