//! The settings of engines beyond this machine: their table, their values, and the variables of
//! other programs that are understood as well.

use std::path::PathBuf;
use std::time::Duration;

use super::Secret;
use super::setting::{Setting, Shape, personal, setting};

/// The schemes of [`SharedStore::url`].
const REDIS: Shape = Shape::Engine { schemes: &["redis", "rediss"] };
/// The schemes of [`Database::url`]. It may name several hosts.
const POSTGRES: Shape = Shape::Engine { schemes: &["postgres", "postgresql"] };
/// A number that is unset unless the user sets it.
const DATABASE: Shape = Shape::Whole { least: 0, most: 65_535 };
const TTL: Shape = Shape::Whole { least: 1, most: 100_000_000 };
const MILLISECONDS: Shape = Shape::Whole { least: 1, most: 60_000 };

/// Redis, or a server that speaks its protocol: caches, sessions and limits that several servers
/// share. Everything in it may be lost.
#[derive(Clone, Debug)]
pub struct SharedStore {
    /// `None` when there is none.
    pub url: Option<Secret>,
    /// `host:port` of each Sentinel; the host of `url` is not used then.
    pub sentinels: Vec<String>,
    /// The name by which the Sentinels know the master.
    pub master: String,
    pub ca_file: Option<PathBuf>,
    /// The beginning of every key.
    pub prefix: String,
    /// Instead of the database of `url`.
    pub cache_database: Option<u64>,
    pub session_database: Option<u64>,
    /// Maximum open connections.
    pub pool: usize,
    pub connect_timeout: Duration,
    /// Of one command.
    pub timeout: Duration,
    /// Seconds until a ranking or an answer expires.
    pub ttl_s: u64,
    pub embeddings_ttl_s: u64,
    pub rerank_ttl_s: u64,
    /// Nothing is written while the server uses more memory; 0 for no limit.
    pub max_bytes: u64,
}

/// PostgreSQL, where several servers keep what must not be lost: jobs, sessions and analytics.
#[derive(Clone, Debug)]
pub struct Database {
    /// `None` when there is none.
    pub url: Option<Secret>,
    pub ca_file: Option<PathBuf>,
    /// Connections, and how many more for short peaks.
    pub pool: usize,
    pub overflow: usize,
    pub connect_timeout: Duration,
    /// Of one statement.
    pub timeout: Duration,
}

