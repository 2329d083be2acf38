//! Measures retrieval and answers on questions whose answers are known.
//!
//! `questions ─┬ search, in every mode and variant → rankings ─┬→ measures → comparisons`
//! `           ├ runs of other systems ──────────────────────┘`
//! `           └ ask → answers → verdicts, grades of a language model`
//!
//! A row of the report is one way to rank: a mode, a variant of the settings, a run. Every figure
//! keeps the values of its questions, so that any two rows can be compared in pairs.

mod answers;
mod baseline;
mod corpus;
mod draft;
mod feedback;
mod judge;
mod measures;
mod names;
mod questions;
mod report;
mod retrieval;
mod stats;
mod trec;

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::config::{Config, Mode};
use crate::engine::Engine;
use crate::error::{Fault, Result};
use crate::filter::Filter;
use crate::ingest;
use crate::search::Searcher;
pub use answers::{Answered, Verdict};
pub use baseline::{Baseline, Loss};
use corpus::Corpus;
pub use draft::{Draft, draft};
pub use feedback::from_feedback;
use judge::Judge;
pub use judge::{CRITERIA, Grades};
pub use measures::{COMPARED, NAMES, percentile};
use names::{Documents, Relevant};
pub use questions::{Gold, Question, QuestionSet, read, read_beir};
pub use report::{Asked, Comparison, Group, Outcome, Report, Row, SIGNIFICANT, SetReport};
use retrieval::Ranker;
pub use stats::Estimate;
pub use trec::{Run, lines as run_lines, read as read_run};

/// What to measure.
pub struct Request {
    pub sets: Vec<Set>,
    pub modes: Vec<Mode>,
    pub variants: Vec<Variant>,
    pub runs: Vec<Run>,
    pub filter: Option<Filter>,
    /// Have the language model grade answers.
    pub judge: bool,
    /// Keep the rankings of the reference.
    pub keeps_rankings: bool,
}

/// Questions, and the folder to index for them; without one, the configured index is measured.
pub struct Set {
    pub questions: QuestionSet,
    pub dir: Option<PathBuf>,
}

/// The configuration with some settings changed.
pub struct Variant {
    /// The settings, as given.
    pub name: String,
    pub config: Config,
    /// It takes effect when the index is built.
    pub changes_index: bool,
}

/// Progress of a measurement.
pub enum Event {
    Ingest(ingest::Event),
    /// `done` of `total` questions of a set were asked in this way.
    Asked {
        set: String,
        row: String,
        done: usize,
        total: usize,
    },
}

/// One row of the report.
struct Plan<'a> {
    name: String,
    source: Source<'a>,
    /// It answers the questions, too.
    asks: bool,
}

