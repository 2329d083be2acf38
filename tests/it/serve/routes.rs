//! Every route in its good and its bad cases; each reply must match `/openapi.json`.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};

use rag::jobs::{IngestSpec, Spec, Work};
use serde_json::{Value, json};

use super::schema::misfit;
use super::{QUESTION, indexed, with_llm};
use crate::fixtures::{files_below, topics, write_old};
use crate::support::llm::{LlmServer, Step};
use crate::support::server::{Reply, Server};
use crate::support::{Sandbox, has_loopback};
use crate::tools::{engine, wait_for, wait_for_workers};

/// A server whose replies are compared with `/openapi.json`: status and every key.
pub struct Api {
    pub server: Server,
    pub document: Value,
}

impl Api {
    pub fn start(sandbox: &Sandbox, env: &[(&str, &str)]) -> Self {
        Self::of(Server::start(sandbox, env), &[])
    }

    pub fn of(server: Server, headers: &[(&str, &str)]) -> Self {
        let document = server.request("GET", "/openapi.json", headers, "").ok().json();
        Self { server, document }
    }

    #[track_caller]
    pub fn call(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let reply = self.server.request(method, target, headers, body);
        let path = target.split('?').next().unwrap();
        let paths = self.document["paths"].as_object().unwrap();
        let fits = |pattern: &str| {
            let (pattern, path): (Vec<&str>, Vec<&str>) =
                (pattern.split('/').collect(), path.split('/').collect());
            pattern.len() == path.len()
                && pattern.iter().zip(&path).all(|(p, part)| p.starts_with('{') || p == part)
        };
        let mut found: Vec<&String> = paths.keys().filter(|pattern| fits(pattern)).collect();
        found.sort_by_key(|pattern| pattern.matches('{').count());
        let operation = &paths[*found.first().unwrap_or_else(|| panic!("no route {path}"))]
            [method.to_lowercase()];
        let response = operation["responses"].get(reply.status.to_string());
        assert!(
            response.is_some(),
            "{method} {target} gives {}, which is not described\n{reply:?}",
            reply.status
        );
        let kinds = response.and_then(|response| response["content"].as_object());
        if let (Some(kinds), Some(kind)) = (kinds, reply.headers.get("content-type"))
            && !kinds.contains_key(kind.split(';').next().unwrap_or_default())
        {
            panic!("{method} {target} replies with {kind}, which is not described\n{reply:?}");
        }
        let described = response.map(|response| &response["content"]["application/json"]["schema"]);
        if reply.headers.get("content-type").is_some_and(|kind| kind == "application/json")
            && let Some(why) =
                described.and_then(|schema| misfit(&self.document, schema, &reply.json()))
        {
            panic!("{method} {target} replies otherwise than described: {why}\n{reply:?}");
        }
        reply
    }

    #[track_caller]
    pub fn get(&self, target: &str) -> Reply {
        self.call("GET", target, &[], "")
    }

    #[track_caller]
    pub fn post(&self, target: &str, body: &Value) -> Reply {
        self.call("POST", target, &[], &body.to_string())
    }

    #[track_caller]
    fn delete(&self, target: &str) -> Reply {
        self.call("DELETE", target, &[], "")
    }

    fn upload(&self, target: &str, body: &str) -> Reply {
        self.call("POST", target, &[("content-type", "text/markdown")], body)
    }

    /// Sends a body in chunks.
    fn in_chunks(&self, target: &str, kind: &str, pieces: &[&str]) -> Reply {
        let pieces: String =
            pieces.iter().map(|piece| format!("{:x}\r\n{piece}\r\n", piece.len())).collect();
        let head = format!("host: localhost\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked");
        self.server.raw(format!("POST {target} HTTP/1.1\r\n{head}\r\n\r\n{pieces}").as_bytes())
    }

    /// A chat that asks [`QUESTION`], with these fields added or replaced.
    #[track_caller]
    pub fn chat(&self, more: Value) -> Reply {
        let body = json!({ "model": "rag", "messages": [user(QUESTION)] });
        self.post("/v1/chat/completions", &with_fields(body, more))
    }

    #[track_caller]
    pub fn embed(&self, more: Value) -> Reply {
        let body = json!({ "model": "all-MiniLM-L6-v2", "input": "bees" });
        self.post("/v1/embeddings", &with_fields(body, more))
    }

    fn ask(&self, text: &str) -> Value {
        self.post("/ask", &json!({ "query": text })).ok().json()
    }

    /// Root and path of an answer's first citation.
    fn cited(&self, text: &str) -> (Value, Value) {
        let citation = self.ask(text)["citations"][0].clone();
        (citation["root"].clone(), citation["path"].clone())
    }

    /// Follows a job to its end.
    #[track_caller]
    fn done(&self, begun: &Reply) -> Value {
        assert_eq!(begun.status, 202, "{begun:?}");
        let id = begun.json()["job_id"].as_str().unwrap().to_owned();
        let events = self.get(&format!("/ingest/events/{id}")).ok();
        assert!(events.headers["content-type"].starts_with("text/event-stream"));
        let (_, last) =
            events.body.split_once("event: done\n").unwrap_or_else(|| panic!("{}", events.body));
        let data = last.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
        let job: Value = serde_json::from_str(data).unwrap();
        assert_eq!((&job["id"], &job["state"]), (&json!(id), &json!("succeeded")), "{job}");
        job
    }
}

/// The object `body` with the fields of the object `more` added or replaced.
fn with_fields(mut body: Value, mut more: Value) -> Value {
    body.as_object_mut().unwrap().append(more.as_object_mut().unwrap());
    body
}

pub fn strings(list: &Value, field: &str) -> Vec<String> {
    list.as_array().unwrap().iter().map(|one| one[field].as_str().unwrap().to_owned()).collect()
}

#[test]
fn only_allowed_folders_are_ingested() {
    if !has_loopback() {
        return;
    }
    let sandbox = Sandbox::new();
    topics(&sandbox);
    sandbox.write("secret/key.md", "# Key\n\nThe key is under the mat.\n");
    symlink("../secret", sandbox.path().join("docs/out")).unwrap();
    let api = Api::start(&sandbox, &[("RAG_SERVE_ROOTS", "docs")]);
    check_refused_folders(&api, &sandbox);
    let id = check_ingested_folder(&api, &sandbox);
    check_separate_index(&api);
    check_unknown_jobs(&api, &id);
    let config = api.get("/config").ok().json();
    assert_eq!(
        (&config["features"]["roots"], &config["auth"]["scope"]),
        (&json!(["docs"]), &json!("admin"))
    );
    assert_eq!(
        (&config["indexes"], &config["features"]["llm"]),
        (&json!(["default", "parts"]), &json!(false))
    );
    api.server.stop();
    wait_for_workers(&sandbox);
}

fn check_refused_folders(api: &Api, sandbox: &Sandbox) {
    let start = |body: Value| api.post("/ingest/start", &body);
    let secret = sandbox.path().join("secret").to_str().unwrap().to_owned();
    for dir in [
        "secret",
        &secret,
        "docs/../secret",
        "docs/out",
        "..",
        "/",
        "docs/%2e%2e/secret",
        "docs/nothing",
        "",
    ] {
        assert_eq!(start(json!({ "dir": dir })).is(403).code(), "forbidden", "{dir}");
    }
    for bad in [
        json!({}),
        json!({ "dir": "docs", "dirs": ["docs"] }),
        json!({ "dirs": [] }),
        json!({ "dir": "docs", "index": "../x" }),
        json!({ "dir": "docs", "model": "../../models" }),
        json!({ "dir": "docs", "priority": "soon" }),
        json!({ "dir": "docs", "cwd": "/" }),
        json!({ "dir": 7 }),
    ] {
        start(bad.clone()).is(400);
    }
    start(json!({ "dir": "docs", "model": "none-such" })).is(404);
    assert_eq!(api.get("/ingest/list").ok().json(), json!({ "jobs": [] }));
}

