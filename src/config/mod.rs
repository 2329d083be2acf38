//! What will be done: built-in values, files, environment and flags, merged once, each value
//! knowing its source.
//!
//! This is the only room that reads the environment or a configuration file. The table [`SETTINGS`]
//! is the one list of settings: the loader, the error messages, `rag doctor -v` and the README's
//! table all read it.

mod check;
mod load;
mod settings;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

pub use check::{MIN_TOKEN_CHARS, is_name, secret_problem};
pub use load::{Origin, World, here, unreadable};
pub use settings::{SETTINGS, Setting, Shape};

use crate::error::{Fault, Result};

/// Which legs a search runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    Hybrid,
    Lexical,
    Dense,
}

impl Mode {
    pub const ALL: [Self; 3] = [Self::Hybrid, Self::Lexical, Self::Dense];

    pub fn name(self) -> &'static str {
        match self {
            Self::Hybrid => "hybrid",
            Self::Lexical => "lexical",
            Self::Dense => "dense",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }
}

/// Who writes the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Generator {
    /// Sentences of the passages, word for word.
    Extractive,
    /// A language model that is given the passages.
    Llm,
}

impl Generator {
    pub fn name(self) -> &'static str {
        match self {
            Self::Extractive => "extractive",
            Self::Llm => "llm",
        }
    }
}

/// The least important events that are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl LogLevel {
    pub const ALL: [Self; 6] =
        [Self::Off, Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

/// Whose questions are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Recording {
    Nobody,
    /// What servers answer.
    Servers,
    /// What commands answer, too.
    Everybody,
}

/// What is recorded of questions, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Records {
    pub of: Recording,
    /// Keep questions in words.
    pub text: bool,
    pub keep_days: u64,
}

/// A key that no message and no log shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    /// The key itself, for the header of a request and for nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(set)")
    }
}

/// A language model on a server, and how to ask it.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// What stands before `/chat/completions`, such as `http://localhost:11434/v1`; empty when none
    /// is configured.
    pub base_url: String,
    pub model: String,
    pub api_key: Option<Secret>,
    /// The longest time to the first byte of a reply, and then between two pieces of it.
    pub timeout: Duration,
    /// The longest time for all tries of a call together, beside the waits between them.
    pub answer_timeout: Duration,
    /// Tries in all, at least 1.
    pub attempts: u32,
    /// 0 for the likeliest text every time.
    pub temperature: f64,
    /// The most tokens of a reply.
    pub max_tokens: u32,
}

/// What a cache table may keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Seconds after which a row no longer counts; 0 means never.
    pub ttl_s: u64,
    /// Bytes of keys and values; the least recently used rows make room.
    pub budget_bytes: u64,
}

/// The cache tables' limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layers {
    pub embeddings: Layer,
    pub retrieval: Layer,
    pub rerank: Layer,
    pub answers: Layer,
}

/// How `rag serve` listens, whom it serves, and how long it has patience.
#[derive(Clone, Debug)]
pub struct Serve {
    pub host: String,
    pub port: u16,
    /// A token that may do everything.
    pub token: Option<Secret>,
    pub token_file: Option<PathBuf>,
    /// Names by which the server may be called beside those of the loopback interface.
    pub allowed_hosts: Vec<String>,
    /// Folders beneath which whoever may write may have ingested.
    pub roots: Vec<PathBuf>,
    /// Questions that are worked on at once.
    pub workers: usize,
    /// Questions that wait at most.
    pub queue: usize,
    pub timeouts: Timeouts,
    pub connections: usize,
    pub header_timeout: Duration,
    pub body_timeout: Duration,
    pub write_timeout: Duration,
    pub drain: Duration,
    pub max_body_bytes: usize,
    /// Of all uploads together; 0 for no limit.
    pub max_uploads_bytes: u64,
    /// Of one token or address; 0 for no limit.
    pub rate_per_minute: u64,
    pub quota_per_day: u64,
}

/// The longest that a question and its stages may take. What a language model writes has times of
/// its own, in [`Endpoint`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// All of it, waiting included.
    pub query: Duration,
    pub embedding: Duration,
    pub retrieval: Duration,
    pub generation: Duration,
}

/// A folder that may hold `models/` and `runtime/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub dir: PathBuf,
    /// The user chose it for models and libraries, or it came with the program. Any other place may
    /// have come with somebody's folder: nothing in it is opened on its own word.
    pub is_own: bool,
}

