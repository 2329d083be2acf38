//! `jobs.jsonl`: a line for everything that happens, each with its number and a checksum.
//!
//! A line is added by one write at the end of the file, under the lock. What a dying process left
//! of a line has no newline, counts as nothing, and is overwritten by the next one. Anything else
//! that is wrong is damage.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::job::{Event, Table, apply};
use crate::disk::{self, Blake};
use crate::error::{Context as _, Fault, Result};

/// Version of the lines. A log with a higher one is left alone.
const VERSION: u32 = 1;

/// Bytes of [`ending`].
const SUM_BYTES: usize = 26;

#[derive(Serialize, Deserialize)]
struct LogEntry {
    v: u32,
    /// The line's number, from 1.
    seq: u64,
    /// Unix milliseconds.
    at: u64,
    job: String,
    event: Event,
}

/// What the log says, as far as it was read.
pub struct Log {
    path: PathBuf,
    /// Device and inode.
    file: Option<(u64, u64)>,
    /// Bytes of whole lines.
    bytes: u64,
    lines: u64,
    pub jobs: Table,
}

impl Log {
    pub fn new(path: PathBuf) -> Self {
        Self { path, file: None, bytes: 0, lines: 0, jobs: Table::new() }
    }

    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Reads what was added since, or everything when the file is another one.
    ///
    /// # Errors
    /// [`Kind::Damaged`](crate::error::Kind::Damaged) naming file and line; a fault for a newer
    /// version's log.
    pub fn refresh(&mut self) -> Result<()> {
        let what = || format!("cannot read {}", self.path.display());
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => {
                *self = Self::new(std::mem::take(&mut self.path));
                return Ok(());
            }
            Err(e) => return Err(e).or_failed(what),
        };
        let metadata = file.metadata().or_failed(what)?;
        let identity = Some((metadata.dev(), metadata.ino()));
        if self.file == identity && metadata.len() == self.bytes {
            return Ok(());
        }
        let mut text = Vec::new();
        let is_same = self.file == identity && metadata.len() > self.bytes;
        let from = if is_same { self.bytes } else { 0 };
        file.seek(SeekFrom::Start(from))
            .and_then(|_| file.read_to_end(&mut text))
            .or_failed(what)?;
        if !is_same {
            *self = Self { file: identity, ..Self::new(std::mem::take(&mut self.path)) };
        }
        let whole = text.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
        for line in text[..whole].split_inclusive(|b| *b == b'\n') {
            self.take(&line[..line.len() - 1])?;
            self.bytes += line.len() as u64;
        }
        if is_torn(&text[whole..]) { Ok(()) } else { Err(self.bad("is damaged")) }
    }

    fn take(&mut self, text: &[u8]) -> Result<()> {
        let n = self.lines + 1;
        if !is_whole(text) {
            // A newer version may end its lines otherwise.
            let version = serde_json::from_slice(text)
                .ok()
                .and_then(|line: serde_json::Value| line["v"].as_u64());
            if version.is_some_and(|v| v > u64::from(VERSION)) {
                return Err(self.newer());
            }
            return Err(self.bad("fails its checksum"));
        }
        let line: LogEntry = match serde_json::from_slice(text) {
            Ok(line) => line,
            Err(_) if text.starts_with(b"{\"v\":") && !text.starts_with(b"{\"v\":1,") => {
                return Err(self.newer());
            }
            Err(e) => return Err(self.bad("is damaged").because(e)),
        };
        if line.v > VERSION {
            return Err(self.newer());
        }
        if line.seq != n {
            return Err(self.bad("has the number of another one"));
        }
        if !apply(&mut self.jobs, &line.job, line.at, line.event) {
            return Err(self.bad("does not follow from those before it"));
        }
        self.lines = n;
        Ok(())
    }

    /// The line after those that were read.
    fn bad(&self, why: &str) -> Fault {
        Fault::damaged(format!("{}:{}: the line {why}", self.path.display(), self.lines + 1))
            .hint("move the file elsewhere to begin anew; indexes do not depend on it")
    }

    fn newer(&self) -> Fault {
        Fault::failed(format!("{} was written by a newer version of rag", self.path.display()))
            .hint("use that version, or give RAG_JOBS_DIR another folder")
    }

    /// Adds lines at the end, in one write. The caller has the lock and has refreshed. `durable`
    /// waits for the disk.
    pub fn append(&mut self, at: u64, events: Vec<(String, Event)>, durable: bool) -> Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        let what = || format!("cannot write {}", self.path.display());
        let text = rendered(self.lines, at, &events)?;
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&self.path)
            .or_failed(what)?;
        let written = (|| {
            // What a dying process began, or a full disk left.
            if file.metadata()?.len() != self.bytes {
                file.set_len(self.bytes)?;
            }
            file.seek(SeekFrom::Start(self.bytes))?;
            file.write_all(text.as_bytes())?;
            if durable { file.sync_data() } else { Ok(()) }
        })();
        if written.is_err() {
            let _ = file.set_len(self.bytes);
        }
        written.or_failed(what)?;
        if self.file.is_none() {
            let metadata = file.metadata().or_failed(what)?;
            self.file = Some((metadata.dev(), metadata.ino()));
            if durable {
                disk::sync_dir(self.path.parent().unwrap_or(Path::new(".")))?;
            }
        }
        self.bytes += text.len() as u64;
        self.lines += events.len() as u64;
        for (job, event) in events {
            apply(&mut self.jobs, &job, at, event);
        }
        Ok(())
    }

    /// Replaces the file by one line for each job that is left. The caller has the lock.
    pub fn rewrite(&mut self, at: u64) -> Result<()> {
        let mut jobs: Vec<_> = self.jobs.values().cloned().collect();
        jobs.sort_by_key(|job| job.order);
        let events: Vec<_> = jobs
            .into_iter()
            .map(|job| (job.id.clone(), Event::Kept { job: Box::new(job) }))
            .collect();
        disk::replace(&self.path, rendered(0, at, &events)?.as_bytes())?;
        self.file = None;
        self.refresh()
    }
}

