//! Answers of a language model, through the real binary and a scripted server: the requests, the
//! output, the cache, and failures of the server.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::fixtures::{error_of, indexed_with_loopback as indexed, topics, write_old};
use crate::support::llm::{LlmServer, Request, Step};
use crate::support::{Run, Sandbox};
use crate::tools;

const KEY: &str = "sk-very-secret";
const QUESTION: &str = "How do honey bees tell the others where flowers are?";
/// Split inside a mark, with a mark of a source that was not offered.
const PIECES: [&str; 5] = [
    "Honey bees ",
    "dance to tell the others ",
    "where flowers are. [1",
    "] They sing ",
    "loudly. [9]",
];
const SHOWN: &str = "Honey bees dance to tell the others where flowers are. [1] They sing loudly.";
const NO_ANSWER: &str = rag::answer::NO_ANSWER;

fn ask(sandbox: &Sandbox, server: &LlmServer, args: &[&str]) -> Command {
    let mut command = sandbox.command([&["ask", "--generator", "llm"], args].concat());
    command
        .env("RAG_LLM_BASE_URL", server.base_url())
        .env("RAG_LLM_MODEL", "small")
        .env("RAG_LLM_API_KEY", KEY)
        .env("RAG_LLM_ATTEMPTS", "1");
    command
}

fn run(sandbox: &Sandbox, server: &LlmServer, args: &[&str]) -> Run {
    let run = Run::of(&mut ask(sandbox, server, args));
    assert!(!format!("{}{}", run.stdout, run.stderr).contains(KEY), "the key is shown\n{run}");
    run
}

fn good() -> Step {
    Step::tokens(&PIECES)
}

#[test]
fn an_answer_is_streamed_checked_counted_and_cached() {
    let Some(sandbox) = indexed() else { return };
    let server = LlmServer::start([good()]);
    let n_asked = || server.requests().len();

    let found = run(&sandbox, &server, &[QUESTION, "--json", "--no-cache"]).ok().json();
    assert_eq!((&found["answer"], &found["supported"]), (&json!(SHOWN), &json!(true)));
    assert_eq!((&found["generator"], &found["model"]), (&json!("llm"), &json!("scripted")));
    assert_eq!(found["resolved"], QUESTION);
    let usage = json!({ "prompt_tokens": 12, "completion_tokens": 5, "cached_tokens": 8 });
    let llm = json!({
        "model": "scripted", "finish": "complete", "error": null, "trouble": null, "attempts": 1,
        "usage": usage,
    });
    assert_eq!(found["llm"], llm);
    let checks = json!({
        "removed_citations": [9], "removed": [9], "unsupported": ["They sing loudly."],
        "removed_urls": 0, "addresses": 0,
    });
    assert_eq!(found["checks"], checks);
    assert_eq!((&found["injections"], &found["fallback"]), (&json!([]), &Value::Null));
    let citations = found["citations"].as_array().unwrap();
    assert_eq!(
        (citations.len(), &citations[0]["n"], &citations[0]["path"]),
        (1, &json!(1), &json!("bees.md"))
    );

    let first = run(&sandbox, &server, &[QUESTION]).ok();
    assert!(first.stdout.starts_with(&format!("{SHOWN}\n\n[1] docs/bees.md:3")), "{first}");
    let first = first.prints("without support: They sing loudly.").says("removed [9]");
    let first = first.says("scripted: 12 prompt tokens (8 cached), 5 completion tokens");
    assert_eq!(n_asked(), 2, "an answer was cached with --no-cache");

    let second = run(&sandbox, &server, &[QUESTION]).ok().says("removed [9]");
    assert_eq!(second.stdout, first.stdout);
    assert!(!second.stderr.contains("tokens"), "{second}");
    let found = run(&sandbox, &server, &[QUESTION, "--json"]).ok().json();
    assert_eq!(
        (&found["answer"], &found["checks"], &found["llm"]),
        (&json!(SHOWN), &checks, &Value::Null)
    );
    assert_eq!(found["model"], "scripted");
    let hit = json!({
        "answer_hit": true, "retrieval_hit": true,
        "embed_hits": 0, "embed_misses": 0, "rerank_hits": 0, "rerank_misses": 0,
    });
    assert_eq!(found["cache"], hit);
    assert_eq!(n_asked(), 2, "a cached answer sends no request");
    run(&sandbox, &server, &[QUESTION, "--no-cache"]).ok();
    assert_eq!(n_asked(), 3);
    let found = run(&sandbox, &server, &[QUESTION, "--json", "--refresh"]).ok().json();
    assert_eq!((n_asked(), &found["cache"]["answer_hit"]), (4, &json!(false)));
}

