//! Runs in the format of TREC: `QUESTION Q0 DOCUMENT RANK SCORE TAG`, a line for each document.
//!
//! Columns are separated by white space, so white space within a name is written as `%20`, and a
//! percent sign as `%25`.

use std::collections::HashMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use super::questions::{each_line, name_of};
use crate::disk;
use crate::error::{Fault, Result};
use crate::strings::percent_decoded;

/// A run of another system.
pub struct Run {
    /// The name of the file.
    pub name: String,
    /// Names of documents by question, best first.
    pub rankings: HashMap<String, Vec<String>>,
}

const FORMAT: &str = "expected columns: question, Q0, document, rank, score, tag";

/// Reads a run. Documents are ordered by score, those of equal score by rank, then in the order of
/// the file.
///
/// # Errors
/// A usage fault that names the invalid line.
pub fn read(file: &Path) -> Result<Run> {
    let input: BufReader<File> = BufReader::new(disk::given_file(file)?);
    let mut scored: HashMap<String, Vec<(f64, u64, String)>> = HashMap::new();
    each_line(input, file, FORMAT, &mut |_, line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let [question, _, document, rank, score, ..] = columns[..] else {
            return Err(format!("{} columns", columns.len()));
        };
        let rank = rank.parse().map_err(|_| format!("`{rank}` is not a rank"))?;
        let score: f64 = score.parse().map_err(|_| format!("`{score}` is not a score"))?;
        if score.is_nan() {
            return Err("the score is not a number".to_owned());
        }
        scored.entry(percent_decoded(question)).or_default().push((
            score,
            rank,
            percent_decoded(document),
        ));
        Ok(())
    })?;
    if scored.is_empty() {
        return Err(Fault::usage(format!("{} is empty", file.display())).hint(FORMAT));
    }
    let ranked = |mut documents: Vec<(f64, u64, String)>| {
        documents.sort_by(|(a, x, _), (b, y, _)| b.total_cmp(a).then(x.cmp(y)));
        documents.into_iter().map(|(.., document)| document).collect()
    };
    let rankings = scored.into_iter().map(|(id, documents)| (id, ranked(documents))).collect();
    Ok(Run { name: name_of(file), rankings })
}

/// The lines of one question. A score that is not below the one before it is lowered to the next
/// number below, so that every reader sees the same order.
pub fn lines(question: &str, ranking: &[(String, f64)], tag: &str) -> String {
    let mut out = String::new();
    let mut last = f64::INFINITY;
    for ((document, score), rank) in ranking.iter().zip(1..) {
        last = if *score < last { *score } else { last.next_down() };
        let (question, document, tag) = (encoded(question), encoded(document), encoded(tag));
        out.push_str(&format!("{question} Q0 {document} {rank} {last} {tag}\n"));
    }
    out
}

fn encoded(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        match c {
            '%' => out.push_str("%25"),
            c if c.is_whitespace() => {
                let mut bytes = [0; 4];
                c.encode_utf8(&mut bytes).bytes().for_each(|b| out.push_str(&format!("%{b:02X}")));
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_run_is_read_in_the_same_order() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("r.txt");
        let ranking =
            [("a b.md", 0.5), ("50%.md", 0.5), ("c", -1.0)].map(|(d, s)| (d.to_owned(), s));
        std::fs::write(&file, lines("q 1", &ranking, "hybrid")).unwrap();
        let run = read(&file).unwrap();
        assert_eq!(
            (run.name.as_str(), &run.rankings["q 1"][..]),
            ("r", &["a b.md", "50%.md", "c"].map(str::to_owned)[..])
        );
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("q%201 Q0 a%20b.md 1 0.5 hybrid\n"), "{text}");
        assert!(text.contains(" 2 0.49999999999999994 "), "{text}");
    }

    #[test]
    fn documents_are_ordered_by_score_then_rank() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("r.txt");
        std::fs::write(&file, "1 Q0 a 1 0.1 t\n1 Q0 b 3 0.2 t\n1 Q0 c 2 0.2 t\n").unwrap();
        assert_eq!(read(&file).unwrap().rankings["1"], ["c", "b", "a"]);
        std::fs::write(&file, "1 Q0 a one 0.1 t\n").unwrap();
        let fault = read(&file).err().unwrap();
        assert!(fault.to_string().contains("r.txt:1: `one` is not a rank"), "{fault}");
    }
}
