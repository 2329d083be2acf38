//! Marks that a package changes: the shorthands of German, overlays of slides, named theorems.

use std::collections::HashMap;

use super::source::{group, is_commented, option};
use crate::strings::StrExt as _;

/// Whether the document writes `"a` for `ä`.
pub(super) fn has_german_shorthands(source: &str) -> bool {
    const NAMES: [&str; 6] = ["german", "ngerman", "austrian", "naustrian", "swissgerman", "dutch"];
    let preamble = source.split("\\begin{document}").next().unwrap_or_default();
    let is_named = |options: &str| {
        options.split([',', '{', '}', '=']).any(|name| NAMES.contains(&name.trim()))
    };
    preamble.lines().any(|line| {
        let line = line.trim_start();
        let loads = line.starts_with("\\usepackage") || line.starts_with("\\documentclass");
        loads && line.split(['[', ']']).any(is_named)
    })
}

/// What a shorthand shows: the text for the character after `"`.
pub(super) fn shorthand(next: char) -> Option<&'static str> {
    Some(match next {
        'a' => "ä",
        'o' => "ö",
        'u' => "ü",
        'A' => "Ä",
        'O' => "Ö",
        'U' => "Ü",
        's' | 'z' => "ß",
        '`' => "„",
        '\'' => "“",
        '<' => "«",
        '>' => "»",
        '=' | '~' => "-",
        '-' | '"' | '|' => "",
        _ => return None,
    })
}

/// The offset after the overlay of a slide, such as `<2->`, if there is one.
pub(super) fn skip_overlay(source: &str, at: usize) -> usize {
    let Some(inner) = source.slice(at..).strip_prefix('<') else { return at };
    let len = inner.bytes().take(24).take_while(|b| b"0123456789-,+.|@ ".contains(b)).count();
    if len > 0 && inner.slice(len..).starts_with('>') { at + len + 2 } else { at }
}

/// The environments that a document names with `\newtheorem`, and what they are called.
pub(super) fn theorems(source: &str) -> HashMap<String, String> {
    let mut found = HashMap::new();
    for (at, definer) in source.match_indices("\\newtheorem") {
        let at = at + definer.len() + usize::from(source.slice(at..).starts_with("\\newtheorem*"));
        let Some((from, to)) = group(source, at).filter(|_| !is_commented(source, at)) else {
            continue;
        };
        let next = option(source, to + 1).map_or(to + 1, |(_, end)| end + 1);
        if let Some((start, end)) = group(source, next) {
            found.insert(source.slice(from..to).to_owned(), source.slice(start..end).to_owned());
        }
    }
    found
}
