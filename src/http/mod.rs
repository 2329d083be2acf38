//! HTTP clients: one downloads files, one visits pages of web sites, one posts JSON and streams the
//! reply, one exchanges JSON with a server. Sizes and times are bounded, and credentials are never
//! sent to another origin.

#[cfg(feature = "cluster")]
mod rest;
mod visit;

use std::io::Write as _;
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use crate::disk;
use crate::error::{Context as _, Fault, Result};

#[cfg(feature = "cluster")]
pub use rest::{Method, Rest, RestPlace};
pub use visit::{Url, Validators, Visit, Visitor};

/// Time-out for connecting, and for each piece of a reply.
const SILENCE: Duration = Duration::from_secs(30);

/// How often a wait calls its `stop` function.
const POLL: Duration = Duration::from_millis(50);

/// A client that downloads files.
pub struct Client {
    inner: reqwest::Client,
    /// `None` in `drop` only.
    runtime: Option<tokio::runtime::Runtime>,
    token: Option<String>,
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Dropping the runtime would wait for a name lookup that hangs.
            runtime.shutdown_background();
        }
    }
}

/// The result of a download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetched {
    Written,
    NotFound,
}

impl Client {
    /// `token` is sent as a bearer token, except to another host after a redirect.
    pub fn new(token: Option<String>) -> Result<Self> {
        let inner =
            builder().connect_timeout(SILENCE).read_timeout(SILENCE).build().or_failed(no_setup)?;
        Ok(Self { inner, runtime: Some(runtime()?), token })
    }

    /// Downloads `url` to the new file `target`, and reports `(done, total)` bytes; `total` is 0
    /// when unknown. `stop` is called every 50 ms.
    ///
    /// # Errors
    /// [`Kind::Outside`](crate::error::Kind::Outside) when the server cannot be reached, answers
    /// with an error, or sends more than `max_bytes`;
    /// [`Kind::Interrupted`](crate::error::Kind::Interrupted) when `stop` returns true. The file is
    /// then removed.
    pub fn fetch(
        &self,
        url: &str,
        target: &Path,
        max_bytes: u64,
        stop: &dyn Fn() -> bool,
        on_bytes: &mut dyn FnMut(u64, u64),
    ) -> Result<Fetched> {
        let Some(runtime) = &self.runtime else { return Err(Fault::failed(no_setup())) };
        let fetched = runtime.block_on(unless(stop, self.stream(url, target, max_bytes, on_bytes)));
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
        let unreachable =
            |e: reqwest::Error| Fault::outside(format!("cannot fetch {url}")).because(e);
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
            out.write_all(&bytes).or_cannot("write", target)?;
            on_bytes(done, total);
        }
        if total > 0 && done != total {
            return Err(Fault::outside(format!("{url} ended after {done} of {total} bytes")));
        }
        Ok(Fetched::Written)
    }
}

/// Runs `work` until it is done or `stop` returns true.
async fn unless<T>(stop: &dyn Fn() -> bool, work: impl Future<Output = Result<T>>) -> Result<T> {
    let mut work = pin!(work);
    let mut ticks = tokio::time::interval(POLL);
    loop {
        tokio::select! {
            biased;
            _ = ticks.tick() => if stop() { return Err(Fault::interrupted()) },
            done = &mut work => return done,
        }
    }
}

fn no_setup() -> String {
    "cannot set up HTTP".to_owned()
}

/// Chooses the cryptography of every TLS connection of the process.
pub fn choose_cryptography() {
    // Fails only when a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn builder() -> reqwest::ClientBuilder {
    choose_cryptography();
    reqwest::Client::builder().user_agent(concat!("rag/", env!("CARGO_PKG_VERSION")))
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().or_failed(no_setup)
}

/// Posts JSON to one URL, from any number of threads.
///
/// Redirects are not followed and proxies are not used, not even those of the environment, so only
/// the server at the URL sees the token. Every request has its own connection: a broken one affects
/// no other request, and a handshake takes little time compared with the call of a language model.
pub struct Poster {
    inner: reqwest::Client,
    url: reqwest::Url,
    /// `Bearer …`, marked as sensitive, so it is never printed.
    authorization: Option<reqwest::header::HeaderValue>,
    silence: Duration,
}

/// Status and headers of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub status: u16,
    /// In lower case, without parameters; empty when absent.
    pub content_type: String,
    /// How long the server asks clients to wait.
    pub retry_after: Option<Duration>,
}

