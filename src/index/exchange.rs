//! Generations in a depot.
//!
//! Every file of a generation, `meta.json` too, is an object named by its SHA-256: a file is copied
//! once, however many generations have it, and is checked when it comes back. The pointer of an
//! index follows last, by compare-and-swap.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::consistency::parts_problem;
use super::generation::{META, Meta, damaged};
use super::local::Local;
use super::pointer::{Pointer, Target};
use super::protocol::{
    self, Commit, Published, file_key, is_there, keys_of, pointer_key, pointer_name,
};
use crate::depot::{Depot, Expected, now};
use crate::disk::{self, FileSum, Scratch};
use crate::error::{Context as _, Fault, Result};

/// Files that are copied at the same time. A store answers each request after some milliseconds,
/// and a generation has a dozen files.
const SIDE_BY_SIDE: usize = 4;

/// What a push or a pull did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Files of the generations, and their bytes.
    pub files: usize,
    pub bytes: u64,
    /// Those that were not there yet.
    pub files_copied: usize,
    pub bytes_copied: u64,
}

/// What happens to another index of the same name, and to files that exist already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Other {
    Keep,
    Replace,
}

/// Ends a copy early.
pub type Stop<'a> = &'a (dyn Fn() -> bool + Sync);

impl Copied {
    fn add(&mut self, bytes: u64, is_copied: bool) {
        self.files += 1;
        self.bytes += bytes;
        if is_copied {
            self.files_copied += 1;
            self.bytes_copied += bytes;
        }
    }

    fn add_all(&mut self, other: Self) {
        self.files += other.files;
        self.bytes += other.bytes;
        self.files_copied += other.files_copied;
        self.bytes_copied += other.bytes_copied;
    }
}

/// Copies the index of a pointer of this data directory to the depot. The first writer of a name
/// creates it; a later one must have had the generation that is there, unless `other` may be
/// replaced.
///
/// # Errors
/// [`Kind::Busy`](crate::error::Kind::Busy) when another machine has replaced the index meanwhile.
pub fn push(
    here: &Local,
    depot: &Depot,
    pointer: &Pointer,
    other: Other,
    stop: Stop<'_>,
) -> Result<Copied> {
    here.read_meta(&pointer.current)?.require_vectors()?;
    let name = pointer.name.as_str();
    let key = pointer_key(name);
    let found = depot.read(&key)?;
    if let (Some(found), Other::Keep) = (&found, other) {
        let there = Pointer::parse(&found.bytes, name, &place(depot, &key))?;
        let is_ours = |target: &Target| target.meta_sha256 == there.current.meta_sha256;
        if !is_ours(&pointer.current) && !pointer.previous.as_ref().is_some_and(is_ours) {
            return Err(Fault::usage(format!(
                "{} has another generation of the index `{name}`",
                depot.url()
            ))
            .hint(
                "`rag index pull --replace` fetches it; `rag index push --replace` replaces it",
            ));
        }
    }
    depot.probe()?;
    let targets: Vec<&Target> =
        std::iter::once(&pointer.current).chain(&pointer.previous).collect();
    let mut files = BTreeSet::new();
    for target in &targets {
        files.extend(keys_of(&target.meta_sha256, &here.read_meta(target)?)?);
    }
    let commit = Commit {
        key: &key,
        base: found.as_ref().map(|found| &found.tag),
        pointer: &pointer.to_bytes()?,
        files: &files,
    };
    let (mut copied, mut is_first) = (Copied::default(), true);
    let send = async || {
        // What is uploaded again was deleted meanwhile.
        let other = if is_first { other } else { Other::Keep };
        for target in &targets {
            let dir = here.generation_dir(&target.generation);
            let one = upload(depot, &dir, target, other, stop)?;
            if is_first {
                copied.add_all(one);
            }
        }
        is_first = false;
        Ok(())
    };
    match now(protocol::publish(depot, &commit, send))? {
        Published::Done(_, again) => again.map(|()| copied),
        Published::Lost => Err(lost(name, depot)),
    }
}

/// The fault of a writer whose base is no longer current.
pub fn lost(name: &str, depot: &Depot) -> Fault {
    Fault::busy(format!("another machine has replaced the index `{name}` in {}", depot.url()))
        .hint("run the command again: it then works on what that machine made")
}

/// Where an object is, for messages.
pub fn place(depot: &Depot, key: &str) -> PathBuf {
    PathBuf::from(format!("{}/{key}", depot.url()))
}

