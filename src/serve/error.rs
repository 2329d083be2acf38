//! What a client is told when something goes wrong: a stable word, a sentence, perhaps what to do.
//! Never a path of this machine, a statement, a stack or the text of a document; those go to the
//! log, beside the id of the request.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::error::{self, Fault, Kind, Reason};
use crate::service::Problem;
use crate::wire::input::Misfit;

/// Longest message; what quotes a client's own words could be as long as these.
const MAX_MESSAGE_CHARS: usize = 400;

/// When a server that is ending, or somebody who holds what is wanted, may be asked again.
const SOON: Duration = Duration::from_secs(1);

/// What a response says that is a refusal or a failure
#[derive(Serialize, ToSchema)]
pub struct ErrorBody {
    error: ErrorObject,
}

/// What went wrong
#[derive(Serialize, ToSchema)]
pub struct ErrorObject {
    /// A stable word, such as usage, forbidden, conflict, busy, timeout or internal
    code: String,
    /// One sentence
    message: String,
    /// What to try
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// What the log of the server calls the request
    request_id: String,
    /// Why a language model failed: unreachable, unauthorized, `not_found`, overloaded, rejected,
    /// failing, late, garbled, `broken_off`, empty or paused
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Seconds after which a new try may succeed, as in the header `Retry-After`
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_s: Option<u64>,
    /// Below /v1: what clients of that interface tell errors apart by
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    /// Below /v1: the parameter that is wrong
    #[serde(skip_serializing_if = "Option::is_none")]
    param: Option<String>,
}

/// A refusal or a failure. As a response it is a status without a body; the guard writes the body,
/// because it knows the id of the request.
#[derive(Clone, Debug)]
pub struct Error {
    status: StatusCode,
    code: &'static str,
    message: String,
    hint: Option<String>,
    retry_after: Option<Duration>,
    /// Why a language model failed.
    reason: Option<Reason>,
    /// The parameter that is wrong, where clients expect to be told.
    param: Option<String>,
    /// Clients of another interface read it, which has words of its own.
    is_compatible: bool,
    /// For the log.
    cause: Option<Arc<Fault>>,
}

pub type Result<T> = std::result::Result<T, Error>;

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
            is_compatible: false,
            cause: None,
        }
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "usage", message)
    }

    /// What does not fit of a request; `whole` is what its parts are parts of, such as "the body".
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

    /// A service that this server asks has failed; nothing that it says is shown.
    fn outside(fault: &Fault) -> Self {
        let reason = fault.reason_given();
        let (status, code) = match reason {
            Some(Reason::Late) => (StatusCode::GATEWAY_TIMEOUT, "timeout"),
            Some(Reason::Paused | Reason::Overloaded) => {
                (StatusCode::SERVICE_UNAVAILABLE, "outside")
            }
            _ => (StatusCode::BAD_GATEWAY, "outside"),
        };
        let message = reason.map_or("a service that this server asks has failed", Reason::sentence);
        Self { reason, retry_after: fault.retry_time(), ..Self::new(status, code, message) }
    }

    /// The server is being stopped.
    pub fn closing() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the server is being stopped")
            .retry_after(SOON)
    }

    pub fn internal() -> Self {
        let message =
            "something went wrong here; the log of the server says more under this request's id";
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

    /// Names the parameter that is wrong.
    #[must_use]
    pub fn param(mut self, name: impl Into<String>) -> Self {
        self.param = Some(name.into());
        self
    }

    /// With the words that clients of `/v1` expect.
    #[must_use]
    pub fn compatible(mut self) -> Self {
        self.is_compatible = true;
        self
    }

    /// What is behind it, for the log.
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

    /// The object that stands under `error`.
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
        if self.is_compatible {
            error["type"] = kind(self.status).into();
            error["param"] = self.param.as_deref().map(public).into();
        }
        error
    }

    /// The response with its body.
    pub fn response(&self, request_id: &str) -> Response {
        let body = json!({ "error": self.json(request_id) }).to_string();
        let mut response =
            (self.status, [(header::CONTENT_TYPE, "application/json")], body).into_response();
        let headers = response.headers_mut();
        if let Some(time) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds(time)));
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
            Kind::Busy => Self::new(StatusCode::CONFLICT, "busy", "this is in use at the moment")
                .retry_after(SOON),
            Kind::Interrupted => Self::closing(),
            Kind::Damaged => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "damaged",
                "data on the server is damaged; its log names the file under this request's id",
            ),
            Kind::Outside => Self::outside(&fault),
            Kind::Failed if fault.is_disk_full() => {
                let what = "the disk of the server is full, and nothing was changed";
                Self::new(StatusCode::INSUFFICIENT_STORAGE, "disk_full", what)
                    .hint("make room where the data directory of the server is, then send it again")
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
            Problem::NoSession => {
                Self::not_found("there is no such session").hint("POST /sessions makes one")
            }
            Problem::Full { retry_after } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "too many questions are waiting")
                    .retry_after(retry_after)
            }
            Problem::Closing => Self::closing(),
        }
    }
}

