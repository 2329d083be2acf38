//! Finds what changed since the last ingest, by size, modification time, inode and change time.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::request::Event;
use super::roots::{Folder, file_of, shown, walk_options};
use crate::disk::FileVersion;
use crate::engine::Engine;
use crate::error::{Fault, Result};
use crate::index::{Failure, IngestStage, Record, Root, State};
use crate::sites;
use crate::text::{self, Entry};

/// How often progress is reported, in files.
const REPORT_EVERY: u64 = 256;

/// The folders as they are now, compared with the table of the last generation.
pub struct Scan {
    /// Every file, in the order of the walk. Those in `todo` are filled in when they are read.
    pub records: Vec<Record>,
    pub todo: Vec<Todo>,
    /// Documents of the last generation that leave the index.
    pub removed: Vec<Gone>,
    /// Whether each folder was listed. Records of other folders are copied from the last table.
    pub listed: Vec<bool>,
    /// Number of entries that are not candidates, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// Folders and files that could not be read, or whose last version was kept: `(root, path,
    /// reason)`.
    pub failed: Vec<(usize, String, String)>,
    /// A file of the base that was not indexed is gone, so the table differs although the documents
    /// are the same.
    table_changed: bool,
    retry_failed: bool,
    /// The folders of the new generation.
    roots: Vec<Root>,
}

/// A document that leaves the index.
pub struct Gone {
    /// Number of its folder in the last generation.
    pub root: usize,
    pub path: String,
    /// Its name for the user.
    pub name: String,
}

/// What is known of the last generation.
pub struct Previous<'a> {
    pub roots: &'a [Root],
    pub records: Vec<Record>,
    /// Whether unchanged documents are kept.
    pub is_base: bool,
    /// Absolute paths of documents that the user removed, sorted.
    pub removed: &'a [String],
    /// Retry files that failed, even if neither they nor the reader have changed.
    pub retry_failed: bool,
}

/// A file to read. There may be a million, so it is small.
pub struct Todo {
    /// Its index in `records`.
    pub record: usize,
    pub size: u64,
    /// Its record in the last generation.
    pub before: Option<Box<Record>>,
}

impl Scan {
    pub fn empty(roots: &[Root]) -> Self {
        Self {
            roots: roots.to_vec(),
            records: Vec::new(),
            todo: Vec::new(),
            removed: Vec::new(),
            listed: vec![true; roots.len()],
            skipped: BTreeMap::new(),
            failed: Vec::new(),
            table_changed: false,
            retry_failed: false,
        }
    }

    /// The absolute path of a record's file.
    pub fn absolute(&self, record: &Record) -> PathBuf {
        file_of(&self.roots[record.root], &record.path)
    }

    /// Whether a record is of a page of a web site.
    pub fn is_page(&self, record: &Record) -> bool {
        self.roots[record.root].is_site()
    }

    /// Whether a build would equal the base.
    pub fn is_unchanged(&self) -> bool {
        self.todo.is_empty() && self.removed.is_empty() && !self.table_changed
    }
}

/// Why a file that the user removed from the index is skipped.
const REMOVED: &str = "removed by `rag documents remove`";

