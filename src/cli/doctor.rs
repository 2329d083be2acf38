//! `rag doctor`: the state of each part, and what to do about it.

use std::io::ErrorKind;
use std::time::Instant;

use clap::Args;
use serde_json::{Map, Value, json};

use super::exit::{self, Outcome};
use super::ui::{Tone, Ui, clipped, counted, pending_text};
use crate::ask;
use crate::config::{Endpoint, Origin};
use crate::engine::Engine;
use crate::error::{Fault, Kind, Result};
use crate::index;
use crate::model::{Embedder, EmbeddingRole, Runtime, verify_folder};
use crate::search::Pending;

/// Check the data directory, library, model, index, cache and outside services
///
/// Prints what is wrong and what to do about it. With --verbose, also prints every setting and
/// where it is set.
#[derive(Debug, Args)]
pub struct DoctorArgs {}

/// One part and its state.
struct Finding {
    part: String,
    state: Result<State>,
}

impl Finding {
    fn new(part: &str, state: Result<State>) -> Self {
        Self { part: part.to_owned(), state }
    }
}

enum State {
    Ok(String),
    /// The part does not exist, which is not a fault.
    Absent(String),
}

impl State {
    fn not_created() -> Self {
        Self::Absent("none yet".to_owned())
    }
}

pub fn run(engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let findings = [
        Finding::new("data", check_data(engine)),
        Finding::new("library", check_library(engine)),
        Finding::new("model", check_model(engine)),
        Finding::new("index", check_index(engine)),
        Finding::new("cache", check_cache(engine)),
        Finding::new("llm", check_language_model(engine, &engine.config.llm)),
        Finding::new("shared", check_shared(engine)),
        Finding::new("depot", check_depot(engine)),
        Finding::new("ledger", check_ledger(engine)),
        Finding::new("nearest", check_nearest(engine)),
    ]
    .into_iter();
    let findings: Vec<Finding> = findings.chain(named_language_models(engine)).collect();
    if ui.json {
        print_json(&findings, engine, ui);
    } else {
        findings.iter().for_each(|finding| print(finding, ui));
        if ui.verbose {
            ui.line("");
            print_settings(engine, ui);
        }
    }
    // Damage decides the exit code before any other fault.
    let faults = findings.into_iter().filter_map(|finding| finding.state.err());
    let worst =
        faults.max_by_key(|fault| (fault.kind() == Kind::Damaged, exit::code_of_fault(fault)));
    match worst {
        None => Ok(Outcome::Done),
        Some(fault) if fault.kind() == Kind::Damaged => Ok(Outcome::Damaged),
        Some(_) => Err(Fault::failed("some checks failed; see above")),
    }
}

fn print_json(findings: &[Finding], engine: &Engine, ui: &Ui) {
    let parts: Map<_, _> =
        findings.iter().map(|finding| (finding.part.clone(), finding_json(finding))).collect();
    let setting = |(key, value, origin): &(String, String, Origin)| {
        ((*key).to_owned(), json!({ "value": value, "from": origin.to_string() }))
    };
    let settings: Map<_, _> = engine.config.origins.iter().map(setting).collect();
    let version = env!("CARGO_PKG_VERSION");
    ui.json(&json!({ "version": version, "parts": parts, "settings": settings }));
}

fn finding_json(finding: &Finding) -> Value {
    match &finding.state {
        Ok(State::Ok(text) | State::Absent(text)) => json!({ "ok": true, "detail": text }),
        Err(fault) => {
            json!({ "ok": false, "detail": fault.to_string(), "hint": fault.hint_text() })
        }
    }
}

