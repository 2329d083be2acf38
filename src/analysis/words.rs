//! The tokenizer of the lexical index: words, compounds with their parts, and characters of scripts
//! without spaces.
//!
//! It is independent of language and stemmer: it yields the kind of each token ([`TokenKind`]), and
//! the index and the query choose by kind. Word boundaries approximate UAX #29 in hand-written
//! code, because nine of ten bytes are ASCII letters, which a table-driven segmenter reads slowly.

use icu_segmenter::WordSegmenter;
use icu_segmenter::options::WordBreakInvariantOptions;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::normalize;
use crate::strings::{StrExt as _, shorten};

/// Longest term, in bytes. Longer ones are cut both in the index and in queries, so they still
/// match.
const MAX_TERM_BYTES: usize = 64;

/// The kind of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// An ordinary word.
    Word,
    /// A compound as written: `std::fs::write`, `v1.2.3`, `c++`. Never stemmed.
    Whole,
    /// A compound inside a compound: the `file.rs` of `path/to/file.rs`. Never stemmed.
    Segment,
    /// The parts of a compound without marks: `foo_bar`, `foo-bar` and `fooBar` match as `foobar`.
    Joined,
    /// One part of a compound; `sole` when it is the only one (the `c` of `c++`).
    Part { sole: bool },
    /// A hump of `camelCase`, at the position of its word.
    Hump,
    /// A character of a run of Han, kana or Hangul; `alone` when the run has no other.
    Unigram { alone: bool },
    /// Two adjacent characters of such a run.
    Bigram,
}

impl TokenKind {
    /// Whether the token is a word with inflections.
    pub(super) fn is_stemmed(self) -> bool {
        matches!(self, Self::Word | Self::Part { .. } | Self::Hump | Self::Joined)
    }
}

/// The number of words in a compound.
pub(super) fn n_parts(compound: &str) -> usize {
    split_parts(compound).count()
}

/// A token with its text, kind, position and bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    /// Lower case, without accents.
    pub text: &'a str,
    /// Lower case with accents, for the stemmer.
    pub accented: &'a str,
    /// As written.
    pub raw: &'a str,
    pub kind: TokenKind,
    pub position: u32,
    pub start: usize,
    pub end: usize,
}

/// Passes every token of `text` to `sink`. Positions are non-decreasing, except that the parts of a
/// compound follow it.
pub(super) fn scan(text: &str, sink: &mut dyn FnMut(Token<'_>)) {
    Scanner { text, position: 0, accented: String::new(), normalized: String::new(), sink }.run();
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Letters, digits and marks of scripts that put spaces between words.
    Word,
    /// Han, Hiragana, Katakana, Bopomofo.
    Han,
    Hangul,
    /// Thai, Lao, Khmer, Burmese: words longer than a character, without spaces.
    SouthEastAsian,
    Emoji,
    Other,
}

fn class(c: char) -> Class {
    match c {
        '\0'..='\x7f' if c.is_ascii_alphanumeric() || c == '_' => Class::Word,
        '\0'..='\x7f' => Class::Other,
        '\u{e00}'..='\u{eff}'
        | '\u{1000}'..='\u{109f}'
        | '\u{1780}'..='\u{17ff}'
        | '\u{19e0}'..='\u{19ff}'
        | '\u{a9e0}'..='\u{a9ff}'
        | '\u{aa60}'..='\u{aa7f}' => {
            if c.is_alphanumeric() || is_combining_mark(c) {
                Class::SouthEastAsian
            } else {
                Class::Other
            }
        }
        '\u{3005}'..='\u{3007}'
        | '\u{3021}'..='\u{3029}'
        | '\u{3041}'..='\u{309f}'
        | '\u{30a1}'..='\u{30fa}'
        | '\u{30fc}'..='\u{30ff}'
        | '\u{3105}'..='\u{312f}'
        | '\u{31a0}'..='\u{31bf}'
        | '\u{31f0}'..='\u{31ff}'
        | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{ff66}'..='\u{ff9f}'
        | '\u{20000}'..='\u{3ffff}' => Class::Han,
        '\u{1100}'..='\u{11ff}'
        | '\u{3131}'..='\u{318e}'
        | '\u{a960}'..='\u{a97c}'
        | '\u{ac00}'..='\u{d7fb}'
        | '\u{ffa0}'..='\u{ffdc}' => Class::Hangul,
        '\u{2600}'..='\u{27bf}' | '\u{1f300}'..='\u{1faff}' => Class::Emoji,
        _ if c.is_alphanumeric() || is_combining_mark(c) => Class::Word,
        _ => Class::Other,
    }
}

/// Whether a character continues a word, besides those of the word's class.
fn extends(c: char) -> bool {
    normalize::is_ignorable(c) || is_combining_mark(c)
}

struct Scanner<'t, 's> {
    text: &'t str,
    position: u32,
    accented: String,
    normalized: String,
    sink: &'s mut dyn FnMut(Token<'_>),
}

