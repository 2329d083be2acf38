//! Progress of an ingest: its stages, and a file that counts the vectors computed for a text that
//! is already published. The process that computes them writes it while it lives.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::strings::named;

named! {
    /// The stages of building a generation.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum IngestStage {
        Scan = "scan",
        Bm25 = "bm25",
        Vectors = "vectors",
        Save = "save",
    }
}

impl IngestStage {
    /// Share of the whole ingest, from 0 to 1, when `done` of `total` units of the stage are done;
    /// a `total` of 0 is unknown. Every display of progress uses it.
    pub fn share(self, done: u64, total: u64) -> f64 {
        // Embedding a text takes some hundred times as long as reading it, so the vectors take
        // nearly all of the time.
        let (from, to) = match self {
            Self::Scan => (0.0, 0.02),
            Self::Bm25 => (0.02, 0.1),
            Self::Vectors => (0.1, 0.98),
            Self::Save => (0.98, 1.0),
        };
        let within = if total == 0 { 0.0 } else { done.min(total) as f64 / total as f64 };
        from + (to - from) * within
    }
}

/// A share as whole percent: 100 only when all is done.
pub fn percent(share: f64) -> u64 {
    (share.clamp(0.0, 1.0) * 100.0) as u64
}

/// Prefix of progress files; the name of the index follows.
pub(super) const PREFIX: &str = ".progress-";

/// Writes how many vectors are computed, and of how many. For display only.
///
/// The file is locked while this exists, so that readers recognize the file of a killed process.
#[derive(Debug)]
pub struct Progress {
    file: File,
    path: PathBuf,
    total: u64,
}

impl Progress {
    /// Creates the file; `None` when that fails.
    pub(super) fn begin(path: PathBuf, total: u64) -> Option<Self> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .ok()?;
        file.lock().ok()?;
        let progress = Self { file, path, total };
        progress.report(0);
        Some(progress)
    }

    /// Writes how many are computed.
    pub fn report(&self, done: u64) {
        // Padded, so that one short write replaces all of the file.
        let _ = self.file.write_all_at(format!("{done:>20} {:>20}", self.total).as_bytes(), 0);
    }

    /// What the file at `path` says, if its writer is alive.
    pub(super) fn read(path: &Path) -> Option<(u64, u64)> {
        let file = File::open(path).ok()?;
        if !matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)) {
            return None;
        }
        let text = std::io::read_to_string(file).ok()?;
        let mut numbers = text.split_whitespace().map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_never_falls_from_stage_to_stage() {
        let stages =
            [IngestStage::Scan, IngestStage::Bm25, IngestStage::Vectors, IngestStage::Save];
        let shares: Vec<f64> = stages
            .iter()
            .flat_map(|stage| [0, 1, 4, 5, 9].map(|done| stage.share(done, 4)))
            .collect();
        assert!(shares.is_sorted(), "{shares:?}");
        assert_eq!((shares.first(), shares.last()), (Some(&0.0), Some(&1.0)));
        assert_eq!(IngestStage::Vectors.share(7, 0).to_bits(), 0.1f64.to_bits());
        assert_eq!([0.0, 0.499, 0.999, 1.0].map(percent), [0, 49, 99, 100]);
    }

    #[test]
    fn progress_is_readable_while_its_writer_lives() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(PREFIX);
        let progress = Progress::begin(path.clone(), 120).unwrap();
        assert_eq!(Progress::read(&path), Some((0, 120)));
        progress.report(100);
        progress.report(119);
        assert_eq!(Progress::read(&path), Some((119, 120)));
        drop(progress);
        assert_eq!((Progress::read(&path), path.exists()), (None, false));
        // The file of a killed process.
        std::fs::write(&path, "119 120").unwrap();
        assert_eq!(Progress::read(&path), None);
    }
}