/// Whether the checksum at the end of a line is that of what stands before it.
fn is_whole(line: &[u8]) -> bool {
    let (body, sum) = line.split_at(line.len().saturating_sub(SUM_BYTES));
    sum == ending(body).as_bytes()
}

/// Whether this may be what a process left of its last line: the beginning of one, or the zeros
/// that a power cut leaves where nothing had been written yet. A whole line with something else in
/// the place of its newline is neither.
fn is_torn(tail: &[u8]) -> bool {
    const BEGINNING: &[u8] = b"{\"v\":";
    let n = BEGINNING.len().min(tail.len());
    let has_bad_end = tail.split_last().is_some_and(|(_, line)| is_whole(line));
    !has_bad_end && tail[..n] == BEGINNING[..n] || tail.iter().all(|byte| *byte == 0)
}

/// The lines after the first `lines`.
fn rendered(lines: u64, at: u64, events: &[(String, Event)]) -> Result<String> {
    let mut text = String::new();
    for (seq, (job, event)) in (lines + 1..).zip(events) {
        let line = LogEntry { v: VERSION, seq, at, job: job.clone(), event: event.clone() };
        let json = serde_json::to_string(&line)
            .or_failed(|| "cannot write a line of the job log".into())?;
        let body = json.trim_end_matches('\n').strip_suffix('}').unwrap_or(&json);
        text.push_str(&format!("{body}{}\n", ending(body.as_bytes())));
    }
    Ok(text)
}

/// How the line ends that begins with `body`.
fn ending(body: &[u8]) -> String {
    format!(",\"sum\":\"{}\"}}", disk::hex(&Blake::new(8).field(body).finish::<8>()))
}