impl Scanner<'_, '_> {
    fn run(&mut self) {
        let bytes = self.text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let byte = bytes[at];
            if byte.is_ascii() {
                at = if is_word_byte(byte) { self.word(at) } else { at + 1 };
                continue;
            }
            let c = char_at(self.text, at);
            at = match class(c) {
                Class::Word => self.word(at),
                Class::Han => self.characters(at, Class::Han),
                Class::Hangul => self.characters(at, Class::Hangul),
                Class::SouthEastAsian => self.dictionary_words(at),
                Class::Emoji => self.emoji(at, c),
                Class::Other => at + c.len_utf8(),
            };
        }
    }

    /// Emits the word or compound at `start` and returns its end.
    fn word(&mut self, start: usize) -> usize {
        let bytes = self.text.as_bytes();
        let mut end = start;
        while end < bytes.len() && bytes[end].is_ascii_alphanumeric() {
            end += 1;
        }
        // The fast path, for nine of ten words: ASCII, not joined, no capital inside.
        let is_plain =
            bytes.get(end).is_none_or(|&b| b.is_ascii() && !is_joining_byte(b) && b != b'_')
                && start.checked_sub(1).is_none_or(|before| !matches!(bytes[before], b'-' | b'.'));
        if is_plain && !bytes[start + 1..end].iter().any(u8::is_ascii_uppercase) {
            self.accented.clear();
            self.accented.extend(
                bytes[start..end.min(start + MAX_TERM_BYTES)]
                    .iter()
                    .map(|b| char::from(b.to_ascii_lowercase())),
            );
            let token = Token {
                text: &self.accented,
                accented: &self.accented,
                raw: self.text.slice(start..end),
                kind: TokenKind::Word,
                position: self.position,
                start,
                end,
            };
            (self.sink)(token);
            self.position += 1;
            return end;
        }
        let end = self.compound_end(start);
        self.compound(start, end);
        end
    }

    /// The end of the compound at `start`: word characters, and joining marks between two of them.
    fn compound_end(&self, start: usize) -> usize {
        let text = self.text;
        let mut end = start;
        loop {
            end += text
                .slice(end..)
                .find(|c: char| class(c) != Class::Word && !extends(c))
                .unwrap_or(text.len() - end);
            let rest = text.slice(end..);
            let Some(mark) = rest.chars().next() else { return end };
            let mark_len = if rest.starts_with("::") { 2 } else { mark.len_utf8() };
            let Some(after) = rest.slice(mark_len..).chars().next() else { return end };
            let before_is_digit = text.slice(..end).ends_with(|c: char| c.is_ascii_digit());
            let joins = match mark {
                '.' | '-' | '&' | '/' | '@' => true,
                ':' if mark_len == 2 => true,
                ',' | ':' => before_is_digit && after.is_ascii_digit(),
                c => normalize::is_apostrophe(c) || normalize::is_hyphen(c),
            };
            if !joins || class(after) != Class::Word {
                return end;
            }
            end += mark_len;
        }
    }

    fn compound(&mut self, start: usize, end: usize) {
        let text = self.text;
        let written = text.slice(start..end);
        if !written.bytes().any(|b| !b.is_ascii() || b.is_ascii_alphanumeric()) {
            return; // only underscores
        }
        if let Some(number) = grouped_number(written) {
            self.emit_text(&number, TokenKind::Word, start, end, 0);
            if let Some((whole, _)) = number.split_once('.') {
                self.emit_text(whole, TokenKind::Part { sole: false }, start, end, 0);
            }
            self.position += 1;
            return;
        }
        let prefix = prefix(text.slice(..start), written);
        let suffix = suffix(written, text.slice(end..));
        let parts = || split_parts(written);
        let n_parts = parts().count();
        let is_bare = prefix.is_empty() && suffix.is_empty();
        if n_parts <= 1 && is_bare && !written.starts_with('_') && !written.ends_with('_') {
            return self.part(start, written, TokenKind::Word);
        }
        let whole = format!("{prefix}{written}{suffix}");
        self.emit_text(&whole, TokenKind::Whole, start - prefix.len(), end + suffix.len(), 0);
        if prefix == "--" && n_parts > 1 {
            self.emit_text(written, TokenKind::Segment, start, end, 0);
        }
        if let Some(bare) = version(written) {
            self.emit_text(bare, TokenKind::Segment, start + 1, end, 0);
        }
        let segments: Vec<(usize, &str)> = split_segments(written).collect();
        for &(at, segment) in &segments {
            let n_inner = split_parts(segment).count();
            if segments.len() > 1 && n_inner > 1 {
                self.emit_text(
                    segment,
                    TokenKind::Segment,
                    start + at,
                    start + at + segment.len(),
                    0,
                );
            }
            if let Some(joined) = joined(segment) {
                self.emit_text(
                    &joined,
                    TokenKind::Joined,
                    start + at,
                    start + at + segment.len(),
                    0,
                );
            }
            for (inner, part) in split_parts(segment) {
                let (inner, part) = if n_parts > 1 && at + inner == 0 && version(written).is_some()
                {
                    (inner + 1, part.slice(1..))
                } else {
                    (inner, part)
                };
                self.part(start + at + inner, part, TokenKind::Part { sole: n_parts == 1 });
            }
        }
    }

    /// Emits a part of a compound, or a word with an apostrophe, an inner capital or non-ASCII
    /// letters.
    fn part(&mut self, start: usize, part: &str, kind: TokenKind) {
        let (skipped, stem) = without_clitics(part);
        let start = start + skipped;
        let end = start + stem.len();
        self.emit_text(stem, kind, start, end, 0);
        let humps = humps(stem);
        if humps.len() > 1 {
            for hump in humps {
                self.emit_text(
                    stem.slice(hump.clone()),
                    TokenKind::Hump,
                    start + hump.start,
                    start + hump.end,
                    0,
                );
            }
        }
        self.position += 1;
    }

    /// Emits `written`, normalized, and advances the position.
    fn emit_text(
        &mut self,
        written: &str,
        kind: TokenKind,
        start: usize,
        end: usize,
        advance: u32,
    ) {
        normalize::lower_into(written, &mut self.accented);
        cut(&mut self.accented);
        normalize::strip_accents_into(&self.accented, &mut self.normalized);
        cut(&mut self.normalized);
        if !self.normalized.is_empty() {
            let raw = self.text.slice(start..end);
            (self.sink)(Token {
                text: &self.normalized,
                accented: &self.accented,
                raw,
                kind,
                position: self.position,
                start,
                end,
            });
        }
        self.position += advance;
    }

    /// Emits a run of characters of one class as unigrams and bigrams, and returns its end.
    fn characters(&mut self, start: usize, wanted: Class) -> usize {
        let run_len = self
            .text
            .slice(start..)
            .find(|c: char| class(c) != wanted && !extends(c))
            .unwrap_or(self.text.len() - start);
        let characters = clusters(self.text, start, start + run_len);
        let alone = characters.len() == 1;
        for (i, &(c, from, to)) in characters.iter().enumerate() {
            self.emit_characters(&[c], TokenKind::Unigram { alone }, from, to);
            if let Some(&(next, _, next_to)) = characters.get(i + 1) {
                self.emit_characters(&[c, next], TokenKind::Bigram, from, next_to);
            }
            self.position += 1;
        }
        start + run_len
    }

    fn emit_characters(&mut self, characters: &[char], kind: TokenKind, start: usize, end: usize) {
        self.normalized.clear();
        self.normalized.extend(characters);
        let raw = self.text.slice(start..end);
        (self.sink)(Token {
            text: &self.normalized,
            accented: &self.normalized,
            raw,
            kind,
            position: self.position,
            start,
            end,
        });
    }

    /// Emits the words of a run whose boundaries take a model, and returns its end.
    fn dictionary_words(&mut self, start: usize) -> usize {
        let run_len = self
            .text
            .slice(start..)
            .find(|c: char| class(c) != Class::SouthEastAsian && !normalize::is_ignorable(c))
            .unwrap_or(self.text.len() - start);
        let run = self.text.slice(start..start + run_len);
        // Cheap: the tables are compiled in.
        let segmenter = WordSegmenter::new_lstm(WordBreakInvariantOptions::default());
        let mut from = 0;
        for to in segmenter.segment_str(run).filter(|&to| to > 0) {
            self.emit_text(run.slice(from..to), TokenKind::Word, start + from, start + to, 1);
            from = to;
        }
        start + run_len
    }

    fn emoji(&mut self, start: usize, c: char) -> usize {
        let end = start + c.len_utf8();
        self.emit_characters(&[c], TokenKind::Unigram { alone: true }, start, end);
        self.position += 1;
        end
    }
}

