//! What an ingest and a repair have in common: the lock, and the limits of chunks.

use std::thread::ScopedJoinHandle;
use std::time::Duration;

use super::request::Event;
use crate::engine::Engine;
use crate::error::{Fault, Kind, Result};
use crate::index::{Chunking, Snapshot, WriteLock};
use crate::model::{ModelFiles, Tokenizer};
use crate::text::{self, Limits};

/// The lock of the data directory; a wait for it is reported.
pub fn lock(engine: &Engine, wait: Duration, on_event: &mut dyn FnMut(Event)) -> Result<WriteLock> {
    match engine.store.lock(Duration::ZERO, &|| engine.interrupted()) {
        Err(busy) if busy.kind() == Kind::Busy && !wait.is_zero() => {
            on_event(Event::Note(format!("{busy}; waiting for it to finish")));
            engine.store.lock(wait, &|| engine.interrupted())
        }
        other => other,
    }
}

/// Version of extraction and chunking. Raise it when the same file would give other chunks.
const TEXT_VERSION: u32 = 0xd | text::LEFT_OUT << 16;

pub fn chunking(engine: &Engine, model: &ModelFiles) -> Result<Chunking> {
    let (max, overlap) = engine.config.chunk_limits(&model.name, model.spec.max_tokens)?;
    Ok(Chunking::new(max, overlap, text_version(engine)))
}

/// The version of extraction and chunking with these settings: with OCR, other files have text.
pub fn text_version(engine: &Engine) -> u32 {
    TEXT_VERSION | u32::from(engine.config.ocr) << 24
}

/// The chunker's limits: the window without special tokens and the model's prefix.
pub fn limits(chunking: Chunking, model: &ModelFiles, tokenizer: &Tokenizer) -> Limits {
    let around = tokenizer.special() + tokenizer.count(&model.spec.passage_prefix);
    Limits {
        max_tokens: chunking.max_tokens.saturating_sub(around).max(1),
        overlap_tokens: chunking.overlap_tokens,
    }
}

pub fn dimension(model: &ModelFiles, base: Option<&Snapshot>) -> Result<usize> {
    let known = model.spec.dimension.or(base.map(|base| base.meta().model.dimension));
    known.ok_or_else(|| {
        Fault::failed(format!("the model `{}` does not state its dimension", model.name))
    })
}

/// Joins a thread; its panic continues in the caller.
pub fn join<T>(handle: ScopedJoinHandle<'_, T>) -> T {
    handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
