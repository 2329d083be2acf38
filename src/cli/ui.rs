//! The only module that prints: results to stdout, progress and messages to stderr, color where a
//! person reads it.
//!
//! Untrusted text passes [`safe`] before it reaches a terminal, and before it is colored. Messages
//! ([`Ui::note`], [`Ui::warn`], [`Ui::detail`]) are sanitized as a whole, so they hold no color.

use std::cell::RefCell;
use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

use clap::ColorChoice;
use indicatif::{ProgressBar, ProgressDrawTarget, TermLike};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::Serialize;

use super::args::GlobalArgs;
use super::excerpt::Line;
pub use super::layout::{clipped, columns, one_line, safe, safe_name, wrapped};
use super::links::{self, Target};
pub use super::numbers::{count, counted, duration, size, time};
use super::{layout, pager};
use crate::analysis::untrusted::is_hidden;
use crate::config::{Terminal, World};
use crate::error::{Fault, Kind, Result, locked};
use crate::index::{IngestStage, percent};
use crate::search::{Pending, Stale};
use crate::strings::StrExt as _;

/// Text uses no more columns even on wider terminals: long lines read badly.
const MAX_WIDTH: usize = 110;

/// How often a confirmation prompt checks for an interrupt.
const POLL_INTERVAL: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// Where and how to print.
pub struct Ui {
    pub json: bool,
    pub quiet: bool,
    pub verbose: bool,
    out_color: bool,
    err_color: bool,
    width: usize,
    /// Columns of the terminal at stdout; `None` if stdout is not a terminal.
    screen: Option<usize>,
    /// Its lines.
    height: usize,
    /// The terminal at stdout; `None` if there is none, or if it is dumb.
    terminal: Option<Terminal>,
    /// Text that [`Ui::paged`] collects.
    page: RefCell<Option<String>>,
    /// Whether stderr is a terminal.
    has_user: bool,
    /// Whether stderr can show a progress line that changes in place.
    has_progress: bool,
    /// The first error of a write to stdout.
    write_error: RefCell<Option<io::Error>>,
}

/// The role of a text, which decides its color.
#[derive(Clone, Copy, Debug)]
pub enum Tone {
    Strong,
    Faint,
    Location,
    Good,
    Bad,
    /// A word that was searched for.
    Match,
}

impl Tone {
    fn code(self) -> &'static str {
        match self {
            Self::Strong => "1",
            Self::Faint => "2",
            Self::Location => "36",
            Self::Good => "32",
            Self::Bad => "31",
            Self::Match => "1;31",
        }
    }
}

