//! Which generation a name points to: one small file per name, replaced atomically. That
//! replacement is the commit.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::collect::collect;
use super::consistency::disagreements;
use super::exchange::{self, Copied, Other, Stop};
use super::generation::{META, Meta, damaged};
use super::local::{BUILDING, Local, entries};
use super::pointer::{Before, Pointer, Publication, Target};
use super::progress::{self, Progress};
use super::protocol::Collected;
use super::replica::{DepotStatus, Replica};
use super::snapshot::Snapshot;
use crate::config::DepotPlace;
use crate::depot::Depot;
use crate::disk::{self, Lock};
use crate::error::{Context as _, Fault, Result};
use crate::nearest::{Generation, Nearest};
use crate::shared::Shared;
use crate::state::State;
use crate::strings;
use crate::telemetry;

/// The indexes of a data directory, which may be copies of those in a depot.
#[derive(Clone, Debug)]
pub struct Store {
    here: Local,
    /// Lists the user's other data directories.
    state: State,
    replica: Option<Arc<Replica>>,
    /// What finds the nearest vectors.
    nearest: Nearest,
    interrupted: Option<&'static AtomicBool>,
}

/// The lock of the only writer, until it is dropped.
#[derive(Debug)]
pub struct WriteLock {
    _lock: Lock,
    replica: Option<Arc<Replica>>,
}

impl Drop for WriteLock {
    fn drop(&mut self) {
        if let Some(replica) = &self.replica {
            replica.end_writing();
        }
    }
}

impl Store {
    pub fn new(data_dir: &Path) -> Self {
        let (here, state) = (Local::new(data_dir), State::none());
        Self { here, state, replica: None, nearest: Nearest::Scan, interrupted: None }
    }

    /// The same store, whose messages name the indexes of other data directories.
    #[must_use]
    pub fn with_state(self, state: State) -> Self {
        Self { state, ..self }
    }

    /// The same store, which shares its indexes through a depot, if `place` names one. Copies end
    /// when `interrupted` is set.
    #[must_use]
    pub fn with_depot(self, place: &DepotPlace, interrupted: &'static AtomicBool) -> Self {
        let is_named = !place.url.is_empty();
        let replica = is_named.then(|| Arc::new(Replica::new(place, interrupted)));
        Self { replica, ..self }
    }

    /// The same store, whose vectors are in an engine as well. Writing them ends when `interrupted`
    /// is set.
    #[must_use]
    pub fn with_nearest(self, nearest: Nearest, interrupted: &'static AtomicBool) -> Self {
        Self { nearest, interrupted: Some(interrupted), ..self }
    }

    /// What finds the nearest vectors.
    pub fn nearest(&self) -> &Nearest {
        &self.nearest
    }

    /// What this process knows of the depot.
    ///
    /// # Errors
    /// A usage fault when none is configured.
    fn replica(&self) -> Result<&Replica> {
        self.replica.as_deref().ok_or_else(|| {
            Fault::usage("no bucket and no shared folder is configured")
                .hint("set `depot.url`, such as s3://bucket/rag, or give `--to` or `--from`")
        })
    }

    /// Whether indexes are shared through a depot.
    pub fn is_shared(&self) -> bool {
        self.replica.is_some()
    }

    /// Whether the depot can be reached; `None` when none is configured.
    pub fn depot_status(&self) -> Option<DepotStatus> {
        Some(self.replica.as_ref()?.status(&self.here))
    }

    /// From now on other machines get a hint of each change in the depot.
    pub fn announce_through(&self, shared: &Shared) {
        if let (Some(replica), Some(redis)) = (&self.replica, shared.redis()) {
            replica.announce_through(redis);
        }
    }

    /// Compares all copies with the depot. Servers call it every `depot.poll_s` seconds, and
    /// whenever there is a hint.
    pub fn poll(&self) {
        if let Some(replica) = &self.replica {
            replica.poll(&self.here);
        }
    }

    /// The depot.
    ///
    /// # Errors
    /// A usage fault when none is configured.
    pub fn depot(&self) -> Result<&Depot> {
        self.replica()?.depot()
    }

