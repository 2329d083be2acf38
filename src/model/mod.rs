//! Models: their files, the tokenizer, the network; texts to vectors, and pairs to scores.
//!
//! A session is single-threaded and embeds one text per call. Int8 networks quantise activations
//! per tensor, so in a batch a vector would depend on the other texts; alone, it is a function of
//! its text, and a cache keyed by text is correct. On a CPU this is as fast as a batch, and no time
//! is spent on padding.
//!
//! Only this room uses `ort` and `tokenizers`.

mod add;
mod assets;
mod cross;
mod embed;
mod files;
mod known;
mod manifest;
mod runtime;
mod spec;
mod tokens;
mod unigram;

pub use add::{Addition, NETWORK_FILES, Prompts, add, config_files, module_files, weight_files};
pub use assets::{Assets, Listed};
pub use cross::CrossEncoder;
pub use embed::{EmbeddingRole, Network};
pub use files::{ModelFiles, verify_folder};
pub use runtime::{Library, Runtime, forbid_telemetry};
pub use spec::{Pooling, Prefixes, Spec, Task};
pub use tokens::Tokenizer;

use std::sync::Arc;

use crate::error::Result;
use crate::vector::Vector;

/// A loaded embedding model.
pub struct Embedder {
    pub files: ModelFiles,
    pub tokenizer: Arc<Tokenizer>,
    network: Network,
}

impl Embedder {
    /// Loads network and tokenizer concurrently.
    ///
    /// # Errors
    /// When one of them is missing, damaged or does not match the others; a usage fault for a
    /// cross-encoder.
    pub fn load(files: ModelFiles, library: &Library) -> Result<Self> {
        let files = files.embedding()?;
        let (network, tokenizer) = load(&files, library)?;
        Ok(Self { files, tokenizer: Arc::new(tokenizer), network })
    }

    /// Whether it may be used after a panic: no network was running.
    pub fn is_sound(&self) -> bool {
        self.network.is_sound()
    }

    /// The vector of one text.
    pub fn embed(&mut self, role: EmbeddingRole, text: &str) -> Result<Vector> {
        self.network.embed(&self.tokenizer, &self.files.spec, role, text)
    }
}

/// Loads network and tokenizer concurrently.
fn load(files: &ModelFiles, library: &Library) -> Result<(Network, Tokenizer)> {
    let (network, tokenizer) = std::thread::scope(|scope| {
        let network = scope.spawn(|| Network::open(library, files));
        let tokenizer = Tokenizer::load(files);
        (join(network), tokenizer)
    });
    Ok((network?, tokenizer?))
}

fn join<T>(handle: std::thread::ScopedJoinHandle<'_, T>) -> T {
    handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
