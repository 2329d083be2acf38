//! Settings through the real binary: precedence, and the origin named in errors.

use serde_json::json;

use crate::fixtures::{error_of, write_old};
use crate::support::{Run, Sandbox};

/// Value and origin of a setting, as `rag doctor` reports it.
fn setting(sandbox: &Sandbox, key: &str, env: &[(&str, &str)], flags: &[&str]) -> (String, String) {
    let mut command = sandbox.command([&["doctor", "--json"], flags].concat());
    let report = Run::of(command.envs(env.iter().copied())).ok().json();
    let setting = &report["settings"][key];
    let text = |field: &str| {
        setting[field].as_str().unwrap_or_else(|| panic!("{key} in {report}")).to_owned()
    };
    (text("value"), text("from"))
}

#[test]
fn each_layer_overrides_the_one_below() {
    let sandbox = Sandbox::new();
    let index = |env: &[(&str, &str)], flags: &[&str]| setting(&sandbox, "index", env, flags);
    let pair = |value: &str, from: &str| (value.to_owned(), from.to_owned());
    assert_eq!(index(&[], &[]), pair("default", "built in"));
    let user = sandbox
        .write("home/.config/rag/config.toml", "# mine\nindex = \"user\"\n[search]\nk = 7\n");
    assert_eq!(index(&[], &[]), pair("user", &format!("{}:2", user.display())));
    sandbox.write("rag.toml", "\n\nindex = \"project\"\n");
    assert_eq!(index(&[], &[]), pair("project", "./rag.toml:3"));
    assert_eq!(index(&[("RAG_INDEX", "env")], &[]), pair("env", "environment RAG_INDEX"));
    assert_eq!(index(&[("RAG_INDEX", "env")], &["--index", "flag"]), pair("flag", "--index"));
    // An empty variable counts as unset, and layers merge key by key.
    assert_eq!(index(&[("RAG_INDEX", "")], &[]), pair("project", "./rag.toml:3"));
    assert_eq!(
        setting(&sandbox, "search.k", &[], &[]),
        pair("7", &format!("{}:4", user.display()))
    );
}

#[test]
fn xdg_config_home_moves_the_user_file() {
    let sandbox = Sandbox::new();
    let file = sandbox.write("xdg/rag/config.toml", "search = { k = 3 }\n");
    let xdg = sandbox.path().join("xdg").display().to_string();
    let found = setting(&sandbox, "search.k", &[("XDG_CONFIG_HOME", &xdg)], &[]);
    assert_eq!(found, ("3".to_owned(), format!("{}:1", file.display())));
}

#[test]
fn settings_of_a_project_file_take_effect() {
    let sandbox = Sandbox::new();
    crate::fixtures::topics(&sandbox);
    sandbox.write(
        "rag.toml",
        "data_dir = \"elsewhere\"\nindex = \"mine\"\nsearch.k = 2\nsearch.mode = \"dense\"\n",
    );
    let summary = sandbox.ingest();
    assert!(summary["index_dir"].as_str().unwrap().starts_with("elsewhere/indexes/"), "{summary}");
    let found = crate::fixtures::search(&sandbox, "bees", &[]);
    assert_eq!((&found["mode"], &found["index"]), (&json!("dense"), &json!("mine")));
    assert_eq!(found["hits"].as_array().unwrap().len(), 2);
    let found = crate::fixtures::search(&sandbox, "bees", &["-k", "3", "--mode", "hybrid"]);
    assert_eq!((&found["mode"], found["hits"].as_array().unwrap().len()), (&json!("hybrid"), 3));
    assert!(!sandbox.data().exists());
}

