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
// Hostile and honest bundles.
mod bundle;
// Several processes on one data directory.
mod concurrency;
// Kills, interruptions, full disks.
mod crash;
// Flipped, cut, swapped and missing bytes.
mod damage;
// Every encoding, and things in a folder that are no files.
mod encodings;
// Folders that may not be written to, files that may not be read.
mod readonly;
// Shared by the six above.
mod tools;
