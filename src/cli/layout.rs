//! Fits text, tables and the progress line to a terminal, measured in columns rather than bytes or
//! characters.
//!
//! Untrusted text is sanitized ([`safe`]) before it is cut, wrapped or colored, never after.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use textwrap::WordSeparator;
use textwrap::core::Word;
use textwrap::wrap_algorithms::wrap_first_fit;
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

use crate::analysis::untrusted::is_hidden;
use crate::index::percent;
use crate::strings::{StrExt as _, with_line_feeds};

/// Columns that `text` takes on a terminal: 2 for an ideograph or most emoji, 0 for a combining
/// mark.
pub fn columns(text: &str) -> usize {
    text.width()
}

/// The longest prefix of `text` of at most `max` columns, cut between grapheme clusters.
pub(super) fn prefix(text: &str, max: usize) -> &str {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.slice(..max.min(text.len()));
    }
    let mut taken = 0;
    for (at, cluster) in text.grapheme_indices(true) {
        taken += columns(cluster);
        if taken > max {
            return text.slice(..at);
        }
    }
    text
}

/// The longest suffix of `text` of at most `max` columns, cut between grapheme clusters.
pub(super) fn suffix(text: &str, max: usize) -> &str {
    let mut taken = 0;
    for (at, cluster) in text.grapheme_indices(true).rev() {
        taken += columns(cluster);
        if taken > max {
            return text.slice(at + cluster.len()..);
        }
    }
    text
}

/// Neutralizes everything in `text` that could move the cursor, set a title, write the clipboard,
/// or hide or reorder characters. Control characters become `�`, so that the attempt is visible;
/// invisible characters are removed. Line ends become line feeds: after a carriage return, the next
/// line would overwrite this one. Kept are the joiners of Persian and Indic words and of emoji, and
/// variation selectors.
pub fn safe(text: &str) -> String {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\n' | b'\t')) {
        return text.to_owned();
    }
    let is_kept =
        |c: char| matches!(c, '\n' | '\t' | '\u{200c}' | '\u{200d}' | '\u{fe0e}' | '\u{fe0f}');
    with_line_feeds(text)
        .chars()
        .filter(|&c| c.is_control() || is_kept(c) || !is_hidden(c))
        .map(|c| if c.is_control() && !is_kept(c) { '\u{fffd}' } else { c })
        .collect()
}

/// A name on one line: [`safe`], and what would end the line or leave a gap in it becomes `�` too.
pub fn safe_name(name: &str) -> String {
    safe(name).replace(['\n', '\t'], "\u{fffd}")
}

/// `text` on one line, made harmless and not cut.
pub fn one_line(text: &str) -> String {
    safe(text).one_line()
}

/// `text` on one line, cut to `width` columns with an ellipsis.
pub fn clipped(text: &str, width: usize) -> String {
    let one_line = one_line(text);
    if columns(&one_line) <= width {
        return one_line;
    }
    let cut = prefix(&one_line, width.saturating_sub(1));
    // Cut between words if a space is near the end.
    let near = cut.rfind(' ').filter(|space| space * 10 > cut.len() * 6);
    format!("{}…", near.map_or(cut, |space| cut.slice(..space)).trim_end())
}

/// `path` cut to `width` columns at its start: the file matters more than its folders.
fn clipped_path(path: &str, width: usize) -> String {
    if columns(path) <= width {
        return path.to_owned();
    }
    let kept = suffix(path, width.saturating_sub(1));
    // Start with a whole folder if that keeps most of what fits.
    let whole = kept.find('/').filter(|slash| slash * 3 < kept.len() && slash + 1 < kept.len());
    format!("…{}", whole.map_or(kept, |slash| kept.slice(slash..)))
}

/// Wraps each line of `text` to `width` columns, `indent` included. Fenced code is not wrapped.
pub fn wrapped(text: &str, width: usize, indent: &str) -> String {
    let mut out = String::new();
    let mut in_fence = false;
    let room = width.saturating_sub(columns(indent)).max(1);
    for line in safe(text).lines() {
        let is_fence = line.trim_start().starts_with("```");
        in_fence ^= is_fence;
        if in_fence || is_fence || line.trim().is_empty() {
            out.push_str(&format!("{indent}{}\n", line.trim_end()));
            continue;
        }
        for line in filled(line, room) {
            out.push_str(&format!("{indent}{line}\n"));
        }
    }
    out
}

