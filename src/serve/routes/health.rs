//! `/health`: liveness, readiness and the state of each component.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::llm::{Endpoint, State};
use crate::serve::app::App;
use crate::serve::error::Result;
use crate::serve::guard::Allowed;
use crate::tokens::Indexes;

/// Check that the process is running
#[utoipa::path(
    get,
    path = "/health/live",
    tag = "health",
    responses((status = 200, description = "The process is running"))
)]
pub async fn live() -> axum::Json<Value> {
    axum::Json(json!({ "status": "ok" }))
}

/// Check that the server can answer questions
#[utoipa::path(
    get,
    path = "/health/ready",
    tag = "health",
    responses(
        (status = 200, description = "Ready to answer"),
        (status = 503, description = "Still starting, or shutting down"),
    )
)]
pub async fn ready(extract::State(app): extract::State<Arc<App>>) -> Response {
    match app.service.is_ready() {
        true => axum::Json(json!({ "status": "ok" })).into_response(),
        false => (StatusCode::SERVICE_UNAVAILABLE, axum::Json(json!({ "status": "starting" })))
            .into_response(),
    }
}

/// State of the server
#[derive(Serialize, ToSchema)]
pub struct HealthReply {
    /// ok or degraded
    status: &'static str,
    uptime_s: u64,
    version: &'static str,
    parts: Parts,
}

/// State of each component
#[derive(Serialize, ToSchema)]
struct Parts {
    index: IndexPart,
    cache: Part,
    model: NamedPart,
    language_model: LanguageModelPart,
    /// Those with a name
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(required = false)]
    language_models: BTreeMap<String, LanguageModelPart>,
    shared: EnginePart,
    ledger: EnginePart,
    nearest: EnginePart,
    depot: DepotPart,
}

/// The bucket or folder that has the indexes of several servers
#[derive(Serialize, ToSchema)]
struct DepotPart {
    /// ok, failed or off. While it is failed, answers come from the copies of this server
    status: &'static str,
    /// Seconds since the copies were last compared with it
    #[serde(skip_serializing_if = "Option::is_none")]
    age_s: Option<u64>,
}

/// An engine outside this machine
#[derive(Serialize, ToSchema)]
struct EnginePart {
    /// ok, failed or off. It is failed after requests to it failed, until one succeeds
    status: &'static str,
    /// Milliseconds of its last reply
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_ms: Option<f64>,
    /// Open connections
    #[serde(skip_serializing_if = "Option::is_none")]
    connections: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_connections: Option<usize>,
}

/// The default index; the counts are present when it can be read
#[derive(Default, Serialize, ToSchema)]
struct IndexPart {
    /// ok, absent or failed
    status: &'static str,
    name: String,
    /// Digest of the index contents
    #[serde(skip_serializing_if = "Option::is_none")]
    corpus_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    documents: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chunks: Option<u64>,
    /// Passages without a vector yet
    #[serde(skip_serializing_if = "Option::is_none")]
    vectors_pending: Option<u64>,
}

/// The cache
#[derive(Serialize, ToSchema)]
struct Part {
    /// ok or `read_only`
    status: &'static str,
}

/// The embedding model
#[derive(Serialize, ToSchema)]
struct NamedPart {
    /// ok or failed
    status: &'static str,
    name: String,
}

/// The language model
#[derive(Serialize, ToSchema)]
struct LanguageModelPart {
    /// ok, failed or off. It is failed while the circuit breaker is not closed
    status: &'static str,
    name: String,
    /// State of the circuit breaker: closed (calls pass), open (calls are skipped after repeated
    /// failures) or `half_open` (the next question tries one call)
    breaker: &'static str,
    /// Seconds until an open breaker lets a call pass
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_s: Option<u64>,
}

