//! An index that follows its folders: whenever they have changed and come to rest, the ordinary
//! ingest, as a job.
//!
//! Every folder is watched before the ingest lists it, so that a change is either in the index or
//! told afterwards. Where the system cannot watch, the folders are looked at every so often.

use std::convert::Infallible;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::disk::Blake;
use crate::engine::Engine;
use crate::error::{Fault, Kind, Result};
use crate::index::Root;
use crate::ingest::{self, Report};
use crate::jobs::IngestSpec;
use crate::text::{self, Entry, WalkOptions};
use crate::watch::{Changes, Debounce, Watcher};
use crate::work;

/// A change has come to rest when nothing more has happened for so long: an editor that saves by
/// writing another file and renaming it is done in some milliseconds.
const QUIET: Duration = Duration::from_millis(300);

/// A writer that never ends is let in this often.
const LONGEST: Duration = Duration::from_secs(5);

/// How often an interruption, and the folders themselves, are looked for.
const TICK: Duration = Duration::from_millis(200);

/// How often folders are looked at that cannot be watched; a walk that takes long is begun more
/// rarely.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const REST_PER_WALK: u32 = 10;

/// The first pause after an ingest that failed; each doubles the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Jobs of rounds that are remembered.
const ROUNDS_REMEMBERED: usize = 20;

/// What happens.
#[derive(Debug)]
pub enum Happening {
    /// During an ingest.
    Ingest(ingest::Event),
    /// An ingest ended; the first of all, or one after changes.
    Ingested {
        job_id: String,
        report: Box<Report>,
        is_first: bool,
    },
    /// The first ingest is over, and so many folders are watched.
    Watching {
        folders: usize,
    },
    /// The system cannot watch, or was not asked to; the folders are looked at instead.
    Looking {
        why: Option<Fault>,
        every: Duration,
    },
    /// An ingest failed and is tried again, after the pause or the next change.
    Failed {
        fault: Fault,
        again_in: Option<Duration>,
    },
    /// This folder, as typed, is gone. The index stays as it is until it is back.
    Gone(String),
    Back(String),
}

