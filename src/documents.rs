//! The documents of an index: listing them, showing them, and removing them permanently.
//!
//! A removed document leaves the index, the caches and the conversations at once, and no generation
//! that has it is kept. Later ingests leave it out until it is restored. [`compact`] then rewrites
//! the index without the dead data in its files.

mod suggestions;

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::analytics;
use crate::cache::Table;
use crate::config;
use crate::disk;
use crate::document::{self, Chunk, Location};
use crate::engine::Engine;
use crate::error::{Fault, Result};
use crate::filter::{Filter, PathGlob};
use crate::index::{self, Before, Builder, Meta, Record, Root, Snapshot, State, Stored, Summary};
use crate::naming::{self, Folder, Names};
use crate::strings::{self, StrExt as _};
pub use suggestions::{Suggestion, suggestions};

/// Cache tables that contain text of documents. Cached vectors contain none.
const TABLES_WITH_TEXT: [Table; 3] = [Table::Retrieval, Table::Rerank, Table::Answers];

/// The result of a change to the table of files.
#[derive(Clone, Debug)]
pub struct Changed {
    /// Names of the changed documents, sorted.
    pub paths: Vec<String>,
    pub corpus_id: String,
    pub documents: u64,
    pub chunks: u64,
    /// Number of answers in conversations that cited them and were emptied.
    pub withdrawn: u64,
}

/// The result of compacting. Sizes are those of the index's generation.
#[derive(Clone, Debug)]
pub struct Compacted {
    pub corpus_id: String,
    pub bytes_before: u64,
    pub bytes_after: u64,
    /// False when the index had no dead data.
    pub rewritten: bool,
}

/// A document and its passages.
pub struct Document {
    pub roots: Vec<Root>,
    pub record: Record,
    /// In the order of the file.
    pub chunks: Vec<Stored>,
}

/// Names of the documents that [`remove`] would remove, sorted.
///
/// # Errors
/// Those of [`remove`].
pub fn matching(engine: &Engine, patterns: &[String]) -> Result<Vec<String>> {
    let patterns = Patterns::new(patterns)?;
    let snapshot = engine.store.open(&engine.config.index)?;
    let meta = snapshot.meta();
    let (removed, _) = patterns.split(meta, snapshot.documents()?)?;
    Ok(names(&meta.roots, removed.iter()))
}

/// Patterns of documents, relative to the working directory.
struct Patterns<'a> {
    texts: &'a [String],
    globs: Vec<PathGlob>,
}

impl<'a> Patterns<'a> {
    fn new(texts: &'a [String]) -> Result<Self> {
        let here = config::working_dir();
        let globs = texts.iter().map(|text| Ok(PathGlob::new(text)?.relative_to(&here)));
        Ok(Self { texts, globs: globs.collect::<Result<_>>()? })
    }

    /// Splits the table into the matching records and the rest.
    fn split(&self, meta: &Meta, table: Vec<Record>) -> Result<(Vec<Record>, Vec<Record>)> {
        let matches = |glob: &PathGlob, record: &Record| {
            glob.matches(folder(&meta.roots, record.root), &record.path)
        };
        let (matching, rest): (Vec<Record>, Vec<Record>) = table
            .into_iter()
            .partition(|record| self.globs.iter().any(|glob| matches(glob, record)));
        for (glob, text) in self.globs.iter().zip(self.texts) {
            // A removed document may be removed again: the first time may have been interrupted.
            if !matching.iter().any(|record| matches(glob, record)) && !is_removed(glob, meta) {
                return Err(no_document(text));
            }
        }
        Ok((matching, rest))
    }
}

/// Removes every document that matches one of `patterns`.
///
/// # Errors
/// A usage fault that names the first pattern without a match; nothing is removed then.
pub fn remove(engine: &Engine, patterns: &[String], wait: Duration) -> Result<Changed> {
    let patterns = Patterns::new(patterns)?;
    let _lock = engine.store.lock(wait, &|| engine.interrupted())?;
    let base = open_complete(engine)?;
    let meta = base.meta();
    let (removed, rest) = patterns.split(meta, base.documents()?)?;
    let committed = match removed.is_empty() {
        true => meta.clone(),
        false => commit_removal(engine, &base, &removed, &rest)?,
    };
    let withdrawn = purge(engine, &committed)?;
    Ok(changed(&committed, names(&meta.roots, removed.iter()), withdrawn))
}

