//! Which generation a name stands for: one small file a name, replaced atomically. That replacement
//! is the commit.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::build::Before;
use super::generation::{Meta, damaged};
use super::progress::{self, Progress};
use super::snapshot::Snapshot;
use super::verify::disagreements;
use crate::disk::{self, Blake, Lock};
use crate::error::{Context as _, Fault, Result};
use crate::state::State;

/// Generations being built, loaded or removed; left behind only by a process that died.
const BUILDING: &str = ".building-";

/// What is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Publication {
    /// Everything.
    Whole,
    /// All but the vectors, which are being made.
    Text,
}

/// Version of the pointer file.
const VERSION: u32 = 1;

/// The folder `indexes/` of a data directory.
#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
    /// Knows where else there are indexes.
    state: State,
}

/// `names/<NAME>.json`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Pointer {
    version: u32,
    pub name: String,
    pub current: Target,
    /// The generation before, kept so that it can be gone back to.
    pub previous: Option<Target>,
    /// BLAKE2b over the fields above, so that a damaged pointer is not followed.
    seal: String,
}

/// One generation: its folder and the SHA-256 of its `meta.json`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Target {
    pub generation: String,
    pub meta_sha256: String,
}

impl Pointer {
    fn new(name: &str, current: Target, previous: Option<Target>) -> Self {
        let mut pointer = Self {
            version: VERSION,
            name: name.to_owned(),
            current,
            previous,
            seal: String::new(),
        };
        pointer.seal = pointer.sealed();
        pointer
    }

    /// The folders that it leads to.
    pub(super) fn generations(self) -> impl Iterator<Item = String> {
        std::iter::once(self.current).chain(self.previous).map(|target| target.generation)
    }

    fn sealed(&self) -> String {
        let mut hash =
            Blake::new(16).field(&self.version.to_le_bytes()).field(self.name.as_bytes());
        for target in std::iter::once(&self.current).chain(&self.previous) {
            hash.add(target.generation.as_bytes());
            hash.add(target.meta_sha256.as_bytes());
        }
        disk::hex(&hash.finish::<16>())
    }
}

impl Store {
    pub fn new(data_dir: &Path) -> Self {
        Self { dir: data_dir.join("indexes"), state: State::none() }
    }

    /// The same, for messages that name the indexes of other data directories.
    #[must_use]
    pub fn knowing(self, state: State) -> Self {
        Self { state, ..self }
    }

    /// Data directories of this user that have indexes now, with their names.
    pub fn elsewhere(&self) -> Vec<(PathBuf, Vec<String>)> {
        let own = self.dir.canonicalize().ok();
        let stores = self.state.places().into_iter().map(|place| (Self::new(&place), place));
        let others =
            stores.filter(|(store, _)| own.is_none() || store.dir.canonicalize().ok() != own);
        let named = others.map(|(store, place)| (place, store.names().unwrap_or_default()));
        named.filter(|(_, names)| !names.is_empty()).collect()
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

    /// The names there are, sorted.
    pub fn names(&self) -> Result<Vec<String>> {
        let dir = self.dir.join("names");
        let entries = match std::fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(e).or_failed(|| format!("cannot read {}", dir.display())),
        };
        let mut names: Vec<String> = entries
            .filter_map(|entry| {
                Some(entry.ok()?.file_name().to_str()?.strip_suffix(".json")?.to_owned())
            })
            .filter(|name| !name.starts_with('.'))
            .collect();
        names.sort();
        Ok(names)
    }

