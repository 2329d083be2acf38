//! Indexes, their documents, and the cache.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::location;
use crate::cache::{Purged, SharedCounters, SharedStats, TableStats};
use crate::document::Location;
use crate::documents::Changed;
use crate::error::{Fault, Result};
use crate::index::{self, Meta, Record, Root, Stored};

/// A document in an index
#[derive(Serialize, ToSchema)]
#[schema(as = Document)]
pub struct DocumentJson<'a> {
    /// The ingested folder, as it was named
    root: Option<&'a str>,
    /// Path relative to the root
    path: &'a str,
    /// indexed, skipped or failed
    #[schema(value_type = String)]
    state: index::State,
    /// Why it was skipped or failed
    reason: Option<&'a str>,
    /// Such as markdown, html, pdf or code
    #[serde(rename = "type")]
    format: Option<&'a str>,
    /// ISO 639-1
    language: Option<&'a str>,
    /// Bytes of the file
    size: u64,
    chunks: u64,
    /// Modification time in Unix seconds
    modified: Option<i64>,
    /// Metadata of the document: all values of each key
    meta: &'a BTreeMap<String, Vec<String>>,
}

pub fn document(roots: &[Root], record: &Record) -> Value {
    json!(DocumentJson {
        root: roots.get(record.root).map(|root| &*root.given),
        path: &record.path,
        state: record.state,
        reason: record.reason.as_deref(),
        format: record.format.as_deref(),
        language: record.language.as_deref(),
        size: record.size,
        chunks: record.chunks,
        modified: (record.modified_s != 0).then_some(record.modified_s),
        meta: &record.meta,
    })
}

/// A passage of a document
#[derive(Serialize, ToSchema)]
#[schema(as = Passage)]
pub struct PassageJson<'a> {
    /// First and last line, from 1
    #[schema(value_type = Vec<usize>, min_items = 2, max_items = 2)]
    lines: [usize; 2],
    /// First byte, and the end (exclusive)
    #[schema(value_type = Vec<usize>, min_items = 2, max_items = 2)]
    bytes: [usize; 2],
    /// Page number, in documents with pages
    page: Option<usize>,
    /// Last page, if it is not the same
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    last_page: Option<usize>,
    /// Page, slide, sheet and cell, message or notebook cell
    location: Option<Value>,
    /// Last location, if it is not the same
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    last_location: Option<Value>,
    /// Same as `location`
    #[schema(deprecated)]
    place: Option<Value>,
    /// Enclosing headings, outermost first
    heading: &'a [String],
    text: &'a str,
    /// Whether it belongs to the requested range
    #[serde(skip_serializing_if = "Option::is_none")]
    cited: Option<bool>,
}

/// Passages of a document, in order. `cited` is the range of passages to mark.
pub fn passages(chunks: &[Stored], cited: Option<&Range<usize>>) -> Value {
    let passage = |(n, Stored { chunk, .. }): (usize, &Stored)| {
        let last = chunk.extent().last_location;
        let last_location = last.as_ref().map(location);
        let location = chunk.place.as_ref().map(location);
        json!(PassageJson {
            cited: cited.map(|cited| cited.contains(&n)),
            lines: [chunk.lines.first, chunk.lines.last],
            bytes: [chunk.bytes.start, chunk.bytes.end],
            page: chunk.place.as_ref().and_then(Location::page),
            last_page: last.as_ref().and_then(Location::page),
            location: location.clone(),
            last_location,
            place: location,
            heading: &chunk.heading,
            text: &chunk.text,
        })
    };
    chunks.iter().enumerate().map(passage).collect()
}

/// Removed or restored documents, and the index afterwards
#[derive(Serialize, ToSchema)]
#[schema(as = Changed)]
pub struct ChangedJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    removed: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    restored: Option<&'a [String]>,
    /// Digest of the index contents
    corpus_id: &'a str,
    documents: u64,
    chunks: u64,
    /// Answers in sessions that quoted the documents and were emptied
    withdrawn_answers: u64,
}

