//! What comes with a request beside a body that must be there: parts of the path, the query, a body
//! that may be left out.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::App;
use super::body::{self, Json};
use super::error::{Error, Result};
use crate::wire::input;

/// The query of an address, understood.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let fields = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        let fields = fields.map_err(|_| Error::usage("the query of the address cannot be read"))?.0;
        input::read_text(fields).map(Self).map_err(|misfit| Error::misfit(&misfit, "the query"))
    }
}

/// The part of a path that varies.
pub struct Part(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Part {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let part = axum::extract::Path::<String>::from_request_parts(parts, state).await;
        // What is no text is the name of nothing.
        part.map(|axum::extract::Path(part)| Self(part))
            .map_err(|_| Error::not_found("there is nothing of that name"))
    }
}

/// A JSON body, or what stands for one that was left out.
pub struct Perhaps<T>(pub T);

impl<T: DeserializeOwned + Default> FromRequest<Arc<App>> for Perhaps<T> {
    type Rejection = Error;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self> {
        if !body::is_expected(request.headers()) {
            return Ok(Self(T::default()));
        }
        let (head, content) = request.into_parts();
        let request = Request::from_parts(head.clone(), content);
        // One in chunks may turn out to be empty.
        let bytes = body::read(request, app, app.settings().max_body_bytes).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        let request = Request::from_parts(head, Body::from(bytes));
        Json::<Option<T>>::from_request(request, app)
            .await
            .map(|Json(value)| Self(value.unwrap_or_default()))
    }
}
