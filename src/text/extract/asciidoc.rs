//! `AsciiDoc` with its attributes substituted; comments, attributes and anchors are left out.

mod begins;
mod conditions;
mod entries;
mod marks;
mod table;

use std::collections::HashMap;

use super::doc::BlockKind;
use super::numbered::NumberedLines;
use super::rendered::{Inline, Rendered};
use crate::strings::StrExt as _;
use begins::{heading, term, underlined};
use conditions::attribute;
use marks::{cross_reference, emphasis, inline_macro, passed, script, shows_ticks, symbol};

pub(super) fn parse(source: &str) -> Rendered {
    let source: &str = &conditions::resolved(source);
    let lines = NumberedLines::new(source);
    let delimiters = (0..lines.len()).map(|i| lines.content(i).trim_end()).enumerate();
    let last_delimiters = delimiters
        .filter(|(_, line)| delimiter(line).is_some_and(Delimiter::holds_blocks))
        .map(|(i, line)| (line, i))
        .collect();
    let mut reader = Reader {
        lines,
        out: Rendered::default(),
        attributes: HashMap::new(),
        options: String::new(),
        label: None,
        quote: None,
        counts: Vec::new(),
        last_delimiters,
        open: Vec::new(),
    };
    let mut i = 0;
    while i < reader.lines.len() {
        i = reader.block(i);
    }
    reader.out
}

struct Reader<'a> {
    lines: NumberedLines<'a>,
    out: Rendered,
    attributes: HashMap<String, String>,
    /// The `[…]` above the block.
    options: String,
    /// The kind of an admonition, such as `NOTE`, before its first paragraph.
    label: Option<&'static str>,
    /// Inside a quotation: who said it, which may be empty.
    quote: Option<String>,
    /// The last numbers of the open numbered lists, by depth.
    counts: Vec<usize>,
    /// The last line of each form that begins and ends blocks with blocks in them.
    last_delimiters: HashMap<&'a str, usize>,
    /// The first lines of such blocks that are open: there are no titles in them.
    open: Vec<&'a str>,
}

impl<'a> Reader<'a> {
    /// Reads the block that starts at line `i`; returns the line after it.
    fn block(&mut self, i: usize) -> usize {
        let line = self.lines.content(i).trim_end();
        if line.is_empty() {
            self.options.clear();
            return i + 1;
        }
        if let Some(level) = self.underlined(i, line) {
            return self.heading(i, i + 2, level, line);
        }
        if let Some(end) = self.delimited(i, line) {
            self.options.clear();
            return end;
        }
        if is_left_out(line) {
            return i + 1;
        }
        if let Some((name, value)) = attribute(line) {
            return self.attribute(i, name, value);
        }
        if let Some((level, at)) = heading(line) {
            self.open.clear();
            return self.heading(i, i + 1, level, line.slice(at..));
        }
        if line.starts_with('[') && line.ends_with(']') && !line.starts_with("[[") {
            self.options = line.trim_matches(['[', ']']).to_owned();
            self.label = admonition(&self.options);
            return i + 1;
        }
        if line.starts_with("[[") && line.ends_with("]]") || is_silent_macro(line) {
            return i + 1;
        }
        if line.starts_with('.')
            && line.len() > 1
            && !line.starts_with("..")
            && !line.starts_with(". ")
        {
            // The title of a block.
            self.counts.clear();
            self.prose(i, i + 1, BlockKind::Paragraph, 1);
            return i + 1;
        }
        if line.starts_with([' ', '\t']) && item(line).is_none() {
            let end = self.lines.end_of(i, |line| !line.trim().is_empty());
            self.copy(i, end, BlockKind::Code);
            return end;
        }
        if matches!(line, "'''" | "---" | "***" | "<<<" | "+") {
            return i + 1;
        }
        if let Some(at) = item(line) {
            let end = self.item_end(i);
            self.item(i, end, at);
            return end;
        }
        if term(line).is_some() {
            return self.entry(i);
        }
        let mut end = i + 1;
        while end < self.lines.len() && !self.ends_paragraph(end) {
            end += 1;
        }
        let is_verse = self.options.starts_with("verse");
        let is_quote = self.options.starts_with("quote") || is_verse;
        let kind =
            if is_quote || self.quote.is_some() { BlockKind::Quote } else { BlockKind::Paragraph };
        if i == 0 || self.lines.content(i - 1).trim_end() != "+" {
            self.counts.clear();
        }
        // Without an author the lines of a verse are those of a synopsis.
        let is_code = ["source", "listing", "literal", "synopsis"]
            .iter()
            .any(|style| self.options.starts_with(style));
        if is_code {
            self.copy(i, end, BlockKind::Code);
        } else if is_verse && attributed(&self.options).is_empty() {
            self.verse(i, end);
        } else {
            self.prose(i, end, kind, 0);
            if is_quote {
                self.attribution(&attributed(&self.options), i);
            }
        }
        end
    }

