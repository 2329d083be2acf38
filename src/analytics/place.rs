//! Where records are: in a file of this machine, or in the database that servers share.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Record;
use super::{in_postgres, rows};
use crate::error::Result;
use crate::ledger::{Ledger, Postgres};

/// A folder, or a database.
#[derive(Clone)]
pub enum Place {
    Folder(PathBuf),
    Postgres(Arc<Postgres>),
}

impl Place {
    /// The place of the records of a data directory.
    pub fn new(ledger: &Ledger, data_dir: &Path) -> Self {
        match ledger {
            Ledger::Local => Self::Folder(data_dir.join("analytics")),
            Ledger::Postgres(postgres) => Self::Postgres(Arc::clone(postgres)),
        }
    }

    /// Calls `visit` with every record since `since_s`, oldest first; a damaged one is `None`.
    /// Returns false when there never was a record.
    pub(super) fn read(
        &self,
        since_s: i64,
        visit: &mut dyn FnMut(i64, Option<Record>),
    ) -> Result<bool> {
        match self {
            Self::Folder(dir) => rows::read(dir, since_s, visit),
            Self::Postgres(postgres) => in_postgres::read(postgres, since_s, visit),
        }
    }
}

impl From<&Place> for Place {
    fn from(place: &Place) -> Self {
        place.clone()
    }
}

impl From<&Path> for Place {
    fn from(dir: &Path) -> Self {
        Self::Folder(dir.to_owned())
    }
}

impl From<&PathBuf> for Place {
    fn from(dir: &PathBuf) -> Self {
        Self::Folder(dir.clone())
    }
}