/// Commits a generation without the `removed` documents.
fn commit_removal(
    engine: &Engine,
    base: &Snapshot,
    removed: &[Record],
    rest: &[Record],
) -> Result<Meta> {
    let meta = base.meta();
    let mut builder = Builder::begin(&engine.store, Some(base))?;
    let mut paths = meta.removed.clone();
    for record in removed {
        paths.extend(meta.roots.get(record.root).map(|root| root.absolute(&record.path)));
        if record.state == State::Indexed {
            builder.remove(record.root, &record.path)?;
        }
    }
    paths.sort();
    paths.dedup();
    builder.seal(rest)?;
    let like = Summary::like(meta, &engine.config.index, rest, engine.now_s());
    let summary = Summary { removed: paths, before: Before::Forget, ..like };
    Ok(builder.commit(None, &summary)?.1)
}

/// Lets the next ingest index removed documents again.
///
/// # Errors
/// A usage fault that names the first pattern without a match among removed documents.
pub fn restore(engine: &Engine, patterns: &[String], wait: Duration) -> Result<Changed> {
    let patterns = Patterns::new(patterns)?;
    let _lock = engine.store.lock(wait, &|| engine.interrupted())?;
    let base = open_complete(engine)?;
    let meta = base.meta();
    for (glob, text) in patterns.globs.iter().zip(patterns.texts) {
        if !is_removed(glob, meta) {
            return Err(Fault::usage(format!("`{text}` matches no removed document"))
                .hint("`rag documents list --removed` shows them"));
        }
    }
    let is_restored =
        |path: &String| patterns.globs.iter().any(|glob| matches_absolute(glob, &meta.roots, path));
    let (restored, removed): (Vec<String>, _) = meta.removed.iter().cloned().partition(is_restored);
    let records = base.documents()?;
    let mut builder = Builder::begin(&engine.store, Some(&base))?;
    builder.seal(&records)?;
    let like = Summary::like(meta, &engine.config.index, &records, engine.now_s());
    let committed = builder.commit(None, &Summary { removed, ..like })?.1;
    let paths = restored.iter().map(|path| name_of(&meta.roots, path)).collect();
    Ok(changed(&committed, paths, 0))
}

/// How a user names a folder of an index.
#[derive(Clone, Copy, Debug)]
pub enum FolderName<'a> {
    /// As hits show it.
    Shown(&'a str),
    /// By its path relative to the directory `cwd`, or as hits show it.
    Typed { cwd: &'a Path, text: &'a str },
}

impl FolderName<'_> {
    /// The number of the folder.
    ///
    /// # Errors
    /// A usage fault when the index has no such folder, or several.
    pub fn find(&self, roots: &[Root]) -> Result<usize> {
        let (text, found) = match self {
            Self::Shown(text) => {
                (text, (0..roots.len()).filter(|n| roots[*n].given == *text).collect())
            }
            Self::Typed { cwd, text } => (text, index::roots_named(roots, cwd, text)),
        };
        match found[..] {
            [n] => Ok(n),
            [] => {
                let given: Vec<&str> = roots.iter().map(|root| root.given.as_str()).collect();
                let hint = match given.is_empty() {
                    true => "the index has no folder".to_owned(),
                    false => format!("the index has {}", given.join(", ")),
                };
                Err(Fault::usage(format!("`{text}` is not a folder of the index")).hint(hint))
            }
            ref several => {
                let paths: Vec<&str> = several.iter().map(|n| roots[*n].real.as_str()).collect();
                Err(Fault::usage(format!("`{text}` is ambiguous: {}", paths.join(", ")))
                    .hint("give the whole path"))
            }
        }
    }
}

/// Removes a folder and its documents from the index. The previous generation is kept for a
/// rollback.
///
/// # Errors
/// Those of [`FolderName::find`].
pub fn remove_folder(engine: &Engine, folder: FolderName<'_>, wait: Duration) -> Result<Changed> {
    let _lock = engine.store.lock(wait, &|| engine.interrupted())?;
    let base = open_complete(engine)?;
    let meta = base.meta();
    let n = folder.find(&meta.roots)?;
    let mut from: Vec<usize> = (0..meta.roots.len()).collect();
    from.remove(n);
    let roots: Vec<Root> = from.iter().map(|root| meta.roots[*root].clone()).collect();
    let (removed, mut rest): (Vec<Record>, Vec<Record>) =
        base.documents()?.into_iter().partition(|record| record.root == n);
    for record in &mut rest {
        record.root -= usize::from(record.root > n);
    }
    let (builder, vectors) =
        index::rewrite(&engine.store, &base, &rest, &from, &|| engine.interrupted())?;
    let like = Summary::like(meta, &engine.config.index, &rest, engine.now_s());
    let committed = builder.commit(vectors, &Summary { roots, ..like })?.1;
    let indexed = removed.iter().filter(|record| record.state == State::Indexed);
    Ok(changed(&committed, names(&meta.roots, indexed), 0))
}

