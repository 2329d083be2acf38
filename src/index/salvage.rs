//! Reading what is left of a damaged generation. Every block is checked when it is read, so as long
//! as `meta.json` is undamaged, everything returned here is what was written.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::consistency::disagreements;
use super::dense::{self, RowKey, keys_name, read_keys};
use super::documents::{Record, State};
use super::generation::{META, Meta, VectorFile, damaged};
use super::lexical::Stored;
use super::names::Store;
use super::pointer::{Pointer, Target};
use super::roots::Root;
use super::snapshot::{Snapshot, table};
use crate::disk::{self, Damage, FileSum, FileVersion, Mapped};
use crate::error::{Fault, Kind, Result};

/// The readable parts of a generation.
pub struct Remains {
    pub meta: Meta,
    /// `None` when it is damaged.
    pub table: Option<Vec<Record>>,
    words: Option<Snapshot>,
    /// Undamaged vector files, and the file and row of each text.
    dense: Vec<dense::VectorReader>,
    rows: HashMap<RowKey, (usize, usize)>,
}

impl Remains {
    /// # Errors
    /// When not even the pointer and `meta.json` can be read.
    pub fn open(store: &Store, pointer: &Pointer) -> Result<Self> {
        let target = &pointer.current;
        let dir = store.generation_dir(&target.generation);
        let meta = store.read_meta(target)?;
        let table = table(&dir, &meta).ok();
        let words = Snapshot::open_words(&dir, target).ok();
        let mut remains = Self { meta, table, words, dense: Vec::new(), rows: HashMap::new() };
        remains.open_vectors(&dir);
        Ok(remains)
    }

    fn open_vectors(&mut self, dir: &Path) {
        for vectors in &self.meta.vectors {
            let Some((reader, keys)) = open_vectors(dir, &self.meta, vectors) else { continue };
            let file = self.dense.len();
            for (row, key) in keys.into_iter().take(vectors.rows).enumerate() {
                self.rows.insert(key, (file, row));
            }
            self.dense.push(reader);
        }
    }

    /// The chunks of a document, if all of them can be read.
    pub fn chunks_of(&self, record: &Record) -> Option<Vec<Stored>> {
        let chunks = self.words.as_ref()?.chunks_of(record.root, &record.path).ok()?;
        (chunks.len() as u64 == record.chunks).then_some(chunks)
    }

    /// The documents in the BM25 part, with the number of their chunks; none when it cannot be read
    /// completely.
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

    /// The vector of a text, if the generation has it.
    pub fn vector_of(&self, embedded: &str) -> Option<Vec<f32>> {
        let (file, row) = self.rows.get(&RowKey::of(embedded))?;
        self.dense[*file].row(*row).ok()
    }
}

/// What must survive a generation, even if nothing else of it can be read.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub struct Roster {
    /// The folders of the index.
    pub roots: Vec<Root>,
    /// As [`Meta::removed`].
    #[serde(default)]
    pub removed: Vec<String>,
}

/// The folders of an index, from `meta.json` of any format: the current one, even if its sum is
/// wrong, or else that of the previous generation. `None` when there is no such index.
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

/// A vector file and its keys, if both are undamaged.
fn open_vectors(
    dir: &Path,
    meta: &Meta,
    vectors: &VectorFile,
) -> Option<(dense::VectorReader, Vec<RowKey>)> {
    let keys_name = keys_name(&vectors.file);
    let undamaged =
        |name: &str| meta.files.get(name).filter(|sum| matches_sum(&dir.join(name), sum));
    undamaged(&keys_name)?;
    let sum = undamaged(&vectors.file)?;
    let (path, damage) = (dir.join(&vectors.file), Damage::default());
    let map = Mapped::open(&path, &vectors.file, sum.bytes, sum.block_sums()?, damage).ok()?;
    let files = vec![(Arc::new(map), vectors.rows)];
    let reader = dense::VectorReader::open(files, meta.model.dimension).ok()?;
    Some((reader, read_keys(&dir.join(keys_name)).ok()??))
}

