//! Markdown: the block structure of `CommonMark`, as far as chunking needs it.
//!
//! The text stays as written. Front matter, HTML comments and link definitions are not blocks,
//! because a reader of the page does not see them.

use super::doc::{Block, BlockKind, first_heading, opening_heading};
use super::lines::{Line, lines};
use super::plain::are_records;
use crate::document::Span;
use crate::strings::StrExt as _;

/// The title, from the front matter or else a heading; the blocks; and the other metadata of the
/// front matter.
pub(super) fn parse(text: &str) -> (Option<String>, Vec<Block>, Vec<(String, String)>) {
    let lines: Vec<Line> = lines(text).collect();
    let (mut front, first) = front_matter(text, &lines);
    let at = front.iter().position(|(key, _)| key == "title");
    let front_title = at.map(|at| front.remove(at).1);
    let mut parser =
        Parser { text, lines: &lines, blocks: Vec::new(), in_list: false, no_more_comments: false };
    parser.run(first);
    let blocks = parser.blocks;
    front.extend(tags(text, &blocks).map(|tag| ("tags".to_owned(), tag)));
    let title = front_title.or_else(|| first_heading(&blocks)).or_else(|| opening_heading(&blocks));
    (title, blocks, front)
}

/// The tags among the words, such as `#travel` and `#trips/skye`, each once.
fn tags<'t>(text: &'t str, blocks: &[Block]) -> impl Iterator<Item = String> + use<'t> {
    const MAX_TAGS: usize = 100;
    let mut found: Vec<&str> = Vec::new();
    for block in blocks.iter().filter(|block| block.kind != BlockKind::Code) {
        for word in text.slice(block.span.range()).split_whitespace() {
            let Some(tag) = word.strip_prefix('#') else { continue };
            let is_tag = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '/');
            let tag = tag.trim_end_matches(|c: char| !c.is_alphanumeric());
            let is_color =
                matches!(tag.len(), 3 | 6 | 8) && tag.bytes().all(|b| b.is_ascii_hexdigit());
            let is_name = tag.chars().all(is_tag) && tag.contains(char::is_alphabetic);
            if is_name && !is_color && found.len() < MAX_TAGS && !found.contains(&tag) {
                found.push(tag);
            }
        }
    }
    found.into_iter().map(str::to_owned)
}

struct Parser<'a> {
    text: &'a str,
    lines: &'a [Line],
    blocks: Vec<Block>,
    /// Whether indented text continues a list item instead of starting code.
    in_list: bool,
    /// There is no further end of a comment. Searching for it again from each of many `<!--` would
    /// take quadratic time.
    no_more_comments: bool,
}

impl<'a> Parser<'a> {
    fn run(&mut self, first: usize) {
        let mut i = first;
        while i < self.lines.len() {
            i = self.block(i);
        }
    }

    /// Reads the block that starts at line `i`; returns the line after it.
    fn block(&mut self, i: usize) -> usize {
        let line = self.line(i);
        if line.trim().is_empty() {
            return i + 1;
        }
        let indent = indent(line);
        if indent == 0 && !is_list_marker(line, self.in_list) {
            self.in_list = false;
        }
        if let Some(fence) = self.fence(i) {
            return self.fenced(i, fence);
        }
        if indent >= 4 && !self.in_list {
            return self.indented_code(i);
        }
        if line.trim_start().starts_with("<!--")
            && let Some(next) = self.comment(i)
        {
            return next;
        }
        if indent < 4
            && let Some((level, heading)) = atx(line)
        {
            self.push(i, i + 1, BlockKind::Heading { level, text: without_markup(heading) });
            return i + 1;
        }
        if is_rule(line) || is_link_definition(line) {
            return i + 1;
        }
        if line.trim_start().starts_with('>') {
            let end = self.end_of(i, |next| next.trim_start().starts_with('>'));
            self.push(i, end, BlockKind::Quote);
            return end;
        }
        if line.contains('|') && is_table_rule(self.line(i + 1)) {
            let end = self.end_of(i, |next| next.contains('|'));
            self.push(i, end, BlockKind::Table { headers: 1 });
            return end;
        }
        self.paragraph(i)
    }

