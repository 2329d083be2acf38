//! The store that several servers share: Redis, or a server that speaks its protocol (Valkey).
//!
//! Everything in it may be lost: vectors, rankings and answers that can be computed again, locks
//! and limits that live for seconds, sessions where no database keeps them. So a failure here is a
//! value, [`Lost`], and the caller continues without the store. A circuit breaker keeps a store
//! that is down or slow from slowing anything else.

#[cfg(feature = "cluster")]
mod breaker;
mod command;
mod hint;
mod packed;
#[cfg_attr(not(feature = "cluster"), path = "left_out.rs")]
mod redis;

use std::sync::Arc;

#[cfg(feature = "cluster")]
pub use breaker::Breaker;
pub use command::{Command, Lost, Reply, Status, Value};
pub use hint::Hint;
pub use packed::{Packed, pack, unpack, unpack_unchecked};
pub use redis::Redis;

use crate::config::SharedStore;
use crate::error::Result;

/// Where shared state lives.
#[derive(Clone)]
pub enum Shared {
    /// On this machine only: the caches and sessions of the data directory.
    Local,
    Redis(Arc<Redis>),
}

/// What a connection is for; each use may have its own database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Caches, locks and limits.
    Cache,
    Sessions,
}

impl Shared {
    /// The store that the settings name. Nothing is sent yet.
    ///
    /// # Errors
    /// A usage fault for an address that cannot be used, and for a file of certificates that cannot
    /// be read.
    pub fn open(settings: &SharedStore, usage: Use) -> Result<Self> {
        let database = match usage {
            Use::Cache => settings.cache_database,
            Use::Sessions => settings.session_database,
        };
        match settings.url {
            Some(_) => Ok(Self::Redis(Arc::new(Redis::open(settings, database)?))),
            None => Ok(Self::Local),
        }
    }

    pub fn redis(&self) -> Option<&Arc<Redis>> {
        match self {
            Self::Local => None,
            Self::Redis(redis) => Some(redis),
        }
    }
}
