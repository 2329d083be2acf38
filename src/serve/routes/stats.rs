//! `GET /stats`: usage statistics.

use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;

use crate::analytics::{self, Report};
use crate::serve::error::{Error, Result};
use crate::serve::extractors::{Call, Query};
use crate::wire;

/// Selects a period
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct StatsQuery {
    /// Length of the period until now, such as 30m, 12h, 7d or 4w (default: everything recorded)
    #[param(pattern = "^[0-9]{1,9}[smhdw]$")]
    since: Option<String>,
}

/// Show questions, latencies and cited documents
///
/// The reply is that of `rag stats --json`.
#[utoipa::path(
    get,
    path = "/stats",
    tag = "health",
    params(StatsQuery),
    responses((status = 200, description = "Usage statistics", body = wire::StatsJson))
)]
pub async fn stats(
    Call { app, allowed, .. }: Call,
    Query(StatsQuery { since }): Query<StatsQuery>,
) -> Result<axum::Json<Value>> {
    let ago = since.as_deref().map(analytics::seconds).transpose();
    let ago = ago.map_err(|why| Error::usage(format!("invalid `since`: {why}")))?;
    let indexes = allowed.indexes();
    let report = app.blocking(move |app| {
        let is_shown = |index: Option<&str>| match index {
            Some(index) => indexes.allows(index),
            // Errors and samples are about all indexes.
            None => indexes.is_all(),
        };
        let engine = app.engine();
        let since_s = ago.map_or(0, |seconds| engine.now_s().saturating_sub(seconds));
        let place = engine.records();
        let report = analytics::report_of(&place, since_s, &is_shown)?;
        Ok(wire::stats(&report.unwrap_or(Report { since_s, ..Report::default() })))
    });
    Ok(axum::Json(report.await?))
}
