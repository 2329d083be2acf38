//! `/cache/*`: cache statistics and purging.

use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, SchemaType, Type};

use crate::cache::{Purge, Table};
use crate::serve::body::Json;
use crate::serve::error::{Error, Result};
use crate::serve::extractors::Call;
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
pub async fn cache_stats(Call { app, allowed, .. }: Call) -> Result<axum::Json<Value>> {
    allowed.check_all_indexes()?;
    let stats = app.blocking(|app| {
        let cache = app.engine().cache();
        let shared = cache.shared_stats();
        Ok(wire::cache_stats(&cache.stats()?, cache.file_bytes(), shared.as_ref()))
    });
    Ok(axum::Json(stats.await?))
}

/// Tables or rows to purge
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PurgeBody {
    /// Not needed beside tags or domains
    #[serde(default)]
    #[schema(schema_with = tables_schema)]
    tables: Option<Vec<String>>,
    #[serde(default)]
    #[schema(schema_with = tags_schema)]
    tags: Vec<String>,
    #[serde(default)]
    #[schema(schema_with = domains_schema)]
    domains: Vec<String>,
}

fn tags_schema() -> RefOr<Schema> {
    let words = "Only rows made from one of these indexes, documents or folders of documents";
    // A name, the root directory, or a folder above.
    texts(r"[^\s./]|^\s*/|\.\.", words)
}

fn domains_schema() -> RefOr<Schema> {
    let words = "Only rows made from web pages of one of these hosts, or of hosts below it";
    texts(r"^[0-9A-Za-z.:\[\]-]*[0-9A-Za-z][0-9A-Za-z.:\[\]-]*$", words)
}

fn texts(pattern: &str, words: &str) -> RefOr<Schema> {
    let text = ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern));
    RefOr::T(ArrayBuilder::new().items(text).description(Some(words)).build().into())
}

fn tables_schema() -> RefOr<Schema> {
    let names = Table::ALL.map(Table::name).into_iter().chain([ALL]);
    let name = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names));
    let words = "embeddings, retrieval, rerank or answers; `all` for every table";
    RefOr::T(
        ArrayBuilder::new()
            .schema_type(SchemaType::from_iter([Type::Array, Type::Null]))
            .items(name)
            .min_items(Some(1))
            .description(Some(words))
            .build()
            .into(),
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
    Call { app, allowed, .. }: Call,
    Json(body): Json<PurgeBody>,
) -> Result<axum::Json<Value>> {
    allowed.check_all_indexes()?;
    let tables = body.tables.map(tables).transpose()?;
    let purge = Purge::new(tables, &body.tags, &body.domains)?;
    let purged = app.blocking(move |app| {
        let cache = app.engine().cache();
        let before = cache.file_bytes();
        let purged = cache.purge_rows(&purge)?;
        Ok(wire::purged(&purged, before.saturating_sub(cache.file_bytes())))
    });
    Ok(axum::Json(purged.await?))
}

fn tables(names: Vec<String>) -> Result<Vec<Table>> {
    if names.is_empty() {
        return Err(Error::usage("`tables` is empty"));
    }
    let (all, named): (Vec<String>, Vec<String>) = names.into_iter().partition(|name| name == ALL);
    // Names beside `all` are checked, too.
    let named = if named.is_empty() { Vec::new() } else { Table::parse_list(&named.join(","))? };
    Ok(if all.is_empty() { named } else { Table::ALL.to_vec() })
}
