//! Reads, extracts and chunks files on all threads, and adds them to the builder in the order of
//! the walk.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{BufReader, Read as _, Seek as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::extractor::Extractor;
use super::request::{Event, Request};
use super::scan::{Scan, kept_version, reader};
use super::turns::{self, Turns};
use crate::disk::{self, Blake, FileVersion};
use crate::document::{Chunk, Format, context_line, embedded_text};
use crate::engine::Engine;
use crate::error::{Fault, Result};
use crate::index::{Builder, ChunkEntry, Failure, IngestStage, Record, State};
use crate::model::Tokenizer;
use crate::telemetry;
use crate::text::{self, Extracted, Limits, NoText};

/// Maximum bytes of files that are read but not yet added. A text takes about four times its size
/// while it is chunked, so this and one file of the maximum size stay well below half a gigabyte.
const IN_FLIGHT_BYTES: u64 = 16 << 20;

/// Maximum files per thread that are read but not yet added; enough to keep all threads busy while
/// one file is slow.
const IN_FLIGHT_FILES: usize = 32;

/// A file that was modified less than this before it is read may change again within the same tick
/// of the file system's clock. Its time is not trusted, and the next ingest reads it again.
const FRESH_NS: i128 = 50_000_000;

/// One file as text.
struct Text {
    title: Option<String>,
    format: Format,
    language: Option<&'static str>,
    chunks: Vec<Chunk>,
    metadata: Vec<(String, String)>,
}

/// The content of a file.
enum ReadOutcome {
    /// Equal to that of the last generation.
    Same,
    Text(Text),
    NoText(NoText),
}

/// A file after reading.
struct Finished {
    size: u64,
    mtime_ns: i64,
    version: FileVersion,
    hash: String,
    content: ReadOutcome,
}

/// A file after reading, or why it failed.
type Reading = std::result::Result<Finished, String>;

/// The task with number `n` is `scan.todo[n]`.
struct Task<'a> {
    n: usize,
    path: String,
    absolute: PathBuf,
    /// It is a page of a web site.
    is_page: bool,
    /// Hash of the content that the base has indexed or skipped.
    before: Option<String>,
    /// Why it is not read, if it is quarantined.
    quarantined: Option<&'a str>,
}

/// Reads files. Shared by the reading threads.
pub struct FileReader<'a> {
    pub engine: &'a Engine,
    pub request: &'a Request,
    pub tokenizer: &'a Tokenizer,
    pub limits: &'a Limits,
}