fn is_word_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

/// May join two words, or end a name (`C++`, `C#`).
fn is_joining_byte(b: u8) -> bool {
    matches!(b, b'.' | b'-' | b'&' | b'/' | b'@' | b':' | b',' | b'\'' | b'+' | b'#')
}

fn char_at(text: &str, at: usize) -> char {
    text.slice(at..).chars().next().unwrap_or('\0')
}

fn cut(term: &mut String) {
    if term.len() > MAX_TERM_BYTES {
        let end = (0..=MAX_TERM_BYTES).rev().find(|&at| term.is_char_boundary(at)).unwrap_or(0);
        shorten(term, end);
    }
}

/// `1,234,567`, `1,234.5` and `1.234,5` as `1234567` and `1234.5`; `None` for anything else.
fn grouped_number(written: &str) -> Option<String> {
    number_in_groups(written, ',', '.')
        // Without its comma, `1.234` is a fraction or a version.
        .or_else(|| number_in_groups(written, '.', ',').filter(|number| number.contains('.')))
}

fn number_in_groups(written: &str, between: char, point: char) -> Option<String> {
    let (whole, fraction) = written
        .split_once(point)
        .map_or((written, None), |(whole, fraction)| (whole, Some(fraction)));
    let mut groups = whole.split(between);
    let is_number = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let first = groups.next().filter(|g| (1..=3).contains(&g.len()) && is_number(g))?;
    let rest: Vec<&str> = groups.collect();
    let is_grouped = !rest.is_empty()
        && rest.iter().all(|g| g.len() == 3 && is_number(g))
        && fraction.is_none_or(|f| !f.is_empty() && is_number(f));
    is_grouped.then(|| {
        let mut number = first.to_owned() + &rest.concat();
        if let Some(fraction) = fraction {
            number = number + "." + fraction;
        }
        number
    })
}

