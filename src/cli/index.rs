//! `rag index`: listing, checking, moving and removing indexes.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::args::{Flags, existing, flag};
use super::confirm::Removal;
use super::exit::Outcome;
use super::indexes::{self, folder_names};
use super::summary::print_list;
use super::ui::{Tone, Ui, count, counted, safe_name, size, time};
use crate::config::is_name;
use crate::disk::{self, Existing};
use crate::documents::{self, FolderName};
use crate::engine::Engine;
use crate::error::{Fault, Kind, Result};
use crate::index::{self, Copied, Meta, ModelInfo, Other, Problem, Record, Root, State};
use crate::ingest::{self, Event, Rebuilt, Repair, Step};
use crate::wire;

/// List, verify, move and remove indexes
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub struct IndexArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the indexes in the data directory
    List {
        /// List the indexes of all known data directories
        #[arg(long)]
        everywhere: bool,
    },
    /// Show the contents and settings of an index
    Show(Which),
    /// Check every byte of an index and report damage
    Verify {
        #[command(flatten)]
        which: Which,
        /// Repair the index from its intact parts, its files and the embedding cache
        ///
        /// Reports what cannot be repaired because its file is gone or has changed.
        #[arg(long)]
        repair: bool,
    },
    /// Save an index to a single file
    Save {
        /// File to write, usually NAME.tar.zst
        file: PathBuf,
        /// Overwrite an existing file
        #[arg(long)]
        force: bool,
    },
    /// Load an index from a file, checking every byte first
    Load {
        /// File written by `rag index save`
        file: PathBuf,
        /// Name for the index [default: the name it was saved under]
        #[arg(long = "as", value_name = "NAME")]
        name: Option<String>,
        /// Replace an existing index of that name
        #[arg(long)]
        replace: bool,
    },
    /// Copy an index to a bucket or a shared folder
    ///
    /// Files that are there already are not copied again.
    Push {
        /// Bucket or folder, such as `s3://bucket/rag` [default: depot.url]
        #[arg(long, value_name = "URL")]
        to: Option<String>,
        /// Replace another index of that name, and files that are there already
        #[arg(long)]
        replace: bool,
    },
    /// Copy an index from a bucket or a shared folder, checking every byte
    Pull {
        /// Bucket or folder, such as `s3://bucket/rag` [default: depot.url]
        #[arg(long, value_name = "URL")]
        from: Option<String>,
        /// Name for the index [default: the name it has there]
        #[arg(long = "as", value_name = "NAME")]
        name: Option<String>,
        /// Replace an existing index of that name
        #[arg(long)]
        replace: bool,
    },
    /// Delete files from the bucket that no index needs any more
    ///
    /// Commits do it too, now and then. A file goes `depot.grace_hours` after nothing needs it.
    Gc {
        /// Do not wait for the grace to pass
        ///
        /// Readers that copy an index are waited for all the same.
        #[arg(long)]
        now: bool,
    },
    /// Roll back to the previous generation (repeat to undo)
    Rollback(Which),
    /// Rewrite an index without the remains of removed documents
    ///
    /// Afterwards, `rag index rollback` has no generation to return to.
    Compact(Which),
    /// Remove a folder from an index; files on disk are not touched
    ///
    /// `rag index rollback` brings the folder back. Asks for confirmation at a terminal; elsewhere,
    /// removing more than one document requires `--yes`.
    RemoveFolder {
        /// Folder, by its name in the index or its path
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// Do not ask for confirmation
        #[arg(short, long)]
        yes: bool,
        /// Wait up to SECONDS for another writer
        #[arg(long, value_name = "SECONDS", default_value_t = 0)]
        wait: u64,
    },
    /// Remove an index; files on disk are not touched
    ///
    /// Asks for confirmation at a terminal; elsewhere `--yes` is required.
    Remove {
        #[command(flatten)]
        which: Which,
        /// Do not ask for confirmation
        #[arg(short, long)]
        yes: bool,
    },
}

