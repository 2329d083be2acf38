//! `/documents`: what an index has of its documents, and taking them out. Nothing here reads a file
//! that was ingested.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{IntoParams, ToSchema};

use super::uploads;
use super::{App, Error, apart, asking};
use crate::documents::{self, Document, Paging, Part};
use crate::error::Kind;
use crate::index::{Snapshot, State as DocumentState};
use crate::naming;
use crate::serve::error::{ErrorBody, Result, no_index};
use crate::serve::extractors::Query;
use crate::serve::room;
use crate::serve::sandbox;
use crate::wire;

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 500;

/// How long a change waits for another writer of the indexes.
const WAIT: Duration = Duration::from_secs(5);

/// Which documents
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// Name of the index
    index: Option<String>,
    /// indexed, failed or skipped; indexed when it is not given
    #[param(pattern = "^(indexed|failed|skipped)$")]
    state: Option<String>,
    #[param(schema_with = asking::filter_schema)]
    filter: Option<String>,
    /// Documents in a reply
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// `next` of the reply before
    #[param(schema_with = cursor_schema)]
    cursor: Option<String>,
}

/// A cursor is a folder's number and a path, `[0,"a.md"]`, in hexadecimal digits.
fn cursor_schema() -> RefOr<Schema> {
    // A byte that goes on with a character of UTF-8.
    let more = "[89ab][0-9a-f]";
    let plain = "2[013-9a-f]|[3467][0-9a-f]|5[0-9abd-f]";
    let escaped = "5c(22|5c|62|66|6e|72|74|7530303[01](3[0-9]|6[1-6]))";
    let two = format!("(c[2-9a-f]|d[0-9a-f]){more}");
    let three = format!("(e0[ab][0-9a-f]|ed[89][0-9a-f]|e[1-9a-cef]{more}){more}");
    let four = format!("(f0[9ab][0-9a-f]|f[1-3]{more}|f48[0-9a-f]){more}{more}");
    let pattern =
        format!("^5b(30|3[1-9](3[0-9]){{0,3}})2c22({plain}|{escaped}|{two}|{three}|{four})*225d$");
    let words = "`next` of the reply before";
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

/// Which document, and which part of it
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ContentQuery {
    /// Name of the index
    index: Option<String>,
    /// The folder that it is in, as hits name it
    root: Option<String>,
    /// Its path below that folder; with the folder before it when no `root` is given
    path: String,
    /// The part that is looked for, as `bytes` of a citation: the first one and the one behind the
    /// last, with a hyphen between
    #[param(pattern = "^[0-9]{1,9}-[0-9]{1,9}$")]
    bytes: Option<String>,
    /// The same by first and last line, where the bytes are not known
    #[param(pattern = "^[0-9]{1,9}-[0-9]{1,9}$")]
    lines: Option<String>,
    /// Passages before and after that part; all of them when it is not given
    #[param(minimum = 0, maximum = 1000)]
    around: Option<usize>,
}

impl ContentQuery {
    fn part(&self) -> Result<Option<Part>> {
        let both = |name: &str, text: &str| {
            let (first, last) = text.split_once('-')?;
            let (first, last) = (first.parse().ok()?, last.parse().ok()?);
            Some(if name == "bytes" { Part::Bytes(first, last) } else { Part::Lines(first, last) })
        };
        let parsed = |name: &str, text: &String| {
            both(name, text).ok_or_else(|| {
                Error::usage(format!("`{name}` must be two numbers, such as 120-900")).param(name)
            })
        };
        match (&self.bytes, &self.lines) {
            (Some(bytes), _) => parsed("bytes", bytes).map(Some),
            (None, Some(lines)) => parsed("lines", lines).map(Some),
            (None, None) => Ok(None),
        }
    }
}

/// A document as the index has it
#[derive(Serialize, ToSchema)]
struct ContentReply<'a> {
    /// The folder that was ingested, as it was named then
    root: Option<&'a str>,
    /// Path below that folder
    path: &'a str,
    /// Such as markdown, html, pdf or code
    format: Option<&'a str>,
    title: Option<&'a str>,
    /// indexed, skipped or failed
    #[schema(value_type = String)]
    state: DocumentState,
    /// Why it was skipped or failed
    reason: Option<&'a str>,
    /// Number of the first of these passages, from 1
    first: usize,
    /// Passages of the whole document
    of: usize,
    #[schema(value_type = Vec<wire::PassageJson>)]
    passages: Value,
}

/// The open generation of an index.
pub fn snapshot(app: &App, index: Option<&str>) -> Result<Arc<Snapshot>> {
    let name = sandbox::known_index(index, &app.engine().config.index)?;
    app.service.snapshot(name)?.ok_or_else(|| no_index(name))
}

