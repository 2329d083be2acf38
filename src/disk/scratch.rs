//! A folder for work in progress. It is locked while its process lives, so that other processes
//! recognize the folder of a killed one.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::identity::is_at;
use super::write::{create_dir, if_exists, remove_dir, sync_dir, unique};
use crate::error::{Context as _, Result};

/// How names begin, in this and in older versions, and how they end.
const BEGINNINGS: [&str; 2] = [".scratch-", ".pull-"];
const ENDING: &str = ".tmp";

/// The folder. It is removed on drop, unless it was [kept](Scratch::keep_as).
#[derive(Debug)]
pub struct Scratch {
    dir: PathBuf,
    /// Holds the lock.
    _locked: File,
}

impl Scratch {
    /// A new, empty folder in `parent`, which is created if it is missing. Folders that killed
    /// processes left there are removed.
    ///
    /// # Errors
    /// When the folder cannot be created.
    pub fn new(parent: &Path, purpose: &str) -> Result<Self> {
        create_dir(parent)?;
        Self::sweep(parent);
        let dir = parent.join(format!("{}{purpose}-{}{ENDING}", BEGINNINGS[0], unique()));
        loop {
            remove_dir(&dir)?;
            create_dir(&dir)?;
            // Another process may have swept it before it is locked.
            let Some(folder) = if_exists(File::open(&dir)).or_cannot("create", &dir)? else {
                continue;
            };
            match folder.try_lock() {
                Ok(()) if is_at(&folder, &dir) => return Ok(Self { dir, _locked: folder }),
                Ok(()) | Err(std::fs::TryLockError::WouldBlock) => {}
                // A file system without locks: the folder never counts as a leftover.
                Err(std::fs::TryLockError::Error(_)) => return Ok(Self { dir, _locked: folder }),
            }
        }
    }

    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// Gives the folder its final name, which must be free.
    pub fn keep_as(self, target: &Path) -> Result<()> {
        std::fs::rename(&self.dir, target).or_cannot("create", target)?;
        sync_dir(target.parent().unwrap_or(Path::new(".")))
    }

    /// Removes folders that dead processes left in `parent`. What cannot be removed is left to the
    /// next writer.
    pub fn sweep(parent: &Path) {
        let Ok(entries) = std::fs::read_dir(parent) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_scratch = BEGINNINGS.iter().any(|beginning| name.starts_with(beginning));
            let is_leftover = is_scratch || (name.starts_with('.') && name.ends_with(ENDING));
            if !is_leftover || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            let Ok(folder) = File::open(entry.path()) else { continue };
            if folder.try_lock().is_ok() {
                let _ = remove_dir(&entry.path());
            }
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = remove_dir(&self.dir);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_of_killed_processes_are_removed() {
        let parent = tempfile::tempdir().unwrap();
        let names = || {
            let entries = std::fs::read_dir(parent.path()).unwrap();
            let mut names: Vec<_> =
                entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        for dir in [".pull-1", ".mini.1.tmp", ".scratch-add-1.tmp", "mini", ".setup"] {
            create_dir(&parent.path().join(dir)).unwrap();
            std::fs::write(parent.path().join(dir).join("model.onnx"), "x").unwrap();
        }
        let first = Scratch::new(parent.path(), "pull").unwrap();
        let own = first.path().file_name().unwrap().to_str().unwrap().to_owned();
        assert_eq!(names(), [own.as_str(), ".setup", "mini"]);
        // The folder of a live process stays.
        Scratch::sweep(parent.path());
        assert!(first.path().is_dir());
        let second = Scratch::new(parent.path(), "add").unwrap();
        let other = Scratch::new(parent.path(), "add").unwrap();
        assert_ne!(second.path(), other.path());
        drop(other);
        second.keep_as(&parent.path().join("added")).unwrap();
        drop(first);
        assert_eq!(names(), [".setup", "added", "mini"]);
    }
}
