//! Text of pictures and scanned pages, by programs that the user has installed and turned on:
//! `tesseract` for pictures, `ocrmypdf` for PDF files. Each makes a PDF file with text, which is
//! then read like any other.
//!
//! The programs run with limits on memory, processor time, time and output, in a process group of
//! their own, so that none outlives its file. They get no variable of the environment but a `PATH`.

use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process_group, prlimit};

use crate::engine::Engine;
use crate::text::{self, NoText};

/// Where the programs are looked for.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Address space. `ocrmypdf` is written in Python and rasterizes a page at a time.
const MEMORY_BYTES: u64 = 4 << 30;

/// Processor time of a process. A page takes a few seconds.
const CPU_S: u64 = 600;

/// The longest time for a file.
const MAX_TIME: Duration = Duration::from_secs(1800);

/// The largest file that a program may write.
const MAX_OUTPUT_BYTES: u64 = 256 << 20;

/// How often interruption is checked.
const POLL_EVERY: Duration = Duration::from_millis(20);

/// What is recognized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Picture,
    Pdf,
}

impl Source {
    /// What a file needs, given why it has no text. Other files have text, or none that can be
    /// seen.
    pub(super) fn of(bytes: &[u8], why: &NoText) -> Option<Self> {
        match why {
            NoText::Scanned(_) => Some(Self::Pdf),
            NoText::Binary(_) if text::is_picture(bytes) => Some(Self::Picture),
            _ => None,
        }
    }

    fn command(self, languages: &str) -> Command {
        let mut command = Command::new(self.program());
        match self {
            Self::Picture => command.args(["stdin", "stdout", "-l", languages, "pdf"]),
            Self::Pdf => command.args([
                "--quiet",
                "--skip-text",
                "--output-type",
                "pdf",
                "--jobs",
                "1",
                "-l",
                languages,
                "-",
                "-",
            ]),
        };
        command
    }

    fn program(self) -> &'static str {
        match self {
            Self::Picture => "tesseract",
            Self::Pdf => "ocrmypdf",
        }
    }
}

/// A PDF file with the text of a picture or of scanned pages.
pub(super) fn recognize(
    engine: &Engine,
    source: Source,
    languages: &str,
    bytes: &[u8],
) -> Result<Vec<u8>, NoText> {
    let program = source.program();
    let mut child = source
        .command(languages)
        .env_clear()
        .envs([("PATH", PATH), ("LANG", "C.UTF-8"), ("OMP_THREAD_LIMIT", "1")])
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => {
                unread(format!("its text is in pictures, and `{program}` is not installed"))
            }
            _ => unread(format!("cannot start `{program}`: {e}")),
        })?;
    let group = Group(Pid::from_child(&child));
    limit(group.0).map_err(|e| unread(format!("cannot limit `{program}`: {e}")))?;
    let (input, output) = (child.stdin.take(), child.stdout.take());
    let errors = child.stderr.take();
    std::thread::scope(|scope| {
        scope.spawn(move || input.map(|mut input| input.write_all(bytes)));
        let output = scope.spawn(move || read(output, MAX_OUTPUT_BYTES));
        let errors = scope.spawn(move || read(errors, 10_000));
        let ended = wait(engine, &mut child);
        // Without its writers, the pipes end.
        drop(group);
        let _ = child.wait();
        let (output, errors) =
            (output.join().unwrap_or_default(), errors.join().unwrap_or_default());
        match ended {
            Err(why) => Err(unread(format!("`{program}` {why}"))),
            Ok(true) if output.len() as u64 > MAX_OUTPUT_BYTES => {
                Err(NoText::TooMuch(format!("`{program}` writes too much").into()))
            }
            Ok(true) => Ok(output),
            Ok(false) => {
                let errors = String::from_utf8_lossy(&errors);
                let last = errors.lines().rev().find(|line| !line.trim().is_empty());
                Err(unread(format!("`{program}` failed: {}", last.unwrap_or("no reason").trim())))
            }
        }
    })
}

fn unread(why: String) -> NoText {
    NoText::Unread(why.into())
}

/// A process group, which is killed when this is dropped.
struct Group(Pid);

impl Drop for Group {
    fn drop(&mut self) {
        let _ = kill_process_group(self.0, Signal::KILL);
    }
}

fn limit(pid: Pid) -> std::io::Result<()> {
    let limits = [
        (Resource::As, MEMORY_BYTES),
        (Resource::Cpu, CPU_S),
        (Resource::Fsize, MAX_OUTPUT_BYTES * 4),
        (Resource::Core, 0),
    ];
    for (resource, n) in limits {
        prlimit(Some(pid), resource, Rlimit { current: Some(n), maximum: Some(n) })?;
    }
    Ok(())
}

/// All output up to one byte more than `most`.
fn read(output: Option<impl std::io::Read>, most: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    // What came before an error is all that there is.
    let _ = output.map(|output| output.take(most + 1).read_to_end(&mut bytes));
    bytes
}

/// Waits for the end of a program; returns whether it succeeded, or why it was given up.
fn wait(engine: &Engine, child: &mut Child) -> Result<bool, &'static str> {
    let begin = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status.success()),
            Ok(None) if engine.interrupted() => return Err("was interrupted"),
            Ok(None) if begin.elapsed() > MAX_TIME => return Err("takes too long"),
            Ok(None) => std::thread::sleep(POLL_EVERY),
            Err(_) => return Err("cannot be waited for"),
        }
    }
}
