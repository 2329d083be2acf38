//! `POST /v1/rerank`: scores documents of the client for a query, with the request and the reply of
//! Jina's and Cohere's API.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, Type};

use super::embeddings::in_tasks;
use super::names::no_model;
use crate::ask::n_tokens;
use crate::serve::app::App;
use crate::serve::body::Json;
use crate::serve::error::{Error, ErrorBody, Result};
use crate::serve::guard::RequestId;
use crate::service::{Candidates, Reply, Scorer};
use crate::wire::input::Misfit;

/// Documents of one request, as Cohere recommends.
const MAX_DOCUMENTS: usize = 1000;

/// Documents of one task; see `in_tasks`.
const TASK_DOCUMENTS: usize = 32;

/// A query and documents; unknown fields are ignored
#[derive(Debug, Deserialize, ToSchema)]
pub struct RerankBody {
    /// The configured cross-encoder, or the embedding model, whose score is the cosine
    model: String,
    #[schema(min_length = 1, pattern = "\\S")]
    query: String,
    #[schema(schema_with = documents_schema)]
    documents: Vec<Value>,
    /// Number of results, the best first (default: all)
    #[schema(minimum = 1)]
    top_n: Option<usize>,
    /// Return the text of each document
    return_documents: Option<bool>,
}

fn documents_schema() -> RefOr<Schema> {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let object = ObjectBuilder::new().property("text", text()).required("text");
    let either = OneOfBuilder::new().item(text()).item(object);
    let words = "Up to 1,000 texts, each a string or an object with a `text`";
    let documents = ArrayBuilder::new()
        .items(either)
        .min_items(Some(1))
        .max_items(Some(MAX_DOCUMENTS))
        .description(Some(words));
    RefOr::T(documents.build().into())
}

impl RerankBody {
    fn texts(&self) -> Result<Vec<String>, Misfit> {
        if !(1..=MAX_DOCUMENTS).contains(&self.documents.len()) {
            let words = format!("must have 1 to {MAX_DOCUMENTS} texts");
            return Err(Misfit::of("documents", words));
        }
        let text = |(n, document): (usize, &Value)| {
            let text = document.as_str().or_else(|| document["text"].as_str());
            let words = "must be a string or an object with a `text`";
            text.map(str::to_owned).ok_or_else(|| Misfit::of(format!("documents[{n}]"), words))
        };
        self.documents.iter().enumerate().map(text).collect()
    }

    fn scorer(&self, app: &App) -> Result<Scorer> {
        let config = &app.engine().config;
        match self.model.as_str() {
            // An empty setting means that there is no cross-encoder.
            "" => Err(no_model("")),
            model if model == config.rerank_model => Ok(Scorer::CrossEncoder),
            model if model == config.model => Ok(Scorer::Cosine),
            model => Err(no_model(model)),
        }
    }
}

/// Score documents for a query
///
/// Results are ordered by `relevance_score`, the best first; `index` is the place of a document in
/// the request. A document beyond the token limit of the model is cut.
#[utoipa::path(
    post,
    path = "/v1/rerank",
    tag = "openai",
    request_body = RerankBody,
    responses(
        (status = 200, description = "The scores", body = Value),
        (status = 404, description = "No such model", body = ErrorBody),
        (status = 504, description = "Timed out", body = ErrorBody),
    )
)]
pub async fn rerank(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    Json(body): Json<RerankBody>,
) -> Result<axum::Json<Value>> {
    let scorer = body.scorer(&app)?;
    if body.query.trim().is_empty() {
        return Err(Error::usage("`query` is empty").param("query"));
    }
    if body.top_n == Some(0) {
        return Err(Error::usage("`top_n` must be at least 1").param("top_n"));
    }
    let texts = body.texts()?;
    let n_all_tokens = texts.iter().map(|text| n_tokens(text) + n_tokens(&body.query)).sum();
    let submit = |_, documents| {
        app.service.score(Candidates { query: body.query.clone(), documents, scorer })
    };
    let mut scores: Vec<f64> = Vec::with_capacity(texts.len());
    for reply in in_tasks(texts, TASK_DOCUMENTS, submit).await? {
        let Reply::Scores(part) = reply else { return Err(Error::internal()) };
        scores.extend_from_slice(&part);
    }
    Ok(axum::Json(reply(&body, &id, &scores, n_all_tokens)))
}

/// The fields of both APIs.
fn reply(body: &RerankBody, id: &RequestId, scores: &[f64], n_all_tokens: usize) -> Value {
    let mut ranking: Vec<(usize, f64)> = scores.iter().copied().enumerate().collect();
    // Equal scores keep the order of the request.
    ranking.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranking.truncate(body.top_n.unwrap_or(usize::MAX));
    let results = ranking.into_iter().map(|(n, score)| {
        let mut result = json!({ "index": n, "relevance_score": score });
        if body.return_documents == Some(true) {
            let document = &body.documents[n];
            result["document"] = match document.is_string() {
                true => json!({ "text": document }),
                false => document.clone(),
            };
        }
        result
    });
    json!({
        "id": *id.0,
        "object": "list",
        "model": body.model,
        "results": results.collect::<Vec<_>>(),
        "usage": { "prompt_tokens": n_all_tokens, "total_tokens": n_all_tokens },
        "meta": { "billed_units": { "search_units": 1 } },
    })
}
