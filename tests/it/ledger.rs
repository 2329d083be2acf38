//! The database that servers share, with a real PostgreSQL: its schema, jobs, sessions, analytics,
//! and what happens when it is gone or its replies are lost.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use std::time::{Duration, Instant};

use rag::jobs::{
    Durability, End, IngestSpec, Jobs, Next, Priority, Progress, Reason, Spec, State, Work,
};
use rag::ledger::{Ledger, Param};
use rag::sessions::{Sessions, Turn};
use serde_json::Value;

use crate::fixtures::{files_below, harbour, topics, write_old};
use crate::support::services::{Postgres, free_port, has_program};
use crate::support::{Run, Sandbox};
use crate::tools::thorough;

/// Longer than any recovery here takes.
const PATIENCE: Duration = Duration::from_secs(60);
const ASK: &[&str] = &["ask", "What do bees make?", "--json"];

fn rag(sandbox: &Sandbox, url: &str, args: &[&str]) -> Run {
    Run::of(sandbox.command(args).env("RAG_LEDGER_URL", url))
}

/// A server with the schema.
fn migrated(settings: &[&str]) -> Option<Postgres> {
    let postgres = Postgres::start(settings)?;
    postgres.client().migrate().expect("a schema");
    Some(postgres)
}

fn machine() -> Sandbox {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    sandbox
}

fn count(postgres: &Postgres, sql: &str) -> i64 {
    postgres.client().query(sql, &[]).expect("rows")[0].int(0)
}

