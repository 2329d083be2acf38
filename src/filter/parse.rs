//! A recursive-descent parser of filters.
//!
//! `or := and ("or" and)*`, `and := not ("and" not)*`, `not := "not" not | "(" or ")" | test`,
//! `test := key op value`. Keywords and keys are case-insensitive; a value with spaces or brackets
//! is quoted.

use jiff::civil::{self, Date};

use super::expression::{Days, Node, Op, Test, ends_word};
use super::path::PathGlob;
use crate::error::{Fault, Result};
use crate::strings::{StrExt as _, similar};

/// Longest filter in bytes. Filters of people and scripts have a few hundred.
pub(super) const MAX_BYTES: usize = 4096;
/// Deepest nesting of brackets and `not`.
pub(super) const MAX_DEPTH: usize = 64;
/// Most tests; each is evaluated for every document.
pub(super) const MAX_TESTS: usize = 128;

const FIELDS: &str = "the fields are path, domain, type, lang, date, size and meta.KEY, as in \
                      `type:markdown and not (path:drafts/** or size>100k)`";

const FIELD_NAMES: [&str; 6] = ["path", "domain", "type", "lang", "date", "size"];

/// A syntax error at a byte.
struct Wrong {
    at: usize,
    why: String,
}

type Parsed<T> = Result<T, Wrong>;

pub(super) fn parse(text: &str) -> Result<Node> {
    if text.len() > MAX_BYTES {
        return Err(Fault::usage(format!(
            "the filter has {} bytes, more than the limit of {MAX_BYTES}",
            text.len()
        )));
    }
    let mut parser = Parser { text, at: 0, depth: 0, n_tests: 0 };
    parser.whole().map_err(|wrong| fault(text, &wrong))
}

/// The message with a caret below the column, and an excerpt of a long filter.
fn fault(text: &str, wrong: &Wrong) -> Fault {
    const BEFORE: usize = 50;
    const AFTER: usize = 25;
    let column = text.slice(..wrong.at).chars().count();
    let first = column.saturating_sub(BEFORE);
    let plain = |c: char| if c.is_control() || c.is_whitespace() { ' ' } else { c };
    let line: String = text.chars().skip(first).take(column - first + AFTER).map(plain).collect();
    let cut = if first > 0 { "…" } else { "" };
    let caret = " ".repeat(column - first + cut.chars().count());
    Fault::usage(format!(
        "the filter has an error at column {}: {}\n  {cut}{line}\n  {caret}^",
        column + 1,
        wrong.why
    ))
    .hint(FIELDS)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    n_tests: usize,
}

impl<'a> Parser<'a> {
    fn whole(&mut self) -> Parsed<Node> {
        let node = self.or()?;
        match self.rest() {
            "" => Ok(node),
            rest if rest.starts_with(')') => Err(self.wrong("this bracket has no opening one")),
            _ => Err(self.wrong("expected `and`, `or` or the end")),
        }
    }

    fn or(&mut self) -> Parsed<Node> {
        self.chain("or", Node::Or, Self::and)
    }

    fn and(&mut self) -> Parsed<Node> {
        self.chain("and", Node::And, Self::not)
    }

    fn chain(
        &mut self,
        word: &str,
        join: fn(Vec<Node>) -> Node,
        one: fn(&mut Self) -> Parsed<Node>,
    ) -> Parsed<Node> {
        let first = one(self)?;
        if !self.skip(word) {
            return Ok(first);
        }
        let mut nodes = vec![first, one(self)?];
        while self.skip(word) {
            nodes.push(one(self)?);
        }
        Ok(join(nodes))
    }

