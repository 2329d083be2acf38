//! Indexes in a bucket or a shared folder. The cases of buckets run on every store that is here.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Barrier;

use rag::config::DepotPlace;
use rag::depot::{Depot, Swap};

use crate::support::bucket::{Proxy, Store, Trouble, stores, variables};
#[cfg(feature = "serve")]
use crate::support::server::Server;
use crate::support::{Run, Sandbox};
use crate::tools::thorough;

/// Runs a case on a shared folder and on a bucket of every store that is here.
fn everywhere(name: &str, case: impl Fn(&DepotPlace)) {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("file://{}", dir.path().display());
    case(&DepotPlace { url, ..DepotPlace::default() });
    in_buckets(name, |_, place| case(place));
}

fn in_buckets(name: &str, case: impl Fn(&Store, &DepotPlace)) {
    for store in stores() {
        eprintln!("{name}: {}", store.name);
        case(store, &store.place(name));
    }
}

/// `rag` with a place.
fn at(sandbox: &Sandbox, place: &DepotPlace, args: &[&str]) -> Command {
    let mut command = sandbox.command(args);
    command.envs(variables(place).into_iter().filter(|(_, value)| !value.is_empty()));
    command
}

fn rag(sandbox: &Sandbox, place: &DepotPlace, args: &[&str]) -> Run {
    Run::of(&mut at(sandbox, place, args))
}

/// Every file below a folder, by its path.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
            // Lock files name their last holder.
            if name != ".lock" && name != ".copying" {
                found.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    found
}

#[test]
fn an_index_moves_to_a_depot_and_back_byte_by_byte() {
    let here = Sandbox::new();
    here.write("docs/bees.md", "# Bees\n\nBees make honey and wax.\n");
    here.ingest();
    here.write("docs/moon.md", "# Moon\n\nThe moon pulls the sea.\n");
    here.ingest();
    let expected = files(&here.data().join("indexes"));
    let hits = here.rag(["search", "honey", "--json"]).ok().json();
    everywhere("move", |place| {
        let pushed = rag(&here, place, &["index", "push", "--json"]).ok().json();
        let stored = Depot::open(place).unwrap().list("files/").unwrap().len();
        assert_eq!(pushed["files_copied"], stored, "a file of both generations counts once");
        let again = rag(&here, place, &["index", "push", "--json"]).ok().json();
        assert_eq!(again["files_copied"], 0, "every file is uploaded once: {again}");
        let there = Sandbox::new();
        let pulled = rag(&there, place, &["index", "pull", "--json"]).ok().json();
        assert_eq!(pulled["documents"], 2, "{pulled}");
        assert!(files(&there.data().join("indexes")) == expected, "other bytes came back");
        let found = there.rag(["search", "honey", "--json"]).ok().json();
        assert_eq!(found["hits"], hits["hits"]);
        there.rag(["index", "verify"]).ok();
        there.rag(["index", "rollback"]).ok().prints("1 document");
    });
}

#[test]
fn another_index_of_that_name_is_replaced_only_on_request() {
    let (one, two) = (Sandbox::new(), Sandbox::new());
    one.write("docs/a.md", "# Bees\n\nBees make honey.\n");
    two.write("docs/b.md", "# Moon\n\nThe moon pulls the sea.\n");
    one.ingest();
    two.ingest();
    everywhere("replace", |place| {
        rag(&one, place, &["index", "push"]).ok();
        rag(&two, place, &["index", "push"]).exits(2).says("another generation");
        rag(&two, place, &["index", "pull"]).exits(2).says("already an index");
        rag(&two, place, &["index", "pull", "--as", "theirs"]).ok().prints("index `theirs`");
        two.rag(["search", "honey", "--index", "theirs"]).ok().prints("a.md");
        rag(&two, place, &["index", "push", "--replace"]).ok();
        rag(&one, place, &["index", "pull", "--index", "nope"]).exits(1).says("there are: default");
        rag(&two, place, &["index", "remove", "--yes", "--index", "theirs"]);
    });
}

#[test]
fn damage_in_a_depot_is_named_and_never_becomes_an_index() {
    let (one, depot) = (Sandbox::new(), tempfile::tempdir().unwrap());
    one.write("docs/a.md", "# Bees\n\nBees make honey.\n");
    one.ingest();
    let to = depot.path().to_str().unwrap();
    one.rag(["index", "push", "--to", to]).ok();
    let stored = depot.path().join("files");
    for entry in std::fs::read_dir(&stored).unwrap() {
        let path = entry.unwrap().path();
        let whole = std::fs::read(&path).unwrap();
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 1;
        std::fs::write(&path, flipped).unwrap();
        let two = Sandbox::new();
        let name = path.file_name().unwrap().to_str().unwrap();
        two.rag(["index", "pull", "--from", to]).exits(5).says(name);
        assert!(two.rag(["index", "list", "--json"]).ok().json().as_array().unwrap().is_empty());
        std::fs::write(&path, whole).unwrap();
    }
    Sandbox::new().rag(["index", "pull", "--from", to]).ok();
    std::fs::write(depot.path().join("names/default.json"), "{}").unwrap();
    Sandbox::new().rag(["index", "pull", "--from", to]).exits(5).says("names/default.json");
}