/// The index of an action.
#[derive(Debug, Args)]
struct Which {
    /// Name of the index; same as `--index NAME`
    name: Option<String>,
}

impl IndexArgs {
    /// # Errors
    /// A usage fault for a folder that cannot be made absolute.
    pub fn flags(&self) -> Result<Flags> {
        match &self.action {
            Action::Push { to: Some(place), .. } => depot_flag("--to", place),
            Action::Pull { from: Some(place), .. } => depot_flag("--from", place),
            Action::Show(which)
            | Action::Verify { which, .. }
            | Action::Rollback(which)
            | Action::Compact(which)
            | Action::Remove { which, .. } => Ok(flag("index", "NAME", which.name.as_ref())),
            _ => Ok(Flags::new()),
        }
    }
}

/// The setting of a depot; the path of a folder is a depot too.
fn depot_flag(name: &str, place: &str) -> Result<Flags> {
    if place.contains("://") {
        return Ok(flag("depot.url", name, Some(place)));
    }
    let folder = std::path::absolute(place)
        .map_err(|e| Fault::usage(format!("{name}: {place:?} is no folder")).because(e))?;
    Ok(flag("depot.url", name, Some(format!("file://{}", folder.display()))))
}

pub fn run(args: &IndexArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    match &args.action {
        Action::List { everywhere: false } => indexes::list(engine, ui),
        Action::List { everywhere: true } => indexes::list_everywhere(engine, ui),
        Action::Show(_) => show(engine, ui),
        Action::Verify { repair: false, .. } => verify(engine, ui),
        Action::Verify { repair: true, .. } => repair(engine, ui),
        Action::Save { file, force } => save(file, existing(*force), engine, ui),
        Action::Load { file, name, replace } => load(file, name.as_deref(), *replace, engine, ui),
        Action::Push { replace, .. } => push(other(*replace), engine, ui),
        Action::Pull { name, replace, .. } => pull(name.as_deref(), other(*replace), engine, ui),
        Action::Gc { now } => collect(*now, engine, ui),
        Action::Rollback(_) => rollback(engine, ui),
        Action::Compact(_) => compact(engine, ui),
        Action::RemoveFolder { folder, yes, wait } => {
            remove_folder(folder, *yes, Duration::from_secs(*wait), engine, ui)
        }
        Action::Remove { yes, .. } => remove(*yes, engine, ui),
    }
}

fn show(engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let name = &engine.config.index;
    let snapshot = engine.store.open(name)?;
    if ui.json {
        ui.json(&shown_json(name, snapshot.meta(), snapshot.dir()));
    } else {
        print_shown(name, snapshot.meta(), snapshot.dir(), ui);
    }
    Ok(Outcome::Done)
}

fn shown_json(name: &str, meta: &Meta, dir: &Path) -> Value {
    let Meta { counts, model, chunking, .. } = meta;
    json!({
        "name": name,
        "corpus_id": meta.corpus_id,
        "index_dir": dir,
        "created": meta.created,
        "tool": meta.tool,
        "documents": counts.documents,
        "chunks": counts.chunks,
        "skipped": counts.skipped,
        "failed": counts.failed,
        "dimension": model.dimension,
        "model": { "name": model.name, "fingerprint": model.fingerprint },
        "chunking": {
            "max_tokens": chunking.max_tokens, "overlap_tokens": chunking.overlap_tokens,
        },
        "languages": meta.languages,
        "roots": folder_names(meta),
        "folders": meta.roots.iter().map(folder_json).collect::<Vec<_>>(),
        "vectors": counts.rows,
        "bytes": meta.bytes(),
        "files": meta.files.len(),
    })
}

/// A folder of an index, with the patterns that its next ingest uses.
fn folder_json(root: &Root) -> Value {
    json!({
        "name": root.given, "path": root.real, "include": root.include, "exclude": root.exclude,
    })
}

