//! How far the vectors are that a published text still waits for: told by the process that makes them, for as long as it
//! lives.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// What such files are called: this, and the name of the index.
pub(super) const PREFIX: &str = ".progress-";

/// Vectors made, and all. Nobody relies on it: it is for people who wait.
///
/// The file is locked while this exists, so that what a killed process left is not taken for work that goes on.
#[derive(Debug)]
pub struct Progress {
    file: File,
    path: PathBuf,
    total: u64,
}

impl Progress {
    /// Begins to tell; `None` when the file cannot be made.
    pub(super) fn begin(path: PathBuf, total: u64) -> Option<Self> {
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path).ok()?;
        file.lock().ok()?;
        let progress = Self { file, path, total };
        progress.tell(0);
        Some(progress)
    }

    /// Notes how many are made.
    pub fn tell(&self, done: u64) {
        // Padded, so that one short write replaces all that was there.
        let _ = self.file.write_all_at(format!("{done:>20} {:>20}", self.total).as_bytes(), 0);
    }

    /// What was told last at `path`, if whoever tells it is alive.
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
    /// Nothing is waited for any more.
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_told_as_long_as_it_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(PREFIX);
        let progress = Progress::begin(path.clone(), 120).unwrap();
        assert_eq!(Progress::read(&path), Some((0, 120)));
        progress.tell(100);
        progress.tell(119);
        assert_eq!(Progress::read(&path), Some((119, 120)));
        drop(progress);
        assert_eq!((Progress::read(&path), path.exists()), (None, false));
        // What a killed process leaves.
        std::fs::write(&path, "119 120").unwrap();
        assert_eq!(Progress::read(&path), None);
    }
}
