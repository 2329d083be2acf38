//! What every request passes, before its body is read: is it one that should come here at all,
//! whose is it, may they, and not too often? And what every response gets: the request's id, the
//! body of an error, headers for browsers.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::access::Scope;
use super::error::{Error, Result};
use super::limit::{Allowance, Caller};
use super::metrics::Began;
use super::{App, body};
use crate::disk;
use crate::service;
use crate::telemetry::{self, Instrument as _, Trace};

/// The header by which a request is called.
const REQUEST_ID: &str = "x-request-id";
const MAX_REQUEST_ID_BYTES: usize = 128;
/// The header that says which trace a request is part of (W3C Trace Context).
const TRACEPARENT: &str = "traceparent";

/// Where a connection comes from.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// What a request is called, in its response and in the log.
#[derive(Clone, Debug)]
pub struct RequestId(pub Arc<str>);

/// What whoever asks may do.
#[derive(Clone, Copy, Debug)]
pub struct Allowed {
    pub scope: Scope,
    /// Which token was sent, if one was needed.
    pub holder: Option<usize>,
}

/// What a route takes as a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    Json,
    /// Bytes of any type.
    Anything,
}

/// Around everything, routes that do not exist among it.
pub async fn outer(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    let span = telemetry::request_span(&id);
    let traceparent = request.headers().get(TRACEPARENT).and_then(|header| header.to_str().ok());
    let trace = Trace::of_request(traceparent, app.engine().now().as_nanos(), random);
    let began = Began::new(&request, span.clone(), trace.map(|trace| (trace, Arc::clone(&id))));
    if let Some(trace) = trace {
        // For what runs in a task of its own.
        request.extensions_mut().insert(trace);
    }
    request.extensions_mut().insert(RequestId(Arc::clone(&id)));
    let is_chunked = body::is_chunked(request.headers());
    let mut response = match check_head(&app, &request) {
        Ok(()) => service::within(trace, next.run(request).instrument(span.clone())).await,
        Err(error) => error.into_response(),
    };
    response = span.in_scope(|| finished(response, &app, began.route(), &id));
    if is_chunked {
        // A length that stood behind this header is not seen here. Were it another one, what
        // follows on the connection would be no request (RFC 9112, 6.1).
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    began.answered(response)
}

/// Around one route: who may use it.
pub async fn scoped(
    State((app, scope, takes)): State<(Arc<App>, Scope, Takes)>,
    mut request: Request,
    next: Next,
) -> Response {
    let checked = match may(&app, &request, scope) {
        Ok(allowed) => check_body(&request, takes).map(|()| allowed),
        Err(error) => Err(error),
    };
    match checked {
        Ok(allowed) => {
            request.extensions_mut().insert(allowed);
            next.run(request).await
        }
        Err(error) => error.into_response(),
    }
}

/// What no route can be reached with.
fn check_head(app: &App, request: &Request) -> Result<()> {
    let headers = request.headers();
    // Without this, two servers in a row could see two different ends of one request.
    if body::is_chunked(headers) && headers.contains_key(header::CONTENT_LENGTH) {
        return Err(Error::usage("a body has a length or comes in chunks, not both"));
    }
    // What a few bytes unpack to may have any size.
    if headers.contains_key(header::CONTENT_ENCODING) {
        return Err(Error::unsupported("bodies are taken as they are, not compressed"));
    }
    let host = host_of(headers, request.uri())?;
    if !app.is_called(&host) {
        return Err(Error::forbidden("this server is not called by that name")
            .hint("the setting `serve.allowed_hosts` lists further names"));
    }
    if let Some(origin) = headers.get(header::ORIGIN) {
        let is_own = origin
            .to_str()
            .ok()
            .and_then(|origin| {
                origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"))
            })
            .is_some_and(|origin| origin.eq_ignore_ascii_case(&host));
        if !is_own {
            return Err(Error::forbidden("pages of other sites may not ask this server"));
        }
    }
    Ok(())
}

/// The one host that a request names.
fn host_of(headers: &HeaderMap, uri: &Uri) -> Result<String> {
    let bad = || Error::usage("the request must name one host");
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok()).map(str::to_owned);
    if hosts.next().is_some() {
        return Err(bad());
    }
    match (host, uri.authority()) {
        (Some(host), Some(authority)) if !authority.as_str().eq_ignore_ascii_case(&host) => {
            Err(bad())
        }
        (Some(host), _) => Ok(host),
        (None, _) => Err(bad()),
    }
}