fn print_shown(name: &str, meta: &Meta, dir: &Path, ui: &Ui) {
    let Meta { counts, model, chunking, .. } = meta;
    let row = |name: &str, value: &str| ui.row(name, 11, value);
    row("name", name);
    row("corpus id", &meta.corpus_id);
    let names = documents::names_from_here(&meta.roots);
    let folders: Vec<&str> = (0..meta.roots.len()).map(|n| names.folder(n)).collect();
    row("folders", &folders.join(", "));
    for root in &meta.roots {
        let flags = [("--include", &root.include), ("--exclude", &root.exclude)];
        let patterns: Vec<String> = flags
            .iter()
            .flat_map(|(flag, globs)| globs.iter().map(move |glob| format!("{flag} '{glob}'")))
            .collect();
        if !patterns.is_empty() {
            row("patterns", &format!("{}: {}", root.given, patterns.join(" ")));
        }
    }
    row("documents", &count(counts.documents));
    row("chunks", &count(counts.chunks));
    row("skipped", &count(counts.skipped));
    row("failed", &count(counts.failed));
    row("vectors", &format!("{} × {}", count(counts.rows), model.dimension));
    row("model", &format!("{} ({})", model.name, short(&model.fingerprint)));
    let (max, overlap) = (chunking.max_tokens, chunking.overlap_tokens);
    row("chunking", &format!("{max} tokens, overlap {overlap}"));
    row("languages", &languages(meta));
    let files = counted(meta.files.len() as u64, "file");
    row("size", &format!("{} in {files}", size(meta.bytes())));
    row("made", &format!("{} by rag {}", time(meta.created), meta.tool));
    row("index", &dir.display().to_string());
}

/// The most frequent languages, with their documents.
fn languages(meta: &Meta) -> String {
    const SHOWN: usize = 6;
    let mut languages: Vec<(&String, &u64)> = meta.languages.iter().collect();
    languages.sort_by_key(|(name, n)| (Reverse(**n), *name));
    let shown: Vec<String> =
        languages.iter().take(SHOWN).map(|(name, n)| format!("{name} {}", count(**n))).collect();
    shown.join(", ")
}

fn verify(engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let name = &engine.config.index;
    let problems = index::verify(&engine.store, name)?;
    if ui.json {
        ui.json(&wire::verified(name, &problems));
    } else if problems.is_empty() {
        print_intact(name, ui);
    } else {
        print_problems(&problems, ui);
        ui.note("run `rag index verify --repair` to repair it");
    }
    Ok(if problems.is_empty() { Outcome::Done } else { Outcome::Damaged })
}

fn print_intact(index: &str, ui: &Ui) {
    ui.line(format!("{}  the index `{index}` is intact", ui.paint(Tone::Good, "ok")));
}

fn print_problems(problems: &[Problem], ui: &Ui) {
    for problem in problems {
        let text = safe_name(&format!("{}: {}", problem.path.display(), problem.reason));
        ui.line(format!("{}  {text}", ui.paint(Tone::Bad, "damaged")));
    }
}

fn repair(engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let name = &engine.config.index;
    let Repair { damaged, steps, meta } = ingest::repair(engine, Duration::ZERO, &mut |event| {
        if let Event::Note(text) = event {
            ui.note(text);
        }
    })?;
    // A previous generation may lack documents.
    let is_incomplete = |step: &Step| match step {
        Step::FellBack { .. } => true,
        Step::Rebuilt(rebuilt) => !rebuilt.unmended.is_empty(),
        Step::Pointer { .. } => false,
    };
    let is_complete = !steps.iter().any(is_incomplete);
    if ui.json {
        let problem_json = |p: &Problem| json!({ "path": p.path, "reason": p.reason });
        ui.json(&json!({
            "index": name, "ok": is_complete,
            "damaged": damaged.iter().map(problem_json).collect::<Vec<_>>(),
            "corpus_id": meta.corpus_id,
            "documents": meta.counts.documents, "chunks": meta.counts.chunks,
            "steps": steps.iter().map(step_json).collect::<Vec<_>>(),
        }));
    } else {
        print_problems(&damaged, ui);
        steps.iter().for_each(|step| print_step(step, &meta, ui));
        if steps.is_empty() {
            print_intact(name, ui);
        }
    }
    Ok(if is_complete { Outcome::Done } else { Outcome::SomeFailed })
}

