//! A folder that several machines share, with one file for each object.
//!
//! A lock file makes compare-and-swap atomic, so the file system must have locks that hold between
//! its machines, as NFS 4 does.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::object::{Answer, Content, Object, SMALL_BYTES, Tag};
use crate::disk::{self, Lock};
use crate::error::{Context as _, Fault, Reason, Result};

/// Longest wait for another writer, which holds the lock while it replaces one small file.
const WAIT: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub struct Folder {
    dir: PathBuf,
    url: String,
}

impl Folder {
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), url: format!("file://{}", dir.display()) }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    fn path(&self, key: &str) -> PathBuf {
        self.dir.join(key)
    }

    /// The path of an object to write; its folder exists then.
    fn new_path(&self, key: &str) -> Result<PathBuf> {
        if !self.dir.is_dir() {
            return Err(self.no_dir().hint("create it, or mount the file system that has it"));
        }
        let path = self.path(key);
        disk::create_dir(path.parent().unwrap_or(&self.dir))?;
        Ok(path)
    }

    pub fn read(&self, key: &str) -> Result<Option<Content>> {
        let path = self.path(key);
        let Some(bytes) = disk::if_exists(std::fs::read(&path)).or_cannot("read", &path)? else {
            return self.dir_exists().map(|()| None);
        };
        if bytes.len() as u64 > SMALL_BYTES {
            return Err(Fault::damaged(format!("{} is too large", path.display())));
        }
        let tag = Tag(disk::sha256_hex(&bytes));
        Ok(Some(Content { bytes, tag }))
    }

    /// A file system that is not mounted must not look like an empty depot.
    fn dir_exists(&self) -> Result<()> {
        match self.dir.is_dir() {
            true => Ok(()),
            false => Err(self.no_dir()),
        }
    }

    fn no_dir(&self) -> Fault {
        Fault::outside(format!("there is no folder {}", self.dir.display())).reason(Reason::Engine)
    }

    pub fn write(&self, key: &str, bytes: &[u8]) -> Result<()> {
        disk::replace(&self.new_path(key)?, bytes)
    }

    pub fn put_if(&self, key: &str, expected: Option<&Tag>, bytes: &[u8]) -> Answer {
        match self.put_locked(key, expected, bytes) {
            Ok(answer) => answer,
            Err(fault) => Answer::Unknown(fault),
        }
    }

    fn put_locked(&self, key: &str, expected: Option<&Tag>, bytes: &[u8]) -> Result<Answer> {
        let path = self.new_path(key)?;
        let _lock = Lock::take(&self.dir.join(".lock"), WAIT, &|| false)?;
        if self.read(key)?.as_ref().map(|found| &found.tag) != expected {
            return Ok(Answer::Refused);
        }
        disk::replace(&path, bytes)?;
        Ok(Answer::Written(Tag(disk::sha256_hex(bytes))))
    }

    pub fn find(&self, key: &str) -> Result<Option<Object>> {
        let path = self.path(key);
        let found = disk::if_exists(path.metadata()).or_cannot("read", &path)?;
        Ok(found.map(|found| object(key.to_owned(), &found)))
    }

    pub fn upload(&self, key: &str, file: &Path) -> Result<()> {
        let path = self.new_path(key)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let temp = path.with_file_name(format!(".{name}.{}.tmp", disk::random_id()?));
        let copied = std::fs::copy(file, &temp)
            .or_failed(|| format!("cannot copy {} to {}", file.display(), self.url))
            .and_then(|_| disk::sync_file(&temp))
            .and_then(|()| disk::put_in_place(&temp, &path, disk::Existing::Replace));
        if copied.is_err() {
            let _ = std::fs::remove_file(&temp);
        }
        copied
    }

    /// Whether there is such an object.
    pub fn download(&self, key: &str, target: &Path) -> Result<bool> {
        let path = self.path(key);
        let copied = disk::if_exists(std::fs::copy(&path, target)).or_cannot("copy", &path)?;
        Ok(copied.is_some())
    }

    pub fn list(&self, prefix: &str) -> Result<Vec<Object>> {
        let dir = self.path(prefix);
        self.dir_exists()?;
        let Some(entries) = disk::if_exists(std::fs::read_dir(&dir)).or_cannot("read", &dir)?
        else {
            return Ok(Vec::new());
        };
        let mut objects = Vec::new();
        for entry in entries {
            let entry = entry.or_cannot("read", &dir)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // A file may vanish meanwhile.
            let Some(found) = disk::if_exists(entry.metadata()).or_cannot("read", &dir)? else {
                continue;
            };
            if found.is_file() && !name.starts_with('.') {
                objects.push(object(format!("{prefix}{name}"), &found));
            }
        }
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(objects)
    }

    pub fn delete(&self, key: &str) -> Result<()> {
        let path = self.path(key);
        let deleted = disk::if_exists(std::fs::remove_file(&path));
        deleted.map(drop).or_cannot("remove", &path)
    }
}

fn object(key: String, found: &std::fs::Metadata) -> Object {
    let modified_ms = found.mtime().saturating_mul(1000) + found.mtime_nsec() / 1_000_000;
    Object { key, bytes: found.len(), modified_ms }
}
