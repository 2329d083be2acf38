//! `rag chat` and `rag sessions`: sessions through the real binary.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::fixtures::{error_of, files_below, indexed};
use crate::support::{Run, Sandbox};
use crate::tools::wait_for;

const DANCE: &str = "How do honey bees dance?";
const FLOWERS: &str = "Why do they dance for the others?";

/// A command with `input` on its standard input.
fn piped(command: &mut Command, input: &str) -> Run {
    let shown = format!("{command:?} < {input:?}");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    // A command that refuses at once does not read its input.
    let _ = writer.join().unwrap();
    Run::from_output(&output, shown)
}

fn chat(sandbox: &Sandbox, args: &[&str], input: &str) -> Run {
    piped(&mut sandbox.command([&["chat"], args].concat()), input)
}

fn lines(run: &Run) -> Vec<Value> {
    run.stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}\n{run}")))
        .collect()
}

fn list(sandbox: &Sandbox) -> Value {
    sandbox.rag(["sessions", "list", "--json"]).ok().json()["sessions"].clone()
}

#[test]
fn every_line_of_standard_input_is_a_question() {
    let sandbox = indexed();
    let run = chat(
        &sandbox,
        &["--json", "--session", "work"],
        &format!("{DANCE}\n\n  {FLOWERS}\n/quit\n"),
    )
    .ok();
    let answers = lines(&run);
    assert_eq!(answers.len(), 3, "{run}");
    assert_eq!((&answers[0]["question"], &answers[0]["session"]), (&json!(DANCE), &json!("work")));
    assert_eq!(answers[0]["citations"][0]["path"], "bees.md");
    assert_eq!(answers[1]["question"], FLOWERS);
    // Slash commands exist only at a prompt.
    assert_eq!(answers[2]["question"], "/quit");
    chat(&sandbox, &[], &format!("{DANCE}\n"))
        .ok()
        .prints("Honey bees dance")
        .prints("[1] docs/bees.md:");
    chat(&sandbox, &[], "").exits(3);
    chat(&sandbox, &[], "Who won the cup in 1966?\n").exits(3).prints("Nothing in the index");
    assert_eq!(list(&sandbox).as_array().unwrap().len(), 3, "an empty session is not stored");
}

#[test]
fn a_follow_up_is_completed_from_the_session() {
    let sandbox = indexed();
    let run = chat(&sandbox, &["--session", "a"], &format!("{DANCE}\n")).ok();
    assert_eq!(run.stderr, "");
    chat(&sandbox, &["--session", "a"], &format!("{FLOWERS}\n"));
    let turns = sandbox.rag(["sessions", "show", "a", "--json"]).ok().json()["turns"].clone();
    assert_eq!((&turns[1]["question"], &turns[0]["resolved"]), (&json!(FLOWERS), &json!(DANCE)));
    assert_eq!(turns[1]["resolved"], "Why do honey bees dance for the others?");
    assert_eq!(turns[1]["citations"][0]["path"], "bees.md");
}

#[test]
fn a_failing_question_does_not_end_a_chat() {
    let sandbox = indexed();
    let long = "x".repeat(40_000);
    let input = format!("{long}\n{DANCE}\n");
    let run = chat(&sandbox, &["--json"], &input).exits(4);
    let answers = lines(&run);
    assert_eq!((&answers[0]["error"]["code"], &answers[1]["supported"]), (&json!(2), &json!(true)));
    chat(&sandbox, &[], &input).exits(4).says("the limit of 32768").prints("Honey bees dance");
}

#[test]
fn sessions_are_continued_shown_exported_and_removed() {
    let sandbox = indexed();
    let refused = chat(&sandbox, &["--continue", "--json"], DANCE).exits(2);
    assert!(error_of(&refused)["hint"].as_str().unwrap().contains("--session"));
    sandbox.rag(["sessions", "list"]).ok().says("no conversations");
    chat(&sandbox, &["--session", "first"], DANCE).ok();
    chat(&sandbox, &[], "Why does a volcano erupt?").ok();
    chat(&sandbox, &["--continue"], "What are combs made of?").ok();
    let found = list(&sandbox);
    let generated = found[0]["id"].as_str().unwrap();
    assert_eq!(
        (generated.len(), &found[0]["turns"], &found[1]["id"]),
        (32, &json!(2), &json!("first"))
    );
    assert_eq!(found[0]["first_question"], "Why does a volcano erupt?");
    assert!(found[0]["used"].as_i64().unwrap() >= found[0]["created"].as_i64().unwrap());
    sandbox.rag(["sessions", "list"]).ok().prints("FIRST QUESTION").prints(generated).prints(DANCE);
    check_show(&sandbox);
    check_export(&sandbox, generated);
    check_remove(&sandbox);
}

fn check_show(sandbox: &Sandbox) {
    let shown = sandbox.rag(["sessions", "show", "first", "--json"]).ok().json();
    let turn = &shown["turns"][0];
    assert_eq!(
        (&turn["question"], &turn["supported"], &turn["index"]),
        (&json!(DANCE), &json!(true), &json!("default"))
    );
    let cited = &turn["citations"][0];
    assert_eq!(
        (&cited["n"], &cited["root"], &cited["path"]),
        (&json!(1), &json!("docs"), &json!("bees.md"))
    );
    assert!(cited.get("text").is_none(), "passages stay in the index: {cited}");
    let run =
        sandbox.rag(["sessions", "show", "first"]).ok().prints(DANCE).prints("[1] docs/bees.md:");
    assert!(run.stdout.contains("Honey bees dance"), "{run}");
}

