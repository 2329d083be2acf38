//! Tantivy's view of a generation under construction: files private to the user, and no syncs.
//!
//! Tantivy syncs every file when it closes it. A generation is invisible before its commit, which
//! syncs each file once, so syncing here would only take time.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use tantivy::directory::error::{
    DeleteError, LockError, OpenDirectoryError, OpenReadError, OpenWriteError,
};
use tantivy::directory::{
    AntiCallToken, Directory, DirectoryLock, FileHandle, Lock, MmapDirectory, TerminatingWrite,
    WatchCallback, WatchHandle, WritePtr,
};

/// A folder that one process writes to. Reads use Tantivy's own mapping.
#[derive(Clone, Debug)]
pub struct WriteDirectory {
    dir: PathBuf,
    inner: MmapDirectory,
    refusal: Refusal,
}

/// The first error number of the system. Tantivy's threads set it; the writer reads it for its
/// message, because Tantivy reduces the error to text or drops it.
#[derive(Clone, Debug, Default)]
pub struct Refusal(Arc<OnceLock<i32>>);

impl Refusal {
    fn record<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if let Some(number) = result.as_ref().err().and_then(io::Error::raw_os_error) {
            let _ = self.0.set(number);
        }
        result
    }

    pub fn error(&self) -> Option<io::Error> {
        self.0.get().map(|number| io::Error::from_raw_os_error(*number))
    }
}

impl WriteDirectory {
    pub fn open(dir: &Path) -> Result<Self, OpenDirectoryError> {
        Ok(Self {
            dir: dir.to_owned(),
            inner: MmapDirectory::open(dir)?,
            refusal: Refusal::default(),
        })
    }

    pub fn refusal(&self) -> Refusal {
        self.refusal.clone()
    }
}

struct Unsynced {
    file: File,
    refusal: Refusal,
}

impl Write for Unsynced {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.refusal.record(self.file.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl TerminatingWrite for Unsynced {
    fn terminate_ref(&mut self, _: AntiCallToken) -> io::Result<()> {
        Ok(())
    }
}

/// A new file, private to the user.
fn create(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    File::options().write(true).create_new(true).mode(0o600).open(path)
}

impl Directory for WriteDirectory {
    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        match self.refusal.record(create(&self.dir.join(path))) {
            Ok(file) => {
                Ok(BufWriter::new(Box::new(Unsynced { file, refusal: self.refusal.clone() })))
            }
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                Err(OpenWriteError::FileAlreadyExists(path.to_owned()))
            }
            Err(e) => {
                Err(OpenWriteError::IoError { io_error: Arc::new(e), filepath: path.to_owned() })
            }
        }
    }

    fn atomic_write(&self, path: &Path, data: &[u8]) -> io::Result<()> {
        // A rename, because the old file may be a hard link that another generation still needs.
        let temp = self.dir.join(format!(".{}.tmp", path.display()));
        let written = create(&temp)
            .and_then(|mut file| file.write_all(data))
            .and_then(|()| std::fs::rename(&temp, self.dir.join(path)));
        if written.is_err() {
            let _ = std::fs::remove_file(&temp);
        }
        self.refusal.record(written)
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(())
    }

    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        self.inner.get_file_handle(path)
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        self.inner.delete(path)
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        self.inner.exists(path)
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        self.inner.atomic_read(path)
    }

    fn acquire_lock(&self, lock: &Lock) -> Result<DirectoryLock, LockError> {
        self.inner.acquire_lock(lock)
    }

    fn watch(&self, callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        self.inner.watch(callback)
    }
}