#[test]
fn a_depot_is_configured_by_the_user_alone() {
    let sandbox = Sandbox::new();
    sandbox.rag(["index", "push"]).exits(2).says("depot.url");
    for (value, why) in
        [("http://x/y", "s3://"), ("s3://B", "3 to 63"), ("s3://bees/a//b", "prefix")]
    {
        let run = Run::of(sandbox.command(["index", "list"]).env("RAG_DEPOT_URL", value));
        run.exits(2).says(why);
    }
    let place = [("RAG_DEPOT_URL", "s3://bees/x"), ("RAG_DEPOT_ENDPOINT", "http://127.0.0.1:9")];
    sandbox.write("docs/a.md", "# Bees\n\nBees make honey.\n");
    sandbox.ingest();
    let run = Run::of(sandbox.command(["index", "push"]).envs(place));
    run.exits(2).says("no credentials").says("AWS_ACCESS_KEY_ID");
    sandbox.write("rag.toml", "[depot]\nurl = \"s3://bees/x\"\n");
    sandbox.rag(["index", "list"]).exits(2).says("must not set `depot.url`");
}

/// D13: one winner a round, and everybody knows whether it was he.
#[test]
fn of_twenty_that_swap_at_the_same_time_one_wins() {
    const RACERS: usize = 20;
    let n_rounds = if thorough() { 200 } else { 10 };
    everywhere("race", |place| {
        let mut places = [place.clone(), place.clone()];
        // Through another gateway, where there are two.
        let gateways = ["RAG_TEST_S3", "RAG_TEST_S3_SECOND"].map(|name| std::env::var(name).ok());
        if let [Some(first), Some(second)] = gateways
            && place.endpoint == first
        {
            places[1].endpoint = second;
        }
        let depots = places.map(|place| Depot::open(&place).unwrap());
        let mut tag = None;
        for round in 0..n_rounds {
            let start = Barrier::new(RACERS);
            let results: Vec<Swap> = std::thread::scope(|scope| {
                let racers: Vec<_> = (0..RACERS)
                    .map(|n| {
                        let (depots, tag, start) = (&depots, &tag, &start);
                        scope.spawn(move || {
                            start.wait();
                            let bytes = format!("{round} {n}");
                            depots[n % 2].swap("names/r.json", tag.as_ref(), bytes.as_bytes())
                        })
                    })
                    .collect();
                racers.into_iter().map(|racer| racer.join().unwrap().unwrap()).collect()
            });
            let winners: Vec<usize> =
                (0..RACERS).filter(|n| matches!(results[*n], Swap::Done(_))).collect();
            assert_eq!(winners.len(), 1, "round {round}: {results:?}");
            let found = depots[0].read("names/r.json").unwrap().unwrap();
            assert_eq!(found.bytes, format!("{round} {}", winners[0]).into_bytes());
            tag = Some(found.tag);
        }
    });
}

#[test]
fn a_large_file_is_sent_in_parts_and_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let (file, copy) = (dir.path().join("file"), dir.path().join("copy"));
    // Three parts, the last one short.
    let bytes: Vec<u8> = (0..(33_u32 << 20) / 4).flat_map(u32::to_le_bytes).collect();
    std::fs::write(&file, &bytes).unwrap();
    let sha256 = rag::disk::sha256_hex(&bytes);
    everywhere("large", |place| {
        let depot = Depot::open(place).unwrap();
        depot.upload("files/large", &file, &|| false).unwrap();
        assert_eq!(depot.find("files/large").unwrap().unwrap().bytes, bytes.len() as u64);
        let expected = rag::depot::Expected { bytes: bytes.len() as u64, sha256: &sha256 };
        depot.download("files/large", &copy, expected, &|| false).unwrap();
        assert!(std::fs::read(&copy).unwrap() == bytes);
        std::fs::remove_file(&copy).unwrap();
        let listed = depot.list("files/").unwrap();
        assert_eq!(listed.len(), 1, "{listed:?}");
        assert_eq!(listed[0].key, "files/large");
        depot.delete("files/large").unwrap();
        depot.delete("files/large").unwrap();
        assert_eq!(depot.find("files/large").unwrap(), None);
    });
}