/// The names of documents, sorted.
fn names<'r>(roots: &[Root], records: impl Iterator<Item = &'r Record>) -> Vec<String> {
    let name = |record: &Record| naming::name(folder(roots, record.root).given, &record.path);
    let mut names: Vec<String> = records.map(name).collect();
    names.sort();
    names
}

/// Names of the removed documents.
pub fn removed(meta: &Meta) -> Vec<String> {
    meta.removed.iter().map(|path| name_of(&meta.roots, path)).collect()
}

/// Folder and relative path of the removed documents. One whose folder is not in the index any more
/// has its absolute path.
pub fn removed_places(meta: &Meta) -> Vec<(Option<Folder<'_>>, &str)> {
    let place = |absolute| match split_absolute(&meta.roots, absolute) {
        Some((folder, path)) => (Some(folder), path),
        None => (None, absolute),
    };
    meta.removed.iter().map(|absolute| place(absolute.as_str())).collect()
}

/// The document at a path, which may include its folder.
///
/// # Errors
/// A usage fault when there is none, or more than one.
pub fn show(engine: &Engine, path: &str) -> Result<Document> {
    find(&engine.store.open(&engine.config.index)?, None, path)
}

/// As [`show`], in an open generation. With `root`, the folder as hits show it, `path` is the path
/// below that folder.
///
/// # Errors
/// Those of [`show`].
pub fn find(snapshot: &Snapshot, root: Option<&str>, path: &str) -> Result<Document> {
    let roots = snapshot.meta().roots.clone();
    let names = names_from_here(&roots);
    let records = snapshot.documents()?;
    let found = match root {
        Some(root) => matches(&records, |record| {
            naming::composed(&record.path) == naming::composed(path)
                && folder(&roots, record.root).given == root
        }),
        None => find_named(&records, &roots, &names, path)?,
    };
    match found[..] {
        [] => Err(match misspelt(&records, &names, path) {
            Some(meant) => no_document(path).hint(format!("did you mean `{meant}`?")),
            None => no_document(path),
        }),
        [record] => {
            let chunks = snapshot.chunks_of(record.root, &record.path)?;
            Ok(Document { record: record.clone(), chunks, roots })
        }
        ref several => {
            const MOST: usize = 5;
            let more = if several.len() > MOST { ", among others" } else { "" };
            let shown = several.iter().take(MOST).map(|r| names.shown(r.root, &r.path));
            let shown = shown.collect::<Vec<_>>().join(" or ");
            Err(Fault::usage(format!("`{path}` may be {shown}{more}"))
                .hint("give it with its folder"))
        }
    }
}

/// The documents that `path` names: exactly, or with a place as a hit shows it, or else as a
/// pattern.
fn find_named<'r>(
    records: &'r [Record],
    roots: &[Root],
    names: &Names,
    path: &str,
) -> Result<Vec<&'r Record>> {
    let named = |text: &str| matches(records, |r| names.means(text, r.root, &r.path));
    let mut found = named(path);
    for (path, _) in splits(path) {
        if found.is_empty() {
            found = named(path);
        }
    }
    if found.is_empty() {
        let glob =
            PathGlob::new(path).map_err(|_| no_document(path))?.relative_to(&config::working_dir());
        found = matches(records, |r| glob.matches(folder(roots, r.root), &r.path));
    }
    // Of two names that differ only in the composition of accents, the one as typed.
    if found.len() > 1 && found.iter().any(|record| path.ends_with(&record.path)) {
        found.retain(|record| path.ends_with(&record.path));
    }
    Ok(found)
}

/// The name of a document whose file name is like that of `path`.
fn misspelt(records: &[Record], names: &Names, path: &str) -> Option<String> {
    let file = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let path = splits(path).first().map_or(path, |(path, _)| path);
    let files: Vec<String> = records.iter().map(|record| file(&record.path)).collect();
    let meant = strings::similar(&file(path), files.iter().map(String::as_str))?;
    let record = records.iter().find(|record| file(&record.path) == meant)?;
    Some(names.shown(record.root, &record.path))
}

fn matches(records: &[Record], is_match: impl Fn(&Record) -> bool) -> Vec<&Record> {
    records.iter().filter(|record| is_match(record)).collect()
}

/// A part of a document, as in citations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// First byte, and the one after the last.
    Bytes(usize, usize),
    /// First and last line.
    Lines(usize, usize),
}

