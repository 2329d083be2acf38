//! Running a network: which files make a model, its tokenizer, and texts to vectors.
//!
//! One text per call on a single-threaded session, always. Int8 networks quantise activations per
//! tensor, so a text embedded beside others would get a vector that depends on them; alone, its
//! vector is a function of the text, which is what lets a cache keyed by text be right. It is also
//! as fast as any batch on a CPU and wastes nothing on padding.
//!
//! `ort` and `tokenizers` are named in this room only.

mod add;
mod assets;
mod embed;
mod files;
mod known;
mod runtime;
mod tokens;

pub use add::{Addition, add, wanted_files, wanted_networks, wanted_weights};
pub use assets::{Assets, Listed};
pub use embed::{EmbeddingRole, Network};
pub use files::{ModelFiles, Pooling, Spec, verify_folder};
pub use runtime::{Library, Runtime, forbid_telemetry};
pub use tokens::Tokenizer;

use crate::error::Result;
use crate::vector::{Rows, Vector};

/// A model that can embed: its files, its tokenizer and a session, or several for work that goes
/// side by side.
///
/// Sessions are not shared: each thread that embeds has its own [`Network`] and borrows the
/// [`Tokenizer`].
pub struct Embedder {
    pub files: ModelFiles,
    pub tokenizer: Tokenizer,
    network: Network,
    /// More sessions, each loaded when that many are first needed.
    others: Vec<Option<Network>>,
    runtime: Runtime,
}

impl Embedder {
    /// Loads network and tokenizer, which do not depend on each other, at the same time.
    ///
    /// # Errors
    /// When one of them is missing, damaged or does not fit the others.
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

    /// Whether it may still be used after a panic: none of its networks was running.
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

    /// Runs `work` on `threads` threads, each with a session of its own that gives the vectors of
    /// tokens.
    ///
    /// # Errors
    /// The first fault of a thread, in a fixed order; a session that cannot be loaded.
    pub fn side_by_side<T: Send>(
        &mut self,
        threads: usize,
        work: impl Fn(&mut dyn FnMut(EmbeddingRole, &str) -> Result<Rows>) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        let Self { files, tokenizer, network, others, runtime } = self;
        let (files, tokenizer, runtime, work) = (&*files, &*tokenizer, &*runtime, &work);
        let with = move |network: &mut Network| {
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
                        Some(network) => with(network),
                        none => with(none.insert(Network::load(runtime, files)?)),
                    })
                })
                .collect();
            let own = with(network);
            std::iter::once(own).chain(handles.into_iter().map(join)).collect()
        })
    }
}

fn join<T>(handle: std::thread::ScopedJoinHandle<'_, T>) -> T {
    handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