    /// Copies an index of this machine to the depot.
    ///
    /// # Errors
    /// As `exchange::push`.
    pub fn push(&self, name: &str, other: Other) -> Result<Copied> {
        let replica = self.replica()?;
        let pointer = self.here.pointer(name)?.ok_or_else(|| self.no_such_index(name))?;
        replica.push(&self.here, &pointer, other)
    }

    /// Copies an index of the depot to this machine, as `new_name`. The caller holds the lock.
    ///
    /// # Errors
    /// As `exchange::pull`.
    pub fn pull(
        &self,
        name: &str,
        new_name: &str,
        other: Other,
        stop: Stop<'_>,
    ) -> Result<(Pointer, Meta, Copied)> {
        let pulled = exchange::pull(&self.here, self.depot()?, name, new_name, other, stop)?;
        self.publish_vectors(&pulled.0)?;
        self.collect_garbage();
        Ok(pulled)
    }

    /// Deletes what nothing in the depot needs any more, after `grace` or the configured one.
    pub fn collect(&self, grace: Option<Duration>) -> Result<Collected> {
        let replica = self.replica()?;
        collect(replica.depot()?, grace.unwrap_or_else(|| replica.grace()))
    }

    /// Drops the copy of an index, and copies it from the depot again. The caller holds the lock.
    pub fn copy_again(&self, name: &str) -> Result<()> {
        let replica = self.replica()?;
        if let Some(copy) = self.here.pointer(name).unwrap_or_default() {
            disk::remove_dir(&self.generation_dir(&copy.current.generation))?;
        }
        self.here.release(name)?;
        replica.forget_version(name);
        replica.pointer(&self.here, name).map(drop)
    }

    /// Whether the last commit lost against another machine; asked once.
    pub fn take_lost(&self) -> bool {
        self.replica.as_ref().is_some_and(|replica| replica.take_lost())
    }

    /// Other data directories of this user that have indexes, with the names of these.
    pub fn elsewhere(&self) -> Vec<(PathBuf, Vec<String>)> {
        let own = self.dir().canonicalize().ok();
        let mut found = Vec::new();
        for data_dir in self.state.data_dirs() {
            let other = Self::new(&data_dir);
            let is_other = own.is_none() || other.dir().canonicalize().ok() != own;
            let names = if is_other { other.names().unwrap_or_default() } else { Vec::new() };
            if !names.is_empty() {
                found.push((data_dir, names));
            }
        }
        found
    }

    pub fn dir(&self) -> &Path {
        self.here.dir()
    }

    pub fn generation_dir(&self, generation: &str) -> PathBuf {
        self.here.generation_dir(generation)
    }

    pub(super) fn pointer_path(&self, name: &str) -> PathBuf {
        self.here.pointer_path(name)
    }

    /// All index names, sorted.
    pub fn names(&self) -> Result<Vec<String>> {
        match &self.replica {
            None => self.here.names(),
            Some(replica) => replica.names(&self.here),
        }
    }

    /// Reads the pointer of a name; `None` when there is no such index. With a depot, its current
    /// generation is on this machine then.
    ///
    /// # Errors
    /// [`Kind::Damaged`](crate::error::Kind::Damaged) when the pointer is not what was written.
    pub fn pointer(&self, name: &str) -> Result<Option<Pointer>> {
        match &self.replica {
            None => self.here.pointer(name),
            Some(replica) => replica.pointer(&self.here, name),
        }
    }

    /// Reads the pointer of an index that must exist.
    ///
    /// # Errors
    /// Those of [`Store::pointer`], and a fault that lists the existing indexes.
    pub fn require(&self, name: &str) -> Result<Pointer> {
        self.pointer(name)?.ok_or_else(|| self.no_such_index(name))
    }

    /// Opens the current generation of an index.
    ///
    /// # Errors
    /// Says what to run when there is no such index; [`Kind::Damaged`](crate::error::Kind::Damaged)
    /// names the damaged file.
    pub fn open(&self, name: &str) -> Result<Snapshot> {
        self.follow(name, |pointer| {
            self.open_target(&pointer.current)?.proposed_by(&self.nearest, name)
        })
    }

