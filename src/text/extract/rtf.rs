//! RTF: paragraphs and rows of tables. Groups have an explicit stack, so deep nesting cannot
//! overflow the call stack.

use std::collections::HashMap;

use encoding_rs::{Encoding, WINDOWS_1252};

use super::build::Build;
use super::doc::{BlockKind, Extracted, NoText};
use crate::document::Format;

/// No writer nests groups deeper.
const MAX_DEPTH: usize = 10_000;

/// Destinations without text of the document.
const SKIPPED: &str = "fonttbl colortbl listtable listoverridetable rsidtbl generator pict object \
     themedata \
    colorschememapping latentstyles datastore xmlnstbl mmathPr header headerl headerr headerf \
    footer footerl footerr \
    footerf bkmkstart bkmkend fldinst pgptbl filetbl revtbl operator creatim revtim printim buptim \
    nonshppict listtext \
    pntext category keywords subject doccomm comment company manager";

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
            Token::Control(name, number) => parser.control(name, number, was_group_start),
        }
    }
    parser.flush();
    let mut doc = parser.doc;
    doc.end_row();
    doc.end_paragraph(None);
    doc.build.metadata("author", doc.author.as_deref().unwrap_or_default());
    doc.build.finish(Format::Rtf, doc.title.as_deref())
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
        self.doc.flush(self.lexer.encoding);
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
        if let Some(outer) = self.stack.pop() {
            if self.state.is_title && !outer.is_title {
                self.doc.title = Some(std::mem::take(&mut self.doc.line));
            }
            if self.state.is_author && !outer.is_author {
                self.doc.author = Some(std::mem::take(&mut self.doc.line));
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
            "title" if is_group_start && state.is_info => state.is_title = true,
            "author" if is_group_start && state.is_info => state.is_author = true,
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
            _ if state.is_text() && !state.is_info => self.text_control(name, number),
            _ => {}
        }
    }

    /// A control word in the text.
    fn text_control(&mut self, name: &str, number: Option<i64>) {
        let (state, doc) = (&mut self.state, &mut self.doc);
        match name {
            "par" | "sect" | "page" | "\n" | "\r" => doc.end_paragraph(state.level),
            "pard" => state.level = None,
            "outlinelevel" => state.level = level(number),
            "cell" | "nestcell" => doc.end_cell(),
            "row" | "nestrow" => doc.end_row(),
            "trowd" => doc.in_row = true,
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

/// The state of a group.
#[derive(Clone, Copy, Default)]
struct State {
    is_skipped: bool,
    is_info: bool,
    is_title: bool,
    is_author: bool,
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
        !self.is_skipped && !self.is_style && (!self.is_info || self.is_title || self.is_author)
    }
}

#[derive(Default)]
struct Document {
    build: Build,
    title: Option<String>,
    author: Option<String>,
    line: String,
    /// Text that is not decoded yet: a character may have two bytes.
    raw: Vec<u8>,
    /// A high surrogate of UTF-16.
    high: Option<u16>,
    cells: Vec<String>,
    style_name: String,
    /// Levels of styles that are headings, from 0.
    styles: HashMap<i64, u8>,
    in_row: bool,
    was_row: bool,
}

impl Document {
    fn flush(&mut self, encoding: &'static Encoding) {
        if !self.raw.is_empty() {
            let (text, _) = encoding.decode_without_bom_handling(&self.raw);
            self.line.push_str(&text);
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
            (None, 0xE000..=0xF8FF) => {}
            (None, unit) => self.line.extend(char::from_u32(u32::from(unit))),
        }
    }

    fn end_paragraph(&mut self, level: Option<u8>) {
        let text = std::mem::take(&mut self.line);
        if self.in_row {
            self.line = format!("{text} ");
            return;
        }
        if text.trim().is_empty() {
            return;
        }
        self.was_row = false;
        match level {
            Some(level) => self.build.heading(level + 1, &text),
            None => drop(self.build.block(BlockKind::Paragraph, &text)),
        }
    }

    fn end_cell(&mut self) {
        let cell = std::mem::take(&mut self.line);
        self.cells.push(cell.split_whitespace().collect::<Vec<_>>().join(" "));
    }

    fn end_row(&mut self) {
        self.in_row = false;
        let cells = std::mem::take(&mut self.cells);
        if cells.iter().any(|cell| !cell.is_empty()) {
            self.build.row(!self.was_row, &cells.join(" | "));
            self.was_row = true;
        }
    }
}

fn code_page(number: Option<i64>) -> Option<&'static Encoding> {
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