impl Ui {
    pub(super) fn new(global: &GlobalArgs) -> Self {
        // https://no-color.org
        #[expect(
            clippy::disallowed_methods,
            reason = "NO_COLOR is a convention of terminals, not a setting of rag"
        )]
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        #[expect(
            clippy::disallowed_methods,
            reason = "TERM describes the terminal; it is not a setting of rag"
        )]
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let (out, err) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        let color = |is_terminal: bool| match global.color {
            ColorChoice::Auto => is_terminal && !no_color && !is_dumb,
            ColorChoice::Always => true,
            ColorChoice::Never => false,
        };
        let size = terminal_size::terminal_size();
        let screen = size.map(|(width, _)| usize::from(width.0));
        Self {
            json: global.json,
            quiet: global.quiet,
            verbose: global.verbose,
            out_color: color(out),
            err_color: color(err),
            width: screen.unwrap_or(100).clamp(40, MAX_WIDTH),
            screen: screen.filter(|_| out),
            height: size.map_or(24, |(_, height)| usize::from(height.0)),
            terminal: (out && !is_dumb).then(|| World::from_process().terminal()),
            page: RefCell::new(None),
            has_user: err,
            has_progress: err && !is_dumb && !global.quiet && !global.json,
            write_error: RefCell::new(None),
        }
    }

    /// Whether a person reads stdout.
    pub fn is_terminal(&self) -> bool {
        self.screen.is_some()
    }

    /// Whether a person reads messages.
    pub fn has_user(&self) -> bool {
        self.has_user
    }

    /// Columns that text may use.
    pub fn width(&self) -> usize {
        self.width
    }

    /// `text` on one line, clipped to `room` columns if stdout is a terminal.
    pub fn fit(&self, text: &str, room: usize) -> String {
        if self.screen.is_some() { clipped(text, room) } else { one_line(text) }
    }

    /// Whether `text` fits on a line of which `taken` columns are used. Always, if stdout is not a
    /// terminal.
    pub fn fits(&self, text: &str, taken: usize) -> bool {
        self.screen.is_none() || taken + columns(text) <= self.width
    }

    /// The first error of a write to stdout.
    pub fn take_write_error(&self) -> Option<io::Error> {
        self.write_error.take()
    }

    /// Prints a line to stdout.
    pub fn line(&self, text: impl Display) {
        self.write(&format!("{text}\n"));
    }

    /// Prints what `print` prints, in the user's pager if it is longer than the terminal.
    pub fn paged(&self, print: impl FnOnce()) {
        let command = self.terminal.as_ref().filter(|_| !self.json).and_then(pager::command);
        let Some(command) = command.filter(|_| self.page.borrow().is_none()) else {
            return print();
        };
        self.page.replace(Some(String::new()));
        print();
        let text = self.page.take().unwrap_or_default();
        // The prompt of the shell takes a line.
        let is_long = text.lines().map(|line| self.rows(line)).sum::<usize>() + 1 > self.height;
        let is_shown = is_long && {
            LIVE.clear();
            pager::show(&command, &text).is_ok()
        };
        if !is_shown {
            self.write(&text);
        }
    }

    /// Lines of the terminal that a line takes. Escape sequences take no column, so it may be
    /// fewer.
    fn rows(&self, line: &str) -> usize {
        let is_escaped = line.contains('\x1b');
        let columns = if is_escaped { 1 } else { columns(line) };
        columns.div_ceil(self.screen.unwrap_or(self.width).max(1)).max(1)
    }

    /// Prints text to stdout as it is.
    pub fn write(&self, text: &str) {
        if let Some(page) = self.page.borrow_mut().as_mut() {
            return page.push_str(text);
        }
        LIVE.clear();
        let mut out = io::stdout().lock();
        if let Err(e) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            self.write_error.borrow_mut().get_or_insert(e);
        }
    }

    /// Prints a JSON document to stdout.
    pub fn json(&self, value: &impl Serialize) {
        self.json_text(serde_json::to_string_pretty(value));
    }

    /// Prints a JSON document to stdout, on one line.
    pub fn json_line(&self, value: &impl Serialize) {
        self.json_text(serde_json::to_string(value));
    }

    fn json_text(&self, text: serde_json::Result<String>) {
        match text {
            Ok(text) => self.line(escaped(&text)),
            Err(e) => self.note(format!("cannot print JSON: {e}")),
        }
    }

    /// Prints a message, unless quiet.
    pub fn note(&self, text: impl Display) {
        if !self.quiet {
            message(text);
        }
    }

    /// Prints a message, even if quiet.
    #[expect(clippy::unused_self, reason = "only those that hold a Ui may print")]
    pub fn warn(&self, text: impl Display) {
        message(text);
    }

    /// Prints a message if verbose.
    pub fn detail(&self, text: impl Display) {
        if self.verbose {
            message(text);
        }
    }

    /// Notes that an index has no vectors yet.
    pub fn pending(&self, pending: Option<Pending>) {
        if let Some(pending) = pending {
            let advice = if pending.in_progress { "" } else { "; run `rag ingest` again" };
            self.note(format!("keyword search only: {}{advice}", pending_text(&pending)));
        }
    }

    /// Warns that an index is a copy whose depot cannot be reached.
    pub fn stale(&self, stale: Option<&Stale>) {
        let Some(Stale { url, age_s }) = stale else { return };
        let since = match age_s {
            Some(age_s) => {
                format!("compared with it {} ago", duration(std::time::Duration::from_secs(*age_s)))
            }
            None => "of unknown age".to_owned(),
        };
        self.warn(format!("{url} cannot be reached; this is a copy of the index, {since}"));
    }

    /// Prints a colored label and untrusted text, unless quiet.
    pub fn problem(&self, label: &str, text: &str) {
        if !self.quiet {
            self.failure(label, text);
        }
    }

    /// Prints a colored label and untrusted text, even if quiet.
    pub fn failure(&self, label: &str, text: &str) {
        LIVE.print(&format!("{} {}\n", paint(self.err_color, Tone::Bad, label), safe_name(text)));
    }

    /// Asks for confirmation: only `y` and `yes` agree. `None` if standard input is not a terminal.
    ///
    /// # Errors
    /// An interrupt during the prompt.
    pub fn ask_yes_no(
        &self,
        question: &str,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<Option<bool>> {
        let stdin = io::stdin();
        if !stdin.is_terminal() {
            return Ok(None);
        }
        let question = paint(self.err_color, Tone::Strong, &safe_name(question));
        LIVE.print(&format!("{question} [y/N] "));
        // A blocking read would continue after Ctrl-C.
        loop {
            let mut ready = [PollFd::new(&stdin, PollFlags::IN)];
            let is_ready = poll(&mut ready, Some(&POLL_INTERVAL)).is_ok_and(|n| n > 0);
            if interrupted() {
                message("");
                return Err(Fault::interrupted());
            }
            if is_ready {
                let mut answer = String::new();
                let _ = stdin.read_line(&mut answer);
                return Ok(Some(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")));
            }
        }
    }

    /// Prints a fault and its hint; as JSON if results are JSON.
    pub fn fault(&self, fault: &Fault, code: u8) {
        if self.json {
            return json_fault(fault, code);
        }
        let label = |text: &str, tone: Tone| paint(self.err_color, tone, text);
        let word = if fault.kind() == Kind::Interrupted { "stopped" } else { "error" };
        let mut text = format!("{}: {}\n", label(word, Tone::Bad), safe(&fault.to_string()));
        if let Some(hint) = fault.hint_text() {
            text.push_str(&format!("{}: {}\n", label("hint", Tone::Strong), safe(hint)));
        }
        // One write, so that other processes cannot interleave and a full disk cannot cut it.
        LIVE.print(&text);
    }

    /// Prints a name and its value; `width` is the length of the longest name.
    pub fn row(&self, name: &str, width: usize, value: &str) {
        self.line(format!(
            "{} {}",
            self.paint(Tone::Faint, &format!("{name:<width$}")),
            safe_name(value)
        ));
    }

    /// Colors text for stdout.
    pub fn paint(&self, tone: Tone, text: &str) -> String {
        paint(self.out_color, tone, text)
    }

    /// A harmless text as a link to a place, if the terminal can show links.
    pub fn link(&self, text: &str, target: Option<&Target>) -> String {
        let links = self.terminal.as_ref().and_then(|terminal| terminal.links);
        match (links.filter(|_| self.out_color), target) {
            (Some(links), Some(target)) => links::linked(text, target, links, &host()),
            _ => text.to_owned(),
        }
    }

    /// A line of a passage with its matches colored.
    pub fn matched(&self, line: &Line) -> String {
        let (mut out, mut at) = (String::new(), 0);
        for mark in &line.marks {
            out.push_str(line.text.slice(at..mark.start));
            out.push_str(&self.paint(Tone::Match, line.text.slice(mark.clone())));
            at = mark.end;
        }
        out.push_str(line.text.slice(at..));
        out
    }

    /// Prints an aligned table that fits the terminal; cells are never cut if there is none.
    pub fn table(&self, header: &[&str], rows: &[Vec<String>]) {
        let lines = layout::table(header, rows, self.screen);
        self.paged(|| lines.iter().for_each(|line| self.line(line)));
    }

    /// The progress line; it is off if stderr is not a terminal.
    pub fn progress(&self) -> Bar {
        Bar { is_on: self.has_progress }
    }
}

/// A progress line at the bottom of the terminal, removed on drop.
pub struct Bar {
    is_on: bool,
}

impl Bar {
    pub fn is_on(&self) -> bool {
        self.is_on
    }

    /// Shows a stage, the completed share and a message. Redraws at most ten times a second.
    pub fn show(&self, stage: &str, share: f64, message: impl FnOnce() -> String) {
        if self.is_on {
            LIVE.draw(stage, share, &message());
        }
    }

    /// Removes the line.
    pub fn end(&self) {
        if self.is_on {
            LIVE.clear();
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.end();
    }
}

/// The line of a [`Bar`]. Every other output removes it first; the next draw shows it again.
struct Live(Mutex<Option<ProgressBar>>);

static LIVE: Live = Live(Mutex::new(None));

/// Faster changes cannot be read.
const DRAWS_PER_SECOND: u8 = 10;

impl Live {
    fn draw(&self, stage: &str, share: f64, message: &str) {
        let mut bar = self.lock();
        let bar = bar.get_or_insert_with(|| {
            let screen = Box::new(Screen::default());
            layout::bar(ProgressDrawTarget::term_like_with_hz(screen, DRAWS_PER_SECOND))
        });
        // The window may have been resized since the last draw.
        layout::show(bar, stage, share, message, usize::from(screen_width()));
    }

    fn clear(&self) {
        remove(&mut self.lock());
    }

    /// Writes to stderr in one call.
    fn print(&self, text: &str) {
        let mut bar = self.lock();
        remove(&mut bar);
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    fn lock(&self) -> MutexGuard<'_, Option<ProgressBar>> {
        locked(&self.0)
    }
}

fn remove(bar: &mut Option<ProgressBar>) {
    if let Some(bar) = bar.take() {
        bar.finish_and_clear();
        // `indicatif` does not clear the line during a panic.
        let _ = erase();
    }
}

fn screen_width() -> u16 {
    terminal_size::terminal_size_of(io::stderr()).map_or(80, |(width, _)| width.0)
}

/// The terminal line that `indicatif` draws on. Its own terminal leaves the cursor behind the line
/// and erases a number of rows, so pieces of the line remain when the window becomes narrower. Here
/// the cursor stays in the first column and everything after it is erased, however the terminal has
/// rewrapped the line.
#[derive(Debug, Default)]
struct Screen {
    /// The next line to draw.
    line: Mutex<String>,
}

/// Whether the line is on the screen.
static IS_SHOWN: AtomicBool = AtomicBool::new(false);

/// Moves to the first column and erases everything from there.
const ERASE: &str = "\r\x1b[J";

impl TermLike for Screen {
    fn width(&self) -> u16 {
        // `indicatif` assumes room for one ideograph.
        screen_width().max(2)
    }

    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        locked(&self.line).push_str(text);
        Ok(())
    }

    /// [`Screen::flush`] clears.
    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }

    /// Turns line wrapping off during the write, in case the window has just become narrower.
    fn flush(&self) -> io::Result<()> {
        let line = std::mem::take(&mut *locked(&self.line));
        let line = line.trim_end();
        if line.is_empty() {
            return erase();
        }
        IS_SHOWN.store(true, Ordering::Relaxed);
        io::stderr().lock().write_all(format!("{ERASE}\x1b[?7l{line}\x1b[?7h\r").as_bytes())
    }
}

fn erase() -> io::Result<()> {
    if IS_SHOWN.swap(false, Ordering::Relaxed) {
        io::stderr().lock().write_all(ERASE.as_bytes())
    } else {
        Ok(())
    }
}

/// Erases the progress line before the process ends at once. Async-signal-safe: it takes no lock
/// and does not allocate, while `indicatif` does both.
pub fn erase_at_exit() {
    if IS_SHOWN.load(Ordering::Relaxed) {
        // SAFETY: stderr stays open for the life of the process.
        #[expect(
            unsafe_code,
            reason = "`io::stderr` takes a lock, which a signal handler must not"
        )]
        let stderr = unsafe { std::os::fd::BorrowedFd::borrow_raw(2) };
        let _ = rustix::io::write(stderr, ERASE.as_bytes());
    }
}

