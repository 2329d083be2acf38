//! A model on disk: a sentence-transformers folder with a manifest that has the SHA-256 of each
//! file.
//!
//! The network is `model.onnx`; `model.onnx.data` beside it has the weights of large networks.
//! Pooling, prefixes, window and normalization are read from the folder's files, never guessed from
//! the model's name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::disk::{self, Blake, Damage, FileSum, Mapped};
use crate::error::{Context as _, Fault, Result};
use crate::state::{Identity, State};

/// `manifest.json` of a model or of the runtime.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Manifest {
    pub version: u32,
    pub name: String,
    pub source: String,
    pub files: BTreeMap<String, FileSum>,
}

/// The graph and its external weights.
pub(super) const NETWORK: [&str; 2] = ["model.onnx", "model.onnx.data"];

/// The only manifest version so far. A change of meaning increments it.
pub const MANIFEST_VERSION: u32 = 1;

/// How token vectors are reduced to one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    Mean,
    Cls,
    Max,
    LastToken,
}

/// How a model is used, as its files describe it.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    pub pooling: Pooling,
    pub normalise: bool,
    /// Longest input in tokens, special tokens included.
    pub max_tokens: usize,
    pub query_prefix: String,
    pub passage_prefix: String,
    /// Text is lower-cased before the tokenizer gets it.
    pub lower_case: bool,
    /// Length of a vector, if the files state it.
    pub dimension: Option<usize>,
}

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
        let files = Self {
            name: name.to_owned(),
            dir: dir.to_path_buf(),
            spec: read_spec(dir, &|file| manifest.files.contains_key(file))?,
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
        for file in NETWORK.into_iter().chain(["tokenizer.json"]) {
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
                "{:?} {} {} {}",
                spec.pooling, spec.normalise, spec.max_tokens, spec.lower_case
            )
            .as_bytes(),
        )
        .field(spec.query_prefix.as_bytes())
        .field(spec.passage_prefix.as_bytes())
        .finish::<16>();
    disk::hex(&digest)
}

fn damaged(path: &Path, why: &str) -> Fault {
    Fault::damaged(format!("{} is damaged: {why}", path.display()))
        .hint("run `scripts/setup`, or `rag model add` again")
}

pub(super) const OTHER_BYTES: &str = "its SHA-256 differs from the one in manifest.json";

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

pub(super) fn read_manifest(dir: &Path) -> Result<Manifest> {
    let path = dir.join("manifest.json");
    let text = disk::read_small(&path).map_err(|e| damaged(&path, &e.to_string()))?;
    parse_manifest(&path, &text)
}

pub(super) fn parse_manifest(path: &Path, text: &[u8]) -> Result<Manifest> {
    let manifest: Manifest =
        serde_json::from_slice(text).map_err(|e| damaged(path, &e.to_string()))?;
    if manifest.version != MANIFEST_VERSION {
        return Err(damaged(path, &format!("unknown version {}", manifest.version)));
    }
    if let Some(name) = manifest.files.keys().find(|name| !stays_inside(name)) {
        return Err(damaged(path, &format!("it names `{name}`, which is outside the folder")));
    }
    Ok(manifest)
}

