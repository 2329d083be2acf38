//! Exit codes. The tables of every man page and of `data/corpus/scripting.md` are [`CODES`].

use std::io::ErrorKind;
use std::path::Path;

use clap::error::{ContextKind, ContextValue};
use serde_json::{Value, json};

use super::ui::{self, Ui};
use crate::error::{Fault, Kind, Result};
use crate::strings::StrExt;

/// How a command without a fault ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// Nothing matched, or nothing supports an answer.
    NothingFound,
    /// Some files failed, the others succeeded.
    SomeFailed,
    /// A check found damage.
    Damaged,
}

/// Exit codes with their meaning, in order.
pub const CODES: [(u8, &str); 9] = [
    (0, "success"),
    (1, "failure"),
    (2, "usage error: invalid command line or setting"),
    (3, "nothing found, or nothing in the index supports an answer"),
    (4, "finished, but some files failed"),
    (5, "an index, cache or model is damaged"),
    (6, "locked by another process, whose pid is printed"),
    (7, "an external service failed"),
    (130, "interrupted"),
];

impl Outcome {
    fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::NothingFound => 3,
            Self::SomeFailed => 4,
            Self::Damaged => 5,
        }
    }
}

pub fn code_of_fault(fault: &Fault) -> u8 {
    match fault.kind() {
        Kind::Failed | Kind::Late => 1,
        Kind::Usage => 2,
        Kind::Damaged => 5,
        Kind::Busy => 6,
        Kind::Outside => 7,
        Kind::Interrupted => 130,
    }
}

pub fn fault_json(fault: &Fault) -> Value {
    json!({ "code": code_of_fault(fault), "message": fault.to_string(), "hint": fault.hint_text() })
}

/// Prints a fault, if there is one, and returns the exit code.
pub fn report(ui: &Ui, outcome: Result<Outcome>) -> u8 {
    let outcome = match (outcome, ui.take_write_error()) {
        // A reader that closed the pipe has read what it needs, so this is a success.
        (Ok(_), Some(e)) if e.kind() != ErrorKind::BrokenPipe => {
            Err(Fault::failed("cannot write to standard output").because(e))
        }
        (outcome, _) => outcome,
    };
    match outcome {
        Ok(outcome) => outcome.code(),
        Err(fault) => {
            let code = code_of_fault(&fault);
            ui.fault(&fault, code);
            code
        }
    }
}

/// Prints clap's answer to an invalid command line, `--help` or `--version`, and returns the exit
/// code. With `--json` an error is printed as JSON.
pub fn of_clap(error: &clap::Error, is_json: bool) -> u8 {
    let code = u8::try_from(error.exit_code()).unwrap_or(2);
    if is_json && error.use_stderr() {
        ui::json_fault(&usage_fault(error), code);
        return code;
    }
    let printed = error.print();
    if let Some(advice) = advice(error) {
        ui::plain_hint(&advice);
    }
    match printed {
        // The requested help or version was not printed.
        Err(e) if code == 0 && e.kind() != ErrorKind::BrokenPipe => {
            let fault = Fault::failed("cannot write to standard output").because(e);
            ui::plain_fault(&fault);
            code_of_fault(&fault)
        }
        _ => code,
    }
}

/// Words of other programs for what a command here does.
const MEANT: [(&str, &[&str]); 5] = [
    ("ingest FOLDER", &["add", "build", "import", "reindex", "scan", "sync", "update"]),
    ("search WORDS", &["find", "grep", "lookup"]),
    ("ask QUESTION", &["answer", "query", "question"]),
    ("documents list", &["docs", "files", "list", "ls"]),
    ("status", &["info"]),
];

/// What the user wants whose subcommand does not exist: a question, a folder, or the word of
/// another program.
fn advice(error: &clap::Error) -> Option<String> {
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else {
        return None;
    };
    if Path::new(word).exists() {
        return Some(format!("to index it, run `rag ingest {}`", ui::safe_name(word)));
    }
    let meant = MEANT.iter().find(|(_, words)| words.contains(&word.as_str()));
    let meant = meant.map(|(command, _)| *command);
    match meant.or_else(|| word.contains(' ').then_some("ask QUESTION")) {
        Some("ask QUESTION") => Some("to ask a question, run `rag ask QUESTION`".to_owned()),
        Some(command) => Some(format!("did you mean `rag {command}`?")),
        None => None,
    }
}

/// The first paragraph of clap's text is the message, its first tip the hint.
fn usage_fault(error: &clap::Error) -> Fault {
    let text = error.to_string();

    let message = text.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
    let tip = text.lines().find_map(|line| line.trim_start().strip_prefix("tip: "));
    let hint = tip.map(StrExt::one_line).or_else(|| advice(error));
    let hint = hint.unwrap_or_else(|| "see `rag --help`".to_owned());
    Fault::usage(message.one_line()).hint(hint)
}
