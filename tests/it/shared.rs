//! The cache that servers share: two machines with one Redis, and a Redis that is lost, wrong,
//! full, slow, encrypted, or replaced by its Sentinels.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::fixtures::topics;
use crate::support::services::{Redis, Resp, free_port, has_program};
use crate::support::{Run, Sandbox};

/// Longer than any failover here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Machines with the same documents.
fn machines<const N: usize>() -> [Sandbox; N] {
    std::array::from_fn(|_| {
        let sandbox = Sandbox::new();
        topics(&sandbox);
        sandbox
    })
}

fn rag(sandbox: &Sandbox, url: &str, args: &[&str]) -> Run {
    rag_with(sandbox, &[("RAG_SHARED_URL", url)], args)
}

fn rag_with(sandbox: &Sandbox, env: &[(&str, &str)], args: &[&str]) -> Run {
    Run::of(sandbox.command(args).envs(env.iter().copied()))
}

fn shared_stats(sandbox: &Sandbox, url: &str) -> Value {
    rag(sandbox, url, &["cache", "stats", "--json"]).ok().json()["shared"].clone()
}

const INGEST: &[&str] = &["ingest", "--dir", "docs", "--json"];
const ASK: &[&str] = &["ask", "What do bees make?", "--json"];

#[test]
fn what_one_machine_computed_another_finds() {
    let Some(redis) = Redis::start(&[]) else { return };
    let [one, two] = machines();
    let url = redis.url();
    let first = rag(&one, &url, INGEST).ok().json();
    assert_eq!(first["cache"]["misses"], 6, "{first}");
    let second = rag(&two, &url, INGEST).ok().json();
    assert_eq!((&second["cache"]["hits"], &second["cache"]["misses"]), (&6.into(), &0.into()));
    assert_eq!(first["corpus_id"], second["corpus_id"]);

    let answer = rag(&one, &url, ASK).ok().json();
    let other = rag(&two, &url, ASK).ok().json();
    assert_eq!(other["cache"]["retrieval_hit"], true, "{other}");
    assert_eq!(other["cache"]["answer_hit"], true, "{other}");
    assert_eq!((&answer["answer"], &answer["citations"]), (&other["answer"], &other["citations"]));

    // What came from Redis is kept: without it, the second machine still has everything.
    drop(redis);
    let kept = rag(&two, &url, ASK).ok().json();
    assert_eq!((&kept["cache"]["answer_hit"], &kept["answer"]), (&true.into(), &answer["answer"]));
}

#[test]
fn statistics_cover_all_machines() {
    let Some(redis) = Redis::start(&[]) else { return };
    let [one, two] = machines();
    for sandbox in [&one, &two] {
        rag(sandbox, &redis.url(), INGEST).ok();
    }
    let stats = shared_stats(&two, &redis.url());
    let table = &stats["tables"]["embeddings"];
    assert_eq!(stats["status"], "ok");
    assert_eq!(
        (&table["hits"], &table["misses"], &table["sets"]),
        (&6.into(), &6.into(), &6.into())
    );
    assert_eq!((&table["hit_rate"], &table["ttl_seconds"]), (&0.5.into(), &3600.into()));
    assert!(stats["memory_bytes"].as_u64().unwrap() > 1 << 16);
    let shown = rag(&one, &redis.url(), &["cache", "stats"]).ok();
    shown.prints("shared by all servers").prints("50.0 %");
    // Rows expire by themselves.
    for key in redis.keys("rag:embeddings:*") {
        let Resp::Int(seconds) = redis.command(&["TTL", &key]) else { panic!("no lifetime") };
        assert!((3000..=3600).contains(&seconds), "{seconds}");
    }
    assert!(rag(&one, "redis://127.0.0.1:1", &["cache", "stats"]).ok().stderr.contains("refused"));
}

