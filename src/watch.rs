//! Changes below folders, as the system tells of them, and when it has been quiet long enough to
//! look at them.
//!
//! Folders are watched one by one, each before whoever walks them lists it: what the walk does not
//! enter wakes nobody, and what changes after the listing is told. What is told is kept as a set of
//! paths, bounded; more than fits, or than the system could tell, is "everything".

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode};
use notify::{ErrorKind, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use crate::error::{Fault, Result};

/// Paths that are told apart. Whoever changes more at once has changed everything.
const MOST_PATHS: usize = 1000;

/// When something that goes on has come to rest: after `quiet`, or when it has gone on for
/// `longest`, so that a writer that never ends is not waited for for ever.
#[derive(Clone, Copy, Debug)]
pub struct Settle {
    quiet: Duration,
    longest: Duration,
    /// The first and the last change since the last [`Settle::clear`].
    seen: Option<(Instant, Instant)>,
}

impl Settle {
    pub fn new(quiet: Duration, longest: Duration) -> Self {
        Self { quiet, longest, seen: None }
    }

    /// Something changed.
    pub fn change(&mut self, now: Instant) {
        let first = self.seen.map_or(now, |(first, _)| first);
        self.seen = Some((first, now));
    }

    /// How long it will take until it has come to rest, if nothing more happens; `None` when
    /// nothing has changed.
    pub fn left(&self, now: Instant) -> Option<Duration> {
        let (first, last) = self.seen?;
        let until = (last + self.quiet).min(first + self.longest);
        Some(until.saturating_duration_since(now))
    }

    pub fn is_due(&self, now: Instant) -> bool {
        self.left(now).is_some_and(|left| left.is_zero())
    }

    /// What was seen is taken care of.
    pub fn clear(&mut self) {
        self.seen = None;
    }
}

/// What was told since it was last asked for.
#[derive(Debug, Default)]
pub struct Changes {
    pub paths: HashSet<PathBuf>,
    /// More than `paths` has changed; what, nobody knows.
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

/// Filled by the thread of `notify`, emptied by whoever waits.
#[derive(Default)]
struct Told {
    changes: Mutex<Changes>,
    more: Condvar,
}

impl Told {
    fn lock(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, event: notify::Result<notify::Event>) {
        let mut changes = self.lock();
        match event {
            Ok(event) if event.need_rescan() => changes.everything = true,
            // Reading is no change, and reading is what an ingest does.
            Ok(event) if matches!(event.kind, EventKind::Access(kind) if !is_end_of_writing(kind)) =>
            {
                return;
            }
            Ok(event) => changes.add(event.paths),
            // What it could not read may have been anything.
            Err(_) => changes.everything = true,
        }
        self.more.notify_all();
    }
}

/// What was written through a map is told of by nothing else.
fn is_end_of_writing(kind: AccessKind) -> bool {
    matches!(kind, AccessKind::Close(AccessMode::Write))
}

/// The folders that are watched. Its thread, which `notify` owns, ends when this is dropped.
pub struct Watcher {
    told: Arc<Told>,
    system: RecommendedWatcher,
    watched: HashSet<PathBuf>,
    /// Those entered since [`Watcher::begin`].
    entered: HashSet<PathBuf>,
}

impl Watcher {
    /// # Errors
    /// When the system has no more watchers to give.
    pub fn new() -> Result<Self> {
        let told = Arc::new(Told::default());
        let hearer = Arc::clone(&told);
        let system =
            RecommendedWatcher::new(move |event| hearer.hear(event), notify::Config::default());
        let system = system.map_err(|e| cannot_watch(e, "another folder"))?;
        Ok(Self { told, system, watched: HashSet::new(), entered: HashSet::new() })
    }

    /// Begins a walk: what it does not enter is not watched after [`Watcher::end`].
    pub fn begin(&mut self) {
        self.entered.clear();
    }

    /// Watches a folder, not those below it. To be called before it is listed.
    ///
    /// # Errors
    /// When the system cannot watch any more; a folder that is gone or closed is none, since the
    /// walk will meet that.
    pub fn enter(&mut self, dir: &Path) -> Result<()> {
        // Once more does no harm where it is watched already, and is needed where another folder
        // took its name.
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

    /// Ends a walk that came to its end.
    pub fn end(&mut self) {
        for dir in self.watched.difference(&self.entered) {
            // It may be gone, and its watch with it.
            let _ = self.system.unwatch(dir);
        }
        self.watched.clone_from(&self.entered);
    }

    /// Folders that are watched.
    pub fn folders(&self) -> usize {
        self.watched.len()
    }

    /// Waits until something is told, at most for `most`, and yields it.
    pub fn wait(&self, most: Duration) -> Changes {
        let waited =
            self.told.more.wait_timeout_while(self.told.lock(), most, |changes| changes.is_empty());
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

    /// When changes at these milliseconds have come to rest.
    fn rests_at(changes: &[u64]) -> Vec<u64> {
        let start = Instant::now();
        let mut settle = Settle::new(QUIET, LONGEST);
        let mut rests = Vec::new();
        let last = changes.last().copied().unwrap_or_default() + 10_000;
        for ms in 0..last {
            let now = start + Duration::from_millis(ms);
            if changes.contains(&ms) {
                settle.change(now);
            }
            if settle.is_due(now) {
                rests.push(ms);
                settle.clear();
            }
        }
        rests
    }

    #[test]
    fn changes_come_to_rest_after_a_while_of_quiet() {
        assert_eq!(rests_at(&[]), [0; 0]);
        assert_eq!(rests_at(&[7]), [307]);
        assert_eq!(rests_at(&[0, 100, 399]), [699]);
        assert_eq!(rests_at(&[0, 300]), [600], "a change in the last moment");
        assert_eq!(rests_at(&[0, 301]), [300, 601]);
    }

    #[test]
    fn a_writer_that_never_ends_is_not_waited_for() {
        let endless: Vec<u64> = (0..20_000).step_by(100).collect();
        assert_eq!(rests_at(&endless), [5000, 10_100, 15_200, 20_200]);
    }

    #[test]
    fn what_is_left_is_told_to_whoever_waits() {
        let start = Instant::now();
        let mut settle = Settle::new(QUIET, LONGEST);
        assert_eq!(settle.left(start), None);
        settle.change(start);
        assert_eq!(settle.left(start), Some(QUIET));
        assert_eq!(
            settle.left(start + Duration::from_millis(100)),
            Some(Duration::from_millis(200))
        );
        assert_eq!(settle.left(start + LONGEST), Some(Duration::ZERO));
    }

    #[test]
    fn more_paths_than_are_told_apart_are_everything() {
        let mut changes = Changes::default();
        changes.add((0..MOST_PATHS).map(|n| PathBuf::from(n.to_string())).collect());
        assert!(!changes.everything && changes.paths.len() == MOST_PATHS);
        changes.add(vec!["one more".into()]);
        assert!(changes.everything && changes.paths.is_empty());
        changes.add(vec!["another".into()]);
        assert!(changes.paths.is_empty());
    }

    #[test]
    fn reading_is_no_change_and_a_full_queue_is_everything() {
        use notify::event::{CreateKind, Flag, ModifyKind, RemoveKind};
        let heard = |event: notify::Event| {
            let told = Told::default();
            told.hear(Ok(event.add_path("x".into())));
            let changes = told.lock();
            (changes.paths.len(), changes.everything)
        };
        let of = |kind| heard(notify::Event::new(kind));
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
        assert_eq!(heard(notify::Event::new(EventKind::Other).set_flag(Flag::Rescan)), (0, true));
        let told = Told::default();
        told.hear(Err(notify::Error::generic("the kernel is at a loss")));
        assert!(told.lock().everything);
    }

    #[test]
    fn a_watched_folder_tells_of_what_is_in_it_and_of_nothing_below() {
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
        // Events come in the order in which things happened.
        while !paths.contains(&dir.path().join("seen")) {
            let changes = watcher.wait(Duration::from_secs(60));
            assert!(!changes.is_empty(), "nothing was told");
            paths.extend(changes.paths);
        }
        assert!(!paths.contains(&below.join("unseen")), "{paths:?}");
        watcher.begin();
        watcher.end();
        assert_eq!(watcher.folders(), 0);
    }
}
