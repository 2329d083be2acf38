//! `/indexes`: lists, verifies and rolls back indexes, removes folders from them, and suggests
//! questions.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::documents::snapshot;
use crate::documents::{self, FolderName, Suggestion};
use crate::error::{Fault, Kind};
use crate::index;
use crate::serve::app::App;
use crate::serve::error::{Error, ErrorBody, Result, no_index};
use crate::serve::extractors::{Call, EmptyBody, OptionalJson, PathParam, Query};
use crate::serve::guard::Allowed;
use crate::serve::limits::WRITER_WAIT;
use crate::serve::sandbox;
use crate::wire;

/// Why an index cannot be read, without paths.
fn damage(fault: &Fault) -> String {
    match fault.kind() {
        Kind::Damaged => "it is damaged; `rag index verify` names the files",
        _ => "it cannot be read",
    }
    .to_owned()
}

/// List the indexes
///
/// Rows as in `rag index list --json`.
#[utoipa::path(
    get,
    path = "/indexes",
    tag = "indexes",
    responses((status = 200, description = "The indexes", body = Vec<wire::IndexJson>))
)]
pub async fn indexes_list(Call { app, allowed, .. }: Call) -> Result<axum::Json<Value>> {
    let indexes = allowed.indexes();
    let rows = app.blocking(move |app| {
        let store = &app.engine().store;
        Ok(store
            .names()?
            .iter()
            .filter(|name| indexes.allows(name))
            .map(|name| wire::index(name, &store.meta(name), &damage))
            .collect())
    });
    Ok(axum::Json(rows.await?))
}

/// Fails unless the index exists and the token may use it.
fn check_exists(app: &App, allowed: &Allowed, name: &str) -> Result<()> {
    allowed.index(Some(name.to_owned()), app)?;
    let name = sandbox::known_index(Some(name), "")?;
    app.engine().store.pointer(name)?.map(drop).ok_or_else(|| no_index(name))
}

/// Verify the checksums of an index
#[utoipa::path(
    post,
    path = "/indexes/{name}/verify",
    tag = "indexes",
    params(("name" = String, Path, description = "Name of the index")),
    request_body(content = Option<EmptyBody>, description = "Optional"),
    responses(
        (status = 200, description = "The damaged files, if any", body = wire::VerifiedJson),
        (status = 404, description = "No such index", body = ErrorBody),
    )
)]
pub async fn indexes_verify(
    Call { app, allowed, .. }: Call,
    PathParam(name): PathParam,
    OptionalJson(EmptyBody {}): OptionalJson<EmptyBody>,
) -> Result<axum::Json<Value>> {
    let verified = app.blocking(move |app| {
        check_exists(app, &allowed, &name)?;
        let store = &app.engine().store;
        let problems = index::verify(store, &name)?;
        let mut verified = wire::verified(&name, &problems);
        // Paths are relative to the index directory, so they reveal nothing about the server.
        let damaged = verified["damaged"].as_array_mut().into_iter().flatten();
        for (file, problem) in damaged.zip(&problems) {
            let path = problem.path.strip_prefix(store.dir()).unwrap_or(&problem.path);
            file["path"] = path.to_string_lossy().into();
        }
        Ok(verified)
    });
    Ok(axum::Json(verified.await?))
}

/// Roll back to the previous generation (repeat to undo)
#[utoipa::path(
    post,
    path = "/indexes/{name}/rollback",
    tag = "indexes",
    params(("name" = String, Path, description = "Name of the index")),
    request_body(content = Option<EmptyBody>, description = "Optional"),
    responses(
        (
            status = 200,
            description = "The generation that is now current",
            body = wire::RolledBackJson,
        ),
        (status = 404, description = "No such index", body = ErrorBody),
    )
)]
pub async fn indexes_rollback(
    Call { app, allowed, .. }: Call,
    PathParam(name): PathParam,
    OptionalJson(EmptyBody {}): OptionalJson<EmptyBody>,
) -> Result<axum::Json<Value>> {
    let meta = app.blocking(move |app| {
        check_exists(app, &allowed, &name)?;
        let engine = app.engine();
        let _lock = engine.store.lock(Duration::ZERO, &|| engine.interrupted())?;
        if engine.store.pointer(&name)?.is_none_or(|pointer| pointer.previous.is_none()) {
            return Err(Error::conflict("the index has no previous generation"));
        }
        let meta = engine.store.rollback(&name)?;
        Ok(wire::rolled_back(&name, &meta))
    });
    Ok(axum::Json(meta.await?))
}

