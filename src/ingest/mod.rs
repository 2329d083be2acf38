//! Ingests folders into a new generation of an index.
//!
//! `paths ─walk→ files ─read→ texts ─chunk→ chunks ─add→ BM25 ─embed (cache, then model)→ vectors
//! ─commit→ generation n+1`
//!
//! Files are read and chunked on all threads, with a bounded number of bytes in flight. Results are
//! added in the order of the walk, so the number of threads does not change the index. Texts to
//! embed are spooled to a file.

mod divide;
mod embed;
pub mod extractor;
mod languages;
mod last;
mod preview;
mod read;
mod repair;
mod report;
mod request;
mod roots;
mod scan;
mod setup;
mod space;
mod turns;

use std::thread::{JoinHandle, ScopedJoinHandle};
use std::time::{Duration, Instant};

use crate::cache::Counters;
use crate::disk::Scratch;
use crate::engine::Engine;
use crate::error::{Fault, Kind, Result};
pub use crate::index::IngestStage;
use crate::index::{
    self, Before, Builder, Chunking, ModelInfo, Progress, Record, Root, Roster, Snapshot, State,
    Summary, Vectors,
};
use crate::model::{Library, ModelFiles, Network, Tokenizer};
use crate::telemetry;
pub use divide::{help, is_help_wanted};
use last::Last;
pub use preview::{Preview, preview};
pub use repair::{Rebuilt, Repair, Step, repair};
pub use report::Report;
pub use request::{Event, Request};
use roots::{Folder, data_dirs};
pub use roots::{known_roots, walk_options};
use scan::{Previous, Scan};
use setup::{chunking, dimension, join, limits, lock};
use space::Need;

/// An index with at least this many new vectors, some seconds of work, is published without them
/// first, if no index with vectors exists.
const PUBLISH_TEXT_FIRST: usize = 1000;

/// How often the progress of vectors is stored for other processes.
const STORE_PROGRESS_EVERY: Duration = Duration::from_millis(500);

/// Updates the index named in the configuration with the folders of the request.
///
/// # Errors
/// When nothing can be committed. Files that cannot be read are listed in the report instead.
pub fn run(engine: &Engine, request: &Request, on_event: &mut dyn FnMut(Event)) -> Result<Report> {
    /// Of as many machines that commit at the same time, each wins before its tries end.
    const TRIES: usize = 30;
    let need = Need::default();
    for _ in 1..TRIES {
        match ingest(engine, request, &need, on_event) {
            Err(fault) if fault.kind() == Kind::Busy && engine.store.take_lost() => {
                on_event(Event::Note(format!("{fault}; building on what it made")));
            }
            done => return done.map_err(|fault| need.explain(fault, engine.store.dir())),
        }
    }
    ingest(engine, request, &need, on_event)
        .map_err(|fault| need.explain(fault, engine.store.dir()))
}

fn ingest(
    engine: &Engine,
    request: &Request,
    need: &Need,
    on_event: &mut dyn FnMut(Event),
) -> Result<Report> {
    let start = Instant::now();
    // Faults of the folders are reported before waiting for the lock.
    let named = roots::named_with_sites(engine, request, &known_roots(engine).unwrap_or_default())?;
    let model = engine.model(&engine.config.model)?.embedding()?;
    let library = engine.runtime_library()?;
    let chunking = chunking(engine, &model)?;
    Scratch::sweep(&engine.config.data_dir.join("models"));
    let _lock = lock(engine, request.wait, on_event)?;
    // Most ingests need the network, so it starts loading in the background.
    let network = Network::opening(library.clone(), model.clone());
    let Roster { roots: known, mut removed } = roots::roster(engine, request, on_event)?;
    removed.sort();
    let mut folders = roots::joined(request, &known, named, &data_dirs(engine))?;
    roots::refresh_sites(engine, request, &mut folders, on_event)?;
    let roots: Vec<Root> = folders.iter().map(|folder| folder.root.clone()).collect();
    let last = Last::open(engine, &model, chunking, on_event);
    let base = last.base();
    if base.is_none() {
        // Everything is read again, so every folder must exist.
        for folder in folders.iter().filter(|folder| !folder.is_named) {
            roots::check_present(&folder.root)?;
        }
    }
    let run = Run {
        engine,
        request,
        need,
        start,
        model: &model,
        library: &library,
        chunking,
        dimension: dimension(&model, base)?,
        base,
        is_in_place: last.is_in_place(&roots),
        roots,
        removed,
    };
    let previous = last.previous(&run.removed, request.retry_failed)?;
    let (scan, contents) = run.read(&folders, previous, on_event)?;
    let report = match contents {
        Contents::Unchanged(base) => {
            engine.store.complete_vectors(&engine.config.index)?;
            run.unchanged(&scan, base)
        }
        Contents::Built(built) => run.finish(&scan, *built, network, on_event)?,
    };
    if engine.config.state_dir.is_some() {
        engine.assets.state.record_data_dir(&engine.config.data_dir);
    }
    Ok(report)
}