#[test]
fn a_depot_compares_before_it_swaps() {
    everywhere("probe", |place| Depot::open(place).unwrap().probe().unwrap());
}

#[test]
fn a_missing_bucket_is_no_empty_one() {
    in_buckets("bucket", |_, place| {
        let place = DepotPlace { url: "s3://rag-no-such-bucket/x".to_owned(), ..place.clone() };
        let fault = Depot::open(&place).unwrap().read("names/a.json").unwrap_err();
        assert!(fault.hint_text().unwrap().contains("create the bucket"), "{fault}");
    });
}

/// D14: a store that ignores conditions is refused at first use.
#[test]
fn a_store_that_ignores_conditions_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.write("docs/a.md", "# Bees\n\nBees make honey.\n");
    in_buckets("ignore", |store, place| {
        let proxy = Proxy::new(&store.endpoint);
        proxy.set(Trouble::NoConditions, usize::MAX);
        let mut place = DepotPlace { endpoint: proxy.endpoint.clone(), ..place.clone() };
        if store.name != "moto" {
            // A signature would not fit what the proxy passes on; moto checks none.
            place.aws.push(("aws_skip_signature".to_owned(), rag::config::Secret::new("true")));
        }
        let fault = Depot::open(&place).unwrap().probe().unwrap_err();
        assert_eq!(fault.kind(), rag::error::Kind::Outside, "{fault}");
        assert!(fault.to_string().contains("ignores If-None-Match"), "{fault}");
        assert!(fault.hint_text().unwrap().contains("conditional writes"));
        proxy.set(Trouble::None, 0);
        Depot::open(&place).unwrap().probe().unwrap();
    });
}

/// D14: whatever happens to a reply, a writer knows whether its write happened.
#[test]
fn a_lost_reply_is_resolved_by_reading() {
    in_buckets("reply", |store, place| {
        let proxy = Proxy::new(&store.endpoint);
        let place = DepotPlace { endpoint: proxy.endpoint.clone(), ..place.clone() };
        let depot = Depot::open(&place).unwrap();
        let mut tag = None;
        for (n, trouble) in [Trouble::CutAfter, Trouble::Conflict, Trouble::CutBefore]
            .into_iter()
            .cycle()
            .take(9)
            .enumerate()
        {
            let bytes = format!("{n}");
            proxy.set(trouble, 1 + n / 3);
            let done = depot.swap("names/r.json", tag.as_ref(), bytes.as_bytes()).unwrap();
            let Swap::Done(new) = done else { panic!("{trouble:?} {n}: {done:?}") };
            let found = depot.read("names/r.json").unwrap().unwrap();
            assert_eq!((found.bytes, &found.tag), (bytes.into_bytes(), &new), "{trouble:?}");
            // A stale version loses through the same trouble.
            proxy.set(trouble, 1);
            assert_eq!(depot.swap("names/r.json", tag.as_ref(), b"x").unwrap(), Swap::Lost);
            tag = Some(new);
        }
    });
}

#[test]
fn an_ingest_on_one_machine_is_found_on_another() {
    everywhere("ingest", |place| {
        let (one, two) = (Sandbox::new(), Sandbox::new());
        one.write("docs/bees.md", "# Bees\n\nBees make honey.\n");
        two.write("notes/moon.md", "# Moon\n\nThe moon pulls the sea.\n");
        rag(&one, place, &["ingest", "--dir", "docs"]).ok();
        rag(&two, place, &["search", "honey"]).ok().prints("bees.md");
        rag(&two, place, &["ingest", "--dir", "notes"]).ok();
        rag(&one, place, &["search", "moon"]).ok().prints("moon.md");
        rag(&one, place, &["ask", "What does the moon pull?"]).ok().prints("moon.md");
        let listed = rag(&Sandbox::new(), place, &["index", "list", "--json"]).ok().json();
        assert_eq!(listed[0]["documents"], 2, "{listed}");
        rag(&two, place, &["documents", "remove", "bees.md", "--yes"]).ok();
        rag(&one, place, &["search", "honey", "--mode", "lexical"]).exits(3);
        rag(&one, place, &["index", "compact"]).ok();
        rag(&one, place, &["index", "gc", "--now"]).ok();
        rag(&Sandbox::new(), place, &["search", "moon"]).ok().prints("moon.md");
        rag(&two, place, &["index", "verify"]).ok();
        rag(&one, place, &["doctor"]).prints("compares before it swaps, has 1 index");
        rag(&two, place, &["index", "remove", "--yes"]).ok();
        rag(&one, place, &["search", "moon"]).exits(1).says("no index named `default`");
    });
}

