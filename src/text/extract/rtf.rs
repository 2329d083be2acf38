//! RTF: paragraphs and rows of tables. Groups have an explicit stack, so deep nesting cannot
//! overflow the call stack.

use std::collections::{HashMap, HashSet};

use encoding_rs::{Encoding, WINDOWS_1252};

use super::build::Build;
use super::doc::{BlockKind, Extracted, NoText};
use super::scripts::raised;
use super::symbol_font;
use super::table::{Table, repeated, separate_nested};
use crate::document::Format;
use crate::strings::{StrExt as _, shorten};

/// No writer nests groups deeper.
const MAX_DEPTH: usize = 10_000;

/// Destinations without text of the document. Comments are in destinations that readers may ignore.
const SKIPPED: &str = "fonttbl colortbl listtable listoverridetable rsidtbl generator pict object \
     themedata colorschememapping latentstyles datastore xmlnstbl mmathPr bkmkstart bkmkend \
     pgptbl filetbl revtbl operator revtim printim buptim nonshppict shprslt doccomm comment \
     company \
     manager category atnid atnauthor ftnsep ftnsepc aftnsep aftnsepc";

pub(super) fn parse(bytes: &[u8]) -> Result<Extracted, NoText> {
    let mut parser = Parser {
        lexer: Lexer { bytes, at: 0, encoding: WINDOWS_1252 },
        doc: Document::default(),
        state: State { skip_after_unicode: 1, ..State::default() },
        stack: Vec::new(),
        to_skip: 0,
    };
    let mut is_group_start = false;
    while let Some(token) = parser.lexer.next() {
        let was_group_start = std::mem::take(&mut is_group_start);
        match token {
            Token::Open => {
                parser.open()?;
                is_group_start = true;
            }
            Token::Close => parser.close(),
            Token::Byte(byte) => parser.byte(byte),
            Token::Control("'", number) => parser.escaped_byte(number),
            Token::Control("*", _) => {
                parser.control("*", None, was_group_start);
                is_group_start = was_group_start;
            }
            Token::Control(name, number) => parser.control(name, number, was_group_start),
        }
    }
    parser.flush();
    let mut doc = parser.doc;
    doc.end_row();
    doc.end_paragraph(None);
    doc.end_table();
    for footer in std::mem::take(&mut doc.footers) {
        doc.build.block(BlockKind::Paragraph, &footer);
    }
    let info = std::mem::take(&mut doc.info);
    for (kind, value) in &info {
        let key = match kind {
            Capture::Author => "author",
            Capture::Subject => "subject",
            Capture::Keywords => "keywords",
            _ => continue,
        };
        doc.build.metadata(key, value);
    }
    if let (Some(year), Some(month), Some(day)) = doc.created {
        doc.build.metadata("date", &format!("{year:04}-{month:02}-{day:02}"));
    }
    let title = info.iter().find(|(kind, _)| *kind == Capture::Title);
    doc.build.finish(Format::Rtf, title.map(|(_, title)| title.as_str()))
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    doc: Document,
    state: State,
    /// States of the enclosing groups.
    stack: Vec<State>,
    /// Characters to skip: the replacement of a Unicode character for old readers.
    to_skip: usize,
}

