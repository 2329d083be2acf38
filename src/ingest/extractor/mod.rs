//! Extracts risky formats in a child process of the same program, with limits on memory, processor
//! time and output: parsers that may need unbounded memory, time or stack, and the outline of code,
//! whose parsers are written in C and may crash.
//!
//! Each reading thread has a child, started on first use and used for many files. When a file
//! exceeds a limit, the child dies, the file fails with that limit as the reason, and the next file
//! gets a new child.

mod ocr;
mod wire;
mod worker;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::document::Format;
use crate::engine::Engine;
use crate::text::{self, Extracted, NoText};
use wire::ExtractionKind;
pub use worker::serve;

/// The hidden command that starts a child.
pub const COMMAND: &str = "extract-worker";

/// Processor time for a file, and for each MiB of it. Ordinary files need a hundredth.
const CPU_S: u64 = 5;
const CPU_S_PER_MIB: u64 = 1;

/// Processor time for an outline. Outlining limits its own work to four seconds on a common
/// processor, so this limit does not decide what is in an index, even on a slow machine.
const OUTLINE_CPU_S: u64 = 60;

/// A child that uses no processor time for this long hangs. On a busy machine it still runs now and
/// then, and only the time in which it runs counts against the file's limit.
const HANG: Duration = Duration::from_secs(120);

/// The longest answer of a child.
const MAX_ANSWER_BYTES: u64 = 192 << 20;

/// The longest first line of an answer.
const MAX_HEAD_BYTES: usize = 100;

/// How often interruption is checked.
const POLL_EVERY: Duration = Duration::from_millis(100);

/// Extracts files, one after another.
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
    has_answered: bool,
}

/// Why a child did not answer.
enum Broken {
    /// It has exited or was killed.
    Gone,
    /// It uses no processor time.
    Hangs,
    TooMuch,
    Invalid,
    Interrupted,
}

impl<'a> Extractor<'a> {
    pub fn new(engine: &'a Engine) -> Self {
        Self { engine, program: engine.config.program.clone(), running: None }
    }

    /// The text of a file. Risky formats are extracted in a child, others here. Of code only the
    /// outline is risky. It is optional, so a failure of the child is not a failure of the file.
    ///
    /// Where the user has turned OCR on, pictures and scanned pages have text, too.
    pub fn extract(&mut self, path: &str, bytes: &[u8]) -> Result<Extracted, NoText> {
        let extracted = self.extract_written(path, bytes);
        let Err(why) = &extracted else { return extracted };
        let languages = &self.engine.config.ocr_languages;
        let Some(source) = ocr::Source::of(bytes, why).filter(|_| self.engine.config.ocr) else {
            return extracted;
        };
        let pdf = ocr::recognize(self.engine, source, languages, bytes)?;
        let answer = self.ask("recognized.pdf", &pdf, ExtractionKind::Text)?;
        let mut found = answer.found().ok_or_else(|| NoText::Unread(INVALID_ANSWER.into()))??;
        if source == ocr::Source::Picture {
            // Its only page, and the program that wrote it, say nothing of the picture.
            (found.format, found.title) = (Format::Image, None);
            (found.places, found.metadata) = (Vec::new(), Vec::new());
        }
        Ok(found)
    }

    /// The text of whole messages of a mailbox.
    pub fn messages(&mut self, path: &str, bytes: &[u8]) -> Result<Extracted, NoText> {
        let answer = self.ask(path, bytes, ExtractionKind::Messages)?;
        answer.found().ok_or_else(|| NoText::Unread(INVALID_ANSWER.into()))?
    }

    /// The text that is written in a file.
    fn extract_written(&mut self, path: &str, bytes: &[u8]) -> Result<Extracted, NoText> {
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
        let answer = self.ask(path, bytes, ExtractionKind::Text)?;
        answer.found().ok_or_else(|| NoText::Unread(INVALID_ANSWER.into()))?
    }

