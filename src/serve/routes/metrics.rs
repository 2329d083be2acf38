//! `/metrics`: the server's metrics for Prometheus, and the most important ones as JSON.

use std::sync::Arc;

use axum::http::{HeaderName, header};

use crate::serve::app::App;
use crate::serve::error::{Error, Result};
use crate::serve::extractors::Call;
use crate::serve::guard::Allowed;
use crate::serve::metrics as server_metrics;
use crate::serve::summary::{self, MetricsHealth, Samples, Summary};

/// Show metrics in the text format of Prometheus
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "health",
    responses((
        status = 200,
        description = "The metrics",
        body = String,
        content_type = "text/plain",
    ))
)]
pub async fn metrics(
    Call { app, allowed, .. }: Call,
) -> Result<([(HeaderName, &'static str); 1], String)> {
    let text = text(&app, &allowed).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text))
}

/// The text of the metrics, for a token of all indexes.
async fn text(app: &Arc<App>, allowed: &Allowed) -> Result<String> {
    allowed.check_all_indexes()?;
    if cfg!(not(feature = "telemetry")) {
        return Err(Error::left_out("telemetry"));
    }
    app.blocking(|app| Ok(server_metrics::render(app))).await
}

/// Show the most important metrics as JSON
#[utoipa::path(
    get,
    path = "/metrics/summary",
    tag = "health",
    responses((status = 200, description = "The metrics since the start", body = Summary))
)]
pub async fn metrics_summary(Call { app, allowed, .. }: Call) -> Result<axum::Json<Summary>> {
    let text = text(&app, &allowed).await?;
    Ok(axum::Json(summary::summary(&Samples::parse(&text), app.uptime().as_secs())))
}

/// Compare the most important metrics with their thresholds
#[utoipa::path(
    get,
    path = "/metrics/health",
    tag = "health",
    responses((
        status = 200,
        description = "The thresholds, and which are exceeded",
        body = MetricsHealth,
    ))
)]
pub async fn metrics_health(Call { app, allowed, .. }: Call) -> Result<axum::Json<MetricsHealth>> {
    let text = text(&app, &allowed).await?;
    Ok(axum::Json(summary::health(&Samples::parse(&text), app.settings().queue)))
}
