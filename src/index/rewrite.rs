//! A generation written anew: the live chunks and their vectors, in an order that depends on
//! nothing but them. The same chunks give the same bytes, on every day and after whatever came
//! before.

use super::build::{Builder, Vectors};
use super::documents::{Record, State};
use super::lexical::ChunkEntry;
use super::names::Store;
use super::snapshot::Snapshot;
use crate::analysis;
use crate::document::{context_line, embedded_text};
use crate::error::{Fault, Result};

/// Adds the passages of `records` from `base` to a new build, and seals it; the vectors are in.
/// `records` number the folders anew: number `n` is number `from[n]` of `base`. The caller has run
/// [`Snapshot::check`] and holds the lock of `store`.
///
/// # Errors
/// When another version of this program took the words apart, and when `stop` says so.
pub fn rewrite<'a>(
    store: &'a Store,
    base: &Snapshot,
    records: &[Record],
    from: &[usize],
    stop: &dyn Fn() -> bool,
) -> Result<(Builder<'a>, Option<Vectors>)> {
    let meta = base.meta();
    if meta.chunking.analysis != analysis::VERSION {
        return Err(Fault::failed(
            "the index was built by another version of rag, which took words apart otherwise",
        )
        .hint("run `rag ingest` with the same folders: it builds the index afresh"));
    }
    let mut builder = Builder::begin_as_one(store)?;
    let mut indexed: Vec<&Record> =
        records.iter().filter(|record| record.state == State::Indexed).collect();
    indexed.sort_by_key(|record| format!("{}/{}", record.root, record.path));
    // The base row of each new vector.
    let mut rows = Vec::new();
    for record in indexed {
        if stop() {
            return Err(Fault::interrupted());
        }
        let root = from.get(record.root).copied().unwrap_or(record.root);
        carry(&mut builder, base, root, record, &mut rows)?;
    }
    builder.seal(records)?;
    let vectors = builder.vectors(meta.model.dimension)?;
    if let Some(vectors) = &vectors {
        for (n, row) in rows.iter().enumerate() {
            vectors.put(n, &base.vector(*row)?)?;
        }
    }
    if stop() {
        return Err(Fault::interrupted());
    }
    Ok((builder, vectors))
}

/// Adds the passages that `base` has of a document in its folder number `from` to `builder`, as
/// those of `record`. The builder has no base, and nothing but what this function added; `rows`
/// gets the base row of each new vector.
pub fn carry(
    builder: &mut Builder<'_>,
    base: &Snapshot,
    from: usize,
    record: &Record,
    rows: &mut Vec<u64>,
) -> Result<()> {
    for (stored, row) in base.rows_of(from, &record.path)? {
        let title = stored.title.as_deref();
        let embedded =
            embedded_text(&context_line(title, &stored.chunk.heading), &stored.chunk.text);
        let (root, path, language) =
            (record.root, record.path.as_str(), record.language.as_deref());
        builder.add(
            ChunkEntry { root, path, title, language, chunk: &stored.chunk, row: 0 },
            &embedded,
        )?;
        if builder.new_rows() > rows.len() {
            rows.push(row);
        }
    }
    Ok(())
}