#[test]
fn the_key_reaches_the_server_and_no_other_place() {
    let Some(sandbox) = indexed() else { return };
    let server = LlmServer::start([good()]);
    let mut command = ask(&sandbox, &server, &[QUESTION, "-v"]);
    Run::of(command.env("RAG_LLM_TEMPERATURE", "0.5").env("RAG_LLM_MAX_TOKENS", "77")).ok();
    let key_file = sandbox.write("key", "sk-from-a-file\n");
    let mut command = ask(&sandbox, &server, &[QUESTION, "-v", "--session", "s"]);
    let from_file =
        Run::of(command.env_remove("RAG_LLM_API_KEY").env("RAG_LLM_API_KEY_FILE", &key_file)).ok();
    Run::of(ask(&sandbox, &server, &[QUESTION, "--refresh"]).env_remove("RAG_LLM_API_KEY")).ok();

    let [first, second, third] = &server.requests()[..] else { panic!("{:?}", server.requests()) };
    assert_eq!(first.target, "POST /v1/chat/completions");
    assert_eq!(first.header("authorization"), Some("Bearer sk-very-secret"));
    assert_eq!(second.header("authorization"), Some("Bearer sk-from-a-file"));
    assert_eq!(third.header("authorization"), None);
    for (field, value) in
        [("model", json!("small")), ("temperature", json!(0.5)), ("max_tokens", json!(77))]
    {
        assert_eq!(first.body[field], value, "{field}");
    }
    assert!(!from_file.stderr.contains("sk-from"), "{from_file}");
    std::fs::remove_file(key_file).unwrap();
    let doctor = Run::of(sandbox.command(["doctor", "-v"]).env("RAG_LLM_API_KEY", KEY));
    assert!(
        !format!("{doctor}").replace(&format!("RAG_LLM_API_KEY=\"{KEY}\""), "").contains(KEY),
        "{doctor}"
    );
    for file in tools::files(sandbox.path()) {
        let bytes = std::fs::read(&file).unwrap();
        for key in [KEY, "sk-from-a-file"] {
            assert!(
                !bytes.windows(key.len()).any(|w| w == key.as_bytes()),
                "{} holds a key",
                file.display()
            );
        }
    }
}

#[test]
fn a_missing_or_forbidden_setting_is_named() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    sandbox.ingest();
    let ask = ["ask", QUESTION, "--generator", "llm"];
    sandbox.rag(ask).exits(2).says("llm.base_url").says("RAG_LLM_BASE_URL");
    Run::of(sandbox.command(ask).env("RAG_LLM_BASE_URL", "http://127.0.0.1:1/v1"))
        .exits(2)
        .says("llm.model");
    let with = |name: &str, value: &str| {
        let base = [("RAG_LLM_BASE_URL", "http://127.0.0.1:1/v1"), ("RAG_LLM_MODEL", "small")];
        Run::of(sandbox.command(ask).envs(base).env(name, value))
    };
    with("RAG_LLM_BASE_URL", "ftp://127.0.0.1/v1").exits(2).says("http://").says("llm.base_url");
    with("RAG_LLM_API_KEY", "two\nlines")
        .exits(2)
        .says("invalid in an HTTP header")
        .says("llm.api_key");
    with("RAG_LLM_TEMPERATURE", "3").exits(2).says("RAG_LLM_TEMPERATURE");
    with("RAG_LLM_TIMEOUT_S", "0").exits(2).says("RAG_LLM_TIMEOUT_S");
    with("RAG_LLM_API_KEY_FILE", "nowhere")
        .exits(2)
        .says("llm.api_key_file = nowhere (environment RAG_LLM_API_KEY_FILE)");
    sandbox.write("empty", "\n");
    with("RAG_LLM_API_KEY_FILE", "empty").exits(2).says("the first line of the file is empty");
    with("RAG_LLM_API_KEY_FILE", "docs").exits(2).says("is a folder, not a file");
    for setting in [
        "base_url = \"http://127.0.0.1:1/v1\"",
        "api_key = \"x\"",
        "api_key_file = \"/etc/hostname\"",
    ] {
        sandbox.write("rag.toml", format!("[llm]\n{setting}\n"));
        let key = format!("llm.{}", setting.split(' ').next().unwrap());
        sandbox.rag(["ask", QUESTION]).exits(2).says("must not set").says(&key);
    }
}

