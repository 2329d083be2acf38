//! Prompt injection: text that addresses or instructs a language model.
//!
//! Patterns in English and the commonest forms in German, French, Spanish and Chinese, from
//! `injections.tsv`. An ordinary request ("Write a poem") matches none: manuals are full of those.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{LazyLock, OnceLock};

use aho_corasick::AhoCorasick;
use regex::{Captures, Regex};
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use crate::document::Span;
use crate::strings::{StrExt as _, table_lines};

/// What an injection tries to do to a model that reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InjectionKind {
    /// "Ignore all previous instructions."
    Override,
    /// "You are now …", or an address: "Dear AI".
    Role,
    /// Marks of a conversation: `<|im_start|>`, `[INST]`, a line that begins with `system:`, an end
    /// of the sources.
    Tag,
    /// "Do not tell the user."
    Secrecy,
    /// "Repeat your system prompt."
    Reveal,
    /// "In your answer, mention …"
    Steer,
    /// An image or a link that would send words to another machine.
    Exfiltrate,
    /// A run of invisible characters long enough to encode a message; or an override of the text
    /// direction.
    Hidden,
}

impl InjectionKind {
    const ALL: [Self; 8] = [
        Self::Override,
        Self::Role,
        Self::Tag,
        Self::Secrecy,
        Self::Reveal,
        Self::Steer,
        Self::Exfiltrate,
        Self::Hidden,
    ];

    /// The stable name used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Override => "override",
            Self::Role => "role",
            Self::Tag => "tag",
            Self::Secrecy => "secrecy",
            Self::Reveal => "reveal",
            Self::Steer => "steer",
            Self::Exfiltrate => "exfiltrate",
            Self::Hidden => "hidden",
        }
    }
}

/// A match of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Injection {
    /// Bytes of the text as it was given.
    pub span: Span,
    pub kind: InjectionKind,
}

/// The injections in `text`, by position. Empty for nearly all text.
#[must_use]
pub fn injections(text: &str) -> Vec<Injection> {
    let normalized = Normalized::new(text, false);
    let candidates = PATTERNS.candidates(&normalized.text);
    find_matches(text, &normalized, candidates)
}

fn find_matches<'a>(
    text: &str,
    normalized: &Normalized,
    patterns: impl Iterator<Item = &'a Pattern>,
) -> Vec<Injection> {
    let mut found = Vec::new();
    let mut traced: Option<Normalized> = None;
    for pattern in patterns {
        for m in pattern.regex().into_iter().flat_map(|regex| regex.find_iter(&normalized.text)) {
            let traced = traced.get_or_insert_with(|| Normalized::new(text, true));
            found.push(Injection { span: traced.span(m.range()), kind: pattern.kind });
        }
    }
    if let Some(hidden) = HIDDEN.as_ref().filter(|_| !text.is_ascii()) {
        found.extend(hidden.find_iter(text).map(|m| Injection {
            span: Span::new(m.start(), m.end()),
            kind: InjectionKind::Hidden,
        }));
    }
    found.sort();
    // Two patterns of a kind may match the same words.
    found.dedup_by(|b, a| a.kind == b.kind && a.span.overlap(b.span) > 0);
    found
}

/// `text` with a space inside each control token of a chat template. Some servers parse these
/// wherever they occur, so that a document could end its own message and begin another.
#[must_use]
pub fn defuse(text: &str) -> Cow<'_, str> {
    let Some(pattern) = TEMPLATE_MARKS.as_ref().filter(|_| text.contains(['<', '['])) else {
        return Cow::Borrowed(text);
    };
    pattern.replace_all(text, |mark: &Captures<'_>| {
        let mut chars = mark[0].chars();
        let first = chars.next().map(String::from).unwrap_or_default();
        format!("{first} {}", chars.as_str())
    })
}

/// A text as the patterns expect it: lower case, without invisible characters, accents, quotation
/// marks, emphasis and code ticks, and with runs of white space collapsed.
struct Normalized {
    text: String,
    /// If traced: for every byte of `text`, the bytes of the original that it came from.
    origins: Option<Vec<Range<usize>>>,
}

