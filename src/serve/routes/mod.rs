//! The routes. Each file has the handlers of one resource and their `OpenAPI` descriptions; [`all`]
//! lists them with their scopes. To add a route, add a file and a line in `all`. No file imports
//! this one.

mod ask;
mod batch;
mod cache;
mod config;
mod documents;
mod feedback;
mod health;
mod indexes;
mod ingest;
#[cfg_attr(not(feature = "mcp"), path = "mcp_left_out.rs")]
mod mcp;
mod metrics;
mod ndjson;
mod ollama;
mod openai;
mod openapi;
mod originals;
mod page;
mod params;
mod search;
mod sessions;
mod socket;
mod sse;
mod stats;
mod uploads;

use std::sync::Arc;

use axum::Router;
use axum::http::Uri;
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::IntoResponse as _;
use serde_json::Value;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use utoipa_axum::routes;

use super::access::Scope;
use super::app::App;
use super::error::Error;
use super::guard::{self, BodyKind};

/// Every route, with the required scope and the kind of its body.
fn all(routes: Routes) -> Routes {
    use BodyKind::{Any, Json, JsonOrUntyped};
    use Scope::{Admin, Open, Read, Write};
    routes
        .add(Read, Json, routes!(ask::ask))
        .add(Read, Json, routes!(batch::ask_batch))
        .add(Read, Json, routes!(search::search))
        .add(Read, Json, routes!(feedback::feedback))
        .add(Admin, Json, routes!(feedback::feedback_export))
        .add(Read, Json, routes!(socket::socket))
        .add(Write, Json, routes!(ingest::ingest_start))
        .add(Read, Json, routes!(ingest::ingest_status))
        .add(Read, Json, routes!(ingest::ingest_list))
        .add(Read, Json, routes!(ingest::ingest_events))
        .add(Write, Json, routes!(ingest::ingest_cancel))
        .add(Read, Json, routes!(documents::documents_list))
        .add(Read, Json, routes!(documents::documents_content))
        .add(Read, Json, routes!(originals::documents_original))
        .add(Read, Json, routes!(documents::documents_removed))
        .add(Write, Json, routes!(documents::documents_restore))
        .add(Write, Any, routes!(uploads::documents_upload))
        .add(Write, Json, routes!(uploads::documents_text))
        .add(Write, Json, routes!(documents::documents_remove))
        .add(Read, Json, routes!(cache::cache_stats))
        .add(Admin, Json, routes!(cache::cache_purge))
        .add(Read, Json, routes!(sessions::sessions_begin))
        .add(Admin, Json, routes!(sessions::sessions_list))
        .add(Read, Json, routes!(sessions::sessions_show))
        .add(Read, Json, routes!(sessions::sessions_export))
        .add(Read, Json, routes!(sessions::sessions_rename))
        .add(Read, Json, routes!(sessions::sessions_remove))
        .add(Read, Json, routes!(sessions::turns_remove))
        .add(Read, Json, routes!(indexes::indexes_list))
        .add(Admin, Json, routes!(indexes::indexes_verify))
        .add(Admin, Json, routes!(indexes::indexes_rollback))
        .add(Write, Json, routes!(indexes::folders_remove))
        .add(Read, Json, routes!(indexes::suggestions))
        .add(Read, Json, routes!(config::config))
        .add(Admin, Json, routes!(stats::stats))
        .add(Read, Json, routes!(openai::chat::chat_completions))
        .add(Read, Json, routes!(openai::responses::responses))
        .add(Read, Json, routes!(openai::embeddings::embeddings))
        .add(Read, Json, routes!(openai::rerank::rerank))
        .add_alias(Read, Json, "/v2/rerank", routes!(openai::rerank::rerank))
        .add(Read, Json, routes!(openai::models::models))
        .add(Read, Json, routes!(openai::models::model))
        .add(Read, JsonOrUntyped, routes!(ollama::chat::chat))
        .add(Read, JsonOrUntyped, routes!(ollama::chat::generate))
        .add(Read, JsonOrUntyped, routes!(ollama::embed::embed))
        .add(Read, JsonOrUntyped, routes!(ollama::embed::embed_one))
        .add(Read, Json, routes!(ollama::models::tags))
        .add(Read, Json, routes!(ollama::models::running))
        .add(Read, JsonOrUntyped, routes!(ollama::models::show))
        .add(Read, Json, routes!(ollama::models::version))
        .add(Read, Json, routes!(health::health))
        .add(Open, Json, routes!(health::live))
        .add(Open, Json, routes!(health::ready))
        .add(Read, Json, routes!(openapi::document))
        .add(Read, Json, routes!(metrics::metrics))
        .add(Read, Json, routes!(metrics::metrics_summary))
        .add(Read, Json, routes!(metrics::metrics_health))
        .add(Read, Json, routes!(mcp::mcp))
        .add_alias(Read, Json, "/mcp/", routes!(mcp::mcp))
        .add(Open, Json, routes!(page::page))
        .add(Open, Json, routes!(page::docs))
        .add(Open, Json, routes!(page::asset))
}

/// Adds the error responses that all operations of a kind share.
fn document_errors(operation: &mut Operation, scope: Scope, schema: &str) {
    let mut all = vec![
        ("400", "Invalid request"),
        ("403", "Host or origin not allowed, or the scope of the token is too low"),
        ("415", "Unsupported media type, or a compressed body"),
    ];
    if operation.request_body.is_some() {
        all.extend([("408", "Timed out while reading the body"), ("413", "The body is too large")]);
    }
    if scope != Scope::Open {
        all.extend([
            ("401", "Missing or invalid token"),
            ("409", "A resource is in use, or in a conflicting state"),
            ("429", "Too many requests"),
            ("500", "Internal error; the server log has details"),
            ("503", "The queue is full, or the server is shutting down"),
            ("507", "The server's disk is full"),
        ]);
    }
    for (status, description) in all {
        let known = &mut operation.responses.responses;
        if !known.contains_key(status) {
            known.insert(status.to_owned(), error_response(description, schema));
        }
    }
}

