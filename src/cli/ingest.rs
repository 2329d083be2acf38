//! `rag ingest`: here, with its progress and a summary; in the background, with the id of its job;
//! or again after every change.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::Flags;
use super::confirm::Removal;
use super::exit::Outcome;
use super::ui::{Bar, Ui, count, counted, safe_name};
use super::watching;
use crate::engine::Engine;
use crate::error::{Context as _, Fault, Result};
use crate::index::{Estimator, IngestStage, Status, percent};
use crate::ingest::{self, Event, Report};
use crate::jobs::{IngestSpec, Priority, Spec, Work};
use crate::work;

/// Index folders, or bring their index up to date
///
/// Folders are added to the index or brought up to date: changed files are read again, deleted ones
/// dropped. Other folders of the index stay as they are; `rag index remove-folder` takes one out.
/// Honours .gitignore and .ragignore.
#[derive(Debug, Args)]
pub struct IngestArgs {
    /// Folders to index [default: the folders of the index, which is brought up to date]
    #[arg(value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// Folder to index, in another spelling; may be given several times
    #[arg(long = "dir", value_name = "DIR")]
    dirs: Vec<PathBuf>,
    /// Take every other folder out of the index: it has these folders afterwards and no others
    ///
    /// Asks before documents are removed, unless `--yes` is given.
    #[arg(long)]
    only: bool,
    /// Remove documents without asking
    #[arg(long, requires = "only")]
    yes: bool,
    /// Embedding model [default: all-MiniLM-L6-v2]
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Only files that match, as in .gitignore
    ///
    /// The index remembers the patterns of a folder: an ingest without `--include` and `--exclude`
    /// uses them again, one with either replaces both. `--include '*'` takes every file.
    #[arg(long, value_name = "GLOB")]
    include: Vec<String>,
    /// No files that match, as in .gitignore
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// Neither read nor write the embedding cache
    #[arg(long)]
    no_cache: bool,
    /// Read files again that failed before, though they have not changed
    #[arg(long)]
    retry_failed: bool,
    /// Wait for another writer to finish
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    wait: u64,
    /// Threads for reading and embedding [default: one per core]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Print the id of the job and leave it to a worker in the background
    #[arg(long)]
    detach: bool,
    /// Stay, and ingest again whenever something has changed; Ctrl-C ends it
    ///
    /// Prints a line for each round, with `--json` an object on a line. Waits for other writers.
    #[arg(long, conflicts_with_all = ["detach", "wait"])]
    watch: bool,
    /// Look at the folders this often instead of being told of changes, as network drives need
    #[arg(long, value_name = "SECONDS", requires = "watch", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    poll: Option<u64>,
    /// Which of several waiting jobs goes first
    #[arg(long, value_name = "WHEN", value_enum, default_value = "normal", requires = "detach")]
    priority: PriorityArg,
    /// Wait for this job to succeed; may be given several times
    #[arg(long, value_name = "ID", requires = "detach")]
    after: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PriorityArg {
    Critical,
    High,
    Normal,
    Low,
    Background,
}

impl PriorityArg {
    fn priority(self) -> Priority {
        match self {
            Self::Critical => Priority::Critical,
            Self::High => Priority::High,
            Self::Normal => Priority::Normal,
            Self::Low => Priority::Low,
            Self::Background => Priority::Background,
        }
    }
}

impl IngestArgs {
    pub fn flags(&self) -> Flags {
        let model = self.model.as_ref().map(|model| ("model", model.clone(), "--model".to_owned()));
        let threads = self.threads.map(|n| ("threads", n.to_string(), "--threads".to_owned()));
        model.into_iter().chain(threads).collect()
    }
}

pub fn run(args: &IngestArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let spec = spec(args, engine)?;
    if args.only {
        confirm_only(args.yes, &spec, engine, ui)?;
    }
    if args.detach {
        return detach(args, spec, engine, ui);
    }
    if args.watch {
        return watching::run(spec, args.poll.map(Duration::from_secs), engine, ui);
    }
    let mut teller = ProgressReporter::new(ui);
    let outcome = work::ingest_here(engine, spec, &mut |event| teller.report(event));
    teller.end();
    let (job_id, report) = outcome?;
    if ui.json {
        ui.json(&summary(&job_id, &report));
    } else {
        print_summary(ui, &report);
    }
    Ok(if report.failed.is_empty() { Outcome::Done } else { Outcome::SomeFailed })
}

fn spec(args: &IngestArgs, engine: &Engine) -> Result<IngestSpec> {
    let text = |path: &Path| {
        let text = path.to_str().map(str::to_owned);
        text.ok_or_else(|| {
            Fault::usage(format!("the name of the folder {} is not valid UTF-8", path.display()))
        })
    };
    if args.folders.iter().any(|dir| dir == Path::new("-")) {
        return Err(Fault::usage(
            "`-` is not a folder, and `rag ingest` does not read the standard input",
        )
        .hint("a folder of that name is written `./-`"));
    }
    let is_bare = args.folders.is_empty() && args.dirs.is_empty();
    if is_bare && args.only {
        return Err(Fault::usage("`--only` needs the folders that the index keeps")
            .hint("name them: `rag ingest --only DIR`"));
    }
    if is_bare && !(args.include.is_empty() && args.exclude.is_empty()) {
        return Err(Fault::usage("`--include` and `--exclude` need the folder that they are for")
            .hint("name it: `rag ingest DIR --include GLOB`"));
    }
    // Whoever runs the job may be elsewhere; in this process relative names are as good as before.
    let cwd = match args.detach {
        true => {
            text(&std::env::current_dir().or_failed(|| "there is no working directory".into())?)?
        }
        false => std::env::current_dir().ok().and_then(|dir| text(&dir).ok()).unwrap_or_default(),
    };
    let spec = IngestSpec {
        index: engine.config.index.clone(),
        model: engine.config.model.clone(),
        cwd,
        dirs: args.folders.iter().chain(&args.dirs).map(|dir| text(dir)).collect::<Result<_>>()?,
        only: args.only,
        include: args.include.clone(),
        exclude: args.exclude.clone(),
        no_cache: args.no_cache,
        retry_failed: args.retry_failed,
        wait_s: args.wait,
        threads: args.threads.filter(|n| *n > 0),
        ..IngestSpec::default()
    };
    work::with_folders(engine, spec)
}

/// Asks before `--only` takes documents out.
fn confirm_only(yes: bool, spec: &IngestSpec, engine: &Engine, ui: &Ui) -> Result<()> {
    let left = ingest::left_out(engine, &work::request_of(spec))?;
    let documents: u64 = left.iter().map(|(_, n)| n).sum();
    if documents == 0 {
        return Ok(());
    }
    let names: Vec<String> =
        left.iter().map(|(name, n)| format!("{name} ({})", counted(*n, "document"))).collect();
    let what = format!("take {} out of the index `{}`", names.join(", "), spec.index);
    Removal { yes, is_much: documents > 1, what: &what }.confirm(engine, ui)
}

fn detach(args: &IngestArgs, ingest: IngestSpec, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let spec = Spec {
        priority: args.priority.priority(),
        after: args.after.clone(),
        ..Spec::new(Work::Ingest(ingest))
    };
    let id = work::submit(engine, spec)?;
    let started = work::start_worker(engine);
    match ui.json {
        true => ui.json(&json!({ "job_id": id, "state": "queued" })),
        false => ui.line(&id),
    }
    // The job is queued all the same.
    started.map(|()| Outcome::Done)
}

/// Shows the progress: a bar with rate and time left on a terminal; elsewhere a line at the end of
/// each stage, and one every [`PLAIN_EVERY`].
pub(super) struct ProgressReporter<'a> {
    ui: &'a Ui,
    bar: Bar,
    estimator: Estimator,
    status: Option<Status>,
    /// The file that everything waits for, and for how long.
    slow: Option<(String, Duration)>,
    plain: bool,
    last_plain: Instant,
    /// The end of this stage has been written as a plain line.
    told_end: bool,
}

