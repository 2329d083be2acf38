//! A model on disk: a sentence-transformers folder with a manifest that has the SHA-256 of each
//! file.
//!
//! The network is `model.onnx`; `model.onnx.data` beside it has the weights of large networks.

use std::path::{Path, PathBuf};

use super::manifest::{Manifest, OTHER_BYTES, damaged, read_manifest};
use super::spec::{Spec, Task, read_spec};
use super::unigram;
use crate::disk::{self, Blake, Damage, FileSum, Mapped};
use crate::error::{Fault, Result};
use crate::state::{Identity, State};

/// The graph and its external weights.
pub(super) const NETWORK: [&str; 2] = ["model.onnx", "model.onnx.data"];

/// A model found on disk.
#[derive(Clone, Debug)]
pub struct ModelFiles {
    pub name: String,
    pub dir: PathBuf,
    pub manifest: Manifest,
    pub spec: Spec,
    /// Digest of network, tokenizer and [`Spec`], which determine the vectors. 32 hexadecimal
    /// digits.
    pub fingerprint: String,
    /// The files that were verified before any was opened, as they were then.
    verified: Vec<(String, Identity)>,
}

impl ModelFiles {
    /// Reads the small files of the model in `dir` and verifies them. Of the large ones, only the
    /// size is compared; they are verified when they are read.
    ///
    /// # Errors
    /// [`Kind::Damaged`](crate::error::Kind::Damaged) when a file does not match the manifest.
    pub fn open(dir: &Path, name: &str) -> Result<Self> {
        Self::from_manifest(read_manifest(dir)?, dir, name)
    }

    /// As [`ModelFiles::open`], with the manifest already read.
    ///
    /// # Errors
    /// As [`ModelFiles::open`].
    pub(super) fn from_manifest(manifest: Manifest, dir: &Path, name: &str) -> Result<Self> {
        for required in ["model.onnx", "tokenizer.json"] {
            if !manifest.files.contains_key(required) {
                let manifest = dir.join("manifest.json");
                return Err(damaged(&manifest, &format!("it does not list {required}")));
            }
        }
        for (file, expected) in &manifest.files {
            let path = dir.join(file);
            let metadata = std::fs::metadata(&path)
                .map_err(|e| damaged(&path, &format!("manifest.json lists it: {e}")))?;
            let actual = metadata.len();
            if !metadata.is_file() {
                return Err(damaged(&path, "it is not a regular file"));
            }
            if actual != expected.bytes {
                let why = format!("{actual} bytes instead of {}", expected.bytes);
                return Err(damaged(&path, &why));
            }
            if file.ends_with(".json") && file != "tokenizer.json" {
                verify(dir, file, expected)?;
            }
        }
        let mut spec = read_spec(dir, &|file| manifest.files.contains_key(file))?;
        spec.dimension = manifest.dimension.or(spec.dimension);
        let files = Self {
            name: name.to_owned(),
            dir: dir.to_path_buf(),
            spec,
            manifest,
            fingerprint: String::new(),
            verified: Vec::new(),
        };
        Ok(Self { fingerprint: fingerprint(&files), ..files })
    }

    /// Verifies network and tokenizer by SHA-256 before anything opens them, as a model of an
    /// untrusted folder requires: block checksums are faster, but can be forged.
    ///
    /// # Errors
    /// [`Kind::Damaged`](crate::error::Kind::Damaged) names the file that does not match the
    /// manifest.
    pub(super) fn verified(mut self, state: &State) -> Result<Self> {
        for file in NETWORK.into_iter().chain(["tokenizer.json", unigram::FILE]) {
            let Some(expected) = self.manifest.files.get(file) else { continue };
            let path = self.dir.join(file);
            let open = disk::open_regular(&path).map_err(|e| damaged(&path, &e.to_string()))?;
            let (sha256, identity) = state.sha256(&open, &path)?;
            if sha256 != expected.sha256 {
                return Err(damaged(&path, OTHER_BYTES));
            }
            self.verified.push((file.to_owned(), identity));
        }
        Ok(self)
    }

    /// Checks that the verified files have not been replaced since.
    ///
    /// # Errors
    /// [`Kind::Damaged`](crate::error::Kind::Damaged) names the file that was replaced.
    pub(super) fn check_unchanged(&self) -> Result<()> {
        for (file, identity) in &self.verified {
            let path = self.dir.join(file);
            let metadata = path.metadata();
            if !metadata.is_ok_and(|metadata| Identity::of(&metadata).is_same_file(identity)) {
                return Err(damaged(&path, "it changed while it was being loaded"));
            }
        }
        Ok(())
    }

