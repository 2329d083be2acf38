//! Extractors of path parameters, query strings and optional JSON bodies.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::app::App;
use super::body::{self, Json};
use super::error::{Error, Result};
use super::guard::{Allowed, RequestId};
use crate::wire::input;

/// What every handler needs: the server, the id of the request and what its caller may do.
pub struct Call {
    pub app: Arc<App>,
    pub id: RequestId,
    pub allowed: Allowed,
}

impl FromRequestParts<Arc<App>> for Call {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self> {
        // `guard` has added both.
        match (parts.extensions.get(), parts.extensions.get()) {
            (Some(id), Some(allowed)) => {
                let (id, allowed) = (RequestId::clone(id), Allowed::clone(allowed));
                Ok(Self { app: Arc::clone(app), id, allowed })
            }
            _ => Err(Error::internal()),
        }
    }
}

/// The query string, parsed.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let fields = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        let fields = fields.map_err(|_| Error::usage("the query string cannot be parsed"))?.0;
        input::read_text(fields).map(Self).map_err(|misfit| Error::misfit(&misfit, "the query"))
    }
}

/// The parameter of a path.
pub struct PathParam(pub String);

impl<S: Send + Sync> FromRequestParts<S> for PathParam {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let param = axum::extract::Path::<String>::from_request_parts(parts, state).await;
        // Names are UTF-8; anything else names nothing.
        param
            .map(|axum::extract::Path(param)| Self(param))
            .map_err(|_| Error::not_found("no resource has that name"))
    }
}

/// Several parameters of a path.
pub struct PathParams<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for PathParams<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let params = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        params
            .map(|axum::extract::Path(params)| Self(params))
            .map_err(|_| Error::not_found("no resource has that name"))
    }
}

/// An empty JSON object
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EmptyBody {}

/// A JSON body, or the default when the request has none.
pub struct OptionalJson<T>(pub T);

impl<T: DeserializeOwned + Default> FromRequest<Arc<App>> for OptionalJson<T> {
    type Rejection = Error;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self> {
        if !body::is_expected(request.headers()) {
            return Ok(Self(T::default()));
        }
        let (head, content) = request.into_parts();
        let request = Request::from_parts(head.clone(), content);
        // A chunked body may turn out to be empty.
        let bytes = body::read(request, app, app.settings().max_body_bytes).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        let request = Request::from_parts(head, Body::from(bytes));
        let Json(value) = Json::<Option<T>>::from_request(request, app).await?;
        Ok(Self(value.unwrap_or_default()))
    }
}
