//! Building the next generation beside the current one.
//!
//! What did not change is hard-linked, so the cost follows the change. The order is:
//! [`Builder::begin`], `remove` and `add` for each changed document, [`Builder::seal`] (the BM25
//! part and the table of files are then on disk), vectors for what is [`Pending`],
//! [`Builder::commit`]. When vectors take long and there was no index, [`Builder::publish_text`]
//! comes before them. A builder that is dropped before the commit leaves nothing.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::dense::{self, RowKey};
use super::documents::{self, Record};
use super::generation::{Meta, VectorFile};
use super::lexical;
use super::names::Store;
use super::pending::{Pending, Spool, Vectors};
use super::pointer::{Pointer, Publication};
use super::snapshot::Snapshot;
use super::summary::Summary;
use crate::disk::{self, FileSum};
use crate::error::{Context as _, Fault, Result};

/// A generation under construction.
pub struct Builder<'a> {
    store: &'a Store,
    dir: PathBuf,
    base: Option<&'a Snapshot>,
    lexical: Option<lexical::Writer>,
    spool: Spool,
    rows: Rows,
    /// Keys of the new rows.
    keys: Vec<RowKey>,
    /// Sums of files that were published with the text.
    summed: BTreeMap<String, FileSum>,
    segments: Segments,
    committed: bool,
}

/// Vector rows of the base and of this build.
#[derive(Default)]
struct Rows {
    by_key: HashMap<RowKey, u64>,
    /// Rows of the base.
    n_base: u64,
}

/// How many segments the BM25 part gets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Segments {
    AsWritten,
    One,
}

impl<'a> Builder<'a> {
    /// Begins on top of `base`, on which the caller has run [`Snapshot::check`]: damage must not be
    /// linked into the next generation and get a valid checksum there. The caller holds the store's
    /// lock.
    pub fn begin(store: &'a Store, base: Option<&'a Snapshot>) -> Result<Self> {
        let dir = store.new_building_dir("")?;
        let begun = Self::begin_in(store, base, &dir);
        if begun.is_err() {
            let _ = disk::remove_dir(&dir);
        }
        begun
    }

    fn begin_in(store: &'a Store, base: Option<&'a Snapshot>, dir: &Path) -> Result<Self> {
        let rows = link(dir, base)?;
        Ok(Self {
            store,
            base,
            lexical: Some(lexical::Writer::open(&dir.join("bm25"))?),
            spool: Spool::create(dir)?,
            rows,
            keys: Vec::new(),
            summed: BTreeMap::new(),
            segments: Segments::AsWritten,
            committed: false,
            dir: dir.to_owned(),
        })
    }

    /// Begins without a base, and writes one segment that depends only on what is added. The chunks
    /// must come in the order that `lexical::Writer::finish_single_segment` requires.
    pub fn begin_single_segment(store: &'a Store) -> Result<Self> {
        let mut builder = Self::begin(store, None)?;
        builder.segments = Segments::One;
        builder.lexical()?.merge_at_the_end();
        Ok(builder)
    }

    /// Removes a document that the base has.
    pub fn remove(&self, root: usize, path: &str) -> Result<()> {
        self.lexical()?.remove(root, path);
        Ok(())
    }

    /// Number of new vector rows so far: texts that need a vector.
    pub fn new_rows(&self) -> usize {
        self.keys.len()
    }

    /// Adds a chunk whose vector is that of `embedded`; sets `entry.row`. Returns its number of
    /// terms in each searched field.
    pub fn add(&mut self, mut entry: lexical::ChunkEntry<'_>, embedded: &str) -> Result<[u64; 3]> {
        let key = RowKey::of(embedded);
        entry.row = match self.rows.by_key.get(&key) {
            Some(row) => *row,
            None => {
                let row = self.rows.n_base + self.keys.len() as u64;
                self.spool.add(embedded)?;
                self.keys.push(key);
                self.rows.by_key.insert(key, row);
                row
            }
        };
        self.lexical()?.add(&entry)
    }

    fn lexical(&self) -> Result<&lexical::Writer> {
        self.lexical.as_ref().ok_or_else(|| Fault::failed("the BM25 part is sealed"))
    }

    /// As [`Builder::start_seal`], completed before this returns.
    pub fn seal(&mut self, records: &[Record]) -> Result<()> {
        self.start_seal(records)?()
    }

