//! Vectors of queries and passages, by the model that the index was built with, through the cache.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::response::milliseconds;
use crate::cache::{Caching, Claim, Flight, Key, Table};
use crate::engine::{Engine, QueryStage, Stop};
use crate::error::{Fault, Result};
use crate::index::Snapshot;
use crate::model::{Embedder, EmbeddingRole, Tokenizer, verify_folder};
use crate::vector::{Vector, dot};

/// Longer than loading the model and embedding one text takes.
const EMBEDDING_LEASE: Duration = Duration::from_secs(5);

/// What the work for one query has at hand.
#[derive(Clone, Copy)]
pub struct QueryContext<'a> {
    pub engine: &'a Engine,
    pub snapshot: &'a Snapshot,
    pub caching: Caching,
    pub stop: &'a Stop,
}

/// The model of an index, loaded when a text needs it, and the vector of the last query.
#[derive(Default)]
pub struct Vectors {
    embedder: Option<Embedder>,
    last_query: Option<(String, Vector)>,
}

/// A vector and what it cost.
pub(super) struct Embedded {
    pub vector: Vector,
    pub is_cached: bool,
    pub milliseconds: f64,
}

/// Cosines, and how many of the texts' vectors were in the cache.
pub struct Similarities {
    pub cosines: Vec<f64>,
    pub hits: u64,
    pub misses: u64,
}

impl Vectors {
    pub(super) fn is_loaded(&self) -> bool {
        self.embedder.is_some()
    }

    /// The tokenizer of the model, if that is loaded.
    pub(super) fn tokenizer(&self) -> Option<Arc<Tokenizer>> {
        self.embedder.as_ref().map(|embedder| Arc::clone(&embedder.tokenizer))
    }

    /// The model of the index, loaded if necessary.
    ///
    /// # Errors
    /// Whatever keeps the model or its library from being opened. A fault when this machine's model
    /// of that name differs from the one that the index was built with.
    pub(super) fn embedder(
        &mut self,
        engine: &Engine,
        snapshot: &Snapshot,
    ) -> Result<&mut Embedder> {
        match &mut self.embedder {
            Some(embedder) => Ok(embedder),
            none => Ok(none.insert(load(engine, snapshot)?)),
        }
    }

    /// Keeps the vector of the last query for [`Vectors::similarities`].
    pub(super) fn remember(&mut self, query: &str, vector: Option<Vector>) {
        self.last_query = vector.map(|vector| (query.to_owned(), vector));
    }

    /// Drops what a panic may have left half done. A model that was not running stays loaded.
    pub(super) fn recover(&mut self) {
        self.embedder.take_if(|embedder| !embedder.is_sound());
        self.last_query = None;
    }

    /// The vector of a text. The model is loaded only when the cache lacks the vector.
    pub(super) fn embed(
        &mut self,
        context: QueryContext<'_>,
        role: EmbeddingRole,
        text: &str,
    ) -> Result<Embedded> {
        let QueryContext { engine, snapshot, caching, stop } = context;
        let start = Instant::now();
        let stop = stop.stage(QueryStage::Embedding);
        engine.check_stop(&stop)?;
        let model = &snapshot.meta().model;
        let key = Key::embedding(&model.fingerprint, role.name(), text);
        let look_up =
            || engine.cache().embedding(&key, &model.fingerprint, model.dimension, engine.now_s());
        let mut flight = Flight::default();
        if caching.reads() {
            let mut found = look_up();
            if found.is_none() {
                let give_up = || engine.should_stop(&stop);
                match engine.cache().claim(Table::Embeddings, &key, EMBEDDING_LEASE, &give_up) {
                    Claim::Computed => found = look_up(),
                    Claim::Compute(own) => flight = own,
                }
            }
            if let Some(vector) = found {
                return Ok(Embedded { vector, is_cached: true, milliseconds: milliseconds(start) });
            }
        }
        let embedder = self.embedder(engine, snapshot)?;
        // Loading may have taken long.
        engine.check_stop(&stop)?;
        let vector = embedder.embed(role, text)?;
        if caching.writes() {
            let row = (Table::Embeddings, key);
            let (scope, bytes) = (&model.fingerprint, vector.to_bytes());
            engine.cache().put_claimed(flight, row, scope, bytes, engine.now_s());
        }
        Ok(Embedded { vector, is_cached: false, milliseconds: milliseconds(start) })
    }

    /// Cosines between the query's vector and those of `texts`, in their order.
    pub fn similarities(
        &mut self,
        context: QueryContext<'_>,
        query: &str,
        texts: &[String],
    ) -> Result<Similarities> {
        let query_vector = match self.last_query.take() {
            Some((last, vector)) if last == query => vector,
            _ => self.embed(context, EmbeddingRole::Query, query)?.vector,
        };
        let mut similarities = Similarities { cosines: Vec::new(), hits: 0, misses: 0 };
        for text in texts {
            let embedded = self.embed(context, EmbeddingRole::Passage, text)?;
            similarities.hits += u64::from(embedded.is_cached);
            similarities.misses += u64::from(!embedded.is_cached);
            let cosine = dot(query_vector.as_slice(), embedded.vector.as_slice());
            similarities.cosines.push(f64::from(cosine));
        }
        self.remember(query, Some(query_vector));
        Ok(similarities)
    }
}

/// Loads the model of the index. Vectors of another version of it must not be compared with the
/// index's own.
fn load(engine: &Engine, snapshot: &Snapshot) -> Result<Embedder> {
    let model = &snapshot.meta().model;
    let files = engine.model(&model.name).map_err(|fault| hint_lexical(&fault))?;
    if files.fingerprint != model.fingerprint {
        // A wrong digit in a manifest also changes the fingerprint.
        if let Some(damage) = verify_folder(&files.dir)?.into_iter().next() {
            return Err(damage);
        }
        return Err(Fault::failed(format!(
            "the index was built with another version of the model `{}`",
            model.name
        ))
        .hint("run `rag ingest` again, or use lexical search (`--mode lexical`)"));
    }
    Embedder::load(files, &engine.runtime_library().map_err(|fault| hint_lexical(&fault))?)
}

/// The same fault, with a hint that lexical search needs no model.
fn hint_lexical(fault: &Fault) -> Fault {
    let same = Fault::new(fault.kind(), fault.to_string());
    match fault.hint_text() {
        Some(hint) => same.hint(format!("use lexical search (`--mode lexical`), or {hint}")),
        None => same,
    }
}
