//! `rag sessions`: stored conversations, and which of them a command continues.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use super::args::existing;
use super::confirm::Removal;
use super::exit::Outcome;
use super::links::Target;
use super::ui::{Tone, Ui, counted, one_line, safe, safe_name, time, wrapped};
use crate::disk::{self, Existing};
use crate::documents;
use crate::engine::Engine;
use crate::error::{Context as _, Fault, Result};
use crate::naming::Names;
use crate::sessions::{Cited, Session, Turn};
use crate::state::ShownPlace;
use crate::wire;

/// List, show, export and remove conversations
///
/// A conversation is deleted a day after its last question, or as set by `sessions.ttl_hours`.
#[derive(Debug, Args)]
pub struct SessionsArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List conversations, last used first
    List,
    /// Print a conversation
    Show {
        /// Name of the conversation
        id: String,
    },
    /// Export a conversation as JSON lines
    Export {
        /// Name of the conversation
        id: String,
        /// Folder to write session.jsonl to [default: `runs/session_TIME` in the data directory]
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
        /// Overwrite an existing session.jsonl
        #[arg(long)]
        force: bool,
    },
    /// Remove conversations
    ///
    /// Asks for confirmation at a terminal; elsewhere, removing more than one requires `--yes`.
    Remove {
        /// Names of the conversations
        #[arg(value_name = "ID", required_unless_present = "all")]
        ids: Vec<String>,
        /// Remove every conversation and the history of `rag chat`
        #[arg(long, conflicts_with = "ids")]
        all: bool,
        /// Do not ask for confirmation
        #[arg(short, long)]
        yes: bool,
    },
}

/// The conversation that a question belongs to.
#[derive(Debug, Args)]
pub struct SessionArgs {
    /// Start or continue the conversation ID
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Continue the last used conversation
    #[arg(long = "continue", conflicts_with = "session")]
    resume: bool,
}

impl SessionArgs {
    /// The named conversation, locked by this process; `None` if the flags name none.
    ///
    /// # Errors
    /// A usage fault if there is nothing to continue; those of
    /// [`Sessions::begin`](crate::sessions::Sessions::begin).
    pub(super) fn open<'a>(&self, engine: &'a Engine) -> Result<Option<Session<'a>>> {
        let id = match &self.session {
            Some(id) => id.clone(),
            None if self.resume => engine.sessions()?.latest(engine.now_s())?.ok_or_else(|| {
                Fault::usage("no conversation to continue").hint("start one with `--session NAME`")
            })?,
            None => return Ok(None),
        };
        open(engine, &id).map(Some)
    }
}

fn open<'a>(engine: &'a Engine, id: &str) -> Result<Session<'a>> {
    engine.sessions()?.begin(id, engine.now_s(), &|| engine.interrupted())
}

/// A new conversation with a random name.
pub(super) fn open_new(engine: &Engine) -> Result<Session<'_>> {
    open(engine, &disk::random_id()?)
}

/// The history of the prompt of `rag chat`.
pub(super) fn history_file(engine: &Engine) -> PathBuf {
    engine.config.data_dir.join("sessions").join("history")
}

pub fn run(args: &SessionsArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    match &args.action {
        Action::List => list(engine, ui),
        Action::Show { id } => show(id, engine, ui),
        Action::Export { id, to, force } => {
            let turns = engine.sessions()?.show(id, engine.now_s())?;
            let export = Export { dir: to.as_deref(), existing: existing(*force) };
            let file = export.write(engine, id, &turns)?.to_string_lossy().into_owned();
            if ui.json {
                ui.json(&json!({ "id": id, "turns": turns.len(), "file": file }));
            } else {
                ui.line(safe(&file));
            }
            Ok(Outcome::Done)
        }
        Action::Remove { ids, all, yes } => {
            if !yes {
                confirm_removal(ids, *all, engine, ui)?;
            }
            remove(ids, *all, engine, ui)
        }
    }
}

fn list(engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let found = engine.sessions()?.list(engine.now_s())?;
    if ui.json {
        let sessions: Vec<_> = found.iter().map(wire::session).collect();
        ui.json(&json!({ "sessions": sessions }));
    } else if found.is_empty() {
        ui.note("no conversations");
    } else {
        let rows = found.iter().map(|s| {
            vec![s.id.clone(), s.turns.to_string(), one_line(&s.first_question), time(s.used)]
        });
        ui.table(&["session", "turns", "first question", "last used"], &rows.collect::<Vec<_>>());
    }
    Ok(Outcome::Done)
}

fn show(id: &str, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let turns = engine.sessions()?.show(id, engine.now_s())?;
    if ui.json {
        let turns: Vec<_> = turns.iter().map(wire::turn).collect();
        ui.json(&json!({ "id": id, "turns": turns }));
        return Ok(Outcome::Done);
    }
    ui.paged(|| print_turns(&turns, engine, ui));
    Ok(Outcome::Done)
}