/// What the steps of an ingest share.
struct Run<'a> {
    engine: &'a Engine,
    request: &'a Request,
    need: &'a Need,
    start: Instant,
    model: &'a ModelFiles,
    library: &'a Library,
    chunking: Chunking,
    dimension: usize,
    /// The generation whose unchanged documents are kept.
    base: Option<&'a Snapshot>,
    /// The folders of the base keep their numbers, so its files are linked instead of copied.
    is_in_place: bool,
    /// The folders of the new generation.
    roots: Vec<Root>,
    /// Documents that the user removed, sorted. They stay out even when the index is rebuilt.
    removed: Vec<String>,
}

/// The documents of the new generation.
enum Contents<'a> {
    /// Those of the base.
    Unchanged(&'a Snapshot),
    Built(Box<Built<'a>>),
}

/// A builder with all documents, and what is needed to make their vectors.
struct Built<'a> {
    builder: Builder<'a>,
    /// Loaded if a file was read.
    tokenizer: Option<Tokenizer>,
    /// The base row of each row that was copied to the builder.
    carried: Vec<u64>,
}

impl<'a> Run<'a> {
    /// Scans the folders, reads what changed and adds it to a builder.
    fn read(
        &self,
        folders: &[Folder],
        previous: Previous<'_>,
        on_event: &mut dyn FnMut(Event),
    ) -> Result<(Scan, Contents<'a>)> {
        let model = self.model;
        std::thread::scope(|scope| {
            // Loading takes longer than reading a few files, so it starts with the first one.
            let mut loading = None;
            let mut on_todo = || loading = Some(scope.spawn(move || Tokenizer::load(model)));
            let mut scan = scan::scan(self.engine, folders, previous, &mut on_todo, on_event)?;
            telemetry::debug!(
                files = scan.records.len(),
                to_read = scan.todo.len(),
                removed = scan.removed.len(),
                ms = self.elapsed_ms(),
                "scanned"
            );
            let base = self.base.filter(|_| self.is_in_place);
            if let Some(base) = base
                && base.meta().roots == self.roots
                && scan.is_unchanged()
            {
                return Ok((scan, Contents::Unchanged(base)));
            }
            let sizes = scan.todo.iter().map(|todo| todo.size);
            self.need.files(scan.records.len(), sizes, self.dimension);
            let mut builder = Builder::begin(&self.engine.store, base)?;
            let carried = self.carry(&scan, &mut builder)?;
            let tokenizer = loading.map(join).transpose()?;
            if let Some(tokenizer) = &tokenizer {
                let limits = &limits(self.chunking, model, tokenizer);
                let (engine, request) = (self.engine, self.request);
                let reader = read::FileReader { engine, request, tokenizer, limits };
                reader.read(&mut scan, &mut builder, on_event)?;
            }
            telemetry::debug!(
                new_texts = builder.new_rows(),
                failed = scan.failed.len(),
                ms = self.elapsed_ms(),
                "read"
            );
            Ok((scan, Contents::Built(Box::new(Built { builder, tokenizer, carried }))))
        })
    }

