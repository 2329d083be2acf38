//! What man pages say beyond the definition of the command line: examples, environment, files and
//! related pages. One row per page; `man` renders them.

/// The texts of one page.
pub struct Page {
    /// Such as `rag-index-save`.
    pub name: &'static str,
    /// What the command does, and the command.
    pub examples: &'static [(&'static str, &'static str)],
    /// Settings that matter to the command, by prefixes of their keys.
    pub settings: &'static [&'static str],
    /// Path and contents.
    pub files: &'static [(&'static str, &'static str)],
    /// Besides the page of the parent command.
    pub see_also: &'static [&'static str],
}

impl Page {
    /// Whether the page lists the setting `key`.
    pub fn lists(&self, key: &str) -> bool {
        self.settings.iter().any(|prefix| key.starts_with(prefix))
    }
}

const USER_CONFIG: (&str, &str) = ("~/.config/rag/config.toml", "settings of the user");
const PROJECT_CONFIG: (&str, &str) =
    ("./rag.toml", "settings of the project; must not say where keys and questions are sent");
const INDEXES: (&str, &str) = ("DATA_DIR/indexes/", "indexes, one folder per generation");
const CACHE: (&str, &str) = ("DATA_DIR/cache/cache.db", "embeddings, rankings and answers");
const SESSIONS: (&str, &str) = ("DATA_DIR/sessions/sessions.db", "conversations");
const TOKENS: (&str, &str) = ("DATA_DIR/access/tokens.db", "hashes of access tokens");
const JOBS: (&str, &str) = ("DATA_DIR/jobs/", "records of ingests; worker.log of the workers");
const MODELS: (&str, &str) = ("DATA_DIR/models/NAME/", "embedding models");
const RUNTIME: (&str, &str) = ("DATA_DIR/runtime/", "the ONNX Runtime library");
const ANALYTICS: (&str, &str) = ("DATA_DIR/analytics/analytics.db", "records of requests");

const SHOWN: (&str, &str) =
    ("~/.local/state/rag/shown.json", "places of the last sources, by terminal");

