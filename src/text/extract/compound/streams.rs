//! The streams of a compound file, which is a small file system, and numbers and texts in them.
//!
//! Offsets and lengths in a file are not trusted: a reader takes what is there and stops at the
//! first one that leads out of its stream.

use std::io::{Cursor, Read as _};

use cfb::CompoundFile;

use crate::text::extract::doc::NoText;

/// The streams of a file, by path.
pub(super) struct Streams<'a>(CompoundFile<Cursor<&'a [u8]>>);

impl<'a> Streams<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, NoText> {
        let opened = CompoundFile::open(Cursor::new(bytes));
        opened.map(Self).map_err(|e| NoText::Damaged(e.to_string().into()))
    }

    /// The content of a stream; `None` when there is no such stream. It is no longer than the file,
    /// whatever length it states.
    pub(super) fn get(&mut self, path: &str) -> Option<Vec<u8>> {
        let mut content = Vec::new();
        self.0.open_stream(path).ok()?.read_to_end(&mut content).ok()?;
        Some(content)
    }

    pub(super) fn required(&mut self, path: &str) -> Result<Vec<u8>, NoText> {
        self.get(path).ok_or_else(|| NoText::Damaged(format!("{path} is missing").into()))
    }

    /// The names of the streams and storages in a storage, sorted.
    pub(super) fn names(&self, storage: &str) -> Vec<String> {
        let entries = self.0.read_storage(storage).into_iter().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.name().to_owned()).collect();
        names.sort_unstable();
        names
    }
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

/// `len` bytes at an offset.
pub(super) fn part(bytes: &[u8], at: usize, len: usize) -> Option<&[u8]> {
    bytes.get(at..at.checked_add(len)?)
}

pub(super) fn utf_16(bytes: &[u8]) -> String {
    encoding_rs::UTF_16LE.decode_without_bom_handling(bytes).0.into_owned()
}

/// Text of one byte a character, in the code page of Western Europe.
pub(super) fn latin(bytes: &[u8]) -> String {
    encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned()
}

/// The date and time of a count of 100 ns since 1601.
pub(super) fn time(ticks: u64) -> Option<jiff::Timestamp> {
    const SECONDS_TO_1970: i64 = 11_644_473_600;
    let seconds = i64::try_from(ticks / 10_000_000).ok()? - SECONDS_TO_1970;
    jiff::Timestamp::from_second(seconds).ok().filter(|_| ticks > 0)
}
