//! `/api/tags`, `/api/ps`, `/api/show` and `/api/version`: indexes and the embedding model, listed
//! as models.

use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::names::{index_of, is_model, no_model, tagged, timestamp};
use crate::disk;
use crate::serve::app::App;
use crate::serve::body::Json;
use crate::serve::error::{Error, OllamaError, Result};
use crate::serve::extractors::Call;
use crate::serve::routes::openai::names::NAME;
use crate::serve::sandbox;
use crate::tokens::Indexes;

/// The version of Ollama whose API is followed. Clients refuse versions that lack what they need.
const VERSION: &str = "0.12.6";

/// Show the version of Ollama whose API is followed
#[utoipa::path(
    get,
    path = "/api/version",
    tag = "ollama",
    responses((status = 200, description = "The version", body = Value))
)]
pub async fn version() -> axum::Json<Value> {
    axum::Json(json!({ "version": VERSION, "rag": env!("CARGO_PKG_VERSION") }))
}

/// List models, in the form of Ollama's API
///
/// `rag:latest` answers from the default index, `rag:NAME` from the index NAME. The last one is the
/// embedding model.
#[utoipa::path(
    get,
    path = "/api/tags",
    tag = "ollama",
    responses((status = 200, description = "The models", body = Value))
)]
pub async fn tags(Call { app, allowed, .. }: Call) -> Result<axum::Json<Value>> {
    let models = app.blocking(move |app| list(app, &allowed.indexes())).await?;
    Ok(axum::Json(json!({ "models": models })))
}

/// List the models that are loaded: all of them
#[utoipa::path(
    get,
    path = "/api/ps",
    tag = "ollama",
    responses((status = 200, description = "The models", body = Value))
)]
pub async fn running(Call { app, allowed, .. }: Call) -> Result<axum::Json<Value>> {
    let mut models = app.blocking(move |app| list(app, &allowed.indexes())).await?;
    let far = timestamp(app.engine().now_s().saturating_add(365 * 86_400));
    for model in &mut models {
        model["expires_at"] = far.as_str().into();
        model["size_vram"] = 0.into();
    }
    Ok(axum::Json(json!({ "models": models })))
}

/// Selects a model
#[derive(Debug, Deserialize, ToSchema)]
pub struct ShowBody {
    /// The name, as in `GET /api/tags`
    #[schema(nullable = false)]
    model: Option<String>,
    /// Older name of `model`
    #[schema(nullable = false)]
    name: Option<String>,
}

/// Show a model, in the form of Ollama's API
#[utoipa::path(
    post,
    path = "/api/show",
    tag = "ollama",
    request_body = ShowBody,
    responses(
        (status = 200, description = "The model", body = Value),
        (status = 404, description = "No such model", body = OllamaError),
    )
)]
pub async fn show(
    Call { app, allowed, .. }: Call,
    Json(body): Json<ShowBody>,
) -> Result<axum::Json<Value>> {
    let name = body.model.or(body.name);
    let name = name.ok_or_else(|| Error::usage("`model` is missing").param("model"))?;
    let shown = app.blocking(move |app| {
        let config = &app.engine().config;
        if is_model(&name, &config.model) {
            let files = app.engine().model(&config.model)?;
            let (spec, model) = (files.spec, embedding_model(app));
            let info = json!({
                "general.architecture": "bert",
                "bert.context_length": spec.max_tokens,
                "bert.embedding_length": spec.dimension,
            });
            return Ok(details(&model, &info, "embedding"));
        }
        let index = index_of(app, &allowed, &name)?;
        let index = sandbox::known_index(Some(&index), "")?;
        if app.engine().store.pointer(index)?.is_none() {
            return Err(no_model(&name));
        }
        let info = json!({
            "general.architecture": NAME,
            "rag.context_length": config.llm.evidence_tokens,
        });
        Ok(details(&index_model(app, &name, index), &info, "completion"))
    });
    Ok(axum::Json(shown.await?))
}

fn details(model: &Value, info: &Value, capability: &str) -> Value {
    json!({
        "modelfile": "",
        "parameters": "",
        "template": "",
        "details": model["details"],
        "model_info": info,
        "capabilities": [capability],
        "modified_at": model["modified_at"],
    })
}

fn list(app: &App, indexes: &Indexes) -> Result<Vec<Value>> {
    let engine = app.engine();
    let mut models =
        vec![index_model(app, &tagged(NAME), indexes.default_of(&engine.config.index))];
    for index in engine.store.names()?.into_iter().filter(|name| indexes.allows(name)) {
        models.push(index_model(app, &format!("{NAME}:{index}"), &index));
    }
    models.push(embedding_model(app));
    Ok(models)
}

/// The entry of an index.
fn index_model(app: &App, name: &str, index: &str) -> Value {
    let meta = app.engine().store.meta(index).ok();
    let created = meta.as_ref().map_or(0, |meta| meta.created);
    let size = meta.as_ref().map_or(0, |meta| meta.files.values().map(|file| file.bytes).sum());
    let digest = meta.map(|meta| meta.corpus_id).unwrap_or_default();
    entry(name, created, size, &digest)
}

fn embedding_model(app: &App) -> Value {
    let engine = app.engine();
    let fingerprint = engine.model(&engine.config.model).map(|files| files.fingerprint);
    entry(&tagged(&engine.config.model), 0, 0, &fingerprint.unwrap_or_default())
}

fn entry(name: &str, created: i64, size: u64, content: &str) -> Value {
    json!({
        "name": name,
        "model": name,
        "modified_at": timestamp(created),
        "size": size,
        "digest": disk::sha256_hex(format!("{name} {content}").as_bytes()),
        "details": {
            "parent_model": "",
            "format": NAME,
            "family": NAME,
            "families": [NAME],
            "parameter_size": "",
            "quantization_level": "",
        },
    })
}