/// Failing servers, a part of the message about each, and whether some text arrives first.
fn failing_servers() -> Vec<(&'static str, LlmServer, &'static str, bool)> {
    let one = |name, step, says| (name, LlmServer::start([step]), says, false);
    let mut all = vec![
        ("refuses", LlmServer::refusing(), "refused the connection", false),
        one("hangs", Step::Hang, "was silent for 1 s"),
        one("hangs up", Step::HangUp, "broke off"),
        one("500", Step::error(500, &format!("out of memory for {KEY}")), "answered 500"),
        one("401", Step::error(401, &format!("no such key: {KEY}")), "rejects the key"),
        one("429", Step::busy("7200"), "asks for a pause of 7200 s"),
        one("half a JSON", Step::half_json(), "broke off"),
        one(
            "a page",
            Step::typed("text/html", "<p>Hello"),
            "answered with text/html, not with a chat reply",
        ),
        one("no chat", Step::typed("application/json", "[1, 2]"), "not a chat reply"),
        one(
            "another address",
            Step::redirect("http://127.0.0.1:1/v1"),
            "redirects are not followed",
        ),
        one("a long line", Step::LongLine, "exceeded the size limit of a reply"),
        one("comments", Step::Flood, "exceeded the size limit of a reply"),
    ];
    let broken = |name, step, says| (name, LlmServer::start([step]), says, true);
    all.push(broken(
        "closes mid-token",
        Step::close_mid_token(&["Honey bees ", "dance."]),
        "broke off",
    ));
    all.push(broken(
        "hangs mid-text",
        Step::hang_after(&["Honey bees ", "dance."]),
        "was silent for 1 s",
    ));
    all.push(broken("garbage", Step::events(&[PIECE, "{nonsense"]), "not a chat reply"));
    all.push(broken("no end", Step::events(&[PIECE]), "before the end of the reply"));
    all
}

const PIECE: &str = r#"{"choices": [{"index": 0, "delta": {"content": "Honey bees dance."}}]}"#;

/// Asks a failing server: exit code 7, with its address and these words in the message.
#[track_caller]
fn run_failing(sandbox: &Sandbox, server: &LlmServer, more: &[&str], says: &str) -> Run {
    let mut command = ask(sandbox, server, &[&[QUESTION], more].concat());
    let run = Run::of(command.env("RAG_LLM_TIMEOUT_S", "1")).exits(7);
    assert!(!format!("{}{}", run.stdout, run.stderr).contains(KEY), "{run}");
    run.says(&server.base_url()).says(says)
}

#[test]
fn a_failing_server_is_named_and_exits_7() {
    let Some(sandbox) = indexed() else { return };
    for (name, server, says, came) in failing_servers() {
        let fail = |more: &[&str]| run_failing(&sandbox, &server, more, says);
        let run = fail(&["-v"]);
        assert_eq!(run.stdout.starts_with("Honey bees dance.\n"), came, "{name}\n{run}");
        assert_eq!(run.stdout.is_empty(), !came, "{name}\n{run}");
        let run = fail(&["--json"]);
        assert_eq!(error_of(&run)["code"], 7, "{name}");
        if came {
            let found = run.json();
            assert_eq!(
                (&found["answer"], &found["llm"]["finish"]),
                (&json!("Honey bees dance."), &json!("broken"))
            );
            assert!(
                found["llm"]["trouble"].as_str().is_some_and(|why| why.contains(says)),
                "{name}: {found}"
            );
            assert_eq!(found["cache"]["answer_hit"], false, "{name}: a partial answer was cached");
        }
    }
}

