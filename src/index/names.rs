//! Which generation a name points to: one small file per name, replaced atomically. That
//! replacement is the commit.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::consistency::disagreements;
use super::generation::{META, Meta, damaged};
use super::pointer::{Before, Pointer, Publication, Target};
use super::progress::{self, Progress};
use super::snapshot::Snapshot;
use crate::disk::{self, Lock};
use crate::error::{Context as _, Fault, Result};
use crate::state::State;
use crate::strings;

/// Prefix of generations being built, loaded or removed; they stay only when their process dies.
const BUILDING: &str = ".building-";

/// The folder `indexes/` of a data directory.
#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
    /// Lists the user's other data directories.
    state: State,
}

impl Store {
    pub fn new(data_dir: &Path) -> Self {
        Self { dir: data_dir.join("indexes"), state: State::none() }
    }

    /// The same store, whose messages name the indexes of other data directories.
    #[must_use]
    pub fn with_state(self, state: State) -> Self {
        Self { state, ..self }
    }

    /// Other data directories of this user that have indexes, with the names of these.
    pub fn elsewhere(&self) -> Vec<(PathBuf, Vec<String>)> {
        let own = self.dir.canonicalize().ok();
        let mut found = Vec::new();
        for data_dir in self.state.data_dirs() {
            let other = Self::new(&data_dir);
            let is_other = own.is_none() || other.dir.canonicalize().ok() != own;
            let names = if is_other { other.names().unwrap_or_default() } else { Vec::new() };
            if !names.is_empty() {
                found.push((data_dir, names));
            }
        }
        found
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn generation_dir(&self, generation: &str) -> PathBuf {
        self.dir.join(generation)
    }

    pub(super) fn pointer_path(&self, name: &str) -> PathBuf {
        self.dir.join("names").join(format!("{name}.json"))
    }

    /// All index names, sorted.
    pub fn names(&self) -> Result<Vec<String>> {
        let dir = self.dir.join("names");
        let entries = disk::if_exists(std::fs::read_dir(&dir))
            .or_failed(|| format!("cannot read {}", dir.display()))?;
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

    /// Reads the pointer of a name; `None` when there is no such index.
    ///
    /// # Errors
    /// [`Kind::Damaged`](crate::error::Kind::Damaged) when the pointer is not what was written.
    pub fn pointer(&self, name: &str) -> Result<Option<Pointer>> {
        let path = self.pointer_path(name);
        let bytes = disk::if_exists(std::fs::read(&path))
            .or_failed(|| format!("cannot read {}", path.display()))?;
        let Some(bytes) = bytes else { return Ok(None) };
        let pointer: Pointer =
            serde_json::from_slice(&bytes).map_err(|e| damaged(&path, &e.to_string()))?;
        if !pointer.is_sealed() || pointer.name != name {
            return Err(damaged(&path, "its seal is broken"));
        }
        Ok(Some(pointer))
    }

    /// Reads the pointer of an index that must exist.
    ///
    /// # Errors
    /// Those of [`Store::pointer`], and a fault that lists the existing indexes.
    pub fn require(&self, name: &str) -> Result<Pointer> {
        self.pointer(name)?.ok_or_else(|| self.no_such_index(name))
    }

    /// Opens the current generation of an index.
    ///
    /// # Errors
    /// Says what to run when there is no such index; [`Kind::Damaged`](crate::error::Kind::Damaged)
    /// names the damaged file.
    pub fn open(&self, name: &str) -> Result<Snapshot> {
        self.follow(name, |pointer| self.open_target(&pointer.current))
    }

    pub(super) fn open_target(&self, target: &Target) -> Result<Snapshot> {
        Snapshot::open(&self.generation_dir(&target.generation), target)
    }

    /// Reads `meta.json` of the current generation of an index.
    pub fn meta(&self, name: &str) -> Result<Meta> {
        self.follow(name, |pointer| self.read_meta(&pointer.current))
    }

    pub(super) fn read_meta(&self, target: &Target) -> Result<Meta> {
        Meta::read(&self.generation_dir(&target.generation), &target.meta_sha256)
    }

    /// Runs `read` on the pointer of a name, and again as long as writers replace the pointer
    /// meanwhile: they remove older generations, so files may vanish between two steps of a reader.
    pub(super) fn follow<T>(&self, name: &str, read: impl Fn(&Pointer) -> Result<T>) -> Result<T> {
        let mut pointer = self.require(name)?;
        loop {
            let fault = match read(&pointer) {
                Ok(value) => return Ok(value),
                Err(fault) => fault,
            };
            match self.pointer(name)? {
                Some(replaced) if replaced != pointer => pointer = replaced,
                _ => return Err(fault),
            }
        }
    }

    fn no_such_index(&self, name: &str) -> Fault {
        /// `rag index list --everywhere` shows the others.
        const MOST: usize = 3;
        let names = self.names().unwrap_or_default();
        let dir = std::path::absolute(&self.dir).unwrap_or_else(|_| self.dir.clone());
        let fault = Fault::failed(format!("there is no index named `{name}` in {}", dir.display()));
        let meant = strings::similar(name, names.iter().map(String::as_str));
        let here = match (meant, names.is_empty()) {
            (Some(meant), _) if names.len() == 1 => format!("did you mean `{meant}`?"),
            (Some(meant), _) => {
                format!("did you mean `{meant}`? There are: {}", names.join(", "))
            }
            (None, true) => "make one with `rag ingest --dir FOLDER`".to_owned(),
            (None, false) => format!("there are: {}", names.join(", ")),
        };
        let elsewhere = self.elsewhere();
        if elsewhere.is_empty() {
            return fault.hint(here);
        }
        let shown = elsewhere.iter().take(MOST);
        let shown: Vec<String> =
            shown.map(|(dir, names)| format!("{} ({})", dir.display(), names.join(", "))).collect();
        let more = match elsewhere.len().saturating_sub(MOST) {
            0 => String::new(),
            n => format!(", and {n} more, see `rag index list --everywhere`"),
        };
        fault.hint(format!(
            "{here}; or name another data directory with `--data-dir`: {}{more}",
            shown.join(", ")
        ))
    }

    /// Becomes the only writer of this data directory, and removes what dead writers left.
    pub fn lock(&self, wait: Duration, give_up: &dyn Fn() -> bool) -> Result<Lock> {
        disk::create_dir(&self.dir.join("names"))?;
        let lock = Lock::take(&self.dir.join(".lock"), wait, give_up)?;
        self.remove_leftovers()?;
        self.collect_garbage();
        Ok(lock)
    }

    /// A new, empty folder for a generation, whose name ends with `suffix`. The caller holds the
    /// lock.
    pub(super) fn new_building_dir(&self, suffix: &str) -> Result<PathBuf> {
        let dir = self.dir.join(format!("{BUILDING}{}{suffix}", std::process::id()));
        disk::remove_dir(&dir)?;
        disk::create_dir(&dir)?;
        Ok(dir)
    }

    /// Starts reporting how many of an index's missing vectors are computed.
    pub fn begin_progress(&self, name: &str, total: u64) -> Option<Progress> {
        Progress::begin(self.progress_path(name), total)
    }

    /// How many of an index's missing vectors are computed, and of how many; `None` when no process
    /// computes them.
    pub fn progress(&self, name: &str) -> Option<(u64, u64)> {
        Progress::read(&self.progress_path(name))
    }

    fn progress_path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{}{name}", progress::PREFIX))
    }

    fn remove_leftovers(&self) -> Result<()> {
        for (name, path) in entries(&self.dir)? {
            if name.starts_with(BUILDING) {
                disk::remove_dir(&path)?;
            } else if name.starts_with(progress::PREFIX) || disk::is_temporary(&name) {
                let _ = std::fs::remove_file(path);
            }
        }
        for (name, path) in entries(&self.dir.join("names"))? {
            if disk::is_temporary(&name) {
                let _ = std::fs::remove_file(path);
            }
        }
        Ok(())
    }

    /// Writes `meta.json` into a finished folder, moves the folder to its place and points `name`
    /// to it. The caller holds the lock.
    pub(super) fn publish(
        &self,
        name: &str,
        building: &Path,
        meta: &Meta,
        publication: Publication,
        before: Before,
    ) -> Result<Pointer> {
        let bytes = meta.to_bytes()?;
        disk::replace(&building.join(META), &bytes)?;
        disk::sync_dir(&building.join("bm25"))?;
        let generation = self.free_generation(&meta.corpus_id, publication);
        let previous = self.previous(name, before);
        let dir = self.generation_dir(&generation);
        std::fs::rename(building, &dir).or_failed(|| format!("cannot create {}", dir.display()))?;
        disk::sync_dir(&self.dir)?;
        let target = Target { generation, meta_sha256: disk::sha256_hex(&bytes) };
        let pointer = Pointer::new(name, target, previous);
        self.write_pointer(&pointer)?;
        self.collect_garbage();
        Ok(pointer)
    }

    /// An unused folder name. The same content may be committed again, with other modification
    /// times or other failures.
    fn free_generation(&self, corpus_id: &str, publication: Publication) -> String {
        let stem = match publication {
            Publication::Whole => corpus_id.to_owned(),
            Publication::Text => format!("{corpus_id}-text"),
        };
        let mut candidates =
            std::iter::once(stem.clone()).chain((2..).map(|n| format!("{stem}-{n}")));
        let is_free = |generation: &String| !self.generation_dir(generation).exists();
        candidates.find(is_free).unwrap_or_default()
    }

    /// The generation that a rollback of the next one leads to. A damaged pointer must not prevent
    /// a new one: writing another is how the user repairs it.
    fn previous(&self, name: &str, before: Before) -> Option<Target> {
        let pointer = self.pointer(name).unwrap_or_default()?;
        match before {
            Before::Forget => None,
            Before::Replace => pointer.previous,
            // A generation without its vectors is not worth going back to.
            Before::Keep if self.is_text(&pointer.current) => pointer.previous,
            Before::Keep => Some(pointer.current),
        }
    }

    fn is_text(&self, target: &Target) -> bool {
        self.read_meta(target).is_ok_and(|meta| meta.pending > 0)
    }

    /// Writes a pointer in place of another or none. The caller holds the lock.
    pub(super) fn write_pointer(&self, pointer: &Pointer) -> Result<()> {
        let text =
            serde_json::to_vec_pretty(pointer).or_failed(|| "cannot write a pointer".into())?;
        disk::replace(&self.pointer_path(&pointer.name), &text)
    }

    /// Swaps the current and the previous generation of an index. The caller holds the lock.
    ///
    /// # Errors
    /// When there is no previous generation, or it is damaged; nothing has changed then.
    pub fn rollback(&self, name: &str) -> Result<Meta> {
        let pointer = self.require(name)?;
        let previous = pointer.previous.ok_or_else(|| {
            Fault::failed(format!("the index `{name}` has no previous generation")).hint(
                "an ingest that changes something keeps the previous one; `rag documents remove` \
                 and `rag index compact` keep none",
            )
        })?;
        let snapshot = self.open_target(&previous)?;
        snapshot.check()?;
        if let Some(reason) = disagreements(&snapshot)?.first() {
            return Err(damaged(snapshot.dir(), reason));
        }
        self.write_pointer(&Pointer::new(name, previous, Some(pointer.current)))?;
        Ok(snapshot.meta().clone())
    }

    /// Drops the previous generation of an index. The caller holds the lock.
    pub fn forget_previous(&self, name: &str) -> Result<()> {
        let pointer = self.require(name)?;
        if pointer.previous.is_some() {
            self.write_pointer(&Pointer::new(name, pointer.current, None))?;
            self.collect_garbage();
        }
        Ok(())
    }

    /// Removes an index: its name first, then its generations.
    pub fn remove(&self, name: &str) -> Result<()> {
        let path = self.pointer_path(name);
        disk::if_exists(std::fs::remove_file(&path))
            .or_failed(|| format!("cannot remove {}", path.display()))?
            .ok_or_else(|| self.no_such_index(name))?;
        disk::sync_dir(&self.dir.join("names"))?;
        self.collect_garbage();
        Ok(())
    }

    /// Removes every generation that no pointer names. The caller holds the lock. What cannot be
    /// removed now is left to the next writer, since the commit is already done.
    fn collect_garbage(&self) {
        let (Ok(names), Ok(entries)) = (self.names(), entries(&self.dir)) else { return };
        let mut kept = Vec::new();
        for name in names {
            // Without a pointer its generations are unknown, so nothing may be removed.
            let Ok(Some(pointer)) = self.pointer(&name) else { return };
            kept.extend(pointer.generations());
        }
        for (name, path) in entries {
            let is_generation = path.join(META).is_file() && !name.starts_with('.');
            if is_generation && !kept.contains(&name) {
                // Renamed first: half removed, it would not be recognized as a generation.
                let doomed = self.dir.join(format!("{BUILDING}{}-{name}", std::process::id()));
                let _ = std::fs::rename(path, &doomed);
                let _ = disk::remove_dir(&doomed);
            }
        }
    }
}

/// Names and paths of what is in a folder.
fn entries(dir: &Path) -> Result<Vec<(String, PathBuf)>> {
    let entries = std::fs::read_dir(dir).or_failed(|| format!("cannot read {}", dir.display()))?;
    let name = |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    Ok(entries.flatten().map(|entry| (name(&entry), entry.path())).collect())
}
