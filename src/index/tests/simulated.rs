//! Hundreds of machines over one depot, in virtual time: the protocols themselves, under a seeded
//! scheduler. Machines are cut off, stop in the middle of a step and start again, and their clocks
//! run at half or twice the speed of the depot's.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Waker};

use serde_json::{Value, json};

use super::world::{
    Broken, Event, FILES, GRACE, Machine, NAME, Random, Setup, Shown, TIMEOUT_MS, World, file,
    files, parse,
};
use crate::depot::{Content, Steps, Swap, swap};
use crate::disk;
use crate::error::{Fault, Kind, Result};
use crate::index::pointer::{Pointer, Target};
use crate::index::protocol::{
    Commit, Generations, Leased, Published, RENEWAL, collect, collect_if_due, file_key, follow,
    is_there, pointer_key, publish,
};

/// A server: it polls, hears hints, and takes over what is new.
async fn server(machine: Machine) {
    let poll_ms = machine.world.borrow().setup.poll_ms;
    machine.wait(machine.random(1_000), false).await;
    loop {
        let key = pointer_key(NAME);
        let taken = follow(&machine, &key, async |found| take(&machine, found).await);
        if let Err(fault) = taken.await {
            assert_eq!(fault.kind(), Kind::Outside, "{fault}");
        }
        machine.wait(poll_ms, true).await;
    }
}

/// Copies what a pointer names, under a lease.
async fn take(machine: &Machine, found: &Content) -> Result<()> {
    let version = {
        let world = machine.world.borrow();
        let version = world.history.iter().rposition(|(bytes, _)| *bytes == found.bytes).unwrap();
        if world.taken[machine.id] == Some(version) {
            return Ok(());
        }
        assert!(world.taken[machine.id] <= Some(version), "a server went back");
        version
    };
    let target = parse(&found.bytes).current;
    let lease = Leased { meta_sha256: target.meta_sha256.clone() }.to_bytes().unwrap();
    let key = Leased::key(&machine.random(u64::MAX).to_string());
    let is_leased = Steps::write(machine, &key, &lease).await.is_ok();
    let mut renewed = machine.elapsed();
    for file in machine.files_of(&target.meta_sha256).await? {
        if machine.elapsed().saturating_sub(renewed) > RENEWAL {
            renewed = machine.elapsed();
            let _ = Steps::write(machine, &key, &lease).await;
        }
        let bytes = Steps::read(machine, &file).await?.ok_or_else(|| Fault::damaged("no file"))?;
        assert_eq!(file_key(&disk::sha256_hex(&bytes.bytes)).unwrap(), file);
    }
    if is_leased {
        let _ = Steps::delete(machine, &key).await;
    }
    let mut world = machine.world.borrow_mut();
    let delay = world.now_ms - world.history[version].1;
    world.taken[machine.id] = Some(version);
    world.shown.delays.push(delay);
    Ok(())
}

/// A machine that ingests, each time from what is current.
async fn committer(machine: Machine) {
    let (n, servers) = {
        let world = machine.world.borrow();
        (world.setup.commits, world.setup.servers)
    };
    machine.wait(5_000, false).await;
    for number in 0..n {
        let id = format!("{}.{number}", machine.id - servers);
        if machine.world.borrow().acknowledged.contains(&id) {
            continue;
        }
        while !commit(&machine, &id).await {
            machine.wait(50 + machine.random(500), false).await;
        }
        machine.world.borrow_mut().acknowledged.insert(id);
        machine.wait(machine.random(4_000), false).await;
    }
    machine.world.borrow_mut().busy -= 1;
}

