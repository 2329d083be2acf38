//! Validates values against their [`Shape`] before anything uses them.
//!
//! Checks that must come later, such as whether a folder exists when a server starts, report
//! through [`Config::refuse`](super::Config::refuse), in the same format.

use std::net::IpAddr;
use std::path::Path;

use super::setting::{Origin, Setting, Shape};
use crate::error::{Fault, Result};

/// A smaller chunk has no room for text beside its title and headings.
const MIN_PASSAGE_TOKENS: u64 = 16;

/// Checks a value of a setting, whose key is that of the setting or names a language model.
///
/// # Errors
/// A usage fault that names the setting, its origin, and the value unless it is secret.
pub fn check(key: &str, setting: &Setting, value: &str, origin: &Origin) -> Result<()> {
    if value.is_empty() && setting.default.is_empty() {
        return Ok(());
    }
    let Some(why) = problem(setting.shape, value) else { return Ok(()) };
    let fault = refusal(key, setting.shape, (value, origin), &why);
    Err(match setting.shape {
        Shape::Secret { min_chars: 2.. } => {
            fault.hint("for example the output of `openssl rand -hex 32`")
        }
        _ => fault,
    })
}

/// A fault such as `search.k = 0 (./rag.toml:3): must be at least 1`; a secret value is left out.
pub fn refusal(key: &str, shape: Shape, (value, origin): (&str, &Origin), why: &str) -> Fault {
    // A URL such as `http://user:password@host` holds a password.
    let is_address = matches!(shape, Shape::Url | Shape::Urls | Shape::Engine { .. });
    let is_shown = !(shape.is_secret() || is_address && value.contains('@'));
    let value = if is_shown { format!(" = {}", value.escape_debug()) } else { String::new() };
    Fault::usage(format!("{key}{value} ({origin}): {why}"))
}

/// A value as it is shown: secrets and passwords are left out.
pub fn shown(shape: Shape, value: &str) -> String {
    match shape {
        Shape::Secret { .. } if !value.is_empty() => "(set)".to_owned(),
        Shape::Engine { .. } => match (value.split_once("://"), value.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, place))) => format!("{scheme}://(set)@{place}"),
            _ => value.to_owned(),
        },
        _ => value.to_owned(),
    }
}

/// Why a value does not match its shape.
fn problem(shape: Shape, value: &str) -> Option<String> {
    let unless = |is_good: bool, why: &str| (!is_good).then(|| why.to_owned());
    match shape {
        _ if value.trim().is_empty() => Some("must not be empty".to_owned()),
        Shape::Secret { min_chars } => secret_problem(value.trim(), min_chars),
        _ if value.contains(char::is_control) => {
            Some("must not contain control characters".to_owned())
        }
        Shape::Text | Shape::File | Shape::Folders => None,
        Shape::AbsoluteFolder if !Path::new(value).is_absolute() => {
            Some("must be an absolute path".to_owned())
        }
        Shape::Folder | Shape::AbsoluteFolder => {
            unless(may_be_folder(Path::new(value)), "is not a folder")
        }
        Shape::Name => unless(
            is_name(value),
            "must be 1 to 100 letters, digits, `.`, `_` or `-`, and not start with `.` or `-`",
        ),
        Shape::Passage { most } => match value.parse::<u64>() {
            Ok(n) if n > 0 && n < MIN_PASSAGE_TOKENS => {
                Some(format!("must be 0 or at least {MIN_PASSAGE_TOKENS}"))
            }
            _ => whole_problem(value, 0, most),
        },
        Shape::Whole { least, most } => whole_problem(value, least, most),
        Shape::UpTo(most) => {
            let is_good = value.parse::<f64>().is_ok_and(|x| (0.0..=most).contains(&x));
            unless(is_good, &format!("must be a number from 0 to {most}"))
        }
        Shape::OneOf(names) => {
            unless(names.contains(&value), &format!("must be one of {}", names.join(", ")))
        }
        Shape::Url => url_problem(value),
        Shape::Engine { schemes } => engine_problem(value, schemes),
        Shape::Addresses => {
            let mut addresses = value.split(',').map(str::trim).filter(|part| !part.is_empty());
            addresses.find_map(|address| Some(format!("`{address}` {}", address_problem(address)?)))
        }
        Shape::Depot => depot_problem(value),
        Shape::Urls => {
            let mut urls = value.split(',').map(str::trim).filter(|url| !url.is_empty());
            urls.find_map(|url| url_problem(url).map(|why| format!("an address {why}")))
        }
        Shape::Host => host_problem(value),
        Shape::Hosts => {
            let mut hosts = value.split(',').map(str::trim).filter(|host| !host.is_empty());
            hosts.find_map(|host| host_problem(host).map(|why| format!("`{host}` {why}")))
        }
    }
}

fn whole_problem(value: &str, least: u64, most: u64) -> Option<String> {
    match value.parse::<u64>() {
        Ok(n) if n < least => Some(format!("must be at least {least}")),
        Ok(n) if n > most => Some(format!("must be at most {most}")),
        Ok(_) => None,
        Err(_) => Some("must be a whole number".to_owned()),
    }
}