/// Breaks one line into lines of at most `room` columns. Longer words are broken only if their
/// script allows it, as between ideographs: addresses stay whole.
pub(super) fn filled(line: &str, room: usize) -> Vec<String> {
    let line = line.one_line();
    let words: Vec<Word> =
        WordSeparator::AsciiSpace.find_words(&line).flat_map(pieces).map(measured).collect();
    let text = |words: &[Word]| {
        let line: String = words.iter().flat_map(|word| [word.word, word.whitespace]).collect();
        line.trim_end().to_owned()
    };
    wrap_first_fit(&words, &[room as f64]).into_iter().map(text).collect()
}

/// The parts of a word between which a line may be broken.
fn pieces(word: Word<'_>) -> Vec<Word<'_>> {
    if word.is_ascii() || !word.graphemes(true).any(|cluster| columns(cluster) > 1) {
        return vec![word];
    }
    let mut pieces: Vec<Word> =
        WordSeparator::UnicodeBreakProperties.find_words(word.word).collect();
    if let Some(last) = pieces.last_mut() {
        last.whitespace = word.whitespace;
    }
    pieces
}

/// `textwrap` adds up the widths of characters, which is wrong for emoji sequences.
fn measured(word: Word<'_>) -> Word<'_> {
    Word { width: columns(word.word), ..word }
}

/// Table columns of numbers, which are right-aligned.
const NUMBERS: [&str; 42] = [
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
    "ndcg@10",
    "recall@10",
    "recall@100",
    "mrr@10",
    "95 %",
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "difference",
    "p",
    "before",
    "now",
    "n",
    "right",
    "partly",
    "wrong",
    "refused",
    "cited",
    "in 10",
    "in 3",
    "first",
    "words",
];

/// Table columns of names that users copy, which are never cut.
const WHOLE: [&str; 6] = ["id", "session", "name", "setting", "table", "state"];

/// Table columns of paths, which are cut at their start.
const PATHS: [&str; 6] = ["path", "folder", "folders", "document", "from", "value"];

/// Spaces between two cells.
const GAP: u16 = 2;

/// Lines of an aligned table with a header. If the table is wider than `limit`, the widest columns
/// shrink: paths lose their start, and the last cell of a row is wrapped.
pub fn table(header: &[&str], rows: &[Vec<String>], limit: Option<usize>) -> Vec<String> {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| safe_name(cell)).collect()).collect();
    let natural = |n: usize| {
        let cells = rows.iter().filter_map(|row| row.get(n)).map(|cell| columns(cell));
        cells.chain([columns(header[n])]).max().unwrap_or_default()
    };
    let mut widths: Vec<usize> = (0..header.len()).map(natural).collect();
    if let Some(limit) = limit {
        let can_shrink = |n: usize| !NUMBERS.contains(&header[n]) && !WHOLE.contains(&header[n]);
        shrink(&mut widths, &can_shrink, limit);
    }
    let titles: Vec<String> = header.iter().map(|name| name.to_uppercase()).collect();
    let cut = |row: &[String]| -> Vec<String> {
        let last = row.len().saturating_sub(1);
        let cells = row.iter().zip(header).zip(&widths).enumerate();
        cells
            .map(|(n, ((cell, name), &width))| match () {
                () if columns(cell) <= width => cell.clone(),
                () if PATHS.contains(name) => clipped_path(cell, width),
                () if n == last => filled(cell, width).join("\n"),
                () => clipped(cell, width),
            })
            .collect()
    };
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(cut(&titles)).add_rows(rows.iter().map(|row| cut(row)));
    for (column, name) in table.column_iter_mut().zip(header) {
        column.set_padding((0, GAP));
        if NUMBERS.contains(name) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

/// Shrinks the widest columns that `can_shrink`, evenly, until the table fits `limit`.
fn shrink(widths: &mut [usize], can_shrink: &dyn Fn(usize) -> bool, limit: usize) {
    /// Narrower cells are unreadable.
    const MIN_WIDTH: usize = 12;
    let total: usize =
        widths.iter().sum::<usize>() + usize::from(GAP) * widths.len().saturating_sub(1);
    let mut over = total.saturating_sub(limit);
    while over > 0 {
        let widest = (0..widths.len())
            .filter(|&n| can_shrink(n) && widths[n] > MIN_WIDTH)
            .max_by_key(|&n| widths[n]);
        let Some(widest) = widest else { return };
        widths[widest] -= 1;
        over -= 1;
    }
}

/// The length of every progress bar. A power of two, so that no share is rounded.
const LENGTH: u64 = 1 << 60;

/// A progress bar for [`show`].
pub fn bar(target: ProgressDrawTarget) -> ProgressBar {
    ProgressBar::with_draw_target(Some(LENGTH), target)
}

/// Draws a progress line in fewer than `width` columns:
/// `vectors  ━━━━━━╸      45 %  1,200 of 2,700 passages, 12 s left`.
pub fn show(bar: &ProgressBar, stage: &str, share: f64, message: &str, width: usize) {
    // Some terminals start a new line when the last column is written.
    let width = width.saturating_sub(1);
    let cells = match width {
        90.. => 28,
        60.. => 16,
        44.. => 8,
        _ => 0,
    };
    let (gauge, gauge_width) =
        if cells == 0 { (String::new(), 0) } else { (format!("{{bar:{cells}}} "), cells + 1) };
    let (number, number_width) = ("{percent:>3} %", 5);
    let taken = columns(stage).max(8) + 1 + gauge_width + number_width;
    let template = match () {
        () if taken <= width => format!("{{prefix:8}} {gauge}{number}  {{msg}}"),
        () if number_width <= width => number.to_owned(),
        () => String::new(),
    };
    let room = width.saturating_sub(taken + 2);
    let message = if room < 4 { String::new() } else { clipped(message, room) };
    // `indicatif` would round to the nearest percentage.
    let whole_percent = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let _ = write!(out, "{}", percent(state.pos() as f64 / LENGTH as f64));
    };
    let style =
        ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style.progress_chars("━╸ ").with_key("percent", whole_percent));
    // Unlike `set_prefix` and `set_message`, these do not draw.
    let bar = bar.clone().with_prefix(stage.to_owned()).with_message(message);
    bar.with_position((share.clamp(0.0, 1.0) * LENGTH as f64) as u64).tick();
}