#[test]
fn an_invalid_setting_names_its_file_and_line() {
    let sandbox = Sandbox::new();
    for (text, message) in [
        ("\nindx = \"a\"\n", "./rag.toml:2: there is no setting `indx`"),
        ("[chunk]\nsize = 3\n", "./rag.toml:2: there is no setting `chunk.size`"),
        ("[search]\n\nk = 0\n", "search.k = 0 (./rag.toml:3): must be at least 1"),
        ("search.k = 2000\n", "search.k = 2000 (./rag.toml:1): must be at most 1000"),
        ("search.k = \"many\"\n", "search.k = many (./rag.toml:1): must be a whole number"),
        ("search.k = 1.5\n", "search.k = 1.5 (./rag.toml:1): must be a whole number"),
        ("search.mode = \"psychic\"\n", "must be one of hybrid, lexical, dense"),
        ("search.dense_weight = 2\n", "must be a number from 0 to 1"),
        ("index = \"../up\"\n", "index = ../up (./rag.toml:1): must be 1 to 100 letters"),
        ("model = [\"a\", \"b\"]\n", "(./rag.toml:1): must be one value, not a list"),
        ("index = 2024-01-01\n", "(./rag.toml:1): must not be a date"),
        ("chunk.max_tokens = 7\n", "chunk.max_tokens = 7 (./rag.toml:1): must be 0 or at least 16"),
        (
            "[chunk]\nmax_tokens = 40\noverlap_tokens = 50\n",
            "chunk.overlap_tokens = 50 (./rag.toml:3): must be at most half of a passage, which \
             has 40 tokens",
        ),
        ("data_dir = \"\"\n", "(./rag.toml:1): must not be empty"),
        ("a = 1\na = 2\n", "./rag.toml:2: "),
        ("index = \"\n", "./rag.toml:1: "),
    ] {
        sandbox.write("rag.toml", text);
        let run = sandbox.rag(["search", "bees", "--json"]).exits(2);
        let found = error_of(&run)["message"].as_str().unwrap().to_owned();
        assert!(found.contains(message), "{text:?}: {found:?} lacks {message:?}");
    }
    sandbox.write("rag.toml", b"index = \"\xff\"\n");
    sandbox.rag(["search", "bees"]).exits(2).says("rag.toml: the file is not valid UTF-8");
    std::fs::remove_file(sandbox.path().join("rag.toml")).unwrap();
    std::fs::create_dir(sandbox.path().join("rag.toml")).unwrap();
    sandbox.rag(["search", "bees"]).exits(2).says("rag.toml is a folder");
}

#[test]
fn an_invalid_setting_names_its_variable_or_flag() {
    let sandbox = Sandbox::new();
    for (name, value) in [
        ("RAG_INDEX", "a b"),
        ("RAG_MODEL", "../model"),
        ("RAG_THREADS", "-1"),
        ("RAG_MAX_WORKERS", "0"),
        ("RAG_CHUNK_MAX_TOKENS", "lots"),
        ("RAG_CHUNK_OVERLAP_TOKENS", "999999"),
        ("RAG_INGEST_MAX_FILE_BYTES", "0"),
        ("RAG_SEARCH_MODE", "both"),
        ("RAG_SEARCH_DENSE_WEIGHT", "NaN"),
        ("RAG_ASK_MAX_WORDS", "1"),
        ("CORPUS_ID", "/"),
    ] {
        let run = Run::of(sandbox.command(["search", "bees"]).env(name, value)).exits(2);
        run.says(&format!("(environment {name})"));
    }
    sandbox.rag(["search", "bees", "--index", "a/b"]).exits(2).says("(--index)");
    sandbox.rag(["ask", "bees", "--max-words", "1"]).exits(2).says("(--max-words)");
    sandbox.rag(["ingest", "--dir", ".", "--threads", "5000"]).exits(2).says("(--threads)");
    let mut command = sandbox.command(["search", "bees"]);
    let garbled = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"\xff");
    Run::of(command.env("RAG_INDEX", garbled))
        .exits(2)
        .says("environment RAG_INDEX is not valid UTF-8");
}

