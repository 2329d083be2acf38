//! The documents of an index, one by one: which there are, what they hold, and taking them out for
//! good.
//!
//! What is removed leaves the index, the caches and the conversations at once, and the generation
//! that still had it is not kept; it stays out of later ingests until it is restored. [`compact`]
//! then writes the index anew without what is dead in its files.

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::analytics;
use crate::cache::Table;
use crate::config;
use crate::disk;
use crate::document::{Chunk, Location};
use crate::engine::Engine;
use crate::error::{Fault, Result};
use crate::filter::{Filter, PathGlob};
use crate::index::{self, Before, Builder, Meta, Record, Root, Snapshot, State, Stored, Summary};
use crate::naming::{self, Folder, Names};

/// What rests on the texts of documents, and is dropped with them. Vectors in the cache hold no
/// text.
const MADE_OF_TEXTS: [Table; 3] = [Table::Retrieval, Table::Rerank, Table::Answers];

/// What a change of the table of files came to.
#[derive(Clone, Debug)]
pub struct Changed {
    /// The documents meant, as people name them, sorted.
    pub paths: Vec<String>,
    pub corpus_id: String,
    pub documents: u64,
    pub chunks: u64,
    /// Answers in conversations that rested on them and were emptied.
    pub withdrawn: u64,
}

/// What compacting came to, in bytes of the generations of the index.
#[derive(Clone, Debug)]
pub struct Compacted {
    pub corpus_id: String,
    pub bytes_before: u64,
    pub bytes_after: u64,
    /// False when there was nothing dead to leave out.
    pub rewritten: bool,
}

/// A document and its passages.
pub struct Document {
    pub roots: Vec<Root>,
    pub record: Record,
    /// In the order of the file.
    pub chunks: Vec<Stored>,
}

/// The documents that [`remove`] would take out, as people name them, sorted.
///
/// # Errors
/// As those of [`remove`].
pub fn meant(engine: &Engine, patterns: &[String]) -> Result<Vec<String>> {
    let globs = globs(patterns)?;
    let snapshot = engine.store.open(&engine.config.index)?;
    let meta = snapshot.meta();
    let gone = gone(meta, &globs, patterns, snapshot.documents()?)?.0;
    let mut names: Vec<String> = gone
        .iter()
        .map(|record| naming::name(folder(&meta.roots, record.root).given, &record.path))
        .collect();
    names.sort();
    Ok(names)
}

/// Parts the table into what the patterns mean and the rest.
fn gone(
    meta: &Meta,
    globs: &[PathGlob],
    patterns: &[String],
    table: Vec<Record>,
) -> Result<(Vec<Record>, Vec<Record>)> {
    let (gone, left) = parted(table, |record| {
        globs.iter().any(|glob| glob.matches(folder(&meta.roots, record.root), &record.path))
    });
    for (glob, pattern) in globs.iter().zip(patterns) {
        let is_meant =
            gone.iter().any(|record| glob.matches(folder(&meta.roots, record.root), &record.path));
        // Once more is no mistake: the time before may have been stopped half way.
        if !is_meant && !meta.removed.iter().any(|path| means(glob, &meta.roots, path)) {
            return Err(no_document(pattern));
        }
    }
    Ok((gone, left))
}

/// Takes every document out that one of `patterns` means.
///
/// # Errors
/// A usage fault that names the first pattern that means no document; nothing is removed then.
pub fn remove(engine: &Engine, patterns: &[String], wait: Duration) -> Result<Changed> {
    let globs = globs(patterns)?;
    let _lock = engine.store.lock(wait, &|| engine.interrupted())?;
    let base = whole(engine)?;
    let meta = base.meta();
    let (gone, left) = gone(meta, &globs, patterns, base.documents()?)?;
    let mut committed = meta.clone();
    if !gone.is_empty() {
        let mut removed = meta.removed.clone();
        removed.extend(
            gone.iter().filter_map(|gone| Some(meta.roots.get(gone.root)?.absolute(&gone.path))),
        );
        removed.sort();
        removed.dedup();
        let mut builder = Builder::begin(&engine.store, Some(&base))?;
        for record in gone.iter().filter(|record| record.state == State::Indexed) {
            builder.remove(record.root, &record.path)?;
        }
        builder.seal(&left)?;
        let like = Summary::like(meta, &engine.config.index, &left, engine.now_s());
        committed = builder.commit(None, &Summary { removed, before: Before::Forget, ..like })?.1;
    }
    let withdrawn = purge(engine, &committed)?;
    let mut paths: Vec<String> = gone
        .iter()
        .map(|record| naming::name(folder(&meta.roots, record.root).given, &record.path))
        .collect();
    paths.sort();
    Ok(changed(&committed, paths, withdrawn))
}

