//! Marks that a package changes: the shorthands of German, overlays of slides, named theorems.

use std::collections::HashMap;

use super::source::{group, is_commented, option};
use crate::strings::StrExt as _;

const GERMAN: [&str; 5] = ["german", "ngerman", "austrian", "naustrian", "swissgerman"];

/// Whether the document is in German, by the options of its preamble.
pub(super) fn is_german(source: &str) -> bool {
    names_language(source, &|name| GERMAN.contains(&name))
}

/// Whether the document writes `"a` for `ä`.
pub(super) fn has_german_shorthands(source: &str) -> bool {
    names_language(source, &|name| GERMAN.contains(&name) || name == "dutch")
}

fn names_language(source: &str, is_it: &dyn Fn(&str) -> bool) -> bool {
    let preamble = source.split("\\begin{document}").next().unwrap_or_default();
    let is_named =
        |options: &str| options.split([',', '{', '}', '=']).any(|name| is_it(name.trim()));
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

/// An environment that a document names with `\newtheorem`.
pub(super) struct Theorem {
    /// What it is called.
    pub(super) shown: String,
    /// What counts it; none without a number, and where the number is that of a section, too.
    pub(super) counter: Option<String>,
}

/// The theorems of a document, by the names of their environments.
pub(super) fn theorems(source: &str) -> HashMap<String, Theorem> {
    let mut found = HashMap::new();
    for (at, definer) in source.match_indices("\\newtheorem") {
        let is_starred = source.slice(at..).starts_with("\\newtheorem*");
        let at = at + definer.len() + usize::from(is_starred);
        let Some((from, to)) = group(source, at).filter(|_| !is_commented(source, at)) else {
            continue;
        };
        let shared = option(source, to + 1);
        let next = shared.map_or(to + 1, |(_, end)| end + 1);
        if let Some((start, end)) = group(source, next) {
            let (counting, counted) = shared.unwrap_or((from, to));
            let is_within = option(source, end + 1).is_some();
            let counter = (!is_starred && !is_within).then(|| source.slice(counting..counted));
            let theorem = Theorem {
                shown: source.slice(start..end).to_owned(),
                counter: counter.map(str::to_owned),
            };
            found.insert(source.slice(from..to).to_owned(), theorem);
        }
    }
    found
}
