//! Org: headlines without keyword marks, drawers and directives; planning lines as records.

use super::doc::BlockKind;
use super::numbered::NumberedLines;
use super::rendered::{Inline, Rendered};
use crate::strings::StrExt as _;

pub(super) fn parse(source: &str) -> Rendered {
    let mut reader = Reader { lines: NumberedLines::new(source), out: Rendered::default() };
    let mut i = 0;
    while i < reader.lines.len() {
        i = reader.block(i);
    }
    reader.out
}

struct Reader<'a> {
    lines: NumberedLines<'a>,
    out: Rendered,
}

impl Reader<'_> {
    /// Reads the block that starts at line `i`; returns the line after it.
    fn block(&mut self, i: usize) -> usize {
        let line = self.lines.content(i);
        let trimmed = line.trim();
        if trimmed.is_empty() {
            return i + 1;
        }
        if let Some((level, at, text, tags)) = headline(line) {
            if is_commented(line) {
                let is_outside =
                    |line: &str| headline(line).is_some_and(|(other, ..)| other <= level);
                let rest = i + 1..self.lines.len();
                let mut rest = rest.skip_while(|i| !is_outside(self.lines.content(*i)));
                return rest.next().unwrap_or(self.lines.len());
            }
            self.headline(i, level, at, text, tags);
            return i + 1;
        }
        let lower = trimmed.to_ascii_lowercase();
        if let Some(name) = lower.strip_prefix("#+begin_") {
            return self.environment(i, name);
        }
        if lower.starts_with("#+caption:") {
            let start = line.len() - line.trim_start().len() + "#+caption:".len();
            let mut caption = Inline::default();
            inline(line.slice(start..), self.lines.start(i) + start, &mut caption);
            self.out.prose(BlockKind::Paragraph, &caption);
            return i + 1;
        }
        if let Some(entry) = trimmed.strip_prefix("#+") {
            self.keyword(entry);
            return i + 1;
        }
        if trimmed == "#" || trimmed.starts_with("# ") || is_rule(trimmed) {
            return i + 1;
        }
        if is_drawer(trimmed) {
            return self.drawer(i);
        }
        if is_planning(trimmed) {
            self.copy(i, i + 1, BlockKind::Record);
            return i + 1;
        }
        if trimmed.starts_with('|') {
            return self.table(i);
        }
        if trimmed.starts_with(": ") || trimmed == ":" {
            let end = self.lines.end_of(i, |line| line.trim_start().starts_with(':'));
            let mut code = Inline::default();
            for i in i..end {
                let line = self.lines.content(i);
                let text = line.trim_start().slice(1..);
                let text = text.strip_prefix(' ').unwrap_or(text);
                if !code.text.is_empty() {
                    code.put('\n', self.lines.start(i), 0);
                }
                code.copy(text, self.lines.start(i) + line.len() - text.len());
            }
            self.out.block(BlockKind::Code, code);
            return end;
        }
        let kind = if is_item(line) { BlockKind::ListItem } else { BlockKind::Paragraph };
        let mut end = i + 1;
        while end < self.lines.len() && !self.begins_other(end) {
            end += 1;
        }
        self.prose(i, end, kind);
        end
    }

    fn begins_other(&self, i: usize) -> bool {
        let line = self.lines.content(i);
        let trimmed = line.trim();
        trimmed.is_empty()
            || headline(line).is_some()
            || trimmed.starts_with("#+")
            || trimmed.starts_with("# ")
            || trimmed.starts_with('|')
            || is_drawer(trimmed)
            || is_planning(trimmed)
            || is_item(line)
            || is_note(line)
    }

    fn headline(&mut self, i: usize, level: u8, at: usize, text: &str, tags: &str) {
        let start = self.lines.start(i) + at;
        let mut heading = Inline::default();
        inline(text, start, &mut heading);
        self.out.heading(level, &heading.without('`'));
        let tags: Vec<&str> = tags.split(':').filter(|tag| !tag.is_empty()).collect();
        if !tags.is_empty() {
            for tag in &tags {
                self.out.metadata("tags", tag);
            }
        }
    }

    /// `#+TITLE: …` and other entries about the document.
    fn keyword(&mut self, entry: &str) {
        const KEYS: [&str; 8] = [
            "author",
            "date",
            "email",
            "description",
            "keywords",
            "subtitle",
            "language",
            "category",
        ];
        let Some((key, value)) = entry.split_once(':') else { return };
        let key = key.trim().to_ascii_lowercase();
        match key.as_str() {
            "title" => {
                let mut title = Inline::default();
                inline(value, 0, &mut title);
                self.out.title = Some(title.squeezed().text).filter(|title| !title.is_empty());
            }
            "filetags" => {
                for tag in value.split([':', ' ']).filter(|tag| !tag.is_empty()) {
                    self.out.metadata("tags", tag);
                }
            }
            key if KEYS.contains(&key) => {
                self.out.metadata(key, value.trim().trim_matches(['<', '>', '[', ']']));
            }
            _ => {}
        }
    }

    /// `#+BEGIN_SRC` and the like.
    fn environment(&mut self, i: usize, name: &str) -> usize {
        let name = name.split_whitespace().next().unwrap_or_default();
        let close = format!("#+end_{name}");
        let ends = |line: &str| line.trim().to_ascii_lowercase() == close;
        let mut end = i + 1;
        while end < self.lines.len() && !ends(self.lines.content(end)) {
            end += 1;
        }
        if end > i + 1 {
            match name {
                "comment" => {}
                "quote" | "verse" => self.prose(i + 1, end, BlockKind::Quote),
                "center" | "abstract" => self.prose(i + 1, end, BlockKind::Paragraph),
                _ => self.copy(i + 1, end, BlockKind::Code),
            }
        }
        (end + 1).min(self.lines.len())
    }

    /// A drawer is not shown, but its properties, other than names for links, are records.
    fn drawer(&mut self, first: usize) -> usize {
        const INTERNAL: [&str; 3] = ["custom_id", "id", "ordered"];
        let is_log = self.lines.content(first).trim().eq_ignore_ascii_case(":logbook:");
        let mut i = first + 1;
        while i < self.lines.len() && headline(self.lines.content(i)).is_none() {
            let line = self.lines.content(i);
            let trimmed = line.trim();
            if trimmed.eq_ignore_ascii_case(":end:") {
                return i + 1;
            }
            let entry = trimmed.strip_prefix(':').and_then(|rest| rest.split_once(':'));
            if let Some((key, value)) = entry.filter(|_| !is_log)
                && !INTERNAL.contains(&key.to_ascii_lowercase().as_str())
                && !value.trim().is_empty()
            {
                let at = self.lines.start(i) + line.len() - line.trim_start().len() + 1;
                let mut record = Inline::default();
                record.copy(key, at);
                record.insert(": ", at + key.len(), 1);
                record.copy(
                    value.trim(),
                    at + key.len() + 1 + value.len() - value.trim_start().len(),
                );
                self.out.block(BlockKind::Record, record);
            }
            i += 1;
        }
        i
    }

    fn table(&mut self, first: usize) -> usize {
        let end = self.lines.end_of(first, |line| line.trim_start().starts_with('|'));
        let mut rows: Vec<Vec<Inline>> = Vec::new();
        let mut headers = None;
        for i in first..end {
            let line = self.lines.content(i);
            if line.trim_start().starts_with("|-") {
                if !rows.is_empty() && headers.is_none() {
                    headers = Some(rows.len());
                }
                continue;
            }
            let start = self.lines.start(i) + line.len() - line.trim_start().len() + 1;
            let inner = line.trim().strip_prefix('|').unwrap_or_default();
            let inner = inner.strip_suffix('|').unwrap_or(inner);
            if sets_alignment(inner) {
                continue;
            }
            let mut at = start;
            let mut row = Vec::new();
            for text in inner.split('|') {
                let mut cell = Inline::default();
                inline(text, at, &mut cell);
                row.push(cell);
                at += text.len() + 1;
            }
            rows.push(row);
        }
        let headers = headers.filter(|n| *n < rows.len()).unwrap_or(0);
        self.out.table(headers, rows);
        end
    }

    fn copy(&mut self, first: usize, end: usize, kind: BlockKind) {
        let mut content = Inline::default();
        let span = self.lines.span(first, end);
        let text = self.lines.text().slice(span.range());
        content.copy(text, span.start);
        if kind == BlockKind::Code {
            self.out.block(kind, content);
        } else {
            self.out.prose(kind, &content);
        }
    }

    fn prose(&mut self, first: usize, end: usize, kind: BlockKind) {
        let span = self.lines.span(first, end);
        let text = self.lines.text().slice(span.range());
        let mut content = Inline::default();
        // `[@5]` sets the number of an item, which its author wrote before it.
        let set = text.find("[@").filter(|at| {
            kind == BlockKind::ListItem
                && text.slice(..*at).trim_end().ends_with(['.', ')'])
                && text
                    .slice(at + 2..)
                    .trim_start_matches(|c: char| c.is_ascii_digit())
                    .starts_with(']')
        });
        match set.zip(text.find(']')) {
            Some((from, to)) => {
                inline(text.slice(..from).trim_end(), span.start, &mut content);
                inline(text.slice(to + 1..), span.start + to + 1, &mut content);
            }
            None => inline(text, span.start, &mut content),
        }
        // A term with its meaning.
        if kind == BlockKind::ListItem
            && let Some(at) = text.find(" :: ").filter(|at| text.slice(..*at).trim().len() > 1)
        {
            let (term, meaning) = (text.slice(..at), text.slice(at + 4..));
            let term = term.trim_start().trim_start_matches(['-', '+', '*']).trim_start();
            let mut entry = Inline::default();
            inline(term, span.start + at - term.len(), &mut entry);
            let mut explained = Inline::default();
            inline(meaning, span.start + at + 4, &mut explained);
            let mut entry = entry.squeezed();
            entry.put('\n', span.start + at, 0);
            entry.append(explained.squeezed());
            self.out.block(BlockKind::Record, entry);
            return;
        }
        self.out.prose(kind, &content);
    }
}

