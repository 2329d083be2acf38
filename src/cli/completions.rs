//! `rag completions`: completion scripts for shells.

use clap::{Args, ValueEnum as _};
use clap_complete::{Generator as _, Shell};

use super::exit::Outcome;
use super::ui::Ui;
use crate::error::Result;

/// Print a shell completion script
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// Shell to generate for
    shell: Shell,
}

pub fn run(args: &CompletionsArgs, command: &clap::Command, ui: &Ui) -> Result<Outcome> {
    ui.write(&render(args.shell, command));
    Ok(Outcome::Done)
}

/// The script of every shell: file name, contents.
pub fn render_all(command: &clap::Command) -> Vec<(String, String)> {
    let script = |shell: &Shell| (shell.file_name("rag"), render(*shell, command));
    Shell::value_variants().iter().map(script).collect()
}

fn render(shell: Shell, command: &clap::Command) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command.clone(), "rag", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}
