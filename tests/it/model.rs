//! `rag model`: list, verify, add and pull.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use crate::fixtures::{copy_dir, files_below, search, topics};
use crate::support::{Run, Sandbox, has_loopback, project_data};
use crate::tools::{signal, wait_for};

fn int8() -> std::path::PathBuf {
    project_data().join("models/all-MiniLM-L6-v2")
}

/// Files below `data/models`, hidden names too.
fn left(sandbox: &Sandbox) -> Vec<String> {
    let models = sandbox.data().join("models");
    if models.is_dir() { files_below(&models) } else { Vec::new() }
}

#[test]
fn list_and_verify_show_the_models() {
    let sandbox = Sandbox::new();
    let list = sandbox.rag(["model", "list", "--json"]).ok().json();
    let names: Vec<&str> =
        list.as_array().unwrap().iter().map(|model| model["name"].as_str().unwrap()).collect();
    assert!(
        names.contains(&"all-MiniLM-L6-v2") && names.contains(&"all-MiniLM-L6-v2-fp32"),
        "{list}"
    );
    let default =
        list.as_array().unwrap().iter().find(|model| model["name"] == "all-MiniLM-L6-v2").unwrap();
    assert_eq!(
        (&default["dimension"], &default["max_tokens"], &default["used"]),
        (&384.into(), &256.into(), &true.into())
    );
    sandbox.rag(["model", "list"]).ok().prints("all-MiniLM-L6-v2-fp32");
    sandbox.rag(["model", "verify", "all-MiniLM-L6-v2"]).ok().prints("ok  all-MiniLM-L6-v2");
    sandbox.rag(["model", "verify", "nothing"]).exits(2).says("no model named `nothing`");
}

#[test]
fn a_damaged_model_is_named_and_not_used() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    let model = sandbox.data().join("models/all-MiniLM-L6-v2");
    copy_dir(&int8(), &model);
    let damage = |file: &str, at: usize| {
        let mut bytes = std::fs::read(model.join(file)).unwrap();
        bytes[at] ^= 1;
        std::fs::remove_file(model.join(file)).unwrap();
        std::fs::write(model.join(file), bytes).unwrap();
    };
    for (file, at) in [("model.onnx", 100_000), ("model.onnx.data", 10_000_000)] {
        damage(file, at);
        let is_damaged = format!("{file} is damaged");
        sandbox.rag(["model", "verify"]).exits(5).prints(&is_damaged);
        sandbox.rag(["ingest", "--dir", "docs"]).exits(5).says(&is_damaged).says("scripts/setup");
        damage(file, at);
    }
    // No vector was made with the damaged model, or the cache would hold it.
    assert_eq!(sandbox.ingest()["cache"]["hits"], 0);
    // An old manifest has no block sums.
    let manifest = model.join("manifest.json");
    let mut old: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&manifest).unwrap()).unwrap();
    old["files"]
        .as_object_mut()
        .unwrap()
        .values_mut()
        .for_each(|file| drop(file.as_object_mut().unwrap().remove("blocks")));
    std::fs::remove_file(&manifest).unwrap();
    std::fs::write(&manifest, old.to_string()).unwrap();
    sandbox.rag(["search", "insects", "--mode", "dense"]).ok();
    damage("model.onnx.data", 20_000_000);
    sandbox
        .rag(["search", "another question", "--mode", "dense"])
        .exits(5)
        .says("model.onnx.data is damaged");
    damage("model.onnx.data", 20_000_000);
    damage("tokenizer.json", 1000);
    sandbox
        .rag(["search", "a new question", "--mode", "dense"])
        .exits(5)
        .says("tokenizer.json is damaged");
    std::fs::remove_file(model.join("tokenizer.json")).unwrap();
    sandbox.rag(["model", "verify", "--json"]).exits(5);
}

