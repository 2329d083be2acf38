//! `/mcp`: the tools of `rag mcp` over HTTP, without sessions.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{
    ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, SchemaType, Type,
};
use utoipa::{PartialSchema, ToSchema};

use crate::mcp::{INVALID_REQUEST, PARSE_ERROR, error};
use crate::serve::app::App;
use crate::serve::body;
use crate::serve::error::{Error, ErrorBody, Result};
use crate::serve::limits::MAX_BATCH;

/// Messages are tool calls, which are small; a batch has several.
const MAX_BODY_BYTES: usize = 1 << 20;

/// The largest reply in a batch. The results of tools have their own limit, far below.
const MAX_REPLY_BYTES: usize = 16 << 20;

/// The `Accept` header that the protocol requires of clients. A request that accepts JSON only is
/// passed on with it.
const ACCEPTED: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");

/// One message of JSON-RPC 2.0, or a batch.
pub struct Messages;

impl PartialSchema for Messages {
    fn schema() -> RefOr<Schema> {
        let text = || ObjectBuilder::new().schema_type(Type::String);
        let number = || ObjectBuilder::new().schema_type(Type::Integer);
        let message = || {
            ObjectBuilder::new()
                .property("jsonrpc", text().enum_values(Some(["2.0"])))
                .property("id", OneOfBuilder::new().item(text()).item(number()))
                .property("method", text())
                .property(
                    "params",
                    ObjectBuilder::new()
                        .schema_type(SchemaType::from_iter([Type::Object, Type::Null])),
                )
                .required("jsonrpc")
                .required("method")
        };
        let batch =
            ArrayBuilder::new().items(message()).min_items(Some(1)).max_items(Some(MAX_BATCH));
        RefOr::T(OneOfBuilder::new().item(message()).item(batch).build().into())
    }
}

impl ToSchema for Messages {}

/// Send a message of the Model Context Protocol
///
/// The body is one message, or an array of up to 64 messages, whose replies are an array as well.
/// All tools are read-only; use `POST /ingest/start` to ingest folders.
#[utoipa::path(
    post,
    path = "/mcp",
    tag = "mcp",
    request_body(content = Messages, content_type = "application/json"),
    responses(
        (status = 200, description = "The reply", body = Value),
        (status = 202, description = "A notification was accepted"),
        (status = 400, description = "Not a message of the protocol", body = Value),
        (status = 404, description = "Unknown method", body = Value),
        (
            status = 406,
            description = "The client does not accept application/json",
            body = ErrorBody,
        ),
    )
)]
pub async fn mcp(State(app): State<Arc<App>>, request: Request) -> Result<Response> {
    if !accepts_json(request.headers()) {
        let what = "replies are JSON, but the Accept header excludes application/json";
        return Err(Error::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", what)
            .hint("send `Accept: application/json`"));
    }
    let (mut head, content) = request.into_parts();
    head.headers.insert(header::ACCEPT, ACCEPTED);
    let bytes =
        body::read(Request::from_parts(head.clone(), content), &app, MAX_BODY_BYTES).await?;
    let messages = match serde_json::from_slice(&bytes) {
        Ok(Value::Array(messages)) => messages,
        Ok(_) => return answer_message(&app, head, bytes).await,
        Err(_) => {
            return Ok(refusal(&error(&Value::Null, PARSE_ERROR, "the body is not valid JSON")));
        }
    };
    if messages.is_empty() || messages.len() > MAX_BATCH {
        let what = format!("a batch must have 1 to {MAX_BATCH} messages");
        return Ok(refusal(&error(&Value::Null, INVALID_REQUEST, &what)));
    }
    let mut replies = Vec::new();
    for message in messages {
        let reply = answer_message(&app, head.clone(), message.to_string().into()).await?;
        let bytes = axum::body::to_bytes(reply.into_body(), MAX_REPLY_BYTES)
            .await
            .map_err(|_| Error::internal())?;
        // Notifications have no reply.
        if !bytes.is_empty() {
            replies.push(serde_json::from_slice::<Value>(&bytes).map_err(|_| Error::internal())?);
        }
    }
    if replies.is_empty() {
        return Ok(StatusCode::ACCEPTED.into_response());
    }
    let is_refused =
        |reply: &Value| reply["error"]["code"] == INVALID_REQUEST && reply["id"].is_null();
    let status =
        if replies.iter().all(is_refused) { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    Ok((status, axum::Json(replies)).into_response())
}

/// Answers one message. Errors of the message are replies of JSON-RPC.
async fn answer_message(app: &App, head: Parts, message: Bytes) -> Result<Response> {
    let response =
        app.mcp.handle(Request::from_parts(head, Body::from(message))).await.map(Body::new);
    let kind = response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let status = response.status();
    if !status.is_client_error() || kind.is_some_and(|kind| kind.starts_with(b"application/json")) {
        return Ok(response);
    }
    let text =
        axum::body::to_bytes(response.into_body(), MAX_REPLY_BYTES).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    // The text of this status quotes a parser.
    let words = if status == StatusCode::UNSUPPORTED_MEDIA_TYPE {
        "not a message of JSON-RPC 2.0"
    } else {
        &text
    };
    Ok(refusal(&error(&Value::Null, INVALID_REQUEST, words)))
}

fn refusal(error: &Value) -> Response {
    (StatusCode::BAD_REQUEST, axum::Json(error)).into_response()
}

/// Whether the `Accept` headers allow JSON. Without one, every type is allowed.
fn accepts_json(headers: &HeaderMap) -> bool {
    if !headers.contains_key(header::ACCEPT) {
        return true;
    }
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(includes_json)
}

/// Whether a media range, such as `application/*;q=0.5`, includes JSON.
fn includes_json(range: &str) -> bool {
    let mut parts = range.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default().to_ascii_lowercase();
    let mut weights = parts.filter_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok());
    matches!(name.as_str(), "application/json" | "application/*" | "*/*")
        && !weights.any(|weight| weight == 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_accepted_unless_excluded() {
        let check = |accept: &[&'static str], expected: bool| {
            let mut headers = HeaderMap::new();
            for value in accept {
                headers.append(header::ACCEPT, HeaderValue::from_static(value));
            }
            assert_eq!(accepts_json(&headers), expected, "{accept:?}");
        };
        check(&[], true);
        check(&["*/*"], true);
        check(&["application/json, text/event-stream"], true);
        check(&["text/html, Application/JSON;q=0.5"], true);
        check(&["text/html", "application/*"], true);
        check(&["text/event-stream"], false);
        check(&["text/html"], false);
        check(&["application/json;q=0"], false);
        check(&[""], false);
    }
}
