//! What went wrong, whose doing it is, and what to try next.
//!
//! A [`Fault`] is the only error type that crosses rooms. Its [`Kind`] decides the exit code in `cli/exit.rs` and the
//! status in `serve/error.rs`; its message names the bad thing; its hint says what to do. The underlying causes follow the
//! message wherever it is shown.

use std::fmt;

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

/// One fault: kind, message, hint and cause.
#[derive(Debug)]
pub struct Fault {
    kind: Kind,
    message: String,
    hint: Option<String>,
    cause: Option<anyhow::Error>,
}

impl Fault {
    /// A fault of `kind` whose message is one lower-case sentence without a full stop.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, cause: None }
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

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// True when a disk, or this user's share of it, is full.
    pub fn is_disk_full(&self) -> bool {
        let causes = self.cause.iter().flat_map(anyhow::Error::chain);
        causes
            .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
            .any(|e| matches!(e.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded))
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