#[test]
fn a_sentence_transformers_folder_can_be_added_and_used() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    let folder = sandbox.path().join("downloads/mini");
    copy_dir(&project_data().join("models/all-MiniLM-L6-v2-fp32"), &folder);
    std::fs::remove_file(folder.join("manifest.json")).unwrap();
    let added = sandbox.rag(["model", "add", "downloads/mini", "--json"]).ok().json();
    assert_eq!(added["name"], "mini");
    sandbox.rag(["model", "verify", "mini"]).ok();
    sandbox.rag(["model", "add", "downloads/mini"]).exits(2).says("already a model named `mini`");
    sandbox.rag(["ingest", "--dir", "docs", "--model", "mini"]).ok();
    let found = search(&sandbox, "insects pointing colleagues to blossoms", &["--mode", "dense"]);
    assert_eq!(found["hits"][0]["path"], "bees.md");
    // The index stores the fingerprint of its model; another model of that name is refused.
    std::fs::remove_dir_all(sandbox.data().join("models/mini")).unwrap();
    sandbox.rag(["search", "something new"]).exits(1).says("no model named `mini`");
    copy_dir(&int8(), &sandbox.data().join("models/mini"));
    sandbox.rag(["search", "something new"]).exits(1).says("another version of the model `mini`");
    sandbox.rag(["search", "bees", "--mode", "lexical"]).ok();
}

#[test]
fn folders_without_a_usable_model_are_refused_and_leave_nothing() {
    let sandbox = Sandbox::new();
    let folder = |name: &str| {
        let dir = sandbox.path().join("downloads").join(name);
        copy_dir(&int8(), &dir);
        dir
    };
    let replace = |path: &Path, content: &str| {
        std::fs::remove_file(path).unwrap();
        std::fs::write(path, content).unwrap();
    };
    std::fs::create_dir_all(sandbox.path().join("downloads/empty")).unwrap();
    std::fs::remove_file(folder("no-tokenizer").join("tokenizer.json")).unwrap();
    replace(&folder("no-network").join("model.onnx"), "This is no network.");
    replace(&folder("bad-tokenizer").join("tokenizer.json"), "{}");
    replace(&folder("bad-config").join("config.json"), "{");
    replace(
        &folder("dense-module").join("modules.json"),
        r#"[{"path": "2_Dense", "type": "x.models.Dense"}]"#,
    );
    let pooling = folder("pooling").join("1_Pooling/config.json");
    replace(&pooling, r#"{"pooling_mode_weightedmean_tokens": true}"#);
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n";
    for file in ["model.onnx", "model.onnx.data", "tokenizer.json"] {
        replace(&folder(&format!("pointer-{file}")).join(file), pointer);
    }
    // The table of positions has 512 rows.
    let window = folder("window");
    replace(&window.join("sentence_bert_config.json"), r#"{"max_seq_length": 4096}"#);
    replace(&window.join("config.json"), r#"{"max_position_embeddings": 4096}"#);
    for (name, code, says) in [
        ("pointer-model.onnx", 2, "model.onnx is a Git LFS pointer"),
        ("pointer-model.onnx.data", 2, "model.onnx.data is a Git LFS pointer"),
        ("pointer-tokenizer.json", 2, "tokenizer.json is a Git LFS pointer"),
        ("window", 2, "a window of 4096 tokens"),
        ("empty", 2, "no ONNX file"),
        ("no-tokenizer", 2, "no tokenizer.json"),
        ("no-network", 2, "is not a network that can be run"),
        ("bad-tokenizer", 5, "tokenizer.json"),
        ("bad-config", 5, "config.json"),
        ("dense-module", 1, "the module `2_Dense` is of type x.models.Dense"),
        ("pooling", 1, "way of pooling is not supported"),
        ("nowhere", 2, "there is no folder downloads/nowhere"),
    ] {
        sandbox.rag(["model", "add", &format!("downloads/{name}")]).exits(code).says(says);
        assert_eq!(left(&sandbox), [""; 0], "{name}");
    }
    sandbox
        .rag(["model", "add", "downloads/empty", "--name", "../up"])
        .exits(2)
        .says("is not a valid model name");
    sandbox
        .rag(["model", "add", "downloads/nowhere", "--name", "a"])
        .exits(2)
        .says("there is no folder");
}

/// Changes an added model's folder and adds it, as `name`.
fn add_changed(sandbox: &Sandbox, name: &str, args: &[&str], change: impl FnOnce(&Path)) -> Run {
    let folder = sandbox.path().join("downloads").join(name);
    copy_dir(&int8(), &folder);
    change(&folder);
    let folder = format!("downloads/{name}");
    sandbox.rag([&["model", "add", &folder], args].concat())
}

/// The highest cosine of a dense search with this model.
fn best_cosine(sandbox: &Sandbox, model: &str) -> f64 {
    let index = ["--index", model];
    sandbox.rag([&["ingest", "--dir", "docs", "--model", model], &index[..]].concat()).ok();
    let args = ["--mode", "dense", "--explain", index[0], index[1]];
    let found = search(sandbox, "insects pointing colleagues to blossoms", &args);
    assert_eq!(found["hits"][0]["path"], "bees.md", "{found}");
    found["hits"][0]["explain"]["dense"]["score"].as_f64().unwrap()
}

#[test]
fn folders_of_every_kind_give_the_same_vectors() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    let write = |path: &Path, content: &str| {
        // A link to the project's file must not be written through.
        let _ = std::fs::remove_file(path);
        std::fs::write(path, content).unwrap();
    };
    add_changed(&sandbox, "same", &[], |_| {}).ok();
    let expected = best_cosine(&sandbox, "same");
    // Vectors of a model without a module for it are normalised too.
    add_changed(&sandbox, "plain", &[], |dir| {
        let modules = r#"[{"path": "", "type": "a.models.Transformer"},
            {"path": "1_Pooling", "type": "a.models.Pooling"}]"#;
        write(&dir.join("modules.json"), modules);
    })
    .ok();
    // Folders of other names, and the configuration of newer versions.
    add_changed(&sandbox, "moved", &[], |dir| {
        let modules = r#"[{"path": "0_Transformer", "type": "a.modules.transformer.Transformer"},
            {"path": "pool", "type": "a.modules.pooling.Pooling"},
            {"path": "3", "type": "a.modules.normalize.Normalize"}]"#;
        write(&dir.join("modules.json"), modules);
        std::fs::remove_dir_all(dir.join("1_Pooling")).unwrap();
        for folder in ["0_Transformer", "pool"] {
            std::fs::create_dir(dir.join(folder)).unwrap();
        }
        let pooling = r#"{"embedding_dimension": 384, "pooling_mode": "mean"}"#;
        write(&dir.join("pool/config.json"), pooling);
        for file in ["model.onnx", "model.onnx.data", "config.json", "tokenizer.json"] {
            std::fs::rename(dir.join(file), dir.join("0_Transformer").join(file)).unwrap();
        }
    })
    .ok();
    // A network with inputs of 32 bits.
    add_changed(&sandbox, "narrow", &[], |dir| {
        let mut bytes = std::fs::read(dir.join("model.onnx")).unwrap();
        for input in ["input_ids", "attention_mask", "token_type_ids"] {
            // The field of the name, then the type, which begins with the element's: 7 is int64.
            let name = [&[0x0a, input.len() as u8], input.as_bytes(), &[0x12]].concat();
            let at = bytes.windows(name.len()).rposition(|window| window == name).unwrap();
            let kind = bytes[at..].windows(2).position(|window| window == [0x08, 7]).unwrap();
            bytes[at + kind + 1] = 6;
        }
        std::fs::remove_file(dir.join("model.onnx")).unwrap();
        std::fs::write(dir.join("model.onnx"), bytes).unwrap();
    })
    .ok();
    for model in ["plain", "moved", "narrow"] {
        let cosine = best_cosine(&sandbox, model);
        assert!((cosine - expected).abs() < 1e-6, "{model}: {cosine}, {expected}");
    }
}

