//! Model names of `/v1`, and what its routes share.

use axum::http::StatusCode;

use crate::serve::error::{Error, Result};

/// The model that answers from the default index; `rag:NAME` answers from the index NAME.
pub const NAME: &str = "rag";

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
