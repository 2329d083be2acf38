//! `rag doctor`: each part, how it is, and what to do.

use clap::Args;
use serde_json::json;

use super::exit::{self, Outcome};
use super::ui::{Tone, Ui, clipped, counted};
use crate::ask;
use crate::engine::Engine;
use crate::error::{Fault, Kind, Result};
use crate::index;
use crate::model::{Embedder, EmbeddingRole, verify_folder};
use crate::search::Pending;

/// Check data directory, library, model, index, cache and language model, and say what to do
#[derive(Debug, Args)]
pub struct DoctorArgs {}

/// One part and how it is.
struct Finding {
    part: &'static str,
    /// What is there, or a fault when it is not well.
    state: std::result::Result<State, Fault>,
}

enum State {
    Well(String),
    /// Nothing is there yet, and that is no fault.
    Absent(String),
}

impl State {
    fn none_yet() -> Self {
        Self::Absent("none yet".to_owned())
    }
}

pub fn run(_args: &DoctorArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let findings = [
        Finding { part: "data", state: data(engine) },
        Finding { part: "library", state: library(engine).map(State::Well) },
        Finding { part: "model", state: model(engine).map(State::Well) },
        Finding { part: "index", state: index_state(engine) },
        Finding { part: "cache", state: cache(engine) },
        Finding { part: "llm", state: language_model(engine) },
    ];
    if ui.json {
        let parts: serde_json::Map<_, _> =
            findings.iter().map(|f| (f.part.to_owned(), as_json(f))).collect();
        let settings: serde_json::Map<_, _> = engine
            .config
            .origins
            .iter()
            .map(|(key, value, origin)| {
                ((*key).to_owned(), json!({ "value": value, "from": origin.to_string() }))
            })
            .collect();
        ui.json(
            &json!({ "version": env!("CARGO_PKG_VERSION"), "parts": parts, "settings": settings }),
        );
    } else {
        for finding in &findings {
            print(ui, finding);
        }
        if ui.verbose {
            ui.line("");
            let rows = engine.config.origins.iter();
            let rows = rows.map(|(key, value, origin)| {
                vec![(*key).to_owned(), value.clone(), origin.to_string()]
            });
            ui.table(&["setting", "value", "from"], &rows.collect::<Vec<_>>());
        }
    }
    // The worst part decides how the command ends: damage before anything else.
    let faults = findings.into_iter().filter_map(|finding| finding.state.err());
    let worst =
        faults.max_by_key(|fault| (fault.kind() == Kind::Damaged, exit::code_of_fault(fault)));
    match worst {
        None => Ok(Outcome::Done),
        Some(fault) if fault.kind() == Kind::Damaged => Ok(Outcome::Damaged),
        Some(_) => Err(Fault::failed("not everything is well; see above")),
    }
}

fn as_json(finding: &Finding) -> serde_json::Value {
    match &finding.state {
        Ok(State::Well(text) | State::Absent(text)) => json!({ "ok": true, "detail": text }),
        Err(fault) => {
            json!({ "ok": false, "detail": fault.to_string(), "hint": fault.hint_text() })
        }
    }
}

fn print(ui: &Ui, finding: &Finding) {
    let (mark, tone, text) = match &finding.state {
        Ok(State::Well(text)) => ("ok", Tone::Good, text.clone()),
        Ok(State::Absent(text)) => ("--", Tone::Faint, text.clone()),
        Err(fault) => ("BAD", Tone::Bad, fault.to_string()),
    };
    ui.line(format!("{}  {:8} {text}", ui.paint(tone, &format!("{mark:3}")), finding.part));
    if let Err(fault) = &finding.state
        && let Some(hint) = fault.hint_text()
    {
        ui.line(format!("              {hint}"));
    }
}

