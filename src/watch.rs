//! Changes below folders, as the system reports them, debounced.
//!
//! Folders are watched individually, each before the walk lists it: folders that the walk does not
//! enter cause no events, and a change after the listing is reported. Changes are collected as a
//! bounded set of paths; more than fit, or than the system could report, count as "everything".

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode};
use notify::{ErrorKind, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use crate::error::{Fault, Result, locked};

/// Upper limit of collected paths. More changes at once count as "everything".
const MOST_PATHS: usize = 1000;

/// Decides when changes have settled: after `quiet` without a change, or `longest` after the first
/// one, so that an endless writer does not delay it forever.
#[derive(Clone, Copy, Debug)]
pub struct Debounce {
    quiet: Duration,
    longest: Duration,
    /// The first and the last change since the last [`Debounce::clear`].
    seen: Option<(Instant, Instant)>,
}

impl Debounce {
    pub fn new(quiet: Duration, longest: Duration) -> Self {
        Self { quiet, longest, seen: None }
    }

    /// Records a change.
    pub fn change(&mut self, now: Instant) {
        let first = self.seen.map_or(now, |(first, _)| first);
        self.seen = Some((first, now));
    }

    /// Time until it settles, if nothing more changes; `None` when nothing has changed.
    pub fn left(&self, now: Instant) -> Option<Duration> {
        let (first, last) = self.seen?;
        let until = (last + self.quiet).min(first + self.longest);
        Some(until.saturating_duration_since(now))
    }

    pub fn is_due(&self, now: Instant) -> bool {
        self.left(now).is_some_and(|left| left.is_zero())
    }

    /// Forgets the recorded changes.
    pub fn clear(&mut self) {
        self.seen = None;
    }
}

/// The changes since the last [`Watcher::wait`].
#[derive(Debug, Default)]
pub struct Changes {
    pub paths: HashSet<PathBuf>,
    /// More than `paths` has changed, and it is unknown what.
    pub everything: bool,
}

impl Changes {
    fn is_empty(&self) -> bool {
        self.paths.is_empty() && !self.everything
    }

    fn add(&mut self, paths: Vec<PathBuf>) {
        self.paths.extend(paths);
        if self.paths.len() > MOST_PATHS {
            self.everything = true;
        }
        if self.everything {
            self.paths.clear();
        }
    }
}

/// The thread of `notify` adds changes; [`Watcher::wait`] takes them.
#[derive(Default)]
struct Queue {
    changes: Mutex<Changes>,
    changed: Condvar,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Changes> {
        locked(&self.changes)
    }

    fn add(&self, event: notify::Result<notify::Event>) {
        let mut changes = self.lock();
        match event {
            Ok(event) if event.need_rescan() => changes.everything = true,
            Ok(event) if is_read(event.kind) => return,
            Ok(event) => changes.add(event.paths),
            // The lost event may have been about any file.
            Err(_) => changes.everything = true,
        }
        self.changed.notify_all();
    }
}

/// Whether a file was only read, which every ingest does. Closing a written file is not a read: it
/// is the only event of writes through a memory map.
fn is_read(kind: EventKind) -> bool {
    let end_of_write = EventKind::Access(AccessKind::Close(AccessMode::Write));
    matches!(kind, EventKind::Access(_)) && kind != end_of_write
}

/// The watched folders. The thread of `notify` ends when this is dropped.
pub struct Watcher {
    queue: Arc<Queue>,
    system: RecommendedWatcher,
    watched: HashSet<PathBuf>,
    /// Folders entered since [`Watcher::begin`].
    entered: HashSet<PathBuf>,
}

impl Watcher {
    /// # Errors
    /// When the system has no more watchers.
    pub fn new() -> Result<Self> {
        let queue = Arc::new(Queue::default());
        let sender = Arc::clone(&queue);
        let system =
            RecommendedWatcher::new(move |event| sender.add(event), notify::Config::default());
        let system = system.map_err(|e| cannot_watch(e, "another folder"))?;
        Ok(Self { queue, system, watched: HashSet::new(), entered: HashSet::new() })
    }

    /// Begins a walk: folders that it does not enter are not watched after [`Watcher::end`].
    pub fn begin(&mut self) {
        self.entered.clear();
    }

    /// Watches a folder, but not those below it. Call it before listing the folder.
    ///
    /// # Errors
    /// When the system cannot watch more folders. A missing or unreadable folder is not an error
    /// here: the walk reports it.
    pub fn enter(&mut self, dir: &Path) -> Result<()> {
        // Watching a folder again is harmless, and necessary if another folder took its name.
        match self.system.watch(dir, RecursiveMode::NonRecursive) {
            Ok(()) => {
                self.watched.insert(dir.to_owned());
                self.entered.insert(dir.to_owned());
                Ok(())
            }
            Err(e) => match &e.kind {
                ErrorKind::PathNotFound | ErrorKind::WatchNotFound => Ok(()),
                ErrorKind::Io(io) if is_of_the_folder(io) => Ok(()),
                _ => Err(cannot_watch(e, &dir.display().to_string())),
            },
        }
    }

    /// Ends a complete walk.
    pub fn end(&mut self) {
        for dir in self.watched.difference(&self.entered) {
            // It fails when the folder is gone.
            let _ = self.system.unwatch(dir);
        }
        self.watched.clone_from(&self.entered);
    }

    /// Number of watched folders.
    pub fn folders(&self) -> usize {
        self.watched.len()
    }

    /// Waits at most `most` for changes, and takes them.
    pub fn wait(&self, most: Duration) -> Changes {
        let queue = &*self.queue;
        let waited =
            queue.changed.wait_timeout_while(queue.lock(), most, |changes| changes.is_empty());
        let (mut changes, _) = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *changes)
    }
}

