//! `/mcp`: the same tools as `rag mcp`, over HTTP. Every request stands by itself: there are no sessions to be kept.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;

use super::App;

/// Send a message of the Model Context Protocol
///
/// The tools only read; folders are ingested by `POST /ingest/start`.
#[utoipa::path(
    post,
    path = "/mcp",
    tag = "mcp",
    request_body(content = Value, content_type = "application/json"),
    responses(
        (status = 200, description = "The reply", body = Value, content_type = "application/json"),
        (status = 202, description = "A notification was taken"),
        (status = 400, description = "No message of the protocol"),
        (status = 406, description = "The client must accept application/json and text/event-stream"),
    )
)]
pub async fn mcp(State(app): State<Arc<App>>, request: Request) -> Response {
    app.mcp.handle(request).await.map(Body::new)
}
