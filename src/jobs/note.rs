//! A file that names the document being read, in case reading it kills the process.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use crate::error::{Context as _, Result};

pub struct Note {
    path: PathBuf,
    file: Option<File>,
}

impl Note {
    /// Nothing is created before the first [`Note::write`].
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, file: None }
    }

    /// Replaces the name; `None` when no file is being read. It must survive the process but not
    /// the machine, so it is not synced.
    pub fn write(&mut self, reading: Option<&str>) -> Result<()> {
        let what = || format!("cannot write {}", self.path.display());
        if self.file.is_none() {
            let mut options = OpenOptions::new();
            // Each write goes to the end, which is the beginning after `set_len`.
            options.append(true).create(true).mode(0o600);
            self.file = Some(options.open(&self.path).or_failed(what)?);
        }
        let Some(mut file) = self.file.as_ref() else { return Ok(()) };
        file.set_len(0)
            .and_then(|()| file.write_all(reading.unwrap_or_default().as_bytes()))
            .or_failed(what)
    }
}