/// That there is no index of this name.
pub fn no_index(name: &str) -> Error {
    Error::not_found(format!("there is no index `{name}`")).hint("GET /indexes lists what there is")
}

/// What clients of `/v1` call errors of a status.
fn kind(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        500.. => "server_error",
        _ => "invalid_request_error",
    }
}

/// A fault as a part of an answer: why somebody else wrote it.
pub fn fault_json(fault: &Fault) -> Value {
    let message = match fault.kind() {
        Kind::Outside => {
            fault.reason_given().map_or("the language model failed", Reason::sentence).to_owned()
        }
        Kind::Late | Kind::Usage => public(&fault.to_string()),
        _ => "the language model could not be asked".to_owned(),
    };
    match fault.reason_given() {
        Some(reason) => json!({ "message": message, "reason": reason.name() }),
        None => json!({ "message": message }),
    }
}

/// As `Retry-After` has it: whole seconds, one at least.
fn seconds(time: Duration) -> u64 {
    time.as_secs_f64().ceil().max(1.0) as u64
}

/// A text without absolute paths and not longer than a message may be. Messages that may be shown
/// hold none; this is for the one that somebody writes tomorrow.
pub fn public(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().take(MAX_MESSAGE_CHARS).peekable();
    let mut before = ' ';
    while let Some(c) = chars.next() {
        let begins = c == '/'
            && !before.is_alphanumeric()
            && !matches!(before, '.' | '-' | '_' | '>' | '<' | ':' | '/');
        // Routes of this server may be named.
        let is_path =
            begins && chars.peek().is_some_and(|next| next.is_alphanumeric() || *next == '.');
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
        let is_route = super::routes::NAMES.iter().any(|name| {
            path.strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
        });
        out.push_str(if is_route { &path } else { "…" });
        before = '…';
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_message_names_a_path_of_the_machine() {
        let check = |text: &str, expected: &str| assert_eq!(public(text), expected);
        check("cannot read /var/lib/rag/x.db: no", "cannot read … no");
        check("cannot read `/home/a b/x`", "cannot read `… b/x`");
        check("GET /indexes lists what there is", "GET /indexes lists what there is");
        check("POST /documents?path=a.md and /documentsx", "POST /documents?path=a.md and …");
        check(
            "a filter such as path:drafts/** and/or type:pdf",
            "a filter such as path:drafts/** and/or type:pdf",
        );
        check("at http://localhost:1/v1", "at http://localhost:1/v1");
        assert!(public(&"x".repeat(10_000)).len() <= MAX_MESSAGE_CHARS);
    }

    #[test]
    fn a_full_disk_is_told() {
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
    fn why_a_language_model_failed_is_told_apart_without_its_words() {
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
                Reason::Paused | Reason::Overloaded => 503,
                _ => 502,
            };
            assert_eq!(error.status().as_u16(), expected, "{reason:?}");
            assert_eq!(error.response("id").headers()["retry-after"], "30");
        }
    }

    #[test]
    fn the_inside_of_a_failure_is_for_the_log() {
        for kind in [Kind::Failed, Kind::Damaged, Kind::Outside, Kind::Busy, Kind::Interrupted] {
            let error = Error::from(Fault::new(kind, "SELECT secret FROM /etc/x").hint("secret"));
            let json = error.json("id").to_string();
            assert!(!json.contains("secret") && !json.contains("SELECT"), "{json}");
            assert!(error.cause().is_some_and(|cause| cause.to_string().contains("secret")));
        }
    }
}
