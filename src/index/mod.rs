//! One generation of one index: BM25 segments, vectors, the table of files, and checksums of all of
//! them.
//!
//! Readers open a [`Snapshot`] and see one complete generation. A writer holds the [`Store`]'s
//! lock, builds the next generation in a separate folder with a [`Builder`], and commits it by
//! replacing one small file, the [`Pointer`] of the index's name. Only this room names `tantivy`.

mod build;
mod bundle;
mod collect;
mod consistency;
mod dense;
mod documents;
mod estimate;
mod exchange;
mod generation;
mod guard;
mod lexical;
mod listed;
mod local;
mod names;
mod pending;
mod pointer;
mod progress;
mod proposed;
mod protocol;
mod replica;
mod rewrite;
mod roots;
mod salvage;
mod snapshot;
mod summary;
#[cfg(test)]
mod tests;
mod verify;

pub use build::Builder;
pub use bundle::{Saved, load, save};
pub use collect::collect;
pub use dense::{Comparison, Near, Nearest};
pub use documents::{Failure, Record, State};
pub use estimate::{Estimator, Status};
pub use exchange::{Copied, Other};
pub use generation::{Chunking, Counts, Meta, ModelInfo};
pub use lexical::{ChunkEntry, LexicalScores, Stored};
pub use listed::Listed;
pub use names::{Store, WriteLock};
pub use pending::{Pending, Vectors};
pub use pointer::{Before, Pointer};
pub use progress::{IngestStage, Progress, percent};
pub use protocol::Collected;
pub use replica::DepotStatus;
pub use rewrite::{copy_document, rewrite};
pub use roots::{Root, plain_name, roots_named};
pub use salvage::{Remains, Roster, blank_record, fall_back, repair_pointer, roster};
pub use snapshot::{Allowed, Snapshot};
pub use summary::Summary;
pub use verify::{Problem, verify};