    pub(super) fn open_target(&self, target: &Target) -> Result<Snapshot> {
        Snapshot::open(&self.generation_dir(&target.generation), target)
    }

    /// Reads `meta.json` of the current generation of an index.
    pub fn meta(&self, name: &str) -> Result<Meta> {
        match &self.replica {
            None => self.follow(name, |pointer| self.read_meta(&pointer.current)),
            Some(replica) => {
                replica.meta(&self.here, name)?.ok_or_else(|| self.no_such_index(name))
            }
        }
    }

    pub(super) fn read_meta(&self, target: &Target) -> Result<Meta> {
        self.here.read_meta(target)
    }

    /// Runs `read` on the pointer of a name, and again as long as writers replace the pointer
    /// meanwhile: they remove older generations, so files may vanish between two steps of a reader.
    pub(super) fn follow<T>(&self, name: &str, read: impl Fn(&Pointer) -> Result<T>) -> Result<T> {
        let mut pointer = self.require(name)?;
        loop {
            let fault = match read(&pointer) {
                Ok(value) => return Ok(value),
                Err(fault) => fault,
            };
            match self.pointer(name)? {
                Some(replaced) if replaced != pointer => pointer = replaced,
                _ => return Err(fault),
            }
        }
    }

    fn no_such_index(&self, name: &str) -> Fault {
        /// `rag index list --everywhere` shows the others.
        const MOST: usize = 3;
        let names = self.names().unwrap_or_default();
        let dir = std::path::absolute(self.dir()).unwrap_or_else(|_| self.dir().to_owned());
        let place = match &self.replica {
            None => dir.display().to_string(),
            Some(replica) => replica.url().to_owned(),
        };
        let fault = Fault::failed(format!("there is no index named `{name}` in {place}"));
        let meant = strings::similar(name, names.iter().map(String::as_str));
        let here = match names.is_empty() {
            true if self.here.pointer(name).is_ok_and(|pointer| pointer.is_some()) => {
                format!("`rag index push` copies that of {} there", dir.display())
            }
            true => "make one with `rag ingest --dir FOLDER`".to_owned(),
            false => match meant {
                Some(meant) if names.len() == 1 => format!("did you mean `{meant}`?"),
                Some(meant) => {
                    format!("did you mean `{meant}`? There are: {}", names.join(", "))
                }
                None => format!("there are: {}", names.join(", ")),
            },
        };
        let elsewhere = self.elsewhere();
        if elsewhere.is_empty() {
            return fault.hint(here);
        }
        let shown = elsewhere.iter().take(MOST);
        let shown: Vec<String> =
            shown.map(|(dir, names)| format!("{} ({})", dir.display(), names.join(", "))).collect();
        let more = match elsewhere.len().saturating_sub(MOST) {
            0 => String::new(),
            n => format!(", and {n} more, see `rag index list --everywhere`"),
        };
        fault.hint(format!(
            "{here}; or name another data directory with `--data-dir`: {}{more}",
            shown.join(", ")
        ))
    }

    /// Becomes the only writer of this data directory, and removes what dead writers left.
    ///
    /// # Errors
    /// [`Kind::Busy`](crate::error::Kind::Busy) naming the holder; with a depot,
    /// [`Kind::Outside`](crate::error::Kind::Outside) when it cannot be written.
    pub fn lock(&self, wait: Duration, give_up: &dyn Fn() -> bool) -> Result<WriteLock> {
        let lock = self.lock_here(wait, give_up)?;
        // Before the work, which may take long.
        self.nearest.check()?;
        if let Some(replica) = &self.replica {
            replica.begin_writing()?;
        }
        Ok(WriteLock { _lock: lock, replica: self.replica.clone() })
    }

    /// As [`Store::lock`], for a writer that does not write to the depot.
    pub fn lock_here(&self, wait: Duration, give_up: &dyn Fn() -> bool) -> Result<Lock> {
        disk::create_dir(&self.here.names_dir())?;
        let lock = Lock::take(&self.here.lock_path(), wait, give_up)?;
        self.remove_leftovers()?;
        self.collect_garbage();
        Ok(lock)
    }

