//! Marks inside a line of `AsciiDoc`: macros, references and emphasis.

use crate::strings::StrExt as _;

/// `<<target,text>>`: the text, or the target in words.
pub(super) fn cross_reference(text: &str) -> (usize, Option<String>) {
    const MAX_BYTES: usize = 200;
    let Some(end) = text.slice(2..).find(">>").filter(|end| *end < MAX_BYTES) else {
        return (0, None);
    };
    let inner = text.slice(2..2 + end);
    let shown = match inner.split_once(',') {
        Some((_, shown)) => shown.trim().to_owned(),
        None => inner.trim_start_matches(['_', '#']).replace(['_', '-'], " "),
    };
    (end + 4, Some(shown))
}

/// The length and the text of `name:target[text]` at the start of a text.
pub(super) fn inline_macro(text: &str) -> (usize, Option<String>) {
    const NAMES: [&str; 17] = [
        "latexmath:",
        "asciimath:",
        "link:",
        "xref:",
        "image::",
        "image:",
        "footnote:",
        "kbd:",
        "btn:",
        "menu:",
        "mailto:",
        "https://",
        "http://",
        "indexterm:",
        "pass:",
        "stem:",
        "icon:",
    ];
    const MAX_BYTES: usize = 2000;
    if let Some(found) = manual_page(text) {
        return found;
    }
    let Some(name) = NAMES.iter().find(|name| text.starts_with(**name)) else { return (0, None) };
    let ends = text.find(|c: char| c == '[' || c.is_whitespace()).unwrap_or(text.len());
    if *name == "latexmath:" || *name == "asciimath:" || *name == "stem:" {
        let close = text.slice(ends..).find(']').filter(|n| *n < MAX_BYTES && *n > 0).unwrap_or(0);
        return (
            if close > 0 { ends + close + 1 } else { 0 },
            Some(
                text.slice(ends + usize::from(close > 0)..ends + close)
                    .trim_matches('$')
                    .to_owned(),
            ),
        );
    }
    if !text.slice(ends..).starts_with('[') {
        return (0, None);
    }
    let Some(close) = text.slice(ends..).find(']').filter(|n| *n < MAX_BYTES) else {
        return (0, None);
    };
    let inner = text.slice(ends + 1..ends + close).trim_matches('"');
    let target = text.slice(name.len()..ends);
    let shown = match *name {
        "footnote:" => format!(" ({inner})"),
        "indexterm:" => String::new(),
        "image::" | "image:" | "icon:" => inner.split(',').next().unwrap_or_default().to_owned(),
        "menu:" => format!("{target} > {inner}"),
        "pass:" => without_tags(inner),
        _ if inner.is_empty() => {
            text.slice(..ends).trim_start_matches("link:").trim_start_matches("xref:").to_owned()
        }
        _ => inner.split(",window=").next().unwrap_or_default().trim_end_matches('^').to_owned(),
    };
    (ends + close + 1, Some(shown))
}

/// A reference to a manual page, `linkgit:git-pull[1]`.
fn manual_page(text: &str) -> Option<(usize, Option<String>)> {
    const NAMES: [&str; 4] = ["linkgit:", "gitlink:", "man:", "manpage:"];
    const MAX_BYTES: usize = 200;
    let name = NAMES.iter().find(|name| text.starts_with(**name))?;
    let end = text.find(']').filter(|end| *end < MAX_BYTES)?;
    let (page, section) = text.slice(name.len()..end).split_once('[')?;
    let is_name = !page.is_empty() && !page.contains(char::is_whitespace);
    let is_section = section.starts_with(|c: char| c.is_ascii_digit()) && section.len() <= 5;
    let shown = if section.is_empty() { page.to_owned() } else { format!("{page}({section})") };
    (is_name && (section.is_empty() || is_section)).then(|| (end + 1, Some(shown)))
}

/// Whether text between ticks is code. Between quotation marks, words with ticks are in curved
/// quotation marks: "`so`".
pub(super) fn shows_ticks(inner: &str, before: char) -> bool {
    !matches!(before, '"' | '\'') || !inner.starts_with(char::is_alphabetic)
}

/// The length of the mark at the start of `text`, and the offset of the mark that closes it.
pub(super) fn emphasis(text: &str, mark: char, before: char) -> Option<(usize, usize)> {
    const MAX_BYTES: usize = 300;
    let double = format!("{mark}{mark}");
    if text.starts_with(&double) {
        let len = text.slice(2..).find(&double).filter(|len| (1..MAX_BYTES).contains(len))?;
        return Some((2, len + 2));
    }
    let inner = text.slice(1..);
    if before.is_alphanumeric() || inner.starts_with(char::is_whitespace) {
        return None;
    }
    inner.match_indices(mark).take_while(|(at, _)| *at < MAX_BYTES).find_map(|(at, _)| {
        let follows = inner.slice(at + 1..).chars().next();
        let ends_word = at > 0 && !inner.slice(..at).ends_with(char::is_whitespace);
        (ends_word && follows.is_none_or(|c| !c.is_alphanumeric())).then_some((1, at + 1))
    })
}

/// `+++text+++`, which passes HTML on.
pub(super) fn passed(text: &str) -> (usize, Option<String>) {
    const MAX_BYTES: usize = 2000;
    match text.slice(3..).find("+++").filter(|len| (1..MAX_BYTES).contains(len)) {
        Some(len) => (len + 6, Some(without_tags(text.slice(3..3 + len)))),
        None => (0, None),
    }
}

fn without_tags(html: &str) -> String {
    let mut shown = String::new();
    let mut in_tag = false;
    for c in html.chars() {
        match c {
            '<' => in_tag = true,
            '>' if in_tag => in_tag = false,
            c if !in_tag => shown.push(c),
            _ => {}
        }
    }
    shown
}

/// Lowered and raised text: `H~2~O`, `x^2^`.
pub(super) fn script(text: &str) -> (usize, Option<String>) {
    const MAX_BYTES: usize = 30;
    let Some(mark) = text.chars().next() else { return (0, None) };
    let inner = text.slice(1..);
    match inner.find(mark).filter(|len| (1..MAX_BYTES).contains(len)) {
        Some(len) if !inner.slice(..len).contains(char::is_whitespace) => {
            (len + 2, Some(inner.slice(..len).to_owned()))
        }
        _ => (0, None),
    }
}

/// `(C)` and the like.
pub(super) fn symbol(text: &str) -> (usize, Option<String>) {
    let found = [("(C)", "©"), ("(R)", "®"), ("(TM)", "™")];
    let found = found.into_iter().find(|(mark, _)| text.starts_with(mark));
    found.map_or((0, None), |(mark, shown)| (mark.len(), Some(shown.to_owned())))
}
