//! The table of settings. To add one: a row here, a field in `Config`, a line in `load::build`.

use super::cluster::ENGINES;
use super::nearest::NEAREST;
use super::setting::{MIN_TOKEN_CHARS, Setting, Shape, personal, setting};

impl Setting {
    pub fn find(key: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.key == key)
    }
}

/// Lifetime in hours of the rows of a cache table.
const fn ttl(
    key: &'static str,
    env: &'static str,
    default: &'static str,
    description: &'static str,
) -> Setting {
    setting(key, env, default, Shape::Whole { least: 0, most: 1_000_000 }, description)
}

/// Maximum size of a cache table in MiB.
const fn budget(
    key: &'static str,
    env: &'static str,
    default: &'static str,
    description: &'static str,
) -> Setting {
    setting(key, env, default, Shape::Whole { least: 1, most: 1 << 24 }, description)
}

/// A timeout.
const fn seconds(
    key: &'static str,
    env: &'static str,
    default: &'static str,
    description: &'static str,
) -> Setting {
    setting(key, env, default, Shape::Whole { least: 1, most: 86_400 }, description)
}

/// Every setting, in the order of the README's table.
pub const SETTINGS: &[Setting] =
    &joined::<{ LOCAL_AND_ENGINES.len() + NEAREST.len() }>(LOCAL_AND_ENGINES, NEAREST);

const LOCAL_AND_ENGINES: &[Setting] = &joined::<{ OWN.len() + ENGINES.len() }>(OWN, ENGINES);

const fn joined<const N: usize>(first: &[Setting], second: &[Setting]) -> [Setting; N] {
    let mut all = [first[0]; N];
    let mut n = 0;
    while n < N {
        all[n] = if n < first.len() { first[n] } else { second[n - first.len()] };
        n += 1;
    }
    all
}

