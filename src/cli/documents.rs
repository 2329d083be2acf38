//! `rag documents`: what is in the index, file by file.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;

use super::confirm::Removal;
use super::exit::Outcome;
use super::search::parsed;
use super::ui::{Tone, Ui, count, counted, safe, safe_name, size, time};
use crate::documents::{self, Changed};
use crate::engine::Engine;
use crate::error::Result;
use crate::index::{Record, State};
use crate::wire;

/// List, show and remove documents of an index
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub struct DocumentsArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the documents
    List {
        /// Only those that match, as in `type:markdown and not path:drafts/**`
        #[arg(long, value_name = "EXPR")]
        filter: Option<String>,
        /// Files that could not be read, and why
        #[arg(long)]
        failed: bool,
        /// Files without text, and why
        #[arg(long, conflicts_with = "failed")]
        skipped: bool,
        /// Documents that `rag documents remove` keeps out
        #[arg(long, conflicts_with_all = ["failed", "skipped", "filter"])]
        removed: bool,
    },
    /// Show what is known of a document, and its passages
    Show {
        /// Path as hits show it, or below its folder
        path: String,
    },
    /// Remove documents from the index for good; the files are not touched
    ///
    /// Their passages, cached results and the answers in conversations that rest on them are gone,
    /// and later ingests keep them out until they are restored. `rag index compact` then removes
    /// what is left of them in the index's files. Asks first at a terminal; elsewhere `--yes` is
    /// needed for more than one document.
    Remove {
        /// Paths or patterns, as in .gitignore
        #[arg(required = true, value_name = "PATH|GLOB")]
        patterns: Vec<String>,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
        /// Wait for another writer to finish
        #[arg(long, value_name = "SECONDS", default_value_t = 0)]
        wait: u64,
    },
    /// Let the next ingest take removed documents in again
    Restore {
        /// Paths or patterns, as in .gitignore
        #[arg(required = true, value_name = "PATH|GLOB")]
        patterns: Vec<String>,
        /// Wait for another writer to finish
        #[arg(long, value_name = "SECONDS", default_value_t = 0)]
        wait: u64,
    },
}

pub fn run(args: DocumentsArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    match args.action {
        Action::List { removed: true, .. } => list_removed(engine, ui),
        Action::List { filter, failed, skipped, .. } => {
            let state = match (failed, skipped) {
                (true, _) => State::Failed,
                (_, true) => State::Skipped,
                _ => State::Indexed,
            };
            list(engine, ui, filter.as_deref(), state)
        }
        Action::Show { path } => show(engine, ui, &path),
        Action::Remove { patterns, yes, wait } => {
            if !yes {
                confirm_removal(&patterns, engine, ui)?;
            }
            let changed = documents::remove(engine, &patterns, Duration::from_secs(wait))?;
            print_changed(ui, "removed", &changed);
            if !ui.json {
                ui.note(
                    "`rag index compact` removes what is left of them in the files of the index",
                );
            }
            Ok(Outcome::Done)
        }
        Action::Restore { patterns, wait } => {
            let changed = documents::restore(engine, &patterns, Duration::from_secs(wait))?;
            print_changed(ui, "restored", &changed);
            if !ui.json {
                ui.note("run `rag ingest` to take them in again");
            }
            Ok(Outcome::Done)
        }
    }
}

/// Asks with the documents that the patterns mean.
fn confirm_removal(patterns: &[String], engine: &Engine, ui: &Ui) -> Result<()> {
    let paths = documents::matching(engine, patterns)?;
    let what = match &paths[..] {
        [] => return Ok(()),
        [path] => format!("remove {path} from the index for good"),
        [first, second] => format!("remove {first} and {second} from the index for good"),
        [first, .., last] => {
            format!(
                "remove {} from the index for good, {first} to {last}",
                counted(paths.len() as u64, "document")
            )
        }
    };
    Removal { yes: false, is_much: paths.len() > 1, what: &what }.confirm(engine, ui)
}

