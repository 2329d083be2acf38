//! `GET /metrics`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderName, header};

use super::{App, Error};
use crate::serve::error::Result;
use crate::serve::metrics as server_metrics;

/// Show what the server counts of itself, as Prometheus reads it
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "health",
    responses((status = 200, description = "The counts", body = String, content_type = "text/plain"))
)]
pub async fn metrics(
    State(app): State<Arc<App>>,
) -> Result<([(HeaderName, &'static str); 1], String)> {
    if cfg!(not(feature = "telemetry")) {
        return Err(Error::left_out("telemetry"));
    }
    // The log of jobs is looked at.
    let text = tokio::task::spawn_blocking(move || server_metrics::render(&app))
        .await
        .map_err(|_| Error::internal())?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text))
}
