//! `rag index`: listing, checking, moving and removing.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;

use super::exit::Outcome;
use super::ui::{Tone, Ui, count, counted, safe_name, size, time};
use crate::documents;
use crate::engine::Engine;
use crate::error::{Fault, Kind, Result};
use crate::index::{self, Meta};
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
    /// List every index
    List,
    /// Show what an index is made of
    Show,
    /// Check every byte of an index and name what is damaged
    Verify,
    /// Write an index to one file
    Save {
        /// File to write, by custom NAME.tar.zst
        file: PathBuf,
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
    /// Remove an index; files that were indexed are not touched
    Remove,
}

pub fn run(args: IndexArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    match args.action {
        Action::List => list(engine, ui),
        Action::Show => show(engine, ui),
        Action::Verify => verify(engine, ui),
        Action::Save { file } => save(engine, ui, &file),
        Action::Load { file, name, replace } => load(engine, ui, &file, name.as_deref(), replace),
        Action::Rollback => rollback(engine, ui),
        Action::Compact => compact(engine, ui),
        Action::Remove => remove(engine, ui),
    }
}

fn list(engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let mut rows = Vec::new();
    let mut objects = Vec::new();
    let mut damaged = None;
    for name in engine.store.names()? {
        let meta = engine.store.meta(&name);
        objects.push(wire::index(&name, &meta, &Fault::to_string));
        match meta {
            Ok(meta) => rows.push(vec![
                name,
                count(meta.counts.documents),
                count(meta.counts.chunks),
                size(meta.bytes()),
                meta.model.name.clone(),
                time(meta.created),
                roots(&meta).join(", "),
            ]),
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
        ui.table(&["name", "documents", "chunks", "size", "model", "made", "folders"], rows);
    }
    damaged.map_or(Ok(Outcome::Done), Err)
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
            "vectors": meta.counts.rows,
            "bytes": meta.bytes(),
            "files": meta.files.len(),
        }));
        return Ok(Outcome::Done);
    }
    let row = |name: &str, value: String| ui.line(format!("{} {value}", ui.paint(Tone::Faint, &format!("{name:<11}"))));
    let mut languages: Vec<(&String, &u64)> = meta.languages.iter().collect();
    languages.sort_by_key(|(name, n)| (std::cmp::Reverse(**n), *name));
    let languages: Vec<String> = languages.iter().take(6).map(|(name, n)| format!("{name} {}", count(**n))).collect();
    row("name", engine.config.index.clone());
    row("corpus id", meta.corpus_id.clone());
    row("folders", roots(meta).join(", "));
    row("documents", count(meta.counts.documents));
    row("chunks", count(meta.counts.chunks));
    row("skipped", count(meta.counts.skipped));
    row("failed", count(meta.counts.failed));
    row("vectors", format!("{} × {}", count(meta.counts.rows), meta.model.dimension));
    row("model", format!("{} ({})", meta.model.name, &meta.model.fingerprint[..12.min(meta.model.fingerprint.len())]));
    row("chunking", format!("{} tokens, overlap {}", meta.chunking.max_tokens, meta.chunking.overlap_tokens));
    row("languages", languages.join(", "));
    row("size", format!("{} in {}", size(meta.bytes()), counted(meta.files.len() as u64, "file")));
    row("made", format!("{} by rag {}", time(meta.created), meta.tool));
    row("index", snapshot.dir().display().to_string());
    Ok(Outcome::Done)
}

fn verify(engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let problems = index::verify(&engine.store, &engine.config.index)?;
    if ui.json {
        ui.json(&wire::verified(&engine.config.index, &problems));
    } else if problems.is_empty() {
        ui.line(format!("{}  the index `{}` is whole", ui.paint(Tone::Good, "ok"), engine.config.index));
    } else {
        for problem in &problems {
            let what = safe_name(&format!("{}: {}", problem.path.display(), problem.reason));
            ui.line(format!("{}  {what}", ui.paint(Tone::Bad, "damaged")));
        }
        ui.note("run `rag ingest` again with the same folders: it rebuilds the index, from the cache where it can");
    }
    Ok(if problems.is_empty() { Outcome::Done } else { Outcome::Damaged })
}

fn save(engine: &Engine, ui: &Ui, file: &std::path::Path) -> Result<Outcome> {
    let saved = index::save(&engine.store, &engine.config.index, file)?;
    if ui.json {
        ui.json(&json!({
            "index": engine.config.index, "file": file, "files": saved.files, "bytes": saved.bytes,
            "bundle_bytes": saved.bundle_bytes,
        }));
    } else {
        ui.line(format!("{}  {} from {}", file.display(), size(saved.bundle_bytes), size(saved.bytes)));
    }
    Ok(Outcome::Done)
}

fn load(engine: &Engine, ui: &Ui, file: &std::path::Path, name: Option<&str>, replace: bool) -> Result<Outcome> {
    if !file.is_file() {
        return Err(Fault::usage(format!("there is no file {}", file.display())));
    }
    let _lock = engine.store.lock(Duration::ZERO, &|| engine.interrupted())?;
    let (pointer, meta) = index::load(&engine.store, file, name, replace)?;
    let model = engine.model(&meta.model.name);
    let has_model = model.as_ref().is_ok_and(|files| files.fingerprint == meta.model.fingerprint);
    if ui.json {
        ui.json(&json!({
            "index": pointer.name, "corpus_id": meta.corpus_id, "documents": meta.counts.documents,
            "chunks": meta.counts.chunks, "model": meta.model.name, "model_here": has_model,
        }));
    } else {
        ui.line(format!(
            "index `{}`: {}, {}",
            pointer.name,
            counted(meta.counts.documents, "document"),
            counted(meta.counts.chunks, "chunk")
        ));
    }
    if !has_model {
        ui.note(format!(
            "its model `{}` is not on this machine: only `--mode lexical` works until it is added",
            meta.model.name
        ));
    }
    Ok(Outcome::Done)
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
        let what = if compacted.rewritten { format!("{before} → {after}") } else { format!("{after}, as it was") };
        ui.line(format!("index `{}`: {what}", engine.config.index));
    }
    Ok(Outcome::Done)
}

fn remove(engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let _lock = engine.store.lock(Duration::ZERO, &|| engine.interrupted()).map_err(|fault| match fault.kind() {
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
