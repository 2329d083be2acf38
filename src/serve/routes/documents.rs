//! `/documents`: lists, shows, removes and restores documents of an index. Nothing here reads an
//! ingested file.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{IntoParams, ToSchema};

use super::ingest::NewJob;
use super::{params, uploads};
use crate::documents::{self, Document, Paging, Part};
use crate::engine::Engine;
use crate::error::Kind;
use crate::index::{Snapshot, State as DocumentState};
use crate::jobs::Priority;
use crate::naming;
use crate::serve::app::App;
use crate::serve::body::Json;
use crate::serve::error::{Error, ErrorBody, Result, no_index};
use crate::serve::extractors::{Call, Query};
use crate::serve::limits::WRITER_WAIT;
use crate::serve::sandbox::Roots;
use crate::serve::{sandbox, upload_quota};
use crate::wire;

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 500;

/// Selects documents
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// Index name (default: the configured index)
    index: Option<String>,
    /// indexed, failed or skipped (default: indexed)
    #[param(pattern = "^(indexed|failed|skipped)$")]
    state: Option<String>,
    #[param(schema_with = params::filter_schema)]
    filter: Option<String>,
    /// Documents per page
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// `next` of the previous page
    #[param(schema_with = cursor_schema)]
    cursor: Option<String>,
}

/// A cursor is the JSON array of a root number and a path, such as `[0,"a.md"]`, in hexadecimal.
fn cursor_schema() -> RefOr<Schema> {
    // A continuation byte of UTF-8.
    let more = "[89ab][0-9a-f]";
    let plain = "2[013-9a-f]|[3467][0-9a-f]|5[0-9abd-f]";
    let escaped = "5c(22|5c|62|66|6e|72|74|7530303[01](3[0-9]|6[1-6]))";
    let two = format!("(c[2-9a-f]|d[0-9a-f]){more}");
    let three = format!("(e0[ab][0-9a-f]|ed[89][0-9a-f]|e[1-9a-cef]{more}){more}");
    let four = format!("(f0[9ab][0-9a-f]|f[1-3]{more}|f48[0-9a-f]){more}{more}");
    let pattern =
        format!("^5b(30|3[1-9](3[0-9]){{0,3}})2c22({plain}|{escaped}|{two}|{three}|{four})*225d$");
    let words = "`next` of the previous page";
    RefOr::T(
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some(pattern))
            .description(Some(words))
            .into(),
    )
}

/// A page of documents
#[derive(Serialize, ToSchema)]
pub struct DocumentsReply {
    #[schema(value_type = Vec<wire::DocumentJson>)]
    documents: Vec<Value>,
    /// The `cursor` of the next page; null on the last one
    next: Option<String>,
}

/// Selects a document and a range of it
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ContentQuery {
    /// Index name (default: the configured index)
    index: Option<String>,
    /// Root of the document, as in `root` of hits
    root: Option<String>,
    /// Path relative to the root; without `root`, the path with the root before it
    path: String,
    /// Byte range as in `bytes` of a citation: `FIRST-END`, where END is exclusive
    #[param(pattern = "^[0-9]{1,9}-[0-9]{1,9}$")]
    bytes: Option<String>,
    /// Line range `FIRST-LAST`, used when `bytes` is not given
    #[param(pattern = "^[0-9]{1,9}-[0-9]{1,9}$")]
    lines: Option<String>,
    /// Number of passages before and after the range (default: all)
    #[param(minimum = 0, maximum = 1000)]
    around: Option<usize>,
}

impl ContentQuery {
    fn part(&self) -> Result<Option<Part>> {
        match (&self.bytes, &self.lines) {
            (Some(bytes), _) => Ok(Some(parse_range("bytes", bytes, Part::Bytes)?)),
            (None, Some(lines)) => Ok(Some(parse_range("lines", lines, Part::Lines)?)),
            (None, None) => Ok(None),
        }
    }
}

