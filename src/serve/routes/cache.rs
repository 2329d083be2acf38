//! `/cache/*`: cache statistics and purging.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, Type};

use crate::cache::Table;
use crate::serve::app::App;
use crate::serve::body::Json;
use crate::serve::error::{Error, Result};
use crate::serve::guard::Allowed;
use crate::wire;

/// The name for every table.
const ALL: &str = "all";

/// Show rows, bytes and hit rates of each cache table
///
/// The reply is that of `rag cache stats --json`.
#[utoipa::path(
    get,
    path = "/cache/stats",
    tag = "cache",
    responses((status = 200, description = "Statistics of each table", body = wire::CacheJson))
)]
pub async fn cache_stats(
    State(app): State<Arc<App>>,
    Extension(allowed): Extension<Allowed>,
) -> Result<axum::Json<Value>> {
    allowed.check_all_indexes()?;
    let stats = app.blocking(|app| {
        let cache = app.engine().cache();
        let shared = cache.shared_stats();
        Ok(wire::cache_stats(&cache.stats()?, cache.file_bytes(), shared.as_ref()))
    });
    Ok(axum::Json(stats.await?))
}

/// Tables to purge
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PurgeBody {
    #[schema(schema_with = tables_schema)]
    tables: Vec<String>,
}

fn tables_schema() -> RefOr<Schema> {
    let names = Table::ALL.map(Table::name).into_iter().chain([ALL]);
    let name = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names));
    let words = "embeddings, retrieval, rerank or answers; `all` for every table";
    RefOr::T(
        ArrayBuilder::new().items(name).min_items(Some(1)).description(Some(words)).build().into(),
    )
}

/// Purge cache tables
///
/// The reply is that of `rag cache purge --json`.
#[utoipa::path(
    post,
    path = "/cache/purge",
    tag = "cache",
    request_body = PurgeBody,
    responses((status = 200, description = "Rows and bytes removed", body = wire::PurgedJson))
)]
pub async fn cache_purge(
    State(app): State<Arc<App>>,
    Extension(allowed): Extension<Allowed>,
    Json(body): Json<PurgeBody>,
) -> Result<axum::Json<Value>> {
    allowed.check_all_indexes()?;
    if body.tables.is_empty() {
        return Err(Error::usage("`tables` is empty"));
    }
    let (all, named): (Vec<String>, Vec<String>) =
        body.tables.into_iter().partition(|name| name == ALL);
    // Names beside `all` are checked, too.
    let named = if named.is_empty() { Vec::new() } else { Table::parse_list(&named.join(","))? };
    let tables = if all.is_empty() { named } else { Table::ALL.to_vec() };
    let purged = app.blocking(move |app| {
        let cache = app.engine().cache();
        let before = cache.file_bytes();
        let purged = cache.purge(&tables)?;
        Ok(wire::purged(&purged, before.saturating_sub(cache.file_bytes())))
    });
    Ok(axum::Json(purged.await?))
}
