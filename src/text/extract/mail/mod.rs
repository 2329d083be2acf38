//! E-mail: messages and mailboxes.
//!
//! The text of a message is its head, what its sender wrote, and the text of its attachments, each
//! at a place with its name. The body is the plain part, or else the rendered HTML part. History
//! that a reply repeats and signatures are left out; see [`own`].

mod batches;
mod own;
mod page;

use mail_parser::{Address, Message, MessageParser, MessagePart, MimeHeaders as _, PartType};

pub use self::batches::{Batches, Mailbox};
use self::own::{Fate, Line};
use super::build::Build;
use super::doc::{BlockKind, Extracted, MAX_DEPTH, NoText, ReadInner};
use super::html;
use crate::document::{Format, Location, extension_of};
use crate::strings::StrExt as _;

/// Attachments of one message; more are named but not read.
const MAX_ATTACHMENTS: usize = 100;

/// A longer message of a mailbox is left out.
const MAX_MESSAGE_BYTES: usize = 32 << 20;

/// Characters of an attachment's name in a place.
const MAX_NAME_CHARS: usize = 120;

/// Where a message is.
#[derive(Clone)]
struct Position {
    /// Its number in a mailbox.
    message: Option<usize>,
    /// The name of the attachment that it is.
    within: Option<String>,
    /// Number of files around it; see [`MAX_DEPTH`].
    depth: usize,
    /// Reads what is attached.
    read: ReadInner,
}

impl Position {
    /// The place of a file attached here.
    fn attachment(&self, name: &str, at: Option<Location>) -> Location {
        Location::Attachment { message: self.message, name: name.to_owned(), at: at.map(Box::new) }
    }
}

pub(super) fn message(bytes: &[u8], depth: usize, read: ReadInner) -> Result<Extracted, NoText> {
    let message = parse(bytes).ok_or_else(|| NoText::Damaged("it has no headers".into()))?;
    let mut build = Build::default();
    write(&message, &mut build, &Position { message: None, within: None, depth, read });
    if let Some(date) = message.date() {
        build.metadata("date", &date.to_rfc3339());
    }
    let from = addresses(message.from());
    build.metadata("author", &from);
    build.metadata("from", &from);
    build.metadata("to", &addresses(message.to()));
    build.metadata("cc", &addresses(message.cc()));
    build.metadata("subject", message.subject().unwrap_or_default());
    build.finish(Format::Mail, message.subject())
}

pub(super) fn mailbox(bytes: &[u8], depth: usize, read: ReadInner) -> Result<Extracted, NoText> {
    let mut build = Build::default();
    let mut n = 0;
    for raw in messages(bytes) {
        let Some(message) = parse(&raw) else { continue };
        n += 1;
        build.place(Location::Message(n));
        build.heading(1, message.subject().unwrap_or("(no subject)"));
        write(&message, &mut build, &Position { message: Some(n), within: None, depth, read });
    }
    build.finish(Format::Mbox, None)
}

fn parse(bytes: &[u8]) -> Option<Message<'_>> {
    MessageParser::default().parse(bytes)
}

/// The messages of a mailbox: each starts with a line `From …` after an empty one. Inside a message
/// such a line is quoted by a `>`, which is removed. A message that is too long is empty.
fn messages(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let mut lines = bytes.split_inclusive(|b| *b == b'\n').peekable();
    std::iter::from_fn(move || {
        lines.next_if(|line| line.starts_with(b"From "));
        lines.peek()?;
        let mut message = Vec::new();
        let mut after_gap = false;
        while let Some(line) = lines.next_if(|line| !(after_gap && line.starts_with(b"From "))) {
            after_gap = line.trim_ascii().is_empty();
            let quotes = line.iter().take_while(|b| **b == b'>').count();
            let is_quoted = quotes > 0 && line[quotes..].starts_with(b"From ");
            if message.len() < MAX_MESSAGE_BYTES {
                message.extend_from_slice(&line[usize::from(is_quoted)..]);
            }
        }
        if message.len() >= MAX_MESSAGE_BYTES {
            message.clear();
        }
        Some(message)
    })
}

