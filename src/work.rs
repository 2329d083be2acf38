//! Runs jobs: in this process, or by background workers.
//!
//! A worker runs each job in a child process, so that a killed job costs one attempt and nothing
//! else. The next attempt finds finished embeddings in the cache.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::disk;
use crate::engine::Engine;
use crate::error::{Context as _, Fault, Kind, Result};
use crate::index::{Estimator, IngestStage, Status};
use crate::ingest::{self, Event, Report, Request};
use crate::jobs::{
    Claimed, Durability, End, FILE_TRIES, IngestSpec, Next, Progress, Reason, Slot, Spec, Work,
};
use crate::telemetry;

/// How often a running job records progress and checks for cancellation.
const PULSE: Duration = Duration::from_millis(250);

/// Smaller progress, as a share of the whole, is recorded only every [`MAX_SILENCE`], so that the
/// log of a long job stays short.
const MIN_SHARE: f64 = 0.001;
const MAX_SILENCE: Duration = Duration::from_secs(30);

/// How often the ingest sends progress to the watching thread.
const SEND_INTERVAL: Duration = Duration::from_millis(100);

/// A larger log of workers is truncated.
const MAX_WORKER_LOG_BYTES: u64 = 1 << 20;

/// The niceness of background workers, which keep every core busy: foreground queries go first.
const NICENESS: i32 = 10;

/// Failed files, and removed documents, that the result of a job names.
const MAX_NAMES: usize = 100;

/// Ingests in this process, as a job, and returns the job's id.
///
/// # Errors
/// Those of [`ingest::run`]; a failure to write the log, before the ingest starts or after it ends.
pub fn ingest_here(
    engine: &Engine,
    spec: IngestSpec,
    on_event: &mut dyn FnMut(Event),
) -> Result<(String, Report)> {
    let spec = with_folders(engine, spec)?;
    let request = request_of(&spec);
    ingest::check(engine, &request)?;
    // A failed command is not retried in the background.
    let spec = Spec { max_attempts: 1, ..Spec::new(Work::Ingest(spec)) };
    let claimed = engine.jobs.begin(spec, engine.now_ms())?;
    let id = claimed.id().to_owned();
    let report = perform(engine, claimed, &request, End::Cancelled, on_event)?;
    engine.jobs.tidy(keep_from(engine), engine.now_ms())?;
    Ok((id, report))
}

/// Queues an ingest for the workers and returns its id. The job is on disk when this returns.
///
/// # Errors
/// Faults that no retry can fix, found by [`ingest::check`].
pub fn submit(engine: &Engine, spec: Spec) -> Result<String> {
    let Work::Ingest(ingest) = spec.work;
    let ingest = with_folders(engine, ingest)?;
    ingest::check(engine, &request_of(&ingest))?;
    let place = if is_bound(engine, &ingest) { engine.jobs.place()? } else { None };
    engine.jobs.submit(Spec { work: Work::Ingest(ingest), place, ..spec }, engine.now_ms())
}

/// Whether only workers of this data directory have the files: uploads and pages are in it.
fn is_bound(engine: &Engine, spec: &IngestSpec) -> bool {
    let data_dir = engine.config.data_dir.canonicalize();
    let base = Path::new(&spec.cwd);
    let is_inside = |dir: &String| {
        let dir = base.join(dir);
        let dir = dir.canonicalize().unwrap_or(dir);
        data_dir.as_ref().is_ok_and(|data_dir| dir.starts_with(data_dir))
    };
    !spec.urls.is_empty() || spec.dirs.iter().any(is_inside)
}

/// The spec with the folders of its index, if it names none.
///
/// # Errors
/// A usage fault if the index does not exist or has no folder.
pub fn with_folders(engine: &Engine, spec: IngestSpec) -> Result<IngestSpec> {
    if !spec.dirs.is_empty() || !spec.urls.is_empty() {
        return Ok(spec);
    }
    let known =
        ingest::known_roots(&engine.of_index(&spec.index)).map_err(|fault| match fault.kind() {
            Kind::Damaged => fault.hint(
                "the list of its folders is damaged too: rebuild it with `rag ingest --only DIR`, \
             naming every folder",
            ),
            _ => fault,
        })?;
    if known.is_empty() {
        let name = &spec.index;
        return Err(Fault::usage(format!("the index `{name}` does not exist or has no folders"))
            .hint("name a folder to index: `rag ingest DIR`"));
    }
    let dirs = known.iter().map(|root| root.real.clone()).collect();
    let names = known.into_iter().map(|root| (root.real, root.given)).collect();
    Ok(IngestSpec { dirs, names, ..spec })
}

