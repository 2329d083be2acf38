//! `rag eval`: measures of retrieval and answers.

mod html;
mod init;
mod table;

use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};

use super::args::{FilterArgs, Flags, existing, flag};
use super::exit::Outcome;
use super::input;
use super::progress::ProgressReporter;
use super::ui::{Ui, count, counted, duration};
use crate::config::{Config, Mode, Setting};
use crate::disk;
use crate::engine::Engine;
use crate::error::{Fault, Result};
use crate::evaluate::{self, Baseline, Event, Loss, QuestionSet, Report, Request, Set, Variant};
use crate::wire;

/// Measure search and answers on questions with known answers
///
/// FILE (`-` for standard input) has one JSON object per line: {"query": "…", "relevant": {"PATH":
/// GRADE, …}}, with paths relative to the indexed folder, or {"question": "…", "answer":
/// [["PATTERN", …], …], "source": [{"path": "…", "lines": [FIRST, LAST]}]}, whose answers are
/// scored too. A folder has the layout of BEIR. With several, each counts the same.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct EvalArgs {
    #[command(subcommand)]
    action: Option<Action>,
    /// Files or BEIR folders of questions
    #[arg(required_unless_present = "generate", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Measure a temporary index of DIR (repeatable: one for each FILE)
    ///
    /// For a BEIR folder, DIR is the same folder, whose corpus is indexed.
    #[arg(long = "dir", value_name = "DIR")]
    dirs: Vec<PathBuf>,
    /// Modes to measure [default: all; none with `--run`]
    #[arg(
        long = "mode",
        value_name = "MODE",
        value_delimiter = ',',
        value_parser = PossibleValuesParser::new(Mode::ALL.map(Mode::name))
    )]
    modes: Vec<String>,
    /// Also measure with these settings changed (repeatable: one variant each)
    #[arg(long = "set", value_name = "KEY=VALUE,…")]
    variants: Vec<String>,
    /// Also score the TREC run in RUN (repeatable)
    #[arg(long = "run", value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Write the ranking of the reference as a TREC run
    #[arg(long, value_name = "RUN")]
    save_run: Option<PathBuf>,
    /// Compare with an earlier measurement; exit with code 1 if a measure is significantly worse
    #[arg(long, value_name = "BASELINE")]
    baseline: Option<PathBuf>,
    /// Write the values of every question, for `--baseline`
    #[arg(long, value_name = "BASELINE")]
    save_baseline: Option<PathBuf>,
    /// Show the N worst questions, with reasons
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    worst: usize,
    /// Write a report with plots as one HTML page
    #[arg(long, value_name = "PAGE")]
    html: Option<PathBuf>,
    /// Replace the files that are written, if they exist
    #[arg(long)]
    force: bool,
    /// Have the language model grade the answers
    #[arg(long)]
    judge: bool,
    /// Print N questions that the language model drafts from the index, and measure nothing
    #[arg(long, value_name = "N", conflicts_with_all = ["files", "dirs", "runs", "baseline"])]
    generate: Option<usize>,
    /// Quote the documents, or have a language model write [default: extractive]
    #[arg(long, value_name = "GENERATOR", value_parser = ["extractive", "llm"])]
    generator: Option<String>,
    #[command(flatten)]
    filter: FilterArgs,
}

#[derive(Debug, Subcommand)]
enum Action {
    Init(init::InitArgs),
}

/// Settings that take effect when an index is built.
const OF_INDEX: [&str; 3] = ["model", "chunk.", "ingest."];

impl EvalArgs {
    pub fn flags(&self) -> Flags {
        flag("generator", "--generator", self.generator.as_ref())
    }

    /// What to measure. `configured` merges further settings into the configuration.
    fn request(&self, configured: &dyn Fn(Flags) -> Result<Config>) -> Result<Request> {
        let filter = self.filter.parse()?;
        let sets = self.files.iter().enumerate().map(|(n, file)| self.set(n, file));
        let sets: Vec<Set> = sets.collect::<Result<_>>()?;
        if self.dirs.len() > sets.len() || (1..sets.len()).contains(&self.dirs.len()) {
            return Err(Fault::usage(format!(
                "{} for {}",
                counted(self.dirs.len() as u64, "`--dir`"),
                counted(sets.len() as u64, "FILE")
            ))
            .hint("give one folder for each FILE, in the same order, or none"));
        }
        let modes: Vec<Mode> = match (self.modes.as_slice(), self.runs.is_empty()) {
            // The order of the report: retrievers, then what combines them.
            ([], true) => vec![Mode::Lexical, Mode::Dense, Mode::Hybrid],
            (names, _) => names.iter().filter_map(|name| Mode::of_name(name)).collect(),
        };
        let variants = self.variants.iter().map(|settings| variant(settings, configured));
        let variants: Vec<Variant> = variants.collect::<Result<_>>()?;
        Ok(Request {
            sets,
            modes,
            variants,
            runs: self.runs.iter().map(|run| evaluate::read_run(run)).collect::<Result<_>>()?,
            filter,
            judge: self.judge,
            keeps_rankings: self.save_run.is_some(),
        })
    }

    fn set(&self, n: usize, file: &Path) -> Result<Set> {
        let questions: QuestionSet = match file.is_dir() {
            true => evaluate::read_beir(file)?,
            false => evaluate::read(input::questions(file)?, file)?,
        };
        let dir = self.dirs.get(n).cloned();
        if let Some(dir) = &dir {
            disk::given_folder(dir)?;
        } else if let Some(settings) = self.variants.iter().find(|v| settings_of_index(v)) {
            return Err(Fault::usage(format!(
                "`--set {settings}` takes effect when an index is built"
            ))
            .hint("name the folder to index with `--dir`"));
        }
        Ok(Set { questions, dir })
    }
}