/// Lets the next ingest take documents in again that were removed.
///
/// # Errors
/// A usage fault that names the first pattern that means no removed document.
pub fn restore(engine: &Engine, patterns: &[String], wait: Duration) -> Result<Changed> {
    let globs = globs(patterns)?;
    let _lock = engine.store.lock(wait, &|| engine.interrupted())?;
    let base = whole(engine)?;
    let meta = base.meta();
    for (glob, pattern) in globs.iter().zip(patterns) {
        if !meta.removed.iter().any(|path| means(glob, &meta.roots, path)) {
            return Err(Fault::usage(format!("`{pattern}` means no document that was removed"))
                .hint("`rag documents list --removed` shows them"));
        }
    }
    let (back, removed) = parted(meta.removed.clone(), |path| {
        globs.iter().any(|glob| means(glob, &meta.roots, path))
    });
    let records = base.documents()?;
    let mut builder = Builder::begin(&engine.store, Some(&base))?;
    builder.seal(&records)?;
    let like = Summary::like(meta, &engine.config.index, &records, engine.now_s());
    let committed = builder.commit(None, &Summary { removed, ..like })?.1;
    let paths = back.iter().map(|path| named(&meta.roots, path)).collect();
    Ok(changed(&committed, paths, 0))
}

/// How somebody says which folder of an index they mean.
#[derive(Clone, Copy, Debug)]
pub enum FolderName<'a> {
    /// As hits show it.
    Shown(&'a str),
    /// By its place, as typed in the folder `cwd`, or as hits show it.
    Typed { cwd: &'a Path, text: &'a str },
}

impl FolderName<'_> {
    /// The number of the folder.
    ///
    /// # Errors
    /// A usage fault when it is no folder of the index, or may be several.
    pub fn find(&self, roots: &[Root]) -> Result<usize> {
        let (text, found) = match self {
            Self::Shown(text) => {
                (text, (0..roots.len()).filter(|n| roots[*n].given == *text).collect())
            }
            Self::Typed { cwd, text } => (text, index::roots_named(roots, cwd, text)),
        };
        let names = |name: fn(&Root) -> &str, numbers: &mut dyn Iterator<Item = usize>| {
            numbers.map(|n| name(&roots[n])).collect::<Vec<_>>().join(", ")
        };
        match found[..] {
            [n] => Ok(n),
            [] => {
                let has = names(|root| &root.given, &mut (0..roots.len()));
                let hint = if has.is_empty() {
                    "the index has no folder".to_owned()
                } else {
                    format!("the index has {has}")
                };
                Err(Fault::usage(format!("`{text}` is no folder of the index")).hint(hint))
            }
            ref several => {
                let places = names(|root| &root.real, &mut several.iter().copied());
                Err(Fault::usage(format!("`{text}` may be {places}")).hint("give the whole path"))
            }
        }
    }
}