impl Parser<'_> {
    fn flush(&mut self) {
        self.doc.flush(self.lexer.encoding, self.state.is_raised);
    }

    fn open(&mut self) -> Result<(), NoText> {
        if self.stack.len() >= MAX_DEPTH {
            return Err(NoText::TooMuch(format!("groups nest deeper than {MAX_DEPTH}").into()));
        }
        self.flush();
        self.stack.push(self.state);
        Ok(())
    }

    fn close(&mut self) {
        self.flush();
        if self.state.is_style {
            self.doc.end_style(self.state.style);
        }
        if self.state.is_instruction {
            let instruction = std::mem::take(&mut self.doc.instruction);
            let name = instruction.split_whitespace().next().unwrap_or_default();
            self.doc.has_page_number |=
                ["PAGE", "NUMPAGES", "SECTIONPAGES"].iter().any(|n| name.eq_ignore_ascii_case(n));
        }
        if let Some(outer) = self.stack.pop() {
            if self.state.capture != outer.capture
                && let Some(kind) = self.state.capture
            {
                self.doc.end_capture(kind);
            }
            self.state = outer;
        }
        self.to_skip = 0;
    }

    fn byte(&mut self, byte: u8) {
        if self.to_skip > 0 {
            self.to_skip -= 1;
        } else if self.state.is_style {
            self.doc.style_name.push(char::from(byte));
        } else if self.state.is_instruction {
            self.doc.instruction.push(char::from(byte));
        } else if self.state.is_text() {
            self.doc.raw.push(byte);
        }
    }

    fn escaped_byte(&mut self, number: Option<i64>) {
        if self.to_skip > 0 {
            self.to_skip -= 1;
        } else if self.state.is_text() {
            self.doc.raw.push(number.unwrap_or(i64::from(b'?')) as u8);
        }
    }

    fn control(&mut self, name: &str, number: Option<i64>, is_group_start: bool) {
        self.flush();
        let (state, doc) = (&mut self.state, &mut self.doc);
        let size = |default: i64| usize::try_from(number.unwrap_or(default)).ok();
        match name {
            // Marks a destination that readers may ignore.
            "*" if !state.is_style => state.is_skipped = true,
            "stylesheet" => state.is_style = true,
            // In the style sheet a style states its level; in the text a paragraph states its
            // style.
            "s" if state.is_style => state.style = number,
            "outlinelevel" if state.is_style => doc.styles.extend(state.style.zip(level(number))),
            "s" => state.level = number.and_then(|style| doc.styles.get(&style)).copied(),
            "info" => state.is_info = true,
            "creatim" => state.is_created = true,
            "yr" if state.is_created => doc.created.0 = number,
            "mo" if state.is_created => doc.created.1 = number,
            "dy" if state.is_created => doc.created.2 = number,
            "v" => state.is_hidden = number != Some(0),
            "deleted" => state.is_deleted = number != Some(0),
            "plain" => (state.is_hidden, state.is_deleted, state.is_raised) = (false, false, false),
            "super" => state.is_raised = number != Some(0),
            "nosupersub" | "sub" => state.is_raised = false,
            // The number of a page.
            "chpgn" => doc.has_page_number = true,
            "fldinst" => (state.is_skipped, state.is_instruction) = (true, true),
            // The properties of the row of a table in a cell that ends here.
            "nesttableprops" => {
                doc.end_nested_row();
                state.is_skipped = true;
            }
            _ if is_group_start
                && let Some(kind) = capture(name, state.is_info)
                // The text of a shape is in a destination that readers may ignore.
                && (kind == Capture::Shape || !self.stack.last().is_some_and(|s| s.is_skipped)) =>
            {
                state.is_skipped = false;
                state.capture = Some(kind);
                doc.has_page_number = false;
                doc.outer.push(std::mem::take(&mut doc.line));
            }
            _ if is_group_start && SKIPPED.split_ascii_whitespace().any(|word| word == name) => {
                state.is_skipped = true;
            }
            "bin" => self.lexer.at += size(0).unwrap_or(0),
            "ansicpg" => self.lexer.encoding = code_page(number).unwrap_or(WINDOWS_1252),
            "uc" => state.skip_after_unicode = size(1).unwrap_or(1),
            "u" => {
                if state.is_text() {
                    doc.unit(number.unwrap_or(0));
                }
                self.to_skip = state.skip_after_unicode;
            }
            _ if state.is_text() && (!state.is_info || state.capture.is_some()) => {
                self.text_control(name, number);
            }
            _ => {}
        }
    }

    /// A control word in the text.
    fn text_control(&mut self, name: &str, number: Option<i64>) {
        let (state, doc) = (&mut self.state, &mut self.doc);
        match name {
            "par" | "sect" | "page" | "line" | "\n" | "\r" if state.capture.is_some() => {
                doc.line.push('\n');
            }
            "par" | "sect" | "page" | "\n" | "\r" => doc.end_paragraph(state.level),
            "pard" => {
                state.level = None;
                (doc.list_level, doc.is_in_table) = (0, false);
            }
            "intbl" => (doc.is_in_table, doc.marks_cells) = (true, true),
            "ilvl" => doc.list_level = number.and_then(|n| usize::try_from(n).ok()).unwrap_or(0),
            "cell" | "nestcell" if state.capture.is_some() => doc.line.push_str(" | "),
            _ if state.capture.is_some() && TABLE.contains(&name) => {}
            "outlinelevel" => state.level = level(number),
            "nestcell" => separate_nested(&mut doc.line, ", "),
            "cell" => doc.end_cell(),
            "row" => doc.end_row(),
            "trowd" => {
                doc.in_row = true;
                doc.definitions.clear();
                (doc.definition, doc.is_header) = (Definition::default(), false);
            }
            "trhdr" => doc.is_header = true,
            "clvmrg" => doc.definition.is_below = true,
            "clmrg" => doc.definition.is_right = true,
            "cellx" => doc.definitions.push(std::mem::take(&mut doc.definition)),
            "line" => doc.line.push('\n'),
            "tab" => doc.line.push('\t'),
            "emdash" => doc.line.push('—'),
            "endash" => doc.line.push('–'),
            "lquote" => doc.line.push('‘'),
            "rquote" => doc.line.push('’'),
            "ldblquote" => doc.line.push('“'),
            "rdblquote" => doc.line.push('”'),
            "bullet" => doc.line.push('•'),
            "~" => doc.line.push(' '),
            "_" => doc.line.push('-'),
            "\\" | "{" | "}" => doc.line.push_str(name),
            _ => {}
        }
    }
}

