//! One binary for all tests that run `rag` as a user does.
#![allow(
    clippy::disallowed_methods,
    clippy::large_stack_arrays,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::string_slice,
    clippy::type_complexity,
    clippy::unwrap_used,
    reason = "tests create files, read the environment, print notices, and have tables of cases"
)]

// Cached answers.
mod answers;
// `man/` and `completions/` equal what clap renders.
mod artifacts;
// `rag ask`.
mod ask;
// `rag cache`.
mod cache;
// Citations of documents of every format, given back to `rag show`.
#[cfg(all(feature = "pdf", feature = "office"))]
mod cited;
// Source code through the real binary.
#[cfg(all(feature = "code", feature = "pdf", feature = "office"))]
mod code;
// Settings through the real binary.
#[cfg(all(feature = "serve", feature = "mcp"))]
mod config;
// Any number of threads, any time.
mod determinism;
// Follow-up questions over a real book.
mod dialogues;
// Units, images, manifests and workflows.
mod deploy;
// Indexes in a bucket or a shared folder.
#[cfg(feature = "cluster")]
mod depot;
// Two servers over one bucket.
#[cfg(all(feature = "cluster", feature = "serve"))]
mod cluster;
// `rag doctor`.
mod doctor;
// `rag documents`, compaction and rollback.
mod documents;
// Exit codes, JSON errors, help, missing parts.
#[cfg(all(feature = "serve", feature = "mcp"))]
mod errors;
// `rag eval`.
mod eval;
// `--filter`.
mod filters;
// Sample folders and small helpers.
mod fixtures;
// The folders of an index, and confirmation before documents are removed.
mod folders;
// Documents of every format, and files made to break their parsers.
#[cfg(all(feature = "pdf", feature = "office"))]
mod formats;
// Answers of a language model, through the real binary.
mod generate;
// Vectors of the reference implementation.
mod golden;
// Suggestions of completion scripts.
mod completion;
// A foreign folder with a library and a model.
mod hostile;
// `rag index`.
mod index;
// `rag ingest`.
#[cfg(feature = "pdf")]
mod ingest;
// `rag jobs` and the workers.
mod jobs;
// Builds without some features.
#[cfg(not(all(feature = "pdf", feature = "office", feature = "serve", feature = "mcp")))]
mod left_out;
// Chats with a scripted server.
mod llm;
// `rag mcp`.
#[cfg(feature = "mcp")]
mod mcp;
// Author, date, status and the like of documents.
mod metadata;
// `rag model`.
mod model;
// Metrics, logs and records of a server.
#[cfg(feature = "serve")]
mod monitor;
// Names of documents.
#[cfg(feature = "serve")]
mod names;
// OCR of pictures and scanned pages.
#[cfg(feature = "pdf")]
mod ocr;
// The page of `rag serve`, in a browser.
#[cfg(feature = "serve")]
mod page;
// A panic costs one question.
#[cfg(feature = "serve")]
mod panics;
// `rag open`, `rag show`, and passages for other programs.
mod places;
// Nothing is written or sent outside the data directory.
mod privacy;
// `rag search`.
mod search;
// A first ingest that is searched while it runs.
mod searchable;
// `rag serve`.
#[cfg(feature = "serve")]
mod serve;
// `rag chat` and `rag sessions`.
mod sessions;
// `rag status`, `rag init` and `rag config`.
mod settings;
// The cache that servers share, with a real Redis.
#[cfg(feature = "cluster")]
mod shared;
// The database that servers share, with a real PostgreSQL.
#[cfg(feature = "cluster")]
mod ledger;
// What proposes the nearest vectors: a scan, PostgreSQL with pgvector, Qdrant.
#[cfg(feature = "cluster")]
mod nearest;
// `rag ingest --url`.
mod sites;
// `rag stats`.
mod stats;
// A hermetic place to run `rag` in, servers and browsers.
mod support;
// House rules that the compiler does not check.
mod tidy;
// Honest and hostile bundles.
mod bundle;
// `rag index verify --repair`.
mod repair;
// On a pseudo-terminal: progress, colours, tables.
#[cfg(target_env = "gnu")]
mod terminal;
// Another model, another chunking.
mod switch;
// `rag ingest --watch`.
mod watch;
// The documentation is executed: scripts, the README, the pages.
#[cfg(all(feature = "serve", feature = "mcp"))]
mod written;
// Several processes on one data directory.
mod concurrency;
// Kills, interruptions, full disks.
mod crash;
// Documents with injections, and a model that obeys them.
mod untrusted;
// Arbitrary text through every function that takes text.
mod strangers;
// Flipped, cut, swapped and missing bytes of an index.
mod damage;
// Damage outside the indexes.
mod spoiled;
// Every encoding, and entries of a folder that are not plain files.
mod encodings;
// Many rounds of random kills, and real books killed and continued.
mod rounds;
// Read-only folders and unreadable files.
mod readonly;
// `--rerank`.
#[cfg(feature = "serve")]
mod rerank;
// The risk of questions and passages.
mod risk;
// Shared by the sweeps: counted points, random choices, comparison of indexes.
mod sweep;
// Shared by several modules: comparison of folders, waiting for conditions.
mod tools;
