//! Errors as clients see them: a stable code, a message and an optional hint.
//!
//! A message never contains a path of this machine, an SQL statement, a stack trace or the text of
//! a document. Those go to the log, beside the request id.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::limits::ROUTE_PREFIXES;
use crate::error::{self, Fault, Kind, Reason};
use crate::service::Problem;
use crate::wire::input::Misfit;

/// The longest message. A message that quotes the request could be as long as the request.
const MAX_MESSAGE_CHARS: usize = 400;

/// `Retry-After` of a server that shuts down, and of a resource in use.
const SOON: Duration = Duration::from_secs(1);

/// The body of every error response
#[derive(Serialize, ToSchema)]
pub struct ErrorBody {
    error: ErrorObject,
}

/// The body of an error response below /api
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub struct OllamaError {
    /// What is wrong, for people
    error: String,
    /// Stable code, such as usage, forbidden, conflict, busy, timeout or internal
    code: String,
    /// What to try next
    hint: Option<String>,
    /// The id of the request, as in the server log
    request_id: String,
    /// Why the language model failed
    reason: Option<String>,
    /// Seconds to wait before a retry, as in the header `Retry-After`
    retry_after_s: Option<u64>,
}

/// An error
#[derive(Serialize, ToSchema)]
pub struct ErrorObject {
    /// Stable code, such as usage, forbidden, conflict, busy, timeout or internal
    code: String,
    /// What is wrong, for people
    message: String,
    /// What to try next
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// The id of the request, as in the server log
    request_id: String,
    /// Why the language model failed: unreachable, unauthorized, `not_found`, overloaded, rejected,
    /// failing, late, garbled, `broken_off`, empty or paused
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Seconds to wait before a retry, as in the header `Retry-After`
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_s: Option<u64>,
    /// Only below /v1: the error type of OpenAI's API
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    /// Only below /v1: the invalid parameter
    #[serde(skip_serializing_if = "Option::is_none")]
    param: Option<String>,
}

/// An error of a handler. As a response it is a status without a body; `guard::outer` writes the
/// body, because it knows the request id.
#[derive(Clone, Debug)]
pub struct Error {
    status: StatusCode,
    code: &'static str,
    message: String,
    hint: Option<String>,
    retry_after: Option<Duration>,
    /// Why the language model failed.
    reason: Option<Reason>,
    /// The invalid parameter, for clients of `/v1`.
    param: Option<String>,
    dialect: Dialect,
    /// Only logged.
    cause: Option<Arc<Fault>>,
}

/// The API whose clients read an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    Own,
    /// With further fields.
    OpenAi,
    /// `error` is the message, and the other fields are beside it.
    Ollama,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A misfit is one of the body, unless its caller says otherwise.
impl From<Misfit> for Error {
    fn from(misfit: Misfit) -> Self {
        Self::misfit(&misfit, "the body")
    }
}

