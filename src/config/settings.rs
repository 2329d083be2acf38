//! The table of settings. To add one: a row here, a field in `Config`, a line in `load::build`.

use super::check::MIN_TOKEN_CHARS;

/// What a value must look like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// One line of text.
    Text,
    /// A folder, which need not exist yet.
    Folder,
    /// A folder that is the same one wherever the command is run.
    AbsoluteFolder,
    /// Folders with `:` between.
    Folders,
    /// A file. Whoever reads it finds out whether it exists.
    File,
    /// A name that becomes a file name: letters, digits, `.`, `_`, `-`, not starting with `.` or
    /// `-`.
    Name,
    /// The length of a passage in tokens, or 0.
    Passage {
        most: u64,
    },
    Whole {
        least: u64,
        most: u64,
    },
    /// A number from 0 to this.
    UpTo(f64),
    OneOf(&'static [&'static str]),
    /// An `http` or `https` address without credentials.
    Url,
    /// Name or IP address of a host.
    Host,
    /// Hosts with `,` between.
    Hosts,
    /// A key or token, which no message shows.
    Secret {
        min_chars: usize,
    },
}

impl Shape {
    pub fn is_secret(self) -> bool {
        matches!(self, Self::Secret { .. })
    }

    /// What stands between the parts of a list; `None` for a single value.
    pub fn separator(self) -> Option<&'static str> {
        match self {
            Self::Hosts => Some(","),
            Self::Folders => Some(":"),
            _ => None,
        }
    }
}

/// One setting: its key in a file, its environment variable, its default and what it means.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Dotted key in `rag.toml`.
    pub key: &'static str,
    pub env: &'static str,
    /// As it would stand in a file; empty means computed.
    pub default: &'static str,
    pub shape: Shape,
    /// One line for the README and `rag doctor -v`.
    pub meaning: &'static str,
    /// Says where text, keys or code go, so that a `rag.toml` that came with somebody's folder must
    /// not set it.
    pub is_personal: bool,
}

const fn setting(
    key: &'static str,
    env: &'static str,
    default: &'static str,
    shape: Shape,
    meaning: &'static str,
) -> Setting {
    Setting { key, env, default, shape, meaning, is_personal: false }
}

/// A setting that the project file must not make.
const fn personal(
    key: &'static str,
    env: &'static str,
    default: &'static str,
    shape: Shape,
    meaning: &'static str,
) -> Setting {
    Setting { is_personal: true, ..setting(key, env, default, shape, meaning) }
}

/// Lifetime in hours of the rows of a cache table.
const fn ttl(
    key: &'static str,
    env: &'static str,
    default: &'static str,
    meaning: &'static str,
) -> Setting {
    setting(key, env, default, Shape::Whole { least: 0, most: 1_000_000 }, meaning)
}

/// Size in MiB that a cache table may have.
const fn budget(
    key: &'static str,
    env: &'static str,
    default: &'static str,
    meaning: &'static str,
) -> Setting {
    setting(key, env, default, Shape::Whole { least: 1, most: 1 << 24 }, meaning)
}

/// A time that somebody waits.
const fn seconds(
    key: &'static str,
    env: &'static str,
    default: &'static str,
    meaning: &'static str,
) -> Setting {
    setting(key, env, default, Shape::Whole { least: 1, most: 86_400 }, meaning)
}

