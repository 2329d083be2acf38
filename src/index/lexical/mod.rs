//! The BM25 leg: Tantivy segments, written by [`Writer`], read by [`LexicalReader`].
//!
//! Terms come from `analysis`, not from Tantivy's tokenizers, and scores are computed here from
//! Tantivy's posting lists: Tantivy fixes k1 and b, and counts deleted chunks in its statistics
//! until segments merge, so that an index grown by re-ingestion would rank differently from one
//! built afresh. Here they rank the same.

mod directory;
mod phrase;
mod reader;
mod rename;
mod schema;
mod write_directory;
mod writer;

pub use directory::VerifiedDirectory;
pub use reader::{LexicalReader, Stored};
pub use writer::{ChunkEntry, Writer};