/// Takes a folder out of the index, with every document of it. The generation before stays, to go
/// back to.
///
/// # Errors
/// Those of [`FolderName::find`].
pub fn remove_folder(engine: &Engine, folder: FolderName<'_>, wait: Duration) -> Result<Changed> {
    let _lock = engine.store.lock(wait, &|| engine.interrupted())?;
    let base = whole(engine)?;
    let meta = base.meta();
    let n = folder.find(&meta.roots)?;
    let mut from: Vec<usize> = (0..meta.roots.len()).collect();
    from.remove(n);
    let roots: Vec<Root> = from.iter().map(|root| meta.roots[*root].clone()).collect();
    let (gone, mut left) = parted(base.documents()?, |record| record.root == n);
    for record in &mut left {
        record.root -= usize::from(record.root > n);
    }
    let (builder, vectors) =
        index::rewrite(&engine.store, &base, &left, &from, &|| engine.interrupted())?;
    let like = Summary::like(meta, &engine.config.index, &left, engine.now_s());
    let committed = builder.commit(vectors, &Summary { roots, ..like })?.1;
    Ok(changed(&committed, names(&meta.roots, &gone), 0))
}

/// The indexed documents among `records` as people name them, sorted.
fn names(roots: &[Root], records: &[Record]) -> Vec<String> {
    let indexed = records.iter().filter(|record| record.state == State::Indexed);
    let mut names: Vec<String> = indexed
        .map(|record| naming::name(folder(roots, record.root).given, &record.path))
        .collect();
    names.sort();
    names
}

/// The documents that were removed, as people name them.
pub fn removed(meta: &Meta) -> Vec<String> {
    meta.removed.iter().map(|path| named(&meta.roots, path)).collect()
}

/// The document at a path: below its folder, or with the folder before it.
///
/// # Errors
/// A usage fault when there is none, or one in several folders.
pub fn show(engine: &Engine, path: &str) -> Result<Document> {
    find(&engine.store.open(&engine.config.index)?, None, path)
}

/// As [`show`], of a generation that is open; `root` is the folder as hits name it, and `path` is
/// below it then.
///
/// # Errors
/// As those of [`show`].
pub fn find(snapshot: &Snapshot, root: Option<&str>, path: &str) -> Result<Document> {
    let roots = snapshot.meta().roots.clone();
    let names = seen_from_here(&roots);
    let records = snapshot.documents()?;
    let all_of = |is_meant: &dyn Fn(&Record) -> bool| -> Vec<Record> {
        records.iter().filter(|record| is_meant(record)).cloned().collect()
    };
    let named = |text: &str| all_of(&|record| names.means(text, record.root, &record.path));
    let mut found = match root {
        Some(root) => {
            all_of(&|record| record.path == path && folder(&roots, record.root).given == root)
        }
        None => named(path),
    };
    // As a hit shows it, or a part of it as a pattern has it.
    if root.is_none() && found.is_empty() {
        found = without_place(path).map(named).unwrap_or_default();
    }
    if root.is_none() && found.is_empty() {
        let glob = PathGlob::new(path).map_err(|_| no_document(path))?.relative_to(&config::here());
        found = all_of(&|record| glob.matches(folder(&roots, record.root), &record.path));
    }
    match found.len() {
        0 => Err(no_document(path)),
        1 => {
            let record = found.remove(0);
            let chunks = snapshot.chunks_of(record.root, &record.path)?;
            Ok(Document { roots, record, chunks })
        }
        _ => {
            const SHOWN: usize = 5;
            let more = if found.len() > SHOWN { ", among others" } else { "" };
            let names: Vec<String> =
                found.iter().take(SHOWN).map(|r| names.shown(r.root, &r.path)).collect();
            Err(Fault::usage(format!("`{path}` may be {}{more}", names.join(" or ")))
                .hint("give it with its folder"))
        }
    }
}

/// A part of a document, as citations give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// First byte, and the one behind the last.
    Bytes(usize, usize),
    /// First and last line.
    Lines(usize, usize),
}

/// Which of a document's passages, given in its order, a part consists of: those that lie within
/// it, or else those that it touches. A citation may be of several passages that follow one
/// another.
pub fn passages_of(part: Part, chunks: &[Stored]) -> Range<usize> {
    let (Part::Bytes(first, last) | Part::Lines(first, last)) = part;
    if first > last {
        return 0..0;
    }
    let run = |is_meant: &dyn Fn(&Chunk) -> bool| {
        let is_meant = |stored: &Stored| is_meant(&stored.chunk);
        let first = chunks.iter().position(is_meant)?;
        let last = chunks.iter().rposition(is_meant)?;
        Some(first..last + 1)
    };
    let found = match part {
        Part::Bytes(from, to) => run(&|chunk| chunk.bytes.start >= from && chunk.bytes.end <= to)
            .or_else(|| run(&|chunk| chunk.bytes.start < to && chunk.bytes.end > from)),
        Part::Lines(from, to) => run(&|chunk| chunk.lines.first >= from && chunk.lines.last <= to)
            .or_else(|| run(&|chunk| chunk.lines.first <= to && chunk.lines.last >= from)),
    };
    found.unwrap_or(0..0)
}

