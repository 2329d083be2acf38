//! The extracted text with its structure, and the reasons why a file has none.

use std::borrow::Cow;

use super::origin::Origin;
use crate::document::{Format, Location, Span};
use crate::error;
use crate::strings::StrExt as _;

/// Files inside files, such as a mail attached to a mail, are read down to this depth.
pub(super) const MAX_DEPTH: usize = 4;

/// Reads a file that is inside another: its path, its bytes, and how many files are around it.
pub(super) type ReadInner = fn(&str, &[u8], usize) -> Result<Extracted, NoText>;

/// A file as text.
#[derive(Clone, Debug, PartialEq)]
pub struct Extracted {
    pub format: Format,
    /// The title that the document states, if any. Chunking leaves room for it, so a caller that
    /// sets another title does so before.
    pub title: Option<String>,
    pub text: String,
    /// In order and without overlap. Between blocks there is white space, or text that is not
    /// searched: front matter, comments, rules, adornments of headings.
    pub blocks: Vec<Block>,
    /// The [`outline`](super::outline) of code, by which it is divided. Empty for other formats.
    pub outline: Vec<Node>,
    /// The start of each page, slide, row of a sheet and the like in the text, in order.
    pub places: Vec<(usize, Location)>,
    /// Other metadata that the document states, such as `("tags", "travel")`. Keys may repeat.
    pub metadata: Vec<(String, String)>,
    pub origin: Origin,
}

impl Extracted {
    /// The text of a format that is not text. Its spans are those of the text itself.
    pub fn rendered(format: Format, title: Option<&str>, text: String, blocks: Vec<Block>) -> Self {
        let origin = Origin::of_itself(&text);
        let title = title.and_then(short_title);
        Self {
            format,
            title,
            text,
            blocks,
            outline: Vec::new(),
            places: Vec::new(),
            metadata: Vec::new(),
            origin,
        }
    }

    /// The page, slide or the like at an offset of the text.
    pub fn place_at(&self, offset: usize) -> Option<&Location> {
        let n = self.places.partition_point(|(start, _)| *start <= offset);
        self.places[..n].last().map(|(_, place)| place)
    }
}

/// A block of text.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// In the extracted text, without surrounding line ends.
    pub span: Span,
    pub kind: BlockKind,
}

/// What the chunker needs to know: where sections begin, and how a block may be divided.
#[derive(Clone, Debug, PartialEq)]
pub enum BlockKind {
    Heading {
        /// 1 is the outermost.
        level: u8,
        /// Without markup.
        text: String,
    },
    Paragraph,
    ListItem,
    Quote,
    /// Divided between lines.
    Code,
    /// Divided between rows, which are lines; cells are parted by ` | `, and an empty cell keeps
    /// its column.
    Table {
        /// Rows at the top that name the columns.
        headers: usize,
    },
    /// One record, such as a log line with its stack trace, a chat message with its sender, or a
    /// key with its value. It is quoted whole and alone.
    Record,
}

/// A node of the [`outline`](super::outline) of code: a definition, a statement or the like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// From the start of its first line, including comments and attributes above it.
    pub span: Span,
    /// 0 is the outermost. A node is inside the last one before it with a smaller depth.
    pub depth: usize,
    /// What it defines, such as `fn main`; statements, fields and the like have no name.
    pub name: Option<String>,
}

/// Why a file has no text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoText {
    /// Not text: its likely format.
    Binary(Cow<'static, str>),
    /// Only white space.
    Empty,
    /// A document without text.
    NoWords,
    /// A document of this many pages, all of them images.
    Scanned(usize),
    /// It needs a password.
    Encrypted,
    /// Text that a program wrote: what it is.
    Generated(Cow<'static, str>),
    /// A format with text that is not supported.
    Unsupported(Cow<'static, str>),
    /// A format that needs this Cargo feature, which the build lacks.
    LeftOut(Cow<'static, str>),
    /// Not a valid file of its format: what is wrong.
    Damaged(Cow<'static, str>),
    /// It exceeds this limit.
    TooMuch(Cow<'static, str>),
    /// It could not be read for a reason outside the file.
    Unread(Cow<'static, str>),
}

impl NoText {
    pub fn text(&self) -> Cow<'static, str> {
        match self {
            Self::Binary(what) => format!("binary ({what})").into(),
            Self::Empty => "empty".into(),
            Self::Generated(what) => format!("generated ({what})").into(),
            Self::NoWords => "no text in the document".into(),
            Self::Scanned(1) => "scanned: its page is an image without text".into(),
            Self::Scanned(pages) => {
                format!("scanned: its {pages} pages are images without text").into()
            }
            Self::Encrypted => "encrypted".into(),
            Self::Unsupported(what) => format!("{what}, which is not read").into(),
            Self::LeftOut(feature) => error::without(feature).into(),
            Self::Damaged(how) => format!("damaged: {how}").into(),
            Self::TooMuch(why) | Self::Unread(why) => why.clone(),
        }
    }

    /// What the user can do about it, if anything.
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Binary(_) | Self::Empty | Self::Generated(_) | Self::Unread(_) => None,
            Self::NoWords => Some("open it to see whether text is missing"),
            Self::Scanned(_) => Some("run OCR, such as ocrmypdf, and ingest again"),
            Self::Encrypted => Some("save a copy without the password"),
            Self::Unsupported(_) => Some("save a copy in a newer format or as PDF"),
            Self::LeftOut(_) => Some("install a build of rag with all features"),
            Self::Damaged(_) => Some("open it in the program that wrote it and save it again"),
            Self::TooMuch(_) => Some("split the file, or leave it out with --exclude"),
        }
    }

    /// Whether the same file gives the same result again, on any machine.
    pub fn is_lasting(&self) -> bool {
        !matches!(self, Self::Unread(_))
    }

    /// Whether the file could not be read, as opposed to a file that has no text.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Damaged(_) | Self::TooMuch(_) | Self::Unread(_))
    }
}

/// The first heading of level 1.
pub(super) fn first_heading(blocks: &[Block]) -> Option<String> {
    blocks.iter().find_map(|block| match &block.kind {
        BlockKind::Heading { level: 1, text } => Some(text.clone()),
        _ => None,
    })
}

/// A title for a document that states none: the heading that opens it, if no other heading has its
/// level.
pub(super) fn opening_heading(blocks: &[Block]) -> Option<String> {
    let mut headings = blocks.iter().enumerate().filter_map(|(i, block)| match &block.kind {
        BlockKind::Heading { level, text } => Some((i, *level, text)),
        _ => None,
    });
    // Badges, dates and field lists may come first.
    let (_, level, text) = headings.next().filter(|(i, ..)| *i < 3)?;
    headings.all(|(_, other, _)| other > level).then(|| text.clone())
}

/// A title is embedded with every passage, so it must leave room for it.
const MAX_TITLE_CHARS: usize = 120;

/// A title on one line, cut at a word when it is too long; `None` without a letter or digit.
pub(super) fn short_title(title: &str) -> Option<String> {
    let title = title.one_line();
    if !title.chars().any(char::is_alphanumeric) {
        return None;
    }
    let Some((cut, _)) = title.char_indices().nth(MAX_TITLE_CHARS) else { return Some(title) };
    let cut = title.slice(..cut).rfind(' ').filter(|&at| at * 2 > cut).unwrap_or(cut);
    Some(format!("{}…", title.slice(..cut).trim_end()))
}