/// Text apart from the paragraph that it is in.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Capture {
    Title,
    Author,
    Subject,
    Keywords,
    Header,
    Footer,
    Note,
    /// A text box.
    Shape,
    /// The number or bullet of a list item.
    Mark,
}

fn capture(name: &str, is_info: bool) -> Option<Capture> {
    Some(match name {
        "title" if is_info => Capture::Title,
        "author" if is_info => Capture::Author,
        "subject" if is_info => Capture::Subject,
        "keywords" if is_info => Capture::Keywords,
        "header" | "headerl" | "headerr" | "headerf" => Capture::Header,
        "footer" | "footerl" | "footerr" | "footerf" => Capture::Footer,
        "footnote" => Capture::Note,
        "shptxt" => Capture::Shape,
        "listtext" | "pntext" => Capture::Mark,
        _ => return None,
    })
}

/// Control words that end cells and rows, and define them.
const TABLE: [&str; 9] =
    ["cell", "nestcell", "row", "nestrow", "trowd", "trhdr", "clvmrg", "clmrg", "cellx"];

/// The definition of a cell: whether it continues the cell above, or the one to its left.
#[derive(Clone, Copy, Default)]
struct Definition {
    is_below: bool,
    is_right: bool,
}

/// The state of a group.
#[derive(Clone, Copy, Default)]
struct State {
    is_skipped: bool,
    is_info: bool,
    is_created: bool,
    /// Hidden or deleted text.
    is_hidden: bool,
    is_deleted: bool,
    is_raised: bool,
    /// The instruction of a field.
    is_instruction: bool,
    /// What the text is, if it is not of the paragraph.
    capture: Option<Capture>,
    is_style: bool,
    style: Option<i64>,
    skip_after_unicode: usize,
    level: Option<u8>,
}

fn level(number: Option<i64>) -> Option<u8> {
    number.and_then(|n| u8::try_from(n).ok()).filter(|n| *n < 9)
}

impl State {
    fn is_text(self) -> bool {
        !(self.is_skipped || self.is_style || self.is_hidden || self.is_deleted)
            && (!self.is_info || self.capture.is_some())
    }
}

#[derive(Default)]
struct Document {
    build: Build,
    info: Vec<(Capture, String)>,
    /// Year, month and day.
    created: (Option<i64>, Option<i64>, Option<i64>),
    line: String,
    /// The lines around the text that is apart.
    outer: Vec<String>,
    /// Notes and text boxes, which follow the paragraph.
    after: Vec<String>,
    /// Texts of headers and footers that were read, each once.
    furniture: HashSet<String>,
    footers: Vec<String>,
    mark: Option<String>,
    list_level: usize,
    /// Text that is not decoded yet: a character may have two bytes.
    raw: Vec<u8>,
    instruction: String,
    /// A field of the text that is apart shows the number of its page.
    has_page_number: bool,
    /// A high surrogate of UTF-16.
    high: Option<u16>,
    cells: Vec<String>,
    style_name: String,
    /// Levels of styles that are headings, from 0.
    styles: HashMap<i64, u8>,
    in_row: bool,
    /// The paragraph is in a table; the document marks such paragraphs.
    is_in_table: bool,
    marks_cells: bool,
    is_header: bool,
    table: Table,
    definitions: Vec<Definition>,
    definition: Definition,
}

