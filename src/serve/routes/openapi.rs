//! `GET /openapi.json`: the `OpenAPI` document, derived from the router.

use std::sync::Arc;

use axum::Extension;
use axum::http::{HeaderName, header};
use serde_json::{Value, json};
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};

use crate::serve::app::App;
use crate::serve::error::ErrorBody;

/// The `OpenAPI` document as JSON text.
#[derive(Clone)]
pub struct Document(pub Arc<str>);

#[derive(OpenApi)]
#[openapi(
    info(title = "rag", description = "Search your own files, and get answers with citations"),
    tags(
        (name = "questions", description = "Answers and passages"),
        (name = "ingest", description = "Background jobs that add folders to an index"),
        (name = "documents", description = "Documents of an index"),
        (name = "sessions", description = "Conversations"),
        (name = "indexes", description = "Indexes and their generations"),
        (name = "cache", description = "Cached vectors, rankings and answers"),
        (name = "openai", description = "A subset of OpenAI's API, for existing clients"),
        (name = "mcp", description = "The Model Context Protocol"),
        (name = "health", description = "State, settings and metrics of the server"),
        (name = "page", description = "The web page, and this document"),
    ),
    components(schemas(ErrorBody))
)]
struct Frame;

/// The document without its routes.
pub fn frame() -> utoipa::openapi::OpenApi {
    let mut frame = Frame::openapi();
    env!("CARGO_PKG_VERSION").clone_into(&mut frame.info.version);
    let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    frame.components.get_or_insert_default().add_security_scheme("token", scheme);
    frame
}

/// Adds constraints that derived schemas cannot express: fields that exclude each other, an array
/// that must contain a certain item, a parameter that the handler checks itself, and the dimension
/// of this server's model.
pub fn constrain(document: &mut Value, app: &App) {
    let mut merge = |pointer: &str, more: Value| {
        let Some(Value::Object(schema)) = document.pointer_mut(pointer) else { return };
        schema.extend(more.as_object().cloned().unwrap_or_default());
    };
    let schemas = "/components/schemas";
    let either = json!([
        { "required": ["dir"], "not": { "required": ["dirs"] } },
        { "required": ["dirs"], "not": { "required": ["dir"] } },
    ]);
    merge(&format!("{schemas}/IngestBody"), json!({ "oneOf": either }));
    let question = json!({
        "type": "object",
        "properties": { "role": { "enum": ["user"] } },
        "required": ["role"],
    });
    merge(&format!("{schemas}/ChatBody/properties/messages"), json!({ "contains": question }));
    merge("/paths/~1documents/post/parameters/0", json!({ "required": true }));
    // A document may be empty.
    merge("/paths/~1documents/post/requestBody", json!({ "required": false }));
    let engine = app.engine();
    if let Some(dimension) =
        engine.model(&engine.config.model).ok().and_then(|model| model.spec.dimension)
    {
        merge(
            &format!("{schemas}/EmbeddingsBody/properties/dimensions"),
            json!({ "enum": [dimension, null] }),
        );
    }
}

/// Show the `OpenAPI` document
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "page",
    responses((status = 200, description = "OpenAPI 3.1", body = Value))
)]
pub async fn document(
    Extension(document): Extension<Document>,
) -> ([(HeaderName, &'static str); 1], String) {
    ([(header::CONTENT_TYPE, "application/json")], document.0.to_string())
}
