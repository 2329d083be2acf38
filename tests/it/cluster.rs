//! Two servers over one bucket: what one of them does is seen through the other.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rag::config::DepotPlace;
use serde_json::{Value, json};

use crate::support::bucket::{Mortal, stores, variables};
use crate::support::llm::{LlmServer, Step};
use crate::support::server::Server;
use crate::support::services::{Postgres, Redis};
use crate::support::{Run, Sandbox};

/// Longer than anything takes that does not hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks again until there is a value; returns it and how long that took.
#[track_caller]
fn until<T>(what: &str, mut find: impl FnMut() -> Option<T>) -> (T, Duration) {
    let start = Instant::now();
    loop {
        if let Some(found) = find() {
            return (found, start.elapsed());
        }
        assert!(start.elapsed() < PATIENCE, "{what}: not after {PATIENCE:?}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

fn start(sandbox: &Sandbox, place: &DepotPlace, more: &[(&str, &str)]) -> Server {
    let all = variables(place);
    let env = all.iter().map(|(name, value)| (*name, &**value)).chain(more.iter().copied());
    Server::start(sandbox, &env.collect::<Vec<_>>())
}

/// Uploads a text and waits until its job has committed it; returns the root.
#[track_caller]
fn upload(server: &Server, path: &str, text: &str) -> String {
    let reply = server.post("/documents", &json!({ "path": path, "text": text }));
    assert_eq!(reply.status, 202, "{}", reply.body);
    let [id, root] = ["job_id", "root"].map(|name| reply.json()[name].as_str().unwrap().to_owned());
    let ended = until("the job ends", || {
        let job = server.get(&format!("/ingest/status/{id}")).json();
        job["ended"].is_number().then_some(job)
    });
    assert_eq!(ended.0["state"], "succeeded", "{}", ended.0);
    root
}

fn finds(server: &Server, text: &str, path: &str) -> Option<()> {
    let reply = server.post("/search", &json!({ "query": text, "mode": "lexical" }));
    reply.body.contains(path).then_some(())
}

fn ask(server: &Server, body: &Value) -> Value {
    let reply = server.post("/ask", body);
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.json()
}

/// A document that one server takes in is found through the other, and one that is removed is gone
/// there, from cached answers too. Prints how long each took after the commit.
fn follow(name: &str, first: &Server, second: &Server) {
    // It has looked before there was an index.
    assert_eq!(second.post("/search", &json!({ "query": "honey" })).status, 404);
    upload(first, "bees.md", "# Bees\n\nBees make honey and wax in their hive.\n");
    until("the index is there", || finds(second, "honey", "bees.md"));
    // A second root: neither server has the files of the other.
    upload(second, "wind.md", "# Wind\n\nThe wind bends the reeds.\n");
    until("both are there", || {
        finds(first, "reeds", "wind.md").and(finds(first, "honey", "bees.md"))
    });
    let root = upload(first, "moon.md", "# Moon\n\nThe moon pulls the sea and makes the tides.\n");
    let ((), added) = until("it is found", || finds(second, "tides", "moon.md"));
    let question = json!({ "query": "What does the moon pull?" });
    for server in [first, second] {
        assert!(ask(server, &question)["answer"].as_str().unwrap().contains("sea"));
    }
    assert_eq!(ask(second, &question)["cache"]["answer_hit"], true);
    let removed = first.request("DELETE", &format!("/documents?root={root}&path=moon.md"), &[], "");
    assert_eq!(removed.status, 200, "{}", removed.body);
    let is_gone = || finds(second, "tides", "moon.md").is_none().then_some(());
    let ((), gone) = until("it is gone", is_gone);
    finds(first, "reeds", "wind.md").expect("other roots are kept");
    let answer = ask(second, &question);
    assert!(!answer.to_string().contains("tides"), "a cached answer is left: {answer}");
    println!(
        "{name}: found {:.3} s after the commit, gone {:.3} s after the removal",
        added.as_secs_f64(),
        gone.as_secs_f64()
    );
}

/// Nobody polls before the test is over, so only the hints can tell the other server.
#[test]
fn a_hint_makes_the_other_server_look_at_once() {
    let Some(redis) = Redis::start(&[]) else { return };
    for store in stores() {
        let place = store.place("hints");
        let env = [
            ("RAG_SHARED_URL", &*redis.url()),
            ("RAG_SHARED_TIMEOUT_MS", "2000"),
            ("RAG_DEPOT_POLL_S", "86400"),
        ];
        let all = [Sandbox::new(), Sandbox::new()];
        let [first, second] = all.each_ref().map(|sandbox| start(sandbox, &place, &env));
        follow(&format!("{}, hints alone", store.name), &first, &second);
        // A session begun on one goes on at the other.
        let begun = first.post("/sessions", &json!({})).json();
        let id = begun["id"].as_str().unwrap();
        for (server, query) in [(&first, "What do bees make?"), (&second, "Where is it kept?")] {
            ask(server, &json!({ "query": query, "session": id }));
        }
        let shown = first.get(&format!("/sessions/{id}")).json();
        assert_eq!(shown["turns"].as_array().unwrap().len(), 2, "{shown}");
        // Listeners come back by themselves after the connection was cut.
        redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        let channel = "rag:hint:depot";
        until("both listen again", || {
            let listeners = redis.command(&["PUBSUB", "NUMSUB", channel]);
            format!("{listeners:?}").contains("Int(2)").then_some(())
        });
        upload(&first, "sun.md", "# Sun\n\nThe sun warms the meadow.\n");
        until("it is found", || finds(&second, "meadow", "sun.md"));
        [first, second].into_iter().for_each(|server| drop(server.stop()));
    }
}

/// No message is ever delivered: there is no store that could.
#[test]
fn without_hints_the_other_server_looks_by_itself() {
    for store in stores() {
        let place = store.place("polls");
        let all = [Sandbox::new(), Sandbox::new()];
        let [first, second] = all.each_ref().map(|sandbox| start(sandbox, &place, &[]));
        follow(&format!("{}, polls alone", store.name), &first, &second);
        [first, second].into_iter().for_each(|server| drop(server.stop()));
    }
}

/// The store is killed while generations are published, and started again on its disk: whatever was
/// acknowledged before is whole, questions are answered meanwhile, and a job that was accepted
/// meanwhile waits for the store however long that takes.
#[test]
fn what_was_acknowledged_before_the_store_was_killed_is_kept() {
    const KILLS: usize = 3;
    /// More than the tries of a job.
    const ATTEMPTS: u64 = 4;
    let Some(mut store) = Mortal::start() else { return };
    let place = store.store.place("killed");
    let env = variables(&place);
    let [writer, queue, reader, fresh] = [(); 4].map(|()| Sandbox::new());
    let rag = |sandbox: &Sandbox, args: &[&str]| {
        Run::of(sandbox.command(args).envs(env.iter().map(|(name, value)| (name, value))))
    };
    let page = |sandbox: &Sandbox, n: usize| {
        sandbox.write(&format!("docs/page{n}.md"), format!("# Page {n}\n\nThe word{n}.\n"));
    };
    // Pages before this one are acknowledged.
    let n_pages = AtomicUsize::new(0);
    let refused = AtomicUsize::new(0);
    let is_over = AtomicBool::new(false);
    let publish = || {
        let n = n_pages.load(Ordering::Relaxed);
        page(&writer, n);
        let run = rag(&writer, &["ingest", "--dir", "docs"]);
        if run.code == Some(0) {
            n_pages.fetch_add(1, Ordering::Relaxed);
        } else {
            run.exits(7).says("s3://").says("hint: ");
            refused.fetch_add(1, Ordering::Relaxed);
        }
    };
    let beyond = |count: &AtomicUsize, n| (count.load(Ordering::Relaxed) > n).then_some(());
    publish();
    let server = start(&reader, &place, &[]);
    until("the first page is found", || finds(&server, "word0", "page0.md"));
    let mut n_asked = 0;
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                publish();
            }
        });
        for kill in 0..KILLS {
            let (before, n_refused) =
                (n_pages.load(Ordering::Relaxed), refused.load(Ordering::Relaxed));
            until("ingests before the kill", || beyond(&n_pages, before + 1));
            store.kill();
            let is_refused = || {
                n_asked += 1;
                finds(&server, "word0", "page0.md").expect("the copy answers");
                beyond(&refused, n_refused)
            };
            until("an ingest is refused", is_refused);
            let mut waiting = None;
            if kill == 0 {
                queue.write("queue/queued.md", "# Queued\n\nIt waits for the store.\n");
                // An index of its own: the other one is replaced all the time.
                let args = ["ingest", "--dir", "queue", "--index", "own", "--detach", "--json"];
                let job = rag(&queue, &args).ok().json()["job_id"].as_str().unwrap().to_owned();
                until("the job has been tried", || {
                    let shown = rag(&queue, &["jobs", "show", &job, "--json"]).ok().json();
                    assert!(shown["ended"].is_null(), "it was given up: {shown}");
                    (shown["attempts"].as_u64().unwrap() >= ATTEMPTS).then_some(())
                });
                waiting = Some(job);
            }
            let n = n_pages.load(Ordering::Relaxed);
            store.run();
            let ((), back) = until("an ingest after the restart", || beyond(&n_pages, n));
            eprintln!("an ingest succeeded {:.1} s after the restart", back.as_secs_f64());
            if let Some(job) = waiting {
                rag(&queue, &["jobs", "show", &job, "--follow"]).ok();
            }
        }
        is_over.store(true, Ordering::Relaxed);
        writing.join().unwrap();
    });
    server.stop();
    // A machine that has no copy of anything.
    rag(&fresh, &["index", "pull"]).ok();
    rag(&fresh, &["index", "verify"]).ok();
    let listed = rag(&fresh, &["documents", "list", "--json"]).ok().stdout;
    let n_pages = n_pages.into_inner();
    let missing = (0..n_pages).filter(|n| !listed.contains(&format!("\"page{n}.md\""))).count();
    assert_eq!(missing, 0, "of {n_pages} acknowledged pages: {listed}");
    rag(&fresh, &["search", "waits", "--index", "own"]).ok().prints("queued.md");
    eprintln!(
        "{KILLS} kills: {n_pages} acknowledged ingests, 0 missing; {} refused; {n_asked} searches \
         meanwhile, 0 failed",
        refused.into_inner()
    );
}

