//! What a commit needs to know beyond the documents, and the `meta.json` that follows from it.

use std::collections::BTreeMap;

use super::documents::{Record, State};
use super::generation::{Chunking, Counts, FORMAT, Meta, ModelInfo, VectorFile, corpus_id};
use super::pointer::Before;
use super::roots::Root;

/// The parameters of a commit.
pub struct Summary<'a> {
    pub name: &'a str,
    pub model: ModelInfo,
    pub chunking: Chunking,
    pub roots: Vec<Root>,
    /// Every file of the walk, in its order.
    pub records: &'a [Record],
    /// As [`Meta::removed`].
    pub removed: Vec<String>,
    pub before: Before,
    /// Replaces the computed id.
    pub corpus_id: Option<&'a str>,
    /// Unix seconds.
    pub created: i64,
}

impl<'a> Summary<'a> {
    /// A summary that keeps what `meta` says, except for the given parameters.
    pub fn like(meta: &'a Meta, name: &'a str, records: &'a [Record], created: i64) -> Self {
        Self {
            name,
            model: meta.model.clone(),
            chunking: meta.chunking,
            roots: meta.roots.clone(),
            records,
            removed: meta.removed.clone(),
            before: Before::Keep,
            corpus_id: meta.content_id.is_some().then_some(meta.corpus_id.as_str()),
            created,
        }
    }

    /// The `meta.json` of the new generation, without its files. `pending` is the number of missing
    /// vectors.
    pub(super) fn meta(&self, vectors: Vec<VectorFile>, pending: u64) -> Meta {
        let content_id = self.computed_id();
        Meta {
            format: FORMAT,
            corpus_id: self.corpus_id.map_or_else(|| content_id.clone(), str::to_owned),
            content_id: self.corpus_id.map(|_| content_id),
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            created: self.created,
            model: self.model.clone(),
            chunking: self.chunking,
            roots: self.roots.clone(),
            removed: self.removed.clone(),
            counts: counts(self.records, vectors.iter().map(|file| file.rows as u64).sum()),
            pending,
            languages: languages(self.records),
            vectors,
            files: BTreeMap::new(),
        }
    }

    fn computed_id(&self) -> String {
        let indexed = self.records.iter().filter(|record| record.state == State::Indexed);
        let mut documents: Vec<(usize, &str, &str)> = indexed
            .map(|record| (record.root, record.path.as_str(), record.hash.as_str()))
            .collect();
        corpus_id(&self.model.fingerprint, self.chunking, &mut documents)
    }
}

fn counts(records: &[Record], rows: u64) -> Counts {
    let mut counts = Counts { rows, ..Counts::default() };
    for record in records {
        match record.state {
            State::Indexed => counts.documents += 1,
            State::Skipped => counts.skipped += 1,
            State::Failed => counts.failed += 1,
        }
        counts.chunks += record.chunks;
        counts.terms.iter_mut().zip(record.terms).for_each(|(sum, n)| *sum += n);
    }
    counts
}

fn languages(records: &[Record]) -> BTreeMap<String, u64> {
    let mut languages = BTreeMap::new();
    for record in records {
        if let Some(language) = &record.language {
            *languages.entry(language.clone().into_owned()).or_insert(0) += record.chunks;
        }
    }
    languages
}