impl Normalized {
    fn new(original: &str, is_traced: bool) -> Self {
        let mut normalized =
            Self { text: String::with_capacity(original.len()), origins: is_traced.then(Vec::new) };
        let (mut at, mut last, mut was_hidden) = (0, None, false);
        loop {
            // The fast path: nearly every text is ASCII.
            while !was_hidden && let Some(c @ (b' '..=b'~' | b'\n')) = original.as_bytes().get(at) {
                let word = original.as_bytes()[at..]
                    .iter()
                    .take_while(|c| c.is_ascii_alphanumeric())
                    .count();
                match word {
                    0 => normalized.put(char::from(*c), at..at + 1),
                    word => normalized.push_word(original.slice(at..at + word), at),
                }
                at += word.max(1);
                last = original.slice(..at).chars().next_back();
            }
            let Some(super::Step { len, put }) = super::step(original.slice(at..), last, true)
            else {
                break;
            };
            last = put.or(last);
            let hidden = original.slice(at..).chars().next().and_then(hidden_ascii);
            // A message in tag characters is not part of the word before it.
            if hidden.is_some() != was_hidden {
                normalized.push(' ', at..at + len);
                was_hidden = hidden.is_some();
            }
            if let Some(c) = hidden.or(put) {
                normalized.push(c, at..at + len);
            }
            at += len;
        }
        normalized
    }

    fn push(&mut self, c: char, origin: Range<usize>) {
        if c.is_ascii() {
            return self.put(c.to_ascii_lowercase(), origin);
        }
        for c in std::iter::once(c).nfkd().flat_map(char::to_lowercase) {
            self.put(c, origin.clone());
        }
    }

    fn put(&mut self, c: char, origin: Range<usize>) {
        let c = match c {
            '*' | '`' | '"' | '\'' | '“' | '”' | '„' | '‘' | '’' | '«' | '»' | '\u{200c}'
            | '\u{200d}' => {
                return;
            }
            c if !c.is_ascii() && is_combining_mark(c) => return,
            '\n' if self.text.ends_with(' ') => {
                self.text.pop();
                self.origins.as_mut().map(Vec::pop);
                '\n'
            }
            '_' if self.text.ends_with(char::is_whitespace) => return,
            c if c.is_whitespace() && self.text.ends_with(char::is_whitespace) => return,
            '\n' => '\n',
            '_' => ' ',
            c if c.is_whitespace() => ' ',
            c => latin(c),
        };
        self.text.push(c);
        if let Some(origins) = &mut self.origins {
            origins.extend(std::iter::repeat_n(origin, c.len_utf8()));
        }
    }

    /// Appends a word of ASCII letters and digits, which begins at `at` in the original.
    fn push_word(&mut self, word: &str, at: usize) {
        let from = self.text.len();
        self.text.push_str(word);
        self.text.get_mut(from..).into_iter().for_each(str::make_ascii_lowercase);
        if let Some(origins) = &mut self.origins {
            origins.extend((at..at + word.len()).map(|at| at..at + 1));
        }
    }

    /// The bytes of the original that a range of `text` came from. Requires tracing.
    fn span(&self, found: Range<usize>) -> Span {
        let origin = |at: usize| self.origins.as_ref().and_then(|origins| origins.get(at));
        let start = origin(found.start).map_or(0, |origin| origin.start);
        let end = found.end.checked_sub(1).and_then(origin).map_or(start, |origin| origin.end);
        Span::new(start, end.max(start))
    }
}

/// The ASCII character that an invisible tag character encodes.
fn hidden_ascii(c: char) -> Option<char> {
    matches!(c, '\u{e0020}'..='\u{e007e}').then(|| char::from_u32(c as u32 - 0xe0000)).flatten()
}

/// Maps Cyrillic and Greek letters that look like Latin ones. Words of those scripts become
/// nonsense, which matches nothing.
fn latin(c: char) -> char {
    match c {
        'а' | 'α' => 'a',
        'е' => 'e',
        'і' | 'ι' => 'i',
        'ј' => 'j',
        'о' | 'ο' => 'o',
        'р' | 'ρ' => 'p',
        'с' => 'c',
        'ѕ' => 's',
        'у' => 'y',
        'х' => 'x',
        'ԁ' => 'd',
        'һ' => 'h',
        'ν' => 'v',
        c => c,
    }
}

/// A line of the table. Its expression is compiled when a text first has the pieces: few texts do,
/// and compiling all takes longer than answering a question.
struct Pattern {
    kind: InjectionKind,
    /// Ids of pieces: a text that the expression matches has one of each group.
    groups: Vec<Range<usize>>,
    source: &'static str,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    fn regex(&self) -> Option<&Regex> {
        self.compiled.get_or_init(|| compile(self.source)).as_ref()
    }
}

