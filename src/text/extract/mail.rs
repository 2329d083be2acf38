//! E-mail: messages and mailboxes.
//!
//! The text of a message is its headers, its body, and the names of its attachments. The body is
//! the plain part, or else the rendered HTML part.

use mail_parser::{Address, Message, MessageParser, MimeHeaders as _, PartType};

use super::build::Build;
use super::doc::{BlockKind, Extracted, NoText};
use super::html;
use crate::document::{Format, Location};

/// Deeper nested messages are not read.
const MAX_DEPTH: usize = 4;

pub(super) fn message(bytes: &[u8]) -> Result<Extracted, NoText> {
    let message = parse(bytes).ok_or_else(|| NoText::Damaged("it has no headers".into()))?;
    let mut build = Build::default();
    write(&message, &mut build, 0);
    if let Some(date) = message.date() {
        build.metadata("date", &date.to_rfc3339());
    }
    build.metadata("author", &addresses(message.from()));
    build.finish(Format::Mail, message.subject())
}

pub(super) fn mailbox(bytes: &[u8]) -> Result<Extracted, NoText> {
    let mut build = Build::default();
    let mut n = 0;
    for raw in messages(bytes) {
        let Some(message) = parse(&raw) else { continue };
        n += 1;
        build.place(Location::Message(n));
        build.heading(1, message.subject().unwrap_or("(no subject)"));
        write(&message, &mut build, 0);
    }
    build.finish(Format::Mbox, None)
}

fn parse(bytes: &[u8]) -> Option<Message<'_>> {
    MessageParser::default().parse(bytes)
}

/// The messages of a mailbox: each starts with a line `From …` after an empty one. Inside a message
/// such a line is quoted by a `>`, which is removed.
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
            message.extend_from_slice(&line[usize::from(is_quoted)..]);
        }
        Some(message)
    })
}

fn write(message: &Message<'_>, build: &mut Build, depth: usize) {
    let mut head = String::new();
    for (name, value) in [("From", message.from()), ("To", message.to()), ("Cc", message.cc())] {
        let value = addresses(value);
        if !value.is_empty() {
            head.push_str(&format!("{name}: {value}\n"));
        }
    }
    if let Some(date) = message.date() {
        head.push_str(&format!("Date: {}\n", date.to_rfc3339()));
    }
    if let Some(subject) = message.subject() {
        head.push_str(&format!("Subject: {subject}\n"));
    }
    build.block(BlockKind::Paragraph, &head);
    let mut attached = Vec::new();
    for part in &message.parts {
        if !part.is_multipart()
            && let Some(name) = part.attachment_name()
        {
            attached.push(name.to_owned());
        }
    }
    for id in &message.text_body {
        match message.part(*id).map(|part| &part.body) {
            Some(PartType::Text(text)) => write_plain(text, build),
            Some(PartType::Html(text)) => {
                let page = html::parse(text);
                build.append(&page.text, page.blocks, 1);
            }
            _ => {}
        }
    }
    for attachment in message.attachments() {
        match &attachment.body {
            PartType::Message(inner) if depth < MAX_DEPTH => {
                build.heading(2, inner.subject().unwrap_or("(no subject)"));
                write(inner, build, depth + 1);
            }
            PartType::Text(text) => write_plain(text, build),
            _ => {}
        }
    }
    if !attached.is_empty() {
        build.block(BlockKind::Paragraph, &format!("Attached: {}", attached.join(", ")));
    }
}

/// Paragraphs between empty lines; quoted lines are separate blocks.
fn write_plain(text: &str, build: &mut Build) {
    let mut paragraph = String::new();
    let mut is_quote = false;
    let mut end = |paragraph: &mut String, is_quote: bool| {
        let kind = if is_quote { BlockKind::Quote } else { BlockKind::Paragraph };
        build.block(kind, &std::mem::take(paragraph));
    };
    for line in text.lines() {
        let quoted = line.starts_with('>');
        if line.trim().is_empty() || quoted != is_quote {
            end(&mut paragraph, is_quote);
            is_quote = quoted;
        }
        if !line.trim().is_empty() {
            paragraph.push_str(line.trim_end());
            paragraph.push('\n');
        }
    }
    end(&mut paragraph, is_quote);
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
