//! What will be done: built-in values, files, environment and flags, merged once, each value knowing its source.
//!
//! This is the only room that reads the environment or a configuration file. The table [`SETTINGS`] is the one
//! list of settings: the loader, the error messages, `rag doctor -v` and the README's table all read it.

mod load;
mod settings;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub use load::{Origin, World, is_name};
pub use settings::{SETTINGS, Setting};

use crate::error::Result;

/// Which legs a search runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    Hybrid,
    Lexical,
    Dense,
}

impl Mode {
    pub const ALL: [Self; 3] = [Self::Hybrid, Self::Lexical, Self::Dense];

    pub fn name(self) -> &'static str {
        match self {
            Self::Hybrid => "hybrid",
            Self::Lexical => "lexical",
            Self::Dense => "dense",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }
}

/// Every setting, merged and checked. Paths are as given, relative ones to the working directory.
#[derive(Clone, Debug)]
pub struct Config {
    pub data_dir: PathBuf,
    pub cache_dir: PathBuf,
    pub jobs_dir: PathBuf,
    /// Name of the index that commands work on.
    pub index: String,
    /// Name of the embedding model, a folder under `models/`.
    pub model: String,
    /// Embedding and reading threads; never changes a result.
    pub threads: usize,
    /// Jobs that run at once.
    pub max_workers: usize,
    /// Replaces the computed corpus id.
    pub corpus_id: Option<String>,
    /// Largest chunk in tokens of the model's tokenizer; 0 means the model's own window.
    pub chunk_max_tokens: usize,
    pub chunk_overlap_tokens: usize,
    /// Files above this size are reported as failed, not read.
    pub max_file_bytes: u64,
    pub search_k: usize,
    pub search_mode: Mode,
    /// Share of the dense leg in the fused score when both legs have something to say, in 0..=1.
    pub dense_weight: f64,
    /// Words that an extractive answer may have.
    pub ask_max_words: usize,
    /// Address of the model hub that `rag model pull` reads.
    pub hub: String,
    /// Token for the hub, for models that need one. Never shown.
    pub hub_token: Option<String>,
    /// Folders that may hold `models/` and `runtime/`, in the order in which they are tried; `data_dir` is first.
    pub asset_dirs: Vec<PathBuf>,
    /// The ONNX Runtime library, when the user names one.
    pub runtime_library: Option<PathBuf>,
    /// Where each setting came from, in the order of [`SETTINGS`].
    pub origins: Vec<(&'static str, String, Origin)>,
}

impl Config {
    /// Merges all layers. `flags` are `(key, value, flag as typed)`.
    ///
    /// # Errors
    /// A usage fault that names the setting, its value and where it came from.
    pub fn load(world: &World, flags: &[(&'static str, String, String)]) -> Result<Self> {
        load::load(world, flags)
    }
}
