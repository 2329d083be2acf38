//! A filter as a tree of tests, with evaluation and canonical text.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use super::path::PathGlob;
use crate::dates;
use crate::naming::{self, Folder};

/// What a filter can test of a document.
#[derive(Clone, Copy, Debug)]
pub struct DocumentFacts<'a> {
    /// Folder, as ingested.
    pub root: &'a str,
    /// Its real path.
    pub real: &'a str,
    /// Path relative to `root`, with `/`.
    pub path: &'a str,
    pub format: Option<&'a str>,
    /// ISO 639-1.
    pub language: Option<&'a str>,
    /// Unix seconds of the last change, where known.
    pub modified_s: Option<i64>,
    pub size_bytes: u64,
    /// Front matter: every value of every key.
    pub meta: &'a BTreeMap<String, Vec<String>>,
}

#[derive(Clone, Debug)]
pub(super) enum Node {
    Not(Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
    Test(Test),
}

#[derive(Clone, Debug)]
pub(super) enum Test {
    Path(PathGlob),
    /// The first folder, or a tag of the front matter.
    Domain(String),
    /// Name of the format, or the extension of the file.
    Type(String),
    Language(String),
    Date(Op, Days),
    Size(Op, u64),
    /// A key of the front matter, one of whose values must compare so.
    Meta(String, Op, String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Is,
    Less,
    AtMost,
    More,
    AtLeast,
}

/// A day, month or year, as written, and the Unix seconds of its beginning and end (UTC).
#[derive(Clone, Debug)]
pub(super) struct Days {
    pub text: String,
    pub start_s: i64,
    pub end_s: i64,
}

/// A value that no document has, and the values that documents have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownValue {
    field: String,
    pub value: String,
    /// Each with the number of its documents.
    pub values: BTreeMap<String, usize>,
}

impl UnknownValue {
    /// The test for a value.
    pub fn test(&self, value: &str) -> String {
        format!("{}:{}", self.field, Quoted(value))
    }
}

/// Keys of the front matter for the subject of a document.
const TAGS: [&str; 3] = ["domain", "tag", "tags"];

impl Node {
    pub fn each_path(&mut self, on_path: &mut dyn FnMut(&mut PathGlob)) {
        match self {
            Self::Not(node) => node.each_path(on_path),
            Self::And(nodes) | Self::Or(nodes) => {
                nodes.iter_mut().for_each(|node| node.each_path(on_path));
            }
            Self::Test(Test::Path(glob)) => on_path(glob),
            Self::Test(_) => {}
        }
    }

    /// Calls `on_test` with every test that documents must or may pass.
    pub fn each_test(&self, on_test: &mut dyn FnMut(&Test)) {
        match self {
            Self::Not(_) => {}
            Self::And(nodes) | Self::Or(nodes) => {
                nodes.iter().for_each(|node| node.each_test(on_test));
            }
            Self::Test(test) => on_test(test),
        }
    }

    pub fn matches(&self, document: &DocumentFacts<'_>) -> bool {
        match self {
            Self::Not(node) => !node.matches(document),
            Self::And(nodes) => nodes.iter().all(|node| node.matches(document)),
            Self::Or(nodes) => nodes.iter().any(|node| node.matches(document)),
            Self::Test(test) => test.matches(document),
        }
    }
}

impl Test {
    /// What the test asks for, if it is a value that none of `documents` has.
    pub fn unknown_value(&self, documents: &[DocumentFacts<'_>]) -> Option<UnknownValue> {
        let (field, value) = match self {
            Self::Path(glob) => ("path", glob.pattern()),
            Self::Domain(name) => ("domain", name.as_str()),
            Self::Type(name) => ("type", name.as_str()),
            Self::Language(name) => ("lang", name.as_str()),
            Self::Meta(key, Op::Is, wanted) if wanted != "*" => (key.as_str(), wanted.as_str()),
            Self::Meta(..) | Self::Date(..) | Self::Size(..) => return None,
        };
        if documents.iter().any(|document| self.matches(document)) {
            return None;
        }
        let mut values = BTreeMap::new();
        for document in documents {
            for value in self.values_of(document) {
                *values.entry(value.to_owned()).or_insert(0) += 1;
            }
        }
        let field = match self {
            Self::Meta(..) => format!("meta.{field}"),
            _ => field.to_owned(),
        };
        Some(UnknownValue { field, value: value.to_owned(), values })
    }

    /// The values of a document that the test compares with its own.
    fn values_of<'a>(&self, document: &DocumentFacts<'a>) -> Vec<&'a str> {
        match self {
            // Names of files and of their folders.
            Self::Path(_) => document.path.split('/').collect(),
            Self::Domain(_) => {
                let folder = document.path.split_once('/').map(|(folder, _)| folder);
                let tags = TAGS.iter().flat_map(|key| document.values(key));
                folder.into_iter().chain(tags).collect()
            }
            Self::Type(_) => document.format.into_iter().collect(),
            Self::Language(_) => document.language.into_iter().collect(),
            Self::Meta(key, ..) => document.values(key).collect(),
            Self::Date(..) | Self::Size(..) => Vec::new(),
        }
    }