/// Whether the commit is known to be done.
async fn commit(machine: &Machine, id: &str) -> bool {
    let Ok(base) = machine.load().await else { return false };
    let meta = base.as_ref().map_or_else(|| json!({ "files": [], "commits": [] }), |b| b.2.clone());
    let mut commits: Vec<Value> = meta["commits"].as_array().unwrap().clone();
    if commits.iter().any(|known| known == id) {
        // An earlier try, whose end was unknown.
        return true;
    }
    commits.push(id.into());
    let mut numbers: BTreeSet<u64> =
        files(&meta).into_iter().filter(|_| machine.random(3) > 0).collect();
    numbers.extend((0..2).map(|_| machine.random(FILES)));
    let meta = json!({ "files": numbers, "commits": commits }).to_string().into_bytes();
    let meta_sha256 = disk::sha256_hex(&meta);
    let mut all: Vec<(String, Vec<u8>)> = numbers.into_iter().map(file).collect();
    all.push((file_key(&meta_sha256).unwrap(), meta));
    let target = Target { generation: meta_sha256[..12].to_owned(), meta_sha256 };
    let previous = base.as_ref().map(|(pointer, ..)| pointer.current.clone());
    let key = pointer_key(NAME);
    let commit = Commit {
        key: &key,
        base: base.as_ref().map(|(_, tag, _)| tag),
        pointer: &Pointer::new(NAME, target, previous).to_bytes().unwrap(),
        files: &all.iter().map(|(key, _)| key.clone()).collect(),
    };
    let upload = async || {
        for (key, bytes) in &all {
            if !is_there(Steps::find(machine, key).await?.as_ref(), bytes.len() as u64) {
                Steps::write(machine, key, bytes).await?;
            }
        }
        Ok(())
    };
    let published = match machine.fault() {
        None => publish(machine, &commit, upload).await,
        Some(broken) => publish_wrongly(machine, &commit, broken, upload).await,
    };
    let is_done = matches!(published, Ok(Published::Done(..)));
    machine.world.borrow_mut().published(&published);
    if is_done {
        let _ = collect_if_due(machine, &key, GRACE).await;
    }
    is_done
}

async fn publish_wrongly(
    machine: &Machine,
    commit: &Commit<'_>,
    broken: Broken,
    mut upload: impl AsyncFnMut() -> Result<()>,
) -> Result<Published> {
    upload().await?;
    let current = Steps::read(machine, commit.key).await?.map(|found| found.tag);
    let base = match broken {
        Broken::Unconditional => current.as_ref(),
        Broken::Unclaimed => commit.base,
    };
    Ok(match swap(machine, commit.key, base, commit.pointer).await? {
        Swap::Done(tag) => Published::Done(tag, Ok(())),
        Swap::Lost => Published::Lost,
    })
}

async fn collector(machine: Machine) {
    loop {
        machine.wait(5_000 + machine.random(10_000), false).await;
        if let Err(fault) = collect(&machine, GRACE).await {
            let kind = fault.kind();
            // A file of a pointer that was replaced meanwhile may be gone.
            assert!(matches!(kind, Kind::Outside | Kind::Busy | Kind::Damaged), "{fault}");
        }
    }
}

type Running = Pin<Box<dyn Future<Output = ()>>>;

struct Simulation {
    world: Rc<RefCell<World>>,
    running: Vec<Option<Running>>,
}

impl Simulation {
    fn new(setup: Setup) -> Self {
        let n = setup.servers + setup.committers + setup.collectors;
        let world = World {
            setup,
            random: Random(setup.seed),
            now_ms: 1_000_000,
            n_steps: 0,
            events: BinaryHeap::new(),
            requests: HashMap::new(),
            replies: HashMap::new(),
            waits: HashMap::new(),
            objects: BTreeMap::new(),
            tags: 0,
            cut: HashMap::new(),
            history: Vec::new(),
            acknowledged: BTreeSet::new(),
            taken: vec![None; setup.servers],
            busy: setup.committers,
            is_calm: false,
            shown: Shown::default(),
        };
        let world = Rc::new(RefCell::new(world));
        let mut simulation = Self { world, running: (0..n).map(|_| None).collect() };
        (0..n).for_each(|id| simulation.start(id));
        simulation
    }

    fn start(&mut self, id: usize) {
        let setup = self.world.borrow().setup;
        let speed = 50 + (id as u64 * 37) % 151;
        let machine = Machine { id, speed, world: Rc::clone(&self.world) };
        let running: Running = match id {
            _ if id < setup.servers => Box::pin(server(machine)),
            _ if id < setup.servers + setup.committers => Box::pin(committer(machine)),
            _ => Box::pin(collector(machine)),
        };
        self.running[id] = Some(running);
        self.poll(id);
    }

    fn poll(&mut self, id: usize) {
        let Some(running) = &mut self.running[id] else { return };
        let mut context = Context::from_waker(Waker::noop());
        if running.as_mut().poll(&mut context).is_ready() {
            self.running[id] = None;
        }
    }

