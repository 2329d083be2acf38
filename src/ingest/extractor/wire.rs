//! What parent and child say to each other: a line of JSON that says how many bytes follow, then
//! those bytes.

use std::io::{self, BufRead, Read as _, Write};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::document::{Format, Span};
use crate::text::{Block, BlockKind, Extracted, NoText, Node};

/// The line before a file.
#[derive(Debug, Deserialize, Serialize)]
pub struct Request {
    /// Tells the format only.
    pub path: String,
    /// Size of the file that follows.
    pub bytes: u64,
    /// Seconds of processor time that it may take.
    pub cpu_s: u64,
    /// The file is text that has been read already, and what it consists of is asked for.
    #[serde(default)]
    pub outline: bool,
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
    /// The parser failed in a way that it should not have.
    Panicked,
}

/// Start, end, kind; for headings the level and the words.
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
    pub fn of(found: Result<Extracted, NoText>) -> Self {
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
                BlockKind::Table => ('t', None),
            };
            (block.span.start, block.span.end, kind, heading)
        };
        Self::Text(Text {
            format: doc.format.name().to_owned(),
            title: doc.title,
            text: doc.text,
            blocks: doc.blocks.into_iter().map(block).collect(),
            places: doc
                .places
                .into_iter()
                .map(|(start, place)| (start, place.to_string()))
                .collect(),
            metadata: doc.metadata,
        })
    }

    pub fn of_outline(nodes: Vec<Node>) -> Self {
        Self::Outline(
            nodes
                .into_iter()
                .map(|node| (node.span.start, node.span.end, node.depth, node.name))
                .collect(),
        )
    }

    /// The outline of a text, checked; `None` when it can be none.
    pub fn outline(self, text: &str) -> Option<Vec<Node>> {
        let Self::Outline(nodes) = self else { return None };
        let mut open: Vec<Span> = Vec::new();
        let mut found = Vec::with_capacity(nodes.len());
        for (start, end, depth, name) in nodes {
            let before = open.drain(depth.min(open.len())..).next();
            let begins_right = before.is_none_or(|before| before.end <= start);
            let is_inside =
                open.last().is_none_or(|outer| outer.start <= start && end <= outer.end);
            let is_of_text =
                start <= end && text.is_char_boundary(start) && text.is_char_boundary(end);
            if depth > open.len() || !begins_right || !is_inside || !is_of_text {
                return None;
            }
            open.push(Span::new(start, end));
            found.push(Node { span: Span::new(start, end), depth, name });
        }
        Some(found)
    }

    /// What the child found; `None` when it says what no child of this version says.
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
            Self::Panicked => Some(Err(NoText::Damaged("it trips its parser".into()))),
        }
    }
}

impl Text {
    /// Checked: what comes from a child is not believed more than what comes from a disk.
    fn extracted(self) -> Option<Extracted> {
        let mut blocks = Vec::with_capacity(self.blocks.len());
        let mut last = 0;
        for (start, end, kind, heading) in self.blocks {
            if start < last
                || end < start
                || !self.text.is_char_boundary(start)
                || !self.text.is_char_boundary(end)
            {
                return None;
            }
            last = end;
            let kind = match (kind, heading) {
                ('h', Some((level, text))) => BlockKind::Heading { level, text },
                ('p', None) => BlockKind::Paragraph,
                ('l', None) => BlockKind::ListItem,
                ('q', None) => BlockKind::Quote,
                ('c', None) => BlockKind::Code,
                ('t', None) => BlockKind::Table,
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
    /// A path, in which every character may be escaped.
    const MOST: u64 = 1 << 17;
    let mut line = Vec::new();
    input.take(MOST).read_until(b'\n', &mut line)?;
    if line.is_empty() { Ok(None) } else { Ok(Some(serde_json::from_slice(&line)?)) }
}