/// In the order of the README's table, after those of [`super::SETTINGS`].
pub(super) const ENGINES: &[Setting] = &[
    personal(
        "shared.url",
        "RAG_SHARED_URL",
        "",
        REDIS,
        "Redis that servers share, such as redis://:password@host:6379/0; rediss:// for TLS",
    ),
    personal(
        "shared.sentinels",
        "RAG_SHARED_SENTINELS",
        "",
        Shape::Addresses,
        "Sentinels that name the current master, as host:port, separated by `,`",
    ),
    personal(
        "shared.master",
        "RAG_SHARED_MASTER",
        "mymaster",
        Shape::Name,
        "name of the master in the Sentinels' settings",
    ),
    personal(
        "shared.ca_file",
        "RAG_SHARED_CA_FILE",
        "",
        Shape::File,
        "certificates (PEM) that sign a rediss:// server (default: those of the system)",
    ),
    personal(
        "shared.prefix",
        "RAG_SHARED_PREFIX",
        "rag",
        Shape::Name,
        "beginning of every key in Redis",
    ),
    personal(
        "shared.cache_database",
        "RAG_SHARED_CACHE_DATABASE",
        "",
        DATABASE,
        "database number for caches and limits (default: that of `shared.url`)",
    ),
    personal(
        "shared.session_database",
        "RAG_SHARED_SESSION_DATABASE",
        "",
        DATABASE,
        "database number for sessions (default: that of `shared.url`)",
    ),
    setting(
        "shared.pool",
        "RAG_SHARED_POOL",
        "50",
        Shape::Whole { least: 1, most: 10_000 },
        "maximum open connections to Redis",
    ),
    setting(
        "shared.connect_timeout_ms",
        "RAG_SHARED_CONNECT_TIMEOUT_MS",
        "250",
        MILLISECONDS,
        "milliseconds to connect to Redis",
    ),
    setting(
        "shared.timeout_ms",
        "RAG_SHARED_TIMEOUT_MS",
        "100",
        MILLISECONDS,
        "milliseconds for Redis to reply; a later reply is a miss",
    ),
    setting(
        "shared.ttl_s",
        "RAG_SHARED_TTL_S",
        "3600",
        TTL,
        "lifetime of rankings and answers in Redis, in seconds",
    ),
    setting(
        "shared.embeddings_ttl_s",
        "RAG_SHARED_EMBEDDINGS_TTL_S",
        "3600",
        TTL,
        "lifetime of vectors in Redis, in seconds",
    ),
    setting(
        "shared.rerank_ttl_s",
        "RAG_SHARED_RERANK_TTL_S",
        "3600",
        TTL,
        "lifetime of rerank scores in Redis, in seconds",
    ),
    setting(
        "shared.max_mib",
        "RAG_SHARED_MAX_MIB",
        "0",
        Shape::Whole { least: 0, most: 1 << 24 },
        "memory of Redis above which nothing is cached there, in MiB (0: its own limit)",
    ),
    personal(
        "depot.url",
        "RAG_DEPOT_URL",
        "",
        Shape::Depot,
        "bucket or folder where several machines keep their indexes, such as s3://bucket/rag",
    ),
    personal(
        "depot.endpoint",
        "RAG_DEPOT_ENDPOINT",
        "",
        Shape::Url,
        "address of the S3 store (default: AWS_ENDPOINT_URL_S3, or that of the region)",
    ),
    personal(
        "depot.region",
        "RAG_DEPOT_REGION",
        "",
        Shape::Text,
        "region of the bucket (default: AWS_REGION, or us-east-1)",
    ),
    personal(
        "depot.path_style",
        "RAG_DEPOT_PATH_STYLE",
        "auto",
        Shape::OneOf(&["auto", "yes", "no"]),
        "bucket name in the path of requests; auto: with an endpoint",
    ),
    personal(
        "depot.timeout_s",
        "RAG_DEPOT_TIMEOUT_S",
        "5",
        Shape::Whole { least: 1, most: 600 },
        "seconds before a small request to the bucket times out",
    ),
    personal(
        "depot.poll_s",
        "RAG_DEPOT_POLL_S",
        "1",
        Shape::Whole { least: 1, most: 86_400 },
        "seconds between two looks of a server for new generations in the bucket",
    ),
    personal(
        "depot.grace_hours",
        "RAG_DEPOT_GRACE_HOURS",
        "24",
        Shape::Whole { least: 1, most: 87_600 },
        "hours to keep files in the bucket that no index needs any more",
    ),
    personal(
        "ledger.url",
        "RAG_LEDGER_URL",
        "",
        POSTGRES,
        "PostgreSQL for jobs, sessions and analytics, such as postgres://rag:password@host/rag",
    ),
    personal(
        "ledger.ca_file",
        "RAG_LEDGER_CA_FILE",
        "",
        Shape::File,
        "certificates (PEM) that sign the server's (default: those of the system)",
    ),
    setting(
        "ledger.pool",
        "RAG_LEDGER_POOL",
        "20",
        Shape::Whole { least: 1, most: 10_000 },
        "open connections to PostgreSQL",
    ),
    setting(
        "ledger.overflow",
        "RAG_LEDGER_OVERFLOW",
        "10",
        Shape::Whole { least: 0, most: 10_000 },
        "further connections in short peaks",
    ),
    setting(
        "ledger.connect_timeout_ms",
        "RAG_LEDGER_CONNECT_TIMEOUT_MS",
        "2000",
        MILLISECONDS,
        "milliseconds to connect to PostgreSQL",
    ),
    setting(
        "ledger.timeout_ms",
        "RAG_LEDGER_TIMEOUT_MS",
        "5000",
        MILLISECONDS,
        "milliseconds for one statement",
    ),
];

