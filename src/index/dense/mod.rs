//! The dense leg: float32 rows in `.npy` files, scanned exactly.
//!
//! Rows are numbered over all vector files of a generation in order, so joining neighbouring files
//! changes no row number. A row is one distinct embedded text; chunks point to rows, several chunks
//! may point to one, and a row that no live chunk points to is dead weight until the generation is
//! built afresh.

mod npy;
mod reader;
mod writer;

pub use reader::VectorReader;
pub use writer::{RowKey, Writer, keys_name, read_keys};
