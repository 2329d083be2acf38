//! `rag completions`: what a shell completes.

use clap::{Args, ValueEnum};
use clap_complete::Shell;

use super::exit::Outcome;
use super::ui::Ui;
use crate::error::Result;

/// Print completions for a shell
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// Shell to complete in
    shell: ShellArg,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ShellArg {
    Bash,
    Elvish,
    Fish,
    Powershell,
    Zsh,
}

/// Each shell's name, its file in `completions/`, and what clap calls it.
pub const SHELLS: [(&str, &str, Shell); 5] = [
    ("bash", "rag.bash", Shell::Bash),
    ("elvish", "rag.elv", Shell::Elvish),
    ("fish", "rag.fish", Shell::Fish),
    ("powershell", "_rag.ps1", Shell::PowerShell),
    ("zsh", "_rag", Shell::Zsh),
];

pub fn run(args: &CompletionsArgs, ui: &Ui) -> Result<Outcome> {
    let (.., shell) = SHELLS[args.shell as usize];
    ui.write(&render(shell));
    Ok(Outcome::Done)
}

/// The completion script of a shell.
pub fn render(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut super::command(), "rag", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}