/// Whether settings include one that takes effect when an index is built.
fn settings_of_index(settings: &str) -> bool {
    settings.split(',').any(|setting| OF_INDEX.iter().any(|key| setting.trim().starts_with(key)))
}

/// The configuration with the settings of one `--set`.
fn variant(settings: &str, configured: &dyn Fn(Flags) -> Result<Config>) -> Result<Variant> {
    let mut flags = Flags::new();
    for setting in settings.split(',') {
        let Some((key, value)) = setting.split_once('=') else {
            return Err(Fault::usage(format!("--set {settings}: `{setting}` is not KEY=VALUE")));
        };
        let key = key.trim();
        let Some(known) = Setting::find(key) else {
            return Err(Fault::usage(format!("--set {settings}: there is no setting `{key}`"))
                .hint("`rag doctor -v` lists every setting"));
        };
        flags.push((known.key, value.trim().to_owned(), "--set".to_owned()));
    }
    let changes_index =
        settings_of_index(settings) || flags.iter().any(|(key, ..)| *key == "index");
    let config = configured(flags)?;
    Ok(Variant { name: settings.to_owned(), config, changes_index })
}

/// `configured` merges further settings into the configuration of `engine`.
pub fn run(
    args: &EvalArgs,
    engine: &Engine,
    configured: &dyn Fn(Flags) -> Result<Config>,
    ui: &Ui,
) -> Result<Outcome> {
    if let Some(Action::Init(args)) = &args.action {
        return init::run(args, engine, ui);
    }
    if let Some(n) = args.generate {
        return generate(n, args, engine, ui);
    }
    let existing = existing(args.force);
    // A wrong file is reported before the work.
    for file in [&args.save_run, &args.save_baseline, &args.html].into_iter().flatten() {
        disk::refuse_existing(file, existing)?;
    }
    let request = args.request(configured)?;
    let baseline = args.baseline.as_deref().map(Baseline::read).transpose()?;
    let report = measure(engine, &request, ui)?;
    let losses = baseline.map(|baseline| baseline.compare(&report)).transpose()?;
    if let Some(file) = &args.save_run {
        disk::write_file(file, run_text(&report).as_bytes(), existing)?;
    }
    if let Some(file) = &args.save_baseline {
        disk::write_file(file, &Baseline::of(&report).bytes()?, existing)?;
    }
    if let Some(file) = &args.html {
        let page = html::page(&report, losses.as_deref(), args.worst);
        disk::write_file(file, page.as_bytes(), existing)?;
    }
    if ui.json {
        let filter = request.filter.as_ref().map(ToString::to_string);
        ui.json(&wire::evaluation(&report, filter, args.worst, losses.as_deref()));
    } else {
        table::print(&report, losses.as_deref(), args.worst, ui);
    }
    losses.as_deref().map_or(Ok(Outcome::Done), verdict)
}

/// # Errors
/// A fault that names what is significantly worse than the baseline.
fn verdict(losses: &[Loss]) -> Result<Outcome> {
    let lost: Vec<String> = losses
        .iter()
        .filter(|loss| loss.is_loss())
        .map(|Loss { row, measure, before, difference, p }| {
            let after = before + difference.mean;
            format!("{measure} of {row} fell from {before:.4} to {after:.4} (p = {p:.4})")
        })
        .collect();
    match lost.is_empty() {
        true => Ok(Outcome::Done),
        false => Err(Fault::failed(format!("worse than the baseline: {}", lost.join(", ")))
            .hint("if this is intended, write a new one with `--save-baseline`")),
    }
}

fn measure(engine: &Engine, request: &Request, ui: &Ui) -> Result<Report> {
    let mut ingest = ProgressReporter::new(ui);
    let bar = ui.progress();
    evaluate::run(engine, request, &mut |event| match event {
        Event::Ingest(event) => ingest.report(event),
        Event::Asked { set, row, done, total } => {
            let share = done as f64 / total.max(1) as f64;
            bar.show(&set, share, || {
                format!("{row}  {} of {}", count(done as u64), count(total as u64))
            });
        }
    })
}

/// The rankings of the reference. Several sets follow each other.
fn run_text(report: &Report) -> String {
    let mut text = String::new();
    for set in &report.sets {
        let Some(row) = set.rows.get(report.reference) else { continue };
        for (question, outcome) in set.questions.iter().zip(&row.outcomes) {
            text.push_str(&evaluate::run_lines(&question.id, &outcome.ranking, &row.name));
        }
    }
    text
}

/// Prints drafted questions, one a line.
fn generate(n: usize, args: &EvalArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let filter = args.filter.parse()?;
    let start = std::time::Instant::now();
    let n_drafted =
        evaluate::draft(engine, n, filter.as_ref(), &mut |draft| ui.json_line(&draft.0))?;
    ui.note(format!(
        "{} in {}; read them before you measure with them",
        counted(n_drafted as u64, "question"),
        duration(start.elapsed())
    ));
    if n_drafted < n {
        ui.note("other passages gave no question with a quotation as its answer");
    }
    Ok(if n_drafted == 0 { Outcome::NothingFound } else { Outcome::Done })
}
