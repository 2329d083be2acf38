//! The dense retriever: float32 rows in `.npy` files, and beside each file its rows in a quarter of
//! the space, as codes.
//!
//! A query is compared with the codes of every row. What the codes lose is bounded for each row, so
//! they show which rows can be among the best, and only these are read. The best passages and their
//! cosines are those of a scan of all rows.
//!
//! Rows are numbered across all vector files of a generation in order, so merging adjacent files
//! changes no row number. A row belongs to one distinct embedded text. Several chunks may point to
//! one row; a row that no live chunk points to stays until the generation is rebuilt.

mod code;
mod npy;
mod reader;
mod records;
mod scan;
mod writer;

pub use reader::VectorReader;
pub use records::Files;
pub use scan::{Comparison, Near, Nearest, Passages, RARE, Scan};
pub use writer::{KEY_BYTES, RowKey, Writer, codes_name, keys_name, read_keys};
