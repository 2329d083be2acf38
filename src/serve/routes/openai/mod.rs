//! `/v1/*`: the interface that OpenAI's clients speak, over the same questions. What would change the meaning of an answer
//! and cannot be done is refused; what could only colour it is taken and has no effect.

pub mod chat;
pub mod embeddings;
pub mod models;

use axum::response::Response;
use serde_json::Value;

use super::{App, Error, apart, sse};
use crate::serve::error::Result;

/// What models are called here that answer; an index may follow after a colon.
const NAME: &str = "rag";

/// Gives a refusal the words that these clients expect.
pub async fn compatible(mut response: Response) -> Response {
    if let Some(error) = response.extensions_mut().remove::<Error>() {
        response.extensions_mut().insert(error.compatible());
    }
    response
}

/// The index that a model stands for.
///
/// # Errors
/// When the name is another one.
fn index_of<'a>(model: &'a str, default: &'a str) -> Result<&'a str> {
    match model.strip_prefix(NAME) {
        Some("") => Ok(default),
        Some(rest) => rest.strip_prefix(':').ok_or_else(no_model),
        None => Err(no_model()),
    }
}

fn no_model() -> Error {
    Error::new(axum::http::StatusCode::NOT_FOUND, "model_not_found", "there is no such model here")
        .param("model")
        .hint("GET /v1/models lists them")
}

/// Refuses a parameter that would change the meaning of what is asked for, unless it says what holds anyway.
fn refuse(name: &'static str, value: Option<&Value>, harmless: &[Value]) -> Result<()> {
    match value {
        None | Some(Value::Null) => Ok(()),
        Some(value) if harmless.contains(value) => Ok(()),
        Some(_) => Err(Error::usage(format!("`{name}` cannot be done here")).param(name)),
    }
}
