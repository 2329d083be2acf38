//! Repairs a damaged generation from what can be read of it, the folders, and the embedding cache.
//!
//! A document is taken from the damaged generation if all its passages can be read there, otherwise
//! from its file. Vectors come from the generation, the cache or the model. Documents that cannot
//! be restored are listed.

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use super::embed;
use super::read;
use super::request::{Event, Request};
use super::roots::{file_of, shown};
use super::scan::{Scan, Todo};
use super::setup::{join, limits, lock, text_version};
use crate::analysis;
use crate::cache::Counters;
use crate::document::{context_line, embedded_text};
use crate::engine::Engine;
use crate::error::{Fault, Kind, Result};
use crate::index::{
    self, Before, Builder, ChunkEntry, Meta, Problem, Record, Remains, State, Stored, Summary,
};
use crate::jobs::Work;
use crate::model::{ModelFiles, Network, Tokenizer};
use crate::text;

/// What was damaged, and what was done about it.
#[derive(Debug)]
pub struct Repair {
    pub damaged: Vec<Problem>,
    pub steps: Vec<Step>,
    /// The index as it is now.
    pub meta: Meta,
}

/// One step of a repair. Times are Unix seconds.
#[derive(Clone, Debug)]
pub enum Step {
    /// The pointer leads to a generation again.
    Pointer {
        created: i64,
    },
    /// The pointer leads to the previous generation.
    FellBack {
        created: i64,
    },
    Rebuilt(Rebuilt),
}

#[derive(Clone, Debug, Default)]
pub struct Rebuilt {
    /// Documents copied from the damaged generation.
    pub kept: u64,
    /// Documents read from their files.
    pub read: u64,
    /// Vectors copied from the damaged generation.
    pub vectors_kept: u64,
    /// Other vectors: hits of the cache; misses were made by the model.
    pub cache: Counters,
    /// Documents that could not be restored as they were: `(path, why)`.
    pub unmended: Vec<(String, String)>,
}

