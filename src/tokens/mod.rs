//! Access tokens of servers: named, each with a scope, the indexes that it may use, an expiry and
//! limits. They are in one SQLite file, or in the database that several servers share; both have
//! hashes of the tokens and never a token.
//!
//! A revoked token keeps its row, so a server that had tokens once never becomes open to everybody.

mod file;
mod in_postgres;
mod rows;
mod token;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config;
use crate::disk;
use crate::error::{Fault, Result};
use crate::ledger::{Ledger, Postgres};
use file::File;
pub use token::{Indexes, Scope, Token};

/// Tokens of one place. Every request is compared with all of them.
const MAX_TOKENS: usize = 10_000;

/// What a new token grants.
#[derive(Clone, Debug)]
pub struct NewToken {
    pub name: String,
    pub scope: Scope,
    pub indexes: Indexes,
    pub expires_s: Option<i64>,
    pub rate_per_minute: Option<u64>,
    pub quota_per_day: Option<u64>,
}

/// All tokens.
pub enum Tokens {
    /// Of this machine.
    File(File),
    /// Of all servers.
    Postgres(Arc<Postgres>),
}

/// The folder of the file in a data directory.
pub fn dir(data_dir: &Path) -> PathBuf {
    data_dir.join("access")
}

impl Tokens {
    /// The tokens of the ledger, or of the file in `dir`, which is created if it is missing.
    ///
    /// # Errors
    /// [`Kind::Damaged`](crate::error::Kind::Damaged) for a file that is not a database; when it
    /// cannot be created, or is of a newer version.
    pub fn open(ledger: &Ledger, dir: &Path) -> Result<Self> {
        match ledger {
            Ledger::Local => File::open(dir).map(Self::File),
            Ledger::Postgres(postgres) => Ok(Self::Postgres(Arc::clone(postgres))),
        }
    }

    /// As [`Tokens::open`]; `None` while there is neither a ledger nor a file.
    ///
    /// # Errors
    /// As [`Tokens::open`].
    pub fn find(ledger: &Ledger, dir: &Path) -> Result<Option<Self>> {
        match ledger {
            Ledger::Local => Ok(File::find(dir)?.map(Self::File)),
            Ledger::Postgres(postgres) => Ok(Some(Self::Postgres(Arc::clone(postgres)))),
        }
    }

    /// Adds a token, and returns it. It is not stored, so it cannot be shown again.
    ///
    /// # Errors
    /// A usage fault for an invalid name, and for one that a valid token has.
    pub fn add(&self, new: NewToken, now_s: i64) -> Result<String> {
        if !config::is_name(&new.name) {
            return Err(Fault::usage(format!("invalid token name `{}`", new.name)).hint(
                "a name has letters, digits, `.`, `_` and `-`, 100 at most, and begins with a \
                 letter or digit",
            ));
        }
        let all = self.list()?;
        if all.len() >= MAX_TOKENS {
            return Err(Fault::failed(format!("there are {MAX_TOKENS} tokens already")));
        }
        if all.iter().any(|token| token.name == new.name && token.is_valid(now_s)) {
            return Err(Fault::usage(format!("there is a token `{}`", new.name))
                .hint("revoke it first, or choose another name"));
        }
        // 256 random bits.
        let secret = format!("rag_{}{}", disk::random_id()?, disk::random_id()?);
        self.insert(&Token {
            sha256: disk::sha256_hex(secret.as_bytes()),
            name: new.name,
            scope: new.scope,
            indexes: new.indexes,
            created_s: now_s,
            expires_s: new.expires_s,
            rate_per_minute: new.rate_per_minute,
            quota_per_day: new.quota_per_day,
            revoked_s: None,
        })?;
        Ok(secret)
    }

