//! A job done: in this process at once, or by a worker in the background.
//!
//! A worker runs each job in a process of its own, so that one that is killed takes nothing with it
//! but a try. What the next try need not do again is in the embedding cache.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::disk;
use crate::engine::Engine;
use crate::error::{Context as _, Fault, Kind, Result};
use crate::index::{Estimator, IngestStage, Status};
use crate::ingest::{self, Event, Report, Request};
use crate::jobs::{
    Claimed, Durability, End, FILE_TRIES, IngestSpec, Next, Progress, Reason, Spec, Work,
};

/// How often a running job's progress is written down and a wish to cancel it is looked for.
const PULSE: Duration = Duration::from_millis(250);

/// Progress that is this small a share of the whole is written down only after [`LIFE_SIGN`], so
/// that the log of a long job stays short.
const WORTH_A_LINE: f64 = 0.001;
const LIFE_SIGN: Duration = Duration::from_secs(30);

/// How often the running job tells how far it is.
const TELL: Duration = Duration::from_millis(100);

/// A log of workers that is larger is begun anew.
const WORKER_LOG_BYTES: u64 = 1 << 20;

/// How far a worker in the background steps back for whoever waits for an answer. An ingest keeps
/// every core busy.
const NICENESS: i32 = 10;

/// Files of a kind that a job remembers by name: those that failed, and those that left the index.
const NAMES_KEPT: usize = 100;

/// Ingests here and now, as a job of its own, and yields its id.
///
/// # Errors
/// Those of [`ingest::run`]; and when the log cannot be written, before anything is done or after
/// all is.
pub fn ingest_here(
    engine: &Engine,
    spec: IngestSpec,
    on_event: &mut dyn FnMut(Event),
) -> Result<(String, Report)> {
    let spec = with_folders(engine, spec)?;
    let request = request_of(&spec);
    ingest::check(engine, &request)?;
    // Nobody expects that a command goes on in the background after it has failed.
    let spec = Spec { max_attempts: 1, ..Spec::new(Work::Ingest(spec)) };
    let claimed = engine.jobs.begin(spec, engine.now_ms())?;
    let id = claimed.id().to_owned();
    let report = perform(engine, claimed, &request, End::Cancelled, on_event)?;
    engine.jobs.tidy(keep_from(engine), engine.now_ms())?;
    Ok((id, report))
}

/// Queues an ingest for the workers, on disk before this returns, and yields its id.
///
/// # Errors
/// What no later try would mend is found at once, by [`ingest::check`].
pub fn submit(engine: &Engine, spec: Spec) -> Result<String> {
    let Work::Ingest(ingest) = spec.work;
    let ingest = with_folders(engine, ingest)?;
    ingest::check(engine, &request_of(&ingest))?;
    engine.jobs.submit(Spec { work: Work::Ingest(ingest), ..spec }, engine.now_ms())
}

/// The spec with the folders of its index where it names none.
///
/// # Errors
/// A usage fault when there is no such index, or it has no folder.
pub fn with_folders(engine: &Engine, spec: IngestSpec) -> Result<IngestSpec> {
    if !spec.dirs.is_empty() {
        return Ok(spec);
    }
    let mut config = engine.config.clone();
    config.index.clone_from(&spec.index);
    let known = ingest::known_roots(&engine.with(config)).map_err(|fault| match fault.kind() {
        Kind::Damaged => fault.hint(
            "which folders the index has is lost with it: name all of them with `rag ingest --only \
             DIR`, which builds the \
             index afresh",
        ),
        _ => fault,
    })?;
    if known.is_empty() {
        let name = &spec.index;
        return Err(Fault::usage(format!(
            "there is no index named `{name}` whose folders could be brought up to date"
        ))
        .hint("name a folder to make it of: `rag ingest DIR`"));
    }
    let dirs = known.iter().map(|root| root.real.clone()).collect();
    let names = known.into_iter().map(|root| (root.real, root.given)).collect();
    Ok(IngestSpec { dirs, names, ..spec })
}

/// Jobs that ended before this are forgotten, in Unix milliseconds.
pub fn keep_from(engine: &Engine) -> u64 {
    engine.now_ms().saturating_sub(engine.config.jobs_keep_hours.saturating_mul(3_600_000))
}

/// Starts a worker that outlives this process; it ends at once where there are as many as may be.
pub fn start_worker(engine: &Engine) -> Result<()> {
    disk::create_dir(&engine.config.jobs_dir)?;
    let path = engine.config.jobs_dir.join("worker.log");
    let what = || format!("cannot write {}", path.display());
    let is_large = path.metadata().is_ok_and(|metadata| metadata.len() > WORKER_LOG_BYTES);
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(0o600);
    let log = options.open(&path).or_failed(what)?;
    if is_large {
        log.set_len(0).or_failed(what)?;
    }
    let mut command = worker(engine, "--detached")?;
    command.stdin(Stdio::null()).stdout(log.try_clone().or_failed(what)?).stderr(log);
    // Nobody waits for it: it ends after this process, or is nobody's child for a moment.
    command.spawn().or_failed(|| "cannot start a worker".into()).map(drop)
}

