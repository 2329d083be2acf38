//! Access tokens and their scopes: those of the settings, those of `rag token`, and tokens of an
//! identity provider.
//!
//! Tokens are kept as hashes. Every request is compared with all of them in constant time, so its
//! duration reveals nothing about a token. Changes of the stored ones take effect within a second,
//! for open connections, too.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use jiff::civil::{self, Date};
use subtle::ConstantTimeEq as _;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::grant::Grant;
use super::jwt::Jwt;
use crate::config;
use crate::config::{Config, Secret};
use crate::disk;
use crate::error::{Fault, Kind, Result, locked};
use crate::ledger::Ledger;
use crate::telemetry;
pub use crate::tokens::Scope;
use crate::tokens::{self, Indexes, Tokens};

/// How often changes of the stored tokens and of keys are looked for.
const INTERVAL: Duration = Duration::from_millis(250);

/// How long tokens from a database that does not answer stay valid.
const LAST_KNOWN: Duration = Duration::from_secs(3600);

const DAY_S: i64 = 86_400;

/// The tokens of a server.
pub struct Access {
    /// Those of the settings.
    fixed: Vec<Entry>,
    /// The folder of the stored ones, where no ledger keeps them.
    dir: PathBuf,
    ledger: Ledger,
    stored: RwLock<Stored>,
    /// Their place, and its version when it was last read. `None` while there is no file.
    place: Mutex<Option<(Tokens, i64)>>,
    jwt: Option<Jwt>,
    /// The last attempt to read the stored tokens failed.
    has_failed: AtomicBool,
    /// Notified when the stored tokens have changed.
    changed: watch::Sender<()>,
}

/// The stored tokens, as last read.
#[derive(Default)]
struct Stored {
    entries: Vec<Entry>,
    /// There is a token, perhaps a revoked one, so requests need one.
    exists: bool,
    /// When that was last known to be current.
    at: Option<Instant>,
}

/// A valid token.
#[derive(Clone, Debug)]
struct Entry {
    sha256: Arc<str>,
    scope: Scope,
    indexes: Indexes,
    /// Invalid from then on.
    expires_s: Option<i64>,
    rate_per_minute: Option<u64>,
    quota_per_day: Option<u64>,
}

impl Access {
    /// The tokens that the settings name, and the stored ones.
    ///
    /// # Errors
    /// A usage fault for a file that is missing or readable by others, for an invalid line, which
    /// it names without showing a token, and for incomplete settings of an identity provider.
    pub fn new(config: &Config, ledger: &Ledger) -> Result<Self> {
        let mut fixed = Vec::new();
        if let Some(token) = &config.serve.token {
            let token = Entry::new(token.expose(), Scope::Admin);
            fixed.push(token.map_err(|why| config.refuse("serve.token", &why))?);
        }
        if let Some(path) = &config.serve.token_file {
            fixed.extend(read(config, path)?);
        }
        let access = Self {
            fixed,
            dir: tokens::dir(&config.data_dir),
            ledger: ledger.clone(),
            stored: RwLock::default(),
            place: Mutex::default(),
            jwt: Jwt::new(config)?,
            has_failed: AtomicBool::new(false),
            changed: watch::Sender::new(()),
        };
        match access.refresh_stored() {
            // What it knows about tokens is unknown, so the server is not open.
            Err(fault) if fault.kind() == Kind::Outside => {
                telemetry::warn!(cause = fault.to_string(), "the stored tokens cannot be read yet");
                access.write_stored().exists = true;
            }
            refreshed => refreshed?,
        }
        Ok(access)
    }

    /// True when no token is configured, and every request is allowed.
    pub fn is_open(&self) -> bool {
        self.fixed.is_empty() && self.jwt.is_none() && !self.read_stored().exists
    }

