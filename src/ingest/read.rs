//! Reading, extracting and chunking files on all threads; adding them to the build in the order of
//! the walk.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::extractor::Extractor;
use super::scan::{Scan, kept_version, reader};
use super::turns::{self, Turns};
use super::{Event, IngestStage, Request};
use crate::disk::{self, Blake};
use crate::document::{Chunk, Format, context_line, embedded_text};
use crate::engine::Engine;
use crate::error::{Fault, Result};
use crate::index::{Builder, ChunkEntry, Failure, Record, State};
use crate::model::Tokenizer;
use crate::telemetry;
use crate::text::{self, Extracted, Limits, NoText};

/// Bytes of files that may be read but not yet added. A text takes about four times its size while
/// it is chunked, so that this and one file of the largest size stay well below half a gigabyte.
const IN_FLIGHT_BYTES: u64 = 16 << 20;

/// Files that may be read but not yet added, for each thread; enough to keep all busy beside one
/// slow file.
const IN_FLIGHT_FILES: usize = 32;

/// A file whose modification time is younger than this when it is read may change again within the
/// same tick of the file system's clock, so its time is not trusted and it is read again by the
/// next ingest.
const FRESH_NS: i128 = 50_000_000;

/// One file as text.
struct Text {
    title: Option<String>,
    format: Format,
    language: Option<&'static str>,
    chunks: Vec<Chunk>,
    metadata: Vec<(String, String)>,
}

/// What reading a file gave.
enum ReadOutcome {
    /// Same content as before.
    Same,
    Text(Text),
    NoText(NoText),
}

/// A file after reading.
struct Finished {
    size: u64,
    mtime_ns: i64,
    hash: String,
    found: ReadOutcome,
}

struct Task<'a> {
    n: usize,
    path: String,
    absolute: PathBuf,
    /// Hash of the content that the base has indexed or skipped.
    before: Option<String>,
    /// Why it is not to be read.
    set_aside: Option<&'a str>,
}

/// Reads everything in `scan.todo`, fills in its records and adds the chunks to `builder`.
pub fn read(
    engine: &Engine,
    request: &Request,
    scan: &mut Scan,
    tokenizer: &Tokenizer,
    limits: &Limits,
    builder: &mut Builder<'_>,
    on_event: &mut dyn FnMut(Event),
) -> Result<()> {
    let reader = FileReader { engine, tokenizer, limits };
    let n_todo = scan.todo.len();
    // Made when it is its turn, as there may be a million.
    let task = |scan: &Scan, n: usize| {
        let (todo, record) = (&scan.todo[n], &scan.records[scan.todo[n].record]);
        let absolute = scan.absolute(record);
        let set_aside = request.set_aside.get(&*absolute.to_string_lossy()).map(String::as_str);
        let before = todo.before.as_ref().filter(|before| before.state != State::Failed);
        Task {
            n,
            path: record.path.clone(),
            absolute,
            before: before.map(|before| before.hash.clone()),
            set_aside,
        }
    };
    let mut take = |scan: &mut Scan, n: usize, finished, on_event: &mut dyn FnMut(Event)| {
        if engine.interrupted() {
            return Err(Fault::interrupted());
        }
        let before = scan.todo[n].before.take();
        let record = &mut scan.records[scan.todo[n].record];
        if let Some(reason) = add(builder, record, before, finished)? {
            scan.failed.push((record.root, record.path.clone(), reason));
        }
        on_event(Event::Progress {
            stage: IngestStage::Bm25,
            done: n as u64 + 1,
            total: n_todo as u64,
        });
        Ok(())
    };
    if request.careful {
        let mut extractor = Extractor::new(engine);
        for n in 0..n_todo {
            let task = task(scan, n);
            on_event(Event::Reading(Some(task.absolute.to_string_lossy().into_owned())));
            take(scan, n, reader.caught(&task, &mut extractor), on_event)?;
        }
        on_event(Event::Reading(None));
        return Ok(());
    }
    let (task_sender, task_receiver) = channel::<Task<'_>>();
    let (done_sender, done_receiver) = channel();
    let tasks = &Mutex::new(task_receiver);
    std::thread::scope(|scope| {
        // Moved in, so that the readers see the end of their work however this ends.
        let task_sender = task_sender;
        for _ in 0..engine.config.threads {
            let (reader, done) = (&reader, done_sender.clone());
            scope.spawn(move || reader.work(tasks, &done));
        }
        drop(done_sender);

        let (mut sent, mut in_flight) = (0, 0);
        let mut turns = Turns::new(done_receiver, turns::SLOW);
        for n in 0..n_todo {
            while sent < n_todo
                && (sent == n
                    || (in_flight + scan.todo[sent].size <= IN_FLIGHT_BYTES
                        && sent - n < IN_FLIGHT_FILES * engine.config.threads))
            {
                in_flight += scan.todo[sent].size;
                task_sender
                    .send(task(scan, sent))
                    .map_err(|_| Fault::failed("a reading thread has died"))?;
                sent += 1;
            }
            let mut on_slow = |since| {
                let file = scan.records[scan.todo[n].record].path.clone();
                on_event(Event::Waiting { file, since });
            };
            let finished = turns.take(n, &mut on_slow);
            let finished = finished.ok_or_else(|| Fault::failed("a reading thread has died"))?;
            in_flight -= scan.todo[n].size;
            take(scan, n, finished, on_event)?;
        }
        Ok(())
    })
}