fn print(finding: &Finding, ui: &Ui) {
    let (mark, tone, text) = match &finding.state {
        Ok(State::Ok(text)) => ("ok", Tone::Good, text.clone()),
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

fn print_settings(engine: &Engine, ui: &Ui) {
    let rows = engine.config.origins.iter();
    let rows =
        rows.map(|(key, value, origin)| vec![(*key).to_owned(), value.clone(), origin.to_string()]);
    ui.table(&["setting", "value", "from"], &rows.collect::<Vec<_>>());
}

/// A missing data directory is normal before the first ingest, but the path may be mistyped.
fn check_data(engine: &Engine) -> Result<State> {
    let dir = &engine.config.data_dir;
    match dir.metadata() {
        Ok(_) => {
            let shown = std::path::absolute(dir).unwrap_or_else(|_| dir.clone());
            Ok(State::Ok(shown.display().to_string()))
        }
        Err(e) if e.kind() == ErrorKind::NotFound => {
            let origin = engine.config.origins.iter().find(|(key, ..)| *key == "data_dir");
            let origin = origin.map(|(_, _, origin)| origin.to_string()).unwrap_or_default();
            Ok(State::Absent(format!(
                "{} does not exist ({origin}); the first ingest creates it",
                dir.display()
            )))
        }
        Err(e) => Err(Fault::failed(format!("cannot read {}", dir.display())).because(e)),
    }
}

fn check_library(engine: &Engine) -> Result<State> {
    let library = engine.runtime_library()?;
    let folder = library.path.parent().filter(|folder| folder.join("manifest.json").exists());
    if let Some(folder) = folder {
        verify_folder(folder)?.into_iter().next().map_or(Ok(()), Err)?;
    }
    Runtime::load(&library)?;
    Ok(State::Ok(library.path.display().to_string()))
}

fn check_model(engine: &Engine) -> Result<State> {
    let files = engine.configured_model()?;
    verify_folder(&files.dir)?.into_iter().next().map_or(Ok(()), Err)?;
    let (name, dir) = (files.name.clone(), files.dir.display().to_string());
    let window = files.spec.max_tokens;
    let vector = Embedder::load(files, &engine.runtime_library()?)?
        .embed(EmbeddingRole::Query, "Is all well?")?;
    let dimension = vector.dimension();
    Ok(State::Ok(format!("{name} in {dir}, {dimension} dimensions, window {window} tokens")))
}

/// Whether a configured language model answers.
fn check_language_model(engine: &Engine, llm: &Endpoint) -> Result<State> {
    if llm.base_url.is_empty() {
        return Ok(State::Absent("off: `llm.base_url` is not set".to_owned()));
    }
    let name = ask::probe(llm, &|| engine.interrupted())?;
    Ok(State::Ok(format!("{} answers as {}", llm.base_url, clipped(&name, 60))))
}

/// Language models with a name, each as a part `llm.NAME`.
fn named_language_models(engine: &Engine) -> impl Iterator<Item = Finding> {
    engine
        .config
        .llms
        .values()
        .map(|llm| Finding::new(&format!("llm.{}", llm.name), check_language_model(engine, llm)))
}

/// Whether the store that servers share answers.
fn check_shared(engine: &Engine) -> Result<State> {
    match engine.shared.redis() {
        Some(redis) => Ok(State::Ok(redis.check()?)),
        None => Ok(State::Absent("off: `shared.url` is not set".to_owned())),
    }
}

/// Whether the depot can be written and compares before it swaps, and how long it takes.
fn check_depot(engine: &Engine) -> Result<State> {
    if !engine.store.is_shared() {
        return Ok(State::Absent("off: `depot.url` is not set".to_owned()));
    }
    let depot = engine.store.depot()?;
    let start = Instant::now();
    depot.list("names/")?;
    let ms = start.elapsed().as_secs_f64() * 1e3;
    depot.probe()?;
    let versions = match depot.is_versioned() {
        true => "; it keeps old versions: let a lifecycle rule expire them",
        false => "",
    };
    let indexes = counted(engine.store.names()?.len() as u64, "index");
    Ok(State::Ok(format!(
        "{} answers in {ms:.0} ms, compares before it swaps, has {indexes}{versions}",
        depot.url()
    )))
}

/// Whether the database answers and has the right schema.
fn check_ledger(engine: &Engine) -> Result<State> {
    match engine.ledger.postgres() {
        Some(postgres) => Ok(State::Ok(postgres.check()?)),
        None => Ok(State::Absent("off: `ledger.url` is not set".to_owned())),
    }
}

/// Whether the engine with the vectors answers, and has those of the index.
fn check_nearest(engine: &Engine) -> Result<State> {
    let Some(found) = engine.store.nearest().check()? else {
        return Ok(State::Absent("off: `nearest.engine` is scan".to_owned()));
    };
    let name = &engine.config.index;
    if !engine.store.names()?.contains(name) {
        return Ok(State::Ok(found));
    }
    match engine.store.open(name)?.engine_has_vectors()? {
        true => Ok(State::Ok(format!("{found}; it has the vectors of `{name}`"))),
        false => Err(Fault::failed(format!("{found}; it lacks vectors of `{name}`"))
            .hint("run `rag ingest` with the same folders; until then every vector is compared")),
    }
}

fn check_index(engine: &Engine) -> Result<State> {
    const ADVICE: &str = "run `rag ingest` again with the same folders";
    let name = &engine.config.index;
    if !engine.store.names()?.contains(name) {
        return Ok(State::not_created());
    }
    if let Some(problem) = index::verify(&engine.store, name)?.into_iter().next() {
        return Err(Fault::damaged(format!("{}: {}", problem.path.display(), problem.reason))
            .hint(format!("{ADVICE} to rebuild the index")));
    }
    let snapshot = engine.store.open(name)?;
    let counts = snapshot.meta().counts;
    let size =
        format!("{}, {}", counted(counts.documents, "document"), counted(counts.chunks, "chunk"));
    let intact = format!("`{name}` intact, {size}");
    match Pending::of(engine, name, snapshot.meta()) {
        None => Ok(State::Ok(intact)),
        Some(pending) if pending.in_progress => {
            Ok(State::Ok(format!("{intact}; {}", pending_text(&pending))))
        }
        Some(pending) => Err(Fault::failed(format!(
            "`{name}` has {size}, keyword search only: {}",
            pending_text(&pending)
        ))
        .hint(ADVICE)),
    }
}

fn check_cache(engine: &Engine) -> Result<State> {
    if !engine.config.cache_dir.is_dir() {
        return Ok(State::not_created());
    }
    let problems = engine.cache().verify()?;
    if let Some(problem) = problems.into_iter().next() {
        let dir = engine.config.cache_dir.display();
        return Err(Fault::damaged(format!("the cache in {dir}: {problem}"))
            .hint("run `rag cache purge all` to empty it"));
    }
    let rows: u64 = engine.cache().stats()?.iter().map(|table| table.count).sum();
    let note = if engine.cache().is_writable() { "" } else { ", read-only" };
    Ok(State::Ok(format!("{}{note}", counted(rows, "row"))))
}
