//! `rag mcp` in a build without the feature `mcp`: a fault that says so.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use crate::engine::Engine;
use crate::error::{Fault, Result};

/// What clients may do.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub ingests: Option<Vec<PathBuf>>,
    pub is_local: bool,
}

/// # Errors
/// Always.
pub fn run<I, O>(_: Engine, _: Options, _: I, _: O, _: &AtomicBool) -> Result<()> {
    Err(Fault::left_out("mcp"))
}