/// The leading mark of a name: `--verbose`, `-k`, `.NET`.
fn prefix(before: &str, written: &str) -> &'static str {
    let opens = |before: &str| {
        before.chars().next_back().is_none_or(|c| c.is_whitespace() || "([{<`\"'=,|/*".contains(c))
    };
    if let Some(before) = before.strip_suffix("--") {
        return if opens(before) { "--" } else { "" };
    }
    if let Some(before) = before.strip_suffix('-') {
        return if opens(before) && written.len() == 1 { "-" } else { "" };
    }
    if let Some(before) = before.strip_suffix('.') {
        return if opens(before) && !before.ends_with('.') { "." } else { "" };
    }
    ""
}

/// The trailing mark of a name: `C++`, `C#`.
fn suffix(written: &str, after: &str) -> &'static str {
    let ends = |after: &str| {
        after.chars().next().is_none_or(|c| class(c) != Class::Word && c != '+' && c != '#')
    };
    if after.strip_prefix("++").is_some_and(ends) {
        return "++";
    }
    let last = split_parts(written).last().map_or("", |(_, part)| part);
    if last.len() == 1
        && last.as_bytes()[0].is_ascii_alphabetic()
        && after.strip_prefix('#').is_some_and(ends)
    {
        "#"
    } else {
        ""
    }
}

/// The `1.2.3` of `v1.2.3`.
fn version(written: &str) -> Option<&str> {
    let number = written.strip_prefix(['v', 'V'])?;
    let leads = number.split('.').next()?;
    (number.contains('.') && !leads.is_empty() && leads.bytes().all(|b| b.is_ascii_digit()))
        .then_some(number)
}

/// The names between `/`, `::`, `@` and `:`, with their offsets.
fn split_segments(written: &str) -> impl Iterator<Item = (usize, &str)> {
    split_nonempty(written, |c| matches!(c, '/' | ':' | '@'))
}

/// The words between joining marks, with their offsets. Apostrophes do not separate words.
fn split_parts(written: &str) -> impl Iterator<Item = (usize, &str)> {
    split_nonempty(written, |c| {
        matches!(c, '/' | ':' | '@' | '.' | '_' | '&' | ',') || normalize::is_hyphen(c)
    })
}

fn split_nonempty(
    written: &str,
    divides: impl Fn(char) -> bool,
) -> impl Iterator<Item = (usize, &str)> {
    let origin = written.as_ptr() as usize;
    written
        .split(divides)
        .filter(|token| !token.is_empty())
        .map(move |token| (token.as_ptr() as usize - origin, token))
}

