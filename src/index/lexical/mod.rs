//! The lexical retriever (BM25): Tantivy segments, written by [`Writer`], read by
//! [`LexicalReader`].
//!
//! Terms come from `analysis`, not from Tantivy's tokenizers, and scores are computed here from
//! Tantivy's posting lists. Tantivy fixes k1 and b, and counts deleted chunks in its statistics
//! until segments merge, so an index grown by repeated ingests would rank differently from a new
//! one. Here both rank the same.

mod directory;
mod phrase;
mod reader;
mod rename;
mod schema;
mod units;
mod write_directory;
mod writer;

pub use directory::VerifiedDirectory;
pub use reader::{LexicalReader, LexicalScores, NO_ROW, Stored};
pub use writer::{ChunkEntry, Writer};