/// A place in a document as a citation prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CitedPlace {
    /// `docs/guide.md:12`.
    Number(usize),
    /// `docs/report.pdf (page 3)`: what is between the brackets.
    Within(String),
}

/// The place that `text`, by which [`show`] has found the document, names in it.
pub fn place_of(text: &str, document: &Document) -> Option<CitedPlace> {
    let names = names_from_here(&document.roots);
    let is_meant = |path: &str| names.means(path, document.record.root, &document.record.path);
    if is_meant(text) {
        return None;
    }
    let (_, place) = splits(text).into_iter().find(|(path, _)| is_meant(path))?;
    Some(place.parse().map_or_else(|_| CitedPlace::Within(place.to_owned()), CitedPlace::Number))
}

/// The passages between two places, among all passages of a document in order.
pub fn passages_within(first: &Location, last: &Location, chunks: &[Stored]) -> Range<usize> {
    let has = |chunk: &Chunk, place: &Location| {
        let of_units = chunk.units.iter().flat_map(|unit| [&unit.location, &unit.end]);
        of_units.chain([&chunk.place]).flatten().any(|own| own == place)
    };
    let start = chunks.iter().position(|stored| has(&stored.chunk, first));
    let end = chunks.iter().rposition(|stored| has(&stored.chunk, last));
    match (start, end) {
        (Some(start), Some(end)) if start <= end => start..end + 1,
        _ => 0..0,
    }
}

/// The passages of a part, among all passages of a document in order: those within it, or else
/// those that overlap it. A citation may cover several consecutive passages.
pub fn passages_of(part: Part, chunks: &[Stored]) -> Range<usize> {
    let (Part::Bytes(first, last) | Part::Lines(first, last)) = part;
    if first > last {
        return 0..0;
    }
    let run = |is_match: &dyn Fn(&Chunk) -> bool| {
        let first = chunks.iter().position(|stored| is_match(&stored.chunk))?;
        let last = chunks.iter().rposition(|stored| is_match(&stored.chunk))?;
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

/// The parameters of a page of the table.
#[derive(Clone, Debug)]
pub struct Paging {
    pub state: State,
    pub filter: Option<Filter>,
    /// Cursor of the previous page.
    pub after: Option<String>,
    pub limit: usize,
}

/// A page of the table of files, sorted by folder and path.
pub struct Page {
    pub roots: Vec<Root>,
    pub records: Vec<Record>,
    /// Cursor of the next page; `None` when this is the last.
    pub next: Option<String>,
}

/// Reads a page of the table of files.
///
/// # Errors
/// A usage fault for an invalid cursor.
pub fn page(snapshot: &Snapshot, paging: &Paging) -> Result<Page> {
    let after = paging.after.as_deref().map(parse_cursor).transpose()?;
    let roots = snapshot.meta().roots.clone();
    let mut records = snapshot.documents()?;
    records.retain(|record| {
        let is_after =
            after.as_ref().is_none_or(|(root, path)| (record.root, &record.path) > (*root, path));
        let is_match =
            paging.filter.as_ref().is_none_or(|filter| filter.matches(&record.facts(&roots)));
        is_after && record.state == paging.state && is_match
    });
    records.sort_by(|a, b| (a.root, &a.path).cmp(&(b.root, &b.path)));
    let has_more = records.len() > paging.limit;
    records.truncate(paging.limit);
    let next = records.last().filter(|_| has_more).map(cursor);
    Ok(Page { roots, records, next })
}

/// The cursor after a document. It names the document, so it stays valid when the index changes.
pub fn cursor(last: &Record) -> String {
    disk::hex(json!([last.root, last.path]).to_string().as_bytes())
}

fn parse_cursor(cursor: &str) -> Result<(usize, String)> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).map(|digit| digit as u8);
    let bytes: Option<Vec<u8>> = cursor
        .as_bytes()
        .chunks(2)
        .map(|pair| Some(digit(pair.first()?)? << 4 | digit(pair.get(1)?)?))
        .collect();
    bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).ok_or_else(|| {
        Fault::usage("the cursor is invalid").hint("use `next` of the previous page, unchanged")
    })
}

/// Rewrites the index without data that no live document needs, and keeps no previous generation.
pub fn compact(engine: &Engine, wait: Duration) -> Result<Compacted> {
    let name = &engine.config.index;
    let _lock = engine.store.lock(wait, &|| engine.interrupted())?;
    let base = open_complete(engine)?;
    let bytes_before = base.meta().bytes();
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
    Ok(Compacted { bytes_after: meta.bytes(), corpus_id: meta.corpus_id, bytes_before, rewritten })
}

