//! The table of files: what makes re-ingestion cheap, and what says why a file is not in the index.
//!
//! One JSON object a line, in the order of the walk.

use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::disk;
use crate::error::{Context as _, Fault, Result};

/// File name inside a generation.
pub const FILE: &str = "documents.jsonl";

/// One file as the last ingest saw it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Record {
    /// Number of the root in `meta.json`.
    pub root: usize,
    /// Relative to the root, with `/`.
    pub path: String,
    pub size: u64,
    /// Modification time in nanoseconds since 1970; 0 when it was too fresh to be trusted.
    pub mtime_ns: i64,
    /// BLAKE2b-256 of the content; empty when the file was not read.
    pub hash: String,
    pub state: State,
    /// Why a file is skipped or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What the user can do about it, where something can be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// What the document says of itself beside its title, such as `("tags", "travel")`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metadata: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// ISO 639-1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    #[serde(default)]
    pub chunks: u64,
    /// Terms in each searched field, summed over the chunks.
    #[serde(default)]
    pub terms: [u64; 3],
}

/// What became of a file.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Indexed,
    /// No text in it: binary, empty.
    Skipped,
    /// Could not be read.
    Failed,
}

/// Writes the table; the file must not exist.
pub fn write(path: &Path, records: &[Record]) -> Result<()> {
    let what = || format!("cannot write {}", path.display());
    let mut out = BufWriter::new(disk::create_file(path)?);
    for record in records {
        serde_json::to_writer(&mut out, record).or_failed(what)?;
        out.write_all(b"\n").or_failed(what)?;
    }
    out.flush().or_failed(what)
}

/// Reads the table.
///
/// # Errors
/// [`Kind::Damaged`](crate::error::Kind::Damaged) naming the line that is not a record.
pub fn read(path: &Path) -> Result<Vec<Record>> {
    let file = File::open(path).or_damaged(|| format!("cannot read {}", path.display()))?;
    let mut records = Vec::new();
    for (n, line) in BufReader::with_capacity(1 << 16, file).lines().enumerate() {
        let line = line.or_damaged(|| format!("cannot read {}", path.display()))?;
        let record =
            serde_json::from_str(&line).map_err(|e| Fault::damaged(format!("{}:{}: {e}", path.display(), n + 1)))?;
        records.push(record);
    }
    Ok(records)
}
