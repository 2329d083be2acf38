//! The data types that rooms exchange: spans, formats, chunks, hits, answers.
//!
//! None of these is a wire type or a stored type: `wire` and `index` have their own and convert.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use crate::strings::{StrExt as _, named};

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

    /// Number of bytes in both spans.
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

named! {
    /// The format of a file, which selects its parser.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum Format {
        Plain = "text",
        Markdown = "markdown",
        ReStructuredText = "rst",
        Html = "html",
        /// Source code and configuration: files made of lines rather than paragraphs.
        Code = "code",
        Csv = "csv",
        Json = "json",
        /// One JSON value per line.
        JsonLines = "jsonl",
        Latex = "latex",
        Org = "org",
        AsciiDoc = "asciidoc",
        /// A manual page in `man` or `mdoc` macros.
        Man = "man",
        /// `SubRip` and `WebVTT`.
        Subtitles = "subtitles",
        /// Events and tasks (iCalendar).
        Calendar = "calendar",
        /// People and organizations (vCard).
        Contacts = "contacts",
        Xml = "xml",
        Pdf = "pdf",
        Docx = "docx",
        Pptx = "pptx",
        Xlsx = "xlsx",
        Odt = "odt",
        Odp = "odp",
        Ods = "ods",
        Epub = "epub",
        Rtf = "rtf",
        Mail = "mail",
        Mbox = "mbox",
        /// Jupyter.
        Notebook = "notebook",
        /// A picture, whose text is recognized.
        Image = "image",
        /// An archive of files.
        Zip = "zip",
        /// The binary formats of Word, Excel and `PowerPoint` before 2007.
        Doc = "doc",
        Xls = "xls",
        Ppt = "ppt",
    }
}

/// The place of a passage in a document that has no lines. All numbers count from 1.
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
    /// A file attached to a mail.
    Attachment {
        /// In a mailbox, the message that it is attached to.
        message: Option<usize>,
        name: String,
        /// The page, slide or the like of the attached file.
        at: Option<Box<Location>>,
    },
    /// A file in an archive.
    File {
        /// Its path there.
        name: String,
        at: Option<Box<Location>>,
    },
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
            Self::Attachment { .. } => "attachment",
            Self::File { .. } => "file",
        }
    }

    pub fn page(&self) -> Option<usize> {
        if let Self::Page(n) = self { Some(*n) } else { None }
    }

    /// The number by which people count: of the page, slide, message or cell.
    pub fn number(&self) -> Option<usize> {
        match self {
            Self::Page(n) | Self::Slide(n) | Self::Message(n) | Self::Cell(n) => Some(*n),
            Self::Attachment { message, .. } => *message,
            Self::Sheet(..) | Self::File { .. } => None,
        }
    }

    /// What [`number`](Self::number) counts.
    pub fn counted(&self) -> Option<&'static str> {
        self.number()?;
        Some(if matches!(self, Self::Attachment { .. }) { "message" } else { self.kind() })
    }

    /// The name of the file inside the document, and the place in that file.
    pub fn into_inner(self) -> (Option<String>, Option<Location>) {
        match self {
            Self::Attachment { name, at, .. } | Self::File { name, at } => {
                (Some(name), at.map(|at| *at))
            }
            at => (None, Some(at)),
        }
    }

    /// Whether a passage may continue from one place to the other: text continues over pages and
    /// over cells of a notebook, but not over slides, sheets, messages and files in a document.
    pub fn continues(this: Option<&Self>, other: Option<&Self>) -> bool {
        match (this, other) {
            (
                Some(Self::Attachment { message, name, at }),
                Some(Self::Attachment { message: other_message, name: other_name, at: other_at }),
            ) => {
                (message, name) == (other_message, other_name)
                    && Self::continues(at.as_deref(), other_at.as_deref())
            }
            (
                Some(Self::File { name, at }),
                Some(Self::File { name: other_name, at: other_at }),
            ) => name == other_name && Self::continues(at.as_deref(), other_at.as_deref()),
            (Some(Self::Attachment { .. } | Self::File { .. }), _)
            | (_, Some(Self::Attachment { .. } | Self::File { .. })) => false,
            (Some(Self::Sheet(a, _)), Some(Self::Sheet(b, _))) => a == b,
            (a @ Some(Self::Slide(_) | Self::Message(_)), b) => a == b,
            _ => true,
        }
    }
}