/// Copies the index `name` of the depot to this data directory, as `new_name`. The caller holds the
/// lock.
///
/// # Errors
/// [`Kind::Damaged`](crate::error::Kind::Damaged) naming the bytes that were not uploaded; a usage
/// fault when there is another index of that name, unless it may be replaced.
pub fn pull(
    here: &Local,
    depot: &Depot,
    name: &str,
    new_name: &str,
    other: Other,
    stop: Stop<'_>,
) -> Result<(Pointer, Meta, Copied)> {
    let key = pointer_key(name);
    let found = depot.read(&key)?.ok_or_else(|| no_such_index(name, depot))?;
    let there = Pointer::parse(&found.bytes, name, &place(depot, &key))?;
    if let (Ok(ours), Other::Keep) = (here.pointer(new_name), other) {
        let is_older = ours.as_ref().is_none_or(|ours| {
            let mut targets = std::iter::once(&there.current).chain(&there.previous);
            targets.any(|target| target.meta_sha256 == ours.current.meta_sha256)
        });
        if !is_older {
            return Err(Fault::usage(format!("there is already an index named `{new_name}`"))
                .hint("give another name with `--as NAME`, or `--replace`"));
        }
    }
    let mut copied = Copied::default();
    let mut get = |target: &Target| {
        let (generation, one) = fetch(here, depot, target, stop)?;
        copied.add_all(one);
        Ok(Target { generation, meta_sha256: target.meta_sha256.clone() })
    };
    let current = get(&there.current)?;
    let previous = there.previous.as_ref().map(&mut get).transpose()?;
    let dir = here.generation_dir(&current.generation);
    // Its checksums match, but the author of the files wrote the checksums too.
    if let Some(why) = parts_problem(&dir, &current) {
        let _ = disk::remove_dir(&dir);
        return Err(damaged(&dir, &why));
    }
    let meta = here.read_meta(&current)?;
    let pointer = Pointer::new(new_name, current, previous);
    here.hold(&pointer)?;
    Ok((pointer, meta, copied))
}

fn no_such_index(name: &str, depot: &Depot) -> Fault {
    let fault = Fault::failed(format!("there is no index named `{name}` in {}", depot.url()));
    match names(depot) {
        Ok(names) if !names.is_empty() => fault.hint(format!("there are: {}", names.join(", "))),
        _ => fault.hint("`rag index push` on a machine that has an index copies it there"),
    }
}

/// The names of the indexes in a depot, sorted.
pub fn names(depot: &Depot) -> Result<Vec<String>> {
    let objects = depot.list("names/")?;
    let names = objects.iter().filter_map(|object| pointer_name(&object.key));
    Ok(names.map(str::to_owned).collect())
}

/// Copies the files of a generation in `dir` to the depot, unless they are there. Each is checked
/// first, so that damage is never uploaded under the name of what it was.
pub fn upload(
    depot: &Depot,
    dir: &Path,
    target: &Target,
    other: Other,
    stop: Stop<'_>,
) -> Result<Copied> {
    let meta = Meta::read(dir, &target.meta_sha256)?;
    let is_copied = |name: &str, sha256: &str, bytes: u64| -> Result<bool> {
        let (key, path) = (file_key(sha256)?, dir.join(name));
        if other == Other::Keep && is_there(depot.find(&key)?.as_ref(), bytes) {
            return Ok(false);
        }
        if disk::file_sum(&path)?.sha256 != sha256 {
            return Err(damaged(&path, "its SHA-256 is not the recorded one"));
        }
        depot.upload(&key, &path, stop)?;
        Ok(true)
    };
    let files = distinct(&meta);
    let done = side_by_side(&files, stop, |(sha256, (name, sum))| {
        Ok((sum.bytes, is_copied(name, sha256, sum.bytes)?))
    })?;
    let mut copied = Copied::default();
    done.into_iter().for_each(|(bytes, is_copied)| copied.add(bytes, is_copied));
    let meta_path = dir.join(META);
    let bytes = meta_path.metadata().or_cannot("read", &meta_path)?.len();
    copied.add(bytes, is_copied(META, &target.meta_sha256, bytes)?);
    Ok(copied)
}

/// The files of a generation by their SHA-256, each with one of its names.
fn distinct(meta: &Meta) -> Vec<(&str, (&str, &FileSum))> {
    let files = meta.files.iter();
    let files: BTreeMap<&str, (&str, &FileSum)> =
        files.map(|(name, sum)| (sum.sha256.as_str(), (name.as_str(), sum))).collect();
    files.into_iter().collect()
}