fn write(message: &Message<'_>, build: &mut Build, position: &Position) {
    let attached: Vec<String> = message
        .parts
        .iter()
        .filter(|part| !part.is_multipart())
        .filter_map(|part| part.attachment_name().map(short_name))
        .collect();
    for (name, value) in [("From", message.from()), ("To", message.to()), ("Cc", message.cc())] {
        head(build, name, &addresses(value));
    }
    head(build, "Date", &message.date().map(mail_parser::DateTime::to_rfc3339).unwrap_or_default());
    head(build, "Subject", message.subject().unwrap_or_default());
    head(build, "Attached", &attached.join(", "));

    let is_forward = message.subject().is_some_and(own::is_forward);
    for id in &message.text_body {
        match message.part(*id).map(|part| &part.body) {
            Some(PartType::Text(text)) => write_plain(text, is_forward, build),
            Some(PartType::Html(text)) => write_page(text, is_forward, build),
            _ => {}
        }
    }
    let has_calendar = attached.iter().any(|name| name.to_lowercase().ends_with(".ics"));
    for attachment in message.attachments().take(MAX_ATTACHMENTS) {
        // An invitation is often given twice: as a part without a name and as a file.
        if !(has_calendar && unnamed_card(attachment) == Some(INVITATION)) {
            attach(attachment, build, position);
        }
    }
}

const INVITATION: &str = "invitation.ics";