fn parse_range(name: &str, text: &str, part: fn(usize, usize) -> Part) -> Result<Part> {
    let range = text.split_once('-');
    match range.map(|(first, last)| (first.parse(), last.parse())) {
        Some((Ok(first), Ok(last))) => Ok(part(first, last)),
        _ => Err(Error::usage(format!("`{name}` must be a range such as 120-900")).param(name)),
    }
}

/// A document in the index
#[derive(Serialize, ToSchema)]
struct ContentReply<'a> {
    /// The ingested folder, as it was named
    root: Option<&'a str>,
    /// Path relative to the root
    path: &'a str,
    /// Such as markdown, html, pdf or code
    format: Option<&'a str>,
    title: Option<&'a str>,
    /// indexed, skipped or failed
    #[schema(value_type = String)]
    state: DocumentState,
    /// Why it was skipped or failed
    reason: Option<&'a str>,
    /// Number of the first passage in `passages`, from 1
    first: usize,
    /// Number of passages of the whole document
    total: usize,
    /// Same as `total`
    #[schema(deprecated)]
    of: usize,
    #[schema(value_type = Vec<wire::PassageJson>)]
    passages: Value,
}

/// The current generation of an index, open.
pub fn snapshot(app: &App, index: Option<&str>) -> Result<Arc<Snapshot>> {
    let name = sandbox::known_index(index, &app.engine().config.index)?;
    app.service.snapshot(name)?.ok_or_else(|| no_index(name))
}

/// List documents of an index
///
/// Rows as in `rag documents list --json`, ordered by root and path. `next` is the `cursor` of the
/// next page; it is null on the last page.
#[utoipa::path(
    get,
    path = "/documents",
    tag = "documents",
    params(ListQuery),
    responses(
        (status = 200, description = "A page of documents", body = DocumentsReply),
        (status = 404, description = "No such index", body = ErrorBody),
    )
)]
pub async fn documents_list(
    Call { app, allowed, .. }: Call,
    Query(query): Query<ListQuery>,
) -> Result<axum::Json<DocumentsReply>> {
    let all = [
        ("indexed", DocumentState::Indexed),
        ("failed", DocumentState::Failed),
        ("skipped", DocumentState::Skipped),
    ];
    let state = params::named("state", query.state.as_deref(), &all, |(name, _)| name)?;
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Error::usage(format!("`limit` must be from 1 to {MAX_LIMIT}")));
    }
    let paging = Paging {
        state: state.unwrap_or(all[0]).1,
        filter: params::filter(query.filter.as_deref())?,
        after: query.cursor,
        limit,
    };
    let index = allowed.index(query.index, &app)?;
    let page = app.blocking(move |app| {
        let snapshot = snapshot(app, index.as_deref())?;
        Ok(documents::page(&snapshot, &paging)?)
    });
    let page = page.await?;
    let documents = page.records.iter().map(|record| wire::document(&page.roots, record)).collect();
    Ok(axum::Json(DocumentsReply { documents, next: page.next }))
}

/// Selects a document
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DocumentQuery {
    /// Index name (default: the configured index)
    pub index: Option<String>,
    /// Root of the document, as in `root` of hits
    root: Option<String>,
    /// Path relative to the root; without `root`, the path with the root before it
    path: String,
}

impl DocumentQuery {
    pub fn find(&self, snapshot: &Snapshot) -> Result<Document> {
        let found = documents::find(snapshot, self.root.as_deref(), &self.path);
        found.map_err(|fault| match fault.kind() {
            Kind::Usage => Error::not_found("not exactly one document matches")
                .hint("use `root` and `path` as in hits or in GET /documents"),
            _ => fault.into(),
        })
    }
}