    /// Runs until it `is_over`, or `time_ms` have passed.
    fn run(&mut self, time_ms: u64, is_over: impl Fn(&World) -> bool) {
        let end = self.world.borrow().now_ms + time_ms;
        loop {
            let event = {
                let mut world = self.world.borrow_mut();
                if is_over(&world) {
                    return;
                }
                let Some(Reverse((time, _, event))) = world.events.pop() else { return };
                if time > end {
                    world.at(time, event);
                    world.now_ms = end;
                    return;
                }
                world.now_ms = time;
                world.shown.events += 1;
                event
            };
            self.trouble();
            self.handle(event);
        }
    }

    /// Now and then a tenth of the machines is cut off for a while.
    fn trouble(&mut self) {
        let n = self.running.len();
        let mut world = self.world.borrow_mut();
        if world.is_calm || !world.setup.has_partitions || world.random.below(20_000) > 0 {
            return;
        }
        for _ in 0..n / 10 {
            let machine = world.random.below(n as u64) as usize;
            let until = world.now_ms + 2_000 + world.random.below(20_000);
            world.cut.insert(machine, until);
        }
    }

    fn handle(&mut self, event: Event) {
        let machine = match event {
            Event::Starts(machine) => return self.start(machine),
            Event::Arrives(id) => return self.world.borrow_mut().arrive(id),
            Event::Returns(id) => {
                let Some((machine, _)) = self.world.borrow_mut().requests.remove(&id) else {
                    return;
                };
                machine
            }
            Event::Hint(machine) => {
                let mut world = self.world.borrow_mut();
                let Some(id) = world.waits.remove(&machine) else { return };
                if world.requests.remove(&id).is_none() {
                    return;
                }
                machine
            }
        };
        if self.stops(machine) {
            return;
        }
        self.poll(machine);
    }

    /// Whether a machine stops at this step. It starts again later, and knows nothing any more.
    fn stops(&mut self, machine: usize) -> bool {
        let mut world = self.world.borrow_mut();
        let crashes = if world.is_calm { 0 } else { world.setup.crashes };
        if self.running[machine].is_none() || !world.random.is(crashes) {
            return false;
        }
        world.shown.crashes += 1;
        if let Some(taken) = world.taken.get_mut(machine) {
            // It has its copy, but compares it anew.
            *taken = None;
        }
        let later = world.now_ms + 100 + world.random.below(5_000);
        world.at(later, Event::Starts(machine));
        drop(world);
        self.running[machine] = None;
        true
    }
}

/// Runs a setup to its end and checks what must hold.
fn check(setup: Setup) -> Shown {
    let mut simulation = Simulation::new(setup);
    simulation.run(900_000, |world| world.busy == 0);
    {
        let mut world = simulation.world.borrow_mut();
        assert_eq!(world.busy, 0, "{setup:?}: a committer does not end");
        world.is_calm = true;
        world.cut.clear();
    }
    // What was on its way times out, and every server looks twice.
    simulation.run(2 * TIMEOUT_MS + 6 * setup.poll_ms + 60_000, |_| false);
    {
        let world = simulation.world.borrow();
        let behind = world.taken.iter().filter(|taken| **taken != world.current()).count();
        assert_eq!(behind, 0, "{setup:?}: servers that do not have the last commit");
        check_history(&world);
    }
    // Leases of those that stopped end, then the grace.
    simulation.run(1_000_000, |_| false);
    let mut world = simulation.world.borrow_mut();
    check_files(&world);
    std::mem::take(&mut world.shown)
}

/// Every acknowledged commit is in the last generation, once, and each version was built on the one
/// before it.
fn check_history(world: &World) {
    let commits = |pointer: &Pointer| -> Vec<String> {
        let key = file_key(&pointer.current.meta_sha256).unwrap();
        let meta: Value = serde_json::from_slice(&world.objects[&key].bytes).unwrap();
        let commits = meta["commits"].as_array().unwrap();
        commits.iter().map(|id| id.as_str().unwrap().to_owned()).collect()
    };
    let pointers: Vec<Pointer> = world.history.iter().map(|(bytes, _)| parse(bytes)).collect();
    for pair in pointers.windows(2) {
        assert_eq!(pair[1].previous.as_ref(), Some(&pair[0].current), "a lost update");
    }
    let last = commits(pointers.last().unwrap());
    let distinct: BTreeSet<String> = last.iter().cloned().collect();
    assert_eq!(distinct, world.acknowledged);
    assert_eq!(distinct.len(), last.len(), "a commit is there twice");
    assert_eq!(last.len(), pointers.len());
}

