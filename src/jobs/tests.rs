//! The log and the schedule, with a clock that the tests set.

use std::path::PathBuf;

use super::*;
use crate::jobs::job::{AWAY_BACKOFF_MS, MOST_AWAY_MS};
use crate::jobs::{FILE_TRIES, IngestSpec, Priority, Reason, Work};

const HOUR: u64 = 3_600_000;

struct TempJobs {
    dir: tempfile::TempDir,
}

impl TempJobs {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    /// As another process sees them.
    fn jobs(&self) -> Jobs {
        Jobs::new(&self.dir.path().join("jobs"))
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("jobs/jobs.jsonl")
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap()
    }
}

fn spec(index: &str) -> Spec {
    Spec::new(Work::Ingest(IngestSpec {
        index: index.to_owned(),
        dirs: vec!["docs".into()],
        ..IngestSpec::default()
    }))
}

#[track_caller]
fn claimed(jobs: &Jobs, now_ms: u64) -> Claimed<'_> {
    match jobs.claim(now_ms, 9).unwrap() {
        Next::Ready(claimed) => claimed,
        Next::Later(ms) => panic!("later: {ms:?}"),
        Next::Nothing => panic!("nothing to claim"),
    }
}

/// Leaves what a killed process leaves: the lock's file without a holder.
fn die(claimed: Claimed<'_>) {
    drop(claimed);
}

fn succeed(claimed: Claimed<'_>, now_ms: u64) {
    claimed
        .finish(
            End::Succeeded { result: serde_json::json!({ "documents": 3 }) },
            now_ms,
            Durability::Synced,
        )
        .unwrap();
}

fn fail(claimed: Claimed<'_>, now_ms: u64) {
    let reason = Reason::new(Kind::Busy, "the disk is asleep");
    claimed.finish(End::Failed { reason, is_final: false }, now_ms, Durability::Synced).unwrap();
}

fn state(jobs: &Jobs, id: &str) -> State {
    jobs.get(id, 0).unwrap().state
}

#[test]
fn a_job_is_queued_runs_and_succeeds_for_every_process() {
    let place = TempJobs::new();
    let (here, there) = (place.jobs(), place.jobs());
    assert_eq!(there.list(0).unwrap(), []);
    let id = here.submit(spec("a"), 5).unwrap();
    assert!(id.len() == 32 && id != here.submit(spec("b"), 5).unwrap());
    assert_eq!(state(&there, &id), State::Queued);
    let claim = claimed(&there, 6);
    assert_eq!(claim.id(), id);
    assert_eq!(state(&here, &id[..8]), State::Running);
    let progress =
        Progress { stage: "bm25".into(), share: 0.25, done: 1, total: 2, ..Progress::default() };
    claim.progress(progress.clone(), 7).unwrap();
    assert_eq!(here.get(&id, 7).unwrap().progress, progress);
    succeed(claim, 8);
    let job = here.get(&id, 8).unwrap();
    assert_eq!(
        (job.state, job.created_ms, job.started_ms, job.ended_ms),
        (State::Succeeded, 5, Some(6), Some(8))
    );
    assert_eq!(
        (job.attempts, job.progress.share, job.result.unwrap()["documents"].as_u64()),
        (1, 1.0, Some(3))
    );
    assert!(here.get("", 0).is_err() && here.get("nothing", 0).is_err());
}

#[test]
fn priority_precedes_age_and_running_jobs_are_limited() {
    let place = TempJobs::new();
    let jobs = place.jobs();
    let order =
        [Priority::Low, Priority::Normal, Priority::Background, Priority::Critical, Priority::High];
    for priority in order.into_iter().chain([Priority::Normal]) {
        jobs.submit(Spec { priority, ..spec(priority.name()) }, 1).unwrap();
    }
    let other = place.jobs();
    let first = claimed(&other, 1);
    let second = claimed(&jobs, 1);
    assert!(matches!(jobs.claim(1, 2).unwrap(), Next::Later(None)));
    let mut seen = vec![first.job.spec.priority, second.job.spec.priority];
    succeed(first, 2);
    while let Next::Ready(claim) = other.claim(2, 2).unwrap() {
        seen.push(claim.job.spec.priority);
        succeed(claim, 3);
    }
    let mut expected = Priority::ALL.to_vec();
    expected.insert(2, Priority::Normal);
    assert_eq!(seen, expected);
    succeed(second, 4);
    assert_eq!(jobs.peek(4, 2).unwrap(), Next::Nothing);
}

