//! The same files give the same index and the same answers, with any number of threads and at any
//! time.

use serde_json::Value;

use crate::fixtures::{files_below, topics, write_old};
use crate::support::{Run, Sandbox};

/// Enough files of different sizes that threads finish out of order.
fn corpus(sandbox: &Sandbox) {
    topics(sandbox);
    for n in 0..24 {
        let text: String = (0..(n * 7) % 40)
            .map(|i| format!("Valve {i} of boiler {n} opens at {} bar.\n\n", i * n))
            .collect();
        write_old(
            sandbox,
            &format!("docs/boilers/{n}.md"),
            format!("# Boiler {n}\n\n{text}Checked by hand.\n"),
        );
    }
}

/// Removes the fields that differ between two runs.
fn without_measures(mut value: Value) -> Value {
    for field in ["timings", "job_id", "seconds", "index_dir"] {
        value.as_object_mut().unwrap().remove(field);
    }
    value
}

#[test]
fn threads_and_repetition_change_no_result() {
    let sandbox = Sandbox::new();
    corpus(&sandbox);
    let rag = |data: &str, args: &[&str]| {
        let mut command = sandbox.command([args, &["--json", "--data-dir", data]].concat());
        let run = Run::of(&mut command);
        assert!(matches!(run.code, Some(0 | 3)), "{run}");
        without_measures(run.json())
    };
    let runs = [("one", "1"), ("again", "1"), ("many", "7")];
    let summaries =
        runs.map(|(data, threads)| rag(data, &["ingest", "--dir", "docs", "--threads", threads]));
    assert_eq!(summaries[0], summaries[1]);
    assert_eq!(summaries[0], summaries[2]);
    for question in [
        "At how many bar does valve 3 open?",
        "boiler 7",
        "honey",
        "\"checked by hand\"",
        "nothing of the kind",
    ] {
        // With `--explain` a hybrid search shows both retrievers' scores exactly.
        let search = ["search", question, "--explain", "-k", "30", "--no-cache"];
        let found = rag("one", &search);
        assert_eq!(found, rag("one", &search), "{question} twice");
        for (data, _) in &runs[1..] {
            assert_eq!(found, rag(data, &search), "{question} in {data}");
        }
        let ask = ["ask", question, "--no-cache"];
        let answer = rag("one", &ask);
        assert_eq!(answer, rag("many", &ask), "{question}");
    }
}

/// Contents and names of an index's files that must be equal, made with this many threads.
fn indexed_files(sandbox: &Sandbox, threads: &str) -> Vec<(Vec<u8>, String)> {
    let args = ["ingest", "--dir", "docs", "--json", "--data-dir", threads, "--threads", threads];
    let summary = sandbox.rag(args).ok().json();
    let dir = sandbox.path().join(summary["index_dir"].as_str().unwrap());
    let mut files = files_below(&dir);
    files.retain(|file| !file.starts_with("bm25/") && file != "meta.json");
    files.into_iter().map(|file| (std::fs::read(dir.join(&file)).unwrap(), file)).collect()
}

#[test]
fn the_files_of_an_index_do_not_depend_on_threads() {
    let sandbox = Sandbox::new();
    corpus(&sandbox);
    let (one, many) = (indexed_files(&sandbox, "1"), indexed_files(&sandbox, "5"));
    assert!(one.len() >= 3, "vectors, their keys and the document table");
    for ((a, name), (b, other)) in one.iter().zip(&many) {
        assert_eq!(name, other);
        assert!(a == b, "{name} differs");
    }
}
