//! What changed since the last ingest, by size and modification time.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

use super::{Event, Stage};
use crate::engine::Engine;
use crate::error::{Fault, Result};
use crate::index::{Record, Root, State};
use crate::text::{self, Entry, WalkOptions};

/// How often the progress is told, in files: rarely enough to cost nothing.
const TELL_EVERY: u64 = 256;

/// The folder as it is now, against the table of the last generation.
pub struct Scan {
    /// Every file, in the order of the walk. Those in `todo` are filled in when they are read.
    pub records: Vec<Record>,
    pub todo: Vec<Todo>,
    /// Documents of the base that are gone: `(root, path)`.
    pub removed: Vec<(usize, String)>,
    /// Entries that are no files, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// Folders and files that could not even be looked at, or were kept as they were: `(root, path, reason)`.
    pub failed: Vec<(usize, String, String)>,
    /// Some file of the base that was not indexed is gone, so that the table differs though no document does.
    table_changed: bool,
    /// Where the roots really are.
    folders: Vec<PathBuf>,
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
            skipped: BTreeMap::new(),
            failed: Vec::new(),
            table_changed: false,
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

/// Walks the roots. `known` is the base's table, `kept_out` has the absolute paths that are passed over; `on_todo` is called once, when the first file to read is found.
pub fn scan(
    engine: &Engine,
    roots: &[Root],
    options: &WalkOptions,
    known: Vec<Record>,
    kept_out: &HashSet<String>,
    on_todo: &mut dyn FnMut(),
    on_event: &mut dyn FnMut(Event),
) -> Result<Scan> {
    let mut scan = Scan { records: Vec::with_capacity(known.len()), ..Scan::empty(roots) };
    let mut before: Vec<Known> = roots.iter().map(|_| Known::new()).collect();
    for mut record in known {
        if let Some(root) = before.get_mut(record.root) {
            root.insert(std::mem::take(&mut record.path), Box::new(record));
        }
    }
    on_event(Event::Progress { stage: Stage::Scan, done: 0, total: 0 });
    for (root, folder) in roots.iter().enumerate() {
        let real = std::path::Path::new(&folder.real);
        text::walk(real, &super::within(engine, options, real), &mut |entry| {
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
                    scan.file(root, found, &mut before[root]);
                    if was_idle && !scan.todo.is_empty() {
                        on_todo();
                    }
                    let done = scan.records.len() as u64;
                    if done.is_multiple_of(TELL_EVERY) {
                        on_event(Event::Progress { stage: Stage::Scan, done, total: 0 });
                    }
                }
                Entry::Skipped { reason, .. } => *scan.skipped.entry(reason.text().to_owned()).or_insert(0) += 1,
                Entry::Failed { path, reason } => scan.failed.push((root, path, reason)),
            }
            Ok(())
        })?;
    }
    scan.keep_or_remove(before);
    let done = scan.records.len() as u64;
    on_event(Event::Progress { stage: Stage::Scan, done, total: done });
    Ok(scan)
}

/// Files of one folder by their paths, which are taken out of the records meanwhile.
type Known = HashMap<String, Box<Record>>;

impl Scan {
    fn file(&mut self, root: usize, found: text::Found, before: &mut Known) {
        let known = before.remove_entry(&found.path).map(|(path, mut record)| {
            record.path = path;
            record
        });
        if let Some(record) = &known {
            let same = record.size == found.size && record.mtime_ns == found.mtime_ns;
            // A file that failed is tried again each time: whatever was in the way may be gone.
            if same && record.mtime_ns != 0 && record.state != State::Failed {
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
        });
    }

    /// What is in the table and was not met is gone, unless it lies below a folder that could not be read: what is
    /// unknown is kept as it was.
    fn keep_or_remove(&mut self, before: Vec<Known>) {
        let unreadable: Vec<(usize, String)> =
            self.failed.iter().map(|(root, path, _)| (*root, path.clone())).collect();
        let is_unknown = |record: &Record| {
            unreadable.iter().any(|(root, path)| {
                let below = record.path.strip_prefix(path.as_str()).is_some_and(|rest| rest.starts_with('/'));
                *root == record.root && (path.is_empty() || below || record.path == *path)
            })
        };
        let all = before.into_iter().flatten();
        let mut gone: Vec<Record> = all.map(|(path, record)| Record { path, ..*record }).collect();
        gone.sort_by(|a, b| (a.root, &a.path).cmp(&(b.root, &b.path)));
        for record in gone {
            match record.state {
                _ if is_unknown(&record) => self.records.push(record),
                State::Indexed => self.removed.push((record.root, record.path)),
                State::Skipped | State::Failed => self.table_changed = true,
            }
        }
    }
}
