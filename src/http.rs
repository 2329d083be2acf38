//! Fetching files over HTTP: bounded, streamed to disk, no credentials to another origin.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use crate::disk;
use crate::error::{Context as _, Fault, Result};

/// A server that neither connects nor sends for this long has stopped.
const SILENCE: Duration = Duration::from_secs(30);

/// One client for one server.
pub struct Client {
    inner: reqwest::Client,
    runtime: tokio::runtime::Runtime,
    token: Option<String>,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetched {
    Written,
    NotFound,
}

impl Client {
    /// `token` goes out as a bearer token; a redirect to another host does not carry it.
    pub fn new(token: Option<String>) -> Result<Self> {
        let what = || "cannot set up HTTP".to_owned();
        // Fails only when a provider is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let inner = reqwest::Client::builder()
            .user_agent(concat!("rag/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(SILENCE)
            .read_timeout(SILENCE)
            .build()
            .or_failed(what)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().or_failed(what)?;
        Ok(Self { inner, runtime, token })
    }

    /// Streams `url` to the new file `target`, telling `(done, total)` bytes; `total` is 0 when it is not known.
    ///
    /// # Errors
    /// [`Kind::Outside`](crate::error::Kind::Outside) when the server cannot be reached, refuses, or sends more than
    /// `max_bytes`. The file is then removed.
    pub fn fetch(
        &self,
        url: &str,
        target: &Path,
        max_bytes: u64,
        on_bytes: &mut dyn FnMut(u64, u64),
    ) -> Result<Fetched> {
        let fetched = self.runtime.block_on(self.stream(url, target, max_bytes, on_bytes));
        if !matches!(fetched, Ok(Fetched::Written)) {
            let _ = std::fs::remove_file(target);
        }
        fetched
    }

    async fn stream(
        &self,
        url: &str,
        target: &Path,
        max_bytes: u64,
        on_bytes: &mut dyn FnMut(u64, u64),
    ) -> Result<Fetched> {
        let unreachable = |e: reqwest::Error| Fault::outside(format!("cannot fetch {url}")).because(e);
        let mut request = self.inner.get(url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let mut response = request.send().await.map_err(unreachable)?;
        if response.status() == reqwest::StatusCode::NOT_FOUND {
            return Ok(Fetched::NotFound);
        }
        if !response.status().is_success() {
            return Err(Fault::outside(format!("{url} answered {}", response.status())));
        }
        let total = response.content_length().unwrap_or(0);
        let mut out = disk::create_file(target)?;
        let mut done = 0;
        while let Some(bytes) = response.chunk().await.map_err(unreachable)? {
            done += bytes.len() as u64;
            if done > max_bytes {
                return Err(Fault::outside(format!("{url} sends more than {max_bytes} bytes")));
            }
            out.write_all(&bytes).or_failed(|| format!("cannot write {}", target.display()))?;
            on_bytes(done, total);
        }
        if total > 0 && done != total {
            return Err(Fault::outside(format!("{url} ended after {done} of {total} bytes")));
        }
        Ok(Fetched::Written)
    }
}
