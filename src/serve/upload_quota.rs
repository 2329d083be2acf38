//! The quota of uploads: a limit on their total size, without a scan of all files per upload.
//!
//! The files are measured once, and finished uploads are added. A file that replaces another counts
//! twice, and a removed file still counts, until the files are measured again. That happens when
//! the quota seems exceeded, at most once per `RESCAN`. So the quota may apply too early for a
//! while, but never too late.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::error::{Error, Result};
use crate::error::locked;

/// The shortest time between two scans of all files.
const RESCAN: Duration = Duration::from_secs(10);

/// The sizes of all uploads, shared by all requests.
#[derive(Debug, Default)]
pub struct Uploads {
    /// Bytes of the files, and when they were measured.
    measured: Option<(u64, Instant)>,
    /// Bytes of uploads in progress.
    reserved: u64,
    /// Bytes of uploads finished since the server started.
    finished: u64,
}

/// The share of the quota of an upload in progress; dropping it gives the share back.
pub struct Reservation {
    uploads: Arc<Mutex<Uploads>>,
    bytes: u64,
}

impl Reservation {
    /// Reserves `bytes` of a quota of `max_bytes`; 0 means unlimited. `scan` measures all files; no
    /// lock is held meanwhile.
    ///
    /// # Errors
    /// When stored and reserved uploads would exceed the quota.
    pub fn new(
        uploads: &Arc<Mutex<Uploads>>,
        bytes: u64,
        max_bytes: u64,
        scan: impl Fn() -> crate::error::Result<u64>,
    ) -> Result<Self> {
        if max_bytes > 0 {
            let known = locked(uploads).measured;
            if known.is_none() {
                rescan(uploads, &scan)?;
            }
            let fits = |uploads: &Uploads| uploads.total().saturating_add(bytes) <= max_bytes;
            let is_old = known.is_some_and(|(_, at)| at.elapsed() >= RESCAN);
            if is_old && !fits(&locked(uploads)) {
                rescan(uploads, &scan)?;
            }
            let mut uploads = locked(uploads);
            if !fits(&uploads) {
                let used = uploads.measured.map_or(0, |(used, _)| used);
                let what = format!(
                    "uploads have {used} bytes of at most {max_bytes} (serve.max_uploads_bytes)"
                );
                return Err(Error::too_large(what).hint("remove some with DELETE /documents"));
            }
            uploads.reserved += bytes;
        } else {
            locked(uploads).reserved += bytes;
        }
        Ok(Self { uploads: Arc::clone(uploads), bytes })
    }

    /// Turns the reservation into a finished upload of `bytes`.
    pub fn commit(self, bytes: u64) {
        let mut uploads = locked(&self.uploads);
        uploads.finished += bytes;
        if let Some((used, _)) = &mut uploads.measured {
            *used += bytes;
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        locked(&self.uploads).reserved -= self.bytes;
    }
}

/// Notes that uploads were removed, so the files are measured again before the next upload.
pub fn invalidate(uploads: &Mutex<Uploads>) {
    locked(uploads).measured = None;
}

impl Uploads {
    fn total(&self) -> u64 {
        self.measured.map_or(0, |(used, _)| used).saturating_add(self.reserved)
    }
}

fn rescan(
    uploads: &Arc<Mutex<Uploads>>,
    scan: &impl Fn() -> crate::error::Result<u64>,
) -> Result<()> {
    let before = locked(uploads).finished;
    let used = scan()?;
    let mut uploads = locked(uploads);
    // The scan may have missed uploads that finished meanwhile.
    let used = used + (uploads.finished - before);
    uploads.measured = Some((used, Instant::now()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn files_are_measured_once_and_again_when_the_quota_seems_exceeded() {
        let uploads = Arc::default();
        let (on_disk, n_scans) = (Cell::new(50), Cell::new(0));
        let reserve = |bytes| {
            Reservation::new(&uploads, bytes, 100, || {
                n_scans.set(n_scans.get() + 1);
                Ok(on_disk.get())
            })
        };
        let first = reserve(20).unwrap();
        assert!(reserve(31).is_err(), "reservations count");
        drop(first);
        for _ in 0..3 {
            reserve(10).unwrap().commit(10);
        }
        assert_eq!(n_scans.get(), 1, "an upload does not cost a scan");
        assert_eq!(reserve(21).err().unwrap().code(), "too_large");
        assert_eq!(n_scans.get(), 1, "a refused client cannot cause scans");
        on_disk.set(0);
        invalidate(&uploads);
        reserve(100).unwrap().commit(100);
        assert_eq!(n_scans.get(), 2);
        // Replaced files are noticed as soon as the last scan is old.
        on_disk.set(60);
        let long_ago = Instant::now().checked_sub(RESCAN).unwrap();
        locked(&uploads).measured = Some((100, long_ago));
        assert!(reserve(40).is_ok() && n_scans.get() == 3);
    }
}