/// `page 3`, `sheet Costs!B4`, `message 2, attachment minutes.pdf, page 3`.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Page(n) | Self::Slide(n) | Self::Message(n) | Self::Cell(n) => {
                write!(f, "{} {n}", self.kind())
            }
            Self::Sheet(name, cell) => write!(f, "sheet {name}!{cell}"),
            Self::Attachment { message, name, at } => {
                if let Some(n) = message {
                    write!(f, "message {n}, ")?;
                }
                write!(f, "attachment {name}")?;
                at.as_ref().map_or(Ok(()), |at| write!(f, ", {at}"))
            }
            Self::File { name, at } => {
                write!(f, "file {name}")?;
                at.as_ref().map_or(Ok(()), |at| write!(f, ", {at}"))
            }
        }
    }
}

/// Parses the output of [`Display`](fmt::Display).
impl FromStr for Location {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (kind, rest) = text.split_once(' ').ok_or(())?;
        let number = || rest.parse().map_err(|_| ());
        match kind {
            "page" => number().map(Self::Page),
            "slide" => number().map(Self::Slide),
            "message" if rest.contains(", attachment ") => {
                let (n, attachment) = rest.split_once(", ").ok_or(())?;
                match attachment.parse()? {
                    Self::Attachment { name, at, .. } => {
                        let message = Some(n.parse().map_err(|_| ())?);
                        Ok(Self::Attachment { message, name, at })
                    }
                    _ => Err(()),
                }
            }
            "message" => number().map(Self::Message),
            "attachment" => {
                let (name, at) = attached_at(rest);
                Ok(Self::Attachment { message: None, name: name.to_owned(), at })
            }
            "file" => {
                let (name, at) = attached_at(rest);
                Ok(Self::File { name: name.to_owned(), at })
            }
            "cell" => number().map(Self::Cell),
            "sheet" => rest
                .rsplit_once('!')
                .map(|(name, cell)| Self::Sheet(name.to_owned(), cell.to_owned()))
                .ok_or(()),
            _ => Err(()),
        }
    }
}

/// The name of a file in a document and the place in it. A name may contain commas, and so may the
/// name of a sheet, so the first comma counts that a place follows.
fn attached_at(text: &str) -> (&str, Option<Box<Location>>) {
    let kinds = ["page ", "slide ", "sheet ", "cell "];
    for (comma, _) in text.match_indices(", ") {
        let (name, rest) = (text.slice(..comma), text.slice(comma + 2..));
        let is_place = kinds.iter().any(|kind| rest.starts_with(kind));
        if let Some(at) = is_place.then(|| rest.parse().ok()).flatten() {
            return (name, Some(Box::new(at)));
        }
    }
    (text, None)
}

/// A passage of a document: the unit that is embedded, indexed, ranked and cited.
#[derive(Clone, Debug, PartialEq)]
pub struct Chunk {
    /// Heading path, outermost first; does not repeat the document's title.
    pub heading: Vec<String>,
    pub text: String,
    /// The bytes of the file that `text` comes from. For binary formats and containers (PDF, office
    /// files, mail, notebooks), bytes and lines are those of the extracted text, and `place` is the
    /// place in the file.
    pub bytes: Span,
    pub lines: Lines,
    /// Where the passage begins, for formats that have pages, slides, sheets or the like.
    pub place: Option<Location>,
    /// What an answer may quote of it, in order and without overlap. Empty for source code, whose
    /// sentences are found when an answer is made.
    pub units: Vec<Unit>,
    /// The header rows of the table that the passage continues, one a line; empty when it begins
    /// elsewhere.
    pub table_header: String,
}

impl Chunk {
    /// The place of the whole passage.
    pub fn extent(&self) -> Extent {
        let last = self.units.iter().rev().find_map(Unit::last_location);
        Extent::new(self.bytes, self.lines, self.place.clone(), last.cloned())
    }

    /// The place of some of its units, by index; that of the whole passage when there are none.
    pub fn extent_of(&self, units: &[usize]) -> Extent {
        let units = || units.iter().filter_map(|&at| self.units.get(at));
        let first = units().min_by_key(|unit| unit.span.start);
        let last = units().max_by_key(|unit| unit.span.end);
        let (Some(first), Some(last)) = (first, last) else { return self.extent() };
        let bytes =
            Span::new(first.bytes.start.min(last.bytes.start), first.bytes.end.max(last.bytes.end));
        let lines = Lines {
            first: first.lines.first.min(last.lines.first),
            last: first.lines.last.max(last.lines.last),
        };
        Extent::new(bytes, lines, first.location.clone(), last.last_location().cloned())
    }
}

