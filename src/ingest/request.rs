//! The request of an ingest, and its events.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::index::IngestStage;

/// What to ingest.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Base of relative folders; empty means the working directory.
    pub cwd: PathBuf,
    /// Folders as typed, to add to the index or to update. Other folders of the index stay
    /// unchanged.
    pub dirs: Vec<PathBuf>,
    /// Addresses of web pages to add to the index.
    pub urls: Vec<String>,
    /// Add the pages that sitemaps list below the addresses, instead of the pages there.
    pub sitemap: bool,
    /// Remove all other folders from the index.
    pub only: bool,
    /// Display names of folders, by real path. When not empty, each folder must have one; a missing
    /// name means that a folder was replaced by another.
    pub names: BTreeMap<String, String>,
    /// Patterns of files to ingest and to leave out. When both are empty, a folder of the index
    /// keeps its patterns; otherwise these replace them.
    pub include: Vec<String>,
    pub exclude: Vec<String>,
    /// Neither read nor write the embedding cache.
    pub no_cache: bool,
    /// Retry files that failed, even if neither they nor the program have changed.
    pub retry_failed: bool,
    /// How long to wait for another writer.
    pub wait: Duration,
    /// Read files one by one and report each before it is read: a previous run was killed, and the
    /// next should know by which file.
    pub sequential: bool,
    /// Files to report as failed without reading them: real path and reason.
    pub quarantined: BTreeMap<String, String>,
}

/// Progress of an ingest.
#[derive(Clone, Debug)]
pub enum Event {
    /// `done` of `total` units of the stage: files found, files read, texts embedded, steps of the
    /// commit. A `total` of 0 is not known yet.
    Progress { stage: IngestStage, done: u64, total: u64 },
    /// This file has been read for so long, and all files before it are done.
    Waiting { file: String, since: Duration },
    /// This folder is listed next.
    Entering(PathBuf),
    /// A message for the user that is not a fault.
    Note(String),
    /// This file is read next, or `None` when all are read; only with [`Request::sequential`].
    Reading(Option<String>),
}
