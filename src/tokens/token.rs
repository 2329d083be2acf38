//! A token: its scope, its indexes, and whether it is valid.

use std::sync::Arc;

use crate::strings::named;

named! {
    /// What a token may do. A higher scope includes the lower ones.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    pub enum Scope {
        /// Without a token: the page and the health probes.
        Open = "open",
        Read = "read",
        Write = "write",
        Admin = "admin",
    }
}

impl Scope {
    /// The scope that a token may have.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Read, Self::Write, Self::Admin].into_iter().find(|scope| scope.name() == name)
    }
}

/// The indexes that a client may use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Indexes {
    #[default]
    All,
    /// At least one name.
    Only(Arc<[String]>),
}

impl Indexes {
    pub fn of(names: Vec<String>) -> Self {
        if names.is_empty() { Self::All } else { Self::Only(names.into()) }
    }

    pub fn allows(&self, index: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.iter().any(|name| name == index),
        }
    }

    pub fn is_all(&self) -> bool {
        matches!(self, Self::All)
    }

    /// The index of a request that names none: the configured one, or the first that is allowed.
    pub fn default_of<'a>(&'a self, configured: &'a str) -> &'a str {
        match self {
            Self::Only(names) if !self.allows(configured) => {
                names.first().map_or(configured, String::as_str)
            }
            _ => configured,
        }
    }
}

/// A token as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub name: String,
    /// In hexadecimal.
    pub sha256: String,
    pub scope: Scope,
    pub indexes: Indexes,
    pub created_s: i64,
    /// Invalid from then on.
    pub expires_s: Option<i64>,
    pub rate_per_minute: Option<u64>,
    pub quota_per_day: Option<u64>,
    pub revoked_s: Option<i64>,
}

impl Token {
    pub fn is_valid(&self, now_s: i64) -> bool {
        self.revoked_s.is_none() && self.expires_s.is_none_or(|end| now_s < end)
    }
}