    /// A new, empty folder for a generation, whose name ends with `suffix`. The caller holds the
    /// lock.
    pub(super) fn new_building_dir(&self, suffix: &str) -> Result<PathBuf> {
        let dir = self.dir().join(format!("{BUILDING}{}{suffix}", std::process::id()));
        disk::remove_dir(&dir)?;
        disk::create_dir(&dir)?;
        Ok(dir)
    }

    /// Starts reporting how many of an index's missing vectors are computed.
    pub fn begin_progress(&self, name: &str, total: u64) -> Option<Progress> {
        Progress::begin(self.progress_path(name), total)
    }

    /// How many of an index's missing vectors are computed, and of how many; `None` when no process
    /// computes them.
    pub fn progress(&self, name: &str) -> Option<(u64, u64)> {
        Progress::read(&self.progress_path(name))
    }

    fn progress_path(&self, name: &str) -> PathBuf {
        self.dir().join(format!("{}{name}", progress::PREFIX))
    }

    /// Removes every generation that no pointer names. The caller holds the lock.
    fn collect_garbage(&self) {
        let copying = match &self.replica {
            None => Ok(None),
            Some(replica) => replica.lock_copies(&self.here, Duration::ZERO).map(Some),
        };
        // While another process copies, it is left to the next writer.
        if let Ok(_copying) = copying {
            self.here.collect_garbage();
        }
    }

    fn remove_leftovers(&self) -> Result<()> {
        for (name, path) in entries(self.dir())? {
            if name.starts_with(BUILDING) {
                disk::remove_dir(&path)?;
            } else if name.starts_with(progress::PREFIX) || disk::is_temporary(&name) {
                let _ = std::fs::remove_file(path);
            }
        }
        for (name, path) in entries(&self.here.names_dir())? {
            if disk::is_temporary(&name) {
                let _ = std::fs::remove_file(path);
            }
        }
        Ok(())
    }

    /// Writes `meta.json` into a finished folder, moves the folder to its place and points `name`
    /// to it. The caller holds the lock.
    pub(super) fn publish(
        &self,
        name: &str,
        building: &Path,
        meta: &Meta,
        publication: Publication,
        before: Before,
    ) -> Result<Pointer> {
        let bytes = meta.to_bytes()?;
        disk::replace(&building.join(META), &bytes)?;
        disk::sync_dir(&building.join("bm25"))?;
        let generation = self.free_generation(&meta.corpus_id, publication);
        let previous = self.previous(name, before);
        let dir = self.generation_dir(&generation);
        std::fs::rename(building, &dir).or_cannot("create", &dir)?;
        disk::sync_dir(self.dir())?;
        let target = Target { generation, meta_sha256: disk::sha256_hex(&bytes) };
        let pointer = Pointer::new(name, target, previous);
        let written = self.write_pointer(&pointer);
        // The new generation too, if the commit failed.
        self.collect_garbage();
        written.map(|()| pointer)
    }

    /// An unused folder name. The same content may be committed again, with other modification
    /// times or other failures.
    fn free_generation(&self, corpus_id: &str, publication: Publication) -> String {
        match publication {
            Publication::Whole => self.here.free_folder(corpus_id),
            Publication::Text => self.here.free_folder(&format!("{corpus_id}-text")),
        }
    }

    /// The generation that a rollback of the next one leads to. A damaged pointer must not prevent
    /// a new one: writing another is how the user repairs it.
    fn previous(&self, name: &str, before: Before) -> Option<Target> {
        let pointer = self.pointer(name).unwrap_or_default()?;
        match before {
            Before::Forget => None,
            Before::Replace => pointer.previous,
            // A generation without its vectors is not worth going back to.
            Before::Keep if self.is_text(&pointer.current) => pointer.previous,
            Before::Keep => Some(pointer.current),
        }
    }

    fn is_text(&self, target: &Target) -> bool {
        self.read_meta(target).is_ok_and(|meta| meta.pending > 0)
    }