fn check_export(sandbox: &Sandbox, generated: &str) {
    let files: Vec<Value> = (0..2)
        .map(|_| sandbox.rag(["sessions", "export", generated, "--json"]).ok().json())
        .collect();
    assert_ne!(files[0]["file"], files[1]["file"], "nothing is overwritten");
    let name = files[0]["file"].as_str().unwrap();
    assert!(name.starts_with("data/runs/session_2") && name.ends_with("Z/session.jsonl"), "{name}");
    let exported = std::fs::read_to_string(sandbox.path().join(name)).unwrap();
    let turns: Vec<Value> =
        exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((turns.len(), &turns[1]["question"]), (2, &json!("What are combs made of?")));
    assert_eq!(turns[0]["session"], generated);
    sandbox.rag(["sessions", "export", "first", "--to", "out"]).ok().prints("out/session.jsonl");
    sandbox.write("out/session.jsonl", "mine");
    sandbox
        .rag(["sessions", "export", "first", "--to", "out"])
        .exits(2)
        .says("exists")
        .says("--force");
    assert_eq!(std::fs::read(sandbox.path().join("out/session.jsonl")).unwrap(), b"mine");
    sandbox.rag(["sessions", "export", "first", "--to", "out", "--force"]).ok();
    assert_ne!(std::fs::read(sandbox.path().join("out/session.jsonl")).unwrap(), b"mine");
    assert_eq!(std::fs::read_dir(sandbox.path().join("out")).unwrap().count(), 1);
}

fn check_remove(sandbox: &Sandbox) {
    for command in ["show", "export", "remove"] {
        sandbox.rag(["sessions", command, "none"]).exits(2).says("no session `none`").says("hint");
    }
    assert_eq!(
        sandbox.rag(["sessions", "remove", "first", "--json"]).ok().json(),
        json!({ "removed": 1 })
    );
    assert_eq!(list(sandbox).as_array().unwrap().len(), 1);
    sandbox.rag(["sessions", "remove", "--all", "--yes"]).ok().says("removed 1 conversation");
    assert_eq!(list(sandbox), json!([]));
    sandbox.rag(["sessions", "remove"]).exits(2);
    sandbox.rag(["sessions", "remove", "x", "--all"]).exits(2);
    chat(sandbox, &["--session", "../x"], DANCE).exits(2).says("invalid session name");
    chat(sandbox, &["--session", "x", "--continue"], DANCE).exits(2);
}

#[test]
fn a_session_in_use_cannot_be_removed() {
    let sandbox = indexed();
    let mut command = sandbox.command(["chat", "--json", "--session", "work"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(format!("{DANCE}\n").as_bytes()).unwrap();
    let mut answer = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut answer).unwrap();
    // The turn is stored soon after its answer is printed.
    wait_for("the turn", || (list(&sandbox)[0]["turns"] == 1).then_some(()));
    let holder = format!("process {} is using the session `work`", child.id());
    sandbox.rag(["sessions", "remove", "work"]).exits(6).says(&holder).says("hint");
    sandbox.rag(["sessions", "remove", "--all", "--yes"]).exits(6);
    sandbox.rag(["sessions", "show", "work"]).ok().prints(DANCE);
    // The lock is released with its holder, however that ends.
    child.kill().unwrap();
    child.wait().unwrap();
    sandbox.rag(["sessions", "remove", "work"]).ok();
}

#[test]
fn a_damaged_session_is_named_and_can_be_removed() {
    let sandbox = indexed();
    for id in ["good", "bad"] {
        chat(&sandbox, &["--session", id], DANCE).ok();
    }
    let file = sandbox.data().join("sessions/sessions.db");
    let mut bytes = std::fs::read(&file).unwrap();
    // The later of the two rows comes before the earlier one in its page.
    let at = bytes.windows(12).position(|window| window == b"\"question\":\"").unwrap();
    bytes[at + 12] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    sandbox
        .rag(["sessions", "show", "bad"])
        .exits(5)
        .says("session `bad`")
        .says("rag sessions remove bad");
    sandbox.rag(["sessions", "list"]).exits(5).says("session `bad`");
    chat(&sandbox, &["--session", "bad"], DANCE).exits(5);
    sandbox.rag(["sessions", "show", "good"]).ok();
    sandbox.rag(["sessions", "remove", "bad"]).ok();
    sandbox.rag(["sessions", "list"]).ok().prints("good");
    std::fs::write(&file, "no database at all, but some text that is long enough").unwrap();
    for command in [
        &["sessions", "list"][..],
        &["sessions", "remove", "--all", "--yes"],
        &["chat", "--session", "good"],
    ] {
        sandbox.rag(command).exits(5).says("sessions.db is damaged").says("hint");
    }
    assert!(std::fs::read_to_string(&file).unwrap().starts_with("no database"));
}

#[test]
fn session_files_are_private() {
    let sandbox = indexed();
    let script = "umask 000; \"$0\" chat --session work && exec \"$0\" sessions export work";
    let mut command = sandbox.under("sh", &["-c", script], [""; 0]);
    piped(&mut command, DANCE).ok();
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    let mut n_files = 0;
    for top in ["sessions", "runs"] {
        let top = sandbox.data().join(top);
        assert_eq!(mode(&top), 0o700);
        for file in files_below(&top) {
            n_files += 1;
            assert_eq!(mode(&top.join(&file)), 0o600, "{file}");
            assert_eq!(mode(top.join(&file).parent().unwrap()), 0o700, "{file}");
        }
    }
    assert!(n_files >= 3);
}
