//! How commands end: every exit code, errors in JSON, help that fits the terminal, and missing
//! parts.

use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::fixtures::{error_of, indexed, topics, write_old};
use crate::support::{Run, Sandbox, installed, project_data};
use crate::tools::has_lock_open;

#[test]
fn every_exit_code_is_used() {
    let sandbox = indexed();
    sandbox.rag(["search", "bees"]).exits(0);
    sandbox
        .rag(["search", "bees", "--index", "nowhere"])
        .exits(1)
        .says("there is no index named `nowhere`");
    sandbox.rag(["search"]).exits(2);
    sandbox.rag(["search", "xylophone", "--mode", "lexical"]).exits(3);
    let too_large =
        Run::of(sandbox.command(["ingest", "--dir", "docs"]).env("RAG_INGEST_MAX_FILE_BYTES", "5"));
    // Indexed text is kept, so nothing is lost; but the run reports that a file was not read.
    write_old(&sandbox, "docs/tides.md", "changed");
    drop(too_large.exits(0));
    Run::of(sandbox.command(["ingest", "--dir", "docs"]).env("RAG_INGEST_MAX_FILE_BYTES", "5"))
        .exits(4);
    let endpoint =
        Run::of(sandbox.command(["model", "pull", "a/b"]).env("HF_ENDPOINT", "http://127.0.0.1:1"));
    endpoint.exits(7).says("127.0.0.1:1");
    let lock = hold_lock(&sandbox);
    sandbox
        .rag(["ingest", "--dir", "docs"])
        .exits(6)
        .says(&format!("process {}", std::process::id()));
    sandbox.rag(["index", "remove", "--yes"]).exits(6);
    drop(lock);
    let pointer = sandbox.data().join("indexes/names/default.json");
    std::fs::write(&pointer, "{").unwrap();
    sandbox.rag(["search", "bees"]).exits(5).says("default.json is damaged");
}

/// Takes the writer lock of the sandbox's data directory, like another process.
fn hold_lock(sandbox: &Sandbox) -> std::fs::File {
    let path = sandbox.data().join("indexes/.lock");
    let mut file = std::fs::File::create(path).unwrap();
    file.try_lock().unwrap();
    write!(file, "{}", std::process::id()).unwrap();
    file
}

fn interrupt(child: &Child) {
    kill_process(Pid::from_child(child), Signal::INT).unwrap();
}

#[test]
fn an_interrupted_command_exits_130() {
    let sandbox = indexed();
    let _lock = hold_lock(&sandbox);
    let child = sandbox.spawn(["ingest", "--dir", "docs", "--wait", "3600", "--json"]);
    // With the lock file open its signal handlers are installed and it waits.
    while !has_lock_open(child.id()) {
        std::thread::yield_now();
    }
    interrupt(&child);
    let run = Run::from_output(&child.wait_with_output().unwrap(), "ingest, interrupted".into())
        .exits(130);
    assert_eq!(error_of(&run)["code"], 130);
    assert_eq!(run.stdout, "");
}

#[test]
fn errors_are_json_with_the_json_flag() {
    let sandbox = indexed();
    for (args, code) in [
        (&["search", "bees", "--index", "nowhere"][..], 1),
        (&["search", ""], 2),
        (&["search", "bees", "-k", "0"], 2),
        // Found by clap.
        (&["search"], 2),
        (&["serch", "bees"], 2),
        (&["search", "bees", "--mode", "psychic"], 2),
        (&["cache", "purge", "nothing"], 2),
    ] {
        let run = sandbox.rag([args, &["--json"]].concat()).exits(code);
        assert_eq!(run.stdout, "", "{run}");
        assert_eq!(run.stderr.lines().count(), 1, "{run}");
        let error = error_of(&run);
        assert_eq!(error["code"], code, "{run}");
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|text| !text.is_empty() && !text.starts_with("error")),
            "{run}"
        );
        assert!(error.get("hint").is_some(), "{run}");
    }
    let run = sandbox.rag(["serch", "--json"]);
    assert!(error_of(&run)["hint"].as_str().unwrap().contains("'search'"), "{run}");
    // After `--` it is not a flag.
    assert!(!sandbox.rag(["stats", "--", "--json"]).exits(2).stderr.starts_with('{'));
}

