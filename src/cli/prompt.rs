//! The prompt of `rag chat`: line editing, history with search (Ctrl-R), completion of commands,
//! and lines that continue.

use std::path::PathBuf;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Config, Context, Editor, Helper};

use crate::error::{Context as _, Result};
use crate::strings::StrExt as _;

/// Lines in the history.
const MAX_HISTORY: usize = 1000;

/// What was typed.
pub enum Typed {
    /// A question or a command.
    Line(String),
    /// Ctrl-C: the line was discarded.
    Discarded,
    /// Ctrl-D.
    End,
}

pub struct Prompt {
    editor: Editor<Rules, DefaultHistory>,
    history: PathBuf,
}

/// Completes commands, and continues a line that ends with a backslash.
struct Rules {
    commands: &'static [&'static str],
}

impl Prompt {
    /// # Errors
    /// When the terminal cannot be used.
    pub fn new(history: PathBuf, commands: &'static [&'static str]) -> Result<Self> {
        let config = Config::builder()
            .max_history_size(MAX_HISTORY)
            .or_failed(what)?
            .history_ignore_dups(true)
            .or_failed(what)?
            .auto_add_history(true)
            .build();
        let mut editor = Editor::with_config(config).or_failed(what)?;
        editor.set_helper(Some(Rules { commands }));
        // The prompt works without a history.
        let _ = editor.load_history(&history);
        Ok(Self { editor, history })
    }

    /// Reads a line, and those that continue it.
    ///
    /// # Errors
    /// When the terminal cannot be read.
    pub fn read(&mut self) -> Result<Typed> {
        let line = match self.editor.readline("> ") {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => return Ok(Typed::Discarded),
            Err(ReadlineError::Eof) => return Ok(Typed::End),
            Err(e) => return Err(e).or_failed(what),
        };
        let _ = self.editor.append_history(&self.history);
        Ok(Typed::Line(line.replace("\\\n", "\n").trim().to_owned()))
    }
}

fn what() -> String {
    "cannot read from this terminal".to_owned()
}

impl Completer for Rules {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        at: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let typed = line.slice(..at);
        let fits = |command: &&&str| typed.starts_with('/') && command.starts_with(typed);
        Ok((0, self.commands.iter().filter(fits).map(|&command| command.to_owned()).collect()))
    }
}

impl Validator for Rules {
    fn validate(&self, context: &mut ValidationContext) -> rustyline::Result<ValidationResult> {
        Ok(match context.input().ends_with('\\') {
            true => ValidationResult::Incomplete,
            false => ValidationResult::Valid(None),
        })
    }
}

impl Hinter for Rules {
    type Hint = String;
}

impl Highlighter for Rules {}

impl Helper for Rules {}
