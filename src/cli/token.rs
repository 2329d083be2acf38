//! `rag token`: access tokens of `rag serve`.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::exit::Outcome;
use super::ui::{Ui, safe, time};
use crate::config;
use crate::engine::Engine;
use crate::error::{Fault, Result};
use crate::shared::Hint;
use crate::tokens::{self, Indexes, NewToken, Scope, Token, Tokens};

const DAY_S: i64 = 86_400;

/// Add, list and revoke access tokens of `rag serve`
///
/// Tokens are stored as hashes in the data directory. A running server notices a change within a
/// second. As soon as there is a token, every request needs one.
#[derive(Debug, Args)]
pub struct TokenArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Add a token and print it
    ///
    /// It is shown this once: only its hash is stored.
    Add {
        /// Name of the token
        name: String,
        /// What it may do: read (ask and search), write (also change documents) or admin
        #[arg(long, value_name = "SCOPE", default_value = "read",
              value_parser = ["read", "write", "admin"])]
        scope: String,
        /// Indexes that it may use, separated by commas; it sees nothing of others [default: all]
        #[arg(long, value_name = "NAMES", value_delimiter = ',')]
        indexes: Vec<String>,
        /// Days until it expires [default: never]
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
        expires_in: Option<u32>,
        /// Requests per minute [default: the setting `serve.rate_per_minute`]
        #[arg(long, value_name = "N")]
        rate: Option<u32>,
        /// Requests per day [default: the setting `serve.quota_per_day`]
        #[arg(long, value_name = "N")]
        quota: Option<u32>,
    },
    /// List tokens, oldest first
    List,
    /// Revoke a token
    Revoke {
        /// Name of the token
        name: String,
    },
}

pub fn run(args: &TokenArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let dir = tokens::dir(&engine.config.data_dir);
    match &args.action {
        Action::Add { name, scope, indexes, expires_in, rate, quota } => {
            if let Some(bad) = indexes.iter().find(|name| !config::is_name(name)) {
                return Err(Fault::usage(format!("invalid index name `{bad}`"))
                    .hint("for example `--indexes docs,wiki`"));
            }
            let new = NewToken {
                name: name.clone(),
                scope: Scope::from_name(scope).unwrap_or(Scope::Read),
                indexes: Indexes::of(indexes.clone()),
                expires_s: expires_in.map(|days| engine.now_s() + i64::from(days) * DAY_S),
                rate_per_minute: rate.map(u64::from),
                quota_per_day: quota.map(u64::from),
            };
            let tokens = Tokens::open(&engine.ledger, &dir)?;
            let secret = tokens.add(new, engine.now_s())?;
            announce(engine);
            if ui.json {
                let added = tokens.list()?.pop();
                let mut row = added.map_or(Value::Null, |token| row(&token, engine.now_s()));
                row["token"] = secret.into();
                ui.json(&row);
            } else {
                ui.line(safe(&secret));
                ui.note(
                    "this token is not shown again; clients send `Authorization: Bearer TOKEN`",
                );
            }
        }
        Action::List => {
            list(
                &Tokens::find(&engine.ledger, &dir)?.map_or(Ok(Vec::new()), |all| all.list())?,
                engine,
                ui,
            );
        }
        Action::Revoke { name } => {
            let unknown = || {
                Fault::usage(format!("there is no token `{name}`"))
                    .hint("`rag token list` lists the tokens")
            };
            let tokens = Tokens::find(&engine.ledger, &dir)?.ok_or_else(unknown)?;
            tokens.revoke(name, engine.now_s())?;
            announce(engine);
            if ui.json {
                ui.json(&json!({ "revoked": name }));
            } else {
                ui.note(format!("revoked {}", safe(name)));
            }
        }
    }
    Ok(Outcome::Done)
}

/// Other servers look at once; without the hint they do so within a second.
fn announce(engine: &Engine) {
    if let Some(redis) = engine.shared.redis() {
        redis.announce(Hint::Tokens);
    }
}

fn list(all: &[Token], engine: &Engine, ui: &Ui) {
    if ui.json {
        let rows: Vec<Value> = all.iter().map(|token| row(token, engine.now_s())).collect();
        return ui.json(&rows);
    }
    for token in all {
        let indexes = match &token.indexes {
            Indexes::All => "all indexes".to_owned(),
            Indexes::Only(names) => names.join(", "),
        };
        let state = match (token.revoked_s, token.expires_s) {
            (Some(at), _) => format!("revoked {}", time(at)),
            (None, Some(end)) if end <= engine.now_s() => format!("expired {}", time(end)),
            (None, Some(end)) => format!("expires {}", time(end)),
            (None, None) => format!("added {}", time(token.created_s)),
        };
        let name = &token.name;
        ui.line(safe(&format!("{name}  {}  {indexes}  {state}", token.scope.name())));
    }
}

fn row(token: &Token, now_s: i64) -> Value {
    let indexes = match &token.indexes {
        Indexes::All => Value::Null,
        Indexes::Only(names) => json!(names.to_vec()),
    };
    json!({
        "name": token.name,
        "scope": token.scope.name(),
        "indexes": indexes,
        "created": token.created_s,
        "expires": token.expires_s,
        "rate_per_minute": token.rate_per_minute,
        "quota_per_day": token.quota_per_day,
        "revoked": token.revoked_s,
        "valid": token.is_valid(now_s),
    })
}
