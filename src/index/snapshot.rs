//! Reading one whole generation.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::dense::{self, Comparison, Near, Nearest};
use super::documents::{self, Record, State};
use super::generation::{Meta, ModelInfo, VectorFile, damaged};
use super::guard::guarded;
use super::lexical::{self, LexicalScores, Stored, VerifiedDirectory};
use super::pointer::Target;
use super::proposed::Proposer;
use crate::analysis::Query;
use crate::disk::{Damage, FileSum, Mapped};
use crate::error::{Context as _, Fault, Result};
use crate::filter::{Filter, UnknownValue};
use crate::nearest;

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
    rows: Rows,
    dense: OnceLock<dense::Scan>,
    /// The engine that proposes candidates; `None` where the codes are compared.
    proposer: Option<Proposer>,
}

/// The files of the dense retriever, in row order.
#[derive(Clone, Default)]
struct Rows {
    vectors: dense::Files,
    codes: dense::Files,
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
        let mut rows = Rows::default();
        for VectorFile { file, rows: n } in &meta.vectors {
            let codes = dense::codes_name(file);
            for (name, files) in [(file, &mut rows.vectors), (&codes, &mut rows.codes)] {
                let entry = listed(dir, &meta, name)?;
                files.push((Arc::new(map(dir, name, entry, &damage)?), *n));
            }
        }
        Self::with_rows(dir, target, meta, damage, rows)
    }

    /// Opens what is left of the BM25 part of a damaged generation, and nothing else.
    pub(super) fn open_words(dir: &Path, target: &Target) -> Result<Self> {
        let meta = Meta::read(dir, &target.meta_sha256)?;
        Self::with_rows(dir, target, meta, Damage::default(), Rows::default())
    }

    fn with_rows(
        dir: &Path,
        target: &Target,
        meta: Meta,
        damage: Damage,
        rows: Rows,
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
        Ok(Self {
            dir,
            target,
            meta,
            damage,
            lexical,
            rows,
            dense: OnceLock::new(),
            proposer: None,
        })
    }

    /// The same generation of the index `name`, whose candidates an engine proposes.
    pub(super) fn proposed_by(mut self, engine: &nearest::Nearest, name: &str) -> Result<Self> {
        if engine.is_scan() || self.meta.pending > 0 {
            return Ok(self);
        }
        let mut keys = dense::Files::new();
        for VectorFile { file, rows } in &self.meta.vectors {
            let name = dense::keys_name(file);
            let entry = listed(&self.dir, &self.meta, &name)?;
            keys.push((Arc::new(map(&self.dir, &name, entry, &self.damage)?), *rows));
        }
        let ModelInfo { fingerprint, dimension, .. } = &self.meta.model;
        let generation = nearest::Generation {
            space: nearest::Space::new(name, fingerprint, *dimension),
            sha256: self.target.meta_sha256.clone(),
        };
        self.proposer = Some(Proposer::new(engine.clone(), generation, keys));
        Ok(self)
    }

    /// Writes the vectors that the engine lacks. The snapshot is one of [`Snapshot::proposed_by`].
    pub(super) fn publish_vectors(&self, stop: &dyn Fn() -> bool) -> Result<()> {
        let Some(proposer) = &self.proposer else { return Ok(()) };
        let (dense, rows) = (self.dense()?, self.vector_rows()?);
        proposer.publish(dense, rows, stop).map_err(|e| self.name_damage(e))
    }

    /// Whether the engine has all vectors; true without one, and while vectors are computed.
    ///
    /// # Errors
    /// [`Kind::Outside`](crate::error::Kind::Outside) when the engine does not answer.
    pub fn engine_has_vectors(&self) -> Result<bool> {
        self.proposer.as_ref().map_or(Ok(true), Proposer::has_vectors)
    }

    /// The generation as the engine knows it; `None` without an engine.
    pub(super) fn in_engine(&self) -> Option<&nearest::Generation> {
        self.proposer.as_ref().map(Proposer::generation)
    }

    pub fn meta(&self) -> &Meta {
        &self.meta
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
    /// ordinal; `None` allows all. At most `threads` threads read the codes, once for all queries.
    pub fn nearest(
        &self,
        queries: &[&[f32]],
        wanted: usize,
        allowed: Option<&[bool]>,
        threads: usize,
    ) -> Result<Vec<Nearest>> {
        let near = Near { wanted, comparison: Comparison::Codes, threads };
        self.nearest_by(queries, allowed, near)
    }

    /// As [`Snapshot::nearest`], in either comparison.
    pub fn nearest_by(
        &self,
        queries: &[&[f32]],
        allowed: Option<&[bool]>,
        near: Near,
    ) -> Result<Vec<Nearest>> {
        let (dense, rows) = (self.dense_for(queries)?, self.vector_rows()?);
        let passages = dense::Passages { rows, allowed };
        let nearest = match &self.proposer {
            Some(proposer) if near.comparison == Comparison::Codes => {
                proposer.nearest(dense, queries, passages, near)
            }
            _ => dense.nearest(queries, passages, near),
        };
        nearest.map_err(|e| self.name_damage(e))
    }

    /// Cosine of `query` with each of the passages `ordinals`; NaN for a deleted one.
    pub fn cosines(&self, query: &[f32], ordinals: &[u32]) -> Result<Vec<f32>> {
        let (dense, rows) = (self.dense_for(&[query])?, self.vector_rows()?);
        let of = |ordinal: &u32| match rows.get(*ordinal as usize) {
            None | Some(&lexical::NO_ROW) => Ok(f32::NAN),
            Some(row) => dense.cosine(query, *row as usize),
        };
        ordinals.iter().map(of).collect::<Result<_>>().map_err(|e| self.name_damage(e))
    }

    /// The vector row of each ordinal.
    fn vector_rows(&self) -> Result<&[u64]> {
        tantivy(&self.dir, &self.damage, || self.lexical.rows())
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

    /// The values that `filter` asks for and no document has.
    pub fn unknown_values(&self, filter: &Filter) -> Result<Vec<UnknownValue>> {
        let records = self.documents()?;
        let indexed = records.iter().filter(|record| record.state == State::Indexed);
        let facts: Vec<_> = indexed.map(|record| record.facts(&self.meta.roots)).collect();
        Ok(filter.unknown_values(&facts))
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
        let rows = self.vector_rows()?.iter().filter(|row| **row != lexical::NO_ROW);
        let rows: HashSet<u64> = rows.copied().collect();
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

    /// The number of rows whose codes are not those of their vector.
    pub(super) fn wrong_codes(&self) -> Result<usize> {
        self.dense()?.wrong_codes().map_err(|e| self.name_damage(e))
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

    /// As [`Snapshot::dense`], for queries of the right dimension.
    fn dense_for(&self, queries: &[&[f32]]) -> Result<&dense::Scan> {
        let dense = self.dense()?;
        match queries.iter().all(|query| query.len() == dense.dimension()) {
            true => Ok(dense),
            false => {
                Err(Fault::failed("the model and the index have vectors of different dimensions"))
            }
        }
    }

    fn dense(&self) -> Result<&dense::Scan> {
        if let Some(dense) = self.dense.get() {
            return Ok(dense);
        }
        let Rows { vectors, codes } = self.rows.clone();
        let opened = dense::Scan::open(vectors, codes, self.meta.model.dimension)
            .map_err(|e| self.name_damage(e))?;
        let live = self.vector_rows()?.iter().filter(|row| **row != lexical::NO_ROW);
        if let Some(row) = live.max().filter(|row| **row >= opened.rows() as u64) {
            let why = format!("a chunk points to vector row {row}, which does not exist");
            return Err(damaged(&self.dir, &why));
        }
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
        Err(e) => Err(e).or_cannot("read", &path),
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
