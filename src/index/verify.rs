//! Checking an index to the last byte, and its parts against each other.

use std::path::PathBuf;

use super::consistency::disagreements;
use super::generation::{META, Meta};
use super::names::Store;
use super::pointer::Target;
use super::snapshot::Snapshot;
use crate::disk;
use crate::error::{Kind, Result};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The damaged file, or the folder when several disagree.
    pub path: PathBuf,
    pub reason: String,
}

/// Everything that is wrong with the index called `name`; empty when nothing is.
///
/// # Errors
/// When there is no such index, or it cannot be read at all; damage is not an error here but a
/// [`Problem`].
pub fn verify(store: &Store, name: &str) -> Result<Vec<Problem>> {
    loop {
        let pointer = match store.pointer(name) {
            Ok(Some(pointer)) => pointer,
            Ok(None) => return store.open(name).map(|_| Vec::new()),
            Err(fault) if fault.kind() == Kind::Damaged => {
                let path = store.pointer_path(name);
                return Ok(vec![Problem { path, reason: fault.to_string() }]);
            }
            Err(fault) => return Err(fault),
        };
        let found = verify_target(store, &pointer.current);
        // A generation that a writer replaced and removed meanwhile is not damaged.
        let is_whole = found.as_ref().is_ok_and(Vec::is_empty);
        let is_replaced = || matches!(store.pointer(name), Ok(Some(now)) if now != pointer);
        if is_whole || !is_replaced() {
            return found;
        }
    }
}

fn verify_target(store: &Store, target: &Target) -> Result<Vec<Problem>> {
    let dir = store.generation_dir(&target.generation);
    let meta = match Meta::read(&dir, &target.meta_sha256) {
        Ok(meta) => meta,
        Err(fault) if fault.kind() == Kind::Damaged => {
            return Ok(vec![Problem { path: dir.join(META), reason: fault.to_string() }]);
        }
        Err(fault) => return Err(fault),
    };
    let mut problems = Vec::new();
    for (file, entry) in &meta.files {
        let path = dir.join(file);
        let reason = match disk::file_sum(&path) {
            Err(fault) => fault.to_string(),
            Ok(sum) if sum.bytes != entry.bytes => {
                format!("{} bytes instead of {}", sum.bytes, entry.bytes)
            }
            Ok(sum) if sum.sha256 != entry.sha256 => {
                "its SHA-256 is not the recorded one".to_owned()
            }
            Ok(_) => continue,
        };
        problems.push(Problem { path, reason });
    }
    if problems.is_empty() {
        let reasons = disagreements(&Snapshot::open(&dir, target)?)?;
        problems.extend(reasons.into_iter().map(|reason| Problem { path: dir.clone(), reason }));
    }
    Ok(problems)
}