fn is_of_the_folder(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
    matches!(error.kind(), NotFound | NotADirectory | PermissionDenied)
}

fn cannot_watch(error: notify::Error, what: &str) -> Fault {
    Fault::failed(format!("the system cannot watch {what}"))
        .hint("its limits are `fs.inotify.max_user_watches` and `fs.inotify.max_user_instances`")
        .because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Duration = Duration::from_millis(300);
    const LONGEST: Duration = Duration::from_secs(5);

    /// The milliseconds at which changes at the given milliseconds have settled.
    fn settles_at(changes: &[u64]) -> Vec<u64> {
        let start = Instant::now();
        let mut debounce = Debounce::new(QUIET, LONGEST);
        let mut settled = Vec::new();
        let last = changes.last().copied().unwrap_or_default() + 10_000;
        for ms in 0..last {
            let now = start + Duration::from_millis(ms);
            if changes.contains(&ms) {
                debounce.change(now);
            }
            if debounce.is_due(now) {
                settled.push(ms);
                debounce.clear();
            }
        }
        settled
    }

    #[test]
    fn changes_settle_after_a_quiet_period() {
        assert_eq!(settles_at(&[]), [0; 0]);
        assert_eq!(settles_at(&[7]), [307]);
        assert_eq!(settles_at(&[0, 100, 399]), [699]);
        assert_eq!(settles_at(&[0, 300]), [600], "a change at the last moment");
        assert_eq!(settles_at(&[0, 301]), [300, 601]);
    }

    #[test]
    fn an_endless_writer_is_not_waited_for() {
        let endless: Vec<u64> = (0..20_000).step_by(100).collect();
        assert_eq!(settles_at(&endless), [5000, 10_100, 15_200, 20_200]);
    }

    #[test]
    fn the_time_left_is_known() {
        let start = Instant::now();
        let mut debounce = Debounce::new(QUIET, LONGEST);
        assert_eq!(debounce.left(start), None);
        debounce.change(start);
        assert_eq!(debounce.left(start), Some(QUIET));
        assert_eq!(
            debounce.left(start + Duration::from_millis(100)),
            Some(Duration::from_millis(200))
        );
        assert_eq!(debounce.left(start + LONGEST), Some(Duration::ZERO));
    }

    #[test]
    fn too_many_paths_count_as_everything() {
        let mut changes = Changes::default();
        changes.add((0..MOST_PATHS).map(|n| PathBuf::from(n.to_string())).collect());
        assert!(!changes.everything && changes.paths.len() == MOST_PATHS);
        changes.add(vec!["one more".into()]);
        assert!(changes.everything && changes.paths.is_empty());
        changes.add(vec!["another".into()]);
        assert!(changes.paths.is_empty());
    }

    #[test]
    fn reads_are_ignored_and_a_full_queue_is_everything() {
        use notify::event::{CreateKind, Flag, ModifyKind, RemoveKind};
        let recorded = |event: notify::Event| {
            let queue = Queue::default();
            queue.add(Ok(event.add_path("x".into())));
            let changes = queue.lock();
            (changes.paths.len(), changes.everything)
        };
        let of = |kind| recorded(notify::Event::new(kind));
        for kind in [
            EventKind::Access(AccessKind::Open(AccessMode::Any)),
            EventKind::Access(AccessKind::Close(AccessMode::Read)),
        ] {
            assert_eq!(of(kind), (0, false), "{kind:?}");
        }
        for kind in [
            EventKind::Access(AccessKind::Close(AccessMode::Write)),
            EventKind::Create(CreateKind::File),
            EventKind::Modify(ModifyKind::Any),
            EventKind::Remove(RemoveKind::Folder),
        ] {
            assert_eq!(of(kind), (1, false), "{kind:?}");
        }
        assert_eq!(
            recorded(notify::Event::new(EventKind::Other).set_flag(Flag::Rescan)),
            (0, true)
        );
        let queue = Queue::default();
        queue.add(Err(notify::Error::generic("the kernel is at a loss")));
        assert!(queue.lock().everything);
    }

    #[test]
    fn a_watched_folder_reports_changes_in_it_but_not_below() {
        let dir = tempfile::tempdir().unwrap();
        let below = dir.path().join("below");
        std::fs::create_dir(&below).unwrap();
        let Ok(mut watcher) = Watcher::new() else {
            eprintln!("skipped: the system has no more watchers");
            return;
        };
        watcher.begin();
        watcher.enter(dir.path()).unwrap();
        watcher.enter(&dir.path().join("absent")).unwrap();
        watcher.end();
        assert_eq!(watcher.folders(), 1);
        std::fs::write(below.join("unseen"), "x").unwrap();
        std::fs::write(dir.path().join("seen"), "x").unwrap();
        let mut paths = HashSet::new();
        // Events have the order of the changes.
        while !paths.contains(&dir.path().join("seen")) {
            let changes = watcher.wait(Duration::from_secs(60));
            assert!(!changes.is_empty(), "no change was reported");
            paths.extend(changes.paths);
        }
        assert!(!paths.contains(&below.join("unseen")), "{paths:?}");
        watcher.begin();
        watcher.end();
        assert_eq!(watcher.folders(), 0);
    }
}
