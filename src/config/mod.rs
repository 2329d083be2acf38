//! The configuration: built-in defaults, files, environment and flags, merged once. Each value
//! keeps its origin.
//!
//! Only this room reads the environment and configuration files. The table [`SETTINGS`] is the one
//! list of settings: the loader, error messages, `rag doctor -v` and the README's table read it.

mod bucket;
mod check;
mod cluster;
mod edit;
mod language_models;
mod load;
mod nearest;
mod setting;
mod settings;
mod terminal;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

pub use check::{is_name, read_problem, secret_problem};
pub use cluster::{Database, SharedStore};
pub use edit::edited;
pub use load::{World, check_file, unknown_setting, working_dir};
pub use nearest::{NearestEngine, NearestPlace, OnFailure};
pub use setting::{MIN_TOKEN_CHARS, Origin, Setting, Shape};
pub use settings::SETTINGS;
pub use terminal::{Links, Terminal};

use crate::error::{Fault, Result};
use crate::strings::{named, similar};

named! {
    /// The retrievers that a search runs.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum Mode {
        Hybrid = "hybrid",
        Lexical = "lexical",
        Dense = "dense",
    }
}

named! {
    /// What writes the answer.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum Generator {
        /// Quotes sentences of the passages verbatim.
        Extractive = "extractive",
        /// A language model with the passages in its prompt.
        Llm = "llm",
    }
}

named! {
    /// The lowest level of events that are logged.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    pub enum LogLevel {
        Off = "off",
        Error = "error",
        Warn = "warn",
        Info = "info",
        Debug = "debug",
        Trace = "trace",
    }
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

/// Which questions analytics records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Recording {
    Off,
    /// Questions to servers.
    Servers,
    /// Questions to servers and commands.
    All,
}

/// What analytics records of questions, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Records {
    pub scope: Recording,
    /// Store the text of questions.
    pub text: bool,
    pub keep_days: u64,
}

/// A key that messages and logs do not show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    /// The key itself, for the header of a request only.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(set)")
    }
}

/// A language model on a server, and the limits of its calls.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The URL before `/chat/completions`, such as `http://localhost:11434/v1`; empty when not
    /// configured.
    pub base_url: String,
    /// The NAME of `llm.NAME`; empty for the model of `llm` itself.
    pub name: String,
    pub model: String,
    pub api_key: Option<Secret>,
    /// The longest time to the first byte of a reply, and between two pieces of it.
    pub timeout: Duration,
    /// The longest total time of all attempts of a call, without the delays between them.
    pub answer_timeout: Duration,
    /// At least 1.
    pub attempts: u32,
    /// The longest wait before the second attempt, and before any.
    pub retry_waits: (Duration, Duration),
    /// 0 selects the most likely token every time.
    pub temperature: f64,
    /// Maximum tokens of a reply.
    pub max_tokens: u32,
    /// Maximum tokens of evidence in a prompt, estimated from characters.
    pub evidence_tokens: usize,
    /// How often a server makes a call that keeps the model and its prompts in memory; zero for
    /// never.
    pub warm: Duration,
}

/// Limits of one cache table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Seconds until a row expires; 0 means never.
    pub ttl_s: u64,
    /// Maximum bytes of keys and values; the least recently used rows are evicted.
    pub budget_bytes: u64,
}

/// Limits of every cache table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layers {
    pub embeddings: Layer,
    pub retrieval: Layer,
    pub rerank: Layer,
    pub answers: Layer,
}

/// Settings of `rag serve`: address, access, limits and timeouts.
#[derive(Clone, Debug)]
pub struct Serve {
    pub host: String,
    pub port: u16,
    /// A token with full access.
    pub token: Option<Secret>,
    pub token_file: Option<PathBuf>,
    /// An identity provider: issuer, audience, and the file or the address of its keys; empty for
    /// none.
    pub jwt_issuer: String,
    pub jwt_audience: String,
    pub jwt_keys: String,
    pub jwt_scope_claim: String,
    pub jwt_indexes_claim: String,
    /// Accepted Host names, besides those of the loopback interface; lower case.
    pub allowed_hosts: Vec<String>,
    /// Origins of web pages that may use the server, as browsers send them.
    pub cors_origins: Vec<String>,
    /// Certificate chain for TLS.
    pub tls_certificate: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
    /// Addresses that the end of each job is posted to.
    pub webhooks: Vec<String>,
    pub webhook_secret: Option<Secret>,
    /// Folders that clients with write access may ingest, and folders below them.
    pub roots: Vec<PathBuf>,
    /// Maximum concurrent questions.
    pub workers: usize,
    /// Maximum queued questions.
    pub queue: usize,
    pub timeouts: Timeouts,
    pub connections: usize,
    pub header_timeout: Duration,
    pub body_timeout: Duration,
    pub write_timeout: Duration,
    pub drain: Duration,
    pub max_body_bytes: usize,
    /// Total of all uploads; 0 for no limit.
    pub max_uploads_bytes: u64,
    /// Per token or address; 0 for no limit.
    pub rate_per_minute: u64,
    /// Per token or address; 0 for no limit.
    pub quota_per_day: u64,
}