    /// A paragraph or a list item, up to a line that starts another block.
    fn paragraph(&mut self, first: usize) -> usize {
        let is_item = is_list_marker(self.line(first), true);
        self.in_list |= is_item;
        let mut i = first + 1;
        while i < self.lines.len() {
            let line = self.line(i);
            if !is_item
                && i - first <= 3
                && let Some(level) = setext(line)
            {
                // Under a longer text, dashes are a rule without an empty line before it.
                let text = self.text.slice(self.lines[first].start..self.lines[i - 1].end).trim();
                if text.len() <= 200 {
                    let kind = BlockKind::Heading { level, text: without_markup(text) };
                    self.push(first, i + 1, kind);
                    return i + 1;
                }
            }
            let begins_other = line.trim().is_empty()
                || self.fence(i).is_some()
                || (indent(line) < 4 && atx(line).is_some())
                || is_rule(line)
                || is_list_marker(line, self.in_list)
                || line.trim_start().starts_with(['>'])
                || line.trim_start().starts_with("<!--")
                || (line.contains('|') && is_table_rule(self.line(i + 1)));
            if begins_other {
                break;
            }
            i += 1;
        }
        if !is_item && are_records((first..i).map(|i| self.line(i))) {
            (first..i).for_each(|i| self.push(i, i + 1, BlockKind::Record));
            return i;
        }
        self.push(first, i, if is_item { BlockKind::ListItem } else { BlockKind::Paragraph });
        i
    }

    fn fence(&self, i: usize) -> Option<&'a str> {
        let line = self.line(i);
        if indent(line) > 3 && !self.in_list {
            return None;
        }
        let line = line.trim_start();
        let mark = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
        let n = line.len() - line.trim_start_matches(mark).len();
        let (fence, info) = line.parted(n);
        (n >= 3 && !(mark == '`' && info.contains('`'))).then_some(fence)
    }

    fn fenced(&mut self, first: usize, fence: &str) -> usize {
        let closes = |line: &str| {
            let line = line.trim();
            line.len() >= fence.len()
                && line.starts_with(fence)
                && line.trim_start_matches(fence.slice(..1)).is_empty()
        };
        let mut end = first + 1;
        while end < self.lines.len() && !closes(self.line(end)) {
            end += 1;
        }
        end = (end + 1).min(self.lines.len());
        self.push(first, end, BlockKind::Code);
        end
    }

    fn indented_code(&mut self, first: usize) -> usize {
        let mut end = first + 1;
        let mut i = first + 1;
        while i < self.lines.len() && (self.line(i).trim().is_empty() || indent(self.line(i)) >= 4)
        {
            if !self.line(i).trim().is_empty() {
                end = i + 1;
            }
            i += 1;
        }
        self.push(first, end, BlockKind::Code);
        end
    }

    /// Skips a comment; returns the line after it. `None` when the comment does not end, or text
    /// follows it on its last line.
    fn comment(&mut self, first: usize) -> Option<usize> {
        if self.no_more_comments {
            return None;
        }
        let start = self.lines[first].start;
        let Some(len) = self.text.slice(start..).find("-->") else {
            self.no_more_comments = true;
            return None;
        };
        let end = start + len + 3;
        let last = self.lines.partition_point(|line| line.start < end) - 1;
        self.text.slice(end..self.lines[last].end).trim().is_empty().then_some(last + 1)
    }

    fn end_of(&self, first: usize, continues: impl Fn(&str) -> bool) -> usize {
        let mut end = first + 1;
        while end < self.lines.len() && continues(self.line(end)) {
            end += 1;
        }
        end
    }

    fn line(&self, i: usize) -> &'a str {
        self.lines.get(i).map_or("", |line| line.of(self.text))
    }

    fn push(&mut self, first: usize, end: usize, kind: BlockKind) {
        self.blocks.push(Block {
            span: Span::new(self.lines[first].start, self.lines[end - 1].end),
            kind,
        });
    }
}

