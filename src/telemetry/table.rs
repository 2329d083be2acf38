//! The table of metrics: name, kind, help and labels.
//!
//! A label is the template of a route or has a closed list of values; any other value becomes
//! `other`. So no text, path or token can become a label, and the number of series is bounded.

/// The type of a metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Counter,
    Gauge,
    /// With the upper bounds of its buckets.
    Histogram(&'static [f64]),
}

/// The values of a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    Of(&'static [&'static str]),
    /// The templates of the router.
    Routes,
}

/// One metric.
#[derive(Debug, PartialEq)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    pub help: &'static str,
    pub labels: &'static [(&'static str, Values)],
}

/// Seconds: from a cached answer (milliseconds) to a language model (half a minute).
const ANSWERING: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// Seconds: from an ingest without changes to a large first one.
const INGESTING: &[f64] = &[0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0];

/// Passages of a question.
const COUNTS: &[f64] = &[0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 1000.0];
/// Scores are from 0 to 1, or to 2 after a rerank.
const SCORES: &[f64] = &[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.5, 2.0];
/// Tokens a second: from a large model on a processor to a small one on an accelerator.
const SPEEDS: &[f64] = &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];

const NO_LABELS: &[(&str, Values)] = &[];
const ENGINES: Values = Values::Of(&["redis", "postgres", "pgvector", "qdrant"]);
const NEAREST: Values = Values::Of(&["pgvector", "qdrant"]);
const BOOLS: Values = Values::Of(&["true", "false"]);
const TABLES: Values = Values::Of(&["embeddings", "retrieval", "rerank", "answers"]);
/// HTTP methods with a label. A client may send any word.
pub const KNOWN_METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const METHODS: Values = Values::Of(KNOWN_METHODS);
const CLASSES: Values = Values::Of(&["1xx", "2xx", "3xx", "4xx", "5xx"]);
/// The lanes: `own` for answers made here, `written` for those of a language model.
const LANES: Values = Values::Of(&["own", "written"]);
const INTENTS: Values = Values::Of(&[
    "definition",
    "how-to",
    "troubleshooting",
    "comparison",
    "factoid",
    "list",
    "summary",
]);
const CODES: Values = Values::Of(&[
    "usage",
    "unauthorized",
    "forbidden",
    "not_found",
    "method",
    "media_type",
    "too_large",
    "too_many",
    "busy",
    "timeout",
    "damaged",
    "outside",
    "interrupted",
    "unavailable",
    "conflict",
    "model_not_found",
    "not_acceptable",
    "disk_full",
    "internal",
]);

const fn counter(
    name: &'static str,
    help: &'static str,
    labels: &'static [(&'static str, Values)],
) -> Metric {
    Metric { name, kind: Kind::Counter, help, labels }
}

const fn gauge(
    name: &'static str,
    help: &'static str,
    labels: &'static [(&'static str, Values)],
) -> Metric {
    Metric { name, kind: Kind::Gauge, help, labels }
}

const fn histogram(
    name: &'static str,
    buckets: &'static [f64],
    help: &'static str,
    labels: &'static [(&'static str, Values)],
) -> Metric {
    Metric { name, kind: Kind::Histogram(buckets), help, labels }
}

macro_rules! table {
    ($($id:ident = $metric:expr;)*) => {
        $(pub static $id: Metric = $metric;)*
        /// Every metric of this program. Those of the process (`process_…`) are Prometheus's own.
        pub static METRICS: &[&Metric] = &[$(&$id),*];
    };
}