/// Show the passages of a document
///
/// Passages come from the index, in document order; the file is not read. With `bytes` or `lines`
/// of a citation, the passages of that range have `cited` set.
#[utoipa::path(
    get,
    path = "/documents/content",
    tag = "documents",
    params(ContentQuery),
    responses(
        (status = 200, description = "The document's passages", body = ContentReply),
        (status = 404, description = "No such document", body = ErrorBody),
    )
)]
pub async fn documents_content(
    Call { app, allowed, .. }: Call,
    Query(query): Query<ContentQuery>,
) -> Result<axum::Json<Value>> {
    let (part, around) = (query.part()?, query.around);
    let ContentQuery { index, root, path, .. } = query;
    let index = allowed.index(index, &app)?;
    let query = DocumentQuery { index, root, path };
    let Document { roots, record, chunks } =
        app.blocking(move |app| query.find(&*snapshot(app, query.index.as_deref())?)).await?;
    let title = chunks.first().and_then(|stored| stored.title.as_deref());
    let cited = part.map(|part| documents::passages_of(part, &chunks));
    let shown = match (&cited, around) {
        (Some(cited), Some(around)) if !cited.is_empty() => {
            cited.start.saturating_sub(around)..cited.end.saturating_add(around).min(chunks.len())
        }
        _ => 0..chunks.len(),
    };
    let cited = cited.map(|cited| {
        cited.start.saturating_sub(shown.start)..cited.end.saturating_sub(shown.start)
    });
    Ok(axum::Json(json!(ContentReply {
        root: roots.get(record.root).map(|root| &*root.given),
        path: &record.path,
        format: record.format.as_deref(),
        title,
        state: record.state,
        reason: record.reason.as_deref(),
        first: shown.start + 1,
        total: chunks.len(),
        of: chunks.len(),
        passages: wire::passages(&chunks[shown], cited.as_ref()),
    })))
}

/// Remove a document permanently
///
/// As `rag documents remove`: its passages, their cached values and the answers that quote it are
/// removed, and later ingests skip it. The file is kept, unless it was uploaded.
#[utoipa::path(
    delete,
    path = "/documents",
    tag = "documents",
    params(DocumentQuery),
    responses(
        (
            status = 200,
            description = "The removed documents, and the index after the removal",
            body = wire::ChangedJson,
        ),
        (status = 404, description = "No such document", body = ErrorBody),
    )
)]
pub async fn documents_remove(
    Call { app, allowed, .. }: Call,
    Query(mut query): Query<DocumentQuery>,
) -> Result<axum::Json<Value>> {
    query.index = allowed.index(query.index, &app)?;
    let changed = app
        .blocking(move |app| {
            let index = sandbox::known_index(query.index.as_deref(), &app.engine().config.index)?;
            let Document { roots, record, .. } = query.find(&*snapshot(app, Some(index))?)?;
            let engine = app.engine().of_index(index);
            let root = roots.get(record.root);
            let name = naming::name(root.map_or("", |root| &root.given), &record.path);
            let changed = documents::remove(&engine, &[params::exact_glob(&name)], WRITER_WAIT)?;
            if let Some(root) = root {
                uploads::remove_file(&engine, index, root, &record.path)?;
                upload_quota::invalidate(&app.uploads);
            }
            Ok(changed)
        })
        .await?;
    Ok(axum::Json(wire::changed("removed", &changed)))
}

/// Selects an index
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct IndexQuery {
    /// Index name (default: the configured index)
    index: Option<String>,
}

/// Removed documents
#[derive(Serialize, ToSchema)]
pub struct RemovedDocumentsReply {
    documents: Vec<RemovedDocument>,
}

/// A removed document
#[derive(Serialize, ToSchema)]
struct RemovedDocument {
    /// The ingested folder, as it was named
    root: String,
    /// Path relative to the root
    path: String,
    /// Its file is there, so it can be restored
    has_file: bool,
}

/// A removed document to restore
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreBody {
    /// Index name (default: the configured index)
    index: Option<String>,
    /// Root of the document, as in GET /documents/removed
    root: String,
    /// Path relative to the root
    path: String,
}

