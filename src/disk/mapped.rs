//! A file mapped into memory, whose blocks are checked at their first read.
//!
//! Mapping is sound because the files are immutable: the program never writes to one after its
//! commit. A block is checked once per process; reading it again costs one atomic load.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use memmap2::Mmap;

use super::hash::BLOCK_BYTES;
use crate::error::{Context as _, Fault, Result};

/// The first damage found through any [`Mapped`] file of one index. Readers inside other libraries,
/// which may reduce an error to something vague, write it; callers read it to name the damaged
/// file.
#[derive(Clone, Debug, Default)]
pub struct Damage(Arc<OnceLock<String>>);

impl Damage {
    fn report(&self, name: &str) -> std::io::Error {
        let _ = self.0.set(name.to_owned());
        std::io::Error::new(std::io::ErrorKind::InvalidData, format!("{name} is damaged"))
    }

    /// The name of the damaged file, if one was found.
    pub fn seen(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}

/// One immutable, verified file.
pub struct Mapped {
    /// For messages.
    name: String,
    file: File,
    /// `None` for an empty file, which cannot be mapped.
    map: Option<Mmap>,
    sums: Vec<u32>,
    checked: Vec<AtomicBool>,
    damage: Damage,
}

impl std::fmt::Debug for Mapped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mapped({}, {} bytes)", self.name, self.len())
    }
}

impl Mapped {
    /// Maps `path`, which must have exactly `bytes` bytes and one checksum per block.
    ///
    /// # Errors
    /// [`Kind::Damaged`](crate::error::Kind::Damaged) when it is missing or has another size.
    pub fn open(
        path: &Path,
        name: &str,
        bytes: u64,
        sums: Vec<u32>,
        damage: Damage,
    ) -> Result<Self> {
        let file = File::open(path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => {
                Fault::damaged(format!("{} is missing", path.display()))
            }
            _ => Fault::failed(format!("cannot read {}", path.display())).because(e),
        })?;
        let actual = file.metadata().or_cannot("read", path)?.len();
        let blocks = usize::try_from(bytes).unwrap_or(usize::MAX).div_ceil(BLOCK_BYTES);
        if actual != bytes || blocks != sums.len() {
            let why = format!("{} has {actual} bytes instead of {bytes}", path.display());
            return Err(Fault::damaged(why));
        }
        let map = if bytes == 0 { None } else { Some(map(&file).or_cannot("map", path)?) };
        let checked = sums.iter().map(|_| AtomicBool::new(false)).collect();
        Ok(Self { name: name.to_owned(), file, map, sums, checked, damage })
    }

    pub fn len(&self) -> usize {
        self.map.as_ref().map_or(0, |map| map.len())
    }

    pub fn is_empty(&self) -> bool {
        self.map.is_none()
    }

    /// The bytes of `range`, after the checks of their blocks.
    ///
    /// # Errors
    /// `InvalidData` naming the file when a block is damaged or the range is outside the file.
    pub fn read(&self, range: Range<usize>) -> std::io::Result<&[u8]> {
        if range.start > range.end || range.end > self.len() {
            return Err(self.damage.report(&self.name));
        }
        let Some(map) = &self.map else { return Ok(&[]) };
        if range.is_empty() {
            return Ok(&[]);
        }
        for block in range.start / BLOCK_BYTES..=(range.end - 1) / BLOCK_BYTES {
            if self.checked[block].load(Ordering::Acquire) {
                continue;
            }
            let start = block * BLOCK_BYTES;
            let bytes = &map[start..(start + BLOCK_BYTES).min(map.len())];
            if crc32fast::hash(bytes) != self.sums[block] {
                return Err(self.damage.report(&self.name));
            }
            self.checked[block].store(true, Ordering::Release);
        }
        Ok(&map[range])
    }

    /// Copies the bytes from `start` on, after the checks of their blocks, and leaves none of them
    /// in the memory of the process: for small pieces of a large file, all over it.
    ///
    /// # Errors
    /// As [`Mapped::read`], and when the file cannot be read.
    pub fn copy(&self, start: usize, into: &mut [u8]) -> std::io::Result<()> {
        let end = start.saturating_add(into.len());
        if end > self.len() {
            return Err(self.damage.report(&self.name));
        }
        if into.is_empty() {
            return Ok(());
        }
        for block in start / BLOCK_BYTES..=(end - 1) / BLOCK_BYTES {
            if self.checked[block].load(Ordering::Acquire) {
                continue;
            }
            let start = block * BLOCK_BYTES;
            let mut bytes = vec![0; BLOCK_BYTES.min(self.len() - start)];
            self.file.read_exact_at(&mut bytes, start as u64)?;
            if crc32fast::hash(&bytes) != self.sums[block] {
                return Err(self.damage.report(&self.name));
            }
            self.checked[block].store(true, Ordering::Release);
        }
        self.file.read_exact_at(into, start as u64)
    }

    /// All bytes, unchecked: for views over ranges that [`Mapped::read`] has checked.
    pub fn unchecked(&self) -> &[u8] {
        self.map.as_deref().unwrap_or_default()
    }
}

#[expect(unsafe_code, reason = "mapping a file is unsafe because another process may change it")]
fn map(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: the program never writes to files of a committed generation, and the size was just
    // compared with the recorded one. A user who truncates one while it is mapped kills the reader.
    unsafe { Mmap::map(file) }
}