#[test]
fn a_job_waits_for_others_and_fails_with_them() {
    let place = TempJobs::new();
    let jobs = place.jobs();
    let first = jobs.submit(spec("first"), 1).unwrap();
    let after =
        |id: &str| Spec { after: vec![id.to_owned()], priority: Priority::Critical, ..spec("x") };
    let second = jobs.submit(after(&first[..10]), 1).unwrap();
    let third = jobs.submit(after(&second), 1).unwrap();
    assert_eq!(jobs.submit(after("none"), 1).unwrap_err().kind(), Kind::Usage);
    let claim = claimed(&jobs, 1);
    assert_eq!(claim.id(), first);
    assert_eq!(jobs.peek(1, 9).unwrap(), Next::Later(None));
    succeed(claim, 2);
    // It has ended long ago, but another job waits for it.
    assert_eq!(jobs.clean(u64::MAX, 3).unwrap(), 0);
    assert_eq!(jobs.peek(3, 9).unwrap(), Next::Ready(second.clone()));
    assert_eq!(jobs.cancel(&second, 3).unwrap().state, State::Cancelled);
    assert_eq!(jobs.peek(3, 9).unwrap(), Next::Nothing);
    let job = jobs.get(&third, 3).unwrap();
    assert_eq!(job.state, State::Failed);
    assert!(job.reason.unwrap().message.contains(&second));
}