/// Selects a folder
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct FolderQuery {
    /// Name of the folder, as in `roots` of GET /indexes
    folder: String,
}

/// Remove a folder from an index
///
/// As `rag index remove-folder`: its documents are no longer found. The files are kept, and a
/// rollback undoes the removal.
#[utoipa::path(
    delete,
    path = "/indexes/{name}/folders",
    tag = "indexes",
    params(("name" = String, Path, description = "Name of the index"), FolderQuery),
    responses(
        (
            status = 200,
            description = "The removed documents, and the index after the removal",
            body = wire::ChangedJson,
        ),
        (status = 404, description = "No such index or folder", body = ErrorBody),
    )
)]
pub async fn folders_remove(
    Call { app, allowed, .. }: Call,
    PathParam(name): PathParam,
    Query(FolderQuery { folder }): Query<FolderQuery>,
) -> Result<axum::Json<Value>> {
    let changed = app.blocking(move |app| {
        check_exists(app, &allowed, &name)?;
        let engine = app.engine().of_index(&name);
        let removed = documents::remove_folder(&engine, FolderName::Shown(&folder), WRITER_WAIT);
        removed.map_err(|fault| match fault.kind() {
            Kind::Usage => Error::not_found("the index has no folder of that name")
                .hint("`roots` of GET /indexes lists the folders"),
            _ => fault.into(),
        })
    });
    Ok(axum::Json(wire::changed("removed", &changed.await?)))
}

/// How many suggestions
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SuggestionsQuery {
    /// Number of questions (default: 4)
    #[param(minimum = 1, maximum = 20)]
    n: Option<usize>,
}

/// Questions that an index can answer
#[derive(Serialize, ToSchema)]
pub struct SuggestionsReply {
    suggestions: Vec<SuggestionReply>,
}

/// A question, and the heading that it was made from
#[derive(Serialize, ToSchema)]
struct SuggestionReply {
    question: String,
    heading: String,
    /// The ingested folder, as it was named
    root: String,
    /// Path relative to the root
    path: String,
}

/// Suggest questions from the headings of an index
#[utoipa::path(
    get,
    path = "/indexes/{name}/suggestions",
    tag = "indexes",
    params(("name" = String, Path, description = "Name of the index"), SuggestionsQuery),
    responses(
        (status = 200, description = "Questions, if there are headings", body = SuggestionsReply),
        (status = 404, description = "No such index", body = ErrorBody),
    )
)]
pub async fn suggestions(
    Call { app, allowed, .. }: Call,
    PathParam(name): PathParam,
    Query(SuggestionsQuery { n }): Query<SuggestionsQuery>,
) -> Result<axum::Json<SuggestionsReply>> {
    let n = n.unwrap_or(4);
    if !(1..=20).contains(&n) {
        return Err(Error::usage("`n` must be from 1 to 20").param("n"));
    }
    let index = allowed.index(Some(name), &app)?;
    let found =
        app.blocking(move |app| Ok(documents::suggestions(&*snapshot(app, index.as_deref())?, n)?));
    let reply = |found: Suggestion| {
        let Suggestion { question, heading, root, path } = found;
        SuggestionReply { question, heading, root, path }
    };
    let suggestions = found.await?.into_iter().map(reply).collect();
    Ok(axum::Json(SuggestionsReply { suggestions }))
}