impl FileReader<'_> {
    /// Reads everything in `scan.todo`, fills in its records and adds the chunks to `builder`.
    pub fn read(
        &self,
        scan: &mut Scan,
        builder: &mut Builder<'_>,
        on_event: &mut dyn FnMut(Event),
    ) -> Result<()> {
        if self.request.sequential {
            let mut extractor = Extractor::new(self.engine);
            for n in 0..scan.todo.len() {
                let task = self.task(scan, n);
                on_event(Event::Reading(Some(task.absolute.to_string_lossy().into_owned())));
                self.take(scan, n, self.caught(&task, &mut extractor), builder, on_event)?;
            }
            on_event(Event::Reading(None));
            return Ok(());
        }
        let threads = self.engine.config.threads;
        let (task_sender, task_receiver) = channel::<Task<'_>>();
        let (done_sender, done_receiver) = channel();
        let tasks = &Mutex::new(task_receiver);
        std::thread::scope(|scope| {
            // Moved in, so that the threads end however this function returns.
            let task_sender = task_sender;
            for _ in 0..threads {
                let done = done_sender.clone();
                scope.spawn(move || self.work(tasks, &done));
            }
            drop(done_sender);

            let died = || Fault::failed("a reading thread has died");
            let (mut sent, mut in_flight) = (0, 0);
            let mut turns = Turns::new(done_receiver, turns::SLOW);
            for n in 0..scan.todo.len() {
                while let Some(next) = scan.todo.get(sent)
                    && (sent == n
                        || (in_flight + next.size <= IN_FLIGHT_BYTES
                            && sent - n < IN_FLIGHT_FILES * threads))
                {
                    in_flight += next.size;
                    task_sender.send(self.task(scan, sent)).map_err(|_| died())?;
                    sent += 1;
                }
                let mut on_slow = |since| {
                    let file = scan.records[scan.todo[n].record].path.clone();
                    on_event(Event::Waiting { file, since });
                };
                let reading = turns.take(n, &mut on_slow).ok_or_else(died)?;
                in_flight -= scan.todo[n].size;
                self.take(scan, n, reading, builder, on_event)?;
            }
            Ok(())
        })
    }

    /// Created when it is sent, as there may be a million.
    fn task(&self, scan: &Scan, n: usize) -> Task<'_> {
        let todo = &scan.todo[n];
        let record = &scan.records[todo.record];
        let absolute = scan.absolute(record);
        let quarantined = self.request.quarantined.get(&*absolute.to_string_lossy());
        let before = todo.before.as_ref().filter(|before| before.state != State::Failed);
        Task {
            n,
            path: record.path.clone(),
            absolute,
            is_page: scan.is_page(record),
            before: before.map(|before| before.hash.clone()),
            quarantined: quarantined.map(String::as_str),
        }
    }

    /// Adds one file to the builder and reports the progress.
    fn take(
        &self,
        scan: &mut Scan,
        n: usize,
        reading: Reading,
        builder: &mut Builder<'_>,
        on_event: &mut dyn FnMut(Event),
    ) -> Result<()> {
        if self.engine.interrupted() {
            return Err(Fault::interrupted());
        }
        let before = scan.todo[n].before.take();
        let record = &mut scan.records[scan.todo[n].record];
        if let Some(reason) = add(builder, record, before, reading)? {
            scan.failed.push((record.root, record.path.clone(), reason));
        }
        let total = scan.todo.len() as u64;
        on_event(Event::Progress { stage: IngestStage::Bm25, done: n as u64 + 1, total });
        Ok(())
    }

    fn work(&self, tasks: &Mutex<Receiver<Task<'_>>>, done: &Sender<(usize, Reading)>) {
        let mut extractor = Extractor::new(self.engine);
        loop {
            let task = match tasks.lock() {
                Ok(tasks) => tasks.recv(),
                Err(_) => return,
            };
            let Ok(task) = task else { return };
            if done.send((task.n, self.caught(&task, &mut extractor))).is_err() {
                return;
            }
        }
    }

    /// Reads a file; a panic of a parser is a failure of this file only.
    fn caught(&self, task: &Task<'_>, extractor: &mut Extractor<'_>) -> Reading {
        if let Some(reason) = task.quarantined {
            return Err(reason.to_owned());
        }
        let caught =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.finish(task, extractor)));
        caught.unwrap_or_else(|_| Err("reading it failed because of a bug in rag".to_owned()))
    }

    fn finish(&self, task: &Task<'_>, extractor: &mut Extractor<'_>) -> Reading {
        let content = Content::open(&task.absolute)?;
        if content.is_long_mailbox(self.engine.config.max_file_bytes) {
            return self.finish_mailbox(task, &content, extractor);
        }
        let bytes = content.read(self.engine.config.max_file_bytes)?;
        telemetry::trace!(bytes = bytes.len(), "file read");
        let hash = disk::hex(&Blake::new(32).field(&bytes).finish::<32>());
        let is_same = task.before.as_ref() == Some(&hash);
        let size = bytes.len() as u64;
        let mtime_ns = content.trusted_mtime_ns(self.engine, size)?;
        let outcome = match is_same {
            true => ReadOutcome::Same,
            false => self.text(task, bytes, extractor),
        };
        Ok(Finished { size, mtime_ns, version: content.version(), hash, content: outcome })
    }

    /// As [`FileReader::finish`], for a mailbox that is never whole in memory.
    fn finish_mailbox(
        &self,
        task: &Task<'_>,
        content: &Content,
        extractor: &mut Extractor<'_>,
    ) -> Reading {
        let (size, hash) = content.hash(&|| self.engine.interrupted())?;
        let outcome = match task.before.as_ref() == Some(&hash) {
            true => ReadOutcome::Same,
            false => match self.mailbox(task, content, extractor)? {
                Ok(extracted) => self.passages(extracted, &[]),
                Err(none) => ReadOutcome::NoText(none),
            },
        };
        let mtime_ns = content.trusted_mtime_ns(self.engine, size)?;
        Ok(Finished { size, mtime_ns, version: content.version(), hash, content: outcome })
    }

    fn mailbox(
        &self,
        task: &Task<'_>,
        content: &Content,
        extractor: &mut Extractor<'_>,
    ) -> std::result::Result<std::result::Result<Extracted, NoText>, String> {
        let most = usize::try_from(self.engine.config.max_file_bytes).unwrap_or(usize::MAX);
        let input = BufReader::new(content.from_start()?);
        let mut mailbox = text::Mailbox::default();
        for batch in text::Batches::new(input, most, MAILBOX_BATCH_BYTES) {
            let batch = batch.map_err(|e| reason(&e))?;
            match extractor.messages(&task.path, &batch) {
                Ok(found) => {
                    if !mailbox.add(found) {
                        break;
                    }
                }
                Err(none) if none.is_failure() => return Ok(Err(none)),
                // Messages without words.
                Err(_) => {}
            }
        }
        Ok(mailbox.finish())
    }

    fn text(&self, task: &Task<'_>, bytes: Vec<u8>, extractor: &mut Extractor<'_>) -> ReadOutcome {
        // The file of a page has the extension of its format, which its address may lack.
        let file = task.absolute.file_name().and_then(|name| name.to_str());
        let path = file.filter(|_| task.is_page).unwrap_or(&task.path);
        let mut extracted = match extractor.extract(path, &bytes) {
            Ok(extracted) => extracted,
            Err(none) => return ReadOutcome::NoText(none),
        };
        // The path says what code and records are about.
        if extracted.title.is_none()
            && matches!(
                extracted.format,
                Format::Code | Format::Json | Format::JsonLines | Format::Csv
            )
        {
            extracted.title = Some(task.path.clone());
        }
        // Only of a text do passages have the bytes of the file itself.
        let source = if text::is_risky(path, &bytes) { Vec::new() } else { bytes };
        self.passages(extracted, &source)
    }

    /// The passages of a text. `source` is the file, where passages have its bytes.
    fn passages(&self, extracted: Extracted, source: &[u8]) -> ReadOutcome {
        let count = |text: &str| self.tokenizer.count(text);
        let stated = text::stated(&extracted, source, self.limits, &count);
        let mut chunks = text::chunk(&extracted, self.limits, &count);
        if chunks.is_empty() {
            return ReadOutcome::NoText(NoText::Empty);
        }
        chunks.splice(0..0, stated);
        let language = text::language_of(&extracted);
        let Extracted { title, format, metadata, .. } = extracted;
        ReadOutcome::Text(Text { title, format, language, chunks, metadata })
    }
}