/// The retention limit in Unix milliseconds: records of jobs that ended before are deleted.
pub fn keep_from(engine: &Engine) -> u64 {
    engine.now_ms().saturating_sub(engine.config.jobs_keep_hours.saturating_mul(3_600_000))
}

/// Starts a worker that outlives this process. It ends at once if the maximum number is running.
pub fn start_worker(engine: &Engine) -> Result<()> {
    disk::create_dir(&engine.config.jobs_dir)?;
    let path = engine.config.jobs_dir.join("worker.log");
    let is_large = path.metadata().is_ok_and(|metadata| metadata.len() > MAX_WORKER_LOG_BYTES);
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(0o600);
    let log = options.open(&path).or_cannot("write", &path)?;
    if is_large {
        log.set_len(0).or_cannot("write", &path)?;
    }
    let mut command = worker(engine, "--detached")?;
    command.stdin(Stdio::null()).stdout(log.try_clone().or_cannot("write", &path)?).stderr(log);
    // There is no `wait`: the worker usually outlives this process; otherwise it is a zombie until
    // this process ends.
    command.spawn().or_failed(|| "cannot start a worker".into()).map(drop)
}

/// The command `rag jobs run` with a flag.
fn worker(engine: &Engine, flag: &str) -> Result<Command> {
    let program =
        std::env::current_exe().or_failed(|| "cannot find the path of this program".into())?;
    let mut command = Command::new(program);
    command.args(["jobs", "run", flag, "--data-dir"]).arg(&engine.config.data_dir);
    Ok(command)
}

/// When a worker ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// No job is left.
    Empty,
    /// It is interrupted.
    Interrupted,
}

/// Pause of a worker that waits for jobs of any machine.
const IDLE: Duration = Duration::from_millis(500);

/// Runs jobs, each in a child process. Returns at once if the maximum number of workers is running.
pub fn run_all(engine: &Engine, until: Until) -> Result<()> {
    let Some(mut slot) = engine.jobs.enter(engine.config.max_workers)? else {
        return match until {
            Until::Empty => Ok(()),
            Until::Interrupted => {
                let most = engine.config.max_workers;
                Err(Fault::busy(format!("{most} workers run on this data directory already"))
                    .hint("raise `max_workers`"))
            }
        };
    };
    // Failing to lower the priority is harmless.
    let _ = rustix::process::nice(NICENESS);
    let mut cleaned = engine.jobs.clean(keep_from(engine), engine.now_ms());
    if until == Until::Interrupted {
        // A worker waits for its database.
        cleaned = cleaned.or(Ok(0));
    }
    cleaned?;
    loop {
        engine.check_interrupted()?;
        match step(engine, slot, until) {
            Ok(Some(kept)) => slot = kept,
            Ok(None) => return Ok(()),
            // The database is away: its jobs are still there when it is back.
            Err(fault) if until == Until::Interrupted && fault.kind() == Kind::Outside => {
                telemetry::warn!("{fault}");
                std::thread::park_timeout(IDLE);
                match engine.jobs.enter(engine.config.max_workers)? {
                    Some(again) => slot = again,
                    None => return Ok(()),
                }
            }
            Err(fault) => return Err(fault),
        }
    }
}

/// Runs the next job, or waits for one; `None` when the worker is to end.
fn step(engine: &Engine, slot: Slot, until: Until) -> Result<Option<Slot>> {
    match engine.jobs.peek_again(engine.now_ms(), engine.config.max_workers)? {
        Next::Ready(_) => run_next_in_child(engine)?,
        Next::Later(None) | Next::Nothing
            if until == Until::Interrupted && ingest::is_help_wanted(engine)? =>
        {
            if !run_in_child(engine, "--embed")?.success() {
                std::thread::park_timeout(IDLE);
            }
        }
        Next::Later(ms) => {
            let pause = ms.map_or(PULSE, |ms| Duration::from_millis(ms).min(PULSE));
            std::thread::park_timeout(pause);
        }
        Next::Nothing if until == Until::Interrupted => std::thread::park_timeout(IDLE),
        Next::Nothing => return engine.jobs.leave(slot, engine.now_ms()),
    }
    Ok(Some(slot))
}

