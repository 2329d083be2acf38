//! Writing so that a crash, a full disk or a reader in between sees the old state or the new one.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::error::{Context as _, Result};

/// Makes a directory and its parents, private to the user: what is indexed may be private.
pub fn create_dir(path: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).or_failed(|| format!("cannot create {}", path.display()))
}

/// Creates a new file, private to the user; fails when it exists.
pub fn create_file(path: &Path) -> Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .or_failed(|| format!("cannot create {}", path.display()))
}

/// Replaces `path` by `bytes`: written beside it, synced, renamed, and the folder synced.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let what = || format!("cannot write {}", path.display());
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let temp = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let written = (|| {
        let _ = std::fs::remove_file(&temp);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temp)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temp, path)
    })();
    if written.is_err() {
        let _ = std::fs::remove_file(&temp);
    }
    written.or_failed(what)?;
    sync_dir(path.parent().unwrap_or(Path::new(".")))
}

/// Whether a file of this name is what [`replace`] left of a replacement that was never finished.
pub fn is_temporary(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(".tmp")
}

/// Gives a file its final size and the space for it, so that a disk too small for it is found now and not by some
/// later write. Where the file system cannot reserve space, only the size is set.
pub fn reserve(file: &File, bytes: u64) -> std::io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;
    match rustix::io::retry_on_intr(|| fallocate(file, FallocateFlags::empty(), 0, bytes)) {
        Ok(()) => Ok(()),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => file.set_len(bytes),
        Err(e) => Err(e.into()),
    }
}

/// Bytes that this user may still write to the file system of `path`, where that is known.
pub fn available(path: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(path).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Makes the entries of a folder durable.
pub fn sync_dir(path: &Path) -> Result<()> {
    sync_file(path)
}

/// Makes the content of a file durable.
pub fn sync_file(path: &Path) -> Result<()> {
    File::open(path).and_then(|f| f.sync_all()).or_failed(|| format!("cannot sync {}", path.display()))
}

/// A second name for an immutable file; a copy where the file system has no hard links.
pub fn link_or_copy(from: &Path, to: &Path) -> Result<()> {
    match std::fs::hard_link(from, to) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == ErrorKind::NotFound => Err(e).or_damaged(|| format!("{} is missing", from.display())),
        Err(_) => {
            std::fs::copy(from, to).or_failed(|| format!("cannot copy {}", from.display()))?;
            sync_file(to)
        }
    }
}

/// Removes a folder and all in it; an absent one is no error.
pub fn remove_dir(path: &Path) -> Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e).or_failed(|| format!("cannot remove {}", path.display())),
        _ => Ok(()),
    }
}