/// Fewest digits of a number that is written with hyphens: an ISBN, a telephone number, a date.
const MIN_JOINED_DIGITS: usize = 8;

/// The words of a short compound without marks; `None` where that would merge short numbers, or two
/// sentences whose full stop lacks a space.
fn joined(segment: &str) -> Option<String> {
    let mut joined = String::new();
    let mut n_parts = 0;
    let mut has_letter = false;
    let mut all_single = true;
    for (_, part) in split_parts(segment) {
        n_parts += 1;
        all_single &= part.chars().count() == 1;
        has_letter |= part.chars().any(char::is_alphabetic);
        joined.push_str(part);
    }
    let dots_fit = !segment.contains('.') || n_parts == 2 || all_single;
    let is_number = joined.len() >= MIN_JOINED_DIGITS
        && segment.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    ((2..=5).contains(&n_parts)
        && (has_letter || is_number)
        && dots_fit
        && version(segment).is_none()
        && joined.len() <= MAX_TERM_BYTES)
        .then_some(joined)
}

/// Elided words of French, Italian and Catalan.
const ELIDED: &[&str] = &[
    "l", "d", "j", "m", "t", "s", "n", "c", "qu", "jusqu", "lorsqu", "puisqu", "quoiqu", "un",
    "all", "dall", "dell", "nell", "sull", "quell", "bell", "sant",
];

/// English clitics.
const CLITICS: &[&str] = &["s", "ll", "re", "ve", "m", "d"];

/// The word inside *Newton's*, *we'll* and *l'homme*, and the number of bytes before it. *Don't*
/// and *O'Brien* stay whole: normalization drops their apostrophe.
fn without_clitics(part: &str) -> (usize, &str) {
    let Some((at, mark)) = part.char_indices().rfind(|&(_, c)| normalize::is_apostrophe(c)) else {
        return (0, part);
    };
    let (before, after) = (part.slice(..at), part.slice(at + mark.len_utf8()..));
    let is_one_of =
        |list: &[&str], word: &str| list.iter().any(|entry| entry.eq_ignore_ascii_case(word));
    if before.is_empty() || after.is_empty() {
        return (0, part);
    }
    if is_one_of(CLITICS, after) {
        let (skipped, word) = without_clitics(before);
        return (skipped, word);
    }
    if is_one_of(ELIDED, before) && after.chars().count() > 1 {
        return (at + mark.len_utf8(), after);
    }
    (0, part)
}

/// The humps of `camelCase` and `HTTPServer`. A hump has at least two letters: `iPhone`, `PhD` and
/// `IPv6` have none.
fn humps(word: &str) -> Vec<std::ops::Range<usize>> {
    let mut cuts = vec![0];
    let mut before = ' ';
    let mut letters = word.char_indices().peekable();
    while let Some((at, c)) = letters.next() {
        let next_is_lower = letters.peek().is_some_and(|&(_, next)| next.is_lowercase());
        let rises = c.is_uppercase()
            && (before.is_lowercase()
                || before.is_ascii_digit()
                || (before.is_uppercase() && next_is_lower));
        if rises && at > 0 {
            cuts.push(at);
        }
        before = c;
    }
    if cuts.len() == 1 {
        return Vec::new();
    }
    cuts.push(word.len());
    cuts.windows(2)
        .map(|cut| cut[0]..cut[1])
        .filter(|hump| word.slice(hump.clone()).chars().filter(|c| c.is_alphabetic()).count() > 1)
        .collect()
}

/// The characters of a run with their bytes, composed and in compatibility form: half-width kana
/// with a voicing mark and Hangul typed as letters become one character each.
fn clusters(text: &str, start: usize, end: usize) -> Vec<(char, usize, usize)> {
    let attaches = |c: char| {
        is_combining_mark(c) || matches!(c, '\u{1160}'..='\u{11ff}' | '\u{ff9e}' | '\u{ff9f}')
    };
    let mut clusters = Vec::new();
    let mut from = start;
    while from < end {
        let mut rest = text.slice(from..end).char_indices();
        rest.next();
        let to = rest
            .find(|&(_, c)| !attaches(c) && !normalize::is_ignorable(c))
            .map_or(end, |(at, _)| from + at);
        let cluster = text.slice(from..to).chars().filter(|&c| !normalize::is_ignorable(c));
        clusters.extend(cluster.nfkc().map(|c| (c, from, to)));
        from = to;
    }
    clusters
}
