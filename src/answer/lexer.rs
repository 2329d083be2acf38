//! Recognizes what a text begins with: a mark, a link, a tag, an address.
//!
//! A function that needs more text to decide says so. A decision holds for every continuation of
//! the text.

use crate::strings::StrExt as _;

/// Longest constructs in bytes. What closes later is plain text.
const MAX_MARK: usize = 64;
const MAX_LABEL: usize = 300;
const MAX_TARGET: usize = 2000;
const MAX_TAG: usize = 2000;
/// Longest run of letters that may begin an address.
const MAX_WORD: usize = 200;
/// Widest range of numbers in one mark.
const MAX_RANGE: usize = 20;

/// Tags around the reasoning of a model.
pub(super) const THINK: [&str; 2] = ["<think>", "<thinking>"];
pub(super) const THOUGHT: [&str; 2] = ["</think>", "</thinking>"];

/// A decision that may need more text.
pub(super) enum Recognized<T> {
    Yes(T),
    No,
    /// More text is needed.
    Wait,
}

impl<T> Recognized<T> {
    fn and_then<U>(self, then: impl FnOnce(T) -> Recognized<U>) -> Recognized<U> {
        match self {
            Self::Yes(found) => then(found),
            Self::No => Recognized::No,
            Self::Wait => Recognized::Wait,
        }
    }

    /// `None` while undecided.
    #[expect(clippy::option_option, reason = "the outer one is for `?`")]
    pub fn decided(self) -> Option<Option<T>> {
        match self {
            Self::Yes(found) => Some(Some(found)),
            Self::No => Some(None),
            Self::Wait => None,
        }
    }
}

/// The position of the first `is_stop` in `text`, if that is within `max` bytes.
fn stop(text: &str, max: usize, is_end: bool, is_stop: impl Fn(char) -> bool) -> Recognized<usize> {
    match text.find(is_stop) {
        Some(at) if at <= max => Recognized::Yes(at),
        Some(_) => Recognized::No,
        None if is_end || text.len() > max => Recognized::No,
        None => Recognized::Wait,
    }
}

/// The numbers of a mark: `[1]`, `[1, 2]`, `[1-3]`, `[^1]`, `[source 1]`, `【1】`, `【1†source】`.
pub(super) fn marks(rest: &str, is_end: bool) -> Recognized<(usize, Vec<usize>)> {
    let (open, close) = if rest.starts_with('[') { ('[', ']') } else { ('【', '】') };
    let inside = rest.slice(open.len_utf8()..);
    let is_part = |c: char| c.is_alphanumeric() || " ,;&^#.:-–—†".contains(c);
    stop(inside, MAX_MARK, is_end, |c| !is_part(c)).and_then(|end| {
        if !inside.slice(end..).starts_with(close) {
            return Recognized::No;
        }
        let body = inside.slice(..end);
        let numbers = if open == '【' { note_numbers(body) } else { all_numbers(body) };
        let len = open.len_utf8() + end + close.len_utf8();
        numbers.map_or(Recognized::No, |numbers| Recognized::Yes((len, numbers)))
    })
}

/// The numbers of `1†source`. Those of `4:0†source` count messages, not sources.
fn note_numbers(body: &str) -> Option<Vec<usize>> {
    match body.split_once('†') {
        Some((numbers, _)) if numbers.contains(':') => Some(Vec::new()),
        Some((numbers, _)) => all_numbers(numbers),
        None => all_numbers(body),
    }
}

/// The numbers of a list. Sources count from 1, so a list with 0 is an interval or an index.
fn all_numbers(body: &str) -> Option<Vec<usize>> {
    let body = body.replace(" and ", ",");
    let items = body.split([',', ';', '&']).map(numbers);
    let numbers = items.collect::<Option<Vec<_>>>()?.concat();
    (!numbers.contains(&0)).then_some(numbers)
}

/// One number or range, with or without a label.
fn numbers(item: &str) -> Option<Vec<usize>> {
    let item = item.trim().trim_start_matches('^');
    let digits = item.find(|c: char| c.is_ascii_digit())?;
    let label = item.slice(..digits).trim_end_matches([' ', '#', '.', ':']).to_lowercase();
    const LABELS: [&str; 14] = [
        "",
        "source",
        "sources",
        "src",
        "ref",
        "reference",
        "cite",
        "citation",
        "document",
        "doc",
        "passage",
        "quelle",
        "fuente",
        "来源",
    ];
    if !LABELS.contains(&label.as_str()) {
        return None;
    }
    let number = |digits: &str| {
        let is_number =
            (1..=6).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        if is_number { digits.parse::<usize>().ok() } else { None }
    };
    match item.slice(digits..).split_once(['-', '–', '—']) {
        None => Some(vec![number(item.slice(digits..))?]),
        Some((first, last)) => {
            let (first, last) = (number(first.trim())?, number(last.trim())?);
            let is_range = first <= last && last - first <= MAX_RANGE;
            Some(if is_range { (first..=last).collect() } else { vec![first, last] })
        }
    }
}

/// Whether `rest` begins with `[label](target)`, the label without brackets.
pub(super) fn link(rest: &str, is_image: bool, is_end: bool) -> Recognized<()> {
    let inside = rest.slice(1..);
    let is_stop = |c| matches!(c, '[' | ']' | '\n' | '`');
    stop(inside, MAX_LABEL, is_end, is_stop).and_then(|end| {
        match inside.slice(end..).strip_prefix(']') {
            Some(after) => target(after, is_image, is_end).and_then(|_| Recognized::Yes(())),
            None => Recognized::No,
        }
    })
}