/// Lines apart on what is no terminal: a log should show life and stay short.
const PLAIN_EVERY: Duration = Duration::from_secs(10);

impl<'a> ProgressReporter<'a> {
    pub(super) fn new(ui: &'a Ui) -> Self {
        let bar = ui.progress();
        let plain = !ui.quiet && !ui.json && !bar.is_on();
        let estimator = Estimator::default();
        Self {
            ui,
            bar,
            estimator,
            status: None,
            slow: None,
            plain,
            last_plain: Instant::now(),
            told_end: false,
        }
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        self.bar.end();
    }

    pub(super) fn report(&mut self, event: Event) {
        match event {
            Event::Note(text) => self.ui.note(text),
            Event::Progress { stage, done, total } => {
                let status = self.estimator.observe(stage, done, total, Instant::now());
                if self.status.is_none_or(|before| before.stage != stage) {
                    self.told_end = false;
                }
                if self.status.is_none_or(|before| before.done != done || before.stage != stage) {
                    self.slow = None;
                }
                self.status = Some(status);
                self.show();
            }
            Event::Waiting { file, since } => {
                self.slow = Some((file, since));
                self.show();
            }
            Event::Entering(_) | Event::Reading(_) => {}
        }
    }

    fn show(&mut self) {
        let Some(status) = self.status else { return };
        let stage = status.stage.name();
        if !self.plain {
            return self.bar.show(stage, status.share, || message(&status, self.slow.as_ref()));
        }
        let is_end = status.total > 0 && status.done == status.total;
        if is_end && !self.told_end || self.last_plain.elapsed() >= PLAIN_EVERY {
            (self.last_plain, self.told_end) = (Instant::now(), is_end);
            let message = message(&status, self.slow.as_ref());
            self.ui.note(format!("{:>3} %  {stage:8} {message}", percent(status.share)));
        }
    }
}

