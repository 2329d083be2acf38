//! What went wrong, whose doing it is, and what to try next.
//!
//! A [`Fault`] is the only error type that crosses rooms. Its [`Kind`] decides the exit code in
//! `cli/exit.rs` and the status in `serve/error.rs`; its message names the bad thing; its hint says
//! what to do. The underlying causes follow the message wherever it is shown.

use std::cell::RefCell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// Result of everything that can go wrong in a way the user should hear about.
pub type Result<T> = std::result::Result<T, Fault>;

/// Whose doing a fault is. A closed set: the exit codes are a function of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The machine or this program failed: I/O, a missing library, a broken invariant.
    Failed,
    /// The user asked for something that makes no sense.
    Usage,
    /// Bytes on disk are not what was written.
    Damaged,
    /// Another process holds the lock.
    Busy,
    /// A service outside this machine failed.
    Outside,
    /// The user or the system asked the process to stop.
    Interrupted,
    /// It took longer than whoever waits had set.
    Late,
}

/// Why a language model on a server yields no answer, in words that any client may read: without
/// the address, the key, or what the server says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No connection could be made.
    Unreachable,
    /// The key is missing or not taken.
    Unauthorized,
    /// There is no such model, or no such address.
    NotFound,
    /// The server has too much to do.
    Overloaded,
    /// The server does not take the request.
    Rejected,
    /// The server reports a failure of its own.
    Failing,
    /// The server was silent for too long, or took too long in all.
    Late,
    /// What came is no reply.
    Garbled,
    /// The reply ended before its end.
    BrokenOff,
    /// The model ended without a word that can be shown.
    Empty,
    /// The server failed again and again and is left alone for a while.
    Paused,
}

impl Reason {
    pub const ALL: [Self; 11] = [
        Self::Unreachable,
        Self::Unauthorized,
        Self::NotFound,
        Self::Overloaded,
        Self::Rejected,
        Self::Failing,
        Self::Late,
        Self::Garbled,
        Self::BrokenOff,
        Self::Empty,
        Self::Paused,
    ];

    /// A stable word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Unauthorized => "unauthorized",
            Self::NotFound => "not_found",
            Self::Overloaded => "overloaded",
            Self::Rejected => "rejected",
            Self::Failing => "failing",
            Self::Late => "late",
            Self::Garbled => "garbled",
            Self::BrokenOff => "broken_off",
            Self::Empty => "empty",
            Self::Paused => "paused",
        }
    }

    pub fn sentence(self) -> &'static str {
        match self {
            Self::Unreachable => "the language model's server cannot be reached",
            Self::Unauthorized => {
                "the language model's server does not accept the key of this server"
            }
            Self::NotFound => {
                "the language model's server does not have the model, or its address is wrong"
            }
            Self::Overloaded => "the language model's server has too much to do",
            Self::Rejected => "the language model's server rejects the request",
            Self::Failing => "the language model's server reports an error",
            Self::Late => "the language model did not answer in time",
            Self::Garbled => "the language model's server sent a reply that cannot be understood",
            Self::BrokenOff => "the language model's server broke off its reply",
            Self::Empty => "the language model wrote nothing that can be shown",
            Self::Paused => {
                "the language model failed several times in a row and is left alone for a while"
            }
        }
    }
}

/// What a build that lacks a Cargo feature says of it.
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

    /// Adds why a language model failed, for those who may not read the message.
    #[must_use]
    pub fn reason(mut self, reason: Reason) -> Self {
        self.reason = Some(reason);
        self
    }

    /// Adds when a new try may succeed.
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

    /// True when a disk, or this user's share of it, is full.
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

/// The message, then the chain of causes, each after a colon.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for cause in self.cause.iter().flat_map(anyhow::Error::chain) {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Fault {}

thread_local! {
    /// Where this thread panicked last: set by the hook, taken by [`caught`].
    static PANICKED_AT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Notes where this thread panics, for [`caught`]. To be called by the panic hook.
pub fn note_panic(place: String) {
    PANICKED_AT.with(|noted| *noted.borrow_mut() = Some(place));
}

/// Runs `work`. A panic costs this piece of work and not the process: it becomes a fault that says
/// where it happened. The message of a panic may quote text of strangers and is not repeated.
/// Whatever `work` was changing may be half done.
///
/// # Errors
/// Those of `work`, and a [`Kind::Failed`] fault for a panic.
pub fn caught<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let place = PANICKED_AT.with(|noted| noted.borrow_mut().take());
        let place = place.map(|place| format!(" ({place})")).unwrap_or_default();
        Err(Fault::failed(format!("{what} failed because of a bug in rag{place}"))
            .hint("please report it"))
    })
}

/// Turns a foreign error into a [`Fault`] that says what was being done.
pub trait Context<T> {
    /// A [`Kind::Failed`] fault with this message; the foreign error becomes its cause.
    fn or_failed(self, message: impl FnOnce() -> String) -> Result<T>;
    /// A [`Kind::Damaged`] fault with this message; the foreign error becomes its cause.
    fn or_damaged(self, message: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<anyhow::Error>> Context<T> for std::result::Result<T, E> {
    fn or_failed(self, message: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|e| Fault::failed(message()).because(e))
    }

    fn or_damaged(self, message: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|e| Fault::damaged(message()).because(e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_fault_that_says_where_and_quotes_nobody() {
        let secret = "a stranger's words".to_owned();
        let fault = caught("answering", || -> Result<()> {
            note_panic("src/x.rs:7".to_owned());
            std::panic::resume_unwind(Box::new(secret))
        })
        .unwrap_err();
        assert_eq!(fault.to_string(), "answering failed because of a bug in rag (src/x.rs:7)");
        assert_eq!(fault.kind(), Kind::Failed);
        // The place belongs to one panic.
        let other =
            caught("answering", || -> Result<()> { std::panic::resume_unwind(Box::new(())) })
                .unwrap_err();
        assert_eq!(other.to_string(), "answering failed because of a bug in rag");
        assert_eq!(caught("answering", || Ok(7)).unwrap(), 7);
    }
}
