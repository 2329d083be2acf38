//! Middleware around every route.
//!
//! Before the body is read: checks of the head, the token and its scope, and the rate limit. After
//! the handler: the request id, the body of an error, and security headers.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::access::Scope;
use super::app::App;
use super::body;
use super::error::{Error, Result, no_index};
use super::grant::Grant;
use super::metrics::InProgress;
use super::rate_limit::{Allowance, Caller, Charge};
use crate::disk;
use crate::service;
use crate::strings::StrExt as _;
use crate::telemetry::{self, Instrument as _, Trace};
use crate::tokens::Indexes;

const REQUEST_ID: &str = "x-request-id";
const MAX_REQUEST_ID_BYTES: usize = 128;
/// The trace that a request belongs to (W3C Trace Context).
const TRACEPARENT: &str = "traceparent";

/// The address of the client.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// The id of a request, in its response and in the log.
#[derive(Clone, Debug)]
pub struct RequestId(pub Arc<str>);

/// What the caller may do.
#[derive(Clone, Debug)]
pub struct Allowed {
    pub scope: Scope,
    /// The caller's token, where the server has tokens.
    grant: Option<Grant>,
    /// Whose rate limit a further message counts against.
    caller: Caller,
    allowance: Allowance,
}

impl Allowed {
    /// Names the token.
    pub fn token(&self) -> Option<&str> {
        self.grant.as_ref().map(|grant| &*grant.key)
    }

    pub fn indexes(&self) -> Indexes {
        self.grant.as_ref().map(|grant| grant.indexes.clone()).unwrap_or_default()
    }

    /// The index of a request: the given one, else the configured one, else the first that the
    /// token may use.
    ///
    /// # Errors
    /// For an index that the token may not use, the same as for a missing one.
    pub fn index(&self, given: Option<String>, app: &App) -> Result<Option<String>> {
        let indexes = self.indexes();
        match given {
            Some(name) if !indexes.allows(&name) => Err(no_index(&name)),
            None if !indexes.is_all() => {
                Ok(Some(indexes.default_of(&app.engine().config.index).to_owned()))
            }
            given => Ok(given),
        }
    }

    /// Whom a message counts against.
    fn charge(&self) -> Charge {
        let key = self.grant.as_ref().map(|grant| Arc::clone(&grant.key));
        Charge { caller: self.caller, key, allowance: self.allowance }
    }

    /// # Errors
    /// For a token of some indexes: the request is about all of them.
    pub fn check_all_indexes(&self) -> Result<()> {
        match self.indexes().is_all() {
            true => Ok(()),
            false => Err(Error::forbidden("a token for all indexes is required")),
        }
    }
}

/// The kind of body that a route accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKind {
    Json,
    /// JSON, or a body without a type: some clients of Ollama's API state none.
    JsonOrUntyped,
    /// Bytes of any media type.
    Any,
}