/// Values that only the command that uses them can check. Unit tests of the loader cover the table
/// of all settings.
#[test]
fn a_value_that_fails_in_use_names_its_origin() {
    let sandbox = Sandbox::new();
    sandbox.write("a-file", "");
    sandbox.write("docs/a.md", "The heron waits.\n");
    let ingest = ["ingest", "--dir", "docs"];
    let serve = ["serve", "--port", "0"];
    for (key, env, value, args) in [
        ("model", "RAG_MODEL", "no-such-model", ingest),
        ("runtime_library", "ORT_DYLIB_PATH", "/nope/lib.so", ingest),
        ("chunk.max_tokens", "RAG_CHUNK_MAX_TOKENS", "100000", ingest),
        ("chunk.overlap_tokens", "RAG_CHUNK_OVERLAP_TOKENS", "200", ingest),
        ("serve.host", "RAG_SERVE_HOST", "no.such.host.invalid", serve),
        ("serve.roots", "RAG_SERVE_ROOTS", "/nope", serve),
        ("serve.token_file", "RAG_SERVE_TOKEN_FILE", "/nope/tokens", serve),
    ] {
        let is_named =
            |run: Run, origin: &str| run.exits(2).says(&format!("{key} = {value} ({origin}): "));
        is_named(Run::of(sandbox.command(args).env(env, value)), &format!("environment {env}"));
        let file =
            sandbox.write("home/.config/rag/config.toml", format!("# one\n{key} = {value:?}\n"));
        let mut command = sandbox.command(args);
        // The sandbox names its library in the environment.
        is_named(Run::of(command.env_remove(env)), &format!("{}:2", file.display()));
        std::fs::remove_file(file).unwrap();
    }
    for (flag, args) in [
        ("--data-dir", &["index", "list", "--data-dir", "a-file"][..]),
        ("--index", &["index", "list", "--index", "a/b"]),
        ("--model", &["ingest", "--dir", "docs", "--model", "no-such-model"]),
        ("--threads", &["ingest", "--dir", "docs", "--threads", "5000"]),
        ("-k", &["search", "x", "-k", "0"]),
        ("--rerank", &["search", "x", "--rerank=5000"]),
        ("--max-words", &["ask", "x", "--max-words", "1"]),
        ("--host", &["serve", "--host", "no host"]),
        ("--data-dir", &["doctor", "--data-dir", "a-file/below"]),
    ] {
        sandbox.rag(args).exits(2).says(&format!("({flag})"));
    }
}

/// An error shows no password of an address, and a limit above the model's window is refused, not
/// cut silently.
#[test]
fn impossible_values_are_refused_before_any_work() {
    let sandbox = Sandbox::new();
    sandbox.write("docs/a.md", "The heron waits.\n");
    let with = |name: &str, value: &str, args: &[&str]| {
        Run::of(sandbox.command(args).env(name, value))
            .exits(2)
            .says(&format!("(environment {name})"))
    };
    let ingest = ["ingest", "--dir", "docs"];
    with("RAG_CHUNK_MAX_TOKENS", "100000", &ingest)
        .says("the model `all-MiniLM-L6-v2` reads 256 tokens at most");
    with("RAG_CHUNK_OVERLAP_TOKENS", "200", &ingest)
        .says("at most half of a passage, which has 256 tokens");
    let run = with("RAG_LLM_BASE_URL", "https://me:s3cret@example.com/v1", &["index", "list"]);
    assert!(!run.stderr.contains("s3cret"), "{run}");
    for host in ["999.1.2.3", "a..b", "-a", "a:80", "exa mple", &"x".repeat(64)] {
        with("RAG_SERVE_HOST", host, &["serve"]);
    }
    with("RAG_SERVE_ROOTS", "docs:/nope", &["mcp"]).says("there is no folder /nope");
    assert!(!sandbox.data().exists(), "nothing was begun");
    // An array in a file is a list.
    let file = "home/.config/rag/config.toml";
    sandbox.write(file, "[serve]\nroots = [\"docs\", \"/nope\"]\n");
    sandbox.rag(["mcp"]).exits(2).says("config.toml:2): there is no folder /nope");
}

#[test]
fn help_and_completions_work_with_a_broken_configuration() {
    let sandbox = Sandbox::new();
    sandbox.write("rag.toml", "nonsense");
    for args in
        [&["--help"][..], &["completions", "bash"], &["man"], &["--version"], &["ask", "--help"]]
    {
        assert!(!sandbox.rag(args).ok().stdout.is_empty());
    }
}

