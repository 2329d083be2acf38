//! The routes. Each file here has the handlers of one matter with what the document of the
//! interface says of them; [`all`] lists them with their scopes. To add one: a file, and a line
//! there.

mod ask;
mod asking;
mod batch;
mod cache;
mod config;
mod documents;
mod health;
mod indexes;
mod ingest;
#[cfg_attr(not(feature = "mcp"), path = "mcp_left_out.rs")]
mod mcp;
mod metrics;
mod openai;
mod openapi;
mod page;
mod search;
mod sessions;
mod sse;
mod stats;
mod uploads;

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::IntoResponse as _;
use serde_json::Value;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use utoipa_axum::routes;

use super::App;
use super::access::Scope;
use super::error::{Error, Result};
use super::guard::{self, Takes};

/// First parts of paths here, which a message may name.
pub const NAMES: [&str; 19] = [
    "/ask",
    "/assets",
    "/cache",
    "/config",
    "/docs",
    "/documents",
    "/health",
    "/indexes",
    "/ingest",
    "/mcp",
    "/metrics",
    "/openapi.json",
    "/search",
    "/sessions",
    "/stats",
    "/v1",
    "/batch",
    "/live",
    "/ready",
];

/// Every route, with the scope that it asks for and what it takes as a body.
fn all(routes: Routes) -> Routes {
    use Scope::{Admin, Open, Read, Write};
    routes
        .add(Read, Takes::Json, routes!(ask::ask))
        .add(Read, Takes::Json, routes!(batch::ask_batch))
        .add(Read, Takes::Json, routes!(search::search))
        .add(Write, Takes::Json, routes!(ingest::ingest_start))
        .add(Read, Takes::Json, routes!(ingest::ingest_status))
        .add(Read, Takes::Json, routes!(ingest::ingest_list))
        .add(Read, Takes::Json, routes!(ingest::ingest_events))
        .add(Write, Takes::Json, routes!(ingest::ingest_cancel))
        .add(Read, Takes::Json, routes!(documents::documents_list))
        .add(Read, Takes::Json, routes!(documents::documents_content))
        .add(Write, Takes::Anything, routes!(uploads::documents_upload))
        .add(Write, Takes::Json, routes!(uploads::documents_text))
        .add(Write, Takes::Json, routes!(documents::documents_remove))
        .add(Read, Takes::Json, routes!(cache::cache_stats))
        .add(Admin, Takes::Json, routes!(cache::cache_purge))
        .add(Read, Takes::Json, routes!(sessions::sessions_begin))
        .add(Admin, Takes::Json, routes!(sessions::sessions_list))
        .add(Read, Takes::Json, routes!(sessions::sessions_show))
        .add(Read, Takes::Json, routes!(sessions::sessions_export))
        .add(Read, Takes::Json, routes!(sessions::sessions_remove))
        .add(Read, Takes::Json, routes!(indexes::indexes_list))
        .add(Admin, Takes::Json, routes!(indexes::indexes_verify))
        .add(Admin, Takes::Json, routes!(indexes::indexes_rollback))
        .add(Write, Takes::Json, routes!(indexes::folders_remove))
        .add(Read, Takes::Json, routes!(config::config))
        .add(Admin, Takes::Json, routes!(stats::stats))
        .add(Read, Takes::Json, routes!(openai::chat::chat_completions))
        .add(Read, Takes::Json, routes!(openai::embeddings::embeddings))
        .add(Read, Takes::Json, routes!(openai::models::models))
        .add(Read, Takes::Json, routes!(openai::models::model))
        .add(Read, Takes::Json, routes!(health::health))
        .add(Open, Takes::Json, routes!(health::live))
        .add(Open, Takes::Json, routes!(health::ready))
        .add(Read, Takes::Json, routes!(openapi::document))
        .add(Read, Takes::Json, routes!(metrics::metrics))
        .add(Read, Takes::Json, routes!(mcp::mcp))
        .also_with_slash(Read, Takes::Json, "/mcp/", routes!(mcp::mcp))
        .add(Open, Takes::Json, routes!(page::page))
        .add(Open, Takes::Json, routes!(page::docs))
        .add(Open, Takes::Json, routes!(page::asset))
}

/// Work that waits for the disk or takes its time, apart from the threads that pass bytes on.
async fn apart<T: Send + 'static>(
    app: &Arc<App>,
    work: impl FnOnce(&App) -> Result<T> + Send + 'static,
) -> Result<T> {
    let app = Arc::clone(app);
    tokio::task::spawn_blocking(move || work(&app)).await.map_err(|_| Error::internal())?
}

