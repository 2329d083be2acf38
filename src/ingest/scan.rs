//! What changed since the last ingest, by size and modification time.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

use super::roots::Folder;
use super::{Event, IngestStage, shown, walk_options};
use crate::engine::Engine;
use crate::error::{Fault, Result};
use crate::index::{Failure, Record, Root, State};
use crate::text::{self, Entry};

/// How often the progress is told, in files: rarely enough to cost nothing.
const TELL_EVERY: u64 = 256;

/// The folders as they are now, against the table of the last generation.
pub struct Scan {
    /// Every file, in the order of the walk. Those in `todo` are filled in when they are read.
    pub records: Vec<Record>,
    pub todo: Vec<Todo>,
    /// Documents of the last generation that are gone.
    pub removed: Vec<Gone>,
    /// Whether each folder was listed; what the table has of any other was taken over.
    pub listed: Vec<bool>,
    /// Entries that are no files, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// Folders and files that could not even be looked at, or were kept as they were: `(root, path,
    /// reason)`.
    pub failed: Vec<(usize, String, String)>,
    /// Some file of the base that was not indexed is gone, so that the table differs though no
    /// document does.
    table_changed: bool,
    /// Files are read again that failed, though neither they nor their reader have changed.
    retries: bool,
    /// Where the roots really are.
    folders: Vec<PathBuf>,
}

/// A document that leaves the index.
pub struct Gone {
    /// Number of its folder in the last generation.
    pub root: usize,
    pub path: String,
    /// As people name it.
    pub name: String,
}

/// The last generation, as far as it is known.
#[derive(Default)]
pub struct Before<'a> {
    pub roots: &'a [Root],
    /// Its table.
    pub records: Vec<Record>,
    /// Whether the build takes over what did not change.
    pub is_base: bool,
    /// Files are read again that failed, though neither they nor their reader have changed.
    pub retries: bool,
}

/// A file to read. There may be a million of them, so it says no more than it must.
pub struct Todo {
    /// Its place in `records`.
    pub record: usize,
    pub size: u64,
    /// The file in the last generation.
    pub before: Option<Box<Record>>,
}

impl Scan {
    pub fn empty(roots: &[Root]) -> Self {
        Self {
            folders: roots.iter().map(|root| PathBuf::from(&root.real)).collect(),
            records: Vec::new(),
            todo: Vec::new(),
            removed: Vec::new(),
            listed: vec![true; roots.len()],
            skipped: BTreeMap::new(),
            failed: Vec::new(),
            table_changed: false,
            retries: false,
        }
    }

    /// Where the file of a record is.
    pub fn absolute(&self, record: &Record) -> PathBuf {
        text::file_below(&self.folders[record.root], &record.path)
    }

    /// True when the base already is what a build would give.
    pub fn is_unchanged(&self) -> bool {
        self.todo.is_empty() && self.removed.is_empty() && !self.table_changed
    }
}

/// Why a file is passed over that the user removed from the index.
const KEPT_OUT: &str = "removed by `rag documents remove`";

/// Lists the folders that are named, or all where there is no base. `kept_out` has the absolute
/// paths that are passed over; `on_todo` is called once, when the first file to read is found.
pub fn scan(
    engine: &Engine,
    folders: &[Folder],
    before: Before<'_>,
    kept_out: &HashSet<String>,
    on_todo: &mut dyn FnMut(),
    on_event: &mut dyn FnMut(Event),
) -> Result<Scan> {
    let roots: Vec<Root> = folders.iter().map(|folder| folder.root.clone()).collect();
    let mut scan =
        Scan { records: Vec::with_capacity(before.records.len()), ..Scan::empty(&roots) };
    scan.retries = before.retries;
    scan.listed = folders.iter().map(|folder| folder.is_named || !before.is_base).collect();
    let mut known = scan.sorted(&roots, before);
    on_event(Event::Progress { stage: IngestStage::Scan, done: 0, total: 0 });
    for (root, folder) in roots.iter().enumerate() {
        if !scan.listed[root] {
            scan.records.append(&mut known.left[root]);
            continue;
        }
        let real = std::path::Path::new(&folder.real);
        text::walk(real, &walk_options(engine, folder), &mut |entry| {
            if engine.interrupted() {
                return Err(Fault::interrupted());
            }
            match entry {
                Entry::Folder(path) => on_event(Event::Entering(path)),
                Entry::File(found) if kept_out.contains(&folder.absolute(&found.path)) => {
                    *scan.skipped.entry(KEPT_OUT.to_owned()).or_insert(0) += 1;
                }
                Entry::File(found) => {
                    let was_idle = scan.todo.is_empty();
                    let before = known.listed[root].remove_entry(&found.path);
                    scan.file(root, found, before.filter(|_| known.is_base));
                    if was_idle && !scan.todo.is_empty() {
                        on_todo();
                    }
                    let done = scan.records.len() as u64;
                    if done.is_multiple_of(TELL_EVERY) {
                        on_event(Event::Progress { stage: IngestStage::Scan, done, total: 0 });
                    }
                }
                Entry::Skipped { reason, .. } => {
                    *scan.skipped.entry(reason.text().to_owned()).or_insert(0) += 1
                }
                Entry::Failed { path, reason } => scan.failed.push((root, path, reason)),
            }
            Ok(())
        })?;
    }
    scan.keep_or_remove(known);
    scan.removed.sort_by(|a, b| (a.root, &a.path).cmp(&(b.root, &b.path)));
    let done = scan.records.len() as u64;
    on_event(Event::Progress { stage: IngestStage::Scan, done, total: done });
    Ok(scan)
}

