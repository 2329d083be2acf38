//! Where several machines keep their indexes: a shared folder, or a bucket of an S3 store.
//!
//! A depot holds small objects that are replaced by compare-and-swap (the pointers of indexes), and
//! large ones that never change and are named by their SHA-256. Every call blocks; nothing here
//! knows what the objects mean.

#[cfg_attr(not(feature = "cluster"), path = "left_out.rs")]
mod bucket;
mod folder;
mod object;
mod steps;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::Instant;

use bucket::Bucket;
use folder::Folder;
pub use object::{Answer, Content, Object, Tag};
pub use steps::{Steps, now, swap};

use crate::config::DepotPlace;
use crate::disk;
use crate::error::{Fault, Result};

/// A depot. It may be used from any thread.
#[derive(Debug)]
pub struct Depot {
    side: Side,
    opened: Instant,
}

#[derive(Debug)]
enum Side {
    Folder(Folder),
    Bucket(Bucket),
}

/// The result of a compare-and-swap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Swap {
    Done(Tag),
    /// The object is no longer the expected version.
    Lost,
}

/// A large object: its size and SHA-256.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    pub bytes: u64,
    pub sha256: &'a str,
}

impl Depot {
    /// Opens the depot at `place`; nothing is asked yet.
    ///
    /// # Errors
    /// A usage fault when it cannot be configured so.
    pub fn open(place: &DepotPlace) -> Result<Self> {
        let side = match place.url.strip_prefix("file://") {
            Some(folder) => Side::Folder(Folder::new(Path::new(folder))),
            None => Side::Bucket(Bucket::open(place)?),
        };
        Ok(Self { side, opened: Instant::now() })
    }

    /// The address, for messages.
    pub fn url(&self) -> &str {
        match &self.side {
            Side::Folder(folder) => folder.url(),
            Side::Bucket(bucket) => bucket.url(),
        }
    }

    /// Reads a small object; `None` when there is none.
    pub fn read(&self, key: &str) -> Result<Option<Content>> {
        match &self.side {
            Side::Folder(folder) => folder.read(key),
            Side::Bucket(bucket) => bucket.read(key),
        }
    }

    /// Writes a small object in place of another or none.
    pub fn write(&self, key: &str, bytes: &[u8]) -> Result<()> {
        match &self.side {
            Side::Folder(folder) => folder.write(key, bytes),
            Side::Bucket(bucket) => bucket.write(key, bytes),
        }
    }

    /// As [`swap`], with this depot.
    ///
    /// # Errors
    /// As [`swap`].
    pub fn swap(&self, key: &str, expected: Option<&Tag>, bytes: &[u8]) -> Result<Swap> {
        now(swap(self, key, expected, bytes))
    }

    fn put_if(&self, key: &str, expected: Option<&Tag>, bytes: &[u8]) -> Answer {
        match &self.side {
            Side::Folder(folder) => folder.put_if(key, expected, bytes),
            Side::Bucket(bucket) => bucket.put_if(key, expected, bytes),
        }
    }

    /// Size and time of an object; `None` when there is none.
    pub fn find(&self, key: &str) -> Result<Option<Object>> {
        match &self.side {
            Side::Folder(folder) => folder.find(key),
            Side::Bucket(bucket) => bucket.find(key),
        }
    }

    /// Copies a file to a large object, which no reader sees before it is complete.
    ///
    /// # Errors
    /// An interruption when `stop` returns true.
    pub fn upload(&self, key: &str, file: &Path, stop: &dyn Fn() -> bool) -> Result<()> {
        match &self.side {
            Side::Folder(folder) => folder.upload(key, file),
            Side::Bucket(bucket) => bucket.upload(key, file, stop),
        }
    }