#[test]
fn failures_are_retried_after_growing_pauses() {
    let place = TempJobs::new();
    let jobs = place.jobs();
    let id = jobs.submit(Spec { max_attempts: 9, ..spec("a") }, 0).unwrap();
    let mut now = 0;
    let mut pauses = Vec::new();
    for _ in 0..8 {
        fail(claimed(&jobs, now), now);
        let Next::Later(Some(pause)) = jobs.peek(now, 9).unwrap() else { panic!("no pause") };
        pauses.push(pause);
        assert!(matches!(jobs.claim(now + pause - 1, 9).unwrap(), Next::Later(Some(1))));
        now += pause;
    }
    assert_eq!(pauses, [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
    fail(claimed(&jobs, now), now);
    let job = jobs.get(&id, now).unwrap();
    let reason = job.reason.unwrap();
    assert_eq!((job.state, job.attempts, reason.kind()), (State::Failed, 9, Kind::Busy));
    assert_eq!(reason.message, "the disk is asleep");
    assert_eq!(jobs.peek(now, 9).unwrap(), Next::Nothing);
    // A retry restores all its tries.
    assert_eq!(jobs.retry(&id, now).unwrap().state, State::Queued);
    assert_eq!(jobs.retry(&id, now).unwrap_err().kind(), Kind::Usage);
    let claim = claimed(&jobs, now);
    claim.finish(End::PutBack, now, Durability::Synced).unwrap();
    assert_eq!((state(&jobs, &id), jobs.get(&id, now).unwrap().tries), (State::Queued, 0));
    // A final failure is not tried again.
    let reason = Reason::new(Kind::Usage, "no such folder");
    claimed(&jobs, now)
        .finish(End::Failed { reason, is_final: true }, now, Durability::Synced)
        .unwrap();
    assert_eq!(state(&jobs, &id), State::Failed);
}

/// An accepted job is not lost because a store is away for longer than its tries last.
#[test]
fn a_job_waits_for_a_store_that_does_not_answer() {
    let fault = || Fault::outside("no store").reason(crate::error::Reason::Engine);
    let end = || End::Failed { reason: Reason::of(&fault()), is_final: false };
    let place = TempJobs::new();
    let jobs = place.jobs();
    let id = jobs.submit(spec("a"), 0).unwrap();
    let fails_at = |now| {
        claimed(&jobs, now).finish(end(), now, Durability::Synced).unwrap();
        let job = place.jobs().get(&id, now).unwrap();
        assert!(job.ready_ms <= now + AWAY_BACKOFF_MS, "{job:?}");
        (job.state, job.tries)
    };
    for now in [0, 60_000, HOUR, 2 * HOUR, MOST_AWAY_MS - 1] {
        assert_eq!(fails_at(now), (State::Queued, 0), "{now}");
    }
    assert_eq!(jobs.get(&id, 0).unwrap().reason.unwrap().message, "no store");
    // Then its tries count.
    for (n, expected) in [(1, State::Queued), (2, State::Queued), (3, State::Failed)] {
        assert_eq!(fails_at(25 * HOUR * u64::from(n)), (expected, n));
    }
    // Asked for again, it waits as long again; another fault counts at once.
    let mut now = 100 * HOUR;
    jobs.retry(&id, now).unwrap();
    assert_eq!(fails_at(now), (State::Queued, 0));
    now += 60_000;
    fail(claimed(&jobs, now), now);
    assert_eq!(jobs.get(&id, now).unwrap().tries, 1);
    now += 60_000;
    succeed(claimed(&jobs, now), now);
    let job = jobs.get(&id, now).unwrap();
    assert_eq!((job.state, job.away_since_ms), (State::Succeeded, None));
    // A job that is to be tried once is.
    let id = jobs.submit(Spec { max_attempts: 1, ..spec("b") }, now).unwrap();
    claimed(&jobs, now).finish(end(), now, Durability::Synced).unwrap();
    assert_eq!(state(&jobs, &id), State::Failed);
}

#[test]
fn a_job_whose_process_died_is_claimed_again_and_then_given_up() {
    let place = TempJobs::new();
    let (jobs, other) = (place.jobs(), place.jobs());
    let id = jobs.submit(spec("a"), 0).unwrap();
    let claim = claimed(&jobs, 0);
    assert!(!claim.job.careful);
    // While its holder lives no other worker gets it, but one may have to.
    assert!(matches!(other.claim(9_000_000, 9).unwrap(), Next::Later(None)));
    die(claim);
    assert_eq!(other.get(&id, 5).unwrap().state, State::Queued);
    assert!(matches!(other.claim(1004, 9).unwrap(), Next::Later(Some(1))));
    let claim = claimed(&other, 1005);
    assert!(claim.job.careful);
    die(claim);
    jobs.list(1006).unwrap();
    die(claimed(&jobs, 9000));
    let job = jobs.get(&id, 9001).unwrap();
    assert_eq!((job.state, job.attempts), (State::Failed, 3));
    assert_eq!(job.reason.unwrap().message, "the process ended without an error message");
    let left: Vec<_> =
        std::fs::read_dir(jobs.dir()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains(&id)), "{left:?}");
}

#[test]
fn a_file_that_kills_three_processes_is_left_out() {
    let place = TempJobs::new();
    let jobs = place.jobs();
    let id = jobs.submit(spec("a"), 0).unwrap();
    die(claimed(&jobs, 0));
    let mut now = 0;
    for n in 1..=FILE_TRIES {
        now += 100_000;
        jobs.list(now).unwrap();
        now += 100_000;
        let claim = claimed(&jobs, now);
        assert!(claim.job.careful && claim.job.set_aside().next().is_none(), "after {n}");
        let mut note = claim.note();
        note.write(Some("/docs/a/rather/long/innocent.md")).unwrap();
        note.write(Some("/docs/bad\n.md")).unwrap();
        die(claim);
    }
    jobs.list(now + 1).unwrap();
    let claim = claimed(&jobs, now + 100_000);
    assert_eq!(claim.job.set_aside().collect::<Vec<_>>(), ["/docs/bad\n.md"]);
    // A death during a file counts against the file, not the job. The note is empty once the file
    // was read.
    assert_eq!((claim.job.tries, claim.job.attempts), (1, 5));
    claim.note().write(None).unwrap();
    die(claim);
    assert_eq!(jobs.get(&id, now + 100_001).unwrap().tries, 2);
}

#[test]
fn cancelling_ends_queued_jobs_and_asks_running_ones() {
    let place = TempJobs::new();
    let (jobs, other) = (place.jobs(), place.jobs());
    let id = jobs.submit(spec("a"), 0).unwrap();
    let claim = claimed(&jobs, 0);
    assert!(!claim.cancel_asked().unwrap());
    let asked = other.cancel(&id, 1).unwrap();
    assert!(asked.state == State::Running && asked.cancel_asked && claim.cancel_asked().unwrap());
    // The worker dies before it notices: the job need not run again.
    die(claim);
    assert_eq!(state(&other, &id), State::Cancelled);
    assert_eq!(other.cancel(&id, 2).unwrap_err().kind(), Kind::Usage);
    assert_eq!(other.retry(&id, 3).unwrap().state, State::Queued);
    let claim = claimed(&jobs, 60_000);
    assert!(!claim.cancel_asked().unwrap());
    claim.finish(End::Cancelled, 4, Durability::Synced).unwrap();
    assert_eq!(state(&other, &id), State::Cancelled);
}

#[test]
fn old_ended_jobs_are_deleted() {
    let place = TempJobs::new();
    let (jobs, other) = (place.jobs(), place.jobs());
    assert_eq!(jobs.clean(u64::MAX, 0).unwrap(), 0);
    assert!(!jobs.dir().exists());
    for n in 0..3 {
        jobs.submit(spec("a"), 0).unwrap();
        succeed(claimed(&jobs, 0), n * HOUR);
    }
    let waiting = jobs.submit(spec("b"), 0).unwrap();
    assert_eq!(other.list(0).unwrap().len(), 4);
    assert_eq!(jobs.clean(HOUR, 3 * HOUR).unwrap(), 1);
    assert_eq!(place.text().lines().count(), 3);
    // A reader of the old file reads the new one, and both continue with it.
    let kept = other.list(0).unwrap();
    assert_eq!((kept.len(), &kept[2].id), (3, &waiting));
    assert_eq!(kept, jobs.list(0).unwrap());
    assert_eq!(claimed(&other, 3 * HOUR).id(), waiting);
    assert_eq!(place.jobs().list(4 * HOUR).unwrap().len(), 3);
}

#[test]
fn an_incomplete_line_is_ignored_and_overwritten() {
    let place = TempJobs::new();
    let jobs = place.jobs();
    let first = jobs.submit(spec("a"), 0).unwrap();
    let whole = place.text();
    let second = jobs.submit(spec("b"), 0).unwrap();
    let both = place.text();
    for cut in (whole.len()..both.len()).step_by(9).chain([both.len() - 1]) {
        std::fs::write(place.log(), &both[..cut]).unwrap();
        let jobs = place.jobs();
        let ids: Vec<String> = jobs.list(0).unwrap().into_iter().map(|job| job.id).collect();
        assert_eq!(ids, std::slice::from_ref(&first), "cut at {cut}");
        assert_eq!(jobs.get(&second, 0).unwrap_err().kind(), Kind::Usage);
        let third = jobs.submit(spec("c"), 0).unwrap();
        let seen = place.jobs().list(0).unwrap();
        assert_eq!(
            seen.iter().map(|job| job.id.as_str()).collect::<Vec<_>>(),
            [&first, &third],
            "cut at {cut}"
        );
    }
}

#[test]
fn every_flipped_byte_is_noticed_and_its_line_named() {
    let place = TempJobs::new();
    let jobs = place.jobs();
    jobs.submit(spec("a"), 0).unwrap();
    succeed(claimed(&jobs, 1), 2);
    let whole = std::fs::read(place.log()).unwrap();
    let ends = whole
        .iter()
        .enumerate()
        .filter(|(_, b)| **b == b'\n')
        .map(|(at, _)| at)
        .collect::<Vec<_>>();
    for at in (0..whole.len()).step_by(3).chain(ends.clone()) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(place.log(), &bytes).unwrap();
        let fault = place.jobs().list(0).unwrap_err();
        let line = ends.iter().filter(|end| **end < at).count() + 1;
        // The version is read before a checksum that this program may not know.
        let is_version =
            fault.kind() == Kind::Failed && fault.to_string().contains("newer version");
        assert!(fault.kind() == Kind::Damaged || is_version, "byte {at}: {fault}");
        assert!(
            is_version || fault.to_string().contains(&format!("jobs.jsonl:{line}:")),
            "byte {at}: {fault}"
        );
        assert!(
            place.jobs().submit(spec("b"), 0).is_err()
                && std::fs::read(place.log()).unwrap() == bytes
        );
    }
    // A missing line in the middle.
    let without: Vec<u8> = [&whole[..=ends[0]], &whole[ends[1] + 1..]].concat();
    std::fs::write(place.log(), without).unwrap();
    assert!(place.jobs().list(0).unwrap_err().to_string().contains("jobs.jsonl:2:"));
}