    /// Writes who said what is quoted.
    fn attribution(&mut self, who: &str, i: usize) {
        if !who.is_empty() {
            let mut line = Inline::default();
            line.insert(&format!("— {who}"), self.lines.start(i), 0);
            self.out.prose(BlockKind::Quote, &line);
        }
    }

    fn ends_paragraph(&self, i: usize) -> bool {
        let line = self.lines.content(i).trim_end();
        line.is_empty()
            || line == "+"
            || delimiter(line).is_some()
            || line.trim_start() == "--"
            || item(line).is_some()
            || term(line).is_some()
    }

    fn item_end(&self, first: usize) -> usize {
        let mut end = first + 1;
        while end < self.lines.len() && !self.ends_paragraph(end) {
            end += 1;
        }
        end
    }

    fn attribute(&mut self, i: usize, name: &str, value: &str) -> usize {
        const KEYS: [&str; 9] = [
            "author",
            "authors",
            "email",
            "revdate",
            "revnumber",
            "version",
            "description",
            "keywords",
            "status",
        ];
        let mut value = value.trim().to_owned();
        let mut end = i + 1;
        while value.ends_with('\\') && end < self.lines.len() {
            value.pop();
            value = format!("{} {}", value.trim_end(), self.lines.content(end).trim());
            end += 1;
        }
        let value = self.substituted(&value);
        let name = name.to_ascii_lowercase();
        if let Some(unset) = name.strip_prefix('!').or_else(|| name.strip_suffix('!')) {
            self.attributes.remove(unset);
            return end;
        }
        if KEYS.contains(&name.as_str()) {
            let key = match name.as_str() {
                "authors" => "author",
                "revdate" => "date",
                "revnumber" => "version",
                name => name,
            };
            self.out.metadata(key, &value);
        }
        if self.attributes.len() < 10_000 {
            self.attributes.insert(name, value);
        }
        end
    }

    /// The level of a title with a line below it.
    fn underlined(&self, i: usize, line: &str) -> Option<u8> {
        let is_free = self.open.is_empty() && (i == 0 || self.lines.content(i - 1).trim() != "+");
        let level = underlined(line, self.lines.content(i + 1)).filter(|_| is_free)?;
        let is_other = delimiter(line).is_some() || item(line).is_some() || term(line).is_some();
        (!is_other && !is_left_out(line) && !is_silent_macro(line)).then_some(level)
    }

    /// A heading, and the line after it: below the title of the document may be lines with the
    /// author and the revision.
    fn heading(&mut self, i: usize, next: usize, level: u8, text: &str) -> usize {
        let mut content = Inline::default();
        let line = self.lines.content(i);
        let at = line.find(text).unwrap_or(0);
        self.inline(text, self.lines.start(i) + at, &mut content);
        let content = content.without('`');
        if level == 1 && self.out.title.is_none() {
            self.out.title = Some(content.squeezed().text);
        }
        self.out.heading(level, &content);
        self.counts.clear();
        if level > 1 {
            return next;
        }
        let author = self.lines.content(next).trim();
        let is_author = author.starts_with(char::is_alphabetic)
            && (author.contains('<') || author.split_whitespace().count() <= 4)
            && attribute(author).is_none();
        if !is_author {
            return next;
        }
        for author in author.split(';') {
            self.out.metadata("author", author.split('<').next().unwrap_or_default());
        }
        let revision = self.lines.content(next + 1).trim();
        let has_number =
            revision.starts_with('v') || revision.starts_with(|c: char| c.is_ascii_digit());
        if !has_number {
            return next + 1;
        }
        let (number, date) = revision.split_once(',').unwrap_or(if revision.starts_with('v') {
            (revision, "")
        } else {
            ("", revision)
        });
        self.out.metadata("version", number.trim_start_matches('v'));
        self.out.metadata("date", date.split(':').next().unwrap_or_default());
        next + 2
    }

