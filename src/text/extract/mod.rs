//! Extracts the text of a file and its structure: headings, paragraphs, code, tables.
//!
//! For formats that people write by hand, the text is the decoded file, markup included: a passage
//! is shown as in the file, and people who write Markdown read Markdown. HTML, XML and subtitles
//! are rendered. In both cases [`Origin`] maps the text to bytes and lines of the file. These
//! parsers are not recursive and take linear time.
//!
//! PDF, office files, mail and notebooks are not text. Their spans are those of the extracted text,
//! and `places` has page, slide or sheet. Their parsers may need unbounded memory or stack, so they
//! run in a process with limits: see [`is_risky`].

mod asciidoc;
mod build;
mod cards;
mod code;
mod comments;
#[cfg(feature = "office")]
mod compound;
mod decode;
mod doc;
mod embedded;
mod html;
mod kind;
mod latex;
mod lines;
mod mail;
mod man;
mod markdown;
mod notebook;
mod numbered;
#[cfg(feature = "office")]
mod office;
mod org;
mod origin;
mod packed;
#[cfg(feature = "pdf")]
mod pdf;
mod placeholder;
mod plain;
mod preformatted;
mod records;
mod rendered;
mod rst;
mod rtf;
mod scripts;
mod stamps;
mod subtitles;
mod symbol_font;
#[cfg_attr(not(feature = "code"), path = "syntax/left_out.rs")]
mod syntax;
mod table;
#[cfg_attr(not(feature = "office"), allow(dead_code, reason = "office files are read with it"))]
mod xml;

use crate::document::Format;
use doc::{MAX_DEPTH, opening_heading, short_title};
use origin::OffsetMap;
use placeholder::is_placeholder;
use rendered::Rendered;

pub(in crate::text) use code::is_closing;
pub use doc::{Block, BlockKind, Extracted, NoText, Node};
pub use kind::{begins_like_mailbox, is_picture};
pub(in crate::text) use lines::lines;
pub use mail::{Batches, Mailbox};
pub use origin::Origin;
pub use syntax::{has_outline, outline};

/// Whether the parser of a file may need unbounded memory, time or stack: then [`extract`] must run
/// in a process with limits.
pub fn is_risky(path: &str, bytes: &[u8]) -> bool {
    packed::content_name(path, bytes).is_some() || format_of(path, bytes).is_ok_and(is_risky_format)
}

fn is_risky_format(format: Format) -> bool {
    use Format::{
        Doc, Docx, Epub, Mail, Mbox, Notebook, Odp, Ods, Odt, Pdf, Ppt, Pptx, Rtf, Xls, Xlsx, Zip,
    };
    matches!(
        format,
        Pdf | Docx
            | Pptx
            | Xlsx
            | Odt
            | Odp
            | Ods
            | Epub
            | Rtf
            | Mail
            | Mbox
            | Notebook
            | Zip
            | Doc
            | Xls
            | Ppt
    )
}

/// The Cargo features that affect extraction and that this build lacks, as bits. They are a part of
/// the version of extraction, because another build extracts other text from the same files.
pub const LEFT_OUT: u32 = (cfg!(not(feature = "pdf")) as u32)
    | (cfg!(not(feature = "office")) as u32) << 1
    | (cfg!(not(feature = "code")) as u32) << 2;

/// The format of a file, if this build can read it.
fn format_of(path: &str, bytes: &[u8]) -> Result<Format, NoText> {
    use Format::{Doc, Docx, Epub, Odp, Ods, Odt, Pdf, Ppt, Pptx, Xls, Xlsx, Zip};
    match kind::format_of(path, bytes)? {
        Pdf if cfg!(not(feature = "pdf")) => Err(NoText::LeftOut("pdf".into())),
        Docx | Pptx | Xlsx | Odt | Odp | Ods | Epub | Zip | Doc | Xls | Ppt
            if cfg!(not(feature = "office")) =>
        {
            Err(NoText::LeftOut("office".into()))
        }
        format => Ok(format),
    }
}

/// Extracts the text of a file. The path only serves to detect the format.
pub fn extract(path: &str, bytes: &[u8]) -> Result<Extracted, NoText> {
    let mut extracted = extract_within(path, bytes, 0)?;
    extracted.metadata.retain(|(key, value)| !is_placeholder(key, value));
    Ok(extracted)
}

/// Extracts whole messages of a mailbox.
pub fn mailbox(bytes: &[u8]) -> Result<Extracted, NoText> {
    mail::mailbox(bytes, 0, extract_within)
}

/// Extracts a file that is inside `depth` others.
fn extract_within(path: &str, bytes: &[u8], depth: usize) -> Result<Extracted, NoText> {
    if depth >= MAX_DEPTH {
        return Err(NoText::TooMuch("it is nested too deep".into()));
    }
    if let Some(name) = packed::content_name(path, bytes) {
        return extract_within(name, &packed::unpack(bytes)?, depth + 1);
    }
    let format = format_of(path, bytes)?;
    match format {
        #[cfg(feature = "pdf")]
        Format::Pdf => pdf::parse(bytes),
        #[cfg(feature = "office")]
        Format::Docx
        | Format::Pptx
        | Format::Xlsx
        | Format::Odt
        | Format::Odp
        | Format::Ods
        | Format::Epub => office::parse(format, bytes),
        #[cfg(feature = "office")]
        Format::Zip => office::archive(bytes, depth, extract_within),
        #[cfg(feature = "office")]
        Format::Doc | Format::Xls | Format::Ppt => compound::parse(format, bytes),
        #[cfg(feature = "office")]
        Format::Mail if compound::is_compound(bytes) => {
            compound::message(bytes, depth, extract_within)
        }
        Format::Rtf => rtf::parse(bytes),
        Format::Mail => mail::message(bytes, depth, extract_within),
        Format::Mbox => mail::mailbox(bytes, depth, extract_within),
        Format::Notebook => notebook::parse(bytes),
        _ => text_file(format, bytes),
    }
}

