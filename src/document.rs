//! The nouns that the stations pass between them: spans, documents, chunks, hits, answers.
//!
//! None of these is a wire type or a stored type: `cli/` and `index/` have their own and convert.

use std::ops::Range;
use std::sync::Arc;

/// Half-open range of byte offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    pub start: usize,
    pub end: usize,
}

impl Span {
    pub fn new(start: usize, end: usize) -> Self {
        debug_assert!(start <= end, "a span runs forwards");
        Self { start, end }
    }

    pub fn len(self) -> usize {
        self.end - self.start
    }

    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    pub fn range(self) -> Range<usize> {
        self.start..self.end
    }

    /// Number of bytes that both spans cover.
    pub fn overlap(self, other: Self) -> usize {
        self.end.min(other.end).saturating_sub(self.start.max(other.start))
    }
}

/// Inclusive range of 1-based line numbers, as an editor shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lines {
    pub first: usize,
    pub last: usize,
}

/// What a file is, as far as reading it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    Plain,
    Markdown,
    ReStructuredText,
    Html,
    /// Source code and configuration: anything whose lines mean more than its paragraphs.
    Code,
}

impl Format {
    /// The stable name used on disk and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "text",
            Self::Markdown => "markdown",
            Self::ReStructuredText => "rst",
            Self::Html => "html",
            Self::Code => "code",
        }
    }
}

/// One passage of one document: the unit that is embedded, indexed, ranked and cited.
#[derive(Clone, Debug, PartialEq)]
pub struct Chunk {
    /// Heading path, outermost first; does not repeat the document's title.
    pub heading: Vec<String>,
    pub text: String,
    /// Bytes of the original file that `text` came from.
    pub bytes: Span,
    pub lines: Lines,
    /// 1-based page, for formats that have pages.
    pub page: Option<usize>,
}

/// What stands before a passage when it is embedded: title and heading path, so that a passage deep in a manual
/// still knows what it is about. Empty when there is neither.
pub fn context_line(title: Option<&str>, heading: &[String]) -> String {
    let parts: Vec<&str> = title.into_iter().chain(heading.iter().map(String::as_str)).collect();
    parts.join(" > ")
}

/// The text that is handed to the model for a passage.
pub fn embedded_text(context: &str, text: &str) -> String {
    if context.is_empty() { text.to_owned() } else { format!("{context}\n{text}") }
}

/// One ranked passage.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// 1-based place in the ranking.
    pub rank: usize,
    /// Fused score; larger is better. Comparable within one ranking only.
    pub score: f64,
    /// Folder as ingested.
    pub root: Arc<str>,
    /// Path relative to `root`, with `/`.
    pub path: Arc<str>,
    pub title: Option<Arc<str>>,
    pub chunk: Chunk,
    /// The same passage, word for word, elsewhere in the index: `(path, first line)`.
    pub also: Vec<(Arc<str>, usize)>,
    pub legs: Legs,
}

/// What each leg of a search, and a second look, said about a hit; what `--explain` shows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Legs {
    pub lexical: Option<Leg>,
    pub dense: Option<Leg>,
    /// The second look, for a passage that got one.
    pub rerank: Option<Leg>,
}

/// One leg's word on one hit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Leg {
    /// 1-based rank within the leg; of a second look, among the passages that got one.
    pub rank: usize,
    /// BM25 score, cosine similarity, or the mean of best cosines between tokens.
    pub score: f64,
    /// Score after normalisation, before weighting.
    pub normalised: f64,
    /// Weight of this leg in the fused score.
    pub weight: f64,
}

/// One numbered source of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Citation {
    /// The number that `[n]` in the answer refers to, from 1.
    pub n: usize,
    pub hit: Hit,
}

/// An answer and what it rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The answer with `[n]` marks; empty when not supported.
    pub text: String,
    /// False when nothing in the index supports an answer; `citations` are then the nearest passages.
    pub supported: bool,
    pub citations: Vec<Citation>,
}
