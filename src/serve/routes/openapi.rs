//! `GET /openapi.json`: the document that the router makes of itself.

use std::sync::Arc;

use axum::Extension;
use axum::http::{HeaderName, header};
use serde_json::{Value, json};
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};

use super::App;
use crate::serve::error::ErrorBody;

/// The document, as text.
#[derive(Clone)]
pub struct Document(pub Arc<str>);

#[derive(OpenApi)]
#[openapi(
    info(title = "rag", description = "Ask questions of your own files, on your own machine"),
    tags(
        (name = "questions", description = "Answers and passages"),
        (name = "ingest", description = "Folders into an index, in the background"),
        (name = "documents", description = "What an index has of its documents"),
        (name = "sessions", description = "Conversations"),
        (name = "indexes", description = "The indexes"),
        (name = "cache", description = "What is kept so as not to be computed again"),
        (name = "openai", description = "The same for clients that speak OpenAI's interface"),
        (name = "mcp", description = "The Model Context Protocol"),
        (name = "health", description = "How the server is"),
        (name = "page", description = "The page for people, and this document"),
    ),
    components(schemas(ErrorBody))
)]
struct Frame;

/// What stands around the routes.
pub fn frame() -> utoipa::openapi::OpenApi {
    let mut frame = Frame::openapi();
    env!("CARGO_PKG_VERSION").clone_into(&mut frame.info.version);
    let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    frame.components.get_or_insert_default().add_security_scheme("token", scheme);
    frame
}

/// Adds to the document what derived schemas cannot say: a field that depends on another one, an
/// array that must hold a certain item, a parameter that the handler misses itself, and the
/// dimension of this server's model.
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
    let question = json!({ "type": "object", "properties": { "role": { "enum": ["user"] } }, "required": ["role"] });
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

/// Describe this interface
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "page",
    responses((status = 200, description = "OpenAPI 3.1", body = Value, content_type = "application/json"))
)]
pub async fn document(
    Extension(document): Extension<Document>,
) -> ([(HeaderName, &'static str); 1], String) {
    ([(header::CONTENT_TYPE, "application/json")], document.0.to_string())
}
