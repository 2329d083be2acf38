//! Cleans a language model's text while it arrives.
//!
//! Citation marks get one form and unknown ones are removed; images become their description;
//! addresses that no source has, reasoning and hidden characters are removed. Code stays as it is.
//! No text is passed on before its meaning is decided, and the decision depends on what follows,
//! never on where the text was cut. So pieces give the same result as the whole, by the same code.

use super::citations::{Code, Fence, code, indentation};
use super::evidence::Evidence;
use super::lexer::{self, Address};
use crate::analysis::untrusted::{Neutraliser, neutralise};
use crate::strings::{StrExt as _, shorten};

/// Replaces a removed address.
const NO_ADDRESS: &str = "…";

/// Cleans an answer piece by piece.
#[derive(Clone, Debug)]
pub struct Stream {
    neutraliser: Neutraliser,
    /// Texts of the sources, to look up addresses.
    sources: Vec<String>,
    /// Text that has arrived and is undecided.
    held: String,
    state: State,
    shown: Shown,
    /// The kind of the open brackets.
    link: Option<Link>,
    removed: Vec<usize>,
    n_addresses: usize,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Text,
    Block(Fence, BlockPosition),
    Thinking,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BlockPosition {
    LineStart,
    Inside,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Image,
    Text,
}

/// What the held text begins with, with its length in bytes.
enum Token {
    Plain(usize),
    /// A character that must not touch the next one.
    Apart(usize),
    Drop(usize),
    Block(Fence),
    Think(usize),
    Marks(usize, Vec<usize>),
    OpenLink(usize, Link),
    CloseLink(usize, String),
    Address(usize),
}

impl Stream {
    /// A filter for an answer that may cite `sources`, `[1]` first.
    #[must_use]
    pub fn new(sources: &[Evidence]) -> Self {
        Self {
            neutraliser: Neutraliser::default(),
            sources: sources
                .iter()
                .map(|source| neutralise(&source.hit.chunk.text).into_owned())
                .collect(),
            held: String::new(),
            state: State::Text,
            shown: Shown::default(),
            link: None,
            removed: Vec::new(),
            n_addresses: 0,
        }
    }

    /// The text that may be shown after `text` has arrived.
    pub fn feed(&mut self, text: &str) -> String {
        let text = self.neutraliser.feed(text);
        self.held.push_str(&text);
        self.drain(false)
    }

    /// The rest, once the text is complete, without white space at the end.
    pub fn finish(&mut self) -> String {
        let text = self.neutraliser.finish();
        self.held.push_str(&text);
        self.drain(true)
    }

    /// Numbers that were cited and that no source has, each once.
    pub fn removed(&self) -> &[usize] {
        &self.removed
    }

    /// Number of addresses that were removed because no source has them.
    pub fn n_addresses(&self) -> usize {
        self.n_addresses
    }

    fn drain(&mut self, is_end: bool) -> String {
        let held = std::mem::take(&mut self.held);
        let mut out = String::new();
        let mut at = 0;
        while at < held.len() {
            let rest = held.slice(at..);
            let step = match self.state {
                State::Text => self.text(rest, is_end, &mut out),
                State::Block(..) => self.block(rest, is_end, &mut out),
                State::Thinking => self.thinking(rest, is_end, &mut out),
            };
            let Some(len) = step else { break };
            at += len;
        }
        held.slice(at..).clone_into(&mut self.held);
        out
    }

    /// Takes the next token; `None` while it is undecided.
    fn text(&mut self, rest: &str, is_end: bool, out: &mut String) -> Option<usize> {
        match self.token(rest, is_end)? {
            Token::Plain(len) => {
                self.shown.put(rest.slice(..len), out);
                Some(len)
            }
            Token::Apart(len) => {
                self.shown.put(rest.slice(..len), out);
                self.shown.put(" ", out);
                Some(len)
            }
            Token::Drop(len) => {
                self.shown.leave_out();
                Some(len)
            }
            Token::Block(fence) => {
                self.shown.put(rest.slice(..fence.opening), out);
                self.state = State::Block(fence, BlockPosition::LineStart);
                Some(fence.opening)
            }
            Token::Think(len) => {
                self.shown.leave_out();
                self.state = State::Thinking;
                Some(len)
            }
            Token::Marks(len, numbers) => {
                self.marks(&numbers, out);
                Some(len)
            }
            Token::OpenLink(len, link) => {
                self.shown.leave_out();
                self.link = Some(link);
                Some(len)
            }
            Token::CloseLink(len, target) => {
                self.close_link(&target, out);
                Some(len)
            }
            Token::Address(len) => {
                self.address(rest.slice(..len), out);
                Some(len)
            }
        }
    }

