//! Estimates the disk space of an ingest, for the message about a full disk.

use std::cell::Cell;
use std::path::Path;

use crate::disk;
use crate::error::Fault;

/// Bytes of a BM25 index per byte of text while it is written: the texts to embed, the stored
/// fields, and the postings, which exist twice while two segments are merged.
const PER_TEXT_BYTE: u64 = 4;

/// A row of the table of files.
const PER_FILE: u64 = 512;

/// Bytes of text per vector, assumed before the texts are chunked. Passages of prose have about a
/// thousand.
const TEXT_PER_ROW: u64 = 500;

/// Checksums, folders, the job log, the pointer.
const FIXED: u64 = 256 << 10;

/// What is known so far of the size of the new generation.
#[derive(Default)]
pub struct Need {
    files: Cell<u64>,
    text_bytes: Cell<u64>,
    rows: Cell<u64>,
    row_bytes: Cell<u64>,
}

impl Need {
    /// Sets the number of files and the sizes of those to read.
    pub fn files(&self, n_files: usize, sizes: impl Iterator<Item = u64>, dimension: usize) {
        self.files.set(n_files as u64);
        let (mut text_bytes, mut rows) = (0u64, 0);
        for size in sizes {
            text_bytes = text_bytes.saturating_add(size);
            rows += 1 + size / TEXT_PER_ROW;
        }
        self.text_bytes.set(text_bytes);
        self.rows.set(rows);
        // A row, its codes and its key.
        self.row_bytes.set(dimension as u64 * 5 + 8 + 16);
    }

    /// Sets the number of vectors to make.
    pub fn rows(&self, n_rows: usize) {
        self.rows.set(n_rows as u64);
    }

    fn bytes(&self) -> u64 {
        let text = self.text_bytes.get().saturating_mul(PER_TEXT_BYTE);
        let rows = self.rows.get().saturating_mul(self.row_bytes.get());
        text.saturating_add(rows).saturating_add(self.files.get() * PER_FILE).saturating_add(FIXED)
    }

    /// Adds a hint about the required space to a fault about a full disk.
    pub fn explain(&self, fault: Fault, dir: &Path) -> Fault {
        if !fault.is_disk_full() {
            return fault;
        }
        let free =
            disk::available(dir).map_or_else(String::new, |bytes| format!(", {bytes} are free"));
        // Before the folders are listed only the minimum is known.
        let about = if self.files.get() == 0 { "at least" } else { "about" };
        fault.hint(format!(
            "this ingest takes {about} {} bytes in {}{free}; make room, or set `--data-dir` to \
             another disk",
            self.bytes(),
            dir.display()
        ))
    }
}
