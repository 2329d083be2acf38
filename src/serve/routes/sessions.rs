//! `/sessions`: conversations. Knowing the name of a session is enough to continue it; names cannot
//! be guessed.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::error::Kind;
use crate::serve::access::Scope;
use crate::serve::app::App;
use crate::serve::error::{ErrorBody, Result, no_session};
use crate::serve::extractors::{EmptyBody, OptionalJson, PathParam};
use crate::serve::guard::Allowed;
use crate::serve::sandbox;
use crate::sessions::Turn;
use crate::wire;

/// A new session
#[derive(Serialize, ToSchema)]
pub struct BegunReply {
    /// Goes into `session` of a question
    id: String,
}

/// Sessions
#[derive(Serialize, ToSchema)]
pub struct SessionsReply {
    #[schema(value_type = Vec<wire::SessionJson>)]
    sessions: Vec<Value>,
}

/// A session
#[derive(Serialize, ToSchema)]
pub struct SessionReply {
    id: String,
    #[schema(value_type = Vec<wire::TurnJson>)]
    turns: Vec<Value>,
}

/// Removed sessions
#[derive(Serialize, ToSchema)]
pub struct RemovedReply {
    /// Number of removed sessions
    removed: u64,
}

/// The id of the session with this public name. Where the server has tokens, a name is valid with
/// the token that created it only.
///
/// # Errors
/// The same for an unknown session, a session of another token, and a malformed name.
pub fn session_id(allowed: &Allowed, name: &str) -> Result<String> {
    // `GET /sessions` shows bare ids to the scope admin.
    if sandbox::is_id(name) && allowed.scope == Scope::Admin && allowed.indexes().is_all() {
        return Ok(name.to_owned());
    }
    let is_own = |id: &&str| sandbox::is_id(id) && *name == App::session_name(id, allowed.token());
    name.get(..32).filter(is_own).map(str::to_owned).ok_or_else(no_session)
}

/// Create a session
///
/// Put its `id` into `session` of a question. It is stored with the first question, and removed a
/// day after the last one.
#[utoipa::path(
    post,
    path = "/sessions",
    tag = "sessions",
    request_body(content = Option<EmptyBody>, description = "Optional"),
    responses((status = 201, description = "The new session", body = BegunReply))
)]
pub async fn sessions_begin(
    State(app): State<Arc<App>>,
    Extension(allowed): Extension<Allowed>,
    OptionalJson(EmptyBody {}): OptionalJson<EmptyBody>,
) -> Result<(StatusCode, axum::Json<BegunReply>)> {
    let id = app.service.new_session()?;
    let id = App::session_name(&id, allowed.token());
    Ok((StatusCode::CREATED, axum::Json(BegunReply { id })))
}

/// List sessions, the most recently used first
#[utoipa::path(
    get,
    path = "/sessions",
    tag = "sessions",
    responses((status = 200, description = "The sessions", body = SessionsReply))
)]
pub async fn sessions_list(
    State(app): State<Arc<App>>,
    Extension(allowed): Extension<Allowed>,
) -> Result<axum::Json<SessionsReply>> {
    allowed.check_all_indexes()?;
    let found =
        app.blocking(|app| Ok(app.engine().sessions()?.list(app.engine().now_s())?)).await?;
    Ok(axum::Json(SessionsReply { sessions: found.iter().map(wire::session).collect() }))
}

/// The turns of a session; empty before its first question.
async fn turns(app: &Arc<App>, allowed: &Allowed, name: &str) -> Result<Vec<Turn>> {
    let id = session_id(allowed, name)?;
    app.blocking(move |app| match app.engine().sessions()?.show(&id, app.engine().now_s()) {
        Err(fault) if fault.kind() == Kind::Usage => match app.service.is_new_session(&id) {
            true => Ok(Vec::new()),
            false => Err(no_session()),
        },
        turns => Ok(turns?),
    })
    .await
}

/// Show a session
#[utoipa::path(
    get,
    path = "/sessions/{id}",
    tag = "sessions",
    params(("id" = String, Path, description = "The `id` from `POST /sessions`")),
    responses(
        (status = 200, description = "Its questions and answers", body = SessionReply),
        (status = 404, description = "No such session", body = ErrorBody),
    )
)]
pub async fn sessions_show(
    State(app): State<Arc<App>>,
    Extension(allowed): Extension<Allowed>,
    PathParam(id): PathParam,
) -> Result<axum::Json<SessionReply>> {
    let turns = turns(&app, &allowed, &id).await?;
    let turns = turns.iter().map(wire::turn).collect();
    Ok(axum::Json(SessionReply { id, turns }))
}

/// Export a session as JSON Lines
#[utoipa::path(
    get,
    path = "/sessions/{id}/export",
    tag = "sessions",
    params(("id" = String, Path, description = "The `id` from `POST /sessions`")),
    responses(
        (
            status = 200,
            description = "One JSON object per question",
            body = String,
            content_type = "application/x-ndjson",
        ),
        (status = 404, description = "No such session", body = ErrorBody),
    )
)]
pub async fn sessions_export(
    State(app): State<Arc<App>>,
    Extension(allowed): Extension<Allowed>,
    PathParam(id): PathParam,
) -> Result<([(HeaderName, &'static str); 2], String)> {
    let lines = wire::exported(&id, &turns(&app, &allowed, &id).await?);
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"session.jsonl\""),
    ];
    Ok((headers, lines))
}

/// Remove a session
#[utoipa::path(
    delete,
    path = "/sessions/{id}",
    tag = "sessions",
    params(("id" = String, Path, description = "The `id` from `POST /sessions`")),
    responses(
        (status = 200, description = "The session is removed", body = RemovedReply),
        (status = 404, description = "No such session", body = ErrorBody),
    )
)]
pub async fn sessions_remove(
    State(app): State<Arc<App>>,
    Extension(allowed): Extension<Allowed>,
    PathParam(id): PathParam,
) -> Result<axum::Json<RemovedReply>> {
    let id = session_id(&allowed, &id)?;
    let removed = app
        .blocking(move |app| {
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
