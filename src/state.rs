//! The user's state outside of any data directory: where indexes are, which models the user added,
//! and the SHA-256 of files.
//!
//! A data directory may come from another user, with any content. This state cannot: it is in the
//! user's own state directory. No command depends on it, so only [`State::record_model`] can fail.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::disk::{self, Lock};
use crate::error::{Context as _, Fault, Result, locked};

/// Upper limit of each list. The oldest entries are dropped.
const MOST: usize = 64;
/// A dropped model can no longer be used, so this limit is high.
const MOST_MODELS: usize = 1024;

/// A file is recorded only if its status last changed this long ago: within one tick of the clock
/// it could change again and look the same.
const SETTLED: Duration = Duration::from_secs(2);

/// How long to wait for another process, which writes these files in milliseconds.
const WAIT: Duration = Duration::from_secs(2);

const VERSION: u32 = 1;

/// The state directory. Cheap to clone; clones share their cache.
#[derive(Clone, Debug)]
pub struct State {
    /// `None` when the user has no home directory.
    dir: Option<PathBuf>,
    clock: fn() -> SystemTime,
    checked: Arc<Mutex<BTreeMap<PathBuf, Checked>>>,
}

/// Distinguishes versions of a file without reading it.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Identity {
    device: u64,
    inode: u64,
    pub bytes: u64,
    modified_ns: i64,
    /// Unlike the others, this one cannot be set.
    changed_ns: i64,
}

impl Identity {
    pub fn of(metadata: &std::fs::Metadata) -> Self {
        let ns = |s: i64, ns: i64| s.saturating_mul(1_000_000_000).saturating_add(ns);
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified_ns: ns(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: ns(metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether this is the same file, unmodified. Its name may have changed.
    pub fn is_same_file(&self, other: &Self) -> bool {
        Self { changed_ns: 0, ..*self } == Self { changed_ns: 0, ..*other }
    }
}

/// A file and its SHA-256.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Checked {
    path: PathBuf,
    identity: Identity,
    sha256: String,
}

/// A model that the user added.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Recorded {
    dir: PathBuf,
    /// Of its `manifest.json`.
    sha256: String,
}

/// The numbered sources that a command showed, for `rag open`.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Shown {
    /// The session of processes that the terminal started.
    pub terminal: i32,
    pub data_dir: PathBuf,
    pub index: String,
    pub places: Vec<ShownPlace>,
}

/// One source.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ShownPlace {
    pub n: usize,
    /// The folder and the path below it, as in hits.
    pub root: String,
    pub path: String,
    /// The path of the file, or an address; `None` if the folder is not known here.
    pub absolute: Option<String>,
    /// First line, of the file or of the text extracted from it.
    pub line: usize,
    /// Whether the file has lines.
    pub has_lines: bool,
    pub page: Option<usize>,
}

/// What is known about a model's folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// The user added a model with this manifest.
    Same,
    /// The user added a model in this folder, with another manifest.
    Changed,
    Unknown,
}

#[derive(Deserialize, Serialize)]
struct Stored<T> {
    version: u32,
    entries: Vec<T>,
}

const DATA_DIRS: &str = "places.json";
const MODELS: &str = "models.json";
const CHECKED: &str = "checked.json";
const SHOWN: &str = "shown.json";
/// Terminals whose last sources are kept.
const MOST_SHOWN: usize = 16;

impl State {
    pub fn new(dir: Option<PathBuf>, clock: fn() -> SystemTime) -> Self {
        Self { dir, clock, checked: Arc::default() }
    }

    /// A state without a directory.
    pub fn none() -> Self {
        Self::new(None, || SystemTime::UNIX_EPOCH)
    }

    /// Data directories in which the user made indexes, the most recently recorded first.
    pub fn data_dirs(&self) -> Vec<PathBuf> {
        self.read(DATA_DIRS).unwrap_or_default()
    }

    /// Records a data directory, if that is possible.
    pub fn record_data_dir(&self, data_dir: &Path) {
        let Ok(data_dir) = data_dir.canonicalize() else { return };
        // JSON cannot represent other paths.
        if data_dir.to_str().is_none() || self.data_dirs().contains(&data_dir) {
            return;
        }
        let _ = self.add(DATA_DIRS, MOST, data_dir, |_| false);
    }