fn matches_sum(path: &Path, expected: &FileSum) -> bool {
    let has_sum = |sum: FileSum| sum.bytes == expected.bytes && sum.sha256 == expected.sha256;
    disk::file_sum(path).is_ok_and(has_sum)
}

/// Writes the damaged pointer of `name` again: to the generation that it still names, if that is
/// readable, or else to the newest undamaged one that no other pointer names. Returns its
/// `meta.json`. The caller holds the lock.
///
/// # Errors
/// [`Kind::Damaged`] when there is no such generation, or several pointers are damaged.
pub fn repair_pointer(store: &Store, name: &str) -> Result<Meta> {
    let path = store.pointer_path(name);
    let parsed: Option<Pointer> =
        std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    // A target with a matching SHA-256 is right: the damage is elsewhere in the pointer.
    if let Some(pointer) = parsed
        && let Ok(meta) = store.read_meta(&pointer.current)
    {
        let previous = pointer.previous.filter(|previous| store.read_meta(previous).is_ok());
        store.write_pointer(&Pointer::new(name, pointer.current, previous))?;
        return Ok(meta);
    }
    let mut candidates = orphans(store, name)?;
    // Two generations of one second are ordered by the times of their files.
    let written = |target: &Target| {
        let path = store.generation_dir(&target.generation).join(META);
        path.metadata().and_then(|meta| meta.modified()).ok()
    };
    candidates.sort_by_cached_key(|(target, meta)| (meta.created, written(target)));
    let (current, meta) = candidates
        .pop()
        .ok_or_else(|| damaged(&path, "no undamaged generation is left that it can have named"))?;
    let previous = candidates.pop().map(|(target, _)| target);
    store.write_pointer(&Pointer::new(name, current, previous))?;
    Ok(meta)
}

/// Undamaged generations that no pointer but that of `name` can have named.
fn orphans(store: &Store, name: &str) -> Result<Vec<(Target, Meta)>> {
    let mut taken = Vec::new();
    for other in store.names()?.into_iter().filter(|other| other != name) {
        match store.pointer(&other) {
            Ok(pointer) => taken.extend(pointer.into_iter().flat_map(Pointer::generations)),
            Err(fault) if fault.kind() == Kind::Damaged => {
                return Err(Fault::damaged(format!(
                    "the pointers of `{name}` and `{other}` are both damaged, so it is unknown \
                     which generation belongs to which"
                )));
            }
            Err(fault) => return Err(fault),
        }
    }
    let free = generations(store).into_iter().filter(|generation| !taken.contains(generation));
    Ok(free.filter_map(|generation| check_generation(store, generation)).collect())
}

/// Points the name to its previous generation, and keeps no other. The caller holds the lock.
///
/// # Errors
/// When there is no previous generation, or it is damaged too.
pub fn fall_back(store: &Store, pointer: &Pointer) -> Result<Meta> {
    let meta_path = store.generation_dir(&pointer.current.generation).join(META);
    let lost = || damaged(&meta_path, "without it nothing else in the generation can be trusted");
    let previous = pointer.previous.clone().ok_or_else(lost)?;
    let (target, meta) = check_generation(store, previous.generation.clone())
        .filter(|(target, _)| *target == previous)
        .ok_or_else(lost)?;
    store.write_pointer(&Pointer::new(&pointer.name, target, None))?;
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

/// A generation, if it is undamaged as far as that is known without the sum of its `meta.json`.
fn check_generation(store: &Store, generation: String) -> Option<(Target, Meta)> {
    let path = store.generation_dir(&generation).join(META);
    let meta_sha256 = disk::sha256_hex(&std::fs::read(path).ok()?);
    let target = Target { generation, meta_sha256 };
    let snapshot = store.open_target(&target).ok()?;
    snapshot.check().ok()?;
    let meta = snapshot.meta().clone();
    (meta.pending == 0 && disagreements(&snapshot).ok()?.is_empty()).then_some((target, meta))
}

/// A record for a document whose row in the table is lost. The next ingest reads the file and
/// replaces the record.
pub fn blank_record(root: usize, path: String, chunks: u64, language: Option<&str>) -> Record {
    Record {
        root,
        path,
        size: 0,
        mtime_ns: 0,
        version: FileVersion::default(),
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
