//! `GET /v1/models` and `GET /v1/models/{id}`.

use std::sync::Arc;

use axum::extract::State;
use serde_json::{Value, json};

use super::{App, NAME, apart, no_model};
use crate::serve::error::{ErrorBody, Result};
use crate::serve::extractors::Part;

/// List what can be asked
///
/// `rag` answers from the default index, `rag:NAME` from another one; the last one is the model
/// that embeds.
#[utoipa::path(
    get,
    path = "/v1/models",
    tag = "openai",
    responses((status = 200, description = "The models", body = Value, content_type = "application/json"))
)]
pub async fn models(State(app): State<Arc<App>>) -> Result<axum::Json<Value>> {
    let data = apart(&app, all).await?;
    Ok(axum::Json(json!({ "object": "list", "data": data })))
}

/// Show one of what can be asked
#[utoipa::path(
    get,
    path = "/v1/models/{id}",
    tag = "openai",
    params(("id" = String, Path, description = "Such as rag:default")),
    responses(
        (status = 200, description = "The model", body = Value, content_type = "application/json"),
        (status = 404, description = "There is no such model", body = ErrorBody),
    )
)]
pub async fn model(State(app): State<Arc<App>>, Part(id): Part) -> Result<axum::Json<Value>> {
    let found = apart(&app, all).await?.into_iter().find(|model| model["id"] == *id);
    found.map(axum::Json).ok_or_else(|| no_model(&id))
}

fn all(app: &App) -> Result<Vec<Value>> {
    let engine = app.engine();
    let created = |index: &str| engine.store.meta(index).map_or(0, |meta| meta.created);
    let model = |id: &str, created: i64| json!({ "id": id, "object": "model", "created": created, "owned_by": NAME });
    let mut models = vec![model(NAME, created(&engine.config.index))];
    models.extend(
        engine.store.names()?.iter().map(|index| model(&format!("{NAME}:{index}"), created(index))),
    );
    models.push(model(&engine.config.model, 0));
    Ok(models)
}
