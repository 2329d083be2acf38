//! Folders in, a generation out.
//!
//! `paths ─walk→ files ─read→ texts ─chunk→ chunks ─add→ BM25 ─embed (cache, then model)→ vectors
//! ─commit→ generation n+1`
//!
//! Reading and chunking run on all threads with a bounded number of bytes in flight, and their
//! results are taken in the order of the walk, so that one thread and many build the same index.
//! Texts to embed wait in a file, not in memory.

mod embed;
pub mod extractor;
mod read;
mod repair;
mod roots;
mod scan;
mod space;
mod turns;

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use crate::cache::Counters;
use crate::disk::{Lock, Scratch};
use crate::engine::Engine;
use crate::error::{Fault, Kind, Result};
pub use crate::index::IngestStage;
use crate::index::{
    self, Before, Builder, Chunking, Meta, ModelInfo, Record, Root, Roster, Snapshot, State,
    Summary,
};
use crate::model::{ModelFiles, Network, Tokenizer};
use crate::naming;
use crate::telemetry;
use crate::text::{self, Limits, WalkOptions};
pub use repair::{Rebuilt, Repair, Step, repair};
pub use roots::known_roots;
use space::Need;

/// What to ingest.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Where relative folders begin; empty means the working directory.
    pub cwd: PathBuf,
    /// Folders, as typed: they are added to the index or brought up to date. Other folders of the
    /// index stay as they are.
    pub dirs: Vec<PathBuf>,
    /// The index has no other folders afterwards.
    pub only: bool,
    /// What folders are called, by where they really are. When it says so of any, each must be
    /// there and nowhere else.
    pub names: BTreeMap<String, String>,
    /// Which files of the folders are wanted, and which are left out. When both are empty, a folder
    /// that the index has keeps the patterns that it was last ingested with; otherwise these
    /// replace them.
    pub include: Vec<String>,
    pub exclude: Vec<String>,
    /// Neither read the embedding cache nor write to it.
    pub no_cache: bool,
    /// Read files again that failed, though neither they nor their reader have changed.
    pub retry_failed: bool,
    /// How long to wait for another writer.
    pub wait: Duration,
    /// Files are read one after another, each told before: a process died here, and the next should
    /// know over what.
    pub careful: bool,
    /// Files that are not read but reported as failed, by real path, with the reason.
    pub set_aside: BTreeMap<String, String>,
}

