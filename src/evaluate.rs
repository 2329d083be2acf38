//! How good retrieval is, on questions whose relevant files are known.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::{BufRead, ErrorKind};
use std::path::Path;
use std::time::Instant;

use serde::Deserialize;

use crate::cache::Caching;
use crate::config::Mode;
use crate::engine::{Engine, Stop};
use crate::error::{Fault, Result};
use crate::filter::Filter;
use crate::index::{Snapshot, State};
use crate::naming;
use crate::search::{self, Searcher};

/// Passages asked for, so that at least 100 files remain once passages are collapsed to files.
const DEPTH: usize = 400;

#[derive(Deserialize)]
struct Question {
    query: String,
    /// Relative path to grade; 0 is not relevant.
    relevant: BTreeMap<String, u32>,
}

/// Means over all questions.
#[derive(Clone, Debug)]
pub struct ModeReport {
    /// `lexical`, `dense`, `hybrid`; `rerank` for hybrid with a second look.
    pub mode: &'static str,
    pub ndcg_10: f64,
    pub recall_100: f64,
    pub mrr_10: f64,
    pub p50_ms: f64,
    pub p95_ms: f64,
}

#[derive(Clone, Debug)]
pub struct Report {
    pub queries: usize,
    pub modes: Vec<ModeReport>,
}

/// Runs every question of `input`, which is called `file`, in every mode, over the documents that
/// `filter` leaves, and with a second look where the configuration asks for one.
pub fn run(
    engine: &Engine,
    input: impl BufRead,
    file: &Path,
    filter: Option<&Filter>,
) -> Result<Report> {
    let read = read(input, file)?;
    let mut searcher = Searcher::open(engine)?;
    let questions = resolved(read, file, &engine.config.index, &Known::of(&searcher.snapshot)?)?;
    let mut modes = Vec::new();
    let mut rows: Vec<_> =
        [Mode::Lexical, Mode::Dense, Mode::Hybrid].map(|mode| (mode.name(), mode, 0)).into();
    if engine.config.rerank > 0 {
        rows.push(("rerank", Mode::Hybrid, engine.config.rerank));
    }
    for (name, mode, rerank) in rows {
        let (mut ndcg, mut recall, mut mrr, mut times) = (0.0, 0.0, 0.0, Vec::new());
        for question in &questions {
            if engine.interrupted() {
                return Err(Fault::interrupted());
            }
            let start = Instant::now();
            let request = search::Request {
                query: question.query.clone(),
                mode,
                k: DEPTH,
                rerank,
                caching: Caching::Use,
                filter: filter.cloned(),
                stop: Stop::default(),
            };
            let hits = searcher.search(engine, &request)?.hits;
            times.push(search::milliseconds(start));
            let mut seen = HashSet::new();
            let files: Vec<&str> =
                hits.iter().map(|hit| &*hit.path).filter(|path| seen.insert(*path)).collect();
            ndcg += ndcg_at(&files, &question.relevant, 10);
            recall += recall_at(&files, &question.relevant, 100);
            mrr += reciprocal_rank_at(&files, &question.relevant, 10);
        }
        times.sort_by(f64::total_cmp);
        let percentile = |p: usize| times[(times.len() * p / 100).min(times.len() - 1)];
        let n = questions.len() as f64;
        modes.push(ModeReport {
            mode: name,
            ndcg_10: ndcg / n,
            recall_100: recall / n,
            mrr_10: mrr / n,
            p50_ms: percentile(50),
            p95_ms: percentile(95),
        });
    }
    Ok(Report { queries: questions.len(), modes })
}

/// The questions of a file that have a relevant document, each with the number of its line.
fn read(input: impl BufRead, file: &Path) -> Result<Vec<(usize, Question)>> {
    let mut questions = Vec::new();
    for (line, n) in input.lines().zip(1..) {
        let place = || format!("{}:{n}", file.display());
        let line = line.map_err(|e| match e.kind() {
            ErrorKind::InvalidData => {
                Fault::usage(format!("{}: the line is not valid UTF-8", place())).hint(LINE)
            }
            _ => Fault::failed(format!("cannot read {}", file.display())).because(e),
        })?;
        if line.trim().is_empty() {
            continue;
        }
        let question = question(&line)
            .map_err(|why| Fault::usage(format!("{}: {why}", place())).hint(LINE))?;
        if question.relevant.values().any(|grade| *grade > 0) {
            questions.push((n, question));
        }
    }
    if questions.is_empty() {
        return Err(Fault::usage(format!(
            "{} has no question with a relevant file",
            file.display()
        ))
        .hint(LINE));
    }
    Ok(questions)
}

/// The questions with their documents as the index names them.
///
/// # Errors
/// A usage fault for a relevant document that the index does not have: it could only count as not
/// found.
fn resolved(
    questions: Vec<(usize, Question)>,
    file: &Path,
    index: &str,
    known: &Known,
) -> Result<Vec<Question>> {
    let resolve = |(n, question): (usize, Question)| match known.resolve(question.relevant) {
        Ok(relevant) => Ok(Question { relevant, ..question }),
        Err(path) => {
            let what =
                format!("{}:{n}: the index `{index}` has no document `{path}`", file.display());
            Err(Fault::usage(what).hint(known.advice(&path)))
        }
    };
    questions.into_iter().map(resolve).collect()
}