/// Timeouts of a question and its stages. Those of a language model are in [`Endpoint`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Total, queueing included.
    pub query: Duration,
    pub embedding: Duration,
    pub retrieval: Duration,
    pub generation: Duration,
}

/// A folder that may hold `models/` and `runtime/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub dir: PathBuf,
    /// The user chose it for models and libraries, or it is part of the installation. Any other
    /// place may have come with a downloaded folder, so its manifests prove nothing.
    pub is_trusted: bool,
}

/// Where several machines keep their indexes: a bucket or a shared folder.
#[derive(Clone, Debug, Default)]
pub struct DepotPlace {
    /// `s3://BUCKET/PREFIX` or `file:///FOLDER`; empty for none.
    pub url: String,
    /// Address of the S3 store; empty for that of the region.
    pub endpoint: String,
    pub region: String,
    /// The name of the bucket is in the path of requests, not in the host.
    pub is_path_style: bool,
    /// The longest time of a small request.
    pub timeout: Duration,
    /// How often a server compares its copies.
    pub poll: Duration,
    /// How long files are kept that no index needs any more.
    pub grace: Duration,
    /// Credentials and the like, by the names of the variables of the AWS tools in lower case.
    pub aws: Vec<(String, Secret)>,
    /// Certificates to trust besides those of the system, in PEM.
    pub ca_bundle: Option<PathBuf>,
}

/// Every setting, merged and checked. Relative paths are relative to the working directory.
#[derive(Clone, Debug)]
pub struct Config {
    pub data_dir: PathBuf,
    pub cache_dir: PathBuf,
    pub jobs_dir: PathBuf,
    /// Name of the index that commands use.
    pub index: String,
    /// Name of the embedding model, a folder under `models/`.
    pub model: String,
    /// Reading and embedding threads; results do not depend on it.
    pub threads: usize,
    /// Maximum concurrent jobs.
    pub max_workers: usize,
    /// Hours to keep records of finished jobs.
    pub jobs_keep_hours: u64,
    /// Overrides the computed corpus id.
    pub corpus_id: Option<String>,
    /// Maximum tokens of a chunk, by the model's tokenizer; 0 means the model's window, up to
    /// 512.
    pub chunk_max_tokens: usize,
    pub chunk_overlap_tokens: usize,
    /// Larger files are reported as failed and not read.
    pub max_file_bytes: u64,
    /// Pages of one web site.
    pub max_pages: usize,
    /// Whether pictures and scanned pages are read by installed programs.
    pub ocr: bool,
    /// As `tesseract` names them, joined by `+`.
    pub ocr_languages: String,
    /// Whether pages of this machine and its network may be ingested.
    pub may_visit_private: bool,
    /// The running `rag` executable, which ingest starts as child processes to read risky formats;
    /// `None` when its path is unknown.
    pub program: Option<PathBuf>,
    pub search_k: usize,
    pub search_mode: Mode,
    /// Weight of the dense score when both retrievers find passages, in 0..=1.
    pub dense_weight: f64,
    /// Name of the cross-encoder that reranks; empty for none.
    pub rerank_model: String,
    /// Passages to rerank; 0 for none, and without a cross-encoder.
    pub rerank: usize,
    /// Weight of the rerank score in the score of a reranked passage, in 0..=1.
    pub rerank_weight: f64,
    /// Maximum words of an extractive answer.
    pub ask_max_words: usize,
    pub generator: Generator,
    /// The extractive generator answers when the language model fails.
    pub has_fallback: bool,
    /// The language model that writes answers.
    pub llm: Endpoint,
    /// Other language models by name, for questions that ask for them.
    pub llms: BTreeMap<String, Endpoint>,
    /// Maximum concurrent language model calls of a batch.
    pub batch_parallel: usize,
    /// Seconds that a session lives after its last turn.
    pub session_ttl_s: u64,
    pub shared: SharedStore,
    pub ledger: Database,
    pub nearest: NearestPlace,
    pub serve: Serve,
    pub cache: Layers,
    /// `None` when not set: a server then logs at `info`, a command not at all.
    pub log_level: Option<LogLevel>,
    pub log_format: LogFormat,
    /// A server logs a line for each request.
    pub logs_requests: bool,
    /// URL of an OpenTelemetry collector; empty for none.
    pub otlp_endpoint: String,
    pub analytics: Records,
    /// MCP clients may ingest folders.
    pub allows_mcp_ingest: bool,
    pub mcp_max_result_bytes: usize,
    pub depot: DepotPlace,
    /// URL of the model hub that `rag model pull` downloads from.
    pub hub: String,
    /// Token for the hub. Never shown.
    pub hub_token: Option<String>,
    /// Folders that may hold `models/` and `runtime/`, in search order.
    pub places: Vec<Place>,
    /// The user's data directory (`~/.local/share/rag`), one of `places`.
    pub user_dir: Option<PathBuf>,
    /// The user's state directory (`~/.local/state/rag`).
    pub state_dir: Option<PathBuf>,
    /// The ONNX Runtime library that the user names, if any.
    pub runtime_library: Option<PathBuf>,
    /// Key, value and origin of each setting, in the order of [`SETTINGS`]; then those of named
    /// language models.
    pub origins: Vec<(String, String, Origin)>,
}