/// Which documents a page of the table has.
#[derive(Clone, Debug)]
pub struct Paging {
    pub state: State,
    pub filter: Option<Filter>,
    /// Where the page before ended.
    pub behind: Option<String>,
    pub limit: usize,
}

/// A part of the table of an index, by folder and path.
pub struct Page {
    pub roots: Vec<Root>,
    pub records: Vec<Record>,
    /// Where it ended; `None` when nothing comes behind.
    pub next: Option<String>,
}

/// A page of the table.
///
/// # Errors
/// A usage fault for a place that no page gave.
pub fn page(snapshot: &Snapshot, paging: &Paging) -> Result<Page> {
    let behind = paging.behind.as_deref().map(place).transpose()?;
    let roots = snapshot.meta().roots.clone();
    let mut records = snapshot.documents()?;
    records.retain(|record| {
        let is_behind =
            behind.as_ref().is_none_or(|(root, path)| (record.root, &record.path) > (*root, path));
        let is_meant =
            paging.filter.as_ref().is_none_or(|filter| filter.matches(&record.facts(&roots)));
        is_behind && record.state == paging.state && is_meant
    });
    records.sort_by(|a, b| (a.root, &a.path).cmp(&(b.root, &b.path)));
    let has_more = records.len() > paging.limit;
    records.truncate(paging.limit);
    let next = records.last().filter(|_| has_more).map(cursor);
    Ok(Page { roots, records, next })
}

/// Where a page ends. It names the last document, so that it stays right while the index changes.
pub fn cursor(last: &Record) -> String {
    disk::hex(json!([last.root, last.path]).to_string().as_bytes())
}

fn place(cursor: &str) -> Result<(usize, String)> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).map(|digit| digit as u8);
    let bytes: Option<Vec<u8>> = cursor
        .as_bytes()
        .chunks(2)
        .map(|pair| Some(digit(pair.first()?)? << 4 | digit(pair.get(1)?)?))
        .collect();
    bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).ok_or_else(|| {
        Fault::usage("that is no cursor").hint("hand in `next` of the page before, as it is")
    })
}

/// Writes the index anew with nothing in it that no live document needs, and keeps no generation
/// before it.
pub fn compact(engine: &Engine, wait: Duration) -> Result<Compacted> {
    let name = &engine.config.index;
    let _lock = engine.store.lock(wait, &|| engine.interrupted())?;
    let base = whole(engine)?;
    let bytes = |meta: &Meta| meta.files.values().map(|file| file.bytes).sum::<u64>();
    let bytes_before = bytes(base.meta());
    let rewritten = !base.is_compact()?;
    let mut meta = base.meta().clone();
    if rewritten {
        let records = base.documents()?;
        let same: Vec<usize> = (0..base.meta().roots.len()).collect();
        let (builder, vectors) =
            index::rewrite(&engine.store, &base, &records, &same, &|| engine.interrupted())?;
        let like = Summary::like(base.meta(), name, &records, engine.now_s());
        meta = builder.commit(vectors, &Summary { before: Before::Forget, ..like })?.1;
    }
    engine.store.forget_previous(name)?;
    purge(engine, &meta)?;
    Ok(Compacted {
        corpus_id: meta.corpus_id.clone(),
        bytes_before,
        bytes_after: bytes(&meta),
        rewritten,
    })
}

