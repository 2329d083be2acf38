//! `rag documents`: the documents of an index.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;

use super::args::FilterArgs;
use super::confirm::Removal;
use super::exit::Outcome;
use super::ui::{Tone, Ui, count, counted, safe, safe_name, size, time};
use crate::documents::{self, Changed, Document};
use crate::engine::Engine;
use crate::error::Result;
use crate::filter::Filter;
use crate::index::{Record, State};
use crate::naming::Names;
use crate::wire;

/// List, show and remove the documents of an index
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub struct DocumentsArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List documents
    List {
        #[command(flatten)]
        filter: FilterArgs,
        /// Show files that failed, with the reason
        #[arg(long)]
        failed: bool,
        /// Show files without text, with the reason
        #[arg(long, conflicts_with = "failed")]
        skipped: bool,
        /// Show documents excluded by `rag documents remove`
        #[arg(long, conflicts_with_all = ["failed", "skipped", "filter"])]
        removed: bool,
    },
    /// Show a document and its passages
    Show {
        /// Path as shown in hits, or relative to its folder
        path: String,
    },
    /// Remove documents from the index permanently; files on disk are not touched
    ///
    /// Removes their passages, cached results and answers in conversations that cite them. Later
    /// ingests skip them until they are restored. `rag index compact` then erases what is left of
    /// them in the index files. Asks for confirmation at a terminal; elsewhere, removing more than
    /// one document requires `--yes`.
    Remove {
        /// Paths or .gitignore patterns
        #[arg(required = true, value_name = "PATH|GLOB")]
        patterns: Vec<String>,
        /// Do not ask for confirmation
        #[arg(short, long)]
        yes: bool,
        /// Wait up to SECONDS for another writer
        #[arg(long, value_name = "SECONDS", default_value_t = 0)]
        wait: u64,
    },
    /// Let the next ingest add removed documents again
    Restore {
        /// Paths or .gitignore patterns
        #[arg(required = true, value_name = "PATH|GLOB")]
        patterns: Vec<String>,
        /// Wait up to SECONDS for another writer
        #[arg(long, value_name = "SECONDS", default_value_t = 0)]
        wait: u64,
    },
}

pub fn run(args: &DocumentsArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    match &args.action {
        Action::List { removed: true, .. } => list_removed(engine, ui),
        Action::List { filter, failed, skipped, .. } => {
            let state = match (failed, skipped) {
                (true, _) => State::Failed,
                (_, true) => State::Skipped,
                _ => State::Indexed,
            };
            list(filter.parse()?.as_ref(), state, engine, ui)
        }
        Action::Show { path } => show(path, engine, ui),
        Action::Remove { patterns, yes, wait } => {
            if !yes {
                confirm_removal(patterns, engine, ui)?;
            }
            let changed = documents::remove(engine, patterns, Duration::from_secs(*wait))?;
            let advice = "run `rag index compact` to erase what is left of them in the index files";
            print_changed("removed", &changed, advice, ui);
            Ok(Outcome::Done)
        }
        Action::Restore { patterns, wait } => {
            let changed = documents::restore(engine, patterns, Duration::from_secs(*wait))?;
            print_changed("restored", &changed, "run `rag ingest` to index them again", ui);
            Ok(Outcome::Done)
        }
    }
}

/// Asks for confirmation, naming the documents that the patterns match.
fn confirm_removal(patterns: &[String], engine: &Engine, ui: &Ui) -> Result<()> {
    let paths = documents::matching(engine, patterns)?;
    let what = match &paths[..] {
        [] => return Ok(()),
        [path] => path.clone(),
        [first, second] => format!("{first} and {second}"),
        [first, .., last] => {
            format!("{} ({first} to {last})", counted(paths.len() as u64, "document"))
        }
    };
    let action = format!("permanently remove {what} from the index");
    Removal { yes: false, needs_yes: paths.len() > 1, action: &action }.confirm(engine, ui)
}

fn list(filter: Option<&Filter>, state: State, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let snapshot = engine.store.open(&engine.config.index)?;
    let roots = &snapshot.meta().roots;
    let mut records = snapshot.documents()?;
    let mut states = StateCounts::default();
    records.iter().for_each(|record| states.add(record.state));
    records.retain(|record| {
        record.state == state && filter.is_none_or(|filter| filter.matches(&record.facts(roots)))
    });
    if ui.json {
        ui.json(&records.iter().map(|record| wire::document(roots, record)).collect::<Vec<_>>());
    } else if records.is_empty() {
        let has_removed = !snapshot.meta().removed.is_empty();
        ui.note(states.explain_empty(&engine.config.index, state, has_removed));
    } else {
        print_records(&records, state, &documents::names_from_here(roots), ui);
    }
    Ok(if records.is_empty() { Outcome::NothingFound } else { Outcome::Done })
}

fn print_records(records: &[Record], state: State, names: &Names, ui: &Ui) {
    let path = |record: &Record| names.shown(record.root, &record.path);
    let or_dash = |text: Option<&str>| text.unwrap_or("—").to_owned();
    let indexed_row = |record: &Record| {
        vec![
            path(record),
            or_dash(record.format.as_deref()),
            size(record.size),
            count(record.chunks),
            or_dash(record.language.as_deref()),
            match record.modified_s {
                0 => or_dash(None),
                modified_s => time(modified_s),
            },
        ]
    };
    let other_row = |record: &Record| {
        vec![path(record), size(record.size), record.reason.clone().unwrap_or_default()]
    };
    if state == State::Indexed {
        let rows: Vec<_> = records.iter().map(indexed_row).collect();
        ui.table(&["path", "type", "size", "chunks", "language", "modified"], &rows);
    } else {
        let rows: Vec<_> = records.iter().map(other_row).collect();
        ui.table(&["path", "size", "reason"], &rows);
    }
}