enum Source<'a> {
    Search { config: &'a Config, mode: Mode, rerank: usize, changes_index: bool },
    Run(&'a Run),
}

/// Measures every way to rank on every set.
///
/// # Errors
/// A relevant document that is not in the index; whatever keeps the index or the model from being
/// read; a language model that is needed and fails.
pub fn run(engine: &Engine, request: &Request, on_event: &mut dyn FnMut(Event)) -> Result<Report> {
    let plans = plans(&engine.config, request)?;
    let judge = match request.judge {
        true => Some(Judge::new(engine)?),
        false => None,
    };
    let reference = reference(&engine.config, &plans);
    let mut sets = Vec::new();
    for set in &request.sets {
        let measurement = Measurement { engine, request, set, judge: judge.as_ref() };
        sets.push(measurement.run(&plans, reference, on_event)?);
    }
    Ok(Report { reference, sets })
}

/// The rows, in the order of the report.
fn plans<'a>(config: &'a Config, request: &'a Request) -> Result<Vec<Plan<'a>>> {
    let search = |name: &str, mode, rerank| Plan {
        name: name.to_owned(),
        source: Source::Search { config, mode, rerank, changes_index: false },
        asks: false,
    };
    let mut plans: Vec<Plan<'_>> =
        request.modes.iter().map(|mode| search(mode.name(), *mode, 0)).collect();
    if config.rerank > 0 && request.modes.contains(&Mode::Hybrid) {
        plans.push(search("rerank", Mode::Hybrid, config.rerank));
    }
    let reference = reference(config, &plans);
    if let Some(plan) = plans.get_mut(reference) {
        plan.asks = true;
    }
    plans.extend(request.variants.iter().map(|Variant { name, config, changes_index }| Plan {
        name: name.clone(),
        source: Source::Search {
            config,
            mode: config.search_mode,
            rerank: config.rerank,
            changes_index: *changes_index,
        },
        asks: true,
    }));
    plans.extend(request.runs.iter().map(|run| Plan {
        name: run.name.clone(),
        source: Source::Run(run),
        asks: false,
    }));
    let mut names = BTreeSet::new();
    match plans.iter().find(|plan| !names.insert(plan.name.as_str())) {
        Some(Plan { name, .. }) => Err(Fault::usage(format!("two rows are called `{name}`"))
            .hint("rename the file of the run, or leave out one of the variants")),
        None => Ok(plans),
    }
}

/// The row that others are compared with: what `rag search` does, or the first.
fn reference(config: &Config, plans: &[Plan<'_>]) -> usize {
    let name = match config.rerank {
        0 => config.search_mode.name(),
        _ => "rerank",
    };
    plans.iter().position(|plan| plan.name == name).unwrap_or(0)
}

/// One set.
struct Measurement<'a> {
    engine: &'a Engine,
    request: &'a Request,
    set: &'a Set,
    judge: Option<&'a Judge>,
}

/// An open index and what is relevant in it.
struct Target {
    engine: Engine,
    searcher: Searcher,
    documents: Documents,
    relevant: Vec<Relevant>,
    /// Removed last.
    _corpus: Option<Corpus>,
}

impl Measurement<'_> {
    fn run(
        &self,
        plans: &[Plan<'_>],
        reference: usize,
        on_event: &mut dyn FnMut(Event),
    ) -> Result<SetReport> {
        let questions = &self.set.questions;
        let searches = plans.iter().any(|plan| matches!(plan.source, Source::Search { .. }));
        let mut target = match searches {
            true => Some(self.target(&self.engine.config, on_event)?),
            false => None,
        };
        let mut rows = Vec::new();
        for (n, plan) in plans.iter().enumerate() {
            let keeps_ranking = self.request.keeps_rankings && n == reference;
            let row = match (&plan.source, &mut target) {
                (Source::Run(run), target) => {
                    let documents = target.as_ref().map(|target| &target.documents);
                    let outcomes = retrieval::of_run(run, questions, documents)?;
                    Row { name: plan.name.clone(), outcomes, answers: Vec::new() }
                }
                (Source::Search { config, changes_index: true, .. }, _) => {
                    let mut own = self.target(config, on_event)?;
                    self.row(plan, &mut own, keeps_ranking, on_event)?
                }
                (Source::Search { .. }, Some(target)) => {
                    self.row(plan, target, keeps_ranking, on_event)?
                }
                (Source::Search { .. }, None) => continue,
            };
            rows.push(row);
        }
        Ok(SetReport::new(questions, rows))
    }

    /// Opens the index, or builds it from the folder of the set.
    fn target(&self, config: &Config, on_event: &mut dyn FnMut(Event)) -> Result<Target> {
        let corpus = match &self.set.dir {
            Some(dir) => {
                let mut report = |event| on_event(Event::Ingest(event));
                Some(Corpus::build(self.engine, config, dir, &mut report)?)
            }
            None => None,
        };
        let engine = match &corpus {
            Some(corpus) => self.engine.with(corpus.engine.config.clone()),
            None => self.engine.with(config.clone()),
        };
        let searcher = Searcher::open(&engine)?;
        let questions = &self.set.questions;
        let documents = Documents::of(&searcher.snapshot, &engine.config.index, questions.is_beir)?;
        let relevant = documents.resolve(questions)?;
        Ok(Target { engine, searcher, documents, relevant, _corpus: corpus })
    }

    /// Asks every question as a plan says.
    fn row(
        &self,
        plan: &Plan<'_>,
        target: &mut Target,
        keeps_ranking: bool,
        on_event: &mut dyn FnMut(Event),
    ) -> Result<Row> {
        let Source::Search { config, mode, rerank, .. } = plan.source else {
            return Ok(Row::default());
        };
        // The settings of the plan, the index of the target.
        let Config { data_dir, state_dir, .. } = target.engine.config.clone();
        let config = Config { data_dir, state_dir, search_mode: mode, rerank, ..config.clone() };
        let engine = target.engine.with(config);
        let questions = &self.set.questions.questions;
        let mut report = |done| {
            let (set, row) = (self.set.questions.name.clone(), plan.name.clone());
            on_event(Event::Asked { set, row, done, total: questions.len() });
        };
        let ranker = Ranker {
            engine: &engine,
            documents: &target.documents,
            filter: self.request.filter.as_ref(),
            keeps_ranking,
        };
        let mut outcomes = Vec::new();
        for (question, relevant) in questions.iter().zip(&target.relevant) {
            outcomes.push(ranker.rank(&mut target.searcher, &question.text, relevant)?);
            report(outcomes.len());
        }
        let has_gold = questions.iter().any(|question| matches!(question.gold, Gold::Answer(_)));
        let answers = match plan.asks && (has_gold || self.judge.is_some()) {
            true => {
                let asking = answers::Asking {
                    engine: &engine,
                    roots: &target.searcher.snapshot.meta().roots,
                    filter: self.request.filter.as_ref(),
                    judge: self.judge,
                };
                asking.ask(questions, &target.relevant, &target.documents, &mut report)?
            }
            false => Vec::new(),
        };
        Ok(Row { name: plan.name.clone(), outcomes, answers })
    }
}