/// A name for a part without one that is an invitation or a contact.
fn unnamed_card(part: &MessagePart<'_>) -> Option<&'static str> {
    if part.attachment_name().is_some() {
        return None;
    }
    let kind = part.content_type().filter(|kind| kind.ctype().eq_ignore_ascii_case("text"))?;
    match kind.subtype()?.to_ascii_lowercase().as_str() {
        "calendar" => Some(INVITATION),
        "vcard" | "x-vcard" => Some("contact.vcf"),
        _ => None,
    }
}

/// A header as a record.
fn head(build: &mut Build, name: &str, value: &str) {
    if !value.is_empty() {
        build.block(BlockKind::Record, &format!("{name}: {value}"));
    }
}

/// Writes an attached file, if it is one that can be read.
fn attach(part: &MessagePart<'_>, build: &mut Build, position: &Position) {
    let name = part.attachment_name().or_else(|| unnamed_card(part)).map(short_name);
    let path = |name: String| match &position.within {
        Some(outer) => format!("{outer} › {name}"),
        None => name,
    };
    let bytes = match &part.body {
        PartType::Message(inner) => {
            if position.depth + 1 < MAX_DEPTH {
                let subject = || short_name(inner.subject().unwrap_or("(no subject)"));
                let name = path(name.unwrap_or_else(subject));
                build.place(position.attachment(&name, None));
                build.heading(2, inner.subject().unwrap_or("(no subject)"));
                let depth = position.depth + 1;
                write(inner, build, &Position { within: Some(name), depth, ..*position });
            }
            return;
        }
        PartType::Text(text) if name.is_none() => return write_plain(text, false, build),
        PartType::Text(text) | PartType::Html(text) => text.as_bytes(),
        PartType::Binary(bytes) | PartType::InlineBinary(bytes) => bytes,
        PartType::Multipart(_) => return,
    };
    let Some(name) = name else { return };
    let is_text = matches!(part.body, PartType::Text(_) | PartType::Html(_));
    // What is not read, such as a picture, is named in the head.
    if let Ok(found) = (position.read)(&name, bytes, position.depth + 1)
        && (found.format != Format::Plain || is_text || is_named_as_text(&name))
    {
        let name = path(name);
        // The heading is on the first page.
        let first = found.places.first().map(|(_, at)| at.clone());
        let first =
            first.filter(|at| !matches!(at, Location::Attachment { .. } | Location::File { .. }));
        build.place(position.attachment(&name, first));
        build.heading(2, &name);
        build.attach(found, 2, |at| match at.map(Location::into_inner) {
            // A mail attached as a file, with its own attachments, or an archive.
            Some((Some(inner), at)) => position.attachment(&format!("{name} › {inner}"), at),
            Some((None, at)) => position.attachment(&name, at),
            None => position.attachment(&name, None),
        });
    }
}

/// Whether a name is one of plain text. The bytes of an unknown format can look like text.
fn is_named_as_text(name: &str) -> bool {
    matches!(extension_of(name).to_ascii_lowercase().as_str(), "txt" | "text" | "log")
}

/// The name of an attachment on one line, without the folders that some programs write before it.
fn short_name(name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let name: String = name.chars().filter(|c| !c.is_control()).take(MAX_NAME_CHARS).collect();
    name.one_line()
}

/// Paragraphs between empty lines.
fn write_plain(text: &str, is_forward: bool, build: &mut Build) {
    let lines: Vec<Line<'_>> = text.lines().map(Line::plain).collect();
    let fates = own::fates(&lines, is_forward);
    let mut paragraph = String::new();
    for (line, fate) in lines.iter().zip(&fates) {
        if *fate != Fate::Own || line.text.trim().is_empty() {
            build.block(BlockKind::Paragraph, &std::mem::take(&mut paragraph));
        }
        match fate {
            Fate::Own if !line.text.trim().is_empty() => {
                paragraph.push_str(line.text.trim_end());
                paragraph.push('\n');
            }
            fate => write_forwarded(*fate, line, build),
        }
    }
    build.block(BlockKind::Paragraph, &paragraph);
}

/// The blocks of a page, less the lines that are not its sender's.
fn write_page(source: &str, is_forward: bool, build: &mut Build) {
    let page = html::parse(&page::without_history(source, is_forward));
    let mut lines = Vec::new();
    let mut numbers = Vec::new();
    let mut last = "";
    for (n, block) in page.blocks.iter().enumerate() {
        let text = page.text.slice(block.span.range());
        let is_history = block.kind == BlockKind::Quote && own::introduces_quote(last);
        for line in text.lines() {
            lines.push(Line { text: line, is_quoted: is_history });
            numbers.push(Some(n));
        }
        lines.push(Line { text: "", is_quoted: false });
        numbers.push(None);
        last = text.lines().last().unwrap_or(last);
    }
    let fates = own::fates(&lines, is_forward);
    let mut kept: Vec<(usize, String)> = Vec::new();
    let flush = |kept: &mut Vec<(usize, String)>, build: &mut Build| {
        for (n, text) in kept.drain(..) {
            let kind = match &page.blocks[n].kind {
                BlockKind::Heading { level, .. } => {
                    BlockKind::Heading { level: level.saturating_add(1), text: text.clone() }
                }
                kind => kind.clone(),
            };
            build.block(kind, &text);
        }
    };
    for ((line, fate), number) in lines.iter().zip(&fates).zip(numbers) {
        match (fate, number) {
            (Fate::Own, Some(n)) => match kept.last_mut() {
                Some((last, text)) if *last == n => {
                    text.push('\n');
                    text.push_str(line.text);
                }
                _ => kept.push((n, line.text.to_owned())),
            },
            (Fate::Own | Fate::Left, _) => {}
            (fate, _) => {
                flush(&mut kept, build);
                write_forwarded(*fate, line, build);
            }
        }
    }
    flush(&mut kept, build);
}

/// The start of a forwarded message: a section with its own head.
fn write_forwarded(fate: Fate, line: &Line<'_>, build: &mut Build) {
    match fate {
        Fate::Forwarded => build.heading(2, "Forwarded message"),
        Fate::Head => drop(build.block(BlockKind::Record, line.text.trim())),
        Fate::Own | Fate::Left => {}
    }
}

fn addresses(address: Option<&Address<'_>>) -> String {
    let Some(address) = address else { return String::new() };
    let shown: Vec<String> = address
        .iter()
        .filter_map(|one| match (one.name(), one.address()) {
            (Some(name), Some(address)) => Some(format!("{name} <{address}>")),
            (name, address) => name.or(address).map(str::to_owned),
        })
        .collect();
    shown.join(", ")
}

#[cfg(test)]
mod tests;
