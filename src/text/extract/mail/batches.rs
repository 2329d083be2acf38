//! A mailbox as a stream: batches of whole messages, and the text of all of them.
//!
//! The result equals that of the whole mailbox, and needs the memory of a batch and of the text.

use std::io::{BufRead, Read as _, Result as IoResult};

use crate::document::{Format, Location};
use crate::text::extract::build::Build;
use crate::text::extract::doc::{Extracted, NoText};

/// Divides a mailbox into batches of whole messages. Messages that are too long are left out.
pub struct Batches<R> {
    input: R,
    /// The line that the next message begins with, once it has been read.
    begin: Vec<u8>,
    max_message_bytes: usize,
    batch_bytes: usize,
    is_at_end: bool,
}

impl<R: BufRead> Batches<R> {
    /// A batch ends with the message that makes it as long as `batch_bytes`.
    pub fn new(input: R, max_message_bytes: usize, batch_bytes: usize) -> Self {
        Self { input, begin: Vec::new(), max_message_bytes, batch_bytes, is_at_end: false }
    }

    /// Appends the next message, unless it is too long.
    fn message(&mut self, batch: &mut Vec<u8>) -> IoResult<()> {
        let start = batch.len();
        batch.append(&mut self.begin);
        let (mut after_gap, mut is_too_long) = (false, false);
        let mut line = Vec::new();
        loop {
            line.clear();
            // A longer line comes in pieces, of which none begins a message.
            let most = self.max_message_bytes as u64 + 1;
            if (&mut self.input).take(most).read_until(b'\n', &mut line)? == 0 {
                self.is_at_end = true;
                break;
            }
            if after_gap && line.starts_with(b"From ") {
                self.begin = line;
                break;
            }
            after_gap = line.trim_ascii().is_empty();
            is_too_long |= batch.len() - start + line.len() > self.max_message_bytes;
            if is_too_long {
                batch.truncate(start);
            } else {
                batch.extend_from_slice(&line);
            }
        }
        Ok(())
    }
}

impl<R: BufRead> Iterator for Batches<R> {
    type Item = IoResult<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut batch = Vec::new();
        while !self.is_at_end && batch.len() < self.batch_bytes {
            if let Err(e) = self.message(&mut batch) {
                self.is_at_end = true;
                return Some(Err(e));
            }
        }
        (!batch.is_empty()).then_some(Ok(batch))
    }
}

/// The text of a mailbox, made of those of its batches.
#[derive(Default)]
pub struct Mailbox {
    build: Build,
    n_messages: usize,
}

impl Mailbox {
    /// Adds the text of the next batch. Returns false when the text is full.
    pub fn add(&mut self, found: Extracted) -> bool {
        let number = |at: &Location| match at {
            Location::Message(n) => *n,
            Location::Attachment { message, .. } => message.unwrap_or_default(),
            _ => 0,
        };
        let before = self.n_messages;
        self.n_messages += found.places.iter().map(|(_, at)| number(at)).max().unwrap_or(0);
        self.build.attach(found, 0, |at| match at {
            Some(Location::Attachment { message, name, at }) => {
                Location::Attachment { message: message.map(|n| n + before), name, at }
            }
            at => Location::Message(at.as_ref().map_or(0, number) + before),
        })
    }

    /// # Errors
    /// When no message has text, or all of them have too much.
    pub fn finish(self) -> Result<Extracted, NoText> {
        self.build.finish(Format::Mbox, None)
    }
}