    /// Records that the user added the model in `dir`, whose manifest has this SHA-256.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub fn record_model(&self, dir: &Path, sha256: String) -> Result<()> {
        let dir = std::path::absolute(dir)
            .or_failed(|| format!("cannot determine the path of {}", dir.display()))?;
        let dir = resolved(&dir);
        let model = Recorded { dir: dir.clone(), sha256 };
        self.add(MODELS, MOST_MODELS, model, |other| other.dir == dir)
    }

    /// Whether the user added the model in `dir`, whose manifest has this SHA-256.
    pub fn record_of(&self, dir: &Path, sha256: &str) -> Record {
        let Ok(models) = self.read::<Recorded>(MODELS) else { return Record::Unknown };
        let dir = resolved(dir);
        match () {
            () if models.iter().any(|model| model.sha256 == sha256) => Record::Same,
            () if models.iter().any(|model| model.dir == dir) => Record::Changed,
            () => Record::Unknown,
        }
    }

    /// Records the sources that a command showed in a terminal, if that is possible.
    pub fn record_shown(&self, shown: Shown) {
        let terminal = shown.terminal;
        let _ = self.add(SHOWN, MOST_SHOWN, shown, |other| other.terminal == terminal);
    }

    /// The sources that a command showed last in this terminal; or else in any.
    pub fn last_shown(&self, terminal: i32) -> Option<Shown> {
        let mut shown: Vec<Shown> = self.read(SHOWN).unwrap_or_default();
        let at = shown.iter().position(|shown| shown.terminal == terminal).unwrap_or(0);
        (at < shown.len()).then(|| shown.swap_remove(at))
    }

    /// Forgets the sources that were shown.
    pub fn forget_shown(&self) {
        if let Some(dir) = &self.dir {
            let _ = std::fs::remove_file(dir.join(SHOWN));
        }
    }

    /// The SHA-256 of an open file. It is read only if the file has changed since it was recorded.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn sha256(&self, file: &File, path: &Path) -> Result<(String, Identity)> {
        let identity = Identity::of(&file.metadata().or_cannot("read", path)?);
        if let Some(sha256) = self.checked(path, identity) {
            return Ok((sha256, identity));
        }
        let sha256 = disk::sha256_of(file).or_cannot("read", path)?;
        if Identity::of(&file.metadata().or_cannot("read", path)?) == identity {
            self.keep_checked(Checked { path: path.to_owned(), identity, sha256: sha256.clone() });
        }
        Ok((sha256, identity))
    }

    fn checked(&self, path: &Path, identity: Identity) -> Option<String> {
        let mut known = locked(&self.checked);
        if known.is_empty() {
            let stored: Vec<Checked> = self.read(CHECKED).unwrap_or_default();
            known.extend(stored.into_iter().map(|checked| (checked.path.clone(), checked)));
        }
        known
            .get(&absolute(path))
            .filter(|checked| checked.identity == identity)
            .map(|c| c.sha256.clone())
    }

    fn keep_checked(&self, checked: Checked) {
        let now = (self.clock)().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let settled = now.saturating_sub(SETTLED).as_nanos();
        if i64::try_from(settled).is_ok_and(|settled| checked.identity.changed_ns < settled) {
            let checked = Checked { path: absolute(&checked.path), ..checked };
            let mut known = locked(&self.checked);
            known.insert(checked.path.clone(), checked.clone());
            drop(known);
            if checked.path.to_str().is_some() {
                let path = checked.path.clone();
                let _ = self.add(CHECKED, MOST, checked, |other| other.path == path);
            }
        }
    }

    /// The entries of a list; empty when the file is missing.
    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Vec<T>> {
        let Some(dir) = &self.dir else { return Ok(Vec::new()) };
        let path = dir.join(name);
        let bytes = disk::if_exists(std::fs::read(&path)).or_cannot("read", &path)?;
        let Some(bytes) = bytes else { return Ok(Vec::new()) };
        match serde_json::from_slice::<Stored<T>>(&bytes) {
            Ok(stored) if stored.version == VERSION => Ok(stored.entries),
            _ => Err(Fault::damaged(format!("{} is not what was written", path.display()))
                .hint("delete it; its records are then lost")),
        }
    }

    /// Adds an entry at the front of a list, and removes those that it `replaces`.
    fn add<T: DeserializeOwned + Serialize>(
        &self,
        name: &str,
        most: usize,
        entry: T,
        replaces: impl Fn(&T) -> bool,
    ) -> Result<()> {
        let Some(dir) = &self.dir else {
            return Err(Fault::failed("there is no state directory: HOME is not set"));
        };
        disk::create_dir(dir)?;
        let _lock = Lock::take(&dir.join(".lock"), WAIT, &|| false)?;
        let before: Vec<T> = match self.read(name) {
            // Other lists can be rebuilt.
            Err(_) if name != MODELS => Vec::new(),
            read => read?,
        };
        let rest = before.into_iter().filter(|other| !replaces(other));
        let entries: Vec<T> = std::iter::once(entry).chain(rest).take(most).collect();
        let text = serde_json::to_vec_pretty(&Stored { version: VERSION, entries });
        disk::replace(&dir.join(name), &text.or_failed(|| format!("cannot write {name}"))?)
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The absolute path, its links resolved as far as it exists.
fn resolved(dir: &Path) -> PathBuf {
    let whole = absolute(dir);
    let of_parent = || Some(whole.parent()?.canonicalize().ok()?.join(whole.file_name()?));
    whole.canonicalize().ok().or_else(of_parent).unwrap_or(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Long after any file of a test was created.
    fn later() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 32)
    }

    #[test]
    fn data_directories_are_recorded_once_and_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::new(Some(dir.path().join("state")), later);
        assert!(state.data_dirs().is_empty());
        let place = |n: usize| dir.path().canonicalize().unwrap().join(format!("data-{n}"));
        for n in 0..MOST + 3 {
            std::fs::create_dir(place(n)).unwrap();
            state.record_data_dir(&place(n));
            state.record_data_dir(&place(n));
        }
        let places = state.data_dirs();
        assert_eq!((places.len(), &places[0]), (MOST, &place(MOST + 2)));
        assert!(!places.contains(&place(0)));
        // Recording fails silently.
        std::fs::write(dir.path().join("state/places.json"), "{").unwrap();
        assert!(state.data_dirs().is_empty());
        state.record_data_dir(&place(0));
        assert_eq!(state.data_dirs(), [place(0)]);
        State::none().record_data_dir(&place(0));
        State::new(Some("/dev/null/state".into()), later).record_data_dir(&place(0));
    }

    #[test]
    fn a_recorded_model_is_recognized_by_its_manifest() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::new(Some(dir.path().join("state")), later);
        let (model, other) = (dir.path().join("models/mini"), dir.path().join("models/other"));
        assert_eq!(state.record_of(&model, "aa"), Record::Unknown);
        state.record_model(&model, "aa".into()).unwrap();
        std::fs::create_dir_all(&model).unwrap();
        assert_eq!(state.record_of(&model, "aa"), Record::Same);
        assert_eq!(state.record_of(&other, "aa"), Record::Same, "a copy");
        assert_eq!(state.record_of(&model, "bb"), Record::Changed);
        assert_eq!(state.record_of(&other, "bb"), Record::Unknown);
        state.record_model(&model, "bb".into()).unwrap();
        assert_eq!(state.record_of(&other, "aa"), Record::Unknown);
        assert!(State::none().record_model(&model, "aa".into()).is_err());
        // A damaged file of models is not overwritten.
        std::fs::write(dir.path().join("state/models.json"), "{").unwrap();
        assert!(state.record_model(&model, "aa".into()).is_err());
        assert_eq!(state.record_of(&model, "bb"), Record::Unknown);
    }

    #[test]
    fn a_changed_file_is_hashed_again() {
        let dir = tempfile::tempdir().unwrap();
        let state_dir = Some(dir.path().join("state"));
        let path = dir.path().join("lib.so");
        let sum = |state: &State| state.sha256(&File::open(&path).unwrap(), &path).unwrap().0;
        let (one, two) = (disk::sha256_hex(b"one"), disk::sha256_hex(b"two"));
        std::fs::write(&path, "one").unwrap();
        let time = path.metadata().unwrap().modified().unwrap();
        assert_eq!(sum(&State::new(state_dir.clone(), later)), one);
        // Another process uses the record: it does not read the file.
        let forged = std::fs::read_to_string(dir.path().join("state/checked.json"))
            .unwrap()
            .replace(&one, "known");
        std::fs::write(dir.path().join("state/checked.json"), forged).unwrap();
        assert_eq!(sum(&State::new(state_dir.clone(), later)), "known");
        // Same size and modification time, changed in place; then another file with the name.
        std::fs::write(&path, "two").unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        assert_eq!(sum(&State::new(state_dir.clone(), later)), two);
        std::fs::rename(&path, dir.path().join("away")).unwrap();
        std::fs::write(&path, "one").unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        assert_eq!(sum(&State::new(state_dir.clone(), later)), one);
        // A file that has just changed is not recorded.
        let early = State::new(Some(dir.path().join("early")), || SystemTime::UNIX_EPOCH);
        assert_eq!(sum(&early), one);
        assert!(!dir.path().join("early").exists());
    }
}