/// Repairs the configured index as far as possible.
///
/// # Errors
/// [`Kind::Damaged`] when nothing can be repaired; the hint says what to do instead, and nothing
/// has changed.
pub fn repair(engine: &Engine, wait: Duration, on_event: &mut dyn FnMut(Event)) -> Result<Repair> {
    let (store, name) = (&engine.store, &engine.config.index);
    let _lock = lock(engine, wait, on_event)?;
    let mut damaged = index::verify(store, name)?;
    if store.is_shared() && !damaged.is_empty() {
        let _ = store.copy_again(name);
        damaged = index::verify(store, name)?;
        if damaged.is_empty() {
            on_event(Event::Note(format!("the index `{name}` was damaged here and copied again")));
        }
    }
    let mut steps = Vec::new();
    if store.pointer(name).is_err_and(|fault| fault.kind() == Kind::Damaged) {
        let meta = index::repair_pointer(store, name).map_err(|fault| or_ingest(engine, fault))?;
        steps.push(Step::Pointer { created: meta.created });
        damaged.extend(index::verify(store, name)?);
    }
    let is_damaged = damaged.len() > steps.len();
    if let (true, Some(pointer)) = (is_damaged, store.pointer(name)?) {
        match Remains::open(store, &pointer) {
            Ok(remains) => steps.push(Step::Rebuilt(rebuild(engine, &remains, on_event)?)),
            Err(fault) if fault.kind() == Kind::Damaged => {
                let meta =
                    index::fall_back(store, &pointer).map_err(|fault| or_ingest(engine, fault))?;
                steps.push(Step::FellBack { created: meta.created });
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(Repair { damaged, steps, meta: store.meta(name)? })
}

/// Adds the hint to rebuild the index from its folders, which the job log may have.
fn or_ingest(engine: &Engine, fault: Fault) -> Fault {
    // If the list of folders is lost, an ingest must name all of them with `--only`.
    let only =
        if index::roster(&engine.store, &engine.config.index).is_err() { "--only " } else { "" };
    let jobs = engine.jobs.list(engine.now_ms()).unwrap_or_default();
    let specs = jobs.iter().rev().map(|job| &job.spec.work).map(|Work::Ingest(spec)| spec);
    let own: Vec<_> = specs.filter(|spec| spec.index == engine.config.index).collect();
    let hint = match own.first() {
        Some(last) => {
            let mut dirs: Vec<&str> = Vec::new();
            for dir in own.iter().filter(|spec| spec.cwd == last.cwd).flat_map(|spec| &spec.dirs) {
                if !dirs.contains(&dir.as_str()) {
                    dirs.push(dir);
                }
            }
            let place =
                if last.cwd.is_empty() { String::new() } else { format!(" in {}", last.cwd) };
            format!("run `rag ingest {only}--dir {}`{place}", dirs.join(" --dir "))
        }
        None => format!("run `rag ingest {only}--dir FOLDER` with the folders that were indexed"),
    };
    fault.hint(format!("{hint}: it rebuilds the index, with vectors from the cache"))
}

fn rebuild(engine: &Engine, remains: &Remains, on_event: &mut dyn FnMut(Event)) -> Result<Rebuilt> {
    let meta = &remains.meta;
    let model = &same_model(engine, meta)?;
    let library = &engine.runtime_library()?;
    let network = Network::opening(library.clone(), model.clone());
    let mut rebuilt = Rebuilt::default();
    let mut builder = Builder::begin(&engine.store, None)?;
    let mut plan = Plan {
        scan: Scan::empty(&meta.roots),
        before: Vec::new(),
        has_table: remains.table.is_some(),
        unmended: Vec::new(),
    };
    let tokenizer = &std::thread::scope(|scope| {
        let tokenizer = scope.spawn(|| Tokenizer::load(model));
        rebuilt.kept = plan.keep(remains, &mut builder)?;
        join(tokenizer)
    })?;
    if !plan.scan.todo.is_empty() {
        let limits = &limits(meta.chunking, model, tokenizer);
        let request = &Request::default();
        let reader = read::FileReader { engine, request, tokenizer, limits };
        reader.read(&mut plan.scan, &mut builder, on_event)?;
    }
    let (read, records) = plan.settle(meta);
    builder.seal(&records)?;
    rebuilt.read = read;
    if rebuilt.kept + rebuilt.read == 0 && meta.counts.documents > 0 {
        let first = plan.unmended.first().map(|(path, why)| format!(": {path}: {why}"));
        let first = first.unwrap_or_default();
        let fault = Fault::damaged(format!("nothing of the index can be repaired{first}"));
        return Err(or_ingest(engine, fault));
    }
    let dimension = meta.model.dimension;
    let vectors = builder.vectors(dimension)?;
    if let Some(vectors) = &vectors {
        let mut put = vec![false; builder.new_rows()];
        for pending in builder.pending()? {
            let (n, text) = pending?;
            if let Some(vector) = remains.vector_of(&text) {
                vectors.put(n, &vector)?;
                put[n] = true;
                rebuilt.vectors_kept += 1;
            }
        }
        let job = embed::Job { engine, model, library, tokenizer, no_cache: false, dimension };
        let pending = builder.pending_except(put)?;
        (rebuilt.cache, _) = embed::embed(&job, pending, vectors, network, on_event)?;
    }
    if engine.interrupted() {
        return Err(Fault::interrupted());
    }
    let like = Summary::like(meta, &engine.config.index, &records, engine.now_s());
    builder.commit(vectors, &Summary { before: Before::Replace, ..like })?;
    plan.compare(remains, &engine.store.open(&engine.config.index)?)?;
    rebuilt.unmended = plan.unmended;
    Ok(rebuilt)
}

/// The model of the index, in the same version, if texts are still chunked in the same way.
fn same_model(engine: &Engine, meta: &Meta) -> Result<ModelFiles> {
    if (meta.chunking.analysis, meta.chunking.text) != (analysis::VERSION, text_version(engine)) {
        let fault =
            Fault::damaged("the index was built by another version of rag, with other chunking");
        return Err(or_ingest(engine, fault));
    }
    let model = engine.model(&meta.model.name)?;
    if model.fingerprint != meta.model.fingerprint {
        return Err(Fault::failed(format!(
            "the index was built with another version of the model `{}`",
            model.name
        ))
        .hint("run `rag ingest` with the same folders: it rebuilds the index"));
    }
    Ok(model)
}

const FILE_CHANGED: &str = "its file has changed; the index has the new version";

/// The contents of the new generation.
struct Plan {
    /// The new table, and the files to read.
    scan: Scan,
    /// The last records of those files.
    before: Vec<Record>,
    /// Without a table, only the passages show whether a file has changed.
    has_table: bool,
    unmended: Vec<(String, String)>,
}

impl Plan {
    /// Adds what can be read of the damaged generation to `builder`, and plans to read the files of
    /// the rest. Returns the number of documents added.
    fn keep(&mut self, remains: &Remains, builder: &mut Builder<'_>) -> Result<u64> {
        let table = match &remains.table {
            Some(table) => table.clone(),
            None => remains
                .documents()
                .into_iter()
                .map(|((root, path), n)| index::blank_record(root, path, n, None))
                .collect(),
        };
        let mut kept = 0;
        for record in table {
            if record.state != State::Indexed {
                self.scan.records.push(record);
                continue;
            }
            let Some(root) = remains.meta.roots.get(record.root) else {
                let path = &record.path;
                return Err(Fault::damaged(format!("{path} is not in a folder of the index")));
            };
            let file = file_of(root, &record.path);
            let metadata = file.metadata().ok().filter(std::fs::Metadata::is_file);
            match remains.chunks_of(&record) {
                Some(chunks) if self.has_table || metadata.is_none() => {
                    let record = self.kept(record, &chunks, &remains.meta);
                    self.scan.records.push(add(builder, record, &chunks)?);
                    kept += 1;
                }
                _ => {
                    let (size, modified_s) =
                        metadata.map_or((0, 0), |metadata| (metadata.len(), metadata.mtime()));
                    let blank = index::blank_record(record.root, record.path.clone(), 0, None);
                    let n = self.scan.records.len();
                    self.scan.todo.push(Todo { record: n, size, before: None });
                    self.scan.records.push(Record { state: State::Failed, modified_s, ..blank });
                    self.before.push(record);
                }
            }
        }
        Ok(kept)
    }

    /// The record of a document that is copied. Without a table its file is gone, and only the
    /// language can be restored.
    fn kept(&mut self, record: Record, chunks: &[Stored], meta: &Meta) -> Record {
        if self.has_table {
            return record;
        }
        let why = "its file is gone; its passages are kept, but its metadata is lost";
        self.unmended.push((shown(&meta.roots, record.root, &record.path), why.to_owned()));
        let texts: Vec<&str> = chunks.iter().map(|stored| stored.chunk.text.as_str()).collect();
        let language = text::detect(&texts.join("\n")).map(Into::into);
        Record { language, ..record }
    }

    /// After reading: the number of files read, and the table of the documents in the build.
    fn settle(&mut self, meta: &Meta) -> (u64, Vec<Record>) {
        let mut lost = HashSet::new();
        let mut read = 0;
        for (todo, before) in self.scan.todo.iter().zip(&self.before) {
            let record = &self.scan.records[todo.record];
            let why = match record.state {
                State::Indexed => {
                    read += 1;
                    let has_changed = self.has_table && record.hash != before.hash;
                    has_changed.then(|| FILE_CHANGED.to_owned())
                }
                State::Skipped => Some("its file has changed and no longer has text".to_owned()),
                State::Failed => {
                    lost.insert(todo.record);
                    Some(if self.scan.absolute(record).exists() {
                        let reason = record.reason.as_deref().unwrap_or_default();
                        format!("its file cannot be read: {reason}")
                    } else {
                        "its file is gone".to_owned()
                    })
                }
            };
            let unmended = why.map(|why| (shown(&meta.roots, record.root, &record.path), why));
            self.unmended.extend(unmended);
        }
        let records = std::mem::take(&mut self.scan.records).into_iter().enumerate();
        let present = records.filter(|(n, _)| !lost.contains(n));
        (read, present.map(|(_, record)| record).collect())
    }

    /// Without a table: finds the files whose passages differ from those of the damaged generation.
    fn compare(&mut self, remains: &Remains, now: &index::Snapshot) -> Result<()> {
        for before in self.before.iter().filter(|_| !self.has_table) {
            let Some(was) = remains.chunks_of(before) else { continue };
            let is = now.chunks_of(before.root, &before.path)?;
            if !is.is_empty() && is != was {
                let path = shown(&remains.meta.roots, before.root, &before.path);
                self.unmended.push((path, FILE_CHANGED.to_owned()));
            }
        }
        self.unmended.sort();
        Ok(())
    }
}

/// Adds a document's passages to the builder, and counts passages and terms in its record.
fn add(builder: &mut Builder<'_>, record: Record, chunks: &[Stored]) -> Result<Record> {
    let mut terms = [0; 3];
    for Stored { title, chunk, .. } in chunks {
        let title = title.as_deref();
        let embedded = embedded_text(&context_line(title, &chunk.heading), &chunk.text);
        let language = record.language.as_deref();
        let entry =
            ChunkEntry { root: record.root, path: &record.path, title, language, chunk, row: 0 };
        terms.iter_mut().zip(builder.add(entry, &embedded)?).for_each(|(sum, n)| *sum += n);
    }
    Ok(Record { terms, chunks: chunks.len() as u64, ..record })
}