/// `rag jobs run` with a flag.
fn worker(engine: &Engine, flag: &str) -> Result<Command> {
    let program = std::env::current_exe().or_failed(|| "cannot find the program itself".into())?;
    let mut command = Command::new(program);
    command.args(["jobs", "run", flag, "--data-dir"]).arg(&engine.config.data_dir);
    Ok(command)
}

/// Runs jobs, each in a process of its own, until none is left; at once back where there are
/// workers enough.
pub fn run_all(engine: &Engine) -> Result<()> {
    let Some(mut slot) = engine.jobs.enter(engine.config.max_workers)? else { return Ok(()) };
    // Where that is not allowed, things are only slower.
    let _ = rustix::process::nice(NICENESS);
    engine.jobs.clean(keep_from(engine), engine.now_ms())?;
    loop {
        if engine.interrupted() {
            return Err(Fault::interrupted());
        }
        match engine.jobs.peek(engine.now_ms(), engine.config.max_workers)? {
            Next::Ready(_) => run_apart(engine)?,
            Next::Later(ms) => {
                std::thread::park_timeout(
                    ms.map_or(PULSE, |ms| Duration::from_millis(ms).min(PULSE)),
                );
            }
            Next::Nothing => match engine.jobs.leave(slot, engine.now_ms())? {
                None => return Ok(()),
                Some(kept) => slot = kept,
            },
        }
    }
}

/// The next job in a child process.
fn run_apart(engine: &Engine) -> Result<()> {
    let before = engine.jobs.events()?;
    let mut command = worker(engine, "--one")?;
    let status =
        command.stdin(Stdio::null()).status().or_failed(|| "cannot start a worker".into())?;
    // One that ends before it wrote anything down would do so again.
    if !status.success() && engine.jobs.events()? == before {
        return Err(Fault::failed(format!("a worker ended before it began a job: {status}")));
    }
    Ok(())
}

/// Runs the job whose turn it is in this process. `note` hears what became of it; its failure is
/// the job's.
pub fn run_one(engine: &Engine, note: &mut dyn FnMut(String)) -> Result<()> {
    let Next::Ready(claimed) = engine.jobs.claim(engine.now_ms(), engine.config.max_workers)?
    else {
        return Ok(());
    };
    let Work::Ingest(spec) = &claimed.job.spec.work;
    let mut config = engine.config.clone();
    (config.index, config.model) = (spec.index.clone(), spec.model.clone());
    config.threads = spec.threads.unwrap_or(config.threads);
    let mut request = request_of(spec);
    // It has all the time there is, and can be cancelled meanwhile.
    request.wait = Duration::MAX;
    request.careful = claimed.job.careful;
    let reason = format!("reading it ended the process {FILE_TRIES} times");
    request.set_aside =
        claimed.job.set_aside().map(|file| (file.to_owned(), reason.clone())).collect();
    let id = claimed.id().to_owned();
    match perform(&engine.with(config), claimed, &request, End::PutBack, &mut |_| {}) {
        Ok(_) => note(format!("job {id}: succeeded")),
        // The log itself must be trusted by whoever goes on.
        Err(fault) => {
            note(format!("job {id}: {fault}"));
            engine.jobs.events()?;
        }
    }
    Ok(())
}

/// What a job's ingest works on.
pub fn request_of(spec: &IngestSpec) -> Request {
    Request {
        cwd: PathBuf::from(&spec.cwd),
        dirs: spec.dirs.iter().map(PathBuf::from).collect(),
        only: spec.only,
        names: spec.names.clone(),
        include: spec.include.clone(),
        exclude: spec.exclude.clone(),
        no_cache: spec.no_cache,
        retry_failed: spec.retry_failed,
        wait: Duration::from_secs(spec.wait_s),
        careful: false,
        set_aside: BTreeMap::new(),
    }
}

