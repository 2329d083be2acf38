//! Text analysis: index terms, query terms, sentences.
//!
//! Index terms and query terms differ. The index holds every form that a query might use (a
//! compound and its parts, single characters and pairs of them); a query uses only the forms that
//! discriminate between passages. One scanner (`words`) yields both, so they cannot diverge.

mod acronyms;
mod comments;
mod expected;
mod normalize;
mod plain;
mod query;
mod scripts;
mod sentences;
mod spelling;
mod stems;
mod stops;
mod stopwords;
mod titles;
pub mod untrusted;
mod words;

pub use crate::strings::mistakes;
pub use acronyms::{expand, may_expand};
pub use comments::readable;
pub use expected::{Pattern, comparable};
pub use plain::plain;
pub use query::{Phrase, PhraseTerm, Query, QueryTerm, query_terms};
pub use scripts::known_letters;
pub use sentences::{Passage, passages, sentences};
pub use spelling::{halves, mistakes_allowed, written};
pub use stems::irregular_forms;
pub use stopwords::is_stop_word;
pub use titles::{Titled, title_keys};

use words::Token;

/// Increase when any term of any text changes, so that an index of another version is rebuilt.
pub const VERSION: u32 = 2;

/// One entry for the inverted index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term<'a> {
    pub text: &'a str,
    /// Position in the text, counted in words (in characters for Chinese, Japanese and Korean).
    /// Terms may share a position: a compound has that of its first part.
    pub position: u32,
    /// Bytes of the text that the term covers.
    pub start: usize,
    pub end: usize,
}

/// Passes every term of `text` to `sink`, in order of position.
///
/// `language` is an ISO 639 code (`en`, `eng`, `en-US`). Without one, words are lower-cased and
/// normalized but not stemmed: a wrong stemmer merges unrelated words, a missing one only misses
/// inflections.
pub fn index_terms(text: &str, language: Option<&str>, sink: &mut dyn FnMut(Term<'_>)) {
    let stemmer = language.and_then(stems::Stemmer::of);
    words::scan(text, &mut |token: Token<'_>| {
        let Token { text, accented, kind, position, start, end, .. } = token;
        let mut put = |text: &str| {
            if !text.is_empty() {
                sink(Term { text, position, start, end });
            }
        };
        match &stemmer {
            Some(stemmer) if kind.is_stemmed() => stemmer.forms(text, accented, &mut put),
            _ => put(text),
        }
    });
}

#[cfg(test)]
pub(crate) mod tests;
