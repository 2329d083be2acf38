//! The body of a request: JSON, of bounded size, within a bounded time.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;

use super::App;
use super::error::{Error, Result};
use crate::wire::input;

/// A JSON body, read and understood.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self> {
        if !is_json(request.headers()) {
            return Err(Error::unsupported("the body must be JSON").hint("Content-Type: application/json"));
        }
        let bytes = read(request, app, app.settings().max_body_bytes).await?;
        let value = input::json(&bytes).and_then(|value| input::read(&value));
        value.map(Self).map_err(|misfit| Error::misfit(&misfit, "the body"))
    }
}

/// Reads a body of at most `most` bytes. Its length was announced: the guard lets nothing else through.
pub async fn read(request: Request, app: &App, most: usize) -> Result<Bytes> {
    if length(request.headers()) > most as u64 {
        return Err(Error::too_large(format!("the body may have {most} bytes")));
    }
    let body = axum::body::to_bytes(request.into_body(), most);
    match tokio::time::timeout(app.settings().body_timeout, body).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(Error::usage("the body ended too early")),
        Err(_) => Err(Error::new(StatusCode::REQUEST_TIMEOUT, "timeout", "the body took too long to come")),
    }
}

/// Bytes that are to come.
pub fn length(headers: &HeaderMap) -> u64 {
    headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0)
}

pub fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}