pub const PAGES: &[Page] = &[
    Page {
        name: "rag",
        examples: &[
            (
                "Index a folder, then ask a question:",
                "rag ingest docs\nrag ask \"How do I start?\"",
            ),
            ("Read an answer in a script:", "rag --json ask \"Is TLS required?\" | jq -r .answer"),
            ("Keep several indexes in one data directory:", "rag --index notes ingest ~/notes"),
        ],
        settings: &[],
        files: &[
            USER_CONFIG,
            PROJECT_CONFIG,
            INDEXES,
            MODELS,
            RUNTIME,
            CACHE,
            SESSIONS,
            JOBS,
            ANALYTICS,
            ("~/.local/state/rag/", "known data directories, added models, verified files"),
        ],
        see_also: &["rag-ingest", "rag-ask", "rag-search", "rag-serve", "rag-doctor"],
    },
    Page {
        name: "rag-ingest",
        examples: &[
            ("Index a folder:", "rag ingest docs"),
            ("Re-ingest all folders of the index:", "rag ingest"),
            ("Index only Markdown files:", "rag ingest docs --include '*.md'"),
            ("Keep the index up to date:", "rag ingest docs --watch"),
            ("Ingest in the background:", "rag ingest docs --detach --priority high"),
        ],
        settings: &["model", "threads", "chunk.", "ingest.", "cache.embeddings_", "jobs_dir"],
        files: &[
            (".gitignore, .ragignore", "patterns of files to leave out"),
            INDEXES,
            CACHE,
            JOBS,
        ],
        see_also: &["rag-jobs", "rag-documents", "rag-index", "rag-model"],
    },
    Page {
        name: "rag-jobs",
        examples: &[("Ingest in the background:", "rag ingest docs --detach")],
        settings: &["jobs_dir", "jobs.", "max_workers"],
        files: &[JOBS],
        see_also: &["rag-ingest"],
    },
    Page {
        name: "rag-jobs-list",
        examples: &[("Print states as JSON:", "rag jobs list --json | jq -r .jobs[].state")],
        settings: &["jobs_dir", "jobs."],
        files: &[JOBS],
        see_also: &["rag-jobs-show"],
    },
    Page {
        name: "rag-jobs-show",
        examples: &[("Wait for a job to finish:", "rag jobs show 4f2a --follow")],
        settings: &["jobs_dir"],
        files: &[JOBS],
        see_also: &["rag-jobs-list", "rag-jobs-cancel"],
    },
    Page {
        name: "rag-jobs-cancel",
        examples: &[("Cancel a job by the start of its id:", "rag jobs cancel 4f2a")],
        settings: &["jobs_dir"],
        files: &[JOBS],
        see_also: &["rag-jobs-retry"],
    },
    Page {
        name: "rag-jobs-retry",
        examples: &[("Queue a failed job again:", "rag jobs retry 4f2a")],
        settings: &["jobs_dir", "max_workers"],
        files: &[JOBS],
        see_also: &["rag-jobs-cancel", "rag-jobs-show"],
    },
    Page {
        name: "rag-jobs-clean",
        examples: &[
            ("Delete records older than twelve hours:", "rag jobs clean --older-than 12"),
            ("Delete the records of all finished jobs:", "rag jobs clean --older-than 0"),
        ],
        settings: &["jobs_dir", "jobs."],
        files: &[JOBS],
        see_also: &["rag-jobs-list"],
    },
    Page {
        name: "rag-jobs-run",
        examples: &[("Run queued jobs from a timer:", "rag jobs run --quiet")],
        settings: &["jobs_dir", "max_workers"],
        files: &[JOBS],
        see_also: &["rag-ingest"],
    },
    Page {
        name: "rag-search",
        examples: &[
            ("Find passages by words and meaning:", "rag search connection pool size"),
            ("Search for an exact phrase:", "rag search '\"commit point\"'"),
            ("Search PDF files in a folder:", "rag search --filter type:pdf budget"),
            ("Show how scores are made up:", "rag search --explain budget"),
        ],
        settings: &["search.", "rerank.", "cache.retrieval_", "cache.rerank_", "analytics.record"],
        files: &[INDEXES, CACHE],
        see_also: &["rag-ask", "rag-eval"],
    },
    Page {
        name: "rag-ask",
        examples: &[
            ("Ask a question:", "rag ask \"How do I skip a file?\""),
            ("Have a language model write the answer:", "rag ask --generator llm \"What is new?\""),
            ("Ask a follow-up question:", "rag ask --continue \"And on Windows?\""),
            ("Answer a file of questions:", "rag ask --batch questions.txt > answers.jsonl"),
        ],
        settings: &[
            "search.",
            "rerank.",
            "ask.",
            "generator",
            "fallback",
            "llm.",
            "batch.",
            "cache.answers_",
        ],
        files: &[INDEXES, CACHE, SESSIONS],
        see_also: &["rag-chat", "rag-search", "rag-sessions"],
    },
    Page {
        name: "rag-chat",
        examples: &[
            ("Start a conversation:", "rag chat"),
            ("Continue the last conversation:", "rag chat --continue"),
            ("Answer one question per line:", "rag chat --json < questions.txt"),
        ],
        settings: &["search.", "rerank.", "ask.", "generator", "fallback", "llm.", "sessions."],
        files: &[SESSIONS, ("DATA_DIR/sessions/history", "lines typed at the prompt")],
        see_also: &["rag-ask", "rag-sessions"],
    },
    Page {
        name: "rag-open",
        examples: &[
            ("Open the first source of the last answer:", "rag open"),
            ("Open the third:", "rag open 3"),
        ],
        settings: &[],
        files: &[SHOWN],
        see_also: &["rag-show", "rag-search", "rag-ask"],
    },
    Page {
        name: "rag-show",
        examples: &[
            ("Show the passage at a line:", "rag show docs/guide.md:12"),
            ("Show the second source of the last answer, and more around it:", "rag show 2 -C 3"),
        ],
        settings: &["data_dir", "index"],
        files: &[INDEXES, SHOWN],
        see_also: &["rag-open", "rag-documents-show"],
    },
    Page {
        name: "rag-sessions",
        examples: &[],
        settings: &["sessions."],
        files: &[SESSIONS],
        see_also: &["rag-chat", "rag-ask"],
    },
    Page {
        name: "rag-sessions-list",
        examples: &[("List conversations:", "rag sessions list")],
        settings: &["sessions."],
        files: &[SESSIONS],
        see_also: &["rag-sessions-show"],
    },
    Page {
        name: "rag-sessions-show",
        examples: &[("Print a conversation:", "rag sessions show travel")],
        settings: &["sessions."],
        files: &[SESSIONS],
        see_also: &["rag-sessions-list", "rag-sessions-export"],
    },
    Page {
        name: "rag-sessions-export",
        examples: &[("Write exports/session.jsonl:", "rag sessions export travel --to exports")],
        settings: &["sessions."],
        files: &[
            SESSIONS,
            ("DATA_DIR/runs/session_TIME/session.jsonl", "an exported conversation"),
        ],
        see_also: &["rag-sessions-show"],
    },
    Page {
        name: "rag-sessions-remove",
        examples: &[("Remove every conversation:", "rag sessions remove --all --yes")],
        settings: &["sessions."],
        files: &[SESSIONS],
        see_also: &["rag-sessions-list"],
    },
    Page {
        name: "rag-index",
        examples: &[],
        settings: &["data_dir", "index"],
        files: &[INDEXES],
        see_also: &["rag-ingest", "rag-documents"],
    },
    Page {
        name: "rag-index-list",
        examples: &[("List the indexes of all data directories:", "rag index list --everywhere")],
        settings: &["data_dir"],
        files: &[INDEXES, ("~/.local/state/rag/places.json", "known data directories")],
        see_also: &["rag-index-show"],
    },
    Page {
        name: "rag-index-show",
        examples: &[("Show another index:", "rag index show --index notes")],
        settings: &["data_dir", "index"],
        files: &[INDEXES],
        see_also: &["rag-index-list", "rag-documents-list"],
    },
    Page {
        name: "rag-index-verify",
        examples: &[
            ("Check every byte:", "rag index verify"),
            ("Repair a damaged index:", "rag index verify --repair"),
        ],
        settings: &["data_dir", "index"],
        files: &[INDEXES],
        see_also: &["rag-doctor"],
    },
    Page {
        name: "rag-index-save",
        examples: &[("Save the index to a file:", "rag index save docs.tar.zst")],
        settings: &["data_dir", "index"],
        files: &[INDEXES],
        see_also: &["rag-index-load"],
    },
    Page {
        name: "rag-index-load",
        examples: &[("Load an index under a new name:", "rag index load docs.tar.zst --as docs")],
        settings: &["data_dir"],
        files: &[INDEXES],
        see_also: &["rag-index-save", "rag-model-add"],
    },
    Page {
        name: "rag-index-push",
        examples: &[("Copy the index to a bucket:", "rag index push --to s3://bucket/rag")],
        settings: &["data_dir", "index", "depot.url"],
        files: &[INDEXES],
        see_also: &["rag-index-pull", "rag-index-save"],
    },
    Page {
        name: "rag-index-pull",
        examples: &[("Copy an index from a bucket:", "rag index pull --from s3://bucket/rag")],
        settings: &["data_dir", "index", "depot.url"],
        files: &[INDEXES],
        see_also: &["rag-index-push", "rag-index-load"],
    },
    Page {
        name: "rag-index-gc",
        examples: &[("Delete what no index needs any more:", "rag index gc")],
        settings: &["depot.url", "depot.grace_hours"],
        files: &[],
        see_also: &["rag-index-push", "rag-index-compact"],
    },
    Page {
        name: "rag-index-rollback",
        examples: &[("Undo the last ingest:", "rag index rollback")],
        settings: &["data_dir", "index"],
        files: &[INDEXES],
        see_also: &["rag-ingest"],
    },
    Page {
        name: "rag-index-compact",
        examples: &[("Erase the text of removed documents:", "rag index compact")],
        settings: &["data_dir", "index"],
        files: &[INDEXES],
        see_also: &["rag-documents-remove"],
    },
    Page {
        name: "rag-index-remove-folder",
        examples: &[("Remove a folder without asking:", "rag index remove-folder notes --yes")],
        settings: &["data_dir", "index"],
        files: &[INDEXES],
        see_also: &["rag-index-rollback", "rag-ingest"],
    },
    Page {
        name: "rag-index-remove",
        examples: &[("Remove an index without asking:", "rag index remove --index notes --yes")],
        settings: &["data_dir", "index"],
        files: &[INDEXES],
        see_also: &["rag-index-list"],
    },
    Page {
        name: "rag-documents",
        examples: &[],
        settings: &["data_dir", "index"],
        files: &[INDEXES],
        see_also: &["rag-ingest", "rag-index"],
    },
    Page {
        name: "rag-documents-list",
        examples: &[
            ("List PDF files:", "rag documents list --filter type:pdf"),
            ("List files that failed, with the reason:", "rag documents list --failed"),
        ],
        settings: &["data_dir", "index"],
        files: &[INDEXES],
        see_also: &["rag-documents-show", "rag-index-show"],
    },
    Page {
        name: "rag-documents-show",
        examples: &[("Show a document and its passages:", "rag documents show docs/guide.md")],
        settings: &["data_dir", "index"],
        files: &[INDEXES],
        see_also: &["rag-documents-list"],
    },
    Page {
        name: "rag-documents-remove",
        examples: &[("Remove a folder of drafts:", "rag documents remove 'docs/drafts/**' --yes")],
        settings: &["data_dir", "index"],
        files: &[INDEXES],
        see_also: &["rag-documents-restore", "rag-index-compact"],
    },
    Page {
        name: "rag-documents-restore",
        examples: &[("Restore removed drafts:", "rag documents restore 'docs/drafts/**'")],
        settings: &["data_dir", "index"],
        files: &[INDEXES],
        see_also: &["rag-documents-remove", "rag-ingest"],
    },
    Page {
        name: "rag-cache",
        examples: &[],
        settings: &["cache_dir", "cache."],
        files: &[CACHE],
        see_also: &["rag-ask", "rag-ingest"],
    },
    Page {
        name: "rag-cache-stats",
        examples: &[("Show the size and hit rate of every table:", "rag cache stats")],
        settings: &["cache_dir", "cache."],
        files: &[CACHE],
        see_also: &["rag-cache-purge"],
    },
    Page {
        name: "rag-cache-purge",
        examples: &[
            ("Drop cached answers and rankings:", "rag cache purge answers,retrieval"),
            ("Empty the cache:", "rag cache purge all"),
            ("Drop answers and rankings of an index:", "rag cache purge --tag handbook"),
            (
                "Drop those that were made from documents of a folder, or from web pages:",
                "rag cache purge --tag docs/policies --domain docs.example.org",
            ),
        ],
        settings: &["cache_dir"],
        files: &[CACHE],
        see_also: &["rag-cache-stats"],
    },
    Page {
        name: "rag-cache-warm",
        examples: &[("Answer frequent questions in advance:", "rag cache warm questions.txt")],
        settings: &["cache_dir", "cache.", "batch."],
        files: &[CACHE],
        see_also: &["rag-ask", "rag-eval"],
    },
    Page {
        name: "rag-model",
        examples: &[],
        settings: &["model", "assets_dir", "runtime_library"],
        files: &[MODELS, RUNTIME],
        see_also: &["rag-ingest", "rag-doctor"],
    },
    Page {
        name: "rag-model-list",
        examples: &[("List models:", "rag model list")],
        settings: &["model", "assets_dir"],
        files: &[MODELS],
        see_also: &["rag-model-add", "rag-model-pull"],
    },
    Page {
        name: "rag-model-verify",
        examples: &[("Check one model:", "rag model verify all-MiniLM-L6-v2")],
        settings: &["assets_dir", "runtime_library"],
        files: &[MODELS, RUNTIME],
        see_also: &["rag-doctor"],
    },
    Page {
        name: "rag-model-add",
        examples: &[("Add a model folder:", "rag model add ~/models/bge-small --name bge")],
        settings: &["data_dir"],
        files: &[MODELS],
        see_also: &["rag-model-pull", "rag-ingest"],
    },
    Page {
        name: "rag-model-pull",
        examples: &[("Download a model:", "rag model pull sentence-transformers/all-MiniLM-L6-v2")],
        settings: &["data_dir", "hub."],
        files: &[MODELS],
        see_also: &["rag-model-add", "rag-ingest"],
    },
    Page {
        name: "rag-serve",
        examples: &[
            ("Serve this machine:", "rag serve"),
            ("Serve a network, with a token:", "RAG_SERVE_TOKEN=... rag serve --host 0.0.0.0"),
        ],
        settings: &["serve.", "log.", "telemetry.", "analytics.", "batch."],
        files: &[INDEXES, CACHE, ANALYTICS, ("DATA_DIR/uploads/INDEX/", "uploaded documents")],
        see_also: &["rag-mcp", "rag-stats"],
    },
    Page {
        name: "rag-token",
        examples: &[],
        settings: &["serve.token", "serve.rate", "serve.quota"],
        files: &[TOKENS],
        see_also: &["rag-serve"],
    },
    Page {
        name: "rag-token-add",
        examples: &[
            ("Let a program ask about one index:", "rag token add reports --indexes finance"),
            (
                "Allow uploads for a month:",
                "rag token add ada --scope write --indexes wiki --expires-in 30",
            ),
        ],
        settings: &["serve.rate", "serve.quota"],
        files: &[TOKENS],
        see_also: &["rag-token-revoke", "rag-serve"],
    },
    Page {
        name: "rag-token-list",
        examples: &[("List tokens:", "rag token list")],
        settings: &[],
        files: &[TOKENS],
        see_also: &["rag-token-add"],
    },
    Page {
        name: "rag-token-revoke",
        examples: &[("Revoke a token:", "rag token revoke ada")],
        settings: &[],
        files: &[TOKENS],
        see_also: &["rag-token-list"],
    },
    Page {
        name: "rag-eval",
        examples: &[
            ("Measure all modes:", "rag eval questions.jsonl"),
            ("Compare two settings:", "rag eval questions.jsonl --set search.dense_weight=0.4"),
            ("Find out what went wrong:", "rag eval questions.jsonl --worst 10"),
            ("Measure a BEIR collection:", "rag eval scifact --dir scifact --html report.html"),
            ("Fail on a significant loss:", "rag eval questions.jsonl --baseline baseline.json"),
            ("Draft questions with a language model:", "rag eval --generate 20 > questions.jsonl"),
        ],
        settings: &["search.", "rerank.", "llm."],
        files: &[INDEXES],
        see_also: &["rag-search", "rag-ask"],
    },
    Page {
        name: "rag-eval-init",
        examples: &[
            ("Measure with the feedback of users:", "rag eval init > feedback.jsonl"),
            ("Draft from what was asked:", "rag eval init --drafts > questions.jsonl"),
        ],
        settings: &["analytics."],
        files: &[ANALYTICS, SESSIONS],
        see_also: &["rag-serve", "rag-stats"],
    },
    Page {
        name: "rag-mcp",
        examples: &[
            ("Serve a data directory to an agent:", "rag --data-dir ~/data mcp"),
            ("Allow ingests below a folder:", "rag mcp --allow-ingest --root docs"),
        ],
        settings: &["mcp.", "serve.roots", "log.", "analytics."],
        files: &[INDEXES, ANALYTICS],
        see_also: &["rag-serve"],
    },
    Page {
        name: "rag-stats",
        examples: &[
            ("Show the last week:", "rag stats --since 7d"),
            ("Delete all records:", "rag stats --purge --yes"),
        ],
        settings: &["analytics."],
        files: &[ANALYTICS],
        see_also: &["rag-serve", "rag-mcp"],
    },
    Page {
        name: "rag-worker",
        examples: &[("Run the jobs that servers submit:", "rag worker")],
        settings: &["max_workers", "jobs.", "ledger.", "shared."],
        files: &[JOBS],
        see_also: &["rag-jobs", "rag-ingest", "rag-migrate"],
    },
    Page {
        name: "rag-migrate",
        examples: &[(
            "Create the tables in a database:",
            "RAG_LEDGER_URL=postgres://rag@localhost/rag rag migrate",
        )],
        settings: &["ledger."],
        files: &[USER_CONFIG],
        see_also: &["rag-serve", "rag-doctor"],
    },
    Page {
        name: "rag-status",
        examples: &[
            ("See whether files have changed:", "rag status"),
            ("The same in a script:", "rag status --json | jq .files"),
        ],
        settings: &["data_dir", "index", "model", "generator"],
        files: &[INDEXES, JOBS],
        see_also: &["rag-doctor", "rag-index-show", "rag-ingest"],
    },
    Page {
        name: "rag-init",
        examples: &[("Make a configuration file for this folder:", "rag init")],
        settings: &["data_dir", "index"],
        files: &[PROJECT_CONFIG],
        see_also: &["rag-config", "rag-ingest"],
    },
    Page {
        name: "rag-config",
        examples: &[],
        settings: &[],
        files: &[USER_CONFIG, PROJECT_CONFIG],
        see_also: &["rag-init", "rag-doctor"],
    },
    Page {
        name: "rag-config-list",
        examples: &[("Show what is set, and where:", "rag config list --changed")],
        settings: &[],
        files: &[USER_CONFIG, PROJECT_CONFIG],
        see_also: &["rag-config-get"],
    },
    Page {
        name: "rag-config-get",
        examples: &[("Print a setting:", "rag config get search.k")],
        settings: &[],
        files: &[USER_CONFIG, PROJECT_CONFIG],
        see_also: &["rag-config-set"],
    },
    Page {
        name: "rag-config-set",
        examples: &[
            ("Consider more passages in this folder:", "rag config set search.k 20 --project"),
            ("Have a language model write:", "rag config set generator llm"),
        ],
        settings: &[],
        files: &[USER_CONFIG, PROJECT_CONFIG],
        see_also: &["rag-config-unset", "rag-config-edit"],
    },
    Page {
        name: "rag-config-unset",
        examples: &[("Use the built-in value again:", "rag config unset search.k")],
        settings: &[],
        files: &[USER_CONFIG, PROJECT_CONFIG],
        see_also: &["rag-config-set"],
    },
    Page {
        name: "rag-config-edit",
        examples: &[("Edit the file of this folder:", "rag config edit --project")],
        settings: &[],
        files: &[USER_CONFIG, PROJECT_CONFIG],
        see_also: &["rag-config-set"],
    },
    Page {
        name: "rag-doctor",
        examples: &[
            ("Check the installation:", "rag doctor"),
            ("Show every setting and where it is set:", "rag doctor --verbose"),
        ],
        settings: &[
            "data_dir",
            "model",
            "assets_dir",
            "runtime_library",
            "llm.",
            "shared.",
            "ledger.",
        ],
        files: &[USER_CONFIG, PROJECT_CONFIG],
        see_also: &["rag-index-verify", "rag-model-verify"],
    },
    Page {
        name: "rag-completions",
        examples: &[("Load completions in bash:", "source <(rag completions bash)")],
        settings: &[],
        files: &[],
        see_also: &["rag-man"],
    },
    Page {
        name: "rag-man",
        examples: &[("Read a page:", "rag man index-save | man -l -")],
        settings: &[],
        files: &[],
        see_also: &["rag-completions"],
    },
];