/// A piece of a passage that an answer quotes whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Unit {
    /// In the text of the passage.
    pub span: Span,
    pub kind: UnitKind,
    /// As [`Chunk::bytes`] and [`Chunk::lines`].
    pub bytes: Span,
    pub lines: Lines,
    /// Where the unit begins.
    pub location: Option<Location>,
    /// The page on which it ends, if that is another one.
    pub end: Option<Location>,
}

impl Unit {
    fn last_location(&self) -> Option<&Location> {
        self.end.as_ref().or(self.location.as_ref())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnitKind {
    /// A sentence of a paragraph.
    Sentence,
    /// A sentence of a list item; `first` when it carries the item's mark.
    Item {
        first: bool,
    },
    Heading,
    /// A whole fence or indented block.
    Code,
    /// A row that names the columns of a table. It is quoted with a row only.
    Header,
    /// A row of a table.
    Row,
    /// A log line, a chat message, a key with its value: quoted whole and alone.
    Record,
}

/// The place of a text in its document, as citations state it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extent {
    pub bytes: Span,
    pub lines: Lines,
    /// Where it begins.
    pub location: Option<Location>,
    /// Where its last unit is, if that is on another page, slide or the like.
    pub last_location: Option<Location>,
}

impl Extent {
    fn new(bytes: Span, lines: Lines, first: Option<Location>, last: Option<Location>) -> Self {
        let last_location = last.filter(|last| first.as_ref().is_some_and(|first| first != last));
        Self { bytes, lines, location: first, last_location }
    }

    /// `page 2`, `pages 2–3`, `sheet Costs!B4`; `None` in a document that has only lines.
    pub fn within(&self) -> Option<String> {
        use Location::{Cell, Message, Page, Sheet, Slide};
        let first = self.location.as_ref()?;
        let Some(last) = &self.last_location else { return Some(first.to_string()) };
        Some(match (first, last) {
            (Page(a), Page(b))
            | (Slide(a), Slide(b))
            | (Message(a), Message(b))
            | (Cell(a), Cell(b)) => format!("{}s {a}–{b}", first.kind()),
            // The first row is enough to find the others.
            (Sheet(name, _), Sheet(other, _)) if name == other => first.to_string(),
            _ => format!("{first} – {last}"),
        })
    }
}

/// What [`Extent::within`] may have displayed as `text`: the first and the last place. A name may
/// look like a range of places, so there may be several readings.
pub fn places_within(text: &str) -> Vec<(Location, Location)> {
    let one = text.parse::<Location>().ok().map(|place| (place.clone(), place));
    let numbered = |text: &str| {
        let (kind, numbers) = text.split_once("s ")?;
        let (first, last) = numbers.split_once('–')?;
        let place = |n: &str| format!("{kind} {n}").parse::<Location>().ok();
        Some((place(first)?, place(last)?))
    };
    let ranges = text.match_indices(" – ").filter_map(|(at, dash)| {
        let (first, last) = (text.slice(..at), text.slice(at + dash.len()..));
        Some((first.parse().ok()?, last.parse().ok()?))
    });
    one.into_iter().chain(numbered(text)).chain(ranges).collect()
}

/// The line before a passage when it is embedded: title and heading path, so that the vector of a
/// passage deep in a manual reflects its topic. Empty when there is neither.
pub fn context_line(title: Option<&str>, heading: &[String]) -> String {
    let parts: Vec<&str> = title.into_iter().chain(heading.iter().map(String::as_str)).collect();
    parts.join(" > ")
}

/// The text of a passage as the model embeds it.
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

/// Something of the query that the index does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A word, and the one searched instead.
    Corrected { word: String, instead: String },
    /// A word, and the most similar one of the index, which was not searched.
    Similar { word: String, other: String },
    /// A quoted phrase, which was dropped.
    NoPhrase(String),
    /// A test of the filter that no document passes, and the most similar one that some pass.
    NoValue { test: String, similar: String },
    /// As before, where none is similar: the most common ones.
    OtherValues { test: String, others: String },
    /// The engine that finds the nearest vectors did not answer.
    WordsOnly,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Corrected { word, instead } => {
                write!(f, "no passage has `{word}`; searched for `{instead}`")
            }
            Self::Similar { word, other } => {
                write!(f, "no passage has `{word}`; did you mean `{other}`?")
            }
            Self::NoValue { test, similar } => {
                write!(f, "no document has `{test}`; did you mean `{similar}`?")
            }
            Self::OtherValues { test, others } => {
                write!(f, "no document has `{test}`; there are `{others}`")
            }
            Self::WordsOnly => f.write_str(
                "the engine that finds the nearest vectors does not answer; searched for words \
                 only",
            ),
            Self::NoPhrase(phrase) => {
                write!(f, "no passage has the phrase \"{phrase}\"; searched for its words")
            }
        }
    }
}