    /// What `token` grants at `now_s` (Unix seconds); `None` for an unknown or expired token.
    pub fn grant(&self, token: &str, now_s: i64) -> Option<Grant> {
        let given = disk::sha256_hex(token.as_bytes());
        let mut found = None;
        let stored = self.read_stored();
        for entry in self.fixed.iter().chain(&stored.entries) {
            let is_equal: bool = entry.sha256.as_bytes().ct_eq(given.as_bytes()).into();
            if is_equal && entry.is_valid(now_s) {
                found = Some(entry.grant());
            }
        }
        found.or_else(|| self.jwt.as_ref()?.grant(token, now_s))
    }

    /// Whether a token that was valid still is.
    pub fn is_still_valid(&self, grant: &Grant, now_s: i64) -> bool {
        let is_current = grant.expires_s.is_none_or(|end| now_s < end);
        let is_same = |entry: &&Entry| entry.sha256 == grant.key;
        let stored = self.read_stored();
        let has_entry = self.fixed.iter().chain(&stored.entries).any(|entry| is_same(&entry));
        is_current && (grant.is_subject || has_entry)
    }

    /// Notified when the stored tokens change.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Follows changes of the stored tokens and of keys until the server stops.
    pub async fn follow(access: Arc<Self>, stopping: CancellationToken) {
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                () = tokio::time::sleep(INTERVAL) => {}
            }
            let access = Arc::clone(&access);
            let _ = tokio::task::spawn_blocking(move || access.refresh()).await;
        }
    }

    /// Reads what has changed. Tokens of a file that cannot be read are not valid: one of them may
    /// have been revoked. A database that does not answer stores no revocation either, so tokens
    /// that were read from it stay valid for [`LAST_KNOWN`].
    pub fn refresh(&self) {
        match self.refresh_stored() {
            Ok(()) => self.has_failed.store(false, Ordering::Relaxed),
            Err(fault) => self.distrust(&fault),
        }
        if let Some(jwt) = &self.jwt {
            jwt.refresh();
        }
    }

    fn distrust(&self, fault: &Fault) {
        let is_away = fault.kind() == Kind::Outside;
        if is_away && self.read_stored().at.is_some_and(|at| at.elapsed() < LAST_KNOWN) {
            return;
        }
        if !self.has_failed.swap(true, Ordering::Relaxed) {
            telemetry::error!(cause = fault.to_string(), "the stored tokens cannot be read");
            *locked(&self.place) = None;
            self.write_stored().entries.clear();
            self.changed.send_replace(());
        }
    }

    fn refresh_stored(&self) -> Result<()> {
        let mut place = locked(&self.place);
        if place.is_none() {
            *place = Tokens::find(&self.ledger, &self.dir)?.map(|tokens| (tokens, -1));
        }
        let Some((tokens, known)) = &mut *place else { return Ok(()) };
        let version = tokens.version()?;
        if version == *known {
            self.write_stored().at = Some(Instant::now());
            return Ok(());
        }
        let all = tokens.list()?;
        *known = version;
        let entries = all.iter().filter(|token| token.revoked_s.is_none()).map(|token| Entry {
            sha256: token.sha256.as_str().into(),
            scope: token.scope,
            indexes: token.indexes.clone(),
            expires_s: token.expires_s,
            rate_per_minute: token.rate_per_minute,
            quota_per_day: token.quota_per_day,
        });
        // The file of a machine that joined others counts too: it must not become open by that.
        let exists = !all.is_empty()
            || Tokens::find(&Ledger::Local, &self.dir)?
                .is_some_and(|file| file.list().map_or(true, |all| !all.is_empty()));
        let at = Some(Instant::now());
        *self.write_stored() = Stored { exists, at, entries: entries.collect() };
        self.changed.send_replace(());
        Ok(())
    }

    fn write_stored(&self) -> std::sync::RwLockWriteGuard<'_, Stored> {
        self.stored.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_stored(&self) -> std::sync::RwLockReadGuard<'_, Stored> {
        self.stored.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn new(text: &str, scope: Scope) -> Result<Self, String> {
        if let Some(why) = config::secret_problem(text, config::MIN_TOKEN_CHARS) {
            return Err(why);
        }
        Ok(Self {
            sha256: disk::sha256_hex(text.as_bytes()).into(),
            scope,
            indexes: Indexes::All,
            expires_s: None,
            rate_per_minute: None,
            quota_per_day: None,
        })
    }

    fn is_valid(&self, now_s: i64) -> bool {
        self.expires_s.is_none_or(|end| now_s < end)
    }

    fn grant(&self) -> Grant {
        let Self { sha256, scope, indexes, expires_s, rate_per_minute, quota_per_day } =
            self.clone();
        let is_subject = false;
        Grant { key: sha256, is_subject, scope, indexes, expires_s, rate_per_minute, quota_per_day }
    }
}

