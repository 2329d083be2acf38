//! `GET /openapi.json`: the document that the router makes of itself.

use std::sync::Arc;

use axum::Extension;
use axum::http::{HeaderName, header};
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};

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

/// Describe this interface
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "page",
    responses((status = 200, description = "OpenAPI 3.1", body = Value, content_type = "application/json"))
)]
pub async fn document(Extension(document): Extension<Document>) -> ([(HeaderName, &'static str); 1], String) {
    ([(header::CONTENT_TYPE, "application/json")], document.0.to_string())
}
