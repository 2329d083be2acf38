//! Building the next generation beside the current one.
//!
//! What did not change is hard-linked, so the cost follows the change. The order is:
//! [`Builder::begin`], `remove` and `add` for each changed document, [`Builder::seal`] (the BM25
//! part and the table are then on disk), vectors for what is [`Pending`], [`Builder::commit`].
//! Where that takes long and there was no index, [`Builder::publish_text`] comes before the
//! vectors. A builder that is dropped before that leaves nothing.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::dense::{self, RowKey};
use super::documents::{self, Record, State};
use super::generation::{
    Chunking, Counts, FORMAT, META, Meta, ModelInfo, Root, VectorFile, corpus_id,
};
use super::lexical;
use super::names::{Pointer, Publication, Store};
use super::snapshot::Snapshot;
use crate::disk::{self, FileSum};
use crate::error::{Context as _, Fault, Result};

/// Texts that wait for their vector, in row order. Removed before the commit.
const SPOOL: &str = "pending";

/// A generation in the making.
pub struct Builder<'a> {
    store: &'a Store,
    dir: PathBuf,
    base: Option<&'a Snapshot>,
    lexical: Option<lexical::Writer>,
    spool: BufWriter<File>,
    /// Row of every text that has one, in the base or in this build.
    rows: HashMap<RowKey, u64>,
    base_rows: u64,
    /// Keys of the new rows.
    keys: Vec<RowKey>,
    /// Sums of files that were published with the text.
    summed: BTreeMap<String, FileSum>,
    /// One segment, made at the end.
    as_one: bool,
    committed: bool,
}

/// What a commit needs to know beyond what was added.
pub struct Summary<'a> {
    pub name: &'a str,
    pub model: ModelInfo,
    pub chunking: Chunking,
    pub roots: Vec<Root>,
    /// Every file of the walk, in its order.
    pub records: &'a [Record],
    /// As [`Meta::removed`].
    pub removed: Vec<String>,
    pub before: Before,
    /// Replaces the computed id.
    pub corpus_id: Option<&'a str>,
    /// Unix seconds.
    pub created: i64,
}

/// What becomes of the generation that a commit replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// It can be gone back to.
    Keep,
    /// It is removed as what cannot be gone back to; the one before it stays.
    Replace,
    /// It is removed at once: something in it must be gone.
    Forget,
}

impl<'a> Summary<'a> {
    /// A summary that leaves everything as it is in `meta` but for what is given.
    pub fn like(meta: &'a Meta, name: &'a str, records: &'a [Record], created: i64) -> Self {
        Self {
            name,
            model: meta.model.clone(),
            chunking: meta.chunking,
            roots: meta.roots.clone(),
            records,
            removed: meta.removed.clone(),
            before: Before::Keep,
            corpus_id: meta.content_id.is_some().then_some(meta.corpus_id.as_str()),
            created,
        }
    }
}

impl<'a> Builder<'a> {
    /// Begins on top of `base`, on which the caller has run [`Snapshot::check`]: damage must not be
    /// linked into the next generation and blessed there. The caller holds the store's lock.
    pub fn begin(store: &'a Store, base: Option<&'a Snapshot>) -> Result<Self> {
        let dir = store.new_building_dir()?;
        let begun = Self::link(&dir, base).and_then(|(rows, base_rows)| {
            Ok(Self {
                store,
                base,
                lexical: Some(lexical::Writer::open(&dir.join("bm25"))?),
                spool: BufWriter::new(disk::create_file(&dir.join(SPOOL))?),
                rows,
                base_rows,
                keys: Vec::new(),
                summed: BTreeMap::new(),
                as_one: false,
                committed: false,
                dir: dir.clone(),
            })
        });
        if begun.is_err() {
            let _ = disk::remove_dir(&dir);
        }
        begun
    }

    fn link(dir: &Path, base: Option<&Snapshot>) -> Result<(HashMap<RowKey, u64>, u64)> {
        disk::create_dir(&dir.join("bm25"))?;
        let Some(base) = base else { return Ok((HashMap::new(), 0)) };
        for name in base.meta().files.keys().filter(|name| *name != documents::FILE) {
            disk::link_or_copy(&base.dir().join(name), &dir.join(name))?;
        }
        let mut rows = HashMap::new();
        let mut row = 0;
        for vectors in &base.meta().vectors {
            let path = dir.join(dense::keys_name(&vectors.file));
            let keys = dense::read_keys(&path)?.filter(|keys| keys.len() == vectors.rows);
            let keys = keys
                .ok_or_else(|| Fault::damaged(format!("{} has the wrong size", path.display())))?;
            for key in keys {
                rows.insert(key, row);
                row += 1;
            }
        }
        Ok((rows, row))
    }

