//! The figures of `rag eval`.

use serde_json::{Map, Value, json};

use crate::evaluate::{CRITERIA, Comparison, Estimate, Group, Loss, Report, SetReport, percentile};

/// A measurement as JSON: over all sets, then of each. `worst` is the number of questions that are
/// listed of each set; `losses` compare with a baseline.
pub fn evaluation(
    report: &Report,
    filter: Option<String>,
    worst: usize,
    losses: Option<&[Loss]>,
) -> Value {
    let mut object = figures(report, None);
    let queries: usize = report.sets.iter().map(|set| set.questions.len()).sum();
    object.insert("queries".to_owned(), queries.into());
    object.insert("filter".to_owned(), filter.into());
    let sets = report.sets.iter().enumerate().map(|(n, set)| {
        let mut object = figures(report, Some(n));
        object.insert("name".to_owned(), set.name.as_str().into());
        object.insert("queries".to_owned(), set.questions.len().into());
        object.insert("answers".to_owned(), answers(set));
        let worst = report.worst(set, worst).into_iter();
        let worst: Vec<Value> = worst.map(|at| bad(report, set, at)).collect();
        object.insert("worst".to_owned(), worst.into());
        Value::Object(object)
    });
    object.insert("sets".to_owned(), sets.collect());
    if let Some(losses) = losses {
        object.insert("baseline".to_owned(), losses.iter().map(loss).collect());
    }
    Value::Object(object)
}

/// Means, times and comparisons of one set, or of all.
fn figures(report: &Report, set: Option<usize>) -> Map<String, Value> {
    let (mut modes, mut latency) = (Map::new(), Map::new());
    let names = report.row_names();
    for (row, name) in names.iter().enumerate() {
        let (mut means, mut intervals) = (Map::new(), Map::new());
        for measure in report.measures() {
            if let Some(Estimate { mean, low, high }) = report.estimate(set, row, measure) {
                means.insert(measure.to_owned(), mean.into());
                intervals.insert(measure.to_owned(), json!([low, high]));
            }
        }
        means.insert("ci95".to_owned(), intervals.into());
        modes.insert((*name).to_owned(), means.into());
        let times = report.times(set, row);
        if !times.is_empty() {
            let mut percentiles = Map::new();
            for percent in [50, 90, 95, 99] {
                percentiles.insert(format!("p{percent}"), percentile(&times, percent).into());
            }
            latency.insert((*name).to_owned(), percentiles.into());
        }
    }
    let compared = report.comparisons(set);
    let tests: Vec<Value> = compared.iter().map(|c| comparison(c, &names)).collect();
    let mut object = Map::new();
    object.insert("reference".to_owned(), names.get(report.reference).copied().into());
    object.insert("modes".to_owned(), modes.into());
    object.insert("latency_ms".to_owned(), latency.into());
    object.insert("tests".to_owned(), tests.into());
    object
}

fn comparison(comparison: &Comparison, names: &[&str]) -> Value {
    let Comparison { row, measure, difference, p } = comparison;
    json!({
        "mode": names.get(*row),
        "measure": measure,
        "difference": difference.mean,
        "ci95": [difference.low, difference.high],
        "p": p,
        "significant": comparison.is_significant(),
    })
}

fn loss(loss: &Loss) -> Value {
    let Loss { row, measure, before, difference, p } = loss;
    json!({
        "mode": row,
        "measure": measure,
        "before": before,
        "difference": difference.mean,
        "ci95": [difference.low, difference.high],
        "p": p,
        "loss": loss.is_loss(),
    })
}

/// The answers of each row by kind of question.
fn answers(set: &SetReport) -> Value {
    let mut rows = Map::new();
    for (n, row) in set.rows.iter().enumerate() {
        let (mut kinds, mut object) = (Map::new(), Map::new());
        for group in set.groups(n) {
            let [with, without, all] = Group::TOTALS;
            let figures = self::group(&group);
            match group.name.as_str() {
                name if name == with => object.insert("answerable".to_owned(), figures),
                name if name == without => object.insert("unanswerable".to_owned(), figures),
                name if name == all => object.insert("all".to_owned(), figures),
                name => kinds.insert(name.to_owned(), figures),
            };
        }
        if !object.is_empty() {
            object.insert("kinds".to_owned(), kinds.into());
            object.insert("lines_to_answer".to_owned(), set.lines_to_answer(n).into());
            rows.insert(row.name.clone(), object.into());
        }
    }
    rows.into()
}

fn group(group: &Group) -> Value {
    let mut object = Map::new();
    object.insert("n".to_owned(), group.n.into());
    for (name, share) in Group::SHARES.into_iter().zip(&group.shares) {
        object.insert(name.to_owned(), (*share).into());
    }
    object.insert("words".to_owned(), group.words.into());
    object.into()
}

/// One of the worst questions.
fn bad(report: &Report, set: &SetReport, at: usize) -> Value {
    let question = &set.questions[at];
    let mut ranks = Map::new();
    for row in &set.rows {
        ranks.insert(row.name.clone(), row.outcomes[at].first.into());
    }
    let row = &set.rows[report.reference];
    let mut object = json!({
        "id": question.id,
        "question": question.text,
        "kind": question.kind,
        "reason": set.reason(report.reference, at),
        "ranks": ranks,
        "first": row.outcomes[at].top,
    });
    if let Some(answered) = row.answers.get(at) {
        let grades = answered.grades.map(|grades| {
            CRITERIA.into_iter().zip(grades).map(|(name, grade)| (name.to_owned(), grade.into()))
        });
        object["answer"] = json!({
            "verdict": answered.verdict.map(crate::evaluate::Verdict::name),
            "text": answered.text,
            "intent": answered.intent,
            "missing": answered.missing,
            "forbidden": answered.forbidden,
            "citations": answered.citations,
            "grades": grades.map(Map::from_iter),
        });
    }
    object
}
