//! Names of documents: every interface shows a name that every other interface accepts and that is
//! a valid path in the current directory.

use std::path::Path;

use serde_json::{Value, json};

use crate::fixtures::{topics, write_old};
use crate::support::server::Server;
use crate::support::{Run, Sandbox};

/// Runs `rag` in a directory of the sandbox, on the sandbox's data.
fn rag_in(sandbox: &Sandbox, dir: &str, args: &[&str]) -> Run {
    let data = sandbox.data().to_str().unwrap().to_owned();
    let mut command = sandbox.command([args, &["--data-dir", &data]].concat());
    Run::of(command.current_dir(sandbox.path().join(dir)))
}

/// The first word of each line of a table, without its head.
fn first_column(table: &str) -> Vec<String> {
    table
        .lines()
        .skip(1)
        .filter_map(|line| Some(line.split_whitespace().next()?.to_owned()))
        .collect()
}

/// Path and line of the first hit, as printed on a terminal.
fn first_place(hits: &str) -> (String, String) {
    let place = hits.lines().next().and_then(|line| line.split_whitespace().nth(1)).expect("a hit");
    let (path, line) = place.rsplit_once(':').expect("a line");
    (path.to_owned(), line.to_owned())
}

#[test]
fn a_printed_name_is_a_valid_path_in_every_directory() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    sandbox.ingest();
    std::fs::create_dir_all(sandbox.path().join("elsewhere/deep")).unwrap();
    let absolute = sandbox.path().canonicalize().unwrap().join("docs/deep/er/volcano.rst");
    let absolute = absolute.to_str().unwrap();
    for (dir, shown) in [
        (".", "docs/deep/er/volcano.rst"),
        ("docs", "deep/er/volcano.rst"),
        ("docs/deep", absolute),
        ("elsewhere/deep", absolute),
        (
            "..",
            &format!(
                "{}/docs/deep/er/volcano.rst",
                sandbox.path().file_name().unwrap().to_str().unwrap()
            ),
        ),
    ] {
        let all = first_column(&rag_in(&sandbox, dir, &["documents", "list"]).ok().stdout);
        assert!(all.iter().any(|path| path == shown), "{dir}: {all:?}");
        for path in &all {
            assert!(sandbox.path().join(dir).join(path).is_file(), "{path} from {dir}");
        }
        let (hit, line) = first_place(
            &rag_in(&sandbox, dir, &["search", "--mode", "lexical", "magma erupts"]).ok().stdout,
        );
        assert_eq!(hit, shown, "{dir}");
        check_pasted_names(&sandbox, dir, (shown, absolute, &line));
    }
    // A filter that means other documents in another directory is not answered from the cache.
    let search = ["search", "magma erupts", "--filter", "path:../docs/deep", "--json"];
    assert_eq!(
        rag_in(&sandbox, "elsewhere", &search).ok().json()["hits"].as_array().map(Vec::len),
        Some(1)
    );
    assert_eq!(rag_in(&sandbox, "elsewhere/deep", &search).exits(3).json()["hits"], json!([]));
}

/// A pasted name is accepted: with and without its line, as a filter, and as the bare name.
fn check_pasted_names(sandbox: &Sandbox, dir: &str, (shown, absolute, line): (&str, &str, &str)) {
    let filter = format!("path:{shown}");
    for text in [
        shown,
        &format!("./{shown}"),
        &format!("{shown}:{line}"),
        absolute,
        "docs/deep/er/volcano.rst",
        "volcano.rst",
    ] {
        let text = if text.starts_with("./..") || text.starts_with(".//") { shown } else { text };
        let found = rag_in(sandbox, dir, &["documents", "show", text, "--json"]).ok().json();
        assert_eq!(found["path"], "deep/er/volcano.rst", "{text} from {dir}");
        assert_eq!(found["root"], "docs", "JSON does not depend on the directory");
    }
    for filter in [
        &filter,
        &format!("path:{absolute}"),
        "path:docs/deep/er/volcano.rst",
        "path:volcano.rst",
        "path:/deep/er",
    ] {
        let hits = rag_in(sandbox, dir, &["search", "magma erupts", "--filter", filter, "--json"])
            .ok()
            .json();
        assert_eq!(hits["hits"].as_array().map(Vec::len), Some(1), "{filter} from {dir}: {hits}");
    }
}

