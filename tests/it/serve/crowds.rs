//! Many clients, slow clients, and clients that never read.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread::ScopedJoinHandle;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;

use super::{QUESTION, indexed, query, with_llm};
use crate::support::llm::{LlmServer, Step};
use crate::support::server::{Reply, Server};
use crate::tools::{thorough, wait_for};

/// Memory of a process in KiB, and its numbers of open files and threads.
pub fn usage(pid: u32) -> (u64, usize, u64) {
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

/// Reply statuses of `n` simultaneous clients.
fn at_once(
    server: &Server,
    n: usize,
    question: impl Fn(usize) -> serde_json::Value + Sync,
) -> BTreeMap<u16, usize> {
    std::thread::scope(|scope| {
        let question = &question;
        let clients: Vec<_> =
            (0..n).map(|n| scope.spawn(move || server.post("/ask", &question(n)))).collect();
        count_statuses(clients)
    })
}

/// Waits for the clients' replies, each an answer or a refusal, and counts their statuses.
fn count_statuses(clients: Vec<ScopedJoinHandle<'_, Reply>>) -> BTreeMap<u16, usize> {
    let mut statuses = BTreeMap::new();
    for client in clients {
        let reply = client.join().expect("a reply");
        check_refused(&reply);
        *statuses.entry(reply.status).or_default() += 1;
    }
    statuses
}

#[test]
fn two_hundred_clients_get_an_answer_or_a_retry_after() {
    let Some(sandbox) = indexed() else { return };
    let server = Server::start(&sandbox, &[("RAG_SERVE_WORKERS", "2"), ("RAG_SERVE_QUEUE", "40")]);
    server.post("/ask", &query(QUESTION)).ok();
    let (before, ..) = usage(server.pid());
    let statuses = at_once(
        &server,
        200,
        |n| json!({ "query": format!("What do bees do on day {n}?"), "use_cache": n % 2 == 0 }),
    );
    assert!(statuses.get(&200).is_some_and(|n| *n >= 42), "{statuses:?}");
    let (after, ..) = usage(server.pid());
    assert!(after < before + (200 << 10), "from {before} to {after} KiB");
    // The client that reads the count may have two connections open.
    wait_for("that all are closed", || (server.count("rag_http_connections") <= 1).then_some(()));
    server.post("/ask", &query(QUESTION)).ok();
    let limited = Server::start(&sandbox, &[("RAG_SERVE_RATE_PER_MINUTE", "50")]);
    let statuses = at_once(&limited, 200, |_| query(QUESTION));
    assert!(statuses[&429] >= 140, "{statuses:?}");
    limited.stop();
    server.stop();
}

/// Waiting searches are compared with the index several at a time.
#[test]
fn concurrent_searches_find_the_same_as_single_ones() {
    let Some(sandbox) = indexed() else { return };
    let server = Server::start(&sandbox, &[("RAG_SERVE_WORKERS", "1")]);
    let body = |n: usize| {
        let mode = ["hybrid", "dense", "lexical"][n % 3];
        json!({
            "query": format!("What do bees do on day {}?", n / 2), "mode": mode,
            "k": 2 + n % 2, "explain": true, "use_cache": false,
        })
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
fn questions_that_wait_for_a_language_model_block_no_other_request() {
    let Some(sandbox) = indexed() else { return };
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
        wait_for("a full queue", || {
            (server.count("rag_questions_refused_total{line=\"written\"}") == 178).then_some(())
        });
        waiting(20);
        // Other requests proceed, and a more urgent question takes the place of another.
        server.get("/health/live").ok();
        server.get("/health").ok();
        server.post("/search", &query(QUESTION)).ok();
        server.post("/ask", &json!({ "query": QUESTION, "generator": "extractive" })).ok();
        let urgent = scope.spawn(move || {
            server.post("/ask", &json!({ "query": "urgent?", "priority": "critical" }))
        });
        wait_for("that one is refused", || {
            (server.count("rag_questions_refused_total{line=\"written\"}") == 179).then_some(())
        });
        drop(hanging);
        assert_eq!(urgent.join().expect("a reply").status, 200);
        assert_eq!(count_statuses(clients), BTreeMap::from([(200, 19), (503, 179)]));
    });
    // The server works as before.
    server.post("/ask", &ask(1000)).ok();
    server.stop();
}

#[test]
fn questions_are_answered_during_an_ingest() {
    let Some(sandbox) = indexed() else { return };
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

/// Raises the limit of open files of this process.
fn allow_open_files(n: u64) {
    let limit = getrlimit(Resource::Nofile);
    let current = Some(n.min(limit.maximum.unwrap_or(n)));
    setrlimit(Resource::Nofile, Rlimit { current, maximum: limit.maximum }).expect("a limit");
}

/// Sends one more byte on each stream, then pauses.
fn trickle(streams: &[&TcpStream]) {
    for mut stream in streams.iter().copied() {
        let _ = stream.write(b"a");
    }
    std::thread::park_timeout(Duration::from_millis(100));
}

#[test]
fn slow_clients_are_disconnected_and_honest_ones_served() {
    let Some(sandbox) = indexed() else { return };
    // A quarter each: silent, slow head, slow body, never reading.
    let each = if thorough() { 125 } else { 40 };
    allow_open_files(4096);
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
    // The first question opens the index and the caches.
    server.post("/search", &query(QUESTION)).ok();
    wait_for("that no client is connected", || {
        (server.count("rag_http_connections") == 1).then_some(())
    });
    let (_, files, _) = usage(server.pid());
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
    let slow: Vec<&TcpStream> = heads.iter().chain(&bodies).collect();
    let mut honest = 0;
    wait_for("that all are disconnected", || {
        server.post("/search", &query(QUESTION)).ok();
        honest += 1;
        trickle(&slow);
        (server.count("rag_http_connections") == 1).then_some(())
    });
    assert!(honest > 2, "{honest} honest clients were served");
    check_replies(silent, bodies);
    drop((heads, unread));
    let (_, after, _) = usage(server.pid());
    assert!(after <= files + 8, "from {files} to {after} open files");
    server.stop();
}

/// A silent client gets no reply; one with a slow body gets none or a time-out.
fn check_replies(silent: Vec<TcpStream>, bodies: Vec<TcpStream>) {
    for mut stream in silent {
        assert_eq!(stream.read(&mut [0; 16]).unwrap_or(0), 0);
    }
    for mut stream in bodies {
        let mut reply = Vec::new();
        let _ = stream.read_to_end(&mut reply);
        assert!(
            reply.is_empty() || reply.starts_with(b"HTTP/1.1 408"),
            "{}",
            String::from_utf8_lossy(&reply)
        );
    }
}

#[test]
fn connections_over_the_limit_wait_for_others_to_close() {
    let Some(sandbox) = indexed() else { return };
    let server = Server::start(
        &sandbox,
        &[("RAG_SERVE_CONNECTIONS", "4"), ("RAG_SERVE_HEADER_TIMEOUT_S", "1")],
    );
    let _held: Vec<TcpStream> = (0..12).map(|_| server.connect()).collect();
    server.get("/health/live").ok();
    server.stop();
}
