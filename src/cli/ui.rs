//! The only printer: data to stdout, talk to stderr, colour where a person reads it.
//!
//! Text that strangers wrote passes [`safe`] before a terminal sees it, and before it is coloured:
//! what is printed through [`Ui::note`] and its like holds no colour of ours, which would be made
//! harmless too.

use std::cell::RefCell;
use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, TermLike};
use jiff::{SignedDuration, civil};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::Serialize;

pub use super::layout::{clipped, columns, one_line, safe, safe_name, wrapped};
use super::{Color, GlobalArgs, layout};
use crate::analysis::untrusted::is_hidden;
use crate::error::{Fault, Kind, Result};
use crate::index::{IngestStage, percent};
use crate::search::Pending;

/// Narrower terminals wrap; wider ones leave the rest empty, since long lines read badly.
const MAX_WIDTH: usize = 110;

/// How often an interruption is looked for while a question waits for its answer.
const ASK_EVERY: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// Where and how to print.
pub struct Ui {
    pub json: bool,
    pub quiet: bool,
    pub verbose: bool,
    out_color: bool,
    err_color: bool,
    width: usize,
    /// Columns of the terminal behind stdout; `None` where there is none.
    screen: Option<usize>,
    /// Whether stderr shows a line that changes in place.
    is_live: bool,
    /// The first failure of stdout.
    unwritten: RefCell<Option<io::Error>>,
}

/// What a piece of text is, which decides its colour.
#[derive(Clone, Copy, Debug)]
pub enum Tone {
    Strong,
    Faint,
    Location,
    Good,
    Bad,
}

