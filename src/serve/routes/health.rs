//! Whether the server lives, whether it can work, and how its parts are.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{App, Error};
use crate::serve::error::Result;

/// Say that the server lives
#[utoipa::path(get, path = "/health/live", tag = "health", responses((status = 200, description = "It lives")))]
pub async fn live() -> axum::Json<Value> {
    axum::Json(json!({ "status": "ok" }))
}

/// Say whether questions can be answered
#[utoipa::path(
    get,
    path = "/health/ready",
    tag = "health",
    responses((status = 200, description = "They can"), (status = 503, description = "Not yet, or no more"))
)]
pub async fn ready(State(app): State<Arc<App>>) -> Response {
    match app.service.is_ready() {
        true => axum::Json(json!({ "status": "ok" })).into_response(),
        false => (StatusCode::SERVICE_UNAVAILABLE, axum::Json(json!({ "status": "starting" }))).into_response(),
    }
}

/// How the server is
#[derive(Serialize, ToSchema)]
pub struct HealthReply {
    /// ok or degraded
    status: &'static str,
    uptime_s: u64,
    version: &'static str,
    parts: Parts,
}

/// How its parts are
#[derive(Serialize, ToSchema)]
struct Parts {
    index: IndexPart,
    cache: Part,
    model: NamedPart,
    language_model: NamedPart,
}

/// The index
#[derive(Serialize, ToSchema)]
struct IndexPart {
    /// ok, absent or failed
    status: &'static str,
    name: String,
    #[serde(flatten)]
    holds: Option<Holds>,
}

/// What an index holds
#[derive(Serialize, ToSchema)]
struct Holds {
    /// Stands for all that it holds
    corpus_id: String,
    documents: u64,
    chunks: u64,
    /// Vectors that are still to be made
    vectors_pending: u64,
}

/// The cache
#[derive(Serialize, ToSchema)]
struct Part {
    /// ok or `read_only`
    status: &'static str,
}

/// A model
#[derive(Serialize, ToSchema)]
struct NamedPart {
    /// ok, failed or off
    status: &'static str,
    name: String,
}

/// Say how the server and its parts are
#[utoipa::path(
    get,
    path = "/health",
    tag = "health",
    responses((status = 200, description = "The parts", body = HealthReply, content_type = "application/json"))
)]
pub async fn health(State(app): State<Arc<App>>) -> Result<axum::Json<HealthReply>> {
    let uptime_s = app.uptime().as_secs();
    // Files are looked at.
    let parts = tokio::task::spawn_blocking(move || parts(&app)).await.map_err(|_| Error::internal())?;
    let each = [parts.index.status, parts.cache.status, parts.model.status, parts.language_model.status];
    let is_well = each.iter().all(|status| matches!(*status, "ok" | "absent" | "off"));
    let status = if is_well { "ok" } else { "degraded" };
    Ok(axum::Json(HealthReply { status, uptime_s, version: env!("CARGO_PKG_VERSION"), parts }))
}

fn parts(app: &App) -> Parts {
    let engine = app.engine();
    let config = &engine.config;
    let (status, holds) = match app.service.snapshot(&config.index) {
        Ok(Some(snapshot)) => {
            let meta = snapshot.meta();
            let holds = Holds {
                corpus_id: meta.corpus_id.clone(),
                documents: meta.counts.documents,
                chunks: meta.counts.chunks,
                vectors_pending: meta.pending,
            };
            ("ok", Some(holds))
        }
        Ok(None) => ("absent", None),
        Err(_) => ("failed", None),
    };
    let index = IndexPart { status, name: config.index.clone(), holds };
    let cache = Part { status: if engine.cache().is_writable() { "ok" } else { "read_only" } };
    let status = if engine.model(&config.model).is_ok() { "ok" } else { "failed" };
    let model = NamedPart { status, name: config.model.clone() };
    let status = if config.llm.base_url.is_empty() { "off" } else { "ok" };
    let language_model = NamedPart { status, name: config.llm.model.clone() };
    Parts { index, cache, model, language_model }
}
