//! Sentence segmentation of text with markup.
//!
//! Two passes: lines into blocks (heading, list item, paragraph with its hard wraps, code fence),
//! then each paragraph into sentences. Full stops are judged as in UAX #29, plus abbreviations,
//! initials and footnote marks. A code fence is one "sentence", so that it is quoted whole.

use std::ops::Range;

use crate::document::{Span, UnitKind};
use crate::strings::StrExt as _;
use crate::strings::line_ranges;

/// A sentence, or another span with its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passage {
    pub span: Span,
    pub kind: UnitKind,
}

/// The sentences of `text` in order, trimmed and not empty. Only white space and rules separate
/// them.
#[must_use]
pub fn sentences(text: &str) -> Vec<Span> {
    passages(text).into_iter().map(|passage| passage.span).collect()
}

/// The sentences of `text` with their kinds.
#[must_use]
pub fn passages(text: &str) -> Vec<Passage> {
    let mut passages = Vec::new();
    for Block { kind, range } in blocks(text) {
        match kind {
            UnitKind::Sentence | UnitKind::Item { .. } => {
                let mut kind = kind;
                split(text, range, &mut |span| {
                    passages.push(Passage { span, kind });
                    if let UnitKind::Item { first } = &mut kind {
                        *first = false;
                    }
                });
            }
            _ => {
                passages.extend(trimmed(text, range).map(|span| Passage { span, kind }));
            }
        }
    }
    passages
}

struct Block {
    kind: UnitKind,
    range: Range<usize>,
}

fn blocks(text: &str) -> Vec<Block> {
    let lines: Vec<Range<usize>> = line_ranges(text).collect();
    let mut gathered = Gathered { text, lines: &lines, blocks: Vec::new(), open: None };
    let mut at = leading_code_lines(text, &lines);
    if at > 0 {
        gathered.whole(UnitKind::Code, 0..at);
    }
    while at < lines.len() {
        let line = unquoted(text.slice(lines[at].clone()));
        match kind_of(line) {
            LineKind::Blank | LineKind::Noise => gathered.close(),
            LineKind::Fence(mark) => {
                gathered.close();
                let last = (at + 1..lines.len())
                    .find(|&i| unquoted(text.slice(lines[i].clone())).starts_with(mark))
                    .unwrap_or(lines.len() - 1);
                gathered.whole(UnitKind::Code, at..last + 1);
                at = last;
            }
            LineKind::Rule => gathered.underline(),
            LineKind::Heading => gathered.whole(UnitKind::Heading, at..at + 1),
            LineKind::Row => gathered.whole(UnitKind::Row, at..at + 1),
            // "…between 0 and" ⏎ "255. If you…" is a wrapped sentence: in a paragraph only 1 begins
            // a list.
            LineKind::Item
                if gathered.open.as_ref().is_none_or(|(kind, _)| *kind != UnitKind::Sentence)
                    || !line.starts_with(|c: char| c.is_ascii_digit())
                    || line.starts_with("1.")
                    || line.starts_with("1)") =>
            {
                gathered.close();
                gathered.open = Some((UnitKind::Item { first: true }, at..at + 1));
            }
            LineKind::Text
                if gathered.open.is_none()
                    && is_indented_code(text, &lines, at, &gathered.blocks) =>
            {
                let last = (at..lines.len())
                    .take_while(|&i| is_indented(text.slice(lines[i].clone())))
                    .last()
                    .unwrap_or(at);
                gathered.whole(UnitKind::Code, at..last + 1);
                at = last;
            }
            LineKind::Text | LineKind::Item => match &mut gathered.open {
                Some((_, lines)) => lines.end = at + 1,
                None => gathered.open = Some((UnitKind::Sentence, at..at + 1)),
            },
        }
        at += 1;
    }
    gathered.close();
    gathered.blocks
}

/// The blocks so far, and the open paragraph or item as a range of lines.
struct Gathered<'a> {
    text: &'a str,
    lines: &'a [Range<usize>],
    blocks: Vec<Block>,
    open: Option<(UnitKind, Range<usize>)>,
}

