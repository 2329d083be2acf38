//! Which documents count: `type:markdown and (path:docs/** or domain:guides) and not lang:de and
//! size<100k`.
//!
//! A filter is parsed once, bounded in length, depth and number of tests, and asked of every
//! document before anything is ranked. It never becomes part of another language: a value is only
//! ever compared.

mod parse;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::error::{Fault, Result};
use crate::naming::{self, Folder};

/// What a filter may ask of a document.
#[derive(Clone, Copy, Debug)]
pub struct DocumentFacts<'a> {
    /// Folder as ingested.
    pub root: &'a str,
    /// Where that really is.
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

/// A parsed filter. It displays as its canonical text: filters that display alike match alike.
#[derive(Clone, Debug)]
pub struct Filter(Node);

#[derive(Clone, Debug)]
enum Node {
    Not(Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
    Test(Test),
}

#[derive(Clone, Debug)]
enum Test {
    Path(PathGlob),
    /// The first folder, or a tag of the front matter.
    Domain(String),
    /// Name of the format, or the extension of the file.
    Type(String),
    Language(String),
    Date(Op, Days),
    Size(Op, u64),
    /// A key of the front matter; one of its values must compare so.
    Meta(String, Op, String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Is,
    Less,
    AtMost,
    More,
    AtLeast,
}

/// A day, month or year, as written, and the Unix seconds at which it begins and is over (UTC).
#[derive(Clone, Debug)]
struct Days {
    text: String,
    start_s: i64,
    end_s: i64,
}

/// Keys of the front matter that say what a document is about.
const TAGS: [&str; 3] = ["domain", "tag", "tags"];

impl Filter {
    /// Parses a filter.
    ///
    /// # Errors
    /// A usage fault that names the column and shows the place.
    pub fn parse(text: &str) -> Result<Self> {
        parse::parse(text).map(Self)
    }

    pub fn matches(&self, document: &DocumentFacts<'_>) -> bool {
        self.0.matches(document)
    }

    /// The same filter with paths that may also be meant as seen from the directory `here`.
    #[must_use]
    pub fn relative_to(mut self, here: &str) -> Self {
        self.0.each_path(&mut |glob| glob.see_from(here));
        self
    }

    /// What tells it from filters that match otherwise: its text, and where its paths are seen
    /// from.
    pub fn key(&self) -> String {
        let mut key = self.to_string();
        self.0.clone().each_path(&mut |glob| {
            if let Some(here) = glob.from_here.as_ref().map(|from| &from.whole) {
                key.push_str(&format!(" {here}"));
            }
        });
        key
    }
}

impl Node {
    fn each_path(&mut self, on_path: &mut dyn FnMut(&mut PathGlob)) {
        match self {
            Self::Not(node) => node.each_path(on_path),
            Self::And(nodes) | Self::Or(nodes) => {
                nodes.iter_mut().for_each(|node| node.each_path(on_path))
            }
            Self::Test(Test::Path(glob)) => on_path(glob),
            Self::Test(_) => {}
        }
    }

