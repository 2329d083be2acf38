//! Conditions of `AsciiDoc`: the lines between `ifdef`, `ifndef` or `ifeval` and `endif`.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::strings::StrExt as _;
use crate::text::extract::lines::lines;

/// Stands for each byte of what is left out, so that the rest keeps its place.
const BLANK: &str = "\u{1}";

/// Whether nothing of a line is left.
pub(super) fn is_false(line: &str) -> bool {
    line.starts_with(BLANK) && line.trim_matches('\u{1}').is_empty()
}

/// The source with blanks for conditions and for lines whose condition does not hold, as for a page
/// in HTML.
pub(super) fn resolved(source: &str) -> Cow<'_, str> {
    if !source.contains("endif::") && !source.contains("ifdef::") && !source.contains("ifndef::") {
        return source.into();
    }
    let mut attributes = HashMap::from([
        ("backend".to_owned(), "html5".to_owned()),
        ("backend-html5".to_owned(), String::new()),
        ("basebackend-html".to_owned(), String::new()),
    ]);
    let mut out = String::with_capacity(source.len());
    // Whether each of the open conditions holds.
    let mut open: Vec<bool> = Vec::new();
    for line in lines(source) {
        let content = line.of(source);
        let is_shown = open.iter().all(|holds| *holds);
        match condition(content, &attributes) {
            Some(Condition::Begin(holds)) => {
                open.push(holds);
                out.push_str(&BLANK.repeat(content.len()));
            }
            Some(Condition::End) => {
                open.pop();
                out.push_str(&BLANK.repeat(content.len()));
            }
            Some(Condition::Line(holds, text)) if holds && is_shown => {
                let before = content.find('[').map_or(0, |at| at + 1);
                out.push_str(&BLANK.repeat(before));
                out.push_str(text);
                out.push_str(&BLANK.repeat(content.len() - before - text.len()));
            }
            None if is_shown => {
                if let Some((name, value)) = attribute(content)
                    && attributes.len() < 10_000
                {
                    match name.strip_prefix('!').or_else(|| name.strip_suffix('!')) {
                        Some(unset) => drop(attributes.remove(&unset.to_ascii_lowercase())),
                        None => {
                            let value = value.trim().to_owned();
                            attributes.insert(name.to_ascii_lowercase(), value);
                        }
                    }
                }
                out.push_str(content);
            }
            _ => out.push_str(&BLANK.repeat(content.len())),
        }
        out.push_str(source.slice(line.end..line.next));
    }
    out.into()
}

enum Condition<'a> {
    Begin(bool),
    /// A condition of one line with its text.
    Line(bool, &'a str),
    End,
}

fn condition<'a>(line: &'a str, attributes: &HashMap<String, String>) -> Option<Condition<'a>> {
    let line = line.trim_end();
    if line.starts_with("endif::") && line.ends_with(']') {
        return Some(Condition::End);
    }
    let (name, rest) = line.split_once("::").filter(|_| line.ends_with(']'))?;
    let (names, text) = rest.split_once('[')?;
    let text = text.strip_suffix(']')?;
    if name == "ifeval" {
        return Some(Condition::Begin(evaluated(text, attributes)));
    }
    if !matches!(name, "ifdef" | "ifndef") || names.is_empty() {
        return None;
    }
    let is_set = |name: &str| attributes.contains_key(&name.trim().to_ascii_lowercase());
    let is_defined = match names.contains('+') {
        true => names.split('+').all(is_set),
        false => names.split(',').any(is_set),
    };
    let holds = is_defined == (name == "ifdef");
    Some(if text.is_empty() { Condition::Begin(holds) } else { Condition::Line(holds, text) })
}

/// Whether a comparison such as `"{edition}" == "full"` holds.
fn evaluated(comparison: &str, attributes: &HashMap<String, String>) -> bool {
    for operator in ["==", "!=", ">=", "<=", ">", "<"] {
        let Some((left, right)) = comparison.split_once(operator) else { continue };
        let value = |text: &str| {
            let text = text.trim().trim_matches(['"', '\'']);
            match text.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                Some(name) => attributes.get(name).cloned().unwrap_or_default(),
                None => text.to_owned(),
            }
        };
        let (left, right) = (value(left), value(right));
        let order = match (left.parse::<f64>(), right.parse::<f64>()) {
            (Ok(left), Ok(right)) => left.total_cmp(&right),
            _ => left.cmp(&right),
        };
        return match operator {
            "==" => order.is_eq(),
            "!=" => order.is_ne(),
            ">=" => order.is_ge(),
            "<=" => order.is_le(),
            ">" => order.is_gt(),
            _ => order.is_lt(),
        };
    }
    false
}

/// `:name: value`.
pub(super) fn attribute(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.strip_prefix(':')?.split_once(':')?;
    let is_name = !name.is_empty()
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '!'));
    (is_name && (value.is_empty() || value.starts_with(' '))).then_some((name, value))
}
