//! Publishing, collecting and copying, as protocols over the steps of a depot.
//!
//! `collector.json` lists the files that no pointer and no lease needs, each with the time when
//! that was found. After a grace they move to a second list, and only then are they deleted. Both
//! steps replace that object by compare-and-swap, and so does a writer that needs a listed file
//! again: it takes the file off the first list, or waits for the end of the second and uploads the
//! file again. A reader that copies a generation holds a lease on it meanwhile. All times are those
//! of the depot's clock, so clocks of machines may differ. Pure: `tests/simulated.rs` runs these
//! functions with hundreds of machines.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::generation::{Meta, damaged};
use super::pointer::Pointer;
use crate::depot::{Content, Object, Steps, Swap, Tag, swap};
use crate::error::{Fault, Kind, Result};

pub const KEY: &str = "collector.json";
const VERSION: u32 = 1;

/// A lease that was not renewed for so long has no holder any more.
const LEASE: Duration = Duration::from_secs(600);

/// How often a lease is renewed, by the clock of its holder.
pub const RENEWAL: Duration = Duration::from_secs(120);

/// How long a writer waits for a collector that is deleting before it finishes the work itself.
const PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 0 } else { 10 });

/// What a depot of generations knows besides its objects.
pub trait Generations: Steps {
    /// The keys of the files of a generation, of `meta.json` too.
    ///
    /// # Errors
    /// [`Kind::Damaged`] when `meta.json` is missing or not what was written.
    async fn files_of(&self, meta_sha256: &str) -> Result<BTreeSet<String>>;
}

/// What `collector.json` says. Files are named by their keys.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
struct Marks {
    version: u32,
    /// Files that nothing needs, and since when that is known, in Unix milliseconds.
    marked: BTreeMap<String, i64>,
    /// Files that are being deleted.
    deleting: BTreeSet<String>,
}

/// What a collection did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    pub files_deleted: usize,
    pub bytes_deleted: u64,
    /// Files that nothing needs, but whose grace has not passed.
    pub files_waiting: usize,
    /// Files that are in use.
    pub files_kept: usize,
    /// Readers that copy a generation.
    pub leases: usize,
}

/// The object that is the pointer of an index.
pub fn pointer_key(name: &str) -> String {
    format!("names/{name}.json")
}

/// The index whose pointer an object is.
pub fn pointer_name(key: &str) -> Option<&str> {
    key.strip_prefix("names/")?.strip_suffix(".json")
}

/// The object that is a file of a generation.
///
/// # Errors
/// [`Kind::Damaged`] for what is no SHA-256, which could be any path.
pub fn file_key(sha256: &str) -> Result<String> {
    let is_sum = sha256.len() == 64 && sha256.bytes().all(|b| b.is_ascii_hexdigit());
    match is_sum {
        true => Ok(format!("files/{sha256}")),
        false => Err(Fault::damaged(format!("{sha256:?} is no SHA-256"))),
    }
}

/// The keys of the files of a generation, of `meta.json` too.
pub fn keys_of(meta_sha256: &str, meta: &Meta) -> Result<BTreeSet<String>> {
    let files = meta.files.values().map(|sum| file_key(&sum.sha256));
    files.chain([file_key(meta_sha256)]).collect()
}

/// Whether an object need not be uploaded again. Its name says what it contains.
pub fn is_there(found: Option<&Object>, bytes: u64) -> bool {
    found.is_some_and(|found| found.bytes == bytes)
}

/// The state after a collection at `now_ms`: what is no longer needed is marked, and what was
/// marked a grace ago is deleted.
fn plan(
    objects: &[Object],
    live: &BTreeSet<String>,
    before: &Marks,
    now_ms: i64,
    grace_ms: i64,
) -> Marks {
    let mut after = Marks { version: VERSION, ..Marks::default() };
    for object in objects.iter().filter(|object| !live.contains(&object.key)) {
        let since = match before.marked.get(&object.key) {
            // It was uploaded again after it was marked.
            Some(since) if object.modified_ms > *since => now_ms,
            Some(since) => *since,
            None => now_ms,
        };
        let is_due = now_ms - since >= grace_ms && now_ms - object.modified_ms >= grace_ms;
        match is_due {
            true => drop(after.deleting.insert(object.key.clone())),
            false => drop(after.marked.insert(object.key.clone(), since)),
        }
    }
    after
}

