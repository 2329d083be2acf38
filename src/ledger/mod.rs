//! The database that several servers share for what must not be lost: PostgreSQL.
//!
//! Without one, jobs, sessions and analytics are in files of the data directory. Other rooms own
//! their statements; this one owns the connections, the schema and the faults. Statements go to the
//! configured server only, with parameters, never with text put together from input.

#[cfg_attr(not(feature = "cluster"), path = "left_out.rs")]
mod postgres;
#[cfg_attr(not(feature = "cluster"), expect(dead_code, reason = "only the version is shown"))]
mod schema;
mod value;

use std::sync::Arc;

pub use postgres::{Postgres, Transaction};
pub use schema::VERSION;
pub use value::{Cell, Migration, Param, Row, Status};

use crate::config::Database;
use crate::error::Result;

/// Where jobs, sessions and analytics are kept.
#[derive(Clone)]
pub enum Ledger {
    /// In files of this machine.
    Local,
    Postgres(Arc<Postgres>),
}

impl Ledger {
    /// The database that the settings name. Nothing is sent yet.
    ///
    /// # Errors
    /// A usage fault for an address that cannot be used, and for a file of certificates that cannot
    /// be read.
    pub fn open(settings: &Database) -> Result<Self> {
        match settings.url {
            Some(_) => Ok(Self::Postgres(Arc::new(Postgres::open(settings)?))),
            None => Ok(Self::Local),
        }
    }

    pub fn postgres(&self) -> Option<&Arc<Postgres>> {
        match self {
            Self::Local => None,
            Self::Postgres(postgres) => Some(postgres),
        }
    }
}