/// Deletes what caches, analytics and conversations have of removed documents; returns the number
/// of emptied answers.
fn purge(engine: &Engine, meta: &Meta) -> Result<u64> {
    if meta.removed.is_empty() {
        return Ok(0);
    }
    engine.cache().purge(&TABLES_WITH_TEXT).map_err(|fault| incomplete(&fault))?;
    let is_gone = |root: &str, path: &str| {
        meta.roots
            .iter()
            .any(|own| own.given == root && meta.removed.binary_search(&own.absolute(path)).is_ok())
    };
    engine.state().forget_shown();
    analytics::forget(engine.records(), &is_gone).map_err(|fault| incomplete(&fault))?;
    // Opening the sessions would create the folder.
    let are_here = engine.ledger.postgres().is_none() && engine.shared.redis().is_none();
    if are_here && !engine.config.data_dir.join("sessions").is_dir() {
        return Ok(0);
    }
    let withdrawn =
        engine.sessions().and_then(|sessions| sessions.withdraw(&engine.config.index, &is_gone));
    withdrawn.map_err(|fault| incomplete(&fault))
}

fn incomplete(fault: &Fault) -> Fault {
    let hint = match fault.hint_text() {
        Some(hint) => format!("{hint}; then run `rag index compact`"),
        None => "fix that, then run `rag index compact`".to_owned(),
    };
    let message = format!(
        "the documents are removed from the index, but copies of their text are left: {fault}"
    );
    Fault::new(fault.kind(), message).hint(hint)
}

/// Opens the index and checks it to the last byte, because its content goes into the next
/// generation.
///
/// # Errors
/// When vectors are missing, or anything is damaged.
fn open_complete(engine: &Engine) -> Result<Snapshot> {
    let snapshot = engine.store.open(&engine.config.index)?;
    snapshot.meta().require_vectors()?;
    snapshot.check()?;
    Ok(snapshot)
}

/// The names of documents, relative to the working directory.
pub fn names_from_here(roots: &[Root]) -> Names {
    let resolved =
        |path: &str| Some(std::fs::canonicalize(path).ok()?.to_string_lossy().into_owned());
    Names::new(roots.iter().map(Root::folder), &config::working_dir(), &resolved)
}

fn folder(roots: &[Root], number: usize) -> Folder<'_> {
    roots.get(number).map(Root::folder).unwrap_or_default()
}

/// The readings of a hit's `docs/guide.md:12` or `docs/report.pdf (page 3)` as a path and a place.
/// Both may contain brackets.
fn splits(text: &str) -> Vec<(&str, &str)> {
    if let Some((path, line)) = text.rsplit_once(':')
        && !line.is_empty()
        && line.bytes().all(|b| b.is_ascii_digit())
    {
        return vec![(path, line)];
    }
    let Some(inner) = text.strip_suffix(')') else { return Vec::new() };
    let splits = inner.match_indices(" (");
    let splits = splits.map(|(at, mark)| (inner.slice(..at), inner.slice(at + mark.len()..)));
    splits.filter(|(_, place)| !document::places_within(place).is_empty()).collect()
}

/// Folder and relative path of an absolute path; `None` when its folder is not in the index.
fn split_absolute<'a>(roots: &'a [Root], absolute: &'a str) -> Option<(Folder<'a>, &'a str)> {
    roots.iter().find_map(|root| {
        let below = absolute.strip_prefix(root.real.trim_end_matches('/'))?.strip_prefix('/')?;
        Some((root.folder(), below))
    })
}

fn name_of(roots: &[Root], absolute: &str) -> String {
    match split_absolute(roots, absolute) {
        Some((folder, path)) => naming::name(folder.given, path),
        None => absolute.to_owned(),
    }
}

fn matches_absolute(glob: &PathGlob, roots: &[Root], absolute: &str) -> bool {
    let (folder, path) = split_absolute(roots, absolute).unwrap_or((Folder::default(), absolute));
    glob.matches(folder, path)
}

/// Whether a removed document matches.
fn is_removed(glob: &PathGlob, meta: &Meta) -> bool {
    meta.removed.iter().any(|path| matches_absolute(glob, &meta.roots, path))
}

fn no_document(pattern: &str) -> Fault {
    Fault::usage(format!("`{pattern}` matches no document in the index"))
        .hint("`rag documents list` shows all documents; patterns are like those of .gitignore")
}

fn changed(meta: &Meta, paths: Vec<String>, withdrawn: u64) -> Changed {
    let (documents, chunks) = (meta.counts.documents, meta.counts.chunks);
    Changed { paths, corpus_id: meta.corpus_id.clone(), documents, chunks, withdrawn }
}
