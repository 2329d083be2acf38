//! A data directory that shares its indexes through a depot. The depot says which generation a name
//! stands for; this machine has a copy of the generations that it used.
//!
//! A reader compares its copy with the depot at most once a second, or leaves that to a poller, and
//! continues with what it has when the depot cannot be reached. A writer fixes the version that it
//! builds on at its first look, and its commit fails if that is no longer current.

use std::collections::{HashMap, HashSet};
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use super::collect::{self, Lease};
use super::exchange::{self, Other, fetch, fetch_meta, lost, names, place, upload};
use super::generation::Meta;
use super::local::Local;
use super::pointer::{Pointer, Target};
use super::protocol::{self, Commit, Published, keys_of, pointer_key};
use crate::config::DepotPlace;
use crate::depot::{Depot, Tag, now};
use crate::disk::{self, Lock};
use crate::error::{Fault, Kind, Result, locked};
use crate::shared::{Hint, Redis};
use crate::telemetry;

/// How long a copy counts as current where no poller runs.
const FRESH: Duration = Duration::from_secs(1);

/// How long a depot that cannot be reached is left alone by readers that have a copy.
const PAUSE: Duration = Duration::from_secs(5);

/// How long a copy by another process is waited for, where this machine has nothing to go on with.
const COPYING: Duration = Duration::from_secs(3600);

/// The depot, and what this process knows of it.
#[derive(Debug)]
pub struct Replica {
    place: DepotPlace,
    /// Opened when first needed.
    depot: OnceLock<Depot>,
    interrupted: &'static AtomicBool,
    /// Held while a generation is copied.
    copying: Mutex<()>,
    seen: Mutex<Seen>,
    /// The last commit lost against another machine.
    has_lost: AtomicBool,
    /// Announces a new pointer to other machines, where they share a store.
    hints: OnceLock<Arc<Redis>>,
}

#[derive(Debug, Default)]
struct Seen {
    /// When the copy of a name is to be compared again.
    until: HashMap<String, Instant>,
    /// Names that the depot does not have.
    absent: HashSet<String>,
    names: Option<(Instant, Vec<String>)>,
    /// The caller compares: [`Replica::poll`].
    is_polled: bool,
    /// Why the depot could not be reached last, if it could not.
    failure: Option<String>,
    /// The versions that the writer of this process builds on, while there is one.
    writing: Option<HashMap<String, Version>>,
}

/// A version of a pointer; of none when the depot has none.
#[derive(Clone, Debug, Default)]
struct Version {
    /// With the folders of this machine.
    pointer: Option<Pointer>,
    tag: Option<Tag>,
}

/// Whether the depot can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DepotStatus {
    pub url: String,
    /// Why it cannot, if it cannot.
    pub failure: Option<String>,
    /// When this machine last compared its copies with the depot, in Unix seconds.
    pub compared_s: Option<i64>,
}

impl Replica {
    pub fn new(place: &DepotPlace, interrupted: &'static AtomicBool) -> Self {
        Self {
            place: place.clone(),
            depot: OnceLock::new(),
            interrupted,
            copying: Mutex::default(),
            seen: Mutex::default(),
            has_lost: AtomicBool::new(false),
            hints: OnceLock::new(),
        }
    }

    pub fn url(&self) -> &str {
        &self.place.url
    }

    pub fn grace(&self) -> Duration {
        self.place.grace
    }

    /// The depot, opened when first needed.
    pub fn depot(&self) -> Result<&Depot> {
        if let Some(depot) = self.depot.get() {
            return Ok(depot);
        }
        let opened = Depot::open(&self.place)?;
        Ok(self.depot.get_or_init(|| opened))
    }

    /// From now on other machines get a hint of each new pointer.
    pub fn announce_through(&self, redis: &Arc<Redis>) {
        let _ = self.hints.set(Arc::clone(redis));
    }

    fn announce(&self) {
        if let Some(redis) = self.hints.get() {
            redis.announce(Hint::Depot);
        }
    }

    fn stop(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// Every update is a single operation, so poisoning means nothing.
    fn seen(&self) -> MutexGuard<'_, Seen> {
        locked(&self.seen)
    }

