//! `POST /api/embed` and the older `POST /api/embeddings`: vectors of texts.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::names::{is_model, no_model};
use crate::model::EmbeddingRole;
use crate::serve::app::App;
use crate::serve::body::Json;
use crate::serve::error::{Error, OllamaError, Result};
use crate::serve::routes::openai::embeddings;

/// Texts to embed; unknown fields are ignored
#[derive(Debug, Deserialize, ToSchema)]
pub struct EmbedBody {
    /// The embedding model, as in `GET /api/tags`
    model: String,
    /// A text, or up to 2,048 texts
    #[schema(schema_with = embeddings::input_schema)]
    input: Value,
    /// Cut texts beyond the token limit of the model (default: true); otherwise they are refused
    truncate: Option<bool>,
    /// The dimension of the model, or a shorter one if the model has been trained for it
    #[schema(minimum = 1)]
    dimensions: Option<usize>,
}

/// A text to embed; unknown fields are ignored
#[derive(Debug, Deserialize, ToSchema)]
pub struct OldEmbedBody {
    /// The embedding model, as in `GET /api/tags`
    model: String,
    #[schema(min_length = 1)]
    prompt: String,
}

fn check_model(app: &App, model: &str) -> Result<()> {
    if is_model(model, &app.engine().config.model) { Ok(()) } else { Err(no_model(model)) }
}

/// Embed texts, in the form of Ollama's API
#[utoipa::path(
    post,
    path = "/api/embed",
    tag = "ollama",
    request_body = EmbedBody,
    responses(
        (status = 200, description = "The vectors", body = Value),
        (status = 404, description = "No such model", body = OllamaError),
        (status = 504, description = "Timed out", body = OllamaError),
    )
)]
pub async fn embed(
    State(app): State<Arc<App>>,
    Json(body): Json<EmbedBody>,
) -> Result<axum::Json<Value>> {
    let start = Instant::now();
    check_model(&app, &body.model)?;
    let texts = embeddings::texts(body.input)?;
    let is_cut = body.truncate.unwrap_or(true);
    let (role, dimensions) = (EmbeddingRole::Passage, body.dimensions);
    let found = embeddings::embed(&app, texts, role, is_cut, dimensions).await?;
    let vectors: Vec<&[f32]> = found.vectors.iter().map(crate::vector::Vector::as_slice).collect();
    Ok(axum::Json(json!({
        "model": body.model,
        "embeddings": vectors,
        "total_duration": start.elapsed().as_nanos() as u64,
        "load_duration": 0,
        "prompt_eval_count": found.tokens,
    })))
}

/// Embed one text, in the older form of Ollama's API
#[utoipa::path(
    post,
    path = "/api/embeddings",
    tag = "ollama",
    request_body = OldEmbedBody,
    responses(
        (status = 200, description = "The vector", body = Value),
        (status = 404, description = "No such model", body = OllamaError),
        (status = 504, description = "Timed out", body = OllamaError),
    )
)]
pub async fn embed_one(
    State(app): State<Arc<App>>,
    Json(body): Json<OldEmbedBody>,
) -> Result<axum::Json<Value>> {
    check_model(&app, &body.model)?;
    if body.prompt.is_empty() {
        return Err(Error::usage("`prompt` is empty").param("prompt"));
    }
    let role = EmbeddingRole::Passage;
    let found = embeddings::embed(&app, vec![body.prompt], role, true, None).await?;
    let vector = found.vectors.first().map(crate::vector::Vector::as_slice);
    Ok(axum::Json(json!({ "embedding": vector })))
}