/// Level, offset of the text, text and tags of a headline. Its state, such as `TODO`, is a part of
/// the text; its priority is not.
fn headline(line: &str) -> Option<(u8, usize, &str, &str)> {
    let rest = line.trim_start_matches('*');
    let level = line.len() - rest.len();
    if level == 0 || !rest.starts_with(' ') {
        return None;
    }
    let mut text = rest.trim();
    for state in ["TODO", "DONE", "NEXT", "WAITING", "CANCELLED", "COMMENT"] {
        if let Some(rest) = text.strip_prefix(state)
            && rest.starts_with(' ')
        {
            text = rest.trim_start();
            break;
        }
    }
    if text.starts_with("[#") && text.get(3..4) == Some("]") {
        text = text.slice(4..).trim_start();
    }
    let at = line.len() - rest.len() + (rest.len() - rest.trim_start().len());
    let at = at.max(line.find(text).unwrap_or(at));
    let mut tags = "";
    if let Some((before, last)) = text.rsplit_once([' ', '\t'])
        && last.len() > 2
        && last.starts_with(':')
        && last.ends_with(':')
    {
        (text, tags) = (before.trim_end(), last);
    }
    Some((u8::try_from(level).unwrap_or(u8::MAX), at, text, tags))
}

/// Whether a headline and all below it is a comment.
fn is_commented(line: &str) -> bool {
    let rest = line.trim_start_matches('*').trim_start();
    rest.split_whitespace().take(2).any(|word| word == "COMMENT")
}

