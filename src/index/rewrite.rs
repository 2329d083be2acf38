//! Writing a generation again: the live chunks and their vectors, in an order that depends only on
//! them. The same chunks give the same bytes, whatever the history of the index.

use super::build::Builder;
use super::documents::{Record, State};
use super::lexical::ChunkEntry;
use super::names::Store;
use super::pending::Vectors;
use super::snapshot::Snapshot;
use crate::analysis;
use crate::document::{context_line, embedded_text};
use crate::error::{Fault, Result};

/// Adds the passages and vectors of `records` from `base` to a new build, and seals it. Folder `n`
/// of `records` is folder `from[n]` of `base`. The caller has run [`Snapshot::check`] and holds the
/// lock of `store`.
///
/// # Errors
/// When another version of the program produced the terms, and when `stop` returns true.
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
            "the index was built by another version of rag, which splits words differently",
        )
        .hint("run `rag ingest` with the same folders: it rebuilds the index"));
    }
    let mut builder = Builder::begin_single_segment(store)?;
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
        copy_document(&mut builder, base, root, record, &mut rows)?;
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

/// Adds the passages of a document in folder `from` of `base` to `builder`, as those of `record`.
/// The builder has no base, and only what this function added; the base row of each new vector is
/// appended to `rows`.
pub fn copy_document(
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
        let entry = ChunkEntry {
            root: record.root,
            path: &record.path,
            title,
            language: record.language.as_deref(),
            chunk: &stored.chunk,
            row: 0,
        };
        builder.add(entry, &embedded)?;
        if builder.new_rows() > rows.len() {
            rows.push(row);
        }
    }
    Ok(())
}