#[test]
fn plain_errors_have_a_message_and_a_hint() {
    let sandbox = Sandbox::new();
    let run = sandbox.rag(["search", "bees"]).exits(1);
    let dir = sandbox.path().canonicalize().unwrap().join("data/indexes");
    let error = format!("error: there is no index named `default` in {}\n", dir.display());
    assert_eq!(run.stderr, error + "hint: make one with `rag ingest --dir FOLDER`\n");
    assert_eq!(run.stdout, "");
    assert!(!sandbox.data().exists(), "a search creates nothing");
    sandbox.rag(["search", "bees", "--color", "always"]).exits(1).says("\x1b[31merror\x1b[0m");
}

#[test]
fn a_mistyped_command_or_flag_gets_a_suggestion() {
    let sandbox = Sandbox::new();
    sandbox.rag(["serch", "bees"]).exits(2).says("'search'");
    sandbox.rag(["ingest", "--exlude", "docs"]).exits(2).says("'--exclude'");
    sandbox.rag(["search", "bees", "--mode", "lexcal"]).exits(2).says("'lexical'");
    sandbox.rag(["index", "lsit"]).exits(2).says("'list'");
}

/// `rag` and every command below it, as words.
fn commands() -> Vec<Vec<String>> {
    fn visit(path: &[String], command: &clap::Command, all: &mut Vec<Vec<String>>) {
        all.push(path.to_vec());
        for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
            visit(&[path, &[sub.get_name().to_owned()]].concat(), sub, all);
        }
    }
    let mut all = Vec::new();
    visit(&[], &rag::cli::command(), &mut all);
    all
}

#[test]
fn help_fits_100_columns_and_starts_with_a_summary() {
    let sandbox = Sandbox::new();
    let commands = commands();
    assert!(commands.len() > 20, "{commands:?}");
    for command in commands {
        for flag in ["--help", "-h"] {
            let run = sandbox.rag(command.iter().map(String::as_str).chain([flag])).ok();
            assert_eq!(run.stderr, "");
            for line in run.stdout.lines() {
                assert!(line.chars().count() <= 100, "{command:?} {flag}: {line}");
            }
            let first = run.stdout.lines().next().unwrap();
            assert!(
                first.starts_with(char::is_uppercase) && !first.ends_with('.'),
                "{command:?}: {first}"
            );
            assert!(run.stdout.contains("--data-dir"), "{run}");
        }
    }
}

#[test]
fn arguments_that_are_not_utf8_are_refused_without_a_panic() {
    let sandbox = indexed();
    let garbled = OsStr::from_bytes(b"caf\xe9");
    let cases: [&[&OsStr]; 10] = [
        &[garbled],
        &["search".as_ref(), garbled],
        &["ask".as_ref(), garbled],
        &["ingest".as_ref(), "--dir".as_ref(), garbled],
        &["search".as_ref(), "bees".as_ref(), "--data-dir".as_ref(), garbled],
        &["search".as_ref(), "bees".as_ref(), "--index".as_ref(), garbled],
        &["index".as_ref(), "load".as_ref(), garbled],
        &["model".as_ref(), "add".as_ref(), garbled],
        &["model".as_ref(), "pull".as_ref(), garbled],
        &["eval".as_ref(), garbled],
    ];
    for args in cases {
        let run = sandbox.rag(args).exits(2);
        assert!(!run.stderr.contains("panicked") && !run.stderr.is_empty(), "{run}");
    }
    std::fs::create_dir(sandbox.path().join(garbled)).unwrap();
    sandbox.rag(["ingest".as_ref(), "--dir".as_ref(), garbled]).exits(2).says("not valid UTF-8");
    // A file may have any name, in a folder and as a bundle.
    std::fs::write(sandbox.path().join("docs").join(garbled), "The heron waits.").unwrap();
    sandbox.ingest();
    sandbox.rag(["search", "heron", "--mode", "lexical"]).ok().prints(r"caf\xE9");
    sandbox.rag(["index".as_ref(), "save".as_ref(), OsStr::from_bytes(b"out\xe9.tar.zst")]).ok();
}