/// `1,200 of 2,700 chunks, 98/s, 12 s left`.
fn message(status: &Status, slow: Option<&(String, Duration)>) -> String {
    let Status { stage, done, total, rate, left, .. } = *status;
    let unit = match stage {
        IngestStage::Scan => return format!("{} found", counted(done, "file")),
        IngestStage::Save => return "writing".to_owned(),
        IngestStage::Bm25 => "files",
        IngestStage::Vectors => "chunks",
    };
    let mut message = format!("{} of {} {unit}", count(done), count(total));
    if let Some((file, since)) = slow {
        message.push_str(&format!(", reading {file} for {}", duration(*since)));
        return message;
    }
    if let Some(rate) = rate {
        let digits = usize::from(rate < 9.95);
        message.push_str(&format!(", {rate:.digits$}/s"));
    }
    if let Some(left) = left {
        message.push_str(&format!(", {} left", duration(left)));
        if stage == IngestStage::Bm25 {
            message.push_str(" to read");
        }
    }
    message
}

/// `95.2` seconds as `1 min 40 s`: no more digits than an estimate has.
pub(super) fn duration(time: Duration) -> String {
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..600 => match (seconds.div_ceil(10) * 10 / 60, seconds.div_ceil(10) * 10 % 60) {
            (minutes, 0) => format!("{minutes} min"),
            (minutes, rest) => format!("{minutes} min {rest} s"),
        },
        600..3600 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

pub(super) fn print_summary(ui: &Ui, report: &Report) {
    let row = |name: &str, value: String| ui.row(name, 11, &value);
    row("corpus id", report.corpus_id.clone());
    row(
        "documents",
        match (report.committed, report.read, report.removed.len() as u64) {
            (false, ..) => format!("{} (unchanged)", count(report.documents)),
            (true, read, removed) => {
                format!(
                    "{} ({} read, {} removed)",
                    count(report.documents),
                    count(read),
                    count(removed)
                )
            }
        },
    );
    row("chunks", count(report.chunks));
    row("dimension", report.dimension.to_string());
    row("index", report.index_dir.display().to_string());
    row(
        "cache",
        format!(
            "{}, {}, hit rate {:.0} %",
            counted(report.cache.hits, "hit"),
            if report.cache.misses == 1 {
                "1 miss".into()
            } else {
                format!("{} misses", count(report.cache.misses))
            },
            report.cache.hit_rate() * 100.0
        ),
    );
    let reasons: Vec<String> =
        report.skip_reasons.iter().map(|(why, n)| format!("{} {why}", count(*n))).collect();
    row(
        "skipped",
        match reasons.is_empty() {
            true => "0".to_owned(),
            false => format!("{} ({})", count(report.skipped), reasons.join(", ")),
        },
    );
    row("failed", count(report.failed.len() as u64));
    row("time", format!("{:.1} s", report.elapsed.as_secs_f64()));
    /// More would push the summary off the screen; `--json` has them all.
    const SHOWN: usize = 10;
    for path in report.removed.iter().take(SHOWN) {
        ui.note(format!("removed {}", safe_name(path)));
    }
    if report.removed.len() > SHOWN {
        let more = counted((report.removed.len() - SHOWN) as u64, "more removed document");
        ui.note(format!("… and {more}; `--json` lists them all"));
    }
    for (path, reason) in report.failed.iter().take(SHOWN) {
        ui.complaint("failed", &format!("{path}: {reason}"));
    }
    if report.failed.len() > SHOWN {
        ui.note(format!("… and {} more; `--json` lists them all", report.failed.len() - SHOWN));
    }
    for (path, reason, advice) in report.no_text.iter().take(SHOWN) {
        ui.complaint("no text", &format!("{path}: {reason}; {advice}"));
    }
    if report.no_text.len() > SHOWN {
        ui.note(format!("… and {} more; `--json` lists them all", report.no_text.len() - SHOWN));
    }
}

/// The summary as JSON.
pub(super) fn summary(job_id: &str, report: &Report) -> Value {
    let failed: Vec<_> = report
        .failed
        .iter()
        .map(|(path, reason)| json!({ "path": path, "reason": reason }))
        .collect();
    let no_text: Vec<_> = report
        .no_text
        .iter()
        .map(|(path, reason, advice)| json!({ "path": path, "reason": reason, "advice": advice }))
        .collect();
    json!({
        "job_id": job_id,
        "corpus_id": report.corpus_id,
        "index_dir": report.index_dir,
        "documents": report.documents,
        "chunks": report.chunks,
        "dimension": report.dimension,
        "cache": {
            "hits": report.cache.hits,
            "misses": report.cache.misses,
            "hit_rate": report.cache.hit_rate(),
            "damaged": report.cache.damaged,
        },
        "read": report.read,
        "removed": report.removed.len(),
        "removed_documents": report.removed,
        "committed": report.committed,
        "skipped": report.skipped,
        "skip_reasons": report.skip_reasons.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
        "failed": failed,
        "no_text": no_text,
        "seconds": report.elapsed.as_secs_f64(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_no_more_digits_than_an_estimate() {
        let shown = |seconds: f64| duration(Duration::from_secs_f64(seconds));
        assert_eq!([0.0, 0.2, 59.0, 59.5].map(shown), ["0 s", "1 s", "59 s", "1 min"]);
        assert_eq!([95.2, 120.0, 599.0].map(shown), ["1 min 40 s", "2 min", "10 min"]);
        assert_eq!(
            [601.0, 3599.0, 3600.0, 9000.0].map(shown),
            ["11 min", "60 min", "1 h 0 min", "2 h 30 min"]
        );
    }

    #[test]
    fn a_slow_file_is_named_instead_of_an_estimate() {
        let mut estimator = Estimator::default();
        let start = Instant::now();
        let see = |estimator: &mut Estimator, second: u64| {
            estimator.observe(
                IngestStage::Bm25,
                1 + 10 * second,
                200,
                start + Duration::from_secs(second),
            )
        };
        for second in 0..8 {
            see(&mut estimator, second);
        }
        let status = see(&mut estimator, 8);
        assert_eq!(message(&status, None), "81 of 200 files, 10/s, 12 s left to read");
        let slow = ("docs/big.pdf".to_owned(), Duration::from_secs(12));
        assert_eq!(message(&status, Some(&slow)), "81 of 200 files, reading docs/big.pdf for 12 s");
    }
}
