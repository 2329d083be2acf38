//! The rooms that take untrusted text, as a separate crate, so that the fuzzer builds nothing else.

#![allow(dead_code, clippy::all, reason = "the build of `rag` checks these files")]

#[path = "../../src/error.rs"]
pub mod error;
#[path = "../../src/naming.rs"]
pub mod naming;
#[path = "../../src/strings.rs"]
pub mod strings;

#[path = "../../src/document.rs"]
pub mod document;
#[path = "../../src/filter/mod.rs"]
pub mod filter;
#[path = "../../src/vector.rs"]
pub mod vector;

#[path = "../../src/analysis/mod.rs"]
pub mod analysis;
#[path = "../../src/disk/mod.rs"]
pub mod disk;

#[path = "../../src/answer/mod.rs"]
pub mod answer;
#[path = "../../src/rank/mod.rs"]
pub mod rank;
#[path = "../../src/text/mod.rs"]
pub mod text;
