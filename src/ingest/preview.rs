//! What an ingest would read, found by a walk that reads no file.

use std::collections::HashMap;
use std::path::Path;

use super::request::Request;
use super::roots::{self, walk_options};
use crate::document::extension_of;
use crate::engine::Engine;
use crate::error::{Fault, Result};
use crate::index::{Record, Root};
use crate::text::{self, Entry};

/// The files of some folders, compared with the table of the index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Preview {
    pub new: u64,
    pub changed: u64,
    /// Documents whose files are gone.
    pub gone: u64,
    /// Estimated bytes of text in new and changed files.
    pub text_bytes: u64,
}

/// Bytes of text for a passage with the default model: the median of documentation and books.
const PASSAGE_BYTES: u64 = 800;

impl Preview {
    pub fn is_empty(&self) -> bool {
        self.new + self.changed + self.gone == 0
    }

    /// Files to read.
    pub fn files(&self) -> u64 {
        self.new + self.changed
    }

    /// Estimated passages of the files to read.
    pub fn passages(&self) -> u64 {
        self.text_bytes.div_ceil(PASSAGE_BYTES)
    }

    fn add(&mut self, path: &str, size: u64, is_known: bool) {
        match is_known {
            true => self.changed += 1,
            false => self.new += 1,
        }
        self.text_bytes += text_bytes(path, size);
    }
}

/// Estimated bytes of text in a file.
fn text_bytes(path: &str, size: u64) -> u64 {
    let (dividend, divisor) = match extension_of(path).to_lowercase().as_str() {
        "pdf" => (1, 15),
        "docx" | "pptx" | "xlsx" | "odt" | "odp" | "ods" | "epub" | "doc" | "ppt" | "xls" => (1, 6),
        "gz" | "xz" | "zst" | "zip" => (3, 1),
        "html" | "htm" | "xml" | "ipynb" => (1, 3),
        "png" | "jpg" | "jpeg" | "gif" | "webp" | "ico" | "mp3" | "mp4" | "mov" | "wav" | "ogg"
        | "so" | "a" | "o" | "exe" | "dll" | "bin" | "db" | "sqlite" | "woff" | "woff2" | "ttf"
        | "pyc" | "class" | "jar" | "iso" | "img" | "onnx" | "npy" | "safetensors" => (0, 1),
        _ => (1, 1),
    };
    size.saturating_mul(dividend) / divisor
}

/// What an ingest of the request's folders would read. Web pages are not looked at.
///
/// # Errors
/// For a folder that cannot be read, and an interrupt.
pub fn preview(engine: &Engine, request: &Request) -> Result<Preview> {
    let (known, records) = match engine.store.open(&engine.config.index) {
        Ok(snapshot) => (snapshot.meta().roots.clone(), snapshot.documents().unwrap_or_default()),
        // The first ingest; a damaged index is reported by the ingest itself.
        Err(_) => (Vec::new(), Vec::new()),
    };
    let mut preview = Preview::default();
    for root in roots::named(request, &known)? {
        let before = known.iter().position(|other| other.real == root.real);
        // Without patterns, those of the last ingest are used again.
        let root = match before.map(|n| &known[n]) {
            Some(last) if root.include.is_empty() && root.exclude.is_empty() => last.clone(),
            _ => root,
        };
        let of_root = records.iter().filter(|record| Some(record.root) == before);
        compare(engine, &root, of_root, &mut preview)?;
    }
    Ok(preview)
}

/// Compares a folder with its records.
fn compare<'r>(
    engine: &Engine,
    root: &Root,
    records: impl Iterator<Item = &'r Record>,
    preview: &mut Preview,
) -> Result<()> {
    let mut known: HashMap<&str, &Record> =
        records.map(|record| (record.path.as_str(), record)).collect();
    text::walk(Path::new(&root.real), &walk_options(engine, root), &mut |entry| {
        if engine.interrupted() {
            return Err(Fault::interrupted());
        }
        if let Entry::File(found) = entry {
            match known.remove(found.path.as_str()) {
                // A time of 0 was too recent to be trusted.
                Some(record)
                    if record.size == found.size
                        && (record.mtime_ns == found.mtime_ns || record.mtime_ns == 0) => {}
                record => preview.add(&found.path, found.size, record.is_some()),
            }
        }
        Ok(())
    })?;
    let is_indexed = |record: &&&Record| record.state == crate::index::State::Indexed;
    preview.gone += known.values().filter(is_indexed).count() as u64;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passages_are_estimated_from_the_text_in_files() {
        let mut preview = Preview::default();
        preview.add("a.md", 80_000, false);
        preview.add("b.pdf", 1_500_000, true);
        preview.add("c.png", 9_000_000, false);
        assert_eq!((preview.new, preview.changed, preview.files()), (2, 1, 3));
        assert_eq!(preview.passages(), 100 + 125);
        assert!(!preview.is_empty() && Preview::default().is_empty());
    }
}