fn stays_inside(name: &str) -> bool {
    !name.is_empty()
        && Path::new(name).components().all(|c| matches!(c, std::path::Component::Normal(_)))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SentenceBertConfig {
    max_seq_length: Option<usize>,
    do_lower_case: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PoolingConfig {
    word_embedding_dimension: Option<usize>,
    pooling_mode_cls_token: bool,
    pooling_mode_mean_tokens: bool,
    pooling_mode_max_tokens: bool,
    pooling_mode_lasttoken: bool,
    pooling_mode_mean_sqrt_len_tokens: bool,
    pooling_mode_weightedmean_tokens: bool,
    include_prompt: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TransformerConfig {
    hidden_size: Option<usize>,
    max_position_embeddings: Option<usize>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TokenizerConfig {
    /// Some tokenizers have 1e30 here, for "no limit".
    model_max_length: Option<f64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PromptConfig {
    prompts: BTreeMap<String, String>,
    default_prompt_name: Option<String>,
}

impl PromptConfig {
    /// The prompt with the first of these names, else the default prompt, else an empty one.
    fn find(&self, names: [&str; 3]) -> String {
        let named = names.into_iter().find_map(|name| self.prompts.get(name));
        let default = || self.prompts.get(self.default_prompt_name.as_ref()?);
        named.or_else(default).cloned().unwrap_or_default()
    }
}

#[derive(Deserialize)]
struct Module {
    path: String,
    #[serde(rename = "type")]
    kind: String,
}

/// Reads the [`Spec`] of a sentence-transformers folder. `listed` says whether a file belongs to
/// it.
pub fn read_spec(dir: &Path, listed: &dyn Fn(&str) -> bool) -> Result<Spec> {
    let modules: Vec<Module> = read_json(dir, "modules.json", listed)?.unwrap_or_default();
    let known = ["Transformer", "Pooling", "Normalize"];
    if let Some(module) = modules.iter().find(|m| !known.iter().any(|k| m.kind.ends_with(k))) {
        return Err(Fault::failed(format!(
            "{}: a module of type {} is not supported",
            dir.display(),
            module.kind
        ))
        .hint("supported are Transformer, Pooling and Normalize"));
    }
    let sentence: SentenceBertConfig =
        read_json(dir, "sentence_bert_config.json", listed)?.unwrap_or_default();
    let network: TransformerConfig = read_json(dir, "config.json", listed)?.unwrap_or_default();
    let tokenizer: TokenizerConfig =
        read_json(dir, "tokenizer_config.json", listed)?.unwrap_or_default();
    let prompts: PromptConfig =
        read_json(dir, "config_sentence_transformers.json", listed)?.unwrap_or_default();
    let pooling_dir = modules
        .iter()
        .find(|m| m.kind.ends_with("Pooling"))
        .map_or("1_Pooling", |m| m.path.as_str());
    let pooling: Option<PoolingConfig> =
        read_json(dir, &format!("{pooling_dir}/config.json"), listed)?;
    let pooling = pooling.unwrap_or_default();
    Ok(Spec {
        pooling: pooling_of(dir, &pooling)?,
        // A folder without modules.json is a plain transformer. sentence-transformers applies mean
        // pooling without normalization to it; here its vectors are normalized too, for cosine.
        normalise: modules.is_empty() || modules.iter().any(|m| m.kind.ends_with("Normalize")),
        max_tokens: window(&sentence, &network, &tokenizer),
        query_prefix: prompts.find(["query", "s2p_query", "search_query"]),
        passage_prefix: prompts.find(["passage", "document", "search_document"]),
        lower_case: sentence.do_lower_case,
        dimension: pooling.word_embedding_dimension.or(network.hidden_size),
    })
}

/// The model's window: what sentence-transformers would use, at most the number of positions.
fn window(
    sentence: &SentenceBertConfig,
    network: &TransformerConfig,
    tokenizer: &TokenizerConfig,
) -> usize {
    /// For a model that states no window.
    const DEFAULT: usize = 512;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bounded by the filter"
    )]
    let stated = tokenizer.model_max_length.filter(|n| (8.0..1e6).contains(n)).map(|n| n as usize);
    let positions = network.max_position_embeddings.unwrap_or(usize::MAX);
    sentence.max_seq_length.or(stated).unwrap_or(DEFAULT.min(positions)).clamp(8, positions.max(8))
}

fn pooling_of(dir: &Path, config: &PoolingConfig) -> Result<Pooling> {
    let unsupported = config.pooling_mode_mean_sqrt_len_tokens
        || config.pooling_mode_weightedmean_tokens
        || config.include_prompt == Some(false);
    let modes = [
        (config.pooling_mode_cls_token, Pooling::Cls),
        (config.pooling_mode_max_tokens, Pooling::Max),
        (config.pooling_mode_lasttoken, Pooling::LastToken),
        (config.pooling_mode_mean_tokens, Pooling::Mean),
    ];
    let enabled: Vec<Pooling> =
        modes.into_iter().filter(|(on, _)| *on).map(|(_, mode)| mode).collect();
    match enabled.as_slice() {
        _ if unsupported => {
            Err(Fault::failed(format!("{}: its way of pooling is not supported", dir.display())))
        }
        [] => Ok(Pooling::Mean),
        [one] => Ok(*one),
        _ => Err(Fault::failed(format!(
            "{}: pooling by several modes at once is not supported",
            dir.display()
        ))),
    }
}

fn read_json<T: for<'de> Deserialize<'de>>(
    dir: &Path,
    file: &str,
    listed: &dyn Fn(&str) -> bool,
) -> Result<Option<T>> {
    if !listed(file) {
        return Ok(None);
    }
    let path = dir.join(file);
    let bytes = std::fs::read(&path).map_err(|e| damaged(&path, &e.to_string()))?;
    serde_json::from_slice(&bytes)
        .map(Some)
        .or_damaged(|| format!("cannot parse {}", path.display()))
}
