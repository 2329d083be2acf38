//! The dense retriever: float32 rows in `.npy` files, scanned exactly.
//!
//! Rows are numbered across all vector files of a generation in order, so merging adjacent files
//! changes no row number. A row belongs to one distinct embedded text. Several chunks may point to
//! one row; a row that no live chunk points to stays until the generation is rebuilt.

mod npy;
mod reader;
mod writer;

pub use reader::VectorReader;
pub use writer::{RowKey, Writer, keys_name, read_keys};