/// Whether this request may use a route of this scope, and what whoever sent it may do.
fn may(app: &App, request: &Request, scope: Scope) -> Result<Allowed> {
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
    let settings = app.settings();
    let (allowed, caller, rate) = if app.access.is_open() {
        (Scope::Admin, peer.map(Caller::Peer), None)
    } else {
        let token = request.headers().get(header::AUTHORIZATION).and_then(|value| bearer(value));
        match token.and_then(|token| app.access.holder(token, app.engine().now_s())) {
            Some(holder) => (holder.scope, Some(Caller::Token(holder.n)), holder.rate_per_minute),
            None if scope == Scope::Open => (Scope::Open, peer.map(Caller::Peer), None),
            None => {
                // Whoever guesses has a peer's share of tries.
                let allowance = Allowance {
                    per_minute: settings.rate_per_minute,
                    per_day: settings.quota_per_day,
                };
                app.admit(peer.map_or(Caller::Others, Caller::Peer), allowance)
                    .map_err(Error::too_many)?;
                return Err(Error::unauthorized("this needs a token that counts")
                    .hint("send `Authorization: Bearer TOKEN`"));
            }
        }
    };
    if allowed < scope {
        return Err(Error::forbidden(format!(
            "this needs a token with the scope {}",
            scope.name()
        )));
    }
    if scope != Scope::Open {
        let per_minute = rate.unwrap_or(settings.rate_per_minute);
        let allowance = Allowance { per_minute, per_day: settings.quota_per_day };
        app.admit(caller.unwrap_or(Caller::Others), allowance).map_err(Error::too_many)?;
    }
    let holder = match caller {
        Some(Caller::Token(n)) => Some(n),
        _ => None,
    };
    Ok(Allowed { scope: allowed, holder })
}

fn bearer(value: &HeaderValue) -> Option<&str> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// A page of another site can send a form or a plain text without being asked whether it may; not
/// JSON.
fn check_body(request: &Request, takes: Takes) -> Result<()> {
    let headers = request.headers();
    let has_body = body::is_expected(headers);
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    if changes && has_body && takes == Takes::Json && !body::is_json(headers) {
        return Err(
            Error::unsupported("the body must be JSON").hint("Content-Type: application/json")
        );
    }
    Ok(())
}

/// The id that the client gave, if it is one, or a new one.
fn request_id(headers: &HeaderMap) -> Arc<str> {
    let is_sane = |id: &str| {
        (1..=MAX_REQUEST_ID_BYTES).contains(&id.len())
            && id
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':'))
    };
    let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).filter(|id| is_sane(id));
    given.map_or_else(|| disk::random_id().unwrap_or_default().into(), Into::into)
}

fn random() -> Option<u128> {
    disk::random_id().ok().and_then(|id| u128::from_str_radix(&id, 16).ok())
}

/// Counts an error, and tells its inside to the log, in the span of its request. `route` is a
/// pattern, never a path.
pub fn note(app: &App, error: &Error, route: &str) {
    app.service.observer().failed(app.engine(), error.code(), route);
    if error.status().is_server_error() {
        let cause = error.cause().map(ToString::to_string).unwrap_or_default();
        telemetry::error!(status = error.status().as_u16(), code = error.code(), cause, "failed");
    }
}

/// A response with its headers; an error with its body, its inside told to the log.
fn finished(mut response: Response, app: &App, route: &str, id: &str) -> Response {
    if let Some(error) = response.extensions_mut().remove::<Error>() {
        note(app, &error, route);
        response = error.response(id);
    } else if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        let allow = response.headers().get(header::ALLOW).cloned();
        let error =
            Error::new(StatusCode::METHOD_NOT_ALLOWED, "method", "this route has no such method");
        note(app, &error, route);
        response = error.response(id);
        if let Some(allow) = allow {
            response.headers_mut().insert(header::ALLOW, allow);
        }
    }
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
