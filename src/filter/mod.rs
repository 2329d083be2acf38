//! Filters that restrict the documents of a search: `type:markdown and (path:docs/** or
//! domain:guides) and not lang:de and size<100k`.
//!
//! A filter is parsed once, bounded in length, depth and number of tests, and evaluated for every
//! document before ranking. Values are only compared: no filter becomes part of another language.

mod expression;
mod parse;
mod path;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::error::Result;
use expression::Node;
pub use expression::{DocumentFacts, UnknownValue};
pub use path::PathGlob;

/// A parsed filter. It displays as its canonical text; filters with the same text match the same
/// documents.
#[derive(Clone, Debug)]
pub struct Filter(Node);

impl Filter {
    /// # Errors
    /// A usage fault that points at the column.
    pub fn parse(text: &str) -> Result<Self> {
        parse::parse(text).map(Self)
    }

    pub fn matches(&self, document: &DocumentFacts<'_>) -> bool {
        self.0.matches(document)
    }

    /// The values that the filter asks for and none of `documents` has.
    pub fn unknown_values(&self, documents: &[DocumentFacts<'_>]) -> Vec<UnknownValue> {
        let mut found = Vec::new();
        self.0.each_test(&mut |test| found.extend(test.unknown_value(documents)));
        found
    }

    /// The same filter with paths that may also be relative to the directory `here`.
    #[must_use]
    pub fn relative_to(mut self, here: &str) -> Self {
        self.0.each_path(&mut |glob| glob.set_base(here));
        self
    }

    /// Identifies the documents that it matches: its text, and what its paths are relative to.
    pub fn key(&self) -> String {
        let mut key = self.to_string();
        self.0.clone().each_path(&mut |glob| {
            if let Some(pattern) = glob.absolute_pattern() {
                key.push_str(&format!(" {pattern}"));
            }
        });
        key
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