    /// The answer of a child about a file, or the reason that it gave none.
    fn ask(
        &mut self,
        path: &str,
        bytes: &[u8],
        kind: ExtractionKind,
    ) -> Result<wire::Answer, NoText> {
        let Some(program) = self.program.clone() else {
            return Err(NoText::Unread(
                "the path of the `rag` program, which reads it in a child process, is unknown"
                    .into(),
            ));
        };
        let cpu_s = match kind {
            ExtractionKind::Outline => OUTLINE_CPU_S,
            ExtractionKind::Text | ExtractionKind::Messages => {
                CPU_S + CPU_S_PER_MIB * (bytes.len() as u64 >> 20)
            }
        };
        let request =
            wire::Request { path: path.to_owned(), bytes: bytes.len() as u64, cpu_s, kind };
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
                    running.has_answered = true;
                    self.running = Some(running);
                    return Ok(answer);
                }
                // It may have died for another reason while it was idle, so a new one tries.
                Err(Broken::Gone) if running.has_answered => running.stop(),
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

const INVALID_ANSWER: &str = "its reader sent an invalid answer";

impl Running {
    fn start(program: &Path) -> std::io::Result<Self> {
        let mut child = Command::new(program)
            .arg(COMMAND)
            .env_clear()
            // By default the allocator reserves a GiB of addresses, which the child's limit would
            // be added to.
            .env("MIMALLOC_ARENA_RESERVE", "32m")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        match (child.stdin.take(), child.stdout.take(), child.stderr.take()) {
            (Some(input), Some(output), Some(errors)) => {
                let output = BufReader::new(output);
                Ok(Self { child, input, output, errors, has_answered: false })
            }
            _ => Err(std::io::Error::other("a child without pipes")),
        }
    }

    /// Sends a file and waits for the answer.
    fn ask(
        &mut self,
        engine: &Engine,
        request: &wire::Request,
        bytes: &[u8],
    ) -> Result<wire::Answer, Broken> {
        // The child reads everything before it starts, so writing does not block for long.
        let sent =
            wire::write_line(&mut self.input, request).and_then(|()| self.input.write_all(bytes));
        sent.and_then(|()| self.input.flush()).map_err(|_| Broken::Gone)?;
        let mut progress = Progress { ticks: None, since: Instant::now() };
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            self.receive(engine, &mut progress, &mut line, |part| {
                part.iter().position(|b| *b == b'\n').map_or(part.len(), |n| n + 1)
            })?;
            if line.len() > MAX_HEAD_BYTES {
                return Err(Broken::Invalid);
            }
        }
        let head: wire::Head = serde_json::from_slice(&line).map_err(|_| Broken::Invalid)?;
        if head.bytes > MAX_ANSWER_BYTES {
            return Err(Broken::TooMuch);
        }
        let size = usize::try_from(head.bytes).map_err(|_| Broken::TooMuch)?;
        let mut answer = Vec::with_capacity(size);
        while answer.len() < size {
            let missing = size - answer.len();
            self.receive(engine, &mut progress, &mut answer, |part| part.len().min(missing))?;
        }
        serde_json::from_slice(&answer).map_err(|_| Broken::Invalid)
    }

    /// Waits for output and appends as many of its bytes to `to` as `wanted` says.
    fn receive(
        &mut self,
        engine: &Engine,
        progress: &mut Progress,
        to: &mut Vec<u8>,
        wanted: impl FnOnce(&[u8]) -> usize,
    ) -> Result<(), Broken> {
        self.wait(engine, progress)?;
        let part = self.output.fill_buf().map_err(|_| Broken::Gone)?;
        if part.is_empty() {
            return Err(Broken::Gone);
        }
        let n = wanted(part);
        to.extend_from_slice(&part[..n]);
        self.output.consume(n);
        Ok(())
    }