#[test]
fn doctor_lists_every_setting_with_its_origin() {
    let sandbox = Sandbox::new();
    sandbox.write("rag.toml", "search.k = 4\n");
    let run = Run::of(sandbox.command(["doctor", "-v"]).env("RAG_THREADS", "3")).ok();
    for setting in rag::config::SETTINGS {
        assert!(run.stdout.contains(setting.key), "{} is missing\n{run}", setting.key);
    }
    let has_line = |parts: [&str; 3]| {
        run.stdout
            .lines()
            .any(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") == parts.join(" "))
    };
    assert!(has_line(["search.k", "4", "./rag.toml:1"]), "{run}");
    assert!(has_line(["threads", "3", "environment RAG_THREADS"]), "{run}");
}

#[test]
fn the_hub_token_is_never_printed() {
    let sandbox = Sandbox::new();
    let secret = "hf_QqZz0123456789";
    for args in [
        &["doctor", "-v"][..],
        &["doctor", "--json"],
        &["doctor", "-v", "--index", "a b"],
        &["model", "list", "--json"],
        &["model", "pull", "a/b", "-v"],
        &["ingest", "--dir", "nowhere", "-v"],
    ] {
        let mut command = sandbox.command(args);
        let run = Run::of(command.env("HF_TOKEN", secret).env("HF_ENDPOINT", "http://127.0.0.1:1"));
        assert!(!run.stdout.contains(secret) && !run.stderr.contains(secret), "{run}");
    }
    let (value, from) = setting(&sandbox, "hub.token", &[("HF_TOKEN", secret)], &[]);
    assert_eq!((value.as_str(), from.as_str()), ("(set)", "environment HF_TOKEN"));
}

/// A foreign project file must not configure where questions and keys are sent, nor which code is
/// loaded.
#[test]
fn a_project_file_cannot_redirect_keys_or_load_code() {
    for (line, key) in [
        ("[llm]\nbase_url = \"http://evil.example/v1\"", "llm.base_url"),
        ("[llm]\napi_key = \"k\"", "llm.api_key"),
        ("[llm]\napi_key_file = \"/etc/passwd\"", "llm.api_key_file"),
        ("[hub]\nurl = \"http://evil.example\"", "hub.url"),
        ("[hub]\ntoken = \"t\"", "hub.token"),
        ("runtime_library = \"./evil.so\"", "runtime_library"),
        ("assets_dir = \"/evil\"", "assets_dir"),
        ("[ingest]\nocr = \"yes\"", "ingest.ocr"),
    ] {
        let sandbox = Sandbox::new();
        sandbox.write("rag.toml", line);
        sandbox.rag(["doctor"]).exits(2).says(key).says("rag.toml").says("project file");
        // The user's own file may.
        sandbox.write("home/.config/rag/config.toml", line);
        std::fs::remove_file(sandbox.path().join("rag.toml")).expect("removed");
        let run = sandbox.rag(["doctor", "-v"]);
        assert_ne!(run.code, Some(2), "{run}");
    }
    let sandbox = Sandbox::new();
    sandbox.write("rag.toml", "generator = \"llm\"\n[llm]\nmodel = \"m\"\n");
    sandbox.rag(["ask", "why?"]).exits(2).says("llm.base_url");
}

/// A command logs on request, and the log contains no question, text, document name or key.
#[test]
fn a_command_logs_its_steps_and_no_secret() {
    let sandbox = Sandbox::new();
    write_old(
        &sandbox,
        "docs/namecanary.md",
        "# Titlecanary\n\nThe textcanary heron waits by the river.\n",
    );
    let secrets = [
        ("HF_TOKEN", "hf_hubcanary"),
        ("RAG_LLM_API_KEY", "sk-llmcanary"),
        ("RAG_SERVE_TOKEN", "servecanary-0123456789"),
    ];
    let question = "What does the questioncanary heron wait by?";
    for (args, events) in [
        (&["ingest", "--dir", "docs"][..], &["scanned", "file read", "embedded", "ingested"][..]),
        (&["ingest", "--dir", "docs"], &["nothing changed"]),
        (&["search", question], &["fused", "searched"]),
        (&["ask", question], &["ranking found in the cache", "answered"]),
    ] {
        let mut command = sandbox.command([args, &["--json"]].concat());
        let run = Run::of(
            command.envs(secrets).env("RAG_LOG_LEVEL", "trace").env("RAG_LOG_FORMAT", "json"),
        );
        let lines: Vec<serde_json::Value> = run
            .stderr
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {run}")))
            .collect();
        for event in events {
            assert!(lines.iter().any(|line| line["message"] == *event), "{event:?}: {run}");
        }
        assert!(!run.stderr.contains("canary"), "{run}");
        assert!(!sandbox.rag([args, &["--json"]].concat()).stderr.contains("INFO"));
    }
}
