//! Request bodies: read whole, with limits on size and time, and parsed as JSON.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use tokio_stream::StreamExt as _;

use super::app::App;
use super::error::{Error, Result};
use crate::wire::input;

/// A JSON body, read and parsed.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self> {
        // `guard` has checked the header where a route requires it.
        if !is_json_or_untyped(request.headers()) {
            return Err(not_json());
        }
        let bytes = read(request, app, app.settings().max_body_bytes).await?;
        Ok(Self(input::read(&input::json(&bytes)?)?))
    }
}

/// Reads a body of at most `max_bytes`.
pub async fn read(request: Request, app: &App, max_bytes: usize) -> Result<Bytes> {
    let too_large = || Error::too_large(format!("the body has more than {max_bytes} bytes"));
    let announced = length(request.headers());
    if announced > max_bytes as u64 {
        return Err(too_large());
    }
    let mut pieces = request.into_body().into_data_stream();
    let reading = async {
        let mut bytes = Vec::with_capacity(announced as usize);
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|_| incomplete())?;
            if piece.len() > max_bytes - bytes.len() {
                return Err(too_large());
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(Bytes::from(bytes))
    };
    tokio::time::timeout(app.settings().body_timeout, reading)
        .await
        .unwrap_or_else(|_| Err(timed_out()))
}

pub fn not_json() -> Error {
    Error::unsupported("the body must be JSON").hint("send `Content-Type: application/json`")
}

/// A body that ended before its announced length.
pub fn incomplete() -> Error {
    Error::usage("the body is incomplete")
}

pub fn timed_out() -> Error {
    Error::new(StatusCode::REQUEST_TIMEOUT, "timeout", "timed out while reading the body")
}

/// The `Content-Length`; 0 for a chunked body.
pub fn length(headers: &HeaderMap) -> u64 {
    headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .unwrap_or(0)
}

/// Whether the body is chunked, so its length is not announced.
pub fn is_chunked(headers: &HeaderMap) -> bool {
    headers.contains_key(header::TRANSFER_ENCODING)
}

/// Whether the request may have a body.
pub fn is_expected(headers: &HeaderMap) -> bool {
    is_chunked(headers) || length(headers) > 0
}

pub fn is_json(headers: &HeaderMap) -> bool {
    media_type(headers) == "application/json"
}

/// Whether the body is JSON, or of no stated type.
pub fn is_json_or_untyped(headers: &HeaderMap) -> bool {
    !headers.contains_key(header::CONTENT_TYPE) || is_json(headers)
}

/// The media type of the body in lower case, without parameters.
pub fn media_type(headers: &HeaderMap) -> String {
    let value =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