/// Ingests, and again after every change. Another writer is waited for.
///
/// # Errors
/// [`Kind::Interrupted`] once the process was asked to stop; what keeps the first ingest from being
/// done. What goes wrong later is told and tried again.
pub fn run(
    engine: &Engine,
    spec: IngestSpec,
    look_every: Option<Duration>,
    on: &mut dyn FnMut(Happening),
) -> Result<Infallible> {
    let spec = work::with_folders(engine, spec)?;
    let mut follower = Follower::new(engine, spec, look_every, on);
    follower.places = follower.places_now().unwrap_or_default();
    follower.round(true, on)?;
    if let Eyes::Watching(watcher) = &follower.eyes {
        on(Happening::Watching { folders: watcher.folders() });
    }
    let (mut again, mut pause, mut gone) = (None::<Instant>, FIRST_PAUSE, None::<String>);
    loop {
        if engine.interrupted() {
            return Err(Fault::interrupted());
        }
        match follower.places_now() {
            Err(name) => {
                if gone.as_ref() != Some(&name) {
                    on(Happening::Gone(name.clone()));
                    gone = Some(name);
                }
                // Whatever comes in its place is another folder.
                follower.places.clear();
                follower.settle.clear();
                follower.wait(TICK);
                continue;
            }
            Ok(places) => {
                if let Some(name) = gone.take() {
                    on(Happening::Back(name));
                }
                if places != follower.places {
                    follower.places = places;
                    follower.settle.change(Instant::now());
                }
            }
        }
        let now = Instant::now();
        if !follower.settle.is_due(now) && again.is_none_or(|again| again > now) {
            let left = [follower.settle.left(now), again.map(|again| again - now)];
            follower.wait(left.into_iter().flatten().fold(TICK, Duration::min));
            continue;
        }
        follower.settle.clear();
        again = None;
        match follower.round(false, on) {
            Ok(()) => pause = FIRST_PAUSE,
            Err(fault) if engine.interrupted() => return Err(fault),
            // Said at the next look.
            Err(_) if follower.places_now().is_err() => {}
            // Somebody cancelled the job.
            Err(fault) if fault.kind() == Kind::Interrupted => {
                on(Happening::Failed { fault, again_in: None })
            }
            Err(fault) => {
                on(Happening::Failed { fault, again_in: Some(pause) });
                again = Some(Instant::now() + pause);
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// How changes are noticed.
enum Eyes {
    Watching(Box<Watcher>),
    Looking { every: Duration, next: Instant, seen: Option<[u8; 32]> },
}

struct Follower<'a> {
    engine: &'a Engine,
    spec: IngestSpec,
    request: ingest::Request,
    eyes: Eyes,
    settle: Debounce,
    places: Vec<FolderId>,
    /// Jobs of the rounds so far that are remembered.
    jobs: Vec<String>,
}

/// Which folder a name stands for.
#[derive(PartialEq, Eq)]
struct FolderId {
    real: PathBuf,
    device: u64,
    inode: u64,
}

impl<'a> Follower<'a> {
    fn new(
        engine: &'a Engine,
        spec: IngestSpec,
        look_every: Option<Duration>,
        on: &mut dyn FnMut(Happening),
    ) -> Self {
        let looking = |every| Eyes::Looking { every, next: Instant::now(), seen: None };
        let eyes = match (look_every, Watcher::new()) {
            (None, Ok(watcher)) => Eyes::Watching(Box::new(watcher)),
            (None, Err(why)) => {
                on(Happening::Looking { why: Some(why), every: LOOK_EVERY });
                looking(LOOK_EVERY)
            }
            (Some(every), _) => {
                on(Happening::Looking { why: None, every });
                looking(every)
            }
        };
        let request = work::request_of(&spec);
        let settle = Debounce::new(QUIET, LONGEST);
        Self { engine, spec, request, eyes, settle, places: Vec::new(), jobs: Vec::new() }
    }

    /// One ingest.
    fn round(&mut self, is_first: bool, on: &mut dyn FnMut(Happening)) -> Result<()> {
        match &mut self.eyes {
            Eyes::Watching(watcher) => watcher.begin(),
            // Before the ingest looks: what changes after this is seen next time.
            Eyes::Looking { .. } => {
                self.look();
                self.settle.clear();
            }
        }
        // Handles of its own: whoever cancels this job stops no other, and the caches write down
        // what they know.
        let engine = self.engine.with(self.engine.config.clone());
        let mut blind = None;
        let (eyes, places) = (&mut self.eyes, &self.places);
        let ingested = work::ingest_here(&engine, self.spec.clone(), &mut |event| {
            // An ingest that builds afresh lists the other folders of the index too.
            if let (ingest::Event::Entering(dir), Eyes::Watching(watcher)) = (&event, &mut *eyes)
                && blind.is_none()
                && places.iter().any(|place| dir.starts_with(&place.real))
            {
                blind = watcher.enter(dir).err();
            }
            on(Happening::Ingest(event));
        });
        if let (Ok(_), Eyes::Watching(watcher)) = (&ingested, &mut self.eyes) {
            watcher.end();
        }
        if let Some(why) = blind {
            self.eyes = Eyes::Looking { every: LOOK_EVERY, next: Instant::now(), seen: None };
            on(Happening::Looking { why: Some(why), every: LOOK_EVERY });
        }
        let (job_id, report) = ingested?;
        self.remember(&job_id);
        on(Happening::Ingested { job_id, report: Box::new(report), is_first });
        Ok(())
    }

    /// A follower that runs for a day must not fill the log of jobs.
    fn remember(&mut self, job_id: &str) {
        self.jobs.push(job_id.to_owned());
        if self.jobs.len() >= 2 * ROUNDS_REMEMBERED {
            let old: Vec<String> = self.jobs.drain(..ROUNDS_REMEMBERED).collect();
            // They are forgotten by age all the same.
            let _ = self.engine.jobs.forget(&old, self.engine.now_ms());
        }
    }

    /// The folders as they are now, or the name of one that is not there.
    fn places_now(&self) -> std::result::Result<Vec<FolderId>, String> {
        let place = |dir: &PathBuf| {
            let real = self.request.cwd.join(dir).canonicalize().ok()?;
            let metadata = real.metadata().ok().filter(std::fs::Metadata::is_dir)?;
            Some(FolderId { real, device: metadata.dev(), inode: metadata.ino() })
        };
        let name = |dir: &PathBuf| {
            let typed = dir.display().to_string();
            self.request.names.get(&typed).cloned().unwrap_or(typed)
        };
        self.request.dirs.iter().map(|dir| place(dir).ok_or_else(|| name(dir))).collect()
    }

    /// Waits for changes, at most for `most`, and notes whether there were any that count.
    fn wait(&mut self, most: Duration) {
        match &self.eyes {
            Eyes::Watching(watcher) => {
                let changes = watcher.wait(most);
                if self.is_wanted(&changes) {
                    self.settle.change(Instant::now());
                }
            }
            Eyes::Looking { next, .. } => {
                let left = next.saturating_duration_since(Instant::now());
                std::thread::park_timeout(most.min(left));
                if left <= most {
                    self.look();
                }
            }
        }
    }

    /// Whether any of the changes is of something that an ingest would read.
    fn is_wanted(&self, changes: &Changes) -> bool {
        if changes.everything || changes.paths.is_empty() {
            return changes.everything;
        }
        let wanted = self.wanted();
        changes.paths.iter().any(|path| {
            let mut above = wanted.iter().filter(|(real, _)| path.starts_with(real)).peekable();
            above.peek().is_none()
                || above.any(|(real, options)| text::is_wanted(real, options, path))
        })
    }

    /// Each folder that is followed, with what an ingest wants of it.
    fn wanted(&self) -> Vec<(&Path, WalkOptions)> {
        // Before the first ingest the index may not have them yet.
        let known = ingest::known_roots(self.engine).unwrap_or_default();
        let root = |place: &FolderId| {
            let real = place.real.to_string_lossy();
            let (include, exclude) = (self.request.include.clone(), self.request.exclude.clone());
            let known = known.iter().find(|root| root.real == real).cloned();
            known.unwrap_or(Root { include, exclude, ..Root::new("", real) })
        };
        self.places
            .iter()
            .map(|place| (&*place.real, ingest::walk_options(self.engine, &root(place))))
            .collect()
    }

    /// Compares the folders with what they were when last looked at.
    fn look(&mut self) {
        let start = Instant::now();
        let now = self.stamp();
        let Eyes::Looking { every, next, seen } = &mut self.eyes else { return };
        *next = Instant::now() + (*every).max(start.elapsed() * REST_PER_WALK);
        if now.is_none() || now != *seen {
            *seen = now;
            self.settle.change(Instant::now());
        }
    }

    /// A digest of the names, sizes and times of all files; `None` when they cannot be walked.
    fn stamp(&self) -> Option<[u8; 32]> {
        let mut hash = Blake::new(32);
        for (real, options) in self.wanted() {
            let walked = text::walk(real, &options, &mut |entry| {
                match entry {
                    Entry::File(found) => {
                        hash.add(found.path.as_bytes());
                        hash.add(&found.size.to_le_bytes());
                        hash.add(&found.mtime_ns.to_le_bytes());
                    }
                    Entry::Skipped { path, .. } | Entry::Failed { path, .. } => {
                        hash.add(path.as_bytes())
                    }
                    Entry::Folder(_) => {}
                }
                if self.engine.interrupted() { Err(Fault::interrupted()) } else { Ok(()) }
            });
            walked.ok()?;
        }
        Some(hash.finish::<32>())
    }
}