#[cfg(test)]
pub(super) mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use indicatif::TermLike;

    use super::*;

    /// A terminal that records the line drawn on it.
    #[derive(Clone, Debug)]
    struct Recorder {
        line: Arc<Mutex<String>>,
        width: usize,
    }

    impl TermLike for Recorder {
        fn width(&self) -> u16 {
            self.width.max(2) as u16
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
            self.line.lock().unwrap().push_str(text);
            Ok(())
        }

        fn clear_line(&self) -> io::Result<()> {
            self.line.lock().unwrap().clear();
            Ok(())
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The progress line that [`show`] draws.
    pub fn drawn(stage: &str, share: f64, message: &str, width: usize) -> String {
        let terminal = Recorder { line: Arc::default(), width };
        let bar = bar(ProgressDrawTarget::term_like(Box::new(terminal.clone())));
        show(&bar, stage, share, message, width);
        let line = terminal.line.lock().unwrap().trim_end().to_owned();
        bar.finish_and_clear();
        assert_eq!(terminal.line.lock().unwrap().trim_end(), "");
        line
    }

    #[test]
    fn untrusted_text_cannot_control_the_terminal() {
        assert_eq!(safe("a\x1b[31mb\rc\x07\u{9b}0m"), "a\u{fffd}[31mb\nc\u{fffd}\u{fffd}0m");
        assert_eq!(safe("a\r\nb\rc\u{c}d\u{85}e\u{2028}f\u{2029}"), "a\nb\nc\nd\ne\nf\n");
        assert_eq!(safe("user\u{202e}gpj.exe\u{200b}!"), "usergpj.exe!");
        assert_eq!(safe("tab\there\nline"), "tab\there\nline");
        assert_eq!(
            safe("می\u{200c}خواهم ❤\u{fe0f} a\u{e0101}\u{34f}\u{3164}b"),
            "می\u{200c}خواهم ❤\u{fe0f} ab"
        );
        assert_eq!(safe_name("a\n[2] b\tc\r.md"), "a\u{fffd}[2] b\u{fffd}c\u{fffd}.md");
    }

    #[test]
    fn long_text_is_cut_and_wrapped_between_words() {
        assert_eq!(clipped("one  two\nthree", 20), "one two three");
        assert_eq!(clipped("one two three four", 12), "one two…");
        assert_eq!(wrapped("one two three four", 9, "  "), "  one two\n  three\n  four\n");
        let address = "https://example.com/a/very/long/address";
        assert_eq!(
            wrapped(&format!("see {address}"), 12, ""),
            format!("see\n{address}\n"),
            "an address stays whole"
        );
    }

    #[test]
    fn widths_are_columns() {
        assert_eq!(
            [columns("日本語"), columns("cafe\u{301}"), columns("👩\u{200d}🔬"), columns("🇨🇭")],
            [6, 4, 2, 2]
        );
        assert_eq!(clipped("日本語日本語", 7), "日本語…");
        // Combining marks and emoji sequences are not split.
        assert_eq!(clipped("cafe\u{301}s", 5), "cafe\u{301}s");
        assert_eq!(clipped("cafe\u{301}rs", 5), "cafe\u{301}…");
        assert_eq!(clipped("👩\u{200d}🔬👩\u{200d}🔬👩\u{200d}🔬", 5), "👩\u{200d}🔬👩\u{200d}🔬…");
        assert_eq!(wrapped("これは日本語の文です", 8, ""), "これは日\n本語の文\nです\n");
        for text in [
            "日本語 text 日本語",
            "🇨🇭🇨🇭🇨🇭 e\u{301}e\u{301}e\u{301}",
            "a\u{300}\u{300}\u{300}\u{300}bc",
        ] {
            for width in 1..12 {
                assert!(columns(&clipped(text, width)) <= width.max(1), "{text} at {width}");
            }
        }
    }

    fn rows(rows: &[[&str; 3]]) -> Vec<Vec<String>> {
        rows.iter().map(|row| row.map(str::to_owned).to_vec()).collect()
    }

    const REASON: &str = "the archive holds a file that is larger than what may be unpacked";

    #[test]
    fn a_table_fits_the_terminal_and_keeps_the_important_parts() {
        let deep = format!("{}/report.pdf", "some/deep/folder/".repeat(12));
        let rows = rows(&[[&deep, "9 B", REASON], ["a.md", "12.5 KiB", "permission denied"]]);
        for width in [60, 80, 110] {
            let lines = table(&["path", "size", "reason"], &rows, Some(width));
            assert!(lines.iter().all(|line| columns(line) <= width), "{lines:#?}");
            let shown = lines.join("\n");
            assert!(shown.contains("/report.pdf") && shown.contains("…"), "{shown}");
            let words: Vec<&str> = shown.split_whitespace().collect();
            assert!(REASON.split(' ').all(|word| words.contains(&word)), "{shown}");
        }
        // Without a terminal, nothing is cut.
        let lines = table(&["path", "size", "reason"], &rows, None);
        assert!(lines[1].starts_with(&deep) && lines[1].ends_with(REASON), "{lines:#?}");
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn a_table_is_aligned() {
        let rows = rows(&[
            ["日本語.md", "1", "x"],
            ["e\u{301}te\u{301}.md", "10", "y"],
            ["ab\ncd.md", "100", "z"],
        ]);
        let lines = table(&["path", "count", "id"], &rows, Some(80));
        let at = |line: &str, part: &str| columns(&line[..line.find(part).unwrap()]);
        let starts: Vec<usize> =
            lines.iter().zip(["ID", "x", "y", "z"]).map(|(line, id)| at(line, id)).collect();
        assert!(starts.windows(2).all(|pair| pair[0] == pair[1]), "{lines:#?}");
        assert_eq!(lines.len(), 4, "a name with a line end is one line: {lines:#?}");
        // Users copy ids, so they are never cut.
        let id = "0123456789abcdef0123456789abcdef";
        let lines = table(
            &["id", "state", "folders"],
            &self::rows(&[[id, "running", &"docs, ".repeat(40)]]),
            Some(80),
        );
        assert!(lines[1].starts_with(id) && columns(&lines[1]) <= 80, "{lines:#?}");
    }

    #[test]
    fn the_progress_line_fits_any_terminal() {
        let message = "65 of 75,733 passages, 98 a second, about 12 min left; waiting for \
             docs/日本語/レポート.pdf";
        for width in 1..200 {
            for share in [0.0, 0.1, 0.5, 1.0] {
                let line = drawn("vectors", share, message, width);
                assert!(columns(&line) < width.max(2), "{width}: {line}");
            }
        }
        assert_eq!(
            drawn("vectors", 0.45, "9 of 20", 61),
            "vectors  ━━━━━━━╸          45 %  9 of 20"
        );
        assert_eq!(drawn("scan", 0.0, "\x1b[2Jx", 30), "scan       0 %  \u{fffd}[2Jx");
    }
}
