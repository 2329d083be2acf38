//! `rag completions`: completion scripts for shells.
//!
//! Those of bash, zsh and fish ask `rag` itself, so they know what is in the data directory. The
//! others list commands and flags.

use clap::{Args, ValueEnum as _};
use clap_complete::{Generator as _, Shell};

use super::exit::Outcome;
use super::ui::Ui;
use crate::error::Result;

/// Print a shell completion script
///
/// In bash, zsh and fish, names of indexes, models, documents, conversations, jobs, settings and
/// cache tables are completed too.
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
    match shell {
        Shell::Bash => return include_str!("completions/rag.bash").to_owned(),
        Shell::Zsh => return include_str!("completions/rag.zsh").to_owned(),
        Shell::Fish => return include_str!("completions/rag.fish").to_owned(),
        _ => {}
    }
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command.clone(), "rag", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}