/// Puts one file into the build and fills in its record. Yields why an older version was kept, if
/// one was.
fn add(
    builder: &mut Builder<'_>,
    record: &mut Record,
    before: Option<Box<Record>>,
    finished: std::result::Result<Finished, String>,
) -> Result<Option<String>> {
    let was_indexed = before.as_ref().is_some_and(|before| before.state == State::Indexed);
    let finished = match (finished, before) {
        (Err(reason), Some(before)) if was_indexed => {
            // Its time is not taken over, so that the next ingest tries again.
            *record = Record { mtime_ns: 0, failure: None, ..*before };
            return Ok(Some(kept_version(&reason)));
        }
        (Err(reason), _) => {
            record.reason = Some(reason);
            return Ok(None);
        }
        (Ok(Finished { found: ReadOutcome::Same, size, mtime_ns, .. }), Some(before)) => {
            *record =
                Record { size, mtime_ns, modified_s: record.modified_s, failure: None, ..*before };
            return Ok(None);
        }
        // A file that broke a limit is one that could not be read.
        (Ok(Finished { found: ReadOutcome::NoText(none), size, mtime_ns, .. }), before)
            if none.is_failure() =>
        {
            let reason = none.text().into_owned();
            // A time that is too fresh to be trusted tells no file from another.
            let failure = (none.is_lasting() && mtime_ns != 0).then(|| {
                Box::new(Failure { reader: reader(), size, mtime_ns, reason: reason.clone() })
            });
            if let Some(before) = before.filter(|_| was_indexed) {
                *record = Record { mtime_ns: 0, failure, ..*before };
                return Ok(Some(kept_version(&reason)));
            }
            record.failure = failure;
            (record.reason, record.advice) = (Some(reason), none.advice().map(str::to_owned));
            return Ok(None);
        }
        (Ok(finished), _) => finished,
    };
    if was_indexed {
        builder.remove(record.root, &record.path)?;
    }
    (record.size, record.mtime_ns, record.hash) = (finished.size, finished.mtime_ns, finished.hash);
    let text = match finished.found {
        ReadOutcome::Text(text) => text,
        ReadOutcome::NoText(none) => {
            (record.state, record.reason) = (State::Skipped, Some(none.text().into_owned()));
            record.advice = none.advice().map(str::to_owned);
            return Ok(None);
        }
        ReadOutcome::Same => {
            return Err(Fault::failed(format!("{} is the same as nothing", record.path)));
        }
    };
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
    Ok(None)
}

/// What a reading thread needs.
struct FileReader<'a> {
    engine: &'a Engine,
    tokenizer: &'a Tokenizer,
    limits: &'a Limits,
}

