//! The only printer: data to stdout, talk to stderr, colour where a person reads it.
//!
//! Text that strangers wrote passes [`safe`] before a terminal sees it.

use std::cell::RefCell;
use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};

use comfy_table::{ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::Serialize;

use super::{Color, GlobalArgs};
use crate::analysis::untrusted::is_hidden;
use crate::calendar;
use crate::error::{Fault, Kind, Result};
use crate::index::{Stage, percent};
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
    /// The first failure of stdout.
    unwritten: RefCell<Option<io::Error>>,
}

/// What a piece of text is, which decides its colour.
#[derive(Clone, Copy, Debug)]
pub enum Tone {
    Strong,
    Faint,
    Place,
    Good,
    Bad,
}

impl Tone {
    fn code(self) -> &'static str {
        match self {
            Self::Strong => "1",
            Self::Faint => "2",
            Self::Place => "36",
            Self::Good => "32",
            Self::Bad => "31",
        }
    }
}

impl Ui {
    pub(super) fn new(global: &GlobalArgs) -> Self {
        // https://no-color.org
        #[expect(clippy::disallowed_methods, reason = "NO_COLOR is a convention of terminals, not a setting of rag")]
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        let color = |is_terminal: bool| match global.color {
            Color::Auto => is_terminal && !no_color,
            Color::Always => true,
            Color::Never => false,
        };
        let width = terminal_size::terminal_size().map_or(100, |(width, _)| usize::from(width.0));
        Self {
            json: global.json,
            quiet: global.quiet,
            verbose: global.verbose,
            out_color: color(io::stdout().is_terminal()),
            err_color: color(io::stderr().is_terminal()),
            width: width.clamp(40, MAX_WIDTH),
            unwritten: RefCell::new(None),
        }
    }

    /// Columns that text may use.
    pub fn width(&self) -> usize {
        self.width
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
            Some(pending) if pending.being_made => {
                self.note(format!("searched by words only: {}", pending_words(&pending)));
            }
            Some(pending) => {
                self.note(format!("searched by words only: {}; run `rag ingest` again", pending_words(&pending)));
            }
        }
    }

    /// Talk about something that went wrong: a coloured word, then what strangers may have named. Unless quiet.
    pub fn complaint(&self, word: &str, text: &str) {
        if !self.quiet {
            let line = format!("{} {}\n", paint(self.err_color, Tone::Bad, word), safe_name(text));
            let _ = io::stderr().lock().write_all(line.as_bytes());
        }
    }

    /// Asks a question that only `y` or `yes` agrees to. `None` where standard input is no terminal.
    ///
    /// # Errors
    /// An interruption while it waits.
    pub fn asks(&self, question: &str, interrupted: &dyn Fn() -> bool) -> Result<Option<bool>> {
        let stdin = io::stdin();
        if !stdin.is_terminal() {
            return Ok(None);
        }
        let question = format!("{} {} ", paint(self.err_color, Tone::Strong, &safe_name(question)), "[y/N]");
        let _ = io::stderr().lock().write_all(question.as_bytes());
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
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    /// Colours text for stdout.
    pub fn paint(&self, tone: Tone, text: &str) -> String {
        paint(self.out_color, tone, text)
    }

    /// An aligned table with a header.
    pub fn table(&self, header: &[&str], rows: Vec<Vec<String>>) {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(header.iter().map(|name| name.to_uppercase()));
        for row in rows {
            table.add_row(row.iter().map(|cell| safe(cell)));
        }
        for (i, name) in header.iter().enumerate() {
            if let Some(column) = table.column_mut(i) {
                column.set_padding((0, 2));
                // Numbers line up on their last digit.
                if RIGHT_ALIGNED.contains(name) {
                    column.set_cell_alignment(comfy_table::CellAlignment::Right);
                }
            }
        }
        for line in table.to_string().lines() {
            self.line(line.trim_end());
        }
    }

    /// A bar on a terminal; nothing elsewhere, where plain lines are told instead.
    pub fn progress(&self) -> ProgressBar {
        if self.quiet || self.json || !io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::with_draw_target(Some(1000), ProgressDrawTarget::stderr_with_hz(10));
        let template = "{prefix:8} {bar:28} {percent:>3} %  {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸ "));
        }
        bar
    }
}

/// What an index that has no vectors yet waits for, with the same percentage as the progress of its ingest.
pub fn pending_words(pending: &Pending) -> String {
    match pending.being_made {
        true => {
            let percent = percent(Stage::Vectors.share(pending.done, pending.total));
            format!("the vectors are still being made ({percent} %)")
        }
        false => "the ingest was stopped before the vectors were made".to_owned(),
    }
}

/// A line that a terminal cannot mistake for a command.
fn talk(text: &str) {
    let _ = io::stderr().lock().write_all(format!("{}\n", safe(text)).as_bytes());
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
        io::stderr().lock().write_all(format!("{}\n", safe_name(text.trim_end_matches('\n'))).as_bytes())?;
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
    let _ = io::stderr().lock().write_all(format!("{}\n", escaped(&error.to_string())).as_bytes());
}