/// The definition of a footnote.
fn is_note(line: &str) -> bool {
    line.starts_with("[fn:") && line.find(']').is_some_and(|end| !line.slice(..end).contains(' '))
}

/// A row such as `<l> | <r10>` sets the alignment of columns.
fn sets_alignment(row: &str) -> bool {
    let is_mark = |cell: &str| {
        cell.strip_prefix('<').and_then(|cell| cell.strip_suffix('>')).is_some_and(|mark| {
            let digits = mark.trim_start_matches(['l', 'r', 'c']);
            !mark.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
        })
    };
    let mut cells = row.split('|').map(str::trim).filter(|cell| !cell.is_empty()).peekable();
    cells.peek().is_some() && cells.all(is_mark)
}

fn is_rule(line: &str) -> bool {
    line.len() >= 5 && line.bytes().all(|b| b == b'-')
}

fn is_drawer(line: &str) -> bool {
    let name = line.strip_prefix(':').and_then(|rest| rest.strip_suffix(':'));
    name.is_some_and(|name| {
        !name.is_empty()
            && !name.eq_ignore_ascii_case("end")
            && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
    })
}

fn is_planning(line: &str) -> bool {
    ["DEADLINE:", "SCHEDULED:", "CLOSED:"].iter().any(|word| line.starts_with(word))
}