table! {
    BUILD_INFO = gauge(
        "rag_build_info",
        "Always 1; the label is the version.",
        &[("version", Values::Of(&[env!("CARGO_PKG_VERSION")]))],
    );

    HTTP_REQUESTS = counter(
        "rag_http_requests_total",
        "Requests answered.",
        &[("route", Values::Routes), ("method", METHODS), ("status", CLASSES)],
    );
    HTTP_DURATION = histogram(
        "rag_http_request_duration_seconds",
        ANSWERING,
        "Time from the head of a request to the end of its response, streams included.",
        &[("route", Values::Routes), ("method", METHODS)],
    );
    HTTP_CONNECTIONS = gauge("rag_http_connections", "Open connections.", NO_LABELS);
    HTTP_IN_FLIGHT = gauge("rag_http_requests_in_flight", "Requests in flight.", NO_LABELS);
    HTTP_RECEIVED = counter(
        "rag_http_request_body_bytes_total",
        "Bytes of request bodies read.",
        &[("route", Values::Routes)],
    );
    HTTP_SENT = counter(
        "rag_http_response_body_bytes_total",
        "Bytes of response bodies sent.",
        &[("route", Values::Routes)],
    );
    ERRORS = counter(
        "rag_errors_total",
        "Requests that ended in an error, by code.",
        &[("code", CODES)],
    );

    QUESTIONS = counter(
        "rag_questions_total",
        "Questions answered, and whether the index supported an answer.",
        &[
            ("intent", INTENTS),
            ("generator", Values::Of(&["extractive", "llm"])),
            ("supported", BOOLS),
        ],
    );
    SEARCHES = counter(
        "rag_searches_total",
        "Searches, except those of questions.",
        &[("mode", Values::Of(&["hybrid", "lexical", "dense"]))],
    );
    RISKS = counter(
        "rag_risks_total",
        "Questions at risk of prompt injection, and passages shown that are.",
        &[
            ("text", Values::Of(&["question", "passage"])),
            ("level", Values::Of(&["low", "medium", "high"])),
        ],
    );
    FEATURES = counter(
        "rag_features_used_total",
        "Questions and searches that used a feature.",
        &[(
            "feature",
            Values::Of(&[
                "filter", "session", "stream", "rerank", "intent", "refresh", "no_cache", "batch",
                "hybrid", "lexical", "dense",
            ]),
        )],
    );
    EXPANSIONS = counter(
        "rag_query_expansions_total",
        "Searches whose words were extended by the long form of an acronym, or replaced because \
         the index does not have them. Rankings from the cache are not counted.",
        &[("kind", Values::Of(&["acronym", "replacement"]))],
    );
    SOURCES = histogram(
        "rag_sources_retrieved",
        COUNTS,
        "Passages retrieved for a question or a search.",
        NO_LABELS,
    );
    RELEVANCE = histogram(
        "rag_relevance_score",
        SCORES,
        "Score of the best passage of a question or a search.",
        NO_LABELS,
    );
    INDEX_DOCUMENTS = gauge("rag_index_documents", "Documents of the default index.", NO_LABELS);
    INDEX_PASSAGES = gauge("rag_index_passages", "Passages of the default index.", NO_LABELS);
    STAGE_DURATION = histogram(
        "rag_stage_duration_seconds",
        ANSWERING,
        "Time of the stages of a question or search; stages overlap.",
        &[("stage", Values::Of(&["queue", "embedding", "search", "generation", "total"]))],
    );

    WAITING = gauge(
        "rag_questions_waiting",
        "Questions that wait for a worker.",
        &[("line", LANES)],
    );
    WORKERS = gauge("rag_workers", "Worker threads.", &[("line", LANES)]);
    RUNNING = gauge("rag_questions_running", "Busy worker threads.", &[("line", LANES)]);
    REFUSED = counter(
        "rag_questions_refused_total",
        "Questions refused because the queue was full.",
        &[("line", LANES)],
    );
    LEFT = counter(
        "rag_questions_left_total",
        "Questions abandoned by their clients.",
        &[("line", LANES)],
    );
    JOINED = counter(
        "rag_questions_joined_total",
        "Questions that shared the work of an identical one.",
        &[("line", LANES)],
    );

    INGESTS = counter(
        "rag_ingests_total",
        "Finished ingests.",
        &[("outcome", Values::Of(&["succeeded", "failed", "cancelled"]))],
    );
    INGEST_FILES = counter(
        "rag_ingest_files_total",
        "Files of ingests.",
        &[("outcome", Values::Of(&["read", "skipped", "failed", "removed"]))],
    );
    INGEST_CHUNKS = counter(
        "rag_ingest_chunks_total",
        "Chunks of the generations that ingests wrote.",
        NO_LABELS,
    );
    INGEST_DURATION = histogram(
        "rag_ingest_duration_seconds",
        INGESTING,
        "Time of a successful ingest.",
        NO_LABELS,
    );

    CACHE_OPERATIONS = counter(
        "rag_cache_operations_total",
        "Look-ups by outcome, and rows kept.",
        &[("table", TABLES), ("outcome", Values::Of(&["hit", "miss", "damaged", "kept"]))],
    );
    CACHE_HIT_RATIO = gauge(
        "rag_cache_hit_ratio",
        "Share of hits in the look-ups of this process; 0 before the first.",
        &[("table", TABLES)],
    );
    CACHE_ROWS = gauge("rag_cache_rows", "Rows in the cache.", &[("table", TABLES)]);
    CACHE_BYTES = gauge(
        "rag_cache_size_bytes",
        "Bytes of keys and values in the cache.",
        &[("table", TABLES)],
    );
    CACHE_BUDGET = gauge(
        "rag_cache_budget_bytes",
        "Budget for the bytes of keys and values.",
        &[("table", TABLES)],
    );
    CACHE_EVICTED = counter(
        "rag_cache_evicted_total",
        "Rows evicted, by any process.",
        &[("table", TABLES)],
    );

    JOBS = gauge(
        "rag_jobs",
        "Jobs in the log.",
        &[("state", Values::Of(&["queued", "running", "succeeded", "failed", "cancelled"]))],
    );

    MODEL_TEXTS = counter(
        "rag_model_texts_total",
        "Texts embedded by this process.",
        &[("role", Values::Of(&["query", "passage"]))],
    );
    MODEL_TOKENS = counter(
        "rag_model_tokens_total",
        "Tokens embedded by this process.",
        &[("role", Values::Of(&["query", "passage"]))],
    );
    MODEL_DURATION = histogram(
        "rag_model_text_duration_seconds",
        ANSWERING,
        "Time to embed one text.",
        NO_LABELS,
    );
    MODEL_SPEED = gauge(
        "rag_model_tokens_per_second",
        "Tokens that one thread embeds in a second, since the start.",
        NO_LABELS,
    );

    LLM_CALLS = counter(
        "rag_llm_calls_total",
        "Calls of the language model; retries count once.",
        &[(
            "outcome",
            Values::Of(&["complete", "length", "interrupted", "broken", "failed", "refused"]),
        )],
    );
    LLM_TRIES = counter(
        "rag_llm_tries_total",
        "Requests sent to the language model, retries included.",
        NO_LABELS,
    );
    LLM_TOKENS = counter(
        "rag_llm_tokens_total",
        "Tokens as the language model counts them.",
        &[("kind", Values::Of(&["prompt", "cached", "completion"]))],
    );
    LLM_SPEED = histogram(
        "rag_llm_tokens_per_second",
        SPEEDS,
        "Tokens that the language model writes in a second, its first one included.",
        NO_LABELS,
    );
    BREAKER_OPEN = gauge(
        "rag_breaker_open",
        "1 while the circuit breaker of an outside service is open; the number of language models \
         whose breaker is.",
        &[("service", Values::Of(&["llm", "redis", "postgres", "pgvector", "qdrant"]))],
    );

    SHARED_OPERATIONS = counter(
        "rag_shared_cache_operations_total",
        "Look-ups in the shared cache by outcome, and rows written to it.",
        &[
            ("table", TABLES),
            ("outcome", Values::Of(&["hit", "miss", "damaged", "error", "set", "dropped"])),
        ],
    );
    ENGINE_CONNECTIONS = gauge(
        "rag_engine_connections",
        "Open connections to engines outside this machine.",
        &[("engine", ENGINES), ("state", Values::Of(&["used", "idle"]))],
    );
    ENGINE_LATENCY = gauge(
        "rag_engine_latency_seconds",
        "Time of the last reply of an engine outside this machine.",
        &[("engine", ENGINES)],
    );
    NEAREST_OPERATIONS = counter(
        "rag_nearest_operations_total",
        "Searches among the vectors of an engine, by outcome: it proposed candidates (ok), a \
         filter left few (exact), it does not have the generation (absent), it proposed too few \
         (short) or wrong ones (wrong), it did not answer (failed).",
        &[
            ("engine", NEAREST),
            ("outcome", Values::Of(&["ok", "exact", "absent", "short", "wrong", "failed"])),
        ],
    );
    NEAREST_SECONDS = histogram(
        "rag_nearest_seconds",
        ANSWERING,
        "Time of a request to the engine that has vectors.",
        &[("engine", NEAREST), ("operation", Values::Of(&["propose", "write"]))],
    );

    WEBSOCKETS = gauge("rag_websockets", "Open WebSockets.", NO_LABELS);
    WEBSOCKET_MESSAGES = counter(
        "rag_websocket_messages_total",
        "Messages of WebSockets, except pings.",
        &[("direction", Values::Of(&["received", "sent"]))],
    );
    WEBHOOKS = counter(
        "rag_webhooks_total",
        "Deliveries of webhooks, by outcome; retries count once.",
        &[("outcome", Values::Of(&["delivered", "failed", "dropped"]))],
    );

    ANALYTICS_RECORDS = counter(
        "rag_analytics_records_total",
        "Records of analytics, by outcome.",
        &[("outcome", Values::Of(&["written", "dropped", "failed"]))],
    );
}
