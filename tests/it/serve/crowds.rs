//! Many clients, slow clients, and clients who never read.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;

use super::{QUESTION, query, with_llm, world};
use crate::support::llm::{LlmServer, Step};
use crate::support::server::{Reply, Server};
use crate::tools::{thorough, wait_for};

/// Kilobytes that a process has in memory, and its open files and threads.
pub fn held(pid: u32) -> (u64, usize, u64) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let number = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    };
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs").count();
    (number("VmRSS:"), files, number("Threads:"))
}

fn check_refused(reply: &Reply) {
    if reply.status != 200 {
        assert!(matches!(reply.status, 429 | 503), "{reply:?}");
        assert!(reply.headers["retry-after"].parse::<u64>().is_ok_and(|s| s > 0), "{reply:?}");
    }
}

/// What became of each of `n` clients who ask at once.
fn at_once(
    server: &Server,
    n: usize,
    question: impl Fn(usize) -> serde_json::Value + Sync,
) -> BTreeMap<u16, usize> {
    let mut statuses = BTreeMap::new();
    std::thread::scope(|scope| {
        let question = &question;
        let clients: Vec<_> =
            (0..n).map(|n| scope.spawn(move || server.post("/ask", &question(n)))).collect();
        for client in clients {
            let reply = client.join().expect("a reply");
            check_refused(&reply);
            *statuses.entry(reply.status).or_default() += 1;
        }
    });
    statuses
}

#[test]
fn two_hundred_clients_on_two_workers_are_answered_or_told_when_to_come_back() {
    let Some(sandbox) = world() else { return };
    let server = Server::start(&sandbox, &[("RAG_SERVE_WORKERS", "2"), ("RAG_SERVE_QUEUE", "40")]);
    server.post("/ask", &query(QUESTION)).ok();
    let (before, ..) = held(server.pid());
    let statuses = at_once(
        &server,
        200,
        |n| json!({ "query": format!("What do bees do on day {n}?"), "use_cache": n % 2 == 0 }),
    );
    assert!(statuses.get(&200).is_some_and(|n| *n >= 42), "{statuses:?}");
    let (after, ..) = held(server.pid());
    assert!(after < before + (200 << 10), "from {before} to {after} KiB");
    // Two connections of the counting client are open now and then.
    wait_for("that all have gone", || (server.count("rag_http_connections") <= 1).then_some(()));
    server.post("/ask", &query(QUESTION)).ok();
    let limited = Server::start(&sandbox, &[("RAG_SERVE_RATE_PER_MINUTE", "50")]);
    let statuses = at_once(&limited, 200, |_| query(QUESTION));
    assert!(statuses[&429] >= 140, "{statuses:?}");
    limited.stop();
    server.stop();
}

/// Searches that wait are compared with the index several at a time.
#[test]
fn searches_side_by_side_find_what_each_finds_alone() {
    let Some(sandbox) = world() else { return };
    let server = Server::start(&sandbox, &[("RAG_SERVE_WORKERS", "1")]);
    let body = |n: usize| {
        let mode = ["hybrid", "dense", "lexical"][n % 3];
        json!({ "query": format!("What do bees do on day {}?", n / 2), "mode": mode, "k": 2 + n % 2, "explain": true, "use_cache": false })
    };
    let hits = |reply: Reply| reply.ok().json()["hits"].clone();
    let alone: Vec<_> = (0..24).map(|n| hits(server.post("/search", &body(n)))).collect();
    assert!(alone.iter().all(|hits| !hits.as_array().expect("hits").is_empty()), "{alone:?}");
    std::thread::scope(|scope| {
        let (server, body) = (&server, &body);
        let clients: Vec<_> =
            (0..24).map(|n| scope.spawn(move || server.post("/search", &body(n)))).collect();
        for (client, alone) in clients.into_iter().zip(&alone) {
            assert_eq!(hits(client.join().expect("a reply")), *alone);
        }
    });
    server.stop();
}

#[test]
fn who_waits_for_a_language_model_is_in_nobodys_way() {
    let Some(sandbox) = world() else { return };
    let llm = LlmServer::start([Step::Hang, Step::Hang, Step::tokens(&["Honey bees dance. [1]"])]);
    let env = [("RAG_BATCH_PARALLEL", "2"), ("RAG_SERVE_QUEUE", "20")];
    let server = with_llm(&sandbox, &llm, &env);
    let waiting = |n: u64| {
        let is = || (server.count("rag_questions_waiting{line=\"written\"}") == n).then_some(());
        wait_for("that so many wait", is);
    };
    let ask = |n: usize| query(&format!("{QUESTION} ({n})"));
    let hanging: Vec<_> = (0..2)
        .map(|n| {
            let mut stream = server.connect();
            stream.write_all(&server.bytes("POST", "/ask", &[], &ask(n).to_string())).unwrap();
            stream
        })
        .collect();
    wait_for("both workers", || (llm.requests().len() == 2).then_some(()));
    std::thread::scope(|scope| {
        let (ask, server) = (&ask, &server);
        let clients: Vec<_> =
            (2..200).map(|n| scope.spawn(move || server.post("/ask", &ask(n)))).collect();
        wait_for("a full line", || {
            (server.count("rag_questions_refused_total{line=\"written\"}") == 178).then_some(())
        });
        waiting(20);
        // Nothing else is held up, and more urgent questions get a place.
        server.get("/health/live").ok();
        server.get("/health").ok();
        server.post("/search", &query(QUESTION)).ok();
        server.post("/ask", &json!({ "query": QUESTION, "generator": "extractive" })).ok();
        let urgent = scope.spawn(move || {
            server.post("/ask", &json!({ "query": "urgent?", "priority": "critical" }))
        });
        wait_for("that one is sent away", || {
            (server.count("rag_questions_refused_total{line=\"written\"}") == 179).then_some(())
        });
        drop(hanging);
        assert_eq!(urgent.join().expect("a reply").status, 200);
        let mut statuses = BTreeMap::<u16, usize>::new();
        for client in clients {
            let reply = client.join().expect("a reply");
            check_refused(&reply);
            *statuses.entry(reply.status).or_default() += 1;
        }
        assert_eq!(statuses, BTreeMap::from([(200, 19), (503, 179)]));
    });
    // It is as before.
    server.post("/ask", &ask(1000)).ok();
    server.stop();
}