    /// The pointer of a name, with the folders of this machine.
    ///
    /// # Errors
    /// When the depot cannot be reached and this machine has no copy, and always while this process
    /// writes.
    pub fn pointer(&self, here: &Local, name: &str) -> Result<Option<Pointer>> {
        let (fixed, is_writing, is_fresh) = {
            let seen = self.seen();
            let fixed = seen.writing.as_ref().and_then(|fixed| fixed.get(name).cloned());
            (fixed, seen.writing.is_some(), seen.is_fresh(name))
        };
        if let Some(fixed) = fixed {
            return Ok(fixed.pointer);
        }
        if is_writing {
            return Ok(self.fixed(here, name)?.pointer);
        }
        let is_absent = || self.seen().absent.contains(name);
        if is_fresh {
            return if is_absent() { Ok(None) } else { here.pointer(name) };
        }
        match self.compare(here, name, Duration::ZERO) {
            Ok(version) => Ok(version.pointer),
            Err(fault) if fault.kind() == Kind::Outside => match here.pointer(name) {
                Ok(Some(copy)) => Ok(Some(copy)),
                _ => Err(fault),
            },
            Err(fault) => Err(fault),
        }
    }

    /// `meta.json` of the current generation, which need not be on this machine.
    pub fn meta(&self, here: &Local, name: &str) -> Result<Option<Meta>> {
        if self.seen().writing.is_some() {
            let fixed = self.fixed(here, name)?.pointer;
            return fixed.map(|pointer| here.read_meta(&pointer.current)).transpose();
        }
        let read = || -> Result<Option<Meta>> {
            let (depot, key) = (self.depot()?, pointer_key(name));
            let Some(found) = depot.read(&key)? else { return Ok(None) };
            let there = Pointer::parse(&found.bytes, name, &place(depot, &key))?;
            if let Ok(meta) = here.read_meta(&there.current) {
                return Ok(Some(meta));
            }
            fetch_meta(depot, &there.current.meta_sha256).map(|(_, meta)| Some(meta))
        };
        match read() {
            Err(fault) if fault.kind() == Kind::Outside => match here.pointer(name) {
                Ok(Some(copy)) => here.read_meta(&copy.current).map(Some),
                _ => Err(fault),
            },
            read => read,
        }
    }

    /// The version that the writer of this process builds on.
    fn fixed(&self, here: &Local, name: &str) -> Result<Version> {
        if let Some(fixed) = self.seen().writing.as_ref().and_then(|fixed| fixed.get(name).cloned())
        {
            return Ok(fixed);
        }
        let version = self.compare(here, name, COPYING)?;
        if let Some(writing) = &mut self.seen().writing {
            writing.insert(name.to_owned(), version.clone());
        }
        Ok(version)
    }

    /// Compares the copy of a name with the depot, and copies what is new. Where another process
    /// copies, it is waited for: `wait` long if there is an older copy.
    fn compare(&self, here: &Local, name: &str, wait: Duration) -> Result<Version> {
        let _copying = locked(&self.copying);
        let compared = self.compare_alone(here, name, wait);
        let mut seen = self.seen();
        match &compared {
            Ok(version) => {
                seen.until.insert(name.to_owned(), Instant::now() + FRESH);
                match &version.pointer {
                    Some(_) => seen.absent.remove(name),
                    None => seen.absent.insert(name.to_owned()),
                };
                seen.failure = None;
            }
            Err(fault) if fault.kind() == Kind::Outside => {
                if here.pointer(name).is_ok_and(|copy| copy.is_some()) {
                    seen.until.insert(name.to_owned(), Instant::now() + PAUSE);
                    seen.absent.remove(name);
                }
                seen.failure = Some(fault.to_string());
            }
            Err(_) => {}
        }
        drop(seen);
        if compared.is_ok() {
            self.note_time(here);
        }
        compared
    }