/// Marks what nothing needs, and deletes what was marked `grace` ago.
///
/// # Errors
/// [`Kind::Busy`] when another collector or a writer changed the list meanwhile.
pub async fn collect(depot: &impl Generations, grace: Duration) -> Result<Collected> {
    let grace_ms = i64::try_from(grace.as_millis()).unwrap_or(i64::MAX);
    finish(depot).await?;
    let now_ms = now_ms(depot).await?;
    let (before, tag) = read(depot).await?;
    // In this order: a file that is uploaded later is not in the list, and a pointer that is
    // replaced later is one whose writer reads the marks.
    let objects = depot.list("files/").await?;
    let (mut live, leases) = leased(depot, now_ms).await?;
    for object in depot.list("names/").await? {
        if let Some(name) = pointer_name(&object.key) {
            live.extend(needed_by_name(depot, name).await?);
        }
    }
    let after = plan(&objects, &live, &before, now_ms, grace_ms);
    if write(depot, tag.as_ref(), &after).await?.is_none() {
        return Err(Fault::busy(format!("{} is in use by another writer", depot.place()))
            .hint("run the command again"));
    }
    finish(depot).await?;
    let deleted = objects.iter().filter(|object| after.deleting.contains(&object.key));
    let (files_deleted, bytes_deleted) =
        deleted.fold((0, 0), |(n, bytes), object| (n + 1, bytes + object.bytes));
    Ok(Collected {
        files_deleted,
        bytes_deleted,
        files_waiting: after.marked.len(),
        files_kept: objects.len() - files_deleted - after.marked.len(),
        leases,
    })
}

/// Collects if no process has for a while. `key` was just written: its time is now.
pub async fn collect_if_due(depot: &impl Generations, key: &str, grace: Duration) -> Result<()> {
    /// More often would find nothing new: the grace is at least an hour.
    const EVERY: Duration = Duration::from_secs(1800);
    let every_ms = i64::try_from(EVERY.min(grace).as_millis()).unwrap_or(i64::MAX);
    let (Some(now), last) = (depot.find(key).await?, depot.find(KEY).await?) else {
        return Ok(());
    };
    match last.is_none_or(|last| now.modified_ms - last.modified_ms >= every_ms) {
        true => collect(depot, grace).await.map(drop),
        false => Ok(()),
    }
}

/// A pointer that is about to replace another.
pub struct Commit<'a> {
    pub key: &'a str,
    /// The version that the writer built on.
    pub base: Option<&'a Tag>,
    pub pointer: &'a [u8],
    /// The files that it needs.
    pub files: &'a BTreeSet<String>,
}

/// What became of a commit.
pub enum Published {
    /// Another machine was faster; nothing has changed.
    Lost,
    /// It is done. Some files may have been deleted meanwhile: whether they are back.
    Done(Tag, Result<()>),
}

/// Uploads the files of a commit with `upload`, which skips those that are there, then replaces the
/// pointer.
pub async fn publish(
    depot: &impl Generations,
    commit: &Commit<'_>,
    mut upload: impl AsyncFnMut() -> Result<()>,
) -> Result<Published> {
    let version = send(depot, commit.files, &mut upload).await?;
    let tag = match swap(depot, commit.key, commit.base, commit.pointer).await? {
        Swap::Lost => return Ok(Published::Lost),
        Swap::Done(tag) => tag,
    };
    // A collector that ran meanwhile did not see the new pointer.
    let again = match read(depot).await {
        Ok((_, now)) if now == version => Ok(()),
        Ok(_) => send(depot, commit.files, &mut upload).await.map(drop),
        Err(fault) => Err(fault),
    };
    Ok(Published::Done(tag, again))
}