fn step_json(step: &Step) -> Value {
    match step {
        Step::Pointer { created } => json!({ "step": "pointer", "created": created }),
        Step::FellBack { created } => json!({ "step": "fell_back", "created": created }),
        Step::Rebuilt(rebuilt) => {
            let unmended = rebuilt.unmended.iter();
            let unmended = unmended.map(|(path, reason)| json!({ "path": path, "reason": reason }));
            json!({
                "step": "rebuilt", "documents_kept": rebuilt.kept, "documents_read": rebuilt.read,
                "vectors_kept": rebuilt.vectors_kept,
                "cache": { "hits": rebuilt.cache.hits, "misses": rebuilt.cache.misses },
                "unmended": unmended.collect::<Vec<_>>(),
            })
        }
    }
}

fn print_step(step: &Step, meta: &Meta, ui: &Ui) {
    let repaired = ui.paint(Tone::Good, "repaired");
    match step {
        Step::Pointer { created } => {
            let created = time(*created);
            ui.line(format!("{repaired}  the name points to the generation of {created} again"));
        }
        Step::FellBack { created } => {
            let created = time(*created);
            ui.line(format!("{repaired}  rolled back to the generation of {created}"));
            let folders = folder_names(meta).join(" ");
            ui.note(format!("run `rag ingest {folders}` to update it"));
        }
        Step::Rebuilt(rebuilt) => {
            let Rebuilt { kept, read, vectors_kept, cache, unmended } = rebuilt;
            ui.line(format!(
                "{repaired}  {}: {} from the index, {} from their files; vectors: {} from the \
                 index, {} from the cache, {} recomputed",
                counted(kept + read, "document"),
                count(*kept),
                count(*read),
                count(*vectors_kept),
                count(cache.hits),
                count(cache.misses)
            ));
            for (path, reason) in unmended {
                let text = safe_name(&format!("{path}: {reason}"));
                ui.line(format!("{}  {text}", ui.paint(Tone::Bad, "not repaired")));
            }
            if !unmended.is_empty() {
                ui.note("run `rag ingest` with the same folders to update the index");
            }
        }
    }
}

fn save(file: &Path, existing: Existing, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let name = &engine.config.index;
    let saved = index::save(&engine.store, name, file, existing, &|| engine.interrupted())?;
    if ui.json {
        ui.json(&json!({
            "index": name, "file": file, "files": saved.files, "bytes": saved.bytes,
            "bundle_bytes": saved.bundle_bytes,
        }));
    } else {
        let (compressed, total) = (size(saved.bundle_bytes), size(saved.bytes));
        ui.line(format!("{}  {compressed} from {total}", file.display()));
    }
    Ok(Outcome::Done)
}

fn load(
    file: &Path,
    name: Option<&str>,
    replace: bool,
    engine: &Engine,
    ui: &Ui,
) -> Result<Outcome> {
    disk::given_file(file)?;
    let _lock = engine.store.lock(Duration::ZERO, &|| engine.interrupted())?;
    let (pointer, meta) = index::load(&engine.store, file, name, replace, engine.now_s())?;
    engine.assets.state.record_data_dir(&engine.config.data_dir);
    let missing = missing_model(engine, &meta);
    let Meta { counts, model, .. } = &meta;
    if ui.json {
        ui.json(&json!({
            "index": pointer.name, "corpus_id": meta.corpus_id, "documents": counts.documents,
            "chunks": counts.chunks, "model": model.name, "model_here": missing.is_none(),
            "fingerprint": model.fingerprint, "format": meta.format,
        }));
    } else {
        ui.line(format!("index `{}`: {}", pointer.name, contents(&meta)));
    }
    note_missing_model(missing.as_ref(), ui);
    Ok(Outcome::Done)
}

fn other(replace: bool) -> Other {
    if replace { Other::Replace } else { Other::Keep }
}