/// Why a key or token cannot be used. The reason does not quote it.
pub fn secret_problem(secret: &str, min_chars: usize) -> Option<String> {
    if secret.chars().count() < min_chars {
        return Some(format!("has fewer than {min_chars} characters"));
    }
    let is_header_value = secret.bytes().all(|b| b.is_ascii_graphic());
    (!is_header_value)
        .then(|| "the key contains characters that are invalid in an HTTP header".to_owned())
}

/// Whether the path is a folder or could be created as one.
fn may_be_folder(path: &Path) -> bool {
    match path.metadata() {
        Ok(metadata) => metadata.is_dir(),
        Err(e) => e.kind() != std::io::ErrorKind::NotADirectory,
    }
}

/// Whether `value` is safe as a file name: it cannot leave its folder or look like a flag.
pub fn is_name(value: &str) -> bool {
    (1..=100).contains(&value.len())
        && !value.starts_with(['.', '-'])
        && value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

fn url_problem(value: &str) -> Option<String> {
    const BAD_SCHEME: &str = "must begin with http:// or https://";
    let url = match url::Url::parse(value) {
        Ok(url) => url,
        Err(url::ParseError::RelativeUrlWithoutBase) => return Some(BAD_SCHEME.to_owned()),
        Err(e) => return Some(format!("is not a URL: {e}")),
    };
    if !matches!(url.scheme(), "http" | "https") {
        return Some(BAD_SCHEME.to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Some("must not contain a user name or a password".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Some("must not contain a `?` or a `#`".to_owned());
    }
    let host = url.host_str().unwrap_or_default();
    host_problem(host).map(|why| format!("the host `{host}` {why}"))
}

/// Why a value is not the address of an engine. The reason does not quote it.
fn engine_problem(value: &str, schemes: &[&str]) -> Option<String> {
    let bad_scheme = || {
        let names: Vec<String> = schemes.iter().map(|scheme| format!("{scheme}://")).collect();
        Some(format!("must begin with {}", names.join(" or ")))
    };
    if value.split_once("://").is_some_and(|(scheme, place)| {
        schemes.contains(&scheme) && place.rsplit('@').next().is_some_and(|host| host.contains(','))
    }) {
        // Several hosts are no URL; the client of the engine knows them.
        return None;
    }
    let url = match url::Url::parse(value) {
        Ok(url) => url,
        Err(url::ParseError::RelativeUrlWithoutBase) => return bad_scheme(),
        Err(e) => return Some(format!("is not a URL: {e}")),
    };
    if !schemes.contains(&url.scheme()) {
        return bad_scheme();
    }
    if url.fragment().is_some() {
        return Some("must not contain a `#`".to_owned());
    }
    host_problem(url.host_str().unwrap_or_default()).map(|why| format!("the host {why}"))
}

/// Why a value is not `host:port`.
fn address_problem(value: &str) -> Option<String> {
    match value.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok_and(|port| port > 0) => host_problem(host),
        _ => Some("must be a host and a port, such as 10.0.0.7:26379".to_owned()),
    }
}

/// Why a value names neither a bucket nor an absolute folder.
fn depot_problem(value: &str) -> Option<String> {
    let is_part = |part: &str| {
        !matches!(part, "" | "." | "..")
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.=".contains(&b))
    };
    if let Some(folder) = value.strip_prefix("file://") {
        let is_absolute = folder.starts_with('/') && !folder.contains("/../");
        return (!is_absolute).then(|| "must have an absolute path after file://".to_owned());
    }
    let Some(place) = value.strip_prefix("s3://") else {
        return Some("must begin with s3:// or file:///".to_owned());
    };
    let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
    let is_bucket = (3..=63).contains(&bucket.len())
        && bucket
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b));
    if !is_bucket {
        return Some("must name a bucket of 3 to 63 small letters, digits, `-` or `.`".to_owned());
    }
    let prefix = prefix.trim_end_matches('/');
    let is_prefix = prefix.is_empty() || prefix.split('/').all(is_part);
    (!is_prefix).then(|| {
        "must have a prefix of letters, digits, `-`, `_`, `.` and `=` between slashes".to_owned()
    })
}

/// Why a name is not a valid host name or IP address. Nothing is resolved.
fn host_problem(value: &str) -> Option<String> {
    let bare = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(value);
    if bare.parse::<IpAddr>().is_ok() {
        return None;
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    let name = value.strip_suffix('.').unwrap_or(value);
    // Resolvers disagree whether a name whose last label is a number is an address.
    let ends_in_number =
        name.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    let is_host = name.len() <= 253 && name.split('.').all(is_label) && !ends_in_number;
    (!is_host).then(|| "must be a host name or an IP address, without a port".to_owned())
}

/// Why a file that a setting names cannot be read.
pub fn read_problem(error: &std::io::Error) -> String {
    let problem = match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file",
        std::io::ErrorKind::IsADirectory => "is a folder, not a file",
        std::io::ErrorKind::PermissionDenied => "the file cannot be read: permission denied",
        std::io::ErrorKind::InvalidData => "the file is not valid UTF-8",
        _ => return format!("the file cannot be read: {error}"),
    };
    problem.to_owned()
}
