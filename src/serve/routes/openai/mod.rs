//! `/v1/*`: the interface that OpenAI's clients speak, over the same questions. A parameter that
//! asks for another kind of reply is refused; one that means nothing here has no effect, whether
//! this server knows it or not.

pub mod chat;
pub mod embeddings;
pub mod models;

use axum::response::Response;
use serde_json::{Map, Value};

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
        Some(rest) => rest.strip_prefix(':').ok_or_else(|| no_model(model)),
        None => Err(no_model(model)),
    }
}

fn no_model(name: &str) -> Error {
    let what = format!("there is no model `{name}` here");
    Error::new(axum::http::StatusCode::NOT_FOUND, "model_not_found", what)
        .param("model")
        .hint("GET /v1/models lists them")
}

/// Fields of `POST /ask` that choose what an answer rests on.
const FIELDS_OF_ASK: [&str; 5] = ["filter", "index", "intent", "k", "session"];

/// Refuses a field of `POST /ask`: without effect it would let an answer rest on documents that it
/// was to leave out.
fn refuse_fields_of_ask(more: &Map<String, Value>) -> Result<()> {
    let given = FIELDS_OF_ASK
        .into_iter()
        .find(|name| more.get(*name).is_some_and(|value| !value.is_null()));
    given.map_or(Ok(()), |name| {
        let what = format!("`{name}` has no effect on this route");
        Err(Error::usage(what)
            .param(name)
            .hint("POST /ask takes it; here the model `rag:NAME` chooses an index"))
    })
}
