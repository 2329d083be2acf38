//! Lines of `AsciiDoc` that begin a section, `== Title` or a line above an underline, or an entry,
//! `term:: meaning`.

use crate::strings::StrExt as _;

/// The level of a heading, and where its text starts.
pub(super) fn heading(line: &str) -> Option<(u8, usize)> {
    let mark = line.chars().next().filter(|c| matches!(c, '=' | '#'))?;
    let n = line.len() - line.trim_start_matches(mark).len();
    let level = u8::try_from(n).ok().filter(|n| *n <= 6)?;
    line.slice(n..).starts_with(' ').then_some((level, n + 1))
}

/// The level of a title by the line below it, which is about as long.
pub(super) fn underlined(line: &str, next: &str) -> Option<u8> {
    /// By how many characters the lengths may differ.
    const TOLERANCE: usize = 2;
    let next = next.trim_end();
    let mark = next.chars().next()?;
    let level = 1 + u8::try_from("=-~^+".find(mark)?).ok()?;
    let is_underline = next.len() >= 2 && next.chars().all(|c| c == mark);
    let is_title =
        !line.starts_with([' ', '\t', '.', '[', ':', '/']) && line.contains(char::is_alphanumeric);
    let fits = line.chars().count().abs_diff(next.len()) <= TOLERANCE;
    // The shortest line may also begin a listing: `Run:` announces one.
    let announces = line.ends_with(':') && next.len() <= 4;
    (is_underline && is_title && fits && !announces).then_some(level)
}

/// A line that begins an entry.
pub(super) struct Term<'a> {
    pub(super) text: &'a str,
    /// `::` or more colons by the depth of the list, or `;;`.
    pub(super) mark: &'a str,
    pub(super) meaning: &'a str,
}

/// The term of `term:: meaning`.
pub(super) fn term(line: &str) -> Option<Term<'_>> {
    let at = line.find("::").into_iter().chain(line.find(";;")).min()?;
    let (text, rest) = line.parted(at);
    let len = match rest.starts_with(':') {
        true => rest.len() - rest.trim_start_matches(':').len(),
        false => 2,
    };
    let (mark, meaning) = rest.parted(len);
    let is_term = !text.trim().is_empty() && text.len() <= 120 && !text.contains("http");
    let ends = meaning.is_empty() || meaning.starts_with([' ', '\t']);
    (is_term && ends).then_some(Term { text, mark, meaning })
}