/// Without a usable Redis everything works, and gives what it gives without one.
#[test]
fn a_spoiled_store_is_a_miss_that_is_counted() {
    let Some(redis) = Redis::start(&[]) else { return };
    let [model] = machines();
    model.rag(INGEST).ok();
    let expected = model.rag(ASK).ok().json();
    let spoil_all = |spoil: &dyn Fn(&str)| redis.keys("rag:*:*").iter().for_each(|key| spoil(key));
    let set = |key: &str, bytes: &[u8]| {
        redis.command_bytes(&[b"SET", key.as_bytes(), bytes]);
    };
    let get = |key: &str| match redis.command(&["GET", key]) {
        Resp::Text(bytes) => bytes,
        other => panic!("{key}: {other:?}"),
    };
    let cases: [(&str, &dyn Fn(), Option<&str>); 6] = [
        ("flushed", &|| drop(redis.command(&["FLUSHALL"])), None),
        (
            "wrong type",
            &|| {
                spoil_all(&|key| {
                    redis.command(&["DEL", key]);
                    redis.command(&["LPUSH", key, "x"]);
                });
            },
            Some("errors"),
        ),
        (
            "a flipped byte",
            &|| {
                spoil_all(&|key| {
                    let mut bytes = get(key);
                    *bytes.last_mut().unwrap() ^= 1;
                    set(key, &bytes);
                });
            },
            Some("damaged"),
        ),
        ("cut short", &|| spoil_all(&|key| set(key, &get(key)[..9])), Some("damaged")),
        (
            "rows of each other",
            &|| {
                let keys = redis.keys("rag:embeddings:*");
                let first = get(&keys[0]);
                keys[1..].iter().for_each(|key| set(key, &first));
            },
            Some("damaged"),
        ),
        (
            "full",
            &|| {
                redis.command(&["FLUSHALL"]);
                redis.command(&["CONFIG", "SET", "maxmemory", "1"]);
            },
            None,
        ),
    ];
    for (name, spoil, counted) in cases {
        redis.command(&["FLUSHALL"]);
        let [one, two] = machines();
        rag(&one, &redis.url(), INGEST).ok();
        spoil();
        let report = rag(&two, &redis.url(), INGEST).ok().json();
        let answer = rag(&two, &redis.url(), ASK).ok().json();
        assert_eq!(answer["answer"], expected["answer"], "{name}");
        assert_eq!(answer["citations"], expected["citations"], "{name}");
        assert!(report["cache"]["misses"].as_u64().unwrap() >= 5, "{name}: {report}");
        if let Some(counted) = counted {
            let stats = shared_stats(&two, &redis.url());
            let n = stats["tables"]["embeddings"][counted].as_u64().unwrap();
            assert!(n >= 5, "{name}: {stats}");
            // The rows were replaced by good ones.
            let [three] = machines();
            let report = rag(&three, &redis.url(), INGEST).ok().json();
            assert_eq!(report["cache"]["misses"], 0, "{name}: {report}");
        }
    }
    // A full store refuses what it is given, and that is counted once there is room again.
    redis.command(&["CONFIG", "SET", "maxmemory", "0"]);
    assert!(redis.keys("rag:embeddings:*").is_empty());
}

#[test]
fn a_store_that_is_gone_or_hangs_costs_a_bounded_time_and_no_result() {
    let Some(redis) = Redis::start(&[]) else { return };
    let [sandbox] = machines();
    sandbox.rag(INGEST).ok();
    let expected = sandbox.rag(ASK).ok().json();
    let refused = format!("redis://127.0.0.1:{}", free_port());
    // It accepts connections and says nothing for a minute.
    redis.command(&["CLIENT", "PAUSE", "60000", "ALL"]);
    for url in [refused.as_str(), &redis.url()] {
        let again = rag(&sandbox, url, &[ASK, &["--refresh"]].concat()).ok().json();
        assert_eq!(again["answer"], expected["answer"], "{url}");
        rag(&sandbox, url, &["doctor"]).exits(1).prints("BAD  shared").prints("shared.url");
        // A purge must not claim what it did not do.
        rag(&sandbox, url, &["cache", "purge", "all"]).exits(7).says("shared cache is not emptied");
        let stats = shared_stats(&sandbox, url);
        assert_eq!(stats["status"], "failed", "{stats}");
    }
}