    /// Follows a name; `None` when there is no such index.
    ///
    /// # Errors
    /// [`Kind::Damaged`](crate::error::Kind::Damaged) when the pointer is not what was written.
    pub fn pointer(&self, name: &str) -> Result<Option<Pointer>> {
        let path = self.pointer_path(name);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e).or_failed(|| format!("cannot read {}", path.display())),
        };
        let pointer: Pointer =
            serde_json::from_slice(&bytes).map_err(|e| damaged(&path, &e.to_string()))?;
        if pointer.seal != pointer.sealed() || pointer.name != name {
            return Err(damaged(&path, "its seal is broken"));
        }
        Ok(Some(pointer))
    }

    /// Opens the generation that `name` stands for now.
    ///
    /// # Errors
    /// Says what to run when there is no such index; [`Kind::Damaged`](crate::error::Kind::Damaged)
    /// names the damaged file.
    pub fn open(&self, name: &str) -> Result<Snapshot> {
        self.follow(name, |pointer| {
            Snapshot::open(&self.generation_dir(&pointer.current.generation), &pointer.current)
        })
    }

    /// Reads `meta.json` of the generation that `name` stands for now.
    pub fn meta(&self, name: &str) -> Result<Meta> {
        self.follow(name, |pointer| {
            Meta::read(
                &self.generation_dir(&pointer.current.generation),
                &pointer.current.meta_sha256,
            )
        })
    }

    /// Runs `read` on what `name` stands for, and again as long as writers replace that meanwhile:
    /// they remove the generation before the last, so that its files may vanish between two steps
    /// of a reader.
    pub(super) fn follow<T>(&self, name: &str, read: impl Fn(&Pointer) -> Result<T>) -> Result<T> {
        let mut pointer = self.pointer(name)?.ok_or_else(|| self.no_such_index(name))?;
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

    /// # Errors
    /// When there is no index of this name.
    pub fn must_have(&self, name: &str) -> Result<()> {
        self.pointer(name)?.map(drop).ok_or_else(|| self.no_such_index(name))
    }

    fn no_such_index(&self, name: &str) -> Fault {
        /// More are a list for a command of its own.
        const MOST: usize = 3;
        let names = self.names().unwrap_or_default();
        let dir = std::path::absolute(&self.dir).unwrap_or_else(|_| self.dir.clone());
        let fault = Fault::failed(format!("there is no index named `{name}` in {}", dir.display()));
        let here = match names.is_empty() {
            true => "make one with `rag ingest --dir FOLDER`".to_owned(),
            false => format!("there are: {}", names.join(", ")),
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

    /// Becomes the one writer of this data directory, and clears away what writers that died have
    /// left.
    pub fn lock(&self, wait: Duration, give_up: &dyn Fn() -> bool) -> Result<Lock> {
        disk::create_dir(&self.dir.join("names"))?;
        let lock = Lock::take(&self.dir.join(".lock"), wait, give_up)?;
        self.remove_orphans()?;
        self.collect_garbage();
        Ok(lock)
    }

    /// A new, empty folder for a generation in the making. The caller holds the lock.
    pub(super) fn new_building_dir(&self) -> Result<PathBuf> {
        let dir = self.dir.join(format!("{BUILDING}{}", std::process::id()));
        disk::remove_dir(&dir)?;
        disk::create_dir(&dir)?;
        Ok(dir)
    }

    /// As [`Store::new_building_dir`], for what is published before the vectors are made.
    pub(super) fn new_text_dir(&self) -> Result<PathBuf> {
        let dir = self.dir.join(format!("{BUILDING}{}-text", std::process::id()));
        disk::remove_dir(&dir)?;
        disk::create_dir(&dir)?;
        Ok(dir)
    }

    /// Begins to tell how many of the vectors that a name waits for are made.
    pub fn begin_progress(&self, name: &str, total: u64) -> Option<Progress> {
        Progress::begin(self.progress_path(name), total)
    }

    /// How many of the vectors that a name waits for are made, and of how many; `None` when nobody
    /// makes them.
    pub fn progress(&self, name: &str) -> Option<(u64, u64)> {
        Progress::read(&self.progress_path(name))
    }

    fn progress_path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{}{name}", progress::PREFIX))
    }

    fn remove_orphans(&self) -> Result<()> {
        for entry in std::fs::read_dir(&self.dir)
            .or_failed(|| format!("cannot read {}", self.dir.display()))?
            .flatten()
        {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with(BUILDING) {
                disk::remove_dir(&entry.path())?;
            } else if name.starts_with(progress::PREFIX) || disk::is_temporary(&name) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
        let names = self.dir.join("names");
        for entry in std::fs::read_dir(&names)
            .or_failed(|| format!("cannot read {}", names.display()))?
            .flatten()
        {
            let name = entry.file_name().to_string_lossy().into_owned();
            if disk::is_temporary(&name) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
        Ok(())
    }

    /// Moves a finished folder to its place and makes `name` stand for it. The caller holds the
    /// lock.
    pub(super) fn publish(
        &self,
        name: &str,
        building: &Path,
        corpus_id: &str,
        meta_sha256: &str,
        what: Publication,
        before: Before,
    ) -> Result<Pointer> {
        let stem = match what {
            Publication::Whole => corpus_id.to_owned(),
            Publication::Text => format!("{corpus_id}-text"),
        };
        // The same content can be committed again, with other modification times or other failures.
        let generation = (1..)
            .map(|n| if n == 1 { stem.clone() } else { format!("{stem}-{n}") })
            .find(|generation| !self.generation_dir(generation).exists())
            .unwrap_or_default();
        let target = self.generation_dir(&generation);
        // A damaged pointer must not stop a new one from being written: that is how the user mends
        // it.
        let previous = match before {
            Before::Forget => None,
            Before::Replace => self.pointer(name).unwrap_or_default().and_then(|p| p.previous),
            // Nobody goes back to what was half made.
            Before::Keep => self
                .pointer(name)
                .unwrap_or_default()
                .and_then(|p| if self.is_text(&p.current) { p.previous } else { Some(p.current) }),
        };
        std::fs::rename(building, &target)
            .or_failed(|| format!("cannot create {}", target.display()))?;
        disk::sync_dir(&self.dir)?;
        let pointer = Pointer::new(
            name,
            Target { generation, meta_sha256: meta_sha256.to_owned() },
            previous,
        );
        self.write_pointer(&pointer)?;
        self.collect_garbage();
        Ok(pointer)
    }

    fn is_text(&self, target: &Target) -> bool {
        Meta::read(&self.generation_dir(&target.generation), &target.meta_sha256)
            .is_ok_and(|meta| meta.pending > 0)
    }

    /// Makes `name` stand for `current`, whatever it stood for. The caller holds the lock.
    pub(super) fn point(
        &self,
        name: &str,
        current: Target,
        previous: Option<Target>,
    ) -> Result<()> {
        self.write_pointer(&Pointer::new(name, current, previous))
    }

    fn write_pointer(&self, pointer: &Pointer) -> Result<()> {
        let text =
            serde_json::to_vec_pretty(pointer).or_failed(|| "cannot write a pointer".into())?;
        disk::replace(&self.pointer_path(&pointer.name), &text)
    }

    /// Makes `name` stand for the generation before, and keeps the present one in its place. The
    /// caller holds the lock.
    ///
    /// # Errors
    /// When there is none before, or it is not whole to the last byte; nothing has changed then.
    pub fn rollback(&self, name: &str) -> Result<Meta> {
        let pointer = self.pointer(name)?.ok_or_else(|| self.no_such_index(name))?;
        let previous = pointer.previous.ok_or_else(|| {
            Fault::failed(format!("the index `{name}` has no generation before this one")).hint(
                "an ingest that changes something keeps the one before; `rag documents remove` and \
                 `rag index compact` \
                 keep none",
            )
        })?;
        let dir = self.generation_dir(&previous.generation);
        let snapshot = Snapshot::open(&dir, &previous)?;
        snapshot.check()?;
        if let Some(reason) = disagreements(&snapshot)?.first() {
            return Err(damaged(&dir, reason));
        }
        self.write_pointer(&Pointer::new(name, previous, Some(pointer.current)))?;
        Ok(snapshot.meta().clone())
    }

    /// Drops the generation before the present one. The caller holds the lock.
    pub fn forget_previous(&self, name: &str) -> Result<()> {
        let pointer = self.pointer(name)?.ok_or_else(|| self.no_such_index(name))?;
        if pointer.previous.is_some() {
            self.write_pointer(&Pointer::new(name, pointer.current, None))?;
            self.collect_garbage();
        }
        Ok(())
    }

    /// Removes an index: its name first, then its generations.
    pub fn remove(&self, name: &str) -> Result<()> {
        let path = self.pointer_path(name);
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(self.no_such_index(name));
            }
            removed => removed.or_failed(|| format!("cannot remove {}", path.display()))?,
        }
        disk::sync_dir(&self.dir.join("names"))?;
        self.collect_garbage();
        Ok(())
    }

    /// Removes every generation that no name stands for. The caller holds the lock. What cannot be
    /// removed now is tried again by the next writer: the commit before it stands all the same.
    fn collect_garbage(&self) {
        let mut kept = Vec::new();
        let (Ok(names), Ok(entries)) = (self.names(), std::fs::read_dir(&self.dir)) else { return };
        for name in names {
            // What a damaged pointer stood for is unknown, so nothing is garbage then.
            let Ok(Some(pointer)) = self.pointer(&name) else { return };
            kept.push(pointer.current.generation);
            kept.extend(pointer.previous.map(|target| target.generation));
        }
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_generation = entry.path().join(super::generation::META).is_file();
            if is_generation && !name.starts_with('.') && !kept.contains(&name) {
                // Under another name first: half removed, it could not be told from a stranger's
                // folder.
                let doomed = self.dir.join(format!("{BUILDING}{}-{name}", std::process::id()));
                let _ = std::fs::rename(entry.path(), &doomed);
                let _ = disk::remove_dir(&doomed);
            }
        }
    }
}