impl Tone {
    fn code(self) -> &'static str {
        match self {
            Self::Strong => "1",
            Self::Faint => "2",
            Self::Location => "36",
            Self::Good => "32",
            Self::Bad => "31",
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
            reason = "TERM says what the terminal can do; it is no setting of rag"
        )]
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let (out, err) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        let color = |is_terminal: bool| match global.color {
            Color::Auto => is_terminal && !no_color && !is_dumb,
            Color::Always => true,
            Color::Never => false,
        };
        let screen = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        Self {
            json: global.json,
            quiet: global.quiet,
            verbose: global.verbose,
            out_color: color(out),
            err_color: color(err),
            width: screen.unwrap_or(100).clamp(40, MAX_WIDTH),
            screen: screen.filter(|_| out),
            is_live: err && !is_dumb && !global.quiet && !global.json,
            unwritten: RefCell::new(None),
        }
    }

    /// Columns that text may use.
    pub fn width(&self) -> usize {
        self.width
    }

    /// `text` on one line: as much of it as `room` columns hold on a terminal, all of it elsewhere.
    pub fn fitted(&self, text: &str, room: usize) -> String {
        if self.screen.is_some() { clipped(text, room) } else { one_line(text) }
    }

    /// Whether `text` and what is beside it, `taken` columns, are one line of the terminal.
    pub fn fits(&self, text: &str, taken: usize) -> bool {
        self.screen.is_none() || taken + columns(text) <= self.width
    }

    /// What kept data from reaching stdout, if anything did.
    pub fn unwritten(&self) -> Option<io::Error> {
        self.unwritten.take()
    }

    /// A line of data.
    pub fn line(&self, text: impl Display) {
        self.write(&format!("{text}\n"));
    }

    /// Data as it is.
    pub fn write(&self, text: &str) {
        LIVE.clear();
        let mut out = io::stdout().lock();
        if let Err(e) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            self.unwritten.borrow_mut().get_or_insert(e);
        }
    }

    /// One JSON document.
    pub fn json(&self, value: &impl Serialize) {
        match serde_json::to_string_pretty(value) {
            Ok(text) => self.line(escaped(&text)),
            Err(e) => self.note(format!("cannot print JSON: {e}")),
        }
    }

    /// One JSON document on a line of its own.
    pub fn json_line(&self, value: &impl Serialize) {
        match serde_json::to_string(value) {
            Ok(text) => self.line(escaped(&text)),
            Err(e) => self.note(format!("cannot print JSON: {e}")),
        }
    }

    /// Talk, unless quiet.
    pub fn note(&self, text: impl Display) {
        if !self.quiet {
            talk(&format!("{text}"));
        }
    }

    /// That an index has no vectors yet, if that is so.
    pub fn pending(&self, pending: Option<Pending>) {
        match pending {
            None => {}
            Some(pending) if pending.in_progress => {
                self.note(format!("searched by words only: {}", pending_words(&pending)));
            }
            Some(pending) => {
                self.note(format!(
                    "searched by words only: {}; run `rag ingest` again",
                    pending_words(&pending)
                ));
            }
        }
    }

    /// Talk about something that went wrong: a coloured word, then what strangers may have named.
    /// Unless quiet.
    pub fn complaint(&self, word: &str, text: &str) {
        if !self.quiet {
            self.alarm(word, text);
        }
    }

    /// Asks a question that only `y` or `yes` agrees to. `None` where standard input is no
    /// terminal.
    ///
    /// # Errors
    /// An interruption while it waits.
    pub fn asks(&self, question: &str, interrupted: &dyn Fn() -> bool) -> Result<Option<bool>> {
        let stdin = io::stdin();
        if !stdin.is_terminal() {
            return Ok(None);
        }
        let question =
            format!("{} {} ", paint(self.err_color, Tone::Strong, &safe_name(question)), "[y/N]");
        LIVE.print(&question);
        // A read would go on after Ctrl-C.
        loop {
            let mut ready = [PollFd::new(&stdin, PollFlags::IN)];
            let is_ready = poll(&mut ready, Some(&ASK_EVERY)).is_ok_and(|n| n > 0);
            if interrupted() {
                talk("");
                return Err(Fault::interrupted());
            }
            if is_ready {
                let mut answer = String::new();
                let _ = stdin.read_line(&mut answer);
                return Ok(Some(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")));
            }
        }
    }

    /// The same for whoever asked for quiet, too.
    pub fn alarm(&self, word: &str, text: &str) {
        LIVE.print(&format!("{} {}\n", paint(self.err_color, Tone::Bad, word), safe_name(text)));
    }

    /// Talk that whoever asked for quiet must hear too.
    #[expect(clippy::unused_self, reason = "whoever may not print has no Ui")]
    pub fn warn(&self, text: impl Display) {
        talk(&format!("{text}"));
    }

    /// Talk for those who asked for more.
    pub fn detail(&self, text: impl Display) {
        if self.verbose {
            talk(&format!("{text}"));
        }
    }

    /// A fault and its hint; as JSON where data is JSON.
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
        // One write: a message that others interleave, or that a full disk cuts, is no message.
        LIVE.print(&text);
    }

    /// A name and its value, one of several below each other. `width` is that of the longest name.
    pub fn row(&self, name: &str, width: usize, value: &str) {
        self.line(format!(
            "{} {}",
            self.paint(Tone::Faint, &format!("{name:<width$}")),
            safe_name(value)
        ));
    }

    /// Colours text for stdout.
    pub fn paint(&self, tone: Tone, text: &str) -> String {
        paint(self.out_color, tone, text)
    }

    /// An aligned table with a header, which fits the terminal; elsewhere its cells are whole.
    pub fn table(&self, header: &[&str], rows: &[Vec<String>]) {
        layout::table(header, rows, self.screen).iter().for_each(|line| self.line(line));
    }

    /// A bar on a terminal; nothing elsewhere, where lines of talk are to be written instead.
    pub fn progress(&self) -> Bar {
        Bar { is_on: self.is_live }
    }
}

/// A line at the bottom of the terminal that says how far something is. It is gone when this is
/// dropped.
pub struct Bar {
    is_on: bool,
}

impl Bar {
    pub fn is_on(&self) -> bool {
        self.is_on
    }

    /// Shows a stage, the share of the whole that is done, and a message, unless the line was drawn
    /// a moment ago.
    pub fn show(&self, stage: &str, share: f64, message: impl FnOnce() -> String) {
        if self.is_on {
            LIVE.draw(stage, share, &message());
        }
    }

