//! Text as the rest of the house sees it: words for the inverted index, terms for a question,
//! sentences for an answer.
//!
//! The surprising rule: what is indexed and what is asked are two different lists. The index holds
//! every form a reader might ask for (a compound and its parts, single characters and pairs of
//! them); a question asks only for the forms that tell passages apart. Both come out of one scanner
//! (`words`), so they cannot drift apart.

mod acronyms;
mod comments;
mod fold;
mod plain;
mod query;
mod sentences;
mod stems;
mod stopwords;
pub mod untrusted;
mod words;

pub use acronyms::{expand, may_expand};
pub use comments::readable;
pub use plain::plain;
pub use query::{PhraseTerm, Query, QueryTerm, query_terms};
pub use sentences::{Kind, Passage, passages, sentences};
pub use stopwords::is_stop_word;

use words::Piece;

/// Increase when any term of any text changes, so that an index made by another version is rebuilt,
/// not misread.
pub const VERSION: u32 = 1;

/// One entry for the inverted index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term<'a> {
    pub text: &'a str,
    /// Place in the text, counted in words (in characters for Chinese, Japanese and Korean).
    /// Several terms may share one place: a compound stands where its first part stands.
    pub position: u32,
    /// Bytes of the text that the term came from.
    pub start: usize,
    pub end: usize,
}

/// Hands every term of `text` to `sink`, positions never falling.
///
/// `language` is an ISO 639 code (`en`, `eng`, `en-US`). Without one, words are lower-cased and
/// folded but not stemmed: a wrong stemmer merges words that have nothing in common, a missing one
/// only misses inflections. A caller who knows better, for instance that source code is commented
/// in English, says so.
pub fn index_terms(text: &str, language: Option<&str>, sink: &mut dyn FnMut(Term<'_>)) {
    let stemmer = language.and_then(stems::Stemmer::of);
    words::scan(text, &mut |piece: Piece<'_>| {
        let Piece { text, accented, role, position, start, end, .. } = piece;
        let mut put = |text: &str| {
            if !text.is_empty() {
                sink(Term { text, position, start, end });
            }
        };
        match &stemmer {
            Some(stemmer) if role.is_stemmed() => stemmer.forms(text, accented, &mut put),
            _ => put(text),
        }
    });
}

#[cfg(test)]
pub(crate) mod tests;
