//! `GET /config`: what this server offers, for pages and other clients.

use std::path::{Path, PathBuf};

use serde::Serialize;
use utoipa::ToSchema;

use crate::config::Recording;
use crate::serve::access::Scope;
use crate::serve::error::Result;
use crate::serve::extractors::Call;
use crate::serve::sandbox::Roots;

/// What a server offers
#[derive(Serialize, ToSchema)]
pub struct ConfigReply {
    version: &'static str,
    /// Default index
    index: String,
    indexes: Vec<String>,
    /// Embedding model
    model: String,
    /// Default generator: extractive or llm
    generator: &'static str,
    /// Default number of passages
    k: usize,
    /// Default search mode: hybrid, lexical or dense
    mode: &'static str,
    use_cache: bool,
    auth: Auth,
    features: Features,
    limits: Limits,
}

/// Access of the caller
#[derive(Serialize, ToSchema)]
struct Auth {
    /// Scope of the caller: read, write or admin
    scope: &'static str,
    /// Requests need a token
    required: bool,
}

/// Available features
#[derive(Serialize, ToSchema)]
struct Features {
    /// A language model is configured
    llm: bool,
    /// Names of further language models
    llms: Vec<String>,
    /// Labels of the folders that may be ingested
    roots: Vec<String>,
    /// Paths of these folders; only with the scope admin
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    root_paths: Option<Vec<PathBuf>>,
    uploads: bool,
    /// Feedback on answers is stored
    feedback: bool,
}

/// Limits of requests
#[derive(Serialize, ToSchema)]
struct Limits {
    body_bytes: usize,
    document_bytes: u64,
    query_timeout_s: u64,
}

/// Show what this server offers
///
/// Paths on the server are shown with the scope admin only.
#[utoipa::path(
    get,
    path = "/config",
    tag = "health",
    responses((status = 200, description = "Defaults, features and limits", body = ConfigReply))
)]
pub async fn config(Call { app, allowed, .. }: Call) -> Result<axum::Json<ConfigReply>> {
    let object = app.blocking(move |app| {
        let config = &app.engine().config;
        let indexes = allowed.indexes();
        // A token of some indexes uploads documents; a folder may belong to other indexes.
        let folders = if indexes.is_all() { config.serve.roots.as_slice() } else { &[] };
        let roots = Roots::new(folders);
        let mut names = app.engine().store.names()?;
        names.retain(|name| indexes.allows(name));
        Ok(ConfigReply {
            version: env!("CARGO_PKG_VERSION"),
            index: indexes.default_of(&config.index).to_owned(),
            indexes: names,
            model: config.model.clone(),
            generator: config.generator.name(),
            k: config.search_k,
            mode: config.search_mode.name(),
            use_cache: true,
            auth: Auth { scope: allowed.scope.name(), required: !app.access.is_open() },
            features: Features {
                llm: !config.llm.base_url.is_empty(),
                llms: config.llms.keys().cloned().collect(),
                roots: roots.labels().into_iter().map(str::to_owned).collect(),
                root_paths: (allowed.scope == Scope::Admin)
                    .then(|| roots.paths().into_iter().map(Path::to_owned).collect()),
                uploads: true,
                feedback: config.analytics.scope != Recording::Off,
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
