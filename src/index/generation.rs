//! `meta.json`: the parameters of a generation, and the checksum of every other file in it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::documents;
use super::roots::Root;
use crate::analysis;
use crate::config::is_name;
use crate::disk::{self, Blake, FileSum};
use crate::error::{Context as _, Fault, Result};

/// Version of everything on disk below a generation: the fields of Tantivy, the vector, code and
/// key files, the table of files, `meta.json` itself. Raise it with any of them; a generation of
/// another version is rebuilt.
pub const FORMAT: u32 = 6;

pub const META: &str = "meta.json";

/// What a reader must know before it opens the other files.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Meta {
    pub format: u32,
    pub corpus_id: String,
    /// The computed corpus id, if the user replaced it by another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_id: Option<String>,
    /// Version of the program that built the generation.
    pub tool: String,
    /// Unix seconds.
    pub created: i64,
    pub model: ModelInfo,
    pub chunking: Chunking,
    pub roots: Vec<Root>,
    /// Absolute paths of documents that the user removed, sorted: ingests leave them out although
    /// they are in the folders.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
    pub counts: Counts,
    /// Texts whose vectors are still being computed. Such a generation has no vectors at all and
    /// answers lexical searches only.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub pending: u64,
    /// Number of chunks by ISO 639-1 code.
    pub languages: BTreeMap<String, u64>,
    /// Vector files in row order.
    pub vectors: Vec<VectorFile>,
    /// Every other file of the generation, by its relative name with `/`.
    pub files: BTreeMap<String, FileSum>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct ModelInfo {
    pub name: String,
    pub fingerprint: String,
    pub dimension: usize,
    /// The languages that it knows, by ISO 639-1 code; empty when its files do not say.
    #[serde(default)]
    pub languages: Vec<String>,
}

/// What determines the bounds of chunks and their terms.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Chunking {
    pub max_tokens: usize,
    pub overlap_tokens: usize,
    /// `analysis::VERSION` and the version of extraction and chunking.
    pub analysis: u32,
    pub text: u32,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub documents: u64,
    pub chunks: u64,
    pub skipped: u64,
    pub failed: u64,
    /// Vector rows, live or not.
    pub rows: u64,
    /// Terms of all chunks in each searched field.
    pub terms: [u64; 3],
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct VectorFile {
    pub file: String,
    pub rows: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl Meta {
    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.values().map(|file| file.bytes).sum()
    }

    /// Checks that the generation is complete, so that another one can be built from it.
    ///
    /// # Errors
    /// When its vectors are still being computed, or the process that computed them died.
    pub fn require_vectors(&self) -> Result<()> {
        match self.pending {
            0 => Ok(()),
            _ => Err(Fault::failed("the vectors of the index are not finished").hint(
                "run `rag ingest` with the same folders; vectors computed so far are in the cache",
            )),
        }
    }

    /// Reads `meta.json` in `dir`, whose SHA-256 is in the pointer to this generation.
    ///
    /// # Errors
    /// [`Kind::Damaged`](crate::error::Kind::Damaged) when it is missing, has another sum or
    /// another format.
    pub fn read(dir: &Path, sha256: &str) -> Result<Self> {
        let path = dir.join(META);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => {
                return Err(e).or_cannot("read", &path);
            }
            Err(e) => return Err(damaged(&path, &e.to_string())),
        };
        if disk::sha256_hex(&bytes) != sha256 {
            return Err(damaged(&path, "its SHA-256 is not the recorded one"));
        }
        Self::parse(&bytes, &path)
    }

    /// Parses what was read from `path`, whose SHA-256 has been checked.
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let Format { format } =
            serde_json::from_slice(bytes).map_err(|e| damaged(path, &e.to_string()))?;
        if format != FORMAT {
            let whose = if format > FORMAT { "a newer" } else { "an older" };
            return Err(Fault::failed(format!(
                "{} was written by {whose} version of rag",
                path.display()
            ))
            .hint("run `rag ingest` again to rebuild the index"));
        }
        serde_json::from_slice(bytes).map_err(|e| damaged(path, &e.to_string()))
    }

    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec_pretty(self).or_failed(|| format!("cannot write {META}"))
    }

    /// Whether its names can become paths: `meta.json` may come from another machine.
    pub fn has_plain_names(&self) -> bool {
        is_name(&self.corpus_id) && self.files.keys().all(|name| is_file_of_index(name))
    }

    /// SHA-256 of the table of files.
    pub fn table_sha256(&self) -> &str {
        self.files.get(documents::FILE).map_or("", |entry| &entry.sha256)
    }

    /// The languages that a question is stemmed in, the most common first. One document of a
    /// language is enough: the index has its words as stems only. Each language adds variants to
    /// every word, and the rarest of many are mostly errors of language detection.
    pub fn query_languages(&self) -> Vec<&str> {
        const MOST: usize = 8;
        let mut languages: Vec<(&str, u64)> =
            self.languages.iter().map(|(l, n)| (l.as_str(), *n)).collect();
        languages.sort_by_key(|(language, n)| (std::cmp::Reverse(*n), *language));
        languages.into_iter().take(MOST).map(|(language, _)| language).collect()
    }
}

/// Whether `Builder` can have written a file of this name: one component, or one below `bm25/`.
fn is_file_of_index(name: &str) -> bool {
    let below = name.strip_prefix("bm25/").unwrap_or(name);
    let plain = below.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    plain && !below.is_empty() && !matches!(below, "." | "..") && !matches!(name, META | "bm25")
}

pub fn damaged(path: &Path, why: &str) -> Fault {
    Fault::damaged(format!("{} is damaged: {why}", path.display())).hint(
        "`rag index verify --repair` repairs what it can and names the rest; `rag ingest` again \
         rebuilds the index",
    )
}

impl Chunking {
    pub fn new(max_tokens: usize, overlap_tokens: usize, text: u32) -> Self {
        Self { max_tokens, overlap_tokens, analysis: analysis::VERSION, text }
    }
}

/// First 16 hexadecimal digits of a BLAKE2b over format, model, chunking and the sorted `(root,
/// path, content)`.
pub fn corpus_id(model: &str, chunking: Chunking, documents: &mut [(usize, &str, &str)]) -> String {
    documents.sort_unstable();
    let mut hash = Blake::new(32).field(b"corpus v1").field(model.as_bytes());
    for number in [
        chunking.max_tokens,
        chunking.overlap_tokens,
        chunking.analysis as usize,
        chunking.text as usize,
    ] {
        hash.add(&(number as u64).to_le_bytes());
    }
    for (root, path, content) in documents {
        hash.add(&(*root as u64).to_le_bytes());
        hash.add(path.as_bytes());
        hash.add(content.as_bytes());
    }
    disk::hex(&hash.finish::<32>()[..8])
}
