//! `rag ingest --url`: pages of web sites, from a server of the test.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::support::{Run, Sandbox, has_loopback};

/// What a site has at a path.
#[derive(Clone)]
enum Reply {
    /// Content type, body and version.
    Page(&'static str, String, &'static str),
    Redirect(String),
    Gone,
}

/// A server with a state that tests change.
struct Site {
    origin: String,
    pages: Arc<Mutex<BTreeMap<String, Reply>>>,
    /// Requests in order: path, and the headers.
    asked: Arc<Mutex<Vec<(String, String)>>>,
}

impl Site {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let pages: Arc<Mutex<BTreeMap<String, Reply>>> = Arc::default();
        let asked: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
        let (served, seen) = (Arc::clone(&pages), Arc::clone(&asked));
        // It ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let first = lines.next().and_then(Result::ok).unwrap_or_default();
                let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
                let headers: Vec<String> = lines
                    .map_while(Result::ok)
                    .take_while(|line| !line.is_empty())
                    .map(|line| line.to_lowercase())
                    .collect();
                let headers = headers.join("\n");
                let reply = served.lock().unwrap().get(&path).cloned();
                seen.lock().unwrap().push((path, headers.clone()));
                let answer = match reply {
                    Some(Reply::Page(_, _, tag))
                        if headers.contains(&format!("if-none-match: \"{tag}\"")) =>
                    {
                        head("304 Not Modified", "", 0)
                    }
                    Some(Reply::Page(kind, body, tag)) => {
                        let more = format!("content-type: {kind}\r\netag: \"{tag}\"\r\n");
                        head("200 OK", &more, body.len()) + &body
                    }
                    Some(Reply::Redirect(to)) => {
                        head("302 Found", &format!("location: {to}\r\n"), 0)
                    }
                    Some(Reply::Gone) => head("410 Gone", "", 0),
                    None => head("404 Not Found", "", 0),
                };
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { origin, pages, asked }
    }

    fn put(&self, path: &str, reply: Reply) {
        self.pages.lock().unwrap().insert(path.to_owned(), reply);
    }

    fn page(&self, path: &str, text: &str, tag: &'static str) {
        let body = format!("<html><head><title>T</title></head><body><p>{text}</p></body></html>");
        self.put(path, Reply::Page("text/html; charset=utf-8", body, tag));
    }

    /// The paths asked for since the last call, and whether each request was conditional.
    fn take_asked(&self) -> Vec<(String, bool)> {
        let asked = std::mem::take(&mut *self.asked.lock().unwrap());
        for (_, headers) in &asked {
            assert!(headers.contains("user-agent: rag/"), "{headers}");
        }
        asked.into_iter().map(|(path, headers)| (path, headers.contains("if-none"))).collect()
    }
}

fn head(status: &str, more: &str, length: usize) -> String {
    format!("HTTP/1.1 {status}\r\n{more}content-length: {length}\r\nconnection: close\r\n\r\n")
}

/// Runs `rag` with pages of this machine allowed.
fn rag(sandbox: &Sandbox, args: &[&str]) -> Run {
    let mut command = sandbox.command(args);
    Run::of(command.env("RAG_INGEST_ALLOW_PRIVATE_ADDRESSES", "yes"))
}

fn documents(sandbox: &Sandbox) -> Vec<String> {
    let list = rag(sandbox, &["documents", "list", "--json"]).ok().json();
    let list = list.as_array().unwrap().clone();
    let mut paths: Vec<String> =
        list.iter().map(|document| document["path"].as_str().unwrap().to_owned()).collect();
    paths.sort();
    paths
}

#[test]
fn pages_are_cited_by_address_and_asked_for_again() {
    if !has_loopback() {
        return;
    }
    let (sandbox, site) = (Sandbox::new(), Site::start());
    sandbox.write("docs/pump.md", "# Pump\n\nThe pump runs at night.\n");
    site.page("/docs/valve", "The intake valve has a clearance of 0.27 mm.", "1");
    site.put("/docs/notes", Reply::Page("text/markdown", "# Notes\n\nRinse it.\n".into(), "1"));
    let (valve, notes) =
        (format!("{}/docs/valve", site.origin), format!("{}/docs/notes", site.origin));
    rag(&sandbox, &["ingest", "docs", "--url", &valve, "--url", &notes]).ok();
    assert_eq!(documents(&sandbox), ["docs/notes", "docs/valve", "pump.md"]);
    let question = "What is the clearance of the intake valve?";
    let answer = rag(&sandbox, &["ask", question, "--json"]).ok().json();
    let cited = &answer["citations"][0];
    assert_eq!(
        (cited["root"].as_str(), cited["path"].as_str()),
        (Some(site.origin.as_str()), Some("docs/valve")),
        "{answer}"
    );
    rag(&sandbox, &["ask", question]).ok().prints(&valve);
    rag(&sandbox, &["documents", "show", &valve]).ok().prints("0.27 mm");
    site.take_asked();

    // Without folders everything is updated; what has not changed is not sent again.
    site.page("/docs/valve", "The intake valve has a clearance of 0.31 mm.", "2");
    let summary = rag(&sandbox, &["ingest", "--json"]).ok().json();
    assert_eq!(summary["documents"], 3, "{summary}");
    let asked = site.take_asked();
    let expected = [("/robots.txt", false), ("/docs/notes", true), ("/docs/valve", true)]
        .map(|(p, c)| (p.to_owned(), c));
    assert_eq!(asked, expected);
    rag(&sandbox, &["ask", question]).ok().prints("0.31 mm");

    // A page that cannot be had now stays; one that is gone leaves.
    site.put("/docs/valve", Reply::Redirect("http://elsewhere.invalid/valve".into()));
    site.put("/docs/notes", Reply::Gone);
    let run = rag(&sandbox, &["ingest", "--json"]).exits(4);
    let failed = run.json()["failed"].clone();
    let reason = failed[0]["reason"].as_str().unwrap_or_default().to_owned();
    assert!(reason.contains("moved to http://elsewhere.invalid/valve"), "{failed}");
    assert_eq!(documents(&sandbox), ["docs/valve", "pump.md"]);

    // Another folder is ingested without a visit, and a site is removed like a folder.
    site.take_asked();
    rag(&sandbox, &["ingest", "docs"]).ok();
    assert_eq!(site.take_asked(), []);
    rag(&sandbox, &["index", "remove-folder", &site.origin, "--yes"]).ok();
    assert_eq!(documents(&sandbox), ["pump.md"]);
}

