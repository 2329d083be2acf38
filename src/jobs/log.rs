//! `jobs.jsonl`: one line per event, each with its number and a checksum.
//!
//! One write at the end of the file adds lines, under the lock. An incomplete line of a dead
//! process has no newline; it is ignored and overwritten by the next one. Anything else that is
//! wrong is damage.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::job::{Event, Job, Table, apply};
use crate::disk::{self, Blake, FileId};
use crate::error::{Context as _, Fault, Result};

/// Whether a write waits for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    Synced,
    /// The write survives the process, but not a power cut.
    Buffered,
}

/// Version of the lines. A log with a higher one is not touched.
const VERSION: u32 = 1;

/// Length of [`ending`] in bytes.
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

/// The jobs of a log, as far as it was read.
pub struct Log {
    path: PathBuf,
    file: Option<FileId>,
    /// Bytes of complete lines.
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

    /// The job with this id, or the only one whose id begins with it.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::error::Kind::Usage) when there is none, or more than one.
    pub fn find(&self, id: &str) -> Result<&Job> {
        if let Some(job) = self.jobs.get(id) {
            return Ok(job);
        }
        let mut found = self.jobs.values().filter(|job| !id.is_empty() && job.id.starts_with(id));
        match (found.next(), found.next()) {
            (Some(job), None) => Ok(job),
            (Some(_), Some(_)) => {
                Err(Fault::usage(format!("more than one job begins with `{id}`")))
            }
            (None, _) => Err(Fault::usage(format!("there is no job `{id}`"))
                .hint("`rag jobs list` shows all jobs")),
        }
    }

    /// Reads what was added since the last call, or everything when the file was replaced.
    ///
    /// # Errors
    /// [`Kind::Damaged`](crate::error::Kind::Damaged) naming file and line; a fault for a newer
    /// version's log.
    pub fn refresh(&mut self) -> Result<()> {
        let what = || format!("cannot read {}", self.path.display());
        let Some(mut file) = disk::if_exists(File::open(&self.path)).or_failed(what)? else {
            *self = Self::new(std::mem::take(&mut self.path));
            return Ok(());
        };
        let metadata = file.metadata().or_failed(what)?;
        let identity = Some(disk::id_of(&metadata));
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
            // A newer version may end its lines differently.
            let line: Value = serde_json::from_slice(text).unwrap_or_default();
            return Err(match line["v"].as_u64() {
                Some(v) if v > u64::from(VERSION) => self.newer(),
                _ => self.bad("fails its checksum"),
            });
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
            return Err(self.bad("has a wrong number"));
        }
        if !apply(&mut self.jobs, &line.job, line.at, line.event) {
            return Err(self.bad("contradicts the lines before it"));
        }
        self.lines = n;
        Ok(())
    }

    /// A fault about the line after those that were read.
    fn bad(&self, why: &str) -> Fault {
        Fault::damaged(format!("{}:{}: the line {why}", self.path.display(), self.lines + 1))
            .hint("move the file elsewhere to start a new log; indexes do not depend on it")
    }

    fn newer(&self) -> Fault {
        Fault::failed(format!("{} was written by a newer version of rag", self.path.display()))
            .hint("use that version, or set RAG_JOBS_DIR to another folder")
    }

    /// Adds lines at the end, in one write. The caller has the lock and has refreshed.
    pub fn append(
        &mut self,
        at: u64,
        events: Vec<(String, Event)>,
        durability: Durability,
    ) -> Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        let what = || format!("cannot write {}", self.path.display());
        let text = rendered(self.lines, at, &events)?;
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(&self.path).or_failed(what)?;
        let written = write_at(&mut file, self.bytes, &text, durability);
        if written.is_err() {
            let _ = file.set_len(self.bytes);
        }
        written.or_failed(what)?;
        if self.file.is_none() {
            self.file = Some(disk::id_of(&file.metadata().or_failed(what)?));
            if durability == Durability::Synced {
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

    /// All jobs, in the order of submission.
    pub fn sorted(&self) -> Vec<Job> {
        let mut jobs: Vec<Job> = self.jobs.values().cloned().collect();
        jobs.sort_by_key(|job| job.order);
        jobs
    }

    /// Replaces the file by one line per job. The caller has the lock.
    pub fn rewrite(&mut self, at: u64) -> Result<()> {
        let kept = |job: Job| (job.id.clone(), Event::Kept { job: Box::new(job) });
        let events: Vec<_> = self.sorted().into_iter().map(kept).collect();
        disk::replace(&self.path, rendered(0, at, &events)?.as_bytes())?;
        self.file = None;
        self.refresh()
    }
}

/// Writes text at an offset, in place of what a dead process or a full disk left there.
fn write_at(
    file: &mut File,
    offset: u64,
    text: &str,
    durability: Durability,
) -> std::io::Result<()> {
    if file.metadata()?.len() != offset {
        file.set_len(offset)?;
    }
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(text.as_bytes())?;
    match durability {
        Durability::Synced => file.sync_data(),
        Durability::Buffered => Ok(()),
    }
}

/// Whether a line ends with the checksum of what precedes it.
fn is_whole(line: &[u8]) -> bool {
    let (body, sum) = line.split_at(line.len().saturating_sub(SUM_BYTES));
    sum == ending(body).as_bytes()
}

/// Whether this can be the incomplete last line of a dead process: the beginning of a line, or the
/// zeros that a power cut leaves in unwritten space. A complete line with a wrong byte in place of
/// its newline is neither.
fn is_torn(tail: &[u8]) -> bool {
    const BEGINNING: &[u8] = b"{\"v\":";
    let n = BEGINNING.len().min(tail.len());
    let has_bad_end = tail.split_last().is_some_and(|(_, line)| is_whole(line));
    !has_bad_end && tail[..n] == BEGINNING[..n] || tail.iter().all(|byte| *byte == 0)
}

/// The text of lines that follow the first `lines`.
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

/// The end of a line that begins with `body`.
fn ending(body: &[u8]) -> String {
    format!(",\"sum\":\"{}\"}}", disk::hex(&Blake::new(8).field(body).finish::<8>()))
}
