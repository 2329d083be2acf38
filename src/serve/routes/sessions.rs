//! `/sessions`: conversations. Whoever knows the name of one may go on with it; nobody can guess
//! it.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{App, Error, apart};
use crate::error::Kind;
use crate::serve::access::Scope;
use crate::serve::error::{ErrorBody, Result};
use crate::serve::extractors::{Part, Perhaps};
use crate::serve::guard::Allowed;
use crate::serve::sandbox;
use crate::sessions::Turn;
use crate::wire;

/// Nothing
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// A conversation that was begun
#[derive(Serialize, ToSchema)]
pub struct BegunReply {
    id: String,
}

/// Conversations
#[derive(Serialize, ToSchema)]
pub struct SessionsReply {
    #[schema(value_type = Vec<wire::SessionJson>)]
    sessions: Vec<Value>,
}

/// A conversation
#[derive(Serialize, ToSchema)]
pub struct SessionReply {
    id: String,
    #[schema(value_type = Vec<wire::TurnJson>)]
    turns: Vec<Value>,
}

/// Conversations that are gone
#[derive(Serialize, ToSchema)]
pub struct RemovedReply {
    /// How many
    removed: u64,
}

/// The conversation of a name that a client gives. With tokens, a name carries whose it is, and is
/// nobody else's.
///
/// # Errors
/// The same for one that does not exist, one that is somebody else's, and what is no name.
pub fn own(app: &App, allowed: Allowed, name: &str) -> Result<String> {
    // An administrator is shown the names as they are kept.
    if sandbox::is_id(name) && allowed.scope == Scope::Admin {
        return Ok(name.to_owned());
    }
    let id = name
        .get(..32)
        .filter(|id| sandbox::is_id(id) && *name == app.session_name(id, allowed.holder));
    id.map(str::to_owned).ok_or_else(no_session)
}

pub fn no_session() -> Error {
    Error::not_found("there is no such session").hint("POST /sessions makes one")
}

/// Begin a conversation
///
/// Its `id` goes into `session` of a question. It is kept from the first question on, and forgotten
/// a day after the last one.
#[utoipa::path(
    post,
    path = "/sessions",
    tag = "sessions",
    request_body(content = Option<Nothing>, description = "May be left out"),
    responses((status = 201, description = "Its id", body = BegunReply, content_type = "application/json"))
)]
pub async fn sessions_begin(
    State(app): State<Arc<App>>,
    Extension(allowed): Extension<Allowed>,
    Perhaps(Nothing {}): Perhaps<Nothing>,
) -> Result<(StatusCode, axum::Json<BegunReply>)> {
    let id = app.service.new_session()?;
    Ok((StatusCode::CREATED, axum::Json(BegunReply { id: app.session_name(&id, allowed.holder) })))
}

/// List the conversations, the last used first
#[utoipa::path(
    get,
    path = "/sessions",
    tag = "sessions",
    responses((status = 200, description = "The conversations", body = SessionsReply, content_type = "application/json"))
)]
pub async fn sessions_list(State(app): State<Arc<App>>) -> Result<axum::Json<SessionsReply>> {
    let found = apart(&app, |app| Ok(app.engine().sessions()?.list(app.engine().now_s())?)).await?;
    Ok(axum::Json(SessionsReply { sessions: found.iter().map(wire::session).collect() }))
}

/// The turns of a conversation; none of one in which nothing was asked yet.
async fn turns(app: &Arc<App>, allowed: Allowed, name: &str) -> Result<Vec<Turn>> {
    let id = own(app, allowed, name)?;
    apart(app, move |app| match app.engine().sessions()?.show(&id, app.engine().now_s()) {
        Err(fault) if fault.kind() == Kind::Usage && app.service.is_new_session(&id) => {
            Ok(Vec::new())
        }
        Err(fault) if fault.kind() == Kind::Usage => Err(no_session()),
        turns => Ok(turns?),
    })
    .await
}

/// Show a conversation
#[utoipa::path(
    get,
    path = "/sessions/{id}",
    tag = "sessions",
    params(("id" = String, Path, description = "What `POST /sessions` gave")),
    responses(
        (status = 200, description = "Its questions and answers", body = SessionReply, content_type = "application/json"),
        (status = 404, description = "There is no such session", body = ErrorBody),
    )
)]
pub async fn sessions_show(
    State(app): State<Arc<App>>,
    Extension(allowed): Extension<Allowed>,
    Part(id): Part,
) -> Result<axum::Json<SessionReply>> {
    let turns = turns(&app, allowed, &id).await?;
    let turns = turns.iter().map(wire::turn).collect();
    Ok(axum::Json(SessionReply { id, turns }))
}

/// Export a conversation, a JSON object a line
#[utoipa::path(
    get,
    path = "/sessions/{id}/export",
    tag = "sessions",
    params(("id" = String, Path, description = "What `POST /sessions` gave")),
    responses(
        (status = 200, description = "The lines", body = String, content_type = "application/x-ndjson"),
        (status = 404, description = "There is no such session", body = ErrorBody),
    )
)]
pub async fn sessions_export(
    State(app): State<Arc<App>>,
    Extension(allowed): Extension<Allowed>,
    Part(id): Part,
) -> Result<([(HeaderName, &'static str); 2], String)> {
    let lines = wire::exported(&id, &turns(&app, allowed, &id).await?);
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"session.jsonl\""),
    ];
    Ok((headers, lines))
}

/// Remove a conversation
#[utoipa::path(
    delete,
    path = "/sessions/{id}",
    tag = "sessions",
    params(("id" = String, Path, description = "What `POST /sessions` gave")),
    responses(
        (status = 200, description = "It is gone", body = RemovedReply, content_type = "application/json"),
        (status = 404, description = "There is no such session", body = ErrorBody),
    )
)]
pub async fn sessions_remove(
    State(app): State<Arc<App>>,
    Extension(allowed): Extension<Allowed>,
    Part(id): Part,
) -> Result<axum::Json<RemovedReply>> {
    let id = own(&app, allowed, &id)?;
    let removed = apart(&app, move |app| {
        let was_new = app.service.forget_session(&id);
        match app.engine().sessions()?.remove(&[id]) {
            Err(fault) if fault.kind() == Kind::Usage && was_new => Ok(1),
            Err(fault) if fault.kind() == Kind::Usage => Err(no_session()),
            removed => Ok(removed?),
        }
    })
    .await?;
    Ok(axum::Json(RemovedReply { removed }))
}
