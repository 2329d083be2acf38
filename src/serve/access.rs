//! Access tokens and their scopes.
//!
//! Tokens are kept as hashes. Every request is compared with all of them in constant time, so its
//! duration reveals nothing about a token.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use jiff::civil::{self, Date};
use subtle::ConstantTimeEq as _;

use crate::config;
use crate::config::{Config, Secret};
use crate::disk;
use crate::error::{Fault, Result};

/// What a route requires. A higher scope includes the lower ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// No token: the page and the health probes.
    Open,
    Read,
    Write,
    Admin,
}

impl Scope {
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Read, Self::Write, Self::Admin].into_iter().find(|scope| scope.name() == name)
    }
}

/// The tokens of a server.
#[derive(Debug, Default)]
pub struct Access {
    tokens: Vec<Token>,
}

#[derive(Debug)]
struct Token {
    sha256: String,
    scope: Scope,
    /// Last valid day, in days since 1970.
    expires: Option<i64>,
    rate_per_minute: Option<u64>,
}

/// What a valid token grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Index of the token in the configuration order.
    pub token: usize,
    pub scope: Scope,
    /// Requests per minute, where the token's line sets a rate.
    pub rate_per_minute: Option<u64>,
}

impl Access {
    /// The tokens that the settings name.
    ///
    /// # Errors
    /// A usage fault for a file that is missing or readable by others, and for an invalid line; it
    /// names the line and shows no token.
    pub fn new(config: &Config) -> Result<Self> {
        let mut access = Self::default();
        if let Some(token) = &config.serve.token {
            let token = Token::new(token.expose(), Scope::Admin, None, None);
            access.tokens.push(token.map_err(|why| config.refuse("serve.token", &why))?);
        }
        if let Some(path) = &config.serve.token_file {
            access.tokens.extend(read(config, path)?);
        }
        Ok(access)
    }

    /// True when no token is configured, and every request is allowed.
    pub fn is_open(&self) -> bool {
        self.tokens.is_empty()
    }

    /// The SHA-256 of a token.
    pub fn hash(&self, token: usize) -> Option<&str> {
        self.tokens.get(token).map(|token| token.sha256.as_str())
    }

    /// What `token` grants at `now_s` (Unix seconds); `None` for an unknown or expired token.
    pub fn grant(&self, token: &str, now_s: i64) -> Option<Grant> {
        let given = disk::sha256_hex(token.as_bytes());
        let today = now_s.div_euclid(86_400);
        let mut found = None;
        for (n, token) in self.tokens.iter().enumerate() {
            let is_equal: bool = token.sha256.as_bytes().ct_eq(given.as_bytes()).into();
            if is_equal && token.expires.is_none_or(|last_day| today <= last_day) {
                let Token { scope, rate_per_minute, .. } = *token;
                found = Some(Grant { token: n, scope, rate_per_minute });
            }
        }
        found
    }
}

impl Token {
    fn new(
        text: &str,
        scope: Scope,
        expires: Option<i64>,
        rate_per_minute: Option<u64>,
    ) -> std::result::Result<Self, String> {
        if let Some(why) = config::secret_problem(text, config::MIN_TOKEN_CHARS) {
            return Err(why);
        }
        Ok(Self { sha256: disk::sha256_hex(text.as_bytes()), scope, expires, rate_per_minute })
    }
}

fn read(config: &Config, path: &Path) -> Result<Vec<Token>> {
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
                "expected `SCOPE TOKEN [expires YYYY-MM-DD] [rate N]`; the rate is in requests \
                 per minute",
            )
        })?;
        tokens.push(token);
    }
    if tokens.is_empty() {
        return Err(refused("the file has no token"));
    }
    Ok(tokens)
}

fn parse(line: &str) -> std::result::Result<Token, String> {
    let mut words = line.split_whitespace();
    let scope = words.next().unwrap_or_default();
    let scope = Scope::from_name(scope).ok_or("the scope must be read, write or admin")?;
    let token = words.next().ok_or("the token is missing")?;
    let (mut expires, mut rate) = (None, None);
    while let Some(word) = words.next() {
        let value = words.next().ok_or("`expires` and `rate` take a value")?;
        match word {
            "expires" => expires = Some(day(value).ok_or("invalid date")?),
            "rate" => rate = Some(value.parse().map_err(|_| "invalid rate")?),
            _ => return Err("only `expires` and `rate` may follow the token".to_owned()),
        }
    }
    Token::new(token, scope, expires, rate).map_err(|why| format!("the token {why}"))
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

    #[test]
    fn a_token_grants_its_scope_until_it_expires() {
        let lines = ["read aaaaaaaaaaaaaaaa", "admin bbbbbbbbbbbbbbbb expires 1970-01-03 rate 7"];
        let access = Access { tokens: lines.iter().map(|line| parse(line).unwrap()).collect() };
        let scope = |token, now_s| access.grant(token, now_s).map(|grant| grant.scope);
        assert_eq!(scope("aaaaaaaaaaaaaaaa", 1 << 40), Some(Scope::Read));
        assert_eq!(scope("bbbbbbbbbbbbbbbb", 3 * DAY - 1), Some(Scope::Admin));
        assert_eq!(scope("bbbbbbbbbbbbbbbb", 3 * DAY), None);
        assert_eq!(scope("aaaaaaaaaaaaaaa", 0), None);
        assert_eq!(access.grant("bbbbbbbbbbbbbbbb", 0).unwrap().rate_per_minute, Some(7));
        assert!(!format!("{access:?}").contains("aaaa"), "tokens are not kept");
    }

    #[test]
    fn an_invalid_line_is_reported_without_its_token() {
        for line in [
            "root aaaaaaaaaaaaaaaa",
            "read",
            "read short",
            "read aaaaaaaaaaaaaaaa expires soon",
            "read aaaaaaaaaaaaaaaa x 1",
        ] {
            let why = parse(line).unwrap_err();
            assert!(!why.contains("aaaa") && !why.contains("short"), "{why}");
        }
    }
}
