//! What a token grants, whichever way it came.

use std::sync::Arc;

use crate::tokens::{Indexes, Scope};

/// What a valid token grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Names the token: its hash, or that of the subject of an identity provider.
    pub key: Arc<str>,
    /// The key names a subject. There may be any number of them.
    pub is_subject: bool,
    pub scope: Scope,
    pub indexes: Indexes,
    pub expires_s: Option<i64>,
    /// Where the token has limits of its own.
    pub rate_per_minute: Option<u64>,
    pub quota_per_day: Option<u64>,
}
