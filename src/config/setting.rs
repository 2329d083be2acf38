//! What a setting is: its key, its variable, the shape of its values and where a value came from.

use std::fmt;
use std::path::PathBuf;

/// Shorter tokens could be guessed.
pub const MIN_TOKEN_CHARS: usize = 16;

/// The layer that a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    BuiltIn,
    File { path: PathBuf, line: usize },
    Environment(&'static str),
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built in"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(flag) => write!(f, "{flag}"),
        }
    }
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// One line of text.
    Text,
    /// A folder, which need not exist yet.
    Folder,
    /// A folder, by its absolute path.
    AbsoluteFolder,
    /// Folders, separated by `:`.
    Folders,
    /// A file. Its reader checks whether it exists.
    File,
    /// A name that becomes a file name: letters, digits, `.`, `_`, `-`, not starting with `.` or
    /// `-`.
    Name,
    /// The length of a chunk in tokens, or 0.
    Passage {
        most: u64,
    },
    Whole {
        least: u64,
        most: u64,
    },
    /// A number from 0 to this maximum.
    UpTo(f64),
    OneOf(&'static [&'static str]),
    /// An `http` or `https` address without credentials.
    Url,
    /// Name or IP address of a host.
    Host,
    /// Hosts, separated by `,`.
    Hosts,
    /// Addresses like those of [`Shape::Url`], separated by `,`.
    Urls,
    /// `host:port`, separated by `,`.
    Addresses,
    /// The address of an engine with one of these schemes. Messages do not show its password.
    Engine {
        schemes: &'static [&'static str],
    },
    /// A bucket or a shared folder: `s3://BUCKET/PREFIX` or `file:///FOLDER`.
    Depot,
    /// A key or token, which messages do not show.
    Secret {
        min_chars: usize,
    },
}

impl Shape {
    pub fn is_secret(self) -> bool {
        matches!(self, Self::Secret { .. })
    }

    /// The separator of a list; `None` for a single value.
    pub fn separator(self) -> Option<&'static str> {
        match self {
            Self::Hosts | Self::Addresses | Self::Urls => Some(","),
            Self::Folders => Some(":"),
            _ => None,
        }
    }
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Dotted key in `rag.toml`.
    pub key: &'static str,
    pub env: &'static str,
    /// As written in a file; empty means none or computed.
    pub default: &'static str,
    pub shape: Shape,
    /// One line for the README.
    pub description: &'static str,
    /// Controls where text and keys are sent or which code is loaded, so a `rag.toml`, which may
    /// come with a downloaded folder, must not set it.
    pub is_personal: bool,
}

pub(super) const fn setting(
    key: &'static str,
    env: &'static str,
    default: &'static str,
    shape: Shape,
    description: &'static str,
) -> Setting {
    Setting { key, env, default, shape, description, is_personal: false }
}

/// A setting that a project file must not set.
pub(super) const fn personal(
    key: &'static str,
    env: &'static str,
    default: &'static str,
    shape: Shape,
    description: &'static str,
) -> Setting {
    Setting { is_personal: true, ..setting(key, env, default, shape, description) }
}