#[test]
fn the_schema_is_made_once_by_any_number_of_callers() {
    let Some(postgres) = Postgres::start(&[]) else { return };
    let url = postgres.url();
    let sandbox = Sandbox::new();
    sandbox.rag(["migrate"]).exits(2).says("ledger.url");
    rag(&sandbox, &url, &["doctor"]).prints("BAD  ledger").prints("rag migrate");
    rag(&sandbox, &url, &["sessions", "list"]).exits(7).says("rag migrate");
    let all: Vec<Child> = (0..6)
        .map(|_| {
            let mut command = sandbox.command(["migrate", "--json"]);
            command.env("RAG_LEDGER_URL", &url).stdout(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let mut from: Vec<u64> = all
        .into_iter()
        .map(|child| {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success());
            let report: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(report["to"], rag::ledger::VERSION);
            report["from"].as_u64().unwrap()
        })
        .collect();
    from.sort_unstable();
    assert_eq!(from.iter().filter(|from| **from == 0).count(), 1, "{from:?}");
    rag(&sandbox, &url, &["migrate"]).ok().prints("already");
    rag(&sandbox, &url, &["doctor"]).prints("ok   ledger   PostgreSQL");
    // A newer schema is left alone.
    postgres.client().execute("INSERT INTO rag_schema (version) VALUES (999)", &[]).unwrap();
    rag(&sandbox, &url, &["migrate"]).exits(7).says("newer");
}

#[test]
fn the_address_is_checked_and_the_password_never_shown() {
    let sandbox = Sandbox::new();
    sandbox.write("rag.toml", "ledger.url = \"postgres://evil.example/x\"");
    sandbox.rag(["doctor"]).exits(2).says("must not set `ledger.url`");
    std::fs::remove_file(sandbox.path().join("rag.toml")).unwrap();
    for url in ["mysql://127.0.0.1/x", "postgres://:hunter2@127.0.0.1:port/x"] {
        let run = rag(&sandbox, url, &["doctor"]).exits(2).says("ledger.url");
        assert!(!run.stderr.contains("hunter2"), "{run}");
    }
    let port = free_port().to_string();
    let mut command = sandbox.command(["doctor", "-v"]);
    command.env("POSTGRES_HOST", "127.0.0.1").env("POSTGRES_PORT", &port);
    command.env("POSTGRES_USER", "me").env("POSTGRES_PASSWORD", "hunter2").env("POSTGRES_DB", "d");
    let run = Run::of(&mut command).exits(1).prints("BAD  ledger").prints("POSTGRES_HOST");
    assert!(!run.stdout.contains("hunter2") && !run.stderr.contains("hunter2"), "{run}");
    assert!(run.stdout.contains(&format!("127.0.0.1:{port}/d")), "{run}");
}

#[test]
fn connections_are_encrypted_and_the_certificate_is_checked() {
    if !has_program("openssl", "openssl") {
        return;
    }
    let sandbox = Sandbox::new();
    let at = |name: &str| sandbox.path().join(name).to_str().unwrap().to_owned();
    for (key, cert) in [("key.pem", "cert.pem"), ("other.key", "other.pem")] {
        let args = [
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "1",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ];
        let mut command = Command::new("openssl");
        let run = Run::of(command.args(args).args(["-keyout", &at(key), "-out", &at(cert)]));
        assert_eq!(run.code, Some(0), "{run}");
    }
    // The server refuses a key that others may read, and runs as another user.
    let keys = tempfile::tempdir().unwrap();
    let own = |name: &str| {
        let path = keys.path().join(name);
        std::fs::copy(at(name), &path).unwrap();
        if rustix::process::geteuid().is_root() {
            for path in [keys.path(), &path] {
                std::os::unix::fs::chown(path, Some(65_534), Some(65_534)).unwrap();
            }
        }
        path.to_str().unwrap().to_owned()
    };
    let (key, cert) =
        (format!("ssl_key_file={}", own("key.pem")), format!("ssl_cert_file={}", own("cert.pem")));
    let Some(postgres) = Postgres::start(&["ssl=on", &key, &cert]) else { return };
    let url = format!("{}?sslmode=require", postgres.url());
    let with = |ca: &str, args: &[&str]| {
        let mut command = sandbox.command(args);
        Run::of(command.env("RAG_LEDGER_URL", &url).env("RAG_LEDGER_CA_FILE", at(ca)))
    };
    with("cert.pem", &["migrate"]).ok();
    with("other.pem", &["migrate"]).exits(7).says("does not answer");
    with("absent.pem", &["migrate"]).exits(2).says("ledger.ca_file");
}

fn turn(at: i64, question: &str) -> Turn {
    Turn {
        at,
        index: "default".into(),
        question: question.into(),
        resolved: question.into(),
        answer: format!("About {question}."),
        supported: true,
        intent: "fact".into(),
        generator: "extractive".into(),
        ..Turn::default()
    }
}

#[test]
fn a_conversation_continues_on_another_machine() {
    let Some(postgres) = migrated(&[]) else { return };
    let url = postgres.url();
    let (one, two) = (machine(), machine());
    for sandbox in [&one, &two] {
        sandbox.ingest();
    }
    let ask = |sandbox: &Sandbox, question: &str| {
        rag(sandbox, &url, &["ask", question, "--session", "work", "--json"]).json()
    };
    ask(&one, "What do bees make?");
    let shown = rag(&two, &url, &["sessions", "show", "work", "--json"]).ok().json();
    assert_eq!(shown["turns"][0]["question"], "What do bees make?", "{shown}");
    ask(&two, "And what else do bees make?");
    let list = rag(&one, &url, &["sessions", "list", "--json"]).ok().json();
    assert_eq!(list["sessions"][0]["turns"], 2, "{list}");
    // A removed document leaves the conversation, wherever it was held.
    rag(&two, &url, &["documents", "remove", "bees.md", "--yes"]).ok();
    let shown = rag(&one, &url, &["sessions", "show", "work", "--json"]).ok().json();
    assert_eq!(shown["turns"][0]["answer"], "", "{shown}");
    rag(&two, &url, &["sessions", "remove", "work", "--yes"]).ok();
    rag(&one, &url, &["sessions", "show", "work"]).exits(2).says("no session `work`");
}

#[test]
fn two_holders_of_a_session_never_mix() {
    let Some(postgres) = migrated(&[]) else { return };
    let sessions = || Sessions::in_postgres(postgres.client(), 1000);
    let (one, two) = (sessions(), sessions());
    let mut held = one.begin_now("s", 100).unwrap();
    held.add(turn(100, "a")).unwrap();
    assert_eq!(two.begin_now("s", 100).err().unwrap().kind(), rag::error::Kind::Busy);
    // The first holder stops past its lease, and another goes on.
    let expire = "UPDATE rag_sessions SET lease_until = now() - interval '1 s'";
    postgres.client().execute(expire, &[]).unwrap();
    let mut other = two.begin_now("s", 101).unwrap();
    assert_eq!(other.turns().len(), 1);
    let late = held.add(turn(102, "late")).unwrap_err();
    assert_eq!(late.kind(), rag::error::Kind::Busy, "{late}");
    other.add(turn(103, "b")).unwrap();
    drop(other);
    assert_eq!(held.add(turn(104, "later")).unwrap_err().kind(), rag::error::Kind::Busy);
    drop(held);
    let questions = |id: &str| -> Vec<String> {
        two.show(id, 200).unwrap().into_iter().map(|turn| turn.question).collect()
    };
    assert_eq!(questions("s"), ["a", "b"]);
    // Sixteen writers of one session lose nothing.
    std::thread::scope(|scope| {
        for n in 0..16 {
            scope.spawn(move || {
                let own = sessions();
                own.begin("many", 100, &|| false).unwrap().add(turn(100, &n.to_string())).unwrap();
            });
        }
    });
    assert_eq!(questions("many").len(), 16);
    // Damage is named, and never shown.
    postgres
        .client()
        .execute("UPDATE rag_turns SET body = replace(body, 'About', 'Above')", &[])
        .unwrap();
    let fault = two.show("s", 200).unwrap_err();
    assert_eq!(fault.kind(), rag::error::Kind::Damaged, "{fault}");
    assert_eq!(two.remove(&["s".to_owned()]).unwrap(), 1);
    // Sessions expire, issued ids too.
    two.issue("new").unwrap();
    assert!(one.is_issued("new").unwrap() && !one.is_issued("other").unwrap());
    assert!(one.forget_issued("new").unwrap() && !two.is_issued("new").unwrap());
    drop(one.begin_now("x", 100_000).unwrap());
    assert_eq!(count(&postgres, "SELECT count(*) FROM rag_sessions"), 0);
}

fn jobs(postgres: &Postgres, dir: &Path) -> Jobs {
    Jobs::of(&Ledger::Postgres(postgres.client()), dir)
}

fn spec(index: &str) -> Spec {
    Spec::new(Work::Ingest(IngestSpec { index: index.into(), ..IngestSpec::default() }))
}

fn name(job: &rag::jobs::Job) -> String {
    let Work::Ingest(spec) = &job.spec.work;
    spec.index.clone()
}

#[test]
fn each_job_runs_once_in_the_order_of_priorities() {
    let Some(postgres) = migrated(&[]) else { return };
    let dir = tempfile::tempdir().unwrap();
    let all = jobs(&postgres, dir.path());
    let first = all.submit(spec("first"), 10).unwrap();
    for priority in [Priority::Low, Priority::Critical, Priority::Normal] {
        all.submit(Spec { priority, ..spec(priority.name()) }, 10).unwrap();
    }
    let after =
        Spec { after: vec![first[..9].to_owned()], priority: Priority::Critical, ..spec("after") };
    all.submit(after, 10).unwrap();
    assert_eq!(
        all.submit(Spec { after: vec!["nope".into()], ..spec("x") }, 10).unwrap_err().kind(),
        rag::error::Kind::Usage
    );
    let mut order = Vec::new();
    while let Next::Ready(claimed) = all.claim(20, 9).unwrap() {
        order.push(name(claimed.job()));
        claimed.finish(End::Succeeded { result: Value::Null }, 30, Durability::Synced).unwrap();
    }
    assert_eq!(order, ["critical", "first", "after", "normal", "low"]);
    assert_eq!(all.peek(20, 9).unwrap(), Next::Nothing);

    // Eight workers, a hundred jobs.
    (0..100).for_each(|n| drop(all.submit(spec(&format!("job {n}")), 40).unwrap()));
    let done: Vec<String> = std::thread::scope(|scope| {
        let worker = || {
            let (own, mut done) = (jobs(&postgres, dir.path()), Vec::new());
            loop {
                match own.claim(50, 99).unwrap() {
                    Next::Ready(claimed) => {
                        done.push(name(claimed.job()));
                        let end = End::Succeeded { result: Value::Null };
                        claimed.finish(end, 60, Durability::Synced).unwrap();
                    }
                    Next::Later(_) => std::thread::yield_now(),
                    Next::Nothing => return done,
                }
            }
        };
        let workers: Vec<_> = (0..8).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    let mut counts = BTreeMap::new();
    done.iter().for_each(|name| *counts.entry(name).or_insert(0) += 1);
    assert_eq!((done.len(), counts.len()), (100, 100), "one run a job");
    assert_eq!(all.clean(1000, 1000).unwrap(), 105);
}

/// A worker that waits looks at a number; only what could give it work changes that.
#[test]
fn an_idle_worker_notices_what_gives_it_work() {
    let Some(postgres) = migrated(&[]) else { return };
    let dir = tempfile::tempdir().unwrap();
    let (idle, other) = (jobs(&postgres, dir.path()), jobs(&postgres, dir.path()));
    let look = || idle.peek_again(20, 9).unwrap();
    let ready = |id: &String| Next::Ready(id.clone());
    assert_eq!((look(), look()), (Next::Nothing, Next::Nothing));
    let first = other.submit(spec("first"), 10).unwrap();
    assert_eq!((look(), look()), (ready(&first), ready(&first)));
    let Next::Ready(claimed) = other.claim(20, 9).unwrap() else { panic!("no job") };
    let before = other.events().unwrap();
    let progress = Progress { stage: "vectors".into(), share: 0.5, ..Progress::default() };
    claimed.progress(progress, 30).unwrap();
    let found = other.get(&first, 30).unwrap().progress.share;
    assert_eq!((found, other.events().unwrap()), (0.5, before), "progress is no event");
    claimed.finish(End::PutBack, 40, Durability::Synced).unwrap();
    assert_eq!(look(), ready(&first));
    other.cancel(&first, 50).unwrap();
    assert_eq!((look(), look()), (Next::Nothing, Next::Nothing));
    other.retry(&first, 60).unwrap();
    assert_eq!(idle.peek_again(70, 9).unwrap(), ready(&first));
}

#[test]
fn a_worker_that_stops_loses_its_job_and_cannot_end_it() {
    let Some(postgres) = migrated(&[]) else { return };
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (jobs(&postgres, dir.path()), jobs(&postgres, dir.path()));
    let id = one.submit(spec("a"), 10).unwrap();
    let Next::Ready(stopped) = one.claim(20, 1).unwrap() else { panic!("no job") };
    assert!(matches!(two.claim(20, 9).unwrap(), Next::Later(None)));
    let expire = "UPDATE rag_jobs SET lease_until = now() - interval '1 s'";
    postgres.client().execute(expire, &[]).unwrap();
    assert_eq!(two.get(&id[..8], 30).unwrap().state, State::Queued);
    let Next::Later(Some(ms)) = two.claim(31, 9).unwrap() else { panic!("no pause") };
    assert!((1..=1000).contains(&ms), "the second try waits for a second: {ms}");
    let Next::Ready(second) = two.claim(5_000, 9).unwrap() else { panic!("no job") };
    assert_eq!((second.job().attempts, second.job().careful), (2, true));
    let late = stopped.finish(End::Succeeded { result: Value::Null }, 6_000, Durability::Synced);
    assert_eq!(late.unwrap_err().kind(), rag::error::Kind::Busy);
    let reason = Reason::new(rag::error::Kind::Failed, "no");
    let end = End::Failed { reason, is_final: true };
    second.finish(end, 7_000, Durability::Synced).unwrap();
    assert_eq!(one.get(&id, 8_000).unwrap().state, State::Failed);
    // A job that waits for it fails; after a retry it runs.
    let waiting = one.submit(Spec { after: vec![id.clone()], ..spec("b") }, 9_000).unwrap();
    assert_eq!(two.get(&waiting, 9_000).unwrap().state, State::Failed);
    assert_eq!(one.retry(&id, 9_000).unwrap().state, State::Queued);
    assert_eq!(one.cancel(&id, 9_000).unwrap().state, State::Cancelled);
    assert_eq!(one.cancel(&waiting, 9_000).unwrap_err().kind(), rag::error::Kind::Usage);
    // A running job is told to end.
    one.retry(&id, 9_000).unwrap();
    let Next::Ready(third) = one.claim(10_000, 9).unwrap() else { panic!("no job") };
    two.cancel(&id, 11_000).unwrap();
    until("the worker sees it", || third.cancel_asked().unwrap());
    third.finish(End::Cancelled, 12_000, Durability::Synced).unwrap();
}

/// A job of one machine runs on a worker; the worker is killed and another one ends the job.
#[test]
fn a_killed_worker_loses_no_acknowledged_job() {
    let Some(postgres) = migrated(&[]) else { return };
    let url = postgres.url();
    let sandbox = machine();
    let worker = || {
        let mut command = sandbox.command(["worker"]);
        command.env("RAG_LEDGER_URL", &url).stdout(Stdio::null()).stderr(Stdio::null());
        command.env("RAG_MAX_WORKERS", "4").spawn().unwrap()
    };
    let client = postgres.client();
    let state = |state: &str| {
        let sql = "SELECT count(*) FROM rag_jobs WHERE state = $1";
        client.query(sql, &[Param::text(state)]).unwrap()[0].int(0)
    };
    let mut submitted = 0;
    let mut killed = 0;
    let mut current = worker();
    for n in 0..4 {
        let index = format!("i{n}");
        let args = ["ingest", "--dir", "docs", "--index", &index, "--detach", "--json"];
        rag(&sandbox, &url, &args).ok();
        submitted += 1;
        if n % 2 == 0 {
            let start = Instant::now();
            while state("running") == 0 && state("succeeded") < submitted {
                assert!(start.elapsed() < PATIENCE);
                std::thread::yield_now();
            }
            current.kill().unwrap();
            current.wait().unwrap();
            killed += 1;
            current = worker();
        }
    }
    until("all jobs have succeeded", || state("succeeded") == submitted);
    current.kill().unwrap();
    current.wait().unwrap();
    println!("{submitted} jobs, {killed} workers killed, 0 lost");
    for n in 0..4 {
        let index = format!("i{n}");
        rag(&sandbox, &url, &["search", "bees", "--index", &index]).ok().prints("bees.md");
    }
    let listed = rag(&sandbox, &url, &["jobs", "list", "--json"]).ok().json();
    assert_eq!(listed["jobs"].as_array().unwrap().len(), 4, "{listed}");
}

/// It is killed and started again, and replies to commits are lost: nothing is missing or doubled.
#[test]
fn a_database_that_dies_comes_back_with_everything_acknowledged() {
    let Some(mut postgres) = migrated(&[]) else { return };
    let dir = tempfile::tempdir().unwrap();
    let sessions = Sessions::in_postgres(postgres.client(), 1_000_000);
    let all = jobs(&postgres, dir.path());
    let mut acknowledged = (Vec::new(), 0);
    for round in 0..5 {
        for n in 0..5 {
            acknowledged.0.push(all.submit(spec(&format!("{round} {n}")), 10).unwrap());
            let mut session = sessions.begin("s", 100, &|| false).unwrap();
            session.add(turn(100, &format!("{round} {n}"))).unwrap();
            acknowledged.1 += 1;
        }
        postgres.kill();
        until("it starts again", || postgres.run());
        let start = Instant::now();
        until("it answers", || all.events().is_ok());
        println!("round {round}: answers {:.2} s after its start", start.elapsed().as_secs_f64());
    }
    let listed: Vec<String> = all.list(20).unwrap().into_iter().map(|job| job.id).collect();
    assert_eq!(listed, acknowledged.0, "every acknowledged job once, in order");
    assert_eq!(sessions.show("s", 200).unwrap().len(), acknowledged.1);
    // A cut between commit and reply: the client sends the statement again.
    let client = postgres.client();
    let before = all.list(20).unwrap().len();
    for n in 0..20 {
        let cut = "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity \
                   WHERE application_name = 'rag' AND pid <> pg_backend_pid()";
        std::thread::scope(|scope| {
            let cutter = scope.spawn(|| client.query(cut, &[]));
            all.submit(spec(&format!("cut {n}")), 30).unwrap();
            let _ = cutter.join().unwrap();
        });
    }
    assert_eq!(all.list(40).unwrap().len(), before + 20, "20 submissions, each once");
}

#[cfg(feature = "serve")]
#[test]
fn a_server_records_into_four_tables_and_survives_their_loss() {
    use crate::support::server::Server;
    let Some(mut postgres) = migrated(&[]) else { return };
    let url = postgres.url();
    let sandbox = machine();
    sandbox.ingest();
    let env = [("RAG_LEDGER_URL", &*url), ("RAG_LEDGER_CONNECT_TIMEOUT_MS", "200")];
    let server = Server::start(&sandbox, &env);
    let ask = |server: &Server, n: usize| {
        let body = format!("{{\"query\": \"What do bees make? {n}\"}}");
        let reply = server.request("POST", "/ask", &[], &body);
        assert_eq!(reply.status, 200, "{}", reply.body);
    };
    (0..30).for_each(|n| ask(&server, n));
    assert_eq!(server.request("GET", "/nowhere", &[], "").status, 404);
    let client = postgres.client();
    let n = |sql: &str| client.query(sql, &[]).unwrap()[0].int(0);
    until("they are written", || n("SELECT count(*) FROM query_logs") == 30);
    until("so is the error", || n("SELECT count(*) FROM error_logs") == 1);
    until("so is a sample", || n("SELECT count(*) FROM system_metrics") >= 1);
    assert!(n("SELECT count(*) FROM document_accesses") >= 30);
    let filled = "SELECT count(*) FROM query_logs WHERE success AND used_hybrid_search \
                  AND sources_count > 0 AND avg_relevance_score > 0 AND model_used <> '' \
                  AND query_text IS NULL AND length(query_hash) = 32 AND total_time_ms > 0";
    assert_eq!(n(filled), 30);
    assert_eq!(n("SELECT count(*) FROM query_logs WHERE metadata::text LIKE '%bees make%'"), 0);
    let stats = rag(&sandbox, &url, &["stats", "--json"]).ok().json();
    assert_eq!(stats["questions"], 30, "{stats}");
    assert_eq!(server.request("GET", "/stats", &[], "").json()["questions"], 30);
    let health = server.request("GET", "/health", &[], "").json();
    assert_eq!(health["parts"]["ledger"]["status"], "ok", "{health}");

    // Without the database, questions are answered; sessions say why they are not.
    postgres.kill();
    (0..20).for_each(|n| ask(&server, n));
    let created = server.request("POST", "/sessions", &[], "");
    assert_eq!(created.status, 503, "{}", created.body);
    // What is not recorded is counted.
    let lost = "rag_analytics_records_total{outcome=\"failed\"}";
    until("it is counted", || server.count(lost) >= 20);
    until("it starts again", || postgres.run());
    until("it is used again", || server.request("POST", "/sessions", &[], "").status == 201);
    server.stop();
    let purged = rag(&sandbox, &url, &["stats", "--purge", "--yes", "--json"]).ok().json();
    assert!(purged["purged"].as_u64() >= Some(32), "{purged}");
    rag(&sandbox, &url, &["stats"]).exits(3);
}

#[test]
fn records_of_old_days_are_dropped_with_their_partitions() {
    let Some(postgres) = migrated(&[]) else { return };
    let client = postgres.client();
    let day = 86_400;
    client.ensure_days(&[100 * day + 5, 101 * day, 101 * day + 7, 200 * day]).unwrap();
    let partitions = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'query_logs'::regclass";
    assert_eq!(count(&postgres, partitions), 3);
    assert_eq!(client.drop_days_before(101 * day + 80).unwrap(), 5, "a day of each table");
    assert_eq!(count(&postgres, partitions), 2);
}

#[test]
fn a_batch_of_a_hundred_records_is_one_transaction() {
    use rag::analytics::{self, Access, Question, Record};
    use rag::config::{Recording, Records};
    let Some(postgres) = migrated(&[]) else { return };
    let place = analytics::Place::Postgres(postgres.client());
    let records = Records { scope: Recording::All, text: true, keep_days: 90 };
    let question = |n: usize| {
        let access =
            Access { root: "docs".into(), path: format!("{n}.md"), lines: [1, 9], score: 0.5 };
        Record::Question(Box::new(Question {
            text: format!("question {n}"),
            mode: "hybrid".into(),
            documents: vec![("docs".into(), format!("{n}.md"))],
            accesses: vec![access; 5],
            ..Question::default()
        }))
    };
    analytics::record_now(&place, records, 1_800_000_000, vec![question(0)]).unwrap();
    let batch: Vec<Record> = (1..=100).map(question).collect();
    let start = Instant::now();
    analytics::record_now(&place, records, 1_800_000_000, batch).unwrap();
    println!("100 records in {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
    assert_eq!(count(&postgres, "SELECT count(*) FROM document_accesses"), 505);
    let report = analytics::report(&place, 0).unwrap().unwrap();
    assert_eq!((report.questions, report.top.len()), (101, 20));
    // A document that is gone leaves the records.
    assert_eq!(analytics::forget(&place, &|_, path| path == "7.md").unwrap(), 1);
    assert_eq!(count(&postgres, "SELECT count(*) FROM document_accesses"), 500);
    assert_eq!(analytics::purge(&place).unwrap(), 101);
    assert_eq!(analytics::report(&place, 0).unwrap(), None);
}

/// Asks again until it is so.
#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "{what}: not after {PATIENCE:?}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

#[test]
fn a_question_needs_no_database() {
    let sandbox = machine();
    sandbox.ingest();
    let url = format!("postgres://rag@127.0.0.1:{}/x", free_port());
    let run = |args: &[&str]| {
        let mut command = sandbox.command(args);
        let command = command.env("RAG_LEDGER_URL", &url);
        Run::of(command.env("RAG_LEDGER_CONNECT_TIMEOUT_MS", "100"))
    };
    run(ASK).ok();
    run(&["search", "bees"]).ok().prints("bees.md");
    run(&[ASK, &["--session", "s"]].concat()).exits(7).says("does not answer").says("ledger.url");
    run(&["ingest", "--dir", "docs"]).exits(7).says("does not answer");
}

/// What a machine kept in files goes to the database that it joins, and back to another machine.
#[test]
fn files_move_to_the_database_and_back() {
    let Some(postgres) = Postgres::start(&[]) else { return };
    let url = postgres.url();
    let [one, two] = [machine(), machine()];
    one.ingest();
    one.write("rag.toml", "");
    let ask = [ASK, &["--session", "work"]].concat();
    let record = [("RAG_ANALYTICS_RECORD", "all"), ("RAG_MAX_WORKERS", "1")];
    let local =
        |sandbox: &Sandbox, args: &[&str]| Run::of(sandbox.command(args).envs(record)).ok().json();
    local(&one, &ask);
    local(&one, &["ask", "And what do they eat?", "--session", "work", "--json"]);
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let sessions = Sessions::open(&one.data().join("sessions"), 1_000_000).unwrap();
    sessions.rename("work", "About bees", i64::try_from(now).unwrap()).unwrap();
    drop(sessions);
    let secret = local(&one, &["token", "add", "ada", "--json"])["token"].clone();
    assert!(secret.as_str().unwrap().starts_with("rag_"));
    let shown = |sandbox: &Sandbox, url: Option<&str>, args: &[&str]| {
        let mut command = sandbox.command(args);
        if let Some(url) = url {
            command.env("RAG_LEDGER_URL", url);
        }
        Run::of(&mut command).ok().json()
    };
    let everything = |sandbox: &Sandbox, url: Option<&str>| {
        let ids = |list: &Value| -> Vec<Value> {
            let all = list.as_array().unwrap().iter();
            all.map(|job| serde_json::json!([job["id"], job["state"], job["ended"]])).collect()
        };
        let jobs = shown(sandbox, url, &["jobs", "list", "--json"]);
        let stats = shown(sandbox, url, &["stats", "--json"]);
        (
            ids(&jobs["jobs"]),
            shown(sandbox, url, &["sessions", "show", "work", "--json"])["turns"].clone(),
            shown(sandbox, url, &["sessions", "list", "--json"])["sessions"][0]["title"].clone(),
            shown(sandbox, url, &["token", "list", "--json"]),
            (stats["questions"].clone(), stats["top"].clone()),
        )
    };
    let before = everything(&one, None);
    assert_eq!(before.1.as_array().unwrap().len(), 2, "{before:?}");
    assert_eq!((&before.2, &before.4.0), (&"About bees".into(), &2.into()), "{before:?}");
    let copied = |report: &Value, what: &str| {
        ["jobs", "sessions", "tokens", "records"]
            .map(|name| report[what][name]["copied"].as_u64().unwrap())
    };
    let first = rag(&one, &url, &["migrate", "--import", "--json"]).ok().json();
    assert_eq!(copied(&first, "imported"), [1, 1, 1, 2], "{first}");
    // Again: nothing is doubled.
    let again = rag(&one, &url, &["migrate", "--import", "--json"]).ok().json();
    assert_eq!(copied(&again, "imported"), [0, 1, 0, 0], "{again}");
    assert_eq!(everything(&two, Some(&url)), before);
    let back = rag(&two, &url, &["migrate", "--export", "--json"]).ok().json();
    assert_eq!(copied(&back, "exported"), [1, 1, 1, 2], "{back}");
    assert_eq!(everything(&two, None), before);
    rag(&two, &url, &["migrate", "--export"]).ok().prints("tokens: 0 copied, 1 skipped");

    rag(&one, &url, &["migrate", "--import", "--export"]).exits(2);
}

/// The end of a job is posted by one server; another takes over when that one is gone.
#[test]
fn a_delivery_has_one_holder_at_a_time() {
    use rag::jobs::{Delivery, Turn};
    let Some(postgres) = migrated(&[]) else { return };
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (jobs(&postgres, dir.path()), jobs(&postgres, dir.path()));
    let id = one.submit(spec("a"), 10).unwrap();
    let of = |holder| Delivery { job: &id, ended_ms: 20, address: "https://x/hook", holder };
    let claim = |all: &Jobs, delivery: Delivery<'_>| all.claim_delivery(&delivery).unwrap();
    assert_eq!(claim(&one, of("one")), Turn::Ours);
    assert_eq!(claim(&two, of("two")), Turn::Theirs);
    assert_eq!(claim(&one, of("one")), Turn::Ours, "a lost reply");
    let expire = "UPDATE rag_deliveries SET until = now() - interval '1 s'";
    postgres.client().execute(expire, &[]).unwrap();
    assert_eq!(claim(&two, of("two")), Turn::Ours);
    assert_eq!(claim(&one, of("one")), Turn::Theirs);
    two.end_delivery(&of("two")).unwrap();
    postgres.client().execute(expire, &[]).unwrap();
    assert_eq!(claim(&one, of("one")), Turn::Over);
    // Another address, and another end of the same job.
    let other = Delivery { address: "https://y/hook", ..of("one") };
    assert_eq!(claim(&one, other), Turn::Ours);
    assert_eq!(claim(&one, Delivery { ended_ms: 30, ..of("one") }), Turn::Ours);
    // A job that is gone needs none.
    let gone = Delivery { job: "0000", ..of("one") };
    assert_eq!(claim(&one, gone), Turn::Over);
}

/// One ingest is embedded by two machines, and is what one machine makes, also when the other one
/// dies.
#[test]
fn an_ingest_is_divided_among_machines() {
    let Some(postgres) = migrated(&[]) else { return };
    let url = postgres.url();
    // Counts the texts that others embedded.
    for sql in [
        "CREATE TABLE returned (n integer)",
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO returned \
         VALUES (jsonb_array_length(NEW.vectors)); RETURN NEW; END'",
        "CREATE TRIGGER note AFTER UPDATE OF vectors ON rag_batches FOR EACH ROW \
         EXECUTE FUNCTION note()",
    ] {
        postgres.client().execute(sql, &[]).unwrap();
    }
    let returned = || count(&postgres, "SELECT coalesce(sum(n), 0)::bigint FROM returned");
    let claimed =
        || count(&postgres, "SELECT count(*) FROM rag_batches WHERE lease_until IS NOT NULL") > 0;
    let alone = Sandbox::new();
    let documents = |sandbox: &Sandbox| {
        for n in 0..if thorough() { 8000 } else { 700 } {
            write_old(sandbox, &format!("docs/{n}.md"), harbour(n));
        }
    };
    documents(&alone);
    let ingest = ["ingest", "--dir", "docs", "--json"];
    let expected = alone.rag(ingest).ok().json();
    let vectors = |sandbox: &Sandbox| -> BTreeMap<String, Vec<u8>> {
        let dir = sandbox.path().join("data/indexes");
        let files = files_below(&dir).into_iter().filter(|path| path.contains("/vectors-"));
        files.map(|path| (path.clone(), std::fs::read(dir.join(path)).unwrap())).collect()
    };
    let bytes = vectors(&alone);
    assert!(!bytes.is_empty());
    let search = ["search", "boats that carry sailors", "-k", "20", "--json"];
    let hits = alone.rag(search).ok().json()["hits"].clone();

    let helper = Sandbox::new();
    for dies in [false, true] {
        let one = Sandbox::new();
        documents(&one);
        let mut worker = Some(Worker::start(&helper, &url));
        let before = returned();
        let mut command = one.command(ingest);
        command.env("RAG_LEDGER_URL", &url).env("RAG_THREADS", "1").stdout(Stdio::piped());
        let running = command.spawn().unwrap();
        // It waits until the other machine has a batch, which may take longer than its own work.
        let process = rustix::process::Pid::from_child(&running);
        let send = |signal| rustix::process::kill_process(process, signal).unwrap();
        until("a batch is offered", || count(&postgres, "SELECT count(*) FROM rag_batches") > 0);
        send(rustix::process::Signal::STOP);
        until("a batch is claimed", claimed);
        if dies {
            worker = None;
        } else {
            until("a batch is returned", || returned() > before);
        }
        send(rustix::process::Signal::CONT);
        let output = running.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["corpus_id"], expected["corpus_id"]);
        assert_eq!(report["chunks"], expected["chunks"]);
        assert_eq!(vectors(&one), bytes, "the same vectors, byte by byte");
        let found = rag(&one, &url, &search).ok().json();
        assert_eq!(found["hits"], hits, "the same scores");
        assert_eq!(count(&postgres, "SELECT count(*) FROM rag_batches"), 0, "nothing is left");
        eprintln!("{} of {} texts by the other machine", returned() - before, report["chunks"]);
        drop(worker);
    }
}

/// A worker and all that it starts; dropping kills them.
struct Worker(Child);

impl Worker {
    fn start(sandbox: &Sandbox, url: &str) -> Self {
        use std::os::unix::process::CommandExt as _;
        let mut command = sandbox.command(["worker"]);
        command.env("RAG_LEDGER_URL", url).env("RAG_THREADS", "1").process_group(0);
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let group = rustix::process::Pid::from_child(&self.0);
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        let _ = self.0.wait();
    }
}
