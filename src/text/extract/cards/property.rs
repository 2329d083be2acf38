//! A property of a calendar or a contact: `NAME;PARAMETER=VALUE:value`, folded over several lines
//! (RFC 5545, 6350, and vCard 2.1 with quoted-printable values).

use super::super::lines::lines;
use super::super::rendered::Inline;
use crate::strings::StrExt as _;

/// A property with the place of each character of its value.
pub(super) struct Property {
    /// In upper case, without the group before it.
    pub(super) name: String,
    /// `item1` of `item1.EMAIL`, by which another property labels it.
    pub(super) group: Option<String>,
    parameters: Vec<(String, String)>,
    /// Unfolded and, if it was quoted-printable, decoded; not unescaped.
    value: Vec<Char>,
    /// Where the property begins in the file, and its length.
    place: (usize, usize),
}

/// A character of a value, with its place and length in the file.
#[derive(Clone, Copy)]
struct Char {
    c: char,
    at: usize,
    len: usize,
}

impl Property {
    /// The value as it is written.
    pub(super) fn raw(&self) -> String {
        self.value.iter().map(|char| char.c).collect()
    }

    /// The value of a parameter, without quotes.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The values of a parameter that may be given several times or as a list.
    pub(super) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let given = self.parameters.iter().filter(move |(other, _)| other == name);
        given.flat_map(|(_, value)| value.split(','))
    }

    /// The value as text: `\n` is a line end, `\,` a comma.
    pub(super) fn text(&self) -> Inline {
        unescaped(&self.value)
    }

    /// The parts of a value that are parted by `separator`.
    pub(super) fn list(&self, separator: char) -> Vec<Inline> {
        let mut parts = Vec::new();
        let (mut start, mut is_escaped) = (0, false);
        for (n, char) in self.value.iter().enumerate() {
            if char.c == separator && !is_escaped {
                parts.push(unescaped(&self.value[start..n]));
                start = n + 1;
            }
            is_escaped = char.c == '\\' && !is_escaped;
        }
        parts.push(unescaped(&self.value[start..]));
        parts
    }

    /// `text`, with the place of the whole property.
    pub(super) fn stated(&self, text: &str) -> Inline {
        let mut out = Inline::default();
        out.insert(text, self.place.0, self.place.1);
        out
    }

    /// `text` between two parts of the value.
    pub(super) fn between(&self, text: &str) -> Inline {
        let mut out = Inline::default();
        out.insert(text, self.place.0, 0);
        out
    }

    /// `Label: value`.
    pub(super) fn labelled(&self, label: &str, value: Inline) -> Inline {
        let mut out = self.between(&format!("{label}: "));
        out.append(value);
        out
    }

    /// Whether the value is data, such as a picture.
    pub(super) fn is_data(&self) -> bool {
        let is_encoded = |encoding: &str| {
            encoding.eq_ignore_ascii_case("b") || encoding.eq_ignore_ascii_case("base64")
        };
        self.parameter("ENCODING").is_some_and(is_encoded)
            || self.parameter("BASE64").is_some()
            || self.value.iter().take(5).map(|char| char.c).eq("data:".chars())
    }
}

fn unescaped(value: &[Char]) -> Inline {
    let mut out = Inline::default();
    let mut rest = value.iter().peekable();
    while let Some(char) = rest.next() {
        let next = rest.peek().filter(|_| char.c == '\\').map(|next| next.c);
        let written = match next {
            Some('n' | 'N') => Some('\n'),
            Some(c @ ('\\' | ',' | ';' | ':' | '"')) => Some(c),
            _ => None,
        };
        match (written, written.and_then(|_| rest.next())) {
            (Some(c), Some(last)) => out.put(c, char.at, last.at + last.len - char.at),
            _ => out.put(char.c, char.at, char.len),
        }
    }
    out
}

