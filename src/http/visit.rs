//! A client for pages of web sites. It reaches no address of this machine or its network unless
//! that is allowed: names are checked after their lookup, by the addresses that are then used.
//! Redirects are reported, not followed, and no credentials are sent.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{self, HeaderMap, HeaderName};

use super::{SILENCE, builder, no_setup, runtime, unless};
use crate::error::{Context as _, Fault, Result};

pub use reqwest::Url;

/// Longest time for one page.
const MAX_TIME: Duration = Duration::from_secs(300);

/// What a server said about the version of a page, to ask whether it has changed since.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validators {
    pub etag: Option<String>,
    pub modified: Option<String>,
}

/// The reply to a visit.
#[derive(Debug, PartialEq, Eq)]
pub enum Visit {
    Page {
        bytes: Vec<u8>,
        /// In lower case, without parameters.
        content_type: String,
        /// The encoding that the server states, such as `windows-1252`.
        charset: Option<String>,
        validators: Validators,
    },
    /// The version that the validators name is still the current one.
    Unchanged,
    /// The server says that there is no such page.
    Gone,
    /// It is at another address.
    Moved(String),
    /// Another status.
    Refused(u16),
}

pub struct Visitor {
    inner: reqwest::Client,
    /// `None` in `drop` only.
    runtime: Option<tokio::runtime::Runtime>,
    may_visit_private: bool,
}

impl Drop for Visitor {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Dropping the runtime would wait for a name lookup that hangs.
            runtime.shutdown_background();
        }
    }
}

impl Visitor {
    pub fn new(may_visit_private: bool) -> Result<Self> {
        let mut builder = builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(SILENCE)
            .read_timeout(SILENCE)
            .timeout(MAX_TIME);
        if !may_visit_private {
            // A proxy would look the name up itself.
            builder = builder.no_proxy().dns_resolver(Arc::new(PublicAddresses));
        }
        let inner = builder.build().or_failed(no_setup)?;
        Ok(Self { inner, runtime: Some(runtime()?), may_visit_private })
    }

    /// Asks for a page, unless it is the version that `known` names. `stop` is called every 50 ms.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) for an address that must not be visited;
    /// [`Kind::Outside`](crate::error::Kind::Outside) when the server cannot be reached or sends
    /// more than `max_bytes`; [`Kind::Interrupted`](crate::error::Kind::Interrupted).
    pub fn visit(
        &self,
        url: &Url,
        known: &Validators,
        max_bytes: u64,
        stop: &dyn Fn() -> bool,
    ) -> Result<Visit> {
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        if !self.may_visit_private && host.parse().is_ok_and(is_private) {
            return Err(refusal(host));
        }
        let Some(runtime) = &self.runtime else { return Err(Fault::failed(no_setup())) };
        runtime.block_on(unless(stop, self.ask(url, known, max_bytes)))
    }