    /// Takes the line away.
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

/// The line of a [`Bar`]. Whatever else is printed takes it away first; it comes back when it is
/// drawn next.
struct Live(Mutex<Option<ProgressBar>>);

static LIVE: Live = Live(Mutex::new(None));

/// As often as anybody can read.
const DRAWS_A_SECOND: u8 = 10;

impl Live {
    fn draw(&self, stage: &str, share: f64, message: &str) {
        let mut bar = self.held();
        let bar = bar.get_or_insert_with(|| {
            let screen = Box::new(Screen::default());
            layout::bar(ProgressDrawTarget::term_like_with_hz(screen, DRAWS_A_SECOND))
        });
        // Asked each time, as the window may have another size by now.
        layout::show(bar, stage, share, message, usize::from(screen_width()));
    }

    fn clear(&self) {
        take_away(&mut self.held());
    }

    /// Writes to stderr in one piece.
    fn print(&self, text: &str) {
        let mut bar = self.held();
        take_away(&mut bar);
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    fn held(&self) -> MutexGuard<'_, Option<ProgressBar>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn take_away(bar: &mut Option<ProgressBar>) {
    if let Some(bar) = bar.take() {
        bar.finish_and_clear();
        // `indicatif` draws nothing while a thread panics.
        let _ = erase();
    }
}

fn screen_width() -> u16 {
    terminal_size::terminal_size_of(io::stderr()).map_or(80, |(width, _)| width.0)
}

/// The line of the terminal that `indicatif` draws on. The terminal that `indicatif` brings along
/// leaves the cursor behind the line and removes rows by their number, so that a window that
/// becomes narrower keeps pieces of the line. Here the cursor waits in the first column, and
/// everything from there on is removed, however the terminal has broken the line since.
#[derive(Debug, Default)]
struct Screen {
    /// What is to be drawn.
    line: Mutex<String>,
}

/// Whether the line is on the screen.
static IS_SHOWN: AtomicBool = AtomicBool::new(false);

/// Back to the first column, and everything from there on removed.
const ERASE: &str = "\r\x1b[J";

impl TermLike for Screen {
    fn width(&self) -> u16 {
        // `indicatif` counts on the room of one ideograph.
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
        self.line.lock().unwrap_or_else(PoisonError::into_inner).push_str(text);
        Ok(())
    }

    /// [`Screen::flush`] does it.
    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }

