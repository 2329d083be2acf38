//! Long output in the user's pager.

use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::config::Terminal;

/// The command of the pager; `None` if output is shown directly.
pub fn command(terminal: &Terminal) -> Option<String> {
    let given = match &terminal.pager {
        Some(given) => given.trim().to_owned(),
        None => found("less", &terminal.path).map(|_| "less".to_owned())?,
    };
    (!given.is_empty() && given != "cat").then_some(given)
}

/// A program on the search path.
pub fn found(program: &str, path: &[PathBuf]) -> Option<PathBuf> {
    path.iter().map(|dir| dir.join(program)).find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Shows `text` until the user leaves the pager.
///
/// # Errors
/// When the pager cannot be started; nothing has been shown then.
pub fn show(command: &str, text: &str) -> io::Result<()> {
    // The user's own command line, as `git` and `man` run it. F: leave if the text fits, R: colors
    // and links, X: leave the text on the screen.
    let mut child = Command::new("sh")
        .args(["-c", command])
        .env("LESS", "FRX")
        .env("LV", "-c")
        .stdin(Stdio::piped())
        .spawn()?;
    let written = match child.stdin.take() {
        Some(mut input) => input.write_all(text.as_bytes()),
        None => Ok(()),
    };
    let status = child.wait()?;
    // 127: there is no such program.
    match written {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(e),
        _ if matches!(status.code(), Some(126 | 127)) => Err(ErrorKind::NotFound.into()),
        _ => Ok(()),
    }
}