impl Document {
    fn flush(&mut self, encoding: &'static Encoding, is_raised: bool) {
        if !self.raw.is_empty() {
            let (text, _) = encoding.decode_without_bom_handling(&self.raw);
            let raised = is_raised.then(|| raised(&self.line, &text)).flatten();
            self.line.push_str(raised.as_deref().unwrap_or(&text));
            self.raw.clear();
        }
    }

    /// Records the level of a style that is named as a heading.
    fn end_style(&mut self, style: Option<i64>) {
        let name = std::mem::take(&mut self.style_name).to_lowercase();
        let name = name.trim().trim_end_matches(';');
        let level = match name.strip_prefix("heading ") {
            Some(level) => level.parse::<u8>().ok().and_then(|n| n.checked_sub(1)),
            None => (name == "title").then_some(0),
        };
        if let (Some(style), Some(level)) = (style, level) {
            self.styles.insert(style, level);
        }
    }

    fn unit(&mut self, number: i64) {
        // Numbers above 32,767 are written as negative ones.
        let unit = number.rem_euclid(0x1_0000) as u16;
        match (self.high.take(), unit) {
            (_, 0xD800..=0xDBFF) => self.high = Some(unit),
            (Some(high), low) => {
                let c = char::decode_utf16([high, low]).next().and_then(Result::ok);
                self.line.push(c.unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            // Private use characters of symbol fonts, such as bullets.
            (None, 0xE000..=0xF8FF) => {
                self.line.extend(symbol_font::character("Symbol", u32::from(unit)));
            }
            (None, unit) => self.line.extend(char::from_u32(u32::from(unit))),
        }
    }

    /// Ends text that is apart from its paragraph.
    fn end_capture(&mut self, kind: Capture) {
        let text = std::mem::replace(&mut self.line, self.outer.pop().unwrap_or_default());
        let text = text.trim().trim_end_matches([' ', '|']);
        match kind {
            // A bullet of a symbol font has no character.
            Capture::Mark => self.mark = Some(text.to_owned()),
            _ if text.is_empty() => {}
            Capture::Header | Capture::Footer => {
                // `Page 3` says nothing without its number.
                let words: Vec<&str> = text.split_whitespace().collect();
                let is_number = |word: &&str| word.bytes().all(|byte| byte.is_ascii_digit());
                let has_number = std::mem::take(&mut self.has_page_number);
                let is_page = has_number && words.len() < 5 && words.iter().any(is_number);
                if is_page || !self.furniture.insert(words.join(" ")) {
                    return;
                }
                if kind == Capture::Footer {
                    self.footers.push(text.to_owned());
                } else if self.line.is_empty() && self.cells.is_empty() {
                    self.build.block(BlockKind::Paragraph, text);
                } else {
                    self.after.push(text.to_owned());
                }
            }
            Capture::Note | Capture::Shape => self.after.push(text.to_owned()),
            _ => self.info.push((kind, text.to_owned())),
        }
    }

    /// The line with its number or bullet, and whether it has one.
    fn marked(&mut self) -> (String, bool) {
        let text = std::mem::take(&mut self.line);
        match self.mark.take() {
            Some(_) if text.trim().is_empty() => (text, false),
            Some(mark) if mark.contains(char::is_alphanumeric) => {
                (format!("{mark} {}", text.trim_start()), true)
            }
            Some(_) => (format!("- {}", text.trim_start()), true),
            None => (text, false),
        }
    }

    fn end_paragraph(&mut self, level: Option<u8>) {
        let (text, is_item) = self.marked();
        // Some writers define a row that has no cells.
        self.in_row &= self.is_in_table || !self.marks_cells || !self.cells.is_empty();
        if self.in_row {
            self.line = format!("{text} ");
            return;
        }
        if text.trim().is_empty() {
            return;
        }
        self.end_table();
        match level {
            Some(level) => self.build.heading(level + 1, &text),
            None if is_item => {
                let indent = "  ".repeat(self.list_level.min(8));
                self.build.block(BlockKind::ListItem, &format!("{indent}{text}"));
            }
            None => drop(self.build.block(BlockKind::Paragraph, &text)),
        }
        self.write_after();
    }

    /// Writes the notes and text boxes of what was written.
    fn write_after(&mut self) {
        for text in std::mem::take(&mut self.after) {
            self.build.block(BlockKind::Paragraph, &text);
        }
    }

    fn end_cell(&mut self) {
        let (cell, _) = self.marked();
        self.cells.push(cell.one_line().trim_end_matches([',', ';']).to_owned());
    }

    /// Ends a row of a table in a cell.
    fn end_nested_row(&mut self) {
        let len = self.line.trim_end_matches([',', ' ']).len();
        shorten(&mut self.line, len);
        separate_nested(&mut self.line, "; ");
    }

    fn end_row(&mut self) {
        self.in_row = false;
        let mut cells = std::mem::take(&mut self.cells);
        let is_alone = cells.iter().filter(|cell| !cell.is_empty()).count() < 2;
        let above = self.table.rows.last();
        for (n, definition) in self.definitions.iter().enumerate().take(cells.len()) {
            if definition.is_below {
                let above = above.and_then(|above| above.get(n));
                cells[n] = above.map(|above| repeated(above)).unwrap_or_default();
            } else if definition.is_right && n > 0 && !is_alone {
                cells[n] = repeated(&cells[n - 1]);
            }
        }
        if self.is_header && self.table.headers == self.table.rows.len() {
            self.table.headers += 1;
        }
        if cells.iter().any(|cell| !cell.is_empty()) {
            self.table.rows.push(cells);
        }
    }

    /// Writes the table whose rows were read.
    fn end_table(&mut self) {
        if !self.table.rows.is_empty() {
            std::mem::take(&mut self.table).write(&mut self.build);
            self.write_after();
        }
    }
}

pub(super) fn code_page(number: Option<i64>) -> Option<&'static Encoding> {
    let label = match number? {
        932 => "shift_jis".to_owned(),
        936 => "gbk".to_owned(),
        949 => "euc-kr".to_owned(),
        950 => "big5".to_owned(),
        10_000 => "macintosh".to_owned(),
        65_001 => "utf-8".to_owned(),
        n => format!("windows-{n}"),
    };
    Encoding::for_label(label.as_bytes())
}

enum Token<'a> {
    Open,
    Close,
    Byte(u8),
    Control(&'a str, Option<i64>),
}

struct Lexer<'a> {
    bytes: &'a [u8],
    at: usize,
    encoding: &'static Encoding,
}