    /// The token that `rest` begins with; `None` while more text is needed to decide.
    fn token(&self, rest: &str, is_end: bool) -> Option<Token> {
        let first = rest.chars().next()?;
        let after = rest.slice(first.len_utf8()..);
        Some(match first {
            '`' | '~' => match code(rest, self.shown.indentation(), is_end)? {
                Code::Block(fence) => Token::Block(fence),
                Code::Span(len) | Code::Ticks(len) => Token::Plain(len),
            },
            '[' | '【' => return opening_bracket(rest, first, is_end),
            '!' if after.is_empty() && !is_end => return None,
            '!' if after.starts_with('[') => {
                if lexer::marks(after, is_end).decided()?.is_some() {
                    Token::Plain(1)
                } else if lexer::link(after, true, is_end).decided()?.is_some() {
                    Token::OpenLink(2, Link::Image)
                } else {
                    // Another program may read it as an image even so.
                    Token::Apart(1)
                }
            }
            ']' => {
                let is_image = self.link == Some(Link::Image);
                match lexer::target(after, is_image, is_end).decided()? {
                    Some((len, target)) => Token::CloseLink(1 + len, target),
                    None => Token::Plain(1),
                }
            }
            '<' => return tag(rest, is_end),
            ':' | '0'..='9' | 'a'..='z' | 'A'..='Z' => match lexer::word(rest, is_end)? {
                Address::Word(len) => Token::Plain(len),
                Address::Address(len) => Token::Address(len),
            },
            _ => {
                let is_special = |c: char| c.is_ascii_alphanumeric() || "`~[【!]<:".contains(c);
                let len = after.find(is_special).unwrap_or(after.len());
                Token::Plain(first.len_utf8() + len)
            }
        })
    }

    fn marks(&mut self, numbers: &[usize], out: &mut String) {
        let is_offered = |n: usize| (1..=self.sources.len()).contains(&n);
        if !numbers.iter().any(|&n| is_offered(n)) {
            self.shown.leave_out();
        }
        for (i, &n) in numbers.iter().enumerate() {
            if !is_offered(n) {
                if !self.removed.contains(&n) {
                    self.removed.push(n);
                }
            } else if !numbers[..i].contains(&n) {
                self.shown.put(&format!("[{n}]"), out);
            }
        }
    }

    fn close_link(&mut self, target: &str, out: &mut String) {
        let link = self.link.take();
        if link.is_none() {
            // Its opening bracket was shown.
            self.shown.put("]", out);
        }
        if link == Some(Link::Image) {
            self.shown.leave_out();
        } else if target.contains("://") && self.is_known(target) {
            self.shown.put(&format!(" ({target})"), out);
        } else {
            self.n_addresses += usize::from(target.contains(':') || target.starts_with("//"));
            self.shown.leave_out();
        }
    }

    fn address(&mut self, address: &str, out: &mut String) {
        if self.is_known(address) {
            self.shown.put(address, out);
        } else {
            self.n_addresses += 1;
            self.shown.put(NO_ADDRESS, out);
        }
    }

    /// Whether a source has the address, so that opening it reveals nothing.
    fn is_known(&self, address: &str) -> bool {
        !lexer::is_script(address) && self.sources.iter().any(|source| source.contains(address))
    }

    fn block(&mut self, rest: &str, is_end: bool, out: &mut String) -> Option<usize> {
        let State::Block(fence, position) = self.state else { return None };
        let line_end = rest.find('\n').map(|end| end + 1);
        let line = rest.slice(..line_end.unwrap_or(rest.len()));
        if position == BlockPosition::LineStart {
            let is_undecided = line.chars().all(|c| matches!(c, ' ' | '\t' | '`' | '~'));
            if line_end.is_none() && is_undecided && !is_end {
                return None;
            }
            if let Some(close) = fence.closes(line) {
                self.shown.put(rest.slice(..close), out);
                self.state = State::Text;
                return Some(close);
            }
        }
        self.shown.put(line, out);
        let position = match line_end {
            Some(_) => BlockPosition::LineStart,
            None => BlockPosition::Inside,
        };
        self.state = State::Block(fence, position);
        Some(line.len())
    }

