//! The texts of a build that need a vector, spooled to a file, and the vector file that they fill.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::dense;
use super::generation::VectorFile;
use crate::disk;
use crate::error::{Context as _, Result};

/// The texts that wait for their vector, in row order, each after its length.
pub(super) struct Spool {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Spool {
    pub fn create(dir: &Path) -> Result<Self> {
        let path = dir.join("pending");
        Ok(Self { file: BufWriter::new(disk::create_file(&path)?), path })
    }

    pub fn add(&mut self, text: &str) -> Result<()> {
        let length =
            u32::try_from(text.len()).or_failed(|| "a chunk is larger than 4 GiB".into())?;
        self.file
            .write_all(&length.to_le_bytes())
            .and_then(|()| self.file.write_all(text.as_bytes()))
            .or_cannot("write", &self.path)
    }

    pub fn flush(&mut self) -> Result<()> {
        self.file.flush().or_cannot("write", &self.path)
    }

    /// The first `all` texts but those that are `done`.
    pub fn read(&self, all: usize, done: Vec<bool>) -> Result<Pending> {
        let file = File::open(&self.path).or_cannot("read", &self.path)?;
        Ok(Pending { file: BufReader::new(file), next: 0, all, done })
    }

    pub fn remove(&self) -> Result<()> {
        std::fs::remove_file(&self.path).or_cannot("remove", &self.path)
    }
}

/// The texts that need a vector, in row order, each with its number.
pub struct Pending {
    file: BufReader<File>,
    next: usize,
    all: usize,
    /// For each text, by its number, whether its vector is already written.
    done: Vec<bool>,
}

impl Pending {
    fn is_done(&self, n: usize) -> bool {
        self.done.get(n).copied().unwrap_or(false)
    }

    fn read(&mut self) -> Result<String> {
        let what = || "cannot read the pending texts".to_owned();
        let mut length = [0; 4];
        self.file.read_exact(&mut length).or_failed(what)?;
        let mut text = vec![0; u32::from_le_bytes(length) as usize];
        self.file.read_exact(&mut text).or_failed(what)?;
        String::from_utf8(text).or_failed(what)
    }
}

impl Iterator for Pending {
    type Item = Result<(usize, String)>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.next < self.all {
            let n = self.next;
            self.next += 1;
            match self.read() {
                Ok(_) if self.is_done(n) => {}
                Ok(text) => return Some(Ok((n, text))),
                Err(fault) => return Some(Err(fault)),
            }
        }
        None
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.next..self.all).filter(|n| !self.is_done(*n)).count();
        (left, Some(left))
    }
}

impl ExactSizeIterator for Pending {}

/// The open vector file of a build. Several threads may write rows, in any order.
pub struct Vectors {
    pub(super) writer: dense::Writer,
    /// Rows merged from older files come before the new ones.
    pub(super) offset: usize,
    pub(super) files: Vec<VectorFile>,
}

impl Vectors {
    /// Writes the vector of the `n`-th pending text.
    pub fn put(&self, n: usize, values: &[f32]) -> Result<()> {
        self.writer.put(self.offset + n, values)
    }
}