/// Middleware around every request, including those that match no route.
pub async fn outer(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    let span = telemetry::request_span(&id);
    let traceparent = request.headers().get(TRACEPARENT).and_then(|header| header.to_str().ok());
    let trace = Trace::of_request(traceparent, app.engine().now().as_nanos(), random);
    let traced = trace.map(|trace| (trace, Arc::clone(&id)));
    let is_logged = app.engine().config.logs_requests;
    let in_progress = InProgress::new(&request, span.clone(), traced, is_logged);
    if let Some(trace) = trace {
        // For handlers that spawn a task.
        request.extensions_mut().insert(trace);
    }
    request.extensions_mut().insert(RequestId(Arc::clone(&id)));
    let is_chunked = body::is_chunked(request.headers());
    let origin = foreign_origin(&app, &request);
    let mut response = match check_head(&app, &request) {
        Ok(()) if origin.is_some() && is_preflight(&request) => preflight(),
        Ok(()) => service::within(trace, next.run(request).instrument(span.clone())).await,
        Err(error) => error.into_response(),
    };
    response = span.in_scope(|| finish(response, &app, in_progress.route(), &id));
    if let Some(origin) = origin {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
    }
    if !app.settings().cors_origins.is_empty() {
        response.headers_mut().append(header::VARY, HeaderValue::from_static("origin"));
    }
    if is_chunked {
        // hyper drops a `Content-Length` that came with this header. If a proxy had believed it,
        // the two would disagree on where the next request begins (RFC 9112, 6.1).
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    in_progress.finish(response)
}

/// Middleware around one route: the token, its scope, and the kind of the body.
pub async fn scoped(
    State((app, scope, body)): State<(Arc<App>, Scope, BodyKind)>,
    mut request: Request,
    next: Next,
) -> Response {
    let (allowed, charge) = authorize(&app, &request, scope);
    let admitted = match charge {
        Some(charge) => app.admit(charge).await.map_err(Error::too_many),
        None => Ok(()),
    };
    let checked =
        admitted.and(allowed).and_then(|allowed| check_body(&request, body).map(|()| allowed));
    match checked {
        Ok(allowed) => {
            // For the tools of the Model Context Protocol.
            request.extensions_mut().insert(allowed.indexes());
            request.extensions_mut().insert(allowed);
            next.run(request).await
        }
        Err(error) => error.into_response(),
    }
}

/// Rejects requests that no route accepts.
fn check_head(app: &App, request: &Request) -> Result<()> {
    let headers = request.headers();
    // A proxy and this server could disagree on where such a request ends (request smuggling).
    if body::is_chunked(headers) && headers.contains_key(header::CONTENT_LENGTH) {
        return Err(Error::usage("Content-Length and Transfer-Encoding exclude each other"));
    }
    // A few compressed bytes can expand to any size.
    if headers.contains_key(header::CONTENT_ENCODING) {
        return Err(Error::unsupported("compressed bodies are not supported"));
    }
    let host = host_of(headers, request.uri())?;
    if !app.allows_host(&host) {
        return Err(Error::forbidden("Host not allowed")
            .hint("add it to the setting `serve.allowed_hosts`"));
    }
    if let Some(origin) = headers.get(header::ORIGIN) {
        let origin = origin.to_str().unwrap_or_default();
        let name = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        let is_own = name.is_some_and(|name| name.eq_ignore_ascii_case(&host));
        if !is_own && foreign_origin(app, request).is_none() {
            return Err(Error::forbidden("cross-origin requests are not allowed")
                .hint("the setting `serve.cors_origins` lists the allowed origins"));
        }
    }
    Ok(())
}

/// Headers of responses that pages of other origins may read.
const EXPOSED_HEADERS: HeaderValue = HeaderValue::from_static("x-request-id, retry-after");

/// Headers of requests that pages of other origins may set.
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, x-request-id, x-rag-k, x-rag-filter, x-rag-session, \
     x-rag-intent, x-rag-llm",
);

/// The origin of a request, when the settings allow it.
fn foreign_origin(app: &App, request: &Request) -> Option<HeaderValue> {
    let origin = request.headers().get(header::ORIGIN)?;
    let name = origin.to_str().ok()?.to_ascii_lowercase();
    app.settings().cors_origins.contains(&name).then(|| origin.clone())
}

