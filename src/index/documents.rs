//! The table of files: makes repeated ingests cheap, and says why a file is not in the index.
//!
//! One JSON object a line, in the order of the walk.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::roots::Root;
use crate::disk::{self, FileVersion};
use crate::error::{Context as _, Fault, Result};
use crate::filter::DocumentFacts;

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
    /// Modification time in nanoseconds since 1970; 0 when it was too recent to be trusted.
    pub mtime_ns: i64,
    /// Inode and change time; unknown in tables of older versions and in bundles.
    #[serde(default, skip_serializing_if = "FileVersion::is_unknown")]
    pub version: FileVersion,
    /// BLAKE2b-256 of the content; empty when the file was not read.
    pub hash: String,
    pub state: State,
    /// Why a file is skipped or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What the user can do about it, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Cow<'static, str>>,
    /// ISO 639-1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Cow<'static, str>>,
    #[serde(default)]
    pub chunks: u64,
    /// Terms in each searched field, summed over the chunks.
    #[serde(default)]
    pub terms: [u64; 3],
    /// Unix seconds of the last change, recent or not; 0 when unknown.
    #[serde(default)]
    pub modified_s: i64,
    /// The document's metadata besides its title, such as the front matter of Markdown: all values
    /// of each key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub meta: BTreeMap<String, Vec<String>>,
    /// Why reading the file failed, if it would fail again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Box<Failure>>,
}

/// A failure that depends only on the file and on the code that reads it. The record may describe
/// an earlier version of the file, which the index keeps.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Failure {
    /// Version of the code that failed.
    pub reader: String,
    /// Size and modification time of the file that could not be read.
    pub size: u64,
    pub mtime_ns: i64,
    #[serde(default, skip_serializing_if = "FileVersion::is_unknown")]
    pub version: FileVersion,
    pub reason: String,
}

impl Record {
    /// What a filter can test; `roots` are those of the generation.
    pub fn facts<'a>(&'a self, roots: &'a [Root]) -> DocumentFacts<'a> {
        let root = roots.get(self.root).map(Root::folder).unwrap_or_default();
        DocumentFacts {
            root: root.given,
            real: root.real,
            path: &self.path,
            format: self.format.as_deref(),
            language: self.language.as_deref(),
            modified_s: Some(self.modified_s).filter(|at| *at != 0),
            size_bytes: self.size,
            meta: &self.meta,
        }
    }
}

/// How a file was read.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Indexed,
    /// It has no text: binary, empty.
    Skipped,
    /// It could not be read.
    Failed,
}

/// Writes the table; the file must not exist.
pub fn write(path: &Path, records: &[Record]) -> Result<()> {
    let mut out = BufWriter::new(disk::create_file(path)?);
    for record in records {
        // As an `io::Error`, by which a full disk is recognized.
        serde_json::to_writer(&mut out, record)
            .map_err(std::io::Error::from)
            .or_cannot("write", path)?;
        out.write_all(b"\n").or_cannot("write", path)?;
    }
    out.flush().or_cannot("write", path)?;
    // Synced here, in parallel with other work, it costs no time at the commit.
    out.get_ref().sync_all().or_cannot("write", path)
}

/// The table in `bytes`, which were read from `path`.
///
/// # Errors
/// [`Kind::Damaged`](crate::error::Kind::Damaged) naming the line that is not a record.
pub fn parse(bytes: &[u8], path: &Path) -> Result<Vec<Record>> {
    let lines = bytes.split(|b| *b == b'\n').zip(1..).filter(|(line, _)| !line.is_empty());
    lines
        .map(|(line, n)| {
            serde_json::from_slice(line)
                .map_err(|e| Fault::damaged(format!("{}:{n}: {e}", path.display())))
        })
        .collect()
}
