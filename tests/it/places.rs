//! `rag open` and `rag show`, and the formats of passages for other programs.

use serde_json::json;

use crate::fixtures::{error_of, indexed, search, write_old};
use crate::support::{Run, Sandbox};
use crate::tools::has_tool;

#[test]
fn passages_are_printed_for_editors_and_scripts() {
    let sandbox = indexed();
    let lines = sandbox.rag(["search", "honey bees", "--format", "lines", "-k", "2"]).ok();
    assert_eq!(
        lines.stdout.lines().next(),
        Some("docs/bees.md:3:Honey bees dance to tell the others where flowers are."),
        "{lines}"
    );
    assert_eq!(lines.stdout.lines().count(), 2);
    // The line that matches, and not the passage's first.
    let line = sandbox.rag(["search", "wax", "--format", "lines", "-k", "1"]).ok();
    assert!(line.stdout.starts_with("docs/bees.md:5:Their combs"), "{line}");
    let paths = sandbox.rag(["search", "bees", "--format", "paths", "--mode", "lexical"]).ok();
    assert_eq!(paths.stdout, "docs/bees.md\n");
    let paths = sandbox.rag(["ask", "How do bees dance?", "--format", "paths"]).ok();
    assert!(paths.stdout.starts_with("docs/bees.md\n"), "{paths}");
    sandbox.rag(["search", "xylophone", "--format", "paths", "--mode", "lexical"]).exits(3);
    for args in [&["--format", "paths", "--json"][..], &["--tokens", "50"], &["--format", "x"]] {
        sandbox.rag([&["search", "bees"], args].concat()).exits(2);
    }
}

#[test]
fn context_for_another_model_has_sources_and_a_budget() {
    let sandbox = indexed();
    let all = sandbox.rag(["search", "bees", "--format", "context"]).ok();
    assert!(all.stdout.starts_with("# Passages for: bees\n"), "{all}");
    assert!(all.stdout.contains("\n## [1] docs/bees.md:3 — Bees\n\nHoney bees dance"), "{all}");
    assert!(all.stdout.contains("\n## [2] docs/"), "{all}");
    let few = ["search", "bees", "--format", "context", "--tokens", "70"];
    let few = sandbox.rag(few).ok();
    assert!(few.stdout.len() < 400 && few.stdout.contains("[1] docs/bees.md"), "{few}");
    assert!(!few.stdout.contains("[2]"), "{few}");
    let least = sandbox.rag(["search", "bees", "--format", "context", "--tokens", "9"]).exits(2);
    let least = least.stderr.rsplit("--tokens ").next().unwrap().trim_end_matches(['`', '\n']);
    sandbox.rag(["search", "bees", "--format", "context", "--tokens", least]).ok();
    let ask = sandbox.rag(["ask", "How do bees dance?", "--format", "context"]).ok();
    assert!(ask.stdout.contains("## [1] docs/bees.md:3"), "{ask}");
}

#[test]
fn the_steps_of_an_answer_are_drawn() {
    let sandbox = Sandbox::new();
    write_old(
        &sandbox,
        "docs/tea.md",
        "# Making tea\n\nTo make tea:\n\n1. Boil the water.\n2. Pour it over the leaves.\n",
    );
    sandbox.ingest();
    let run = sandbox.rag(["ask", "How do I make tea?", "--format", "mermaid"]).ok();
    assert!(run.stdout.starts_with("flowchart TD\n    q([\"How do I make tea?\"])\n"), "{run}");
    assert!(run.stdout.contains(" --> s") && run.stdout.contains("Boil the water."), "{run}");
    assert!(run.stdout.contains("%% [1] docs/tea.md:"), "{run}");
    let run = sandbox.rag(["ask", "What is tea?", "--format", "mermaid", "--intent", "definition"]);
    run.exits(2).says("no steps to draw");
}

#[test]
fn a_passage_is_shown_with_what_is_around_it() {
    let sandbox = Sandbox::new();
    let section = |n: usize| {
        let words = "The keeper writes the height of the water into the book every morning. ";
        format!("## Section {n}\n\nNumber {n}. {}\n\n", words.repeat(4))
    };
    let text: String = (1..=6).map(section).collect();
    write_old(&sandbox, "docs/long.md", format!("# Long\n\n{text}"));
    sandbox.ingest();
    let shown = sandbox.rag(["show", "docs/long.md:12"]).ok();
    let marked: Vec<&str> = shown.stdout.lines().filter(|line| line.starts_with("> ")).collect();
    assert!(marked.iter().any(|line| line.contains("Number 3.")), "{shown}");
    assert!(shown.stdout.contains("Number 2.") && shown.stdout.contains("Number 4."), "{shown}");
    assert!(!shown.stdout.contains("Number 6."), "{shown}");
    assert!(shown.stdout.contains("   13  Number 3.") || marked[0].contains("13  "), "{shown}");
    let whole = sandbox.rag(["show", "long.md"]).ok();
    assert!(whole.stdout.contains("Number 1.") && whole.stdout.contains("Number 6."), "{whole}");
    let json = sandbox.rag(["show", "docs/long.md:12", "-C", "0", "--json"]).ok().json();
    assert_eq!(json["passages"].as_array().map(Vec::len), Some(1), "{json}");
    assert_eq!(json["passages"][0]["cited"], true);
    sandbox.rag(["show", "docs/long.md:900"]).exits(2).says("no text at line 900");
    sandbox.rag(["show", "docs/lnog.md"]).exits(2).says("did you mean `docs/long.md`?");
}