struct Patterns {
    all: Vec<Pattern>,
    pieces: Vec<&'static str>,
    /// Finds all pieces in one pass over a text.
    finder: Option<AhoCorasick>,
}

static PATTERNS: LazyLock<Patterns> =
    LazyLock::new(|| Patterns::parse(include_str!("injections.tsv")));

impl Patterns {
    fn parse(table: &'static str) -> Self {
        let (mut all, mut pieces) = (Vec::new(), Vec::new());
        for line in table_lines(table) {
            let columns: Vec<&str> = line.split('\t').collect();
            let &[name, ref columns @ .., source] = columns.as_slice() else { continue };
            let kind = InjectionKind::ALL.into_iter().find(|kind| kind.name() == name);
            let Some(kind) = kind else { continue };
            let mut groups = Vec::new();
            for group in columns {
                let from = pieces.len();
                pieces.extend(group.split(','));
                groups.push(from..pieces.len());
            }
            all.push(Pattern { kind, groups, source, compiled: OnceLock::new() });
        }
        let finder = AhoCorasick::new(&pieces).ok();
        Self { all, pieces, finder }
    }

    /// The patterns that may match a normalized text.
    fn candidates(&self, text: &str) -> impl Iterator<Item = &Pattern> {
        let mut has = vec![self.finder.is_none(); self.pieces.len()];
        for piece in self.finder.iter().flat_map(|finder| finder.find_overlapping_iter(text)) {
            has[piece.pattern().as_usize()] = true;
        }
        self.all.iter().filter(move |pattern| {
            pattern.groups.iter().all(|group| has[group.clone()].contains(&true))
        })
    }
}

/// Compiles a pattern with the word, space and boundary classes of ASCII, which normalized text of
/// European languages is. The tables of Unicode take ten times as long to compile.
fn compile(pattern: &str) -> Option<Regex> {
    let ascii = pattern
        .replace(r"\w", "[[:word:]]")
        .replace(r"\W", "[[:^word:]]")
        .replace(r"\s", "[[:space:]]")
        .replace(r"\b", r"(?-u:\b)");
    Regex::new(&ascii).ok()
}

/// Eight tags (a flag takes six), five selectors, eight zero-width characters; one override of the
/// direction.
static HIDDEN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let runs = concat!(
        r"[\x{e0000}-\x{e007f}]{8,}",
        r"|[\x{fe00}-\x{fe0f}\x{e0100}-\x{e01ef}]{5,}",
        r"|[\x{200b}-\x{200d}\x{2060}-\x{2064}\x{feff}]{8,}",
        r"|[\x{202d}\x{202e}]",
    );
    Regex::new(runs).ok()
});

/// The control tokens of the common chat templates.
static TEMPLATE_MARKS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    compile(concat!(
        r"(?i)<[|｜][\w▁./-]{1,40}[|｜]>",
        r"|\[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT)\]",
        r"|<</?SYS>>",
        r"|</?(?:s|bos|eos|pad|unk|think|thinking|start_of_turn|end_of_turn",
        r"|tool_call|tool_response)>",
    ))
});

/// How many patterns there are, and how many of them compile.
#[cfg(test)]
pub(super) fn n_compiled() -> (usize, usize) {
    let lines = table_lines(include_str!("injections.tsv"));
    let n = PATTERNS.all.iter().filter(|pattern| pattern.regex().is_some()).count();
    (lines.count() + 2, n + usize::from(HIDDEN.is_some()) + usize::from(TEMPLATE_MARKS.is_some()))
}

/// [`injections`] by every pattern, whatever pieces the text has.
#[cfg(test)]
pub(super) fn injections_by_all(text: &str) -> Vec<Injection> {
    find_matches(text, &Normalized::new(text, false), PATTERNS.all.iter())
}

/// Every pattern as it is written, with its groups of pieces.
#[cfg(test)]
pub(super) fn patterns() -> impl Iterator<Item = (Vec<&'static [&'static str]>, &'static str)> {
    let pieces = |pattern: &Pattern| {
        pattern.groups.iter().map(|group| &PATTERNS.pieces[group.clone()]).collect()
    };
    PATTERNS.all.iter().map(move |pattern| (pieces(pattern), pattern.source))
}
