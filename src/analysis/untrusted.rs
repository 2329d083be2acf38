//! Untrusted text: removes hidden characters, detects prompt injections.
//!
//! [`neutralise`] works on characters and is safe on any text, in any script. [`injections()`] is a
//! list of patterns: it detects common attempts only, so it informs people and must not be a
//! defence. Patterns match normalized text (no invisible characters, one case, one width, no
//! accents), but the spans are those of the original.

mod injections;
mod risk;

use std::borrow::Cow;

use crate::strings::StrExt as _;

pub use injections::{Injection, InjectionKind, defuse, injections};
pub use risk::{Risk, RiskLevel};

/// Longest string of a terminal escape sequence (a title, a link, a clipboard), in bytes. A longer
/// one, or one that spans lines, loses its introducer only.
const MAX_ESCAPE_BYTES: usize = 4096;

/// Removes invisible characters and those that move visible ones: controls except line feed and
/// tab, terminal escape sequences with their payload, zero-width and bidirectional format
/// characters, tags, variation selectors without effect. Other line ends become line feeds.
///
/// Joiners are kept where they join: within an emoji, and between letters of scripts that need
/// them. So is one variation selector after a character that has variants.
///
/// Idempotent.
#[must_use]
pub fn neutralise(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_suspect) {
        return Cow::Borrowed(text);
    }
    let mut neutraliser = Neutraliser::default();
    let mut out = neutraliser.feed(text);
    out.push_str(&neutraliser.finish());
    Cow::Owned(out)
}

/// [`neutralise`] for text that arrives in pieces; the result does not depend on where it is cut.
#[derive(Clone, Debug, Default)]
pub struct Neutraliser {
    /// A tail whose meaning depends on the next piece.
    held: String,
    last: Option<char>,
}

impl Neutraliser {
    /// Appends `text` and returns what is final.
    pub fn feed(&mut self, text: &str) -> String {
        self.held.push_str(text);
        self.drain(false)
    }

    /// Returns the rest at the end of the text.
    pub fn finish(&mut self) -> String {
        self.drain(true)
    }

    fn drain(&mut self, is_end: bool) -> String {
        let mut out = String::with_capacity(self.held.len());
        let mut at = 0;
        while let Some(Step { len, put }) = step(self.held.slice(at..), self.last, is_end) {
            if let Some(c) = put {
                out.push(c);
                self.last = Some(c);
            }
            at += len;
        }
        self.held = self.held.slice(at..).to_owned();
        out
    }
}

/// `len` bytes at the head of a text are replaced with `put`.
struct Step {
    len: usize,
    put: Option<char>,
}

/// The next step at the head of `rest`. `last` is the last character put. `None` at the end, and
/// where the decision needs text that has not arrived.
fn step(rest: &str, last: Option<char>, is_end: bool) -> Option<Step> {
    let c = rest.chars().next()?;
    let len = c.len_utf8();
    let next = rest.slice(len..).chars().next();
    let put = |put: Option<char>| Some(Step { len, put });
    match c {
        '\n' | '\t' => put(Some(c)),
        '\r' => match next {
            None if !is_end => None,
            Some('\n') => Some(Step { len: 2, put: Some('\n') }),
            _ => put(Some('\n')),
        },
        '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => put(Some('\n')),
        '\u{1b}' | '\u{80}'..='\u{9f}' => Some(Step { len: escape_len(rest, is_end)?, put: None }),
        '\u{200c}' | '\u{200d}' => {
            if last.is_some_and(is_virama) {
                return put(Some(c));
            }
            match next {
                None if !is_end => None,
                next => put(next
                    .zip(last)
                    .is_some_and(|(next, last)| joins(last, c, next))
                    .then_some(c)),
            }
        }
        _ if is_selector(c) => put(last.is_some_and(|last| has_variants(last, c)).then_some(c)),
        _ => put((!is_suspect(c)).then_some(c)),
    }
}

/// Whether [`neutralise`] may remove or replace a character.
fn is_suspect(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\t') || is_invisible(c)
}

/// Whether a character is a control or has no glyph, so that raw text should show it as an escape.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c.is_control() || is_invisible(c)
}

/// Characters without a glyph: Unicode's `Default_Ignorable_Code_Point`, interlinear
/// annotation, the controls of musical and shorthand notation.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