fn read(config: &Config, path: &Path) -> Result<Vec<Entry>> {
    let refused = |why: &str| config.refuse("serve.token_file", why);
    let unreadable = |e: std::io::Error| refused(&config::read_problem(&e));
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if metadata.mode() & 0o077 != 0 {
        let hint = format!("chmod 600 {}", path.display());
        return Err(refused("the file is readable by other users").hint(hint));
    }
    let text = Secret::new(std::fs::read_to_string(path).map_err(unreadable)?);
    let mut tokens = Vec::new();
    for (line, n) in text.expose().lines().map(str::trim).zip(1..) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let token = parse(line).map_err(|why| {
            Fault::usage(format!("{}:{n}: {why}", path.display())).hint(
                "expected `SCOPE TOKEN [expires YYYY-MM-DD] [rate N] [indexes NAME,…]`; the rate \
                 is in requests per minute",
            )
        })?;
        tokens.push(token);
    }
    if tokens.is_empty() {
        return Err(refused("the file has no token"));
    }
    Ok(tokens)
}

fn parse(line: &str) -> Result<Entry, String> {
    let mut words = line.split_whitespace();
    let scope = words.next().unwrap_or_default();
    let scope = Scope::from_name(scope).ok_or("the scope must be read, write or admin")?;
    let token = words.next().ok_or("the token is missing")?;
    let mut entry = Entry::new(token, scope).map_err(|why| format!("the token {why}"))?;
    while let Some(word) = words.next() {
        let value = words.next().ok_or("`expires`, `rate` and `indexes` take a value")?;
        match word {
            "expires" => {
                let last_day = day(value).ok_or("invalid date")?;
                entry.expires_s = Some((last_day + 1) * DAY_S);
            }
            "rate" => entry.rate_per_minute = Some(value.parse().map_err(|_| "invalid rate")?),
            "indexes" if value.split(',').all(config::is_name) => {
                entry.indexes = Indexes::of(value.split(',').map(str::to_owned).collect());
            }
            "indexes" => return Err("invalid name of an index".to_owned()),
            _ => {
                let what = "only `expires`, `rate` and `indexes` may follow the token";
                return Err(what.to_owned());
            }
        }
    }
    Ok(entry)
}