/// Show the state of the server and its components
#[utoipa::path(
    get,
    path = "/health",
    tag = "health",
    responses((status = 200, description = "State of each component", body = HealthReply))
)]
pub async fn health(
    extract::State(app): extract::State<Arc<App>>,
    Extension(allowed): Extension<Allowed>,
) -> Result<axum::Json<HealthReply>> {
    let uptime_s = app.uptime().as_secs();
    let parts = app.blocking(move |app| Ok(parts(app, &allowed.indexes()))).await?;
    let statuses = [
        parts.index.status,
        parts.cache.status,
        parts.model.status,
        parts.language_model.status,
        parts.shared.status,
        parts.ledger.status,
        parts.nearest.status,
        parts.depot.status,
    ];
    let named = parts.language_models.values().map(|part| part.status);
    let is_ok = statuses.into_iter().chain(named).all(|s| matches!(s, "ok" | "absent" | "off"));
    let status = if is_ok { "ok" } else { "degraded" };
    Ok(axum::Json(HealthReply { status, uptime_s, version: env!("CARGO_PKG_VERSION"), parts }))
}

fn parts(app: &App, indexes: &Indexes) -> Parts {
    let engine = app.engine();
    let config = &engine.config;
    let name = indexes.default_of(&config.index);
    let bare = |status| IndexPart { status, name: name.to_owned(), ..IndexPart::default() };
    let index = match app.service.snapshot(name) {
        Ok(Some(snapshot)) => {
            let meta = snapshot.meta();
            IndexPart {
                corpus_id: Some(meta.corpus_id.clone()),
                documents: Some(meta.counts.documents),
                chunks: Some(meta.counts.chunks),
                vectors_pending: Some(meta.pending),
                ..bare("ok")
            }
        }
        Ok(None) => bare("absent"),
        Err(_) => bare("failed"),
    };
    let cache = Part { status: if engine.cache().is_writable() { "ok" } else { "read_only" } };
    let status = if engine.model(&config.model).is_ok() { "ok" } else { "failed" };
    let model = NamedPart { status, name: config.model.clone() };
    let language_model = language_model_part(app, &config.llm);
    let language_models =
        config.llms.iter().map(|(name, llm)| (name.clone(), language_model_part(app, llm)));
    let language_models = language_models.collect();
    let shared = engine.shared.redis().map(|redis| redis.status());
    let shared = shared.map(|s| engine_part(s.is_closed, s.latency, (s.open, s.most)));
    let ledger = engine.ledger.postgres().map(|postgres| postgres.status());
    let ledger = ledger.map(|s| engine_part(s.is_well, s.latency, (s.open, s.most)));
    let (shared, ledger) = (shared.unwrap_or_default(), ledger.unwrap_or_default());
    let nearest = engine.store.nearest().status();
    let nearest = nearest.map(|s| engine_part(s.is_well, s.latency, (s.open, s.most)));
    Parts {
        index,
        cache,
        model,
        language_model,
        language_models,
        shared,
        ledger,
        nearest: nearest.unwrap_or_default(),
        depot: depot_part(app),
    }
}

fn language_model_part(app: &App, llm: &Endpoint) -> LanguageModelPart {
    let state = app.service.language_model(&llm.name).unwrap_or(State::Closed);
    LanguageModelPart {
        status: match state {
            _ if llm.base_url.is_empty() => "off",
            State::Closed => "ok",
            State::Open(_) | State::HalfOpen => "failed",
        },
        name: llm.model.clone(),
        breaker: state.name(),
        retry_after_s: match state {
            State::Open(left) => Some(left.as_secs_f64().ceil() as u64),
            State::Closed | State::HalfOpen => None,
        },
    }
}

fn depot_part(app: &App) -> DepotPart {
    let engine = app.engine();
    let Some(status) = engine.store.depot_status() else {
        return DepotPart { status: "off", age_s: None };
    };
    let age_s = status.compared_s.map(|time| engine.now_s().saturating_sub(time));
    DepotPart {
        status: if status.failure.is_none() { "ok" } else { "failed" },
        age_s: age_s.and_then(|age_s| u64::try_from(age_s).ok()),
    }
}

impl Default for EnginePart {
    fn default() -> Self {
        Self { status: "off", latency_ms: None, connections: None, max_connections: None }
    }
}

fn engine_part(
    is_well: bool,
    latency: Option<Duration>,
    (open, most): (usize, usize),
) -> EnginePart {
    EnginePart {
        status: if is_well { "ok" } else { "failed" },
        latency_ms: latency.map(|latency| latency.as_secs_f64() * 1e3),
        connections: Some(open),
        max_connections: Some(most),
    }
}
