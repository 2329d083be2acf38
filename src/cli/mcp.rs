//! `rag mcp`: the indexes for a program that runs a language model.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use clap::Args;

use super::exit::Outcome;
use super::ui;
use crate::disk;
use crate::engine::Engine;
use crate::error::{Fault, Result};
use crate::mcp::{self, Options};

/// Serve the indexes to a program that speaks the Model Context Protocol
///
/// Speaks over standard input and output. Such programs start it themselves: give them the command
/// `rag` with the arguments `--data-dir DIR mcp`.
#[derive(Debug, Args)]
pub struct McpArgs {
    /// Let the program ingest folders beneath those of --root
    #[arg(long)]
    allow_ingest: bool,
    /// Folder beneath which it may; can be given several times [default: the setting `serve.roots`]
    #[arg(long = "root", value_name = "DIR")]
    roots: Vec<PathBuf>,
}

/// `interrupted` is set by the first signal; `engine` must not hear of it.
pub fn run(args: McpArgs, engine: Engine, interrupted: &AtomicBool) -> Result<Outcome> {
    let may = args.allow_ingest || engine.config.mcp_ingests;
    args.roots.iter().try_for_each(|root| disk::given_folder(root))?;
    engine.config.check_roots()?;
    let roots = if args.roots.is_empty() { engine.config.serve.roots.clone() } else { args.roots };
    if may && roots.is_empty() {
        return Err(Fault::usage(
            "no folder may be ingested: name those that may with `--root DIR`",
        )
        .hint("or with the setting `serve.roots`"));
    }
    let options = Options { ingests: may.then_some(roots), is_local: true };
    let (input, output) = ui::async_pipes();
    mcp::run(engine, options, input, output, interrupted)?;
    Ok(Outcome::Done)
}