/// Adds one file to the builder and fills in its record. When the last version is kept, returns the
/// reason.
fn add(
    builder: &mut Builder<'_>,
    record: &mut Record,
    before: Option<Box<Record>>,
    reading: Reading,
) -> Result<Option<String>> {
    let was_indexed = before.as_ref().is_some_and(|before| before.state == State::Indexed);
    let finished = match (reading, before) {
        (Err(reason), Some(before)) if was_indexed => {
            // Without its time, so that the next ingest tries again.
            *record = Record { mtime_ns: 0, failure: None, ..*before };
            return Ok(Some(kept_version(&reason)));
        }
        (Err(reason), _) => {
            record.reason = Some(reason);
            return Ok(None);
        }
        (
            Ok(Finished { content: ReadOutcome::Same, size, mtime_ns, version, .. }),
            Some(before),
        ) => {
            let modified_s = record.modified_s;
            *record = Record { size, mtime_ns, version, modified_s, failure: None, ..*before };
            return Ok(None);
        }
        (
            Ok(Finished { content: ReadOutcome::NoText(none), size, mtime_ns, version, .. }),
            before,
        ) if none.is_failure() => {
            let kept = before.filter(|_| was_indexed);
            record.version = version;
            return Ok(fail(record, kept, &none, size, mtime_ns));
        }
        (Ok(finished), _) => finished,
    };
    if was_indexed {
        builder.remove(record.root, &record.path)?;
    }
    (record.size, record.mtime_ns, record.hash) = (finished.size, finished.mtime_ns, finished.hash);
    record.version = finished.version;
    match finished.content {
        ReadOutcome::Text(text) => index(builder, record, text)?,
        ReadOutcome::NoText(none) => {
            (record.state, record.reason) = (State::Skipped, Some(none.text().into_owned()));
            record.advice = none.advice().map(str::to_owned);
        }
        ReadOutcome::Same => {
            return Err(Fault::failed(format!("{} has no earlier version", record.path)));
        }
    }
    Ok(None)
}

/// Fills in the record of a file that could not be read. When its last version is `kept`, returns
/// the reason.
fn fail(
    record: &mut Record,
    kept: Option<Box<Record>>,
    none: &NoText,
    size: u64,
    mtime_ns: i64,
) -> Option<String> {
    let reason = none.text().into_owned();
    // Without a trusted time a later version cannot be distinguished from this one.
    let version = record.version;
    let failure = (none.is_lasting() && mtime_ns != 0).then(|| {
        Box::new(Failure { reader: reader(), size, mtime_ns, version, reason: reason.clone() })
    });
    if let Some(before) = kept {
        *record = Record { mtime_ns: 0, failure, ..*before };
        return Some(kept_version(&reason));
    }
    record.failure = failure;
    (record.reason, record.advice) = (Some(reason), none.advice().map(str::to_owned));
    None
}

