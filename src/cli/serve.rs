//! `rag serve`: the page and the HTTP interface.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Args;
use serde_json::json;

use super::Flags;
use super::exit::Outcome;
use super::ui::Ui;
use crate::engine::Engine;
use crate::error::{Context as _, Result};
use crate::serve::{self, App};
use crate::telemetry;

/// Serve a page and an HTTP interface
///
/// Listens on this machine alone unless `--host` says otherwise, which takes a token:
/// `RAG_SERVE_TOKEN`, or a file named by the setting `serve.token_file`. Ends when it is
/// interrupted, once the questions under way are answered.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Address to listen on [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    host: Option<String>,
    /// Port to listen on, or 0 for any free one [default: 8000]
    #[arg(short, long, value_name = "PORT")]
    port: Option<u16>,
}

impl ServeArgs {
    pub fn flags(&self) -> Flags {
        let host = self.host.as_ref().map(|host| ("serve.host", host.clone(), "--host".to_owned()));
        let port = self.port.map(|port| ("serve.port", port.to_string(), "--port".to_owned()));
        host.into_iter().chain(port).collect()
    }
}

/// `interrupted` is set by the first signal; `engine` must not hear of it, because what is under
/// way is to end well.
pub fn run(engine: Engine, interrupted: &AtomicBool, ui: &Ui) -> Result<Outcome> {
    let listener = serve::bind(&engine.config)?;
    let address = listener.local_addr().or_failed(|| "cannot tell the address".into())?;
    let app = Arc::new(App::new(engine, address)?);
    if ui.json {
        ui.json_line(&json!({ "url": format!("http://{address}"), "host": address.ip(), "port": address.port() }));
    } else {
        ui.note(format!("listening on http://{address}"));
    }
    serve::until(interrupted, listener, &app)?;
    // Where nobody takes the lines of the log, this one would wait for ever.
    if telemetry::finish_logs() {
        ui.note("stopped");
    }
    Ok(Outcome::Done)
}
