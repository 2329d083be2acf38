//! Requests with JSON to one server, over connections that stay open.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::{builder, no_setup};
use crate::error::{Context as _, Fault, Result};

/// A larger reply is refused.
const MAX_REPLY_BYTES: usize = 64 << 20;

/// A server, from any number of threads. Redirects are not followed and proxies are not used, so
/// only this server sees the key.
pub struct Rest {
    inner: reqwest::Client,
    /// Without a slash at its end.
    base: String,
    /// `None` in `drop` only.
    runtime: Option<tokio::runtime::Runtime>,
}

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
    Put,
    Delete,
}

/// The settings of a [`Rest`].
pub struct RestPlace<'a> {
    pub base: &'a str,
    /// Name and value of the header with the key.
    pub key: Option<(&'static str, &'a str)>,
    /// The file with certificates that sign the server's.
    pub ca_file: Option<&'a Path>,
    /// Of one exchange.
    pub timeout: Duration,
}

impl Rest {
    /// # Errors
    /// A usage fault for a key or certificates that cannot be used.
    pub fn new(place: &RestPlace<'_>) -> Result<Self> {
        let mut headers = reqwest::header::HeaderMap::new();
        if let Some((name, key)) = place.key {
            let mut value = reqwest::header::HeaderValue::try_from(key).map_err(|_| {
                Fault::usage("the key has characters that an HTTP header cannot carry")
            })?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let mut builder = builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .default_headers(headers)
            .connect_timeout(place.timeout)
            .timeout(place.timeout);
        if place.base.starts_with("http://") {
            // Reading the system's certificates takes time, and fails where there are none.
            builder = builder.tls_certs_only(std::iter::empty());
        } else if let Some(path) = place.ca_file {
            let wrong = |e: String| Fault::usage(format!("{}: {e}", path.display()));
            let pem = std::fs::read(path).map_err(|e| wrong(e.to_string()))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem)
                .map_err(|_| wrong("it has no certificates in PEM".to_owned()))?;
            builder = builder.tls_certs_only(certificates);
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("rest")
            .enable_all()
            .build()
            .or_failed(no_setup)?;
        let base = place.base.trim_end_matches('/').to_owned();
        Ok(Self { inner: builder.build().or_failed(no_setup)?, base, runtime: Some(runtime) })
    }

    /// Status and body of the reply; the body is null when it is not JSON. `path` begins with a
    /// slash. The caller must not be on a thread of an async runtime.
    ///
    /// # Errors
    /// [`Kind::Outside`](crate::error::Kind::Outside) when there is no whole reply.
    pub fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<(u16, Value)> {
        let Some(runtime) = &self.runtime else { return Err(Fault::failed(no_setup())) };
        let url = format!("{}{path}", self.base);
        let mut request = match method {
            Method::Get => self.inner.get(url),
            Method::Post => self.inner.post(url),
            Method::Put => self.inner.put(url),
            Method::Delete => self.inner.delete(url),
        };
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let unreachable = |e: reqwest::Error| {
            let what = format!("the server at {} does not answer", self.base);
            Fault::outside(what).because(e.without_url())
        };
        runtime.block_on(async {
            let mut response = request.send().await.map_err(unreachable)?;
            let status = response.status().as_u16();
            let mut bytes = Vec::new();
            while let Some(piece) = response.chunk().await.map_err(unreachable)? {
                bytes.extend_from_slice(&piece);
                if bytes.len() > MAX_REPLY_BYTES {
                    return Err(Fault::outside(format!("{} sends too much", self.base)));
                }
            }
            Ok((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
        })
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Dropping the runtime would wait for a name lookup that hangs.
            runtime.shutdown_background();
        }
    }
}