/// `action` is the key of the changed documents: `removed` or `restored`.
pub fn changed(action: &str, changed: &Changed) -> Value {
    let paths = |key| (action == key).then_some(&*changed.paths);
    json!(ChangedJson {
        removed: paths("removed"),
        restored: paths("restored"),
        corpus_id: &changed.corpus_id,
        documents: changed.documents,
        chunks: changed.chunks,
        withdrawn_answers: changed.withdrawn,
    })
}

/// The cache tables
#[derive(Serialize, ToSchema)]
#[schema(as = CacheStats)]
pub struct CacheJson {
    /// Tables by name
    tables: BTreeMap<String, TableJson>,
    file_bytes: u64,
    /// The rows that servers share; absent without a shared store
    #[serde(skip_serializing_if = "Option::is_none")]
    shared: Option<SharedCacheJson>,
}

/// The cache that servers share
#[derive(Serialize, ToSchema)]
#[schema(as = SharedCache)]
struct SharedCacheJson {
    /// ok or failed
    status: &'static str,
    /// Why it gives no answer
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Memory of the server, for all of its users
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_bytes: Option<u64>,
    /// Tables by name
    tables: BTreeMap<String, SharedTableJson>,
}

/// Look-ups in a shared table, and writes to it, by all servers
#[derive(Serialize, ToSchema)]
#[schema(as = SharedTable)]
struct SharedTableJson {
    /// Lifetime of a row in seconds
    ttl_seconds: u64,
    hits: u64,
    misses: u64,
    hit_rate: f64,
    sets: u64,
    /// Look-ups and writes without a valid reply
    errors: u64,
    /// Rows with a wrong checksum
    damaged: u64,
    /// Rows not written because the store was full, paused or too slow
    dropped: u64,
}

impl SharedCacheJson {
    fn new(stats: &Result<SharedStats, String>) -> Self {
        let failed = |why: &String| Self {
            status: "failed",
            reason: Some(why.clone()),
            memory_bytes: None,
            tables: BTreeMap::new(),
        };
        let table = |ttl_seconds: u64, c: &SharedCounters| SharedTableJson {
            ttl_seconds,
            hits: c.hits,
            misses: c.misses,
            hit_rate: c.hit_rate(),
            sets: c.sets,
            errors: c.errors,
            damaged: c.damaged,
            dropped: c.dropped,
        };
        stats.as_ref().map_or_else(failed, |stats| Self {
            status: "ok",
            reason: None,
            memory_bytes: Some(stats.memory_bytes),
            tables: stats
                .tables
                .iter()
                .map(|(name, ttl_s, counters)| (name.name().to_owned(), table(*ttl_s, counters)))
                .collect(),
        })
    }
}

/// A cache table
#[derive(Serialize, ToSchema)]
#[schema(as = CacheTable)]
struct TableJson {
    /// Number of rows
    count: u64,
    /// Bytes of keys and values
    bytes: u64,
    /// Limit of `bytes`
    budget_bytes: u64,
    /// Lifetime of a row in seconds; 0 means unlimited
    ttl_seconds: u64,
    /// Unix seconds of the oldest row
    oldest: Option<i64>,
    /// Unix seconds of the newest row
    newest: Option<i64>,
    /// Lookups that found a row, by all processes since the file was created, like the counters
    /// below
    hits: u64,
    misses: u64,
    hit_rate: f64,
    /// Rows with a wrong checksum
    damaged: u64,
    /// Rows evicted to stay within the budget
    evicted: u64,
}

pub fn cache_stats(
    stats: &[TableStats],
    file_bytes: u64,
    shared: Option<&Result<SharedStats, String>>,
) -> Value {
    let table = |s: &TableStats| {
        let table = TableJson {
            count: s.count,
            bytes: s.bytes,
            budget_bytes: s.budget_bytes,
            ttl_seconds: s.ttl_s,
            oldest: s.oldest,
            newest: s.newest,
            hits: s.counters.hits,
            misses: s.counters.misses,
            hit_rate: s.counters.hit_rate(),
            damaged: s.counters.damaged,
            evicted: s.counters.evicted,
        };
        (s.table.name().to_owned(), table)
    };
    let tables = stats.iter().map(table).collect();
    json!(CacheJson { tables, file_bytes, shared: shared.map(SharedCacheJson::new) })
}

