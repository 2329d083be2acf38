//! Reading one whole generation.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::dense;
use super::documents::{self, Record, State};
use super::generation::{Meta, damaged};
use super::guard::guarded;
use super::lexical::{self, LexicalScores, Stored, VerifiedDirectory};
use super::listed::Listed;
use super::pointer::Target;
use crate::analysis::Query;
use crate::disk::{Damage, FileSum, Mapped};
use crate::error::{Context as _, Fault, Result};
use crate::filter::Filter;
use crate::vector::Spread;

/// The folder of the BM25 part, in the names of its files.
const BM25: &str = "bm25/";

/// One open generation. Opening checks `meta.json` and the size of every file; blocks are checked
/// at their first read.
///
/// The files that a search reads are mapped on opening, because a writer may remove the folder
/// meanwhile.
pub struct Snapshot {
    dir: PathBuf,
    target: Target,
    meta: Meta,
    damage: Damage,
    lexical: lexical::LexicalReader,
    /// Vector files in row order, each with its number of rows.
    vectors: Vec<(Arc<Mapped>, usize)>,
    dense: OnceLock<dense::VectorReader>,
}

/// What the dense retriever finds for a query.
#[derive(Clone, Debug, PartialEq)]
pub struct Nearest {
    /// The best passages with their exact cosines.
    pub listed: Listed,
    /// Of the cosines of all passages that are allowed.
    pub spread: Spread,
}

/// The part of a generation that a filter matches.
pub struct Allowed {
    /// Number of documents.
    pub documents: u64,
    /// Whether a chunk belongs to one of them, by ordinal.
    pub chunks: Vec<bool>,
}

impl Snapshot {
    pub(super) fn open(dir: &Path, target: &Target) -> Result<Self> {
        let meta = Meta::read(dir, &target.meta_sha256)?;
        for (name, entry) in meta.files.iter().filter(|(name, _)| !name.starts_with(BM25)) {
            check_size(dir, name, entry)?;
        }
        let damage = Damage::default();
        let mut vectors = Vec::new();
        for file in &meta.vectors {
            let entry = listed(dir, &meta, &file.file)?;
            vectors.push((Arc::new(map(dir, &file.file, entry, &damage)?), file.rows));
        }
        Self::with_vectors(dir, target, meta, damage, vectors)
    }

    /// Opens what is left of the BM25 part of a damaged generation, and nothing else.
    pub(super) fn open_words(dir: &Path, target: &Target) -> Result<Self> {
        let meta = Meta::read(dir, &target.meta_sha256)?;
        Self::with_vectors(dir, target, meta, Damage::default(), Vec::new())
    }