impl Gathered<'_> {
    fn close(&mut self) {
        if let Some((kind, lines)) = self.open.take() {
            unwrapped(self.text, &self.lines[lines], kind, &mut self.blocks);
        }
    }

    fn whole(&mut self, kind: UnitKind, lines: Range<usize>) {
        self.close();
        self.blocks.push(Block {
            kind,
            range: self.lines[lines.start].start..self.lines[lines.end - 1].end,
        });
    }

    /// An underline makes the line above it a heading.
    fn underline(&mut self) {
        if let Some((UnitKind::Sentence, lines)) = &self.open
            && lines.len() == 1
        {
            let lines = lines.clone();
            self.open = None;
            self.whole(UnitKind::Heading, lines);
        } else {
            self.close();
        }
    }
}

/// The number of leading lines inside a fence that was opened before the text, as in a passage from
/// the middle of a file: the lines up to the first fence, or all, if they look like code and the
/// fences are unbalanced. 0 without such a fence.
fn leading_code_lines(text: &str, lines: &[Range<usize>]) -> usize {
    let line = |n: usize| unquoted(text.slice(lines[n].clone()));
    let mut fences = (0..lines.len()).filter(|&n| super::plain::is_fence(line(n)));
    let first = fences.next();
    let is_closed = first.is_none_or(|n| line(n).trim_start_matches(['`', '~']).is_empty());
    if !is_closed || first.is_some() && fences.count() % 2 == 1 {
        return 0;
    }
    let inside: Vec<&str> =
        (0..first.unwrap_or(lines.len())).map(line).filter(|line| !line.is_empty()).collect();
    let n_code = inside.iter().filter(|line| line.ends_with([';', '{', '}', '(', '['])).count();
    let is_code = n_code > 1 && n_code * 2 >= inside.len();
    if is_code { first.map_or(lines.len(), |n| n + 1) } else { 0 }
}

/// A line without surrounding white space and block quote marks.
fn unquoted(line: &str) -> &str {
    line.trim().trim_start_matches('>').trim()
}

fn is_indented(line: &str) -> bool {
    line.trim().is_empty() || line.starts_with("    ") || line.starts_with('\t')
}

/// Whether a line opens unfenced code: indented, after a blank line, and either introduced with a
/// colon or full of punctuation. Prose is indented too, under list items and at the head of a
/// paragraph.
fn is_indented_code(text: &str, lines: &[Range<usize>], at: usize, before: &[Block]) -> bool {
    let line = text.slice(lines[at].clone());
    if line.trim().is_empty() || !is_indented(line) {
        return false;
    }
    let is_announced = before
        .last()
        .is_some_and(|block| text.slice(block.range.clone()).trim_end().ends_with(':'));
    let is_under_item =
        before.last().is_some_and(|block| matches!(block.kind, UnitKind::Item { .. }));
    let marks = line.chars().filter(|c| "(){}[];=<>$#|/\\".contains(*c)).count();
    is_announced && marks > 0 || marks > 2 && !is_under_item
}

/// A paragraph as one block, or as several where a line ends far short of the margin without
/// punctuation that continues it, as titles, addresses and `key: value` lines do.
fn unwrapped(text: &str, lines: &[Range<usize>], kind: UnitKind, blocks: &mut Vec<Block>) {
    let width = |line: &Range<usize>| text.slice(line.clone()).trim().chars().count();
    let margin = lines.iter().map(width).max().unwrap_or(0);
    let mut start = lines.first().map_or(0, |line| line.start);
    for pair in lines.windows(2) {
        let line = text.slice(pair[0].clone()).trim();
        let next = text.slice(pair[1].clone()).trim_start();
        let stops_short =
            width(&pair[0]) * 10 < margin * 6 && !line.ends_with([',', ';', '-', '(', '\\']);
        let begins = next.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit());
        if stops_short && begins {
            blocks.push(Block { kind, range: start..pair[0].end });
            start = pair[1].start;
        }
    }
    if let Some(last) = lines.last() {
        blocks.push(Block { kind, range: start..last.end });
    }
}

enum LineKind<'a> {
    Blank,
    /// Markup without text: comments, directives, a lone tag.
    Noise,
    Fence(&'a str),
    Rule,
    Heading,
    Row,
    Item,
    Text,
}

