//! Checks that the parts of a generation agree with each other.

use std::collections::HashMap;
use std::path::Path;

use super::documents::{Record, State};
use super::generation::Meta;
use super::pointer::Target;
use super::snapshot::Snapshot;
use crate::error::{Fault, Result};

/// What disagrees between BM25 index, vectors and table of files; empty when nothing does.
pub(super) fn disagreements(snapshot: &Snapshot) -> Result<Vec<String>> {
    let (meta, documents) = (snapshot.meta(), snapshot.documents()?);
    let mut reasons = wrong_counts(meta, &documents, snapshot.live_chunks() as u64);
    let indexed = documents.into_iter().filter(|record| record.state == State::Indexed);
    let mut missing: HashMap<(usize, String), u64> =
        indexed.map(|record| ((record.root, record.path), record.chunks)).collect();
    let (mut stray, mut without_vector) = (0, 0);
    snapshot.for_each(&mut |stored, row| {
        match missing.get_mut(&(stored.root, stored.path)) {
            Some(n) if *n > 0 => *n -= 1,
            _ => stray += 1,
        }
        without_vector += u64::from(row >= meta.counts.rows);
    })?;
    if stray > 0 || missing.values().any(|n| *n > 0) {
        reasons.push(format!("{stray} chunks belong to no file in the table"));
    }
    if without_vector > 0 && meta.pending == 0 {
        reasons.push(format!("{without_vector} chunks have no vector"));
    } else if meta.pending == 0 {
        let wrong = snapshot.wrong_codes()?;
        if wrong > 0 {
            reasons.push(format!("{wrong} vectors have codes of other vectors"));
        }
    }
    Ok(reasons)
}

/// Why the files of a generation are no valid index, if they are not. Matching checksums do not
/// show that when another program wrote both.
pub(super) fn parts_problem(dir: &Path, target: &Target) -> Option<String> {
    /// Embedding models have at most a few thousand.
    const MOST_DIMENSIONS: usize = 1 << 16;
    let check = || {
        let snapshot = Snapshot::open(dir, target)?;
        if snapshot.meta().model.dimension > MOST_DIMENSIONS {
            return Err(Fault::damaged("its vectors have too many dimensions"));
        }
        let zero = vec![0.0; snapshot.meta().model.dimension];
        snapshot.nearest(&[&zero], 1, None, 1)?;
        disagreements(&snapshot)
    };
    match check() {
        Ok(reasons) if reasons.is_empty() => None,
        Ok(reasons) => Some(reasons.join("; ")),
        Err(fault) => Some(fault.to_string()),
    }
}

fn wrong_counts(meta: &Meta, documents: &[Record], live_chunks: u64) -> Vec<String> {
    let mut reasons = Vec::new();
    let counts = &meta.counts;
    let in_table = documents.iter().fold(0u64, |sum, record| sum.saturating_add(record.chunks));
    if in_table != counts.chunks || live_chunks != counts.chunks {
        reasons.push(format!(
            "meta.json counts {} chunks, the table of files {in_table}, the BM25 index \
             {live_chunks}",
            counts.chunks
        ));
    }
    let rows = meta.vectors.iter().fold(0u64, |sum, file| sum.saturating_add(file.rows as u64));
    if rows != counts.rows {
        reasons.push(format!("meta.json counts {} vectors, the vector files {rows}", counts.rows));
    }
    reasons
}
