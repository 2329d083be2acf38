//! What is simulated: a depot, machines, and a network that loses what a network may.
//!
//! A request takes a while to arrive and its reply a while to come back. Either may be lost, and
//! then the machine does not know which.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use serde_json::Value;

use crate::depot::{Answer, Content, Object, Steps, Tag};
use crate::disk;
use crate::error::{Fault, Result};
use crate::index::pointer::Pointer;
use crate::index::protocol::{Generations, file_key, pointer_key};

/// The only index.
pub const NAME: &str = "a";
/// How long files are kept that nothing needs. Short, so that much is deleted.
pub const GRACE: Duration = Duration::from_secs(10);
/// How long a machine waits for a reply.
pub const TIMEOUT_MS: u64 = 5_000;
/// Different files in all generations: few, so that what was deleted is needed again.
pub const FILES: u64 = 40;

/// What is simulated.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub seed: u64,
    pub servers: usize,
    pub committers: usize,
    pub collectors: usize,
    /// Of each committer.
    pub commits: usize,
    pub poll_ms: u64,
    /// Hints that arrive, in per cent.
    pub hints: u64,
    /// Requests and replies that are lost, steps at which a machine stops (in 1/10,000), and
    /// whether machines are cut off.
    pub losses: u64,
    pub crashes: u64,
    pub has_partitions: bool,
    /// What is done wrongly, to see that the checks find it.
    pub fault: Option<Broken>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// Committers replace whatever version is current.
    Unconditional,
    /// Committers do not look at what is being deleted.
    Unclaimed,
}

/// What a run showed.
#[derive(Debug, Default)]
pub struct Shown {
    pub commits: usize,
    pub lost_races: usize,
    pub unknown: usize,
    pub crashes: usize,
    pub deleted: usize,
    pub events: u64,
    /// Milliseconds from a commit until a server has taken it over.
    pub delays: Vec<u64>,
}

/// A repeatable random generator (SplitMix64).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    pub fn is(&mut self, per_10_000: u64) -> bool {
        self.below(10_000) < per_10_000
    }
}

pub enum Request {
    Read(String),
    Write(String, Vec<u8>),
    PutIf(String, Option<Tag>, Vec<u8>),
    Find(String),
    List(String),
    Delete(String),
    /// Of a timer.
    Wait,
}

pub enum Reply {
    Content(Option<Content>),
    Answer(Answer),
    Found(Option<Object>),
    Listed(Vec<Object>),
    Done,
    Lost,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// A request reaches the depot.
    Arrives(u64),
    /// A reply, a time-out or the end of a wait reaches its machine.
    Returns(u64),
    Hint(usize),
    Starts(usize),
}

pub struct Stored {
    pub bytes: Vec<u8>,
    pub tag: u64,
    pub modified_ms: u64,
}

pub struct World {
    pub setup: Setup,
    pub random: Random,
    pub now_ms: u64,
    pub n_steps: u64,
    pub events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    pub requests: HashMap<u64, (usize, Request)>,
    pub replies: HashMap<u64, Reply>,
    /// The wait that a hint ends, by machine.
    pub waits: HashMap<usize, u64>,
    pub objects: BTreeMap<String, Stored>,
    pub tags: u64,
    /// Machines that are cut off, and until when.
    pub cut: HashMap<usize, u64>,
    /// Every version of the pointer, with the time of its commit.
    pub history: Vec<(Vec<u8>, u64)>,
    pub acknowledged: BTreeSet<String>,
    /// The version of the pointer that each server has taken over.
    pub taken: Vec<Option<usize>>,
    /// Committers that are not done.
    pub busy: usize,
    pub is_calm: bool,
    pub shown: Shown,
}

impl World {
    pub fn at(&mut self, time_ms: u64, event: Event) {
        self.n_steps += 1;
        // Equal times have the order in which the events were made.
        self.events.push(Reverse((time_ms, self.n_steps, event)));
    }

    pub fn delay(&mut self) -> u64 {
        match self.random.below(100) {
            0 if !self.is_calm => 500 + self.random.below(1_500),
            _ => 1 + self.random.below(25),
        }
    }