/// What a line of the file looks like.
const LINE: &str = r#"a line is {"query": "…", "relevant": {"PATH": GRADE, …}}"#;

/// # Errors
/// Says what is wrong with the line.
fn question(line: &str) -> std::result::Result<Question, String> {
    let question: Question = serde_json::from_str(line).map_err(|e| {
        // A line of JSON Lines is always line 1 to the parser.
        let why = e.to_string();
        let why = why
            .strip_suffix(&format!(" at line {} column {}", e.line(), e.column()))
            .unwrap_or(&why);
        format!("{why} (column {})", e.column())
    })?;
    match question.query.trim().is_empty() {
        true => Err("the query is empty".to_owned()),
        false => Ok(question),
    }
}

/// The documents of an index, by each name that a line may use.
struct Known {
    /// Path below the folder, and the same behind the folder's name, to the path below the folder.
    names: BTreeMap<String, String>,
    /// Files that are in the index's table and gave no document.
    unread: BTreeSet<String>,
}

impl Known {
    fn of(snapshot: &Snapshot) -> Result<Self> {
        let roots = &snapshot.meta().roots;
        let (mut names, mut unread) = (BTreeMap::new(), BTreeSet::new());
        for record in snapshot.documents()? {
            if record.state != State::Indexed {
                unread.insert(record.path);
                continue;
            }
            let root = roots.get(record.root).map_or("", |root| &root.given);
            names.insert(naming::name(root, &record.path), record.path.clone());
            names.insert(record.path.clone(), record.path);
        }
        Ok(Self { names, unread })
    }

    /// The same grades by paths below the folder.
    ///
    /// # Errors
    /// The relevant path that no document has.
    fn resolve(
        &self,
        relevant: BTreeMap<String, u32>,
    ) -> std::result::Result<BTreeMap<String, u32>, String> {
        let mut resolved = BTreeMap::new();
        for (path, grade) in relevant {
            match self.names.get(&path) {
                Some(own) => resolved.insert(own.clone(), grade),
                // What is not relevant may be missing.
                None if grade == 0 => continue,
                None => return Err(path),
            };
        }
        Ok(resolved)
    }

    /// What to do about a path that no document has.
    fn advice(&self, path: &str) -> String {
        let file_name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        let wanted = file_name(path);
        if self.unread.contains(path) {
            return "the file gave no document; `rag documents list --failed` and `--skipped` say why".to_owned();
        }
        match self.names.values().find(|own| !wanted.is_empty() && file_name(own) == wanted) {
            Some(near) => format!(
                "there is `{near}`; paths are relative to the folder that was \
                 ingested"
            ),
            None => {
                "`rag documents list` shows the documents; ingest the folder again if the file \
                 is new"
                    .to_owned()
            }
        }
    }
}

/// Normalised discounted cumulative gain with linear gains and a base-2 discount (Järvelin and
/// Kekäläinen 2002; as `trec_eval` computes it).
fn ndcg_at(files: &[&str], relevant: &BTreeMap<String, u32>, k: usize) -> f64 {
    let discounted = |grades: &mut dyn Iterator<Item = u32>| -> f64 {
        grades
            .take(k)
            .enumerate()
            .map(|(i, grade)| f64::from(grade) / (i as f64 + 2.0).log2())
            .sum()
    };
    let mut ideal: Vec<u32> = relevant.values().copied().collect();
    ideal.sort_unstable_by(|a, b| b.cmp(a));
    let gained =
        discounted(&mut files.iter().map(|file| relevant.get(*file).copied().unwrap_or(0)));
    gained / discounted(&mut ideal.into_iter())
}

fn recall_at(files: &[&str], relevant: &BTreeMap<String, u32>, k: usize) -> f64 {
    let is_relevant = |file: &&&str| relevant.get(**file).is_some_and(|grade| *grade > 0);
    let found = files.iter().take(k).filter(is_relevant).count();
    found as f64 / relevant.values().filter(|grade| **grade > 0).count() as f64
}

fn reciprocal_rank_at(files: &[&str], relevant: &BTreeMap<String, u32>, k: usize) -> f64 {
    let first =
        files.iter().take(k).position(|file| relevant.get(*file).is_some_and(|grade| *grade > 0));
    first.map_or(0.0, |i| 1.0 / (i as f64 + 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relevant(grades: &[(&str, u32)]) -> BTreeMap<String, u32> {
        grades.iter().map(|(path, grade)| ((*path).to_owned(), *grade)).collect()
    }

    #[test]
    fn measures_by_hand() {
        let gold = relevant(&[("a", 1), ("b", 1), ("c", 0)]);
        assert!((ndcg_at(&["a", "b"], &gold, 10) - 1.0).abs() < 1e-12);
        // Only `b`, in third place: (1 / log2 4) / (1 / log2 2 + 1 / log2 3).
        let expected = 0.5 / (1.0 + 1.0 / 3f64.log2());
        assert!((ndcg_at(&["x", "c", "b"], &gold, 10) - expected).abs() < 1e-12);
        assert_eq!(ndcg_at(&["x", "b"], &gold, 1), 0.0);
        assert_eq!(recall_at(&["b", "x"], &gold, 100), 0.5);
        assert_eq!(reciprocal_rank_at(&["x", "b"], &gold, 10), 0.5);
    }
}