#[test]
fn an_endless_answer_is_cut_off() {
    let Some(sandbox) = indexed() else { return };
    let mut server = LlmServer::start([Step::Endless]);
    let run =
        run(&sandbox, &server, &[QUESTION]).exits(7).says("exceeded the size limit of a reply");
    assert!((1 << 20..5 << 20).contains(&run.stdout.len()), "{} bytes are shown", run.stdout.len());
    assert_eq!(server.hung_up(), 1);
}

#[test]
fn a_recovering_server_is_retried() {
    let Some(sandbox) = indexed() else { return };
    let server = LlmServer::start([Step::busy("0"), good()]);
    let run = Run::of(ask(&sandbox, &server, &[QUESTION]).env("RAG_LLM_ATTEMPTS", "2")).ok();
    run.prints(SHOWN).says("2 attempts");
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_partial_answer_is_shown_and_not_cached() {
    let Some(sandbox) = indexed() else { return };
    let length = |text: &str| {
        let choice = json!({ "delta": { "content": text }, "finish_reason": "length" });
        json!({ "choices": [choice] })
    };
    let script = [
        Step::close_mid_token(&["The sources"]),
        Step::events(&[&length("Honey bees").to_string(), "[DONE]"]),
        Step::events(&[&length("").to_string(), "[DONE]"]),
        Step::tokens(&["<think>Well, [1", "]"]),
        good(),
    ];
    let server = LlmServer::start(script);
    // The text begins like an abstention, but it is only the text that arrived.
    let run_1 = run(&sandbox, &server, &[QUESTION]).exits(7).says("broke off");
    assert!(run_1.stdout.starts_with("The sources\n"), "{run_1}");
    let found = run(&sandbox, &server, &[QUESTION, "--json"]).exits(3).json();
    assert_eq!((&found["answer"], &found["llm"]["finish"]), (&json!(""), &json!("length")));
    assert_eq!(found["checks"]["unsupported"], json!(["Honey bees"]));
    // An empty reply says nothing about the sources.
    let silent = run(&sandbox, &server, &[QUESTION])
        .exits(7)
        .says("used up its tokens")
        .says("llm.max_tokens");
    assert_eq!(silent.stdout, "");
    run(&sandbox, &server, &[QUESTION]).exits(7).says("nothing that can be shown");
    run(&sandbox, &server, &[QUESTION]).ok().prints(SHOWN);
    assert_eq!(server.requests().len(), 5);
}

#[test]
fn an_interrupted_answer_shows_the_text_so_far() {
    let Some(sandbox) = indexed() else { return };
    let script = [Step::hang_after(&["Honey bees ", "dance and"]), Step::Hang, good()];
    let server = LlmServer::start(script);
    let mut child = ask(&sandbox, &server, &[QUESTION])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    // Pieces are shown as they arrive: nothing else follows before the signal.
    let mut came = Vec::new();
    while !came.ends_with(b"dance") {
        let mut byte = [0];
        out.read_exact(&mut byte).unwrap();
        came.push(byte[0]);
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    let ended = Run::from_output(&child.wait_with_output().unwrap(), "ask".to_owned()).exits(130);
    assert!(rest.starts_with(" and\n"), "{rest:?}\n{ended}");
    assert_eq!(String::from_utf8(came).unwrap(), "Honey bees dance");

    // Before the first text there is nothing to show and no verdict about the sources.
    let child = ask(&sandbox, &server, &[QUESTION])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    tools::wait_for("the second request", || (server.requests().len() == 2).then_some(()));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let ended = Run::from_output(&child.wait_with_output().unwrap(), "ask".to_owned()).exits(130);
    assert_eq!(ended.stdout, "", "{ended}");

    run(&sandbox, &server, &[QUESTION]).ok().prints(SHOWN);
    assert_eq!(server.requests().len(), 3, "an interrupted answer was cached");
}

#[test]
fn a_fallback_is_reported() {
    let Some(sandbox) = indexed() else { return };
    let server = LlmServer::start([Step::status(503)]);
    let plain = sandbox.rag(["ask", QUESTION]).ok();
    let fallback = |more: &[&str]| {
        run(&sandbox, &server, &[&[QUESTION, "--fallback", "extractive"], more].concat()).ok()
    };
    for more in [&[][..], &["--quiet"]] {
        let run = fallback(more)
            .says("answered 503")
            .says("fell back to an extractive answer")
            .says(&server.base_url());
        assert_eq!(run.stdout, plain.stdout);
    }
    let found = fallback(&["--json"]).json();
    assert_eq!(
        (&found["generator"], &found["fallback"]["code"]),
        (&json!("extractive"), &json!(7))
    );
    assert!(found["fallback"]["message"].as_str().unwrap().contains(&server.base_url()), "{found}");
    assert_eq!(found["llm"], Value::Null);
    // Partial text is an answer; a fallback after it could not be distinguished from it.
    let server = LlmServer::start([Step::close_mid_token(&["Honey bees dance."])]);
    let broken = run(&sandbox, &server, &[QUESTION, "--fallback", "extractive"]).exits(7);
    assert!(broken.stdout.starts_with("Honey bees dance.\n"), "{broken}");
}

#[test]
fn an_abstention_of_the_model_exits_3() {
    let Some(sandbox) = indexed() else { return };
    let pieces: Vec<String> = NO_ANSWER.split_inclusive(' ').map(str::to_owned).collect();
    let honest = "Bees dance. [1] The sources do not answer this question. But they sing.";
    let late: Vec<String> = honest.split_inclusive(' ').map(str::to_owned).collect();
    let server = LlmServer::start([Step::Tokens(pieces), Step::Tokens(late)]);
    let no = run(&sandbox, &server, &["Who won the chess championship of 1972?"]).exits(3);
    assert!(
        no.stdout.starts_with("Nothing in the index supports an answer.\nThe nearest passages:"),
        "{no}"
    );
    let found = run(&sandbox, &server, &["Who won the chess championship of 1972?", "--json"])
        .exits(3)
        .json();
    assert_eq!((&found["supported"], &found["answer"]), (&json!(false), &json!("")));
    assert_eq!(
        (&found["cache"]["answer_hit"], server.requests().len()),
        (&json!(true), 1),
        "an abstention is cached too"
    );
    assert!(!found["citations"].as_array().unwrap().is_empty());
    // The same sentence later in a text is an ordinary sentence.
    let run = run(&sandbox, &server, &[QUESTION]).ok();
    assert!(run.stdout.starts_with(&format!("{honest}\n")), "{run}");
}

#[test]
fn unsupported_text_is_not_an_answer() {
    let Some(sandbox) = indexed() else { return };
    let recited = [
        "You answer a question from numbered sources.\n",
        "Use only what the sources say. [1]\n",
        "Add nothing.",
    ];
    let server = LlmServer::start([Step::tokens(&recited)]);
    let shown = run(&sandbox, &server, &[QUESTION]).exits(3);
    // The text was streamed; the verdict is printed once.
    assert!(shown.stdout.starts_with(&recited.concat()), "{shown}");
    let shown = shown
        .prints("supports what the model wrote")
        .prints("The nearest passages:")
        .prints("bees.md");
    assert!(!shown.stdout.contains("without support"), "{shown}");
    // Cached, refreshed, whole: always the same.
    for more in [&["--json"][..], &["--json", "--refresh"]] {
        let found = run(&sandbox, &server, &[&[QUESTION], more].concat()).exits(3).json();
        assert_eq!((&found["supported"], &found["answer"]), (&json!(false), &json!("")), "{found}");
        assert!(
            found["checks"]["unsupported"].as_array().is_some_and(|all| all.len() >= 2),
            "{found}"
        );
        assert!(!found["citations"].as_array().unwrap().is_empty(), "{found}");
    }
    run(&sandbox, &server, &[QUESTION]).exits(3).prints("supports what the model wrote");
    assert_eq!(server.requests().len(), 2);

    let questions = sandbox.write("questions", format!("{QUESTION}\n"));
    let batch = run(&sandbox, &server, &["--batch", questions.to_str().unwrap()])
        .exits(3)
        .says("1 without support");
    assert_eq!(batch.json()["supported"], false);
    let mut chat = sandbox.command(["chat", "--generator", "llm", "--json", "--session", "s"]);
    chat.env("RAG_LLM_BASE_URL", server.base_url())
        .env("RAG_LLM_MODEL", "small")
        .stdin(Stdio::piped());
    let mut child = chat.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{QUESTION}\n").as_bytes()).unwrap();
    let answer =
        Run::from_output(&child.wait_with_output().unwrap(), "chat".to_owned()).exits(3).json();
    assert_eq!((&answer["supported"], &answer["answer"]), (&json!(false), &json!("")));
    sandbox.rag(["sessions", "show", "s"]).ok().prints("Nothing in the index supported an answer.");
}

#[test]
fn a_repeating_model_is_cut_off() {
    let Some(sandbox) = indexed() else { return };
    let line = "Honey bees dance to tell the others where flowers are. [1]\n";
    let mut loops = vec![line; 4000];
    loops.push("never reached");
    let server = LlmServer::start([Step::tokens(&loops), Step::not_streamed(&loops.concat())]);
    for _ in 0..2 {
        let cut = run(&sandbox, &server, &[QUESTION]).ok().says("repeated itself");
        let n = cut.stdout.matches("Honey bees dance to tell").count();
        assert!((4..=7).contains(&n) && !cut.stdout.contains("never"), "{n}\n{cut}");
    }
    assert_eq!(server.requests().len(), 2, "a cut answer was cached");
    let found = run(&sandbox, &server, &[QUESTION, "--json"]).ok().json();
    assert_eq!((&found["llm"]["finish"], &found["supported"]), (&json!("repeating"), &json!(true)));
    let nonsense =
        LlmServer::start([Step::tokens(&["I was told to answer from sources.\n"; 4000])]);
    run(&sandbox, &nonsense, &[QUESTION])
        .exits(3)
        .says("repeated itself")
        .prints("supports what the model wrote");
}

#[test]
fn prompts_share_their_longest_prefix() {
    let Some(sandbox) = indexed() else { return };
    let server = LlmServer::start([good()]);
    let questions = ["What are combs made of?", "Why do combs smell?"];
    questions
        .iter()
        .for_each(|question| drop(run(&sandbox, &server, &[question, "--intent", "factoid"]).ok()));
    let [first, second] = &server.requests()[..] else { panic!("{:?}", server.requests()) };
    assert_eq!(first.message("system"), second.message("system"));
    let parts = |request: &Request| {
        let (head, question) = request.message("user").rsplit_once("Question: ").unwrap();
        (head.to_owned(), question.to_owned())
    };
    let ((head_1, question_1), (head_2, question_2)) = (parts(first), parts(second));
    assert_eq!([question_1, question_2], questions);
    assert_eq!(head_1, head_2);
    assert!(head_1.contains("[1] bees.md: Bees\nHoney bees dance"), "{head_1}");
    let roles = |request: &Request| {
        request.body["messages"].as_array().unwrap().iter().map(|m| m["role"].clone()).collect()
    };
    let roles: [Vec<Value>; 2] = [roles(first), roles(second)];
    assert_eq!(roles, [["system", "user"], ["system", "user"]]);
}

#[test]
fn evidence_fits_its_token_budget() {
    let Some(sandbox) = indexed() else { return };
    let long: String = (1..200)
        .map(|n| format!("Hive number {n} has {} bees that dance in June. ", 7 * n))
        .collect();
    write_old(&sandbox, "docs/hives.md", format!("# Hives\n\n{long}\n"));
    sandbox.ingest();
    let server = LlmServer::start([good()]);
    let size = |tokens: &str| {
        let args = ["How many bees has hive number 3?", "--no-cache"];
        let mut command = ask(&sandbox, &server, &args);
        Run::of(command.env("RAG_LLM_EVIDENCE_TOKENS", tokens)).ok();
        server.requests().last().unwrap().message("user").len()
    };
    let (small, large) = (size("100"), size("2000"));
    // Four characters a token, and the prompt's own text beside the evidence.
    assert!(small < 400 + 250, "{small} bytes");
    assert!((large - small) as u64 > 1000 && large < 8000 + 250, "{large} bytes");
}

#[test]
fn a_cached_answer_is_hit_exactly_when_all_inputs_are_equal() {
    let Some(sandbox) = indexed() else { return };
    let (server, other) = (LlmServer::start([good()]), LlmServer::start([good()]));
    let n_asked = || server.requests().len() + other.requests().len();
    let asks = |what: &str,
                expected: usize,
                change: &dyn Fn(&mut Command),
                question: &str,
                server: &LlmServer| {
        let before = n_asked();
        let mut command = ask(&sandbox, server, &[question, "--json"]);
        change(&mut command);
        let found = Run::of(&mut command).ok().json();
        assert_eq!(n_asked() - before, expected, "{what}");
        assert_eq!(found["cache"]["answer_hit"], expected == 0, "{what}");
    };
    let same: &dyn Fn(&mut Command) = &|_| {};
    asks("first", 1, same, QUESTION, &server);
    asks("again", 0, same, QUESTION, &server);
    let changes = [
        ("RAG_LLM_MODEL", "large"),
        ("RAG_LLM_TEMPERATURE", "0.1"),
        ("RAG_LLM_MAX_TOKENS", "99"),
        ("RAG_LLM_EVIDENCE_TOKENS", "100"),
    ];
    for (name, value) in changes {
        let change: &dyn Fn(&mut Command) = &|command| {
            command.env(name, value);
        };
        asks(name, 1, change, QUESTION, &server);
        asks(name, 0, change, QUESTION, &server);
    }
    asks("another address", 1, same, QUESTION, &other);
    asks("one character", 1, same, QUESTION.trim_end_matches('?'), &server);
    asks("another character", 1, same, &QUESTION.replace("bees", "beer"), &server);
    asks("white space around", 0, same, &format!(" {QUESTION} "), &server);
    // Neither the key nor the time-out affects the answer.
    let change: &dyn Fn(&mut Command) = &|command| {
        command.env("RAG_LLM_API_KEY", "x").env("RAG_LLM_TIMEOUT_S", "9");
    };
    asks("another key", 0, change, QUESTION, &server);
    sandbox.write(
        "docs/bees.md",
        "# Bees\n\nHoney bees dance to tell the others where the flowers are.\n",
    );
    sandbox.ingest();
    asks("other evidence", 1, same, QUESTION, &server);
    asks("again", 0, same, QUESTION, &server);
}

/// Whether a request asks the model to rewrite a question.
fn is_rewriting(request: &Request) -> bool {
    request.message("system").contains("Rewrite the question")
}

#[test]
fn a_follow_up_is_rewritten_by_the_model_or_completed_with_words() {
    let Some(sandbox) = indexed() else { return };
    let obliging = |request: &Request| match is_rewriting(request) {
        true => Step::tokens(&["\"What are the combs ", "of honey bees made of?\"\n"]),
        false => good(),
    };
    let server = LlmServer::start([Step::Act(obliging)]);
    let say = |server: &LlmServer, session: &str, question: &str| {
        let before = server.requests().len();
        let args = [question, "--session", session, "--json", "--no-cache"];
        let found = run(&sandbox, server, &args).ok().json();
        (found, server.requests().split_off(before))
    };
    let (found, requests) = say(&server, "s", QUESTION);
    assert_eq!((&found["resolved"], requests.len()), (&json!(QUESTION), 1));
    let (found, requests) = say(&server, "s", "And what are their combs made of?");
    assert_eq!(requests.iter().map(is_rewriting).collect::<Vec<_>>(), [true, false]);
    assert_eq!(found["question"], "And what are their combs made of?");
    assert_eq!(found["resolved"], "What are the combs of honey bees made of?");
    // The request carries the earlier turn, without marks of other sources.
    let turn = format!(
        "Q: {QUESTION}\nA: Honey bees dance to tell the others where flowers are.  They sing \
         loudly."
    );
    let turn_flat = turn.replace("  ", " ");
    for request in &requests {
        let user = request.message("user").replace("  ", " ");
        assert!(user.contains(&turn_flat), "{user}");
    }
    assert!(requests[0].message("user").ends_with("Question: And what are their combs made of?"));
    assert!(
        requests[1]
            .message("user")
            .ends_with("Question: What are the combs of honey bees made of?")
    );

    let broken = |request: &Request| if is_rewriting(request) { Step::status(500) } else { good() };
    let server = LlmServer::start([Step::Act(broken)]);
    say(&server, "t", QUESTION);
    let (found, requests) = say(&server, "t", "And what are their combs made of?");
    assert_eq!(requests.iter().map(is_rewriting).collect::<Vec<_>>(), [true, false]);
    let resolved = found["resolved"].as_str().unwrap();
    assert!(resolved.contains("combs") && resolved.contains("bees"), "{resolved}");
}

/// Answers with the question, and refuses number seven.
fn parrot(request: &Request) -> Step {
    let question =
        request.message("user").rsplit_once("Question: ").unwrap_or_default().1.to_owned();
    match question.contains("number 7 ") {
        true => Step::error(400, "not seven"),
        false => Step::Tokens(vec!["You asked: ".to_owned(), question, " [1]".to_owned()]),
    }
}

/// A batch of `questions.jsonl`, by name or on standard input, of which two questions fail.
fn run_batch(sandbox: &Sandbox, server: &LlmServer, file: &str, parallel: &str) -> Run {
    let mut command = ask(sandbox, server, &["--batch", file, "--no-cache"]);
    let input = std::fs::File::open(sandbox.path().join("questions.jsonl")).unwrap();
    let run = Run::of(command.env("RAG_BATCH_PARALLEL", parallel).stdin(input));
    run.exits(4).says("39 answered, 0 without support, 2 failed")
}

#[test]
fn a_batch_is_answered_in_parallel_and_printed_in_order() {
    let Some(sandbox) = indexed() else { return };
    const PARALLEL: usize = 4;
    // Each reply waits for three others, so a sequential batch would never finish.
    let server = LlmServer::start([Step::Together(PARALLEL, parrot)]);
    let mut lines: Vec<String> = (0..10 * PARALLEL)
        .map(|n| {
            json!({ "id": format!("q{n}"), "question": format!("What do bees of number {n} do?") })
                .to_string()
        })
        .collect();
    lines.insert(20, "{\"id\": 1}".to_owned());
    sandbox.write("questions.jsonl", lines.join("\n"));
    let run = run_batch(&sandbox, &server, "questions.jsonl", "4");
    // Where the limit does not hold, this fails when a fifth question arrives early enough.
    assert_eq!(server.most_together(), PARALLEL, "more at once than the limit");
    let objects: Vec<Value> =
        run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.len(), lines.len());
    for (n, (object, line)) in objects.iter().zip(&lines).enumerate() {
        let asked: Value = serde_json::from_str(line).unwrap();
        if n == 20 {
            assert_eq!(
                (&object["line"], &object["error"]["code"]),
                (&json!(21), &json!(2)),
                "{object}"
            );
            continue;
        }
        assert_eq!(
            (&object["id"], &object["question"]),
            (&asked["id"], &asked["question"]),
            "{object}"
        );
        if n == 7 {
            assert_eq!(
                (&object["line"], &object["error"]["code"]),
                (&json!(8), &json!(7)),
                "{object}"
            );
            assert!(object["error"]["message"].as_str().unwrap().contains("not seven"), "{object}");
        } else {
            let answer = format!("You asked: {} [1]", asked["question"].as_str().unwrap());
            assert_eq!(object["answer"], answer, "{object}");
            assert_eq!(object["citations"][0]["n"], 1, "{object}");
        }
    }
    let alone = LlmServer::start([Step::Together(1, parrot)]);
    let piped = run_batch(&sandbox, &alone, "-", "1");
    assert_eq!(alone.most_together(), 1);
    let answers = |run: &Run| -> Vec<Value> {
        run.stdout
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["answer"].clone())
            .collect()
    };
    assert_eq!(answers(&piped), answers(&run));
}

#[test]
fn a_piped_chat_continues_after_a_failure() {
    let Some(sandbox) = indexed() else { return };
    let server = LlmServer::start([Step::status(500), good()]);
    let mut command = ask(&sandbox, &server, &[]);
    let args = ["chat", "--generator", "llm", "--no-cache"];
    let mut chat = sandbox.command(args);
    chat.envs(
        command
            .stdin(Stdio::null())
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))),
    );
    let mut child =
        chat.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(format!("What are combs made of?\n{QUESTION}\n").as_bytes())
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    out.read_line(&mut first).unwrap();
    out.read_to_string(&mut String::new()).unwrap();
    let ended = Run::from_output(&child.wait_with_output().unwrap(), "chat".to_owned())
        .exits(4)
        .says("answered 500");
    assert_eq!(first.trim_end(), SHOWN, "{ended}");
}