/// The metadata of YAML or TOML front matter, and the first line after it.
fn front_matter(text: &str, lines: &[Line]) -> (Vec<(String, String)>, usize) {
    let Some(fence @ ("---" | "+++")) = lines.first().map(|line| line.of(text).trim_end()) else {
        return (Vec::new(), 0);
    };
    let is_end = |line: &str| line == fence || (fence == "---" && line == "...");
    let end = lines.iter().skip(1).position(|line| is_end(line.of(text).trim_end()));
    let Some(end) = end.map(|n| n + 1) else { return (Vec::new(), 0) };
    // A rule at the top looks the same, but no entry follows it.
    let separator = if fence == "---" { ':' } else { '=' };
    let entries = lines[1..end].iter().map(|line| line.of(text));
    let first = entries.clone().find(|line| !line.trim().is_empty());
    if first.is_some_and(|line| !line.contains(separator) && !line.starts_with('#')) {
        return (Vec::new(), 0);
    }
    (metadata_of(entries, separator), end + 1)
}

/// The known entries of front matter: `key: value`, `key: [a, b]`, or a key above a list of
/// `- value`. Deeper nesting and values of several lines are ignored.
fn metadata_of<'t>(lines: impl Iterator<Item = &'t str>, separator: char) -> Vec<(String, String)> {
    const KEYS: [&str; 20] = [
        "title",
        "subtitle",
        "tags",
        "tag",
        "aliases",
        "alias",
        "categories",
        "keywords",
        "date",
        "created",
        "updated",
        "modified",
        "author",
        "authors",
        "description",
        "summary",
        "status",
        "version",
        "language",
        "subject",
    ];
    let plain = |value: &str| {
        let value = value.trim().trim_end_matches(',');
        let quoted = value.strip_prefix(['"', '\'']).and_then(|v| v.strip_suffix(['"', '\'']));
        quoted.unwrap_or(value).replace("\\\"", "\"")
    };
    let mut found: Vec<(String, String)> = Vec::new();
    let mut open: Option<&str> = None;
    for line in lines {
        if let (Some(key), Some(item)) = (open, line.trim_start().strip_prefix("- ")) {
            found.push((key.to_owned(), plain(item)));
            continue;
        }
        if line.starts_with([' ', '\t']) {
            continue;
        }
        open = None;
        let Some((key, value)) = line.split_once(separator) else { continue };
        let Some(key) = KEYS.into_iter().find(|known| *known == key.trim()) else { continue };
        let value = value.trim();
        match value.strip_prefix('[').and_then(|list| list.strip_suffix(']')) {
            Some(list) => found.extend(list.split(',').map(|item| (key.to_owned(), plain(item)))),
            None if value.is_empty() => open = Some(key),
            None => found.push((key.to_owned(), plain(value))),
        }
    }
    found.retain(|(_, value)| {
        !value.is_empty() && !matches!(value.as_str(), "|" | ">" | "|-" | ">-")
    });
    found
}

/// Columns of indentation; a tab advances to the next multiple of four.
fn indent(line: &str) -> usize {
    let mut column = 0;
    for byte in line.bytes() {
        match byte {
            b' ' => column += 1,
            b'\t' => column = column / 4 * 4 + 4,
            _ => break,
        }
    }
    column
}

fn atx(line: &str) -> Option<(u8, &str)> {
    let line = line.trim();
    let text = line.trim_start_matches('#');
    let level = line.len() - text.len();
    if !(1..=6).contains(&level) || !(text.is_empty() || text.starts_with([' ', '\t'])) {
        return None;
    }
    let text = text.trim();
    let without_closing = text.trim_end_matches('#');
    let text = if without_closing.is_empty() || without_closing.ends_with([' ', '\t']) {
        without_closing
    } else {
        text
    };
    Some((u8::try_from(level).unwrap_or(6), text.trim()))
}

