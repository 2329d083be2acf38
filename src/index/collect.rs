//! Deletes the files of a depot that nothing needs any more.
//!
//! `collector.json` lists the files that no pointer and no lease needs, each with the time when
//! that was found. After a grace they move to a second list, and only then are they deleted. Both
//! steps replace that object by compare-and-swap, and so does a writer that needs a listed file
//! again: it takes the file off the first list, or waits for the end of the second and uploads the
//! file again. A reader that copies a generation holds a lease on it meanwhile. All times are those
//! of the depot's clock, so clocks of machines may differ.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::exchange::{fetch_meta, file_key, names, place, pointer_key};
use super::generation::{Meta, damaged};
use super::pointer::{Pointer, Target};
use crate::depot::{Depot, Object, Swap, Tag};
use crate::disk;
use crate::error::{Fault, Kind, Result};

const KEY: &str = "collector.json";
const VERSION: u32 = 1;

/// A lease that was not renewed for so long has no holder any more.
const LEASE: Duration = Duration::from_secs(600);

/// How often a lease is renewed.
const RENEWAL: Duration = Duration::from_secs(120);

/// How long a writer waits for a collector that is deleting before it finishes the work itself.
const PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 0 } else { 10 });

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
pub fn collect(depot: &Depot, grace: Duration) -> Result<Collected> {
    let grace_ms = i64::try_from(grace.as_millis()).unwrap_or(i64::MAX);
    finish(depot)?;
    let now_ms = now_ms(depot)?;
    let (before, tag) = read(depot)?;
    // In this order: a file that is uploaded later is not in the list, and a pointer that is
    // replaced later is one whose writer reads the marks.
    let objects = depot.list("files/")?;
    let (leased, leases) = leased(depot, now_ms)?;
    let mut live = leased;
    for name in names(depot)? {
        live.extend(needed_by_name(depot, &name)?);
    }
    let after = plan(&objects, &live, &before, now_ms, grace_ms);
    if write(depot, tag.as_ref(), &after)?.is_none() {
        return Err(Fault::busy(format!("{} is in use by another writer", depot.url()))
            .hint("run the command again"));
    }
    finish(depot)?;
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
pub fn collect_if_due(depot: &Depot, key: &str, grace: Duration) -> Result<()> {
    /// More often would find nothing new: the grace is at least an hour.
    const EVERY: Duration = Duration::from_secs(1800);
    let every_ms = i64::try_from(EVERY.min(grace).as_millis()).unwrap_or(i64::MAX);
    let (Some(now), last) = (depot.find(key)?, depot.find(KEY)?) else { return Ok(()) };
    match last.is_none_or(|last| now.modified_ms - last.modified_ms >= every_ms) {
        true => collect(depot, grace).map(drop),
        false => Ok(()),
    }
}

/// What became of the files of a generation that is about to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// They are not on the list, of which this is the version: another one means that a collector
    /// has run since.
    Kept(Option<Tag>),
    /// Some were being deleted, and must be uploaded again.
    Deleted,
}

/// Takes the files of a generation that is about to be published off the list.
pub fn claim(depot: &Depot, target: &Target, meta: &Meta) -> Result<Claim> {
    let mut files = BTreeSet::from([file_key(&target.meta_sha256)?]);
    for sum in meta.files.values() {
        files.insert(file_key(&sum.sha256)?);
    }
    let begun = Instant::now();
    loop {
        let (mut marks, tag) = read(depot)?;
        if !marks.deleting.is_disjoint(&files) {
            if begun.elapsed() > PATIENCE {
                finish(depot)?;
            }
            std::thread::sleep(Duration::from_millis(100));
            let (marks, _) = read(depot)?;
            if marks.deleting.is_disjoint(&files) {
                return Ok(Claim::Deleted);
            }
            continue;
        }
        let n_before = marks.marked.len();
        marks.marked.retain(|key, _| !files.contains(key));
        if marks.marked.len() == n_before {
            return Ok(Claim::Kept(tag));
        }
        if let Some(tag) = write(depot, tag.as_ref(), &marks)? {
            return Ok(Claim::Kept(Some(tag)));
        }
    }
}

/// The version of the list of what is deleted.
pub fn version(depot: &Depot) -> Result<Option<Tag>> {
    Ok(read(depot)?.1)
}

