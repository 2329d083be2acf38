//! One binary for all tests that run `rag` as a user does.
#![allow(
    clippy::disallowed_methods,
    clippy::large_stack_arrays,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::string_slice,
    clippy::type_complexity,
    clippy::unwrap_used,
    reason = "tests make files, read the environment, say aloud what they skip, and have tables of cases"
)]

// Answers out of the cache.
mod answers;
// `man/` and `completions/` are what the command line says.
mod artifacts;
// `rag ask`.
mod ask;
// `rag cache`.
mod cache;
// Source code through the real binary.
#[cfg(all(feature = "code", feature = "pdf", feature = "office"))]
mod code;
// Settings through the real binary.
#[cfg(all(feature = "serve", feature = "mcp"))]
mod config;
// One thread or many, today or tomorrow.
mod determinism;
// Follow-up questions over a real book.
mod dialogues;
// Units, images, manifests and workflows.
mod deploy;
// `rag doctor`.
mod doctor;
// `rag documents`, compacting and going back.
mod documents;
// Exit codes, JSON errors, help, missing parts.
#[cfg(all(feature = "serve", feature = "mcp"))]
mod errors;
// `--filter`.
mod filters;
// Sample folders and small helpers.
mod fixtures;
// The folders of an index, and what is asked before documents go.
mod folders;
// Documents of every format, and files that are made to break their parsers.
#[cfg(all(feature = "pdf", feature = "office"))]
mod formats;
// Answers that a language model writes, through the real binary.
mod generate;
// Vectors of the reference implementation.
mod golden;
// A folder that somebody else made.
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
// `rag model`.
mod model;
// Metrics, logs and records of a server.
#[cfg(feature = "serve")]
mod monitor;
// What documents are called.
#[cfg(feature = "serve")]
mod names;
// The page of `rag serve`, in a browser.
#[cfg(feature = "serve")]
mod page;
// A panic costs one question.
#[cfg(feature = "serve")]
mod panics;
// Nothing leaves the data directory.
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
// `rag stats`.
mod stats;
// A hermetic place to run `rag` in, servers and browsers; shared by all.
mod support;
// House rules that a compiler does not hold.
mod tidy;
// Hostile and honest bundles.
#[cfg(all(feature = "serve", feature = "mcp"))]
mod bundle;
// `rag index verify --repair`.
mod repair;
// On a pseudo-terminal: progress, colours, tables.
#[cfg(target_env = "gnu")]
mod terminal;
// Another model, other chunks.
mod switch;
// `rag ingest --watch`.
mod watch;
// What is written is run: scripts, the README, the documentation.
#[cfg(all(feature = "serve", feature = "mcp"))]
mod written;
// Several processes on one data directory.
mod concurrency;
// Kills, interruptions, full disks.
mod crash;
// Documents that give orders, and a model that obeys them.
mod untrusted;
// Any text through every function that takes text.
mod strangers;
// Flipped, cut, swapped and missing bytes.
mod damage;
// Damage to everything beside the indexes.
mod spoiled;
// Every encoding, and things in a folder that are no files.
mod encodings;
// Many rounds of random kills, and real books killed and gone on with.
mod rounds;
// Folders that may not be written to, files that may not be read.
mod readonly;
// `--rerank`.
mod rerank;
// Shared by the sweeps: points that are counted, chance, contents compared.
mod sweep;
// Shared by the tests of damage, crashes and crowds: folders compared, conditions waited for.
mod tools;
