//! Edits one value of a configuration file and keeps everything else of its text. Pure.

use super::setting::Shape;
use crate::strings::StrExt as _;

/// `text` with the setting `key` at `value`; `None` removes it. `line` is where the setting is now.
///
/// The caller checks the result: a value over several lines cannot be replaced.
pub fn edited(
    text: &str,
    (key, shape): (&str, Shape),
    value: Option<&str>,
    line: Option<usize>,
) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let at = line.and_then(|line| line.checked_sub(1)).filter(|at| *at < lines.len());
    match (at, value) {
        (Some(at), Some(value)) => {
            let old = lines[at].clone();
            let (own, rest) = old.split_once('=').unwrap_or((&old, ""));
            let comment = comment(rest).map(|comment| format!("  {comment}")).unwrap_or_default();
            lines[at] = format!("{} = {}{comment}", own.trim_end(), literal(shape, value));
        }
        (Some(at), None) => drop(lines.remove(at)),
        (None, Some(value)) => insert(&mut lines, key, &literal(shape, value)),
        (None, None) => {}
    }
    let mut text = lines.join("\n");
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

/// Adds a setting: to its table if the file has it, or one around it, or else before the first
/// table.
fn insert(lines: &mut Vec<String>, key: &str, literal: &str) {
    let is_header = |line: &String| line.trim_start().starts_with('[');
    for (dot, _) in key.rmatch_indices('.') {
        let header = format!("[{}]", key.slice(..dot));
        if let Some(at) = lines.iter().position(|line| without_comment(line).trim() == header) {
            lines.insert(at + 1, format!("{} = {literal}", key.slice(dot + 1..)));
            return;
        }
    }
    let first = lines.iter().position(is_header).unwrap_or(lines.len());
    // Comments and empty lines before a table belong to it.
    let belongs = |line: &String| line.trim().is_empty() || line.trim_start().starts_with('#');
    let above = match first < lines.len() {
        true => lines.iter().take(first).rev().take_while(|line| belongs(line)).count(),
        false => 0,
    };
    lines.insert(first - above, format!("{key} = {literal}"));
}

/// A value as TOML.
fn literal(shape: Shape, value: &str) -> String {
    let is_number = matches!(shape, Shape::Whole { .. } | Shape::UpTo(_) | Shape::Passage { .. });
    if is_number && value.parse::<f64>().is_ok_and(f64::is_finite) {
        return value.to_owned();
    }
    let mut out = String::from("\"");
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The comment after a value, with its mark.
fn comment(rest: &str) -> Option<&str> {
    let mut quote = None;
    for (at, c) in rest.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None, '#') => return Some(rest.slice(at..).trim_end()),
            _ => {}
        }
    }
    None
}

fn without_comment(line: &str) -> &str {
    line.split('#').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, key: &str, value: Option<&str>, line: Option<usize>, expected: &str) {
        let setting = crate::config::Setting::of_key(key).unwrap();
        assert_eq!(edited(text, (key, setting.shape), value, line), expected);
        let parsed: Result<toml::Table, _> = expected.parse();
        assert!(parsed.is_ok(), "{expected}");
    }

    #[test]
    fn a_value_is_replaced_and_the_rest_kept() {
        let text = "# Mine\nindex = \"a\" # \"x\"\n\n[search]\nk = 5\n";
        check(
            text,
            "index",
            Some("notes"),
            Some(2),
            "# Mine\nindex = \"notes\"  # \"x\"\n\n[search]\nk = 5\n",
        );
        check(text, "search.k", Some("7"), Some(5), &text.replace('5', "7"));
        check(text, "search.k", None, Some(5), "# Mine\nindex = \"a\" # \"x\"\n\n[search]\n");
    }

    #[test]
    fn a_new_setting_goes_into_its_table_or_before_the_first() {
        let text = "index = \"a\"\n\n# Ranking\n[search]  # here\nk = 5\n";
        check(
            text,
            "search.mode",
            Some("lexical"),
            None,
            "index = \"a\"\n\n# Ranking\n[search]  # here\nmode = \"lexical\"\nk = 5\n",
        );
        check(
            text,
            "ask.max_words",
            Some("90"),
            None,
            "index = \"a\"\nask.max_words = 90\n\n# Ranking\n[search]  # here\nk = 5\n",
        );
        check(
            "[llm.fast]\nmodel = \"a\"\n",
            "llm.fast.attempts",
            Some("2"),
            None,
            "[llm.fast]\nattempts = 2\nmodel = \"a\"\n",
        );
        check("[llm]\n", "llm.fast.model", Some("a"), None, "[llm]\nfast.model = \"a\"\n");
        check("", "model", Some("a\"b"), None, "model = \"a\\\"b\"\n");
        check("", "search.k", Some("ten"), None, "search.k = \"ten\"\n");
    }
}
