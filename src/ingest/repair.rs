//! A damaged generation made whole: from what can still be read of it, the folders, and the
//! embedding cache.
//!
//! A document is taken from the damaged generation where all its passages can be read there, and
//! from its file otherwise; its vectors from the generation, the cache or the model. What cannot be
//! mended is said by name.

use std::path::Path;
use std::time::Duration;

use super::embed;
use super::read;
use super::scan::{Scan, Todo};
use super::{Event, Request, TEXT_VERSION, joined, limits, lock, shown};
use crate::analysis;
use crate::cache::Counters;
use crate::document::{context_line, embedded_text};
use crate::engine::Engine;
use crate::error::{Fault, Kind, Result};
use crate::index::{
    self, Before, Builder, ChunkEntry, Meta, Problem, Record, Remains, State, Stored, Summary,
};
use crate::jobs::Work;
use crate::model::{Network, Tokenizer};
use crate::text;

/// What was damaged, and what became of it.
#[derive(Debug)]
pub struct Repair {
    pub damaged: Vec<Problem>,
    pub steps: Vec<Step>,
    /// The index as it is now.
    pub meta: Meta,
}

/// One thing that was done.
#[derive(Clone, Debug)]
pub enum Step {
    /// The name stands for a generation again, made at this time.
    Pointer {
        created: i64,
    },
    /// It stands for the generation before, made at this time.
    FellBack {
        created: i64,
    },
    Rebuilt(Rebuilt),
}

#[derive(Clone, Debug, Default)]
pub struct Rebuilt {
    /// Documents whose passages were read from the damaged generation, and from their files.
    pub kept: u64,
    pub read: u64,
    /// Vectors that were read from the damaged generation.
    pub vectors_kept: u64,
    /// Those that were not: hits came from the cache, misses from the model.
    pub cache: Counters,
    /// Documents that are not what they were: `(path, why)`.
    pub unmended: Vec<(String, String)>,
}

