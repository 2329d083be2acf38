//! `GET /v1/models` and `GET /v1/models/{id}`: indexes and the embedding model, listed as models.

use serde_json::{Value, json};

use super::names::{NAME, no_model};
use crate::serve::app::App;
use crate::serve::error::{ErrorBody, Result};
use crate::serve::extractors::{Call, PathParam};
use crate::tokens::Indexes;

/// List models
///
/// `rag` answers from the default index, `rag:NAME` from the index NAME. Then
/// follow the embedding model and the cross-encoder, if there is one.
#[utoipa::path(
    get,
    path = "/v1/models",
    tag = "openai",
    responses((status = 200, description = "The models", body = Value))
)]
pub async fn models(Call { app, allowed, .. }: Call) -> Result<axum::Json<Value>> {
    let data = app.blocking(move |app| list(app, &allowed.indexes())).await?;
    Ok(axum::Json(json!({ "object": "list", "data": data })))
}

/// Show a model
#[utoipa::path(
    get,
    path = "/v1/models/{id}",
    tag = "openai",
    params(("id" = String, Path, description = "Name of the model, such as rag:default")),
    responses(
        (status = 200, description = "The model", body = Value),
        (status = 404, description = "No such model", body = ErrorBody),
    )
)]
pub async fn model(
    Call { app, allowed, .. }: Call,
    PathParam(id): PathParam,
) -> Result<axum::Json<Value>> {
    let all = app.blocking(move |app| list(app, &allowed.indexes())).await?;
    let found = all.into_iter().find(|model| model["id"] == *id);
    found.map(axum::Json).ok_or_else(|| no_model(&id))
}

fn list(app: &App, indexes: &Indexes) -> Result<Vec<Value>> {
    let engine = app.engine();
    let created = |index: &str| engine.store.meta(index).map_or(0, |meta| meta.created);
    let mut models = vec![model_json(NAME, created(indexes.default_of(&engine.config.index)))];
    for index in engine.store.names()?.into_iter().filter(|name| indexes.allows(name)) {
        models.push(model_json(&format!("{NAME}:{index}"), created(&index)));
    }
    models.push(model_json(&engine.config.model, 0));
    if !engine.config.rerank_model.is_empty() {
        models.push(model_json(&engine.config.rerank_model, 0));
    }
    Ok(models)
}

fn model_json(id: &str, created: i64) -> Value {
    json!({ "id": id, "object": "model", "created": created, "owned_by": NAME })
}