/// The data directory. A first ingest makes it, but a mistyped one looks the same.
fn data(engine: &Engine) -> Result<State> {
    let dir = &engine.config.data_dir;
    match dir.metadata() {
        Ok(_) => {
            let shown = std::path::absolute(dir).unwrap_or_else(|_| dir.clone());
            Ok(State::Well(shown.display().to_string()))
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let origin = engine.config.origins.iter().find(|(key, ..)| *key == "data_dir");
            let origin = origin.map(|(_, _, origin)| origin.to_string()).unwrap_or_default();
            Ok(State::Absent(format!(
                "{} does not exist ({origin}); the first ingest makes it",
                dir.display()
            )))
        }
        Err(e) => Err(Fault::failed(format!("cannot read {}", dir.display())).because(e)),
    }
}

fn library(engine: &Engine) -> Result<String> {
    let library = engine.runtime_library()?;
    if let Some(folder) =
        library.path.parent().filter(|folder| folder.join("manifest.json").exists())
    {
        verify_folder(folder)?.into_iter().next().map_or(Ok(()), Err)?;
    }
    crate::model::Runtime::load(&library)?;
    Ok(library.path.display().to_string())
}

fn model(engine: &Engine) -> Result<String> {
    let files = engine.configured_model()?;
    verify_folder(&files.dir)?.into_iter().next().map_or(Ok(()), Err)?;
    let (name, dir) = (files.name.clone(), files.dir.display().to_string());
    let window = files.spec.max_tokens;
    let vector = Embedder::load(files, &engine.runtime_library()?)?
        .embed(EmbeddingRole::Query, "Is all well?")?;
    Ok(format!("{name} in {dir}, {} dimensions, window {window} tokens", vector.dimension()))
}

/// Whether the language model answers, where one is configured.
fn language_model(engine: &Engine) -> Result<State> {
    let llm = &engine.config.llm;
    if llm.base_url.is_empty() {
        return Ok(State::Absent("off: `llm.base_url` names no server".to_owned()));
    }
    let name = ask::probe(llm, &|| engine.interrupted())?;
    Ok(State::Well(format!("{} answers as {}", llm.base_url, clipped(&name, 60))))
}

fn index_state(engine: &Engine) -> Result<State> {
    let name = &engine.config.index;
    let names = engine.store.names()?;
    if !names.contains(name) {
        return Ok(State::none_yet());
    }
    if let Some(problem) = index::verify(&engine.store, name)?.into_iter().next() {
        return Err(Fault::damaged(format!("{}: {}", problem.path.display(), problem.reason))
            .hint("run `rag ingest` again with the same folders: it rebuilds the index"));
    }
    let snapshot = engine.store.open(name)?;
    let counts = snapshot.meta().counts;
    let size =
        format!("{}, {}", counted(counts.documents, "document"), counted(counts.chunks, "chunk"));
    match Pending::of(engine, name, snapshot.meta()) {
        None => Ok(State::Well(format!("`{name}` whole, {size}"))),
        Some(pending) if pending.in_progress => Ok(State::Well(format!(
            "`{name}` whole, {size}; {}",
            super::ui::pending_words(&pending)
        ))),
        Some(pending) => {
            let why = super::ui::pending_words(&pending);
            Err(Fault::failed(format!(
                "`{name}` has {size} and can be searched by words only: {why}"
            ))
            .hint("run `rag ingest` again with the same folders"))
        }
    }
}

fn cache(engine: &Engine) -> Result<State> {
    if !engine.config.cache_dir.is_dir() {
        return Ok(State::none_yet());
    }
    let problems = engine.cache().verify()?;
    if let Some(problem) = problems.into_iter().next() {
        let dir = engine.config.cache_dir.display();
        return Err(Fault::damaged(format!("the cache in {dir}: {problem}"))
            .hint("`rag cache purge all` empties it"));
    }
    let rows: u64 = engine.cache().stats()?.iter().map(|table| table.count).sum();
    let note = if engine.cache().is_writable() { "" } else { ", read-only" };
    Ok(State::Well(format!("{}{note}", counted(rows, "row"))))
}
