//! An earlier measurement, question by question, to compare another with.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::report::{Report, SIGNIFICANT, SetReport, differences};
use super::stats::{self, Estimate};
use crate::disk;
use crate::error::{Context as _, Fault, Result};

const VERSION: u32 = 1;

/// What a file keeps: for each set its questions, and for each row the values of each measure.
#[derive(Deserialize, Serialize)]
pub struct Baseline {
    rag_eval_baseline: u32,
    sets: BTreeMap<String, BaselineSet>,
}

#[derive(Deserialize, Serialize)]
struct BaselineSet {
    questions: Vec<String>,
    rows: BTreeMap<String, BTreeMap<String, Vec<Option<f64>>>>,
}

/// A measure against the baseline.
#[derive(Debug)]
pub struct Loss {
    pub row: String,
    pub measure: &'static str,
    pub before: f64,
    /// Of this measurement minus the baseline.
    pub difference: Estimate,
    pub p: f64,
}

impl Loss {
    /// Whether it is worse than the baseline beyond chance.
    pub fn is_loss(&self) -> bool {
        self.difference.mean < 0.0 && self.p < SIGNIFICANT
    }
}

/// Measures that are better when they are higher.
const COMPARED: [&str; 6] = ["ndcg@10", "recall@10", "recall@100", "mrr@10", "right", "cited"];

impl Baseline {
    pub fn of(report: &Report) -> Self {
        let rows = |set: &SetReport| {
            let names = set.rows.iter().enumerate();
            names
                .map(|(n, row)| {
                    let values = COMPARED.map(|name| (name.to_owned(), set.values(n, name)));
                    let values = values.into_iter().filter(|(_, values)| !values.is_empty());
                    (row.name.clone(), values.collect())
                })
                .collect()
        };
        let set = |set: &SetReport| {
            let questions = set.questions.iter().map(|question| question.text.clone()).collect();
            (set.name.clone(), BaselineSet { questions, rows: rows(set) })
        };
        Self { rag_eval_baseline: VERSION, sets: report.sets.iter().map(set).collect() }
    }

    /// The content of a file.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).or_failed(|| "cannot write the baseline".to_owned())
    }

    /// # Errors
    /// A usage fault for a file that is no baseline.
    pub fn read(file: &Path) -> Result<Self> {
        let input = std::io::BufReader::new(disk::given_file(file)?);
        let read: serde_json::Result<Self> = serde_json::from_reader(input);
        match read {
            Ok(baseline) if baseline.rag_eval_baseline == VERSION => Ok(baseline),
            _ => Err(Fault::usage(format!("{} is not a baseline", file.display()))
                .hint("write one with `rag eval FILE --save-baseline BASELINE`")),
        }
    }

    /// Every measure of every row that both have, over the questions that both have.
    ///
    /// # Errors
    /// A usage fault when they have nothing in common.
    pub fn compare(&self, report: &Report) -> Result<Vec<Loss>> {
        let mut compared = Vec::new();
        for (n, row) in report.row_names().into_iter().enumerate() {
            for measure in COMPARED {
                let pairs = report.sets.iter().filter_map(|set| self.pairs(set, n, measure));
                let (before, strata): (Vec<_>, Vec<_>) = pairs.unzip();
                let (Some(before), Some(difference)) =
                    (stats::estimate(&before), stats::estimate(&strata))
                else {
                    continue;
                };
                let (row, before) = (row.to_owned(), before.mean);
                let p = stats::p_value(&strata);
                compared.push(Loss { row, measure, before, difference, p });
            }
        }
        match compared.is_empty() {
            true => Err(Fault::usage("the baseline has none of these questions and rows")
                .hint("compare measurements of the same questions")),
            false => Ok(compared),
        }
    }

    /// Values before, and differences since, of the questions that both have.
    fn pairs(&self, set: &SetReport, row: usize, measure: &str) -> Option<(Vec<f64>, Vec<f64>)> {
        let kept = self.sets.get(&set.name)?;
        let values = kept.rows.get(&set.rows.get(row)?.name)?.get(measure)?;
        let before: BTreeMap<&str, Option<f64>> =
            kept.questions.iter().map(String::as_str).zip(values.iter().copied()).collect();
        let before: Vec<Option<f64>> = set
            .questions
            .iter()
            .map(|question| before.get(question.text.as_str()).copied().flatten())
            .collect();
        let differences = differences(&set.values(row, measure), &before);
        let before = before.into_iter().flatten().collect();
        (!differences.is_empty()).then_some((before, differences))
    }
}