    fn matches(&self, document: &DocumentFacts<'_>) -> bool {
        match self {
            Self::Path(glob) => {
                glob.matches(Folder { given: document.root, real: document.real }, document.path)
            }
            Self::Domain(name) => {
                let folder = document.path.split_once('/').map(|(folder, _)| folder);
                let tags = TAGS.iter().flat_map(|key| document.values(key));
                folder.into_iter().chain(tags).any(|own| same(own, name))
            }
            Self::Type(name) => {
                let file = document.path.rsplit('/').next().unwrap_or_default();
                let extension = file.rsplit_once('.').map(|(_, extension)| extension);
                [document.format, extension].into_iter().flatten().any(|own| same(own, name))
            }
            Self::Language(name) => document.language.is_some_and(|language| same(language, name)),
            Self::Date(op, days) => document.modified_s.is_some_and(|at| match op {
                Op::Is => (days.start_s..days.end_s).contains(&at),
                Op::Less => at < days.start_s,
                Op::AtMost => at < days.end_s,
                Op::More => at >= days.end_s,
                Op::AtLeast => at >= days.start_s,
            }),
            Self::Size(op, bytes) => op.holds(document.size_bytes.cmp(bytes)),
            Self::Meta(key, Op::Is, wanted) => {
                document.values(key).any(|value| wanted == "*" || has_part(value, wanted))
            }
            Self::Meta(key, op, wanted) => {
                document.values(key).any(|value| op.holds(compare(value, wanted)))
            }
        }
    }
}

impl<'a> DocumentFacts<'a> {
    /// The values of a key of the metadata, in the singular or the plural.
    fn values(&self, key: &str) -> impl Iterator<Item = &'a str> {
        self.meta
            .iter()
            .filter(move |(own, _)| same(own, key) || is_plural(own, key) || is_plural(key, own))
            .flat_map(|(_, values)| values.iter().map(String::as_str))
    }
}

impl Op {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Is => order.is_eq(),
            Self::Less => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::More => order.is_gt(),
            Self::AtLeast => order.is_ge(),
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Is => ":",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
        }
    }
}

/// Equal except for the case of letters and the composition of accents.
fn same(a: &str, b: &str) -> bool {
    let (a, b) = (naming::composed(a), naming::composed(b));
    a == b || a.chars().flat_map(char::to_lowercase).eq(b.chars().flat_map(char::to_lowercase))
}

/// Whether a key is the plural of another: `tags`, `aliases`, `categories`.
fn is_plural(plural: &str, key: &str) -> bool {
    let stem = key.strip_suffix('y').unwrap_or(key);
    ["s", "es"].iter().any(|end| same(plural, &format!("{key}{end}")))
        || stem.len() < key.len() && same(plural, &format!("{stem}ies"))
}

/// Whether a value is the wanted one, or has it in its list: `Ada <ada@x.org>, Charles` has `Ada`.
fn has_part(value: &str, wanted: &str) -> bool {
    let mut parts = value.split([',', ';']).map(str::trim);
    let name = |part: &str| part.split_once('<').map_or("", |(name, _)| name).trim().to_owned();
    same(value, wanted)
        || parts.any(|part| same(part, wanted) || part.contains('<') && same(&name(part), wanted))
}

/// Compares numbers by value, dates by their days as far as both state them, and anything else as
/// text.
fn compare(a: &str, b: &str) -> Ordering {
    if let (Ok(a), Ok(b)) = (a.trim().parse::<f64>(), b.trim().parse::<f64>()) {
        return a.total_cmp(&b);
    }
    let (Some(mut own), Some(wanted)) = (dates::stated(a), dates::stated(b)) else {
        return a.cmp(b);
    };
    // 2024-05 covers its days, as in `date`.
    if wanted.month == 0 {
        own.month = 0;
    }
    if wanted.day == 0 {
        own.day = 0;
    }
    own.cmp(&wanted)
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(nodes) => joined(f, nodes, " and "),
            Self::Or(nodes) => joined(f, nodes, " or "),
            Self::Not(node) => write!(f, "not {node}"),
            Self::Test(test) => test.fmt(f),
        }
    }
}

/// The nodes in brackets, with `word` between them.
fn joined(f: &mut fmt::Formatter<'_>, nodes: &[Node], word: &str) -> fmt::Result {
    for (i, node) in nodes.iter().enumerate() {
        f.write_str(if i == 0 { "(" } else { word })?;
        write!(f, "{node}")?;
    }
    f.write_str(")")
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(glob) => write!(f, "path:{}", Quoted(glob.pattern())),
            Self::Domain(name) => write!(f, "domain:{}", Quoted(&name.to_lowercase())),
            Self::Type(name) => write!(f, "type:{}", Quoted(&name.to_lowercase())),
            Self::Language(name) => write!(f, "lang:{}", Quoted(&name.to_lowercase())),
            Self::Date(op, days) => write!(f, "date{}{}", op.text(), days.text),
            Self::Size(op, bytes) => write!(f, "size{}{bytes}", op.text()),
            Self::Meta(key, op, value) => write!(f, "meta.{key}{}{}", op.text(), Quoted(value)),
        }
    }
}

/// A value, quoted where it could be mistaken for something else.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.is_empty() && !self.0.contains(ends_word) {
            return f.write_str(self.0);
        }
        write!(f, "\"{}\"", self.0.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

/// Whether a word or an unquoted value ends before this character.
pub(super) fn ends_word(c: char) -> bool {
    c.is_whitespace() || matches!(c, '(' | ')' | '"')
}
