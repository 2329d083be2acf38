//! One binary for all tests that run `rag` as a user does.

mod support;