/// Lists the folders that the request names, or all without a base. `on_todo` is called once, when
/// the first file to read is found.
pub fn scan(
    engine: &Engine,
    folders: &[Folder],
    previous: Previous<'_>,
    on_todo: &mut dyn FnMut(),
    on_event: &mut dyn FnMut(Event),
) -> Result<Scan> {
    let roots: Vec<Root> = folders.iter().map(|folder| folder.root.clone()).collect();
    let mut scan = Scan {
        records: Vec::with_capacity(previous.records.len()),
        retry_failed: previous.retry_failed,
        listed: folders.iter().map(|folder| folder.is_named || !previous.is_base).collect(),
        ..Scan::empty(&roots)
    };
    let removed = previous.removed;
    let mut known = scan.sort(&roots, previous);
    on_event(Event::Progress { stage: IngestStage::Scan, done: 0, total: 0 });
    for (root, folder) in roots.iter().enumerate() {
        if !scan.listed[root] {
            scan.records.append(&mut known.left[root]);
            continue;
        }
        let site = &folders[root];
        scan.failed
            .extend(site.unfetched.iter().map(|(path, why)| (root, path.clone(), why.clone())));
        list(engine, folder, &mut |entry| {
            if engine.interrupted() {
                return Err(Fault::interrupted());
            }
            match entry {
                Entry::Folder(path) => on_event(Event::Entering(path)),
                Entry::File(found)
                    if removed.binary_search(&folder.absolute(&found.path)).is_ok() =>
                {
                    *scan.skipped.entry(REMOVED.to_owned()).or_insert(0) += 1;
                }
                Entry::File(found) => {
                    let was_idle = scan.todo.is_empty();
                    let before = known.listed[root].remove_entry(&found.path);
                    scan.file(root, found, before.filter(|_| known.is_base));
                    if was_idle && !scan.todo.is_empty() {
                        on_todo();
                    }
                    let done = scan.records.len() as u64;
                    if done.is_multiple_of(REPORT_EVERY) {
                        on_event(Event::Progress { stage: IngestStage::Scan, done, total: 0 });
                    }
                }
                Entry::Skipped { reason, .. } => {
                    *scan.skipped.entry(reason.text().to_owned()).or_insert(0) += 1;
                }
                Entry::Failed { path, reason } => scan.failed.push((root, path, reason)),
            }
            Ok(())
        })?;
    }
    scan.settle_unseen(known);
    scan.removed.sort_by(|a, b| (a.root, &a.path).cmp(&(b.root, &b.path)));
    let done = scan.records.len() as u64;
    on_event(Event::Progress { stage: IngestStage::Scan, done, total: done });
    Ok(scan)
}

/// Lists the files of a folder, or the pages of a site.
fn list(engine: &Engine, root: &Root, on_entry: &mut dyn FnMut(Entry) -> Result<()>) -> Result<()> {
    let real = Path::new(&root.real);
    if !root.is_site() {
        return text::walk(real, &walk_options(engine, root), on_entry);
    }
    for path in sites::pages(real)? {
        let entry = match text::WalkedFile::named(&path, &sites::file(real, &path)) {
            Ok(found) => Entry::File(found),
            Err(e) => Entry::Failed { path, reason: e.to_string() },
        };
        on_entry(entry)?;
    }
    Ok(())
}

/// Version of the file readers. Raise it when files that failed may now be readable.
const READER_VERSION: u32 = 2;

/// The reader that a recorded failure depends on: program version and [`READER_VERSION`].
pub(super) fn reader() -> String {
    format!("{}/{READER_VERSION}", env!("CARGO_PKG_VERSION"))
}

/// Whether neither the file nor the reader has changed since the failure.
fn fails_again(failure: &Failure, found: &text::WalkedFile) -> bool {
    failure.size == found.size
        && failure.mtime_ns == found.mtime_ns
        && failure.version.may_be(version_of(found))
        && failure.reader == reader()
}

fn version_of(found: &text::WalkedFile) -> FileVersion {
    FileVersion { inode: found.inode, ctime_ns: found.ctime_ns }
}

/// The message for an indexed file that cannot be read now.
pub(super) fn kept_version(reason: &str) -> String {
    format!("{reason}; the index keeps its last version")
}

/// The table of the last generation by folders of the new one.
struct Known {
    /// Of each listed folder, the records by path; their own paths are empty meanwhile.
    listed: Vec<HashMap<String, Box<Record>>>,
    /// Of each other folder, the records in the order of the table.
    left: Vec<Vec<Record>>,
    /// Number of each new folder in the last generation.
    from: Vec<Option<usize>>,
    /// The folders of the last generation.
    roots: Vec<Root>,
    is_base: bool,
}