    fn compare_alone(&self, here: &Local, name: &str, wait: Duration) -> Result<Version> {
        let (depot, key) = (self.depot()?, pointer_key(name));
        let taken = now(protocol::follow(depot, &key, async |found| {
            let there = Pointer::parse(&found.bytes, name, &place(depot, &key))?;
            self.take_over(here, depot, &there, wait)
        }))?;
        let Some((pointer, tag)) = taken else {
            if self.is_copy(here, name) {
                // Removed by another machine.
                here.release(name)?;
                let _ = std::fs::remove_file(copy_mark(here, name));
            }
            return Ok(Version::default());
        };
        Ok(Version { pointer: Some(pointer), tag: Some(tag) })
    }

    /// Copies the current generation of `there`, unless it is here, and names it.
    fn take_over(
        &self,
        here: &Local,
        depot: &Depot,
        there: &Pointer,
        wait: Duration,
    ) -> Result<Pointer> {
        let copy = here.pointer(&there.name).ok().flatten();
        let copy = copy.filter(|copy| here.read_meta(&copy.current).is_ok());
        if let Some(copy) = &copy
            && is_same(copy, there)
        {
            return Ok(copy.clone());
        }
        disk::create_dir(&here.names_dir())?;
        let wait = if copy.is_some() { wait } else { COPYING };
        let _copying = match (self.lock_copies(here, wait), copy) {
            (Ok(lock), _) => lock,
            (Err(fault), Some(copy)) if fault.kind() == Kind::Busy => return Ok(copy),
            (Err(fault), _) => return Err(fault),
        };
        let current = self.copy_target(here, depot, &there.current)?;
        let previous = there.previous.as_ref().map(|previous| Target {
            generation: here.folder_of(previous).unwrap_or_else(|| previous.generation.clone()),
            meta_sha256: previous.meta_sha256.clone(),
        });
        let pointer = Pointer::new(&there.name, current, previous);
        here.hold(&pointer)?;
        self.mark_copy(here, &there.name)?;
        // A writer may be linking files of what is no longer current; it collects itself.
        if let Ok(_lock) = Lock::take(&here.lock_path(), Duration::ZERO, &|| false) {
            here.collect_garbage();
        }
        Ok(pointer)
    }

    /// Becomes the only process that copies to this data directory, or removes what it copied.
    ///
    /// # Errors
    /// [`Kind::Busy`] naming the holder after `wait`.
    pub fn lock_copies(&self, here: &Local, wait: Duration) -> Result<Lock> {
        let busy = |holder: &str| Fault::busy(format!("{holder} is copying from {}", self.url()));
        Lock::take_or(&here.copying_path(), wait, &|| self.stop(), &busy)
    }

    fn copy_target(&self, here: &Local, depot: &Depot, target: &Target) -> Result<Target> {
        if let Some(generation) = here.folder_of(target) {
            return Ok(Target { generation, meta_sha256: target.meta_sha256.clone() });
        }
        let lease = Lease::take(depot, target);
        let stop = || {
            lease.iter().for_each(Lease::renew);
            self.stop()
        };
        let (generation, copied) = fetch(here, depot, target, &stop)?;
        telemetry::info!(
            generation = generation.as_str(),
            files = copied.files_copied,
            bytes = copied.bytes_copied,
            "copied a generation"
        );
        Ok(Target { generation, meta_sha256: target.meta_sha256.clone() })
    }

    /// Copies a generation, such as the previous one before a rollback.
    pub fn bring(&self, here: &Local, target: &Target) -> Result<Target> {
        self.copy_target(here, self.depot()?, target)
    }

