//! Failed attempts: the fault for the caller, and whether another attempt may succeed.

use std::time::Duration;

use super::reply::{self, Invalid};
use super::retry::MAX_RETRY_AFTER;
use crate::config::{Endpoint, Secret};
use crate::error::{Fault, Reason};
use crate::http::Trouble;

const CHECK_ADDRESS: &str = "is the address right? It ends in `/v1` for most servers";

/// An attempt, or a call, without a reply.
pub(super) struct Failure {
    pub fault: Fault,
    pub next: Next,
}

/// What a failure means for the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It may succeed.
    Retry,
    /// It may succeed after this time.
    RetryAfter(Duration),
    /// It would fail again.
    Fail,
    /// It would fail again, though the server is well: the request or the settings are wrong.
    Refused,
}

/// The server in messages about it.
pub(super) struct Server<'a> {
    pub endpoint: &'a Endpoint,
    pub is_local: bool,
}

impl Server<'_> {
    /// The failure of an attempt whose connection ended; `None` when the caller ended it.
    pub fn ended(&self, trouble: Trouble) -> Option<Failure> {
        let (fault, reason, next) = match trouble {
            Trouble::Stopped => return None,
            Trouble::Silent => {
                let s = self.endpoint.timeout.as_secs_f64();
                let hint = "a large model or a long prompt may need a longer time-out";
                let fault = self.fault(&format!("was silent for {s} s")).hint(hint);
                (fault, Reason::Late, Next::Retry)
            }
            Trouble::Late => {
                let s = self.endpoint.answer_timeout.as_secs_f64();
                let fault = self.fault(&format!("did not end its reply within {s} s"));
                (fault.hint("raise `llm.answer_timeout_s`"), Reason::Late, Next::Fail)
            }
            Trouble::Refused(cause) => {
                let hint = match self.is_local {
                    true => "is the server running? `ollama serve` starts Ollama",
                    false => "is the server running, and is the port right?",
                };
                let fault = self.fault("refused the connection").because(cause).hint(hint);
                (fault, Reason::Unreachable, Next::Retry)
            }
            Trouble::Unreachable(cause) => {
                let fault = self.fault("cannot be reached").because(cause).hint(CHECK_ADDRESS);
                (fault, Reason::Unreachable, Next::Retry)
            }
            Trouble::Cut(cause) => {
                (self.fault("broke off").because(cause), Reason::BrokenOff, Next::Retry)
            }
        };
        Some(Failure { fault: fault.reason(reason), next })
    }

    /// The failure of a reply whose status is not 200. `words` are the server's own.
    pub fn refused(&self, status: u16, retry_after: Option<Duration>, words: &str) -> Failure {
        let key = self.endpoint.api_key.as_ref().map(Secret::expose);
        let quoted = match reply::one_line(words, key) {
            words if words.is_empty() => String::new(),
            words => format!(": {words}"),
        };
        let model = &self.endpoint.model;
        let mut fault = self
            .fault(&format!("answered {status} for the model {model:?}{quoted}"))
            .reason(reason(status));
        if let Some(time) = retry_after
            && matches!(status, 429 | 503 | 529)
        {
            fault = fault.retry_after(time);
        }
        if let Some(hint) = self.hint(status, retry_after) {
            fault = fault.hint(hint);
        }
        Failure { fault, next: next(status, retry_after) }
    }

    fn hint(&self, status: u16, retry_after: Option<Duration>) -> Option<String> {
        let hint = match (status, retry_after) {
            (401 | 403, _) => match self.endpoint.api_key {
                Some(_) => "the server rejects the key",
                None => "the server requires a key",
            },
            (404, _) => {
                "does the server have this model, and is the address right, `/v1` included?"
            }
            (300..400, _) => {
                "redirects are not followed, because the key would go along; set the address they \
                 lead to"
            }
            (_, Some(time)) if is_transient(status) && time > MAX_RETRY_AFTER => {
                return Some(format!("the server asks for a pause of {} s", time.as_secs()));
            }
            (400 | 413 | 422, _) => {
                "does the prompt fit the model, and does the model accept these settings?"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }

    /// The failure of a reply of another content type.
    pub fn not_a_chat(&self, content_type: &str) -> Failure {
        let content = match content_type {
            "" => "content without a type".to_owned(),
            other => reply::one_line(other, None),
        };
        let fault = self
            .fault(&format!("answered with {content}, not with a chat reply"))
            .reason(Reason::Garbled)
            .hint(CHECK_ADDRESS);
        Failure { fault, next: Next::Fail }
    }

    /// The failure of a reply that cannot be read.
    pub fn invalid(&self, invalid: Invalid) -> Failure {
        match invalid {
            Invalid::NotJson => self.garbled("sent something that is not a chat reply"),
            Invalid::TooLong => self.too_long(),
            Invalid::Error { words, status } => self.refused(status.unwrap_or(500), None, &words),
        }
    }

    pub fn too_long(&self) -> Failure {
        self.garbled("exceeded the size limit of a reply")
    }

    pub fn garbled(&self, what: &str) -> Failure {
        Failure { fault: self.fault(what).reason(Reason::Garbled), next: Next::Retry }
    }

    fn fault(&self, what: &str) -> Fault {
        Fault::outside(format!("{} {what}", self.endpoint.base_url))
    }
}

/// Statuses of servers that may soon answer.
fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
}

fn next(status: u16, retry_after: Option<Duration>) -> Next {
    match (status, retry_after) {
        (status, Some(time)) if is_transient(status) => Next::RetryAfter(time),
        (status, None) if is_transient(status) => Next::Retry,
        (400..500, _) => Next::Refused,
        _ => Next::Fail,
    }
}

fn reason(status: u16) -> Reason {
    match status {
        401 | 403 => Reason::Unauthorized,
        404 => Reason::NotFound,
        429 | 503 | 529 => Reason::Overloaded,
        400..500 => Reason::Rejected,
        _ => Reason::Failing,
    }
}