/// Days from 1970-01-01 to a date, which has exactly the form `2026-03-31`.
fn day(text: &str) -> Option<i64> {
    let date: Date = text.parse().ok()?;
    let is_exact = date.year() > 0 && date.to_string() == text;
    is_exact.then(|| date.duration_since(civil::date(1970, 1, 1)).as_hours() / 24)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::NewToken;

    const DAY: i64 = 86_400;

    #[test]
    fn a_day_is_one_exact_date() {
        for (text, expected) in [
            ("1970-01-01", 0),
            ("2024-02-29", 19_782),
            ("2099-12-31", 47_481),
            ("1969-12-31", -1),
            ("0001-01-01", -719_162),
            ("9999-12-31", 2_932_896),
        ] {
            assert_eq!(day(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "2026",
            "2026-02-30",
            "2025-02-29",
            "2026-13-01",
            "2026-1-01",
            "2026-01-01-01",
            "a-b-c",
            "20260101",
            "2026-01-01T00:00",
            "0000-01-01",
            "-000001-01-01",
            "+002026-01-01",
            "10000-01-01",
            " 2026-01-01",
        ] {
            assert_eq!(day(text), None, "{text}");
        }
    }

    fn access(fixed: Vec<Entry>, dir: PathBuf) -> Access {
        Access {
            fixed,
            dir,
            ledger: Ledger::Local,
            stored: RwLock::default(),
            place: Mutex::default(),
            jwt: None,
            has_failed: AtomicBool::new(false),
            changed: watch::Sender::new(()),
        }
    }

    /// With the interval of the looks, a revocation takes effect within a second.
    #[test]
    fn one_look_at_the_stored_tokens_ends_a_revoked_one() {
        const { assert!(2 * INTERVAL.as_millis() <= 1000) }
        let dir = tempfile::tempdir().unwrap();
        let tokens = Tokens::open(&Ledger::Local, dir.path()).unwrap();
        let new = |name: &str| NewToken {
            name: name.to_owned(),
            scope: Scope::Read,
            indexes: Indexes::All,
            expires_s: None,
            rate_per_minute: None,
            quota_per_day: None,
        };
        let (ada, eve) = (tokens.add(new("ada"), 0).unwrap(), tokens.add(new("eve"), 0).unwrap());
        let access = access(Vec::new(), dir.path().to_owned());
        let is_granted = |token: &str| access.grant(token, 0).is_some();
        access.refresh();
        assert!(is_granted(&ada) && is_granted(&eve));
        let held = access.grant(&eve, 0).unwrap();
        let changes = access.changes();
        tokens.revoke("eve", 0).unwrap();
        access.refresh();
        assert!(is_granted(&ada) && !is_granted(&eve));
        assert!(!access.is_still_valid(&held, 0), "an open connection ends");
        assert!(changes.has_changed().unwrap(), "open connections are told");
        // Tokens that cannot be read are not valid.
        drop(tokens);
        *access.place.lock().unwrap() = None;
        std::fs::write(dir.path().join("tokens.db"), "no database").unwrap();
        access.refresh();
        assert!(!is_granted(&ada) && !access.is_open());
    }

    #[test]
    fn a_token_grants_its_scope_until_it_expires() {
        let lines = [
            "read aaaaaaaaaaaaaaaa indexes docs,wiki",
            "admin bbbbbbbbbbbbbbbb expires 1970-01-03 rate 7",
        ];
        let fixed = lines.iter().map(|line| parse(line).unwrap()).collect();
        let access = access(fixed, PathBuf::new());
        let scope = |token, now_s| access.grant(token, now_s).map(|grant| grant.scope);
        assert_eq!(scope("aaaaaaaaaaaaaaaa", 1 << 40), Some(Scope::Read));
        assert_eq!(scope("bbbbbbbbbbbbbbbb", 3 * DAY - 1), Some(Scope::Admin));
        assert_eq!(scope("bbbbbbbbbbbbbbbb", 3 * DAY), None);
        assert_eq!(scope("aaaaaaaaaaaaaaa", 0), None);
        let b = access.grant("bbbbbbbbbbbbbbbb", 0).unwrap();
        assert_eq!((b.rate_per_minute, &b.indexes), (Some(7), &Indexes::All));
        assert!(access.is_still_valid(&b, 0) && !access.is_still_valid(&b, 3 * DAY));
        let a = access.grant("aaaaaaaaaaaaaaaa", 0).unwrap();
        assert!(a.indexes.allows("wiki") && !a.indexes.allows("default"));
        assert!(!format!("{:?}", access.fixed).contains("aaaa"), "tokens are not kept");
    }

    #[test]
    fn an_invalid_line_is_reported_without_its_token() {
        for line in [
            "root aaaaaaaaaaaaaaaa",
            "read",
            "read short",
            "read aaaaaaaaaaaaaaaa expires soon",
            "read aaaaaaaaaaaaaaaa x 1",
            "read aaaaaaaaaaaaaaaa indexes a,../b",
        ] {
            let why = parse(line).unwrap_err();
            assert!(!why.contains("aaaa") && !why.contains("short"), "{why}");
        }
    }
}