#[test]
fn an_ingest_does_not_keep_questions_from_being_answered() {
    let Some(sandbox) = world() else { return };
    let server = Server::start(&sandbox, &[]);
    server.post("/ask", &query(QUESTION)).ok();
    for n in 0..300 {
        let text = format!(
            "# Note {n}\n\nNumber {n} of many notes says that the {n}th boat left the harbour.\n"
        );
        crate::fixtures::write_old(&sandbox, &format!("docs/notes/{n}.md"), text);
    }
    let mut ingest = sandbox.spawn(["ingest", "--dir", "docs", "--no-cache"]);
    let mut answered = 0;
    while ingest.try_wait().expect("it runs").is_none() {
        server.post("/ask", &json!({ "query": QUESTION, "use_cache": false })).ok();
        answered += 1;
    }
    assert!(answered > 3, "{answered} answers while it ran");
    server.stop();
}

/// Lets this process open so many files.
fn may_open(n: u64) {
    let limit = getrlimit(Resource::Nofile);
    let current = Some(n.min(limit.maximum.unwrap_or(n)));
    setrlimit(Resource::Nofile, Rlimit { current, maximum: limit.maximum }).expect("a limit");
}

#[test]
fn slow_clients_are_hung_up_on_and_honest_ones_are_served() {
    let Some(sandbox) = world() else { return };
    // A quarter of these each: silent, a byte of the head now and then, a byte of the body, never
    // reading.
    let each = if thorough() { 125 } else { 40 };
    may_open(4096);
    let server = Server::start(
        &sandbox,
        &[
            ("RAG_SERVE_HEADER_TIMEOUT_S", "2"),
            ("RAG_SERVE_BODY_TIMEOUT_S", "2"),
            ("RAG_SERVE_WRITE_TIMEOUT_S", "2"),
            ("RAG_SERVE_CONNECTIONS", "600"),
        ],
    );
    let connect = |bytes: &[u8]| {
        let mut stream = server.connect();
        stream.write_all(bytes).unwrap();
        stream
    };
    // The index and the caches are opened by the first question.
    server.post("/search", &query(QUESTION)).ok();
    wait_for("that nobody is connected", || {
        (server.count("rag_http_connections") == 1).then_some(())
    });
    let (_, files, _) = held(server.pid());
    let silent: Vec<TcpStream> = (0..each).map(|_| connect(b"")).collect();
    let heads: Vec<TcpStream> =
        (0..each).map(|_| connect(b"POST /ask HTTP/1.1\r\nhost: localhost\r\nx: ")).collect();
    let body = "POST /ask HTTP/1.1\r\nhost: localhost\r\ncontent-type: \
         application/json\r\ncontent-length: 9000\r\n\r\n{";
    let bodies: Vec<TcpStream> = (0..each).map(|_| connect(body.as_bytes())).collect();
    let wanted = "GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(2000);
    let unread: Vec<TcpStream> = (0..each)
        .map(|_| {
            let stream = server.connect();
            stream.set_nonblocking(true).unwrap();
            let _ = (&stream).write(wanted.as_bytes());
            stream
        })
        .collect();
    wait_for("all of them", || {
        (server.count("rag_http_connections") > 4 * each as u64).then_some(())
    });
    let mut honest = 0;
    wait_for("that all are hung up on", || {
        server.post("/search", &query(QUESTION)).ok();
        honest += 1;
        for mut stream in heads.iter().chain(&bodies) {
            let _ = stream.write(b"a");
        }
        std::thread::park_timeout(Duration::from_millis(100));
        (server.count("rag_http_connections") == 1).then_some(())
    });
    assert!(honest > 2, "{honest} honest clients were served");
    for mut stream in silent {
        // Nothing is said to those who said nothing.
        assert_eq!(stream.read(&mut [0; 16]).unwrap_or(0), 0);
    }
    for mut stream in bodies {
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said);
        assert!(
            said.is_empty() || said.starts_with(b"HTTP/1.1 408"),
            "{}",
            String::from_utf8_lossy(&said)
        );
    }
    drop((heads, unread));
    let (_, after, _) = held(server.pid());
    assert!(after <= files + 8, "from {files} to {after} open files");
    server.stop();
}

#[test]
fn more_connections_than_there_may_be_wait_for_the_others() {
    let Some(sandbox) = world() else { return };
    let server = Server::start(
        &sandbox,
        &[("RAG_SERVE_CONNECTIONS", "4"), ("RAG_SERVE_HEADER_TIMEOUT_S", "1")],
    );
    let _held: Vec<TcpStream> = (0..12).map(|_| server.connect()).collect();
    server.get("/health/live").ok();
    server.stop();
}