    /// Verifies the network byte for byte, by block checksums where the manifest has them.
    ///
    /// # Errors
    /// [`Kind::Damaged`](crate::error::Kind::Damaged) names the file that does not match the
    /// manifest.
    pub fn verify_network(&self) -> Result<()> {
        for (file, expected) in self.network() {
            // SHA-256 takes eight times as long.
            let Some(blocks) = expected.block_sums().filter(|blocks| !blocks.is_empty()) else {
                verify(&self.dir, file, expected)?;
                continue;
            };
            let path = self.dir.join(file);
            let map = Mapped::open(&path, file, expected.bytes, blocks, Damage::default())?;
            map.read(0..map.len())
                .map_err(|_| damaged(&path, "a checksum in manifest.json does not match"))?;
        }
        Ok(())
    }

    /// The verified bytes of `tokenizer.json`.
    pub(super) fn tokenizer(&self) -> Result<Vec<u8>> {
        let path = self.dir.join("tokenizer.json");
        let bytes = std::fs::read(&path).map_err(|e| damaged(&path, &e.to_string()))?;
        if disk::sha256_hex(&bytes) != self.manifest.files["tokenizer.json"].sha256 {
            return Err(damaged(&path, OTHER_BYTES));
        }
        Ok(bytes)
    }

    /// The verified bytes of `vocabulary.trie`, which models with a Unigram vocabulary have.
    pub(super) fn vocabulary(&self) -> Option<Result<Vec<u8>>> {
        let expected = self.manifest.files.get(unigram::FILE)?;
        let path = self.dir.join(unigram::FILE);
        Some(match std::fs::read(&path) {
            Err(e) => Err(damaged(&path, &e.to_string())),
            Ok(bytes) if expected.matches(&bytes) => Ok(bytes),
            Ok(_) => Err(damaged(&path, "a checksum in manifest.json does not match")),
        })
    }

    /// The model for embedding texts.
    ///
    /// # Errors
    /// A usage fault for a cross-encoder.
    pub fn embedding(self) -> Result<Self> {
        match self.spec.task {
            Task::Embedding => Ok(self),
            Task::Scoring => Err(Fault::usage(format!(
                "the model `{}` is a cross-encoder: it scores passages and makes no vectors",
                self.name
            ))
            .hint("use it as `rerank.model`, and another as `model`")),
        }
    }

    /// The languages that the model knows, as ISO 639-1 codes; empty when its files do not say.
    pub fn languages(&self) -> Vec<String> {
        std::fs::read_to_string(self.dir.join(super::spec::README))
            .map(|readme| super::spec::languages(&readme))
            .unwrap_or_default()
    }

    fn network(&self) -> impl Iterator<Item = (&'static str, &FileSum)> {
        NETWORK.into_iter().filter_map(|file| Some((file, self.manifest.files.get(file)?)))
    }
}

fn fingerprint(files: &ModelFiles) -> String {
    let spec = &files.spec;
    let mut digest = Blake::new(16).field(b"model v1");
    for (_, file) in files.network() {
        digest = digest.field(file.sha256.as_bytes());
    }
    let digest = digest
        .field(files.manifest.files["tokenizer.json"].sha256.as_bytes())
        .field(
            format!(
                // Vectors were not always normalised, so a generation of then has another digest.
                "{:?} true {} {}",
                spec.pooling, spec.max_tokens, spec.lower_case
            )
            .as_bytes(),
        )
        .field(spec.query_prefix.as_bytes())
        .field(spec.passage_prefix.as_bytes());
    let digest = match spec.task {
        Task::Embedding => digest,
        Task::Scoring => digest.field(b"scoring"),
    };
    disk::hex(&digest.finish::<16>())
}

fn verify(dir: &Path, file: &str, expected: &FileSum) -> Result<()> {
    let path = dir.join(file);
    let found = disk::file_sum(&path).map_err(|e| damaged(&path, &e.to_string()))?;
    if found.bytes != expected.bytes || found.sha256 != expected.sha256 {
        return Err(damaged(&path, OTHER_BYTES));
    }
    Ok(())
}

/// Verifies every file of a model or runtime folder; returns one fault per damaged file.
pub fn verify_folder(dir: &Path) -> Result<Vec<Fault>> {
    let manifest = read_manifest(dir)?;
    Ok(manifest
        .files
        .iter()
        .filter_map(|(file, expected)| verify(dir, file, expected).err())
        .collect())
}
