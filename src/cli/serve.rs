//! `rag serve`: the web page and the HTTP interface.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Args;
use serde_json::json;

use super::args::{Flags, flag};
use super::exit::Outcome;
use super::ui::Ui;
use crate::engine::Engine;
use crate::error::{Context as _, Result};
use crate::serve::{self, App};
use crate::telemetry;

/// Serve a web page and an HTTP API
///
/// Listens on this machine only, unless `--host` is given, which requires a token:
/// `RAG_SERVE_TOKEN`, or a file named by the setting `serve.token_file`. When interrupted, finishes
/// running requests and exits.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Address to listen on [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    host: Option<String>,
    /// Port to listen on, 0 for any free one [default: 8000]
    #[arg(short, long, value_name = "PORT")]
    port: Option<u16>,
}

impl ServeArgs {
    pub fn flags(&self) -> Flags {
        [flag("serve.host", "--host", self.host.as_ref()), flag("serve.port", "--port", self.port)]
            .concat()
    }
}

/// `interrupted` is set by the first signal; `engine` does not see it, so that running requests
/// complete.
pub fn run(engine: Engine, interrupted: &AtomicBool, ui: &Ui) -> Result<Outcome> {
    let listener = serve::bind(&engine.config)?;
    let address =
        listener.local_addr().or_failed(|| "cannot read the address listened on".into())?;
    let url = format!("{}://{address}", serve::scheme(&engine.config));
    let app = Arc::new(App::new(engine, address)?);
    if ui.json {
        ui.json_line(&json!({ "url": url, "host": address.ip(), "port": address.port() }));
    } else {
        ui.note(format!("listening on {url}"));
    }
    serve::until(interrupted, listener, &app)?;
    // If nothing reads the log, writing this line would block forever.
    if telemetry::finish_logs() {
        ui.note("stopped");
    }
    Ok(Outcome::Done)
}
