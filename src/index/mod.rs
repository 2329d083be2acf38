//! One generation of one index: BM25 segments, vectors, the table of files, and the checksums of
//! all of them.
//!
//! Readers open a [`Snapshot`] and see one whole generation. A writer holds the [`Store`]'s lock,
//! builds the next generation in a folder of its own with a [`Builder`], and commits it by
//! replacing one small file that says which generation a name stands for. `tantivy` is named in
//! this room only.

mod build;
mod bundle;
mod dense;
mod documents;
mod estimate;
mod generation;
mod guard;
mod lexical;
mod names;
mod progress;
mod rewrite;
mod roots;
mod salvage;
mod snapshot;
#[cfg(test)]
mod tests;
mod verify;

pub use build::{Before, Builder, Pending, Summary, Vectors};
pub use bundle::{Saved, load, save};
pub use documents::{Failure, Record, State};
pub use estimate::{Estimator, Status};
pub use generation::{Chunking, Counts, Meta, ModelInfo, Root};
pub use lexical::{ChunkEntry, Stored};
pub use names::{Pointer, Store};
pub use progress::{IngestStage, Progress, percent};
pub use rewrite::{carry, rewrite};
pub use roots::{plain_name, roots_named};
pub use salvage::{Remains, Roster, blank, fall_back, mend_pointer, roster};
pub use snapshot::{Allowed, Snapshot};
pub use verify::{Problem, verify};
