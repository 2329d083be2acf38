//! What each [`Shape`] accepts: the one place that judges a value before anything uses it.
//!
//! What can only be judged later, such as a folder that must exist once a server starts, is refused
//! by whoever finds out, through [`Config::refuse`](super::Config::refuse), in the same words.

use std::net::IpAddr;
use std::path::Path;

use super::Origin;
use super::settings::{Setting, Shape};
use crate::error::{Fault, Result};

/// A shorter token could be guessed.
pub const MIN_TOKEN_CHARS: usize = 16;

/// A passage must hold more than its title and headings, or nothing of the text is left to search.
const MIN_PASSAGE_TOKENS: u64 = 16;

/// # Errors
/// A usage fault that names the setting, the value unless it is secret, and where the value came
/// from.
pub fn check(setting: &Setting, value: &str, origin: &Origin) -> Result<()> {
    if value.is_empty() && setting.default.is_empty() {
        return Ok(());
    }
    let Some(why) = problem(setting.shape, value) else { return Ok(()) };
    let fault = refusal(setting, value, origin, &why);
    Err(match setting.shape {
        Shape::Secret { min_chars: 2.. } => {
            fault.hint("for example the output of `openssl rand -hex 32`")
        }
        _ => fault,
    })
}

/// `search.k = 0 (./rag.toml:3): must be at least 1`, and the same without the value where that is
/// secret.
pub fn refusal(setting: &Setting, value: &str, origin: &Origin, why: &str) -> Fault {
    let is_shown = !setting.shape.is_secret() && !holds_credentials(setting.shape, value);
    let value = if is_shown { format!(" = {}", value.escape_debug()) } else { String::new() };
    Fault::usage(format!("{}{value} ({origin}): {why}", setting.key))
}

/// An address such as `http://user:password@host`.
fn holds_credentials(shape: Shape, value: &str) -> bool {
    shape == Shape::Url && value.contains('@')
}

/// Why a value is not what its shape demands.
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
            unless(!is_no_folder(Path::new(value)), "is not a folder")
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

/// Why a key or token cannot be used. The reason shows nothing of it.
pub fn secret_problem(secret: &str, min_chars: usize) -> Option<String> {
    match () {
        () if secret.chars().count() < min_chars => {
            Some(format!("has fewer than {min_chars} characters"))
        }
        () if !secret.bytes().all(|b| b.is_ascii_graphic()) => {
            Some("the key holds characters that no HTTP header can carry".to_owned())
        }
        () => None,
    }
}

/// True when something that is not a folder stands at the path or above it. A folder may be
/// missing: it is made.
fn is_no_folder(path: &Path) -> bool {
    match path.metadata() {
        Ok(found) => !found.is_dir(),
        Err(e) => e.kind() == std::io::ErrorKind::NotADirectory,
    }
}

/// True when `value` may become a file name without leaving its folder or looking like a flag.
pub fn is_name(value: &str) -> bool {
    (1..=100).contains(&value.len())
        && !value.starts_with(['.', '-'])
        && value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

fn url_problem(value: &str) -> Option<String> {
    let url = match url::Url::parse(value) {
        Ok(url) => url,
        Err(url::ParseError::RelativeUrlWithoutBase) => {
            return Some("must begin with http:// or https://".to_owned());
        }
        Err(e) => return Some(format!("is not a URL: {e}")),
    };
    match () {
        () if !matches!(url.scheme(), "http" | "https") => {
            Some("must begin with http:// or https://".to_owned())
        }
        () if !url.username().is_empty() || url.password().is_some() => {
            Some("must not hold a user name or a password".to_owned())
        }
        () if url.query().is_some() || url.fragment().is_some() => {
            Some("must not hold a `?` or a `#`".to_owned())
        }
        () => {
            let host = url.host_str().unwrap_or_default();
            host_problem(host).map(|why| format!("the host `{host}` {why}"))
        }
    }
}

/// Why a name can belong to no host. Whether one answers to it is found out by asking.
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
    // A name whose last part is a number would be taken for an address by some and for a name by
    // others.
    let ends_in_number =
        name.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    let is_host = name.len() <= 253 && name.split('.').all(is_label) && !ends_in_number;
    (!is_host).then(|| "must be a host name or an IP address, without a port".to_owned())
}