impl Error {
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            hint: None,
            retry_after: None,
            reason: None,
            param: None,
            dialect: Dialect::Own,
            cause: None,
        }
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "usage", message)
    }

    /// A part of a request that does not fit its type; `whole` names the value that it belongs to,
    /// such as "the body".
    pub fn misfit(misfit: &Misfit, whole: &str) -> Self {
        let error = Self::usage(misfit.words(whole));
        let error = misfit.hint().into_iter().fold(error, Self::hint);
        misfit.path().into_iter().fold(error, Self::param)
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }

    /// This build lacks a Cargo feature that the route needs.
    pub fn left_out(feature: &str) -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, "not_implemented", error::without(feature))
            .hint("install a build of rag with all of its features")
    }

    pub fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    }

    /// The route needs a WebSocket.
    pub fn upgrade_required(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UPGRADE_REQUIRED, "usage", message)
    }

    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media_type", message)
    }

    pub fn too_many(retry_after: Duration) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many", "too many requests")
            .retry_after(retry_after)
    }

    pub fn timeout(message: impl Into<String>) -> Self {
        Self::new(StatusCode::GATEWAY_TIMEOUT, "timeout", message)
    }

    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", message)
    }

    /// A failure of the language model or another remote service. Its own message is not shown.
    fn outside(fault: &Fault) -> Self {
        let reason = fault.reason_given();
        let (status, code) = match reason {
            Some(Reason::Late) => (StatusCode::GATEWAY_TIMEOUT, "timeout"),
            Some(Reason::Paused | Reason::Overloaded | Reason::Engine) => {
                (StatusCode::SERVICE_UNAVAILABLE, "outside")
            }
            _ => (StatusCode::BAD_GATEWAY, "outside"),
        };
        let message = reason.map_or("a remote service failed", Reason::sentence);
        let is_engine = reason == Some(Reason::Engine);
        let retry_after = fault.retry_time().or_else(|| is_engine.then_some(SOON));
        Self { retry_after, reason, ..Self::new(status, code, message) }
    }

    /// The server accepts no more questions.
    pub fn closing() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the server is shutting down")
            .retry_after(SOON)
    }

    pub fn internal() -> Self {
        let message = "internal error; the server log has details under this request id";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub fn retry_after(mut self, time: Duration) -> Self {
        self.retry_after = Some(time);
        self
    }

    /// Names the invalid parameter.
    #[must_use]
    pub fn param(mut self, name: impl Into<String>) -> Self {
        self.param = Some(name.into());
        self
    }

    pub fn has_param(&self) -> bool {
        self.param.is_some()
    }

    /// Adds the fields that clients of `/v1` expect.
    #[must_use]
    pub fn openai(mut self) -> Self {
        self.dialect = Dialect::OpenAi;
        self
    }

    /// Gives the body the form that clients of Ollama's API expect.
    #[must_use]
    pub fn ollama(mut self) -> Self {
        self.dialect = Dialect::Ollama;
        self
    }

    /// Sets the cause, which is only logged.
    #[must_use]
    pub fn because(mut self, cause: Arc<Fault>) -> Self {
        self.cause = Some(cause);
        self
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }

    pub fn code(&self) -> &'static str {
        self.code
    }

    pub fn cause(&self) -> Option<&Fault> {
        self.cause.as_deref()
    }

    /// The object under `error`.
    pub fn json(&self, request_id: &str) -> Value {
        let mut error = json!({
            "code": self.code,
            "message": public(&self.message),
            "request_id": request_id,
        });
        if let Some(hint) = &self.hint {
            error["hint"] = public(hint).into();
        }
        if let Some(reason) = self.reason {
            error["reason"] = reason.name().into();
        }
        if let Some(time) = self.retry_after {
            error["retry_after_s"] = seconds(time).into();
        }
        if self.dialect == Dialect::OpenAi {
            error["type"] = openai_type(self.status).into();
            error["param"] = self.param.as_deref().map(public).into();
        }
        error
    }

    /// The whole body.
    pub fn body(&self, request_id: &str) -> Value {
        let mut error = self.json(request_id);
        match self.dialect {
            Dialect::Own | Dialect::OpenAi => json!({ "error": error }),
            Dialect::Ollama => {
                error["error"] = error["message"].take();
                error.as_object_mut().map(|fields| fields.remove("message"));
                error
            }
        }
    }

    /// The response with its body.
    pub fn response(&self, request_id: &str) -> Response {
        let body = self.body(request_id).to_string();
        let mut response =
            (self.status, [(header::CONTENT_TYPE, "application/json")], body).into_response();
        let headers = response.headers_mut();
        if let Some(time) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds(time)));
        }
        if self.status == StatusCode::UPGRADE_REQUIRED {
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Arc::new(fault).into()
    }
}

impl From<Arc<Fault>> for Error {
    fn from(fault: Arc<Fault>) -> Self {
        let error = match fault.kind() {
            Kind::Usage => Self::usage(fault.to_string()),
            Kind::Late => Self::timeout(fault.to_string()),
            Kind::Busy => {
                Self::new(StatusCode::CONFLICT, "busy", "the resource is in use").retry_after(SOON)
            }
            Kind::Interrupted => Self::closing(),
            Kind::Damaged => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "damaged",
                "data on the server is damaged; the server log names the file by this request id",
            ),
            Kind::Outside => Self::outside(&fault),
            Kind::Failed if fault.is_disk_full() => {
                let what = "the disk of the server is full; nothing was changed";
                Self::new(StatusCode::INSUFFICIENT_STORAGE, "disk_full", what)
                    .hint("free space in the data directory of the server, then retry")
            }
            Kind::Failed => Self::internal(),
        };
        let error = match (fault.kind(), fault.hint_text()) {
            (Kind::Usage | Kind::Late, Some(hint)) => error.hint(hint),
            _ => error,
        };
        error.because(fault)
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::Fault(fault) => fault.into(),
            Problem::NoIndex(name) => no_index(&name),
            Problem::NoSession => no_session(),
            Problem::Full { retry_after } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "too many questions are queued")
                    .retry_after(retry_after)
            }
            Problem::Closing => Self::closing(),
        }
    }
}

pub fn no_index(name: &str) -> Error {
    Error::not_found(format!("there is no index `{name}`")).hint("GET /indexes lists the indexes")
}

pub fn no_session() -> Error {
    Error::not_found("there is no such session").hint("POST /sessions creates one")
}

/// The error type of OpenAI's API for a status.
fn openai_type(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        500.. => "server_error",
        _ => "invalid_request_error",
    }
}