impl Scan {
    /// Sorts the table by folder. Documents of folders that leave the index are removed.
    fn sort(&mut self, roots: &[Root], previous: Previous<'_>) -> Known {
        let to: Vec<Option<usize>> = numbers(previous.roots, roots);
        let mut known = Known {
            listed: roots.iter().map(|_| HashMap::new()).collect(),
            left: roots.iter().map(|_| Vec::new()).collect(),
            from: numbers(roots, previous.roots),
            roots: previous.roots.to_vec(),
            is_base: previous.is_base,
        };
        for mut record in previous.records {
            match to.get(record.root).copied().flatten() {
                Some(root) => {
                    record.root = root;
                    if self.listed[root] {
                        let path = std::mem::take(&mut record.path);
                        known.listed[root].insert(path, Box::new(record));
                    } else {
                        known.left[root].push(record);
                    }
                }
                None => self.remove(record.root, record, previous.roots),
            }
        }
        known
    }

    /// Records that a file leaves the index; `root` is its folder among the last `roots`.
    fn remove(&mut self, root: usize, record: Record, roots: &[Root]) {
        if record.state == State::Indexed {
            let name = shown(roots, root, &record.path);
            self.removed.push(Gone { root, path: record.path, name });
        } else {
            self.table_changed = true;
        }
    }

    fn file(
        &mut self,
        root: usize,
        found: text::WalkedFile,
        before: Option<(String, Box<Record>)>,
    ) {
        let known = before.map(|(path, mut record)| {
            record.path = path;
            record
        });
        if let Some(record) = &known {
            let same = record.size == found.size
                && record.mtime_ns == found.mtime_ns
                && record.version.may_be(version_of(&found));
            // A file that failed is read again, unless the cause was in the file itself.
            let is_known = same && record.mtime_ns != 0 && record.state != State::Failed;
            let failure = record
                .failure
                .as_deref()
                .filter(|failure| !self.retry_failed && fails_again(failure, &found));
            if let Some(failure) = failure.filter(|_| record.state == State::Indexed) {
                self.failed.push((root, found.path.clone(), kept_version(&failure.reason)));
            }
            if is_known || failure.is_some() {
                let version = version_of(&found);
                self.records.extend(known.map(|record| {
                    // A table of an older version does not have it yet.
                    let is_unknown = is_known && record.version.is_unknown();
                    Record { version: if is_unknown { version } else { record.version }, ..*record }
                }));
                return;
            }
        }
        self.todo.push(Todo { record: self.records.len(), size: found.size, before: known });
        self.records.push(Record {
            version: version_of(&found),
            root,
            path: found.path,
            size: found.size,
            mtime_ns: found.mtime_ns,
            hash: String::new(),
            state: State::Failed,
            reason: None,
            advice: None,
            format: None,
            language: None,
            chunks: 0,
            terms: [0; 3],
            modified_s: found.mtime_ns.div_euclid(1_000_000_000),
            meta: BTreeMap::new(),
            failure: None,
        });
    }

    /// Handles files of the table that the walk did not find: they are removed, except below a
    /// folder that could not be read, where they are kept.
    fn settle_unseen(&mut self, known: Known) {
        let unreadable: Vec<(usize, String)> =
            self.failed.iter().map(|(root, path, _)| (*root, path.clone())).collect();
        let is_unknown = |record: &Record| {
            unreadable.iter().any(|(root, path)| {
                *root == record.root
                    && (path.is_empty() || Path::new(&record.path).starts_with(path))
            })
        };
        let all = known.listed.into_iter().flatten();
        let mut unseen: Vec<Record> =
            all.map(|(path, record)| Record { path, ..*record }).collect();
        unseen.sort_by(|a, b| (a.root, &a.path).cmp(&(b.root, &b.path)));
        for record in unseen {
            if known.is_base && is_unknown(&record) {
                self.records.push(record);
            } else {
                let root = known.from[record.root].unwrap_or(record.root);
                self.remove(root, record, &known.roots);
            }
        }
    }
}

/// For each of `roots`, its number in `others`.
pub fn numbers(roots: &[Root], others: &[Root]) -> Vec<Option<usize>> {
    roots.iter().map(|root| others.iter().position(|other| other.real == root.real)).collect()
}
