//! What an engine has: spaces of vectors, generations in them, keys of texts.

use std::time::Duration;

use crate::disk::{self, Blake};
use crate::error::Result;

/// Bytes of the key of a text.
pub const KEY_BYTES: usize = 16;

/// The key of a text.
pub type Key = [u8; KEY_BYTES];

/// The vectors of one index and one model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Space {
    pub index: String,
    /// Digest of the model's fingerprint.
    pub model: String,
    pub dimension: usize,
}

/// A generation in a space, by the SHA-256 of its `meta.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    pub space: Space,
    pub sha256: String,
}

/// A proposed text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Proposed {
    pub key: Key,
    /// As the engine computes it, from rounded numbers.
    pub cosine: f32,
}

/// The vectors of a generation.
pub struct Rows<'a> {
    /// Sorted, each once.
    pub keys: &'a [Key],
    /// The vector of the `n`-th key.
    pub vector: &'a dyn Fn(usize) -> Result<Vec<f32>>,
    /// Ends the work when it returns true.
    pub stop: &'a dyn Fn() -> bool,
}

/// The state of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    pub engine: &'static str,
    /// False after requests failed, until one succeeds.
    pub is_well: bool,
    /// Of the last reply.
    pub latency: Option<Duration>,
    pub open: usize,
    pub used: usize,
    pub most: usize,
}

impl Space {
    pub fn new(index: &str, fingerprint: &str, dimension: usize) -> Self {
        let model = Blake::new(8).field(fingerprint.as_bytes()).finish::<8>();
        Self { index: index.to_owned(), model: disk::hex(&model), dimension }
    }
}

/// The key in a UUID, with or without hyphens.
#[cfg(feature = "cluster")]
pub fn key_of(uuid: &str) -> Option<Key> {
    let digits = uuid.chars().filter(|c| *c != '-');
    let digits: Vec<u8> =
        digits.map(|c| c.to_digit(16).map(|digit| digit as u8)).collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    let bytes: Vec<u8> = pairs.iter().map(|[high, low]| (high << 4) | low).collect();
    if rest.is_empty() { bytes.try_into().ok() } else { None }
}

#[cfg(feature = "cluster")]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_uuids() {
        let key: Key = std::array::from_fn(|n| (n * 17) as u8);
        let uuid = "00112233-4455-6677-8899-aabbccddeeff";
        assert_eq!(key_of(uuid), Some(key));
        assert_eq!(key_of(&disk::hex(&key)), Some(key));
        for end in [35, 34] {
            assert_eq!(key_of(&uuid[..end]), None);
        }
        assert_eq!(key_of(&uuid.replace('f', "g")), None);
    }
}