    fn not(&mut self) -> Parsed<Node> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.wrong(&format!("it is nested deeper than {MAX_DEPTH}")));
        }
        let node = if self.skip("not") {
            Node::Not(Box::new(self.not()?))
        } else if self.rest().starts_with('(') {
            let open = self.at;
            self.at += 1;
            let node = self.or()?;
            match self.rest().chars().next() {
                Some(')') => self.at += 1,
                None => {
                    return Err(Wrong { at: open, why: "this bracket is never closed".to_owned() });
                }
                Some(_) => return Err(self.wrong("expected `and`, `or` or `)`")),
            }
            node
        } else {
            Node::Test(self.test()?)
        };
        self.depth -= 1;
        Ok(node)
    }

    fn test(&mut self) -> Parsed<Test> {
        self.n_tests += 1;
        if self.n_tests > MAX_TESTS {
            return Err(self.wrong(&format!("it has more than {MAX_TESTS} tests")));
        }
        let rest = self.rest();
        let key_at = self.at;
        let is_key = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        let key = rest.slice(..rest.find(|c| !is_key(c)).unwrap_or(rest.len()));
        if key.is_empty() {
            return Err(self.wrong("expected a test such as `type:markdown`"));
        }
        self.at += key.len();
        let op_at = self.at;
        let ops = [
            (":", Op::Is),
            ("<=", Op::AtMost),
            (">=", Op::AtLeast),
            ("=", Op::Is),
            ("<", Op::Less),
            (">", Op::More),
        ];
        let after = self.text.slice(op_at..);
        let spaces = after.len() - after.trim_start().len();
        let found = ops.into_iter().find(|(text, _)| after.trim_start().starts_with(text));
        let Some((text, op)) = found else {
            return Err(self.wrong(&format!("expected `:`, `<`, `<=`, `>` or `>=` after `{key}`")));
        };
        self.at += spaces + text.len();
        if spaces > 0 {
            // As in `date >= 2024`.
            self.rest();
        }
        let value_at = self.at;
        let value = self.value()?;
        let key = key.to_lowercase();
        let wrong_value = |why: String| Wrong { at: value_at, why };
        if let Some(name) = key.strip_prefix("meta.").filter(|name| !name.is_empty()) {
            return Ok(Test::Meta(name.to_owned(), op, value));
        }
        let test = match key.as_str() {
            "date" => Test::Date(op, days(&value).map_err(wrong_value)?),
            "size" => Test::Size(op, bytes(&value).map_err(wrong_value)?),
            "path" | "domain" | "type" | "lang" if op != Op::Is => {
                return Err(Wrong {
                    at: op_at,
                    why: format!("`{key}` has no order; write `{key}:{value}`"),
                });
            }
            "path" => Test::Path(PathGlob::compile(&value).map_err(wrong_value)?),
            "domain" => Test::Domain(value),
            "type" => Test::Type(value),
            "lang" => Test::Language(value),
            _ => {
                let meant = similar(&key, FIELD_NAMES);
                let meant = meant.map(|field| format!("; did you mean `{field}`?"));
                let why = format!("there is no field `{key}`{}", meant.unwrap_or_default());
                return Err(Wrong { at: key_at, why });
            }
        };
        Ok(test)
    }

    /// A value: quoted, or up to the next space or bracket.
    fn value(&mut self) -> Parsed<String> {
        let rest = self.text.slice(self.at..);
        let Some(quoted) = rest.strip_prefix('"') else {
            let word = rest.slice(..rest.find(ends_word).unwrap_or(rest.len()));
            if word.is_empty() {
                return Err(self.wrong("expected a value"));
            }
            self.at += word.len();
            return Ok(word.to_owned());
        };
        let mut value = String::new();
        let mut chars = quoted.char_indices();
        while let Some((i, c)) = chars.next() {
            match c {
                '"' if value.is_empty() => return Err(self.wrong("this value is empty")),
                '"' => {
                    self.at += i + 2;
                    return Ok(value);
                }
                // Any other backslash belongs to the value, where a pattern may need it.
                '\\' if quoted.slice(i + 1..).starts_with(['"', '\\']) => {
                    value.extend(chars.next().map(|(_, c)| c));
                }
                c => value.push(c),
            }
        }
        Err(self.wrong("this quote is never closed"))
    }

    /// Skips a keyword, if it is the next word.
    fn skip(&mut self, keyword: &str) -> bool {
        let rest = self.rest();
        let word = rest.slice(..rest.find(ends_word).unwrap_or(rest.len()));
        let is_keyword = word.eq_ignore_ascii_case(keyword);
        if is_keyword {
            self.at += word.len();
        }
        is_keyword
    }

    /// The rest of the text, after white space.
    fn rest(&mut self) -> &'a str {
        let rest = self.text.slice(self.at..).trim_start();
        self.at = self.text.len() - rest.len();
        rest
    }

    fn wrong(&self, why: &str) -> Wrong {
        Wrong { at: self.at, why: why.to_owned() }
    }
}

/// `100`, `100k`, `2m`: bytes, in steps of 1024 as sizes are shown.
fn bytes(text: &str) -> Result<u64, String> {
    let lower = text.to_ascii_lowercase();
    let digits = lower.trim_end_matches("ib").trim_end_matches('b');
    let (number, shift) = match digits.as_bytes().last() {
        Some(b'k') => (digits.slice(..digits.len() - 1), 10),
        Some(b'm') => (digits.slice(..digits.len() - 1), 20),
        Some(b'g') => (digits.slice(..digits.len() - 1), 30),
        _ => (digits, 0),
    };
    let parsed =
        number.bytes().all(|b| b.is_ascii_digit()).then(|| number.parse::<u64>().ok()).flatten();
    parsed
        .and_then(|n| n.checked_mul(1 << shift))
        .ok_or_else(|| format!("`{text}` is not a size; write bytes, or `100k`, `2m`, `1g`"))
}

/// `2026`, `2026-03` or `2026-03-31`.
fn days(text: &str) -> Result<Days, String> {
    let wrong = || format!("`{text}` is not a date; write `2026`, `2026-03` or `2026-03-31`");
    let mut parts = text.split('-');
    let mut part = |digits: usize| -> Option<Result<i64, String>> {
        let part = parts.next()?;
        let is_number = part.len() == digits && part.bytes().all(|b| b.is_ascii_digit());
        Some(part.parse().ok().filter(|_| is_number).ok_or_else(wrong))
    };
    let year = part(4).ok_or_else(wrong)??;
    let month = part(2).transpose()?;
    let day = part(2).transpose()?;
    if parts.next().is_some() {
        return Err(wrong());
    }
    let number = |part: Option<i64>| i8::try_from(part.unwrap_or(1)).unwrap_or(0);
    let first = Date::new(year as i16, number(month), number(day)).map_err(|_| wrong())?;
    let last = match (month, day) {
        (None, _) => first.last_of_year(),
        (Some(_), None) => first.last_of_month(),
        (Some(_), Some(_)) => first,
    };
    let seconds = |date: Date| date.duration_since(civil::date(1970, 1, 1)).as_secs();
    // The last day may be 9999-12-31, which no date follows.
    Ok(Days { text: text.to_owned(), start_s: seconds(first), end_s: seconds(last) + 86_400 })
}
