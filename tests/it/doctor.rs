//! `rag doctor`: the state of each part and what to do.

use serde_json::json;

use crate::fixtures::{files_below, topics};
use crate::support::llm::{LlmServer, Step};
use crate::support::{Run, Sandbox, has_loopback};

#[test]
fn doctor_passes_on_a_new_machine_and_writes_nothing() {
    let sandbox = Sandbox::new();
    sandbox
        .rag(["doctor"])
        .ok()
        .prints("ok   library")
        .prints("ok   model")
        .prints("--   index")
        .prints("--   cache");
    sandbox
        .rag(["doctor"])
        .prints("--   data     data does not exist (built in); the first ingest creates it");
    let elsewhere = ["doctor", "--data-dir", "/nope"];
    sandbox.rag(elsewhere).ok().prints("--   data     /nope does not exist (--data-dir)");
    assert!(!sandbox.data().exists());
}

#[test]
fn json_output_has_every_part_and_every_setting() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    sandbox.ingest();
    let report = sandbox.rag(["doctor", "--json"]).ok().json();
    for part in ["data", "library", "model", "index", "cache"] {
        assert_eq!(report["parts"][part]["ok"], true, "{part} in {report}");
    }
    assert!(
        report["parts"]["index"]["detail"].as_str().unwrap().contains("6 documents"),
        "{report}"
    );
    assert_eq!(report["settings"].as_object().unwrap().len(), rag::config::SETTINGS.len());
    assert_eq!(report["settings"]["search.k"], json!({ "value": "10", "from": "built in" }));
    assert_eq!(report["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn a_configured_language_model_is_called() {
    if !has_loopback() {
        return;
    }
    let sandbox = Sandbox::new();
    let doctor = |server: &LlmServer, args: &[&str]| {
        let mut command = sandbox.command([&["doctor"], args].concat());
        command.env("RAG_LLM_BASE_URL", server.base_url()).env("RAG_LLM_MODEL", "small");
        Run::of(command.env("RAG_LLM_API_KEY", "sk-very-secret"))
    };
    let well = LlmServer::start([Step::tokens(&["Yes"])]);
    doctor(&well, &[]).ok().prints("ok   llm").prints("scripted");
    assert_eq!(doctor(&well, &["--json"]).ok().json()["parts"]["llm"]["ok"], true);
    let [request, _] = &well.requests()[..] else { panic!("{:?}", well.requests()) };
    assert!(request.body["max_tokens"].as_u64().is_some_and(|n| n <= 16), "{:?}", request.body);
    let denied = LlmServer::start([Step::error(401, "no such key: sk-very-secret")]);
    let run = doctor(&denied, &[])
        .exits(1)
        .prints("BAD  llm")
        .prints("rejects the key")
        .prints("ok   model");
    assert!(!run.stdout.contains("sk-very-secret"), "{run}");
    assert_eq!(denied.requests().len(), 1);
    doctor(&LlmServer::refusing(), &[])
        .exits(1)
        .prints("BAD  llm")
        .prints("refused the connection");
    let mut unnamed = sandbox.command(["doctor"]);
    Run::of(unnamed.env("RAG_LLM_BASE_URL", well.base_url()))
        .exits(1)
        .prints("BAD  llm")
        .prints("llm.model");
    sandbox.rag(["doctor"]).ok().prints("--   llm      off");
}

#[test]
fn damage_is_named_and_exits_5() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    let summary = sandbox.ingest();
    let dir = sandbox.path().join(summary["index_dir"].as_str().unwrap());
    let vectors = files_below(&dir).into_iter().find(|file| file.ends_with(".npy")).unwrap();
    let mut bytes = std::fs::read(dir.join(&vectors)).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(dir.join(&vectors), bytes).unwrap();
    sandbox.rag(["doctor"]).exits(5).prints("BAD  index").prints(&vectors).prints("rag ingest");
    let report = sandbox.rag(["doctor", "--json"]).exits(5).json();
    assert_eq!(
        (&report["parts"]["index"]["ok"], &report["parts"]["model"]["ok"]),
        (&json!(false), &json!(true))
    );
}

#[test]
fn a_missing_part_comes_with_the_command_to_run() {
    let sandbox = Sandbox::new();
    let run = Run::of(sandbox.command(["doctor"]).env("RAG_MODEL", "no-such-model"));
    run.exits(1)
        .prints("BAD  model    model = no-such-model (environment RAG_MODEL): no model named")
        .prints("scripts/setup")
        .prints("ok   library");
    let run = Run::of(sandbox.command(["doctor"]).env("ORT_DYLIB_PATH", "/nowhere/lib.so"));
    run.exits(1)
        .prints(
            "BAD  library  runtime_library = /nowhere/lib.so (environment ORT_DYLIB_PATH): no \
             ONNX Runtime",
        )
        .prints("scripts/setup");
}
