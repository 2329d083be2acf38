//! Paths become files, files become texts, texts become chunks.
//!
//! Pure but for [`walk()`], which reads directories: extraction takes bytes, chunking takes a
//! counting function, and neither knows a model, an index or a terminal. Every chunk can be traced
//! back to bytes and lines of the file it came from, whatever the file's encoding and however its
//! markup was rendered.

mod chunk;
mod extract;
mod language;
mod walk;

pub use chunk::{Limits, chunk};
pub use extract::{
    Block, BlockKind, Extracted, LEFT_OUT, NoText, Node, Origin, extract, has_outline, is_risky,
    outline,
};
pub use language::{detect, language_of};
pub use walk::{Entry, SkipReason, WalkOptions, WalkedFile, file_below, is_wanted, mounted, walk};

#[cfg(test)]
mod tests;