/// Extracts a file that is text.
fn text_file(format: Format, bytes: &[u8]) -> Result<Extracted, NoText> {
    let decoded = decode::decode(bytes, decode::declared(bytes, format == Format::Html))?;
    let source = &decoded.text;
    if kind::says_it_is_generated(format, source) {
        return Err(NoText::Generated("it says so".into()));
    }
    if kind::is_table(format, source) {
        return Err(NoText::Generated("a table".into()));
    }
    let reading = Reading::of(format, source);
    let (origin, text) = match reading.rendering {
        None => (Origin::new(source, decoded.map, None), decoded.text),
        Some((text, map)) => (Origin::new(source, decoded.map, Some(map)), text),
    };
    if text.trim().is_empty() {
        return Err(NoText::Empty);
    }
    let title = reading.title.as_deref().and_then(short_title);
    let (outline, places) = (Vec::new(), Vec::new());
    let (blocks, metadata) = (reading.blocks, reading.metadata);
    Ok(Extracted { format, title, text, blocks, outline, places, metadata, origin })
}

/// What the parser of a text makes of it.
#[derive(Default)]
struct Reading {
    title: Option<String>,
    /// The text and its map to the source; `None` when the text is the source.
    rendering: Option<(String, OffsetMap)>,
    blocks: Vec<Block>,
    metadata: Vec<(String, String)>,
}

impl Reading {
    fn of(format: Format, source: &str) -> Self {
        match format {
            Format::Html => Self::of_page(html::parse(source)),
            Format::Xml => match xml::parse(source) {
                Some(page) => Self::of_page(page),
                None => Self { blocks: code::parse(source), ..Self::default() },
            },
            Format::Subtitles => {
                let (text, map, blocks) = subtitles::parse(source);
                Self { rendering: Some((text, map)), blocks, ..Self::default() }
            }
            Format::Calendar => Self::of_rendered(cards::calendar(source)),
            Format::Contacts => Self::of_rendered(cards::contacts(source)),
            Format::Latex => Self::of_rendered(latex::parse(source)),
            Format::ReStructuredText => Self::of_rendered(rst::parse(source)),
            Format::Org => Self::of_rendered(org::parse(source)),
            Format::AsciiDoc => Self::of_rendered(asciidoc::parse(source)),
            Format::Man => Self::of_rendered(man::parse(source)),
            Format::Csv => Self::of_rendered(records::csv(source)),
            _ => Self::as_written(format, source),
        }
    }

    fn of_page(page: html::Page) -> Self {
        let html::Page { title, text, map, blocks, metadata } = page;
        let title = match title {
            Some(title) if is_placeholder("title", &title) => opening_heading(&blocks),
            title => title,
        };
        Self { title, rendering: Some((text, map)), blocks, metadata }
    }

    fn of_rendered(rendered: Rendered) -> Self {
        let Rendered { title, metadata, .. } = &rendered;
        let (title, metadata) = (title.clone(), metadata.clone());
        let (text, map, blocks) = rendered.finish();
        let title = title.or_else(|| opening_heading(&blocks));
        Self { title, rendering: Some((text, map)), blocks, metadata }
    }

    /// A format that people read as it is written; embedded files and comments are left out.
    fn as_written(format: Format, source: &str) -> Self {
        let mut changes = Vec::new();
        let is_markdown = format == Format::Markdown;
        if is_markdown {
            changes = preformatted::preformatted(source);
            let comments = comments::comments(source).into_iter();
            changes.extend(comments.map(|comment| (comment, String::new())));
        }
        let code = || if is_markdown { comments::code(source) } else { Vec::new() };
        if let Some((text, map)) = embedded::without_hidden(source, changes, &code) {
            let reading = Self::as_written_whole(format, &text);
            return Self { rendering: Some((text, map)), ..reading };
        }
        Self::as_written_whole(format, source)
    }

    fn as_written_whole(format: Format, text: &str) -> Self {
        let mut metadata = Vec::new();
        let (title, blocks) = match format {
            Format::Markdown => {
                let (title, blocks, front) = markdown::parse(text);
                metadata = front;
                (title, blocks)
            }
            Format::JsonLines => (None, records::json_lines(text)),
            Format::Json => (None, records::json(text).unwrap_or_else(|| code::parse(text))),
            Format::Code => (None, code::parse(text)),
            _ => {
                let blocks = plain::parse(text);
                (opening_heading(&blocks), blocks)
            }
        };
        Self { title, rendering: None, blocks, metadata }
    }
}

#[cfg(test)]
mod tests;
