//! Which file a name leads to, and which version of it: device, inode and change time.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Device and inode. Two names with the same ones are names of one file.
pub type FileId = (u64, u64);

/// The file that `path` leads to; `None` when it cannot be read.
pub fn file_id(path: &Path) -> Option<FileId> {
    path.metadata().ok().as_ref().map(id_of)
}

pub fn id_of(metadata: &Metadata) -> FileId {
    (metadata.dev(), metadata.ino())
}

/// Distinguishes files of equal size and modification time, as archives, reproducible builds and
/// copies that keep times make them. Programs can set the modification time but not the change
/// time.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct FileVersion {
    pub inode: u64,
    pub ctime_ns: i64,
}

impl FileVersion {
    pub fn of(metadata: &Metadata) -> Self {
        let seconds_ns = metadata.ctime().saturating_mul(1_000_000_000);
        Self { inode: metadata.ino(), ctime_ns: seconds_ns.saturating_add(metadata.ctime_nsec()) }
    }

    /// Nothing was recorded.
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a file that was recorded so may be the one that is `found`.
    pub fn may_be(self, found: Self) -> bool {
        self.is_unknown() || self == found
    }
}

/// Whether `path` still leads to an open file.
pub fn is_at(file: &File, path: &Path) -> bool {
    file.metadata().is_ok_and(|metadata| file_id(path) == Some(id_of(&metadata)))
}