/// Runs a claimed job to its end and writes that down. `at_interruption` is what an interruption of
/// the process makes of the job.
fn perform(
    engine: &Engine,
    claimed: Claimed<'_>,
    request: &Request,
    at_interruption: End,
    on_event: &mut dyn FnMut(Event),
) -> Result<Report> {
    let (sender, receiver) = channel();
    let teller = ProgressThrottle::new(sender);
    let mut note = claimed.note();
    let watched = &claimed;
    let outcome = std::thread::scope(|scope| {
        // Moved in, so that the watcher sees the end however this ends.
        let mut teller = teller;
        scope.spawn(move || watch(engine, watched, &receiver));
        let mut unsaid = None;
        let outcome = ingest::run(engine, request, &mut |event| {
            match &event {
                Event::Progress { stage, done, total } => teller.report(*stage, *done, *total),
                Event::Waiting { file, .. } => teller.waiting(file),
                Event::Reading(file) => {
                    if let Err(fault) = note.write(file.as_deref()) {
                        unsaid.get_or_insert(fault);
                        engine.stop();
                    }
                }
                Event::Entering(_) | Event::Note(_) => {}
            }
            on_event(event);
        });
        match unsaid {
            Some(fault) => Err(fault),
            None => outcome,
        }
    });
    let now_ms = engine.now_ms();
    match outcome {
        Ok(report) => {
            // A run that changed nothing has nothing to lose; one that committed waited for the
            // disk many times.
            let durability =
                if report.committed { Durability::Synced } else { Durability::Buffered };
            claimed.finish(End::Succeeded { result: result_of(&report) }, now_ms, durability)?;
            Ok(report)
        }
        Err(fault) => {
            let end = match fault.kind() {
                Kind::Interrupted if claimed.cancel_asked().unwrap_or(false) => End::Cancelled,
                Kind::Interrupted => at_interruption,
                kind => {
                    let mut reason = Reason::new(kind, fault.to_string());
                    reason.hint = fault.hint_text().map(str::to_owned);
                    End::Failed { reason, is_final: matches!(kind, Kind::Usage | Kind::Damaged) }
                }
            };
            // What went wrong first is what the user should hear of.
            let _ = claimed.finish(end, now_ms, Durability::Synced);
            Err(fault)
        }
    }
}

/// Writes down progress and looks for the wish to cancel, until the work is over. A log that cannot
/// be written is no reason to end the work; its end will meet the same fault.
fn watch(engine: &Engine, claimed: &Claimed<'_>, told: &Receiver<Progress>) {
    let (mut latest, mut written) = (None::<Progress>, (String::new(), 0.0, Instant::now()));
    let mut pulse = Instant::now() + PULSE;
    loop {
        match told.recv_timeout(pulse.saturating_duration_since(Instant::now())) {
            Ok(progress) => {
                latest = Some(progress);
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => pulse = Instant::now() + PULSE,
        }
        if claimed.cancel_asked().unwrap_or(false) {
            engine.stop();
        }
        let (stage, share, at) = &written;
        let is_news = |p: &Progress| {
            *stage != p.stage || p.share - share >= WORTH_A_LINE || at.elapsed() >= LIFE_SIGN
        };
        if let Some(progress) = latest.take_if(|p| is_news(p)) {
            written = (progress.stage.clone(), progress.share, Instant::now());
            let _ = claimed.progress(progress, engine.now_ms());
        }
    }
}

/// Turns the events of an ingest into progress, rarely enough to cost nothing.
struct ProgressThrottle {
    to: Sender<Progress>,
    estimator: Estimator,
    status: Option<Status>,
    last: Instant,
}

impl ProgressThrottle {
    fn new(to: Sender<Progress>) -> Self {
        Self { to, estimator: Estimator::default(), status: None, last: Instant::now() }
    }

    fn report(&mut self, stage: IngestStage, done: u64, total: u64) {
        let status = self.estimator.observe(stage, done, total, Instant::now());
        let is_new = self.status.is_none_or(|before| before.stage != stage);
        self.status = Some(status);
        if is_new || self.last.elapsed() >= TELL {
            self.send(&status, None);
        }
    }

    /// The file that everything waits for.
    fn waiting(&mut self, file: &str) {
        if let Some(status) = self.status {
            self.send(&status, Some(file));
        }
    }

    fn send(&mut self, status: &Status, slow: Option<&str>) {
        self.last = Instant::now();
        // Nobody listens any more once the work is over.
        let _ = self.to.send(progress_of(status, slow));
    }
}

fn progress_of(status: &Status, slow: Option<&str>) -> Progress {
    let Status { stage, done, total, share, left, .. } = *status;
    let message = match (stage, slow) {
        (IngestStage::Bm25, Some(file)) => format!("{done} of {total} files, reading {file}"),
        (IngestStage::Scan, _) => format!("{done} files found"),
        (IngestStage::Bm25, None) => format!("{done} of {total} files"),
        (IngestStage::Vectors, _) => format!("{done} of {total} chunks"),
        (IngestStage::Save, _) => "writing".to_owned(),
    };
    let eta_s = left.map(|left| left.as_secs_f64().ceil() as u64);
    Progress { stage: stage.name().to_owned(), share, done, total, message, eta_s }
}

fn result_of(report: &Report) -> Value {
    let failed = report.failed.iter().take(NAMES_KEPT);
    let failed: Vec<_> =
        failed.map(|(path, reason)| json!({ "path": path, "reason": reason })).collect();
    json!({
        "corpus_id": report.corpus_id,
        "index_dir": Path::new(&report.index_dir),
        "documents": report.documents,
        "chunks": report.chunks,
        "read": report.read,
        "removed": report.removed.len(),
        "removed_documents": report.removed.iter().take(NAMES_KEPT).collect::<Vec<_>>(),
        "committed": report.committed,
        "skipped": report.skipped,
        "n_failed": report.failed.len(),
        "failed": failed,
        "seconds": report.elapsed.as_secs_f64(),
    })
}