    /// Lines are not broken while this one is written, should the window have become narrower this
    /// moment.
    fn flush(&self) -> io::Result<()> {
        let line = std::mem::take(&mut *self.line.lock().unwrap_or_else(PoisonError::into_inner));
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

/// Takes the line of progress away where the process ends at once. May be called by a handler of
/// signals: it takes no lock and allocates nothing, while `indicatif` does both.
pub fn erase_at_exit() {
    if IS_SHOWN.load(Ordering::Relaxed) {
        // SAFETY: the standard error is not closed while the process runs.
        #[expect(
            unsafe_code,
            reason = "`io::stderr` takes a lock, which a handler of signals must not"
        )]
        let stderr = unsafe { std::os::fd::BorrowedFd::borrow_raw(2) };
        let _ = rustix::io::write(stderr, ERASE.as_bytes());
    }
}

/// What an index that has no vectors yet waits for, with the same percentage as the progress of its
/// ingest.
pub fn pending_words(pending: &Pending) -> String {
    match pending.in_progress {
        true => {
            let percent = percent(IngestStage::Vectors.share(pending.done, pending.total));
            format!("the vectors are still being made ({percent} %)")
        }
        false => "the ingest was stopped before the vectors were made".to_owned(),
    }
}

/// A line that a terminal cannot mistake for a command.
fn talk(text: &str) {
    LIVE.print(&format!("{}\n", safe(text)));
}

/// Both ends of a conversation with another process.
pub fn pipes() -> (impl io::BufRead, impl io::Write) {
    (io::stdin().lock(), io::stdout().lock())
}

/// Writes out what stdout still holds; whoever wanted to know of a failure has asked before.
pub fn flush() {
    let _ = io::stdout().flush();
}

/// The same for a protocol that runs on an async runtime and has them for itself.
pub fn async_pipes() -> (tokio::io::Stdin, tokio::io::Stdout) {
    (tokio::io::stdin(), tokio::io::stdout())
}

/// Where a line of the log goes: to stderr, harmless whatever somebody had it say.
pub fn log_line() -> impl io::Write {
    LogLine
}

struct LogLine;

impl io::Write for LogLine {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        // One event is one line: nobody's text begins another one.
        LIVE.print(&format!("{}\n", safe_name(text.trim_end_matches('\n'))));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A fault where no command line was understood.
pub fn plain_fault(fault: &Fault) {
    talk(&format!("error: {fault}"));
}

/// A fault as scripts read it.
pub fn json_fault(fault: &Fault, code: u8) {
    let error = serde_json::json!({
        "error": { "code": code, "message": fault.to_string(), "hint": fault.hint_text() }
    });
    // One write, as for people.
    LIVE.print(&format!("{}\n", escaped(&error.to_string())));
}

fn paint(on: bool, tone: Tone, text: &str) -> String {
    if on { format!("\x1b[{}m{text}\x1b[0m", tone.code()) } else { text.to_owned() }
}

/// A JSON document that means the same and may be shown as it is. `serde_json` leaves DEL, the
/// controls above it and what has no glyph as they are; they stand in strings only.
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

/// `1536` as `1.5 KiB`.
pub fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

/// `1234567` as `1,234,567`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 file`, `2 files`.
pub fn counted(n: u64, what: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {what}{plural}", count(n))
}

/// Unix seconds as `2026-03-01 12:30:05` in UTC. After the year 9999: its last second.
pub fn time(unix_s: i64) -> String {
    let epoch = civil::datetime(1970, 1, 1, 0, 0, 0, 0);
    epoch
        .saturating_add(SignedDuration::from_secs(unix_s))
        .strftime("%Y-%m-%d %H:%M:%S")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_reports_the_same_percentage() {
        for (done, total) in [(0, 20), (9, 20), (45, 100), (75_000, 75_733)] {
            let words = pending_words(&Pending { done, total, in_progress: true });
            let percent = words
                .split_once('(')
                .and_then(|(_, rest)| rest.split_once(')'))
                .map(|(percent, _)| percent);
            let bar =
                layout::tests::drawn("vectors", IngestStage::Vectors.share(done, total), "", 80);
            assert!(bar.ends_with(percent.unwrap()), "{bar:?}, {words:?}");
        }
    }

    #[test]
    fn json_means_the_same_and_shows_nothing_hidden() {
        let text = "a\x1b\x7f\u{9b}31m\u{202e}b\u{200b}\u{e0041}\u{fe0f}❤\n\\";
        let json = serde_json::to_string_pretty(&[text]).unwrap();
        let escaped = escaped(&json);
        assert!(!escaped.contains(|c| c != '\n' && is_hidden(c)), "{escaped}");
        assert!(escaped.contains("\\udb40\\udc41"), "{escaped}");
        assert_eq!(serde_json::from_str::<[String; 1]>(&escaped).unwrap(), [text]);
    }

    #[test]
    fn numbers_and_times_read_well() {
        assert_eq!([size(7), size(1536), size(5 << 30)], ["7 B", "1.5 KiB", "5.0 GiB"]);
        assert_eq!([count(0), count(999), count(1_234_567)], ["0", "999", "1,234,567"]);
        assert_eq!([counted(1, "file"), counted(2, "file")], ["1 file", "2 files"]);
        assert_eq!(time(0), "1970-01-01 00:00:00");
        assert_eq!(time(1_709_209_815), "2024-02-29 12:30:15");
        assert_eq!(time(4_102_444_799), "2099-12-31 23:59:59");
        assert_eq!(time(-1), "1969-12-31 23:59:59");
        assert_eq!([253_402_300_799, i64::MAX].map(time), ["9999-12-31 23:59:59"; 2]);
    }
}
