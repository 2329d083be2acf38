//! The routes. Each file here has the handlers of one matter with what the document of the interface says of them; [`all`]
//! lists them with their scopes. To add one: a file, and a line there.

mod ask;
mod asking;
mod health;
mod mcp;
mod metrics;
mod openapi;
mod page;
mod search;
mod sse;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use serde_json::Value;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::security::SecurityRequirement;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use utoipa_axum::routes;

use super::App;
use super::access::Scope;
use super::error::Error;
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
    use Scope::{Open, Read};
    routes
        .add(Read, Takes::Json, routes!(ask::ask))
        .add(Read, Takes::Json, routes!(search::search))
        .add(Read, Takes::Json, routes!(health::health))
        .add(Open, Takes::Json, routes!(health::live))
        .add(Open, Takes::Json, routes!(health::ready))
        .add(Read, Takes::Json, routes!(openapi::document))
        .add(Read, Takes::Json, routes!(metrics::metrics))
        .add(Read, Takes::Json, routes!(mcp::mcp))
        .add(Open, Takes::Json, routes!(page::page))
        .add(Open, Takes::Json, routes!(page::docs))
        .add(Open, Takes::Json, routes!(page::asset))
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
            for operation in [&mut item.get, &mut item.post, &mut item.put, &mut item.delete].into_iter().flatten() {
                if scope != Scope::Open {
                    let wanted = SecurityRequirement::new("token", [scope.name()]);
                    operation.security.get_or_insert_default().push(wanted);
                }
                let scope = Extensions::builder().add("x-scope", scope.name()).build();
                operation.extensions.get_or_insert_default().merge(scope);
            }
        }
        let state = (Arc::clone(&self.app), scope, takes);
        let methods = methods.route_layer(from_fn_with_state(state, guard::scoped));
        self.router = self.router.routes((schemas, paths, methods));
        self
    }
}

/// The routes and the document that describes them.
fn described(app: &Arc<App>) -> (Router<Arc<App>>, Value) {
    let routes = Routes { app: Arc::clone(app), router: OpenApiRouter::with_openapi(openapi::frame()) };
    let (router, document) = all(routes).router.split_for_parts();
    (router, serde_json::to_value(document).unwrap_or_default())
}

pub fn router(app: &Arc<App>) -> Router {
    let (router, document) = described(app);
    let document = openapi::Document(document.to_string().into());
    router
        .fallback(|| async { Error::not_found("there is nothing here").hint("GET /openapi.json lists what there is") })
        .layer(axum::Extension(document))
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
