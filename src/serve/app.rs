//! The state of a server, shared by every handler and middleware.
//!
//! [`App`] is created once, before the first connection, and lives behind an `Arc`. This file
//! imports no route and no middleware.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::access::Access;
use super::error::{self, Error};
use super::poller::Poller;
use super::rate_limit::{Allowance, Caller, Charge, Limiter};
use super::shared_limit;
use super::tls::Tls;
use super::upload_quota::Uploads;
use super::warmer::Warmer;
use super::watcher::JobWatcher;
use crate::config::Serve;
use crate::disk;
use crate::engine::Engine;
use crate::error::{Fault, Result, locked};
use crate::observe::{Exporter, Sampler};
use crate::service::Service;
use crate::strings::StrExt as _;
use crate::telemetry;

/// The state of a server.
pub struct App {
    pub service: Arc<Service>,
    #[cfg(feature = "mcp")]
    pub(super) mcp: crate::mcp::Http,
    /// Stops when dropped.
    _sampler: Sampler,
    /// Stops when dropped.
    _exporter: Option<Exporter>,
    /// Stops when dropped.
    _poller: Poller,
    /// Stops when dropped.
    _warmer: Warmer,
    pub(super) access: Arc<Access>,
    limiter: Mutex<Limiter>,
    /// Open connections.
    pub(super) connections: AtomicU64,
    /// The certificate, where the server speaks TLS.
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) watcher: JobWatcher,
    pub(super) uploads: Arc<Mutex<Uploads>>,
    /// Cancelled when the server stops accepting connections.
    pub(super) stopping: CancellationToken,
    /// The server listens on a loopback address, so only loopback Host names are expected.
    is_local: bool,
    started: Instant,
}

impl App {
    /// The state of a server that will listen on `address`.
    ///
    /// # Errors
    /// A usage fault for invalid tokens, and for an address that other machines can reach while no
    /// token is configured.
    pub fn new(engine: Engine, address: SocketAddr) -> Result<Self> {
        let access = Arc::new(Access::new(&engine.config, &engine.ledger)?);
        let is_local = address.ip().is_loopback();
        if access.is_open() && !is_local {
            return Err(Fault::usage(format!(
                "{} can be reached from other machines, and no token is configured",
                address.ip()
            ))
            .hint("add one with `rag token add`, set RAG_SERVE_TOKEN, or listen on 127.0.0.1"));
        }
        let tls = Tls::new(&engine.config)?.map(Arc::new);
        telemetry::install();
        let service = Arc::new(Service::start(engine)?);
        let follow_tokens = {
            let access = Arc::clone(&access);
            move || access.refresh()
        };
        Ok(Self {
            #[cfg(feature = "mcp")]
            mcp: crate::mcp::http(Arc::clone(&service)),
            _sampler: service.sample(),
            _exporter: service.export()?,
            _poller: Poller::start(&service, follow_tokens),
            _warmer: Warmer::start(&service),
            tls,
            watcher: JobWatcher::new(Arc::clone(&service)),
            service,
            access,
            limiter: Mutex::default(),
            connections: AtomicU64::new(0),
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

    /// Runs `work`, which may wait for the disk, outside of the threads that serve connections.
    pub(super) async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> error::Result<T> + Send + 'static,
    ) -> error::Result<T> {
        let app = Arc::clone(self);
        tokio::task::spawn_blocking(move || work(&app)).await.map_err(|_| Error::internal())?
    }

    /// The public name of a session: its id, followed by a mark that only the token which created
    /// the session yields. Without tokens, the id alone.
    pub(super) fn session_name(id: &str, token: Option<&str>) -> String {
        match token {
            Some(hash) => {
                let mark = disk::sha256_hex(format!("session {hash} {id}").as_bytes());
                format!("{id}{}", mark.slice(..16))
            }
            None => id.to_owned(),
        }
    }

    /// Whether a request may name this host. A page of another site could make its own name
    /// resolve to this address (DNS rebinding).
    pub(super) fn allows_host(&self, host: &str) -> bool {
        let allowed = &self.settings().allowed_hosts;
        let name = without_port(host).to_ascii_lowercase();
        let address = name.trim_matches(['[', ']']).parse();
        let is_loopback =
            name == "localhost" || address.is_ok_and(|address: IpAddr| address.is_loopback());
        is_loopback || allowed.contains(&name) || (!self.is_local && allowed.is_empty())
    }

    /// Counts a request of `caller`, or says how long to wait before the next one. Servers with a
    /// shared store count together; while it gives no answer, each counts by itself.
    pub(super) async fn admit(
        &self,
        Charge { caller, key, allowance }: Charge,
    ) -> Result<(), Duration> {
        let is_limited = allowance.per_minute > 0 || allowance.per_day > 0;
        if let (true, Some(redis)) = (is_limited, self.engine().shared.redis()) {
            let redis = Arc::clone(redis);
            let asked = tokio::task::spawn_blocking(move || {
                shared_limit::admit(&redis, caller, key.as_deref(), allowance)
            });
            if let Ok(Ok(admitted)) = asked.await {
                return admitted;
            }
        }
        self.admit_here(caller, allowance)
    }

    fn admit_here(&self, caller: Caller, allowance: Allowance) -> Result<(), Duration> {
        let now = self.engine().now();
        locked(&self.limiter).admit(caller, allowance, now)
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}