    pub fn send(&mut self, machine: usize, request: Request) -> u64 {
        self.n_steps += 1;
        let id = self.n_steps;
        self.requests.insert(id, (machine, request));
        let is_cut = self.cut.get(&machine).is_some_and(|until| self.now_ms < *until);
        let losses = if self.is_calm { 0 } else { self.setup.losses };
        if is_cut || self.random.is(losses) {
            self.replies.insert(id, Reply::Lost);
            self.at(self.now_ms + TIMEOUT_MS, Event::Returns(id));
        } else {
            let delay = self.delay();
            self.at(self.now_ms + delay, Event::Arrives(id));
        }
        id
    }

    pub fn wait(&mut self, machine: usize, time_ms: u64, ends_by_hint: bool) -> u64 {
        self.n_steps += 1;
        let id = self.n_steps;
        self.requests.insert(id, (machine, Request::Wait));
        self.replies.insert(id, Reply::Done);
        self.at(self.now_ms + time_ms, Event::Returns(id));
        if ends_by_hint {
            self.waits.insert(machine, id);
        }
        id
    }

    /// The depot does what a request says.
    pub fn arrive(&mut self, id: u64) {
        let Some((machine, request)) = self.requests.remove(&id) else { return };
        let reply = self.perform(&request);
        self.requests.insert(id, (machine, request));
        let is_cut = self.cut.get(&machine).is_some_and(|until| self.now_ms < *until);
        let losses = if self.is_calm { 0 } else { self.setup.losses };
        let (reply, delay) = match is_cut || self.random.is(losses) {
            true => (Reply::Lost, TIMEOUT_MS),
            false => (reply, self.delay()),
        };
        self.replies.insert(id, reply);
        self.at(self.now_ms + delay, Event::Returns(id));
    }

    pub fn perform(&mut self, request: &Request) -> Reply {
        match request {
            Request::Read(key) => Reply::Content(
                self.objects
                    .get(key)
                    .map(|stored| Content { bytes: stored.bytes.clone(), tag: tag(stored.tag) }),
            ),
            Request::Write(key, bytes) => {
                self.store(key, bytes);
                Reply::Done
            }
            Request::PutIf(key, expected, bytes) => {
                let known = self.objects.get(key).map(|stored| tag(stored.tag));
                Reply::Answer(match known == *expected {
                    true => Answer::Written(tag(self.store(key, bytes))),
                    false => Answer::Refused,
                })
            }
            Request::Find(key) => {
                Reply::Found(self.objects.get(key).map(|stored| object(key, stored)))
            }
            Request::List(prefix) => {
                let all = self.objects.range(prefix.clone()..);
                let below = all.take_while(|(key, _)| key.starts_with(prefix.as_str()));
                Reply::Listed(below.map(|(key, stored)| object(key, stored)).collect())
            }
            Request::Delete(key) => {
                let was_there = self.objects.remove(key).is_some();
                self.shown.deleted += usize::from(was_there && key.starts_with("files/"));
                Reply::Done
            }
            Request::Wait => Reply::Done,
        }
    }

    pub fn store(&mut self, key: &str, bytes: &[u8]) -> u64 {
        self.tags += 1;
        let stored = Stored { bytes: bytes.to_vec(), tag: self.tags, modified_ms: self.now_ms };
        self.objects.insert(key.to_owned(), stored);
        if key == pointer_key(NAME) {
            self.history.push((bytes.to_vec(), self.now_ms));
        }
        self.tags
    }

    /// Every server that a hint reaches looks at once.
    pub fn announce(&mut self) {
        for server in 0..self.setup.servers {
            let is_cut = self.cut.get(&server).is_some_and(|until| self.now_ms < *until);
            if !is_cut && self.random.below(100) < self.setup.hints {
                let delay = self.delay();
                self.at(self.now_ms + delay, Event::Hint(server));
            }
        }
    }

    pub fn current(&self) -> Option<usize> {
        self.history.len().checked_sub(1)
    }
}

pub fn tag(n: u64) -> Tag {
    Tag::new(&n.to_string())
}

pub fn object(key: &str, stored: &Stored) -> Object {
    Object {
        key: key.to_owned(),
        bytes: stored.bytes.len() as u64,
        modified_ms: i64::try_from(stored.modified_ms).unwrap(),
    }
}

/// A machine, or what it knows of the world.
#[derive(Clone)]
pub struct Machine {
    pub id: usize,
    /// How fast its clock runs, in per cent of the depot's.
    pub speed: u64,
    pub world: Rc<RefCell<World>>,
}

