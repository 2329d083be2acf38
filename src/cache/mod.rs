//! Results that need not be computed twice: one SQLite file with a table each for embeddings,
//! retrieval, rerank scores and answers.
//!
//! A cache is never trusted: every row carries a checksum over key, scope and value. A row that
//! fails it is a miss, counted and overwritten; a file that SQLite cannot read is set aside and
//! replaced. No failure here fails a command: at worst every look-up is a miss.
//!
//! Rows and counters are written behind: look-ups record what they used, and one transaction at the
//! end, or when much has gathered, writes rows, times of use and counters. A process that is killed
//! loses some of them and nothing else.
//!
//! Behind the file there may be a second tier, which several servers share.
//!
//! Every question looks rows up, so the lock of look-ups is held for one look-up at a time. Code
//! that writes, counts all rows or empties tables uses a second connection and takes that lock only
//! to hand rows over.

mod answers;
mod embeddings;
mod file;
mod flight;
mod inner;
mod origin;
mod purge;
mod purge_log;
mod rerank;
mod retrieval;
mod rows;
mod selection;
mod store;
mod table;
#[cfg(test)]
mod tests;
mod tier;

pub use answers::CachedAnswer;
pub use flight::{Claim, Flight};
pub use origin::Origin;
pub use retrieval::Ranking;
pub use selection::{Purge, WITH_ORIGIN};
pub use store::Cache;
pub use table::{Caching, Counters, Key, Purged, SharedCounters, SharedStats, Table, TableStats};
