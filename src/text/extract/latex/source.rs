//! The source of a LaTeX document: groups, options, comments, and the macros that it defines.

use std::collections::HashMap;

use crate::strings::StrExt as _;

/// Longer arguments have an unclosed brace.
pub(super) const MAX_ARGUMENT_BYTES: usize = 20_000;

/// The argument of the last command of this name that is not in a comment.
pub(super) fn stated<'a>(source: &'a str, name: &str) -> Option<&'a str> {
    let command = format!("\\{name}");
    let found = source.match_indices(&command).filter(|(at, _)| !is_commented(source, *at));
    found
        .filter_map(|(at, _)| {
            let at = skip_options(source, at + command.len());
            group(source, at).map(|(start, end)| source.slice(start..end))
        })
        .last()
}

pub(super) struct Macro {
    pub(super) n_arguments: usize,
    /// The first argument is optional.
    pub(super) default: Option<String>,
    pub(super) body: String,
}

/// The macros that a document defines without `#` marks in their names.
pub(super) fn macros(source: &str) -> HashMap<String, Macro> {
    const DEFINERS: [&str; 5] =
        ["\\newcommand", "\\renewcommand", "\\providecommand", "\\DeclareRobustCommand", "\\def"];
    let mut found = HashMap::new();
    for definer in DEFINERS {
        for (at, _) in source.match_indices(definer) {
            if !is_commented(source, at)
                && let Some((name, defined)) = definition(source, at + definer.len())
            {
                found.insert(name, defined.0);
            }
        }
    }
    found
}

/// The name and the body of a macro after `\newcommand`, and the end of its definition.
pub(super) fn definition(source: &str, at: usize) -> Option<(String, (Macro, usize))> {
    let bytes = source.as_bytes();
    let mut at = at + usize::from(bytes.get(at) == Some(&b'*'));
    let braced = bytes.get(at) == Some(&b'{');
    at += usize::from(braced);
    if bytes.get(at) != Some(&b'\\') {
        return None;
    }
    let len = name_len(source, at + 1);
    let name = source.slice(at + 1..at + 1 + len).to_owned();
    at += 1 + len + usize::from(braced);
    let (mut n_arguments, mut default) = (0, None);
    while let Some((start, end)) = option(source, at) {
        match source.slice(start..end).parse() {
            Ok(n) if n_arguments == 0 => n_arguments = n,
            _ => default = Some(source.slice(start..end).to_owned()),
        }
        at = end + 1;
    }
    while bytes.get(at) == Some(&b'#') {
        n_arguments += 1;
        at += 2;
    }
    let (start, end) = group(source, at)?;
    let body = source.slice(start..end).to_owned();
    (!name.is_empty()).then_some((name, (Macro { n_arguments, default, body }, end + 1)))
}

/// Whether a `%` before `at` on its line makes it a comment.
pub(super) fn is_commented(source: &str, at: usize) -> bool {
    let before = &source.as_bytes()[..at];
    let start =
        before.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1).max(at.saturating_sub(400));
    let line = &before[start..];
    line.iter().enumerate().any(|(i, b)| *b == b'%' && (i == 0 || line[i - 1] != b'\\'))
}

/// The number of letters of a command.
pub(super) fn name_len(source: &str, at: usize) -> usize {
    let is_letter = |b: &&u8| b.is_ascii_alphabetic() || **b == b'@';
    source.as_bytes().get(at..).map_or(0, |rest| rest.iter().take_while(is_letter).count())
}

/// The content of the braces that follow, after white space.
pub(super) fn group(source: &str, at: usize) -> Option<(usize, usize)> {
    delimited(source, skip_space(source, at), b'{', b'}')
}

/// The content of the brackets that follow immediately.
pub(super) fn option(source: &str, at: usize) -> Option<(usize, usize)> {
    delimited(source, at, b'[', b']')
}

/// The content of the braces around an address, where `%` begins no comment.
pub(super) fn address(source: &str, at: usize) -> Option<(usize, usize)> {
    let at = skip_space(source, at);
    let inner = source.slice(at..).strip_prefix('{')?;
    let mut depth = 1_usize;
    for (n, b) in inner.bytes().enumerate().take(MAX_ARGUMENT_BYTES) {
        match b {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            b'\n' if inner.slice(n + 1..).starts_with('\n') => return None,
            _ => {}
        }
        if depth == 0 {
            return Some((at + 1, at + 1 + n));
        }
    }
    None
}

pub(super) fn delimited(source: &str, at: usize, open: u8, close: u8) -> Option<(usize, usize)> {
    let rest = source.as_bytes().get(at..)?;
    if rest.first() != Some(&open) {
        return None;
    }
    let mut depth = 0_usize;
    let mut i = 0;
    while i < rest.len().min(MAX_ARGUMENT_BYTES) {
        match rest[i] {
            b'\\' => i += 1,
            b'%' => i += rest[i..].iter().position(|b| *b == b'\n').unwrap_or(rest.len()),
            b if b == close && (close == b'}' || depth == 1) => {
                depth -= 1;
                if depth == 0 {
                    return Some((at + 1, at + i));
                }
            }
            b if b == open || b == b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1).max(1),
            _ => {}
        }
        i += 1;
    }
    None
}

pub(super) fn skip_space(source: &str, at: usize) -> usize {
    let rest = source.as_bytes().get(at..).unwrap_or_default();
    let mut n_lines = 0;
    let is_gap = |b: &&u8| {
        n_lines += usize::from(**b == b'\n');
        b.is_ascii_whitespace() && n_lines < 2
    };
    at + rest.iter().take_while(is_gap).count()
}

pub(super) fn skip_options(source: &str, at: usize) -> usize {
    let mut at = at + usize::from(source.as_bytes().get(at) == Some(&b'*'));
    while let Some((_, end)) = option(source, at) {
        at = end + 1;
    }
    at
}
