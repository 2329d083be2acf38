//! `GET /metrics`: the server's metrics for Prometheus.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderName, header};

use crate::serve::app::App;
use crate::serve::error::{Error, Result};
use crate::serve::guard::Allowed;
use crate::serve::metrics as server_metrics;

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
    State(app): State<Arc<App>>,
    Extension(allowed): Extension<Allowed>,
) -> Result<([(HeaderName, &'static str); 1], String)> {
    allowed.check_all_indexes()?;
    if cfg!(not(feature = "telemetry")) {
        return Err(Error::left_out("telemetry"));
    }
    let text = app.blocking(|app| Ok(server_metrics::render(app))).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text))
}