    async fn ask(&self, url: &Url, known: &Validators, max_bytes: u64) -> Result<Visit> {
        let mut request = self.inner.get(url.clone());
        let conditions =
            [(header::IF_NONE_MATCH, &known.etag), (header::IF_MODIFIED_SINCE, &known.modified)];
        for (name, value) in conditions {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let mut response = request.send().await.map_err(|error| unreachable(url, error))?;
        let status = response.status();
        let text = |name: HeaderName| text_of(response.headers(), &name);
        match status {
            StatusCode::NOT_MODIFIED => return Ok(Visit::Unchanged),
            StatusCode::NOT_FOUND | StatusCode::GONE => return Ok(Visit::Gone),
            _ if status.is_redirection() => {
                return Ok(Visit::Moved(text(header::LOCATION).unwrap_or_default()));
            }
            _ if status.is_success() => {}
            _ => return Ok(Visit::Refused(status.as_u16())),
        }
        let content_type = text(header::CONTENT_TYPE).unwrap_or_default();
        let charset = charset(&content_type);
        let content_type = content_type.split(';').next().unwrap_or_default().trim();
        let content_type = content_type.to_ascii_lowercase();
        let validators =
            Validators { etag: text(header::ETAG), modified: text(header::LAST_MODIFIED) };
        let mut bytes = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| unreachable(url, error))? {
            if (bytes.len() + piece.len()) as u64 > max_bytes {
                return Err(Fault::outside(format!(
                    "more than ingest.max_file_bytes = {max_bytes} bytes"
                )));
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(Visit::Page { bytes, content_type, charset, validators })
    }
}

/// The parameter `charset` of a content type.
fn charset(content_type: &str) -> Option<String> {
    let parameters = content_type.split(';').skip(1);
    let stated = parameters.filter_map(|parameter| parameter.split_once('='));
    let mut named = stated.filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    let charset = named.next()?.1.trim().trim_matches(['"', '\'']);
    (!charset.is_empty()).then(|| charset.to_ascii_lowercase())
}

fn text_of(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn unreachable(url: &Url, error: reqwest::Error) -> Fault {
    let error = anyhow::Error::from(error.without_url());
    if error.chain().any(<dyn std::error::Error>::is::<Private>) {
        return refusal(url.host_str().unwrap_or_default());
    }
    Fault::outside("the server cannot be reached").because(error)
}

fn refusal(host: &str) -> Fault {
    Fault::usage(format!("{host} is in the network of this machine"))
        .hint("set `ingest.allow_private_addresses` to `yes` to ingest pages from there")
}

/// Looks names up and drops addresses that must not be visited.
struct PublicAddresses;

/// All addresses of a name are private.
#[derive(Debug)]
struct Private;

impl fmt::Display for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name leads into the network of this machine")
    }
}

impl std::error::Error for Private {}

impl Resolve for PublicAddresses {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> =
                found.filter(|address| !is_private(address.ip())).collect();
            if public.is_empty() {
                return Err(Private.into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is of this machine, its network, or of no single machine.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_private_v4(v4),
        IpAddr::V6(v6) => embedded(v6).map_or_else(|| is_private_v6(v6), is_private_v4),
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        // This network, reserved and broadcast, shared by a provider, protocols, benchmarks.
        || a == 0
        || a >= 224
        || (a == 100 && (64..128).contains(&b))
        || (a, b, c) == (192, 0, 0)
        || (a == 198 && (18..20).contains(&b))
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        // Unique local, link-local, site-local, documentation.
        || first & 0xfe00 == 0xfc00
        || first & 0xff80 == 0xfe80
        || (first, second) == (0x2001, 0x0db8)
}

/// The IPv4 address inside an IPv6 address: mapped, compatible, NAT64 or 6to4.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let of = |high: u16, low: u16| {
        let ([p, q], [r, s]) = (high.to_be_bytes(), low.to_be_bytes());
        Some(Ipv4Addr::new(p, q, r, s))
    };
    match (a, b, c, d, e, f) {
        (0, 0, 0, 0, 0, 0) if (g, h) != (0, 0) && (g, h) != (0, 1) => of(g, h),
        (0, 0, 0, 0, 0, 0xffff) | (0x64, 0xff9b, 0, 0, 0, 0) => of(g, h),
        (0x2002, ..) => of(b, c),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_this_machine_and_its_network_are_private() {
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
        ] {
            assert!(is_private(address.parse().unwrap()), "{address}");
        }
        for address in ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1"] {
            assert!(!is_private(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn a_private_address_is_refused_however_it_is_written() {
        let visitor = Visitor::new(false).unwrap();
        let visit = |url: &str| {
            let url = Url::parse(url).unwrap();
            visitor.visit(&url, &Validators::default(), 1000, &|| false)
        };
        for url in [
            "http://127.0.0.1:9/",
            "http://0x7f000001:9/",
            "http://[::1]:9/",
            "http://localhost:9/",
        ] {
            let fault = visit(url).unwrap_err();
            assert_eq!(fault.kind(), crate::error::Kind::Usage, "{url}: {fault}");
        }
    }
}
