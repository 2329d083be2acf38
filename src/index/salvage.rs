//! What is left of a damaged generation. Every block is checked when it is read, so that whatever
//! is handed out here is what was written, as long as `meta.json` is.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::dense::{self, RowKey, keys_name, read_keys};
use super::documents::{Record, State};
use super::generation::{META, Meta, Root, damaged};
use super::lexical::Stored;
use super::names::{Pointer, Store, Target};
use super::snapshot::{Snapshot, table};
use super::verify::disagreements;
use crate::disk::{self, Damage, FileSum, Mapped};
use crate::error::{Fault, Kind, Result};

/// The readable parts of the generation that a name stands for.
pub struct Remains {
    pub meta: Meta,
    /// `None` when it is damaged.
    pub table: Option<Vec<Record>>,
    words: Option<Snapshot>,
    /// Whole vector files, and which text is where in them.
    dense: Vec<dense::VectorReader>,
    rows: HashMap<RowKey, (usize, usize)>,
}

impl Remains {
    /// # Errors
    /// When not even the pointer and `meta.json` can be read.
    pub fn open(store: &Store, pointer: &Pointer) -> Result<Self> {
        let target = &pointer.current;
        let dir = store.generation_dir(&target.generation);
        let meta = Meta::read(&dir, &target.meta_sha256)?;
        let table = table(&dir, &meta).ok();
        let words = Snapshot::open_words(&dir, target).ok();
        let mut remains = Self { meta, table, words, dense: Vec::new(), rows: HashMap::new() };
        remains.open_vectors(&dir);
        Ok(remains)
    }

    fn open_vectors(&mut self, dir: &Path) {
        for vectors in &self.meta.vectors {
            let keys = keys_name(&vectors.file);
            let whole = |name: &str| {
                self.meta.files.get(name).filter(|entry| is_whole(&dir.join(name), entry))
            };
            let (Some(entry), Some(_)) = (whole(&vectors.file), whole(&keys)) else { continue };
            let Some(sums) = entry.block_sums() else { continue };
            let map = Mapped::open(
                &dir.join(&vectors.file),
                &vectors.file,
                entry.bytes,
                sums,
                Damage::default(),
            );
            let reader = map.and_then(|map| {
                dense::VectorReader::open(
                    vec![(Arc::new(map), vectors.rows)],
                    self.meta.model.dimension,
                )
            });
            let (Ok(reader), Ok(Some(keys))) = (reader, read_keys(&dir.join(keys))) else {
                continue;
            };
            let n = self.dense.len();
            self.rows.extend(
                keys.into_iter().take(vectors.rows).enumerate().map(|(row, key)| (key, (n, row))),
            );
            self.dense.push(reader);
        }
    }

    /// The chunks of a document, if all of them can be read.
    pub fn chunks_of(&self, record: &Record) -> Option<Vec<Stored>> {
        let chunks = self.words.as_ref()?.chunks_of(record.root, &record.path).ok()?;
        (chunks.len() as u64 == record.chunks).then_some(chunks)
    }

    /// The documents that the BM25 part knows, with the number of their chunks, in no particular
    /// order; none when it cannot be read from end to end.
    pub fn documents(&self) -> BTreeMap<(usize, String), u64> {
        let mut found = BTreeMap::new();
        let Some(words) = &self.words else { return found };
        let mut count =
            |stored: Stored, _| *found.entry((stored.root, stored.path)).or_insert(0) += 1;
        match words.for_each(&mut count) {
            Ok(()) if words.live_chunks() as u64 == self.meta.counts.chunks => found,
            _ => BTreeMap::new(),
        }
    }

    /// The vector of a text that the generation has.
    pub fn vector_of(&self, embedded: &str) -> Option<Vec<f32>> {
        let (file, row) = self.rows.get(&RowKey::of(embedded))?;
        self.dense[*file].row(*row).ok()
    }
}

/// What must outlive the generation that says it, even if nothing else of that generation can be
/// read.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub struct Roster {
    /// The folders of the index.
    pub roots: Vec<Root>,
    /// As [`Meta::removed`].
    #[serde(default)]
    pub removed: Vec<String>,
}

/// The folders of an index, from `meta.json` of any format: the current one, if need be although
/// its sum is wrong, or else that of the generation before. `None` when there is no such index.
///
/// # Errors
/// [`Kind::Damaged`] when the pointer or every `meta.json` is unreadable.
pub fn roster(store: &Store, name: &str) -> Result<Option<Roster>> {
    if store.pointer(name)?.is_none() {
        return Ok(None);
    }
    store.follow(name, |pointer| read_roster(store, pointer)).map(Some)
}

