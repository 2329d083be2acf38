//! A file's bytes become readable text with its structure marked: headings, paragraphs, code, tables.
//!
//! For everything but HTML the text is the decoded file word for word, markup included, because a passage is shown as
//! it stands in the file and people who write Markdown read Markdown. HTML is rendered. [`Origin`] leads back to the
//! bytes and lines of the file in either case. Nothing here recurses, and nothing takes more than linear time.

mod code;
mod decode;
mod html;
mod lines;
mod markdown;
mod origin;
mod plain;
mod rst;

use std::borrow::Cow;

use crate::document::{Format, Span};

pub(in crate::text) use lines::lines;
pub use origin::Origin;

/// A file as text.
#[derive(Clone, Debug, PartialEq)]
pub struct Extracted {
    pub format: Format,
    /// What the document calls itself; `None` when it does not say. Chunking leaves room for it, so a caller that
    /// makes up a title puts it here first.
    pub title: Option<String>,
    pub text: String,
    /// In order and without overlap. What lies between two blocks is white space, or something not worth finding:
    /// front matter, comments, rules, adornments of headings.
    pub blocks: Vec<Block>,
    pub origin: Origin,
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

/// Why a file has no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoText {
    /// Not text; says what it seems to be.
    Binary(&'static str),
    /// Nothing but white space.
    Empty,
}

impl NoText {
    pub fn text(self) -> Cow<'static, str> {
        match self {
            Self::Binary(what) => format!("binary ({what})").into(),
            Self::Empty => "empty".into(),
        }
    }
}

/// Extracts the text of a file. The path serves to tell the format only; nothing is read from it.
pub fn extract(path: &str, bytes: &[u8]) -> Result<Extracted, NoText> {
    if let Some(what) = binary_kind(bytes) {
        return Err(NoText::Binary(what));
    }
    let format = format_of(path, bytes)?;
    let decoded = decode::decode(bytes, decode::declared(bytes, format == Format::Html))?;
    let (title, rendering, blocks) = match format {
        Format::Html => {
            let page = html::parse(&decoded.text);
            (page.title, Some((page.text, page.map)), page.blocks)
        }
        Format::Markdown => {
            let (title, blocks) = markdown::parse(&decoded.text);
            (title, None, blocks)
        }
        Format::ReStructuredText => {
            let blocks = rst::parse(&decoded.text);
            (opening_heading(&blocks), None, blocks)
        }
        Format::Plain => {
            let blocks = plain::parse(&decoded.text);
            (opening_heading(&blocks), None, blocks)
        }
        Format::Code => (None, None, code::parse(&decoded.text)),
    };
    let (origin, text) = match rendering {
        None => (Origin::new(&decoded.text, decoded.map, None), decoded.text),
        Some((text, map)) => (Origin::new(&decoded.text, decoded.map, Some(map)), text),
    };
    if text.trim().is_empty() {
        return Err(NoText::Empty);
    }
    Ok(Extracted { format, title: title.as_deref().and_then(short_title), text, blocks, origin })
}

/// The title of a document without other means of saying it: a heading that opens it, when no other stands as high.
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
    let cut = title[..cut].rfind(' ').filter(|&at| at * 2 > cut).unwrap_or(cut);
    Some(format!("{}…", title[..cut].trim_end()))
}

/// Extensions that are code or configuration: lines matter more than paragraphs.
const CODE_EXTENSIONS: &str = "\
    adb ads asm awk bash bat bib c cc cfg clj cljs cmake cmd cocci conf cpp cs css csv cu cxx d dart diff \
    edn el elm env erl ex exs f f90 fish fs fsx go gradle graphql groovy h hcl hh hpp hrl hs hxx inc ini \
    ipynb java jl js json json5 jsonc jsonl jsx kt kts less lisp lock log lua m mjs mk ml mli mm nim nix pas \
    patch php pl pm po pot properties proto ps1 py pyi pyx r rb rkt rs s sass scala scm scss sh sql srt \
    swift tcl tf tfvars thrift toml ts tsv tsx v vb vim vue xml xsd xsl yaml yml zig zsh";

const CODE_NAMES: &str = "\
    brewfile build cmakelists.txt containerfile dockerfile gemfile gnumakefile jenkinsfile justfile kconfig \
    makefile procfile rakefile vagrantfile workspace";

fn format_of(path: &str, bytes: &[u8]) -> Result<Format, NoText> {
    let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    let format = match extension {
        Some("md" | "markdown" | "mdown" | "mkd" | "mdx" | "qmd" | "rmd") => Format::Markdown,
        Some("rst" | "rest") => Format::ReStructuredText,
        Some("html" | "htm" | "xhtml") => Format::Html,
        // Words in a drawing are too few to be worth its coordinates.
        Some("svg") => return Err(NoText::Binary("SVG image")),
        _ if is_among(CODE_NAMES, &name) => Format::Code,
        Some(extension) if is_among(CODE_EXTENSIONS, extension) => Format::Code,
        _ if bytes.starts_with(b"#!") => Format::Code,
        _ if begins_like_html(bytes) => Format::Html,
        _ => Format::Plain,
    };
    Ok(format)
}

fn is_among(words: &str, word: &str) -> bool {
    words.split(' ').any(|other| other == word)
}

fn begins_like_html(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).trim_ascii_start();
    ["<!doctype html", "<html"]
        .iter()
        .any(|start| bytes.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start.as_bytes())))
}

/// First bytes of well-known formats without text of their own, or whose text takes another reader.
const MAGIC: &[(&[u8], &str)] = &[
    (b"%PDF-", "PDF"),
    (b"%!PS", "PostScript"),
    (b"{\\rtf", "RTF"),
    (b"PK\x03\x04", "ZIP archive"),
    (b"PK\x05\x06", "ZIP archive"),
    (b"\x1F\x8B", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xFD7zXZ\0", "xz"),
    (b"\x28\xB5\x2F\xFD", "zstd"),
    (b"7z\xBC\xAF\x27\x1C", "7-Zip archive"),
    (b"Rar!\x1A\x07", "RAR archive"),
    (b"\x7FELF", "ELF program"),
    (b"\x89PNG", "PNG image"),
    (b"\xFF\xD8\xFF", "JPEG image"),
    (b"GIF87a", "GIF image"),
    (b"GIF89a", "GIF image"),
    (b"RIFF", "media"),
    (b"OggS", "Ogg media"),
    (b"ID3", "MP3 audio"),
    (b"SQLite format 3\0", "SQLite database"),
    (b"\0asm", "WebAssembly"),
    (b"\xCA\xFE\xBA\xBE", "program"),
    (b"wOFF", "font"),
    (b"wOF2", "font"),
    (b"!<arch>\n", "archive"),
];

fn binary_kind(bytes: &[u8]) -> Option<&'static str> {
    MAGIC
        .iter()
        .find(|(magic, _)| bytes.starts_with(magic))
        // Short magics are also words; only text lacks a zero byte.
        .filter(|(magic, _)| magic.len() > 4 || *magic == b"%!PS" || !magic.is_ascii() || bytes.contains(&0))
        .map(|&(_, what)| what)
}

#[cfg(test)]
mod tests;