    /// A block between two equal lines.
    fn delimited(&mut self, i: usize, line: &'a str) -> Option<usize> {
        // An open block may be indented.
        let line = if line.trim_start() == "--" { "--" } else { line };
        let kind = delimiter(line)?;
        if kind.holds_blocks() {
            if self.open.last() == Some(&line) {
                self.open.pop();
            } else if self.last_delimiters.get(line).is_some_and(|last| *last > i) {
                self.open.push(line);
            }
        }
        if kind == Delimiter::Table {
            return Some(self.table(i, line));
        }
        if kind == Delimiter::Open {
            // The blocks inside are read as any others.
            return Some(i + 1);
        }
        let mut end = i + 1;
        while end < self.lines.len() && !closes(line, self.lines.content(end).trim_end()) {
            end += 1;
        }
        if end > i + 1 {
            match kind {
                Delimiter::Comment => {}
                Delimiter::Quote => {
                    match self.quote.take() {
                        Some(who) => self.attribution(&who, i),
                        None => self.quote = Some(attributed(&self.options)),
                    }
                    return Some(i + 1);
                }
                _ => self.copy(i + 1, end, BlockKind::Code),
            }
        }
        Some((end + 1).min(self.lines.len()))
    }

    fn item(&mut self, first: usize, end: usize, at: usize) {
        let line = self.lines.content(first);
        let marker = line.slice(..at).trim();
        let depth =
            marker.bytes().filter(|b| matches!(b, b'*' | b'.')).count().saturating_sub(1).min(6);
        self.counts.resize(depth + 1, 0);
        let shown = if marker.starts_with('.') {
            self.counts[depth] += 1;
            let n = self.counts[depth];
            match u8::try_from(n - 1).ok().filter(|n| depth == 1 && *n < 26) {
                Some(nth) => format!("{}.", char::from(b'a' + nth)),
                None => format!("{n}."),
            }
        } else if marker.ends_with('.') {
            marker.to_owned()
        } else {
            "-".to_owned()
        };
        let mut content = Inline::default();
        content.insert(&format!("{}{shown} ", "  ".repeat(depth)), self.lines.start(first), 0);
        let mut text = Inline::default();
        self.joined(first, end, at, &mut text);
        content.append(text.squeezed());
        self.out.block(BlockKind::ListItem, content);
    }

    fn copy(&mut self, first: usize, end: usize, kind: BlockKind) {
        let span = self.lines.span(first, end);
        let text = self.lines.text().slice(span.range());
        let mut content = Inline::default();
        if self.options.contains("subs=") {
            self.inline(text, span.start, &mut content);
        } else {
            for i in (first..end).filter(|i| !conditions::is_false(self.lines.content(*i))) {
                if !content.is_blank() {
                    content.put('\n', self.lines.start(i), 0);
                }
                content.copy(self.lines.content(i), self.lines.start(i));
            }
        }
        self.out.block(kind, content);
    }

    /// The lines of a synopsis, in which a command may be in quotation marks.
    fn verse(&mut self, first: usize, end: usize) {
        let mut content = Inline::default();
        for i in first..end {
            if i > first {
                content.put('\n', self.lines.start(i), 0);
            }
            let line = self.lines.content(i);
            let quoted = line.strip_prefix('\'').and_then(|rest| rest.split_once('\''));
            let rest = quoted.map_or(line, |(command, rest)| {
                self.inline(command, self.lines.start(i) + 1, &mut content);
                rest
            });
            self.inline(rest, self.lines.start(i) + line.len() - rest.len(), &mut content);
            content.trim_trailing_spaces();
        }
        self.out.block(BlockKind::Code, content.without('`'));
    }