fn read_roster(store: &Store, pointer: &Pointer) -> Result<Roster> {
    let path = |target: &Target| store.generation_dir(&target.generation).join(META);
    let read = |target: &Target| std::fs::read(path(target)).ok();
    let parse = |bytes: Vec<u8>| serde_json::from_slice::<Roster>(&bytes).ok();
    let current = read(&pointer.current).and_then(parse);
    let previous = || {
        let target = pointer.previous.as_ref()?;
        read(target).filter(|bytes| disk::sha256_hex(bytes) == target.meta_sha256).and_then(parse)
    };
    current.or_else(previous).ok_or_else(|| damaged(&path(&pointer.current), "it cannot be read"))
}

fn is_whole(path: &Path, entry: &FileSum) -> bool {
    disk::file_sum(path).is_ok_and(|sum| sum.bytes == entry.bytes && sum.sha256 == entry.sha256)
}

/// Writes the damaged pointer of `name` anew, to the generation that it says, if that is beyond
/// doubt, or else to the newest whole one that no other name stands for. Yields its `meta.json`.
/// The caller holds the lock.
///
/// # Errors
/// [`Kind::Damaged`] when there is none, or more than one name has lost its generation.
pub fn mend_pointer(store: &Store, name: &str) -> Result<Meta> {
    let path = store.pointer_path(name);
    let read = |target: &Target| {
        Meta::read(&store.generation_dir(&target.generation), &target.meta_sha256).ok()
    };
    let said: Option<Pointer> =
        std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    // What is damaged is something else then: nothing has such a sum by chance.
    if let Some(pointer) = said
        && let Some(meta) = read(&pointer.current)
    {
        store.point(
            name,
            pointer.current,
            pointer.previous.filter(|previous| read(previous).is_some()),
        )?;
        return Ok(meta);
    }
    let mut taken = Vec::new();
    for other in store.names()?.into_iter().filter(|other| other != name) {
        match store.pointer(&other) {
            Ok(pointer) => taken.extend(pointer.into_iter().flat_map(Pointer::generations)),
            Err(fault) if fault.kind() == Kind::Damaged => {
                return Err(Fault::damaged(format!(
                    "the pointers of `{name}` and `{other}` are both damaged, and which generation \
                     was whose is unknown"
                )));
            }
            Err(fault) => return Err(fault),
        }
    }
    let mut whole: Vec<(Target, Meta)> = generations(store)
        .into_iter()
        .filter(|name| !taken.contains(name))
        .filter_map(|g| found(store, g))
        .collect();
    // Two ingests of one second are told apart by the file system.
    let written = |target: &Target| {
        std::fs::metadata(store.generation_dir(&target.generation).join(META))
            .and_then(|meta| meta.modified())
            .ok()
    };
    whole.sort_by_cached_key(|(target, meta)| (meta.created, written(target)));
    let (current, meta) = whole.pop().ok_or_else(|| {
        damaged(&path, "and there is no whole generation that it can have stood for")
    })?;
    store.point(name, current, whole.pop().map(|(target, _)| target))?;
    Ok(meta)
}

/// Makes `name` stand for the generation before, for good. The caller holds the lock.
///
/// # Errors
/// When there is none, or it is damaged too.
pub fn fall_back(store: &Store, pointer: &Pointer) -> Result<Meta> {
    let meta_path = store.generation_dir(&pointer.current.generation).join(META);
    let lost = || damaged(&meta_path, "without it nothing else in the generation can be trusted");
    let previous = pointer.previous.clone().ok_or_else(lost)?;
    let (target, meta) = found(store, previous.generation.clone())
        .filter(|(target, _)| *target == previous)
        .ok_or_else(lost)?;
    store.point(&pointer.name, target, None)?;
    Ok(meta)
}

/// Folders that may be generations.
fn generations(store: &Store) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(store.dir()) else { return Vec::new() };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    names
        .filter(|name| !name.starts_with('.') && store.generation_dir(name).join(META).is_file())
        .collect()
}

/// A generation that is whole, as far as it can be told without knowing the sum of its `meta.json`.
fn found(store: &Store, generation: String) -> Option<(Target, Meta)> {
    let dir: PathBuf = store.generation_dir(&generation);
    let meta_sha256 = disk::sha256_hex(&std::fs::read(dir.join(META)).ok()?);
    let target = Target { generation, meta_sha256 };
    let snapshot = Snapshot::open(&dir, &target).ok()?;
    snapshot.check().ok()?;
    let meta = snapshot.meta().clone();
    (meta.pending == 0 && disagreements(&snapshot).ok()?.is_empty()).then_some((target, meta))
}

/// A record for a document whose row of the table is lost: the next ingest reads the file and fills
/// it in.
pub fn blank(root: usize, path: String, chunks: u64, language: Option<&str>) -> Record {
    Record {
        root,
        path,
        size: 0,
        mtime_ns: 0,
        hash: String::new(),
        state: State::Indexed,
        reason: None,
        advice: None,
        format: None,
        language: language.map(|language| language.to_owned().into()),
        chunks,
        terms: [0; 3],
        modified_s: 0,
        meta: BTreeMap::new(),
        failure: None,
    }
}