#[test]
fn lines_that_two_passages_share_are_shown_once() {
    let sandbox = Sandbox::new();
    let line = |n: usize| format!("Line {n} says what the keeper of the water wrote that day.\n");
    let text: String = (1..=60).map(line).collect();
    write_old(&sandbox, "docs/long.md", &text);
    sandbox.ingest();
    let json = sandbox.rag(["show", "long.md", "--json"]).ok().json();
    let passages = json["passages"].as_array().unwrap();
    let texts: Vec<&str> = passages.iter().map(|p| p["text"].as_str().unwrap()).collect();
    let n_lines: usize = texts.iter().map(|text| text.lines().count()).sum();
    assert!(passages.len() > 2 && n_lines > 60, "no overlap: {json}");
    let check = |shown: &Run| {
        for n in 1..=60 {
            let times = shown.stdout.matches(&format!("Line {n} says")).count();
            assert!(times < 2, "line {n}: {shown}");
            let numbered = format!("{n:>5}  Line {n} says");
            assert!(times == 0 || shown.stdout.contains(&numbered), "line {n}: {shown}");
        }
    };
    let whole = sandbox.rag(["show", "long.md"]).ok();
    check(&whole);
    assert_eq!(whole.stdout.matches(" says what").count(), 60, "{whole}");
    // What was asked for is shown whole.
    let second = texts[1].lines().map(|line| line.split(" says").next().unwrap());
    let around = sandbox.rag(["show", &format!("long.md:{}", passages[1]["lines"][1])]).ok();
    check(&around);
    let marked: Vec<&str> = around.stdout.lines().filter(|line| line.starts_with("> ")).collect();
    for line in second {
        assert!(marked.iter().any(|marked| marked.contains(line)), "{line}: {around}");
    }
}

#[test]
fn a_document_is_opened_in_the_editor_at_its_line() {
    let sandbox = indexed();
    let path = sandbox.path().canonicalize().unwrap().join("docs/bees.md");
    let mut command = sandbox.command(["open", "docs/bees.md:3"]);
    let run = Run::of(command.env("EDITOR", "printf '<%s>\\n' --wait")).ok();
    assert_eq!(run.stdout, format!("<--wait>\n<+3>\n<{}>\n", path.display()));
    let mut command = sandbox.command(["open", "docs/bees.md:3", "--json"]);
    let json = Run::of(command.env("EDITOR", "code")).ok().json();
    assert_eq!(json["command"], json!(["code", "--goto", format!("{}:3", path.display())]));
    let mut command = sandbox.command(["open", "bees.md"]);
    Run::of(command.env("EDITOR", "false")).exits(1).says("`false` failed");
    let mut command = sandbox.command(["open", "bees.md"]);
    Run::of(command.env("EDITOR", "no-such-editor")).exits(1).says("cannot start");
    // Nothing was shown in a terminal.
    sandbox.rag(["open", "1"]).exits(2).says("no search or answer has been shown yet");
    std::fs::remove_file(path).unwrap();
    let mut command = sandbox.command(["open", "bees.md"]);
    Run::of(command.env("EDITOR", "true")).exits(1).says("is not there");
}

#[test]
fn a_container_without_a_session_of_its_own_is_served() {
    // In a new PID namespace the session of the caller has the number 0.
    let namespace = ["-r", "-p", "-f"];
    if !has_tool("unshare", &[&namespace[..], &["true"]].concat()) {
        return;
    }
    let sandbox = indexed();
    let mut command = sandbox.under("unshare", &namespace, ["open", "1"]);
    Run::of(&mut command).exits(2).says("no search or answer has been shown yet");
}

#[test]
fn misspelt_names_are_recognized() {
    let sandbox = indexed();
    let check = |args: &[&str], meant: &str| {
        let run = sandbox.rag(args);
        assert_ne!(run.code, Some(0), "{run}");
        assert!(run.stderr.contains(meant), "{meant}\n{run}");
    };
    check(&["serach", "bees"], "'search'");
    check(&["How do bees dance?"], "run `rag ask QUESTION`");
    check(&["docs"], "to index it, run `rag ingest docs`");
    check(&["index", "docs"], "to index it, run `rag ingest docs`");
    check(&["add", "docs"], "did you mean `rag ingest FOLDER`?");
    check(&["grep", "bees"], "did you mean `rag search WORDS`?");
    let file = sandbox.write("notes/tea and more.md", "Tea is a drink.\n");
    let hint =
        format!("rag ingest {} --include '/tea and more.md'", file.parent().unwrap().display());
    check(&["ingest", file.to_str().unwrap()], &hint);
    check(&["index", "show", "defualt"], "did you mean `default`?");
    assert_eq!(sandbox.rag(["index", "show", "default", "--json"]).ok().json()["name"], "default");
    check(&["search", "bees", "--index", "defualt"], "did you mean `default`?");
    check(&["search", "bees", "--filter", "tpye:markdown"], "did you mean `type`?");
    check(&["ingest", "docs", "--model", "all-MiniLM-L6"], "did you mean `all-MiniLM-L6-v2`?");
    check(&["config", "get", "serach.k"], "did you mean `search.k`?");
    check(&["ask", "bees", "--intent", "howto"], "how-to");
    sandbox.rag(["ask", "--session", "travel", "How do bees dance?"]).ok();
    check(&["sessions", "show", "travle"], "did you mean `travel`?");
    let note = "no passage has `volcanoe`; searched for";
    let ask = sandbox.rag(["ask", "When does a volcanoe erupt?", "--json"]);
    let found = search(&sandbox, "volcanoe", &[]);
    if found["notes"].is_array() {
        assert!(ask.json()["notes"].to_string().contains(note), "{ask}");
    }
    let unknown = sandbox.rag(["--json", "search", "bees", "--index", "recipes"]).exits(1);
    assert!(!error_of(&unknown)["hint"].to_string().contains("did you mean"), "{unknown}");
}
