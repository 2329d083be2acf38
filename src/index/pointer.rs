//! What a name points to: one generation, and the one before it.

use serde::{Deserialize, Serialize};

use crate::disk::{self, Blake};

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
