//! `POST /v1/embeddings`: vectors of texts.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, Type};

use super::names::no_model;
use crate::model::{EmbeddingRole, Prefixes};
use crate::serve::app::App;
use crate::serve::body::Json;
use crate::serve::error::{Error, ErrorBody, Result};
use crate::service::{Problem, Reply, Texts, Ticket, Vectors};
use crate::vector::Vector;
use crate::wire::input::Misfit;

/// Texts of one request, as in OpenAI's API. `rag ingest` embeds larger amounts.
pub const MAX_TEXTS: usize = 2048;

/// Texts of one task. Questions of other clients are answered between two tasks, and each task has
/// a deadline of its own.
const TASK_TEXTS: usize = 32;

/// Tasks of a request in the queue or in progress.
const AHEAD: usize = 2;

/// Texts to embed; unknown fields are ignored
#[derive(Debug, Deserialize, ToSchema)]
pub struct EmbeddingsBody {
    /// A text, or up to 2,048 texts
    #[schema(schema_with = input_schema)]
    input: Value,
    /// The embedding model, as in `GET /v1/models`
    model: String,
    /// float or base64
    #[schema(pattern = "^(float|base64)$")]
    encoding_format: Option<String>,
    /// The dimension of the model, or a shorter one if the model has been trained for it
    #[schema(minimum = 1)]
    dimensions: Option<usize>,
    /// Cut texts beyond the token limit of the model: true, or END as in Cohere's API (default:
    /// such a text is refused)
    #[schema(schema_with = truncate_schema)]
    truncate: Option<Value>,
    /// What the texts are: query, or anything else for passages. It matters to models with prefixes
    #[schema(schema_with = input_type_schema)]
    input_type: Option<Value>,
}

fn truncate_schema() -> RefOr<Schema> {
    let yes = ObjectBuilder::new().schema_type(Type::Boolean);
    let name =
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["END", "RIGHT", "NONE"]));
    let none = ObjectBuilder::new().schema_type(Type::Null);
    let words = "Cut texts beyond the token limit of the model: true, or END as in Cohere's API \
         (default: such a text is refused)";
    let either = OneOfBuilder::new().item(yes).item(name).item(none).description(Some(words));
    RefOr::T(Schema::OneOf(either.build()))
}

fn input_type_schema() -> RefOr<Schema> {
    let name = ObjectBuilder::new().schema_type(Type::String);
    let none = ObjectBuilder::new().schema_type(Type::Null);
    let words = "What the texts are: `query` or `search_query`, else passages. It matters to \
         models with prefixes";
    let either = OneOfBuilder::new().item(name).item(none).description(Some(words));
    RefOr::T(Schema::OneOf(either.build()))
}

impl EmbeddingsBody {
    /// What the texts are embedded for.
    fn role(&self) -> EmbeddingRole {
        match self.input_type.as_ref().and_then(Value::as_str) {
            Some("query" | "search_query") => EmbeddingRole::Query,
            _ => EmbeddingRole::Passage,
        }
    }

    fn is_cut(&self) -> Result<bool> {
        let of_name = |name: &str| match name {
            "END" | "RIGHT" => Some(true),
            "NONE" => Some(false),
            _ => None,
        };
        let is_cut = match &self.truncate {
            None | Some(Value::Null) => Some(false),
            Some(Value::Bool(is_cut)) => Some(*is_cut),
            Some(value) => value.as_str().and_then(of_name),
        };
        is_cut.ok_or_else(|| {
            Error::usage("`truncate` must be true, false, END or NONE").param("truncate")
        })
    }
}

/// Embeds texts of a client, a part at a time.
///
/// # Errors
/// The first error of a text; a usage error for a dimension that the model does not have.
pub async fn embed(
    app: &Arc<App>,
    texts: Vec<String>,
    role: EmbeddingRole,
    is_cut: bool,
    dimension: Option<usize>,
) -> Result<Vectors> {
    if let Some(n) = dimension {
        app.blocking(move |app| check_dimension(app, n)).await?;
    }
    let mut found = Vectors { vectors: Vec::with_capacity(texts.len()), tokens: 0 };
    let submit =
        |first: usize, texts: Vec<String>| app.service.embed(Texts { texts, first, role, is_cut });
    for reply in in_tasks(texts, TASK_TEXTS, submit).await? {
        let Reply::Vectors(part) = reply else { return Err(Error::internal()) };
        found.tokens += part.tokens;
        for vector in &part.vectors {
            found.vectors.push(match dimension {
                Some(n) if n < vector.dimension() => prefix(vector, n)?,
                _ => vector.clone(),
            });
        }
    }
    Ok(found)
}

/// Submits `items` in tasks, each with the number of its first item, and returns the replies in
/// order.
pub async fn in_tasks<T>(
    items: Vec<T>,
    max_items: usize,
    submit: impl Fn(usize, Vec<T>) -> Result<Ticket, Problem>,
) -> Result<Vec<Reply>> {
    let (mut items, mut first) = (items.into_iter(), 0);
    let (mut tickets, mut replies) = (VecDeque::new(), Vec::new());
    loop {
        while tickets.len() < AHEAD && items.len() > 0 {
            let task: Vec<T> = items.by_ref().take(max_items).collect();
            let n = task.len();
            tickets.push_back(submit(first, task)?);
            first += n;
        }
        let Some(mut ticket) = tickets.pop_front() else { return Ok(replies) };
        replies.push(ticket.outcome().await?);
    }
}

fn check_dimension(app: &App, n: usize) -> Result<()> {
    let engine = app.engine();
    let spec = engine.model(&engine.config.model)?.spec;
    if spec.allows_dimension(n) {
        return Ok(());
    }
    let whole = spec.dimension.unwrap_or_default();
    let what = match spec.prefixes {
        Prefixes::None => format!("`dimensions` must be {whole}, the dimension of the model"),
        Prefixes::Any => format!("`dimensions` must be at most {whole}"),
        Prefixes::Of(lengths) => {
            let lengths: Vec<String> = lengths.iter().map(ToString::to_string).collect();
            format!("`dimensions` must be one of {}", lengths.join(", "))
        }
    };
    Err(Error::usage(what).param("dimensions"))
}

/// The first numbers of a vector, at unit length.
fn prefix(vector: &Vector, n: usize) -> Result<Vector> {
    let values = &vector.as_slice()[..n];
    let length = values.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    let values = values.iter().map(|x| (f64::from(*x) / length) as f32).collect();
    Ok(Vector::new(values)?)
}

/// The texts of `input`. Arrays of token ids are refused, because they belong to the tokenizer of
/// another model.
pub fn texts(input: Value) -> Result<Vec<String>, Misfit> {
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

pub fn input_schema() -> RefOr<Schema> {
    let text = || ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).build();
    let texts =
        ArrayBuilder::new().items(text()).min_items(Some(1)).max_items(Some(MAX_TEXTS)).build();
    let either = OneOfBuilder::new().item(text()).item(texts);
    let words = "A text, or up to 2,048 texts";
    RefOr::T(Schema::OneOf(either.description(Some(words)).build()))
}

/// Embed texts
///
/// Vectors have unit length. A text beyond the token limit of the model is refused, as OpenAI's API
/// does, unless `truncate` asks to cut it.
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
    let (role, is_cut) = (body.role(), body.is_cut()?);
    let texts = texts(body.input)?;
    let found = embed(&app, texts, role, is_cut, body.dimensions).await;
    let found = found.map_err(|error| match error.code() {
        // Another usage error is about the texts.
        "usage" if !error.has_param() => error.param("input"),
        _ => error,
    })?;
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
