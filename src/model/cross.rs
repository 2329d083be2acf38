//! A cross-encoder: the score of a passage for a query, from both texts in one input.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::embed::Network;
use super::files::ModelFiles;
use super::runtime::{Library, Runtime};
use super::spec::Task;
use super::tokens::Tokenizer;
use crate::error::{Fault, Result};

/// Passages that pay for loading another copy of the network.
const PASSAGES_PER_NETWORK: usize = 8;

/// A loaded cross-encoder.
pub struct CrossEncoder {
    files: ModelFiles,
    tokenizer: Tokenizer,
    network: Network,
    /// Networks of the other threads, loaded on first use.
    others: Vec<Option<Network>>,
    runtime: Runtime,
}

impl CrossEncoder {
    /// # Errors
    /// As [`Embedder::load`](super::Embedder::load); a usage fault for an embedding model.
    pub fn load(files: ModelFiles, library: &Library) -> Result<Self> {
        check(&files)?;
        let (network, tokenizer) = super::load(&files, library)?;
        let runtime = Runtime::load(library)?;
        Ok(Self { tokenizer, network, others: Vec::new(), runtime, files })
    }

    /// Whether it may be used after a panic: no network was running.
    pub fn is_sound(&self) -> bool {
        self.network.is_sound() && self.others.iter().flatten().all(Network::is_sound)
    }

    /// The scores of `passages` for `query`, in their order, on at most `threads` threads. Each
    /// pair is one run, so a score depends on no other passage. `check_stop` is polled between the
    /// runs.
    ///
    /// # Errors
    /// The first fault of a thread; there are all scores or none.
    pub fn scores(
        &mut self,
        query: &str,
        passages: &[&str],
        threads: usize,
        check_stop: &(dyn Fn() -> Result<()> + Sync),
    ) -> Result<Vec<f64>> {
        let Self { files, tokenizer, network, others, runtime } = self;
        let next = AtomicUsize::new(0);
        let work = |network: &mut Network| {
            let mut share = Vec::new();
            loop {
                let i = next.fetch_add(1, Ordering::Relaxed);
                let Some(passage) = passages.get(i) else { return Ok(share) };
                check_stop()?;
                let pair = tokenizer.encode_pair(query, passage, files.spec.max_tokens)?;
                share.push((i, network.score(&pair)?));
            }
        };
        let threads = threads.min(passages.len().div_ceil(PASSAGES_PER_NETWORK));
        let n_others = threads.saturating_sub(1);
        if others.len() < n_others {
            others.resize_with(n_others, || None);
        }
        let (work, files, runtime) = (&work, &*files, &*runtime);
        let shares = std::thread::scope(|scope| {
            let handles: Vec<_> = others[..n_others]
                .iter_mut()
                .map(|other| {
                    scope.spawn(move || match other {
                        Some(network) => work(network),
                        none => work(none.insert(Network::load(runtime, files)?)),
                    })
                })
                .collect();
            let own = work(network);
            std::iter::once(own)
                .chain(handles.into_iter().map(super::join))
                .collect::<Result<Vec<_>>>()
        })?;
        let mut scores: Vec<(usize, f64)> = shares.concat();
        scores.sort_unstable_by_key(|(i, _)| *i);
        Ok(scores.into_iter().map(|(_, score)| score).collect())
    }
}

/// # Errors
/// A usage fault for an embedding model.
fn check(files: &ModelFiles) -> Result<()> {
    match files.spec.task {
        Task::Scoring => Ok(()),
        Task::Embedding => Err(Fault::usage(format!(
            "the model `{}` is no cross-encoder: its config.json names no \
             `…ForSequenceClassification`",
            files.name
        ))
        .hint("`rag model add` takes the folder of a cross-encoder in ONNX format")),
    }
}