#[test]
fn a_closed_output_pipe_ends_a_command_quietly() {
    let sandbox = indexed();
    for args in [
        &["search", "bees"][..],
        &["search", "bees", "--json"],
        &["man"],
        &["completions", "zsh"],
        &["--help"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = sandbox.command(args).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        let run = Run::from_output(&output, format!("{args:?} into a closed pipe")).ok();
        assert_eq!(run.stderr, "");
    }
}

#[test]
fn a_missing_library_or_model_names_the_command_to_run() {
    let sandbox = Sandbox::new();
    write_old(&sandbox, "docs/a.md", "The heron waits.\n");
    let ingest = ["ingest", "--dir", "docs"];
    let run = Run::of(&mut installed(&sandbox, &ingest)).exits(1);
    let run =
        run.says("no model named `all-MiniLM-L6-v2`").says("scripts/setup").says("rag model pull");
    // Every folder tried is named.
    run.says("data/models")
        .says("prefix/bin/../share/rag/models")
        .says("home/.local/share/rag/models");

    std::fs::create_dir_all(sandbox.path().join("data")).unwrap();
    symlink(project_data().join("models"), sandbox.path().join("data/models")).unwrap();
    let run = Run::of(&mut installed(&sandbox, &ingest)).exits(1);
    run.says("the ONNX Runtime library is not on this machine")
        .says("scripts/setup")
        .says("ORT_DYLIB_PATH");
    assert!(!sandbox.data().join("indexes/names/default.json").exists());

    sandbox.write("data/runtime/libonnxruntime.so", "not a library");
    Run::of(&mut installed(&sandbox, &ingest))
        .exits(1)
        .says("libonnxruntime.so")
        .says("scripts/setup");
}

#[test]
fn lexical_search_works_without_library_and_model() {
    let sandbox = indexed();
    let data = sandbox.path().join("alone");
    std::fs::create_dir(&data).unwrap();
    std::fs::rename(sandbox.data().join("indexes"), data.join("indexes")).unwrap();
    let search = |mode: &str| {
        Run::of(&mut installed(
            &sandbox,
            &["search", "bees", "--data-dir", "alone", "--mode", mode],
        ))
    };
    search("lexical").ok().prints("bees.md");
    search("hybrid").exits(1).says("no model named");
}

#[test]
fn an_installed_tree_works_from_any_folder() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    let share = sandbox.path().join("prefix/share/rag");
    std::fs::create_dir_all(&share).unwrap();
    for folder in ["models", "runtime"] {
        symlink(project_data().join(folder), share.join(folder)).unwrap();
    }
    let elsewhere = sandbox.path().join("else/where");
    std::fs::create_dir_all(&elsewhere).unwrap();
    let docs = sandbox.path().join("docs");
    let mut ingest = installed(&sandbox, &["ingest", "--json", "--dir"]);
    assert_eq!(Run::of(ingest.arg(&docs).current_dir(&elsewhere)).ok().json()["documents"], 6);
    assert!(elsewhere.join("data/indexes").is_dir());
    let mut search = installed(&sandbox, &["search", "bees", "--json"]);
    assert_eq!(Run::of(search.current_dir(&elsewhere)).ok().json()["hits"][0]["root"], json!(docs));
    // A link to the binary finds the files beside the binary.
    std::fs::create_dir(sandbox.path().join("links")).unwrap();
    let link = sandbox.path().join("links/rag");
    symlink(sandbox.path().join("prefix/bin/rag"), &link).unwrap();
    let mut linked = Command::new(&link);
    linked.args(["search", "bees"]).current_dir(&elsewhere).env_clear();
    Run::of(&mut linked).ok();
}

#[test]
fn a_full_disk_behind_stdout_exits_1() {
    let sandbox = Sandbox::new();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let Ok(full) = full else { return eprintln!("skipped: there is no /dev/full here") };
    let output = sandbox
        .command(["cache", "stats"])
        .stdout(full)
        .stderr(std::process::Stdio::piped())
        .output();
    let output = output.expect("rag runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot write to standard output"));
}

/// The write end of a pipe without a reader.
fn closed_pipe() -> std::process::Stdio {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    writer.into()
}

#[test]
fn a_closed_output_pipe_keeps_the_exit_code() {
    let sandbox = indexed();
    let run = |args: &[&str]| {
        let output = sandbox.command(args).stdout(closed_pipe()).stderr(Stdio::piped()).output();
        Run::from_output(&output.expect("rag runs"), format!("{args:?} | (no reader)"))
    };
    run(&["search", "bees"]).ok();
    run(&["search", "qqqqq", "--mode", "lexical"]).exits(3);
    run(&["--help"]).ok();
    let pointer = sandbox.data().join("indexes/names/default.json");
    let text = std::fs::read_to_string(&pointer).unwrap();
    std::fs::write(&pointer, text.replacen("\"name\": \"default\"", "\"name\": \"other\"", 1))
        .unwrap();
    // These print before they fail.
    run(&["index", "list"]).exits(5).says("its seal is broken");
    run(&["doctor"]).exits(5);
}