#[test]
fn a_purge_reaches_every_machine() {
    let Some(redis) = Redis::start(&[]) else { return };
    let [one, two] = machines();
    for sandbox in [&one, &two] {
        rag(sandbox, &redis.url(), INGEST).ok();
        rag(sandbox, &redis.url(), ASK).ok();
    }
    let purged = rag(&one, &redis.url(), &["cache", "purge", "all", "--json"]).ok().json();
    assert_eq!(purged["purged"]["embeddings"]["shared"], redis_count(&purged), "{purged}");
    for table in ["embeddings", "retrieval", "answers"] {
        assert!(purged["purged"][table]["shared"].as_u64() > Some(0), "{purged}");
        assert_eq!(redis.keys(&format!("rag:{table}:*")), [""; 0], "{table}");
    }
    let answer = rag(&two, &redis.url(), ASK).ok().json();
    assert_eq!(answer["cache"]["answer_hit"], false, "its file is emptied too: {answer}");
    // And only once.
    assert_eq!(rag(&two, &redis.url(), ASK).ok().json()["cache"]["answer_hit"], true);
    // A machine that joins later loses nothing.
    let [three] = machines();
    three.rag(INGEST).ok();
    assert_eq!(rag(&three, &redis.url(), INGEST).ok().json()["committed"], false);
    let rows = rag(&three, &redis.url(), &["cache", "stats", "--json"]).ok().json();
    assert_eq!(rows["tables"]["embeddings"]["count"], 6);
}

/// Rows are chosen by what they were made from, in Redis and in the file of every machine.
#[test]
fn a_purge_of_selected_rows_reaches_every_machine() {
    let Some(redis) = Redis::start(&[]) else { return };
    let [one, two] = machines();
    let url = redis.url();
    // The path of the hit, and whether the ranking came from the cache. Whether the answer is good
    // does not matter here.
    let ask = |sandbox: &Sandbox, question: &str| {
        let args = ["ask", question, "-k", "1", "--mode", "lexical", "--json"];
        let answer = rag(sandbox, &url, &args).json();
        (answer["citations"][0]["path"].clone(), answer["cache"]["retrieval_hit"] == true)
    };
    let questions = [("What do bees make?", "bees.md"), ("tides of the moon", "tides.md")];
    for sandbox in [&one, &two] {
        rag(sandbox, &url, INGEST).ok();
        for (question, path) in questions {
            assert_eq!(ask(sandbox, question).0, path);
        }
    }
    let cached = |sandbox: &Sandbox| questions.map(|(question, _)| ask(sandbox, question).1);
    assert_eq!((cached(&one), cached(&two)), ([true; 2], [true; 2]));
    let rows = redis.keys("rag:retrieval:*").len();
    let purge = |args: &[&str]| {
        let purged = rag(&one, &url, &[&["cache", "purge", "--json"], args].concat()).ok().json();
        let retrieval = &purged["purged"]["retrieval"];
        [&retrieval["count"], &retrieval["shared"]].map(|n| n.as_u64().expect("a number"))
    };
    assert_eq!(purge(&["--tag", "docs/none.md"]), [0, 0]);
    assert_eq!(purge(&["--domain", "example.org"]), [0, 0]);
    assert_eq!(purge(&["--tag", "docs/bees.md"]), [1, 1]);
    assert_eq!(redis.keys("rag:retrieval:*").len(), rows - 1);
    // The other machine has the row in its file, which follows; the other row stays everywhere.
    assert_eq!((cached(&two), cached(&one)), ([false, true], [true, true]));
    // And only once.
    assert_eq!((cached(&two), cached(&one)), ([true; 2], [true; 2]));

    // The log of purges is lost, with one that the other machine has not seen: it empties its
    // tables.
    let gone = rag(&one, &url, &["cache", "purge", "retrieval", "--tag", "default", "--json"]);
    assert_eq!(gone.ok().json()["purged"]["retrieval"]["count"], 2);
    redis.command(&["FLUSHALL"]);
    assert_eq!(purge(&["--tag", "no such index"]), [0, 0]);
    assert_eq!(cached(&two), [false; 2]);
    // A machine that joins later loses nothing.
    let [three] = machines();
    three.rag(INGEST).ok();
    for _ in 0..2 {
        cached(&three);
    }
    assert_eq!(cached(&three), [true; 2]);
}

/// Without hints too, a server that runs follows within the time of a look.
#[cfg(feature = "serve")]
#[test]
fn a_running_server_follows_a_purge_of_selected_rows() {
    use crate::support::server::Server;
    let Some(redis) = Redis::start(&[]) else { return };
    let [one, two] = machines();
    let url = redis.url();
    rag(&one, &url, INGEST).ok();
    rag(&two, &url, INGEST).ok();
    let server = Server::start(&two, &[("RAG_SHARED_URL", &url)]);
    let is_cached = || {
        let body = r#"{"query": "What do bees make?"}"#;
        let reply = server.request("POST", "/ask", &[], body);
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.json()["cache"]["answer_hit"] == true
    };
    assert!(!is_cached());
    assert!(is_cached());
    rag(&one, &url, &["cache", "purge", "--tag", "default"]).ok();
    let start = Instant::now();
    while is_cached() {
        assert!(start.elapsed() < PATIENCE);
        std::thread::park_timeout(Duration::from_millis(50));
    }
    server.stop();
}

