//! `rag serve`: the commands over HTTP.
//!
//! No part of a request is trusted, and every wait is bounded: the head, the body and the response
//! have deadlines, connections and bodies have limits. The [`Service`](crate::service::Service)
//! answers questions; the threads here only move bytes. Files of this room import each other in
//! one direction: `limits` and `error` know no other file, `app` knows no route, and nothing
//! imports this file or `routes/mod.rs` from below.

mod accept;
mod access;
mod app;
mod body;
mod connection;
mod error;
mod extractors;
mod grant;
mod guard;
mod jwt;
mod limits;
mod metrics;
mod poller;
mod rate_limit;
mod routes;
mod sandbox;
mod shared_limit;
mod summary;
mod tls;
mod upload_quota;
mod warmer;
mod watcher;
mod webhooks;

use std::net::{SocketAddr, TcpListener, ToSocketAddrs as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::config::Config;
use crate::error::{Context as _, Fault, Result};
pub use accept::run;
pub use app::App;
pub use routes::{Route, list as routes};
pub use tls::scheme;

/// Threads that move bytes. One would do; the second keeps a long JSON text from delaying other
/// connections.
const HTTP_THREADS: usize = 2;

/// How often the shutdown flag is read.
const POLL: Duration = Duration::from_millis(50);

/// Listens on the configured address.
///
/// # Errors
/// A usage fault for a host without an address and for a root that is not a folder; a fault naming
/// the address when it is in use.
pub fn bind(config: &Config) -> Result<TcpListener> {
    config.check_roots()?;
    webhooks::check(config)?;
    let (host, port) = (config.serve.host.trim_matches(['[', ']']), config.serve.port);
    let addresses: Vec<SocketAddr> = (host, port)
        .to_socket_addrs()
        .map_err(|e| config.refuse("serve.host", &format!("cannot be resolved: {e}")))?
        .collect();
    TcpListener::bind(&addresses[..]).map_err(|e| {
        let fault = Fault::failed(format!("cannot listen on {host}:{port}"));
        match e.kind() {
            std::io::ErrorKind::AddrInUse => {
                fault.because(e).hint("is another server running? `--port 0` takes any free port")
            }
            _ => fault.because(e),
        }
    })
}

/// Serves until `flag` is set and the requests in progress have ended.
///
/// # Errors
/// When the server cannot be set up.
pub fn until(flag: &AtomicBool, listener: TcpListener, app: &Arc<App>) -> Result<()> {
    let what = || "cannot set up the server".to_owned();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime
        .worker_threads(HTTP_THREADS)
        .thread_name("http")
        .enable_all()
        .build()
        .or_failed(what)?;
    let served = runtime.block_on(async {
        listener.set_nonblocking(true).or_failed(what)?;
        let listener = tokio::net::TcpListener::from_std(listener).or_failed(what)?;
        let is_set = async {
            while !flag.load(Ordering::Relaxed) {
                tokio::time::sleep(POLL).await;
            }
        };
        run(listener, Arc::clone(app), is_set).await;
        Ok(())
    });
    // Tasks that are still blocked are past every deadline.
    runtime.shutdown_timeout(Duration::from_secs(1));
    app.service.join();
    served
}