#[test]
fn a_sitemap_lists_the_pages_and_robots_txt_is_obeyed() {
    if !has_loopback() {
        return;
    }
    let (sandbox, site) = (Sandbox::new(), Site::start());
    let origin = &site.origin;
    let plain = |text: String| Reply::Page("text/plain", text, "1");
    site.put("/robots.txt", plain("User-agent: *\nDisallow: /docs/secret\n".into()));
    let locations: String = ["/docs/a", "/docs/secret", "/blog/b", "/docs/"]
        .iter()
        .map(|path| format!("<url><loc>{origin}{path}</loc></url>"))
        .collect();
    let others = "<url><loc>http://elsewhere.invalid/docs/c</loc></url>";
    site.put("/sitemap.xml", plain(format!("<urlset>{locations}{others}</urlset>")));
    site.page("/docs/a", "Alpha is the first letter.", "1");
    site.page("/docs/", "All letters are listed here.", "1");
    site.page("/docs/secret", "Nobody may read this.", "1");
    let below = format!("{origin}/docs/");
    let run = rag(&sandbox, &["ingest", "--url", &below, "--sitemap", "--json"]).exits(4);
    assert_eq!(documents(&sandbox), ["docs/", "docs/a"]);
    let failed = run.json()["failed"].clone();
    assert!(failed.to_string().contains("robots.txt"), "{failed}");
    let asked: Vec<String> = site.take_asked().into_iter().map(|(path, _)| path).collect();
    assert_eq!(asked, ["/robots.txt", "/sitemap.xml", "/docs/", "/docs/a"]);
    let shown = rag(&sandbox, &["documents", "show", &below, "--json"]).ok().json();
    assert_eq!(shown["path"], "docs/", "{shown}");
}

#[test]
fn addresses_of_this_machine_are_refused_unless_the_user_allows_them() {
    if !has_loopback() {
        return;
    }
    let (sandbox, site) = (Sandbox::new(), Site::start());
    site.page("/a", "Text.", "1");
    let url = format!("{}/a", site.origin);
    sandbox
        .rag(["ingest", "--url", &url])
        .exits(2)
        .says("in the network of this machine")
        .says("ingest.allow_private_addresses");
    let local = url.replace("127.0.0.1", "localhost");
    sandbox.rag(["ingest", "--url", &local]).exits(2).says("in the network of this machine");
    assert_eq!(site.take_asked(), []);

    let secret = "https://user:hidden@example.org/";
    let run = sandbox.rag(["ingest", "--url", secret]).exits(2).says("user name or a password");
    assert!(!run.stderr.contains("hidden"), "{run}");
    sandbox.rag(["ingest", "--url", "ftp://example.org/"]).exits(2).says("http://");
    sandbox.write("rag.toml", "[ingest]\nallow_private_addresses = \"yes\"\n");
    let run = sandbox.rag(["ingest", "--url", &url]).exits(2);
    assert!(run.stderr.contains("must not set"), "{run}");
}

#[test]
fn the_number_and_the_size_of_pages_are_limited() {
    if !has_loopback() {
        return;
    }
    let (sandbox, site) = (Sandbox::new(), Site::start());
    for path in ["/a", "/b", "/c"] {
        site.page(path, &format!("The page {path}. {}", "word ".repeat(100)), "1");
    }
    let urls = ["/a", "/b", "/c"].map(|path| format!("{}{path}", site.origin));
    let args = ["ingest", "--json", "--url", &urls[0], "--url", &urls[1], "--url", &urls[2]];
    let mut command = sandbox.command(args);
    command.env("RAG_INGEST_ALLOW_PRIVATE_ADDRESSES", "yes").env("RAG_INGEST_MAX_PAGES", "2");
    let failed: Value = Run::of(&mut command).exits(4).json()["failed"].clone();
    assert!(failed.to_string().contains("ingest.max_pages = 2"), "{failed}");
    assert_eq!(documents(&sandbox), ["a", "b"]);

    let other = Sandbox::new();
    let mut command = other.command(args);
    command.env("RAG_INGEST_ALLOW_PRIVATE_ADDRESSES", "yes");
    command.env("RAG_INGEST_MAX_FILE_BYTES", "100");
    let failed: Value = Run::of(&mut command).exits(4).json()["failed"].clone();
    assert_eq!(failed.as_array().map(Vec::len), Some(3), "{failed}");
    assert!(failed.to_string().contains("ingest.max_file_bytes = 100"), "{failed}");
}