#[test]
fn prompts_are_put_before_texts() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    let prompts = ["--query-prompt", "query: ", "--passage-prompt", "passage: "];
    add_changed(&sandbox, "prompted", &prompts, |_| {}).ok();
    add_changed(&sandbox, "same", &[], |_| {}).ok();
    let file = sandbox.data().join("models/prompted/config_sentence_transformers.json");
    let config: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!(
        (&config["prompts"]["query"], &config["prompts"]["passage"]),
        (&"query: ".into(), &"passage: ".into())
    );
    let (with, without) = (best_cosine(&sandbox, "prompted"), best_cosine(&sandbox, "same"));
    assert!((with - without).abs() > 1e-4, "{with}, {without}");
}

#[test]
fn an_ingest_advises_a_model_for_other_languages_once() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    let advice = "scripts/setup --multilingual";
    let ingest = || sandbox.rag(["ingest", "--dir", "docs"]).ok().stderr;
    assert!(!ingest().contains(advice));
    let text = "蜜蜂用舞蹈告诉同伴花在哪里。舞蹈的方向表示太阳的角度，持续的时间表示距离。";
    for n in 0..6 {
        sandbox.write(&format!("docs/zh/{n}.md"), format!("# 第{n}章\n\n{text}\n"));
    }
    let said = ingest();
    assert!(said.contains(advice) && said.contains("`zh`"), "{said}");
    sandbox.write("docs/zh/9.md", text);
    assert!(!ingest().contains(advice));
}