    /// Writes a pointer in place of another or none, in the depot first. The caller holds the lock.
    pub(super) fn write_pointer(&self, pointer: &Pointer) -> Result<()> {
        let in_engine = self.publish_vectors(pointer)?;
        match &self.replica {
            None => self.here.hold(pointer)?,
            Some(replica) => replica.publish(&self.here, pointer)?,
        }
        // While vectors are computed, those of the generation before stay.
        if !in_engine.is_empty() {
            self.retire_vectors(&pointer.name, &in_engine);
        }
        Ok(())
    }

    /// Writes the vectors of the current generation to the engine, so that a reader of the pointer
    /// finds them. Returns the generations of the pointer as the engine knows them.
    fn publish_vectors(&self, pointer: &Pointer) -> Result<Vec<Generation>> {
        let mut known = Vec::new();
        if self.nearest.is_scan() {
            return Ok(known);
        }
        let open = |target| self.open_target(target)?.proposed_by(&self.nearest, &pointer.name);
        let current = open(&pointer.current)?;
        let stop = || self.interrupted.is_some_and(|flag| flag.load(Ordering::Relaxed));
        current.publish_vectors(&stop)?;
        known.extend(current.in_engine().cloned());
        // With a depot, the previous generation need not be here.
        let previous = pointer.previous.as_ref().and_then(|previous| open(previous).ok());
        known.extend(previous.as_ref().and_then(Snapshot::in_engine).cloned());
        Ok(known)
    }

    /// Deletes the vectors that nothing needs any more. The commit is done: what fails is left to
    /// the next one.
    fn retire_vectors(&self, name: &str, kept: &[Generation]) {
        if let Err(fault) = self.nearest.retire(name, kept) {
            telemetry::warn!(fault = fault.to_string(), "old vectors were not deleted");
        }
    }

    /// Writes the vectors that the engine lacks of an index; none without an engine. The caller
    /// holds the lock.
    ///
    /// # Errors
    /// [`Kind::Outside`](crate::error::Kind::Outside) when the engine does not answer.
    pub fn complete_vectors(&self, name: &str) -> Result<()> {
        match self.nearest.is_scan() {
            true => Ok(()),
            false => self.publish_vectors(&self.require(name)?).map(drop),
        }
    }

    /// Swaps the current and the previous generation of an index. The caller holds the lock.
    ///
    /// # Errors
    /// When there is no previous generation, or it is damaged; nothing has changed then.
    pub fn rollback(&self, name: &str) -> Result<Meta> {
        let pointer = self.require(name)?;
        let previous = pointer.previous.ok_or_else(|| {
            Fault::failed(format!("the index `{name}` has no previous generation")).hint(
                "an ingest that changes something keeps the previous one; `rag documents remove` \
                 and `rag index compact` keep none",
            )
        })?;
        let previous = match &self.replica {
            None => previous,
            Some(replica) => replica.bring(&self.here, &previous)?,
        };
        let snapshot = self.open_target(&previous)?;
        snapshot.check()?;
        if let Some(reason) = disagreements(&snapshot)?.first() {
            return Err(damaged(snapshot.dir(), reason));
        }
        self.write_pointer(&Pointer::new(name, previous, Some(pointer.current)))?;
        Ok(snapshot.meta().clone())
    }

    /// Drops the previous generation of an index. The caller holds the lock.
    pub fn forget_previous(&self, name: &str) -> Result<()> {
        let pointer = self.require(name)?;
        if pointer.previous.is_some() {
            self.write_pointer(&Pointer::new(name, pointer.current, None))?;
            self.collect_garbage();
        }
        Ok(())
    }

    /// Removes an index: its name first, then its generations.
    pub fn remove(&self, name: &str) -> Result<()> {
        let was_shared = match &self.replica {
            None => false,
            Some(replica) => replica.remove(&self.here, name)?,
        };
        let was_here = self.here.release(name)?;
        self.retire_vectors(name, &[]);
        if !was_shared && !was_here {
            return Err(self.no_such_index(name));
        }
        self.collect_garbage();
        Ok(())
    }
}
