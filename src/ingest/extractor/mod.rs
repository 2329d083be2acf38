//! Text out of files whose parsers may take memory, time or stack without bound, and the outline of
//! code, whose parsers are C and might take down the process that they run in: in a child process
//! of the same program, with limits on memory, processor time, time and output.
//!
//! Each reading thread has a child, started when it is first needed and used for many files. When a
//! file breaks a limit, the child dies, that file has failed with the limit named, and the next
//! file gets a new child.

mod wire;
mod worker;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::document::Format;
use crate::engine::Engine;
use crate::text::{self, Extracted, NoText};
pub use worker::serve;

/// The argument that a child is started with.
pub const COMMAND: &str = "extract-worker";

/// Processor time that any file may take, and what each MiB of it adds. Ordinary files take a
/// hundredth.
const CPU_S: u64 = 5;
const CPU_S_PER_MIB: u64 = 1;

/// The same for an outline, which counts its own work: it takes four seconds at most here, and no
/// machine is so slow that this limit would decide what is in an index.
const OUTLINE_CPU_S: u64 = 60;

/// A child that has not run for so long never will. A machine that has other things to do lets it
/// run now and then, and only the time in which it runs counts against a file.
const STILL: Duration = Duration::from_secs(120);

/// The most that a child may answer.
const MAX_ANSWER_BYTES: u64 = 192 << 20;

/// How often an interruption is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Text of files, one after another.
pub struct Extractor<'a> {
    engine: &'a Engine,
    program: Option<PathBuf>,
    running: Option<Running>,
}

struct Running {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    errors: ChildStderr,
    /// It has answered before.
    is_proved: bool,
}

/// What is asked of a child.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ExtractionKind {
    Text,
    Outline,
}

/// How a conversation with a child ended.
enum Broken {
    /// It is gone.
    Gone,
    /// It does not run.
    Still,
    TooMuch,
    Nonsense,
    Interrupted,
}

impl<'a> Extractor<'a> {
    pub fn new(engine: &'a Engine) -> Self {
        Self { engine, program: engine.config.program.clone(), running: None }
    }

    /// The text of a file: of a risky format from a child, of any other here. What is risky about
    /// code is only its outline; without one it is text like any other, so nothing that happens to
    /// the child is a failure of the file.
    pub fn extract(&mut self, path: &str, bytes: &[u8]) -> Result<Extracted, NoText> {
        if !text::is_risky(path, bytes) {
            let mut found = text::extract(path, bytes)?;
            if found.format == Format::Code
                && self.program.is_some()
                && text::has_outline(path, &found.text)
            {
                let answer = self.ask(path, found.text.as_bytes(), ExtractionKind::Outline);
                found.outline =
                    answer.ok().and_then(|answer| answer.outline(&found.text)).unwrap_or_default();
            }
            return Ok(found);
        }
        let nonsense = || NoText::Unread("its reader answered nonsense".into());
        self.ask(path, bytes, ExtractionKind::Text)?.found().ok_or_else(nonsense)?
    }

    /// What a child answers about a file, or what it died of.
    fn ask(
        &mut self,
        path: &str,
        bytes: &[u8],
        wanted: ExtractionKind,
    ) -> Result<wire::Answer, NoText> {
        let Some(program) = self.program.clone() else {
            return Err(NoText::Unread(
                "it takes a `rag` program to hand it to, and none is known".into(),
            ));
        };
        let cpu_s = match wanted {
            ExtractionKind::Text => CPU_S + CPU_S_PER_MIB * (bytes.len() as u64 >> 20),
            ExtractionKind::Outline => OUTLINE_CPU_S,
        };
        let request = wire::Request {
            path: path.to_owned(),
            bytes: bytes.len() as u64,
            cpu_s,
            outline: wanted == ExtractionKind::Outline,
        };
        loop {
            let mut running = match self.running.take() {
                Some(running) => running,
                None => Running::start(&program).map_err(|e| {
                    NoText::Unread(
                        format!("cannot start {} to read it: {e}", program.display()).into(),
                    )
                })?,
            };
            match running.ask(self.engine, &request, bytes) {
                Ok(answer) => {
                    running.is_proved = true;
                    self.running = Some(running);
                    return Ok(answer);
                }
                // It may have died of something else while it was idle; a new one decides.
                Err(Broken::Gone) if running.is_proved => running.stop(),
                Err(broken) => return Err(running.verdict(&broken, cpu_s)),
            }
        }
    }
}

impl Drop for Extractor<'_> {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop();
        }
    }
}

impl Running {
    fn start(program: &std::path::Path) -> std::io::Result<Self> {
        let mut child = Command::new(program)
            .arg(COMMAND)
            .env_clear()
            // Else the allocator begins with a GiB of addresses, which the child's limit would come
            // on top of.
            .env("MIMALLOC_ARENA_RESERVE", "32m")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        match (child.stdin.take(), child.stdout.take(), child.stderr.take()) {
            (Some(input), Some(output), Some(errors)) => {
                Ok(Self { child, input, output: BufReader::new(output), errors, is_proved: false })
            }
            _ => Err(std::io::Error::other("a child without pipes")),
        }
    }

