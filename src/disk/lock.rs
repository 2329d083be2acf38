//! One writer at a time: an advisory lock on a file that names its holder.
//!
//! The kernel releases the lock when its holder dies. A file without a lock means nothing.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::identity::is_at;
use crate::error::{Context as _, Fault, Result};

/// Interval between tries: short enough for users, long enough to take no CPU time.
const RETRY: Duration = Duration::from_millis(50);

/// An exclusive lock, released on drop.
#[derive(Debug)]
pub struct Lock {
    _file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock at `path`, waiting at most `wait`. `give_up` is checked between tries, so
    /// that Ctrl-C works.
    ///
    /// # Errors
    /// [`Kind::Busy`](crate::error::Kind::Busy) naming the holder's pid after `wait`; a fault when
    /// the file cannot be created.
    pub fn take(path: &Path, wait: Duration, give_up: &dyn Fn() -> bool) -> Result<Self> {
        let busy = |holder: &str| {
            Fault::busy(format!("{holder} is writing to this data directory"))
                .hint("wait for it to finish, or give `--wait SECONDS`")
        };
        Self::take_or(path, wait, give_up, &busy)
    }

    /// As [`Lock::take`]; `busy` builds the fault from the holder's name (`process 123`).
    pub fn take_or(
        path: &Path,
        wait: Duration,
        give_up: &dyn Fn() -> bool,
        busy: &dyn Fn(&str) -> Fault,
    ) -> Result<Self> {
        let what = || format!("cannot lock {}", path.display());
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(path).or_failed(what)?;
        let start = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) if is_at(&file, path) => break,
                // Its holder removed the file before releasing the lock.
                Ok(()) => file = options.open(path).or_failed(what)?,
                Err(TryLockError::WouldBlock) if give_up() => return Err(Fault::interrupted()),
                Err(TryLockError::WouldBlock) if start.elapsed() >= wait => {
                    return Err(busy(&holder(&mut file)));
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(RETRY.min(wait)),
                Err(TryLockError::Error(e)) => return Err(e).or_failed(what),
            }
        }
        file.set_len(0).or_failed(what)?;
        file.rewind().or_failed(what)?;
        writeln!(file, "{}", std::process::id()).or_failed(what)?;
        Ok(Self { _file: file, path: path.to_owned() })
    }

    /// Releases the lock and removes the file.
    pub fn remove(self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.rewind().and_then(|()| file.read_to_string(&mut text)) {
        Ok(_) if !text.trim().is_empty() => format!("process {}", text.trim()),
        _ => "another process".to_owned(),
    }
}