    fn thinking(&mut self, rest: &str, is_end: bool, out: &mut String) -> Option<usize> {
        let end = lexer::THOUGHT.iter().filter_map(|tag| Some(rest.find(tag)? + tag.len())).min();
        if let Some(end) = end {
            self.state = State::Text;
            // Two joined lines might read as code.
            self.shown.put("\n", out);
            return Some(end);
        }
        // The tail may be half a tag.
        let longest = lexer::THOUGHT.iter().map(|tag| tag.len()).max().unwrap_or(0);
        let tail = rest.rfind('<').filter(|&at| rest.len() - at < longest && !is_end);
        Some(tail.unwrap_or(rest.len())).filter(|&len| len > 0)
    }
}

/// The token of a `[` or `【` that `rest` begins with; `None` while more text is needed.
fn opening_bracket(rest: &str, bracket: char, is_end: bool) -> Option<Token> {
    if let Some((len, numbers)) = lexer::marks(rest, is_end).decided()? {
        return Some(Token::Marks(len, numbers));
    }
    let is_link = bracket == '[' && lexer::link(rest, false, is_end).decided()?.is_some();
    let link = Token::OpenLink(1, Link::Text);
    Some(if is_link { link } else { Token::Plain(bracket.len_utf8()) })
}

/// The token of a `<` that `rest` begins with; `None` while more text is needed.
fn tag(rest: &str, is_end: bool) -> Option<Token> {
    let starting = |tags: &[&'static str]| tags.iter().copied().find(|tag| rest.starts_with(tag));
    if let Some(tag) = starting(&lexer::THINK) {
        return Some(Token::Think(tag.len()));
    }
    if let Some(tag) = starting(&lexer::THOUGHT) {
        return Some(Token::Drop(tag.len()));
    }
    let mut tags = lexer::THINK.iter().chain(&lexer::THOUGHT);
    if !is_end && tags.any(|tag| tag.starts_with(rest)) {
        return None;
    }
    Some(match lexer::tag(rest, is_end).decided()? {
        Some(lexer::Tag::Active(len)) => Token::Drop(len),
        Some(lexer::Tag::Unclosed) => Token::Apart(1),
        None => Token::Plain(1),
    })
}

/// What was shown so far, as far as the following text depends on it.
#[derive(Clone, Debug, Default)]
struct Shown {
    last: Option<char>,
    /// The line so far.
    line: String,
    /// White space that is held back until text follows.
    space: String,
    /// Text was left out here.
    is_gap: bool,
}

impl Shown {
    fn leave_out(&mut self) {
        self.is_gap = true;
    }

    fn put(&mut self, text: &str, out: &mut String) {
        let Some(first) = text.chars().next() else { return };
        if self.is_gap {
            if first.is_whitespace() || ".,;!?)。，；！？）".contains(first) {
                let len = self.space.trim_end_matches(' ').len();
                shorten(&mut self.space, len);
            } else if self.space.is_empty() && self.last.is_some_and(sticks) && sticks(first) {
                // Two separate texts must not become one word, one mark or one fence.
                self.space.push(' ');
            }
            self.is_gap = false;
        }
        let body = text.trim_end_matches([' ', '\t', '\n']);
        if !body.is_empty() {
            if self.last.is_some() {
                let space = std::mem::take(&mut self.space);
                self.push(&space, out);
                self.push(body, out);
            } else {
                self.space.clear();
                self.push(body.trim_start_matches([' ', '\t', '\n']), out);
            }
        }
        self.space.push_str(text.slice(body.len()..));
    }

    fn push(&mut self, text: &str, out: &mut String) {
        out.push_str(text);
        self.last = text.chars().next_back().or(self.last);
        match text.rsplit_once('\n') {
            Some((_, line)) => line.clone_into(&mut self.line),
            None => self.line.push_str(text),
        }
    }

    /// [`indentation`] of the whole shown text.
    fn indentation(&self) -> Option<usize> {
        if self.last.is_none() {
            Some(0)
        } else {
            indentation(&format!("{}{}", self.line, self.space))
        }
    }
}

/// Whether a character may form a word, mark or fence with its neighbour.
fn sticks(c: char) -> bool {
    c.is_alphanumeric() || "`~[]!<:/#^".contains(c)
}
