//! Tantivy's view of a committed generation: read-only, every block verified, no lock files, no
//! watching.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tantivy::HasLen;
use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    Directory, DirectoryLock, FileHandle, Lock, OwnedBytes, WatchCallback, WatchHandle, WritePtr,
};

use crate::disk::Mapped;

/// The files of one `bm25/` folder, by name.
#[derive(Clone, Debug)]
pub struct VerifiedDirectory {
    files: Arc<HashMap<PathBuf, Arc<Mapped>>>,
}

impl VerifiedDirectory {
    pub fn new(files: HashMap<PathBuf, Arc<Mapped>>) -> Self {
        Self { files: Arc::new(files) }
    }

    fn file(&self, path: &Path) -> Result<&Arc<Mapped>, OpenReadError> {
        self.files.get(path).ok_or_else(|| OpenReadError::FileDoesNotExist(path.to_owned()))
    }
}

#[derive(Debug)]
struct Handle(Arc<Mapped>);

impl HasLen for Handle {
    fn len(&self) -> usize {
        self.0.len()
    }
}

impl FileHandle for Handle {
    fn read_bytes(&self, range: Range<usize>) -> io::Result<OwnedBytes> {
        // Checks the blocks, then returns a view that keeps the map alive.
        self.0.read(range.clone())?;
        Ok(OwnedBytes::new(Whole(Arc::clone(&self.0))).slice(range))
    }
}

/// All bytes of a map, as an owner that `OwnedBytes` can hold; only checked ranges of it are
/// returned.
struct Whole(Arc<Mapped>);

impl std::ops::Deref for Whole {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.unchecked()
    }
}

#[expect(unsafe_code, reason = "OwnedBytes requires an owner whose bytes do not move with it")]
// SAFETY: the bytes belong to a memory map behind an `Arc`; moving the `Arc` does not move them.
unsafe impl stable_deref_trait::StableDeref for Whole {}

impl Directory for VerifiedDirectory {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        Ok(Arc::new(Handle(Arc::clone(self.file(path)?))))
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        let file = self.file(path)?;
        let bytes = file
            .read(0..file.len())
            .map_err(|e| OpenReadError::wrap_io_error(e, path.to_owned()))?;
        Ok(bytes.to_vec())
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        Ok(self.files.contains_key(path))
    }

    fn acquire_lock(&self, _lock: &Lock) -> Result<DirectoryLock, LockError> {
        // A generation never changes, so no lock is needed; on a read-only disk none is possible.
        Ok(DirectoryLock::from(Box::new(())))
    }

    fn watch(&self, _callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        Ok(WatchHandle::empty())
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        Err(DeleteError::IoError { io_error: Arc::new(read_only()), filepath: path.to_owned() })
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        Err(OpenWriteError::wrap_io_error(read_only(), path.to_owned()))
    }

    fn atomic_write(&self, _path: &Path, _data: &[u8]) -> io::Result<()> {
        Err(read_only())
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(())
    }
}

fn read_only() -> io::Error {
    io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "a committed generation is never written to")
}
