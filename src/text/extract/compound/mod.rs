//! Compound files: documents of Word, Excel and `PowerPoint` as written before 2007, and messages
//! of Outlook.

mod doc;
mod msg;
mod ppt;
mod streams;
mod summary;
mod xls;

use streams::Streams;

use super::doc::{Extracted, NoText, ReadInner};
use crate::document::Format;

pub(super) fn is_compound(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1")
}

pub(super) fn parse(format: Format, bytes: &[u8]) -> Result<Extracted, NoText> {
    let mut streams = Streams::open(bytes)?;
    match format {
        Format::Doc => doc::doc(&mut streams),
        Format::Xls => xls::xls(&mut streams),
        _ => ppt::ppt(&mut streams),
    }
}

pub(super) fn message(bytes: &[u8], depth: usize, read: ReadInner) -> Result<Extracted, NoText> {
    msg::message(&mut Streams::open(bytes)?, depth, read)
}

#[cfg(test)]
mod tests;