    /// Waits until there is output or the child has closed it.
    fn wait(&self, engine: &Engine, progress: &mut Progress) -> Result<(), Broken> {
        while self.output.buffer().is_empty() {
            if engine.interrupted() {
                return Err(Broken::Interrupted);
            }
            if progress.hangs(ticks(self.child.id()), Instant::now()) {
                return Err(Broken::Hangs);
            }
            let mut fds = [PollFd::new(self.output.get_ref(), PollFlags::IN)];
            let timeout = Timespec::try_from(POLL_EVERY).unwrap_or_default();
            match poll(&mut fds, Some(&timeout)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return Ok(()),
                Err(_) => return Err(Broken::Gone),
            }
        }
        Ok(())
    }

    /// Ends the child and returns why the file could not be read.
    fn verdict(self, broken: &Broken, cpu_s: u64) -> NoText {
        let why = match broken {
            Broken::Gone => return self.cause_of_death(cpu_s),
            Broken::TooMuch => {
                self.stop();
                let most = MAX_ANSWER_BYTES >> 20;
                return NoText::TooMuch(format!("it has more than {most} MiB of text").into());
            }
            Broken::Interrupted => "interrupted",
            Broken::Hangs => "its reader hangs",
            Broken::Invalid => INVALID_ANSWER,
        };
        self.stop();
        NoText::Unread(why.into())
    }

    /// Why a child has exited, from its signal and its last words.
    fn cause_of_death(mut self, cpu_s: u64) -> NoText {
        // `SIGXCPU` and `SIGSEGV` have the same numbers on all systems that have them.
        const CPU: i32 = 24;
        const SEGMENT: i32 = 11;
        /// `SIGKILL` comes from outside, such as from a system that is short of memory.
        const KILL: i32 = 9;
        drop(self.input);
        let status = self.child.wait();
        let mut errors = String::new();
        let _ = self.errors.take(10_000).read_to_string(&mut errors);
        let signal = status.ok().and_then(|status| status.signal());
        let memory_mib = worker::MEMORY_BYTES >> 20;
        let is_memory = errors.contains("memory allocation of");
        let reason = match signal {
            Some(KILL) => return NoText::Unread("its reader was killed".into()),
            Some(CPU) => format!("reading it takes more than {cpu_s} s of processor time"),
            _ if !is_memory && errors.contains("overflowed its stack") => {
                "it is nested deeper than the stack allows".to_owned()
            }
            Some(SEGMENT) if !is_memory => "its reader crashes".to_owned(),
            _ => format!("reading it takes more than {memory_mib} MiB of memory"),
        };
        NoText::TooMuch(reason.into())
    }

    fn stop(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// When a process last used processor time.
struct Progress {
    /// What it had used by then.
    ticks: Option<u64>,
    since: Instant,
}

impl Progress {
    /// Whether it has used no time for too long. `ticks` is what it has used by now; `None` where
    /// that is unknown.
    fn hangs(&mut self, ticks: Option<u64>, now: Instant) -> bool {
        if ticks != self.ticks {
            (self.ticks, self.since) = (ticks, now);
        }
        now.duration_since(self.since) >= HANG
    }
}

/// The processor time that a process has used, in clock ticks.
fn ticks(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is a name in brackets, which may contain anything.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let (user, system) = (fields.next()?.parse::<u64>().ok()?, fields.next()?.parse::<u64>().ok()?);
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_that_runs_rarely_is_waited_for_and_one_that_hangs_is_not() {
        let start = Instant::now();
        let mut progress = Progress { ticks: None, since: start };
        let after = |seconds: u64| start + Duration::from_secs(seconds);
        // A tick a minute on a machine that is busy for an hour.
        for minute in 0..60 {
            assert!(!progress.hangs(Some(minute), after(60 * minute)), "after {minute} min");
        }
        let last = after(59 * 60);
        assert!(!progress.hangs(Some(59), last + HANG / 2));
        assert!(progress.hangs(Some(59), last + HANG));
        assert!(!progress.hangs(Some(60), last + HANG));
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