/// Rows removed from the cache
#[derive(Serialize, ToSchema)]
#[schema(as = Purged)]
pub struct PurgedJson {
    /// Removed rows by table
    purged: BTreeMap<String, RowsJson>,
    /// Bytes by which the cache file shrank
    freed_bytes: u64,
}

/// Rows of a table
#[derive(Serialize, ToSchema)]
#[schema(as = Rows)]
struct RowsJson {
    count: u64,
    /// Bytes of keys and values
    bytes: u64,
    /// Rows removed from the shared store; absent without one
    #[serde(skip_serializing_if = "Option::is_none")]
    shared: Option<u64>,
}

pub fn purged(purged: &[Purged], freed_bytes: u64) -> Value {
    let rows = |p: &Purged| {
        let rows = RowsJson { count: p.count, bytes: p.bytes, shared: p.shared };
        (p.table.name().to_owned(), rows)
    };
    json!(PurgedJson { purged: purged.iter().map(rows).collect(), freed_bytes })
}

/// An index in a list
#[derive(Serialize, ToSchema)]
#[schema(as = Index)]
#[serde(untagged)]
pub enum IndexJson<'a> {
    Whole(WholeJson<'a>),
    Damaged(DamagedIndexJson<'a>),
}

/// An index
#[derive(Serialize, ToSchema)]
#[schema(as = WholeIndex)]
pub struct WholeJson<'a> {
    name: &'a str,
    /// Digest of the index contents
    corpus_id: &'a str,
    documents: u64,
    chunks: u64,
    /// Embedding model
    model: &'a str,
    bytes: u64,
    /// Unix seconds
    created: i64,
    /// The ingested folders, as they were named
    roots: Vec<&'a str>,
}

/// An index that cannot be read
#[derive(Serialize, ToSchema)]
#[schema(as = DamagedIndex)]
pub struct DamagedIndexJson<'a> {
    name: &'a str,
    /// Why it cannot be read
    damaged: String,
}

/// An index in a list. `damaged` renders the fault of an unreadable index for the reader.
pub fn index(name: &str, meta: &Result<Meta>, damaged: &dyn Fn(&Fault) -> String) -> Value {
    json!(match meta {
        Ok(meta) => IndexJson::Whole(WholeJson {
            name,
            corpus_id: &meta.corpus_id,
            documents: meta.counts.documents,
            chunks: meta.counts.chunks,
            model: &meta.model.name,
            bytes: meta.bytes(),
            created: meta.created,
            roots: meta.roots.iter().map(|root| &*root.given).collect(),
        }),
        Err(fault) => IndexJson::Damaged(DamagedIndexJson { name, damaged: damaged(fault) }),
    })
}

/// Result of verifying an index
#[derive(Serialize, ToSchema)]
#[schema(as = Verified)]
pub struct VerifiedJson<'a> {
    index: &'a str,
    /// No file is damaged
    ok: bool,
    damaged: Vec<DamagedJson<'a>>,
}

/// A damaged file
#[derive(Serialize, ToSchema)]
#[schema(as = DamagedFile)]
struct DamagedJson<'a> {
    #[schema(value_type = String)]
    path: &'a Path,
    reason: &'a str,
}

pub fn verified(name: &str, problems: &[index::Problem]) -> Value {
    let damaged =
        problems.iter().map(|p| DamagedJson { path: &p.path, reason: &p.reason }).collect();
    json!(VerifiedJson { index: name, ok: problems.is_empty(), damaged })
}

/// The generation that is current after a rollback
#[derive(Serialize, ToSchema)]
#[schema(as = RolledBack)]
pub struct RolledBackJson<'a> {
    index: &'a str,
    /// Digest of the index contents
    corpus_id: &'a str,
    documents: u64,
    chunks: u64,
    /// Unix seconds
    created: i64,
}

pub fn rolled_back(name: &str, meta: &Meta) -> Value {
    json!(RolledBackJson {
        index: name,
        corpus_id: &meta.corpus_id,
        documents: meta.counts.documents,
        chunks: meta.counts.chunks,
        created: meta.created,
    })
}
