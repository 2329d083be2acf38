//! `rag chat`: one question after another, each read in the light of those before it.
//!
//! At a terminal there is a prompt with line editing and history; otherwise every line of standard
//! input is a question. Only a line typed at the prompt can be a command: text that is pasted or
//! piped in is always a question.

use std::io::{BufReader, IsTerminal as _};

use clap::Args;
use serde_json::json;

use super::args::{AnswerArgs, Flags};
use super::ask;
use super::clipboard;
use super::exit::{self, Outcome};
use super::open;
use super::prompt::{Prompt, Typed};
use super::sessions::{self, Export, SessionArgs};
use super::ui::{Ui, counted, safe};
use super::{signals, sources};
use crate::ask::{Asker, Request, Response};
use crate::batch;
use crate::config::World;
use crate::disk::Existing;
use crate::documents;
use crate::engine::Engine;
use crate::error::{Fault, Kind, Result};
use crate::sessions::Session;
use crate::wire;

const HELP: &str = "\
/sources   show the sources of the last answer
/open N    open a source in an editor or viewer
/copy      copy the last answer
/new       start a new conversation
/save      save this conversation to a file
/help      show this help
/quit      quit (or exit, or Ctrl-D)

Ctrl-R searches earlier lines, Tab completes commands, Ctrl-C stops an answer.
A line that ends with \\ continues on the next.";

/// For completion.
const COMMANDS: &[&str] =
    &["/sources", "/open ", "/copy", "/new", "/save", "/help", "/quit", "/exit"];

/// Ask questions interactively
///
/// Follow-up questions are understood: after "How do I install it on Linux?" you can ask "and on
/// Windows?". Conversations are kept for a day; see `rag sessions`. Type /help at the prompt for
/// its commands. If standard input is not a terminal, every line is a question; with --json, every
/// answer is a line of JSON.
#[derive(Debug, Args)]
pub struct ChatArgs {
    #[command(flatten)]
    session: SessionArgs,
    #[command(flatten)]
    answer: AnswerArgs,
}

impl ChatArgs {
    pub fn flags(&self) -> Flags {
        self.answer.flags()
    }
}

pub fn run(args: &ChatArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let template = args.answer.request()?;
    let session = match args.session.open(engine)? {
        Some(session) => session,
        None => sessions::open_new(engine)?,
    };
    let mut chat = Chat { engine, ui, template, asker: Asker::open(engine)?, session, last: None };
    let is_prompt = std::io::stdin().is_terminal() && !ui.json;
    let outcome = if is_prompt { chat.run_prompt() } else { chat.answer_lines() };
    // The system frees the network and the maps faster than their destructors.
    std::mem::forget(chat.asker);
    outcome
}

struct Chat<'a> {
    engine: &'a Engine,
    ui: &'a Ui,
    /// A request without its question.
    template: Request,
    asker: Asker,
    session: Session<'a>,
    /// The last answer of this process.
    last: Option<Response>,
}