/// A restored document
#[derive(Serialize, ToSchema)]
pub struct RestoredReply {
    /// Names of the restored documents
    restored: Vec<String>,
    /// The job that reads it again; null when the folder is not one that this server may ingest
    job_id: Option<String>,
}

/// List the removed documents of an index
#[utoipa::path(
    get,
    path = "/documents/removed",
    tag = "documents",
    params(IndexQuery),
    responses(
        (status = 200, description = "The removed documents", body = RemovedDocumentsReply),
        (status = 404, description = "No such index", body = ErrorBody),
    )
)]
pub async fn documents_removed(
    Call { app, allowed, .. }: Call,
    Query(IndexQuery { index }): Query<IndexQuery>,
) -> Result<axum::Json<RemovedDocumentsReply>> {
    let index = allowed.index(index, &app)?;
    let documents = app.blocking(move |app| {
        let snapshot = snapshot(app, index.as_deref())?;
        let places = documents::removed_places(snapshot.meta());
        // A folder that the index no longer has cannot be named without its absolute path.
        let known = places.into_iter().filter_map(|(folder, path)| Some((folder?, path)));
        let removed = known.map(|(folder, path)| RemovedDocument {
            root: folder.given.to_owned(),
            path: path.to_owned(),
            has_file: sandbox::open_file(Path::new(folder.real), path).is_ok(),
        });
        Ok(removed.collect())
    });
    Ok(axum::Json(RemovedDocumentsReply { documents: documents.await? }))
}

/// Restore a removed document
///
/// Lifts the removal, and starts a job that reads its folder again, if this server may ingest it;
/// otherwise the next ingest of the folder reads it.
#[utoipa::path(
    post,
    path = "/documents/restore",
    tag = "documents",
    request_body = RestoreBody,
    responses(
        (status = 200, description = "The document is restored", body = RestoredReply),
        (status = 404, description = "No such index or removed document", body = ErrorBody),
    )
)]
pub async fn documents_restore(
    Call { app, allowed, .. }: Call,
    Json(RestoreBody { index, root, path }): Json<RestoreBody>,
) -> Result<axum::Json<RestoredReply>> {
    let index = allowed.index(index, &app)?;
    let reply = app.blocking(move |app| {
        let index = sandbox::known_index(index.as_deref(), &app.engine().config.index)?;
        let opened = snapshot(app, Some(index))?;
        let meta = opened.meta();
        let mut places = documents::removed_places(meta).into_iter();
        let folder = places.find_map(|(folder, removed)| {
            folder.filter(|folder| folder.given == root && removed == path)
        });
        let folder = folder.ok_or_else(|| {
            Error::not_found("no removed document of the index has that root and path")
                .hint("GET /documents/removed lists them")
        })?;
        let engine = app.engine().of_index(index);
        let glob = params::exact_glob(&naming::name(folder.given, &path));
        let restored = documents::restore(&engine, &[glob], WRITER_WAIT)?.paths;
        let job_id = ingest_again(&engine, index, meta.model.name.clone(), folder)?;
        Ok(RestoredReply { restored, job_id })
    });
    Ok(axum::Json(reply.await?))
}

/// Queues a job that reads a folder of an index again, if the server may ingest it.
fn ingest_again(
    engine: &Engine,
    index: &str,
    model: String,
    folder: naming::Folder<'_>,
) -> Result<Option<String>> {
    let is_allowed = Roots::new(&engine.config.serve.roots).folder(folder.real).is_ok()
        || uploads::is_own(engine, index, folder.real);
    if !is_allowed {
        return Ok(None);
    }
    let again = sandbox::Folder { real: folder.real.to_owned(), name: folder.given.to_owned() };
    let job = NewJob {
        index: index.to_owned(),
        model: Some(model),
        folders: vec![again],
        urls: Vec::new(),
        sitemap: false,
        only: false,
        no_cache: false,
        priority: Priority::Normal,
    };
    job.submit(engine).map(Some)
}