#[test]
fn the_multilingual_model_finds_passages_in_other_languages() {
    let model = project_data().join("models/multilingual-e5-small");
    if !model.join("manifest.json").is_file() {
        eprintln!("skipped: `scripts/setup --multilingual` was not run");
        return;
    }
    let sandbox = Sandbox::new();
    topics(&sandbox);
    sandbox.write("docs/zh.md", "蜜蜂用舞蹈告诉同伴花在哪里。\n");
    sandbox.write("docs/other.md", "银行的利率去年上升了两次。\n");
    let ingested =
        sandbox.rag(["ingest", "--dir", "docs", "--model", "multilingual-e5-small"]).ok();
    assert!(!ingested.stderr.contains("--multilingual"), "{ingested}");
    let found = search(&sandbox, "银行贷款的利率", &["--mode", "dense"]);
    assert_eq!(found["hits"][0]["path"], "other.md");
    let found = search(&sandbox, "What did the interest rate of banks do?", &["--mode", "dense"]);
    assert_eq!(found["hits"][0]["path"], "other.md");

    // Rust and Python write the same vocabulary.
    let folder = sandbox.path().join("downloads/e5");
    copy_dir(&model, &folder);
    std::fs::remove_file(folder.join("vocabulary.trie")).unwrap();
    sandbox.rag(["model", "add", "downloads/e5"]).ok();
    let vocabulary = |folder: &Path| std::fs::read(folder.join("vocabulary.trie")).unwrap();
    assert!(vocabulary(&sandbox.data().join("models/e5")) == vocabulary(&model));
}

/// A scripted hub: replies by path, and the requests so far. Ends when it is dropped.
struct Hub {
    address: String,
    requested: Arc<Mutex<Vec<Requested>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Clone)]
struct Requested {
    path: String,
    authorization: Option<String>,
}

enum Reply {
    /// Body, and its announced length.
    Body(Vec<u8>, usize),
    Status(u16),
    Redirect(String),
    /// The beginning of a body, then nothing until the client is gone.
    Stall,
}