/// Columns of numbers.
const RIGHT_ALIGNED: [&str; 20] = [
    "share",
    "p50",
    "p90",
    "p95",
    "p99",
    "longest",
    "turns",
    "hits",
    "misses",
    "hit rate",
    "budget",
    "count",
    "size",
    "documents",
    "chunks",
    "rank",
    "score",
    "weight",
    "bm25",
    "cosine",
];

fn paint(on: bool, tone: Tone, text: &str) -> String {
    if on { format!("\x1b[{}m{text}\x1b[0m", tone.code()) } else { text.to_owned() }
}

/// `text` with everything neutralised that could move a cursor, set a title, write a clipboard or hide and reorder
/// characters: control characters become `�`, for what somebody tried is to be seen; characters without a glyph vanish.
/// Kept are the joiners that Persian and Indic words and emoji need, and what tells an emoji from a sign.
pub fn safe(text: &str) -> String {
    let is_kept = |c: char| matches!(c, '\n' | '\t' | '\u{200c}' | '\u{200d}' | '\u{fe0e}' | '\u{fe0f}');
    text.chars()
        .filter(|&c| c.is_control() || is_kept(c) || !is_hidden(c))
        .map(|c| if c.is_control() && !is_kept(c) { '\u{fffd}' } else { c })
        .collect()
}

/// A name on one line: [`safe`], and what would end the line or leave a gap in it becomes `�` too.
pub fn safe_name(name: &str) -> String {
    safe(name).replace(['\n', '\t'], "\u{fffd}")
}

/// A JSON document that means the same and may be shown as it is. `serde_json` leaves DEL, the controls above it and what
/// has no glyph as they are; they stand in strings only.
fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c == '\n' || !is_hidden(c) {
            out.push(c);
        } else {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
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

/// Unix seconds as `2026-03-01 12:30:05` in UTC.
pub fn time(unix_s: i64) -> String {
    let (days, second) = (unix_s.div_euclid(86_400), unix_s.rem_euclid(86_400));
    format!("{} {:02}:{:02}:{:02}", calendar::date(days), second / 3600, second / 60 % 60, second % 60)
}

/// `text` on one line, cut to `width` columns with an ellipsis.
pub fn clipped(text: &str, width: usize) -> String {
    let one_line: String = safe(text).split_whitespace().collect::<Vec<_>>().join(" ");
    if one_line.chars().count() <= width {
        return one_line;
    }
    let mut cut: String = one_line.chars().take(width.saturating_sub(1)).collect();
    // Break between words where there is one near the end.
    if let Some(space) = cut.rfind(' ').filter(|space| space * 10 > cut.len() * 6) {
        cut.truncate(space);
    }
    format!("{}…", cut.trim_end())
}

/// Breaks text into lines of at most `width` columns at spaces, keeping its own line ends.
pub fn wrapped(text: &str, width: usize, indent: &str) -> String {
    let mut out = String::new();
    let mut in_fence = false;
    for line in safe(text).lines() {
        let is_fence = line.trim_start().starts_with("```");
        in_fence ^= is_fence;
        if in_fence || is_fence || line.trim().is_empty() {
            out.push_str(&format!("{indent}{}\n", line.trim_end()));
            continue;
        }
        let mut column = 0;
        out.push_str(indent);
        for word in line.split_whitespace() {
            let length = word.chars().count();
            if column > 0 && column + 1 + length > width.saturating_sub(indent.len()) {
                out.push('\n');
                out.push_str(indent);
                column = 0;
            } else if column > 0 {
                out.push(' ');
                column += 1;
            }
            out.push_str(word);
            column += length;
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strangers_wrote_cannot_drive_the_terminal() {
        assert_eq!(safe("a\x1b[31mb\rc\x07\u{9b}0m"), "a\u{fffd}[31mb\u{fffd}c\u{fffd}\u{fffd}0m");
        assert_eq!(safe("user\u{202e}gpj.exe\u{200b}!"), "usergpj.exe!");
        assert_eq!(safe("tab\there\nline"), "tab\there\nline");
        assert_eq!(safe("می\u{200c}خواهم ❤\u{fe0f} a\u{e0101}\u{34f}\u{3164}b"), "می\u{200c}خواهم ❤\u{fe0f} ab");
        assert_eq!(safe_name("a\n[2] b\tc\r.md"), "a\u{fffd}[2] b\u{fffd}c\u{fffd}.md");
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
    }

    #[test]
    fn long_text_is_cut_and_wrapped_at_words() {
        assert_eq!(clipped("one  two\nthree", 20), "one two three");
        assert_eq!(clipped("one two three four", 12), "one two…");
        assert_eq!(wrapped("one two three four", 9, "  "), "  one two\n  three\n  four\n");
    }
}
