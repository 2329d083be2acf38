//! Checking an index to the last byte, and its parts against each other.

use std::collections::HashMap;
use std::path::PathBuf;

use super::names::Store;
use super::snapshot::Snapshot;
use super::State;
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
/// When there is no such index or it cannot be read at all; damage is not an error here but a [`Problem`].
pub fn verify(store: &Store, name: &str) -> Result<Vec<Problem>> {
    let as_problem = |path: PathBuf, reason: String| vec![Problem { path, reason }];
    let pointer_path = store.dir().join("names").join(format!("{name}.json"));
    let pointer = match store.pointer(name) {
        Ok(Some(pointer)) => pointer,
        Ok(None) => return store.open(name).map(|_| Vec::new()),
        Err(fault) if fault.kind() == Kind::Damaged => return Ok(as_problem(pointer_path, fault.to_string())),
        Err(fault) => return Err(fault),
    };
    let dir = store.generation_dir(&pointer.current.generation);
    let meta = match Snapshot::read_meta(store, &pointer.current) {
        Ok(meta) => meta,
        Err(fault) if fault.kind() == Kind::Damaged => {
            return Ok(as_problem(dir.join(super::generation::META), fault.to_string()));
        }
        Err(fault) => return Err(fault),
    };
    let mut problems = Vec::new();
    for (file, entry) in &meta.files {
        let path = dir.join(file);
        let reason = match disk::file_sum(&path) {
            Err(fault) => fault.to_string(),
            Ok(sum) if sum.bytes != entry.bytes => format!("{} bytes instead of {}", sum.bytes, entry.bytes),
            Ok(sum) if sum.sha256 != entry.sha256 => "its SHA-256 is not the recorded one".to_owned(),
            Ok(_) => continue,
        };
        problems.push(Problem { path, reason });
    }
    if problems.is_empty() {
        problems.extend(disagreements(store, name)?.into_iter().map(|reason| Problem { path: dir.clone(), reason }));
    }
    Ok(problems)
}

/// BM25, vectors and table of files tell the same story.
fn disagreements(store: &Store, name: &str) -> Result<Vec<String>> {
    let snapshot = store.open(name)?;
    let (meta, mut reasons) = (snapshot.meta(), Vec::new());
    let documents = snapshot.documents()?;
    let by_table: u64 = documents.iter().map(|record| record.chunks).sum();
    if by_table != meta.counts.chunks || snapshot.live_chunks() as u64 != meta.counts.chunks {
        reasons.push(format!(
            "meta.json counts {} chunks, the table of files {by_table}, the BM25 index {}",
            meta.counts.chunks,
            snapshot.live_chunks()
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
    if without_vector > 0 {
        reasons.push(format!("{without_vector} chunks have no vector"));
    }
    Ok(reasons)
}