/// A PostgreSQL with the schema; `None`, with a notice, where there is none.
fn ledger() -> Option<Postgres> {
    let postgres = Postgres::start(&[])?;
    postgres.client().migrate().expect("a schema");
    Some(postgres)
}

/// A token is added and revoked on one machine, and every server knows it within a second.
#[test]
fn a_token_is_valid_on_every_server_until_it_is_revoked() {
    let Some(mut postgres) = ledger() else { return };
    let url = postgres.url();
    let all = [Sandbox::new(), Sandbox::new()];
    let token = |sandbox: &Sandbox, args: &[&str]| {
        let mut command = sandbox.command(args);
        Run::of(command.env("RAG_LEDGER_URL", &url)).ok().json()
    };
    let add = |name: &str| {
        let args = ["token", "add", name, "--scope", "write", "--quota", "1000", "--json"];
        token(&all[0], &args)["token"].as_str().unwrap().to_owned()
    };
    let secret = add("ada");
    let env = [("RAG_LEDGER_URL", &*url), ("RAG_LEDGER_CONNECT_TIMEOUT_MS", "200")];
    let servers = all.each_ref().map(|sandbox| {
        sandbox.write("docs/bees.md", "# Bees\n\nBees make honey.\n");
        Run::of(sandbox.command(["ingest", "--dir", "docs"]).env("RAG_LEDGER_URL", &url)).ok();
        Server::start(sandbox, &env)
    });
    let status = |server: &Server, secret: &str| {
        let bearer = format!("Bearer {secret}");
        let body = json!({ "query": "honey" }).to_string();
        server.request("POST", "/search", &[("authorization", &bearer)], &body).status
    };
    let on_both = |secret: &str, expected: u16| {
        let all = servers.iter().all(|server| status(server, secret) == expected);
        all.then_some(())
    };
    on_both(&secret, 200).unwrap();
    let second = add("eve");
    let ((), added) = until("a new token is known", || on_both(&second, 200));
    token(&all[1], &["token", "revoke", "ada", "--json"]);
    let ((), revoked) = until("the revoked one is not", || on_both(&secret, 401));
    println!("added after {added:.2?}, revoked after {revoked:.2?}, by looking alone");
    let stored = "SELECT count(*) FROM rag_tokens WHERE length(sha256) = 64 \
                  AND rag_tokens::text NOT LIKE '%rag_%'";
    assert_eq!(postgres.client().query(stored, &[]).unwrap()[0].int(0), 2, "hashes only");

    postgres.kill();
    servers.iter().for_each(|server| answers_without_database(server, &second));
    let headers = [("authorization", &*format!("Bearer {second}"))];
    for server in &servers {
        assert_eq!(status(server, &secret), 401, "it stays revoked");
    }
    until("it starts again", || postgres.run().then_some(()));
    until("sessions are back", || {
        let reply = servers[0].request("POST", "/sessions", &headers, "{}");
        (reply.status == 201).then_some(())
    });
    // A server that starts without the database is not open, and knows the tokens once it is back.
    postgres.kill();
    let [first, second_server] = servers;
    first.stop();
    second_server.stop();
    let late = Server::start(&all[0], &env);
    assert_eq!(late.post("/search", &json!({ "query": "honey" })).status, 401);
    until("it starts again", || postgres.run().then_some(()));
    until("the token is known", || (status(&late, &second) == 200).then_some(()));
    late.stop();
}