/// Adds the chunks of a text to the builder.
fn index(builder: &mut Builder<'_>, record: &mut Record, text: Text) -> Result<()> {
    for chunk in &text.chunks {
        let embedded =
            embedded_text(&context_line(text.title.as_deref(), &chunk.heading), &chunk.text);
        let entry = ChunkEntry {
            root: record.root,
            path: &record.path,
            title: text.title.as_deref(),
            language: text.language,
            chunk,
            row: 0,
        };
        let terms = builder.add(entry, &embedded)?;
        record.terms.iter_mut().zip(terms).for_each(|(sum, n)| *sum += n);
    }
    record.state = State::Indexed;
    record.chunks = text.chunks.len() as u64;
    record.format = Some(text.format.name().into());
    record.language = text.language.map(Into::into);
    record.meta.clear();
    for (key, value) in text.metadata {
        record.meta.entry(key).or_default().push(value);
    }
    Ok(())
}

/// Bytes of messages of a mailbox that are read at once. A longer mailbox is never whole in memory.
const MAILBOX_BATCH_BYTES: usize = 4 << 20;

/// Bytes that are hashed at once.
const HASHED_BYTES: usize = 1 << 20;

/// An open file, as it was before it was read.
struct Content {
    file: File,
    before: Metadata,
}

impl Content {
    fn open(path: &Path) -> std::result::Result<Self, String> {
        // Since the walk the name may have become a symlink, which must not be followed, or a FIFO,
        // which must not block.
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let flags = i32::try_from(flags.bits()).unwrap_or_default();
        let behind = text::mounted(path).map(|(file, _)| file);
        let path = behind.as_deref().unwrap_or(path);
        let file =
            OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(|e| reason(&e))?;
        let before = file.metadata().map_err(|e| reason(&e))?;
        if !before.is_file() {
            return Err("no longer a regular file".to_owned());
        }
        Ok(Self { file, before })
    }

    fn version(&self) -> FileVersion {
        FileVersion::of(&self.before)
    }

    /// Whether it is a mailbox of more than a batch, or of more bytes than other files may have.
    fn is_long_mailbox(&self, max_bytes: u64) -> bool {
        let mut head = [0; 512];
        self.before.len() > max_bytes.min(MAILBOX_BATCH_BYTES as u64) && {
            let n = self.file.read_at(&mut head, 0).unwrap_or(0);
            text::begins_like_mailbox(&head[..n])
        }
    }

    /// The whole file.
    fn read(&self, max_bytes: u64) -> std::result::Result<Vec<u8>, String> {
        let size = self.before.len();
        if size > max_bytes {
            return Err(format!("{size} bytes, more than ingest.max_file_bytes = {max_bytes}"));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
        (&self.file).take(max_bytes + 1).read_to_end(&mut bytes).map_err(|e| reason(&e))?;
        if bytes.len() as u64 > max_bytes {
            return Err(format!(
                "it grew beyond ingest.max_file_bytes = {max_bytes} while being read"
            ));
        }
        Ok(bytes)
    }

    fn from_start(&self) -> std::result::Result<&File, String> {
        (&self.file).rewind().map_err(|e| reason(&e))?;
        Ok(&self.file)
    }

    /// The number of bytes and their hash.
    fn hash(&self, stop: &dyn Fn() -> bool) -> std::result::Result<(u64, String), String> {
        let file = self.from_start()?;
        let (mut hash, mut size, mut piece) = (Blake::new(32), 0, Vec::new());
        while !stop() {
            piece.clear();
            let n =
                file.take(HASHED_BYTES as u64).read_to_end(&mut piece).map_err(|e| reason(&e))?;
            if n == 0 {
                break;
            }
            hash.add(&piece);
            size += n as u64;
        }
        Ok((size, disk::hex(&hash.finish::<32>())))
    }

    /// The modification time, or 0 when the file may have changed since without another one, after
    /// `n_read` of its bytes were read.
    fn trusted_mtime_ns(&self, engine: &Engine, n_read: u64) -> std::result::Result<i64, String> {
        let after = self.file.metadata().map_err(|e| reason(&e))?;
        let stamp = |m: &Metadata| (m.len(), m.mtime(), m.mtime_nsec());
        let has_changed = stamp(&self.before) != stamp(&after) || n_read != after.len();
        let before = &self.before;
        let mtime_ns =
            before.mtime().saturating_mul(1_000_000_000).saturating_add(before.mtime_nsec());
        let now = i128::try_from(engine.now().as_nanos()).unwrap_or(i128::MAX);
        let is_fresh = now - i128::from(mtime_ns) < FRESH_NS;
        Ok(if is_fresh || has_changed { 0 } else { mtime_ns })
    }
}

fn reason(e: &std::io::Error) -> String {
    match e.kind() {
        std::io::ErrorKind::NotFound => "it vanished while being read".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => e.to_string(),
    }
}