/// Uploads files until they are there and not listed; returns the version of the list. Another one
/// means that a collector has run since.
async fn send(
    depot: &impl Generations,
    files: &BTreeSet<String>,
    upload: &mut impl AsyncFnMut() -> Result<()>,
) -> Result<Option<Tag>> {
    loop {
        upload().await?;
        if let Claim::Kept(version) = claim(depot, files).await? {
            return Ok(version);
        }
    }
}

/// What became of files that are about to be needed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Claim {
    /// They are not on the list, of which this is the version.
    Kept(Option<Tag>),
    /// Some were being deleted, and must be uploaded again.
    Deleted,
}

/// Takes files off the list.
async fn claim(depot: &impl Generations, files: &BTreeSet<String>) -> Result<Claim> {
    let begun = depot.elapsed();
    loop {
        let (mut marks, tag) = read(depot).await?;
        if !marks.deleting.is_disjoint(files) {
            if depot.elapsed().saturating_sub(begun) > PATIENCE {
                finish(depot).await?;
            }
            depot.pause(Duration::from_millis(100)).await;
            let (marks, _) = read(depot).await?;
            if marks.deleting.is_disjoint(files) {
                return Ok(Claim::Deleted);
            }
            continue;
        }
        let n_before = marks.marked.len();
        marks.marked.retain(|key, _| !files.contains(key));
        if marks.marked.len() == n_before {
            return Ok(Claim::Kept(tag));
        }
        if let Some(tag) = write(depot, tag.as_ref(), &marks).await? {
            return Ok(Claim::Kept(Some(tag)));
        }
    }
}

/// Deletes what is listed for it, also what a collector that died has listed.
async fn finish(depot: &impl Generations) -> Result<()> {
    loop {
        let (mut marks, tag) = read(depot).await?;
        if marks.deleting.is_empty() {
            return Ok(());
        }
        for key in &marks.deleting {
            depot.delete(key).await?;
        }
        marks.deleting.clear();
        if write(depot, tag.as_ref(), &marks).await?.is_some() {
            return Ok(());
        }
    }
}

async fn read(depot: &impl Generations) -> Result<(Marks, Option<Tag>)> {
    let Some(found) = depot.read(KEY).await? else { return Ok((Marks::default(), None)) };
    let at = std::path::PathBuf::from(format!("{}/{KEY}", depot.place()));
    let marks: Marks =
        serde_json::from_slice(&found.bytes).map_err(|e| damaged(&at, &e.to_string()))?;
    // What is listed is deleted, so it must not be anything else than a file.
    let keys = marks.marked.keys().chain(&marks.deleting);
    let is_file =
        |key: &String| key.strip_prefix("files/").is_some_and(|sha256| file_key(sha256).is_ok());
    match marks.version == VERSION && keys.clone().all(is_file) {
        true => Ok((marks, Some(found.tag))),
        false => Err(damaged(&at, "it lists what is no file, or is of another version")),
    }
}

/// The new version; `None` when another process replaced the list.
async fn write(depot: &impl Generations, tag: Option<&Tag>, marks: &Marks) -> Result<Option<Tag>> {
    let marks = Marks { version: VERSION, ..marks.clone() };
    let bytes = serde_json::to_vec(&marks)
        .map_err(|e| Fault::failed("cannot write the list of the collector").because(e))?;
    match swap(depot, KEY, tag, &bytes).await? {
        Swap::Done(tag) => Ok(Some(tag)),
        Swap::Lost => Ok(None),
    }
}

/// The files that the generations of an index need.
async fn needed_by_name(depot: &impl Generations, name: &str) -> Result<BTreeSet<String>> {
    let key = pointer_key(name);
    let Some(found) = depot.read(&key).await? else { return Ok(BTreeSet::new()) };
    let at = std::path::PathBuf::from(format!("{}/{key}", depot.place()));
    let pointer = Pointer::parse(&found.bytes, name, &at)?;
    let mut needed = BTreeSet::new();
    for target in std::iter::once(&pointer.current).chain(&pointer.previous) {
        needed.extend(depot.files_of(&target.meta_sha256).await?);
    }
    Ok(needed)
}

