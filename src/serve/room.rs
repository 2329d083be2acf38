//! Room for uploads: a limit on all their bytes, without looking at every file for each.
//!
//! The files are counted once, and a file that has come is added. One that replaces another counts
//! twice, and one that was removed counts on, until the files are counted again: when there seems
//! to be no room, and not too often. So the limit is met too early for a while, and never too late.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::error::{Error, Result};

/// The least time between two counts of all files.
const RECOUNT: Duration = Duration::from_secs(10);

/// How many bytes uploads have, for all requests.
#[derive(Debug, Default)]
pub struct Uploads {
    /// Bytes of files, and when they were counted last.
    counted: Option<(u64, Instant)>,
    /// Bytes that are on their way in.
    coming: u64,
    /// Bytes that have come since the start.
    come: u64,
}

/// Room for an upload that is on its way in.
pub struct Room {
    uploads: Arc<Mutex<Uploads>>,
    bytes: u64,
}

impl Room {
    /// Refuses what would be more than `most` bytes together with the uploads that there are and
    /// those that are coming; 0 is no limit. `count` looks at all files; it is called without any
    /// lock held.
    pub fn reserve(
        uploads: &Arc<Mutex<Uploads>>,
        bytes: u64,
        most: u64,
        count: impl Fn() -> crate::error::Result<u64>,
    ) -> Result<Self> {
        if most > 0 {
            let known = locked(uploads).counted;
            if known.is_none() {
                recount(uploads, &count)?;
            }
            let fits = |uploads: &Uploads| uploads.all().saturating_add(bytes) <= most;
            let is_old = known.is_some_and(|(_, at)| at.elapsed() >= RECOUNT);
            if is_old && !fits(&locked(uploads)) {
                recount(uploads, &count)?;
            }
            let mut uploads = locked(uploads);
            if !fits(&uploads) {
                let used = uploads.counted.map_or(0, |(used, _)| used);
                let what = format!(
                    "uploads have {used} bytes; {most} are the most (serve.max_uploads_bytes)"
                );
                return Err(Error::too_large(what).hint("remove some with DELETE /documents"));
            }
            uploads.coming += bytes;
        } else {
            locked(uploads).coming += bytes;
        }
        Ok(Self { uploads: Arc::clone(uploads), bytes })
    }

    /// The upload has come, and has so many bytes.
    pub fn fill(self, bytes: u64) {
        let mut uploads = locked(&self.uploads);
        uploads.come += bytes;
        if let Some((used, _)) = &mut uploads.counted {
            *used += bytes;
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        locked(&self.uploads).coming -= self.bytes;
    }
}

/// Uploads were removed: they are counted again before there is no room.
pub fn removed(uploads: &Mutex<Uploads>) {
    locked(uploads).counted = None;
}

impl Uploads {
    fn all(&self) -> u64 {
        self.counted.map_or(0, |(used, _)| used).saturating_add(self.coming)
    }
}

fn recount(
    uploads: &Arc<Mutex<Uploads>>,
    count: &impl Fn() -> crate::error::Result<u64>,
) -> Result<()> {
    let before = locked(uploads).come;
    let used = count()?;
    let mut uploads = locked(uploads);
    // What came meanwhile may not have been seen.
    let used = used + (uploads.come - before);
    uploads.counted = Some((used, Instant::now()));
    Ok(())
}

fn locked(uploads: &Mutex<Uploads>) -> MutexGuard<'_, Uploads> {
    uploads.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn files_are_counted_once_and_again_when_there_seems_to_be_no_room() {
        let uploads = Arc::default();
        let (on_disk, n_counts) = (Cell::new(50), Cell::new(0));
        let reserve = |bytes| {
            Room::reserve(&uploads, bytes, 100, || {
                n_counts.set(n_counts.get() + 1);
                Ok(on_disk.get())
            })
        };
        let first = reserve(20).unwrap();
        assert!(reserve(31).is_err(), "what is coming counts");
        drop(first);
        for _ in 0..3 {
            reserve(10).unwrap().fill(10);
        }
        assert_eq!(n_counts.get(), 1, "each upload costs a look at all");
        assert_eq!(reserve(21).err().unwrap().code(), "too_large");
        assert_eq!(n_counts.get(), 1, "whoever is refused could ask without end");
        on_disk.set(0);
        removed(&uploads);
        reserve(100).unwrap().fill(100);
        assert_eq!(n_counts.get(), 2);
        // What replaced other files is seen as soon as the last count is old.
        on_disk.set(60);
        let long_ago = Instant::now().checked_sub(RECOUNT).unwrap();
        locked(&uploads).counted = Some((100, long_ago));
        assert!(reserve(40).is_ok() && n_counts.get() == 3);
    }
}
