//! The nouns that the stations pass between them: spans, documents, chunks, hits, answers.
//!
//! None of these is a wire type or a stored type: `cli/` and `index/` have their own and convert.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
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
    Csv,
    Json,
    /// One JSON value a line.
    JsonLines,
    Latex,
    /// `SubRip` and `WebVTT`.
    Subtitles,
    Xml,
    Pdf,
    Docx,
    Pptx,
    Xlsx,
    Odt,
    Odp,
    Ods,
    Epub,
    Rtf,
    Mail,
    Mbox,
    /// Jupyter.
    Notebook,
}

impl Format {
    const NAMES: [(Self, &'static str); 23] = [
        (Self::Plain, "text"),
        (Self::Markdown, "markdown"),
        (Self::ReStructuredText, "rst"),
        (Self::Html, "html"),
        (Self::Code, "code"),
        (Self::Csv, "csv"),
        (Self::Json, "json"),
        (Self::JsonLines, "jsonl"),
        (Self::Latex, "latex"),
        (Self::Subtitles, "subtitles"),
        (Self::Xml, "xml"),
        (Self::Pdf, "pdf"),
        (Self::Docx, "docx"),
        (Self::Pptx, "pptx"),
        (Self::Xlsx, "xlsx"),
        (Self::Odt, "odt"),
        (Self::Odp, "odp"),
        (Self::Ods, "ods"),
        (Self::Epub, "epub"),
        (Self::Rtf, "rtf"),
        (Self::Mail, "mail"),
        (Self::Mbox, "mbox"),
        (Self::Notebook, "notebook"),
    ];

    /// The stable name used on disk and in JSON.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(format, _)| *format == self).map_or("text", |(_, name)| name)
    }

    /// The format that has a name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, other)| *other == name).map(|(format, _)| *format)
    }
}

/// Where a passage stands in a document that is not read by lines. All numbers count from 1.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Location {
    Page(usize),
    Slide(usize),
    /// The name of the sheet and the first cell, such as `B4`.
    Sheet(String, String),
    /// In a mailbox.
    Message(usize),
    /// In a notebook.
    Cell(usize),
}

impl Location {
    /// The stable name used in JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Page(_) => "page",
            Self::Slide(_) => "slide",
            Self::Sheet(..) => "sheet",
            Self::Message(_) => "message",
            Self::Cell(_) => "cell",
        }
    }

    pub fn page(&self) -> Option<usize> {
        if let Self::Page(n) = self { Some(*n) } else { None }
    }
}

/// `page 3`, `sheet Costs!B4`.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Page(n) | Self::Slide(n) | Self::Message(n) | Self::Cell(n) => {
                write!(f, "{} {n}", self.kind())
            }
            Self::Sheet(name, cell) => write!(f, "sheet {name}!{cell}"),
        }
    }
}

/// What [`Display`](fmt::Display) wrote.
impl FromStr for Location {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (kind, rest) = text.split_once(' ').ok_or(())?;
        let number = || rest.parse().map_err(|_| ());
        match kind {
            "page" => number().map(Self::Page),
            "slide" => number().map(Self::Slide),
            "message" => number().map(Self::Message),
            "cell" => number().map(Self::Cell),
            "sheet" => rest
                .rsplit_once('!')
                .map(|(name, cell)| Self::Sheet(name.to_owned(), cell.to_owned()))
                .ok_or(()),
            _ => Err(()),
        }
    }
}

/// One passage of one document: the unit that is embedded, indexed, ranked and cited.
#[derive(Clone, Debug, PartialEq)]
pub struct Chunk {
    /// Heading path, outermost first; does not repeat the document's title.
    pub heading: Vec<String>,
    pub text: String,
    /// Bytes of the original file that `text` came from. Of formats that are no text themselves
    /// (PDF, office files, mail, notebooks) bytes and lines are those of the extracted text;
    /// `place` is what leads to the original.
    pub bytes: Span,
    pub lines: Lines,
    /// Where the passage begins, for formats that have pages, slides, sheets or the like.
    pub place: Option<Location>,
}

/// What stands before a passage when it is embedded: title and heading path, so that a passage deep
/// in a manual still knows what it is about. Empty when there is neither.
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
    pub contributions: Contributions,
}

/// What each leg of a search, and a second look, said about a hit; what `--explain` shows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Contributions {
    pub lexical: Option<Contribution>,
    pub dense: Option<Contribution>,
    /// The second look, for a passage that got one.
    pub rerank: Option<Contribution>,
}

/// One leg's word on one hit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contribution {
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
    /// False when nothing in the index supports an answer; `citations` are then the nearest
    /// passages.
    pub supported: bool,
    pub citations: Vec<Citation>,
}

/// The name of a file in small letters; of one that was put aside, that of the file of which it is
/// a copy: they are of the same kind.
pub fn kind_name(path: &str) -> String {
    const PUT_ASIDE: [&str; 4] = [".orig", ".bak", ".old", ".in"];
    let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
    let copied = PUT_ASIDE
        .iter()
        .find_map(|ending| name.strip_suffix(ending))
        .filter(|name| name.contains('.'));
    copied.map_or_else(|| name.clone(), str::to_owned)
}

/// What stands behind the last dot of a name.
pub fn extension_of(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}
