//! Model names of `/v1`, and what its routes share.

use axum::http::StatusCode;

use crate::serve::app::App;
use crate::serve::error::{Error, Result};
use crate::serve::guard::Allowed;

/// The model that answers from the default index; `rag:NAME` answers from the index NAME.
pub const NAME: &str = "rag";

/// The index of a model.
///
/// # Errors
/// When the model is neither `rag` nor `rag:NAME`, or the token may not use the index.
pub fn index_of(app: &App, allowed: &Allowed, model: &str) -> Result<String> {
    let name = match model.strip_prefix(NAME) {
        Some("") => None,
        Some(rest) => Some(rest.strip_prefix(':').ok_or_else(|| no_model(model))?.to_owned()),
        None => return Err(no_model(model)),
    };
    let index = allowed.index(name, app).map_err(|_| no_model(model))?;
    Ok(index.unwrap_or_else(|| app.engine().config.index.clone()))
}

pub fn no_model(name: &str) -> Error {
    let what = format!("there is no model `{name}`");
    Error::new(StatusCode::NOT_FOUND, "model_not_found", what)
        .param("model")
        .hint("GET /v1/models lists the models")
}