#[test]
fn a_bare_name_finds_one_document_or_lists_the_candidates() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    write_old(&sandbox, "docs/other/tides.md", "# Other tides\n\nThe lake has none.\n");
    write_old(&sandbox, "docs/odd [1]*.md", "# Odd\n\nA name that is no pattern.\n");
    sandbox.ingest();
    sandbox.rag(["documents", "show", "tides.md"]).ok();
    sandbox.rag(["documents", "show", "er"]).ok();
    sandbox
        .rag(["documents", "show", "t*s.md"])
        .exits(2)
        .says("docs/tides.md")
        .says("docs/other/tides.md");
    sandbox.rag(["documents", "show", "docs/odd [1]*.md"]).ok();
    let hits = sandbox
        .rag(["search", "name pattern", "--filter", "path:\"docs/odd [1]*.md\"", "--json"])
        .ok()
        .json();
    assert_eq!(hits["hits"][0]["path"], "odd [1]*.md", "{hits}");
    sandbox.rag(["documents", "show", "moon.md"]).exits(2).says("moon.md");
}

#[test]
fn sources_of_a_session_are_valid_paths() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    sandbox.ingest();
    std::fs::create_dir(sandbox.path().join("elsewhere")).unwrap();
    let asked = sandbox.rag(["ask", "When does a volcano erupt?", "--session", "s"]).ok();
    assert!(asked.stdout.contains("[1] docs/deep/er/volcano.rst:"), "{asked}");
    let shown = rag_in(&sandbox, "elsewhere", &["sessions", "show", "s"]).ok();
    let absolute = sandbox.path().canonicalize().unwrap().join("docs/deep/er/volcano.rst");
    assert!(shown.stdout.contains(&format!("[1] {}:", absolute.display())), "{shown}");
}

/// An index of a folder given by its absolute path: every name begins with its slash.
#[test]
fn names_are_accepted_by_every_interface() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    let folder = sandbox.path().canonicalize().unwrap().join("docs");
    let folder = folder.to_str().unwrap();
    sandbox.rag(["ingest", "--dir", folder]).ok();
    let name = format!("{folder}/deep/er/volcano.rst");
    assert!(Path::new(&name).is_file());

    let listed = first_column(&sandbox.rag(["documents", "list"]).ok().stdout);
    // A terminal shows names relative to the working directory.
    let shown = "docs/deep/er/volcano.rst".to_owned();
    assert!(listed.contains(&shown), "{listed:?}");
    let search = sandbox.rag(["search", "magma erupts"]).ok().stdout;
    assert_eq!(first_place(&search).0, shown);
    let rows = sandbox.rag(["documents", "list", "--json"]).ok().json();
    assert!(rows.as_array().unwrap().iter().all(|row| row["root"] == folder), "{rows}");

    let server = Server::start(&sandbox, &[]);
    let question = "When does a volcano erupt?";
    let body = json!({ "model": "rag", "messages": [{ "role": "user", "content": question }] });
    let reply = server.post("/v1/chat/completions", &body).ok().json();
    let content = reply["choices"][0]["message"]["content"].as_str().unwrap().to_owned();
    assert!(content.contains(&format!("[1] {name}:")), "{content}");

    // Every interface accepts it.
    let at = |path: &str| format!("/documents/content?path={}", path.replace('/', "%2F"));
    for path in [name.as_str(), name.trim_start_matches('/'), "deep/er/volcano.rst", "volcano.rst"]
    {
        assert_eq!(server.get(&at(path)).ok().json()["path"], "deep/er/volcano.rst", "{path}");
        sandbox.rag(["documents", "show", path]).ok();
        let found: Value = server
            .post("/search", &json!({ "query": "magma", "filter": format!("path:{path}") }))
            .ok()
            .json();
        assert_eq!(found["hits"][0]["path"], "deep/er/volcano.rst", "{path}: {found}");
    }
    let removed = server.request("DELETE", &at(&name).replace("/content", ""), &[], "").ok().json();
    assert_eq!(removed["removed"], json!([name]), "{removed}");
    server.stop();
    assert!(!first_column(&sandbox.rag(["documents", "list"]).ok().stdout).contains(&shown));
    let kept_out = sandbox.rag(["documents", "list", "--removed", "--json"]).ok().json();
    assert_eq!(kept_out, json!([name]));
    sandbox.rag(["documents", "restore", &name]).ok();
}