/// Why a reply is missing or incomplete.
#[derive(Debug)]
pub enum Trouble {
    /// `stop` returned true.
    Stopped,
    /// The server sent nothing for too long.
    Silent,
    /// The whole exchange took too long.
    Late,
    /// The connection was refused.
    Refused(anyhow::Error),
    /// The connection failed for another reason.
    Unreachable(anyhow::Error),
    /// The connection broke, or the reply is not HTTP.
    Cut(anyhow::Error),
}

impl Poster {
    /// `token` is sent as a bearer token. `silence` is the longest time to the first byte of a
    /// reply, and between two pieces of it.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) when `url` is not a plain `http` or `https` URL,
    /// or the token does not fit a header. The fault contains neither.
    pub fn new(url: &str, token: Option<&str>, silence: Duration) -> Result<Self> {
        let wrong = |why: &str| Fault::usage(format!("the address of the server {why}"));
        let url = reqwest::Url::parse(url).map_err(|e| wrong(&format!("is not a URL: {e}")))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(wrong("does not begin with http:// or https://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                wrong("contains a user name or a password").hint("use the setting for the API key")
            );
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("has a `?` or a `#`"));
        }
        let mut builder = builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .retry(reqwest::retry::never())
            .pool_max_idle_per_host(0)
            .connect_timeout(silence);
        if url.scheme() == "http" {
            // Reading the system's certificates takes time, and fails where there are none.
            builder = builder.tls_certs_only(std::iter::empty());
        }
        let authorization = token.map(|token| {
            let mut value = reqwest::header::HeaderValue::try_from(format!("Bearer {token}"))
                .map_err(|_| {
                    Fault::usage("the key has characters that an HTTP header cannot carry")
                })?;
            value.set_sensitive(true);
            Ok(value)
        });
        Ok(Self {
            inner: builder.build().or_failed(no_setup)?,
            url,
            authorization: authorization.transpose()?,
            silence,
        })
    }

    /// True for a loopback address.
    pub fn is_local(&self) -> bool {
        let host = self.url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
    }

    /// Sends `json` and waits for the head of the reply. The whole exchange may take `max_time`.
    /// `stop` is called every 50 ms, here and in [`Exchange::next`].
    pub fn post(
        &self,
        json: Vec<u8>,
        max_time: Duration,
        stop: &dyn Fn() -> bool,
    ) -> Result<Exchange, Trouble> {
        self.post_with(json, &[], max_time, stop)
    }

    /// As [`Poster::post`], with further headers.
    pub fn post_with(
        &self,
        json: Vec<u8>,
        headers: &[(&str, &str)],
        max_time: Duration,
        stop: &dyn Fn() -> bool,
    ) -> Result<Exchange, Trouble> {
        let runtime = runtime().map_err(|e| Trouble::Unreachable(e.into()))?;
        let mut request =
            self.inner.post(self.url.clone()).header("content-type", "application/json").body(json);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let (sent, end) = runtime.block_on(async {
            let end = tokio::time::Instant::now() + max_time;
            (within(self.silence, end, stop, request.send()).await, end)
        });
        // Created before the reply is checked, so that its `drop` ends the runtime on every path.
        let mut exchange =
            Exchange { runtime: Some(runtime), response: None, end, silence: self.silence };
        exchange.response = Some(sent?);
        Ok(exchange)
    }
}

/// One request whose reply is being read. Dropping it closes the connection.
pub struct Exchange {
    /// Separate per exchange: a slow reader blocks its runtime, which must not delay other
    /// exchanges. `None` in `drop` only.
    runtime: Option<tokio::runtime::Runtime>,
    response: Option<reqwest::Response>,
    end: tokio::time::Instant,
    silence: Duration,
}

impl Exchange {
    pub fn head(&self) -> Head {
        let header = |name| {
            let headers = self.response.as_ref().map(reqwest::Response::headers);
            headers.and_then(|headers| headers.get(name)?.to_str().ok()).unwrap_or_default().trim()
        };
        Head {
            status: self.response.as_ref().map_or(0, |response| response.status().as_u16()),
            content_type: header("content-type")
                .split(';')
                .next()
                .unwrap_or_default()
                .trim()
                .to_ascii_lowercase(),
            retry_after: retry_after(header("retry-after"), header("date")),
        }
    }

