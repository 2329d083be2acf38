//! The report of an ingest.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::roots::shown;
use super::scan::Scan;
use crate::cache::Counters;
use crate::index::{Meta, Record, State};

/// The outcome of an ingest.
#[derive(Clone, Debug)]
pub struct Report {
    pub corpus_id: String,
    pub index_dir: PathBuf,
    pub documents: u64,
    pub chunks: u64,
    pub dimension: usize,
    pub cache: Counters,
    /// Files read because they were new or looked changed.
    pub read: u64,
    /// Documents that left the index: their files are gone or excluded, or their folder was
    /// removed.
    pub removed: Vec<String>,
    /// The first of the files read, in the order of the walk.
    pub some_read: Vec<String>,
    /// False when nothing had changed and the current generation was kept.
    pub committed: bool,
    pub skipped: u64,
    /// Reasons for skipping files, with counts.
    pub skip_reasons: Vec<(String, u64)>,
    /// `(path, reason)`.
    pub failed: Vec<(String, String)>,
    /// Documents that could hold text but have none: path, reason, advice. They are counted in
    /// `skipped`.
    pub no_text: Vec<(String, String, String)>,
    pub elapsed: Duration,
}

impl Report {
    /// The report of a scan whose generation is `meta`; without commit and cache counters.
    pub(super) fn new(meta: &Meta, index_dir: PathBuf, scan: &Scan, start: Instant) -> Self {
        /// More than users read.
        const MAX_READ: usize = 20;
        let name = |record: &Record| shown(&meta.roots, record.root, &record.path);
        let reason = |record: &Record| record.reason.clone().unwrap_or_default();
        // Only the folders that were listed are reported.
        let listed = |state: State| {
            let is_listed = |root: usize| scan.listed.get(root).copied().unwrap_or(true);
            scan.records.iter().filter(move |r| r.state == state && is_listed(r.root))
        };
        let mut skip_reasons: BTreeMap<String, u64> = scan.skipped.clone();
        for record in listed(State::Skipped) {
            *skip_reasons.entry(reason(record)).or_insert(0) += 1;
        }
        let failed_records = listed(State::Failed).map(|record| {
            let advice = record.advice.as_ref().map(|advice| format!("; {advice}"));
            (name(record), reason(record) + &advice.unwrap_or_default())
        });
        let failed_entries = scan
            .failed
            .iter()
            .map(|(root, path, reason)| (shown(&meta.roots, *root, path), reason.clone()));
        let mut failed: Vec<(String, String)> = failed_records.chain(failed_entries).collect();
        failed.sort();
        let no_text = listed(State::Skipped)
            .filter_map(|record| Some((name(record), reason(record), record.advice.clone()?)));
        let some_read = scan.todo.iter().take(MAX_READ);
        Self {
            corpus_id: meta.corpus_id.clone(),
            index_dir,
            documents: meta.counts.documents,
            chunks: meta.counts.chunks,
            dimension: meta.model.dimension,
            cache: Counters::default(),
            read: scan.todo.len() as u64,
            removed: scan.removed.iter().map(|gone| gone.name.clone()).collect(),
            some_read: some_read.map(|todo| name(&scan.records[todo.record])).collect(),
            committed: false,
            skipped: skip_reasons.values().sum(),
            skip_reasons: skip_reasons.into_iter().collect(),
            failed,
            no_text: no_text.collect(),
            elapsed: start.elapsed(),
        }
    }
}
