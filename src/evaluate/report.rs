//! The figures of a measurement.

use super::answers::{Answered, Verdict};
use super::judge::CRITERIA;
use super::measures::{COMPARED, Measures, NAMES};
use super::questions::{Gold, QuestionSet};
use super::stats::{self, Estimate};

/// A difference counts when its p is below.
pub const SIGNIFICANT: f64 = 0.05;

/// Every row on every set.
pub struct Report {
    /// The row that the others are compared with.
    pub reference: usize,
    pub sets: Vec<SetReport>,
}

pub struct SetReport {
    pub name: String,
    pub questions: Vec<Asked>,
    pub rows: Vec<Row>,
}

/// A question of the report.
pub struct Asked {
    pub id: String,
    pub text: String,
    /// The kind of a question with a known answer.
    pub kind: Option<String>,
    /// The documents do not answer it.
    pub is_unanswerable: bool,
}

/// One way to rank. Its vectors have an entry for each question of the set.
#[derive(Default)]
pub struct Row {
    pub name: String,
    pub outcomes: Vec<Outcome>,
    /// Empty if nothing was asked.
    pub answers: Vec<Answered>,
}

/// One ranking.
#[derive(Debug, Default)]
pub struct Outcome {
    /// `None` if nothing is relevant.
    pub measures: Option<Measures>,
    /// The rank of the first relevant entry, as deep as the ranking goes.
    pub first: Option<usize>,
    /// What came first instead.
    pub top: Option<String>,
    /// `None` for runs of other systems.
    pub ms: Option<f64>,
    /// Names of documents with scores, where they were kept.
    pub ranking: Vec<(String, f64)>,
}

/// Answers to questions of one kind.
pub struct Group {
    pub name: String,
    pub n: usize,
    /// The shares of [`Group::SHARES`], and the mean number of words; `None` where no question has
    /// the measure.
    pub shares: Vec<Option<f64>>,
    pub words: Option<f64>,
}

impl Group {
    pub const SHARES: [&str; 8] =
        ["right", "partly", "wrong", "refused", "cited", "in_10", "in_3", "first"];

    /// Names of the groups that are not kinds.
    pub const TOTALS: [&str; 3] = ["all with an answer", "without an answer", "all"];
}

/// A row against the reference.
pub struct Comparison {
    pub row: usize,
    pub measure: &'static str,
    /// Of the row minus the reference.
    pub difference: Estimate,
    pub p: f64,
}

impl Comparison {
    pub fn is_significant(&self) -> bool {
        self.p < SIGNIFICANT
    }
}

impl SetReport {
    pub(super) fn new(set: &QuestionSet, rows: Vec<Row>) -> Self {
        let questions = set.questions.iter().map(|question| {
            let (kind, is_unanswerable) = match &question.gold {
                Gold::Documents(_) => (None, false),
                Gold::Answer(gold) => (Some(gold.kind.clone()), gold.elements.is_empty()),
            };
            let (id, text) = (question.id.clone(), question.text.clone());
            Asked { id, text, kind, is_unanswerable }
        });
        Self { name: set.name.clone(), questions: questions.collect(), rows }
    }

    /// The values of a measure for each question; `None` where it does not apply.
    pub fn values(&self, row: usize, measure: &str) -> Vec<Option<f64>> {
        let Some(row) = self.rows.get(row) else { return Vec::new() };
        match NAMES.iter().position(|name| *name == measure) {
            Some(at) => row.outcomes.iter().map(|o| Some(o.measures.as_ref()?[at])).collect(),
            None => row.answers.iter().map(|answered| answered.value(measure)).collect(),
        }
    }
}

impl SetReport {
    /// The answers of a row by the kind of question, then those of all kinds.
    pub fn groups(&self, row: usize) -> Vec<Group> {
        let Some(answers) = self.rows.get(row).map(|row| &row.answers) else { return Vec::new() };
        let judged = |at: &usize| answers.get(*at).is_some_and(|a| a.verdict.is_some());
        let all: Vec<usize> = (0..self.questions.len()).filter(judged).collect();
        let (without, with): (Vec<usize>, Vec<usize>) =
            all.iter().partition(|at| self.questions[**at].is_unanswerable);
        let mut groups: Vec<(String, Vec<usize>)> = Vec::new();
        for at in &with {
            let kind = self.questions[*at].kind.clone().unwrap_or_default();
            match groups.iter_mut().find(|(name, _)| *name == kind) {
                Some((_, members)) => members.push(*at),
                None => groups.push((kind, vec![*at])),
            }
        }
        let totals = Group::TOTALS.map(str::to_owned).into_iter().zip([with, without, all]);
        groups.extend(totals);
        let groups = groups.into_iter().filter(|(_, members)| !members.is_empty());
        groups.map(|(name, members)| self.group(row, name, &members)).collect()
    }