/// Deletes what is listed for it, also what a collector that died has listed.
fn finish(depot: &Depot) -> Result<()> {
    loop {
        let (mut marks, tag) = read(depot)?;
        if marks.deleting.is_empty() {
            return Ok(());
        }
        for key in &marks.deleting {
            depot.delete(key)?;
        }
        marks.deleting.clear();
        if write(depot, tag.as_ref(), &marks)?.is_some() {
            return Ok(());
        }
    }
}

fn read(depot: &Depot) -> Result<(Marks, Option<Tag>)> {
    let Some(found) = depot.read(KEY)? else { return Ok((Marks::default(), None)) };
    let at = place(depot, KEY);
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
fn write(depot: &Depot, tag: Option<&Tag>, marks: &Marks) -> Result<Option<Tag>> {
    let marks = Marks { version: VERSION, ..marks.clone() };
    let bytes = serde_json::to_vec(&marks)
        .map_err(|e| Fault::failed("cannot write the list of the collector").because(e))?;
    match depot.swap(KEY, tag, &bytes)? {
        Swap::Done(tag) => Ok(Some(tag)),
        Swap::Lost => Ok(None),
    }
}

/// The files that the generations of an index need.
fn needed_by_name(depot: &Depot, name: &str) -> Result<BTreeSet<String>> {
    let key = pointer_key(name);
    let Some(found) = depot.read(&key)? else { return Ok(BTreeSet::new()) };
    let pointer = Pointer::parse(&found.bytes, name, &place(depot, &key))?;
    let mut needed = BTreeSet::new();
    for target in std::iter::once(&pointer.current).chain(&pointer.previous) {
        needed.extend(needed_by(depot, &target.meta_sha256)?);
    }
    Ok(needed)
}

fn needed_by(depot: &Depot, meta_sha256: &str) -> Result<BTreeSet<String>> {
    let (_, meta) = fetch_meta(depot, meta_sha256)?;
    let files = meta.files.values().map(|sum| file_key(&sum.sha256));
    files.chain([file_key(meta_sha256)]).collect()
}

/// A reader's claim on a generation. It is renewed by [`Lease::renew`] and deleted on drop.
pub struct Lease<'a> {
    depot: &'a Depot,
    key: String,
    bytes: Vec<u8>,
    renewed: Mutex<Instant>,
}

/// What a lease says.
#[derive(Deserialize, Serialize)]
struct Leased {
    meta_sha256: String,
}

impl<'a> Lease<'a> {
    /// A reader that may not write to the depot has none: only the grace protects what it copies.
    pub fn take(depot: &'a Depot, target: &Target) -> Option<Self> {
        let bytes = serde_json::to_vec(&Leased { meta_sha256: target.meta_sha256.clone() }).ok()?;
        let key = format!("leases/{}.json", disk::random_id().ok()?);
        depot.write(&key, &bytes).ok()?;
        Some(Self { depot, key, bytes, renewed: Mutex::new(Instant::now()) })
    }

    /// Renews the lease if that is due.
    pub fn renew(&self) {
        let Ok(mut renewed) = self.renewed.try_lock() else { return };
        if renewed.elapsed() >= RENEWAL {
            *renewed = Instant::now();
            let _ = self.depot.write(&self.key, &self.bytes);
        }
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let _ = self.depot.delete(&self.key);
    }
}

/// The files that readers are copying, and the number of these readers. Leases without a holder are
/// deleted.
fn leased(depot: &Depot, now_ms: i64) -> Result<(BTreeSet<String>, usize)> {
    let lease_ms = i64::try_from(LEASE.as_millis()).unwrap_or(i64::MAX);
    let (mut files, mut n) = (BTreeSet::new(), 0);
    for object in depot.list("leases/")? {
        if now_ms - object.modified_ms > lease_ms {
            depot.delete(&object.key)?;
            continue;
        }
        let Some(found) = depot.read(&object.key)? else { continue };
        let Ok(lease) = serde_json::from_slice::<Leased>(&found.bytes) else { continue };
        match needed_by(depot, &lease.meta_sha256) {
            Ok(needed) => files.extend(needed),
            Err(fault) if fault.kind() == Kind::Damaged => {}
            Err(fault) => return Err(fault),
        }
        n += 1;
    }
    Ok((files, n))
}

/// The time by the depot's clock.
fn now_ms(depot: &Depot) -> Result<i64> {
    const CLOCK: &str = "clock";
    depot.write(CLOCK, b"")?;
    let found = depot.find(CLOCK)?;
    let lost = || Fault::outside(format!("{} does not list what was just written", depot.url()));
    found.map(|found| found.modified_ms).ok_or_else(lost)
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
