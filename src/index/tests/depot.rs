//! Indexes that several machines share. Each store here is the data directory of one machine. The
//! depot is a folder, and a bucket too where `RAG_TEST_S3` names a store.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::*;
use crate::config::{DepotPlace, Secret};
use crate::depot::{Depot, Object};
use crate::error::Kind;
use crate::index::collect::Lease;
use crate::index::protocol::file_key;

static NEVER: AtomicBool = AtomicBool::new(false);

/// Runs a case on every depot that is here.
fn everywhere(name: &str, case: impl Fn(&DepotPlace)) {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("file://{}", dir.path().display());
    let grace = Duration::from_secs(3600);
    case(&DepotPlace { url, grace, ..DepotPlace::default() });
    for variable in ["RAG_TEST_S3", "RAG_TEST_MOTO"] {
        let endpoint = std::env::var(variable).unwrap_or_default();
        if endpoint.is_empty() || !cfg!(feature = "cluster") {
            eprintln!("skipped: {variable} names no store");
            continue;
        }
        let keys =
            [("aws_access_key_id", "rag-tests"), ("aws_secret_access_key", "rag-tests-secret")];
        let place = DepotPlace {
            url: format!("s3://rag-tests/{name}-{}", std::process::id()),
            endpoint,
            is_path_style: true,
            timeout: Duration::from_secs(20),
            grace,
            aws: keys.map(|(key, value)| (key.to_owned(), Secret::new(value))).to_vec(),
            ..DepotPlace::default()
        };
        Depot::open(&place).unwrap().write("made", b"").unwrap();
        case(&place);
    }
}

/// A machine.
struct Machine {
    dir: tempfile::TempDir,
    store: Store,
}

impl Machine {
    fn new(place: &DepotPlace) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path()).with_depot(place, &NEVER);
        Self { dir, store }
    }

    /// The same data directory in another process.
    fn again(&self, place: &DepotPlace) -> Store {
        Store::new(self.dir.path()).with_depot(place, &NEVER)
    }

    fn commit(&self, files: &[(&str, &str)]) -> Result<Meta> {
        let _lock = self.store.lock(Duration::ZERO, &|| false)?;
        try_commit(&self.store, "a", files)
    }

    fn paths(&self) -> Vec<String> {
        paths(&self.store)
    }
}

fn paths(store: &Store) -> Vec<String> {
    let records = store.open("a").unwrap().documents().unwrap();
    records.into_iter().map(|record| record.path).collect()
}

fn files(depot: &Depot) -> Vec<Object> {
    depot.list("files/").unwrap()
}

#[test]
fn what_one_machine_commits_others_find() {
    everywhere("commit", |place| {
        let (one, two) = (Machine::new(place), Machine::new(place));
        one.commit(&[("one", "bees make honey")]).unwrap();
        assert_eq!(two.paths(), ["one"]);
        assert_eq!(scores(&one.store, "a", "honey"), scores(&two.store, "a", "honey"));
        two.commit(&[("one", "bees make honey"), ("two", "the moon")]).unwrap();
        let seen = one.again(place);
        assert_eq!(paths(&seen), ["one", "two"]);
        assert_eq!(verify(&seen, "a").unwrap(), []);
        // Only what is new was copied.
        let lock = seen.lock(Duration::ZERO, &|| false).unwrap();
        seen.rollback("a").unwrap();
        drop(lock);
        assert_eq!(paths(&two.again(place)), ["one"]);
        let lock = seen.lock(Duration::ZERO, &|| false).unwrap();
        seen.remove("a").unwrap();
        drop(lock);
        let gone = two.again(place);
        assert!(gone.pointer("a").unwrap().is_none());
        assert!(gone.open("a").err().unwrap().to_string().contains("no index named `a`"));
        assert_eq!(gone.names().unwrap(), Vec::<String>::new());
    });
}

/// D13: no work that was acknowledged is lost.
#[test]
fn of_twenty_committers_each_keeps_its_work() {
    const RACERS: usize = 20;
    everywhere("race", |place| {
        let lost: Vec<usize> = std::thread::scope(|scope| {
            let racer = |n: usize| {
                let machine = Machine::new(place);
                let path = format!("{n:02}");
                for lost in 0.. {
                    let _lock = machine.store.lock(Duration::ZERO, &|| false).unwrap();
                    let base = machine.store.open("a").ok();
                    let before = base.map_or(Vec::new(), |base| base.documents().unwrap());
                    let mut files: Vec<(&str, &str)> =
                        before.iter().map(|r| (r.path.as_str(), r.hash.as_str())).collect();
                    files.push((&path, &path));
                    match try_commit(&machine.store, "a", &files) {
                        Ok(_) => return lost,
                        Err(fault) => {
                            assert_eq!(fault.kind(), Kind::Busy, "{fault}");
                            assert!(machine.store.take_lost());
                        }
                    }
                }
                0
            };
            let racers: Vec<_> = (0..RACERS).map(|n| scope.spawn(move || racer(n))).collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).collect()
        });
        let found = Machine::new(place).paths();
        let expected: Vec<String> = (0..RACERS).map(|n| format!("{n:02}")).collect();
        let mut sorted = found.clone();
        sorted.sort();
        assert_eq!(sorted, expected, "acknowledged work is lost");
        eprintln!("{}: {RACERS} committed, {} tries lost", place.url, lost.iter().sum::<usize>());
    });
}

