//! The summary of records that `rag stats` shows.

use std::collections::{BTreeMap, BTreeSet};

use super::place::Place;
use super::{Question, Record};
use crate::error::Result;
use crate::naming;

/// Length of each list.
const MAX_LISTED: usize = 20;
/// Stages in order of display.
const STAGES: [&str; 5] = ["queue", "embedding", "search", "generation", "total"];

/// The summary of a period.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    pub since_s: i64,
    /// Unix seconds of the first and last record.
    pub span: Option<(i64, i64)>,
    pub questions: u64,
    pub searches: u64,
    /// Questions with a supported answer.
    pub supported: u64,
    /// Answers and rankings from the cache.
    pub answer_hits: u64,
    pub retrieval_hits: u64,
    pub sessions: u64,
    /// Answers that users found helpful, and those that they did not.
    pub helpful: u64,
    pub unhelpful: u64,
    pub intents: Vec<(String, u64)>,
    pub latencies: Vec<Latency>,
    /// The most frequent questions and searches.
    pub top: Vec<QuestionCount>,
    /// The most frequent questions without a supported answer.
    pub unanswered: Vec<QuestionCount>,
    /// The documents cited or found most often.
    pub documents: Vec<DocumentCount>,
    pub errors: Vec<ErrorCount>,
    /// Peak memory, mean cores in use and the longest queue, if a server sampled them.
    pub system: Option<(u64, f64, u64)>,
    /// Records with a wrong checksum, which are ignored.
    pub damaged: u64,
}

/// Percentiles and the maximum of a stage's duration, in milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Latency {
    pub stage: &'static str,
    pub n: u64,
    pub p50: f64,
    pub p90: f64,
    pub p95: f64,
    pub p99: f64,
    pub max: f64,
}

/// A question and how often it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuestionCount {
    /// The text, if the settings keep it.
    pub text: Option<String>,
    pub hash: String,
    pub is_search: bool,
    pub n: u64,
    /// How often the answer was supported.
    pub supported: u64,
    /// Unix seconds.
    pub last: i64,
}

/// A document and how often it was cited or found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentCount {
    pub index: String,
    pub path: String,
    pub n: u64,
}

/// An error and how often it occurred.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorCount {
    pub code: String,
    pub route: String,
    pub n: u64,
}

/// Summarizes the records since `since_s`; `None` when there never was a record.
///
/// # Errors
/// [`Kind::Damaged`](crate::error::Kind::Damaged) for a file that is not a database.
pub fn report(place: impl Into<Place>, since_s: i64) -> Result<Option<Report>> {
    report_of(place, since_s, &|_| true)
}

/// As [`report`], of the records that `is_shown` selects by their index; errors and samples of the
/// system have none.
///
/// # Errors
/// [`Kind::Damaged`](crate::error::Kind::Damaged) for a file that is not a database.
pub fn report_of(
    place: impl Into<Place>,
    since_s: i64,
    is_shown: &dyn Fn(Option<&str>) -> bool,
) -> Result<Option<Report>> {
    let mut summary = Summary::default();
    let exists = place.into().read(since_s, &mut |at, record| {
        let index = match &record {
            Some(Record::Question(question)) => Some(question.index.as_str()),
            Some(Record::Feedback(feedback)) => Some(feedback.index.as_str()),
            _ => None,
        };
        if is_shown(index) {
            summary.take(at, record);
        }
    })?;
    Ok(exists.then(|| summary.finish(since_s)))
}

#[derive(Default)]
struct Summary {
    report: Report,
    sessions: BTreeSet<String>,
    intents: BTreeMap<String, u64>,
    stages: [Vec<f64>; 5],
    asked: BTreeMap<String, QuestionCount>,
    documents: BTreeMap<(String, String), u64>,
    errors: BTreeMap<(String, String), u64>,
    cpu: Vec<f64>,
}

