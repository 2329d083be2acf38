//! Which generation a name stands for: one small file a name, replaced atomically. That replacement is the commit.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::generation::{Meta, damaged};
use super::snapshot::Snapshot;
use crate::disk::{self, Blake, Lock};
use crate::error::{Context as _, Fault, Kind, Result};

/// Generations being built or loaded; left behind only by a process that died.
const BUILDING: &str = ".building-";

/// Version of the pointer file.
const VERSION: u32 = 1;

/// The folder `indexes/` of a data directory.
#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
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
        let mut pointer = Self { version: VERSION, name: name.to_owned(), current, previous, seal: String::new() };
        pointer.seal = pointer.sealed();
        pointer
    }

    fn sealed(&self) -> String {
        let mut hash = Blake::new(16).field(&self.version.to_le_bytes()).field(self.name.as_bytes());
        for target in std::iter::once(&self.current).chain(&self.previous) {
            hash.add(target.generation.as_bytes());
            hash.add(target.meta_sha256.as_bytes());
        }
        disk::hex(&hash.finish::<16>())
    }
}

impl Store {
    pub fn new(data_dir: &Path) -> Self {
        Self { dir: data_dir.join("indexes") }
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn generation_dir(&self, generation: &str) -> PathBuf {
        self.dir.join(generation)
    }

    fn pointer_path(&self, name: &str) -> PathBuf {
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
            .filter_map(|entry| Some(entry.ok()?.file_name().to_str()?.strip_suffix(".json")?.to_owned()))
            .filter(|name| !name.starts_with('.'))
            .collect();
        names.sort();
        Ok(names)
    }

    /// Follows a name; `None` when there is no such index.
    ///
    /// # Errors
    /// [`Kind::Damaged`] when the pointer is not what was written.
    pub fn pointer(&self, name: &str) -> Result<Option<Pointer>> {
        let path = self.pointer_path(name);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e).or_failed(|| format!("cannot read {}", path.display())),
        };
        let pointer: Pointer = serde_json::from_slice(&bytes).map_err(|e| damaged(&path, &e.to_string()))?;
        if pointer.seal != pointer.sealed() || pointer.name != name {
            return Err(damaged(&path, "its seal is broken"));
        }
        Ok(Some(pointer))
    }

    /// Opens the generation that `name` stands for now.
    ///
    /// # Errors
    /// Says what to run when there is no such index; [`Kind::Damaged`] names the damaged file.
    pub fn open(&self, name: &str) -> Result<Snapshot> {
        let mut last = None;
        loop {
            let Some(pointer) = self.pointer(name)? else { return Err(self.no_such_index(name)) };
            match Snapshot::open(&self.generation_dir(&pointer.current.generation), &pointer.current) {
                // A writer may have replaced and removed the generation between the two lines above.
                Err(fault) if fault.kind() == Kind::Damaged && last.as_ref() != Some(&pointer) => last = Some(pointer),
                opened => return opened,
            }
        }
    }

    fn no_such_index(&self, name: &str) -> Fault {
        let names = self.names().unwrap_or_default();
        let fault = Fault::failed(format!("there is no index named `{name}` in {}", self.dir.display()));
        fault.hint(match names.is_empty() {
            true => "make one with `rag ingest --dir FOLDER`".to_owned(),
            false => format!("there are: {}", names.join(", ")),
        })
    }

    /// Becomes the one writer of this data directory.
    pub fn lock(&self, wait: Duration, give_up: &dyn Fn() -> bool) -> Result<Lock> {
        disk::create_dir(&self.dir.join("names"))?;
        let lock = Lock::take(&self.dir.join(".lock"), wait, give_up)?;
        self.remove_orphans()?;
        Ok(lock)
    }

    /// A new, empty folder for a generation in the making. The caller holds the lock.
    pub(super) fn new_building_dir(&self) -> Result<PathBuf> {
        let dir = self.dir.join(format!("{BUILDING}{}", std::process::id()));
        disk::remove_dir(&dir)?;
        disk::create_dir(&dir)?;
        Ok(dir)
    }

    fn remove_orphans(&self) -> Result<()> {
        for entry in std::fs::read_dir(&self.dir).or_failed(|| format!("cannot read {}", self.dir.display()))?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(BUILDING) {
                disk::remove_dir(&entry.path())?;
            }
        }
        Ok(())
    }

    /// Moves a finished folder to its place and makes `name` stand for it. The caller holds the lock.
    pub(super) fn publish(&self, name: &str, building: &Path, corpus_id: &str, meta_sha256: &str) -> Result<Pointer> {
        // The same content can be committed again, with other modification times or other failures.
        let generation = (1..)
            .map(|n| if n == 1 { corpus_id.to_owned() } else { format!("{corpus_id}-{n}") })
            .find(|generation| !self.generation_dir(generation).exists())
            .unwrap_or_default();
        let target = self.generation_dir(&generation);
        // A damaged pointer must not stop a new one from being written: that is how the user mends it.
        let previous = self.pointer(name).unwrap_or_default().map(|pointer| pointer.current);
        std::fs::rename(building, &target).or_failed(|| format!("cannot create {}", target.display()))?;
        disk::sync_dir(&self.dir)?;
        let pointer = Pointer::new(name, Target { generation, meta_sha256: meta_sha256.to_owned() }, previous);
        self.write_pointer(&pointer)?;
        self.collect_garbage()?;
        Ok(pointer)
    }

    fn write_pointer(&self, pointer: &Pointer) -> Result<()> {
        let text = serde_json::to_vec_pretty(pointer).or_failed(|| "cannot write a pointer".into())?;
        disk::replace(&self.pointer_path(&pointer.name), &text)
    }

    /// Removes an index: its name first, then its generations.
    pub fn remove(&self, name: &str) -> Result<()> {
        let path = self.pointer_path(name);
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(self.no_such_index(name)),
            removed => removed.or_failed(|| format!("cannot remove {}", path.display()))?,
        }
        disk::sync_dir(&self.dir.join("names"))?;
        self.collect_garbage()
    }

    /// Removes every generation that no name stands for. The caller holds the lock.
    fn collect_garbage(&self) -> Result<()> {
        let mut kept = Vec::new();
        for name in self.names()? {
            // What a damaged pointer stood for is unknown, so nothing is garbage then.
            let Ok(Some(pointer)) = self.pointer(&name) else { return Ok(()) };
            kept.push(pointer.current.generation);
            kept.extend(pointer.previous.map(|target| target.generation));
        }
        for entry in std::fs::read_dir(&self.dir).or_failed(|| format!("cannot read {}", self.dir.display()))?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_generation = entry.path().join(super::generation::META).is_file();
            if is_generation && !name.starts_with('.') && !kept.contains(&name) {
                disk::remove_dir(&entry.path())?;
            }
        }
        Ok(())
    }
}

impl Snapshot {
    /// Reads only `meta.json` of what a pointer stands for.
    pub fn read_meta(store: &Store, target: &Target) -> Result<Meta> {
        Meta::read(&store.generation_dir(&target.generation), &target.meta_sha256)
    }
}
