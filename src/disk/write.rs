//! Writing so that after a crash, on a full disk or for a concurrent reader there is the old state
//! or the new one.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Context as _, Fault, Result};

/// A part of a name that no other process and no other thread uses at the same time.
pub(super) fn unique() -> String {
    static N: AtomicU64 = AtomicU64::new(0);
    format!("{}-{}", std::process::id(), N.fetch_add(1, Ordering::Relaxed))
}

/// What to do with an existing file at the target path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    Refuse,
    Replace,
}

/// Creates a directory and its parents, private to the user: indexed documents may be private.
pub fn create_dir(path: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).or_cannot("create", path)
}

/// Creates a file, private to the user; fails when it exists.
pub fn create_file(path: &Path) -> Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .or_cannot("create", path)
}

/// Refuses an existing target, unless it may be replaced. [`put_in_place`] checks again; this check
/// saves the work before it.
///
/// # Errors
/// [`Kind::Usage`](crate::error::Kind::Usage) naming the file.
pub fn refuse_existing(path: &Path, existing: Existing) -> Result<()> {
    // A broken link counts as existing.
    match existing {
        Existing::Refuse if path.symlink_metadata().is_ok() => Err(exists(path)),
        _ => Ok(()),
    }
}

fn exists(path: &Path) -> Fault {
    Fault::usage(format!("{} exists", path.display()))
        .hint("name another file, or replace it with `--force`")
}

/// Renames the finished file `temp` to `path` atomically. An existing file is lost only if it may
/// be replaced.
///
/// # Errors
/// [`Kind::Usage`](crate::error::Kind::Usage) when `path` exists; `temp` stays then.
pub fn put_in_place(temp: &Path, path: &Path, existing: Existing) -> Result<()> {
    match existing {
        Existing::Replace => std::fs::rename(temp, path).or_cannot("write", path)?,
        Existing::Refuse => match rename_to_new(temp, path) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => return Err(exists(path)),
            renamed => renamed.or_cannot("write", path)?,
        },
    }
    sync_dir(folder_of(path))
}

/// A rename that fails with [`ErrorKind::AlreadyExists`] when the name is taken.
#[cfg(target_os = "linux")]
fn rename_to_new(from: &Path, to: &Path) -> std::io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Not every file system supports it.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => link_to_new(from, to),
        renamed => Ok(renamed?),
    }
}

#[cfg(not(target_os = "linux"))]
fn rename_to_new(from: &Path, to: &Path) -> std::io::Result<()> {
    link_to_new(from, to)
}

fn link_to_new(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::hard_link(from, to)?;
    std::fs::remove_file(from)
}

/// Writes a file that the user named: to a temporary file beside it, synced, then renamed.
///
/// # Errors
/// As [`put_in_place`]; no temporary file is left.
pub fn write_file(path: &Path, bytes: &[u8], existing: Existing) -> Result<()> {
    refuse_existing(path, existing)?;
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let temp = path.with_file_name(format!(".{name}.{}.tmp", unique()));
    let written = write_synced(&temp, bytes)
        .or_cannot("write", path)
        .and_then(|()| put_in_place(&temp, path, existing));
    if written.is_err() {
        let _ = std::fs::remove_file(&temp);
    }
    written
}

/// Writes a private file in place of another.
fn write_synced(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let _ = std::fs::remove_file(path);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Replaces a file of the program atomically and durably.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    write_file(path, bytes, Existing::Replace)
}

/// Whether [`replace`] names its temporary files like this.
pub fn is_temporary(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(".tmp")
}

/// Gives a file its final size and reserves the space, so that a full disk fails now and not at a
/// later write. If the file system cannot reserve space, only the size is set.
pub fn reserve(file: &File, bytes: u64) -> std::io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;
    match rustix::io::retry_on_intr(|| fallocate(file, FallocateFlags::empty(), 0, bytes)) {
        Ok(()) => Ok(()),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => file.set_len(bytes),
        Err(e) => Err(e.into()),
    }
}

/// Bytes that the user may still write to the file system of `path`, if known.
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
    File::open(path).and_then(|f| f.sync_all()).or_cannot("sync", path)
}

/// A hard link to an immutable file; a copy if the file system has no hard links.
pub fn link_or_copy(from: &Path, to: &Path) -> Result<()> {
    match std::fs::hard_link(from, to) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == ErrorKind::NotFound => {
            Err(e).or_damaged(|| format!("{} is missing", from.display()))
        }
        Err(_) => {
            std::fs::copy(from, to).or_cannot("copy", from)?;
            sync_file(to)
        }
    }
}

/// Removes a folder and its content; an absent folder is not an error.
pub fn remove_dir(path: &Path) -> Result<()> {
    let removed = if_exists(std::fs::remove_dir_all(path));
    removed.map(drop).or_cannot("remove", path)
}

/// The result of an operation on a path; `None` when the path does not exist.
pub fn if_exists<T>(result: std::io::Result<T>) -> std::io::Result<Option<T>> {
    match result {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

/// The absolute path with links resolved as far as it exists; `..` in the rest is resolved by name.
pub fn real_path(path: &Path) -> PathBuf {
    let existing = path.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
    let (above, mut real) = match existing {
        Some(found) => found,
        None => (Path::new(""), Path::new(".").canonicalize().unwrap_or_default()),
    };
    for component in path.strip_prefix(above).unwrap_or(path).components() {
        match component {
            Component::ParentDir => drop(real.pop()),
            Component::CurDir => {}
            other => real.push(other),
        }
    }
    real
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn an_existing_file_is_replaced_only_on_request() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notes.txt");
        write_file(&path, b"one", Existing::Refuse).unwrap();
        let fault = write_file(&path, b"two", Existing::Refuse).unwrap_err();
        assert_eq!(fault.kind(), Kind::Usage);
        assert!(fault.to_string().contains("notes.txt exists"), "{fault}");
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        write_file(&path, b"two", Existing::Replace).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        // A name that was taken after the first check.
        let temp = dir.path().join("temp");
        std::fs::write(&temp, "three").unwrap();
        assert_eq!(put_in_place(&temp, &path, Existing::Refuse).unwrap_err().kind(), Kind::Usage);
        assert_eq!(link_to_new(&temp, &path).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        // A broken link is not followed.
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path().join("nowhere"), &link).unwrap();
        assert_eq!(write_file(&link, b"four", Existing::Refuse).unwrap_err().kind(), Kind::Usage);
        write_file(&link, b"four", Existing::Replace).unwrap();
        assert!(!dir.path().join("nowhere").exists());
        std::fs::remove_file(temp).unwrap();
        let names = std::fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(names, 2, "no temporary file is left");
    }
}