    /// Hands a file over and waits for the answer.
    fn ask(
        &mut self,
        engine: &Engine,
        request: &wire::Request,
        bytes: &[u8],
    ) -> Result<wire::Answer, Broken> {
        // The child reads all of it before it begins, so writing cannot block for long.
        let sent =
            wire::write_line(&mut self.input, request).and_then(|()| self.input.write_all(bytes));
        sent.and_then(|()| self.input.flush()).map_err(|_| Broken::Gone)?;
        let pid = self.child.id();
        let mut progress = Progress { ticks: None, since: Instant::now() };
        let mut wait = |output: &BufReader<ChildStdout>| {
            loop {
                if !output.buffer().is_empty() {
                    return Ok(());
                }
                if engine.interrupted() {
                    return Err(Broken::Interrupted);
                }
                if progress.is_still(ticks(pid), Instant::now()) {
                    return Err(Broken::Still);
                }
                let mut fds = [PollFd::new(output.get_ref(), PollFlags::IN)];
                let timeout =
                    Timespec::try_from(LOOK_EVERY).unwrap_or(Timespec { tv_sec: 0, tv_nsec: 0 });
                match poll(&mut fds, Some(&timeout)) {
                    Ok(0) | Err(rustix::io::Errno::INTR) => {}
                    Ok(_) => return Ok(()),
                    Err(_) => return Err(Broken::Gone),
                }
            }
        };
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            wait(&self.output)?;
            let part = self.output.fill_buf().map_err(|_| Broken::Gone)?;
            if part.is_empty() {
                return Err(Broken::Gone);
            }
            let n = part.iter().position(|b| *b == b'\n').map_or(part.len(), |n| n + 1);
            line.extend_from_slice(&part[..n]);
            self.output.consume(n);
            if line.len() > 100 {
                return Err(Broken::Nonsense);
            }
        }
        let head: wire::Head = serde_json::from_slice(&line).map_err(|_| Broken::Nonsense)?;
        if head.bytes > MAX_ANSWER_BYTES {
            return Err(Broken::TooMuch);
        }
        let size = usize::try_from(head.bytes).map_err(|_| Broken::TooMuch)?;
        let mut answer = Vec::with_capacity(size);
        while answer.len() < size {
            wait(&self.output)?;
            let part = self.output.fill_buf().map_err(|_| Broken::Gone)?;
            if part.is_empty() {
                return Err(Broken::Gone);
            }
            let n = part.len().min(size - answer.len());
            answer.extend_from_slice(&part[..n]);
            self.output.consume(n);
        }
        serde_json::from_slice(&answer).map_err(|_| Broken::Nonsense)
    }

    /// Ends the child and says what the file did to it.
    fn verdict(mut self, broken: &Broken, cpu_s: u64) -> NoText {
        /// `SIGXCPU` and `SIGSEGV`, which have the same numbers on all systems that have them.
        const CPU: i32 = 24;
        const SEGMENT: i32 = 11;
        /// `SIGKILL`: somebody else ended it, such as a system that is short of memory.
        const KILL: i32 = 9;
        let memory =
            || format!("reading it takes more than {} MiB of memory", worker::MEMORY_BYTES >> 20);
        let reason = match broken {
            Broken::Interrupted | Broken::Nonsense | Broken::Still => {
                self.stop();
                let why = match broken {
                    Broken::Interrupted => "interrupted",
                    Broken::Still => "its reader stands still",
                    _ => "its reader answered nonsense",
                };
                return NoText::Unread(why.into());
            }
            Broken::TooMuch => format!("it gives more than {} MiB of text", MAX_ANSWER_BYTES >> 20),
            Broken::Gone => {
                drop(self.input);
                let status = self.child.wait();
                let mut said = String::new();
                let _ = self.errors.take(10_000).read_to_string(&mut said);
                let signal = status.ok().and_then(|status| status.signal());
                if signal == Some(KILL) {
                    return NoText::Unread("its reader was killed".into());
                }
                return NoText::TooMuch(match signal {
                    Some(CPU) => {
                        format!("reading it takes more than {cpu_s} s of processor time").into()
                    }
                    _ if said.contains("memory allocation of") => memory().into(),
                    _ if said.contains("overflowed its stack") => {
                        "it nests deeper than the stack allows".into()
                    }
                    Some(SEGMENT) => "it crashes what reads it".into(),
                    _ => memory().into(),
                });
            }
        };
        self.stop();
        NoText::TooMuch(reason.into())
    }

    fn stop(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether a process runs, as far as its processor time tells.
struct Progress {
    /// What it had used when it was seen to run last.
    ticks: Option<u64>,
    since: Instant,
}

impl Progress {
    /// Whether it has not run for too long, given what it has used now; `None` where that cannot be
    /// known.
    fn is_still(&mut self, ticks: Option<u64>, now: Instant) -> bool {
        if ticks != self.ticks {
            (self.ticks, self.since) = (ticks, now);
        }
        now.duration_since(self.since) >= STILL
    }
}

/// The processor time that a process has used, in ticks of the system's clock.
fn ticks(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is a name in brackets, which may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let (user, system) = (fields.next()?.parse::<u64>().ok()?, fields.next()?.parse::<u64>().ok()?);
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_that_runs_seldom_is_waited_for_and_one_that_stands_still_is_not() {
        let start = Instant::now();
        let mut progress = Progress { ticks: None, since: start };
        let after = |seconds: u64| start + Duration::from_secs(seconds);
        // A tick a minute on a machine that is busy for an hour.
        for minute in 0..60 {
            assert!(!progress.is_still(Some(minute), after(60 * minute)), "after {minute} min");
        }
        let last = after(59 * 60);
        assert!(!progress.is_still(Some(59), last + STILL / 2));
        assert!(progress.is_still(Some(59), last + STILL));
        assert!(!progress.is_still(Some(60), last + STILL));
    }

    #[test]
    fn the_processor_time_of_a_process_grows() {
        let before = ticks(std::process::id()).expect("a process");
        let mut sum = 0_u64;
        while ticks(std::process::id()).expect("a process") == before {
            sum = (0..100_000).fold(sum, u64::wrapping_add);
        }
        assert_eq!(ticks(u32::MAX), None);
    }
}
