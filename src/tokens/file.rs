//! The tokens of one machine: an SQLite file.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use rusqlite::Connection;

use super::rows;
use super::token::Token;
use crate::disk;
use crate::error::{Fault, Result, locked};
use crate::sqlite::{self, Opened};

/// File name; the schema version is inside.
pub(super) const FILE: &str = "tokens.db";

/// From one version of the schema to the next. A newer file is not used.
const STEPS: &[&str] = &[rows::SCHEMA];

/// The file of all tokens.
pub struct File {
    path: PathBuf,
    connection: Mutex<Connection>,
    is_writable: bool,
}

impl File {
    pub fn open(dir: &Path) -> Result<Self> {
        disk::create_dir(dir)?;
        let path = dir.join(FILE);
        let (connection, is_writable) =
            match sqlite::open(&path, STEPS).map_err(|e| at(&path, e))? {
                Opened::Writable(connection) => (connection, true),
                Opened::ReadOnly(connection) => (connection, false),
                Opened::Absent => {
                    return Err(Fault::failed(format!("cannot create {}", path.display())));
                }
                Opened::Damaged => return Err(damaged(&path)),
                Opened::Newer => {
                    let what = format!("{} is of a newer version of rag", path.display());
                    return Err(Fault::failed(what).hint("install that version"));
                }
            };
        Ok(Self { path, connection: Mutex::new(connection), is_writable })
    }

    /// `None` while there is no file.
    pub fn find(dir: &Path) -> Result<Option<Self>> {
        if dir.join(FILE).is_file() { Self::open(dir).map(Some) } else { Ok(None) }
    }

    pub fn insert(&self, token: &Token) -> Result<()> {
        self.check_writable()?;
        rows::insert(&self.locked(), token).map_err(|e| at(&self.path, e))
    }

    pub fn list(&self) -> Result<Vec<Token>> {
        rows::all(&self.locked()).map_err(|e| at(&self.path, e))
    }

    /// Returns the number of revoked tokens.
    pub fn revoke(&self, name: &str, now_s: i64) -> Result<u64> {
        self.check_writable()?;
        let n = rows::revoke(&self.locked(), name, now_s).map_err(|e| at(&self.path, e))?;
        Ok(n as u64)
    }

    pub fn version(&self) -> Result<i64> {
        let connection = self.locked();
        let version = connection.pragma_query_value(None, "data_version", |row| row.get(0));
        version.map_err(|e| at(&self.path, e))
    }

    fn check_writable(&self) -> Result<()> {
        match self.is_writable {
            true => Ok(()),
            false => Err(Fault::failed(format!("{} cannot be written to", self.path.display()))),
        }
    }

    fn locked(&self) -> MutexGuard<'_, Connection> {
        locked(&self.connection)
    }
}

fn damaged(path: &Path) -> Fault {
    Fault::damaged(format!("{} is damaged", path.display()))
        .hint("move it away, then add the tokens again with `rag token add`")
}

fn at(path: &Path, error: rusqlite::Error) -> Fault {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
            Fault::busy(format!("{} is locked by another process", path.display()))
        }
        Some(rusqlite::ErrorCode::NotADatabase | rusqlite::ErrorCode::DatabaseCorrupt) => {
            damaged(path)
        }
        _ => Fault::failed(format!("cannot use {}", path.display())).because(error),
    }
}
