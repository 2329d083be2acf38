//! `rag serve`: the verbs over HTTP.
//!
//! Nothing of a request is trusted and nothing is waited for without end: the head, the body and
//! the taking of a response have deadlines, connections and bodies have limits. A question is
//! worked on by the [`Service`]; the threads here only pass bytes on.

mod accept;
mod access;
mod body;
mod error;
mod extractors;
mod guard;
mod limit;
mod metrics;
mod room;
mod routes;
mod sandbox;
mod watcher;
mod write_timeout;

use std::net::{SocketAddr, TcpListener, ToSocketAddrs as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::config::{Config, Serve};
use crate::disk;
use crate::engine::Engine;
use crate::error::{Context as _, Fault, Result};
use crate::observe::{Exporter, Sampler};
use crate::service::Service;
use crate::strings::StrExt as _;
use crate::telemetry;
pub use accept::run;
use access::Access;
use limit::{Allowance, Caller, Limiter};
pub use routes::{Route, list as routes};
use watcher::Watcher;

/// Threads that pass bytes on. One could; the second keeps a long JSON from holding up everybody.
const HTTP_THREADS: usize = 2;

/// How often it is looked whether the server should end.
const POLL: Duration = Duration::from_millis(50);

/// Everything that handlers work with.
pub struct App {
    pub service: Arc<Service>,
    #[cfg(feature = "mcp")]
    mcp: crate::mcp::Http,
    /// Both end with the server.
    _sampler: Sampler,
    _exporter: Option<Exporter>,
    access: Access,
    limiter: Mutex<Limiter>,
    counts: metrics::Counts,
    watcher: Watcher,
    /// How many bytes uploads have.
    uploads: Arc<Mutex<room::Uploads>>,
    /// Set when no connection is taken any more.
    stopping: CancellationToken,
    /// Whether the server is bound to the loopback interface, and so is called by its names.
    is_local: bool,
    started: Instant,
}

impl App {
    /// The server's inside, for an address that it will listen on.
    ///
    /// # Errors
    /// A usage fault for tokens that are none, and for an address that others can reach when nobody
    /// needs a token.
    pub fn new(engine: Engine, address: SocketAddr) -> Result<Self> {
        let access = Access::new(&engine.config)?;
        let is_local = address.ip().is_loopback();
        if access.is_open() && !is_local {
            return Err(Fault::usage(format!(
                "{} can be reached from other machines, and there is no token",
                address.ip()
            ))
            .hint("set RAG_SERVE_TOKEN or serve.token_file, or listen on 127.0.0.1"));
        }
        telemetry::install();
        let service = Arc::new(Service::start(engine)?);
        Ok(Self {
            #[cfg(feature = "mcp")]
            mcp: crate::mcp::http(Arc::clone(&service)),
            _sampler: service.sample(),
            _exporter: service.export()?,
            service,
            access,
            limiter: Mutex::default(),
            counts: metrics::Counts::default(),
            watcher: Watcher::default(),
            uploads: Arc::default(),
            stopping: CancellationToken::new(),
            is_local,
            started: Instant::now(),
        })
    }

    pub fn engine(&self) -> &Engine {
        self.service.engine()
    }

    pub fn settings(&self) -> &Serve {
        &self.engine().config.serve
    }

    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// Whether nobody needs a token.
    fn is_open(&self) -> bool {
        self.access.is_open()
    }

    /// What a conversation is called to whoever holds a token: its id, and a mark that no other
    /// token makes.
    fn session_name(&self, id: &str, holder: Option<usize>) -> String {
        match holder.and_then(|n| self.access.hash(n)) {
            Some(hash) => format!(
                "{id}{}",
                disk::sha256_hex(format!("session {hash} {id}").as_bytes()).slice(..16)
            ),
            None => id.to_owned(),
        }
    }

    /// Whether the server may be called by this name: a page of another site could have its own
    /// name lead here.
    fn is_called(&self, host: &str) -> bool {
        let allowed = &self.settings().allowed_hosts;
        let name = without_port(host).to_ascii_lowercase();
        let is_loopback = name == "localhost"
            || name
                .trim_matches(['[', ']'])
                .parse()
                .is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        is_loopback || allowed.contains(&name) || (!self.is_local && allowed.is_empty())
    }

    fn admit(&self, caller: Caller, allowance: Allowance) -> std::result::Result<(), Duration> {
        let now = self.engine().now();
        self.limiter.lock().unwrap_or_else(PoisonError::into_inner).admit(caller, allowance, now)
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Listens on the configured address.
///
/// # Errors
/// A usage fault for a host without an address and for a root that is not a folder; a fault naming
/// the address when it is taken.
pub fn bind(config: &Config) -> Result<TcpListener> {
    config.check_roots()?;
    let (host, port) = (config.serve.host.trim_matches(['[', ']']), config.serve.port);
    let addresses: Vec<SocketAddr> = (host, port)
        .to_socket_addrs()
        .map_err(|e| config.refuse("serve.host", &format!("there is no such address: {e}")))?
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

/// Serves until `flag` is set and what is under way has ended.
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
    // What still holds on has had its time.
    runtime.shutdown_timeout(Duration::from_secs(1));
    app.service.join();
    served
}