    /// Ends adding and removing documents. The returned function finishes the BM25 part and writes
    /// the table of files, in parallel; it must have returned before anything is published, and
    /// vectors may be computed meanwhile. `records` are those of the later [`Summary`].
    pub fn start_seal<'r>(
        &mut self,
        records: &'r [Record],
    ) -> Result<impl FnOnce() -> Result<()> + Send + use<'r>> {
        self.spool.flush()?;
        let finish = match self.segments {
            Segments::One => lexical::Writer::finish_single_segment,
            Segments::AsWritten => lexical::Writer::finish,
        };
        let (lexical, dir) = (self.lexical.take(), self.dir.clone());
        Ok(move || {
            std::thread::scope(|scope| {
                let writing = scope.spawn(|| documents::write(&dir.join(documents::FILE), records));
                let finished = lexical.map_or(Ok(()), finish);
                let written =
                    writing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                finished.and(written)
            })?;
            // Tantivy's lock files mean nothing in a committed generation.
            for name in [".tantivy-writer.lock", ".tantivy-meta.lock"] {
                let _ = std::fs::remove_file(dir.join("bm25").join(name));
            }
            Ok(())
        })
    }

    /// The texts that need a vector, in row order, each with its number.
    pub fn pending(&self) -> Result<Pending> {
        self.pending_except(Vec::new())
    }

    /// As [`Builder::pending`], without the texts whose vectors are `done`, by number.
    pub fn pending_except(&self, done: Vec<bool>) -> Result<Pending> {
        self.spool.read(self.keys.len(), done)
    }

    /// Opens the vector file for the new rows. Small vector files before it are merged into it, so
    /// that their number grows with the logarithm of the number of ingests. `None` when there is no
    /// new row.
    pub fn vectors(&self, dimension: usize) -> Result<Option<Vectors>> {
        if self.keys.is_empty() {
            return Ok(None);
        }
        let mut files = self.base_vectors();
        let mut merged: Vec<VectorFile> = Vec::new();
        let mut rows = self.keys.len();
        // A file is merged while it is at most twice as large as what follows it: each row is then
        // copied at most once per doubling.
        while let Some(last) = files.pop_if(|last| last.rows <= 2 * rows) {
            rows += last.rows;
            merged.insert(0, last);
        }
        let first_row: usize = files.iter().map(|file| file.rows).sum();
        let mut keys = Vec::with_capacity(rows);
        for file in &merged {
            let keys_path = self.dir.join(dense::keys_name(&file.file));
            keys.extend(dense::read_keys(&keys_path)?.unwrap_or_default());
            remove_file(&self.dir.join(&file.file))?;
            remove_file(&self.dir.join(dense::codes_name(&file.file)))?;
            remove_file(&keys_path)?;
        }
        let offset = keys.len();
        keys.extend(&self.keys);
        let file = format!("vectors-{first_row:010}.npy");
        let writer = dense::Writer::create(&self.dir.join(&file), &keys, dimension)?;
        if let Some(base) = self.base {
            for row in 0..offset {
                writer.put(row, &base.vector((first_row + row) as u64)?)?;
            }
        }
        files.push(VectorFile { file, rows });
        Ok(Some(Vectors { writer, offset, files }))
    }

    fn base_vectors(&self) -> Vec<VectorFile> {
        self.base.map(|base| base.meta().vectors.clone()).unwrap_or_default()
    }

    /// Publishes the generation before its vectors are computed, so that it can be searched by
    /// words meanwhile.
    pub fn publish_text(&mut self, summary: &Summary<'_>) -> Result<Pointer> {
        let dir = self.store.new_building_dir("-text")?;
        let published = self.publish_text_in(&dir, summary);
        if published.is_err() {
            let _ = disk::remove_dir(&dir);
        }
        published
    }

    fn publish_text_in(&mut self, dir: &Path, summary: &Summary<'_>) -> Result<Pointer> {
        disk::create_dir(&dir.join("bm25"))?;
        let is_text = |name: &&String| name.starts_with("bm25/") || *name == documents::FILE;
        for name in names_below(&self.dir)?.iter().filter(is_text) {
            disk::link_or_copy(&self.dir.join(name), &dir.join(name))?;
        }
        self.summed = sums(dir, &|_| None)?;
        let files = self.summed.clone();
        let meta = Meta { files, ..summary.meta(Vec::new(), self.keys.len() as u64) };
        self.store.publish(summary.name, dir, &meta, Publication::Text, summary.before)
    }

    /// Publishes the generation under `summary.name`.
    pub fn commit(
        mut self,
        vectors: Option<Vectors>,
        summary: &Summary<'_>,
    ) -> Result<(Pointer, Meta)> {
        self.spool.remove()?;
        let vectors = vectors.map_or_else(|| self.base_vectors(), |vectors| vectors.files);
        let (files, meta) = std::thread::scope(|scope| {
            let files = scope.spawn(|| sums(&self.dir, &|name| self.known_sum(name)));
            // The corpus id takes as long as the sums.
            let meta = summary.meta(vectors, 0);
            (files.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), meta)
        });
        let meta = Meta { files: files?, ..meta };
        let (name, before) = (summary.name, summary.before);
        let pointer = self.store.publish(name, &self.dir, &meta, Publication::Whole, before)?;
        self.committed = true;
        Ok((pointer, meta))
    }

    /// The sum of a file that is linked from the base, or that was published with the text.
    fn known_sum(&self, name: &str) -> Option<FileSum> {
        let linked = self.base.and_then(|base| {
            let sum = base.meta().files.get(name)?;
            is_same_file(&base.dir().join(name), &self.dir.join(name)).then_some(sum)
        });
        linked.or_else(|| self.summed.get(name)).cloned()
    }
}