/// Ingests a folder; returns the id of the job.
fn check_ingested_folder(api: &Api, sandbox: &Sandbox) -> String {
    let job = api.done(&api.post("/ingest/start", &json!({ "dir": "docs" })));
    assert_eq!((&job["dirs"], &job["result"]["documents"]), (&json!(["docs"]), &json!(6)));
    let id = job["id"].as_str().unwrap();
    let mut by_command = sandbox.rag(["jobs", "show", id, "--json"]).ok().json();
    let generation =
        by_command["result"]["index_dir"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    by_command["result"]["index_dir"] = format!("indexes/{generation}").into();
    assert_eq!(api.get(&format!("/ingest/status/{id}")).ok().json(), by_command);
    let found = api.post("/search", &json!({ "query": QUESTION, "k": 1 })).ok().json();
    assert_eq!(
        (&found["hits"][0]["root"], &found["hits"][0]["path"]),
        (&json!("docs"), &json!("bees.md"))
    );
    id.to_owned()
}

/// Parts of a folder, into a separate index.
fn check_separate_index(api: &Api) {
    let more = json!({
        "dirs": ["docs/deep", "docs/code"], "index": "parts", "use_cache": false,
        "priority": "high",
    });
    assert_eq!(api.done(&api.post("/ingest/start", &more))["result"]["documents"], 2);
    assert_eq!(
        strings(&api.get("/ingest/list?state=succeeded").ok().json()["jobs"], "index"),
        ["default", "parts"]
    );
    assert_eq!(api.get("/ingest/list?state=failed").ok().json(), json!({ "jobs": [] }));
    api.get("/ingest/list?state=lost").is(400);
    api.get("/ingest/list?limit=3").is(400);
}

fn check_unknown_jobs(api: &Api, id: &str) {
    assert_eq!(
        api.call("POST", &format!("/ingest/cancel/{id}"), &[], "").is(409).code(),
        "conflict"
    );
    for id in ["0123456789abcdef0123456789abcdef", "..", &id[..8], "%2e%2e%2fjobs"] {
        api.get(&format!("/ingest/status/{id}")).is(404);
        api.get(&format!("/ingest/events/{id}")).is(404);
        api.call("POST", &format!("/ingest/cancel/{id}"), &[], "").is(404);
    }
}

/// One folder of several is brought up to date, and nothing else changes; removed documents are
/// named.
#[test]
fn an_ingest_of_one_folder_keeps_the_others_and_uploads() {
    if !has_loopback() {
        return;
    }
    let sandbox = Sandbox::new();
    topics(&sandbox);
    write_old(&sandbox, "notes/salmon.md", "# Salmon\n\nThe salmon leaps up the river.\n");
    let api = Api::start(&sandbox, &[("RAG_SERVE_ROOTS", "docs:notes")]);
    let ingest = |body: Value| api.done(&api.post("/ingest/start", &body))["result"].clone();
    assert_eq!(ingest(json!({ "dirs": ["docs", "notes"] }))["documents"], 7);
    let body = json!({ "path": "otter.md", "text": "# Otters\n\nAn otter eats fish and crabs.\n" });
    assert_eq!(api.done(&api.post("/documents", &body))["result"]["documents"], 8);
    std::fs::remove_file(sandbox.path().join("docs/tides.md")).unwrap();
    let result = ingest(json!({ "dir": "docs" }));
    assert_eq!((&result["documents"], &result["removed"]), (&json!(7), &json!(1)), "{result}");
    assert_eq!(result["removed_documents"], json!(["docs/tides.md"]));
    let roots = || api.get("/indexes").ok().json()[0]["roots"].clone();
    let three = json!(["docs", "notes", "uploads"]);
    let sorted = |mut roots: Value| {
        roots.as_array_mut().unwrap().sort_by_key(ToString::to_string);
        roots
    };
    assert_eq!(sorted(roots()), three);

    for bad in ["none", "..", "doc", "docs/", "./docs", "/etc", ""] {
        assert_eq!(
            api.delete(&format!("/indexes/default/folders?folder={bad}")).is(404).code(),
            "not_found",
            "{bad}"
        );
    }
    api.delete("/indexes/none/folders?folder=docs").is(404);
    api.delete("/indexes/default/folders").is(400);
    wait_for_workers(&sandbox);
    let gone = api.delete("/indexes/default/folders?folder=notes").ok().json();
    assert_eq!((&gone["removed"], &gone["documents"]), (&json!(["notes/salmon.md"]), &json!(6)));
    let found = api.post("/search", &json!({ "query": "otter" })).ok().json();
    assert_eq!(found["hits"][0]["root"], "uploads");
    let result = ingest(json!({ "dir": "docs", "only": true }));
    assert_eq!(
        (&roots(), &result["removed_documents"]),
        (&json!(["docs"]), &json!(["uploads/otter.md"]))
    );

    // An empty index is reported as empty, not as a lack of support.
    wait_for_workers(&sandbox);
    api.delete("/indexes/default/folders?folder=docs").ok();
    let answer = api.post("/ask", &json!({ "query": QUESTION })).ok().json();
    assert_eq!((&answer["supported"], &answer["index_empty"]), (&json!(false), &json!(true)));
    let found = api.post("/search", &json!({ "query": QUESTION })).ok().json();
    assert_eq!((&found["hits"], &found["index_empty"]), (&json!([]), &json!(true)));
    let chat = json!({ "model": "rag", "messages": [{ "role": "user", "content": QUESTION }] });
    let chat = api.post("/v1/chat/completions", &chat).ok().json();
    assert_eq!(chat["choices"][0]["message"]["content"], "The index is empty.");
    api.server.stop();
    wait_for_workers(&sandbox);
}

#[test]
fn a_folder_replaced_by_a_link_is_not_read() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    sandbox.write("secret/key.md", "# Key\n\nThe key is under the mat.\n");
    let engine = engine(&sandbox);
    let real = sandbox.path().canonicalize().unwrap().join("docs").to_str().unwrap().to_owned();
    let work = Work::Ingest(IngestSpec {
        index: "default".to_owned(),
        model: engine.config.model.clone(),
        dirs: vec![real.clone()],
        names: [(real, "docs".to_owned())].into(),
        ..IngestSpec::default()
    });
    let id = rag::work::submit(&engine, Spec { max_attempts: 1, ..Spec::new(work) }).unwrap();
    std::fs::rename(sandbox.path().join("docs"), sandbox.path().join("moved")).unwrap();
    symlink("secret", sandbox.path().join("docs")).unwrap();
    sandbox.rag(["jobs", "run"]).ok();
    let job = sandbox.rag(["jobs", "show", &id, "--json"]).ok().json();
    assert_eq!(job["state"], "failed", "{job}");
    assert!(job["reason"].as_str().unwrap().contains("was replaced by another folder"), "{job}");
    assert!(sandbox.rag(["index", "list", "--json"]).ok().json() == json!([]));
}