/// The rows that a purge reports, here and there, agree.
fn redis_count(purged: &Value) -> Value {
    purged["purged"]["embeddings"]["count"].clone()
}

#[test]
fn a_password_is_needed_and_never_shown() {
    let Some(redis) = Redis::start(&["--requirepass", "s3cret pass"]) else { return };
    let [sandbox] = machines();
    sandbox.rag(INGEST).ok();
    let port = redis.port.to_string();
    // As other programs name it.
    let env =
        [("REDIS_HOST", "127.0.0.1"), ("REDIS_PORT", &*port), ("REDIS_PASSWORD", "s3cret pass")];
    for args in [&["doctor", "-v"][..], &["doctor", "--json"], &["cache", "stats"]] {
        let run = rag_with(&sandbox, &env, args).ok();
        assert!(!format!("{run}").split("--- exit").nth(1).unwrap().contains("s3cret"), "{run}");
    }
    let shown = rag_with(&sandbox, &env, &["doctor", "-v"]).ok();
    shown.prints("ok   shared   Redis").prints("(set)@127.0.0.1").prints("environment REDIS_HOST");
    for url in [redis.url(), format!("redis://:wrong@127.0.0.1:{port}")] {
        let run = rag(&sandbox, &url, &["doctor"]).exits(1).prints("BAD  shared");
        assert!(!run.stdout.contains("wrong@"), "{run}");
        rag(&sandbox, &url, ASK).ok();
    }
    // Kubernetes sets this for every service called `redis`; alone it means nothing.
    let injected = [("REDIS_PORT", "tcp://10.0.0.1:6379")];
    rag_with(&sandbox, &injected, &["doctor"]).ok().prints("--   shared");
}

#[test]
fn a_project_file_cannot_name_a_store() {
    for line in [
        "shared.url = \"redis://evil.example\"",
        "shared.sentinels = [\"evil.example:26379\"]",
        "shared.ca_file = \"evil.pem\"",
        "shared.prefix = \"other\"",
    ] {
        let sandbox = Sandbox::new();
        sandbox.write("rag.toml", line);
        sandbox.rag(["doctor"]).exits(2).says("a project file must not set `shared.");
    }
    let sandbox = Sandbox::new();
    for (url, why) in [
        ("http://127.0.0.1", "must begin with redis:// or rediss://"),
        ("redis://", "the host"),
        ("redis://:hunter2@127.0.0.1/x", "Redis"),
    ] {
        let run = rag(&sandbox, url, &["doctor"]).exits(2).says(why);
        assert!(!run.stderr.contains("hunter2"), "{run}");
    }
    rag_with(&sandbox, &[("RAG_SHARED_SENTINELS", "localhost")], &["doctor"]).exits(2).says("port");
}

#[test]
fn a_connection_is_encrypted_and_the_certificate_checked() {
    if !has_program("openssl", "openssl") {
        return;
    }
    let [sandbox] = machines();
    let at = |name: &str| sandbox.path().join(name).to_str().unwrap().to_owned();
    let openssl = |args: &[&str]| {
        let run = Run::of(Command::new("openssl").args(args));
        assert_eq!(run.code, Some(0), "{run}");
    };
    let subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
    let ends = ["-addext", "basicConstraints=critical,CA:FALSE"];
    openssl(
        &[
            &["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"][..],
            &["-nodes", "-days", "1", "-keyout", &at("key.pem"), "-out", &at("cert.pem")],
            &subject,
            &ends,
        ]
        .concat(),
    );
    openssl(
        &[
            &["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"][..],
            &["-nodes", "-days", "1", "-keyout", &at("k2.pem"), "-out", &at("other.pem")],
            &subject,
            &ends,
        ]
        .concat(),
    );
    let tls_port = free_port().to_string();
    let args = [
        "--tls-port",
        &tls_port,
        "--tls-cert-file",
        &at("cert.pem"),
        "--tls-key-file",
        &at("key.pem"),
        "--tls-auth-clients",
        "no",
        "--tls-ca-cert-file",
        &at("cert.pem"),
    ];
    let Some(_redis) = Redis::start(&args) else { return };
    let url = format!("rediss://127.0.0.1:{tls_port}");
    let with = |ca: &str, args: &[&str]| {
        rag_with(&sandbox, &[("RAG_SHARED_URL", &url), ("RAG_SHARED_CA_FILE", &at(ca))], args)
    };
    sandbox.rag(INGEST).ok();
    with("cert.pem", &["doctor"]).ok().prints("ok   shared");
    with("other.pem", &["doctor"]).exits(1).prints("BAD  shared");
    with("other.pem", ASK).ok();
    with("absent.pem", ASK).exits(2).says("shared.ca_file").says("no such file");
}