/// Runs the next job in a child process.
fn run_next_in_child(engine: &Engine) -> Result<()> {
    let before = engine.jobs.events()?;
    let status = run_in_child(engine, "--one")?;
    // The next child would also fail before it records anything.
    if !status.success() && engine.jobs.events()? == before {
        return Err(Fault::failed(format!("a worker ended before it started a job: {status}")));
    }
    Ok(())
}

/// Runs `rag jobs run` with a flag, until it ends.
fn run_in_child(engine: &Engine, flag: &str) -> Result<ExitStatus> {
    let mut command = worker(engine, flag)?;
    command.stdin(Stdio::null()).status().or_failed(|| "cannot start a worker".into())
}

/// Runs the next job in this process and reports its outcome to `note`. A failure of the job is not
/// an error here.
pub fn run_one(engine: &Engine, note: &mut dyn FnMut(String)) -> Result<()> {
    let Next::Ready(claimed) = engine.jobs.claim(engine.now_ms(), engine.config.max_workers)?
    else {
        return Ok(());
    };
    let Work::Ingest(spec) = &claimed.job().spec.work;
    let mut config = engine.config.clone();
    (config.index, config.model) = (spec.index.clone(), spec.model.clone());
    config.threads = spec.threads.unwrap_or(config.threads);
    let mut request = request_of(spec);
    // A waiting job can be cancelled, so there is no time limit.
    request.wait = Duration::MAX;
    request.sequential = claimed.job().careful;
    let reason = format!("reading it ended the process {FILE_TRIES} times");
    let set_aside = claimed.job().set_aside();
    request.quarantined = set_aside.map(|file| (file.to_owned(), reason.clone())).collect();
    let id = claimed.id().to_owned();
    match perform(&engine.with(config), claimed, &request, End::PutBack, &mut |_| {}) {
        Ok(_) => note(format!("job {id}: succeeded")),
        // The worker continues only if the log is readable.
        Err(fault) => {
            note(format!("job {id}: {fault}"));
            engine.jobs.events()?;
        }
    }
    Ok(())
}

/// The ingest of a job.
pub fn request_of(spec: &IngestSpec) -> Request {
    Request {
        cwd: PathBuf::from(&spec.cwd),
        dirs: spec.dirs.iter().map(PathBuf::from).collect(),
        urls: spec.urls.clone(),
        sitemap: spec.sitemap,
        only: spec.only,
        names: spec.names.clone(),
        include: spec.include.clone(),
        exclude: spec.exclude.clone(),
        no_cache: spec.no_cache,
        retry_failed: spec.retry_failed,
        wait: Duration::from_secs(spec.wait_s),
        sequential: false,
        quarantined: BTreeMap::new(),
    }
}

/// Runs a claimed job and records its end. `at_interrupt` is the end of a job whose process was
/// interrupted.
fn perform(
    engine: &Engine,
    claimed: Claimed<'_>,
    request: &Request,
    at_interrupt: End,
    on_event: &mut dyn FnMut(Event),
) -> Result<Report> {
    let outcome = ingest_watched(engine, &claimed, request, on_event);
    let now_ms = engine.now_ms();
    match outcome {
        Ok(report) => {
            // Only a run that committed something needs to wait for the disk.
            let end = End::Succeeded { result: result_json(&report) };
            let durability =
                if report.committed { Durability::Synced } else { Durability::Buffered };
            claimed.finish(end, now_ms, durability)?;
            Ok(report)
        }
        Err(fault) => {
            let end = match fault.kind() {
                Kind::Interrupted if claimed.cancel_asked().unwrap_or(false) => End::Cancelled,
                Kind::Interrupted => at_interrupt,
                kind => End::Failed {
                    reason: Reason::of(&fault),
                    is_final: matches!(kind, Kind::Usage | Kind::Damaged),
                },
            };
            // The first fault is the one to report.
            let _ = claimed.finish(end, now_ms, Durability::Synced);
            Err(fault)
        }
    }
}