/// Copies a generation of the depot to this data directory, unless it is here, and returns the name
/// of its folder. Files that other generations here have are linked.
pub fn fetch(
    here: &Local,
    depot: &Depot,
    target: &Target,
    stop: Stop<'_>,
) -> Result<(String, Copied)> {
    let mut copied = Copied::default();
    if let Some(generation) = here.folder_of(target) {
        let meta = Meta::read(&here.generation_dir(&generation), &target.meta_sha256)?;
        meta.files.values().for_each(|sum| copied.add(sum.bytes, false));
        return Ok((generation, copied));
    }
    let (bytes, meta) = fetch_meta(depot, &target.meta_sha256)?;
    let scratch = Scratch::new(here.dir(), "fetch")?;
    let dir = scratch.path();
    disk::create_dir(&dir.join("bm25"))?;
    let files_here = files_here(here);
    let files: Vec<(&String, &FileSum)> = meta.files.iter().collect();
    let get = |(name, sum): &(&String, &FileSum)| {
        let path = dir.join(name.as_str());
        if files_here.get(&sum.sha256).is_some_and(|file| link(file, &path, sum)) {
            return Ok((sum.bytes, false));
        }
        let expected = Expected { bytes: sum.bytes, sha256: &sum.sha256 };
        depot.download(&file_key(&sum.sha256)?, &path, expected, stop)?;
        Ok((sum.bytes, true))
    };
    let done = side_by_side(&files, stop, get)?;
    done.into_iter().for_each(|(bytes, is_copied)| copied.add(bytes, is_copied));
    copied.add(bytes.len() as u64, true);
    disk::replace(&dir.join(META), &bytes)?;
    disk::sync_dir(&dir.join("bm25"))?;
    let generation = here.free_folder(&target.generation);
    scratch.keep_as(&here.generation_dir(&generation))?;
    Ok((generation, copied))
}

/// `meta.json` of a generation in the depot, as bytes and parsed.
pub fn fetch_meta(depot: &Depot, sha256: &str) -> Result<(Vec<u8>, Meta)> {
    let key = file_key(sha256)?;
    let at = place(depot, &key);
    let found = depot.read(&key)?.ok_or_else(|| damaged(&at, "it is missing"))?;
    if disk::sha256_hex(&found.bytes) != sha256 {
        return Err(damaged(&at, "its SHA-256 is not the recorded one"));
    }
    let meta = Meta::parse(&found.bytes, &at)?;
    match meta.has_plain_names() {
        true => Ok((found.bytes, meta)),
        false => Err(damaged(&at, "it names files that an index does not have")),
    }
}

/// The files of all generations here, by their SHA-256.
fn files_here(here: &Local) -> HashMap<String, PathBuf> {
    let mut files = HashMap::new();
    for generation in here.folders() {
        let dir = here.generation_dir(&generation);
        let Ok(bytes) = std::fs::read(dir.join(META)) else { continue };
        let Ok(meta) = Meta::parse(&bytes, &dir) else { continue };
        for (name, sum) in meta.files {
            files.insert(sum.sha256, dir.join(name));
        }
    }
    files
}

/// Links a file that is here, if it is undamaged.
fn link(here: &Path, path: &Path, expected: &FileSum) -> bool {
    let is_whole = |sum: FileSum| sum.bytes == expected.bytes && sum.sha256 == expected.sha256;
    disk::file_sum(here).is_ok_and(is_whole) && disk::link_or_copy(here, path).is_ok()
}

/// Calls `work` with every item, on several threads; results have the order of the items.
fn side_by_side<T: Sync, R: Send>(
    items: &[T],
    stop: Stop<'_>,
    work: impl Fn(&T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let next = AtomicUsize::new(0);
    let (next, work) = (&next, &work);
    let run = || -> Result<Vec<(usize, R)>> {
        let mut done = Vec::new();
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(n) else { return Ok(done) };
            if stop() {
                return Err(Fault::interrupted());
            }
            let result = work(item).inspect_err(|_| next.store(items.len(), Ordering::Relaxed));
            done.push((n, result?));
        }
    };
    let results = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..SIDE_BY_SIDE.min(items.len())).map(|_| scope.spawn(run)).collect();
        let died = |_| Err(Fault::failed("a thread that copies files has died"));
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(died))
            .collect::<Result<Vec<_>>>()
    })?;
    let mut results: Vec<(usize, R)> = results.into_iter().flatten().collect();
    results.sort_by_key(|(n, _)| *n);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}