    /// Uploads the generation of a pointer, then replaces the pointer of the depot and that of this
    /// machine. The caller holds the lock.
    ///
    /// # Errors
    /// [`Kind::Busy`] when another machine has replaced it; nothing has changed then.
    pub fn publish(&self, here: &Local, pointer: &Pointer) -> Result<()> {
        let (depot, key) = (self.depot()?, pointer_key(&pointer.name));
        let base = self.fixed(here, &pointer.name)?;
        let dir = here.generation_dir(&pointer.current.generation);
        let meta = here.read_meta(&pointer.current)?;
        let stop = || self.stop();
        let commit = Commit {
            key: &key,
            base: base.tag.as_ref(),
            pointer: &pointer.to_bytes()?,
            files: &keys_of(&pointer.current.meta_sha256, &meta)?,
        };
        let send = async || upload(depot, &dir, &pointer.current, Other::Keep, &stop).map(drop);
        let again = match now(protocol::publish(depot, &commit, send))? {
            Published::Lost => {
                self.has_lost.store(true, Ordering::Relaxed);
                return Err(lost(&pointer.name, depot));
            }
            Published::Done(tag, again) => {
                let version = Version { pointer: Some(pointer.clone()), tag: Some(tag) };
                if let Some(writing) = &mut self.seen().writing {
                    writing.insert(pointer.name.clone(), version);
                }
                let mut seen = self.seen();
                seen.absent.remove(&pointer.name);
                seen.names = None;
                again
            }
        };
        again?;
        self.announce();
        self.hold_own(here, pointer, base.pointer.as_ref())?;
        // The commit is done: a collection that fails is left to the next one.
        if let Err(fault) = collect::collect_if_due(depot, &key, self.grace()) {
            telemetry::warn!(fault = fault.to_string(), "the depot was not collected");
        }
        Ok(())
    }

    /// Names on this machine what its writer has committed on top of `base`, unless another process
    /// of it has taken over a later commit meanwhile, which must not be forgotten.
    pub(super) fn hold_own(
        &self,
        here: &Local,
        pointer: &Pointer,
        base: Option<&Pointer>,
    ) -> Result<()> {
        // A process that copies for longer names what the depot has, and compares again.
        let _copying = match self.lock_copies(here, FRESH) {
            Err(fault) if fault.kind() == Kind::Busy => return Ok(()),
            lock => lock?,
        };
        let known = [Some(pointer), base];
        let is_known = |held: &Pointer| known.iter().flatten().any(|known| is_same(held, known));
        let held = here.pointer(&pointer.name).ok().flatten();
        if held.is_some_and(|held| self.is_copy(here, &pointer.name) && !is_known(&held)) {
            return Ok(());
        }
        self.mark_copy(here, &pointer.name)?;
        here.hold(pointer)
    }

    /// Removes the pointer of a name; whether there was one.
    pub fn remove(&self, here: &Local, name: &str) -> Result<bool> {
        let (depot, key) = (self.depot()?, pointer_key(name));
        let is_there = depot.read(&key)?.is_some();
        depot.delete(&key)?;
        self.announce();
        let _ = std::fs::remove_file(copy_mark(here, name));
        let mut seen = self.seen();
        if let Some(writing) = &mut seen.writing {
            writing.insert(name.to_owned(), Version::default());
        }
        seen.absent.insert(name.to_owned());
        seen.names = None;
        Ok(is_there)
    }

    /// Names of the depot; those that this machine has copies of where it cannot be reached.
    pub fn names(&self, here: &Local) -> Result<Vec<String>> {
        if let Some((until, names)) = &self.seen().names
            && Instant::now() < *until
        {
            return Ok(names.clone());
        }
        match self.depot().and_then(names) {
            Ok(names) => {
                let mut seen = self.seen();
                seen.names = Some((Instant::now() + FRESH, names.clone()));
                seen.failure = None;
                Ok(names)
            }
            Err(fault) if fault.kind() == Kind::Outside => {
                let copies = here.names()?;
                let mut seen = self.seen();
                seen.failure = Some(fault.to_string());
                if copies.is_empty() {
                    return Err(fault);
                }
                seen.names = Some((Instant::now() + PAUSE, copies.clone()));
                Ok(copies)
            }
            Err(fault) => Err(fault),
        }
    }

    /// Compares all copies with the depot. From now on readers of this process rely on it.
    pub fn poll(&self, here: &Local) {
        {
            let mut seen = self.seen();
            seen.is_polled = true;
            // There may be such indexes now.
            for name in std::mem::take(&mut seen.absent) {
                seen.until.remove(&name);
            }
            // A writer of this process has fixed what it builds on.
            if seen.writing.is_some() {
                return;
            }
        }
        let copies = here.names().unwrap_or_default();
        let copies: Vec<String> =
            copies.into_iter().filter(|name| self.is_copy(here, name)).collect();
        if copies.is_empty() {
            // It must be known whether the depot can be reached.
            let listed = self.depot().and_then(names);
            self.seen().failure = listed.err().map(|fault| fault.to_string());
        }
        for name in copies {
            if let Err(fault) = self.compare(here, &name, Duration::ZERO) {
                telemetry::debug!(index = name, fault = fault.to_string(), "not compared");
                if fault.kind() == Kind::Outside {
                    break;
                }
            }
        }
    }