/// What happens meanwhile.
#[derive(Clone, Debug)]
pub enum Event {
    /// `done` of `total` units of the stage: files found, files read, texts embedded, steps of the
    /// commit. A `total` of 0 is not known yet.
    Progress { stage: IngestStage, done: u64, total: u64 },
    /// Every file before this one was taken and it is still being read, since so long.
    Waiting { file: String, since: Duration },
    /// This folder is listed next.
    Entering(PathBuf),
    /// Something the user should know that is no fault.
    Note(String),
    /// This file is read next, or no file is any more; only where [`Request::careful`] asks for it.
    Reading(Option<String>),
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Report {
    pub corpus_id: String,
    pub index_dir: PathBuf,
    pub documents: u64,
    pub chunks: u64,
    pub dimension: usize,
    pub cache: Counters,
    /// Files read in this run because they were new or looked changed.
    pub read: u64,
    /// Documents that left the index: their files are gone, are not wanted any more, or are in a
    /// folder that was taken out.
    pub removed: Vec<String>,
    /// Some of the files read, in the order of the walk.
    pub some_read: Vec<String>,
    /// False when nothing had changed and the generation is the one there was.
    pub committed: bool,
    pub skipped: u64,
    /// Why files were skipped, with how many each.
    pub skip_reasons: Vec<(String, u64)>,
    /// `(path, reason)`.
    pub failed: Vec<(String, String)>,
    /// Documents that could hold text and gave none: path, reason, what to do. They are counted in
    /// `skipped`.
    pub no_text: Vec<(String, String, String)>,
    pub elapsed: Duration,
}

/// Brings the index named in the configuration up to date with the folders of the request.
///
/// # Errors
/// When nothing can be committed. Files that cannot be read are no fault of the run: they stand in
/// the report.
pub fn run(engine: &Engine, request: &Request, on_event: &mut dyn FnMut(Event)) -> Result<Report> {
    let start = Instant::now();
    let own = data_dirs(engine);
    // What is wrong with the folders is said before anybody waits for a lock.
    let named = roots::named(request, &known_roots(engine).unwrap_or_default())?;
    let model = engine.model(&engine.config.model)?;
    let library = engine.runtime_library()?;
    let chunking = chunking(engine, &model)?;
    let need = Need::default();
    Scratch::sweep(&engine.config.data_dir.join("models"));
    let _lock = lock(engine, request.wait, on_event)
        .map_err(|fault| need.explain(fault, engine.store.dir()))?;
    // Who ingests again has mostly changed something; when nothing was, nobody waits for the
    // network.
    let network = Network::opening(library.clone(), model.clone());
    let Roster { roots: known, mut removed } = roots::roster(engine, request, on_event)?;
    let folders = roots::joined(request, &known, named, &own)?;
    let roots: Vec<Root> = folders.iter().map(|folder| folder.root.clone()).collect();
    let last = Last::open(engine, &model, chunking, on_event);
    let base = last.snapshot.as_ref().filter(|_| last.is_base);
    if base.is_none() {
        folders
            .iter()
            .filter(|folder| !folder.is_named)
            .try_for_each(|folder| roots::must_be_there(&folder.root))?;
    }
    // The folders that stay have the same numbers: what is in the files of the base can stay there.
    let is_in_place = base.is_some_and(|base| {
        let to = scan::numbers(&base.meta().roots, &roots);
        last.is_dense && to.iter().enumerate().all(|(n, to)| to.is_none_or(|to| to == n))
    });
    // What was removed stays out even where the index is built afresh.
    removed.sort();
    let kept_out: HashSet<String> = removed.iter().cloned().collect();
    let before = match &last.snapshot {
        Some(last) => scan::Before {
            roots: &last.meta().roots,
            records: match base {
                Some(base) => base.documents()?,
                // Only to name what leaves the index.
                None => last.documents().unwrap_or_default(),
            },
            is_base: base.is_some(),
            retries: request.retry_failed,
        },
        None => match &last.remains {
            Some((roots, table)) => {
                scan::Before { roots, records: table.clone(), is_base: false, retries: false }
            }
            None => scan::Before::default(),
        },
    };
    let dimension = dimension(&model, base)?;

    // Outlives the threads that look at it.
    let mut scanned = scan::Scan::empty(&roots);
    let scanned = &mut scanned;
    let outcome = std::thread::scope(|scope| {
        // Loading takes longer than reading a few files, so it starts with the first file to read.
        let mut loading = None;
        let mut on_todo = || loading = Some(scope.spawn(|| Tokenizer::load(&model)));
        let scan = scanned;
        *scan = scan::scan(engine, &folders, before, &kept_out, &mut on_todo, on_event)?;
        telemetry::debug!(
            files = scan.records.len(),
            to_read = scan.todo.len(),
            removed = scan.removed.len(),
            ms = start.elapsed().as_millis() as u64,
            "scanned"
        );
        if let Some(base) = base
            && is_in_place
            && base.meta().roots == roots
            && scan.is_unchanged()
        {
            let index_dir = base.dir().to_owned();
            telemetry::info!(documents = base.meta().counts.documents, "nothing changed");
            return Ok(report(start, base.meta(), index_dir, scan, &Outcome::default()));
        }

        need.files(scan.records.len(), scan.todo.iter().map(|todo| todo.size), dimension);
        let mut builder = Builder::begin(&engine.store, base.filter(|_| is_in_place))?;
        let mut carried = Vec::new();
        match base {
            Some(_) if is_in_place => {
                for gone in &scan.removed {
                    builder.remove(gone.root, &gone.path)?;
                }
            }
            Some(base) => carried = carry(engine, base, &roots, scan, &mut builder)?,
            None => {}
        }
        let tokenizer = loading.map(joined).transpose()?;
        if let Some(tokenizer) = &tokenizer {
            let limits = limits(chunking, &model, tokenizer);
            read::read(engine, request, scan, tokenizer, &limits, &mut builder, on_event)?;
        }
        telemetry::debug!(
            new_texts = builder.new_rows(),
            failed = scan.failed.len(),
            ms = start.elapsed().as_millis() as u64,
            "read"
        );
        let scan = &*scan;
        let seal = builder.start_seal(&scan.records)?;
        need.rows(builder.new_rows());
        let mut outcome = Outcome { committed: true, ..Outcome::default() };
        let name = &engine.config.index;
        let summary = Summary {
            name,
            model: ModelInfo {
                name: model.name.clone(),
                fingerprint: model.fingerprint.clone(),
                dimension,
            },
            chunking,
            roots: roots.clone(),
            records: &scan.records,
            removed,
            before: Before::Keep,
            corpus_id: engine.config.corpus_id.as_deref(),
            created: engine.now_s(),
        };
        let mut told = Instant::now();
        let mut sealing = Sealing(Some(scope.spawn(seal)));
        let takes_long = builder.new_rows() >= SEARCHABLE_AT_ONCE;
        if takes_long {
            // A full disk is not to be found only when all is embedded.
            sealing.end()?;
        }
        let mut progress = None;
        if takes_long && !serves_by_meaning(engine) {
            progress = engine.store.begin_progress(name, builder.new_rows() as u64);
            builder.publish_text(&summary)?;
            on_event(Event::Note(format!(
                "the index `{name}` can be searched by words; its vectors are being made"
            )));
        }
        let on_event = &mut |event: Event| {
            if let (Event::Progress { stage: IngestStage::Vectors, done, .. }, Some(progress)) =
                (&event, &progress)
                && told.elapsed() >= NOTE_EVERY
            {
                told = Instant::now();
                progress.report(*done);
            }
            on_event(event);
        };
        let vectors = builder.vectors(dimension)?;
        if let (Some(vectors), Some(base)) = (&vectors, base) {
            for (n, row) in carried.iter().enumerate() {
                vectors.put(n, &base.vector(*row)?)?;
            }
        }
        if let (Some(vectors), Some(tokenizer)) = (&vectors, tokenizer) {
            let no_cache = request.no_cache;
            let job = embed::Job {
                engine,
                model: &model,
                library: &library,
                tokenizer: &tokenizer,
                no_cache,
                dimension,
            };
            let (cache, networks) = embed::embed(
                &job,
                builder.pending_except(vec![true; carried.len()])?,
                vectors,
                network,
                on_event,
            )?;
            outcome.cache = cache;
            let ms = start.elapsed().as_millis() as u64;
            telemetry::debug!(from_cache = cache.hits, from_model = cache.misses, ms, "embedded");
            // Closing them takes some milliseconds, which the commit need not wait for.
            scope.spawn(move || drop((networks, tokenizer)));
        }
        sealing.end()?;
        if engine.interrupted() {
            return Err(Fault::interrupted());
        }
        on_event(Event::Progress { stage: IngestStage::Save, done: 0, total: 1 });
        let (pointer, meta) = builder.commit(vectors, &summary)?;
        on_event(Event::Progress { stage: IngestStage::Save, done: 1, total: 1 });
        telemetry::info!(
            index = name.as_str(),
            corpus_id = meta.corpus_id.as_str(),
            documents = meta.counts.documents,
            chunks = meta.counts.chunks,
            ms = start.elapsed().as_millis() as u64,
            "ingested"
        );
        let index_dir = engine.store.generation_dir(&pointer.current.generation);
        Ok(report(start, &meta, index_dir, scan, &outcome))
    });
    if outcome.is_ok() {
        engine.assets.state.record_data_dir(&engine.config.data_dir);
    }
    outcome.map_err(|fault| need.explain(fault, engine.store.dir()))
}

/// The lock of the data directory. Who waits for it is told so.
fn lock(engine: &Engine, wait: Duration, on_event: &mut dyn FnMut(Event)) -> Result<Lock> {
    match engine.store.lock(Duration::ZERO, &|| engine.interrupted()) {
        Err(busy) if busy.kind() == Kind::Busy && !wait.is_zero() => {
            on_event(Event::Note(format!("{busy}; waiting for it to finish")));
            engine.store.lock(wait, &|| engine.interrupted())
        }
        other => other,
    }
}

/// An index whose vectors take some seconds to make is published without them first, if there is
/// none to go on with.
const SEARCHABLE_AT_ONCE: usize = 1000;

/// How often it is noted how far the vectors are.
const NOTE_EVERY: Duration = Duration::from_millis(500);

/// Whether there is an index that is better than one without vectors.
fn serves_by_meaning(engine: &Engine) -> bool {
    engine.store.meta(&engine.config.index).is_ok_and(|meta| meta.pending == 0)
}

/// What can be known before anything is begun: that folders, model and library are there.
///
/// # Errors
/// Those of [`run`] that no later try would mend.
pub fn check(engine: &Engine, request: &Request) -> Result<()> {
    // What is unknown now may be mended by then.
    let known = known_roots(engine).unwrap_or_default();
    roots::joined(request, &known, roots::named(request, &known)?, &data_dirs(engine))?;
    chunking(engine, &engine.configured_model()?)?;
    engine.runtime_library().map(drop)
}

/// The folders that the request takes out of the index because it does not name them, with the
/// documents of each.
///
/// # Errors
/// Those of the folders that it names.
pub fn left_out(engine: &Engine, request: &Request) -> Result<Vec<(String, u64)>> {
    // Of what cannot be read nothing can be said; the ingest itself says that it is damaged.
    let Ok(snapshot) = engine.store.open(&engine.config.index) else { return Ok(Vec::new()) };
    let known = &snapshot.meta().roots;
    let named = roots::named(request, known)?;
    let records = snapshot.documents().unwrap_or_default();
    let documents = |n: usize| {
        records.iter().filter(|r| r.root == n && r.state == State::Indexed).count() as u64
    };
    let is_left = |root: &Root| request.only && named.iter().all(|named| named.real != root.real);
    let left = known.iter().enumerate().filter(|(_, root)| is_left(root));
    Ok(left.map(|(n, root)| (root.given.clone(), documents(n))).collect())
}

/// Adds the passages that the new generation takes over from `base` to a builder that has no base.
/// Yields the base row of each of the builder's vectors.
fn carry(
    engine: &Engine,
    base: &Snapshot,
    roots: &[Root],
    scan: &scan::Scan,
    builder: &mut Builder<'_>,
) -> Result<Vec<u64>> {
    let from = scan::numbers(roots, &base.meta().roots);
    let mut rows = Vec::new();
    // A file that is read may turn out to be what it was; if not, what was taken over is removed
    // again.
    let read = scan.todo.iter().filter_map(|todo| todo.before.as_deref());
    for record in scan.records.iter().chain(read).filter(|record| record.state == State::Indexed) {
        if engine.interrupted() {
            return Err(Fault::interrupted());
        }
        if let Some(from) = from[record.root] {
            index::copy_document(builder, base, from, record, &mut rows)?;
        }
    }
    Ok(rows)
}

/// What seals a builder meanwhile. However the ingest ends, even by a panic, it is over before the
/// builder is: what is still being written cannot be removed.
struct Sealing<'a>(Option<ScopedJoinHandle<'a, Result<()>>>);