/// Says of an operation how it can be refused or fail as any other of its kind can.
fn document_refusals(operation: &mut Operation, scope: Scope) {
    let mut all = vec![
        ("400", "What was sent makes no sense"),
        ("403", "Not by this name, from this page or with this token"),
        ("415", "The body is of another type than the one that is taken, or compressed"),
    ];
    if operation.request_body.is_some() {
        all.extend([("408", "The body took too long to come"), ("413", "The body is too large")]);
    }
    if scope != Scope::Open {
        all.extend([
            ("401", "This needs a token"),
            ("409", "Something that is wanted is in use, or in another state"),
            ("429", "Too many requests"),
            ("500", "Something went wrong; the log says more"),
            ("503", "Too many wait, or the server is being stopped"),
            ("507", "The disk of the server is full"),
        ]);
    }
    for (status, description) in all {
        let known = &mut operation.responses.responses;
        if !known.contains_key(status) {
            known.insert(status.to_owned(), refusal(description));
        }
    }
}

fn refusal(description: &str) -> RefOr<Response> {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("ErrorBody"))).build();
    ResponseBuilder::new()
        .description(description)
        .content("application/json", content)
        .build()
        .into()
}

/// Routes on their way into a router.
struct Routes {
    app: Arc<App>,
    router: OpenApiRouter<Arc<App>>,
}

impl Routes {
    fn add(mut self, scope: Scope, takes: Takes, routes: UtoipaMethodRouter<Arc<App>>) -> Self {
        let (schemas, mut paths, methods) = routes;
        for item in paths.paths.values_mut() {
            for operation in [&mut item.get, &mut item.post, &mut item.put, &mut item.delete]
                .into_iter()
                .flatten()
            {
                if scope != Scope::Open {
                    let wanted = SecurityRequirement::new("token", [scope.name()]);
                    operation.security.get_or_insert_default().push(wanted);
                }
                document_refusals(operation, scope);
                let scope = Extensions::builder().add("x-scope", scope.name()).build();
                operation.extensions.get_or_insert_default().merge(scope);
            }
        }
        let state = (Arc::clone(&self.app), scope, takes);
        let is_compatible = paths.paths.keys().any(|path| path.starts_with("/v1/"));
        let mut methods = methods.route_layer(from_fn_with_state(state, guard::scoped));
        if is_compatible {
            methods = methods.route_layer(map_response(openai::compatible));
        }
        self.router = self.router.routes((schemas, paths, methods));
        self
    }

    /// The same handlers at a further path, which the document does not mention.
    fn also_with_slash(
        mut self,
        scope: Scope,
        takes: Takes,
        path: &str,
        routes: UtoipaMethodRouter<Arc<App>>,
    ) -> Self {
        let state = (Arc::clone(&self.app), scope, takes);
        self.router =
            self.router.route(path, routes.2.route_layer(from_fn_with_state(state, guard::scoped)));
        self
    }
}

/// The routes and the document that describes them.
fn described(app: &Arc<App>) -> (Router<Arc<App>>, Value) {
    let routes =
        Routes { app: Arc::clone(app), router: OpenApiRouter::with_openapi(openapi::frame()) };
    let (router, document) = all(routes).router.split_for_parts();
    let mut document = serde_json::to_value(document).unwrap_or_default();
    openapi::constrain(&mut document, app);
    (router, document)
}

pub fn router(app: &Arc<App>) -> Router {
    let (router, document) = described(app);
    let document = openapi::Document(document.to_string().into());
    router
        .fallback(|| async {
            Error::not_found("there is nothing here").hint("GET /openapi.json lists what there is")
        })
        .layer(axum::Extension(document))
        // A panic in a handler costs its request; the guard around it adds the request's id.
        .layer(CatchPanicLayer::custom(|_| Error::internal().into_response()))
        .layer(from_fn_with_state(Arc::clone(app), guard::outer))
        .with_state(Arc::clone(app))
}

/// One route as the router has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub method: String,
    /// With `{name}` for what varies.
    pub path: String,
    /// `open`, `read`, `write` or `admin`.
    pub scope: String,
}

/// All routes of a server, from the document that its router made.
pub fn list(app: &Arc<App>) -> Vec<Route> {
    let (_, document) = described(app);
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