/// List documents of an index
///
/// Rows as `rag documents list --json` has them, by folder and path, a page at a time: `next` is
/// the `cursor` of the next page, and null on the last one.
#[utoipa::path(
    get,
    path = "/documents",
    tag = "documents",
    params(ListQuery),
    responses(
        (status = 200, description = "The documents", body = DocumentsReply, content_type = "application/json"),
        (status = 404, description = "There is no such index", body = ErrorBody),
    )
)]
pub async fn documents_list(
    State(app): State<Arc<App>>,
    Query(query): Query<ListQuery>,
) -> Result<axum::Json<DocumentsReply>> {
    let all = [
        ("indexed", DocumentState::Indexed),
        ("failed", DocumentState::Failed),
        ("skipped", DocumentState::Skipped),
    ];
    let state = asking::named(
        "state",
        query.state.as_deref(),
        all.iter().map(|(name, _)| *name),
        |name| all.iter().find(|(known, _)| *known == name).map(|(_, state)| *state),
    )?;
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Error::usage(format!("`limit` is from 1 to {MAX_LIMIT}")));
    }
    let paging = Paging {
        state: state.unwrap_or(DocumentState::Indexed),
        filter: asking::filter(query.filter.as_deref())?,
        behind: query.cursor,
        limit,
    };
    let index = query.index;
    let page =
        apart(&app, move |app| Ok(documents::page(&*snapshot(app, index.as_deref())?, &paging)?))
            .await?;
    let documents = page.records.iter().map(|record| wire::document(&page.roots, record)).collect();
    Ok(axum::Json(DocumentsReply { documents, next: page.next }))
}

/// Which document
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct OneQuery {
    /// Name of the index
    index: Option<String>,
    /// The folder that it is in, as hits name it
    root: Option<String>,
    /// Its path below that folder; with the folder before it when no `root` is given
    path: String,
}

impl OneQuery {
    fn find(&self, snapshot: &Snapshot) -> Result<Document> {
        documents::find(snapshot, self.root.as_deref(), &self.path).map_err(|fault| {
            match fault.kind() {
                Kind::Usage => Error::not_found("the index has no one document there")
                    .hint("give `root` and `path` as hits and GET /documents have them"),
                _ => fault.into(),
            }
        })
    }
}

/// Read a document as the index has it
///
/// Its passages in their order, from the index: the file itself is not looked at. With `bytes` or
/// `lines` of a citation, the passages that it consists of are marked as `cited`.
#[utoipa::path(
    get,
    path = "/documents/content",
    tag = "documents",
    params(ContentQuery),
    responses(
        (status = 200, description = "The passages", body = ContentReply, content_type = "application/json"),
        (status = 404, description = "There is no such document", body = ErrorBody),
    )
)]
pub async fn documents_content(
    State(app): State<Arc<App>>,
    Query(query): Query<ContentQuery>,
) -> Result<axum::Json<Value>> {
    let (part, around) = (query.part()?, query.around);
    let ContentQuery { index, root, path, .. } = query;
    let query = OneQuery { index, root, path };
    let Document { roots, record, chunks } =
        apart(&app, move |app| query.find(&*snapshot(app, query.index.as_deref())?)).await?;
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
        of: chunks.len(),
        passages: wire::passages(&chunks[shown], cited.as_ref()),
    })))
}

/// Remove a document from an index for good
///
/// As `rag documents remove`: its passages, what caches hold of them and answers that quote it are
/// gone, and later ingests keep it out. The file stays where it is, unless it was uploaded.
#[utoipa::path(
    delete,
    path = "/documents",
    tag = "documents",
    params(OneQuery),
    responses(
        (status = 200, description = "What was removed", body = wire::ChangedJson, content_type = "application/json"),
        (status = 404, description = "There is no such document", body = ErrorBody),
    )
)]
pub async fn documents_remove(
    State(app): State<Arc<App>>,
    Query(query): Query<OneQuery>,
) -> Result<axum::Json<Value>> {
    let changed = apart(&app, move |app| {
        let index = sandbox::known_index(query.index.as_deref(), &app.engine().config.index)?;
        let Document { roots, record, .. } = query.find(&*snapshot(app, Some(index))?)?;
        let mut config = app.engine().config.clone();
        index.clone_into(&mut config.index);
        let engine = app.engine().with(config);
        let root = roots.get(record.root);
        let name = naming::name(root.map_or("", |root| &root.given), &record.path);
        let changed = documents::remove(&engine, &[exactly(&name)], WAIT)?;
        if let Some(root) = root {
            uploads::forget(&engine, index, root, &record.path)?;
            room::removed(&app.uploads);
        }
        Ok(changed)
    })
    .await?;
    Ok(axum::Json(wire::changed("removed", &changed)))
}

/// The pattern that means this path and no other.
pub fn exactly(path: &str) -> String {
    let escaped = path.chars().flat_map(|c| {
        let is_special = matches!(c, '*' | '?' | '[' | ']' | '{' | '}' | '\\' | '!');
        is_special.then_some('\\').into_iter().chain([c])
    });
    // One that begins with a slash is not looked for at every depth.
    std::iter::once('/').chain(escaped).collect()
}
