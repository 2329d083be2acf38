//! `POST /search`: ranks passages.

use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::params;
use crate::serve::body::Json;
use crate::serve::error::{Error, ErrorBody, Result};
use crate::serve::extractors::Call;
use crate::service::{Question, Reply, RequestKind};
use crate::wire::SearchJson;

/// A search
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchBody {
    /// The query
    #[schema(min_length = 1, max_length = 32768, pattern = "\\S")]
    pub query: String,
    /// hybrid, lexical or dense
    #[schema(pattern = "^(hybrid|lexical|dense)$")]
    pub mode: Option<String>,
    /// Passages to return
    #[schema(minimum = 1, maximum = 1000)]
    pub k: Option<usize>,
    /// Index name (default: the configured index)
    pub index: Option<String>,
    #[schema(schema_with = params::filter_schema)]
    pub filter: Option<String>,
    /// Read and write the cache (default: true)
    pub use_cache: Option<bool>,
    /// Recompute, and replace cached values
    #[serde(default)]
    pub refresh: bool,
    /// Add ranks, scores and weights of each retriever
    #[serde(default)]
    pub explain: bool,
    /// Queue priority: critical, high, normal, low or background (default: normal). critical and
    /// high need the scope admin
    #[schema(pattern = "^(critical|high|normal|low|background)$")]
    pub priority: Option<String>,
}

/// Ranked passages
#[derive(Serialize, ToSchema)]
struct SearchReply<'a> {
    #[serde(flatten)]
    search: SearchJson<'a>,
    /// The id of the request, as in the header `X-Request-ID`
    request_id: &'a str,
}

/// Search for passages
///
/// The reply is that of `rag search --json`, with `request_id`.
#[utoipa::path(
    post,
    path = "/search",
    tag = "questions",
    request_body = SearchBody,
    responses(
        (status = 200, description = "The passages, best first", body = SearchReply),
        (status = 404, description = "No such index", body = ErrorBody),
        (status = 504, description = "Timed out", body = ErrorBody),
    )
)]
pub async fn search(
    Call { app, id, allowed }: Call,
    Json(body): Json<SearchBody>,
) -> Result<Response> {
    let filter = params::filter(body.filter.as_deref())?;
    let question = Question {
        text: body.query,
        kind: RequestKind::Passages { mode: params::mode(body.mode.as_deref())? },
        index: allowed.index(body.index, &app)?,
        k: params::k(body.k)?,
        caching: params::caching(body.use_cache, body.refresh),
        filter: filter.clone(),
        priority: params::priority(body.priority.as_deref(), &allowed)?,
    };
    let mut ticket = app.service.ask(question).await?;
    let Reply::Passages(found) = ticket.outcome().await? else { return Err(Error::internal()) };
    let search = SearchJson::new(&found, filter.as_ref(), body.explain);
    Ok(axum::Json(SearchReply { search, request_id: &id.0 }).into_response())
}
