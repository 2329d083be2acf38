//! One binary for all tests that run `rag` as a user does.

// `rag ask`.
mod ask;
// `rag cache`.
mod cache;
// Settings through the real binary.
mod config;
// `rag doctor`.
mod doctor;
// Exit codes, JSON errors, help, missing parts.
mod errors;
// Sample folders and small helpers.
mod fixtures;
// `rag index`.
mod index;
// `rag ingest`.
mod ingest;
// `rag model`.
mod model;
// `rag search`.
mod search;
mod support;