/// The master dies; the Sentinels promote its replica, which has the rows.
#[test]
fn sentinels_name_the_new_master() {
    if !has_program("redis-sentinel", "redis-sentinel") {
        return;
    }
    let Some(mut master) = Redis::start(&[]) else { return };
    let master_port = master.port.to_string();
    let replica = Redis::start(&["--replicaof", "127.0.0.1", &master_port]).unwrap();
    let [one, two] = machines();
    let config = format!(
        "sentinel monitor mymaster 127.0.0.1 {master_port} 1\n\
         sentinel down-after-milliseconds mymaster 500\n\
         sentinel failover-timeout mymaster 2000\n"
    );
    let path = one.write("sentinel.conf", config);
    let sentinel = Redis::start(&[path.to_str().unwrap(), "--sentinel"]);
    let sentinel = sentinel.expect("a Sentinel");
    let sentinels = format!("127.0.0.1:1,127.0.0.1:{}", sentinel.port);
    // The host is not asked: only the Sentinels know the master.
    let env = [("RAG_SHARED_URL", "redis://localhost:1"), ("RAG_SHARED_SENTINELS", &*sentinels)];
    rag_with(&one, &env, INGEST).ok();
    until("the replica has the rows", || replica.keys("rag:embeddings:*").len() == 6);
    master.kill();
    let start = Instant::now();
    until("the replica is the master", || {
        let role = replica.command(&["ROLE"]);
        matches!(role, Resp::List(parts) if parts.first() == Some(&Resp::Text(b"master".to_vec())))
    });
    println!("promoted after {:.1} s", start.elapsed().as_secs_f64());
    let port = Resp::Text(replica.port.to_string().into_bytes());
    until("the Sentinel names it", || {
        let master = sentinel.command(&["SENTINEL", "get-master-addr-by-name", "mymaster"]);
        matches!(master, Resp::List(parts) if parts.get(1) == Some(&port))
    });
    let report = rag_with(&two, &env, INGEST).ok().json();
    assert_eq!(report["cache"]["hits"], 6, "{report}");
    rag_with(&two, &env, &["doctor"]).ok().prints("of the Sentinels");
}