/// What each retriever and the rerank contribute to the score of a hit, as `--explain` shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Contributions {
    pub lexical: Option<Contribution>,
    pub dense: Option<Contribution>,
    /// For reranked passages only.
    pub rerank: Option<Contribution>,
}

/// The contribution of one retriever, or of the rerank.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contribution {
    /// Rank in the retriever's ranking, or among the reranked passages.
    pub rank: Rank,
    /// BM25 score, cosine similarity, or the mean of best cosines between tokens.
    pub score: f64,
    /// Score after normalization, before weighting.
    pub normalised: f64,
    /// Weight in the fused score.
    pub weight: f64,
}

/// A place in a retriever's ranking, of which only the beginning is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// Counted from 1; equal scores share the better rank.
    At(usize),
    /// Worse than the best so many.
    Beyond(usize),
}

impl std::fmt::Display for Rank {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::At(rank) => write!(f, "{rank}"),
            Self::Beyond(n) => write!(f, "beyond {n}"),
        }
    }
}

/// One numbered source of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Citation {
    /// The number that `[n]` in the answer refers to, from 1.
    pub n: usize,
    pub hit: Hit,
    /// Indices of the units of the passage that the answer quotes or rests on. Empty when they are
    /// not known: the citation is then of the whole passage.
    pub quoted: Vec<usize>,
}

impl Citation {
    /// The parts of the passage that are cited, as they are in its text.
    pub fn quotes(&self) -> impl Iterator<Item = &str> {
        let chunk = &self.hit.chunk;
        let units = self.quoted.iter().filter_map(|&at| chunk.units.get(at));
        units.filter_map(|unit| chunk.text.get(unit.span.range()))
    }

    /// The place of what is cited.
    pub fn extent(&self) -> Extent {
        self.hit.chunk.extent_of(&self.quoted)
    }
}

/// An answer and its sources.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The answer with `[n]` marks; empty when not supported.
    pub text: String,
    /// False when nothing in the index supports an answer; `citations` are then the nearest
    /// passages.
    pub supported: bool,
    /// Estimated probability that the evidence supports an answer; `None` where it was not
    /// estimated, as for what a language model wrote.
    pub confidence: Option<f64>,
    pub citations: Vec<Citation>,
}

/// The lower-case name of a file, without the suffix of a backup or a template: that has the format
/// of the file without it.
pub fn kind_name(path: &str) -> String {
    const SUFFIXES: [&str; 4] = [".orig", ".bak", ".old", ".in"];
    let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
    let original = SUFFIXES.iter().find_map(|suffix| name.strip_suffix(suffix));
    match original.filter(|name| name.contains('.')) {
        Some(original) => original.to_owned(),
        None => name,
    }
}

/// The part of a name after its last dot.
pub fn extension_of(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_parsed_as_it_is_displayed() {
        for text in [
            "page 3",
            "slide 4",
            "sheet Costs, 1897!B4",
            "message 2",
            "cell 7",
            "attachment minutes.pdf",
            "attachment minutes, page of May.pdf, page 2",
            "attachment costs.xlsx, sheet Costs, 1897!B4",
            "message 12, attachment minutes.pdf, page 2",
            "file notes/minutes, May.pdf, page 2",
            "file mail.eml › report.md",
        ] {
            let place: Location = text.parse().expect(text);
            assert_eq!(place.to_string(), text);
        }
        for text in ["pages 2–3", "slides 4–5", "message 2 – message 2, attachment a.pdf, page 1"]
        {
            let (first, last) = places_within(text).pop().expect(text);
            let extent = Extent {
                bytes: Span::new(0, 0),
                lines: Lines { first: 1, last: 1 },
                location: Some(first),
                last_location: Some(last),
            };
            assert_eq!(extent.within().as_deref(), Some(text));
        }
        assert_eq!("message x, attachment a".parse::<Location>(), Err(()));
        assert_eq!("attachment".parse::<Location>(), Err(()));
    }
}