/// What a lease says.
#[derive(Deserialize, Serialize)]
pub struct Leased {
    pub meta_sha256: String,
}

impl Leased {
    pub fn key(id: &str) -> String {
        format!("leases/{id}.json")
    }

    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        serde_json::to_vec(self).ok()
    }
}

/// The files that readers are copying, and the number of these readers. Leases without a holder are
/// deleted.
async fn leased(depot: &impl Generations, now_ms: i64) -> Result<(BTreeSet<String>, usize)> {
    let lease_ms = i64::try_from(LEASE.as_millis()).unwrap_or(i64::MAX);
    let (mut files, mut n) = (BTreeSet::new(), 0);
    for object in depot.list("leases/").await? {
        if now_ms - object.modified_ms > lease_ms {
            depot.delete(&object.key).await?;
            continue;
        }
        let Some(found) = depot.read(&object.key).await? else { continue };
        let Ok(lease) = serde_json::from_slice::<Leased>(&found.bytes) else { continue };
        match depot.files_of(&lease.meta_sha256).await {
            Ok(needed) => files.extend(needed),
            Err(fault) if fault.kind() == Kind::Damaged => {}
            Err(fault) => return Err(fault),
        }
        n += 1;
    }
    Ok((files, n))
}

/// The time by the depot's clock.
async fn now_ms(depot: &impl Generations) -> Result<i64> {
    const CLOCK: &str = "clock";
    depot.write(CLOCK, b"").await?;
    let found = depot.find(CLOCK).await?;
    let lost = || Fault::outside(format!("{} does not list what was just written", depot.place()));
    found.map(|found| found.modified_ms).ok_or_else(lost)
}

/// Reads a pointer and takes over what it names with `take`; again when that was replaced, and its
/// files collected, while it was copied. `None` when there is no such pointer.
pub async fn follow<T>(
    depot: &impl Generations,
    key: &str,
    mut take: impl AsyncFnMut(&Content) -> Result<T>,
) -> Result<Option<(T, Tag)>> {
    let mut last: Option<Tag> = None;
    loop {
        let Some(found) = depot.read(key).await? else { return Ok(None) };
        match take(&found).await {
            Ok(taken) => return Ok(Some((taken, found.tag))),
            Err(fault) if fault.kind() == Kind::Damaged && last.as_ref() != Some(&found.tag) => {
                last = Some(found.tag);
            }
            Err(fault) => return Err(fault),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(key: &str, modified_ms: i64) -> Object {
        Object { key: key.to_owned(), bytes: 1, modified_ms }
    }

    #[test]
    fn a_file_is_deleted_a_grace_after_nothing_needs_it() {
        let objects = [object("files/live", 0), object("files/old", 0)];
        let live = BTreeSet::from(["files/live".to_owned()]);
        let first = plan(&objects, &live, &Marks::default(), 1000, 100);
        assert_eq!(first.marked, BTreeMap::from([("files/old".to_owned(), 1000)]));
        assert!(first.deleting.is_empty());
        let early = plan(&objects, &live, &first, 1099, 100);
        assert_eq!(early, first);
        let due = plan(&objects, &live, &first, 1100, 100);
        assert_eq!(due.deleting, BTreeSet::from(["files/old".to_owned()]));
        assert!(due.marked.is_empty());
        // Needed again, or uploaded again.
        let all = BTreeSet::from(["files/live".to_owned(), "files/old".to_owned()]);
        assert_eq!(plan(&objects, &all, &first, 1100, 100).marked, BTreeMap::new());
        let again = plan(&[object("files/old", 1050)], &live, &first, 1100, 100);
        assert_eq!(again.marked, BTreeMap::from([("files/old".to_owned(), 1100)]));
        // Without a grace.
        assert_eq!(plan(&objects, &live, &Marks::default(), 1000, 0).deleting.len(), 1);
    }
}