fn kind_of(line: &str) -> LineKind<'_> {
    let Some(first) = line.chars().next() else { return LineKind::Blank };
    match first {
        '`' | '~' if super::plain::is_fence(line) => {
            LineKind::Fence(line.slice(..line.len() - line.trim_start_matches(first).len()))
        }
        '#' if super::plain::heading(line).is_some() => LineKind::Heading,
        '|' if line.chars().all(|c| "|-: +=".contains(c)) => LineKind::Noise,
        '|' if line.len() > 1 => LineKind::Row,
        '<' if is_lone_tag(line) => LineKind::Noise,
        '{' if line.starts_with("{{") && line.ends_with("}}") => LineKind::Noise,
        '.' if line.starts_with(".. ") => LineKind::Noise,
        '[' if !line.starts_with("[^")
            && line
                .split_once("]: ")
                .is_some_and(|(label, target)| !label.contains(' ') && !target.contains(' ')) =>
        {
            LineKind::Noise
        }
        '=' | '-' | '~' | '*' | '_' | '^' | '+'
            if line.len() > 2 && line.chars().all(|c| c == first || c == ' ') =>
        {
            LineKind::Rule
        }
        _ if super::plain::item(line).is_some() => LineKind::Item,
        _ => LineKind::Text,
    }
}

fn is_lone_tag(line: &str) -> bool {
    line.starts_with("<!--") && line.ends_with("-->")
        || line.ends_with('>')
            && line.matches('<').count() == 1
            && line.slice(1..).starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
}

fn trimmed(text: &str, range: Range<usize>) -> Option<Span> {
    let inside = text.slice(range.clone());
    let start = range.start + (inside.len() - inside.trim_start().len());
    let end = start + inside.trim().len();
    (start < end).then(|| Span::new(start, end))
}

fn split(text: &str, range: Range<usize>, put: &mut dyn FnMut(Span)) {
    let block = text.slice(range.clone());
    let is_lower_case = !block.contains(char::is_uppercase);
    let mut start = 0;
    let mut at = 0;
    while let Some(found) = block.slice(at..).find(is_terminal) {
        let stop = at + found;
        at = match ends_at(block, start, stop, is_lower_case) {
            Ok(end) => {
                trimmed(text, range.start + start..range.start + end)
                    .into_iter()
                    .for_each(&mut *put);
                start = end;
                end
            }
            Err(resume) => resume,
        };
    }
    trimmed(text, range.start + start..range.end).into_iter().for_each(put);
}

fn is_terminal(c: char) -> bool {
    matches!(c, '.' | '!' | '?' | '…' | '‼'..='‽' | '⁇'..='⁉')
        || is_unspaced_terminal(c)
        || matches!(c, '।' | '॥' | '؟' | '۔' | '።' | '፧' | '។' | '။' | '։')
}

/// Marks that end a sentence without a space after them.
fn is_unspaced_terminal(c: char) -> bool {
    matches!(c, '。' | '！' | '？' | '｡' | '．')
}

fn is_closing(c: char) -> bool {
    matches!(
        c,
        ')' | ']'
            | '}'
            | '"'
            | '\''
            | '”'
            | '’'
            | '»'
            | '」'
            | '』'
            | '】'
            | '）'
            | '〉'
            | '》'
            | '*'
            | '_'
            | '`'
            | '›'
    )
}

/// The end of the sentence from `start` if the mark at `stop` ends it, else the offset to resume
/// at. A lower-case letter after the mark continues the sentence, unless the whole paragraph is in
/// lower case.
fn ends_at(block: &str, start: usize, stop: usize, is_lower_case: bool) -> Result<usize, usize> {
    if is_in_code(block.slice(start..stop), block.slice(stop..)) {
        return Err(stop + block.slice(stop..).find('`').unwrap_or(1));
    }
    let marks_len = block.slice(stop..).find(|c| !is_terminal(c)).unwrap_or(block.len() - stop);
    let marks = block.slice(stop..stop + marks_len);
    let mut end = stop + marks_len;
    end += block.slice(end..).find(|c| !is_closing(c)).unwrap_or(block.len() - end);
    let is_closed = end > stop + marks_len;
    while let Some(note) = footnote_len(block.slice(end..)) {
        end += note;
    }
    let rest = block.slice(end..);
    let Some(next) = rest.chars().next() else { return Ok(end) };
    if marks.chars().any(is_unspaced_terminal) {
        // 「…。」と言った continues the sentence.
        let continues = is_closed && matches!(next, '\u{3041}'..='\u{309f}' | '、' | '，' | ',');
        return if continues { Err(end) } else { Ok(end) };
    }
    if !next.is_whitespace() {
        return Err(stop + marks_len);
    }
    let following = rest.trim_start();
    let Some(first) = following.chars().next() else { return Ok(end) };
    if first.is_lowercase() && !(is_lower_case && marks.len() == 1) {
        return Err(end);
    }
    if marks == "." && is_abbreviated(block.slice(start..stop), following) {
        return Err(end);
    }
    Ok(end)
}

