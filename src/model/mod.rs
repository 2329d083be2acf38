//! Embedding models: their files, the tokenizer, the network, and texts to vectors.
//!
//! A session is single-threaded and embeds one text per call. Int8 networks quantise activations
//! per tensor, so in a batch a vector would depend on the other texts; alone, it is a function of
//! its text, and a cache keyed by text is correct. On a CPU this is as fast as a batch, and no time
//! is spent on padding.
//!
//! Only this room uses `ort` and `tokenizers`.

mod add;
mod assets;
mod embed;
mod files;
mod known;
mod runtime;
mod tokens;

pub use add::{Addition, NETWORK_FILES, add, config_files, weight_files};
pub use assets::{Assets, Listed};
pub use embed::{EmbeddingRole, Network};
pub use files::{ModelFiles, Pooling, Spec, verify_folder};
pub use runtime::{Library, Runtime, forbid_telemetry};
pub use tokens::Tokenizer;

use crate::error::Result;
use crate::vector::{Rows, Vector};

/// A loaded model: its files, its tokenizer, and one session per thread.
///
/// Sessions are not shared: each thread has its own [`Network`] and borrows the [`Tokenizer`].
pub struct Embedder {
    pub files: ModelFiles,
    pub tokenizer: Tokenizer,
    network: Network,
    /// Sessions of the other threads, loaded on first use.
    others: Vec<Option<Network>>,
    runtime: Runtime,
}

impl Embedder {
    /// Loads network and tokenizer concurrently.
    ///
    /// # Errors
    /// When one of them is missing, damaged or does not match the others.
    pub fn load(files: ModelFiles, runtime_library: &Library) -> Result<Self> {
        let (network, tokenizer) = std::thread::scope(|scope| {
            let network = scope.spawn(|| Network::open(runtime_library, &files));
            let tokenizer = Tokenizer::load(&files);
            (join(network), tokenizer)
        });
        let (network, tokenizer) = (network?, tokenizer?);
        Ok(Self {
            tokenizer,
            network,
            others: Vec::new(),
            runtime: Runtime::load(runtime_library)?,
            files,
        })
    }

    /// Whether it may be used after a panic: no network was running.
    pub fn is_sound(&self) -> bool {
        self.network.is_sound() && self.others.iter().flatten().all(Network::is_sound)
    }

    /// The vector of one text.
    pub fn embed(&mut self, role: EmbeddingRole, text: &str) -> Result<Vector> {
        self.network.embed(&self.tokenizer, &self.files.spec, role, text)
    }

    /// Unit vectors of the tokens of one text.
    ///
    /// # Errors
    /// As [`Network::token_vectors`].
    pub fn token_vectors(&mut self, role: EmbeddingRole, text: &str) -> Result<Rows> {
        self.network.token_vectors(&self.tokenizer, &self.files.spec, role, text)
    }

    /// Runs `work` on `threads` threads. Each gets a function that returns the token vectors of a
    /// text, backed by the thread's own session.
    ///
    /// # Errors
    /// The first fault of a thread, in a fixed order; a session that cannot be loaded.
    pub fn run_parallel<T: Send>(
        &mut self,
        threads: usize,
        work: impl Fn(&mut dyn FnMut(EmbeddingRole, &str) -> Result<Rows>) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        let Self { files, tokenizer, network, others, runtime } = self;
        let (files, tokenizer, runtime, work) = (&*files, &*tokenizer, &*runtime, &work);
        let run = move |network: &mut Network| {
            work(&mut |role, text| network.token_vectors(tokenizer, &files.spec, role, text))
        };
        let n_others = threads.saturating_sub(1);
        if others.len() < n_others {
            others.resize_with(n_others, || None);
        }
        std::thread::scope(|scope| {
            let handles: Vec<_> = others[..n_others]
                .iter_mut()
                .map(|other| {
                    scope.spawn(move || match other {
                        Some(network) => run(network),
                        none => run(none.insert(Network::load(runtime, files)?)),
                    })
                })
                .collect();
            let own = run(network);
            std::iter::once(own).chain(handles.into_iter().map(join)).collect()
        })
    }
}

fn join<T>(handle: std::thread::ScopedJoinHandle<'_, T>) -> T {
    handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
