//! A model's words, made fit to be shown while they arrive.
//!
//! Marks are brought to one form and unknown ones left out, images become their description,
//! addresses that no source has are left out, reasoning aloud is dropped, hidden characters go.
//! Code is left alone. The surprising rule: nothing is let through before it is decided, and a
//! decision looks at what follows, never at where the text was cut; so the pieces make no
//! difference, and the whole answer is cleaned by the very same code.

use crate::analysis::untrusted::{Neutraliser, neutralise};
use crate::strings::{StrExt as _, shorten};

use super::citations::{Code, Fence, code, indentation};
use super::evidence::Evidence;
use super::lexer::{self, Address};

/// Stands where an address was.
const NO_ADDRESS: &str = "…";

/// Cleans an answer piece by piece.
#[derive(Clone, Debug)]
pub struct Stream {
    neutraliser: Neutraliser,
    /// Texts of the sources, for the addresses in them.
    sources: Vec<String>,
    /// What has arrived and is not decided.
    held: String,
    state: State,
    shown: Shown,
    /// Whether the brackets that are open are an image's or a link's.
    link: Option<Link>,
    removed: Vec<usize>,
    n_addresses: usize,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Text,
    /// In a fence; whether at the beginning of a line.
    Block(Fence, bool),
    Thinking,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Image,
    Text,
}

/// What the head of the held text is, and how many bytes of it.
enum Token {
    Plain(usize),
    /// One character that must not touch the next.
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
    /// A filter for an answer that may cite `sources`: the first is `[1]`.
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

    /// What may be shown after `text` has arrived.
    pub fn feed(&mut self, text: &str) -> String {
        let text = self.neutraliser.feed(text);
        self.held.push_str(&text);
        self.drain(false)
    }

    /// What was held back, now that nothing follows. White space at the end is not shown.
    pub fn finish(&mut self) -> String {
        let text = self.neutraliser.finish();
        self.held.push_str(&text);
        self.drain(true)
    }

    /// Numbers that were cited and not offered, each once.
    pub fn removed(&self) -> &[usize] {
        &self.removed
    }