/// Why an index has no vectors yet, with the percentage that its ingest reports.
pub fn pending_text(pending: &Pending) -> String {
    match pending.in_progress {
        true => {
            let percent = percent(IngestStage::Vectors.share(pending.done, pending.total));
            format!("the vectors are still being made ({percent} %)")
        }
        false => "the ingest was stopped before the vectors were made".to_owned(),
    }
}

/// Prints a sanitized line to stderr.
fn message(text: impl Display) {
    LIVE.print(&format!("{}\n", safe(&text.to_string())));
}

/// Standard input and output for a protocol with another process.
pub fn pipes() -> (impl io::BufRead, impl io::Write) {
    (io::stdin().lock(), io::stdout().lock())
}

/// Prints lines for a shell, in one write.
pub fn print_words(lines: &[String]) {
    let text: String = lines.iter().map(|line| safe_name_with_tab(line) + "\n").collect();
    let _ = io::stdout().lock().write_all(text.as_bytes());
}

/// A harmless line that keeps the tab between a value and its description.
fn safe_name_with_tab(line: &str) -> String {
    line.split('\t').map(safe_name).collect::<Vec<_>>().join("\t")
}

/// Flushes stdout. Write errors are reported by [`Ui::take_write_error`] before.
pub fn flush() {
    let _ = io::stdout().flush();
}