    /// Adds a token as another place has stored it; one that is here already is kept.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn insert(&self, token: &Token) -> Result<()> {
        match self {
            Self::File(file) => file.insert(token),
            Self::Postgres(postgres) => in_postgres::insert(postgres, token),
        }
    }

    /// All tokens, the oldest first, with those that are revoked or have expired.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn list(&self) -> Result<Vec<Token>> {
        match self {
            Self::File(file) => file.list(),
            Self::Postgres(postgres) => in_postgres::all(postgres),
        }
    }

    /// Revokes the tokens of a name. Servers notice within a second.
    ///
    /// # Errors
    /// A usage fault when no valid token has the name.
    pub fn revoke(&self, name: &str, now_s: i64) -> Result<()> {
        let n = match self {
            Self::File(file) => file.revoke(name, now_s)?,
            Self::Postgres(postgres) => in_postgres::revoke(postgres, name, now_s)?,
        };
        match n {
            0 => Err(Fault::usage(format!("there is no token `{name}`"))
                .hint("`rag token list` lists the tokens")),
            _ => Ok(()),
        }
    }

    /// A number that changes when another process has changed a token.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn version(&self) -> Result<i64> {
        match self {
            Self::File(file) => file.version(),
            Self::Postgres(postgres) => in_postgres::version(postgres),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(name: &str, indexes: &[&str]) -> NewToken {
        NewToken {
            name: name.to_owned(),
            scope: Scope::Read,
            indexes: Indexes::of(indexes.iter().map(|name| (*name).to_owned()).collect()),
            expires_s: Some(100),
            rate_per_minute: Some(7),
            quota_per_day: None,
        }
    }

    #[test]
    fn a_token_is_kept_as_a_hash_until_it_is_revoked() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Tokens::find(&Ledger::Local, dir.path()).unwrap().is_none());
        let tokens = Tokens::open(&Ledger::Local, dir.path()).unwrap();
        let secret = tokens.add(new("ada", &["docs", "wiki"]), 10).unwrap();
        assert!(secret.len() == 68 && secret.starts_with("rag_"), "{secret}");
        let ada = tokens.list().unwrap().remove(0);
        assert_eq!(ada.sha256, disk::sha256_hex(secret.as_bytes()));
        assert_eq!((ada.created_s, ada.rate_per_minute, ada.quota_per_day), (10, Some(7), None));
        assert_eq!(ada.indexes, new("", &["docs", "wiki"]).indexes);
        assert!(ada.is_valid(99) && !ada.is_valid(100));
        for file in std::fs::read_dir(dir.path()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()));
        }

        // Another process changes the file.
        let other = Tokens::open(&Ledger::Local, dir.path()).unwrap();
        let before = tokens.version().unwrap();
        assert!(other.add(new("ada", &[]), 20).is_err(), "the name is taken");
        other.revoke("ada", 30).unwrap();
        assert_ne!(tokens.version().unwrap(), before);
        let ada = tokens.list().unwrap().remove(0);
        assert!(ada.revoked_s == Some(30) && !ada.is_valid(40));
        assert!(other.revoke("ada", 40).is_err() && other.revoke("eve", 40).is_err());
        other.add(new("ada", &[]), 50).unwrap();
        assert_eq!(tokens.list().unwrap().len(), 2);
        assert!(tokens.add(new("../x", &[]), 0).is_err());
    }

    #[test]
    fn a_damaged_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(file::FILE), "x".repeat(4096)).unwrap();
        let fault = Tokens::find(&Ledger::Local, dir.path()).err().unwrap();
        assert!(fault.to_string().contains(file::FILE), "{fault}");
    }

    #[test]
    fn indexes_are_all_or_those_that_are_named() {
        let only = new("x", &["docs", "wiki"]).indexes;
        assert!(only.allows("wiki") && !only.allows("default") && !only.allows("doc"));
        assert_eq!(only.default_of("default"), "docs");
        assert_eq!(only.default_of("wiki"), "wiki");
        assert!(Indexes::All.allows("x"));
        assert_eq!(Indexes::All.default_of("default"), "default");
    }
}