/// A value that the variables of other programs give: key, value, variable.
pub(super) type Alias = (&'static str, String, &'static str);

/// The settings that `REDIS_…`, `POSTGRES_…` and `SESSION_TTL_SECONDS` give.
pub(super) fn aliases(env: &dyn Fn(&str) -> Option<String>) -> Vec<Alias> {
    let ttl = env("SESSION_TTL_SECONDS");
    let ttl = ttl.map(|seconds| ("sessions.ttl_s", seconds, "SESSION_TTL_SECONDS"));
    ttl.into_iter().chain(redis_aliases(env)).chain(postgres_aliases(env)).collect()
}

/// Without `POSTGRES_HOST` the others have no effect: the image of the database has them too.
fn postgres_aliases(env: &dyn Fn(&str) -> Option<String>) -> Vec<Alias> {
    let Some(host) = env("POSTGRES_HOST") else { return Vec::new() };
    let or = |name: &str, default: &str| env(name).unwrap_or_else(|| default.to_owned());
    let password = env("POSTGRES_PASSWORD").map(|password| format!(":{}", encoded(&password)));
    let user = encoded(&or("POSTGRES_USER", "postgres"));
    let port = or("POSTGRES_PORT", "5432");
    let database = encoded(&or("POSTGRES_DB", &user));
    let password = password.unwrap_or_default();
    let url = format!("postgres://{user}{password}@{host}:{port}/{database}");
    let mut found = vec![("ledger.url", url, "POSTGRES_HOST")];
    let others =
        [("ledger.pool", "POSTGRES_POOL_SIZE"), ("ledger.overflow", "POSTGRES_MAX_OVERFLOW")];
    found.extend(others.into_iter().filter_map(|(key, name)| Some((key, env(name)?, name))));
    found
}

/// Without `REDIS_HOST` and `REDIS_STATE_URL` the others have no effect: Kubernetes sets
/// `REDIS_PORT` for every service of that name.
fn redis_aliases(env: &dyn Fn(&str) -> Option<String>) -> Vec<Alias> {
    let mut found = Vec::new();
    let (url, variable) = match (env("REDIS_STATE_URL"), env("REDIS_HOST")) {
        (Some(url), _) => (url, "REDIS_STATE_URL"),
        (None, Some(host)) => {
            let port = env("REDIS_PORT").unwrap_or_else(|| "6379".to_owned());
            let password = env("REDIS_PASSWORD").map(|password| encoded(&password));
            let password = password.map_or_else(String::new, |password| format!(":{password}@"));
            let database = env("REDIS_DB").unwrap_or_else(|| "0".to_owned());
            (format!("redis://{password}{host}:{port}/{database}"), "REDIS_HOST")
        }
        (None, None) => return found,
    };
    found.push(("shared.url", url, variable));
    let others = [
        ("shared.pool", "REDIS_MAX_CONNECTIONS"),
        ("shared.cache_database", "REDIS_CACHE_DB"),
        ("shared.session_database", "REDIS_SESSION_DB"),
        ("shared.ttl_s", "REDIS_CACHE_TTL_SECONDS"),
        ("shared.max_mib", "REDIS_CACHE_MAX_SIZE_MB"),
        ("shared.embeddings_ttl_s", "REDIS_EMBEDDING_TTL"),
        ("shared.rerank_ttl_s", "REDIS_RERANKER_TTL"),
    ];
    found.extend(others.into_iter().filter_map(|(key, name)| Some((key, env(name)?, name))));
    found
}

/// Percent-encoded, as the password of a URL.
fn encoded(password: &str) -> String {
    let byte = |b: u8| match b {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            (b as char).to_string()
        }
        _ => format!("%{b:02X}"),
    };
    password.bytes().map(byte).collect()
}
