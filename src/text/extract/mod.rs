//! A file's bytes become readable text with its structure marked: headings, paragraphs, code,
//! tables.
//!
//! For formats that people write by hand the text is the decoded file word for word, markup
//! included, because a passage is shown as it stands in the file and people who write Markdown read
//! Markdown. HTML, XML and subtitles are rendered. [`Origin`] leads back to the bytes and lines of
//! the file in either case. None of these parsers recurses or takes more than linear time.
//!
//! PDF, office files, mail and notebooks are no text, and their spans are of what was extracted;
//! `places` says page, slide or sheet. What parses them may take memory or stack without bound, and
//! runs where that is limited: see [`is_risky`].

mod build;
mod code;
mod decode;
mod html;
mod kind;
mod latex;
mod lines;
mod mail;
mod markdown;
mod notebook;
#[cfg(feature = "office")]
mod office;
mod origin;
#[cfg(feature = "pdf")]
mod pdf;
mod plain;
mod records;
mod rst;
mod rtf;
mod subtitles;
#[cfg_attr(not(feature = "code"), path = "syntax/left_out.rs")]
mod syntax;
#[cfg_attr(not(feature = "office"), allow(dead_code, reason = "office files are read with it"))]
mod xml;

use std::borrow::Cow;

use crate::document::{Format, Location, Span};
use crate::error;
use crate::strings::StrExt as _;

pub(in crate::text) use code::is_closing;
pub(in crate::text) use lines::lines;
pub use origin::Origin;
pub use syntax::{has_outline, outline};

/// A file as text.
#[derive(Clone, Debug, PartialEq)]
pub struct Extracted {
    pub format: Format,
    /// What the document calls itself; `None` when it does not say. Chunking leaves room for it, so
    /// a caller that makes up a title puts it here first.
    pub title: Option<String>,
    pub text: String,
    /// In order and without overlap. What lies between two blocks is white space, or something not
    /// worth finding: front matter, comments, rules, adornments of headings.
    pub blocks: Vec<Block>,
    /// Of code, what [`outline`] found: what it consists of, which is what it is divided by. Empty
    /// for all else.
    pub outline: Vec<Node>,
    /// Where pages, slides, rows of sheets and the like begin in the text, in order.
    pub places: Vec<(usize, Location)>,
    /// What the document says of itself beside its title, such as `("tags", "travel")`; a key may
    /// come several times.
    pub metadata: Vec<(String, String)>,
    pub origin: Origin,
}

impl Extracted {
    /// A text that is its own origin: what is left of a format that is no text itself.
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

    /// The page, slide or the like that an offset of the text lies in.
    pub fn place_at(&self, offset: usize) -> Option<&Location> {
        self.places[..self.places.partition_point(|(start, _)| *start <= offset)]
            .last()
            .map(|(_, place)| place)
    }
}

/// One piece of structure.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// In the extracted text, without surrounding line ends.
    pub span: Span,
    pub kind: BlockKind,
}

/// What the chunker must know of a block: where sections begin, and how it may be divided.
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
    /// Divided between rows, which are lines.
    Table,
}

/// A definition, statement or the like in a file of code, as [`outline`] yields it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// From the beginning of its first line, comments and attributes above it included.
    pub span: Span,
    /// 0 is the outermost. A node is inside the last one before it that is less deep.
    pub depth: usize,
    /// What it defines, such as `fn main`; statements, fields and the like have no name.
    pub name: Option<String>,
}