#[test]
fn a_full_disk_behind_stdout_does_not_replace_a_fault() {
    let sandbox = indexed();
    let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else {
        return eprintln!("skipped: there is no /dev/full here");
    };
    let run = |args: &[&str]| {
        let full = full.try_clone().expect("a file");
        let output =
            sandbox.command(args).stdout(full).stderr(std::process::Stdio::piped()).output();
        Run::from_output(&output.expect("rag runs"), format!("{args:?} > /dev/full"))
    };
    run(&["--help"]).exits(1).says("cannot write to standard output");
    run(&["--version"]).exits(1).says("cannot write to standard output");
    let pointer = sandbox.data().join("indexes/names/default.json");
    std::fs::write(&pointer, "{}").unwrap();
    run(&["index", "list"]).exits(5).says("default.json");
}

/// A name that a user gave is repeated in the message, and the command exits 2.
#[test]
fn a_missing_or_unsuitable_file_or_folder_is_named() {
    let sandbox = indexed();
    sandbox.write("file", "");
    for (args, message) in [
        (&["mcp", "--root", "/nope"][..], "there is no folder /nope"),
        (&["mcp", "--allow-ingest", "--root", "/nope"], "there is no folder /nope"),
        (&["mcp", "--root", "file"], "file is not a folder"),
        (&["model", "add", "/nope"], "there is no folder /nope"),
        (&["model", "add", "file"], "file is not a folder"),
        (&["model", "add", "file/x"], "there is no folder file/x: a part of the path is a file"),
        (&["eval", "/nope"], "there is no file /nope"),
        (&["eval", "docs"], "docs has no queries.jsonl"),
        (&["eval", "file"], "file has no question with a relevant document"),
        (&["ask", "--batch", "/nope"], "there is no file /nope"),
        (&["ask", "--batch", "docs"], "docs is a folder, not a file"),
        (&["cache", "warm", "/nope"], "there is no file /nope"),
        (&["index", "load", "/nope"], "there is no file /nope"),
        (&["index", "load", "docs"], "docs is a folder, not a file"),
        (&["ingest", "--dir", "/nope"], "there is no folder /nope"),
        (&["ingest", "--dir", "file"], "file is not a folder"),
        (&["ingest", "--dir", ""], "--dir"),
        (&["index", "list", "--data-dir", "file"], "data_dir = file (--data-dir): is not a folder"),
        (
            &["index", "list", "--data-dir", "file/x"],
            "data_dir = file/x (--data-dir): is not a folder",
        ),
    ] {
        let run = sandbox.rag([args, &["--json"]].concat()).exits(2);
        assert!(
            error_of(&run)["message"].as_str().is_some_and(|text| text.contains(message)),
            "{message:?}: {run}"
        );
    }
    let serve = |file: &str| {
        let mut command = sandbox.command(["serve", "--port", "0"]);
        Run::of(command.env("RAG_SERVE_TOKEN_FILE", file)).exits(2).says("serve.token_file = ")
    };
    serve("/nope").says("(environment RAG_SERVE_TOKEN_FILE): there is no such file");
    serve("docs");
}

/// Invalid lines, and lines that name a document that the index lacks.
#[test]
fn an_invalid_line_of_an_evaluation_is_named_with_the_expected_form() {
    let sandbox = indexed();
    let eval = |text: &str| {
        sandbox.write("q.jsonl", text);
        sandbox.rag(["eval", "q.jsonl"])
    };
    let good = r#"{"query": "bees", "relevant": {"bees.md": 1, "never.md": 0}}"#;
    eval(good).ok();
    eval(&good.replace("bees.md", "docs/bees.md")).ok();
    let line = "expected format: {\"query\"";
    eval(&format!("{good}\n\nbees\n"))
        .exits(2)
        .says("q.jsonl:3: expected value (column 1)")
        .says(line);
    eval(r#"{"query": "bees"}"#).exits(2).says("q.jsonl:1: missing field `relevant`").says(line);
    eval(r#"{"query": " ", "relevant": {"bees.md": 1}}"#)
        .exits(2)
        .says("q.jsonl:1: the query is empty")
        .says(line);
    let missing = |path: &str| eval(&format!("{good}\n{}", good.replace("bees.md", path))).exits(2);
    missing("birds.md")
        .says("q.jsonl:2: no document `birds.md` in the index `default`")
        .says("rag documents list");
    missing("old/bees.md").says("did you mean `bees.md`? Paths are relative");
}