/// Mends the configured index, as far as it can be.
///
/// # Errors
/// [`Kind::Damaged`] when nothing can be mended, with what can be done instead; nothing has changed
/// then.
pub fn repair(engine: &Engine, wait: Duration, on_event: &mut dyn FnMut(Event)) -> Result<Repair> {
    let (store, name) = (&engine.store, &engine.config.index);
    let _lock = lock(engine, wait, on_event)?;
    let mut damaged = index::verify(store, name)?;
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

/// What can be done where nothing is left to mend: to make the index anew from its folders, which
/// the job log may know.
fn or_ingest(engine: &Engine, fault: Fault) -> Fault {
    // Where the folders of the index are lost, an ingest must name all of them and say so.
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
    fault
        .hint(format!("{hint}: it builds the index afresh, with the vectors that are in the cache"))
}

fn rebuild(engine: &Engine, remains: &Remains, on_event: &mut dyn FnMut(Event)) -> Result<Rebuilt> {
    let meta = &remains.meta;
    if (meta.chunking.analysis, meta.chunking.text) != (analysis::VERSION, TEXT_VERSION) {
        let fault = Fault::damaged(
            "the index was built by another version of rag, which took texts apart otherwise",
        );
        return Err(or_ingest(engine, fault));
    }
    let model = engine.model(&meta.model.name)?;
    if model.fingerprint != meta.model.fingerprint {
        return Err(Fault::failed(format!(
            "the index was built with another version of the model `{}`",
            model.name
        ))
        .hint("run `rag ingest` with the same folders: it builds the index afresh"));
    }
    let library = engine.runtime_library()?;
    let mut rebuilt = Rebuilt::default();
    let mut builder = Builder::begin(&engine.store, None)?;
    let mut plan = Plan {
        scan: Scan::empty(&meta.roots),
        before: Vec::new(),
        has_table: remains.table.is_some(),
        unmended: Vec::new(),
    };
    rebuilt.kept = plan.keep(remains, &mut builder)?;
    std::thread::scope(|scope| {
        let tokenizer = scope.spawn(|| Tokenizer::load(&model));
        let network = Network::opening(library.clone(), model.clone());
        let tokenizer = joined(tokenizer)?;
        if !plan.scan.todo.is_empty() {
            let limits = limits(meta.chunking, &model, &tokenizer);
            let request = Request::default();
            read::read(
                engine,
                &request,
                &mut plan.scan,
                &tokenizer,
                &limits,
                &mut builder,
                on_event,
            )?;
        }
        let (read, records) = plan.judge(meta);
        builder.seal(&records)?;
        rebuilt.read = read;
        if rebuilt.kept + rebuilt.read == 0 && meta.counts.documents > 0 {
            let first = plan
                .unmended
                .first()
                .map(|(path, why)| format!(": {path}: {why}"))
                .unwrap_or_default();
            return Err(or_ingest(
                engine,
                Fault::damaged(format!("nothing of the index can be mended{first}")),
            ));
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
            let job = embed::Job {
                engine,
                model: &model,
                library: &library,
                tokenizer: &tokenizer,
                no_cache: false,
                dimension,
            };
            (rebuilt.cache, _) =
                embed::embed(&job, builder.pending_except(put)?, vectors, network, on_event)?;
        }
        if engine.interrupted() {
            return Err(Fault::interrupted());
        }
        let like = Summary::like(meta, &engine.config.index, &records, engine.now_s());
        builder.commit(vectors, &Summary { before: Before::Replace, ..like })?;
        plan.compare(remains, &engine.store.open(&engine.config.index)?)?;
        rebuilt.unmended = plan.unmended;
        Ok(rebuilt)
    })
}

/// What the new generation is made of.
struct Plan {
    /// The table in the making, and the files that are read.
    scan: Scan,
    /// The documents of those files, as they were.
    before: Vec<Record>,
    /// Without the table nothing says whether a file is still what it was, but for its passages.
    has_table: bool,
    unmended: Vec<(String, String)>,
}

impl Plan {
    /// Adds what can be read of the damaged generation to `builder`, and plans to read the files of
    /// the rest. Yields how many documents were added.
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
            let file = match remains.meta.roots.get(record.root) {
                Some(root) => text::file_below(Path::new(&root.real), &record.path),
                None => {
                    return Err(Fault::damaged(format!(
                        "{} is of no folder of the index",
                        record.path
                    )));
                }
            };
            let metadata = file.metadata().ok().filter(std::fs::Metadata::is_file);
            match remains.chunks_of(&record) {
                Some(chunks) if self.has_table || metadata.is_none() => {
                    let record = self.kept(record, &chunks, &remains.meta);
                    self.scan.records.push(add(builder, record, &chunks)?);
                    kept += 1;
                }
                _ => {
                    let modified_s =
                        metadata.as_ref().map_or(0, std::os::unix::fs::MetadataExt::mtime);
                    let blank = index::blank_record(record.root, record.path.clone(), 0, None);
                    let size = metadata.map_or(0, |metadata| metadata.len());
                    self.scan.todo.push(Todo {
                        record: self.scan.records.len(),
                        size,
                        before: None,
                    });
                    self.scan.records.push(Record { state: State::Failed, modified_s, ..blank });
                    self.before.push(record);
                }
            }
        }
        Ok(kept)
    }

    fn kept(&mut self, record: Record, chunks: &[Stored], meta: &Meta) -> Record {
        if self.has_table {
            return record;
        }
        let why =
            "its file is gone; its passages are kept, but not what the table of files said of it";
        self.unmended.push((shown(&meta.roots, record.root, &record.path), why.to_owned()));
        let texts: Vec<&str> = chunks.iter().map(|stored| stored.chunk.text.as_str()).collect();
        let language = text::detect(&texts.join("\n")).map(Into::into);
        Record { language, ..record }
    }

    /// After reading: how many files were read, and the table of what is in the build.
    fn judge(&mut self, meta: &Meta) -> (u64, Vec<Record>) {
        let mut lost = vec![false; self.scan.records.len()];
        let mut read = 0;
        for (todo, before) in self.scan.todo.iter().zip(&self.before) {
            let record = &self.scan.records[todo.record];
            let why = match record.state {
                State::Indexed => {
                    read += 1;
                    let has_changed = self.has_table && record.hash != before.hash;
                    has_changed
                        .then(|| "its file has changed; the index has what it says now".to_owned())
                }
                State::Skipped => {
                    Some("its file has changed and holds no text any more".to_owned())
                }
                State::Failed => {
                    lost[todo.record] = true;
                    let reason = record.reason.clone().unwrap_or_default();
                    let is_gone = !self.scan.absolute(record).exists();
                    Some(if is_gone {
                        "its file is gone".to_owned()
                    } else {
                        format!("its file cannot be read: {reason}")
                    })
                }
            };
            self.unmended
                .extend(why.map(|why| (shown(&meta.roots, record.root, &record.path), why)));
        }
        let records = std::mem::take(&mut self.scan.records);
        (
            read,
            records
                .into_iter()
                .zip(lost)
                .filter(|(_, lost)| !lost)
                .map(|(record, _)| record)
                .collect(),
        )
    }

    /// Without a table: which of the files that were read give other passages than the damaged
    /// generation had.
    fn compare(&mut self, remains: &Remains, now: &index::Snapshot) -> Result<()> {
        for before in self.before.iter().filter(|_| !self.has_table) {
            let Some(was) = remains.chunks_of(before) else { continue };
            let is = now.chunks_of(before.root, &before.path)?;
            if !is.is_empty() && is != was {
                let path = shown(&remains.meta.roots, before.root, &before.path);
                self.unmended.push((
                    path,
                    "its file has changed; the index has what it says now".to_owned(),
                ));
            }
        }
        self.unmended.sort();
        Ok(())
    }
}

/// Adds a document's passages to the build, and counts them in its record.
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
