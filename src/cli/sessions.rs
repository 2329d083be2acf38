//! `rag sessions`: the conversations that are kept, and which of them a command goes on with.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use super::confirm::Removal;
use super::existing;
use super::exit::Outcome;
use super::ui::{Tone, Ui, clipped, counted, one_line, safe, safe_name, time, wrapped};
use crate::disk::{self, Existing};
use crate::documents;
use crate::engine::Engine;
use crate::error::{Context as _, Fault, Result};
use crate::sessions::{Session, Turn};
use crate::wire;

/// Show, export or remove conversations
///
/// A conversation is forgotten a day after its last question; the setting `sessions.ttl_hours` says
/// otherwise.
#[derive(Debug, Args)]
pub struct SessionsArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the conversations, the last used first
    List,
    /// Print a conversation
    Show {
        /// Its name
        id: String,
    },
    /// Write a conversation to a file, one JSON object a line
    Export {
        /// Its name
        id: String,
        /// Folder for session.jsonl [default: `runs/session_TIME` in the data directory]
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
        /// Replace a session.jsonl that is there
        #[arg(long)]
        force: bool,
    },
    /// Remove conversations
    ///
    /// Asks first at a terminal; elsewhere `--yes` is needed for more than one conversation.
    Remove {
        /// Their names
        #[arg(value_name = "ID", required_unless_present = "all")]
        ids: Vec<String>,
        /// Remove every conversation, and the questions that `rag chat` remembers
        #[arg(long, conflicts_with = "ids")]
        all: bool,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

/// Which conversation a question belongs to.
#[derive(Debug, Args)]
pub struct WithinArgs {
    /// Begin the conversation of this name, or go on with it
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Go on with the conversation that was used last
    #[arg(long = "continue", conflicts_with = "session")]
    resume: bool,
}

impl WithinArgs {
    /// The conversation that the flags name, held by this process; `None` when they name none.
    ///
    /// # Errors
    /// A usage fault when there is nothing to continue; those of
    /// [`Sessions::begin`](crate::sessions::Sessions::begin).
    pub(super) fn begin<'a>(&self, engine: &'a Engine) -> Result<Option<Session<'a>>> {
        let id = match &self.session {
            Some(id) => id.clone(),
            None if self.resume => engine.sessions()?.latest(engine.now_s())?.ok_or_else(|| {
                Fault::usage("there is no conversation to continue")
                    .hint("`--session NAME` begins one")
            })?,
            None => return Ok(None),
        };
        begin(engine, &id).map(Some)
    }
}

/// A conversation of that name, held by this process.
pub(super) fn begin<'a>(engine: &'a Engine, id: &str) -> Result<Session<'a>> {
    engine.sessions()?.begin(id, engine.now_s(), &|| engine.interrupted())
}

/// A conversation with a name of its own.
pub(super) fn begin_new(engine: &Engine) -> Result<Session<'_>> {
    begin(engine, &disk::random_id()?)
}

pub fn run(args: &SessionsArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    match &args.action {
        Action::List => list(engine, ui),
        Action::Show { id } => show(id, engine, ui),
        Action::Export { id, to, force } => {
            let turns = engine.sessions()?.show(id, engine.now_s())?;
            let file = export(engine, id, &turns, to.as_deref(), existing(*force))?;
            if ui.json {
                ui.json(&json!({ "id": id, "turns": turns.len(), "file": file.to_string_lossy() }));
            } else {
                ui.line(safe(&file.to_string_lossy()));
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
        ui.note("there are no conversations");
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
    for (turn, n) in turns.iter().zip(1..) {
        if n > 1 {
            ui.line("");
        }
        let head = format!("{n}. {}", clipped(&turn.question, usize::MAX));
        ui.line(format!(
            "{}  {}",
            ui.paint(Tone::Strong, &head),
            ui.paint(Tone::Faint, &time(turn.at))
        ));
        if turn.resolved != turn.question {
            ui.line(ui.paint(
                Tone::Faint,
                &format!("   understood as: {}", clipped(&turn.resolved, usize::MAX)),
            ));
        }
        match turn.supported {
            true => ui.write(&wrapped(&turn.answer, ui.width(), "   ")),
            false => ui.line("   Nothing in the index supported an answer."),
        }
        sources(engine, turn, "   ", ui);
    }
    Ok(Outcome::Done)
}

/// Prints where the sources of an answer stand.
pub(super) fn sources(engine: &Engine, turn: &Turn, indent: &str, ui: &Ui) {
    // The index may be gone, and its folders with it.
    let names = engine
        .store
        .meta(&turn.index)
        .map(|meta| documents::names_from_here(&meta.roots))
        .unwrap_or_default();
    for cited in &turn.citations {
        let path = names.shown_in(&cited.root, &cited.path);
        let place = safe_name(&format!("{path}:{}", cited.first));
        ui.line(format!("{indent}[{}] {}", cited.n, ui.paint(Tone::Location, &place)));
    }
}

/// Writes a conversation to a file, and says which.
pub(super) fn export(
    engine: &Engine,
    id: &str,
    turns: &[Turn],
    to: Option<&Path>,
    existing: Existing,
) -> Result<PathBuf> {
    let dir = match to {
        Some(dir) => dir.to_owned(),
        None => free_folder(engine),
    };
    disk::create_dir(&dir)?;
    let path = dir.join("session.jsonl");
    disk::write_file(&path, wire::exported(id, turns).as_bytes(), existing)?;
    Ok(path)
}

/// `runs/session_20261120T184455Z`, with a number behind it when that exists.
fn free_folder(engine: &Engine) -> PathBuf {
    let stamp: String = time(engine.now_s())
        .replace(' ', "T")
        .chars()
        .filter(|c| !matches!(c, '-' | ':'))
        .collect();
    let runs = engine.config.data_dir.join("runs");
    let names = std::iter::once(String::new()).chain((2..).map(|n| format!("-{n}")));
    let mut folders = names.map(|suffix| runs.join(format!("session_{stamp}Z{suffix}")));
    folders.find(|folder| !folder.exists()).unwrap_or(runs)
}

/// Asks with the number of conversations, which nothing can bring back.
fn confirm_removal(ids: &[String], all: bool, engine: &Engine, ui: &Ui) -> Result<()> {
    let n = match all {
        // Of those that cannot be read it is not known how many they are.
        true => {
            engine.sessions()?.list(engine.now_s()).map_or(usize::MAX, |sessions| sessions.len())
        }
        false => ids.len(),
    };
    let what = match (n, ids) {
        (0, _) => return Ok(()),
        (_, [id]) => format!("remove the conversation {id} for good"),
        (usize::MAX, _) => "remove every conversation for good".to_owned(),
        (n, _) => format!("remove {} for good", counted(n as u64, "conversation")),
    };
    Removal { yes: false, is_much: n > 1, what: &what }.confirm(engine, ui)
}

fn remove(ids: &[String], all: bool, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let sessions = engine.sessions()?;
    let n = if all { sessions.remove_all()? } else { sessions.remove(ids)? };
    if all {
        let history = super::chat::history(engine);
        match std::fs::remove_file(&history) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(e).or_failed(|| format!("cannot remove {}", history.display()));
            }
            _ => {}
        }
    }
    if ui.json {
        ui.json(&json!({ "removed": n }));
    } else {
        ui.note(format!("{} removed", counted(n, "conversation")));
    }
    Ok(Outcome::Done)
}