/// Drops what caches and conversations have of removed documents; yields how many answers were
/// emptied.
fn purge(engine: &Engine, meta: &Meta) -> Result<u64> {
    if meta.removed.is_empty() {
        return Ok(0);
    }
    engine.cache().purge(&MADE_OF_TEXTS).map_err(|fault| half_done(&fault))?;
    let is_gone = |root: &str, path: &str| {
        meta.roots
            .iter()
            .any(|own| own.given == root && meta.removed.binary_search(&own.absolute(path)).is_ok())
    };
    analytics::forget(&analytics::dir(&engine.config.data_dir), &is_gone)
        .map_err(|fault| half_done(&fault))?;
    // Opening them would make them.
    if !engine.config.data_dir.join("sessions").is_dir() {
        return Ok(0);
    }
    let withdrawn =
        engine.sessions().and_then(|sessions| sessions.withdraw(&engine.config.index, &is_gone));
    withdrawn.map_err(|fault| half_done(&fault))
}

fn half_done(fault: &Fault) -> Fault {
    Fault::new(
        fault.kind(),
        format!("the documents are out of the index, but not everything of them is gone: {fault}"),
    )
    .hint(fault.hint_text().map_or_else(
        || "run `rag index compact` when that is mended".to_owned(),
        |hint| format!("{hint}; then run `rag index compact`"),
    ))
}

/// The index, complete and checked to the last byte, since what is in it goes into the next
/// generation.
fn whole(engine: &Engine) -> Result<Snapshot> {
    let snapshot = engine.store.open(&engine.config.index)?;
    snapshot.meta().must_have_vectors()?;
    snapshot.check()?;
    Ok(snapshot)
}

fn globs(patterns: &[String]) -> Result<Vec<PathGlob>> {
    let here = config::here();
    patterns.iter().map(|pattern| Ok(PathGlob::new(pattern)?.relative_to(&here))).collect()
}

fn parted<T>(all: Vec<T>, is_first: impl Fn(&T) -> bool) -> (Vec<T>, Vec<T>) {
    all.into_iter().partition(|one| is_first(one))
}

/// The names of documents as seen from the working directory.
pub fn seen_from_here(roots: &[Root]) -> Names {
    let resolved =
        |path: &str| Some(std::fs::canonicalize(path).ok()?.to_string_lossy().into_owned());
    Names::new(roots.iter().map(Root::folder), &config::here(), &resolved)
}

fn folder(roots: &[Root], number: usize) -> Folder<'_> {
    roots.get(number).map(Root::folder).unwrap_or_default()
}

/// `docs/guide.md:12` and `docs/report.pdf (page 3)` without the place.
fn without_place(text: &str) -> Option<&str> {
    if let Some((path, line)) = text.rsplit_once(':') {
        return (!line.is_empty() && line.bytes().all(|b| b.is_ascii_digit())).then_some(path);
    }
    let (path, place) = text.strip_suffix(')')?.rsplit_once(" (")?;
    place.parse::<Location>().is_ok().then_some(path)
}

/// Root and path of an absolute path; none when it is in no folder of the index any more.
fn placed<'a>(roots: &'a [Root], absolute: &'a str) -> Option<(Folder<'a>, &'a str)> {
    roots.iter().find_map(|root| {
        let below = absolute.strip_prefix(root.real.trim_end_matches('/'))?.strip_prefix('/')?;
        Some((root.folder(), below))
    })
}

fn named(roots: &[Root], absolute: &str) -> String {
    placed(roots, absolute)
        .map_or_else(|| absolute.to_owned(), |(folder, path)| naming::name(folder.given, path))
}

fn means(glob: &PathGlob, roots: &[Root], absolute: &str) -> bool {
    let (folder, path) = placed(roots, absolute).unwrap_or((Folder::default(), absolute));
    glob.matches(folder, path)
}

fn no_document(pattern: &str) -> Fault {
    Fault::usage(format!("`{pattern}` means no document of the index"))
        .hint("`rag documents list` shows what there is; a pattern is like one of .gitignore")
}

fn changed(meta: &Meta, paths: Vec<String>, withdrawn: u64) -> Changed {
    let (documents, chunks) = (meta.counts.documents, meta.counts.chunks);
    Changed { paths, corpus_id: meta.corpus_id.clone(), documents, chunks, withdrawn }
}
