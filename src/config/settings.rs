//! The table of settings. To add one: a row here, a field in `Config`, a line in `load::build`.

/// What a value must look like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    Text,
    Path,
    /// A name that becomes a file name: letters, digits, `.`, `_`, `-`, not starting with `.` or `-`.
    Name,
    Whole {
        least: u64,
        most: u64,
    },
    Fraction,
    OneOf(&'static [&'static str]),
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
}

const fn setting(
    key: &'static str,
    env: &'static str,
    default: &'static str,
    shape: Shape,
    meaning: &'static str,
) -> Setting {
    Setting { key, env, default, shape, meaning }
}

/// Every setting, in the order in which the README lists them.
pub const SETTINGS: &[Setting] = &[
    setting("data_dir", "RAG_DATA_DIR", "data", Shape::Path, "where models, indexes and caches live"),
    setting("cache_dir", "RAG_CACHE_DIR", "", Shape::Path, "where the caches live (default: DATA_DIR/cache)"),
    setting("jobs_dir", "RAG_JOBS_DIR", "", Shape::Path, "where the job log lives (default: DATA_DIR/jobs)"),
    setting("index", "RAG_INDEX", "default", Shape::Name, "which index commands work on"),
    setting("model", "RAG_MODEL", "all-MiniLM-L6-v2", Shape::Name, "embedding model, a folder under models/"),
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
    setting("corpus_id", "CORPUS_ID", "", Shape::Name, "replaces the computed corpus id"),
    setting(
        "chunk.max_tokens",
        "RAG_CHUNK_MAX_TOKENS",
        "0",
        Shape::Whole { least: 0, most: 1 << 20 },
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
    setting("search.k", "RAG_SEARCH_K", "10", Shape::Whole { least: 1, most: 1000 }, "passages that search returns"),
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
        Shape::Fraction,
        "share of the dense leg in a hybrid score",
    ),
    setting(
        "ask.max_words",
        "RAG_ASK_MAX_WORDS",
        "60",
        Shape::Whole { least: 5, most: 2000 },
        "length of an extractive answer",
    ),
    setting("hub.url", "HF_ENDPOINT", "https://huggingface.co", Shape::Text, "where `rag model pull` looks"),
    setting("hub.token", "HF_TOKEN", "", Shape::Text, "token for models that need one"),
    setting("runtime_library", "ORT_DYLIB_PATH", "", Shape::Path, "the ONNX Runtime shared library"),
];
