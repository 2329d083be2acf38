//! `/v1/*`: a subset of OpenAI's API, for existing clients. A parameter that asks for another kind
//! of reply is refused; any other parameter without a meaning here is ignored.

pub mod chat;
pub mod embeddings;
pub mod extras;
pub mod models;
pub mod names;
pub mod reply;
pub mod rerank;
pub mod responses;

use axum::response::Response;

use crate::serve::error::Error;

/// Adds the fields that these clients expect to an error.
pub async fn map_error(mut response: Response) -> Response {
    if let Some(error) = response.extensions_mut().remove::<Error>() {
        response.extensions_mut().insert(error.openai());
    }
    response
}