    /// Begins with nothing, and writes what depends on nothing but what is added. The chunks come
    /// in the order that `lexical::Writer::finish_as_one` asks for.
    pub fn begin_as_one(store: &'a Store) -> Result<Self> {
        let mut builder = Self::begin(store, None)?;
        builder.as_one = true;
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

    /// Adds a chunk whose vector is that of `embedded`; `entry.row` is set here. Yields its number
    /// of terms in each searched field.
    pub fn add(&mut self, mut entry: lexical::ChunkEntry<'_>, embedded: &str) -> Result<[u64; 3]> {
        let key = RowKey::of(embedded);
        entry.row = match self.rows.get(&key) {
            Some(row) => *row,
            None => {
                let row = self.base_rows + self.keys.len() as u64;
                let length = u32::try_from(embedded.len())
                    .or_failed(|| "a chunk is larger than 4 GiB".into())?;
                self.spool
                    .write_all(&length.to_le_bytes())
                    .and_then(|()| self.spool.write_all(embedded.as_bytes()))
                    .or_failed(|| format!("cannot write {}", self.dir.join(SPOOL).display()))?;
                self.keys.push(key);
                self.rows.insert(key, row);
                row
            }
        };
        self.lexical()?.add(&entry)
    }

    fn lexical(&self) -> Result<&lexical::Writer> {
        self.lexical.as_ref().ok_or_else(|| Fault::failed("the BM25 part is sealed"))
    }

    /// As [`Builder::sealing`], done here and now.
    pub fn seal(&mut self, records: &[Record]) -> Result<()> {
        self.sealing(records)?()
    }

    /// No document can be added or removed any more. What it yields finishes the BM25 part and
    /// writes the table of files, side by side; that must be over before anything is published, and
    /// the vectors may be made meanwhile. `records` are those of the summary to come.
    pub fn sealing<'r>(
        &mut self,
        records: &'r [Record],
    ) -> Result<impl FnOnce() -> Result<()> + Send + use<'r>> {
        self.spool
            .flush()
            .or_failed(|| format!("cannot write {}", self.dir.join(SPOOL).display()))?;
        let finish =
            if self.as_one { lexical::Writer::finish_as_one } else { lexical::Writer::finish };
        let (lexical, dir) = (self.lexical.take(), self.dir.clone());
        Ok(move || {
            std::thread::scope(|scope| {
                let writing = scope.spawn(|| documents::write(&dir.join(documents::FILE), records));
                let finished = lexical.map_or(Ok(()), finish);
                let written =
                    writing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                finished.and(written)
            })?;
            // The lock files of Tantivy mean nothing in a committed generation.
            for name in [".tantivy-writer.lock", ".tantivy-meta.lock"] {
                let _ = std::fs::remove_file(dir.join("bm25").join(name));
            }
            Ok(())
        })
    }

    /// The texts that need a vector, in row order, each with its number.
    pub fn pending(&self) -> Result<Pending> {
        self.pending_but(Vec::new())
    }

    /// As [`Builder::pending`], without those whose vectors have been put already.
    pub fn pending_but(&self, put: Vec<bool>) -> Result<Pending> {
        let path = self.dir.join(SPOOL);
        let file = File::open(&path).or_failed(|| format!("cannot read {}", path.display()))?;
        Ok(Pending { file: BufReader::new(file), next: 0, all: self.keys.len(), put })
    }

    /// Opens the vector file for the new rows. Small vector files before it are joined into it, so
    /// that their number grows with the logarithm of the number of ingests. `None` when there is no
    /// new row.
    pub fn vectors(&self, dimension: usize) -> Result<Option<Vectors>> {
        if self.keys.is_empty() {
            return Ok(None);
        }
        let mut kept = self.base.map(|base| base.meta().vectors.clone()).unwrap_or_default();
        let mut joined: Vec<VectorFile> = Vec::new();
        let mut rows = self.keys.len();
        // A file is joined while it is at most twice as large as what follows it: each row is then
        // copied at most once a doubling.
        while let Some(last) = kept.pop_if(|last| last.rows <= 2 * rows) {
            rows += last.rows;
            joined.insert(0, last);
        }
        let first_row: usize = kept.iter().map(|vectors| vectors.rows).sum();
        let mut keys = Vec::with_capacity(rows);
        for vectors in &joined {
            let path = self.dir.join(dense::keys_name(&vectors.file));
            keys.extend(dense::read_keys(&path)?.unwrap_or_default());
        }
        let offset = keys.len();
        keys.extend(&self.keys);
        for vectors in &joined {
            for name in [vectors.file.clone(), dense::keys_name(&vectors.file)] {
                let path = self.dir.join(name);
                std::fs::remove_file(&path)
                    .or_failed(|| format!("cannot remove {}", path.display()))?;
            }
        }
        let file = format!("vectors-{first_row:010}.npy");
        let writer = dense::Writer::create(&self.dir.join(&file), &keys, dimension)?;
        if let Some(base) = self.base {
            for row in 0..offset {
                writer.put(row, &base.vector((first_row + row) as u64)?)?;
            }
        }
        kept.push(VectorFile { file, rows });
        Ok(Some(Vectors { writer, offset, files: kept }))
    }

    /// Publishes what there is before the vectors are made, so that it can be searched by words
    /// meanwhile.
    pub fn publish_text(&mut self, summary: &Summary<'_>) -> Result<Pointer> {
        let dir = self.store.new_text_dir()?;
        let published = (|| {
            disk::create_dir(&dir.join("bm25"))?;
            let is_text = |name: &&String| name.starts_with("bm25/") || *name == documents::FILE;
            for name in names_below(&self.dir)?.iter().filter(is_text) {
                disk::link_or_copy(&self.dir.join(name), &dir.join(name))?;
            }
            self.summed = sums(&dir, &|_| None)?;
            let meta = meta(summary, Vec::new(), self.keys.len() as u64, self.summed.clone());
            self.publish(summary, &dir, &meta, Publication::Text)
        })();
        if published.is_err() {
            let _ = disk::remove_dir(&dir);
        }
        published
    }

    /// Publishes the generation under `summary.name`.
    pub fn commit(
        mut self,
        vectors: Option<Vectors>,
        summary: &Summary<'_>,
    ) -> Result<(Pointer, Meta)> {
        let what = |path: &Path| format!("cannot remove {}", path.display());
        let spool = self.dir.join(SPOOL);
        std::fs::remove_file(&spool).or_failed(|| what(&spool))?;
        let vectors = match vectors {
            Some(vectors) => vectors.files,
            None => self.base.map(|base| base.meta().vectors.clone()).unwrap_or_default(),
        };
        let known = |name: &str| {
            let linked = self.base.and_then(|base| {
                let entry = base.meta().files.get(name)?;
                same_file(&base.dir().join(name), &self.dir.join(name)).then(|| entry.clone())
            });
            linked.or_else(|| self.summed.get(name).cloned())
        };
        let (files, mut meta) = std::thread::scope(|scope| {
            let files = scope.spawn(|| sums(&self.dir, &known));
            // The corpus id takes as long as the sums.
            let meta = meta(summary, vectors, 0, BTreeMap::new());
            (files.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), meta)
        });
        meta.files = files?;
        let pointer = self.publish(summary, &self.dir, &meta, Publication::Whole)?;
        self.committed = true;
        Ok((pointer, meta))
    }

    fn publish(
        &self,
        summary: &Summary<'_>,
        dir: &Path,
        meta: &Meta,
        what: Publication,
    ) -> Result<Pointer> {
        let bytes = meta.to_bytes()?;
        disk::replace(&dir.join(META), &bytes)?;
        disk::sync_dir(&dir.join("bm25"))?;
        self.store.publish(
            summary.name,
            dir,
            &meta.corpus_id,
            &disk::sha256_hex(&bytes),
            what,
            summary.before,
        )
    }
}

