//! One writer at a time: an advisory lock on a file that also says who holds it.
//!
//! The kernel drops the lock with its holder, however that dies; the file itself stays and means nothing.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::{Context as _, Fault, Result};

/// How often a waiting writer looks again. Short enough not to be felt, long enough to cost nothing.
const RETRY: Duration = Duration::from_millis(50);

/// An exclusive lock, released on drop.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock at `path`, waiting at most `wait`. `give_up` is asked between looks, so that Ctrl-C works.
    ///
    /// # Errors
    /// [`Kind::Busy`](crate::error::Kind::Busy) naming the holder's pid when the time is over; a fault when the
    /// file cannot be made.
    pub fn take(path: &Path, wait: Duration, give_up: &dyn Fn() -> bool) -> Result<Self> {
        let what = || format!("cannot lock {}", path.display());
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).or_failed(what)?;
        let start = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if give_up() => return Err(Fault::interrupted()),
                Err(TryLockError::WouldBlock) if start.elapsed() >= wait => {
                    return Err(busy(&mut file));
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(RETRY.min(wait)),
                Err(TryLockError::Error(e)) => return Err(e).or_failed(what),
            }
        }
        file.set_len(0).or_failed(what)?;
        file.rewind().or_failed(what)?;
        writeln!(file, "{}", std::process::id()).or_failed(what)?;
        Ok(Self { _file: file })
    }
}

fn busy(file: &mut File) -> Fault {
    let mut text = String::new();
    let holder = match file.rewind().and_then(|()| file.read_to_string(&mut text)) {
        Ok(_) if !text.trim().is_empty() => format!("process {}", text.trim()),
        _ => "another process".to_owned(),
    };
    Fault::busy(format!("{holder} is writing to this data directory"))
        .hint("wait for it to finish, or give `--wait SECONDS`")
}
