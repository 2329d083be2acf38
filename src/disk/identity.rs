//! Which file a name leads to: device and inode.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Device and inode. Two names with the same ones are names of one file.
pub type FileId = (u64, u64);

/// The file that `path` leads to; `None` when it cannot be read.
pub fn file_id(path: &Path) -> Option<FileId> {
    path.metadata().ok().as_ref().map(id_of)
}

pub fn id_of(metadata: &Metadata) -> FileId {
    (metadata.dev(), metadata.ino())
}

/// Whether `path` still leads to an open file.
pub fn is_at(file: &File, path: &Path) -> bool {
    file.metadata().is_ok_and(|metadata| file_id(path) == Some(id_of(&metadata)))
}