fn error_response(description: &str, schema: &str) -> RefOr<Response> {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(schema))).build();
    ResponseBuilder::new()
        .description(description)
        .content("application/json", content)
        .build()
        .into()
}

/// Builds the router and its `OpenAPI` document.
struct Routes {
    app: Arc<App>,
    router: OpenApiRouter<Arc<App>>,
}

impl Routes {
    fn add(mut self, scope: Scope, body: BodyKind, routes: UtoipaMethodRouter<Arc<App>>) -> Self {
        let (schemas, mut paths, methods) = routes;
        let is_below = |prefix: &str| paths.paths.keys().any(|path| path.starts_with(prefix));
        let (is_openai, is_ollama) = (is_below("/v1/"), is_below("/api/"));
        let errors = if is_ollama { "OllamaError" } else { "ErrorBody" };
        for item in paths.paths.values_mut() {
            for operation in [&mut item.get, &mut item.post, &mut item.put, &mut item.delete]
                .into_iter()
                .flatten()
            {
                if scope != Scope::Open {
                    let wanted = SecurityRequirement::new("token", [scope.name()]);
                    operation.security.get_or_insert_default().push(wanted);
                }
                document_errors(operation, scope, errors);
                let scope = Extensions::builder().add("x-scope", scope.name()).build();
                operation.extensions.get_or_insert_default().merge(scope);
            }
        }
        let state = (Arc::clone(&self.app), scope, body);
        let mut methods = methods.route_layer(from_fn_with_state(state, guard::scoped));
        if is_openai {
            methods = methods.route_layer(map_response(openai::map_error));
        }
        if is_ollama {
            methods = methods.route_layer(map_response(ollama::map_error));
        }
        self.router = self.router.routes((schemas, paths, methods));
        self
    }

    /// The same handlers at another path, which is not documented.
    fn add_alias(
        mut self,
        scope: Scope,
        body: BodyKind,
        path: &str,
        routes: UtoipaMethodRouter<Arc<App>>,
    ) -> Self {
        let state = (Arc::clone(&self.app), scope, body);
        let methods = routes.2.route_layer(from_fn_with_state(state, guard::scoped));
        self.router = self.router.route(path, methods);
        self
    }
}

/// The routes and their `OpenAPI` document.
fn build(app: &Arc<App>) -> (Router<Arc<App>>, Value) {
    let routes =
        Routes { app: Arc::clone(app), router: OpenApiRouter::with_openapi(openapi::frame()) };
    let (router, document) = all(routes).router.split_for_parts();
    let mut document = serde_json::to_value(document).unwrap_or_default();
    openapi::constrain(&mut document, app);
    (router, document)
}

/// The smallest body that is worth compressing.
const MIN_COMPRESSED_BYTES: u16 = 1024;

fn is_compressible() -> impl Predicate {
    SizeAbove::new(MIN_COMPRESSED_BYTES)
        .and(NotForContentType::SSE)
        .and(NotForContentType::const_new("application/x-ndjson"))
        .and(NotForContentType::IMAGES)
}

pub fn router(app: &Arc<App>) -> Router {
    let (router, document) = build(app);
    let document = openapi::Document(document.to_string().into());
    router
        .fallback(|| async {
            Error::not_found("no such route").hint("GET /openapi.json lists the routes")
        })
        .layer(axum::Extension(document))
        // Streams are sent as they come, so they are not compressed.
        .layer(CompressionLayer::new().compress_when(is_compressible()))
        // A panic in a handler fails its request only; the guard outside adds the request id.
        .layer(CatchPanicLayer::custom(|_| Error::internal().into_response()))
        .layer(from_fn_with_state(Arc::clone(app), guard::outer))
        .with_state(Arc::clone(app))
}

/// The prefix under which every route is served as well.
const VERSIONED: &str = "/api/v1";

/// The address of a route without its version: `/api/v1/ask` is `/ask`.
pub fn unversioned(uri: &Uri) -> Option<Uri> {
    let path = uri.path_and_query()?.as_str().strip_prefix(VERSIONED)?;
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path.starts_with('/').then(|| path.parse().ok())??);
    Uri::from_parts(parts).ok()
}

/// One route of the router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub method: String,
    /// With `{name}` for parameters.
    pub path: String,
    /// `open`, `read`, `write` or `admin`.
    pub scope: String,
}

/// All routes of a server, from its `OpenAPI` document.
pub fn list(app: &Arc<App>) -> Vec<Route> {
    let (_, document) = build(app);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let paths = document["paths"].as_object().into_iter().flatten();
    paths
        .flat_map(|(path, item)| {
            item.as_object().into_iter().flatten().map(move |(method, operation)| Route {
                method: method.to_uppercase(),
                path: path.clone(),
                scope: text(&operation["x-scope"]),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_has_a_versioned_form() {
        let check = |given: &str, expected: Option<&str>| {
            let found = unversioned(&given.parse().unwrap());
            assert_eq!(found.map(|uri| uri.to_string()).as_deref(), expected, "{given}");
        };
        check("/api/v1/ask", Some("/ask"));
        check("/api/v1/documents?path=a%2Fb&x", Some("/documents?path=a%2Fb&x"));
        check("/api/v1/api/tags", Some("/api/tags"));
        check("/api/v1/", Some("/"));
        check("/api/v1", None);
        check("/api/v10/ask", None);
        check("/ask", None);
        check("/api/chat", None);
    }
}