    /// Addresses left out because no source has them.
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
                State::Block(fence, begins) => self.block(rest, fence, begins, is_end, &mut out),
                State::Thinking => self.thinking(rest, is_end, &mut out),
            };
            let Some(len) = step else { break };
            at += len;
        }
        held.slice(at..).clone_into(&mut self.held);
        out
    }

    fn text(&mut self, rest: &str, is_end: bool, out: &mut String) -> Option<usize> {
        let token = self.token(rest, is_end)?;
        let len = match token {
            Token::Plain(len) => {
                self.shown.put(rest.slice(..len), out);
                len
            }
            Token::Apart(len) => {
                self.shown.put(rest.slice(..len), out);
                self.shown.put(" ", out);
                len
            }
            Token::Drop(len) => {
                self.shown.leave_out();
                len
            }
            Token::Block(fence) => {
                self.shown.put(rest.slice(..fence.opening), out);
                self.state = State::Block(fence, true);
                fence.opening
            }
            Token::Think(len) => {
                self.shown.leave_out();
                self.state = State::Thinking;
                len
            }
            Token::Marks(len, numbers) => {
                self.marks(&numbers, out);
                len
            }
            Token::OpenLink(len, link) => {
                self.shown.leave_out();
                self.link = Some(link);
                len
            }
            Token::CloseLink(len, target) => {
                self.close_link(&target, out);
                len
            }
            Token::Address(len) => {
                if self.is_known(rest.slice(..len)) {
                    self.shown.put(rest.slice(..len), out);
                } else {
                    self.n_addresses += 1;
                    self.shown.put(NO_ADDRESS, out);
                }
                len
            }
        };
        Some(len)
    }

    /// What `rest` begins with; `None` when what follows decides and is not there yet.
    fn token(&self, rest: &str, is_end: bool) -> Option<Token> {
        let first = rest.chars().next()?;
        let after = rest.slice(first.len_utf8()..);
        match first {
            '`' | '~' => Some(match code(rest, self.shown.indentation(), is_end)? {
                Code::Block(fence) => Token::Block(fence),
                Code::Span(len) | Code::Ticks(len) => Token::Plain(len),
            }),
            '[' | '【' => {
                if let Some((len, numbers)) = lexer::marks(rest, is_end).decided()? {
                    return Some(Token::Marks(len, numbers));
                }
                let is_link = first == '[' && lexer::link(rest, false, is_end).decided()?.is_some();
                Some(if is_link {
                    Token::OpenLink(1, Link::Text)
                } else {
                    Token::Plain(first.len_utf8())
                })
            }
            '!' if after.is_empty() && !is_end => None,
            '!' if after.starts_with('[') => {
                if lexer::marks(after, is_end).decided()?.is_some() {
                    return Some(Token::Plain(1));
                }
                // What is not understood as an image is not left for others to understand as one.
                let is_image = lexer::link(after, true, is_end).decided()?.is_some();
                Some(if is_image { Token::OpenLink(2, Link::Image) } else { Token::Apart(1) })
            }
            ']' => {
                let target =
                    lexer::target(after, self.link == Some(Link::Image), is_end).decided()?;
                Some(
                    target
                        .map_or(Token::Plain(1), |(len, target)| Token::CloseLink(1 + len, target)),
                )
            }
            '<' => {
                let is_partly = |tag: &str| tag.starts_with(rest) && !is_end;
                if let Some(tag) = lexer::THINK.iter().find(|tag| rest.starts_with(**tag)) {
                    return Some(Token::Think(tag.len()));
                }
                if let Some(tag) = lexer::THOUGHT.iter().find(|tag| rest.starts_with(**tag)) {
                    return Some(Token::Drop(tag.len()));
                }
                if lexer::THINK.iter().chain(&lexer::THOUGHT).any(|tag| is_partly(tag)) {
                    return None;
                }
                Some(match lexer::tag(rest, is_end).decided()? {
                    Some(lexer::Tag::Active(len)) => Token::Drop(len),
                    Some(lexer::Tag::Unclosed) => Token::Apart(1),
                    None => Token::Plain(1),
                })
            }
            ':' | '0'..='9' | 'a'..='z' | 'A'..='Z' => Some(match lexer::word(rest, is_end)? {
                Address::Word(len) => Token::Plain(len),
                Address::Address(len) => Token::Address(len),
            }),
            _ => {
                let is_special = |c: char| c.is_ascii_alphanumeric() || "`~[【!]<:".contains(c);
                let len = after.find(is_special).unwrap_or(after.len());
                Some(Token::Plain(first.len_utf8() + len))
            }
        }
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
            // Its opening was shown, so its end is.
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

    /// Whether some source has the address, so that it tells nobody anything.
    fn is_known(&self, address: &str) -> bool {
        !lexer::is_script(address) && self.sources.iter().any(|source| source.contains(address))
    }

    fn block(
        &mut self,
        rest: &str,
        fence: Fence,
        begins: bool,
        is_end: bool,
        out: &mut String,
    ) -> Option<usize> {
        let line_end = rest.find('\n').map(|end| end + 1);
        let line = rest.slice(..line_end.unwrap_or(rest.len()));
        if begins {
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
        self.state = State::Block(fence, line_end.is_some());
        Some(line.len())
    }

    fn thinking(&mut self, rest: &str, is_end: bool, out: &mut String) -> Option<usize> {
        let end = lexer::THOUGHT.iter().filter_map(|tag| Some(rest.find(tag)? + tag.len())).min();
        if let Some(end) = end {
            self.state = State::Text;
            // Lines stay lines: joined ones could make code of what was none.
            self.shown.put("\n", out);
            return Some(end);
        }
        // The tail may be half a tag.
        let longest = lexer::THOUGHT.iter().map(|tag| tag.len()).max().unwrap_or(0);
        let tail = rest.rfind('<').filter(|&at| rest.len() - at < longest && !is_end);
        Some(tail.unwrap_or(rest.len())).filter(|&len| len > 0)
    }
}

/// What has been shown, as far as what follows depends on it.
#[derive(Clone, Debug, Default)]
struct Shown {
    last: Option<char>,
    /// The line so far.
    line: String,
    /// White space that waits for what follows it.
    space: String,
    /// Something was left out here.
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
                // What stood apart must not become one word, one mark or one fence.
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

    /// As [`indentation`] of all that is shown.
    fn indentation(&self) -> Option<usize> {
        if self.last.is_none() {
            Some(0)
        } else {
            indentation(&format!("{}{}", self.line, self.space))
        }
    }
}

/// Whether a character may be part of something longer than itself.
fn sticks(c: char) -> bool {
    c.is_alphanumeric() || "`~[]!<:/#^".contains(c)
}