    fn group(&self, row: usize, name: String, members: &[usize]) -> Group {
        let mean = |measure: &str| {
            let values = self.values(row, measure);
            let values: Vec<f64> = members.iter().filter_map(|at| values[*at]).collect();
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        let share = |share: &str| {
            mean(match share {
                "in_10" => "recall@10",
                "in_3" => "recall@3",
                "first" => "recall@1",
                other => other,
            })
        };
        let shares = Group::SHARES.into_iter().map(share).collect();
        Group { name, n: members.len(), shares, words: mean("words") }
    }

    /// The median of the lines from a citation to the answer in it.
    pub fn lines_to_answer(&self, row: usize) -> Option<f64> {
        let answers = &self.rows.get(row)?.answers;
        let mut lines: Vec<usize> = answers.iter().filter_map(|answer| answer.lines).collect();
        lines.sort_unstable();
        let middle = |at: usize| lines.get(at).map(|n| *n as f64);
        Some(f64::midpoint(middle(lines.len().checked_sub(1)? / 2)?, middle(lines.len() / 2)?))
    }

    /// Why a question is among the worst, from its ranks in all rows.
    pub fn reason(&self, reference: usize, at: usize) -> String {
        let rank = |row: &Row| row.outcomes.get(at).and_then(|outcome| outcome.first);
        let own = self.rows.get(reference).and_then(rank);
        let answered = self.rows.get(reference).and_then(|row| row.answers.get(at));
        let verdict = answered.and_then(|answered| answered.verdict);
        if self.questions.get(at).is_some_and(|question| question.is_unanswerable) {
            return "answered, although the documents do not answer it".to_owned();
        }
        let best = self.rows.iter().filter_map(|row| Some((rank(row)?, &row.name))).min();
        match (own, best, verdict) {
            (_, None, _) => "no ranking lists what is relevant".to_owned(),
            (Some(1..=10), _, Some(Verdict::Refused)) => {
                "the passage is among the first ten, but nothing counted as support".to_owned()
            }
            (Some(1..=10), _, Some(Verdict::Partly | Verdict::Wrong)) => {
                "the passage is among the first ten, but the answer lacks what is asked for"
                    .to_owned()
            }
            (_, Some((rank @ 1..=10, name)), _) if own.is_none_or(|own| own > 10) => {
                format!("`{name}` ranks it {rank}, but this ranking does not keep it at the top")
            }
            (Some(1..=10), ..) => "other passages come first".to_owned(),
            _ => "every ranking puts it far down".to_owned(),
        }
    }
}

impl Report {
    pub fn row_names(&self) -> Vec<&str> {
        let rows = self.sets.first().map_or(&[][..], |set| &set.rows);
        rows.iter().map(|row| row.name.as_str()).collect()
    }

    /// Measures that the report has, in order.
    pub fn measures(&self) -> Vec<&'static str> {
        let has = |measure: &&str| {
            let mut sets = self.sets.iter();
            sets.any(|set| set.values(self.reference, measure).iter().any(Option::is_some))
        };
        NAMES
            .into_iter()
            .chain(Verdict::ALL.map(Verdict::name))
            .chain(["cited"])
            .chain(CRITERIA)
            .filter(has)
            .collect()
    }

    /// The mean of a measure with its interval, of one set or of all.
    pub fn estimate(&self, set: Option<usize>, row: usize, measure: &str) -> Option<Estimate> {
        let values = |set: &SetReport| set.values(row, measure).into_iter().flatten().collect();
        stats::estimate(&self.selected(set).map(values).collect::<Vec<_>>())
    }

    /// Every row against the reference, of one set or of all.
    pub fn comparisons(&self, set: Option<usize>) -> Vec<Comparison> {
        let mut compared = Vec::new();
        for row in (0..self.row_names().len()).filter(|row| *row != self.reference) {
            for measure in COMPARED.into_iter().chain(["right"]) {
                let strata: Vec<Vec<f64>> = self
                    .selected(set)
                    .map(|set| {
                        differences(&set.values(row, measure), &set.values(self.reference, measure))
                    })
                    .collect();
                if let Some(difference) = stats::estimate(&strata) {
                    let p = stats::p_value(&strata);
                    compared.push(Comparison { row, measure, difference, p });
                }
            }
        }
        compared
    }

    /// Times of a row in milliseconds, sorted.
    pub fn times(&self, set: Option<usize>, row: usize) -> Vec<f64> {
        let rows = self.selected(set).filter_map(|set| set.rows.get(row));
        let mut times: Vec<f64> =
            rows.flat_map(|row| row.outcomes.iter().filter_map(|outcome| outcome.ms)).collect();
        times.sort_by(f64::total_cmp);
        times
    }

    /// The `n` questions of a set whose answer, or else whose ranking, is worst in the reference.
    pub fn worst(&self, set: &SetReport, n: usize) -> Vec<usize> {
        let Some(row) = set.rows.get(self.reference) else { return Vec::new() };
        let badness = |at: usize| {
            let verdict = row.answers.get(at).and_then(|a| a.verdict).map_or(0, |v| v as usize);
            let ndcg = row.outcomes[at].measures.map_or(1.0, |measures| measures[0]);
            let rank = row.outcomes[at].first.unwrap_or(usize::MAX);
            (verdict, ndcg, rank)
        };
        let is_perfect = |at: &usize| {
            let (verdict, ndcg, _) = badness(*at);
            verdict == 0 && (ndcg >= 1.0 || !row.answers.is_empty())
        };
        let mut worst: Vec<usize> = (0..set.questions.len()).filter(|at| !is_perfect(at)).collect();
        worst.sort_by(|a, b| {
            let (a, b) = (badness(*a), badness(*b));
            b.0.cmp(&a.0).then(a.1.total_cmp(&b.1)).then(b.2.cmp(&a.2))
        });
        worst.truncate(n);
        worst
    }

    fn selected(&self, set: Option<usize>) -> impl Iterator<Item = &SetReport> {
        let is_selected = move |(n, _): &(usize, &SetReport)| set.is_none_or(|set| set == *n);
        self.sets.iter().enumerate().filter(is_selected).map(|(_, set)| set)
    }
}

/// Differences of the pairs that have both values.
pub(super) fn differences(a: &[Option<f64>], b: &[Option<f64>]) -> Vec<f64> {
    a.iter().zip(b).filter_map(|(a, b)| Some((*a)? - (*b)?)).collect()
}
