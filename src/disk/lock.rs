//! One writer at a time: an advisory lock on a file that also says who holds it.
//!
//! The kernel drops the lock with its holder, however that dies; the file itself stays and means
//! nothing.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::{Context as _, Fault, Result};

/// How often a waiting writer looks again. Short enough not to be felt, long enough to cost
/// nothing.
const RETRY: Duration = Duration::from_millis(50);

/// An exclusive lock, released on drop.
#[derive(Debug)]
pub struct Lock {
    _file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock at `path`, waiting at most `wait`. `give_up` is asked between looks, so that
    /// Ctrl-C works.
    ///
    /// # Errors
    /// [`Kind::Busy`](crate::error::Kind::Busy) naming the holder's pid when the time is over; a
    /// fault when the file cannot be made.
    pub fn take(path: &Path, wait: Duration, give_up: &dyn Fn() -> bool) -> Result<Self> {
        let busy = |holder: &str| {
            Fault::busy(format!("{holder} is writing to this data directory"))
                .hint("wait for it to finish, or give `--wait SECONDS`")
        };
        Self::take_or(path, wait, give_up, &busy)
    }

    /// As [`Lock::take`]; `busy` makes the fault of the holder's name (`process 123`).
    pub fn take_or(
        path: &Path,
        wait: Duration,
        give_up: &dyn Fn() -> bool,
        busy: &dyn Fn(&str) -> Fault,
    ) -> Result<Self> {
        let what = || format!("cannot lock {}", path.display());
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).or_failed(what)?;
        let start = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) if is_at(&file, path) => break,
                // Its holder removed it before letting go.
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

    /// Lets go, and leaves no file behind.
    pub fn remove(self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    let identity = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    file.metadata().map(identity).ok() == path.metadata().map(identity).ok()
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.rewind().and_then(|()| file.read_to_string(&mut text)) {
        Ok(_) if !text.trim().is_empty() => format!("process {}", text.trim()),
        _ => "another process".to_owned(),
    }
}
