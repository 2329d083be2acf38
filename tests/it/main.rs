//! One binary for all tests that run `rag` as a user does.

// `rag ask`.
mod ask;
// Sample folders and small helpers.
mod fixtures;
// `rag ingest`.
mod ingest;
// `rag search`.
mod search;
mod support;