    fn with_vectors(
        dir: &Path,
        target: &Target,
        meta: Meta,
        damage: Damage,
        vectors: Vec<(Arc<Mapped>, usize)>,
    ) -> Result<Self> {
        let mut files = HashMap::new();
        for (name, entry) in &meta.files {
            if let Some(below) = name.strip_prefix(BM25) {
                files.insert(PathBuf::from(below), Arc::new(map(dir, name, entry, &damage)?));
            }
        }
        let directory = VerifiedDirectory::new(files);
        let lexical =
            tantivy(dir, &damage, || lexical::LexicalReader::open(directory, meta.counts.terms))?;
        let (dir, target) = (dir.to_owned(), target.clone());
        Ok(Self { dir, target, meta, damage, lexical, vectors, dense: OnceLock::new() })
    }

    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// Name of the generation's folder.
    pub fn generation(&self) -> &str {
        &self.target.generation
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// One more than the largest ordinal of a chunk.
    pub fn ordinals(&self) -> usize {
        self.lexical.ordinals()
    }

    /// The BM25 scores of the passages that are `allowed` by ordinal; `None` allows all.
    pub fn lexical_scores(&self, query: &Query, allowed: Option<&[bool]>) -> Result<LexicalScores> {
        self.tantivy(|| self.lexical.scores(query, allowed))
    }

    /// Whether a passage has one of the forms of a term.
    pub fn has_term(&self, variants: &[String]) -> Result<bool> {
        self.tantivy(|| self.lexical.occurs(variants))
    }

    /// The term of the index most like `word`, with at most `most` differences.
    pub fn similar_term(&self, word: &str, most: usize) -> Result<Option<String>> {
        self.tantivy(|| self.lexical.similar(word, most))
    }

    /// Inverse document frequency of an analyzed term.
    pub fn term_weight(&self, term: &str) -> Result<f64> {
        self.tantivy(|| self.lexical.term_weight(term))
    }

    /// The `wanted` passages nearest to each of `queries`, among those that are `allowed` by
    /// ordinal; `None` allows all. At most `threads` threads read the vectors, once for all
    /// queries.
    pub fn nearest(
        &self,
        queries: &[&[f32]],
        wanted: usize,
        allowed: Option<&[bool]>,
        threads: usize,
    ) -> Result<Vec<Nearest>> {
        let cosines = self.all_cosines(queries, threads)?;
        let nearest = |cosines: Vec<f32>| {
            let is_allowed = |ordinal: u32| {
                let allowed = allowed.map(|allowed| allowed.get(ordinal as usize).copied());
                allowed.is_none_or(Option::unwrap_or_default)
            };
            let cosines = (0..).zip(cosines);
            let found = cosines.filter(|(n, cosine)| !cosine.is_nan() && is_allowed(*n));
            let found: Vec<(u32, f32)> = found.collect();
            Nearest {
                spread: Spread::of(found.iter().map(|(_, cosine)| *cosine)),
                listed: Listed::best_of(found.into_iter(), wanted),
            }
        };
        Ok(cosines.into_iter().map(nearest).collect())
    }

    /// Cosine of `query` with each of the passages `ordinals`.
    pub fn cosines(&self, query: &[f32], ordinals: &[u32]) -> Result<Vec<f32>> {
        let cosines = self.all_cosines(&[query], 1)?.pop().unwrap_or_default();
        let of = |ordinal: &u32| cosines.get(*ordinal as usize).copied().unwrap_or(f32::NAN);
        Ok(ordinals.iter().map(of).collect())
    }

    /// Cosine with each of `queries` by ordinal; NaN for deleted chunks. At most `threads` threads
    /// read the vectors, once for all queries.
    fn all_cosines(&self, queries: &[&[f32]], threads: usize) -> Result<Vec<Vec<f32>>> {
        let dense = self.dense()?;
        if queries.iter().any(|query| query.len() != dense.dimension()) {
            return Err(Fault::failed(
                "the model and the index have vectors of different dimensions",
            ));
        }
        let cosines = dense.cosines(queries, threads).map_err(|e| self.name_damage(e))?;
        let mut scores = vec![vec![f32::NAN; self.ordinals()]; queries.len()];
        let (rows, mut outside) = (dense.rows() as u64, None);
        let mut visit = |ordinal, row| {
            if row >= rows {
                outside = Some(row);
                return;
            }
            for (scores, cosines) in scores.iter_mut().zip(&cosines) {
                scores[ordinal as usize] = cosines[row as usize];
            }
        };
        self.tantivy(|| self.lexical.rows(&mut visit))?;
        match outside {
            Some(row) => Err(damaged(
                &self.dir,
                &format!("a chunk points to vector row {row}, which does not exist"),
            )),
            None => Ok(scores),
        }
    }

    /// The documents and chunks that `filter` matches; it is evaluated once per document.
    pub fn allowed(&self, filter: &Filter) -> Result<Allowed> {
        let records = self.documents()?;
        let indexed = records.iter().filter(|record| record.state == State::Indexed);
        let matching = indexed.filter(|record| filter.matches(&record.facts(&self.meta.roots)));
        let documents: HashSet<(usize, &str)> =
            matching.map(|record| (record.root, record.path.as_str())).collect();
        let chunks = self.tantivy(|| {
            self.lexical.of_documents(&mut |root, path| documents.contains(&(root, path)))
        })?;
        Ok(Allowed { documents: documents.len() as u64, chunks })
    }

    /// The chunks of a document, in the order of the file.
    pub fn chunks_of(&self, root: usize, path: &str) -> Result<Vec<Stored>> {
        Ok(self.rows_of(root, path)?.into_iter().map(|(stored, _)| stored).collect())
    }

    /// As [`Snapshot::chunks_of`], each with its vector row. The order depends only on the chunks.
    pub fn rows_of(&self, root: usize, path: &str) -> Result<Vec<(Stored, u64)>> {
        let mut chunks = self.tantivy(|| self.lexical.document(root, path))?;
        let place = |stored: &Stored| (stored.chunk.bytes.start, stored.chunk.bytes.end);
        chunks.sort_by(|(a, _), (b, _)| (place(a), &a.chunk.text).cmp(&(place(b), &b.chunk.text)));
        Ok(chunks)
    }

    /// Whether the files contain only what live chunks need.
    pub fn is_compact(&self) -> Result<bool> {
        let mut rows = HashSet::new();
        self.tantivy(|| {
            self.lexical.rows(&mut |_, row| {
                rows.insert(row);
            })
        })?;
        Ok(self.ordinals() == self.live_chunks() && rows.len() as u64 == self.meta.counts.rows)
    }

    /// The chunk at an ordinal.
    pub fn fetch(&self, ordinal: u32) -> Result<Stored> {
        self.tantivy(|| self.lexical.fetch(ordinal))
    }

    /// Calls `visit` with every live chunk and its vector row.
    pub fn for_each(&self, visit: &mut dyn FnMut(Stored, u64)) -> Result<()> {
        self.tantivy(|| self.lexical.for_each(visit))
    }

    /// The vector in a row.
    pub fn vector(&self, row: u64) -> Result<Vec<f32>> {
        self.dense()?
            .row(usize::try_from(row).unwrap_or(usize::MAX))
            .map_err(|e| self.name_damage(e))
    }

    /// The table of files, in the order of the walk.
    pub fn documents(&self) -> Result<Vec<Record>> {
        table(&self.dir, &self.meta)
    }

    /// Checks every block of every file.
    ///
    /// # Errors
    /// Names the first damaged file.
    pub fn check(&self) -> Result<()> {
        for (name, entry) in &self.meta.files {
            let map = map(&self.dir, name, entry, &self.damage)?;
            map.read(0..map.len()).map_err(|_| self.damaged_file(name))?;
        }
        Ok(())
    }

    /// Live chunks, as Tantivy counts them.
    pub(super) fn live_chunks(&self) -> usize {
        self.lexical.live()
    }

    fn dense(&self) -> Result<&dense::VectorReader> {
        if let Some(dense) = self.dense.get() {
            return Ok(dense);
        }
        let dimension = self.meta.model.dimension;
        let opened = dense::VectorReader::open(self.vectors.clone(), dimension)
            .map_err(|e| self.name_damage(e))?;
        Ok(self.dense.get_or_init(|| opened))
    }

    fn tantivy<T>(&self, read: impl FnOnce() -> tantivy::Result<T>) -> Result<T> {
        tantivy(&self.dir, &self.damage, read)
    }

    /// `fault`, or the damage that caused it.
    fn name_damage(&self, fault: Fault) -> Fault {
        self.damage.seen().map_or(fault, |name| self.damaged_file(name))
    }

    fn damaged_file(&self, name: &str) -> Fault {
        damaged(&self.dir.join(name), "a checksum does not match")
    }
}

/// The table of files of the generation in `dir`.
///
/// # Errors
/// [`Kind::Damaged`](crate::error::Kind::Damaged) when it is not what was written.
pub(super) fn table(dir: &Path, meta: &Meta) -> Result<Vec<Record>> {
    let path = dir.join(documents::FILE);
    let map = map(dir, documents::FILE, listed(dir, meta, documents::FILE)?, &Damage::default())?;
    let bytes = map.read(0..map.len()).map_err(|_| damaged(&path, "a checksum does not match"))?;
    documents::parse(bytes, &path)
}

fn listed<'a>(dir: &Path, meta: &'a Meta, name: &str) -> Result<&'a FileSum> {
    meta.files.get(name).ok_or_else(|| damaged(dir, &format!("meta.json does not list {name}")))
}