fn meta(
    summary: &Summary<'_>,
    vectors: Vec<VectorFile>,
    pending: u64,
    files: BTreeMap<String, FileSum>,
) -> Meta {
    let content_id = computed_id(summary);
    Meta {
        format: FORMAT,
        corpus_id: summary.corpus_id.map_or_else(|| content_id.clone(), str::to_owned),
        content_id: summary.corpus_id.map(|_| content_id),
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        created: summary.created,
        model: summary.model.clone(),
        chunking: summary.chunking,
        roots: summary.roots.clone(),
        removed: summary.removed.clone(),
        counts: counts(summary.records, vectors.iter().map(|v| v.rows as u64).sum()),
        pending,
        languages: languages(summary.records),
        vectors,
        files,
    }
}

/// Sums of all files below `dir`: those that are `known` were checked before, new ones are read and
/// synced, side by side, since syncs that run together share one write of the file system's
/// journal.
fn sums(dir: &Path, known: &dyn Fn(&str) -> Option<FileSum>) -> Result<BTreeMap<String, FileSum>> {
    let mut files = BTreeMap::new();
    let mut new = Vec::new();
    for name in names_below(dir)? {
        match known(&name) {
            Some(entry) => drop(files.insert(name, entry)),
            None => new.push(name),
        }
    }
    /// A generation has a dozen new files; more threads than that would find nothing to do.
    const SIDE_BY_SIDE: usize = 16;
    let sum = |name: &String| -> Result<FileSum> {
        let path = dir.join(name);
        disk::sync_file(&path)?;
        disk::file_sum(&path)
    };
    for names in new.chunks(SIDE_BY_SIDE) {
        let sums: Vec<Result<FileSum>> = std::thread::scope(|scope| {
            let threads: Vec<_> = names.iter().map(|name| scope.spawn(|| sum(name))).collect();
            let died = |_| Err(Fault::failed("a summing thread has died"));
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(died)).collect()
        });
        for (name, sum) in names.iter().zip(sums) {
            files.insert(name.clone(), sum?);
        }
    }
    Ok(files)
}