/// All that ingest at the same time are found, and none has to be run again.
#[test]
fn processes_that_ingest_at_the_same_time_keep_everything() {
    const MACHINES: usize = 4;
    everywhere("processes", |place| {
        let machines: Vec<Sandbox> = (0..MACHINES).map(|_| Sandbox::new()).collect();
        let children: Vec<_> = machines
            .iter()
            .enumerate()
            .map(|(n, machine)| {
                machine.write(&format!("d{n}/page{n}.md"), format!("# Page {n}\n\nText {n}.\n"));
                let args = ["ingest", "--dir", &format!("d{n}")];
                let mut command = at(machine, place, &args);
                command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
                (command.spawn().unwrap(), format!("{command:?}"))
            })
            .collect();
        for (child, shown) in children {
            Run::from_output(&child.wait_with_output().unwrap(), shown).ok();
        }
        let listed = rag(&Sandbox::new(), place, &["documents", "list", "--json"]).ok().stdout;
        for n in 0..MACHINES {
            assert!(listed.contains(&format!("page{n}.md")), "page{n} is lost: {listed}");
        }
    });
}

/// A server goes on with its copy and says how old that is; writers stop with exit code 7.
#[cfg(feature = "serve")]
#[test]
fn a_bucket_lost_while_serving_stops_writers_only() {
    use std::time::{Duration, Instant};

    let (writer, reader) = (Sandbox::new(), Sandbox::new());
    writer.write("docs/bees.md", "# Bees\n\nBees make honey.\n");
    in_buckets("lost", |store, place| {
        let proxy = Proxy::new(&store.endpoint);
        let through = DepotPlace { endpoint: proxy.endpoint.clone(), ..place.clone() };
        rag(&writer, place, &["ingest", "--dir", "docs"]).ok();
        let mut env = variables(&through);
        env.push(("RAG_DEPOT_TIMEOUT_S", "1".to_owned()));
        let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (*name, &**value)).collect();
        let server = Server::start(&reader, &env);
        let search = |text: &str| {
            let body = serde_json::json!({ "query": text, "mode": "lexical" });
            server.post("/search", &body)
        };
        let wait = |what: &str, is_so: &dyn Fn() -> bool| {
            let begun = Instant::now();
            while !is_so() {
                std::thread::yield_now();
                assert!(begun.elapsed() < Duration::from_secs(60), "never: {what}");
            }
            begun.elapsed()
        };
        let part = |name: &str| {
            let health: serde_json::Value =
                serde_json::from_str(&server.get("/health").body).unwrap();
            health["parts"]["depot"][name].clone()
        };
        assert!(search("honey").body.contains("bees.md"));
        assert_eq!(part("status"), "ok");
        proxy.set(Trouble::Down, 0);
        wait("the server notices", &|| part("status") == "failed");
        let found = search("honey");
        assert!(found.status == 200 && found.body.contains("bees.md"), "{}", found.body);
        assert!(found.body.contains("\"index_age_s\":"), "{}", found.body);
        let mut late = at(&writer, &through, &["ingest", "--dir", "docs"]);
        Run::of(late.env("RAG_DEPOT_TIMEOUT_S", "1")).exits(7);
        let mut reads = at(&reader, &through, &["search", "honey"]);
        Run::of(reads.env("RAG_DEPOT_TIMEOUT_S", "1")).ok().says("cannot be reached");
        // It comes back, and with it what was committed meanwhile.
        writer.write("docs/moon.md", "# Moon\n\nThe moon pulls the sea.\n");
        rag(&writer, place, &["ingest", "--dir", "docs"]).ok();
        proxy.set(Trouble::None, 0);
        let back = wait("the new document is found", &|| search("moon").body.contains("moon.md"));
        wait("the server notices that it is back", &|| part("status") == "ok");
        eprintln!("{}: the new document after {} ms", store.name, back.as_millis());
        writer.write("docs/sea.md", "# Sea\n\nWaves of the ocean.\n");
        let done = Instant::now();
        rag(&writer, place, &["ingest", "--dir", "docs"]).ok();
        let ingest = done.elapsed();
        let found = wait("the next document is found", &|| search("ocean").body.contains("sea.md"));
        eprintln!(
            "{}: {} ms after an ingest of {} ms",
            store.name,
            found.as_millis(),
            ingest.as_millis()
        );
        server.stop();
        std::fs::remove_file(writer.path().join("docs/sea.md")).unwrap();
        std::fs::remove_file(writer.path().join("docs/moon.md")).unwrap();
    });
}
