//! The folder `indexes/` of a data directory: the pointers and generations of this machine.

use std::path::{Path, PathBuf};

use super::generation::{META, Meta};
use super::pointer::{Pointer, Target};
use crate::disk;
use crate::error::{Context as _, Result};

/// Prefix of generations being built, loaded or removed; they stay only when their process dies.
pub const BUILDING: &str = ".building-";

/// The folder `indexes/`.
#[derive(Clone, Debug)]
pub struct Local {
    dir: PathBuf,
}

impl Local {
    pub fn new(data_dir: &Path) -> Self {
        Self { dir: data_dir.join("indexes") }
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn generation_dir(&self, generation: &str) -> PathBuf {
        self.dir.join(generation)
    }

    pub fn names_dir(&self) -> PathBuf {
        self.dir.join("names")
    }

    pub fn pointer_path(&self, name: &str) -> PathBuf {
        self.names_dir().join(format!("{name}.json"))
    }

    pub fn lock_path(&self) -> PathBuf {
        self.dir.join(".lock")
    }

    /// All index names, sorted.
    pub fn names(&self) -> Result<Vec<String>> {
        let dir = self.names_dir();
        let entries = disk::if_exists(std::fs::read_dir(&dir)).or_cannot("read", &dir)?;
        let files = entries
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok());
        let names = files.filter_map(|file| Some(file.strip_suffix(".json")?.to_owned()));
        let mut names: Vec<String> = names.filter(|name| !name.starts_with('.')).collect();
        names.sort();
        Ok(names)
    }

    /// Reads the pointer of a name; `None` when there is none.
    ///
    /// # Errors
    /// [`Kind::Damaged`](crate::error::Kind::Damaged) when the pointer is not what was written.
    pub fn pointer(&self, name: &str) -> Result<Option<Pointer>> {
        let path = self.pointer_path(name);
        let bytes = disk::if_exists(std::fs::read(&path)).or_cannot("read", &path)?;
        bytes.map(|bytes| Pointer::parse(&bytes, name, &path)).transpose()
    }

    /// Writes a pointer in place of another or none.
    pub fn hold(&self, pointer: &Pointer) -> Result<()> {
        disk::replace(&self.pointer_path(&pointer.name), &pointer.to_bytes()?)
    }

    /// Removes a pointer; whether there was one.
    pub fn release(&self, name: &str) -> Result<bool> {
        let path = self.pointer_path(name);
        let removed = disk::if_exists(std::fs::remove_file(&path)).or_cannot("remove", &path)?;
        if removed.is_some() {
            disk::sync_dir(&self.names_dir())?;
        }
        Ok(removed.is_some())
    }

    pub fn read_meta(&self, target: &Target) -> Result<Meta> {
        Meta::read(&self.generation_dir(&target.generation), &target.meta_sha256)
    }

    /// The folder that has a generation, whatever its name; `None` when there is none.
    pub fn folder_of(&self, target: &Target) -> Option<String> {
        let has_it =
            |folder: &String| Meta::read(&self.generation_dir(folder), &target.meta_sha256).is_ok();
        let likely = std::iter::once(target.generation.clone());
        likely.chain(self.folders()).find(has_it)
    }

    /// The lock of the process that copies generations from a depot, until it has named them.
    pub fn copying_path(&self) -> PathBuf {
        self.dir.join(".copying")
    }

    /// The folders of all generations.
    pub fn folders(&self) -> Vec<String> {
        let found = entries(&self.dir).unwrap_or_default().into_iter();
        let is_generation =
            |name: &str, path: &Path| path.join(META).is_file() && !name.starts_with('.');
        found.filter(|(name, path)| is_generation(name, path)).map(|(name, _)| name).collect()
    }

    /// An unused folder name, `stem` if possible.
    pub fn free_folder(&self, stem: &str) -> String {
        let mut candidates =
            std::iter::once(stem.to_owned()).chain((2..).map(|n| format!("{stem}-{n}")));
        let is_free = |folder: &String| !self.generation_dir(folder).exists();
        candidates.find(is_free).unwrap_or_default()
    }

    /// Removes every generation that no pointer names. The caller holds the lock, and with a depot
    /// that of copies: a copy has no name until it is complete. What cannot be removed now is left
    /// to the next writer, since the commit is already done.
    pub fn collect_garbage(&self) {
        let Ok(names) = self.names() else { return };
        let mut kept = Vec::new();
        for name in names {
            // Without a pointer its generations are unknown, so nothing may be removed.
            let Ok(Some(pointer)) = self.pointer(&name) else { return };
            kept.extend(pointer.generations());
        }
        for name in self.folders().into_iter().filter(|name| !kept.contains(name)) {
            // Renamed first: half removed, it would not be recognized as a generation.
            let doomed = self.dir.join(format!("{BUILDING}{}-{name}", std::process::id()));
            let _ = std::fs::rename(self.generation_dir(&name), &doomed);
            let _ = disk::remove_dir(&doomed);
        }
    }
}

/// Names and paths of what is in a folder.
pub fn entries(dir: &Path) -> Result<Vec<(String, PathBuf)>> {
    let entries = std::fs::read_dir(dir).or_cannot("read", dir)?;
    let name = |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    Ok(entries.flatten().map(|entry| (name(&entry), entry.path())).collect())
}
