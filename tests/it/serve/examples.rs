//! Every route has an example in `data/corpus/http.md`, and every example prints the output that it
//! shows.

use std::fmt::Write as _;
use std::path::Path;

use crate::support::server::Server;
use crate::support::{Run, Sandbox, has_loopback};
use crate::tools::{copy_tree, has_tool};

/// A line of the examples: the command and a part of its output.
struct Example {
    typed: String,
    shows: String,
}

/// The commands of the page's blocks of shell.
fn examples() -> Vec<Example> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/corpus/http.md");
    let page = std::fs::read_to_string(page).unwrap();
    let blocks =
        page.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("sh\n"));
    let lines = blocks
        .flat_map(str::lines)
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (typed, shows) = line.split_once("  # ").unwrap_or((line, ""));
            Example { typed: typed.trim_end().to_owned(), shows: shows.trim().to_owned() }
        })
        .collect()
}

/// Method and path of a call; quoted parts and shell variables stay as they are.
fn called(typed: &str) -> Option<(String, Vec<String>)> {
    let (before, rest) = typed.split_once("$rag/")?;
    let end = rest.find([' ', '?', '"', '\'', '|', ')', ';']).unwrap_or(rest.len());
    let path: Vec<String> = rest[..end].split('/').map(str::to_owned).collect();
    let method = ["DELETE", "POST", "PUT", "GET"]
        .into_iter()
        .find(|method| before.contains(&format!("-X {method}")));
    let sends = typed.contains("--json") || typed.contains("--data");
    Some((method.unwrap_or(if sends { "POST" } else { "GET" }).to_owned(), path))
}

#[test]
fn every_route_has_an_example() {
    if !has_loopback() {
        return;
    }
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    let document = server.get("/openapi.json").ok().json();
    let calls: Vec<_> = examples().iter().filter_map(|example| called(&example.typed)).collect();
    let mut without = String::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let pattern: Vec<&str> = path.trim_start_matches('/').split('/').collect();
            let is_meant = |(own, parts): &(String, Vec<String>)| {
                own.eq_ignore_ascii_case(method)
                    && parts.len() == pattern.len()
                    && pattern.iter().zip(parts).all(|(p, part)| p.starts_with('{') || p == part)
            };
            if !calls.iter().any(is_meant) {
                writeln!(without, "{method} {path}").unwrap();
            }
        }
    }
    assert!(without.is_empty(), "http.md has no example of\n{without}");
    server.stop();
}

#[test]
fn every_example_prints_what_it_shows() {
    if !has_loopback() || !has_tool("curl", &["--version"]) {
        return;
    }
    let sandbox = Sandbox::new();
    copy_tree(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("data/corpus"),
        &sandbox.path().join("docs"),
    );
    sandbox.ingest();
    let server = Server::start(&sandbox, &[("RAG_SERVE_ROOTS", "docs")]);
    let examples: Vec<Example> =
        examples().into_iter().filter(|e| !e.typed.starts_with("rag serve")).collect();
    // One shell for all, so that variables carry over.
    let mut script = String::from("exec 2>&1\n");
    for (n, Example { typed, .. }) in examples.iter().enumerate() {
        let typed = if typed.starts_with("rag=") {
            format!("rag=http://{}", server.address)
        } else {
            typed.clone()
        };
        writeln!(script, "echo \"@@ {n}\"\n{typed}\ncode=$?; echo; echo \"@@ = $code\"").unwrap();
    }
    let mut shell = std::process::Command::new("sh");
    let run = Run::of(shell.arg("-c").arg(&script).current_dir(sandbox.path())).ok();
    for (n, Example { typed, shows }) in examples.iter().enumerate() {
        let (_, rest) =
            run.stdout.split_once(&format!("@@ {n}\n")).unwrap_or_else(|| panic!("{run}"));
        let (output, rest) = rest.split_once("@@ = ").unwrap_or_else(|| panic!("{run}"));
        assert!(rest.starts_with("0\n"), "{typed}\n{output}\n{}", &rest[..2]);
        assert!(output.contains(shows.as_str()), "{typed}\nshould show {shows}\n{output}");
        assert!(
            typed.contains("cancel") || !output.starts_with("{\"error\":{"),
            "{typed}\n{output}"
        );
    }
    server.stop();
}