/// Standard input and output for a protocol on an async runtime.
pub fn async_pipes() -> (tokio::io::Stdin, tokio::io::Stdout) {
    (tokio::io::stdin(), tokio::io::stdout())
}

/// The destination of log lines: stderr, sanitized.
pub fn log_line() -> impl io::Write {
    LogLine
}

struct LogLine;

impl io::Write for LogLine {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        // One event is one line: untrusted text cannot start another.
        LIVE.print(&format!("{}\n", safe_name(text.trim_end_matches('\n'))));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Prints a fault before the command line is parsed.
pub fn plain_fault(fault: &Fault) {
    message(format!("error: {fault}"));
}

/// Prints a hint before the command line is parsed.
pub fn plain_hint(text: &str) {
    message(format!("hint: {text}"));
}

/// Prints a fault as JSON on one line of stderr.
pub fn json_fault(fault: &Fault, code: u8) {
    let error = serde_json::json!({
        "error": { "code": code, "message": fault.to_string(), "hint": fault.hint_text() }
    });
    LIVE.print(&format!("{}\n", escaped(&error.to_string())));
}

/// The name of this machine; empty if it is not known.
fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

fn paint(on: bool, tone: Tone, text: &str) -> String {
    if on { format!("\x1b[{}m{text}\x1b[0m", tone.code()) } else { text.to_owned() }
}

/// An equivalent JSON document that is safe to print. `serde_json` does not escape DEL, C1 controls
/// and characters without a glyph; they occur in strings only.
fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c == '\n' || !is_hidden(c) {
            out.push(c);
        } else {
            c.encode_utf16(&mut [0; 2])
                .iter()
                .for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pending_note_and_the_progress_line_show_the_same_percentage() {
        for (done, total) in [(0, 20), (9, 20), (45, 100), (75_000, 75_733)] {
            let note = pending_text(&Pending { done, total, in_progress: true });
            let percent = note
                .split_once('(')
                .and_then(|(_, rest)| rest.split_once(')'))
                .map(|(percent, _)| percent);
            let bar =
                layout::tests::drawn("vectors", IngestStage::Vectors.share(done, total), "", 80);
            assert!(bar.ends_with(percent.unwrap()), "{bar:?}, {note:?}");
        }
    }

    #[test]
    fn escaped_json_is_equivalent_and_has_no_hidden_characters() {
        let text = "a\x1b\x7f\u{9b}31m\u{202e}b\u{200b}\u{e0041}\u{fe0f}❤\n\\";
        let json = serde_json::to_string_pretty(&[text]).unwrap();
        let escaped = escaped(&json);
        assert!(!escaped.contains(|c| c != '\n' && is_hidden(c)), "{escaped}");
        assert!(escaped.contains("\\udb40\\udc41"), "{escaped}");
        assert_eq!(serde_json::from_str::<[String; 1]>(&escaped).unwrap(), [text]);
    }
}
