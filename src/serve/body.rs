//! The body of a request: JSON, of bounded size, within a bounded time. Its length may be announced
//! or not.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use tokio_stream::StreamExt as _;

use super::App;
use super::error::{Error, Result};
use crate::wire::input;

/// A JSON body, read and understood.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self> {
        if !is_json(request.headers()) {
            return Err(
                Error::unsupported("the body must be JSON").hint("Content-Type: application/json")
            );
        }
        let bytes = read(request, app, app.settings().max_body_bytes).await?;
        let value = input::json(&bytes).and_then(|value| input::read(&value));
        value.map(Self).map_err(|misfit| Error::misfit(&misfit, "the body"))
    }
}

/// Reads a body of at most `most` bytes.
pub async fn read(request: Request, app: &App, most: usize) -> Result<Bytes> {
    let too_large = || Error::too_large(format!("the body may have {most} bytes"));
    let announced = length(request.headers());
    if announced > most as u64 {
        return Err(too_large());
    }
    let mut pieces = request.into_body().into_data_stream();
    let reading = async {
        let mut bytes = Vec::with_capacity(announced as usize);
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|_| ended_early())?;
            if piece.len() > most - bytes.len() {
                return Err(too_large());
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(Bytes::from(bytes))
    };
    tokio::time::timeout(app.settings().body_timeout, reading)
        .await
        .unwrap_or_else(|_| Err(too_slow()))
}

pub fn ended_early() -> Error {
    Error::usage("the body ended too early")
}

pub fn too_slow() -> Error {
    Error::new(StatusCode::REQUEST_TIMEOUT, "timeout", "the body took too long to come")
}

/// Bytes that are announced; 0 of a body in chunks.
pub fn length(headers: &HeaderMap) -> u64 {
    headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .unwrap_or(0)
}

/// Whether the body comes in chunks, so that its length shows at its end.
pub fn is_chunked(headers: &HeaderMap) -> bool {
    headers.contains_key(header::TRANSFER_ENCODING)
}

/// Whether there may be a body.
pub fn is_expected(headers: &HeaderMap) -> bool {
    is_chunked(headers) || length(headers) > 0
}

pub fn is_json(headers: &HeaderMap) -> bool {
    kind(headers) == "application/json"
}

/// The type of the body in lower case, without its parameters.
pub fn kind(headers: &HeaderMap) -> String {
    let value =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
