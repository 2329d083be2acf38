//! What the completion scripts suggest.

use crate::fixtures::indexed;
use crate::support::{Run, Sandbox};
use crate::tools::has_tool;

/// The suggestions for the last word.
fn suggested(sandbox: &Sandbox, words: &[&str]) -> Vec<String> {
    let run = sandbox.rag([&["__complete"], words].concat()).ok();
    assert_eq!(run.stderr, "");
    let value = |line: &str| line.split('\t').next().unwrap_or_default().to_owned();
    run.stdout.lines().map(value).collect()
}

#[test]
fn names_in_the_data_directory_are_suggested() {
    let sandbox = indexed();
    sandbox.rag(["ingest", "docs/deep", "--index", "fire"]).ok();
    sandbox.rag(["ask", "--session", "travel", "How do bees dance?"]).ok();
    assert_eq!(suggested(&sandbox, &["search", "--index", ""]), ["default", "fire"]);
    assert_eq!(suggested(&sandbox, &["search", "--index=f"]), ["--index=fire"]);
    assert_eq!(suggested(&sandbox, &["sessions", "show", "t"]), ["travel"]);
    assert_eq!(suggested(&sandbox, &["show", "docs/b"]), ["docs/bees.md", "docs/bread.txt"]);
    let of_fire = suggested(&sandbox, &["--index", "fire", "documents", "show", ""]);
    assert_eq!(of_fire, ["docs/deep/er/volcano.rst"]);
    assert!(
        suggested(&sandbox, &["ingest", "--model", "all-"]).contains(&"all-MiniLM-L6-v2".into())
    );
    assert_eq!(suggested(&sandbox, &["ask", "--filter", "type:m"]), ["type:markdown"]);
    let jobs = suggested(&sandbox, &["jobs", "show", ""]);
    assert_eq!(jobs.len(), 2, "{jobs:?}");
    // Nothing is suggested where the settings are wrong, and no fault is printed.
    sandbox.write("rag.toml", "search.k = \n");
    assert_eq!(suggested(&sandbox, &["search", "--index", ""]), [""; 0]);
    assert_eq!(suggested(&sandbox, &["jobs", "ca"]), ["cancel"]);
}

#[test]
fn bash_completes_words_that_it_cuts_itself() {
    if !has_tool("bash", &["--version"]) {
        return;
    }
    let sandbox = indexed();
    let script = sandbox.write("rag.bash", sandbox.rag(["completions", "bash"]).ok().stdout);
    let completed = |line: &str, words: &[&str]| {
        let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        let program = format!(
            "source '{}'; COMP_LINE='{line}'; COMP_POINT=${{#COMP_LINE}}; COMP_WORDS=({}); \
             COMP_CWORD={}; _rag; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            script.display(),
            quoted.join(" "),
            words.len() - 1
        );
        let run = Run::of(&mut sandbox.under("bash", &["-c", &program], [""; 0])).ok();
        run.stdout.trim_end().to_owned()
    };
    let rag = env!("CARGO_BIN_EXE_rag");
    assert_eq!(completed("rag jobs ca", &[rag, "jobs", "ca"]), "cancel");
    assert_eq!(completed("rag ask --index=de", &[rag, "ask", "--index", "=", "de"]), "default");
    assert_eq!(completed("rag show docs/be", &[rag, "show", "docs/be"]), "docs/bees.md");
    assert_eq!(completed("rag ingest doc", &[rag, "ingest", "doc"]), "docs/");
}