/// D15: a reader that still copies what is no longer current.
#[test]
fn what_a_slow_reader_copies_is_kept_and_then_collected() {
    everywhere("reader", |place| {
        let depot = Depot::open(place).unwrap();
        let machine = Machine::new(place);
        machine.commit(&[("one", "bees make honey")]).unwrap();
        let old = machine.store.pointer("a").unwrap().unwrap().current;
        let n_before = files(&depot).len();
        let lease = Lease::take(&depot, &old).unwrap();
        for files in [[("two", "the moon")], [("three", "the sea")]] {
            machine.commit(&files).unwrap();
        }
        let n_after = files(&depot).len();
        let kept = collect(&depot, Duration::ZERO).unwrap();
        assert_eq!((kept.files_deleted, kept.leases), (0, 1), "{kept:?}");
        let copy = Machine::new(place);
        let fetched = exchange::fetch(&local::Local::new(copy.dir.path()), &depot, &old, &|| false);
        fetched.unwrap();
        drop(lease);
        // Within the grace it is only marked.
        let waiting = collect(&depot, Duration::from_secs(3600)).unwrap();
        assert_eq!(waiting.files_deleted, 0);
        assert!(waiting.files_waiting > 0);
        let done = collect(&depot, Duration::ZERO).unwrap();
        assert_eq!(done.files_deleted, waiting.files_waiting);
        assert_eq!(files(&depot).len(), n_after - done.files_deleted);
        assert!(n_before > 0);
        // The current and the previous generation are whole.
        let again = Machine::new(place);
        assert_eq!(again.paths(), ["three"]);
        let _lock = again.store.lock(Duration::ZERO, &|| false).unwrap();
        again.store.rollback("a").unwrap();
        assert_eq!(again.paths(), ["two"]);
    });
}

/// D15: a writer that needs again what a collector is about to delete.
#[test]
fn what_a_writer_needs_again_is_kept() {
    everywhere("writer", |place| {
        let depot = Depot::open(place).unwrap();
        let machine = Machine::new(place);
        machine.commit(&[("one", "bees make honey")]).unwrap();
        let target = machine.store.pointer("a").unwrap().unwrap().current;
        let keeper = Machine::new(place);
        assert_eq!(keeper.paths(), ["one"]);
        // Publishes the first generation again, which this machine has kept.
        let publish_again = || {
            let _lock = keeper.store.lock(Duration::ZERO, &|| false).unwrap();
            keeper.store.pointer("a").unwrap().unwrap();
            let generation = local::Local::new(keeper.dir.path()).folder_of(&target).unwrap();
            let first = pointer::Target { generation, ..target.clone() };
            keeper.store.write_pointer(&Pointer::new("a", first, None)).unwrap();
        };
        for files in [[("two", "the moon")], [("three", "the sea")]] {
            machine.commit(&files).unwrap();
        }
        let marked = collect(&depot, Duration::from_secs(3600)).unwrap();
        assert!(marked.files_waiting > 0);
        // The same files again: they are still in the depot, and must not be collected now.
        publish_again();
        collect(&depot, Duration::ZERO).unwrap();
        assert_eq!(Machine::new(place).paths(), ["one"]);
        // A collector died after it had listed what it would delete, and had deleted some of it.
        for files in [[("two", "the moon")], [("three", "the sea")]] {
            machine.commit(&files).unwrap();
        }
        let key = file_key(&target.meta_sha256).unwrap();
        let (_, meta) = exchange::fetch_meta(&depot, &target.meta_sha256).unwrap();
        let vectors = file_key(&meta.files["vectors-0000000000.npy"].sha256).unwrap();
        let list = serde_json::json!({ "version": 1, "marked": {}, "deleting": [key, vectors] });
        depot.write("collector.json", list.to_string().as_bytes()).unwrap();
        depot.delete(&vectors).unwrap();
        publish_again();
        let again = Machine::new(place);
        assert_eq!(again.paths(), ["one"]);
        assert_eq!(verify(&again.store, "a").unwrap(), []);
    });
}