    fn matches(&self, document: &DocumentFacts<'_>) -> bool {
        match self {
            Self::Not(node) => !node.matches(document),
            Self::And(nodes) => nodes.iter().all(|node| node.matches(document)),
            Self::Or(nodes) => nodes.iter().any(|node| node.matches(document)),
            Self::Test(test) => test.matches(document),
        }
    }
}

impl Test {
    fn matches(&self, document: &DocumentFacts<'_>) -> bool {
        match self {
            Self::Path(glob) => {
                glob.matches(Folder { given: document.root, real: document.real }, document.path)
            }
            Self::Domain(name) => {
                let folder = document.path.split_once('/').map(|(folder, _)| folder);
                let mut tags = TAGS.iter().flat_map(|key| values(document.meta, key));
                folder.is_some_and(|folder| same(folder, name)) || tags.any(|tag| same(tag, name))
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
            Self::Meta(key, Op::Is, wanted) if wanted == "*" => {
                values(document.meta, key).next().is_some()
            }
            Self::Meta(key, Op::Is, wanted) => {
                values(document.meta, key).any(|value| same(value, wanted))
            }
            Self::Meta(key, op, wanted) => {
                values(document.meta, key).any(|value| op.holds(compared(value, wanted)))
            }
        }
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

fn values<'a>(meta: &'a BTreeMap<String, Vec<String>>, key: &str) -> impl Iterator<Item = &'a str> {
    meta.iter()
        .filter(move |(own, _)| same(own, key))
        .flat_map(|(_, values)| values.iter().map(String::as_str))
}

/// Equal but for the case of letters.
fn same(a: &str, b: &str) -> bool {
    a == b || a.chars().flat_map(char::to_lowercase).eq(b.chars().flat_map(char::to_lowercase))
}

/// Numbers by value, anything else as text, which is right for dates written year first.
fn compared(a: &str, b: &str) -> Ordering {
    match (a.trim().parse::<f64>(), b.trim().parse::<f64>()) {
        (Ok(a), Ok(b)) => a.total_cmp(&b),
        _ => a.cmp(b),
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut joined = |nodes: &[Self], word: &str| {
            for (i, node) in nodes.iter().enumerate() {
                f.write_str(if i == 0 { "(" } else { word })?;
                write!(f, "{node}")?;
            }
            f.write_str(")")
        };
        match self {
            Self::And(nodes) => joined(nodes, " and "),
            Self::Or(nodes) => joined(nodes, " or "),
            Self::Not(node) => write!(f, "not {node}"),
            Self::Test(test) => test.fmt(f),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(glob) => write!(f, "path:{}", Quoted(&glob.pattern)),
            Self::Domain(name) => write!(f, "domain:{}", Quoted(&name.to_lowercase())),
            Self::Type(name) => write!(f, "type:{}", Quoted(&name.to_lowercase())),
            Self::Language(name) => write!(f, "lang:{}", Quoted(&name.to_lowercase())),
            Self::Date(op, days) => write!(f, "date{}{}", op.text(), days.text),
            Self::Size(op, bytes) => write!(f, "size{}{bytes}", op.text()),
            Self::Meta(key, op, value) => write!(f, "meta.{key}{}{}", op.text(), Quoted(value)),
        }
    }
}

/// A value as it is written where it could be mistaken for something else.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.is_empty() && !self.0.contains(parse::ends_word) {
            return f.write_str(self.0);
        }
        write!(f, "\"{}\"", self.0.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

/// A pattern for paths, after the manner of `.gitignore`: without a slash it names a file or folder
/// at any depth, with one it begins at the folder that was ingested; a folder stands for all that
/// is in it. The name of a document means that document, whatever characters it has.
#[derive(Clone, Debug)]
pub struct PathGlob {
    pattern: String,
    globs: GlobSet,
    anchored: bool,
    from_here: Option<FromHere>,
}

/// A pattern as seen from a directory: it may lead to files by a way that has nothing to do with
/// folders as ingested.
#[derive(Clone, Debug)]
struct FromHere {
    /// The pattern as a whole path.
    whole: String,
    globs: GlobSet,
}

impl PathGlob {
    /// # Errors
    /// A usage fault for an invalid pattern.
    pub fn new(pattern: &str) -> Result<Self> {
        Self::compile(pattern).map_err(|why| {
            Fault::usage(format!("`{pattern}` is not a valid pattern for paths: {why}"))
        })
    }

    fn compile(pattern: &str) -> std::result::Result<Self, String> {
        let trimmed = naming::plain(pattern);
        let bare = trimmed.trim_start_matches('/');
        if bare.is_empty() {
            return Err("it is empty".to_owned());
        }
        let anchored = trimmed.contains('/');
        let own = if anchored { bare.to_owned() } else { format!("**/{bare}") };
        Ok(Self { pattern: pattern.to_owned(), globs: globs(&own)?, anchored, from_here: None })
    }

    /// From now on it may also be meant as seen from the directory `here`.
    fn see_from(&mut self, here: &str) {
        if !self.anchored && !self.pattern.contains("../") {
            return;
        }
        let whole = naming::absolute(&globset::escape(here), &self.pattern);
        let built = globs(whole.trim_start_matches('/'));
        self.from_here = built.ok().map(|globs| FromHere { whole, globs });
    }

    /// The same pattern, which may also be meant as seen from the directory `here`.
    #[must_use]
    pub fn relative_to(mut self, here: &str) -> Self {
        self.see_from(here);
        self
    }

    /// Whether a file is meant: by its path below its folder, by its name, or by what leads to it
    /// from here.
    pub fn matches(&self, folder: Folder<'_>, path: &str) -> bool {
        let plain = naming::plain(&self.pattern);
        if self.globs.is_match(path) || plain == path {
            return true;
        }
        if !self.anchored {
            return false;
        }
        let name = naming::name(folder.given, path);
        let real = naming::name(folder.real, path);
        let matches = |globs: &GlobSet, name: &str| globs.is_match(name.trim_start_matches('/'));
        plain == name
            || plain == real
            || matches(&self.globs, &name)
            || self.from_here.as_ref().is_some_and(|from| matches(&from.globs, &real))
    }
}

/// The pattern itself, and everything below it.
fn globs(pattern: &str) -> std::result::Result<GlobSet, String> {
    let mut globs = GlobSetBuilder::new();
    for text in [pattern.to_owned(), format!("{pattern}/**")] {
        let glob = GlobBuilder::new(&text).literal_separator(true).backslash_escape(true).build();
        globs.add(glob.map_err(|e| e.kind().to_string())?);
    }
    globs.build().map_err(|e| e.kind().to_string())
}