/// Those of this machine.
const OWN: &[Setting] = &[
    setting(
        "data_dir",
        "RAG_DATA_DIR",
        "data",
        Shape::Folder,
        "where indexes, caches and added models are stored",
    ),
    setting(
        "cache_dir",
        "RAG_CACHE_DIR",
        "",
        Shape::Folder,
        "where caches are stored (default: DATA_DIR/cache)",
    ),
    setting(
        "jobs_dir",
        "RAG_JOBS_DIR",
        "",
        Shape::Folder,
        "where the job log is stored (default: DATA_DIR/jobs)",
    ),
    setting("index", "RAG_INDEX", "default", Shape::Name, "index that commands use"),
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
        "maximum number of concurrent jobs",
    ),
    setting(
        "jobs.keep_hours",
        "RAG_JOBS_KEEP_HOURS",
        "24",
        Shape::Whole { least: 0, most: 1_000_000 },
        "hours to keep records of finished jobs",
    ),
    setting("corpus_id", "CORPUS_ID", "", Shape::Name, "overrides the computed corpus id"),
    setting(
        "chunk.max_tokens",
        "RAG_CHUNK_MAX_TOKENS",
        "0",
        Shape::Passage { most: 1 << 20 },
        "maximum tokens in a chunk, title and headings included (0: the model's window, up to 512)",
    ),
    setting(
        "chunk.overlap_tokens",
        "RAG_CHUNK_OVERLAP_TOKENS",
        "32",
        Shape::Whole { least: 0, most: 1 << 16 },
        "tokens that a chunk repeats from the previous one",
    ),
    setting(
        "ingest.max_file_bytes",
        "RAG_INGEST_MAX_FILE_BYTES",
        "33554432",
        Shape::Whole { least: 1, most: 1 << 31 },
        "maximum file size; larger files are reported as failed",
    ),
    setting(
        "ingest.max_pages",
        "RAG_INGEST_MAX_PAGES",
        "1000",
        Shape::Whole { least: 1, most: 100_000 },
        "maximum number of pages of one web site",
    ),
    personal(
        "ingest.allow_private_addresses",
        "RAG_INGEST_ALLOW_PRIVATE_ADDRESSES",
        "no",
        Shape::OneOf(&["no", "yes"]),
        "whether `--url` may ask servers on this machine and in its network",
    ),
    personal(
        "ingest.ocr",
        "RAG_INGEST_OCR",
        "no",
        Shape::OneOf(&["no", "yes"]),
        "read pictures with `tesseract` and scanned PDF files with `ocrmypdf`",
    ),
    personal(
        "ingest.ocr_languages",
        "RAG_INGEST_OCR_LANGUAGES",
        "eng",
        Shape::Text,
        "languages of OCR, such as `eng+deu`",
    ),
    setting(
        "search.k",
        "RAG_SEARCH_K",
        "10",
        Shape::Whole { least: 1, most: 1000 },
        "number of passages to return",
    ),
    setting(
        "search.mode",
        "RAG_SEARCH_MODE",
        "hybrid",
        Shape::OneOf(&["hybrid", "lexical", "dense"]),
        "retrievers to use: hybrid, lexical or dense",
    ),
    setting(
        "search.dense_weight",
        "RAG_SEARCH_DENSE_WEIGHT",
        "0.6",
        Shape::UpTo(1.0),
        "weight of the dense score in a hybrid score",
    ),
    setting(
        "rerank.model",
        "RAG_RERANK_MODEL",
        "",
        Shape::Name,
        "cross-encoder that reranks passages",
    ),
    setting(
        "search.rerank",
        "RAG_SEARCH_RERANK",
        "20",
        Shape::Whole { least: 0, most: 1000 },
        "passages to rerank, where `rerank.model` is set (0: none)",
    ),
    setting(
        "search.rerank_weight",
        "RAG_SEARCH_RERANK_WEIGHT",
        "0.5",
        Shape::UpTo(1.0),
        "weight of the rerank score in the final score",
    ),
    setting(
        "ask.max_words",
        "RAG_ASK_MAX_WORDS",
        "90",
        Shape::Whole { least: 5, most: 2000 },
        "maximum words in an extractive answer",
    ),
    setting(
        "generator",
        "RAG_GENERATOR",
        "extractive",
        Shape::OneOf(&["extractive", "llm"]),
        "how to write answers: extractive (quotes) or llm",
    ),
    setting(
        "fallback",
        "RAG_FALLBACK",
        "none",
        Shape::OneOf(&["none", "extractive"]),
        "generator to use when the language model fails",
    ),
    personal(
        "llm.base_url",
        "RAG_LLM_BASE_URL",
        "",
        Shape::Url,
        "base URL of an OpenAI-compatible API, such as http://localhost:11434/v1",
    ),
    setting(
        "llm.model",
        "RAG_LLM_MODEL",
        "",
        Shape::Text,
        "language model to request from that API",
    ),
    setting(
        "llm.name",
        "RAG_LLM_NAME",
        "",
        Shape::Name,
        "language model to use: one that tables `llm.NAME` of a file define",
    ),
    personal(
        "llm.api_key",
        "RAG_LLM_API_KEY",
        "",
        Shape::Secret { min_chars: 1 },
        "API key, if one is required",
    ),
    personal(
        "llm.api_key_file",
        "RAG_LLM_API_KEY_FILE",
        "",
        Shape::File,
        "file whose first line is the API key",
    ),
    setting(
        "llm.timeout_s",
        "RAG_LLM_TIMEOUT_S",
        "60",
        Shape::Whole { least: 1, most: 3600 },
        "seconds without data before a language model call times out",
    ),
    seconds(
        "llm.answer_timeout_s",
        "RAG_LLM_ANSWER_TIMEOUT_S",
        "600",
        "maximum seconds for a language model to finish an answer",
    ),
    setting(
        "llm.attempts",
        "RAG_LLM_ATTEMPTS",
        "3",
        Shape::Whole { least: 1, most: 10 },
        "attempts before a language model call fails",
    ),
    setting(
        "llm.retry_wait_s",
        "RAG_LLM_RETRY_WAIT_S",
        "2",
        Shape::Whole { least: 1, most: 600 },
        "maximum seconds before the second attempt; doubles with each further one",
    ),
    setting(
        "llm.max_retry_wait_s",
        "RAG_LLM_MAX_RETRY_WAIT_S",
        "10",
        Shape::Whole { least: 1, most: 600 },
        "maximum seconds between two attempts",
    ),
    setting(
        "llm.temperature",
        "RAG_LLM_TEMPERATURE",
        "0",
        Shape::UpTo(2.0),
        "sampling temperature of the language model",
    ),
    setting(
        "llm.max_tokens",
        "RAG_LLM_MAX_TOKENS",
        "1024",
        Shape::Whole { least: 1, most: 1 << 20 },
        "maximum tokens in a language model reply",
    ),
    setting(
        "llm.evidence_tokens",
        "RAG_LLM_EVIDENCE_TOKENS",
        "3000",
        Shape::Whole { least: 100, most: 1 << 20 },
        "maximum tokens of passages in a language model prompt",
    ),
    setting(
        "llm.warm_minutes",
        "RAG_LLM_WARM_MINUTES",
        "0",
        Shape::Whole { least: 0, most: 1440 },
        "minutes between calls of a server that keep model and prompt loaded; 0 for none",
    ),
    setting(
        "batch.parallel",
        "RAG_BATCH_PARALLEL",
        "4",
        Shape::Whole { least: 1, most: 256 },
        "maximum concurrent language model calls, of a batch or a server",
    ),
    setting(
        "sessions.ttl_hours",
        "RAG_SESSIONS_TTL_HOURS",
        "24",
        Shape::Whole { least: 1, most: 1_000_000 },
        "hours to keep an idle conversation",
    ),
    setting(
        "sessions.ttl_s",
        "RAG_SESSIONS_TTL_S",
        "",
        Shape::Whole { least: 1, most: 1 << 32 },
        "seconds to keep an idle conversation, instead of hours",
    ),
    ttl(
        "cache.embeddings_ttl_hours",
        "RAG_CACHE_EMBEDDINGS_TTL_HOURS",
        "0",
        "hours to keep cached vectors (0: forever)",
    ),
    budget(
        "cache.embeddings_mib",
        "RAG_CACHE_EMBEDDINGS_MIB",
        "4096",
        "maximum MiB of cached vectors",
    ),
    ttl(
        "cache.retrieval_ttl_hours",
        "RAG_CACHE_RETRIEVAL_TTL_HOURS",
        "168",
        "hours to keep cached rankings (0: forever)",
    ),
    budget(
        "cache.retrieval_mib",
        "RAG_CACHE_RETRIEVAL_MIB",
        "128",
        "maximum MiB of cached rankings",
    ),
    ttl(
        "cache.rerank_ttl_hours",
        "RAG_CACHE_RERANK_TTL_HOURS",
        "0",
        "hours to keep cached rerank scores (0: forever)",
    ),
    budget("cache.rerank_mib", "RAG_CACHE_RERANK_MIB", "64", "maximum MiB of cached rerank scores"),
    ttl(
        "cache.answers_ttl_hours",
        "RAG_CACHE_ANSWERS_TTL_HOURS",
        "720",
        "hours to keep cached answers (0: forever)",
    ),
    budget("cache.answers_mib", "RAG_CACHE_ANSWERS_MIB", "64", "maximum MiB of cached answers"),
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
        "format of log lines: text or json",
    ),
    setting(
        "log.requests",
        "LOG_REQUESTS",
        "true",
        Shape::OneOf(&["false", "true"]),
        "log a line for each request of a server",
    ),
    personal(
        "telemetry.otlp_endpoint",
        "RAG_TELEMETRY_OTLP_ENDPOINT",
        "",
        Shape::Url,
        "OTLP/HTTP collector for a server's traces, such as http://localhost:4318",
    ),
    setting(
        "analytics.record",
        "RAG_ANALYTICS_RECORD",
        "server",
        Shape::OneOf(&["off", "server", "all"]),
        "what `rag stats` counts: off, server (server requests) or all (also `ask` and `search`)",
    ),
    setting(
        "analytics.text",
        "RAG_ANALYTICS_TEXT",
        "false",
        Shape::OneOf(&["false", "true"]),
        "store the text of questions, not only keyed hashes",
    ),
    setting(
        "analytics.keep_days",
        "RAG_ANALYTICS_KEEP_DAYS",
        "90",
        Shape::Whole { least: 1, most: 36_500 },
        "days to keep analytics records",
    ),
    personal(
        "mcp.ingest",
        "RAG_MCP_INGEST",
        "false",
        Shape::OneOf(&["false", "true"]),
        "let MCP clients ingest folders",
    ),
    setting(
        "mcp.max_result_bytes",
        "RAG_MCP_MAX_RESULT_BYTES",
        "65536",
        Shape::Whole { least: 4096, most: 1 << 24 },
        "maximum bytes in the result of an MCP tool",
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
        "port that `rag serve` listens on (0: any free port)",
    ),
    personal(
        "serve.token",
        "RAG_SERVE_TOKEN",
        "",
        Shape::Secret { min_chars: MIN_TOKEN_CHARS },
        "token with full access",
    ),
    personal(
        "serve.token_file",
        "RAG_SERVE_TOKEN_FILE",
        "",
        Shape::File,
        "file of tokens, one per line: `SCOPE TOKEN [expires YYYY-MM-DD]`",
    ),
    personal(
        "serve.jwt_issuer",
        "RAG_SERVE_JWT_ISSUER",
        "",
        Shape::Text,
        "issuer (`iss`) of an identity provider whose tokens are accepted",
    ),
    personal(
        "serve.jwt_audience",
        "RAG_SERVE_JWT_AUDIENCE",
        "",
        Shape::Text,
        "audience (`aud`) that these tokens must name",
    ),
    personal(
        "serve.jwt_keys",
        "RAG_SERVE_JWT_KEYS",
        "",
        Shape::Text,
        "the provider's public keys (JWKS): a file or an address",
    ),
    personal(
        "serve.jwt_scope_claim",
        "RAG_SERVE_JWT_SCOPE_CLAIM",
        "scope",
        Shape::Text,
        "claim with the scope: read, write or admin, also as `rag:read`",
    ),
    personal(
        "serve.jwt_indexes_claim",
        "RAG_SERVE_JWT_INDEXES_CLAIM",
        "rag_indexes",
        Shape::Text,
        "claim with the names of the indexes, `*` for all",
    ),
    personal(
        "serve.allowed_hosts",
        "RAG_SERVE_ALLOWED_HOSTS",
        "",
        Shape::Hosts,
        "extra accepted Host names, separated by `,`",
    ),
    personal(
        "serve.cors_origins",
        "RAG_SERVE_CORS_ORIGINS",
        "",
        Shape::Urls,
        "origins of web pages that may use the server, separated by `,`",
    ),
    personal(
        "serve.tls_certificate",
        "RAG_SERVE_TLS_CERTIFICATE",
        "",
        Shape::File,
        "PEM file with the certificate chain for TLS, read again when it changes",
    ),
    personal(
        "serve.tls_key",
        "RAG_SERVE_TLS_KEY",
        "",
        Shape::File,
        "PEM file with the private key of the certificate",
    ),
    personal(
        "serve.webhooks",
        "RAG_SERVE_WEBHOOKS",
        "",
        Shape::Urls,
        "addresses that the end of each job is posted to, separated by `,`",
    ),
    personal(
        "serve.webhook_secret",
        "RAG_SERVE_WEBHOOK_SECRET",
        "",
        Shape::Secret { min_chars: MIN_TOKEN_CHARS },
        "secret that signs webhooks",
    ),
    personal(
        "serve.roots",
        "RAG_SERVE_ROOTS",
        "",
        Shape::Folders,
        "folders that may be ingested over HTTP or MCP, separated by `:`",
    ),
    setting(
        "serve.workers",
        "RAG_SERVE_WORKERS",
        "0",
        Shape::Whole { least: 0, most: 1024 },
        "maximum concurrent questions (0: one per core)",
    ),
    setting(
        "serve.queue",
        "RAG_SERVE_QUEUE",
        "256",
        Shape::Whole { least: 1, most: 1 << 16 },
        "maximum queued questions; more are refused",
    ),
    seconds(
        "serve.query_timeout_s",
        "RAG_SERVE_QUERY_TIMEOUT_S",
        "30",
        "seconds per question, queueing included; plus `llm.answer_timeout_s` for a language model",
    ),
    seconds(
        "serve.embedding_timeout_s",
        "RAG_SERVE_EMBEDDING_TIMEOUT_S",
        "10",
        "seconds of these to embed the question",
    ),
    seconds(
        "serve.retrieval_timeout_s",
        "RAG_SERVE_RETRIEVAL_TIMEOUT_S",
        "10",
        "seconds of these to retrieve passages",
    ),
    seconds(
        "serve.generation_timeout_s",
        "RAG_SERVE_GENERATION_TIMEOUT_S",
        "15",
        "seconds of these to write an extractive answer",
    ),
    setting(
        "serve.connections",
        "RAG_SERVE_CONNECTIONS",
        "768",
        Shape::Whole { least: 1, most: 1 << 16 },
        "maximum open connections; more wait",
    ),
    seconds(
        "serve.header_timeout_s",
        "RAG_SERVE_HEADER_TIMEOUT_S",
        "10",
        "seconds to receive request headers",
    ),
    seconds(
        "serve.body_timeout_s",
        "RAG_SERVE_BODY_TIMEOUT_S",
        "30",
        "seconds to receive a request body",
    ),
    seconds(
        "serve.write_timeout_s",
        "RAG_SERVE_WRITE_TIMEOUT_S",
        "30",
        "seconds before a client that reads nothing is disconnected",
    ),
    seconds(
        "serve.drain_s",
        "RAG_SERVE_DRAIN_S",
        "10",
        "seconds to finish running requests on shutdown",
    ),
    setting(
        "serve.max_body_bytes",
        "RAG_SERVE_MAX_BODY_BYTES",
        "1048576",
        Shape::Whole { least: 1024, most: 1 << 30 },
        "maximum bytes in a JSON request body",
    ),
    setting(
        "serve.max_uploads_bytes",
        "RAG_SERVE_MAX_UPLOADS_BYTES",
        "4294967296",
        Shape::Whole { least: 0, most: 1 << 50 },
        "maximum total bytes of uploaded documents (0: no limit)",
    ),
    setting(
        "serve.rate_per_minute",
        "RAG_SERVE_RATE_PER_MINUTE",
        "0",
        Shape::Whole { least: 0, most: 1 << 32 },
        "requests per minute per token or address (0: no limit)",
    ),
    setting(
        "serve.quota_per_day",
        "RAG_SERVE_QUOTA_PER_DAY",
        "0",
        Shape::Whole { least: 0, most: 1 << 32 },
        "requests per day per token or address (0: no limit)",
    ),
    personal(
        "hub.url",
        "HF_ENDPOINT",
        "https://huggingface.co",
        Shape::Url,
        "model hub that `rag model pull` downloads from",
    ),
    personal(
        "hub.token",
        "HF_TOKEN",
        "",
        Shape::Secret { min_chars: 1 },
        "hub token, for models that require one",
    ),
    personal(
        "assets_dir",
        "RAG_ASSETS_DIR",
        "",
        Shape::AbsoluteFolder,
        "folder of your own whose models/ and runtime/ are searched first",
    ),
    personal(
        "runtime_library",
        "ORT_DYLIB_PATH",
        "",
        Shape::File,
        "path of the ONNX Runtime shared library",
    ),
];
