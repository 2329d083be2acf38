//! Whether the server lives, whether it can work, and how its parts are.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

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

/// Say how the server and its parts are
#[utoipa::path(
    get,
    path = "/health",
    tag = "health",
    responses((status = 200, description = "The parts", body = Value, content_type = "application/json"))
)]
pub async fn health(State(app): State<Arc<App>>) -> Result<axum::Json<Value>> {
    let uptime_s = app.uptime().as_secs();
    // Files are looked at.
    let parts = tokio::task::spawn_blocking(move || parts(&app)).await.map_err(|_| Error::internal())?;
    let is_well = |part: &Value| matches!(part["status"].as_str(), Some("ok" | "absent" | "off"));
    let status = if parts.as_object().into_iter().flatten().all(|(_, part)| is_well(part)) { "ok" } else { "degraded" };
    let version = env!("CARGO_PKG_VERSION");
    Ok(axum::Json(json!({ "status": status, "uptime_s": uptime_s, "version": version, "parts": parts })))
}

fn parts(app: &App) -> Value {
    let engine = app.engine();
    let config = &engine.config;
    let index = match app.service.snapshot(&config.index) {
        Ok(Some(snapshot)) => {
            let meta = snapshot.meta();
            json!({
                "status": "ok",
                "name": config.index,
                "corpus_id": meta.corpus_id,
                "documents": meta.counts.documents,
                "chunks": meta.counts.chunks,
                "vectors_pending": meta.pending,
            })
        }
        Ok(None) => json!({ "status": "absent", "name": config.index }),
        Err(_) => json!({ "status": "failed", "name": config.index }),
    };
    let cache = if engine.cache().is_writable() { "ok" } else { "read_only" };
    let model = match engine.model(&config.model) {
        Ok(_) => "ok",
        Err(_) => "failed",
    };
    let language_model = if config.llm.base_url.is_empty() { "off" } else { "ok" };
    json!({
        "index": index,
        "cache": { "status": cache },
        "model": { "status": model, "name": config.model },
        "language_model": { "status": language_model, "name": config.llm.model },
    })
}
