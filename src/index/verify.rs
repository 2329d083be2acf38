//! Checking an index to the last byte, and its parts against each other.

use std::collections::HashMap;
use std::path::PathBuf;

use super::State;
use super::generation::Meta;
use super::names::{Store, Target};
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

/// Everything that is wrong with the index called `name`; empty when all is well.
///
/// # Errors
/// When there is no such index or it cannot be read at all; damage is not an error here but a
/// [`Problem`].
pub fn verify(store: &Store, name: &str) -> Result<Vec<Problem>> {
    let path = store.dir().join("names").join(format!("{name}.json"));
    loop {
        let pointer = match store.pointer(name) {
            Ok(Some(pointer)) => pointer,
            Ok(None) => return store.open(name).map(|_| Vec::new()),
            Err(fault) if fault.kind() == Kind::Damaged => {
                return Ok(vec![Problem { path, reason: fault.to_string() }]);
            }
            Err(fault) => return Err(fault),
        };
        let found = verify_target(store, &pointer.current);
        // Files of a generation that a writer replaced and removed meanwhile are no damage.
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
            return Ok(vec![Problem {
                path: dir.join(super::generation::META),
                reason: fault.to_string(),
            }]);
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

/// BM25, vectors and table of files tell the same story.
pub(super) fn disagreements(snapshot: &Snapshot) -> Result<Vec<String>> {
    let (meta, mut reasons) = (snapshot.meta(), Vec::new());
    let documents = snapshot.documents()?;
    let by_table = documents.iter().fold(0u64, |sum, record| sum.saturating_add(record.chunks));
    if by_table != meta.counts.chunks || snapshot.live_chunks() as u64 != meta.counts.chunks {
        reasons.push(format!(
            "meta.json counts {} chunks, the table of files {by_table}, the BM25 index {}",
            meta.counts.chunks,
            snapshot.live_chunks()
        ));
    }
    let rows = meta.vectors.iter().fold(0u64, |sum, file| sum.saturating_add(file.rows as u64));
    if rows != meta.counts.rows {
        reasons.push(format!(
            "meta.json counts {} vectors, the vector files {rows}",
            meta.counts.rows
        ));
    }
    let mut left: HashMap<(usize, String), u64> = documents
        .into_iter()
        .filter(|record| record.state == State::Indexed)
        .map(|record| ((record.root, record.path), record.chunks))
        .collect();
    let (mut stray, mut without_vector) = (0, 0);
    snapshot.for_each(&mut |stored, row| {
        match left.get_mut(&(stored.root, stored.path)) {
            Some(n) if *n > 0 => *n -= 1,
            _ => stray += 1,
        }
        without_vector += u64::from(row >= meta.counts.rows);
    })?;
    if stray > 0 || left.values().any(|n| *n > 0) {
        reasons.push(format!("{stray} chunks belong to no file in the table"));
    }
    if without_vector > 0 && meta.pending == 0 {
        reasons.push(format!("{without_vector} chunks have no vector"));
    }
    Ok(reasons)
}
