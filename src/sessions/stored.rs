//! What an engine stores of conversations, and what it answers.

/// How long a session stays locked by a server that was killed.
pub(super) const LEASE_S: i64 = 30;

/// A stored turn: its number from 1, and the turn as JSON.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub n: u64,
    pub at: i64,
    pub body: String,
}

/// A session in a list: the first turn, `None` when it is damaged.
pub(super) struct Listed {
    pub id: String,
    pub turns: u64,
    pub first: Option<Row>,
    pub title: Option<String>,
    pub used: i64,
}

/// How storing a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Appended {
    Stored,
    /// Another server holds the session.
    InUse,
    /// The session has other turns than this process knows.
    Changed,
}
