//! Faults and outcomes to exit codes. The table in the README and in every man page is this one.

use serde_json::{Value, json};

use super::ui::{self, Ui};
use crate::error::{Fault, Kind, Result};

/// How a command that did not fail ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// Nothing matched, or nothing supports an answer.
    NothingFound,
    /// Some files failed; the rest is done.
    SomeFailed,
    /// A check found damage.
    Damaged,
}

/// Exit codes with their meaning, in order.
pub const CODES: [(u8, &str); 9] = [
    (0, "done"),
    (1, "failed"),
    (2, "usage: the command line or a setting is wrong"),
    (3, "nothing found, or nothing in the index supports an answer"),
    (4, "finished, but some files failed"),
    (5, "an index, cache or model is damaged"),
    (6, "busy: another process holds the lock; its pid is named"),
    (7, "a service outside this machine failed"),
    (130, "interrupted"),
];

fn code_of_outcome(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Done => 0,
        Outcome::NothingFound => 3,
        Outcome::SomeFailed => 4,
        Outcome::Damaged => 5,
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

/// One fault, as JSON.
pub fn fault(fault: &Fault) -> Value {
    json!({ "code": code_of_fault(fault), "message": fault.to_string(), "hint": fault.hint_text() })
}

/// Prints a fault and yields the exit code.
pub fn report(ui: &Ui, outcome: Result<Outcome>) -> u8 {
    let outcome = match (outcome, ui.unwritten()) {
        // A reader that closed the pipe has all that it wanted: how the command ended does not
        // depend on it.
        (Ok(_), Some(e)) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Fault::failed("cannot write to the standard output").because(e))
        }
        (outcome, _) => outcome,
    };
    match outcome {
        Ok(outcome) => code_of_outcome(outcome),
        Err(fault) => {
            let code = code_of_fault(&fault);
            ui.fault(&fault, code);
            code
        }
    }
}

/// What clap made of a command line that it did not accept, or of `--help`. Scripts that asked for
/// JSON get errors in JSON, whoever finds them.
pub fn of_clap(error: &clap::Error, json: bool) -> u8 {
    let code = u8::try_from(error.exit_code()).unwrap_or(2);
    if json && error.use_stderr() {
        ui::json_fault(&as_fault(error), code);
        return code;
    }
    match error.print() {
        // What was asked for, `--help` or the version, did not arrive.
        Err(e) if code == 0 && e.kind() != std::io::ErrorKind::BrokenPipe => {
            let fault = Fault::failed("cannot write to the standard output").because(e);
            ui::plain_fault(&fault);
            code_of_fault(&fault)
        }
        _ => code,
    }
}

/// The first paragraph is what is wrong; a tip, if there is one, is what to do.
fn as_fault(error: &clap::Error) -> Fault {
    let text = error.to_string();
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let message = text.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
    let tip = text.lines().find_map(|line| line.trim_start().strip_prefix("tip: "));
    Fault::usage(one_line(message))
        .hint(tip.map_or_else(|| "`rag --help` shows what there is".to_owned(), one_line))
}