fn push(other: Other, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let name = &engine.config.index;
    let copied = engine.store.push(name, other)?;
    let url = engine.store.depot()?.url();
    if ui.json {
        ui.json(&copied_json(name, url, copied));
    } else {
        ui.line(format!("index `{name}` → {url}: {}", copied_text(copied)));
    }
    Ok(Outcome::Done)
}

fn pull(name: Option<&str>, other: Other, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let theirs = &engine.config.index;
    let ours = name.unwrap_or(theirs);
    if !is_name(ours) {
        return Err(Fault::usage(format!("invalid index name {ours:?}"))
            .hint("letters, digits, `.`, `_` and `-`, not `.` or `-` first"));
    }
    let (store, stop) = (&engine.store, || engine.interrupted());
    let depot = store.depot()?;
    let _lock = store.lock_here(Duration::ZERO, &stop)?;
    let (pointer, meta, copied) = store.pull(theirs, ours, other, &stop)?;
    engine.assets.state.record_data_dir(&engine.config.data_dir);
    let missing = missing_model(engine, &meta);
    if ui.json {
        let mut object = copied_json(&pointer.name, depot.url(), copied);
        object["corpus_id"] = json!(meta.corpus_id);
        object["documents"] = json!(meta.counts.documents);
        object["chunks"] = json!(meta.counts.chunks);
        object["model_here"] = json!(missing.is_none());
        ui.json(&object);
    } else {
        let (name, contents) = (&pointer.name, contents(&meta));
        ui.line(format!("index `{name}`: {contents}, {}", copied_text(copied)));
    }
    note_missing_model(missing.as_ref(), ui);
    Ok(Outcome::Done)
}

fn collect(now: bool, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let done = engine.store.collect(now.then_some(Duration::ZERO))?;
    if ui.json {
        ui.json(&json!({
            "depot": engine.store.depot()?.url(), "files_deleted": done.files_deleted,
            "bytes_deleted": done.bytes_deleted, "files_waiting": done.files_waiting,
            "files_kept": done.files_kept, "leases": done.leases,
        }));
    } else {
        ui.line(format!(
            "{} deleted, {}; {} will be, {} are needed",
            counted(done.files_deleted as u64, "file"),
            size(done.bytes_deleted),
            count(done.files_waiting as u64),
            count(done.files_kept as u64)
        ));
    }
    Ok(Outcome::Done)
}

fn copied_json(index: &str, url: &str, copied: Copied) -> Value {
    json!({
        "index": index, "depot": url, "files": copied.files, "bytes": copied.bytes,
        "files_copied": copied.files_copied, "bytes_copied": copied.bytes_copied,
    })
}

/// `12 of 31 files copied, 3.1 MB`.
fn copied_text(copied: Copied) -> String {
    let (files, n) = (counted(copied.files as u64, "file"), count(copied.files_copied as u64));
    format!("{n} of {files} copied, {}", size(copied.bytes_copied))
}

fn note_missing_model(missing: Option<&Fault>, ui: &Ui) {
    let Some(missing) = missing else { return };
    ui.note(format!("{missing}: until it is added, search with `--mode lexical`"));
    if let Some(hint) = missing.hint_text() {
        ui.note(hint);
    }
}

/// `19 documents, 184 chunks`.
fn contents(meta: &Meta) -> String {
    let counts = meta.counts;
    format!("{}, {}", counted(counts.documents, "document"), counted(counts.chunks, "chunk"))
}

/// Why the model of an index cannot be used on this machine.
fn missing_model(engine: &Engine, meta: &Meta) -> Option<Fault> {
    let ModelInfo { name, fingerprint, .. } = &meta.model;
    match engine.model(name) {
        Err(fault) => Some(fault),
        Ok(files) if files.fingerprint == *fingerprint => None,
        Ok(files) => Some(Fault::failed(format!(
            "the model `{name}` on this machine is another version than that of the index ({} \
             instead of {})",
            short(&files.fingerprint),
            short(fingerprint)
        ))),
    }
}