#[test]
fn uploads_are_limited_to_their_total_size() {
    let Some(sandbox) = indexed() else { return };
    let api = Api::start(&sandbox, &[("RAG_SERVE_MAX_UPLOADS_BYTES", "100")]);
    let text = "# Otters\n\nAn otter eats fish and crabs.\n".to_owned() + &"x".repeat(30);
    let upload = |path: &str| {
        let target = format!("/documents?path={path}");
        api.call("POST", &target, &[("content-type", "text/plain")], &text)
    };
    api.done(&upload("otter.md"));
    for refused in
        [upload("badger.md"), api.post("/documents", &json!({ "path": "badger.md", "text": text }))]
    {
        assert_eq!(refused.is(413).code(), "too_large");
    }
    assert!(!sandbox.data().join("uploads/default/badger.md").exists());
    // Freed room can be used.
    api.delete("/documents?root=uploads&path=otter.md").ok();
    api.done(&upload("badger.md"));
    api.delete("/documents?root=uploads&path=badger.md").ok();
    // An upload in progress reserves its room.
    let mut slow = api.server.connect();
    let head =
        format!("content-type: text/plain\r\ncontent-length: {}\r\nconnection: close", text.len());
    write!(slow, "POST /documents?path=owl.md HTTP/1.1\r\nhost: localhost\r\n{head}\r\n\r\n")
        .unwrap();
    let uploads = sandbox.data().join("uploads/default");
    wait_for("the partial file", || (!files_below(&uploads).is_empty()).then_some(()));
    upload("otter.md").is(413);
    slow.write_all(text.as_bytes()).unwrap();
    let mut reply = String::new();
    slow.read_to_string(&mut reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 202"), "{reply}");
    wait_for_workers(&sandbox);
}

const OTTER: &str = "# Otters\n\nAn otter eats fish and crabs.\n";

#[test]
fn documents_are_listed_read_uploaded_and_removed() {
    let Some(sandbox) = indexed() else { return };
    let api = Api::start(&sandbox, &[]);
    check_listing(&api, &sandbox);
    check_content(&api, &sandbox);
    check_uploads(&api, &sandbox);
    check_invalid_uploads(&api, &sandbox);
    check_bodies(&api);
    check_aborted_upload(&api, &sandbox);
    check_removal(&api, &sandbox);
    api.server.stop();
    wait_for_workers(&sandbox);
}

/// Documents come in pages, and equal those of the command.
fn check_listing(api: &Api, sandbox: &Sandbox) {
    let mut paths = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = api.get(&format!("/documents?limit=4{cursor}")).ok().json();
        paths.extend(strings(&page["documents"], "path"));
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let by_command = sandbox.rag(["documents", "list", "--json"]).ok().json();
    assert_eq!(paths, strings(&by_command, "path"));
    assert_eq!(api.get("/documents?limit=500").ok().json()["documents"], by_command);
    assert_eq!(
        api.get("/documents?filter=type:html").ok().json()["documents"].as_array().map(Vec::len),
        Some(1)
    );
    assert_eq!(
        api.get("/documents?state=failed").ok().json(),
        json!({ "documents": [], "next": null })
    );
    for bad in [
        "limit=0",
        "limit=501",
        "limit=x",
        "cursor=zz",
        "cursor=00",
        "state=lost",
        "filter=(",
        "nothing=1",
    ] {
        api.get(&format!("/documents?{bad}")).is(400);
    }
    api.get("/documents?index=none").is(404);
    api.get("/documents?index=..%2F..").is(404);
}

/// Content comes from the index, even when the file is gone.
fn check_content(api: &Api, sandbox: &Sandbox) {
    let by_command = sandbox.rag(["documents", "show", "bees.md", "--json"]).ok().json();
    std::fs::remove_file(sandbox.path().join("docs/bees.md")).unwrap();
    let content = api.get("/documents/content?root=docs&path=bees.md").ok().json();
    assert_eq!(
        (&content["passages"], &content["title"]),
        (&by_command["passages"], &by_command["title"])
    );
    assert_eq!(content["format"], "markdown");
    assert_eq!(api.get("/documents/content?path=docs/bees.md").ok().json(), content);
    for bad in [
        "root=docs&path=none.md",
        "root=..&path=bees.md",
        "path=../../etc/passwd",
        "path=/etc/passwd",
    ] {
        assert_eq!(
            api.get(&format!("/documents/content?{bad}")).is(404).code(),
            "not_found",
            "{bad}"
        );
    }
    api.get("/documents/content").is(400);
    for bad in ["bytes=9", "bytes=a-b", "bytes=-1-2", "lines=", "lines=1-2-3", "around=-1"] {
        api.get(&format!("/documents/content?path=docs/bees.md&{bad}")).is(400);
    }
    write_old(sandbox, "docs/bees.md", crate::fixtures::TOPICS[0].1);
}

/// Uploads, raw and as JSON, are stored privately and indexed.
fn check_uploads(api: &Api, sandbox: &Sandbox) {
    let begun = api.upload("/documents?path=animals/otter.md", OTTER);
    assert_eq!(
        (&begun.json()["root"], &begun.json()["bytes"]),
        (&json!("uploads"), &json!(OTTER.len()))
    );
    assert_eq!(api.done(&begun)["dirs"], json!(["uploads"]));
    let file = sandbox.data().join("uploads/default/animals/otter.md");
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), OTTER);
    assert_eq!(api.cited("What does an otter eat?"), (json!("uploads"), json!("animals/otter.md")));
    assert_eq!(
        api.cited(QUESTION),
        (json!("docs"), json!("bees.md")),
        "the folders of the index stay in it, by their names"
    );
    let body = json!({ "path": "badger.md", "text": "# Badgers\n\nA badger digs setts with many \
         doors.\n" });
    api.done(&api.post("/documents/text", &body));
    api.done(&api.post("/documents", &body));
    assert_eq!(api.ask("What does a badger dig?")["supported"], true);
}

fn check_invalid_uploads(api: &Api, sandbox: &Sandbox) {
    for bad in [
        "..%2Fx.md",
        "/etc/x.md",
        ".ragignore",
        "a/.hidden",
        "a%5Cb",
        "a%00b",
        "%252e%252e/x",
        "a//b",
        "",
    ] {
        api.upload(&format!("/documents?path={bad}"), "x").is(400);
    }
    api.upload("/documents?path=x.md&index=../x", "x").is(400);
    api.upload("/documents?path=badger.md/x.md", "x").is(409);
    api.upload("/documents?path=animals", "x").is(409);
    api.post("/documents", &json!({ "path": "x.md" })).is(400);
    api.post("/documents/text", &json!({ "path": "../x.md", "text": "x" })).is(400);
    assert!(api.upload("/documents", "x").is(400).body.contains("`path` is missing"));
    assert!(!sandbox.path().join("x.md").exists() && !sandbox.data().join("x.md").exists());
    let large = [("content-type", "text/plain"), ("content-length", "99999999999")];
    api.call("POST", "/documents?path=large.txt", &large, "x").is(413);
}

/// A form is not a document; a chunked body is accepted.
fn check_bodies(api: &Api) {
    let form = "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.md\"\r\n\r\n# \
         A\r\n--b--\r\n";
    let refused = api.call(
        "POST",
        "/documents?path=form.md",
        &[("content-type", "multipart/form-data; boundary=b")],
        form,
    );
    assert!(refused.status == 415 && refused.body.contains("--data-binary"), "{refused:?}");
    let newt = ["# Newts\n\nA newt eats ", "worms and slugs.\n", ""];
    let begun = api.in_chunks("/documents?path=newt.md", "text/markdown", &newt);
    assert_eq!(begun.json()["bytes"], newt.concat().len());
    api.done(&begun);
    assert_eq!(api.cited("What does a newt eat?"), (json!("uploads"), json!("newt.md")));
    let asked = api
        .in_chunks("/ask", "application/json", &["{\"query\": \"What does a ", "newt eat?\"}", ""])
        .ok();
    assert_eq!(
        (&asked.json()["supported"], &*asked.headers["connection"]),
        (&json!(true), "close")
    );
    api.in_chunks("/sessions", "application/json", &[""]).is(201);
}

/// An aborted upload leaves nothing.
fn check_aborted_upload(api: &Api, sandbox: &Sandbox) {
    let uploads = sandbox.data().join("uploads/default");
    let before = files_below(&uploads);
    let mut broken = api.server.connect();
    let head = "host: localhost\r\ncontent-type: text/markdown\r\ntransfer-encoding: chunked";
    write!(broken, "POST /documents?path=half.md HTTP/1.1\r\n{head}\r\n\r\n6\r\n# Half\r\n")
        .unwrap();
    wait_for("the partial file", || (files_below(&uploads).len() > before.len()).then_some(()));
    drop(broken);
    wait_for("its removal", || (files_below(&uploads) == before).then_some(()));
}