/// Whether a mark is inside a code span: the `!` of `println!` does not end a sentence.
fn is_in_code(before: &str, after: &str) -> bool {
    before.matches('`').count() % 2 == 1 && after.contains('`')
}

/// The length of the footnote mark (`[12]`, `[^note]`, `[citation needed]`) at the head of `rest`.
fn footnote_len(rest: &str) -> Option<usize> {
    let inside = rest.strip_prefix('[')?;
    let close = inside.find(']').filter(|&close| close > 0 && close < 24)?;
    let label = inside.slice(..close);
    let is_note = label.starts_with('^')
        || label.ends_with("needed")
        || label.chars().all(|c| c.is_ascii_digit() || ", –-".contains(c));
    (is_note && !inside.slice(close + 1..).starts_with(['(', '['])).then_some(close + 2)
}

/// Abbreviations that never end a sentence.
const TITLES: &[&str] = &[
    "mr", "mrs", "ms", "dr", "prof", "st", "gen", "col", "lt", "sgt", "capt", "cmdr", "adm", "rep",
    "sen", "gov", "rev", "hon", "pres", "mt", "messrs", "mme", "mlle", "sra", "dra", "e.g", "i.e",
    "vs", "cf", "viz", "z.b", "d.h", "bzw", "p.ex", "ggf", "ca", "approx", "resp", "esp", "incl",
];

/// Abbreviations that do not end a sentence before a number or a bracket.
const COUNTERS: &[&str] = &[
    "fig", "figs", "eq", "eqs", "no", "nos", "nr", "vol", "pp", "p", "sec", "ch", "chap", "art",
    "tab", "abb", "bd", "s", "al", "ref", "refs", "jan", "feb", "mar", "apr", "jun", "jul", "aug",
    "sep", "sept", "oct", "nov", "dec", "ed", "eds", "n", "v", "ver", "app", "par", "op", "b.c",
    "a.d", "est", "circa", "c",
];

/// Whether the full stop after `before` belongs to an abbreviation.
fn is_abbreviated(before: &str, following: &str) -> bool {
    let word = before
        .rsplit(|c: char| c.is_whitespace() || "([{\"'“‘*_/—–".contains(c))
        .next()
        .unwrap_or("");
    let lower = word.to_lowercase();
    if TITLES.contains(&lower.as_str()) {
        return true;
    }
    let next = following.chars().next().unwrap_or(' ');
    if COUNTERS.contains(&lower.as_str())
        && (next.is_ascii_digit() || matches!(next, '(' | '[' | '#'))
    {
        return true;
    }
    // "1." at the head of a list item.
    if before.trim().chars().all(|c| c.is_ascii_digit()) {
        return true;
    }
    // Initials: "J. K. Rowling", but not "vitamin C. The".
    let is_acronym =
        word.contains('.') && word.split('.').all(|letter| letter.chars().count() == 1);
    let is_initial =
        word.chars().count() == 1 && word.chars().all(char::is_uppercase) && word != "I"
            || is_acronym;
    if !is_initial || !next.is_uppercase() {
        return false;
    }
    let next_word: String = following
        .chars()
        .take_while(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect();
    let head = before.slice(..before.len() - word.len()).trim_end();
    let follows_a_name = is_acronym
        || head.is_empty()
        || head.ends_with('.')
        || head
            .rsplit(char::is_whitespace)
            .next()
            .is_some_and(|w| w.starts_with(char::is_uppercase));
    follows_a_name && !super::is_stop_word(&next_word, "en")
}