/// Enough of a fingerprint to tell models apart.
fn short(fingerprint: &str) -> &str {
    fingerprint.get(..12).unwrap_or(fingerprint)
}

fn rollback(engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let name = &engine.config.index;
    let _lock = engine.store.lock(Duration::ZERO, &|| engine.interrupted())?;
    let meta = engine.store.rollback(name)?;
    if ui.json {
        ui.json(&wire::rolled_back(name, &meta));
    } else {
        ui.line(format!("index `{name}` of {}: {}", time(meta.created), contents(&meta)));
    }
    Ok(Outcome::Done)
}

fn compact(engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let name = &engine.config.index;
    let compacted = documents::compact(engine, Duration::ZERO)?;
    if ui.json {
        ui.json(&json!({
            "index": name, "corpus_id": compacted.corpus_id, "rewritten": compacted.rewritten,
            "bytes_before": compacted.bytes_before, "bytes_after": compacted.bytes_after,
        }));
    } else {
        let (before, after) = (size(compacted.bytes_before), size(compacted.bytes_after));
        match compacted.rewritten {
            true => ui.line(format!("index `{name}`: {before} → {after}")),
            false => ui.line(format!("index `{name}`: {after}, nothing to remove")),
        }
    }
    Ok(Outcome::Done)
}

fn remove_folder(
    folder: &Path,
    yes: bool,
    wait: Duration,
    engine: &Engine,
    ui: &Ui,
) -> Result<Outcome> {
    let Some(text) = folder.to_str() else {
        let folder = folder.display();
        return Err(Fault::usage(format!("the name {folder} is not valid UTF-8")));
    };
    let cwd = std::env::current_dir().unwrap_or_default();
    let name = FolderName::Typed { cwd: &cwd, text };
    if !yes {
        confirm_folder_removal(&name, engine, ui)?;
    }
    let changed = documents::remove_folder(engine, name, wait)?;
    if ui.json {
        ui.json(&wire::changed("removed", &changed));
        return Ok(Outcome::Done);
    }
    print_list(&changed.paths, ui, |path| ui.line(safe_name(path)));
    ui.note(format!(
        "removed {}; the index has {} (undo with `rag index rollback`)",
        counted(changed.paths.len() as u64, "document"),
        counted(changed.documents, "document")
    ));
    Ok(Outcome::Done)
}

fn confirm_folder_removal(name: &FolderName<'_>, engine: &Engine, ui: &Ui) -> Result<()> {
    let index = &engine.config.index;
    let snapshot = engine.store.open(index)?;
    let roots = &snapshot.meta().roots;
    let n = name.find(roots)?;
    let is_removed = |record: &&Record| record.root == n && record.state == State::Indexed;
    let n_documents = snapshot.documents()?.iter().filter(is_removed).count() as u64;
    let documents = counted(n_documents, "document");
    let action = format!("remove {} with {documents} from the index `{index}`", roots[n].given);
    Removal { yes: false, needs_yes: n_documents > 1, action: &action }.confirm(engine, ui)
}

fn remove(yes: bool, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let name = &engine.config.index;
    if !yes {
        let documents = match engine.store.meta(name) {
            Ok(meta) => format!(" with {}", counted(meta.counts.documents, "document")),
            // A damaged index can be removed too.
            Err(fault) if fault.kind() == Kind::Damaged => String::new(),
            Err(fault) => return Err(fault),
        };
        let action = format!("remove the index `{name}`{documents}");
        Removal { yes, needs_yes: true, action: &action }.confirm(engine, ui)?;
    }
    let lock = engine.store.lock(Duration::ZERO, &|| engine.interrupted());
    let _lock = lock.map_err(|fault| match fault.kind() {
        Kind::Busy => fault,
        _ => fault.hint("nothing was removed"),
    })?;
    engine.store.remove(name)?;
    if ui.json {
        ui.json(&json!({ "removed": name }));
    } else {
        ui.line(format!("removed the index `{name}`"));
    }
    Ok(Outcome::Done)
}
