//! `POST /v1/embeddings`: vectors of texts.

use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, Type};

use super::names::no_model;
use crate::serve::app::App;
use crate::serve::body::Json;
use crate::serve::error::{Error, ErrorBody, Result};
use crate::service::Reply;
use crate::wire::input::Misfit;

/// Texts of one request. `rag ingest` embeds larger amounts.
const MAX_TEXTS: usize = 256;

/// Texts to embed; unknown fields are ignored
#[derive(Debug, Deserialize, ToSchema)]
pub struct EmbeddingsBody {
    /// A text, or up to 256 texts, each within the token limit of the model
    #[schema(schema_with = input_schema)]
    input: Value,
    /// The embedding model, as in `GET /v1/models`
    model: String,
    /// float or base64
    #[schema(pattern = "^(float|base64)$")]
    encoding_format: Option<String>,
    /// Must be the dimension of the model when given
    #[schema(minimum = 1)]
    dimensions: Option<u64>,
}

/// The texts of `input`. Arrays of token ids are refused, because they belong to the tokenizer of
/// another model.
fn texts(input: Value) -> std::result::Result<Vec<String>, Misfit> {
    let text = |value: Value, path: &str| match value {
        Value::String(text) if text.is_empty() => Err(Misfit::of(path, "is empty")),
        Value::String(text) => Ok(text),
        Value::Number(_) | Value::Array(_) => {
            Err(Misfit::of(path, "must be text: token ids are not supported"))
        }
        _ => Err(Misfit::of(path, "must be a string")),
    };
    match input {
        Value::Array(items) if !(1..=MAX_TEXTS).contains(&items.len()) => {
            Err(Misfit::of("input", format!("must have 1 to {MAX_TEXTS} texts")))
        }
        Value::Array(items) => items
            .into_iter()
            .enumerate()
            .map(|(n, item)| text(item, &format!("input[{n}]")))
            .collect(),
        Value::String(_) => Ok(vec![text(input, "input")?]),
        _ => Err(Misfit::of("input", "must be a string or an array of strings")),
    }
}

fn input_schema() -> RefOr<Schema> {
    let text = || ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).build();
    let texts =
        ArrayBuilder::new().items(text()).min_items(Some(1)).max_items(Some(MAX_TEXTS)).build();
    let either = OneOfBuilder::new().item(text()).item(texts);
    let words = "A text, or up to 256 texts, each within the token limit of the model";
    RefOr::T(Schema::OneOf(either.description(Some(words)).build()))
}

/// Embed texts
///
/// Vectors have unit length. A text beyond the token limit of the model is refused, not truncated.
#[utoipa::path(
    post,
    path = "/v1/embeddings",
    tag = "openai",
    request_body = EmbeddingsBody,
    responses(
        (status = 200, description = "The vectors", body = Value),
        (status = 404, description = "No such model", body = ErrorBody),
        (status = 504, description = "Timed out", body = ErrorBody),
    )
)]
pub async fn embeddings(
    State(app): State<Arc<App>>,
    Json(body): Json<EmbeddingsBody>,
) -> Result<axum::Json<Value>> {
    if body.model != app.engine().config.model {
        return Err(no_model(&body.model));
    }
    let is_base64 = match body.encoding_format.as_deref() {
        None | Some("float") => false,
        Some("base64") => true,
        Some(_) => {
            let error = Error::usage("`encoding_format` must be float or base64");
            return Err(error.param("encoding_format"));
        }
    };
    let texts = texts(body.input).map_err(|misfit| Error::misfit(&misfit, "the body"))?;
    let mut ticket = app.service.embed(texts.into())?;
    let outcome = ticket.outcome().await.map_err(|problem| match Error::from(problem) {
        // A usage error is about the texts.
        error if error.code() == "usage" => error.param("input"),
        error => error,
    });
    let Reply::Vectors(found) = outcome? else { return Err(Error::internal()) };
    let dimension = found.vectors.first().map_or(0, |vector| vector.as_slice().len() as u64);
    if body.dimensions.is_some_and(|wanted| wanted != dimension) {
        let what = format!("`dimensions` must be {dimension}, the dimension of the model");
        return Err(Error::usage(what).param("dimensions"));
    }
    let data = found.vectors.iter().enumerate().map(|(n, vector)| {
        let vector = vector.as_slice();
        let embedding = if is_base64 { Value::from(base64(vector)) } else { json!(vector) };
        json!({ "object": "embedding", "index": n, "embedding": embedding })
    });
    Ok(axum::Json(json!({
        "object": "list",
        "data": data.collect::<Vec<_>>(),
        "model": body.model,
        "usage": { "prompt_tokens": found.tokens, "total_tokens": found.tokens },
    })))
}

/// Little-endian 32-bit floats in base64, with padding.
fn base64(vector: &[f32]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |n: usize| u32::from(three.get(n).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for n in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * n) & 63) as usize];
            out.push(if n <= three.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn vectors_are_encoded_as_base64() {
        let check = |vector: &[f32], expected: &str| assert_eq!(super::base64(vector), expected);
        check(&[], "");
        check(&[1.0], "AACAPw==");
        check(&[1.0, -0.5], "AACAPwAAAL8=");
        check(&[1.0, -0.5, 0.25], "AACAPwAAAL8AAIA+");
    }
}