/// Files of an index by state.
#[derive(Default)]
struct StateCounts {
    indexed: u64,
    failed: u64,
    skipped: u64,
}

impl StateCounts {
    fn add(&mut self, state: State) {
        match state {
            State::Indexed => self.indexed += 1,
            State::Failed => self.failed += 1,
            State::Skipped => self.skipped += 1,
        }
    }

    /// Why no file in `state` is listed, and which flags list others.
    fn explain_empty(&self, index: &str, state: State, has_removed: bool) -> String {
        match state {
            State::Indexed if self.indexed > 0 => "no document matches the filter".to_owned(),
            State::Failed if self.failed > 0 => "no failed file matches the filter".to_owned(),
            State::Skipped if self.skipped > 0 => "no skipped file matches the filter".to_owned(),
            State::Failed => format!("no file of the index `{index}` failed"),
            State::Skipped => format!("no file of the index `{index}` was skipped"),
            State::Indexed => {
                let others = [
                    ("`--failed`", self.failed > 0),
                    ("`--skipped`", self.skipped > 0),
                    ("`--removed`", has_removed),
                ];
                let flags: Vec<&str> = others
                    .into_iter()
                    .filter(|(_, has_any)| *has_any)
                    .map(|(flag, _)| flag)
                    .collect();
                match flags.is_empty() {
                    true => format!("the index `{index}` is empty: no file can be indexed"),
                    false => format!(
                        "the index `{index}` is empty; {} lists files that are not indexed",
                        flags.join(" or ")
                    ),
                }
            }
        }
    }
}

fn list_removed(engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let paths = documents::removed(&engine.store.meta(&engine.config.index)?);
    if ui.json {
        ui.json(&paths);
    } else if paths.is_empty() {
        ui.note("no removed documents");
    } else {
        paths.iter().for_each(|path| ui.line(safe_name(path)));
    }
    Ok(if paths.is_empty() { Outcome::NothingFound } else { Outcome::Done })
}

fn show(path: &str, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let document = documents::show(engine, path)?;
    if ui.json {
        print_json(&document, ui);
    } else {
        ui.paged(|| {
            print_facts(&document, ui);
            print_passages(&document, ui);
        });
    }
    Ok(Outcome::Done)
}

fn title(document: &Document) -> Option<&str> {
    document.chunks.first().and_then(|stored| stored.title.as_deref())
}

fn print_json(document: &Document, ui: &Ui) {
    let Document { roots, record, chunks } = document;
    let headings = chunks.iter().map(|stored| &stored.chunk.heading);
    let mut headings: Vec<&Vec<String>> = headings.filter(|heading| !heading.is_empty()).collect();
    headings.dedup();
    let mut object = wire::document(roots, record);
    object["title"] = title(document).into();
    object["hash"] = record.hash.as_str().into();
    object["headings"] = json!(headings);
    object["passages"] = wire::passages(chunks, None);
    ui.json(&object);
}

fn print_facts(document: &Document, ui: &Ui) {
    let Document { roots, record, .. } = document;
    let row = |key: &str, value: &str| ui.row(key, 9, value);
    row("path", &documents::names_from_here(roots).shown(record.root, &record.path));
    for (key, value) in [
        ("title", title(document)),
        ("type", record.format.as_deref()),
        ("language", record.language.as_deref()),
    ] {
        value.into_iter().for_each(|value| row(key, value));
    }
    row("size", &size(record.size));
    if record.modified_s != 0 {
        row("modified", &time(record.modified_s));
    }
    match &record.reason {
        Some(reason) => row("reason", reason),
        None => row("chunks", &count(record.chunks)),
    }
    for (key, values) in &record.meta {
        row(key, &values.join(", "));
    }
}

fn print_passages(document: &Document, ui: &Ui) {
    let mut before: &[String] = &[];
    for stored in &document.chunks {
        let chunk = &stored.chunk;
        if chunk.heading != before {
            before = &chunk.heading;
            ui.line(format!("\n{}", ui.paint(Tone::Strong, &safe(&before.join(" > ")))));
        }
        let lines = format!("{:>5}–{:<5}", chunk.lines.first, chunk.lines.last);
        let text = ui.fit(&chunk.text, ui.width().saturating_sub(13));
        ui.line(format!("{} {text}", ui.paint(Tone::Location, &lines)));
    }
}

fn print_changed(verb: &str, changed: &Changed, advice: &str, ui: &Ui) {
    if ui.json {
        return ui.json(&wire::changed(verb, changed));
    }
    changed.paths.iter().for_each(|path| ui.line(safe_name(path)));
    let paths = counted(changed.paths.len() as u64, "document");
    let left = counted(changed.documents, "document");
    ui.note(format!("{verb} {paths}; the index has {left}"));
    if changed.withdrawn > 0 {
        let answers = counted(changed.withdrawn, "stored answer");
        ui.note(format!("erased {answers} that cite them"));
    }
    ui.note(advice);
}