/// A removed document stays out until it is uploaded again.
fn check_removal(api: &Api, sandbox: &Sandbox) {
    wait_for_workers(sandbox);
    let removed = api.delete("/documents?root=uploads&path=animals/otter.md").ok().json();
    assert_eq!(removed["removed"], json!(["uploads/animals/otter.md"]));
    assert!(
        !sandbox.data().join("uploads/default/animals/otter.md").exists(),
        "a removed upload is deleted from the disk"
    );
    assert_eq!(api.ask("What does an otter eat?")["supported"], false);
    api.delete("/documents?root=uploads&path=animals/otter.md").is(404);
    api.delete("/documents?root=docs&path=*").is(404);
    assert_eq!(
        api.delete("/documents?path=docs/tides.md").ok().json()["removed"],
        json!(["docs/tides.md"])
    );
    assert!(sandbox.path().join("docs/tides.md").exists(), "a file of a folder stays on disk");
    api.done(&api.upload("/documents?path=animals/otter.md", OTTER));
    assert_eq!(api.ask("What does an otter eat?")["supported"], true);
}

/// A citation may span several consecutive passages.
#[test]
fn a_document_marks_the_passages_of_a_citation() {
    let Some(sandbox) = indexed() else { return };
    let sections: Vec<String> = (0..9)
        .map(|n| {
            format!(
                "## Part {n}\n\n{}",
                format!("The walrus number {n} sleeps on the ice. ").repeat(12)
            )
        })
        .collect();
    write_old(&sandbox, "docs/long.md", format!("# Walruses\n\n{}\n", sections.join("\n\n")));
    sandbox.ingest();
    let api = Api::start(&sandbox, &[]);
    let content = |part: &str| {
        api.get(&format!("/documents/content?root=docs&path=long.md{part}")).ok().json()
    };
    let all = content("")["passages"].as_array().unwrap().clone();
    assert!(all.len() > 6 && all.iter().all(|passage| passage.get("cited").is_none()), "{all:?}");
    let of = |n: usize, field: &str, end: usize| all[n][field][end].as_u64().unwrap();
    let marked = |part: &str| -> Vec<usize> {
        let passages = content(part)["passages"].as_array().unwrap().clone();
        (0..passages.len()).filter(|n| passages[*n]["cited"] == true).collect()
    };
    let (begin, end) = (of(2, "bytes", 0), of(4, "bytes", 1));
    assert_eq!(marked(&format!("&bytes={begin}-{end}")), [2, 3, 4]);
    assert_eq!(marked(&format!("&lines={}-{}", of(2, "lines", 0), of(4, "lines", 1))), [2, 3, 4]);
    // A part of one passage marks that passage.
    assert_eq!(marked(&format!("&bytes={}-{}", begin + 3, begin + 9)), [2]);
    assert_eq!(marked("&bytes=900000-900001"), [0; 0]);
    let around = content(&format!("&bytes={begin}-{end}&around=1"));
    assert_eq!((&around["first"], &around["of"]), (&json!(2), &json!(all.len())));
    let cited: Vec<&Value> =
        around["passages"].as_array().unwrap().iter().map(|passage| &passage["cited"]).collect();
    assert_eq!(cited, [&json!(false), &json!(true), &json!(true), &json!(true), &json!(false)]);
    api.server.stop();
}

#[test]
fn a_batch_answers_its_questions_in_order() {
    let Some(sandbox) = indexed() else { return };
    let api = Api::start(&sandbox, &[]);
    let batch = |questions: Value| api.post("/ask/batch", &json!({ "questions": questions }));
    let tide = json!({ "id": 7, "query": "When does the tide rise?", "intent": "factoid" });
    let answers = batch(json!([QUESTION, tide, " ", QUESTION]));
    let answers = answers.ok().json()["answers"].clone();
    assert_eq!(answers.as_array().map(Vec::len), Some(4));
    assert_eq!(answers[0]["citations"][0]["path"], "bees.md");
    assert_eq!(
        (&answers[1]["id"], &answers[1]["citations"][0]["path"]),
        (&json!(7), &json!("tides.md"))
    );
    assert_eq!(answers[2]["error"]["code"], "usage");
    assert_eq!(answers[3]["answer"], answers[0]["answer"]);
    batch(json!([])).is(400);
    batch(json!(vec!["q"; 65])).is(400);
    batch(json!([{ "query": "q", "intent": "poem" }])).is(400);
    assert_eq!(
        batch(json!(vec![QUESTION; 64])).ok().json()["answers"].as_array().map(Vec::len),
        Some(64)
    );
    let other =
        api.post("/ask/batch", &json!({ "questions": [QUESTION], "index": "none" })).ok().json();
    assert_eq!(other["answers"][0]["error"]["code"], "not_found");
    api.server.stop();
}

