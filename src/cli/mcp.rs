//! `rag mcp`: the indexes as tools of an agent, over standard input and output.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use clap::Args;

use super::exit::Outcome;
use super::ui;
use crate::disk;
use crate::engine::Engine;
use crate::error::{Fault, Result};
use crate::mcp::{self, Options};

/// Serve the indexes to agents over the Model Context Protocol
///
/// Speaks MCP on standard input and output. Clients start the server themselves: configure them
/// with the command `rag` and the arguments `--data-dir DIR mcp`.
#[derive(Debug, Args)]
pub struct McpArgs {
    /// Let clients ingest folders below --root
    #[arg(long)]
    allow_ingest: bool,
    /// Folder below which clients may ingest (repeatable) [default: setting `serve.roots`]
    #[arg(long = "root", value_name = "DIR")]
    roots: Vec<PathBuf>,
}

/// `interrupted` is set by the first signal; `engine` does not see it, so that running requests
/// complete.
pub fn run(args: &McpArgs, engine: Engine, interrupted: &AtomicBool) -> Result<Outcome> {
    let may_ingest = args.allow_ingest || engine.config.allows_mcp_ingest;
    args.roots.iter().try_for_each(|root| disk::given_folder(root))?;
    engine.config.check_roots()?;
    let roots =
        if args.roots.is_empty() { &engine.config.serve.roots } else { &args.roots }.clone();
    if may_ingest && roots.is_empty() {
        return Err(Fault::usage("ingest is allowed, but no folder to ingest from is named")
            .hint("name one with `--root DIR` or the setting `serve.roots`"));
    }
    let options = Options { ingests: may_ingest.then_some(roots), is_local: true };
    let (input, output) = ui::async_pipes();
    mcp::run(engine, options, input, output, interrupted)?;
    Ok(Outcome::Done)
}