    /// Adds lines as text, the first without its first `skip` bytes.
    fn prose(&mut self, first: usize, end: usize, kind: BlockKind, skip: usize) {
        let mut content = Inline::default();
        if let Some(label) = self.label.take() {
            content.insert(&format!("{label}: "), self.lines.start(first), 0);
        }
        self.joined(first, end, skip, &mut content);
        self.out.prose(kind, &content);
    }

    fn substituted(&self, text: &str) -> String {
        let mut out = Inline::default();
        self.inline(text, 0, &mut out);
        out.text
    }

    /// Writes a text with attributes substituted, without the marks of emphasis and links.
    fn inline(&self, text: &str, at: usize, out: &mut Inline) {
        let mut i = 0;
        let mut before = ' ';
        while i < text.len() {
            let rest = text.slice(i..);
            let Some(c) = rest.chars().next() else { break };
            let (len, shown) = match c {
                '\\' if rest.slice(1..).starts_with(['{', '*', '_', '`', '<', '#']) => {
                    out.copy(rest.slice(1..2), at + i + 1);
                    i += 2;
                    before = '\\';
                    continue;
                }
                // What a condition leaves out.
                '\u{1}' => (1, None),
                // A mark of a line end.
                '+' if before == ' ' && rest.slice(1..).starts_with(['\n', '\r']) => (1, None),
                '{' => self.linked(rest),
                '+' if rest.starts_with("+++") => passed(rest),
                '~' | '^' => script(rest),
                '(' => symbol(rest),
                '<' if rest.starts_with("<<") => cross_reference(rest),
                '[' if rest.starts_with("[[") => (rest.find("]]").map_or(0, |n| n + 2), None),
                _ if !before.is_alphanumeric() => inline_macro(rest),
                _ => (0, None),
            };
            if len > 0 {
                if let Some(shown) = shown {
                    out.insert(&shown, at + i, len);
                }
                i += len;
                before = ' ';
                continue;
            }
            if "*_`#+".contains(c)
                && let Some((n, close)) = emphasis(rest, c, before)
            {
                let inner = rest.slice(n..close);
                if c == '`' && shows_ticks(inner, before) {
                    self.code(inner, at + i + n, out);
                } else {
                    self.nested(inner, at + i + n, out);
                }
                i += close + n;
                before = c;
                continue;
            }
            out.put(c, at + i, c.len_utf8());
            i += c.len_utf8();
            before = c;
        }
    }

    /// A piece of code, in ticks: nothing in it is markup to its readers either.
    fn code(&self, inner: &str, at: usize, out: &mut Inline) {
        let literal = inner.strip_prefix('+').and_then(|inner| inner.strip_suffix('+'));
        let ticks = if inner.contains('`') { "``" } else { "`" };
        out.insert(ticks, at, 0);
        match literal {
            Some(literal) => out.copy(literal, at + 1),
            None => self.nested(inner, at, out),
        }
        out.insert(ticks, at + inner.len(), 0);
    }

    /// The text inside marks of emphasis: attributes are substituted, marks stay.
    fn nested(&self, text: &str, at: usize, out: &mut Inline) {
        let mut i = 0;
        while i < text.len() {
            let rest = text.slice(i..);
            let Some(c) = rest.chars().next() else { break };
            let (len, shown) = if c == '{' { self.reference(rest) } else { (0, None) };
            if len > 0 {
                out.insert(&shown.unwrap_or_default(), at + i, len);
                i += len;
                continue;
            }
            out.put(c, at + i, c.len_utf8());
            i += c.len_utf8();
        }
    }

    /// A reference to an attribute, which may be the start of a link such as `{url}/page[text]`.
    fn linked(&self, text: &str) -> (usize, Option<String>) {
        const MAX_BYTES: usize = 2000;
        let (len, value) = self.reference(text);
        let Some(value) = value else { return (0, None) };
        if len > 0 && value.contains("://") {
            let rest = text.slice(len..);
            let end = rest.find(']').filter(|n| *n < MAX_BYTES).map_or(0, |n| n + 1);
            let (found, shown) = inline_macro(&format!("{value}{}", rest.slice(..end)));
            if found > value.len() {
                return (len + found - value.len(), shown);
            }
        }
        (len, Some(value))
    }