impl Drop for Builder<'_> {
    fn drop(&mut self) {
        if !self.committed {
            self.lexical = None;
            let _ = disk::remove_dir(&self.dir);
        }
    }
}

/// The open vector file of a build; rows may be put from several threads, in any order.
pub struct Vectors {
    writer: dense::Writer,
    /// Rows joined from older files stand before the new ones.
    offset: usize,
    files: Vec<VectorFile>,
}

impl Vectors {
    /// Writes the vector of the `n`-th pending text.
    pub fn put(&self, n: usize, values: &[f32]) -> Result<()> {
        self.writer.put(self.offset + n, values)
    }
}

/// The texts that wait for a vector.
pub struct Pending {
    file: BufReader<File>,
    next: usize,
    all: usize,
    /// Numbers of texts that wait no longer.
    put: Vec<bool>,
}

impl Pending {
    fn is_put(&self, n: usize) -> bool {
        self.put.get(n).copied().unwrap_or(false)
    }

    fn read(&mut self) -> Result<String> {
        let what = || "cannot read the pending texts".to_owned();
        let mut length = [0; 4];
        self.file.read_exact(&mut length).or_failed(what)?;
        let mut text = vec![0; u32::from_le_bytes(length) as usize];
        self.file.read_exact(&mut text).or_failed(what)?;
        String::from_utf8(text).or_failed(what)
    }
}

impl Iterator for Pending {
    type Item = Result<(usize, String)>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.next < self.all {
            let n = self.next;
            self.next += 1;
            match self.read() {
                Ok(_) if self.is_put(n) => {}
                Ok(text) => return Some(Ok((n, text))),
                Err(fault) => return Some(Err(fault)),
            }
        }
        None
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.next..self.all).filter(|n| !self.is_put(*n)).count();
        (left, Some(left))
    }
}

impl ExactSizeIterator for Pending {}

fn computed_id(summary: &Summary<'_>) -> String {
    let indexed = summary.records.iter().filter(|record| record.state == State::Indexed);
    let mut documents: Vec<(usize, &str, &str)> =
        indexed.map(|record| (record.root, record.path.as_str(), record.hash.as_str())).collect();
    corpus_id(&summary.model.fingerprint, summary.chunking, &mut documents)
}

fn counts(records: &[Record], rows: u64) -> Counts {
    let mut counts = Counts { rows, ..Counts::default() };
    for record in records {
        match record.state {
            State::Indexed => counts.documents += 1,
            State::Skipped => counts.skipped += 1,
            State::Failed => counts.failed += 1,
        }
        counts.chunks += record.chunks;
        counts.terms.iter_mut().zip(record.terms).for_each(|(sum, n)| *sum += n);
    }
    counts
}

fn languages(records: &[Record]) -> BTreeMap<String, u64> {
    let mut languages = BTreeMap::new();
    for record in records {
        if let Some(language) = &record.language {
            *languages.entry(language.clone().into_owned()).or_insert(0) += record.chunks;
        }
    }
    languages
}

/// Files below `dir`, by relative name with `/`.
fn names_below(dir: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for (below, prefix) in [(dir.to_owned(), ""), (dir.join("bm25"), "bm25/")] {
        for entry in
            std::fs::read_dir(&below).or_failed(|| format!("cannot read {}", below.display()))?
        {
            let entry = entry.or_failed(|| format!("cannot read {}", below.display()))?;
            if entry.file_type().is_ok_and(|kind| kind.is_file()) {
                names.push(format!("{prefix}{}", entry.file_name().to_string_lossy()));
            }
        }
    }
    names.sort();
    Ok(names)
}

/// Two names of one file, or, where there are no hard links, never.
fn same_file(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (std::fs::metadata(a), std::fs::metadata(b)) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}
