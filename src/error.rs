//! Errors: what went wrong, who can fix it, and what to try next.
//!
//! A [`Fault`] is the only error type that crosses rooms. Its [`Kind`] determines the exit code in
//! `cli/exit.rs` and the status in `serve/error.rs`; its message names the thing that is wrong; its
//! hint says what to do. The causes follow the message wherever it is shown.

use std::cell::RefCell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::strings::named;

/// The result of everything whose failure is reported to the user.
pub type Result<T, E = Fault> = std::result::Result<T, E>;

/// The kind of a fault. A closed set: exit codes depend on it only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The machine or the program failed: I/O, a missing library, a broken invariant.
    Failed,
    /// The command, the request or its input is invalid.
    Usage,
    /// Bytes on disk are not those that were written.
    Damaged,
    /// Another process holds the lock.
    Busy,
    /// A service outside this machine failed.
    Outside,
    /// The user or the system stopped the process.
    Interrupted,
    /// It took longer than the caller's deadline.
    Late,
}

named! {
    /// Why a language model on a server returned no answer, or that another engine did not, in
    /// terms that any client may read: without the address, the key, or the server's reply. Its
    /// name is that in JSON and metrics.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Reason {
        /// No connection could be made.
        Unreachable = "unreachable",
        /// The key is missing or not accepted.
        Unauthorized = "unauthorized",
        /// The model or the address does not exist.
        NotFound = "not_found",
        /// The server is overloaded.
        Overloaded = "overloaded",
        /// The server does not accept the request.
        Rejected = "rejected",
        /// The server reports an internal error.
        Failing = "failing",
        /// The server was silent for too long, or took too long in all.
        Late = "late",
        /// The response is invalid.
        Garbled = "garbled",
        /// The reply is incomplete.
        BrokenOff = "broken_off",
        /// The reply has no text that can be shown.
        Empty = "empty",
        /// The server failed repeatedly, and no requests are sent for a while.
        Paused = "paused",
        /// A database or a store that several servers share does not answer.
        Engine = "engine",
    }
}

impl Reason {
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Unreachable => "the language model's server cannot be reached",
            Self::Unauthorized => {
                "the language model's server does not accept the key of this server"
            }
            Self::NotFound => {
                "the language model's server does not have the model, or its address is wrong"
            }
            Self::Overloaded => "the language model's server is overloaded",
            Self::Rejected => "the language model's server rejects the request",
            Self::Failing => "the language model's server reports an error",
            Self::Late => "the language model did not answer in time",
            Self::Garbled => "the language model's server sent an invalid reply",
            Self::BrokenOff => "the language model's server broke off its reply",
            Self::Empty => "the language model wrote nothing that can be shown",
            Self::Paused => "the language model failed several times in a row; requests are paused",
            Self::Engine => "a database or a store that this server needs does not answer",
        }
    }
}

/// The message of a build without a Cargo feature.
pub fn without(feature: &str) -> String {
    format!("this rag was built without `{feature}`")
}

/// One fault: kind, message, hint and cause.
#[derive(Debug)]
pub struct Fault {
    kind: Kind,
    message: String,
    hint: Option<String>,
    cause: Option<anyhow::Error>,
    reason: Option<Reason>,
    retry_after: Option<Duration>,
}