/// Ten machines ask one cold question at once: its vector is computed once.
#[test]
fn a_cold_question_is_embedded_once() {
    let Some(redis) = Redis::start(&[]) else { return };
    let all: [Sandbox; 10] = machines();
    let url = redis.url();
    for sandbox in &all {
        rag(sandbox, &url, INGEST).ok();
    }
    let sets = |url: &str| {
        let tables = &shared_stats(&all[0], url)["tables"];
        tables["embeddings"]["sets"].as_u64().unwrap()
    };
    let before = sets(&url);
    let children: Vec<_> = all
        .iter()
        .map(|sandbox| {
            // The answer would embed sentences too.
            let mut command = sandbox.command(["search", "where is honey kept", "--json"]);
            command.env("RAG_SHARED_URL", &url).env("RAG_SHARED_TIMEOUT_MS", "5000");
            command.stdout(std::process::Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let hits: Vec<Value> = children
        .into_iter()
        .map(|child| {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success());
            serde_json::from_slice::<Value>(&output.stdout).unwrap()["hits"].clone()
        })
        .collect();
    assert!(hits.windows(2).all(|pair| pair[0] == pair[1]), "equal rankings");
    assert_eq!(sets(&url) - before, 1, "one run of the model");
    assert_eq!(redis.keys("rag:lease:*"), [""; 0], "no lease is left");
}

/// A server that stopped past its lease: its late value is refused, and the question is answered.
#[test]
fn a_late_holder_is_refused_and_nobody_waits_for_a_dead_one() {
    use rag::cache::{Cache, Claim, Key, Table};
    use rag::config::{Layer, Layers};
    use rag::shared::{Shared, Use};
    let Some(redis) = Redis::start(&[]) else { return };
    let settings = settings(&redis.url());
    let layer = Layer { ttl_s: 0, budget_bytes: 1 << 30 };
    let layers = Layers { embeddings: layer, retrieval: layer, rerank: layer, answers: layer };
    let dirs: [tempfile::TempDir; 3] = std::array::from_fn(|_| tempfile::tempdir().unwrap());
    let [one, two, three] = dirs.each_ref().map(|dir| {
        let shared = Shared::open(&settings, Use::Cache).unwrap();
        Cache::open(dir.path(), layers).with_shared(&shared, &settings)
    });
    let key = Key::embedding("m", "query", "cold");
    let claim = |cache: &Cache, ms: u64| {
        cache.claim(Table::Embeddings, &key, Duration::from_millis(ms), &|| false)
    };
    let vector = |x: f32| [x, 0.0].iter().flat_map(|x: &f32| x.to_le_bytes()).collect::<Vec<u8>>();
    let find = |cache: &Cache| cache.embedding(&key, "m", 2, 7).map(|vector| vector.to_bytes());
    // The first holder says nothing for longer than its lease.
    let Claim::Compute(stopped) = claim(&one, 50) else { panic!("somebody has it") };
    let start = Instant::now();
    let Claim::Compute(second) = claim(&two, 20_000) else { panic!("somebody has it") };
    assert!(start.elapsed() < Duration::from_secs(20), "the lease ends by itself");
    one.put_claimed(stopped, (Table::Embeddings, key), "m", vector(-1.0), 7);
    assert_eq!(find(&three), None, "the late value is refused");
    two.put_claimed(second, (Table::Embeddings, key), "m", vector(1.0), 7);
    assert_eq!(find(&three), Some(vector(1.0)));
    assert!(matches!(claim(&three, 50), Claim::Computed));

    // What is no lease is waited for by no server.
    redis.command(&["FLUSHALL"]);
    let Claim::Compute(_held) = claim(&one, 20_000) else { panic!("it is free") };
    let keys = redis.keys("rag:lease:*");
    redis.command(&["DEL", &keys[0]]);
    redis.command(&["LPUSH", &keys[0], "x"]);
    let start = Instant::now();
    assert!(matches!(claim(&two, 3_600_000), Claim::Compute(_)));
    assert!(start.elapsed() < PATIENCE);
}

fn settings(url: &str) -> rag::config::SharedStore {
    let second = Duration::from_secs(1);
    rag::config::SharedStore {
        url: Some(rag::config::Secret::new(url)),
        sentinels: Vec::new(),
        master: "mymaster".into(),
        ca_file: None,
        prefix: "rag".into(),
        cache_database: None,
        session_database: None,
        pool: 50,
        connect_timeout: second,
        timeout: second,
        ttl_s: 3600,
        embeddings_ttl_s: 3600,
        rerank_ttl_s: 3600,
        max_bytes: 0,
    }
}

#[test]
fn a_conversation_continues_on_another_machine() {
    let Some(redis) = Redis::start(&[]) else { return };
    let [one, two] = machines();
    for sandbox in [&one, &two] {
        sandbox.rag(INGEST).ok();
    }
    let url = redis.url();
    let ask = |sandbox: &Sandbox, question: &str| {
        let env = [
            ("RAG_SHARED_URL", &*url),
            ("RAG_SHARED_SESSION_DATABASE", "3"),
            ("SESSION_TTL_SECONDS", "500"),
        ];
        rag_with(sandbox, &env, &["ask", question, "--session", "work", "--json"]).json()
    };
    ask(&one, "What do bees make?");
    ask(&two, "And what else do bees make?");
    let env = [("RAG_SHARED_URL", &*url), ("RAG_SHARED_SESSION_DATABASE", "3")];
    let shown = rag_with(&one, &env, &["sessions", "show", "work", "--json"]).ok().json();
    assert_eq!(shown["turns"].as_array().unwrap().len(), 2, "{shown}");
    assert!(redis.keys("rag:session:*").is_empty(), "they are in another database");
    let Resp::Text(info) = redis.command(&["INFO", "keyspace"]) else { panic!("no text") };
    let info = String::from_utf8_lossy(&info).into_owned();
    assert!(info.contains("db3:keys=2,expires=1"), "{info}");
    let list = rag_with(&two, &env, &["sessions", "list", "--json"]).ok().json();
    assert_eq!(list["sessions"][0]["turns"], 2, "{list}");
    rag_with(&two, &env, &["sessions", "remove", "work", "--yes"]).ok();
    rag_with(&one, &env, &["sessions", "show", "work"]).exits(2).says("no session `work`");
    // Without Redis: a reason, and questions without a session.
    drop(redis);
    rag_with(&one, &env, &[ASK, &["--session", "s"]].concat()).exits(7).says("Redis");
    rag_with(&one, &env, ASK).ok();
}

#[test]
fn two_holders_of_a_session_never_mix() {
    use rag::sessions::{Sessions, Turn};
    use rag::shared::{Shared, Use};
    let Some(redis) = Redis::start(&[]) else { return };
    let sessions = || {
        let shared = Shared::open(&settings(&redis.url()), Use::Sessions).unwrap();
        Sessions::in_redis(std::sync::Arc::clone(shared.redis().unwrap()), 1000)
    };
    let turn = |question: &str| Turn { at: 100, question: question.into(), ..Turn::default() };
    let (one, two) = (sessions(), sessions());
    let mut held = one.begin_now("s", 100).unwrap();
    held.add(turn("a")).unwrap();
    assert_eq!(two.begin_now("s", 100).err().unwrap().kind(), rag::error::Kind::Busy);
    redis.command(&["DEL", "rag:session-lease:s"]);
    let mut other = two.begin_now("s", 101).unwrap();
    assert_eq!(held.add(turn("late")).unwrap_err().kind(), rag::error::Kind::Busy);
    other.add(turn("b")).unwrap();
    drop(other);
    assert_eq!(held.add(turn("later")).unwrap_err().kind(), rag::error::Kind::Busy);
    drop(held);
    let shown = two.show("s", 200).unwrap();
    assert_eq!(shown, [turn("a"), turn("b")]);
    two.issue("new").unwrap();
    assert!(one.is_issued("new").unwrap() && one.forget_issued("new").unwrap());
    // A damaged turn is named.
    redis.command(&["LSET", "rag:session:s", "0", "x"]);
    assert_eq!(one.show("s", 200).unwrap_err().kind(), rag::error::Kind::Damaged);
    assert_eq!(one.remove_all().unwrap(), 1);
}

#[cfg(feature = "serve")]
#[test]
fn servers_limit_and_continue_together() {
    use crate::support::server::Server;
    let Some(redis) = Redis::start(&[]) else { return };
    let all: [Sandbox; 2] = machines();
    all.iter().for_each(|sandbox| drop(sandbox.rag(INGEST).ok()));
    let url = redis.url();
    let env = [
        ("RAG_SHARED_URL", &*url),
        ("RAG_SERVE_QUOTA_PER_DAY", "14"),
        ("RAG_SHARED_TIMEOUT_MS", "2000"),
    ];
    let servers = all.each_ref().map(|sandbox| Server::start(sandbox, &env));
    // A session begun on one continues on the other.
    let begun = servers[0].request("POST", "/sessions", &[], "").json();
    let id = begun["id"].as_str().unwrap().to_owned();
    for (server, question) in [(1, "What do bees make?"), (0, "And where do they live?")] {
        let body = serde_json::json!({ "query": question, "session": id });
        let reply = servers[server].post("/ask", &body);
        assert_eq!(reply.status, 200, "{}", reply.body);
    }
    let shown = servers[1].get(&format!("/sessions/{id}")).json();
    assert_eq!(shown["turns"].as_array().unwrap().len(), 2, "{shown}");
    let health = servers[0].get("/health").json();
    assert_eq!(health["parts"]["shared"]["status"], "ok", "{health}");
    let metrics = servers[0].get("/metrics").body;
    assert!(metrics.contains("rag_engine_connections{engine=\"redis\""), "{metrics}");
    assert!(metrics.contains("rag_shared_cache_operations_total{table="), "{metrics}");
    // Six requests so far; eight more, whichever server they go to.
    let mut statuses = Vec::new();
    for n in 0..12 {
        statuses.push(servers[n % 2].get("/sessions").status);
    }
    assert_eq!(statuses[..8], [200; 8], "{statuses:?}");
    assert_eq!(statuses[8..], [429; 4], "{statuses:?}");
    servers.into_iter().for_each(|server| drop(server.stop()));
}

/// Asks again until it is so.
#[track_caller]
fn until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "{what}: not after {PATIENCE:?}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}
