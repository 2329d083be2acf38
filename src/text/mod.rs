//! Folders to files, files to texts, texts to chunks.
//!
//! Pure except for [`walk()`], which reads directories: extraction takes bytes, chunking takes a
//! function that counts tokens. Every chunk is mapped to bytes and lines of its file, through every
//! encoding and rendering.

mod chunk;
mod extract;
mod language;
mod stated;
mod walk;

pub use chunk::{Limits, chunk};
pub use extract::{
    Batches, Block, BlockKind, Extracted, LEFT_OUT, Mailbox, NoText, Node, Origin,
    begins_like_mailbox, extract, has_outline, is_picture, is_risky, mailbox, outline,
};
pub use language::{detect, language_of};
pub use stated::stated;
pub use walk::{
    Entry, SkipReason, WalkOptions, WalkedFile, file_below, is_relevant, mounted, walk,
};

#[cfg(test)]
mod tests;
