//! `rag doctor`: each part, how it is, and what to do.

use clap::Args;
use serde_json::json;

use super::exit::{self, Outcome};
use super::ui::{Tone, Ui, counted};
use crate::engine::Engine;
use crate::error::{Fault, Kind, Result};
use crate::index;
use crate::model::{Embedder, Role, verify_folder};

/// Check library, model, index and cache, and say what to do
#[derive(Debug, Args)]
pub struct DoctorArgs {}

/// One part and how it is.
struct Finding {
    part: &'static str,
    /// A sentence when it is well, a fault when it is not, `None` when there is nothing yet.
    state: std::result::Result<Option<String>, Fault>,
}

pub fn run(_args: &DoctorArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let findings = [
        Finding { part: "library", state: library(engine).map(Some) },
        Finding { part: "model", state: model(engine).map(Some) },
        Finding { part: "index", state: index_state(engine) },
        Finding { part: "cache", state: cache(engine) },
    ];
    if ui.json {
        let parts: serde_json::Map<_, _> = findings.iter().map(|f| (f.part.to_owned(), as_json(f))).collect();
        let settings: serde_json::Map<_, _> = engine
            .config
            .origins
            .iter()
            .map(|(key, value, origin)| ((*key).to_owned(), json!({ "value": value, "from": origin.to_string() })))
            .collect();
        ui.json(&json!({ "version": env!("CARGO_PKG_VERSION"), "parts": parts, "settings": settings }));
    } else {
        for finding in &findings {
            print(ui, finding);
        }
        if ui.verbose {
            ui.line("");
            let rows = engine.config.origins.iter();
            let rows = rows.map(|(key, value, origin)| vec![(*key).to_owned(), value.clone(), origin.to_string()]);
            ui.table(&["setting", "value", "from"], rows.collect());
        }
    }
    // The worst part decides how the command ends: damage before anything else.
    let faults = findings.into_iter().filter_map(|finding| finding.state.err());
    let worst = faults.max_by_key(|fault| (fault.kind() == Kind::Damaged, exit::code_of_fault(fault)));
    match worst {
        None => Ok(Outcome::Done),
        Some(fault) if fault.kind() == Kind::Damaged => Ok(Outcome::Damaged),
        Some(_) => Err(Fault::failed("not everything is well; see above")),
    }
}

fn as_json(finding: &Finding) -> serde_json::Value {
    match &finding.state {
        Ok(Some(text)) => json!({ "ok": true, "detail": text }),
        Ok(None) => json!({ "ok": true, "detail": "none yet" }),
        Err(fault) => json!({ "ok": false, "detail": fault.to_string(), "hint": fault.hint_text() }),
    }
}

fn print(ui: &Ui, finding: &Finding) {
    let (mark, tone, text) = match &finding.state {
        Ok(Some(text)) => ("ok", Tone::Good, text.clone()),
        Ok(None) => ("--", Tone::Faint, "none yet".to_owned()),
        Err(fault) => ("BAD", Tone::Bad, fault.to_string()),
    };
    ui.line(format!("{}  {:8} {text}", ui.paint(tone, &format!("{mark:3}")), finding.part));
    if let Err(fault) = &finding.state
        && let Some(hint) = fault.hint_text()
    {
        ui.line(format!("              {hint}"));
    }
}

fn library(engine: &Engine) -> Result<String> {
    let path = engine.runtime_library()?;
    if let Some(folder) = path.parent().filter(|folder| folder.join("manifest.json").exists()) {
        verify_folder(folder)?.into_iter().next().map_or(Ok(()), Err)?;
    }
    crate::model::Runtime::load(&path)?;
    Ok(path.display().to_string())
}

fn model(engine: &Engine) -> Result<String> {
    let files = engine.model(&engine.config.model)?;
    verify_folder(&files.dir)?.into_iter().next().map_or(Ok(()), Err)?;
    let (name, dir) = (files.name.clone(), files.dir.display().to_string());
    let window = files.spec.max_tokens;
    let vector = Embedder::load(files, &engine.runtime_library()?)?.embed(Role::Query, "Is all well?")?;
    Ok(format!("{name} in {dir}, {} dimensions, window {window} tokens", vector.dimension()))
}

fn index_state(engine: &Engine) -> Result<Option<String>> {
    let name = &engine.config.index;
    let names = engine.store.names()?;
    if !names.contains(name) {
        return Ok(None);
    }
    if let Some(problem) = index::verify(&engine.store, name)?.into_iter().next() {
        return Err(Fault::damaged(format!("{}: {}", problem.path.display(), problem.reason))
            .hint("run `rag ingest` again with the same folders: it rebuilds the index"));
    }
    let snapshot = engine.store.open(name)?;
    let counts = snapshot.meta().counts;
    Ok(Some(format!("`{name}` whole, {}, {}", counted(counts.documents, "document"), counted(counts.chunks, "chunk"))))
}

fn cache(engine: &Engine) -> Result<Option<String>> {
    if !engine.config.cache_dir.is_dir() {
        return Ok(None);
    }
    let problems = engine.cache().verify()?;
    if let Some(problem) = problems.into_iter().next() {
        let dir = engine.config.cache_dir.display();
        return Err(Fault::damaged(format!("the cache in {dir}: {problem}")).hint("`rag cache purge all` empties it"));
    }
    let rows: u64 = engine.cache().stats()?.iter().map(|table| table.count).sum();
    let note = if engine.cache().is_writable() { "" } else { ", read-only" };
    Ok(Some(format!("{}{note}", counted(rows, "row"))))
}