    /// Copies a large object to the new file `target`, and checks its SHA-256. A copy with wrong
    /// bytes is fetched once more: they may come from the network rather than from the store.
    ///
    /// # Errors
    /// [`Kind::Damaged`](crate::error::Kind::Damaged) when it is missing or has other bytes; an
    /// interruption when `stop` returns true. The file is then removed.
    pub fn download(
        &self,
        key: &str,
        target: &Path,
        expected: Expected<'_>,
        stop: &dyn Fn() -> bool,
    ) -> Result<()> {
        let mut why = String::new();
        for _ in 0..2 {
            let fetched = match &self.side {
                Side::Folder(folder) => folder.download(key, target),
                Side::Bucket(bucket) => bucket.download(key, target, expected.bytes, stop),
            };
            let is_found = fetched.inspect_err(|_| drop(std::fs::remove_file(target)))?;
            if !is_found {
                "it is missing".clone_into(&mut why);
                break;
            }
            let sum = disk::file_sum(target)?;
            if sum.bytes == expected.bytes && sum.sha256 == expected.sha256 {
                return disk::sync_file(target);
            }
            let _ = std::fs::remove_file(target);
            why = match sum.bytes == expected.bytes {
                true => "its SHA-256 is not the recorded one".to_owned(),
                false => format!("{} bytes instead of {}", sum.bytes, expected.bytes),
            };
        }
        Err(Fault::damaged(format!("{}/{key} is damaged: {why}", self.url()))
            .hint("a machine that has the index uploads the file again with `rag index push`"))
    }

    /// All objects whose key begins with `prefix`, a folder with its `/`.
    pub fn list(&self, prefix: &str) -> Result<Vec<Object>> {
        match &self.side {
            Side::Folder(folder) => folder.list(prefix),
            Side::Bucket(bucket) => bucket.list(prefix),
        }
    }

    /// Deletes an object; a missing one is not an error.
    pub fn delete(&self, key: &str) -> Result<()> {
        match &self.side {
            Side::Folder(folder) => folder.delete(key),
            Side::Bucket(bucket) => bucket.delete(key),
        }
    }

    /// Checks that the depot compares before it swaps. Some stores ignore the conditions of a
    /// write: two writers would overwrite each other's work and neither would notice.
    ///
    /// # Errors
    /// [`Kind::Outside`](crate::error::Kind::Outside) for such a store, and for one that cannot be
    /// reached or written.
    pub fn probe(&self) -> Result<()> {
        let key = format!("probe/{}", disk::random_id()?);
        let probed = self.probe_with(&key);
        let deleted = self.delete(&key);
        probed.and(deleted)
    }

    /// Whether the last write was kept as one of several versions: what is deleted then stays.
    pub fn is_versioned(&self) -> bool {
        match &self.side {
            Side::Folder(_) => false,
            Side::Bucket(bucket) => bucket.is_versioned(),
        }
    }

    fn probe_with(&self, key: &str) -> Result<()> {
        let ignores = |what: &str| {
            Fault::outside(format!("{} ignores {what}", self.url())).hint(
                "writers would overwrite each other's indexes: use a store with conditional \
                 writes, such as Amazon S3, MinIO, Ceph, R2 or SeaweedFS",
            )
        };
        let written = |answer: Answer| match answer {
            Answer::Written(tag) => Ok(Some(tag)),
            Answer::Refused => Ok(None),
            Answer::Unknown(fault) => Err(fault),
        };
        let refuses = || {
            Fault::outside(format!("{} refuses a conditional write that holds", self.url()))
                .hint("use a store with conditional writes (If-Match and If-None-Match)")
        };
        let first = written(self.put_if(key, None, b"one"))?.ok_or_else(refuses)?;
        if written(self.put_if(key, None, b"two"))?.is_some() {
            return Err(ignores("If-None-Match"));
        }
        let second = written(self.put_if(key, Some(&first), b"three"))?.ok_or_else(refuses)?;
        if second == first {
            return Err(Fault::outside(format!(
                "{} gives two versions of an object the same ETag",
                self.url()
            )));
        }
        if written(self.put_if(key, Some(&first), b"four"))?.is_some() {
            return Err(ignores("If-Match"));
        }
        match self.read(key)? {
            Some(found) if found.bytes == b"three" && found.tag == second => Ok(()),
            _ => {
                Err(Fault::outside(format!("{} does not return what was just written", self.url())))
            }
        }
    }
}