/// Ingests while another thread records progress and watches for cancellation.
fn ingest_watched(
    engine: &Engine,
    claimed: &Claimed<'_>,
    request: &Request,
    on_event: &mut dyn FnMut(Event),
) -> Result<Report> {
    let (sender, receiver) = channel();
    let mut note = claimed.note();
    std::thread::scope(|scope| {
        scope.spawn(move || watch(engine, claimed, &receiver));
        // Dropped at the end of this closure, also by a panic, which ends the watching thread.
        let mut progress = ProgressThrottle::new(sender);
        let mut note_fault = None;
        let outcome = ingest::run(engine, request, &mut |event| {
            match &event {
                Event::Progress { stage, done, total } => progress.report(*stage, *done, *total),
                Event::Waiting { file, .. } => progress.report_slow(file),
                Event::Reading(file) => {
                    if let Err(fault) = note.write(file.as_deref()) {
                        note_fault.get_or_insert(fault);
                        engine.stop();
                    }
                }
                Event::Entering(_) | Event::Note(_) => {}
            }
            on_event(event);
        });
        note_fault.map_or(outcome, Err)
    })
}

/// Records progress and watches for cancellation until the sender is dropped. A failure to write
/// the log does not end the job here: recording its end will meet the same fault.
fn watch(engine: &Engine, claimed: &Claimed<'_>, updates: &Receiver<Progress>) {
    let (mut latest, mut written) = (None::<Progress>, (String::new(), 0.0, Instant::now()));
    let (mut pulse, interval) = (Instant::now() + PULSE, claimed.progress_interval());
    loop {
        match updates.recv_timeout(pulse.saturating_duration_since(Instant::now())) {
            // A stage that ends before the next pulse is recorded too.
            Ok(progress) if progress.stage == written.0 => {
                latest = Some(progress);
                continue;
            }
            Ok(progress) => latest = Some(progress),
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {
                pulse = Instant::now() + PULSE;
                if claimed.cancel_asked().unwrap_or(false) {
                    engine.stop();
                }
            }
        }
        let (stage, share, at) = &written;
        let is_significant = |progress: &Progress| {
            *stage != progress.stage
                || progress.share - share >= MIN_SHARE && at.elapsed() >= interval
                || at.elapsed() >= MAX_SILENCE
        };
        if let Some(progress) = latest.take_if(|progress| is_significant(progress)) {
            written = (progress.stage.clone(), progress.share, Instant::now());
            let _ = claimed.progress(progress, engine.now_ms());
        }
    }
}

/// Turns events of an ingest into progress, at most every [`SEND_INTERVAL`].
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
        if is_new || self.last.elapsed() >= SEND_INTERVAL {
            self.send(&status, None);
        }
    }

    /// Reports the file that holds up all others.
    fn report_slow(&mut self, file: &str) {
        if let Some(status) = self.status {
            self.send(&status, Some(file));
        }
    }

    fn send(&mut self, status: &Status, slow: Option<&str>) {
        self.last = Instant::now();
        // The receiver is gone once the job is done.
        let _ = self.to.send(progress(status, slow));
    }
}

fn progress(status: &Status, slow: Option<&str>) -> Progress {
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

fn result_json(report: &Report) -> Value {
    let failed = report.failed.iter().take(MAX_NAMES);
    let failed: Vec<_> =
        failed.map(|(path, reason)| json!({ "path": path, "reason": reason })).collect();
    json!({
        "corpus_id": report.corpus_id,
        "index_dir": Path::new(&report.index_dir),
        "documents": report.documents,
        "chunks": report.chunks,
        "read": report.read,
        "removed": report.removed.len(),
        "removed_documents": report.removed.iter().take(MAX_NAMES).collect::<Vec<_>>(),
        "committed": report.committed,
        "skipped": report.skipped,
        "n_failed": report.failed.len(),
        "embedded": report.cache.misses,
        "failed": failed,
        "seconds": report.elapsed.as_secs_f64(),
    })
}
