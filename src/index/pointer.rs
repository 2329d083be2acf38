//! What a name points to: one generation, and the one before it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::generation::damaged;
use crate::disk::{self, Blake};
use crate::error::{Context as _, Result};

/// Version of the pointer file.
const VERSION: u32 = 1;

/// `names/<NAME>.json`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Pointer {
    version: u32,
    pub name: String,
    pub current: Target,
    /// The previous generation, kept for a rollback.
    pub previous: Option<Target>,
    /// BLAKE2b over the fields above, so that a damaged pointer is not followed.
    seal: String,
}

/// One generation: its folder and the SHA-256 of its `meta.json`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Target {
    pub generation: String,
    pub meta_sha256: String,
}

/// Which parts of a generation are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Publication {
    /// Everything.
    Whole,
    /// Everything but the vectors, which are still being computed.
    Text,
}

/// What a commit does with the generation that it replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// Keeps it for a rollback.
    Keep,
    /// Removes it; the generation before it stays available for a rollback.
    Replace,
    /// Removes it and the one before it, because they contain removed data.
    Forget,
}

impl Pointer {
    pub(super) fn new(name: &str, current: Target, previous: Option<Target>) -> Self {
        let (name, seal) = (name.to_owned(), String::new());
        let pointer = Self { version: VERSION, name, current, previous, seal };
        Self { seal: pointer.computed_seal(), ..pointer }
    }

    /// Parses what was read from `path`.
    ///
    /// # Errors
    /// [`Kind::Damaged`](crate::error::Kind::Damaged) when it is not what was written for `name`.
    pub(super) fn parse(bytes: &[u8], name: &str, path: &Path) -> Result<Self> {
        let pointer: Self =
            serde_json::from_slice(bytes).map_err(|e| damaged(path, &e.to_string()))?;
        let targets = std::iter::once(&pointer.current).chain(&pointer.previous);
        let mut folders = targets.map(|target| target.generation.as_str());
        if !pointer.is_sealed() || pointer.name != name || !folders.all(is_folder) {
            return Err(damaged(path, "its seal is broken"));
        }
        Ok(pointer)
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec_pretty(self).or_failed(|| "cannot write a pointer".into())
    }

    pub(super) fn is_sealed(&self) -> bool {
        self.seal == self.computed_seal()
    }

    /// The folders of its generations.
    pub(super) fn generations(self) -> impl Iterator<Item = String> {
        std::iter::once(self.current).chain(self.previous).map(|target| target.generation)
    }

    fn computed_seal(&self) -> String {
        let mut hash =
            Blake::new(16).field(&self.version.to_le_bytes()).field(self.name.as_bytes());
        for target in std::iter::once(&self.current).chain(&self.previous) {
            hash.add(target.generation.as_bytes());
            hash.add(target.meta_sha256.as_bytes());
        }
        disk::hex(&hash.finish::<16>())
    }
}

/// Whether a generation of this name has a folder in `indexes/` and nowhere else.
fn is_folder(generation: &str) -> bool {
    !generation.is_empty() && !generation.starts_with('.') && !generation.contains(['/', '\0'])
}