/// Every setting, in the order in which the README lists them.
pub const SETTINGS: &[Setting] = &[
    setting(
        "data_dir",
        "RAG_DATA_DIR",
        "data",
        Shape::Folder,
        "where indexes, caches and added models live",
    ),
    setting(
        "cache_dir",
        "RAG_CACHE_DIR",
        "",
        Shape::Folder,
        "where the caches live (default: DATA_DIR/cache)",
    ),
    setting(
        "jobs_dir",
        "RAG_JOBS_DIR",
        "",
        Shape::Folder,
        "where the job log lives (default: DATA_DIR/jobs)",
    ),
    setting("index", "RAG_INDEX", "default", Shape::Name, "which index commands work on"),
    setting(
        "model",
        "RAG_MODEL",
        "all-MiniLM-L6-v2",
        Shape::Name,
        "embedding model, a folder under models/",
    ),
    setting(
        "threads",
        "RAG_THREADS",
        "0",
        Shape::Whole { least: 0, most: 1024 },
        "reading and embedding threads (0: one per core)",
    ),
    setting(
        "max_workers",
        "RAG_MAX_WORKERS",
        "2",
        Shape::Whole { least: 1, most: 256 },
        "jobs that run at the same time",
    ),
    setting(
        "jobs.keep_hours",
        "RAG_JOBS_KEEP_HOURS",
        "24",
        Shape::Whole { least: 0, most: 1_000_000 },
        "hours after which a job that is over is forgotten",
    ),
    setting("corpus_id", "CORPUS_ID", "", Shape::Name, "replaces the computed corpus id"),
    setting(
        "chunk.max_tokens",
        "RAG_CHUNK_MAX_TOKENS",
        "0",
        Shape::Passage { most: 1 << 20 },
        "largest chunk in tokens, title and headings included (0: the model's window)",
    ),
    setting(
        "chunk.overlap_tokens",
        "RAG_CHUNK_OVERLAP_TOKENS",
        "32",
        Shape::Whole { least: 0, most: 1 << 16 },
        "tokens that a chunk repeats from the one before it",
    ),
    setting(
        "ingest.max_file_bytes",
        "RAG_INGEST_MAX_FILE_BYTES",
        "33554432",
        Shape::Whole { least: 1, most: 1 << 31 },
        "larger files are reported as failed",
    ),
    setting(
        "search.k",
        "RAG_SEARCH_K",
        "10",
        Shape::Whole { least: 1, most: 1000 },
        "passages that search returns",
    ),
    setting(
        "search.mode",
        "RAG_SEARCH_MODE",
        "hybrid",
        Shape::OneOf(&["hybrid", "lexical", "dense"]),
        "hybrid, lexical or dense",
    ),
    setting(
        "search.dense_weight",
        "RAG_SEARCH_DENSE_WEIGHT",
        "0.6",
        Shape::UpTo(1.0),
        "share of the dense leg in a hybrid score",
    ),
    setting(
        "search.rerank",
        "RAG_SEARCH_RERANK",
        "0",
        Shape::Whole { least: 0, most: 1000 },
        "best passages that get a second look, token by token (0: none)",
    ),
    setting(
        "search.rerank_weight",
        "RAG_SEARCH_RERANK_WEIGHT",
        "0.2",
        Shape::UpTo(1.0),
        "share of the second look in a score",
    ),
    setting(
        "ask.max_words",
        "RAG_ASK_MAX_WORDS",
        "60",
        Shape::Whole { least: 5, most: 2000 },
        "length of an extractive answer",
    ),
    setting(
        "generator",
        "RAG_GENERATOR",
        "extractive",
        Shape::OneOf(&["extractive", "llm"]),
        "who writes the answer",
    ),
    setting(
        "fallback",
        "RAG_FALLBACK",
        "none",
        Shape::OneOf(&["none", "extractive"]),
        "who writes it when the language model fails",
    ),
    personal(
        "llm.base_url",
        "RAG_LLM_BASE_URL",
        "",
        Shape::Url,
        "OpenAI-compatible address, such as http://localhost:11434/v1",
    ),
    setting("llm.model", "RAG_LLM_MODEL", "", Shape::Text, "name of the language model there"),
    personal(
        "llm.api_key",
        "RAG_LLM_API_KEY",
        "",
        Shape::Secret { min_chars: 1 },
        "its key, where one is needed",
    ),
    personal(
        "llm.api_key_file",
        "RAG_LLM_API_KEY_FILE",
        "",
        Shape::File,
        "file that holds the key",
    ),
    setting(
        "llm.timeout_s",
        "RAG_LLM_TIMEOUT_S",
        "60",
        Shape::Whole { least: 1, most: 3600 },
        "seconds that a language model may be silent",
    ),
    seconds(
        "llm.answer_timeout_s",
        "RAG_LLM_ANSWER_TIMEOUT_S",
        "600",
        "seconds that a language model may take for an answer, however steadily it writes",
    ),
    setting(
        "llm.attempts",
        "RAG_LLM_ATTEMPTS",
        "3",
        Shape::Whole { least: 1, most: 10 },
        "tries before a language model counts as failed",
    ),
    setting(
        "llm.temperature",
        "RAG_LLM_TEMPERATURE",
        "0",
        Shape::UpTo(2.0),
        "randomness of a language model",
    ),
    setting(
        "llm.max_tokens",
        "RAG_LLM_MAX_TOKENS",
        "1024",
        Shape::Whole { least: 1, most: 1 << 20 },
        "longest reply of a language model",
    ),
    setting(
        "llm.evidence_tokens",
        "RAG_LLM_EVIDENCE_TOKENS",
        "3000",
        Shape::Whole { least: 100, most: 1 << 20 },
        "passages handed to a language model, in tokens",
    ),
    setting(
        "batch.parallel",
        "RAG_BATCH_PARALLEL",
        "4",
        Shape::Whole { least: 1, most: 256 },
        "questions of a batch, or of those who ask a server, that a language model answers at once",
    ),
    setting(
        "sessions.ttl_hours",
        "RAG_SESSIONS_TTL_HOURS",
        "24",
        Shape::Whole { least: 1, most: 1_000_000 },
        "hours after which a conversation is forgotten",
    ),
    ttl(
        "cache.embeddings_ttl_hours",
        "RAG_CACHE_EMBEDDINGS_TTL_HOURS",
        "0",
        "lifetime of cached vectors (0: no end)",
    ),
    budget("cache.embeddings_mib", "RAG_CACHE_EMBEDDINGS_MIB", "4096", "room for cached vectors"),
    ttl(
        "cache.retrieval_ttl_hours",
        "RAG_CACHE_RETRIEVAL_TTL_HOURS",
        "168",
        "lifetime of cached rankings",
    ),
    budget("cache.retrieval_mib", "RAG_CACHE_RETRIEVAL_MIB", "128", "room for cached rankings"),
    ttl(
        "cache.rerank_ttl_hours",
        "RAG_CACHE_RERANK_TTL_HOURS",
        "0",
        "lifetime of cached second looks (0: no end)",
    ),
    budget("cache.rerank_mib", "RAG_CACHE_RERANK_MIB", "64", "room for cached second looks"),
    ttl(
        "cache.answers_ttl_hours",
        "RAG_CACHE_ANSWERS_TTL_HOURS",
        "720",
        "lifetime of cached answers",
    ),
    budget("cache.answers_mib", "RAG_CACHE_ANSWERS_MIB", "64", "room for cached answers"),
    setting(
        "log.level",
        "RAG_LOG_LEVEL",
        "",
        Shape::OneOf(&["off", "error", "warn", "info", "debug", "trace"]),
        "off, error, warn, info, debug or trace (default: info in a server, else off)",
    ),
    setting(
        "log.format",
        "RAG_LOG_FORMAT",
        "text",
        Shape::OneOf(&["text", "json"]),
        "lines of text or of JSON",
    ),
    personal(
        "telemetry.otlp_endpoint",
        "RAG_TELEMETRY_OTLP_ENDPOINT",
        "",
        Shape::Url,
        "where a server sends traces as OTLP over HTTP, such as http://localhost:4318",
    ),
    setting(
        "analytics.record",
        "RAG_ANALYTICS_RECORD",
        "server",
        Shape::OneOf(&["off", "server", "all"]),
        "what `rag stats` counts: nothing, what servers answer, or `ask` and `search` too",
    ),
    setting(
        "analytics.text",
        "RAG_ANALYTICS_TEXT",
        "false",
        Shape::OneOf(&["false", "true"]),
        "keep questions in words, not only as keyed hashes",
    ),
    setting(
        "analytics.keep_days",
        "RAG_ANALYTICS_KEEP_DAYS",
        "90",
        Shape::Whole { least: 1, most: 36_500 },
        "days after which a record is dropped",
    ),
    personal(
        "mcp.ingest",
        "RAG_MCP_INGEST",
        "false",
        Shape::OneOf(&["false", "true"]),
        "let programs that use `rag mcp` ingest folders",
    ),
    setting(
        "mcp.max_result_bytes",
        "RAG_MCP_MAX_RESULT_BYTES",
        "65536",
        Shape::Whole { least: 4096, most: 1 << 24 },
        "longest result of a tool of `rag mcp`",
    ),
    personal(
        "serve.host",
        "RAG_SERVE_HOST",
        "127.0.0.1",
        Shape::Host,
        "address that `rag serve` listens on",
    ),
    setting(
        "serve.port",
        "RAG_SERVE_PORT",
        "8000",
        Shape::Whole { least: 0, most: 65_535 },
        "port of `rag serve` (0: any free one)",
    ),
    personal(
        "serve.token",
        "RAG_SERVE_TOKEN",
        "",
        Shape::Secret { min_chars: MIN_TOKEN_CHARS },
        "token that may do everything",
    ),
    personal(
        "serve.token_file",
        "RAG_SERVE_TOKEN_FILE",
        "",
        Shape::File,
        "file of tokens: a line is `SCOPE TOKEN`, perhaps with `expires YYYY-MM-DD`",
    ),
    personal(
        "serve.allowed_hosts",
        "RAG_SERVE_ALLOWED_HOSTS",
        "",
        Shape::Hosts,
        "names by which the server may be called beside localhost, with commas between",
    ),
    personal(
        "serve.roots",
        "RAG_SERVE_ROOTS",
        "",
        Shape::Folders,
        "folders that may be ingested over HTTP, with `:` between",
    ),
    setting(
        "serve.workers",
        "RAG_SERVE_WORKERS",
        "0",
        Shape::Whole { least: 0, most: 1024 },
        "questions that are worked on at once (0: one per core)",
    ),
    setting(
        "serve.queue",
        "RAG_SERVE_QUEUE",
        "256",
        Shape::Whole { least: 1, most: 1 << 16 },
        "questions that may wait; more are refused",
    ),
    seconds(
        "serve.query_timeout_s",
        "RAG_SERVE_QUERY_TIMEOUT_S",
        "30",
        "seconds for a question, waiting included; a language model has `llm.answer_timeout_s` more",
    ),
    seconds(
        "serve.embedding_timeout_s",
        "RAG_SERVE_EMBEDDING_TIMEOUT_S",
        "10",
        "seconds of that for its vector",
    ),
    seconds(
        "serve.retrieval_timeout_s",
        "RAG_SERVE_RETRIEVAL_TIMEOUT_S",
        "10",
        "seconds of that for its passages",
    ),
    seconds(
        "serve.generation_timeout_s",
        "RAG_SERVE_GENERATION_TIMEOUT_S",
        "15",
        "seconds of that for an answer that is quoted",
    ),
    setting(
        "serve.connections",
        "RAG_SERVE_CONNECTIONS",
        "768",
        Shape::Whole { least: 1, most: 1 << 16 },
        "connections at once; more wait",
    ),
    seconds(
        "serve.header_timeout_s",
        "RAG_SERVE_HEADER_TIMEOUT_S",
        "10",
        "seconds to send the head of a request",
    ),
    seconds("serve.body_timeout_s", "RAG_SERVE_BODY_TIMEOUT_S", "30", "seconds to send its body"),
    seconds(
        "serve.write_timeout_s",
        "RAG_SERVE_WRITE_TIMEOUT_S",
        "30",
        "seconds that a client may take nothing",
    ),
    seconds(
        "serve.drain_s",
        "RAG_SERVE_DRAIN_S",
        "10",
        "seconds to end what is under way when asked to stop",
    ),
    setting(
        "serve.max_body_bytes",
        "RAG_SERVE_MAX_BODY_BYTES",
        "1048576",
        Shape::Whole { least: 1024, most: 1 << 30 },
        "largest JSON body of a request",
    ),
    setting(
        "serve.max_uploads_bytes",
        "RAG_SERVE_MAX_UPLOADS_BYTES",
        "4294967296",
        Shape::Whole { least: 0, most: 1 << 50 },
        "bytes that uploaded documents may have in all (0: no limit)",
    ),
    setting(
        "serve.rate_per_minute",
        "RAG_SERVE_RATE_PER_MINUTE",
        "0",
        Shape::Whole { least: 0, most: 1 << 32 },
        "requests a minute of one token or address (0: no limit)",
    ),
    setting(
        "serve.quota_per_day",
        "RAG_SERVE_QUOTA_PER_DAY",
        "0",
        Shape::Whole { least: 0, most: 1 << 32 },
        "requests a day of one token or address (0: no limit)",
    ),
    personal(
        "hub.url",
        "HF_ENDPOINT",
        "https://huggingface.co",
        Shape::Url,
        "where `rag model pull` looks",
    ),
    personal(
        "hub.token",
        "HF_TOKEN",
        "",
        Shape::Secret { min_chars: 1 },
        "token for models that need one",
    ),
    personal(
        "assets_dir",
        "RAG_ASSETS_DIR",
        "",
        Shape::AbsoluteFolder,
        "folder of your own whose models/ and runtime/ are used before any other",
    ),
    personal(
        "runtime_library",
        "ORT_DYLIB_PATH",
        "",
        Shape::File,
        "the ONNX Runtime shared library",
    ),
];