/// What the pointer needs is there, and nothing else.
fn check_files(world: &World) {
    let pointer = parse(&world.history.last().unwrap().0);
    let mut needed = BTreeSet::new();
    for target in std::iter::once(&pointer.current).chain(&pointer.previous) {
        let key = file_key(&target.meta_sha256).unwrap();
        let meta: Value = serde_json::from_slice(&world.objects[&key].bytes).unwrap();
        needed.extend(files(&meta).into_iter().map(|n| file(n).0));
        needed.insert(key);
    }
    let there: BTreeSet<String> =
        world.objects.keys().filter(|key| key.starts_with("files/")).cloned().collect();
    let missing: Vec<&String> = needed.difference(&there).collect();
    assert!(missing.is_empty(), "files that are needed are gone: {missing:?}");
    let left = there.difference(&needed).count();
    assert_eq!(left, 0, "files that nothing needs are left");
    assert!(!world.objects.keys().any(|key| key.starts_with("leases/")), "leases are left");
}

const STORM: Setup = Setup {
    seed: 0,
    servers: 40,
    committers: 8,
    collectors: 2,
    commits: 4,
    poll_ms: 1_000,
    hints: 80,
    losses: 100,
    crashes: 10,
    has_partitions: true,
    fault: None,
};

fn is_thorough() -> bool {
    std::env::var_os("RAG_TEST_THOROUGH").is_some()
}

#[test]
fn no_acknowledged_commit_is_lost_in_a_storm() {
    let given = std::env::var("RAG_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let first: u64 = given.unwrap_or(1);
    let (servers, committers, rounds) = if is_thorough() { (500, 20, 5) } else { (40, 8, 4) };
    let rounds = if given.is_some() { 1 } else { rounds };
    let mut all = Shown::default();
    for seed in first..first + rounds {
        println!("RAG_TEST_SEED={seed}");
        let shown = check(Setup { seed, servers, committers, ..STORM });
        all.commits += shown.commits;
        all.lost_races += shown.lost_races;
        all.unknown += shown.unknown;
        all.crashes += shown.crashes;
        all.deleted += shown.deleted;
        all.events += shown.events;
    }
    println!(
        "{rounds} rounds of {servers} servers and {committers} committers: {} commits, {} races \
         lost, {} ends unknown, {} machines stopped, {} files deleted, {} events",
        all.commits, all.lost_races, all.unknown, all.crashes, all.deleted, all.events
    );
    assert!(all.lost_races > 0 && all.unknown > 0 && all.crashes > 0 && all.deleted > 0);
}

/// The checks find committers that do not follow the protocol.
#[test]
fn a_simulation_notices_what_breaks_the_protocol() {
    for broken in [Broken::Unconditional, Broken::Unclaimed] {
        let setup = Setup { fault: Some(broken), commits: 8, ..STORM };
        let is_found = (1..20).any(|seed| {
            let run = || check(Setup { seed, ..setup });
            std::panic::catch_unwind(run).is_err()
        });
        assert!(is_found, "{broken:?}");
    }
}

/// In virtual time, with a reply within 50 ms: the longest delay of any server.
#[test]
fn servers_follow_within_a_second_by_hints_and_three_without() {
    let calm = Setup { losses: 0, crashes: 0, has_partitions: false, hints: 100, ..STORM };
    let servers = if is_thorough() { 500 } else { 100 };
    for (hints, poll_ms, most_ms) in [(100, 3_600_000, 1_000), (0, 1_000, 3_000)] {
        let setup = Setup { seed: 7, servers, committers: 1, commits: 8, hints, poll_ms, ..calm };
        let mut simulation = Simulation::new(setup);
        simulation.world.borrow_mut().is_calm = true;
        simulation.run(600_000, |world| world.busy == 0);
        simulation.run(5_000, |_| false);
        let mut delays = std::mem::take(&mut simulation.world.borrow_mut().shown.delays);
        assert!(delays.len() >= servers, "not every server has followed");
        delays.sort_unstable();
        let [middle, last] = [delays.len() / 2, delays.len() - 1].map(|n| delays[n]);
        println!("{hints} % of hints, poll {poll_ms} ms: {middle} ms, at most {last} ms");
        assert!(last <= most_ms, "{last} ms");
    }
}
