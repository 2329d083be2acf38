//! `rag ingest`: in this process with progress and a summary, in the background as a job, or again
//! after every change.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::json;

use super::args::{Flags, flag};
use super::confirm::Removal;
use super::estimate;
use super::exit::Outcome;
use super::progress::ProgressReporter;
use super::ui::{Ui, count, counted};
use super::{summary, watch};
use crate::engine::Engine;
use crate::error::{Context as _, Fault, Kind, Result};
use crate::ingest;
use crate::jobs::{IngestSpec, Priority, Spec, Work};
use crate::sites;
use crate::work;

/// Index folders or update their index
///
/// Adds the folders to the index, or updates them: changed files are read again, deleted files are
/// dropped. Other folders of the index are not touched; `rag index remove-folder` removes one.
/// Respects .gitignore and .ragignore.
#[derive(Debug, Args)]
pub struct IngestArgs {
    /// Folders to index [default: all folders of the index]
    #[arg(value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// Folder to index (repeatable); same as the argument DIR
    #[arg(long = "dir", value_name = "DIR")]
    dirs: Vec<PathBuf>,
    /// Web page to index (repeatable); the URL of a sitemap means the pages that it lists
    ///
    /// Asks for changes with every ingest, with a pause between two requests and as the robots.txt
    /// of the site allows. A page leaves the index when the server says that it is gone.
    #[arg(long = "url", value_name = "URL")]
    urls: Vec<String>,
    /// Index the pages that the site's sitemap lists below each URL
    #[arg(long, requires = "urls")]
    sitemap: bool,
    /// Remove all other folders from the index
    ///
    /// Asks for confirmation before documents are removed, unless `--yes` is given.
    #[arg(long)]
    only: bool,
    /// Do not ask for confirmation
    #[arg(short, long)]
    yes: bool,
    /// Embedding model [default: all-MiniLM-L6-v2]
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Index only files matching GLOB, as in .gitignore (repeatable)
    ///
    /// The index remembers the patterns of a folder. Without `--include` and `--exclude` they are
    /// used again; either flag replaces both. `--include '*'` includes every file.
    #[arg(long, value_name = "GLOB")]
    include: Vec<String>,
    /// Skip files matching GLOB, as in .gitignore (repeatable)
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// Do not read or write the embedding cache
    #[arg(long)]
    no_cache: bool,
    /// Retry unchanged files that failed before
    #[arg(long)]
    retry_failed: bool,
    /// Wait up to SECONDS for another writer
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    wait: u64,
    /// Threads for reading and embedding [default: one per core]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Queue a background job and print its id
    #[arg(long)]
    detach: bool,
    /// Keep running; re-ingest on change
    ///
    /// Prints one line per round, or one JSON object with `--json`. Waits for other writers. Press
    /// Ctrl-C to stop.
    #[arg(long, conflicts_with_all = ["detach", "wait", "urls"])]
    watch: bool,
    /// Poll for changes every SECONDS, for network drives
    #[arg(
        long,
        value_name = "SECONDS",
        requires = "watch",
        value_parser = clap::value_parser!(u64).range(1..=86_400)
    )]
    poll: Option<u64>,
    /// Priority of the background job
    #[arg(
        long,
        value_name = "PRIORITY",
        default_value = Priority::Normal.name(),
        value_parser = priorities(),
        requires = "detach"
    )]
    priority: Priority,
    /// Start only after job ID has succeeded (repeatable)
    #[arg(long, value_name = "ID", requires = "detach")]
    after: Vec<String>,
}

fn priorities() -> impl TypedValueParser<Value = Priority> {
    let parse = |name: String| {
        Priority::ALL.into_iter().find(|priority| priority.name() == name).ok_or(name)
    };
    PossibleValuesParser::new(Priority::ALL.map(Priority::name)).try_map(parse)
}

impl IngestArgs {
    pub fn flags(&self) -> Flags {
        [flag("model", "--model", self.model.as_ref()), flag("threads", "--threads", self.threads)]
            .concat()
    }

