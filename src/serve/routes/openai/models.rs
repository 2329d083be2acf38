//! `GET /v1/models`.

use std::sync::Arc;

use axum::extract::State;
use serde_json::{Value, json};

use super::{App, NAME, apart};
use crate::serve::error::Result;

/// List what can be asked
///
/// `rag` answers from the default index, `rag:NAME` from another one; the last one is the model that embeds.
#[utoipa::path(
    get,
    path = "/v1/models",
    tag = "openai",
    responses((status = 200, description = "The models", body = Value, content_type = "application/json"))
)]
pub async fn models(State(app): State<Arc<App>>) -> Result<axum::Json<Value>> {
    let data = apart(&app, |app| {
        let engine = app.engine();
        let created = |index: &str| engine.store.meta(index).map_or(0, |meta| meta.created);
        let model =
            |id: &str, created: i64| json!({ "id": id, "object": "model", "created": created, "owned_by": NAME });
        let mut data = vec![model(NAME, created(&engine.config.index))];
        data.extend(engine.store.names()?.iter().map(|index| model(&format!("{NAME}:{index}"), created(index))));
        data.push(model(&engine.config.model, 0));
        Ok(data)
    });
    Ok(axum::Json(json!({ "object": "list", "data": data.await? })))
}