impl FileReader<'_> {
    fn work(
        &self,
        tasks: &Mutex<Receiver<Task<'_>>>,
        done: &Sender<(usize, std::result::Result<Finished, String>)>,
    ) {
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

    /// One file that trips a parser must not stop the others.
    fn caught(
        &self,
        task: &Task<'_>,
        extractor: &mut Extractor<'_>,
    ) -> std::result::Result<Finished, String> {
        if let Some(reason) = task.set_aside {
            return Err(reason.to_owned());
        }
        let caught =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.finish(task, extractor)));
        caught.unwrap_or_else(|_| Err("reading it failed inside rag, which is a bug".to_owned()))
    }

    fn finish(
        &self,
        task: &Task<'_>,
        extractor: &mut Extractor<'_>,
    ) -> std::result::Result<Finished, String> {
        let content = Content::read(&task.absolute, self.engine.config.max_file_bytes)?;
        telemetry::trace!(bytes = content.bytes.len(), "file read");
        let mut finished = Finished {
            size: content.bytes.len() as u64,
            mtime_ns: content.trusted_mtime_ns(self.engine),
            hash: disk::hex(&Blake::new(32).field(&content.bytes).finish::<32>()),
            found: ReadOutcome::Same,
        };
        if task.before.as_ref() != Some(&finished.hash) {
            finished.found = self.text(&task.path, content.bytes, extractor);
        }
        Ok(finished)
    }

    fn text(&self, path: &str, bytes: Vec<u8>, extractor: &mut Extractor<'_>) -> ReadOutcome {
        let mut extracted = match extractor.extract(path, &bytes) {
            Ok(extracted) => extracted,
            Err(none) => return ReadOutcome::NoText(none),
        };
        drop(bytes);
        // Code says what it is by where it stands.
        if extracted.title.is_none()
            && matches!(
                extracted.format,
                Format::Code | Format::Json | Format::JsonLines | Format::Csv
            )
        {
            extracted.title = Some(path.to_owned());
        }
        let chunks = text::chunk(&extracted, self.limits, &|text| self.tokenizer.count(text));
        if chunks.is_empty() {
            return ReadOutcome::NoText(NoText::Empty);
        }
        let language = text::language_of(&extracted);
        let Extracted { title, format, metadata, .. } = extracted;
        ReadOutcome::Text(Text { title, format, language, chunks, metadata })
    }
}

/// A file's bytes and what `fstat` said before and after.
struct Content {
    bytes: Vec<u8>,
    mtime_ns: i64,
    changed_meanwhile: bool,
}

impl Content {
    fn read(path: &Path, max_bytes: u64) -> std::result::Result<Self, String> {
        let words = |e: std::io::Error| match e.kind() {
            std::io::ErrorKind::NotFound => "it vanished while being read".to_owned(),
            std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
            _ => e.to_string(),
        };
        // Between the walk and now the name may have become a link or a FIFO, which must neither be
        // followed nor block.
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let flags = i32::try_from(flags.bits()).unwrap_or_default();
        let behind = text::mounted(path).map(|(file, _)| file);
        let path = behind.as_deref().unwrap_or(path);
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(words)?;
        let before = file.metadata().map_err(words)?;
        if !before.is_file() {
            return Err("not a regular file any more".to_owned());
        }
        if before.len() > max_bytes {
            return Err(format!(
                "{} bytes, more than ingest.max_file_bytes = {max_bytes}",
                before.len()
            ));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(before.len()).unwrap_or_default());
        let read =
            File::take(file.try_clone().map_err(words)?, max_bytes + 1).read_to_end(&mut bytes);
        read.map_err(words)?;
        if bytes.len() as u64 > max_bytes {
            return Err(format!(
                "it grew beyond ingest.max_file_bytes = {max_bytes} while being read"
            ));
        }
        let after = file.metadata().map_err(words)?;
        let stamp = |m: &std::fs::Metadata| (m.len(), m.mtime(), m.mtime_nsec());
        let changed_meanwhile =
            stamp(&before) != stamp(&after) || bytes.len() as u64 != after.len();
        let mtime_ns =
            before.mtime().saturating_mul(1_000_000_000).saturating_add(before.mtime_nsec());
        Ok(Self { bytes, mtime_ns, changed_meanwhile })
    }

    fn trusted_mtime_ns(&self, engine: &Engine) -> i64 {
        let now = i128::try_from(engine.now().as_nanos()).unwrap_or(i128::MAX);
        let is_fresh = now - i128::from(self.mtime_ns) < FRESH_NS;
        if is_fresh || self.changed_meanwhile { 0 } else { self.mtime_ns }
    }
}