impl Fault {
    /// A fault of `kind` whose message is one lower-case sentence without a full stop.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
            cause: None,
            reason: None,
            retry_after: None,
        }
    }

    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message)
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    pub fn damaged(message: impl Into<String>) -> Self {
        Self::new(Kind::Damaged, message)
    }

    pub fn busy(message: impl Into<String>) -> Self {
        Self::new(Kind::Busy, message)
    }

    pub fn outside(message: impl Into<String>) -> Self {
        Self::new(Kind::Outside, message)
    }

    pub fn interrupted() -> Self {
        Self::new(Kind::Interrupted, "interrupted")
    }

    pub fn late(message: impl Into<String>) -> Self {
        Self::new(Kind::Late, message)
    }

    /// This build lacks a Cargo feature that the command or setting needs.
    pub fn left_out(feature: &str) -> Self {
        Self::failed(without(feature)).hint("install a build of rag with all of its features")
    }

    /// Adds what to try next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the underlying cause.
    #[must_use]
    pub fn because(mut self, cause: impl Into<anyhow::Error>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Adds why a language model or another engine failed, for clients that may not see the
    /// message.
    #[must_use]
    pub fn reason(mut self, reason: Reason) -> Self {
        self.reason = Some(reason);
        self
    }

    /// Adds when another try may succeed.
    #[must_use]
    pub fn retry_after(mut self, time: Duration) -> Self {
        self.retry_after = Some(time);
        self
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub fn reason_given(&self) -> Option<Reason> {
        self.reason
    }

    pub fn retry_time(&self) -> Option<Duration> {
        self.retry_after
    }

    /// True when a disk or the user's quota is full.
    pub fn is_disk_full(&self) -> bool {
        let causes = self.cause.iter().flat_map(anyhow::Error::chain);
        causes.filter_map(|cause| cause.downcast_ref::<std::io::Error>()).any(|e| {
            matches!(e.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
        })
    }

    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

/// The message, then the chain of causes, each after a colon. Some crates repeat the text of a
/// cause in their own; it is written once.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        let mut last = String::new();
        for cause in self.cause.iter().flat_map(anyhow::Error::chain) {
            let text = cause.to_string();
            if !last.ends_with(&text) {
                write!(f, ": {text}")?;
                last = text;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Fault {}

thread_local! {
    /// Where this thread panicked last: set by the hook, taken by [`catch_panic`].
    static PANICKED_AT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Records where this thread panics, for [`catch_panic`]. The panic hook calls it.
pub fn record_panic(location: String) {
    PANICKED_AT.set(Some(location));
}

/// Runs `work`. A panic ends it but not the process: it becomes a fault that says where it
/// happened. The panic's message may quote a document and is not repeated. Whatever `work` was
/// changing may be incomplete.
///
/// # Errors
/// Those of `work`, and a [`Kind::Failed`] fault for a panic.
pub fn catch_panic<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let location = PANICKED_AT.take().map(|at| format!(" ({at})")).unwrap_or_default();
        Err(Fault::failed(format!("{what} failed because of a bug in rag{location}"))
            .hint("please report it"))
    })
}

/// Locks a mutex. A panic fails one question only, and what it leaves under a lock is whole: every
/// holder changes it in one step.
pub fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Converts errors of other crates to a [`Fault`] that says what failed.
pub trait Context<T> {
    /// A [`Kind::Failed`] fault with this message and the error as its cause.
    fn or_failed(self, message: impl FnOnce() -> String) -> Result<T>;
    /// As [`Context::or_failed`], with the message that a path cannot be read, written or the like.
    fn or_cannot(self, verb: &str, path: &Path) -> Result<T>;
    /// A [`Kind::Damaged`] fault with this message and the error as its cause.
    fn or_damaged(self, message: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<anyhow::Error>> Context<T> for std::result::Result<T, E> {
    fn or_failed(self, message: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|e| Fault::failed(message()).because(e))
    }

    fn or_cannot(self, verb: &str, path: &Path) -> Result<T> {
        self.or_failed(|| format!("cannot {verb} {}", path.display()))
    }

    fn or_damaged(self, message: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|e| Fault::damaged(message()).because(e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_fault_with_its_location_and_no_quotation() {
        let secret = "text of a document".to_owned();
        let fault = catch_panic("answering", || -> Result<()> {
            record_panic("src/x.rs:7".to_owned());
            std::panic::resume_unwind(Box::new(secret))
        })
        .unwrap_err();
        assert_eq!(fault.to_string(), "answering failed because of a bug in rag (src/x.rs:7)");
        assert_eq!(fault.kind(), Kind::Failed);
        // The location belongs to one panic.
        let other =
            catch_panic("answering", || -> Result<()> { std::panic::resume_unwind(Box::new(())) })
                .unwrap_err();
        assert_eq!(other.to_string(), "answering failed because of a bug in rag");
        assert_eq!(catch_panic("answering", || Ok(7)).unwrap(), 7);
    }
}
