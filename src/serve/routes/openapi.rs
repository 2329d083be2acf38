//! `GET /openapi.json`: the `OpenAPI` document, derived from the router.

use std::sync::Arc;

use axum::Extension;
use axum::http::{HeaderName, header};
use serde_json::{Value, json};
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};

use super::params;
use crate::answer::Intent;
use crate::cache::{Table, WITH_ORIGIN};
use crate::config::Generator;
use crate::model::Prefixes;
use crate::serve::app::App;
use crate::serve::error::{ErrorBody, OllamaError};

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
        (name = "ollama", description = "A subset of Ollama's API, for existing front ends"),
        (name = "mcp", description = "The Model Context Protocol"),
        (name = "health", description = "State, settings and metrics of the server"),
        (name = "page", description = "The web page, and this document"),
    ),
    components(schemas(ErrorBody, OllamaError))
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
    let neither = json!({ "anyOf": [{ "required": ["dir"] }, { "required": ["dirs"] }] });
    let either = json!([
        { "required": ["dir"], "not": { "required": ["dirs"] } },
        { "required": ["dirs"], "not": { "required": ["dir"] } },
        { "required": ["urls"], "not": neither },
    ]);
    merge(&format!("{schemas}/IngestBody"), json!({ "oneOf": either }));
    let question = json!({
        "type": "object",
        "properties": { "role": { "enum": ["user"] } },
        "required": ["role"],
    });
    merge(&format!("{schemas}/ChatBody/properties/messages"), json!({ "contains": question }));
    // Without messages, a model is loaded.
    merge(
        &format!("{schemas}/OllamaChatBody/properties/messages"),
        json!({ "anyOf": [{ "maxItems": 0 }, { "contains": question }] }),
    );
    merge(&format!("{schemas}/PurgeBody"), purge_schema());
    let named = json!([{ "required": ["model"] }, { "required": ["name"] }]);
    merge(&format!("{schemas}/ShowBody"), json!({ "anyOf": named }));
    merge("/paths/~1documents/post/parameters/0", json!({ "required": true }));
    // A document may be empty.
    merge("/paths/~1documents/post/requestBody", json!({ "required": false }));
    let lengths = app.engine().model(&app.engine().config.model).ok().and_then(|model| {
        let whole = model.spec.dimension?;
        match model.spec.prefixes {
            Prefixes::None => Some(vec![whole]),
            Prefixes::Of(mut lengths) => {
                lengths.retain(|n| *n < whole);
                lengths.push(whole);
                Some(lengths)
            }
            Prefixes::Any => None,
        }
    });
    if let Some(lengths) = lengths {
        let all: Vec<Value> = lengths.into_iter().map(Value::from).chain([Value::Null]).collect();
        for body in ["EmbeddingsBody", "EmbedBody"] {
            let place = format!("{schemas}/{body}/properties/dimensions");
            merge(&place, json!({ "enum": all }));
        }
    }
    let generators: Vec<&str> = match app.engine().config.llm.base_url.is_empty() {
        true => vec![Generator::Extractive.name()],
        false => Generator::ALL.iter().map(|generator| generator.name()).collect(),
    };
    let pattern = format!("^({})$", generators.join("|"));
    for body in ["AskBody", "BatchBody"] {
        let place = format!("{schemas}/{body}/properties");
        merge(&format!("{place}/generator"), json!({ "pattern": pattern }));
        merge(&format!("{place}/llm"), json!({ "enum": language_models(app) }));
    }
    let extras = json!({
        "k": {
            "type": ["integer", "null"], "minimum": 1, "maximum": 1000,
            "description": "Passages to retrieve; also as the header X-Rag-K",
        },
        "filter": params::filter_schema(),
        "session": {
            "type": ["string", "null"],
            "description": "The session that the question continues, created by `POST /sessions`; \
                also as the header X-Rag-Session",
        },
        "intent": {
            "type": ["string", "null"],
            "enum": Intent::ALL.iter().map(|intent| Value::from(intent.name()))
                .chain([Value::Null]).collect::<Vec<_>>(),
            "description": "Kind of answer; also as the header X-Rag-Intent",
        },
        "llm": {
            "type": ["string", "null"],
            "enum": language_models(app),
            "description": "Name of the language model to write with; also as the header X-Rag-Llm",
        },
    });
    for body in ["ChatBody", "ResponsesBody", "OllamaChatBody", "GenerateBody"] {
        merge(&format!("{schemas}/{body}/properties"), extras.clone());
    }
}

/// Whole tables, or the rows of tags or domains in tables whose rows have them.
fn purge_schema() -> Value {
    let selectable = WITH_ORIGIN.map(Table::name);
    let tables = json!({ "anyOf": [
        { "type": "null" },
        { "items": { "enum": selectable } },
        { "contains": { "enum": ["all"] } },
    ] });
    let some = json!({ "minItems": 1 });
    json!({ "anyOf": [
        {
            "properties": {
                "tables": { "type": "array" },
                "tags": { "maxItems": 0 },
                "domains": { "maxItems": 0 },
            },
            "required": ["tables"],
        },
        { "properties": { "tables": tables, "tags": some }, "required": ["tags"] },
        { "properties": { "tables": tables, "domains": some }, "required": ["domains"] },
    ] })
}

/// The names that a request may give in `llm`.
fn language_models(app: &App) -> Vec<Value> {
    let names = params::language_models(&app.engine().config);
    names.into_iter().map(Value::from).chain([Value::Null]).collect()
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
