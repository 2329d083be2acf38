//! Objects as both kinds of depots describe them.

use crate::error::Fault;

/// Identifies a version of an object: its `ETag` in a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag(pub(super) String);

#[cfg(test)]
impl Tag {
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// A small object as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    pub bytes: Vec<u8>,
    pub tag: Tag,
}

/// An object of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    pub key: String,
    pub bytes: u64,
    /// Milliseconds since 1970, by the clock of the depot.
    pub modified_ms: i64,
}

/// What a store answered to a conditional write.
#[derive(Debug)]
pub enum Answer {
    Written(Tag),
    /// The condition does not hold.
    Refused,
    /// The write may have happened or not.
    Unknown(Fault),
}

/// Largest object that is read into memory.
pub const SMALL_BYTES: u64 = 64 << 20;
