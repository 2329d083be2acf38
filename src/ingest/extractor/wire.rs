//! The protocol of parent and child: a line of JSON with the number of bytes that follow, then
//! those bytes.

use std::io::{self, BufRead, Read as _, Write};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::document::{Format, Span};
use crate::text::{Block, BlockKind, Extracted, NoText, Node};

/// The line before a file.
#[derive(Debug, Deserialize, Serialize)]
pub struct Request {
    /// Only used to detect the format.
    pub path: String,
    /// Size of the file that follows.
    pub bytes: u64,
    /// Limit of processor time in seconds.
    pub cpu_s: u64,
    #[serde(default)]
    pub kind: ExtractionKind,
}

/// What a child extracts.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub enum ExtractionKind {
    #[default]
    Text,
    /// The file is whole messages of a mailbox.
    Messages,
    /// The file is extracted text, and its outline is wanted.
    Outline,
}

/// The line before an [`Answer`].
#[derive(Debug, Deserialize, Serialize)]
pub struct Head {
    pub bytes: u64,
}

#[derive(Debug, Deserialize, Serialize)]
pub enum Answer {
    Text(Text),
    NoText {
        kind: String,
        what: String,
    },
    /// Start, end, depth and name of each node.
    Outline(Vec<(usize, usize, usize, Option<String>)>),
    /// The parser panicked.
    Panicked,
}

/// Start, end, kind; for headings the level and the text.
type WireBlock = (usize, usize, char, Option<(u8, String)>);

#[derive(Debug, Deserialize, Serialize)]
pub struct Text {
    format: String,
    title: Option<String>,
    text: String,
    blocks: Vec<WireBlock>,
    places: Vec<(usize, String)>,
    metadata: Vec<(String, String)>,
}

impl Answer {
    pub fn from_text(found: Result<Extracted, NoText>) -> Self {
        let doc = match found {
            Ok(doc) => doc,
            Err(none) => {
                let (kind, what) = match none {
                    NoText::Binary(what) => ("binary", what.into_owned()),
                    NoText::Empty => ("empty", String::new()),
                    NoText::Generated(what) => ("generated", what.into_owned()),
                    NoText::NoWords => ("no words", String::new()),
                    NoText::Scanned(pages) => ("scanned", pages.to_string()),
                    NoText::Encrypted => ("encrypted", String::new()),
                    NoText::Unsupported(what) => ("unsupported", what.into_owned()),
                    NoText::LeftOut(feature) => ("left out", feature.into_owned()),
                    NoText::Damaged(how) => ("damaged", how.into_owned()),
                    NoText::TooMuch(limit) => ("too much", limit.into_owned()),
                    NoText::Unread(why) => ("unread", why.into_owned()),
                };
                return Self::NoText { kind: kind.to_owned(), what };
            }
        };
        let block = |block: Block| {
            let (kind, heading) = match block.kind {
                BlockKind::Heading { level, text } => ('h', Some((level, text))),
                BlockKind::Paragraph => ('p', None),
                BlockKind::ListItem => ('l', None),
                BlockKind::Quote => ('q', None),
                BlockKind::Code => ('c', None),
                BlockKind::Table { headers } => {
                    ('t', Some((headers.min(u8::MAX.into()) as u8, String::new())))
                }
                BlockKind::Record => ('r', None),
            };
            (block.span.start, block.span.end, kind, heading)
        };
        let places = doc.places.into_iter().map(|(start, place)| (start, place.to_string()));
        Self::Text(Text {
            format: doc.format.name().to_owned(),
            title: doc.title,
            text: doc.text,
            blocks: doc.blocks.into_iter().map(block).collect(),
            places: places.collect(),
            metadata: doc.metadata,
        })
    }

    pub fn from_outline(nodes: Vec<Node>) -> Self {
        let node = |node: Node| (node.span.start, node.span.end, node.depth, node.name);
        Self::Outline(nodes.into_iter().map(node).collect())
    }