    /// Begins writing: versions are fixed until [`Replica::end_writing`].
    ///
    /// # Errors
    /// [`Kind::Outside`] when the depot cannot be written, or ignores conditions.
    pub fn begin_writing(&self) -> Result<()> {
        // Before the work, which may take long; a gateway may have changed since the last time.
        self.depot()?.probe()?;
        self.seen().writing = Some(HashMap::new());
        self.has_lost.store(false, Ordering::Relaxed);
        Ok(())
    }

    pub fn end_writing(&self) {
        let mut seen = self.seen();
        for name in seen.writing.take().unwrap_or_default().into_keys() {
            seen.until.remove(&name);
        }
    }

    /// Compares again at the next look.
    pub fn forget_version(&self, name: &str) {
        let mut seen = self.seen();
        seen.until.remove(name);
        if let Some(writing) = &mut seen.writing {
            writing.remove(name);
        }
    }

    /// Whether the last commit lost against another machine; asked once.
    pub fn take_lost(&self) -> bool {
        self.has_lost.swap(false, Ordering::Relaxed)
    }

    pub fn status(&self, here: &Local) -> DepotStatus {
        let compared = std::fs::metadata(time_mark(here)).and_then(|found| found.modified()).ok();
        let since = |time: std::time::SystemTime| {
            let since = time.duration_since(std::time::SystemTime::UNIX_EPOCH).ok()?;
            i64::try_from(since.as_secs()).ok()
        };
        DepotStatus {
            url: self.place.url.clone(),
            failure: self.seen().failure.clone(),
            compared_s: compared.and_then(since),
        }
    }

    /// The time of the last comparison is that of a file, which other processes read. Where it
    /// cannot be written, the age of the copies is unknown.
    fn note_time(&self, here: &Local) {
        let options =
            std::fs::File::options().write(true).create(true).truncate(true).open(time_mark(here));
        let _ = options.and_then(|mut file| file.write_all(self.place.url.as_bytes()));
    }

    /// Whether the pointer of a name is a copy of that in this depot. Otherwise it is an index that
    /// was made before there was a depot.
    fn is_copy(&self, here: &Local, name: &str) -> bool {
        std::fs::read(copy_mark(here, name)).is_ok_and(|url| url == self.place.url.as_bytes())
    }

    fn mark_copy(&self, here: &Local, name: &str) -> Result<()> {
        match self.is_copy(here, name) {
            true => Ok(()),
            false => disk::replace(&copy_mark(here, name), self.place.url.as_bytes()),
        }
    }

    /// Copies an index of this machine to the depot.
    pub fn push(&self, here: &Local, pointer: &Pointer, other: Other) -> Result<exchange::Copied> {
        let copied = exchange::push(here, self.depot()?, pointer, other, &|| self.stop())?;
        self.mark_copy(here, &pointer.name)?;
        self.seen().absent.remove(&pointer.name);
        self.announce();
        Ok(copied)
    }
}

impl Seen {
    fn is_fresh(&self, name: &str) -> bool {
        let is_new = self.until.get(name).is_some_and(|until| Instant::now() < *until);
        // A poller looks at what is here only.
        is_new || (self.is_polled && (self.until.contains_key(name) || self.absent.contains(name)))
    }
}

/// Whether two pointers name the same generations, whatever their folders.
fn is_same(a: &Pointer, b: &Pointer) -> bool {
    let sum = |target: &Target| target.meta_sha256.clone();
    sum(&a.current) == sum(&b.current)
        && a.previous.as_ref().map(sum) == b.previous.as_ref().map(sum)
}

fn copy_mark(here: &Local, name: &str) -> std::path::PathBuf {
    here.names_dir().join(format!(".{name}.copy"))
}

fn time_mark(here: &Local) -> std::path::PathBuf {
    here.dir().join(".compared")
}