fn is_selector(c: char) -> bool {
    matches!(c,
        '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// Whether `selector` can select a variant of `c`. A second selector never can: runs of selectors
/// encode hidden bytes.
fn has_variants(c: char, selector: char) -> bool {
    match selector {
        '\u{180b}'..='\u{180f}' => matches!(c, '\u{1800}'..='\u{18af}'),
        '\u{fe0e}' | '\u{fe0f}' => {
            is_pictograph(c)
                || matches!(
                    c,
                    '0'..='9'
                        | '#'
                        | '*'
                        | '©'
                        | '®'
                        | '‼'
                        | '⁉'
                        | '™'
                        | 'ℹ'
                        | '〰'
                        | '〽'
                        | '㊗'
                        | '㊙'
                )
        }
        _ => {
            matches!(c,
                '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
        }
    }
}

fn is_pictograph(c: char) -> bool {
    matches!(c,
        '\u{2190}'..='\u{21ff}' | '\u{2300}'..='\u{23ff}' | '\u{2460}'..='\u{27bf}'
        | '\u{2900}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}')
}

/// Whether a joiner between two characters has an effect.
fn joins(before: char, joiner: char, after: char) -> bool {
    let is_emoji = |c: char| is_pictograph(c) || c == '\u{fe0f}';
    is_joining_script(before) && is_joining_script(after)
        || joiner == '\u{200d}' && is_emoji(before) && is_pictograph(after)
}

/// Arabic and related scripts, the scripts of India and South East Asia, Mongolian.
fn is_joining_script(c: char) -> bool {
    let is_in_block = matches!(c,
        '\u{600}'..='\u{8ff}' | '\u{900}'..='\u{dff}' | '\u{f00}'..='\u{109f}'
        | '\u{1780}'..='\u{18af}' | '\u{1900}'..='\u{1aaf}' | '\u{1b00}'..='\u{1bff}'
        | '\u{a840}'..='\u{a8ff}' | '\u{a980}'..='\u{aaff}' | '\u{abc0}'..='\u{abff}'
        | '\u{fb50}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}' | '\u{10a00}'..='\u{11fff}'
        | '\u{1e900}'..='\u{1e95f}');
    is_in_block && !is_suspect(c)
}

/// A virama, after which a joiner selects another letter form, even at the end of a word.
fn is_virama(c: char) -> bool {
    matches!(
        c,
        '\u{94d}'
            | '\u{9cd}'
            | '\u{a4d}'
            | '\u{acd}'
            | '\u{b4d}'
            | '\u{bcd}'
            | '\u{c4d}'
            | '\u{ccd}'
            | '\u{d3b}'
            | '\u{d3c}'
            | '\u{d4d}'
            | '\u{dca}'
            | '\u{1039}'
            | '\u{103a}'
            | '\u{17d2}'
    )
}

/// The length of the control sequence (ECMA-48) at the head of `rest`. `None` if its end has not
/// arrived.
fn escape_len(rest: &str, is_end: bool) -> Option<usize> {
    let mut chars = rest.chars();
    let first = chars.next()?;
    let (kind, head) = match first {
        '\u{1b}' => match chars.next() {
            None => return is_end.then_some(1),
            Some(kind) => (kind, 1 + kind.len_utf8()),
        },
        // The single-character form of ESC and a letter.
        c1 => (char::from_u32(c1 as u32 - 0x40).unwrap_or('@'), c1.len_utf8()),
    };
    let tail = rest.slice(head..);
    match kind {
        '[' => match tail.find(|c| !matches!(c, '\u{20}'..='\u{3f}')) {
            Some(end) => {
                Some(head + end + usize::from(matches!(tail.as_bytes()[end], 0x40..=0x7e)))
            }
            None => is_end.then_some(rest.len()),
        },
        ']' | 'P' | 'X' | '^' | '_' => {
            let stops = |c| {
                matches!(
                    c,
                    '\u{7}'
                        | '\u{9c}'
                        | '\u{1b}'
                        | '\n'
                        | '\r'
                        | '\u{85}'
                        | '\u{2028}'
                        | '\u{2029}'
                )
            };
            match tail.find(stops) {
                Some(end) if end > MAX_ESCAPE_BYTES => Some(head),
                Some(end) => match tail.as_bytes()[end] {
                    7 => Some(head + end + 1),
                    0xc2 if tail.slice(end..).starts_with('\u{9c}') => Some(head + end + 2),
                    // ESC \ ends the string; any other escape begins a new sequence.
                    0x1b if tail.slice(end..).starts_with("\u{1b}\\") => Some(head + end + 2),
                    0x1b if tail.len() == end + 1 && !is_end => None,
                    0x1b => Some(head + end),
                    _ => Some(head),
                },
                None if is_end || tail.len() > MAX_ESCAPE_BYTES => Some(head),
                None => None,
            }
        }
        _ if first != '\u{1b}' => Some(head),
        // ESC, optional intermediates, a final character.
        ' '..='/' => match tail.find(|c| !matches!(c, ' '..='/')) {
            Some(end) => {
                Some(head + end + usize::from(matches!(tail.as_bytes()[end], 0x30..=0x7e)))
            }
            None => is_end.then_some(rest.len()),
        },
        '0'..='~' => Some(head),
        _ => Some(1),
    }
}

#[cfg(test)]
mod tests;
