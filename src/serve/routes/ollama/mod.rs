//! `/api/*`: a subset of Ollama's API, so that its front ends can talk to the documents. Indexes
//! are models that chat, and the embedding model embeds. A parameter that asks for another kind of
//! reply is refused; any other parameter without a meaning here is ignored.

pub mod chat;
pub mod embed;
pub mod models;
mod names;

use axum::response::Response;

use crate::serve::error::Error;

/// Gives an error the form that these clients expect.
pub async fn map_error(mut response: Response) -> Response {
    if let Some(error) = response.extensions_mut().remove::<Error>() {
        response.extensions_mut().insert(error.ollama());
    }
    response
}