#[test]
fn a_newer_log_is_left_alone() {
    let place = TempJobs::new();
    std::fs::create_dir(place.dir.path().join("jobs")).unwrap();
    std::fs::write(place.log(), "{\"v\":2,\"whatever\":true}\n").unwrap();
    for fault in [place.jobs().list(0).unwrap_err(), place.jobs().submit(spec("a"), 0).unwrap_err()]
    {
        assert_eq!(fault.kind(), Kind::Failed);
        assert!(fault.to_string().contains("newer version") && fault.hint_text().is_some());
    }
    assert_eq!(place.text(), "{\"v\":2,\"whatever\":true}\n");
}

#[test]
fn each_job_runs_on_one_of_many_workers() {
    let place = TempJobs::new();
    let jobs = place.jobs();
    for _ in 0..20 {
        jobs.submit(spec("a"), 0).unwrap();
    }
    let ran = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let jobs = place.jobs();
                loop {
                    match jobs.claim(1, 2).unwrap() {
                        Next::Ready(claim) => {
                            let running = jobs
                                .list(1)
                                .unwrap()
                                .iter()
                                .filter(|j| j.state == State::Running)
                                .count();
                            assert!((1..=2).contains(&running), "{running} run");
                            ran.lock().unwrap().push(claim.id().to_owned());
                            succeed(claim, 1);
                        }
                        Next::Later(_) => std::thread::yield_now(),
                        Next::Nothing => break,
                    }
                }
            });
        }
    });
    let mut ran = ran.into_inner().unwrap();
    ran.sort();
    ran.dedup();
    assert_eq!(ran.len(), 20);
    assert!(
        place
            .jobs()
            .list(1)
            .unwrap()
            .iter()
            .all(|job| job.attempts == 1 && job.state == State::Succeeded)
    );
}

