//! `GET /config`: what a page or another client should know before it asks.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use serde_json::{Value, json};

use super::{App, apart};
use crate::serve::access::Scope;
use crate::serve::beneath::Roots;
use crate::serve::error::Result;
use crate::serve::guard::Allowed;

/// Say what this server offers to whoever asks
///
/// Where things are on the server is told to an administrator alone.
#[utoipa::path(
    get,
    path = "/config",
    tag = "health",
    responses((status = 200, description = "What there is", body = Value, content_type = "application/json"))
)]
pub async fn config(State(app): State<Arc<App>>, Extension(allowed): Extension<Allowed>) -> Result<axum::Json<Value>> {
    let object = apart(&app, move |app| {
        let config = &app.engine().config;
        let roots = Roots::new(&config.serve.roots);
        let mut object = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "index": config.index,
            "indexes": app.engine().store.names()?,
            "model": config.model,
            "generator": config.generator.name(),
            "k": config.search_k,
            "mode": config.search_mode.name(),
            "use_cache": true,
            "auth": { "scope": allowed.scope.name(), "required": !app.is_open() },
            "features": {
                "llm": !config.llm.base_url.is_empty(),
                "roots": roots.labels(),
                "uploads": true,
            },
            "limits": {
                "body_bytes": config.serve.max_body_bytes,
                "document_bytes": config.max_file_bytes,
                "query_timeout_s": config.serve.timeouts.query.as_secs(),
            },
        });
        if allowed.scope == Scope::Admin {
            object["features"]["root_paths"] = json!(roots.places());
        }
        Ok(object)
    });
    Ok(axum::Json(object.await?))
}
