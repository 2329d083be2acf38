//! `meta.json`: what a generation is made of, and the checksum of every other file in it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::analysis;
use crate::disk::{self, Blake, FileSum};
use crate::error::{Context as _, Fault, Result};
use crate::naming::Folder;

/// Version of everything on disk below a generation: the fields of Tantivy, the vector and key
/// files, the table of files, `meta.json` itself. Raise it with any of them; generations of another
/// version are built afresh.
pub const FORMAT: u32 = 2;

pub const META: &str = "meta.json";

/// Everything that a reader must know before it opens the other files.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Meta {
    pub format: u32,
    pub corpus_id: String,
    /// The computed corpus id, where the user replaced it by another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_id: Option<String>,
    /// Version of this program that built it.
    pub tool: String,
    /// Unix seconds.
    pub created: i64,
    pub model: ModelInfo,
    pub chunking: Chunking,
    pub roots: Vec<Root>,
    /// Absolute paths of documents that the user removed, sorted: they stay out although they are
    /// in the folders.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
    pub counts: Counts,
    /// Texts whose vectors are still being made. Such a generation has no vectors at all and serves
    /// by words.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub pending: u64,
    /// Number of chunks by ISO 639-1 code.
    pub languages: BTreeMap<String, u64>,
    /// Vector files in row order.
    pub vectors: Vec<VectorFile>,
    /// Every other file of the generation, by its name below it, with `/`.
    pub files: BTreeMap<String, FileSum>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct ModelInfo {
    pub name: String,
    pub fingerprint: String,
    pub dimension: usize,
}

/// What decides where one chunk ends and which terms it has.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Chunking {
    pub max_tokens: usize,
    pub overlap_tokens: usize,
    /// `analysis::VERSION` and the version of extraction and chunking.
    pub analysis: u32,
    pub text: u32,
}

/// A folder of an index.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Root {
    /// The name that hits show: as typed when the folder was added.
    pub given: String,
    /// Absolute, links resolved: which folder it really is.
    pub real: String,
    /// Patterns of the files that are wanted and of those that are left out, kept for the next
    /// ingest of the folder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// Another file system was mounted there: without it the folder is missing, even if there is an
    /// empty one in its place.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_mount: bool,
}

impl Root {
    /// A folder without patterns.
    pub fn new(given: impl Into<String>, real: impl Into<String>) -> Self {
        Self { given: given.into(), real: real.into(), ..Self::default() }
    }

    /// As names of its documents need it.
    pub fn folder(&self) -> Folder<'_> {
        Folder { given: &self.given, real: &self.real }
    }

    /// The absolute path of a document.
    pub fn absolute(&self, path: &str) -> String {
        format!("{}/{path}", self.real.trim_end_matches('/'))
    }
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

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Meta {
    /// Bytes of all its files.
    pub fn bytes(&self) -> u64 {
        self.files.values().map(|file| file.bytes).sum()
    }

    /// That the generation is all there, so that another one, or another machine's, can be made of
    /// it.
    ///
    /// # Errors
    /// When its vectors are still being made, or whoever made them has died.
    pub fn must_have_vectors(&self) -> Result<()> {
        match self.pending {
            0 => Ok(()),
            _ => Err(Fault::failed("the vectors of the index are not finished").hint(
                "run `rag ingest` with the same folders; what is made already is in the cache",
            )),
        }
    }

    /// Reads `meta.json` below `dir`, whose SHA-256 the pointer to this generation gives.
    ///
    /// # Errors
    /// [`Kind::Damaged`](crate::error::Kind::Damaged) when it is missing, has another sum or
    /// another format.
    pub fn read(dir: &Path, sha256: &str) -> Result<Self> {
        let path = dir.join(META);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => {
                return Err(e).or_failed(|| format!("cannot read {}", path.display()));
            }
            Err(e) => return Err(damaged(&path, &e.to_string())),
        };
        if disk::sha256_hex(&bytes) != sha256 {
            return Err(damaged(&path, "its SHA-256 is not the recorded one"));
        }
        Self::parse(&bytes, &path)
    }

    /// Parses what was read from `path`, whose sum is known to be right.
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

    /// SHA-256 of the table of files.
    pub fn table_sha256(&self) -> &str {
        self.files.get(super::documents::FILE).map_or("", |entry| &entry.sha256)
    }

    /// The languages that a question is stemmed in: those of at least one chunk in a hundred, the
    /// commonest first. Rarer ones are mostly mistakes of language detection, and each adds
    /// variants to every word.
    pub fn query_languages(&self) -> Vec<&str> {
        const MOST: usize = 6;
        let mut languages: Vec<(&str, u64)> =
            self.languages.iter().map(|(l, n)| (l.as_str(), *n)).collect();
        languages.retain(|(_, n)| n * 100 >= self.counts.chunks);
        languages.sort_by_key(|(language, n)| (std::cmp::Reverse(*n), *language));
        languages.into_iter().take(MOST).map(|(language, _)| language).collect()
    }
}

pub fn damaged(path: &Path, why: &str) -> Fault {
    Fault::damaged(format!("{} is damaged: {why}", path.display())).hint(
        "`rag index verify --repair` mends what it can and names the rest; `rag ingest` \
             again rebuilds the index",
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