fn setext(line: &str) -> Option<u8> {
    if indent(line) > 3 {
        return None;
    }
    match line.trim().as_bytes() {
        [] => None,
        line if line.iter().all(|&b| b == b'=') => Some(1),
        line if line.len() >= 2 && line.iter().all(|&b| b == b'-') => Some(2),
        _ => None,
    }
}

fn is_rule(line: &str) -> bool {
    let mut marks = line.chars().filter(|c| !c.is_whitespace());
    let Some(mark @ ('-' | '*' | '_')) = marks.next() else { return false };
    let mut n = 1;
    marks.all(|c| {
        n += 1;
        c == mark
    }) && n >= 3
}

/// Whether a line starts a list item. Inside a paragraph only the number 1 does, because a wrapped
/// line may start with a year.
fn is_list_marker(line: &str, any_number: bool) -> bool {
    let line = line.trim_start();
    let rest = if let Some(rest) = line.strip_prefix(['-', '*', '+']) {
        rest
    } else {
        let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
        let number = line.slice(..line.len() - rest.len());
        if number.is_empty() || number.len() > 9 || !(any_number || number == "1") {
            return false;
        }
        match rest.strip_prefix(['.', ')']) {
            Some(rest) => rest,
            None => return false,
        }
    };
    rest.starts_with([' ', '\t']) && !rest.trim().is_empty()
}

/// `[name]: target`, but not a footnote.
fn is_link_definition(line: &str) -> bool {
    let Some(rest) = line.trim_start().strip_prefix('[') else { return false };
    !rest.starts_with('^')
        && rest.find("]:").is_some_and(|at| at > 0 && !rest.slice(..at).contains(['[', ']']))
}

fn is_table_rule(line: &str) -> bool {
    let line = line.trim();
    line.contains('-')
        && line.contains(['|', ':'])
        && line.chars().all(|c| matches!(c, '-' | '|' | ':' | ' ' | '\t'))
}

/// Whether an underscore between these texts is part of a name, as in `snake_case` and `__init__`.
fn is_part_of_word(before: &str, after: &str) -> bool {
    let is_inside =
        before.ends_with(char::is_alphanumeric) && after.starts_with(char::is_alphanumeric);
    is_inside || before.ends_with('_') || after.starts_with('_')
}

/// The text of a heading without marks of links, emphasis and code, and without attributes in
/// braces.
pub(super) fn without_markup(text: &str) -> String {
    let mut text = text;
    if let Some((before, attributes)) = text.rsplit_once('{')
        && attributes.ends_with('}')
        && attributes.starts_with(['#', '.', ':'])
    {
        text = before;
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = rest.slice(c.len_utf8()..);
        match c {
            '\\' if rest.starts_with(|next: char| next.is_ascii_punctuation()) => {
                out.push_str(rest.slice(..1));
                rest = rest.slice(1..);
            }
            '`' | '*' => {}
            '_' if !is_part_of_word(&out, rest) => {}
            '<' if rest.starts_with(|next: char| {
                next.is_ascii_alphabetic() || matches!(next, '/' | '!')
            }) =>
            {
                match rest.find('>') {
                    Some(end) => rest = rest.slice(end + 1..),
                    None => out.push(c),
                }
            }
            '!' if rest.starts_with('[') => {}
            '[' => {}
            ']' => {
                let target_end = match rest.chars().next() {
                    Some('(') => rest.find(')'),
                    Some('[') => rest.find(']'),
                    _ => None,
                };
                if let Some(end) = target_end {
                    rest = rest.slice(end + 1..);
                }
            }
            c if c.is_whitespace() => {
                if !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            c => out.push(c),
        }
    }
    out.trim().to_owned()
}