impl Drop for Builder<'_> {
    fn drop(&mut self) {
        if !self.committed {
            self.lexical = None;
            let _ = disk::remove_dir(&self.dir);
        }
    }
}

/// Links the files of `base` into `dir`, and reads the keys of its vector rows.
fn link(dir: &Path, base: Option<&Snapshot>) -> Result<Rows> {
    disk::create_dir(&dir.join("bm25"))?;
    let mut rows = Rows::default();
    let Some(base) = base else { return Ok(rows) };
    for name in base.meta().files.keys().filter(|name| *name != documents::FILE) {
        disk::link_or_copy(&base.dir().join(name), &dir.join(name))?;
    }
    for vectors in &base.meta().vectors {
        let path = dir.join(dense::keys_name(&vectors.file));
        let keys = dense::read_keys(&path)?.filter(|keys| keys.len() == vectors.rows);
        let keys =
            keys.ok_or_else(|| Fault::damaged(format!("{} has the wrong size", path.display())))?;
        for key in keys {
            rows.by_key.insert(key, rows.n_base);
            rows.n_base += 1;
        }
    }
    Ok(rows)
}

/// Sums of all files below `dir`. Those that are `known` were checked before; new ones are read and
/// synced in parallel, since concurrent syncs share one write of the file system's journal.
fn sums(dir: &Path, known: &dyn Fn(&str) -> Option<FileSum>) -> Result<BTreeMap<String, FileSum>> {
    /// A generation has a dozen new files; more threads would have nothing to do.
    const SIDE_BY_SIDE: usize = 16;
    let mut files = BTreeMap::new();
    let mut new = Vec::new();
    for name in names_below(dir)? {
        match known(&name) {
            Some(sum) => drop(files.insert(name, sum)),
            None => new.push(name),
        }
    }
    for names in new.chunks(SIDE_BY_SIDE) {
        let sums: Vec<Result<FileSum>> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                names.iter().map(|name| scope.spawn(move || synced_sum(&dir.join(name)))).collect();
            let died = |_| Err(Fault::failed("a thread that sums files has died"));
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(died)).collect()
        });
        for (name, sum) in names.iter().zip(sums) {
            files.insert(name.clone(), sum?);
        }
    }
    Ok(files)
}

fn synced_sum(path: &Path) -> Result<FileSum> {
    disk::sync_file(path)?;
    disk::file_sum(path)
}

/// Files below `dir`, by relative name with `/`.
fn names_below(dir: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for (below, prefix) in [(dir.to_owned(), ""), (dir.join("bm25"), "bm25/")] {
        for entry in std::fs::read_dir(&below).or_cannot("read", &below)? {
            let entry = entry.or_cannot("read", &below)?;
            if entry.file_type().is_ok_and(|kind| kind.is_file()) {
                names.push(format!("{prefix}{}", entry.file_name().to_string_lossy()));
            }
        }
    }
    names.sort();
    Ok(names)
}

/// Whether these are two names of one file; never where there are no hard links.
fn is_same_file(a: &Path, b: &Path) -> bool {
    matches!((disk::file_id(a), disk::file_id(b)), (Some(a), Some(b)) if a == b)
}

fn remove_file(path: &Path) -> Result<()> {
    std::fs::remove_file(path).or_cannot("remove", path)
}