impl<'a> Lexer<'a> {
    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            return Some(match byte {
                b'{' => Token::Open,
                b'}' => Token::Close,
                b'\r' | b'\n' | 0 => continue,
                b'\\' => self.control()?,
                byte => Token::Byte(byte),
            });
        }
    }

    fn control(&mut self) -> Option<Token<'a>> {
        let start = self.at;
        let n_letters =
            self.bytes[start..].iter().take_while(|b| b.is_ascii_alphabetic()).take(32).count();
        if n_letters == 0 {
            self.bytes.get(start)?;
            self.at += 1;
            let name = std::str::from_utf8(&self.bytes[start..=start]).unwrap_or("?");
            if name != "'" {
                return Some(Token::Control(name, None));
            }
            let hex =
                self.bytes.get(self.at..self.at + 2).and_then(|hex| std::str::from_utf8(hex).ok());
            let value = hex.and_then(|hex| i64::from_str_radix(hex, 16).ok());
            self.at = (self.at + 2).min(self.bytes.len());
            return Some(Token::Control(name, value));
        }
        let name = std::str::from_utf8(&self.bytes[start..start + n_letters]).unwrap_or_default();
        self.at += n_letters;
        let rest = &self.bytes[self.at..];
        let sign = usize::from(rest.first() == Some(&b'-'));
        let n_digits = rest[sign..].iter().take_while(|b| b.is_ascii_digit()).take(12).count();
        let mut number = None;
        if n_digits > 0 {
            number =
                std::str::from_utf8(&rest[..sign + n_digits]).ok().and_then(|n| n.parse().ok());
            self.at += sign + n_digits;
        }
        // A space after the word is part of it.
        if self.bytes.get(self.at) == Some(&b' ') {
            self.at += 1;
        }
        Some(Token::Control(name, number))
    }
}