#[test]
fn a_removed_document_is_restored_and_its_file_downloaded() {
    let Some(sandbox) = indexed() else { return };
    let api = Api::start(&sandbox, &[("RAG_SERVE_ROOTS", "docs")]);
    let original = api.get("/documents/original?root=docs&path=bees.md").ok();
    assert_eq!(
        original.body,
        std::fs::read_to_string(sandbox.path().join("docs/bees.md")).unwrap()
    );
    assert_eq!(original.headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(original.headers["content-disposition"], "inline; filename*=UTF-8''bees.md");
    assert!(original.headers["content-security-policy"].contains("sandbox"));
    for path in ["nothing.md", "../docs/bees.md", "*.md"] {
        api.get(&format!("/documents/original?root=docs&path={path}")).is(404);
    }
    // A link in its place is not followed.
    let file = sandbox.path().join("docs/bees.md");
    let text = std::fs::read_to_string(&file).unwrap();
    sandbox.write("secret.md", "secret");
    std::fs::remove_file(&file).unwrap();
    symlink("../secret.md", &file).unwrap();
    let refused = api.get("/documents/original?root=docs&path=bees.md").is(404);
    assert!(!refused.body.contains("secret"), "{refused:?}");
    std::fs::remove_file(&file).unwrap();
    write_old(&sandbox, "docs/bees.md", text);

    api.delete("/documents?root=docs&path=bees.md").ok();
    let removed = api.get("/documents/removed").ok().json();
    let expected = json!([{ "root": "docs", "path": "bees.md", "has_file": true }]);
    assert_eq!(removed["documents"], expected);
    let body = json!({ "root": "docs", "path": "bees.md" });
    let restored = api.post("/documents/restore", &body).ok().json();
    assert_eq!(restored["restored"], json!(["docs/bees.md"]));
    let id = restored["job_id"].as_str().unwrap();
    api.get(&format!("/ingest/events/{id}")).ok();
    assert_eq!(api.cited(QUESTION).1, "bees.md");
    assert_eq!(api.get("/documents/removed").ok().json(), json!({ "documents": [] }));
    api.post("/documents/restore", &body).is(404);
    api.server.stop();

    // A folder that the server may not ingest is read by the next ingest.
    let api = Api::start(&sandbox, &[]);
    api.delete("/documents?root=docs&path=bees.md").ok();
    assert_eq!(api.post("/documents/restore", &body).ok().json()["job_id"], Value::Null);
    api.server.stop();
}

#[test]
fn a_session_is_renamed_found_and_exported_and_its_last_question_removed() {
    let Some(sandbox) = indexed() else { return };
    let api = Api::start(&sandbox, &[]);
    let id = api.post("/sessions", &json!({})).json()["id"].as_str().unwrap().to_owned();
    let ask = |text: &str| api.post("/ask", &json!({ "query": text, "session": id })).ok().json();
    let answer = ask(QUESTION);
    ask("Who was elected president of France?");
    let session = format!("/sessions/{id}");
    let turns = api.get(&session).ok().json()["turns"].clone();
    let (kept, citation) = (&turns[0], &turns[0]["citations"][0]);
    for field in ["model", "timings", "cache"] {
        assert_eq!(kept[field], answer[field], "{field}");
    }
    assert_eq!(citation["quotes"], answer["citations"][0]["quotes"]);
    assert_eq!(citation["passage"], answer["citations"][0]["passage"]);

    let rename =
        |title: &str| api.call("PUT", &session, &[], &json!({ "title": title }).to_string());
    assert_eq!(rename(" Bees  of mine ").ok().json()["title"], "Bees of mine");
    rename(&"x".repeat(201)).is(400);
    api.call("PUT", "/sessions/none", &[], "{\"title\": \"x\"}").is(404);
    let found = |words: &str| {
        let list = api.get(&format!("/sessions?words={words}")).ok().json();
        list["sessions"].as_array().unwrap().len()
    };
    assert_eq!((found("mine+FRANCE"), found("mine+spain"), found("")), (1, 0, 1));
    let markdown = api.get(&format!("{session}/export?format=markdown")).ok();
    assert_eq!(markdown.headers["content-type"], "text/markdown; charset=utf-8");
    assert!(markdown.body.contains("\n## Who was elected president of France?\n\nNothing in"));
    assert!(markdown.body.contains("1. docs/bees.md, line"), "{}", markdown.body);
    api.get(&format!("{session}/export?format=html")).is(400);

    api.delete(&format!("{session}/turns/1")).is(409);
    api.delete(&format!("{session}/turns/3")).is(404);
    api.delete(&format!("{session}/turns/2")).ok();
    assert_eq!(api.get(&session).ok().json()["turns"].as_array().unwrap().len(), 1);
    api.server.stop();
}

#[test]
fn questions_are_suggested_from_headings() {
    let Some(sandbox) = indexed() else { return };
    let api = Api::start(&sandbox, &[]);
    let list = |query: &str| {
        let reply = api.get(&format!("/indexes/default/suggestions{query}")).ok().json();
        strings(&reply["suggestions"], "question")
    };
    let all = list("?n=20");
    assert!(!all.is_empty() && list("?n=1") == all[..1], "{all:?}");
    assert!(api.ask(&all[0])["supported"].as_bool().unwrap(), "{all:?}");
    api.get("/indexes/default/suggestions?n=0").is(400);
    api.get("/indexes/nothing/suggestions").is(404);
    api.server.stop();
}

#[test]
fn feedback_is_exported_as_questions_for_an_evaluation() {
    let Some(sandbox) = indexed() else { return };
    let api = Api::start(&sandbox, &[]);
    let answer = api.ask(QUESTION);
    let sources: Vec<Value> = answer["citations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|citation| json!({ "root": citation["root"], "path": citation["path"] }))
        .collect();
    let rate = |question: &str, more: Value| {
        let body = json!({ "question": question, "helpful": true, "sources": sources });
        api.post("/feedback", &with_fields(body, more))
    };
    assert_eq!(rate(QUESTION, json!({})).is(201).json(), json!({ "keep_days": 90 }));
    rate("Who rules the moon?", json!({ "helpful": false, "reason": "unanswerable" })).is(201);
    rate("What is wrong?", json!({ "helpful": false, "comment": "all of it" })).is(201);
    rate("What is gone?", json!({ "sources": [{ "root": "docs", "path": "gone.md" }] })).is(201);
    for bad in [
        json!({ "reason": "dull" }),
        json!({ "question": " " }),
        json!({ "index": "../up" }),
        json!({ "comment": "x".repeat(5000) }),
    ] {
        rate(QUESTION, bad).is(400);
    }
    let exported = api.get("/feedback/export").ok();
    assert_eq!(exported.headers["content-type"], "application/x-ndjson");
    let lines: Vec<Value> =
        exported.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(lines[0]["query"], QUESTION);
    assert_eq!(lines[1]["unanswerable"], true);
    assert_eq!(api.get("/feedback/export?index=other").ok().body, "");
    assert_eq!(api.get("/stats").ok().json()["helpful"], 2);
    sandbox.write("feedback.jsonl", &exported.body);
    let report = sandbox.rag(["eval", "feedback.jsonl", "--json"]).ok().json();
    assert_eq!(report["queries"], 2, "{report}");
    let text = sandbox.rag(["stats"]).ok().stdout;
    assert!(text.contains("4 answers rated, 50.0 % helpful"), "{text}");
    api.server.stop();
}

#[test]
fn caches_and_indexes_are_reported_and_changed() {
    let Some(sandbox) = indexed() else { return };
    let api = Api::start(&sandbox, &[]);
    api.post("/ask", &json!({ "query": QUESTION })).ok();
    let purged =
        api.post("/cache/purge", &json!({ "tables": ["answers", "retrieval"] })).ok().json();
    assert!(
        purged["purged"]["answers"]["count"].is_u64() && purged["freed_bytes"].is_u64(),
        "{purged}"
    );
    assert!(api.get("/stats?since=1h").ok().json()["questions"].is_u64());
    api.get("/stats?since=yesterday").is(400);
    let stats = api.get("/cache/stats").ok().json();
    assert_eq!(stats["tables"]["answers"]["count"], 0);
    assert_eq!(stats["tables"].as_object().map(serde_json::Map::len), Some(4));
    api.post("/cache/purge", &json!({ "tables": ["everything"] })).is(400);
    let all = api.post("/cache/purge", &json!({ "tables": ["answers", "all"] })).ok().json();
    assert_eq!(all["purged"].as_object().map(serde_json::Map::len), Some(4), "{all}");
    api.post("/cache/purge", &json!({ "tables": [] })).is(400);
    api.post("/ask", &json!({ "query": QUESTION })).ok();
    for (body, expected) in [
        (json!({ "domains": ["example.org"] }), 0),
        (json!({ "tables": ["answers"], "tags": ["docs"] }), 1),
        (json!({ "tags": ["default"] }), 0),
    ] {
        let purged = api.post("/cache/purge", &body).ok().json();
        assert_eq!(purged["purged"]["answers"]["count"], expected, "{body}: {purged}");
    }
    api.post("/cache/purge", &json!({})).is(400);
    api.post("/cache/purge", &json!({ "tables": ["rerank"], "tags": ["docs"] })).is(400);
    api.post("/cache/purge", &json!({ "domains": ["https://example.org"] })).is(400);

    let list = api.get("/indexes").ok().json();
    assert_eq!(list, sandbox.rag(["index", "list", "--json"]).ok().json());
    let verify = || api.call("POST", "/indexes/default/verify", &[], "").ok().json();
    assert_eq!(verify(), json!({ "index": "default", "ok": true, "damaged": [] }));
    assert_eq!(api.post("/indexes/default/rollback", &json!({})).is(409).code(), "conflict");
    write_old(&sandbox, "docs/otter.md", "# Otters\n\nAn otter eats fish and crabs.\n");
    sandbox.ingest();
    let back = api.post("/indexes/default/rollback", &json!({})).ok().json();
    assert_eq!((&back["documents"], &back["corpus_id"]), (&json!(6), &list[0]["corpus_id"]));
    for name in ["none", "..", "%2e%2e"] {
        api.post(&format!("/indexes/{name}/verify"), &json!({})).is(404);
        api.post(&format!("/indexes/{name}/rollback"), &json!({})).is(404);
    }
    api.post("/indexes/default/verify", &json!({ "deep": true })).is(400);
    // An array is not an object, even where no key is required.
    api.post("/indexes/default/verify", &json!([])).is(400);
    api.post("/search", &json!(["bees"])).is(400);

    // Damage is reported with a path relative to the data directory.
    let generation = sandbox.data().join("indexes").join(list[0]["corpus_id"].as_str().unwrap());
    std::fs::set_permissions(&generation, std::fs::Permissions::from_mode(0o700)).unwrap();
    let table = generation.join("documents.jsonl");
    let bytes = std::fs::read(&table).unwrap();
    std::fs::remove_file(&table).unwrap();
    std::fs::write(
        &table,
        bytes.iter().map(|b| if *b == b'6' { b'7' } else { *b }).collect::<Vec<u8>>(),
    )
    .unwrap();
    let damaged = verify();
    assert_eq!(damaged["ok"], false);
    assert!(!damaged.to_string().contains(sandbox.path().to_str().unwrap()), "{damaged}");
    api.server.stop();
}

#[test]
fn a_session_is_visible_to_its_creator_and_to_admins_only() {
    let Some(sandbox) = indexed() else { return };
    let file = sandbox
        .write("tokens", "read aaaaaaaaaaaaaaaa\nread bbbbbbbbbbbbbbbb\nadmin cccccccccccccccc\n");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let [a, b, admin] = ["aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb", "cccccccccccccccc"]
        .map(|token| format!("Bearer {token}"));
    let api = Api::of(
        Server::start(&sandbox, &[("RAG_SERVE_TOKEN_FILE", "tokens")]),
        &[("authorization", &a)],
    );
    let call = |token: &str, method: &str, target: &str, body: &Value| {
        call_as(&api, token, method, target, body)
    };
    let create = |token: &str, body: &Value| {
        let created = call(token, "POST", "/sessions", body).is(201).json();
        created["id"].as_str().unwrap().to_owned()
    };
    let (id, other) = (create(&a, &Value::Null), create(&b, &json!({})));
    assert!(id.len() == 48 && id != other);
    call(&a, "POST", "/sessions", &json!({ "id": "mine" })).is(400);
    assert_eq!(
        call(&a, "GET", &format!("/sessions/{id}"), &Value::Null).ok().json()["turns"],
        json!([])
    );
    let ask = |token: &str, text: &str, id: &str| {
        call(token, "POST", "/ask", &json!({ "query": text, "session": id }))
    };
    ask(&a, QUESTION, &id).ok();
    let followed = ask(&a, "And their combs?", &id).ok().json();
    assert_eq!(followed["session"], json!(id));
    let shown = call(&a, "GET", &format!("/sessions/{id}"), &Value::Null).ok().json();
    assert_eq!(strings(&shown["turns"], "question"), [QUESTION, "And their combs?"]);
    let exported = call(&a, "GET", &format!("/sessions/{id}/export"), &Value::Null).ok();
    assert_eq!(
        (exported.body.lines().count(), &*exported.headers["content-type"]),
        (2, "application/x-ndjson")
    );

    let unknown = "0123456789abcdef0123456789abcdef0123456789abcdef";
    for (token, id) in [
        (&b, &*id),
        (&a, &other),
        (&a, unknown),
        (&a, &id[..32]),
        (&a, "x"),
        (&a, "%2e%2e"),
        (&admin, unknown),
    ] {
        check_not_found(&api, token, id);
    }
    // A session of the terminal is not visible over HTTP.
    sandbox.rag(["ask", "--session", "desk", QUESTION]).ok();
    ask(&a, QUESTION, "desk").is(404);
    call(&a, "GET", "/sessions", &Value::Null).is(403);
    let list = call(&admin, "GET", "/sessions", &Value::Null).ok().json()["sessions"].clone();
    let ids = strings(&list, "id");
    assert!(ids.len() == 2 && ids.contains(&id[..32].to_owned()), "{list}");
    call(&admin, "GET", &format!("/sessions/{}", &id[..32]), &Value::Null).ok();
    assert_eq!(
        call(&a, "DELETE", &format!("/sessions/{id}"), &Value::Null).ok().json(),
        json!({ "removed": 1 })
    );
    call(&a, "GET", &format!("/sessions/{id}"), &Value::Null).is(404);
    call(&b, "DELETE", &format!("/sessions/{other}"), &Value::Null).ok();
    call(&b, "GET", &format!("/sessions/{other}"), &Value::Null).is(404);
    api.server.stop();
}

fn call_as(api: &Api, token: &str, method: &str, target: &str, body: &Value) -> Reply {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    api.call(method, target, &[("authorization", token)], &body)
}

/// No route finds this session for the token.
fn check_not_found(api: &Api, token: &str, id: &str) {
    for (method, target) in [("GET", ""), ("GET", "/export"), ("DELETE", "")] {
        call_as(api, token, method, &format!("/sessions/{id}{target}"), &Value::Null).is(404);
    }
    let body = json!({ "query": QUESTION, "session": id });
    call_as(api, token, "POST", "/ask", &body).is(404);
}

#[test]
fn openai_clients_get_openai_responses_and_errors() {
    let Some(sandbox) = indexed() else { return };
    let api = Api::start(&sandbox, &[]);
    check_models(&api);
    let content = check_chat(&api);
    check_conversation(&api, &content);
    check_chat_stream(&api, &content);
    check_invalid_chats(&api);
    check_embeddings(&api);
    check_invalid_embeddings(&api);
    api.server.stop();
}

pub fn user(text: &str) -> Value {
    json!({ "role": "user", "content": text })
}

fn check_models(api: &Api) {
    let models = api.get("/v1/models").ok().json();
    assert_eq!(strings(&models["data"], "id"), ["rag", "rag:default", "all-MiniLM-L6-v2"]);
    let one = |id: &str| api.get(&format!("/v1/models/{id}"));
    assert_eq!(one("rag%3Adefault").ok().json(), models["data"][1]);
    assert_eq!(one("all-MiniLM-L6-v2").ok().json(), models["data"][2]);
    let missing = one("no-such-model").is(404).json();
    assert_eq!(missing["error"]["code"], "model_not_found");
    assert!(missing["error"]["message"].as_str().unwrap().contains("no-such-model"), "{missing}");
}

/// An answer with its sources, and an abstention. Returns the answer's text.
fn check_chat(api: &Api) -> String {
    let sampling = json!({
        "temperature": 0.7, "top_p": 1, "max_tokens": 100, "tools": [], "n": 1, "user": "me",
    });
    let reply = api.chat(sampling).ok().json();
    let choice = &reply["choices"][0];
    assert_eq!(
        (&reply["object"], &choice["finish_reason"]),
        (&json!("chat.completion"), &json!("stop"))
    );
    let content = choice["message"]["content"].as_str().unwrap();
    assert!(
        content.contains("dance") && content.ends_with("\n\nSources:\n[1] docs/bees.md:3"),
        "{content}"
    );
    assert_eq!(choice["message"]["citations"][0]["path"], "bees.md");
    let usage = |name: &str| reply["usage"][name].as_u64().unwrap();
    assert!(
        usage("prompt_tokens") > 0
            && usage("total_tokens") == usage("prompt_tokens") + usage("completion_tokens")
    );
    let nothing = api
        .chat(json!({ "messages": [user("Who won the chess tournament of 1886?")] }))
        .ok()
        .json();
    assert_eq!(
        nothing["choices"][0]["message"]["content"],
        "Nothing in the index supports an answer."
    );
    content.to_owned()
}

/// Content may come in parts; the user's last message is the question.
fn check_conversation(api: &Api, content: &str) {
    let conversation = json!({ "model": "rag:default", "messages": [
        { "role": "system", "content": "Be kind." }, user(QUESTION),
        { "role": "assistant", "content": content },
        { "role": "user", "content": [{ "type": "text", "text": "When does the tide rise?" }] },
    ]});
    let reply = api.chat(conversation).ok().json();
    assert_eq!(reply["choices"][0]["message"]["citations"][0]["path"], "tides.md", "{reply}");
}

/// The pieces of a stream add up to the text of the whole reply.
fn check_chat_stream(api: &Api, content: &str) {
    let streamed =
        api.chat(json!({ "stream": true, "stream_options": { "include_usage": true } })).ok();
    let pieces: Vec<&str> =
        streamed.body.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    assert_eq!(pieces.last(), Some(&"[DONE]"));
    let pieces: Vec<Value> = pieces[..pieces.len() - 1]
        .iter()
        .map(|piece| serde_json::from_str(piece).unwrap())
        .collect();
    let text: String = pieces
        .iter()
        .filter_map(|piece| piece["choices"][0]["delta"]["content"].as_str())
        .collect();
    assert_eq!(text, content);
    assert_eq!(pieces[0]["choices"][0]["delta"]["role"], "assistant");
    assert!(
        pieces
            .iter()
            .all(|piece| piece["object"] == "chat.completion.chunk"
                && piece["id"] == pieces[0]["id"])
    );
    assert!(
        pieces.last().is_some_and(|piece| piece["usage"]["total_tokens"].is_u64()),
        "{pieces:?}"
    );
}

fn check_invalid_chats(api: &Api) {
    let refused = |more: Value, param: Value| {
        let reply = api.chat(more.clone()).is(400).json();
        assert_eq!(reply["error"]["type"], "invalid_request_error", "{more}");
        assert_eq!(reply["error"]["param"], param, "{more}");
    };
    refused(json!({ "n": 2 }), json!("n"));
    refused(json!({ "tool_choice": "required" }), json!("tool_choice"));
    refused(
        json!({ "tool_choice": { "type": "function", "function": { "name": "f" } } }),
        json!("tool_choice"),
    );
    refused(json!({ "function_call": { "name": "f" } }), json!("function_call"));
    refused(json!({ "response_format": { "type": "json_object" } }), json!("response_format"));
    refused(json!({ "modalities": ["text", "audio"] }), json!("modalities"));
    refused(json!({ "logprobs": true }), json!("logprobs"));
    refused(json!({ "stream": "yes" }), json!("stream"));
    refused(json!({ "index": "other" }), json!("index"));
    refused(json!({ "filter": "path:(((" }), json!("filter"));
    refused(json!({ "k": 0 }), json!("k"));
    refused(json!({ "k": "many" }), json!("k"));
    refused(json!({ "intent": "poem" }), json!("intent"));
    refused(json!({ "messages": [] }), json!("messages"));
    refused(json!({ "messages": [{ "role": "system", "content": "x" }] }), json!("messages"));
    refused(json!({ "messages": [{ "role": "tool", "content": "x" }] }), json!("messages"));
    refused(json!({ "messages": [user(" ")] }), json!("messages[0].content"));
    for model in ["gpt-4o", "rag:none", "ragged", "rag:..", "all-MiniLM-L6-v2"] {
        let reply = api.chat(json!({ "model": model })).is(404).json();
        assert_eq!(reply["error"]["code"], "model_not_found", "{model}");
    }
}

fn check_embeddings(api: &Api) {
    let reply =
        api.embed(json!({ "input": ["bees", "the tide rises"], "dimensions": 384 })).ok().json();
    let first: Vec<f64> = reply["data"][0]["embedding"]
        .as_array()
        .unwrap()
        .iter()
        .map(|x| x.as_f64().unwrap())
        .collect();
    assert_eq!((first.len(), reply["data"].as_array().map(Vec::len)), (384, Some(2)));
    assert!((first.iter().map(|x| x * x).sum::<f64>() - 1.0).abs() < 1e-4);
    // Two special tokens around each text.
    assert_eq!(reply["usage"], json!({ "prompt_tokens": 3 + 5, "total_tokens": 3 + 5 }));
    let packed =
        api.embed(json!({ "encoding_format": "base64" })).ok().json()["data"][0]["embedding"]
            .clone();
    assert_eq!(packed.as_str().map(str::len), Some((384_usize * 4).div_ceil(3) * 4));
    assert_eq!(
        api.embed(json!({})).ok().json()["data"][0]["embedding"],
        reply["data"][0]["embedding"]
    );
    api.embed(json!({ "user": "me", "input_type": "query", "truncate": "NONE" })).ok();
    api.embed(json!({ "model": "rag" })).is(404);
}

fn check_invalid_embeddings(api: &Api) {
    for (more, param) in [
        (json!({ "dimensions": 256 }), json!("dimensions")),
        (json!({ "input": "" }), json!("input")),
        (json!({ "input": [] }), json!("input")),
        (json!({ "encoding_format": "int8" }), json!("encoding_format")),
        (json!({ "input": "word ".repeat(400) }), json!("input")),
        (json!({ "input": [1, 2] }), json!("input[0]")),
        (json!({ "input": [[2028, 374, 264]] }), json!("input[0]")),
        (json!({ "input": { "text": "a" } }), json!("input")),
    ] {
        let reply = api.embed(more.clone()).is(400);
        assert_eq!(reply.json()["error"]["param"], param, "{more}");
        speaks_of_fields(&reply);
    }
}

/// A message is about fields, not about Rust types or the position where a parser stopped.
#[track_caller]
fn speaks_of_fields(reply: &Reply) {
    for word in [
        "untagged",
        "variant",
        "enum",
        "struct",
        "invalid type",
        "expected a",
        "line 1 column",
        "usize",
        "u64",
    ] {
        assert!(!reply.body.contains(word), "{word}: {}", reply.body);
    }
}

#[test]
fn openai_requests_are_served_or_refused_by_field() {
    let Some(sandbox) = indexed() else { return };
    let api = Api::start(&sandbox, &[]);
    check_ignored_parameters(&api);
    check_roles_and_parts(&api);
    check_refusals_by_field(&api);
    check_messages_of_other_routes(&api);
    api.server.stop();
}

#[track_caller]
fn assert_answers(api: &Api, more: Value) {
    let described = more.to_string();
    let reply = api.chat(more);
    assert!(reply.status == 200 && reply.body.contains("dance"), "{described}: {reply:?}");
}

/// Parameters without a meaning here have no effect.
fn check_ignored_parameters(api: &Api) {
    let tool = json!({ "type": "function", "function": {
        "name": "look_up", "parameters": { "type": "object" },
    } });
    assert_answers(
        api,
        json!({
            "temperature": 0.2, "top_p": 0.9, "top_k": 40, "min_p": 0.1,
            "seed": 7, "stop": ["\n\n"],
            "user": "me", "n": 1, "frequency_penalty": 1, "presence_penalty": -1,
            "repetition_penalty": 1.1, "logit_bias": { "50256": -100 }, "max_tokens": 50,
            "max_completion_tokens": 50, "reasoning_effort": "low", "verbosity": "low",
            "store": true,
        }),
    );
    assert_answers(
        api,
        json!({
            "metadata": { "a": "b" }, "service_tier": "auto", "parallel_tool_calls": true,
            "prompt_cache_key": "k", "safety_identifier": "s",
            "prediction": { "type": "content", "content": "x" }, "top_logprobs": 0,
            "logprobs": false, "modalities": ["text"], "response_format": { "type": "text" },
            "colour": "blue",
            "stream_options": { "include_usage": true, "include_obfuscation": false },
        }),
    );
    assert_answers(api, json!({ "tools": [tool] }));
    assert_answers(
        api,
        json!({
            "tools": [tool], "tool_choice": "auto", "functions": [tool["function"]],
            "function_call": "none",
        }),
    );
    let allowed =
        json!({ "type": "allowed_tools", "allowed_tools": { "mode": "auto", "tools": [tool] } });
    assert_answers(api, json!({ "tools": [tool], "tool_choice": allowed }));
    for name in [
        "temperature",
        "n",
        "stop",
        "stream",
        "stream_options",
        "tools",
        "tool_choice",
        "response_format",
        "filter",
    ] {
        assert_answers(api, json!({ name: null }));
    }
}

fn image() -> Value {
    json!({ "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } })
}

/// Messages of every role, without content, and with every kind of part.
fn check_roles_and_parts(api: &Api) {
    let call = json!({ "id": "c1", "type": "function", "function": {
        "name": "look_up", "arguments": "{}",
    } });
    assert_answers(
        api,
        json!({ "messages": [
            { "role": "system", "content": [{ "type": "text", "text": "Be kind." }] },
            { "role": "developer", "content": "x" },
            {
                "role": "user", "name": "me",
                "content": [{ "type": "text", "text": "hi" }, image()]
            },
            {
                "role": "assistant", "content": null, "refusal": null, "tool_calls": [call],
                "reasoning_content": "hm",
            },
            { "role": "tool", "tool_call_id": "c1", "content": [{ "type": "text", "text": "x" }] },
            { "role": "assistant", "audio": { "id": "a" } },
            { "role": "function", "name": "f", "content": "x" },
            { "role": "assistant", "content": [{ "type": "refusal", "refusal": "No." }] },
            { "role": "user", "content": [
                { "type": "text", "text": QUESTION, "cache_control": { "type": "ephemeral" } },
            ] },
        ]}),
    );
}

fn check_refusals_by_field(api: &Api) {
    let question = |part: Value| {
        let content = json!([{ "type": "text", "text": QUESTION }, part]);
        json!({ "messages": [{ "role": "user", "content": content }] })
    };
    for (more, words) in [
        (question(image()), "`messages[0].content[1]` is an image"),
        (
            question(
                json!({ "type": "input_audio", "input_audio": { "data": "", "format": "wav" } }),
            ),
            "is audio",
        ),
        (question(json!({ "type": "file", "file": { "file_id": "f" } })), "is a file"),
        (question(json!({ "type": "text" })), "`messages[0].content[1].text` is missing"),
        (
            question(json!({ "type": "video" })),
            "`messages[0].content[1].type` must be one of text, refusal, image_url",
        ),
        (question(json!("text")), "`messages[0].content[1]` must be an object, not a string"),
        (
            json!({ "messages": [{ "role": "robot", "content": "x" }] }),
            "`messages[0].role` must be one of system, developer, user, assistant, tool, function",
        ),
        (json!({ "messages": [{ "content": "x" }] }), "`messages[0].role` is missing"),
        (
            json!({ "messages": [{ "role": "user", "content": 7 }] }),
            "`messages[0].content` must be a string or an array",
        ),
        (json!({ "messages": "hi" }), "`messages` must be an array, not a string"),
        (json!({ "model": null }), "`model` must be a string, not null"),
        (json!({ "n": "one" }), "`n` must be a whole number, 0 or more, not a string"),
        (json!({ "tool_choice": "required" }), "`tool_choice` must be none or auto"),
    ] {
        let reply = api.chat(more.clone()).is(400);
        let message = reply.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(words), "{more}: {message}");
        speaks_of_fields(&reply);
    }
}

/// The messages of every route that takes JSON, and of query strings.
fn check_messages_of_other_routes(api: &Api) {
    for (target, body) in [
        ("/ask", "{\"query\": [\"q\"]}"),
        ("/ask", "{bad"),
        ("/ask", ""),
        ("/search", "{\"query\": \"q\", \"query\": \"r\"}"),
        ("/ask/batch", "{\"questions\": [7]}"),
        ("/ask/batch", "{\"questions\": [{\"query\": \"q\", \"id\": 1, \"x\": 2}]}"),
        ("/cache/purge", "{\"tables\": \"answers\"}"),
        ("/v1/embeddings", "{\"model\": \"all-MiniLM-L6-v2\"}"),
        ("/documents", "{\"path\": 1}"),
    ] {
        speaks_of_fields(&api.call("POST", target, &[], body).is(400));
    }
    for target in [
        "/documents?limit=many",
        "/documents?limit=1&limit=2",
        "/documents?colour=blue",
        "/documents?limit=-1",
    ] {
        let reply = api.get(target).is(400);
        assert!(reply.body.contains("`limit`") || reply.body.contains("`colour`"), "{reply:?}");
        speaks_of_fields(&reply);
    }
}

#[test]
fn mcp_over_http_accepts_every_common_client() {
    let Some(sandbox) = indexed() else { return };
    let api = Api::start(&sandbox, &[]);
    let hello = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-03-26", "capabilities": {},
        "clientInfo": { "name": "test", "version": "1" },
    } });
    let send = |headers: &[(&str, &str)], body: &str| api.call("POST", "/mcp", headers, body);
    let accepting: [&[(&str, &str)]; 3] =
        [&[], &[("accept", "*/*")], &[("accept", "application/json")]];
    for headers in accepting {
        let reply = send(headers, &hello.to_string()).ok().json();
        assert_eq!(reply["result"]["protocolVersion"], "2025-03-26", "{headers:?}");
    }
    api.server.request("POST", "/mcp/", &[("accept", "*/*")], &hello.to_string()).ok();
    assert_eq!(
        send(&[("accept", "text/html")], &hello.to_string()).is(406).code(),
        "not_acceptable"
    );

    let ping = |id: u64| json!({ "jsonrpc": "2.0", "id": id, "method": "ping" });
    let note = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let replies = send(&[], &json!([ping(1), note, ping(2), 7]).to_string()).ok().json();
    let ids: Vec<&Value> = replies.as_array().unwrap().iter().map(|reply| &reply["id"]).collect();
    assert_eq!(ids, [&json!(1), &json!(2), &Value::Null], "{replies}");
    send(&[], &json!([note]).to_string()).is(202);
    for (body, code) in [("{bad json", -32700), ("[]", -32600), ("{\"jsonrpc\": \"2.0\"}", -32600)]
    {
        let reply = send(&[], body).is(400);
        assert_eq!(reply.json()["error"]["code"], code, "{body}: {reply:?}");
        speaks_of_fields(&reply);
    }
    assert_eq!(
        send(&[], &json!(vec![ping(1); 65]).to_string()).is(400).json()["error"]["code"],
        -32600
    );
    api.server.stop();
}

