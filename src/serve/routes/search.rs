//! `POST /search`: ranked passages.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{App, Error, asking};
use crate::serve::body::Json;
use crate::serve::error::{ErrorBody, Result};
use crate::serve::guard::{Allowed, RequestId};
use crate::service::{Question, Reply, RequestKind};
use crate::wire::SearchJson;

/// What to look for
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchBody {
    /// What to look for
    #[schema(min_length = 1, max_length = 32768, pattern = "\\S")]
    pub query: String,
    /// hybrid, lexical or dense
    #[schema(pattern = "^(hybrid|lexical|dense)$")]
    pub mode: Option<String>,
    /// Number of passages
    #[schema(minimum = 1, maximum = 1000)]
    pub k: Option<usize>,
    /// Name of the index
    pub index: Option<String>,
    #[schema(schema_with = asking::filter_schema)]
    pub filter: Option<String>,
    /// Read and write the cache; true when it is not given
    pub use_cache: Option<bool>,
    /// Compute anew and replace what the cache has
    #[serde(default)]
    pub refresh: bool,
    /// Show both legs' ranks, scores and weights
    #[serde(default)]
    pub explain: bool,
    /// critical, high, normal, low or background; what is above normal needs the scope admin
    #[schema(pattern = "^(critical|high|normal|low|background)$")]
    pub priority: Option<String>,
}

/// What was found
#[derive(Serialize, ToSchema)]
struct SearchReply<'a> {
    #[serde(flatten)]
    search: SearchJson<'a>,
    /// As in the header `X-Request-ID`
    request_id: &'a str,
}

/// Rank the passages that match a question
///
/// The reply is that of `rag search --json`, with `request_id`.
#[utoipa::path(
    post,
    path = "/search",
    tag = "questions",
    request_body = SearchBody,
    responses(
        (status = 200, description = "The passages", body = SearchReply, content_type = "application/json"),
        (status = 404, description = "There is no such index", body = ErrorBody),
        (status = 504, description = "It took too long", body = ErrorBody),
    )
)]
pub async fn search(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    Extension(allowed): Extension<Allowed>,
    Json(body): Json<SearchBody>,
) -> Result<Response> {
    let filter = asking::filter(body.filter.as_deref())?;
    let question = Question {
        text: body.query,
        wanted: RequestKind::Passages { mode: asking::mode(body.mode.as_deref())? },
        index: body.index,
        k: asking::k(body.k)?,
        caching: asking::caching(body.use_cache, body.refresh),
        filter: filter.clone(),
        priority: asking::priority(body.priority.as_deref(), allowed)?,
    };
    let mut ticket = app.service.ask(question).await?;
    let Reply::Passages(found) = ticket.outcome().await? else { return Err(Error::internal()) };
    let search = SearchJson::new(&found, filter.as_ref(), body.explain);
    Ok(axum::Json(SearchReply { search, request_id: &id.0 }).into_response())
}