    /// Takes over the unchanged passages of the base. In place, only what is gone is removed;
    /// otherwise passages are copied. Returns the base row of each copied vector.
    fn carry(&self, scan: &Scan, builder: &mut Builder<'_>) -> Result<Vec<u64>> {
        let Some(base) = self.base else { return Ok(Vec::new()) };
        if self.is_in_place {
            for gone in &scan.removed {
                builder.remove(gone.root, &gone.path)?;
            }
            return Ok(Vec::new());
        }
        let from = scan::numbers(&self.roots, &base.meta().roots);
        let mut rows = Vec::new();
        // A file to read may turn out to be unchanged. If it did change, its passages are removed
        // again.
        let to_read = scan.todo.iter().filter_map(|todo| todo.before.as_deref());
        let records = scan.records.iter().chain(to_read);
        for record in records.filter(|record| record.state == State::Indexed) {
            if self.engine.interrupted() {
                return Err(Fault::interrupted());
            }
            if let Some(from) = from[record.root] {
                index::copy_document(builder, base, from, record, &mut rows)?;
            }
        }
        Ok(rows)
    }

    /// Seals the BM25 index while the vectors are made, then commits.
    fn finish(
        &self,
        scan: &Scan,
        built: Built<'_>,
        network: JoinHandle<Result<Network>>,
        on_event: &mut dyn FnMut(Event),
    ) -> Result<Report> {
        let Built { mut builder, tokenizer, carried } = built;
        let summary = self.summary(&scan.records);
        std::thread::scope(|scope| {
            let seal = builder.start_seal(&scan.records)?;
            let new_rows = builder.new_rows();
            self.need.rows(new_rows);
            let mut sealing = Sealing(Some(scope.spawn(seal)));
            let mut progress = None;
            if new_rows >= PUBLISH_TEXT_FIRST {
                // A full disk is reported now rather than after everything is embedded.
                sealing.end()?;
                progress = self.publish_text(&mut builder, &summary, on_event)?;
            }
            let vectors = builder.vectors(self.dimension)?;
            let mut counters = Counters::default();
            if let Some(vectors) = &vectors {
                self.copy_vectors(&carried, vectors)?;
            }
            if let (Some(vectors), Some(tokenizer)) = (&vectors, tokenizer) {
                let job = self.embedding(&tokenizer);
                let pending = builder.pending_except(vec![true; carried.len()])?;
                let on_event = &mut storing_progress(progress.as_ref(), on_event);
                let (cache, networks) = embed::embed(&job, pending, vectors, network, on_event)?;
                telemetry::debug!(
                    from_cache = cache.hits,
                    from_model = cache.misses,
                    ms = self.elapsed_ms(),
                    "embedded"
                );
                counters = cache;
                // Closing them takes some milliseconds, which the commit does not wait for.
                scope.spawn(move || drop((networks, tokenizer)));
            }
            sealing.end()?;
            if self.engine.interrupted() {
                return Err(Fault::interrupted());
            }
            on_event(Event::Progress { stage: IngestStage::Save, done: 0, total: 1 });
            let (pointer, meta) = builder.commit(vectors, &summary)?;
            on_event(Event::Progress { stage: IngestStage::Save, done: 1, total: 1 });
            telemetry::info!(
                index = summary.name,
                corpus_id = meta.corpus_id.as_str(),
                documents = meta.counts.documents,
                chunks = meta.counts.chunks,
                ms = self.elapsed_ms(),
                "ingested"
            );
            let before = self.base.map(Snapshot::meta);
            if let Some(advice) = languages::advice(self.model, &meta, before) {
                on_event(Event::Note(advice));
            }
            let index_dir = self.engine.store.generation_dir(&pointer.current.generation);
            let report = Report::new(&meta, index_dir, scan, self.start);
            Ok(Report { committed: true, cache: counters, ..report })
        })
    }

    /// Publishes the generation without vectors, unless an index with vectors exists or the index
    /// is shared.
    fn publish_text(
        &self,
        builder: &mut Builder<'_>,
        summary: &Summary<'_>,
        on_event: &mut dyn FnMut(Event),
    ) -> Result<Option<Progress>> {
        let (store, name) = (&self.engine.store, summary.name);
        // Other machines would not see how many are made.
        if store.is_shared() || store.meta(name).is_ok_and(|meta| meta.pending == 0) {
            return Ok(None);
        }
        let progress = store.begin_progress(name, builder.new_rows() as u64);
        builder.publish_text(summary)?;
        on_event(Event::Note(format!(
            "the index `{name}` can be searched by words; its vectors are being made"
        )));
        Ok(progress)
    }