    /// The length and the value of `{name}`, if the attribute is known.
    fn reference(&self, text: &str) -> (usize, Option<String>) {
        const MAX_NAME_BYTES: usize = 100;
        let Some(end) = text.bytes().take(MAX_NAME_BYTES).position(|b| b == b'}') else {
            return (0, None);
        };
        let name = text.slice(1..end).to_ascii_lowercase();
        let known = self.attributes.get(&name).cloned().or_else(|| {
            let shown = match name.as_str() {
                "nbsp" | "sp" => " ",
                "zwsp" | "empty" | "blank" | "wj" => "",
                "plus" => "+",
                "amp" => "&",
                "lt" => "<",
                "gt" => ">",
                "startsb" => "[",
                "endsb" => "]",
                "vbar" => "|",
                "asterisk" => "*",
                "backtick" => "`",
                "caret" => "^",
                "tilde" => "~",
                "cpp" => "C++",
                "deg" => "°",
                "ldquo" => "“",
                "rdquo" => "”",
                "lsquo" => "‘",
                "rsquo" | "apos" => "’",
                _ => return None,
            };
            Some(shown.to_owned())
        });
        match known {
            Some(value) => (end + 1, Some(value)),
            None => (0, None),
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Delimiter {
    Comment,
    Code,
    /// An example, a sidebar or an open block.
    Open,
    Quote,
    Table,
}

impl Delimiter {
    /// Whether what it delimits is read as blocks.
    fn holds_blocks(self) -> bool {
        matches!(self, Self::Open | Self::Quote)
    }
}

/// A comment, or a line whose condition does not hold.
fn is_left_out(line: &str) -> bool {
    line.starts_with("//") || conditions::is_false(line)
}

fn delimiter(line: &str) -> Option<Delimiter> {
    let is_all = |mark: char| line.len() >= 4 && line.chars().all(|c| c == mark);
    Some(match line {
        "|===" | ",===" | ":===" | "!===" => Delimiter::Table,
        "--" => Delimiter::Open,
        _ if is_all('/') => Delimiter::Comment,
        _ if is_all('-') || is_all('.') || is_all('+') => Delimiter::Code,
        _ if is_all('=') || is_all('*') => Delimiter::Open,
        _ if is_all('_') => Delimiter::Quote,
        _ if line.starts_with("```") => Delimiter::Code,
        _ => return None,
    })
}

fn closes(fence: &str, line: &str) -> bool {
    line == fence || (fence.starts_with("```") && line == "```")
}

/// Where the text of a list item starts.
fn item(line: &str) -> Option<usize> {
    let text = line.trim_start();
    let rest = text.trim_start_matches(['*', '.']);
    let n = text.len() - rest.len();
    let rest = if n > 0 && n <= 5 {
        rest
    } else if let Some(rest) = text.strip_prefix('-') {
        rest
    } else {
        let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
        rest.strip_prefix('.').filter(|_| rest.len() < text.len())?
    };
    let spaced = rest.trim_start();
    (spaced.len() < rest.len() && !spaced.is_empty()).then(|| line.len() - spaced.len())
}

/// `include::`, `ifdef::` and other macros of a line without text.
fn is_silent_macro(line: &str) -> bool {
    const NAMES: [&str; 10] = [
        "include::",
        "ifdef::",
        "ifndef::",
        "ifeval::",
        "endif::",
        "toc::",
        "image::",
        "video::",
        "audio::",
        "anchor:",
    ];
    let is_image_with_text =
        line.starts_with("image::") && line.split_once('[').is_some_and(|(_, alt)| alt.len() > 1);
    NAMES.iter().any(|name| line.starts_with(name)) && !is_image_with_text
}

/// The label of an admonition that the options of a block name.
fn admonition(options: &str) -> Option<&'static str> {
    let name = options.split([',', '.', '#', '%']).next().unwrap_or_default();
    ["NOTE", "TIP", "IMPORTANT", "WARNING", "CAUTION"].into_iter().find(|label| *label == name)
}

/// Who said a quotation, as its options name him: `quote, Who, Where`.
fn attributed(options: &str) -> String {
    let parts = options.split(',').skip(1).map(|part| part.trim().trim_matches('"'));
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}