#[test]
fn a_slot_is_kept_while_a_job_is_left() {
    let place = TempJobs::new();
    let (jobs, other) = (place.jobs(), place.jobs());
    let first = jobs.enter(1).unwrap().unwrap();
    assert!(other.enter(1).unwrap().is_none());
    jobs.submit(spec("a"), 0).unwrap();
    let kept = jobs.leave(first, 0).unwrap().unwrap();
    succeed(claimed(&other, 0), 0);
    assert!(jobs.leave(kept, 0).unwrap().is_none());
    assert!(other.enter(1).unwrap().is_some());
}

#[test]
fn ended_jobs_can_be_deleted_by_id() {
    let place = TempJobs::new();
    let jobs = place.jobs();
    let ids: Vec<String> = (0..3).map(|n| jobs.submit(spec("a"), n).unwrap()).collect();
    succeed(claimed(&jobs, 10), 11);
    let running = claimed(&jobs, 12);
    jobs.forget(&ids[..2], 13).unwrap();
    let left =
        |jobs: &Jobs| jobs.list(14).unwrap().into_iter().map(|job| job.id).collect::<Vec<_>>();
    assert_eq!(left(&jobs), ids[1..]);
    assert_eq!(left(&place.jobs()), ids[1..]);
    succeed(running, 15);
    jobs.forget(&ids, 16).unwrap();
    assert_eq!(left(&jobs), ids[2..]);
}
