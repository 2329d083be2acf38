//! Commands, replies, and why there is none.

use std::time::Duration;

/// A command with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command(Vec<Vec<u8>>);

impl Command {
    pub fn new(name: &str) -> Self {
        Self(vec![name.as_bytes().to_vec()])
    }

    /// A script, its keys and its arguments.
    pub fn script(source: &str, keys: &[String]) -> Self {
        let start = Self::new("EVAL").arg(source).arg(keys.len().to_string());
        keys.iter().fold(start, Command::arg)
    }

    #[must_use]
    pub fn arg(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.0.push(bytes.as_ref().to_vec());
        self
    }

    pub fn parts(&self) -> &[Vec<u8>] {
        &self.0
    }
}

/// A reply.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Nil,
    Int(i64),
    Bytes(Vec<u8>),
    List(Vec<Value>),
    /// The server refused this command, for example because its memory is full.
    Refused(String),
}

impl Value {
    /// A number, or a text that is one.
    pub fn int(&self) -> Option<i64> {
        match self {
            Self::Int(n) => Some(*n),
            Self::Bytes(bytes) => std::str::from_utf8(bytes).ok()?.parse().ok(),
            _ => None,
        }
    }

    pub fn bytes(self) -> Option<Vec<u8>> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    pub fn text(self) -> Option<String> {
        String::from_utf8(self.bytes()?).ok()
    }

    pub fn list(self) -> Vec<Self> {
        match self {
            Self::List(values) => values,
            _ => Vec::new(),
        }
    }
}

/// Why there is no reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The circuit breaker is open: nothing was sent.
    Paused,
    /// Every connection is in use: nothing was sent.
    Busy,
    /// The store was not reached, was too late, or refused the command. Without address and
    /// password.
    Failed(String),
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Paused => f.write_str("it failed several times in a row; requests are paused"),
            Self::Busy => f.write_str("every connection is in use"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

pub type Reply<T> = std::result::Result<T, Lost>;

/// The state of a store, for health checks and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Whether the circuit breaker lets commands pass.
    pub is_closed: bool,
    /// Open connections, those in use, and the most there may be.
    pub open: usize,
    pub used: usize,
    pub most: usize,
    /// Of the last reply.
    pub latency: Option<Duration>,
}
