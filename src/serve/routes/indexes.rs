//! `/indexes`: listed, checked, put back.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;

use super::sessions::Nothing;
use super::{App, apart};
use crate::documents::{self, FolderName};
use crate::error::{Fault, Kind};
use crate::index;
use crate::serve::error::{Error, ErrorBody, Result, no_index};
use crate::serve::extractors::{Part, Perhaps, Query};
use crate::serve::sandbox;
use crate::wire;

/// How long a change waits for another writer of the indexes.
const WAIT: Duration = Duration::from_secs(5);

/// What is told of an index that cannot be read.
fn damaged(fault: &Fault) -> String {
    match fault.kind() {
        Kind::Damaged => "it is damaged; `rag index verify` names the files",
        _ => "it cannot be read",
    }
    .to_owned()
}

/// List the indexes
///
/// Rows as `rag index list --json` has them.
#[utoipa::path(
    get,
    path = "/indexes",
    tag = "indexes",
    responses((status = 200, description = "The indexes", body = Vec<wire::IndexJson>, content_type = "application/json"))
)]
pub async fn indexes_list(State(app): State<Arc<App>>) -> Result<axum::Json<Value>> {
    let rows = apart(&app, |app| {
        let store = &app.engine().store;
        Ok(store
            .names()?
            .iter()
            .map(|name| wire::index(name, &store.meta(name), &damaged))
            .collect())
    });
    Ok(axum::Json(rows.await?))
}

/// The name of an index that there is.
fn known(app: &App, name: &str) -> Result<()> {
    let name = sandbox::known_index(Some(name), "")?;
    app.engine().store.pointer(name)?.map(drop).ok_or_else(|| no_index(name))
}

/// Check every byte of an index and name what is damaged
#[utoipa::path(
    post,
    path = "/indexes/{name}/verify",
    tag = "indexes",
    params(("name" = String, Path, description = "Name of the index")),
    request_body(content = Option<Nothing>, description = "May be left out"),
    responses(
        (status = 200, description = "Whether it is whole", body = wire::VerifiedJson, content_type = "application/json"),
        (status = 404, description = "There is no such index", body = ErrorBody),
    )
)]
pub async fn indexes_verify(
    State(app): State<Arc<App>>,
    Part(name): Part,
    Perhaps(Nothing {}): Perhaps<Nothing>,
) -> Result<axum::Json<Value>> {
    let verified = apart(&app, move |app| {
        known(app, &name)?;
        let store = &app.engine().store;
        let problems = index::verify(store, &name)?;
        let mut verified = wire::verified(&name, &problems);
        // Files are named below the data directory, not where that is.
        for (told, problem) in
            verified["damaged"].as_array_mut().into_iter().flatten().zip(&problems)
        {
            let path = problem.path.strip_prefix(store.dir()).unwrap_or(&problem.path);
            told["path"] = path.to_string_lossy().into();
        }
        Ok(verified)
    });
    Ok(axum::Json(verified.await?))
}

/// Go back to the generation before the present one
///
/// The present one stays, to go forward to again.
#[utoipa::path(
    post,
    path = "/indexes/{name}/rollback",
    tag = "indexes",
    params(("name" = String, Path, description = "Name of the index")),
    request_body(content = Option<Nothing>, description = "May be left out"),
    responses(
        (status = 200, description = "The generation", body = wire::RolledBackJson, content_type = "application/json"),
        (status = 404, description = "There is no such index", body = ErrorBody),
    )
)]
pub async fn indexes_rollback(
    State(app): State<Arc<App>>,
    Part(name): Part,
    Perhaps(Nothing {}): Perhaps<Nothing>,
) -> Result<axum::Json<Value>> {
    let meta = apart(&app, move |app| {
        known(app, &name)?;
        let engine = app.engine();
        let _lock = engine.store.lock(Duration::ZERO, &|| engine.interrupted())?;
        if engine.store.pointer(&name)?.is_none_or(|pointer| pointer.previous.is_none()) {
            return Err(Error::conflict("the index has no generation before this one"));
        }
        let meta = engine.store.rollback(&name)?;
        Ok(wire::rolled_back(&name, &meta))
    });
    Ok(axum::Json(meta.await?))
}

/// Which folder
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct FolderQuery {
    /// Its name, as `roots` of GET /indexes has it
    folder: String,
}

/// Take a folder out of an index
///
/// As `rag index remove-folder`: its documents are no longer found, its files are not touched, and
/// a rollback brings it back.
#[utoipa::path(
    delete,
    path = "/indexes/{name}/folders",
    tag = "indexes",
    params(("name" = String, Path, description = "Name of the index"), FolderQuery),
    responses(
        (status = 200, description = "What was removed", body = wire::ChangedJson, content_type = "application/json"),
        (status = 404, description = "There is no such index or folder", body = ErrorBody),
    )
)]
pub async fn folders_remove(
    State(app): State<Arc<App>>,
    Part(name): Part,
    Query(FolderQuery { folder }): Query<FolderQuery>,
) -> Result<axum::Json<Value>> {
    let changed = apart(&app, move |app| {
        known(app, &name)?;
        let mut config = app.engine().config.clone();
        config.index.clone_from(&name);
        let engine = app.engine().with(config);
        let removed = documents::remove_folder(&engine, FolderName::Shown(&folder), WAIT);
        removed.map_err(|fault| match fault.kind() {
            Kind::Usage => Error::not_found("the index has no folder of that name")
                .hint("`roots` of GET /indexes has their names"),
            _ => fault.into(),
        })
    });
    Ok(axum::Json(wire::changed("removed", &changed.await?)))
}