impl Hub {
    fn start(replies: BTreeMap<String, Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (requested, stop) =
            (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (seen, stopped) = (Arc::clone(&requested), Arc::clone(&stop));
        let thread = std::thread::spawn(move || serve(&listener, &stopped, &replies, &seen));
        Self { address, requested, stop, thread: Some(thread) }
    }

    /// The files of a folder under `/OWNER/NAME/resolve/main/`.
    fn of(dir: &Path) -> BTreeMap<String, Reply> {
        let body = |file: &String| {
            let bytes = std::fs::read(dir.join(file)).unwrap();
            let length = bytes.len();
            Reply::Body(bytes, length)
        };
        files_below(dir)
            .into_iter()
            .map(|file| (format!("/owner/mini/resolve/main/{file}"), body(&file)))
            .collect()
    }

    fn requested(&self) -> Vec<Requested> {
        self.requested.lock().unwrap().clone()
    }

    /// Runs `rag model pull` from this hub.
    fn pull(&self, sandbox: &Sandbox, args: &[&str]) -> Run {
        Run::of(&mut self.pulling(sandbox, args))
    }

    fn pulling(&self, sandbox: &Sandbox, args: &[&str]) -> Command {
        let mut command = sandbox.command([&["model", "pull"], args].concat());
        command
            .env("HF_ENDPOINT", format!("http://{}/", self.address))
            .env("HF_TOKEN", "hf_secret");
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// A running pull that waits for the hub.
    fn stalled(&self, sandbox: &Sandbox, file: &str) -> Child {
        let child = self.pulling(sandbox, &["owner/mini"]).spawn().expect("rag starts");
        let is_begun =
            || left(sandbox).iter().any(|path| path.starts_with('.') && path.ends_with(file));
        wait_for("the pull", || is_begun().then_some(()));
        child
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Without a loopback interface the thread cannot be woken and ends with the process.
        if TcpStream::connect(&self.address).is_err() {
            return;
        }
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(
            std::thread::panicking() || ended.is_some_and(|ended| ended.is_ok()),
            "the hub panicked"
        );
    }
}

fn serve(
    listener: &TcpListener,
    stopped: &AtomicBool,
    replies: &BTreeMap<String, Reply>,
    seen: &Mutex<Vec<Requested>>,
) {
    for stream in listener.incoming().map_while(std::result::Result::ok) {
        if stopped.load(Ordering::SeqCst) {
            return;
        }
        // A client may hang up early.
        let _ = answer(&stream, replies, seen);
    }
}

fn answer(
    mut stream: &TcpStream,
    replies: &BTreeMap<String, Reply>,
    seen: &Mutex<Vec<Requested>>,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut authorization = None;
    for line in lines.map_while(Result::ok).take_while(|line| !line.is_empty()) {
        if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case("authorization")
        {
            authorization = Some(value.to_owned());
        }
    }
    let reply = replies.get(&path);
    seen.lock().unwrap().push(Requested { path, authorization });
    let close = "connection: close";
    match reply {
        Some(Reply::Body(bytes, length)) => {
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n{close}\r\n\r\n")?;
            stream.write_all(bytes)
        }
        Some(Reply::Redirect(to)) => {
            write!(
                stream,
                "HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n{close}\r\n\r\n"
            )
        }
        Some(Reply::Stall) => {
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n{close}\r\n\r\n{{")?;
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).map(drop)
        }
        Some(Reply::Status(status)) => {
            write!(stream, "HTTP/1.1 {status} No\r\ncontent-length: 0\r\n{close}\r\n\r\n")
        }
        None => write!(stream, "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n{close}\r\n\r\n"),
    }
}

#[test]
fn a_model_is_pulled_from_a_hub_and_used() {
    if !has_loopback() {
        return;
    }
    let sandbox = Sandbox::new();
    topics(&sandbox);
    // Large files come from another server, which must not see the token.
    let mut replies = Hub::of(&int8());
    let mut take =
        |file: &str| replies.remove(&format!("/owner/mini/resolve/main/{file}")).unwrap();
    let large = [
        ("/graph".to_owned(), take("model.onnx")),
        ("/weights".to_owned(), take("model.onnx.data")),
    ];
    let store = Hub::start(large.into());
    for (file, at) in [("model.onnx", "graph"), ("model.onnx.data", "weights")] {
        let redirect = Reply::Redirect(format!("http://{}/{at}", store.address));
        replies.insert(format!("/owner/mini/resolve/main/onnx/{file}"), redirect);
    }
    let hub = Hub::start(replies);
    let pulled = hub.pull(&sandbox, &["owner/mini", "--json"]).ok().json();
    assert_eq!(pulled["name"], "mini");
    assert!(
        hub.requested()
            .iter()
            .all(|requested| requested.authorization.as_deref() == Some("Bearer hf_secret"))
    );
    assert_eq!(
        store
            .requested()
            .iter()
            .map(|requested| requested.authorization.clone())
            .collect::<Vec<_>>(),
        [None, None]
    );
    sandbox.rag(["model", "verify", "mini"]).ok();
    assert!(left(&sandbox).iter().all(|file| file.starts_with("mini/")), "{:?}", left(&sandbox));
    let ingested = sandbox.rag(["ingest", "--dir", "docs", "--model", "mini", "--json"]).ok();
    assert_eq!(ingested.json()["dimension"], 384);
    hub.pull(&sandbox, &["owner/mini"]).exits(2).says("already a model named `mini`");
    hub.pull(&sandbox, &["owner/mini", "--name", "other"]).ok().prints("added `other`");
}

#[test]
fn a_failing_hub_exits_7_and_leaves_nothing() {
    if !has_loopback() {
        return;
    }
    let sandbox = Sandbox::new();
    let check = |replies: BTreeMap<String, Reply>, says: &str| {
        let hub = Hub::start(replies);
        hub.pull(&sandbox, &["owner/mini"]).exits(7).says(says);
        assert_eq!(left(&sandbox), [""; 0], "{says}");
    };
    let with = |file: &str, reply: Reply| {
        let mut replies = Hub::of(&int8());
        replies.insert(format!("/owner/mini/resolve/main/{file}"), reply);
        replies
    };
    check(BTreeMap::new(), "has no tokenizer.json");
    check(with("tokenizer.json", Reply::Status(404)), "has no tokenizer.json");
    check(with("model.onnx", Reply::Status(404)), "has no ONNX file");
    check(with("config.json", Reply::Status(503)), "503");
    check(with("tokenizer.json", Reply::Status(401)), "401");
    check(with("tokenizer.json", Reply::Body(b"{".to_vec(), 1000)), "tokenizer.json");
    check(with("model.onnx", Reply::Body(vec![0; 1 << 20], 2 << 20)), "model.onnx");
    let refused = Run::of(
        sandbox.command(["model", "pull", "owner/mini"]).env("HF_ENDPOINT", "http://127.0.0.1:1"),
    );
    refused.exits(7).says("cannot fetch http://127.0.0.1:1/owner/mini/resolve/main/");
    assert_eq!(left(&sandbox), [""; 0]);
}

#[test]
fn a_pulled_model_is_checked_before_it_is_added() {
    let sandbox = Sandbox::new();
    let mut replies = Hub::of(&int8());
    replies.insert(
        "/owner/mini/resolve/main/model.onnx".to_owned(),
        Reply::Body(b"<html>".to_vec(), 6),
    );
    let hub = Hub::start(replies);
    hub.pull(&sandbox, &["owner/mini"]).exits(2).says("is not a network that can be run");
    assert_eq!(left(&sandbox), [""; 0]);
}

#[test]
fn unsafe_names_are_refused_before_any_request() {
    if !has_loopback() {
        return;
    }
    let sandbox = Sandbox::new();
    let hub = Hub::start(Hub::of(&int8()));
    for args in [
        &["../../etc"][..],
        &["a/../b"],
        &["a/b/c"],
        &["a/.."],
        &["/etc/passwd"],
        &["a/b?x=1"],
        &["a/b%2f.."],
        &["http://127.0.0.1/a"],
        &[""],
        &["owner/mini", "--revision", "../../x"],
        &["owner/mini", "--revision", "refs/pr/1"],
        &["owner/mini", "--name", "../up"],
        &["owner/mini", "--name", ".hidden"],
        &["owner/mini", "--name", "a/b"],
    ] {
        hub.pull(&sandbox, args).exits(2);
    }
    assert_eq!(
        hub.requested().iter().map(|requested| requested.path.clone()).collect::<Vec<_>>(),
        [""; 0]
    );
    assert_eq!(left(&sandbox), [""; 0]);
}

fn stalling(file: &str) -> Hub {
    let mut replies = Hub::of(&int8());
    replies.insert(format!("/owner/mini/resolve/main/{file}"), Reply::Stall);
    Hub::start(replies)
}

#[test]
fn an_interrupted_pull_leaves_nothing() {
    if !has_loopback() {
        return;
    }
    let sandbox = Sandbox::new();
    for file in ["tokenizer.json", "model.onnx.data"] {
        let hub = stalling(file);
        let child = hub.stalled(&sandbox, file);
        signal(child.id(), "INT");
        let output = child.wait_with_output().expect("an end");
        Run::from_output(&output, "the pull".into()).exits(130).says("stopped: interrupted");
        assert_eq!(left(&sandbox), [""; 0], "{file}");
    }
}

#[test]
fn the_next_writer_removes_the_files_of_a_killed_pull() {
    if !has_loopback() {
        return;
    }
    let sandbox = Sandbox::new();
    topics(&sandbox);
    let hub = stalling("model.onnx");
    let mut child = hub.stalled(&sandbox, "model.onnx");
    // The pull still runs, so its files stay.
    sandbox.ingest();
    assert_ne!(left(&sandbox), [""; 0]);
    child.kill().expect("a kill");
    child.wait().expect("an end");
    assert_ne!(left(&sandbox), [""; 0]);
    sandbox.ingest();
    assert_eq!(left(&sandbox), [""; 0]);
    // Earlier versions used other names and no lock.
    sandbox.write("data/models/.pull-123/tokenizer.json", "{}");
    sandbox.write("data/models/.mini.123.tmp/manifest.json", "{}");
    let listed = sandbox.rag(["model", "list"]).ok();
    assert!(!listed.stdout.contains("mini"), "{listed}");
    sandbox.rag(["model", "add", "docs", "--name", "none"]).exits(2);
    Hub::start(BTreeMap::new()).pull(&sandbox, &["owner/mini"]).exits(7);
    assert_eq!(left(&sandbox), [""; 0]);
}
