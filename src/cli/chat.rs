//! `rag chat`: one question after another, each understood in the light of those before it.
//!
//! At a terminal there is a prompt with line editing and a history; elsewhere every line of the
//! standard input is a question. Only a whole line typed at the prompt is ever a command: what is
//! pasted or piped in is text.

use std::io::{BufReader, IsTerminal as _};
use std::path::PathBuf;

use clap::Args;
use rustyline::error::ReadlineError;
use rustyline::{Config, DefaultEditor};
use serde_json::json;

use super::Flags;
use super::ask::{self, HowArgs};
use super::exit::{self, Outcome};
use super::sessions::{self, WithinArgs};
use super::ui::Ui;
use crate::ask::{Asker, Request};
use crate::batch;
use crate::disk::Existing;
use crate::engine::Engine;
use crate::error::{Context as _, Fault, Kind, Result};
use crate::sessions::Session;
use crate::wire;

/// Lines that the prompt remembers.
const MAX_HISTORY: usize = 1000;

const HELP: &str = "\
/sources   where the last answer comes from
/new       begin another conversation
/save      write this conversation to a file
/help      show this
/quit      end (also Ctrl-D)";

/// Ask one question after another
///
/// A question may lean on those before it: after "How do I install it on Linux?", "and on Windows?"
/// is understood. The conversation is kept for a day; `rag sessions` shows and removes what is
/// kept. Type /help at the prompt. When the standard input is no terminal, every line of it is a
/// question; with --json, every answer is a line of JSON.
#[derive(Debug, Args)]
pub struct ChatArgs {
    #[command(flatten)]
    within: WithinArgs,
    #[command(flatten)]
    how: HowArgs,
}

impl ChatArgs {
    pub fn flags(&self) -> Flags {
        self.how.flags()
    }
}

/// Where the prompt keeps the lines that were typed at it.
pub(super) fn history(engine: &Engine) -> PathBuf {
    engine.config.data_dir.join("sessions").join("history")
}

pub fn run(args: &ChatArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let like = args.how.request()?;
    let session = match args.within.begin(engine)? {
        Some(session) => session,
        None => sessions::begin_new(engine)?,
    };
    let mut chat = Chat { engine, ui, like, asker: Asker::open(engine)?, session };
    let is_prompt = std::io::stdin().is_terminal() && !ui.json;
    let outcome = if is_prompt { chat.prompt() } else { chat.lines() };
    // Freeing the network and the maps takes longer than the system's own cleaning up.
    std::mem::forget(chat.asker);
    outcome
}

struct Chat<'a> {
    engine: &'a Engine,
    ui: &'a Ui,
    /// How every question is answered.
    like: Request,
    asker: Asker,
    session: Session<'a>,
}

impl Chat<'_> {
    /// Answers a question, shows the answer and keeps both.
    fn answer(&mut self, question: &str) -> Result<bool> {
        let request = Request {
            question: question.to_owned(),
            earlier: self.session.turns().to_vec(),
            ..self.like.clone()
        };
        let response = ask::answered(&mut self.asker, self.engine, &request, self.ui)?;
        if self.ui.json {
            let mut object = wire::answer(&response, &exit::fault);
            object["session"] = self.session.id().into();
            self.ui.json_line(&object);
        }
        self.session.add(response.turn(self.engine.now_s()))?;
        ask::ended(&response).map(|outcome| outcome == Outcome::Done)
    }

    /// Reads at a terminal until the user ends it. A question that fails does not end a
    /// conversation.
    fn prompt(&mut self) -> Result<Outcome> {
        let what = || "cannot read from this terminal".to_owned();
        let config = Config::builder()
            .max_history_size(MAX_HISTORY)
            .or_failed(what)?
            .auto_add_history(true)
            .build();
        let mut editor = DefaultEditor::with_config(config).or_failed(what)?;
        let history = history(self.engine);
        // Without a history there is still a prompt.
        let _ = editor.load_history(&history);
        if self.session.turns().is_empty() {
            self.ui.note("Ask a question; /help shows what else there is.");
        }
        loop {
            let line = match editor.readline("> ") {
                Ok(line) => line,
                Err(ReadlineError::Interrupted) => continue,
                Err(ReadlineError::Eof) => break,
                Err(e) => return Err(e).or_failed(what),
            };
            let _ = editor.append_history(&history);
            let line = line.trim();
            let done = match command(line) {
                _ if line.is_empty() => continue,
                Some("quit" | "exit") => break,
                Some(command) => self.command(command),
                None => self.answer(line).map(drop),
            };
            match done {
                Err(fault) if fault.kind() == Kind::Interrupted => return Err(fault),
                Err(fault) => self.ui.fault(&fault, exit::code_of_fault(&fault)),
                Ok(()) => self.ui.line(""),
            }
        }
        Ok(Outcome::Done)
    }

    fn command(&mut self, command: &str) -> Result<()> {
        match command {
            "help" => self.ui.line(HELP),
            "sources" => match self.session.turns().last() {
                Some(turn) if !turn.citations.is_empty() => {
                    sessions::sources(self.engine, turn, "", self.ui)
                }
                Some(_) => self.ui.line("The last answer has no sources."),
                None => self.ui.line("Nothing was asked yet."),
            },
            "new" => {
                self.session = sessions::begin_new(self.engine)?;
                self.ui.line("A new conversation.");
            }
            "save" if self.session.turns().is_empty() => self.ui.line("Nothing was asked yet."),
            "save" => {
                let path = sessions::export(
                    self.engine,
                    self.session.id(),
                    self.session.turns(),
                    None,
                    Existing::Refuse,
                )?;
                self.ui.line(super::ui::safe(&path.to_string_lossy()));
            }
            other => {
                return Err(Fault::usage(format!("there is no command `/{other}`"))
                    .hint("/help shows what there is"));
            }
        }
        Ok(())
    }

    /// Answers every line of the standard input.
    fn lines(&mut self) -> Result<Outcome> {
        let mut input = BufReader::new(std::io::stdin());
        let (mut n_answered, mut n_failed) = (0, 0);
        while let Some(line) = batch::next_line(&mut input)? {
            if self.engine.interrupted() {
                return Err(Fault::interrupted());
            }
            let answered = match line {
                Ok(line) if line.trim().is_empty() => continue,
                Ok(line) => self.answer(line.trim()),
                Err(fault) => Err(fault),
            };
            match answered {
                Ok(supported) => n_answered += u64::from(supported),
                // What is wrong with one question, or with a service for a while, need not be wrong
                // with the next.
                Err(fault) if matches!(fault.kind(), Kind::Usage | Kind::Outside) => {
                    n_failed += 1;
                    if self.ui.json {
                        let id = self.session.id();
                        self.ui.json_line(&json!({ "session": id, "error": exit::fault(&fault) }));
                    } else {
                        self.ui.fault(&fault, exit::code_of_fault(&fault));
                    }
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(match (n_answered, n_failed) {
            (_, 1..) => Outcome::SomeFailed,
            (0, 0) => Outcome::NothingFound,
            _ => Outcome::Done,
        })
    }
}

/// The name of a command: a line that is nothing but a slash and a word. A question may begin with
/// a path.
fn command(line: &str) -> Option<&str> {
    line.strip_prefix('/')
        .filter(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_slash_and_a_word_is_a_command() {
        assert_eq!(command("/quit"), Some("quit"));
        for line in
            ["quit", "/", "/etc/hosts", "/quit now", "what does /quit do?", "/quit\nmore", "//"]
        {
            assert_eq!(command(line), None, "{line:?}");
        }
    }
}