fn map(dir: &Path, name: &str, entry: &FileSum, damage: &Damage) -> Result<Mapped> {
    let sums = entry
        .block_sums()
        .ok_or_else(|| damaged(&dir.join(name), "its checksums cannot be read"))?;
    Mapped::open(&dir.join(name), name, entry.bytes, sums, damage.clone())
}

fn check_size(dir: &Path, name: &str, entry: &FileSum) -> Result<()> {
    let path = dir.join(name);
    match std::fs::metadata(&path) {
        Ok(found) if found.len() == entry.bytes => Ok(()),
        Ok(found) => {
            Err(damaged(&path, &format!("it has {} bytes instead of {}", found.len(), entry.bytes)))
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(damaged(&path, "it is missing")),
        Err(e) => Err(e).or_failed(|| format!("cannot read {}", path.display())),
    }
}

/// Reads through Tantivy, and replaces its error or panic by the name of a damaged file, if there
/// is one.
fn tantivy<T>(dir: &Path, damage: &Damage, read: impl FnOnce() -> tantivy::Result<T>) -> Result<T> {
    let read = guarded(read);
    match (read, damage.seen()) {
        (Ok(Ok(value)), _) => Ok(value),
        (_, Some(name)) => Err(damaged(&dir.join(name), "a checksum does not match")),
        (Ok(Err(error)), None) => {
            Err(Fault::failed(format!("cannot read the index in {}", dir.display())).because(error))
        }
        (Err(panic), None) => Err(damaged(&dir.join("bm25"), &panic)),
    }
}