#[test]
fn a_language_model_is_streamed_to_openai_clients() {
    let Some(sandbox) = indexed() else { return };
    let llm =
        LlmServer::start([Step::tokens(&["Bees dance", " to tell where", " flowers are [1]."])]);
    let api = Api::of(with_llm(&sandbox, &llm, &[]), &[]);
    let body = json!({ "model": "rag", "stream": true, "messages": [
        { "role": "user", "content": "What do honey bees do?" },
        { "role": "assistant", "content": "They dance [1]." },
        { "role": "user", "content": QUESTION },
    ]});
    let streamed = api.post("/v1/chat/completions", &body).ok();
    let pieces = streamed.body.lines().filter_map(|line| line.strip_prefix("data: "));
    let pieces: Vec<Value> = pieces.filter_map(|piece| serde_json::from_str(piece).ok()).collect();
    let text: Vec<&str> = pieces
        .iter()
        .filter_map(|piece| piece["choices"][0]["delta"]["content"].as_str())
        .collect();
    assert!(text.len() >= 3, "{text:?}");
    assert_eq!(
        text.concat(),
        "Bees dance to tell where flowers are [1].\n\nSources:\n[1] docs/bees.md:3"
    );
    api.server.stop();
}

#[test]
fn a_removed_upload_is_uploaded_again_after_its_folder_has_left_the_index() {
    let Some(sandbox) = indexed() else { return };
    let api = Api::start(&sandbox, &[]);
    let text = "# Otters\n\nAn otter eats fish and crabs.\n";
    api.done(&api.upload("/documents?path=%3Dï/otter*.md", text));
    wait_for_workers(&sandbox);
    api.delete("/documents?root=uploads&path=%3Dï/otter*.md").ok();
    api.delete("/indexes/default/folders?folder=uploads").ok();
    api.done(&api.upload("/documents?path=%3Dï/otter*.md", text));
    let found = api.post("/search", &json!({ "query": "otter" })).ok().json();
    assert_eq!(found["hits"][0]["root"], "uploads");
    api.server.stop();
}