impl Machine {
    pub async fn ask(&self, request: Request) -> Reply {
        let id = self.world.borrow_mut().send(self.id, request);
        self.reply(id).await
    }

    pub async fn reply(&self, id: u64) -> Reply {
        std::future::poll_fn(|_| {
            let mut world = self.world.borrow_mut();
            // A reply is there once its request is gone.
            match world.requests.contains_key(&id) {
                true => Poll::Pending,
                false => Poll::Ready(world.replies.remove(&id).unwrap_or(Reply::Lost)),
            }
        })
        .await
    }

    /// A wait by the clock of this machine.
    pub async fn wait(&self, time_ms: u64, ends_by_hint: bool) {
        let id = self.world.borrow_mut().wait(self.id, time_ms * 100 / self.speed, ends_by_hint);
        self.reply(id).await;
    }

    pub fn fault(&self) -> Option<Broken> {
        self.world.borrow().setup.fault
    }

    pub fn random(&self, n: u64) -> u64 {
        self.world.borrow_mut().random.below(n)
    }

    /// The current pointer and what its generation contains.
    pub async fn load(&self) -> Result<Option<(Pointer, Tag, Value)>> {
        let Some(found) = Steps::read(self, &pointer_key(NAME)).await? else { return Ok(None) };
        let pointer = parse(&found.bytes);
        let meta = Steps::read(self, &file_key(&pointer.current.meta_sha256)?).await?;
        // It may have been replaced and collected since.
        let meta = meta.ok_or_else(|| Fault::damaged("no meta"))?;
        Ok(Some((pointer, found.tag, serde_json::from_slice(&meta.bytes).unwrap())))
    }
}

pub fn parse(bytes: &[u8]) -> Pointer {
    Pointer::parse(bytes, NAME, std::path::Path::new("pointer")).unwrap()
}

pub fn lost() -> Fault {
    Fault::outside("no reply")
}

impl Steps for Machine {
    async fn read(&self, key: &str) -> Result<Option<Content>> {
        match self.ask(Request::Read(key.to_owned())).await {
            Reply::Content(found) => Ok(found),
            _ => Err(lost()),
        }
    }

    async fn write(&self, key: &str, bytes: &[u8]) -> Result<()> {
        match self.ask(Request::Write(key.to_owned(), bytes.to_vec())).await {
            Reply::Done => Ok(()),
            _ => Err(lost()),
        }
    }

    async fn put_if(&self, key: &str, expected: Option<&Tag>, bytes: &[u8]) -> Answer {
        let request = Request::PutIf(key.to_owned(), expected.cloned(), bytes.to_vec());
        match self.ask(request).await {
            Reply::Answer(answer) => answer,
            _ => Answer::Unknown(lost()),
        }
    }

    async fn find(&self, key: &str) -> Result<Option<Object>> {
        match self.ask(Request::Find(key.to_owned())).await {
            Reply::Found(found) => Ok(found),
            _ => Err(lost()),
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Object>> {
        match self.ask(Request::List(prefix.to_owned())).await {
            Reply::Listed(found) => Ok(found),
            _ => Err(lost()),
        }
    }

    async fn delete(&self, key: &str) -> Result<()> {
        match self.ask(Request::Delete(key.to_owned())).await {
            Reply::Done => Ok(()),
            _ => Err(lost()),
        }
    }

    async fn pause(&self, time: Duration) {
        self.wait(u64::try_from(time.as_millis()).unwrap(), false).await;
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.world.borrow().now_ms * self.speed / 100)
    }

    fn place(&self) -> &'static str {
        "sim"
    }
}

impl Generations for Machine {
    async fn files_of(&self, meta_sha256: &str) -> Result<BTreeSet<String>> {
        let key = file_key(meta_sha256)?;
        let found = Steps::read(self, &key).await?;
        let found = found.ok_or_else(|| Fault::damaged("no meta"))?;
        let meta: Value = serde_json::from_slice(&found.bytes).unwrap();
        Ok(files(&meta).into_iter().map(|n| file(n).0).chain([key]).collect())
    }
}

pub fn files(meta: &Value) -> Vec<u64> {
    meta["files"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect()
}

/// Key and bytes of the `n`-th file.
pub fn file(n: u64) -> (String, Vec<u8>) {
    let bytes = format!("file {n}").into_bytes();
    (file_key(&disk::sha256_hex(&bytes)).unwrap(), bytes)
}