/// Questions are answered with a token that is known, and what needs the database says so.
fn answers_without_database(server: &Server, token: &str) {
    let headers = [("authorization", &*format!("Bearer {token}"))];
    let ask = json!({ "query": "What do bees make?" }).to_string();
    for path in ["/ask", "/search"] {
        let answered = server.request("POST", path, &headers, &ask);
        assert_eq!(answered.status, 200, "{}", answered.body);
    }
    let text = json!({ "path": "a.md", "text": "# A\n" }).to_string();
    for (path, body) in [("/sessions", "{}"), ("/documents", &text)] {
        let reply = server.request("POST", path, &headers, body);
        assert_eq!(reply.status, 503, "{path}: {}", reply.body);
        assert!(reply.headers.contains_key("retry-after"), "{path}");
        assert_eq!(reply.json()["error"]["reason"], "engine", "{path}");
    }
}

/// Two servers see the end of each job; one of them posts it.
#[test]
fn the_end_of_a_job_is_posted_by_one_server() {
    const JOBS: usize = 6;
    let Some(postgres) = ledger() else { return };
    let url = postgres.url();
    let receiver = LlmServer::start(std::iter::repeat_with(|| Step::status(204)).take(4 * JOBS));
    let hook = format!("{}/hook", receiver.base_url());
    let env = [
        ("RAG_LEDGER_URL", &*url),
        ("RAG_SERVE_WEBHOOKS", &*hook),
        ("RAG_SERVE_WEBHOOK_SECRET", "a-secret-of-webhooks"),
    ];
    let all = [Sandbox::new(), Sandbox::new()];
    let servers = all.each_ref().map(|sandbox| Server::start(sandbox, &env));
    // Each server has looked at the jobs once.
    until("both look", || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'rag'";
        (postgres.client().query(sql, &[]).unwrap()[0].int(0) >= 3).then_some(())
    });
    for n in 0..JOBS {
        upload(&servers[n % 2], &format!("{n}.md"), &format!("# Page {n}\n\nText {n}.\n"));
    }
    let done = "SELECT count(*) FROM rag_deliveries WHERE is_done";
    until("all are posted", || {
        let n = postgres.client().query(done, &[]).unwrap()[0].int(0);
        (n == JOBS as i64).then_some(())
    });
    // Whoever finds a delivery done drops it; nothing else is waiting then.
    let requests = receiver.requests();
    let jobs: std::collections::BTreeSet<String> =
        requests.iter().map(|request| request.body["job"]["id"].to_string()).collect();
    assert_eq!((requests.len(), jobs.len()), (JOBS, JOBS), "each once");
    // Uploads are in one data directory, and so is the worker that reads them.
    for (n, server) in servers.iter().enumerate() {
        let found = server.post("/search", &json!({ "query": "page", "mode": "lexical" })).json();
        let paths: Vec<&str> = found["hits"]
            .as_array()
            .unwrap()
            .iter()
            .map(|hit| hit["path"].as_str().unwrap())
            .collect();
        assert_eq!(paths.len(), JOBS / 2, "{paths:?}");
        let is_own = |path: &&str| path[..1].parse::<usize>().unwrap() % 2 == n;
        assert!(paths.iter().all(is_own), "{n}: {paths:?}");
    }
    servers.into_iter().for_each(|server| drop(server.stop()));
}