    /// The next piece of the body; `None` at its end. A piece has what the system had received, at
    /// most some hundred kilobytes.
    pub fn next(&mut self, stop: &dyn Fn() -> bool) -> Result<Option<Vec<u8>>, Trouble> {
        let (Some(runtime), Some(response)) = (&self.runtime, &mut self.response) else {
            return Ok(None);
        };
        let piece = runtime.block_on(within(self.silence, self.end, stop, response.chunk()))?;
        Ok(piece.map(|bytes| bytes.to_vec()))
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.response = None;
        if let Some(runtime) = self.runtime.take() {
            // Dropping the runtime would wait for a name lookup that hangs.
            runtime.shutdown_background();
        }
    }
}

/// Runs `work` until it is done, `stop` returns true, or `silence` or the time until `end` has
/// passed.
async fn within<T>(
    silence: Duration,
    end: tokio::time::Instant,
    stop: &dyn Fn() -> bool,
    work: impl Future<Output = reqwest::Result<T>>,
) -> Result<T, Trouble> {
    let mut work = pin!(work);
    let mut quiet = pin!(tokio::time::sleep(silence));
    let mut late = pin!(tokio::time::sleep_until(end));
    // The first tick is immediate: `stop` must be called even when `work` is always ready.
    let mut ticks = tokio::time::interval(POLL);
    loop {
        tokio::select! {
            biased;
            _ = ticks.tick() => if stop() { return Err(Trouble::Stopped) },
            () = &mut late => return Err(Trouble::Late),
            done = &mut work => return done.map_err(trouble),
            () = &mut quiet => return Err(Trouble::Silent),
        }
    }
}

fn trouble(error: reqwest::Error) -> Trouble {
    // Faults name the URL themselves where it matters.
    let error = error.without_url();
    let (connecting, timed_out) = (error.is_connect(), error.is_timeout());
    let cause = anyhow::Error::from(error);
    let refused = |e: &(dyn std::error::Error + 'static)| {
        e.downcast_ref::<std::io::Error>()
            .is_some_and(|e| e.kind() == std::io::ErrorKind::ConnectionRefused)
    };
    match () {
        () if cause.chain().any(refused) => Trouble::Refused(cause),
        () if timed_out => Trouble::Silent,
        () if connecting => Trouble::Unreachable(cause),
        () => Trouble::Cut(cause),
    }
}

/// `Retry-After`, in seconds or as a date (RFC 9110, 10.2.3). A date is compared with the server's
/// own `Date`, because clocks may differ, and ignored without one.
fn retry_after(value: &str, date: &str) -> Option<Duration> {
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        // A larger number means forever.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let (until, now) =
        (httpdate::parse_http_date(value).ok()?, httpdate::parse_http_date(date).ok()?);
    Some(until.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let check = |value: &str, date: &str, expected: Option<u64>| {
            assert_eq!(
                retry_after(value, date),
                expected.map(Duration::from_secs),
                "{value:?} {date:?}"
            );
        };
        let now = "Sun, 06 Nov 1994 08:49:37 GMT";
        check("120", "", Some(120));
        check("0", now, Some(0));
        check("99999999999999999999999999", "", Some(u64::MAX));
        check("Sun, 06 Nov 1994 08:50:07 GMT", now, Some(30));
        check("Sunday, 06-Nov-94 08:50:07 GMT", now, Some(30));
        check("Sun, 06 Nov 1994 08:00:00 GMT", now, Some(0));
        check("Sun, 06 Nov 1994 08:50:07 GMT", "", None);
        for nothing in ["", "-1", "1.5", "soon", "+3"] {
            check(nothing, now, None);
        }
    }

    #[test]
    fn invalid_urls_and_tokens_are_refused_without_being_shown() {
        let new = |url: &str, token| Poster::new(url, token, SILENCE);
        for url in [
            "",
            "localhost:1",
            "/v1",
            "file:///etc/passwd",
            "http://",
            "http://u:hidden@h/",
            "http://h/?hidden",
        ] {
            let Err(fault) = new(url, None) else { panic!("{url:?} was taken") };
            assert_eq!(fault.kind(), crate::error::Kind::Usage, "{url:?}");
            assert!(!fault.to_string().contains("hidden"), "{fault}");
        }
        for token in ["hid\nden", "hid\u{7f}den"] {
            let Err(fault) = new("http://h/", Some(token)) else { panic!("{token:?} was taken") };
            assert!(!fault.to_string().contains("den"), "{fault}");
        }
        let is_local = |url| new(url, Some("key")).unwrap().is_local();
        assert!(
            ["http://localhost:1/v1", "http://127.0.0.2/", "http://[::1]:8/"]
                .into_iter()
                .all(is_local)
        );
        assert!(!["http://10.0.0.1/", "http://localhost.example/"].into_iter().any(is_local));
    }
}
