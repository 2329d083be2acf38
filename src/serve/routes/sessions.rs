//! `/sessions`: conversations. Knowing the name of a session is enough to continue it; names cannot
//! be guessed.

use std::sync::Arc;

use axum::http::{HeaderName, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::params;
use crate::error::Kind;
use crate::serve::access::Scope;
use crate::serve::app::App;
use crate::serve::body::Json;
use crate::serve::error::{Error, ErrorBody, Result, no_session};
use crate::serve::extractors::{Call, EmptyBody, OptionalJson, PathParam, PathParams, Query};
use crate::serve::guard::Allowed;
use crate::serve::sandbox;
use crate::sessions::Turn;
use crate::wire;

const MAX_TITLE_CHARS: usize = 200;
const MAX_WORDS_CHARS: usize = 1000;

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

/// Selects sessions
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SessionsQuery {
    /// Words that must all occur in the title, the questions or the answers
    #[param(max_length = 1000)]
    words: Option<String>,
}

/// The format of an exported session
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ExportQuery {
    /// jsonl or markdown (default: jsonl)
    #[param(pattern = "^(jsonl|markdown)$")]
    format: Option<String>,
}

/// A title
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TitleBody {
    /// Shown in lists; an empty one removes the title
    #[schema(max_length = 200)]
    title: String,
}

/// A renamed session
#[derive(Serialize, ToSchema)]
pub struct RenamedReply {
    id: String,
    title: String,
}

/// Removed sessions
#[derive(Serialize, ToSchema)]
pub struct RemovedReply {
    /// Number of removed sessions or questions
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
    Call { app, allowed, .. }: Call,
    OptionalJson(EmptyBody {}): OptionalJson<EmptyBody>,
) -> Result<(StatusCode, axum::Json<BegunReply>)> {
    let id = app.blocking(|app| Ok(app.service.new_session()?)).await?;
    let id = App::session_name(&id, allowed.token());
    Ok((StatusCode::CREATED, axum::Json(BegunReply { id })))
}

/// List sessions, the most recently used first
#[utoipa::path(
    get,
    path = "/sessions",
    tag = "sessions",
    params(SessionsQuery),
    responses((status = 200, description = "The sessions", body = SessionsReply))
)]
pub async fn sessions_list(
    Call { app, allowed, .. }: Call,
    Query(SessionsQuery { words }): Query<SessionsQuery>,
) -> Result<axum::Json<SessionsReply>> {
    allowed.check_all_indexes()?;
    let words = words.unwrap_or_default();
    if words.chars().count() > MAX_WORDS_CHARS {
        let what = format!("`words` must have at most {MAX_WORDS_CHARS} characters");
        return Err(Error::usage(what).param("words"));
    }
    let found = app
        .blocking(move |app| Ok(app.engine().sessions()?.search(&words, app.engine().now_s())?));
    let found = found.await?;
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
    Call { app, allowed, .. }: Call,
    PathParam(id): PathParam,
) -> Result<axum::Json<SessionReply>> {
    let turns = turns(&app, &allowed, &id).await?;
    let turns = turns.iter().map(wire::turn).collect();
    Ok(axum::Json(SessionReply { id, turns }))
}

/// Export a session as JSON Lines or Markdown
#[utoipa::path(
    get,
    path = "/sessions/{id}/export",
    tag = "sessions",
    params(("id" = String, Path, description = "The `id` from `POST /sessions`"), ExportQuery),
    responses(
        (
            status = 200,
            description = "One JSON object per question, or a Markdown document",
            content((String = "application/x-ndjson"), (String = "text/markdown")),
        ),
        (status = 404, description = "No such session", body = ErrorBody),
    )
)]
pub async fn sessions_export(
    Call { app, allowed, .. }: Call,
    PathParam(id): PathParam,
    Query(ExportQuery { format }): Query<ExportQuery>,
) -> Result<([(HeaderName, &'static str); 2], String)> {
    let formats = [
        ("jsonl", ("application/x-ndjson", "attachment; filename=\"session.jsonl\"")),
        ("markdown", ("text/markdown; charset=utf-8", "attachment; filename=\"session.md\"")),
    ];
    let named = params::named("format", format.as_deref(), &formats, |(name, _)| name)?;
    let (kind, file) = named.unwrap_or(formats[0]).1;
    let turns = turns(&app, &allowed, &id).await?;
    let text = match kind {
        "application/x-ndjson" => wire::exported(&id, &turns),
        _ => {
            let title = turns.first().map_or("Conversation", |first| &first.question);
            wire::conversation(title, &turns)
        }
    };
    Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, file)], text))
}

/// Rename a session
#[utoipa::path(
    put,
    path = "/sessions/{id}",
    tag = "sessions",
    params(("id" = String, Path, description = "The `id` from `POST /sessions`")),
    request_body = TitleBody,
    responses(
        (status = 200, description = "The session is renamed", body = RenamedReply),
        (status = 404, description = "No such session, or it has no question", body = ErrorBody),
    )
)]
pub async fn sessions_rename(
    Call { app, allowed, .. }: Call,
    PathParam(name): PathParam,
    Json(TitleBody { title }): Json<TitleBody>,
) -> Result<axum::Json<RenamedReply>> {
    if title.chars().count() > MAX_TITLE_CHARS {
        return Err(Error::usage(format!("`title` has at most {MAX_TITLE_CHARS} characters"))
            .param("title"));
    }
    let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
    let id = session_id(&allowed, &name)?;
    let given = title.clone();
    app.blocking(move |app| {
        let renamed = app.engine().sessions()?.rename(&id, &given, app.engine().now_s());
        renamed.map_err(|fault| match fault.kind() {
            Kind::Usage => no_session(),
            _ => fault.into(),
        })
    })
    .await?;
    Ok(axum::Json(RenamedReply { id: name, title }))
}

/// Remove the last question of a session
///
/// The next question is then answered as if it had not been asked. `n` is its number, from 1; a
/// session without questions is removed.
#[utoipa::path(
    delete,
    path = "/sessions/{id}/turns/{n}",
    tag = "sessions",
    params(
        ("id" = String, Path, description = "The `id` from `POST /sessions`"),
        ("n" = u64, Path, description = "Number of the last question"),
    ),
    responses(
        (status = 200, description = "The question is removed", body = RemovedReply),
        (status = 404, description = "No such session, or no such question", body = ErrorBody),
        (status = 409, description = "It is not the last question", body = ErrorBody),
    )
)]
pub async fn turns_remove(
    Call { app, allowed, .. }: Call,
    PathParams((name, n)): PathParams<(String, String)>,
) -> Result<axum::Json<RemovedReply>> {
    let turns = turns(&app, &allowed, &name).await?;
    let id = session_id(&allowed, &name)?;
    let n: usize = n.parse().ok().filter(|n| (1..=turns.len()).contains(n)).ok_or_else(|| {
        Error::not_found("the session has no such question").hint(format!("it has {}", turns.len()))
    })?;
    if n < turns.len() {
        return Err(Error::conflict("only the last question of a session can be removed"));
    }
    app.blocking(move |app| {
        let sessions = app.engine().sessions()?;
        Ok(sessions.remove_last(&id, n as u64, app.engine().now_s())?)
    })
    .await?;
    Ok(axum::Json(RemovedReply { removed: 1 }))
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
    Call { app, allowed, .. }: Call,
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