/// The fault of a language model as part of an answer that does without it.
pub fn fault_json(fault: &Fault) -> Value {
    let message = match fault.kind() {
        Kind::Outside => {
            fault.reason_given().map_or("the language model failed", Reason::sentence).to_owned()
        }
        Kind::Late | Kind::Usage => public(&fault.to_string()),
        _ => "the language model is not available".to_owned(),
    };
    match fault.reason_given() {
        Some(reason) => json!({ "message": message, "reason": reason.name() }),
        None => json!({ "message": message }),
    }
}

/// The value of `Retry-After`: whole seconds, at least one.
fn seconds(time: Duration) -> u64 {
    time.as_secs_f64().ceil().max(1.0) as u64
}

/// Replaces absolute paths in a message with `…`, except routes of this server, and cuts it to
/// `MAX_MESSAGE_CHARS`. Messages should contain no path; this is the safety net.
pub fn public(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().take(MAX_MESSAGE_CHARS).peekable();
    let mut before = ' ';
    while let Some(c) = chars.next() {
        let continues_word =
            before.is_alphanumeric() || matches!(before, '.' | '-' | '_' | '>' | '<' | ':' | '/');
        let is_path = c == '/'
            && !continues_word
            && chars.peek().is_some_and(|next| next.is_alphanumeric() || *next == '.');
        if !is_path {
            out.push(c);
            before = c;
            continue;
        }
        let mut path = String::from(c);
        while let Some(next) = chars
            .next_if(|next| !next.is_whitespace() && !matches!(next, '`' | '"' | '\'' | ')' | ','))
        {
            path.push(next);
        }
        out.push_str(if is_route(&path) { &path } else { "…" });
        before = '…';
    }
    out
}

fn is_route(path: &str) -> bool {
    ROUTE_PREFIXES.iter().any(|prefix| {
        let rest = path.strip_prefix(prefix);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_contain_no_absolute_path() {
        let check = |text: &str, expected: &str| assert_eq!(public(text), expected);
        check("cannot read /var/lib/rag/x.db: no", "cannot read … no");
        check("cannot read `/home/a b/x`", "cannot read `… b/x`");
        check("GET /indexes lists the indexes", "GET /indexes lists the indexes");
        check("POST /documents?path=a.md and /documentsx", "POST /documents?path=a.md and …");
        check(
            "a filter such as path:drafts/** and/or type:pdf",
            "a filter such as path:drafts/** and/or type:pdf",
        );
        check("at http://localhost:1/v1", "at http://localhost:1/v1");
        assert!(public(&"x".repeat(10_000)).len() <= MAX_MESSAGE_CHARS);
    }

    #[test]
    fn a_full_disk_is_status_507() {
        let errors = [std::io::ErrorKind::StorageFull, std::io::ErrorKind::QuotaExceeded];
        for kind in errors {
            let fault = Fault::failed("cannot write an upload").because(std::io::Error::from(kind));
            let error = Error::from(fault);
            assert_eq!((error.status().as_u16(), error.code()), (507, "disk_full"));
        }
        let other =
            Fault::failed("x").because(std::io::Error::from(std::io::ErrorKind::PermissionDenied));
        assert_eq!(Error::from(other).status().as_u16(), 500);
    }

    #[test]
    fn each_failure_of_a_language_model_has_its_own_message() {
        let mut seen = std::collections::HashSet::new();
        for reason in Reason::ALL {
            let fault =
                Fault::outside("http://10.0.0.7:1/v1 says: secret").reason(reason).hint("secret");
            let error = Error::from(fault.retry_after(Duration::from_millis(29_100)));
            let json = error.json("id");
            assert!(
                !json.to_string().contains("secret") && !json.to_string().contains("10.0.0.7"),
                "{json}"
            );
            assert_eq!(
                (&json["reason"], &json["retry_after_s"]),
                (&json!(reason.name()), &json!(30)),
                "{json}"
            );
            assert!(seen.insert(json["message"].to_string()), "{json}");
            let expected = match reason {
                Reason::Late => 504,
                Reason::Paused | Reason::Overloaded | Reason::Engine => 503,
                _ => 502,
            };
            assert_eq!(error.status().as_u16(), expected, "{reason:?}");
            assert_eq!(error.response("id").headers()["retry-after"], "30");
        }
    }

    #[test]
    fn the_cause_of_a_failure_is_only_logged() {
        for kind in [Kind::Failed, Kind::Damaged, Kind::Outside, Kind::Busy, Kind::Interrupted] {
            let error = Error::from(Fault::new(kind, "SELECT secret FROM /etc/x").hint("secret"));
            let json = error.json("id").to_string();
            assert!(!json.contains("secret") && !json.contains("SELECT"), "{json}");
            assert!(error.cause().is_some_and(|cause| cause.to_string().contains("secret")));
        }
    }
}