impl Summary {
    fn take(&mut self, at: i64, record: Option<Record>) {
        let Some(record) = record else {
            self.report.damaged += 1;
            return;
        };
        let first = self.report.span.map_or(at, |(first, _)| first);
        self.report.span = Some((first, at));
        match record {
            Record::Question(question) => self.question(at, *question),
            Record::Feedback(feedback) if feedback.helpful => self.report.helpful += 1,
            Record::Feedback(_) => self.report.unhelpful += 1,
            Record::Error { code, route } => *self.errors.entry((code, route)).or_default() += 1,
            Record::System { memory_bytes, cpu, queue, .. } => {
                let (memory, _, longest) = self.report.system.unwrap_or_default();
                self.report.system = Some((memory.max(memory_bytes), 0.0, longest.max(queue)));
                self.cpu.push(cpu);
            }
        }
    }

    fn question(&mut self, at: i64, question: Question) {
        let report = &mut self.report;
        if question.is_search {
            report.searches += 1;
        } else {
            report.questions += 1;
            report.supported += u64::from(question.supported);
            report.answer_hits += u64::from(question.answer_hit);
            *self.intents.entry(question.intent).or_default() += 1;
        }
        report.retrieval_hits += u64::from(question.retrieval_hit);
        let times = [
            question.queue_ms,
            question.embedding_ms,
            Some(question.search_ms),
            question.generation_ms,
            Some(question.total_ms),
        ];
        for (all, ms) in self.stages.iter_mut().zip(times) {
            all.extend(ms);
        }
        self.sessions.extend(question.session);
        let is_search = question.is_search;
        let hash =
            if is_search { format!("search {}", question.hash) } else { question.hash.clone() };
        let asked = self.asked.entry(hash).or_insert_with(|| QuestionCount {
            text: None,
            hash: question.hash,
            is_search,
            n: 0,
            supported: 0,
            last: at,
        });
        asked.n += 1;
        asked.supported += u64::from(question.supported);
        asked.last = at;
        if !question.text.is_empty() {
            asked.text = Some(question.text);
        }
        for (root, path) in question.documents {
            *self
                .documents
                .entry((question.index.clone(), naming::name(&root, &path)))
                .or_default() += 1;
        }
    }

    fn finish(self, since_s: i64) -> Report {
        let Self { mut report, sessions, intents, stages, asked, documents, errors, cpu } = self;
        report.since_s = since_s;
        report.sessions = sessions.len() as u64;
        report.intents = most_frequent(intents.into_iter().collect(), |(_, n)| *n);
        report.latencies =
            STAGES.into_iter().zip(stages).filter_map(|(stage, ms)| latency(stage, ms)).collect();
        let unanswered =
            asked.values().filter(|asked| !asked.is_search && asked.supported == 0).cloned();
        report.unanswered = most_frequent(unanswered.collect(), |asked| asked.n);
        report.top = most_frequent(asked.into_values().collect(), |asked| asked.n);
        let documents =
            documents.into_iter().map(|((index, path), n)| DocumentCount { index, path, n });
        report.documents = most_frequent(documents.collect(), |document| document.n);
        let errors = errors.into_iter().map(|((code, route), n)| ErrorCount { code, route, n });
        report.errors = most_frequent(errors.collect(), |error| error.n);
        if let Some((_, mean, _)) = &mut report.system {
            *mean = cpu.iter().sum::<f64>() / cpu.len().max(1) as f64;
        }
        report
    }
}

/// The largest counts first, [`MAX_LISTED`] at most. The sort is stable.
fn most_frequent<T>(mut all: Vec<T>, n: impl Fn(&T) -> u64) -> Vec<T> {
    all.sort_by_key(|one| std::cmp::Reverse(n(one)));
    all.truncate(MAX_LISTED);
    all
}

fn latency(stage: &'static str, mut ms: Vec<f64>) -> Option<Latency> {
    ms.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let rank = (share * ms.len() as f64).ceil() as usize;
        ms.get(rank.clamp(1, ms.len().max(1)) - 1).copied()
    };
    let (p50, p90, p95, p99, max) = (at(0.5)?, at(0.9)?, at(0.95)?, at(0.99)?, at(1.0)?);
    Some(Latency { stage, n: ms.len() as u64, p50, p90, p95, p99, max })
}