    /// Copies the vectors of the given base rows to the first rows.
    fn copy_vectors(&self, base_rows: &[u64], vectors: &Vectors) -> Result<()> {
        let Some(base) = self.base else { return Ok(()) };
        for (n, row) in base_rows.iter().enumerate() {
            vectors.put(n, &base.vector(*row)?)?;
        }
        Ok(())
    }

    fn embedding<'t>(&'t self, tokenizer: &'t Tokenizer) -> embed::Job<'t> {
        embed::Job {
            engine: self.engine,
            model: self.model,
            library: self.library,
            tokenizer,
            no_cache: self.request.no_cache,
            dimension: self.dimension,
        }
    }

    fn summary<'s>(&'s self, records: &'s [Record]) -> Summary<'s> {
        Summary {
            name: &self.engine.config.index,
            model: ModelInfo {
                name: self.model.name.clone(),
                fingerprint: self.model.fingerprint.clone(),
                dimension: self.dimension,
                languages: self.model.languages(),
            },
            chunking: self.chunking,
            roots: self.roots.clone(),
            records,
            removed: self.removed.clone(),
            before: Before::Keep,
            corpus_id: self.engine.config.corpus_id.as_deref(),
            created: self.engine.now_s(),
        }
    }

    /// The report when the current generation is kept.
    fn unchanged(&self, scan: &Scan, base: &Snapshot) -> Report {
        telemetry::info!(documents = base.meta().counts.documents, "nothing changed");
        Report::new(base.meta(), base.dir().to_owned(), scan, self.start)
    }

    fn elapsed_ms(&self) -> u64 {
        self.start.elapsed().as_millis() as u64
    }
}

/// Stores the progress of vectors for other processes, and passes each event on.
fn storing_progress<'a>(
    progress: Option<&'a Progress>,
    on_event: &'a mut dyn FnMut(Event),
) -> impl FnMut(Event) + 'a {
    let mut stored_at = Instant::now();
    move |event| {
        if let (Event::Progress { stage: IngestStage::Vectors, done, .. }, Some(progress)) =
            (&event, progress)
            && stored_at.elapsed() >= STORE_PROGRESS_EVERY
        {
            stored_at = Instant::now();
            progress.report(*done);
        }
        on_event(event);
    }
}

/// Checks in advance that folders, model and library exist.
///
/// # Errors
/// Those of [`run`] that a retry would repeat.
pub fn check(engine: &Engine, request: &Request) -> Result<()> {
    // An unreadable index may be repaired before the ingest starts.
    let known = known_roots(engine).unwrap_or_default();
    let named = roots::named_with_sites(engine, request, &known)?;
    roots::joined(request, &known, named, &data_dirs(engine))?;
    chunking(engine, &engine.configured_model()?)?;
    engine.runtime_library().map(drop)
}

/// The folders that [`Request::only`] removes from the index, with the number of documents of each.
///
/// # Errors
/// Those of the folders that the request names.
pub fn left_out(engine: &Engine, request: &Request) -> Result<Vec<(String, u64)>> {
    // An unreadable index is reported by the ingest itself.
    let Ok(snapshot) = engine.store.open(&engine.config.index) else { return Ok(Vec::new()) };
    let known = &snapshot.meta().roots;
    let named = roots::named_with_sites(engine, request, known)?;
    let records = snapshot.documents().unwrap_or_default();
    let documents = |n: usize| {
        records.iter().filter(|r| r.root == n && r.state == State::Indexed).count() as u64
    };
    let is_left = |root: &Root| request.only && named.iter().all(|named| named.real != root.real);
    let left = known.iter().enumerate().filter(|(_, root)| is_left(root));
    Ok(left.map(|(n, root)| (root.given.clone(), documents(n))).collect())
}

/// The thread that seals a builder. It is joined on drop, even in a panic, before the builder
/// removes the files that the thread writes.
struct Sealing<'a>(Option<ScopedJoinHandle<'a, Result<()>>>);

impl Sealing<'_> {
    fn end(&mut self) -> Result<()> {
        self.0.take().map_or(Ok(()), join)
    }
}

impl Drop for Sealing<'_> {
    fn drop(&mut self) {
        let _ = self.0.take().map(ScopedJoinHandle::join);
    }
}