/// Why a file has no text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoText {
    /// Not text; says what it seems to be.
    Binary(Cow<'static, str>),
    /// Nothing but white space.
    Empty,
    /// A document that could hold text and holds none.
    NoWords,
    /// A document of so many pages, all of them images.
    Scanned(usize),
    /// It takes a password.
    Encrypted,
    /// Text that a program wrote for itself; says what it is.
    Generated(Cow<'static, str>),
    /// A format that this program does not read, though it holds text.
    Unsupported(Cow<'static, str>),
    /// A format whose reader, a Cargo feature, this build lacks.
    LeftOut(Cow<'static, str>),
    /// Not what its first bytes promise; says what is wrong.
    Damaged(Cow<'static, str>),
    /// It is beyond a limit, which is named.
    TooMuch(Cow<'static, str>),
    /// Nobody could read it here, whatever is in it; says why.
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

    /// What the user can do about it; `None` where nothing is amiss.
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Binary(_) | Self::Empty | Self::Generated(_) | Self::Unread(_) => None,
            Self::NoWords => Some("open it to see whether anything is missing"),
            Self::Scanned(_) => {
                Some("run text recognition over it, such as ocrmypdf, and ingest again")
            }
            Self::Encrypted => Some("save a copy without the password"),
            Self::Unsupported(_) => Some("save a copy in a newer format or as PDF"),
            Self::LeftOut(_) => Some("install a build of rag with all of its features"),
            Self::Damaged(_) => Some("open it in the program that wrote it and save it again"),
            Self::TooMuch(_) => Some("divide the file, or leave it out with --exclude"),
        }
    }

    /// Whether the same file would give the same again, here and elsewhere.
    pub fn is_lasting(&self) -> bool {
        !matches!(self, Self::Unread(_))
    }

    /// Whether the file could not be read, rather than having been read and found without text.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Damaged(_) | Self::TooMuch(_) | Self::Unread(_))
    }
}

/// Whether a file is of a format whose parsers may take memory, time or stack without bound:
/// [`extract`] is then for a process that has limits.
pub fn is_risky(path: &str, bytes: &[u8]) -> bool {
    format_of(path, bytes).is_ok_and(is_risky_format)
}

fn is_risky_format(format: Format) -> bool {
    use Format::{Docx, Epub, Mail, Mbox, Notebook, Odp, Ods, Odt, Pdf, Pptx, Rtf, Xlsx};
    matches!(
        format,
        Pdf | Docx | Pptx | Xlsx | Odt | Odp | Ods | Epub | Rtf | Mail | Mbox | Notebook
    )
}

/// The Cargo features that this build lacks and that change what is read of a file, as bits: a part
/// of the version of extraction, because another build reads other text from the same files.
pub const LEFT_OUT: u32 = (cfg!(not(feature = "pdf")) as u32)
    | (cfg!(not(feature = "office")) as u32) << 1
    | (cfg!(not(feature = "code")) as u32) << 2;

/// The format of a file that this build can read.
fn format_of(path: &str, bytes: &[u8]) -> Result<Format, NoText> {
    use Format::{Docx, Epub, Odp, Ods, Odt, Pdf, Pptx, Xlsx};
    match kind::format_of(path, bytes)? {
        Pdf if cfg!(not(feature = "pdf")) => Err(NoText::LeftOut("pdf".into())),
        Docx | Pptx | Xlsx | Odt | Odp | Ods | Epub if cfg!(not(feature = "office")) => {
            Err(NoText::LeftOut("office".into()))
        }
        format => Ok(format),
    }
}

/// Extracts the text of a file. The path serves to tell the format only; nothing is read from it.
pub fn extract(path: &str, bytes: &[u8]) -> Result<Extracted, NoText> {
    let format = format_of(path, bytes)?;
    if is_risky_format(format) {
        return match format {
            #[cfg(feature = "pdf")]
            Format::Pdf => pdf::parse(bytes),
            Format::Rtf => rtf::parse(bytes),
            Format::Mail => mail::message(bytes),
            Format::Mbox => mail::mailbox(bytes),
            Format::Notebook => notebook::parse(bytes),
            #[cfg(feature = "office")]
            _ => office::parse(format, bytes),
            #[cfg(not(feature = "office"))]
            _ => Err(NoText::LeftOut("office".into())),
        };
    }
    let decoded = decode::decode(bytes, decode::declared(bytes, format == Format::Html))?;
    if kind::says_it_is_generated(format, &decoded.text) {
        return Err(NoText::Generated("it says so".into()));
    }
    if kind::is_table(format, &decoded.text) {
        return Err(NoText::Generated("a table".into()));
    }
    let mut metadata = Vec::new();
    let (title, rendering, blocks) = match format {
        Format::Html => {
            let page = html::parse(&decoded.text);
            (page.title, Some((page.text, page.map)), page.blocks)
        }
        Format::Subtitles => {
            let (text, map, blocks) = subtitles::parse(&decoded.text);
            (None, Some((text, map)), blocks)
        }
        Format::Xml => match xml::parse(&decoded.text) {
            Some(page) => (page.title, Some((page.text, page.map)), page.blocks),
            None => (None, None, code::parse(&decoded.text)),
        },
        Format::Markdown => {
            let (title, blocks, front) = markdown::parse(&decoded.text);
            metadata = front;
            (title, None, blocks)
        }
        Format::ReStructuredText => {
            let blocks = rst::parse(&decoded.text);
            (opening_heading(&blocks), None, blocks)
        }
        Format::Latex => {
            let (title, blocks) = latex::parse(&decoded.text);
            (title, None, blocks)
        }
        Format::Csv => (None, None, records::csv(&decoded.text)),
        Format::JsonLines => (None, None, records::json_lines(&decoded.text)),
        Format::Code | Format::Json => (None, None, code::parse(&decoded.text)),
        _ => {
            let blocks = plain::parse(&decoded.text);
            (opening_heading(&blocks), None, blocks)
        }
    };
    let (origin, text) = match rendering {
        None => (Origin::new(&decoded.text, decoded.map, None), decoded.text),
        Some((text, map)) => (Origin::new(&decoded.text, decoded.map, Some(map)), text),
    };
    if text.trim().is_empty() {
        return Err(NoText::Empty);
    }
    let title = title.as_deref().and_then(short_title);
    Ok(Extracted {
        format,
        title,
        text,
        blocks,
        outline: Vec::new(),
        places: Vec::new(),
        metadata,
        origin,
    })
}

/// The title of a document without other means of saying it: a heading that opens it, when no other
/// stands as high.
fn opening_heading(blocks: &[Block]) -> Option<String> {
    let mut headings = blocks.iter().enumerate().filter_map(|(i, block)| match &block.kind {
        BlockKind::Heading { level, text } => Some((i, *level, text)),
        _ => None,
    });
    // Badges, dates and field lists may stand above it.
    let (_, level, text) = headings.next().filter(|(i, ..)| *i < 3)?;
    headings.all(|(_, other, _)| other > level).then(|| text.clone())
}

/// Long enough for any real title; a title is embedded with every passage and must leave it room.
const MAX_TITLE_CHARS: usize = 120;

/// A title on one line, cut at a word when it is too long; `None` when there is nothing in it.
fn short_title(title: &str) -> Option<String> {
    let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
    if !title.chars().any(char::is_alphanumeric) {
        return None;
    }
    let Some((cut, _)) = title.char_indices().nth(MAX_TITLE_CHARS) else { return Some(title) };
    let cut = title.slice(..cut).rfind(' ').filter(|&at| at * 2 > cut).unwrap_or(cut);
    Some(format!("{}…", title.slice(..cut).trim_end()))
}

#[cfg(test)]
mod tests;