/// The properties of a file, in order. Other lines are left out.
pub(super) fn properties(source: &str) -> Vec<Property> {
    let mut found = Vec::new();
    let mut logical: Vec<Char> = Vec::new();
    let mut is_open = false;
    for line in lines(source) {
        let content = line.of(source);
        let is_folded = content.starts_with([' ', '\t']) && !logical.is_empty();
        if !is_folded && !is_open {
            found.extend(property(&std::mem::take(&mut logical)));
        }
        if is_open {
            // The `=` at the end of the last line is no part of the value.
            logical.pop();
        }
        let skipped = usize::from(is_folded && !is_open);
        logical.extend(content.char_indices().skip(skipped).map(|(offset, c)| Char {
            c,
            at: line.start + offset,
            len: c.len_utf8(),
        }));
        is_open = content.ends_with('=') && is_quoted_printable(&logical);
    }
    found.extend(property(&logical));
    found
}

fn is_quoted_printable(logical: &[Char]) -> bool {
    let head: String = logical.iter().map(|char| char.c).take_while(|c| *c != ':').collect();
    head.to_ascii_uppercase().contains("QUOTED-PRINTABLE")
}

/// Reads an unfolded line.
fn property(line: &[Char]) -> Option<Property> {
    let (first, last) = (line.first()?, line.last()?);
    let mut in_quotes = false;
    let colon = line.iter().position(|char| {
        in_quotes ^= char.c == '"';
        char.c == ':' && !in_quotes
    })?;
    let head: String = line[..colon].iter().map(|char| char.c).collect();
    let mut parts = split_unquoted(&head, ';').into_iter();
    let name = parts.next()?;
    let (group, name) = match name.rsplit_once('.') {
        Some((group, name)) => (Some(group.to_owned()), name),
        None => (None, name),
    };
    let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if name.is_empty() || !is_name(name) {
        return None;
    }
    let parameter = |text: &str| match text.split_once('=') {
        Some((name, value)) => (name.to_ascii_uppercase(), value.replace('"', "")),
        // vCard 2.1 gives the type of a number without its name.
        None if text.eq_ignore_ascii_case("base64") => ("BASE64".to_owned(), String::new()),
        None => ("TYPE".to_owned(), text.to_owned()),
    };
    let parameters: Vec<(String, String)> = parts.map(parameter).collect();
    let value = line[colon + 1..].to_vec();
    let is_quoted =
        parameters.iter().any(|(_, value)| value.eq_ignore_ascii_case("quoted-printable"));
    Some(Property {
        name: name.to_ascii_uppercase(),
        group,
        parameters,
        value: if is_quoted { decoded(&value) } else { value },
        place: (first.at, last.at + last.len - first.at),
    })
}

/// Decodes a quoted-printable value, whose bytes are UTF-8 or else Latin-1.
fn decoded(value: &[Char]) -> Vec<Char> {
    let mut out = Vec::new();
    let mut n = 0;
    while n < value.len() {
        let start = n;
        let mut bytes = Vec::new();
        while let Some(byte) = escaped_byte(&value[n..]) {
            bytes.push(byte);
            n += 3;
        }
        if n == start {
            out.push(value[n]);
            n += 1;
            continue;
        }
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => error.as_bytes().iter().map(|byte| char::from(*byte)).collect(),
        };
        let (first, last) = (value[start], value[n - 1]);
        let len = last.at + last.len - first.at;
        for (nth, c) in text.replace("\r\n", "\n").chars().enumerate() {
            out.push(Char { c, at: first.at, len: if nth == 0 { len } else { 0 } });
        }
    }
    out
}

/// The byte of `=C3`.
fn escaped_byte(value: &[Char]) -> Option<u8> {
    let [Char { c: '=', .. }, high, low, ..] = value else { return None };
    let digit = |char: &Char| char.c.to_digit(16).map(|digit| digit as u8);
    Some(digit(high)? << 4 | digit(low)?)
}

/// The parts of a text between separators outside of quotes.
fn split_unquoted(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut in_quotes) = (0, false);
    for (at, c) in text.char_indices() {
        in_quotes ^= c == '"';
        if c == separator && !in_quotes {
            parts.push(text.slice(start..at));
            start = at + c.len_utf8();
        }
    }
    parts.push(text.slice(start..));
    parts
}