fn list(engine: &Engine, ui: &Ui, filter: Option<&str>, state: State) -> Result<Outcome> {
    let filter = parsed(filter)?;
    let snapshot = engine.store.open(&engine.config.index)?;
    let roots = &snapshot.meta().roots;
    let mut records = snapshot.documents()?;
    let mut counts = Listed::default();
    records.iter().for_each(|record| counts.add(record.state));
    records.retain(|r| r.state == state);
    records.retain(|r| filter.as_ref().is_none_or(|filter| filter.matches(&r.facts(roots))));
    let names = documents::names_from_here(roots);
    let none = || "—".to_owned();
    if ui.json {
        ui.json(&records.iter().map(|record| wire::document(roots, record)).collect::<Vec<_>>());
    } else if records.is_empty() {
        ui.note(counts.nothing_to_list(
            &engine.config.index,
            state,
            !snapshot.meta().removed.is_empty(),
        ));
    } else if state == State::Indexed {
        let row = |r: &Record| {
            vec![
                names.shown(r.root, &r.path),
                r.format.as_deref().map_or_else(none, str::to_owned),
                size(r.size),
                count(r.chunks),
                r.language.as_deref().map_or_else(none, str::to_owned),
                if r.modified_s == 0 { none() } else { time(r.modified_s) },
            ]
        };
        ui.table(
            &["path", "type", "size", "chunks", "language", "modified"],
            &records.iter().map(row).collect::<Vec<_>>(),
        );
    } else {
        let row = |r: &Record| {
            vec![names.shown(r.root, &r.path), size(r.size), r.reason.clone().unwrap_or_default()]
        };
        ui.table(&["path", "size", "reason"], &records.iter().map(row).collect::<Vec<_>>());
    }
    Ok(if records.is_empty() { Outcome::NothingFound } else { Outcome::Done })
}

/// Files of an index by their state.
#[derive(Default)]
struct Listed {
    indexed: u64,
    failed: u64,
    skipped: u64,
}

impl Listed {
    fn add(&mut self, state: State) {
        match state {
            State::Indexed => self.indexed += 1,
            State::Failed => self.failed += 1,
            State::Skipped => self.skipped += 1,
        }
    }

    /// Why a list of the files in `state` is empty, and where the files are instead.
    fn nothing_to_list(&self, index: &str, state: State, some_removed: bool) -> String {
        match state {
            State::Indexed if self.indexed > 0 => "no document matches the filter".to_owned(),
            State::Failed if self.failed > 0 => "no file that failed matches the filter".to_owned(),
            State::Skipped if self.skipped > 0 => "no skipped file matches the filter".to_owned(),
            State::Failed => format!("no file of the index `{index}` failed"),
            State::Skipped => {
                format!("no file of the index `{index}` was skipped for lack of text")
            }
            State::Indexed => {
                let places = [
                    ("failed", self.failed > 0),
                    ("skipped", self.skipped > 0),
                    ("removed", some_removed),
                ];
                let flags = places
                    .iter()
                    .filter(|(_, is_some)| *is_some)
                    .map(|(flag, _)| format!("`--{flag}`"));
                let flags: Vec<String> = flags.collect();
                match flags.is_empty() {
                    true => format!(
                        "the index `{index}` is empty: its folders hold no file that can be indexed"
                    ),
                    false => format!(
                        "the index `{index}` is empty; {} lists what is not in it",
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
        ui.note("no document was removed");
    } else {
        paths.iter().for_each(|path| ui.line(safe_name(path)));
    }
    Ok(if paths.is_empty() { Outcome::NothingFound } else { Outcome::Done })
}

fn show(engine: &Engine, ui: &Ui, path: &str) -> Result<Outcome> {
    let documents::Document { roots, record, chunks } = documents::show(engine, path)?;
    let title = chunks.first().and_then(|stored| stored.title.as_deref());
    let mut headings: Vec<&[String]> =
        chunks.iter().map(|stored| stored.chunk.heading.as_slice()).collect();
    headings.retain(|heading| !heading.is_empty());
    headings.dedup();
    if ui.json {
        let mut object = wire::document(&roots, &record);
        object["title"] = title.into();
        object["hash"] = record.hash.as_str().into();
        object["headings"] = json!(headings);
        object["passages"] = wire::passages(&chunks, None);
        ui.json(&object);
        return Ok(Outcome::Done);
    }
    let row = |key: &str, value: &str| ui.row(key, 9, value);
    row("path", &documents::names_from_here(&roots).shown(record.root, &record.path));
    for (key, value) in [
        ("title", title),
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
    let mut before: &[String] = &[];
    for stored in &chunks {
        let chunk = &stored.chunk;
        if chunk.heading != before {
            before = &chunk.heading;
            ui.line(format!("\n{}", ui.paint(Tone::Strong, &safe(&before.join(" > ")))));
        }
        let lines = format!("{:>5}–{:<5}", chunk.lines.first, chunk.lines.last);
        let text = ui.fitted(&chunk.text, ui.width().saturating_sub(13));
        ui.line(format!("{} {text}", ui.paint(Tone::Location, &lines)));
    }
    Ok(Outcome::Done)
}

fn print_changed(ui: &Ui, what: &str, changed: &Changed) {
    if ui.json {
        return ui.json(&wire::changed(what, changed));
    }
    changed.paths.iter().for_each(|path| ui.line(safe_name(path)));
    ui.note(format!(
        "{what} {}; the index has {} now",
        counted(changed.paths.len() as u64, "document"),
        counted(changed.documents, "document")
    ));
    if changed.withdrawn > 0 {
        ui.note(format!("emptied {} that rested on them", counted(changed.withdrawn, "answer")));
    }
}