impl Sealing<'_> {
    fn end(&mut self) -> Result<()> {
        self.0.take().map_or(Ok(()), joined)
    }
}

impl Drop for Sealing<'_> {
    fn drop(&mut self) {
        let _ = self.0.take().map(ScopedJoinHandle::join);
    }
}

fn joined<T>(loading: ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    loading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

#[derive(Default)]
struct Outcome {
    committed: bool,
    cache: Counters,
}

/// Version of extraction and chunking: raise it when the same file would give other chunks.
const TEXT_VERSION: u32 = 6 | text::LEFT_OUT << 16;

fn chunking(engine: &Engine, model: &ModelFiles) -> Result<Chunking> {
    let (max, overlap) = engine.config.passages(&model.name, model.spec.max_tokens)?;
    Ok(Chunking::new(max, overlap, TEXT_VERSION))
}

/// The chunker's budget: the window without what the model adds around a passage.
fn limits(chunking: Chunking, model: &ModelFiles, tokenizer: &Tokenizer) -> Limits {
    let around = tokenizer.special() + tokenizer.count(&model.spec.passage_prefix);
    Limits {
        max_tokens: chunking.max_tokens.saturating_sub(around).max(1),
        overlap_tokens: chunking.overlap_tokens,
    }
}

fn dimension(model: &ModelFiles, base: Option<&Snapshot>) -> Result<usize> {
    let known = model.spec.dimension.or(base.map(|base| base.meta().model.dimension));
    known.ok_or_else(|| {
        Fault::failed(format!("the model `{}` does not say its dimension", model.name))
    })
}

/// Which files of a folder are wanted. What was uploaded is ingested as a folder of its own, and
/// never as a part of one.
pub fn walk_options(engine: &Engine, root: &Root) -> WalkOptions {
    let mut skip = data_dirs(engine);
    if let Ok(uploads) = engine.config.data_dir.join("uploads").canonicalize() {
        skip.retain(|dir| *dir != uploads || !Path::new(&root.real).starts_with(dir));
    }
    WalkOptions { include: root.include.clone(), exclude: root.exclude.clone(), skip }
}

/// Folders that are never ingested: what this program itself writes.
fn data_dirs(engine: &Engine) -> Vec<PathBuf> {
    let config = &engine.config;
    let own = ["analytics", "indexes", "models", "runtime", "runs", "sessions", "uploads"];
    let own = own.map(|below| config.data_dir.join(below));
    let dirs = own.into_iter().chain([config.cache_dir.clone(), config.jobs_dir.clone()]);
    dirs.filter_map(|dir| dir.canonicalize().ok()).collect()
}

/// The generation that the ingest follows on.
#[derive(Default)]
struct Last {
    snapshot: Option<Snapshot>,
    /// The folders and the table of a generation that cannot be opened.
    remains: Option<(Vec<Root>, Vec<Record>)>,
    /// It is whole, and of the same model and chunking: what did not change is taken over.
    is_base: bool,
    /// Most of its vectors belong to a passage.
    is_dense: bool,
}

impl Last {
    fn open(
        engine: &Engine,
        model: &ModelFiles,
        chunking: Chunking,
        on_event: &mut dyn FnMut(Event),
    ) -> Self {
        let name = &engine.config.index;
        if engine.store.pointer(name).is_ok_and(|pointer| pointer.is_none()) {
            return Self::default();
        }
        let snapshot = match engine.store.open(name) {
            Ok(snapshot) => snapshot,
            Err(fault) => {
                on_event(afresh(name, &fault));
                let pointer = engine.store.pointer(name).ok().flatten();
                let remains =
                    pointer.and_then(|pointer| index::Remains::open(&engine.store, &pointer).ok());
                let remains =
                    remains.map(|remains| (remains.meta.roots, remains.table.unwrap_or_default()));
                return Self { remains, ..Self::default() };
            }
        };
        let mut last = Self::default();
        let meta = snapshot.meta();
        if let Err(fault) = snapshot.check() {
            on_event(afresh(name, &fault));
        } else if meta.pending > 0 {
            on_event(Event::Note(format!(
                "the vectors of the index `{name}` were not finished; what is made is in the cache"
            )));
        } else if meta.model.fingerprint != model.fingerprint || meta.chunking != chunking {
            on_event(Event::Note(format!(
                "model or chunking changed: the index `{name}` is built afresh"
            )));
        } else {
            last.is_base = true;
            last.is_dense = meta.counts.rows <= 2 * meta.counts.chunks.max(500);
        }
        last.snapshot = Some(snapshot);
        last
    }
}

fn afresh(name: &str, fault: &Fault) -> Event {
    let why = if fault.kind() == Kind::Damaged { "is damaged" } else { "cannot be continued" };
    Event::Note(format!("the index `{name}` {why} and is built afresh: {fault}"))
}

fn report(
    start: Instant,
    meta: &Meta,
    index_dir: PathBuf,
    scan: &scan::Scan,
    outcome: &Outcome,
) -> Report {
    // Of the folders that were listed: the others are no business of this ingest.
    let listed = |state: State| {
        scan.records
            .iter()
            .filter(move |r| r.state == state && scan.listed.get(r.root).copied().unwrap_or(true))
    };
    let mut skip_reasons: BTreeMap<String, u64> = scan.skipped.clone();
    for record in listed(State::Skipped) {
        *skip_reasons.entry(record.reason.clone().unwrap_or_default()).or_insert(0) += 1;
    }
    let failed_records = listed(State::Failed);
    let mut failed: Vec<(String, String)> = failed_records
        .map(|record| {
            let reason = record.reason.clone().unwrap_or_default();
            let advice =
                record.advice.as_ref().map(|advice| format!("; {advice}")).unwrap_or_default();
            (shown(&meta.roots, record.root, &record.path), format!("{reason}{advice}"))
        })
        .chain(
            scan.failed
                .iter()
                .map(|(root, path, reason)| (shown(&meta.roots, *root, path), reason.clone())),
        )
        .collect();
    failed.sort();
    let no_text = listed(State::Skipped).filter_map(|record| {
        let path = shown(&meta.roots, record.root, &record.path);
        Some((path, record.reason.clone().unwrap_or_default(), record.advice.clone()?))
    });
    let no_text = no_text.collect();
    /// As many as anybody reads.
    const SOME: usize = 20;
    let some_read = scan.todo.iter().take(SOME).map(|todo| &scan.records[todo.record]);
    Report {
        corpus_id: meta.corpus_id.clone(),
        index_dir,
        documents: meta.counts.documents,
        chunks: meta.counts.chunks,
        dimension: meta.model.dimension,
        cache: outcome.cache,
        read: scan.todo.len() as u64,
        removed: scan.removed.iter().map(|gone| gone.name.clone()).collect(),
        some_read: some_read.map(|record| shown(&meta.roots, record.root, &record.path)).collect(),
        committed: outcome.committed,
        skipped: skip_reasons.values().sum(),
        skip_reasons: skip_reasons.into_iter().collect(),
        failed,
        no_text,
        elapsed: start.elapsed(),
    }
}

/// A file as the user would name it.
fn shown(roots: &[Root], root: usize, path: &str) -> String {
    naming::name(roots.get(root).map_or("", |root| &root.given), path)
}