/// Whether a browser asks if it may send a request (CORS).
fn is_preflight(request: &Request) -> bool {
    request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The reply to a preflight of an allowed origin. Credentials are not allowed: tokens are sent in a
/// header.
fn preflight() -> Response {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, PUT, DELETE")),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS),
        (header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600")),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// The host of a request, which must name exactly one.
fn host_of(headers: &HeaderMap, uri: &Uri) -> Result<String> {
    let bad = || Error::usage("the request must have exactly one Host");
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

/// Checks the token of a request for a route of this scope, and says whom the request counts
/// against. It counts even when it is refused for its token: guesses of tokens count against the
/// peer.
fn authorize(app: &App, request: &Request, scope: Scope) -> (Result<Allowed>, Option<Charge>) {
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
    let settings = app.settings();
    let by_peer = peer.map_or(Caller::Others, Caller::Peer);
    let default =
        Allowance { per_minute: settings.rate_per_minute, per_day: settings.quota_per_day };
    let is_open = app.access.is_open();
    let grant = match is_open {
        true => None,
        false => token_of(request.headers())
            .and_then(|token| app.access.grant(token, app.engine().now_s())),
    };
    let allowed = match grant {
        Some(grant) => {
            let n = u64::from_str_radix(grant.key.slice(grant.key.len().saturating_sub(16)..), 16);
            let n = n.unwrap_or_default();
            let caller = if grant.is_subject { Caller::Subject(n) } else { Caller::Token(n) };
            let allowance = Allowance {
                per_minute: grant.rate_per_minute.unwrap_or(default.per_minute),
                per_day: grant.quota_per_day.unwrap_or(default.per_day),
            };
            Allowed { scope: grant.scope, grant: Some(grant), caller, allowance }
        }
        None if is_open || scope == Scope::Open => {
            let scope = if is_open { Scope::Admin } else { Scope::Open };
            Allowed { scope, grant: None, caller: by_peer, allowance: default }
        }
        None => {
            let refused = Error::unauthorized("missing or invalid token")
                .hint("send `Authorization: Bearer TOKEN`");
            return (Err(refused), Some(Charge { caller: by_peer, key: None, allowance: default }));
        }
    };
    if allowed.scope < scope {
        let what = format!("a token with the scope {} is required", scope.name());
        return (Err(Error::forbidden(what)), None);
    }
    let charge = (scope != Scope::Open).then(|| allowed.charge());
    (Ok(allowed), charge)
}

/// Whether the token of an open connection is still valid.
pub fn is_still_allowed(app: &App, allowed: &Allowed) -> bool {
    match &allowed.grant {
        Some(grant) => app.access.is_still_valid(grant, app.engine().now_s()),
        None => app.access.is_open(),
    }
}

/// Counts a message of a WebSocket like a request.
///
/// # Errors
/// When the token is not valid any more, or its limit is reached.
pub async fn admit_message(app: &App, allowed: &Allowed) -> Result<()> {
    if !is_still_allowed(app, allowed) {
        return Err(Error::unauthorized("the token is not valid any more"));
    }
    app.admit(allowed.charge()).await.map_err(Error::too_many)
}

/// The token of a request. A page cannot set the header of a WebSocket, and offers the token as a
/// protocol instead.
fn token_of(headers: &HeaderMap) -> Option<&str> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        return bearer(value);
    }
    let offered = headers.get(header::SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?;
    offered.split(',').find_map(|protocol| protocol.trim().strip_prefix("bearer."))
}

fn bearer(value: &HeaderValue) -> Option<&str> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Rejects bodies that are not JSON. A page of another site can send forms and plain text without a
/// CORS preflight, but not JSON.
fn check_body(request: &Request, kind: BodyKind) -> Result<()> {
    let headers = request.headers();
    let has_body = body::is_expected(headers);
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    let is_accepted = match kind {
        BodyKind::Any => true,
        BodyKind::Json => body::is_json(headers),
        BodyKind::JsonOrUntyped => body::is_json_or_untyped(headers),
    };
    if changes && has_body && !is_accepted {
        return Err(body::not_json());
    }
    Ok(())
}

/// The client's own id when it is valid, or a new one.
fn request_id(headers: &HeaderMap) -> Arc<str> {
    let is_valid = |id: &str| {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
        (1..=MAX_REQUEST_ID_BYTES).contains(&id.len()) && id.bytes().all(is_plain)
    };
    let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).filter(|id| is_valid(id));
    given.map_or_else(|| disk::random_id().unwrap_or_default().into(), Into::into)
}

fn random() -> Option<u128> {
    disk::random_id().ok().and_then(|id| u128::from_str_radix(&id, 16).ok())
}

/// Counts an error, and logs its cause in the span of the request. `route` is a route pattern,
/// never a path.
pub fn record(app: &App, error: &Error, route: &str) {
    app.service.observer().failed(app.engine(), error.code(), route);
    if error.status().is_server_error() {
        let cause = error.cause().map(ToString::to_string).unwrap_or_default();
        telemetry::error!(status = error.status().as_u16(), code = error.code(), cause, "failed");
    }
}

/// Adds the headers, and to an error its body.
fn finish(mut response: Response, app: &App, route: &str, id: &str) -> Response {
    if let Some(error) = response.extensions_mut().remove::<Error>() {
        record(app, &error, route);
        response = error.response(id);
    } else if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        let allow = response.headers().get(header::ALLOW).cloned();
        let error =
            Error::new(StatusCode::METHOD_NOT_ALLOWED, "method", "this route has no such method");
        record(app, &error, route);
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