/// Every setting, merged and checked. Paths are as given, relative ones to the working directory.
#[derive(Clone, Debug)]
pub struct Config {
    pub data_dir: PathBuf,
    pub cache_dir: PathBuf,
    pub jobs_dir: PathBuf,
    /// Name of the index that commands work on.
    pub index: String,
    /// Name of the embedding model, a folder under `models/`.
    pub model: String,
    /// Embedding and reading threads; never changes a result.
    pub threads: usize,
    /// Jobs that run at once.
    pub max_workers: usize,
    /// Hours that a job is remembered once it is over.
    pub jobs_keep_hours: u64,
    /// Replaces the computed corpus id.
    pub corpus_id: Option<String>,
    /// Largest chunk in tokens of the model's tokenizer; 0 means the model's own window.
    pub chunk_max_tokens: usize,
    pub chunk_overlap_tokens: usize,
    /// Files above this size are reported as failed, not read.
    pub max_file_bytes: u64,
    /// The `rag` program, of which ingest starts children to read risky formats; `None` when it is
    /// not known.
    pub program: Option<PathBuf>,
    pub search_k: usize,
    pub search_mode: Mode,
    /// Share of the dense leg in the fused score when both legs have something to say, in 0..=1.
    pub dense_weight: f64,
    /// Candidates that get a second look; 0 for none.
    pub rerank: usize,
    /// Share of the second look in the score of a passage that got one, in 0..=1.
    pub rerank_weight: f64,
    /// Words that an extractive answer may have.
    pub ask_max_words: usize,
    pub generator: Generator,
    /// When the language model fails, the extractive generator answers.
    pub falls_back: bool,
    /// The language model that writes answers.
    pub llm: Endpoint,
    /// Tokens of evidence in a prompt for it, estimated from its characters.
    pub llm_evidence_tokens: usize,
    /// Questions of a batch that the language model works on at once.
    pub batch_parallel: usize,
    pub session_ttl_hours: u64,
    pub serve: Serve,
    pub cache: Layers,
    /// `None` when nobody said: a server then logs what is worth knowing, a command nothing.
    pub log_level: Option<LogLevel>,
    pub log_format: LogFormat,
    /// Address of an OpenTelemetry collector; empty when there is none.
    pub otlp_endpoint: String,
    pub analytics: Records,
    /// Programs that use `rag mcp` may have folders ingested.
    pub mcp_ingests: bool,
    /// The longest result of a tool of `rag mcp`.
    pub mcp_max_result_bytes: usize,
    /// Address of the model hub that `rag model pull` reads.
    pub hub: String,
    /// Token for the hub, for models that need one. Never shown.
    pub hub_token: Option<String>,
    /// Folders that may hold `models/` and `runtime/`, in the order in which they are tried.
    pub places: Vec<Place>,
    /// The user's own data directory, one of `places`.
    pub user_dir: Option<PathBuf>,
    /// Where this user's commands remember things, outside of every folder.
    pub state_dir: Option<PathBuf>,
    /// The ONNX Runtime library, when the user names one.
    pub runtime_library: Option<PathBuf>,
    /// Where each setting came from, in the order of [`SETTINGS`].
    pub origins: Vec<(&'static str, String, Origin)>,
}

impl Config {
    /// Merges all layers. `flags` are `(key, value, flag as typed)`.
    ///
    /// # Errors
    /// A usage fault that names the setting, its value and where it came from.
    pub fn load(world: &World, flags: &[(&'static str, String, String)]) -> Result<Self> {
        load::load(world, flags)
    }

    /// A usage fault about the value of a setting that was found wrong in use, with where it came
    /// from.
    pub fn refuse(&self, key: &str, why: &str) -> Fault {
        let found = SETTINGS.iter().find(|setting| setting.key == key);
        let origin = self.origins.iter().find(|(name, ..)| *name == key);
        match (found, origin) {
            (Some(setting), Some((_, value, origin))) => {
                check::refusal(setting, value, origin, why)
            }
            _ => Fault::usage(format!("{key}: {why}")),
        }
    }

    /// Whether somebody gave this setting a value.
    pub fn is_given(&self, key: &str) -> bool {
        self.origins.iter().any(|(name, _, origin)| *name == key && *origin != Origin::BuiltIn)
    }

    /// The folders that may be ingested over HTTP and by `rag mcp`.
    ///
    /// # Errors
    /// A usage fault for one that is not a folder.
    pub fn check_roots(&self) -> Result<()> {
        let missing = self.serve.roots.iter().find(|root| !root.is_dir());
        missing.map_or(Ok(()), |root| {
            Err(self.refuse("serve.roots", &format!("there is no folder {}", root.display())))
        })
    }

    /// Length and overlap of passages for a model that reads `window` tokens.
    ///
    /// # Errors
    /// A usage fault for a passage that the model cannot read whole, and for an overlap that was
    /// given and is larger than half a passage. The built-in overlap gives way instead.
    pub fn passages(&self, model: &str, window: usize) -> Result<(usize, usize)> {
        let max = match self.chunk_max_tokens {
            0 => window,
            n if n > window => {
                let why = format!("the model `{model}` reads {window} tokens at most");
                return Err(self
                    .refuse("chunk.max_tokens", &why)
                    .hint("0 means as many as the model reads"));
            }
            n => n,
        };
        let overlap = self.chunk_overlap_tokens;
        if overlap > max / 2 && self.is_given("chunk.overlap_tokens") {
            let why = format!("must be at most half of a passage, which has {max} tokens");
            return Err(self.refuse("chunk.overlap_tokens", &why));
        }
        Ok((max, overlap.min(max / 2)))
    }

    /// What can be said of passages before the model is known.
    fn check_passages(&self) -> Result<()> {
        match self.chunk_max_tokens {
            0 => Ok(()),
            max => self.passages("", max).map(drop),
        }
    }
}
