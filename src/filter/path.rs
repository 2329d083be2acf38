//! Patterns for paths, in the manner of `.gitignore`.

use globset::GlobBuilder;
use regex::bytes::RegexSet;

use crate::error::{Fault, Result};
use crate::naming::{self, Folder};

/// A pattern for paths. Without a slash it names a file or folder at any depth; with one it begins
/// at the ingested folder. A folder includes everything below it. The name of a document matches
/// that document, whatever characters it has. Patterns and paths are compared composed (NFC).
#[derive(Clone, Debug)]
pub struct PathGlob {
    pattern: String,
    globs: RegexSet,
    anchored: bool,
    from_base: Option<AbsoluteGlob>,
}

/// A pattern relative to a directory, as an absolute one. It may match files by paths that are not
/// below the folder as ingested.
#[derive(Clone, Debug)]
struct AbsoluteGlob {
    pattern: String,
    globs: RegexSet,
}

impl PathGlob {
    /// # Errors
    /// A usage fault for an invalid pattern.
    pub fn new(pattern: &str) -> Result<Self> {
        Self::compile(pattern).map_err(|why| {
            Fault::usage(format!("`{pattern}` is not a valid pattern for paths: {why}"))
        })
    }

    pub(super) fn compile(pattern: &str) -> Result<Self, String> {
        let pattern = &*naming::composed(pattern);
        let trimmed = naming::plain(pattern);
        let bare = trimmed.trim_start_matches('/');
        if bare.is_empty() {
            return Err("it is empty".to_owned());
        }
        let anchored = trimmed.contains('/');
        let own = if anchored { bare.to_owned() } else { format!("**/{bare}") };
        Ok(Self { pattern: pattern.to_owned(), globs: globs(&own)?, anchored, from_base: None })
    }

    /// Also matches paths relative to the directory `here`.
    pub(super) fn set_base(&mut self, here: &str) {
        if !self.anchored && !self.pattern.contains("../") {
            return;
        }
        let here = globset::escape(&naming::composed(here));
        let pattern = naming::absolute(&here, &self.pattern);
        let globs = globs(pattern.trim_start_matches('/'));
        self.from_base = globs.ok().map(|globs| AbsoluteGlob { pattern, globs });
    }

    /// The same pattern, which may also be relative to the directory `here`.
    #[must_use]
    pub fn relative_to(mut self, here: &str) -> Self {
        self.set_base(here);
        self
    }

    /// The pattern as written, but composed.
    pub(super) fn pattern(&self) -> &str {
        &self.pattern
    }

    /// The absolute pattern, where it may be relative to a directory.
    pub(super) fn absolute_pattern(&self) -> Option<&str> {
        self.from_base.as_ref().map(|base| base.pattern.as_str())
    }

    /// Whether a file matches: by its path below its folder, by its name, or by its absolute path.
    pub fn matches(&self, folder: Folder<'_>, path: &str) -> bool {
        let plain = naming::plain(&self.pattern);
        let path = &*naming::composed(path);
        if self.globs.is_match(path.as_bytes()) || plain == path {
            return true;
        }
        if !self.anchored {
            return false;
        }
        let name = naming::name(&naming::composed(folder.given), path);
        let real = naming::name(&naming::composed(folder.real), path);
        let matches =
            |globs: &RegexSet, name: &str| globs.is_match(name.trim_start_matches('/').as_bytes());
        plain == name
            || plain == real
            || matches(&self.globs, &name)
            || self.from_base.as_ref().is_some_and(|base| matches(&base.globs, &real))
    }
}

/// Matches the pattern and everything below it.
fn globs(pattern: &str) -> Result<RegexSet, String> {
    let mut expressions = Vec::new();
    for text in [pattern.to_owned(), format!("{pattern}/**")] {
        let glob = GlobBuilder::new(&text).literal_separator(true).backslash_escape(true).build();
        expressions.push(with_characters(glob.map_err(|e| e.kind().to_string())?.regex()));
    }
    RegexSet::new(expressions).map_err(|e| e.to_string())
}

/// The expression of a pattern, in which `?` is one character: `globset` makes it one byte.
fn with_characters(expression: &str) -> String {
    const ONE: &str = "[^/]";
    let mut out = String::with_capacity(expression.len());
    for (n, piece) in expression.split(ONE).enumerate() {
        if n > 0 {
            out.push_str(if piece.starts_with('*') { ONE } else { "(?u:[^/])" });
        }
        out.push_str(piece);
    }
    out
}
