//! Running a network: which files make a model, its tokenizer, and texts to vectors.
//!
//! One text per call on a single-threaded session, always. Int8 networks quantise activations per tensor, so a text
//! embedded beside others would get a vector that depends on them; alone, its vector is a function of the text, which
//! is what lets a cache keyed by text be right. It is also as fast as any batch on a CPU and wastes nothing on padding.
//!
//! `ort` and `tokenizers` are named in this room only.

mod add;
mod embed;
mod files;
mod runtime;
mod tokens;

pub use add::{add, wanted_files, wanted_networks};
pub use embed::{Network, Role};
pub use files::{ModelFiles, Pooling, Spec, find_model, list_models, verify_folder};
pub use runtime::{Runtime, find_runtime, forbid_telemetry};
pub use tokens::Tokenizer;

use crate::error::Result;
use crate::vector::Vector;

/// A model that can embed: its files, its tokenizer and one session.
///
/// Sessions are not shared: each thread that embeds has its own [`Network`] and borrows the [`Tokenizer`].
pub struct Embedder {
    pub files: ModelFiles,
    pub tokenizer: Tokenizer,
    network: Network,
}

impl Embedder {
    /// Loads library, network and tokenizer, which do not depend on each other, at the same time, and checks the
    /// network's SHA-256 meanwhile.
    ///
    /// # Errors
    /// When one of them is missing, damaged or does not fit the others.
    pub fn load(files: ModelFiles, runtime_library: &std::path::Path) -> Result<Self> {
        let (network, tokenizer, intact) = std::thread::scope(|scope| {
            let network = scope.spawn(|| Network::load(&Runtime::load(runtime_library)?, &files));
            let intact = scope.spawn(|| files.verify_file("model.onnx"));
            let tokenizer = Tokenizer::load(&files);
            (join(network), tokenizer, join(intact))
        });
        // A damaged file explains whatever the library says of it.
        intact?;
        Ok(Self { tokenizer: tokenizer?, network: network?, files })
    }

    /// The vector of one text.
    pub fn embed(&mut self, role: Role, text: &str) -> Result<Vector> {
        self.network.embed(&self.tokenizer, &self.files.spec, role, text)
    }
}

fn join<T>(handle: std::thread::ScopedJoinHandle<'_, T>) -> T {
    handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