impl Chat<'_> {
    /// Answers a question, prints the answer and stores both. Returns whether it is supported.
    fn answer(&mut self, question: &str) -> Result<bool> {
        let request = Request {
            question: question.to_owned(),
            earlier: self.session.turns().to_vec(),
            ..self.template.clone()
        };
        let response = ask::ask(&mut self.asker, self.engine, &request, self.ui)?;
        if self.ui.json {
            let mut object = wire::answer(&response, &exit::fault_json);
            object["session"] = self.session.id().into();
            self.ui.json_line(&object);
        }
        self.session.add(response.turn(self.engine.now_s()))?;
        let outcome = ask::outcome(&response);
        self.last = Some(response);
        outcome.map(|outcome| outcome == Outcome::Done)
    }

    /// Reads questions and commands at a terminal. A question that fails does not end the
    /// conversation.
    fn run_prompt(&mut self) -> Result<Outcome> {
        let mut prompt = Prompt::new(sessions::history_file(self.engine), COMMANDS)?;
        if self.session.turns().is_empty() {
            self.ui.note("Ask a question, or type /help.");
        }
        loop {
            let line = match prompt.read()? {
                Typed::Line(line) => line,
                Typed::Discarded => continue,
                Typed::End => break,
            };
            let done = match (line.as_str(), command(&line)) {
                ("", _) => continue,
                ("quit" | "exit", _) | (_, Some(("quit" | "exit", None))) => break,
                (_, Some((command, number))) => self.run_command(command, number),
                (line, None) => self.answer(line).map(drop),
            };
            match done {
                // Ctrl-C stops an answer, and not the conversation.
                Err(fault) if fault.kind() == Kind::Interrupted && !signals::resume() => {
                    return Err(fault);
                }
                Err(fault) => self.ui.fault(&fault, exit::code_of_fault(&fault)),
                Ok(()) => self.ui.line(""),
            }
        }
        Ok(Outcome::Done)
    }

    fn run_command(&mut self, command: &str, number: Option<usize>) -> Result<()> {
        let turns = self.session.turns();
        match command {
            "help" => self.ui.line(HELP),
            "sources" | "save" | "open" | "copy" if turns.is_empty() => {
                self.ui.line("No question has been asked.");
            }
            "open" => return self.open_source(number.unwrap_or(1)),
            "copy" => {
                let answer = turns.last().map_or("", |turn| turn.answer.as_str());
                if answer.is_empty() {
                    self.ui.line("The last question has no answer.");
                } else {
                    let terminal = World::from_process().terminal();
                    let how = clipboard::copy(&safe(answer), &terminal, self.ui);
                    let words = counted(answer.split_whitespace().count() as u64, "word");
                    self.ui.line(format!("{words} {how}"));
                }
            }
            "sources" => match turns.last() {
                Some(turn) if self.last.is_some() && !turn.citations.is_empty() => {
                    let response = self.last.as_ref();
                    let asker = &mut self.asker;
                    response.into_iter().for_each(|last| ask::print_sources(asker, last, self.ui));
                }
                Some(turn) if !turn.citations.is_empty() => {
                    sessions::print_sources(self.engine, turn, "", self.ui);
                }
                _ => self.ui.line("The last answer has no sources."),
            },
            "new" => {
                self.session = sessions::open_new(self.engine)?;
                self.last = None;
                self.ui.line("Started a new conversation.");
            }
            "save" => {
                let export = Export { dir: None, existing: Existing::Refuse };
                let path = export.write(self.engine, self.session.id(), turns)?;
                self.ui.line(safe(&path.to_string_lossy()));
            }
            other => {
                return Err(Fault::usage(format!("unknown command `/{other}`"))
                    .hint("/help lists the commands"));
            }
        }
        Ok(())
    }

    /// Opens a source of the last answer.
    fn open_source(&mut self, n: usize) -> Result<()> {
        let snapshot = &self.asker.searcher().snapshot;
        let places = match &self.last {
            Some(response) => {
                let names = documents::names_from_here(&snapshot.meta().roots);
                sources::of_answer(&response.answer.citations, &names)
            }
            None => {
                let turn = self.session.turns().last();
                turn.map(|turn| sessions::places(self.engine, turn)).unwrap_or_default()
            }
        };
        let most = places.iter().map(|place| place.n).max();
        let place = places.iter().find(|place| place.n == n);
        let place = place.ok_or_else(|| sources::no_source(n, most))?;
        let target = sources::target(place).ok_or_else(|| sources::no_file(place))?;
        open::open(&target, self.ui).map(drop)
    }

    /// Answers every line of standard input.
    fn answer_lines(&mut self) -> Result<Outcome> {
        let mut input = BufReader::new(std::io::stdin());
        let (mut n_answered, mut n_failed) = (0, 0);
        while let Some(line) = batch::next_line(&mut input)? {
            self.engine.check_interrupted()?;
            let answered = match line {
                Ok(line) if line.trim().is_empty() => continue,
                Ok(line) => self.answer(line.trim()),
                Err(fault) => Err(fault),
            };
            match answered {
                Ok(is_supported) => n_answered += u64::from(is_supported),
                // A bad question or a temporary failure of a service need not affect the next line.
                Err(fault) if matches!(fault.kind(), Kind::Usage | Kind::Outside) => {
                    n_failed += 1;
                    self.print_fault(&fault);
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

    fn print_fault(&self, fault: &Fault) {
        if self.ui.json {
            let error = exit::fault_json(fault);
            self.ui.json_line(&json!({ "session": self.session.id(), "error": error }));
        } else {
            self.ui.fault(fault, exit::code_of_fault(fault));
        }
    }
}

/// The name of a command and its number: a line that is only a slash and a word, and for some a
/// number. Questions may start with a path.
fn command(line: &str) -> Option<(&str, Option<usize>)> {
    let typed = line.strip_prefix('/')?;
    let (name, number) = match typed.split_once(' ') {
        Some((name, number)) => (name, Some(number.parse().ok()?)),
        None => (typed, None),
    };
    let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase());
    is_name.then_some((name, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_slash_and_a_word_is_a_command() {
        assert_eq!(command("/quit"), Some(("quit", None)));
        assert_eq!(command("/open 12"), Some(("open", Some(12))));
        for line in
            ["quit", "/", "/etc/hosts", "/quit now", "what does /quit do?", "/quit\nmore", "//"]
        {
            assert_eq!(command(line), None, "{line:?}");
        }
    }
}