#[test]
fn a_depot_that_is_gone_stops_writers_but_not_readers() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("depot");
    std::fs::create_dir(&at).unwrap();
    let url = format!("file://{}", at.display());
    let place = DepotPlace { url, ..DepotPlace::default() };
    let machine = Machine::new(&place);
    machine.commit(&[("one", "bees make honey")]).unwrap();
    let away = dir.path().join("away");
    std::fs::rename(&at, &away).unwrap();
    let reader = machine.again(&place);
    assert_eq!(paths(&reader), ["one"]);
    let status = reader.depot_status().unwrap();
    assert!(status.failure.is_some() && status.compared_s.is_some(), "{status:?}");
    assert_eq!(reader.names().unwrap(), ["a"]);
    let fault = machine.commit(&[("two", "the moon")]).unwrap_err();
    assert_eq!(fault.kind(), Kind::Outside, "{fault}");
    let stranger = Machine::new(&place);
    assert_eq!(stranger.store.open("a").err().unwrap().kind(), Kind::Outside);
    assert_eq!(stranger.store.names().unwrap_err().kind(), Kind::Outside);
    std::fs::rename(&away, &at).unwrap();
    machine.commit(&[("two", "the moon")]).unwrap();
    assert_eq!(paths(&machine.again(&place)), ["two"]);
    // A poller finds it at once.
    reader.poll();
    assert_eq!(paths(&reader), ["two"]);
    assert_eq!(reader.depot_status().unwrap().failure, None);
}

/// A server copies the commit of another machine. Meanwhile a worker, which uses the same data
/// directory as the server, removes what has no name.
#[test]
fn a_copy_that_has_no_name_yet_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("file://{}", dir.path().display());
    let place = DepotPlace { url, ..DepotPlace::default() };
    let (one, two) = (Machine::new(&place), Machine::new(&place));
    one.commit(&[("one", "bees make honey")]).unwrap();
    assert_eq!(two.paths(), ["one"]);
    one.commit(&[("two", "the moon")]).unwrap();
    let target = one.store.pointer("a").unwrap().unwrap().current;
    let here = local::Local::new(two.dir.path());
    let replica = replica::Replica::new(&place, &NEVER);
    let copying = replica.lock_copies(&here, Duration::ZERO).unwrap();
    exchange::fetch(&here, &Depot::open(&place).unwrap(), &target, &|| false).unwrap();
    drop(two.again(&place).lock(Duration::ZERO, &|| false).unwrap());
    assert!(here.read_meta(&target).is_ok(), "it was taken for garbage");
    drop(copying);
    drop(two.again(&place).lock(Duration::ZERO, &|| false).unwrap());
    assert!(here.read_meta(&target).is_err(), "the copy was given up");
}

/// The worker of a server commits, another machine commits on top of that, and the server takes
/// that over before the worker names its own commit.
#[test]
fn a_later_commit_that_was_taken_over_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("file://{}", dir.path().display());
    let place = DepotPlace { url, ..DepotPlace::default() };
    let machine = Machine::new(&place);
    let here = local::Local::new(machine.dir.path());
    let [base, own, later] = ["one", "two", "three"].map(|path| {
        machine.commit(&[(path, "bees make honey")]).unwrap();
        here.pointer("a").unwrap().unwrap()
    });
    let replica = replica::Replica::new(&place, &NEVER);
    replica.hold_own(&here, &own, Some(&base)).unwrap();
    assert_eq!(here.pointer("a").unwrap(), Some(later));
    here.hold(&base).unwrap();
    replica.hold_own(&here, &own, Some(&base)).unwrap();
    assert_eq!(here.pointer("a").unwrap(), Some(own.clone()));
    // The first commit of a name.
    here.release("a").unwrap();
    replica.hold_own(&here, &own, None).unwrap();
    assert_eq!(here.pointer("a").unwrap(), Some(own));
}

#[test]
fn a_damaged_copy_is_copied_again() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("file://{}", dir.path().display());
    let place = DepotPlace { url, ..DepotPlace::default() };
    let machine = Machine::new(&place);
    let meta = machine.commit(&[("one", "bees make honey")]).unwrap();
    let path = machine.store.generation_dir(&meta.corpus_id).join("documents.jsonl");
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "damaged").unwrap();
    assert_ne!(verify(&machine.store, "a").unwrap(), []);
    let _lock = machine.store.lock(Duration::ZERO, &|| false).unwrap();
    machine.store.copy_again("a").unwrap();
    assert_eq!(verify(&machine.store, "a").unwrap(), []);
}