fn print_turns(turns: &[Turn], engine: &Engine, ui: &Ui) {
    for (turn, n) in turns.iter().zip(1..) {
        if n > 1 {
            ui.line("");
        }
        let question = ui.paint(Tone::Strong, &format!("{n}. {}", one_line(&turn.question)));
        ui.line(format!("{question}  {}", ui.paint(Tone::Faint, &time(turn.at))));
        if turn.resolved != turn.question {
            let resolved = format!("   interpreted as: {}", one_line(&turn.resolved));
            ui.line(ui.paint(Tone::Faint, &resolved));
        }
        match turn.supported {
            true => ui.write(&wrapped(&turn.answer, ui.width(), "   ")),
            false => ui.line("   Nothing in the index supported an answer."),
        }
        print_sources(engine, turn, "   ", ui);
    }
}

/// The names of the documents of a turn's index, which may have been removed since.
fn names_of(engine: &Engine, turn: &Turn) -> Names {
    let meta = engine.store.meta(&turn.index);
    meta.map(|meta| documents::names_from_here(&meta.roots)).unwrap_or_default()
}

/// The places that an answer cites. Pages are not stored.
pub(super) fn places(engine: &Engine, turn: &Turn) -> Vec<ShownPlace> {
    let names = names_of(engine, turn);
    let place = |cited: &Cited| ShownPlace {
        n: cited.n,
        root: cited.root.clone(),
        path: cited.path.clone(),
        absolute: names.absolute_in(&cited.root, &cited.path),
        line: cited.first,
        has_lines: true,
        page: None,
    };
    turn.citations.iter().map(place).collect()
}

/// Prints the places that an answer cites.
pub(super) fn print_sources(engine: &Engine, turn: &Turn, indent: &str, ui: &Ui) {
    let names = names_of(engine, turn);
    for cited in &turn.citations {
        let path = names.shown_in(&cited.root, &cited.path);
        let place = safe_name(&format!("{path}:{}", cited.first));
        let absolute = names.absolute_in(&cited.root, &cited.path);
        let target = absolute.map(|path| Target { path, line: Some(cited.first), page: None });
        let linked = ui.link(&ui.paint(Tone::Location, &place), target.as_ref());
        ui.line(format!("{indent}[{}] {linked}", cited.n));
    }
}

/// Where to export a conversation.
pub(super) struct Export<'a> {
    /// A new folder in the data directory if `None`.
    pub dir: Option<&'a Path>,
    pub existing: Existing,
}

impl Export<'_> {
    /// Writes session.jsonl and returns its path.
    pub(super) fn write(&self, engine: &Engine, id: &str, turns: &[Turn]) -> Result<PathBuf> {
        let dir = self.dir.map_or_else(|| new_export_folder(engine), Path::to_owned);
        disk::create_dir(&dir)?;
        let path = dir.join("session.jsonl");
        disk::write_file(&path, wire::exported(id, turns).as_bytes(), self.existing)?;
        Ok(path)
    }
}

/// `runs/session_20261120T184455Z`, with a number appended if that exists.
fn new_export_folder(engine: &Engine) -> PathBuf {
    let stamp = time(engine.now_s()).replace(' ', "T").replace(['-', ':'], "");
    let runs = engine.config.data_dir.join("runs");
    let suffixes = std::iter::once(String::new()).chain((2..).map(|n| format!("-{n}")));
    let mut folders = suffixes.map(|suffix| runs.join(format!("session_{stamp}Z{suffix}")));
    folders.find(|folder| !folder.exists()).unwrap_or(runs)
}

/// Asks for confirmation, naming how many conversations would be lost.
fn confirm_removal(ids: &[String], all: bool, engine: &Engine, ui: &Ui) -> Result<()> {
    let n = match all {
        // Unreadable conversations cannot be counted.
        true => {
            engine.sessions()?.list(engine.now_s()).map_or(usize::MAX, |sessions| sessions.len())
        }
        false => ids.len(),
    };
    let action = match (n, ids) {
        (0, _) => return Ok(()),
        (_, [id]) => format!("permanently remove the conversation {id}"),
        (usize::MAX, _) => "permanently remove every conversation".to_owned(),
        (n, _) => format!("permanently remove {}", counted(n as u64, "conversation")),
    };
    Removal { yes: false, needs_yes: n > 1, action: &action }.confirm(engine, ui)
}

fn remove(ids: &[String], all: bool, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let sessions = engine.sessions()?;
    let n = if all { sessions.remove_all()? } else { sessions.remove(ids)? };
    if all {
        engine.state().forget_shown();
        let history = history_file(engine);
        match std::fs::remove_file(&history) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                return Err(e).or_cannot("remove", &history);
            }
            _ => {}
        }
    }
    if ui.json {
        ui.json(&json!({ "removed": n }));
    } else {
        ui.note(format!("removed {}", counted(n, "conversation")));
    }
    Ok(Outcome::Done)
}
