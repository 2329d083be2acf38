//! `/cache/*`: counted and emptied.

use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{App, Error, apart};
use crate::cache::Table;
use crate::serve::body::Json;
use crate::serve::error::Result;
use crate::wire;

/// Count rows and bytes of the cache by table
///
/// The reply is that of `rag cache stats --json`.
#[utoipa::path(
    get,
    path = "/cache/stats",
    tag = "cache",
    responses((status = 200, description = "The tables", body = wire::CacheJson, content_type = "application/json"))
)]
pub async fn cache_stats(State(app): State<Arc<App>>) -> Result<axum::Json<Value>> {
    let stats = apart(&app, |app| {
        let cache = app.engine().cache();
        Ok(wire::cache_stats(&cache.stats()?, cache.file_bytes()))
    });
    Ok(axum::Json(stats.await?))
}

/// Tables to empty
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PurgeBody {
    /// embeddings, retrieval, rerank or answers; `all` for every one
    #[schema(min_items = 1)]
    tables: Vec<String>,
}

/// Empty tables of the cache
///
/// The reply is that of `rag cache purge --json`.
#[utoipa::path(
    post,
    path = "/cache/purge",
    tag = "cache",
    request_body = PurgeBody,
    responses((status = 200, description = "What was removed", body = wire::PurgedJson, content_type = "application/json"))
)]
pub async fn cache_purge(State(app): State<Arc<App>>, Json(body): Json<PurgeBody>) -> Result<axum::Json<Value>> {
    if body.tables.is_empty() {
        return Err(Error::usage("`tables` names no table"));
    }
    let tables = Table::parse_list(&body.tables.join(","))?;
    let purged = apart(&app, move |app| {
        let cache = app.engine().cache();
        let before = cache.file_bytes();
        let purged = cache.purge(&tables)?;
        Ok(wire::purged(&purged, before.saturating_sub(cache.file_bytes())))
    });
    Ok(axum::Json(purged.await?))
}