/// Version of what reads files, beside that of the program: raise it when a file that failed may be
/// read now.
const READER_VERSION: u32 = 2;

/// What a failure is remembered under.
pub(super) fn reader() -> String {
    format!("{}/{READER_VERSION}", env!("CARGO_PKG_VERSION"))
}

/// Whether a file is the one that failed, and would be read by what failed.
fn fails_again(failure: &Failure, found: &text::WalkedFile) -> bool {
    failure.size == found.size && failure.mtime_ns == found.mtime_ns && failure.reader == reader()
}

/// What is reported of a file that fails now and did not before.
pub(super) fn kept_version(reason: &str) -> String {
    format!("{reason}; the index keeps its last version")
}

/// The last generation's table by the folders of the new one.
struct Known {
    /// Of each folder that is listed, the files by their paths, which are taken out of the records
    /// meanwhile.
    listed: Vec<HashMap<String, Box<Record>>>,
    /// Of each other folder, in the order of the table.
    left: Vec<Vec<Record>>,
    /// Number of each new folder in the last generation.
    from: Vec<Option<usize>>,
    names: Vec<Root>,
    is_base: bool,
}

impl Scan {
    /// Sorts the table into the folders; documents of folders that the new generation has not are
    /// gone.
    fn sorted(&mut self, roots: &[Root], before: Before<'_>) -> Known {
        let to: Vec<Option<usize>> = numbers(before.roots, roots);
        let mut known = Known {
            listed: roots.iter().map(|_| HashMap::new()).collect(),
            left: roots.iter().map(|_| Vec::new()).collect(),
            from: numbers(roots, before.roots),
            names: before.roots.to_vec(),
            is_base: before.is_base,
        };
        for mut record in before.records {
            match to.get(record.root).copied().flatten() {
                Some(root) if self.listed[root] => {
                    record.root = root;
                    known.listed[root].insert(std::mem::take(&mut record.path), Box::new(record));
                }
                Some(root) => {
                    record.root = root;
                    known.left[root].push(record);
                }
                None if record.state == State::Indexed => {
                    let name = shown(before.roots, record.root, &record.path);
                    self.removed.push(Gone { root: record.root, path: record.path, name });
                }
                None => self.table_changed = true,
            }
        }
        known
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
            let same = record.size == found.size && record.mtime_ns == found.mtime_ns;
            // A file that failed is tried again: whatever was in the way may be gone, unless it was
            // in the file itself.
            let is_known = same && record.mtime_ns != 0 && record.state != State::Failed;
            let failure = record
                .failure
                .as_deref()
                .filter(|failure| !self.retries && fails_again(failure, &found));
            if let Some(failure) = failure.filter(|_| record.state == State::Indexed) {
                self.failed.push((root, found.path.clone(), kept_version(&failure.reason)));
            }
            if is_known || failure.is_some() {
                self.records.extend(known.map(|record| *record));
                return;
            }
        }
        self.todo.push(Todo { record: self.records.len(), size: found.size, before: known });
        self.records.push(Record {
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

    /// What is in the table and was not met is gone, unless it lies below a folder that could not
    /// be read: what is unknown is kept as it was.
    fn keep_or_remove(&mut self, known: Known) {
        let unreadable: Vec<(usize, String)> =
            self.failed.iter().map(|(root, path, _)| (*root, path.clone())).collect();
        let is_unknown = |record: &Record| {
            unreadable.iter().any(|(root, path)| {
                let below = record
                    .path
                    .strip_prefix(path.as_str())
                    .is_some_and(|rest| rest.starts_with('/'));
                *root == record.root && (path.is_empty() || below || record.path == *path)
            })
        };
        let all = known.listed.into_iter().flatten();
        let mut gone: Vec<Record> = all.map(|(path, record)| Record { path, ..*record }).collect();
        gone.sort_by(|a, b| (a.root, &a.path).cmp(&(b.root, &b.path)));
        for record in gone {
            match record.state {
                _ if known.is_base && is_unknown(&record) => self.records.push(record),
                State::Indexed => {
                    let root = known.from[record.root].unwrap_or(record.root);
                    let name = shown(&known.names, root, &record.path);
                    self.removed.push(Gone { root, path: record.path, name });
                }
                State::Skipped | State::Failed => self.table_changed = true,
            }
        }
    }
}

/// For each of `roots` its number in `others`.
pub fn numbers(roots: &[Root], others: &[Root]) -> Vec<Option<usize>> {
    roots.iter().map(|root| others.iter().position(|other| other.real == root.real)).collect()
}
