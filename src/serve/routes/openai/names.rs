//! Model names of `/v1`, and what its routes share.

use axum::http::StatusCode;
use serde_json::{Map, Value};

use crate::serve::error::{Error, Result};

/// The model that answers from the default index; `rag:NAME` answers from the index NAME.
pub const NAME: &str = "rag";

/// Fields of `POST /ask` that choose the evidence of an answer.
const EVIDENCE_FIELDS: [&str; 5] = ["filter", "index", "intent", "k", "session"];

/// The index of a model.
///
/// # Errors
/// When the model is neither `rag` nor `rag:NAME`.
pub fn index_of<'a>(model: &'a str, default: &'a str) -> Result<&'a str> {
    match model.strip_prefix(NAME) {
        Some("") => Ok(default),
        Some(rest) => rest.strip_prefix(':').ok_or_else(|| no_model(model)),
        None => Err(no_model(model)),
    }
}

pub fn no_model(name: &str) -> Error {
    let what = format!("there is no model `{name}`");
    Error::new(StatusCode::NOT_FOUND, "model_not_found", what)
        .param("model")
        .hint("GET /v1/models lists the models")
}

/// Refuses fields of `POST /ask`. Ignoring one would let an answer rest on documents that the
/// client meant to exclude.
pub fn refuse_evidence_fields(unknown: &Map<String, Value>) -> Result<()> {
    let is_given = |name: &&str| unknown.get(*name).is_some_and(|value| !value.is_null());
    let Some(name) = EVIDENCE_FIELDS.into_iter().find(is_given) else { return Ok(()) };
    Err(Error::usage(format!("`{name}` has no effect on this route"))
        .param(name)
        .hint("POST /ask supports it; here the model `rag:NAME` chooses an index"))
}