fn is_item(line: &str) -> bool {
    let is_indented = line.starts_with([' ', '\t']);
    let line = line.trim_start();
    let rest =
        line.strip_prefix(['-', '+']).or_else(|| line.strip_prefix('*').filter(|_| is_indented));
    let rest = rest.or_else(|| {
        let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
        rest.strip_prefix(['.', ')']).filter(|_| rest.len() < line.len())
    });
    rest.is_some_and(|rest| rest.starts_with(' '))
}

/// Longer links have no end.
const MAX_LINK_BYTES: usize = 4000;

/// Writes a text without the marks of links and emphasis.
fn inline(text: &str, at: usize, out: &mut Inline) {
    let mut i = 0;
    let mut before = ' ';
    while i < text.len() {
        let rest = text.slice(i..);
        let Some(c) = rest.chars().next() else { break };
        if let Some(link) = rest.strip_prefix("[[")
            && let Some(len) = link.find("]]").filter(|len| *len < MAX_LINK_BYTES)
        {
            let inner = link.slice(..len);
            let (shown, offset) = match inner.split_once("][") {
                Some((target, shown)) => (shown, target.len() + 2),
                None => (inner, 0),
            };
            out.copy(shown, at + i + 2 + offset);
            i += len + 4;
            continue;
        }
        if let Some(note) = rest.strip_prefix("[fn:")
            && let Some(start) = note.find(':').filter(|n| !note.slice(..*n).contains([' ', ']']))
            && let Some(end) = note.find(']').filter(|end| *end < MAX_LINK_BYTES)
        {
            // A note in the line.
            let from = i + "[fn:".len() + start + 1;
            out.insert(" (", at + i, 0);
            out.copy(note.slice(start + 1..end).trim(), at + from);
            out.insert(")", at + from, 0);
            i += "[fn:".len() + end + 1;
            continue;
        }
        if rest.starts_with("[fn:")
            && let Some(len) = rest.bytes().take(40).position(|b| b == b']')
            && !rest.slice(..len).contains(' ')
        {
            i += len + 1;
            continue;
        }
        if "*/_=~+".contains(c)
            && !before.is_alphanumeric()
            && let Some(len) = emphasis(rest, c)
        {
            // Code keeps its marks as ticks: nothing in it is markup to its readers.
            let tick = if matches!(c, '=' | '~') { "`" } else { "" };
            out.insert(tick, at + i, 0);
            out.copy(rest.slice(1..len), at + i + 1);
            out.insert(tick, at + i + len, 0);
            i += len + 1;
            before = c;
            continue;
        }
        out.put(c, at + i, c.len_utf8());
        i += c.len_utf8();
        before = c;
    }
}

/// The offset of the mark that closes the emphasis at the start of `text`.
fn emphasis(text: &str, mark: char) -> Option<usize> {
    /// Longer spans are two marks by chance.
    const MAX_BYTES: usize = 300;
    let inner = text.slice(1..);
    if inner.starts_with(char::is_whitespace) {
        return None;
    }
    inner.match_indices(mark).take_while(|(at, _)| *at < MAX_BYTES).find_map(|(at, _)| {
        let follows = inner.slice(at + 1..).chars().next();
        let ends_word = !inner.slice(..at).ends_with(char::is_whitespace) && at > 0;
        (ends_word && follows.is_none_or(|c| !c.is_alphanumeric() && c != mark)).then_some(at + 1)
    })
}