/// `(target "title")` after a label: its length and the target. `f[T](x)` is not a link, because a
/// link's target has a dot, a slash or the like.
pub(super) fn target(rest: &str, is_image: bool, is_end: bool) -> Recognized<(usize, String)> {
    if rest.is_empty() && !is_end {
        return Recognized::Wait;
    }
    let Some(inside) = rest.strip_prefix('(') else { return Recognized::No };
    let mut depth = 0;
    let mut close = None;
    for (at, c) in inside.char_indices() {
        match c {
            _ if at > MAX_TARGET => return Recognized::No,
            '\n' => return Recognized::No,
            '(' => depth += 1,
            ')' if depth == 0 => {
                close = Some(at);
                break;
            }
            ')' => depth -= 1,
            _ => {}
        }
    }
    let Some(close) = close else { return if is_end { Recognized::No } else { Recognized::Wait } };
    let body = inside.slice(..close).trim();
    let (address, title) = body.split_once([' ', '\t']).unwrap_or((body, ""));
    let is_title = |text: &str| text.is_empty() || text.starts_with(['"', '\'', '(']);
    let is_target = is_title(title.trim())
        && (is_image || body.is_empty() || address.contains(['.', '/', ':', '#', '<']));
    if !is_target {
        return Recognized::No;
    }
    let address = address.trim_start_matches('<').trim_end_matches('>');
    Recognized::Yes((close + 2, address.to_owned()))
}

/// An HTML tag that would change a page.
pub(super) enum Tag {
    /// Its length in bytes.
    Active(usize),
    /// It may never close.
    Unclosed,
}

/// Classifies a `<`.
pub(super) fn tag(rest: &str, is_end: bool) -> Recognized<Tag> {
    const ACTIVE: [&str; 28] = [
        "a", "area", "audio", "base", "body", "button", "embed", "form", "frame", "html", "iframe",
        "image", "img", "input", "link", "math", "meta", "object", "picture", "portal", "script",
        "source", "style", "svg", "track", "video", "template", "noscript",
    ];
    let inside = rest.slice(1..);
    if inside.is_empty() && !is_end {
        return Recognized::Wait;
    }
    let name = inside.strip_prefix('/').unwrap_or(inside);
    let Some(name_len) = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '-') else {
        return if is_end || name.len() > MAX_MARK { Recognized::No } else { Recognized::Wait };
    };
    if name_len == 0 || name_len > MAX_MARK {
        return Recognized::No;
    }
    let is_active = ACTIVE.contains(&name.slice(..name_len).to_ascii_lowercase().as_str());
    if !is_active && !name.slice(name_len..).starts_with([' ', '\t', '\n', '/']) {
        return Recognized::No;
    }
    match stop(inside, MAX_TAG, is_end, |c| matches!(c, '>' | '\n')) {
        Recognized::Yes(close) if inside.slice(close..).starts_with('>') => {
            let attributes = inside.slice(..close).to_ascii_lowercase();
            let acts = ["style", "src", "href", "background", " on"]
                .iter()
                .any(|word| attributes.contains(word));
            if is_active || acts && attributes.contains('=') {
                Recognized::Yes(Tag::Active(close + 2))
            } else {
                Recognized::No
            }
        }
        Recognized::Yes(_) | Recognized::No => Recognized::Yes(Tag::Unclosed),
        Recognized::Wait => Recognized::Wait,
    }
}

/// A word or an address, with its length in bytes.
pub(super) enum Address {
    Word(usize),
    Address(usize),
}

/// Classifies a letter, a digit or a colon: `scheme://…`, `www.…`, `javascript:…`. `None` while
/// more text is needed.
pub(super) fn word(rest: &str, is_end: bool) -> Option<Address> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '.' | '-');
    let n = rest.find(|c| !is_part(c)).unwrap_or(rest.len()).min(MAX_WORD);
    if n == rest.len() && n < MAX_WORD && !is_end {
        return None;
    }
    let after = rest.slice(n..);
    let is_www = rest.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("www.")) && n > 4;
    if is_www || after.starts_with("://") {
        return address_len(rest, if is_www { 4 } else { n }, is_end).map(Address::Address);
    }
    if after.len() < 3 && "://".starts_with(after) && !is_end {
        return None;
    }
    if is_script(rest) && after.slice(1..).starts_with(|c: char| !c.is_whitespace()) {
        return address_len(rest, n + 1, is_end).map(Address::Address);
    }
    Some(Address::Word(n.max(1)))
}

/// Whether an address is executed or carries its own content.
pub(super) fn is_script(address: &str) -> bool {
    ["javascript:", "vbscript:", "data:"].iter().any(|scheme| {
        address.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme))
    })
}

/// Length of an address whose first `known` bytes are certain; `None` while more text is needed.
fn address_len(rest: &str, known: usize, is_end: bool) -> Option<usize> {
    let is_part =
        |c: char| c.is_alphanumeric() || c.is_ascii_graphic() && !"<>\"`'()[]{}|\\^".contains(c);
    let end = match rest.slice(known..).find(|c| !is_part(c)) {
        Some(end) => known + end,
        None if is_end => rest.len(),
        None => return None,
    };
    Some(
        rest.slice(..end)
            .trim_end_matches(['.', ',', ';', ':', '!', '?', '*', '_', '~'])
            .len()
            .max(known),
    )
}