    /// The outline of a text; `None` when it is invalid.
    pub fn outline(self, text: &str) -> Option<Vec<Node>> {
        let Self::Outline(nodes) = self else { return None };
        let mut open: Vec<Span> = Vec::new();
        let mut found = Vec::with_capacity(nodes.len());
        for (start, end, depth, name) in nodes {
            let sibling = open.drain(depth.min(open.len())..).next();
            let is_after = sibling.is_none_or(|sibling| sibling.end <= start);
            let is_inside =
                open.last().is_none_or(|outer| outer.start <= start && end <= outer.end);
            if depth > open.len() || !is_after || !is_inside || !is_span_of(text, start, end) {
                return None;
            }
            open.push(Span::new(start, end));
            found.push(Node { span: Span::new(start, end), depth, name });
        }
        Some(found)
    }

    /// The extracted text; `None` when the answer is invalid.
    pub fn found(self) -> Option<Result<Extracted, NoText>> {
        match self {
            Self::Text(text) => text.extracted().map(Ok),
            Self::NoText { kind, what } => Some(Err(match kind.as_str() {
                "binary" => NoText::Binary(what.into()),
                "empty" => NoText::Empty,
                "generated" => NoText::Generated(what.into()),
                "no words" => NoText::NoWords,
                "scanned" => NoText::Scanned(what.parse().ok()?),
                "encrypted" => NoText::Encrypted,
                "unsupported" => NoText::Unsupported(what.into()),
                "left out" => NoText::LeftOut(what.into()),
                "damaged" => NoText::Damaged(what.into()),
                "too much" => NoText::TooMuch(what.into()),
                "unread" => NoText::Unread(what.into()),
                _ => return None,
            })),
            Self::Outline(_) => None,
            Self::Panicked => Some(Err(NoText::Damaged("its parser panics".into()))),
        }
    }
}

fn is_span_of(text: &str, start: usize, end: usize) -> bool {
    start <= end && text.is_char_boundary(start) && text.is_char_boundary(end)
}

impl Text {
    /// The text, if it is valid: a child is trusted no more than a file.
    fn extracted(self) -> Option<Extracted> {
        let mut blocks = Vec::with_capacity(self.blocks.len());
        let mut last = 0;
        for (start, end, kind, heading) in self.blocks {
            if start < last || !is_span_of(&self.text, start, end) {
                return None;
            }
            last = end;
            let kind = match (kind, heading) {
                ('h', Some((level, text))) => BlockKind::Heading { level, text },
                ('p', None) => BlockKind::Paragraph,
                ('l', None) => BlockKind::ListItem,
                ('q', None) => BlockKind::Quote,
                ('c', None) => BlockKind::Code,
                ('t', Some((headers, _))) => BlockKind::Table { headers: headers.into() },
                ('r', None) => BlockKind::Record,
                _ => return None,
            };
            blocks.push(Block { span: Span::new(start, end), kind });
        }
        let places =
            self.places.into_iter().map(|(start, place)| Some((start, place.parse().ok()?)));
        let places = places.collect::<Option<Vec<_>>>()?;
        let format = Format::of_name(&self.format)?;
        let extracted = Extracted::rendered(format, self.title.as_deref(), self.text, blocks);
        Some(Extracted { places, metadata: self.metadata, ..extracted })
    }
}

/// Writes a line of JSON.
pub fn write_line<T: Serialize>(out: &mut impl Write, value: &T) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    out.write_all(&line)
}

/// Reads a line of JSON; `None` at the end of the stream.
pub fn read_line<T: DeserializeOwned>(input: &mut impl BufRead) -> io::Result<Option<T>> {
    /// Enough for a path in which every character is escaped.
    const MAX_BYTES: u64 = 1 << 17;
    let mut line = Vec::new();
    input.take(MAX_BYTES).read_until(b'\n', &mut line)?;
    if line.is_empty() { Ok(None) } else { Ok(Some(serde_json::from_slice(&line)?)) }
}