/// The longest passage that is made unless the user asks for longer ones. Models with windows of
/// thousands of tokens give one vector for so much text that it is near to no question.
const LONGEST_PASSAGE_TOKENS: usize = 512;

impl Config {
    /// Merges all layers. `flags` are `(key, value, flag as typed)`.
    ///
    /// # Errors
    /// A usage fault that names the setting, its value and its origin.
    pub fn load(world: &World, flags: &[(&'static str, String, String)]) -> Result<Self> {
        load::load(world, flags)
    }

    /// A usage fault about a value that turns out invalid in use; it names the origin.
    pub fn refuse(&self, key: &str, why: &str) -> Fault {
        let origin = self.origins.iter().find(|(name, ..)| *name == key);
        match (Setting::of_key(key), origin) {
            (Some(setting), Some((_, value, origin))) => {
                check::refusal(key, setting.shape, (value, origin), why)
            }
            _ => Fault::usage(format!("{key}: {why}")),
        }
    }

    /// Whether the value of this setting is not the built-in default.
    pub fn is_set(&self, key: &str) -> bool {
        self.origins.iter().any(|(name, _, origin)| *name == key && *origin != Origin::BuiltIn)
    }

    /// The language model of this name; that of `llm` itself for the empty one.
    ///
    /// # Errors
    /// A usage fault for an unknown name.
    pub fn language_model(&self, name: &str) -> Result<&Endpoint> {
        if name == self.llm.name {
            return Ok(&self.llm);
        }
        self.llms.get(name).ok_or_else(|| self.unknown_language_model(name))
    }

    /// The fault of a name that no language model has.
    pub fn unknown_language_model(&self, name: &str) -> Fault {
        Self::no_language_model(name, &self.llms)
    }

    fn no_language_model(name: &str, all: &BTreeMap<String, Endpoint>) -> Fault {
        let hint = match (similar(name, all.keys().map(String::as_str)), all.is_empty()) {
            (Some(meant), _) => format!("did you mean `{meant}`?"),
            (None, true) => "tables `[llm.NAME]` of the configuration file define them".to_owned(),
            (None, false) => {
                let names: Vec<&str> = all.keys().map(String::as_str).collect();
                format!("there are {}", names.join(", "))
            }
        };
        Fault::usage(format!("there is no language model `{name}`")).hint(hint)
    }

    /// Checks the folders that may be ingested over HTTP and MCP.
    ///
    /// # Errors
    /// A usage fault for the first that is not a folder.
    pub fn check_roots(&self) -> Result<()> {
        match self.serve.roots.iter().find(|root| !root.is_dir()) {
            Some(root) => {
                Err(self.refuse("serve.roots", &format!("there is no folder {}", root.display())))
            }
            None => Ok(()),
        }
    }

    /// Maximum length and overlap of chunks, in tokens, for a model with a window of `window`
    /// tokens.
    ///
    /// # Errors
    /// A usage fault when a chunk would exceed the window, or when the user set an overlap above
    /// half a chunk. The built-in overlap is reduced instead.
    pub fn chunk_limits(&self, model: &str, window: usize) -> Result<(usize, usize)> {
        let max = match self.chunk_max_tokens {
            0 => window.min(LONGEST_PASSAGE_TOKENS),
            n if n > window => {
                let why = format!("the model `{model}` reads {window} tokens at most");
                return Err(self
                    .refuse("chunk.max_tokens", &why)
                    .hint("0 means as many as the model reads, up to 512"));
            }
            n => n,
        };
        let overlap = self.chunk_overlap_tokens;
        if overlap > max / 2 && self.is_set("chunk.overlap_tokens") {
            let why = format!("must be at most half of a passage, which has {max} tokens");
            return Err(self.refuse("chunk.overlap_tokens", &why));
        }
        Ok((max, overlap.min(max / 2)))
    }

    /// Checks that there is a model to rerank with, where the user asks for a rerank.
    fn check_rerank(&self) -> Result<()> {
        let wanted = self.origins.iter().find(|(key, ..)| *key == "search.rerank");
        let is_wanted = wanted.is_some_and(|(_, n, origin)| *origin != Origin::BuiltIn && n != "0");
        match is_wanted && self.rerank_model.is_empty() {
            true => Err(self
                .refuse("search.rerank", "there is no model to rerank with")
                .hint("set `rerank.model` to a cross-encoder that `rag model add` has added")),
            false => Ok(()),
        }
    }

    /// Checks as much of the chunk limits as does not depend on the model.
    fn check_chunk_limits(&self) -> Result<()> {
        match self.chunk_max_tokens {
            0 => Ok(()),
            max => self.chunk_limits("", max).map(drop),
        }
    }
}
