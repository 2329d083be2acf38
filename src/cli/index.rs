//! `rag index`: listing, checking, moving and removing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::confirm::Removal;
use super::existing;
use super::exit::Outcome;
use super::ui::{Tone, Ui, count, counted, safe_name, size, time};
use crate::disk::{self, Existing};
use crate::documents::{self, FolderName};
use crate::engine::Engine;
use crate::error::{Fault, Kind, Result};
use crate::index::{self, Meta, ModelInfo, Problem, Record, Root, State, Store};
use crate::ingest::{self, Event, Rebuilt, Repair, Step};
use crate::wire;

/// List, check, move and remove indexes
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub struct IndexArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the indexes of the data directory
    List {
        /// List those of every data directory in which you made one
        #[arg(long)]
        everywhere: bool,
    },
    /// Show what an index is made of
    Show,
    /// Check every byte of an index and name what is damaged
    Verify {
        /// Mend what is damaged, from what is left of the index, the indexed files and the
        /// embedding cache
        ///
        /// What cannot be mended, because its file is gone or has changed, is named.
        #[arg(long)]
        repair: bool,
    },
    /// Write an index to one file
    Save {
        /// File to write, by custom NAME.tar.zst
        file: PathBuf,
        /// Replace a file of that name
        #[arg(long)]
        force: bool,
    },
    /// Read an index from a file, checking every byte first
    Load {
        /// File that `rag index save` wrote
        file: PathBuf,
        /// Name for the index [default: the name it was saved under]
        #[arg(long = "as", value_name = "NAME")]
        name: Option<String>,
        /// Replace an index of that name
        #[arg(long)]
        replace: bool,
    },
    /// Go back to the generation before the present one, which stays to go forward to again
    Rollback,
    /// Write an index anew without what removed documents left in its files
    ///
    /// Keeps no generation to go back to.
    Compact,
    /// Take a folder out of an index; its files are not touched
    ///
    /// The generation before stays: `rag index rollback` brings the folder back. Asks first at a
    /// terminal; elsewhere `--yes` is needed for more than one document.
    RemoveFolder {
        /// Folder, by its name in the index or by its path
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
        /// Wait for another writer to finish
        #[arg(long, value_name = "SECONDS", default_value_t = 0)]
        wait: u64,
    },
    /// Remove an index; files that were indexed are not touched
    ///
    /// Asks first at a terminal; elsewhere `--yes` is needed.
    Remove {
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

pub fn run(args: IndexArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    match args.action {
        Action::List { everywhere: false } => list(engine, ui),
        Action::List { everywhere: true } => list_everywhere(engine, ui),
        Action::Show => show(engine, ui),
        Action::Verify { repair: false } => verify(engine, ui),
        Action::Verify { repair: true } => repair(engine, ui),
        Action::Save { file, force } => save(engine, ui, &file, existing(force)),
        Action::Load { file, name, replace } => load(engine, ui, &file, name.as_deref(), replace),
        Action::Rollback => rollback(engine, ui),
        Action::Compact => compact(engine, ui),
        Action::RemoveFolder { folder, yes, wait } => {
            remove_folder(engine, ui, &folder, yes, Duration::from_secs(wait))
        }
        Action::Remove { yes } => remove(engine, ui, yes),
    }
}

const COLUMNS: [&str; 7] = ["name", "documents", "chunks", "size", "model", "made", "folders"];

fn row(name: String, meta: &Meta) -> Vec<String> {
    vec![
        name,
        count(meta.counts.documents),
        count(meta.counts.chunks),
        size(meta.bytes()),
        meta.model.name.clone(),
        time(meta.created),
        roots(meta).join(", "),
    ]
}

fn list(engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let mut rows = Vec::new();
    let mut objects = Vec::new();
    let mut damaged = None;
    for name in engine.store.names()? {
        let meta = engine.store.meta(&name);
        objects.push(wire::index(&name, &meta, &Fault::to_string));
        match meta {
            Ok(meta) => rows.push(row(name, &meta)),
            Err(fault) => {
                rows.push(vec![name, "damaged".into()]);
                damaged = Some(fault);
            }
        }
    }
    if ui.json {
        ui.json(&objects);
    } else if rows.is_empty() {
        ui.note("there is no index yet; make one with `rag ingest --dir FOLDER`");
    } else {
        ui.table(&COLUMNS, &rows);
    }
    damaged.map_or(Ok(Outcome::Done), Err)
}

/// Indexes of other data directories are listed as they are; whether they are whole is asked there.
fn list_everywhere(engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let own =
        engine.config.data_dir.canonicalize().unwrap_or_else(|_| engine.config.data_dir.clone());
    let here = (own, engine.store.names()?);
    let mut rows = Vec::new();
    let mut objects = Vec::new();
    for (dir, names) in std::iter::once(here).chain(engine.store.elsewhere()) {
        let store = Store::new(&dir);
        for name in names {
            let meta = store.meta(&name);
            let mut object = json!(wire::index(&name, &meta, &Fault::to_string));
            object["data_dir"] = json!(dir.to_string_lossy());
            objects.push(object);
            let mut cells = meta.map_or_else(
                |_| vec![name.clone(), "damaged".into()],
                |meta| row(name.clone(), &meta),
            );
            cells.resize(COLUMNS.len(), String::new());
            cells.push(dir.display().to_string());
            rows.push(cells);
        }
    }
    if ui.json {
        ui.json(&objects);
    } else if rows.is_empty() {
        ui.note(
            "no data directory with an index is known; make one with `rag ingest --dir FOLDER`",
        );
    } else {
        ui.table(&[&COLUMNS[..], &["data directory"]].concat(), &rows);
    }
    Ok(Outcome::Done)
}

fn show(engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let snapshot = engine.store.open(&engine.config.index)?;
    let meta = snapshot.meta();
    if ui.json {
        ui.json(&json!({
            "name": engine.config.index,
            "corpus_id": meta.corpus_id,
            "index_dir": snapshot.dir(),
            "created": meta.created,
            "tool": meta.tool,
            "documents": meta.counts.documents,
            "chunks": meta.counts.chunks,
            "skipped": meta.counts.skipped,
            "failed": meta.counts.failed,
            "dimension": meta.model.dimension,
            "model": { "name": meta.model.name, "fingerprint": meta.model.fingerprint },
            "chunking": { "max_tokens": meta.chunking.max_tokens, "overlap_tokens": meta.chunking.overlap_tokens },
            "languages": meta.languages,
            "roots": meta.roots.iter().map(|root| &root.given).collect::<Vec<_>>(),
            "folders": meta.roots.iter().map(folder).collect::<Vec<_>>(),
            "vectors": meta.counts.rows,
            "bytes": meta.bytes(),
            "files": meta.files.len(),
        }));
        return Ok(Outcome::Done);
    }
    let row = |name: &str, value: String| ui.row(name, 11, &value);
    let mut languages: Vec<(&String, &u64)> = meta.languages.iter().collect();
    languages.sort_by_key(|(name, n)| (std::cmp::Reverse(**n), *name));
    let languages: Vec<String> =
        languages.iter().take(6).map(|(name, n)| format!("{name} {}", count(**n))).collect();
    row("name", engine.config.index.clone());
    row("corpus id", meta.corpus_id.clone());
    let names = documents::names_from_here(&meta.roots);
    row("folders", (0..meta.roots.len()).map(|n| names.folder(n)).collect::<Vec<_>>().join(", "));
    for root in
        meta.roots.iter().filter(|root| !root.include.is_empty() || !root.exclude.is_empty())
    {
        let flags = [("--include", &root.include), ("--exclude", &root.exclude)];
        let flags = flags
            .iter()
            .flat_map(|(flag, globs)| globs.iter().map(move |glob| format!("{flag} '{glob}'")));
        row(
            "patterns",
            safe_name(&format!("{}: {}", root.given, flags.collect::<Vec<_>>().join(" "))),
        );
    }
    row("documents", count(meta.counts.documents));
    row("chunks", count(meta.counts.chunks));
    row("skipped", count(meta.counts.skipped));
    row("failed", count(meta.counts.failed));
    row("vectors", format!("{} × {}", count(meta.counts.rows), meta.model.dimension));
    row("model", format!("{} ({})", meta.model.name, short(&meta.model.fingerprint)));
    row(
        "chunking",
        format!("{} tokens, overlap {}", meta.chunking.max_tokens, meta.chunking.overlap_tokens),
    );
    row("languages", languages.join(", "));
    row("size", format!("{} in {}", size(meta.bytes()), counted(meta.files.len() as u64, "file")));
    row("made", format!("{} by rag {}", time(meta.created), meta.tool));
    row("index", snapshot.dir().display().to_string());
    Ok(Outcome::Done)
}

/// A folder of an index, with the patterns that the next ingest of it uses.
fn folder(root: &Root) -> Value {
    json!({ "name": root.given, "path": root.real, "include": root.include, "exclude": root.exclude })
}

fn verify(engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let problems = index::verify(&engine.store, &engine.config.index)?;
    if ui.json {
        ui.json(&wire::verified(&engine.config.index, &problems));
    } else if problems.is_empty() {
        ui.line(format!(
            "{}  the index `{}` is whole",
            ui.paint(Tone::Good, "ok"),
            engine.config.index
        ));
    } else {
        print_problems(ui, &problems);
        ui.note("run `rag index verify --repair` to mend it");
    }
    Ok(if problems.is_empty() { Outcome::Done } else { Outcome::Damaged })
}

fn print_problems(ui: &Ui, problems: &[Problem]) {
    for problem in problems {
        let what = safe_name(&format!("{}: {}", problem.path.display(), problem.reason));
        ui.line(format!("{}  {what}", ui.paint(Tone::Bad, "damaged")));
    }
}

fn repair(engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let Repair { damaged, steps, meta } = ingest::repair(engine, Duration::ZERO, &mut |event| {
        if let Event::Note(text) = event {
            ui.note(text);
        }
    })?;
    let unmended =
        |step: &Step| matches!(step, Step::Rebuilt(rebuilt) if !rebuilt.unmended.is_empty());
    // The generation before may lack what came after it.
    let is_same = !steps.iter().any(|step| unmended(step) || matches!(step, Step::FellBack { .. }));
    if ui.json {
        let list: Vec<_> =
            damaged.iter().map(|p| json!({ "path": p.path, "reason": p.reason })).collect();
        ui.json(&json!({
            "index": engine.config.index, "ok": is_same, "damaged": list, "corpus_id": meta.corpus_id,
            "documents": meta.counts.documents, "chunks": meta.counts.chunks,
            "steps": steps.iter().map(step_json).collect::<Vec<_>>(),
        }));
    } else {
        print_problems(ui, &damaged);
        steps.iter().for_each(|step| print_step(ui, step, &meta));
        if steps.is_empty() {
            ui.line(format!(
                "{}  the index `{}` is whole",
                ui.paint(Tone::Good, "ok"),
                engine.config.index
            ));
        }
    }
    Ok(if is_same { Outcome::Done } else { Outcome::SomeFailed })
}

fn step_json(step: &Step) -> Value {
    match step {
        Step::Pointer { created } => json!({ "step": "pointer", "created": created }),
        Step::FellBack { created } => json!({ "step": "fell_back", "created": created }),
        Step::Rebuilt(rebuilt) => {
            let list = rebuilt
                .unmended
                .iter()
                .map(|(path, reason)| json!({ "path": path, "reason": reason }));
            json!({
                "step": "rebuilt", "documents_kept": rebuilt.kept, "documents_read": rebuilt.read,
                "vectors_kept": rebuilt.vectors_kept,
                "cache": { "hits": rebuilt.cache.hits, "misses": rebuilt.cache.misses },
                "unmended": list.collect::<Vec<_>>(),
            })
        }
    }
}

fn print_step(ui: &Ui, step: &Step, meta: &Meta) {
    let mended = ui.paint(Tone::Good, "mended");
    match step {
        Step::Pointer { created } => {
            ui.line(format!(
                "{mended}   the name stands for the index of {} again",
                time(*created)
            ));
        }
        Step::FellBack { created } => {
            ui.line(format!("{mended}   the index is the one of {} again", time(*created)));
            ui.note(format!(
                "run `rag ingest --dir {}` to bring it up to date",
                roots(meta).join(" --dir ")
            ));
        }
        Step::Rebuilt(rebuilt) => {
            let Rebuilt { kept, read, vectors_kept, cache, unmended } = rebuilt;
            ui.line(format!(
                "{mended}   {}: {} from the index, {} from their files; vectors: {} from the \
                 index, {} from the cache, \
                 {} made anew",
                counted(kept + read, "document"),
                count(*kept),
                count(*read),
                count(*vectors_kept),
                count(cache.hits),
                count(cache.misses)
            ));
            for (path, reason) in unmended {
                let what = safe_name(&format!("{path}: {reason}"));
                ui.line(format!("{}  {what}", ui.paint(Tone::Bad, "not mended")));
            }
            if !unmended.is_empty() {
                ui.note("`rag ingest` with the same folders brings the index up to date with them");
            }
        }
    }
}

fn save(engine: &Engine, ui: &Ui, file: &std::path::Path, existing: Existing) -> Result<Outcome> {
    let saved =
        index::save(&engine.store, &engine.config.index, file, existing, &|| engine.interrupted())?;
    if ui.json {
        ui.json(&json!({
            "index": engine.config.index, "file": file, "files": saved.files, "bytes": saved.bytes,
            "bundle_bytes": saved.bundle_bytes,
        }));
    } else {
        ui.line(format!(
            "{}  {} from {}",
            file.display(),
            size(saved.bundle_bytes),
            size(saved.bytes)
        ));
    }
    Ok(Outcome::Done)
}

fn load(
    engine: &Engine,
    ui: &Ui,
    file: &std::path::Path,
    name: Option<&str>,
    replace: bool,
) -> Result<Outcome> {
    disk::given_file(file)?;
    let _lock = engine.store.lock(Duration::ZERO, &|| engine.interrupted())?;
    let (pointer, meta) = index::load(&engine.store, file, name, replace, engine.now_s())?;
    engine.assets.state.record_data_dir(&engine.config.data_dir);
    let missing = missing_model(engine, &meta);
    if ui.json {
        ui.json(&json!({
            "index": pointer.name, "corpus_id": meta.corpus_id, "documents": meta.counts.documents,
            "chunks": meta.counts.chunks, "model": meta.model.name, "model_here": missing.is_none(),
            "fingerprint": meta.model.fingerprint, "format": meta.format,
        }));
    } else {
        ui.line(format!(
            "index `{}`: {}, {}",
            pointer.name,
            counted(meta.counts.documents, "document"),
            counted(meta.counts.chunks, "chunk")
        ));
    }
    if let Some(missing) = missing {
        ui.note(format!(
            "{missing}: it can be searched by words (`--mode lexical`) until it is there"
        ));
        if let Some(hint) = missing.hint_text() {
            ui.note(hint);
        }
    }
    Ok(Outcome::Done)
}

/// Why the model of an index cannot be used here.
fn missing_model(engine: &Engine, meta: &Meta) -> Option<Fault> {
    let ModelInfo { name, fingerprint, .. } = &meta.model;
    match engine.model(name) {
        Err(fault) => Some(fault),
        Ok(files) if files.fingerprint == *fingerprint => None,
        Ok(files) => Some(Fault::failed(format!(
            "the model `{name}` on this machine is another version than the one that the index was \
             made with \
             ({} instead of {})",
            short(&files.fingerprint),
            short(fingerprint)
        ))),
    }
}

/// Enough of a fingerprint to tell two apart.
fn short(fingerprint: &str) -> &str {
    fingerprint.get(..12).unwrap_or(fingerprint)
}

fn rollback(engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let _lock = engine.store.lock(Duration::ZERO, &|| engine.interrupted())?;
    let meta = engine.store.rollback(&engine.config.index)?;
    if ui.json {
        ui.json(&wire::rolled_back(&engine.config.index, &meta));
    } else {
        ui.line(format!(
            "index `{}` of {}: {}, {}",
            engine.config.index,
            time(meta.created),
            counted(meta.counts.documents, "document"),
            counted(meta.counts.chunks, "chunk")
        ));
    }
    Ok(Outcome::Done)
}

fn compact(engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let compacted = documents::compact(engine, Duration::ZERO)?;
    if ui.json {
        ui.json(&json!({
            "index": engine.config.index, "corpus_id": compacted.corpus_id, "rewritten": compacted.rewritten,
            "bytes_before": compacted.bytes_before, "bytes_after": compacted.bytes_after,
        }));
    } else {
        let (before, after) = (size(compacted.bytes_before), size(compacted.bytes_after));
        let what = if compacted.rewritten {
            format!("{before} → {after}")
        } else {
            format!("{after}, as it was")
        };
        ui.line(format!("index `{}`: {what}", engine.config.index));
    }
    Ok(Outcome::Done)
}

fn remove_folder(
    engine: &Engine,
    ui: &Ui,
    folder: &Path,
    yes: bool,
    wait: Duration,
) -> Result<Outcome> {
    let text = folder.to_str();
    let text = text
        .ok_or_else(|| Fault::usage(format!("the name {} is not valid UTF-8", folder.display())))?;
    let cwd = std::env::current_dir().unwrap_or_default();
    let name = FolderName::Typed { cwd: &cwd, text };
    if !yes {
        let snapshot = engine.store.open(&engine.config.index)?;
        let meta = snapshot.meta();
        let n = name.find(&meta.roots)?;
        let of_folder = |record: &Record| record.root == n && record.state == State::Indexed;
        let documents =
            snapshot.documents()?.iter().filter(|record| of_folder(record)).count() as u64;
        let what = format!(
            "take {} with {} out of the index `{}`",
            meta.roots[n].given,
            counted(documents, "document"),
            engine.config.index
        );
        Removal { yes, is_much: documents > 1, what: &what }.confirm(engine, ui)?;
    }
    let changed = documents::remove_folder(engine, name, wait)?;
    if ui.json {
        ui.json(&wire::changed("removed", &changed));
        return Ok(Outcome::Done);
    }
    /// More would push what follows off the screen; `--json` has them all.
    const SHOWN: usize = 10;
    changed.paths.iter().take(SHOWN).for_each(|path| ui.line(safe_name(path)));
    if changed.paths.len() > SHOWN {
        ui.note(format!("… and {} more; `--json` lists them all", changed.paths.len() - SHOWN));
    }
    ui.note(format!(
        "removed {}; the index has {} now, and `rag index rollback` brings them back",
        counted(changed.paths.len() as u64, "document"),
        counted(changed.documents, "document")
    ));
    Ok(Outcome::Done)
}

fn remove(engine: &Engine, ui: &Ui, yes: bool) -> Result<Outcome> {
    let name = &engine.config.index;
    if !yes {
        // One that cannot be read is removed all the same.
        let documents = match engine.store.meta(name) {
            Ok(meta) => format!(" with {}", counted(meta.counts.documents, "document")),
            Err(fault) if fault.kind() == Kind::Damaged => String::new(),
            Err(fault) => return Err(fault),
        };
        Removal { yes, is_much: true, what: &format!("remove the index `{name}`{documents}") }
            .confirm(engine, ui)?;
    }
    let _lock =
        engine.store.lock(Duration::ZERO, &|| engine.interrupted()).map_err(|fault| match fault
            .kind()
        {
            Kind::Busy => fault,
            _ => fault.hint("nothing was removed"),
        })?;
    engine.store.remove(&engine.config.index)?;
    if ui.json {
        ui.json(&json!({ "removed": engine.config.index }));
    } else {
        ui.line(format!("removed the index `{}`", engine.config.index));
    }
    Ok(Outcome::Done)
}

fn roots(meta: &Meta) -> Vec<String> {
    meta.roots.iter().map(|root| root.given.clone()).collect()
}
