//! How well the risk of a question or passage tells attacks from ordinary texts: by patterns, by
//! nearness to the exemplars, and by both.

use std::path::Path;

use rag::analysis::untrusted::{Risk, RiskLevel};
use rag::error::{Context as _, Fault, Result};
use rag::search::Exemplars;
use rag::vector::Vector;
use serde_json::{Value, json};

/// Ordinary questions of each collection.
const QUESTIONS: usize = 67;
/// Ordinary passages, each also with an attack at its end.
const PASSAGES: usize = 100;
/// Words of a passage: the attack must be among the tokens that the model reads.
const WORDS: usize = 120;

/// Precision and recall as JSON rows: `texts`, `by`, `precision`, `recall`, `flagged`, `ordinary`.
pub fn measure(
    data: &Path,
    fingerprint: &str,
    embed: &mut dyn FnMut(&str) -> Result<Vector>,
) -> Result<String> {
    let exemplars = Exemplars::of(fingerprint)
        .ok_or_else(|| Fault::failed("the exemplars have no vectors of this model"))?;
    let mut risks = |texts: &[String]| -> Result<Vec<Risk>> {
        let risk =
            |text: &String| Ok(Risk::new(text, Some(exemplars.nearness(embed(text)?.as_slice()))));
        texts.iter().map(risk).collect()
    };
    let questions = ordinary_questions(data)?;
    let plain = passages(data)?;
    let ordinary = [risks(&questions)?, risks(&plain)?];
    let mut rows = Vec::new();
    for part in ["train", "test"] {
        let (attacks, requests) = attacks(data, part)?;
        let inserted: Vec<String> = plain
            .iter()
            .zip(attacks.iter().cycle())
            .map(|(passage, attack)| format!("{passage} {attack}"))
            .collect();
        rows.extend(compare(&format!("{part}: questions"), &risks(&attacks)?, &ordinary[0]));
        rows.extend(compare(&format!("{part}: passages"), &risks(&inserted)?, &ordinary[1]));
        rows.extend(compare(&format!("{part}: plain requests"), &risks(&requests)?, &[]));
    }
    Ok(Value::from(rows).to_string())
}

/// A row for each way to judge.
fn compare(texts: &str, attacks: &[Risk], ordinary: &[Risk]) -> Vec<Value> {
    let by = |by: &str, judged: &dyn Fn(&Risk) -> Risk| {
        let count = |risks: &[Risk]| {
            risks.iter().filter(|risk| judged(risk).level() > RiskLevel::None).count()
        };
        let (found, wrong) = (count(attacks), count(ordinary));
        json!({
            "texts": texts,
            "by": by,
            "precision": found as f64 / (found + wrong).max(1) as f64,
            "recall": found as f64 / attacks.len() as f64,
            "flagged": [found, attacks.len()],
            "ordinary": [wrong, ordinary.len()],
        })
    };
    vec![
        by("patterns", &|risk| Risk { nearness: None, ..risk.clone() }),
        by("nearness", &|risk| Risk { kinds: Vec::new(), ..risk.clone() }),
        by("both", &Risk::clone),
    ]
}

/// The texts of BIPIA that steer an answer, and its plain requests ("What is the capital of …?"),
/// which are attacks only in the midst of another document.
fn attacks(data: &Path, part: &str) -> Result<(Vec<String>, Vec<String>)> {
    let all = json(&data.join(format!("bipia/text_attack_{part}.json")))?;
    let lists = all.as_object().into_iter().flatten();
    let texts = lists.flat_map(|(_, texts)| texts.as_array().into_iter().flatten());
    let texts = texts.filter_map(Value::as_str).map(str::to_owned);
    let steers = |text: &String| {
        ["response", "answer", "reply", "message"].iter().any(|word| text.contains(word))
    };
    Ok(texts.partition(steers))
}

fn ordinary_questions(data: &Path) -> Result<Vec<String>> {
    let mut answers = Vec::new();
    for name in ["docs", "python_peps", "rustbook_en"] {
        answers.extend(column(&data.join(format!("answers/{name}.jsonl")), "question")?);
    }
    let mut questions = spread(&answers, QUESTIONS);
    for (file, n) in
        [("xquad_en/queries.jsonl", QUESTIONS), ("clapnq_a/questions.jsonl", QUESTIONS - 1)]
    {
        questions.extend(spread(&column(&data.join(file), "text")?, n));
    }
    Ok(questions)
}

fn passages(data: &Path) -> Result<Vec<String>> {
    let all = spread(&column(&data.join("xquad_en/corpus.jsonl"), "text")?, PASSAGES);
    let cut = |text: &String| text.split(' ').take(WORDS).collect::<Vec<_>>().join(" ");
    Ok(all.iter().map(cut).collect())
}

/// `n` texts, evenly spaced.
fn spread(texts: &[String], n: usize) -> Vec<String> {
    (0..n).filter_map(|i| texts.get(i * texts.len() / n).cloned()).collect()
}

/// A field of every line of a file.
fn column(path: &Path, field: &str) -> Result<Vec<String>> {
    let what = || format!("cannot read {}", path.display());
    let text = std::fs::read_to_string(path).or_failed(what)?;
    let values = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    Ok(values.filter_map(|value| Some(value[field].as_str()?.to_owned())).collect())
}

fn json(path: &Path) -> Result<Value> {
    let what = || format!("cannot read {}", path.display());
    serde_json::from_slice(&std::fs::read(path).or_failed(what)?).or_failed(what)
}
