//! `GET /config`: what a page or another client should know before it asks.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::{App, apart};
use crate::serve::access::Scope;
use crate::serve::error::Result;
use crate::serve::guard::Allowed;
use crate::serve::sandbox::Roots;

/// What a server offers
#[derive(Serialize, ToSchema)]
pub struct ConfigReply {
    version: &'static str,
    /// The index that is asked when none is named
    index: String,
    indexes: Vec<String>,
    /// Embedding model
    model: String,
    /// Who writes answers when nobody is named: extractive or llm
    generator: &'static str,
    /// Passages when no number is given
    k: usize,
    /// hybrid, lexical or dense
    mode: &'static str,
    use_cache: bool,
    auth: Auth,
    features: Features,
    limits: Limits,
}

/// Who is asking
#[derive(Serialize, ToSchema)]
struct Auth {
    /// What the caller may do: read, write or admin
    scope: &'static str,
    /// A token is needed
    required: bool,
}

/// What can be done
#[derive(Serialize, ToSchema)]
struct Features {
    /// A language model is configured
    llm: bool,
    /// Names of the folders that may be ingested
    roots: Vec<String>,
    /// Where these are, for an administrator
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    root_paths: Option<Vec<PathBuf>>,
    uploads: bool,
}

/// How much is taken
#[derive(Serialize, ToSchema)]
struct Limits {
    body_bytes: usize,
    document_bytes: u64,
    query_timeout_s: u64,
}

/// Say what this server offers to whoever asks
///
/// Where things are on the server is told to an administrator alone.
#[utoipa::path(
    get,
    path = "/config",
    tag = "health",
    responses((status = 200, description = "What there is", body = ConfigReply, content_type = "application/json"))
)]
pub async fn config(
    State(app): State<Arc<App>>,
    Extension(allowed): Extension<Allowed>,
) -> Result<axum::Json<ConfigReply>> {
    let object = apart(&app, move |app| {
        let config = &app.engine().config;
        let roots = Roots::new(&config.serve.roots);
        Ok(ConfigReply {
            version: env!("CARGO_PKG_VERSION"),
            index: config.index.clone(),
            indexes: app.engine().store.names()?,
            model: config.model.clone(),
            generator: config.generator.name(),
            k: config.search_k,
            mode: config.search_mode.name(),
            use_cache: true,
            auth: Auth { scope: allowed.scope.name(), required: !app.is_open() },
            features: Features {
                llm: !config.llm.base_url.is_empty(),
                roots: roots.labels().into_iter().map(str::to_owned).collect(),
                root_paths: (allowed.scope == Scope::Admin)
                    .then(|| roots.places().into_iter().map(Path::to_owned).collect()),
                uploads: true,
            },
            limits: Limits {
                body_bytes: config.serve.max_body_bytes,
                document_bytes: config.max_file_bytes,
                query_timeout_s: config.serve.timeouts.query.as_secs(),
            },
        })
    });
    Ok(axum::Json(object.await?))
}