    /// # Errors
    /// A usage fault for arguments that do not go together, or folders that do not exist.
    fn spec(&self, engine: &Engine) -> Result<IngestSpec> {
        if self.folders.iter().any(|dir| dir == Path::new("-")) {
            return Err(Fault::usage("`rag ingest` does not read standard input")
                .hint("use `./-` for a folder named `-`"));
        }
        let has_folders = !self.folders.is_empty() || !self.dirs.is_empty();
        for url in &self.urls {
            sites::address(url)?;
        }
        if self.only && !has_folders && self.urls.is_empty() {
            return Err(Fault::usage("`--only` requires the folders to keep")
                .hint("name them: `rag ingest --only DIR`"));
        }
        let has_patterns = !self.include.is_empty() || !self.exclude.is_empty();
        if has_patterns && !has_folders {
            return Err(Fault::usage("`--include` and `--exclude` require a folder")
                .hint("name it: `rag ingest DIR --include GLOB`"));
        }
        let cwd = std::env::current_dir();
        let cwd = match self.detach {
            // The worker may run in another directory.
            true => utf8(&cwd.or_failed(|| "cannot read the working directory".into())?)?,
            false => cwd.ok().and_then(|dir| utf8(&dir).ok()).unwrap_or_default(),
        };
        let dirs = self.folders.iter().chain(&self.dirs);
        let spec = IngestSpec {
            index: engine.config.index.clone(),
            model: engine.config.model.clone(),
            cwd,
            dirs: dirs.map(|dir| utf8(dir)).collect::<Result<_>>()?,
            urls: self.urls.clone(),
            sitemap: self.sitemap,
            only: self.only,
            include: self.include.clone(),
            exclude: self.exclude.clone(),
            no_cache: self.no_cache,
            retry_failed: self.retry_failed,
            wait_s: self.wait,
            threads: self.threads.filter(|n| *n > 0),
            ..IngestSpec::default()
        };
        work::with_folders(engine, spec)
    }
}

fn utf8(path: &Path) -> Result<String> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        Fault::usage(format!("the name of the folder {} is not valid UTF-8", path.display()))
    })
}

pub fn run(args: &IngestArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let spec = args.spec(engine)?;
    if args.only {
        confirm_only(args.yes, &spec, engine, ui)?;
    }
    if args.detach {
        return detach(args, spec, engine, ui);
    }
    if args.watch {
        return watch::run(spec, args.poll.map(Duration::from_secs), engine, ui);
    }
    if !args.yes && ui.has_user() && !ui.json && !ui.quiet {
        estimate::confirm(engine, &work::request_of(&spec), ui)?;
    }
    let mut progress = ProgressReporter::new(ui);
    let outcome = work::ingest_here(engine, spec, &mut |event| progress.report(event));
    progress.end();
    let (job_id, report) = outcome.map_err(|fault| match fault.kind() {
        Kind::Interrupted => fault.hint(what_is_kept(args.no_cache, progress.embedded())),
        _ => fault,
    })?;
    if ui.json {
        ui.json(&summary::json(&job_id, &report));
    } else {
        summary::print(&report, ui);
    }
    Ok(if report.failed.is_empty() { Outcome::Done } else { Outcome::SomeFailed })
}

/// What is left of an interrupted ingest, and how to continue it. `embedded` are the passages done,
/// and all of them.
fn what_is_kept(no_cache: bool, embedded: Option<(u64, u64)>) -> String {
    match embedded {
        Some((done @ 1.., total)) if !no_cache => format!(
            "{} of {} passages are embedded and kept; run the same command again to go on from \
             there",
            count(done),
            count(total)
        ),
        _ => "the index is as it was before; run the same command again".to_owned(),
    }
}

/// Asks for confirmation before `--only` removes documents.
fn confirm_only(yes: bool, spec: &IngestSpec, engine: &Engine, ui: &Ui) -> Result<()> {
    let left_out = ingest::left_out(engine, &work::request_of(spec))?;
    let documents: u64 = left_out.iter().map(|(_, n)| n).sum();
    if documents == 0 {
        return Ok(());
    }
    let names: Vec<String> =
        left_out.iter().map(|(name, n)| format!("{name} ({})", counted(*n, "document"))).collect();
    let action = format!("remove {} from the index `{}`", names.join(", "), spec.index);
    Removal { yes, needs_yes: documents > 1, action: &action }.confirm(engine, ui)
}

fn detach(args: &IngestArgs, ingest: IngestSpec, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let spec = Spec {
        priority: args.priority,
        after: args.after.clone(),
        ..Spec::new(Work::Ingest(ingest))
    };
    let id = work::submit(engine, spec)?;
    let started = work::start_worker(engine);
    match ui.json {
        true => ui.json(&json!({ "job_id": id, "state": "queued" })),
        false => ui.line(&id),
    }
    // The job stays queued even if no worker starts.
    started.map(|()| Outcome::Done)
}
